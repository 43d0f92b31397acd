"""Files on their way to their names in a folder of the user's.

    Staging       the private files of one saver, one at a time
    digest_of     the sha256 and size of a file
    remove        a file that may be gone already
    remove_stale  what killed processes have left
    remove_stale_once  the same, the first time that a process asks for a folder

A file is private and hidden until it is whole and checked; then it gets its name by a rename that replaces
nothing. Several processes may save into one folder at once, and none fails for what another does there.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable

from ..base import atomic

_CHUNK = 1024**2
# So old a private file belongs to a process that was killed.
_STALE_SECONDS = 24 * 3600


class Stopped(Exception):
    """The saver was stopped: no file gets a name any more."""


class Staging:
    """The private file of a saver in a folder."""

    def __init__(self, folder: str):
        self.folder = folder
        self._lock = threading.Lock()
        self._is_stopped = False
        self._path: str | None = None

    def make(self) -> tuple[int, str]:
        """An open handle and a path; raises Stopped or OSError."""
        import tempfile  # only for who saves

        with self._lock:
            self._check()
            # Under the lock, so that `stop` knows of it, and none is made after that.
            made = tempfile.mkstemp(prefix=atomic.PREFIX, suffix=atomic.SUFFIX, dir=self.folder)
            self._path = made[1]
            return made

    def drop(self) -> None:
        """Remove the file, unless it has its name by now."""
        remove(self._path)
        self._path = None

    def stop(self) -> None:
        """The process may be about to end, and its threads with it: remove the half file here."""
        with self._lock:
            self._is_stopped = True
            remove(self._path)

    def place(self, path: str, candidates: Iterable[str], tell: Callable[[str], None]) -> None:
        """Give a file the first name that is free, and call `tell` with its path.

        Raises Stopped, OSError, or FileExistsError where no name is free. `tell` is called under the lock, so that
        what is on disk when `stop` returns was told.
        """
        for name in candidates:
            target = os.path.abspath(os.path.join(self.folder, name))
            with self._lock:
                self._check()
                try:
                    atomic.place(path, target)
                except FileExistsError:
                    continue
                return tell(target)
        raise FileExistsError(17, "no free file name")

    def _check(self) -> None:
        if self._is_stopped:
            raise Stopped


def publish(path: str) -> None:
    """Give a private file the mode that a new file of this user has."""
    os.chmod(path, 0o666 & ~_umask())


def _umask() -> int:
    with _reading_umask:
        mask = os.umask(0o077)  # reading it means setting it
        os.umask(mask)
    return mask


_reading_umask = threading.Lock()


def digest_of(path: str) -> tuple[str, int]:
    """The sha256 and the length of a file; raises OSError."""
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def remove_stale(folder: str) -> None:
    """Remove what killed processes have left in a folder; never raises for what is not there any more."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(atomic.PREFIX) and entry.name.endswith(atomic.SUFFIX) and _is_stale(entry):
                remove(entry.path)


@functools.lru_cache(maxsize=64)
def remove_stale_once(folder: str) -> None:
    """A batch asks for each of its jobs, and its folder grows with every one: looked through each time, so would the cost."""
    remove_stale(folder)


def _is_stale(entry: os.DirEntry) -> bool:
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _STALE_SECONDS
    except OSError:
        return False  # its own process has given it a name meanwhile


def remove(path: str | None) -> None:
    try:
        if path:
            os.unlink(path)
    except OSError:
        pass  # it has its name by now, or was removed before
