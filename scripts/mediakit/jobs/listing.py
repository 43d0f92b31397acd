"""The jobs of the ledger, told and settled.

entry_of     the job that a key or an id means
unfinished   the open jobs of one outcome
list_jobs, show_job, show_spending   events about many jobs, about one, and about what they cost
forget       take out what is settled
cannot_cancel   the refusal where a service has no way to cancel
"""

from __future__ import annotations

import json
import time

from ..base import amounts, errors
from ..base.times import rfc3339
from ..console import Console
from ..ledger import entries, store
from ..services import providers

OUTCOMES = ("not_sent", "rejected", "accepted", "unknown", "under_way")
_MOST_ROWS = 1000


def entry_of(ledger: store.Ledger, word: str, service: str | None) -> store.Entry:
    """The job with this key or id; raises Failure 23 where there is none, 2 where it is another service's."""
    # Two services can give the same id: the one that is named counts.
    entry = ledger.find(word, service) or ledger.find(word)
    if entry is None:
        raise errors.Failure(
            "job_not_found",
            "the ledger has no such job",
            "not_found",
            retryable=False,
            guidance=["See what there is with jobs.py list."],
        )
    if service not in (None, entry.service):
        raise errors.bad_argument("--provider", f"expected {entry.service}, where this job is, or none")
    return entry


def unfinished(ledger: store.Ledger, outcome: str, service: str | None) -> list[store.Entry]:
    """The open jobs of one outcome, oldest first; of one service where it is named."""
    of_service = [entry for entry in ledger.open_jobs() if service in (None, entry.service)]
    return [entry for entry in of_service if ledger.outcome_of(entry) == outcome]


# -- telling -------------------------------------------------------------------------------------------


def list_jobs(
    console: Console, ledger: store.Ledger, service: str | None, outcome: str | None, only_open: bool, limit: int
) -> int:
    """The newest jobs, `limit` at most, each as a `job` event; returns the exit code."""
    equal = {"service": service} if service else {}
    shown = 0
    for entry in ledger.newest(10 * limit if outcome or only_open else limit, **equal):
        row = _row(ledger, entry)
        wanted = outcome in (None, row["outcome"]) and not (only_open and not row["open"])
        if wanted and shown < limit:
            shown += 1
            console.emit("job", **row)
    return console.result("jobs", 0, jobs=shown, known=ledger.count(**equal))


def show_job(console: Console, ledger: store.Ledger, entry: store.Entry) -> int:
    """Everything that is known of a job; returns the exit code."""
    return console.result(
        "job",
        0,
        **_row(ledger, entry),
        origin=entry.origin,
        payload=_value(entry.payload),
        command=entry.command or None,
        changes=[{"time": rfc3339(at), "what": what} for at, what in ledger.changes(entry.key)],
        assets_saved=_value(entry.paths),
        usage=_value(entry.usage),
    )


def _value(text: str | None):
    return json.loads(text) if text else None


def _row(ledger: store.Ledger, entry: store.Entry) -> dict:
    """What one line tells of a job."""
    outcome = ledger.outcome_of(entry)
    is_open = entry.delivered_at is None and entry.closed is None and outcome in ("accepted", "unknown", "under_way")
    return {
        "job": entry.key,
        "created_at": rfc3339(entry.created_at),
        "provider": entry.service,
        "model": entry.model,
        "intent": entry.intent,
        "copy": entry.copy if entry.copy > 1 else None,
        "outcome": outcome,
        "generation_id": entry.generation_id,
        "status": entry.status,
        "state": entry.state,
        "delivered": entry.delivered_at is not None,
        "open": is_open,
        "closed": entry.closed,
        "last_exit_code": entry.exit_code,
        "cost": _amount(entry.cost, entry.cost_unit),
        "reserved": _amount(entry.reserved, entry.reserved_unit) if entry.cost is None else None,
    }


def _amount(micro: int | None, unit: str | None) -> dict | None:
    return amounts.Amount(micro, unit).shown if micro is not None else None


def show_spending(console: Console, ledger: store.Ledger, service: str | None) -> int:
    """What was spent by day, service and model, each as a `spent` event; returns the exit code."""
    rows = ledger.totals()
    for day, its_service, model, practice, unit, jobs, measured, estimated, unknown in rows[:_MOST_ROWS]:
        if service in (None, its_service):
            console.emit(
                "spent",
                day=day,
                provider=its_service,
                model=model,
                practice=bool(practice),
                jobs=jobs,
                measured=amounts.Amount(measured, unit).shown if measured else None,
                estimated=amounts.Amount(estimated, unit).shown if estimated else None,
                jobs_of_unknown_cost=unknown,
            )
    omitted = max(len(rows) - _MOST_ROWS, 0) or None
    return console.result("spend", 0, rows=min(len(rows), _MOST_ROWS), rows_omitted=omitted)


# -- settling ------------------------------------------------------------------------------------------


def cannot_cancel(entry: store.Entry) -> errors.Failure:
    provider = providers.load(entry.service)
    return errors.Failure(
        "cannot_cancel",
        f"{provider.title} has no documented way to cancel a job; it runs on and is paid for",
        "validation",
        retryable=False,
        job=entry.key,
        generation_id=entry.generation_id or None,
        guidance=provider.looking_guidance,
    )


def forget(console: Console, ledger: store.Ledger, entry: store.Entry | None, days: float) -> int:
    """Forget one job, or all settled ones that are older than so many days; returns the exit code."""
    if entry is not None and ledger.outcome_of(entry) == "under_way":
        raise entries.under_way(entry)
    settled = [entry] if entry is not None else ledger.settled_before(time.time() - days * amounts.DAY)
    for one in settled:
        ledger.forget(one.key)
    return console.result("forgotten", 0, jobs=len(settled), message="What they cost stays counted.")
