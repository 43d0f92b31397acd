"""Files in a `multipart/form-data` body (RFC 7578)."""

from __future__ import annotations

from collections import namedtuple
from email.parser import BytesHeaderParser

# name is the file's own, without folders; media_type is as the client told it; content is bytes.
File = namedtuple("File", "name media_type content")


def file_of(content_type: str, body: bytes, field: str) -> File | None:
    """The file in the part named `field`; None where there is none or the body is no form."""
    form = BytesHeaderParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode("utf-8", "replace"))
    boundary = form.get_boundary()
    if form.get_content_type() != "multipart/form-data" or not boundary:
        return None
    # The bytes are cut by hand: a mail parser would take line ends for its own.
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        return None
    for piece in pieces[1:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        part = BytesHeaderParser().parsebytes(head + b"\r\n\r\n")
        if part.get_param("name", header="Content-Disposition") == field and part.get_filename():
            return File(_own_name(part.get_filename()), part.get_content_type(), content)
    return None


def _own_name(name: str) -> str:
    # The parser hands bytes that are no ASCII through as lone surrogates.
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text.replace("\\", "/").rpartition("/")[2][:200] or "file"
