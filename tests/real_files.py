"""Media files as real programs write them: by Pillow always, by ffmpeg and sox where they are installed.

FILES     name -> (maker, media type, ending): what is whole, and how it is kept
BROKEN    name -> (maker, ending): what begins as a format and is broken
content   the bytes of one; skips the test where the program is missing
"""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
import tempfile
import wave
import zipfile
import zlib
from functools import cache
from pathlib import Path

import pytest

FILM = "-f lavfi -i testsrc=size=96x64:rate=10:duration=1"
SOUND = "-f lavfi -i sine=duration=1"
H264 = "-c:v libx264 -pix_fmt yuv420p"


# -- pictures, by Pillow --------------------------------------------------------------------------------


def photo(size=(96, 64), mode: str = "RGB"):
    from PIL import Image

    return Image.effect_noise(size, 50).convert(mode)


def pillow(form: str, mode: str = "RGB", size=(96, 64), **options):
    def make() -> bytes:
        from PIL import features

        if form in ("AVIF", "WEBP") and form.lower() not in features.get_supported_modules():
            pytest.skip(f"this Pillow writes no {form}")
        file = io.BytesIO()
        options_here = dict(options)
        if options_here.pop("moving", False):
            options_here.update(save_all=True, append_images=[photo(size, mode) for _ in range(2)])
        photo(size, mode).save(file, form, **options_here)
        return file.getvalue()

    return make


def chunk(kind: bytes, data: bytes, checksum: int | None = None) -> bytes:
    if checksum is None:
        checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png_with(*chunks: bytes, behind: bytes = b"IHDR"):
    """A PNG with more chunks in it."""

    def make() -> bytes:
        whole = pillow("PNG")()
        at = whole.index(behind) - 4
        (length,) = struct.unpack(">I", whole[at : at + 4])
        stop = at + 12 + length
        return whole[:stop] + b"".join(chunks) + whole[stop:]

    return make


