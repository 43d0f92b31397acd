"""The draft of a descriptor out of an OpenAPI document: what the document shows, and marks for what it does not say.

draft  a descriptor; `examine.TO_FILL_IN` stands where a person has to look

A document tells where things stand, not what they mean. Where several candidates fit, the likeliest is taken and the
others are named in `sources`, so that whoever checks the draft sees them.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from ..base.pointer import escaped, tokens
from ..base.regex import regex
from ..contracts.operations import Operation
from ..contracts.outline import Outline, Place, outline
from .answers import FINISHED_WORDS
from .examine import TO_FILL_IN

# What services call a state, as far as a word of itself says which it is.
_STATES = {
    "queued": frozenset(
        "created in_queue pending preparing queued queueing scheduled starting submitted waiting".split()
    ),
    "running": frozenset("executing generating in_progress processing running started working".split()),
    "succeeded": FINISHED_WORDS,
    "failed": frozenset("error errored fail failed failure rejected".split()),
    "canceled": frozenset("aborted canceled cancelled".split()),
}
_MODEL = regex(r"^(model|model_id|modelid|model_name|version|engine)$", re.IGNORECASE)


def draft(operation: Operation, source: str) -> dict:
    """A descriptor of the service that an operation is of; `source` is where its document lies.

    Raises ContractError where the operation's body cannot be read.
    """
    found = outline(operation)
    server = urlsplit(found.server_url or "")
    has_job = bool(found.read)
    data = {
        "id": _id(server.hostname),
        "name": str(operation.document.root.get("info", {}).get("title") or _wanted("what people call it"))[:80],
        "sources": _sources(source, found),
        "origins": {"api": f"{server.scheme}://{server.netloc}" if server.netloc else _wanted("https://host")},
        "base_path": server.path.rstrip("/"),
        "key": _key(operation, _id(server.hostname)),
        "create": [_route(operation, found, has_job)],
        "job": _job(found, operation.path) if has_job else None,
        "states": _states(found) if has_job else None,
        "outputs": _outputs(found),
        "errors": {"message": _messages(found) or [_wanted("/error/message")]},
    }
    return {key: value for key, value in data.items() if value is not None}


def _wanted(words: str) -> str:
    return f"{TO_FILL_IN}: {words}"


def _id(host: str | None) -> str:
    """The second level of its host: `api.example.com` is `example`."""
    labels = [label for label in (host or "").split(".") if label not in ("api", "www")]
    word = re.sub("[^a-z0-9-]", "", (labels[-2] if len(labels) > 1 else "").lower()).strip("-")
    return word if re.fullmatch("[a-z][a-z0-9-]{0,39}", word) else _wanted("a short name, such as studio")


def _sources(source: str, found: Outline) -> list[str]:
    sources = [f"{source}: {found.endpoint}"[:300]]
    named = {"ids": found.ids, "states": found.states, "results": found.results, "prompts": found.prompts}
    for name, places in named.items():
        if len(places) > 1:
            sources.append(f"other {name} in the document: {', '.join(place.at for place in places[1:6])}")
    return sources


def _key(operation: Operation, name: str) -> Any:
    variable = _wanted("STUDIO_API_KEY") if TO_FILL_IN in name else name.replace("-", "_").upper() + "_API_KEY"
    root = operation.document.root
    schemes = root.get("components", {}).get("securitySchemes") or root.get("securityDefinitions") or {}
    for scheme in schemes.values():
        if not isinstance(scheme, dict):
            continue
        if scheme.get("type") == "http" and str(scheme.get("scheme", "")).lower() == "bearer":
            return {"variable": variable, "header": "Authorization", "prefix": "Bearer "}
        if scheme.get("type") == "apiKey" and scheme.get("in") == "header":
            return {"variable": variable, "header": str(scheme.get("name"))}
    return {"variable": variable, "header": _wanted("Authorization"), "prefix": _wanted("what stands before the key")}


def _route(operation: Operation, found: Outline, has_job: bool) -> dict:
    route: dict[str, Any] = {"path": _path(operation.path, "model")}
    if found.content_type and "form" in found.content_type:
        route["as"] = "form"
    # What takes whatever a model has, takes its prompt too.
    place = next(iter(found.parameters), None)
    prompt = None if place else next(iter(found.prompts), None)
    parent = place.at if place else prompt.at.rpartition("/")[0] if prompt else ""
    route["prompt"] = prompt.at if prompt else _wanted(f"{parent}/prompt, or nothing where it takes none")
    if parent:
        route["fields"] = parent
    model = next((row for row in operation.fields() if _MODEL.match(row["name"])), None)
    if model:
        route["model"] = "/" + escaped(model["name"])
    elif "{model}" not in route["path"]:
        route["constants"] = {}
    if found.files:
        place, _ = found.files[0]
        route["file"] = place.at + ("/-" if "array" in (place.type or "") else "")
    if not has_job:
        route["answers"] = "done" if found.results else _wanted("job, done or media")
    return {key: value for key, value in route.items() if value != {}}


def _path(path: str, placeholder: str, create: str = "") -> str:
    """A path in the descriptor's words: its one parameter is `placeholder`; others are to be filled in.

    create  the path of the create: the one parameter that it has too is the model
    """
    of_create = re.findall(r"\{([^{}]+)\}", create)
    if len(of_create) == 1:
        path = path.replace("{" + of_create[0] + "}", "{model}")
    parameters = [name for name in re.findall(r"\{([^{}]+)\}", path) if not (of_create and name == "model")]
    if len(parameters) == 1:
        return path.replace("{" + parameters[0] + "}", "{" + placeholder + "}")
    return path if not parameters else path + f" {TO_FILL_IN}: which of {', '.join(parameters)} is the {placeholder}"


def _job(found: Outline, create: str) -> dict:
    method, ending = found.cancel or ("", "")
    further = {
        "result": {"path": _path(found.result, "id", create)} if found.result else None,
        "cancel": {"path": _path(ending, "id", create), "method": method} if found.cancel else None,
    }
    return {
        "id": {"at": found.ids[0].at if found.ids else _wanted("where the create's answer has the id, such as /id")},
        "read": {"path": _path(found.read or "", "id", create)},
        **{name: step for name, step in further.items() if step},
    }


def _states(found: Outline) -> list[dict]:
    if not found.states:
        return [{"state": "succeeded", "at": _wanted("where an answer has its state"), "is": [_wanted("its word")]}]
    place = found.states[0]
    known = {str(word): state for word in place.values for state, words in _STATES.items() if _plain(word) in words}
    rules = [
        {"state": state, "at": place.at, "is": [word for word, of in known.items() if of == state]}
        for state in _STATES
        if state in known.values()
    ]
    unknown = [str(word) for word in place.values if str(word) not in known]
    missing = [state for state in ("succeeded", "failed") if state not in known.values()]
    if unknown or missing:
        words = f"which state is meant by {', '.join(unknown)}" if unknown else f"the words for {' and '.join(missing)}"
        rules.append({"state": missing[0] if missing else "running", "at": place.at, "is": [_wanted(words)]})
    return rules


def _plain(word: Any) -> str:
    return str(word).lower().replace("-", "_").replace(" ", "_")


def _outputs(found: Outline) -> list[dict]:
    # The deepest place is the address itself, where a list of objects is a result as well as each of its addresses.
    places = [one for one in found.results if not any(other.at.startswith(one.at + "/") for other in found.results)]
    if not places:
        return [{"one": _wanted("where the result is: its address, base64 or text")}]
    return [_output(place) for place in places[:6]]


def _messages(found: Outline) -> list[str]:
    """Where words about a failure stand; those of a list have no place of their own."""
    return [place.at for place in found.errors if "/-" not in place.at][:4]


def _output(place: Place) -> dict:
    head, dash, tail = place.at.rpartition("/-")
    kind = "base64" if re.search(r"(b64|base64)", place.at) else "url"
    if dash:
        levels = head.split("/-")  # a list within the entries of another is a level of its own
        each = levels if len(levels) > 1 else head
        return {"each": each, kind: tail} if tail else {"each": each}
    if "array" in (place.type or ""):
        return {"each": place.at}
    parent = "/" + "/".join(escaped(token) for token in tokens(place.at)[:-1])
    last = "/" + escaped(tokens(place.at)[-1])
    return (
        {"one": parent, kind: last} if parent != "/" else {"one": place.at, **({kind: ""} if kind == "base64" else {})}
    )
