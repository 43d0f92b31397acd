"""Many jobs in one command: from lines to results, bought once each however often it is run."""

from __future__ import annotations

import json
import threading
from collections import Counter

import pytest

from batch_runs import drawn
from conftest import KEY, at_sandbox, posts
from fake_service import PNG, FakeService, answer, job
from mediakit.jobs.batch import results, scheduler
from mediakit.jobs.lifecycle import creating
from mediakit.media import save
from mediakit.sandbox import Sandbox
from mediakit.services import catalogue, providers
from stormy import Stormy

# -- from lines to results ------------------------------------------------------------------------------


def test_each_line_is_made_and_the_results_stand_in_the_order_of_the_input(batch, sandbox):
    lines = drawn("a fault:job-fast", "a tin boat", "b fault:job-fast")
    lines[1]["id"] = "boat"
    ran = batch(lines, *at_sandbox(sandbox), "--max-jobs", "3")
    assert (ran.code, ran.result["event"], ran.result["succeeded"], ran.result["failed"]) == (0, "summary", 3, 0)
    assert posts(sandbox) == 3 and ran.ends == {"1": 0, "boat": 0, "3": 0}
    assert [line["id"] for line in ran.lines] == ["1", "boat", "3"]
    assert all(line["ok"] and line["exit_code"] == 0 and line["practice"] for line in ran.lines)
    (file,) = ran.lines[1]["files"]
    assert (ran.folder / file).is_file() and "boat-" in file and file in ran.result["files"]
    assert ran.lines[1]["cost"] == {"amount": 12, "unit": "credits"}
    assert ran.result["spent"] == [{"amount": 36, "unit": "credits"}]
    assert (ran.folder / "gallery.html").is_file() and ran.result["results"] == str(ran.folder / "results.jsonl")


def test_the_same_again_buys_nothing_and_says_the_same(batch, sandbox):
    lines = drawn("a fault:job-fast", "b fault:job-fast")
    flags = (*at_sandbox(sandbox), "--max-jobs", "2")
    first = batch(lines, *flags)
    # One line more, and the others are moved: it is alone what is bought.
    lines = [{**lines[1], "id": "2"}, {**lines[0], "id": "1"}, *drawn("c fault:job-fast")]
    again = batch(lines, *flags)
    assert (first.code, again.code, posts(sandbox)) == (0, 0, 3)
    assert [line["id"] for line in again.lines] == ["2", "1", "3"]
    assert [line["files"] for line in again.lines[:2]] == [line["files"] for line in reversed(first.lines)]
    assert again.ends == {"3": 0} and again.result["succeeded"] == 3
    other = batch(lines, *flags, "--intent", "another", "--max-jobs", "9")
    assert (other.code, posts(sandbox)) == (0, 6)


# -- chains ----------------------------------------------------------------------------------------------


def film(name: str, of: str, **more) -> dict:
    return {"id": name, "task": "i2v", "prompt": f"{name} fault:job-fast", "inputs": {"image": f"line:{of}"}, **more}


def test_a_line_takes_the_output_of_another_whatever_their_order(batch, sandbox):
    lines = [film("film", "still"), {"id": "still", "task": "t2i", "prompt": "a fault:job-fast"}]
    ran = batch(lines, *at_sandbox(sandbox), "--max-jobs", "2")
    assert (ran.code, posts(sandbox)) == (0, 2), ran.events
    bodies = [json.loads(exchange.body) for exchange in sandbox.exchanges if exchange.method == "POST"]
    still = next(line for line in ran.lines if line["id"] == "still")
    assert still["generation_id"] in json.dumps(bodies[1]) and bodies[0]["prompt"].startswith("a ")
    again = batch(lines, *at_sandbox(sandbox), "--max-jobs", "2")
    assert (again.code, posts(sandbox), again.ends) == (0, 2, {})


