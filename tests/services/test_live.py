"""--refresh: what a service itself publishes about its models, fetched from servers that answer as documented."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from conftest import KEY

MODELLIX = {
    "models": [
        {"slug": "bytedance/seedance-1.5-pro-t2v", "type": "text-to-video", "docs_url": "https://docs.modellix.ai/x"},
        {"slug": "acme/new-model", "type": "text-to-image"},
        {"slug": "../../etc/passwd", "type": "text-to-image"},
        {"slug": 5},
        "nonsense",
    ]
}
IMAGE_SKILL = {
    "ok": True,
    "data": {
        "models": [
            {"id": "fal.flux-dev", "operations": ["image.generate"], "status": "available",
             "model_execution_status": "executable", "estimated_usd_per_image": 0.03},
            {"id": "fal.nano-banana-2", "operations": ["image.generate"], "status": "available",
             "model_execution_status": "cataloged_not_wired", "estimated_usd_per_image": 0.01},
        ]
    },
}  # fmt: skip
SCHEMA = {
    "servers": [{"url": "https://api.modellix.ai"}],
    "post": {
        "operationId": "create",
        "requestBody": {
            "content": {
                "application/json": {
                    "schema": {"properties": {"prompt": {"type": "string"}, "brand_new": {"type": "integer"}}, "required": ["prompt"]}
                }
            }
        },
        "responses": {},
    },
}  # fmt: skip


@pytest.fixture
def service():
    """A server that answers every GET with `answers[path]`, and keeps what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.seen.append((self.path, self.headers.get("Authorization")))
            status, body = self.server.answers.get(self.path, (404, {}))
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *ignored):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen, server.answers = [], {}
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def listed(run, group: str) -> dict:
    return {entry["model"]: entry for entry in run.result[group]}


def test_a_refreshed_list_says_what_runs_now_and_is_kept(scripts, service):
    service.answers["/api/v1/models"] = (200, MODELLIX)
    arguments = ("inspect_openapi.py", "--provider", "modellix", "--list-endpoints")
    run = scripts.run(*arguments, "--refresh", "--base-url", service.url, env={"MODELLIX_API_KEY": KEY})
    assert run.code == 0 and KEY not in run.stdout.decode()
    assert service.seen == [("/api/v1/models", f"Bearer {KEY}")]
    kept = scripts.run(*arguments)
    for found in (run, kept):
        assert set(listed(found, "runs")) == {"bytedance/seedance-1.5-pro-t2v"}
        assert listed(found, "listed_only")["acme/new-model"]["tasks"] == ["t2i"]
        assert not any(".." in model for model in listed(found, "listed_only"))


def test_a_list_that_cannot_be_kept_is_one_clear_error(scripts, service):
    service.answers["/api/v1/models"] = (200, {"models": []})
    (scripts.folder / "state").mkdir(mode=0o700)
    (scripts.folder / "state" / "live").write_text("")
    arguments = ("--provider", "modellix", "--list-endpoints", "--refresh", "--base-url", service.url)
    run = scripts.run("inspect_openapi.py", *arguments, env={"MODELLIX_API_KEY": KEY})
    assert (run.code, run.result["field"]) == (2, "--refresh"), run.result


def test_a_refreshed_list_may_hold_models_for_every_task(scripts, service):
    words = {
        f"acme/{word}": word for word in ("text-to-speech", "speech-to-text", "speech-to-speech", "image-to-video")
    }
    listing = {"models": [{"slug": slug, "type": word} for slug, word in words.items()]}
    service.answers["/api/v1/models"] = (200, listing)
    arguments = ("--provider", "modellix", "--list-endpoints", "--refresh", "--base-url", service.url)
    run = scripts.run("inspect_openapi.py", *arguments, "--verbose", env={"MODELLIX_API_KEY": KEY})
    media = {model: entry["media"] for model, entry in listed(run, "listed_only").items() if model in words}
    assert media == dict(zip(words, ("audio", "text", "audio", "video")))


def test_a_live_price_counts_and_what_cannot_be_executed_is_only_listed(scripts, service):
    service.answers["/v1/models"] = (200, IMAGE_SKILL)
    run = scripts.run(
        "inspect_openapi.py", "--provider", "image-skill", "--list-endpoints", "--refresh", "--base-url", service.url
    )
    assert service.seen == [("/v1/models", None)]
    assert listed(run, "runs")["fal.flux-dev"]["price"]["amount"] == 0.03
    assert listed(run, "listed_only")["fal.nano-banana-2"]["in_live_list"] is False


def test_a_contract_that_the_service_publishes_replaces_the_bundled_one(scripts, service):
    service.answers["/models/google/nano-banana-2/api_schema"] = (200, SCHEMA)
    arguments = ("inspect_openapi.py", "--provider", "modellix", "--model", "google/nano-banana-2")
    before = scripts.run(*arguments).result
    run = scripts.run(*arguments, "--refresh", "--base-url", service.url)
    after = scripts.run(*arguments)
    names = [[row["name"] for row in result["fields"]] for result in (before, run.result, after.result)]
    assert "brand_new" not in names[0] and names[1] == names[2] == ["prompt", "brand_new"]
    assert service.seen == [("/models/google/nano-banana-2/api_schema", None)]


# answer -> exit code
BAD = [((401, {}), 21), ((500, {}), 24), ((200, b"<html>"), 24), ((200, {"models": {}}), 24), ((200, b"{"), 24)]


@pytest.mark.parametrize("answer, code", BAD)
def test_a_list_that_cannot_be_had_is_one_clear_error_and_changes_nothing(scripts, service, answer, code):
    service.answers["/api/v1/models"] = answer
    arguments = ("inspect_openapi.py", "--provider", "modellix", "--list-endpoints")
    assert scripts.run(*arguments, "--refresh", "--base-url", service.url).result["exit_code"] == code
    assert scripts.run(*arguments).code == 0


@pytest.mark.parametrize("content", [b"<html>", b'{"post": 5}', b"[]", b'{"get": {}}'])
def test_a_contract_that_is_none_is_refused_and_not_kept(scripts, service, content):
    service.answers["/models/google/nano-banana-2/api_schema"] = (200, content)
    arguments = ("inspect_openapi.py", "--provider", "modellix", "--model", "google/nano-banana-2")
    assert scripts.run(*arguments, "--refresh", "--base-url", service.url).code in (22, 24)
    assert next(row["name"] for row in scripts.run(*arguments).result["fields"]) == "prompt"


REFUSED = [
    (("--provider", "skills-video", "--list-endpoints", "--refresh"), 2),
    (("--provider", "image-skill", "--model", "fal.flux-dev", "--refresh"), 2),
    (("--list-endpoints", "--refresh"), 2),
    (("--provider", "modellix", "--list-endpoints", "--refresh", "--base-url", "https://elsewhere.invalid"), 27),
    (("--provider", "modellix", "--model", "no/such-model", "--refresh"), 23),
]


@pytest.mark.parametrize("arguments, code", REFUSED)
def test_what_cannot_be_refreshed_says_so(scripts, arguments, code):
    assert scripts.run("inspect_openapi.py", *arguments).result["exit_code"] == code
