"""Who is at a job: locks that end with the process which holds them, however it ends.

Owners          the locks of one ledger's jobs, a file a job
locked_file     one process at a time
is_on_network   whether a folder is on a file system where locks cannot be relied on
file_system_of  the same for a list of mounts (pure)

No clock and no process id takes part in any of it.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..base.regex import regex

_LOCK_FILE = regex(r"(job_[0-9a-f]{16})\.lock")
_MOST_SWEPT = 200
_TRIES = 50
_PATIENCE = 15.0
_NETWORK_FILE_SYSTEMS = frozenset(
    "nfs nfs4 cifs smb3 smbfs ncpfs afs ceph lustre beegfs fuse.sshfs fuse.glusterfs fuse.s3fs".split()
)
# A link of that name, or a pipe, is not opened in place of a lock.
_PLAINLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class Owners:
    """The locks of the jobs of one ledger. `folder` holds them; keys have been checked by whoever asks."""

    def __init__(self, folder: str):
        self._folder = folder
        self._held: dict[str, int] = {}

    def hold(self, key: str) -> None:
        """Take the lock of a new job. Raises OSError."""
        path = self._path(key)
        for _ in range(_TRIES):
            handle = os.open(path, os.O_CREAT | os.O_RDWR | _PLAINLY, 0o600)
            # Whoever sweeps the folder may have had it in hand, and have removed it.
            if _lock(handle, exclusive=True) and _is_at(path, handle):
                self._held[key] = handle
                return
            os.close(handle)
            time.sleep(0.01)
        raise BlockingIOError(11, "another process holds the lock of a new job")

    def take(self, key: str) -> bool:
        """Take the lock of an existing job; False where another process holds it. Raises OSError."""
        if key in self._held:
            return True
        handle = os.open(self._path(key), os.O_CREAT | os.O_RDWR | _PLAINLY, 0o600)
        if _lock(handle, exclusive=True) and _is_at(self._path(key), handle):
            self._held[key] = handle
            return True
        os.close(handle)
        return False

    def release(self, key: str) -> None:
        """Release the lock of a job, if this process holds it."""
        handle = self._held.pop(key, None)
        if handle is not None:
            _remove(self._path(key))  # while it is locked still: nobody else takes it in hand
            os.close(handle)
            if os.name == "nt":  # where no open file can be removed
                _remove(self._path(key))

    def has(self, key: str) -> bool:
        """Whether a living process, this one included, holds the lock of the job."""
        if key in self._held:
            return True
        try:
            handle = os.open(self._path(key), os.O_RDONLY | _PLAINLY)
        except FileNotFoundError:
            return False
        try:
            return not _lock(handle, exclusive=False)
        finally:
            os.close(handle)

    def sweep(self) -> None:
        """Remove what killed processes have left, as far as this one may."""
        with suppress(OSError), os.scandir(self._folder) as found:
            for seen, file in enumerate(found):
                named = _LOCK_FILE.fullmatch(file.name)
                if seen >= _MOST_SWEPT:
                    break
                if named and named[1] not in self._held:
                    self._sweep(file.path)

    @staticmethod
    def _sweep(path: str) -> None:
        with suppress(OSError):
            handle = os.open(path, os.O_RDWR | _PLAINLY)
            try:
                if _lock(handle, exclusive=True) and _is_at(path, handle):
                    _remove(path)
            finally:
                os.close(handle)

    def _path(self, key: str) -> str:
        return os.path.join(self._folder, f"{key}.lock")


@contextmanager
def locked_file(path: str) -> Iterator[None]:
    """Wait for the lock of a file, which is made where it is missing, and hold it. Raises OSError."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR | _PLAINLY, 0o600)
    give_up_at = time.monotonic() + _PATIENCE
    try:
        while not _lock(handle, exclusive=True):
            if time.monotonic() >= give_up_at:
                raise BlockingIOError(11, "another process holds it locked")
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, exclusive: bool) -> bool:
    """Lock a whole file for as long as it is open; whether it could be done at once."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        return True
    except (BlockingIOError, PermissionError):
        return False


def _is_at(path: str, handle: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(handle))
    except FileNotFoundError:
        return False


def _remove(path: str) -> None:
    with suppress(OSError):  # gone already, or (on Windows) being looked at: an empty file that means nothing
        os.unlink(path)


def is_on_network(folder: str) -> bool:
    """Whether a folder is on a file system that other machines share; False where that cannot be told."""
    if sys.platform == "win32":
        import ctypes

        drive = os.path.splitdrive(os.path.abspath(folder))[0]
        return drive.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(drive + "\\") == 4
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            return file_system_of(os.path.realpath(folder), file.read()) in _NETWORK_FILE_SYSTEMS
    except OSError:
        return False


def file_system_of(folder: str, mountinfo: str) -> str:
    """The type of the file system that holds an absolute path, as proc(5) lists the mounts; "" for none."""
    best, found = -1, ""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        # A later mount over the same point hides the earlier one.
        if len(point) >= best and (folder == point or folder.startswith(point.rstrip("/") + "/")):
            best, found = len(point), right.split()[0]
    return found
