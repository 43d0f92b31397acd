"""No line is longer than its bound, whatever a service put into it, and what a reader goes on with is always there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import validator
from mediakit.console import Console, bounds
from mediakit.console.events import Output

NEXT = {"next_command": "python3 jobs.py resume job_0123456789abcdef", "next_argv": ["python3", "jobs.py"]}
TERMINAL = {
    "ok": False,
    "source": "poll",
    "provider": "sandbox",
    "model": "owner/name",
    "job": "job_0123456789abcdef",
    "status": "FAILED",
    "state": "failed",
    "outputs": [],
    "elapsed_seconds": 1.5,
    "error": {"code": "nsfw", "message": "no"},
    **NEXT,
}
ERROR = {
    "error": "request_rejected",
    "category": "validation",
    "message": "m",
    "guidance": ["g"],
    "outcome": "rejected",
    **NEXT,
}


def deep(levels: int, inside="x"):
    for number in range(levels):
        inside = {"a": inside} if number % 2 else [inside]
    return inside


LONG = "a" * 300_000
# name -> what a service's answer holds
NASTY = {
    "a long text": LONG,
    "a long text of four bytes a character": "\U0001f600" * 40_000,
    "a text of control characters": "\x00" * 20_000,
    "lone surrogates": "\ud800" * 20_000,
    "one lone surrogate": {"a": "x\udfff"},
    "a long URL": "https://media.example/a?" + "b" * 20_000,
    "a long list": list(range(100_000)),
    "a list of long texts": [LONG[:5000]] * 40,
    "a list of lists": [[["x" * 50] * 50] * 50],
    "a wide object": {f"name{number}": number for number in range(20_000)},
    "an object of objects": {str(one): {str(two): {"x": LONG[:99]} for two in range(50)} for one in range(50)},
    "a long name": {LONG: 1},
    "deep": deep(900),
    "deeper than any parser": deep(100_000),
    "deep and wide": deep(20, [{"a": "b" * 300}] * 300),
    "a long number": 10**4000,
    "a number that no text can hold": 10**5000,
    "what is no number": [float("nan"), float("inf")],
    "names that end like ours": {"a": LONG, "a_omitted": "x"},
    "nothing": None,
    "empty": {},
}


def lines(capsys) -> list[str]:
    written = capsys.readouterr().out
    assert written.endswith("\n")
    return written.split("\n")[:-1]


def checked(line: str, limit: int) -> dict:
    assert len(line.encode()) < limit
    event = json.loads(line)
    problems = [problem.message for problem in validator("event").iter_errors(event)]
    assert not problems and list(event)[:2] == ["event", "time"], (problems, line[:400])
    return event


def told(console: Console, monkeypatch, capsys, event: str, code: int, **fields) -> dict:
    monkeypatch.setattr("mediakit.console.signals.ignore", lambda: None)
    assert console.result(event, code, **fields) == code
    (line,) = lines(capsys)
    return checked(line, console._limit)


PLACES = ("response", "usage", "status", "raw", "trace_id_of_theirs", "outputs_of_theirs")


@pytest.mark.parametrize(
    "output", [Output(), Output(verbose=True), Output(brief=True)], ids=["plain", "verbose", "brief"]
)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", NASTY)
def test_a_terminal_is_bounded_wherever_the_nasty_thing_stands(monkeypatch, capsys, name, place, output):
    console = Console("test")
    console.output = output
    value = NASTY[name] if place != "status" or isinstance(NASTY[name], str) else "FAILED"
    found = told(console, monkeypatch, capsys, "terminal", 10, **{**TERMINAL, "generation_id": "gen_1", place: value})
    assert (found["generation_id"], found["exit_code"]) == ("gen_1", 10)
    assert found["next_command"] == NEXT["next_command"] and found["error"]["code"] == "nsfw"


@pytest.mark.parametrize("field", ["message", "guidance", "problems", "candidates", "status", "generation_id"])
@pytest.mark.parametrize("text", [LONG, "\ud800" * 20_000, "\x00" * 20_000], ids=["long", "surrogates", "controls"])
def test_an_error_is_bounded_wherever_the_long_text_stands(monkeypatch, capsys, field, text):
    shapes = {"guidance": [text] * 3, "problems": [{"path": text, "message": text}] * 9, "candidates": [text]}
    fields = {**ERROR, field: shapes.get(field, text)}
    found = told(Console("test"), monkeypatch, capsys, "error", 22, **fields)
    assert (found["error"], found["outcome"], found["exit_code"]) == ("request_rejected", "rejected", 22)
    assert found["next_command"] == NEXT["next_command"] and found[field]
    if text is LONG and field != "problems":
        assert found[f"{field}_omitted"] is True


def test_what_is_left_out_is_told(monkeypatch, capsys):
    outputs = [{"url": f"https://media.example/{number}?{'s' * 400}", "type": "image"} for number in range(90)]
    fields = {**TERMINAL, "outputs": outputs, "response": {"x": LONG}}
    found = told(Console("test"), monkeypatch, capsys, "terminal", 10, **fields)
    assert found["response_omitted"] is True and "response" not in found
    assert 0 < len(found["outputs"]) == 90 - found["outputs_omitted"]
    long = [{"url": "https://media.example/?" + "s" * 20_000}]
    found = told(Console("test"), monkeypatch, capsys, "terminal", 10, **{**TERMINAL, "outputs": long})
    assert found["outputs"][0]["url_omitted"] is True and found["outputs"][0]["url"].endswith("…")


def test_a_text_that_was_cut_before_is_told_wherever_it_stands(monkeypatch, capsys):
    console = Console("test")
    words = f"HTTP 400: {console.plain(LONG)}"
    whole = f"HTTP 400: {console.plain('not whole…')}"
    for name, text, is_cut in (("message", words, True), ("message", whole, None)):
        found = told(console, monkeypatch, capsys, "error", 22, **{**ERROR, name: text})
        assert found[name].endswith("…") and "\u2060" not in found[name] and found.get("message_omitted") is is_cut
    failed = {**TERMINAL, "error": {"code": "nsfw", "message": words}}
    assert told(console, monkeypatch, capsys, "terminal", 10, **failed)["error"]["message_omitted"] is True
    console.warning("unlisted_status", words)
    console.warning("unlisted_status", words)
    assert capsys.readouterr().err.count("…\n") == 1, "the same is told once"


def test_a_services_own_name_for_the_answer_goes_first(monkeypatch, capsys):
    response = {"x": "a" * 9000}
    fields = {**TERMINAL, "response": response, "raw": response}
    found = told(Console("test"), monkeypatch, capsys, "terminal", 10, **fields)
    assert found["response"] == response and found["raw_omitted"] is True


def test_what_fits_is_left_as_it_is(monkeypatch, capsys):
    response = {"id": "g", "nested": deep(10), "list": list(range(200)), "text": "ä" * 2000}
    found = told(Console("test"), monkeypatch, capsys, "terminal", 10, **{**TERMINAL, "response": response})
    assert found["response"] == response and not [name for name in found if name.endswith("_omitted")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None, categories=("L", "C", "Z", "S", "N")), max_size=30),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=9), inner, max_size=6),
    max_leaves=30,
)  # fmt: skip


@given(JSON, st.integers(1, 3000), st.sampled_from([700, 2000, bounds.LINE]))
def test_any_value_any_number_of_times_is_bounded_and_valid(value, times, limit):
    head = {"event": "terminal", "time": "2026-01-01T00:00:00.000Z"}
    usage = bounds.cleaned([value] * times, str)
    line = bounds.line({**head, **TERMINAL, "usage": usage, "generation_id": "gen_1", "exit_code": 10}, limit)
    found = checked(line, limit)
    assert found["generation_id"] == "gen_1" and found["exit_code"] == 10 and found["next_command"]


@given(JSON)
def test_the_shape_of_what_is_cut_is_kept(value):
    line = bounds.line({"event": "x", "time": "t", "usage": [value, "a" * 2000]}, 1000)
    assert len(line.encode()) < 1000 and isinstance(json.loads(line)["usage"], list)
