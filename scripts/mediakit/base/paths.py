"""Where this user's state and settings live.

state_folder    jobs of the sandbox and the like: AI_MEDIA_HOME, else the platform's folder,
                else ./.ai-media
settings_file   the user's own store of keys
configuration_folder   where command-line programs keep their settings
"""

from __future__ import annotations

import os
import stat
import sys

_NAME = "ai-media"
# The ledger, in the state folder.
LEDGER = "ledger.sqlite3"


def state_folder() -> tuple[str | None, str | None]:
    """`(folder, warning)`: a folder that exists and can be written, or None, and what to know about it."""
    if named := os.environ.get("AI_MEDIA_HOME"):
        if _make_private(named):
            return os.path.abspath(named), None
        return None, "AI_MEDIA_HOME cannot be written; nothing is remembered between runs"
    if _make_private(_platform_state()):
        return _platform_state(), None
    local = os.path.abspath(f".{_NAME}")
    if _make_private(local) and _is_ours_alone(local):
        return local, f"the user state folder cannot be written; state is kept in {local}"
    return None, "no folder for state can be written; set AI_MEDIA_HOME to one; nothing is remembered between runs"


def settings_file() -> str:
    """The file that --persist-key writes and every script reads: KEY=value lines, mode 600."""
    if sys.platform == "win32":
        base = os.environ.get("APPDATA") or os.path.join(_home(), "AppData", "Roaming")
    else:
        base = configuration_folder()
    return os.path.join(base, _NAME, ".env")


def configuration_folder() -> str:
    """Where programs that follow the XDG base directories keep their settings, on every platform."""
    return _absolute("XDG_CONFIG_HOME") or os.path.join(_home(), ".config")


def make_private_folder(path: str) -> None:
    """Create a folder that only this user can read; raises OSError."""
    os.makedirs(path, mode=0o700, exist_ok=True)


def _platform_state() -> str:
    if sys.platform == "win32":
        return os.path.join(os.environ.get("LOCALAPPDATA") or os.path.join(_home(), "AppData", "Local"), _NAME)
    if sys.platform == "darwin":
        return os.path.join(_home(), "Library", "Application Support", _NAME)
    return os.path.join(_absolute("XDG_STATE_HOME") or os.path.join(_home(), ".local", "state"), _NAME)


def _absolute(variable: str) -> str | None:
    # The XDG specification says that a relative path is to be ignored.
    value = os.environ.get(variable)
    return value if value and os.path.isabs(value) else None


def _home() -> str:
    return os.path.expanduser("~")


def _make_private(path: str) -> bool:
    try:
        make_private_folder(path)
        return os.access(path, os.W_OK | os.X_OK)
    except OSError:
        return False


def _is_ours_alone(path: str) -> bool:
    if sys.platform == "win32":
        return True  # access lists, not mode bits: a folder made below the user's own is the user's
    found = os.lstat(path)
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.getuid()
        and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )
