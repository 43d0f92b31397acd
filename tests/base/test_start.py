"""How a script begins: on an old Python, without its folder on the path, and in a stranger's folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from conftest import ALL_SCRIPTS, SCRIPTS, Run
from interpreters import interpreter, run_with

OLD = ("2.7", "3.6", "3.7", "3.8")


@pytest.mark.parametrize("script", ALL_SCRIPTS)
@pytest.mark.parametrize("version", OLD)
def test_an_older_python_gets_one_line_that_says_so(scripts, version, script):
    run = run_with(scripts, [interpreter(version)], script, "--help")
    assert (run.code, run.names, run.result["error"], run.stderr) == (28, ["error"], "python_too_old", "")
    assert run.result["found"].startswith(f"{version}.") and run.result["required"] == "3.9"
    assert run.result["outcome"] == "not_sent"


@pytest.mark.parametrize("flags", [("-I",), ("-P",), ("-S", "-E"), ("-OO",), ("-B",)], ids=" ".join)
@pytest.mark.parametrize("script", ALL_SCRIPTS)
def test_a_script_starts_whatever_the_interpreter_was_told(scripts, flags, script):
    if "-P" in flags and sys.version_info < (3, 11):
        pytest.skip("a newer flag")
    run = run_with(scripts, [sys.executable, *flags], script, "--version")
    assert (run.code, run.names, run.stderr) == (0, ["version"], "")


def test_a_script_starts_with_a_safe_path_and_through_a_link(scripts):
    link = scripts.folder / "preflight"
    link.symlink_to(SCRIPTS / "preflight.py")
    for command in ([sys.executable], [sys.executable, "-I"]):
        ended = subprocess.run(
            [*command, str(link), "--version"], capture_output=True, env=scripts.environment(PYTHONSAFEPATH="1")
        )
        assert Run(ended.returncode, ended.stdout, ended.stderr).names == ["version"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_stop_before_there_is_a_console_is_told_as_ever(scripts, number):
    program = (
        f"import os, sys; sys.path.insert(0, {str(SCRIPTS)!r}); from mediakit.base import start\n"
        f"start.begin(); os.kill(os.getpid(), {number:d}); import argparse"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, env=scripts.environment())
    run = Run(ended.returncode, ended.stdout, ended.stderr)
    assert (run.code, run.names, run.stderr) == (128 + number, ["interrupted"], ""), run.events
    assert (run.result["outcome"], run.result["exit_code"]) == ("not_sent", 128 + number)


PLANTED = ("requests", "urllib3", "json", "argparse", "dotenv", "yaml", "PIL", "pip", "venv", "mediakit")


@pytest.mark.parametrize("path", [None, "", os.pathsep, ".", "./", "lib", f".{os.pathsep}lib"])
def test_nothing_of_the_working_directory_is_imported(scripts, path):
    """`path` is a PYTHONPATH as a shell's set-up may leave it behind."""
    folder = scripts.folder / "strangers"
    for below in (folder, folder / "lib"):
        below.mkdir()
        for name in PLANTED:
            (below / f"{name}.py").write_text("open('ran', 'a').write(__name__)\n")
    env = {} if path is None else {"PYTHONPATH": path}
    arguments = ["--provider", "sandbox", "--task", "t2i", "--prompt", "x", "--output-dir", str(scripts.folder / "out")]
    run = run_with(scripts, [sys.executable], "create_and_wait.py", *arguments, env=env, cwd=folder)
    assert run.code == 0, run.events
    assert not (folder / "ran").exists()
