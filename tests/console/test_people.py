"""At a terminal a person reads lines, and a pipe gets its JSON all the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading

import pytest

from conftest import PATIENCE, SCRIPTS, read_events
from fake_service import WITH_KEY, FakeService, answer, create_arguments, event, stream

pty = pytest.importorskip("pty", reason="pseudo-terminals are a matter of POSIX systems")

MADE = ["create_and_wait.py", "--provider", "sandbox", "--task", "t2i", "--prompt", "a boat", "--output-dir", "out"]
CLEARED = "\r\x1b[K"


class Terminal:
    """A terminal, and all that was written to it."""

    def __init__(self):
        self._ours, self.theirs = pty.openpty()
        self._written = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._ours, 65536)
            except OSError:  # the last one that had it open has closed it
                return
            self._written += piece

    def close(self) -> str:
        os.close(self.theirs)
        self._reader.join(PATIENCE)
        os.close(self._ours)
        return self._written.decode()


def at_terminal(scripts, *words: str, piped: bool = False) -> tuple[int, str, bytes]:
    """The exit code, what the terminal got, and what the pipe got where stdout is one."""
    terminal = Terminal()
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / words[0]), *words[1:]],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if piped else terminal.theirs, stderr=terminal.theirs,
        env=scripts.environment(**WITH_KEY), cwd=scripts.folder, timeout=PATIENCE,
    )  # fmt: skip
    return done.returncode, terminal.close(), done.stdout or b""


def test_of_a_batch_a_person_reads_what_failed_and_where_the_results_are(scripts):
    jobs = [{"task": "t2i", "prompt": "a fault:job-fast"}, {"id": "bad", "task": "t2i", "prompt": "a fault:create-422"}]
    (scripts.folder / "jobs.jsonl").write_text("".join(json.dumps(job) + "\n" for job in jobs))
    made = ("create_batch.py", "jobs.jsonl", "--provider", "sandbox", "--max-jobs", "2", "--output-dir", "out")
    code, told, _ = at_terminal(scripts, *made)
    shown = lines(told)
    assert code == 22 and "0 of 2" in told and '"event"' not in told
    assert any("line bad" in line and "422" in line for line in shown) and "1 of 2 jobs succeeded" in shown
    assert any(line.startswith("results: ") for line in shown) and len(shown) <= 6, shown


def lines(told: str) -> list[str]:
    """What stays on the screen: without the live line."""
    shown = (line.rpartition(CLEARED)[2] for line in told.replace("\r\n", "\n").split("\n"))
    return [line for line in shown if line]


def test_a_person_reads_a_line_a_state_and_where_the_file_is(scripts):
    code, told, _ = at_terminal(scripts, *MADE)
    (saved,) = [line for line in lines(told) if line.startswith("saved: ")]
    assert code == 0 and os.path.isfile(saved.removeprefix("saved: "))
    assert lines(told)[0].startswith("sandbox ") and "(practice)" in lines(told)[0]
    assert [line for line in lines(told) if line.startswith("IN_")] == ["IN_QUEUE", "IN_PROGRESS"]
    assert lines(told)[-1].startswith("succeeded in ") and '{"event"' not in told


def test_a_pipe_has_its_json_while_the_person_reads(scripts):
    code, told, piped = at_terminal(scripts, *MADE, piped=True)
    assert code == 0 and read_events(piped)[-1]["ok"] is True
    assert "saved: " in told and '{"event"' not in told


@pytest.mark.parametrize("flag", ["--json", "--verbose", "--brief"])
def test_json_is_on_the_terminal_if_it_is_asked_for(scripts, flag):
    code, told, _ = at_terminal(scripts, *MADE, flag)
    events = [json.loads(line) for line in lines(told) if line.startswith('{"event"')]
    assert code == 0 and events[-1]["event"] == "terminal" and (len(events) == 1) is (flag == "--brief")


def test_a_person_reads_what_would_be_sent_and_what_comes_next(scripts):
    code, told, _ = at_terminal(scripts, *MADE, "--dry-run")
    assert code == 0 and lines(told)[0].startswith("would send: POST ") and "prompt: a boat" in lines(told)
    code, told, _ = at_terminal(scripts, "preflight.py", "--provider", "sandbox")
    assert lines(told)[0] == "ready: sandbox" and lines(told)[2].startswith("go on with: ") and '{"event"' not in told
    code, told, _ = at_terminal(scripts, "preflight.py", "--provider", "skills-video", "--task", "t2i", "--prompt", "a")
    assert code == 0 and lines(told)[1] == "ready" and lines(told)[2].startswith("go on with (it costs money): ")


# a command -> how a line of what a person reads begins
LISTS = {
    ("jobs.py", "list"): r"job_[0-9a-f]{16}  \d{4}-\d\d-\d\d \d\d:\d\d  succeeded +12 credits +sandbox \S+$",
    ("jobs.py", "show", "JOB"): r"asked for prompt: a boat$",
    ("jobs.py", "spend"): r"in all: 12 credits for 1 jobs \(practice\)$",
    ("jobs.py", "gallery", "--output-dir", "out"): r"page: .*gallery\.html$",
    ("services.py", "list"): r"sandbox +the local sandbox +t2i ",
    ("account.py",): r"skills-video +credits, ",
    ("account.py", "sandbox"): r"credits +What the account has left$",
    ("account.py", "sandbox", "credits"): r"total: \d+$",
    ("inspect_openapi.py", "--provider", "skills-video", "--list-endpoints"): r"runwayml/gen-4\.5 +0\.05 usd a second +t2v",
    ("inspect_openapi.py", "--list-endpoints", "--task", "t2v"): r"skills-video +runwayml/gen-4\.5 +0\.05 usd a second$",
    ("handle_runtime_error.py", "--status", "402", "--body", "x"): r"insufficient credits: x$",
}  # fmt: skip


def test_lists_are_lines_at_a_terminal_and_json_in_a_pipe(scripts):
    job = scripts.run(*MADE).job
    for command, pattern in LISTS.items():
        words = [job if word == "JOB" else word for word in command]
        _, told, _ = at_terminal(scripts, *words)
        assert any(re.match(pattern, line) for line in lines(told)) and '{"event"' not in told, (command, told)
    for more in ((), ("--json",)):
        _, told, piped = at_terminal(scripts, "jobs.py", "list", *more, piped=not more)
        assert [e["event"] for e in read_events(piped or told.encode())] == ["job", "jobs"], told
        assert piped == b"" or told == "", "a pipe's list is not told twice"


def test_what_a_program_goes_on_with_is_json_at_a_terminal_too(scripts):
    asked = ("inspect_openapi.py", "--provider", "skills-video", "--model", "kling-ai/kling-v2.6")
    _, told, _ = at_terminal(scripts, *asked)
    assert json.loads(lines(told)[-1])["event"] == "contract"


def test_a_person_reads_why_and_how_to_go_on(scripts):
    code, told, _ = at_terminal(scripts, *MADE, "--param", "no_such_field=1")
    assert code == 22 and any(line.startswith("error: ") and "no_such_field" in line for line in lines(told))
    assert any(line.startswith("- ") for line in lines(told))
    with FakeService(create=stream(event()), read=answer(200, {"id": "gen_1", "status": "IN_PROGRESS"})) as service:
        code, told, _ = at_terminal(scripts, "create_and_wait.py", *create_arguments(service), "--poll-timeout", "0")
    assert code == 11 and lines(told)[-1].startswith("go on with: ") and "jobs.py resume job_" in lines(told)[-1]


def test_a_person_who_named_no_folder_reads_how_to_save(scripts):
    code, told, _ = at_terminal(scripts, *MADE[:-2])
    assert code == 0 and lines(told)[-1].startswith("save it with: ") and "jobs.py download job_" in lines(told)[-1]


def test_a_person_with_several_jobs_reads_of_each(scripts):
    code, told, _ = at_terminal(scripts, *MADE, "--copies", "2")
    assert code == 0 and sum(line.startswith("saved: ") for line in lines(told)) == 2
    assert "2 of 2 jobs succeeded" in lines(told) and '{"event"' not in told
    begun = [line for line in lines(told) if line.startswith("sandbox ") or "IN_" in line]
    assert begun == ["sandbox bytedance/seedream-4.5 (practice)"], told


def test_a_person_reads_of_a_file_within_the_answer_what_it_is(scripts):
    _, told, _ = at_terminal(scripts, *MADE[:-2], "--as", "openai")
    assert [len(line) < 50 for line in lines(told) if line.startswith("result: data:image/png;base64,")] == [True]


def test_a_person_reads_why_a_line_of_a_batch_failed(scripts, tmp_path):
    (tmp_path / "jobs.jsonl").write_text('{"prompt": "a fault:job-failed"}\n', encoding="utf-8")
    words = ("create_batch.py", str(tmp_path / "jobs.jsonl"), *MADE[1:5], "--output-dir", "out")
    code, told, _ = at_terminal(scripts, *words)
    failed = [line for line in lines(told) if line.startswith("line 1: ")]
    assert code == 10 and len(failed) == 1 and "terminal" not in failed[0], told
    _, told, _ = at_terminal(scripts, *words, "--dry-run")
    assert "0 jobs would be sent; 1 are done already" in lines(told), told


def test_what_a_service_says_moves_no_cursor(scripts):
    with FakeService(create=answer(400, {"message": "a\x1b[2J\x07b\r\n\u202ec"})) as service:
        code, told, _ = at_terminal(scripts, "create_and_wait.py", *create_arguments(service))
    assert code == 22 and "\x1b[2J" not in told and "\x07" not in told and "\u202e" not in told


def test_no_secret_is_on_the_terminal(scripts):
    key = WITH_KEY["SKILLS_VIDEO_API_KEY"]
    with FakeService(create=stream(event(f"S {key}"), event("FAILED", error={"message": f"m {key}"}))) as service:
        code, told, _ = at_terminal(scripts, "create_and_wait.py", *create_arguments(service))
    assert code == 10 and key not in told and "[redacted]" in told
