"""What a document says around a job: the answers of the operation that begins it, and how it is read."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any

from ..base.regex import regex
from .document import Document, Found
from .errors import ContractError
from .facts import View
from .rows import rows
from .schemas import SchemaBuilder

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
_SUBSCRIBE = regex(r"/\{[^}]+\}/subscribe$")
STATUS_NAMES = regex(r"^(task_|job_|generation_|prediction_)?(status|state)$", re.IGNORECASE)
_STATUS_SCHEMAS = {"prediction": ("PredictionStatus",), "queue": ("QueueState", "QueueStatus")}


class Answers:
    """The answers of one operation, and the operations around it."""

    def __init__(self, document: Document, found: Found):
        self.document = document
        self.method, self.path = found.method, found.path
        self._found = found
        self._raw = found.raw

    def fields(self) -> list[dict]:
        """The fields of the first documented success in JSON, as rows; none where none is documented."""
        try:
            for kind, schema, location in self._success():
                if "json" in kind:
                    view = View(SchemaBuilder(self.document.library).build(schema, location))
                    return rows(view, view.root)
        except ContractError:
            pass  # the answer's own flaws are not what was asked about
        return []

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
        return self._found.endpoint if self.answers_a_stream else None

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
            values = Answers(self.document, self.document.find(f"GET {self.poll_endpoint}"))._own_status_values()
        return values

    def _own_status_values(self) -> list[str] | None:
        return _status_words(self.fields())


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
            if STATUS_NAMES.match(item["name"]) and _words(item.get("allowed_values")):
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
    named = {known: found[1] for known in gets if (found := _OF_A_JOB.search(known)) and _is_of_jobs(known, found[2])}
    if len(set(named.values())) != 1:
        return None  # none, or of several kinds of jobs
    return max(named, key=lambda known: (known.endswith("/status"), known.endswith("}")))


def _any_parameter(path: str) -> str:
    return re.sub(r"\{[^{}/]*\}", "{}", path)


# `/predictions/{id}`, with what is asked of the job behind it
_OF_A_JOB = regex(r"(.*/([^/{}]+)/\{[^}]+\})(?:/(?:status|results?))?$")


def _is_of_jobs(path: str, word: str) -> bool:
    return word.lower() in _POLL_WORDS and path.count("{") == 1
