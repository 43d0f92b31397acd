"""How a job is waited for: the stream, polling, and time that is used up."""

import json
import os
import subprocess
import threading

import pytest

from conftest import PATIENCE, read_events
from fake_service import (
    COMPLETED,
    DATA,
    PNG,
    WITH_KEY,
    FakeService,
    answer,
    create,
    cut_short,
    event,
    hang,
    job,
    page,
    reset,
    start_create,
    stream,
    wait,
)

IDLE = ("--sse-request-timeout", "1")


def comments_for_ever(exchange):
    exchange.head(200, {"Content-Type": "text/event-stream"})
    exchange.send(event())
    while not exchange.service.closing.wait(0.1):
        exchange.send(b": still here\n\n")


# name -> create, reason of sse_stream_ended, flags
LEFT_STREAMS = {
    "end after the id": (stream(event()), "eof", ()),
    "done marker": (stream(event(), b"data: [DONE]\n\n", end="hold"), "eof", ()),
    "reset after the id": (stream(event(), end="reset"), "reset", ()),
    "reset inside an event": (stream(event(), b'data: {"id":"gen_1","sta', end="reset"), "reset", ()),
    "chunked and cut": (stream(event(), end="cut"), "reset", ()),
    "comments only": (comments_for_ever, "idle", IDLE),
    "silence": (stream(event(), end="hold"), "idle", IDLE),
    "malformed after the id": (stream(event(), b"data: {oops\n\n", end="hold"), "malformed", ()),
    "done event in progress": (stream(event("IN_PROGRESS", name="done"), end="hold"), "eof", ()),
    "failed event without status": (
        stream(event(), b'event: failed\ndata: {"id":"gen_1","message":"hm"}\n\n', end="hold"),
        "eof",
        (),
    ),
    "completed event without status": (stream(event(), event(None, name="completed"), end="hold"), "eof", ()),
    "JSON in place of the stream": (answer(200, job()), "not_a_stream", ()),
    "JSON under a stream's name": (answer(200, job(), media_type="text/event-stream"), "not_a_stream", ()),
    "cut inside the id's event": (stream(b'data: {"id":"gen_1","status":"COMPLETED","data":' + DATA + b"}"), "eof", ()),
}


@pytest.mark.parametrize("name", LEFT_STREAMS)
def test_a_stream_that_ends_early_is_left_for_polling_and_nothing_is_bought_again(scripts, name):
    script, reason, flags = LEFT_STREAMS[name]
    with FakeService(create=script, read=COMPLETED) as service:
        run = create(scripts, service, *flags)
        assert (run.code, run.result["source"], service.posts()) == (0, "poll", 1), run.events
        assert run.first("sse_stream_ended")["reason"] == reason
        assert run.first("fallback_polling_start")["generation_id"] == "gen_1"
        assert run.result["generation_id"] == "gen_1"


# name -> the stream's bytes; all of them complete on the stream itself
GOOD_STREAMS = {
    "LF": event() + event("COMPLETED"),
    "CRLF": (event() + event("COMPLETED")).replace(b"\n", b"\r\n"),
    "CR": (event() + event("COMPLETED")).replace(b"\n", b"\r"),
    "byte order mark": b"\xef\xbb\xbf" + event("COMPLETED"),
    "comments": b": hi\n\n" + event() + b":\n" + event("COMPLETED"),
    "no JSON before the id": b"data: warming up\n\n" + event("COMPLETED"),
    "id only in the first event": event() + b'data: {"status":"COMPLETED","data":' + DATA + b"}\n\n",
    "data over two lines": b'data: {"id":"gen_1",\ndata: "status":"COMPLETED","data":' + DATA + b"}\n\n",
    "no space after the colon": b'data:{"id":"gen_1","status":"COMPLETED","data":' + DATA + b"}\n\n",
    "lower case status": b'data: {"id":"gen_1","status":"succeeded","data":' + DATA + b"}\n\n",
    "number as id": b'data: {"id":17,"status":"COMPLETED","data":' + DATA + b"}\n\n",
    "unknown fields": b"id: 3\nretry: 10\nfoo: bar\n" + event("COMPLETED"),
    "another event's name": event("COMPLETED", name="done"),
    "text of several bytes": event(input={"prompt": "小舟 ⛵"}) + event("COMPLETED"),
    "empty data": b"data\n\n" + event("COMPLETED"),
}


