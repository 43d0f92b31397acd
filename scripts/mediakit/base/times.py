"""Moments and deadlines.

rfc3339    a moment as every event, record and row tells it
time_left  what is left of the time that a command was given
"""

from __future__ import annotations

import time

_STARTED_AT = time.monotonic()


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC with milliseconds."""
    whole = int(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1000):03d}Z"


def time_left(deadline: float | None) -> float | None:
    """Seconds that are left for work when the whole command must have ended `deadline` seconds after its start.

    A tenth, at least 0.3 s and at most 2 s, is kept back for the start of the interpreter and for the end.
    """
    if deadline is None:
        return None
    return max(0.0, deadline - min(2.0, max(0.3, deadline / 10)) - (time.monotonic() - _STARTED_AT))
