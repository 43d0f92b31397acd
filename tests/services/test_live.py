"""--refresh: what a service itself publishes about its models, fetched from servers that answer as documented."""

from __future__ import annotations

import json
import pathlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from conftest import KEY
from mediakit.base import errors
from mediakit.jobs import request
from mediakit.jobs.connection import ConnectionFlags
from mediakit.jobs.lifecycle.policy import WaitPolicy
from mediakit.services import catalogue, keys, listing, live, model_contract, payloads, providers

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
    own = providers.load("modellix").says("")
    monkeypatch.setitem(own["origins"], "api", service.url)
    monkeypatch.setitem(own["contract"], "url", service.url + "/models/{model}/api_schema")
    monkeypatch.setenv("AI_MEDIA_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MODELLIX_API_KEY", KEY)
    monkeypatch.setattr(catalogue, "_now", {})
    monkeypatch.setattr(live, "_tried", set())
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
    found = model_contract.of_model("modellix", "google/nano-banana-2")
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
    own = providers.load("image-skill").origin
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
        path.write_text(json.dumps({**live._now(), "source": told, "models": [row]}))
        price = catalogue.entry("image-skill", "fal.flux-dev").get("price") or {}
        assert (price.get("amount") == 0.0001) is is_believed


def test_a_redirect_to_another_host_is_told_and_not_kept(at_home):
    away = at_home.url.replace("127.0.0.1", "localhost") + "/x"
    at_home.answers["/models/google/nano-banana-2/api_schema"] = (302, {"Location": away})
    at_home.answers["/x"] = (200, SCHEMA)
    console = Told()
    live.refresh_contract(console, "modellix", "google/nano-banana-2")
    assert console.warnings == ["document_elsewhere"]
    assert "brand_new" in [row["name"] for row in model_contract.of_model("modellix", "google/nano-banana-2").fields()]
    catalogue._now.clear()
    names = [row["name"] for row in model_contract.of_model("modellix", "google/nano-banana-2").fields()]
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
]


@pytest.mark.parametrize("arguments, code", REFUSED)
def test_what_cannot_be_refreshed_says_so(scripts, arguments, code):
    assert scripts.run("inspect_openapi.py", *arguments).result["exit_code"] == code


def test_a_model_that_the_service_does_not_know_either_is_not_found(scripts, service):
    arguments = ("--provider", "modellix", "--model", "no/such-model", "--refresh", "--base-url", service.url)
    assert scripts.run("inspect_openapi.py", *arguments).code == 23


# -- services whose models nobody can list beforehand -----------------------------------------------------

PNG_INPUT = {"type": "object", "required": ["prompt", "image_url"], "properties": {
    "prompt": {"type": "string"}, "image_url": {"type": "string"},
    "steps": {"type": "integer", "maximum": 12, "default": 4}}}  # fmt: skip
FAL_DOCUMENT = {
    "openapi": "3.0.4", "info": {"title": "Queue OpenAPI for acme/new", "version": "1.0.0"},
    "servers": [{"url": "https://queue.fal.run"}],
    "components": {"schemas": {"AcmeNewInput": PNG_INPUT, "QueueStatus": {"type": "object"}}},
    "paths": {
        "/acme/new/requests/{request_id}/status": {"get": {"responses": {}}},
        "/acme/new/requests/{request_id}/cancel": {"put": {"responses": {}}},
        "/acme/new": {"post": {
            "requestBody": {"required": True, "content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/AcmeNewInput"}}}},
            "responses": {}}},
    },
}  # fmt: skip
COG = {
    "openapi": "3.0.2", "info": {"title": "Cog", "version": "0.1.0"},
    "components": {"schemas": {"Input": {**PNG_INPUT, "properties": {**PNG_INPUT["properties"], "mode": {
        "allOf": [{"$ref": "#/components/schemas/mode"}], "default": "a"}}},
        "mode": {"type": "string", "enum": ["a", "b"]}, "Output": {"type": "string", "format": "uri"}}},
    "paths": {"/predictions": {"post": {"requestBody": {}, "responses": {}}}},
}  # fmt: skip
VERSION = "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"
# service, model -> where its contract is asked for, what is answered, how the key is sent, where the model's fields are
PUBLISHED = [
    ("fal", "acme/new", "/api/openapi/queue/openapi.json?endpoint_id=acme/new", FAL_DOCUMENT, None, ""),
    ("replicate", "acme/new", "/v1/models/acme/new", {"latest_version": {"id": VERSION, "openapi_schema": COG}}, f"Bearer {KEY}", "input"),
    ("replicate", f"acme/new:{VERSION}", f"/v1/models/acme/new/versions/{VERSION}", {"id": VERSION, "openapi_schema": COG}, f"Bearer {KEY}", "input"),
]  # fmt: skip


