"""The events of one command, and what people read meanwhile."""

from __future__ import annotations

import sys
import time

from ..base import errors
from ..base.record import record
from ..base.redactor import Redactor
from ..base.text import plain, visible
from ..base.times import rfc3339
from . import bounds, signals
from .brief import brief, lean

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..base.retry import Throttle

# Built by our own code: a short key that happens to be a word in a path must not break them.
_COMMANDS = frozenset(("next_command", "next_argv"))
_OWN_FIELDS = _COMMANDS | {"path", "provenance", "script", "files"}
# What a result tells of the job although an earlier event said it first; rows of a list are about many jobs.
_ROWS = ("job", "spent")
_ABOUT = ("provider", "model", "job", "generation_id", "practice")


@record
class Output:
    """The flags of the same names: one line in place of all, everything, and never lines for people in place of JSON."""

    brief: bool = False
    verbose: bool = False
    json: bool = True


class ClosedPipe(Exception):
    """Nobody reads stdout any more."""


# A key that was given for one run is not there for the command that goes on.
_FOR_THIS_RUN = "--key-stdin"
_NEEDS_KEY = "The next command needs the key again: add --key-stdin to it, or set the key's variable."


class Console:
    """The events of one command.

    emit      one event, at once
    result    the last event; it carries the exit code, which is returned
    warning   something to know, work goes on; the same is told once
    retry     a request is about to be sent again; the same cause is told every 15 s at most
    say       a line on stderr alone
    status    the live line on a terminal's stderr
    output    Output
    about     what is known of the job, and told where it belongs: provider, model, job, generation_id; practice, in
              every result; key_source, in `start`
    on_signal called with the signal's number; raises Interrupted unless a runner replaced it
    about_job what a result must tell about the job that was under way when something went wrong
    """

    def __init__(self, script: str):
        self.script = script
        self.redactor = Redactor()
        self.output = Output()
        self.about: dict = {}
        self.ended = False
        # Whether a signal has asked this process to stop.
        self.is_stopping = False
        self.on_signal: Callable[[int], None] = self._raise_interrupted
        self.about_job: Callable[[], dict] = dict
        self._throttles: dict[str, Throttle] = {}
        self._warned: set[tuple[str, str]] = set()
        self._live = _is_terminal(sys.stderr)
        self._line_shown = False
        self._status: str | None = None

    @staticmethod
    def _raise_interrupted(signal_number: int) -> None:
        raise errors.Interrupted(signal_number)

    def emit(self, event: str, **fields) -> None:
        if event == "start":
            fields.update((name, self.about.get(name)) for name in ("key_source", "practice"))
        self._tell(self._event(event, self._lean(event, fields)))

    def result(self, event: str, exit_code: int, **fields) -> int:
        # From here the exit status is decided: a late signal must not contradict the last line.
        signals.ignore()
        self._tell(self._result(event, {**fields, "exit_code": exit_code}))
        self.ended = True
        return exit_code

    def _result(self, event: str, fields: dict) -> dict:
        fields = self._lean(event, fields)
        if self.about.get("key_source") == _FOR_THIS_RUN and "next_command" in fields:
            fields = {**fields, "guidance": [*fields.get("guidance", ()), _NEEDS_KEY]}
        return self._event(event, {**fields, "practice": self.about.get("practice")})

    def _lean(self, event: str, fields: dict) -> dict:
        return fields if self.output.verbose else lean(event, fields)

    def _event(self, event: str, fields: dict) -> dict:
        """An event as it may be shown: without secrets, and without what cannot be seen."""
        told: dict[str, Any] = {"event": event, "time": rfc3339(time.time())}
        for name, value in fields.items():
            if name in bounds.WHOLE and not bounds.is_within(value, min(self._limit, bounds.WHOLE[name])):
                name, value = f"{name}_omitted", True
            told[name] = self._field(name, bounds.with_cuts(value))
            if bounds.is_cut(value):
                told[f"{name}_omitted"] = True
        told = {name: value for name, value in told.items() if value is not None}
        if event not in _ROWS:
            self.about.update((name, told[name]) for name in _ABOUT if name in told)
        return told

    def _field(self, name: str, value):
        if name in _OWN_FIELDS:
            return self._own(name, value)
        if name == "assets" and value:
            return [{key: self._field(key, inner) for key, inner in asset.items()} for asset in value]
        return self._cleaned(value)

    def _cleaned(self, value):
        return bounds.cleaned(value, lambda text: self.redactor.text(visible(text)))

    def _own(self, name: str, value):
        """What our own code built. It can hold a key after all, as a part of an address or of a folder's name: a
        command without it would be another one, and is left out."""
        words = value if isinstance(value, (list, tuple)) else [value]
        if not any(isinstance(word, str) and self.redactor.holds(word) for word in words):
            return value
        return None if name in _COMMANDS else self._cleaned(value)

    def _is_silent(self, event: dict) -> bool:
        return self.output.brief and "exit_code" not in event and event["event"] != "ready"  # a server has no end

    def _tell(self, event: dict) -> None:
        self.clear_status()
        before, self._status = self._status, event.get("status", self._status)
        instead = None
        if self._live:
            from . import people

            instead = people.in_place(event, before) if self.is_for_people else None
            lines = people.lines(event, before) if instead is None else instead
            for line in () if self._is_of_many(event) else lines:
                self.say(line)
        if instead is None and not self._is_silent(event):
            self._write(event)

    def _is_of_many(self, event: dict) -> bool:
        """Whether it is left out of what a person reads, who looks at several jobs."""
        return False

    @property
    def _limit(self) -> int:
        if self.output.brief:
            return bounds.BRIEF_LINE
        return bounds.VERBOSE_LINE if self.output.verbose else bounds.LINE

    @property
    def is_for_people(self) -> bool:
        """Whether a person reads both streams, so that the lines on stderr say it all."""
        return (
            self._live
            and not (self.output.brief or self.output.verbose or self.output.json)
            and _is_terminal(sys.stdout)
        )

    def _write(self, event: dict) -> None:
        if self.output.brief:
            event = brief(event, self.about)
        line = (bounds.line(event, self._limit) + "\n").encode()
        try:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        except (OSError, ValueError, AttributeError) as problem:  # closed by the reader, or never open
            raise ClosedPipe from problem

    def under_way(self) -> dict:
        """What about_job says; nothing where just that is at fault."""
        try:
            return self.about_job()
        except Exception:
            return {}

    def failure(self, failure: errors.Failure, **more) -> int:
        """The `error` event of a Failure."""
        fields = {
            **self.under_way(),
            "error": failure.code,
            "category": failure.category,
            "message": failure.message,
            **failure.fields,
            **more,
        }
        if not fields.get("guidance"):
            from ..base import codes

            fields["guidance"] = [codes.ERRORS[failure.code].way_out]
        return self.result("error", failure.exit_code, **fields)

    def plain(self, text: str, limit: int = 300) -> str:
        """Text from a service as one short line without secrets; cut only after they are out of it."""
        return plain(self.redactor.text(text), limit, bounds.CUT)

    def warning(self, code: str, message: str) -> None:
        if (code, message) in self._warned:
            return
        self._warned.add((code, message))
        self.emit("warning", code=code, message=message)
        self.say(f"warning: {message}")

    def retry(self, what: str, attempt: int, retry_in_seconds: float, message: str) -> None:
        from ..base.retry import Throttle

        throttle = self._throttles.setdefault(what, Throttle())
        if throttle.allows(message, time.monotonic()):
            told = {"attempt": attempt, "retry_in_seconds": retry_in_seconds, "message": message}
            self.emit("retry", what=what, **told, count=throttle.count if throttle.count > 1 else None)

    def say(self, text: str) -> None:
        """A line for people and for nobody else; never raises, and any thread may call it."""
        self.clear_status()
        self._show(plain(self.redactor.text(text), 2000) + "\n")

    def show(self, text: str) -> None:
        """Lines for whoever looks for a bug; never raises."""
        self._show(self.redactor.text(text))

    @staticmethod
    def _show(text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            pass  # a diagnostic that is lost, with its terminal perhaps, is no reason to lose the job

    def tell_person(self, text: str) -> None:
        """A line for whoever sits at a terminal."""
        if self._live:
            self.say(text)

    def status(self, text: str) -> None:
        if self._live:
            self._show("\r\x1b[K" + plain(self.redactor.text(text), 110))
            self._line_shown = True

    def clear_status(self) -> None:
        if self._line_shown:
            self._show("\r\x1b[K")
            self._line_shown = False


def _is_terminal(stream) -> bool:
    try:
        return bool(stream and stream.isatty())
    except ValueError:  # closed
        return False
