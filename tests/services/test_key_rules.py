"""What is a key, and which file may give one: one table of spellings each."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys

import pytest

from conftest import KEY, PATIENCE, SCRIPTS, posts
from mediakit.base import errors, paths
from mediakit.sandbox import Sandbox
from mediakit.services import keys, providers
from real_services import KEYED

WANTED = {"variable": "SOME_SERVICE_KEY", "header": "Authorization", "prefix": "Bearer "}

NO_KEYS = {
    "your_api_key_here": "placeholder",
    "YOUR-API-KEY": "placeholder",
    "your_skills_video_api_key": "placeholder",
    "sk-your-key-here": "placeholder",
    "yourApiKeyHere": "placeholder",
    "insert your token here": "placeholder",
    "changeme": "placeholder",
    "change_me": "placeholder",
    "replace-me": "placeholder",
    "<your key>": "placeholder",
    "<KEY>": "placeholder",
    "[api key]": "placeholder",
    "{{ secrets.KEY }}": "placeholder",
    "${SOME_SERVICE_KEY}": "placeholder",
    "Bearer${TOKEN}": "placeholder",
    "$SOME_SERVICE_KEY": "placeholder",
    "$(cat key.txt)": "placeholder",
    "%SOME_SERVICE_KEY%": "placeholder",
    "null": "placeholder",
    "None": "placeholder",
    "undefined": "placeholder",
    "TODO": "placeholder",
    "xxx": "masked",
    "xxxxxxxx-xxxx": "masked",
    "sk-xxxx": "masked",
    "********": "masked",
    "sk-****abcd": "masked",
    "sk-abc...wxyz": "masked",
    "abcd…wxyz": "masked",
    "••••••••": "masked",
    "'abc123def'": "quot",
    '"abc123def"': "quot",
    '"abc123def': "quot",
    "“abc123def”": "quot",
    "SOME_SERVICE_KEY=a1b2c3d4": "NAME=VALUE",
    "export SOME_SERVICE_KEY=a1b2c3d4": "NAME=VALUE",
    "set OTHER_TOKEN=abc123def": "NAME=VALUE",
    "REDACTED": "placeholder",
    "op://vault/item/field": "address",
    "https://example.com/keys": "address",
    "k" * 20_000: "more",
}

KEYS = [
    "fake_test_key", "a1b2c3d4", "r8_Zx9", "skv_live_9f8e7d", "abc.def.ghi", "key-3f2a91", "AIzaFake", "xxq9", "my9key",
    "hereford_1", "8d2f-11ee", "a+b/c==", "user:pass9", "k..9", "token_7f31a",
    "AB12CD34=", "AB12CD3==", "ab=cd12", "key=a9b8", "eyJhbGci.a1b2.c3d4=", "k9" * 2_000,
]  # fmt: skip


@pytest.mark.parametrize("text", NO_KEYS)
def test_what_stands_for_a_key_is_none(text, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    assert NO_KEYS[text] in keys.why_no_key(text)
    monkeypatch.setenv(WANTED["variable"], text)
    assert keys.find(WANTED) is None
    assert text not in str(keys.passed_over(WANTED)) and len(keys.passed_over(WANTED)) == 1


@pytest.mark.parametrize("text", KEYS)
def test_what_may_be_a_key_is_one(text):
    assert keys.why_no_key(text) is None


@pytest.mark.parametrize("text", NO_KEYS)
def test_what_is_no_key_on_standard_input_is_not_replaced_by_a_key_that_pays_from_another_account(text, monkeypatch):
    monkeypatch.setenv(WANTED["variable"], "fake_test_key")
    with pytest.raises(errors.Failure) as refused:
        keys.find(WANTED, text)
    assert (refused.value.exit_code, refused.value.fields["outcome"]) == (21, "not_sent")
    assert NO_KEYS[text] in str(refused.value) and text not in str(refused.value)


def test_a_placeholder_hides_no_key_that_is_kept(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv(WANTED["variable"], "your_api_key_here")
    keys.persist(WANTED["variable"], "fake_test_key")
    assert keys.find(WANTED) == keys.Key("fake_test_key", "the user's own store")
    assert keys.find(WANTED, made_up=True) == keys.Key("your_api_key_here", "the environment variable SOME_SERVICE_KEY")


ENCODINGS = {
    "utf-8": lambda text: text.encode(),
    "utf-8 with a mark": lambda text: text.encode("utf-8-sig"),
    "utf-16 with a mark": lambda text: text.encode("utf-16"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "line ends of Windows": lambda text: text.replace("\n", "\r\n").encode(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("line", ["SOME_SERVICE_KEY=fake_test_key", "export SOME_SERVICE_KEY='fake_test_key'"])
def test_a_file_of_keys_is_read_in_every_encoding_that_editors_write(encoding, line, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    (tmp_path / ".env").write_bytes(ENCODINGS[encoding](f"OTHER=1\n{line}\nMORE=2\n"))
    assert keys.find(WANTED) == keys.Key("fake_test_key", "./.env")


# A name that a file has, though not as dotenv reads it.
NAMED = ["set {}=abc123", '$env:{}="abc123"', "{}: abc123", "{}='abc123", "{} abc123"]


@pytest.mark.parametrize("line", NAMED)
def test_a_line_that_is_no_assignment_is_told(line, monkeypatch, tmp_path, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    (tmp_path / ".env").write_text(line.format(WANTED["variable"]) + "\n", encoding="utf-8")
    assert keys.find(WANTED) is None
    (told,) = keys.passed_over(WANTED)
    assert told.startswith("./.env names") and "abc123" not in told and capfd.readouterr().err == ""


@pytest.mark.parametrize("line", ["# {}=abc123", "OTHER_{}=abc123", "{}_OTHER=abc123", "{}=", ""])
def test_a_name_that_is_not_there_is_not_told(line, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    (tmp_path / ".env").write_text(line.format(WANTED["variable"]) + "\n", encoding="utf-8")
    assert keys.passed_over(WANTED) == []


def test_what_is_said_by_itself_and_is_no_key_is_not_passed_over_for_another(monkeypatch):
    monkeypatch.setenv(WANTED["variable"], "fake_test_key")
    with pytest.raises(errors.Failure) as refused:
        keys.find(WANTED, "your_api_key_here")
    assert (refused.value.exit_code, "placeholder" in refused.value.message) == (21, True)
    assert keys.find(WANTED, "your_api_key_here", made_up=True).value == "your_api_key_here"


# -- whose ./.env it is ----------------------------------------------------------------------------------


def git(folder, *words):
    plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "HOME": str(folder)}
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, env={**os.environ, **plain})


def untracked(folder):
    git(folder, "init")


def tracked(folder):
    git(folder, "init")
    git(folder, "add", "-f", ".env")


def tracked_in_a_parent(folder):
    git(folder.parent, "init")
    git(folder.parent, "add", "-f", f"{folder.name}/.env")


def linked(folder):
    (folder / ".env").rename(folder / "elsewhere")
    (folder / ".env").symlink_to("elsewhere")


def writable_by_all(folder):
    (folder / ".env").chmod(0o666)


WHOSE = {
    "nobody's": (lambda folder: None, True),
    untracked: (untracked, True),
    tracked: (tracked, False),
    tracked_in_a_parent: (tracked_in_a_parent, False),
    linked: (linked, False),
    writable_by_all: (writable_by_all, False),
}


@pytest.mark.skipif(os.name == "nt", reason="modes and links")
@pytest.mark.parametrize("whose", WHOSE, ids=lambda whose: getattr(whose, "__name__", whose))
def test_a_file_that_came_from_somebody_else_gives_a_key_only_on_the_user_s_word(whose, monkeypatch, tmp_path):
    make, is_own = WHOSE[whose]
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    (folder / ".env").write_text("SOME_SERVICE_KEY=fake_test_key\n", encoding="utf-8")
    make(folder)
    assert (keys.find(WANTED) is not None) is is_own
    assert bool(keys.passed_over(WANTED)) is not is_own
    assert keys.find(WANTED, trusts_dotenv=True) == keys.Key("fake_test_key", "./.env")


# -- the store ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="modes")
@pytest.mark.parametrize(
    "folder, file, is_own",
    [(0o700, 0o600, True), (0o755, 0o644, True), (0o777, 0o600, False), (0o700, 0o666, False), (0o1777, 0o600, False)],
)
def test_a_store_that_others_can_write_to_gives_no_key(folder, file, is_own, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    store = tmp_path / "ai-media/.env"
    store.parent.mkdir()
    store.write_text("SOME_SERVICE_KEY=fake_test_key\n", encoding="utf-8")
    store.chmod(file)
    store.parent.chmod(folder)
    assert (keys.find(WANTED) is not None) is is_own
    assert any("chmod" in told for told in keys.passed_over(WANTED)) is not is_own


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps keys in its registry")
@pytest.mark.parametrize("link", ["the file", "nowhere"])
def test_a_store_that_is_a_link_is_neither_followed_nor_replaced(link, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    store = tmp_path / "ai-media/.env"
    store.parent.mkdir(mode=0o700)
    target = tmp_path / "precious"
    if link == "the file":
        target.write_text("content\n", encoding="utf-8")
    store.symlink_to(target)
    assert not keys.can_persist()
    with pytest.raises(OSError, match="link"):
        keys.persist(WANTED["variable"], "fake_test_key")
    assert store.is_symlink() and (not target.exists() or target.read_text(encoding="utf-8") == "content\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps keys in its registry")
def test_a_key_is_forgotten_and_the_others_stay(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    keys.persist("ONE_KEY", "fake_one")
    keys.persist("OTHER_KEY", "fake_'other")
    others = "# a note of\u2028two lines\nWORDS='a\x0cb'\n"
    with open(paths.settings_file(), "a", encoding="utf-8") as store:
        store.write(others)
    assert keys.forget("ONE_KEY") and not keys.forget("ONE_KEY")
    assert keys.stored("ONE_KEY") is None and keys.stored("OTHER_KEY") == "fake_'other"
    with open(paths.settings_file(), encoding="utf-8") as store:
        assert store.read().endswith(others)
    assert os.stat(paths.settings_file()).st_mode & 0o777 == 0o600


# -- from outside --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", KEYED)
def test_a_placeholder_is_sent_to_no_service_and_its_place_is_told(scripts, service):
    variable = providers.load(service).key["variable"]
    command = ("create_and_wait.py", "--provider", service, "--task", "t2i", "--prompt", "a boat")
    run = scripts.run(*command, env={variable: "your_api_key_here"})
    assert (run.code, run.result["error"], run.result["outcome"]) == (21, "missing_api_key", "not_sent")
    assert run.result["guidance"][0] == f"the environment variable {variable} holds a placeholder in place of a key"


def test_a_tracked_file_pays_for_nothing_without_the_user_s_word(scripts):
    (scripts.folder / ".env").write_text(f"SKILLS_VIDEO_API_KEY={KEY}\n", encoding="utf-8")
    tracked(scripts.folder)
    with Sandbox(None, "skills-video") as server:
        base = providers.load("skills-video").base_path
        command = ("create_and_wait.py", "--provider", "skills-video", "--task", "t2i", "--prompt", "a boat")
        command += ("--base-url", server.url + base)
        run = scripts.run(*command)
        assert (run.code, posts(server)) == (21, 0) and "--trust-dotenv" in run.result["guidance"][0]
        trusted = scripts.run(*command, "--trust-dotenv")
        assert (trusted.code, posts(server)) == (0, 1)


# -- typed -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals")
def test_a_key_that_is_typed_is_not_shown(scripts):
    import pty

    ours, theirs = pty.openpty()
    words = [str(SCRIPTS / "preflight.py"), "--provider", "skills-video", "--persist-key"]
    process = subprocess.Popen(
        [sys.executable, *words], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, cwd=scripts.folder,
        env=scripts.environment(), start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while b"not shown" not in shown:
        shown += os.read(ours, 1000)
    os.write(ours, b"typed_fake_key\n")
    stdout, _ = process.communicate(timeout=PATIENCE)
    with contextlib.suppress(OSError):  # how Linux says that nobody has the other end any more
        while piece := os.read(ours, 1000):
            shown += piece
    os.close(ours)
    assert b"typed_fake" not in shown + stdout and process.returncode == 0
    assert "typed_fake_key" in (scripts.home / ".config/ai-media/.env").read_text(encoding="utf-8")


def test_a_terminal_that_cannot_hide_a_key_is_not_asked(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal("typed_fake_key\n"))
    monkeypatch.setattr("os.open", lambda *given, **more: (_ for _ in ()).throw(OSError("no terminal")))
    with pytest.raises(errors.Failure) as refused:
        keys.read_stdin("--key-stdin")
    assert refused.value.fields["field"] == "--key-stdin" and "typed" not in str(refused.value)
