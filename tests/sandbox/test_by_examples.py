"""Any service in the sandbox, from the examples of its descriptor alone: what a client of it sees."""

from __future__ import annotations

import json

import pytest
import requests

import studio
from mediakit.base import errors
from mediakit.base.pointer import first, point, put
from mediakit.http.addresses import above
from mediakit.sandbox import Sandbox, media
from mediakit.sandbox.dialects import accounts, asked, by_examples
from mediakit.sandbox.server import MEDIA_PATH
from mediakit.services import descriptor, examine, providers
from mediakit.services.provider import Provider

WITH_EXAMPLES = [name for name in providers.spoken_by("sandbox") if providers.load(name).examples]
WITH_JOBS = [name for name in WITH_EXAMPLES if providers.load(name).job.read]
# The same with a stream, a price and a balance, and with fewer states.
STUDIO = {
    **studio.STUDIO,
    "create": [{"path": "/models/{model}/jobs", "stream_path": "/models/{model}/streams", "prompt": "/prompt"}],
    "states": studio.STUDIO["states"][1:],
    "cost": [{"at": "/price", "unit": "usd"}],
    "balance": {"path": "/me", "amounts": ["/left"], "unit": "usd"},
    "examples": {
        "created": {"id": "{id}", "status": "working"},
        "running": {"id": "{id}", "status": "working"},
        "succeeded": {"id": "{id}", "status": "done", "files": [{"href": "{media}"}], "price": 0.02},
        "failed": {"status": "error", "error": {"message": "blocked"}},
        "balance": {"left": 3},
        "refused": {"401": {"error": {"code": "key", "message": "no such key"}}},
    },
}


class Caller:
    """Sends requests to a sandbox as a client of the service would."""

    def __init__(self, server: Sandbox):
        self.server, self.own = server, server.dialect.provider
        self.base = server.url + self.own.base_path

    def __call__(self, method: str, path: str, **more):
        return requests.request(method, path if path.startswith("http") else self.base + path, timeout=30, **more)

    def step(self, step, job_id: str = "", model: str = "", **more):
        """Ask as a step of the descriptor says."""
        is_default = step.origin in (None, self.own.default_origin) and not step.from_root
        base = self.base if is_default else above(self.base, self.own.base_path)
        return self(step.method, base + self.own.paths.filled(step.path, model, job_id), **more)

    def finished(self, job_id: str, model: str = "") -> dict:
        """The answer to a read of a job when that is over."""
        while True:
            answer = self.step(self.own.job.read, job_id, model).json()
            if self.own.answers.reading(answer).state not in ("queued", "running"):
                return answer


def accepted(server: Sandbox, model: str, fault: str | None = None):
    """A job that the sandbox has taken."""
    route = next(number for number, one in enumerate(server.dialect.provider.routes) if one.answers == "job")
    facts = {"task": "t2i", "route": route}
    return server.store.add(model, "image", {"prompt": "a"}, fault, None, server.dialect.new_id(), facts)


@pytest.fixture
def studio(monkeypatch):
    def load(name, speaks=None):
        return Provider(STUDIO, speaks)

    monkeypatch.setattr(by_examples.providers, "load", load)
    with Sandbox(None, "studio") as server:
        yield Caller(server)


PATH = "/models/studio/flash/jobs"


def test_a_service_of_ones_own_is_served(studio):
    created = studio("POST", PATH, json={"prompt": "a tin boat fault:job-fast", "n": 3}).json()
    assert studio.own.answers.reading(created, True).id
    seen = []
    while not seen or studio.own.answers.reading(seen[-1]).state != "succeeded":
        seen.append(studio("GET", f"/jobs/{created['id']}").json())
    assert len(studio.own.answers.outputs(seen[-1])) == 3
    files = [studio("GET", output["url"]) for output in studio.own.answers.outputs(seen[-1])]
    assert len({file.content for file in files}) == 3
    assert {file.headers["Content-Type"] for file in files} == {"image/png"}
    assert studio("GET", "/jobs/0123456789").status_code == 404
    assert studio("GET", "/elsewhere").status_code == 404


def test_its_stream_ends_with_the_job(studio):
    answer = studio("POST", "/models/studio/flash/streams", json={"prompt": "a tin boat"})
    events = [json.loads(line[6:]) for line in answer.text.split("\n") if line.startswith("data: ")]
    assert [event["status"] for event in events] == ["working", "working", "done"]


