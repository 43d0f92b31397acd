"""What one command writes of its jobs.

Writer        one job's entry, as the driver of the job writes it
withdraw      what was claimed is not bought
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from ..base import amounts
from ..console import Console
from . import rows, store
from .unusable import Unusable


def withdraw(decisions: list[rows.Decision], why: str) -> None:
    """What was claimed to be bought is not bought after all; no byte of it has left."""
    for decision in decisions:
        if decision.ledger:
            with suppress(Unusable):  # then nobody holds it any more, which comes to the same
                decision.ledger.claims.withdraw([decision], why)


# Enough to tell of a file once more without fetching it.
_KEPT_OF_ASSET = (
    "number", "path", "bytes", "sha256", "media_type", "width", "height", "provenance", "unverified", "warning",
)  # fmt: skip


class Writer:
    """What is written down about one job while it runs.

    ledger   the ledger, or None: then nothing is written
    entry    the job's entry
    unclaimed  (service, origin, ids) -> those that no other ledger has either
    defers   whether notes that may be lost wait for the next write that may not: a batch saves writes so
    attached_by_hand  the id is a person's word, and counts once the service has confirmed it
    refusal  why `before_sending` could not be written, if it could not
    After the POST nothing here ends a command: a ledger that cannot be written any more is a warning. What
    could not be written for now is tried again each time and at the end.
    """

    def __init__(
        self,
        console: Console,
        ledger: store.Ledger | None = None,
        entry: rows.Entry | None = None,
        unclaimed: Callable[[str, str, list[str]], list[str]] = lambda service, origin, ids: ids,
        defers: bool = False,
    ):
        self._console = console
        self._defers = defers
        self._ledger = ledger if entry else None
        self._entry = entry
        self._unclaimed = unclaimed
        self._known = (entry.outcome, entry.generation_id) if entry else ("", None)
        self._state = (entry.status, entry.state) if entry else (None, None)
        self._read = entry is not None and entry.read_at is not None
        self._base_url = entry.base_url if entry else None
        self._pending: list[Callable[[], object]] = []
        self._bill: tuple = (None, None)
        self._has_warned = False
        self.attached_by_hand = False
        self.refusal: Unusable | None = None

    @property
    def ledger(self) -> store.Ledger | None:
        """The ledger that it is written into, where there is one."""
        return self._ledger

    @property
    def entry(self) -> rows.Entry | None:
        """What the ledger knew of the job when this began."""
        return self._entry

    @property
    def key(self) -> str | None:
        """The job's key in the ledger, where there is one."""
        return self._entry.key if self._entry else None

    @property
    def was_readable(self) -> bool:
        """Whether a read of the job by its id has ever succeeded."""
        return self._read

    # -- what became of it -------------------------------------------------------------------------

    def before_sending(self) -> None:
        """The first byte of the POST is about to leave; raises Unusable if that cannot be written down."""
        if not self._ledger or not self._entry:
            return
        try:
            if not self._ledger.note_outcome(self._entry.key, "sending"):
                raise Unusable("busy", "another process has found this job meanwhile")
        except Unusable as problem:
            self.refusal = problem
            raise
        self._known = ("sending", None)

    def never_again(self) -> None:
        """The service's own error forbids to send this request once more, also under its idempotency key."""
        self._record("not to be repeated", sent_with=None)

    def note(
        self, outcome: str, generation_id: str | None, status: str | None, state: str | None, final: bool = True
    ) -> None:
        """What is known of the job by now; written only where it has changed.

        final  False while the request may be sent again: then what proves that it bought nothing leaves the
               job open and its price reserved, as before it was sent
        """
        if not self._ledger or (self.attached_by_hand and not status):
            return
        if generation_id and self._known != ("accepted", generation_id):
            self._known = ("accepted", generation_id)
            self._note_id(generation_id)
        elif not generation_id:
            self._note_outcome(outcome, final)
        if status and (status, state) != self._state:
            self._state = (status, state)
            self._mention(f"{state or 'running'} ({status})"[:200], status=status, state=state)

    def _note_outcome(self, outcome: str, final: bool) -> None:
        what = None
        if outcome in ("not_sent", "rejected") and not final:
            outcome, what = "planned", f"{outcome.replace('_', ' ')}; it may be sent again"
        if outcome != self._known[0]:
            self._known = (outcome, None)
            ledger, key = self._place
            self._write(lambda: ledger.note_outcome(key, outcome, what))

    def _note_id(self, generation_id: str) -> None:
        ledger, key = self._place
        generation_id = self._console.redactor.text(generation_id)
        source = "a person" if self.attached_by_hand else "answer"

        def write() -> None:
            twin = ledger.accepted(key, generation_id, source)
            if twin and source == "answer":
                words = f"the service gave this job the id of {twin}: it is waited for once more under that id"
                self._warn("same_id", words)

        self._write(write)

    def read(self, base_url: str) -> None:
        """A read of the job by its id succeeded at this base URL.

        The first command may have had one under which its job could never be read: what reads it is kept.
        """
        was_at, self._base_url = self._base_url, base_url
        if was_at not in (None, base_url):
            self._record("told of by the service, at another base URL", read_at=time.time(), base_url=base_url)
        elif not self._read:
            self._mention("told of by the service", read_at=time.time())
        self._read = True

    def billed(self, cost: amounts.Amount | None, usage) -> None:
        """What the service says the job has cost."""
        if cost is not None and (cost, usage) != self._bill:
            self._bill = (cost, usage)
            self._mention(
                f"billed {cost}",
                cost=cost.micro,
                cost_unit=cost.unit,
                usage=rows.as_json(self._console.redactor.value(usage)),
            )

    def bounded(self, ceiling: amounts.Amount | None) -> None:
        """The most that the service says the job can cost: reserved until it tells what it has cost."""
        if ceiling is not None:
            self._record(
                f"at most {ceiling}",
                reserved=ceiling.micro,
                reserved_unit=ceiling.unit,
                reserved_by="the answer to the create",
            )

    def told(self, addresses: dict[str, str]) -> None:
        """Where the service says that the job is read, its result had, the job canceled."""
        if addresses:
            self._record(f"addresses told: {', '.join(addresses)}", told=rows.as_json(addresses))

    def saved(self, assets: list[dict], of: int | None = None) -> None:
        """Files of the job are on disk; each as its `asset` event told it. `of`: so many results it has."""
        if assets:
            saved = rows.as_json([asset["path"] for asset in assets])
            known = [{name: asset[name] for name in _KEPT_OF_ASSET if name in asset} for asset in assets]
            known = [{**asset, "of": of} for asset in known] if of else known
            self._mention(f"{len(assets)} files saved", paths=saved, assets=rows.as_json(known))

    def about_to_end(self) -> None:
        """The result line is about to be written: what is wrong with the ledger is told before it."""
        if self._ledger:
            self._write(self._ledger.check_is_there)

    def ended(self, exit_code: int, delivered: bool) -> None:
        """The result line was written with this exit code; `delivered` if it was a `terminal` that ends the purchase."""
        if not self._ledger or not self._entry:
            return
        # Fetched once more, it is still a job that was delivered then.
        if delivered and self._entry.delivered_at is None:
            ledger, key = self._ledger, self._entry.key
            self._write(lambda: ledger.delivered(key, exit_code))
        else:
            self._record(f"ended {exit_code}", exit_code=exit_code)

    def gone(self) -> None:
        """The service does not know the job any more: it is closed, and the same command may buy again."""
        if not self.attached_by_hand:
            self._record("gone", closed="gone")

    def release(self) -> None:
        """This process is done with the job."""
        if self._ledger and self._entry:
            self._ledger.release(self._entry.key)

    # -- reconciling -------------------------------------------------------------------------------

    def attach(self, matches: list[str], seconds: float | None = None) -> list[str]:
        """The matching ids that no ledger entry owns; a single one becomes this job's id.

        seconds  as Ledger.has_rival takes it
        """
        if not self._ledger or not self._entry:
            return matches
        ledger, entry = self._ledger, self._entry
        try:
            free = self._unclaimed(entry.service, entry.origin, ledger.unclaimed(entry.service, entry.origin, matches))
            if len(free) != 1 or ledger.has_rival(entry, seconds):
                return free if len(free) != 1 else []
            if ledger.accepted(entry.key, free[0], "the list of running jobs"):
                return []
        except Unusable as problem:
            self._warn_of(problem)
            return []
        self._known = ("accepted", free[0])
        return free

    # -- writing -----------------------------------------------------------------------------------

    @property
    def _place(self) -> tuple[store.Ledger, str]:
        assert self._ledger and self._entry, "only of a job that is in a ledger anything is noted"
        return self._ledger, self._entry.key

    def _record(self, what: str, **columns) -> None:
        """No key reaches the ledger, in whatever it is that a service tells."""
        if self._ledger and self._entry:
            ledger, key = self._ledger, self._entry.key
            what, columns = self._console.redactor.value(what), self._console.redactor.value(columns)
            self._write(lambda: ledger.record(key, what, **columns))

    def _mention(self, what: str, **columns) -> None:
        """As `_record`, for what the next write of the job may bring along."""
        if not self._defers or not self._ledger or not self._entry:
            return self._record(what, **columns)
        what, columns = self._console.redactor.value(what), self._console.redactor.value(columns)
        return self._ledger.defer(self._entry.key, what, **columns)

    def _write(self, call: Callable[[], object]) -> None:
        self._pending.append(call)
        while self._pending:
            try:
                self._pending[0]()
            except Unusable as problem:
                self._warn_of(problem)
                if problem.kind not in ("busy", "full"):
                    self._pending.clear()  # it will never work
                return
            del self._pending[0]

    def _warn_of(self, problem: Unusable) -> None:
        words = f"the ledger could not be written ({problem.message}): keep the id of this job"
        if not self._has_warned:
            self._has_warned = True
            self._warn("ledger_write_failed", words)

    def _warn(self, code: str, words: str) -> None:
        if self._console.ended:  # nothing follows the last line of stdout
            self._console.say(f"warning: {words}")
        else:
            self._console.warning(code, words)
