"""Which ledgers there are, and one answer from all of them.

open_ledgers  those of this user, or the refusal that stands for them
open_to_look  the same for a command that buys nothing
Ledgers       the one that this command writes, and all others that count
look_up       a job that is in one of them
looked_at     all of them, only to be read
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from ..base import amounts, errors, paths
from ..base.retry import Backoff
from ..console import Console
from . import database, refusals, store
from .rows import Decision, Entry, Order
from .unusable import Unusable

# How long a command waits for another process to be told an id, beyond the time for its POST.
PATIENCE = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 0.5
# How long a write waits for another process once a signal has asked this one to stop.
_STOPPING_PATIENCE = 0.5
_NO_LEDGER_GUIDANCE = ["Name a folder that can be written with --state-dir, or set AI_MEDIA_HOME to one."]


class Ledgers:
    """The ledger that this command writes, and all others that count.

    own  None where none can be kept
    """

    def __init__(self, console: Console, own: store.Ledger | None, may_wait: Callable[[float], bool]):
        self._console = console
        self._may_wait = may_wait
        self._warned: set[str] = set()
        self._opened: list[store.Ledger] | None = None
        self.own = own

    # -- claiming ----------------------------------------------------------------------------------

    def claim(
        self, orders: list[Order], caps: list[amounts.Cap], patience: float, *, allow_duplicate: bool = False, **choices
    ) -> list[Decision]:
        """store.Ledger.claim, in the ledger that has the same already, else in this command's own.

        patience  seconds to wait at most for another process that is buying the same and has no id yet
        Raises Failure 27.
        """
        give_up_at = time.monotonic() + patience
        pauses = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            try:
                decisions = self._claimed(orders, caps, allow_duplicate, choices)
            except Unusable as problem:
                raise problem.failure() from None
            waited_for = [decision.entry for decision in decisions if decision.word == "wait" and decision.entry]
            if not waited_for:
                return decisions
            left = give_up_at - time.monotonic()
            if left <= 0:
                raise refusals.under_way(waited_for[0])
            time.sleep(min(pauses.next(), left))

    def reprice(
        self, decisions: list[Decision], price: amounts.Price | None, caps: list[amounts.Cap], accept_unknown_cost: bool
    ) -> None:
        """What one claim buys costs so much each, as was found out since. Raises Failure 27 where a cap refuses."""
        ledger = decisions[0].ledger
        if ledger is not None:  # what is bought together is in one ledger
            ledger.claims.reprice(decisions, price, caps, accept_unknown_cost, self._spent_beside(ledger.folder))

    def _claimed(self, orders: list[Order], caps: list, allow_duplicate: bool, choices: dict) -> list[Decision]:
        looks = not allow_duplicate
        if looks:
            found = self._elsewhere(orders, caps, choices)
            if found is not None:
                return found
        if self.own is None:
            if caps:
                raise _no_ledger("a cap on spending is set, and without a ledger nothing can be counted")
            return [Decision("buy", None)] * len(orders)
        decisions = self.own.claims.claim(
            orders,
            caps,
            allow_duplicate=allow_duplicate,
            spent_elsewhere=self._spent_beside(self.own.folder),
            **choices,
        )
        if looks and any(decision.word == "buy" for decision in decisions):
            # Another process may have claimed the same in another ledger at this moment. Whoever comes second
            # sees the first one's claim here; where both see each other, both step back and try again.
            rivals = [decision for _, decision in self._open_elsewhere(orders, choices)]
            if rivals:
                self.own.claims.withdraw(decisions, "another ledger has the same")
                return [Decision("wait", rivals[0].entry, rivals[0].ledger)]
        return decisions

    def check_caps(
        self, prices: list[amounts.Price | None], practice: bool, caps: list[amounts.Cap], accept_unknown_cost: bool
    ) -> None:
        """Raise the Failure 27 with which `claim` would refuse so many purchases now."""
        if not caps:
            return
        if self.own is None:
            raise _no_ledger("a cap on spending is set, and without a ledger nothing can be counted")
        beside = self._spent_beside(self.own.folder)
        self.own.caps.check(prices, practice, caps, accept_unknown_cost, beside)

    def _elsewhere(self, orders: list[Order], caps: list, choices: dict) -> list[Decision] | None:
        """The decisions about what another ledger has open already; None where none has."""
        found = self._open_elsewhere(orders, choices)
        waited_for = [decision for _, decision in found if decision.word == "wait"]
        if waited_for or not found:
            return waited_for or None
        state, decision = found[0]
        assert decision.entry and state.folder
        try:
            there = store.Ledger(state.folder, names_hosts=not state.is_local, may_wait=self._may_wait)
        except Unusable as problem:
            if problem.kind in ("read_only", "absent"):
                raise refusals.held_elsewhere(decision.entry, state.folder) from None
            raise
        return there.claims.claim(orders, caps, spent_elsewhere=self._spent_beside(there.folder), **choices)

    def _open_elsewhere(self, orders: list[Order], choices: dict) -> list[tuple[paths.State, Decision]]:
        """What is open of these orders in other ledgers, with the folder of each."""
        found = []
        for state, ledger in self._others():
            for decision in ledger.claims.look(orders, choices.get("began")):
                replaced = decision and decision.word == "unknown" and choices.get("retry_unknown")
                if decision and not (replaced and not _can_be_written(ledger)):
                    found.append((state, decision))
        return found

    def _spent_beside(self, folder: str) -> Callable[[str, bool, float | None], int]:
        """What ledgers other than the one in `folder` know to be spent."""

        def spent(unit: str, practice: bool, window: float | None) -> int:
            sums = [ledger.caps.spent(unit, practice, window) for state, ledger in self._others(but=folder)]
            if self.own and self.own.folder != folder:
                sums.append(self.own.caps.spent(unit, practice, window))
            return sum(sums)

        return spent

    # -- looking -----------------------------------------------------------------------------------

    def _others(self, but: str | None = None) -> Iterator[tuple[paths.State, store.Ledger]]:
        """Every other ledger that counts, as it is now, only to be looked at."""
        found, warnings = paths.other_ledgers()
        for words in warnings:
            self._warn(words)
        for state in found:
            if state.folder == but:
                continue
            try:
                ledger = _looked_at(state)
            except Unusable as problem:
                if problem.kind not in ("foreign", "absent"):
                    raise
                self._warn(f"the ledger in {state.folder} is not looked at: {problem.message}")
                continue
            try:
                yield state, ledger
            finally:
                ledger.close()

    def _warn(self, words: str) -> None:
        if words not in self._warned:
            self._warned.add(words)
            self._console.warning("state_folder", words)

    def opened(self) -> list[store.Ledger]:
        """Every ledger that counts, this command's own first, each open for writing where that can be."""
        if self._opened is None:
            self._opened = [self.own] if self.own else []
            self._opened += [self._reopened(ledger) for _, ledger in self._others()]
        return self._opened

    def every(self) -> Iterator[store.Ledger]:
        """This command's own ledger, then all others; those are open only until the next one comes."""
        if self.own:
            yield self.own
        for _, ledger in self._others():
            yield ledger

    def find(self, word: str, service: str | None = None) -> tuple[Entry, store.Ledger] | None:
        """A job by its key or id, with the ledger that it is in."""
        for ledger in self.opened():
            entry = ledger.find(word, service)
            if entry:
                return entry, ledger
        return None

    def _reopened(self, ledger: store.Ledger) -> store.Ledger:
        for read_only in (False, True):
            with suppress(Unusable):
                return store.Ledger(
                    ledger.folder, names_hosts=ledger.names_hosts, read_only=read_only, may_wait=self._may_wait
                )
        raise Unusable("absent", f"{ledger.path} is gone")

    def unclaimed(self, service: str, origin: str, ids: list[str]) -> list[str]:
        """The ids that no entry of this service and origin owns, in any ledger."""
        for ledger in self.every():
            ids = ledger.unclaimed(service, origin, ids)
        return ids

    def bills(self, service: str, origin: str, model: str | None) -> list[tuple[amounts.Amount, dict | None]]:
        """What the latest jobs of a model have cost, as any ledger knows."""
        return [bill for ledger in self.every() for bill in ledger.bills(service, origin, model)]


