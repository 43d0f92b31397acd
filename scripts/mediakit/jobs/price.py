"""What a purchase may cost, and what it would cost.

Spending      what the flags say about it
caps_of       the caps that count for it
price_of      the price of one job, from the catalogue or from earlier jobs
planned_price the price that the service itself tells in a plan of its own, free of charge
service_plan  the answer with that plan
sent_with     what is sent beside the payload: the idempotency key, the service's own guard
"""

from __future__ import annotations

import math
import os
import time

from ..base import amounts, errors
from ..base.record import record
from ..base.text import is_number
from ..ledger import spending
from ..ledger.spending import standing_caps
from ..services import catalogue, costs
from .connection import Connection
from .request import CheckedRequest

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import Protocol

    from ..http.answers import Answer, Lost

    class HasBills(Protocol):
        """The ledgers, or what remembers their answers."""

        def bills(self, service: str, origin: str, model: str | None) -> list[tuple[amounts.Amount, dict | None]]: ...


PLAN_TIMEOUT = 60.0


@record
class Spending:
    """Each field is the flag of the same name.

    copies    how many of them are bought on purpose
    intent    the purchase's own name, as given
    max_spend a job's limit
    """

    copies: int = 1
    intent: str | None = None
    allow_duplicate: bool = False
    retry_unknown: bool = False
    max_spend: amounts.Amount | None = None
    accept_unknown_cost: bool = False
    require_ledger: bool = False
    no_store_payload: bool = False


def caps_of(asked: CheckedRequest, spending: Spending) -> list[amounts.Cap]:
    """Every cap that counts for a purchase: the standing ones and --max-spend."""
    caps = standing_caps()
    if spending.max_spend is not None:
        wanted = amounts.in_unit(spending.max_spend, asked.provider.unit, asked.provider.units)
        caps.append(amounts.Cap(wanted, 0, "--max-spend"))
    return caps


def price_of(ledgers: HasBills | None, asked: CheckedRequest) -> amounts.Price | None:
    """What one such job costs, as the catalogue states it, else as the ledger remembers; None if unknown."""
    provider, found = asked.provider, settings(asked)
    entry = catalogue.entry(provider.speaks, asked.model)
    if "price" not in entry and asked.model and provider.says("price"):
        # A model that no list here has can have a price that its service states.
        entry = {**entry, "price": catalogue.kept_price(provider.speaks, asked.model)}
    if entry.get("price"):
        charges = catalogue.document(provider.speaks).get("charges")
        stated = spending.catalogue_price(entry, found, asked.route, charges)
        if stated:
            return stated
    bills = ledgers.bills(provider.name, asked.origin, asked.model) if ledgers else []
    return spending.estimate(
        ((cost, None if payload is None else settings(asked, payload)) for cost, payload in bills), found
    )


def ask_price(connection: Connection, asked: CheckedRequest) -> None:
    """Let the service state the model's price where it does so by itself: one that is known here may be an old one."""
    if connection.provider.says("price") is None:
        return
    from ..services import live

    live.offer_price(connection, asked.model)


def settings(asked: CheckedRequest, payload: dict | None = None) -> dict[str, costs.Setting]:
    """The fields of a request that change what it costs; of another payload for the same model where one is given."""
    provider = asked.provider
    rules = provider.idempotency or {}, provider.plan or {}, provider.guard or {}
    free = frozenset(rule[word] for rule in rules for word in ("field", "accept_unknown_field") if word in rule)
    tasks = [asked.task] if asked.task else catalogue.entry(provider.speaks, asked.model).get("tasks", [])
    known = costs.Asked(asked.route, asked.rows, frozenset(tasks), free)
    return costs.settings(asked.noted if payload is None else payload, known)


def planned_price(connection: Connection, asked: CheckedRequest, deadline: float) -> amounts.Price | None:
    """The price of the service's own plan; None where it tells none."""
    from ..http.answers import Lost
    from ..http.documents import read_json

    # Leave the service's own guard out: it would refuse instead of stating the price.
    answer = service_plan(connection, asked, {}, deadline)
    if isinstance(answer, Lost) or not 200 <= answer.status < 300:
        return None
    cost = connection.provider.bills.planned(read_json(answer.content)[0])
    return amounts.Price(cost, "service") if cost else None


def service_plan(connection: Connection, asked: CheckedRequest, guards: dict, deadline: float) -> Answer | Lost:
    """What the service itself says that it would do, free of charge; for a provider that plans.

    guards    as from `guards`
    deadline  when the command must have ended, in seconds of time.monotonic
    """
    left = max(deadline - time.monotonic(), 0.0)
    plan, keyed = asked.provider.plan or {}, asked.provider.idempotency
    body = {**asked.payload, **guards, plan["field"]: True}
    if keyed is not None:  # a plan uses up no key
        body.pop(keyed["field"], None)
    place = connection.site.of_create(asked.route.origin, asked.path)
    return connection.ask(place, min(PLAN_TIMEOUT, left / 2), body)  # the rest is for the job


def sent_with(wanted: Spending, asked: CheckedRequest) -> dict:
    """What is sent beside the payload: its idempotency key, a new one where it has none, and the service's own guard."""
    found: dict[str, object] = {}
    rules = asked.provider.idempotency
    if rules is not None:
        field = rules["field"]
        found[field] = asked.payload.get(field) or f"ai-media-{os.urandom(12).hex()}"
    return {**found, **guards(wanted, asked)}


def guards(wanted: Spending, asked: CheckedRequest) -> dict:
    """--max-spend and --accept-unknown-cost in the service's own words, where it has them; raises Failure 2."""
    provider = asked.provider
    found: dict[str, object] = {}
    guard = provider.guard
    if guard is None:
        return found
    if wanted.max_spend is not None:
        cap = amounts.in_unit(wanted.max_spend, provider.unit, provider.units)
        if cap.unit == guard["unit"]:
            outputs = _outputs(asked) if guard["per"] == "output" else 1
            limit, own = cap.micro // outputs / amounts.MICRO, asked.payload.get(guard["field"])
            is_stricter = is_number(own) and own < limit
            found[guard["field"]] = own if is_stricter else limit
    if wanted.accept_unknown_cost and "accept_unknown_field" in guard:
        found[guard["accept_unknown_field"]] = True
    return found


def _outputs(asked: CheckedRequest) -> int:
    """How many results are asked for, where the service counts them; raises Failure 2 for what is no number of them."""
    found = settings(asked)
    counted = [found[pointer].value for pointer in costs.counting(found, asked.route)]
    if not all(map(spending.is_count, counted)):
        raise errors.bad_argument(asked.route.count, "expected a whole number from 1 on")
    return math.prod(map(int, counted))