def test_its_balance_can_be_set_and_is_too_small_for_what_costs_more(studio):
    assert studio("GET", "/me").json() == {"left": 3}
    studio.server.balance = 0.01
    assert studio("GET", "/me").json() == {"left": 0.01}
    refused = studio("POST", PATH, json={"prompt": "a"})
    assert refused.status_code == 402 and refused.json()["error"]["message"]
    studio.server.balance = 0.02
    assert studio("POST", PATH, json={"prompt": "a"}).status_code == 200


def test_a_service_without_examples_is_told_as_such(monkeypatch):
    monkeypatch.setattr(by_examples.providers, "load", lambda name: Provider({**STUDIO, "examples": {}}))
    with pytest.raises(errors.Failure) as caught:
        Sandbox(None, "studio")
    assert caught.value.code == "invalid_arguments" and "examples" in caught.value.message


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_a_wrong_key_is_refused_wherever_it_is_sent(name):
    with Sandbox(None, name) as server:
        caller, key = Caller(server), providers.load(name).key
        for path in ("/nowhere", "/account"):
            wrong = caller("GET", path, headers={key["header"]: key["prefix"] + "bad_key"})
            told = caller.own.refusals.verdict(wrong.status_code, wrong.json())
            assert told.category == "auth" and told.message
        server.fault = "key-refused"
        assert caller("POST", "/x", json={}).status_code == caller("GET", "/nowhere").status_code == 401


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_every_question_of_the_descriptor_is_answered(name):
    with Sandbox(None, name) as server:
        caller = Caller(server)
        asked = [word for word in accounts.QUESTIONS if caller.own.says(word) and word in caller.own.examples]
        assert asked
        for word in asked:
            rules = caller.own.says(word)
            step = descriptor.step({"method": "POST" if "body" in rules else "GET", **rules})
            answer = caller.step(step, model="owner/name", json={})
            assert answer.status_code == 200, (word, answer.text)
        if "balance" in asked:
            server.balance = 7
            told = caller.step(descriptor.step(caller.own.says("balance"))).json()
            assert sum(point(told, at) for at in caller.own.says("balance").get("amounts", ["/total"])) == 7


def test_an_answer_without_content_has_no_body():
    name = next(name for name in WITH_JOBS if providers.load(name).examples.get("cancel", [{}])[0].get("http") == 204)
    with Sandbox(None, name) as server:
        caller = Caller(server)
        job = accepted(server, "m", "job-slow")
        canceled = caller.step(caller.own.job.cancel, job.id)
        assert (canceled.status_code, canceled.content) == (204, b"")
        assert "Content-Length" not in canceled.headers
        assert caller.own.answers.reading(caller.step(caller.own.job.read, job.id).json()).state == "canceled"


@pytest.mark.parametrize("name", [name for name in WITH_JOBS if providers.load(name).job.cancel])
def test_a_job_that_is_over_is_not_canceled(name):
    with Sandbox(None, name) as server:
        caller, step = Caller(server), providers.load(name).job.cancel
        job = accepted(server, "a/b", "job-fast")
        assert caller.own.answers.reading(caller.finished(job.id, "a/b")).state == "succeeded"
        answer = caller.step(step, job.id, "a/b")
        if step.method == "DELETE":  # it goes, with what it made
            assert caller.step(caller.own.job.read, job.id, "a/b").status_code == 404
        else:
            assert answer.status_code in (*step.over_http, 409)


@pytest.mark.parametrize("name", [name for name in WITH_JOBS if providers.load(name).job.listing])
def test_jobs_are_listed(name):
    with Sandbox(None, name) as server:
        caller, listing = Caller(server), providers.load(name).job.listing
        jobs = [accepted(server, model) for model in ("a/b", "c/d")]
        rows = first(caller.step(listing.step, model="a/b").json(), listing.each)
        told = [point(row, listing.at["id"]) for row in rows]
        assert jobs[0].id in told and (jobs[1].id in told) == ("{model}" not in listing.step.path)
        row = rows[told.index(jobs[0].id)]
        assert all(first(row, listing.at[word]) is not None for word in ("input", "created_at") if word in listing.at)


def test_what_it_makes_is_what_the_task_says():
    assert set(asked.MADE.values()) <= set(media.TYPES)


