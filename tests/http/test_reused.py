"""Reads go over connections that were used before; what costs has one of its own."""

from __future__ import annotations

import socket
import threading

import pytest

from conftest import PATIENCE
from mediakit.base.inbox import Inbox
from mediakit.http import connections
from mediakit.http.answers import Answer, Lost
from mediakit.http.wire import Host, Wire, answer_of

BODY = b'{"status":"running"}'
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"
LEAVES = WHOLE.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")


class Server:
    """Answers each request as `answers` says, by its number; None closes the connection without one.

    seen  (number of the connection, method) of each request
    """

    def __init__(self, answers: list[bytes | None]):
        self.seen: list[tuple[int, str]] = []
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        count = 0
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            count += 1
            threading.Thread(target=self._serve, args=(connection, count), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, connection.makefile("rb") as file:
            while line := file.readline():
                length = 0
                while (header := file.readline()) not in (b"\r\n", b""):
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                file.read(length)
                answer = self._answers[len(self.seen)] if len(self.seen) < len(self._answers) else WHOLE
                self.seen.append((number, line.split()[0].decode()))
                if answer is None:
                    return
                connection.sendall(answer)
                if answer in (LEAVES, CUT):
                    return

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *problem) -> None:
        self._listener.close()


CUT = WHOLE[:-5]


def told(server: Server, *methods: str) -> list[Answer | Lost]:
    found = []
    for method in methods:
        inbox = Inbox()
        wire = Wire(Host(server.url), inbox)
        asked = wire.post("/jobs", {}, PATIENCE, False) if method == "POST" else wire.get("/jobs/1", PATIENCE)
        found.append(answer_of(asked, inbox, PATIENCE))
        asked.leave()  # as a driver does it with every request, however it ended
        # Its thread gives the connection back after it has told of the answer.
        for thread in threading.enumerate():
            if thread.daemon and getattr(thread, "_target", None) is not None and "Wire" in repr(thread._target):
                thread.join(PATIENCE)
    return found


@pytest.mark.parametrize("answer", [WHOLE, CHUNKED], ids=["length", "chunks"])
def test_reads_share_a_connection_and_a_create_has_its_own(answer):
    with Server([answer] * 6) as server:
        assert [one.content for one in told(server, "POST", "GET", "GET", "POST", "POST", "GET")] == [BODY] * 6
        used = [number for number, _ in server.seen]
        assert used[:3] == [1, 1, 1] and used[3:5] == [2, 3], server.seen
        assert used[5] in (1, 2, 3)


@pytest.mark.parametrize("how", ["closed without an answer", "closed after the answer before"])
def test_a_connection_that_its_server_has_closed_costs_no_read(monkeypatch, how):
    monkeypatch.setattr(connections, "_DRAIN", 0.0)  # what is waited for on a closed one is no time of the next
    answers = {"closed without an answer": [WHOLE, None], "closed after the answer before": [LEAVES]}[how]
    with Server(answers) as server:
        assert [one.content for one in told(server, "GET", "GET")] == [BODY] * 2
        numbers = [number for number, _ in server.seen]
        assert numbers == ([1, 1, 2] if None in answers else [1, 2])


def test_an_answer_that_was_cut_is_no_reason_to_ask_again(monkeypatch):
    with Server([WHOLE, CUT]) as server:
        whole, cut = told(server, "GET", "GET")
        assert whole.content == BODY and isinstance(cut, Lost) and cut.sent, cut
        assert server.seen == [(1, "GET"), (1, "GET")]
        assert told(server, "GET")[0].content == BODY and server.seen[-1] == (2, "GET")


def test_a_create_is_never_sent_twice():
    with Server([None]) as server:
        (lost,) = told(server, "POST")
        assert isinstance(lost, Lost) and lost.sent and server.seen == [(1, "POST")]


def test_nothing_is_sent_over_a_connection_that_nobody_watches():
    """What left over it could not be told from what never left."""
    import requests

    from mediakit.http.faults import SetUp
    from mediakit.http.proxied import Session

    with Server([]) as server, Session(lambda connection_class: connection_class, True) as session:
        with pytest.raises(SetUp, match="watched"):
            session.send(requests.Request("POST", server.url + "/generation").prepare())
        assert server.seen == []
