"""From a terminal answer to files on disk.

    Saver    fetches outputs in a thread and reports each file to an inbox
    sniff    what a file is, by its first bytes
    rename_new  a rename that replaces nothing

Reports to the inbox, as transport.Seen(saver, kind, value):

    asset    {path, bytes, sha256, media_type, width, height}
    saved    None: every output is on disk
    unsaved  one line: why not
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
import time
from urllib.parse import urljoin

from . import transport

LARGEST_FILE = 4 * 1024**3
MOST_FILES = 100
MOST_REDIRECTS = 5
_CHUNK = 256 * 1024
_STAGING_PREFIX = ".ai-media-"

# media type -> the ending of its files
ENDINGS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "model/gltf-binary": "glb",
}

# (offset, bytes there, media type); the first that fits.
_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"glTF", "model/gltf-binary"),
)


class Unsaved(Exception):
    """A result cannot be saved; the message is one line for people."""


def sniff(head: bytes) -> str | None:
    """The media type that a file's first 16 bytes show; None for what is not known here."""
    for offset, signature, media_type in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return media_type
    return None


def file_stem(service: str, model: str | None, seconds: float) -> str:
    """`service-model-time`, of characters that every file system takes; never from what a service sent."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))
    words = re.sub(r"[^a-z0-9.]+", "-", f"{service}-{model or 'job'}".lower()).strip("-.")
    return f"{words[:80]}-{moment}"


class Saver:
    """Fetches the outputs of one job, in order, without any credentials.

    folder         where the files go; it is made if it is not there
    stem           the beginning of each file's name
    loopback_base  the base URL of a service on this machine: its own origin may be fetched from, and
                   no other private address; None for every other service
    finishing      (staging path, media type, number, output) -> None, or None; called on each private
                   file once its content was checked, before it gets its name: what it leaves in the
                   file is what `asset` tells the size and sha256 of
    """

    def __init__(self, folder: str, stem: str, loopback_base: str | None, inbox, finishing=None):
        self._folder = folder
        self._stem = stem
        self._own = transport.origin_of(loopback_base) if loopback_base else None
        self._inbox = inbox
        self._finishing = finishing
        self._exchange: transport.Exchange | None = None
        self._stopped = False
        self._staging: str | None = None

    def start(self, outputs: list[dict]) -> None:
        """`outputs` as providers.Provider.outputs gives them."""
        threading.Thread(target=self._run, args=(outputs,), daemon=True).start()

    def stop(self) -> None:
        """Stop as soon as possible; nothing is reported any more."""
        self._stopped = True
        if self._exchange:
            self._exchange.leave()
        if self._staging:
            # The process is about to end, and its thread with it: the half file is removed here.
            try:
                os.unlink(self._staging)
            except OSError:
                pass

    def _report(self, kind: str, value) -> None:
        if not self._stopped:
            self._inbox.put(transport.Seen(self, kind, value))

    def _run(self, outputs: list[dict]) -> None:
        try:
            if not outputs:
                raise Unsaved("the service reported success, but no result that could be fetched")
            if len(outputs) > MOST_FILES:
                raise Unsaved(f"{len(outputs)} results; at most {MOST_FILES} are fetched")
            os.makedirs(self._folder, exist_ok=True)
            for number, output in enumerate(outputs, 1):
                self._report("asset", self._save(output, number))
            self._report("saved", None)
        except Unsaved as problem:
            self._report("unsaved", str(problem))
        except OSError as problem:
            self._report("unsaved", f"{self._folder}: {problem.strerror or transport.reason(problem)}")
        except Exception as problem:
            self._report("unsaved", transport.reason(problem))

    def _save(self, output: dict, number: int) -> dict:
        handle, staging = tempfile.mkstemp(prefix=_STAGING_PREFIX, suffix=".part", dir=self._folder)
        self._staging = staging
        try:
            with os.fdopen(handle, "wb") as file:
                digest, size, head = self._fetch(output["url"], file)
            media_type = _media_type_of(head)
            width, height = _picture_size(staging) if media_type.startswith("image/") else (None, None)
            if self._finishing:
                self._finishing(staging, media_type, number, output)
                digest, size = _digest_of(staging)
            _flush_to_disk(staging)
            os.chmod(staging, 0o666 & ~_umask())
            path = self._put_in_place(staging, number, ENDINGS.get(media_type, "bin"))
        finally:
            self._staging = None
            if os.path.lexists(staging):
                os.unlink(staging)
        asset = {"path": path, "bytes": size, "sha256": digest, "media_type": media_type}
        return {**asset, "width": width, "height": height} if width else asset

    def _fetch(self, url: str, file) -> tuple[str, int, bytes]:
        if url.lower().startswith("data:"):
            return _copy([_data_of(url)], file)
        for _ in range(MOST_REDIRECTS + 1):
            response, next_url = self._get(url)
            try:
                if next_url is None:
                    return _copy(self._pieces(response), file)
            finally:
                response.close()
            url = next_url
        raise Unsaved(f"more than {MOST_REDIRECTS} redirects")

    def _get(self, url: str):
        try:
            origin = transport.origin_of(url)
        except ValueError as problem:
            raise Unsaved(f"the result's URL cannot be used: {problem}") from None
        own = origin == self._own
        if not own and transport.is_private_literal(origin[1]):
            raise Unsaved("the result's URL leads to a private or reserved address")
        self._exchange = transport.Exchange(self._inbox, None if own else transport.is_public_peer)
        transport.watching(self._exchange)
        response = transport.watched_session(own).get(
            url,
            auth=lambda request: request,  # so that ~/.netrc adds nothing
            headers={"Accept": "*/*", "Accept-Encoding": "identity"},
            timeout=(transport.LONGEST_CONNECT, 60),
            allow_redirects=False,
            stream=True,
        )
        self._exchange._response = response
        if response.status_code in (301, 302, 303, 307, 308) and response.headers.get("Location"):
            return response, urljoin(url, response.headers["Location"])
        if response.status_code != 200:
            response.close()
            raise Unsaved(f"the result's host answered HTTP {response.status_code}")
        return response, None

    def _pieces(self, response):
        declared = response.headers.get("Content-Length", "")
        expected = int(declared) if declared.isdecimal() and not response.headers.get("Content-Encoding") else None
        if expected is not None and expected > LARGEST_FILE:
            raise Unsaved(f"a result of {expected} bytes; at most {LARGEST_FILE} are fetched")
        size = 0
        while piece := response.raw.read1(_CHUNK, decode_content=True):
            size += len(piece)
            if size > LARGEST_FILE:
                raise Unsaved(f"a result of more than {LARGEST_FILE} bytes")
            yield piece
        if expected is not None and size != expected:
            raise Unsaved(f"the result was cut short: {size} of {expected} bytes")

    def _put_in_place(self, staging: str, number: int, ending: str) -> str:
        """Rename without ever replacing a file, adding a counter where the name is taken."""
        for counter in range(1, 10_000):
            name = f"{self._stem}-{number}" + (f"-{counter}" if counter > 1 else "")
            path = os.path.abspath(os.path.join(self._folder, f"{name}.{ending}"))
            try:
                rename_new(staging, path)
                return path
            except FileExistsError:
                continue
        raise Unsaved("no free file name")


def _copy(pieces, file) -> tuple[str, int, bytes]:
    digest, size, head = hashlib.sha256(), 0, b""
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
        if len(head) < 64:
            head += piece[:64]
        file.write(piece)
    return digest.hexdigest(), size, head


def _digest_of(path: str) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def _flush_to_disk(path: str) -> None:
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def _data_of(url: str) -> bytes:
    import base64
    from urllib.parse import unquote_to_bytes

    head, comma, data = url.partition(",")
    if not comma:
        raise Unsaved("the result's data: URL is broken")
    content = unquote_to_bytes(data)
    if not head.lower().endswith(";base64"):
        return content
    try:
        return base64.b64decode(content, validate=True)
    except ValueError:
        raise Unsaved("the result's data: URL is broken") from None


def _media_type_of(head: bytes) -> str:
    if not head:
        raise Unsaved("the result is empty")
    if head.lstrip()[:1] == b"<" and b"<svg" not in head.lower():
        raise Unsaved("the result's host answered with a page instead of a file")
    return sniff(head) or "application/octet-stream"


def _picture_size(path: str) -> tuple[int, int]:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as problem:
        raise Unsaved(f"the result is not a picture that can be read ({type(problem).__name__})") from None


def _umask() -> int:
    mask = os.umask(0o077)  # reading it means setting it; only this thread makes files
    os.umask(mask)
    return mask


def rename_new(source: str, target: str) -> None:
    """Rename; FileExistsError where the target exists, also as a dangling link."""
    if os.name == "nt":
        return os.rename(source, target)
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: claim the name, then replace our own claim
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.replace(source, target)
