"""Official clients of Image Skill and Luxin, which nobody here wrote: named by a variable, run in a home of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from conftest import KEY, PATIENCE


class Client:
    """Skips the test where `variable` names no client, or there is no node.

    folder  its home and its working directory
    origin  the address that it asks
    token   its key, None for none
    """

    def __init__(self, variable: str, folder, origin: str, token: str | None = KEY):
        path, node = os.environ.get(variable), shutil.which("node")
        if not path or not node:
            pytest.skip(f"not installed: {variable} names no client, or there is no node")
        self.folder, self._command = folder, [node, path]
        own = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"), "IMAGE_SKILL_API_BASE_URL": origin}
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        self._environment = {**kept, **own, **({"IMAGE_SKILL_TOKEN": token} if token else {})}

    def run(self, *arguments: str) -> tuple[int, dict]:
        """`(exit code, envelope)`."""
        done = subprocess.run(
            [*self._command, *arguments, "--json"], env=self._environment, cwd=self.folder,
            capture_output=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout)

    def __call__(self, *arguments: str, expects: int = 0) -> dict:
        """The data of its envelope, or its error; `expects` is the exit code."""
        code, envelope = self.run(*arguments)
        assert code == expects, envelope
        return envelope["data"] if expects == 0 else envelope["error"]
