"""Files for what is too large to hold in memory: they have no name, and are gone when they are closed.

open_spool  one, for bytes
copied      all that can be read from a file, where it can be read again
Records     many pieces of bytes, each found again by its number

What is small is not written at all, and what cannot be written stays in memory.
"""

from __future__ import annotations

import io
from array import array

from .atomic import PREFIX

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import IO

_SMALL = 1024 * 1024
_AT_ONCE = 256 * 1024


def open_spool(buffering: int = -1) -> IO[bytes]:
    """Raises OSError where no folder for such files can be written."""
    import tempfile  # with its compressors, for the few runs that need it

    return tempfile.TemporaryFile(prefix=PREFIX, buffering=buffering)


def copied(file: IO[bytes], most: int) -> IO[bytes]:
    """A copy of what a file still holds, at its start; raises OSError, and OverflowError for more than `most`
    bytes."""
    copy, size = Records(), 0
    while piece := file.read(min(_AT_ONCE, most - size + 1)):
        size += len(piece)
        if size > most:
            raise OverflowError(f"more than {most} bytes")
        copy.add(piece)
    return copy.as_file()


class Records:
    """add       one more piece of bytes; its number, from 0
    as_file   all of them, one after the other; nothing can be added after it
    """

    def __init__(self) -> None:
        self._file: IO[bytes] = io.BytesIO()
        self._is_moved = False
        self._ends = array("q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> bytes:
        begin, end = self._ends[number], self._ends[number + 1]
        self._file.seek(begin)
        return self._file.read(end - begin)

    def add(self, content: bytes) -> int:
        end = self._ends[-1]
        if end + len(content) > _SMALL and not self._is_moved:
            self._is_moved = True
            self._move()
        try:
            _write(self._file, end, content)
        except OSError:  # the disk is full
            self._file.seek(0)
            self._file = io.BytesIO(self._file.read(end))
            _write(self._file, end, content)
        self._ends.append(end + len(content))
        return len(self) - 1

    def _move(self) -> None:
        """From memory into a file, where there can be one."""
        self._file.seek(0)
        try:
            file = open_spool(buffering=0)  # what is written is there, or it is known at once that it is not
            _write(file, 0, self._file.read())
        except OSError:
            return
        self._file = file

    def as_file(self) -> IO[bytes]:
        self._file.seek(0)
        return io.BufferedReader(self._file) if isinstance(self._file, io.RawIOBase) else self._file


def _write(file: IO[bytes], at: int, content: bytes) -> None:
    file.seek(at)
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]
