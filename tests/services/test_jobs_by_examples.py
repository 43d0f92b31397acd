"""What is asked about a job beside how it is: ended before its time, read where its service told, counted at its most."""

from __future__ import annotations

import json
import os
import sqlite3
import sys

import pytest
from test_examples import WITH_EXAMPLES, answers, flags
from test_trust_rules import HOSTILE, disguised

from conftest import KEY
from example_service import ExampleService, new_id
from mediakit.base.pointer import put
from mediakit.services import providers
from mediakit.services.site import TOLD_STEPS, JobRef, Site

WITH_JOBS = [name for name in WITH_EXAMPLES if providers.load(name).job.read]
WITH_CANCEL = [name for name in WITH_JOBS if providers.load(name).job.cancel]
TELLING = [
    (name, step) for name in WITH_JOBS for step in TOLD_STEPS
    if (found := getattr(providers.load(name).job, step)) and found.told
]  # fmt: skip


def task_of(own) -> str:
    return next(task for task, model in own.defaults.items() if own.paths.route(model, task).answers == "job")


def run(scripts, service: ExampleService, *more: str):
    """Create a job by the examples; the key, which every later command needs too, is in `env`."""
    own = service.provider
    env = {own.key["variable"]: KEY}
    return scripts.run("create_and_wait.py", *flags(own.name, service, task_of(own)), *more, env=env), env


@pytest.fixture(autouse=True)
def picture(scripts):
    from fake_service import PNG

    (scripts.folder / "in.png").write_bytes(PNG)


# -- cancelling ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WITH_CANCEL)
def test_a_job_is_canceled_once_and_settled(scripts, name):
    with ExampleService(name) as service:
        first, env = run(scripts, service, "--no-wait")
        job = first.job
        again = ("cancel", job, "--base-url", service.base_url)
        canceled = scripts.run("jobs.py", *again, env=env)
        assert (canceled.code, canceled.result["event"], canceled.result["state"]) == (0, "cancel", "canceled")
        assert canceled.result["message"].startswith("canceled. ")
        asked = [(method, path.partition("?")[0]) for method, path, _, _ in service.requests]
        over = scripts.run("jobs.py", *again, env=env)
        assert (over.code, over.result["error"], over.result["outcome"]) == (27, "job_over", "accepted")
        assert [(method, path.partition("?")[0]) for method, path, _, _ in service.requests] == asked
        shown = scripts.run("jobs.py", "show", job).result
        assert shown["delivered"] is True and shown["state"] == "canceled"


@pytest.mark.parametrize("name", WITH_CANCEL)
def test_a_job_that_is_over_is_left_alone_or_told_as_over(scripts, name):
    with ExampleService(name) as service:
        first, env = run(scripts, service, "--no-wait")
        for known in service.jobs.values():
            known["reads"] = 99
        service.refuses_cancel = True
        found = scripts.run("jobs.py", "cancel", first.job, "--base-url", service.base_url, env=env)
        step = service.provider.job.cancel
        deletes = [method for method, *_ in service.requests if method == "DELETE"]
        if step.only_in or step.over_http:
            assert (found.code, found.result["error"]) == (27, "job_over") and not deletes
            assert "jobs.py" in found.result["next_command"]
        else:
            assert (found.code, found.result["error"]) == (22, "request_rejected")
        # It is open still: the result is there for whoever asks.
        assert scripts.run("jobs.py", "show", first.job).result["open"] is True


# -- told addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, step", TELLING)
def test_no_told_address_leads_the_key_away(name, step):
    own = providers.load(name)
    site = Site(own, own.base_url)
    good = json.loads(json.dumps(answers(name, "created")[0]["body"]).replace("{base}", own.origin))
    at = getattr(own.job, step).told[0]
    job_id = new_id(own)
    documented = site.of_job(step, JobRef(job_id, "a/b"))
    for url in [*HOSTILE, *disguised(own.origin)]:
        body = json.loads(json.dumps(good))
        put(body, at, url)
        assert step not in site.told_by(body), url
        assert site.of_job(step, JobRef(job_id, "a/b", {step: url})) == documented, url
    told = own.origin + "/elsewhere/7"
    put(good, at, told)
    assert site.told_by(good)[step] == told and not site.tells_elsewhere(good)
    assert site.of_job(step, JobRef(job_id, "a/b", {step: told})) == told


