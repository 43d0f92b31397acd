"""Whether the structure of a picture is whole: PNG, JPEG, GIF, ICO, BMP, TIFF. Pure but for reading the file it is handed.

READERS   media type -> (walking.File) -> None; raises Broken
png_size  width and height of a PNG, from its header
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from .walking import CUT, MOST_ELEMENTS, PIECE, Broken, File

# Pixels are unpacked so many bytes at a time: what stays in the processor's cache takes a fifth less.
_UNPACKED = 32 * 1024


class _Png(NamedTuple):
    """What the header of a PNG says (third edition, 11.2.1)."""

    width: int
    height: int
    depth: int
    colour: int
    interlace: int

    @property
    def bytes(self) -> int:
        """How many its pixels take, with the filter's byte before each row."""
        bits = self.depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[self.colour]
        passes = _ADAM7 if self.interlace else ((0, 0, 1, 1),)
        total = 0
        for left, top, across, down in passes:
            columns, rows = -(-(self.width - left) // across), -(-(self.height - top) // down)
            total += rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0
        return total


# Where each pass begins and how far its pixels are apart (third edition, 8.1).
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def _png_head(file: File) -> _Png:
    length, kind, *said = file.numbers(">I4sIIBBxxB", 8)
    head = _Png(*said)
    if (
        length != 13
        or kind != b"IHDR"
        or not head.width
        or not head.height
        or head.depth not in _DEPTHS.get(head.colour, ())
    ):
        raise Broken("its header makes no sense")
    return head


def png_size(file, size: int) -> tuple[int, int]:
    """Width and height of a PNG; raises Broken."""
    try:
        head = _png_head(File(file, size))
    except struct.error:
        raise Broken(CUT) from None
    return head.width, head.height


def _png(file: File) -> None:
    """Whether every pixel is there: the checksums of what they are made of fit, and it unpacks to its size.

    Other chunks (a text, a time, a profile) are not looked at: a picture is no worse for them.
    """
    pixels = _Pixels(_png_head(file).bytes)
    place = 8
    for _ in range(MOST_ELEMENTS):
        length, kind = file.numbers(">I4s", place)
        if place + 12 + length > file.size:
            raise Broken(CUT)
        if kind[:1].isupper():
            checksum = zlib.crc32(kind)
            for piece in file.pieces(place + 8, length):
                checksum = zlib.crc32(piece, checksum)
                if kind == b"IDAT":
                    pixels.take(piece)
            if file.numbers(">I", place + 8 + length) != (checksum,):
                raise Broken(f"the checksum of its {kind.decode('latin-1')} is wrong")
        if kind == b"IEND":
            return pixels.end()
        place += 12 + length
    raise Broken("it has too many parts")


class _Pixels:
    """Counts what the data of a PNG unpack to, and keeps none of it."""

    def __init__(self, wanted: int):
        self._wanted = wanted
        self._decoder = zlib.decompressobj()

    def take(self, piece: bytes) -> None:
        view = memoryview(piece)
        try:
            for place in range(0, len(view), _UNPACKED):
                left: bytes | memoryview = view[place : place + _UNPACKED]
                while left and not self._decoder.eof and self._wanted > 0:
                    self._wanted -= len(self._decoder.decompress(left, _UNPACKED))
                    left = self._decoder.unconsumed_tail
        except zlib.error:
            raise Broken("its pixels cannot be unpacked") from None

    def end(self) -> None:
        if self._wanted > 0:
            raise Broken("it has too few pixels")


def _jpeg(file: File) -> None:
    """Whether the picture has an end; what is between its scans has no marker of an end in it."""
    place = 2
    for _ in range(MOST_ELEMENTS):
        mark, kind = file.numbers(">BB", place)
        if mark != 0xFF:
            raise Broken("it has no picture in it")
        if kind == 0xFF:  # padding
            place += 1
            continue
        place += 2 if kind == 0x01 or 0xD0 <= kind <= 0xD8 else 2 + file.numbers(">H", place + 2)[0]
        if kind == 0xDA:
            return _jpeg_end(file, place)
    raise Broken("it has no picture in it")


def _jpeg_end(file: File, place: int) -> None:
    before = b""
    while piece := file.at(min(place, file.size), PIECE):
        if b"\xff\xd9" in before + piece:
            return
        before, place = piece[-1:], place + len(piece)
    raise Broken(CUT)


def _gif(file: File) -> None:
    """GIF89a, appendix B: blocks of blocks until the trailer, and a picture among them."""
    (flags,) = file.numbers("B", 10)
    place = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    has_picture = False
    for _ in range(MOST_ELEMENTS):
        (kind,) = file.numbers("B", place)
        if kind == 0x3B:
            if has_picture:
                return
            break
        if kind == 0x2C:
            has_picture = True
            (flags,) = file.numbers("B", place + 9)
            place += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        elif kind == 0x21:
            place += 2
        else:
            raise Broken("its parts cannot be told apart")
        while length := file.numbers("B", place)[0]:
            place += 1 + length
        place += 1
    raise Broken("it has no picture in it" if not has_picture else "it has too many parts")


def _icon(file: File) -> None:
    (count,) = file.numbers("<H", 4)
    for number in range(count):
        length, place = file.numbers("<II", 14 + 16 * number)
        if place + length > file.size:
            raise Broken(CUT)


def _bitmap(file: File) -> None:
    (claimed,) = file.numbers("<I", 2)
    if claimed > file.size:
        raise Broken(CUT)


_MOST_PAGES = 1000
# Tags of where the strips or tiles of a picture lie, and how long each is (TIFF 6.0, 8 and 15).
_PLACES, _LENGTHS = (273, 324), (279, 325)
_NUMBERS = {3: "H", 4: "I", 16: "Q"}


def _tiff(file: File) -> None:
    """Whether every strip or tile of each picture is there. They are not unpacked: libtiff writes to stderr then."""
    order = "<" if file.at(0, 2) == b"II" else ">"
    is_big = file.numbers(order + "H", 2) == (43,)
    (place,) = file.numbers(order + ("Q" if is_big else "I"), 8 if is_big else 4)
    for _ in range(_MOST_PAGES):
        tags, place = _tiff_page(file, order, is_big, place)
        starts = next((tags[tag] for tag in _PLACES if tag in tags), ())
        lengths = next((tags[tag] for tag in _LENGTHS if tag in tags), ())
        if not starts or len(starts) != len(lengths):
            raise Broken("it has no picture in it")
        if any(at + length > file.size for at, length in zip(starts, lengths)):
            raise Broken(CUT)
        if not place:
            return


def _tiff_page(file: File, order: str, is_big: bool, place: int) -> tuple[dict[int, tuple], int]:
    """`({tag: numbers}, place of the next page)`; tags that hold no whole numbers are left out."""
    (count,) = file.numbers(order + ("Q" if is_big else "H"), place)
    place += 8 if is_big else 2
    entry = order + ("HHQ" if is_big else "HHI")
    room = 8 if is_big else 4
    found = {}
    for _ in range(min(count, MOST_ELEMENTS)):
        tag, kind, number = file.numbers(entry, place)
        place += struct.calcsize(entry)
        layout = _NUMBERS.get(kind)
        if layout and tag in (*_PLACES, *_LENGTHS):
            if number > MOST_ELEMENTS:
                raise Broken("it has too many parts")
            layout = f"{order}{number}{layout}"
            is_here = struct.calcsize(layout) <= room
            found[tag] = file.numbers(layout, place if is_here else file.numbers(order + "IQ"[is_big], place)[0])
        place += room
    return found, file.numbers(order + "IQ"[is_big], place)[0]


READERS = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/gif": _gif,
    "image/bmp": _bitmap,
    "image/tiff": _tiff,
    "image/vnd.microsoft.icon": _icon,
}
