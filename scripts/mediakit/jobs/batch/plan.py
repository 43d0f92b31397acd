"""What a batch would buy, and whether it may.

Plan     what is left to buy, and what is known of its cost
made     the Plan of the tasks, by what the ledger knows of them
check    raises Failure for a plan that may not be carried out; then nothing was sent
check_count, check_unknown  two parts of it
told     the fields of the `plan` event
Alike    the requests that it is told of
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from ...base import amounts, errors
from ...console import Console
from .. import standing
from ..request import CheckedRequest
from .lines import Problem
from .purchases import DELIVERED, NEW, OPEN, UNDER_WAY, UNKNOWN, Purchases
from .task import Service, Task

WORDS = {NEW: "to_buy", DELIVERED: "delivered", UNDER_WAY: "under_way", OPEN: "to_resume", UNKNOWN: "unknown"}


class Costs:
    """Sums by (unit, source), and of how many jobs nothing is known."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, str], int] = {}
        self.unknown = 0

    def add(self, price: amounts.Price | None) -> None:
        if price is None:
            self.unknown += 1
            return
        at = price.amount.unit, price.source
        self.sums[at] = self.sums.get(at, 0) + price.amount.micro

    @property
    def shown(self) -> list[dict]:
        return [{**amounts.Amount(sum_, unit).shown, "source": source} for (unit, source), sum_ in self.sums.items()]


