"""Whether the structure of a media file is whole. Pure but for reading the file it is handed.

    inspect   walk a file's own structure: raises Broken, and may know the media type better
    png_size  width and height of a PNG, from its header

Structures are read as their specifications say: ISO/IEC 14496-12 (boxes), RFC 8794 (EBML), RIFF, RFC 3533
(Ogg), PNG (third edition), glTF 2.0. Whatever the size of a file, one piece of it is in memory; what a
length in it claims is compared with the file and never allocated. Media that real programs write and real
players play are whole, also where they are not what a specification asks for: a WAV that was written to a
pipe, a film with a trailer behind it.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import NamedTuple

from . import formats

_MOST_ELEMENTS = 100_000
_PIECE = 1024**2
# What a program writes as a length that it cannot know: 0, and numbers of about 2 and 4 GiB (sox 0x7ffff000,
# arecord 0x80000000, ffmpeg 0xffffffff, OpenAI's speech 2,000,000,036 less its header).
_UNKNOWN_LENGTH = 2_000_000_000


class Broken(Exception):
    """A file's structure cannot be read; the message is a few words for people."""


_CUT = "it ends in the middle"


def inspect(file, size: int, media_type: str) -> str:
    """The media type of a file whose structure is whole, more exact than `sniff` can tell it.

    file        opened for reading bytes, seekable
    size        its length in bytes
    media_type  from `formats.sniff`

    Raises Broken. A type whose structure is not known here is taken as it is.
    """
    reader = _READERS.get(media_type)
    try:
        return (reader(_File(file, size)) if reader else None) or media_type
    except struct.error:
        raise Broken(_CUT) from None


class _File:
    """Reads at a place; the end of the file is an end, not an error."""

    def __init__(self, file, size: int):
        self._file = file
        self.size = size

    def at(self, place: int, length: int) -> bytes:
        if not 0 <= place <= self.size or length < 0:
            raise Broken(_CUT)
        self._file.seek(place)
        return self._file.read(length)

    def numbers(self, layout: str, place: int) -> tuple:
        return struct.unpack(layout, self.at(place, struct.calcsize(layout)))

    def pieces(self, place: int, length: int):
        """So many bytes from a place on, piece by piece."""
        while length > 0:
            piece = self.at(place, min(length, _PIECE))
            if not piece:
                raise Broken(_CUT)
            yield piece
            place, length = place + len(piece), length - len(piece)


# -- ISO base media: MP4, QuickTime, AVIF, HEIC ----------------------------------------------------

# The boxes that a film is in. A "box" behind them that reaches beyond the end is a trailer of some other make.
_FILM = {b"moov", b"moof", b"mdat"}


def _boxes(file: _File, place: int, end: int):
    """`(kind, begin, end)` of the boxes between two places; raises Broken where one reaches beyond.

    What follows the last box and is none is padding that some writers leave.
    """
    for _ in range(_MOST_ELEMENTS):
        if end - place < 8:
            return
        size, kind = file.numbers(">I4s", place)
        if not re.fullmatch(rb"[ -~\xa9][ -~]{3}", kind):
            return
        header = 8
        if size == 1:
            (size,), header = file.numbers(">Q", place + 8), 16
        stop = end if size == 0 else place + size
        if stop < place + header or stop > end:
            raise _Beyond("a box of it reaches beyond its end", kind)
        yield kind, place + header, stop
        place = stop
    raise Broken("it has too many boxes")


class _Beyond(Broken):
    """One box, of the kind that the second argument names, reaches beyond the end."""

    def __str__(self) -> str:
        return self.args[0]


def _movie(file: _File) -> str | None:
    handlers: set[bytes] = set()
    found: set[bytes] = set()
    try:
        for kind, begin, end in _boxes(file, 0, file.size):
            found.add(kind)
            if kind == b"moov":
                handlers = set(_handlers(file, begin, end))
    except _Beyond as problem:
        is_trailer = b"moov" in found and found & {b"mdat", b"moof"} and problem.args[1] not in _FILM
        if not is_trailer:
            raise
    if not handlers:
        raise Broken("it has no track")
    if not found & {b"mdat", b"moof"}:
        raise Broken("it has tracks, but nothing in them")
    return "audio/mp4" if handlers & {b"soun"} and not handlers & {b"vide", b"pict"} else None


