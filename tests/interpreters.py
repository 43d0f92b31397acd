"""Scripts under other Pythons, and under flags of the interpreter."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import PATIENCE, SCRIPTS, Run


def interpreter(version: str) -> str:
    """A Python of that version, or the test is skipped."""
    installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    found = [*map(str, installed), shutil.which(f"python{version}")]
    for path in filter(None, found):
        if subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:  # a shim may lead nowhere
            return path
    pytest.skip(f"no Python {version} here")


def run_with(scripts, command: list[str], script: str, *arguments: str, env: dict | None = None, cwd=None) -> Run:
    ended = subprocess.run(
        [*command, str(SCRIPTS / script), *arguments],
        capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE,
        env=scripts.environment(**(env or {})), cwd=cwd or scripts.folder,
    )  # fmt: skip
    return Run(ended.returncode, ended.stdout, ended.stderr)
