"""What a repository tracks is read as Git itself tells it, without running Git."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from mediakit.base import repository

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not there")

INDEXES = {
    "version 2": ["update-index", "--index-version", "2"],
    "version 3": ["update-index", "--index-version", "3"],
    "version 4": ["update-index", "--index-version", "4"],
    "split": ["update-index", "--split-index"],
}


def git(folder, *arguments: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.invalid", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def write(folder, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")


@pytest.fixture(params=["sha1", "sha256"])
def home(request, tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", f"--object-format={request.param}")
    write(folder, ".agents/a", ".ai-media/ledger.sqlite3", ".env", "sub/deep/.env.example", "sub/own", "a", "ab", "ünï")
    return folder


@pytest.mark.parametrize("index", INDEXES)
def test_what_is_tracked_is_told(home, index):
    git(home, "add", ".agents", ".ai-media", "sub/deep", "a", "ünï")
    git(home, *INDEXES[index])
    git(home, "add", "-N", "ab")  # an entry with extended flags
    for name in (".ai-media", ".ai-media/ledger.sqlite3", "a", "ab", "sub", "sub/deep/.env.example", "ünï"):
        assert repository.tracks(str(home / name)), name
    for name in (".env", "sub/own", "sub/deep/.env", ".ai", ".ai-media-2", "b", "sub/deep/.env.example/x"):
        assert not repository.tracks(str(home / name)), name


def test_a_worktree_and_a_submodule_have_lists_of_their_own(home, tmp_path):
    git(home, "add", "a", ".env")
    git(home, "commit", "-q", "-m", "x")
    git(home, "worktree", "add", "-q", str(tmp_path / "other"))
    assert repository.top(str(tmp_path / "other")) == str(tmp_path / "other")
    assert repository.tracks(str(tmp_path / "other" / ".env"))
    assert not repository.tracks(str(tmp_path / "other" / "ab"))


def test_outside_a_repository_nothing_is_tracked(tmp_path):
    assert repository.top(str(tmp_path)) is None
    assert not repository.tracks(str(tmp_path / ".env"))


def test_a_repository_without_an_index_tracks_nothing(home):
    assert not repository.tracks(str(home / ".env"))


@pytest.mark.parametrize("damage", ["cut", "flipped", "nonsense", "unknown version"])
def test_a_list_that_cannot_be_read_is_not_trusted(home, damage):
    git(home, "add", "a")
    index = home / ".git/index"
    content = index.read_bytes()
    index.unlink()
    index.write_bytes({
        "cut": content[:-9], "flipped": content[:30] + b"\xff" + content[31:], "nonsense": b"x" * 100,
        "unknown version": content[:7] + b"\x09" + content[8:-20] + b"\0" * 20,
    }[damage])  # fmt: skip
    assert repository.tracks(str(home / ".env"))


@pytest.mark.skipif(os.name == "nt", reason="named pipes and devices")
@pytest.mark.parametrize("what", [".git", ".git/index"])
@pytest.mark.parametrize("kind", ["pipe", "device", "large"])
def test_a_planted_list_is_neither_waited_for_nor_read_without_end(home, what, kind):
    place = home / what
    shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "device":
        place.symlink_to("/dev/zero")
    else:
        place.write_bytes(b"gitdir: DIRC"[-4 if what.endswith("index") else 0 :])
        os.truncate(place, 1 << 40)
    assert repository.tracks(str(home / ".env")), "what cannot be read may hold anything"
