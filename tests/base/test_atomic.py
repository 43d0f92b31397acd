"""A file is written whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from conftest import SCRIPTS
from mediakit.base import atomic


def test_content_is_put_in_place_of_what_was_there(tmp_path):
    path = tmp_path / "file"
    for content in (b"one", b"", b"two" * 10_000):
        atomic.write(str(path), content)
        assert path.read_bytes() == content and os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(os.name == "nt", reason="mode bits")
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_it_has_the_mode_that_was_asked_for_whatever_the_umask(tmp_path, mode):
    before = os.umask(0)
    try:
        atomic.write(str(tmp_path / "file"), b"x", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


@pytest.mark.skipif(os.name == "nt", reason="links")
def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / "file").symlink_to(tmp_path / "victim")
    atomic.write(str(tmp_path / "file"), b"x")
    assert (tmp_path / "victim").read_bytes() == b"mine" and not (tmp_path / "file").is_symlink()


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic, "sync_file", fail)
    with pytest.raises(OSError):
        atomic.write(str(tmp_path / "file"), b"new")
    assert (tmp_path / "file").read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def no_hard_links(*_):
    raise OSError(95, "Operation not supported")


@pytest.mark.skipif(os.name == "nt", reason="links")
@pytest.mark.parametrize("links", [True, False], ids=["hard links", "none"])
@pytest.mark.parametrize("taken_by", ["file", "dangling link", None])
def test_a_finished_file_gets_only_a_name_that_nothing_has(tmp_path, monkeypatch, taken_by, links):
    if not links:
        monkeypatch.setattr(os, "link", no_hard_links)
    target, source = tmp_path / "target", tmp_path / "source"
    source.write_bytes(b"new")
    if taken_by == "file":
        target.write_bytes(b"mine")
    elif taken_by:
        target.symlink_to(tmp_path / "nowhere")
    if taken_by:
        with pytest.raises(FileExistsError):
            atomic.place(str(source), str(target))
        assert source.read_bytes() == b"new" and not (tmp_path / "nowhere").exists()
        assert target.is_symlink() or target.read_bytes() == b"mine"
    else:
        atomic.place(str(source), str(target))
        assert target.read_bytes() == b"new" and not source.exists()


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("call", ["mkstemp", "fsync", "replace"])
def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path, call):
    (tmp_path / "file").write_bytes(b"old")
    program = (
        "import os, signal, sys, tempfile\n"
        f"sys.path.insert(0, {str(SCRIPTS)!r})\n"
        "from mediakit.base import atomic\n"
        f"owner = tempfile if {call!r} == 'mkstemp' else os\n"
        f"setattr(owner, {call!r}, lambda *a, **b: os.kill(os.getpid(), signal.SIGKILL))\n"
        f"atomic.write({str(tmp_path / 'file')!r}, b'new')\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert (tmp_path / "file").read_bytes() == b"old"
