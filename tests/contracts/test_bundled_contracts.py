"""The bundled contracts and catalogues: well-formed, traceable to a source, true to the facts they were made from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from conftest import ROOT
from mediakit.services import conventions, providers

CONTRACTS = ROOT / "assets" / "contracts"
METHODS = ("get", "put", "post", "delete", "patch")
TASKS = tuple(providers.TASKS)

# What a fact of the sources and its field in a bundled document must share, word for word.
FACTS = ("type", "enum", "const", "default", "format", "pattern", "minLength", "maxLength", "minimum", "maximum")
FACTS += ("minItems", "maxItems")
# How the sources spell the limits of a field without a printed name.
UNNAMED_FACTS = {"enum": "enum", "default": "default", "min": "minimum", "max": "maximum", "minItems": "minItems"}
UNNAMED_FACTS |= {"maxItems": "maxItems", "minLength": "minLength", "maxLength": "maxLength"}

CATALOGUE_SCHEMA = {
    "type": "object",
    "required": ["service", "sources", "models"],
    "additionalProperties": False,
    "properties": {
        "service": {"type": "string"},
        "sources": {"type": "array", "items": {"type": "object", "required": ["id", "what", "seen"]}},
        "models": {"type": "array", "items": {"$ref": "#/$defs/model"}},
        "defaults_source": {"type": "string"},
        "charges": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["unit", "step", "margin", "source"],
                "additionalProperties": False,
                "properties": {
                    "unit": {"enum": ["usd", "credits"]},
                    "step": {"type": "number", "exclusiveMinimum": 0},
                    "margin": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
                    "source": {"type": "string"},
                },
            },
        },
        # The model that is taken where none is named, by the words of an intent, and further names of models.
        "choice": {
            "type": "object",
            "required": ["models", "intents", "aliases"],
            "additionalProperties": {"type": "object"},
        },
        "listed": {
            "type": "object",
            "required": ["source", "pages"],
            "properties": {"pages": {"type": "array", "items": {"$ref": "#/$defs/page"}}},
        },
    },
    "$defs": {
        "media": {"enum": ["image", "video", "audio", "3d", "text"]},
        "tasks": {"type": "array", "items": {"enum": list(TASKS)}, "uniqueItems": True},
        "modes": {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
        "seen": {"type": "string", "pattern": r"^(undated|\d{4}-\d{2}(-\d{2})?)$"},
        "model": {
            "type": "object",
            "required": ["model", "path", "tasks", "contract", "sources"],
            "additionalProperties": False,
            "properties": {
                "model": {"type": "string"},
                "path": {"type": "string", "pattern": "^/"},
                "paths": {
                    "type": "object",
                    "propertyNames": {"enum": list(TASKS)},
                    "additionalProperties": {"type": "string", "pattern": "^/"},
                },
                "media": {"$ref": "#/$defs/media"},
                "tasks": {"$ref": "#/$defs/tasks"},
                "modes": {"$ref": "#/$defs/modes"},
                "contract": {"enum": ["complete", "partial", "none"]},
                "sources": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                "price": {"$ref": "#/$defs/price"},
                "note": {"type": "string"},
                "unpriced": {"const": True},  # the service itself knows no price beforehand
                "featured": {"const": True},
                "off_sale": {"$ref": "#/$defs/seen"},
                "inputs": {
                    "type": "object",
                    "propertyNames": {"enum": ["image", "video", "audio"]},
                    "additionalProperties": {"type": "string"},
                },
            },
        },
        "page": {
            "type": "object",
            "required": ["page", "tasks"],
            "additionalProperties": False,
            "properties": {
                "page": {"type": "string"},
                "media": {"$ref": "#/$defs/media"},
                "tasks": {"$ref": "#/$defs/tasks"},
                "modes": {"$ref": "#/$defs/modes"},
            },
        },
        "price": {
            "type": "object",
            "required": ["amount", "unit", "per", "source", "seen"],
            "additionalProperties": False,
            "properties": {
                "amount": {"type": "number", "exclusiveMinimum": 0},
                "least": {"type": "number", "exclusiveMinimum": 0},
                "unit": {"enum": ["usd", "credits"]},
                "per": {"enum": ["image", "second", "output", "request"]},
                "basis": {"const": "provider"},
                # What one output costs by its parameters, before all are summed and rounded; the usual one first.
                "tiers": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["when", "amount"],
                        "additionalProperties": False,
                        "properties": {
                            "when": {"type": "object", "minProperties": 1},
                            "amount": {"type": "number", "exclusiveMinimum": 0},
                        },
                    },
                },
                "source": {"type": "string"},
                "seen": {"$ref": "#/$defs/seen"},
            },
        },
    },
}


def read(path: Path) -> dict:
    """Read a JSON document, refusing a key that is written twice."""

    def unique(pairs: list) -> dict:
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), f"{path.name} writes a key twice: {keys}"
        return dict(pairs)

    return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)


CATALOGUES = {path.name.split(".")[0]: read(path) for path in sorted(CONTRACTS.glob("*.catalogue.json"))}
DOCUMENTS = {service: read(CONTRACTS / f"{service}.json") for service in CATALOGUES}

every_service = pytest.mark.parametrize("service", DOCUMENTS)


def operations(document: dict):
    """Yield (path, method, operation) of every operation."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def walk(node, pointer: str = ""):
    """Yield (JSON Pointer, value) of every value below `node`, itself included."""
    yield pointer, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from walk(child, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")


def resolve(document: dict, node):
    """Follow a local `$ref` to the value that it names."""
    while isinstance(node, dict) and "$ref" in node:
        keys = node["$ref"].removeprefix("#/").split("/")
        node = document
        for key in keys:
            node = node[key.replace("~1", "/").replace("~0", "~")]
    return node


def request_schema(document: dict, operation: dict) -> dict | None:
    """Return the JSON body's schema, or None for an operation without a JSON body."""
    body = resolve(document, operation.get("requestBody", {}))
    return resolve(document, body.get("content", {}).get("application/json", {}).get("schema"))


def model_operations(service: str) -> dict[str, dict]:
    """Return the plain (not streaming) operation of every model, by model."""
    found = ((path, op) for path, _, op in operations(DOCUMENTS[service]) if "x-model" in op)
    return {op["x-model"]: op for path, op in found if "/sse/" not in path}


def schemas(document: dict):
    """Yield (JSON Pointer, schema) of every schema of a request body, and of every shared schema."""
    for name, schema in document["components"]["schemas"].items():
        yield f"/components/schemas/{name}", schema
    for path, method, operation in operations(document):
        schema = request_schema(document, operation)
        if schema is not None:
            yield f"{method} {path}", schema


@every_service
def test_a_document_is_valid_openapi_3_1(service):
    validator = pytest.importorskip("openapi_spec_validator")
    assert DOCUMENTS[service]["openapi"].startswith("3.1.")
    validator.validate(DOCUMENTS[service])


@every_service
def test_every_schema_is_valid_json_schema(service):
    for where, schema in schemas(DOCUMENTS[service]):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert isinstance(schema, dict), where


@every_service
def test_every_reference_leads_somewhere_inside_the_document(service):
    for pointer, node in walk(DOCUMENTS[service]):
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            assert node["$ref"].startswith("#/"), pointer
            assert resolve(DOCUMENTS[service], node) is not None, pointer


@every_service
def test_every_shared_component_is_used(service):
    document = DOCUMENTS[service]
    used = {node["$ref"] for _, node in walk(document) if isinstance(node, dict) and "$ref" in node}
    for kind in ("schemas", "responses", "requestBodies"):
        for name in document["components"].get(kind, {}):
            assert f"#/components/{kind}/{name}" in used


@every_service
def test_every_operation_says_where_it_was_seen_and_whether_it_is_complete(service):
    for path, method, operation in operations(DOCUMENTS[service]):
        source = operation["x-source"]
        assert source["page"], (path, method)
        assert source["seen"] == "undated" or source["seen"].startswith("20"), (path, method)
        assert source.get("copy", "newer") in ("newer", "older"), (path, method)
        assert isinstance(operation["x-complete"], bool), (path, method)
        assert set(operation.get("x-tasks", [])) <= set(TASKS), (path, method)


@every_service
def test_operation_ids_are_unique(service):
    identifiers = [operation["operationId"] for _, _, operation in operations(DOCUMENTS[service])]
    assert len(identifiers) == len(set(identifiers))


@every_service
def test_every_default_is_valid_for_its_own_field(service):
    document = DOCUMENTS[service]
    for where, schema in schemas(document):
        for name, field in schema.get("properties", {}).items():
            if isinstance(field, dict) and "default" in field:
                checker = jsonschema.Draft202012Validator({**field, "components": document["components"]})
                assert checker.is_valid(field["default"]), (where, name)


@every_service
def test_required_fields_are_fields(service):
    for where, schema in schemas(DOCUMENTS[service]):
        for key in ("required", "x-required-unknown"):
            for name in schema.get(key, []):
                assert "properties" not in schema or name in schema["properties"], (where, key, name)


@every_service
def test_a_model_with_an_open_question_about_its_fields_is_not_complete(service):
    for model, operation in model_operations(service).items():
        schema = request_schema(DOCUMENTS[service], operation)
        if any(schema.get(key) for key in ("x-unnamed", "x-required-unknown", "additionalProperties")):
            assert not operation["x-complete"], model


@every_service
def test_a_contract_stays_small_enough_to_read(service):
    for path in (CONTRACTS / f"{service}.json", CONTRACTS / f"{service}.catalogue.json"):
        text = path.read_text(encoding="utf-8")
        assert len(text) < 250_000, path.name
        assert text.endswith("}\n") and "\t" not in text and " \n" not in text, path.name


def test_the_number_of_models_is_that_of_the_sources():
    pages = [op for op in model_operations("skills-video").values() if "/api-reference/" in op["x-source"]["page"]]
    assert len(pages) == 35 + 13
    pages = [op for op in model_operations("modellix").values() if "copy" in op["x-source"]]
    assert len(pages) == 33
    listed = [m for m in CATALOGUES["skills-video"]["models"] if "list" in m["sources"]]
    assert (len(listed), len(CATALOGUES["skills-video"]["models"])) == (61, 68)
    index = {m["model"] for m in CATALOGUES["modellix"]["models"]} | {
        page["page"] for page in CATALOGUES["modellix"]["listed"]["pages"]
    }
    # 221 pages in the index, four models that it lacks (a video model and three for speech), and 20 newer ones
    assert len(index) == 221 + 4 + 20
    assert len(CATALOGUES["image-skill"]["models"]) == 42


def test_every_model_of_skills_video_has_a_streaming_sibling_with_the_same_body():
    document = DOCUMENTS["skills-video"]
    for model, operation in model_operations("skills-video").items():
        stream = document["paths"][f"/generation/sse/{model}"]["post"]
        assert stream["requestBody"] == operation["requestBody"]
        assert stream["x-complete"] == operation["x-complete"]
        assert list(resolve(document, stream["responses"]["200"])["content"]) == ["text/event-stream"]
        assert list(resolve(document, operation["responses"]["200"])["content"]) == ["application/json"]


def test_a_multipart_body_has_the_fields_of_the_json_body():
    document = DOCUMENTS["skills-video"]
    for operation in model_operations("skills-video").values():
        content = resolve(document, operation["requestBody"])["content"]
        assert content["multipart/form-data"] == content["application/json"]


@every_service
def test_a_catalogue_has_its_shape(service):
    jsonschema.validate(CATALOGUES[service], CATALOGUE_SCHEMA, cls=jsonschema.Draft202012Validator)
    assert CATALOGUES[service]["service"] == service
    models = [model["model"] for model in CATALOGUES[service]["models"]]
    assert len(models) == len(set(models))


@every_service
def test_what_a_catalogue_cites_is_among_its_sources(service):
    catalogue = CATALOGUES[service]
    seen = {source["id"]: source["seen"] for source in catalogue["sources"]}
    for model in catalogue["models"]:
        assert set(model["sources"]) <= set(seen), model["model"]
        if "price" in model:
            assert model["price"]["seen"] == seen[model["price"]["source"]], model["model"]
    if "listed" in catalogue:
        assert catalogue["listed"]["source"] in seen


def contract_state(service: str, model: dict) -> str:
    """Return what the contract document says of a model: complete, partial or none."""
    operation = DOCUMENTS[service]["paths"].get(model["path"], {}).get("post")
    if operation is None:
        return "none"
    # one operation for many models: it knows the body, but not every parameter of every model
    is_shared = operation.get("x-model") != model["model"]
    return "complete" if operation["x-complete"] and not is_shared else "partial"


@every_service
def test_a_catalogue_and_its_contract_agree(service):
    models = {model["model"]: model for model in CATALOGUES[service]["models"]}
    for model in models.values():
        assert all(path in DOCUMENTS[service]["paths"] for path in model.get("paths", {}).values()), model["model"]
        assert set(model.get("paths", model["tasks"])) == set(model["tasks"]), model["model"]
    for model in models.values():
        assert model["contract"] == contract_state(service, model), model["model"]
    for name, operation in model_operations(service).items():
        assert set(operation["x-tasks"]) <= set(models[name]["tasks"]), name


@every_service
def test_what_is_read_of_a_document_for_one_model_is_as_it_is_in_the_whole(service):
    whole = DOCUMENTS[service]
    shared = {path for path, item in whole["paths"].items() if all("x-model" not in way for way in item.values())}
    for model in CATALOGUES[service]["models"]:
        for path in {model["path"], *model.get("paths", {}).values()} if model["contract"] != "none" else ():
            found = conventions.document_with.__wrapped__(service, path).root
            assert {**found, "paths": whole["paths"]} == whole
            assert {*found["paths"]} >= {path, *shared}, model["model"]
            assert all(item == whole["paths"][known] for known, item in found["paths"].items()), model["model"]
            assert len(found["paths"]) <= len(shared) + 3, "no more than is needed"


def test_the_pages_of_models_are_not_stale():
    command = [sys.executable, str(ROOT / "tests" / "generate_references.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


CREATE, EDIT = "CreateRequest", "EditRequest"
ASSET = {"input_asset_id": "image_a1"}


@pytest.mark.parametrize(
    ("name", "body", "valid"),
    [
        (CREATE, {"prompt": "a"}, True),
        (CREATE, {}, False),
        (CREATE, {"prompt": "a", "model": "fal.nano-banana-pro", "model_parameters": {"resolution": "4K"}}, True),
        (CREATE, {"prompt": "a", "model": "fal.nano-banana-pro", "model_parameters": {"resolution": "8K"}}, False),
        (CREATE, {"prompt": "a", "model": "fal.nano-banana-pro", "model_parameters": {"other": 1}}, True),
        (CREATE, {"prompt": "a", "model": "any.unknown-model", "model_parameters": {"resolution": "8K"}}, True),
        (CREATE, {"prompt": "a", "model_parameters": {"image_url": "https://cdn.example/a.png"}}, False),
        (CREATE, {"prompt": "a", "model_parameters": {"first_reference_task": "id"}}, False),
        (CREATE, {"prompt": "a", "model": "fal.stable-audio-25-text-to-audio", "model_parameters": {"a": 1}}, False),
        (EDIT, {**ASSET, "prompt": "a"}, True),
        (EDIT, ASSET, False),
        (EDIT, {"input_asset_id": "a.png", "prompt": "a"}, False),
        (EDIT, {**ASSET, "model": "fal.trellis-image-to-3d"}, True),
        (EDIT, {**ASSET, "model": "fal.trellis-image-to-3d", "prompt": "a"}, False),
        (EDIT, {**ASSET, "prompt": "a", "model": "fal.flux-pro-kontext", "model_parameters": {"seed": 1}}, True),
    ],
)
def test_image_skill_checks_a_models_own_parameters_where_they_are_known(name, body, valid):
    document = DOCUMENTS["image-skill"]
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    assert jsonschema.Draft202012Validator(schema).is_valid(body) is valid


# --- the facts that the documents were made from, walked on their own -------------------------------------------


def fact_files(folder: str) -> list[Path]:
    """Return the fact files of a service, or none where the test data is not at hand."""
    data = os.environ.get("AI_MEDIA_TEST_DATA")
    return sorted((Path(data) / "contracts" / folder).glob("*.yaml")) if data else []


FACT_FILES = [("skills-video", path) for path in fact_files("skills-video-openapi")]
FACT_FILES += [("modellix", path) for path in fact_files("modellix-openapi")]

needs_facts = pytest.mark.skipif(not FACT_FILES, reason="AI_MEDIA_TEST_DATA is not set")


def load_facts(path: Path) -> dict:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


# Models whose newer api_schema, stored up to its fields from a to p, tells more than the page that the data has.
TOLD_SINCE = {
    "seedance-2.0-fast-i2v": "audio_urls camera_fixed duration execution_expires_after generate_audio",
    "seedance-2.0-fast-v2v": "audio_urls camera_fixed duration execution_expires_after generate_audio resolution",
    "seedance-2.0-v2v": "audio_urls camera_fixed duration execution_expires_after generate_audio",
}


# What the data has only seen -> the name that it has there.
NAMED_SINCE = {"reference_audios (name not printed)": "audio_urls"}


def told_since(endpoint: str) -> frozenset[str]:
    return frozenset(TOLD_SINCE.get(endpoint.rpartition("/")[2], "").split())


def same_facts(fact: dict, field: dict) -> bool:
    """Tell whether a field has all facts of the source, and none beyond them."""
    here = all((key in fact) == (key in field) and fact.get(key) == field.get(key) for key in FACTS)
    return here and ("items" not in fact or same_facts(fact["items"], field["items"]))


@needs_facts
@pytest.mark.parametrize(("service", "path"), FACT_FILES, ids=lambda value: getattr(value, "stem", value))
def test_no_fact_of_a_request_body_is_lost_or_added(service, path):
    document, facts = DOCUMENTS[service], load_facts(path)
    for endpoint, item in facts["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" not in content:
                assert method in document["paths"][endpoint]
                continue
            bundled = document["paths"][endpoint][method]
            compare_body(content["application/json"]["schema"], request_schema(document, bundled), told_since(endpoint))
            if "/sse/" not in endpoint:
                assert bundled["x-source"]["page"] == facts["x-source-page"]
                assert not (facts["x-truncated"] and bundled["x-complete"])


def compare_body(fact: dict, schema: dict, since: frozenset[str]) -> None:
    """Assert that a schema says what the source says, field by field, and beside it what was told since."""
    assert [name for name in schema["properties"] if name not in since] == [
        name for name in fact["properties"] if name not in since
    ]
    for name, field in fact["properties"].items():
        if name in since:
            continue
        assert same_facts(field, schema["properties"][name]), name
    for key in ("required", "x-required-unknown", "additionalProperties"):
        assert schema.get(key) == fact.get(key), key
    unconfirmed = [
        field for field in fact.get("x-unconfirmed-fields", []) if NAMED_SINCE.get(field["seen_as"]) not in since
    ]
    unnamed = schema.get("x-unnamed", [])
    assert len(unconfirmed) == len(unnamed)
    for field, known in zip(unconfirmed, unnamed):
        assert field["required"] == known.get("required", False)
        assert {UNNAMED_FACTS[key]: field[key] for key in UNNAMED_FACTS if key in field}.items() <= known.items()


@needs_facts
@pytest.mark.parametrize("service", ["skills-video", "modellix"])
def test_no_shared_endpoint_or_parameter_is_lost(service):
    facts = load_facts(next(path for owner, path in FACT_FILES if owner == service and path.stem == "_common"))
    for endpoint, method, operation in operations(facts):
        parameters = DOCUMENTS[service]["paths"][endpoint][method].get("parameters", [])
        bundled = {parameter["name"]: parameter for parameter in parameters}
        for parameter in operation.get("parameters", []):
            assert bundled[parameter["name"]]["schema"] == parameter["schema"]
            assert bundled[parameter["name"]]["in"] == parameter["in"]
