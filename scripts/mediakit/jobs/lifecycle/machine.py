"""What a driver calls: each thing seen goes to the phase that the job is in."""

from __future__ import annotations

import random
from collections.abc import Callable

from ...base import errors
from ...services.answers import Reading
from . import outcomes
from .answers import JobAnswer
from .creating import Creating
from .policy import ServiceRules, WaitPolicy
from .polling import Polling
from .reconciling import Reconciling
from .status import JobStatus
from .streaming import Streaming

INTERRUPT_GRACE = 2.0


class Machine:
    """One job from its create, or from its id, to its result.

    generation_id  of a job that exists already: it is only waited for
    unresolved     of a job that may exist: how it ends when it is not found; it is only looked for
    age            seconds since the job was accepted, as the ledger knows it; None for one that it does not know
    was_read       whether the service has told about the job before to somebody who asked by its id
    jitter         () -> number from 0 to 1

    job            what is known of it
    """

    def __init__(
        self,
        policy: WaitPolicy,
        rules: ServiceRules,
        generation_id: str | None = None,
        *,
        jitter: Callable[[], float] = random.random,
        unresolved: errors.Failure | None = None,
        age: float | None = None,
        was_read: bool = False,
    ):
        outcome = "accepted" if generation_id else "unknown" if unresolved else "not_sent"
        self.job = JobStatus(policy, rules, generation_id, outcome)
        self._polling = Polling(self.job, age, was_read, jitter)
        self._reconciling = Reconciling(self.job, self._polling, unresolved)
        self._streaming = Streaming(self.job, self._reconciling, self._polling)
        self._creating = Creating(self.job, self._reconciling, self._polling, unresolved is not None, jitter)

    @property
    def awaits_answer(self) -> bool:
        """Whether a POST is under way, of which the outcome cannot be told yet."""
        return self.job.phase == "creating"

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for the time of its next poll."""
        return self.job.phase == "waiting"

    @property
    def give_up_at(self) -> float:
        """When a POST without an answer is given up."""
        return self._creating.give_up_at

    def begin(self, now: float) -> list:
        job = self.job
        job.began_at = now
        job.deadline = job.last_deadline = job.policy.deadline
        if job.generation_id:
            return self._polling.begin(now)
        if job.outcome == "unknown" and job.rules.reconciles:
            return self._reconciling.start(now)
        return self._creating.begin(now)

    # -- the POST ----------------------------------------------------------------------------------

    def create_not_sent(self, now: float, message: str, final: bool = False) -> list:
        """The transport recorded that no byte of the POST left. `final`: another try would end the same."""
        return self._creating.not_sent(now, message, final)

    def create_lost(self, now: float, message: str, repeatable: bool = False) -> list:
        """The POST, or a part of it, left, and no complete answer came."""
        if self.job.phase == "streaming":
            return self._streaming.ended(now, "reset", message)
        return self._creating.lost(now, message, repeatable)

    def create_answered(self, now: float, answer: JobAnswer) -> list:
        return self._creating.answered(now, answer)

    # -- its answer as a stream --------------------------------------------------------------------

    def stream_opened(self, now: float, status: int) -> list:
        return self._streaming.opened(now, status)

    def stream_said(self, now: float, name: str, reading: Reading | None, message: str = "") -> list:
        """One event of the stream. `reading` is None for data that is no JSON; `message` is an error in it."""
        return self._streaming.said(now, name, reading, message) if self.job.phase == "streaming" else []

    def stream_hinted(self, now: float, generation_id: str) -> list:
        """An id in an event that was cut off: keep the id, believe nothing else of the event."""
        if self.job.phase != "streaming" or self.job.generation_id:
            return []
        return self._streaming.hinted(now, generation_id)

    def stream_ended(self, now: float, reason: str, message: str = "") -> list:
        """The stream is over: `eof`, `reset`, `malformed` or `not_a_stream`."""
        return self._streaming.ended(now, reason, message) if self.job.phase == "streaming" else []

    # -- reads of the job, and of the list ---------------------------------------------------------

    def poll_answered(self, now: float, answer: JobAnswer) -> list:
        return self._polling.answered(now, answer) if self.job.phase == "reading" else []

    def poll_lost(self, now: float, message: str, final: bool = False) -> list:
        """A read came to nothing. `final`: another one would end the same."""
        return self._polling.lost(now, message, final) if self.job.phase == "reading" else []

    def still_runs(self, now: float) -> None:
        """A list shows the job as unfinished: that replaces a poll."""
        if self.is_waiting:
            self._polling.still_runs(now)

    def listed(self, now: float, matches: list[str] | None, is_whole: bool = True) -> list:
        """The list was read: the ids that could be this job and are no other's; None if it could not be read.

        is_whole  whether all of it was read that there is time for
        """
        if self.job.generation_id or self.job.ended:
            return []
        return self._reconciling.listed(now, matches, is_whole)

    # -- the clock, and the user -------------------------------------------------------------------

    def tick(self, now: float, sent: bool = True) -> list:
        """`wake_at` has come. `sent` as in `interrupted`."""
        job = self.job
        if job.ended or now < job.wake_at:
            return []
        if job.interrupted_by is not None:
            return outcomes.interrupted(job, job.interrupted_by)
        if job.phase == "reconciling":
            return self._reconciling.tick(now)
        if not job.generation_id and now >= min(job.deadline, job.create_deadline):
            return self._creating.out_of_time(now, sent)
        if now >= job.deadline:
            return outcomes.timed_out(job, now)
        if job.phase in ("creating", "pausing"):
            return self._creating.tick(now, sent)
        if job.phase == "streaming":
            return self._streaming.tick(now, sent)
        return self._polling.tick(now) if job.phase in ("waiting", "reading") else []

    def interrupted(self, now: float, signal_number: int, sent: bool) -> list:
        """Stop. `sent` tells whether a byte of a POST that is still unanswered has left."""
        job = self.job
        is_out = (job.phase == "creating" and sent) or (job.phase == "streaming" and not job.generation_id)
        if not is_out or job.interrupted_by is not None:
            return outcomes.interrupted(job, signal_number)
        job.interrupted_by = signal_number
        job.outcome = "unknown"
        job.wake_at = min(now + INTERRUPT_GRACE, job.deadline)
        return []
