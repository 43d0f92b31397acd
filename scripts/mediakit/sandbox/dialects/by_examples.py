"""Any service's contract, spoken from the examples of its descriptor.

What no example says is this sandbox's own choice: times, words of refusals without an example, and HTTP 409 for the
cancel of a job that is over where no other status is told.
"""

from __future__ import annotations

import base64
import functools
import re
import secrets
import time
from collections import namedtuple
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from ...base import errors
from ...base.pointer import first, point, put
from ...services import catalogue, examples, providers
from .. import faults, forms, media, store
from . import common, streaming
from .filling import UPLOAD_PATH, Filling

# What is asked beside jobs, by the descriptor's key and the example of the same name.
_QUESTIONS = ("balance", "key_check", "models", "price", "estimate", "contract")
# task -> what it makes; the others make what they are given
_MADE = {
    "t2i": "image", "i2i": "image", "t2v": "video", "i2v": "video", "v2v": "video", "tts": "audio", "stt": "text",
    "sts": "audio", "t2a": "audio", "i2m": "3d",
}  # fmt: skip
_WORDS = {
    400: "the request is invalid", 401: "the key is missing or wrong", 402: "there are not enough credits",
    403: "this key may not do that", 404: "there is nothing here", 409: "the job is over already",
    422: "the request was rejected", 429: "too many requests", 500: "something broke", 503: "not available",
    520: "something unknown went wrong",
}  # fmt: skip

# name is the example that answers; pattern fits the path; step is the descriptor's.
_Path = namedtuple("_Path", "name method pattern step")


