"""When the same POST may be sent again under its idempotency key, after an outcome that is unknown."""

from __future__ import annotations

from collections.abc import Callable

from ...base.retry import Backoff
from .answers import JobAnswer
from .status import JobStatus

# What is sent again needs so much time for an answer.
LEAST_REPEAT = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0


class Repeats:
    """The pauses between POSTs that are charged once.

    is_only_asked  whether the user only asks what became of a POST, and says for how long
    """

    def __init__(self, job: JobStatus, is_only_asked: bool, jitter: Callable[[], float]):
        self._job = job
        self._is_only_asked = is_only_asked
        self._pauses = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, jitter)
        self._is_last = False

    @property
    def until(self) -> float:
        """Until when the same may be sent again."""
        job = self._job
        asked_for = job.began_at + job.policy.poll_timeout if self._is_only_asked else float("inf")
        return min(job.began_at + job.rules.repeats_for, job.deadline, asked_for)

    def pause(self, now: float, answer: JobAnswer | None = None) -> float | None:
        """Seconds until the same is sent again, a growing number; None where its time is over.

        A pause that nobody asked for is cut in half where the time would not suffice for it, once.
        """
        if self._job.interrupted_by is not None:
            return None
        after_answer, after_none = self._job.rules.repeat_pauses
        told = answer.retry_after if answer else None
        least = told if told is not None else after_answer if answer else after_none
        left = self.until - now
        pause = max(self._pauses.next(), least)
        if pause < left:
            return pause
        if self._is_last or left < LEAST_REPEAT or (told or 0.0) > left / 2:
            return None
        self._is_last = True
        return left / 2
