"""Real OpenAPI documents: nothing crashes, templates validate against the real schema, nothing is lost.

The documents are not part of the project: AI_MEDIA_TEST_DATA names a folder that holds specs/.
What is compared is read here a second time, by other code than the one that is tested.
"""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from mediakit import contracts

DATA = Path(os.environ.get("AI_MEDIA_TEST_DATA", "")) / "specs"
FILES = (
    sorted(path for path in DATA.glob("*") if path.suffix in (".json", ".yaml"))
    if os.environ.get("AI_MEDIA_TEST_DATA")
    else []
)

pytestmark = pytest.mark.skipif(not FILES, reason="AI_MEDIA_TEST_DATA is not set to a folder that holds specs/")

WALKED_DEPTH = 4


def read(path):
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8"))
    import yaml

    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def resolved(root, node):
    while isinstance(node, dict) and isinstance(node.get("$ref"), str):
        value = root
        for token in node["$ref"].split("#/", 1)[1].split("/"):
            value = value[token.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")]
        node = value
    return node


def json_body(root, raw):
    """The schema of an operation's JSON body as it stands in the document, or None."""
    for parameter in raw.get("parameters", ()) if "swagger" in root else ():
        parameter = resolved(root, parameter)
        if parameter.get("in") == "body" and "application/json" in raw.get(
            "consumes", root.get("consumes", ["application/json"])
        ):
            return parameter["schema"]
    content = (resolved(root, raw.get("requestBody")) or {}).get("content", {})
    return content["application/json"].get("schema", {}) if "application/json" in content else None


def plain(node):
    """A whole document with the words of OpenAPI 3.0 said in those of JSON Schema 2020-12."""
    if isinstance(node, list):
        return [plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: plain(value) for key, value in node.items()}
    for flag, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(node.get(flag), bool):
            if node.pop(flag):
                node[flag] = node.pop(limit)
    properties = node.get("properties")
    if isinstance(properties, dict) and isinstance(node.get("required"), list):
        read_only = [
            name for name, item in properties.items() if isinstance(item, dict) and item.get("readOnly") is True
        ]
        node["required"] = [name for name in node["required"] if name not in read_only]
    if node.get("nullable") is True and isinstance(node.get("type"), str):
        node["type"] = [node["type"], "null"]
    return node


def posts(root):
    for path, item in root["paths"].items():
        item = resolved(root, item)
        if isinstance(item, dict) and isinstance(item.get("post"), dict):
            schema = json_body(root, item["post"])
            if schema is not None:
                yield f"POST {path}", schema


def is_valid(root, schema, value):
    whole = copy.copy(root)
    whole.pop("$id", None)
    whole["allOf"] = [schema]
    return Draft202012Validator(whole).is_valid(value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_operation_crashes(path):
    document = contracts.load(str(path))
    for listed in document.operations():
        found = contracts.operation(document, listed.endpoint)
        value, fill_in, _ = found.template_and_validity()
        assert json.dumps(
            [
                found.fields(),
                found.variants(),
                found.parameters(),
                value,
                fill_in,
                found.answers.status_values("prediction"),
            ]
        )
        assert all(
            found.fields(item.get("value", item.get("title")))
            for item in found.variants()
            if "value" in item or "title" in item
        )
        found.check({"promt": 1, "x": [{}]})
        assert (
            found.answers.sse_create_endpoint is None
            or "sse" in found.answers.sse_create_endpoint
            or found.answers.answers_a_stream
        )


def test_templates_validate_against_the_real_schemas(capsys):
    table = []
    for path in FILES:
        document, root = contracts.load(str(path)), plain(read(path))
        results = [
            is_valid(root, schema, contracts.operation(document, endpoint).template()[0])
            for endpoint, schema in posts(root)
        ]
        table.append((path.name, len(results), sum(results)))
    total, valid = (sum(column) for column in list(zip(*table))[1:])
    with capsys.disabled():
        lines = [f"{name:60} {count:4} {good:4}" for name, count, good in [*table, ("all", total, valid)]]
        os.write(1, ("\n" + "\n".join(lines) + "\n").encode())
    assert valid >= 0.99 * total


def walk(root, schema, path, seen, found):
    """Collects (path of names) -> {enum values, defaults} of a body, references and compositions included."""
    schema = resolved(root, schema)
    if not isinstance(schema, dict) or id(schema) in seen or len(path) > WALKED_DEPTH:
        return
    seen = seen | {id(schema)}
    entry = found.setdefault(path, {"values": [], "defaults": []})
    entry["values"] += [value for value in schema.get("enum") or () if value is not None]
    entry["values"] += [schema["const"]] if schema.get("const") is not None else []
    entry["defaults"] += [schema["default"]] if "default" in schema else []
    for key in ("allOf", "anyOf", "oneOf"):
        for branch in schema.get(key) or ():
            walk(root, branch, path, seen, found)
    if isinstance(schema.get("items"), dict):
        walk(root, schema["items"], path, seen, found)
    for name, item in (schema.get("properties") or {}).items():
        walk(root, item, (*path, name), seen, found)


def flat(rows, path, found):
    for row in rows:
        found[(*path, row["name"])] = row
        flat(row.get("fields", ()), (*path, row["name"]), found)


def is_cut(rows, path):
    return any(rows.get(path[:end], {}).keys() & {"recursive", "cut"} for end in range(1, len(path)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_field_enum_or_default_of_a_body_is_lost(path):
    document, root = contracts.load(str(path)), read(path)
    lost = []
    for endpoint, schema in posts(root):
        expected, rows = {}, {}
        walk(root, schema, (), frozenset(), expected)
        found = contracts.operation(document, endpoint)
        flat(found.fields(), (), rows)
        said = json.dumps(
            [
                found.fields(),
                [
                    found.fields(item.get("value", item.get("title")))
                    for item in found.variants()
                    if "value" in item or "title" in item
                ],
            ],
            default=str,
        )
        for names, facts in expected.items():
            if not names or is_cut(rows, names):
                continue
            row = rows.get(names)
            if row is None:
                lost.append((endpoint, names))
                continue
            values = [*row.get("allowed_values", ()), *row.get("known_values", ())]
            lost += [(endpoint, names, value) for value in facts["values"] if str(value) not in map(str, values)]
            lost += [
                (endpoint, names, value)
                for value in facts["defaults"]
                if "default" not in row and json.dumps(value, default=str) not in said
            ]
    assert not lost, lost[:10]
