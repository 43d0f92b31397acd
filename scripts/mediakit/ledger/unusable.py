"""Why a ledger cannot be trusted, read or written, and what mends that.

Unusable    the reason, which can become a Failure
translated  SQLite's and the system's errors as Unusable
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from ..base import errors

_MEND = {
    "corrupt": "Move the file away and keep it; before buying again, look in the service's dashboard for open jobs.",
    "network": "Set AI_MEDIA_HOME to a folder on a local disk.",
    "foreign": "Take it away, or close it to others (chmod 700), or name another folder with --state-dir.",
    "newer": "Use the newer version, or set AI_MEDIA_HOME to another folder.",
    "full": "Free some space, then run the same again. Nothing was sent.",
    "busy": "Another program holds the file locked: end it, then run the same again. Nothing was sent.",
    "replaced": "Run the same again: it looks into the file that is there now. Nothing was sent.",
}


class Unusable(errors.Ending):
    """The ledger cannot be used. `kind`: absent, read_only, foreign, corrupt, network, newer, full, busy, replaced."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind
        self.message = message

    def failure(self) -> errors.Failure:
        return errors.Failure(
            "ledger_unusable",
            f"the ledger cannot be used: {self.message}",
            "guard",
            outcome="not_sent",
            retryable=self.kind in ("busy", "full", "replaced"),
            guidance=[_MEND.get(self.kind, "Set AI_MEDIA_HOME to another folder.")],
        )


# A part of SQLite's own message -> kind of Unusable; the first that fits.
_PROBLEMS = (
    ("locked", "busy"),
    ("full", "full"),
    ("disk i/o", "full"),
    ("readonly", "read_only"),
    ("unable to open", "absent"),
)


@contextmanager
def translated(path: str) -> Iterator[None]:
    """SQLite's and the system's errors as Unusable."""
    try:
        yield
    except (sqlite3.Error, OverflowError, UnicodeError) as problem:
        words = str(problem).lower()
        kind = next((kind for part, kind in _PROBLEMS if part in words), "corrupt")
        raise Unusable(kind, f"{path}: {problem}") from problem
    except OSError as problem:
        kinds = {
            **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "full"),
            errno.EAGAIN: "busy",
            errno.ELOOP: "foreign",
        }
        raise Unusable(kinds.get(problem.errno or 0, "absent"), f"{path}: {problem.strerror}") from problem
