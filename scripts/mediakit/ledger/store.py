"""The record of purchases: intent before the POST, outcome after, delivered at the end.

A SQLite file in the state folder, for several processes at once. It knows neither HTTP nor services,
and holds no key.

    Ledger    one open ledger

What a job's outcome can be: `planned` (claimed; no byte of the POST has left), `sending` (the first byte
is about to leave), or one of errors.OUTCOMES. Whoever claimed a job holds its lock for as long as the
process lives. `planned` without such an owner was not sent, `sending` without one is unknown.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ..base import times
from . import locks, schema
from .caps import COUNTS, Caps
from .claims import Claims
from .lookup import OPEN, Lookup
from .rows import Decision, Entry, Order, as_json
from .table import Table
from .unusable import Unusable, translated
from .uploads import Accounts, Uploads

__all__ = ["Decision", "Entry", "Ledger", "Order", "Unusable", "as_json"]


class Ledger(Lookup):
    """One ledger; raises Unusable.

    folder       an existing folder
    names_hosts  whether addresses in it are the user's own: not where the folder lies in a working
                 directory, which can come from anybody
    read_only    it is only looked at
    may_wait     as for database.Database

    claims       the purchases that are begun in it
    caps         what was spent, and whether a cap allows more
    uploads      the inputs that services have
    """

    def __init__(
        self,
        folder: str,
        *,
        names_hosts: bool = True,
        read_only: bool = False,
        may_wait: Callable[[float], bool] | None = None,
    ):
        super().__init__(Table(folder, read_only, may_wait))
        self.names_hosts = names_hosts
        self.is_read_only = read_only
        self.folder = folder
        self.caps = Caps(self._table)
        self.claims = Claims(self, self._table)
        self.uploads = Uploads(self._table)
        self.account = Accounts(self._table).of
        self._owners = locks.Owners(self._table.owners)
        if not read_only:
            self._owners.sweep()

    @property
    def path(self) -> str:
        return self._table.path

    def close(self) -> None:
        self._table.close()

    def check_is_there(self) -> None:
        """Raises Unusable where the file was removed or replaced since it was opened."""
        self._table.check_is_there()

    def defer(self, key: str, what: str, **columns) -> None:
        """As `record`, but written with whatever is written of the job next: for what may be lost with this process."""
        self._table.defer(key, what, **columns)

    # -- who is at it ------------------------------------------------------------------------------

    def release(self, key: str) -> None:
        """Release the lock of a job."""
        self._owners.release(key)

    def hold(self, key: str) -> None:
        """Take the lock of a job that is about to be claimed."""
        with translated(self.path):
            self._owners.hold(key)

    def take(self, entry: Entry) -> bool:
        """Take the lock of an existing job; False where another process holds it, or has delivered the job by now."""
        with translated(self.path):
            if not self._owners.take(entry.key):
                return False
        now = self._table.entries("key = ?", entry.key)
        if now and now[0].delivered_at is None:
            return True
        self.release(entry.key)
        return False

    def has_owner(self, entry: Entry) -> bool:
        """Whether a living process, this one included, holds the lock of the job."""
        with translated(self.path):
            return self._owners.has(entry.key)

    def outcome_of(self, entry: Entry) -> str:
        """A word of errors.OUTCOMES, or `under_way` while its owner has no answer."""
        if entry.outcome == "accepted" and entry.generation_id is None and entry.delivered_at is None:
            return "unknown"
        if entry.outcome not in ("planned", "sending", "unknown"):
            return entry.outcome
        if self.has_owner(entry):
            return "under_way"
        return "not_sent" if entry.outcome == "planned" else "unknown"

    # -- what became of it -------------------------------------------------------------------------

    def release_reservations(self) -> None:
        """What was reserved by commands that ended before their create is free again."""
        for entry in self._table.entries("outcome = 'planned'"):
            if not self.has_owner(entry):
                self._table.set(entry.key, "found not sent", outcome="not_sent")

    def record(self, key: str, what: str, **columns) -> None:
        """Set columns of a job, durably; `what` says in a few words what happened."""
        with self._table.transaction():
            self._table.set(key, what, **columns)

    def note_outcome(self, key: str, outcome: str, what: str | None = None) -> bool:
        """An outcome as far as it is known without an id; False where the job was found meanwhile, which stands."""
        with self._table.transaction():
            found = "(generation_id IS NOT NULL OR delivered_at IS NOT NULL)"
            if self._table.rows(f"SELECT 1 FROM job WHERE key = ? AND outcome = 'accepted' AND {found}", key):
                return False
            self._table.set(key, what or outcome, outcome=outcome)
            return True

    def accepted(self, key: str, generation_id: str, source: str) -> str | None:
        """The id of a job. Returns the key of an earlier job to which the service gave the same id, if any.

        source  "answer", or how else it was found: then an id that another job has is not taken
        """
        with self._table.transaction():
            place = self._table.rows("SELECT service, origin FROM job WHERE key = ?", key)
            if not place:
                raise Unusable("corrupt", f"{self.path} has lost a job")
            condition = "service = ? AND origin = ? AND generation_id = ? AND key <> ? ORDER BY seq LIMIT 1"
            found = self._table.entries(condition, *place[0], generation_id, key)
            twin = found[0].key if found else None
            if twin is None or source == "answer":
                self._table.set(
                    key,
                    f"accepted, by {source}" + (f"; its id is that of {twin}" if twin else ""),
                    outcome="accepted",
                    generation_id=generation_id,
                    accepted_at=time.time(),
                    twin=twin,
                )
            return twin

    def delivered(self, key: str, exit_code: int) -> None:
        """The result line that ends the purchase was written, now."""
        at = times.now()
        self.record(
            key, f"ended {exit_code}", exit_code=exit_code, delivered_at=at.wall, delivered_tick=at.tick,
            delivered_boot=at.boot,
        )  # fmt: skip

    def forget(self, key: str) -> None:
        """Take out what was asked for and where it went; what it cost stays counted."""
        gone = dict.fromkeys(("payload", "output_dir", "paths", "assets", "intent"))
        with self._table.transaction():
            self._table.rows("DELETE FROM change WHERE key = ?", key)
            self._table.set(key, "forgotten", **gone, command="", closed="forgotten")

    def has_rival(self, entry: Entry, seconds: float | None = None) -> bool:
        """Whether a living process is buying the same at this moment, and has no id yet.

        seconds  where jobs are told apart by model and time alone: another purchase of this model within so many
                 seconds counts, whatever it asks for and whoever made it, as long as nobody knows its id
        """
        if seconds is not None:
            others = self._table.entries(
                f"service = ? AND origin = ? AND model IS ? AND key <> ? AND {OPEN} AND outcome <> 'accepted' "
                "AND abs(created_at - ?) <= ?",
                entry.service, entry.origin, entry.model, entry.key, entry.created_at, seconds,
            )  # fmt: skip
            return any(True for _ in others)
        rivals = self._table.entries(
            f"request = ? AND key <> ? AND {OPEN} AND outcome <> 'accepted'", entry.request, entry.key
        )
        return any(self.has_owner(rival) for rival in rivals)

    def totals(self, since: float = -1e18) -> list[tuple]:
        """`(day, service, model, practice, unit, jobs, measured, estimated, unknown)`, newest day first, UTC.

        measured and estimated are millionths of the unit; unknown counts jobs without any amount.
        """
        if not self.is_read_only:
            with self._table.transaction():
                self.release_reservations()
        sums: dict[tuple, list[int]] = {}
        for entry in self._table.entries(f"(created_at >= ? AND {COUNTS}) OR {schema.IS_BROKEN}", since):
            day = times.rfc3339(entry.created_at)[:10]
            unit = entry.cost_unit or entry.reserved_unit
            known = sums.setdefault((day, entry.service, entry.model, entry.practice, unit), [0, 0, 0, 0])
            known[0] += 1
            known[1] += entry.cost or 0
            known[2] += (entry.reserved or 0) if entry.cost is None else 0
            known[3] += entry.cost is None and entry.reserved is None
        rows_of = [(*names, *counts) for names, counts in sums.items()]
        rows_of.sort(key=lambda row: (row[1], row[2] or ""))
        return sorted(rows_of, key=lambda row: row[0], reverse=True)
