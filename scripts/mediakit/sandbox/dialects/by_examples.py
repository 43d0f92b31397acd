"""Any service's contract, spoken from the examples of its descriptor.

What no example says is this sandbox's own choice: times, words of refusals without an example, and HTTP 409 for the
cancel of a job that is over where no other status is told. What one service alone has stands in a Dialect of its own,
which is made from this one.
"""

from __future__ import annotations

import functools
import re
import secrets
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from ...base import errors
from ...base.pointer import point, put
from ...base.record import replace
from ...services import actions, descriptor, examples, providers
from .. import faults, forms, media, store
from ..server import seconds_until
from . import model_facts, queries, spoiling, streaming
from .accounts import QUESTIONS, Accounts
from .answering import Refused
from .asked import Path, Reader, path_pattern
from .files import Files
from .filling import UPLOAD_PATH, Filling
from .jobs import Jobs
from .menu import Menu


class Dialect(Jobs, Accounts):
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
        for name in QUESTIONS:
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
        if known.name in QUESTIONS:
            words = self.told.words(http)
            if known.name == "models":
                words["items"] = self.menu.rows(http, queries.query(http))
                words.update(returned=len(words["items"]), total=self.menu.total)
            self.tell(http, known.name, words, change=self.change_of_question(sandbox, http, known.name))
            return True
        asked = queries.query(http)
        in_query = (asked.get(name, "") for name, value in queries.query_of(known.step.path).items() if value == "{id}")
        job = sandbox.store.find(found.get("id") or next(in_query, ""))
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
        keyed = self.provider.idempotency if not is_plan else None
        key = keyed and (http.headers.get(keyed["header"]) if "header" in keyed else sent.get(keyed["field"]))
        key = key if isinstance(key, str) else None
        known = sandbox.store.find_by_key(key) if key else None
        if known is None:
            fault = spoiling.create_fault(sandbox, self.cost(model))
            fault = fault or faults.asked_for(content.decode("utf-8", "replace"))
            if spoiling.refuse(sandbox, http, fault, sent, self.error):
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
        complaint = None if route.is_form else model_facts.complaint(self.provider.name, model or "", sent, task=task)
        if complaint:
            raise Refused("invalid", complaint)

    def check_file(self, told: dict, body: dict) -> None:
        """Raise Refused for a file in a body that the service would not take; `told` is what the body says of it."""

    def created(self, sandbox, http, job, path: str, fault: str | None, is_replay: bool = False) -> None:
        """Answer a create whose job is there."""
        spoiling.lose(http, fault)
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
        return self._files.of_form(
            sandbox, http, parts, model_facts.types_of(self.provider.name, model) if model else {}
        )

    def change_of_created(self, http, job, path: str, fault: str | None):
        """What changes the answer to a create: for `told-hostile`, the addresses that it tells lead elsewhere."""
        steps = (getattr(self.provider.job, name) for name in ("read", "result", "cancel"))
        told = [at for step in steps if step for at in step.told]
        if fault != "told-hostile" or not told:
            return None

        def change(body):
            for at in told:
                if point(body, at) is not None:
                    put(body, at, spoiling.ELSEWHERE + urlsplit(point(body, at)).path)

        return change


def _decoded(segment: str) -> str:
    """A segment of a path as it is meant; one that holds a slash stays as it came."""
    found = unquote(segment)
    return segment if "/" in found else found


def _step_of(rules: dict, method: str = "GET"):
    found = descriptor.step(rules)
    return found if "method" in rules else replace(found, method=method)
