"""How long to wait before the next try, and how often to tell of one.

Backoff    jittered exponential pauses
Throttle   repeated messages: the first, each changed one, then one every HEARTBEAT seconds
"""

from __future__ import annotations

from collections.abc import Callable

HEARTBEAT = 15.0


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
        self._told_at = 0.0
        self.count = 0

    def allows(self, cause: object, now: float) -> bool:
        """Whether to tell of `cause` at `now`, seconds on any monotonic clock."""
        self.count += 1
        if cause == self._cause and now - self._told_at < HEARTBEAT:
            return False
        self._cause, self._told_at = cause, now
        return True

    def forget(self) -> None:
        """What repeated itself is over: the next message is told."""
        self._cause, self.count = None, 0
