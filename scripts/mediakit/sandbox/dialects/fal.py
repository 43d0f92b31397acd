"""fal's contract: beside what its examples say, the upload that its Python client begins with."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from . import by_examples

_TOKEN_PATH = "/storage/auth/token"
_UPLOAD_PATH = "/files/upload"
# Own choice: no source says how long a token is good.
_EXPIRES_AT = "2099-01-01T00:00:00Z"


class Dialect(by_examples.Dialect):
    """A token for uploads, and the upload with it."""

    def handle(self, sandbox, http, content: bytes) -> None:
        path = urlsplit(http.path).path
        if http.method == "POST" and path == _TOKEN_PATH:
            token = {"token": secrets.token_hex(8), "token_type": "Bearer"}
            return http.answer(200, {**token, "base_url": http.url, "expires_at": _EXPIRES_AT})
        if http.method == "POST" and path == _UPLOAD_PATH:
            told = {
                "filename": http.headers.get("X-Fal-File-Name", "file"),
                "media_type": http.headers.get_content_type(),
            }
            kept = sandbox.store.keep("file", f"file-{secrets.token_hex(8)}", told, content)
            return http.answer(200, {"access_url": http.file_url(kept.id, told["filename"])})
        return super().handle(sandbox, http, content)
