"""What comes of a request, as small classes, and how long an answer asks to wait. Pure.

What arrives goes into an inbox as inbox.Message(exchange, content), where content is one of

    StreamOpened   a stream has begun
    StreamChunk    a piece of it
    StreamEnded    it is over
    Answer         anything else that came whole
    Lost           nothing came, or not all
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from ..base.record import record


@record
class StreamOpened:
    status: int


@record
class StreamChunk:
    content: bytes


@record
class StreamEnded:
    """`reason` is "eof" or "reset"; `message` says in words what a reset was."""

    reason: str
    message: str = ""


@record
class Lost:
    """No answer came, or not enough of one.

    message  for people
    sent     whether a byte of the request may have left
    final    whether another try would end the same: a fault of the set-up
    begun    what came of the answer until then, as an Answer with `damage`; None for nothing
    """

    message: str
    sent: bool
    final: bool = False
    begun: Answer | None = None


@record
class Answer:
    """An HTTP answer.

    status   HTTP status
    headers  case-insensitive mapping
    content  the body's bytes
    damage   what was wrong with how it came, in words: all the same it holds what it should; "" where nothing was
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    damage: str = ""

    @property
    def retry_after(self) -> float | None:
        return retry_after(self.status, self.headers, time.time())


_NUMBER = r"\s*[0-9]+(\.[0-9]*)?\s*"
# Seconds that stand for "for ever" and can still be written as a number.
_LONGEST = 1e9


def retry_after(status: int, headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait as `Retry-After` (seconds or a date) or `X-RateLimit-Reset` says; None without either.

    `X-RateLimit-Reset` above 1e9 is an epoch, else seconds. It tells when the service counts anew, and counts only
    where nothing is left to spend until then: with 429, or with `X-RateLimit-Remaining: 0`.
    """
    named = headers.get("Retry-After")
    if named is not None:
        if re.fullmatch(_NUMBER, named):
            return min(float(named), _LONGEST)
        from email.utils import parsedate_to_datetime

        try:
            return max(0.0, parsedate_to_datetime(named).timestamp() - now)
        except (ValueError, TypeError, OverflowError):
            pass
    reset = headers.get("X-RateLimit-Reset", "")
    if status != 429 and headers.get("X-RateLimit-Remaining", "").strip() != "0":
        return None
    if re.fullmatch(_NUMBER, reset):
        moment = float(reset)
        moment = moment / 1000 if moment > 1e11 else moment  # some count in milliseconds
        return min(max(0.0, moment - now) if moment > 1e9 else moment, _LONGEST)
    return None
