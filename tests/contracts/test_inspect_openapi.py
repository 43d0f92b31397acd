"""scripts/inspect_openapi.py as it is run: one result, the right exit code, bounded output."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

from conftest import SCRIPTS, read_events
from mediakit.services import catalogue, model_contract

SCRIPT = SCRIPTS / "inspect_openapi.py"


def run(*arguments, **more):
    done = subprocess.run([sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, timeout=60, **more)
    events = read_events(done.stdout)
    assert events[-1]["exit_code"] == done.returncode and not done.stderr
    return done.returncode, events[-1]


def api(schema, **more):
    body = {"requestBody": {"content": {"application/json": {"schema": schema}}}, "responses": {"422": {}}}
    return {"openapi": "3.1.0", "info": {}, "paths": {"/x": {"post": body}}, **more}


BODY = {
    "type": "object",
    "properties": {"prompt": {"type": "string"}, "n": {"type": "integer", "default": 1}},
    "required": ["prompt"],
}


@pytest.fixture
def written(tmp_path):
    def write(value, name="api.json"):
        path = tmp_path / name
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return path

    return write


def deep(levels):
    schema = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


CIRCLE = {"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}}


@pytest.mark.parametrize(
    ("text", "error", "code"),
    [
        ({"name": "package", "version": "1"}, "document_not_openapi", 22),
        ([1, 2], "document_not_openapi", 22),
        ("just words", "document_not_openapi", 22),
        ("<!doctype html><html></html>", "document_not_openapi", 22),
        ("", "document_unreadable", 22),
        (json.dumps(api(BODY))[:-30], "document_unreadable", 22),
        ("openapi: 3.1.0\npaths: {/x: [", "document_unreadable", 22),
        ("[" * 100_000, "document_too_deep", 22),
        (api({"$ref": "#/components/schemas/None"}), "reference_broken", 22),
        (api({"$ref": "#/components/schemas/A"}, components={"schemas": CIRCLE}), "reference_circular", 22),
        (api({"$ref": "/etc/hostname"}), "reference_forbidden", 27),
        (api(deep(100)), "document_too_deep", 22),
    ],
)
def test_a_bad_document_is_one_clear_error(written, text, error, code):
    status, event = run("--openapi", written(text), "--endpoint", "POST /x")
    assert (event["event"], event["error"], status) == ("error", error, code)
    assert len(event["message"]) < 400


def test_a_path_item_that_refers_to_itself_is_one_clear_error(written):
    status, event = run(
        "--openapi",
        written({"openapi": "3.1.0", "info": {}, "paths": {"/x": {"$ref": "#/paths/~1x"}}}),
        "--endpoint",
        "/x",
    )
    assert (event["error"], status) == ("reference_circular", 22)


def test_a_file_or_an_endpoint_that_is_not_there_is_not_found(written, tmp_path):
    assert run("--openapi", tmp_path / "none.json", "--endpoint", "/x")[0] == 23
    status, event = run("--openapi", written(api(BODY)), "--endpoint", "GET /x")
    assert status == 23 and "POST /x" in event["message"]


@pytest.fixture
def site():
    pages = {
        "/html": (200, b"<html>sign in</html>", {}), "/api.json": (200, json.dumps(api(BODY)).encode(), {}),
        "/moved": (302, b"", {"Location": "/api.json"}), "/gone": (404, b"", {}), "/broken": (503, b"", {}),
    }  # fmt: skip

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, body, headers = pages[self.path]
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "code"), [("/html", 22), ("/api.json", 0), ("/moved", 0), ("/gone", 23), ("/broken", 24)]
)
def test_a_document_is_read_from_a_url(site, path, code):
    environment = {**os.environ, "NO_PROXY": "localhost", "no_proxy": "localhost"}
    assert run("--openapi", site + path, "--endpoint", "/x", env=environment)[0] == code


def test_a_contract_has_the_keys_that_it_always_had(written):
    _, event = run("--openapi", written(api(BODY)), "--endpoint", "POST /x", "--include-template", "--json-indent", 2)
    assert (event["event"], event["endpoint"], event["default_result_mode"]) == ("contract", "POST /x", "polling")
    assert event["request_template"] == {"prompt": "fill-in:prompt", "n": 1} and event["error_status_codes"] == [422]
    assert event["fields"][1] == {"name": "n", "type": "integer", "required": False, "default": 1}
    assert event["verified"] == {"complete": True} and event["fill_in"][0]["path"] == "prompt"


def test_a_payload_is_checked(written):
    path = written(api(BODY))
    good, bad = written({"prompt": "x"}, "good.json"), '{"promt": "x"}'
    assert run("--openapi", path, "--endpoint", "/x", "--validate", f"@{good}")[0] == 0
    status, event = run("--openapi", path, "--endpoint", "/x", "--validate", bad)
    assert status == 22 and event["event"] == "validation" and event["problems"][0]["nearest"] == "prompt"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--provider", "skills-video"),
        ("--model", "a/b", "--openapi", "x"),
        ("--provider", "skills-video", "--model", "a/b", "--task", "t2v"),
        ("--provider", "skills-video", "--endpoint", "/x", "--validate", "{"),
        ("--provider", "skills-video", "--endpoint", "/x", "--validate", "@/nowhere"),
        ("--provider", "skills-video", "--endpoint", "/x", "--validate", "[NaN]"),
        ("--provider", "skills-video", "--list-endpoints", "--unknown", "x"),
        ("--provider", "skills-video", "--list-endpoints", "--include-template"),
        ("--task", "t2v", "--validate", "{}"),
    ],
)
def test_bad_arguments_end_with_2(arguments):
    assert run(*arguments)[0] == 2


def test_the_list_of_a_task_parts_what_runs_from_what_is_only_listed():
    asked = ("--provider", "skills-video", "--list-endpoints", "--task", "t2v")
    status, long = run(*asked, "--verbose")
    assert status == 0 and long["runs"] and all("t2v" in line["tasks"] for line in long["runs"] + long["listed_only"])
    priced = [line["price"]["amount"] for line in long["runs"] if line.get("price", {}).get("unit") == "usd"]
    assert priced == sorted(priced) and "price" in long["runs"][0]
    assert long["default_result_mode"] == "sse" and len(long["sse_endpoints"]) == len(long["runs"])
    short = run(*asked)[1]
    assert [line["model"] for line in short["runs"]] == [line["model"] for line in long["runs"]]
    assert short["default_result_mode"] == "sse" and "sse_endpoints" not in short


@pytest.mark.parametrize("service", catalogue.services())
def test_a_list_is_short_and_says_what_it_leaves_out(service):
    def of(*more):
        event = run("--provider", service, "--list-endpoints", *more)[1]
        return len(json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()), event

    size, event = of()
    known = catalogue.models(service)
    assert size <= 4_500 and len(event["runs"]) + len(event["listed_only"]) + event.get("more", 0) == len(known)
    assert len(of("--verbose")[1]["runs"] + of("--verbose")[1]["listed_only"]) == len(known)
    for task in catalogue.defaults(service):
        size, event = of("--task", task)
        assert size <= 1_500 and list(event["default_models"]) == [task] and event["runs"]


def test_without_a_service_the_models_of_all_are_compared():
    event = run("--list-endpoints", "--task", "t2i")[1]
    assert len({line["provider"] for line in event["runs"]}) > 1
    assert event["default_models"] == {
        service: catalogue.defaults(service)["t2i"]
        for service in catalogue.services()
        if "t2i" in catalogue.defaults(service)
    }


@pytest.mark.parametrize(
    "filters", [("--task", "t2v"), ("--search", "sound"), ("--field", "n"), ("--category", "videos")]
)
def test_what_only_a_list_has_asks_for_a_list(filters):
    for named in ((), ("--provider", "skills-video")):
        (_, told), (_, short) = run(*named, "--list-endpoints", *filters), run(*named, *filters)
        assert told.pop("time") and short.pop("time") and short == told and told["runs"]


@pytest.mark.parametrize("need", ["music", "sound"])
def test_what_a_description_denies_is_no_need_that_it_meets(need):
    """`Not for sound.` is said of pictures; and the names of all models are no word about one."""
    runs = run("--provider", "image-skill", "--list-endpoints", "--search", need)[1]["runs"]
    models = [row["model"] for row in runs]
    assert "fal.stable-audio-25-text-to-audio" in models and "xai.grok-imagine-image" not in models


@pytest.mark.parametrize("field", ["resolution", "model_parameters.resolution", "/model_parameters/resolution"])
def test_a_field_is_found_by_its_path_too(field):
    runs = run("--provider", "image-skill", "--list-endpoints", "--field", field)[1]["runs"]
    assert runs and {row["field"]["path"] for row in runs} == {"model_parameters.resolution"}
    assert run("--provider", "image-skill", "--list-endpoints", "--field", f"other.{field}")[1]["runs"] == []


def test_models_are_found_by_a_field_that_they_have_with_what_it_takes():
    lines = run("--provider", "skills-video", "--list-endpoints", "--field", "duration", "--verbose")[1]["runs"]
    found = {line["model"]: line["field"] for line in lines}
    assert found["kling-ai/v3/video"]["min"] == 3 and found["kling-ai/v3/video"]["max"] == 15
    by_other_spelling = run("--list-endpoints", "--field", "generateAudio")[1]["runs"]
    assert by_other_spelling and all(line["field"]["path"].endswith("generate_audio") for line in by_other_spelling)
    none = run("--list-endpoints", "--field", "durration")[1]
    assert none["runs"] == [] and "duration" in none["nearest_fields"]


def test_models_are_found_by_need(written):
    event = run("--list-endpoints", "--search", "a video with sound", "--task", "t2v")[1]
    assert any("generate_audio" in line["matches"] for line in event["runs"])
    assert run("--list-endpoints", "--search", "sound nothing-says-this")[1]["runs"] == []
    paths = {
        "/a": {"post": {"summary": "Make", "requestBody": {"content": {"application/json": {"schema": BODY}}}}},
        "/b": {"post": {"summary": "Lip sync"}},
    }
    path = written({"openapi": "3.1.0", "info": {}, "paths": paths})
    assert run("--openapi", path, "--list-endpoints", "--search", "lipsync prompt")[1]["polling_endpoints"] == []
    assert run("--openapi", path, "--list-endpoints", "--search", "sync")[1]["polling_endpoints"] == ["POST /b"]
    found = run("--openapi", path, "--list-endpoints", "--field", "n")[1]
    assert found["matches"] == [{"endpoint": "POST /a", "field": {"type": "integer", "default": 1}}]


@pytest.mark.parametrize("service", catalogue.services())
def test_every_model_that_runs_has_a_template_that_passes_its_own_check(service):
    for entry in catalogue.models(service):
        found = model_contract.of_model(service, entry["model"])
        if found is not None:
            template, _, valid = found.template_and_validity()
            assert valid and found.check(template).ok, entry["model"]


def test_a_model_named_in_the_body_has_its_own_parameters():
    found = {row["name"]: row for row in model_contract.of_model("image-skill", "fal.flux-dev").fields()}
    assert [row["name"] for row in found["model_parameters"]["fields"]] == ["image_size", "seed"]


def test_a_model_that_is_only_listed_is_not_found():
    status, event = run("--provider", "skills-video", "--model", "google/nano-banana")
    assert (status, event["error"]) == (23, "model_not_found")
    assert "kling-ai/v3/video" in run("--provider", "skills-video", "--model", "kling-ai/v3/vidio")[1]["message"]


def test_a_document_of_ones_own_comes_before_the_bundled_one(written):
    event = run("--openapi", written(api(BODY)), "--provider", "skills-video", "--model", "kling-ai/v3/video")[1]
    assert event["endpoint"] == "POST /x"


PATHS = {
    "/generation/a": {"post": {}},
    "/generation/sse/a": {"post": {}},
    "/generation/b": {"post": {}},
    "/generation/{id}": {"get": {}},
}
DOCS = {
    "groups in groups": [
        {"group": "Videos", "pages": ["POST /generation/a", {"group": "More", "pages": ["POST /generation/b", "GET /x"]}]}
    ],
    "pages as objects": [{"group": "Videos", "pages": [{"page": "POST /generation/a"}, {"page": "POST /generation/b"}]}],
    "a group that is a text": {"tabs": [{"tab": "videos", "pages": "POST /generation/a"}, {"Videos": "POST /generation/b"}]},
    "paths with a version": [{"group": "Videos", "pages": ["POST /v1/generation/a", "post /v1/generation/b"]}],
    "pages of streams": [{"group": "Videos", "pages": ["POST /generation/sse/a", "POST /generation/a", "POST /generation/b"]}],
    "pages of a named file": [{"group": "Videos", "pages": ["openapi.json POST /generation/a", {"openapi": "POST /generation/b"}]}],
    "products": {"products": [{"product": "Videos", "pages": ["POST /generation/a", "POST /generation/b"]}]},
    "a menu of a tab": {"tabs": [{"tab": "API", "menu": [{"item": "Videos", "pages": ["POST /generation/a", "POST generation/b"]}]}]},
    "a menu of an anchor": {"anchors": [{"anchor": "Videos", "menu": [{"item": "K", "pages": ["POST /generation/a", "POST /generation/b"]}]}]},
    "languages and versions": {"languages": [{"language": "en", "versions": [{"version": "v1", "groups": [
        {"group": "Videos", "pages": ["POST /generation/a", "POST /generation/b"]}]}]}]},
    "items": [{"label": "Videos", "items": ["POST /generation/a", "POST /generation/b"]}],
    "a name that is an object": [{"group": {"label": "Videos"}, "pages": ["POST /generation/a", "POST /generation/b"]}],
    "a name of several words": [{"group": "Video Generation", "pages": ["POST /generation/a"]},
                                {"group": "Image to Video", "pages": ["POST /generation/b"]}],
    "a name with a picture": [{"group": "\U0001f3ac Videos", "pages": ["POST /generation/a", "POST /generation/b"]}],
    "the very word before others": [{"group": "Videos", "pages": ["POST /generation/a", "POST /generation/b"]},
                                    {"group": "Video Tools", "pages": ["POST /generation/c"]}],
    "addresses": [{"group": "Videos", "pages": ["POST https://open.skills.video/v1/generation/a", "POST /generation/b/"]}],
    "method and path": [{"group": "Videos", "pages": [{"method": "POST", "path": "/generation/a"}, "POST /generation/b"]}],
}  # fmt: skip


@pytest.mark.parametrize("navigation", DOCS.values(), ids=DOCS)
def test_the_groups_of_a_docs_file_list_the_endpoints(written, navigation):
    document = written({"openapi": "3.1.0", "info": {}, "paths": PATHS})
    event = run("--openapi", document, "--docs", written({"navigation": navigation}, "docs.json"), "--list-endpoints")[
        1
    ]
    assert event["polling_endpoints"] == ["POST /generation/a", "POST /generation/b"]
    assert event["default_endpoints"] == ["POST /generation/sse/a", "POST /generation/b"]
    assert (event["category"], event["poll_endpoint"], event["default_result_mode"]) == (
        "videos",
        "/generation/{id}",
        "sse",
    )


@pytest.mark.parametrize("asked", [(), ("--category", "videos"), ("--category", "images")])
def test_the_category_follows_a_file_that_has_only_one(written, asked):
    document = written({"openapi": "3.1.0", "info": {}, "paths": PATHS})
    docs = written([{"group": "Images", "pages": ["POST /generation/b"]}], "docs.json")
    event = run("--openapi", document, "--docs", docs, "--list-endpoints", *asked)[1]
    assert (event["category"], event["polling_endpoints"]) == ("images", ["POST /generation/b"])


def test_a_docs_file_without_pages_says_so(written):
    document = written({"openapi": "3.1.0", "info": {}, "paths": PATHS})
    for navigation in ([{"group": "Videos", "pages": ["guides/start"]}], [], {}, [{"group": "Videos"}], [None, 3]):
        event = run("--openapi", document, "--docs", written(navigation, "docs.json"), "--list-endpoints")[1]
        assert event["polling_endpoints"] == [] and "--docs" in event["guidance"][0]


def test_flags_of_the_list_are_accepted_beside_an_endpoint(written):
    docs = written([{"group": "Videos", "pages": ["POST /x"]}], "docs.json")
    asked = ("--openapi", written(api(BODY)), "--docs", docs, "--category", "videos", "--endpoint", "POST /x")
    assert run(*asked)[1]["event"] == "contract"


def test_a_contract_of_30_fields_is_short_and_verbose_gives_everything(written):
    properties = {
        f"a_rather_long_field_name_{number}": {
            "type": "string", "description": "Words that go on and on. " * 12, "enum": [f"value-{one}" for one in range(12)], "default": "value-0",
        }
        for number in range(30)
    }  # fmt: skip
    path = written(api({"type": "object", "properties": properties, "required": list(properties)[:3]}))
    short, long = run("--openapi", path)[1], run("--openapi", path, "--verbose")[1]
    assert len(json.dumps(short, separators=(",", ":"))) <= 6000 and short["detail"] and len(short["fields"]) == 30
    assert "detail" not in long and all("description" in row for row in long["fields"])


def test_without_the_yaml_package_the_event_says_what_installs_it(written, tmp_path):
    (tmp_path / "yaml.py").write_text("raise ModuleNotFoundError('no yaml', name='yaml')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert (
        run("--openapi", written("openapi: 3.1.0\npaths: {}\ninfo: {}\n"), "--endpoint", "/x", env=environment)[0] == 28
    )
