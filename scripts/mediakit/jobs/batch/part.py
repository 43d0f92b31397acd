"""The console of one line: its events carry the line's id, and are as few as a batch can bear.

Telling  what the lines of a batch share: what was told already
Part     writes through the console of the whole command
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ...base.retry import Throttle
from ...console import Console, several

# Told once for all lines, then every 15 s: hundreds of jobs meet the same trouble at the same time.
_TROUBLES = {"retry": ("what", "message"), "poll_error": ("http_status", "message"), "warning": ("code", "message")}
_PROGRESS = frozenset(
    ("sse_open", "sse_event", "sse_stream_ended", "fallback_polling_start", "poll", "uploaded", "resumed")
)


class Telling:
    """What the lines of a batch share.

    only_summary  whether nothing but the summary is told
    """

    def __init__(self, only_summary: bool):
        self.only_summary = only_summary
        self.begun = several.Begun()
        self._throttles: dict[str, Throttle] = {}

    def is_news(self, event: dict) -> bool:
        """Whether a trouble is told: for the first line that has it, and then every 15 s."""
        name = event["event"]
        cause = tuple(event.get(field) for field in _TROUBLES[name])
        return self._throttles.setdefault(name, Throttle()).allows(cause, time.monotonic())


class Part(several.Part):
    """Writes through the console of the whole command; its results are not the last line.

    retries  (fields) -> whether the line is put back, so that this is not its result
    result_event  the result's name and fields, once there is one
    """

    def __init__(self, whole: Console, telling: Telling, line: str, key: str | None, retries: Callable):
        super().__init__(whole, telling.begun, key)
        self._whole = whole
        self._live = False  # a person reads one line of all, and what failed
        self.result_event: tuple[str, dict] | None = None
        self._line = line
        self._telling = telling
        self._retries = retries

    @property
    def _tells_nothing(self) -> bool:
        return self.output.brief or self._telling.only_summary or self._whole.is_for_people

    def emit(self, event: str, **fields) -> None:
        """As the console of one job, but what nobody is told is not made ready to be told."""
        if not self._tells_nothing and (self.output.verbose or event not in _PROGRESS):
            super().emit(event, **fields)

    def result(self, event: str, exit_code: int, **fields) -> int:
        self.result_event = event, {**fields, "exit_code": exit_code}
        if self._retries(self.result_event[1]):
            return exit_code
        if exit_code:
            why = fields.get("message") or (fields.get("error") or {}).get("message") or event
            self._whole.tell_person(f"line {self._line}: {why} (exit code {exit_code})")
        return exit_code if self._tells_nothing else super().result(event, exit_code, **fields)

    def _is_silent(self, event: dict) -> bool:
        name = event["event"]
        if self.output.verbose:
            return False
        if name == "start":
            return not self._begun.add(event)
        return name in _TROUBLES and not self._telling.is_news(event)

    def _event(self, event: str, fields: dict) -> dict:
        told = super()._event(event, fields)
        return {"event": told.pop("event"), "time": told.pop("time"), "line": self._line, **told}
