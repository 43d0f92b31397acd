"""What the ledger knows of the lines, and what is claimed for them.

Purchases  of one batch
Known      what became of a line before
"""

from __future__ import annotations

from collections.abc import Iterator

from ...base import amounts, errors, times
from ...base.record import record, replace
from ...ledger import fallbacks, store
from ...media import inputs
from .. import orders, price, purchase, sources
from ..price import Spending
from ..request import CheckedRequest
from .lines import Line, Lines, Problem
from .requests import ANY_JOB, Requests
from .task import Task

_MOST_PRICES = 10_000
# So many orders are kept from the plan to their purchase; others are made once more.
_MOST_PLANNED = 1000
# So many lines are looked for at once: what is found is as large as what was asked for.
_LOOKED_AT_TOGETHER = 200
# What a look can come to.
NEW, DELIVERED, UNDER_WAY, OPEN, UNKNOWN = "new", "delivered", "under_way", "open", "unknown"


@record
class Known:
    """`word` is one of the above; `entry` is the job that it is about, in `ledger`."""

    word: str
    entry: store.Entry | None = None
    ledger: store.Ledger | None = None


@record
class Wanted:
    """A line that is to be bought: what is asked for, and the order of it."""

    asked: CheckedRequest
    order: store.Order
    sent_with: dict


