"""A run says what is needed and no more: sizes, --brief, and what each result carries."""

from __future__ import annotations

import json
import shlex

import pytest

from conftest import KEY
from fake_service import FakeService, answer, create, event, job, stream
from sandbox_job import flags

BRIEF = ["event", "time", "ok", "provider", "model", "job", "generation_id", "state", "files", "usage", "error",
         "next_command", "exit_code"]  # fmt: skip
MADE = ("create_and_wait.py", "--provider", "sandbox", "--task", "t2i", "--prompt", "a tin boat at dusk")


def test_with_files_saved_a_terminal_is_lean_and_with_verbose_it_is_not(scripts):
    lean = scripts.run(*MADE, "--output-dir", "out").result
    (asset,) = lean["assets"]
    assert list(asset) == ["path", "media_type", "bytes"] and "response" not in lean and "next_command" not in lean
    assert "job" not in lean and [list(output) for output in lean["outputs"]] == [["url", "type"]]
    whole = scripts.run(*MADE, "--output-dir", "out", "--verbose").result
    assert {"sha256", "width", "provenance"} <= set(whole["assets"][0]) and whole["response"]


def test_a_file_that_came_within_the_answer_is_not_told_again(scripts):
    saved = scripts.run(*MADE, "--as", "openai", "--output-dir", "out")
    url = f"data:{saved.result['assets'][0]['media_type']};base64,…"
    assert saved.result["outputs"] == [{"url": url, "url_omitted": True, "type": "image"}]
    assert len(saved.stdout) <= 1500
    (left,) = scripts.run(*MADE, "--as", "openai", "--intent", "b").result["outputs"]
    assert (left["url"], left["url_omitted"]) == (url, True)


@pytest.mark.parametrize("service, own", [("modellix", {"raw", "resources"}), ("image-skill", set())])
def test_a_services_own_names_for_the_same_go_with_it(scripts, service, own):
    made = (*MADE, "--as", service)
    assert not {"response", *own} & set(scripts.run(*made, "--output-dir", "out").result)
    assert {"response", *own} <= set(scripts.run(*made, "--intent", "b").result)
    assert {"response", *own} <= set(scripts.run(*made, "--output-dir", "out", "--verbose", "--intent", "c").result)


def test_without_files_the_answer_is_there_and_the_next_command_saves_it(scripts, sandbox):
    result = scripts.run(*flags(sandbox)).result
    assert result["response"] and "assets" not in result
    script, *arguments = shlex.split(result["next_command"])[1:]
    run = scripts.run(script.rpartition("/")[2], *arguments, "--output-dir", "out")
    assert run.code == 0 and run.result["assets"][0]["bytes"], run.events


def test_the_answer_of_a_job_that_failed_is_there_and_a_large_one_is_told(scripts):
    failed = {"create": stream(event("FAILED", error={"message": "no"}))}
    with FakeService(**failed) as service:
        assert create(scripts, service, "--output-dir", "out").result["response"]["error"] == {"message": "no"}
    with FakeService(create=stream(event("FAILED", error={"message": "m"}, log="l" * 17_000))) as service:
        result = create(scripts, service).result
        assert result["response_omitted"] is True and "response" not in result and result["exit_code"] == 10


