"""The files that the sandbox makes: real ones, that say what they are."""

from __future__ import annotations

import hashlib
import io
import os

from ..providers import ASSETS

# media -> (media type, file ending)
TYPES = {"image": ("image/png", "png"), "video": ("video/mp4", "mp4")}

LABEL = "SANDBOX PICTURE"
NOTE = "made locally to try things out; no model saw the prompt"
VIDEO_SIZE = (320, 180)
VIDEO_SECONDS = 2.0

_LONG_SIDE = 768
_LINES = 14


def require() -> None:
    """Raise ModuleNotFoundError now, rather than in the middle of a download."""
    import PIL  # noqa: F401


def picture_size(body: dict) -> tuple[int, int]:
    """Width and height that follow the request's aspect_ratio."""
    across, _, down = str(body.get("aspect_ratio", "1:1")).partition(":")
    if not (across.isdecimal() and down.isdecimal() and int(across) and int(down)):
        across = down = "1"
    ratio = min(max(int(across) / int(down), 0.25), 4.0)
    if ratio >= 1:
        return _LONG_SIDE, round(_LONG_SIDE / ratio)
    return round(_LONG_SIDE * ratio), _LONG_SIDE


def render(media: str, body: dict, number: int) -> bytes:
    """The file of one output; the same request gives the same bytes."""
    if media == "video":
        with open(os.path.join(ASSETS, "sandbox.mp4"), "rb") as file:
            return file.read()
    return _picture(body, number)


def _picture(body: dict, number: int) -> bytes:
    from PIL import Image, ImageDraw, ImageFont
    from PIL.PngImagePlugin import PngInfo

    # JSON can hold lone surrogates, which no file can.
    prompt = str(body.get("prompt", "")).encode("utf-8", "replace").decode()
    size = picture_size(body)
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
