"""A process that may not open sockets says so, with who can allow it; nothing counts as sent or bought."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conftest import KEY, PATIENCE, ROOT, SCRIPTS, Run

CREATE = ("--task", "t2i", "--prompt", "a tin boat")
# script and arguments -> the error that tells it
COMMANDS = {
    "sandbox": (["create_and_wait.py", "--provider", "sandbox", *CREATE], "network_forbidden"),
    "two copies": (["create_and_wait.py", "--provider", "sandbox", *CREATE, "--copies", "2"], "network_forbidden"),
    "server": (["sandbox.py"], "network_forbidden"),
    "server with a port": (["sandbox.py", "--port", "8765"], "network_forbidden"),
    "account": (["account.py", "sandbox", "--as", "image-skill", "quota"], "network_forbidden"),
    "by name": (["create_and_wait.py", "--provider", "skills-video", *CREATE], "request_not_sent"),
    "by address": (
        ["create_and_wait.py", "--provider", "skills-video", "--base-url", "http://127.0.0.1:9/api/v1", *CREATE],
        "request_not_sent",
    ),
}


def without_sockets(scripts, command: list[str]) -> Run:
    script, *arguments = command
    ended = subprocess.run(
        [sys.executable, str(ROOT / "tests/no_network.py"), str(SCRIPTS / script), *arguments],
        capture_output=True, timeout=PATIENCE, cwd=scripts.folder, env=scripts.environment(SKILLS_VIDEO_API_KEY=KEY),
    )  # fmt: skip
    return Run(ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize("name", COMMANDS)
def test_it_is_said_what_is_forbidden_and_who_can_allow_it(scripts, name):
    command, code = COMMANDS[name]
    run = without_sockets(scripts, command)
    assert (run.code, run.result["error"], run.result["outcome"]) == (24, code, "not_sent"), run.events
    assert "may not open network connections" in run.result["message"]
    assert scripts.run("jobs.py", "list", "--undelivered").result["jobs"] == 0
