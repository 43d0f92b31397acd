"""Categories, outcomes and exit codes, and how an HTTP answer is classified. Pure.

    Failure          a command cannot go on; becomes its one `error` event
    Interrupted      SIGINT or SIGTERM arrived outside a running job

The tables are the registry: codes are added, never renamed or reused.
"""

from __future__ import annotations

import re

EXIT_CODES = {
    0: "success",
    1: "internal error (a bug)",
    2: "bad arguments",
    10: "the job itself ended failed or canceled",
    11: "time used up; the job is still running and can be resumed",
    12: "a paid request was sent and its outcome is unknown: do not send it again",
    20: "insufficient_credits",
    21: "auth (missing or refused key)",
    22: "validation (rejected here or by the service)",
    23: "not_found",
    24: "transient (rate limit, network, 5xx on a read; nothing was accepted)",
    25: "unknown (any other API error)",
    26: "the job succeeded, but saving its results failed",
    27: "refused by a guard (duplicate, spend cap, untrusted destination)",
    28: "Python or a package is missing or too old (the event says the command that installs it)",
    130: "interrupted by SIGINT",
    141: "nobody reads stdout any more",
    143: "interrupted by SIGTERM",
}

# The categories that a service's error can fall into, and those of our own.
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
    "guard": 27,
    "dependency": 28,
}

# What the `error` key of an `error` event can say. Append only.
ERROR_CODES = {
    "internal_error": "a bug in this program",
    "invalid_arguments": "a flag or its value cannot be used",
    "missing_api_key": "no key was found for the service",
    "invalid_api_key": "the key that was found cannot be sent in a header",
    "api_key_refused": "the service refused the key",
    "python_too_old": "this Python is older than the scripts need",
    "missing_dependency": "a Python package is not installed",
    "untrusted_destination": "the key would have gone to a host that is not its service's",
    "request_rejected": "the service refused the request; nothing was bought",
    "request_not_sent": "no byte of the request reached the service",
    "request_redirected": "the service answered with a redirect, which is never followed with a key",
    "missing_generation_id": "the service accepted the request but its answer holds no id",
    "outcome_unknown": "a paid request was sent and no answer tells what became of it",
    "read_failed": "the job exists, but the service refuses to tell about it",
    "source_invalid": "a document is named in a way that is not read",
    "variant_not_found": "the body has no variant of that name",
    "document_not_found": "there is no such document",
    "document_unreachable": "the document's address does not answer",
    "document_unreadable": "the document is not complete, valid JSON or YAML",
    "document_not_openapi": "the document is something else than OpenAPI",
    "document_too_large": "the document is larger than is read",
    "document_too_deep": "the document is nested deeper than is read",
    "endpoint_not_found": "the document does not have that operation",
    "model_not_found": "the service's catalogue does not have that model, or has no contract of it",
    "reference_broken": "a $ref leads nowhere",
    "reference_circular": "a $ref leads in a circle that never reaches a value",
    "reference_forbidden": "a $ref leads out of the document's own folder or origin",
    "payload_invalid": "the request does not follow the model's contract; nothing was sent",
    "payload_unfilled": "the request holds a value of a template that was never filled in; nothing was sent",
    "input_refused": "a file is not what its field or the service takes; nothing was sent",
    "input_changed": "a file was changed after it was checked; nothing was sent",
    "input_gone": "the output of an earlier job can be had neither from its service nor from disk, or not yet",
    "upload_failed": "an input could not be brought to the service; nothing was bought",
    "duplicate_unknown": "the same was asked for before, and it is not known whether that was accepted",
    "purchase_under_way": "another process is buying the same at this moment",
    "ledger_unusable": "the ledger cannot be trusted or written",
    "ledger_required": "there is no ledger, and --require-ledger asks for one",
    "spend_cap": "a cap on spending would be overdrawn",
    "unknown_cost": "a cap on spending is set, and the cost is not known beforehand",
    "job_not_found": "the ledger has no such job",
    "no_answer": "the service gave no answer that can be read; nothing was spent",
    "key_not_checked": "a stored key would be replaced by one that could not be tried",
    "key_exists": "the user's own store holds a key already, which would be lost",
    "cannot_cancel": "the service has no way to cancel a job",
}

OUTCOMES = ("not_sent", "rejected", "accepted", "unknown")

STATUS_CATEGORIES = {
    **dict.fromkeys((400, 405, 409, 413, 415, 422), "validation"),
    **dict.fromkeys((401, 403), "auth"),
    402: "insufficient_credits",
    **dict.fromkeys((404, 410), "not_found"),
    **dict.fromkeys((408, 425, 429), "transient"),
}

# A paid POST answered with one of these bought nothing (the default; a descriptor may say more).
REJECTED_STATUSES = frozenset((400, 401, 402, 403, 404, 405, 413, 415, 422, 429))
# A POST answered with one of these was not carried out where it was sent.
REDIRECTED_STATUSES = frozenset((301, 302, 307, 308))

_CREDIT_WORDS = (
    r"(insufficient|not enough|no|out of|lack of|too few|exhausted) (\w+ )?(credit|balance|fund)"
    r"|(credit|balance|fund)s? (is |are )?(too low|insufficient|exhausted|depleted|not enough)"
    r"|credit balance|top up|recharge"
)


class Failure(Exception):
    """The command ends with an `error` event.

    code      a word of ERROR_CODES
    message   one line: what went wrong, what was expected
    category  a key of CATEGORY_EXIT_CODES; it decides the exit code
    fields    further keys of the event: guidance, outcome, retryable, field, problems, …
    """

    def __init__(self, code: str, message: str, category: str, **fields):
        super().__init__(message)
        assert code in ERROR_CODES and category in CATEGORY_EXIT_CODES, (code, category)
        self.code = code
        self.message = message
        self.category = category
        self.fields = fields

    @property
    def exit_code(self) -> int:
        return CATEGORY_EXIT_CODES[self.category]


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


def says_credits_are_missing(text: str) -> bool:
    """Whether a message or error code speaks of missing credits, in words or `SNAKE_CASE`."""
    return bool(re.search(_CREDIT_WORDS, re.sub(r"[\s_\-]+", " ", text.lower())))


def classify(
    status: int, message: str = "", code: str = "", code_categories: dict | None = None, stated: str | None = None
) -> str:
    """The category of an HTTP error answer.

    status           HTTP status
    message, code    the service's own words, where its answer has them
    code_categories  from the descriptor: the ending of an error code -> category
    stated           what the descriptor makes of a header or of this very status

    The service's own code comes first, then what is stated, then words about missing credits in
    any 4xx, then the status.
    """
    for ending, category in (code_categories or {}).items():
        if code.upper().endswith(ending.upper()):
            return category
    if stated:
        return stated
    if 400 <= status < 500 and says_credits_are_missing(f"{message} {code}"):
        return "insufficient_credits"
    if status >= 500:
        return "transient"
    return STATUS_CATEGORIES.get(status, "unknown")


def outcome_of_status(status: int, has_id: bool, rejected: frozenset = REJECTED_STATUSES) -> str:
    """What a complete answer to a paid POST proves: one of OUTCOMES (never `not_sent`)."""
    if 200 <= status < 300:
        return "accepted" if has_id else "unknown"
    if status in rejected or status in REDIRECTED_STATUSES:
        return "rejected"
    return "unknown"


def exit_code_table() -> str:
    """The registry as text, for every script's --help."""
    return "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())
