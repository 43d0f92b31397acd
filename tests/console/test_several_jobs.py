"""Several jobs in one command, of several services: each ends for itself, and none takes the others along."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conftest import KEY, SCRIPTS, Run
from fake_service import PNG, FakeService, answer
from keyed_service import MADE, create, jobs
from mediakit.console import several

CONTRACTS = ("skills-video", "modellix", "image-skill")


PARTS = """
import sys
from mediakit.console import Console, several

def job(part):
    {fault}

console = Console("x.py")
sys.exit(several.run(console, [job, lambda part: part.result("version", 0, version="1")]))
"""


@pytest.mark.parametrize("fault, code", [("raise RuntimeError('broken')", 1), ("import a_module_that_nobody_has", 28)])
def test_a_part_that_fails_unforeseen_ends_for_itself_and_the_command_is_counted(scripts, fault, code):
    command = [sys.executable, "-c", PARTS.format(fault=fault)]
    env = scripts.environment(PYTHONPATH=str(SCRIPTS))
    ended = subprocess.run(command, capture_output=True, env=env, timeout=60)
    run = Run(ended.returncode, ended.stdout, ended.stderr)
    assert (run.code, run.result["event"], run.result["jobs"], run.result["failed"]) == (code, "summary", 2, 1)
    assert run.result["spent"] == []


def test_all_undelivered_jobs_of_all_contracts_go_on_and_one_that_cannot_says_so(scripts):
    for contract in CONTRACTS:
        where = ["--provider", "sandbox", "--as", contract, "--task", "t2i", "--prompt", "a"]
        assert scripts.run("create_and_wait.py", *where, "--no-wait").code == 0
    with FakeService(create=answer(200, {"data": {"task_id": "task-1", "status": "pending"}})) as service:
        where = ["--provider", "modellix", "--base-url", service.base_url, "--task", "t2i", "--prompt", "a"]
        left = scripts.run("create_and_wait.py", *where, "--no-wait", env={"MODELLIX_API_KEY": KEY})
        assert left.code == 0, left.events
        run = scripts.run("jobs.py", "resume", "--all-undelivered")
        ends = {event["job"]: event["exit_code"] for event in run.events if "exit_code" in event and "job" in event}
        # An address of this machine gets a key only where it is named.
        assert ends.pop(left.job) == 27, run.events
        # A synchronous job is delivered by its create.
        assert set(ends.values()) == {0} and len(ends) == 2
        assert (run.code, run.result["succeeded"], run.result["failed"], service.posts()) == (27, 2, 1, 1)
        alone = ["--provider", "modellix", "--base-url", service.base_url]
        assert scripts.run("jobs.py", "resume", "--all-undelivered", *alone).code == 21


@pytest.mark.parametrize("flag", ["--all-undelivered", "--all-unknown"])
def test_one_key_on_standard_input_is_not_for_the_jobs_of_every_service(scripts, flag):
    action = "resume" if flag == "--all-undelivered" else "reconcile"
    run = scripts.run("jobs.py", action, flag, "--key-stdin", stdin=KEY)
    assert (run.code, run.result["field"]) == (2, "--key-stdin")


def test_a_job_that_never_had_an_id_cannot_be_asked_for_again(scripts):
    with FakeService(
        create=lambda exchange: answer(200, made)(exchange), media=answer(200, PNG, media_type="image/png")
    ) as service:
        assets = [{"url": f"{service.origin}/media/1.png", "mime_type": "image/png"}]
        made = {**MADE, "data": {**MADE["data"], "job_id": None, "assets": assets}}
        bought = create(scripts, service)
        assert (bought.code, bought.result["ok"]) == (0, True), bought.events
        # What was answered is kept until it is saved; the key goes nowhere for that.
        saved = jobs(scripts, "download", bought.job, "--output-dir", "out")
        assert (saved.code, service.posts(), service.count("GET")) == (0, 1, 1), saved.events
        for action in ("resume", "download", "reconcile"):
            run = jobs(scripts, action, bought.job)
            assert (run.code, run.result["error"], service.posts()) == (23, "job_not_found", 1), run.events


@pytest.mark.parametrize(
    "codes, whole",
    [
        ([], 0), ([0, 0], 0), ([0, 20], 20), ([10, 26], 26), ([26, 11], 11), ([11, 27], 27), ([27, 12], 12),
        ([24, 10, 0], 10), ([22, 24], 22), ([10, 26, 11, 27, 12, 21], 12),
    ],
)  # fmt: skip
def test_several_jobs_end_with_the_gravest_of_their_codes(codes, whole):
    assert several.gravest(codes) == whole
