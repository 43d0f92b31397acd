"""A file that is read at one place and another, none of which it can lie about.

File     its bytes, by where they are
Broken   its structure cannot be read
"""

from __future__ import annotations

import struct

MOST_ELEMENTS = 100_000
PIECE = 1024**2


class Broken(Exception):
    """A file's structure cannot be read; the message is a few words for people."""


CUT = "it ends in the middle"


class File:
    """Reads at a place; the end of the file is an end, not an error."""

    def __init__(self, file, size: int):
        self._file = file
        self.size = size

    def at(self, place: int, length: int) -> bytes:
        if not 0 <= place <= self.size or length < 0:
            raise Broken(CUT)
        self._file.seek(place)
        return self._file.read(length)

    def numbers(self, layout: str, place: int) -> tuple:
        return struct.unpack(layout, self.at(place, struct.calcsize(layout)))

    def pieces(self, place: int, length: int):
        """So many bytes from a place on, piece by piece."""
        while length > 0:
            piece = self.at(place, min(length, PIECE))
            if not piece:
                raise Broken(CUT)
            yield piece
            place, length = place + len(piece), length - len(piece)
