"""What the services offer: the bundled catalogues and contracts in assets/contracts.

contract_path   the OpenAPI document of a service
find, entry     one model: an error, or nothing, where it is not listed
slip_of         the listed model that a name is a slip of the pen for
only_task       the one task of a model
"""

from __future__ import annotations

import functools
import os
import re
import time

from ..base import documents, paths
from . import providers
from .providers import ASSETS

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import Any


@functools.lru_cache(maxsize=1)  # what comes with the skill stays as it is while a command runs
def services() -> tuple[str, ...]:
    """Every service that there is a bundled catalogue of."""
    ending = ".catalogue.json"
    names = os.listdir(os.path.join(ASSETS, "contracts"))
    return tuple(sorted(name.removesuffix(ending) for name in names if name.endswith(ending)))


def contract_path(service: str) -> str:
    """The bundled OpenAPI document of a service."""
    return os.path.join(ASSETS, "contracts", f"{service}.json")


def has_contracts(service: str) -> bool:
    """Whether contracts of a service's models come with the skill."""
    return os.path.exists(contract_path(service))


def document(service: str) -> dict:
    """The bundled catalogue of a service, as it is; of one without, what its descriptor says of models.

    Raises ContractError for a service that there is not.
    """
    path = os.path.join(ASSETS, "contracts", f"{service}.catalogue.json")
    try:
        return documents.load(path)
    except FileNotFoundError:
        if service in providers.names():
            return _document_of_defaults(providers.load(service).defaults)
        from ..contracts import ContractError

        raise ContractError("document_not_found", f"there is no catalogue of {service}") from None


def _document_of_defaults(defaults: dict[str, str]) -> dict:
    tasks: dict[str, list[str]] = {}
    for task, model in defaults.items():
        tasks.setdefault(model, []).append(task)
    return {"models": [{"model": model, "tasks": does, "contract": "none"} for model, does in tasks.items()]}


def models(service: str) -> list[dict]:
    """Every model that is known: model, path, media, tasks, contract, price, sources.

    Where the service's own list has been fetched, what it says comes first; `in_live_list` then
    tells whether it has the model.
    """
    found = document(service)
    kept = kept_models(service) if providers.load(service).says("models") else None
    prices = (kept_prices(service) or {}) if providers.load(service).says("price") else {}
    if prices:
        found = {**found, "models": [_priced(entry, prices) for entry in found["models"]]}
    if kept is None:
        return found["models"]
    listed = {entry["model"]: entry for entry in kept["models"]}
    known = [_updated(entry, listed.pop(entry["model"], None), kept) for entry in found["models"]]
    return known + [
        _updated({"model": model, "tasks": [], "contract": "none"}, entry, kept) for model, entry in listed.items()
    ]


def _priced(entry: dict, prices: dict) -> dict:
    price = prices.get(entry["model"])
    is_stated = isinstance(price, dict) and not _is_dearer(entry.get("price", {}), price)
    return {**entry, "price": price} if is_stated else entry


def _is_dearer(known: dict, stated: dict) -> bool:
    """Whether a range that is known here goes beyond what the service states, which is of its plainest result."""
    is_same = all(known.get(name) == stated.get(name) for name in ("unit", "per"))
    return is_same and "least" in known and known["amount"] > stated["amount"]


def _updated(entry: dict, listed: dict | None, kept: dict) -> dict:
    if listed is None:
        return entry if kept.get("is_part") else {**entry, "in_live_list": False}
    if kept.get("found_by"):
        entry = {**entry, "found_by": kept["found_by"]}
    entry = {**entry, "in_live_list": listed["runs"], "tasks": listed["tasks"] or entry["tasks"]}
    for name in ("media", "note"):
        if name in listed:
            entry.setdefault(name, listed[name])
    if "price" in listed:
        entry["price"] = {**listed["price"], "source": kept["source"], "seen": kept["seen"]}
    return entry


def is_on_sale(entry: dict) -> bool:
    """Whether a model is offered: what the service's own list says comes before what a source once said."""
    return entry.get("in_live_list", "off_sale" not in entry)


def defaults(service: str) -> dict[str, str]:
    """Task -> the model that --task picks; empty where none is chosen."""
    return providers.load(service).defaults


# -- what was fetched from the service ------------------------------------------------------------


