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
from dataclasses import dataclass


@dataclass(frozen=True)
class StreamOpened:
    status: int


@dataclass(frozen=True)
class StreamChunk:
    content: bytes


@dataclass(frozen=True)
class StreamEnded:
    """`reason` is "eof" or "reset"; `message` says in words what a reset was."""

    reason: str
    message: str = ""


@dataclass(frozen=True)
class Lost:
    """`message` is for people; `sent` tells whether a byte of the request may have left."""

    message: str
    sent: bool


class Answer:
    """A complete HTTP answer.

    status   HTTP status
    headers  case-insensitive mapping
    content  the body's bytes
    """

    def __init__(self, status: int, headers, content: bytes):
        self.status = status
        self.headers = headers
        self.content = content

    @property
    def retry_after(self) -> float | None:
        return retry_after(self.headers, time.time())


def retry_after(headers, now: float) -> float | None:
    """Seconds to wait as `Retry-After` (seconds or a date) or `X-RateLimit-Reset` says; None without either.

    `X-RateLimit-Reset` above 1e9 is an epoch, else seconds.
    """
    named = headers.get("Retry-After")
    if named is not None:
        if re.fullmatch(r"\s*\d{1,9}(\.\d{1,6})?\s*", named):
            return float(named)
        from email.utils import parsedate_to_datetime

        try:
            return max(0.0, parsedate_to_datetime(named).timestamp() - now)
        except (ValueError, TypeError, OverflowError):
            pass
    reset = headers.get("X-RateLimit-Reset", "")
    if re.fullmatch(r"\s*\d{1,12}(\.\d{1,6})?\s*", reset):
        moment = float(reset)
        return max(0.0, moment - now) if moment > 1e9 else moment
    return None
