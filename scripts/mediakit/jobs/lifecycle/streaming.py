"""The answer to the POST as a stream: its id, its states, and when to go on as polling."""

from __future__ import annotations

from ...services.answers import TERMINAL_STATES, Reading
from . import outcomes
from .actions import Leave, Say
from .failures import detail, unknown_outcome
from .polling import Polling
from .reconciling import Reconciling
from .status import JobStatus


class Streaming:
    """The phase `streaming`."""

    def __init__(self, job: JobStatus, reconciling: Reconciling, polling: Polling):
        self._job = job
        self._reconciling = reconciling
        self._polling = polling
        self._data_at = 0.0
        self._over_at = float("inf")
        self._last_words = ""

    def opened(self, now: float, http_status: int) -> list:
        self._job.phase = "streaming"
        self._job.outcome = "unknown"
        self._data_at = now
        self._over_at = now + self._job.policy.stream_timeout
        return [Say("sse_open", {"http_status": http_status}), *self._rest(now)]

    def said(self, now: float, name: str, reading: Reading | None, message: str) -> list:
        """As Machine.stream_said."""
        job = self._job
        self._data_at = now
        self._last_words = message or self._last_words
        ending = name.lower() in job.rules.ending_events
        if reading is None:
            if ending:
                return self._leave(now, "eof")
            return self._leave(now, "malformed") if job.generation_id else self._rest(now)
        if job.generation_id and reading.id and reading.id != job.generation_id:
            warned = job.warn("foreign_event", "the stream told of another job; that was ignored")
            return [*warned, *self._rest(now)]
        actions = outcomes.accepted(job, now, 200, reading) if reading.id and not job.generation_id else []
        if not job.ended:
            actions += self._note_state(now, name, reading)
        if job.ended:
            return actions
        return actions + (self._leave(now, "eof") if ending else self._rest(now))

    def hinted(self, now: float, generation_id: str) -> list:
        """As Machine.stream_hinted."""
        job = self._job
        actions = outcomes.accepted(job, now, 200, Reading(generation_id, None, None, None), confirmed=False)
        if job.ended:
            return actions
        return actions + (self._rest(now) if job.policy.wait else self._leave(now, "malformed"))

    def ended(self, now: float, reason: str, message: str) -> list:
        """As Machine.stream_ended."""
        self._last_words = message or self._last_words
        return self._leave(now, reason)

    def tick(self, now: float, sent: bool) -> list:
        job = self._job
        if now >= self._reconciling.look_at and not job.generation_id:
            looked = self._reconciling.look(now, sent)
            return [*self._rest(now), *looked]
        if now - self._data_at >= job.policy.create_timeout or now >= self._over_at:
            return self._leave(now, "idle")
        return self._rest(now)

    def _note_state(self, now: float, name: str, reading: Reading) -> list:
        job = self._job
        if reading.state in TERMINAL_STATES:
            return [Leave(), *outcomes.terminal(job, reading, "sse")]
        actions = job.warn_unknown(reading)
        if job.has_news(reading, now):
            fields = {"generation_id": job.generation_id, "status": job.status, "terminal": False}
            if name != "message":
                fields["sse_event_name"] = name
            if job.policy.verbose:
                fields["payload"] = reading.body
            actions.append(Say("sse_event", fields))
        return actions

    def _leave(self, now: float, reason: str) -> list:
        generation_id = self._job.generation_id
        ended = Say("sse_stream_ended", {"generation_id": generation_id, "reason": reason})
        if not generation_id:
            words = f"the stream ended ({reason}) before an id came{detail(self._last_words)}"
            return [Leave(), ended, *self._reconciling.unknown(now, unknown_outcome(words))]
        start = Say("fallback_polling_start", {"generation_id": generation_id})
        return [Leave(), ended, start, *self._polling.start(now)]

    def _rest(self, now: float) -> list:
        """Nothing to do before the next data, the idle limit or the deadline."""
        job = self._job
        if job.interrupted_by is None:
            idle_at = self._data_at + job.policy.create_timeout
            job.wake_at = min(idle_at, self._over_at, job.deadline)
            if not job.generation_id:
                job.wake_at = min(job.wake_at, job.create_deadline, self._reconciling.look_at)
        return []