class Plan:
    """counts    of tasks by what was known of them
    costs     of each service's lines that are to be bought
    problems  that only the ledger can tell
    places    of the lines that are to be bought, among all
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.costs: dict[Service, Costs] = {}
        self.problems: list[Problem] = []
        self.places = array("q")

    @property
    def to_buy(self) -> int:
        return self.counts.get("to_buy", 0)


def made(tasks: list[Task], purchases: Purchases) -> Plan:
    """The Plan; lines without parents have their fingerprints after this."""
    plan = Plan()
    for task in tasks:
        if not task.parents:
            purchases.identify(task)
    left = [task for task in tasks if not task.parents]
    seen: set[Task] = set()
    while left:
        able: list[Task] = []
        for task, known in zip(left, purchases.look(left)):
            seen.add(task)
            task.entry = known.entry if task.children else None
            _count(plan, task, known.word, purchases)
            if known.word == DELIVERED and known.entry is not None and known.entry.exit_code == 0:
                able += [child for child in task.children if _has_all(child) and child not in seen]
        left = list(dict.fromkeys(able))
        for task in left:
            purchases.identify(task)
    for task in tasks:
        if task not in seen:
            _count(plan, task, NEW, purchases)
    return plan


def _has_all(task: Task) -> bool:
    entries = [parent.entry for parent in task.parents]
    return all(entry is not None and entry.delivered_at is not None and entry.exit_code == 0 for entry in entries)


def _count(plan: Plan, task: Task, word: str, purchases: Purchases) -> None:
    name = WORDS[word]
    plan.counts[name] = plan.counts.get(name, 0) + 1
    if word == NEW:
        plan.problems += purchases.problems(task.line)
        plan.places.append(task.place)
        if task.fingerprints:
            purchases.ask_price(task)
        price = task.price if task.fingerprints else purchases.price(purchases.asked(task))
        plan.costs.setdefault(task.service, Costs()).add(price)


# -- whether it may ------------------------------------------------------------------------------------


def check(console: Console, plan: Plan, max_jobs: int | None, capped: bool, accepts_unknown: bool) -> None:
    """capped  whether any cap counts"""
    check_count(plan.to_buy, max_jobs)
    unknown = sum(
        costs.unknown
        for service, costs in plan.costs.items()
        if service.context.connection.provider.plan is None  # one that plans is asked for the price of each
    )
    if capped:
        check_unknown(unknown, plan.to_buy, accepts_unknown)
    for service, costs in plan.costs.items():
        _check_balance(console, service, costs)


def check_count(to_buy: int, max_jobs: int | None) -> None:
    """Raise Failure 27 where more would be bought than --max-jobs allows."""
    if to_buy > max(max_jobs or 1, 1):
        raise errors.Failure(
            "too_many_jobs",
            f"this would buy {to_buy} jobs; expected --max-jobs {to_buy} or more"
            + (f", not {max_jobs}" if max_jobs else ""),
            "guard",
            field="--max-jobs",
            outcome="not_sent",
            retryable=False,
            guidance=["See what would be bought, and what is known of its cost, with --dry-run."],
        )


def check_unknown(unknown: int, to_buy: int, accepts_unknown: bool) -> None:
    """Raise Failure 27 where under a cap it is not known what some jobs cost."""
    if unknown and not accepts_unknown:
        raise errors.Failure(
            "unknown_cost",
            f"a cap on spending is set, and of {unknown} of {to_buy} jobs it is not known what they cost",
            "guard",
            outcome="not_sent",
            retryable=False,
            guidance=["Add --accept-unknown-cost to buy them all the same.", "Or buy one first: it tells the price."],
        )


def _check_balance(console: Console, service: Service, costs: Costs) -> None:
    """What is stated must not be more than is left, where the service tells that; an estimate only warns."""
    connection = service.context.connection
    provider = connection.provider
    balance = standing.balance_place(connection)
    if connection.embedded or connection.authorisation is None or balance is None or not costs.sums:
        return
    found, body, headers = standing.standing(console, connection, balance)
    left = provider.bills.left(body, headers) if found.accepted else None
    if left is None:
        return
    micro = amounts.Amount.of(left["amount"], left["unit"]).micro
    wanted = {source: sum_ for (unit, source), sum_ in costs.sums.items() if unit == left["unit"]}
    words = f"{provider.title} has {left['amount']:g} {left['unit']} left, and the plan needs"
    stated = sum(sum_ for source, sum_ in wanted.items() if source != "estimate")
    if stated > micro:
        raise errors.Failure(
            "balance_too_low",
            f"{words} {amounts.Amount(stated, left['unit'])}",
            "insufficient_credits",
            outcome="not_sent",
            retryable=False,
            guidance=["Nothing was bought.", *provider.advice.on("insufficient_credits")],
        )
    if sum(wanted.values()) > micro:
        all_of_it = amounts.Amount(sum(wanted.values()), left["unit"])
        console.warning("balance_low", f"{words} {all_of_it}, as far as earlier jobs tell")


class Alike:
    """Requests that are to be bought: of those that are told in the same words one is kept, with the prices of all.

    add    one more, and its price
    `len`  is how many there are; iterated, it is (one of them, the prices of all that are like it)
    """

    def __init__(self) -> None:
        self._groups: dict[tuple, tuple[CheckedRequest, list[amounts.Price | None]]] = {}

    def add(self, asked: CheckedRequest, price: amounts.Price | None) -> None:
        alike = asked.provider.name, asked.model, asked.is_checked, asked.warnings
        self._groups.setdefault(alike, (asked, []))[1].append(price)

    def __len__(self) -> int:
        return sum(len(prices) for _, prices in self)

    def __iter__(self) -> Iterator[tuple[CheckedRequest, list[amounts.Price | None]]]:
        return iter(self._groups.values())


def told(requests: Alike, counts: dict) -> dict:
    """The fields of the `plan` of a batch that is not run."""
    costs = Costs()
    groups: dict[tuple, dict] = {}
    warnings: dict[str, None] = {}
    for asked, prices in requests:
        for price in prices:
            costs.add(price)
        group = groups.setdefault(
            (asked.provider.name, asked.model), {"provider": asked.provider.name, "model": asked.model, "jobs": 0}
        )
        group["jobs"] += len(prices)
        warnings.update(dict.fromkeys(words for _, words in asked.warnings))
    checked = all(asked.is_checked for asked, _ in requests)
    return {
        "jobs": len(requests),
        **counts,
        "models": list(groups.values()),
        "validation": {"checked": checked, "warnings": list(warnings)},
        "cost": costs.shown,
        "cost_unknown": costs.unknown or None,
        "effect": "no_spend",
    }
