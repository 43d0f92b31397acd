"""What ends a command, and how an HTTP answer is classified. Pure.

    Failure          a command cannot go on; becomes its one `error` event
    Interrupted      SIGINT or SIGTERM arrived outside a running job

What a code means, and what to do about it, stands in the registry: base/codes.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable

# The categories that a service's error can fall into, and those of our own -> exit code.
CATEGORY_EXIT_CODES = {
    "internal": 1,
    "bad_arguments": 2,
    "outcome_unknown": 12,
    "insufficient_credits": 20,
    "auth": 21,
    "validation": 22,
    "not_found": 23,
    "transient": 24,
    "unknown": 25,
    "saving": 26,
    "guard": 27,
    "dependency": 28,
}

STATUS_CATEGORIES = {
    **dict.fromkeys((400, 405, 409, 413, 415, 422), "validation"),
    **dict.fromkeys((401, 403), "auth"),
    402: "insufficient_credits",
    **dict.fromkeys((404, 410), "not_found"),
    **dict.fromkeys((408, 425, 429), "transient"),
}

# A paid POST answered with one of these bought nothing (the default; a descriptor may say more).
REJECTED_STATUSES = frozenset((400, 401, 402, 403, 404, 405, 413, 415, 422, 429))
# A POST answered with one of these was not carried out by the server that it was sent to.
REDIRECTED_STATUSES = frozenset((301, 302, 307, 308))
# Those that a read follows: after a POST, 303 is an answer.
FOLLOWED_STATUSES = REDIRECTED_STATUSES | {303}


class Failure(Exception):
    """The command ends with an `error` event.

    code      a word of codes.ERRORS
    message   one line: what went wrong, what was expected
    category  the one of that code, or the one that the service's answer was given; it decides the exit code
    fields    further keys of the event: guidance, outcome, retryable, field, problems, …
    """

    def __init__(self, code: str, message: str, category: str, **fields):
        from .codes import ERRORS  # of no use to what goes well

        super().__init__(message)
        assert code in ERRORS and category in CATEGORY_EXIT_CODES, (code, category)
        self.code = code
        self.message = message
        self.category = category
        self.fields = fields

    @property
    def exit_code(self) -> int:
        return CATEGORY_EXIT_CODES[self.category]


class Ending(Exception):
    """What ends a command wherever nobody on its way has told of it.

    failure  () -> how; each kind has its own
    """

    failure: Callable[[], Failure]


class Interrupted(BaseException):
    """A signal asked the program to stop; `signal_number` says which."""

    def __init__(self, signal_number: int):
        super().__init__(signal_number)
        self.signal_number = signal_number


def bad_argument(field: str, expected: str, *guidance: str) -> Failure:
    """A Failure for one flag: `field` as typed, `expected` what it takes (never its value)."""
    return Failure(
        "invalid_arguments",
        f"{field}: {expected}",
        "bad_arguments",
        field=field,
        guidance=list(guidance) or ["Run the script with --help for its flags and examples."],
        retryable=False,
        outcome="not_sent",
    )


def classify(
    status: int, message: str = "", code: str = "", code_categories: dict | None = None, stated: str | None = None
) -> str:
    """The category of an HTTP error answer.

    status           HTTP status
    message, code    the service's own words, where its answer has them
    code_categories  from the descriptor: the ending of an error code -> category
    stated           what the descriptor makes of a header or of this very status

    The service's own code comes first, then what is stated (but for money that is gone), then words about
    missing credits in any answer, then the status.
    """
    from .credit_words import says_credits_are_missing

    for ending, category in (code_categories or {}).items():
        if code.upper().endswith(ending.upper()):
            return category
    said = f"{message} {code}"
    # Where a status stands for a rate, a quota is one; money that is gone does not come back by itself.
    if stated and not (stated == "transient" and says_credits_are_missing(re.sub("quota", " ", said, flags=re.I))):
        return stated
    if says_credits_are_missing(said):
        return "insufficient_credits"
    if status >= 500:
        return "transient"
    return STATUS_CATEGORIES.get(status, "unknown")


def outcome_of_status(status: int, has_id: bool, rejected: frozenset = REJECTED_STATUSES) -> str:
    """What a complete answer to a paid POST proves: one of codes.OUTCOMES (never `not_sent`)."""
    if 200 <= status < 300:
        return "accepted" if has_id else "unknown"
    if status in rejected or status in REDIRECTED_STATUSES:
        return "rejected"
    return "unknown"
