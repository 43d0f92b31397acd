"""Regular expressions of contracts: in JavaScript's dialect, and from anybody.

    matches    True, False, or None where it cannot be told

JSON Schema's patterns are ECMA-262's. `translated` says one in the words of Python's `re`, or None.
Some patterns make `re` try more ways than there is time for, and a thread that is in there cannot be
stopped. So what `ways` cannot show to be quick is matched by a program of its own (match.py), which is
ended when the time is up. That costs nothing for nearly all real patterns, needs no package, and
keeps look-arounds, which engines without backtracking do not have.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import queue
import re
import sys
import threading
import time
import warnings
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    import subprocess

MAX_PATTERN = 2_000
MAX_TEXT = 100_000
# Ways through a pattern that are tried right here; `re` takes some ten million a second.
MAX_WAYS = 1_000_000
# Seconds for all patterns of one command that are matched by the program.
PATIENCE = 2.0
QUICK = 0.02

_SPACE = r"\t\n\x0b\x0c\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_NOT_SPACE = (
    r"\x00-\x08\x0e-\x1f!-\x9f\xa1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e\u2060-\u2fff"
    r"\u3001-\ufefe\uff00-\U0010ffff"
)


def matches(pattern: str, text: str) -> bool | None:
    """Whether a contract's pattern is found in `text`; None where that cannot be told.

    None: another dialect, longer than is read, or not answered within what is left of `PATIENCE`.
    """
    known = _compiled(pattern)
    if known is None or len(text) > MAX_TEXT:
        return None
    if known.ways(len(text)) <= MAX_WAYS:
        return known.search(text)
    return _program.ask(known.text, text)


# --- from JavaScript's dialect to Python's ----------------------------------------------------------

_ESCAPE = re.compile(
    r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})"
    r"|x([0-9a-fA-F]{2})|c([A-Za-z])|([pP])\{([^{}]{1,40})\}|k<([A-Za-z_]\w*)>|(.))",
    re.DOTALL | re.ASCII,
)
_QUANTIFIER = re.compile(r"\{\d+(?:,\d*)?\}", re.ASCII)
_NAMED_GROUP = re.compile(r"\(\?<(?=[A-Za-z_])")
# `/^…$/i`, as a pattern stands in a program; to the letter, nothing could match it.
_LITERAL = re.compile(r"/(\^.*\$)/([a-z]*)", re.DOTALL)
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


# --- how long a pattern can take --------------------------------------------------------------------

_TOKEN = re.compile(
    r"\\.|\[\^?(?:\\.|[^\]\\])*\]|(?P<group>\()|(?P<closed>\))|(?P<either>\|)"
    r"|(?P<often>[*+]|\{(?P<least>\d+)(?P<more>,(?P<most>\d*))?\})|(?P<maybe>\?)|.",
    re.DOTALL,
)


class _Compiled:
    """A pattern that `re` knows, compiled when it is first searched for."""

    def __init__(self, text: str, can_repeat_group: bool, unbounded: int, factor: int):
        self.text = text
        self._can_repeat_group, self._unbounded, self._factor = can_repeat_group, unbounded, factor

    def ways(self, length: int) -> float:
        """At most so many ways are tried in a text of `length` characters; without end for repeated groups."""
        return float("inf") if self._can_repeat_group else self._factor * (length + 1) ** max(1, self._unbounded)

    @functools.cached_property
    def _expression(self) -> re.Pattern:
        return re.compile(self.text, re.ASCII)

    def search(self, text: str) -> bool:
        return bool(self._expression.search(text))


@functools.lru_cache(maxsize=512)
def _compiled(pattern: str) -> _Compiled | None:
    text = translated(pattern)
    if text is None:
        return None
    found = _judged(text)
    if found.ways(0) == float("inf"):
        return found  # even compiling it is left to the program
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found.search("")
        except (re.error, OverflowError, RecursionError):
            return None
    return found


def _judged(text: str) -> _Compiled:
    """Counts what multiplies in a pattern: repeats without an end, and choices between few.

    A repeated group can hold both and multiply them by themselves; so can what refers to a group.
    """
    repeats_group = re.search(r"\(\?P=|\\[1-9]", text) is not None
    unbounded, factor, branches, after_group = 0 if text.startswith("^") else 1, 1, [1], False
    for token in _TOKEN.finditer(text):
        if token["group"]:
            branches.append(1)
        elif token["either"]:
            branches[-1] += 1
        elif token["closed"] and len(branches) > 1:
            factor *= branches.pop()
        elif token["often"] and after_group:
            repeats_group = True
        elif token["maybe"]:
            factor *= 2
        elif token["often"] and (token["least"] is None or token["more"]):
            spread = int(token["most"]) - int(token["least"]) + 1 if token["most"] else 0
            unbounded += not 0 < spread <= 64
            factor *= spread if 0 < spread <= 64 else 1
        after_group = bool(token["closed"] or (token["maybe"] and after_group))
    if branches[0] > 1:
        unbounded, factor = unbounded + 1, factor * branches[0]  # only one branch has the anchor
    return _Compiled(text, repeats_group, unbounded, factor)


# --- the program ------------------------------------------------------------------------------------


class _Program:
    """match.py, started when it is first needed, and ended when it takes too long."""

    def __init__(self):
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._answers: queue.SimpleQueue = queue.SimpleQueue()
        self._left = PATIENCE
        self._known: dict[tuple[str, str], bool | None] = {}

    def ask(self, pattern: str, text: str) -> bool | None:
        with self._lock:
            if (pattern, text) not in self._known:
                self._known[pattern, text] = self._asked(pattern, text) if self._left > 0 else None
            return self._known[pattern, text]

    def _asked(self, pattern: str, text: str) -> bool | None:
        began = time.monotonic()
        try:
            process = self._process or self._start()
            ask = cast(IO[bytes], process.stdin)
            ask.write(json.dumps([pattern, text]).encode() + b"\n")
            ask.flush()
            line = self._answers.get(timeout=self._left)
            # What is answered at once costs nothing, else a long batch would use up the time by itself.
            self._left -= max(0.0, time.monotonic() - began - QUICK)
        except (OSError, queue.Empty):  # it may not be started here, or is still at it
            line, self._left = b"", 0.0
        if not line:
            self._end()
            return None
        return json.loads(line)

    def _start(self) -> subprocess.Popen:
        import subprocess

        command = [sys.executable, "-I", "-S", "-B", os.path.join(os.path.dirname(__file__), "match.py")]
        # Nothing of this process's environment is needed there, its keys least of all.
        environment = {name: os.environ[name] for name in ("SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self._process, self._answers = process, queue.SimpleQueue()
        atexit.register(self._end)
        threading.Thread(target=_read_lines, args=(process.stdout, self._answers), daemon=True).start()
        return process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(OSError):  # what it has not read is lost with it
                cast(IO[bytes], self._process.stdin).close()
            self._process.wait()
            self._process = None
            atexit.unregister(self._end)


def _read_lines(stream, answers: queue.SimpleQueue) -> None:
    for line in stream:
        answers.put(line)
    answers.put(b"")


_program = _Program()
