"""A folder that one command cannot write to, as an agent's sandbox sees the user's home."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

_MOUNTED = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'


@contextmanager
def read_only(folder: Path) -> Iterator[tuple[str, ...]]:
    """The words before a command that let it see `folder` read-only; within, nobody writes there."""
    if os.name == "nt":
        pytest.skip("mode bits")
    if os.geteuid() == 0:  # whom mode bits do not bind
        if not _can_mount():
            pytest.skip("root, without a mount namespace")
        yield ("unshare", "-m", "sh", "-c", _MOUNTED, "sh", str(folder))
        return
    before = {path: stat.S_IMODE(path.lstat().st_mode) for path in [folder, *folder.rglob("*")]}
    try:
        for path, mode in before.items():
            path.chmod(mode & ~0o222)
        yield ()
    finally:
        for path, mode in before.items():
            path.chmod(mode)


@cache
def _can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0
