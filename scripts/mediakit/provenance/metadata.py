"""A text inside a media file, so that it travels with the file: PNG, JPEG, WebP, MP4.

    embed       put a text in; the picture or video itself stays as it is, byte for byte
    extract     the text that embed has put in, or None
    Unembedded  it was not put in; the message is one line for people

Where it stands, by media type:

    PNG         an iTXt chunk of our own keyword before IEND   https://www.w3.org/TR/png-3/#11iTXt
    JPEG        an XMP packet in an APP1 segment               XMP specification, part 3, 1.1.3
    WebP        an XMP packet in an `XMP ` chunk               RFC 9649, 2.7.1.5
    MP4, MOV    an XMP packet in a `uuid` box at the end       XMP specification, part 3, 1.2.7

Files are walked by the lengths that stand in them and copied in pieces: no medium is held in memory.
A file that already has an XMP packet keeps its own, and one whose maker has signed its content (C2PA)
stays untouched, for a signature does not survive a change.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections import namedtuple

from ..base import atomic

# JPEG sets the limit: a segment holds 65,533 bytes, with the packet's frame and its escapes.
LONGEST_TEXT = 48_000

_KEYWORD = b"ai-media provenance"  # own choice
_NAMESPACE = "urn:ai-media:provenance:1#"  # own choice
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_LONGEST_SEGMENT = 65_533
_BOX_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_BOX_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_MOST_PARTS = 100_000
_LARGEST_TAIL = 1024 * 1024
_PIECE = 1024 * 1024

_SIGNED = "its maker has signed its content (C2PA), and the signature would not survive"
_TAKEN = "it has an XMP packet of its own"

# One chunk, segment or box: its name, where it begins, its whole length, where its content begins.
_Part = namedtuple("_Part", "name start length content")


class Unembedded(Exception):
    """A file was left as it was; the message says why."""


def embed(path: str, media_type: str, text: str) -> None:
    """Put `text` into the file; raises Unembedded, and leaves the file as it was.

    path        a file that nobody else writes at the moment
    media_type  as formats.sniff tells it
    text        printable ASCII of at most LONGEST_TEXT characters, such as JSON
    """
    embedding = _EMBEDDINGS.get(media_type)
    if embedding is None:
        raise Unembedded(f"{media_type} has no place for it that is known here")
    if len(text) > LONGEST_TEXT:
        raise Unembedded(f"it has more than {LONGEST_TEXT} characters")
    try:
        # Unbuffered, so that what could not be written is not written later.
        with open(path, "r+b", buffering=0) as file:
            embedding(path, file, text)
    except (struct.error, IndexError):
        raise Unembedded("the file's structure cannot be followed") from None
    except OSError as problem:
        raise Unembedded(problem.strerror or type(problem).__name__) from None


def extract(path: str, media_type: str) -> str | None:
    """The text that embed put into the file; None where there is none. Raises OSError."""
    extracting = _EXTRACTIONS.get(media_type)
    if extracting is None:
        return None
    try:
        with open(path, "rb") as file:
            return extracting(file)
    except (Unembedded, struct.error, IndexError, ValueError):
        return None


# -- XMP -----------------------------------------------------------------------------------------------


def _packet(text: str) -> bytes:
    from xml.sax.saxutils import quoteattr

    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:aim="{_NAMESPACE}" aim:provenance={quoteattr(text)}/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def _text_of(packet: bytes) -> str | None:
    """The text of an XMP packet, also after another program has written the packet anew."""
    from xml.etree import ElementTree

    # Read as what it is sought through as: in another encoding a declaration would not be seen.
    text = packet.decode("utf-8", "replace").strip("\ufeff\0 \t\r\n")
    if len(packet) > 4 * LONGEST_TEXT or "<!" in text:  # no declarations: entities can grow without bound
        return None
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    name = f"{{{_NAMESPACE}}}provenance"
    return next((found for node in root.iter() if (found := node.get(name) or node.findtext(name))), None)


# -- PNG -----------------------------------------------------------------------------------------------


def _png_chunks(file):
    """Every chunk up to IEND."""
    at = 8
    for _ in range(_MOST_PARTS):
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        yield _Part(name, at, length + 12, at + 8)
        if name == b"IEND":
            return
        at += length + 12
    raise Unembedded("the file has too many chunks")


def _embed_png(path: str, file, text: str) -> None:
    for chunk in _png_chunks(file):
        if chunk.name == b"caBX":
            raise Unembedded(_SIGNED)
    body = b"iTXt" + _KEYWORD + b"\0\0\0\0\0" + text.encode("ascii")
    _put_before_end(file, chunk.start, struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)))


def _extract_png(file) -> str | None:
    head = _KEYWORD + b"\0\0\0\0\0"
    for chunk in _png_chunks(file):
        if chunk.name == b"iTXt" and chunk.length < LONGEST_TEXT + 100:
            file.seek(chunk.content)
            content = file.read(chunk.length - 12)
            if content.startswith(head):
                return content[len(head) :].decode("ascii")
    return None


def _put_before_end(file, at: int, piece: bytes) -> None:
    """Insert a piece before the last bytes of a file, in place; what cannot be written is taken back."""
    file.seek(at)
    tail = file.read(_LARGEST_TAIL + 1)
    if len(tail) > _LARGEST_TAIL:
        raise Unembedded("much stands behind the end of what is shown")
    try:
        file.seek(at)
        if file.write(piece + tail) < len(piece) + len(tail):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        file.seek(at)
        file.write(tail)
        file.truncate(at + len(tail))
        raise


# -- JPEG ----------------------------------------------------------------------------------------------

_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
_START_OF_SCAN, _APP0, _APP1, _APP11 = 0xDA, 0xE0, 0xE1, 0xEB


def _jpeg_segments(file):
    """Every segment before the picture's data."""
    at = 2
    for _ in range(_MOST_PARTS):
        file.seek(at)
        mark, name, length = struct.unpack(">BBH", file.read(4))
        if mark != 0xFF or name in _WITHOUT_LENGTH or length < 2:
            raise Unembedded("the file's structure cannot be followed")
        if name == _START_OF_SCAN:
            return
        yield _Part(name, at, length + 2, at + 4)
        at += length + 2
    raise Unembedded("the file has too many segments")