class Purchases:
    """The purchases of one batch.

    name      of the batch: a line is the same purchase again under the same name and id
    spending  of each line; its `intent` is the batch's own business
    whole     the cap of the whole batch, where there is one

    wanted    what a line comes to by now
    problems  with the jobs whose outputs a line that is to be bought takes
    identify, ask_price  what a line is known by, and what its service says that it costs
    look      what became of lines before; nothing is written
    claim     the ledger's decision about lines that are to be bought
    """

    def __init__(
        self,
        requests: Requests,
        ledgers: fallbacks.Ledgers | None,
        name: str,
        spending: Spending,
        whole: amounts.Amount | None,
    ):
        self._requests = requests
        self._ledgers = ledgers
        self._prefix = f"batch {name} "
        self._spending = spending
        self._whole = whole
        self._bills = _Bills(ledgers)
        self._prices: dict[tuple, amounts.Price | None] = {}
        self._planned: dict[str, Wanted] = {}  # what lines came to when they were looked for, until they are bought
        self._began = times.process_start()

    def wanted(self, task: Task) -> Wanted:
        """Raises Failure, for a line whose inputs have changed since it was checked, say."""
        planned = self._planned.pop(task.id, None)
        if planned is not None and planned.order.price == (task.price or self.price(planned.asked)):
            return planned
        return self._wanted(task)

    def _wanted(self, task: Task) -> Wanted:
        asked = self._requests.check(task.line, self._jobs(task))
        spending = replace(self._spending, intent=self._prefix + task.id)
        beside = price.sent_with(spending, asked)
        context = task.service.context
        order = orders.of(context, asked, spending, [beside], task.price or self.price(asked))[0]
        return Wanted(asked, order, beside)

    def identify(self, task: Task) -> None:
        """Give a line the fingerprints of its purchase, and its price; raises Failure."""
        wanted = self._wanted(task)
        task.fingerprints, task.price = wanted.order.fingerprints, wanted.order.price
        if len(self._planned) < _MOST_PLANNED:
            self._planned[task.id] = wanted

    def ask_price(self, task: Task) -> None:
        """Let a service that plans say what a line costs that is to be bought, where a cap wants to know; or Failure."""
        if task.price is not None or not self.has_caps or task.service.context.connection.provider.plan is None:
            return
        asked, context = self.asked(task), task.service.context
        if not asked.attachments:  # they are brought only to buy
            task.price = price.planned_price(context.connection, asked, context.policy.deadline)

    def problems(self, line: Line) -> list[Problem]:
        """What is wrong with inputs of a line that are outputs of jobs (`job:KEY`): none is known, or it has none."""
        if not self._requests.takes_jobs(line):
            return []
        ledger = self._ledgers.own if self._ledgers else None
        found: list[Problem] = []
        for attachment in self._requests.check(line).attachments.values():
            if isinstance(attachment, inputs.Earlier) and attachment.job != ANY_JOB:
                try:
                    sources.entry_of(attachment, ledger)
                except errors.Failure as failure:
                    found += self._requests.problems(line, failure)
        return found

    def asked(self, task: Task) -> CheckedRequest:
        """What a line asks for, with its parents' jobs where they have any; raises Failure."""
        return self._requests.check(task.line, None if task.missing else self._jobs(task))

    @staticmethod
    def _jobs(task: Task) -> dict[str, str]:
        return {parent.id: parent.entry.key for parent in task.parents if parent.entry}

    def done_with(self, task: Task) -> None:
        """What the line asks for is not needed any more."""
        self._requests.forget(task.id)
        self._planned.pop(task.id, None)

    def price(self, asked: CheckedRequest) -> amounts.Price | None:
        """What it costs, as far as that is stated or earlier jobs tell."""
        at = asked.provider.name, asked.model, repr(sorted(price.settings(asked).items()))
        if at not in self._prices:
            if len(self._prices) >= _MOST_PRICES:
                self._prices.clear()
            self._prices[at] = price.price_of(self._bills if self._ledgers else None, asked)
        return self._prices[at]

    def billed(self) -> None:
        """A job was billed: what a model costs may be known now that was not."""
        if None in self._prices.values():
            self._bills.forget_none()
            self._prices.clear()

    # -- looking -------------------------------------------------------------------------------------

    def look(self, tasks: list[Task]) -> Iterator[Known]:
        """For each line what became of it; lines whose `fingerprints` are not known yet are new."""
        for at in range(0, len(tasks), _LOOKED_AT_TOGETHER):
            yield from self._look(tasks[at : at + _LOOKED_AT_TOGETHER])

    def _look(self, tasks: list[Task]) -> list[Known]:
        wanted = [fingerprint for task in tasks for fingerprint in task.fingerprints]
        found: dict[str, list[tuple[store.Entry, store.Ledger]]] = {}
        if self._ledgers is not None and not self._spending.allow_duplicate:
            try:
                for ledger in self._ledgers.opened():
                    for entry in ledger.of_fingerprints(wanted):
                        found.setdefault(entry.fingerprint, []).append((entry, ledger))
            except store.Unusable as problem:
                raise problem.failure() from None
        return [self._known([one for name in task.fingerprints for one in found.get(name, ())]) for task in tasks]

    def foreseen(self, lines: Lines) -> Iterator[Known]:
        """As `look`, but without a connection: a line is known by the batch, its id and what it asks for."""
        found: dict[tuple[str | None, str], list[tuple[store.Entry, store.Ledger]]] = {}
        if self._ledgers is not None and not self._spending.allow_duplicate:
            try:
                for ledger in self._ledgers.opened():
                    for entry in ledger.of_intents(self._prefix):
                        found.setdefault((entry.intent, entry.request), []).append((entry, ledger))
            except store.Unusable as problem:
                raise problem.failure() from None
        keys = {
            (entry.intent or "")[len(self._prefix) :]: entry.key
            for one in found.values()
            for entry, _ in one
            if entry.delivered_at is not None
        }
        for line in lines if found else ():
            asked = self._requests.check(line, _with(keys, line.parents))
            yield self._known(found.get((self._prefix + line.id, orders.request_of(asked)), []))
        if not found:
            yield from [Known(NEW)] * len(lines)

    def check_caps(self, asked: CheckedRequest, prices: list[amounts.Price]) -> None:
        """Raise Failure 27 where so much may not be spent now at the service of `asked`; or store.Unusable."""
        assert self._ledgers is not None
        self._ledgers.check_caps(
            [*prices], asked.provider.embedded, self.caps(asked), self._spending.accept_unknown_cost
        )

    def _known(self, found: list[tuple[store.Entry, store.Ledger]]) -> Known:
        live = [(entry, ledger) for entry, ledger in found if not entry.closed]
        for entry, ledger in live:
            if entry.delivered_at is not None:
                return Known(DELIVERED, entry, ledger)
        for entry, ledger in live:
            outcome = ledger.outcome_of(entry)
            if outcome == "under_way" or (outcome in ("accepted", "unknown") and ledger.has_owner(entry)):
                return Known(UNDER_WAY, entry, ledger)
            if outcome == "accepted":
                return Known(OPEN, entry, ledger)
            if outcome == "unknown" and not self._spending.retry_unknown:
                return Known(UNKNOWN, entry, ledger)
        return Known(NEW)

    # -- claiming ------------------------------------------------------------------------------------

    def claim(self, tasks: list[Task], wanted: list[Wanted]) -> list[purchase.Claim | errors.Failure]:
        """For each line of one service what the ledger decides, or why it may not be bought."""
        alike: dict[bool, list[int]] = {}
        for index, one in enumerate(wanted):
            alike.setdefault(self._is_priced_later(one), []).append(index)
        found: dict[int, purchase.Claim | errors.Failure] = {}
        for later, indices in alike.items():
            some = self._claim([tasks[index] for index in indices], [wanted[index] for index in indices], later)
            found.update(zip(indices, some))
        return [found[index] for index in range(len(wanted))]

    def _is_priced_later(self, wanted: Wanted) -> bool:
        """Whether the service plans what it costs, once it has the files."""
        return self.has_caps and wanted.asked.provider.plan is not None and bool(wanted.asked.attachments)

    def _claim(self, tasks: list[Task], wanted: list[Wanted], later: bool) -> list[purchase.Claim | errors.Failure]:
        try:
            return [*self._claimed(tasks, wanted, later)]
        except errors.Failure as failure:
            if len(tasks) == 1:
                return [failure]
        half = len(tasks) // 2
        return self._claim(tasks[:half], wanted[:half], later) + self._claim(tasks[half:], wanted[half:], later)

    def _claimed(self, tasks: list[Task], wanted: list[Wanted], later: bool) -> list[purchase.Claim]:
        assert self._ledgers is not None
        connection, spending = tasks[0].service.context.connection, self._spending
        caps = self.caps(wanted[0].asked)
        decisions = self._ledgers.claim(
            [one.order for one in wanted],
            caps,
            0.0,
            key=connection.account,
            began=self._began,
            allow_duplicate=spending.allow_duplicate,
            retry_unknown=spending.retry_unknown,
            accept_unknown_cost=spending.accept_unknown_cost or later,
        )
        unpriced = purchase.Unpriced(caps, spending.accept_unknown_cost) if later else None
        return [purchase.Claim(decision, one.sent_with, unpriced) for decision, one in zip(decisions, wanted)]

    def caps(self, asked: CheckedRequest) -> list[amounts.Cap]:
        caps = [cap._replace(name="--max-spend-job") if cap.window == 0 else cap
                for cap in price.caps_of(asked, self._spending)]  # fmt: skip
        if self._whole is not None:
            whole = amounts.in_unit(self._whole, asked.provider.unit, asked.provider.units)
            caps.append(amounts.Cap(whole, None, "--max-spend", self._prefix))
        return caps

    @property
    def has_caps(self) -> bool:
        from ...ledger import spending

        return self._whole is not None or self._spending.max_spend is not None or bool(spending.standing_caps())


def _with(keys: dict[str, str], parents: list[str]) -> dict[str, str] | None:
    """The jobs of a line's parents; None where not all are there."""
    found = {name: keys[name] for name in parents if name in keys}
    return found if len(found) == len(parents) else None


class _Bills:
    """What the latest jobs of a model have cost, looked up once a model: `bills` as Ledgers has it."""

    def __init__(self, ledgers: fallbacks.Ledgers | None):
        self._ledgers = ledgers
        self._known: dict[tuple[str, str, str | None], list] = {}

    def bills(self, service: str, origin: str, model: str | None) -> list[tuple[amounts.Amount, dict | None]]:
        at = service, origin, model
        if at not in self._known:
            self._known[at] = self._ledgers.bills(*at) if self._ledgers else []
        return self._known[at]

    def forget_none(self) -> None:
        self._known = {at: bills for at, bills in self._known.items() if bills}
