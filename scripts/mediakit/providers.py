"""The services, as data: one descriptor each in assets/providers, and how its answers are read.

    names()          every service there is a descriptor for
    load(name)       one Provider
    Provider         URLs, states, categories; Readings, outputs and errors out of answers
    Reading          what one answer says about a job

Where a thing stands in an answer is a JSON Pointer of the descriptor; nothing is ever found by
searching an answer for likely-looking keys. What a descriptor leaves out is unknown.
"""

from __future__ import annotations

import json
import os
import re
from collections import namedtuple

from . import errors

ASSETS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "assets")

TASKS = ("t2i", "i2i", "t2v", "i2v", "v2v")
TERMINAL_STATES = frozenset(("succeeded", "failed", "canceled"))

_GUIDANCE = {
    "insufficient_credits": "Nothing was bought: the account has too few credits for this request.",
    "auth": "The service refused the key.",
    "validation": "The service refused the request: compare it with the model's contract and change it.",
    "not_found": "Check the model, the endpoint and the id.",
    "transient": "A rate limit or a passing fault: a read can simply be repeated. A create that was answered "
    "with 429 bought nothing; one that was answered with 5xx may have been accepted: do not send it again.",
    "unknown": "No rule fits this answer: look at its message.",
    "outcome_unknown": "Do not send it again before you know what became of it.",
}

# id and status are the service's words, None where the answer has none; state is ours, None where
# the status is unknown; body is the whole answer.
Reading = namedtuple("Reading", "id status state body")

_MODEL = r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*"
_LONGEST_ID = 2000
_LONGEST_WORDS = 100_000
_LARGEST_WALK = 10_000
# What a service sends under an embedded server or another address is the same; where it is, is not.
_NOT_SPOKEN = ("origin", "key", "links", "homepage", "sources")


def names() -> tuple[str, ...]:
    """Every service, the real ones first."""
    found = sorted(name[:-5] for name in os.listdir(os.path.join(ASSETS, "providers")) if name.endswith(".json"))
    return tuple(sorted(found, key=lambda name: "embedded" in _descriptor(name)))


def load(name: str) -> Provider:
    """The Provider of one service; an embedded one speaks the contract of the first it lists."""
    descriptor = _descriptor(name)
    for spoken in descriptor.get("speaks", ())[:1]:
        contract = {key: value for key, value in _descriptor(spoken).items() if key not in _NOT_SPOKEN}
        descriptor = {**contract, **descriptor}
    return Provider(descriptor)


def _descriptor(name: str) -> dict:
    with open(os.path.join(ASSETS, "providers", f"{name}.json"), encoding="utf-8") as file:
        return json.load(file)


def point(value, pointer: str):
    """The value at a JSON Pointer (RFC 6901), or None where there is nothing."""
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and token.isdecimal() and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return value


def read_json(content: bytes):
    """`(value, "")`, or `(None, what it is instead)`. Never raises, whatever the bytes are."""
    text = content.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if not text:
        return None, "an empty answer"
    if text.startswith("<"):
        return None, "an HTML page instead of JSON"
    try:
        # What is no JSON number, or none that this program could write again, counts as null.
        return json.loads(text, parse_constant=lambda word: None, parse_float=_finite, parse_int=_whole), ""
    except (ValueError, RecursionError):
        return None, "truncated or broken JSON" if text[0] in "{[" else text[:_LONGEST_WORDS]


def _finite(text: str) -> float | None:
    value = float(text)
    return value if abs(value) < float("inf") else None


def _whole(text: str) -> int | None:
    # Python refuses to read integers of more than 4,300 digits, and they would take long.
    return int(text) if len(text) < 4000 else None


def is_model(text: str) -> bool:
    """Whether a text can name a model: it may stand in a path."""
    return bool(re.fullmatch(_MODEL, text)) and ".." not in text


def is_media_url(value) -> bool:
    """Whether a value of an answer is something a result can be fetched from."""
    return isinstance(value, str) and value.lower().startswith(("http://", "https://", "data:"))


