"""The files that the sandbox makes: real ones, that say what they are."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import math
import os
import struct
import wave

from ..base.regex import regex
from ..services.providers import ASSETS

# media -> (media type, file ending)
TYPES = {
    "image": ("image/png", "png"),
    "video": ("video/mp4", "mp4"),
    "audio": ("audio/wav", "wav"),
    "3d": ("model/gltf-binary", "glb"),
    "text": ("text/plain", "txt"),
}

LABEL = "SANDBOX PICTURE"
NOTE = "made locally to try things out; no model saw the prompt"
VIDEO_SIZE = (320, 180)
VIDEO_SECONDS = 2.0
AUDIO_SECONDS = 1.0

_LONG_SIDE = 768
_LINES = 14
_SAMPLES_PER_SECOND = 16_000
# The fields that say how wide and how high, by the names that the services give them.
_SHAPES = ("aspect_ratio", "aspectRatio", "ratio", "size")
_SHAPE = regex(r"(\d{1,9})[:*x](\d{1,9})")
# What a picture says, or what is spoken.
_WORDS = ("prompt", "text")


def require() -> None:
    """Raise ModuleNotFoundError now, rather than in the middle of a download."""
    import PIL  # noqa: F401


def picture_size(body: dict) -> tuple[int, int]:
    """Width and height in pixels that follow the request's aspect ratio or size."""
    shapes = (_SHAPE.fullmatch(str(body.get(name, ""))) for name in _SHAPES)
    across, down = next((map(int, shape.groups()) for shape in shapes if shape), (1, 1))
    ratio = min(max(across / down, 0.25), 4.0) if across and down else 1.0
    if ratio >= 1:
        return _LONG_SIDE, round(_LONG_SIDE / ratio)
    return round(_LONG_SIDE * ratio), _LONG_SIDE


def facts(media: str, body: dict) -> dict:
    """What is known of an output: `width` and `height` in pixels, `duration` in seconds, where it has them."""
    if media == "image":
        width, height = picture_size(body)
        return {"width": width, "height": height}
    if media == "video":
        return {"width": VIDEO_SIZE[0], "height": VIDEO_SIZE[1], "duration": VIDEO_SECONDS}
    return {"duration": AUDIO_SECONDS} if media == "audio" else {}


def render(media: str, body: dict, number: int) -> bytes:
    """The file of one output; the same request gives the same bytes."""
    words = next((str(body[name]) for name in _WORDS if name in body), "")
    # JSON can hold lone surrogates, which no file can.
    return _rendered(media, words.encode("utf-8", "replace").decode(), picture_size(body), number)


@functools.lru_cache(maxsize=64)
def _rendered(media: str, prompt: str, size: tuple[int, int], number: int) -> bytes:
    if media == "video":
        with open(os.path.join(ASSETS, "sandbox.mp4"), "rb") as file:
            return file.read()
    if media == "image":
        return _picture(prompt, size, number)
    return {"audio": _sound, "3d": _triangle, "text": _text}[media](prompt, number)


def _text(prompt: str, number: int) -> bytes:
    return transcript(number).encode()


def transcript(number: int) -> str:
    """What the sandbox hears in every recording."""
    return f"SANDBOX TEXT {number}: {NOTE}"


def _sound(prompt: str, number: int) -> bytes:
    """A tone whose pitch follows the words, as 16 bit mono."""
    pitch = 220 + hashlib.sha256(f"{prompt}{number}".encode()).digest()[0] * 2
    count = int(_SAMPLES_PER_SECOND * AUDIO_SECONDS)
    turns = (2 * math.pi * pitch * at / _SAMPLES_PER_SECOND for at in range(count))
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(_SAMPLES_PER_SECOND)
        sound.writeframes(struct.pack(f"<{count}h", *(round(8000 * math.sin(turn)) for turn in turns)))
    return file.getvalue()


def _triangle(prompt: str, number: int) -> bytes:
    """One triangle as binary glTF 2.0: a header, a chunk of JSON, a chunk of coordinates."""
    corners = struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0)
    scene = {
        "asset": {"version": "2.0", "generator": f"{LABEL} {number}, {NOTE}"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 0]}
        ],
        "bufferViews": [{"buffer": 0, "byteLength": len(corners), "target": 34962}],
        "buffers": [{"byteLength": len(corners)}],
    }
    described = json.dumps(scene).encode()
    described += b" " * (-len(described) % 4)
    chunks = struct.pack("<I4s", len(described), b"JSON") + described
    chunks += struct.pack("<I4s", len(corners), b"BIN\0") + corners
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _picture(prompt: str, size: tuple[int, int], number: int) -> bytes:
    from PIL import Image, ImageDraw, ImageFont
    from PIL.PngImagePlugin import PngInfo

    seed = hashlib.sha256(f"{prompt}{number}".encode()).digest()
    top, bottom = (tuple(40 + byte // 3 for byte in seed[at : at + 3]) for at in (0, 3))
    gradient = Image.linear_gradient("L").resize(size)
    picture = Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), gradient)
    draw = ImageDraw.Draw(picture)
    large, small = ImageFont.load_default(30), ImageFont.load_default(16)
    draw.rectangle((0, 0, size[0], 74), fill=(16, 16, 16))
    draw.text((20, 8), f"{LABEL} {number}", font=large, fill=(255, 214, 10))
    draw.text((20, 46), NOTE, font=small, fill=(230, 230, 230))
    lines = _wrapped(prompt, size[0] - 40, lambda text: draw.textlength(text, font=large))
    draw.multiline_text((20, 100), "\n".join(lines), font=large, fill=(255, 255, 255), spacing=8)
    about = PngInfo()
    about.add_itxt("Description", f"{LABEL}, {NOTE}. Prompt: {prompt}")
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=about)
    return file.getvalue()


def _wrapped(text: str, width: int, length) -> list[str]:
    lines, line = [], ""
    for word in text.split()[:400]:
        if line and length(f"{line} {word}") > width:
            lines.append(line)
            line = word[:60]
        else:
            line = f"{line} {word[:60]}".strip()
    lines.append(line)
    return lines if len(lines) <= _LINES else [*lines[: _LINES - 1], "…"]