@pytest.mark.parametrize("name", GOOD_STREAMS)
@pytest.mark.parametrize("cut", ["whole", "bytes"])
def test_a_stream_is_read_the_same_wherever_it_is_cut(scripts, name, cut):
    content = GOOD_STREAMS[name]
    pieces = [content] if cut == "whole" else [content[at : at + 1] for at in range(len(content))]
    with FakeService(create=stream(*pieces, end="hold")) as service:
        run = create(scripts, service)
        assert (run.code, run.result["source"], run.result["state"]) == (0, "sse", "succeeded"), run.events
        assert service.count("GET") == 0 and run.result["generation_id"] in ("gen_1", "17")


@pytest.mark.parametrize(
    ("status", "state"),
    [("FAILED", "failed"), ("failed", "failed"), ("CANCELED", "canceled"), ("CANCELLED", "canceled")],
)
def test_a_job_that_ends_badly_is_ten_on_the_stream_and_when_polled(scripts, status, state):
    body = {"code": "VIDEO_GENERATION_FAILED", "message": "the model gave up"}
    with FakeService(
        create=[stream(event(status, **body)), stream(event())], read=answer(200, job(status, **body))
    ) as s:
        for source in ("sse", "poll"):
            result = create(scripts, s).result
            assert (result["exit_code"], result["ok"], result["source"], result["state"]) == (10, False, source, state)
            assert result["error"] == {"code": "VIDEO_GENERATION_FAILED", "message": "the model gave up"}


def test_a_failed_event_is_a_failure_only_once_the_poll_agrees(scripts):
    said = stream(event(), b'event: failed\ndata: {"id":"gen_1"}\n\n')
    with FakeService(create=said, read=[answer(200, job("IN_PROGRESS")), answer(200, job("FAILED"))]) as service:
        run = create(scripts, service)
        assert (run.code, run.result["source"], service.count("GET")) == (10, "poll", 2)


def test_a_status_in_the_echoed_input_says_nothing(scripts):
    echo = {"input": {"status": "COMPLETED", "id": "gen_9", "prompt": "x"}}
    read = [answer(200, job("IN_PROGRESS", **echo)), answer(200, {"id": "gen_1", **echo}), COMPLETED]
    with FakeService(create=stream(event(**echo), event(None, **echo)), read=read) as service:
        run = create(scripts, service)
        assert (run.code, run.result["generation_id"], service.count("GET")) == (0, "gen_1", 3), run.events


def test_another_jobs_event_is_ignored_with_one_warning(scripts):
    foreign = event("COMPLETED", id="gen_other")
    with FakeService(create=stream(event(), foreign, foreign, event("FAILED"))) as service:
        run = create(scripts, service)
        assert (run.code, run.result["generation_id"], run.names.count("warning")) == (10, "gen_1", 1)


def test_another_jobs_answer_is_not_taken_for_ours(scripts):
    with FakeService(read=[answer(200, job("COMPLETED", id="gen_other")), answer(200, job("FAILED"))]) as service:
        assert wait(scripts, service).code == 10


def test_an_unknown_status_is_waited_through_with_one_warning(scripts):
    odd = stream(event("REHEARSING"), event("REHEARSING"))
    with FakeService(create=odd, read=[answer(200, job("TUNING")), COMPLETED]) as service:
        run = create(scripts, service)
        assert (run.code, run.names.count("warning")) == (0, 1), run.events
        assert [said["status"] for said in run.events if said["event"] in ("sse_event", "poll")][:1] == ["REHEARSING"]


# -- polling ----------------------------------------------------------------------------------------

PASSING = {
    "408": answer(408),
    "425": answer(425),
    "429": answer(429, {"message": "slow down"}, {"Retry-After": "1"}),
    "500": answer(500, {"message": "oops"}),
    "502 page": page(502),
    "503": answer(503, b"", {"Retry-After": "0"}),
    "page": page(200),
    "empty": answer(200),
    "list": answer(200, [1]),
    "truncated JSON": answer(200, b'{"id":"gen_1","status":"COMPL'),
    "cut short": cut_short(200, b'{"id":"gen_1","status":'),
    "reset": reset,
}


@pytest.mark.parametrize("name", PASSING)
def test_a_read_that_fails_in_passing_is_repeated(scripts, name):
    with FakeService(read=[PASSING[name], COMPLETED]) as service:
        run = wait(scripts, service)
        assert (run.code, service.count("GET"), service.posts()) == (0, 2, 0), run.events
        told = run.first("poll_error")
        assert told["transient"] and told["attempt"] == 1
        if name == "429":
            assert told["retry_in_seconds"] >= 1


