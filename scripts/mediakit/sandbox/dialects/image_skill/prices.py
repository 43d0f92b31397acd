"""The models: which one is taken, what a job costs, and the menu of them."""

from __future__ import annotations

import math
from typing import NamedTuple

from .. import common
from ..by_examples import Refused
from ..filling import numbers

SERVICE = "image-skill"
CREDIT_USD = 0.01

# Own choice: what is debited where no source tells a price.
_UNTOLD_CREDITS = 9.0
# What the service once took of a charge; it agrees with the charges that are known.
_TARGET_MARGIN = 0.4
# Credits of one output, before all are summed and rounded up: model -> (quality, resolution) -> credits.
_XAI = "xai.grok-imagine-image"
_OF_RESOLUTION = {(None, "1k"): 25 / 3, (None, "2k"): 35 / 3}
_OF_QUALITY = {("low", "1k"): 20 / 3, ("low", "2k"): 10.0, ("medium", "1k"): 10.0, ("medium", "2k"): 40 / 3}
_TIERS: dict[str, dict[tuple, float]] = {
    _XAI: {(None, "1k"): 10 / 3},
    f"{_XAI}-edit": {(None, "1k"): 11 / 3},
    f"{_XAI}-quality": _OF_RESOLUTION,
    f"{_XAI}-quality-edit": {tier: credits + 5 / 3 for tier, credits in _OF_RESOLUTION.items()},
    f"{_XAI}-2.0": _OF_QUALITY,
    f"{_XAI}-2.0-edit": {tier: credits + 5 / 3 for tier, credits in _OF_QUALITY.items()},
}
# Which model the service takes where none is named, by the words of an intent; for an edit it is our own choice.
_CHOSEN = {"general": "fal.flux-1-dev", "budget_draft": "fal.flux-1-schnell", "final": f"{_XAI}-quality"}
_CHOSEN_TO_EDIT = "fal.flux-pro-kontext"
_CLASSES = {
    **dict.fromkeys("draft cheap budget test".split(), "budget_draft"),
    **dict.fromkeys("final finalize hero product product-shot campaign publication deliverable".split(), "final"),
}
_ALIASES = {"default": _CHOSEN["general"], "nano-banana": "fal.nano-banana-2", "nano-banana-pro": "fal.nano-banana-pro"}
_COST_UNKNOWN = frozenset(("openai.gpt-image-1.5-edit", "openai.gpt-image-2-edit"))
_DOUBLED_AT_4K = frozenset(
    f"fal.{name}{edit}" for name in ("nano-banana-pro", "gemini-3-pro-image-preview") for edit in ("", "-edit")
)
PROMPTLESS = frozenset(
    ("fal.flux-dev-redux", "fal.flux-krea-redux", "fal.flux-schnell-redux", "fal.trellis-image-to-3d")
)


# -- one job -----------------------------------------------------------------------------------------


def choose(path: str, body: dict) -> dict:
    """The catalogue's entry of the model that a body means; raises Refused."""
    model, provider = body.get("model"), body.get("provider")
    model = _ALIASES.get(model, model) if isinstance(model, str) else model
    fitting = [entry for entry in entries().values() if entry["path"] == path]
    if provider is not None:
        fitting = [entry for entry in fitting if _provider(entry) == provider]
    if model is None and provider is None:
        model = _CHOSEN_TO_EDIT if path == "/v1/edit" else _CHOSEN[_intent_class(body)]
    found = [entry for entry in fitting if model in (None, entry["model"])]
    if not found:
        raise Refused(400, "model: is not known for this operation and provider")
    return found[0]


def entries() -> dict[str, dict]:
    return common.models(SERVICE)


def _intent_class(body: dict) -> str:
    """What the service makes of an intent: budget_draft, final or general."""
    return _CLASSES.get(str(body.get("intent", "")).lower(), "general")


def policy(model: str, body: dict) -> dict:
    """The parameters that the service chooses by itself."""
    parameters, tiers = body.get("model_parameters", {}), _TIERS.get(model, {})
    if (None, "2k") in tiers and "resolution" not in parameters:
        guard = body.get("max_estimated_usd_per_image")
        is_over = guard is not None and debit(tiers[None, "2k"]) * CREDIT_USD > guard + 1e-9
        return {"resolution": "1k" if is_over or _intent_class(body) == "budget_draft" else "2k"}
    if ("medium", "1k") in tiers and "resolution" in parameters and "quality" not in parameters:
        return {"quality": "medium"}
    return {}


class Charge(NamedTuple):
    """What a job is charged: credits of one output, None where that is not known beforehand; of all; as it is told."""

    each: float | None
    credits: int
    told: dict


def charge(model: str, body: dict) -> Charge:
    parameters = {**body.get("model_parameters", {}), **policy(model, body)}
    each = _per_output(model, parameters)
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


def _per_output(model: str, parameters: dict) -> float | None:
    if model in _COST_UNKNOWN:
        return None
    if model in _TIERS:
        tiers = _TIERS[model]
        quality = parameters.get("quality", "medium") if ("medium", "1k") in tiers else None
        # What the service takes by itself: the best where it is left a choice of sizes alone.
        usual = "2k" if (None, "2k") in tiers else "1k"
        return tiers.get((quality, parameters.get("resolution", usual)), max(tiers.values()))
    price = entries()[model].get("price")
    if price is None:
        return _UNTOLD_CREDITS
    credits = price["amount"] / CREDIT_USD / ((1 - _TARGET_MARGIN) if price.get("basis") == "provider" else 1)
    return credits * 2 if model in _DOUBLED_AT_4K and parameters.get("resolution") == "4K" else credits


