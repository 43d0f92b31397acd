"""Where other threads and signal handlers put what happens, and one thread waits for it.

Inbox    put from anywhere, take in one place
Message  what one sender has to say
Signal   a signal that asks this process to stop
"""

from __future__ import annotations

import queue
import time

from .record import record

# A wait without a limit, or a long one, would not let a signal handler run on every system.
_LONGEST_SLEEP = 0.25


@record
class Message:
    """`content` says by its class what has happened; `sender` is the request or download that it has happened to."""

    sender: object
    content: object


@record
class Signal:
    """A signal; `number` says which."""

    number: int


class Inbox:
    """Messages, and Signals, in the order in which they came. `put` may be called by a signal handler: it never waits."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue = queue.SimpleQueue()

    def put(self, message) -> None:
        self._messages.put(message)

    def take(self, seconds: float = float("inf")):
        """The next message; None when none has come within so many seconds (0: at once)."""
        give_up_at = time.monotonic() + seconds
        left = seconds
        while True:
            try:
                if left <= 0:
                    return self._messages.get_nowait()
                return self._messages.get(timeout=min(left, _LONGEST_SLEEP))
            except queue.Empty:
                if left <= 0:
                    return None
                left = give_up_at - time.monotonic()