def test_the_children_of_a_failed_line_are_skipped_with_the_reason_and_nobody_else_is(batch, sandbox):
    lines = [
        {"id": "bad", "task": "t2i", "prompt": "a fault:job-failed"},
        {"id": "refused", "task": "t2i", "prompt": "a fault:create-422"},
        film("child", "bad"),
        film("grandchild", "child"),
        film("other child", "refused"),
        {"id": "good", "task": "t2i", "prompt": "b fault:job-fast"},
    ]
    ran = batch(lines, *at_sandbox(sandbox), "--max-jobs", "6")
    assert ran.ends == {"bad": 10, "refused": 22, "child": 22, "grandchild": 22, "other child": 22, "good": 0}
    assert (ran.code, ran.result["failed"], ran.result["skipped"], posts(sandbox)) == (10, 5, 3, 3)
    skipped = [line for line in ran.lines if line.get("state") == "skipped"]
    assert [line["error"]["code"] for line in skipped] == ["parent_failed"] * 3
    assert "bad" in skipped[0]["error"]["message"] and "child" in skipped[1]["error"]["message"]


def test_several_services_in_one_file_each_with_its_own_address_key_and_pace(batch, monkeypatch):
    done = job("COMPLETED")
    with FakeService(create=answer(200, {**done, "usage": {"total": 3}})) as service:
        lines = [*drawn("a fault:job-fast", provider="sandbox"), {"model": "z-image/z-image", "prompt": "b"}]
        flags = ("--provider", "skills-video", "--base-url", service.base_url, "--max-jobs", "2")
        ran = batch(lines, *flags)
        assert (ran.code, ran.result["error"], service.posts()) == (21, "missing_api_key", 0), ran.result
        monkeypatch.setenv("SKILLS_VIDEO_API_KEY", KEY)
        ran = batch(lines, *flags)
        assert service.posts() == 1 and [line["provider"] for line in ran.lines] == ["sandbox", "skills-video"]
        assert ran.lines[0]["practice"] and "practice" not in ran.lines[1] and "practice" not in ran.result
        assert [event["line"] for event in ran.events if event["event"] == "start"] == ["1", "2"]
        assert ran.ends["1"] == 0 and KEY not in json.dumps(ran.events)


# -- money -----------------------------------------------------------------------------------------------


def test_more_than_one_job_needs_max_jobs_and_what_is_delivered_does_not_count(batch, sandbox):
    lines = drawn("a fault:job-fast", "b fault:job-fast", "c fault:job-fast")
    for flags in ((), ("--max-jobs", "2")):
        ran = batch(lines, *at_sandbox(sandbox), *flags)
        assert (ran.code, ran.result["error"], posts(sandbox)) == (27, "too_many_jobs", 0)
    assert batch(lines[:1], *at_sandbox(sandbox)).code == 0
    ran = batch(lines, *at_sandbox(sandbox), "--max-jobs", "2")
    assert (ran.code, posts(sandbox)) == (0, 3)


def test_a_cap_holds_while_the_batch_runs_and_over_its_runs(batch, sandbox):
    lines = drawn(*(f"{letter} fault:job-fast" for letter in "abcdef"))
    flags = (*at_sandbox(sandbox), "--max-jobs", "9")
    capped = batch(lines, *flags, "--max-spend", "40credits")
    assert (capped.code, capped.result["error"], posts(sandbox)) == (27, "unknown_cost", 0)
    assert batch(lines[:1], *flags).code == 0  # which tells the price: 12
    for _ in range(2):
        capped = batch(lines, *flags, "--max-spend", "40credits")
        assert (capped.code, capped.result["succeeded"], posts(sandbox)) == (27, 3, 3), capped.result
        refused = [event for event in capped.events if event.get("error") == "spend_cap"]
        assert len(refused) == 3 and all(event["line"] for event in refused)
    # A job's own limit, and a part of the whole for each shard.
    assert batch(lines, *flags, "--max-spend-job", "11credits").result["succeeded"] == 3
    assert batch(lines, *flags, "--max-spend", "100credits", "--shard", "1/4").result["failed"] == 0
    assert posts(sandbox) <= 5