def _looked_at(state: paths.State) -> store.Ledger:
    assert state.folder
    return store.Ledger(state.folder, names_hosts=not state.is_local, read_only=True)


def _can_be_written(ledger: store.Ledger) -> bool:
    import os

    return os.access(ledger.path, os.W_OK) and os.access(ledger.folder, os.W_OK | os.X_OK)


# -- opening -------------------------------------------------------------------------------------------


def open_ledgers(console: Console, required: bool, warned: bool = False, deadline: float = float("inf")) -> Ledgers:
    """The ledgers of this user; `own` is None, after a warning, where none can be kept. Raises Failure 27.

    required  whether a warning is not enough (--require-ledger)
    warned    whether the user has been told already where the state is
    deadline  when the command must have ended, in seconds of time.monotonic: no write waits longer
    """
    state, may_wait = paths.state(), _patience(console, deadline)
    try:
        own = _opened(state, may_wait)
    except Unusable as problem:
        if problem.kind not in ("absent", "read_only"):
            raise problem.failure() from None
        if required:
            raise _no_ledger(f"no ledger can be kept: {problem.message}") from None
        console.warning(
            "ledger_unavailable",
            f"no ledger can be kept ({problem.message}): the same command again will buy again",
        )
        return Ledgers(console, None, may_wait)
    if state.warning and not warned:
        console.warning("state_folder", state.warning)
    return Ledgers(console, own, may_wait)


