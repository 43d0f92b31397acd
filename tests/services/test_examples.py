"""Every descriptor reads its own examples as it should, and a job runs by them from the flags to the file."""

from __future__ import annotations

import json

import pytest

from conftest import KEY, ROOT
from example_service import ExampleService, new_id
from fake_service import PNG
from mediakit.services import providers

WITH_EXAMPLES = [
    name for name in providers.names() if providers.load(name).examples and not providers.load(name).embedded
]
BEGINS_WITH_FILE = {"i2i", "i2v", "v2v", "stt", "sts", "i2m", "upscale", "rmbg"}


def runs(name: str) -> list[tuple[str, str]]:
    """A task for each route: what two tasks send on the same one differs only in the model."""
    own = providers.load(name)
    routes = {id(own.paths.route(model, task)): task for task, model in reversed(own.defaults.items())}
    return [(name, task) for task in own.defaults if task in routes.values()]


RUNS = [run for name in WITH_EXAMPLES for run in runs(name)]


def answers(name: str, example: str) -> list[dict]:
    found = providers.load(name).examples.get(example, [])
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_every_state_of_the_examples_is_read_as_that_state(name):
    own = providers.load(name)
    for state in ("queued", "running", "succeeded", "failed", "canceled"):
        for answer in answers(name, state):
            # A state without a word of its own (a queue that is part of the work) may be the one before it.
            read = own.answers.reading(_plain(answer.get("body"), own))
            # One that no source has a word for is read as none: it runs still.
            has_rule = any(rule.state in (state, "running") for rule in own.state_rules)
            wanted = (state, "running" if state == "queued" else state) if has_rule else (None,)
            assert read.state in wanted, (state, answer)
    for answer in answers(name, "created"):
        assert own.answers.reading(_plain(answer["body"], own), True).id


def _plain(value, own):
    """An example with words of the right kind for its placeholders."""
    words = {"{media}": "https://cdn.example.com/1.png", "{media64}": "aGVsbG8=", "{media_type}": "image/png"}
    if isinstance(value, dict):
        return {key: _plain(item, own) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, own) for item in value]
    return words.get(value, value).replace("{id}", new_id(own)) if isinstance(value, str) else value


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_every_success_of_the_examples_holds_a_result(name):
    own = providers.load(name)
    where = "result" if own.job.result else "succeeded"
    told = [*answers(name, where), *answers(name, "done")]
    assert told
    for answer in told:
        assert answer.get("file") or own.answers.outputs(_plain(answer["body"], own)), answer


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_every_refusal_of_the_examples_has_its_category(name):
    own = providers.load(name)
    usual = {
        400: "validation",
        401: "auth",
        402: "insufficient_credits",
        404: "not_found",
        422: "validation",
        429: "transient",
    }
    for word, answer in own.examples["refused"].items():
        status = int(word) if word.isdecimal() else answer.get("http", 400)
        found = own.refusals.verdict(answer.get("http", status), answer["body"])
        told = own.says("errors").get("status_categories", {})
        usual.update({int(one): category for one, category in told.items()})
        assert found.message and found.category == usual.get(status, found.category), (word, found)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "in.png").write_bytes(PNG)
    return tmp_path


def flags(name: str, service: ExampleService, task: str) -> list[str]:
    own = service.provider
    arguments = ["--provider", name, "--base-url", service.base_url, "--task", task, "--no-validate"]
    route = own.paths.route(own.defaults[task], task)
    if route.prompt and task != "stt":
        arguments += ["--prompt", "a tin boat"]
    if task in BEGINS_WITH_FILE:
        kind = {"v2v": "video", "stt": "audio", "sts": "audio"}.get(task, "image")
        arguments += ["--input", f"{kind}=in.png"]
    return arguments


@pytest.mark.parametrize("name, task", RUNS)
def test_every_task_runs_by_the_examples_of_its_service(scripts, files, name, task):
    with ExampleService(name) as service:
        key = {service.provider.key["variable"]: KEY}
        run = scripts.run("create_and_wait.py", *flags(name, service, task), "--output-dir", "out", env=key)
        assert run.code == 0, run.events
        assert service.posts == 1 and run.first("asset")["path"]
        header, prefix = service.provider.key["header"], service.provider.key["prefix"]
        for method, path, headers, _ in service.requests:
            is_own = not path.startswith(("/media/", "/upload-here/"))
            assert (headers.get(header.lower()) == prefix + KEY) is is_own, (method, path)
            assert not is_own or all(
                headers.get(one.lower()) == value for one, value in service.provider.headers.items()
            )


@pytest.mark.parametrize("name", WITH_EXAMPLES)
@pytest.mark.parametrize("ends", ["failed", "canceled"])
def test_a_job_that_ends_badly_is_told_as_such(scripts, files, name, ends):
    with ExampleService(name, ends) as service:
        own = service.provider
        tasks = [task for task, model in own.defaults.items() if own.paths.route(model, task).answers == "job"]
        if own.job.read is None or not tasks:
            return
        task = tasks[0]
        key = {service.provider.key["variable"]: KEY}
        run = scripts.run("create_and_wait.py", *flags(name, service, task), env=key)
        assert (run.code, run.result["state"], service.posts) == (10, ends, 1), run.events


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_a_result_that_cannot_be_asked_for_again_is_kept(scripts, files, name):
    with ExampleService(name) as service:
        for task, model in service.provider.defaults.items():
            if service.provider.paths.route(model, task).answers != "job":
                key = {service.provider.key["variable"]: KEY}
                run = scripts.run("create_and_wait.py", *flags(name, service, task), env=key)
                assert run.code == 0, run.events
                assert run.result.get("generation_id") or run.result["kept"]
                return


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_an_example_names_no_machine_of_ours(name):
    text = (ROOT / f"assets/providers/{name}.json").read_text(encoding="utf-8")
    assert "127.0.0.1" not in json.dumps(json.loads(text)["examples"])
