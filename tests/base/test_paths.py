"""Which folders and files are this user's alone, and where state is kept."""

from __future__ import annotations

import os
import subprocess

import pytest

from conftest import posts
from mediakit.base import home, paths
from sandbox_job import flags

posix = pytest.mark.skipif(os.name == "nt", reason="owners, mode bits and links")
needs_root = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A home of its own, nothing chosen, and a working directory outside any repository."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("AI_MEDIA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path
    paths.choose_state(None)


@pytest.fixture
def no_home(world, monkeypatch):
    """The user's own folder cannot be written, as in an agent's sandbox."""
    (world / "blocked").write_text("", encoding="utf-8")
    monkeypatch.setenv("HOME", str(world / "blocked"))
    monkeypatch.setenv("XDG_STATE_HOME", str(world / "blocked"))
    return world


# -- ours alone ----------------------------------------------------------------------------------------


def link(path, target) -> None:
    target.mkdir()
    path.symlink_to(target)


# what is there -> (how it is made, why it is not ours; None if it is)
FOLDERS = {
    "private": (lambda path: path.mkdir(0o700), None),
    "readable": (lambda path: path.mkdir(0o755), None),
    "writable for all": (lambda path: (path.mkdir(), path.chmod(0o777)), "other users can write to it"),
    "writable for all, sticky": (lambda path: (path.mkdir(), path.chmod(0o1777)), "other users can write to it"),
    "a link": (lambda path: link(path, path.parent / "target"), "it is a link"),
    "a dangling link": (lambda path: path.symlink_to(path.parent / "nowhere"), "it is a link"),
    "a file": (lambda path: path.write_text(""), "it is no folder"),
    "a pipe": (lambda path: os.mkfifo(path), "it is no folder"),
}


@posix
@pytest.mark.parametrize("kind", FOLDERS)
def test_a_folder_that_somebody_else_could_have_filled_is_told(tmp_path, kind):
    make, why = FOLDERS[kind]
    make(tmp_path / "state")
    assert paths.trouble(str(tmp_path / "state"), folder=True) == why


@needs_root
def test_what_belongs_to_another_user_is_told(tmp_path):
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 65534, 65534)
    assert paths.trouble(str(tmp_path / "state"), folder=True) == "it belongs to another user"
    (tmp_path / "link").symlink_to(tmp_path)
    os.lchown(tmp_path / "link", 65534, 65534)
    assert paths.trouble(str(tmp_path / "link"), folder=True, may_be_link=True) == "it is a link"


@posix
def test_a_link_of_ones_own_is_as_good_as_its_target_where_it_may_be_one(tmp_path):
    link(tmp_path / "state", tmp_path / "target")
    assert paths.trouble(str(tmp_path / "state"), folder=True, may_be_link=True) is None
    (tmp_path / "target").chmod(0o777)
    assert paths.trouble(str(tmp_path / "state"), folder=True, may_be_link=True) == "other users can write to it"


# -- where state is kept -------------------------------------------------------------------------------


@posix
def test_the_order_is_flag_variable_platform(world, monkeypatch):
    own = paths.state().folder
    assert own and own.startswith(str(world / "home")) and paths.state_flags() == []
    monkeypatch.setenv("AI_MEDIA_HOME", "~/by-variable")
    assert paths.state() == paths.State(str(world / "home/by-variable"))
    assert paths.state_flags() == ["--state-dir", str(world / "home/by-variable")]
    paths.choose_state("~/by-flag")
    assert paths.state().folder == str(world / "home/by-flag")
    paths.choose_state(own)
    assert paths.state_flags() == []


@posix
def test_without_a_home_state_is_kept_in_the_working_directory(no_home):
    found = paths.state()
    assert found.folder == str(no_home / "work/.ai-media") and found.is_local and found.warning
    assert (no_home / "work/.ai-media/.gitignore").read_text() == "*\n"
    assert os.stat(found.folder).st_mode & 0o777 == 0o700
    assert paths.state() == found


@posix
@pytest.mark.parametrize("place", ["", "sub", "sub/deeper"])
def test_in_a_repository_state_is_kept_at_its_top(no_home, monkeypatch, place):
    (no_home / "work/.git").mkdir()
    (no_home / "work" / place).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(no_home / "work" / place)
    assert paths.state().folder == str(no_home / "work/.ai-media")


@posix
def test_where_the_top_of_a_repository_cannot_be_written_the_working_directory_is_used(no_home, monkeypatch):
    (no_home / "work/.git").mkdir()
    (no_home / "work/sub").mkdir()
    (no_home / "work/.ai-media").mkdir()
    monkeypatch.chdir(no_home / "work/sub")
    monkeypatch.setattr(os, "access", lambda path, mode: str(path).endswith("sub/.ai-media"))
    assert paths.state().folder == str(no_home / "work/sub/.ai-media")


@posix
@pytest.mark.parametrize("kind", [kind for kind in FOLDERS if FOLDERS[kind][1]])
def test_a_planted_folder_in_the_working_directory_is_refused(no_home, kind):
    FOLDERS[kind][0](no_home / "work/.ai-media")
    found = paths.state()
    assert found.folder is None and found.refused and FOLDERS[kind][1] in found.warning


@posix
def test_a_folder_that_came_with_the_repository_is_refused(no_home):
    (no_home / "work/.ai-media").mkdir()
    (no_home / "work/.ai-media/x").write_text("")
    for words in (["init", "-q"], ["add", "-f", ".ai-media/x"]):
        subprocess.run(["git", *words], cwd=no_home / "work", check=True)
    paths._came_along.cache_clear()
    found = paths.state()
    assert found.folder is None and found.refused and "tracks" in found.warning