class Provider:
    """One service.

    name       the word for --provider
    title      what people call it
    embedded   whether it runs inside this process and needs neither key nor network
    speaks     the service whose contract it has
    """

    def __init__(self, descriptor: dict):
        self._descriptor = descriptor
        self.name: str = descriptor["id"]
        self.title: str = descriptor["name"]
        self.embedded: bool = descriptor.get("embedded", False)
        self.speaks: str = descriptor.get("speaks", [self.name])[0]
        self.origin: str | None = descriptor.get("origin")
        self.base_path: str = descriptor["base_path"]
        self.key: dict | None = descriptor.get("key")
        self.links: dict = descriptor.get("links", {})
        self.prompt_field: str = descriptor["create"]["prompt"]
        self.balance_path: str | None = descriptor.get("balance", {}).get("path")
        self.ending_events = frozenset(descriptor.get("stream", {}).get("ending_events", ()))
        self.streams: bool = "stream_path" in descriptor["create"]
        self.lists_running: bool = "running" in descriptor
        self.result_lifetime: float | None = descriptor.get("result_lifetime")
        self._states = {word.lower(): state for state, statuses in descriptor["states"].items() for word in statuses}

    @property
    def base_url(self) -> str | None:
        """Where requests go unless the user says otherwise; None for an embedded service."""
        return self.origin and self.origin + self.base_path

    def create_path(self, model: str, stream: bool) -> str:
        """The path of a create below the base URL; raises ValueError for what is no model name."""
        if not is_model(model):
            raise ValueError("expected a model such as owner/name")
        return self._descriptor["create"]["stream_path" if stream else "path"].replace("{model}", model)

    def read_path(self, generation_id: str) -> str:
        """The path of a job below the base URL."""
        from urllib.parse import quote

        return self._descriptor["read"]["path"].replace("{id}", quote(generation_id, safe=""))

    def model_of(self, path: str) -> str | None:
        """The model whose create has this path, streaming or not; None for another kind of path."""
        for template in ("stream_path", "path"):
            head, _, tail = self._descriptor["create"].get(template, "\0{model}").partition("{model}")
            if path.startswith(head) and path.endswith(tail) and len(path) > len(head) + len(tail):
                return path[len(head) : len(path) - len(tail)]
        return None

    def is_stream_path(self, path: str) -> bool:
        """Whether a create path is the one that answers with a stream."""
        template = self._descriptor["create"].get("stream_path")
        return bool(template) and path.startswith(template.partition("{model}")[0])

    def reading(self, body) -> Reading:
        """What an answer says about a job; every part may be missing."""
        answer = self._descriptor["answer"]
        status = point(body, answer["status"])
        status = status.strip() if isinstance(status, str) and status.strip() else None
        state = self._states.get(status.lower()) if status else None
        return Reading(usable_id(point(body, answer["id"])), status, state, body)

    def usage(self, body):
        """What the service says the job has cost, in its own shape."""
        return point(body, self._descriptor["answer"].get("usage", "/\0"))

    def cost(self, body):
        """What the service says the job has cost, as a spending.Amount; None where it does not say."""
        from . import spending  # exact numbers take long to import, and most scripts bill nothing

        where = self._descriptor["answer"].get("cost")
        found = point(body, where["amount"]) if where else None
        if not isinstance(found, (int, float)) or isinstance(found, bool) or not 0 <= found < 1e12:
            return None
        return spending.Amount.of(found, where["unit"])

    @property
    def running_path(self) -> str:
        """The path of the list of unfinished jobs."""
        running = self._descriptor["running"]
        return running["path"] + (f"?limit={running['limit']}" if "limit" in running else "")

    def running_matches(self, body, payload: dict) -> list[str] | None:
        """The ids in a list of unfinished jobs whose input has every field of a payload; None for no list."""
        running = self._descriptor["running"]
        if not isinstance(body, list):
            return None
        found = []
        for entry in body:
            listed, its_id = point(entry, running["input"]), usable_id(point(entry, running["id"]))
            if (
                its_id
                and isinstance(listed, dict)
                and all(name in listed and _same(listed[name], value) for name, value in payload.items())
            ):
                found.append(its_id)
        return found

    def outputs(self, body) -> list[dict]:
        """`{url, type, media_type, width, height, duration}` for each result, without what is unknown."""
        answer = self._descriptor["answer"]
        kind = point(body, answer.get("output_type", "/\0"))
        for source in answer["outputs"]:
            entries = _entries(body, source, answer["output"]["url"])
            outputs = [self._output(entry, kind) for entry in entries]
            if outputs:
                return list({output["url"]: output for output in reversed(outputs)}.values())[::-1]
        return []

    def _output(self, entry, kind) -> dict:
        if isinstance(entry, str):
            entry = {"url": entry}
            pointers = {"url": "/url"}
        else:
            pointers = self._descriptor["answer"]["output"]
        found = {name: point(entry, pointer) for name, pointer in pointers.items()}
        media_type = found.get("media_type")
        own_kind = media_type.partition("/")[0] if isinstance(media_type, str) else kind
        ordered = {"url": found.pop("url"), "type": own_kind if isinstance(own_kind, str) else None, **found}
        return {name: value for name, value in ordered.items() if _fits(name, value)}

    def error(self, body) -> tuple[str, str]:
        """`(code, message)` of an error answer or a failed job; empty where it has none."""
        pointers = self._descriptor["errors"]
        code = next((found for at in pointers["code"] if isinstance(found := point(body, at), str)), "")
        message = next((found for at in pointers["message"] if isinstance(found := point(body, at), str)), "")
        return code, message

    def guidance(self, category: str) -> list[str]:
        """What to do about an error of a category, in words."""
        lines = [_GUIDANCE[category]]
        if category == "insufficient_credits" and "dashboard_url" in self.links:
            lines.append(f"Recharge at {self.links['dashboard_url']}, then run the same again.")
        if category == "auth" and self.key:
            lines.append(f"Check {self.key['variable']}; a new key comes from {self.key['create_url']}")
        return lines

    @property
    def looking_guidance(self) -> list[str]:
        """Where a person can look for a job that has no id here."""
        if "dashboard_url" not in self.links:
            return ["Look at the service itself for a job made at this time."]
        return [f"Look at {self.links['dashboard_url']} for a job made at this time."]

    @property
    def key_guidance(self) -> list[str]:
        """Where to get a key and how to set it, for each kind of shell and host."""
        variable = self.key["variable"]
        return [
            *self.key["steps"],
            f"In a shell: export {variable}='your_api_key_here'",
            f"In PowerShell: $env:{variable} = 'your_api_key_here'",
            f"In OpenClaw: set {variable} in the settings of the skill ai-media",
            f"To keep it: preflight.py --provider {self.name} --persist-key, with the key on standard input",
        ]

    def category(self, status: int, body, words: str = "") -> tuple[str, str]:
        """`(category, message)` of an HTTP error answer; `words` stand in for a body that is no JSON."""
        code, message = self.error(body)
        if not message:
            message = words or _dumped(body)
        endings = self._descriptor["errors"].get("code_categories", {})
        return errors.classify(status, message, code, endings), message


