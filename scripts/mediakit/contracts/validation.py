"""Whether a payload fits a contract, said so that the caller can mend it.

jsonschema decides; the words, the choice of the branch that was meant, and what to do about a
field that the contract does not know (JSON Schema lets it pass, a paid request must not) are ours.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any

from .fields import Facts, Variant, View, name_words, same, variants
from .placeholders import dotted

MAX_PROBLEMS = 20
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


def validator(root: dict) -> Any:
    """A jsonschema validator of a self-contained schema, with the simple formats checked."""
    from jsonschema import Draft202012Validator, FormatChecker

    formats = FormatChecker(formats=())
    for name, fits in _FORMATS.items():
        formats.checks(name)(fits)
    return Draft202012Validator(root, format_checker=formats)


# --- formats ----------------------------------------------------------------------------------

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATE_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")


def _is_date(text: str) -> bool:
    import datetime

    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


def _is_date_time(text: str) -> bool:
    found = _DATE_TIME.fullmatch(text)
    return bool(found) and _is_date(found[1])


def _of_text(fits):
    return lambda value: not isinstance(value, str) or bool(fits(value))


_FORMATS = {
    "uri": _of_text(_URI.fullmatch),
    "url": _of_text(_URI.fullmatch),
    "email": _of_text(_EMAIL.fullmatch),
    "uuid": _of_text(_UUID.fullmatch),
    "date": _of_text(_is_date),
    "date-time": _of_text(_is_date_time),
}


# --- check ------------------------------------------------------------------------------------


def check(view: View, payload: Any, closed: bool) -> Check:
    """What is wrong with `payload`, and what may be.

    closed  the contract names every field: another name at the root is a problem. Otherwise only a
            near-miss of a known name is, and any other name is a warning.

    A problem or warning is {path, message, allowed?, nearest?}; `path` is dotted (`images.0.url`),
    empty for the body itself. No message repeats more than 80 characters of the payload.
    """
    result = Check()
    _check_names(view, view.root, payload, (), closed, result)
    for error in sorted(validator(view.root).iter_errors(payload), key=_is_consequence):
        if not (_is_consequence(error) and result.problems):
            _explain(view, error, result)
    result.problems = _once(result.problems)
    result.warnings = _once(result.warnings)
    return result


def _is_consequence(error: Any) -> bool:
    """Fields count as unevaluated, too, where another error kept them from being evaluated."""
    return error.validator in ("unevaluatedProperties", "unevaluatedItems")


def _once(problems: list[dict]) -> list[dict]:
    """Each path and message once, and no more than `MAX_PROBLEMS`."""
    found = {(problem["path"], problem["message"]): problem for problem in problems}
    kept = list(found.values())
    if len(kept) > MAX_PROBLEMS:
        kept = [*kept[:MAX_PROBLEMS], {"path": "", "message": f"and {len(kept) - MAX_PROBLEMS} more"}]
    return kept


def echo(value: Any) -> str:
    """A value of the payload as JSON, cut."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_ECHO else text[: MAX_ECHO - 1] + "…"


def _problem(path: Iterable[Any], message: str, allowed: Any = None, nearest: str | None = None) -> dict:
    found = {"path": dotted(path), "message": message, "allowed": allowed, "nearest": nearest}
    return {key: value for key, value in found.items() if value is not None}


def _explain(view: View, error: Any, result: Check) -> None:
    """One jsonschema error as problems: of the branch that was meant, where there are branches."""
    if error.validator in ("anyOf", "oneOf"):
        _explain_branches(view, error, result)
        return
    path = tuple(error.absolute_path)
    value, wanted = error.instance, error.validator_value
    if error.validator in _NAMES_AT:
        names_of, message = _NAMES_AT[error.validator]
        told = {problem["path"] for problem in result.problems}
        named = [_problem((*path, name), message) for name in names_of(error)]
        result.problems += [problem for problem in named if problem["path"] not in told]
        return
    say = _MESSAGES.get(error.validator)
    message, allowed = say(value, wanted, error) if say else ("does not fit the contract", None)
    nearest = _nearest_value(value, allowed) if error.validator in ("enum", "const") else None
    result.problems.append(_problem(path, message, allowed, nearest))


