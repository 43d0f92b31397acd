"""The events of one command, and what people read meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from ..base import codes, errors
from ..base.redactor import Redactor
from ..base.text import is_flat, plain, to_line
from ..base.times import rfc3339
from . import signals

# Built by our own code, so a short key that happens to be a word in a path must not break them.
_OWN_FIELDS = frozenset(("event", "time", "next_command", "next_argv", "path", "provenance", "script"))


class ClosedPipe(Exception):
    """Nobody reads stdout any more."""


class Console:
    """The events of one command.

    emit      one event, at once
    result    the last event; it carries the exit code, which is returned
    warning   something to know, work goes on
    say       a line on stderr alone
    status    the live line on a terminal's stderr
    on_signal called with the signal's number; raises Interrupted unless a runner replaced it
    about_job what a result must tell about the job that was under way when something went wrong
    """

    def __init__(self, script: str):
        self.script = script
        self.redactor = Redactor()
        self.ended = False
        self.on_signal: Callable[[int], None] = self._raise_interrupted
        self.about_job: Callable[[], dict] = dict
        self._live = bool(sys.stderr and sys.stderr.isatty())
        self._line_shown = False

    @staticmethod
    def _raise_interrupted(signal_number: int) -> None:
        raise errors.Interrupted(signal_number)

    def emit(self, event: str, **fields) -> None:
        head = {"event": event, "time": rfc3339(time.time())}
        kept = {name: value for name, value in fields.items() if value is not None}
        try:
            self._write({**head, **self._redacted(kept)})
        except RecursionError:
            flat = {
                name: value for name, value in kept.items() if not isinstance(value, (dict, list)) or is_flat(value)
            }
            self._write({**head, **self._redacted(flat), "response_omitted": True})

    def _redacted(self, fields: dict) -> dict:
        return {name: value if name in _OWN_FIELDS else self.redactor.value(value) for name, value in fields.items()}

    def _write(self, event: dict) -> None:
        line = (to_line(event) + "\n").encode()
        self.clear_status()
        try:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        except (OSError, ValueError, AttributeError) as problem:  # closed by the reader, or never open
            raise ClosedPipe from problem

    def result(self, event: str, exit_code: int, **fields) -> int:
        # From here the exit status is decided: a late signal must not contradict the last line.
        signals.ignore()
        self.emit(event, **fields, exit_code=exit_code)
        self.ended = True
        if self._live and fields.get("message"):
            self.say(f"{event}: {fields['message']}")
        return exit_code

    def failure(self, failure: errors.Failure, **more) -> int:
        """The `error` event of a Failure."""
        fields = {
            **self.about_job(),
            "error": failure.code,
            "category": failure.category,
            "message": failure.message,
            **failure.fields,
            **more,
        }
        fields["guidance"] = fields.get("guidance") or [codes.ERRORS[failure.code].way_out]
        return self.result("error", failure.exit_code, **fields)

    def plain(self, text: str, limit: int = 300) -> str:
        """Text from a service as one short line without secrets; cut only after they are out of it."""
        return plain(self.redactor.text(text), limit)

    def warning(self, code: str, message: str) -> None:
        self.emit("warning", code=code, message=message)
        self.say(f"warning: {message}")

    def say(self, text: str) -> None:
        """A line for people and for nobody else; never raises, and any thread may call it."""
        self.clear_status()
        self._show(plain(self.redactor.text(text), 2000) + "\n")

    @staticmethod
    def _show(text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            pass  # a diagnostic that is lost, with its terminal perhaps, is no reason to lose the job

    def status(self, text: str) -> None:
        if self._live:
            self._show("\r\x1b[K" + plain(self.redactor.text(text), 110))
            self._line_shown = True

    def clear_status(self) -> None:
        if self._line_shown:
            self._show("\r\x1b[K")
            self._line_shown = False