def test_a_file_that_answers_a_create_breaks_off_where_it_is_told_to():
    name, task = next(
        (name, task) for name in WITH_EXAMPLES for task, model in providers.load(name).defaults.items()
        if providers.load(name).paths.route(model, task).answers == "media"
    )  # fmt: skip
    with Sandbox(None, name) as server:
        caller = Caller(server)
        route = caller.own.paths.route(caller.own.defaults[task], task)
        words = {"job-fast": True, "create-truncated": False}
        for fault, is_whole in words.items():
            body: dict = {**route.defaults}
            put(body, route.model, caller.own.defaults[task])
            put(body, route.prompt[0], f"a fault:{fault}")
            if is_whole:
                answer = caller("POST", route.path, json=body)
                assert answer.content == media.render("audio", {"prompt": f"a fault:{fault}"}, 1)
            else:
                with pytest.raises(requests.exceptions.ChunkedEncodingError):
                    caller("POST", route.path, json=body)


# What a service can say in its examples besides a word a state; the sandbox serves it for anybody's service.
RICH = {
    **STUDIO,
    "job": {**STUDIO["job"], "list": {"path": "/jobs", "each": "", "id": "/id", "holds": ["running"]}},
    "defaults": {"t2i": "studio/flash", "t2v": "studio/film", "i2i": "studio/flash"},
    "models": {"path": "/models", "each": "/found", "model": "/id", "tasks": {"pictures": "t2i", "films": "t2v"}},
    "actions": {
        "speak": {
            "title": "Speech at once", "method": "POST", "path_from_root": "/say", "effect": "spends", "key": "needed",
            "fields": {"text": {"in": "body", "type": "string", "at": "/input/text", "required": True, "help": "words"}},
            "outputs": [{"at": "/sound", "url": "/href"}], "output_type": "audio",
        },
        "plans": {
            "title": "What can be bought", "method": "GET", "path": "/plans/{kind}", "effect": "no_spend",
            "key": "unneeded",
            "fields": {
                "kind": {"in": "path", "type": "string", "help": "which"},
                "least": {"in": "query", "type": "integer", "help": "from so many on"},
            },
        },
    },
    "examples": {
        **STUDIO["examples"],
        "event": {"id": "{id}", "status": "{state}", "files": None},
        "older": {"id": "{id}", "status": "done", "files": [{"href": "{media}", "side": "{width}"}]},
        "succeeded": {
            "id": "{id}", "status": "done", "price": 0.02, "asked": "{input:size}", "number": "{count}",
            "files": [
                {"href": "{media}", "role": "first", "bytes": "{bytes}"},
                {"href": "{media}", "role": "other {number}", "bytes": "{bytes}"},
            ],
        },
        "models": {"found": "{items}"},
        "model": {"id": "{model}", "does": "{type}", "makes": "{kind}", "here": "{base}"},
        "list": {"body": "{items}"}, "listed": {"id": "{id}", "status": "{state}", "model": "{owner}/{name}"},
        "balance": {"left": "{balance}"},
        "actions": {
            "speak": {"words": "{input:text}", "sound": {"href": "{media}", "type": "{media_type}"}},
            "plans": {"kind": "{input:kind}", "least": "{input:least}", "most": "{input:most}"},
        },
        "refused": {
            **STUDIO["examples"]["refused"],
            "429": {"headers": {"X-Reset": "{soon}"}, "body": {"error": {"code": "slow", "message": "slow down"}}},
            "invalid": {"http": 418, "error": {"code": "odd", "message": "odd"}},
        },
    },
}  # fmt: skip


@pytest.fixture
def rich(monkeypatch):
    monkeypatch.setattr(by_examples.providers, "load", lambda name, speaks=None: Provider(RICH, speaks))
    with Sandbox(None, "studio") as server:
        yield Caller(server)


def test_a_descriptor_with_all_of_it_is_good():
    assert examine.flaws(json.dumps(RICH).encode()) == []
    unknown = {**RICH, "examples": {**RICH["examples"], "actions": {"sing": {}}}}
    (flaw,) = examine.flaws(json.dumps(unknown).encode())
    assert flaw.path == "/examples/actions/sing"


def test_results_are_as_many_as_were_asked_for_and_tell_what_they_are(rich):
    for count, roles in ((None, ["first"]), (1, ["first"]), (3, ["first", "other 2", "other 3"]), (99, ["first"])):
        sent = {"prompt": "a fault:job-fast", "size": "16:9", **({"n": count} if count else {})}
        done = rich.finished(rich("POST", PATH, json=sent).json()["id"])
        assert [file["role"] for file in done["files"]] == roles
        assert (done["asked"], done["number"]) == ("16:9", len(roles))
        assert [len(rich("GET", file["href"]).content) for file in done["files"]] == [f["bytes"] for f in done["files"]]
    assert rich("GET", "/plans/big?least=7").json() == {"kind": "big", "least": "7", "most": None}
    assert rich("GET", "/me").json() == {"left": 1000}