def _handlers(file: _File, begin: int, end: int):
    """The kind of each track: `vide`, `soun`, …"""
    for track, track_begin, track_end in _boxes(file, begin, end):
        for media, media_begin, media_end in _boxes(file, track_begin, track_end) if track == b"trak" else ():
            for kind, place, _ in _boxes(file, media_begin, media_end) if media == b"mdia" else ():
                if kind == b"hdlr":
                    yield file.at(place + 8, 4)


def _sound_of_film(file: _File) -> str | None:
    """A file whose brand says sound, and which holds a film all the same."""
    return _movie(file) or "video/mp4"


def _picture_boxes(file: _File) -> None:
    if not {b"ftyp", b"meta"} <= {kind for kind, _, _ in _boxes(file, 0, file.size)}:
        raise Broken("it has no picture in it")


# -- EBML: WebM, Matroska --------------------------------------------------------------------------

_EBML, _SEGMENT, _TRACKS, _CLUSTER = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75"
_DOCUMENT_TYPE, _TRACK, _TRACK_TYPE = b"\x42\x82", b"\xae", b"\x83"
_VIDEO_TRACK = 1
# Whose content is walked as if it stood where they stand; so is every element of unknown length (RFC 8794, 6.2),
# which ends where one begins that cannot be in it.
_OPENED = {_EBML, _SEGMENT, _TRACKS, _TRACK}


def _elements(file: _File):
    """`(id, begin, end)` of the elements of a file, those in _OPENED followed by what is in them."""
    place = 0
    for _ in range(_MOST_ELEMENTS):
        if place >= file.size:
            return
        name = file.at(place, _vint_length(file.at(place, 1), 4))
        place += len(name)
        length = _vint_length(file.at(place, 1), 8)
        content = file.at(place, length)
        mask = (1 << 7 * length) - 1
        value = int.from_bytes(content, "big") & mask
        place += length
        is_unknown = value == mask
        if len(content) < length or (not is_unknown and place + value > file.size):
            raise Broken("an element of it reaches beyond its end")
        yield name, place, place if is_unknown else place + value
        if not is_unknown and name not in _OPENED:
            place += value
    raise Broken("it has too many elements")


def _vint_length(first: bytes, longest: int) -> int:
    length = 9 - first[0].bit_length() if first else 9
    if length > longest:
        raise Broken("its elements cannot be told apart")
    return length


def _matroska(file: _File) -> str | None:
    names, kinds, document = set(), set(), b""
    for name, begin, end in _elements(file):
        names.add(name)
        if name == _TRACK_TYPE:
            kinds.add(int.from_bytes(file.at(begin, min(end - begin, 8)), "big"))
        if name == _DOCUMENT_TYPE:
            document = file.at(begin, min(end - begin, 64)).rstrip(b"\0")
    if _SEGMENT not in names:
        raise Broken("it has no content")
    if not kinds or _CLUSTER not in names:
        raise Broken("it has no track" if not kinds else "it has tracks, but nothing in them")
    kind = "video" if _VIDEO_TRACK in kinds else "audio"
    return f"{kind}/{'x-matroska' if document == b'matroska' else 'webm'}"


# -- RIFF and AIFF: WAV, AVI, WebP -----------------------------------------------------------------


def _chunks(file: _File, place: int, layout: str):
    """`(kind, begin, length as it is claimed)` of the chunks from a place on; a LIST by the kind of its content."""
    for _ in range(_MOST_ELEMENTS):
        if place + 8 > file.size:
            return
        kind, size = file.numbers(layout, place)
        yield file.at(place + 8, 4) if kind == b"LIST" else kind, place + 8, size
        place += 8 + size + size % 2


def _says_nothing(claimed: int) -> bool:
    """Whether a length is one that a writer puts where it cannot go back to say the true one."""
    return claimed == 0 or claimed >= _UNKNOWN_LENGTH


def _riff(file: _File) -> set[bytes]:
    """The kinds of the chunks of a RIFF file; raises Broken where one is cut."""
    (claimed,) = file.numbers("<I", 4)
    if not _says_nothing(claimed) and claimed + 8 > file.size + 1:
        raise Broken(_CUT)
    found = set()
    for kind, begin, size in _chunks(file, 12, "<4sI"):
        if begin + size > file.size + 1 and kind in (b"data", b"movi") and not _says_nothing(size):
            raise Broken(_CUT)
        found.add(kind)
        if kind == b"data" and _says_nothing(size):
            break  # nothing can be found behind it
    return found


