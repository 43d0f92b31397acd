"""JSON files: those that come with the skill, each read once a process; JSON that people write, and where in it what is.

load     the value in a file
part     the same without members that are not wanted, which need not be read
written  the value that somebody wrote, strictly read
line_of  the line of one part of a JSON text
"""

from __future__ import annotations

import json
import os

from .regex import regex
from .text import is_flat

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from typing import Any

# Deeper than anybody writes; recursive readers rely on this limit.
_DEEPEST = 100
_read: dict[str, tuple[tuple[int, int, int], Any]] = {}


def load(path: str) -> Any:
    """The value in a JSON file; everybody gets the same one, and nobody changes it.

    A file that was replaced meanwhile is read again. Raises OSError, and ValueError for what is no JSON.
    """
    found = os.stat(path)
    stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
    known = _read.get(path)
    if known is None or known[0] != stamp:
        with open(path, "rb") as file:
            known = stamp, json.loads(file.read().decode())
        _read[path] = known
    return known[1]


def part(path: str, member: str, names: Container[str], unless: str) -> Any:
    """What `load` gives of a file that comes with the skill, without those members of `member` that are not wanted.

    Large files of many parts are laid out with a space a level, so that what is not wanted need not be read.

    names   of members that are wanted
    unless  what else is wanted has not this text in it
    Raises as `load` does.
    """
    if path in _read:
        return load(path)
    with open(path, "rb") as file:
        content = file.read()
    head = f'\n "{member}": {{'.encode()
    start = content.find(head) + len(head)
    end, kept = content.find(b"\n }", start), []
    while start < end:
        first, start = start, content.find(b"\n  }", start, end) + len(b"\n  }")
        is_wanted = content.find(unless.encode(), first, start) < 0
        if is_wanted or content[first : content.find(b'": ', first)].decode().strip(' \n"') in names:
            kept.append(content[first:start])
        start += len(",")
    return json.loads(content[: content.find(head)] + head + b",".join(kept) + content[end:])


class NameTwice(ValueError):
    """A name stands twice in one object: to most readers the last one wins, and nobody knows which was meant."""


def written(text: str) -> Any:
    """The one JSON value of a text; raises NameTwice, other ValueErrors (NaN and infinities are no JSON), RecursionError."""
    value = json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_once)
    if not is_flat(value, _DEEPEST):
        raise RecursionError("it is nested too deep")
    return value


def _finite(text: str) -> float:
    """1e999 is a number to JSON, and infinity to who reads it; nobody could write it again."""
    value = float(text)
    if not abs(value) < float("inf"):  # nor what is no number, which is below nothing
        _no_constant(text)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NameTwice(f"the name {json.dumps(twice[:60])} stands twice in one object")
    return found


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


_BLANK = regex(r"[ \t\r\n]*")


def line_of(text: str, path: Iterable[str | int]) -> int:
    """The line, counted from 1, on which a part of a JSON text begins: a member's name, or an item of a list.

    path  names and numbers from the outside in; where it leads nowhere, the last part that is there counts
    """
    begin = at = _after_blank(text, 0)
    for step in path:
        found = _part(text, at, step)
        if found is None:
            break
        begin, at = found
    return text.count("\n", 0, begin) + 1


def _part(text: str, at: int, step: str | int) -> tuple[int, int] | None:
    """Where a part of the object or list at `at` begins, and where its value does; None where it is not there."""
    opening = text[at]
    if opening not in "{[":
        return None
    at, number = _after_blank(text, at + 1), 0
    while text[at] not in "}]":
        begin: int = at
        name: str | int = number
        if opening == "{":
            name, at = _decoder.raw_decode(text, at)
            at = _after_blank(text, _after_blank(text, at) + 1)
        if name == step:
            return begin, at
        _, at = _decoder.raw_decode(text, at)
        at, number = _after_blank(text, at), number + 1
        if text[at] == ",":
            at = _after_blank(text, at + 1)
    return None


def _after_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


_decoder = json.JSONDecoder()
