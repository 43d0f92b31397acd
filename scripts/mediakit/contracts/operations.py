"""One operation: what it takes, and a template and a check of its body.

The body is the JSON one where there is one, else multipart, else a URL-encoded form. Swagger 2.0's
`body` and `formData` parameters become the same.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import bounds
from .answers import Answers
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
    def fixed(self) -> frozenset[str]:
        """The names of the fields whose values are given."""
        return frozenset(self._given or ())

    @property
    def endpoint(self) -> str:
        return self._found.endpoint

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
            return [dict(row) for row in self._every_field]
        chosen = self._variant(variant)
        return rows(self._view, chosen.schema, chosen.choice)

    @functools.cached_property
    def _every_field(self) -> list[dict]:
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

    @functools.cached_property
    def answers(self) -> Answers:
        """What the document says of the operation's answers, and of the job that it begins."""
        return Answers(self.document, self._found)


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
