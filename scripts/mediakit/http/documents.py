"""What JSON an answer holds, however it is wrapped. Pure.

    read_json    the one JSON value that a body is
    text_of      a body's text, in whichever encoding JSON can have
    documents    every JSON value in a body: one after another, a line each, as events, cut in the middle
    is_complete  whether a body holds all of at least one of them, and nothing unfinished
    unwrapped    status, headers and body of an answer as it came off the socket

An id that was paid for counts however imperfect its envelope is. What is found here is a candidate, which a
read of the job confirms; no more of it is believed.
"""

from __future__ import annotations

import json
import re

from ..base.regex import regex

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import Any

_BLANK = " \t\r\n\ufeff\x00\x1e"
_LONGEST_WORDS = 100_000
_LONGEST_NUMBER = 300
_DEEPEST = 100
# Most values of a body to look at, and most characters of one that was cut off.
_MOST_DOCUMENTS = 1000
_LARGEST_BEGUN = 1024 * 1024

_EVENT = regex(r"(data|event|id|retry)?:|data\s*$", re.M)
# What some services put before their JSON, so that no page can include it as a script, or so that every page can.
_GUARD = regex(r"\)\]\}',?|while\s*\(1\);|for\s*\(;;\);|(/\*\*/\s*)?[A-Za-z_$][\w$.]{0,99}\s*\((?=\s*[{\[])")


def _finite(text: str) -> float | None:
    value = float(text)
    return value if abs(value) < float("inf") else None


def _whole(text: str) -> int | None:
    # Nothing that is counted is that large; some of what is computed with it could not be.
    return int(text) if len(text) <= _LONGEST_NUMBER else None


# What is no JSON number, or none that this program could write again, counts as null. Services repeat what they were
# asked with its line ends as they are: no reason to lose the id beside it.
_JSON = json.JSONDecoder(parse_constant=lambda word: None, parse_float=_finite, parse_int=_whole, strict=False)


def text_of(content: bytes) -> str:
    """The text of a body; what cannot be decoded is replaced. A charset that a header names is not asked: the
    bytes of JSON tell theirs (RFC 4627, 3), and headers are wrong more often."""
    return content.decode(json.detect_encoding(content), "replace")


def read_json(content: bytes) -> tuple[Any, str]:
    """`(value, "")`, or `(None, what it is instead)`. Never raises, whatever the bytes are.

    What lies deeper than a hundred levels counts as null.
    """
    text = text_of(content).lstrip(_BLANK)
    if not text:
        return None, "an empty answer"
    if text.startswith("<"):
        return None, "an HTML page instead of JSON"
    try:
        return _decoded(text.rstrip(_BLANK)), ""
    except ValueError:
        return None, "truncated or broken JSON" if text[0] in "{[" else text[:_LONGEST_WORDS]


def _decoded(text: str) -> Any:
    """Raises ValueError for what is no JSON."""
    if text.count("{") + text.count("[") > _DEEPEST:
        text = _shallow(text)
    return _JSON.decode(text)


