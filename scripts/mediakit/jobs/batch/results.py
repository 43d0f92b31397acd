"""results.jsonl: a line for each line that has a result, in the order of the input.

The file is whole at any moment. Several processes can write it, each the lines that it knows of: what another one has
written of a line stays.
"""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import contextmanager, suppress

from ...base import atomic
from ...base.text import to_line
from ...ledger import locks

NAME = "results.jsonl"
_LOCK = ".results.lock"
# Writing takes at most this part of the time; a small file is written after each job.
_SHARE = 0.05
_AGAIN = 15.0
_LARGEST_READ = 256 * 1024 * 1024


class Results:
    """folder  where it is; it is made if it is not there
    order   the ids of all lines of the input

    note       the result of a line
    write_due  write what is new, unless that would take too much of the time
    write      write what is new; raises OSError, as write_due does
    """

    def __init__(self, folder: str, order: list[str]):
        self.path = os.path.join(folder, NAME)
        self._folder = folder
        self._order = order
        self._own: dict[str, str] = {}
        self._others: dict[str, str] = {}
        self._seen: tuple | None = None
        self._is_stale = False
        self._next_at = 0.0

    def note(self, line_id: str, result: dict) -> None:
        self._own[line_id] = to_line(result)
        self._is_stale = True

    def write_due(self, now: float) -> None:
        if self._is_stale and now >= self._next_at:
            self.write()

    def put_off(self) -> None:
        """It could not be written: not again at once."""
        self._next_at = time.monotonic() + _AGAIN

    @property
    def due_at(self) -> float:
        """When `write_due` has something to do, on the clock of time.monotonic."""
        return self._next_at if self._is_stale else float("inf")

    def write(self) -> None:
        began = time.monotonic()
        os.makedirs(self._folder, exist_ok=True)
        with self._alone():
            if self._stamp() != self._seen:
                self._others = {**self._others, **self._read()}
            lines = (self._own.get(line_id) or self._others.get(line_id) for line_id in self._order)
            atomic.write(self.path, "".join(f"{line}\n" for line in lines if line).encode(), mode=0o644)
            self._seen = self._stamp()
        self._is_stale = False
        now = time.monotonic()
        self._next_at = now + (now - began) / _SHARE

    @contextmanager
    def _alone(self):
        """One process at a time, where the file system can do that."""
        lock = locks.locked_file(os.path.join(self._folder, _LOCK))
        try:
            lock.__enter__()
        except OSError:
            yield
            return
        try:
            yield
        finally:
            lock.__exit__(None, None, None)

    def _stamp(self) -> tuple | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _read(self) -> dict[str, str]:
        """The lines of the file, by the ids of the input's lines."""
        known, found = set(self._order), {}
        with suppress(OSError, UnicodeDecodeError):
            there = os.lstat(self.path)  # somebody else's pipe or link may lie there
            if not stat.S_ISREG(there.st_mode) or there.st_size > _LARGEST_READ:
                return {}
            with open(self.path, encoding="utf-8") as file:
                for line in file:
                    with suppress(ValueError, RecursionError):
                        value = json.loads(line)
                        name = value.get("id") if isinstance(value, dict) else None
                        if isinstance(name, str) and name in known:
                            found[name] = line.rstrip("\n")
        return found
