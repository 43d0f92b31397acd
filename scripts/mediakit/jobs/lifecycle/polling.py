"""Reads of a job until it ends: their pauses, what they tell, and which failed one is worth another."""

from __future__ import annotations

from collections.abc import Callable

from ...base.retry import Backoff
from ...services.answers import TERMINAL_STATES
from . import failures, outcomes
from .actions import Leave, Poll, Say
from .answers import JobAnswer
from .status import JobStatus

FIRST_PAUSE = 0.1
PAUSE_GROWTH = 1.6
NOT_FOUND_GRACE = 30.0
# However long a service asks for: it may have meant something else, and its job may be done.
LONGEST_PAUSE = 60.0
# Seconds before a read that failed is tried again: at first, and at most by itself.
_RETRY_FIRST, _RETRY_LONGEST = 0.5, 10.0

_NOT_THERE = 404
# A read answered with one of these will not be answered otherwise by asking again.
_RETRIED_STATUSES = frozenset((408, 425, 429))


class Polling:
    """The phases `waiting` and `reading`.

    age       seconds since the job was accepted, as the ledger knows it; None for one that it does not know
    was_read  whether the service has told about the job before to somebody who asked by its id
    """

    def __init__(self, job: JobStatus, age: float | None, was_read: bool, jitter: Callable[[], float]):
        self._job = job
        self._age = age
        self._was_read = was_read
        self._is_known = False  # its id is not one that a read has to confirm first
        self._jitter = jitter
        self._polls = 0
        self._pause = FIRST_PAUSE
        self._retries: Backoff | None = None

    def begin(self, now: float) -> list:
        """A job that exists already."""
        self._is_known = True
        self._job.accepted_at = now - self._age if self._age is not None else None
        return self.start(now)

    def start(self, now: float) -> list:
        """The stream has just been left, or the id has just come: ask at once."""
        job = self._job
        job.phase = "waiting"
        job.deadline = min(job.last_deadline, now + job.policy.poll_timeout)
        if now >= job.deadline:
            return outcomes.timed_out(job, now)
        if job.policy.first_poll and not self._age:
            self._pause = max(self._pause, job.policy.first_poll / 2)
            self._wait(now, job.policy.first_poll)
            return []
        return self._poll(now)

    def tick(self, now: float) -> list:
        if self._job.phase == "reading":
            return [Leave(), *self._failed(now, None, "no answer in time", None)]
        return self._poll(now)

    def answered(self, now: float, answer: JobAnswer) -> list:
        job, reading = self._job, answer.reading
        if not answer.is_success:
            return self._refused(now, answer)
        if reading.id and reading.id != job.generation_id:
            return self._failed(now, answer.status, "the answer is about another job", None)
        if reading.status is None:
            return self._failed(now, answer.status, answer.message or "the answer has no status", None)
        job.throttle.forget()
        self._retries = None
        self._was_read = True
        if reading.state in TERMINAL_STATES:
            return outcomes.terminal(job, reading, "poll")
        if not job.policy.wait:
            job.remember(reading)
            return [outcomes.submitted(job, answer.status, reading)]
        return self._running(now, answer)

    def lost(self, now: float, message: str, final: bool) -> list:
        """As Machine.poll_lost."""
        if final:
            fields = {"generation_id": self._job.generation_id, "attempt": self._polls, "message": message}
            return [Say("poll_error", {**fields, "transient": False}), *outcomes.timed_out(self._job, now)]
        return self._failed(now, None, message, None)

    def still_runs(self, now: float) -> None:
        """As Machine.still_runs."""
        self._was_read = True
        self._wait(now, self._pause)
        self._grow_pause()

    def _poll(self, now: float) -> list:
        self._job.phase = "reading"
        self._polls += 1
        self._job.wake_at = min(now + self._job.policy.poll_request_timeout, self._job.deadline)
        return [Poll()]

    def _running(self, now: float, answer: JobAnswer) -> list:
        job, reading = self._job, answer.reading
        actions = job.warn_unknown(reading)
        if job.has_news(reading, now):
            fields = {
                "generation_id": job.generation_id,
                "attempt": self._polls,
                "http_status": answer.status,
                "status": reading.status,
                "terminal": False,
            }
            if job.policy.verbose:
                fields["payload"] = reading.body
            actions.append(Say("poll", fields))
        self._wait(now, max(self._pause, job.rules.read_every, answer.retry_after or 0.0))
        self._grow_pause()
        return actions

    def _refused(self, now: float, answer: JobAnswer) -> list:
        status, accepted_at = answer.status, self._job.accepted_at
        if status in _RETRIED_STATUSES or status >= 500:
            return self._failed(now, status, answer.message or f"HTTP {status}", answer.retry_after)
        if status == _NOT_THERE and accepted_at is not None and not self._was_read:
            if now - accepted_at < NOT_FOUND_GRACE:
                return self._failed(now, status, "the job is not visible yet", answer.retry_after)
            return outcomes.never_read(self._job, now)
        return outcomes.failed(self._job, failures.unreadable(answer))

    def _failed(self, now: float, status: int | None, message: str, retry_after: float | None) -> list:
        """A read that is tried again. `status` is None where no answer came."""
        job = self._job
        if self._is_known and not job.policy.wait:
            return [outcomes.submitted(job, status)]
        if self._retries is None:
            self._retries = Backoff(_RETRY_FIRST, max(_RETRY_LONGEST, job.policy.poll_interval), self._jitter)
        pause = min(max(self._retries.next(), retry_after or 0.0), LONGEST_PAUSE)
        self._wait(now, pause)
        if not job.throttle.allows((status, message), now):
            return []
        fields = {
            "generation_id": job.generation_id,
            "attempt": self._polls,
            "transient": True,
            "message": message,
            "retry_in_seconds": round(pause, 3),
        }
        if status is not None:
            fields["http_status"] = status
        if job.throttle.count > 1:
            fields["count"] = job.throttle.count
        return [Say("poll_error", fields)]

    def _wait(self, now: float, pause: float) -> None:
        self._job.phase = "waiting"
        self._job.wake_at = min(now + min(max(pause, 0.0), LONGEST_PAUSE), self._job.deadline)

    def _grow_pause(self) -> None:
        self._pause = min(self._pause * PAUSE_GROWTH, self._job.policy.poll_interval)