@posix
@pytest.mark.parametrize("by", ["flag", "variable", "platform"])
@pytest.mark.parametrize("kind", ["writable for all", "writable for all, sticky"])
def test_a_state_folder_that_others_can_write_to_is_refused_by_whatever_it_is_named(world, monkeypatch, by, kind):
    if by == "flag":
        paths.choose_state(str(world / "state"))
    else:
        monkeypatch.setenv({"variable": "AI_MEDIA_HOME", "platform": "XDG_STATE_HOME"}[by], str(world / "state"))
    folder = world / ("state/ai-media" if by == "platform" else "state")
    folder.parent.mkdir(exist_ok=True)
    FOLDERS[kind][0](folder)
    if by == "platform" and not home.platform_state().startswith(str(world / "state")):
        pytest.skip("another platform has another folder")
    found = paths.state()
    assert found.folder is None and found.refused


def test_other_ledgers_are_the_users_own_and_every_one_upward(no_home, monkeypatch, capsys):
    home = no_home / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_STATE_HOME")
    (no_home / "work/a/b").mkdir(parents=True)
    monkeypatch.chdir(no_home / "work/a/b")
    wanted = [paths.state().folder, *(str(no_home / at / ".ai-media") for at in ("work/a/b", "work", ""))]
    for folder in wanted:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        open(os.path.join(folder, paths.LEDGER), "w").close()
    (no_home / "work/a/.ai-media").mkdir(0o700)  # without a ledger
    paths.choose_state(str(no_home / "elsewhere"))
    found, warnings = paths.other_ledgers()
    assert [state.folder for state in found] == wanted and warnings == []
    assert [state.is_local for state in found] == [False, True, True, True]
    if os.name == "posix":
        os.chmod(wanted[2], 0o777)
        found, warnings = paths.other_ledgers()
        assert len(found) == 3 and wanted[2] in warnings[0]


# what another process of this user would read otherwise in another folder -> whether it is told
RELATIVE = [("AI_MEDIA_HOME", "state", True), ("AI_MEDIA_HOME", "~nobody-of-this-name/x", True),
            ("XDG_STATE_HOME", "state", False)]  # fmt: skip


@posix
@pytest.mark.parametrize("name, value, is_told", RELATIVE)
def test_a_relative_folder_in_a_variable_is_none(world, monkeypatch, name, value, is_told):
    own = paths.state()
    monkeypatch.setenv(name, value)
    assert paths.state().folder == own.folder and paths.other_ledgers() == ([], [])
    assert (name in (paths.state().warning or "")) == is_told


@posix
@pytest.mark.parametrize("value", ["", ".", "home"])
def test_a_home_that_is_no_absolute_path_is_that_of_the_password_file(world, monkeypatch, value):
    pwd = pytest.importorskip("pwd")
    monkeypatch.setenv("HOME", value)
    home = pwd.getpwuid(os.getuid()).pw_dir
    assert (paths.expand("~"), paths.expand("~/x")) == (home, os.path.join(home, "x"))
    assert paths.settings_file() == os.path.join(home, ".config/ai-media/.env")


@posix
def test_a_user_without_any_home_keeps_state_where_the_command_stands(no_home, monkeypatch):
    pwd = pytest.importorskip("pwd")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", lambda user: {}[user])
    assert paths.state().folder == str(no_home / "work/.ai-media")


# -- ~ ---------------------------------------------------------------------------------------------------

TILDES = {
    "--state-dir": (("--state-dir=~/x",), {}, "x/ledger.sqlite3"),
    "AI_MEDIA_HOME": ((), {"AI_MEDIA_HOME": "~/x"}, "x/ledger.sqlite3"),
    "XDG_STATE_HOME": ((), {"AI_MEDIA_HOME": "", "XDG_STATE_HOME": "~/x"}, "x/ai-media/ledger.sqlite3"),
    "--output-dir": (("--output-dir=~/x",), {}, "x"),
    "--trace": (("--trace=~/x",), {}, "x"),
}
TILDE_INPUTS = {
    "--payload-file": ("--payload-file=~/payload.json",),
    "--prompt-file": ("--prompt-file=~/prompt.txt",),
    "--input": ("--input=image_url=~/image.png", "--prompt=x", "--task=i2i"),
}


@posix
@pytest.mark.parametrize("name", TILDES)
def test_a_home_in_a_flag_or_variable_is_the_users_wherever_the_command_stands(scripts, sandbox, name):
    more, env, made = TILDES[name]
    for place in ("one", "two"):
        (scripts.folder / place).mkdir()
        wait = () if name == "--output-dir" and place == "two" else ("--no-wait",)
        run = scripts.run(*flags(sandbox, *wait, *more), env=env, cwd=scripts.folder / place)
        assert run.code == 0 and os.listdir(scripts.folder / place) == []
    assert (scripts.home / made).exists() and posts(sandbox) == 1


@posix
@pytest.mark.parametrize("name", TILDE_INPUTS)
def test_an_input_is_found_in_the_users_home(scripts, sandbox, name):
    from mediakit.sandbox import media

    (scripts.home / "payload.json").write_text('{"prompt": "x"}', encoding="utf-8")
    (scripts.home / "prompt.txt").write_text("x", encoding="utf-8")
    (scripts.home / "image.png").write_bytes(media.render("image", {"prompt": "x"}, 1))
    where = ["--provider", "sandbox", "--base-url", sandbox.url + "/api/v1", "--no-validate"]
    task = [] if name == "--input" else ["--task", "t2i"]
    run = scripts.run("create_and_wait.py", *where, *task, *TILDE_INPUTS[name], "--dry-run")
    assert run.code == 0, run.events
