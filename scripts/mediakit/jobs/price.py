"""What a purchase may cost, and what it would cost.

Spending      what the flags say about it
price_of      the price of one job, from the catalogue or from earlier jobs
planned_price the price that the service itself tells in a plan of its own, free of charge
service_plan  the answer with that plan
sent_with     what is sent beside the payload: the idempotency key, the service's own guard
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from ..base import amounts, errors
from ..http.answers import Answer, Lost
from ..ledger import fallbacks, spending
from ..services import catalogue, providers
from .connection import Connection
from .request import CheckedRequest

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    pass

PLAN_TIMEOUT = 60.0


@dataclass(frozen=True)
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


def price_of(ledgers: fallbacks.Ledgers | None, asked: CheckedRequest) -> amounts.Price | None:
    """What one such job costs, as the catalogue states it, else as the ledger remembers; None if unknown."""
    provider = asked.provider
    entry = catalogue.entry(provider.speaks, asked.model)
    if entry:
        charges = catalogue.document(provider.speaks).get("charges")
        stated = spending.catalogue_price(entry, {**asked.payload, **asked.fields}, asked.route.count, charges)
        if stated:
            return stated
    count = asked.fields.get(asked.route.count, asked.payload.get(asked.route.count))
    bills = ledgers.bills(provider.name, asked.model) if ledgers else []
    return spending.estimate(bills, asked.route.count, count)


def planned_price(connection: Connection, asked: CheckedRequest, deadline: float) -> amounts.Price | None:
    """The price of the service's own plan; None where it tells none."""
    # Without the service's own guard, which would refuse in place of telling the price.
    answer = service_plan(connection, asked, {}, deadline)
    if isinstance(answer, Lost) or not 200 <= answer.status < 300:
        return None
    cost = connection.provider.planned_cost(providers.read_json(answer.content)[0])
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
    return connection.ask(asked.path, min(PLAN_TIMEOUT, left / 2), body)  # the rest is for the job


def sent_with(spending: Spending, asked: CheckedRequest) -> dict:
    """What is sent beside the payload: its idempotency key, a new one where it has none, and the service's own guard."""
    found: dict[str, object] = {}
    rules = asked.provider.idempotency
    if rules is not None:
        field = rules["field"]
        found[field] = asked.payload.get(field) or f"ai-media-{secrets.token_hex(12)}"
    return {**found, **guards(spending, asked)}


def guards(spending: Spending, asked: CheckedRequest) -> dict:
    """--max-spend and --accept-unknown-cost in the service's own words, where it has them; raises Failure 2."""
    provider = asked.provider
    found: dict[str, object] = {}
    guard = provider.guard
    if guard is None:
        return found
    if spending.max_spend is not None:
        cap = amounts.in_unit(spending.max_spend, provider.unit, provider.units)
        if cap.unit == guard["unit"]:
            outputs = asked.payload.get(asked.route.count, 1) if guard["per"] == "output" else 1
            if not isinstance(outputs, int) or isinstance(outputs, bool) or outputs < 1:
                raise errors.bad_argument(asked.route.count, "expected a whole number from 1 on")
            limit, own = cap.micro // outputs / amounts.MICRO, asked.payload.get(guard["field"])
            is_stricter = isinstance(own, (int, float)) and not isinstance(own, bool) and own < limit
            found[guard["field"]] = own if is_stricter else limit
    if spending.accept_unknown_cost and "accept_unknown_field" in guard:
        found[guard["accept_unknown_field"]] = True
    return found
