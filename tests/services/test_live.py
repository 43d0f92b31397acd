"""--refresh: what a service itself publishes about its models, fetched from servers that answer as documented."""

from __future__ import annotations

import json
import pathlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from conftest import KEY
from mediakit.base import errors
from mediakit.services import catalogue, listing, live, payloads

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
            location = body.get("Location") if isinstance(body, dict) else None
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if location:
                self.send_header("Location", location)
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


class Told:
    """What a Console would be told."""

    def __init__(self):
        self.warnings = []
        self.redactor = self

    def warning(self, code, message):
        self.warnings.append(code)

    def protect(self, secret):
        pass


@pytest.fixture
def at_home(service, monkeypatch, tmp_path):
    """The server is where the catalogue says that the service itself is; state is the test's own."""
    live_rules = catalogue.document("modellix")["live"]
    monkeypatch.setitem(live_rules, "origin", service.url)
    monkeypatch.setitem(live_rules, "contract_url", service.url + "/models/{model}/api_schema")
    monkeypatch.setenv("AI_MEDIA_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MODELLIX_API_KEY", KEY)
    monkeypatch.setattr(catalogue, "_now", {})
    return service


def test_a_refreshed_list_says_what_runs_now_and_is_kept(at_home):
    at_home.answers["/api/v1/models"] = (200, MODELLIX)
    console = Told()
    live.refresh_models(console, "modellix", None, False)
    assert at_home.seen == [("/api/v1/models", f"Bearer {KEY}")] and console.warnings == []
    catalogue._now.clear()
    found = listing.models(["modellix"], listing.Wish())
    assert [line["model"] for line in found["runs"]] == ["bytedance/seedance-1.5-pro-t2v"]
    others = {line["model"]: line for line in found["listed_only"]}
    assert others["acme/new-model"]["tasks"] == ["t2i"] and not any(".." in model for model in others)


@pytest.mark.parametrize("base, path", [("", ""), ("/api/v1", ""), ("/api", ""), ("/gate/api/v1", "/gate")])
def test_a_base_url_means_the_same_here_as_everywhere(at_home, base, path):
    at_home.answers[f"{path}/api/v1/models"] = (200, MODELLIX)
    live.refresh_models(Told(), "modellix", at_home.url + base, False)
    assert at_home.seen == [(f"{path}/api/v1/models", f"Bearer {KEY}")]
    at_home.answers[f"{path}/models/google/nano-banana-2/api_schema"] = (200, SCHEMA)
    live.refresh_contract(Told(), "modellix", "google/nano-banana-2", at_home.url + base)


def test_a_refreshed_contract_is_kept(at_home):
    at_home.answers["/models/google/nano-banana-2/api_schema"] = (200, SCHEMA)
    live.refresh_contract(Told(), "modellix", "google/nano-banana-2")
    catalogue._now.clear()
    found = payloads.contract_of_model("modellix", "google/nano-banana-2")
    assert [row["name"] for row in found.fields()] == ["prompt", "brand_new"]


def test_what_another_host_says_serves_this_run_and_is_told(scripts, service):
    service.answers["/api/v1/models"] = (200, MODELLIX)
    arguments = ("inspect_openapi.py", "--provider", "modellix", "--list-endpoints")
    before = scripts.run(*arguments).result["runs"]
    run = scripts.run(*arguments, "--refresh", "--base-url", service.url, env={"MODELLIX_API_KEY": KEY})
    assert run.code == 0 and KEY not in run.stdout.decode()
    assert run.first("warning")["code"] == "document_elsewhere"
    assert set(listed(run, "runs")) == {"bytedance/seedance-1.5-pro-t2v"}
    assert scripts.run(*arguments).result["runs"] == before, "it was kept as the service's own"


@pytest.mark.parametrize("source", ["https://elsewhere.invalid/v1/models", "http://{host}/v1/models", "", None, 7])
def test_a_kept_list_that_came_from_another_host_is_no_price_of_the_service(monkeypatch, tmp_path, source):
    """Earlier versions kept whatever --refresh --base-url brought."""
    monkeypatch.setenv("AI_MEDIA_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(catalogue, "_now", {})
    own = catalogue.document("image-skill")["live"]["origin"]
    source = source.format(host=urlsplit(own).hostname) if isinstance(source, str) else source
    row = {
        "model": "fal.flux-dev",
        "tasks": ["t2i"],
        "runs": True,
        "price": {"amount": 0.0001, "unit": "usd", "per": "image"},
    }
    path = pathlib.Path(catalogue.kept_path("image-skill", "models"))
    path.parent.mkdir(parents=True)
    for told, is_believed in ((own, True), (source, False)):
        path.write_text(json.dumps({"seen": "2026-01-01", "source": told, "models": [row]}))
        price = catalogue.entry("image-skill", "fal.flux-dev").get("price") or {}
        assert (price.get("amount") == 0.0001) is is_believed


def test_a_redirect_to_another_host_is_told_and_not_kept(at_home):
    away = at_home.url.replace("127.0.0.1", "localhost") + "/x"
    at_home.answers["/models/google/nano-banana-2/api_schema"] = (302, {"Location": away})
    at_home.answers["/x"] = (200, SCHEMA)
    console = Told()
    live.refresh_contract(console, "modellix", "google/nano-banana-2")
    assert console.warnings == ["document_elsewhere"]
    assert "brand_new" in [
        row["name"] for row in payloads.contract_of_model("modellix", "google/nano-banana-2").fields()
    ]
    catalogue._now.clear()
    names = [row["name"] for row in payloads.contract_of_model("modellix", "google/nano-banana-2").fields()]
    assert "brand_new" not in names


def test_a_list_that_cannot_be_kept_is_one_clear_error(at_home, tmp_path):
    at_home.answers["/api/v1/models"] = (200, {"models": []})
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "live").write_text("")
    with pytest.raises(errors.Failure) as raised:
        live.refresh_models(Told(), "modellix", None, False)
    assert raised.value.fields["field"] == "--refresh"


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
