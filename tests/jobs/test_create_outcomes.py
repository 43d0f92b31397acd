"""What a paid POST comes to: exit code, category, outcome, and how often it was sent."""

import json
import socket
import time

import pytest

from fake_service import (
    COMPLETED,
    FakeService,
    answer,
    certificate,
    create,
    cut_short,
    dripping,
    event,
    hang,
    job,
    page,
    reset,
    reset_connection,
    stream,
)
from mediakit.jobs.lifecycle.reconciling import RECONCILE_AT

STREAMS = pytest.mark.parametrize("streams", [True, False], ids=["stream", "plain"])

# status -> exit code, category
REJECTED = {
    400: (22, "validation"),
    401: (21, "auth"),
    402: (20, "insufficient_credits"),
    403: (21, "auth"),
    404: (23, "not_found"),
    405: (22, "validation"),
    413: (22, "validation"),
    415: (22, "validation"),
    422: (22, "validation"),
    301: (25, "unknown"),
    302: (25, "unknown"),
    307: (25, "unknown"),
    308: (25, "unknown"),
}
UNPROVEN = (300, 303, 304, 406, 408, 409, 410, 418, 425, 451, 500, 501, 502, 503, 504, 599)


def ends_as(run, service, code, category, outcome, posts=1):
    found = (run.code, run.result["category"], run.result["outcome"], service.posts())
    assert found == (code, category, outcome, posts), run.events
    return run.result


@STREAMS
@pytest.mark.parametrize("status", REJECTED)
def test_a_refused_create_bought_nothing_and_is_sent_once(scripts, status, streams):
    headers = {"Location": "/elsewhere"} if status < 400 else {}
    with FakeService(create=answer(status, {"message": "no"}, headers)) as service:
        run = create(scripts, service, streams=streams)
        result = ends_as(run, service, *REJECTED[status], "rejected")
        assert result["event"] == "error" and service.count("GET") == 0


@STREAMS
@pytest.mark.parametrize("status", UNPROVEN)
def test_a_status_that_proves_nothing_is_an_unknown_outcome_and_is_never_sent_again(scripts, status, streams):
    body = b"" if status == 304 else {"message": "hm"}
    with FakeService(create=answer(status, body)) as service:
        run = create(scripts, service, streams=streams)
        result = ends_as(run, service, 12, "outcome_unknown", "unknown")
        assert not result["retryable"] and result["guidance"]


WITHOUT_ID = {
    "empty object": answer(200, {}),
    "empty": answer(200),
    "no content": answer(204),
    "list": answer(200, []),
    "null": answer(200, b"null"),
    "text": answer(200, b"accepted", media_type="text/plain"),
    "page": page(200),
    "id null": answer(202, {"id": None, "status": "IN_QUEUE"}),
    "id empty": answer(200, {"id": "", "status": "IN_QUEUE"}),
    "id blank": answer(200, {"id": "  ", "status": "IN_QUEUE"}),
    "id true": answer(200, {"id": True, "status": "IN_QUEUE"}),
    "id object": answer(200, {"id": {}, "status": "IN_QUEUE"}),
    "id a parent folder": answer(200, {"id": "..", "status": "IN_QUEUE"}),
    "id only in the input": answer(200, {"input": {"id": "gen_9"}, "status": "IN_QUEUE"}),
    "truncated JSON": answer(200, b'{"id":"gen_1'),
    "cut before the id": cut_short(200, b'{"status":"IN_QU'),
    "not UTF-8": answer(200, b"\xff\xfe\x00{"),
    "reset": reset,
}


@STREAMS
@pytest.mark.parametrize("name", WITHOUT_ID)
def test_a_success_without_an_id_is_an_unknown_outcome(scripts, name, streams):
    with FakeService(create=WITHOUT_ID[name]) as service:
        ends_as(create(scripts, service, streams=streams), service, 12, "outcome_unknown", "unknown")


@STREAMS
@pytest.mark.parametrize("status", [200, 201, 202, 203])
def test_any_success_with_an_id_is_accepted_and_waited_for(scripts, status, streams):
    with FakeService(create=answer(status, job()), read=COMPLETED) as service:
        run = create(scripts, service, streams=streams)
        assert (run.code, run.result["source"], service.posts()) == (0, "poll", 1), run.events
        assert run.first("submitted")["http_status"] == status


BROKEN_STREAMS = {
    "empty": stream(),
    "comments only": stream(b": hello\n\n"),
    "no JSON": stream(b"data: warming up\n\n"),
    "done": stream(b"data: [DONE]\n\n"),
    "status without an id": stream(b'data: {"status":"IN_QUEUE"}\n\n'),
    "reset at once": stream(end="reset"),
    "reset inside the id": stream(b'data: {"id":"ge', end="reset"),
    "failed event without status": stream(b'event: failed\ndata: {"message":"sorry"}\n\n'),
    "done event without status": stream(b"event: done\ndata: {}\n\n"),
}


