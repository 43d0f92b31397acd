"""The id is never thrown away: every envelope that a real socket can deliver, for creates, reads and downloads."""

from __future__ import annotations

import gzip
import json
import os
import threading

import pytest

from conftest import KEY
from fake_service import COMPLETED, PNG, FakeService, answer, create, event, job, wait
from mediakit.http import receiving

QUEUED = json.dumps(job(url="https://media.invalid/1.png")).encode()
DONE = json.dumps(job("COMPLETED")).encode()
JSON = "application/json"


def head(*lines: str, status: str = "200 OK", version: str = "1.1") -> bytes:
    return "\r\n".join([f"HTTP/{version} {status}", *lines, "", ""]).encode()


def typed(media_type: str, length: int | None = None, *more: str) -> list[str]:
    return [f"Content-Type: {media_type}", *([] if length is None else [f"Content-Length: {length}"]), *more]


def plain(content: bytes, media_type: str, *more: str, length: int | None = None) -> bytes:
    return head(*typed(media_type, len(content) if length is None else length, *more)) + content


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


CHUNKED = "Transfer-Encoding: chunked"
GZIP = "Content-Encoding: gzip"
PROCESSING, HINTS = head(status="102 Processing"), head("Link: </a.css>; rel=preload", status="103 Early Hints")

# name -> (body, its media type) -> the bytes on the socket; and how the connection ends behind them
CARRIED = {
    "as it should be": (lambda body, kind: plain(body, kind), "close"),
    "102": (lambda body, kind: PROCESSING + plain(body, kind), "close"),
    "103": (lambda body, kind: HINTS + plain(body, kind), "close"),
    "100, 102, 103 and 199": (
        lambda body, kind: head(status="100 Continue") + PROCESSING + HINTS + head(status="199 Odd") + plain(body, kind),
        "close",
    ),
    "forty times 102": (lambda body, kind: PROCESSING * 40 + plain(body, kind), "close"),
    "HTTP/1.0 until the end": (lambda body, kind: head(*typed(kind), version="1.0") + body, "close"),
    "HTTP/1.1 until the end": (lambda body, kind: head(*typed(kind)) + body, "close"),
    "chunked": (lambda body, kind: head(*typed(kind, None, CHUNKED)) + chunk(body) + b"0\r\n\r\n", "hold"),
    "chunked and a length": (lambda body, kind: head(*typed(kind, 7, CHUNKED)) + chunk(body) + b"0\r\n\r\n", "close"),
    "chunked under another word": (
        lambda body, kind: head(*typed(kind, None, "Transfer-Encoding: identity, chunked")) + chunk(body) + b"0\r\n\r\n",
        "close",
    ),
    "two lengths": (lambda body, kind: plain(body, kind, "Content-Length: 3"), "close"),
    "two lengths in one": (lambda body, kind: head(*typed(kind), f"Content-Length: {len(body)}, 9") + body, "close"),
    "a length that is a word": (lambda body, kind: head(*typed(kind), "Content-Length: many") + body, "close"),
    "a negative length": (lambda body, kind: head(*typed(kind), "Content-Length: -1") + body, "close"),
    "gzip": (lambda body, kind: plain(gzip.compress(body), kind, GZIP), "close"),
    "gzip that is plain": (lambda body, kind: plain(body, kind, GZIP), "close"),
    "deflate that is plain": (lambda body, kind: plain(body, kind, "Content-Encoding: deflate"), "close"),
    "a label without a meaning": (lambda body, kind: plain(body, kind, "Content-Encoding: aws-chunked"), "close"),
    "an odd charset": (lambda body, kind: plain(body, f'{kind}; charset="x-none"'), "close"),
    "line feeds only": (lambda body, kind: head(*typed(kind, len(body))).replace(b"\r", b"") + body, "close"),
    "a header without a colon": (lambda body, kind: head("nonsense", *typed(kind)) + body, "close"),
}  # fmt: skip
# The envelope is broken: what came is all there is, and nothing says so.
BROKEN = {
    "chunked without the last chunk": (lambda body, kind: head(*typed(kind, None, CHUNKED)) + chunk(body), "close"),
    "chunked without the last chunk, held open": (lambda body, kind: head(*typed(kind, None, CHUNKED)) + chunk(body), "hold"),
    "chunked without the last chunk, reset": (lambda body, kind: head(*typed(kind, None, CHUNKED)) + chunk(body), "reset"),
    "said to be chunked": (lambda body, kind: head(*typed(kind, None, CHUNKED)) + body, "close"),
    "too long a length": (lambda body, kind: plain(body, kind, length=len(body) + 40), "close"),
    "too long a length, held open": (lambda body, kind: plain(body, kind, length=len(body) + 40), "hold"),
    "too long a length, reset": (lambda body, kind: plain(body, kind, length=len(body) + 40), "reset"),
    "until the end, reset": (lambda body, kind: head(*typed(kind)) + body, "reset"),
    "gzip with a broken end": (lambda body, kind: plain(gzip.compress(body)[:-6] + b"\0" * 6, kind, GZIP), "close"),
    "gzip without its end": (lambda body, kind: plain(gzip.compress(body)[:-8], kind, GZIP), "close"),
    "no HTTP at all": (lambda body, kind: body, "close"),
    "no HTTP version": (lambda body, kind: b"HTTP 200\r\n\r\n" + body, "close"),
    "a hundred and twenty headers": (
        lambda body, kind: head(*[f"X-{n}: {n}" for n in range(120)], *typed(kind, len(body))) + body,
        "close",
    ),
    "a length too short": (lambda body, kind: plain(body, kind, length=12), "close"),
    "204 with a body": (lambda body, kind: head(*typed(kind, len(body)), status="204 No Content") + body, "close"),
}  # fmt: skip


