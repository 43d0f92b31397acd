"""Where a result can be fetched, as its service spelled it. Pure.

    Link      an http(s) address: what is connected to, and the request target, byte for byte
    link      read one; ValueError for what is none
    redirected  where a Location header leads from a Link
    is_data   whether a text is a data: URL
    is_silence  whether it is one of a text without a character
    data_of   what is in a data: URL, piece by piece

A signature covers the spelling of an address: `%7E` and `~`, `%2d` and `%2D`, `//` and `/` are the same
address to a library and another one to the host that signed it. So nothing is written anew here but what
cannot stand in a request at all: blanks, and characters beyond ASCII.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..base.regex import regex
from ..http.addresses import origin_of

_BLANKS = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f "
_CONTROL = regex(r"[\x00-\x1f\x7f]")
_ABSOLUTE = regex(r"([A-Za-z][A-Za-z0-9+.-]*):")


class Link(NamedTuple):
    """An http(s) address.

    origin     `(scheme, host, port)`
    authority  host and port as they are written
    target     path and query, as the request line has them
    """

    origin: tuple[str, str, int]
    authority: str
    target: str

    @property
    def site(self) -> str:
        """The address without its target: all that a library that would rewrite it needs to see."""
        return f"{self.origin[0]}://{self.authority}/"

    @property
    def place(self) -> str:
        """The address without its query, where signatures stand: the same file under another one."""
        return self.site + self.target.partition("?")[0]


def link(text: str) -> Link:
    """Read an address; raises ValueError with what it is instead.

    `//host/…` is read as https. Blanks around it are dropped, those in it encoded, a fragment is not sent.
    """
    text = text.strip(_BLANKS)
    if _CONTROL.search(text):
        raise ValueError("it holds a control character")
    text = text.partition("#")[0]
    if text.startswith("//"):
        text = f"https:{text}"
    found = re.fullmatch(r"(https?)://([^/?\\]*)(.*)", text, re.I | re.S)
    if not found:
        raise ValueError("expected http:// or https:// and a host")
    scheme, authority, rest = found.groups()
    if rest.startswith("\\"):
        raise ValueError("it holds a backslash behind its host")
    origin = origin_of(f"{scheme}://{authority}/")
    if rest[:1] != "/":
        rest = f"/{rest}"
    return Link(origin, authority, _sendable(rest))


def _sendable(target: str) -> str:
    """A request target with what cannot stand in a request line encoded (as UTF-8), and nothing else."""
    return re.sub(r"[^\x21-\x7e]", lambda found: _encoded(found[0]), target)


def _encoded(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))


def redirected(here: Link, location: str) -> Link:
    """Where a Location header leads, as http.client reads it: each byte one character. Raises ValueError."""
    location = location.encode("latin-1", "replace").decode("utf-8", "surrogateescape").strip(_BLANKS)
    if _ABSOLUTE.match(location):
        return link(location)
    if location.startswith("//"):
        return link(f"{here.origin[0]}:{location}")
    path, mark, query = here.target.partition("?")
    location = location.partition("#")[0]
    if location.startswith("?"):
        return link(f"{here.site[:-1]}{path}{location}")
    if location.startswith("/"):
        return link(f"{here.site[:-1]}{location}")
    if not location:
        return link(f"{here.site[:-1]}{path}{mark}{query}")
    relative, mark, query = location.partition("?")
    return link(f"{here.site[:-1]}{_without_dots(path.rpartition('/')[0] + '/' + relative)}{mark}{query}")


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4: a path without its `.` and `..` segments."""
    kept: list[str] = []
    *folders, last = path.split("/")[1:]
    for segment in folders:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if last in (".", ".."):
        if last == "..":
            del kept[-1:]
        last = ""
    return "/" + "/".join([*kept, last])


# -- data: URLs ------------------------------------------------------------------------------------------

_LONGEST_HEAD = 4096


def is_data(text: str) -> bool:
    return text.lstrip(_BLANKS)[:5].lower() == "data:"


def is_silence(text: str) -> bool:
    """Whether this is the data: URL of a text without a character: what was written of nobody's speech."""
    return re.fullmatch(r"data:text/plain[\w;=-]*,", text[:_LONGEST_HEAD]) is not None


def data_of(pieces: Iterable[str]) -> tuple[str | None, Iterator[bytes]]:
    """`(media type, content)` of a data: URL that comes in pieces; raises ValueError, also while it is read.

    It is read as browsers read one (RFC 2397; WHATWG Fetch, 6): blanks and line ends in it do not count, nor
    does missing padding; percent signs are undone first. The alphabet of base64url is understood too.
    """
    pieces = iter(pieces)
    head = ""
    for piece in pieces:
        head += piece
        if "," in head or len(head) > _LONGEST_HEAD:
            break
    kind, comma, first = head.lstrip(_BLANKS)[5:].partition(",")
    if not comma:
        raise ValueError("it has no comma")
    rest = _chained(first, pieces)
    media_type = kind.partition(";")[0].strip() or None
    if re.search(r"(?i);\s*base64\s*$", kind):
        return media_type, base64_of(_unquoted(rest))
    # A drawing that is written into an address often has its colours as they are: `#` is no fragment there.
    is_drawing = "svg" in kind.lower()
    return media_type, _unquoted(rest if is_drawing else _before_fragment(rest))


def _chained(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _before_fragment(pieces: Iterable[str]) -> Iterator[str]:
    for piece in pieces:
        kept, mark, _ = piece.partition("#")
        yield kept
        if mark:
            return


def _unquoted(pieces: Iterable[str]) -> Iterator[bytes]:
    """Bytes of text in which some are written as %XX; one that two pieces share is one all the same."""
    left = ""
    for piece in pieces:
        piece = left + piece
        cut = piece.rfind("%", max(0, len(piece) - 2))
        left = "" if cut < 0 else piece[cut:]
        yield _unquote(piece if cut < 0 else piece[:cut])
    yield _unquote(left)


def _unquote(text: str) -> bytes:
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(text.encode("utf-8", "replace"))


_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_IGNORED = b" \t\n\x0c\r"


def base64_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What base64 in pieces says (RFC 4648, 4 and 5, forgiving); raises ValueError for what is none."""
    left, is_over = b"", False
    for piece in pieces:
        piece, mark, _ = piece.partition(b"#")
        piece = left + piece.translate(_TO_STANDARD, _IGNORED)
        whole, padding, behind = piece.partition(b"=")
        if (is_over and whole) or behind.strip(b"="):
            raise ValueError("it goes on behind the end of its base64")
        if re.search(rb"[^A-Za-z0-9+/]", whole):
            raise ValueError("it is no base64")
        is_over = is_over or bool(padding)
        cut = len(whole) // 4 * 4
        yield binascii.a2b_base64(whole[:cut])
        left = whole[cut:]
        if is_over and left:
            yield _last(left)
            left = b""
        if mark:
            break
    if left:
        yield _last(left)


def _last(group: bytes) -> bytes:
    if len(group) == 1:
        raise ValueError("it is cut in the middle of its base64")
    return binascii.a2b_base64(group + b"=" * (4 - len(group)))
