"""The jobs of one ledger, as they are looked for; nothing is written."""

from __future__ import annotations

import json

from ..base import amounts
from . import rows, schema
from .caps import MAY_COST
from .rows import Entry
from .table import Table
from .unusable import Unusable

# Newest first, an estimate of a model's price looks at so many of its jobs.
PAST_JOBS = 100
# So many values one statement takes in every SQLite.
_AT_ONCE = 900

OPEN = f"delivered_at IS NULL AND closed IS NULL AND {MAY_COST}"
_KNOWN = "COALESCE(closed, '') <> 'forgotten'"


class Lookup:
    """What can be asked of a ledger; entries as rows.Entry."""

    def __init__(self, table: Table):
        self._table = table

    def find(self, word: str, service: str | None = None) -> Entry | None:
        """A job by its key, else the newest one with that id; of one service where it is named."""
        of = "service = COALESCE(?, service)"
        found = self._table.entries(f"key = ? AND {of}", word, service) if rows.KEY.fullmatch(word) else []
        # A service's own ids may look like our keys.
        found = found or self._table.entries(f"generation_id = ? AND {of} ORDER BY seq DESC LIMIT 1", word, service)
        return found[0] if found else None

    def cost_of(self, key: str) -> amounts.Amount | None:
        """What a job has cost, as far as that was told."""
        found = self._table.rows("SELECT cost, cost_unit FROM job WHERE key = ?", key)
        cost, unit = found[0] if found else (None, None)
        return amounts.Amount(cost, unit) if isinstance(cost, int) and isinstance(unit, str) else None

    def of_fingerprints(self, fingerprints: list[str]) -> list[Entry]:
        """Every job of these purchases, the newest first. Nothing is bought on this word: `claim` looks for itself."""
        found: list[Entry] = []
        for at in range(0, len(fingerprints), _AT_ONCE):
            some = fingerprints[at : at + _AT_ONCE]
            found += self._table.entries(f"fingerprint IN ({', '.join('?' * len(some))})", *some)
        return sorted(found, key=lambda entry: -entry.seq)

    def of_intents(self, prefix: str) -> list[Entry]:
        """Every job whose intent begins so, the newest first."""
        return self._table.entries("substr(intent, 1, length(?1)) = ?1 ORDER BY seq DESC", prefix)

    def newest(self, limit: int, **equal) -> list[Entry]:
        """The newest jobs whose columns have these values, but for forgotten ones."""
        where = " AND ".join([_KNOWN, *(f"{name} = ?" for name in equal)])
        return self._table.entries(f"{where} ORDER BY seq DESC LIMIT ?", *equal.values(), limit)

    def count(self, **equal) -> int:
        """How many jobs `newest` could tell of."""
        where = " AND ".join([_KNOWN, *(f"{name} = ?" for name in equal)])
        return self._table.rows(f"SELECT COUNT(*) FROM job WHERE {where}", *equal.values())[0][0]

    def open_jobs(self) -> list[Entry]:
        """Every job that is neither delivered nor settled, oldest first."""
        return self._table.entries(f"({OPEN}) OR {schema.IS_BROKEN} ORDER BY seq")

    def changes(self, key: str) -> list[tuple[float, str]]:
        found = self._table.rows("SELECT at, what FROM change WHERE key = ? ORDER BY at, rowid", key)
        if not all(map(rows.is_change, found)):
            raise Unusable("corrupt", f"{self._table.path}: what became of {key} is not what this program writes")
        return found

    def unclaimed(self, service: str, origin: str, ids: list[str]) -> list[str]:
        """The ids that no entry of this service and origin owns, in this ledger."""
        taken = "SELECT 1 FROM job WHERE service = ? AND origin = ? AND generation_id = ?"
        return [found for found in ids if not self._table.rows(taken, service, origin, found)]

    def settled_before(self, moment: float) -> list[Entry]:
        """Jobs from before `moment` that nothing is left to do for."""
        return self._table.entries(f"created_at < ? AND NOT ({OPEN}) AND {_KNOWN}", moment)

    def bills(self, service: str, origin: str, model: str | None) -> list[tuple[amounts.Amount, dict | None]]:
        """What the latest jobs of a model have cost, newest first, with what they asked for where that was kept.

        What another address has billed is no price of this one; of practice, all are one.
        """
        condition = "service = ? AND (practice OR origin = ?) AND model IS ? AND cost > 0 ORDER BY seq DESC LIMIT ?"
        entries = self._table.entries(condition, service, origin, model, PAST_JOBS)
        return [
            (amounts.Amount(entry.cost, entry.cost_unit), json.loads(entry.payload) if entry.payload else None)
            for entry in entries
            if entry.cost is not None and entry.cost_unit is not None
        ]
