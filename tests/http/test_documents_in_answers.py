"""What JSON an answer holds, however it is wrapped."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediakit.http import documents

JOB = {"id": "gen_1", "status": "IN_QUEUE", "input": {"prompt": 'a "tin" boat, [小舟] {x}', "n": 1}}
TEXT = json.dumps(JOB).encode()
PRETTY = json.dumps(JOB, indent=2).encode()
EVENT = b"data: " + TEXT

# name -> body; the first value with an id must be the job
WHOLE = {
    "as it should be": TEXT,
    "indented": PRETTY,
    "a byte order mark": b"\xef\xbb\xbf" + TEXT,
    "UTF-16 with a mark": json.dumps(JOB, ensure_ascii=False).encode("utf-16"),
    "UTF-16 little endian": json.dumps(JOB).encode("utf-16-le"),
    "UTF-16 big endian": json.dumps(JOB).encode("utf-16-be"),
    "UTF-32": json.dumps(JOB).encode("utf-32"),
    "blanks around it": b"\r\n\n  " + TEXT + b"\n\n\x00",
    "JSON lines": TEXT + b"\n" + b'{"progress":1}\n',
    "JSON lines, the last one cut": TEXT + b"\n" + b'{"progr',
    "JSON sequence (RFC 7464)": b"\x1e" + TEXT + b"\n\x1e" + b'{"progress":1}\n',
    "one after another": TEXT + TEXT,
    "an array of one": b"[" + TEXT + b"]",
    "JSON in a text": json.dumps(TEXT.decode()).encode(),
    "a guard against scripts": b")]}',\n" + TEXT,
    "a call of a script": b"/**/ jQuery.cb_1(" + TEXT + b");\n",
    "an event": EVENT + b"\n\n",
    "an event with a name": b"event: submitted\nid: 3\n" + EVENT + b"\n\n",
    "an event after a comment": b": hello\n\n" + EVENT + b"\n\n",
    "events ended by one line end": EVENT + b"\n" + EVENT + b"\n",
    "events ended by one CR": EVENT + b"\r" + EVENT + b"\r",
    "an event without an end": EVENT,
    "an event without a blank": b"data:" + TEXT + b"\n\n",
    "an indented event": b"".join(b"data: " + line + b"\n" for line in PRETTY.split(b"\n")) + b"\n",
    "an event of no JSON before it": b"data: warming up\n\n" + EVENT + b"\n\n",
}
CUT = {
    "behind the id": b'{"id":"gen_1",',
    "behind a line end in a text": b'{"prompt":"a\nb\x01","id":"gen_1","status":"IN_QU',
    "by a comma too many": b'{"id":"gen_1","status":"IN_QUEUE",}',
    "by a comma too many in an array": b'{"id":"gen_1","x":[1,],"status":"IN_QUEUE"}',
    "inside the status": b'{"id":"gen_1","status":"IN_QU',
    "at the id's end": b'{"id":"gen_1"',
    "inside a number": b'{"id":"gen_1","n":12',
    "inside a word": b'{"id":"gen_1","done":tru',
    "inside an object": b'{"id":"gen_1","input":{"prompt":"a","n":',
    "inside an array": b'{"id":"gen_1","urls":["https://a.invalid/x',
    "inside an escape": b'{"id":"gen_1","prompt":"a \\',
    "inside a character": '{"id":"gen_1","prompt":"小'.encode()[:-1],
    "inside an event": b'data: {"id":"gen_1","status":"IN_QU',
    "inside the second event": EVENT + b'\n\ndata: {"status":"COMP',
    "a whole prompt before the id": b'{"input":{"prompt":"a"},"id":"gen_1","sta',
}
NO_ID = {
    "nothing": b"",
    "blanks": b" \n\0",
    "half an id": b'{"id":"gen_',
    "half a number as id": b'{"id":17',
    "a key only": b'{"id"',
    "a page": b'<html><script>{"id":"gen_9"}</script>',
    "words": b'the id is {"id":"gen_9"}',
    "a comment": b": hi\n\n",
    "broken before the id": b'{"a":x,"id":"gen_9"}',
    "an array of two": b'[{"id":"gen_8"},{"id":"gen_9"}]',
    "the end of another object": b'"id":"gen_9"}',
}


def first_id(content: bytes):
    return next(
        (found["id"] for found in documents.documents(content) if isinstance(found, dict) and "id" in found), None
    )


@pytest.mark.parametrize("name", [*WHOLE, *CUT])
def test_the_id_is_found_however_the_answer_is_wrapped_or_cut(name):
    assert first_id({**WHOLE, **CUT}[name]) == "gen_1"


@pytest.mark.parametrize("name", NO_ID)
def test_no_id_is_made_up(name):
    assert first_id(NO_ID[name]) is None


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_answer_loses_nothing(name):
    assert JOB in documents.documents(WHOLE[name])


@given(st.integers(0, len(PRETTY)))
def test_a_cut_answer_says_nothing_that_the_whole_one_does_not(at):
    for found in documents.documents(PRETTY[:at]):
        assert all(JOB[name] == value or name == "input" for name, value in found.items())
        assert all(JOB["input"][name] == value for name, value in found.get("input", {}).items())


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(content):
    documents.documents(content)
    documents.documents(b"data: " + content)
    documents.documents(b'{"id":' + content)
    documents.read_json(content)
    documents.is_complete(content)
    documents.unwrapped(b"HTTP/1.1 200 OK\r\n" + content)
    documents.dechunked(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (TEXT, True), (TEXT + b"\n", True), (TEXT + b"\n" + TEXT, True), (EVENT + b"\n\n", True), (b"[1]", True),
        (TEXT[:-1], False), (TEXT + b"\n{", False), (EVENT, False), (b"", False), (b"12", False), (b"<html>", False),
        (b": comment\n\n", False), (b"data: hi\n\n", False),
    ],
)  # fmt: skip
def test_an_answer_can_be_over_once_its_json_is(content, expected):
    assert documents.is_complete(content) is expected


def test_what_is_nested_deeper_than_programs_read_counts_as_null():
    for depth in (99, 101, 982, 5000, 200_000):
        deep = b'{"id":"gen_1","x":' + b"[" * depth + b"]" * depth + b',"status":"COMPLETED"}'
        body, problem = documents.read_json(deep)
        assert (body["id"], body["status"], problem) == ("gen_1", "COMPLETED", "")
        json.dumps(body)
    body, _ = documents.read_json(
        b'{"id":"a","big":1' + b"0" * 400 + b',"float":1e999,"nan":NaN,"n":[' + b"{}," * 200 + b"1]}"
    )
    assert (body["big"], body["float"], body["nan"], len(body["n"])) == (None, None, None, 201)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
RAW = {
    "as it should be": (HEAD + TEXT, 200, TEXT),
    "line feeds only": (HEAD.replace(b"\r", b"") + TEXT, 200, TEXT),
    "no headers": (b"HTTP/1.1 200 OK\r\n\r\n" + TEXT, 200, TEXT),
    "no headers, line feeds": (b"HTTP/1.0 200\n\n" + TEXT, 200, TEXT),
    "interim answers": (
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HEAD + TEXT,
        200,
        TEXT,
    ),
    "an interim answer only": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", None, None),
    "a status line of another protocol": (HEAD.replace(b"HTTP/1.1", b"ICY") + TEXT, 200, TEXT),
    "no status line": (TEXT, None, TEXT),
    "a head without an end": (b"HTTP/1.1 200 OK\r\nA: b", 200, b""),
    "a line that is no header": (b"HTTP/1.1 200 OK\r\nnonsense\r\nA: b\r\n\r\n" + TEXT, 200, TEXT),
}


@pytest.mark.parametrize("name", RAW)
def test_an_answer_is_unwrapped_however_wrong_its_head_is(name):
    raw, status, body = RAW[name]
    found = documents.unwrapped(raw)
    assert (found[0], found[2]) == (status, body) if body is not None else found is None


def test_chunks_are_put_together_as_far_as_they_came():
    assert documents.dechunked(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n") == b"abcde"
    assert documents.dechunked(b"3\nabc\nA\nde") == b"abcde"
    assert documents.dechunked(TEXT) is None