class Dialect:
    """One service.

    BASE    the prefix of its paths
    new_id  makes the id of a job
    """

    def __init__(self, service: str):
        self.provider = providers.load(service)
        self.BASE = self.provider.base_path
        self._told = Filling(self.provider)
        if not self.provider.examples:
            raise errors.bad_argument(
                "--as", f"{service} has no examples in its descriptor, and the sandbox answers with those"
            )
        if self.new_id() is None:
            raise errors.bad_argument("--as", f"no id of the form that job.id.like of {service} says can be made")
        self._paths = list(self._known_paths())

    def new_id(self) -> str | None:
        return examples.new_id(self.provider.job.like)

    # -- which answer a request gets -----------------------------------------------------------------

    def _known_paths(self) -> Iterator[_Path]:
        own, job = self.provider, self.provider.job
        for way in own.ways:
            if way.begin:
                yield self._path("begun" if way.send else "uploaded", way.begin.step)
            if way.ready:
                yield self._path("ready", _step_of(way.ready))
        # The longest first: one path can be the beginning of another.
        steps = [(name, getattr(job, name)) for name in ("cancel", "read", "result")]
        steps += [("file", _step_of({"path": rule.path})) for rule in own.output_rules if rule.path]
        for name, step in sorted((one for one in steps if one[1]), key=lambda one: -len(one[1].path)):
            yield self._path(name, step)
        if job.listing:
            yield self._path("list", job.listing.step)
        for name in _QUESTIONS:
            rules = own.says(name)
            if isinstance(rules, dict) and ("path" in rules or "path_from_root" in rules) and name in own.examples:
                yield self._path(name, _step_of(rules, method="POST" if "body" in rules else "GET"))

    def _path(self, name: str, step) -> _Path:
        base = "" if step.from_root else self._base_of(step)
        return _Path(name, step.method, re.compile(base + path_pattern(step.path, self.provider.job.like)), step)

    def _base_of(self, asked) -> str:
        """What a path of a route or a step begins with."""
        return self.BASE if asked.origin in (None, self.provider.default_origin) else ""

    def handle(self, sandbox, http, content: bytes) -> None:
        """Answer one request."""
        path = urlsplit(http.path).path
        if path.startswith(UPLOAD_PATH) and http.method in ("PUT", "POST"):
            return self._take_file(sandbox, http, content, path.removeprefix(UPLOAD_PATH))
        if self._refuses_key(sandbox, http):
            return self.error(http, 401)
        for known in self._paths:
            fits = known.method == http.method and known.pattern.fullmatch(path)
            if fits and self._answers(sandbox, http, content, known, fits.groupdict()):
                return None
        if http.method == "POST":
            return self._create(sandbox, http, content, path)
        return self.error(http, 404)

    def _answers(self, sandbox, http, content: bytes, known: _Path, found: dict) -> bool:
        """Answer a request that a path fits; whether that was it."""
        if known.name in ("begun", "uploaded"):
            return self._begin(sandbox, http, content, known)
        if known.name == "ready":
            record = sandbox.store.record("file", found["file"].rpartition("/")[2])
            if record:
                self._tell(http, "ready", self._told.words_of_file(http, record))
            return record is not None
        if known.name == "list":
            self._list(sandbox, http, known.step)
            return True
        if known.name in _QUESTIONS:
            self._tell(http, known.name, self._told.words(http), change=self._set_balance(sandbox, known.name))
            return True
        job = sandbox.store.find(found["id"])
        if job is None or sandbox.store.record("deleted", job.id):
            return False
        if known.name == "file":
            self._send_result(http, job)
        elif known.name == "cancel":
            self._cancel(sandbox, http, job, known.step)
        else:
            self._read(sandbox, http, job, known.name)
        return True

    def _refuses_key(self, sandbox, http) -> bool:
        """No key is needed; one that starts with `bad` plays the part of a wrong one."""
        key = self.provider.key
        value = http.headers.get(key["header"], "").removeprefix(key["prefix"]) if key else ""
        return sandbox.fault == "key-refused" or value.startswith("bad")

    def _set_balance(self, sandbox, name: str):
        """What the account has, where that was set, in place of the example's number."""
        amounts = (self.provider.says("balance") or {}).get("amounts", ())
        if name != "balance" or sandbox.balance is None or not amounts:
            return None

        def change(body):
            for at in amounts:
                put(body, at, sandbox.balance)

        return change

    # -- create --------------------------------------------------------------------------------------

    def _create(self, sandbox, http, content: bytes, path: str) -> None:
        sent = self._sent(sandbox, http, content)
        route, model = self._route(path, sent or {})
        if route is None:
            return self.error(http, 404)
        if sent is None:
            return self.error(http, 400)
        fault = common.create_fault(sandbox, self._cost(route, model)) or faults.asked_for(
            content.decode("utf-8", "replace")
        )
        if common.refuse(sandbox, http, fault, sent, self.error):
            return None
        task = self._task(route, model, sent)
        complaint = None if route.is_form else common.complaint(self.provider.name, model or "", sent, task=task)
        if complaint:
            return self.error(http, 422 if "422" in self.provider.examples.get("refused", {}) else 400, complaint)
        asked = point(sent, route.fields)
        asked = asked if isinstance(asked, dict) else {}
        prompt = first(sent, route.prompt)
        kept = {"task": task, "asked": asked, "count": asked.get(route.count), "prompt": prompt, "how": route.answers}
        kind = _MADE.get(task or "") or catalogue.entry(self.provider.name, model).get("media") or "image"
        rules = self.provider.idempotency
        key = sent.get(rules["field"]) if rules else None
        job = sandbox.store.add(model or "", kind, kept, fault, key if isinstance(key, str) else None, self.new_id())
        common.lose(http, fault)
        if fault not in streaming.INSTEAD and self.provider.is_stream_path(path.removeprefix(self.BASE)):
            return streaming.play(http, job, functools.partial(self._event, sandbox, http, job))
        if route.answers != "job":
            http.wait(job.duration)
        name = "created" if route.answers == "job" else "done"
        if name == "done" and fault in ("job-failed", "job-canceled") and "failed" in self.provider.examples:
            name = "failed"
        return self._tell(http, name, self._told.words_of(http, job), fault, change=self._misled(fault))

    def _sent(self, sandbox, http, content: bytes) -> dict | None:
        """The body of a create: JSON, or a form whose files are kept and stand there as their addresses."""
        parts = forms.parts_of(http.headers.get("Content-Type", ""), content)
        return http.json_of(content) if parts is None else common.body_of_form(sandbox, http, parts, {})

    def _route(self, path: str, sent: dict):
        """`(route, model)` of a create: the path fits, and so does what stands in the body."""
        candidates = []
        for route in self.provider.routes:
            for form in filter(None, (route.path, route.stream_path, *route.other_paths)):
                fits = re.fullmatch(self._base_of(route) + path_pattern(form), path)
                if fits:
                    model = point(sent, route.model) if route.model else fits.groupdict().get("model")
                    candidates.append((self._misfits(route, model, sent), len(candidates), route, model))
        if not candidates:
            return None, None
        _, _, route, model = min(candidates, key=lambda one: one[:2])
        return route, model if isinstance(model, str) else None

    def _misfits(self, route, model, sent: dict) -> int:
        """How much speaks against a route whose path fits."""
        tasks = catalogue.entry(self.provider.name, model).get("tasks", ()) if isinstance(model, str) else ()
        is_other = bool(tasks and route.tasks) and not set(tasks) & set(route.tasks)
        is_other_model = route.models is not None and not re.fullmatch(route.models, str(model))
        wrong = sum(point(sent, at) != value for at, value in route.constants.items())
        has_file = route.file is not None and point(sent, route.file.removesuffix("/-")) is not None
        is_of_files = bool(route.tasks) and not set(route.tasks) & common.FROM_NOTHING
        return 16 * is_other_model + 8 * is_other + 2 * wrong + (is_of_files and not has_file)

    def _task(self, route, model: str | None, sent: dict) -> str | None:
        known = catalogue.entry(self.provider.name, model).get("tasks", ()) or route.tasks
        fitting = [task for task in known if not route.tasks or task in route.tasks] or [*route.tasks]
        has_file = route.file is not None and point(sent, route.file.removesuffix("/-")) is not None
        return next((task for task in fitting if (task not in common.FROM_NOTHING) == has_file), (*fitting, None)[0])

    def _cost(self, route, model: str | None) -> float:
        """What a job costs by the examples, in the unit of the balance; 0 where they do not say."""
        names = ("created", "succeeded", "done")
        bodies = [one.get("body") for name in names for one in self.provider.examples.get(name, ())[-1:]]
        told = [point(body, rule.at) for rule in self.provider.cost_rules if rule.at for body in bodies]
        return max((amount for amount in told if isinstance(amount, (int, float))), default=0)

    def _misled(self, fault: str | None):
        """For an answer to a create that `told-hostile` changes: the addresses that it tells lead elsewhere."""
        steps = (getattr(self.provider.job, name) for name in ("read", "result", "cancel"))
        told = [at for step in steps if step for at in step.told]
        if fault != "told-hostile" or not told:
            return None

        def change(body):
            for at in told:
                if point(body, at) is not None:
                    put(body, at, common.ELSEWHERE + urlsplit(point(body, at)).path)

        return change

    # -- jobs ----------------------------------------------------------------------------------------

    def _read(self, sandbox, http, job, name: str) -> None:
        if name == "result" and common.is_held_back(sandbox, http, job, self.error):
            return None
        if name == "read":
            name = self._state(sandbox, job)
            if name == "succeeded" and job.input["how"] == "done":
                name = "done"
            body = self._told.body(http, job, name)
            if common.misread(sandbox, http, job, self.error, body):
                return None
            common.spoil(self.provider, sandbox, job, body)
            return http.answer(self._told.example(name, job.input["task"]).get("http", 200), body)
        if self._state(sandbox, job) in ("queued", "running"):
            return self.error(http, 400)
        early = functools.partial(common.without_results, self.provider) if common.is_early(sandbox, job) else None
        return self._tell(http, name, self._told.words_of(http, job), change=early)

    def _send_result(self, http, job) -> None:
        """The file itself, at the address that is made from its job's id."""
        words = self._told.words_of(http, job)
        http.answer_bytes(200, words["media_type"], media.render(*words["file of"]))

    def _state(self, sandbox, job) -> str:
        if sandbox.store.record("canceled", job.id):
            return "canceled"
        words = {"queued": "queued", "running": "running", "done": "succeeded"}
        state = common.status_of(job, {**words, "failed": "failed", "canceled": "canceled"})
        return state if state in self.provider.examples else "failed" if state == "canceled" else "running"

    def _cancel(self, sandbox, http, job, step) -> None:
        is_over = store.progress(job, time.time()) == "done" or sandbox.store.record("canceled", job.id)
        if is_over and step.method != "DELETE":
            return self.error(http, (*step.over_http, 409)[0])
        # Where a job is deleted, one that is over goes with all that it made.
        sandbox.store.keep("deleted" if is_over else "canceled", job.id, {})
        return self._tell(http, "cancel", self._told.words_of(http, job))

    def _list(self, sandbox, http, step) -> None:
        asked = parse_qs(urlsplit(http.path).query)
        of_model = [name for name, values in parse_qs(urlsplit(step.path).query).items() if values == ["{model}"]]
        jobs = [job for job in sandbox.store.newest(100) if all(job.model in asked.get(name, ()) for name in of_model)]
        entries = self.provider.examples.get("listed", [{}])[0].get("body")
        items = [examples.filled(entries, self._told.words_of(http, job)) for job in jobs]
        self._tell(http, "list", {**self._told.words(http), "items": items})

    def _event(self, sandbox, http, job, name: str):
        """What a stream tells of a job."""
        body = self._told.body(http, job, {"end": self._state(sandbox, job), "strange": "running"}.get(name, name))
        if name == "strange":
            common.spoil(self.provider, sandbox, job, body)
        return body

    # -- files ---------------------------------------------------------------------------------------

    def _begin(self, sandbox, http, content: bytes, known: _Path) -> bool:
        way = next(way for way in self.provider.ways if way.begin and way.begin.step.path == known.step.path)
        file_id = f"file-{secrets.token_hex(8)}"
        if way.send:
            told = {**_asked_by(way.begin.body, http.json_of(content) or {}), **_of_headers(way.begin.headers, http)}
            sandbox.store.keep("begun", file_id, told)
            self._tell(http, "begun", self._told.words_of_upload(http, file_id, told.get("name")))
            return True
        part = way.begin.part
        file = forms.file_of(http.headers.get("Content-Type", ""), content, part) if part else None
        if part and file is None:
            self.error(http, 400)
            return True
        if file is None:  # told in the body, by name and as base64
            told = _asked_by(way.begin.body, http.json_of(content) or {})
            content = base64.b64decode(told.get("base64", ""))
            file = forms.File(told.get("name", "file"), told.get("media_type", ""), content)
        record = sandbox.store.keep(
            "file", file_id, {"filename": file.name, "media_type": file.media_type}, file.content
        )
        self._tell(http, "uploaded", self._told.words_of_file(http, record))
        return True

    def _take_file(self, sandbox, http, content: bytes, file_id: str) -> None:
        begun = sandbox.store.record("begun", file_id)
        if begun is None:
            return self.error(http, 404)
        way = next(way for way in self.provider.ways if way.send)
        kind = http.headers.get("Content-Type", "")
        file = forms.file_of(kind, content, way.send.part) if way.send.part else None
        if way.send.part and file is None:
            return self.error(http, 400)
        name = begun.body.get("name") or (file.name if file else "file")
        told = {"filename": name, "media_type": begun.body.get("media_type") or (file.media_type if file else kind)}
        record = sandbox.store.keep("file", file_id, told, file.content if file else content)
        return self._tell(http, "sent", self._told.words_of_file(http, record))

    # -- answers -------------------------------------------------------------------------------------

    def error(self, http, status: int, message: str | None = None) -> None:
        """An error as the service words it; where no example does, with words of our own where its words are."""
        told = self.provider.examples.get("refused", {}).get(str(status))
        headers = {"Retry-After": "1"} if status == 429 else {}
        if told is not None:
            filled = examples.filled(told.get("body"), self._told.words(http))
            if message:
                self._say(filled, message)
            return http.answer(told.get("http", status), filled, {**told.get("headers", {}), **headers})
        body: dict = {}
        self._say(body, message or _WORDS.get(status, "it failed"))
        return http.answer(status, body, headers)

    def _say(self, body: dict, message: str) -> None:
        """Put a message where the service has its own."""
        places = [at for at in (self.provider.says("errors") or {}).get("message", ()) if isinstance(at, str)]
        told = (at for at in places if isinstance(point(body, at), str))
        put(body, next(told, places[0] if places else "/message"), message)

    def _tell(self, http, name: str, words: dict, fault: str | None = None, change=None) -> None:
        """Answer with an example; `change` may change its body first."""
        told = self._told.example(name, words.get("task"))
        headers = examples.filled(told.get("headers", {}), words)
        status = told.get("http", 200)
        if told.get("file"):
            content, kind = media.render(*words["file of"]), words["media_type"]
            return http.answer_bytes(status, kind, content, headers, breaks_off=fault == "create-truncated")
        body = self._told.filled(told, words)
        if change is not None and isinstance(body, dict):
            change(body)
        if fault == "create-no-id":
            for at in self.provider.job.ids:
                if point(body, at) is not None:
                    put(body, at, None)
        if "body" not in told:
            return http.answer_bytes(status, "application/json", b"", headers)
        return common.answer(http, fault, status, body, headers)