@pytest.mark.parametrize("name", sorted({name for name, _ in TELLING}))
def test_told_addresses_are_kept_used_and_checked_again(scripts, name):
    with ExampleService(name) as trap, ExampleService(name) as service:
        first, env = run(scripts, service, "--no-wait")
        ledger = scripts.folder / "state" / "ledger.sqlite3"
        told = json.loads(query(ledger, "SELECT told FROM job")[0][0])
        assert told and all(url.startswith(service.origin + "/") for url in told.values())
        # A ledger that somebody got at: the key goes nowhere else for that.
        astray = {step: url.replace(service.origin, trap.origin) for step, url in told.items()}
        query(ledger, "UPDATE job SET told = ?", json.dumps(astray))
        resume = ("resume", first.job, "--base-url", service.base_url)
        assert scripts.run("jobs.py", *resume, env=env).code == 0
        assert trap.requests == []


@pytest.mark.parametrize("name", sorted({name for name, _ in TELLING}))
def test_a_job_whose_addresses_lead_away_is_read_where_the_documents_say(scripts, name):
    with ExampleService(name) as trap, ExampleService(name, told_base=trap.origin) as service:
        found, _ = run(scripts, service, "--output-dir", "out")
        assert found.code == 0 and found.first("asset")["path"]
        assert [one["code"] for one in found.events if one["event"] == "warning"].count("told_elsewhere") == 1
        assert trap.requests == [] and service.posts == 1


def query(path, statement: str, *values):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.commit()
        connection.close()


# -- what an answer says beside the state ----------------------------------------------------------------


# Where an error is told beside the state, and not by its word alone.
WITH_FLAG = [
    name for name in WITH_JOBS
    if any(rule.state == "failed" and rule.when.values is None for rule in providers.load(name).state_rules)
]  # fmt: skip


@pytest.mark.parametrize("name", WITH_FLAG)
def test_done_with_an_error_in_it_is_failed(name):
    own = providers.load(name)
    body = json.loads(json.dumps(answers(name, "succeeded")[0]["body"]).replace("{id}", new_id(own)))
    assert own.answers.reading(body).state == "succeeded"
    failed = answers(name, "failed")[0]["body"]
    for key in set(failed) - {"status"}:
        if failed[key] != body.get(key) and (own.refusals.failure({key: failed[key]}) != ("", "")):
            body[key] = failed[key]
    assert own.answers.reading(body).state == "failed", body


@pytest.mark.parametrize(
    "name", [name for name in WITH_JOBS if any(r.is_ceiling for r in providers.load(name).cost_rules)]
)
def test_the_most_that_a_job_can_cost_is_reserved_until_its_cost_is_told(scripts, name):
    with ExampleService(name) as service:
        first, env = run(scripts, service, "--no-wait")
        shown = scripts.run("jobs.py", "show", first.job).result
        ceiling = service.provider.bills.ceiling(answers(name, "created")[0]["body"])
        assert shown["reserved"] == ceiling.shown and "cost" not in shown
        scripts.run("jobs.py", "resume", first.job, "--base-url", service.base_url, env=env)
        shown = scripts.run("jobs.py", "show", first.job).result
        assert shown["cost"] == service.provider.bills.cost(answers(name, "succeeded")[0]["body"]).shown


# -- large results in an answer ----------------------------------------------------------------------------

IN_ANSWERS = [
    (name, task) for name in WITH_EXAMPLES for task in ("t2i", "t2v")
    if task in providers.load(name).defaults
    and any("{media64}" in json.dumps(one) for one in answers(name, "succeeded" if task == "t2v" else "done"))
]  # fmt: skip


