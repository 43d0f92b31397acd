"""Where this user's files are, and which of them are this user's alone.

State           where state is kept, and what is to be known about that
state           the State of this command; choose_state is --state-dir
state_folder    its folder and its warning
other_ledgers   further folders that may hold a ledger which counts
has_ledger      whether any is there; nothing is made
whole           a path that a flag holds, from the root
settings_file   the user's own store of keys
configuration_folder   where command-line programs keep their settings
make_private_folder    a folder that only this user can read
open_to_read           a file that somebody names, which may be a pipe
open_regular           a file that may have been planted
small_file             the text of a small file, however an editor has encoded it
is_skills_own          whether a path lies in the folder of this skill
for_results            where results go that nobody has named a folder for
"""

from __future__ import annotations

import functools
import os
import stat
import sys

from .home import NAME, absolute, expand, named_state, open_to_others, platform_state, trouble
from .record import record, replace

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import IO

__all__ = [
    "LEDGER", "LOCAL", "State", "choose_state", "configuration_folder", "expand", "for_results", "has_ledger",
    "is_skills_own",
    "make_private_folder",
    "open_regular", "open_to_others", "open_to_read", "other_ledgers", "settings_file", "small_file", "state", "state_flags", "state_folder", "trouble", "whole",
]  # fmt: skip

# Above scripts/mediakit/base: installers wipe it and copy it anew, and may make it read-only.
SKILL = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
LOCAL = f".{NAME}"
# The ledger, in the state folder.
LEDGER = "ledger.sqlite3"
_LARGEST_SMALL_FILE = 65536
_MOST_FOLDERS_UPWARD = 64
# Seconds to wait for the first byte of a pipe that is named in place of a file.
PIPE_PATIENCE = 20.0

_chosen: str | None = None


@record
class State:
    """folder    where state is kept, a path; None where it cannot be
    warning   what the user has to know about it, in words; None for nothing
    is_local  whether it lies in a working directory, which could have come from anybody
    refused   whether the folder is there, and is not this user's alone: then nothing is bought
    """

    folder: str | None
    warning: str | None = None
    is_local: bool = False
    refused: bool = False


def is_skills_own(path: str) -> bool:
    """Whether a path, links followed, is the folder of this skill or lies in it: nothing of the user's is kept there."""
    own, path = (os.path.normcase(os.path.realpath(one)) for one in (SKILL, path))
    return path == own or path.startswith(own + os.sep)


def for_results(folder: str) -> str:
    """A folder below the working directory, or one at home for whoever stands in the skill's own."""
    try:
        is_own = is_skills_own(os.getcwd())
    except OSError:  # the working directory is gone
        is_own = False
    return expand("~/ai-media-out") if is_own else folder


def whole(path: str) -> str:
    """A path with its `~` expanded, from the root; raises Failure 2 for a relative one in a folder that is gone."""
    try:
        return os.path.abspath(expand(path))
    except FileNotFoundError:
        from . import errors

        words = "expected one that is there, or whole paths in the flags: it has been removed"
        raise errors.bad_argument("the working directory", words) from None


def choose_state(folder: str | None) -> None:
    """Keep this command's state in `folder`, as --state-dir asks."""
    global _chosen
    _chosen = whole(folder) if folder else None


def state() -> State:
    """Where this command keeps its state: --state-dir, AI_MEDIA_HOME, the platform's folder, else ./.ai-media."""
    if _chosen:
        return _named("--state-dir", _chosen)
    if named := named_state():
        return _named("AI_MEDIA_HOME", os.path.abspath(named))
    own = platform_state()
    found = _checked("the user's state folder", own) if _make_private(own) else _local_state()
    if not os.environ.get("AI_MEDIA_HOME") or found.warning:
        return found
    return replace(found, warning="AI_MEDIA_HOME is no absolute path, and is not used")


def state_folder() -> tuple[str | None, str | None]:
    """`(folder, warning)`: a folder that exists and can be written, or None, and what to know about it."""
    found = state()
    return found.folder, found.warning


def state_flags() -> list[str]:
    """The flags that lead another process of this user to the same state; none where it looks there anyway."""
    found = state()
    # A variable of this process is perhaps none of the next one's.
    if found.folder is None or _is_same(found.folder, platform_state()):
        return []
    return ["--state-dir", found.folder]


def has_ledger() -> bool:
    """Whether a ledger lies anywhere where one would count."""
    places = [_chosen, named_state(), platform_state(), *_local_folders()]
    return any(os.path.lexists(os.path.join(place, LEDGER)) for place in places if place)


def other_ledgers() -> tuple[list[State], list[str]]:
    """Folders beside this command's own that hold a ledger: the user's, and every .ai-media upward.

    `(folders, warnings)`; one that is not this user's alone is warned of and left out.
    """
    own = state().folder
    # Also a relative one, which counted until it was found to be another one everywhere.
    places = [(os.path.abspath(expand(named)), False) for named in [os.environ.get("AI_MEDIA_HOME")] if named]
    places += [(platform_state(), False), *((place, True) for place in _local_folders())]
    found: list[State] = []
    warnings: list[str] = []
    for place, is_local in places:
        seen = [state.folder for state in found if state.folder]
        if not os.path.lexists(os.path.join(place, LEDGER)) or any(
            _is_same(known, place) for known in [own, *seen] if known
        ):
            continue
        why = trouble(place, folder=True, may_be_link=not is_local) or _came_along(place, is_local)
        if why:
            warnings.append(f"the ledger in {place} is not looked at: {why}")
        else:
            found.append(State(place, is_local=is_local))
    return found, warnings


