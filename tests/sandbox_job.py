"""The main job against a sandbox of the test's own."""

from __future__ import annotations

import json
import subprocess
import sys

from conftest import PATIENCE, ROOT, SCRIPTS, Run

PROMPT = "a tin boat"


def flags(server, *more: str, prompt: str = PROMPT) -> tuple[str, ...]:
    where = ("--provider", "sandbox", "--base-url", server.url + "/api/v1", "--task", "t2i")
    return ("create_and_wait.py", *where, "--prompt", prompt, *more)


def watched(watcher: str, scripts, server) -> list[list]:
    """What a create does from its arguments to its last line, as durable.py or counted.py writes it down."""
    log = scripts.folder / "log"
    script, *arguments = flags(server, "--output-dir", "out")
    ended = subprocess.run(
        [sys.executable, str(ROOT / "tests" / watcher), str(log), str(SCRIPTS / script), *arguments],
        capture_output=True, timeout=PATIENCE, env=scripts.environment(), cwd=scripts.folder,
    )  # fmt: skip
    assert Run(ended.returncode, ended.stdout, ended.stderr).code == 0, ended.stderr
    return [json.loads(line) for line in log.read_text().splitlines()]
