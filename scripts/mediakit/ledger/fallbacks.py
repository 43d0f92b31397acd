"""Which ledgers there are.

open_ledger   the ledger of this user, or the warning or refusal that stands for it
look_up       a job that is in the ledger
undelivered   how many of its jobs wait to be delivered
"""

from __future__ import annotations

from ..base import errors, paths
from ..console import Console
from . import entries, store


def open_ledger(console: Console, required: bool, warned: bool = False) -> store.Ledger | None:
    """The ledger; None, after a warning, where none can be kept. Raises Failure 27.

    required  whether a warning is not enough (--require-ledger)
    warned    whether the user has been told already where the state is
    """
    state = paths.state()
    try:
        if state.folder is None:
            raise store.Unusable("foreign" if state.refused else "absent", state.warning or "")
        found = store.Ledger(state.folder, names_hosts=not state.is_local)
    except store.Unusable as problem:
        if problem.kind != "absent":
            raise entries.unusable(problem) from None
        if required:
            raise errors.Failure(
                "ledger_required",
                f"no journal of purchases can be kept: {problem.message}",
                "guard",
                outcome="not_sent",
                retryable=False,
                guidance=["Set AI_MEDIA_HOME to a folder that can be written."],
            ) from None
        console.warning(
            "ledger_unavailable",
            f"no journal of purchases can be kept ({problem.message}): the same command again will buy again",
        )
        return None
    if state.warning and not warned:
        console.warning("state_folder", state.warning)
    return found


def look_up(console: Console, word: str, service: str | None, required: bool):
    """`(entry, ledger)` of a job that has an id, by its key or its id; `(None, None)` where there is none.

    required  whether that is a Failure (23, or 27 for a ledger that cannot be used)
    Waiting for a known id is free: without `required` a ledger that cannot be used is no reason to fail.
    """
    state = paths.state()
    try:
        ledger = store.Ledger(state.folder, names_hosts=not state.is_local) if state.folder else None
        entry = ledger.find(word, service) if ledger else None
    except store.Unusable as problem:
        if required:
            raise entries.unusable(problem) from None
        console.warning("ledger_unavailable", f"the journal of purchases cannot be read: {problem.message}")
        return None, None
    if entry and entry.generation_id:
        return entry, ledger
    if required:
        raise errors.Failure(
            "job_not_found",
            "the journal of purchases has no such job with an id",
            "not_found",
            retryable=False,
            guidance=["See what there is with jobs.py list."],
        )
    return None, None


def undelivered(services: list[str]) -> int:
    """How many jobs of these services have an id and wait to be delivered; 0 where no ledger tells."""
    state = paths.state()
    if state.folder is None:
        return 0
    try:
        ledger = store.Ledger(state.folder, names_hosts=not state.is_local)
        return sum(entry.service in services and ledger.outcome_of(entry) == "accepted" for entry in ledger.open_jobs())
    except store.Unusable:
        return 0
