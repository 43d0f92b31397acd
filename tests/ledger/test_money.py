"""The main job and jobs.py against a sandbox that counts: what is bought, resumed, refused."""

from __future__ import annotations

import contextlib
import datetime
import json
import signal

import pytest

from conftest import KEY, posts
from mediakit.ledger import store
from read_only import read_only
from sandbox_job import PROMPT, flags


def wait_for_post(server) -> None:
    while not posts(server):
        server.closing.wait(0.01)


def jobs(scripts, *arguments, **options):
    return scripts.run("jobs.py", *arguments, **options)


def test_a_job_that_was_not_delivered_is_resumed_and_a_delivered_one_is_bought_anew(scripts, sandbox):
    first = scripts.run(*flags(sandbox, "--no-wait"))
    assert first.result["event"] == "submitted"
    second = scripts.run(*flags(sandbox))
    resumed = second.first("resumed")
    assert resumed["reason"] == "undelivered" and "--intent" in resumed["message"]
    assert second.code == 0 and second.result["generation_id"] == first.result["generation_id"]
    assert posts(sandbox) == 1
    assert scripts.run(*flags(sandbox)).result["generation_id"] != first.result["generation_id"]
    assert posts(sandbox) == 2


def test_the_stream_and_the_plain_answer_of_a_model_are_one_purchase(scripts, sandbox):
    scripts.run(*flags(sandbox, "--stream-timeout", "1", "--poll-timeout", "1", prompt="fault:job-slow"))
    assert scripts.run(*flags(sandbox, "--stream", "never", "--no-wait", prompt="fault:job-slow")).code == 0
    assert posts(sandbox) == 1


def test_another_intent_and_an_allowed_duplicate_buy(scripts, sandbox):
    for more in ((), ("--intent", "two"), ("--allow-duplicate",), ("--intent", "two")):
        assert scripts.run(*flags(sandbox, "--no-wait", *more)).code == 0
    assert posts(sandbox) == 3


def test_copies_are_bought_on_purpose_and_resumed_together(scripts, sandbox):
    run = scripts.run(*flags(sandbox, "--copies", "3", "--no-wait"))
    assert posts(sandbox) == 3 and run.code == 0
    assert run.names.count("submitted") == 3
    again = scripts.run(*flags(sandbox, "--copies", "3"))
    assert posts(sandbox) == 3 and again.names.count("resumed") == 3 and again.names.count("terminal") == 3
    assert again.result["event"] == "summary"
    assert {name: again.result[name] for name in ("jobs", "succeeded", "failed")} == {
        "jobs": 3, "succeeded": 3, "failed": 0,
    }  # fmt: skip
    spent = scripts.run(*flags(sandbox, "--copies", "2", "--intent", "more")).result["spent"]
    assert spent == [{"amount": 24, "unit": "credits"}]


def test_fifty_processes_that_start_the_same_command_send_one_post(scripts, sandbox):
    """In an agent's sandbox, where the home cannot be written and each of them has to find the same fallback."""
    project = scripts.folder / "project"
    (project / ".git").mkdir(parents=True)
    try:
        home = read_only(scripts.home)
        prefix, kept = home.__enter__(), project / ".ai-media"
    except pytest.skip.Exception:  # no home can be made read-only here
        home, prefix, kept = contextlib.nullcontext(), (), scripts.home / ".local/state/ai-media"
    arguments = flags(sandbox, "--no-wait", prompt="fault:job-slow")
    with contextlib.ExitStack() as stack:
        stack.push(home)
        running = [scripts.start(*arguments, env={"AI_MEDIA_HOME": ""}, cwd=project, prefix=prefix) for _ in range(50)]
        ended = [(process.communicate()[0], process.returncode) for process in running]
    assert posts(sandbox) == 1
    last = [json.loads(stdout.splitlines()[-1]) for stdout, _ in ended]
    assert {code for _, code in ended} == {0}, last
    assert len({line["generation_id"] for line in last}) == 1
    assert (kept / "ledger.sqlite3").is_file()


def test_a_command_that_was_killed_with_the_post_out_is_refused_and_settled_by_hand(scripts, sandbox):
    process = scripts.start(*flags(sandbox, prompt="fault:create-500"))
    process.communicate()
    first = scripts.run(*flags(sandbox, prompt="fault:create-500"))
    assert (first.code, first.result["error"], first.result["outcome"]) == (27, "duplicate_unknown", "not_sent")
    assert posts(sandbox) == 1
    key = first.job
    assert jobs(scripts, "reconcile", key).code == 12
    wrong = jobs(scripts, "reconcile", key, "--attach", "gen_nothing", "--timeout", "12")
    assert wrong.code == 23
    assert jobs(scripts, "show", key).result["outcome"] == "unknown"
    other = sandbox.store.add("m", "image", {"prompt": "x"}, None)
    found = jobs(scripts, "reconcile", key, "--attach", other.id)
    assert found.code == 0 and found.result["generation_id"] == other.id
    assert jobs(scripts, "show", key).result["delivered"] is True
    assert posts(sandbox) == 1


