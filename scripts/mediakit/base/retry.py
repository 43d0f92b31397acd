"""How long to wait before the next try, and how often to tell of one.

Backoff    jittered exponential pauses
Throttle   repeated messages: the first, each changed one, then one every HEARTBEAT seconds
"""

from __future__ import annotations

from collections.abc import Callable

HEARTBEAT = 15.0
# Told within one HEARTBEAT: causes can take turns, and a message can have a number of its own.
_MOST_CAUSES = 5


class Backoff:
    """Pauses in seconds: each `next` is between half and all of a ceiling that doubles from `first` to `longest`.

    jitter  () -> number from 0 to 1; None for a random one
    """

    def __init__(self, first: float, longest: float, jitter: Callable[[], float] | None = None):
        import random  # not for who only throttles

        self._ceiling, self._longest, self._jitter = first, longest, jitter or random.random

    def next(self) -> float:
        pause = min(self._ceiling, self._longest) * (0.5 + 0.5 * self._jitter())
        self._ceiling = min(2 * self._ceiling, self._longest)
        return pause


class Throttle:
    """Decides which of many equal messages is worth telling; `count` is how many there were."""

    def __init__(self) -> None:
        self._cause: object = None
        self._told_at: list[float] = []
        self.count = 0

    def allows(self, cause: object, now: float) -> bool:
        """Whether to tell of `cause` at `now`, seconds on any monotonic clock."""
        self.count += 1
        self._told_at = [moment for moment in self._told_at if now - moment < HEARTBEAT]
        if (cause == self._cause and self._told_at) or len(self._told_at) >= _MOST_CAUSES:
            return False
        self._cause = cause
        self._told_at.append(now)
        return True

    def forget(self) -> None:
        """What repeated itself is over: the next message is told."""
        self._cause, self._told_at, self.count = None, [], 0
