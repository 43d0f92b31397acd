"""Whether a POST of unknown outcome bought something: the service's list of unfinished jobs tells."""

from __future__ import annotations

from ...base import errors
from . import outcomes
from .actions import Leave, Reconcile, Say
from .failures import unknown_outcome
from .polling import Polling
from .status import JobStatus

# The list of unfinished jobs is read so many seconds after an outcome became unknown, and while a
# POST is silent, since a short job leaves the list soon.
RECONCILE_AT = (0.0, 1.0, 3.0)
RECONCILE_TIMEOUT = 5.0
_SILENT_AFTER, _SILENT_PAUSE = 10.0, 5.0
_MOST_CANDIDATES = 20


class Reconciling:
    """The phase `reconciling`, and the looks into the list while a POST is silent.

    unresolved  of a job that may exist: how it ends when it is not found
    look_at     when to look into the list although the POST is still out
    """

    def __init__(self, job: JobStatus, polling: Polling, unresolved: errors.Failure | None):
        self._job = job
        self._polling = polling
        self._unresolved = unresolved
        self._candidates: list[str] = []
        self._is_listing = False
        self._listings = 0
        self._began_at = 0.0
        self.look_at = float("inf")

    def start(self, now: float) -> list:
        self._job.phase = "reconciling"
        self._began_at = now
        return [Leave(), *self._list(now)]

    def unknown(self, now: float, failure: errors.Failure) -> list:
        """The outcome is unknown: look for the job, or end with this failure."""
        job = self._job
        if job.interrupted_by is not None:
            return outcomes.interrupted(job, job.interrupted_by)
        job.outcome = "unknown"
        self._unresolved = failure
        return self.start(now) if job.rules.reconciles else outcomes.failed(job, failure)

    def tick(self, now: float) -> list:
        return self._listing_over(now) if self._is_listing else self._list(now)

    def listed(self, now: float, matches: list[str] | None, is_whole: bool) -> list:
        """As Machine.listed. Absence proves nothing, and of several none is taken, nor one out of a part of the list."""
        if is_whole and matches and len(matches) == 1:
            return self._attach(now, matches[0])
        self._candidates = matches or self._candidates
        return self._listing_over(now) if self._job.phase == "reconciling" and self._is_listing else []

    def sent(self, now: float) -> None:
        """A POST goes out: it is silent from now on."""
        self.look_at = now + _SILENT_AFTER if self._job.rules.reconciles else float("inf")

    def look(self, now: float, sent: bool) -> list:
        """The list is looked into while the POST is still out, where a byte of it has left."""
        self.look_at = now + _SILENT_PAUSE
        return [Reconcile()] if sent else []

    def end_unresolved(self) -> list:
        failure = self._unresolved or unknown_outcome("nobody knows of it")
        if self._candidates:
            failure.fields["candidates"] = self._candidates[:_MOST_CANDIDATES]
        return [Leave(), *outcomes.failed(self._job, failure)]

    def _list(self, now: float) -> list:
        if now >= self._job.last_deadline:
            return self.end_unresolved()
        self._is_listing = True
        self._job.wake_at = min(now + RECONCILE_TIMEOUT, self._job.last_deadline)
        return [Reconcile()]

    def _listing_over(self, now: float) -> list:
        self._is_listing = False
        self._listings += 1
        if self._listings == len(RECONCILE_AT):
            return self.end_unresolved()
        at = max(self._began_at + RECONCILE_AT[self._listings], now + self._job.rules.list_every)
        self._job.wake_at = min(at, self._job.last_deadline)
        return []

    def _attach(self, now: float, generation_id: str) -> list:
        job = self._job
        job.generation_id = generation_id
        job.outcome = "accepted"
        job.accepted_at = now
        if not job.policy.wait:
            return [Leave(), outcomes.submitted(job, 200)]
        found = {
            "generation_id": generation_id,
            "reason": "reconciled",
            "message": "the job was found in the service's list of running jobs; it is not sent again",
        }
        return [Leave(), Say("resumed", found), *self._polling.start(now)]