def test_a_post_that_is_silent_when_its_command_is_killed_is_never_sent_again(scripts, sandbox):
    prompt = "fault:create-hang"
    process = scripts.start(*flags(sandbox, prompt=prompt))
    wait_for_post(sandbox)
    sandbox.closing.wait(1)  # the command looks at its clock a few times meanwhile
    process.kill()
    process.wait()
    run = scripts.run(*flags(sandbox, prompt=prompt))
    assert (run.code, run.result["error"], posts(sandbox)) == (27, "duplicate_unknown", 1), run.events


@pytest.mark.parametrize("way", ["forget", "--retry-unknown"])
def test_a_refused_purchase_can_be_forgotten_or_retried(scripts, sandbox, way):
    first = scripts.run(*flags(sandbox, prompt="fault:create-500"))
    assert first.code == 12 and first.result["next_argv"][2:4] == ["reconcile", first.job]
    if way == "forget":
        assert jobs(scripts, "forget", first.job).code == 0
    again = scripts.run(*flags(sandbox, *([way] if way != "forget" else []), prompt="fault:create-500"))
    assert again.code == 12 and posts(sandbox) == 2


def test_an_accepted_job_whose_answer_was_lost_is_found_in_the_list(scripts, sandbox):
    run = scripts.run(*flags(sandbox, prompt="fault:create-lost"))
    assert run.code == 0 and run.first("resumed")["reason"] == "reconciled" and posts(sandbox) == 1


def test_of_two_jobs_that_look_alike_none_is_taken(scripts, sandbox):
    sandbox.fault = "create-500"
    prompt = "fault:job-slow"
    others = [sandbox.store.add("m", "image", {"prompt": prompt, "n": 1}, "job-slow").id for _ in range(2)]
    run = scripts.run(*flags(sandbox, prompt=prompt))
    assert run.code == 12 and sorted(run.result["candidates"]) == sorted(others)


def test_a_colleagues_job_with_another_input_is_not_taken(scripts, sandbox):
    sandbox.fault = "create-500"
    sandbox.store.add("m", "image", {"prompt": PROMPT + "s"}, "job-slow")
    sandbox.store.add("m", "image", {"aspect_ratio": "1:1"}, "job-slow")
    run = scripts.run(*flags(sandbox))
    assert run.code == 12 and "candidates" not in run.result


def test_a_silent_post_is_looked_for_while_it_is_open(scripts, sandbox):
    sandbox.fault = "create-hang"
    process = scripts.start(*flags(sandbox, "--no-wait", prompt="x"))
    # The job that the silent POST made is over by the time that the list is read; this one takes its place.
    wait_for_post(sandbox)
    sandbox.store.add("m", "image", {"prompt": "x"}, "job-slow")
    stdout, _ = process.communicate()
    assert process.returncode == 0, stdout
    assert posts(sandbox) == 1


def lose_the_jobs_of(server) -> None:
    from contextlib import closing

    with closing(server.store._connect()) as database, database:
        database.execute("DELETE FROM job")


def test_a_job_that_is_gone_is_closed_and_only_then_bought_again(scripts, sandbox):
    slow = {"prompt": "fault:job-slow"}
    first = scripts.run(*flags(sandbox, "--stream", "never", "--poll-timeout", "1", **slow))
    assert first.code == 11
    lose_the_jobs_of(sandbox)
    second = scripts.run(*flags(sandbox, **slow))
    assert second.code == 23 and posts(sandbox) == 1
    assert scripts.run(*flags(sandbox, "--no-wait", **slow)).result["generation_id"] != first.result["generation_id"]
    assert posts(sandbox) == 2


def test_a_job_that_was_never_once_readable_is_not_closed_by_a_404(scripts, sandbox):
    first = scripts.run(*flags(sandbox, "--no-wait"))
    lose_the_jobs_of(sandbox)
    for _ in range(2):
        again = scripts.run(*flags(sandbox))
        assert (again.code, again.result["event"], posts(sandbox)) == (11, "timeout", 1), again.events
        assert again.result["generation_id"] == first.result["generation_id"]
        assert any("--accept-loss" in line for line in again.result["guidance"])
    key = first.job
    assert jobs(scripts, "resume", key).code == 11
    assert jobs(scripts, "show", key).result["open"] is True
    assert jobs(scripts, "forget", key).code == 27
    assert jobs(scripts, "forget", key, "--accept-loss").code == 0
    assert scripts.run(*flags(sandbox, "--no-wait")).code == 0 and posts(sandbox) == 2