def _embed_jpeg(path: str, file, text: str) -> None:
    after = 2
    for segment in _jpeg_segments(file):
        file.seek(segment.content)
        head = file.read(min(segment.length - 4, len(_JPEG_XMP)))
        if segment.name == _APP11 and head.startswith(b"JP"):
            raise Unembedded(_SIGNED)
        if segment.name == _APP1 and head == _JPEG_XMP:
            raise Unembedded(_TAKEN)
        # JFIF and Exif both want to stand first.
        if segment.name == _APP0 or (segment.name == _APP1 and head.startswith(b"Exif\0")):
            after = segment.start + segment.length
    content = _JPEG_XMP + _packet(text)
    if len(content) > _LONGEST_SEGMENT:
        raise Unembedded("it is too long for a JPEG file")
    piece = struct.pack(">BBH", 0xFF, _APP1, len(content) + 2) + content
    _rewrite(path, file, [(0, after), piece, (after, None)])


def _extract_jpeg(file) -> str | None:
    for segment in _jpeg_segments(file):
        if segment.name == _APP1:
            file.seek(segment.content)
            content = file.read(segment.length - 4)
            if content.startswith(_JPEG_XMP):
                return _text_of(content[len(_JPEG_XMP) :])
    return None


# -- WebP ----------------------------------------------------------------------------------------------

_HAS_XMP, _HAS_ALPHA = 0x04, 0x10


def _webp_chunks(file) -> list[_Part]:
    file.seek(0)
    riff, size, webp = struct.unpack("<4sI4s", file.read(12))
    if (riff, webp) != (b"RIFF", b"WEBP") or size % 2 or size + 8 != os.fstat(file.fileno()).st_size:
        raise Unembedded("the file's structure cannot be followed")
    chunks, at = [], 12
    while at < size + 8:
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        chunks.append(_Part(name, at, 8 + length + length % 2, at + 8))
        at += chunks[-1].length
        if at > size + 8 or len(chunks) > _MOST_PARTS:
            raise Unembedded("the file's structure cannot be followed")
    return chunks


def _embed_webp(path: str, file, text: str) -> None:
    chunks = _webp_chunks(file)
    names = {chunk.name for chunk in chunks}
    if names & {b"C2PA", b"XMP "}:
        raise Unembedded(_SIGNED if b"C2PA" in names else _TAKEN)
    file.seek(chunks[0].content)
    head = file.read(10)
    if chunks[0].name == b"VP8X":
        extended, rest = bytes([head[0] | _HAS_XMP]) + head[1:], chunks[0].start + chunks[0].length
    else:
        extended, rest = _extended_header(chunks[0].name, head), chunks[0].start
    packet = _packet(text)
    added = b"XMP " + struct.pack("<I", len(packet)) + packet + b"\0" * (len(packet) % 2)
    header = b"VP8X" + struct.pack("<I", 10) + extended
    end = chunks[-1].start + chunks[-1].length
    size = 4 + len(header) + end - rest + len(added)
    _rewrite(path, file, [b"RIFF" + struct.pack("<I", size) + b"WEBP" + header, (rest, end), added])


