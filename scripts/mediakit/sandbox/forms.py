"""What a `multipart/form-data` body holds (RFC 7578)."""

from __future__ import annotations

import contextlib
from collections import namedtuple
from email.parser import HeaderParser

# name is the file's own, without folders; media_type is as the client told it; content is bytes.
File = namedtuple("File", "name media_type content")


def file_of(content_type: str, body: bytes, field: str) -> File | None:
    """The file in the part named `field`; None where there is none or the body is no form."""
    for name, value in parts_of(content_type, body) or ():
        if name == field and isinstance(value, File):
            return value
    return None


def parts_of(content_type: str, body: bytes) -> list[tuple[str, File | str]] | None:
    """`(name, File or text)` of each part with a name, in order; None where the body is no form."""
    form = HeaderParser().parsestr(f"Content-Type: {content_type}\r\n\r\n")
    boundary = form.get_boundary()
    if form.get_content_type() != "multipart/form-data" or not boundary:
        return None
    # The bytes are cut by hand: a mail parser would take line ends for its own.
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1", "replace"))
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        return None
    return [found for piece in pieces[1:-1] if (found := _part(piece))]


def _part(piece: bytes) -> tuple[str, File | str] | None:
    head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    part = HeaderParser().parsestr(head.decode("latin-1") + "\r\n\r\n")
    name, filename = part.get_param("name", header="Content-Disposition"), part.get_filename()
    if not isinstance(name, str):
        return None
    if filename is None:
        return name, content.decode("utf-8", "replace")
    return name, File(own_name(filename), part.get_content_type(), content)


def own_name(name: str) -> str:
    """The name of a file itself, without folders."""
    # It comes as bare UTF-8, which was read byte by byte, or as RFC 2231 has it.
    with contextlib.suppress(UnicodeError):
        name = name.encode("latin-1").decode()
    name = name.replace("\\", "/").rpartition("/")[2][:200]
    return name if name.strip(".") else "file"
