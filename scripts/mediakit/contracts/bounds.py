"""How much of a document, a schema or a pattern is read before it is refused. Pure.

A document may come from anybody. Each bound is several times what the largest real ones need, and
together they keep a command below 512 MB and a few seconds, whatever it is given.
"""

from __future__ import annotations

import functools
from typing import Any, Callable, TypeVar

from .errors import ContractError

T = TypeVar("T")

# A whole document, and every further one that it refers to: bytes of text, values, levels.
# What a YAML alias or merge key repeats counts as often as it stands.
MAX_BYTES = 32 * 1024 * 1024
MAX_VALUES = 1_000_000
MAX_LEVELS = 200
MAX_DOCUMENTS = 200

# Digits of a number; JSON has no limit, and Python reads long ones in quadratic time.
MAX_DIGITS = 400

# One request body: schemas that it spreads over, and levels of them.
MAX_SCHEMAS = 50_000
MAX_SCHEMA_LEVELS = 64

# Steps in reading what one body says of its fields, and in checking one payload against it.
# Combined `anyOf`, `allOf` and `$ref` multiply; a real contract takes some thousands.
MAX_STEPS = 150_000

# A value that stands for what the caller has still to supply.
MAX_FILLER = 4_096


class Allowance:
    """What is left of `MAX_BYTES` and `MAX_VALUES` for the documents of one contract together."""

    def __init__(self):
        self._text, self._values = MAX_BYTES, MAX_VALUES

    def take(self, name: str, text: int, values: int) -> None:
        """Raises ContractError `document_too_large`; `name` is what the message calls the document."""
        self._text -= text
        self._values -= values
        if self._text < 0:
            raise ContractError("document_too_large", f"{name}: more than {MAX_BYTES // 2**20} MiB of contract.")
        if self._values < 0:
            words = f"{name}: a contract of more than {MAX_VALUES:,} values, or whose aliases multiply to as many."
            raise ContractError("document_too_large", words)


class Work:
    """Counts the steps of one piece of work, so that no schema keeps it going for ever."""

    def __init__(self, what: str, limit: int = MAX_STEPS):
        self._what, self.left = what, limit

    def step(self, count: int = 1) -> None:
        """Raises ContractError `document_too_large` once the limit is passed."""
        self.left -= count
        if self.left < 0:
            raise ContractError(
                "document_too_large", f"{self._what} takes too many steps: the contract's parts multiply each other."
            )


def ends_in_words(method: Callable[..., T]) -> Callable[..., T]:
    """Says a contract whose parts are nested beyond Python's stack as such: ContractError `document_too_deep`."""

    @functools.wraps(method)
    def ended(*words: Any, **more: Any) -> T:
        try:
            return method(*words, **more)
        except RecursionError:
            raise ContractError(
                "document_too_deep", "The request body's schemas lead on and on into each other."
            ) from None

    return ended


def is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects are nested more than `levels` deep."""
    here = [value]
    for _ in range(levels + 1):
        here = [
            part
            for one in here
            for part in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
            if isinstance(part, (dict, list))
        ]
        if not here:
            return False
    return True


def finite(text: str) -> float:
    """A number; one beyond what Python can hold becomes the largest that it can."""
    largest = 1.7976931348623157e308
    return max(-largest, min(largest, float(text)))
