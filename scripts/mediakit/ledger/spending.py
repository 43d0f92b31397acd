"""What a purchase may cost, and what it costs as far as that is stated before it.

standing_caps    the caps that count for every command of this user
catalogue_price  what one request costs, where a source states it
estimate         what it costs as far as earlier jobs tell
is_count         whether a value counts results
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from decimal import ROUND_CEILING, Decimal

from ..base import amounts
from ..services import costs
from ..services.descriptor import Route


def standing_caps() -> list[amounts.Cap]:
    """AI_MEDIA_MAX_SPEND, from the environment, else from the user's own store; never from a working directory."""
    from ..services import keys, providers

    name = "AI_MEDIA_MAX_SPEND"
    text = os.environ.get(name) or keys.stored(name) or ""
    return providers.caps(name, text)


def catalogue_price(
    entry: dict | None, found: dict[str, costs.Setting], route: Route, charges=None
) -> amounts.Price | None:
    """What a catalogue's entry states for a request; None where a field that changes the cost is not in the price.

    found    the request's costs.settings
    route    says in which field results are counted
    charges  basis of a price -> how the service makes its charge of it: `{unit, step, margin}`
    """
    price = (entry or {}).get("price")
    measured = costs.measured(price.get("per", "output"), found, route) if price else None
    if not price or measured is None:
        return None
    much, measuring = measured
    counted = costs.counting(found, route)
    if len(counted) > 1 or costs.outside(found, [*counted, *measuring], "least" in price):
        return None
    numbers = [found[pointer].value for pointer in counted]
    if not all(map(is_count, numbers)):
        return None
    total = Decimal(str(price["amount"])) * much * math.prod(Decimal(str(number)) for number in numbers)
    charge = (charges or {}).get(price.get("basis"))
    if charge is None:
        return amounts.Price(amounts.Amount.of(total, price["unit"]), "catalogue")
    if charge["unit"] != price["unit"]:
        return None
    # The service takes its margin of what it charges, in whole steps and at least one.
    step = Decimal(str(charge["step"]))
    steps = (total / (1 - Decimal(str(charge["margin"]))) / step).to_integral_value(ROUND_CEILING)
    return amounts.Price(amounts.Amount.of(max(steps, Decimal(1)) * step, charge["unit"]), "catalogue")


def estimate(
    bills: Iterable[tuple[amounts.Amount, dict[str, costs.Setting] | None]], found: dict
) -> amounts.Price | None:
    """The most that one of a model's latest jobs with the same settings has cost, said to be an estimate; None without any.

    bills  what they have cost and their costs.settings, newest first; None where those were not kept
    found  the settings of what is asked for
    """
    alike = [cost for cost, before in bills if before is not None and costs.are_covered(found, before)]
    return amounts.Price(max(cost for cost in alike if cost.unit == alike[0].unit), "estimate") if alike else None


def is_count(value) -> bool:
    """Whether so many results can be asked for."""
    return costs.is_positive(value) and value == int(value)