def test_a_deadline_ends_the_command_before_and_the_next_command_goes_on(scripts, sandbox):
    run = scripts.run(*flags(sandbox, "--deadline", "2", prompt="fault:job-slow"))
    assert run.code == 11 and run.result["event"] == "timeout"
    script = run.result["next_argv"][1].rpartition("/")[2]
    on = scripts.run(script, *run.result["next_argv"][2:], "--timeout", "1")
    assert on.code == 11 and on.result["generation_id"] == run.result["generation_id"]


def test_a_deadline_that_falls_into_the_post_leaves_time_to_reconcile(scripts, sandbox):
    run = scripts.run(*flags(sandbox, "--deadline", "10", prompt="fault:create-hang"))
    assert run.code == 12 and run.result["outcome"] == "unknown" and posts(sandbox) == 1
    assert ("GET", "/api/v1/generations/running?limit=100") in sandbox.requests


def test_a_signal_tells_the_outcome_and_the_way_on(scripts, sandbox):
    process = scripts.start(*flags(sandbox, prompt="fault:create-hang"))
    wait_for_post(sandbox)
    process.send_signal(signal.SIGINT)
    last = json.loads(process.communicate()[0].splitlines()[-1])
    assert (last["exit_code"], last["outcome"], last["next_argv"][2]) == (130, "unknown", "reconcile")


def test_a_closed_pipe_does_not_lose_the_job(scripts, sandbox):
    process = scripts.start(*flags(sandbox))
    process.stdout.close()
    assert process.wait() == 141
    run = scripts.run(*flags(sandbox))
    assert run.code == 0 and posts(sandbox) == 1


# -- zero POSTs ----------------------------------------------------------------------------------------

