"""What the catalogue and the contracts know of a service's models."""

from __future__ import annotations

import functools

from ...services import catalogue, model_contract
from .. import media


@functools.cache
def models(service: str) -> dict[str, dict]:
    """The entries of a service's bundled catalogue by model."""
    return {entry["model"]: entry for entry in catalogue.document(service)["models"]}


@functools.cache
def contract(service: str, model: str, task: str | None = None):
    """The bundled contract of a model, as contracts.Operation; None where none is known."""
    return model_contract.of_model(service, model, task)


def complaint(service: str, model: str, body: dict, strict: bool = False, task: str | None = None) -> str | None:
    """What the model's contract says against a body, as a service would put it; None for nothing.

    `strict` complains of fields, too, that the contract neither names nor excludes.
    """
    found = contract(service, model, task)
    if found is None:
        return None
    checked = found.check(body)
    if checked.problems:
        return f"{checked.problems[0]['path']}: {checked.problems[0]['message']}"
    return f"{checked.warnings[0]['path']}: is not known" if strict and checked.warnings else None


def types_of(service: str, model: str) -> dict[str, str]:
    """The types of a model's fields, in the words of contracts.Operation.fields, as far as they are known."""
    found = contract(service, model)
    return {row["name"]: row["type"] for row in found.fields() if row.get("type")} if found else {}


def media_of(service: str, model: str) -> str:
    """What a model makes, as the catalogue says; a picture where it does not, or where nothing else is made here."""
    found = models(service).get(model, {}).get("media", "image")
    return found if found in media.TYPES else "image"
