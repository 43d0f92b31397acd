"""What a media file is, and whether its structure is whole. Pure but for reading the file it is handed.

    sniff        the media type that a file's first bytes show
    is_text      whether they show words instead of media
    is_plain     whether they show words in UTF-8 that are no page
    inspect      walk a file's own structure: raises Broken, and may know the media type better
    ENDINGS      media type -> the ending of its files
    MEDIA_TYPES  the word for a format -> its media type
    DECODERS     media type -> Pillow's decoder of it

Structures are read as their specifications say: ISO/IEC 14496-12 (boxes), RFC 8794 (EBML), RIFF,
RFC 3533 (Ogg), glTF 2.0. Only headers are read, whatever the size of a file; what a length in it
claims is compared with the file and never allocated.
"""

from __future__ import annotations

import codecs
import re
import struct

# Enough of a file's beginning for `sniff` and `is_text`.
HEAD = 1024

ENDINGS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/bmp": "bmp",
    "image/tiff": "tif",
    "image/svg+xml": "svg",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "mkv",
    "video/x-msvideo": "avi",
    "audio/mpeg": "mp3",
    "audio/aac": "aac",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "audio/webm": "weba",
    "model/gltf-binary": "glb",
    "text/plain": "txt",
    "application/json": "json",
}
# The words that answers have for formats besides the endings.
MEDIA_TYPES = {**{ending: media_type for media_type, ending in ENDINGS.items()}, "jpeg": "image/jpeg"}
# What is decoded, by the name of Pillow's decoder, and by no other: some of them start programs. Every other
# type is known by its structure alone.
DECODERS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/avif": "AVIF",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
}

# (offset, bytes there, media type); the first that fits.
_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/x-msvideo"),
    (4, b"ftypavi", "image/avif"),
    (4, b"ftyphei", "image/heic"),
    (4, b"ftypmif1", "image/heic"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (4, b"moov", "video/quicktime"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xfa", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xf2", "audio/mpeg"),
    (0, b"\xff\xf1", "audio/aac"),
    (0, b"\xff\xf9", "audio/aac"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"glTF", "model/gltf-binary"),
    (0, b"BM", "image/bmp"),
)

_MOST_ELEMENTS = 100_000
_PIECE = 1024**2
_TO_THE_END = -1


class Broken(Exception):
    """A file's structure cannot be read; the message is a few words for people."""


def sniff(head: bytes) -> str | None:
    """The media type that a file's first HEAD bytes show; None for what is not known here."""
    for offset, signature, media_type in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return media_type
    if re.match(rb"(\xef\xbb\xbf)?\s*(<\?xml|<!--|<!DOCTYPE svg|<svg)", head) and b"<svg" in head:
        return "image/svg+xml"
    return None


def is_text(head: bytes) -> str | None:
    """`an HTML page`, `JSON`, `XML` or `text` for a file of words; None for anything else."""
    words = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:256].lower()
    for pattern, name in ((rb"<(!doctype html|html|head|body)", "an HTML page"), (rb"[{\[]", "JSON"), (rb"<", "XML")):
        if re.match(pattern, words):
            return name
    return "text" if words and not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x80-\xff]", words) else None


def is_plain(head: bytes) -> bool:
    """Whether a file's first HEAD bytes are UTF-8 text, JSON among it, and no markup."""
    try:
        # The last character may be cut in two by the end of `head`.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return False
    return not re.search(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]|\A\s*<", text)


def inspect(file, size: int, media_type: str) -> str:
    """The media type of a file whose structure is whole, more exact than `sniff` can tell it.

    file        opened for reading bytes, seekable
    size        its length in bytes
    media_type  from `sniff`

    Raises Broken. A type whose structure is not known here is taken as it is.
    """
    reader = _READERS.get(media_type)
    try:
        return (reader(_File(file, size)) if reader else None) or media_type
    except struct.error:
        raise Broken("it ends in the middle") from None


class _File:
    """Reads at a place; the end of the file is an end, not an error."""

    def __init__(self, file, size: int):
        self._file = file
        self.size = size

    def at(self, place: int, length: int) -> bytes:
        if not 0 <= place <= self.size:
            raise Broken("it ends in the middle")
        self._file.seek(place)
        return self._file.read(length)

    def numbers(self, layout: str, place: int) -> tuple:
        return struct.unpack(layout, self.at(place, struct.calcsize(layout)))


# -- ISO base media: MP4, QuickTime, AVIF, HEIC ----------------------------------------------------


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
            raise Broken("a box of it reaches beyond its end")
        yield kind, place + header, stop
        place = stop
    raise Broken("it has too many boxes")


def _movie(file: _File) -> str | None:
    handlers, found = set(), set()
    for kind, begin, end in _boxes(file, 0, file.size):
        found.add(kind)
        if kind == b"moov":
            handlers = set(_handlers(file, begin, end))
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


def _picture_boxes(file: _File) -> None:
    if not {b"ftyp", b"meta"} <= {kind for kind, _, _ in _boxes(file, 0, file.size)}:
        raise Broken("it has no picture in it")


# -- EBML: WebM, Matroska --------------------------------------------------------------------------

_SEGMENT, _TRACKS, _CLUSTER = b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75"
_DOCUMENT_TYPE, _TRACK, _TRACK_TYPE = b"\x42\x82", b"\xae", b"\x83"
_VIDEO_TRACK, _AUDIO_TRACK = 1, 2


