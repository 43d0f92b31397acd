"""What a descriptor of a service has to say of one operation, as far as its document tells it.

A document shows where things stand, and not what they mean: each list holds candidates, the likeliest first,
and an empty one is for a person to fill in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..base.pointer import escaped, tokens
from ..base.regex import regex
from .answers import STATUS_NAMES, Answers, poll_endpoint
from .document import Document
from .errors import ContractError
from .operations import Operation

_PROMPTS = ("prompt", "text", "input", "text_prompt", "script", "description", "query")
_PARAMETERS = ("input", "inputs", "parameters", "params", "model_parameters", "arguments")
_IDS = regex(r"^(request|task|job|prediction|generation|video|run|operation)?_?(id|uuid|name)$", re.IGNORECASE)
_RESULTS = regex(r"(url|uri|urls|outputs?|b64_json|base64)$", re.IGNORECASE)
# Addresses about the job itself.
_NO_RESULTS = regex(
    r"^(status|cancel|response|result|get|poll(ing)?|web|stream|webhook|callback)_?ur[il]s?$", re.IGNORECASE
)
# Also what a service calls the id of one HTTP request, for its support.
_LATER_IDS = regex(r"^request_?(id|uuid)$", re.IGNORECASE)
_ERRORS = regex(r"^(error|errors|message|detail|failure_?(reason|code)?|fail_?(reason|msg))$", re.IGNORECASE)


class Place(NamedTuple):
    """A field: where (a JSON Pointer, `-` for each item of a list), of what type, with which known values."""

    at: str
    type: str | None
    values: tuple = ()


class Outline(NamedTuple):
    """Candidates for the parts of a descriptor.

    endpoint, server_url, content_type  of the create
    read       the path that tells how the job is doing, None where the document shows none
    result     the path that has the results where that one has none; None where the document shows none
    cancel     (method, path) that ends the job; None where the document shows none
    parameters objects of the body that take whatever a model has, where no field of the body says what is wanted
    prompts    texts of the body that say what is wanted
    files      (place, kind) of the body's fields that take a file
    ids        of the create's answer
    states     of the answer of `read`, else of the create's
    results    addresses or contents of results there, or in the answer of `result`
    errors     words about a failure there
    """

    endpoint: str
    server_url: str | None
    content_type: str | None
    read: str | None
    result: str | None
    cancel: tuple[str, str] | None
    parameters: tuple[Place, ...]
    prompts: tuple[Place, ...]
    files: tuple[tuple[Place, str], ...]
    ids: tuple[Place, ...]
    states: tuple[Place, ...]
    results: tuple[Place, ...]
    errors: tuple[Place, ...]


def outline(operation: Operation) -> Outline:
    """Raises ContractError where the operation's own body cannot be read."""
    body = list(_places(operation.fields(), ""))
    created = list(_places(operation.answers.fields(), ""))
    read = _read(operation, created)
    answered = list(_places(_read_fields(operation, read), "")) or created
    results, result = _results(answered), None
    if read and not results:
        result = _without_last_word(read)
        results = _results(list(_places(_read_fields(operation, result), "")))
        result = result if results else None
    texts = [(place, name) for place, name, row in body if "string" in (place.type or "") and not row.get("takes_file")]
    return Outline(
        operation.endpoint,
        operation.server_url,
        operation.content_type,
        read,
        result,
        _cancel(operation, read),
        tuple(place for place, name, row in body if name.lower() in _PARAMETERS and _takes_anything(row)),
        tuple(place for wanted in _PROMPTS for place, name in texts if name.lower() == wanted),
        tuple((place, row["takes_file"]) for place, _, row in body if row.get("takes_file")),
        tuple(sorted(_named(created, _IDS), key=lambda place: bool(_LATER_IDS.search(tokens(place.at)[-1])))),
        _named(answered, STATUS_NAMES),
        results,
        _named(answered, _ERRORS),
    )


