"""The jobs of all ledgers, told and settled.

Found        a job, and the ledger that it is in
found        the one that a key or an id means
unfinished   the open jobs of one outcome
list_jobs, show_job, show_spending   events about many jobs, about one, and about what they cost
since        the moment that a flag means
forget       take out what is settled
"""

from __future__ import annotations

import datetime
import json
import re
import time
from collections.abc import Iterable

from ..base import amounts, errors
from ..base.record import record
from ..base.times import rfc3339
from ..console import Console
from ..ledger import refusals
from ..ledger.fallbacks import Ledgers
from ..ledger.rows import Entry
from ..ledger.store import Ledger

OUTCOMES = ("not_sent", "rejected", "accepted", "unknown", "under_way")
_MOST_ROWS = 1000


@record
class Found:
    entry: Entry
    ledger: Ledger


def found(ledgers: Ledgers, word: str, provider: str | None) -> Found:
    """The job of that key or id, of the provider that is named where two have it. Raises Failure 23, 2."""
    one = ledgers.find(word, provider) or ledgers.find(word)
    if one is None:
        raise refusals.no_such_job()
    if provider not in (None, one[0].service):
        raise errors.bad_argument("--provider", f"expected {one[0].service}, where this job is, or none")
    return Found(*one)


def unfinished(ledgers: Ledgers, outcome: str, provider: str | None) -> list[Found]:
    """Every job of that outcome which is neither delivered nor settled, oldest first."""
    every = [Found(entry, ledger) for ledger in ledgers.opened() for entry in ledger.open_jobs()]
    every.sort(key=lambda one: one.entry.created_at)
    return [
        one for one in every if provider in (None, one.entry.service) and one.ledger.outcome_of(one.entry) == outcome
    ]


# -- looking -------------------------------------------------------------------------------------------


def list_jobs(
    console: Console, ledgers: Ledgers, provider: str | None, outcome: str | None, undelivered: bool, limit: int
) -> int:
    """The newest jobs, a line each."""
    equal = {"service": provider} if provider else {}
    many = 10 * limit if outcome or undelivered else limit
    every = [Found(entry, ledger) for ledger in ledgers.opened() for entry in ledger.newest(many, **equal)]
    every.sort(key=lambda one: one.entry.created_at, reverse=True)
    told = [row for row in (_row(ledgers, one) for one in every) if _is_wanted(row, outcome, undelivered)][:limit]
    for row in told:
        console.emit("job", **row)
    known = sum(ledger.count(**equal) for ledger in ledgers.opened())
    return console.result("jobs", 0, jobs=len(told), known=known)


def _is_wanted(row: dict, outcome: str | None, undelivered: bool) -> bool:
    return outcome in (None, row["outcome"]) and not (undelivered and not row["open"])


def show_job(console: Console, ledgers: Ledgers, one: Found) -> int:
    """Everything that is known of one job."""
    entry, ledger = one.entry, one.ledger
    row = {
        **_row(ledgers, one),
        "origin": entry.origin,
        "payload": json.loads(entry.payload) if entry.payload else None,
        "command": entry.command or None,
        "changes": [{"time": rfc3339(at), "what": what} for at, what in ledger.changes(entry.key)],
        "assets_saved": json.loads(entry.paths) if entry.paths else None,
        "usage": json.loads(entry.usage) if entry.usage else None,
    }
    return console.result("job", 0, **row)


def _row(ledgers: Ledgers, one: Found) -> dict:
    """What one line tells of a job."""

    def amount(micro: int | None, unit: str | None) -> dict | None:
        return amounts.Amount(micro, unit).shown if micro is not None else None

    entry, ledger = one.entry, one.ledger
    outcome = ledger.outcome_of(entry)
    is_settled = entry.delivered_at is not None or entry.closed is not None
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
        "open": not is_settled and outcome in ("accepted", "unknown", "under_way"),
        "closed": entry.closed,
        "twin": entry.twin,
        "last_exit_code": entry.exit_code,
        "cost": amount(entry.cost, entry.cost_unit),
        "reserved": amount(entry.reserved, entry.reserved_unit) if entry.cost is None else None,
        "state_dir": ledger.folder if ledger is not ledgers.own else None,
    }


