"""Any service's contract, spoken from the examples of its descriptor.

What no example says is this sandbox's own choice: times, words of refusals without an example, and HTTP 409 for the
cancel of a job that is over where no other status is told. What one service alone has stands in a Dialect of its own,
which is made from this one.
"""

from __future__ import annotations

import functools
import json
import re
import secrets
import time
from collections import namedtuple
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from ...base import errors
from ...base.pointer import point, put
from ...base.record import replace
from ...services import actions, descriptor, examples, providers
from .. import faults, forms, media, store
from ..server import seconds_until
from . import common, history, kept, streaming
from .asked import Reader, path_pattern
from .files import Files
from .filling import UPLOAD_PATH, Filling
from .menu import Menu

# What is asked beside jobs, by the descriptor's key and the example of the same name.
_QUESTIONS = ("balance", "key_check", "models", "price", "estimate", "contract")
_WORDS = {
    400: "the request is invalid", 401: "the key is missing or wrong", 402: "there are not enough credits",
    403: "this key may not do that", 404: "there is nothing here", 405: "there is no such method here",
    409: "the job is over already", 422: "the request was rejected", 429: "too many requests",
    500: "something broke", 503: "not available", 520: "something unknown went wrong",
}  # fmt: skip

# name is the example that answers, or the action; pattern fits the path; step is the descriptor's.
Path = namedtuple("Path", "name method pattern step action", defaults=(None,))


class Refused(Exception):
    """What ends a request with an error: what Dialect.error takes."""

    def __init__(self, status: int | str, message: str | None = None, **more):
        super().__init__(message)
        self.status, self.message, self.more = status, message, more