# what becomes of a job -> what the service does, flags, exit code, members of the line
ENDS = {
    "done": (dict(create=stream(event("COMPLETED", url="https://cdn.example/a"))), [], 0, {"ok", "state", "generation_id", "next_command"}),
    "failed": (dict(create=stream(event("FAILED", error={"message": "no"}))), [], 10, {"ok", "state", "error"}),
    "accepted": (dict(create=stream(event())), ["--no-wait"], 0, {"ok", "generation_id", "next_command"}),
    "out of time": (dict(create=stream(event()), read=answer(200, job())), ["--poll-timeout", "0"], 11, {"next_command"}),
    "refused": (dict(create=answer(400, {"message": "no"})), [], 22, {"ok", "error"}),
    "unknown": (dict(create=answer(500, {"message": "no"})), [], 12, {"ok", "error", "next_command"}),
    "an unknown flag": ({}, ["--nothing"], 2, {"ok", "error"}),
    "a bad value": ({}, ["--poll-timeout", "nan"], 2, {"ok", "error"}),
    "a huge reason": (dict(create=answer(400, {"message": "n" * 99_999})), [], 22, {"ok", "error"}),
    "a huge usage": (dict(create=stream(event("COMPLETED", usage={"a": "u" * 9999}))), [], 0, {"ok", "generation_id"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_brief_is_one_line_of_known_members_whatever_happens(scripts, name):
    service, more, code, members = ENDS[name]
    with FakeService(**service) as server:
        run = create(scripts, server, "--brief", *more)
    assert (run.code, run.result["exit_code"], len(run.events)) == (code, code, 1)
    told = [member for member in run.result if not member.endswith("_omitted")]
    assert members <= set(told) and told == [member for member in BRIEF if member in told]
    assert len(run.stdout) <= 4096 and run.result["ok"] is (code == 0)
    assert not run.result.get("error") or any(run.result["error"].values())


def test_a_brief_refusal_says_what_would_fit(scripts):
    run = scripts.run(*MADE, "--brief", "--param", "size=wide")
    assert run.code == 22 and "allowed: prompt, " in run.result["error"]["message"], run.result


def test_practice_of_a_task_that_only_other_contracts_have_names_them(scripts):
    for task in ("tts", "stt", "sts", "t2a", "i2m", "upscale", "rmbg"):
        run = scripts.run("create_and_wait.py", "--provider", "sandbox", "--task", task, "--prompt", "x", "--brief")
        assert run.code == 2 and "--as " in run.result["error"]["message"], run.result


def test_the_command_that_goes_on_keeps_to_the_same_time(scripts):
    made = ("create_and_wait.py", "--provider", "sandbox", "--task", "t2i", "--prompt", "a fault:job-slow", "--brief")
    run, wait = scripts.run(*made, "--poll-timeout", "0", "--stream", "never", "--deadline", "100"), ("--timeout", "0")
    for _ in range(2):
        script, *words = shlex.split(run.result["next_command"])[1:]
        assert run.code == 11 and words[-2:] == ["--deadline", "100"], run.result
        run = scripts.run(script.rpartition("/")[2], *words, *wait, "--brief")
    assert "--deadline" not in scripts.run(*made, *("--intent", "b", "--deadline", "1")).result["next_command"]


def test_brief_of_several_jobs_is_their_summary(scripts):
    run = scripts.run(*MADE, "--brief", "--copies", "3", "--output-dir", "out")
    assert run.names == ["summary"] and len(run.result["files"]) == 3
    assert set(run.result) <= set(BRIEF)


@pytest.mark.parametrize("script", ["wait_generation.py", "jobs.py"])
def test_every_script_that_runs_jobs_is_brief_if_asked(scripts, sandbox, script):
    made = scripts.run(*flags(sandbox, "--no-wait")).result
    words = ["resume", made["job"]] if script == "jobs.py" else ["--job", made["job"]]
    run = scripts.run(script, *words, "--brief", "--output-dir", "out")
    assert (run.code, run.names, len(run.result["files"])) == (0, ["terminal"], 1), run.events


def test_brief_and_verbose_exclude_each_other(scripts):
    run = scripts.run(*MADE, "--brief", "--verbose")
    assert (run.code, run.names) == (2, ["error"])


def test_each_line_of_several_jobs_says_whose_it_is(scripts):
    run = scripts.run(*MADE, "--copies", "3", "--verbose", "--output-dir", "out")
    jobs = {event["job"] for event in run.events[:-1]}
    assert len(jobs) == 3 and run.names.count("start") == run.names.count("terminal") == 3
    assert sorted(run.result["files"]) == sorted(e["path"] for e in run.events if e["event"] == "asset")
    assert run.result["spent"] == [{"amount": 36, "unit": "credits"}]


def test_practice_is_told_at_the_start_and_in_every_result(scripts, sandbox):
    run = scripts.run(*MADE)
    assert run.first("start")["practice"] is run.result["practice"] is True
    for more in (["--dry-run"], ["--no-wait", "--intent", "b"], ["--param", "no_such=1"], ["--copies", "2"]):
        assert scripts.run(*MADE, *more).result["practice"] is True, more
    job = scripts.run(*MADE, "--no-wait", "--intent", "c").job
    assert scripts.run("jobs.py", "resume", job).result["practice"] is True
    with FakeService(create=stream(event("COMPLETED"))) as service:
        assert "practice" not in create(scripts, service).result


def test_a_start_says_where_the_key_comes_from_and_never_what_it_is(scripts):
    with FakeService(create=stream(event("COMPLETED"))) as service:
        run = create(scripts, service)
        assert "SKILLS_VIDEO_API_KEY" in run.first("start")["key_source"]
        piped = create(scripts, service, "--key-stdin", "--intent", "b", stdin=KEY, env={"SKILLS_VIDEO_API_KEY": ""})
        assert piped.first("start")["key_source"] == "--key-stdin"
        assert KEY not in (run.stdout + piped.stdout).decode()


def test_after_a_key_for_one_run_the_way_on_says_that_it_needs_it(scripts):
    with FakeService(create=stream(event())) as service:
        own = {"SKILLS_VIDEO_API_KEY": ""}
        for more, code in ((["--no-wait"], 0), (["--deadline", "3", "--intent", "b"], 11)):
            piped = create(scripts, service, "--key-stdin", *more, stdin=KEY, env=own, streams=False)
            assert piped.result["next_command"] and any("--key-stdin" in line for line in piped.result["guidance"])
            assert piped.code == code, piped.events
        assert "guidance" not in create(scripts, service, "--no-wait", "--intent", "c", streams=False).result


@pytest.mark.parametrize(
    "flag", ["--aspect_ratio", "--aspect-ratio", "--aspectRatio", "--negative_prompt", "--image_urls", "--seed"]
)
def test_a_field_that_is_taken_for_a_flag_is_led_to_param(scripts, flag):
    run = scripts.run(*MADE, flag, "never_told")
    assert (run.code, run.result["field"]) == (2, flag) and "--param " in run.result["message"]
    assert "never_told" not in run.stdout.decode() + run.stderr


@pytest.mark.parametrize("word", ["--k1W2x3Y4z5", "--sk_live_ABC123def", "-kA1b2C3", "--A1B2C3=x", "k1W2x3Y4z5"])
def test_what_does_not_read_like_a_flag_is_not_repeated(scripts, word):
    run = scripts.run(*MADE, word)
    secret = word.lstrip("-")[1:].split("=")[0]
    assert run.code == 2 and secret not in run.stdout.decode() + run.stderr


def test_a_heartbeat_of_several_jobs_tells_what_each_is_doing(monkeypatch, capsys):
    from mediakit.console import Console, several

    console = Console("test")
    part = several.Part(console, several.Begun(), "job_0123456789abcdef")
    clock = [100.0]
    monkeypatch.setattr("mediakit.console.several.time.monotonic", lambda: clock[0])
    part._told_at = 100.0
    for clock[0] in (101.0, 114.0, 116.0, 117.0, 132.0):
        part.emit("poll", generation_id="g", attempt=1, http_status=200, status="IN_PROGRESS", terminal=False)
    assert [json.loads(line)["job"] for line in capsys.readouterr().out.splitlines()] == ["job_0123456789abcdef"] * 2


def test_causes_that_take_turns_fill_no_screen(capsys):
    from mediakit.base.retry import Throttle

    throttle = Throttle()
    told = [moment for moment in range(600) if throttle.allows(("a", "b")[moment % 2], moment / 10)]
    assert len(told) <= 5 * 5 and told[:2] == [0, 1]
    assert sum(throttle.allows(number, 100 + number / 1000) for number in range(1000)) <= 5


def test_retries_are_told_at_first_at_another_cause_and_every_fifteen_seconds(monkeypatch, capsys):
    from mediakit.console import Console

    console, clock = Console("test"), [0.0]
    monkeypatch.setattr("mediakit.console.events.time.monotonic", lambda: clock[0])
    for clock[0], cause in ((1.0, "a"), (2.0, "a"), (3.0, "b"), (4.0, "b"), (17.0, "b"), (19.0, "b"), (20.0, "b")):
        console.retry("download", 2, 1.0, cause)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["message"], one.get("count")) for one in told] == [("a", None), ("b", 3), ("b", 6)]
