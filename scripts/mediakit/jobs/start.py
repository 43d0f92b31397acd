"""How a job begins.

Submission   what a create sends
Start        with a create, with an id, or with the question whether it exists
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..base import errors
from ..base.record import field, record
from ..http import bodies
from ..services.answers import Reading


@record
class Submission:
    """What a create sends.

    path       below the base URL
    payload    the fields
    sent_with  what is sent beside them: the idempotency key, the service's own guard
    body       (fields) -> bodies.Body where files go along; None where the fields are sent as JSON
    seconds    how much longer the answer may take: the files have to be sent, or it is the result itself
    answers    job: with an id; done: with the result itself; media: the answer's body is the file
    of_text    whether its result is a text
    origin     the name of the origin that the path is at; None for the default one, below the base URL
    """

    path: str
    payload: dict
    sent_with: dict = field(default_factory=dict)
    body: Callable[[dict], bodies.Body] | None = None
    seconds: float = 0.0
    answers: str = "job"
    of_text: bool = False
    origin: str | None = None


@record
class Start:
    """How a job begins.

    model          where it is known
    submission     of a job that is to be bought; or sent again, where it may exist
    generation_id  of a job that exists
    age            of a job that the ledger knows: seconds since it was accepted
    unresolved     of a job that may exist: the Failure if it is not found
    repeats_for    seconds for which the submission may be sent again under its idempotency key; 0 for never
    sought         the payload that a job in the service's list must have to be this one; None where no list tells
    noted          the payload as it may be kept
    resumed        of a job that was paid for before: reason and message of its `resumed` event
    told           step -> the address that the answer to its create told, as the ledger has kept it
    warnings       (code, message) of what is to be known before it is sent
    kept           the file with an answer that was the result itself, and what it says: nothing is asked
    """

    model: str | None = None
    submission: Submission | None = None
    generation_id: str | None = None
    age: float | None = None
    unresolved: errors.Failure | None = None
    repeats_for: float = 0.0
    sought: dict | None = None
    noted: dict | None = None
    resumed: tuple[str, str] | None = None
    told: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()
    kept: tuple[str, Reading] | None = None
