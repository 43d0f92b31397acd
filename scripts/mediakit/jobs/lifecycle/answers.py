"""What a complete answer says."""

from __future__ import annotations

from ...base.record import record
from ...services.answers import Reading


@record
class JobAnswer:
    """A complete answer about a job that is no stream.

    status       of HTTP
    reading      what it says about the job
    category     of an error status: a category of errors.CATEGORY_EXIT_CODES
    message      of an error: the service's own words, "" without
    retry_after  seconds that it asks to wait, None where it names none

    Only the answer to a create has:
    stated       the outcome that the service's own error code proves, before its status does
    repeatable   whether the same may be sent again under the same idempotency key
    confirmed    whether the id came as it should; else the job is read before it is told as submitted
    location     where a redirect points to
    """

    status: int
    reading: Reading
    category: str = ""
    message: str = ""
    retry_after: float | None = None
    stated: str | None = None
    repeatable: bool = False
    confirmed: bool = True
    location: str = ""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300
