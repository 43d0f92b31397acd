"""What a purchase may cost, and what it costs as far as that is stated before it.

standing_caps    the caps that count for every command of this user
catalogue_price  what one request costs, where a source states it
estimate         what it costs as far as earlier jobs tell
is_count         whether a value counts results
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable
from decimal import ROUND_CEILING, Decimal

from ..base import amounts
from ..base.text import is_number
from ..services import costs
from ..services.descriptor import Route


def standing_caps() -> list[amounts.Cap]:
    """AI_MEDIA_MAX_SPEND, from the environment, else from the user's own store; never from a working directory."""
    from ..services import keys

    name = "AI_MEDIA_MAX_SPEND"
    text = os.environ.get(name) or keys.stored(name) or ""
    return amounts.parse_caps(name, text)


def catalogue_price(
    entry: dict | None, found: dict[str, costs.Setting], route: Route, charges=None
) -> amounts.Price | None:
    """What a catalogue's entry states for a request; None where a field that changes the cost is not in the price.

    found    the request's costs.settings
    route    says in which field results are counted
    charges  basis of a price -> how the service makes its charge of it: `{unit, step, margin}`
    """
    price = (entry or {}).get("price")
    per = (price or {}).get("per", "output")
    if not price or per not in ("second", "image", "output"):
        return None
    counted = costs.counting(found, route)
    seconds = [pointer for pointer in found if per == "second" and costs.is_seconds(pointer)]
    if (
        len(counted) > 1
        or len(seconds) != (per == "second")
        or costs.outside(found, [*counted, *seconds], "least" in price)
    ):
        return None
    numbers = [found[pointer].value for pointer in counted] + [_seconds(found[pointer].value) for pointer in seconds]
    if not all(map(_is_positive, numbers)) or not all(is_count(found[pointer].value) for pointer in counted):
        return None
    total = Decimal(str(price["amount"])) * math.prod(Decimal(str(number)) for number in numbers)
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


def _seconds(value):
    """How many, also where they are written as a text: "8", "8s"."""
    written = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)s?", value) if isinstance(value, str) else None
    return float(written[1]) if written else value


def _is_positive(value) -> bool:
    return is_number(value) and 0 < value < float("inf")


def is_count(value) -> bool:
    """Whether so many results can be asked for."""
    return _is_positive(value) and value == int(value)
