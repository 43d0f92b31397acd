"""JSON Pointers (RFC 6901): where a thing stands in a JSON value. Pure.

tokens  the names and numbers of a pointer
escaped, unescaped  a name as it stands in one, and back
point   the value there, None for nothing
placed  the same in an answer, where a header can hold it
first   the value at the first of several pointers that leads somewhere
put     write a value there, with the objects and arrays on the way
"""

from __future__ import annotations

import functools

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


@functools.lru_cache(maxsize=2048)  # a descriptor's pointers are asked for with every answer
def tokens(pointer: str) -> tuple[str, ...]:
    """`/a~1b/0` is `("a/b", "0")`; the empty pointer, the whole value, has none."""
    return tuple(unescaped(token) for token in pointer.split("/")[1:])


def unescaped(token: str) -> str:
    """The name that one token of a pointer is."""
    return token.replace("~1", "/").replace("~0", "~")


def escaped(name: str) -> str:
    """A name as it stands in a pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def point(value: Any, pointer: str) -> Any:
    """The value at a pointer; None where nothing, or null, is there."""
    for token in tokens(pointer):
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and token.isdecimal() and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return value


def placed(place: str | dict, body: Any, headers: Any = None) -> Any:
    """What stands at a place of an answer, a pointer into its body or `{"header": NAME}`; None for nothing."""
    return (headers or {}).get(place["header"]) if isinstance(place, dict) else point(body, place)


def first(value: Any, pointers: str | Iterable[str]) -> Any:
    """The value at the first of several pointers that leads somewhere; None for none."""
    for at in [pointers] if isinstance(pointers, str) else pointers:
        found = point(value, at)
        if found is not None:
            return found
    return None


def put(value: dict, pointer: str, item: Any) -> None:
    """Write `item` into an object that the caller owns; `-`, and the number after the last, append to an array.

    Objects and arrays that are missing on the way are made: an array where a number or `-` follows.
    Raises ValueError where something else than an object or array stands in the way.
    """
    *parents, last = tokens(pointer)
    node: Any = value
    for token, following in zip(parents, [*parents[1:], last]):
        node = _child(node, token, [] if following == "-" or following.isdecimal() else {})
    _child(node, last, item, replaces=True)


def _child(node: Any, token: str, new: Any, replaces: bool = False) -> Any:
    """What stands at a token, `new` where nothing does."""
    if isinstance(node, dict):
        if replaces or node.get(token) is None:
            node[token] = new
        return node[token]
    if not isinstance(node, list) or not (token == "-" or token.isdecimal()):
        raise ValueError("expected an object or a list there")
    number = len(node) if token == "-" else int(token)
    if number > len(node):
        raise ValueError("expected a list that is long enough")
    if number == len(node):
        node.append(new)
    elif replaces:
        node[number] = new
    return node[number]
