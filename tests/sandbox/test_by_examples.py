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
from mediakit.sandbox.dialects import by_examples
from mediakit.services import descriptor, providers
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
        return self(step.method, base + self.own.filled(step.path, model, job_id), **more)


def accepted(server: Sandbox, model: str, fault: str | None = None):
    """A job that the sandbox has taken."""
    sent = {"asked": {"prompt": "a"}, "prompt": "a", "task": "t2i", "how": "job"}
    return server.store.add(model, "image", sent, fault, None, server.dialect.new_id())


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
    assert studio.own.reading(created, True).id
    seen = []
    while not seen or studio.own.reading(seen[-1]).state != "succeeded":
        seen.append(studio("GET", f"/jobs/{created['id']}").json())
    assert len(studio.own.outputs(seen[-1])) == 3
    files = [studio("GET", output["url"]) for output in studio.own.outputs(seen[-1])]
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
        paths = ["/nowhere", *(path for path in ("/models", "/account") if path)]
        for path in paths:
            wrong = caller("GET", path, headers={key["header"]: key["prefix"] + "bad_key"})
            told = caller.own.verdict(wrong.status_code, wrong.json())
            assert told.category == "auth" and told.message
        server.fault = "key-refused"
        assert caller("POST", "/x", json={}).status_code == caller("GET", "/nowhere").status_code == 401


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_every_question_of_the_descriptor_is_answered(name):
    with Sandbox(None, name) as server:
        caller = Caller(server)
        asked = [word for word in by_examples._QUESTIONS if caller.own.says(word) and word in caller.own.examples]
        assert asked
        for word in asked:
            rules = caller.own.says(word)
            step = descriptor.step({"method": "POST" if "body" in rules else "GET", **rules})
            answer = caller.step(step, model="owner/name", json={})
            assert answer.status_code == 200, (word, answer.text)
        if "balance" in asked:
            server.balance = 7
            told = caller.step(descriptor.step(caller.own.says("balance"))).json()
            assert [point(told, at) for at in caller.own.says("balance")["amounts"]] == [7]


def test_an_answer_without_content_has_no_body():
    name = next(name for name in WITH_JOBS if providers.load(name).examples.get("cancel", [{}])[0].get("http") == 204)
    with Sandbox(None, name) as server:
        caller = Caller(server)
        job = accepted(server, "m", "job-slow")
        canceled = caller.step(caller.own.job.cancel, job.id)
        assert (canceled.status_code, canceled.content) == (204, b"")
        assert "Content-Length" not in canceled.headers
        assert caller.own.reading(caller.step(caller.own.job.read, job.id).json()).state == "canceled"


@pytest.mark.parametrize("name", [name for name in WITH_JOBS if providers.load(name).job.cancel])
def test_a_job_that_is_over_is_not_canceled(name):
    with Sandbox(None, name) as server:
        caller, step = Caller(server), providers.load(name).job.cancel
        job = accepted(server, "a/b", "job-fast")
        while caller.own.reading(caller.step(caller.own.job.read, job.id, "a/b").json()).state != "succeeded":
            pass
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
        assert first(rows[told.index(jobs[0].id)], listing.at["input"]) is not None


def test_what_it_makes_is_what_the_task_says():
    assert set(by_examples._MADE.values()) <= set(media.TYPES)


def test_a_file_that_answers_a_create_breaks_off_where_it_is_told_to():
    name, task = next(
        (name, task) for name in WITH_EXAMPLES for task, model in providers.load(name).defaults.items()
        if providers.load(name).route(model, task).answers == "media"
    )  # fmt: skip
    with Sandbox(None, name) as server:
        caller = Caller(server)
        route = caller.own.route(caller.own.defaults[task], task)
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
