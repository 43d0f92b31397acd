"""The models: which there are, what they make, and what they cost."""

from __future__ import annotations

import math

from ... import media
from .. import common
from .words import Refusal

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
    **dict.fromkeys(("draft", "cheap", "budget", "test"), "budget_draft"),
    **dict.fromkeys(
        ("final", "finalize", "hero", "product", "product-shot", "campaign", "publication", "deliverable"), "final"
    ),
}
_ALIASES = {"default": _CHOSEN["general"], "nano-banana": "fal.nano-banana-2", "nano-banana-pro": "fal.nano-banana-pro"}
_COST_UNKNOWN = frozenset(("openai.gpt-image-1.5-edit", "openai.gpt-image-2-edit"))
_DOUBLED_AT_4K = frozenset(
    (
        "fal.nano-banana-pro",
        "fal.nano-banana-pro-edit",
        "fal.gemini-3-pro-image-preview",
        "fal.gemini-3-pro-image-preview-edit",
    )
)
_PROMPTLESS = frozenset(
    ("fal.flux-dev-redux", "fal.flux-krea-redux", "fal.flux-schnell-redux", "fal.trellis-image-to-3d")
)


# -- choosing --------------------------------------------------------------------------------------


def choose(path: str, body: dict) -> dict:
    """The catalogue's entry of the model that a body means; raises Refusal."""
    model, provider = body.get("model"), body.get("provider")
    if isinstance(model, str):
        model = _ALIASES.get(model, model)
    fitting = [entry for entry in common.models(SERVICE).values() if entry["path"] == path]
    if provider is not None:
        fitting = [entry for entry in fitting if _provider(entry) == provider]
    if model is None and provider is None:
        model = _CHOSEN_TO_EDIT if path == "/v1/edit" else _CHOSEN[intent_class(body)]
    found = [entry for entry in fitting if model in (None, entry["model"])]
    if not found:
        raise Refusal("INVALID_ARGUMENTS", "model: is not known for this operation and provider")
    return found[0]


def intent_class(body: dict) -> str:
    """What the service makes of an intent: budget_draft, final or general."""
    return _CLASSES.get(str(body.get("intent", "")).lower(), "general")


def policy(entry: dict, body: dict) -> dict:
    """The parameters that the service chooses by itself."""
    parameters = body.get("model_parameters", {})
    tiers = _TIERS.get(entry["model"], {})
    if (None, "2k") in tiers and "resolution" not in parameters:
        guard = body.get("max_estimated_usd_per_image")
        is_over = guard is not None and debit(tiers[None, "2k"]) * CREDIT_USD > guard + 1e-9
        return {"resolution": "1k" if is_over or intent_class(body) == "budget_draft" else "2k"}
    if ("medium", "1k") in tiers and "resolution" in parameters and "quality" not in parameters:
        return {"quality": "medium"}
    return {}


def takes_prompt(entry: dict) -> bool:
    return entry["model"] not in _PROMPTLESS


def media_of(entry: dict) -> str:
    return common.media_of(SERVICE, entry["model"])


def operation(entry: dict) -> str:
    """What the model does, such as `image.edit`."""
    made = media_of(entry)
    return "image.edit" if entry["path"] == "/v1/edit" and made == "image" else f"{made}.generate"


def capability(entry: dict) -> str:
    return f"is.{operation(entry)}.{entry['model'].replace('.', '-')}.v1"


def _provider(entry: dict) -> str:
    return entry["model"].partition(".")[0]


# -- costs -----------------------------------------------------------------------------------------


def per_output(entry: dict, parameters: dict) -> float | None:
    """The credits of one output, not yet rounded up; None where that is not known beforehand."""
    model = entry["model"]
    if model in _COST_UNKNOWN:
        return None
    if model in _TIERS:
        tiers = _TIERS[model]
        quality = parameters.get("quality", "medium") if ("medium", "1k") in tiers else None
        # What the service takes by itself: the best where it is left a choice of sizes alone.
        usual = "2k" if (None, "2k") in tiers else "1k"
        return tiers.get((quality, parameters.get("resolution", usual)), max(tiers.values()))
    price = entry.get("price")
    if price is None:
        return _UNTOLD_CREDITS
    credits = price["amount"] / CREDIT_USD / ((1 - _TARGET_MARGIN) if price.get("basis") == "provider" else 1)
    return credits * 2 if model in _DOUBLED_AT_4K and parameters.get("resolution") == "4K" else credits


