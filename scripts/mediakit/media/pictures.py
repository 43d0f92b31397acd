"""Pictures as Pillow reads them: their size, and whether every pixel decodes.

    size_of    width and height, from the header alone
    decode     whether every pixel decodes
    opened     a picture of which only the header was read
    DECODERS   media type -> Pillow's plug-in for it

Pillow refuses to open a picture of many pixels. Here opening reads only a header, so that nothing is
refused there; what is decoded is bounded by its caller.
"""

from __future__ import annotations

import os
from importlib import import_module

from . import rasters, walking

# Only these are opened, and by no other plug-in: some of Pillow's start programs. Every other type is known by
# its structure alone.
DECODERS = {
    "image/png": "Png",
    "image/jpeg": "Jpeg",
    "image/webp": "WebP",
    "image/gif": "Gif",
    "image/avif": "Avif",
    "image/bmp": "Bmp",
    "image/tiff": "Tiff",
    "image/vnd.microsoft.icon": "Ico",
}
# Looked at by `containers.inspect` alone. It counts the pixels of a PNG without holding them, where Pillow would
# refuse one for its texts; and what unpacks a TIFF writes to stderr.
_NOT_DECODED = ("image/png", "image/tiff")
# What is unpacked as a whole takes four bytes a pixel. Our choice, and Pillow's: a quarter of a GiB of RGB.
LARGEST_UNPACKED = 89_478_485
# All pictures of a moving one together.
_MOST_PIXELS = 1_000_000_000
# A JPEG is read whole for a picture of an eighth of its size.
_SHRINK = 8


class Undecodable(Exception):
    """A picture cannot be decoded; the message is a few words for people."""


def size_of(file, media_type: str) -> tuple[int, int] | None:
    """Width and height of a picture in an open file; None where they cannot be told.

    Raises Undecodable, or walking.Broken, for a header that cannot be read.
    """
    try:
        if media_type == "image/png":
            return rasters.png_size(file, file.seek(0, os.SEEK_END))
        file.seek(0)
        with opened(file, media_type) as picture:
            return picture.size
    except Unsupported:
        return None
    except walking.Broken:
        raise
    except Exception as problem:  # a broken picture makes decoders raise almost anything
        raise Undecodable(f"it cannot be read as a picture ({type(problem).__name__})") from None


def decode(path: str, media_type: str) -> None:
    """Raises Undecodable where a picture's pixels do not decode, as far as that is tried.

    A type that is not in DECODERS is not; nor is one that has to be unpacked whole and is larger than
    LARGEST_UNPACKED; of a moving picture at most _MOST_PIXELS are. Of several pictures in one JPEG (MPO) it is
    the first that counts: the others are the same seen from a step aside, or a preview.
    """
    if media_type in _NOT_DECODED:
        return
    try:
        with opened(path, media_type) as picture:
            width, height = picture.size
            if media_type == "image/jpeg":
                picture.draft(None, (max(1, width // _SHRINK), max(1, height // _SHRINK)))
                picture.load()
            elif width * height <= LARGEST_UNPACKED:
                _decode_frames(picture)
    except Unsupported:
        return
    except Exception as problem:
        raise Undecodable(f"it cannot be decoded as a picture ({type(problem).__name__})") from None


def _decode_frames(picture) -> None:
    from PIL import ImageSequence

    count = 0
    for frame in ImageSequence.Iterator(picture):
        frame.load()
        count += frame.width * frame.height
        if count > _MOST_PIXELS:
            return


class Unsupported(Exception):
    """Pillow has no plug-in for the type, or one without the library that it needs."""


def opened(file, media_type: str):
    """A picture of which the header was read, by the one plug-in for its type. Image.open would look at its size.

    Raises Unsupported, and almost anything for a broken one.
    """
    try:
        from PIL import Image, features
    except ImportError:  # a file is not lost for a package
        raise Unsupported from None
    name = DECODERS.get(media_type)
    if name is None or (name in ("WebP", "Avif") and name.lower() not in features.get_supported_modules()):
        raise Unsupported
    try:
        import_module(f"PIL.{name}ImagePlugin")
    except ImportError:
        raise Unsupported from None
    open_by_plugin, _ = Image.OPEN[name.upper()]
    return open_by_plugin(file, "")
