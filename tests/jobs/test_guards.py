"""Rules that only a missing one would show: what is delivered, which ids stand in a command, whose job a listed one is,
what counts as sent."""

from __future__ import annotations

import json
import sqlite3
import threading
import time

import pytest

from conftest import KEY
from fake_service import (
    PICTURE,
    FakeService,
    answer,
    create,
    event,
    job,
    stream,
    wait,
)
from mediakit.base import amounts
from mediakit.base.inbox import Inbox
from mediakit.console import Console
from mediakit.http.exchange import Exchange
from mediakit.http.wire import Host, Wire, answer_of
from mediakit.ledger import entries, store

# -- what is delivered -----------------------------------------------------------------------------------


def bought(service, *media) -> None:
    """Let every create be a finished job with one picture, and its host answer as given."""
    done = job("COMPLETED", f"{service.origin}/media/1.png")
    service._scripts["create"] = [stream(event("COMPLETED", data=done["data"]))]
    service._scripts["read"] = [answer(200, done)]
    service._scripts["media"] = list(media)


def test_what_could_not_be_saved_is_not_delivered_and_the_same_command_saves_it_instead_of_buying(scripts):
    with FakeService() as service:
        bought(service, answer(418), PICTURE)
        first = create(scripts, service, "--output-dir", "out")
        assert (first.code, service.posts()) == (26, 1)
        again = create(scripts, service, "--output-dir", "out")
        assert (again.code, again.first("resumed")["reason"], service.posts()) == (0, "undelivered", 1), again.events
        assert again.job == first.job
        # Now it is delivered, and the same command is a new purchase.
        assert (create(scripts, service, "--output-dir", "out").code, service.posts()) == (0, 2)


def test_a_failed_job_is_delivered_and_the_same_command_buys_anew(scripts):
    with FakeService(create=stream(event("FAILED"))) as service:
        assert [create(scripts, service).code for _ in range(2)] == [10, 10] and service.posts() == 2


def test_a_job_that_was_never_shown_is_not_closed_and_the_same_command_does_not_buy_anew(scripts):
    with FakeService(create=answer(200, job("IN_QUEUE")), read=answer(404, {"message": "no such job"})) as service:
        first = create(scripts, service, "--no-wait", streams=False)
        assert (first.code, service.posts()) == (0, 1)
        with sqlite3.connect(scripts.folder / "state/ledger.sqlite3") as database:
            database.execute("UPDATE job SET accepted_at = accepted_at - 60")
        for _ in range(2):
            run = create(scripts, service, streams=False)
            assert (run.code, run.result["event"], service.posts()) == (11, "timeout", 1), run.events
            assert run.result["guidance"] and run.result["next_argv"][2:4] == ["resume", first.job]


# -- which ids stand in a command ------------------------------------------------------------------------

PASTEABLE = ["gen_1", "A.b-c:d", "9", "x" * 200]
NEVER_PASTED = [
    "-rf", "--generation-id=x", ".hidden", "a b", "a\tb", "$(id)", "`id`", "a;id", "a|id", "a&b", "a>b", "a'b", 'a"b',
    "a\\b", "%PATH%", "!x", "../x", "a/b", "~x", "*", "{a,b}", "é", "x" * 201, f"gen_{KEY}",
]  # fmt: skip


@pytest.mark.parametrize("generation_id", PASTEABLE)
def test_a_plain_id_stands_in_the_command_that_goes_on(scripts, generation_id):
    with FakeService(read=answer(200, {"id": generation_id, "status": "IN_PROGRESS"})) as service:
        result = wait(scripts, service, "--generation-id", generation_id, "--timeout", "0").result
    assert (result["exit_code"], result["event"]) == (11, "timeout")
    assert result["next_argv"][1].endswith("wait_generation.py") and generation_id in result["next_argv"]


@pytest.mark.parametrize("generation_id", NEVER_PASTED)
def test_any_other_id_is_told_and_stands_in_no_command(scripts, generation_id):
    with FakeService(read=answer(200, {"id": generation_id, "status": "IN_PROGRESS"})) as service:
        result = wait(scripts, service, f"--generation-id={generation_id}", "--timeout", "0").result
    # Some are no id at all: those could not stand in a path either.
    assert (result["exit_code"], result["event"]) in ((11, "timeout"), (2, "error"))
    assert "next_command" not in result and "next_argv" not in result
    assert KEY not in json.dumps(result)


# -- whose job a listed one is ---------------------------------------------------------------------------


def writers(folder, copies: int = 2) -> list[entries.Writer]:
    """So many purchases of the same by this process, all of them sent and without an answer."""
    ledger = store.Ledger(str(folder))
    orders = [
        store.Order(
            amounts.digest(copy), amounts.digest("request"), "a", "b", 0, "m", None, None, None, copy, "", "{}", None
        )
        for copy in range(1, copies + 1)
    ]
    found = [entries.Writer(Console("test"), ledger, one.entry) for one in ledger.claims.claim(orders, [])]
    for writer in found:
        writer.before_sending()
    return found


def test_a_listed_job_is_nobodys_while_a_twin_lives_that_could_have_made_it(tmp_path):
    first, second = writers(tmp_path)
    assert first.attach(["gen_1"]) == [] and second.attach(["gen_1"]) == []
    second.release()
    assert first.attach(["gen_1"]) == ["gen_1"]
    assert first.ledger.find(first.key).generation_id == "gen_1"


def test_a_twin_that_has_its_own_id_is_no_rival_and_an_id_is_taken_once(tmp_path):
    first, second = writers(tmp_path)
    second.note("accepted", "gen_2", None, None)
    assert first.attach(["gen_2"]) == []
    assert first.attach(["gen_1", "gen_2"]) == ["gen_1"]


# -- what counts as sent ---------------------------------------------------------------------------------


def test_what_was_passed_to_a_socket_counts_as_sent_whatever_the_exception_says():
    exchange = Exchange(Inbox())
    assert exchange.lost(OSError("reset")).sent is False
    exchange.before_sending()
    assert exchange.lost(ConnectionRefusedError("refused")).sent is True


def test_an_answer_that_does_not_come_in_time_is_lost_and_was_sent():
    waiting = threading.Event()

    def silent(exchange) -> None:
        exchange.wait(waiting)

    with FakeService(read=silent) as service:
        inbox = Inbox()
        exchange = Wire(Host(service.base_url), inbox).get("/generation/x", 20.0)
        service.wait_for("GET")
        began_at = time.monotonic()
        lost = answer_of(exchange, inbox, 0.1)
        assert time.monotonic() - began_at >= 0.1 and lost.sent and "no answer" in lost.message
        waiting.set()
