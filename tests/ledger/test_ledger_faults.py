"""What can be wrong around the ledger, met by whole commands: each ends as it is documented."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from conftest import PATIENCE, SCRIPTS, Run, ended, posts
from mediakit.ledger import database, store
from sandbox_job import flags


@pytest.fixture
def state(scripts):
    folder = scripts.folder / "state"
    folder.mkdir()
    return folder


def test_a_locked_ledger_is_waited_for(scripts, sandbox, state):
    ledger = store.Ledger(str(state))
    process = None
    with ledger._table.transaction():
        process = scripts.start(*flags(sandbox))
        threading.Event().wait(5)  # the lock's duration is what is tested
        assert posts(sandbox) == 0
    process.communicate()
    assert process.returncode == 0 and posts(sandbox) == 1


class Holding:
    """Another process that holds the ledger locked, for writing or even for reading."""

    def __init__(self, state, how: str):
        store.Ledger(str(state)).close()
        self._connection = sqlite3.connect(state / database.FILE, isolation_level=None, timeout=60)
        self._how = how

    def __enter__(self):
        self._connection.execute(f"BEGIN {self._how}")

    def __exit__(self, *problem):
        self._connection.execute("ROLLBACK")
        self._connection.close()


HOW = ["IMMEDIATE", "EXCLUSIVE"]


@pytest.mark.parametrize("how", HOW)
def test_a_deadline_ends_the_wait_for_a_locked_ledger(scripts, sandbox, state, how):
    began = time.monotonic()
    with Holding(state, how):
        run = scripts.run(*flags(sandbox, "--deadline", "4"))
    assert (run.code, run.result["error"], posts(sandbox)) == (27, "ledger_unusable", 0), run.events
    assert run.result["retryable"] is True
    assert time.monotonic() - began < 4.0 + 1.5  # the subprocess's own start and end


@pytest.mark.parametrize("how", HOW)
def test_a_ledger_that_is_locked_after_the_request_does_not_outlast_the_deadline(scripts, sandbox, state, how):
    with Holding(state, "IMMEDIATE"):
        pass
    began = time.monotonic()
    process = scripts.start(*flags(sandbox, "--stream", "never", "--deadline", "6", prompt="fault:job-slow"))
    while not posts(sandbox):
        sandbox.closing.wait(0.01)
    with Holding(state, how):
        run = ended(process)
    assert run.code == 11 and run.result["event"] == "timeout" and run.result["generation_id"]
    assert time.monotonic() - began < 6.0 + 2.5
    assert [event["code"] for event in run.events if event["event"] == "warning"] == ["ledger_write_failed"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("how", HOW)
def test_a_signal_is_heard_while_a_locked_ledger_is_waited_for(scripts, sandbox, state, how, number):
    with Holding(state, how):
        process = scripts.start(*flags(sandbox))
        sandbox.closing.wait(2)  # it waits by now
        sent = time.monotonic()
        process.send_signal(number)
        run = ended(process)
    assert run.code == 128 + number and run.result["outcome"] == "not_sent" and posts(sandbox) == 0
    assert time.monotonic() - sent < 2.5


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("how", HOW)
def test_a_signal_is_heard_when_the_ledger_is_locked_after_the_request(scripts, sandbox, state, how):
    process = scripts.start(*flags(sandbox, "--stream", "never", prompt="fault:job-slow"))
    while not posts(sandbox):
        sandbox.closing.wait(0.01)
    sandbox.closing.wait(0.3)
    with Holding(state, how):
        sent = time.monotonic()
        process.send_signal(signal.SIGTERM)
        run = ended(process)
        assert run.code == 143 and run.result["generation_id"]
        assert time.monotonic() - sent < 3.5
    again = scripts.run(*flags(sandbox, "--no-wait", prompt="fault:job-slow"))
    assert again.result["generation_id"] == run.result["generation_id"] and posts(sandbox) == 1


def test_what_could_not_be_written_for_a_while_is_written_at_the_end(scripts, sandbox, state):
    process = scripts.start(*flags(sandbox, "--stream", "never", "--no-wait", prompt="fault:create-slow"))
    process.communicate()
    with Holding(state, "IMMEDIATE"):
        pass
    process = scripts.start(*flags(sandbox, "--stream", "never", "--poll-timeout", "6", prompt="fault:job-slow"))
    while posts(sandbox) < 2:
        sandbox.closing.wait(0.001)
    with Holding(state, "IMMEDIATE"):
        sandbox.closing.wait(3)
    run = ended(process)
    assert run.code == 11
    again = scripts.run(*flags(sandbox, "--no-wait", prompt="fault:job-slow"))
    assert again.result["generation_id"] == run.result["generation_id"] and posts(sandbox) == 2


# -- locks of jobs ----------------------------------------------------------------------------------------


def locks_in(state) -> list[str]:
    return [path.name for path in (state / "owners").glob("job_*")]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_locks_of_killed_commands_go(scripts, sandbox, state):
    for number in range(3):
        process = scripts.start(*flags(sandbox, prompt=f"{number} fault:job-slow"))
        while posts(sandbox) <= number:
            sandbox.closing.wait(0.01)
        process.kill()
        process.wait()
    assert len(locks_in(state)) == 1  # each command has swept what those before it left
    scripts.run(*flags(sandbox, prompt="another"))
    assert locks_in(state) == []


@pytest.mark.parametrize("way", ["refused", "an upload that fails", "delivered", "submitted", "a cap"])
def test_no_lock_is_left_however_a_command_ends(scripts, sandbox, state, way):
    more = {
        "refused": ("--prompt", "fault:create-402"),
        "an upload that fails": ("--input", "image_url=http://127.0.0.1:9/a.png"),
        "submitted": ("--no-wait",),
        "a cap": ("--max-spend", "1credits"),
    }.get(way, ())
    scripts.run(*flags(sandbox, *more))
    assert locks_in(state) == []


@pytest.mark.parametrize("content", [b"not a database" * 100, b"\0" * 5000])
def test_a_corrupt_ledger_refuses_and_says_how_to_mend_it(scripts, sandbox, state, content):
    (state / database.FILE).write_bytes(content)
    run = scripts.run(*flags(sandbox))
    assert (run.code, run.result["error"], posts(sandbox)) == (27, "ledger_unusable", 0)
    assert "Move the file away" in run.result["guidance"][0]
    assert (state / database.FILE).read_bytes() == content


def test_a_ledger_with_broken_pages_refuses(scripts, sandbox, state):
    store.Ledger(str(state)).close()
    size = (state / database.FILE).stat().st_size
    with open(state / database.FILE, "r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    run = scripts.run(*flags(sandbox))
    assert (run.code, run.result["error"], posts(sandbox)) == (27, "ledger_unusable", 0)


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits")
def test_a_full_disk_sends_nothing(scripts, sandbox, state):
    """A limit on the size of files stands for a full disk: both make a write fail."""
    store.Ledger(str(state)).close()
    program = (
        "import resource, runpy, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))\n"
        "sys.argv[:] = sys.argv[1:]\n"
        "sys.path.insert(0, sys.argv[0].rpartition('/')[0])\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    script, *arguments = flags(sandbox)
    ended = subprocess.run(
        [sys.executable, "-c", program, str(SCRIPTS / script), *arguments],
        capture_output=True, env=scripts.environment(), cwd=scripts.folder, timeout=PATIENCE,
    )  # fmt: skip
    run = Run(ended.returncode, ended.stdout, ended.stderr)
    assert (run.code, run.result["error"], posts(sandbox)) == (27, "ledger_unusable", 0), run.events


def test_a_home_that_cannot_be_written_is_a_warning_before_spending(scripts, sandbox):
    (scripts.folder / "file").write_text("in place of a folder", encoding="utf-8")
    env = {"AI_MEDIA_HOME": str(scripts.folder / "file")}
    run = scripts.run(*flags(sandbox), env=env)
    assert run.code == 0 and posts(sandbox) == 1
    assert run.names.index("warning") < run.names.index("submitted")
    assert run.first("warning")["code"] == "ledger_unavailable"
    assert scripts.run(*flags(sandbox, "--require-ledger"), env=env).code == 27
    assert posts(sandbox) == 1


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root ignores mode bits")
def test_a_read_only_ledger_is_a_warning_before_spending(scripts, sandbox, state):
    store.Ledger(str(state)).close()
    (state / database.FILE).chmod(0o400)
    run = scripts.run(*flags(sandbox))
    assert run.code == 0 and run.first("warning")["code"] == "ledger_unavailable"


@pytest.mark.parametrize("jump", [-400 * 24 * 3600.0, 400 * 24 * 3600.0])
def test_a_clock_that_jumps_changes_no_decision(scripts, sandbox, state, jump):
    scripts.run(*flags(sandbox, "--no-wait", prompt="open"))
    scripts.run(*flags(sandbox, "--stream", "never", prompt="fault:create-500"))
    connection = sqlite3.connect(state / database.FILE)
    for column in ("created_at", "updated_at", "accepted_at"):
        connection.execute(f"UPDATE job SET {column} = {column} + ?", (jump,))
    connection.commit()
    connection.close()
    assert scripts.run(*flags(sandbox, "--no-wait", prompt="open")).code == 0
    assert scripts.run(*flags(sandbox, prompt="fault:create-500")).code == 27
    assert posts(sandbox) == 2


def test_a_ledger_in_the_working_directory_names_no_hosts(scripts, sandbox, tmp_path):
    """./.ai-media can come with a repository that somebody else wrote."""
    (tmp_path / "blocked").write_text("", encoding="utf-8")
    env = {"AI_MEDIA_HOME": "", "HOME": str(tmp_path / "blocked"), "XDG_STATE_HOME": str(tmp_path / "blocked")}
    run = scripts.run(*flags(sandbox, "--no-wait"), env=env)
    assert run.first("warning")["code"] == "state_folder"
    seen = len(sandbox.requests)
    scripts.run("jobs.py", "resume", run.job, "--timeout", "1", env=env)
    assert len(sandbox.requests) == seen