def _extended_header(name: bytes, head: bytes) -> bytes:
    """The content of the VP8X chunk for a simple file, from the head of its picture."""
    if name == b"VP8L":
        (bits,) = struct.unpack("<I", head[1:5])
        width, height, alpha = bits & 0x3FFF, bits >> 14 & 0x3FFF, bits >> 28 & 1  # one less than they are
    elif name == b"VP8 ":
        width, height = (value & 0x3FFF for value in struct.unpack("<HH", head[6:10]))
        width, height, alpha = width - 1, height - 1, 0
    else:
        raise Unembedded("the file's structure cannot be followed")
    flags = _HAS_XMP | (_HAS_ALPHA if alpha else 0)
    return struct.pack("<I", flags) + struct.pack("<I", width)[:3] + struct.pack("<I", height)[:3]


def _extract_webp(file) -> str | None:
    for chunk in _webp_chunks(file):
        if chunk.name == b"XMP " and chunk.length <= 4 * LONGEST_TEXT:
            file.seek(chunk.content)
            return _text_of(file.read(chunk.length - 8))
    return None


# -- MP4 -----------------------------------------------------------------------------------------------


def _boxes(file):
    """Every box at the top, to the very end of the file; the name of a `uuid` box is its uuid."""
    at, end = 0, os.fstat(file.fileno()).st_size
    for _ in range(_MOST_PARTS):
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        content = at + 8
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
            content += 8
        if length < content - at or at + length > end:  # 0 means: to the end of the file, wherever that is
            raise Unembedded("the file's structure cannot be followed")
        if name == b"uuid":
            name, content = file.read(16), content + 16
        yield _Part(name, at, length, content)
        at += length
        if at == end:
            return
    raise Unembedded("the file has too many boxes")


def _embed_mp4(path: str, file, text: str) -> None:
    # Appended: every offset that stands in the file (stco, co64) stays true.
    for box in _boxes(file):
        if box.name in (_BOX_C2PA, _BOX_XMP):
            raise Unembedded(_SIGNED if box.name == _BOX_C2PA else _TAKEN)
    if box.name == b"mfra":
        raise Unembedded("its last box is an index that is looked for at its end")
    content = b"uuid" + _BOX_XMP + _packet(text)
    _put_before_end(file, box.start + box.length, struct.pack(">I", len(content) + 4) + content)


def _extract_mp4(file) -> str | None:
    for box in _boxes(file):
        if box.name == _BOX_XMP and box.length <= 4 * LONGEST_TEXT:
            file.seek(box.content)
            return _text_of(file.read(box.start + box.length - box.content))
    return None


# -- writing anew --------------------------------------------------------------------------------------


def _rewrite(path: str, file, pieces: list) -> None:
    """Replace a file by pieces: bytes as they are, or (from, to) of the file itself; None is its end."""
    with atomic.staged(os.path.dirname(path)) as (target, staging):
        for piece in pieces:
            if isinstance(piece, bytes):
                target.write(piece)
            else:
                _copy_range(file, target, *piece)
        target.close()
        file.close()  # Windows replaces no file that is open
        atomic.replace(staging, path)


def _copy_range(file, target, start: int, end: int | None) -> None:
    file.seek(start)
    left = os.fstat(file.fileno()).st_size - start if end is None else end - start
    while left > 0:
        piece = file.read(min(_PIECE, left))
        if not piece:
            raise Unembedded("the file is cut short")
        target.write(piece)
        left -= len(piece)


_EMBEDDINGS = {
    "image/png": _embed_png,
    "image/jpeg": _embed_jpeg,
    "image/webp": _embed_webp,
    "video/mp4": _embed_mp4,
    "video/quicktime": _embed_mp4,
}
_EXTRACTIONS = {
    "image/png": _extract_png,
    "image/jpeg": _extract_jpeg,
    "image/webp": _extract_webp,
    "video/mp4": _extract_mp4,
    "video/quicktime": _extract_mp4,
}
