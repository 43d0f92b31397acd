"""How the results of a command are saved, and how much of them: what the flags say, and who counts it.

Saving   the flags
Limits   how much one command may fetch; LIMITS unless flags say otherwise
Budget   counts it
Unsaved  why a result is not on disk
"""

from __future__ import annotations

from _thread import allocate_lock  # threading's; whoever only plans starts no thread

from ..base import errors
from ..base.record import field, record
from . import names

# Pixels of one picture that are looked at. Our choice: more than any service makes, and a second of work.
MOST_PIXELS = 500_000_000


@record
class Limits:
    """file_bytes, total_bytes  of one file, of all files of a command
    files    how many of a command
    seconds  for the files of one job
    """

    file_bytes: int = 4 * 1024**3
    total_bytes: int = 20 * 1024**3
    files: int = 100
    seconds: float = 1800.0


LIMITS = Limits()


class Unsaved(Exception):
    """A result cannot be saved; the message is one line for people."""


class Budget:
    """Counts the files and bytes of one command, over all its jobs; raises Unsaved beyond the limits."""

    def __init__(self, limits: Limits = LIMITS):
        self.limits = limits
        self._lock = allocate_lock()
        self._files = self._bytes = 0

    def take_file(self) -> None:
        with self._lock:
            if self._files >= self.limits.files:
                raise Unsaved(f"more than {self.limits.files} files, the limit of --max-files")
            self._files += 1

    def take(self, count: int) -> None:
        """Before so many bytes are written; a negative count gives back."""
        with self._lock:
            if self._bytes + count > self.limits.total_bytes:
                raise Unsaved(f"more than {self.limits.total_bytes} bytes in all, the limit of --max-total-size")
            self._bytes += count


@record
class Saving:
    """How the results of a command are saved.

    folder              where they are saved; None for nowhere
    template            the names of the files, as names.check gives it
    task                the task of the command, where it was named
    line                the id of the job's line, in a batch
    budget              what all its files may take together
    most_pixels         of one picture that is looked at
    allows_private      whether private addresses may be contacted
    accepts_unverified  whether a file is taken as it is, although its content looks broken
    embeds              whether provenance is written into each file too
    shows               whether pictures are shown on the terminal
    stores              whether provenance tells the payload
    flags               the flags that say the same to another command
    """

    folder: str | None = None
    template: str = names.DEFAULT
    task: str | None = None
    line: str | None = None
    budget: Budget = field(default_factory=Budget)
    most_pixels: int = MOST_PIXELS
    allows_private: bool = False
    accepts_unverified: bool = False
    embeds: bool = False
    shows: bool = False
    stores: bool = True
    flags: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise Failure 2 for a flag that nothing can come of."""
        for flag in ("--output-name", "--embed-metadata", "--show"):
            if flag in self.flags and self.folder is None:
                raise errors.bad_argument(flag, "expected with --output-dir: it is about its files")
