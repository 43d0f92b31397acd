"""The sandbox's server: one thread a connection, on a free port of the loopback interface."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections import deque
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, urlsplit

from ..base.regex import regex
from ..http import faults
from ..services import catalogue
from . import dialects, media
from .store import opened

HOST = "127.0.0.1"
# What programs of this machine call it.
_NAMES = (HOST, "localhost")
MEDIA_PATH = "/m/"
DOCUMENT_PATH = "/openapi.json"

_LARGEST_BODY = 64 * 1024 * 1024
_LARGEST_KEPT_BODY = 256 * 1024
_HANG_SECONDS = 3600.0
_SECRET_HEADERS = frozenset(("authorization", "proxy-authorization", "cookie"))
_RANGE = regex(r"bytes=(\d{0,18})-(\d{0,18})")


class Exchange:
    """One request, for tests to compare.

    method, path  as they came
    headers       by lower-case name; what is secret shows its scheme only: `Bearer [redacted]`
    body          the first 256 KiB of it
    status        the HTTP status of the answer; None where there was none
    """

    def __init__(self, method: str, path: str, headers, body: bytes):
        self.method, self.path = method, path
        self.headers = {name.lower(): _redacted(name, value) for name, value in headers.items()}
        self.body = body[:_LARGEST_KEPT_BODY]
        self.status: int | None = None


def _redacted(name: str, value: str) -> str:
    if name.lower() not in _SECRET_HEADERS and not name.lower().endswith("api-key"):
        return value
    scheme, space, _ = value.partition(" ")
    return f"{scheme if space else ''}{space}[redacted]"


def _listening(port: int) -> _Server:
    """Raises OSError where the port cannot be had, and Failure where this process may have none at all."""
    try:
        return _Server((HOST, port), _Handler)
    except OSError as problem:
        raise faults.no_server(problem, port) or problem from problem


class Sandbox:
    """A running server; use it as a context manager or call `close`.

    folder     where its jobs are kept; None for memory
    dialect    the service whose contract it speaks
    fault      a name of FAULTS that every create shall suffer
    port       0 for a free one
    balance    what the account holds, in the service's unit; None for more than anybody needs
    url        where it is, without a slash at the end
    note       why its jobs are kept in memory where a folder was given; "" where they are not
    requests   (method, path) of the latest requests, for tests
    exchanges  the latest of them in full, each an Exchange
    """

    def __init__(
        self, folder: str | None, dialect: str, fault: str | None = None, port: int = 0, balance: float | None = None
    ):
        media.require()
        self.fault = fault
        self.balance = 0.0 if fault == "no-credits" and balance is None else balance
        self.requests: deque = deque(maxlen=100_000)
        self.exchanges: deque = deque(maxlen=1000)
        self.closing = threading.Event()
        self.service = dialect
        self.dialect = dialects.load(dialect)
        self.store, self.note = opened(folder, dialect, getattr(self.dialect, "ID_PREFIX", ""))
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._server = _listening(port)
        self._server.sandbox = self
        self.url = f"http://{HOST}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def nth(self, word: str) -> int:
        """How often `word` has been asked about since the start, this time included."""
        with self._lock:
            self._counts[word] = self._counts.get(word, 0) + 1
            return self._counts[word]

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *problem) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    sandbox: Sandbox

    def handle_error(self, request, client_address):
        pass  # a client that went away is no news


class Hangup(Exception):
    """The connection is gone; nothing more can be said."""


class _Handler(BaseHTTPRequestHandler):
    """HTTP for the dialects: they are handed this object and call its public methods."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version = "ai-media-sandbox"
    sys_version = ""
    _exchange: Exchange | None = None

    def log_message(self, *ignored):
        pass

    def do_GET(self):
        self._handle()

    def do_HEAD(self):
        self._handle()

    def do_POST(self):
        self._handle()

    def do_PUT(self):
        self._handle()

    def do_PATCH(self):
        self._handle()

    def do_DELETE(self):
        self._handle()

    def _handle(self) -> None:
        sandbox = self.server.sandbox
        self._exchange = None
        size = self._body_size() if self._is_for_us() else None
        if size is None:
            return
        content = self.rfile.read(size)
        self._exchange = Exchange(self.command, self.path, self.headers, content)
        sandbox.exchanges.append(self._exchange)
        sandbox.requests.append((self.command, self.path))
        try:
            if sandbox.fault == "unreachable":
                self.reset()
            elif self.path.startswith(MEDIA_PATH):
                self._send_media()
            elif self.path == DOCUMENT_PATH:
                self._send_document()
            else:
                sandbox.dialect.handle(sandbox, self, content)
        except (Hangup, ConnectionError):
            self.close_connection = True

    def _is_for_us(self) -> bool:
        """Whether a program of this machine asks, and no page that a browser shows; refused otherwise.

        A page can send requests here, and with a name of its own that leads here also read the answers.
        """
        hosts = [host.strip().lower() for host in self.headers.get_all("Host", [])]
        origins = [origin.strip().lower() for origin in self.headers.get_all("Origin", [])]
        is_named = len(hosts) == 1 and re.sub(r":\d{1,5}$", "", hosts[0]) in _NAMES
        is_own = is_named and all(origin == f"http://{hosts[0]}" for origin in origins)
        if is_own and self.headers.get("Sec-Fetch-Site") != "cross-site":
            return True
        self.close_connection = True
        self.answer(403, {"message": "this server answers programs of this machine, asked for by its own name"})
        return False

    def _body_size(self) -> int | None:
        """How long the body is; None, and refused, where that is not told or too long."""
        told = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not told.isdecimal():
            status, message = 411, "the length of the body must be told"
        elif int(told) > _LARGEST_BODY:
            status, message = 413, "the request is too large"
        else:
            return int(told)
        self.close_connection = True
        return self.answer(status, {"message": message})

    # -- what a dialect can do ----------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where the server is, without a slash at the end."""
        return self.server.sandbox.url

    @property
    def method(self) -> str:
        """The HTTP method; HEAD is answered as GET, without the body."""
        return "GET" if self.command == "HEAD" else self.command

    def send_response(self, code, message=None):
        if self._exchange:
            self._exchange.status = code
        super().send_response(code, message)

    def json_of(self, content: bytes):
        """The JSON object that a client sent, or None."""
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    def answer(self, status: int, body, headers: dict | None = None, cut: bool = False) -> None:
        """A JSON answer; a str is sent as an HTML page; `cut` sends half of it and ends the connection."""
        is_page = isinstance(body, str)
        content = body.encode() if is_page else json.dumps(body).encode()
        self.answer_bytes(
            status,
            "text/html" if is_page else "application/json",
            content[: len(content) // 2] if cut else content,
            headers,
        )

    def answer_bytes(
        self, status: int, media_type: str, content: bytes, headers: dict | None = None, breaks_off: bool = False
    ) -> None:
        """An answer as it is; `breaks_off` tells its whole length, sends half of it and ends the connection."""
        if status == 204:  # which has no body, nor a length of one
            content = b""
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if breaks_off else content)
        if breaks_off:
            self.break_off()

    def interim(self) -> None:
        """An HTTP 103 before the answer."""
        self.send_response_only(103)
        self.send_header("Link", "</style.css>; rel=preload")
        self.end_headers()

    def open_stream(self, media_type: str = "text/event-stream", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()

    def stream(self, text: str) -> None:
        """A piece of a stream, sent at once."""
        content = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def stream_event(self, body, name: str | None = None) -> None:
        head = f"event: {name}\n" if name else ""
        self.stream(f"{head}data: {json.dumps(body)}\n\n")

    def break_off(self) -> None:
        """End the connection in the middle of an answer."""
        self.wfile.flush()
        raise Hangup

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def reset(self) -> None:
        """End the connection with a reset, so that the client's next read fails."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self.connection.detach())
        raise Hangup

    def wait(self, seconds: float) -> None:
        """Let time pass, unless the sandbox is closed meanwhile."""
        if self.server.sandbox.closing.wait(max(seconds, 0.0)):
            raise Hangup

    def hang(self) -> None:
        self.wait(_HANG_SECONDS)

    def media_url(self, job, number: int) -> str:
        """Where an output of a job is."""
        return self._media_url(job.id, f"{number}.{media.TYPES[job.media][1]}")

    def file_url(self, file_id: str, name: str) -> str:
        """Where an uploaded file is: a record of the kind `file`."""
        return self._media_url(file_id, name)

    def _media_url(self, owner: str, name: str) -> str:
        return f"{self.server.sandbox.url}{MEDIA_PATH}{owner}/{quote(name, safe='')}"

    def _send_document(self) -> None:
        """The contract that is served here, for whoever wants to inspect it over HTTP."""
        with open(catalogue.contract_path(self.server.sandbox.service), "rb") as file:
            self.answer_bytes(200, "application/json", file.read())

    def _send_media(self) -> None:
        if self.method != "GET":
            return self.answer(405, {"message": "a file can only be read"})
        owner, _, name = urlsplit(self.path).path.removeprefix(MEDIA_PATH).partition("/")
        store = self.server.sandbox.store
        job, file = store.find(owner), store.record("file", owner)
        if file:
            return self._send_file(file.body["media_type"], file.content, file.created)
        number = name.partition(".")[0]
        if job is None or not number.isdecimal():
            return self.answer(404, {"message": "no such file"})
        if job.fault == "result-expired":
            return self.answer(403, {"message": "the link has expired"})
        if job.fault in ("result-202", "result-404") and self.server.sandbox.nth(f"media {owner}") <= 2:
            return self.answer(int(job.fault[-3:]), {"message": "not yet"})
        content = media.render(job.media, self.server.sandbox.dialect.drawn(job), int(number))
        return self._send_file(media.TYPES[job.media][0], content, job.created)

    def _send_file(self, media_type: str, content: bytes, changed: float) -> None:
        """A file, or the one range of it that is asked for."""
        known = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
            "Last-Modified": formatdate(changed, usegmt=True),
            "Accept-Ranges": "bytes",
        }
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        unchanged = self.headers.get("If-Range", known["ETag"]) in (known["ETag"], known["Last-Modified"])
        if not (asked and unchanged and any(asked.groups())):
            return self.answer_bytes(200, media_type, content, known)
        first, last = _bounds(*asked.groups(), len(content))
        if first > last:
            return self.answer_bytes(416, media_type, b"", {**known, "Content-Range": f"bytes */{len(content)}"})
        known["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return self.answer_bytes(206, media_type, content[first : last + 1], known)


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """The first and the last byte of a range; `-500` is the last 500."""
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last or size), size - 1)


def seconds_until(moment: float) -> float:
    return max(0.0, moment - time.time())
