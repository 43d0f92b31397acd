"""Whether a payload fits a contract, said so that the caller can mend it.

JSON Schema lets a field pass that it does not know; a paid request must not. What is done about such a
field is decided here, what the schema itself refuses by the judge, and the words are explain's.
"""

from __future__ import annotations

import itertools
from typing import Any

from . import bounds
from .explain import MAX_ALLOWED, Check, explain, problem
from .facts import Facts, View
from .judge import Fault, Judge
from .names import closest, near_miss
from .values import same
from .variants import Variant, variants

MAX_PROBLEMS = 20
MAX_FAULTS = 500
MAX_LEVELS = 100


def check(view: View, payload: Any, closed: bool) -> Check:
    """What is wrong with `payload`, and what may be; see explain.problem for the form of each.

    closed  the contract names every field: another name at the root is a problem. Otherwise only a
            near-miss of a known name is, and any other name is a warning.

    No message repeats more than 80 characters of the payload. Raises ContractError where the contract
    takes too many steps to check.
    """
    result = Check()
    if bounds.is_deeper(payload, MAX_LEVELS):
        result.problems.append(problem((), f"is nested more than {MAX_LEVELS} levels deep"))
        return result
    _check_names(view, view.root, payload, (), closed, result)
    if isinstance(payload, dict):
        result.warnings += [
            problem((name,), "is required by one source and left out by another; it was not given")
            for name in view.facts(view.root).get("doubtful", ())
            if name not in payload
        ]
    judge = Judge(view.root)
    for fault in sorted(itertools.islice(judge.faults(payload), MAX_FAULTS), key=_is_consequence):
        if not (_is_consequence(fault) and result.problems):
            explain(view, fault, result)
    result.warnings += [
        problem(path, f"cannot be checked against the contract's pattern {pattern[:100]}")
        for path, pattern in dict.fromkeys(judge.unsure)
    ]
    result.problems = _once(result.problems)
    result.warnings = _once(result.warnings)
    return result


def _is_consequence(fault: Fault) -> bool:
    """Fields count as unevaluated, too, where another fault kept them from being evaluated."""
    return fault.keyword in ("unevaluatedProperties", "unevaluatedItems")


def _once(problems: list[dict]) -> list[dict]:
    """Each path and message once, and no more than `MAX_PROBLEMS`."""
    found = {(one["path"], one["message"]): one for one in problems}
    kept = list(found.values())
    if len(kept) > MAX_PROBLEMS:
        kept = [*kept[:MAX_PROBLEMS], {"path": "", "message": f"and {len(kept) - MAX_PROBLEMS} more"}]
    return kept


# --- unknown names ----------------------------------------------------------------------------


def _check_names(view: View, schema: Any, value: Any, path: tuple, closed: bool, result: Check) -> None:
    """Names that the contract does not have, here and in the parts of the value."""
    if isinstance(value, list):
        items = view.facts(schema).get("items")
        for number, item in enumerate(value[:50]):
            if items is not None and isinstance(item, (dict, list)):
                _check_names(view, items, item, (*path, number), False, result)
    if not isinstance(value, dict):
        return
    facts, elsewhere = _facts_for(view, schema, value)
    # Some documents require a field and forget to describe it.
    known = {**{key: {} for key in facts.get("required", ())}, **facts.get("properties", {})}
    for name, item in value.items():
        if name in known:
            if view.facts(known[name]).get("read_only"):
                result.warnings.append(problem((*path, name), "is set by the service and does not belong in a request"))
            if isinstance(item, (dict, list)):
                _check_names(view, known[name], item, (*path, name), False, result)
        elif known or closed:
            _judge_unknown(name, value, facts, elsewhere, path, closed, result)


def _judge_unknown(
    name: str, value: dict, facts: Facts, elsewhere: dict[str, str], path: tuple, closed: bool, result: Check
) -> None:
    known = facts.get("properties", {})
    # A name that is used already is not what another one was meant to be.
    near = near_miss(name, [other for other in known if other not in value])
    forbidden = facts.get("additional") is False
    if name in elsewhere and (closed or forbidden):
        message = f"does not belong to this variant, only to {elsewhere[name]}"
    elif near is not None:
        message = f"is not a field of the contract; did you mean {near}?"
    elif closed or forbidden:
        message = "is not a field of the contract"
    else:
        result.warnings.append(problem((*path, name), "is not a field that the contract names; it is sent as it is"))
        return
    nearest = near or closest(name, known, 0.5)
    result.problems.append(problem((*path, name), message, list(known)[:MAX_ALLOWED] or None, nearest))


def _facts_for(view: View, schema: Any, value: dict) -> tuple[Facts, dict[str, str]]:
    """The facts of the variant that the value says it is, and the names that only others have."""
    found = variants(view, schema)
    chosen = chosen_variant(found, value)
    if chosen is None:
        return _with_mapped(view, schema, found), {}
    facts = view.facts(chosen.schema, chosen.choice)
    elsewhere: dict[str, str] = {}
    for other in found:
        for name in view.facts(other.schema, other.choice).get("properties", {}):
            elsewhere.setdefault(name, f"{other.field}={str(other.value)[:60]}")
    return facts, {name: place for name, place in elsewhere.items() if name not in facts.get("properties", {})}


def _with_mapped(view: View, schema: Any, found: list[Variant]) -> Facts:
    if not found or found[0].choice:
        return view.facts(schema)
    return view.facts({"anyOf": [variant.schema for variant in found]})


def chosen_variant(found: list[Variant], value: dict) -> Variant | None:
    """The variant whose constant the value has."""
    for variant in found:
        if variant.field is not None and variant.field in value and same(value[variant.field], variant.value):
            return variant
    return None
