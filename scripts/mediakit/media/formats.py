"""Which format a file has, by its first bytes, and how formats are called. Pure.

    sniff         the media type that a file's first bytes show
    words         what a file of words holds: a page, JSON, XML, text
    is_plain      whether a file's first bytes are UTF-8 text and no markup
    known         the media type that a word of an answer, a header or the end of a link means
    kind_of       image, video, audio, model, text, or application for everything else
    ENDINGS       media type -> the ending of its files
    MEDIA_TYPES   the word for a format -> its media type
    MEDIA         the kinds of results, as against documents beside them

Only what can be told from a file's beginning is here; `containers` walks the rest. Signatures come from
the formats' specifications, and the names from IANA's register; where it has none, from freedesktop.org's
shared-mime-info (audio/mp2, application/x-subrip).
"""

from __future__ import annotations

import codecs
import re
import struct

# Enough of a file's beginning for `sniff` and `words`: two frames of MP3, five packets of MPEG-TS.
HEAD = 4096

ENDINGS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/jxl": "jxl",
    "image/jp2": "jp2",
    "image/jls": "jls",
    "image/qoi": "qoi",
    "image/bmp": "bmp",
    "image/tiff": "tif",
    "image/vnd.microsoft.icon": "ico",
    "image/vnd.adobe.photoshop": "psd",
    "image/vnd.radiance": "hdr",
    "image/x-exr": "exr",
    "image/svg+xml": "svg",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/3gpp": "3gp",
    "video/webm": "webm",
    "video/x-matroska": "mkv",
    "video/x-msvideo": "avi",
    "video/x-ms-wmv": "wmv",
    "video/x-flv": "flv",
    "video/ogg": "ogv",
    "video/mp2t": "ts",
    "video/mpeg": "mpg",
    "audio/mpeg": "mp3",
    "audio/mp2": "mp2",
    "audio/aac": "aac",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "audio/webm": "weba",
    "audio/x-matroska": "mka",
    "audio/x-ms-wma": "wma",
    "audio/x-wavpack": "wv",
    "audio/x-w64": "w64",
    "audio/aiff": "aiff",
    "audio/basic": "au",
    "audio/x-caf": "caf",
    "audio/amr": "amr",
    "audio/midi": "mid",
    "model/gltf-binary": "glb",
    "model/gltf+json": "gltf",
    "model/obj": "obj",
    "model/mtl": "mtl",
    "model/stl": "stl",
    "model/ply": "ply",
    "model/3mf": "3mf",
    "model/fbx": "fbx",
    "model/vnd.usda": "usda",
    "model/vnd.usd": "usdc",
    "model/vnd.usdz+zip": "usdz",
    "model/vnd.collada+xml": "dae",
    "text/plain": "txt",
    "text/vtt": "vtt",
    "text/csv": "csv",
    "text/markdown": "md",
    "application/json": "json",
    "application/x-subrip": "srt",
    "application/x-ass": "ass",
    "application/ttml+xml": "ttml",
    "application/vnd.apple.mpegurl": "m3u8",
    "application/pdf": "pdf",
    "application/zip": "zip",
    "application/gzip": "gz",
    "application/x-tar": "tar",
    "text/xml": "xml",
    # Without a mark: known by what the service says, never by the bytes.
    "audio/pcm": "pcm",
    "application/octet-stream": "bin",
}
# Binary formats that no bytes can contradict.
UNMARKED = {"audio/pcm"}
# The kinds of results, as against documents beside them.
MEDIA = ("image", "video", "audio", "model")
# The words that answers, headers and links have for formats besides the endings and the names above.
MEDIA_TYPES = {
    **{ending: media_type for media_type, ending in ENDINGS.items()},
    "jpeg": "image/jpeg",
    "tiff": "image/tiff",
    "heif": "image/heic",
    "m4v": "video/mp4",
    "mpeg": "video/mpeg",
    "opus": "audio/ogg",
    "oga": "audio/ogg",
    "aif": "audio/aiff",
    "wave": "audio/wav",
    "midi": "audio/midi",
    "usd": "model/vnd.usd",
}
_OTHER_NAMES = {
    "image/jpg": "image/jpeg",
    "image/heif": "image/heic",
    "image/x-icon": "image/vnd.microsoft.icon",
    "image/x-ms-bmp": "image/bmp",
    "video/x-m4v": "video/mp4",
    "video/mov": "video/quicktime",
    "video/avi": "video/x-msvideo",
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "audio/opus": "audio/ogg",
    "audio/x-flac": "audio/flac",
    "audio/x-aiff": "audio/aiff",
    "audio/l16": "audio/pcm",
    "audio/raw": "audio/pcm",
    "model/gltf+binary": "model/gltf-binary",
    "application/ogg": "audio/ogg",
    "application/x-mpegurl": "application/vnd.apple.mpegurl",
    "application/x-zip-compressed": "application/zip",
    "application/x-gzip": "application/gzip",
    "text/srt": "application/x-subrip",
    "text/json": "application/json",
    "application/xml": "text/xml",
}

