"""results.jsonl: a line for each line that has a result, in the order of the input.

The file is whole at any moment. Several processes can write it, each the lines that it knows of: what another one has
written of a line stays.
"""

from __future__ import annotations

import json
import os
import stat
import time
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from ...base import atomic
from ...base.spool import Records
from ...base.text import to_line
from ...ledger import locks

NAME = "results.jsonl"
_LOCK = ".results.lock"
# Writing takes at most this part of the time; a small file is written after each job.
_SHARE = 0.05
_AGAIN = 15.0
_LARGEST_READ = 256 * 1024 * 1024
_NOTHING = -1


class Results:
    """folder  where it is; it is made if it is not there
    order   the ids of all lines of the input

    distrust   what the file says by now of lines that are not done: of another batch, or of what a line was before
    note       the result of the line at a place among them, from 0
    files      the files of all results that were noted, in the order of the input
    write_due  write what is new, unless that would take too much of the time
    write      write what is new; raises OSError, as write_due does
    """

    def __init__(self, folder: str, order: list[str]):
        self.path = os.path.join(folder, NAME)
        self._folder = folder
        self._order = order
        self._records = Records()
        # The record of each line: what this process has noted, and what another one wrote.
        self._own = array("q", [_NOTHING]) * len(order)
        self._others = array("q", [_NOTHING]) * len(order)
        # Records that are not true of the lines at these places.
        self._untrue: dict[int, bytes] = {}
        self._seen: tuple | None = None
        self._is_stale = False
        self._next_at = 0.0

    def distrust(self, places: Iterable[int]) -> None:
        self._read()
        for place in places:
            if (number := self._others[place]) != _NOTHING and json.loads(self._records[number]).get("ok"):
                self._untrue[place] = self._records[number]
                self._others[place] = _NOTHING

    def note(self, place: int, result: dict) -> None:
        self._own[place] = self._records.add(to_line(result).encode() + b"\n")
        self._is_stale = True

    def files(self) -> list[str]:
        own = (json.loads(self._records[number]) for number in self._own if number != _NOTHING)
        return [path for result in own for path in result["files"]]

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
                self._read()
            atomic.write(self.path, self._lines(), mode=0o644)
            self._seen = self._stamp()
        self._is_stale = False
        now = time.monotonic()
        self._next_at = now + (now - began) / _SHARE

    def _lines(self) -> Iterator[bytes]:
        for own, other in zip(self._own, self._others):
            number = own if own != _NOTHING else other
            if number != _NOTHING:
                yield self._records[number]

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

    def _read(self) -> None:
        """Take in the lines of the file."""
        with suppress(OSError):
            there = os.lstat(self.path)  # somebody else's pipe or link may lie there
            if not stat.S_ISREG(there.st_mode) or there.st_size > _LARGEST_READ:
                return
            places = {name: place for place, name in enumerate(self._order)}
            with open(self.path, "rb") as file:
                for line in file:
                    with suppress(ValueError, RecursionError):
                        value = json.loads(line)
                        name = value.get("id") if isinstance(value, dict) else None
                        if isinstance(name, str) and name in places:
                            self._take_in(places[name], line.rstrip(b"\r\n") + b"\n")

    def _take_in(self, place: int, line: bytes) -> None:
        if self._untrue.get(place) == line:
            return
        known = self._others[place]
        if self._own[place] == _NOTHING and (known == _NOTHING or self._records[known] != line):
            self._others[place] = self._records.add(line)
