"""A server that answers as the examples of a descriptor say; it knows no service by name.

It makes no pictures: every file is the same small PNG, so that the descriptor and the driver are tested, not media.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

from fake_service import PNG
from mediakit.base.pointer import point
from mediakit.sandbox.dialects.asked import path_pattern
from mediakit.services import catalogue, examples, providers

STATES = ("queued", "running")


class ExampleService:
    """`ends` is the example that the job comes to; `state` of each read before it: queued, then running.

    told_base  where the addresses lead that it tells; itself where that is None
    content    what every result is
    """

    def __init__(self, name: str, ends: str = "succeeded", told_base: str | None = None, content: bytes = PNG):
        self.content = content
        self.in_base64 = base64.b64encode(content).decode()
        self.told_base = told_base
        self.refuses_cancel = False
        self.loses_answers = False  # a create is taken, and its answer never comes
        self.before_result: list[int] = []  # statuses that come before the result itself
        self.works_for = 0.0  # seconds before a create is answered
        self.provider = providers.load(name)
        self.ends = ends
        self.stopped = threading.Event()
        self.requests: list[tuple[str, str, dict, bytes]] = []
        self.jobs: dict[str, dict] = {}
        handler = type("Handler", (_Handler,), {"service": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self.base_url = self.origin + self.provider.base_path
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> ExampleService:
        return self

    def __exit__(self, *problem) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def posts(self) -> int:
        """How many creates came."""
        return len(self.jobs)

    def route_of(self, path: str):
        path = path.partition("?")[0].removeprefix(self.provider.base_path)
        matching = (one for one in self.provider.routes if re.fullmatch(path_pattern(one.path), path))
        return next(matching, None)

    def example(self, name: str, task: str | None = None) -> dict:
        """The answer of that name, the first that is for the task."""
        found = self.provider.examples[name]
        found = found if isinstance(found, list) else [found]
        return next(one for one in found if task in one.get("tasks", (task,)))

    def filled(self, value, **facts):
        """An example with its placeholders filled in."""
        model = facts.get("model") or ""
        owner, _, name = model.partition("/")
        words = {"owner": owner, "name": name, "model": model, "model:2": "/".join(model.split("/")[:2])}
        return examples.filled(value, {"remaining": 1000, **facts, **words})


def new_id(provider: providers.Provider) -> str:
    """An id of the form that a descriptor says."""
    found = examples.new_id(provider.job.like)
    assert found is not None
    return found


class _Handler(BaseHTTPRequestHandler):
    service: ExampleService
    protocol_version = "HTTP/1.1"

    def log_message(self, *ignored):
        pass

    def do_GET(self):
        self._handle()

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def _handle(self) -> None:
        service, provider = self.service, self.service.provider
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service.requests.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        if self.path.startswith("/media/"):
            return self._send(200, service.content, {"Content-Type": "image/png"})
        for way in provider.ways:
            if way.begin and self._is(way.begin.step, self.command):
                return self._answer("begun" if way.send else "uploaded")
            if way.send and self.path.startswith("/upload-here/"):
                return self._answer("sent")
            if way.ready and self.command == "GET" and re.fullmatch(f".*/{way.ready['like']}", self.path):
                return self._answer("ready")
        if self.command == "GET" and self._about_account():
            return None
        if provider.job.read is not None and self._about_job():
            return None
        route = service.route_of(self.path) if self.command == "POST" else None
        if route is None:
            return self._send(404, b"{}", {})
        return self._create(route, body)

    def _about_job(self) -> bool:
        job = self.service.provider.job
        for name in ("cancel", "result", "read"):
            step = getattr(job, name)
            found = step and self.command == step.method and self._matches(step.path)
            if found:
                known = self.service.jobs.get(found["id"])
                if known is None:
                    self._send(404, b"{}", {})
                elif name == "cancel" and self.service.refuses_cancel:
                    self._send((*step.over_http, 409)[0], b"{}", {"Content-Type": "application/json"})
                elif name == "cancel":
                    known["canceled"] = True
                    self._answer("cancel", **known)
                elif name == "result" and self.service.before_result:
                    status = self.service.before_result.pop(0)
                    refused = self.service.provider.examples["refused"].get(str(status), {"body": {}})
                    content = json.dumps(refused["body"]).encode()
                    self._send(status, content, {"Content-Type": "application/json"})
                else:
                    known["reads"] += name == "read"
                    ends = "canceled" if known.get("canceled") else self.service.ends
                    done = known["reads"] > len(STATES) or known.get("canceled")
                    state = ends if done else STATES[known["reads"] - 1]
                    self._answer("result" if name == "result" else state, **known)
                return True
        return False

    def _about_account(self) -> bool:
        """Answer what is asked about no job: lists, prices, balance."""
        path, base = self.path, self.service.provider.base_path
        listing = self.service.provider.job.listing
        if listing and self._is(listing.step, "GET"):
            listed = self.service.example("listed")["body"]
            now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
            items = [self.service.filled(listed, **{**job, "time": now}) for job in self.service.jobs.values()]
            self._answer("list", items=items)
            return True
        for name in ("price", "balance", "key_check", "models"):
            rules = self.service.provider.says(name) or {}
            prefix = "" if "origin" in rules else base
            template, _, query = rules.get("path", "").partition("?")
            fits = "path" in rules and re.fullmatch(re.escape(prefix) + path_pattern(template), urlsplit(path).path)
            if fits and name in self.service.provider.examples:
                asked = parse_qs(urlsplit(path).query)
                self._answer(name, **{word[1:-1]: asked[at][0] for at, word in parse_qsl(query) if word[0] == "{"})
                return True
        return False

    def _is(self, step, method: str) -> bool:
        base = "" if step.from_root or step.origin else self.service.provider.base_path
        return method == step.method and self.path.partition("?")[0] == base + step.path.partition("?")[0]

    def _matches(self, template: str):
        path, base = self.path.partition("?")[0], self.service.provider.base_path
        return re.fullmatch(base + path_pattern(template), path)

    def _create(self, route, body: bytes) -> None:
        service = self.service
        sent = self._sent(body)
        found = re.fullmatch(service.provider.base_path + path_pattern(route.path), self.path)
        model = (point(sent, route.model) if route.model else found.groupdict().get("model")) or ""
        tasks = catalogue.entry(service.provider.name, model).get("tasks", [])
        fitting = [task for task in tasks if not route.tasks or task in route.tasks]
        task = (fitting or list(route.tasks) or [None])[0]
        job_id = new_id(service.provider)
        known = {"id": job_id, "model": model, "task": task, "input": point(sent, route.fields), "reads": 0}
        service.jobs[job_id] = known
        if service.loses_answers:
            self.close_connection = True
            return
        service.stopped.wait(service.works_for)
        self._answer("created" if route.answers == "job" else "done", **known)

    def _sent(self, body: bytes) -> dict:
        if "json" in self.headers.get("Content-Type", ""):
            return json.loads(body)
        names = re.findall(rb'name="([^"]+)"\r\n\r\n([^\r]*)', body)
        return {name.decode(): value.decode("utf-8", "replace") for name, value in names}

    def _answer(self, name: str, **facts) -> None:
        service = self.service
        example = service.example(name, facts.get("task"))
        facts = {
            "base": service.told_base or service.origin, "media": f"{service.origin}/media/1.png", "media_type": "image/png",
            "media64": service.in_base64, "upload": f"{service.origin}/upload-here/1",
            "file": f"{service.origin}/media/up.png", "file_id": self._file_id(), "time": "2026-11-25T20:00:00.000Z",
            "uuid": facts.get("id"), "hex": "0123456789abcdef", **facts,
        }  # fmt: skip
        headers = {name: service.filled(value, **facts) for name, value in example.get("headers", {}).items()}
        if example.get("file"):
            return self._send(example.get("http", 200), service.content, {"Content-Type": "image/png", **headers})
        content = json.dumps(service.filled(example["body"], **facts)).encode() if "body" in example else b""
        return self._send(example.get("http", 200), content, {"Content-Type": "application/json", **headers})

    def _file_id(self) -> str:
        """A name of the form that the service's files have, where that is the whole of it."""
        forms = [way.like for way in self.service.provider.ways if way.like]
        return next((word for word in ("image_f1",) for form in forms if re.fullmatch(form, word)), "f1")

    def _send(self, status: int, content: bytes, headers: dict) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