@pytest.mark.parametrize("name", BROKEN_STREAMS)
def test_a_stream_that_breaks_before_the_first_id_is_an_unknown_outcome(scripts, name):
    with FakeService(create=BROKEN_STREAMS[name], read=COMPLETED) as service:
        run = create(scripts, service)
        ends_as(run, service, 12, "outcome_unknown", "unknown")
        assert service.count("GET", "/generation/gen") == 0


def test_a_status_that_says_failed_is_a_failed_job_even_without_an_id(scripts):
    with FakeService(create=stream(b'data: {"status":"FAILED","message":"no"}\n\n')) as service:
        run = create(scripts, service)
        assert (run.code, run.result["event"], run.result["ok"]) == (10, "terminal", False)


@STREAMS
def test_a_create_that_never_answers_is_an_unknown_outcome(scripts, streams):
    with FakeService(create=hang) as service:
        run = create(scripts, service, "--sse-request-timeout", "0.5", streams=streams)
        ends_as(run, service, 12, "outcome_unknown", "unknown")


@STREAMS
def test_a_deadline_inside_the_create_is_an_unknown_outcome_and_no_timeout(scripts, streams):
    with FakeService(create=hang) as service:
        run = create(scripts, service, "--deadline", "2", streams=streams)
        ends_as(run, service, 12, "outcome_unknown", "unknown")


# body -> exit code, category
WORDS = {
    "credits are missing": (400, {"message": "Insufficient credits for this model"}, 20, "insufficient_credits"),
    "credits in a 403": (403, {"message": "not enough credits"}, 20, "insufficient_credits"),
    "credits in a 429": (429, {"message": "You have no credits left"}, 20, "insufficient_credits"),
    "credits in a code": (400, {"code": "VIDEO_GENERATION_INSUFFICIENT_CREDITS"}, 20, "insufficient_credits"),
    "credits in the older form": (
        400,
        {"error": "IMAGE_GENERATION_INSUFFICIENT_CREDITS", "message": "x"},
        20,
        "insufficient_credits",
    ),
    "content rejected": (400, {"code": "IMAGE_GENERATION_CONTENT_REJECTED", "message": "x"}, 22, "validation"),
    "a page": (403, b"<html>go away</html>", 21, "auth"),
    "no body": (404, b"", 23, "not_found"),
}


@pytest.mark.parametrize("name", WORDS)
def test_the_services_own_words_decide_the_category(scripts, name):
    status, body, code, category = WORDS[name]
    with FakeService(create=answer(status, body)) as service:
        ends_as(create(scripts, service), service, code, category, "rejected")


@STREAMS
def test_a_refusal_whose_body_is_cut_is_still_a_refusal(scripts, streams):
    def refuse_and_reset(exchange):
        exchange.head(402, {"Content-Type": "application/json", "Content-Length": 80})
        exchange.send(b'{"message":"insuff')
        exchange.reset()

    with FakeService(create=refuse_and_reset) as service:
        ends_as(create(scripts, service, streams=streams), service, 20, "insufficient_credits", "rejected")


# -- 429 --------------------------------------------------------------------------------------------


def dated(headers: dict) -> dict:
    """`epoch+N` as the moment in N seconds: a test's name must not change with the clock."""
    moments = {f"epoch+{later}": str(int(time.time()) + later) for later in (0, 3600)}
    return {name: moments.get(value, value) for name, value in headers.items()}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Retry-After": "1"},
        {"Retry-After": "0"},
        {"Retry-After": "soon"},
        {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"X-RateLimit-Reset": "1"},
        {"X-RateLimit-Reset": "epoch+0"},
    ],
    ids=str,
)
def test_a_rate_limit_is_waited_out_and_the_create_sent_again(scripts, headers):
    limited = answer(429, {"message": "slow down"}, dated(headers))
    with FakeService(create=[limited, stream(event(), event("COMPLETED"))]) as service:
        run = create(scripts, service)
        assert (run.code, service.posts(), run.names.count("retry")) == (0, 2, 1), run.events
        retry = run.first("retry")
        assert (retry["what"], retry["attempt"]) == ("create", 2)
        if "1" in headers.values():
            assert retry["retry_in_seconds"] >= 1


@pytest.mark.parametrize(
    "headers",
    [{"Retry-After": "3600"}, {"X-RateLimit-Reset": "3600"}, {"X-RateLimit-Reset": "epoch+3600"}],
    ids=str,
)
def test_a_rate_limit_that_lasts_too_long_ends_at_once(scripts, headers):
    with FakeService(create=answer(429, {"message": "slow down"}, dated(headers))) as service:
        result = ends_as(create(scripts, service), service, 24, "transient", "rejected")
        assert result["retryable"] and "retry" not in create(scripts, service).names


def test_a_rate_limit_without_end_is_given_up_after_five_attempts(scripts):
    with FakeService(create=answer(429, {"message": "slow down"}, {"Retry-After": "0"})) as service:
        ends_as(create(scripts, service), service, 24, "transient", "rejected", posts=5)


