"""The guide: preflight's stage and its one command, and the walk from nothing to a saved file by that alone."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import pytest

from conftest import KEY, SCRIPTS, posts, read_events
from fake_service import FakeService, answer, page, reset
from mediakit.sandbox import Sandbox
from mediakit.services import catalogue, providers
from real_services import KEYED, SPOKEN, variable

WANTED = ("--prompt", "a tin boat")


def guide(scripts, service: str, *flags: str, at=None, key: str | None = KEY, **options):
    where = getattr(at, "origin", None) or getattr(at, "url", None)
    base = ["--base-url", where + providers.load(service).base_path] if where else []
    env = {**({variable(service): key} if key else {}), **options.pop("env", {})}
    return scripts.run("preflight.py", "--provider", service, *flags, *base, env=env, **options)


def follow(scripts, result: dict, **env: str):
    """Run a next_command as it stands, in a shell, with nothing on standard input."""
    assert shlex.split(result["next_command"]) == result["next_argv"]
    ended = subprocess.run(
        result["next_command"], shell=True, stdin=subprocess.DEVNULL, capture_output=True,
        env=scripts.environment(**env), cwd=scripts.folder,
    )  # fmt: skip
    return ended.returncode, read_events(ended.stdout)


def task_of(service: str) -> str:
    """A task that needs nothing but words."""
    return next(task for task in ("t2i", "t2v", "tts", "t2a") if task in catalogue.defaults(service))


def money(service: str, amount: float):
    """The answer with so much left, in the shape that the descriptor documents; None where it documents none."""
    provider = providers.load(service)
    rules = provider.says("balance") or {}
    if "amounts" not in rules:
        return answer(200, {"credits": {"total": amount}})
    body: dict = {}
    for pointer in rules["amounts"]:
        here = body
        *above, last = pointer.strip("/").split("/")
        for name in above:
            here = here.setdefault(name, {})
        here[last] = amount
    success = provider.says("success")
    if success:
        body[success["at"].strip("/")] = success["is"]
    if provider.key_check and provider.key_check.get("valid"):
        *above, last = provider.key_check["valid"].strip("/").split("/")
        here = body
        for name in above:
            here = here.setdefault(name, {})
        here[last] = True
    return answer(200, body)


# -- each stage ------------------------------------------------------------------------------------------


def test_from_the_skills_own_folder_the_command_saves_outside_it(scripts):
    wish = ("--provider", "sandbox", "--task", "t2i", *WANTED)
    for script in ("preflight.py", "create_and_wait.py"):
        told = scripts.run(script, *wish, cwd=SCRIPTS.parent).result
        done = subprocess.run(
            told["next_argv"], stdin=subprocess.DEVNULL, capture_output=True, env=scripts.environment(),
            cwd=SCRIPTS.parent,
        )  # fmt: skip
        (asset,) = read_events(done.stdout)[-1]["assets"]
        assert os.path.dirname(asset["path"]) == str(scripts.home / "ai-media-out")


@pytest.mark.parametrize("service", KEYED)
def test_without_a_key_the_command_works_as_it_stands(scripts, service):
    run = guide(scripts, service, key=None)
    assert (run.code, run.result["stage"], run.result["missing"]) == (21, "key_required", [variable(service)])
    signs_up = any(a.get("issues_key") for a in (providers.load(service).says("actions") or {}).values())
    assert run.result["effect"] == ("creates_account" if signs_up else "no_spend")
    assert run.result["needs_approval"] is signs_up
    if not signs_up:  # practice: the same contract, and a real file
        code, events = follow(scripts, run.result)
        assert code == 0 and providers.load(events[0]["provider"]).embedded and os.listdir(scripts.folder / "out")


@pytest.mark.parametrize("service", KEYED)
def test_a_service_that_does_not_answer_is_not_ready(scripts, service):
    for said in (reset, page(503)):
        with FakeService(other=said) as fake:
            run = guide(scripts, service, "--online", *WANTED, at=fake)
        assert (run.code, run.result["stage"], run.result["ready"]) == (24, "service_unreachable", False)
        assert (run.result["effect"], run.result["needs_approval"]) == ("no_spend", False)


@pytest.mark.parametrize("service", KEYED)
def test_a_service_that_does_not_answer_is_told_also_without_a_key(scripts, service):
    with FakeService(other=reset) as fake:
        run = guide(scripts, service, "--online", at=fake, key=None)
    assert (run.code, run.result["stage"]) == (24, "service_unreachable")


@pytest.mark.parametrize("service", KEYED)
def test_a_refused_key_is_named_and_a_stored_one_can_be_forgotten(scripts, service):
    store = scripts.home / ".config/ai-media/.env"
    store.parent.mkdir(parents=True)
    store.write_text(f"{variable(service)}={KEY}\n", encoding="utf-8")
    with FakeService(other=answer(401, {"message": "no"})) as fake:
        run = guide(scripts, service, "--online", *WANTED, at=fake, key=None)
    assert (run.code, run.result["stage"], run.result["effect"]) == (21, "key_refused", "no_spend")
    code, events = follow(scripts, run.result)
    assert (code, events[-1]["stage"], events[-1]["key_forgotten"]) == (21, "key_required", True)
    assert KEY not in store.read_text(encoding="utf-8")


@pytest.mark.parametrize("service", [name for name in KEYED if providers.load(name).says("balance")])
def test_an_empty_account_is_not_ready(scripts, service):
    with FakeService(other=money(service, 0)) as fake:
        run = guide(scripts, service, "--online", *WANTED, at=fake)
    assert (run.code, run.result["stage"], run.result["ready"]) == (20, "credits_required", False)
    assert run.result["effect"] == "no_spend" and run.result["guidance"]


WISH = ("--task", "t2i", *WANTED)


@pytest.mark.parametrize("service", SPOKEN)
def test_what_is_wanted_is_still_known_once_nothing_stands_in_the_way(scripts, service):
    """Refused, empty, unreachable: the very command goes on with task and prompt when that is mended."""
    named = variable(service)
    for hinder, stage in (
        ("key-refused", "key_refused"),
        ("unreachable", "service_unreachable"),
        (None, "credits_required"),
    ):
        with Sandbox(None, service) as server:
            server.fault, server.balance = hinder, None if hinder else 0
            run = guide(scripts, service, "--online", *WISH, at=server)
            if stage == "credits_required" and not providers.load(service).says("balance"):
                continue
            assert (run.result["stage"], run.result["effect"]) == (stage, "no_spend")
            server.fault = server.balance = None
            code, events = follow(scripts, run.result, **{named: KEY})
            assert (code, events[-1]["stage"], events[-1].get("missing")) == (0, "ready", None), events[-1]
            assert "--prompt-file" in events[-1]["next_argv"]


def test_the_signup_of_the_guide_is_at_the_address_that_was_asked_and_leads_on(scripts):
    with Sandbox(None, "image-skill") as server:
        run = guide(scripts, "image-skill", "--online", *WANTED, at=server, key=None)
        assert (run.result["stage"], run.result["effect"]) == ("key_required", "creates_account")
        code, events = follow(scripts, run.result)
        assert (code, events[-1]["key_stored"], posts(server)) == (0, True, 1)
        code, events = follow(scripts, events[-1])
        assert (code, events[-1]["stage"]) == (0, "prompt_required")


def priced(service: str) -> bool:
    return "amounts" in (providers.load(service).says("balance") or {})


@pytest.mark.parametrize("service", [name for name in KEYED if priced(name)])
def test_a_balance_below_the_price_is_not_ready(scripts, service):
    cost = guide(scripts, service, *WANTED, "--task", "t2i").result["cost"]
    if "amount" not in cost:
        pytest.skip(f"{service} states no price of its default model")
    for left, stage in ((0.0001, "credits_required"), (100_000, "ready")):
        with FakeService(other=money(service, left)) as fake:
            run = guide(scripts, service, "--online", *WANTED, "--task", "t2i", at=fake)
        assert run.result["stage"] == stage, (left, run.result)


@pytest.mark.parametrize("service", KEYED)
def test_without_a_prompt_the_command_shows_the_plan_and_spends_nothing(scripts, service):
    run = guide(scripts, service, "--task", task_of(service))
    assert (run.code, run.result["stage"], run.result["ready"]) == (0, "prompt_required", True)
    assert run.result["missing"] == ["--prompt or --prompt-file"]
    code, events = follow(scripts, run.result, **{variable(service): KEY})
    assert (code, events[-1]["event"]) == (0, "plan")


def test_what_a_task_begins_with_is_missing_too(scripts):
    run = guide(scripts, "skills-video", "--task", "i2v", *WANTED)
    assert run.result["stage"] == "prompt_required" and "--input" in run.result["missing"][0]
    code, _ = follow(scripts, run.result)
    assert code == 0


def test_a_cap_below_the_price_is_told_before_the_create_would_refuse(scripts):
    run = guide(scripts, "image-skill", *WANTED, "--max-spend", "0.0001usd")
    assert run.result["stage"] == "prompt_required" and "--max-spend of at least" in run.result["missing"][0]


@pytest.mark.parametrize("service", SPOKEN)
def test_what_was_paid_for_is_settled_first(scripts, service):
    with Sandbox(None, service) as server:
        base = server.url + providers.load(service).base_path
        words = ("--provider", service, "--task", task_of(service), *WANTED, "--base-url", base, "--no-wait")
        bought = scripts.run("create_and_wait.py", *words, env={variable(service): KEY})
        if bought.result["event"] != "submitted":
            pytest.skip("a service that answers when it is done leaves nothing open")
        run = guide(scripts, service, *WANTED, at=server)
        assert (run.code, run.result["stage"], run.result["effect"]) == (0, "settle_first", "no_spend")
        code, _ = follow(scripts, run.result, **{variable(service): KEY})
        assert code == 0 and os.listdir(scripts.folder / "out") and posts(server) == 1
        assert guide(scripts, service, *WANTED, at=server).result["stage"] == "ready"


def test_an_unknown_outcome_is_settled_first_and_can_be_let_go(scripts):
    with Sandbox(None, "runway") as server:
        base = ("--base-url", server.url + providers.load("runway").base_path)
        words = ("--provider", "runway", "--task", "t2i", "--prompt", "x fault:create-500", *base, "--no-wait")
        job = scripts.run("create_and_wait.py", *words, env={variable("runway"): KEY}).result["job"]
        run = guide(scripts, "runway", *WANTED, at=server)
        assert (run.result["stage"], job in run.result["next_argv"]) == ("settle_first", True)
        assert follow(scripts, run.result, **{variable("runway"): KEY})[0] == 12
        assert f"jobs.py forget {job}" in run.result["guidance"][-1]
        assert scripts.run("jobs.py", "forget", job).code == 0
        assert guide(scripts, "runway", *WANTED, at=server).result["stage"] == "ready"


def test_missing_packages_come_before_all(scripts):
    process = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPTS / "preflight.py"), "--provider", "skills-video", *WANTED, "--online"],
        capture_output=True, env=scripts.environment(**{variable("skills-video"): KEY}), cwd=scripts.folder,
    )  # fmt: skip
    result = json.loads(process.stdout.splitlines()[-1])
    assert (process.returncode, result["stage"], result["ready"]) == (28, "packages_required", False)
    assert result["next_command"] and result["effect"] == "no_spend"


# -- the walk ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SPOKEN)
def test_the_walk_from_nothing_to_a_saved_file_by_the_command_alone(scripts, service):
    with Sandbox(None, service) as server:
        wanted = ("--task", task_of(service), *WANTED)
        assert guide(scripts, service, "--online", *wanted, at=server, key=None).result["stage"] == "key_required"
        run = guide(scripts, service, "--online", *wanted, at=server)
        assert (run.code, run.result["stage"], run.result["effect"]) == (0, "ready", "spends"), run.result
        assert posts(server) == 0
        words = shlex.split(run.result["no_spend_command"])
        assert scripts.run(os.path.basename(words[1]), *words[2:], env={variable(service): KEY}).code == 0
        before = posts(server)
        code, events = follow(scripts, run.result, **{variable(service): KEY})
        assert code == 0 and posts(server) == before + 1
        assert os.listdir(scripts.folder / "out") and events[-1]["assets"]
