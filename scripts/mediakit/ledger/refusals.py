"""The words in which the ledger refuses (exit 27, and 23 for what it does not know).

under_way, duplicate_unknown, held_elsewhere, undelivered, no_such_job   the refusals
another, by_hand   the ways on
"""

from __future__ import annotations

from ..base import errors
from ..base.times import rfc3339
from ..console.commands import command_line
from . import rows


def under_way(entry: rows.Entry) -> errors.Failure:
    """The refusal while another process has no answer yet."""
    return errors.Failure(
        "purchase_under_way",
        "another process is buying the same at this moment, and has no answer yet",
        "guard",
        outcome="not_sent",
        retryable=True,
        job=entry.key,
        guidance=["Run the same again: it goes on with that job.", *another()],
    )


def another() -> list[str]:
    """How to buy the same again on purpose."""
    return ["To buy another one on purpose, add --intent with a name of your own, or --allow-duplicate."]


def duplicate_unknown(entry: rows.Entry, guidance: list[str]) -> errors.Failure:
    """The refusal while an earlier purchase of the same is unknown."""
    return errors.Failure(
        "duplicate_unknown",
        f"the same was asked for at {rfc3339(entry.created_at)}, and it is not known whether that was accepted",
        "guard",
        outcome="not_sent",
        retryable=False,
        job=entry.key,
        intent=entry.intent,
        intended_at=rfc3339(entry.created_at),
        guidance=[*by_hand(entry, guidance), *another()],
    )


def held_elsewhere(entry: rows.Entry, folder: str) -> errors.Failure:
    """The refusal while the same is open in a ledger that this process cannot write."""
    words = "is open" if entry.generation_id else "was asked for, and it is not known whether it was accepted,"
    action = "resume" if entry.generation_id else "reconcile"
    return errors.Failure(
        "purchase_elsewhere",
        f"the same {words} in the ledger in {folder}, which cannot be written from here",
        "guard",
        outcome="not_sent",
        retryable=False,
        job=entry.key,
        generation_id=entry.generation_id,
        guidance=["Go on with that job where its ledger can be written, outside of this sandbox.", *another()],
        **command_line("jobs.py", action, entry.key, "--state-dir", folder, with_state=False),
    )


def by_hand(entry: rows.Entry, guidance: list[str]) -> list[str]:
    """How a person settles what no program can: `guidance` says where to look."""
    return [
        *guidance,
        f"If the job is there: jobs.py reconcile {entry.key} --attach ID.",
        f"If it is not: jobs.py forget {entry.key}, or the same again with --retry-unknown, at the risk of paying twice.",
    ]


def undelivered(entry: rows.Entry) -> errors.Failure:
    """The refusal to forget a job that is paid for, and whose result nobody has."""
    return errors.Failure(
        "job_undelivered",
        "this job was accepted and is not delivered: forgotten, its result is lost, and the same command buys again",
        "guard",
        retryable=False,
        outcome="accepted",
        job=entry.key,
        generation_id=entry.generation_id,
        guidance=[
            "Run `next_command`: it goes on with the job.",
            f"To forget it all the same: jobs.py forget {entry.key} --accept-loss",
        ],
        **command_line("jobs.py", "resume", entry.key),
    )


def no_such_job() -> errors.Failure:
    return errors.Failure(
        "job_not_found",
        "the ledger has no such job",
        "not_found",
        retryable=False,
        guidance=["See what there is with jobs.py list."],
    )
