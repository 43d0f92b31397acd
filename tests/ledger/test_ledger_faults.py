"""What can be wrong around the ledger, met by whole commands: each ends as it is documented."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading

import pytest

from conftest import PATIENCE, SCRIPTS, Run, posts
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
    with ledger._transaction():
        process = scripts.start(*flags(sandbox))
        threading.Event().wait(5)  # the lock's duration is what is tested
        assert posts(sandbox) == 0
    process.communicate()
    assert process.returncode == 0 and posts(sandbox) == 1


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
    scripts.run("jobs.py", "resume", run.result["job"], "--timeout", "1", env=env)
    assert len(sandbox.requests) == seen
