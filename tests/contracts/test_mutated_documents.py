"""Bundled contracts with parts replaced by odd ones: an answer in JSON, or one error in words, and nothing else."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path

import pytest

from mediakit import contracts
from mediakit.contracts import ContractError, listing
from mediakit.contracts.summary import summary
from mediakit.services import catalogue, conventions

ODD = [
    None, True, False, 0, -1, 1.5, 1e308, 10**300, "", "x", "#", "#/", "/", "{", "\ud800", [], {}, [[]], {"": {}},
    {"$ref": "#"}, {"$ref": "#/components"}, {"$ref": 5}, ["string", "null"], {"type": []}, {"enum": []},
    {"enum": [{}, [], None]}, {"default": {"properties": {"a": {"title": []}}}}, {"pattern": "("}, {"allOf": [{}]},
    {"patternProperties": {"(": True, "^a": {"type": "string"}}}, {"required": ["a", "a"]}, {"oneOf": [True, False]},
    {"discriminator": {"propertyName": "x", "mapping": {"a": "#/nope"}}}, {"not": {}}, {"if": True, "then": False},
    {"items": [{}, True]}, {"type": "array", "minItems": 70, "uniqueItems": True, "items": {"type": "boolean"}},
    {"multipleOf": 1e-320}, {"minimum": 5, "maximum": 1}, {"const": {"a": [1, True]}}, {"minLength": 10**12},
    {"dependentSchemas": {"a": False}}, {"dependentRequired": {"a": ["b"]}}, {"format": "uuid", "pattern": "^x$"},
    {"contains": {}, "minContains": 0, "maxContains": 0}, {"properties": {"a": {"readOnly": True}}, "required": ["a"]},
    {"x-file": {"ratio": [1]}}, {"additionalProperties": {"type": "string"}, "minProperties": 3},
    {"prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False}, {"unevaluatedProperties": False},
    {"nullable": True, "enum": ["a"]}, {"exclusiveMinimum": True, "minimum": 3}, {"$dynamicRef": "#x"},
    {"propertyNames": {"pattern": "^z"}, "minProperties": 1}, {"properties": {"": {"type": "string"}}, "required": [""]},
]  # fmt: skip
MUTATIONS = 30
OPERATIONS = 5


def places(node, found):
    """(container, key) of every value in a document."""
    for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        found.append((node, key))
        places(node[key], found)
    return found


def mutated(document, chance):
    changed, parts = copy.deepcopy(document), places(document, [])
    where = places(changed, [])
    for _ in range(chance.choice([1, 1, 3, 10, 40])):
        container, key = chance.choice(where)
        odd = chance.choice(ODD) if chance.random() < 0.7 else chance.choice(parts)[0]
        if isinstance(container, list) and key >= len(container):
            continue
        container[key] = copy.deepcopy(odd)
    return changed


def ask_everything(document, chance):
    listing.of_document(document, None, "audio", "duration")
    operations = list(document.operations())
    for listed in chance.sample(operations, min(OPERATIONS, len(operations))):
        found = contracts.operation(document, listed.endpoint)
        told = summary(found, True, chance.random() < 0.5)
        json.dumps(told, allow_nan=False)
        for payload in ({}, {"prompt": 1, "promt": "x"}, [], None, {"a": {"a": [{}]}}):
            found.check(payload)
        if told["template_valid"]:
            assert found.check(told["request_template"]).problems == []


@pytest.mark.parametrize("service", catalogue.services())
@pytest.mark.parametrize("seed", range(2))
def test_a_document_is_answered_or_refused_in_words(service, seed):
    chance = random.Random(f"{service} {seed}")
    bundled = json.loads(Path(catalogue.contract_path(service)).read_text(encoding="utf-8"))
    for _ in range(MUTATIONS):
        try:
            ask_everything(contracts.from_data(mutated(bundled, chance), conventions.of(service)), chance)
        except ContractError as error:
            assert len(error.message) < 600