def sent(envelope, body: bytes, media_type: str = JSON):
    """A handler that says a body in an envelope."""
    wrap, ending = envelope

    def handler(exchange) -> None:
        exchange.send(wrap(body, media_type))
        if ending == "hold":
            exchange.hold()
        elif ending == "reset":
            exchange.reset()

    return handler


ENVELOPES = {**CARRIED, **BROKEN}


@pytest.mark.parametrize("name", ENVELOPES)
@pytest.mark.parametrize("streams", [True, False], ids=["stream asked", "JSON asked"])
def test_the_id_in_the_answer_to_a_create_counts_in_every_envelope(scripts, name, streams):
    with FakeService(create=sent(ENVELOPES[name], QUEUED), read=COMPLETED) as service:
        run = create(scripts, service, streams=streams)
        assert (run.code, service.posts(), run.result.get("generation_id")) == (0, 1, "gen_1"), run.events
        assert run.result["source"] == "poll"


def test_the_id_in_a_stream_that_is_said_to_be_chunked_counts(scripts):
    envelope = BROKEN["said to be chunked"]
    with FakeService(create=sent(envelope, event(), "text/event-stream"), read=COMPLETED) as service:
        run = create(scripts, service)
        assert (run.code, service.posts(), run.result.get("generation_id")) == (0, 1, "gen_1"), run.events


@pytest.mark.parametrize("name", ENVELOPES)
def test_what_a_job_is_made_of_is_read_in_every_envelope(scripts, name):
    if name in (
        "no HTTP at all",
        "no HTTP version",
        "a length too short",
        "204 with a body",
    ):
        pytest.skip("a read is simply repeated")
    with FakeService(read=sent(ENVELOPES[name], DONE)) as service:
        run = wait(scripts, service, "--timeout", "30")
        assert (run.code, service.count("GET")) == (0, 1), run.events


