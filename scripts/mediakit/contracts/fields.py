"""What a self-contained schema says about its fields: facts, rows, variants.

    View       a schema with its `$defs`; merges what stands in several places about one value
    rows       the fields as a list of plain dictionaries
    variants   the shapes that a body can have, told apart by a constant where there is one

Facts are one value's merged keywords under the names that rows use. `allOf` and `$ref` narrow them,
the branches of `anyOf` and `oneOf` widen them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from .schemas import definition

DESCRIPTION_LENGTH = 160
MAX_NESTING = 8
MAX_ROWS = 4_000

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
    "x-pattern": "unchecked_pattern",
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
    "x-known-values": "known_values",
}
_NARROW = {name: narrow for name, narrow, _ in _LIMITS.values()}
_WIDEN = {name: widen for name, _, widen in _LIMITS.values()}

# What a row shows, in this order, beside name, type, required and what takes a little thought.
_SHOWN = (
    "default", "allowed_values", "known_values", "min", "exclusive_min", "max", "exclusive_max", "multiple_of",
    "min_length", "max_length", "min_items", "max_items", "unique_items", "pattern", "format", "media_type",
    "read_only", "deprecated", "file_limits",
)  # fmt: skip


class View:
    """A self-contained schema (see schemas.py) and what it says about a value."""

    def __init__(self, root: dict):
        self.root = root

    def facts(self, schema: Any, choice: Choice | None = None) -> Facts:
        """Everything that `schema` says in place about one value, merged.

        Keys: those of `_LIMITS` and `_WORDS`, `types`, `allowed_values`, `known_values`,
        `properties` {name: schema}, `required` [names], `items` (schema), `additional` (schema or
        bool), `names` (definitions that took part), `impossible`.
        """
        found = self._facts(schema, choice)
        for properties in found.pop("conditional", ()):
            # Under a condition a field may be something else or be forbidden: that widens what is known of it.
            found["properties"] = _combined("anyOf")(found.get("properties", {}), properties)
        return found

    def _facts(self, schema: Any, choice: Choice | None) -> Facts:
        if not isinstance(schema, dict):
            return {"impossible": True} if schema is False else {}
        found = _own(schema)
        if "$ref" in schema:
            name, target = definition(self.root, schema["$ref"])
            found = narrowed(found, _adding_name(self._facts(target, choice), name))
        for branch in schema.get("allOf", ()):
            found = narrowed(found, self._facts(branch, choice))
        for key in ("oneOf", "anyOf"):
            if key in schema:
                found = narrowed(found, self._branches(schema[key], choice or {}))
        conditional = [self.facts(branch, choice).get("properties") for branch in self._conditional(schema)]
        return narrowed(found, {"conditional": [properties for properties in conditional if properties]})

    def _branches(self, branches: list, choice: Choice) -> Facts:
        chosen = choice.get(id(branches))
        picked = branches if chosen is None else [branches[chosen]]
        return widened([self._facts(branch, choice) for branch in picked])

    @staticmethod
    def _conditional(schema: dict) -> Iterable[Any]:
        yield from (schema[key] for key in ("then", "else") if key in schema)
        yield from schema.get("dependentSchemas", {}).values()

    def groups(self, schema: Any) -> list[list]:
        """Every list of branches (`oneOf`, `anyOf`) that applies to the value itself, outermost first."""
        if not isinstance(schema, dict):
            return []
        found = [schema[key] for key in ("oneOf", "anyOf") if key in schema]
        inner = [definition(self.root, schema["$ref"])[1]] if "$ref" in schema else []
        for item in (*inner, *schema.get("allOf", ())):
            found += self.groups(item)
        return found


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


def same(one: Any, other: Any) -> bool:
    """JSON equality: 1 and true are different, 1 and 1.0 are not."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _without_double(values: Iterable[Any]) -> list:
    found: list = []
    for value in values:
        if not any(same(value, known) for known in found):
            found.append(value)
    return found


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
    "allowed_values": lambda one, other: [value for value in one if any(same(value, known) for known in other)],
    "known_values": lambda one, other: _without_double([*one, *other]),
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
    values = _without_double(value for listed in lists for value in listed or ())
    if values:
        complete = all(listed is not None for listed in lists)
        found.pop("allowed_values", None)
        if complete:
            found["allowed_values"] = values
        elif any(value is not None for value in values):
            found["known_values"] = _without_double([*found.get("known_values", ()), *values])


_WIDEN_LISTS = {
    "conditional": lambda one, other: [*one, *other],
    "types": lambda one, other: list(dict.fromkeys([*one, *other])),
    "known_values": lambda one, other: _without_double([*one, *other]),
    "names": lambda one, other: list(dict.fromkeys([*one, *other])),
    "examples": lambda one, other: _without_double([*one, *other]),
    "properties": _combined("anyOf"),
    "items": lambda one, other: _pair("anyOf", one, other),
    "additional": lambda one, other: other if one is False else one,
}


