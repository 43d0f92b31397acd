"""Whether the structure of a media file is whole. Pure but for reading the file it is handed.

    inspect   walk a file's own structure: raises Broken, and may know the media type better

Structures are read as their specifications say: ISO/IEC 14496-12 (boxes), RFC 8794 (EBML), RIFF, RFC 3533
(Ogg), PNG (third edition), glTF 2.0. Whatever the size of a file, one piece of it is in memory; what a
length in it claims is compared with the file and never allocated. Media that real programs write and real
players play are whole, also where they are not what a specification asks for: a WAV that was written to a
pipe, a film with a trailer behind it.
"""

from __future__ import annotations

import re
import struct

from . import formats, rasters
from .walking import CUT, MOST_ELEMENTS, Broken, File

# What a program writes as a length that it cannot know: 0, and numbers of about 2 and 4 GiB (sox 0x7ffff000,
# arecord 0x80000000, ffmpeg 0xffffffff, OpenAI's speech 2,000,000,036 less its header).
_UNKNOWN_LENGTH = 2_000_000_000


def inspect(file, size: int, media_type: str) -> str:
    """The media type of a file whose structure is whole, more exact than `sniff` can tell it.

    file        opened for reading bytes, seekable
    size        its length in bytes
    media_type  from `formats.sniff`

    Raises Broken. A type whose structure is not known here is taken as it is.
    """
    reader = _READERS.get(media_type)
    try:
        return (reader(File(file, size)) if reader else None) or media_type
    except struct.error:
        raise Broken(CUT) from None


# -- ISO base media: MP4, QuickTime, AVIF, HEIC ----------------------------------------------------

# The boxes that a film is in. A "box" behind them that reaches beyond the end is a trailer of some other make.
_FILM = {b"moov", b"moof", b"mdat"}


def _boxes(file: File, place: int, end: int):
    """`(kind, begin, end)` of the boxes between two places; raises Broken where one reaches beyond.

    What follows the last box and is none is padding that some writers leave.
    """
    for _ in range(MOST_ELEMENTS):
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


def _movie(file: File) -> str | None:
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


def _handlers(file: File, begin: int, end: int):
    """The kind of each track: `vide`, `soun`, …"""
    for track, track_begin, track_end in _boxes(file, begin, end):
        for media, media_begin, media_end in _boxes(file, track_begin, track_end) if track == b"trak" else ():
            for kind, place, _ in _boxes(file, media_begin, media_end) if media == b"mdia" else ():
                if kind == b"hdlr":
                    yield file.at(place + 8, 4)


def _sound_of_film(file: File) -> str | None:
    """A file whose brand says sound, and which holds a film all the same."""
    return _movie(file) or "video/mp4"


def _picture_boxes(file: File) -> None:
    if not {b"ftyp", b"meta"} <= {kind for kind, _, _ in _boxes(file, 0, file.size)}:
        raise Broken("it has no picture in it")


# -- EBML: WebM, Matroska --------------------------------------------------------------------------

_EBML, _SEGMENT, _TRACKS, _CLUSTER = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75"
_DOCUMENT_TYPE, _TRACK, _TRACK_TYPE = b"\x42\x82", b"\xae", b"\x83"
_VIDEO_TRACK = 1
# Whose content is walked as if it stood where they stand; so is every element of unknown length (RFC 8794, 6.2),
# which ends where one begins that cannot be in it.
_OPENED = {_EBML, _SEGMENT, _TRACKS, _TRACK}


def _elements(file: File):
    """`(id, begin, end)` of the elements of a file, those in _OPENED followed by what is in them."""
    place = 0
    for _ in range(MOST_ELEMENTS):
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


def _matroska(file: File) -> str | None:
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


def _chunks(file: File, place: int, layout: str):
    """`(kind, begin, length as it is claimed)` of the chunks from a place on; a LIST by the kind of its content."""
    for _ in range(MOST_ELEMENTS):
        if place + 8 > file.size:
            return
        kind, size = file.numbers(layout, place)
        yield file.at(place + 8, 4) if kind == b"LIST" else kind, place + 8, size
        place += 8 + size + size % 2


