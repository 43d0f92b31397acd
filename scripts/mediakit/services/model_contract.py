"""What is known of a model's contract, and of the fields in it.

of, of_model     the bundled contract of a model, or one that its service published, or None
rows_at, row_at  the fields of an object in a body, one of them
names_of_fields  every field that a service's requests are known to have
"""

from __future__ import annotations

import json

from ..base.pointer import escaped, point, tokens
from . import catalogue, providers


def of(provider: providers.Provider, model: str | None, path: str | None = None, task: str | None = None):
    """The contracts.Operation that creates with `model`, or None where no contract of it is known.

    path  of the create: a service that names its model in the request has one contract for all of them
    task  of a model that does several, each with a contract of its own
    """
    found = of_model(provider.speaks, model, task) if model is not None else None
    if found is None and path is not None and provider.model_field and provider.speaks in catalogue.services():
        from .. import contracts
        from . import conventions

        document = conventions.document(provider.speaks)
        if any(document.has("POST", known) for known in (provider.base_path + path, path)):
            found = contracts.operation(document, f"POST {provider.base_path}{path}")
    return found


def of_model(service: str, model: str, task: str | None = None):
    """As of, for the name of a service."""
    from .. import contracts

    kept = catalogue.kept_contract(service, model)
    if kept is not None:
        return contracts.operation(kept, next(row.endpoint for row in kept.operations() if row.method == "POST"))
    entry = catalogue.entry(service, model)
    if entry.get("contract", "none") == "none":
        return None
    from . import conventions

    path = entry.get("paths", {}).get(task, entry["path"])
    found = contracts.operation(conventions.document_with(service, path), f"POST {path}")
    model_field = providers.load(service).model_field
    return found.given({model_field: model}) if model_field else found


def rows_at(rows: list[dict], pointer: str) -> list[dict]:
    """The fields of the object at a pointer, out of the fields of a body; empty where they are not known."""
    for name in tokens(pointer):
        row = next((row for row in rows if row["name"] == name), {})
        rows = row.get("fields", [])
    return rows


def row_at(rows: list[dict], pointer: str) -> dict | None:
    """The row of the field at a pointer; None where it is not known."""
    *parents, last = tokens(pointer)
    above = rows_at(rows, "".join(f"/{escaped(name)}" for name in parents))
    return next((row for row in above if row["name"] == last), None)


def names_of_fields(provider: providers.Provider) -> list[str]:
    """Every field name of the requests that the service's contracts know; what answers hold is no field of them."""
    try:
        with open(catalogue.contract_path(provider.speaks), encoding="utf-8") as file:
            document = json.load(file)
    except FileNotFoundError:
        document = {}
    names = {*provider.prompt_fields, *(name for route in provider.routes for name in route.defaults)}
    names |= {token for route in provider.routes for at in (route.model, route.file) if at for token in tokens(at)}
    pending = [
        way["requestBody"] for at in document.get("paths", {}).values() for way in at.values() if "requestBody" in way
    ]
    followed = set()
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            properties, reference = node.get("properties"), node.get("$ref")
            names.update(properties if isinstance(properties, dict) else ())
            pending.extend(node.values())
            if isinstance(reference, str) and reference not in followed:
                followed.add(reference)
                pending.append(point(document, reference.removeprefix("#")))
        elif isinstance(node, list):
            pending.extend(node)
    return sorted(names)