class Dialect:
    """One service.

    BASE    the prefix of its paths
    new_id  makes the id of a job
    drawn   what the files of a job are rendered from
    """

    def __init__(self, service: str):
        self.provider = providers.load(service)
        self.BASE = self.provider.base_path
        self.reader = Reader(self.provider)
        self.told = Filling(self.provider, self.reader, self.words_of_job)
        self._files, self.menu = Files(self), Menu(self)
        if not self.provider.examples:
            raise errors.bad_argument(
                "--as", f"{service} has no examples in its descriptor, and the sandbox answers with those"
            )
        if self.new_id() is None:
            raise errors.bad_argument("--as", f"no id of the form that job.id.like of {service} says can be made")
        self._paths = list(self._known_paths())

    def new_id(self) -> str | None:
        like = self.provider.job.like
        return store.short_id() if like is None else examples.new_id(like)

    def new_file_id(self) -> str:
        """The id of a file that is brought."""
        return f"file-{secrets.token_hex(8)}"

    def drawn(self, job) -> dict:
        return self.reader.of_job(job).drawn

    def words_of_job(self, job) -> dict:
        """What the service has besides to say of a job."""
        return {}

    def words_of_model(self, entry: dict) -> dict:
        """What the service has besides to say of a model in its list."""
        return {}

    # -- which answer a request gets -----------------------------------------------------------------

    def _known_paths(self) -> Iterator[Path]:
        own, job = self.provider, self.provider.job
        for way in own.ways:
            if way.begin:
                yield self.path("begun" if way.send else "uploaded", way.begin.step)
            if way.ready:
                yield self.path("ready", _step_of(way.ready))
        # The longest first: one path can be the beginning of another.
        steps = [(name, getattr(job, name)) for name in ("cancel", "read", "result")]
        steps += [("file", _step_of({"path": rule.path})) for rule in own.output_rules if rule.path]
        for name, step in sorted((one for one in steps if one[1]), key=lambda one: -len(one[1].path)):
            yield self.path(name, step)
        if job.listing:
            yield self.path("list", job.listing.step)
        for name in _QUESTIONS:
            rules = own.says(name)
            if isinstance(rules, dict) and ("path" in rules or "path_from_root" in rules) and name in own.examples:
                yield self.path(name, _step_of(rules, method="POST" if "body" in rules else "GET"))
        for name in own.examples.get("actions", ()):
            yield self.path(name, descriptor.step(own.actions[name]), actions.Action(name, own.actions[name]))

    def path(self, name: str, step, action=None) -> Path:
        """The path of a step of the descriptor."""
        base = "" if step.from_root else self.reader.base_of(step)
        pattern = base + path_pattern(step.path, self.provider.job.like)
        return Path(name, step.method, re.compile(pattern), step, action)

    def handle(self, sandbox, http, content: bytes) -> None:
        """Answer one request."""
        try:
            self._handle(sandbox, http, content)
        except Refused as refused:
            self.error(http, refused.status, refused.message, **refused.more)

    def _handle(self, sandbox, http, content: bytes) -> None:
        path = "/".join(map(_decoded, urlsplit(http.path).path.split("/")))
        if path.startswith(UPLOAD_PATH) and http.method in ("PUT", "POST"):
            return self._files.take(sandbox, http, content, path.removeprefix(UPLOAD_PATH))
        fitting = [(known, known.pattern.fullmatch(path)) for known in self._paths if known.method == http.method]
        fitting = [(known, fits.groupdict()) for known, fits in fitting if fits]
        if self.refuses_key(sandbox, http) and not any(self._is_public(known) for known, _ in fitting):
            return self.error(http, 401)
        for known, found in fitting:
            if self._answers(sandbox, http, content, known, found):
                return None
        if http.method == "POST":
            return self._create(sandbox, http, content, path)
        return self.error(http, 404 if http.method == "GET" else 405)

    def _answers(self, sandbox, http, content: bytes, known: Path, found: dict) -> bool:
        """Answer a request that a path fits; whether that was it."""
        if known.action:
            self._act(sandbox, http, content, known, found)
            return True
        if known.name in ("begun", "uploaded"):
            self._files.begin(sandbox, http, content, known.step)
            return True
        if known.name == "ready":
            return self._files.ready(sandbox, http, found["file"])
        if known.name == "list":
            self._list(sandbox, http, known.step)
            return True
        if known.name in _QUESTIONS:
            words = self.told.words(http)
            if known.name == "models":
                words["items"] = self.menu.rows(http, common.query(http))
                words.update(returned=len(words["items"]), total=self.menu.total)
            self.tell(http, known.name, words, change=self.change_of_question(sandbox, http, known.name))
            return True
        job = sandbox.store.find(found["id"])
        if job is None or sandbox.store.record("deleted", job.id):
            return False
        if known.name == "file":
            words = self.told.words_of(http, job)
            http.answer_bytes(200, words["media_type"], media.render(*words["file of"]))
        elif known.name == "cancel":
            self._cancel(sandbox, http, job, known.step)
        else:
            self._read(sandbox, http, job, known.name)
        return True

    # -- keys and accounts ---------------------------------------------------------------------------

    def _key_of(self, http) -> str:
        key = self.provider.key
        return http.headers.get(key["header"], "").removeprefix(key["prefix"]) if key else ""

    def refuses_key(self, sandbox, http) -> bool:
        """No key is needed; one that starts with `bad` plays the part of a wrong one."""
        return sandbox.fault == "key-refused" or self._key_of(http).startswith("bad")

    def _is_public(self, known: Path) -> bool:
        """Whether a path needs no key, or tells in its answer whether that is good."""
        if known.action:
            return known.action.key == "unneeded"
        rules = self.provider.says(known.name) if known.name in _QUESTIONS else None
        return isinstance(rules, dict) and (rules.get("key") == "unneeded" or "valid" in rules)

    def change_of_question(self, sandbox, http, name: str):
        """What the account has, and whether the key is good, in place of what the example says."""
        rules = self.provider.says(name) or {}
        if name == "key_check" and "valid" in rules:
            is_good = bool(self._key_of(http)) and not self.refuses_key(sandbox, http)
            return lambda body: put(body, rules["valid"], is_good)
        if name != "balance" or sandbox.balance is None:
            return None

        def change(body):
            for at, amount in zip(rules.get("amounts", ()), (sandbox.balance, 0, 0, 0)):
                put(body, at, amount)

        return change

    def _act(self, sandbox, http, content: bytes, known: Path, found: dict) -> None:
        """Answer an action of the account; one that is charged for is a job."""
        action = known.action
        given = action.given(found, common.query(http), http.json_of(content) or {})
        flaw = action.flaw_of(given)
        if flaw:
            return self.error(http, "invalid", flaw)
        told = kept.fitting(self.provider.examples["actions"][known.name], given)
        if told is None:
            return self.error(http, "invalid")
        if action.effect != "spends":
            words = {**self.told.words(http), "input": given}
            if "happened" in self.provider.examples and "{history}" in json.dumps(told):
                words["history"] = history.of(self, http, given)
                if found and not words["history"]:  # what a path names must be there
                    return self.error(http, 404)
            try:
                words.update(kept.words(sandbox.store, told, given, words))
            except kept.Missing:
                return self.error(http, 404)
            except kept.Conflict as conflict:
                return self.error(http, conflict.args[0])
            return self.tell(http, known.name, words, told=told)
        fault = common.create_fault(sandbox, self.reader.cost()) or faults.asked_for(content.decode("utf-8", "replace"))
        if common.refuse(sandbox, http, fault, given, self.error):
            return None
        facts, kind = {"given": given, "task": None}, action.output_type or "image"
        job = sandbox.store.add(known.name, kind, given, fault, None, self.new_id(), facts)
        common.lose(http, fault)
        words = self.told.words_of(http, job)
        return self.tell(http, known.name, words, fault, told=told)

    # -- create --------------------------------------------------------------------------------------

    def _create(self, sandbox, http, content: bytes, path: str) -> None:
        sent = self._sent(sandbox, http, content, path)
        route, model = self.route_of(path, sent or {})
        if route is None:
            return self.error(http, 404)
        if sent is None:
            return self.error(http, 400)
        task = self.reader.task(route, model, sent)
        plan = self.provider.plan
        is_plan = plan is not None and bool(sent.get(plan["field"])) and "planned" in self.provider.examples
        key = sent.get(self.provider.idempotency["field"]) if self.provider.idempotency and not is_plan else None
        key = key if isinstance(key, str) else None
        known = sandbox.store.find_by_key(key) if key else None
        if known is None:
            fault = common.create_fault(sandbox, self.cost(model))
            fault = fault or faults.asked_for(content.decode("utf-8", "replace"))
            if common.refuse(sandbox, http, fault, sent, self.error):
                return None
            self.check(sandbox, http, route, model, sent, task, fault)
            kind, facts = self.reader.kind(model, task), {**self.reader.facts(route, task), "is_plan": is_plan}
            new_id = self.new_id()
            job = sandbox.store.add(model or "", kind, sent, fault, key, new_id, facts)
            if job.id == new_id:
                return self.created(sandbox, http, job, path, None if is_plan else fault)
            known = job
        if known.input != sent:
            # Own choice: no source states what another request with the same key does.
            return self.error(http, 409, "this key belongs to another request")
        return self.created(sandbox, http, known, path, None, is_replay=True)

    def cost(self, model: str | None) -> float:
        """What a create needs in the account."""
        return self.reader.cost(model)

    def check(self, sandbox, http, route, model: str | None, sent: dict, task: str | None, fault: str | None) -> None:
        """Raise Refused for what the service would not do."""
        complaint = None if route.is_form else common.complaint(self.provider.name, model or "", sent, task=task)
        if complaint:
            raise Refused("invalid", complaint)

    def check_file(self, told: dict, body: dict) -> None:
        """Raise Refused for a file in a body that the service would not take; `told` is what the body says of it."""

    def created(self, sandbox, http, job, path: str, fault: str | None, is_replay: bool = False) -> None:
        """Answer a create whose job is there."""
        common.lose(http, fault)
        if fault not in streaming.INSTEAD and self.provider.paths.is_stream(path.removeprefix(self.BASE)):
            return streaming.play(http, job, functools.partial(self._event, sandbox, http, job))
        asked = self.reader.of_job(job)
        name = "planned" if job.facts.get("is_plan") else "created" if asked.how == "job" else "done"
        if name == "done":
            http.wait(seconds_until(job.created + job.duration))
            is_over = fault in ("job-failed", "job-canceled") and "failed" in self.provider.examples
            name = "failed" if is_over else name
        words = self.told.words_of(http, job, "queued")
        is_file = asked.how == "media" and name == "done" and not self.told.is_for(name, words["task"])
        own = self.change_of_created(http, job, path, fault)
        replayed = (self.provider.idempotency or {}).get("replayed") if is_replay else None

        def change(body):
            # An example can have another id in its place, made of {hex} perhaps.
            for at in self.provider.job.ids[:1]:
                if isinstance(point(body, at), str):
                    put(body, at, job.id)
            if replayed:
                put(body, replayed["at"], [f"{replayed['begins']} {job.id} was made with this key before"])
            if own:
                own(body)

        return self.tell(http, name, words, fault, change, {"file": True} if is_file else None)

    def route_of(self, path: str, sent: dict):
        """`(route, model)` of a create; `(None, None)` where none has that path."""
        return self.reader.route(path, sent)

    def _sent(self, sandbox, http, content: bytes, path: str) -> dict | None:
        """The body of a create: JSON, or a form whose files are kept and stand there as their addresses."""
        parts = forms.parts_of(http.headers.get("Content-Type", ""), content)
        if parts is None:
            return http.json_of(content)
        model = self.provider.paths.model_of(path.removeprefix(self.BASE))
        return self._files.of_form(sandbox, http, parts, common.types_of(self.provider.name, model) if model else {})

    def change_of_created(self, http, job, path: str, fault: str | None):
        """What changes the answer to a create: for `told-hostile`, the addresses that it tells lead elsewhere."""
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
        state = self.state_of(sandbox, job)
        if name == "read":
            example, body = self.body_of_read(http, job, state)
            if common.misread(sandbox, http, job, self.error, body):
                return None
            common.spoil(self.provider, sandbox, job, body)
            return self.answer(http, example.get("http", 200), body)
        if state in ("queued", "running"):
            return self.error(http, 400)
        early = functools.partial(common.without_results, self.provider) if common.is_early(sandbox, job) else None
        return self.tell(http, name, self.told.words_of(http, job), change=early)

    def body_of_read(self, http, job, state: str):
        """The example that answers a read of a job in a state, and its body."""
        words, name = self.told.words_of(http, job, state), state
        if job.facts.get("is_plan") and "plan" in self.provider.examples:
            name = "plan"
        elif state == "succeeded" and job.fault == "result-older" and "older" in self.provider.examples:
            name = "older"
        elif state == "succeeded" and self.reader.of_job(job).how == "done":
            name = state if self.told.is_for(state, words["task"]) else "done"
        example = self.told.example(name, words["task"])
        return example, self.told.filled(example, words)

    def state_of(self, sandbox, job) -> str:
        """How a job is now, in our words."""
        if self.provider.job.cancel and sandbox.store.record("canceled", job.id):
            return "canceled"
        state = store.progress(job, time.time())
        if state == "done":
            state = job.fault[4:] if job.fault in ("job-failed", "job-canceled") else "succeeded"
        return state if state in self.provider.examples else "failed" if state == "canceled" else "running"

    def _cancel(self, sandbox, http, job, step) -> None:
        is_over = store.progress(job, time.time()) == "done" or sandbox.store.record("canceled", job.id)
        if is_over and step.method != "DELETE":
            return self.error(http, (*step.over_http, 409)[0])
        # Where a job is deleted, one that is over goes with all that it made.
        sandbox.store.keep("deleted" if is_over else "canceled", job.id, {})
        return self.tell(http, "cancel", self.told.words_of(http, job, "canceled"))

    def _list(self, sandbox, http, step) -> None:
        asked = common.query(http)
        of_model = [name for name, value in common.query_of(step.path).items() if value == "{model}"]
        held = self.provider.job.listing.holds
        jobs = [job for job in sandbox.store.newest(1000) if all(job.model == asked.get(name) for name in of_model)]
        rows = ((job, self.state_of(sandbox, job)) for job in jobs)
        rows = common.page_of((one for one in rows if not held or one[1] in held), asked)
        told, entry = self.told.listed()
        items = [examples.filled(entry, self.told.words_of(http, job, state)) for job, state in rows]
        self.tell(http, "list", {**self.told.words(http), "items": items}, told=told)

    def _event(self, sandbox, http, job, name: str):
        """What a stream tells of a job."""
        if name == "end":
            state = self.state_of(sandbox, job)
            return self.told.body(http, job, state, state)
        state = "queued" if name == "created" else "running"
        event = "event" if "event" in self.provider.examples else {"strange": "running"}.get(name, name)
        body = self.told.body(http, job, event, state)
        if name == "strange":
            common.spoil(self.provider, sandbox, job, body)
        return body

    # -- answers -------------------------------------------------------------------------------------

    def error(self, http, status: int | str, message: str | None = None, change=None) -> None:
        """An error as the service words it; where no example does, with words of our own where its words are.

        status  of HTTP; or `invalid`, for what its contract does not take; or another word of `refused`
        change  what is changed of the example's body
        """
        refused = self.provider.examples.get("refused", {})
        if status == "invalid" and "invalid" not in refused:
            status = 422 if "422" in refused else 400
        code = 400 if isinstance(status, str) else status
        told = refused.get(str(status))
        headers = {"Retry-After": "1"} if status == 429 else {}
        if told is not None:
            words = self.told.words(http)
            filled = examples.filled(told.get("body"), words)
            if message:
                self._say(filled, message)
            if change:
                change(filled)
            headers = {**examples.filled(told.get("headers", {}), words), **headers}
            return self.answer(http, told.get("http", code), filled, headers)
        body: dict = {}
        self._say(body, message or _WORDS.get(code, "it failed"))
        return self.answer(http, code, body, headers)

    def _say(self, body: dict, message: str) -> None:
        """Put a message where the service has its own."""
        places = [at for at in (self.provider.says("errors") or {}).get("message", ()) if isinstance(at, str)]
        told = (at for at in places if isinstance(point(body, at), str))
        put(body, next(told, places[0] if places else "/message"), message)

    def tell(
        self, http, name: str, words: dict, fault: str | None = None, change=None, told: dict | None = None
    ) -> None:
        """Answer with an example, that of the name or `told`; `change` may change its body first."""
        told = told or self.told.example(name, words.get("task"))
        headers = examples.filled(told.get("headers", {}), words)
        status = told.get("http", 200)
        if told.get("file"):
            content, kind = media.render(*words["file of"]), words["media_type"]
            return http.answer_bytes(status, kind, content, headers, breaks_off=fault == "create-truncated")
        body = self.told.filled(told, words)
        if change is not None and isinstance(body, dict):
            change(body)
        if fault == "create-no-id":
            body = common.without_id(body, words["id"])
        if "body" not in told:
            return http.answer_bytes(status, "application/json", b"", headers)
        return self.answer(http, status, body, headers, fault)

    def answer(self, http, status: int, body, headers: dict | None = None, fault: str | None = None) -> None:
        """Send an answer, spoiled where a fault of a create wants it."""
        common.answer(http, fault, status, body, headers)


def _decoded(segment: str) -> str:
    """A segment of a path as it is meant; one that holds a slash stays as it came."""
    found = unquote(segment)
    return segment if "/" in found else found


def _step_of(rules: dict, method: str = "GET"):
    found = descriptor.step(rules)
    return found if "method" in rules else replace(found, method=method)