# (offset, bytes there, media type); the first that fits.
_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff\xf7", "image/jls"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"qoif", "image/qoi"),
    (0, b"wvpk", "audio/x-wavpack"),
    (0, b"riff.\x91\xcf\x11\xa5\xd6", "audio/x-w64"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II+\0", "image/tiff"),
    (0, b"MM\0+", "image/tiff"),
    (0, b"\xff\x0a", "image/jxl"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (0, b"8BPS\0", "image/vnd.adobe.photoshop"),
    (0, b"#?RADIANCE\n", "image/vnd.radiance"),
    (0, b"v/1\x01", "image/x-exr"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"FLV\x01", "video/x-flv"),
    (0, b"\0\0\x01\xba", "video/mpeg"),
    (0, b"\0\0\x01\xb3", "video/mpeg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b".snd\0", "audio/basic"),
    (0, b"caff\0\x01", "audio/x-caf"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"MThd\0\0\0\x06", "audio/midi"),
    (0, b"glTF", "model/gltf-binary"),
    (0, b"Kaydara FBX Binary  \0", "model/fbx"),
    (0, b"PXR-USDC", "model/vnd.usd"),
    (0, b"ply\n", "model/ply"),
    (0, b"ply\r", "model/ply"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (257, b"ustar", "application/x-tar"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo", b"RMID": "audio/midi"}


def sniff(head: bytes, size: int | None = None) -> str | None:
    """The media type that a file's first HEAD bytes show; None for what is not known here.

    size  the length of the whole file, where it is known: an STL of numbers is told by it
    """
    for offset, signature, media_type in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return media_type
    for look in (_riff, _boxes, _ogg, _advanced_systems, _transport_stream, _mpeg_audio, _adts, _bitmap, _icon):
        if media_type := look(head):
            return media_type
    return _numbers_of_stl(head, size) or _written(head)


def known(word: str | None) -> str | None:
    """The media type that a media type, a format's name or an ending means; None for what is not known here."""
    if not isinstance(word, str):
        return None
    word = word.partition(";")[0].strip().lower().lstrip(".")
    found = _OTHER_NAMES.get(word, word)
    return found if found in ENDINGS else MEDIA_TYPES.get(word)


def kind_of(media_type: str) -> str:
    """`image`, `video`, `audio`, `model`, `text`; `application` for everything else."""
    if media_type in _TEXTS:
        return "text"
    return media_type.partition("/")[0]


# What people would call text, though its type does not begin so.
_TEXTS = {
    "application/json",
    "application/xml",
    "application/x-subrip",
    "application/x-ass",
    "application/ttml+xml",
}


# -- binary formats that take more than one look -------------------------------------------------------


def _riff(head: bytes) -> str | None:
    if head[:4] in (b"RIFF", b"RF64", b"BW64"):
        return _RIFF.get(head[8:12])
    return "audio/aiff" if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC") else None


_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2")
# The boxes that a QuickTime file of before 2001 begins with.
_OLD_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def _boxes(head: bytes) -> str | None:
    """ISO/IEC 14496-12, 4.3: the brands of a file say what its boxes are about."""
    if len(head) < 12:
        return None
    (size,), kind = struct.unpack(">I", head[:4]), head[4:8]
    if kind != b"ftyp":
        # Of a box that begins a film the length is 0, 1 (it follows), or at least that of its own header.
        return "video/quicktime" if kind in _OLD_BOXES and (size in (0, 1) or 8 <= size < 1 << 31) else None
    brands = head[8 : min(max(size, 12), len(head))]
    major, others = brands[:4], {brands[at : at + 4] for at in range(8, len(brands), 4)}
    if {b"avif", b"avis"} & {major, *others}:
        return "image/avif"
    if major in _HEIC:
        return "image/heic"
    if major in (b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "):
        return "audio/mp4"
    if major == b"qt  ":
        return "video/quicktime"
    return "video/3gpp" if major[:2] == b"3g" else "video/mp4"


def _ogg(head: bytes) -> str | None:
    """RFC 3533: the first page of each stream comes first, and names its codec."""
    if head[:4] != b"OggS":
        return None
    return "video/ogg" if re.search(rb"\x80theora|BBCD\0|\x01video", head[:2048]) else "audio/ogg"


_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_VIDEO = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
_ASF_AUDIO = bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b")


def _advanced_systems(head: bytes) -> str | None:
    """Windows Media: each stream in the header says what it is (ASF, 3.3)."""
    if not head.startswith(_ASF):
        return None
    return "audio/x-ms-wma" if _ASF_AUDIO in head and _ASF_VIDEO not in head else "video/x-ms-wmv"


def _transport_stream(head: bytes) -> str | None:
    """ISO/IEC 13818-1: a packet of 188 bytes begins with a G; cameras put four bytes before each."""
    for first, length in ((0, 188), (4, 192)):
        marks = head[first::length]
        if len(marks) >= 3 and set(marks) == {0x47}:
            return "video/mp2t"
    return None


# Bits a second, in thousands, by (MPEG-1 or not, layer); ISO/IEC 11172-3, 2.4.2.3 and 13818-3.
_RATES = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def _mpeg_audio(head: bytes) -> str | None:
    """A frame of MPEG audio, with another one behind it: samples of a recording can look like one alone."""
    layer, length = mpeg_frame(head)
    if layer and (len(head) < length + 4 or mpeg_frame(head[length:])[0] == layer):
        return "audio/mpeg" if layer == 3 else "audio/mp2"
    return None


def mpeg_frame(head: bytes) -> tuple[int, int]:
    """`(layer, length in bytes)` of the frame of MPEG audio that begins here; zeros for none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0, 0
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    rate, sampling, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 4 or rate in (0, 15) or sampling == 3:
        return 0, 0
    samples_a_second = (44100, 48000, 32000)[sampling] >> (3 - version if version else 2)
    bits = 1000 * _RATES[version == 3, layer][rate - 1]
    if layer == 1:
        return layer, (12 * bits // samples_a_second + padding) * 4
    return layer, (72 if layer == 3 and version != 3 else 144) * bits // samples_a_second + padding


def _adts(head: bytes) -> str | None:
    """ISO/IEC 13818-7, 6.2: a frame, with another one behind it."""
    place = 0
    for _ in range(2):
        frame = head[place : place + 7]
        if place and len(frame) < 7:
            break
        length = (frame[3] & 3) << 11 | frame[4] << 3 | frame[5] >> 5 if len(frame) == 7 else 0
        if length < 7 or frame[0] != 0xFF or frame[1] & 0xF6 != 0xF0 or frame[2] >> 2 & 15 > 12:
            return None
        place += length
    return "audio/aac"


def _bitmap(head: bytes) -> str | None:
    """Two letters are few: the reserved fields and the length of the second header count too."""
    is_one = head[:2] == b"BM" and head[6:10] == bytes(4) and len(head) >= 18
    return "image/bmp" if is_one and struct.unpack("<I", head[14:18])[0] in (12, 16, 40, 52, 56, 64, 108, 124) else None


def _icon(head: bytes) -> str | None:
    """Six small numbers are few: each picture must lie behind the directory, and its reserved byte be 0."""
    if head[:4] != b"\0\0\x01\0" or len(head) < 22:
        return None
    (count,) = struct.unpack("<H", head[4:6])
    entries = [head[at : at + 16] for at in range(6, 6 + 16 * min(count, 32), 16)]
    places = [struct.unpack("<II", entry[8:]) for entry in entries if len(entry) == 16 and entry[3] == 0]
    fits = 0 < count <= 256 and len(places) == min(count, 32)
    return "image/vnd.microsoft.icon" if fits and all(at >= 6 + 16 * count and size for size, at in places) else None


def _numbers_of_stl(head: bytes, size: int | None) -> str | None:
    if size is None or len(head) < 84 or size < 134:
        return None
    return "model/stl" if size == 84 + 50 * struct.unpack("<I", head[80:84])[0] else None


# -- formats of words ------------------------------------------------------------------------------------

# The root element of a document -> what it is.
_ROOTS = {
    b"svg": "image/svg+xml",
    b"svg:svg": "image/svg+xml",
    b"COLLADA": "model/vnd.collada+xml",
    b"tt": "application/ttml+xml",
    b"tt:tt": "application/ttml+xml",
}
# What may stand before the root: how it begins and how it ends.
_BEFORE_ROOT = ((b"<?", b"?>"), (b"<!--", b"-->"), (b"<!", b">"))
_NUMBER = rb"[ \t]+-?[0-9.][0-9.eE+-]*"
_WRITTEN = (
    (rb"WEBVTT(\s|$)", "text/vtt"),
    (rb"\d{1,6}[ \t]*\r?\n\d{1,3}:\d\d:\d\d[,.]\d{1,3} *-->", "application/x-subrip"),
    (rb"\[Script Info\]", "application/x-ass"),
    (rb"#EXTM3U\s", "application/vnd.apple.mpegurl"),
    (rb"#usda ", "model/vnd.usda"),
    (rb"solid[^\n]{0,200}\n\s*(facet\s+normal|endsolid)", "model/stl"),
    (rb"; FBX ", "model/fbx"),
    (rb"((#[^\n]*|[a-z]+ [^\n]*|)\r?\n)*?(v" + _NUMBER * 3 + rb"|mtllib \S)", "model/obj"),
    (rb"(#[^\n]*\n|\s)*newmtl \S", "model/mtl"),
)
# glTF 2.0, 5.17: its largest parts. No error message has two of them.
_GLTF = rb'"(asset|accessors|bufferViews|buffers|meshes|materials|scenes|nodes)"\s*:'


def _written(head: bytes) -> str | None:
    text = _unmarked(head)
    if text[:1] == b"<":
        return _ROOTS.get(_root(text))
    if text[:1] == b"{":
        return "model/gltf+json" if len(set(re.findall(_GLTF, text))) >= 2 else None
    return next((media_type for form, media_type in _WRITTEN if re.match(form, text)), None)


def _root(text: bytes) -> bytes:
    """The name of the element that a document begins with; empty where it is not to be seen, or that of a page."""
    place = 0
    while form := next((form for form in _BEFORE_ROOT if text.startswith(form[0], place)), None):
        if re.compile(rb"(?i)<!doctype\s+html").match(text, place):
            return b""
        stop = text.find(form[1], place)
        inner = text.find(b"[", place, stop)  # of a document type that declares something
        if form[0] == b"<!" and inner >= 0:
            stop = text.find(b">", max(text.find(b"]", inner), inner))
        if stop < 0:
            return b""
        place = re.compile(rb"\s*").match(text, stop + len(form[1])).end()
    found = re.compile(rb"<([A-Za-z_][\w:.-]*)").match(text, place)
    return found[1] if found else b""


def words(head: bytes) -> str | None:
    """`an HTML page`, `JSON`, `XML` or `text` for a file of words; None for anything else."""
    start = _unmarked(head)[:256].lower()
    for pattern, name in ((rb"<(!doctype html|html|head|body)", "an HTML page"), (rb"[{\[]", "JSON"), (rb"<", "XML")):
        if re.match(pattern, start):
            return name
    return "text" if head.strip() and is_plain(head) else None


def is_plain(head: bytes) -> bool:
    """Whether a file's first HEAD bytes are UTF-8 text, JSON among it, and no markup."""
    try:
        # The last character may be cut in two by the end of `head`.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return False
    return not re.search(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]|\A\s*<", text)


def _unmarked(head: bytes) -> bytes:
    """Words without their byte order mark and the blanks before them, as UTF-8."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        read = head.decode("utf-16", "ignore").lstrip()
        if read[:1] in ("<", "{", "["):
            return read.encode("utf-8", "ignore")
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()
