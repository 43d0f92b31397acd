"""When two JSON values are equal. Pure."""

from __future__ import annotations

from typing import Any


def same(one: Any, other: Any) -> bool:
    """JSON equality: 1 and true are different, 1 and 1.0 are not."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def distinct_key(value: Any) -> Any:
    """Equal for values that are equal in JSON, and for no others; hashable."""
    if isinstance(value, list):
        return ("array", tuple(map(distinct_key, value)))
    if isinstance(value, dict):
        return ("object", frozenset((name, distinct_key(item)) for name, item in value.items()))
    return (isinstance(value, bool), value)
