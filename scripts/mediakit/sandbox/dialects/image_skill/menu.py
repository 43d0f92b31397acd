"""Luxin's models as it lists them."""

from __future__ import annotations

from .. import model_facts
from ..answering import Refused
from . import charges

# Own choice.
_RATIOS = ("1:1", "4:3", "3:4", "16:9", "9:16")


def capability(model: str) -> str:
    return f"is.{_operation(charges.entries()[model])}.{model.replace('.', '-')}.v1"


def _operation(entry: dict) -> str:
    """What the model does, such as `image.edit`."""
    made = model_facts.media_of(charges.SERVICE, entry["model"])
    return "image.edit" if entry["path"] == "/v1/edit" and made == "image" else f"{made}.generate"


def words_of(entry: dict) -> dict:
    """What is said of a model in the menu, and can be asked for."""
    model = entry["model"]
    cost, edits = charges.of(model, {}), entry["path"] == "/v1/edit"
    return {
        "is_default": model == charges.named("default"), "provider": charges.provider_of(entry), "operation": _operation(entry),
        "modality": model_facts.media_of(charges.SERVICE, model), "edits": edits, "capability": capability(model),
        "use": "variation" if model.endswith("-redux") else "edit" if edits else "create",
        "tags": [*entry.get("tasks", ()), *entry.get("modes", ())], "usd": cost.told.get("estimated_usd"),
        "credits": cost.credits, "pricing": cost.told["credit_pricing"], "is_known": cost.each is not None,
        "is_unknown": cost.each is None, "confidence": cost.told["credit_pricing"]["pricing_confidence"],
        "references": "reference" in entry.get("modes", ()), "debits": dict.fromkeys(_RATIOS, cost.credits),
        "catalog_only": False,  # every model of the catalogue can be run here
    }  # fmt: skip


def show_model(dialect, http, given: dict, data: dict) -> None:
    model = charges.named(given["model"])
    if model not in charges.entries():
        raise Refused(404, "no such model")
    data["model"] = dialect.menu.row(http, charges.entries()[model])


def capabilities() -> list[dict]:
    entries = charges.entries()
    return [{"id": capability(name), "operation": _operation(one), "model_id": name} for name, one in entries.items()]


def show_capability(dialect, http, given: dict, data: dict) -> None:
    data["capability"] = next((row for row in capabilities() if row["id"] == given["capability"]), None)
    if data["capability"] is None:
        raise Refused(404, "no such capability")


# action -> what makes its answer from the example
ANSWERS = {"models-show": show_model, "capabilities-show": show_capability}