def small_file(path: str) -> str | None:
    """The text of a regular file, its first 64 KiB; None where there is none."""
    try:
        with open_regular(path) as file:
            return text_of(file.read(_LARGEST_SMALL_FILE))
    except (OSError, ValueError):
        return None


def open_regular(path: str) -> IO[bytes]:
    """A regular file for reading; raises OSError, also for a pipe or a device, which is not waited for."""
    handle = _opened(path)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        import errno

        os.close(handle)
        raise OSError(errno.EINVAL, "it is no regular file")
    return os.fdopen(handle, "rb")


def _opened(path: str) -> int:
    # It is opened before it is looked at, so that it cannot be swapped for a pipe in between.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    return os.open(path, flags)


def open_to_read(path: str) -> IO[bytes]:
    """A file that somebody names, for reading; raises OSError, also for a pipe that nobody writes into."""
    handle = _opened(path)
    try:
        found = os.fstat(handle).st_mode
        if stat.S_ISDIR(found):
            import errno

            raise IsADirectoryError(errno.EISDIR, "it is a directory")
        if stat.S_ISFIFO(found) and os.name == "posix":
            _await_writer(handle)
            os.set_blocking(handle, True)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _await_writer(handle: int) -> None:
    # `<(command)` of a shell is such a pipe, and its command may take a while before its first byte.
    import errno
    import select

    if not select.select([handle], [], [], PIPE_PATIENCE)[0]:
        raise OSError(errno.EAGAIN, "it is a pipe, and nobody writes into it")


def text_of(content: bytes) -> str:
    """UTF-8 with or without a byte order mark, or UTF-16 as Windows' editors and shells write it."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    if b"\0" in content[:2]:
        return content.decode("utf-16-be" if content[:1] == b"\0" else "utf-16-le", "replace")
    return content.decode("utf-8-sig", "replace")


def settings_file() -> str:
    """The file that --persist-key writes and every script reads: KEY=value lines, mode 600."""
    if sys.platform == "win32":
        base = os.environ.get("APPDATA") or os.path.join(_home(), "AppData", "Roaming")
    else:
        base = configuration_folder()
    return os.path.join(base, NAME, ".env")


def configuration_folder() -> str:
    """Where programs that follow the XDG base directories keep their settings, on every platform."""
    return absolute("XDG_CONFIG_HOME") or os.path.join(_home(), ".config")


def make_private_folder(path: str) -> None:
    """Create a folder that only this user can read; raises OSError."""
    os.makedirs(path, mode=0o700, exist_ok=True)


# -- the folders ---------------------------------------------------------------------------------------


def _named(by: str, folder: str) -> State:
    if _make_private(folder):
        return _checked(by, folder)
    return State(None, f"{by} cannot be written; nothing is remembered between runs")


def _checked(name: str, folder: str) -> State:
    why = trouble(folder, folder=True, may_be_link=True)
    if why:
        return State(None, f"{name} ({folder}) is not used: {why}", refused=True)
    return State(folder)


def _local_state() -> State:
    """.ai-media at the top of the enclosing repository, else in the working directory."""
    for place in _local_places():
        folder = os.path.join(place, LOCAL)
        if os.path.lexists(folder):
            why = trouble(folder, folder=True) or _came_along(folder, True)
            if why:
                return State(
                    None, f"the user state folder cannot be written, and {folder} is not used: {why}", refused=True
                )
        if not _make_local(folder):
            continue
        return State(folder, f"the user state folder cannot be written; state is kept in {folder}", is_local=True)
    return State(None, "no folder for state can be written; nothing is remembered between runs")


def _local_places() -> list[str]:
    here = _working_directory()
    if here is None:
        return []
    from . import repository

    top = repository.top(here)
    return [top, here] if top and not _is_same(top, here) else [here]


def _local_folders() -> list[str]:
    """Every .ai-media from the working directory upward."""
    here, found = _working_directory(), []
    for _ in range(_MOST_FOLDERS_UPWARD if here else 0):
        assert here is not None
        found.append(os.path.join(here, LOCAL))
        if os.path.dirname(here) == here:
            break
        here = os.path.dirname(here)
    return found


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None  # it has been removed


def _make_local(folder: str) -> bool:
    """Make .ai-media for this user alone, and keep it out of the repository; whether it can be written."""
    import contextlib

    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        if trouble(folder, folder=True):
            return False  # somebody else was faster
        with contextlib.suppress(FileExistsError):
            handle = os.open(os.path.join(folder, ".gitignore"), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write("*\n")
        return os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        return False


@functools.cache
def _came_along(folder: str, is_local: bool) -> str | None:
    from . import repository

    return "its repository tracks it: it came from somebody else" if is_local and repository.tracks(folder) else None


def _home() -> str:
    return expand("~")


def _make_private(path: str) -> bool:
    if not os.path.isabs(path):
        return False  # of a user without a home: it would be another folder wherever the command stands
    try:
        make_private_folder(path)
        return os.access(path, os.W_OK | os.X_OK)
    except OSError:
        return False


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return os.path.abspath(one) == os.path.abspath(other)