# flags of a batch of six jobs of 12 credits, of which one is delivered -> the code and error of the run, planned or not
DRY_RUNS = {
    "too few jobs": (("--max-jobs", "4"), 27, "too_many_jobs"),
    "enough jobs": (("--max-jobs", "5"), 0, None),
    "a cap that holds": (("--max-jobs", "9", "--max-spend", "72credits"), 0, None),
    "a cap that all together break": (("--max-jobs", "9", "--max-spend", "71credits"), 27, None),
    "a cap for each": (("--max-jobs", "9", "--max-spend-job", "11credits"), 27, None),
    "a part of a cap": (("--max-jobs", "9", "--max-spend", "10credits", "--shard", "1/2"), 27, None),
    "a cap in what nothing is counted in": (("--max-jobs", "9", "--max-spend", "5yen"), 27, None),
    "a standing cap": (("--max-jobs", "9", "AI_MEDIA_MAX_SPEND", "30credits"), 27, None),
}


@pytest.mark.parametrize("case", DRY_RUNS)
def test_a_dry_run_ends_as_the_run_will(batch, sandbox, monkeypatch, case):
    flags, code, error = DRY_RUNS[case]
    lines = drawn(*(f"{letter} fault:job-fast" for letter in "abcdef"))
    assert batch(lines[:1], *at_sandbox(sandbox)).code == 0  # which tells the price: 12
    if "AI_MEDIA_MAX_SPEND" in flags:
        monkeypatch.setenv(*flags[2:])
        flags = flags[:2]
    planned = batch(lines, *at_sandbox(sandbox), *flags, "--dry-run")
    assert posts(sandbox) == 1 and planned.code == code, planned.result
    if code == 0:
        told = {name: planned.result[name] for name in ("jobs", "delivered", "cost")}
        assert told == {"jobs": 5, "delivered": 1, "cost": [{"amount": 60, "unit": "credits", "source": "estimate"}]}
    ran = batch(lines, *at_sandbox(sandbox), *flags)
    assert ran.code == code and (error is None or planned.result["error"] == ran.result["error"] == error), ran.result


@pytest.mark.parametrize("sandbox", ["image-skill"], indirect=True)
@pytest.mark.parametrize("cap, code", [("9usd", 0), ("0.01usd", 27)])
def test_a_service_that_plans_prices_lines_with_files_under_a_cap(batch, sandbox, tmp_path, cap, code):
    (tmp_path / "boat.png").write_bytes(PNG)
    model = catalogue.defaults("image-skill")["i2i"]
    line = {"task": "i2i", "model": model, "inputs": {"image": "boat.png"}}
    lines = [{**line, "prompt": "a"}, {**line, "prompt": "b"}]
    ran = batch(lines, *at_sandbox(sandbox), "--max-jobs", "2", "--max-spend", cap)
    assert (ran.code, ran.result["succeeded"]) == (code, 0 if code else 2), ran.events
    refused = [event["error"] for event in ran.events if "error" in event]
    assert refused == ["spend_cap"] * (2 if code else 0)


def test_files_are_told_in_the_order_of_the_input(batch):
    lines = drawn(*(f"job {n} fault:job-fast" for n in range(12)))
    with Stormy((0.1, 2.0)) as server:
        ran = batch(lines, *at_sandbox(server), "--max-jobs", "12")
    assert (ran.code, [line["line"] for line in ran.lines]) == (0, [*range(1, 13)])
    assert ran.result["files"] == [file for line in ran.lines for file in line["files"]]


def test_the_standing_cap_holds_too(batch, sandbox, monkeypatch):
    lines = drawn(*(f"{letter} fault:job-fast" for letter in "abcd"))
    assert batch(lines[:1], *at_sandbox(sandbox)).code == 0
    monkeypatch.setenv("AI_MEDIA_MAX_SPEND", "30credits")
    ran = batch(lines, *at_sandbox(sandbox), "--max-jobs", "9")
    assert (ran.code, ran.result["succeeded"], posts(sandbox)) == (27, 2, 2)


