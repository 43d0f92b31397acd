"""Long base64 in an answer, held on disk in place of memory.

    Slimming   takes the pieces of a JSON answer as they come; `content` has a stand-in for each long base64 text
    SlimmingLines  the same for a stream of lines that hold JSON, passed on as it comes
    encoded    the bytes of an answer as a text of base64, held where it is long
    pieces     a text with its stand-ins, piece by piece, as it was
    whole      the same for the bytes of an answer, as they came

Some services answer with the file itself, as base64 or as a data: URL in their JSON. A stand-in is a short text
with a random word of this process in it, which no service can know; it goes through everything that a text can
go through.
"""

from __future__ import annotations

import binascii
import codecs
import json
import os
import re
import threading
from collections.abc import Iterator
from typing import IO

from ..base.regex import regex
from ..base.spool import open_spool

# Longer texts of base64 are held; all of this process together take no more of the disk than that.
LONGEST_TEXT = 256 * 1024
LARGEST_HELD = 4 * 1024**3
_PIECE = 1024 * 1024
# What is left of a text before its stand-in: enough to see what it is.
_LEFT = 64
_WORD = os.urandom(16).hex()
_STAND_IN = regex(rf"\(held:{_WORD}:(\d{{1,9}})\)")
# The letters of base64, and of the escapes that JSON may have among them; only backslashes are left without them.
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-"

_LINE_END = regex(rb"[\r\n]")

_lock = threading.Lock()
_held: list[tuple[IO[bytes], int, int]] = []
_bytes = 0


class Slimming:
    """The bytes of one answer, without its long base64.

    is_json    whether it is JSON; None where that is to be seen
    holds_all  whether what is no JSON is held too, all but its beginning
    content    what came, with stand-ins
    """

    def __init__(self, is_json: bool | None = None, holds_all: bool = False) -> None:
        self.content = bytearray()
        self._is_json = is_json
        self._holds_all = holds_all
        self._string: int | None = None  # where the text begins that is being read
        self._is_escaped = False
        self._file: IO[bytes] | None = None
        self._start = 0
        self._is_plain = False  # the text that is being read is no base64
        self._is_small = is_json is None  # so that no text in it is long, and none was looked at

    def feed(self, piece: bytes) -> None:
        if self._is_json is None:
            begin = (bytes(self.content[:64]) + piece).lstrip(b"\xef\xbb\xbf \t\r\n")[:2]
            self._is_json = None if not begin else begin[:1] in (b"{", b"[") and b"\0" not in begin
        if not self._is_json:
            return self._feed_other(piece)
        if self._is_small:
            if len(self.content) + len(piece) <= LONGEST_TEXT:
                self.content += piece
                return None
            self._is_small, piece = False, bytes(self.content) + piece
            self.content.clear()
        place = 0
        while place < len(piece):
            place = self._outside(piece, place) if self._string is None else self._inside(piece, place)
        return None

    def _feed_other(self, piece: bytes) -> None:
        if self._file is None and (not self._holds_all or len(self.content) + len(piece) <= LONGEST_TEXT):
            self.content += piece
            return
        if self._file is None:
            self._file = open_spool()
        if self._file.tell() + len(piece) > LARGEST_HELD:
            raise ValueError(f"an answer of more than {LARGEST_HELD} bytes")
        self._file.write(piece)

    def _outside(self, piece: bytes, place: int) -> int:
        stop = piece.find(b'"', place) + 1
        self.content += piece[place : stop or len(piece)]
        if stop:
            self._string, self._is_plain = len(self.content), False
        return stop or len(piece)

    def _inside(self, piece: bytes, place: int) -> int:
        stop = self._end_of_string(piece, place)
        self._take(piece[place : len(piece) if stop < 0 else stop])
        if stop < 0:
            return len(piece)
        self._close()
        self.content += b'"'
        return stop + 1

    def _end_of_string(self, piece: bytes, place: int) -> int:
        """Where the quotation mark stands that ends the text; -1 where it does not yet."""
        while True:
            if self._is_escaped:
                self._is_escaped, place = False, place + 1
            quote = piece.find(b'"', place)
            escape = piece.find(b"\\", place, quote if quote >= 0 else len(piece))
            if escape < 0:
                return quote
            self._is_escaped, place = True, escape + 1
            if place >= len(piece):
                return -1

    def _take(self, text: bytes) -> None:
        if self._file is not None:
            self._file.write(text)
            return
        self.content += text
        begin = self._string or 0
        if self._is_plain or len(self.content) - begin <= LONGEST_TEXT:
            return
        if not _is_base64(bytes(self.content[begin:])):
            self._is_plain = True
            return
        left = self.content.find(b"\\", begin, begin + _LEFT)  # an escape is not torn apart
        left = begin + _LEFT if left < 0 else left
        self._file = open_spool()
        self._file.write(self.content[left:])
        del self.content[left:]

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            self.content += _hold(file).encode()
        self._string = None

    def settled(self) -> bytes:
        """Take what will not change any more out of `content`."""
        done = len(self.content) if self._string is None or self._is_plain else self._string
        found = bytes(self.content[:done])
        del self.content[:done]
        self._string = None if self._string is None else self._string - done
        return found

    def finish(self) -> bytes:
        """What came in all; a text that was cut is held as far as it came."""
        if self._file is not None:
            self._close()
        return bytes(self.content)


