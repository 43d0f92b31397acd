"""The draft of a descriptor out of an OpenAPI document."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import pytest

from mediakit import contracts
from mediakit.services import draft, examine
from video_document import DOCUMENT, STATE, TEXT, an_object, content

SPECS = Path(os.environ.get("AI_MEDIA_TEST_DATA", "/nowhere"), "specs")


def drafted(document: dict) -> dict:
    return draft.draft(contracts.operation(contracts.from_data(document), "POST /videos"), "openapi.json")


def test_a_draft_holds_what_the_document_shows():
    found = drafted(DOCUMENT)
    assert (found["id"], found["origins"], found["base_path"]) == ("example", {"api": "https://api.example.com"}, "/v1")
    assert found["create"] == [{"path": "/videos", "prompt": "/prompt", "file": "/image_url"}]
    assert found["job"] == {"id": {"at": "/data/task_id"}, "read": {"path": "/videos/{id}"}}
    assert found["states"] == [
        {"state": "queued", "at": "/status", "is": ["starting"]},
        {"state": "succeeded", "at": "/status", "is": ["succeeded"]},
        {"state": "failed", "at": "/status", "is": ["failed"]},
    ]
    assert found["outputs"] == [{"each": "/output", "url": "/url"}]
    assert found["errors"] == {"message": ["/error", "/error/message"]}


def test_what_the_document_does_not_say_is_marked_and_listed():
    found = drafted(DOCUMENT)  # it has no title, and says nothing of a key
    flaws = examine.flaws(json.dumps(found).encode())
    assert [flaw.path for flaw in flaws] == ["/name", "/key/header", "/key/prefix"]
    assert all("to be filled in" in flaw.message for flaw in flaws)


def test_a_draft_that_was_filled_in_is_a_good_descriptor():
    document = copy.deepcopy(DOCUMENT)
    document["info"] = {"title": "Example"}
    document["components"] = {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}
    found = drafted(document)
    assert found["key"] == {"variable": "EXAMPLE_API_KEY", "header": "Authorization", "prefix": "Bearer "}
    assert examine.flaws(json.dumps(found).encode()) == []


def test_results_and_the_end_of_a_job_are_found_beside_its_state():
    document = copy.deepcopy(DOCUMENT)
    answer = document["paths"].pop("/videos/{id}")
    nested = an_object(
        files={"type": "array", "items": an_object(sizes={"type": "array", "items": an_object(url=TEXT)})}
    )
    document["paths"] = {
        "/{model}/videos": {"post": {**document["paths"]["/videos"]["post"], "requestBody": content(an_object(input={"type": "object"}))}},
        "/{model}/videos/{id}/status": {"get": {"responses": {"200": content(an_object(status=STATE))}}},
        "/{model}/videos/{id}": {"get": {"responses": {"200": content(nested)}}},
        "/{model}/videos/{id}/cancel": {"put": answer["get"]},
    }  # fmt: skip
    found = draft.draft(contracts.operation(contracts.from_data(document), "POST /{model}/videos"), "openapi.json")
    assert found["job"] == {
        "id": {"at": "/data/task_id"},
        "read": {"path": "/{model}/videos/{id}/status"},
        "result": {"path": "/{model}/videos/{id}"},
        "cancel": {"path": "/{model}/videos/{id}/cancel", "method": "PUT"},
    }
    assert found["outputs"] == [{"each": ["/files", "/sizes"], "url": "/url"}]
    (route,) = found["create"]
    assert (route["path"], route["fields"], "/input/prompt" in route["prompt"]) == ("/{model}/videos", "/input", True)


# a document of the field, its create -> where its job's id stands, its words for success, what else it has of a job
REAL = [
    ("kling.yaml", "POST /v1/videos/text2video", "/data/task_id", ["succeed"], {"id", "read"}),
    ("replicate_http.json", "POST /predictions", "/id", ["succeeded"], {"id", "read", "cancel"}),
    ("minimax.yaml", "POST /v1/video_generation", "/task_id", ["Success"], {"id", "read"}),
    ("xai.yaml", "POST /videos/generations", "/request_id", ["done"], {"id", "read"}),
    ("wavespeed.yaml", "POST /wavespeed-ai/flux-schnell", "/data/id", ["completed"], {"id", "read"}),
    ("leonardo.json", "POST /generations", "/sdGenerationJob/generationId", ["COMPLETE"], {"id", "read"}),
    (
        "fal_nano_banana.json",
        "POST /fal-ai/nano-banana",
        "/request_id",
        ["COMPLETED"],
        {"id", "read", "result", "cancel"},
    ),
]


@pytest.mark.skipif(not SPECS.is_dir(), reason="the real documents are external test data")
def test_where_a_job_is_read_is_found_beside_its_create_and_no_job_is_made_of_a_result():
    def found(name: str, endpoint: str) -> dict:
        return draft.draft(contracts.operation(contracts.load(str(SPECS / name)), endpoint), name)

    job = found("pixverse.yaml", "POST /video/text/generate")["job"]
    assert job == {"id": {"at": "/Resp/video_id"}, "read": {"path": "/video/result/{id}"}}
    assert found("minimax.yaml", "POST /v1/video_generation")["job"]["read"]["path"].endswith("?task_id={id}")
    picture = found("together.yaml", "POST /images/generations")
    assert "job" not in picture and picture["create"][0]["answers"] == "done"


@pytest.mark.skipif(not SPECS.is_dir(), reason="the real documents are external test data")
@pytest.mark.parametrize("name, endpoint, at, words, steps", REAL)
def test_drafts_of_documents_of_the_field(name, endpoint, at, words, steps):
    found = draft.draft(contracts.operation(contracts.load(str(SPECS / name)), endpoint), name)
    assert found["job"]["id"] == {"at": at} and found["job"].keys() == steps
    assert next(rule["is"] for rule in found["states"] if rule["state"] == "succeeded") == words
    flaws = examine.flaws(json.dumps(found).encode())
    assert all("to be filled in" in flaw.message for flaw in flaws), flaws


def test_the_script_drafts_what_check_then_reads(scripts, tmp_path):
    (tmp_path / "openapi.json").write_text(json.dumps(DOCUMENT))
    words = ["--openapi", "openapi.json", "--endpoint", "POST /videos", "--descriptor"]
    run = scripts.run("inspect_openapi.py", *words)
    assert run.code == 0 and [one["path"] for one in run.result["to_do"]] == ["/name", "/key/header", "/key/prefix"]
    (tmp_path / "example.json").write_text(json.dumps(run.result["descriptor"]))
    checked = scripts.run("services.py", "check", "example.json")
    assert (checked.code, len(checked.result["problems"])) == (22, 3)
    assert scripts.run("inspect_openapi.py", "--provider", "modellix", "--model", "x", "--descriptor").code == 2