def test_a_file_is_drawn_as_it_was_asked_for_wherever_the_fields_stand():
    """Also where they are below a pointer of the body: the address and the base64 are the same file."""
    name = next(name for name in WITH_JOBS if (last := providers.load(name).routes[-1]).fields and last.prompt)
    with Sandbox(None, name) as server:
        route = server.dialect.provider.routes[-1]
        body: dict = {}
        put(body, route.fields + "/aspect_ratio", "16:9")
        put(body, route.prompt[0], "a")
        job = server.store.add("a/b", "image", body, None, None, None, server.dialect.reader.facts(route, "t2i"))
        content = requests.get(f"{server.url}{MEDIA_PATH}{job.id}/1.png", timeout=30).content
        assert content == media.render("image", {"prompt": "a", "aspect_ratio": "16:9"}, 1)


def test_events_and_older_answers_are_as_their_examples(rich):
    answer = rich("POST", "/models/studio/flash/streams", json={"prompt": "a tin boat"})
    events = [json.loads(line[6:]) for line in answer.text.split("\n") if line.startswith("data: ")]
    assert [event["files"] for event in events[:2]] == [None, None] and len(events[2]["files"]) == 1
    assert [event["status"] for event in events] == ["working", "working", "done"]
    old = accepted(rich.server, "a/b", "result-older")
    assert rich.finished(old.id)["files"][0]["side"] == 768


def test_a_list_holds_what_the_service_says_that_it_holds(rich):
    slow = [accepted(rich.server, "a/b", "job-slow").id for _ in range(3)]
    rows = rich("GET", "/jobs?page=1&page_size=2").json()
    assert [row["id"] for row in rows] == slow[:0:-1] and rows[0]["status"] == "working" and rows[0]["model"] == "a/b"
    job = accepted(rich.server, "a/b", "job-fast")
    assert rich.finished(job.id, "a/b")["status"] == "done"
    assert job.id not in {row["id"] for row in rich("GET", "/jobs").json()}


def test_an_action_that_spends_is_a_job_with_faults_of_its_own(rich):
    said = rich("POST", rich.server.url + "/say", json={"input": {"text": "hello"}}).json()
    assert said["words"] == "hello" and said["sound"]["type"] == "audio/wav"
    assert rich("GET", said["sound"]["href"]).content.startswith(b"RIFF")
    odd = rich("POST", rich.server.url + "/say", json={"input": {"text": 5}})
    assert (odd.status_code, odd.json()["error"]["message"]) == (418, "input.text: is not text")
    slow = rich("POST", rich.server.url + "/say", json={"input": {"text": "fault:create-429"}})
    assert slow.status_code == 429 and int(slow.headers["X-Reset"]) > 1e9 and len(rich.server.store.newest(9)) == 1
    rich.server.balance = 0
    assert rich("POST", rich.server.url + "/say", json={"input": {"text": "hello"}}).status_code == 402


def test_what_needs_no_key_is_told_to_a_wrong_one_too(rich):
    wrong = {"headers": {"Authorization": "Bearer bad_key"}}
    assert rich("GET", "/plans/a", **wrong).status_code == 200 and rich("GET", "/me", **wrong).status_code == 401
    assert rich("DELETE", "/plans/a").status_code == 405


def test_an_answer_without_an_id_has_it_nowhere(rich):
    answer = rich("POST", PATH, json={"prompt": "a fault:create-no-id"})
    assert answer.json() == {"status": "working"} and rich.server.store.newest(1)[0].id not in answer.text


def test_models_are_listed_as_the_query_asks_for_them(rich, monkeypatch):
    from mediakit.services import catalogue

    monkeypatch.setattr(catalogue, "document", lambda name: catalogue._document_of_defaults(RICH["defaults"]))
    everything = rich("GET", "/models").json()["found"]
    assert {row["id"]: (row["does"], row["makes"]) for row in everything} == {
        "studio/flash": ("pictures", "image"), "studio/film": ("films", "video"),
    }  # fmt: skip
    assert everything[0]["here"] == rich.server.url
    for query, found in (
        ("type=films", ["studio/film"]), ("tasks=i2i", ["studio/flash"]), ("query=FILM", ["studio/film"]),
        ("nobody=knows", ["studio/flash", "studio/film"]), ("page=2&page_size=1", ["studio/film"]), ("limit=1", ["studio/flash"]),
    ):  # fmt: skip
        assert [row["id"] for row in rich("GET", f"/models?{query}").json()["found"]] == found, query
