"""A text that matches a regular expression, for the common ones. Pure."""

from __future__ import annotations

import re
from typing import Any

try:
    from re import _constants as constants
    from re import _parser as parser
except ImportError:  # Python 3.10
    import sre_constants as constants  # type: ignore[no-redef]
    import sre_parse as parser  # type: ignore[no-redef]

FILLER = "fill-in"
MAX_REPEAT = 256

_CATEGORY_SAMPLES = {
    constants.CATEGORY_DIGIT: "0",
    constants.CATEGORY_NOT_DIGIT: "x",
    constants.CATEGORY_SPACE: " ",
    constants.CATEGORY_NOT_SPACE: "x",
    constants.CATEGORY_WORD: "x",
    constants.CATEGORY_NOT_WORD: "-",
}
# Tried in this order where a class excludes characters.
_SAMPLES = "x0-_ .:/#~AZaz9"


class _Unsupported(Exception):
    """The expression holds something that is not generated for (a look-around, say)."""


def matching(pattern: str, least: int = 0) -> str | None:
    """A text of at least `least` characters that `pattern` matches, or None when none is found.

    Where the pattern leaves room, the text holds `FILLER` so that people see it is not a real value.
    """
    try:
        tree = parser.parse(pattern)
    except (re.error, OverflowError, RecursionError):
        return None
    for extra in (0, 1, least, 2 * least):
        try:
            text = _generate(tree, extra, {})
        except (_Unsupported, RecursionError):
            return None
        if len(text) >= least and re.search(pattern, text):
            return text
    return None


def _generate(tree: Any, extra: int, groups: dict[int, str]) -> str:
    return "".join(_one(operation, argument, extra, groups) for operation, argument in tree)


def _one(operation: Any, argument: Any, extra: int, groups: dict[int, str]) -> str:
    make = _MAKERS.get(operation)
    if make is None:
        raise _Unsupported
    return make(argument, extra, groups)


def _repeat(argument: Any, extra: int, groups: dict[int, str]) -> str:
    low, high, tree = argument
    room = min(high, MAX_REPEAT)
    if room >= len(FILLER) >= low and len(tree) == 1 and _takes_filler(tree):
        return FILLER + FILLER[-1] * max(0, min(extra, room) - len(FILLER))
    return _generate(tree, 0, groups) * min(max(low, min(extra, room)), MAX_REPEAT)


def _takes_filler(tree: Any) -> bool:
    operation, argument = tree[0]
    if operation is constants.ANY or operation is constants.NOT_LITERAL:
        return operation is constants.ANY or chr(argument) not in FILLER
    return operation is constants.IN and all(_in_class(argument, sign) for sign in FILLER)


def _in_class(items: Any, sign: str) -> bool:
    negated = any(operation is constants.NEGATE for operation, _ in items)
    return negated != any(_item_has(operation, argument, sign) for operation, argument in items)


def _item_has(operation: Any, argument: Any, sign: str) -> bool:
    if operation is constants.LITERAL:
        return ord(sign) == argument
    if operation is constants.RANGE:
        return argument[0] <= ord(sign) <= argument[1]
    return operation is constants.CATEGORY and _in_category(argument, sign)


def _in_category(category: Any, sign: str) -> bool:
    letters = {
        constants.CATEGORY_DIGIT: r"\d", constants.CATEGORY_NOT_DIGIT: r"\D", constants.CATEGORY_SPACE: r"\s",
        constants.CATEGORY_NOT_SPACE: r"\S", constants.CATEGORY_WORD: r"\w", constants.CATEGORY_NOT_WORD: r"\W",
    }  # fmt: skip
    return bool(re.match(letters[category], sign)) if category in letters else False


def _class(items: Any, extra: int, groups: dict[int, str]) -> str:
    listed = [chr(argument if operation is constants.LITERAL else argument[0]) for operation, argument in items
              if operation in (constants.LITERAL, constants.RANGE)]  # fmt: skip
    for sign in (*listed, *_SAMPLES):
        if _in_class(items, sign):
            return sign
    raise _Unsupported


def _group(argument: Any, extra: int, groups: dict[int, str]) -> str:
    number, _, _, tree = argument
    text = _generate(tree, extra, groups)
    if number is not None:
        groups[number] = text
    return text


_MAKERS = {
    constants.LITERAL: lambda argument, extra, groups: chr(argument),
    constants.NOT_LITERAL: lambda argument, extra, groups: next(sign for sign in _SAMPLES if ord(sign) != argument),
    constants.ANY: lambda argument, extra, groups: "x",
    constants.AT: lambda argument, extra, groups: "",
    # A look-ahead says what follows, and what follows is generated; the caller checks the whole.
    constants.ASSERT: lambda argument, extra, groups: "",
    constants.ASSERT_NOT: lambda argument, extra, groups: "",
    constants.IN: _class,
    constants.CATEGORY: lambda argument, extra, groups: _CATEGORY_SAMPLES[argument],
    constants.BRANCH: lambda argument, extra, groups: _generate(argument[1][0], extra, groups),
    constants.SUBPATTERN: _group,
    constants.MAX_REPEAT: _repeat,
    constants.MIN_REPEAT: _repeat,
    constants.GROUPREF: lambda argument, extra, groups: groups.get(argument, ""),
}
