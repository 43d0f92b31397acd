"""Every part of the descriptor language on a real socket: a service that nobody knows, from its create to its file.

One row a form: what the descriptor says, how the service behaves, how the command ends. All in this process.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
import threading
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from batch_runs import Told
from conftest import ROOT, validator
from fake_service import PNG
from mediakit.base import amounts, errors, paths, start
from mediakit.console import events
from mediakit.ledger import fallbacks
from mediakit.sandbox.dialects.asked import MADE
from mediakit.services import examine, examples, forms, own, providers
from mediakit.services.provider import Provider
from real_files import wav

KEY = "key-of-studio"
PNG64 = base64.b64encode(PNG).decode()
FILE = {"Content-Type": "image/png"}
MP4 = ROOT / "assets" / "sandbox.mp4"
LEAST = {
    "name": "Studio",
    "sources": ["a test"],
    "base_path": "/v1",
    "key": {"variable": "STUDIO_KEY", "header": "X-Key"},
    "defaults": {"t2i": "studio/flash/large"},
    "create": [{"path": "/make", "prompt": "/prompt", "model": "/model"}],
    "job": {"id": {"at": "/id", "like": "[a-z0-9]{1,20}"}, "read": {"path": "/jobs/{id}"}},
    "states": [
        {"state": "failed", "at": "/error"},
        {"state": "succeeded", "at": "/status", "is": ["done"]},
        {"state": "running", "at": "/status", "is": ["working"]},
    ],
    "outputs": [{"each": "/files", "url": "/url"}],
    "errors": {"code": ["/code"], "message": ["/message"]},
}
# How often a list is read, and what a service that never ends it is asked.
LISTINGS = 3

Asked = namedtuple("Asked", "method path headers body")


class Studio(ThreadingHTTPServer):
    """Answers what `says` has for "METHOD /path": a body, (status, headers, body), or a function of the service.

    lost  the fields of the last create
    """

    daemon_threads = True

    def __init__(self, says: dict):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.says = {"POST /v1/make": {"id": "j1"}, "GET /media/1.png": (200, FILE, PNG), **says}
        self.origin = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[Asked] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def __exit__(self, *problem):
        self.shutdown()
        super().__exit__(*problem)

    @property
    def lost(self) -> dict:
        return json.loads(next(one.body for one in self.asked if one.method == "POST"))

    def sent(self, method: str, path: str) -> list[Asked]:
        return [one for one in self.asked if (one.method, one.path) == (method, path)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Studio

    def log_message(self, *ignored):
        pass

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(Asked(self.command, self.path, headers, body))
        told = self.server.says.get(f"{self.command} {self.path}", (404, {}, {"message": "no such path"}))
        told = told(self.server) if callable(told) else told
        status, more, content = told if isinstance(told, tuple) else (200, {}, told)
        if not isinstance(content, bytes):
            more = {"Content-Type": "application/json", **more}
            content = json.dumps(content).replace("{origin}", self.server.origin).encode()
        self.send_response(status)
        for name, value in {**more, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET


@pytest.fixture
def create(tmp_path, monkeypatch):
    """Adds a descriptor and creates with it: `(service, changes, *flags) -> (exit code, events)`."""
    for name, value in (("HOME", ""), ("XDG_CONFIG_HOME", "settings"), ("AI_MEDIA_HOME", "state")):
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setenv("STUDIO_KEY", KEY)
    monkeypatch.setattr(start, "begin", lambda: None)
    monkeypatch.setattr(events.signals, "ignore", lambda: None)
    monkeypatch.chdir(tmp_path)
    before = list(sys.path), sys.dont_write_bytecode
    script = importlib.import_module("create_and_wait")
    sys.path[:], sys.dont_write_bytecode = before

    def run(service: Studio, changes: dict, *flags: str, prompt: tuple[str, ...] = ("--prompt", "a")):
        name = changes.get("id", f"studio-{service.server_port}")
        origins = {"api": service.origin, "queue": service.origin}
        least = {} if "id" in changes else {**LEAST, "id": name, "origins": origins}
        data = {key: value for key, value in {**least, **changes}.items() if value or value is False}
        content = json.dumps(data).encode()
        assert examine.flaws(content) == []
        own.add(name, content)
        console = Told("create_and_wait.py")
        words = ["--provider", name, "--task", "t2i", *prompt, "--output-dir", "out", *flags]
        parser = script.build_parser()
        console.output = parser.output(words)
        paths.choose_state(None)
        try:
            code = script.main(console, parser.parse(words))
        except errors.Failure as failure:
            code = console.failure(failure)
        for event in console.events:
            assert not [*validator("event").iter_errors(json.loads(json.dumps(event)))], event
        return code, console.events

    return run


DONE = {"id": "j1", "status": "done", "files": [{"url": "{origin}/media/1.png"}]}
TWO_STEPS = {
    **LEAST["job"],
    "read": {"path": "/jobs/{id}/state"},
    "result": {"path": "/jobs/{id}", "failed_http": [422]},
}
MADE_OF_ID = {"path": "/jobs/{id}/file"}
NO_JOB = {"job": None, "states": None, "outputs": None}
SYNONYM = {"id": "j1", "status": "SUCCESS"}

# what is said -> what the descriptor says otherwise, how the service behaves
WAYS = {
    "a create at another origin, job and model in the path": (
        {
            "create": [{"path": "/queue/{model}", "origin": "queue", "prompt": "/prompt"}],
            "job": {**LEAST["job"], "read": {"path": "/queue/{model:2}/jobs/{id}", "origin": "queue"}},
        },
        {"POST /queue/studio/flash/large": {"id": "j1"}, "GET /queue/studio/flash/jobs/j1": DONE},
    ),
    "a job that is read by POST": (
        {"job": {**LEAST["job"], "read": {"path": "/jobs/{id}", "method": "POST"}}},
        {"POST /v1/jobs/j1": DONE},
    ),
    "results that are read by POST": (
        {"job": {**TWO_STEPS, "result": {"path": "/jobs/{id}", "method": "POST"}}},
        {"GET /v1/jobs/j1/state": {"status": "done"}, "POST /v1/jobs/j1": DONE},
    ),
    "a job whose id stands in the query": (
        {"job": {**LEAST["job"], "read": {"path": "/query/job?task_id={id}"}}}, {"GET /v1/query/job?task_id=j1": DONE},
    ),
    "a file at an address that is made from the id": (
        {"outputs": [MADE_OF_ID]},
        {"GET /v1/jobs/j1": {"status": "done"}, "GET /v1/jobs/j1/file": (200, FILE, PNG)},
    ),
    "the same, only had with the key": (
        {"outputs": [{**MADE_OF_ID, "with_key": True}]},
        {
            "GET /v1/jobs/j1": {"status": "done"},
            "GET /v1/jobs/j1/file": lambda studio: (
                (200, FILE, PNG) if studio.asked[-1].headers.get("x-key") == KEY else (401, {}, {})
            ),
        },
    ),
    "base64 that is a data: URL already": (
        {"outputs": [{"each": "/files", "base64": "/content"}]},
        {"GET /v1/jobs/j1": {"status": "done", "files": [{"content": f"data:image/png;base64,{PNG64}"}]}},
    ),
    "nothing but the file itself, by no job": (
        {"create": [{**LEAST["create"][0], "answers": "media"}], **NO_JOB},
        {"POST /v1/make": (200, FILE, PNG)},
    ),
    **{
        f"an address below the {where}": (
            {"outputs": [{"each": "/files", "url": "/url", "relative_to": where}]},
            {"GET /v1/jobs/j1": {"status": "done", "files": [{"url": told}]}, f"GET {at}": (200, FILE, PNG)},
        )
        for where, told, at in (
            ("origin", "/files/1.png", "/files/1.png"), ("origin", "1.png?a=b", "/1.png?a=b"), ("origin", "/my bär.png", "/my%20b%C3%A4r.png"),
            ("base", "files/1.png", "/v1/files/1.png"), ("answer", "1.png", "/v1/jobs/1.png"),
        )
    },
    "the same, only had with the key, in an array without objects": (
        {"outputs": [{"each": "/files", "relative_to": "base", "with_key": True}]},
        {
            "GET /v1/jobs/j1": {"status": "done", "files": ["./f/1.png"]},
            "GET /v1/f/1.png": lambda studio: (200, FILE, PNG) if studio.asked[-1].headers.get("x-key") == KEY else (401, {}, {}),
        },
    ),
    "a whole address where one could be told without its beginning": (
        {"outputs": [{"each": "/files", "url": "/url", "relative_to": "base"}]}, {},
    ),
    "one value in place of a list, of a state and of an entry": (
        {
            "states": [{"state": "succeeded", "at": "/done", "is": True}, {"state": "running", "at": "/done", "is": False}],
            "outputs": [{"each": ["/steps", "/files"], "item": [{"at": "/kind", "is": "out"}, None], "url": "/url", "data_uri": True}],
        },
        {"GET /v1/jobs/j1": {"done": True, "steps": [
            {"kind": "in", "files": [{"url": "{origin}/nothing"}]}, {"kind": "out", "files": DONE["files"]},
        ]}},
    ),
    "an answer of more than the usual size": (
        {"job": {**LEAST["job"], "read": {"path": "/jobs/{id}", "max_bytes": 32 << 20}}},
        {"GET /v1/jobs/j1": {**DONE, "log": ["a" * 1000] * 17_000}},
    ),
    "a key against a second purchase, a success and a cost in headers": (
        {
            "idempotency": {"header": "Idempotency-Key"}, "success": {"at": {"header": "X-Code"}, "is": 0},
            "cost": [{"header": "X-Cost", "unit": "usd"}],
        },
        {
            "POST /v1/make": lambda studio: (
                (200, {"X-Code": "0"}, {"id": "j1"})
                if studio.asked[-1].headers.get("idempotency-key", "").startswith("ai-media-")
                and json.loads(studio.asked[-1].body) == {"prompt": "a", "model": "studio/flash/large"}
                else (400, {}, {})
            ),
            "GET /v1/jobs/j1": (200, {"X-Code": "0", "X-Cost": "0.25"}, DONE),
        },
    ),
    "nothing of errors or sources": ({"errors": None, "sources": None}, {}),
    "another word for finished, the results apart": (
        {"job": TWO_STEPS},
        {"GET /v1/jobs/j1/state": SYNONYM, "GET /v1/jobs/j1": {"files": DONE["files"]}},
    ),
    "another word for finished, and the results with it after all": (
        {"job": TWO_STEPS},
        {"GET /v1/jobs/j1/state": {**SYNONYM, "files": DONE["files"]}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("said", WAYS)
def test_a_service_that_a_descriptor_says_is_used_as_it_says(create, said):
    changes, says = WAYS[said]
    is_apart = changes.get("job") and "result" in changes["job"]
    with Studio(says if is_apart else {"GET /v1/jobs/j1": DONE, **says}) as studio:
        code, told = create(studio, changes)
        assert code == 0 and len(told[-1]["assets"]) == 1, (told[-1], studio.asked)
        codes = [event["code"] for event in told if event["event"] == "warning"]
        assert ("unlisted_status" in codes) is (SYNONYM["status"] in str(says)), codes
        started = next(event for event in told if event["event"] == "start")
        assert started["url"] == studio.origin + studio.asked[0].path
        planned = create(studio, changes, "--dry-run")[1][-1]
        assert planned["request"]["url"] == started["url"] and started["url"] in planned["curl"]


def test_what_a_header_says_is_no_success_buys_nothing_that_is_waited_for(create):
    told = {"success": {"at": {"header": "X-Code"}, "is": 0}}
    with Studio({"POST /v1/make": (200, {"X-Code": "7"}, {"message": "not today"})}) as studio:
        code, events = create(studio, told)
    assert code != 0 and "not today" in events[-1]["message"] and len(studio.asked) == 1


def test_a_lost_create_is_sent_again_under_the_key_in_its_header(create):
    answers = [(500, {}, {"message": "later"}), (200, {}, {"id": "j1"})]
    rules = {"header": "Idempotency-Key", "without_answer": True, "seconds": 60, "pauses": {"answer": 0}}
    with Studio({"POST /v1/make": lambda _: answers.pop(0), "GET /v1/jobs/j1": DONE}) as studio:
        code, events = create(studio, {"idempotency": rules})
        assert code == 0, events[-1]
        first, again = studio.sent("POST", "/v1/make")
    assert first.headers["idempotency-key"] == again.headers["idempotency-key"] and first.body == again.body


@pytest.mark.parametrize("renews", [True, False])
def test_a_link_that_has_expired_is_asked_for_again_where_a_read_renews_it(create, renews):
    expired = (410, {}, {"message": "gone"})
    with Studio({"GET /v1/jobs/j1": DONE, "GET /media/1.png": expired}) as studio:
        code, _ = create(studio, {"outputs_renewed_by_read": renews}, "--download-timeout", "1")
        assert code == 26 and (len(studio.sent("GET", "/v1/jobs/j1")) > 1) is renews, studio.asked


def test_what_is_left_may_stand_in_a_header():
    balance = {"path": "/me", "amounts": [{"header": "X-Credits"}, "/gift"], "unit": "credits"}
    service = Provider({**LEAST, "id": "studio", "origins": {}, "balance": balance})
    assert service.bills.left({"gift": 2}, {"X-Credits": "40"}) == {"amount": 42, "unit": "credits"}
    assert service.bills.left({}, {"X-Credits": "many"}) is None


@pytest.mark.parametrize("name", ["Authorization", "host", "Content-Length"])
def test_a_key_against_a_second_purchase_stands_in_no_header_of_http(name):
    origins = {"api": "https://api.studio.example"}
    data = {**LEAST, "id": "studio", "origins": origins, "idempotency": {"header": name}}
    [flaw] = examine.flaws(json.dumps(data, indent=1).encode())
    assert flaw.path == "/idempotency/header" and name in flaw.message


# Answers of the results' own address beside a word for finished that no document has -> exit code, warning
NOT_FINISHED = [
    ((400, {}, {"message": "still at work"}), 11, "unknown_status"),
    ({"files": []}, 11, "unknown_status"),
    ((422, {}, {"message": "refused"}), 10, None),
]


@pytest.mark.parametrize("answer, code, warned", NOT_FINISHED, ids=str)
def test_another_word_for_finished_ends_nothing_by_itself(create, answer, code, warned):
    with Studio({"GET /v1/jobs/j1/state": SYNONYM, "GET /v1/jobs/j1": answer}) as studio:
        ended, told = create(studio, {"job": TWO_STEPS}, "--poll-timeout", "1")
        assert ended == code, told
        assert warned in [None, *(event["code"] for event in told if event["event"] == "warning")]


# What no address is made of: it would lead elsewhere, or nowhere.
NO_ADDRESS = (
    "//elsewhere.example/1.png",
    "\\\\elsewhere.example/1.png",
    "/\\elsewhere.example/1.png",
    "javascript:alert(1)",
    "a\tb.png",
    "",
)


@pytest.mark.parametrize("told", NO_ADDRESS)
def test_an_address_without_its_beginning_leads_nowhere_else(create, told):
    outputs = [{"each": "/files", "url": "/url", "relative_to": "base", "with_key": True}]
    with Studio({"GET /v1/jobs/j1": {"status": "done", "files": [{"url": told}]}}) as studio:
        code, said = create(studio, {"outputs": outputs}, "--download-timeout", "1")
        assert code != 0 and {one.path for one in studio.asked} <= {"/v1/make", "/v1/jobs/j1"}, said


# the rules of `cost`, what the create and the read tell -> what the job has cost
BILLS = [
    ({"at": "/price", "of": "read"}, {}, {"price": 2}, 2),
    ({"at": "/price", "of": "read"}, {"price": 3}, {}, 3),  # told in the create's answer counts too
    ({"at": "/price", "of": "create"}, {}, {"price": 2}, None),
    ({"at": "/price", "of": "create"}, {"price": 3}, {"price": 2}, 3),
    ({"at": "/price"}, {}, {"price": "2.0"}, 2),
    ({"header": "X-Cost", "of": "result"}, {}, {}, None),
    ({"header": "X-Cost", "of": "read"}, {}, {}, 7),
]


@pytest.mark.parametrize("rule, created, read, cost", BILLS, ids=str)
def test_a_cost_is_taken_from_the_answer_that_tells_it(create, rule, created, read, cost):
    answers = {"POST /v1/make": {"id": "j1", **created}, "GET /v1/jobs/j1": (200, {"X-Cost": "7"}, {**DONE, **read})}
    with Studio(answers) as studio:
        code, said = create(studio, {"cost": [{**rule, "unit": "credits"}]})
        assert code == 0, said[-1]
        (entry,) = fallbacks.open_to_look(Told("jobs.py")).own.newest(5)
        assert (entry.cost and entry.cost / amounts.MICRO) == cost


def test_progress_may_stand_in_a_header_and_an_error_may_have_a_link():
    changes = {"progress": {"header": "X-Done"}, "position": {"header": "X-Before"}}
    provider = Provider(
        {**LEAST, **changes, "errors": {"message": ["/message"], "link": "/more"}, "id": "s", "origins": {}}
    )
    seen = provider.answers.reading({"status": "working"}, headers={"X-Done": "0.5", "X-Before": "3"})
    assert (seen.progress, seen.position) == (0.5, 3)
    assert (
        provider.refusals.error({"message": "no", "more": "https://docs.example/e#1"})[1]
        == "no (https://docs.example/e#1)"
    )
    assert provider.refusals.error({"message": "no", "more": "https://docs.example/; rm -rf ~"})[1] == "no"


# what is written, below the root -> what it stands for
SAME = [
    ({"defaults": {"background": "a/b"}}, {"defaults": {"rmbg": "a/b"}}),
    ({"create": [{"path": "/a", "tasks": ["upscale", "background"]}]}, {"create": [{"path": "/a", "tasks": ["upscale", "rmbg"]}]}),
    ({"job": {"id": {"at": "/id", "namespaces": {"w": 3}}}}, {"job": {"id": {"at": "/id"}, "namespaces": {"w": 3}}}),
    ({"inputs": {"begin": {"path": "/a"}, "send": {"told": "/u"}, "reference": "/r", "like": "r:[a-z]{1,9}"}},
     {"inputs": {"begin": {"path": "/a"}, "send": {"told": "/u", "hosts": ["api.studio.example", "up.studio.example"]},
                 "reference": {"at": "/r", "like": "r:[a-z]{1,9}"}}}),
    ({"catalogue": {"price": {"path": "/p", "amount": "/a"}}}, {"price": {"path": "/p", "amount": "/a"}}),
    ({"idempotency": {"field": "key"}}, {"idempotency": {"field": "key", "codes": [], "without_answer": False, "seconds": 0.0}}),
    ({"examples": {"background": {"files": ["{media}"]}, "older": {"upscale background": {"files": ["{media}"]}}}},
     {"examples": {"rmbg": {"files": ["{media}"]}, "older": {"upscale rmbg": {"files": ["{media}"]}}}}),
]  # fmt: skip


@pytest.mark.parametrize("written, meant", SAME, ids=str)
def test_what_can_be_written_in_two_ways_is_one(written, meant):
    origins = {"api": "https://api.studio.example", "up": "https://up.studio.example:443"}
    whole = {**LEAST, "id": "studio", "origins": origins}
    assert forms.normal({**whole, **written}) == {**whole, **meant}
    assert examine.flaws(json.dumps({**whole, "defaults": {}, "job": LEAST["job"], **_filled(written)}).encode()) == []


def _filled(written: dict) -> dict:
    """What is written, and what it needs beside it to be whole."""
    job = (
        {**LEAST["job"], **written["job"], "id": {**LEAST["job"]["id"], **written["job"]["id"]}}
        if "job" in written
        else {}
    )
    return {**written, **({"job": job} if job else {})}


def test_an_example_stands_under_a_path_the_end_of_one_or_words_for_tasks():
    create = [
        {"path": "/models/{model}:make", "tasks": ["t2i"], "answers": "done"},
        {"path": "/speak", "tasks": ["tts"], "answers": "done"},
    ]
    told = {"create": create, "examples": {":make": {"a": 1}, "/speak": {"b": 1}, "stt sts": {"c": 1}}}
    assert examples.normal(told)["done"] == [
        {"tasks": ["t2i"], "body": {"a": 1}}, {"tasks": ["tts"], "body": {"b": 1}}, {"tasks": ["stt", "sts"], "body": {"c": 1}},
    ]  # fmt: skip
    assert frozenset(providers.TASKS) == examples.TASKS


# -- a create whose answer is lost ---------------------------------------------------------------------------


def listing(**more) -> dict:
    found = {"path": "/list", "each": "/items", "id": "/id", "input": "/input", **more}
    return {"job": {**LEAST["job"], "list": {name: value for name, value in found.items() if value}}}


def page(*ids: str, made: str | None = None, **more):
    """A page of the list, whose jobs have the input of the one that was lost."""
    item = {"made": made} if made else {}
    return lambda studio: {"items": [{"id": one, "input": studio.lost, **item} for one in ids], **more}


CURSOR, TOLD = {"next": {"at": "/next", "query": "after"}}, {"next": {"told": "/next"}}
OLD = "2020-01-01T00:00:00Z"
# where the job is -> the list as the descriptor says it, its pages, the id that is found, how many lists are read
LISTS = {
    "the first page": (CURSOR, {"/v1/list": page("j1")}, "j1", 1),
    "the second page, by a cursor": (CURSOR, {"/v1/list": page(next="c2"), "/v1/list?after=c2": page("j1")}, "j1", 2),
    "the second page, at an address that is told": (
        TOLD, {"/v1/list": page(next="{origin}/v1/list?p=2"), "/v1/list?p=2": page("j1")}, "j1", 2,
    ),
    "below the origin itself": ({"path": None, "path_from_root": "/all"}, {"/all": page("j1")}, "j1", 1),
    "a list that is asked for by POST": ({"method": "POST"}, {"/v1/list": page("j1")}, "j1", 1),
    "one of two pages, or the other": (
        CURSOR, {"/v1/list": page("j1", next="c2"), "/v1/list?after=c2": page("j2")}, {"j1", "j2"}, 2 * LISTINGS,
    ),
    "a page that somebody else has": (TOLD, {"/v1/list": page(next="http://elsewhere.example/2")}, set(), LISTINGS),
    "no page, and they go round": (CURSOR, {"/v1/list": page(next="c2"), "/v1/list?after=c2": page(next="c2")}, set(), 2 * LISTINGS),
    "a page that cannot be read": (CURSOR, {"/v1/list": page("j1", next="c2")}, {"j1"}, 2 * LISTINGS),
    "no page, the others are older": (
        {**CURSOR, "created_at": "/made"}, {"/v1/list": page("j9", made=OLD, next="c2")}, set(), LISTINGS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("where", LISTS)
def test_a_lost_create_is_looked_for_on_every_page_of_the_list(create, where, monkeypatch):
    monkeypatch.setattr("mediakit.jobs.lifecycle.reconciling.RECONCILE_AT", (0.0, 0.01, 0.02))
    more, pages, found, reads = LISTS[where]
    says = {f"{more.get('method', 'GET')} {path}": told for path, told in pages.items()}
    with Studio({**says, "POST /v1/make": (500, {}, {"message": "oops"}), "GET /v1/jobs/j1": DONE}) as studio:
        code, told = create(studio, listing(**more))
        lists = [one for one in studio.asked if "/list" in one.path or "/all" in one.path]
        assert len(lists) == reads, lists
        if isinstance(found, str):
            assert (code, told[-1]["generation_id"]) == (0, found)
        else:
            assert code == 12 and set(told[-1].get("candidates", ())) == found
        assert len(studio.sent("POST", "/v1/make")) == 1


# -- prices ----------------------------------------------------------------------------------------------

PRICES = {"path": "/prices?m={model}", "each": "/prices", "model": "/m", "amount": "/p", "per": "/u", "currency": "/c"}
# what a unit of a price of 0.1 is, further flags, the cap -> exit code
CAPS = [
    ("images", (), "0.1usd", 0),
    ("images", ("--param", "n=2"), "0.1usd", 27),
    ("megapixels", ("--param", 'image_size={"width": 2000, "height": 1000}'), "0.2usd", 0),
    ("megapixels", ("--param", 'image_size={"width": 2001, "height": 1000}'), "0.2usd", 27),
    ("1000 characters", (), "9usd", 27),
]


@pytest.mark.parametrize("unit, flags, cap, code", CAPS, ids=str)
def test_a_price_that_a_service_states_counts_under_a_cap(create, unit, flags, cap, code):
    told = {"prices": [{"m": LEAST["defaults"]["t2i"], "p": 0.1, "u": unit, "c": "USD"}]}
    with Studio({"GET /v1/prices?m=studio%2Fflash%2Flarge": told, "GET /v1/jobs/j1": DONE}) as studio:
        ended, said = create(studio, {"price": PRICES}, "--max-spend", cap, *flags)
        assert (ended, bool(studio.sent("POST", "/v1/make"))) == (code, code == 0), said[-1]


ESTIMATE = {
    "path": "/guess", "amount": "/total", "currency": "/c",
    "body": {"kind": "past", "models": {"{model}": {"calls": 1}}},
}  # fmt: skip


def test_an_estimate_is_told_and_is_no_price_under_a_cap(create):
    with Studio({"POST /v1/guess": {"total": 0.02, "c": "USD"}, "GET /v1/jobs/j1": DONE}) as studio:
        plan = create(studio, {"estimate": ESTIMATE}, "--dry-run")[1][-1]
        assert plan["price"] == {"amount": 0.02, "unit": "usd", "source": "estimate"}
        assert json.loads(studio.sent("POST", "/v1/guess")[0].body)["models"] == {
            LEAST["defaults"]["t2i"]: {"calls": 1}
        }
        for flags in ((), ("--dry-run",)):
            assert create(studio, {"estimate": ESTIMATE}, "--max-spend", "1usd", *flags)[0] == 27
        assert not studio.sent("POST", "/v1/make")


# -- in the sandbox ------------------------------------------------------------------------------------------

PLAYED = {
    "created": {"id": "{id}"},
    "running": {"status": "working"},
    "succeeded": {"status": "done"},
    "done": {"file": True},
}


@pytest.mark.parametrize("said", [*list(WAYS)[:5], "nothing but the file itself, by no job"])
def test_the_sandbox_serves_what_examples_play(create, said):
    files = {} if "outputs" in WAYS[said][0] else {"outputs": [MADE_OF_ID]}
    is_job = bool(WAYS[said][0].get("job", True))
    played = {name: one for name, one in PLAYED.items() if (name == "done") != is_job}
    changes = {**WAYS[said][0], **files, "examples": played}
    with Studio({}) as studio:
        code, told = create(studio, changes, "--provider", "sandbox", "--as", f"studio-{studio.server_port}")
        assert code == 0 and told[-1]["assets"] and studio.asked == [], told


def test_an_example_that_looks_like_words_for_tasks_or_an_answer_is_a_body():
    bodies = {
        "created": {"data": {"id": "{id}"}},
        "running": {"file": {"state": "made"}},
        "succeeded": {"status": "done", "file": {"url": "{media}"}},
    }
    found = examples.normal({"examples": bodies})
    assert found == {name: [{"body": body}] for name, body in bodies.items()}
    changes = {
        "job": {**LEAST["job"], "id": {"at": "/data/id"}},
        "outputs": [{"one": "/file", "url": "/url"}],
        "examples": bodies,
    }
    whole = {**LEAST, **changes, "id": "studio", "origins": {"api": "https://api.studio.example"}}
    whole["states"] = [*LEAST["states"], {"state": "running", "at": "/file/state"}]
    assert examine.flaws(json.dumps(whole).encode()) == []


# -- descriptors from elsewhere ------------------------------------------------------------------------------

DATA = os.environ.get("AI_MEDIA_TEST_DATA")
DRAFTS = sorted((Path(DATA) / "services").glob("*.json")) if DATA else []
# task -> the file that it begins with
BEGINS_WITH = {
    **dict.fromkeys(("i2i", "i2v", "i2m", "upscale", "rmbg"), "image"),
    "v2v": "video",
    **dict.fromkeys(("stt", "sts"), "audio"),
}


def renamed(path: Path) -> dict:
    """A draft as somebody would add it beside the bundled service: with another id, and a variable of its own."""
    data = json.loads(path.read_text())
    key = {name: item for name, item in data["key"].items() if name not in ("other_variables", "joined")}
    return {**data, "id": f"my-{data['id']}", "key": {**key, "variable": "STUDIO_KEY"}, "optional_headers": {}}


@pytest.mark.skipif(not DRAFTS, reason="AI_MEDIA_TEST_DATA names no drafts")
@pytest.mark.parametrize("path", DRAFTS, ids=lambda path: path.stem)
def test_a_draft_is_taken_as_it_is_and_every_task_of_it_runs(create, path):
    data = renamed(path)
    files = {"image": ("a.png", PNG), "audio": ("a.wav", wav()()), "video": ("a.mp4", MP4.read_bytes())}
    for name, content in files.values():
        Path(name).write_bytes(content)
    with Studio({}) as studio:
        for task in forms.normal(data)["defaults"]:
            kind = BEGINS_WITH.get(task)
            file = ("--input", f"{kind}={files[kind][0]}") if kind else ()
            words = () if task in ("stt", "sts", "upscale", "rmbg") else ("--prompt", "a")
            where = ("--provider", "sandbox", "--as", data["id"], "--task", task)
            code, told = create(studio, data, *where, *file, prompt=words)
            made = [asset["media_type"].partition("/")[0] for asset in told[-1].get("assets", ())]
            usual = MADE.get(task, kind)
            assert (code, made) == (0, ["model" if usual == "3d" else usual]), (task, told[-1])
        assert studio.asked == []
