"""Server-Sent Events: bytes in, events out, as the WHATWG says. Pure.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import codecs
from collections import namedtuple

from ..base.regex import regex

# name is "message" when the stream gave none; last_event_id lasts from event to event.
Event = namedtuple("Event", "name data last_event_id")

LARGEST_EVENT = 16 * 1024 * 1024

_LINE_END = regex("\r\n|\n|\r")


class EventTooLarge(ValueError):
    """One event grew beyond the limit."""


class LineSplitter:
    """Text in pieces of any size, whole lines out; CR, LF and CRLF all end a line."""

    def __init__(self, largest: int):
        self._largest = largest
        self._pieces: list[str] = []
        self._size = 0
        self._after_cr = False

    def feed(self, text: str) -> list[str]:
        # A CR ends its line at once; only an LF that comes right after it says it was half of a CRLF.
        if self._after_cr and text.startswith("\n"):
            text = text[1:]
            self._after_cr = False
        if not text:
            return []
        self._after_cr = text.endswith("\r")
        first, *rest = _LINE_END.split(text)
        self._keep(first)
        if not rest:
            return []
        lines = [self.unfinished, *rest[:-1]]
        self._pieces, self._size = [], 0
        self._keep(rest[-1])
        return lines

    def _keep(self, piece: str) -> None:
        self._size += len(piece)
        if self._size > self._largest:
            raise EventTooLarge(f"a line of more than {self._largest} characters")
        if piece:
            self._pieces.append(piece)

    @property
    def unfinished(self) -> str:
        """The last line as far as it has come."""
        return "".join(self._pieces)


class Decoder:
    """Feed it the bytes of a stream in chunks cut anywhere.

    feed        bytes -> the events that they complete; raises EventTooLarge
    pending     the data of an event that no blank line has ended: the specification drops it at
                the end of the stream, and so does `feed`; a caller in need may still look
    retry       the reconnection time in milliseconds, if the stream named one
    """

    def __init__(self, largest_event: int = LARGEST_EVENT):
        self.retry: int | None = None
        self._largest = largest_event
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._lines = LineSplitter(largest_event)
        self._at_start = True
        self._name = ""
        self._data: list[str] = []
        self._size = 0
        self._last_event_id = ""

    def feed(self, chunk: bytes) -> list[Event]:
        text = self._decode(chunk)
        if self._at_start and text:
            self._at_start = False
            text = text.removeprefix("\ufeff")
        events = []
        for line in self._lines.feed(text):
            if line:
                self._read_field(line)
            elif event := self._dispatch():
                events.append(event)
        return events

    def _read_field(self, line: str) -> None:
        name, _, value = line.partition(":")  # a comment is a field without a name
        value = value.removeprefix(" ")
        if name == "data":
            self._size += len(value) + 1
            if self._size > self._largest:
                raise EventTooLarge(f"an event of more than {self._largest} characters")
            self._data.append(value)
        elif name == "event":
            self._name = value
        elif name == "id":
            if "\0" not in value:
                self._last_event_id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value[:9])

    def _dispatch(self) -> Event | None:
        name, data = self._name or "message", self._data
        self._name, self._data, self._size = "", [], 0
        return Event(name, "\n".join(data), self._last_event_id) if data else None

    @property
    def pending(self) -> str:
        line = self._lines.unfinished
        more = [line[len("data:") :].removeprefix(" ")] if line.startswith("data:") else []
        return "\n".join([*self._data, *more])
