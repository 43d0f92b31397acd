"""Amounts of money or credits, and what makes two requests one purchase. Pure.

Amount          a sum of money or credits, exact, with its unit
parse_amount    "200credits", "5usd"
parse_caps      "200credits/day, 1000credits"
in_unit         the same amount in the unit that a service counts in
fingerprint     two commands with the same one ask for the same purchase
"""

from __future__ import annotations

import json
from collections import namedtuple

from . import errors
from .regex import regex

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from decimal import Decimal

MICRO = 1_000_000
# No single amount is more: what a database holds, and what any cap refuses.
MOST_MICRO = 2**62
DAY = 24 * 3600.0

_AMOUNT = regex(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([A-Za-z]{2,16})")

# window is the seconds that a cap counts over, None for all time, 0 for each job by itself; name is the
# flag or variable that it comes from; `of` is what the intents of the purchases that it counts begin with, None for
# all purchases.
Cap = namedtuple("Cap", "amount window name of", defaults=(None,))
# source is "service" (its own plan), "catalogue" or "estimate".
Price = namedtuple("Price", "amount source")


class Amount(namedtuple("Amount", "micro unit")):
    """`micro` millionths of a `unit` such as credits or usd; whole numbers, so that sums are exact."""

    __slots__ = ()

    @classmethod
    def of(cls, value, unit: str) -> Amount:
        """From a number of a service's answer or of a catalogue."""
        from decimal import Decimal  # not for a list of jobs

        return cls(_bounded(Decimal(str(value)) * MICRO), unit)

    def times(self, number) -> Amount:
        """So many of it, rounded up to a millionth."""
        from decimal import ROUND_CEILING, Decimal

        return Amount(_bounded((self.micro * Decimal(str(number))).to_integral_value(ROUND_CEILING)), self.unit)

    @property
    def shown(self) -> dict:
        """As an event tells it."""
        whole, rest = divmod(self.micro, MICRO)
        return {"amount": whole if not rest else self.micro / MICRO, "unit": self.unit}

    def __str__(self) -> str:
        return f"{self.shown['amount']:g} {self.unit}"


def _bounded(micro: Decimal) -> int:
    return MOST_MICRO if micro > MOST_MICRO else int(micro)


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


def in_unit(amount: Amount, unit: str | None, units: dict) -> Amount:
    """The same in the unit that a service counts in, where `units` tells what one of the other is in it."""
    return Amount(amount.micro, unit).times(units[amount.unit]) if amount.unit in units else amount


def digest(value) -> str:
    """A hash of a JSON value that does not depend on how it was spelled."""
    from . import canonical

    text = json.dumps(canonical.value(value), separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return _hash(text)


def former_digest(value) -> str:
    """The hash that ledgers of the first schemas hold: other spellings of the same were another purchase then."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return _hash(text)


def fingerprint(request: str, intent: str | None, copy: int) -> str:
    """The purchase's identity: what is asked for of whom (a digest), the name of the intent, the copy's number."""
    return digest([request, intent, copy])


def _hash(text: str) -> str:
    import hashlib  # its library takes long to load, and a list of jobs needs none

    return hashlib.sha256(text.encode()).hexdigest()