# -- what left the machine ------------------------------------------------------------------------------


def reset_in_the_handshake(connection, number) -> bool:
    connection.recv(64)
    reset_connection(connection)
    return True


def test_a_connection_that_is_refused_sent_nothing(scripts):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    run = create(scripts, f"http://127.0.0.1:{port}/api/v1", "--deadline", "3")
    found = (run.code, run.result["category"], run.result["outcome"], run.result["retryable"])
    assert found == (24, "transient", "not_sent", True)


def test_a_reset_in_the_tls_handshake_sent_nothing_and_is_tried_five_times(scripts):
    with FakeService(connect=reset_in_the_handshake) as service:
        run = create(scripts, service.base_url.replace("http:", "https:"))
        assert (run.code, run.result["outcome"], service.connections) == (24, "not_sent", 5), run.events


def test_a_create_goes_through_once_the_handshake_does(scripts, tmp_path):
    tls = certificate(tmp_path)

    def first_fails(connection, number):
        return number == 1 and reset_in_the_handshake(connection, number)

    with FakeService(create=stream(event("COMPLETED")), connect=first_fails, tls=tls) as service:
        run = create(scripts, service, env={"REQUESTS_CA_BUNDLE": tls[0]})
        assert (run.code, service.posts(), run.names.count("retry")) == (0, 1, 1), run.events


def test_a_certificate_that_is_not_trusted_gets_nothing(scripts, tmp_path):
    with FakeService(create=stream(event("COMPLETED")), tls=certificate(tmp_path)) as service:
        run = create(scripts, service, "--deadline", "3")
        assert (run.code, run.result["outcome"], service.posts()) == (24, "not_sent", 0), run.events


@pytest.mark.parametrize("over_tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_a_reset_after_half_of_the_request_is_an_unknown_outcome(scripts, tmp_path, over_tls, large):
    tls = certificate(tmp_path) if over_tls else None
    service = FakeService(tls=tls)

    def read_half(connection, number):
        if tls:
            connection = service._tls.wrap_socket(connection, server_side=True)
        connection.recv(40)
        reset_connection(connection)
        return True

    service._connect = read_half
    with service:
        prompt = ["--param", "n=1"] if not large else ["--payload-file", str(_large_payload(tmp_path))]
        arguments = ["--sse-endpoint", "/generation/sse/owner/model", "--base-url", service.base_url, *prompt]
        env = {"SKILLS_VIDEO_API_KEY": "your_api_key_here", **({"REQUESTS_CA_BUNDLE": tls[0]} if tls else {})}
        run = scripts.run("create_and_wait.py", *arguments, env=env)
        # One POST, and the reads of the list of running jobs.
        found = (run.code, run.result["outcome"], service.connections)
        assert found == (12, "unknown", 1 + len(RECONCILE_AT)), run.events


def _large_payload(folder):
    path = folder / "payload.json"
    path.write_text(json.dumps({"prompt": "x" * 8_000_000}))
    return path


@STREAMS
@pytest.mark.parametrize("over_tls", [False, True], ids=["http", "https"])
def test_a_reset_after_the_whole_request_is_an_unknown_outcome(scripts, tmp_path, over_tls, streams):
    tls = certificate(tmp_path) if over_tls else None
    with FakeService(create=reset, tls=tls) as service:
        env = {"REQUESTS_CA_BUNDLE": tls[0]} if tls else {}
        run = create(scripts, service, streams=streams, env=env)
        assert (run.code, run.result["outcome"], service.posts()) == (12, "unknown", 1), run.events


def test_bad_arguments_and_refused_destinations_are_told_as_not_sent(scripts):
    with FakeService() as service:
        for flags, code in ((["--payload", "{"], 2), (["--base-url", "https://elsewhere.example/v1"], 27)):
            run = create(scripts, service, *flags)
            assert (run.code, run.result["outcome"], service.connections) == (code, "not_sent", 0)


# what has come of an answer that drips on until its time is up; which limit that is -> exit code, outcome
DRIPPING = [
    (b'{"id":"gen_1","sta', ("--sse-request-timeout", "1"), 0, None),
    (b'{"id":"gen_1",', ("--deadline", "3"), 11, None),
    (b'{"status":"IN_QUEUE",', ("--sse-request-timeout", "1"), 12, "unknown"),
    (b'{"id":"ge', ("--sse-request-timeout", "1"), 12, "unknown"),
]


@pytest.mark.parametrize("begun, limit, code, outcome", DRIPPING)
def test_an_id_counts_in_an_answer_that_never_comes_to_its_end(scripts, begun, limit, code, outcome):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    running = answer(200, job("IN_PROGRESS", id="gen_1"))
    with FakeService(create=dripping(head + begun, endless=b" "), read=running if code == 11 else COMPLETED) as service:
        run = create(scripts, service, *limit, streams=False)
        found = (run.code, run.result.get("outcome"), service.posts(), run.result.get("generation_id"))
        assert found == (code, outcome, 1, None if code == 12 else "gen_1"), run.events