def _wave(file: _File) -> None:
    if not {b"fmt ", b"data"} <= _riff(file):
        raise Broken("it has no sound in it")


def _avi(file: _File) -> None:
    if not {b"hdrl", b"movi"} <= _riff(file):
        raise Broken("it has no film in it")


def _webp(file: _File) -> None:
    (length,) = file.numbers("<I", 4)
    if 8 + length > file.size:
        raise Broken(_CUT)


def _aiff(file: _File) -> None:
    found = {}
    for kind, begin, size in _chunks(file, 12, ">4sI"):
        found[kind] = size
        if kind == b"SSND" and begin + size > file.size + 1 and not _says_nothing(size):
            raise Broken(_CUT)
    if not {b"COMM", b"SSND"} <= set(found):
        raise Broken("it has no sound in it")


# -- sound -----------------------------------------------------------------------------------------


def _mpeg_audio(file: _File) -> str | None:
    """A sound, or one of another format behind an ID3 tag."""
    place = 0
    head = file.at(0, 10)
    if head[:3] == b"ID3":  # its size is written seven bits a byte
        place = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0)))
        found = formats.sniff(file.at(min(place, file.size), formats.HEAD)) or ""
        if found.startswith("audio/"):
            return found
    # Padding may stand before the first frame: version, layer, bit rate and sampling rate must be sensible.
    start = file.at(place, 65536)
    for found in re.finditer(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]", start):
        if formats.mpeg_frame(start[found.start() : found.start() + 4])[0]:
            return None
    raise Broken("it has no sound in it")


def _ogg(file: _File) -> None:
    head = file.at(0, 27)
    segments = file.at(27, head[26] if len(head) == 27 else 255)
    if len(head) < 27 or sum(segments) + 27 + len(segments) > file.size or file.size < 28:
        raise Broken(_CUT)


def _flac(file: _File) -> None:
    kind, size = file.numbers(">B3s", 4)
    if kind & 0x7F or int.from_bytes(size, "big") != 34 or file.size < 42:
        raise Broken("it does not say what its sound is like")


# -- models, drawings, archives ----------------------------------------------------------------------


def _glb(file: _File) -> None:
    version, size, first, kind = file.numbers("<IIII", 4)
    if version not in (1, 2) or (version == 2 and kind != 0x4E4F534A):
        raise Broken("it is no binary glTF of version 2")
    if size > file.size or 20 + first > size:
        raise Broken(_CUT)


def _written_to_its_end(mark: bytes):
    """A document whose last words are known."""

    def read(file: _File) -> None:
        if mark not in file.at(max(0, file.size - formats.HEAD), formats.HEAD):
            raise Broken(_CUT)

    return read


def _drawing(file: _File) -> None:
    end = file.at(max(0, file.size - formats.HEAD), formats.HEAD)
    # A drawing without content closes itself.
    if b"svg>" not in end and not re.search(rb"<(svg:)?svg\s[^<>]*/>\s*\Z", end):
        raise Broken(_CUT)


def _archive(file: _File) -> str | None:
    """A ZIP archive; some formats are one, and its first names tell which."""
    import zipfile

    try:
        with zipfile.ZipFile(_Opened(file)) as archive:
            names = [entry.filename for entry in archive.infolist()[:100]]
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError):
        raise Broken(_CUT) from None
    if names and re.search(r"(?i)\.usd[ac]?$", names[0]):
        return "model/vnd.usdz+zip"
    return "model/3mf" if any(name.lower().startswith("3d/") and name.endswith(".model") for name in names) else None


class _Opened:
    """A _File as the libraries of Python read one."""

    def __init__(self, file: _File):
        self._file, self._place = file, 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, place: int, whence: int = 0) -> int:
        self._place = max(0, place + (0, self._place, self._file.size)[whence])
        return self._place

    def read(self, length: int = -1) -> bytes:
        left = max(0, self._file.size - self._place)
        piece = self._file.at(min(self._place, self._file.size), left if length < 0 else min(length, left))
        self._place += len(piece)
        return piece


# -- pictures ----------------------------------------------------------------------------------------


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


def _png_head(file: _File) -> _Png:
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
        head = _png_head(_File(file, size))
    except struct.error:
        raise Broken(_CUT) from None
    return head.width, head.height