# What was fetched from another host than the service's: for this process, never in a file.
# For so many seconds what was fetched is used.
_LIFETIME = 86400.0
_now: dict[tuple[str, str], Any] = {}


def use_now(service: str, name: str, value: dict) -> None:
    """Let this process use a list ("models") or a model's contract in place of a kept one."""
    _now[service, name] = value


def kept_models(service: str) -> dict | None:
    """`{seen, source, models: [{model, tasks, media, price, runs}]}` as live.refresh_models kept it.

    `is_part` is true of a list that is not all that the service has, `found_by` the words that it was asked for.
    """
    found = kept(service, "models")
    return found if found and isinstance(found.get("models"), list) else None


def kept_prices(service: str, name: str = "prices") -> dict | None:
    """Model -> its price, as live.offer_price kept them; `name` is prices or estimates."""
    found = kept(service, name)
    return found["prices"] if found and isinstance(found.get("prices"), dict) else None


def kept_price(service: str, model: str, name: str = "prices") -> dict | None:
    """The price, or the estimate, that the service itself stated for a model within the last day."""
    return (kept_prices(service, name) or {}).get(model)


def kept(service: str, name: str) -> dict | None:
    """What was fetched from a service within the last day: `{fetched_at, seen, source, ...}`; None for nothing."""
    if (service, name) in _now:
        return _now[service, name]
    folder = _kept_in(service)
    if folder is None or not os.path.isdir(folder):  # as it mostly is; a name's digest takes long to load
        return None
    try:
        found = documents.load(kept_path(service, name) or "")
        is_new = 0 <= time.time() - found["fetched_at"] < _LIFETIME
        return found if is_new and _is_own(service, name, found.get("source")) else None
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return None


def _is_own(service: str, name: str, source: str) -> bool:
    """Whether a list or a price comes from the service itself: another's prices are not its own."""
    if name not in ("models", "prices", "estimates"):
        return True
    from ..http import addresses

    return addresses.origin_of(source) in map(addresses.origin_of, providers.load(service).origins.values())


def kept_contract(service: str, model: str):
    """The contracts.Document of a model that was fetched from its service, or None. Raises ContractError."""
    from .. import contracts

    found = kept(service, model)
    return contracts.from_data(found["document"]) if found and "document" in found else None


def kept_path(service: str, name: str) -> str | None:
    """Where the list ("models") or a model's contract is kept; None where nothing can be."""
    import hashlib

    folder = _kept_in(service)
    # A model's name may hold anything that a file name may not; its digest may not.
    digest = hashlib.sha256(name.encode()).hexdigest()[:24]
    return os.path.join(folder, f"{digest}.json") if folder else None


def _kept_in(service: str) -> str | None:
    folder, _ = paths.state_folder()
    return os.path.join(folder, "live", service) if folder else None


# -- choosing ---------------------------------------------------------------------------------------


def find(service: str, model: str) -> dict:
    """One model's entry; ContractError `model_not_found` names the nearest."""
    listed = {entry["model"]: entry for entry in models(service)}
    if model not in listed:
        import difflib

        near = difflib.get_close_matches(model[:100], listed, n=3, cutoff=0.4)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        from ..contracts import ContractError

        raise ContractError(
            "model_not_found", f"{service} lists no model {model[:80]}{hint}", "List the models with --list-endpoints."
        )
    return listed[model]


def entry(service: str, model: str | None) -> dict:
    """What is known of a model; empty for one that is not listed, and for a service without a catalogue."""
    listed = models(service) if model is not None and service in services() else ()
    return next((entry for entry in listed if entry["model"] == model), {})


def slip_of(service: str, model: str) -> str | None:
    """The listed model that `model` is most likely a slip of the pen for, or None where it may be a new one.

    New models are called as older ones with other numbers, or with a word more or less.
    """
    from ..contracts.names import near_miss

    known = [entry["model"] for entry in models(service)]
    alike = [name for name in known if _numbers_and_words(name) == _numbers_and_words(model)]
    return near_miss(model[:100], alike)


def _numbers_and_words(model: str) -> tuple:
    return re.findall(r"\d+", model), len(re.findall(r"[^\W\d_]+", model))


def only_task(service: str, model: str | None) -> str | None:
    """The task of a model that is listed with a single one; None for every other."""
    tasks = entry(service, model).get("tasks", [])
    return tasks[0] if len(tasks) == 1 else None
