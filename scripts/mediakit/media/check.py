"""What a file that came is: under which ending it is kept, and what is to be said of it.

    checked   a Verdict
    Told      what the service said that it is
    Refused   it is no result at all: nothing, or an error page

What was paid for is kept. Only what cannot be a result is refused; what is another kind of file than was
said, or one that nobody here knows, is kept with a warning, and what looks broken is kept as unverified.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from . import containers, formats, pictures, walking
from .saving import MOST_PIXELS

# The kinds that a service can promise, and what else may be meant by them: a moving picture is a film.
_KINDS: dict[str, tuple[str, ...]] = {
    "image": (),
    "video": ("image/gif", "image/webp", "application/vnd.apple.mpegurl"),
    "audio": (),
    "model": ("application/zip",),
}
_OTHER_WORDS = {
    "3d": "model",
    "mesh": "model",
    "picture": "image",
    "sound": "audio",
    "music": "audio",
    "speech": "audio",
}
# What is written is a result only where the service says that it is: else it is an error page.
_WRITTEN = ("text", "document", "json", "subtitle", "subtitles", "caption", "captions", "transcript")
_NOTHING = "application/octet-stream"


class Refused(Exception):
    """What came is no result; the message is a few words for people."""


class Told(NamedTuple):
    """What is known of a result before it is looked at.

    kind        image, video, audio, model, text, …: in the service's words; empty where it says none
    media_type  as the service says it
    hints       words of others: the host's Content-Type, the end of the link; they only choose an ending
    """

    kind: str = ""
    media_type: str | None = None
    hints: tuple[str | None, ...] = ()

    @property
    def meant(self) -> str | None:
        """The kind that was promised; None where it was none that can be compared."""
        said = _OTHER_WORDS.get(self.kind.lower(), self.kind.lower())
        if said in _KINDS or not self.media_type:
            return said if said in _KINDS else None
        kind = formats.kind_of(formats.known(self.media_type) or self.media_type)
        return kind if kind in _KINDS else None

    @property
    def is_written(self) -> bool:
        """Whether words can be the result."""
        said = formats.known(self.media_type)
        if self.kind.lower() in _WRITTEN or (said and formats.kind_of(said) == "text"):
            return True
        return self.meant is None and any(
            found and formats.kind_of(found) == "text" for found in map(formats.known, self.hints[1:])
        )


class Verdict(NamedTuple):
    """What a file is.

    ending   of its name, without the dot
    warning  `(code, words)`: type_differs or unknown_format
    problem  why its content cannot be relied on; None for a file that is whole
    """

    media_type: str
    ending: str
    width: int | None = None
    height: int | None = None
    warning: tuple[str, str] | None = None
    problem: str | None = None


def checked(path: str, told: Told, most_pixels: int = MOST_PIXELS) -> Verdict:
    """Look at a whole file; raises Refused, or OSError of the disk."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(formats.HEAD)
        if not head.strip() and told.is_written:
            return _text("text/plain", told)  # of a recording in which nobody speaks
        if not head:
            raise Refused("the result is empty")
        media_type = formats.sniff(head, size)
        if media_type is None:
            return _not_known(head, told)
        try:
            width, height = pictures.size_of(file, media_type) or (None, None)
            if width and height and width * height > most_pixels:
                raise walking.Broken(f"it has {width}x{height} pixels, more than are looked at (--max-pixels)")
            media_type = containers.inspect(file, size, media_type)
            pictures.decode(path, media_type)
        except (walking.Broken, pictures.Undecodable) as problem:
            words = f"the result begins as {media_type}, but cannot be read: {problem}"
            return Verdict(media_type, formats.ENDINGS[media_type], problem=words)
    return Verdict(media_type, formats.ENDINGS[media_type], width, height, _differs(media_type, told))


def _differs(media_type: str, told: Told) -> tuple[str, str] | None:
    meant = told.meant
    if meant is None or formats.kind_of(media_type) == meant or media_type in _KINDS[meant]:
        return None
    return "type_differs", f"the result is {media_type}, and the service said {told.kind or told.media_type}"


def _not_known(head: bytes, told: Told) -> Verdict:
    words = formats.words(head)
    if words in ("an HTML page", "JSON", "XML"):
        is_told = words == "XML" and "xml" in (told.media_type or "").lower()
        if not is_told and not (words == "JSON" and told.is_written):
            raise Refused(f"the result's host answered with {words} instead of a file")
        return _text("application/json" if words == "JSON" else "text/xml", told)
    if words == "text":
        verdict = _text("text/plain", told)
        if told.is_written:
            return verdict
        return verdict._replace(problem="the result's host answered with text instead of a file")
    warning = "unknown_format", "the result is of no format that is known here, and is kept as it came"
    return Verdict(*_as_told(told), warning=warning)


def _text(media_type: str, told: Told) -> Verdict:
    """Words of a format without a mark: CSV, Markdown; plain ones where nothing says more."""
    said = formats.known(told.media_type)
    if media_type == "text/plain" and said in ("text/csv", "text/markdown"):
        media_type = said
    warning = _differs(media_type, told) if told.is_written else None
    return Verdict(media_type, formats.ENDINGS[media_type], warning=warning)


def _as_told(told: Told) -> tuple[str, str]:
    """Media type and ending of bytes without a mark: what they are said to be, if that is a format without one."""
    for word in (told.media_type, *told.hints):
        media_type = formats.known(word)
        if media_type in formats.UNMARKED:
            return media_type, formats.ENDINGS[media_type]
    return _NOTHING, formats.ENDINGS[_NOTHING]