def debit(credits: float) -> int:
    """What is debited: whole credits, and at least one."""
    return max(1, math.ceil(round(credits, 6)))  # rounded first, since three thirds are a hair more than one


def cost(entry: dict, parameters: dict, count: int) -> dict:
    """The `cost` of an answer: `credits_required` covers all outputs."""
    credits = per_output(entry, parameters)
    required = debit((_UNTOLD_CREDITS if credits is None else credits) * count)
    pricing = {
        "credit_unit_usd": CREDIT_USD,
        "credits_required": required,
        "estimated_charge_usd": round(required * CREDIT_USD, 6),
        "self_fundable": True,
        "self_fund_block_reason": None,
        "pricing_confidence": "unknown" if credits is None else "known",
        "pricing_source": "model_parameters" if parameters else "model_registry",
    }
    if credits is None:
        return {"credit_pricing": pricing}
    return {"estimated_usd": pricing["estimated_charge_usd"], "credit_pricing": pricing}


# -- the menu --------------------------------------------------------------------------------------


def list_models(call) -> dict:
    asked = call.query
    # Own choice: pictures first.
    everything = sorted(common.models(SERVICE).values(), key=lambda entry: media_of(entry) != "image")
    rows = [(entry, row(entry)) for entry in everything]
    for name in ("operation", "modality", "provider"):
        if name in asked:
            rows = [(entry, fields) for entry, fields in rows if asked[name] in _TOLD[name](fields)]
    if "query" in asked:
        rows = [(entry, fields) for entry, fields in rows if asked["query"].lower() in fields["id"].lower()]
    if asked.get("catalog_only") == "true":
        rows = []  # every model of the catalogue can be run here
    if "max_credits" in asked:
        most = common.number(asked["max_credits"], 0, 0, 1_000_000)
        rows = [(entry, fields) for entry, fields in rows if fields["credits_required"] <= most]
    if asked.get("view") == "overview":
        return _overview(rows)
    if asked.get("view") == "find" or "sort" in asked:
        rows.sort(key=lambda one: (one[1]["credits_required"], one[1]["id"]))
    total = len(rows)
    if asked.get("view") == "find" or "limit" in asked:
        rows = rows[: common.number(asked.get("limit"), 10, 1, 50)]
    if asked.get("view") == "find":
        return _find(rows, total, asked)
    shown = [full(entry) if asked.get("details") == "true" else fields for entry, fields in rows]
    return {"models": shown, "summary": _summary(len(everything), rows, asked)}


_TOLD = {
    "operation": lambda fields: fields["operations"],
    "modality": lambda fields: [fields["modality"]],
    "provider": lambda fields: [fields["provider_id"]],
}
_REGISTRY = {"registry_version": "sandbox", "registry_mode": "sandbox"}


def _find(rows: list, total: int, asked: dict) -> dict:
    kept = ("id", "display_name", "provider_id", "modality", "operations", "credits_required")
    kept += ("estimated_usd_per_image", "pricing_confidence", "max_resolution", "show_command")
    more = {"aspect_ratios": _RATIOS, "status": "executable", "available": True}
    return {
        **_REGISTRY,
        "result_shape": "terse_model_find",
        "filters": asked,
        "total_matched": total,
        "returned_count": len(rows),
        "models": [{**{name: fields[name] for name in kept}, **more} for _, fields in rows],
    }


def _overview(rows: list) -> dict:
    groups: dict[str, list[dict]] = {}
    for _, fields in rows:
        groups.setdefault(fields["operations"][0], []).append(fields)
    told = []
    for name, members in groups.items():
        cheapest = min(members, key=lambda fields: fields["credits_required"])
        least = {"model_id": cheapest["id"], "credits_required": cheapest["credits_required"]}
        told.append({"category": name, "operation": name, "total": len(members), "executable": len(members),
                     "cheapest": least})  # fmt: skip
    providers = len({fields["provider_id"] for _, fields in rows})
    totals = {"catalog": len(rows), "executable": len(rows), "cataloged_not_wired": 0, "providers": providers}
    return {**_REGISTRY, "result_shape": "model_discovery_overview", "totals": totals, "groups": told,
            "aliases": _ALIASES, "next_commands": {}}  # fmt: skip