def open_to_look(console: Console) -> Ledgers:
    """The same for a command that buys nothing: a ledger that can only be read will do. Raises Failure 27."""
    may_wait = _patience(console)
    state = paths.state()
    try:
        try:
            own = _opened(state, may_wait)
        except Unusable as problem:
            if problem.kind not in ("absent", "read_only"):
                raise
            found = Ledgers(console, None, may_wait)
            if not found.opened():
                raise _no_ledger(f"there is no ledger: {problem.message}") from None
            return found
    except Unusable as problem:
        raise problem.failure() from None
    if state.warning:
        console.warning("state_folder", state.warning)
    return Ledgers(console, own, may_wait)


def _opened(state: paths.State, may_wait: Callable[[float], bool]) -> store.Ledger:
    if state.folder is None:
        raise Unusable("foreign" if state.refused else "absent", state.warning or "there is no folder for it")
    return store.Ledger(state.folder, names_hosts=not state.is_local, may_wait=may_wait)


def _patience(console: Console, deadline: float = float("inf")) -> Callable[[float], bool]:
    """How long a write may wait for another process: until the deadline, and not when this one is to stop."""

    def may_wait(waited: float) -> bool:
        longest = _STOPPING_PATIENCE if console.is_stopping else database.LOCK_PATIENCE
        return waited < longest and time.monotonic() < deadline

    return may_wait


def _no_ledger(words: str) -> errors.Failure:
    return errors.Failure(
        "ledger_required", words, "guard", outcome="not_sent", retryable=False, guidance=_NO_LEDGER_GUIDANCE
    )


def look_up(
    console: Console, word: str, service: str | None, required: bool
) -> tuple[Entry, store.Ledger] | tuple[None, None]:
    """`(entry, ledger)` of a job by its key or its id, which it may not have yet; `(None, None)` where there is none.

    required  whether that is a Failure (23, or 27 for a ledger that cannot be used)
    Waiting for a known id is free: without `required` a ledger that cannot be used is no reason to fail.
    """
    try:
        found = open_to_look(console).find(word, service)
    except (errors.Failure, Unusable) as problem:
        if required:
            raise problem if isinstance(problem, errors.Failure) else problem.failure() from None
        console.warning("ledger_unavailable", f"the ledger cannot be read: {problem.message}")
        return None, None
    if found:
        return found
    if required:
        raise refusals.no_such_job()
    return None, None


class Looked(list):
    """Ledgers that are only read; one that cannot be is as none."""

    def bills(self, service: str, origin: str, model: str | None) -> list[tuple[amounts.Amount, dict | None]]:
        found = []
        for ledger in self:
            with suppress(Unusable):
                found += ledger.bills(service, origin, model)
        return found


def looked_at() -> Looked:
    """Every ledger that counts and can be read, for whoever only looks and makes none; this user's own first."""
    found = Looked()
    for state in [paths.state(), *paths.other_ledgers()[0]]:
        with suppress(Unusable):
            if state.folder:
                found.append(_looked_at(state))
    return found
