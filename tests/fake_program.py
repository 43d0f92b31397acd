"""A service's command-line program that does exactly what a test tells it to.

FakeProgram   one executable file, written for one test; it notes how it is run
ANSWER, JOB   what the official program prints for a create and for a read
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from conftest import KEY, PATIENCE

ANSWER = {
    "code": 0,
    "message": "success",
    "data": {"status": "pending", "task_id": "task-1", "model_id": "owner/model"},
}
JOB = {
    "code": 0,
    "data": {
        "status": "success",
        "task_id": "task-1",
        "result": {"resources": [{"url": "https://media.invalid/1.png"}]},
    },
}

_FILE = """\
#!{python}
import json, os, pathlib, signal, subprocess, sys, time

FOLDER = pathlib.Path({folder!r})
WORDS = sys.argv[1:]
ANSWER, JOB = {answer!r}, {job!r}


def say(value, code=0):
    print(value if isinstance(value, str) else json.dumps(value, indent=2), flush=True)
    sys.exit(code)


def fail(message, code=1):
    say({{"error": {{"exitCode": code, "message": message}}, "ok": False}}, code)


def hang():
    time.sleep(600)


def first(name):
    try:
        (FOLDER / name).touch(exist_ok=False)
        return True
    except FileExistsError:
        return False


kind = {{"--version": "version", "config": "login", "doctor": "doctor", "auth": "balance", "model": "create", "task": "read"}}[WORDS[0]]
run = {{"kind": kind, "argv": WORDS, "environment": dict(os.environ), "folder": os.getcwd(), "pid": os.getpid()}}
with open(FOLDER / "runs", "a") as file:
    file.write(json.dumps(run) + "\\n")
if kind == "version":
{version}
if kind == "login":
{login}
if kind == "doctor":
{doctor}
if kind == "balance":
{balance}
if kind == "create":
{create}
if kind == "read":
{read}
"""


class FakeProgram:
    """`create`, `read`, `version`, `login`, `doctor` and `balance` are lines of Python, run when that is asked for."""

    def __init__(
        self,
        folder: Path,
        create: str = "say(ANSWER)",
        read: str = "say(JOB)",
        version: str = "say('modellix-cli/9.9.9 test')",
        login: str = "say({'configured': 'MODELLIX_API_KEY' in os.environ})",
        doctor: str = "say({'ok': True, 'checks': []})",
        balance: str = "say({'ok': True, 'balance': 12.5})",
    ):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.path = folder / "modellix-cli"
        parts = {
            "create": create,
            "read": read,
            "version": version,
            "login": login,
            "doctor": doctor,
            "balance": balance,
        }
        lines = {name: "\n".join("    " + line for line in part.splitlines()) for name, part in parts.items()}
        self.path.write_text(
            _FILE.format(python=sys.executable, folder=str(folder), answer=ANSWER, job=JOB, **lines), encoding="utf-8"
        )
        self.path.chmod(0o755)

    def runs(self, kind: str) -> list[dict]:
        """How it was run for a kind of question, each time."""
        noted = self.folder / "runs"
        lines = noted.read_text(encoding="utf-8").splitlines() if noted.exists() else []
        return [run for run in map(json.loads, lines) if run["kind"] == kind]

    def wait_for(self, kind: str) -> dict:
        """The first run of a kind, as soon as it has begun."""
        until = time.monotonic() + PATIENCE
        while not self.runs(kind):
            assert time.monotonic() < until
            time.sleep(0.02)
        return self.runs(kind)[0]

    @property
    def environment(self) -> dict[str, str]:
        return {"MODELLIX_CLI": str(self.path), "MODELLIX_API_KEY": KEY}


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return os.path.isdir("/proc/self")