def _explain_branches(view: View, error: Any, result: Check) -> None:
    if not error.context:
        # More than one branch of a oneOf fits. Services write overlapping branches by mistake and
        # accept what fits any of them, so this alone is no reason to refuse.
        message = "fits more than one of the alternatives, where the contract expects exactly one"
        result.warnings.append(_problem(error.absolute_path, message))
        return
    by_branch: dict[int, list] = {}
    for inner in error.context:
        by_branch.setdefault(inner.schema_path[0], []).append(inner)
    chosen = _meant_branch(view, error, by_branch)
    if chosen is None:
        result.problems.append(_problem(error.absolute_path, *_no_branch(view, error)))
        return
    for inner in by_branch[chosen]:
        _explain(view, inner, result)


def _meant_branch(view: View, error: Any, by_branch: dict[int, list]) -> int | None:
    """The branch whose constants the value has; else the one with the right type and least wrong."""
    value = error.instance
    for number in by_branch:
        constants = _constants_of(view, error.validator_value[number])
        if (
            isinstance(value, dict)
            and constants
            and all(name in value and same(value[name], constant) for name, constant in constants.items())
        ):
            return number
    fitting = {
        number: errors for number, errors in by_branch.items() if not any(_is_wrong_kind(inner) for inner in errors)
    }
    if not fitting or not isinstance(value, (dict, list)):
        only = list(fitting) if len(fitting) == 1 else []
        return only[0] if only else None
    return min(fitting, key=lambda number: (sum(_weight(inner) for inner in fitting[number]), number))


def _is_wrong_kind(error: Any) -> bool:
    return error.validator == "type" and not error.path


def _weight(error: Any) -> int:
    """A wrong constant speaks against a branch more than a field that is still missing."""
    return 10 if error.validator in ("const", "enum") else 3 if error.validator == "additionalProperties" else 1


def _constants_of(view: View, schema: Any) -> dict[str, Any]:
    properties = view.facts(schema).get("properties", {})
    lists = {name: view.facts(item).get("allowed_values") for name, item in properties.items()}
    return {name: values[0] for name, values in lists.items() if values and len(values) == 1}


def _no_branch(view: View, error: Any) -> tuple[str, Any, str | None]:
    facts = view.facts({error.validator: error.validator_value})
    allowed = facts.get("allowed_values") or facts.get("known_values")
    types = facts.get("types")
    if allowed:
        more = f" or another {' | '.join(types)}" if "known_values" in facts and types else ""
        return (
            f"{echo(error.instance)} is not one of the allowed values{more}",
            allowed[:MAX_ALLOWED],
            _nearest_value(error.instance, allowed),
        )
    words = " or ".join(types) if types else "one of the alternatives of the contract"
    return f"{echo(error.instance)} fits none of the alternatives; expected {words}", None, None


# keyword of jsonschema -> (value, keyword's value, error) -> (message, allowed)
_MESSAGES = {
    "type": lambda value, wanted, error: (f"is {_kind(value)}, expected {_or(wanted)}", None),
    "enum": lambda value, wanted, error: (f"{echo(value)} is not one of the allowed values", wanted[:MAX_ALLOWED]),
    "const": lambda value, wanted, error: (f"{echo(value)} is not the one allowed value", [wanted]),
    "minimum": lambda value, wanted, error: (f"{echo(value)} is too small, the least is {wanted}", None),
    "maximum": lambda value, wanted, error: (f"{echo(value)} is too large, the most is {wanted}", None),
    "exclusiveMinimum": lambda value, wanted, error: (f"{echo(value)} is too small, expected more than {wanted}", None),
    "exclusiveMaximum": lambda value, wanted, error: (f"{echo(value)} is too large, expected less than {wanted}", None),
    "multipleOf": lambda value, wanted, error: (f"{echo(value)} is not a multiple of {wanted}", None),
    "minLength": lambda value, wanted, error: (f"has {len(value)} characters, expected at least {wanted}", None),
    "maxLength": lambda value, wanted, error: (f"has {len(value)} characters, expected at most {wanted}", None),
    "pattern": lambda value, wanted, error: (f"{echo(value)} does not match the pattern {str(wanted)[:100]}", None),
    "format": lambda value, wanted, error: (f"{echo(value)} is no valid {wanted}", None),
    "minItems": lambda value, wanted, error: (f"has {len(value)} items, expected at least {wanted}", None),
    "maxItems": lambda value, wanted, error: (f"has {len(value)} items, expected at most {wanted}", None),
    "uniqueItems": lambda value, wanted, error: ("has the same item twice", None),
    "minProperties": lambda value, wanted, error: (f"has {len(value)} fields, expected at least {wanted}", None),
    "maxProperties": lambda value, wanted, error: (f"has {len(value)} fields, expected at most {wanted}", None),
    "contains": lambda value, wanted, error: ("holds no item of the kind that is required", None),
    "not": lambda value, wanted, error: (_not_message(wanted), None),
}