@pytest.mark.parametrize("name", CARRIED)
def test_a_result_is_saved_in_every_envelope_that_brings_all_of_it(scripts, name, tmp_path):
    done = lambda exchange: answer(200, job("COMPLETED", f"{exchange.service.origin}/media/a.png"))(exchange)  # noqa: E731
    with FakeService(read=done, media=sent(CARRIED[name], PNG, "image/png")) as service:
        run = wait(scripts, service, "--output-dir", str(tmp_path / "out"))
        assert run.code == 0, run.events
        [asset] = run.result["assets"]
        assert open(asset["path"], "rb").read() == PNG


EVENT = b"data: " + QUEUED
# what is in the body, and as which kind: everything but the one JSON object that was asked for
CONTENTS = {
    "events": (EVENT + b"\n\n", "text/event-stream"),
    "events as JSON": (EVENT + b"\n\n", JSON),
    "an event with a name": (b"event: submitted\nid: 7\n" + EVENT + b"\n\n", "text/event-stream"),
    "events ended by one line end": (EVENT + b"\n" + EVENT + b"\n", "text/event-stream"),
    "events ended by CR": (EVENT.replace(b"\n", b"\r") + b"\r\r", "text/event-stream"),
    "an event without an end": (EVENT, "text/event-stream"),
    "an event that is cut behind the id": (b'data: {"id":"gen_1","sta', "text/event-stream"),
    "JSON lines": (QUEUED + b"\n" + b'{"progress":1}\n', "application/x-ndjson"),
    "JSON lines as events": (QUEUED + b"\n" + b'{"progress":1}\n', "text/event-stream"),
    "JSON lines, the last one cut": (QUEUED + b'\n{"prog', JSON),
    "JSON that is cut behind the id": (b'{"id":"gen_1","status":"IN_QU', JSON),
    "a byte order mark": (b"\xef\xbb\xbf" + QUEUED, JSON),
    "UTF-16": (QUEUED.decode().encode("utf-16"), "application/json; charset=utf-16"),
    "UTF-16 without a mark": (QUEUED.decode().encode("utf-16-le"), JSON),
    "JSON as text": (QUEUED, "text/plain; charset=iso-8859-1"),
    "JSON as a page": (QUEUED, "text/html"),
    "an array of one": (b"[" + QUEUED + b"]", JSON),
    "JSON in a text": (json.dumps(QUEUED.decode()).encode(), JSON),
}
ENDINGS = {
    "end": (lambda body, kind: head(*typed(kind)) + body, "close"),
    "held": (lambda body, kind: head(*typed(kind)) + body, "hold"),
}


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("streams", [True, False], ids=["stream asked", "JSON asked"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_the_id_counts_in_whatever_form_the_answer_comes(scripts, name, streams, ending):
    body, media_type = CONTENTS[name]
    if ending == "held" and "cut" in name:
        pytest.skip("nothing tells that no more comes before the time is up")
    with FakeService(create=sent(ENDINGS[ending], body, media_type), read=COMPLETED) as service:
        run = create(scripts, service, "--sse-request-timeout", "6", streams=streams)
        assert (run.code, service.posts(), run.result.get("generation_id")) == (0, 1, "gen_1"), run.events


@pytest.mark.parametrize("name", CONTENTS)
def test_a_read_is_understood_in_whatever_form_it_comes(scripts, name):
    body, media_type = CONTENTS[name]
    if "cut" in name:
        pytest.skip("half an answer to a read says nothing")
    done = body.replace(b"IN_QUEUE", b"COMPLETED").replace(
        "IN_QUEUE".encode("utf-16-le"), "COMPLETED".encode("utf-16-le")
    )
    with FakeService(read=sent(ENDINGS["end"], done, media_type)) as service:
        run = wait(scripts, service, "--timeout", "30")
        assert (run.code, service.count("GET")) == (0, 1), run.events


def test_an_endless_stream_in_answer_to_a_read_says_what_its_events_say(scripts):
    def handler(exchange) -> None:
        exchange.head(200, {"Content-Type": "text/event-stream"})
        exchange.send(b"data: " + DONE + b"\n\n")
        while not exchange.service.closing.wait(0.2):
            exchange.send(b": still here\n\n")

    with FakeService(read=handler) as service:
        assert wait(scripts, service, "--timeout", "60").code == 0


def test_the_address_of_the_new_job_is_enough(scripts):
    for location in ("/api/v1/generation/gen_1", "{origin}/api/v1/generation/gen_1"):

        def handler(exchange, location=location) -> None:
            answer(201, b"", {"Location": location.replace("{origin}", exchange.service.origin)})(exchange)

        with FakeService(create=handler, read=COMPLETED) as service:
            run = create(scripts, service, "--copies", "1", "--allow-duplicate", streams=False)
            assert (run.code, run.result["generation_id"]) == (0, "gen_1"), run.events
    for location in ("https://elsewhere.invalid/api/v1/generation/gen_1", "/api/v1/generation/sse/owner/model", "/x"):
        with FakeService(create=answer(201, b"", {"Location": location}), read=COMPLETED) as service:
            assert create(scripts, service, "--allow-duplicate", streams=False).code == 12


def test_an_id_that_came_in_a_broken_envelope_is_told_as_submitted_once_a_read_has_confirmed_it(scripts):
    for name in ("as it should be", "too long a length"):
        with FakeService(create=sent(ENVELOPES[name], QUEUED), read=answer(200, job("IN_PROGRESS"))) as service:
            run = create(scripts, service, "--no-wait", streams=False)
            assert (run.code, run.names[-1], service.count("GET")) == (0, "submitted", name != "as it should be")


def test_the_id_is_in_the_ledger_before_its_event_has_ended(scripts):
    seen = threading.Event()

    def handler(exchange) -> None:
        exchange.head(200, {"Content-Type": "text/event-stream"})
        exchange.send(EVENT + b"\n")
        exchange.wait(seen)

    from fake_service import start_create

    with FakeService(create=handler, read=COMPLETED) as service:
        process = start_create(scripts, service)
        for line in process.stdout:
            if b'"submitted"' in line:
                break
        process.kill()
        process.wait()
        seen.set()
        run = scripts.run("jobs.py", "list")
        assert [found["generation_id"] for found in run.events if found["event"] == "job"] == ["gen_1"], run.events


UNFITTING = {
    "media": (PNG, "image/png"),
    "text": (b"the boat is made, with " + KEY.encode(), "text/plain"),
    "a page": (b"<html>thanks</html>", "text/html"),
    "JSON without an id": (b'{"done":true}', JSON),
    "a large body": (b"x" * 3_000_000, "application/octet-stream"),
}


# Media that came whole are the result: test_answers_that_are_results.
@pytest.mark.parametrize(
    "name, cut",
    [(name, cut) for name in UNFITTING for cut in (False, True) if cut or name != "media"],
)
def test_an_answer_to_a_paid_request_that_does_not_fit_is_kept(scripts, name, cut):
    body, media_type = UNFITTING[name]
    envelope = (lambda content, kind: plain(content, kind, length=len(content) + 50 * cut)), "close"
    with FakeService(create=sent(envelope, body, media_type), other=answer(200, [])) as service:
        run = create(scripts, service, streams=False)
        assert (run.code, run.result["outcome"], service.posts()) == (12, "unknown", 1), run.events
        path = run.result["kept"]
        assert open(path, "rb").read() == body.replace(KEY.encode(), b"[redacted]")
        assert os.name == "nt" or os.stat(path).st_mode & 0o777 == 0o600
        assert os.path.dirname(path) == str(scripts.folder / "state" / "kept")


def test_blanks_that_go_on_and_on_are_not_collected():
    taken = []

    def pieces():
        while len(taken) < 1000:
            taken.append(b" " * 65536)
            yield taken[-1]

    assert len(receiving._beginning(pieces())) == len(taken) * 65536 and len(taken) < 20
    assert receiving._beginning(iter([b"\n", b" \n", b"data: x", b"y"])) == b"\n \ndata: x"
