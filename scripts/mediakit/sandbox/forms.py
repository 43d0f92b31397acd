"""Files in a `multipart/form-data` body (RFC 7578)."""

from __future__ import annotations

import contextlib
from collections import namedtuple
from email.parser import HeaderParser

# name is the file's own, without folders; media_type is as the client told it; content is bytes.
File = namedtuple("File", "name media_type content")


def file_of(content_type: str, body: bytes, field: str) -> File | None:
    """The file in the part named `field`; None where there is none or the body is no form."""
    form = HeaderParser().parsestr(f"Content-Type: {content_type}\r\n\r\n")
    boundary = form.get_boundary()
    if form.get_content_type() != "multipart/form-data" or not boundary:
        return None
    # The bytes are cut by hand: a mail parser would take line ends for its own.
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1", "replace"))
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        return None
    for piece in pieces[1:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        part = HeaderParser().parsestr(head.decode("latin-1") + "\r\n\r\n")
        if part.get_param("name", header="Content-Disposition") == field and part.get_filename() is not None:
            return File(_own_name(part.get_filename()), part.get_content_type(), content)
    return None


def _own_name(name: str) -> str:
    # It comes as bare UTF-8, which was read byte by byte, or as RFC 2231 has it.
    with contextlib.suppress(UnicodeError):
        name = name.encode("latin-1").decode()
    name = name.replace("\\", "/").rpartition("/")[2][:200]
    return name if name.strip(".") else "file"
