"""Which fields take a file, told from what a contract says of them. Pure."""

from __future__ import annotations

import re

from ..base.regex import regex
from .facts import Facts
from .names import name_words

# the word in a field's own name -> the kind of file that the field is about
_MEDIA_WORDS = {
    **dict.fromkeys(
        ("image", "images", "img", "photo", "photos", "picture", "pictures", "mask", "frame", "frames"), "image"
    ),
    **dict.fromkeys(("thumbnail", "avatar", "face", "faces", "portrait", "logo", "tail", "poster", "selfie"), "image"),
    **dict.fromkeys(("video", "videos", "clip", "clips", "movie", "footage"), "video"),
    **dict.fromkeys(("audio", "audios", "sound", "voice", "song", "music", "speech"), "audio"),
    **dict.fromkeys(("file", "files", "media", "attachment", "attachments", "document"), "file"),
}
# words after a media word that still mean the media itself, as against `image_size` or `video_length`
_CARRIERS = frozenset(
    ("url", "urls", "uri", "uris", "link", "links", "file", "files", "path", "paths", "ref", "refs", "reference",
     "references", "input", "inputs", "source", "data", "base64", "b64", "list", "prompt", "tail")
)  # fmt: skip
_ADDRESS_WORDS = frozenset(("url", "urls", "uri", "uris", "file", "files", "base64", "b64"))
_ADDRESS_FORMATS = frozenset(("uri", "url", "uri-reference", "iri"))
_BINARY_FORMATS = frozenset(("binary", "byte", "base64", "data-url", "data-uri"))
_SAYS_ADDRESS = regex(r"\b(urls?|uris?|base64|upload(ed)?|data url|https?)\b", re.IGNORECASE)


def takes_file(name: str, levels: list[Facts]) -> str | None:
    """`image`, `video`, `audio` or `file` when the contract itself says that a field takes one.

    It says so with a binary format, an encoding or a media type; or with a URI format (or the
    words URL, base64, upload in its name or description) on a text whose name is a media word.
    """
    declared = next((level["media"] for level in levels if "media" in level), None)
    if declared:
        return declared
    facts = levels[-1]
    words = name_words(name)
    kind = _kind_named(words)
    media_type = facts.get("media_type", "")
    if media_type and media_type.split("/")[0] != "text" and "json" not in media_type:
        major = media_type.split("/")[0]
        return major if major in ("image", "video", "audio") else "file"
    if facts.get("format") in _BINARY_FORMATS or facts.get("encoding") == "base64":
        return kind or "file"
    types = facts.get("types", ["string"])
    if kind is None or "string" not in types or facts.get("allowed_values"):
        return None
    if facts.get("format") in _ADDRESS_FORMATS or _ADDRESS_WORDS.intersection(words):
        return kind
    text = " ".join(str(level.get("description", "")) for level in levels)
    return kind if _is_media_itself(words) and _SAYS_ADDRESS.search(text) else None


def kind_named(name: str) -> str | None:
    """The kind of file that the name of a field is about, `file` for any; None where it says nothing."""
    return _kind_named(name_words(name))


def _kind_named(words: list[str]) -> str | None:
    kinds = [_MEDIA_WORDS[word] for word in words if word in _MEDIA_WORDS]
    exact = [kind for kind in kinds if kind != "file"]
    return next(iter(exact or kinds), None)


def _is_media_itself(words: list[str]) -> bool:
    while words and words[-1] in _CARRIERS and words[-1] not in _MEDIA_WORDS:
        words = words[:-1]
    return bool(words) and words[-1] in _MEDIA_WORDS