def large_picture(size: int) -> bytes:
    """The small picture with so many bytes more, in a chunk that nobody reads."""
    import struct
    import zlib

    from fake_service import PNG

    noise = os.urandom(1024 * 1024) * (size // 1024 // 1024)
    chunk = b"noIs" + noise
    return PNG[:33] + struct.pack(">I", len(noise)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + PNG[33:]


# A process begins with the memory of the one that it was forked from: this one is small.
LAUNCHER = """
import os, subprocess, sys
started = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(started.pid, 0)
os.write(2, b" %d" % usage.ru_maxrss)
os._exit(os.WEXITSTATUS(status))
"""
MEASURED = (sys.executable, "-S", "-c", LAUNCHER)


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="this system does not tell what a process used")
@pytest.mark.parametrize("name, task", IN_ANSWERS)
def test_sixty_megabytes_in_base64_are_saved_in_flat_memory(scripts, name, task):
    peaks = []
    for size in (0, 60 * 1024 * 1024):
        with ExampleService(name, content=large_picture(size)) as service:
            arguments = flags(name, service, task)
            env = {service.provider.key["variable"]: KEY}
            run = scripts.run("create_and_wait.py", *arguments, "--output-dir", f"out{size}", env=env, prefix=MEASURED)
        saved = next((scripts.folder / f"out{size}").glob("*.png"))
        assert run.code == 0 and saved.stat().st_size >= size, run.events
        peaks.append(int(run.stderr.split()[-1]) * (1 if sys.platform == "darwin" else 1024))
    assert peaks[1] - peaks[0] < 32 * 1024 * 1024, peaks


# -- what is asked about an account --------------------------------------------------------------------------

WITH_CHECK = [name for name in WITH_EXAMPLES if "key_check" in providers.load(name).examples]


@pytest.mark.parametrize("name", WITH_CHECK)
def test_online_the_key_is_tried_and_the_balance_told_where_the_service_tells_it(scripts, name):
    with ExampleService(name) as service:
        own = service.provider
        env = {own.key["variable"]: KEY}
        run = scripts.run("preflight.py", "--provider", name, "--online", "--base-url", service.base_url, env=env)
        found = run.result["providers"][0]
        assert (run.code, found["ready"]) == (0, True), run.events
        told = service.filled(answers(name, "balance")[0]["body"]) if "balance" in own.examples else None
        balance = own.bills.left(told)
        assert found.get("balance") == balance
        assert service.requests and service.posts == 0
        for method, _, headers, _ in service.requests:
            assert method == "GET" and headers[own.key["header"].lower()] == own.key["prefix"] + KEY


@pytest.mark.parametrize("name", [name for name in WITH_EXAMPLES if providers.load(name).longest_work])
def test_a_result_that_is_the_answer_is_waited_for_as_long_as_the_service_may_take(scripts, name):
    """Given up, it would be paid for and gone."""
    with ExampleService(name) as service:
        service.works_for = 2.5
        task = next(
            task for task, model in service.provider.defaults.items()
            if service.provider.paths.route(model, task).answers != "job"
        )  # fmt: skip
        env = {service.provider.key["variable"]: KEY}
        run = scripts.run("create_and_wait.py", *flags(name, service, task), "--sse-request-timeout", "1", env=env)
        assert (run.code, service.posts) == (0, 1), run.events


# -- results that are read apart -------------------------------------------------------------------------------

APART = [name for name in WITH_JOBS if providers.load(name).job.result]
# statuses before the result -> exit code
BEFORE = [([404, 202, 500], 0), ([429], 0), ([401], 21), ([400, 400], 0)]


@pytest.mark.parametrize("name", APART)
@pytest.mark.parametrize("statuses, code", BEFORE, ids=str)
def test_a_result_that_is_late_is_asked_for_again_and_one_that_is_refused_costs_no_job(scripts, name, statuses, code):
    with ExampleService(name) as service:
        service.before_result = list(statuses)
        first, env = run(scripts, service, "--output-dir", "out")
        assert (first.code, service.posts) == (code, 1), first.events
        if code:
            job = first.job
            assert scripts.run("jobs.py", "show", job).result["open"] is True
            again = ("resume", job, "--base-url", service.base_url, "--output-dir", "out")
            assert scripts.run("jobs.py", *again, env=env).code == 0
        assert list((scripts.folder / "out").glob("*.png"))


@pytest.mark.parametrize(
    "name, status", [(name, one) for name in APART for one in providers.load(name).job.result.failed_http]
)
def test_a_result_that_says_why_the_job_failed_is_a_failure(scripts, name, status):
    with ExampleService(name) as service:
        service.before_result = [status]
        failed, _ = run(scripts, service, "--output-dir", "out")
        assert (failed.code, failed.result["state"], failed.result["ok"]) == (10, "failed", False), failed.events
        assert failed.result["error"]["message"] and service.posts == 1


# -- a create whose answer is lost -------------------------------------------------------------------------------

LISTING = [name for name in WITH_JOBS if providers.load(name).job_list.is_searchable]


@pytest.mark.parametrize(
    "name", [name for name in WITH_EXAMPLES if name not in LISTING and providers.load(name).idempotency is None]
)
def test_without_a_list_a_lost_create_stays_unknown_and_is_never_sent_again(scripts, name):
    with ExampleService(name) as service:
        service.loses_answers = True
        arguments = flags(name, service, "t2i")
        env = {service.provider.key["variable"]: KEY}
        for code in (12, 27):
            lost = scripts.run("create_and_wait.py", *arguments, env=env)
            assert (lost.code, service.posts) == (code, 1), lost.events
        at = ("--base-url", service.base_url)
        asked = scripts.run("jobs.py", "reconcile", lost.job, *at, env=env)
        assert (asked.code, asked.result["error"], service.posts) == (12, "outcome_unknown", 1), asked.events
        named = new_id(service.provider) if service.provider.job.like else "some-id-1"
        told = scripts.run("jobs.py", "reconcile", lost.job, "--attach", named, *at, env=env)
        assert told.code in (2, 23) and service.posts == 1, told.events  # no such job, or none that can be asked about


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_an_id_alone_is_waited_for_or_it_is_said_why_not(scripts, name):
    with ExampleService(name) as service:
        own = service.provider
        env = {own.key["variable"]: KEY}
        at = ("--generation-id", new_id(own), "--provider", name, "--base-url", service.base_url, "--timeout", "1")
        waited = scripts.run("wait_generation.py", *at, env=env)
        knows = own.job.read and "{model" not in own.job.read.path
        assert waited.code == (23 if knows else 2), waited.events
        assert knows or waited.result["field"] == "--generation-id"


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_result_of_one_job_is_the_input_of_another(scripts, name):
    tasks = providers.load(name).defaults
    with ExampleService(name) as service:
        env = {service.provider.key["variable"]: KEY}
        made = scripts.run("create_and_wait.py", *flags(name, service, "t2i"), "--output-dir", "out", env=env)
        assert made.code == 0 and "i2i" in tasks, made.events
        arguments = flags(name, service, "i2i")
        arguments[arguments.index("image=in.png")] = f"image=job:{made.job}"
        edited = scripts.run("create_and_wait.py", *arguments, env=env)
        assert (edited.code, service.posts) == (0, 2), edited.events


@pytest.mark.parametrize("name", LISTING)
def test_a_lost_create_is_found_in_the_list_of_jobs(scripts, name):
    with ExampleService(name) as service:
        service.loses_answers = True
        found, _ = run(scripts, service, "--output-dir", "out")
        assert (found.code, service.posts) == (0, 1), found.events
        assert found.first("resumed")["reason"] == "reconciled" and found.first("asset")["path"]