def _read(operation: Operation, created: list[tuple[Place, str, dict]]) -> str | None:
    """The path that tells how a job is doing: the usual one, one beside the create, or one that asks for its id."""
    document, path = operation.document, operation.path.rstrip("/")
    found = poll_endpoint(document, operation.path)
    if found and not found.startswith(path) and _results(created) and not _named(created, STATUS_NAMES):
        return None  # the results are in the answer itself, and that path is of other jobs
    if found:
        return found
    gets = [known for known in document.paths if document.has("GET", known)]
    above, word = path.rpartition("/")[0], "(/(status|results?))?"
    while above:
        beside = [known for known in gets if re.fullmatch(re.escape(above) + word + r"/\{[^{}]+\}", known)]
        if beside:
            return beside[0] if len(beside) == 1 else None
        above, word = above.rpartition("/")[0], "/(status|results?)"
    ids = {tokens(place.at)[-1] for place in _named(created, _IDS)}
    asking = [
        (known, name) for known in gets if "{" not in known for name in _required_query(document, known) if name in ids
    ]
    return "{}?{}={{id}}".format(*asking[0]) if len(asking) == 1 else None


def _required_query(document: Document, path: str) -> list[str]:
    """The names of what the query of a GET must have."""
    try:
        raw = document.find(f"GET {path}").raw
    except ContractError:
        return []
    parameters = raw.get("parameters")
    listed = [one for one in parameters if isinstance(one, dict)] if isinstance(parameters, list) else []
    return [str(one.get("name")) for one in listed if one.get("in") == "query" and one.get("required") is True]


def _read_fields(operation: Operation, read: str | None) -> list[dict]:
    path = (read or "").partition("?")[0]
    try:
        return Answers(operation.document, operation.document.find(f"GET {path}")).fields() if path else []
    except ContractError:
        return []


def _results(places: list[tuple[Place, str, dict]]) -> tuple[Place, ...]:
    return tuple(place for place in _named(places, _RESULTS, _NO_RESULTS) if _is_content(place))


def _without_last_word(path: str | None) -> str | None:
    """`/jobs/{id}` of `/jobs/{id}/status`; None of a path that does not end so."""
    above, _, last = (path or "").rpartition("/")
    return above if last and above.endswith("}") and "{" not in last else None


def _cancel(operation: Operation, read: str | None) -> tuple[str, str] | None:
    """The request beside the reads of a job that says in its path that it ends the job."""
    for above in filter(None, (read, _without_last_word(read))):
        for word in ("cancel", "stop", "abort"):
            for method in ("POST", "PUT", "DELETE"):
                if operation.document.has(method, f"{above}/{word}"):
                    return method, f"{above}/{word}"
    return None


def _takes_anything(row: dict) -> bool:
    return "object" in str(row.get("type", "")) and not [one for one in row.get("fields", ()) if one["name"] != "*"]


def _is_content(place: Place) -> bool:
    """A text or a list of them; what has parts of its own is told by these."""
    return place.type is None or "string" in place.type or "array" in place.type


def _named(
    places: list[tuple[Place, str, dict]], names: re.Pattern, others: re.Pattern | None = None
) -> tuple[Place, ...]:
    """The places of such names and not of `others`, those nearest to the root first."""
    found = [place for place, name, _ in places if names.search(name) and not (others and others.search(name))]
    return tuple(sorted(found, key=lambda place: place.at.count("/")))


def _places(rows: list[dict], above: str) -> Iterator[tuple[Place, str, dict]]:
    for row in rows:
        if row["name"] == "*":
            continue
        here = f"{above}/{escaped(row['name'])}"
        values = row.get("allowed_values") or row.get("known_values") or ()
        yield Place(here, row.get("type"), tuple(values)), row["name"], row
        inner = here + "/-" * str(row.get("type", "")).count("array<")
        yield from _places(row.get("fields", []), inner)
