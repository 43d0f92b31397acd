"""The commands of the scripts that this project replaces, as their users type them."""

import pytest
from conftest import KEY
from fake_service import COMPLETED, FakeService, answer, event, job, stream

WITH_KEY = {"SKILLS_VIDEO_API_KEY": KEY}
PAYLOAD = '{"prompt":"A cinematic dolly shot of neon city rain at night"}'


def create_command(service, *more: str) -> list[str]:
    return [
        "create_and_wait.py",
        *("--sse-endpoint", "/generation/sse/kling-ai/kling-v2.6"),
        *("--payload", PAYLOAD),
        *("--base-url", service.base_url),
        *("--poll-timeout", "900"),
        *("--poll-interval", "3"),
        *more,
    ]


def test_create_and_wait_streams_and_ends_with_a_terminal(scripts):
    with FakeService(create=stream(event(), event("IN_PROGRESS"), event("COMPLETED"))) as service:
        run = scripts.run(*create_command(service), env=WITH_KEY)
        assert (run.code, run.result["event"], run.result["status"]) == (0, "terminal", "COMPLETED")
        sent = service.requests[0]
        assert (sent.method, sent.path) == ("POST", "/api/v1/generation/sse/kling-ai/kling-v2.6")
        assert sent.body.decode() in (PAYLOAD, PAYLOAD.replace(":", ": ", 1))
        wanted = (f"Bearer {KEY}", "application/json", "text/event-stream")
        assert tuple(sent.headers[name] for name in ("authorization", "content-type", "accept")) == wanted
        assert run.events[0]["event"] == "start" and run.events[0]["mode"] == "sse_then_poll_fallback"


def test_create_and_wait_falls_back_to_polling(scripts):
    with FakeService(create=stream(event()), read=[answer(200, job("IN_PROGRESS")), COMPLETED]) as service:
        run = scripts.run(
            *create_command(service, "--sse-request-timeout", "120", "--poll-request-timeout", "20"), env=WITH_KEY
        )
        assert run.code == 0
        wanted = ["start", "sse_open", "sse_event", "sse_stream_ended", "fallback_polling_start", "poll", "terminal"]
        assert [name for name in run.names if name in wanted] == wanted
        assert [request.path for request in service.requests[1:]] == ["/api/v1/generation/gen_1"] * 2


@pytest.mark.parametrize("endpoint", ["/v1/generation/sse/kling-ai/kling-v2.6", "generation/sse/kling-ai/kling-v2.6"])
def test_create_and_wait_takes_the_other_spellings_of_an_endpoint(scripts, endpoint):
    with FakeService(create=stream(event("COMPLETED"))) as service:
        command = create_command(service)
        command[command.index("--sse-endpoint") + 1] = endpoint
        assert scripts.run(*command, env=WITH_KEY).code == 0
        assert service.requests[0].path == "/api/v1/generation/sse/kling-ai/kling-v2.6"


def test_create_and_wait_takes_its_payload_from_a_file(scripts, tmp_path):
    (tmp_path / "payload.json").write_text(PAYLOAD)
    with FakeService(create=stream(event("COMPLETED"))) as service:
        command = create_command(service)
        at = command.index("--payload")
        command[at : at + 2] = ["--payload-file", "payload.json"]
        assert scripts.run(*command, env=WITH_KEY).code == 0
        assert b"neon city rain" in service.requests[0].body


def test_create_and_wait_without_a_key_says_which(scripts):
    with FakeService() as service:
        run = scripts.run(*create_command(service))
        assert (run.code, run.result["error"], service.connections) == (21, "missing_api_key", 0)
        assert "SKILLS_VIDEO_API_KEY" in " ".join(run.result["guidance"])
        assert "https://skills.video/dashboard/developer" in " ".join(run.result["guidance"])


@pytest.mark.parametrize(("status", "code"), [("COMPLETED", 0), ("FAILED", 10), ("CANCELED", 10)])
def test_wait_generation_polls_until_a_terminal(scripts, status, code):
    with FakeService(read=[answer(200, job("IN_QUEUE")), answer(200, job(status))]) as service:
        arguments = ["--generation-id", "gen_1", "--timeout", "900", "--interval", "3", "--base-url", service.base_url]
        run = scripts.run("wait_generation.py", *arguments, "--request-timeout", "20", env=WITH_KEY)
        assert (run.code, run.result["event"], run.result["status"]) == (code, "terminal", status)
        assert {(request.method, request.path) for request in service.requests} == {("GET", "/api/v1/generation/gen_1")}


# status, body -> exit code, category, whether to try again
RUNTIME_ERRORS = [
    (402, '{"message":"insufficient credits"}', 20, "insufficient_credits", False),
    (400, '{"error":"INSUFFICIENT_CREDITS","message":"Not enough credits"}', 20, "insufficient_credits", False),
    (401, '{"message":"invalid api key"}', 21, "auth", False),
    (403, "forbidden", 21, "auth", False),
    (400, '{"message":"prompt is required"}', 22, "validation", False),
    (422, '{"message":"bad aspect_ratio"}', 22, "validation", False),
    (404, '{"message":"no such generation"}', 23, "not_found", False),
    (429, '{"message":"slow down"}', 24, "transient", True),
    (503, "<html>busy</html>", 24, "transient", True),
    (418, "{}", 25, "unknown", False),
    (402, "", 20, "insufficient_credits", False),
    (500, "\x00 {[", 24, "transient", True),
]


@pytest.mark.parametrize(("status", "body", "code", "category", "retry"), RUNTIME_ERRORS)
def test_handle_runtime_error_classifies(scripts, tmp_path, status, body, code, category, retry):
    (tmp_path / "body.txt").write_text(body)
    for given in (["--body-file", "body.txt"], [] if "\0" in body else ["--body", body]):
        if not given:
            continue
        result = scripts.run("handle_runtime_error.py", "--status", str(status), *given).result
        found = (result["event"], result["exit_code"], result["category"], result["should_retry"], result["status"])
        assert found == ("classification", code, category, retry, status)
        assert result["guidance"] and result["message"] is not None


def test_handle_runtime_error_says_how_to_recharge_and_to_look_at_the_balance(scripts):
    result = scripts.run("handle_runtime_error.py", "--status", "402", "--body", "no credits").result
    assert result["recharge"]["dashboard_url"].startswith("https://skills.video/")
    assert result["recharge"]["pricing_url"].startswith("https://skills.video/")
    wanted = 'curl -X GET https://open.skills.video/api/v1/credits -H "Authorization: Bearer $SKILLS_VIDEO_API_KEY"'
    assert result["credits_check_command"] == wanted


def test_handle_runtime_error_takes_another_address_and_endpoint_but_no_foreign_one(scripts):
    def run(*flags):
        return scripts.run("handle_runtime_error.py", "--status", "402", "--body", "x", *flags)

    result = run("--base-url", "http://127.0.0.1:9/api/v1", "--credits-endpoint", "/wallet").result
    assert "http://127.0.0.1:9/api/v1/wallet" in result["credits_check_command"]
    assert run("--base-url", "https://elsewhere.example/api/v1").code == 27
    assert run("--credits-endpoint", "https://elsewhere.example/credits").code == 27