# --- rows -------------------------------------------------------------------------------------


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
    required = facts.get("required", ())
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
    result.update({key: facts[key] for key in _SHOWN if key in facts and facts[key] is not False})
    for key in ("allowed_values", "known_values"):
        values = result.pop(key, None) or levels[-1].get(key)
        if values and any(value is not None for value in values):
            result[key] = [value for value in values if value is not None]
    result["nullable"] = "null" in facts.get("types", ()) or None
    if facts.get("unchecked_pattern"):
        result["pattern"] = facts["unchecked_pattern"]
    if len(levels) > 1:
        result["items"] = _item_limits(levels[-1])
    result["takes_file"] = takes_file(name, levels)
    result["description"] = one_line(
        facts.get("description") or facts.get("title") or levels[-1].get("description") or ""
    )
    result.update(_nested(view, levels, path, budget))
    return {key: value for key, value in result.items() if value not in (None, "", {}) or key == "default"}


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
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


# --- files ------------------------------------------------------------------------------------

# the word in a field's own name -> the kind of file that the field is about
_MEDIA_WORDS = {
    **dict.fromkeys(
        ("image", "images", "img", "photo", "photos", "picture", "pictures", "mask", "frame", "frames"), "image"
    ),
    **dict.fromkeys(("thumbnail", "avatar", "face", "faces", "portrait", "logo", "tail", "poster", "selfie"), "image"),
    **dict.fromkeys(("video", "videos", "clip", "clips", "movie", "footage"), "video"),
    **dict.fromkeys(("audio", "audios", "sound", "voice", "song", "music", "speech"), "audio"),
    **dict.fromkeys(("file", "files", "media", "attachment", "attachments", "document"), "file"),
}
# words after a media word that still mean the media itself, as against `image_size` or `video_length`
_CARRIERS = frozenset(
    ("url", "urls", "uri", "uris", "link", "links", "file", "files", "path", "paths", "ref", "refs", "reference",
     "references", "input", "inputs", "source", "data", "base64", "b64", "list", "prompt", "tail")
)  # fmt: skip
_ADDRESS_WORDS = frozenset(("url", "urls", "uri", "uris", "file", "files", "base64", "b64"))
_ADDRESS_FORMATS = frozenset(("uri", "url", "uri-reference", "iri"))
_BINARY_FORMATS = frozenset(("binary", "byte", "base64", "data-url", "data-uri"))
_SAYS_ADDRESS = re.compile(r"\b(urls?|uris?|base64|upload(ed)?|data url|https?)\b", re.IGNORECASE)


def name_words(name: str) -> list[str]:
    """`firstFrame_url2` -> ["first", "frame", "url"]."""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return [word for word in re.split(r"[^a-z]+", parted.lower()) if word]


def takes_file(name: str, levels: list[Facts]) -> str | None:
    """`image`, `video`, `audio` or `file` when the contract itself says that a field takes one.

    It says so with a binary format, an encoding or a media type; or with a URI format (or the
    words URL, base64, upload in its name or description) on a text whose name is a media word.
    """
    declared = next((level["media"] for level in levels if "media" in level), None)
    if declared:
        return declared
    facts = levels[-1]
    words = name_words(name)
    kind = _kind_named(words)
    media_type = facts.get("media_type", "")
    if media_type and media_type.split("/")[0] != "text" and "json" not in media_type:
        major = media_type.split("/")[0]
        return major if major in ("image", "video", "audio") else "file"
    if facts.get("format") in _BINARY_FORMATS or facts.get("encoding") == "base64":
        return kind or "file"
    types = facts.get("types", ["string"])
    if kind is None or "string" not in types or facts.get("allowed_values"):
        return None
    if facts.get("format") in _ADDRESS_FORMATS or _ADDRESS_WORDS.intersection(words):
        return kind
    text = " ".join(str(level.get("description", "")) for level in levels)
    return kind if _is_media_itself(words) and _SAYS_ADDRESS.search(text) else None


def _kind_named(words: list[str]) -> str | None:
    kinds = [_MEDIA_WORDS[word] for word in words if word in _MEDIA_WORDS]
    exact = [kind for kind in kinds if kind != "file"]
    return (exact or kinds or [None])[0]


def _is_media_itself(words: list[str]) -> bool:
    while words and words[-1] in _CARRIERS and words[-1] not in _MEDIA_WORDS:
        words = words[:-1]
    return bool(words) and words[-1] in _MEDIA_WORDS


# --- variants ---------------------------------------------------------------------------------


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
        if None not in values and len(_without_double(values)) == len(values):
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
