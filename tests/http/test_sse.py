"""The decoder of Server-Sent Events: the rules in a table of our own, and the public cases where they are."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import data_folder
from mediakit.http.sse import Decoder, EventTooLarge

# name, bytes, events as (name, data)
RULES = [
    ("LF ends a line", b"data: a\n\n", [("message", "a")]),
    ("CRLF ends a line", b"data: a\r\n\r\n", [("message", "a")]),
    ("CR ends a line", b"data: a\r\rdata: b\r\r", [("message", "a"), ("message", "b")]),
    ("ends may be mixed", b"data: a\r\n\ndata: b\n\r\n", [("message", "a"), ("message", "b")]),
    ("one byte order mark is dropped", b"\xef\xbb\xbfdata: a\n\n", [("message", "a")]),
    ("a second one is not", b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
    ("several data lines are joined", b"data: a\ndata: b\n\n", [("message", "a\nb")]),
    ("one space is dropped, not two", b"data:  a\n\n", [("message", " a")]),
    ("a field without a colon is empty", b"data\n\n", [("message", "")]),
    ("an event without data is none", b"event: ping\n\n", []),
    ("a comment is none", b": data: a\n\n", []),
    ("the name lasts for one event", b"event: x\ndata: a\n\ndata: b\n\n", [("x", "a"), ("message", "b")]),
    ("the last event counts only when it is ended", b"data: a\n\ndata: b\n", [("message", "a")]),
    ("unknown fields are ignored", b"foo: 1\ndata: a\n\n", [("message", "a")]),
    ("field names are told by case", b"Data: a\n\n", []),
    ("broken UTF-8 is replaced", b"data: \xff\n\n", [("message", "\ufffd")]),
]


def decode(*chunks: bytes):
    decoder = Decoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


@pytest.mark.parametrize("stream, expected", [row[1:] for row in RULES], ids=[row[0] for row in RULES])
def test_rule(stream, expected):
    assert [(event.name, event.data) for event in decode(stream)] == expected


@pytest.mark.parametrize("stream", [row[1] for row in RULES], ids=[row[0] for row in RULES])
def test_a_stream_may_be_cut_at_every_byte(stream):
    assert decode(*(stream[at : at + 1] for at in range(len(stream)))) == decode(stream)


LINES = st.sampled_from(
    ["data: é€😀", "data", "data:x", "event: done", "id: 7", "id: a\0b", ": c", "retry: 5", "", "", "x"]
)


@given(st.lists(st.tuples(LINES, st.sampled_from(["\n", "\r", "\r\n"]))), st.lists(st.integers(0, 400)))
def test_where_a_stream_is_cut_changes_nothing(lines, cuts):
    stream = "".join(line + end for line, end in lines).encode()
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    assert decode(*(stream[a:b] for a, b in zip(edges, edges[1:]))) == decode(stream)


def test_an_event_that_grows_without_end_is_refused():
    for piece in (b"data: " + b"x" * 50, b"data: xxxxxxxxx\n"):
        decoder = Decoder(largest_event=100)
        with pytest.raises(EventTooLarge):
            for _ in range(20):
                decoder.feed(piece)


def test_what_the_end_of_a_stream_cut_off_can_still_be_looked_at():
    decoder = Decoder()
    assert decoder.feed(b'data: {"id":\ndata: "g1"}') == []
    assert decoder.pending == '{"id":\n"g1"}'


def test_the_last_event_id_and_the_retry_time_are_kept():
    decoder = Decoder()
    events = decoder.feed(b"retry: 250\nid: 1\ndata: a\n\ndata: b\n\nretry: 9x\n")
    assert [event.last_event_id for event in events] == ["1", "1"]
    assert decoder.retry == 250


def test_the_public_cases():
    cases = json.loads((data_folder("sse") / "cases.json").read_text(encoding="utf-8"))
    assert len(cases) == 177
    wrong = []
    for case in cases:
        decoder = Decoder()
        events = [event for chunk in case["chunks_b64"] for event in decoder.feed(base64.b64decode(chunk))]
        found = [{"event": e.name, "data": e.data, "lastEventId": e.last_event_id} for e in events]
        if (found, decoder.retry) != (case["expected"], case["retry"]):
            wrong.append(case["id"])
    assert wrong == []