# -- spending ------------------------------------------------------------------------------------------


def since(flag: str, text: str, now: float) -> float:
    """The moment that `7d`, `12h` or a date (UTC) means, in seconds since the epoch; raises Failure 2."""
    ago = re.fullmatch(r"([0-9]{1,6})([hdw])", text.strip().lower())
    if ago:
        return now - int(ago[1]) * {"h": 3600, "d": 86400, "w": 7 * 86400}[ago[2]]
    try:
        moment = datetime.datetime.fromisoformat(re.sub("[Zz]$", "+00:00", text.strip()))
    except ValueError:
        raise errors.bad_argument(flag, "expected a time such as 7d, 12h or 4w, or a date such as 2026-01-31") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)).timestamp()


def show_spending(console: Console, ledgers: Ledgers, provider: str | None, begin: float | None) -> int:
    """By day, service and model, and the totals in the last line."""
    every = [row for ledger in ledgers.opened() for row in ledger.totals(-1e18 if begin is None else begin)]
    rows = sorted(_added(row for row in every if provider in (None, row[1])), key=lambda row: row[0], reverse=True)
    for day, service, model, practice, unit, jobs, measured, estimated, unknown in rows[:_MOST_ROWS]:
        console.emit(
            "spent",
            day=day,
            provider=service,
            model=model,
            practice=True if practice else None,
            jobs=jobs,
            measured=amounts.Amount(measured, unit).shown if measured else None,
            estimated=amounts.Amount(estimated, unit).shown if estimated else None,
            jobs_of_unknown_cost=unknown,
        )
    return console.result(
        "spend",
        0,
        rows=min(len(rows), _MOST_ROWS),
        rows_omitted=max(len(rows) - _MOST_ROWS, 0) or None,
        since=rfc3339(begin) if begin is not None else None,
        totals=_totals(rows),
    )


def _added(rows: Iterable[tuple]) -> list[tuple]:
    """Rows of several ledgers about the same day, service, model and unit as one."""
    sums: dict[tuple, list[int]] = {}
    for row in rows:
        known = sums.setdefault(row[:5], [0, 0, 0, 0])
        sums[row[:5]] = [one + other for one, other in zip(known, row[5:])]
    return [(*names, *counts) for names, counts in sums.items()]


def _totals(rows: list[tuple]) -> list[dict]:
    """One line a unit, practice apart from what is paid for: all that was measured, and all that is estimated."""
    sums: dict[tuple, list[int]] = {}
    for row in rows:
        known = sums.setdefault((bool(row[3]), row[4]), [0, 0, 0, 0])
        sums[(bool(row[3]), row[4])] = [one + other for one, other in zip(known, row[5:])]
    return [
        {
            "unit": unit,
            "practice": practice,
            "jobs": jobs,
            "measured": amounts.Amount(measured, unit).shown["amount"],
            "estimated": amounts.Amount(estimated, unit).shown["amount"],
            "jobs_of_unknown_cost": unknown,
        }
        for (practice, unit), (jobs, measured, estimated, unknown) in sorted(
            sums.items(), key=lambda item: (item[0][0], item[0][1] or "")
        )
    ]


# -- settling ------------------------------------------------------------------------------------------


def forget(console: Console, ledgers: Ledgers, one: Found | None, days: float | None, accepts_loss: bool) -> int:
    """Take jobs out: one, or every settled one that is older. Raises Failure 27 for one that is paid for and open."""
    if one:
        _check_settled(one, accepts_loss)
        jobs = [one]
    else:
        before = time.time() - (days or 0.0) * amounts.DAY
        jobs = [Found(entry, ledger) for ledger in ledgers.opened() for entry in ledger.settled_before(before)]
    for job in jobs:
        job.ledger.forget(job.entry.key)
    return console.result("forgotten", 0, jobs=len(jobs), message="What they cost stays counted.")


def _check_settled(one: Found, accepts_loss: bool) -> None:
    entry, ledger = one.entry, one.ledger
    outcome = ledger.outcome_of(entry)
    if outcome == "under_way":
        raise refusals.under_way(entry)
    if outcome == "accepted" and entry.delivered_at is None and entry.closed is None and not accepts_loss:
        raise refusals.undelivered(entry)
