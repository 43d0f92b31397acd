"""The descriptor language: what its rules make of answers. No service is named here."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediakit.services import answers, descriptor
from mediakit.services.provider import Provider

LEAST = {
    "id": "demo",
    "name": "Demo",
    "origins": {"api": "https://api.example.com"},
    "base_path": "/v1",
    "key": {"variable": "DEMO_KEY", "header": "X-Key"},
    "create": [{"path": "/make"}],
    "job": {"id": {"at": "/id"}, "read": {"path": "/jobs/{id}"}},
    "states": [
        {"state": "failed", "at": "/error"},
        {"state": "succeeded", "at": "/done", "is": [True]},
        {"state": "succeeded", "at": "/status", "is": ["COMPLETED"]},
        {"state": "queued", "at": "/status", "is": ["WAITING", 0]},
        {"state": "running", "at": "/status", "is": ["WORKING"]},
    ],
    "outputs": [{"each": "/files", "url": "/url"}],
    "errors": {"message": ["/message"]},
}


def service(**more) -> Provider:
    return Provider({**LEAST, **more})


# an answer -> status, state, whether it is a guess
STATES = [
    ({"status": "COMPLETED"}, ("COMPLETED", "succeeded", False)),
    ({"status": " completed "}, ("completed", "succeeded", False)),
    ({"status": "COMPLETED", "error": "no such file"}, ("COMPLETED", "failed", False)),
    ({"status": "COMPLETED", "error": None}, ("COMPLETED", "succeeded", False)),
    ({"done": True}, ("true", "succeeded", False)),
    ({"done": "true"}, ("true", None, False)),
    ({"done": 1}, (None, None, False)),
    ({"done": True, "error": {"code": 3}}, ("true", "failed", False)),
    ({"status": 0}, ("0", "queued", False)),
    ({"status": False}, (None, None, False)),
    ({"status": "POLISHING"}, ("POLISHING", None, False)),
    ({"status": "SUCCESS"}, ("SUCCESS", None, False)),
    ({"status": "SUCCESS", "files": [{"url": "https://a/1"}]}, ("SUCCESS", "succeeded", True)),
    ({"status": "succeed", "files": [{"url": "https://a/1"}]}, ("succeed", "succeeded", True)),
    ({"status": "Ready", "files": [{"url": "https://a/1"}]}, ("Ready", "succeeded", True)),
    ({"status": "Ready", "files": [{"url": "file:///a"}]}, ("Ready", None, False)),
    ({"status": "POLISHING", "files": [{"url": "https://a/1"}]}, ("POLISHING", None, False)),
    ({"status": "WORKING", "files": [{"url": "https://a/1"}]}, ("WORKING", "running", False)),
    ({}, (None, None, False)),
    (None, (None, None, False)),
]


@pytest.mark.parametrize("body, expected", STATES)
def test_the_first_rule_that_fits_says_how_the_job_is(body, expected):
    found = service().answers.reading(body)
    assert (found.status, found.state, found.is_guessed) == expected


def test_a_rule_can_hold_only_for_an_answer_without_results():
    states = [
        {"state": "failed", "at": "/reason", "is": ["SAFETY"], "unless_outputs": True},
        {"state": "succeeded", "at": "/reason"},
    ]
    own = service(states=states)
    assert own.answers.reading({"reason": "SAFETY"}).state == "failed"
    assert own.answers.reading({"reason": "SAFETY", "files": [{"url": "https://a/1"}]}).state == "succeeded"


def test_a_create_that_answers_with_its_result_is_over_without_a_status():
    own = service(create=[{"path": "/make", "answers": "done"}], outputs=[{"each": "/data", "base64": "/b64"}])
    body = {"data": [{"b64": "aGVsbG8="}]}
    assert own.answers.reading(body, of_create=True).state == "succeeded"
    assert own.answers.reading(body).state is None and own.answers.reading({"data": []}, of_create=True).state is None


def test_progress_and_place_in_the_queue_are_told_where_they_are_numbers():
    own = service(progress="/progress", position="/place")

    def read(**body):
        found = own.answers.reading(body)
        return found.progress, found.position

    assert read(status="WORKING", progress=0.5) == (0.5, None)
    assert read(status="WAITING", place=3) == (None, 3)
    for odd in (
        {"progress": 7},
        {"progress": "0.5"},
        {"progress": True},
        {"place": -1},
        {"place": "3"},
        {"place": 1.5},
    ):
        assert read(status="WORKING", **odd) == (None, None)


HELLO = base64.b64encode(b"hello").decode()
# rules, answer -> what is found of each output
OUTPUTS = [
    ([{"each": "/f", "url": "/u"}], {"f": [{"u": "https://a/1"}, {"u": "https://a/2"}, {"u": 5}]}, [{"url": "https://a/1"}, {"url": "https://a/2"}]),
    ([{"each": "/f"}], {"f": ["https://a/1", "gopher://a", "https://a/1"]}, [{"url": "https://a/1"}]),
    ([{"each": "/f"}], {"f": "https://a/1"}, [{"url": "https://a/1"}]),
    ([{"one": "/f", "url": "/u"}], {"f": {"u": "https://a/1"}}, [{"url": "https://a/1"}]),
    ([{"each": "/f", "url": "/u", "media_type": "/t"}], {"f": {"u": "https://a/1", "t": "video/mp4"}}, [{"url": "https://a/1", "type": "video", "media_type": "video/mp4"}]),
    ([{"walk": "/o"}], {"o": {"m": "https://a/1", "n": [{"x": "https://a/2", "y": "text"}]}}, [{"url": "https://a/1"}, {"url": "https://a/2"}]),
    ([{"walk": "/o", "url": "/u"}], {"o": {"u": "https://a/1", "n": "https://a/2"}}, [{"url": "https://a/1"}]),
    ([{"each": "/f"}, {"each": "/g"}], {"f": [], "g": ["https://a/1"]}, [{"url": "https://a/1"}]),
    ([{"each": "/f", "base64": "/b", "media_type": "/t"}], {"f": [{"b": HELLO, "t": "image/png"}]}, [{"url": f"data:image/png;base64,{HELLO}", "type": "image", "media_type": "image/png"}]),
    ([{"each": "/f", "base64": "/b", "format": {"of": "body", "at": "/format", "else": "png"}}], {"f": [{"b": HELLO}], "format": "webp"}, [{"url": f"data:image/webp;base64,{HELLO}", "type": "image", "media_type": "image/webp"}]),
    ([{"each": "/f", "base64": "/b", "format": {"of": "body", "at": "/format", "else": "png"}}], {"f": [{"b": HELLO}]}, [{"url": f"data:image/png;base64,{HELLO}", "type": "image", "media_type": "image/png"}]),
    ([{"each": "/f", "base64": "/b"}], {"f": [{"b": ""}, {"b": 5}, {}]}, []),
    ([{"text": "/text"}], {"text": "hello"}, [{"url": f"data:text/plain;charset=utf-8;base64,{HELLO}", "type": "text", "media_type": "text/plain", "text": "hello"}]),
    ([{"text": "/text"}], {"text": ["hel", "lo"]}, [{"url": f"data:text/plain;charset=utf-8;base64,{HELLO}", "type": "text", "media_type": "text/plain", "text": "hello"}]),
    ([{"text": "/text"}], {"text": ["a", 1]}, []),
    ([{"each": "/f", "url": "/u", "with_key": True}], {"f": [{"u": "https://a/1"}]}, [{"url": "https://a/1", "with_key": True}]),
    ([{"each": ["/steps", "/parts"], "where": [{"at": "/kind", "is": ["out"]}, {"at": "/type", "is": ["video"]}], "url": "/u"}],
     {"steps": [{"kind": "in", "parts": [{"type": "video", "u": "https://a/0"}]}, {"kind": "out", "parts": [{"type": "text", "u": "https://a/t"}, {"type": "video", "u": "https://a/1"}]}, {"kind": "out"}]},
     [{"url": "https://a/1"}]),
    ([{"each": "/f", "where": {"at": "/main", "is": [True]}, "url": "/u"}], {"f": [{"main": "true", "u": "https://a/0"}, {"main": True, "u": "https://a/1"}]}, [{"url": "https://a/1"}]),
    ([{"each": "/f", "url": "/u", "width": "/w", "duration": "/d"}], {"f": [{"u": "https://a/1", "w": 64, "d": "long"}]}, [{"url": "https://a/1", "width": 64}]),
]  # fmt: skip


@pytest.mark.parametrize("rules, body, expected", OUTPUTS)
def test_the_first_rule_that_finds_something_says_what_the_results_are(rules, body, expected):
    assert service(outputs=rules).answers.outputs(body) == expected


# what a service calls a file -> what its data: URL says
TYPES = [
    ("image/png", "image/png"), ("IMAGE/PNG", "image/png"), ("image/png, text/plain", "image/png"),
    ("audio/l16;codec=pcm;rate=24000", "audio/l16;codec=pcm;rate=24000"), ("image/png;a=b,c", "image/png;a=b"),
    ("png", "application/octet-stream"), ("", "application/octet-stream"), (None, "application/octet-stream"),
    (5, "application/octet-stream"), ("image/png\r\nX: y", "image/png"),
]  # fmt: skip


@pytest.mark.parametrize("said, told", TYPES, ids=range(len(TYPES)))
def test_what_a_file_is_called_never_becomes_a_part_of_it(said, told):
    in_body = service(outputs=[{"each": "/f", "base64": "/b", "media_type": "/t"}])
    (found,) = in_body.answers.outputs({"f": [{"b": HELLO, "t": said}]})
    assert found["url"] == f"data:{told};base64,{HELLO}"
    if isinstance(said, str):
        assert answers.file_in(b"hello", said)["url"] == f"data:{told.partition(';')[0]};base64,{HELLO}"


# rules, the answer -> how many results: a text without a word is one where nothing but a text can stand
SILENCE = [
    ([{"text": "/text"}], {"text": ""}, 1),
    ([{"text": "/text"}], {"text": " \n"}, 1),
    ([{"text": "/text"}], {"text": None}, 0),
    ([{"text": "/text"}], {}, 0),
    ([{"text": "/text"}], {"text": []}, 0),
    ([{"each": "/data", "base64": "/b64"}, {"text": "/text"}], {"text": ""}, 1),
    ([{"text": "/a"}, {"text": "/b"}], {"a": "", "b": "words"}, 1),
    ([{"walk": "/output"}, {"text": "/output"}], {"output": ""}, 0),
    ([{"each": "/parts", "text": "/text"}], {"parts": [{"text": ""}]}, 0),
]


@pytest.mark.parametrize("rules, body, number", SILENCE)
def test_nobodys_speech_is_a_text_without_a_word(rules, body, number):
    found = service(outputs=rules).answers.outputs(body)
    assert len(found) == number and all(one["type"] == "text" for one in found)


def test_an_address_is_made_from_an_id_by_whoever_knows_where_the_service_is():
    rules = descriptor.output_rules({"outputs": [{"path": "/videos/{id}/content", "with_key": True}]})
    assert answers.outputs(rules, {}) == []
    made = answers.outputs(rules, {}, lambda path, _: "https://api.example.com" + path.replace("{id}", "7"))
    assert made == [{"url": "https://api.example.com/videos/7/content", "with_key": True}]


def test_an_address_without_its_beginning_is_a_path_and_nothing_else():
    rules = descriptor.output_rules({"outputs": [{"each": "/files", "relative_to": "base"}]})
    told = [
        "//localhost/1.png",
        "/\\localhost/1.png",
        "javascript:x",
        "a:b/1.png",
        "\\\\a/1.png",
        "a\tb.png",
        "\uff0f/localhost/\\1.png",
        "1.png\n/x",
        "",
    ]
    assert answers.outputs(rules, {"files": told}, lambda path, to: f"https://api.example.com/{path}") == []
    found = answers.outputs(
        rules, {"files": ["1.png", "/2.png", " ./3.png?a=b:c "]}, lambda path, to: f"https://{to}/{path}"
    )
    assert [one["url"] for one in found] == ["https://base/1.png", "https://base//2.png", "https://base/./3.png?a=b:c"]


COSTS = [
    {"header": "x-units", "of": "result", "unit": "units"},
    {"at": "/cost/credits", "of": "read", "unit": "credits", "is": "final"},
    {"at": "/cents", "of": "read", "unit": "usd", "each": 0.01},
    {"at": "/estimate", "of": "create", "unit": "credits", "is": "most"},
]


@pytest.mark.parametrize(
    "body, headers, told",
    [
        ({}, {"x-units": "1.5"}, "1.5 units"),
        ({"cost": {"credits": 25}}, None, "25 credits"),
        ({"cents": 4}, {}, "0.04 usd"),
        ({"cost": {"credits": 0}}, None, "0 credits"),
        ({"cost": {"credits": -1}}, {"x-units": "-1"}, "None"),
        ({"cost": {"credits": "25"}}, {"x-units": "many"}, "25 credits"),
        ({"cost": {"credits": "25 or so"}}, None, "None"),
        ({"cost": {"credits": "-1"}}, None, "None"),
        ({"estimate": 30}, None, "None"),
    ],
)
def test_what_a_job_has_cost_stands_in_the_answer_or_a_header(body, headers, told):
    assert str(service(cost=COSTS).bills.cost(body, headers)) == told


def test_the_most_that_a_job_can_cost_is_something_else():
    assert str(service(cost=COSTS).bills.ceiling({"estimate": 30, "cost": {"credits": 25}})) == "30 credits"


ERRORS = {
    "code": [{"in": "/detail", "like": r"\((E[0-9]{3,4})\)"}, "/error/code", {"header": "x-error-type"}],
    "message": ["/detail", "/error/message"],
    "issues": {"each": "/issues", "path": "/path", "message": "/message"},
    "code_categories": {"_QUOTA": "insufficient_credits", "blocked": "validation", "E005": "validation"},
    "outcomes": {"blocked": "rejected"},
}


@pytest.mark.parametrize(
    "status, body, headers, expected",
    [
        (400, {"error": {"code": "blocked", "message": "no"}}, {}, ("validation", "no", "blocked", "rejected")),
        (500, {"error": {"code": "blocked", "message": "no"}}, {}, ("validation", "no", "blocked", "rejected")),
        (429, {"error": {"code": "DAILY_QUOTA", "message": "no"}}, {}, ("insufficient_credits", "no", "DAILY_QUOTA", None)),
        (500, {"detail": "flagged (E005)"}, {}, ("validation", "flagged (E005)", "E005", None)),
        (400, {"detail": "no"}, {"x-error-type": "blocked"}, ("validation", "no", "blocked", "rejected")),
        (418, {"detail": "no", "error": {"code": "unblocked"}}, {}, ("unknown", "no", "unblocked", None)),
        (408, {"detail": "late"}, {}, ("transient", "late", "", "unknown")),
        (422, {"detail": "bad", "issues": [{"path": ["a", 0], "message": "is missing"}, {"message": "odd"}, 5]}, {}, ("validation", "bad: a.0: is missing; odd", "", None)),
    ],
)  # fmt: skip
def test_an_error_is_read_by_its_code_its_header_and_its_status(status, body, headers, expected):
    own = service(errors=ERRORS, status_outcomes={"408": "unknown"})
    found = own.refusals.verdict(status, body, headers=headers)
    assert (found.category, found.message, found.code, found.outcome) == expected


# task, model, fields of the request -> the path
CREATE = [
    {"tasks": ["i2i"], "models": "own-[0-9]{1,3}", "path": "/edit", "file": "/image"},
    {"tasks": ["tts"], "path": "/speech"},
    {"models": "far/.*", "path": "/models/{model}"},
    {"path": "/make"},
]


@pytest.mark.parametrize(
    "task, model, fields, path",
    [
        ("i2i", "own-1", (), "/edit"),
        ("i2i", "other", (), "/make"),
        ("t2i", "own-1", (), "/make"),
        (None, "own-1", ("image",), "/edit"),
        (None, "own-1", ("prompt",), "/make"),
        (None, "own-1x", ("image",), "/make"),
        ("tts", "far/away", (), "/speech"),
        (None, "far/away", (), "/models/far/away"),
        ("t2v", "far/away:1", (), "/models/far/away:1"),
    ],
)
def test_the_first_route_that_fits_is_taken(task, model, fields, path):
    assert service(create=CREATE).paths.create(model, False, task, fields) == path


def test_a_task_without_a_route_is_told():
    with pytest.raises(ValueError, match="no way"):
        service(create=[{"tasks": ["t2i"], "path": "/make"}]).paths.create("a/b", False, "tts")


def test_a_path_is_filled_with_what_may_stand_in_one():
    job = {**LEAST["job"], "namespaces": {"workflows": 3}}
    own = service(job=job)
    assert own.paths.filled("/{model:2}/requests/{id}", "fal-ai/kling/v3/pro", "7") == "/fal-ai/kling/requests/7"
    assert (
        own.paths.filled("/{model:2}/requests/{id}", "workflows/me/mine/deep", "7") == "/workflows/me/mine/requests/7"
    )
    assert own.paths.filled("/models/{owner}/{name}", "me/mine:" + "0" * 64) == "/models/me/mine"
    assert own.paths.filled("/jobs/{id}", generation_id="a/b") == "/jobs/a%2Fb"
    slashes = service(job={"id": {"at": "/id", "like": "[a-z/]{1,9}"}, "read": {"path": "/{id}"}})
    assert slashes.paths.read("a/b") == "/a/b"
    with pytest.raises(ValueError):
        own.paths.filled("/jobs/{id}", generation_id="../x")
    with pytest.raises(ValueError):
        own.paths.filled("/{model:2}/requests/{id}", None, "7")


ANY = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text() | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "status", "done", "files", "url", "error", "message", "code", "cost"]), inner
        )
    ),
)


@given(ANY)
def test_no_answer_is_too_strange_for_any_rule(body):
    rules = [rule for rules, _, _ in OUTPUTS for rule in rules]
    own = service(outputs=rules, cost=COSTS, errors=ERRORS, progress="/cost", position="/done", trace_id="/id")
    own.answers.reading(body, of_create=True)
    own.answers.outputs(body)
    own.bills.cost(body, {})
    own.refusals.verdict(400, body, headers={})
    own.refusals.trace_id(body)
    own.refusals.failure(body)


# Content-Type of an answer that is no JSON -> whether it can be the result itself
BODIES = [
    ("audio/mpeg", True), ("image/png", True), ("text/plain; charset=utf-8", True), ("application/octet-stream", True),
    ("", True), ("application/json", False), ("application/json; charset=utf-8", False), ("Application/JSON", False),
    ("application/problem+json", False), ("text/html", False), ("text/html; charset=utf-8", False),
]  # fmt: skip


@pytest.mark.parametrize("media_type, is_file", BODIES)
def test_damaged_json_and_a_page_are_no_file(media_type, is_file):
    assert answers.can_be_file(media_type) is is_file
