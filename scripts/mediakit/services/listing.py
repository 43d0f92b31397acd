"""The models of the services as lists: for a task, by need, by a field that they have.

A list is read by an agent that pays for each of its words: names, tasks and prices by default, and no
more of them than fit; everything with `is_long`.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ..contracts import listing, search
from . import catalogue, conventions, providers

# Prices in different units cannot be compared; each unit is sorted by itself, dollars first.
_UNITS = ("usd", "credits")
_MEDIA_OF_CATEGORY = {"videos": "video", "images": "image"}
# Bytes of all lines of a list and the default models; what a whole event has around them is some 300 more.
_BUDGET, _BUDGET_OF_TASK = 4_050, 1_180
_NEAREST = 5
# What a long list tells of a model.
_OF_LONG = ("model", "path", "media", "tasks", "modes", "contract", "note", "sources")


class Wish(NamedTuple):
    """What a list is to be about; None for no matter.

    category  `videos` or `images`
    search    words of a need: each must stand in a name, a field or a description
    field     the name of a field that the model must have
    """

    task: str | None = None
    category: str | None = None
    search: str | None = None
    field: str | None = None


def models(services: list[str], wish: Wish, is_long: bool = False) -> dict:
    """{default_models, runs, listed_only, more?, nearest_fields?}: what is on sale and has the cheapest known price first.

    runs         models whose contract is known and that the service offers
    listed_only  models that are only listed
    more         how many lines were left out
    """
    found = [line for service in services for line in _fitting(service, wish)]
    found.sort(key=lambda line: (not catalogue.is_on_sale(line.entry), _cost(line.entry)))
    several = len(services) > 1
    defaults = _defaults(services, wish)
    budget = None if is_long else (_BUDGET_OF_TASK if wish.task else _BUDGET) - _bytes(defaults)
    lines = [_told(line, wish, several, is_long) for line in found]
    runs = [told for line, told in zip(found, lines) if _runs(line.entry)]
    others = [told for line, told in zip(found, lines) if not _runs(line.entry)]
    runs, others, more = _fitted(runs, others, budget)
    result: dict[str, Any] = {"default_models": defaults or None, "runs": runs, "listed_only": others}
    if more:
        result.update(more=more, detail="--task, --search or --field narrows the list; --verbose lists everything")
    elif wish.search and not found:
        result["detail"] = (
            "no model has all of these words; fewer find more, best one that a field or model is named by"
        )
    if wish.field and not found:
        result["nearest_fields"] = _nearest_fields(services, wish.field) or None
    return result


class _Line(NamedTuple):
    service: str
    entry: dict
    matches: list[str]
    field: dict | None


def _fitting(service: str, wish: Wish) -> list[_Line]:
    words = search.words_of(wish.search or "")
    if words or wish.field:
        conventions.read_all(service)
    found = []
    for entry in catalogue.models(service):
        if wish.task is not None and wish.task not in entry.get("tasks", ()):
            continue
        if wish.category is not None and entry.get("media") != _MEDIA_OF_CATEGORY[wish.category]:
            continue
        operation = _contract_of(service, entry["model"]) if words or wish.field else None
        field = search.field_of(operation, wish.field) if wish.field and operation else None
        if wish.field and field is None:
            continue
        # What the service itself found for these words it found for reasons of its own.
        is_found = wish.search is not None and entry.get("found_by") == wish.search
        matches = [] if is_found else search.matches(words, _own_words(entry), operation)
        if matches is not None:
            found.append(_Line(service, entry, matches, field))
    return found


def _contract_of(service: str, model: str):
    from . import model_contract

    return model_contract.of_model(service, model)


def _own_words(entry: dict) -> str:
    tasks = entry.get("tasks", ())
    words = (entry["model"], entry.get("media", ""), *tasks, *entry.get("modes", ()), entry.get("note", ""))
    return " ".join([*words, *(providers.TASKS[task] for task in tasks if task in providers.TASKS)]).lower()


def _runs(entry: dict) -> bool:
    """Whether a model can be run with its fields checked: its contract is known, and it is on sale."""
    return entry["contract"] != "none" and catalogue.is_on_sale(entry)


def _cost(entry: dict) -> tuple:
    price = entry.get("price", {})
    unit = _UNITS.index(price["unit"]) if price.get("unit") in _UNITS else len(_UNITS)
    return unit, price.get("amount", 0), entry["model"]


def _told(line: _Line, wish: Wish, several: bool, is_long: bool) -> dict:
    entry = line.entry
    told = {"provider": line.service} if several else {}
    if is_long:
        told.update({key: entry[key] for key in _OF_LONG if entry.get(key)})
        told.update({key: entry[key] for key in ("in_live_list", "off_sale") if key in entry})
    else:
        told["model"] = entry["model"]
        told.update({} if entry.get("in_live_list", True) else {"in_live_list": False})  # no longer sold, perhaps
        told.update({"off_sale": entry["off_sale"]} if not catalogue.is_on_sale(entry) and "off_sale" in entry else {})
        told.update({"tasks": entry["tasks"]} if entry.get("tasks") and not wish.task else {})
    if "price" in entry:
        words = ("amount", "unit", "per", "basis", "source", "seen") if is_long else ("amount", "unit", "per")
        told["price"] = {key: entry["price"][key] for key in words if key in entry["price"]}
    if line.field is not None:
        told["field"] = line.field
    if line.matches:
        told["matches"] = line.matches
    return told


def _fitted(runs: list[dict], others: list[dict], budget: int | None) -> tuple[list[dict], list[dict], int]:
    """As many lines as the budget allows, those that run first, and how many were left out."""
    if budget is None:
        return runs, others, 0
    kept, left = 0, budget
    for line in [*runs, *others]:
        left -= _bytes(line) + 1
        if left < 0:
            break
        kept += 1
    return runs[:kept], others[: max(0, kept - len(runs))], len(runs) + len(others) - kept


def _bytes(value: dict) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _defaults(services: list[str], wish: Wish) -> dict:
    """Task -> default model, or service -> that where there are several."""
    found = {
        service: {task: model for task, model in catalogue.defaults(service).items() if wish.task in (None, task)}
        for service in services
    }
    if len(services) == 1:
        return found[services[0]]
    if wish.task is None:
        return {}
    return {service: models[wish.task] for service, models in found.items() if models}


def _nearest_fields(services: list[str], field: str) -> list[str]:
    from . import model_contract

    names = dict.fromkeys(
        name for service in services for name in model_contract.names_of_fields(providers.load(service))
    )
    return search.nearest(field, names, _NEAREST)


def modes(service: str, result: dict, is_long: bool) -> dict:
    """How a service's creates answer, as `endpoints` tells it; each endpoint by itself with `is_long`."""
    if not catalogue.has_contracts(service):
        read = providers.load(service).job.read
        return {"default_result_mode": "polling", "poll_endpoint": f"GET {read.path}"} if read else {}
    document = conventions.document(service)
    paths = dict.fromkeys(entry["path"] for entry in catalogue.models(service) if _runs(entry))
    shown = dict.fromkeys(line["path"] for line in result["runs"]) if is_long else paths
    told = listing.modes(document, ["POST " + path for path in shown])
    return told if is_long else {key: told[key] for key in ("default_result_mode", "poll_endpoint")}
