"""What is wrong with a payload, in words that let the caller mend it. Pure.

Where a body can have several shapes, only what is wrong by the one that was meant is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from .facts import View
from .judge import Fault
from .names import closest
from .placeholders import dotted
from .values import same

MAX_ECHO = 80
MAX_ALLOWED = 40


class Check:
    """`problems` must be mended before the request is worth sending; `warnings` may be ignored."""

    def __init__(self):
        self.problems: list[dict] = []
        self.warnings: list[dict] = []

    @property
    def ok(self) -> bool:
        return not self.problems


def problem(path: Iterable[Any], message: str, allowed: Any = None, nearest: str | None = None) -> dict:
    """{path, message, allowed?, nearest?}; `path` is dotted (`images.0.url`), empty for the body itself."""
    found = {"path": dotted(path), "message": message, "allowed": allowed, "nearest": nearest}
    return {key: value for key, value in found.items() if value is not None}


def echo(value: Any) -> str:
    """A value of the payload as JSON, cut."""
    value = value[: MAX_ECHO + 1] if isinstance(value, str) else value
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_ECHO else text[: MAX_ECHO - 1] + "…"


def explain(view: View, fault: Fault, result: Check) -> None:
    """Add one fault to `result`: of the branch that was meant, where there are branches."""
    if fault.keyword in ("anyOf", "oneOf"):
        _explain_branches(view, fault, result)
        return
    if fault.keyword in _NAMES:
        told = {found["path"] for found in result.problems}
        named = [problem((*fault.path, name), _NAMES[fault.keyword]) for name in fault.names]
        result.problems += [found for found in named if found["path"] not in told]
        return
    say = _MESSAGES.get(fault.keyword or "")
    message = say(fault.value, fault.wanted) if say else "does not fit the contract"
    allowed = {"enum": fault.wanted, "const": [fault.wanted]}.get(fault.keyword or "")
    nearest = _nearest_value(fault.value, allowed)
    result.problems.append(problem(fault.path, message, allowed and allowed[:MAX_ALLOWED], nearest))


def _explain_branches(view: View, fault: Fault, result: Check) -> None:
    if not fault.branches:
        # More than one branch of a oneOf fits. Services write overlapping branches by mistake and
        # accept what fits any of them, so this alone is no reason to refuse.
        message = "fits more than one of the alternatives, where the contract expects exactly one"
        result.warnings.append(problem(fault.path, message))
        return
    chosen = _meant_branch(view, fault)
    if chosen is None:
        result.problems.append(problem(fault.path, *_no_branch(view, fault)))
        return
    for inner in fault.branches[chosen]:
        explain(view, inner, result)


def _meant_branch(view: View, fault: Fault) -> int | None:
    """The branch whose constants the value has; else the one with the right type and least wrong."""
    value = fault.value
    for number in fault.branches if isinstance(value, dict) else ():
        constants = _constants_of(view, fault.wanted[number])
        if constants and all(name in value and same(value[name], constant) for name, constant in constants.items()):
            return number
    fitting = {
        number: faults for number, faults in fault.branches.items()
        if not any(inner.keyword == "type" and inner.path == fault.path for inner in faults)
    }  # fmt: skip
    if not fitting or not isinstance(value, (dict, list)):
        return next(iter(fitting)) if len(fitting) == 1 else None
    return min(fitting, key=lambda number: (sum(_weight(inner) for inner in fitting[number]), number))


def _weight(fault: Fault) -> int:
    """A wrong constant speaks against a branch more than a field that is still missing."""
    return 10 if fault.keyword in ("const", "enum") else 3 if fault.keyword == "additionalProperties" else 1


def _constants_of(view: View, schema: Any) -> dict[str, Any]:
    properties = view.facts(schema).get("properties", {})
    lists = {name: view.facts(item).get("allowed_values") for name, item in properties.items()}
    return {name: values[0] for name, values in lists.items() if values and len(values) == 1}


def _no_branch(view: View, fault: Fault) -> tuple[str, Any, str | None]:
    facts = view.facts({fault.keyword: fault.wanted})
    allowed = facts.get("allowed_values") or facts.get("known_values")
    types = facts.get("types")
    if allowed:
        more = f" or another {' | '.join(types)}" if "known_values" in facts and types else ""
        words = f"{echo(fault.value)} is not one of the allowed values{more}"
        return words, allowed[:MAX_ALLOWED], _nearest_value(fault.value, allowed)
    words = " or ".join(types) if types else "one of the alternatives of the contract"
    return f"{echo(fault.value)} fits none of the alternatives; expected {words}", None, None


# keyword -> (value, keyword's value) -> what is said
_MESSAGES = {
    "type": lambda value, wanted: f"is {_kind(value)}, expected {_or(wanted)}",
    "enum": lambda value, wanted: f"{echo(value)} is not one of the allowed values",
    "const": lambda value, wanted: f"{echo(value)} is not the one allowed value",
    "minimum": lambda value, wanted: f"{echo(value)} is too small, the least is {wanted}",
    "maximum": lambda value, wanted: f"{echo(value)} is too large, the most is {wanted}",
    "exclusiveMinimum": lambda value, wanted: f"{echo(value)} is too small, expected more than {wanted}",
    "exclusiveMaximum": lambda value, wanted: f"{echo(value)} is too large, expected less than {wanted}",
    "multipleOf": lambda value, wanted: f"{echo(value)} is not a multiple of {wanted}",
    "minLength": lambda value, wanted: f"has {len(value)} characters, expected at least {wanted}",
    "maxLength": lambda value, wanted: f"has {len(value)} characters, expected at most {wanted}",
    "pattern": lambda value, wanted: f"{echo(value)} does not match the pattern {wanted[:100]}",
    "format": lambda value, wanted: f"{echo(value)} is no valid {wanted}",
    "minItems": lambda value, wanted: f"has {len(value)} items, expected at least {wanted}",
    "maxItems": lambda value, wanted: f"has {len(value)} items, expected at most {wanted}",
    "uniqueItems": lambda value, wanted: "has the same item twice",
    "minProperties": lambda value, wanted: f"has {len(value)} fields, expected at least {wanted}",
    "maxProperties": lambda value, wanted: f"has {len(value)} fields, expected at most {wanted}",
    "contains": lambda value, wanted: "holds no item of the kind that is required",
    "not": lambda value, wanted: _not_message(wanted),
}

# keyword about names inside an object -> what is said of each
_NAMES = {
    "required": "is required",
    "dependentRequired": "is required together with the other fields given",
    "additionalProperties": "is not a field of the contract",
    "unevaluatedProperties": "is not a field of the contract",
}


def _not_message(wanted: Any) -> str:
    names = wanted.get("required") if isinstance(wanted, dict) else None
    if not names:
        return "is excluded by the contract"
    return f"{', '.join(names[:6])} may not be given here{' together' if len(names) > 1 else ''}"


_KINDS = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a number"),
    (str, "a string"),
    (list, "an array"),
    (dict, "an object"),
)


def _kind(value: Any) -> str:
    return next((word for kind, word in _KINDS if isinstance(value, kind)), "null")


def _or(wanted: Any) -> str:
    return " or ".join(wanted) if isinstance(wanted, list) else str(wanted)


def _nearest_value(value: Any, allowed: list | None) -> str | None:
    words = [word for word in allowed or () if isinstance(word, str)]
    return closest(value, words, 0.6) if words and isinstance(value, str) else None