_TOKEN = regex(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^"{}\[\]]+', re.S)


def _shallow(text: str) -> str:
    """The same JSON with null in place of what is nested too deep for any program that reads it after us."""
    depth, start, kept = 0, 0, []
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in "{[":
            depth += 1
            if depth == _DEEPEST + 1:
                kept.append(text[start : token.start()] + "null")
        elif word in "}]":
            if depth == _DEEPEST + 1:
                start = token.end()
            depth -= 1
    if not kept:
        return text
    return "".join(kept) + text[start:]


# -- answers that hold more or less than one value ---------------------------------------------------------


def documents(content: bytes, begun: bool = True) -> list:
    """Every JSON value of a body in the order in which they came.

    begun  whether what is complete of a value that was cut counts too
    """
    text = text_of(content).strip(_BLANK)
    guard = _GUARD.match(text)
    if guard:
        text = text[guard.end() :].lstrip(_BLANK)
    found = _in_events(content, begun) if _EVENT.match(text) else _in_sequence(text, begun)
    return [inner for value in found[:_MOST_DOCUMENTS] for inner in _inside(value, begun)]


def _inside(value, begun: bool) -> list:
    """A value, or the one that it wraps: an array of one, or a text that is JSON itself."""
    if isinstance(value, list) and len(value) == 1:
        return [value, value[0]]
    if isinstance(value, str) and value.lstrip(_BLANK).startswith("{"):
        return _in_sequence(value.strip(_BLANK), begun)
    return [value]


def _in_sequence(text: str, begun: bool) -> list:
    found: list = []
    at = 0
    while at < len(text) and len(found) < _MOST_DOCUMENTS:
        try:
            value, at = _JSON.raw_decode(text, at)
        except (ValueError, RecursionError):
            rest = _begun(text[at : at + _LARGEST_BEGUN]) if begun else None
            return found if rest is None else [*found, rest]
        found.append(value)
        while at < len(text) and text[at] in _BLANK + ",":
            at += 1
    return found


def _in_events(content: bytes, begun: bool) -> list:
    from . import sse

    decoder = sse.Decoder()
    try:
        # Without the blank line that ends it, the last event never comes.
        data = [event.data for event in decoder.feed(content)] + [decoder.pending]
    except sse.EventTooLarge:
        return []
    return [value for text in data for value in _in_sequence(text.strip(_BLANK), begun)]


_PART = regex(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|(?:true|false|null)\b|-?[0-9][0-9.eE+-]*|[ \t\r\n]+', re.S)


def _begun(text: str):
    """What is complete in an object or array that was cut somewhere; None where nothing is.

    A text counts only with its last quotation mark, a number only with what follows it: half an id is none.
    """
    closers: list[str] = []
    safe, at = None, 0
    is_value, is_number, last = False, False, ""
    while len(closers) <= _DEEPEST and (part := _PART.match(text, at)):
        word, at = part[0], part.end()
        if word.isspace():
            continue
        if word == "," and is_number:
            safe = part.start(), "".join(reversed(closers))
        is_number = is_value and word[0] in "-0123456789"
        if word in "{[":
            closers.append("}" if word == "{" else "]")
        elif word in "}]" and (last == "," or not closers or closers.pop() != word):
            break
        last = word
        if word in "}]" or (is_value and word[0] in '"tfn'):
            safe = at, "".join(reversed(closers))
        # In an object only what follows a colon is a value.
        is_value = word == ":" or (word in ",[" and closers[-1:] == ["]"])
    if safe is None:
        return None
    try:
        return _decoded(text[: safe[0]] + safe[1])
    except (ValueError, RecursionError):
        return None


def is_complete(content: bytes) -> bool:
    """Whether a body can be over: it is one JSON value, or several, or whole events of it, without a rest."""
    text = text_of(content).strip(_BLANK)
    if _EVENT.match(text):
        return bool(_in_events(content, False)) and content.replace(b"\r\n", b"\n").endswith((b"\n\n", b"\r\r"))
    at = 0
    while at < len(text):
        try:
            _, at = _JSON.raw_decode(text, at)
        except (ValueError, RecursionError):
            return False
        while at < len(text) and text[at] in _BLANK:
            at += 1
    return text[:1] in ("{", "[", '"')


def looks_like_events(content: bytes) -> bool:
    """Whether a body begins as an event stream does, whatever its header says."""
    return bool(_EVENT.match(text_of(content[:64]).lstrip(_BLANK)))


# -- answers whose envelope is broken --------------------------------------------------------------------------


def unwrapped(raw: bytes) -> tuple[int | None, list[tuple[str, str]], bytes] | None:
    """`(status, headers, body)` of an answer as it came off the socket, however wrong its head is; None for nothing.

    Interim answers (1xx) are passed over. Without a status line there is no status, and all of it is the body.
    """
    while raw:
        first = re.match(rb"\s*(?:HTTP[/0-9.]*|ICY)[ \t]+([0-9]{3})\b[^\n]*\n", raw)
        if first is None:
            return None, [], raw
        end = re.compile(rb"(\r?\n)?\r?\n").search(raw, first.end()) if raw[first.end() :][:1] in b"\r\n" else None
        end = end or re.compile(rb"\r?\n\r?\n|\Z").search(raw, first.end())
        assert end is not None  # \Z is always there
        lines, body = raw[first.end() : end.start()], raw[end.end() :]
        if not first[1].startswith(b"1"):
            pairs = (line.partition(":") for line in lines.decode("latin-1").split("\n"))
            return int(first[1]), [(name.strip(), value.strip()) for name, colon, value in pairs if colon], body
        raw = body
    return None


def dechunked(content: bytes) -> bytes | None:
    """The bytes within chunks, as far as they came; None for a body that does not begin with one."""
    found, at = b"", 0
    while line := re.compile(rb"\s*([0-9A-Fa-f]{1,8})[ \t]*(;[^\n]*)?\r?\n").match(content, at):
        size = int(line[1], 16)
        if not size:
            break
        found += content[line.end() : line.end() + size]
        at = line.end() + size
    return found or None
