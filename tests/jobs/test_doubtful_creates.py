"""A create that nobody knows the outcome of, at a service that charges one idempotency key once: what is sent again,
what never is, and what no failure on the way makes of it."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys

import pytest

from conftest import KEY, PATIENCE, SCRIPTS, Run
from fake_service import Exchange, FakeService, answer, reset
from keyed_service import LASTING, MADE, PASSING, create, failing, flags, jobs, refusal
from mediakit.ledger.store import Ledger
from mediakit.sandbox import Sandbox
from mediakit.services import providers

DONE = MADE | {"data": {**MADE["data"], "status": "completed"}}


def bodies(service) -> list[dict]:
    return [json.loads(request.body) for request in service.requests if request.method == "POST"]


def keys(service) -> set[str]:
    return {body["idempotency_key"] for body in bodies(service)}


def state(scripts) -> sqlite3.Connection:
    return sqlite3.connect(scripts.folder / "state/ledger.sqlite3")


# -- what is sent again ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (answer(200, MADE), 0),
        (answer(429, refusal("RATE_LIMITED"), {"Retry-After": "1"}), 12),
        (answer(401, refusal("AUTH_REQUIRED")), 12),
        (answer(500, refusal("INTERNAL")), 12),
        (answer(307, b"", {"Location": "https://elsewhere.invalid/"}), 12),
        (answer(200, refusal("INVALID_ARGUMENTS")), 12),
    ],
)
def test_the_repetition_ends_with_an_answer_that_is_not_to_be_repeated(scripts, second, code):
    with FakeService(create=[PASSING, second]) as service:
        run = create(scripts, service)
        assert (run.code, service.posts(), len(keys(service))) == (code, 2, 1), run.events
        assert run.result.get("outcome", "unknown") == "unknown"


@pytest.mark.parametrize("wait", ["700", "4"])
def test_a_service_that_asks_for_more_patience_than_there_is_is_not_asked_again(scripts, wait):
    with FakeService(create=failing(wait)) as service:
        run = create(scripts, service, *(["--deadline", "4"] if wait == "4" else []))
        assert (run.code, run.result["outcome"], service.posts()) == (12, "unknown", 1), run.events


def test_an_error_that_nobody_marked_is_not_sent_again_by_the_next_command_either(scripts):
    with FakeService(create=answer(500, refusal("INTERNAL"))) as service:
        first = create(scripts, service)
        assert (first.code, service.posts()) == (12, 1)
        assert (create(scripts, service).code, service.posts()) == (27, 1)
        assert (jobs(scripts, "reconcile", first.job, at=service).code, service.posts()) == (12, 1)
        for flag in ("--job", "--generation-id"):  # waiting for what has no id is looking for it
            waited = jobs(scripts, flag, first.job, at=service, script="wait_generation.py")
            assert (waited.code, waited.result["error"], service.posts()) == (12, "outcome_unknown", 1), waited.events


def test_another_key_of_the_service_is_another_account_where_the_same_would_be_charged_again(scripts):
    with FakeService(create=[LASTING, answer(200, MADE)]) as service:
        assert create(scripts, service).code == 12
        assert (create(scripts, service, key="another_key_of_it").code, service.posts()) == (27, 1)
        again = create(scripts, service)
        assert (again.code, service.posts(), len(keys(service))) == (0, 2, 1), again.events


def test_what_was_replaced_is_not_bought_after_all(scripts):
    with FakeService(create=[LASTING, answer(200, MADE)]) as service:
        old = create(scripts, service).job
        assert create(scripts, service, "--retry-unknown").code == 0
        assert len(keys(service)) == 2
        found = jobs(scripts, "reconcile", old, at=service)
        assert (found.code, found.result["outcome"], service.posts()) == (12, "unknown", 2), found.events
        assert jobs(scripts, "show", old).result["closed"] == "replaced"


def test_an_allowed_duplicate_has_a_key_of_its_own_and_the_first_is_still_settled_by_its_own(scripts):
    other = {**MADE, "data": {**MADE["data"], "job_id": "job_5"}}
    with FakeService(create=[LASTING, answer(200, MADE), answer(200, other)]) as service:
        old = create(scripts, service).job
        assert create(scripts, service, "--allow-duplicate").result["generation_id"] == "job_4"
        assert jobs(scripts, "reconcile", old, at=service).result["generation_id"] == "job_5"
        first, duplicate, settled = bodies(service)
        assert first == settled != duplicate


def test_an_address_that_it_was_not_sent_to_is_not_asked_to_make_it(scripts):
    with FakeService(create=LASTING) as service, FakeService(create=answer(200, MADE)) as elsewhere:
        old = create(scripts, service).job
        found = jobs(scripts, "reconcile", old, "--base-url", f"{elsewhere.origin}/v1")
        assert (found.code, elsewhere.posts()) == (12, 0), found.events


def test_without_its_payload_the_way_on_is_the_command_itself(scripts):
    with FakeService(create=[LASTING, answer(200, MADE)]) as service:
        old = create(scripts, service, "--no-store-payload").job
        asked = jobs(scripts, "reconcile", old, at=service)
        assert (asked.code, service.posts()) == (12, 1)
        assert "the same command again" in asked.result["guidance"][0]
        assert (create(scripts, service, "--no-store-payload").code, len(keys(service))) == (0, 1)


# -- the wait for it -------------------------------------------------------------------------------------


def test_what_got_no_answer_is_sent_again_before_the_deadline(scripts):
    with FakeService(create=[reset, reset, answer(200, MADE)]) as service:
        run = create(scripts, service, "--deadline", "4")
        assert (run.code, service.posts(), len(keys(service))) == (12, 2, 1), run.events
        again = create(scripts, service)
        assert (again.code, service.posts(), len(keys(service))) == (0, 3, 1), again.events


def test_while_it_waits_it_is_open_and_its_price_is_reserved(scripts):
    with FakeService(create=[failing(60), answer(200, MADE)], other=answer(200, MADE)) as service:
        process = scripts.start(*flags(service), env={"IMAGE_SKILL_TOKEN": KEY})
        while b'"retry"' not in (line := process.stdout.readline()):
            assert line
        assert json.loads(line)["retry_in_seconds"] == 60
        row = jobs(scripts, "list").first("job")
        assert (row["outcome"], row["open"]) == ("under_way", True) and row["reserved"], row
        refused = create(scripts, service, "--deadline", "2")
        assert (refused.code, refused.result["error"], service.posts()) == (27, "purchase_under_way", 1)
        process.kill()
        assert jobs(scripts, "show", row["job"]).result["outcome"] == "unknown"


def test_a_replayed_answer_is_counted_once(scripts):
    """The service gives the job of an earlier purchase to whoever comes with its key, and charges nothing."""
    replayed = answer(200, MADE | {"warnings": ["idempotent replay: job_4"]})
    with FakeService(create=[PASSING, replayed]) as service:
        own = ["--param", "idempotency_key=mine-1"]
        first, second = create(scripts, service, *own), create(scripts, service, *own, "--allow-duplicate")
        assert (first.code, second.code, len(keys(service))) == (0, 0, 1), second.events
        assert first.result["replayed"] is second.result["replayed"] is True
        assert "same_id" in [event.get("code") for event in second.events]
        (total,) = jobs(scripts, "spend").result["totals"]
        assert (total["measured"], total["jobs"]) == (0.04, 1)
        assert Ledger(str(scripts.folder / "state"), read_only=True).caps.spent("usd", False) == 40_000


def test_what_another_ledger_bought_under_the_key_is_marked_as_replayed(scripts):
    """As by another client, or after the state was lost: the account is charged once, and each ledger counts it once."""
    with Sandbox(None, "image-skill") as service:
        runs = []
        for folder in ("one", "other"):
            words = ("--provider", "image-skill", "--base-url", service.url + "/v1", "--task", "t2i", "--prompt", "x")
            own = ("--param", "idempotency_key=mine-1", "--state-dir", str(scripts.folder / folder))
            runs.append(scripts.run("create_and_wait.py", *words, *own, env={"IMAGE_SKILL_TOKEN": KEY}))
        assert [run.result.get("replayed") for run in runs] == [None, True]
        assert runs[0].result["generation_id"] == runs[1].result["generation_id"]
        assert "replayed" in [event.get("code") for event in runs[1].events]


@pytest.mark.parametrize(
    "warnings, is_one",
    [
        (["idempotent replay: job_4"], True),
        ("idempotent replay: job_4", True),
        (["budget is low", "idempotent replay: job_4"], True),
        (["no idempotent replay: job_4"], False),
        ([], False),
        ([None, 7, {"idempotent replay:": 1}], False),
        (None, False),
        ({}, False),
    ],
)
def test_what_says_that_an_answer_is_replayed(warnings, is_one):
    assert providers.load("image-skill").answers.is_replay(MADE | {"warnings": warnings}) is is_one
    assert providers.load("modellix").answers.is_replay({"warnings": warnings}) is False


@pytest.mark.parametrize("inner", [{"status": "completed", "job": {"status": "failed"}}, {"status": "failed"}])
def test_a_failure_within_an_answer_of_success_is_one(scripts, inner):
    with FakeService(create=answer(200, MADE | {"data": {**MADE["data"], **inner}})) as service:
        run = create(scripts, service)
        assert (run.code, run.result["state"], service.posts()) == (10, "failed", 1), run.events


# -- what happens on the way -----------------------------------------------------------------------------


def test_a_ledger_that_fails_before_the_repetition_does_not_make_the_first_unsent(scripts):
    def lost_and_broken(exchange) -> None:
        with state(scripts) as database:
            database.execute(
                "CREATE TRIGGER broken BEFORE UPDATE ON job WHEN NEW.outcome = 'sending' "
                "BEGIN DELETE FROM nothing_of_this_name; END"
            )
        PASSING(exchange)

    with FakeService(create=[lost_and_broken, answer(200, MADE)]) as service:
        run = create(scripts, service)
        assert (run.code, run.result["outcome"], service.posts()) == (12, "unknown", 1), run.events
        with state(scripts) as database:
            database.execute("DROP TRIGGER broken")
        assert jobs(scripts, "show", run.job).result["outcome"] == "unknown"
        again = create(scripts, service)
        assert (again.code, service.posts(), len(keys(service))) == (0, 2, 1), again.events


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_ends_between_the_two_leaves_it_to_the_next(scripts, number):
    with FakeService(create=[failing(60), answer(200, MADE)]) as service:
        process = scripts.start(*flags(service), env={"IMAGE_SKILL_TOKEN": KEY})
        while b'"retry"' not in process.stdout.readline():
            pass
        process.send_signal(number)
        stdout = process.communicate()[0]
        if number == signal.SIGINT:
            last = json.loads(stdout.splitlines()[-1])
            assert (last["exit_code"], last["outcome"], last["next_argv"][2]) == (130, "unknown", "reconcile")
        again = create(scripts, service)
        assert (again.code, service.posts(), len(keys(service))) == (0, 2, 1), again.events


def test_two_processes_that_settle_one_job_come_to_one_id(scripts):
    with FakeService(create=[LASTING, answer(200, MADE)], other=answer(200, DONE)) as service:
        old = create(scripts, service).job
        running = [
            scripts.start("jobs.py", "reconcile", old, *flags(service)[3:5], env={"IMAGE_SKILL_TOKEN": KEY})
            for _ in range(4)
        ]
        codes = {(process.communicate(), process.returncode)[1] for process in running}
        assert codes <= {0, 12} and 0 in codes and len(keys(service)) == 1
        assert jobs(scripts, "show", old).result["outcome"] == "accepted"


# -- what a payload says of it ---------------------------------------------------------------------------


def test_a_key_of_the_users_own_is_the_one_that_is_sent(scripts):
    with FakeService(create=[PASSING, answer(200, MADE)]) as service:
        run = create(scripts, service, "--param", "idempotency_key=mine-1")
        assert (run.code, keys(service)) == (0, {"mine-1"}), run.events


def test_several_copies_cannot_share_a_key(scripts):
    with FakeService(create=answer(200, MADE)) as service:
        run = create(scripts, service, "--param", "idempotency_key=mine-1", "--copies", "2")
        assert (run.code, run.result["field"], service.posts()) == (2, "idempotency_key", 0)


@pytest.mark.parametrize("more", [[], ["--no-validate"], ["--max-spend", "1usd"]])
def test_a_plan_is_not_bought(scripts, more):
    """The service would answer with a job that never ends, and the plan would stand there as paid for."""
    with FakeService(create=answer(200, MADE)) as service:
        run = create(scripts, service, "--param", "dry_run=true", *more)
        assert (run.code, run.result["field"], service.posts()) == (2, "dry_run", 0), run.events
        assert "--dry-run" in run.result["message"]


@pytest.mark.parametrize("more", [[], ["--no-validate"], ["--model", "xai.grok-imagine-image"]])
def test_a_parameter_does_not_exchange_the_model_behind_its_contract_and_price(scripts, more):
    with FakeService(create=answer(200, MADE)) as service:
        run = create(scripts, service, "--param", "model=fal.nano-banana-pro", *more)
        assert (run.code, run.result["field"], service.posts()) == (2, "--model", 0), run.events


def test_the_same_again_out_of_a_file_is_not_the_same_job_again(scripts):
    flags = ["--provider", "sandbox", "--as", "image-skill", "--task", "t2i", "--prompt", "a"]
    first = scripts.run("create_and_wait.py", *flags, "--param", "idempotency_key=mine-1", "--output-dir", "out")
    again = scripts.run("create_and_wait.py", "--from", first.first("asset")["path"] + ".json")
    assert again.code == 0 and again.result["generation_id"] != first.result["generation_id"]


# -- a deadline before the create ------------------------------------------------------------------------


def test_a_plan_without_an_answer_leaves_time_for_the_create(scripts):
    with FakeService(create=[Exchange.hold, answer(200, MADE)]) as service:
        run = create(scripts, service, "--max-spend", "1usd", "--deadline", "8")
        assert (run.code, [body.get("dry_run") for body in bodies(service)]) == (0, [True, None]), run.events


def test_another_process_is_not_waited_for_beyond_the_deadline(scripts):
    with FakeService(create=Exchange.hold) as service:
        first = scripts.start(*flags(service, "--deadline", "25"), env={"IMAGE_SKILL_TOKEN": KEY})
        service.wait_for("POST")
        second = create(scripts, service, "--deadline", "3")
        assert first.poll() is None
        assert (second.code, second.result["error"], service.posts()) == (27, "purchase_under_way", 1)


# -- clocks ------------------------------------------------------------------------------------------------

# The clock on the wall as it is after a machine has slept: the one that waiting goes by has stood still.
_SLEPT = """
import os, runpy, sys, time
real, sign = time.time, sys.argv[1]
time.time = lambda: real() + (float(open(sign).read() or 0) if os.path.exists(sign) else 0)
sys.argv[:] = sys.argv[2:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("jump", ["10800", "-10800"])
def test_a_key_is_too_old_after_a_machine_has_slept(scripts, jump):
    sign = scripts.folder / "slept"

    def lost(exchange) -> None:
        sign.write_text(jump)
        PASSING(exchange)

    with FakeService(create=[lost, answer(200, MADE)]) as service:
        script, *arguments = flags(service)
        ended = subprocess.run(
            [sys.executable, "-c", _SLEPT, str(sign), str(SCRIPTS / script), *arguments],
            capture_output=True,
            env=scripts.environment(IMAGE_SKILL_TOKEN=KEY),
            timeout=PATIENCE,
        )
        run = Run(ended.returncode, ended.stdout, ended.stderr)
        assert (run.code, run.result["outcome"], service.posts()) == (12, "unknown", 1), run.events


def test_a_refusal_with_the_status_of_a_success_is_told_in_its_words(scripts):
    with FakeService(create=answer(200, refusal("INVALID_ARGUMENTS") | {"trace_id": "trace_1"})) as service:
        run = create(scripts, service)
        assert (run.code, run.result["outcome"], service.posts()) == (22, "rejected", 1)
        assert run.result["message"].endswith("HTTP 200: no")


@pytest.mark.parametrize(("own", "sent"), [("9", 0.5), ("0.1", 0.1)])
def test_a_guard_of_the_users_own_may_be_stricter_than_the_cap_and_no_laxer(scripts, own, sent):
    with FakeService(create=answer(200, MADE)) as service:
        more = ["--param", f"max_estimated_usd_per_image={own}", "--param", "output_count=2", "--max-spend", "1usd"]
        assert create(scripts, service, *more).code == 0
        assert bodies(service)[-1]["max_estimated_usd_per_image"] == sent