def _same(one, other) -> bool:
    # In JSON true is not 1, though Python says they are equal.
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def usable_id(value) -> str | None:
    """A job's id as text, or None for what can be none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    # "." and ".." would change the path they are put into, however they are quoted; a lone surrogate
    # cannot stand in one at all.
    if not isinstance(value, str) or re.search("[\ud800-\udfff]", value):
        return None
    value = value.strip()
    return value if 0 < len(value) <= _LONGEST_ID and value not in (".", "..") else None


def _dumped(body) -> str:
    try:
        return json.dumps(body, ensure_ascii=False)[:_LONGEST_WORDS] if body else ""
    except RecursionError:
        return "an answer that is nested too deep"


def _fits(name: str, value) -> bool:
    if name in ("width", "height", "duration"):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, str)


def _entries(body, source: dict, url: str) -> list:
    if "each" in source:
        found = point(body, source["each"])
        return [entry for entry in found if is_media_url(point(entry, url))] if isinstance(found, list) else []
    nodes = list(_walk(point(body, source["walk"])))
    objects = [node for node in nodes if isinstance(node, dict) and is_media_url(point(node, url))]
    return objects or [node for node in nodes if is_media_url(node)]


def _walk(value):
    """Every object and string below a value, in document order, without recursion, at most _LARGEST_WALK."""
    pending, count = [value], 0
    while pending and count < _LARGEST_WALK:
        node = pending.pop()
        count += 1
        if isinstance(node, dict):
            yield node
            pending.extend(reversed(list(node.values())))
        elif isinstance(node, list):
            pending.extend(reversed(node))
        elif isinstance(node, str):
            yield node