class SlimmingLines:
    """The bytes of an event stream, without its long base64.

    A text of JSON ends with its line at the latest: whatever else a line holds cannot be mistaken for one for longer.
    """

    def __init__(self) -> None:
        self._line: Slimming | None = None  # one that has begun, and no end yet

    def through(self, piece: bytes) -> bytes:
        """What can be passed on by now."""
        first = _LINE_END.search(piece)
        if first is None:
            return self._grown(piece)
        last = max(piece.rfind(b"\n"), piece.rfind(b"\r")) + 1
        begun = self._grown(piece[: first.start()]) + self.finish()
        # Lines that are whole in one piece hold nothing long.
        return begun + piece[first.start() : last] + (self._grown(piece[last:]) if last < len(piece) else b"")

    def _grown(self, piece: bytes) -> bytes:
        if self._line is None:
            if not piece:
                return b""
            self._line = Slimming(is_json=True)
        self._line.feed(piece)
        return self._line.settled()

    def finish(self) -> bytes:
        """What was held back of the last line."""
        line, self._line = self._line, None
        return line.finish() if line else b""


def _is_base64(text: bytes) -> bool:
    head = re.match(rb"data:[^,]{0,200},", text)
    return not text[head.end() if head else 0 :].translate(None, _LETTERS).strip(b"\\")


def _hold(file: IO[bytes]) -> str:
    """The stand-in for what is in a file; raises ValueError where too much is held by now."""
    global _bytes
    size = file.tell()
    with _lock:
        if _bytes + size > LARGEST_HELD:
            raise ValueError(f"answers that hold more than {LARGEST_HELD} bytes")
        _bytes += size
        _held.append((file, 0, size))
        return f"(held:{_WORD}:{len(_held) - 1})"


def encoded(content: bytes) -> str:
    """The bytes of an answer, as they came, as a text of base64."""
    if len(content) <= LONGEST_TEXT and not _STAND_IN.search(content[-200:].decode("latin-1")):
        return binascii.b2a_base64(content, newline=False).decode()
    file = open_spool()
    left = b""
    for piece in whole(content):
        piece = left + piece
        cut = len(piece) // 3 * 3
        file.write(binascii.b2a_base64(piece[:cut], newline=False))
        left = piece[cut:]
    file.write(binascii.b2a_base64(left, newline=False))
    return _hold(file)


def pieces(text: str) -> Iterator[str]:
    """A text as it was, piece by piece."""
    place = 0
    for found in _STAND_IN.finditer(text):
        yield from _cut(text[place : found.start()])
        yield from _unescaped(_raw(int(found[1])))
        place = found.end()
    yield from _cut(text[place:])


def whole(content: bytes) -> Iterator[bytes]:
    """The bytes of an answer as they came, piece by piece."""
    place = 0
    for found in re.finditer(_STAND_IN.pattern.encode(), content):
        yield content[place : found.start()]
        yield from _raw(int(found[1]))
        place = found.end()
    yield content[place:]


def _cut(text: str) -> Iterator[str]:
    for at in range(0, len(text), _PIECE):
        yield text[at : at + _PIECE]


def _raw(number: int) -> Iterator[bytes]:
    """The bytes that are held, as they stood in JSON."""
    if number >= len(_held):
        return
    file, start, size = _held[number]
    done = 0
    while done < size:
        with _lock:
            file.seek(start + done)
            piece = file.read(min(_PIECE, size - done))
        if not piece:
            return
        done += len(piece)
        yield piece


def _unescaped(raw: Iterator[bytes]) -> Iterator[str]:
    """Text out of what stands in JSON between quotation marks."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    left = ""
    for piece in raw:
        text = left + decoder.decode(piece)
        cut = len(text)
        if (escape := text.rfind("\\", max(0, cut - 6))) >= 0:
            run = len(text[: escape + 1]) - len(text[: escape + 1].rstrip("\\"))
            if run % 2:
                cut = escape
            left = text[cut:]
        else:
            left = ""
        text = text[:cut]
        yield text if "\\" not in text else json.loads(f'"{text}"', strict=False)
    if left:
        try:
            yield json.loads(f'"{left}"', strict=False)
        except ValueError:
            yield left  # it was cut there
