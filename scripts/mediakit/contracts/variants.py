"""The shapes that a body can have, told apart by a constant where there is one. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from .facts import Choice, Facts, View, without_double


class Variant(NamedTuple):
    """One of several shapes of a body: told apart by `field` = `value` where a constant does it."""

    field: str | None
    value: Any
    title: str | None
    choice: Choice
    schema: Any


def variants(view: View, schema: Any) -> list[Variant]:
    """The shapes that an object can have, in the document's order; empty when there is only one."""
    for group in view.groups(schema):
        indexes = [number for number, branch in enumerate(group) if view.facts(branch).get("types") != ["null"]]
        if len(indexes) < 2:
            continue
        found = [view.facts(group[number]) for number in indexes]
        if not any(branch.get("properties") or branch.get("required") for branch in found):
            continue
        field, values = _told_apart(view, schema, group, indexes)
        return [
            Variant(field, value, _title(facts), {id(group): number}, schema)
            for number, value, facts in zip(indexes, values, found)
        ]
    return _mapped(view, schema)


def _told_apart(view: View, schema: Any, group: list, indexes: list[int]) -> tuple[str | None, list]:
    constants = [_constants(view, group[number]) for number in indexes]
    declared = view.facts(schema).get("discriminator", {})
    mapping = {name: value for value, name in declared.get("mapping", {}).items()}
    candidates = [declared["propertyName"]] if declared else list(constants[0])
    for field in candidates:
        values = [
            found.get(field, mapping.get(_first_name(view, group[number])) if declared else None)
            for found, number in zip(constants, indexes)
        ]
        if None not in values and len(without_double(values)) == len(values):
            return field, values
    if declared and all(_first_name(view, group[number]) for number in indexes):
        return declared["propertyName"], [_first_name(view, group[number]) for number in indexes]
    return None, [None] * len(indexes)


def _constants(view: View, schema: Any) -> dict[str, Any]:
    found = {}
    for name, item in view.facts(schema).get("properties", {}).items():
        values = view.facts(item).get("allowed_values")
        if values and len(values) == 1:
            found[name] = values[0]
    return found


def _first_name(view: View, schema: Any) -> str | None:
    return next(iter(view.facts(schema).get("names", ())), None)


def _title(facts: Facts) -> str | None:
    return facts.get("title") or next(iter(facts.get("names", ())), None)


def _mapped(view: View, schema: Any) -> list[Variant]:
    """A base class that names its subclasses only in its discriminator's mapping."""
    declared = view.facts(schema).get("discriminator", {})
    definitions = view.root.get("$defs", {})
    return [
        Variant(declared["propertyName"], value, name, {}, {"allOf": [schema, definitions[name]]})
        for value, name in declared.get("mapping", {}).items()
        if name in definitions
    ]
