"""mediakit.contracts.judge: held to jsonschema, but for what it does otherwise on purpose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mediakit.contracts import ContractError
from mediakit.contracts.bounds import Work
from mediakit.contracts.judge import Judge

NAMES = st.sampled_from(["a", "b", "ab", "c"])
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, -0.0, 1e300, "", "a", "ab", "é"])
VALUES = st.recursive(
    SCALARS, lambda one: st.lists(one, max_size=3) | st.dictionaries(NAMES, one, max_size=3), max_leaves=8
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])
SMALL = st.integers(0, 3)

_KEYWORDS = {
    "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
    "enum": st.lists(VALUES, min_size=1, max_size=3),
    "const": VALUES,
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), st.integers(-2, 2) | st.just(0.5)),
    "multipleOf": st.sampled_from([1, 2, 0.5]),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), SMALL),
    "uniqueItems": st.booleans(),
    "pattern": st.sampled_from(["^a", "b$", "^$", "a|b"]),
    "required": st.lists(NAMES, max_size=2, unique=True),
    "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=2),
    "$ref": st.sampled_from(["#/$defs/text", "#/$defs/tree"]),
}
_PARTS = {
    **dict.fromkeys(
        ("not", "if", "then", "else", "items", "contains", "additionalProperties", "propertyNames",
         "unevaluatedProperties", "unevaluatedItems"), lambda one: one,
    ),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), lambda one: st.lists(one, min_size=1, max_size=3)),
    **dict.fromkeys(("properties", "dependentSchemas"), lambda one: st.dictionaries(NAMES, one, max_size=3)),
    "patternProperties": lambda one: st.dictionaries(st.sampled_from(["^a", "b$"]), one, max_size=2),
    **dict.fromkeys(("minContains", "maxContains"), lambda one: SMALL),
}  # fmt: skip


def _objects(keywords):
    return st.lists(st.sampled_from(sorted(keywords)), max_size=4, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({keyword: keywords[keyword] for keyword in chosen})
    )


SCHEMAS = st.recursive(
    st.booleans() | _objects(_KEYWORDS),
    lambda one: _objects({**_KEYWORDS, **{keyword: make(one) for keyword, make in _PARTS.items()}}),
    max_leaves=6,
)
DEFINITIONS = {"text": {"type": "string"}, "tree": {"type": "object", "additionalProperties": {"$ref": "#/$defs/tree"}}}


@given(SCHEMAS, VALUES)
def test_it_judges_as_jsonschema_does(schema, value):
    root = {"allOf": [schema], "$defs": DEFINITIONS}
    faults = list(Judge(root).faults(value))
    assert (not faults) == Draft202012Validator(root).is_valid(value), faults
    assert Judge(root).fits(value) == (not faults)


@pytest.mark.parametrize(
    ("value", "step", "fits"),
    [
        (0.3, 0.1, True), (0.7, 0.1, True), (1.1, 0.01, True), (0.35, 0.1, False), (3, 1.5, True), (1e22, 0.1, True),
        (10**30, 7, False), (5e-324, 1e308, False), (4.0, 2, True), (1e308, 5e-324, True), (float("inf"), 2, False),
    ],
)  # fmt: skip
def test_multiples_are_those_of_the_written_numbers(value, step, fits):
    assert Judge({"multipleOf": step}).fits(value) is fits


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0, False), ([1], [True]), ({"a": 0}, {"a": False}), ("1", 1), ([], {}), (None, False)],
)
def test_what_json_tells_apart_is_not_equal(one, other):
    assert not Judge({"const": one}).fits(other) and not Judge({"enum": [one]}).fits(other)
    assert Judge({"uniqueItems": True}).fits([one, other]) and not Judge({"uniqueItems": True}).fits([one, one])


def test_a_fault_says_where_it_lies_and_what_was_wanted():
    root = {"properties": {"a": {"items": {"anyOf": [{"type": "string"}, {"minimum": 3}]}}}, "required": ["a", "b"]}
    places, missing = Judge(root).faults({"a": ["x", 1]})
    assert (places.keyword, places.path, sorted(places.branches)) == ("anyOf", ("a", 1), [0, 1])
    assert [(inner.keyword, inner.path) for inner in places.branches[1]] == [("minimum", ("a", 1))]
    assert (missing.keyword, missing.names) == ("required", ["b"])


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf", "not"])
def test_schemas_that_multiply_each_other_end_in_an_error_and_not_in_hours(keyword):
    def twice(name):
        branches = [{"$ref": f"#/$defs/{name}"}] * 2
        return {"not": {"allOf": branches}} if keyword == "not" else {keyword: branches}

    definitions = {f"d{number}": twice(f"d{number + 1}") for number in range(60)}
    root = {**twice("d0"), "$defs": {**definitions, "d60": {"type": "string"}}}
    with pytest.raises(ContractError) as raised:
        list(Judge(root, Work("This", 20_000)).faults(1 if keyword in ("anyOf", "oneOf", "not") else "x"))
    assert raised.value.code == "document_too_large"