def _png(file: _File) -> None:
    """Whether every pixel is there: the checksums of what they are made of fit, and it unpacks to its size.

    Other chunks (a text, a time, a profile) are not looked at: a picture is no worse for them.
    """
    pixels = _Pixels(_png_head(file).bytes)
    place = 8
    for _ in range(_MOST_ELEMENTS):
        length, kind = file.numbers(">I4s", place)
        if place + 12 + length > file.size:
            raise Broken(_CUT)
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
        try:
            while piece and not self._decoder.eof and self._wanted > 0:
                self._wanted -= len(self._decoder.decompress(piece, _PIECE))
                piece = self._decoder.unconsumed_tail
        except zlib.error:
            raise Broken("its pixels cannot be unpacked") from None

    def end(self) -> None:
        if self._wanted > 0:
            raise Broken("it has too few pixels")


def _jpeg(file: _File) -> None:
    """Whether the picture has an end; what is between its scans has no marker of an end in it."""
    place = 2
    for _ in range(_MOST_ELEMENTS):
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


def _jpeg_end(file: _File, place: int) -> None:
    before = b""
    while piece := file.at(min(place, file.size), _PIECE):
        if b"\xff\xd9" in before + piece:
            return
        before, place = piece[-1:], place + len(piece)
    raise Broken(_CUT)


def _gif(file: _File) -> None:
    """GIF89a, appendix B: blocks of blocks until the trailer, and a picture among them."""
    (flags,) = file.numbers("B", 10)
    place = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    has_picture = False
    for _ in range(_MOST_ELEMENTS):
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


def _icon(file: _File) -> None:
    (count,) = file.numbers("<H", 4)
    for number in range(count):
        length, place = file.numbers("<II", 14 + 16 * number)
        if place + length > file.size:
            raise Broken(_CUT)


def _bitmap(file: _File) -> None:
    (claimed,) = file.numbers("<I", 2)
    if claimed > file.size:
        raise Broken(_CUT)


_MOST_PAGES = 1000
# Tags of where the strips or tiles of a picture lie, and how long each is (TIFF 6.0, 8 and 15).
_PLACES, _LENGTHS = (273, 324), (279, 325)
_NUMBERS = {3: "H", 4: "I", 16: "Q"}


def _tiff(file: _File) -> None:
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
            raise Broken(_CUT)
        if not place:
            return


def _tiff_page(file: _File, order: str, is_big: bool, place: int) -> tuple[dict[int, tuple], int]:
    """`({tag: numbers}, place of the next page)`; tags that hold no whole numbers are left out."""
    (count,) = file.numbers(order + ("Q" if is_big else "H"), place)
    place += 8 if is_big else 2
    entry = order + ("HHQ" if is_big else "HHI")
    room = 8 if is_big else 4
    found = {}
    for _ in range(min(count, _MOST_ELEMENTS)):
        tag, kind, number = file.numbers(entry, place)
        place += struct.calcsize(entry)
        layout = _NUMBERS.get(kind)
        if layout and tag in (*_PLACES, *_LENGTHS):
            if number > _MOST_ELEMENTS:
                raise Broken("it has too many parts")
            layout = f"{order}{number}{layout}"
            is_here = struct.calcsize(layout) <= room
            found[tag] = file.numbers(layout, place if is_here else file.numbers(order + "IQ"[is_big], place)[0])
        place += room
    return found, file.numbers(order + "IQ"[is_big], place)[0]


_READERS = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
    "image/gif": _gif,
    "image/bmp": _bitmap,
    "image/tiff": _tiff,
    "image/vnd.microsoft.icon": _icon,
    **dict.fromkeys(("image/avif", "image/heic"), _picture_boxes),
    **dict.fromkeys(("video/mp4", "video/quicktime", "video/3gpp"), _movie),
    "audio/mp4": _sound_of_film,
    "video/webm": _matroska,
    "audio/wav": _wave,
    "audio/aiff": _aiff,
    "video/x-msvideo": _avi,
    "audio/mpeg": _mpeg_audio,
    **dict.fromkeys(("audio/ogg", "video/ogg"), _ogg),
    "audio/flac": _flac,
    "model/gltf-binary": _glb,
    "image/svg+xml": _drawing,
    "model/vnd.collada+xml": _written_to_its_end(b"COLLADA>"),
    "application/pdf": _written_to_its_end(b"%%EOF"),
    "application/zip": _archive,
}
