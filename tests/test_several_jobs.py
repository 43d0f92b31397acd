"""Several jobs in one command, of several services: each ends for itself, and none takes the others along."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import KEY, SCRIPTS, Run, posts
from fake_service import FakeService, answer
from test_doubtful_creates import MADE, create, jobs
from test_money import flags

CONTRACTS = ("skills-video", "modellix", "image-skill")


def test_a_part_that_fails_unforeseen_ends_and_so_does_the_command(scripts, sandbox):
    """Without the packages, as every part of it finds out for itself."""
    script, *arguments = flags(sandbox, "--copies", "2", "--no-validate")
    command = [sys.executable, "-E", "-S", str(SCRIPTS / script), *arguments]
    ended = subprocess.run(command, capture_output=True, env=scripts.environment(), timeout=60)
    run = Run(ended.returncode, ended.stdout, ended.stderr)
    assert (run.code, run.result["event"], posts(sandbox)) == (28, "summary", 0), run.events
    assert run.result["jobs"] == run.result["failed"] == 2