@pytest.fixture
def own_home(service, monkeypatch, tmp_path):
    """Every service is at this server; its models' contracts too."""
    for name in ("fal", "replicate"):
        own = providers.load(name).says("")
        for origin in own["origins"]:
            monkeypatch.setitem(own["origins"], origin, service.url)
        monkeypatch.setenv(own["key"]["variable"], KEY)
    fal = providers.load("fal").says("contract")
    monkeypatch.setitem(fal, "url", service.url + "/api/openapi/queue/openapi.json?endpoint_id={model}")
    monkeypatch.setenv("AI_MEDIA_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(catalogue, "_now", {})
    monkeypatch.setattr(live, "_tried", set())
    return service


@pytest.mark.parametrize("name, model, path, answer, key, within", PUBLISHED)
def test_a_model_that_no_list_has_is_checked_against_what_its_service_publishes(
    own_home, monkeypatch, name, model, path, answer, key, within
):
    own_home.answers[path] = (200, answer)

    def asked(**parameters):
        content = payloads.Content(
            prompt="a", parameters=parameters, inputs=(("image", "https://media.example/1.png"),)
        )
        wanted = request.CreateRequest(content, model=model)
        return request.check(wanted, ConnectionFlags(provider=name), WaitPolicy(), asks=True)

    found = asked(steps=8)
    assert own_home.seen == [(path, key)] and found.warnings == ()
    inner = found.payload[within] if within else found.payload
    assert inner == {"prompt": "a", "image_url": "https://media.example/1.png", "steps": 8}
    for parameters, word in (({"steps": 13}, "steps"), ({"stepz": 4}, "stepz"), ({"steps": "x"}, "steps")):
        with pytest.raises(errors.Failure) as raised:
            asked(**parameters)
        assert raised.value.exit_code == 22 and word in raised.value.message
    # Kept for a day, whoever asks; then it is asked for anew.
    live._tried.clear()
    asked(steps=1)
    assert len(own_home.seen) == 1
    in_two_days = time.time() + 2 * 86400
    monkeypatch.setattr(time, "time", lambda: in_two_days)
    live._tried.clear()
    asked(steps=1)
    assert len(own_home.seen) == 2


@pytest.mark.parametrize("status, answer", [(404, {}), (500, {}), (200, b"<html>"), (200, {"latest_version": None})])
@pytest.mark.parametrize("name", ["fal", "replicate"])
def test_a_contract_that_cannot_be_had_is_told_and_stops_nobody(own_home, name, status, answer):
    for path in ("/api/openapi/queue/openapi.json?endpoint_id=acme/new", "/v1/models/acme/new"):
        own_home.answers[path] = (status, answer)
    wanted = request.CreateRequest(payloads.Content(prompt="a", parameters={"odd": 1}), model="acme/new")
    for _ in range(2):
        found = request.check(wanted, ConnectionFlags(provider=name), WaitPolicy(), asks=True)
        assert "contract_missing" in dict(found.warnings)
    assert len(own_home.seen) == 1, "it is asked for once"


def test_without_being_allowed_to_ask_nothing_is_sent(own_home):
    wanted = request.CreateRequest(payloads.Content(prompt="a"), model="acme/new")
    request.check(wanted, ConnectionFlags(provider="fal"), WaitPolicy())
    assert own_home.seen == []


def test_a_list_in_pages_is_read_to_its_end_and_no_further(own_home):
    def page(*models, following=None):
        rows = [
            {"endpoint_id": one, "metadata": {"category": "text-to-image", "description": "draws"}} for one in models
        ]
        return 200, {"models": rows, "next_cursor": following}

    base = "/v1/models?status=active&limit=100"
    own_home.answers = {
        base: page("a/1", "../x", following="c1"),
        f"{base}&cursor=c1": page("a/2", following="c2"),
        f"{base}&cursor=c2": page("a/3", following="c1"),
    }
    kept = live.refresh_models(Told(), "fal", None, False)
    assert [entry["model"] for entry in kept["models"]] == ["a/1", "a/2", "a/3"]
    assert [path for path, _ in own_home.seen] == list(own_home.answers), "it went round in a circle"
    found = {entry["model"]: entry for entry in catalogue.models("fal")}
    assert (found["a/1"]["tasks"], found["a/1"]["note"]) == (["t2i"], "draws")
    # A list without an end proves nothing about what is not in it.
    assert kept["is_part"] and "in_live_list" not in found["fal-ai/flux/schnell"]


@pytest.mark.parametrize("following", ["https://evil.example/v1/models?page=2", "//evil.example/x", 7, None])
def test_the_next_page_is_never_somebody_elses(own_home, following):
    row = {"owner": "acme", "name": "new", "description": "draws"}
    own_home.answers["/v1/models?sort_by=latest_version_created_at"] = (200, {"results": [row], "next": following})
    kept = live.refresh_models(Told(), "replicate", None, False)
    assert [entry["model"] for entry in kept["models"]] == ["acme/new"] and len(own_home.seen) == 1


SEARCHED = [
    (
        "fal",
        "/v1/models?status=active&limit=100&q=tin+boats",
        {"models": [{"endpoint_id": "acme/new", "metadata": {}}]},
    ),
    ("replicate", "/v1/search?limit=50&query=tin+boats", {"models": [{"model": {"owner": "acme", "name": "new"}}]}),
]


@pytest.mark.parametrize("name, path, answer", SEARCHED)
def test_a_service_is_asked_for_words_and_what_it_finds_serves_this_run(own_home, name, path, answer):
    own_home.answers[path] = (200, answer)
    live.refresh_models(Told(), name, None, False, "tin boats")
    assert [asked for asked, _ in own_home.seen] == [path]
    found = listing.models([name], listing.Wish(search="tin boats"))
    assert [line["model"] for line in found["listed_only"]] == ["acme/new"]
    # A part of the list says nothing of the models that are not in it.
    assert all("in_live_list" not in entry for entry in catalogue.models(name) if entry["model"] != "acme/new")
    catalogue._now.clear()
    assert catalogue.kept_models(name) is None


def test_a_model_that_was_shut_down_is_only_listed(own_home, monkeypatch):
    own = providers.load("openai").says("")
    monkeypatch.setitem(own["origins"], "api", own_home.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    rows = [{"id": "gpt-image-2"}, {"id": "gpt-image-1.5", "shutdown_date": "2020-12-01"}]
    own_home.answers["/v1/models"] = (200, {"object": "list", "data": rows})
    live.refresh_models(Told(), "openai", None, False)
    runs = {entry["model"]: entry["in_live_list"] for entry in catalogue.models("openai")}
    assert (runs["gpt-image-2"], runs["gpt-image-1.5"]) == (True, False)


# what the service answers -> the price that is kept
PRICES = [
    ({"prices": [{"endpoint_id": "fal-ai/flux/schnell", "unit_price": 0.01, "unit": "images", "currency": "USD"}]}, (0.01, "usd", "image")),
    ({"prices": [{"endpoint_id": "fal-ai/flux/schnell", "unit_price": 0.003, "unit": "megapixels", "currency": "USD"}]}, (0.003, "usd", "megapixel")),
    ({"prices": [{"endpoint_id": "another/model", "unit_price": 0.01, "unit": "images", "currency": "USD"}]}, None),
    ({"prices": [{"endpoint_id": "fal-ai/flux/schnell", "unit_price": -1, "unit": "images", "currency": "USD"}]}, None),
    ({"prices": [{"endpoint_id": "fal-ai/flux/schnell", "unit_price": "0.01", "unit": "images", "currency": "USD"}]}, None),
    ({"prices": [{"endpoint_id": "fal-ai/flux/schnell", "unit_price": 1, "unit": "images", "currency": "dollars"}]}, None),
    ({}, None),
]  # fmt: skip


# what a list here has, what the service states -> the one that counts: a range's end is of a dearer result
KNOWN_AND_STATED = [
    ({"amount": 0.6, "least": 0.2, "per": "second"}, {"amount": 0.4, "per": "second"}, "known"),
    ({"amount": 0.6, "least": 0.2, "per": "second"}, {"amount": 0.7, "per": "second"}, "stated"),
    ({"amount": 0.6, "least": 0.2, "per": "second"}, {"amount": 0.4, "per": "video"}, "stated"),
    ({"amount": 0.6, "per": "second"}, {"amount": 0.4, "per": "second"}, "stated"),
]


@pytest.mark.parametrize("known, stated, counts", KNOWN_AND_STATED)
def test_a_stated_price_counts_before_a_known_one_but_for_the_dear_end_of_a_range(known, stated, counts):
    known, stated = {**known, "unit": "usd"}, {**stated, "unit": "usd"}
    found = catalogue._priced({"model": "a/b", "price": known}, {"a/b": stated})
    assert found["price"] == {"known": known, "stated": stated}[counts]


@pytest.mark.parametrize("answer, told", PRICES)
def test_a_price_that_the_service_states_is_kept_with_its_date(own_home, answer, told):
    model = "fal-ai/flux/schnell"
    own_home.answers["/v1/models/pricing?endpoint_id=fal-ai%2Fflux%2Fschnell"] = (200, answer)
    provider = providers.load("fal")
    live.offer_price(live._Place(provider, provider.base_url, keys.Key(KEY, "a test")), model)
    assert [key for _, key in own_home.seen] == [f"Key {KEY}"]
    found = catalogue.entry("fal", model).get("price")
    assert (found and (found["amount"], found["unit"], found["per"])) == told
    assert found is None or (found["seen"], "pricing" in found["source"]) == (live._now()["seen"], True)