def test_a_read_without_an_answer_is_given_up_and_repeated(scripts):
    with FakeService(read=[hang, COMPLETED]) as service:
        run = wait(scripts, service, "--request-timeout", "0.5")
        assert (run.code, service.count("GET")) == (0, 2)


ENDING = {
    301: 25,
    302: 25,
    303: 25,
    307: 25,
    308: 25,
    400: 22,
    401: 21,
    402: 20,
    403: 21,
    404: 23,
    405: 22,
    409: 22,
    410: 23,
    422: 22,
}


@pytest.mark.parametrize("status", ENDING)
def test_a_read_that_is_refused_ends_the_wait_and_keeps_the_id(scripts, status):
    with FakeService(read=answer(status, {"message": "no"}, {"Location": "/elsewhere"})) as service:
        run = wait(scripts, service)
        assert (run.code, service.count("GET")) == (ENDING[status], 1), run.events
        result = run.result
        assert (result["event"], result["outcome"], result["generation_id"]) == ("error", "accepted", "gen_1")
        assert "gen_1" in result["next_command"]


def test_a_job_may_be_invisible_right_after_the_create(scripts):
    with FakeService(create=stream(event()), read=[answer(404), answer(404), COMPLETED]) as service:
        assert create(scripts, service).code == 0


def test_polling_starts_at_once_and_does_not_wait_out_the_interval(scripts):
    with FakeService(read=[answer(200, job("IN_PROGRESS")), COMPLETED]) as service:
        run = wait(scripts, service, "--interval", "1000", "--timeout", "900")
        assert (run.code, service.count("GET")) == (0, 2)


def test_failing_reads_of_a_job_that_exists_end_in_eleven_and_not_in_transient(scripts):
    with FakeService(create=stream(event()), read=page(502)) as service:
        run = create(scripts, service, "--poll-timeout", "1")
        assert (run.code, run.result["event"]) == (11, "timeout")
        assert run.names.count("poll_error") == 1


# -- time ---------------------------------------------------------------------------------------------


def pasted(command: str, scripts) -> tuple[int, list[dict]]:
    """What comes of a command line in this platform's shell."""
    done = subprocess.run(
        command,
        shell=True,
        capture_output=True,
        timeout=PATIENCE,
        cwd="/" if os.name != "nt" else None,
        env=scripts.environment(**WITH_KEY),
    )
    return done.returncode, read_events(done.stdout)


@pytest.mark.parametrize("flags", [("--poll-timeout", "0.5"), ("--deadline", "2")], ids=str)
@pytest.mark.parametrize(
    "read", [answer(200, job("IN_PROGRESS")), hang, page(502)], ids=["running", "hanging", "failing"]
)
def test_the_command_of_a_timeout_works_when_pasted_into_a_shell(scripts, tmp_path, flags, read):
    with FakeService(create=stream(event()), read=read, media=answer(200, PNG, media_type="image/png")) as service:
        run = create(scripts, service, *flags, "--output-dir", "some pictures")
        result = run.result
        assert (run.code, result["event"], service.posts()) == (11, "timeout", 1), run.events
        assert (result["generation_id"], result["last_status"]) in (("gen_1", "IN_QUEUE"), ("gen_1", "IN_PROGRESS"))
        service._scripts["read"] = [answer(200, job("COMPLETED", f"{service.origin}/media/1.png"))]
        code, events = pasted(result["next_command"], scripts)
        assert (code, events[-1]["event"], service.posts()) == (0, "terminal", 1), events
        assert [path.suffix for path in (tmp_path / "some pictures").iterdir() if path.suffix != ".json"] == [".png"]
        done = subprocess.run(result["next_argv"], capture_output=True, env=scripts.environment(**WITH_KEY))
        assert done.returncode == 0


def test_a_stream_has_a_time_of_its_own_and_then_the_job_is_polled(scripts):
    with FakeService(create=stream(event(), end="hold"), read=COMPLETED) as service:
        run = create(scripts, service, "--stream-timeout", "1", "--poll-timeout", "60")
        assert (run.code, service.count("GET")) == (0, 1), run.events
        assert run.first("sse_stream_ended")["reason"] == "idle" and run.result["source"] == "poll"


def test_a_poll_timeout_of_nothing_gives_the_command_that_goes_on(scripts):
    with FakeService(create=stream(event()), read=COMPLETED) as service:
        run = create(scripts, service, "--poll-timeout", "0")
        assert run.code in (11, 12), run.events
        assert run.code == 12 or run.result["next_command"]


