"""Orders for a ledger without a service: what is bought of it, and what that came to."""

from __future__ import annotations

from mediakit.base import amounts
from mediakit.ledger import store


def order(
    prompt="a", *, intent=None, copy=1, price=None, practice=0, payload='{"prompt": "a"}', service="service", origin="o"
):
    request = amounts.digest(["service", prompt])
    return store.Order(
        fingerprint=amounts.fingerprint(request, intent, copy), request=request, service=service, origin=origin,
        practice=practice, model="m", base_url=None, output_dir=None, intent=intent, copy=copy,
        command="create", payload=payload, price=price,
    )  # fmt: skip


def buy(ledger, *orders, **choices):
    return ledger.claims.claim(list(orders) or [order()], choices.pop("caps", []), **choices)


def words(decisions) -> list[str]:
    return [decision.word for decision in decisions]