def _not_message(wanted: Any) -> str:
    names = wanted.get("required") if isinstance(wanted, dict) else None
    return (
        f"{', '.join(names[:6])} may not be given here{' together' if len(names) > 1 else ''}"
        if names
        else "is excluded by the contract"
    )


def _missing(error: Any) -> list[str]:
    return [name for name in error.validator_value if name not in error.instance]


def _missing_dependent(error: Any) -> list[str]:
    wanted = [names for name, names in error.validator_value.items() if name in error.instance]
    return [name for names in wanted for name in names if name not in error.instance]


def _additional(error: Any) -> list[str]:
    properties, patterns = error.schema.get("properties", {}), error.schema.get("patternProperties", {})
    return [
        name for name in error.instance if name not in properties and not any(re.search(one, name) for one in patterns)
    ]


# keyword whose errors are about names inside the value -> (which names, what is said of each)
_NAMES_AT = {
    "required": (_missing, "is required"),
    "dependentRequired": (_missing_dependent, "is required together with the other fields given"),
    "additionalProperties": (_additional, "is not a field of the contract"),
}

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
    return _closest(value, words, 0.6) if isinstance(value, str) else None


# --- unknown names ----------------------------------------------------------------------------

# What a name may carry beside the thing it names, so that `image` is near `image_url`.
_CARRIERS = frozenset(("url", "urls", "uri", "uris", "file", "files", "path", "base64", "data"))
NEAR = 0.8


def _closest(word: str, known: Iterable[str], cutoff: float) -> str | None:
    plain: dict[str, str] = {}
    for name in known:
        plain.setdefault(_plain(name), name)
    found = difflib.get_close_matches(_plain(word)[:100], plain, n=1, cutoff=cutoff)
    return plain[found[0]] if found else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def near_miss(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is most likely a slip of the pen for, or None.

    Equal but for case and separators, equal but for a word such as `url`, or alike by at least
    `NEAR` (difflib) with no word exchanged for another one (`first_frame` is no `last_frame`).
    """
    known = list(known)
    core = [word for word in name_words(name) if word not in _CARRIERS]
    for other in known:
        if _plain(other) == _plain(name) or (
            core and core == [word for word in name_words(other) if word not in _CARRIERS]
        ):
            return other
    best = _closest(name, known, NEAR)
    return best if best is not None and not _exchanges_a_word(name, best) else None


def _exchanges_a_word(one: str, other: str) -> bool:
    first, second = name_words(one), name_words(other)
    if len(first) != len(second):
        return False
    return any(difflib.SequenceMatcher(None, a, b).ratio() < 0.6 for a, b in zip(first, second))


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
    known = facts.get("properties", {})
    for name, item in value.items():
        if name in known:
            if view.facts(known[name]).get("read_only"):
                result.warnings.append(
                    _problem((*path, name), "is set by the service and does not belong in a request")
                )
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
        result.warnings.append(_problem((*path, name), "is not a field that the contract names; it is sent as it is"))
        return
    nearest = near or _closest(name, known, 0.5)
    result.problems.append(_problem((*path, name), message, list(known)[:MAX_ALLOWED] or None, nearest))


def _facts_for(view: View, schema: Any, value: dict) -> tuple[Facts, dict[str, str]]:
    """The facts of the variant that the value says it is, and the names that only others have."""
    found = variants(view, schema)
    chosen = chosen_variant(found, value)
    if chosen is None:
        return _with_mapped(view, schema, found), {}
    facts = view.facts(chosen.schema, chosen.choice)
    elsewhere = {}
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
