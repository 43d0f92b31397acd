"""Regular expressions of JSON Schema, which are ECMA-262's, in the words of Python's `re`. Pure."""

from __future__ import annotations

import functools
import re
import sys

from ..base.regex import regex

MAX_PATTERN = 2_000

_SPACE = r"\t\n\x0b\x0c\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_NOT_SPACE = (
    r"\x00-\x08\x0e-\x1f!-\x9f\xa1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e\u2060-\u2fff"
    r"\u3001-\ufefe\uff00-\U0010ffff"
)

_ESCAPE = regex(
    r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})"
    r"|x([0-9a-fA-F]{2})|c([A-Za-z])|([pP])\{([^{}]{1,40})\}|k<([A-Za-z_]\w*)>|(.))",
    re.DOTALL | re.ASCII,
)
_QUANTIFIER = regex(r"\{\d+(?:,\d*)?\}", re.ASCII)
_NAMED_GROUP = regex(r"\(\?<(?=[A-Za-z_])")
# `/^…$/i`, as a pattern stands in a program; to the letter, nothing could match it.
_LITERAL = regex(r"/(\^.*\$)/([a-z]*)", re.DOTALL)
_SAME = frozenset("dDwWbBtnrfv0123456789")
# Python's and PCRE's anchors, which JavaScript does not know: whoever writes them means them.
_ANCHORS = {"A": r"\A", "Z": r"\Z", "z": r"\Z"}


def translated(pattern: str) -> str | None:
    """The pattern in the words of Python's `re` with its ASCII flag, or None where it has no words for it."""
    if len(pattern) > MAX_PATTERN:
        return None
    literal = _LITERAL.fullmatch(pattern)
    if literal:
        return translated(literal[1]) if literal[2] in ("", "u", "g") else None
    parts: list[str] = []
    at, in_class = 0, False
    while at < len(pattern):
        part, at, in_class = _next_part(pattern, at, in_class)
        if part is None:
            return None
        parts.append(part)
    return None if in_class else "".join(parts)


def _next_part(pattern: str, at: int, in_class: bool) -> tuple[str | None, int, bool]:
    sign = pattern[at]
    if sign == "\\":
        found = _ESCAPE.match(pattern, at)
        return (_escape(found, in_class), found.end(), in_class) if found else (None, at, in_class)
    if in_class:
        # Python warns of these, since they may mean more one day.
        return ("\\" + sign if sign in "[&|~" else sign), at + 1, sign != "]"
    if sign == "[":
        for empty, meant in (("[^]", r"[\s\S]"), ("[]", r"(?!)")):
            if pattern.startswith(empty, at):
                return meant, at + len(empty), False
        start = "[^" if pattern.startswith("[^", at) else "["
        return start, at + len(start), True
    if sign == "{" and not _QUANTIFIER.match(pattern, at):
        return r"\{", at + 1, False
    if sign == "(" and _NAMED_GROUP.match(pattern, at):
        return "(?P<", at + 3, False
    return {"$": r"\Z", ".": r"[^\n\r\u2028\u2029]"}.get(sign, sign), at + 1, False


def _escape(found: re.Match, in_class: bool) -> str | None:
    braced, high, low, four, two, control, kind, category, name, plain = found.groups()
    if kind:
        return _category(category, kind == "P", in_class)
    if name:
        return f"(?P={name})"
    if plain:
        return _plain_escape(plain, in_class)
    if high:
        code = 0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00
    else:
        code = ord(control) % 32 if control else int(braced or four or two, 16)
    return f"\\U{code:08x}" if code <= sys.maxunicode else None


def _plain_escape(sign: str, in_class: bool) -> str | None:
    if sign in "sS":
        inside = _SPACE if sign == "s" else _NOT_SPACE
        return inside if in_class else f"[{inside}]"
    if sign == "b" and in_class:
        return r"\x08"
    if sign in _ANCHORS:
        return None if in_class else _ANCHORS[sign]
    if sign in _SAME:
        return "\\" + sign
    return None if sign.isalpha() else re.escape(sign)


def _category(name: str, negated: bool, in_class: bool) -> str | None:
    """`\\p{L}` as the ranges of its characters; None for what unicodedata does not know (a script, say)."""
    wanted = _LONG_NAMES.get(name, name).rpartition("=")[2]
    ranges = _ranges(wanted, negated) if re.fullmatch("[A-Z][a-z]?", wanted) else ""
    return (ranges if in_class else f"[{ranges}]") if ranges else None


_LONG_NAMES = {
    "Letter": "L", "Lowercase_Letter": "Ll", "Uppercase_Letter": "Lu", "Mark": "M", "Number": "N",
    "Decimal_Number": "Nd", "Punctuation": "P", "Symbol": "S", "Separator": "Z", "Other": "C",
}  # fmt: skip


@functools.lru_cache(maxsize=16)
def _ranges(wanted: str, negated: bool) -> str:
    import unicodedata

    found: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)).startswith(wanted) != negated:
            if found and found[-1][1] == code - 1:
                found[-1][1] = code
            else:
                found.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in found)
