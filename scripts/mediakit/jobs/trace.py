"""The file of --trace: every request and answer, without secrets and of bounded size."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from ..base import errors, private
from ..console import Console

_LARGEST_RECORD = 64 * 1024


class Trace:
    """Appends records to a file. What cannot be written must not cost the answer that it was about: it only warns."""

    def __init__(self, console: Console, path: str):
        """Raises Failure 2 for a file that cannot be written."""
        self._console = console
        self._has_failed = False
        try:
            self._handle = private.open_to_append(path)
        except OSError as problem:
            raise errors.bad_argument("--trace", f"expected a file that can be written: {problem.strerror}") from None

    def recorder(self) -> Callable[[dict], None]:
        """A callable for the records of one job's requests; it never raises."""
        unfinished = b""

        def record(what: dict) -> None:
            nonlocal unfinished
            if "chunk" in what:
                # A secret that two chunks share would not be recognised in either: only whole lines are kept.
                lines, newline, unfinished = (unfinished + what["chunk"]).rpartition(b"\n")
                what = {"chunk": lines + newline}
            self._write(what)

        return record

    def _write(self, what: dict) -> None:
        if self._has_failed:
            return
        text = self._console.redactor.text(json.dumps(what, default=self._readable))
        try:
            os.write(self._handle, (text + "\n").encode("utf-8", "replace"))
        except OSError as problem:
            self._has_failed = True
            self._console.say(f"warning: the trace ends here, it cannot be written: {problem.strerror}")

    def _readable(self, value: bytes) -> str:
        return self._console.redactor.text(value.decode("utf-8", "replace"))[:_LARGEST_RECORD]