def test_without_waiting_the_id_is_the_result(scripts):
    with FakeService(create=answer(202, job(usage={"total": 3})), read=COMPLETED) as service:
        run = create(scripts, service, "--no-wait")
        assert (run.code, run.result["event"], run.result["generation_id"]) == (0, "submitted", "gen_1")
        assert run.result["usage"] == {"total": 3} and service.count("GET") == 0
        code, events = pasted(run.result["next_command"], scripts)
        assert (code, events[-1]["ok"]) == (0, True)


def test_a_state_is_told_when_it_changes_and_not_when_it_is_repeated(scripts):
    pieces = [event(), event(), event("IN_PROGRESS"), event("IN_PROGRESS"), event("COMPLETED")]
    with FakeService(create=stream(*pieces)) as service:
        run = create(scripts, service)
        told = [(said["status"], said["terminal"]) for said in run.events if said["event"] == "sse_event"]
        assert told == [("IN_QUEUE", False), ("IN_PROGRESS", False)]


def test_verbose_tells_every_event_with_its_payload(scripts):
    with FakeService(create=stream(event(), event(), event("COMPLETED"))) as service:
        run = create(scripts, service, "--verbose")
        payloads = [said["payload"]["id"] for said in run.events if said["event"] == "sse_event"]
        assert payloads[:2] == ["gen_1", "gen_1"]


def test_outputs_are_normalised_and_the_answer_is_kept(scripts):
    image = {"url": "https://cdn.example/x.png", "content_type": "image/png", "width": 8, "height": 4}
    body = job("COMPLETED", usage={"total": 12})
    body["data"] = {"type": "image", "images": [image], "image": image}
    with FakeService(create=stream(f"data: {json.dumps(body)}\n\n".encode())) as service:
        result = create(scripts, service).result
        wanted = {"url": image["url"], "type": "image", "media_type": "image/png", "width": 8, "height": 4}
        assert (result["outputs"], result["usage"], result["response"]) == ([wanted], {"total": 12}, body)


def test_a_large_answer_is_left_out_and_says_so(scripts):
    with FakeService(create=stream(event("COMPLETED", input={"prompt": "x" * 20_000}))) as service:
        result = create(scripts, service).result
        assert result["response_omitted"] is True and "response" not in result


def test_an_answer_beyond_the_limit_is_an_error_and_not_the_end_of_memory(scripts):
    huge = stream(event(), b"data: " + b"x" * (17 * 1024 * 1024) + b"\n\n", end="hold")
    with FakeService(create=huge, read=COMPLETED) as service:
        run = create(scripts, service)
        assert (run.code, run.first("sse_stream_ended")["reason"]) == (0, "malformed")


def test_a_job_that_is_saved_has_its_files_and_their_sums(scripts, tmp_path):
    import hashlib

    with FakeService(create=[], media=answer(200, PNG, media_type="image/png")) as service:
        service._scripts["create"] = [stream(event("COMPLETED", url=f"{service.origin}/media/1.png"))]
        run = create(scripts, service, "--output-dir", str(tmp_path / "out"))
        asset = run.first("asset")
        assert (run.code, asset["bytes"], asset["sha256"]) == (0, len(PNG), hashlib.sha256(PNG).hexdigest())
        with open(asset["path"], "rb") as file:
            assert file.read() == PNG


UNSAVED = {
    "expired": answer(403),
    "a page": page(200),
    "cut short": cut_short(200, PNG),
    "empty": answer(200, b""),
    "reset": reset,
}


@pytest.mark.parametrize("name", UNSAVED)
def test_a_result_that_cannot_be_saved_is_twenty_six_and_leaves_nothing_behind(scripts, tmp_path, name):
    with FakeService(media=UNSAVED[name]) as service:
        url = f"{service.origin}/media/1.png"
        service._scripts["create"] = [stream(event("COMPLETED", url=url))]
        run = create(scripts, service, "--output-dir", str(tmp_path / "out"))
        result = run.result
        assert (run.code, result["event"], result["ok"], result["outputs"][0]["url"]) == (26, "terminal", True, url)
        assert list((tmp_path / "out").iterdir()) == [] and result["next_command"]


def test_events_of_a_held_stream_can_be_read_while_it_is_open(scripts):
    seen = threading.Event()
    with FakeService(create=stream(event(), seen, event("COMPLETED"))) as service:
        process = start_create(scripts, service)
        while b'"IN_QUEUE"' not in (line := process.stdout.readline()):
            assert line, "it ended before its first event"
        seen.set()
        assert process.wait(PATIENCE) == 0
