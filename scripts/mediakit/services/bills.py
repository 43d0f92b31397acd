"""What the answers of one service say about money: costs, ceilings, plans, and what is left. Pure."""

from __future__ import annotations

from ..base.pointer import first
from . import answers
from .descriptor import condition, cost_rules

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from .described import Described


class Bills:
    """Reads amounts by the rules of one descriptor, see answers.amount."""

    def __init__(self, described: Described):
        self._described = described

    @property
    def units(self) -> set[str]:
        """Every unit in which the service tells prices, costs and balances."""
        told = [self._described.says(name) for name in ("cost", "money", "guard", "balance")]
        rules = [rule for one in told if one for rule in (one if isinstance(one, list) else [one])]
        return {rule["unit"] for rule in rules if "unit" in rule} | set(self._described.units)

    def usage(self, body):
        """What the service says the job has cost, in its own shape."""
        return first(body, self._described.says("usage", ()))

    def cost(self, body, headers=None, of: tuple[str, ...] = ()):
        """What the service says the job has cost, as an amounts.Amount; None where it does not say.

        of  what the answer is: create, read, result; empty where that is not known
        """
        return answers.amount(tuple(one for one in self._described.cost_rules if not one.is_ceiling), body, headers, of)

    def ceiling(self, body, headers=None):
        """The most that the job can cost, as the answer to its create says; None where it does not say."""
        return answers.amount(tuple(one for one in self._described.cost_rules if one.is_ceiling), body, headers)

    def planned(self, body):
        """What the service's own plan says it would cost, as an amounts.Amount; None where it does not say."""
        stated = (self._described.plan or {}).get("cost")
        return answers.amount(cost_rules([stated]), body) if stated else None

    def left(self, body, headers=None) -> dict | None:
        """`{amount, unit}` of what the account can buy with now; None where the answer's shape is not known or another."""
        balance = self._described.says("balance", {})
        found = (answers.number_at(place, body, headers) for place in balance.get("amounts", ()))
        numbers = [number for number in found if number is not None]
        if numbers and "nothing_if" in balance:
            if answers.holds(condition(balance["nothing_if"]), body):
                numbers = [0]
        return {"amount": sum(numbers), "unit": balance["unit"]} if numbers else None