# -- the menu ----------------------------------------------------------------------------------------


def capability(model: str) -> str:
    return f"is.{_operation(entries()[model])}.{model.replace('.', '-')}.v1"


def _operation(entry: dict) -> str:
    """What the model does, such as `image.edit`."""
    made = common.media_of(SERVICE, entry["model"])
    return "image.edit" if entry["path"] == "/v1/edit" and made == "image" else f"{made}.generate"


def _provider(entry: dict) -> str:
    return entry["model"].partition(".")[0]


def words_of(entry: dict) -> dict:
    """What is said of a model in the menu, and can be asked for."""
    model = entry["model"]
    cost, edits = charge(model, {}), entry["path"] == "/v1/edit"
    return {
        "is_default": model == _CHOSEN["general"], "provider": _provider(entry), "operation": _operation(entry),
        "modality": common.media_of(SERVICE, model), "edits": edits, "capability": capability(model),
        "use": "variation" if model.endswith("-redux") else "edit" if edits else "create",
        "tags": [*entry.get("tasks", ()), *entry.get("modes", ())], "usd": cost.told.get("estimated_usd"),
        "credits": cost.credits, "pricing": cost.told["credit_pricing"], "is_known": cost.each is not None,
        "is_unknown": cost.each is None, "confidence": cost.told["credit_pricing"]["pricing_confidence"],
        "references": "reference" in entry.get("modes", ()), "debits": dict.fromkeys(_RATIOS, cost.credits),
        "catalog_only": False,  # every model of the catalogue can be run here
    }  # fmt: skip


# Own choice.
_RATIOS = ("1:1", "4:3", "3:4", "16:9", "9:16")
_ONLY_IN_FULL = ("economics", "media", "execution", "capability")
_IN_FIND = (
    "id display_name provider_id modality operations credits_required estimated_usd_per_image pricing_confidence "
    "max_resolution show_command status"
).split()


def show_model(dialect, http, given: dict, data: dict) -> None:
    model = _ALIASES.get(given["model"], given["model"])
    if model not in entries():
        raise Refused(404, "no such model")
    data["model"] = dialect.menu.row(http, entries()[model])


def list_models(dialect, http, given: dict, data: dict) -> None:
    asked = common.query(http)
    most = common.number(asked.get("max_credits"), 1_000_000, 0, 1_000_000)
    rows = dialect.menu.rows(http, {name: value for name, value in asked.items() if name != "limit"})
    rows = [row for row in rows if row["credits_required"] <= most]
    rows.sort(key=lambda row: row["modality"] != "image")  # own choice: pictures first
    view, total = asked.get("view"), len(rows)
    if view == "overview":
        return _overview(rows, data)
    if view == "find" or "sort" in asked:
        rows.sort(key=lambda row: (row["credits_required"], row["id"]))
    if view == "find" or "limit" in asked:
        rows = rows[: common.number(asked.get("limit"), 10, 1, 50)]
    if view == "find":
        shown = [{**{name: row[name] for name in _IN_FIND}, "available": True} for row in rows]
        shape = {"result_shape": "terse_model_find", "filters": asked, "total_matched": total, "models": shown}
        return data.update({**shape, "returned_count": len(rows)})
    is_full = asked.get("details") == "true"
    data["models"] = [row if is_full else {n: row[n] for n in row if n not in _ONLY_IN_FULL} for row in rows]
    data["summary"] = {
        "total": len(entries()), **dict.fromkeys(("returned", "available", "executable"), len(rows)),
        "cataloged_not_wired": 0, "first_actionable_model_ids": [row["id"] for row in rows[:3]],
        "result_shape": "full" if is_full else "compact_model_summary",
    }  # fmt: skip


def _overview(rows: list, data: dict) -> None:
    groups: dict[str, list[dict]] = {}
    for row in rows:
        groups.setdefault(row["operations"][0], []).append(row)
    told = []
    for name, members in groups.items():
        cheapest = min(members, key=lambda row: row["credits_required"])
        least = {"model_id": cheapest["id"], "credits_required": cheapest["credits_required"]}
        counts = {"total": len(members), "executable": len(members)}
        told.append({"category": name, "operation": name, **counts, "cheapest": least})
    totals = {"catalog": len(rows), "executable": len(rows), "cataloged_not_wired": 0}
    totals["providers"] = len({row["provider_id"] for row in rows})
    shape = {"result_shape": "model_discovery_overview", "totals": totals, "groups": told, "aliases": _ALIASES}
    data.update({**shape, "next_commands": {}})
    del data["models"]


def list_capabilities(dialect, http, given: dict, data: dict) -> None:
    rows = [
        {"id": capability(model), "operation": _operation(one), "model_id": model} for model, one in entries().items()
    ]
    if "capability" not in given:
        data["capabilities"] = rows
        return
    data["capability"] = next((row for row in rows if row["id"] == given["capability"]), None)
    if data["capability"] is None:
        raise Refused(404, "no such capability")


# the list, or the action -> what makes its answer from the example
ANSWERS = {
    "models": list_models, "models-show": show_model, "capabilities": list_capabilities,
    "capabilities-show": list_capabilities,
}  # fmt: skip
