"""The errors that a job can end with, in words."""

from __future__ import annotations

from ...base import errors
from .answers import JobAnswer


def detail(message: str) -> str:
    """What follows on words that stand for themselves."""
    return f": {message}" if message else ""


def unknown_outcome(what: str, code: str = "outcome_unknown", **more) -> errors.Failure:
    """A paid request that was sent, and of which nobody knows whether it was accepted."""
    return errors.Failure(
        code,
        f"the request was sent, but it is not known whether it was accepted: {what}",
        "outcome_unknown",
        outcome="unknown",
        retryable=False,
        **more,
    )


def not_sent(message: str, final: bool) -> errors.Failure:
    """A paid request of which no byte left. `final`: another try would end the same."""
    return errors.Failure(
        "request_not_sent",
        f"the request could not be sent: {message}",
        "transient",
        outcome="not_sent",
        retryable=not final,
        guidance=[
            "Nothing was bought. Mend what the message names, then run the same again."
            if final
            else "Nothing was bought. Check the network and the service's status, then run the same again."
        ],
    )


def out_of_time_unsent() -> errors.Failure:
    return errors.Failure(
        "request_not_sent",
        "the time was used up before the request could be sent",
        "transient",
        outcome="not_sent",
        retryable=True,
        guidance=["Nothing was bought. Run the same again, with more time."],
    )


def rejected(answer: JobAnswer) -> errors.Failure:
    return errors.Failure(
        "request_rejected",
        f"the service refused the request: HTTP {answer.status}{detail(answer.message)}",
        answer.category,
        outcome="rejected",
        retryable=answer.category == "transient",
        http_status=answer.status,
    )


def redirected(answer: JobAnswer) -> errors.Failure:
    """A service that redirects a request which carries the key."""
    return errors.Failure(
        "request_redirected",
        f"the service answered HTTP {answer.status}, a redirect{detail(answer.location)}; the key is never sent elsewhere",
        "unknown",
        outcome="rejected",
        retryable=False,
        http_status=answer.status,
        guidance=["Check --base-url: it must be the address that answers, not one that forwards."],
    )


def unreadable(answer: JobAnswer) -> errors.Failure:
    """A job that the service accepted, and of which it refuses to tell."""
    return errors.Failure(
        "read_failed",
        f"the service refuses to tell about the job: HTTP {answer.status}{detail(answer.message)}",
        answer.category,
        outcome="accepted",
        retryable=False,
        http_status=answer.status,
    )
