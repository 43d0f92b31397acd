"""What a batch would come to, with nothing sent: the `plan` of --dry-run.

shown  tells it; raises the Failure with which the run would be refused
"""

from __future__ import annotations

from ...base import amounts
from ...console import Console
from ...ledger import store
from ..request import CheckedRequest
from . import plan
from .lines import Lines, Problem, invalid
from .purchases import NEW, Purchases
from .requests import Requests


def shown(
    console: Console,
    chosen: Lines,
    requests: Requests,
    purchases: Purchases,
    *,
    max_jobs: int | None,
    shard: tuple[int, int],
    accepts_unknown: bool,
) -> int:
    """Returns the exit code. That --max-jobs was not given is no refusal yet: the number to give is told."""
    counts: dict = {}
    to_buy = plan.Alike()
    problems: list[Problem] = []
    for line, known in zip(chosen, purchases.foreseen(chosen)):
        if known.word == NEW:
            problems += purchases.problems(line)
            asked = requests.check(line)
            to_buy.add(asked, purchases.price(asked))
        else:
            name = plan.WORDS[known.word]
            counts[name] = counts.get(name, 0) + 1
    if problems:
        raise invalid(problems)
    if max_jobs is not None:
        plan.check_count(len(to_buy), max_jobs)
    _check_caps(purchases, to_buy, accepts_unknown)
    if shard[1] > 1:
        counts["shard"] = f"{shard[0]}/{shard[1]}"
    more = f", with --max-jobs {len(to_buy)}" if len(to_buy) > 1 and max_jobs is None else ""
    message = f"Nothing was bought. To buy, run the same without --dry-run{more}."
    return console.result("plan", 0, **plan.told(to_buy, counts), message=message)


def _check_caps(purchases: Purchases, to_buy: plan.Alike, accepts_unknown: bool) -> None:
    """Raise the Failure 27 with which a cap would stop the run, before or in the middle of it."""
    if not len(to_buy) or not purchases.has_caps:
        return
    # One that plans is asked for the price of each.
    unknown = sum(prices.count(None) for asked, prices in to_buy if asked.provider.plan is None)
    plan.check_unknown(unknown, len(to_buy), accepts_unknown)
    services: dict[str, list[tuple[CheckedRequest, list]]] = {}
    for asked, prices in to_buy:
        services.setdefault(asked.provider.name, []).append((asked, prices))
    wanted: dict[bool, list[amounts.Price]] = {}
    for group in services.values():
        asked = group[0][0]
        # What is bought at one service before counts when another one's is.
        known = wanted.setdefault(asked.provider.embedded, [])
        known += [price for _, prices in group for price in prices if price is not None]
        try:
            purchases.check_caps(asked, known)  # in another unit than a cap's it is as unknown
        except store.Unusable as problem:
            raise problem.failure() from None
