"""What the machine asks its driver to do.

Create     send the paid POST (only now, never otherwise)
Leave      give the POST or its stream up
Poll       read the job once
Reconcile  read the service's list of unfinished jobs, and tell `listed` which could be this one
Say        one event
End        the result: an event of its own, or a Failure
"""

from __future__ import annotations

from ...base import errors
from ...base.record import field, record
from ...services.answers import Reading


@record
class Create:
    pass


@record
class Leave:
    pass


@record
class Poll:
    pass


@record
class Reconcile:
    pass


@record
class Say:
    """An event. `reading` is the answer that it tells of, for whoever adds what the service billed."""

    event: str
    fields: dict = field(default_factory=dict)
    reading: Reading | None = None


@record
class End:
    """The result. `reading` is the terminal answer, where there is one; `failure` replaces the event."""

    event: str
    exit_code: int
    fields: dict = field(default_factory=dict)
    reading: Reading | None = None
    failure: errors.Failure | None = None