def _says_nothing(claimed: int) -> bool:
    """Whether a length is one that a writer puts where it cannot go back to say the true one."""
    return claimed == 0 or claimed >= _UNKNOWN_LENGTH


def _riff(file: File) -> set[bytes]:
    """The kinds of the chunks of a RIFF file; raises Broken where one is cut."""
    (claimed,) = file.numbers("<I", 4)
    if not _says_nothing(claimed) and claimed + 8 > file.size + 1:
        raise Broken(CUT)
    found = set()
    for kind, begin, size in _chunks(file, 12, "<4sI"):
        if begin + size > file.size + 1 and kind in (b"data", b"movi") and not _says_nothing(size):
            raise Broken(CUT)
        found.add(kind)
        if kind == b"data" and _says_nothing(size):
            break  # nothing can be found behind it
    return found


def _wave(file: File) -> None:
    if not {b"fmt ", b"data"} <= _riff(file):
        raise Broken("it has no sound in it")


def _avi(file: File) -> None:
    if not {b"hdrl", b"movi"} <= _riff(file):
        raise Broken("it has no film in it")


def _webp(file: File) -> None:
    (length,) = file.numbers("<I", 4)
    if 8 + length > file.size:
        raise Broken(CUT)


def _aiff(file: File) -> None:
    found = {}
    for kind, begin, size in _chunks(file, 12, ">4sI"):
        found[kind] = size
        if kind == b"SSND" and begin + size > file.size + 1 and not _says_nothing(size):
            raise Broken(CUT)
    if not {b"COMM", b"SSND"} <= set(found):
        raise Broken("it has no sound in it")


# -- sound -----------------------------------------------------------------------------------------


def _mpeg_audio(file: File) -> str | None:
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


def _ogg(file: File) -> None:
    head = file.at(0, 27)
    segments = file.at(27, head[26] if len(head) == 27 else 255)
    if len(head) < 27 or sum(segments) + 27 + len(segments) > file.size or file.size < 28:
        raise Broken(CUT)


def _flac(file: File) -> None:
    kind, size = file.numbers(">B3s", 4)
    if kind & 0x7F or int.from_bytes(size, "big") != 34 or file.size < 42:
        raise Broken("it does not say what its sound is like")


# -- models, drawings, archives ----------------------------------------------------------------------


def _glb(file: File) -> None:
    version, size, first, kind = file.numbers("<IIII", 4)
    if version not in (1, 2) or (version == 2 and kind != 0x4E4F534A):
        raise Broken("it is no binary glTF of version 2")
    if size > file.size or 20 + first > size:
        raise Broken(CUT)


def _written_to_its_end(mark: bytes):
    """A document whose last words are known."""

    def read(file: File) -> None:
        if mark not in file.at(max(0, file.size - formats.HEAD), formats.HEAD):
            raise Broken(CUT)

    return read


def _drawing(file: File) -> None:
    end = file.at(max(0, file.size - formats.HEAD), formats.HEAD)
    # A drawing without content closes itself.
    if b"svg>" not in end and not re.search(rb"<(svg:)?svg\s[^<>]*/>\s*\Z", end):
        raise Broken(CUT)


def _archive(file: File) -> str | None:
    """A ZIP archive; some formats are one, and its first names tell which."""
    import zipfile

    try:
        with zipfile.ZipFile(_Opened(file)) as archive:
            names = [entry.filename for entry in archive.infolist()[:100]]
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError):
        raise Broken(CUT) from None
    if names and re.search(r"(?i)\.usd[ac]?$", names[0]):
        return "model/vnd.usdz+zip"
    return "model/3mf" if any(name.lower().startswith("3d/") and name.endswith(".model") for name in names) else None


class _Opened:
    """A File as the libraries of Python read one."""

    def __init__(self, file: File):
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


_READERS = {
    **rasters.READERS,
    "image/webp": _webp,
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