# -- what goes wrong -----------------------------------------------------------------------------------------


def test_an_unknown_outcome_stops_new_jobs_at_its_service_until_it_is_settled(batch, sandbox):
    lines = drawn("a fault:create-500", *(f"{n} fault:job-fast" for n in range(4)))
    flags = (*at_sandbox(sandbox), "--max-jobs", "9", "--in-flight", "1")
    ran = batch(lines, *flags)
    assert ran.ends == {"1": 12, **dict.fromkeys("2345", 27)} and posts(sandbox) == 1
    assert (ran.code, ran.result["unknown"], ran.lines[1]["error"]["code"]) == (12, 1, "held_back")
    again = batch(lines, *flags)  # it asks first, and still nobody knows
    assert again.ends == ran.ends and posts(sandbox) == 1
    on = batch(lines, *flags, "--continue-on-unknown")
    assert on.ends == {"1": 12, **dict.fromkeys("2345", 0)} and posts(sandbox) == 5


def test_a_job_that_was_accepted_unseen_is_found_and_not_bought_again(batch, sandbox):
    ran = batch(drawn("a fault:create-lost", "b"), *at_sandbox(sandbox), "--max-jobs", "2")
    assert ran.code in (0, 12) and posts(sandbox) == 2
    again = batch(drawn("a fault:create-lost", "b"), *at_sandbox(sandbox), "--max-jobs", "2")
    assert posts(sandbox) == 2 and again.code in (0, 12)


def test_a_line_that_is_refused_for_now_is_tried_again_and_no_job_fails(batch):
    with Stormy(storms=0.3) as server:
        lines = drawn(*(f"job {n}" for n in range(12)))
        ran = batch(lines, *at_sandbox(server), "--max-jobs", "12")
        assert (ran.code, ran.result["succeeded"]) == (0, 12), ran.events
        assert server.account["429"] and server.account["accepted"] == 12 == len(server.accepted)
        troubles = [event for event in ran.events if event["event"] in ("retry", "poll_error")]
        assert len(troubles) <= 4, troubles


def test_a_service_that_is_not_there_for_a_while_is_waited_for(batch, monkeypatch):
    monkeypatch.setattr(creating, "CREATE_ATTEMPTS", 1)
    with Stormy() as server:
        flags = at_sandbox(server)
        closed = server._server.socket.getsockname()
    gone = threading.Timer(1.0, lambda: back.append(Sandbox(None, "skills-video", port=closed[1])))
    back: list[Sandbox] = []
    gone.start()
    try:
        ran = batch(drawn("a", "b"), *flags, "--max-jobs", "2")
        assert (ran.code, ran.result["succeeded"], posts(back[0])) == (0, 2, 2), ran.events
    finally:
        gone.join()
        for server in back:
            server.close()


def test_what_was_accepted_and_not_delivered_is_gone_on_with(batch, sandbox):
    lines = drawn("a fault:job-fast", "b fault:job-fast")
    flags = (*at_sandbox(sandbox), "--max-jobs", "2")
    left = batch(lines, *flags, "--no-wait")
    assert (left.code, left.ends, posts(sandbox)) == (0, {"1": 0, "2": 0}, 2)
    ran = batch(lines, *flags)
    assert (ran.code, ran.ends, posts(sandbox)) == (0, {"1": 0, "2": 0}, 2) and all(line["files"] for line in ran.lines)


# -- what is told ----------------------------------------------------------------------------------------------


def test_only_the_summary_is_told_where_nothing_else_is_wanted(batch, sandbox):
    lines = drawn("a fault:job-fast", "b fault:create-422")
    ran = batch(lines, *at_sandbox(sandbox), "--max-jobs", "2", "--summary-only")
    assert [event["event"] for event in ran.events] == ["summary"] and ran.code == 22
    assert [line["exit_code"] for line in ran.lines] == [0, 22]


