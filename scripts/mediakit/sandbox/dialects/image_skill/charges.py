"""What a job of Luxin's is charged: by its parameters, and by those that the service chooses by itself.

Which model is taken where none is named, and what each costs, stands in the catalogue.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ....services import catalogue
from .. import model_facts
from ..answering import Refused
from ..filling import numbers

SERVICE = "image-skill"
CREDIT_USD = 0.01
# Own choice: what is debited where no source tells a price.
_UNTOLD_CREDITS = 9.0


def entries() -> dict[str, dict]:
    return model_facts.models(SERVICE)


def named(model):
    """The model that a name means, which can be an alias."""
    return _choice()["aliases"].get(model, model) if isinstance(model, str) else model


def choose(path: str, body: dict) -> dict:
    """The catalogue's entry of the model that a body means; raises Refused."""
    model, provider = named(body.get("model")), body.get("provider")
    fitting = [entry for entry in entries().values() if entry["path"] == path]
    if provider is not None:
        fitting = [entry for entry in fitting if provider_of(entry) == provider]
    if model is None and provider is None:
        model = _choice()["models"]["edit" if path == "/v1/edit" else _intent_class(body)]
    found = [entry for entry in fitting if model in (None, entry["model"])]
    if not found:
        raise Refused(400, "model: is not known for this operation and provider")
    return found[0]


def provider_of(entry: dict) -> str:
    return entry["model"].partition(".")[0]


def _choice() -> dict:
    return catalogue.document(SERVICE)["choice"]


def _intent_class(body: dict) -> str:
    """What the service makes of an intent: budget_draft, final or general."""
    word = str(body.get("intent", "")).lower()
    return next((name for name, words in _choice()["intents"].items() if word in words), "general")


def policy(model: str, body: dict) -> dict:
    """The parameters that the service chooses by itself."""
    parameters, tiers = body.get("model_parameters", {}), _tiers(model)
    best = tiers.get((("resolution", "2k"),))
    if best and "resolution" not in parameters:
        guard = body.get("max_estimated_usd_per_image")
        is_over = guard is not None and debit(best) * CREDIT_USD > guard + 1e-9
        return {"resolution": "1k" if is_over or _intent_class(body) == "budget_draft" else "2k"}
    if "resolution" in parameters and "quality" not in parameters and any("quality" in dict(tier) for tier in tiers):
        return {"quality": "medium"}
    return {}


class Charge(NamedTuple):
    """What a job is charged: credits of one output, None where that is not known beforehand; of all; as it is told."""

    each: float | None
    credits: int
    told: dict


def of(model: str, body: dict) -> Charge:
    parameters = {**body.get("model_parameters", {}), **policy(model, body)}
    each = _per_output(entries()[model], parameters)
    required = debit((_UNTOLD_CREDITS if each is None else each) * len(numbers(body.get("output_count"))))
    pricing = {
        "credit_unit_usd": CREDIT_USD, "credits_required": required,
        "estimated_charge_usd": round(required * CREDIT_USD, 6), "self_fundable": True, "self_fund_block_reason": None,
        "pricing_confidence": "unknown" if each is None else "known",
        "pricing_source": "model_parameters" if parameters else "model_registry",
    }  # fmt: skip
    known = {} if each is None else {"estimated_usd": pricing["estimated_charge_usd"]}
    return Charge(each, required, {**known, "credit_pricing": pricing})


def debit(credits: float) -> int:
    """What is debited: whole credits, and at least one."""
    return max(1, math.ceil(round(credits, 6)))  # rounded first, since three thirds are a hair more than one


def _tiers(model: str) -> dict[tuple, float]:
    """Values of parameters -> credits of one output, before all are summed and rounded up; the usual one first."""
    price = entries()[model].get("price", {})
    return {tuple(sorted(one["when"].items())): one["amount"] / CREDIT_USD for one in price.get("tiers", ())}


def _per_output(entry: dict, parameters: dict) -> float | None:
    price, tiers = entry.get("price"), _tiers(entry["model"])
    if price is None:
        return None if "unpriced" in entry else _UNTOLD_CREDITS
    usual = dict(next(iter(tiers), ()))
    fitting = (credits for tier, credits in tiers.items() if {**usual, **parameters}.items() >= dict(tier).items())
    credits = next(fitting, max(tiers.values(), default=price["amount"] / CREDIT_USD))
    charges = catalogue.document(SERVICE)["charges"].get(price.get("basis"))
    return credits / (1 - charges["margin"]) if charges else credits