def path_pattern(template: str, like: str | None = None) -> str:
    """What fits the path of a template."""
    fitting = {
        "id": "(?P<id>[^/]+)" if "/" not in (like or "") else "(?P<id>.+)",
        "model": "(?P<model>.+)", "model:2": ".+?", "file": "(?P<file>.+)",
    }  # fmt: skip
    parts = re.split(r"\{([\w:]+)\}", template.partition("?")[0])
    return "".join(fitting.get(part, "[^/]+") if odd % 2 else re.escape(part) for odd, part in enumerate(parts))


def _step_of(rules: dict, method: str = "GET"):
    from ...base.record import replace
    from ...services import descriptor

    found = descriptor.step(rules)
    return found if "method" in rules else replace(found, method=method)


def _asked_by(template, body, found: dict | None = None) -> dict:
    """The values that a body has where its template has placeholders, by their names."""
    found = {} if found is None else found
    for name, item in (template or {}).items():
        value = body.get(name) if isinstance(body, dict) else None
        if isinstance(item, dict):
            _asked_by(item, value, found)
        elif isinstance(value, str) and re.fullmatch(r"\{\w+\}", str(item)):
            found[item[1:-1]] = value
    return found


def _of_headers(template: dict, http) -> dict:
    told = {item[1:-1]: http.headers.get(name) for name, item in template.items() if re.fullmatch(r"\{\w+\}", item)}
    return {name: value for name, value in told.items() if value}
