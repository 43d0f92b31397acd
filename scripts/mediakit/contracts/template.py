"""A request that validates: required fields and valid defaults, and what is still to be filled in.

Values that the contract does not fix are placeholders (see placeholders.py), which no create sends.
Where only the form can be met (a short code, a number, one of several allowed words), the value stands
for itself: `fill_in` lists it all the same, with the reason and without `placeholder`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from . import bounds, fillers
from .explain import Check, explain
from .facts import Choice, Facts, View
from .fillers import Filled
from .judge import Fault, Judge
from .placeholders import dotted
from .values import same
from .variants import Variant, variants

MAX_CHOICES = 24
MAX_NESTING = 12
MAX_REPAIRS = 10
MAX_ITEMS = 64
MAX_TOLD = 5


def build(view: View, variant: Variant | None = None, given: dict | None = None) -> tuple[Any, list[dict], bool]:
    """(template, fill_in, valid) of the view's root, for one variant of it or for the first.

    given  fields of the root whose values are known already

    fill_in is a list of {path, why, placeholder?, example?}. The template is checked against the whole schema;
    valid is False only where no value was found that passes; what is wrong with it then ends fill_in.
    """
    maker = _Maker(view)
    known = view.facts(view.root).get("properties", {})
    given = {name: value for name, value in (given or {}).items() if name in known}
    found = variants(view, view.root)
    order: list[Variant | None] = [variant] if variant else [*found] or [None]
    last: Filled | None = None
    for wanted in order[:MAX_CHOICES]:
        schema = wanted.schema if wanted else view.root
        filled = maker.best(schema, (), wanted.choice if wanted else {}, {**given, **_constant(wanted)})
        if filled is not None and maker.is_valid(view.root, filled.value):
            return filled.value, _fill_in(filled), True
        last = last or filled
    last = last or Filled({}, {})
    found_wrong = maker.wrong_with(last.value)
    return last.value, _fill_in(last) + found_wrong, not found_wrong


def _constant(variant: Variant | None) -> dict[str, Any]:
    return {variant.field: variant.value} if variant and variant.field else {}


def _fill_in(filled: Filled) -> list[dict]:
    return [{"path": dotted(path), **note} for path, note in filled.notes.items()]


class _Maker:
    """Makes values for schemas of one view, and checks each before it is used."""

    def __init__(self, view: View):
        self.view = view
        self._judge = Judge(view.root, bounds.Work("Making a template"))

    def is_valid(self, schema: Any, value: Any) -> bool:
        return self._judge.fits(value, schema)

    def wrong_with(self, value: Any) -> list[dict]:
        """What does not fit the root, as lines of fill_in."""
        found = Check()
        for fault in itertools.islice(self._judge.faults(value), MAX_TOLD):
            explain(self.view, fault, found)
        return [{"path": one["path"], "why": f"no fitting value was found: {one['message']}"} for one in found.problems]

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
        """Every list of branches that applies to the value, those inside chosen branches included."""
        found: dict[int, list] = {}
        pending = [schema]
        while pending:
            for group in self.view.groups(pending.pop()):
                if id(group) not in found:
                    found[id(group)] = group
                    pending += [group[choice[id(group)]]] if id(group) in choice else []
        return list(found.values())

    def _is_null(self, schema: Any) -> bool:
        return self.view.facts(schema).get("types") == ["null"]

    def _candidates(self, facts: Facts, schema: Any, path: tuple, given: dict) -> Iterator[Filled]:
        fixed = facts.get("allowed_values")
        if fixed or facts.get("known_values"):
            yield from fillers.fixed(facts, fixed or facts["known_values"], path)
        elif facts.get("default") is not None and not isinstance(facts["default"], (dict, list)):
            yield Filled(facts["default"], {})
        for kind in self._kinds(facts, is_body=not path):
            yield from self._of_kind(kind, facts, schema, path, given)

    @staticmethod
    def _kinds(facts: Facts, is_body: bool) -> list[str]:
        types = facts.get("types")
        if not types and ("properties" in facts or facts.get("required")):
            types = ["object"]
        elif not types and "items" in facts:
            types = ["array"]
        elif not types:
            types = ["object", "string"] if is_body else ["string", "object"]
        return sorted(types, key=lambda name: name == "null")

    def _of_kind(self, kind: str, facts: Facts, schema: Any, path: tuple, given: dict) -> Iterator[Filled]:
        if kind == "object":
            yield from self._objects(facts, schema, path, given)
        elif kind == "array":
            yield from self._arrays(facts, path)
        elif kind in ("integer", "number"):
            yield from fillers.numbers(facts, kind, path)
        elif kind == "string":
            yield from fillers.texts(facts, path)
        else:
            yield Filled(
                None if kind == "null" else False,
                {} if kind == "null" else fillers.note(path, "choose true or false", facts),
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
        required = dict.fromkeys(facts.get("required", ()))
        ordered = [name for name in properties if name in required]
        for name in [*ordered, *(name for name in required if name not in properties)]:
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
        ordered = {name: value[name] for name in facts.get("properties", {}) if name in value}
        return {**ordered, **value}

    def _repaired(self, filled: Filled, facts: Facts, schema: Any, path: tuple) -> Filled:
        """Validate, mend the first fault, again: for what `if`, `not`, dependencies and the like ask."""
        value, notes = dict(filled.value), dict(filled.notes)
        for _ in range(MAX_REPAIRS):
            fault = next(self._judge.faults(value, schema), None)
            if fault is None or not self._mend(fault, value, notes, facts, path):
                break
        return Filled(value, {at: note for at, note in notes.items() if _is_there(value, at[len(path) :])})

    def _mend(self, fault: Fault, value: dict, notes: dict, facts: Facts, path: tuple) -> bool:
        if fault.keyword in ("required", "dependentRequired") and not fault.path:
            schemas = {**facts.get("properties", {}), **self.view.facts(fault.schema).get("properties", {})}
            return all(self._put(value, notes, name, schemas.get(name, {}), path) for name in fault.names)
        if fault.keyword in ("not", "oneOf", "additionalProperties", "unevaluatedProperties", None):
            return not fault.path and self._remove_one(value, facts)
        if len(fault.path) == 1 and isinstance(fault.path[0], str):
            name = fault.path[0]
            wanted = {"allOf": [facts.get("properties", {}).get(name, {}), {fault.keyword: fault.wanted}]}
            before = value.get(name)
            return self._put(value, notes, name, wanted, path) and not same(before, value[name])
        return False

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
        yield Filled([], fillers.note(path, "required list", facts))

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