def test_a_job_has_a_line_a_state_at_most_and_one_start_for_all(batch, sandbox):
    ran = batch(drawn(*(f"{n} fault:job-fast" for n in range(8))), *at_sandbox(sandbox), "--max-jobs", "8")
    names = Counter(event["event"] for event in ran.events)
    assert names == {"start": 1, "submitted": 8, "asset": 8, "terminal": 8, "summary": 1}
    assert all("line" in event for event in ran.events[:-1])


def test_a_file_of_results_keeps_what_another_process_wrote_of_other_lines(batch, sandbox):
    lines = drawn(*(f"{n} fault:job-fast" for n in range(6)))
    flags = (*at_sandbox(sandbox), "--max-jobs", "9", "--state-dir")
    one = batch(lines, *flags, "state-1", "--shard", "1/2")
    two = batch(lines, *flags, "state-2", "--shard", "2/2")
    assert one.result["jobs"] + two.result["jobs"] == 6 == posts(sandbox) and one.result["jobs"]
    assert [line["id"] for line in two.lines] == [str(n) for n in range(1, 7)]


@pytest.mark.parametrize("sandbox", ["skills-video", "modellix", "image-skill"], indirect=True)
def test_every_contract_is_spoken_in_a_batch(batch, sandbox):
    ran = batch(drawn(*(f"{n} fault:job-fast" for n in range(5))), *at_sandbox(sandbox), "--max-jobs", "5")
    assert (ran.code, ran.result["succeeded"]) == (0, 5), ran.events
    assert all(line["files"] for line in ran.lines)
    again = batch(None, *at_sandbox(sandbox), "--max-jobs", "5")
    assert (again.code, again.ends, posts(sandbox)) == (0, {}, 5)


def test_a_rate_and_jobs_at_once_are_kept(batch):
    with Stormy((0.3, 0.3), per_minute=30, window=2.0) as server:
        flags = (*at_sandbox(server), "--max-jobs", "40", "--in-flight", "8")
        ran = batch(drawn(*(f"job {n}" for n in range(40))), *flags)
        assert (ran.code, ran.result["succeeded"]) == (0, 40), ran.events
        assert server.account["accepted"] == 40 and server.most_at_once <= 8


@pytest.mark.parametrize("left, code", [(0.05, 20), (100.0, 22)])
def test_a_stated_cost_above_the_balance_is_refused_before_anything_is_sent(batch, monkeypatch, left, code):
    balance = answer(200, {"code": 0, "data": {"balance": left}})
    refused = answer(422, {"code": 422, "message": "no"})
    with FakeService(create=refused, other=balance) as service:
        lines = drawn("a", "b", "c", "d")
        flags = ("--provider", "modellix", "--base-url", service.base_url, "--transport", "rest", "--max-jobs", "4")
        monkeypatch.setenv("MODELLIX_API_KEY", KEY)
        ran = batch(lines, *flags)
        assert (ran.code, service.posts() == 0) == (code, code == 20), ran.events
        if code == 20:
            assert ran.result["error"] == "balance_too_low" and service.count("GET") == 1


def test_the_descriptor_states_how_much_a_service_bears(batch, sandbox, monkeypatch):
    found = []
    monkeypatch.setattr(scheduler.Scheduler, "run", lambda self: found.extend(s.pace.limits for s in self._services))
    monkeypatch.setattr(providers.Provider, "limits", {"requests_per_minute": 50, "jobs_at_once": 3}, raising=False)
    monkeypatch.setattr(providers, "_loaded", {})  # so that it is read anew
    sent = providers.Provider.__init__
    monkeypatch.setattr(providers.Provider, "__init__", lambda self, *a: (sent(self, *a), vars(self).pop("limits"))[0])
    batch(drawn("a", "b"), *at_sandbox(sandbox), "--max-jobs", "2")
    batch(drawn("a", "b"), *at_sandbox(sandbox), "--max-jobs", "2", "--rate", "2/s", "--in-flight", "7")
    tiers = {"tiers": {"gold": {"jobs_at_once": 9}}}
    monkeypatch.setattr(providers.Provider, "limits", {"requests_per_minute": 50, **tiers})
    monkeypatch.setenv("AI_MEDIA_TIER", "modellix=10, sandbox=gold")
    batch(drawn("a", "b"), *at_sandbox(sandbox), "--max-jobs", "2")
    assert [(limits.per_minute, limits.jobs) for limits in found] == [(50, 3), (120, 7), (50, 9)]
    for wrong, words in (("sandbox=lead", "expected sandbox=gold"), ("gold", "SERVICE=TIER")):
        monkeypatch.setenv("AI_MEDIA_TIER", wrong)
        refused = batch(drawn("a", "b"), *at_sandbox(sandbox), "--max-jobs", "2")
        assert (refused.code, words in refused.result["message"]) == (2, True), refused.result


