"""What a command that wants to buy is told: buy, or go on with what is there. One transaction decides and writes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ..base import amounts, times
from ..base.record import fields
from . import schema
from .rows import Decision, Entry, Order
from .table import Table
from .unusable import Unusable

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from .store import Ledger

# The newest jobs, as many as a claim looks at one by one.
_LOOKED_AT = 50_000
# Of several open jobs of one order, a command goes on with the first of these.
_PREFERENCE = {"resume": 0, "wait": 1, "unknown": 2}
# Of an order, what becomes columns as it is.
_ASKED = tuple(name for name in fields(Order) if name not in ("price", "formerly"))


class Claims:
    """The purchases that are begun in one ledger."""

    def __init__(self, ledger: Ledger, table: Table):
        self._ledger = ledger
        self._table = table
        # Of the file when all its rows were read.
        self._checked_version = -1

    def look(self, orders: list[Order], began: times.Moment | None = None) -> list[Decision | None]:
        """The existing job of each order, None without one. Nothing is written."""
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
        account = self._ledger.account(key)
        keys = [f"job_{os.urandom(8).hex()}" for _ in orders]
        bought: set[str] = set()
        try:
            for held in keys:
                self._ledger.hold(held)
            with self._table.transaction():
                known: list[Decision | None] = [None] * len(orders)
                settled: list[tuple] = []
                if not allow_duplicate:
                    known, settled = self._known(orders, began, retry_unknown)
                decisions = _waiting(known)
                if not decisions:
                    for settled_key, what, columns in settled:
                        self._table.set(settled_key, what, **columns)
                    to_buy = [order for order, found in zip(orders, known) if found is None]
                    if to_buy:
                        self._ledger.release_reservations()
                        prices, practice = [order.price for order in to_buy], bool(to_buy[0].practice)
                        self._ledger.caps.check(prices, practice, caps, accept_unknown_cost, spent_elsewhere)
                    decisions = self._decisions(orders, keys, known, account)
            bought = {decision.entry.key for decision in decisions if decision.entry and decision.word == "buy"}
            return decisions
        finally:
            for held in keys:
                if held not in bought:
                    self._ledger.release(held)

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
        entries = {entry.key: entry for entry in self._table.entries(f"key IN ({', '.join('?' * len(made))})", *made)}
        return [found or Decision("buy", entries[key], self._ledger) for found, key in zip(decisions, keys)]

    def _known(self, orders: list[Order], began, retry_unknown: bool) -> tuple[list[Decision | None], list[tuple]]:
        """The existing job of each order, None without one; and what is to be written of other jobs.

        Every row is read, through no index: a damage to any of them could hide the job that was meant. Their seals are
        looked at once for as long as nobody else writes.
        """
        wanted = [fingerprint for order in orders for fingerprint in order.fingerprints]
        self._check_none_is_lost()
        version = self._table.version
        broken = "" if version == self._checked_version else f" OR {schema.IS_BROKEN}"
        entries = self._table.entries(
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
                        Decision("resume", entry, self._ledger)
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
        count, newest, given = self._table.rows(query)[0]
        if not count == newest == (given or 0):
            raise Unusable("corrupt", f"{self._table.path} has lost some of its jobs")

    def _open_job(self, order, entries, began, retry_unknown, purchases: set, settled: list) -> Decision | None:
        """The open job of an order that a command is to go on with; adds the purchases that have open jobs."""
        decisions = []
        for entry in entries:
            if entry.fingerprint not in order.fingerprints or not (_is_open(entry) or _is_own(entry, began)):
                continue
            purchases.add(entry.purchase)
            outcome = self._ledger.outcome_of(entry)
            if outcome == "not_sent":
                settled.append((entry.key, "found not sent", {"outcome": "not_sent"}))
            elif outcome == "unknown" and retry_unknown:
                settled.append((entry.key, "replaced by --retry-unknown", {"closed": "replaced", "outcome": "unknown"}))
            else:
                word = {"accepted": "resume", "under_way": "wait"}.get(outcome, "unknown")
                decisions.append(Decision(word, entry, self._ledger))
        return min(decisions, key=lambda decision: _PREFERENCE[decision.word], default=None)

    def _insert(self, order: Order, key: str, purchase: str, account: str) -> None:
        at = time.time()
        price = order.price
        asked = {name: getattr(order, name) for name in _ASKED}
        given = self._table.rows("SELECT seq FROM sqlite_sequence WHERE name = 'job'")
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
        self._table.insert(row)
        self._table.note(key, "planned")

    def withdraw(self, decisions: list[Decision], why: str) -> None:
        """What was claimed to be bought is not: no byte of it has left, and none will."""
        bought = [decision.entry for decision in decisions if decision.word == "buy" and decision.entry]
        with self._table.transaction():
            for entry in bought:
                if self._table.entries("key = ? AND outcome = 'planned'", entry.key):
                    self._table.set(entry.key, why, outcome="not_sent")
        for entry in bought:
            self._ledger.release(entry.key)

    def reprice(self, decisions: list[Decision], price, caps, accept_unknown_cost: bool, spent_elsewhere) -> None:
        """What is claimed costs so much each, as was found out since. Raises Failure 27 where a cap refuses."""
        bought = [decision.entry for decision in decisions if decision.entry]
        with self._table.transaction():
            for entry in bought:  # what was reserved for it is no reason against it
                self._table.set(entry.key, "to be priced", **_reserved(None))
            prices = [price] * len(bought)
            practice = any(entry.practice for entry in bought)
            self._ledger.caps.check(prices, practice, caps, accept_unknown_cost, spent_elsewhere)
            for entry in bought:
                self._table.set(entry.key, f"priced {price.amount}" if price else "of unknown cost", **_reserved(price))


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