def interlaced_png() -> bytes:
    """Adam7, which Pillow reads and does not write: 5 x 5 pixels of grey in seven passes."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = b""
    for left, top, across, down in passes:
        width = len(range(left, 5, across))
        rows += b"".join(b"\0" + bytes(width) for _ in range(top, 5, down) if width)
    head = struct.pack(">IIBBBBB", 5, 5, 8, 0, 0, 0, 1)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def flat_png(width: int, height: int):
    """A PNG of one colour: many pixels in few bytes."""

    def make() -> bytes:
        packer = zlib.compressobj(9)
        row = bytes(1 + width // 8)
        rows = b"".join(packer.compress(row * 1000) for _ in range(height // 1000)) + packer.flush()
        head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")

    return make


def two_pictures(second: int | None = None):
    """An MPO, as cameras and some models write it; `second` bytes of its second picture."""

    def make() -> bytes:
        whole = pillow("MPO", size=(300, 200), moving=True)()
        first = whole.index(b"\xff\xd9") + 2
        return whole if second is None else whole[: first + second]

    return make


def brand(major: bytes):
    """An AVIF whose major brand says less than its other brands."""

    def make() -> bytes:
        whole = pillow("AVIF")()
        return whole[:8] + major + whole[12:]

    return make


DRAWING = '<?xml version="1.0"?>\n<!-- made -->\n<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>\n'

# -- sound ------------------------------------------------------------------------------------------------


def wav(riff: int | None = None, data: int | None = None):
    """A WAV; the two lengths in it as a program writes them that cannot go back."""

    def make() -> bytes:
        file = io.BytesIO()
        with wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(8000)
            sound.writeframes(bytes(range(200)) * 40)
        whole = bytearray(file.getvalue())
        if riff is not None:
            whole[4:8] = struct.pack("<I", riff)
        if data is not None:
            whole[40:44] = struct.pack("<I", data)
        return bytes(whole)

    return make


# -- models, archives, words ----------------------------------------------------------------------------


def glb() -> bytes:
    scene = b'{"asset":{"version":"2.0"}} '
    return struct.pack("<4sIIII", b"glTF", 2, 20 + len(scene), len(scene), 0x4E4F534A) + scene


def stl() -> bytes:
    return b"solid by some program that says so".ljust(80) + struct.pack("<I", 3) + bytes(150)


def archive(*names: str):
    def make() -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as out:
            for name in names:
                out.writestr(name, b"#usda 1.0")
        return file.getvalue()

    return make


def words(text: str):
    return lambda: text.encode()


GLTF = json.dumps({"accessors": [], "buffers": [], "meshes": [], "asset": {"version": "2.0"}})
OBJ = "# made by a program\nmtllib a.mtl\no boat\nv 0.0 1.0 -1e-3\nv 1 0 0\nv 0 0 1\nf 1 2 3\n"
SOLID = "solid boat\n  facet normal 0 0 1\n    outer loop\n    endloop\n  endfacet\nendsolid boat\n"
PLY = "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n"
SRT = "1\n00:00:00,000 --> 00:00:01,000\nA tin boat\n"

# -- by programs ----------------------------------------------------------------------------------------


def program(command: str, ending: str = "", pipes: bool = False):
    """What a program writes: into a file, or to its standard output."""

    def make() -> bytes:
        name, *arguments = command.split()
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"no {name} to make files with")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"a.{ending}"
            if name == "ffmpeg":
                arguments = ["-v", "error", "-y", *arguments, "pipe:1" if pipes else str(path)]
            else:
                arguments = [str(path) if word == "OUT" else word for word in arguments]
            made = subprocess.run([found, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
            content = made.stdout if pipes else path.read_bytes() if path.exists() else b""
        if made.returncode or not content:
            pytest.skip(f"this {name} cannot make it")
        return content

    return make


def ffmpeg(arguments: str, ending: str):
    return program(f"ffmpeg {arguments}", ending)


def piped(arguments: str):
    return program(f"ffmpeg {arguments}", pipes=True)


def without_ftyp() -> bytes:
    whole = FILES["mov"][0]()
    (length,) = struct.unpack(">I", whole[:4])
    # Places in it are counted from the beginning of the file: something must stand there.
    return struct.pack(">I4s", length, b"wide") + bytes(length - 8) + whole[length:]


def with_trailer() -> bytes:
    return FILES["mp4"][0]() + struct.pack(">I4s", 5000, b"SEFH") + bytes(40)


PICTURES = {
    "png": (pillow("PNG"), "image/png", "png"),
    "grey png of 16 bits": (pillow("PNG", "I;16"), "image/png", "png"),
    "png of a palette": (pillow("PNG", "P"), "image/png", "png"),
    "png of two colours": (pillow("PNG", "1"), "image/png", "png"),
    "png with alpha": (pillow("PNG", "RGBA"), "image/png", "png"),
    "moving png": (pillow("PNG", moving=True), "image/png", "png"),
    "interlaced png": (interlaced_png, "image/png", "png"),
    "png with a large text": (
        png_with(chunk(b"zTXt", b"workflow\0\0" + zlib.compress(bytes(5_000_000)))),
        "image/png",
        "png",
    ),
    "png with a wrong checksum of its time": (
        png_with(chunk(b"tIME", bytes.fromhex("07ea0b1a000000"), 7)),
        "image/png",
        "png",
    ),
    "png with a broken profile": (png_with(chunk(b"iCCP", b"x\0\0nothing")), "image/png", "png"),
    "png of 144 million pixels": (flat_png(12_000, 12_000), "image/png", "png"),
    "jpeg": (pillow("JPEG"), "image/jpeg", "jpg"),
    "jpeg in passes": (pillow("JPEG", progressive=True), "image/jpeg", "jpg"),
    "jpeg of four inks": (pillow("JPEG", "CMYK"), "image/jpeg", "jpg"),
    "two pictures": (two_pictures(), "image/jpeg", "jpg"),
    "two pictures, the second cut": (two_pictures(500), "image/jpeg", "jpg"),
    "webp": (pillow("WEBP"), "image/webp", "webp"),
    "webp without loss": (pillow("WEBP", lossless=True), "image/webp", "webp"),
    "moving webp": (pillow("WEBP", moving=True), "image/webp", "webp"),
    "avif": (pillow("AVIF"), "image/avif", "avif"),
    "avif of the brand mif1": (brand(b"mif1"), "image/avif", "avif"),
    "moving avif": (pillow("AVIF", moving=True), "image/avif", "avif"),
    "gif": (pillow("GIF", "P"), "image/gif", "gif"),
    "moving gif": (pillow("GIF", "P", moving=True), "image/gif", "gif"),
    "bmp": (pillow("BMP"), "image/bmp", "bmp"),
    "tiff": (pillow("TIFF"), "image/tiff", "tif"),
    "packed tiff": (pillow("TIFF", compression="tiff_lzw"), "image/tiff", "tif"),
    "tiff of pages": (pillow("TIFF", moving=True), "image/tiff", "tif"),
    "large tiff": (pillow("TIFF", big_tiff=True), "image/tiff", "tif"),
    "ico": (pillow("ICO"), "image/vnd.microsoft.icon", "ico"),
    "jpeg 2000": (pillow("JPEG2000"), "image/jp2", "jp2"),
    "jpeg xl": (ffmpeg(f"{FILM} -frames:v 1", "jxl"), "image/jxl", "jxl"),
    "svg": (words(DRAWING), "image/svg+xml", "svg"),
    "empty svg": (words('<svg xmlns="http://www.w3.org/2000/svg" width="5"/>'), "image/svg+xml", "svg"),
}
FILMS = {
    "mp4": (ffmpeg(f"{FILM} {H264}", "mp4"), "video/mp4", "mp4"),
    "mp4 with sound": (ffmpeg(f"{FILM} {SOUND} {H264} -c:a aac", "mp4"), "video/mp4", "mp4"),
    "mp4 in pieces": (piped(f"{FILM} {H264} -movflags frag_keyframe+empty_moov -f mp4"), "video/mp4", "mp4"),
    "mp4 behind a trailer": (with_trailer, "video/mp4", "mp4"),
    "mov": (ffmpeg(f"{FILM} {H264}", "mov"), "video/quicktime", "mov"),
    "mov without ftyp": (without_ftyp, "video/quicktime", "mov"),
    "3gp": (ffmpeg(f"{FILM} -c:v h263 -s 176x144", "3gp"), "video/3gpp", "3gp"),
    "webm": (ffmpeg(f"{FILM} -c:v libvpx", "webm"), "video/webm", "webm"),
    "webm to a pipe": (piped(f"{FILM} -c:v libvpx -f webm"), "video/webm", "webm"),
    "live webm": (piped(f"{FILM} -c:v libvpx -f webm -live 1"), "video/webm", "webm"),
    "mkv": (ffmpeg(f"{FILM} {H264}", "mkv"), "video/x-matroska", "mkv"),
    "avi": (ffmpeg(f"{FILM} -c:v mpeg4", "avi"), "video/x-msvideo", "avi"),
    "avi to a pipe": (piped(f"{FILM} -c:v mpeg4 -f avi"), "video/x-msvideo", "avi"),
    "wmv": (ffmpeg(f"{FILM} -c:v wmv2", "wmv"), "video/x-ms-wmv", "wmv"),
    "flv": (ffmpeg(f"{FILM} -c:v flv", "flv"), "video/x-flv", "flv"),
    "ogv": (ffmpeg(f"{FILM} -c:v libtheora", "ogv"), "video/ogg", "ogv"),
    "ts": (ffmpeg(f"{FILM} {H264}", "ts"), "video/mp2t", "ts"),
    "ts of a camera": (ffmpeg(f"{FILM} {H264} -mpegts_m2ts_mode 1 -f mpegts", "ts"), "video/mp2t", "ts"),
    "mpg": (ffmpeg(f"{FILM} -r 25 -c:v mpeg2video -f mpeg", "mpg"), "video/mpeg", "mpg"),
}
SOUNDS = {
    "wav": (wav(), "audio/wav", "wav"),
    "wav of lengths 0": (wav(0, 0), "audio/wav", "wav"),
    "wav of sox": (wav(0x7FFFF024, 0x7FFFF000), "audio/wav", "wav"),
    "wav of 2 GiB less one": (wav(0x7FFFFFFF, 0x7FFFFFFF - 36), "audio/wav", "wav"),
    "wav of arecord": (wav(0x80000024, 0x80000000), "audio/wav", "wav"),
    "wav of ffmpeg": (wav(0xFFFFFFFF, 0xFFFFFFFF), "audio/wav", "wav"),
    "wav of a speech service": (wav(2_000_000_036, 2_000_000_000), "audio/wav", "wav"),
    "wav to a pipe": (piped(f"{SOUND} -f wav"), "audio/wav", "wav"),
    "wav to a pipe, by sox": (program("sox -n -r 8000 -t wav - synth 1 sine 440", pipes=True), "audio/wav", "wav"),
    "wav of 64 bits": (ffmpeg(f"{SOUND} -rf64 always", "wav"), "audio/wav", "wav"),
    "aiff": (ffmpeg(SOUND, "aiff"), "audio/aiff", "aiff"),
    "aiff to a pipe": (piped(f"{SOUND} -f aiff"), "audio/aiff", "aiff"),
    "au": (program("sox -n -r 8000 -t au - synth 1 sine 440", pipes=True), "audio/basic", "au"),
    "caf": (ffmpeg(SOUND, "caf"), "audio/x-caf", "caf"),
    "mp3": (ffmpeg(SOUND, "mp3"), "audio/mpeg", "mp3"),
    "mp3 without a tag": (piped(f"{SOUND} -write_xing 0 -id3v2_version 0 -f mp3"), "audio/mpeg", "mp3"),
    "mp3 of large frames": (ffmpeg(f"{SOUND} -b:a 320k", "mp3"), "audio/mpeg", "mp3"),
    "mp2": (ffmpeg(SOUND, "mp2"), "audio/mp2", "mp2"),
    "aac": (ffmpeg(SOUND, "aac"), "audio/aac", "aac"),
    "flac": (ffmpeg(SOUND, "flac"), "audio/flac", "flac"),
    "ogg": (ffmpeg(f"{SOUND} -c:a libvorbis", "ogg"), "audio/ogg", "ogg"),
    "opus": (ffmpeg(f"{SOUND} -c:a libopus", "opus"), "audio/ogg", "ogg"),
    "m4a": (ffmpeg(f"{SOUND} -c:a aac", "m4a"), "audio/mp4", "m4a"),
    "mp4 of sound alone": (ffmpeg(f"{SOUND} -c:a aac", "mp4"), "audio/mp4", "m4a"),
    "webm of sound alone": (ffmpeg(f"{SOUND} -c:a libopus", "webm"), "audio/webm", "weba"),
    "mka": (ffmpeg(f"{SOUND} -c:a libopus", "mka"), "audio/x-matroska", "mka"),
    "wma": (ffmpeg(SOUND, "wma"), "audio/x-ms-wma", "wma"),
}
MODELS = {
    "glb": (glb, "model/gltf-binary", "glb"),
    "gltf": (words(GLTF), "model/gltf+json", "gltf"),
    "obj": (words(OBJ), "model/obj", "obj"),
    "stl": (stl, "model/stl", "stl"),
    "stl in words": (words(SOLID), "model/stl", "stl"),
    "ply": (words(PLY), "model/ply", "ply"),
    "usdz": (archive("scene.usdc", "a.png"), "model/vnd.usdz+zip", "usdz"),
    "3mf": (archive("[Content_Types].xml", "3D/3dmodel.model"), "model/3mf", "3mf"),
    "usda": (words("#usda 1.0\n()\n"), "model/vnd.usda", "usda"),
    "collada": (words("<?xml version='1.0'?><COLLADA xmlns='x'></COLLADA>"), "model/vnd.collada+xml", "dae"),
}
OTHERS = {
    "srt": (words(SRT), "application/x-subrip", "srt"),
    "vtt": (words("WEBVTT\n\n00:00.000 --> 00:01.000\nA tin boat\n"), "text/vtt", "vtt"),
    "zip": (archive("a.txt"), "application/zip", "zip"),
}
FILES = {**PICTURES, **FILMS, **SOUNDS, **MODELS, **OTHERS}


def cut(name: str, tenths: int):
    def make() -> bytes:
        whole = content(name)
        return whole[: len(whole) * tenths // 10]

    return make


def wrong_pixels() -> bytes:
    whole = bytearray(pillow("PNG")())
    whole[whole.index(b"IDAT") + 40] ^= 0xFF
    return bytes(whole)


BROKEN = {
    "half a png": (cut("png", 5), "png"),
    "a png with a wrong checksum of its pixels": (wrong_pixels, "png"),
    "half a jpeg": (cut("jpeg", 5), "jpg"),
    "half a webp": (cut("webp", 5), "webp"),
    "half a moving gif": (cut("moving gif", 6), "gif"),
    "half a tiff": (cut("tiff", 5), "tif"),
    "half a wav": (cut("wav", 5), "wav"),
    "half an mp4": (cut("mp4", 5), "mp4"),
    "half a webm": (cut("webm", 5), "webm"),
    "half a usdz": (cut("usdz", 5), "zip"),
}


@cache
def content(name: str) -> bytes:
    """The bytes of a file; the test is skipped where its program is missing."""
    return (FILES.get(name) or BROKEN[name])[0]()