def test_many_jobs_are_read_by_one_look_into_the_list(batch):
    with Stormy((3.0, 3.0)) as server:
        ran = batch(drawn(*(f"job {n}" for n in range(30))), *at_sandbox(server), "--max-jobs", "30")
        assert (ran.code, ran.result["succeeded"]) == (0, 30), ran.events
        reads = Counter("list" if "running" in path else "job" for method, path in server.requests if method == "GET")
        media = sum("/m/" in path for _, path in server.requests)
        assert reads["list"] and reads["job"] - media <= 60, reads


def test_the_summary_has_the_command_that_goes_on_wherever_something_is_left(batch, sandbox, monkeypatch):
    monkeypatch.setattr(save, "PATIENCE", 0.5)
    lines = drawn("a fault:job-fast", "b fault:result-expired")
    ran = batch(lines, *at_sandbox(sandbox), "--max-jobs", "2")
    assert (ran.code, ran.result["unfinished"]) == (26, 0), ran.events
    assert "create_batch.py" in ran.result["next_command"]
    assert "next_command" not in batch(lines[:1], *at_sandbox(sandbox)).result


def test_what_a_line_was_before_is_no_result_of_it(batch, sandbox, monkeypatch):
    """Nor is the line of that name of another batch; what failed before stays until there is something new to tell."""
    lines = drawn("a fault:job-fast", "b fault:job-fast", "c fault:create-422")
    flags = (*at_sandbox(sandbox), "--max-jobs", "3")
    assert [line["exit_code"] for line in batch(lines, *flags).lines] == [0, 0, 22]
    lines[0]["prompt"] = "another fault:job-fast"
    with monkeypatch.context() as patch:
        patch.setattr(scheduler.Scheduler, "run", lambda self: None)  # as if it was stopped before it began
        stopped = batch(lines, *flags)
    assert [(line["id"], line["exit_code"]) for line in stopped.lines] == [("2", 0), ("3", 22)]
    assert [line["exit_code"] for line in batch(lines, *flags).lines] == [0, 0, 22] and posts(sandbox) == 5


def test_results_that_cannot_be_written_stop_nothing(batch, sandbox, tmp_path, monkeypatch):
    monkeypatch.setattr(results.atomic, "write", lambda *words, **more: full())
    ran = batch(drawn("a fault:job-fast", "b fault:job-fast"), *at_sandbox(sandbox), "--max-jobs", "2")
    warned = [event["code"] for event in ran.events if event["event"] == "warning"]
    assert (ran.code, ran.result["succeeded"], warned.count("results_not_written")) == (26, 2, 1), ran.events


def full():
    raise OSError(28, "No space left on device")


def test_while_a_service_takes_nothing_the_processor_rests(batch, monkeypatch):
    turns = Counter()
    turn = scheduler.Scheduler._turn
    monkeypatch.setattr(scheduler.Scheduler, "_turn", lambda self: (turns.update(["turns"]), turn(self)))
    with Stormy((0.1, 0.1), per_minute=16, window=5.0) as server:
        ran = batch(drawn(*(f"job {n}" for n in range(20))), *at_sandbox(server), "--max-jobs", "20")
        assert (ran.code, ran.result["succeeded"]) == (0, 20), ran.events
    # A few for each request and twice a second: not thousands.
    assert turns["turns"] < 1000, turns
