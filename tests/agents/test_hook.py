"""The hook asks before a command that would really buy, tells of what is open, and is never in the way."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from conftest import KEY, ROOT, at_sandbox
from sandbox_job import flags

HOOK = ROOT / "agents/hook.py"
sys.path.insert(0, str(HOOK.parent))
import hook  # noqa: E402

CREATE = f'python3 "{ROOT}/scripts/create_and_wait.py"'
BATCH = f'python3 "{ROOT}/scripts/create_batch.py" --prompts prompts.txt --task t2v --max-jobs 2'
PAID = "--provider skills-video --task t2v --prompt 'a boat'"
UNKNOWN = "not known beforehand"


@pytest.fixture(autouse=True)
def own_world(monkeypatch, tmp_path):
    monkeypatch.setenv("AI_MEDIA_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SKILLS_VIDEO_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompts.txt").write_text("a boat\na fox\n", encoding="utf-8")


def asked(command: str, folder) -> str | None:
    """What the user is asked; None where nothing is."""
    told = hook.before_command({"tool_input": {"command": command}, "cwd": str(folder)})
    if told is None:
        return None
    own = told["hookSpecificOutput"]
    assert (own["hookEventName"], own["permissionDecision"]) == ("PreToolUse", "ask")
    return own["permissionDecisionReason"]


# a command -> words of the question
ASKED = {
    f"{CREATE} {PAID} --output-dir out": "1 × runwayml/gen-4.5 at skills-video, 0.25 usd each",
    f"{CREATE} {PAID} --copies 3 2>&1 | tail -1": "3 × runwayml/gen-4.5",
    f"mkdir out && cd out && {CREATE} {PAID}": "runwayml/gen-4.5",
    f"{CREATE} {PAID} \\\n  --intent again": "runwayml/gen-4.5",
    f"uv run --no-config {ROOT}/scripts/create_and_wait.py {PAID}": "runwayml/gen-4.5",
    f"P=x; {CREATE} --task t2v --prompt $P": "runwayml/gen-4.5",
    f"{CREATE} --model $MODEL --prompt x": UNKNOWN,
    f"cat key | {CREATE} {PAID} --key-stdin": UNKNOWN,
    f"{CREATE} --task t2v --prompt-file - <<'E'\nit's raining\nE": UNKNOWN,
    f'python3 "{ROOT}/scripts/account.py" image-skill buy --param pack_id=starter-500 --confirm': "buy at image-skill",
    f"{BATCH} --provider skills-video": "2 × runwayml/gen-4.5 (skills-video), 0.5 usd",
    f"{CREATE} {PAID} --dry-run; {CREATE} {PAID}": "1 × runwayml/gen-4.5",
}


@pytest.mark.parametrize("command", ASKED)
def test_the_user_is_asked_before_what_would_buy(tmp_path, command):
    assert ASKED[command] in (asked(command, tmp_path) or "nothing")


NOT_ASKED = [
    f"{CREATE} {PAID} --dry-run",
    f"{CREATE} --help",
    f"{CREATE} --provider sandbox --task t2i --prompt x --output-dir out",
    f"{BATCH} --provider sandbox",
    f"{CREATE} {PAID} --param no_such_field=1",
    f"{CREATE} --provider skills-video --task t2v --prompt-file none.txt",
    f"python3 {ROOT}/scripts/jobs.py resume --all-undelivered",
    f"python3 {ROOT}/scripts/account.py image-skill buy --param pack_id=starter-500",
    f"python3 {ROOT}/scripts/account.py sandbox --as image-skill signup --confirm",
    "ls; echo done",
]


@pytest.mark.parametrize("command", NOT_ASKED)
def test_nobody_is_asked_where_nothing_is_bought(tmp_path, command):
    assert asked(command, tmp_path) is None


def test_a_trace_that_was_asked_for_is_not_left_by_the_question(tmp_path):
    assert "runwayml" in asked(f"{CREATE} {PAID} --trace trace.jsonl", tmp_path)
    assert not (tmp_path / "trace.jsonl").exists()


def run_hook(text: str, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, str(HOOK), *words], input=text, capture_output=True, text=True)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hook_event_name": "PreToolUse"}', '{"hook_event_name": "Other"}'])
def test_where_anything_fails_it_is_not_in_the_way(text):
    done = run_hook(text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("more", [[], ["--deny"]])
def test_settings_name_the_hook_where_it_lies(more):
    settings = json.loads(run_hook("", "--settings", *more).stdout)
    commands = [one["command"] for rules in settings["hooks"].values() for rule in rules for one in rule["hooks"]]
    assert set(settings["hooks"]) == {"PreToolUse", "Stop"}
    assert set(commands) == {" ".join([f'python3 "{HOOK}"', *more])}


def test_an_agent_that_cannot_ask_is_refused_and_told_what_its_user_can_run(tmp_path):
    told = {"hook_event_name": "PreToolUse", "tool_input": {"command": f"{CREATE} {PAID}"}, "cwd": str(tmp_path)}
    own = json.loads(run_hook(json.dumps(told), "--deny").stdout)["hookSpecificOutput"]
    assert own["permissionDecision"] == "deny" and own["permissionDecisionReason"].endswith(f"{CREATE} {PAID}")


def test_paid_jobs_that_are_open_are_told_once_a_session(monkeypatch):
    told = [
        {"event": "job", "job": "job_1", "provider": "skills-video", "model": "m", "outcome": "accepted"},
        {"event": "job", "job": "job_2", "provider": "skills-video", "model": "m", "outcome": "unknown"},
        {"event": "job", "job": "job_3", "provider": "sandbox", "model": "m", "outcome": "accepted"},
    ]
    monkeypatch.setattr(hook, "open_jobs", lambda: told)
    words = hook.at_end({"session_id": "a"})["systemMessage"]
    assert "open: 2" in words and "resume --all-undelivered" in words and "reconcile --all-unknown" in words
    assert "job_3" not in words
    assert hook.at_end({"session_id": "a"}) is None and hook.at_end({"session_id": "b"}) is not None
    told.pop()
    told.pop()
    assert "open: 1" in hook.at_end({"session_id": "b"})["systemMessage"]


def test_what_is_open_is_what_the_ledger_has(scripts, sandbox, monkeypatch):
    """A job of another server than the embedded one counts, also where it is a sandbox in truth."""
    made = scripts.run(*flags(sandbox, "--no-wait")).result
    monkeypatch.setenv("AI_MEDIA_HOME", scripts.environment()["AI_MEDIA_HOME"])
    assert [job["job"] for job in hook.open_jobs()] == [made["job"]]
    assert hook.at_end({"session_id": "a"}) is None, "practice costs nothing"
    assert at_sandbox(sandbox)[1] == "sandbox"
