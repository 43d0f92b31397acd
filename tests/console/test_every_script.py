"""However a script ends, its last line is the result and carries the exit code of the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from conftest import ALL_SCRIPTS, PATIENCE, SCRIPTS, Run

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals and pipes of POSIX systems")
SECRET = "never_to_be_repeated"

# What happens in a script, put in at the place where it reads its flags -> exit code, event.
HAPPENINGS = {
    "a bug": ("raise ZeroDivisionError('bug')", 1, "error"),
    "a bug without words": ("raise Exception", 1, "error"),
    "a bug with words that are no text": ("raise Exception('\\udcff\\x00\\u202e')", 1, "error"),
    "a bug in telling the bug": ("raise type('Bug', (Exception,), {'__str__': lambda self: 1 / 0})", 1, "error"),
    "a bug in what is told of the job": (
        (
            "def main(): import gc, mediakit.console.events as e; "
            "[setattr(c, 'about_job', lambda: 1 / 0) for c in gc.get_objects() if type(c) is e.Console]; 1 / 0"
        ),
        1,
        "error",
    ),
    "a bug in telling of a failure": (
        (
            "import mediakit.console.events as e; really = e.Console.failure; "
            "e.Console.failure = lambda self, failure: setattr(e.Console, 'failure', really) or 1 / 0; 1 / 0"
        ),
        1,
        "error",
    ),
    "recursion without end": ("f = lambda: f(); f()", 1, "error"),
    "no memory": ("raise MemoryError", 1, "error"),
    "a library that leaves": ("main = lambda *_: sys.exit(0)", 1, "error"),
    "a missing package": ("import no_such_package_anywhere", 28, "error"),
    "Ctrl-C": ("os.kill(os.getpid(), signal.SIGINT); time.sleep(60)", 130, "interrupted"),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", 143, "interrupted"),
    "a hang-up": ("os.kill(os.getpid(), signal.SIGHUP); time.sleep(60)", 143, "interrupted"),
    "Ctrl-C of the interpreter": ("raise KeyboardInterrupt", 130, "interrupted"),
}
IN_PARSE = """
import os, runpy, signal, sys, time
sys.argv[:] = sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
import mediakit.console.script as script
from mediakit.console import flags
def parse(self, argv):
    global main
    main = None
    {happens}
    import argparse
    return argparse.Namespace(version=False, state_dir=None)
flags.Parser.parse = parse
flags.Parser.about = property(lambda self: (lambda arguments: main() if main else {{}}), lambda self, value: None)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_with(scripts, script: str, happens: str, **environment: str) -> Run:
    driver = scripts.folder / "driver.py"
    driver.write_text(IN_PARSE.format(happens=happens), encoding="utf-8")
    command = [sys.executable, str(driver), str(SCRIPTS / script)]
    done = subprocess.run(
        command, capture_output=True, stdin=subprocess.DEVNULL, env=scripts.environment(**environment), timeout=PATIENCE,
        cwd=scripts.folder,
    )  # fmt: skip
    return Run(done.returncode, done.stdout, done.stderr)


@POSIX
@pytest.mark.parametrize("name", HAPPENINGS)
@pytest.mark.parametrize("script", ALL_SCRIPTS)
def test_whatever_happens_the_last_line_is_the_result(scripts, script, name):
    happens, code, event = HAPPENINGS[name]
    run = run_with(scripts, script, happens)
    assert (run.code, run.result["event"], len(run.events)) == (code, event, 1), (run.events, run.stderr)
    assert "Traceback" not in run.stdout.decode() + run.stderr
    if code == 1:
        assert run.result["error"] == "internal_error" and run.result["guidance"]


@POSIX
@pytest.mark.parametrize("script", ALL_SCRIPTS)
def test_a_traceback_is_on_stderr_and_only_if_it_is_asked_for(scripts, script):
    run = run_with(scripts, script, "raise ZeroDivisionError('bug')", AI_MEDIA_DEBUG="1")
    assert "ZeroDivisionError: bug" in run.stderr and "Traceback" not in run.stdout.decode()
    assert (run.code, run.result["error"]) == (1, "internal_error")


@pytest.mark.parametrize("script", ALL_SCRIPTS)
def test_an_unknown_flag_is_a_bad_argument_and_its_value_is_not_repeated(scripts, script):
    for words in (["--no-such-flag", SECRET], [f"--no-such-flag={SECRET}"], ["-q", SECRET]):
        run = scripts.run(script, *words)
        assert (run.code, run.result["error"], len(run.events)) == (2, "invalid_arguments", 1), run.events
        assert run.result["guidance"] and SECRET not in run.stdout.decode() + run.stderr


@pytest.mark.parametrize("script", ALL_SCRIPTS)
def test_a_version_is_a_result_and_help_is_not(scripts, script):
    assert scripts.run(script, "--version").result["event"] == "version"
    process = scripts.start(script, "--help")
    told, complaints = process.communicate(timeout=PATIENCE)
    assert (process.returncode, complaints) == (0, b"") and b"exit codes:" in told


@pytest.mark.parametrize("script", ALL_SCRIPTS)
def test_every_script_is_brief_if_asked(scripts, script):
    told = scripts.run(script, "--brief", "--json", "--no-such-flag")
    assert (told.code, told.names, told.result["ok"]) == (2, ["error"], False)
    assert told.result["error"]["message"]


@POSIX
@pytest.mark.parametrize("script", ALL_SCRIPTS)
@pytest.mark.parametrize("words", [["--version"], ["--no-such-flag"], ["--help"]], ids=lambda words: words[0])
def test_a_reader_that_is_gone_ends_it_quietly(scripts, script, words):
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, str(SCRIPTS / script), *words]
    done = subprocess.run(command, stdout=writes, stderr=subprocess.PIPE, env=scripts.environment(), timeout=PATIENCE)
    os.close(writes)
    assert (done.returncode, done.stderr) == (141, b"")


@POSIX
@pytest.mark.parametrize("script", ALL_SCRIPTS)
def test_a_signal_after_the_result_changes_nothing(scripts, script):
    """From the last line on the exit status is decided."""
    late = (
        "script._leave_really = script._leave; "
        "script._leave = lambda code: (os.kill(os.getpid(), signal.SIGTERM), script._leave_really(code)); "
        "from mediakit.base import errors; raise errors.bad_argument('x', 'y')"
    )
    run = run_with(scripts, script, late)
    assert (run.code, run.result["error"], run.stderr) == (2, "invalid_arguments", "")


def test_the_signals_are_those_of_the_table():
    assert {signal.SIGINT + 128, signal.SIGTERM + 128} == {130, 143}
