"""What a hostile document, schema or pattern costs: one clear error, or an answer, and never memory or time without end."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time

import pytest

from conftest import SCRIPTS, at_sandbox, posts, read_events
from mediakit import contracts
from mediakit.contracts import ContractError, bounds, reading

MEBIBYTE = 2**20
TEXT = {"type": "string"}


def api(schema, **more):
    body = {"requestBody": {"content": {"application/json": {"schema": schema}}}, "responses": {}}
    return {"openapi": "3.1.0", "info": {}, "paths": {"/x": {"post": body}}, **more}


def reference(name):
    return {"$ref": f"#/components/schemas/{name}"}


def chain(link, length, end=TEXT):
    """Schemas that each refer to the next, as `link` says."""
    schemas = {f"d{number}": link(reference(f"d{number + 1}")) for number in range(length)}
    return api(reference("d0"), components={"schemas": {**schemas, f"d{length}": end}})


def an_object(properties, **more):
    return {"type": "object", "properties": properties, "required": list(properties), **more}


# --- documents --------------------------------------------------------------------------------


def aliases(levels, width=9):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


def merges(levels):
    lines = ["m0: &m0 {k0: v}"]
    lines += [f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}, *m{n - 1}], k{n}: v}}" for n in range(1, levels)]
    return "\n".join(lines).encode()


DOCUMENTS = [
    ("JSON of many lists", lambda: b"[" + b"[]," * (bounds.MAX_VALUES // 2) + b"0,0]", "document_too_large"),
    ("JSON of many bytes", lambda: b'"' + b"x" * bounds.MAX_BYTES + b'"', "document_too_large"),
    ("JSON nested deep", lambda: b"[" * 500 + b" " + b"]" * 500, "document_too_deep"),
    ("JSON nested deeper", lambda: b'{"a":' * 100_000, "document_too_deep"),
    ("aliases that multiply", lambda: aliases(12), "document_too_large"),
    ("merge keys that multiply", lambda: merges(30), "document_too_large"),
    ("an alias of a long text", lambda: b'a: &a "' + b"x" * 100_000 + b'"\nb: [' + b"*a," * 9_999 + b"]", "document_too_large"),
    ("an alias of what holds it", lambda: b"a: &a [*a]", "document_unreadable"),
    ("an alias of nothing", lambda: b"a: *b", "document_unreadable"),
    ("YAML nested deep", lambda: b"".join(b" " * depth + b"a:\n" for depth in range(400)), "document_too_deep"),
    ("YAML of complex keys", lambda: b"? " * 50_000, "document_too_deep"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "code"), [row[1:] for row in DOCUMENTS], ids=[row[0] for row in DOCUMENTS])
def test_a_document_is_bounded_by_what_it_expands_to(make, code):
    with pytest.raises(ContractError) as raised:
        reading.parse(make(), "api")
    assert raised.value.code == code and len(raised.value.message) < 300


def test_documents_of_one_contract_are_bounded_together(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.json").write_bytes(b'{"x":[' + b"[]," * (bounds.MAX_VALUES // 7) + b'0],"s":{}}')
    parts = {f"p{number}": {"$ref": f"{number}.json#/s"} for number in range(4)}
    (tmp_path / "api.json").write_text(json.dumps(api(an_object(parts))))
    with pytest.raises(ContractError) as raised:
        contracts.operation(contracts.load(str(tmp_path / "api.json")), "/x").fields()
    assert raised.value.code == "document_too_large"


def test_aliases_and_merge_keys_mean_what_they_mean():
    text = b"""
        base: &base {a: 1, b: 2}
        both: {<<: [{a: 0, c: 3}, *base], b: 5}
        same: [*base, *base]
        list: &list [x, *base]
        again: *list
        quoted: {"<<": {a: 1}}
        ? &key name
        : *key
    """
    found = reading.parse(text, "api")
    assert found["both"] == {"a": 0, "b": 5, "c": 3} and found["same"] == [{"a": 1, "b": 2}] * 2
    assert found["again"] == ["x", {"a": 1, "b": 2}] and found["quoted"] == {"<<": {"a": 1}} and found["name"] == "name"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0o17", "0o17"), ("017", "017"), ("0x1F", 31), ("-7", -7), ("+7", 7), ("1_000", "1_000"), ("1e3", 1000.0),
        (".5", 0.5), ("1e999", sys.float_info.max), ("-1e999", -sys.float_info.max), (".inf", ".inf"), ("~", None),
        ("yes", "yes"), ("No", "No"), ("TRUE", True), ("2024-01-01", "2024-01-01"), ("12:30", "12:30"), ("=", "="),
        ("!!str 5", "5"), ("'5'", "5"), ("9" * 500, "9" * 500), ("!!binary YQ==", "YQ=="),
    ],
)  # fmt: skip
def test_words_and_numbers_of_yaml_are_those_of_its_core_schema(text, value):
    assert reading.parse(f"a: {text}".encode(), "api") == {"a": value}


def test_a_number_beyond_all_bounds_becomes_the_largest_there_is():
    assert reading.parse(b"[1e999, -1e999]", "api") == [sys.float_info.max, -sys.float_info.max]
    assert reading.parse(b"[" + b"9" * 100_000 + b"]", "api") == ["9" * 100_000], "text, which costs nothing to read"


# --- schemas ----------------------------------------------------------------------------------

REFUSED = [
    ("allOf twice", chain(lambda one: {"allOf": [one, one]}, 60, an_object({"a": TEXT}))),
    ("oneOf twice", chain(lambda one: {"oneOf": [one, one]}, 60, an_object({"a": TEXT}))),
    ("if, then and else", chain(lambda one: {"if": one, "then": one, "else": one}, 60)),
    ("not twice", chain(lambda one: {"not": {"allOf": [{"not": one}, {"not": one}]}}, 60)),
    ("dependentSchemas", chain(lambda one: {"dependentSchemas": {"a": one, "b": one}}, 60, an_object({"a": TEXT}))),
    ("unevaluated", chain(lambda one: {"allOf": [one], "anyOf": [one], "unevaluatedProperties": False}, 60)),
    ("a chain of references", chain(lambda one: one, 5_000)),
    ("many parts", api({"allOf": [an_object({f"p{number}": TEXT}) for number in range(5_000)]})),
    ("many variants", api({"oneOf": [an_object({"t": {"const": n}, f"q{n}": TEXT}) for n in range(3_000)]})),
    ("wide read-only", chain(lambda one: {"allOf": [one] * 300, "required": ["a"]}, 6)),
    ("a reference through itself", api({"$ref": "#/components/a/b"}, components={"a": {"$ref": "#/components/a/b"}})),
]


@pytest.mark.parametrize("document", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_schemas_that_multiply_are_one_error_whatever_is_asked(document):
    ends = set()
    for ask in (lambda found: found.template_and_validity(), lambda found: found.check({"a": "x", "b": "y"})):
        try:
            ask(contracts.operation(contracts.from_data(document), "/x"))
        except ContractError as error:
            ends.add(error.code)
    assert ends and ends <= {"document_too_large", "document_too_deep", "reference_circular"}


HUGE = 3_000_000_000
ANSWERED = [
    ("a text of gigabytes", {"type": "string", "minLength": HUGE}),
    ("a list of gigabytes", {"type": "array", "minItems": HUGE, "items": TEXT}),
    ("an object of gigabytes", {"type": "object", "minProperties": HUGE, "additionalProperties": TEXT}),
    ("numbers that no float holds", {"type": "number", "minimum": 10**399, "maximum": 10**399 + 1}),
    ("a step that divides nothing", {"type": "number", "multipleOf": 5e-324, "minimum": 1e308}),
    ("a step beside its limit", {"type": "number", "multipleOf": 1e-300, "exclusiveMinimum": 1}),
    ("long lists of values", {"allOf": [{"enum": list(range(50_000))}, {"enum": list(range(9, 50_000))}]}),
    ("a long description", {"type": "string", "description": "a b " * MEBIBYTE}),
    ("a deep default", {"default": json.loads("[" * 150 + "]" * 150)}),
    ("properties twice", chain(lambda one: an_object({"a": one, "b": one}), 60)["components"]["schemas"]),
]


@pytest.mark.parametrize("schema", [row[1] for row in ANSWERED], ids=[row[0] for row in ANSWERED])
def test_absurd_numbers_are_answered_in_few_words(schema):
    document = api(an_object({"f": schema}))
    if "d0" in schema:
        document = api(reference("d0"), components={"schemas": schema})
    found = contracts.operation(contracts.from_data(document), "/x")
    value, fill_in, valid = found.template_and_validity()
    assert len(json.dumps([value, fill_in])) < 300_000
    assert valid or fill_in, "a template that does not validate says why"
    found.check({"f": "x"})


def test_a_payload_nested_beyond_reason_is_a_problem_and_no_crash():
    found = contracts.operation(contracts.from_data(api(an_object({"f": {}}))), "/x")
    deep = json.loads("[" * 900 + "]" * 900)
    assert "levels" in found.check({"f": deep}).problems[0]["message"]


# --- whole commands ---------------------------------------------------------------------------

MEMORY = 512 * MEBIBYTE
_LIMITED = (
    f"import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY})); sys.argv = sys.argv[1:];"
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)
HEAVY = [
    ("lists", lambda: b"[" + b"[]," * (bounds.MAX_VALUES // 2 - 9) + b"0]"),
    ("objects", lambda: b"[" + b",".join(b'{"k%06d":0}' % n for n in range(bounds.MAX_VALUES // 2 - 9)) + b"]"),
    ("wide text", lambda: b'["' + "\U0001f600".encode() + b"a" * (bounds.MAX_BYTES - 20) + b'"]'),
    ("a long description", lambda: json.dumps(api(an_object({"a": {"description": "a b " * 7 * MEBIBYTE}}))).encode()),
    ("a long name", lambda: json.dumps(api(an_object({"n" * 5 * MEBIBYTE: TEXT}))).encode()),
    ("many fields", lambda: json.dumps(api(an_object({f"p{n}": TEXT for n in range(40_000)}))).encode()),
    ("anchors", lambda: b"".join(b"- &a%d x\n" % n for n in range(200_000))),
]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of an address space is Linux's")
@pytest.mark.parametrize("make", [row[1] for row in HEAVY], ids=[row[0] for row in HEAVY])
def test_no_document_takes_half_a_gigabyte(tmp_path, make):
    path = tmp_path / "api"
    path.write_bytes(make())
    script = [sys.executable, "-c", _LIMITED, str(SCRIPTS / "inspect_openapi.py"), "--openapi", str(path)]
    done = subprocess.run([*script, "--endpoint", "/x", "--include-template"], capture_output=True, timeout=120)
    result = read_events(done.stdout)[-1]
    assert result["event"] == "contract" or result["error"].startswith("document_"), result


def test_an_evil_pattern_that_was_kept_outlives_no_deadline(scripts, sandbox):
    model = "kling-ai/v3/video"
    evil = api({"type": "object", "properties": {"prompt": {"type": "string", "pattern": "^(a+)+$"}}})
    kept = scripts.folder / "state" / "live" / sandbox.service
    kept.mkdir(parents=True, mode=0o700)
    (scripts.folder / "state").chmod(0o700)
    kept_now = {"fetched_at": time.time(), "document": evil}
    (kept / f"{hashlib.sha256(model.encode()).hexdigest()[:24]}.json").write_text(json.dumps(kept_now))
    create = ("create_and_wait.py", *at_sandbox(sandbox), "--model", model, "--prompt", "a" * 60 + "!")
    run = scripts.run(*create, "--deadline", "30")
    assert run.code == 0 and posts(sandbox) == 1, "it was not given up in time"
    warning = next(event for event in run.events if event.get("code") == "contract_incomplete")
    assert "pattern" in warning["message"]