def _summary(total: int, rows: list, asked: dict) -> dict:
    return {
        "total": total,
        "returned": len(rows),
        "available": len(rows),
        "executable": len(rows),
        "cataloged_not_wired": 0,
        "first_actionable_model_ids": [fields["id"] for _, fields in rows[:3]],
        "result_shape": "full" if asked.get("details") == "true" else "compact_model_summary",
    }


# Own choice.
_RATIOS = ["1:1", "4:3", "3:4", "16:9", "9:16"]


def _supports(entry: dict) -> list[str]:
    """The words by which the service's own client chooses."""
    if entry["model"].endswith("-redux"):
        return ["variation"]
    return ["edit"] if entry["path"] == "/v1/edit" else ["create"]


def row(entry: dict) -> dict:
    """A model as the menu shows it."""
    told = cost(entry, {}, 1)
    usd, pricing = told.get("estimated_usd"), told["credit_pricing"]
    debits = dict.fromkeys(_RATIOS, pricing["credits_required"])
    return {
        "id": entry["model"],
        "default": entry["model"] == _CHOSEN["general"],
        "display_name": entry["model"],
        "provider_id": _provider(entry),
        "mode": "sandbox",
        "status": "available",
        "availability_reason": None,
        "modality": media_of(entry),
        "supports": _supports(entry),
        "operations": [operation(entry)],
        "task_tags": [*entry.get("tasks", ()), *entry.get("modes", ())],
        "estimated_usd_per_image": usd,
        "credits_required": pricing["credits_required"],
        "pricing_confidence": pricing["pricing_confidence"],
        "cost_known": usd is not None,
        "budget_required_for_live": usd is None,
        "max_outputs_per_request": common.LARGEST_COUNT,
        "max_resolution": None,
        "artifact_storage": "image_skill_owned",
        "model_execution_status": "executable",
        "grants_required": [],
        **({"create_credit_debit_by_aspect_ratio": debits} if entry["path"] == "/v1/create" else {}),
        "show_command": f"luxin models show {entry['model']} --json",
    }


def show_model(call) -> dict:
    entry = common.models(SERVICE).get(_ALIASES.get(call.id, call.id))
    if entry is None:
        raise Refusal("NOT_FOUND", "no such model")
    # Own choice: no source shows what the model is wrapped in.
    return {"model": full(entry)}


def full(entry: dict) -> dict:
    """A model with all that is known of it."""
    short = row(entry)
    moved = ("estimated_usd_per_image", "cost_known", "budget_required_for_live")
    edits = entry["path"] == "/v1/edit"
    return {
        **short,
        "economics": {
            **{name: short[name] for name in moved},
            "credit_pricing": cost(entry, {}, 1)["credit_pricing"],
            **{name: short[name] for name in ("create_credit_debit_by_aspect_ratio",) if name in short},
        },
        "media": {
            "input": {
                "images": {"required": edits},
                "mask": {"supported": edits},
                "references": {"supported": "reference" in entry.get("modes", ())},
                "aspect_ratios": {"values": _RATIOS},
            },
            "output": {
                "max_outputs_per_request": common.LARGEST_COUNT,
                "max_resolution": None,
                "transparent_background": False,
                "mime_type": media.TYPES[media_of(entry)][0],
            },
        },
        "execution": {"model_execution_status": "executable", "artifact_storage": "image_skill_owned"},
        "capability": {"id": capability(entry), "intents": [], "grants_required": []},
    }


def list_capabilities(call) -> dict:
    # Own choice: no source shows the shape.
    return {"capabilities": [_capability_row(entry) for entry in common.models(SERVICE).values()]}


def show_capability(call) -> dict:
    for entry in common.models(SERVICE).values():
        if capability(entry) == call.id:
            return {"capability": _capability_row(entry)}
    raise Refusal("NOT_FOUND", "no such capability")


def _capability_row(entry: dict) -> dict:
    return {"id": capability(entry), "operation": operation(entry), "model_id": entry["model"]}
