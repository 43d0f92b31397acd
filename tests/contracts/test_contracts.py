"""mediakit.contracts: dialects, references, fields, variants, templates, checks."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mediakit import contracts
from mediakit.contracts import ContractError, is_placeholder
from mediakit.contracts.conventions import Conventions
from mediakit.contracts.names import near_miss
from mediakit.services import catalogue, providers


def document(schema, version="3.1.0", **more):
    body = {"requestBody": {"content": {"application/json": {"schema": schema}}}, "responses": {}}
    return {"openapi": version, "info": {}, "paths": {"/x": {"post": {**body, **more.pop("operation", {})}}}, **more}


def operation(schema, endpoint="/x", **more):
    return contracts.operation(contracts.from_data(document(schema, **more)), endpoint)


def fields(schema, **more):
    return {row["name"]: row for row in operation(schema, **more).fields()}


def problems(schema, payload, **more):
    return {problem["path"]: problem for problem in operation(schema, **more).check(payload).problems}


OBJECT = {
    "type": "object",
    "properties": {
        "prompt": {"type": "string"},
        "duration": {"type": "integer", "minimum": 3, "maximum": 15, "default": 5},
    },
    "required": ["prompt"],
}


# --- dialects ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "nullable": True}, {"type": "string", "nullable": True}),
        ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
        ({"type": ["string", "integer"]}, {"type": "string | integer"}),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, {"type": "integer", "nullable": True}),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, {"exclusive_min": 0}),
        ({"type": "number", "exclusiveMaximum": 2}, {"exclusive_max": 2}),
        ({"const": "a"}, {"type": "string", "allowed_values": ["a"]}),
        (
            {"allOf": [{"$ref": "#/components/schemas/Size"}], "default": "1K"},
            {"allowed_values": ["1K", "2K"], "default": "1K"},
        ),
        (
            {"$ref": "#/components/schemas/Size", "description": "How large"},
            {"description": "How large", "allowed_values": ["1K", "2K"]},
        ),
        ({"anyOf": [{"enum": ["a"]}, {"type": "string"}]}, {"known_values": ["a"]}),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, {"type": "array<string>", "allowed_values": ["a", "b"]}),
        ({"type": "string", "pattern": r"^\p{L}+$"}, {"pattern": r"^\p{L}+$"}),
        ({"enum": ["a"], "x-complete": False, "x-named-values": ["b"]}, {"known_values": ["a", "b"]}),
        ({"type": "file"}, {"type": "string", "takes_file": "file"}),
    ],
)
def test_a_field_is_read_the_same_in_every_dialect(schema, expected):
    components = {"schemas": {"Size": {"type": "string", "enum": ["1K", "2K"]}}}
    found = fields({"type": "object", "properties": {"f": schema}}, components=components)["f"]
    assert {key: found.get(key) for key in expected} == expected


def test_a_field_without_a_type_shows_none():
    assert "type" not in fields({"properties": {"f": {}}})["f"]


def test_read_only_fields_are_marked_and_not_required():
    schema = {
        "properties": {"id": {"type": "string", "readOnly": True}, "p": {"type": "string"}},
        "required": ["id", "p"],
    }
    assert fields(schema)["id"]["read_only"] and not fields(schema)["id"]["required"]
    assert operation(schema).template()[0] == {"p": "fill-in:p"}
    assert operation(schema).check({"p": "x", "id": "y"}).warnings[0]["path"] == "id"


SWAGGER = {
    "swagger": "2.0",
    "host": "h.example",
    "basePath": "/v2",
    "schemes": ["https"],
    "consumes": ["application/json"],
    "definitions": {"Body": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}},
    "paths": {
        "/body": {
            "post": {
                "parameters": [{"in": "body", "name": "b", "schema": {"$ref": "#/definitions/Body"}}],
                "responses": {},
            }
        },
        "/form": {
            "post": {
                "consumes": ["multipart/form-data"],
                "parameters": [{"in": "formData", "name": "image", "type": "file", "required": True}],
                "responses": {},
            }
        },
    },
}


def test_swagger_bodies_and_forms_are_bodies():
    read = contracts.from_data(SWAGGER)
    body, form = contracts.operation(read, "/body"), contracts.operation(read, "/form")
    assert (body.request_schema, body.template()[0], body.server_url) == ("Body", {"a": 1}, "https://h.example/v2")
    assert (form.content_type, form.fields()[0]["takes_file"]) == ("multipart/form-data", "image")


def test_a_bare_path_item_is_a_document_of_one_operation():
    item = {"servers": [{"url": "https://h.example/api/v1/m"}], "post": document(OBJECT)["paths"]["/x"]["post"]}
    found = contracts.operation(contracts.from_data(item), "POST /")
    assert found.server_url == "https://h.example/api/v1/m" and found.template()[0]["duration"] == 5


# --- references -------------------------------------------------------------------------------


def test_a_recursive_type_is_cut_in_fields_and_still_checked():
    node = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "child": {"$ref": "#/components/schemas/Node"}},
        "required": ["name"],
    }
    components = {"schemas": {"Node": node}}
    reference = {"$ref": "#/components/schemas/Node"}
    child = fields(reference, components=components)["child"]
    assert child["fields"][0]["name"] == "name" or child["recursive"]
    assert "child.child.name" in problems(
        reference, {"name": "a", "child": {"name": "b", "child": {}}}, components=components
    )
    assert operation(reference, components=components).template()[0] == {"name": "fill-in:name"}


@pytest.mark.parametrize(
    ("schemas", "code"),
    [
        ({}, "reference_broken"),
        ({"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}}, "reference_circular"),
        ({"A": {"allOf": [{"$ref": "#/components/schemas/A"}]}}, "reference_circular"),
        ({"A": {"$ref": "http://elsewhere.example/a.json"}}, "reference_forbidden"),
    ],
)
def test_a_reference_that_cannot_be_followed_is_named(schemas, code):
    with pytest.raises(ContractError) as raised:
        operation({"$ref": "#/components/schemas/A"}, components={"schemas": schemas}).fields()
    assert raised.value.code == code


def test_a_base_class_that_lists_its_subclasses_is_no_endless_circle():
    schemas = {
        "Base": {
            "type": "object",
            "properties": {"kind": {"type": "string"}},
            "oneOf": [{"$ref": "#/components/schemas/Cat"}],
        },
        "Cat": {"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"claws": {"type": "integer"}}}]},
    }
    assert "claws" in fields({"$ref": "#/components/schemas/Cat"}, components={"schemas": schemas})


def test_files_are_read_inside_the_folder_only(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "secret.json"
    inside.mkdir()
    outside.write_text('{"type":"object"}')
    (inside / "body.json").write_text(json.dumps(OBJECT))
    (inside / "link.json").symlink_to(outside)
    for target, code in (("body.json", None), ("../secret.json", "reference_forbidden"), ("link.json", "reference_forbidden"),
                         ("file:///etc/hostname", "reference_forbidden"), ("none.json", "reference_broken")):  # fmt: skip
        (inside / "api.json").write_text(json.dumps(document({"$ref": target})))
        found = contracts.operation(contracts.load(str(inside / "api.json")), "/x")
        if code is None:
            assert found.fields()[0]["name"] == "prompt"
        else:
            with pytest.raises(ContractError) as raised:
                found.fields()
            assert raised.value.code == code


def test_a_url_document_reads_its_own_origin_only():
    pages = {
        "https://h.example/a/api.json": document({"$ref": "body.json"}),
        "https://h.example/a/body.json": OBJECT,
        "https://h.example/b/api.json": document({"$ref": "https://other.example/body.json"}),
        "https://h.example/c/api.json": document({"$ref": "file:///etc/passwd"}),
    }
    asked = []

    def fetch(url):
        asked.append(url)
        return url, json.dumps(pages[url]).encode()

    assert (
        contracts.operation(contracts.load("https://h.example/a/api.json", fetch), "/x").fields()[0]["name"] == "prompt"
    )
    for folder in "bc":
        with pytest.raises(ContractError) as raised:
            contracts.operation(contracts.load(f"https://h.example/{folder}/api.json", fetch), "/x").fields()
        assert raised.value.code == "reference_forbidden"
    assert not [url for url in asked if "other.example" in url or url.startswith("file")]


def test_pointers_are_unescaped_and_anchors_found():
    components = {"schemas": {"a/b~c d": {"type": "integer"}, "N": {"$anchor": "here", "type": "boolean"}}}
    found = fields(
        {"properties": {"p": {"$ref": "#/components/schemas/a~1b~0c%20d"}, "q": {"$ref": "#here"}}},
        components=components,
    )
    assert (found["p"]["type"], found["q"]["type"]) == ("integer", "boolean")


REFERENCES = [
    ("#/components/schemas/a~1b~0c", "a/b~c"),
    ("#/components/schemas/List%7BFoo%7D%20x", "List{Foo} x"),
    ("#/components/schemas/List{Foo} x", "List{Foo} x"),
    ("#/components/schemas/%2Fv1%2Fx", "/v1/x"),
    ("#/components/schemas/~1v1~1%7Bid%7D", "/v1/{id}"),
    ("#/components/schemas/A%7BB", "A%7BB"),
    ("#/components/schemas/100%25", "100%"),
    ("#/components/schemas/Seite%C2%ABFoo%C2%BB", "Seite«Foo»"),
    ("#/components/schemas/~01", "~1"),
]


@pytest.mark.parametrize(("reference", "name"), REFERENCES)
def test_a_reference_finds_its_name_however_it_is_encoded(reference, name):
    found = operation({"$ref": reference}, components={"schemas": {name: OBJECT}})
    assert found.template()[0] == {"prompt": "fill-in:prompt", "duration": 5}


def test_a_field_that_is_required_and_never_described_is_a_field():
    found = operation({"type": "object", "properties": {"a": {}}, "required": ["b"], "additionalProperties": False})
    assert [row["name"] for row in found.fields()] == ["a", "b"]
    assert not [one for one in found.check({"b": 1}).problems if "did you mean" in one["message"]]


def test_a_field_may_have_no_name():
    assert operation({"properties": {"": {"type": "string"}}}).fields()[0]["name"] == ""


BODIES = [
    (True, {}),
    ({"type": "any"}, {}),
    ({"type": "object", "properties": {"a": True, "b": False}, "required": ["a"]}, {"a": "fill-in:a"}),
    ({"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"]}, {"a": None}),
    ({"items": {"type": "string"}, "minItems": 1}, ["fill-in:value"]),
    (
        {"type": "object", "properties": {"a": {"type": "number", "multipleOf": 0.1, "exclusiveMinimum": 0.2}}, "required": ["a"]},
        {"a": 0.3},
    ),
    ({"type": "object", "properties": {"a": {"type": "string", "maxLength": 2.0}}, "required": ["a"]}, {"a": "x"}),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "template"), BODIES)
def test_a_body_of_any_kind_has_a_template(schema, template):
    value, _, valid = operation(schema).template_and_validity()
    assert valid and value == template


# --- YAML -------------------------------------------------------------------------------------


def test_yaml_says_what_json_would(tmp_path):
    path = tmp_path / "api.yaml"
    path.write_text(
        "openapi: 3.1.0\ninfo: {}\npaths:\n  /x:\n    post:\n      requestBody:\n        content:\n          application/json:\n"
        "            schema:\n              properties:\n                on: {enum: [on, off, yes, 2024-01-01, 1:30]}\n"
        "                'n': {type: integer, default: 1}\n      responses:\n        200: {description: ok}\n        422: {description: no}\n"
    )
    found = contracts.operation(contracts.load(str(path)), "/x")
    assert {row["name"] for row in found.fields()} == {"on", "n"}
    assert found.fields()[0]["allowed_values"] == ["on", "off", "yes", "2024-01-01", "1:30"]
    assert found.answers.error_status_codes == [422]


def test_yaml_that_multiplies_itself_is_bounded(tmp_path):
    lines = ["openapi: 3.1.0", "info: {}", "x0: &x0 {type: object, properties: {a: {type: string}}}"]
    lines += [f"x{n}: &x{n} {{allOf: [{', '.join([f'*x{n - 1}'] * 9)}]}}" for n in range(1, 12)]
    lines += ["paths: {/x: {post: {responses: {}, requestBody: {content: {application/json: {schema: *x11}}}}}}"]
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(ContractError) as raised:
        contracts.operation(contracts.load(str(path)), "/x").fields()
    assert raised.value.code == "document_too_large"


# --- operations -------------------------------------------------------------------------------

PATHS = {
    "openapi": "3.1.0",
    "info": {},
    "servers": [{"url": "https://{region}.h.example/api/v1", "variables": {"region": {"default": "eu"}}}],
    "paths": {
        "/generation/a/b": {"post": {"responses": {}}},
        "/generation/sse/a/b": {"post": {"responses": {}}},
        "/generation/c": {"post": {"responses": {"4XX": {}, "default": {}, "200": {}, "402": {}}}},
        "/v1/models/{owner}/{name}": {"post": {"responses": {}}},
        "/v1/models/{owner}/special": {"post": {"responses": {}}},
        "/generation/{id}": {"get": {"responses": {}}},
    },
}


HABITS = Conventions((("/generation/", "/generation/sse/"),), ("/generation/{id}",))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("POST /generation/a/b", "POST /generation/a/b"),
        ("generation/a/b", "POST /generation/a/b"),
        ("/v1/generation/a/b", "POST /generation/a/b"),
        ("/api/v1/generation/a/b", "POST /generation/a/b"),
        ("https://eu.h.example/api/v1/generation/a/b?x=1", "POST /generation/a/b"),
        ("/generation/sse/a/b", "POST /generation/sse/a/b"),
        ("/generation/sse/c", "POST /generation/c"),
        ("/models/black/flux", "POST /v1/models/{owner}/{name}"),
        ("/models/black/special", "POST /v1/models/{owner}/special"),
        ("get /generation/{request_id}", "GET /generation/{id}"),
    ],
)
def test_an_endpoint_is_found_by_what_people_call_it(asked, expected):
    assert contracts.operation(contracts.from_data(PATHS, HABITS), asked).endpoint == expected


def test_endpoint_facts_are_only_those_of_the_document():
    read = contracts.from_data(PATHS, HABITS)
    streams, polls = contracts.operation(read, "/generation/a/b"), contracts.operation(read, "/generation/c")
    assert (
        streams.answers.sse_create_endpoint == "POST /generation/sse/a/b" and polls.answers.sse_create_endpoint is None
    )
    assert streams.answers.poll_endpoint == "/generation/{id}" and streams.server_url == "https://eu.h.example/api/v1"
    assert polls.answers.error_status_codes == [402] and polls.answers.error_status_ranges == ["4XX", "default"]


def test_no_service_s_paths_are_known_without_its_habits():
    found = contracts.operation(contracts.from_data(PATHS), "/generation/a/b")
    assert found.answers.sse_create_endpoint is None and found.answers.polling_create_endpoint == "POST /generation/a/b"
    prefixes = {
        path.partition("{")[0]
        for service in catalogue.services()
        for route in providers.load(service).routes
        for path in (route.path, route.stream_path)
        if path and path.partition("{")[0].strip("/")
    }
    sources = Path(contracts.__file__).parent.glob("*.py")
    # A path in a message or a docstring is an example.
    code = " ".join(
        node.value
        for source in sources
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value
    )
    assert prefixes and not [prefix for prefix in prefixes if prefix in code]


def test_operations_that_differ_after_the_path_are_told_apart():
    posts = {
        f"/x{more}": {"post": {"summary": more, "responses": {}}} for more in ("?Action=A", "?Action=B", "#a", "#b")
    }
    read = contracts.from_data({"openapi": "3.1.0", "info": {}, "paths": posts})
    for path, item in posts.items():
        assert contracts.operation(read, f"POST {path}").summary == item["post"]["summary"]
        assert contracts.operation(read, f"https://h.example{path}").endpoint == f"POST {path}"


def test_an_unknown_endpoint_names_what_is_near():
    with pytest.raises(ContractError) as raised:
        contracts.operation(contracts.from_data(PATHS), "PUT /generation/a/b")
    assert raised.value.code == "endpoint_not_found" and "POST /generation/a/b" in raised.value.message


# --- variants ---------------------------------------------------------------------------------


def branch(value, name):
    return {"properties": {"feature": {"const": value}, name: {"type": "string"}}, "required": ["feature", name]}


VARIANTS = {"oneOf": [branch("text", "prompt"), branch("frames", "first_frame_url")]}


def test_variants_are_told_apart_by_their_constant():
    found = operation(VARIANTS)
    assert [(item["field"], item["value"]) for item in found.variants()] == [("feature", "text"), ("feature", "frames")]
    assert {row["name"] for row in found.fields()} == {"feature", "prompt", "first_frame_url"}
    assert {row["name"] for row in found.fields("frames")} == {"feature", "first_frame_url"}
    assert found.template()[0] == {"feature": "text", "prompt": "fill-in:prompt"}
    assert found.template("frames")[0]["feature"] == "frames"
    with pytest.raises(ContractError):
        found.fields("nothing")


def test_problems_are_those_of_the_variant_that_was_meant():
    assert set(problems(VARIANTS, {"feature": "frames"})) == {"first_frame_url"}
    assert (
        "only to feature=text"
        in problems(VARIANTS, {"feature": "frames", "first_frame_url": "x", "prompt": "y"})["prompt"]["message"]
    )


# --- check ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "path", "word"),
    [
        ({"promt": "x", "prompt": "y"}, "promt", "not a field"),
        ({}, "prompt", "required"),
        ({"prompt": 1}, "prompt", "expected string"),
        ({"prompt": "x", "duration": 99}, "duration", "most is 15"),
        ({"prompt": "x", "duration": True}, "duration", "a boolean"),
        ([], "", "an array"),
    ],
)
def test_a_problem_names_the_field_and_what_is_allowed(payload, path, word):
    assert word in problems(OBJECT, payload)[path]["message"]


def test_a_message_never_repeats_a_long_payload():
    found = operation({"properties": {"size": {"enum": ["1K", "2K"]}}}).check({"size": "s" * 5000})
    assert all(len(problem["message"]) < 200 for problem in found.problems)


@pytest.mark.parametrize("how", [{"operation": {"x-complete": False}}, {}])
def test_an_open_or_incomplete_contract_refuses_only_a_near_miss(how):
    schema = OBJECT if how else {**OBJECT, "additionalProperties": True}
    found = operation(schema, **how).check({"prompt": "x", "durration": 5, "watermark": True})
    assert [problem["nearest"] for problem in found.problems] == ["duration"]
    assert [warning["path"] for warning in found.warnings] == ["watermark"]


def test_a_nested_object_refuses_a_near_miss_and_warns_of_the_rest():
    schema = {"properties": {"camera": {"type": "object", "properties": {"zoom": {"type": "number"}}}}}
    found = operation(schema).check({"camera": {"zooom": 1, "tilt": 2}})
    assert [problem["path"] for problem in found.problems] == ["camera.zooom"]
    assert [warning["path"] for warning in found.warnings] == ["camera.tilt"]


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("promt", "prompt", "prompt"),
        ("aspectRatio", "aspect_ratio", "aspect_ratio"),
        ("image", "image_url", "image_url"),
        ("last_frame_url", "first_frame_url", None),
        ("negative_prompt", "prompt", None),
        ("watermark", "prompt", None),
    ],
)
def test_near_misses(name, known, near):
    assert near_miss(name, [known]) == near


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "schema", "kind"),
    [
        ("image_url", {"type": "string"}, "image"),
        ("input_images", {"type": "array", "items": {"type": "string", "format": "uri"}}, "image"),
        ("mask", {"type": "string", "format": "binary"}, "image"),
        ("upload", {"type": "string", "format": "binary"}, "file"),
        ("video", {"type": "string", "description": "URL of the clip"}, "video"),
        ("firstFrameUrl", {"type": "string", "format": "uri"}, "image"),
        ("source", {"type": "string", "contentMediaType": "audio/wav"}, "audio"),
        ("photo", {"x-media": "image"}, "image"),
        ("callback_url", {"type": "string", "format": "uri"}, None),
        ("image_size", {"type": "string", "enum": ["1K"]}, None),
        ("video_length", {"type": "integer"}, None),
        ("image_format", {"type": "string"}, None),
    ],
)
def test_a_field_takes_a_file_when_the_contract_says_so(name, schema, kind):
    assert fields({"properties": {name: schema}})[name].get("takes_file") == kind


# --- templates --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 40},
        {"type": "string", "maxLength": 3},
        {"type": "string", "pattern": "^#[0-9a-f]{6}$"},
        {"type": "string", "pattern": "^models/[^/]+$"},
        {"type": "string", "format": "uri"},
        {"type": "string", "format": "date-time"},
        {"type": "integer", "multipleOf": 8, "minimum": 100},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.1},
        {"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 3, "uniqueItems": True},
        {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True},
        {"oneOf": [{"type": "integer"}, {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}]},
        {"allOf": [{"properties": {"a": {"type": "string"}}}, {"required": ["a"]}]},
        {"type": "object", "minProperties": 1, "properties": {"a": {"type": "integer"}}},
        {"type": "object", "properties": {"a": {}, "b": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"properties": {"a": {"default": 1}, "b": {"type": "string"}}, "dependentRequired": {"a": ["b"]}},
        {"properties": {"a": {"default": 1}, "b": {"default": 2}}, "not": {"required": ["a", "b"]}},
        {
            "properties": {"kind": {"enum": ["x", "y"]}, "z": {"type": "integer"}},
            "required": ["kind"],
            "if": {"properties": {"kind": {"const": "x"}}},
            "then": {"required": ["z"]},
        },
        {"properties": {"n": {"type": "integer", "maximum": 3, "default": 9}}},
    ],
)
def test_a_template_validates(schema):
    wrapped = {"type": "object", "properties": {"f": schema}, "required": ["f"]}
    for body in (wrapped, schema):
        if body is wrapped or "properties" in schema or "allOf" in schema:
            found = operation(body)
            value, _, valid = found.template_and_validity()
            assert valid
            Draft202012Validator(body).validate(value)


def test_whatever_the_caller_has_to_supply_is_listed_and_known_again():
    schema = {
        "properties": {
            "prompt": {"type": "string"},
            "image_url": {"type": "string", "format": "uri"},
            "n": {"type": "integer", "default": 1},
        },
        "required": ["prompt", "image_url"],
    }
    value, fill_in = operation(schema).template()
    assert value == {"prompt": "fill-in:prompt", "image_url": "https://fill-in.invalid/image_url", "n": 1}
    assert [item["path"] for item in fill_in] == ["prompt", "image_url"] == contracts.unfilled(value)
    assert not is_placeholder("a boat that fills in the harbour")


def test_an_example_is_shown_and_never_sent():
    value, fill_in = operation(
        {"properties": {"prompt": {"type": "string", "example": "a cat"}}, "required": ["prompt"]}
    ).template()
    assert value == {"prompt": "fill-in:prompt"} and fill_in[0]["example"] == "a cat"


SCALARS = st.one_of(
    st.builds(
        lambda low, span: {"type": "integer", "minimum": low, "maximum": low + span},
        st.integers(-99, 99),
        st.integers(0, 9),
    ),
    st.builds(
        lambda low, span: {"type": "string", "minLength": low, "maxLength": low + span},
        st.integers(0, 30),
        st.integers(0, 9),
    ),
    st.builds(
        lambda values: {"enum": values}, st.lists(st.sampled_from(["a", "b", 1, None, True]), min_size=1, max_size=3)
    ),
    st.builds(
        lambda step: {"type": "number", "multipleOf": step, "exclusiveMinimum": 0}, st.sampled_from([1, 2, 8, 0.5])
    ),
    st.sampled_from([{"type": "boolean"}, {"type": "string", "format": "uri"}, {}, {"type": ["null", "string"]}]),
)


def _containers(inner):
    names = st.sampled_from(["prompt", "size", "image_url"])
    objects = st.dictionaries(names, inner, max_size=3)
    return st.one_of(
        st.builds(lambda found: {"type": "object", "properties": found, "required": sorted(found)[:2]}, objects),
        st.builds(lambda item, least: {"type": "array", "items": item, "minItems": least}, inner, st.integers(0, 2)),
        st.builds(lambda found: {"anyOf": found}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda one: {"allOf": [one]}, inner),
    )


@settings(max_examples=80)
@given(st.recursive(SCALARS, _containers, max_leaves=8))
def test_the_template_of_any_plain_schema_validates_against_it(schema):
    body = {"type": "object", "properties": {"f": schema}, "required": ["f"]}
    value, _, valid = operation(body).template_and_validity()
    assert valid and Draft202012Validator(body).is_valid(value)


@settings(max_examples=80)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda one: st.lists(one) | st.dictionaries(st.text(max_size=9), one),
        max_leaves=12,
    )
)
def test_no_document_and_no_payload_crash(value):
    operation(OBJECT).check(value)
    try:
        found = operation(value)
        found.fields(), found.variants(), found.template(), found.check({"prompt": value})
        contracts.from_data(value)
    except ContractError:
        pass
