"""Moments and deadlines.

rfc3339    a moment as every event, record and row tells it
moment_of  a moment as a service tells it
time_left  what is left of the time that a command was given
Moment     one that a clock which is set does not move; now, process_start
"""

from __future__ import annotations

import functools
import os
import time

from .record import record
from .text import is_number

_STARTED_AT = time.monotonic()


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC with milliseconds."""
    whole = int(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1000):03d}Z"


def moment_of(told) -> float | None:
    """Seconds since the epoch of what a service tells: RFC 3339, or a number of seconds or milliseconds; else None."""
    if is_number(told) and 1e9 <= told < 1e14:
        return told / 1000 if told >= 1e11 else float(told)
    if not isinstance(told, str) or not 19 <= len(told) <= 40:
        return None
    from datetime import datetime

    whole, _, rest = told.strip().replace(" ", "T", 1).partition(".")
    zone = rest.lstrip("0123456789") if rest else ""  # Python 3.9 reads no fraction but of 3 or 6 digits
    text = (whole + zone).replace("Z", "+00:00")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    fraction = float(f"0.{rest[: len(rest) - len(zone)] or 0}") if rest else 0.0
    return (found.timestamp() if found.tzinfo else _utc(found)) + fraction


def _utc(found) -> float:
    from datetime import timezone

    return found.replace(tzinfo=timezone.utc).timestamp()


def time_left(deadline: float | None) -> float | None:
    """Seconds that are left for work when the whole command must have ended `deadline` seconds after its start.

    A tenth, at least 0.3 s and at most 2 s, is kept back for the start of the interpreter and for the end.
    """
    if deadline is None:
        return None
    return max(0.0, deadline - min(2.0, max(0.3, deadline / 10)) - (time.monotonic() - _STARTED_AT))


@record
class Moment:
    """wall  seconds since the epoch
    tick  seconds on a clock that all processes of this machine share and nobody sets
    boot  which run of the machine that clock counts in; "" where it does not say
    """

    wall: float
    tick: float
    boot: str

    def is_after(self, other: Moment) -> bool:
        """Whether this comes after the other, whatever was done to the clock on the wall."""
        if self.boot or other.boot:
            return self.boot == other.boot and self.tick > other.tick
        # After a restart the ticks are small again; then the wall has the last word.
        return self.tick > other.tick and self.wall > other.wall


def now() -> Moment:
    return Moment(time.time(), time.monotonic(), _boot())


def process_start() -> Moment:
    """When this process was started, never too early."""
    age = _age()
    found = now()
    return Moment(found.wall - age, found.tick - age, found.boot)


# The two figures of the system that tell when a process was started are each cut to hundredths of a second.
_TICKS_APART = 0.1


def _age() -> float:
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/uptime", encoding="ascii") as file:
            uptime = float(file.read().split()[0])
        return uptime - ticks / os.sysconf("SC_CLK_TCK") - _TICKS_APART
    except (OSError, ValueError, IndexError, AttributeError):
        return time.process_time()


@functools.cache
def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii", errors="replace") as file:
            return file.read(64).strip()
    except OSError:
        return ""
