"""The services, as data: one descriptor each in assets/providers, and how its answers are read.

    names()          every service there is a descriptor for
    load(name)       one Provider; load(name, speaks) an embedded one with the contract of another service
    Provider         URLs, states, categories; Readings, outputs and errors out of answers
    Reading          what one answer says about a job
    Verdict          what an answer that is no success says

Where a thing stands in an answer is a JSON Pointer of the descriptor; nothing is ever found by
searching an answer for likely-looking keys. What a descriptor leaves out is unknown.
"""

from __future__ import annotations

import json
import os
import re
from collections import namedtuple

from ..base import errors

ASSETS = os.path.join(os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..")), "assets")

# task -> what it makes of what, in the words of the services' lists
TASKS = {
    "t2i": "text to image",
    "i2i": "image to image",
    "t2v": "text to video",
    "i2v": "image to video",
    "v2v": "video to video",
    "tts": "text to speech",
    "stt": "speech to text",
    "sts": "speech to speech",
    "t2a": "text to audio",
    "i2m": "image to 3D model",
}
TERMINAL_STATES = frozenset(("succeeded", "failed", "canceled"))

_GUIDANCE = {
    "insufficient_credits": "Nothing was bought: the account has too few credits for this request.",
    "auth": "The service refused the key.",
    "validation": "The service refused the request: compare it with the model's contract and change it.",
    "not_found": "Check the model, the endpoint and the id.",
    "transient": "A rate limit or a passing fault: a read can simply be repeated. A create that was answered "
    "with 429 bought nothing; one that was answered with 5xx may have been accepted: do not send it again.",
    "unknown": "No rule fits this answer: look at its message.",
    "outcome_unknown": "Do not send it again before you know: it may have been accepted and billed.",
}

# id and status are the service's words, None where the answer has none; state is ours, None where
# the status is unknown; body is the whole answer.
Reading = namedtuple("Reading", "id status state body")

# category   a category of codes.CATEGORY_EXIT_CODES
# message    the service's own words
# code       its error code, "" where it has none
# outcome    what its code proves of a paid request; None where only the status tells
# repeatable whether the same may be sent again under the same idempotency key
# retry_after  seconds, None where the body names none
# advice     what the service asks for, in our own words
Verdict = namedtuple("Verdict", "category message code outcome repeatable retry_after advice")

_MODEL = r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*"
_LONGEST_ID = 2000
_LONGEST_WORD = 200
_LONGEST_WORDS = 100_000
_LARGEST_WALK = 10_000
# What a service sends under an embedded server or another address is the same; where it is, is not.
_NOT_SPOKEN = ("origin", "key", "links", "homepage", "sources", "cli", "guidance")
_ADVICE = {"--accept-unknown-cost": "Add --accept-unknown-cost to buy it although its price is not known beforehand."}


def names() -> tuple[str, ...]:
    """Every service, the real ones first."""
    found = sorted(name[:-5] for name in os.listdir(os.path.join(ASSETS, "providers")) if name.endswith(".json"))
    return tuple(sorted(found, key=lambda name: "embedded" in _descriptor(name)))


def load(name: str, speaks: str | None = None) -> Provider:
    """The Provider of one service; an embedded one has the contract of `speaks`, else of the first it lists."""
    descriptor = _descriptor(name)
    spoken = speaks or descriptor.get("speaks", [None])[0]
    if spoken:
        contract = {key: value for key, value in _descriptor(spoken).items() if key not in _NOT_SPOKEN}
        descriptor = {**contract, **descriptor}
    return Provider(descriptor, spoken)


def spoken_by(name: str) -> tuple[str, ...]:
    """The services whose contracts an embedded service can have, its default first; empty for a real one."""
    return tuple(_descriptor(name).get("speaks", ()))


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


def first(value, pointers):
    """The value at the first of several JSON Pointers that leads somewhere; None for none."""
    pointers = [pointers] if isinstance(pointers, str) else pointers
    return next((found for at in pointers if (found := point(value, at)) is not None), None)


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
    cli        how its own command-line program is run; None for a service without one
    """

    def __init__(self, descriptor: dict, speaks: str | None = None):
        self._descriptor = descriptor
        self.name: str = descriptor["id"]
        self.title: str = descriptor["name"]
        self.embedded: bool = descriptor.get("embedded", False)
        self.speaks: str = speaks or self.name
        self.origin: str | None = descriptor.get("origin")
        self.base_path: str = descriptor["base_path"]
        self.key: dict | None = descriptor.get("key")
        self.cli: dict | None = descriptor.get("cli")
        self.links: dict = descriptor.get("links", {})
        self.prompt_fields: list[str] = descriptor["create"]["prompt"]
        self.model_field: str | None = descriptor["create"].get("model_field")
        self.parameters_field: str | None = descriptor["create"].get("parameters_field")
        self.count_field: str = descriptor["create"].get("count_field", "n")
        self.key_check: dict | None = descriptor.get("key_check")
        self.balance_path: str | None = descriptor.get("balance", {}).get("path")
        self.actions: dict = descriptor.get("actions", {})
        self.idempotency: dict | None = descriptor.get("idempotency")
        self.plan: dict | None = descriptor.get("plan")
        self.guard: dict | None = descriptor.get("guard")
        self.inputs: dict = descriptor.get("inputs", {})
        self.units: dict = descriptor.get("money", {}).get("units", {})
        self.unit: str | None = descriptor.get("money", {}).get("unit")
        self.names: dict = descriptor["answer"].get("names", {})
        self.ending_events = frozenset(descriptor.get("stream", {}).get("ending_events", ()))
        self.streams: bool = "stream_path" in descriptor["create"]
        self.answers_when_done: bool = "finished_status" in descriptor["create"]
        self.lists_running: bool = "running" in descriptor
        self.result_lifetime: float | None = descriptor.get("result_lifetime")
        self._states = {word.lower(): state for state, statuses in descriptor["states"].items() for word in statuses}

    @property
    def base_url(self) -> str | None:
        """Where requests go unless the user says otherwise; None for an embedded service."""
        return self.origin and self.origin + self.base_path

    def create_path(self, model: str | None, stream: bool, task: str | None = None, fields=()) -> str:
        """The path of a create below the base URL.

        task    where it is known; `fields` are the request's own, and decide where it is not
        Raises ValueError for what is no model name, or for a task that the service has no word for.
        """
        if model is not None and not is_model(model):
            raise ValueError("expected a model such as owner/name")
        create = self._descriptor["create"]
        template = create["stream_path" if stream else "path"]
        for variant in create.get("variants", ()):
            if task in variant["tasks"] or (task is None and variant["field"] in fields):
                template = variant["path"]
        if "{task}" in template:
            if task not in create.get("task_words", {}):
                raise ValueError(f"{self.title} has no word for this task in its paths")
            template = template.replace("{task}", create["task_words"][task])
        return template.replace("{model}", model or "")

    def read_path(self, generation_id: str) -> str:
        """The path of a job below the base URL."""
        from urllib.parse import quote

        return self._descriptor["read"]["path"].replace("{id}", quote(generation_id, safe=""))

    def id_of(self, path: str) -> str | None:
        """The job whose read has this path; None for another kind of path."""
        from urllib.parse import unquote

        head, _, tail = self._descriptor["read"]["path"].partition("{id}")
        is_read = path.startswith(head) and path.endswith(tail) and len(path) > len(head) + len(tail)
        return unquote(path[len(head) : len(path) - len(tail)]) if is_read else None

    def answer_of(self, generation_id: str) -> dict:
        """The least answer to a create that has this id where the service puts it."""
        pointers = self._descriptor["answer"]["id"]
        body: dict | str = generation_id
        for token in reversed((pointers if isinstance(pointers, str) else pointers[0]).split("/")[1:]):
            body = {token.replace("~1", "/").replace("~0", "~"): body}
        return body

    def model_of(self, path: str) -> str | None:
        """The model whose create has this path, streaming or not; None for another kind of path."""
        create = self._descriptor["create"]
        templates = [create.get("stream_path", ""), *create.get("older_paths", ()), create["path"]]
        # The most particular form first: the plain one fits all of them.
        for template in sorted(filter(lambda form: "{model}" in form, templates), key=len, reverse=True):
            words = "|".join(map(re.escape, create.get("task_words", {}).values()))
            pattern = re.escape(template).replace(r"\{task\}", f"(?:{words})").replace(r"\{model\}", "(.+)")
            found = re.fullmatch(pattern, path)
            if found:
                return found[1]
        return None

    def is_stream_path(self, path: str) -> bool:
        """Whether a create path is the one that answers with a stream."""
        template = self._descriptor["create"].get("stream_path")
        return bool(template) and path.startswith(template.partition("{model}")[0])

    def reading(self, body, of_create: bool = False) -> Reading:
        """What an answer says about a job; every part may be missing.

        of_create  whether it answers a create: some services answer when the job is done, and with
                   the results in place of a status
        """
        answer = self._descriptor["answer"]
        status = first(body, answer["status"])
        status = _word(status) if isinstance(status, str) and status.strip() else None
        if status is None and of_create and self.outputs(body):
            status = self._descriptor["create"].get("finished_status")
        state = self._states.get(status.lower()) if status else None
        return Reading(usable_id(first(body, answer["id"])), status, state, body)

    def usage(self, body):
        """What the service says the job has cost, in its own shape."""
        return first(body, self._descriptor["answer"].get("usage", ()))

    def cost(self, body):
        """What the service says the job has cost, as a amounts.Amount; None where it does not say."""
        return self._amount(body, self._descriptor["answer"].get("cost"))

    def planned_cost(self, body):
        """What the service's own plan says it would cost, as a amounts.Amount; None where it does not say."""
        return self._amount(body, (self.plan or {}).get("cost"))

    def _amount(self, body, where: dict | None):
        from ..base import amounts  # exact numbers take long to import, and most scripts bill nothing

        found = point(body, where["amount"]) if where else None
        if not isinstance(found, (int, float)) or isinstance(found, bool) or not 0 <= found < 1e12:
            return None
        return amounts.Amount.of(found, where["unit"]).times(where.get("each", 1))

    def left(self, body) -> dict | None:
        """`{amount, unit}` of what the account has left; None where the answer's shape is not known or another."""
        balance = self._descriptor.get("balance", {})
        found = [point(body, at) for at in balance.get("amounts", ())]
        numbers = [value for value in found if isinstance(value, (int, float)) and not isinstance(value, bool)]
        return {"amount": sum(numbers), "unit": balance["unit"]} if numbers else None

    def accepts_key(self, body) -> bool:
        """Whether the answer to the key's check says that the key is good; True where only the status tells."""
        return point(body, (self.key_check or {}).get("valid", "/\0")) is not False

    def says_success(self, body, rule: dict | None = None) -> bool:
        """Whether an answer says no otherwise; `rule` of an action counts before the service's."""
        rule = rule or self._descriptor.get("success")
        found = point(body, rule["at"]) if rule else None
        return found is None or _same(found, rule["is"])

    def trace_id(self, body) -> str | None:
        """What the service's support asks for, where the answer has it."""
        found = point(body, self._descriptor["answer"].get("trace_id", "/\0"))
        return found if isinstance(found, str) and re.fullmatch(r"[\w.:-]{1,200}", found) else None

    def result(self, body):
        """The result itself, for jobs whose result is no file; None where the descriptor does not say where."""
        return point(body, self._descriptor["answer"].get("result", "/\0"))

    def expires_at(self, body) -> float | None:
        """Until when the results are kept, in seconds since the epoch; None where the answer does not say."""
        where = self._descriptor["answer"].get("expires_at")
        found = point(body, where["at"]) if where else None
        if not isinstance(found, (int, float)) or isinstance(found, bool):
            return None
        seconds = found / 1000 if where["unit"] == "milliseconds" else found
        return seconds if 0 < seconds < 1e11 else None

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
        """`{url, type, media_type, width, height, duration, expires_at}` for each result, without what is unknown."""
        answer = self._descriptor["answer"]
        kind = point(body, answer.get("output_type", "/\0"))
        expires_at = self.expires_at(body)
        for source in answer["outputs"]:
            pointers = {**answer["output"], **({"url": source["url"]} if "url" in source else {})}
            outputs = [_output(entry, pointers, kind) for entry in _entries(body, source, pointers["url"])]
            if outputs:
                if expires_at:
                    outputs = [{**output, "expires_at": _rfc3339(expires_at)} for output in outputs]
                return list({output["url"]: output for output in reversed(outputs)}.values())[::-1]
        return []

    def error(self, body) -> tuple[str, str]:
        """`(code, message)` of an error answer; empty where it has none."""
        return _words_at(body, self._descriptor["errors"])

    def failure(self, body) -> tuple[str, str]:
        """`(code, message)` of a failed job; empty where it has none."""
        return _words_at(body, self._descriptor.get("failure", self._descriptor["errors"]))

    def guidance(self, category: str) -> list[str]:
        """What to do about an error of a category, in words."""
        lines = [_GUIDANCE[category], *self._descriptor.get("guidance", {}).get(category, ())]
        if category == "insufficient_credits" and "dashboard_url" in self.links:
            lines.append(f"Recharge at {self.links['dashboard_url']}, then run the same again.")
        if category == "auth" and self.key:
            lines.append(f"Check {self.key['variable']}; a new key comes from {self.key['create_url']}")
        return lines

    @property
    def looking_guidance(self) -> list[str]:
        """Where a person can look for a job that has no id here."""
        own = self._descriptor.get("guidance", {}).get("looking")
        if own:
            return own
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

    def category(self, status: int, body, words: str = "", headers=None) -> tuple[str, str]:
        """`(category, message)` of an HTTP error answer; `words` stand in for a body that is no JSON."""
        return self.verdict(status, body, words, headers)[:2]

    def verdict(self, status: int, body, words: str = "", headers=None, own_key: str | None = None) -> Verdict:
        """What an answer that is no success says.

        headers  case-insensitive mapping
        own_key  the idempotency key that the request carried
        """
        rules = self._descriptor["errors"]
        code, message = self.error(body)
        if not message:
            message = words or _dumped(body)
        exits = rules.get("exit_code_header", {"name": "", "categories": {}})
        category = errors.classify(
            status,
            message,
            code,
            rules.get("code_categories", {}),
            exits["categories"].get((headers or {}).get(exits["name"], "").strip())
            or rules.get("status_categories", {}).get(str(status)),
        )
        recovery = rules.get("recovery", {})
        wait = point(body, recovery.get("retry_after", "/\0"))
        flag = point(body, recovery.get("flag", "/\0"))
        return Verdict(
            category,
            message,
            code,
            rules.get("outcomes", {}).get(code),
            self._repeatable(body, code, own_key),
            float(wait) if isinstance(wait, (int, float)) and not isinstance(wait, bool) and 0 <= wait < 1e6 else None,
            [_ADVICE[flag]] if flag in recovery.get("flags", ()) and flag in _ADVICE else [],
        )

    def _repeatable(self, body, code: str, own_key: str | None) -> bool:
        rules = self.idempotency
        if rules is None or own_key is None:
            return False
        recovery = self._descriptor["errors"].get("recovery", {})
        named = point(body, recovery.get("idempotency_key", "/\0"))
        if (named is not None and named != own_key) or point(body, recovery.get("retryable", "/\0")) is False:
            return False
        return code in rules["codes"] if code else rules["without_answer"]


def outputs_at(body, places: list[dict], kind: str | None) -> list[dict]:
    """As Provider.outputs, for places that hold one result each: the first where there is one."""
    for place in places:
        found, pointers = point(body, place["at"]), {name: at for name, at in place.items() if name != "at"}
        if is_media_url(point(found, pointers["url"])):
            return [_output(found, pointers, kind)]
    return []


def _words_at(body, pointers: dict) -> tuple[str, str]:
    def first_text(places) -> str:
        return next((found for at in places if isinstance(found := point(body, at), str)), "")

    return first_text(pointers["code"]), first_text(pointers["message"])


def _rfc3339(seconds: float) -> str:
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _output(entry, pointers: dict, kind) -> dict:
    if isinstance(entry, str):
        entry, pointers = {"url": entry}, {"url": "/url"}
    found = {name: point(entry, pointer) for name, pointer in pointers.items()}
    word = found.pop("format", None)
    if isinstance(word, str) and not found.get("media_type"):
        from ..media import formats

        found["media_type"] = formats.known(word)
    media_type = found.get("media_type")
    own_kind = found.pop("type", None) or (media_type.partition("/")[0] if isinstance(media_type, str) else kind)
    ordered = {"url": found.pop("url"), "type": own_kind if isinstance(own_kind, str) else None, **found}
    return {name: value for name, value in ordered.items() if _fits(name, value)}


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


def _word(text: str) -> str:
    """A word of an answer that is told and written down: bounded, and one that can be written as UTF-8."""
    text = re.sub("[\ud800-\udfff]", "\ufffd", text.strip())
    # Not cut: the half of a key that was in it would not be recognised any more.
    return text if len(text) <= _LONGEST_WORD else f"({len(text)} characters)"


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
        found = found[:_LARGEST_WALK] if isinstance(found, list) else []
        return [entry for entry in found if is_media_url(entry if isinstance(entry, str) else point(entry, url))]
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
