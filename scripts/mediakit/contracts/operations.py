"""One operation: what it takes, what it answers, and a template and a check of its body.

The body is the JSON one where there is one, else multipart, else a URL-encoded form. Swagger 2.0's
`body` and `formData` parameters become the same.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import bounds
from .document import Document, Found
from .errors import ContractError
from .facts import View
from .library import last_name
from .rows import row, rows
from .schemas import SchemaBuilder
from .variants import Variant, variants

if TYPE_CHECKING:
    from .explain import Check

MULTIPART = "multipart/form-data"
FORM = "application/x-www-form-urlencoded"
EVENT_STREAM = "text/event-stream"

_POLL_WORDS = (
    "generation",
    "generations",
    "prediction",
    "predictions",
    "task",
    "tasks",
    "job",
    "jobs",
    "request",
    "requests",
)
_SUBSCRIBE = re.compile(r"/\{[^}]+\}/subscribe$")
_STATUS_NAMES = re.compile(r"^(task_|job_|generation_|prediction_)?(status|state)$", re.IGNORECASE)
_STATUS_SCHEMAS = {"prediction": ("PredictionStatus",), "queue": ("QueueState", "QueueStatus")}


class Operation:
    """One operation of a document. Its schemas are read when they are first asked for."""

    def __init__(self, document: Document, found: Found, given: dict | None = None):
        self.document = document
        self.method, self.path = found.method, found.path
        self._found, self._given = found, given
        self._raw = found.raw

    def given(self, values: dict) -> Operation:
        """The same operation of a body in which these fields have these values (the model's name, say)."""
        return Operation(self.document, self._found, values)

    @property
    def endpoint(self) -> str:
        """`POST /path`, as the document spells the path."""
        return f"{self.method} {self.path}"

    @property
    def summary(self) -> str | None:
        text = self._raw.get("summary")
        return text if isinstance(text, str) else None

    @property
    def server_url(self) -> str | None:
        return self.document.server_url(self._found)

    @property
    def source(self) -> Any:
        """Where the contract was seen (`x-source`), or None."""
        return self._raw.get("x-source")

    @property
    def complete(self) -> bool:
        """Whether the document knows every field (`x-complete`, true unless it says otherwise)."""
        return self._raw.get("x-complete") is not False

    # the body

    @functools.cached_property
    def _content(self) -> dict[str, tuple[Any, str]]:
        """Content type -> (schema, the document it lies in)."""
        if self.document.is_swagger:
            return self._swagger_content()
        place = self.document.library.settle(self._raw.get("requestBody"), self._found.location)
        content = place.value.get("content") if isinstance(place.value, dict) else None
        return {
            kind: (media.get("schema", {}), place.location)
            for kind, media in (content.items() if isinstance(content, dict) else ())
            if isinstance(media, dict)
        }

    def _swagger_content(self) -> dict[str, tuple[Any, str]]:
        consumes = self._raw.get("consumes", self.document.root.get("consumes"))
        consumes = [kind for kind in consumes if isinstance(kind, str)] if isinstance(consumes, list) else []
        form: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
        for parameter, location in self._parameters():
            if parameter.get("in") == "body":
                return {kind: (parameter.get("schema", {}), location) for kind in consumes or ["application/json"]}
            if parameter.get("in") == "formData":
                form["properties"][parameter["name"]] = parameter
                form["required"] += [parameter["name"]] if parameter.get("required") is True else []
        takes_file = any(item.get("type") == "file" for item in form["properties"].values())
        kinds = [kind for kind in consumes if kind in (MULTIPART, FORM)] or [MULTIPART if takes_file else FORM]
        return dict.fromkeys(kinds, (form, self._found.location)) if form["properties"] else {}

    def _parameters(self) -> Iterable[tuple[dict, str]]:
        for level in (self._found.item, self._raw):
            listed = level.get("parameters")
            for parameter in listed if isinstance(listed, list) else ():
                place = self.document.library.settle(parameter, self._found.location)
                if isinstance(place.value, dict) and isinstance(place.value.get("name"), str):
                    yield place.value, place.location

    @property
    def content_types(self) -> list[str]:
        """What the body may be sent as, in the document's order."""
        return list(self._content)

    @functools.cached_property
    def content_type(self) -> str | None:
        """The one that fields, template and check are about, None without a body that has fields."""
        ranked = [(rank, kind) for kind in self._content if (rank := _rank(kind)) is not None]
        return min(ranked)[1] if ranked else None

    @functools.cached_property
    def _view(self) -> View:
        schema, location = self._content[self.content_type] if self.content_type else ({}, self._found.location)
        return View(SchemaBuilder(self.document.library).build(schema, location), self._given)

    @property
    def schema(self) -> dict:
        """The body's schema as self-contained JSON Schema 2020-12."""
        return self._view.root

    @property
    def request_schema(self) -> str | None:
        """The name that the document gives to the body's schema."""
        schema = self._content[self.content_type][0] if self.content_type else None
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        return last_name(reference) if isinstance(reference, str) else None

    @property
    def is_open(self) -> bool:
        """Whether the contract itself lets the body hold fields that it does not name."""
        facts = self._view.facts(self.schema)
        return facts.get("additional") not in (None, False) or not facts.get("properties")

    @property
    def is_closed(self) -> bool:
        """Whether a field that the contract does not name is an error."""
        return self.complete and not self.is_open

    @bounds.ends_in_words
    def fields(self, variant: Any = None) -> list[dict]:
        """The body's fields; of one variant (its constant or its title) when one is asked for."""
        if variant is None:
            return self._all_fields()
        chosen = self._variant(variant)
        return rows(self._view, chosen.schema, chosen.choice)

    def _all_fields(self) -> list[dict]:
        found = self._variants
        if found and not found[0].choice:  # subclasses that only a mapping names
            return rows(self._view, {"anyOf": [variant.schema for variant in found]})
        return rows(self._view, self.schema)

    @functools.cached_property
    def _variants(self) -> list[Variant]:
        return variants(self._view, self.schema)

    @bounds.ends_in_words
    def variants(self) -> list[dict]:
        """The body's shapes: {field, value, title, required, only}; empty when there is one shape.

        `only` are the names of fields that not every variant has.
        """
        found = [self._view.facts(variant.schema, variant.choice) for variant in self._variants]
        common = set.intersection(*(set(facts.get("properties", ())) for facts in found)) if found else set()
        listed = [
            {
                "field": variant.field,
                "value": variant.value,
                "title": variant.title,
                "required": list(facts.get("required", ())),
                "only": [name for name in facts.get("properties", ()) if name not in common],
            }
            for variant, facts in zip(self._variants, found)
        ]
        return [{key: value for key, value in item.items() if value not in (None, [])} for item in listed]

    def _variant(self, wanted: Any) -> Variant:
        for variant in self._variants:
            if wanted in (variant.value, variant.title) or str(variant.value) == wanted:
                return variant
        names = [str(variant.value if variant.field else variant.title) for variant in self._variants]
        raise ContractError(
            "variant_not_found",
            f"There is no such variant of {self.endpoint}; it has {', '.join(names)[:200] or 'only one shape'}.",
        )

    def template(self, variant: Any = None) -> tuple[Any, list[dict]]:
        """(a body that validates, [{path, why, example?}] of what the caller still has to supply)."""
        value, fill_in, _ = self.template_and_validity(variant)
        return value, fill_in

    @bounds.ends_in_words
    def template_and_validity(self, variant: Any = None) -> tuple[Any, list[dict], bool]:
        """As `template`, and whether it validates; it does unless the schema defeats the search."""
        if self.content_type is None:
            return {}, [], True
        from . import template

        return template.build(self._view, None if variant is None else self._variant(variant), self._given)

    @bounds.ends_in_words
    def check(self, payload: Any) -> Check:
        """Problems and warnings of a payload; see validation.check."""
        from . import validation

        return validation.check(self._view, payload, self.is_closed)

    # what the document says around it

    @bounds.ends_in_words
    def parameters(self) -> list[dict]:
        """The parameters in the path and the query, as rows with `in`."""
        found = []
        for parameter, location in self._parameters():
            if parameter.get("in") in ("path", "query"):
                schema = parameter.get("schema", parameter if self.document.is_swagger else {})
                built = SchemaBuilder(self.document.library).build(schema, location)
                if isinstance(parameter.get("description"), str):
                    built = {**built, "description": parameter["description"]}
                required = parameter.get("required") is True
                found.append({**row(View(built), parameter["name"], built, required), "in": parameter["in"]})
        return found

    @property
    def error_status_codes(self) -> list[int]:
        """The documented HTTP statuses from 400 up."""
        return sorted(int(code) for code in self._responses if code.isdigit() and int(code) >= 400)

    @property
    def error_status_ranges(self) -> list[str]:
        """`4XX`, `5XX`, and `default` where a success is documented beside it."""
        ranges = [code.upper() for code in self._responses if re.fullmatch(r"[45][xX]{2}", code)]
        has_success = any(code.startswith("2") for code in self._responses)
        return ranges + (["default"] if "default" in self._responses and has_success else [])

    @functools.cached_property
    def _responses(self) -> dict[str, Any]:
        responses = self._raw.get("responses")
        return {str(code): response for code, response in responses.items()} if isinstance(responses, dict) else {}

    def _success(self) -> Iterable[tuple[str, Any, str]]:
        """(content type, schema, location) of every documented success."""
        for code, response in self._responses.items():
            if not (code.startswith("2") or code == "default"):
                continue
            place = self.document.library.settle(response, self._found.location)
            answer = place.value if isinstance(place.value, dict) else {}
            if self.document.is_swagger:
                kinds = self._raw.get("produces", self.document.root.get("produces"))
                kinds = kinds if isinstance(kinds, list) and kinds else ["application/json"]
                yield from ((kind, answer.get("schema", {}), place.location) for kind in kinds if isinstance(kind, str))
            content = answer.get("content")
            for kind, media in content.items() if isinstance(content, dict) else ():
                yield kind, media.get("schema", {}) if isinstance(media, dict) else {}, place.location

    @property
    def answers_a_stream(self) -> bool:
        """Whether a documented success is a stream of Server-Sent Events."""
        try:
            return any(kind.startswith(EVENT_STREAM) for kind, _, _ in self._success())
        except ContractError:
            return False

    @property
    def sse_create_endpoint(self) -> str | None:
        """Where the same request answers as a stream, only if the document says so."""
        conventions = self.document.conventions
        stream = conventions.as_stream(self.path)
        if conventions.as_plain(stream) != stream and self.document.has(self.method, stream):
            return f"{self.method} {stream}"
        return self.endpoint if self.answers_a_stream else None

    @property
    def polling_create_endpoint(self) -> str:
        """Where the same request is answered by an id to ask for."""
        plain = self.document.conventions.as_plain(self.path)
        return f"{self.method} {plain if self.document.has(self.method, plain) else self.path}"

    @functools.cached_property
    def poll_endpoint(self) -> str | None:
        """The path that tells how a job is doing, or None where the document shows none."""
        return poll_endpoint(self.document, self.path)

    @property
    def sse_subscribe_endpoint(self) -> str | None:
        """The path of a stream about a job that exists, or None."""
        return next(
            (path for path in self.document.paths if _SUBSCRIBE.search(path) and self.document.has("GET", path)), None
        )

    def status_values(self, kind: str) -> list[str] | None:
        """The words for a job's state: `prediction` or `queue`, None where none are declared.

        From the schema of that name; for `prediction` else from a status property with an enum in
        this operation's own answer, else in the answer of its poll endpoint.
        """
        for name in _STATUS_SCHEMAS[kind]:
            reference = f"#/definitions/{name}" if self.document.is_swagger else f"#/components/schemas/{name}"
            values = _declared_words(self.document, reference)
            if values:
                return values
        return self._answered_status_values() if kind == "prediction" else None

    def _answered_status_values(self) -> list[str] | None:
        values = self._own_status_values()
        if values is None and self.poll_endpoint and self.poll_endpoint != self.path:
            values = Operation(self.document, self.document.find(f"GET {self.poll_endpoint}"))._own_status_values()
        return values

    def _own_status_values(self) -> list[str] | None:
        try:
            for _, schema, location in self._success():
                view = View(SchemaBuilder(self.document.library).build(schema, location))
                values = _status_words(rows(view, view.root))
                if values:
                    return values
        except ContractError:
            return None  # the answer's own flaws are not what was asked about
        return None


def operation(document: Document, endpoint: str) -> Operation:
    """The operation that `endpoint` names; see Document.find for what it may look like."""
    return Operation(document, document.find(endpoint))


def _rank(kind: str) -> int | None:
    """JSON first, then multipart, then a form; other bodies have no fields."""
    plain = kind.partition(";")[0].strip().lower()
    if plain == "application/json":
        return 0
    ranks = {"*/*": 2, MULTIPART: 3, FORM: 4, "application/*": 2}
    return 1 if plain.endswith("+json") else ranks.get(plain)


def _declared_words(document: Document, reference: str) -> list[str] | None:
    try:
        place = document.library.follow(reference, document.library.root)
        view = View(SchemaBuilder(document.library).build(place.value, place.location))
    except ContractError:
        return None
    return _words(view.facts(view.root).get("allowed_values")) or _status_words(rows(view, view.root))


def _words(values: Any) -> list[str] | None:
    return values if values and all(isinstance(value, str) for value in values) else None


def _status_words(found: list[dict]) -> list[str] | None:
    """The enum of the outermost status property."""
    level = found
    while level:
        for item in level:
            if _STATUS_NAMES.match(item["name"]) and _words(item.get("allowed_values")):
                return item["allowed_values"]
        level = [inner for item in level for inner in item.get("fields", ())]
    return None


def poll_endpoint(document: Document, path: str | None = None) -> str | None:
    """The GET path for a job: the service's own, one below the operation at `path`, or the only one that is named so."""
    gets = [known for known in document.paths if "{" in known and document.has("GET", known)]
    for read in document.conventions.reads:
        forms = (_any_parameter(read), "/v1" + _any_parameter(read))
        own = next((known for known in gets if _any_parameter(known) in forms), None)
        if own:
            return own
    below = [
        known
        for known in gets
        if path is not None and re.fullmatch(re.escape(path.rstrip("/")) + r"(/requests)?/\{[^}]+\}(/status)?", known)
    ]
    if below:
        return max(below, key=lambda known: known.endswith("/status"))
    named = [known for known in gets if _names_a_job(known)]
    return named[0] if len(named) == 1 else None


def _any_parameter(path: str) -> str:
    return re.sub(r"\{[^{}/]*\}", "{}", path)


def _names_a_job(path: str) -> bool:
    found = re.search(r"/([^/{}]+)/\{[^}]+\}$", path)
    return found is not None and found[1].lower() in _POLL_WORDS and path.count("{") == 1
