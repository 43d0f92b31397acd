"""What survives the machine's sudden end: the calls that make it so, in the order in which they must come."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sandbox_job import flags, watched

SQLITE_FULL = 2

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux which file a handle is")


@pytest.fixture
def happened(scripts, sandbox) -> list[list]:
    """All that a create did, from its arguments to its last line."""
    return watched("durable.py", scripts, sandbox)


def when(happened: list[list], *words) -> list[int]:
    return [number for number, what in enumerate(happened) if what[: len(words)] == list(words)]


def test_every_commit_of_the_ledger_waits_for_the_disk(scripts, happened):
    ledger = str(scripts.folder / "state/ledger.sqlite3")
    commits = [what for what in happened if what[:2] == ["commit", ledger]]
    assert commits and min(level for _, _, level, _ in commits) >= SQLITE_FULL, commits


def test_the_intent_is_committed_before_the_first_byte_of_the_request(scripts, happened):
    [sent] = [number for number in when(happened, "sent") if happened[number][1].startswith("POST ")]
    assert [
        number for number in when(happened, "commit", str(scripts.folder / "state/ledger.sqlite3")) if number < sent
    ]


def test_a_result_is_on_disk_before_it_has_its_name_and_its_name_before_it_is_told(scripts, happened):
    [path] = (scripts.folder / "out").glob("*.png")
    [named] = [number for number in when(happened, "named") if happened[number][2] == str(path)]
    staging = happened[named][1]
    assert [number for number in when(happened, "fsync", staging) if number < named], happened
    told = when(happened, "line", "asset")[0]
    assert [number for number in when(happened, "fsync", str(path.parent)) if named < number < told], happened


def test_a_record_of_a_result_is_on_disk_before_it_has_its_name(scripts, happened):
    [path] = (scripts.folder / "out").glob("*.json")
    [named] = [number for number in when(happened, "named") if happened[number][2] == str(path)]
    assert [number for number in when(happened, "fsync", happened[named][1]) if number < named], happened


def test_a_job_is_delivered_only_after_its_last_line(scripts, happened):
    last = when(happened, "line", "terminal")[0]
    assert [
        number for number in when(happened, "commit", str(scripts.folder / "state/ledger.sqlite3")) if number > last
    ]


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022, 0o077])
def test_what_is_ours_is_for_this_user_alone_whatever_the_umask(scripts, sandbox, mask):
    out = scripts.folder / "out"
    out.mkdir(mode=0o700)
    script, *arguments = flags(sandbox, "--output-dir", "out", "--trace", "trace", prompt="a tin boat")
    before = os.umask(mask)
    try:
        assert scripts.run(script, *arguments, env={"PYTHONPYCACHEPREFIX": ""}).code == 0
        assert scripts.run("jobs.py", "gallery", "--output-dir", "out").code == 0
        key = ["--provider", "skills-video", "--persist-key", "--no-check"]
        scripts.run("preflight.py", *key, stdin="your_api_key_here_but_real", env={"PYTHONPYCACHEPREFIX": ""})
    finally:
        os.umask(before)
    # The bytecode lies in a folder of this user's own, and has the mode of its source.
    state = [path for path in (scripts.folder / "state").rglob("*") if "bytecode" not in path.parts]
    settings = [path for path in (scripts.folder / "home").rglob("*") if path.is_file()]
    beside = [scripts.folder / "trace", *out.glob("*.json"), out / "gallery.html"]
    private = [path for path in [*state, *settings, *beside] if path.is_file()]
    assert len(private) >= 5 and {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    folders = [scripts.folder / "state", scripts.folder / "state/bytecode", *(path for path in state if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    # A result is the user's own file: it has the mode that the user's own programs would give it.
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.glob("*.png")} == {0o666 & ~mask}
