"""Regular expressions of contracts: in JavaScript's dialect, and from anybody.

    matches    True, False, or None where it cannot be told

Some patterns make `re` try more ways than there is time for, and a thread that is in there cannot be
stopped. So what `ways` cannot show to be quick is matched by a program of its own (match.py), which is
ended when the time is up. That costs nothing for nearly all real patterns, needs no package, and
keeps look-arounds, which engines without backtracking do not have.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
import time
import warnings
from _thread import allocate_lock  # threading's; most runs start no thread

from ..base.regex import regex
from .dialect import translated

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    import queue
    import subprocess

MAX_TEXT = 100_000
# Ways through a pattern that are tried right here; `re` takes some ten million a second.
MAX_WAYS = 1_000_000
# Seconds for all patterns of one command that are matched by the program.
PATIENCE = 2.0
QUICK = 0.02


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


# --- how long a pattern can take --------------------------------------------------------------------

_TOKEN = regex(
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
        self._lock = allocate_lock()
        self._process: subprocess.Popen | None = None
        self._answers: queue.SimpleQueue | None = None
        self._left = PATIENCE
        self._known: dict[tuple[str, str], bool | None] = {}

    def ask(self, pattern: str, text: str) -> bool | None:
        with self._lock:
            if (pattern, text) not in self._known:
                self._known[pattern, text] = self._asked(pattern, text) if self._left > 0 else None
            return self._known[pattern, text]

    def _asked(self, pattern: str, text: str) -> bool | None:
        from queue import Empty

        began = time.monotonic()
        try:
            process = self._process or self._start()
            assert process.stdin is not None and self._answers is not None, "_start makes both"
            process.stdin.write(json.dumps([pattern, text]).encode() + b"\n")
            process.stdin.flush()
            line = self._answers.get(timeout=self._left)
            # What is answered at once costs nothing, else a long batch would use up the time by itself.
            self._left -= max(0.0, time.monotonic() - began - QUICK)
        except (OSError, Empty):  # it may not be started here, or is still at it
            line, self._left = b"", 0.0
        if not line:
            self._end()
            return None
        return json.loads(line)

    def _start(self) -> subprocess.Popen:
        import atexit
        import queue
        import subprocess
        import threading

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
            import atexit
            import contextlib

            self._process.kill()
            assert self._process.stdin is not None, "it was asked for"
            with contextlib.suppress(OSError):  # what it has not read is lost with it
                self._process.stdin.close()
            self._process.wait()
            self._process = None
            atexit.unregister(self._end)


def _read_lines(stream, answers: queue.SimpleQueue) -> None:
    for line in stream:
        answers.put(line)
    answers.put(b"")


_program = _Program()
