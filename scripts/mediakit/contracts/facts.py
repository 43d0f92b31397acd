"""What a self-contained schema says about one value, merged.

    View      a schema with its `$defs`; merges what stands in several places about one value
    narrowed  what is known of a value that two statements describe (`allOf`, `$ref`)
    widened   what is known of a value that at least one of several describes (`anyOf`, `oneOf`)

Facts are keywords under the names that rows use.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .bounds import Work
from .definitions import definition
from .values import distinct_key

Facts = dict[str, Any]
# id() of a list of branches -> the one branch that counts
Choice = dict[int, int]

# keyword -> (name in a row, how two statements about one value narrow each other, how branches widen)
_LIMITS = {
    "minimum": ("min", max, min),
    "exclusiveMinimum": ("exclusive_min", max, min),
    "minLength": ("min_length", max, min),
    "minItems": ("min_items", max, min),
    "minProperties": ("min_properties", max, min),
    "maximum": ("max", min, max),
    "exclusiveMaximum": ("exclusive_max", min, max),
    "maxLength": ("max_length", min, max),
    "maxItems": ("max_items", min, max),
    "maxProperties": ("max_properties", min, max),
}
# keyword -> name; the outer statement wins
_WORDS = {
    "default": "default",
    "title": "title",
    "description": "description",
    "pattern": "pattern",
    "format": "format",
    "multipleOf": "multiple_of",
    "uniqueItems": "unique_items",
    "examples": "examples",
    "readOnly": "read_only",
    "writeOnly": "write_only",
    "deprecated": "deprecated",
    "contentMediaType": "media_type",
    "contentEncoding": "encoding",
    "discriminator": "discriminator",
    "x-media": "media",
    "x-file": "file_limits",
    "x-callback": "callback",
    "x-known-values": "known_values",
}
_NARROW = {name: narrow for name, narrow, _ in _LIMITS.values()}
_WIDEN = {name: widen for name, _, widen in _LIMITS.values()}


class View:
    """A self-contained schema (see schemas.py) and what it says about a value."""

    def __init__(self, root: dict, given: dict | None = None):
        """given: fields of the body whose values are known, which decides conditions about them."""
        self.root, self._given = root, given
        self._work = Work("Reading a request body")
        # By id(); the schema is kept beside its facts, so that no other one can get its id.
        self._known: dict[int, tuple[Any, Facts]] = {}
        self._known_groups: dict[int, tuple[Any, list[list]]] = {}

    def facts(self, schema: Any, choice: Choice | None = None) -> Facts:
        """Everything that `schema` says in place about one value, merged.

        Keys: those of `_LIMITS` and `_WORDS`, `types`, `allowed_values`, `known_values`,
        `properties` {name: schema}, `required` [names], `doubtful` [names that only one source requires],
        `items` (schema), `additional` (schema or bool), `names` (definitions that took part), `impossible`.
        """
        found = dict(self._facts(schema, choice))
        for properties in found.pop("conditional", ()):
            # Under a condition a field may be something else or be forbidden: that widens what is known of it.
            found["properties"] = _combined("anyOf")(found.get("properties", {}), properties)
        return found

    def _facts(self, schema: Any, choice: Choice | None) -> Facts:
        if not isinstance(schema, dict):
            return {"impossible": True} if schema is False else {}
        if choice:
            self._work.step(1 + len(choice))
            return self._merged(schema, choice)
        if id(schema) not in self._known:
            self._known[id(schema)] = schema, self._merged(schema, choice)
        return self._known[id(schema)][1]

    def _merged(self, schema: dict, choice: Choice | None) -> Facts:
        found = _own(schema)
        if "$ref" in schema:
            name, target = definition(self.root, schema["$ref"])
            found = self._narrowed(found, _adding_name(self._facts(target, choice), name))
        for branch in schema.get("allOf", ()):
            found = self._narrowed(found, self._facts(branch, choice))
        for key in ("oneOf", "anyOf"):
            if key in schema:
                found = self._narrowed(found, self._branches(schema[key], choice or {}))
        decided = self._decided(schema)
        if decided is not None:
            return self._narrowed(found, self._facts(schema.get(decided, {}), choice))
        conditional = [self.facts(branch, choice).get("properties") for branch in self._conditional(schema)]
        return self._narrowed(found, {"conditional": [properties for properties in conditional if properties]})

    def _narrowed(self, first: Facts, second: Facts) -> Facts:
        self._work.step(1 + len(first.get("properties", ())) + len(second.get("properties", ())))
        return narrowed(first, second)

    def _branches(self, branches: list, choice: Choice) -> Facts:
        chosen = choice.get(id(branches))
        found = [self._facts(branch, choice) for branch in (branches if chosen is None else [branches[chosen]])]
        sizes = [len(facts["properties"]) for facts in found if facts.get("properties")]
        self._work.step(len(found) + sum(sizes) * (1 + len(sizes) // 4))  # each is compared with those before it
        return widened(found)

    def _decided(self, schema: dict) -> str | None:
        """`then` or `else`, where what is given says which of them applies."""
        condition = schema.get("if")
        if not self._given or not isinstance(condition, dict) or not condition.keys() <= {"properties", "required"}:
            return None
        if not {*condition.get("properties", ()), *condition.get("required", ())} <= self._given.keys():
            return None
        from .judge import Judge

        return "then" if Judge(self.root, self._work).fits(self._given, condition) else "else"

    @staticmethod
    def _conditional(schema: dict) -> Iterable[Any]:
        yield from (schema[key] for key in ("then", "else") if key in schema)
        yield from schema.get("dependentSchemas", {}).values()

    def groups(self, schema: Any) -> list[list]:
        """Every list of branches (`oneOf`, `anyOf`) that applies to the value itself, outermost first."""
        if not isinstance(schema, dict):
            return []
        if id(schema) not in self._known_groups:
            self._work.step()
            found = [schema[key] for key in ("oneOf", "anyOf") if key in schema]
            inner = [definition(self.root, schema["$ref"])[1]] if "$ref" in schema else []
            for item in (*inner, *schema.get("allOf", ())):
                found += self.groups(item)
            self._known_groups[id(schema)] = schema, list({id(group): group for group in found}.values())
        return self._known_groups[id(schema)][1]


def _own(schema: dict) -> Facts:
    found: Facts = {name: schema[key] for key, (name, _, _) in _LIMITS.items() if key in schema}
    found.update({name: schema[key] for key, name in _WORDS.items() if key in schema})
    if "type" in schema:
        found["types"] = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if "const" in schema or "enum" in schema:
        found["allowed_values"] = [schema["const"]] if "const" in schema else schema["enum"]
    for key in ("properties", "required"):
        if key in schema:
            found[key] = schema[key]
    if "x-required-doubtful" in schema:
        found["doubtful"] = schema["x-required-doubtful"]
    if "additionalProperties" in schema or "unevaluatedProperties" in schema:
        found["additional"] = schema.get("additionalProperties", schema.get("unevaluatedProperties"))
    for pattern_schema in schema.get("patternProperties", {}).values():
        found.setdefault("additional", pattern_schema)
    items = [*schema.get("prefixItems", ()), *([schema["items"]] if "items" in schema else ())]
    if items:
        found["items"] = items[0] if len(items) == 1 else {"anyOf": items}
    if "prefixItems" in schema:
        found["prefix_items"] = schema["prefixItems"]
    return found


def _adding_name(found: Facts, name: str) -> Facts:
    return {**found, "names": [name, *found.get("names", ())]}


def without_double(values: Iterable[Any]) -> list:
    return list({distinct_key(value): value for value in reversed(list(values))}.values())[::-1]


def _common(one: list, other: list) -> list:
    known = {distinct_key(value) for value in other}
    return [value for value in one if distinct_key(value) in known]


def narrowed(first: Facts, second: Facts) -> Facts:
    """What is known of a value that both describe; where words differ, the first's stay."""
    found = {**second, **first}
    for key in first.keys() & second.keys():
        one, other = first[key], second[key]
        if key in _NARROW:
            found[key] = _NARROW[key](one, other)
        elif key in _NARROW_LISTS:
            found[key] = _NARROW_LISTS[key](one, other)
    return found


