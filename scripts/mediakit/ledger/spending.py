"""What a purchase may cost, and what it costs as far as that is stated before it.

standing_caps    the caps that count for every command of this user
catalogue_price  what one request costs, where a source states it
estimate         what it costs as far as earlier jobs tell
"""

from __future__ import annotations

import os
from decimal import ROUND_CEILING, Decimal

from ..base import amounts


def standing_caps() -> list[amounts.Cap]:
    """AI_MEDIA_MAX_SPEND, from the environment, else from the user's own store; never from a working directory."""
    from ..services import keys

    name = "AI_MEDIA_MAX_SPEND"
    text = os.environ.get(name) or keys.stored(name) or ""
    return amounts.parse_caps(name, text)


def catalogue_price(entry: dict | None, payload: dict, count_field: str = "n", charges=None) -> amounts.Price | None:
    """What a catalogue's entry states for this payload; None where it depends on something that is not told.

    count_field  the field that says how many results are asked for
    charges      basis of a price -> how the service makes its charge of it: `{unit, step, margin}`
    """
    price = (entry or {}).get("price")
    if not price:
        return None
    outputs = payload.get(count_field, 1)
    count = {"second": payload.get("duration"), "image": outputs, "output": outputs}.get(price.get("per", "output"))
    if not isinstance(count, (int, float)) or isinstance(count, bool) or count <= 0:
        return None
    charge = (charges or {}).get(price.get("basis"))
    total = Decimal(str(price["amount"])) * Decimal(str(count))
    if charge is None:
        return amounts.Price(amounts.Amount.of(total, price["unit"]), "catalogue")
    if charge["unit"] != price["unit"]:
        return None
    # The service takes its margin of what it charges, in whole steps and at least one.
    step = Decimal(str(charge["step"]))
    steps = (total / (1 - Decimal(str(charge["margin"]))) / step).to_integral_value(ROUND_CEILING)
    return amounts.Price(amounts.Amount.of(max(steps, Decimal(1)) * step, charge["unit"]), "catalogue")


def estimate(
    bills: list[tuple[amounts.Amount, dict | None]], count_field: str = "n", count=None
) -> amounts.Price | None:
    """The most that one of a model's latest jobs has cost, said to be an estimate; None without any.

    bills  what they have cost and what they asked for, newest first
    count  how many results are asked for in `count_field`; a job of which that is not known counts as one result
    """
    if not bills:
        return None
    alike = [(amount, payload or {}) for amount, payload in bills if amount.unit == bills[0][0].unit]
    past = [amount for amount, _ in alike]
    if _is_count(count):
        counts = [payload.get(count_field) for _, payload in alike]
        past = [amount.times(Decimal(count) / (its if _is_count(its) else 1)) for amount, its in zip(past, counts)]
    return amounts.Price(max(past), "estimate")


def _is_count(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
