"""Descriptors, and how answers are read with them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from conftest import ROOT
from mediakit.base import errors
from mediakit.base.pointer import point
from mediakit.http.documents import read_json
from mediakit.services import catalogue, providers

SERVICE = providers.load("skills-video")


def schema() -> dict:
    return json.loads((ROOT / "assets/schemas/provider.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", providers.names())
def test_every_descriptor_follows_the_schema(name):
    Draft202012Validator.check_schema(schema())
    descriptor = json.loads((ROOT / f"assets/providers/{name}.json").read_text(encoding="utf-8"))
    assert [problem.message for problem in Draft202012Validator(schema()).iter_errors(descriptor)] == []
    assert descriptor["id"] == name


@pytest.mark.parametrize("service", catalogue.services())
def test_a_default_model_is_one_of_the_catalogue_and_does_its_task(service):
    found = catalogue.document(service)
    tasks = {entry["model"]: entry["tasks"] for entry in found["models"]}
    chosen = catalogue.defaults(service)
    assert chosen and all(task in tasks[model] for task, model in chosen.items())
    assert set(chosen) <= set(providers.TASKS)


@pytest.mark.parametrize("service", catalogue.services())
def test_a_service_has_a_default_model_for_each_task_that_a_model_with_a_contract_does(service):
    runs = [entry["tasks"] for entry in catalogue.document(service)["models"] if entry["contract"] != "none"]
    assert set(catalogue.defaults(service)) == {task for tasks in runs for task in tasks}


def test_every_task_is_done_by_some_service():
    assert set().union(*map(catalogue.defaults, catalogue.services())) == set(providers.TASKS)


def test_an_embedded_service_has_no_address_and_no_key():
    found = providers.load("sandbox")
    assert found.embedded and found.key is None and found.base_url is None
    assert "://" not in (ROOT / "assets/providers/sandbox.json").read_text(encoding="utf-8")


POINTERS = [
    ("", {"a": 1}),
    ("/a", 1),
    ("/b/0/c", None),
    ("/list/1", "y"),
    ("/list/9", None),
    ("/a/b", None),
    ("/x~1y", 2),
]


@pytest.mark.parametrize("pointer, expected", POINTERS[1:])
def test_a_pointer_finds_what_is_there_and_nothing_else(pointer, expected):
    assert point({"a": 1, "list": ["x", "y"], "x/y": 2}, pointer) == expected


# what stands in an answer, what the reading says: id, status, state
READINGS = [
    ({"id": "g", "status": "IN_QUEUE"}, ("g", "IN_QUEUE", "queued")),
    ({"id": "g", "status": " completed "}, ("g", "completed", "succeeded")),
    ({"id": 7, "status": "starting"}, ("7", "starting", "queued")),
    ({"id": True, "status": 5}, (None, None, None)),
    ({"id": "..", "status": ""}, (None, None, None)),
    ({"id": "g", "status": "WARMING_UP"}, ("g", "WARMING_UP", None)),
    ({"input": {"id": "no", "status": "FAILED"}}, (None, None, None)),
    ([{"id": "g"}], (None, None, None)),
    (None, (None, None, None)),
]


@pytest.mark.parametrize("body, expected", READINGS)
def test_a_reading_takes_only_what_stands_where_the_descriptor_says(body, expected):
    found = SERVICE.answers.reading(body)
    assert (found.id, found.status, found.state) == expected


# the `data` of an answer -> the URLs that are outputs
DATA = [
    ({"type": "image", "images": [{"url": "https://a/1"}, {"url": "https://a/2"}], "image": {"url": "https://a/1"}}, ["https://a/1", "https://a/2"]),
    ({"type": "video", "video": {"url": "https://a/v", "content_type": "video/mp4"}}, ["https://a/v"]),
    ({"videos": [{"url": "https://a/v"}], "video": {"url": "https://a/v"}}, ["https://a/v"]),
    ({"audio_url": "https://a/s", "note": "see https://a/x"}, ["https://a/s"]),
    ({"images": [{"url": "file:///etc/passwd"}, {"url": 5}]}, []),
    (None, []),
    ([], []),
]  # fmt: skip


@pytest.mark.parametrize("data, urls", DATA)
def test_outputs_are_found_whatever_a_result_looks_like(data, urls):
    assert [output["url"] for output in SERVICE.answers.outputs({"data": data})] == urls


def test_an_output_says_what_the_service_says():
    body = {
        "data": {
            "type": "image",
            "images": [{"url": "https://a/1", "content_type": "image/png", "width": 2, "height": 1}],
        }
    }
    assert SERVICE.answers.outputs(body) == [
        {"url": "https://a/1", "type": "image", "media_type": "image/png", "width": 2, "height": 1}
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["id", "status", "data", "url", "images", "message", "error"]), inner),
)  # fmt: skip


@given(JSON)
def test_no_answer_is_too_strange_to_be_read(body):
    SERVICE.answers.reading(body)
    SERVICE.bills.usage(body)
    SERVICE.answers.outputs(body)
    assert SERVICE.refusals.category(400, body)[0] in errors.CATEGORY_EXIT_CODES


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange_to_be_read(content):
    body, problem = read_json(content)
    assert body is None or problem == ""


@pytest.mark.parametrize("text", [b"[" * 100_000, b"9" * 5000, b'{"a":NaN}', b'{"a"', b"<html>", b"", b"\xff\xfe"])
def test_json_that_breaks_other_readers_is_only_no_json(text):
    assert isinstance(read_json(text)[1], str)


# status, body -> category
CATEGORIES = [
    (402, {}, "insufficient_credits"),
    (400, {"message": "Insufficient credits"}, "insufficient_credits"),
    (403, {"message": "your balance is too low"}, "insufficient_credits"),
    (500, {"message": "insufficient credits"}, "insufficient_credits"),
    (500, {"code": "VIDEO_GENERATION_INSUFFICIENT_CREDITS"}, "insufficient_credits"),
    (422, {"code": "IMAGE_GENERATION_CONTENT_REJECTED"}, "validation"),
    (404, {"error": {"message": "no such model"}}, "not_found"),
    (410, {}, "not_found"),
    (409, {}, "validation"),
    (418, {"message": "teapot"}, "unknown"),
    (429, {"message": "slow down"}, "transient"),
    (429, {"message": "not enough credits"}, "insufficient_credits"),
]


@pytest.mark.parametrize("status, body, category", CATEGORIES)
def test_an_error_is_classified(status, body, category):
    assert SERVICE.refusals.category(status, body)[0] == category


@pytest.mark.parametrize("model", ["a/b", "kling-ai/v3/video", "x", "a.b/c_d-1"])
def test_a_model_becomes_a_path(model):
    assert SERVICE.paths.create(model, False) == f"/generation/{model}"
    assert SERVICE.paths.model_of(SERVICE.paths.create(model, True)) == model


@pytest.mark.parametrize(
    "model", ["", "/", "a//b", "../x", "a/..", "a b", "a?b", "a#b", "a/", "@evil.example", "a\\b", "%2e"]
)
def test_what_is_no_model_is_refused(model):
    with pytest.raises(ValueError):
        SERVICE.paths.create(model, False)


@pytest.mark.parametrize("generation_id, path", [("a/b", "/generation/a%2Fb"), ("a:b@c", "/generation/a%3Ab%40c")])
def test_an_id_cannot_leave_its_place_in_a_path(generation_id, path):
    assert SERVICE.paths.read(generation_id) == path
