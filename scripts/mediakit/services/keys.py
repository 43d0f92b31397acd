"""Where a service's key is found, and how one is kept.

    find     the first of: standard input, the environment, the login that the service's own client has
             saved, the user's own store, ./.env
    persist  put a key into the user's own store
    can_persist  whether that would work

A key is never taken from an argument and never shown. From a `.env` in the working directory, which
anybody may have put there, only the services' key names are read, and nothing in it is expanded.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections import namedtuple

from ..base import errors, paths

# source says where it was found, in words for people; value is None for a login that stays where it is.
Key = namedtuple("Key", "value source")

_LARGEST_ENV_FILE = 65536
_USABLE = re.compile(r"[\x21-\x7e]+")


def find(wanted: dict, from_stdin: str | None = None, login=lambda: None) -> Key | None:
    """The key that a descriptor's `key` asks for, or None. Raises Failure for one that no header can hold.

    login  () -> a Key that the service's own program keeps to itself, or None
    """
    return _first(_given(wanted, from_stdin)) or login() or _first(_kept(wanted))


def _first(candidates) -> Key | None:
    for source, value in candidates:
        value = (value or "").strip()
        if value:
            return Key(_checked(value, source), source)
    return None


def _given(wanted: dict, from_stdin: str | None):
    yield "--key-stdin", from_stdin
    for name in (wanted["variable"], *wanted.get("other_variables", ())):
        yield f"the environment variable {name}", os.environ.get(name)


def _kept(wanted: dict):
    variable = wanted["variable"]
    if "saved_login" in wanted:
        yield "the login that the service's own client has saved", _saved_login(wanted["saved_login"])
    yield "the user's own store", stored(variable)
    yield "./.env", _from_env_file(".env", variable)


def _saved_login(where: dict) -> str | None:
    """The key in the file of another program, which is read and never copied; None where there is none."""
    named = paths.expand(os.environ.get(where.get("variable", ""), ""))
    path = named or os.path.join(paths.configuration_folder(), where["path"])
    text = _small_file(path)
    if text is None:
        return None
    from . import providers

    found = providers.point(providers.read_json(text.encode())[0], where["key"])
    return found if isinstance(found, str) else None


def read_stdin(flag: str) -> str:
    """The key that somebody pipes in, up to its first line end."""
    value = sys.stdin.readline(_LARGEST_ENV_FILE).strip() if sys.stdin else ""
    if not value:
        raise errors.bad_argument(flag, "expected a key on standard input, and nothing came")
    return _checked(value, flag)


def is_usable(value: str) -> bool:
    """Whether a header can hold it."""
    return bool(_USABLE.fullmatch(value))


def _checked(value: str, source: str) -> str:
    if not is_usable(value):
        raise errors.Failure(
            "invalid_api_key",
            f"the key from {source} holds white space or characters that a header cannot carry",
            "auth",
            outcome="not_sent",
            retryable=False,
            guidance=["Copy the key again: printable ASCII without spaces."],
        )
    return value


def _small_file(path: str) -> str | None:
    """The text of a regular file, its first 64 KiB; None where there is none."""
    # The file is opened before it is looked at, so that it cannot be swapped for a pipe in between.
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        return os.read(handle, _LARGEST_ENV_FILE).decode("utf-8-sig", "replace")
    finally:
        os.close(handle)


def _from_env_file(path: str, variable: str) -> str | None:
    text = _small_file(path)
    if text is None or variable not in text:
        return None
    import io

    from dotenv import dotenv_values

    return dotenv_values(stream=io.StringIO(text), interpolate=False).get(variable)


def stored(variable: str) -> str | None:
    """A variable of the user's own store, or None."""
    if sys.platform == "win32":
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, "Environment") as environment:
                return str(winreg.QueryValueEx(environment, variable)[0])
        except OSError:
            return None
    return _from_env_file(paths.settings_file(), variable)


def persist(variable: str, value: str) -> str:
    """Keep a key for this user and nobody else; where it went, in words. Raises OSError."""
    if sys.platform == "win32":
        import winreg

        with winreg.OpenKey(winreg.HKEY_CURRENT_USER, "Environment", 0, winreg.KEY_SET_VALUE) as environment:
            winreg.SetValueEx(environment, variable, 0, winreg.REG_SZ, value)
        return "the user's environment"
    path = paths.settings_file()
    paths.make_private_folder(os.path.dirname(path))
    lines = [line for line in _lines_of(path) if not re.match(rf"\s*(export\s+)?{re.escape(variable)}\s*=", line)]
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    _replace_privately(path, [*lines, f"{variable}='{quoted}'"])
    return path


def can_persist() -> bool:
    """Whether a key could be kept: asked before one is made that is told only once."""
    if sys.platform == "win32":
        return True
    path = paths.settings_file()
    try:
        paths.make_private_folder(os.path.dirname(path))
        _lines_of(path)
        return os.access(os.path.dirname(path), os.W_OK | os.X_OK)
    except OSError:
        return False


def _lines_of(path: str) -> list[str]:
    """The lines of the store, none where there is none; raises OSError for what cannot be kept as it is."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return []
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST_ENV_FILE:
        raise OSError(errno.EINVAL, "it is no file of settings")
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except UnicodeDecodeError:
        raise OSError(errno.EINVAL, "it is no text in UTF-8") from None


def _replace_privately(path: str, lines: list[str]) -> None:
    import tempfile

    handle, staging = tempfile.mkstemp(prefix=".env.", dir=os.path.dirname(path))  # for this user alone
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(staging, path)
    except BaseException:
        os.unlink(staging)
        raise
