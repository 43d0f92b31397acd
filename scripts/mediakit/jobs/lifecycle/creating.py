"""The paid POST: when it is sent, when it is sent again, and what its answer proves."""

from __future__ import annotations

from collections.abc import Callable

from ...base import errors
from ...base.retry import Backoff
from ...services.answers import TERMINAL_STATES
from . import failures, outcomes
from .actions import Create, Leave, Say
from .answers import JobAnswer
from .failures import detail, unknown_outcome
from .polling import Polling
from .reconciling import Reconciling
from .repeats import Repeats
from .status import JobStatus

CREATE_ATTEMPTS = 5
CREATE_WINDOW = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0


class Creating:
    """The phases `creating` and `pausing`.

    is_doubtful  whether a POST has been sent of which nobody knows what became; the one that repeats it proves
                 nothing against it
    give_up_at   when a POST without an answer is given up
    """

    def __init__(
        self,
        job: JobStatus,
        reconciling: Reconciling,
        polling: Polling,
        is_doubtful: bool,
        jitter: Callable[[], float],
    ):
        self._job = job
        self._reconciling = reconciling
        self._polling = polling
        self._is_doubtful = is_doubtful
        self._pauses = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, jitter)
        self._repeats = Repeats(job, is_doubtful, jitter)
        self._attempt = 0
        self.give_up_at = float("inf")

    def begin(self, now: float) -> list:
        if self._is_doubtful and now >= self._repeats.until:
            return self._reconciling.end_unresolved()
        return self._send(now)

    def tick(self, now: float, sent: bool) -> list:
        job = self._job
        if job.phase == "pausing":
            return self._send(now)
        if self._reconciling.look_at <= now < self.give_up_at:
            looked = self._reconciling.look(now, sent)
            job.wake_at = min(self.give_up_at, self._reconciling.look_at)
            return looked
        message = f"no answer within {self._patience:g} s"
        return [Leave(), *(self.lost(now, message, True) if sent else self.not_sent(now, message, False))]

    # -- what became of the POST -----------------------------------------------------------------

    def not_sent(self, now: float, message: str, final: bool) -> list:
        """As Machine.create_not_sent."""
        if self._is_doubtful:
            pause = None if final else self._repeats.pause(now)
            return self._unknown(now, f"it could not be sent again: {message}", pause)
        self._job.outcome = "not_sent"
        failure = failures.not_sent(message, final)
        return outcomes.failed(self._job, failure) if final else self._send_again(now, message, None, failure)

    def lost(self, now: float, message: str, repeatable: bool) -> list:
        """As Machine.create_lost."""
        self._job.outcome = "unknown"
        return self._unknown(now, message, self._repeats.pause(now) if repeatable else None)

    def answered(self, now: float, answer: JobAnswer) -> list:
        job, status, reading = self._job, answer.status, answer.reading
        job.outcome = answer.stated or errors.outcome_of_status(status, reading.id is not None)
        if job.outcome == "rejected" and self._is_doubtful:
            # The service refuses to be asked again; what it did the first time is as unknown as before.
            return self._unknown(now, f"sent again, HTTP {status}{detail(answer.message)}", None)
        if job.outcome == "accepted" or (answer.is_success and reading.state in TERMINAL_STATES):
            return self._accepted(now, answer)
        if job.outcome == "unknown":
            return self._unclear(now, answer)
        if status in errors.REDIRECTED_STATUSES:
            return outcomes.failed(job, failures.redirected(answer))
        failure = failures.rejected(answer)
        if answer.category == "transient" and status not in job.rules.final_statuses:
            return self._send_again(now, f"HTTP {status}", answer.retry_after, failure)
        return outcomes.failed(job, failure)

    def out_of_time(self, now: float, sent: bool) -> list:
        """The time was used up before an id came."""
        is_unsent = (self._job.phase == "creating" and not sent) or self._job.phase == "pausing"
        if is_unsent and not self._is_doubtful:
            return [Leave(), *outcomes.failed(self._job, failures.out_of_time_unsent())]
        return [Leave(), *self._unknown(now, "the time was used up before an id came", None)]

    def _accepted(self, now: float, answer: JobAnswer) -> list:
        job, reading = self._job, answer.reading
        actions = outcomes.accepted(job, now, answer.status, reading, answer.confirmed)
        if job.ended:
            return actions
        if reading.state in TERMINAL_STATES:
            return actions + outcomes.terminal(job, reading, "create")
        actions += job.warn_unknown(reading)
        job.remember(reading)
        if job.policy.stream:
            actions.append(Say("sse_stream_ended", {"generation_id": job.generation_id, "reason": "not_a_stream"}))
            actions.append(Say("fallback_polling_start", {"generation_id": job.generation_id}))
        return actions + self._polling.start(now)

    def _unclear(self, now: float, answer: JobAnswer) -> list:
        """An answer from which nobody can tell whether it was bought."""
        pause = self._repeats.pause(now, answer) if answer.repeatable else None
        words = f"HTTP {answer.status}{detail(answer.message)}"
        if answer.is_success:
            words = f"HTTP {answer.status} without the id of a job{detail(answer.message)}"
            return self._unknown(now, words, pause, "missing_generation_id")
        # An id beside an error proves nothing, but a person can ask about it.
        found: dict = {"candidates": [answer.reading.id]} if answer.reading.id else {}
        return self._unknown(now, words, pause, **found)

    # -- sending ---------------------------------------------------------------------------------

    @property
    def _patience(self) -> float:
        """Seconds that an answer may take."""
        return self._job.policy.create_timeout + self._job.rules.sending_time

    def _send(self, now: float) -> list:
        job = self._job
        job.phase = "creating"
        if now >= job.create_deadline:
            return self.out_of_time(now, False)
        self._attempt += 1
        self.give_up_at = min(now + self._patience, job.create_deadline)
        self._reconciling.sent(now)
        job.wake_at = min(self.give_up_at, self._reconciling.look_at)
        return [Create()]

    def _send_again(self, now: float, cause: str, retry_after: float | None, failure: errors.Failure) -> list:
        """Nothing was bought: send it after a pause, or end with the failure where its tries or its time are up."""
        job = self._job
        if job.interrupted_by is not None:
            return outcomes.interrupted(job, job.interrupted_by)
        pause = max(self._pauses.next(), retry_after or 0.0)
        over = now + pause - job.began_at > CREATE_WINDOW or now + pause >= job.create_deadline
        if self._attempt >= CREATE_ATTEMPTS or over:
            if retry_after:
                failure.fields["retry_after_seconds"] = round(retry_after, 3)
            return outcomes.failed(job, failure)
        self._rest(now, pause)
        return [self._retry(pause, failure.message)] if job.throttle.allows(("create", cause), now) else []

    def _unknown(self, now: float, what: str, pause: float | None, code: str = "outcome_unknown", **more) -> list:
        """The outcome is unknown: send the same again after the pause; without one look for the job, or end."""
        job = self._job
        if pause is None:
            return self._reconciling.unknown(now, unknown_outcome(what, code, **more))
        job.outcome = "unknown"
        self._is_doubtful = True
        self._rest(now, pause)
        if not job.throttle.allows(("repeat", what), now):
            return [Leave()]
        message = f"{what}; it is sent again under the same idempotency key, and so charged once"
        repeated = {"count": job.throttle.count} if job.throttle.count > 1 else {}
        return [Leave(), self._retry(pause, message, **repeated)]

    def _rest(self, now: float, pause: float) -> None:
        self._job.phase = "pausing"
        self._job.wake_at = now + pause

    def _retry(self, pause: float, message: str, **more) -> Say:
        fields = {"what": "create", "attempt": self._attempt + 1, "retry_in_seconds": round(pause, 3)}
        return Say("retry", {**fields, "message": message, **more})
