"""What a job comes to: accepted, or one of its ends. Each changes what is known of it, and tells of it."""

from __future__ import annotations

from ...base import errors
from ...services.answers import TERMINAL_STATES, Reading
from .actions import End, Leave, Say
from .status import JobStatus


def accepted(job: JobStatus, now: float, http_status: int, reading: Reading, confirmed: bool = True) -> list:
    """The id was seen: from here the job is never lost. `confirmed` as in JobAnswer."""
    job.generation_id = reading.id
    job.outcome = "accepted"
    job.accepted_at = now
    job.throttle.forget()
    if job.interrupted_by is not None:
        job.status = reading.status
        return interrupted(job, job.interrupted_by)
    if not job.policy.wait and confirmed and reading.state not in TERMINAL_STATES:
        return [Leave(), submitted(job, http_status, reading)]
    fields = {"generation_id": reading.id, "http_status": http_status}
    return [Say("submitted", fields, reading)] if reading.id and job.policy.wait else []


def submitted(job: JobStatus, http_status: int | None, reading: Reading | None = None) -> End:
    """Nobody wants to wait: the id is the result. `http_status` is None where a known job's read had no answer."""
    job.phase = "ended"
    return End("submitted", 0, {"generation_id": job.generation_id, "http_status": http_status}, reading)


def terminal(job: JobStatus, reading: Reading, source: str) -> list:
    """A terminal state. `source` is what told it: create, sse or poll."""
    if job.interrupted_by is not None:
        return interrupted(job, job.interrupted_by)
    job.status, job.state = reading.status, reading.state
    job.outcome = "accepted"
    job.phase = "ended"
    ok = reading.state == "succeeded"
    fields = {"ok": ok, "source": source, "status": reading.status, "state": reading.state}
    return [End("terminal", 0 if ok else 10, fields, reading)]


def failed(job: JobStatus, failure: errors.Failure) -> list:
    if job.interrupted_by is not None:
        return interrupted(job, job.interrupted_by)
    job.phase = "ended"
    return [End("error", failure.exit_code, failure=failure)]


def interrupted(job: JobStatus, signal_number: int) -> list:
    job.phase = "ended"
    return [Leave(), End("interrupted", 128 + signal_number, {"outcome": job.outcome})]


def timed_out(job: JobStatus, now: float) -> list:
    """The time to wait is used up; the job goes on."""
    return _not_waited_for(job, now, {})


def never_read(job: JobStatus, now: float) -> list:
    """The service accepted the job, and says that there is none: that proves nothing, and closes nothing."""
    guidance = (
        "Ask for it again later. To give it up: jobs.py forget JOB --accept-loss; then the same command buys anew."
    )
    return _not_waited_for(
        job,
        now,
        {
            "message": "the service accepted this job, and has not shown it once since",
            "guidance": [guidance],
        },
    )


def _not_waited_for(job: JobStatus, now: float, more: dict) -> list:
    job.phase = "ended"
    fields = {
        "generation_id": job.generation_id,
        "elapsed_seconds": round(now - job.began_at, 3),
        "last_status": job.status,
        **more,
    }
    return [Leave(), End("timeout", 11, fields)]
