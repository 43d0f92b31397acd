"""Long base64 of an answer lies on disk while everything else reads the answer."""

from __future__ import annotations

import base64
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mediakit.console import Console
from mediakit.http import held
from mediakit.jobs import kept

LONG = base64.b64encode(random.Random(1).randbytes(600_000)).decode()


def slimmed(raw: bytes, length: int = 65536) -> bytes:
    slimming = held.Slimming()
    for at in range(0, len(raw), length):
        slimming.feed(raw[at : at + length])
    return slimming.finish()


# value -> whether some of it is held
VALUES = {
    "base64": ({"id": "gen_1", "data": [{"b64_json": LONG}], "usage": {"total": 1}}, True),
    "two": ([LONG, {"a": LONG[::-1].strip("=")}], True),
    "a data: URL": ({"url": f"data:image/png;base64,{LONG}"}, True),
    "base64url": ({"a": LONG.replace("+", "-").replace("/", "_").rstrip("=")}, True),
    "folded": ({"a": "\n".join(LONG[at : at + 76] for at in range(0, len(LONG), 76))}, True),
    "short base64": ({"a": LONG[:10_000]}, False),
    "a long text": ({"text": 'a "tin" boat\\ ' * 50_000}, False),
    "long keys and numbers": ({"k" * 5000: [1] * 100_000}, False),
    "quotation marks at the end": ({"a": '\\"', "b": LONG, "c": '"'}, True),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("length", [1000, 65536, 65537, 10**7])
@pytest.mark.parametrize("slashes", [False, True], ids=["plain", "escaped slashes"])
def test_an_answer_is_small_and_says_the_same(name, length, slashes):
    value, is_held = VALUES[name]
    raw = json.dumps(value).encode()
    if slashes:
        raw = raw.replace(b"/", b"\\/")
    content = slimmed(raw, length)
    assert (len(content) < 300_000) == is_held or not is_held
    assert (b"(held:" in content) == is_held
    assert b"".join(held.whole(content)) == raw

    def restored(value):
        if isinstance(value, str):
            return "".join(held.pieces(value))
        if isinstance(value, dict):
            return {key: restored(item) for key, item in value.items()}
        return [restored(item) for item in value] if isinstance(value, list) else value

    assert restored(json.loads(content)) == value


def test_a_stand_in_lives_through_what_a_text_goes_through():
    (text,) = json.loads(slimmed(json.dumps([LONG]).encode()))
    assert len(text) < 200 and "".join(held.pieces(f"data:image/png;base64,{text.strip()}")).endswith(LONG)


def test_an_answer_that_does_not_fit_is_kept_with_all_that_is_held_of_it(tmp_path, monkeypatch):
    monkeypatch.setenv("AI_MEDIA_HOME", str(tmp_path))
    raw = json.dumps({"odd": [LONG]}).encode()
    path = kept.keep(Console("a test"), None, slimmed(raw))
    with open(path, "rb") as file:
        assert file.read() == raw


def test_no_service_can_name_what_is_held():
    text = "(held:00000000000000000000000000000000:0)"
    assert "".join(held.pieces(text)) == text


def test_a_text_that_was_cut_is_held_as_far_as_it_came():
    raw = json.dumps({"id": "gen_1", "b64_json": LONG}).encode()[:500_000]
    content = slimmed(raw)
    assert len(content) < 1000 and b"".join(held.whole(content)) == raw


@given(some.binary(max_size=300), some.integers(1, 50))
def test_whatever_comes_comes_back(raw, length):
    assert b"".join(held.whole(slimmed(raw, length))) == raw


# -- streams -----------------------------------------------------------------------------------------------


def streamed(raw: bytes, length: int) -> bytes:
    slimming = held.SlimmingLines()
    pieces = [slimming.through(raw[at : at + length]) for at in range(0, len(raw), length)]
    return b"".join([*pieces, slimming.finish()])


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("length", [1000, 65536])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_an_event_is_small_and_says_the_same(name, length, end):
    value, is_held = VALUES[name]
    # What is no JSON before it, with a quotation mark too many, does not hide what follows.
    raw = f'data: not "json{end}{end}event: done{end}data: {json.dumps(value)}{end}{end}: "{end}'.encode()
    content = streamed(raw, length)
    assert (b"(held:" in content) == is_held and (len(content) < 300_000 or not is_held)
    assert b"".join(held.whole(content)) == raw


def test_an_event_is_passed_on_as_it_comes_and_nothing_is_held_back_of_a_line_that_is_cut():
    slimming = held.SlimmingLines()
    assert slimming.through(b'data: {"id":"gen_1"}\n\n') == b'data: {"id":"gen_1"}\n\n'
    assert slimming.through(b'data: {"id":') == b'data: {"id":'
    assert slimming.through(b'"gen_') + slimming.finish() == b'"gen_'


@given(some.binary(max_size=300), some.integers(1, 50))
def test_whatever_streams_comes_through(raw, length):
    assert b"".join(held.whole(streamed(raw, length))) == raw