def _elements(file: _File, place: int, end: int):
    """`(id, begin, end)` of the elements between two places; the end is _TO_THE_END where it is not said."""
    for _ in range(_MOST_ELEMENTS):
        if place >= end:
            return
        name = file.at(place, _vint_length(file.at(place, 1), 4))
        place += len(name)
        length = _vint_length(file.at(place, 1), 8)
        content = file.at(place, length)
        value = int.from_bytes(content, "big") & ((1 << 7 * length) - 1)
        place += length
        if value == (1 << 7 * length) - 1:
            yield name, place, _TO_THE_END
            return
        if len(content) < length or place + value > end:
            raise Broken("an element of it reaches beyond its end")
        yield name, place, place + value
        place += value
    raise Broken("it has too many elements")


def _vint_length(first: bytes, longest: int) -> int:
    length = 9 - first[0].bit_length() if first else 9
    if length > longest:
        raise Broken("its elements cannot be told apart")
    return length


def _matroska(file: _File) -> str | None:
    top = _elements(file, 0, file.size)
    _, begin, end = next(top, (None, 0, 0))
    names = {name: file.at(at, stop - at) for name, at, stop in _elements(file, begin, end) if stop - at <= 64}
    name, begin, end = next(top, (None, 0, 0))
    if name != _SEGMENT:
        raise Broken("it has no content")
    kinds, has_cluster = set(), False
    for name, at, stop in _elements(file, begin, file.size if end == _TO_THE_END else end):
        if name == _TRACKS:
            kinds = set(_track_types(file, at, stop))
        has_cluster = has_cluster or name == _CLUSTER
    if not kinds or not has_cluster:
        raise Broken("it has no track" if not kinds else "it has tracks, but nothing in them")
    if names.get(_DOCUMENT_TYPE, b"").rstrip(b"\0") == b"matroska":
        return "video/x-matroska"
    return None if _VIDEO_TRACK in kinds else "audio/webm"


def _track_types(file: _File, begin: int, end: int):
    for name, at, stop in _elements(file, begin, end):
        for part, place, part_end in _elements(file, at, stop) if name == _TRACK else ():
            if part == _TRACK_TYPE:
                yield int.from_bytes(file.at(place, min(part_end - place, 8)), "big")


# -- RIFF: WAV, AVI --------------------------------------------------------------------------------


def _riff(file: _File) -> set[bytes]:
    """The kinds of the chunks of a RIFF file, a LIST by the kind of its content."""
    (claimed,) = file.numbers("<I", 4)
    # A writer that could not go back says 0 or the largest number.
    if claimed not in (0, 0xFFFFFFFF) and claimed + 8 > file.size + 1:
        raise Broken("it ends in the middle")
    found, place = set(), 12
    while place + 8 <= file.size and len(found) < 100:
        kind, size = file.numbers("<4sI", place)
        found.add(file.at(place + 8, 4) if kind == b"LIST" else kind)
        place += 8 + size + size % 2
    return found


def _wave(file: _File) -> None:
    if not {b"fmt ", b"data"} <= _riff(file):
        raise Broken("it has no sound in it")


def _avi(file: _File) -> None:
    if not {b"hdrl", b"movi"} <= _riff(file):
        raise Broken("it has no film in it")


# -- sound, models, drawings -----------------------------------------------------------------------


def _mpeg_audio(file: _File) -> None:
    place = 0
    head = file.at(0, 10)
    if head[:3] == b"ID3":  # its size is written seven bits a byte
        place = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0)))
    # Padding may stand before the first frame: version, layer, bit rate and sampling rate must be sensible.
    if not re.search(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x00-\xef]", file.at(place, 65536)):
        raise Broken("it has no sound in it")


def _ogg(file: _File) -> None:
    head = file.at(0, 27)
    segments = file.at(27, head[26] if len(head) == 27 else 255)
    if len(head) < 27 or sum(segments) + 27 + len(segments) > file.size or file.size < 28:
        raise Broken("it ends in the middle")


def _flac(file: _File) -> None:
    kind, size = file.numbers(">B3s", 4)
    if kind & 0x7F or int.from_bytes(size, "big") != 34 or file.size < 42:
        raise Broken("it does not say what its sound is like")


def _glb(file: _File) -> None:
    version, size, first, kind = file.numbers("<IIII", 4)
    if version != 2 or kind != 0x4E4F534A:
        raise Broken("it is no binary glTF of version 2")
    if size > file.size or 20 + first > size:
        raise Broken("it ends in the middle")


def _drawing(file: _File) -> None:
    if b"svg>" not in file.at(max(0, file.size - 256), 256):
        raise Broken("it ends in the middle")


# -- pictures ----------------------------------------------------------------------------------------


def _png(file: _File) -> None:
    place = 8
    for _ in range(_MOST_ELEMENTS):
        length, kind = file.numbers(">I4s", place)
        place += 12 + length  # with the checksum at its end
        if place > file.size:
            break
        if kind == b"IEND":
            return
    raise Broken("it ends in the middle")


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
    raise Broken("it ends in the middle")


def _webp(file: _File) -> None:
    (length,) = file.numbers("<I", 4)
    if 8 + length > file.size:
        raise Broken("it ends in the middle")


_READERS = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
    **dict.fromkeys(("video/mp4", "video/quicktime", "audio/mp4"), _movie),
    **dict.fromkeys(("image/avif", "image/heic"), _picture_boxes),
    "video/webm": _matroska,
    "audio/wav": _wave,
    "video/x-msvideo": _avi,
    "audio/mpeg": _mpeg_audio,
    "audio/ogg": _ogg,
    "audio/flac": _flac,
    "model/gltf-binary": _glb,
    "image/svg+xml": _drawing,
}
