"""Whether a value fits a self-contained JSON Schema 2020-12 (see schemas.py), and where it does not.

Written for contracts of strangers, which three things set apart from a general validator: the work is
bounded (combined branches multiply), patterns are matched as patterns.py can, and `multipleOf` counts in
decimals (0.3 is a multiple of 0.1). Tests hold it to jsonschema, whose import alone costs as much
time as the rest of a create.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple

from ..base.regex import regex
from ..base.text import is_number
from . import patterns
from .bounds import Work
from .definitions import definition
from .values import distinct_key, same


class Fault(NamedTuple):
    """One keyword that a value does not fit.

    keyword   the keyword, None where the schema is `false`
    value     what was looked at, `path` where it lies in the whole
    wanted    the keyword's value, `schema` the schema that holds it
    names     of a keyword about the names inside an object: those that are missing or too many
    branches  of `anyOf` and `oneOf`: branch number -> what is wrong by it; empty where several of `oneOf` fit
    """

    keyword: str | None
    path: tuple
    value: Any
    wanted: Any
    schema: Any
    names: Sequence[str] = ()
    branches: Mapping[int, list[Fault]] = {}


class Judge:
    """Judges values by schemas of one root.

    unsure  (path, pattern) of each text that a pattern could not be matched with; it counts as fitting
    """

    def __init__(self, root: Any, work: Work | None = None):
        self.unsure: list[tuple[tuple, str]] = []
        self._root = root
        self._work = work or Work("Checking a payload")

    def faults(self, value: Any, schema: Any = None, path: tuple = ()) -> Iterator[Fault]:
        """What does not fit, in the schema's order; by the root where no other schema is given."""
        schema = self._root if schema is None else schema
        self._work.step()
        if not isinstance(schema, dict):
            if schema is False:
                yield Fault(None, path, value, None, schema)
            return
        for keyword, wanted in schema.items():
            rule = _RULES.get(keyword)
            if rule is not None:
                yield from rule(self, wanted, value, schema, path)

    def fits(self, value: Any, schema: Any = None, path: tuple = ()) -> bool:
        return next(self.faults(value, schema, path), None) is None

    def _matches(self, pattern: str, text: str, path: tuple) -> bool:
        found = patterns.matches(pattern, text)
        if found is None:
            self.unsure.append((path, pattern))
        return found is not False

    # parts of the value

    def _properties(self, wanted: dict, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        if isinstance(value, dict):
            for name, item in wanted.items():
                if name in value:
                    yield from self.faults(value[name], item, (*path, name))

    def _pattern_properties(self, wanted: dict, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        for pattern, item in wanted.items() if isinstance(value, dict) else ():
            for name in value:
                if self._matches(pattern, name, path):
                    yield from self.faults(value[name], item, (*path, name))

    def _additional(self, wanted: Any, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        if not isinstance(value, dict):
            return
        names = self._unnamed(schema, value, path)
        if wanted is False and names:
            yield Fault("additionalProperties", path, value, wanted, schema, names)
        elif wanted is not False:
            for name in names:
                yield from self.faults(value[name], wanted, (*path, name))

    def _unnamed(self, schema: dict, value: dict, path: tuple) -> list[str]:
        """The names of an object that a schema's own `properties` and `patternProperties` leave over."""
        properties, named = schema.get("properties", {}), schema.get("patternProperties", {})
        return [
            name for name in value
            if name not in properties and not any(self._matches(pattern, name, path) for pattern in named)
        ]  # fmt: skip

    def _property_names(self, wanted: Any, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        for name in value if isinstance(value, dict) else ():
            yield from self.faults(name, wanted, (*path, name))

    def _items(self, wanted: Any, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        first = len(schema.get("prefixItems", ()))
        for number, item in enumerate(value[first:], first) if isinstance(value, list) else ():
            yield from self.faults(item, wanted, (*path, number))

    def _prefix_items(self, wanted: list, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        for number, (item, inner) in enumerate(zip(value, wanted)) if isinstance(value, list) else ():
            yield from self.faults(item, inner, (*path, number))

    def _contains(self, wanted: Any, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        if isinstance(value, list):
            count = sum(self.fits(item, wanted) for item in value)
            if not schema.get("minContains", 1) <= count <= schema.get("maxContains", count):
                yield Fault("contains", path, value, wanted, schema)

    # the value itself

    def _reference(self, wanted: str, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        yield from self.faults(value, definition(self._root, wanted)[1], path)

    def _all_of(self, wanted: list, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        for branch in wanted:
            yield from self.faults(value, branch, path)

    def _any_of(self, wanted: list, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        if not any(self.fits(value, branch, path) for branch in wanted):
            yield Fault("anyOf", path, value, wanted, schema, branches=self._branches(wanted, value, path))

    def _one_of(self, wanted: list, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        fitting = sum(self.fits(value, branch, path) for branch in wanted)
        if fitting != 1:
            found = {} if fitting else self._branches(wanted, value, path)
            yield Fault("oneOf", path, value, wanted, schema, branches=found)

    def _branches(self, wanted: list, value: Any, path: tuple) -> dict[int, list[Fault]]:
        return {number: list(self.faults(value, branch, path)) for number, branch in enumerate(wanted)}

    def _not(self, wanted: Any, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        if self.fits(value, wanted, path):
            yield Fault("not", path, value, wanted, schema)

    def _if(self, wanted: Any, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        yield from self.faults(value, schema.get("then" if self.fits(value, wanted, path) else "else", True), path)

    def _required(self, wanted: list, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        missing = [name for name in wanted if name not in value] if isinstance(value, dict) else []
        if missing:
            yield Fault("required", path, value, wanted, schema, missing)

    def _dependent_required(self, wanted: dict, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        needed = (
            [other for name in wanted if name in value for other in wanted[name]] if isinstance(value, dict) else []
        )
        missing = [name for name in dict.fromkeys(needed) if name not in value]
        if missing:
            yield Fault("dependentRequired", path, value, wanted, schema, missing)

    def _dependent_schemas(self, wanted: dict, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        for name, item in wanted.items() if isinstance(value, dict) else ():
            if name in value:
                yield from self.faults(value, item, path)

    # what no other keyword has looked at

    def _unevaluated_properties(self, wanted: Any, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        if not isinstance(value, dict):
            return
        seen = self._seen_names(schema, value, path, own=False)
        left = [name for name in value if name not in seen and not self.fits(value[name], wanted, (*path, name))]
        if left:
            yield Fault("unevaluatedProperties", path, value, wanted, schema, left)

    def _seen_names(self, schema: Any, value: dict, path: tuple, own: bool = True) -> set[str]:
        if not isinstance(schema, dict):
            return set()
        self._work.step()
        seen = {name for name in schema.get("properties", ()) if name in value}
        named = schema.get("patternProperties", ())
        seen |= {name for name in value if any(self._matches(pattern, name, path) for pattern in named)}
        if "additionalProperties" in schema or (own and "unevaluatedProperties" in schema):
            return set(value)
        for branch in self._applying(schema, value, path):
            seen |= self._seen_names(branch, value, path)
        for name, branch in schema.get("dependentSchemas", {}).items():
            seen |= self._seen_names(branch, value, path) if name in value else set()
        return seen

    def _unevaluated_items(self, wanted: Any, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        if not isinstance(value, list):
            return
        seen = self._seen_items(schema, value, path, own=False)
        if any(number not in seen and not self.fits(item, wanted, path) for number, item in enumerate(value)):
            yield Fault("unevaluatedItems", path, value, wanted, schema)

    def _seen_items(self, schema: Any, value: list, path: tuple, own: bool = True) -> set[int]:
        if not isinstance(schema, dict):
            return set()
        self._work.step()
        if "items" in schema or (own and "unevaluatedItems" in schema):
            return set(range(len(value)))
        seen = set(range(min(len(value), len(schema.get("prefixItems", ())))))
        if "contains" in schema:
            seen |= {number for number, item in enumerate(value) if self.fits(item, schema["contains"])}
        for branch in self._applying(schema, value, path):
            seen |= self._seen_items(branch, value, path)
        return seen

    def _applying(self, schema: dict, value: Any, path: tuple) -> Iterator[Any]:
        """The schemas in `schema` that speak of the value itself, and that it fits."""
        if "$ref" in schema:
            yield definition(self._root, schema["$ref"])[1]
        yield from schema.get("allOf", ())
        for keyword in ("anyOf", "oneOf"):
            yield from (branch for branch in schema.get(keyword, ()) if self.fits(value, branch, path))
        if "if" in schema:
            holds = self.fits(value, schema["if"], path)
            yield from [schema["if"]] if holds else []
            yield schema.get("then" if holds else "else", True)


# --- values -----------------------------------------------------------------------------------------


TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: is_number(value) and (isinstance(value, int) or value.is_integer()),
    "number": is_number,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


def _has_type(value: Any, wanted: Any) -> bool:
    return any(TYPES[name](value) for name in (wanted if isinstance(wanted, list) else [wanted]))


def is_multiple(value: float, step: float) -> bool:
    """Whether a number is a whole multiple of another as both are written: 0.3 of 0.1."""
    if isinstance(value, int) and isinstance(step, int):
        return value % step == 0
    if value in (math.inf, -math.inf) or value != value:
        return False
    from fractions import Fraction

    return Fraction(str(value)) % Fraction(str(step)) == 0


# --- formats ----------------------------------------------------------------------------------------

_URI = regex(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_EMAIL = regex(r"[^@\s]+@[^@\s]+")
_UUID = regex(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATE = regex(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DATE_TIME = regex(r"(\d{4}-\d{2}-\d{2})[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def _is_date(text: str) -> bool:
    import datetime

    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return _DATE.fullmatch(text) is not None


def _is_date_time(text: str) -> bool:
    found = _DATE_TIME.fullmatch(text)
    return found is not None and _is_date(found[1])


_FORMATS: dict[str, Callable[[str], Any]] = {
    "uri": _URI.fullmatch,
    "url": _URI.fullmatch,
    "email": _EMAIL.fullmatch,
    "uuid": _UUID.fullmatch,
    "date": _is_date,
    "date-time": _is_date_time,
}


# --- rules ------------------------------------------------------------------------------------------


def _rule(keyword: str, kind: str | None, fits: Callable[[Any, Any], bool]) -> Callable:
    """A keyword that one look at the value decides, for values of one type, or of any."""

    def rule(judge: Judge, wanted: Any, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
        if (kind is None or TYPES[kind](value)) and not fits(value, wanted):
            yield Fault(keyword, path, value, wanted, schema)

    return rule


def _pattern(judge: Judge, wanted: str, value: Any, schema: dict, path: tuple) -> Iterator[Fault]:
    if isinstance(value, str) and not judge._matches(wanted, value, path):
        yield Fault("pattern", path, value, wanted, schema)


def _is_one_of(value: Any, known: Iterable[Any]) -> bool:
    return any(same(value, one) for one in known)


_SIMPLE: dict[str, tuple[str | None, Callable[[Any, Any], bool]]] = {
    "type": (None, _has_type),
    "enum": (None, _is_one_of),
    "const": (None, same),
    "minimum": ("number", lambda value, wanted: value >= wanted),
    "maximum": ("number", lambda value, wanted: value <= wanted),
    "exclusiveMinimum": ("number", lambda value, wanted: value > wanted),
    "exclusiveMaximum": ("number", lambda value, wanted: value < wanted),
    "multipleOf": ("number", is_multiple),
    "minLength": ("string", lambda value, wanted: len(value) >= wanted),
    "maxLength": ("string", lambda value, wanted: len(value) <= wanted),
    "format": ("string", lambda value, wanted: wanted not in _FORMATS or bool(_FORMATS[wanted](value))),
    "minItems": ("array", lambda value, wanted: len(value) >= wanted),
    "maxItems": ("array", lambda value, wanted: len(value) <= wanted),
    "uniqueItems": (
        "array",
        lambda value, wanted: not wanted or len({distinct_key(item) for item in value}) == len(value),
    ),
    "minProperties": ("object", lambda value, wanted: len(value) >= wanted),
    "maxProperties": ("object", lambda value, wanted: len(value) <= wanted),
}

_RULES: dict[str, Callable] = {
    **{keyword: _rule(keyword, kind, fits) for keyword, (kind, fits) in _SIMPLE.items()},
    "pattern": _pattern,
    "properties": Judge._properties,
    "patternProperties": Judge._pattern_properties,
    "additionalProperties": Judge._additional,
    "propertyNames": Judge._property_names,
    "items": Judge._items,
    "prefixItems": Judge._prefix_items,
    "contains": Judge._contains,
    "$ref": Judge._reference,
    "allOf": Judge._all_of,
    "anyOf": Judge._any_of,
    "oneOf": Judge._one_of,
    "not": Judge._not,
    "if": Judge._if,
    "required": Judge._required,
    "dependentRequired": Judge._dependent_required,
    "dependentSchemas": Judge._dependent_schemas,
    "unevaluatedProperties": Judge._unevaluated_properties,
    "unevaluatedItems": Judge._unevaluated_items,
}
