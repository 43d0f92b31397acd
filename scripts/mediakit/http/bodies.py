"""Bodies of requests that are read from disk while they are sent.

    Source      a file as it was when it was hashed
    Body        content type, exact length, pieces
    multipart   fields and files as multipart/form-data (RFC 7578)
    with_base64 a JSON object in which files stand as base64
    plain       one file and nothing else
    Changed     a file is not any more what it was

However large the files are, only one piece is in memory.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections import namedtuple

# Divides by three, so that the base64 of the pieces is the base64 of the whole.
PIECE = 768 * 1024

# One part of a form: name, and either text or a Source with a file name.
Part = namedtuple("Part", "name text source filename", defaults=(None, None, None))


class Changed(Exception):
    """A file is not any more what it was when it was hashed."""


class Source:
    """A file as it was when it was hashed.

    path    where it lies; None for a spooled one
    spool   an open file that only this process has; None for one with a path
    size, sha256, media_type
    """

    def __init__(self, path: str | None, size: int, sha256: str, media_type: str, stamp=None, spool=None):
        self.path = path
        self.size = size
        self.sha256 = sha256
        self.media_type = media_type
        self._stamp = stamp
        self._spool = spool
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises Changed where the file on disk is another one by now."""
        if self.path is not None:
            try:
                now = stamp_of(os.stat(self.path))
            except OSError:
                raise Changed from None
            if now != self._stamp:
                raise Changed

    def pieces(self):
        """Its bytes, PIECE at a time; raises Changed before the last piece where they are others than before."""
        import hashlib

        digest, left = hashlib.sha256(), self.size
        for piece in self._read():
            left -= len(piece)
            digest.update(piece)
            # What is held back keeps a request with wrong bytes from ever being complete.
            if left < 0 or (left == 0 and digest.hexdigest() != self.sha256):
                raise Changed
            yield piece
        if left:
            raise Changed

    def _read(self):
        if self.path is not None:
            try:
                with open(self.path, "rb") as file:
                    while piece := file.read(PIECE):
                        yield piece
            except OSError:
                raise Changed from None
            return
        place = 0
        while True:
            with self._lock:  # the copies of one command share it
                self._spool.seek(place)
                piece = self._spool.read(PIECE)
            if not piece:
                return
            place += len(piece)
            yield piece


def stamp_of(found: os.stat_result) -> tuple:
    """What differs once a file was written to or replaced."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Body:
    """What Wire.post sends: iterating gives the pieces, `len` the exact number of their bytes.

    segments  bytes, or (Source, whether it is sent as base64)
    shown     what a trace tells in place of the bytes
    """

    def __init__(self, content_type: str, segments: list, shown: str):
        self.content_type = content_type
        self.shown = shown
        self._segments = segments
        self._length = sum(_length(segment) for segment in segments)

    def __len__(self) -> int:
        return self._length

    def __iter__(self):
        for segment in self._segments:
            if isinstance(segment, bytes):
                yield segment
            else:
                source, encoded = segment
                yield from map(base64.b64encode, source.pieces()) if encoded else source.pieces()

    def check(self) -> None:
        """Raises Changed where a file on disk is another one by now."""
        for segment in self._segments:
            if not isinstance(segment, bytes):
                segment[0].check()


def _length(segment) -> int:
    if isinstance(segment, bytes):
        return len(segment)
    source, encoded = segment
    return (source.size + 2) // 3 * 4 if encoded else source.size


# -- forms -------------------------------------------------------------------------------------------


def multipart(parts: list[Part]) -> Body:
    """A form; names that no header can carry are percent-encoded, as browsers do it."""
    boundary = f"ai-media-{os.urandom(16).hex()}"
    segments: list = []
    for part in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(part.name)}"'
        if part.source is None:
            segments.append(f"{head}\r\n\r\n".encode() + part.text.encode() + b"\r\n")
            continue
        head += f'; filename="{_quoted(part.filename)}"\r\nContent-Type: {part.source.media_type}'
        segments += [f"{head}\r\n\r\n".encode(), (part.source, False), b"\r\n"]
    segments.append(f"--{boundary}--\r\n".encode())
    shown = "; ".join(f"{part.name}={part.text if part.source is None else _told(part.source)}" for part in parts)
    return Body(f"multipart/form-data; boundary={boundary}", segments, shown)


def _quoted(name: str) -> str:
    for character in '\r\n"':
        name = name.replace(character, f"%{ord(character):02X}")
    return name


def parts_of(payload: dict, files: dict[str, Part]) -> list[Part]:
    """The parts of a form for the fields of a payload.

    files  a text of the payload -> the file that it stands for, with its `source` and `filename`

    An array repeats the part. What is neither text nor array is written as JSON; null, which no form
    can say, is left out.
    """
    found = []
    for name, value in payload.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str) and item in files:
                found.append(files[item]._replace(name=name))
            elif item is not None:
                text = item if isinstance(item, str) else json.dumps(item, ensure_ascii=False, allow_nan=False)
                found.append(Part(name, text))
    return found


# -- JSON --------------------------------------------------------------------------------------------


def with_base64(value: dict, files: dict[str, Source]) -> Body:
    """A JSON object; each text of it that is a key of `files` becomes that file's base64."""
    written = json.dumps(value, ensure_ascii=True, allow_nan=False)
    segments: list = [written]
    for text, source in files.items():
        written = written.replace(json.dumps(text)[1:-1], _told(source))
        segments = [piece for segment in segments for piece in _split(segment, json.dumps(text)[1:-1], source)]
    segments = [segment.encode() if isinstance(segment, str) else segment for segment in segments]
    return Body("application/json", segments, written)


def plain(source: Source) -> Body:
    """A file as the whole body."""
    return Body(source.media_type, [(source, False)], _told(source))


def _split(segment, text: str, source: Source) -> list:
    if not isinstance(segment, str):
        return [segment]
    first, *rest = segment.split(text)
    return [first, *(piece for part in rest for piece in ((source, True), part))]


def _told(source: Source) -> str:
    return f"<{source.size} bytes, sha256 {source.sha256}>"