def _common_types(one: list, other: list) -> list:
    wide = [name for name in one if name in other or (name == "integer" and "number" in other)]
    return wide + [name for name in other if name == "integer" and "number" in one and name not in wide]


def _combined(word: str):
    def combine(one: dict, other: dict) -> dict:
        found = {**one, **other}
        for name in one.keys() & other.keys():
            found[name] = _pair(word, one[name], other[name])
        # the first's order, then what the second adds
        return {name: found[name] for name in [*one, *(name for name in other if name not in one)]}

    return combine


def _pair(word: str, one: Any, other: Any) -> Any:
    if one == other:
        return one
    if isinstance(one, dict) and one.keys() == {word}:
        return one if other in one[word] else {word: [*one[word], other]}
    return {word: [one, other]}


_NARROW_LISTS = {
    "conditional": lambda one, other: [*one, *other],
    "types": _common_types,
    "allowed_values": _common,
    "known_values": lambda one, other: without_double([*one, *other]),
    "required": lambda one, other: list(dict.fromkeys([*one, *other])),
    "names": lambda one, other: list(dict.fromkeys([*one, *other])),
    "properties": _combined("allOf"),
    "items": lambda one, other: _pair("allOf", one, other),
    "additional": lambda one, other: False if one is False or other is False else other if one is True else one,
}


def widened(branches: list[Facts]) -> Facts:
    """What is known of a value that at least one of the branches describes."""
    possible = [branch for branch in branches if not branch.get("impossible")]
    if len(possible) == 1:
        return possible[0]
    if not possible:
        return {"impossible": True} if branches else {}
    found: Facts = {}
    for branch in possible:
        for key, value in branch.items():
            if key not in found:
                found[key] = value
            elif key in _WIDEN:
                found[key] = _WIDEN[key](found[key], value)
            elif key in _WIDEN_LISTS:
                found[key] = _WIDEN_LISTS[key](found[key], value)
    found["required"] = [
        name for name in found.get("required", ()) if all(name in branch.get("required", ()) for branch in possible)
    ]
    _widen_values(found, possible)
    if "additional" in found and not all("additional" in branch for branch in possible if "properties" in branch):
        del found["additional"]
    return found


def _widen_values(found: Facts, branches: list[Facts]) -> None:
    """Values of some branches are the allowed ones only if no other branch takes anything else."""
    lists = [
        branch.get("allowed_values") or ([None] if branch.get("types") == ["null"] else None) for branch in branches
    ]
    values = without_double(value for listed in lists for value in listed or ())
    if values:
        complete = all(listed is not None for listed in lists)
        found.pop("allowed_values", None)
        if complete:
            found["allowed_values"] = values
        elif any(value is not None for value in values):
            found["known_values"] = without_double([*found.get("known_values", ()), *values])


_WIDEN_LISTS = {
    "conditional": lambda one, other: [*one, *other],
    "types": lambda one, other: list(dict.fromkeys([*one, *other])),
    "known_values": lambda one, other: without_double([*one, *other]),
    "names": lambda one, other: list(dict.fromkeys([*one, *other])),
    "examples": lambda one, other: without_double([*one, *other]),
    "properties": _combined("anyOf"),
    "items": lambda one, other: _pair("anyOf", one, other),
    "additional": lambda one, other: other if one is False else one,
}