# refusal -> (flags, environment, exit code)
REFUSALS = {
    "bad argument": (("--copies", "0"), {}, 2),
    "an unknown flag": (("--cheap",), {}, 2),
    "an amount without a unit": (("--max-spend", "5"), {}, 2),
    "a standing cap that is no amount": ((), {"AI_MEDIA_MAX_SPEND": "a lot"}, 2),
    "a unit that no service counts in": (("--max-spend", "5apples", "--accept-unknown-cost"), {}, 2),
    "a standing cap in one": ((), {"AI_MEDIA_MAX_SPEND": "9credits, 5apples/day"}, 2),
    "a prompt beside the payload's": (("--payload", '{"prompt": "another"}'), {}, 2),
    "validation": (("--param", "aspect_ration=1:1"), {}, 22),
    "a cap and an unknown cost": (("--max-spend", "5credits"), {}, 27),
    "a standing cap and an unknown cost": ((), {"AI_MEDIA_MAX_SPEND": "5credits/day"}, 27),
    "an untrusted address": (("--base-url", "https://elsewhere.invalid/api"), {}, 27),
    "no ledger": (("--require-ledger",), {"AI_MEDIA_HOME": "/dev/null/x"}, 27),
    "a cap without a ledger": (("--max-spend", "5credits"), {"AI_MEDIA_HOME": "/dev/null/x"}, 27),
    "dry run": (("--dry-run",), {}, 0),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_sends_nothing(scripts, sandbox, refusal):
    more, env, code = REFUSALS[refusal]
    run = scripts.run(*flags(sandbox, *more), env=env)
    assert (run.code, list(sandbox.requests)) == (code, []), run.events
    assert run.result.get("outcome", "not_sent") == "not_sent"


def test_without_a_key_nothing_is_sent(scripts, sandbox):
    where = ("--provider", "skills-video", "--base-url", sandbox.url + "/api/v1", "--task", "t2i", "--prompt", PROMPT)
    assert scripts.run("create_and_wait.py", *where).code == 21
    assert list(sandbox.requests) == []


def test_a_plan_needs_no_key_and_holds_none(scripts):
    env = {"SKILLS_VIDEO_API_KEY": KEY}
    for given in ({}, env):
        run = scripts.run(
            "create_and_wait.py", "--provider", "skills-video", "--task", "t2v", "--prompt", "it's rain", "--dry-run",
            env=given,
        )  # fmt: skip
        plan = run.result
        assert run.code == 0 and plan["effect"] == "no_spend" and KEY not in run.stdout.decode()
        assert plan["request"]["method"] == "POST" and plan["request"]["body"]["prompt"] == "it's rain"
        assert "$SKILLS_VIDEO_API_KEY" in plan["curl"]
    assert not (scripts.folder / "state" / "ledger.sqlite3").exists()


def test_a_cap_is_kept_across_commands_by_what_was_measured(scripts, sandbox):
    cap = {"AI_MEDIA_MAX_SPEND": "30credits/day"}
    assert scripts.run(*flags(sandbox, "--accept-unknown-cost"), env=cap).code == 0
    assert scripts.run(*flags(sandbox), env=cap).code == 0  # an estimate by now: 12 of the 18 that are left
    third = scripts.run(*flags(sandbox), env=cap)
    assert (third.code, third.result["error"]) == (27, "spend_cap") and posts(sandbox) == 2


@pytest.mark.parametrize("env, cap", [({}, ("--max-spend", "15credits")), ({"AI_MEDIA_MAX_SPEND": "100credits"}, ())])
def test_an_estimate_of_one_result_lets_no_larger_job_through_a_cap(scripts, sandbox, env, cap):
    assert scripts.run(*flags(sandbox)).code == 0
    for larger in ("num_images=12", "n=5", "resolution=4K", 'parameters={"n": 12}'):
        run = scripts.run(*flags(sandbox, "--no-validate", "--param", larger, *cap), env=env)
        assert (run.code, run.result["error"], posts(sandbox)) == (27, "unknown_cost", 1), (larger, run.events)
    assert scripts.run(*flags(sandbox, "--param", "aspect_ratio=1:1", *cap), env=env).code == 0 and posts(sandbox) == 2


def test_ten_commands_at_once_do_not_overdraw_a_cap(scripts, sandbox):
    assert scripts.run(*flags(sandbox)).code == 0
    env = {"AI_MEDIA_MAX_SPEND": "40credits"}
    running = [scripts.start(*flags(sandbox, "--no-wait", "--intent", str(n)), env=env) for n in range(10)]
    codes = sorted((process.communicate(), process.returncode)[1] for process in running)
    assert codes == [0, 0] + [27] * 8 and posts(sandbox) == 3


def test_preflight_looks_at_the_ledger_without_making_one_and_settles_what_is_open(scripts, sandbox):
    scripts.run("preflight.py", "--prompt", "x", env={"SKILLS_VIDEO_API_KEY": KEY})
    assert not (scripts.folder / "state" / "ledger.sqlite3").exists()
    scripts.run(*flags(sandbox, "--no-wait"))
    waiting = scripts.run("preflight.py", "--provider", "sandbox").result
    assert (waiting["stage"], waiting["effect"]) == ("settle_first", "no_spend")
    at = waiting["next_argv"].index("--provider")
    assert waiting["next_argv"][at + 1] == "sandbox"  # another service may have no key now
    script = waiting["next_argv"][1].rpartition("/")[2]
    assert scripts.run(script, *waiting["next_argv"][2:]).code == 0


# -- jobs.py -------------------------------------------------------------------------------------------


def test_jobs_lists_shows_and_counts(scripts, sandbox):
    scripts.run(*flags(sandbox))
    scripts.run(*flags(sandbox, "--no-wait", prompt="fault:job-slow"))
    listed = jobs(scripts, "list").events
    assert [event["event"] for event in listed] == ["job", "job", "jobs"]
    assert [event["delivered"] for event in listed[:2]] == [False, True]
    assert len(jobs(scripts, "list", "--undelivered").events) == 2
    shown = jobs(scripts, "show", listed[1]["job"]).result
    assert shown["payload"] == {"prompt": PROMPT} and [change["what"] for change in shown["changes"]][:2] == [
        "planned", "sending",
    ]  # fmt: skip
    spent = jobs(scripts, "spend").first("spent")
    assert (spent["jobs"], spent["measured"], spent["practice"]) == (2, {"amount": 24, "unit": "credits"}, True)


def test_what_was_spent_is_told_since_a_time_or_a_date_with_totals_in_the_last_line(scripts, sandbox):
    scripts.run(*flags(sandbox, "--accept-unknown-cost"))
    scripts.run(*flags(sandbox, prompt="b"))
    scripts.run(*flags(sandbox, "--no-wait", prompt="fault:job-slow"))
    now = datetime.datetime.now(datetime.timezone.utc)
    (scripts.folder / "state").mkdir(exist_ok=True)
    ledger = store.Ledger(str(scripts.folder / "state"))
    for days, entry in zip((0, 3, 10), ledger.newest(3)):
        ledger.record(entry.key, "made before", created_at=now.timestamp() - days * 86400 - 60)
    ledger.close()
    date = (now - datetime.timedelta(days=5)).date().isoformat()
    totals = {}
    for since in ([], ["7d"], ["1w"], ["12h"], [date], [f"{date}T00:00:00Z"], [f"{date}T02:00:00+02:00"]):
        run = jobs(scripts, "spend", *(["--since", *since] if since else []))
        assert run.code == 0 and run.result["event"] == "spend" and ("since" in run.result) == bool(since), run.events
        (total,) = run.result["totals"]
        totals[(since or ["all"])[0]] = (total["unit"], total["measured"], total["estimated"], total["jobs"])
    assert totals["all"] == ("credits", 36, 0, 3) and totals["12h"] == ("credits", 12, 0, 1)
    others = {value for since, value in totals.items() if since not in ("all", "12h")}
    assert others == {("credits", 24, 0, 2)}, totals
    assert jobs(scripts, "spend", "--since", "2100-01-01").result["totals"] == []
    for wrong in ("yesterday", "7", "d", "-1d", "2026-13-40", ""):
        bad = jobs(scripts, "spend", f"--since={wrong}")
        assert (bad.code, bad.result["field"]) == (2, "--since"), bad.events


def test_jobs_resumes_everything_that_is_open(scripts, sandbox):
    for prompt in ("a", "b"):
        scripts.run(*flags(sandbox, "--no-wait", "--output-dir", str(scripts.folder / "kept"), prompt=prompt))
    run = jobs(scripts, "resume", "--all-undelivered")
    assert run.code == 0 and run.result["succeeded"] == 2 and posts(sandbox) == 2
    assert len(list((scripts.folder / "kept").glob("*.png"))) == 2
    assert jobs(scripts, "resume", "--all-undelivered").result["jobs"] == 0


def test_jobs_of_one_service_are_resumed_alone(scripts, sandbox):
    scripts.run(*flags(sandbox, "--no-wait"))
    assert jobs(scripts, "resume", "--all-undelivered", "--provider", "modellix").result["jobs"] == 0
    key = jobs(scripts, "list").first("job")["job"]
    other = jobs(scripts, "resume", key, "--provider", "modellix")
    assert other.code == 2 and "sandbox" in other.result["message"]
    assert jobs(scripts, "resume", "--all-undelivered", "--provider", "sandbox").code == 0


def test_waiting_by_id_or_key_delivers_the_job(scripts, sandbox):
    first = scripts.run(*flags(sandbox, "--no-wait")).result
    run = scripts.run("wait_generation.py", "--generation-id", first["generation_id"])
    assert run.code == 0 and run.result["provider"] == "sandbox"
    assert scripts.run("wait_generation.py", "--job", first["job"]).code == 0
    assert jobs(scripts, "show", first["job"]).result["delivered"] is True


def test_a_payload_is_not_kept_where_it_must_not_be(scripts, sandbox):
    first = scripts.run(*flags(sandbox, "--no-wait", "--no-store-payload", prompt="secret words"))
    assert "payload" not in jobs(scripts, "show", first.job).result
    assert all(b"secret words" not in path.read_bytes() for path in (scripts.folder / "state").glob("ledger*"))
    assert scripts.run(*flags(sandbox, prompt="secret words")).code == 0 and posts(sandbox) == 1


def test_what_cannot_be_canceled_says_so(scripts, sandbox):
    first = scripts.run(*flags(sandbox, "--no-wait")).result
    run = jobs(scripts, "cancel", first["job"])
    assert (run.code, run.result["error"]) == (27, "cannot_cancel")


def test_forgetting_what_is_settled_leaves_what_is_open(scripts, sandbox):
    scripts.run(*flags(sandbox))
    scripts.run(*flags(sandbox, "--no-wait", prompt="open"))
    assert jobs(scripts, "forget", "--older-than", "0").result["jobs"] == 1
    assert jobs(scripts, "list").result["jobs"] == 1


@pytest.mark.parametrize("words", [("show",), ("list", "job_0"), ("resume",), ("forget", "x", "--older-than", "1"),
                                   ("spend", "--all-unknown"), ("show", "x", "--attach", "y"), ("buy",)])  # fmt: skip
def test_jobs_refuses_what_it_cannot_mean(scripts, words):
    assert jobs(scripts, *words).code == 2


def test_jobs_knows_no_stranger(scripts):
    assert jobs(scripts, "show", "job_0123456789abcdef").code == 23
