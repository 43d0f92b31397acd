"""The commands of the systems that this project replaces: as their users type them, and what replaces each."""

from __future__ import annotations

import re

import pytest

from conftest import KEY, ROOT
from fake_service import (
    COMPLETED,
    WITH_KEY,
    FakeService,
    answer,
    event,
    job,
    stream,
)
from page_world import World

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


# status, body -> exit code, category, whether to try a read again
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
    (200, '{"message":"insufficient credits"}', 25, "unknown", False),
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
        assert result["should_retry_create"] is (status == 429), "only that is known to have bought nothing"


def test_a_create_is_not_tried_again_where_its_service_says_so(scripts):
    result = scripts.run("handle_runtime_error.py", "--provider", "modellix", "--status", "429", "--body", "{}").result
    assert (result["should_retry"], result["should_retry_create"]) == (True, False)


def test_handle_runtime_error_says_how_to_recharge_and_to_look_at_the_balance(scripts):
    result = scripts.run("handle_runtime_error.py", "--status", "402", "--body", "no credits").result
    assert result["recharge"]["dashboard_url"].startswith("https://skills.video/")
    assert result["recharge"]["pricing_url"].startswith("https://skills.video/")
    wanted = 'curl -X GET https://open.skills.video/api/v1/credits -H "Authorization: Bearer $SKILLS_VIDEO_API_KEY"'
    assert result["credits_check_command"] == wanted


KEYED = [
    ({}, "skills-video"),
    ({"MODELLIX_API_KEY": KEY}, "modellix"),
    ({"IMAGE_SKILL_TOKEN": KEY}, "image-skill"),
    ({"MODELLIX_API_KEY": KEY, "IMAGE_SKILL_TOKEN": KEY}, "skills-video"),
]


@pytest.mark.parametrize("env, service", KEYED, ids=range(len(KEYED)))
def test_handle_runtime_error_names_the_service_that_it_means(scripts, env, service):
    result = scripts.run("handle_runtime_error.py", "--status", "402", env=env).result
    assert (result["provider"], result["exit_code"]) == (service, 20)


def test_handle_runtime_error_takes_another_address_and_endpoint_but_no_foreign_one(scripts):
    def run(*flags):
        return scripts.run("handle_runtime_error.py", "--status", "402", "--body", "x", *flags)

    result = run("--base-url", "http://127.0.0.1:9/api/v1", "--credits-endpoint", "/wallet").result
    assert "http://127.0.0.1:9/api/v1/wallet" in result["credits_check_command"]
    assert run("--base-url", "https://elsewhere.example/api/v1").code == 27
    assert run("--credits-endpoint", "https://elsewhere.example/credits").code == 27


# -- references/moving-from*.md: every replacing command, against the sandbox in its service's place ------

PAGES = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "references").glob("moving-from*.md"))]
SERVICES = {"skills.video": "skills-video", "Modellix": "modellix", "Luxin": "image-skill"}
# service -> commands of its replaced clients that the page must name
REPLACED = {
    "skills-video": (
        "ensure_api_key.py", "inspect_openapi.py", "create_and_wait.py", "wait_generation.py", "handle_runtime_error.py",
        "/credits",
    ),
    "modellix": (
        "init", "auth login", "auth logout", "auth status", "auth whoami", "config show", "config path", "config clear",
        "doctor", "model list", "model describe", "model run", "model invoke", "model batch", "task get", "task wait",
        "task download", "task history", "invoke_and_poll.py", "preflight.py", "GET /apikey/validate",
        "GET /team/balance", "GET /models", "POST /media/files", "GET /media/files", "DELETE /media/files",
        "GET /tasks", "auth import-env", "auth migrate", "model get-schema", "file upload", "file delete", "GET /logs",
    ),
    "image-skill": (
        "doctor", "trust", "signup", "claim request", "whoami", "usage quota", "quota", "credits methods",
        "credits packs list", "credits quote", "credits buy", "credits status", "capabilities list",
        "capabilities show", "models list", "models show", "create", "--guide", "--dry-run", "upload", "edit",
        "assets show", "assets get", "jobs show", "jobs wait", "activity list", "activity show", "feedback create",
        "image create", "video create", "audio create", "3d create", "claim code", "models find", "models overview",
        "create --batch",
    ),
}  # fmt: skip


def rows() -> list[tuple[str, str, str]]:
    """`(service, before, now)` of every line of the page's tables."""
    found = []
    for section in (one for page in PAGES for one in page.split("\n## ")[1:]):
        service = SERVICES[section.partition(":")[0]]
        found += [(service, *row) for row in re.findall(r"^\| (.+) \| (.+) \|$", section, re.M)]
    return found


def commands() -> list[tuple[str, str, int]]:
    """`(service, command, exit code)`: the code spans of the column "now" that begin with a script."""
    span = re.compile(r"`([a-z_]+\.py [^`]+)`(?: \(exit (\d+)\))?")
    return [(service, command, int(code or 0)) for service, _, now in rows() for command, code in span.findall(now)]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    opened: dict[str, World] = {}

    def world(service: str) -> World:
        if service not in opened:
            opened[service] = World(tmp_path_factory.mktemp(service), service)
        return opened[service]

    yield world
    for one in opened.values():
        one.server.close()


@pytest.mark.parametrize("service, command, code", commands(), ids=lambda value: str(value)[:100])
def test_every_replacing_command_runs(worlds, service, command, code):
    run = worlds(service).run_line(command)
    assert run.result["exit_code"] == code, run.events


@pytest.mark.parametrize("service, command", [(name, one) for name, them in REPLACED.items() for one in them])
def test_every_replaced_command_has_its_line(service, command):
    assert any(command in before for name, before, _ in rows() if name == service)


def test_every_line_says_what_there_is_now():
    assert len(commands()) > 60 and all(now.strip() for _, _, now in rows())
