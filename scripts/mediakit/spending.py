"""Amounts, prices and caps. Pure.

Amount          a sum of money or credits, exact, with its unit
parse_amount    "200credits", "5usd"
parse_caps      "200credits/day, 1000credits"
catalogue_price what one request costs, where a source states it
fingerprint     two commands with the same one ask for the same purchase
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import namedtuple
from decimal import Decimal

from . import errors

MICRO = 1_000_000
DAY = 24 * 3600.0

_AMOUNT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([A-Za-z]{2,16})")

# window is the seconds that a cap counts over, None for all time, 0 for each job by itself; name is the
# flag or variable that it comes from.
Cap = namedtuple("Cap", "amount window name")
# source is "catalogue" or "estimate".
Price = namedtuple("Price", "amount source")


class Amount(namedtuple("Amount", "micro unit")):
    """`micro` millionths of a `unit` such as credits or usd; whole numbers, so that sums are exact."""

    __slots__ = ()

    @classmethod
    def of(cls, value, unit: str) -> Amount:
        """From a number of a service's answer or of a catalogue."""
        return cls(int(Decimal(str(value)) * MICRO), unit)

    @property
    def shown(self) -> dict:
        """As an event tells it."""
        whole, rest = divmod(self.micro, MICRO)
        return {"amount": whole if not rest else self.micro / MICRO, "unit": self.unit}

    def __str__(self) -> str:
        return f"{self.shown['amount']:g} {self.unit}"


def parse_amount(flag: str, text: str) -> Amount:
    """An amount with its unit; raises Failure 2 for a bare number and for anything else."""
    found = _AMOUNT.fullmatch(text.strip())
    if not found:
        raise errors.bad_argument(flag, "expected an amount with its unit, such as 200credits or 5usd")
    return Amount.of(found[1], found[2].lower())


def parse_caps(name: str, text: str) -> list[Cap]:
    """Standing caps: amounts separated by commas, each counted a day with `/day` after it, else in all."""
    caps = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        amount, slash, window = part.partition("/")
        if slash and window.strip() != "day":
            raise errors.bad_argument(name, "expected amounts such as 200credits/day, 1000credits")
        caps.append(Cap(parse_amount(name, amount), DAY if slash else None, name))
    return caps


def catalogue_price(entry: dict | None, payload: dict) -> Price | None:
    """What a catalogue's entry states for this payload; None where it depends on something that is not told."""
    price = (entry or {}).get("price")
    if not price:
        return None
    count = {
        "second": payload.get("duration"),
        "image": payload.get("n", 1),
        "output": payload.get("n", 1),
    }.get(price.get("per", "output"))
    if not isinstance(count, (int, float)) or isinstance(count, bool) or count <= 0:
        return None
    unit_price = Amount.of(price["amount"], price["unit"])
    return Price(Amount(int(unit_price.micro * Decimal(str(count))), unit_price.unit), "catalogue")


def digest(value) -> str:
    """A hash of a JSON value that does not depend on the order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint(request: str, intent: str | None, copy: int) -> str:
    """The purchase's identity: what is asked for of whom (a digest), the name of the intent, the copy's number."""
    return digest([request, intent, copy])
