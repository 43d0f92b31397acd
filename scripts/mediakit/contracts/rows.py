"""The fields of a body as a list of plain dictionaries. Pure."""

from __future__ import annotations

from typing import Any

from .callbacks import is_callback
from .facts import Choice, Facts, View
from .files import takes_file

DESCRIPTION_LENGTH = 160
MAX_NESTING = 8
MAX_ROWS = 4_000

# What a row shows, in this order, beside name, type, required and what takes a little thought.
_SHOWN = (
    "default", "allowed_values", "known_values", "min", "exclusive_min", "max", "exclusive_max", "multiple_of",
    "min_length", "max_length", "min_items", "max_items", "unique_items", "pattern", "format", "media_type",
    "read_only", "deprecated", "file_limits",
)  # fmt: skip


class _Budget:
    def __init__(self, rows: int):
        self.left = rows


def rows(view: View, schema: Any, choice: Choice | None = None) -> list[dict]:
    """The fields of an object schema, nested ones under `fields`, in the document's order."""
    return _rows(view, view.facts(schema, choice), (), _Budget(MAX_ROWS))


def row(view: View, name: str, schema: Any, required: bool) -> dict:
    """One field by itself, as in `rows` (a parameter of a path or a query, say)."""
    return _row(view, name, schema, required, (), _Budget(MAX_ROWS))


def _rows(view: View, facts: Facts, path: tuple, budget: _Budget) -> list[dict]:
    required = dict.fromkeys(facts.get("required", ()))
    found = [
        _row(view, name, schema, name in required, path, budget)
        for name, schema in facts.get("properties", {}).items()
        if schema is not False
    ]
    found += [{"name": name, "required": True} for name in required if name not in facts.get("properties", {})]
    if isinstance(facts.get("additional"), dict) and facts["additional"]:
        found.append(_row(view, "*", facts["additional"], False, path, budget))
    return found


def _row(view: View, name: str, schema: Any, required: bool, path: tuple, budget: _Budget) -> dict:
    budget.left -= 1
    facts = view.facts(schema)
    levels = _levels(view, facts)
    result: dict[str, Any] = {"name": name, "type": type_word(levels), "required": required}
    told = (key for key in _SHOWN if key in facts and (facts[key] is not False or key == "default"))
    result.update((key, facts[key]) for key in told)
    for key in ("allowed_values", "known_values"):
        values = result.pop(key, None) or levels[-1].get(key)
        if values and any(value is not None for value in values):
            result[key] = [value for value in values if value is not None]
    result["nullable"] = "null" in facts.get("types", ()) or None
    if len(levels) > 1:
        result["items"] = _item_limits(levels[-1])
    result["takes_file"] = takes_file(name, levels)
    result["callback"] = is_callback(name, facts.get("callback", False)) or None
    result["description"] = one_line(
        facts.get("description") or facts.get("title") or levels[-1].get("description") or ""
    )
    result.update(_nested(view, levels, path, budget))
    return {key: value for key, value in result.items() if value not in (None, "", {}) or key in ("name", "default")}


def _nested(view: View, levels: list[Facts], path: tuple, budget: _Budget) -> dict:
    inner = levels[-1]
    if not inner.get("properties") and not isinstance(inner.get("additional"), dict):
        return {}
    names = [name for level in levels for name in level.get("names", ())]
    if any(name in path for name in names):
        return {"recursive": True, "schema": names[0]}
    if len(path) >= MAX_NESTING or budget.left <= 0:
        return {"cut": True, "schema": names[0] if names else None}
    return {"fields": _rows(view, inner, (*path, *(names or [""])), budget)}


def _levels(view: View, facts: Facts) -> list[Facts]:
    """The facts of a value, of the items of the array that it is, of their items, and so on."""
    levels = [facts]
    while "items" in levels[-1] and len(levels) < MAX_NESTING:
        levels.append(view.facts(levels[-1]["items"]))
    return levels


def _item_limits(facts: Facts) -> dict:
    shown = (
        "min",
        "max",
        "exclusive_min",
        "exclusive_max",
        "min_length",
        "max_length",
        "pattern",
        "format",
        "media_type",
        "default",
    )
    return {key: facts[key] for key in shown if key in facts}


def type_word(levels: list[Facts]) -> str | None:
    """`string`, `integer | string`, `array<object>`, or None where the contract does not say."""
    facts = levels[0]
    types = [name for name in facts.get("types", ()) if name != "null"]
    if not types:
        types = _implied_types(facts)
    words = [
        f"array<{type_word(levels[1:]) or 'any'}>" if name == "array" and len(levels) > 1 else name for name in types
    ]
    return " | ".join(words) or ("null" if facts.get("types") else None)


def _implied_types(facts: Facts) -> list[str]:
    values = facts.get("allowed_values")
    if values:
        return list(dict.fromkeys(_type_of(value) for value in values if value is not None))
    if "properties" in facts or isinstance(facts.get("additional"), dict):
        return ["object"]
    return ["array"] if "items" in facts else []


def _type_of(value: Any) -> str:
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"), (dict, "object"))
    return next((word for kind, word in kinds if isinstance(value, kind)), "null")


def one_line(text: str, length: int = DESCRIPTION_LENGTH) -> str:
    """Text without line breaks, cut to `length` characters."""
    text = " ".join(text[: 8 * length + 1_000].split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
