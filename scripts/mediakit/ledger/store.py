"""The record of purchases: intent before the POST, outcome after, delivered at the end.

A SQLite file in the state folder, for several processes at once. It knows neither HTTP nor services,
and holds no key.

    Ledger    one open ledger

What a job's outcome can be: `planned` (claimed; no byte of the POST has left), `sending` (the first byte
is about to leave), or one of errors.OUTCOMES. Whoever claimed a job holds its lock for as long as the
process lives. `planned` without such an owner was not sent, `sending` without one is unknown.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..base import amounts, errors, times
from ..base.record import fields
from . import database, locks, rows
from .database import Unusable, _translated, blake2b
from .rows import Decision, Entry, Order, as_json

__all__ = ["Decision", "Entry", "Ledger", "Order", "Unusable", "as_json"]

# Newest first, an estimate of a model's price looks at so many of its jobs.
PAST_JOBS = 100
# The newest jobs, as many as a claim looks at one by one.
_LOOKED_AT = 50_000
# So many values one statement takes in every SQLite.
_AT_ONCE = 900

# Of several open jobs of one order, a command goes on with the first of these.
_PREFERENCE = {"resume": 0, "wait": 1, "unknown": 2}
_COLUMNS = ", ".join(rows.COLUMNS)
# Of an order, what becomes columns as it is.
_ASKED = tuple(name for name in fields(Order) if name not in ("price", "formerly"))
# A job that may have cost something: everything that is not proven to be free.
_MAY_COST = "outcome IN ('sending', 'accepted', 'unknown', 'planned')"
# A job that an earlier purchase has the id of is one job, and was paid for once.
_COUNTS = f"{_MAY_COST} AND twin IS NULL"
_OPEN = f"delivered_at IS NULL AND closed IS NULL AND {_MAY_COST}"
_KNOWN = "COALESCE(closed, '') <> 'forgotten'"


class Ledger:
    """One ledger; raises Unusable.

    folder       an existing folder
    names_hosts  whether addresses in it are the user's own: not where the folder lies in a working
                 directory, which can come from anybody
    read_only    it is only looked at
    may_wait     as for database.Database
    """

    def __init__(
        self,
        folder: str,
        *,
        names_hosts: bool = True,
        read_only: bool = False,
        may_wait: Callable[[float], bool] | None = None,
    ):
        self.names_hosts = names_hosts
        self.is_read_only = read_only
        self.folder = folder
        more = {"may_wait": may_wait} if may_wait else {}
        self._database = database.Database(folder, read_only=read_only, **more)
        self._owners = locks.Owners(self._database.owners)
        # Of jobs: what is to be written with whatever is written of them next.
        self._deferred: dict[str, list[tuple[str, dict]]] = {}
        self._merged: set[str] = set()
        # Of the file when all its rows were read.
        self._checked_version = -1
        if not read_only:
            self._owners.sweep()

    @property
    def path(self) -> str:
        return self._database.path

    def close(self) -> None:
        self._database.close()

    def check_is_there(self) -> None:
        """Raises Unusable where the file was removed or replaced since it was opened."""
        self._database.check_is_there()

    @contextmanager
    def _transaction(self) -> Iterator:
        with self._database.transaction() as connection:
            merged: set[str] = set()
            self._merged = merged
            yield connection
        for key in merged:
            self._deferred.pop(key, None)

    def _rows(self, query: str, *values) -> list[tuple]:
        return self._database.rows(query, values)

    def _entries(self, condition: str, *values, indexed: bool = True) -> list[Entry]:
        how = "" if indexed else "NOT INDEXED"
        query = f"SELECT {_COLUMNS}, {database.IS_AS_SENT}, {database.IS_BROKEN} FROM job {how} WHERE {condition}"
        return [self._entry(row) for row in self._rows(query, *values)]

    def _entry(self, row: tuple) -> Entry:
        try:
            if row[-1]:
                raise ValueError("seal")
            return rows.entry_of(row[:-2], bool(row[-2]))
        except ValueError as problem:
            words = f"row {row[0]} holds what this program never writes ({problem})"
            raise Unusable("corrupt", f"{self.path}: {words}") from None

    # -- who is at it ------------------------------------------------------------------------------

    def release(self, key: str) -> None:
        """This process is done with a job."""
        self._owners.release(key)

    def take(self, entry: Entry) -> bool:
        """From now on this process is at a job that exists; False where another process is, or has ended it by now."""
        with _translated(self.path):
            if not self._owners.take(entry.key):
                return False
        now = self._entries("key = ?", entry.key)
        if now and now[0].delivered_at is None:
            return True
        self.release(entry.key)
        return False

    def has_owner(self, entry: Entry) -> bool:
        """Whether the process that claimed the job is alive and at it, this one included."""
        with _translated(self.path):
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

    # -- claiming ----------------------------------------------------------------------------------

    def look(self, orders: list[Order], began: times.Moment | None = None) -> list[Decision | None]:
        """For each order the job that it means already, if any. Nothing is written."""
        return self._known(orders, began, False)[0]

    def claim(
        self,
        orders: list[Order],
        caps: list[amounts.Cap],
        *,
        key: str | None = None,
        began: times.Moment | None = None,
        allow_duplicate: bool = False,
        retry_unknown: bool = False,
        accept_unknown_cost: bool = False,
        spent_elsewhere: Callable[[str, bool, float | None], int] = lambda unit, practice, window: 0,
    ) -> list[Decision]:
        """Decide about every order of one command, and write the intents of those to buy, durably.

        key              the service's key, of which a salted hash is kept beside the intent
        began            a job that was delivered after this command began is its own: nobody who asked
                         could know that it was there
        spent_elsewhere  (unit, practice, window) -> millionths that other ledgers know of

        One transaction: two commands never both buy what one of them should resume, and no cap is
        overdrawn by two at once. While a part is being bought by another process, only the decisions
        to wait come back, and nothing is written. Raises Failure 27 where a cap refuses; then nothing
        is written either.
        """
        if not allow_duplicate:
            waiting = _waiting(self._known(orders, began, retry_unknown)[0])
            if waiting:  # seen without a lock: so many may wait
                return waiting
        account = self.account(key)
        keys = [f"job_{os.urandom(8).hex()}" for _ in orders]
        bought: set[str] = set()
        try:
            with _translated(self.path):
                for held in keys:
                    self._owners.hold(held)
            with self._transaction():
                known: list[Decision | None] = [None] * len(orders)
                settled: list[tuple] = []
                if not allow_duplicate:
                    known, settled = self._known(orders, began, retry_unknown)
                decisions = _waiting(known)
                if not decisions:
                    for settled_key, what, columns in settled:
                        self._set(settled_key, what, **columns)
                    to_buy = [order for order, found in zip(orders, known) if found is None]
                    if to_buy:
                        self._release_reservations()
                        self._check_caps(to_buy, caps, accept_unknown_cost, spent_elsewhere)
                    decisions = self._decisions(orders, keys, known, account)
            bought = {decision.entry.key for decision in decisions if decision.entry and decision.word == "buy"}
            return decisions
        finally:
            for held in keys:
                if held not in bought:
                    self.release(held)

    def _decisions(self, orders, keys: list[str], known: list[Decision | None], account: str) -> list[Decision]:
        """What is known goes on, the rest is bought; what one command buys is one purchase."""
        purchase = next((found.entry.purchase for found in known if found and found.entry), keys[0])
        decisions: list[Decision | None] = []
        made: list[str] = []
        for order, key, found in zip(orders, keys, known):
            if found is None:
                self._insert(order, key, purchase, account)
                made.append(key)
            decisions.append(found)
        entries = {entry.key: entry for entry in self._entries(f"key IN ({', '.join('?' * len(made))})", *made)}
        return [found or Decision("buy", entries[key], self) for found, key in zip(decisions, keys)]

    def _known(self, orders: list[Order], began, retry_unknown: bool) -> tuple[list[Decision | None], list[tuple]]:
        """For each order the job that it means already, if any; and what is to be written of other jobs.

        Every row is read, through no index: a damage to any of them could hide the job that was meant. Their seals are
        looked at once for as long as nobody else writes.
        """
        wanted = [fingerprint for order in orders for fingerprint in order.fingerprints]
        self._check_none_is_lost()
        version = self._database.version
        broken = "" if version == self._checked_version else f" OR {database.IS_BROKEN}"
        entries = self._entries(
            f"seq > (SELECT MAX(seq) FROM job) - {_LOOKED_AT} "
            f"AND (fingerprint IN ({', '.join('?' * len(wanted))}){broken}) ORDER BY seq DESC",
            *wanted,
            indexed=False,
        )
        self._checked_version = version
        settled: list[tuple] = []
        purchases: set[str] = set()
        found = [self._open_job(order, entries, began, retry_unknown, purchases, settled) for order in orders]
        # What one command bought together is delivered together: while a part of it is open, a part
        # that has been delivered is not bought again.
        for index, order in enumerate(orders):
            if found[index] is None:
                found[index] = next(
                    (
                        Decision("resume", entry, self)
                        for entry in entries
                        if entry.fingerprint in order.fingerprints
                        and entry.delivered_at is not None
                        and not entry.closed
                        and entry.purchase in purchases
                        and entry.generation_id
                    ),
                    None,
                )
        return found, settled

    def _check_none_is_lost(self) -> None:
        """No job is ever removed: as many rows are there as numbers were given."""
        query = "SELECT COUNT(*), COALESCE(MAX(seq), 0), (SELECT seq FROM sqlite_sequence WHERE name = 'job') FROM job"
        count, newest, given = self._rows(query)[0]
        if not count == newest == (given or 0):
            raise Unusable("corrupt", f"{self.path} has lost some of its jobs")

    def _open_job(self, order, entries, began, retry_unknown, purchases: set, settled: list) -> Decision | None:
        """The open job of an order that a command is to go on with; adds the purchases that have open jobs."""
        decisions = []
        for entry in entries:
            if entry.fingerprint not in order.fingerprints or not (_is_open(entry) or _is_own(entry, began)):
                continue
            purchases.add(entry.purchase)
            outcome = self.outcome_of(entry)
            if outcome == "not_sent":
                settled.append((entry.key, "found not sent", {"outcome": "not_sent"}))
            elif outcome == "unknown" and retry_unknown:
                settled.append((entry.key, "replaced by --retry-unknown", {"closed": "replaced", "outcome": "unknown"}))
            else:
                word = {"accepted": "resume", "under_way": "wait"}.get(outcome, "unknown")
                decisions.append(Decision(word, entry, self))
        return min(decisions, key=lambda decision: _PREFERENCE[decision.word], default=None)

    def _insert(self, order: Order, key: str, purchase: str, account: str) -> None:
        at = time.time()
        price = order.price
        asked = {name: getattr(order, name) for name in _ASKED}
        given = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'job'")
        row = {
            "seq": given[0][0] + 1 if given else 1,  # the next one, told beforehand: the seal is over it too
            **asked,
            "account": account,
            "key": key,
            "purchase": purchase,
            "created_at": at,
            "updated_at": at,
            "outcome": "planned",
            **_reserved(price),
        }
        self._database.change(database.insertion(tuple(row)), row)
        self._note(key, "planned")

    def withdraw(self, decisions: list[Decision], why: str) -> None:
        """What was claimed to be bought is not: no byte of it has left, and none will."""
        bought = [decision.entry for decision in decisions if decision.word == "buy" and decision.entry]
        with self._transaction():
            for entry in bought:
                if self._entries("key = ? AND outcome = 'planned'", entry.key):
                    self._set(entry.key, why, outcome="not_sent")
        for entry in bought:
            self.release(entry.key)

    # -- caps --------------------------------------------------------------------------------------

    def reprice(self, decisions: list[Decision], price, caps, accept_unknown_cost: bool, spent_elsewhere) -> None:
        """What is claimed costs so much each, as was found out since. Raises Failure 27 where a cap refuses."""
        bought = [decision.entry for decision in decisions if decision.entry]
        with self._transaction():
            for entry in bought:  # what was reserved for it is no reason against it
                self._set(entry.key, "to be priced", **_reserved(None))
            orders = [_Priced(price, entry.practice) for entry in bought]
            self._check_caps(orders, caps, accept_unknown_cost, spent_elsewhere)
            for entry in bought:
                self._set(entry.key, f"priced {price.amount}" if price else "of unknown cost", **_reserved(price))

    def _release_reservations(self) -> None:
        """What was reserved by commands that ended before their create is free again."""
        for entry in self._entries("outcome = 'planned'"):
            if not self.has_owner(entry):
                self._set(entry.key, "found not sent", outcome="not_sent")

    def check_caps(self, prices, practice: bool, caps, accept_unknown_cost: bool, spent_elsewhere) -> None:
        """Raise the Failure 27 with which a cap would refuse so many purchases now; nothing is written."""
        self._check_caps(
            [_Priced(price, int(practice)) for price in prices], caps, accept_unknown_cost, spent_elsewhere
        )

    def _check_caps(self, orders, caps: list[amounts.Cap], accept_unknown_cost: bool, spent_elsewhere) -> None:
        for cap in caps:
            unit, practice = cap.amount.unit, bool(orders[0].practice)
            prices = [order.price.amount.micro if order.price and order.price.amount.unit == unit else None
                      for order in orders]  # fmt: skip
            if None in prices and not accept_unknown_cost:
                raise _cap_refused(
                    "unknown_cost",
                    f"{cap.name} is {cap.amount}, and what this costs in {unit} is not known beforehand",
                    "Add --accept-unknown-cost to buy it all the same.",
                )
            known = [price for price in prices if price is not None]
            wanted, spent = sum(known), 0
            if cap.window == 0:
                wanted = max(known, default=0)
            else:
                spent = self.spent(unit, practice, cap.window, cap.of)
                # What a batch has bought is in the ledger that it goes on with.
                spent += spent_elsewhere(unit, practice, cap.window) if cap.of is None else 0
            if spent + wanted > cap.amount.micro or (not wanted and spent >= cap.amount.micro):
                raise _cap_refused(
                    "spend_cap",
                    f"{cap.name} allows {cap.amount}; {amounts.Amount(spent, unit)} are spent or reserved, and this "
                    f"would take {amounts.Amount(wanted, unit)}",
                    "See what was spent with jobs.py spend.",
                )

    def spent(self, unit: str, practice: bool, window: float | None = None, of: str | None = None) -> int:
        """Millionths of `unit` that were spent or are reserved, in the last `window` seconds or in all.

        What was measured counts as measured; what is not known to be free counts as reserved. With `of`, only
        purchases whose intent begins so are counted.
        """
        if self._rows(f"SELECT 1 FROM job WHERE {database.IS_BROKEN} LIMIT 1"):
            raise Unusable("corrupt", f"{self.path} holds amounts that this program never writes")
        since = time.time() - window if window is not None else -1e18
        counted = "CASE WHEN cost_unit = ?1 THEN cost WHEN reserved_unit = ?1 THEN reserved END"
        whole, rest = self._rows(
            f"""SELECT {_sum(counted)} FROM job WHERE practice = ?2 AND created_at > ?3 AND {_COUNTS}
            AND (?4 IS NULL OR substr(intent, 1, length(?4)) = ?4)""",
            unit,
            int(practice),
            since,
            of,
        )[0]
        return whole * amounts.MICRO + rest

    def bills(self, service: str, origin: str, model: str | None) -> list[tuple[amounts.Amount, dict | None]]:
        """What the latest jobs of a model have cost, newest first, with what they asked for where that was kept.

        What another address has billed is no price of this one; of practice, all are one.
        """
        condition = "service = ? AND (practice OR origin = ?) AND model IS ? AND cost > 0 ORDER BY seq DESC LIMIT ?"
        entries = self._entries(condition, service, origin, model, PAST_JOBS)
        return [
            (amounts.Amount(entry.cost, entry.cost_unit), json.loads(entry.payload) if entry.payload else None)
            for entry in entries
            if entry.cost is not None and entry.cost_unit is not None
        ]

    # -- what became of it -------------------------------------------------------------------------

    def _note(self, key: str, *what: str) -> None:
        at = time.time()
        marks = ", ".join(["(?, ?, ?)"] * len(what))
        self._rows(f"INSERT INTO change VALUES {marks}", *(value for words in what for value in (key, at, words)))

    def _set(self, key: str, what: str, **columns) -> None:
        deferred = self._deferred.get(key, ())
        if deferred:
            self._merged.add(key)
            columns = {**{name: value for _, earlier in deferred for name, value in earlier.items()}, **columns}
        columns["updated_at"] = time.time()
        if not self._database.change(database.update(tuple(columns)), {**columns, "key_": key}):
            self._entries("key = ?", key)  # says what is wrong with it
            raise Unusable("corrupt", f"{self.path} has lost a job")
        self._note(key, *(words for words, _ in deferred), what)

    def defer(self, key: str, what: str, **columns) -> None:
        """As `record`, but written with whatever is written of the job next: for what may be lost with this process."""
        self._deferred.setdefault(key, []).append((what, columns))

    def record(self, key: str, what: str, **columns) -> None:
        """Set columns of a job, durably; `what` says in a few words what happened."""
        with self._transaction():
            self._set(key, what, **columns)

    def note_outcome(self, key: str, outcome: str, what: str | None = None) -> bool:
        """An outcome as far as it is known without an id; False where the job was found meanwhile, which stands."""
        with self._transaction():
            found = "(generation_id IS NOT NULL OR delivered_at IS NOT NULL)"
            if self._rows(f"SELECT 1 FROM job WHERE key = ? AND outcome = 'accepted' AND {found}", key):
                return False
            self._set(key, what or outcome, outcome=outcome)
            return True

    def accepted(self, key: str, generation_id: str, source: str) -> str | None:
        """The id of a job. Returns the key of an earlier job to which the service gave the same id, if any.

        source  "answer", or how else it was found: then an id that another job has is not taken
        """
        with self._transaction():
            place = self._rows("SELECT service, origin FROM job WHERE key = ?", key)
            if not place:
                raise Unusable("corrupt", f"{self.path} has lost a job")
            condition = "service = ? AND origin = ? AND generation_id = ? AND key <> ? ORDER BY seq LIMIT 1"
            found = self._entries(condition, *place[0], generation_id, key)
            twin = found[0].key if found else None
            if twin is None or source == "answer":
                self._set(
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

    # -- looking -----------------------------------------------------------------------------------

    def find(self, word: str, service: str | None = None) -> Entry | None:
        """A job by its key, else the newest one with that id; of one service where it is named."""
        of = "service = COALESCE(?, service)"
        found = self._entries(f"key = ? AND {of}", word, service) if rows.KEY.fullmatch(word) else []
        # A service's own ids may look like our keys.
        found = found or self._entries(f"generation_id = ? AND {of} ORDER BY seq DESC LIMIT 1", word, service)
        return found[0] if found else None

    def cost_of(self, key: str) -> amounts.Amount | None:
        """What a job has cost, as far as that was told."""
        found = self._rows("SELECT cost, cost_unit FROM job WHERE key = ?", key)
        cost, unit = found[0] if found else (None, None)
        return amounts.Amount(cost, unit) if isinstance(cost, int) and isinstance(unit, str) else None

    def of_fingerprints(self, fingerprints: list[str]) -> list[Entry]:
        """Every job of these purchases, the newest first. Nothing is bought on this word: `claim` looks for itself."""
        found: list[Entry] = []
        for at in range(0, len(fingerprints), _AT_ONCE):
            some = fingerprints[at : at + _AT_ONCE]
            found += self._entries(f"fingerprint IN ({', '.join('?' * len(some))})", *some)
        return sorted(found, key=lambda entry: -entry.seq)

    def of_intents(self, prefix: str) -> list[Entry]:
        """Every job whose intent begins so, the newest first."""
        return self._entries("substr(intent, 1, length(?1)) = ?1 ORDER BY seq DESC", prefix)

    def newest(self, limit: int, **equal) -> list[Entry]:
        """The newest jobs whose columns have these values, but for forgotten ones."""
        where = " AND ".join([_KNOWN, *(f"{name} = ?" for name in equal)])
        return self._entries(f"{where} ORDER BY seq DESC LIMIT ?", *equal.values(), limit)

    def count(self, **equal) -> int:
        """How many jobs `newest` could tell of."""
        where = " AND ".join([_KNOWN, *(f"{name} = ?" for name in equal)])
        return self._rows(f"SELECT COUNT(*) FROM job WHERE {where}", *equal.values())[0][0]

    def open_jobs(self) -> list[Entry]:
        """Every job that is neither delivered nor settled, oldest first."""
        return self._entries(f"({_OPEN}) OR {database.IS_BROKEN} ORDER BY seq")

    def changes(self, key: str) -> list[tuple[float, str]]:
        found = self._rows("SELECT at, what FROM change WHERE key = ? ORDER BY at, rowid", key)
        if not all(map(rows.is_change, found)):
            raise Unusable("corrupt", f"{self.path}: what became of {key} is not what this program writes")
        return found

    def unclaimed(self, service: str, origin: str, ids: list[str]) -> list[str]:
        """Those ids that no job of that place has in this ledger."""
        taken = "SELECT 1 FROM job WHERE service = ? AND origin = ? AND generation_id = ?"
        return [found for found in ids if not self._rows(taken, service, origin, found)]

    def has_rival(self, entry: Entry, seconds: float | None = None) -> bool:
        """Whether a living process is buying the same at this moment, and has no id yet.

        seconds  where jobs are told apart by model and time alone: another purchase of this model within so many
                 seconds counts, whatever it asks for and whoever made it, as long as nobody knows its id
        """
        if seconds is not None:
            others = self._entries(
                f"service = ? AND origin = ? AND model IS ? AND key <> ? AND {_OPEN} AND outcome <> 'accepted' "
                "AND abs(created_at - ?) <= ?",
                entry.service, entry.origin, entry.model, entry.key, entry.created_at, seconds,
            )  # fmt: skip
            return any(True for _ in others)
        rivals = self._entries(
            f"request = ? AND key <> ? AND {_OPEN} AND outcome <> 'accepted'", entry.request, entry.key
        )
        return any(self.has_owner(rival) for rival in rivals)

    def totals(self, since: float = -1e18) -> list[tuple]:
        """`(day, service, model, practice, unit, jobs, measured, estimated, unknown)`, newest day first, UTC.

        measured and estimated are millionths of the unit; unknown counts jobs without any amount.
        """
        if not self.is_read_only:
            with self._transaction():
                self._release_reservations()
        sums: dict[tuple, list[int]] = {}
        for entry in self._entries(f"(created_at >= ? AND {_COUNTS}) OR {database.IS_BROKEN}", since):
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

    def forget(self, key: str) -> None:
        """Take out what was asked for and where it went; what it cost stays counted."""
        gone = dict.fromkeys(("payload", "output_dir", "paths", "assets", "intent"))
        with self._transaction():
            self._rows("DELETE FROM change WHERE key = ?", key)
            self._set(key, "forgotten", **gone, command="", closed="forgotten")

    def settled_before(self, moment: float) -> list[Entry]:
        """Jobs from before `moment` that nothing is left to do for."""
        return self._entries(f"created_at < ? AND NOT ({_OPEN}) AND {_KNOWN}", moment)

    # -- inputs ------------------------------------------------------------------------------------

    def uploaded(self, service: str, origin: str, account: str, identity: str, since: float) -> str | None:
        """The name under which a service has had an input since `since`, in seconds since the epoch."""
        found = self._rows(
            "SELECT reference FROM upload WHERE service = ? AND origin = ? AND account = ? AND identity = ? AND at > ?",
            service,
            origin,
            account,
            identity,
            since,
        )
        return found[0][0] if found and isinstance(found[0][0], str) else None

    def note_upload(self, service: str, origin: str, account: str, identity: str, reference: str) -> None:
        """The service has the input with this identity (a hash of its bytes, say) under this name from now on."""
        with self._transaction():
            values = (service, origin, account, identity, reference, time.time())
            self._rows("INSERT OR REPLACE INTO upload VALUES (?, ?, ?, ?, ?, ?)", *values)

    def forget_upload(self, reference: str) -> None:
        """The service does not take this name any more."""
        with self._transaction():
            self._rows("DELETE FROM upload WHERE reference = ?", reference)

    def account(self, key: str | None) -> str:
        """A salted hash that tells one key from another and leads back to none; "" without a key."""
        if not key:
            return ""
        salt = self._salt()
        if salt is None and not self.is_read_only:
            with self._transaction():
                self._rows("INSERT OR IGNORE INTO setting VALUES ('salt', ?)", os.urandom(32).hex())
            salt = self._salt()
        return blake2b(key.encode(), key=salt or os.urandom(32)).hexdigest()[:32]

    def _salt(self) -> bytes | None:
        found = self._rows("SELECT value FROM setting WHERE name = 'salt'")
        try:
            salt = bytes.fromhex(found[0][0]) if found else None
        except (ValueError, TypeError):
            salt = b""
        if salt is not None and len(salt) != 32:
            raise Unusable("corrupt", f"{self.path} has lost what its accounts are told apart by")
        return salt


class _Priced:
    """What a cap asks of an order."""

    def __init__(self, price: amounts.Price | None, practice: int):
        self.price = price
        self.practice = practice


def _reserved(price: amounts.Price | None) -> dict:
    """The columns of a price."""
    values = (price.amount.micro, price.amount.unit, price.source) if price else (None, None, None)
    return dict(zip(("reserved", "reserved_unit", "reserved_by"), values))


def _is_open(entry: Entry) -> bool:
    may_cost = entry.outcome in ("sending", "accepted", "unknown", "planned")
    return may_cost and entry.delivered_at is None and entry.closed is None


def _is_own(entry: Entry, began: times.Moment | None) -> bool:
    """Whether a job was delivered after a command began."""
    if began is None or entry.delivered_at is None or entry.delivered_tick is None or entry.closed:
        return False
    return times.Moment(entry.delivered_at, entry.delivered_tick, entry.delivered_boot or "").is_after(began)


def _waiting(known: list[Decision | None]) -> list[Decision]:
    return [found for found in known if found and found.word == "wait"]


def _sum(expression: str) -> str:
    """Two sums, whole units and the rest: the sum of the millionths of absurd bills would be no whole number any more."""
    return ", ".join(f"COALESCE(SUM(({expression}) {operation} {amounts.MICRO}), 0)" for operation in ("/", "%"))


def _cap_refused(code: str, message: str, guidance: str) -> errors.Failure:
    return errors.Failure(code, message, "guard", outcome="not_sent", retryable=False, guidance=[guidance])
