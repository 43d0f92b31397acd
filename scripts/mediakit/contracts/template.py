"""A request that validates: required fields and valid defaults, and what is still to be filled in.

Values that the contract does not fix are placeholders (see placeholders.py). Where only the form
can be met (a short code, a number, one of several allowed words), `fill_in` lists the value all
the same, with the reason; it cannot be told from a real one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from .fields import Choice, Facts, Variant, View, one_line, same, takes_file, variants
from .patterns import matching
from .placeholders import FORMATS, dotted, is_placeholder
from .validation import validator

MAX_CHOICES = 24
MAX_NESTING = 12
MAX_REPAIRS = 10
MAX_VALUES_TRIED = 12
MAX_ITEMS = 64


class Filled(NamedTuple):
    """A value, and for each path in it (a tuple) that the caller has to look at, why."""

    value: Any
    notes: dict[tuple, dict]


class Impossible(Exception):
    """No value was found that the schema allows."""


def build(view: View, variant: Variant | None = None) -> tuple[Any, list[dict], bool]:
    """(template, fill_in, valid) of the view's root, for one variant of it or for the first.

    fill_in is a list of {path, why, example?}. The template is checked against the whole schema;
    valid is False only where no value was found that passes.
    """
    maker = _Maker(view)
    found = variants(view, view.root)
    order = [variant] if variant else found or [None]
    last: Filled | None = None
    for wanted in order[:MAX_CHOICES]:
        schema = wanted.schema if wanted else view.root
        filled = maker.best(schema, (), wanted.choice if wanted else {}, _constant(wanted))
        if filled is not None and maker.is_valid(view.root, filled.value):
            return filled.value, _fill_in(filled), True
        last = last or filled
    last = last or Filled({}, {})
    return last.value, _fill_in(last), maker.is_valid(view.root, last.value)


def _constant(variant: Variant | None) -> dict[str, Any]:
    return {variant.field: variant.value} if variant and variant.field else {}


def _fill_in(filled: Filled) -> list[dict]:
    return [{"path": dotted(path), **note} for path, note in filled.notes.items()]


class _Maker:
    """Makes values for schemas of one view, and checks each before it is used."""

    def __init__(self, view: View):
        self.view = view
        self._judge = validator(view.root)

    def is_valid(self, schema: Any, value: Any) -> bool:
        return self._judge.evolve(schema=schema).is_valid(value)

    def value(self, schema: Any, path: tuple) -> Filled:
        """A valid value, or Impossible."""
        filled = self.best(schema, path, {}, {})
        if filled is None or not self.is_valid(schema, filled.value):
            raise Impossible
        return filled

    def best(self, schema: Any, path: tuple, choice: Choice, given: dict) -> Filled | None:
        """The first valid candidate, or else the first one, or None where there is none."""
        if len(path) > MAX_NESTING:
            return None
        first = None
        for picked in self._choices(schema, choice):
            facts = self.view.facts(schema, picked)
            if facts.get("impossible"):
                continue
            for candidate in self._candidates(facts, schema, path, given):
                if self.is_valid(schema, candidate.value):
                    return candidate
                first = first or candidate
        return first

    def _choices(self, schema: Any, fixed: Choice) -> Iterator[Choice]:
        """One branch of every `oneOf` and `anyOf`; the first of each first, null last."""
        pending: list[Choice] = [fixed]
        for _ in range(MAX_CHOICES):
            if not pending:
                return
            choice = pending.pop(0)
            open_group = next((group for group in self._groups(schema, choice) if id(group) not in choice), None)
            if open_group is None:
                yield choice
                continue
            order = sorted(range(len(open_group)), key=lambda number: self._is_null(open_group[number]))
            pending[:0] = [{**choice, id(open_group): number} for number in order]

    def _groups(self, schema: Any, choice: Choice) -> list[list]:
        found = []
        for group in self.view.groups(schema):
            found.append(group)
            if id(group) in choice:
                found += self._groups(group[choice[id(group)]], choice)
        return found

    def _is_null(self, schema: Any) -> bool:
        return self.view.facts(schema).get("types") == ["null"]

    def _candidates(self, facts: Facts, schema: Any, path: tuple, given: dict) -> Iterator[Filled]:
        fixed = facts.get("allowed_values")
        if fixed or facts.get("known_values"):
            yield from _fixed(facts, fixed or facts["known_values"], path)
        elif facts.get("default") is not None and not isinstance(facts["default"], (dict, list)):
            yield Filled(facts["default"], {})
        for kind in self._kinds(facts):
            yield from self._of_kind(kind, facts, schema, path, given)

    @staticmethod
    def _kinds(facts: Facts) -> list[str]:
        types = facts.get("types")
        if not types:
            implied = (
                "object"
                if "properties" in facts or facts.get("required")
                else "array"
                if "items" in facts
                else "string"
            )
            types = [implied, "object"] if implied == "string" else [implied]
        return sorted(types, key=lambda name: name == "null")

    def _of_kind(self, kind: str, facts: Facts, schema: Any, path: tuple, given: dict) -> Iterator[Filled]:
        if kind == "object":
            yield from self._objects(facts, schema, path, given)
        elif kind == "array":
            yield from self._arrays(facts, path)
        elif kind in ("integer", "number"):
            yield from _numbers(facts, kind, path)
        elif kind == "string":
            yield from _texts(facts, path)
        else:
            yield Filled(
                None if kind == "null" else False, {} if kind == "null" else _note(path, "choose true or false", facts)
            )

    # objects

    def _objects(self, facts: Facts, schema: Any, path: tuple, given: dict) -> Iterator[Filled]:
        bare = self._required_only(facts, path, given)
        if bare is None:
            return
        bare = self._repaired(bare, facts, schema, path)
        yield self._with_defaults(bare, facts, schema, path)
        yield bare

    def _required_only(self, facts: Facts, path: tuple, given: dict) -> Filled | None:
        value: dict[str, Any] = dict(given)
        notes: dict[tuple, dict] = {}
        properties = facts.get("properties", {})
        required = facts.get("required", ())
        for name in [
            *(name for name in properties if name in required),
            *(name for name in required if name not in properties),
        ]:
            if name not in value and not self._put(
                value, notes, name, properties.get(name, facts.get("additional", {})), path
            ):
                return None
        for name in properties:
            if len(value) >= facts.get("min_properties", 0):
                break
            if name not in value:
                self._put(value, notes, name, properties[name], path)
        return Filled(value, notes)

    def _put(self, value: dict, notes: dict, name: str, schema: Any, path: tuple) -> bool:
        filled = self.best(schema, (*path, name), {}, {})
        if filled is None:
            return False
        value[name] = filled.value
        notes.update(filled.notes)
        return True

    def _with_defaults(self, bare: Filled, facts: Facts, schema: Any, path: tuple) -> Filled:
        """All defaults together where they are valid; else those that are, tried one after the other."""
        defaults = {}
        for name, item in facts.get("properties", {}).items():
            default = self.view.facts(item)
            usable = (
                default.get("default") is not None and not default.get("read_only") and not default.get("deprecated")
            )
            if name not in bare.value and usable and self.is_valid(item, default["default"]):
                defaults[name] = default["default"]
        whole = self._in_order(facts, {**bare.value, **defaults})
        if not defaults or self.is_valid(schema, whole):
            return Filled(whole, bare.notes)
        value = bare.value
        if self.is_valid(schema, value):
            for name, default in defaults.items():
                more = self._in_order(facts, {**value, name: default})
                value = more if self.is_valid(schema, more) else value
        return Filled(value, bare.notes)

    @staticmethod
    def _in_order(facts: Facts, value: dict) -> dict:
        order = [name for name in facts.get("properties", {}) if name in value]
        return {name: value[name] for name in [*order, *(name for name in value if name not in order)]}

    def _repaired(self, filled: Filled, facts: Facts, schema: Any, path: tuple) -> Filled:
        """Validate, mend the first error, again: for what `if`, `not`, dependencies and the like ask."""
        judge = self._judge.evolve(schema=schema)
        value, notes = dict(filled.value), dict(filled.notes)
        for _ in range(MAX_REPAIRS):
            error = next(iter(judge.iter_errors(value)), None)
            if error is None or not self._mend(error, value, notes, facts, path):
                break
        return Filled(value, {at: note for at, note in notes.items() if _is_there(value, at[len(path) :])})

    def _mend(self, error: Any, value: dict, notes: dict, facts: Facts, path: tuple) -> bool:
        at = tuple(error.path)
        if error.validator in ("required", "dependentRequired") and not at:
            return self._add_missing(error, value, notes, facts, path)
        if error.validator in ("not", "oneOf", "additionalProperties", "unevaluatedProperties", None):
            return not at and self._remove_one(value, facts)
        if len(at) == 1 and isinstance(at[0], str):
            wanted = {"allOf": [facts.get("properties", {}).get(at[0], {}), {error.validator: error.validator_value}]}
            before = value.get(at[0])
            return self._put(value, notes, at[0], wanted, path) and not same(before, value[at[0]])
        return False

    def _add_missing(self, error: Any, value: dict, notes: dict, facts: Facts, path: tuple) -> bool:
        wanted = error.validator_value
        if isinstance(wanted, dict):
            wanted = [name for given, names in wanted.items() if given in value for name in names]
        missing = [name for name in wanted if name not in value]
        schemas = {**facts.get("properties", {}), **self.view.facts(error.schema).get("properties", {})}
        return bool(missing) and all(self._put(value, notes, name, schemas.get(name, {}), path) for name in missing)

    @staticmethod
    def _remove_one(value: dict, facts: Facts) -> bool:
        optional = [name for name in value if name not in facts.get("required", ())]
        if optional:
            del value[optional[-1]]
        return bool(optional)

    # arrays

    def _arrays(self, facts: Facts, path: tuple) -> Iterator[Filled]:
        if facts.get("default") is not None:
            yield Filled(facts["default"], {})
        least = min(max(facts.get("min_items", 0), len(facts.get("prefix_items", ()))), MAX_ITEMS)
        wanted = min(max(least, 1), facts.get("max_items", MAX_ITEMS))
        filled = self._items(facts, path, wanted)
        if filled is not None:
            yield filled
        yield Filled([], _note(path, "required list", facts))

    def _items(self, facts: Facts, path: tuple, count: int) -> Filled | None:
        items: list = []
        notes: dict[tuple, dict] = {}
        fixed = facts.get("prefix_items", ())
        for number in range(count):
            schema = fixed[number] if number < len(fixed) else facts.get("items", {})
            filled = self.best(schema, (*path, number), {}, {})
            if filled is None:
                return None
            value = filled.value
            if facts.get("unique_items") and any(same(value, item) for item in items):
                value = self._another(schema, value, items)
            items.append(value)
            notes.update(filled.notes)
        return Filled(items, notes)

    def _another(self, schema: Any, value: Any, items: list) -> Any:
        """A value that is not in the list yet, for lists whose items must differ."""
        listed = self.view.facts(schema).get("allowed_values", ())
        number = len(items) + 1
        changed = (
            [f"{value}{number}"]
            if isinstance(value, str)
            else [value + number, value * number]
            if isinstance(value, (int, float))
            else []
        )
        for candidate in (*listed, *changed):
            if not any(same(candidate, item) for item in items) and self.is_valid(schema, candidate):
                return candidate
        return value


def _is_there(value: Any, path: tuple) -> bool:
    for part in path:
        if (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and part < len(value)
        ):
            value = value[part]
        else:
            return False
    return True


def _note(path: tuple, why: str, facts: Facts) -> dict[tuple, dict]:
    note: dict[str, Any] = {"why": why}
    example = next((item for item in facts.get("examples", ()) if isinstance(item, (str, int, float))), None)
    if example is not None:
        note["example"] = one_line(example, 120) if isinstance(example, str) else example
    return {path: note}


def _fixed(facts: Facts, values: list, path: tuple) -> Iterator[Filled]:
    default = facts.get("default")
    if any(same(default, value) for value in values) and default is not None:
        yield Filled(default, {})
    real = [value for value in values if value is not None]
    note = (
        {}
        if len(real) == 1 and facts.get("allowed_values")
        else _note(
            path, f"choose one of the {len(real)} {'allowed' if facts.get('allowed_values') else 'known'} values", facts
        )
    )
    for value in real[:MAX_VALUES_TRIED]:
        yield Filled(value, note)
    if None in values:
        yield Filled(None, {})


# --- numbers ----------------------------------------------------------------------------------


def _numbers(facts: Facts, kind: str, path: tuple) -> Iterator[Filled]:
    note = _note(path, "required number" + _range(facts), facts)
    for example in facts.get("examples", ()):
        if isinstance(example, (int, float)) and not isinstance(example, bool):
            yield Filled(example, note)
    for number in _number_candidates(facts, kind):
        yield Filled(number, note)


def _range(facts: Facts) -> str:
    words = [
        f"{word} {facts[key]}"
        for key, word in (("min", "from"), ("exclusive_min", "above"), ("max", "to"), ("exclusive_max", "below"))
        if key in facts
    ]
    return ", " + " ".join(words) if words else ""


def _number_candidates(facts: Facts, kind: str) -> Iterator[float]:
    low = max((facts[key] for key in ("min", "exclusive_min") if key in facts), default=None)
    high = min((facts[key] for key in ("max", "exclusive_max") if key in facts), default=None)
    step = facts.get("multiple_of")
    if step is not None:
        start = -(-low // step) if low is not None else high // step if high is not None else 1
        for count in (start, start + 1, start - 1):
            yield _whole(count * step, kind)
    for bound, direction in ((low, 1), (high, -1)):
        if bound is not None:
            yield from (_whole(bound + direction * add, kind) for add in (0, 1, 0.5))
    if low is not None and high is not None:
        yield (low + high) / 2
    yield 1
    yield 0


def _whole(number: float, kind: str) -> float:
    return int(number) if kind == "integer" or float(number).is_integer() else number


# --- texts ------------------------------------------------------------------------------------


def _texts(facts: Facts, path: tuple) -> Iterator[Filled]:
    name = next((part for part in reversed(path) if isinstance(part, str)), "value")
    kind = takes_file(name, [facts])
    for text in _text_candidates(facts, re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:40]):
        yield Filled(text, _note(path, _why(facts, kind, text), facts))


def _why(facts: Facts, kind: str | None, text: str) -> str:
    if kind:
        return f"required {kind}"
    if not is_placeholder(text):
        return "required text; the value here is only of the right form"
    return f"required {facts['format']}" if facts.get("format") in FORMATS else "required text"


def _text_candidates(facts: Facts, name: str) -> Iterator[str]:
    least, most = facts.get("min_length", 0), facts.get("max_length")
    address = FORMATS.get(facts.get("format", ""))
    if address is not None:
        text = address.format(name=name)
        yield text + "x" * (least - len(text))
    for text in (f"fill-in:{name}", "fill-in:", "fill-in"):
        if most is None or len(text) <= most:
            yield text + "_" * (least - len(text))
    for pattern in filter(None, (facts.get("pattern"),)):
        yield from filter(None, (matching(pattern, least),))
    yield from (example for example in facts.get("examples", ()) if isinstance(example, str))
    default_length = least if most is None or least else min(most, 1)
    yield "x" * default_length
