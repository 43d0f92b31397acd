"""The sandbox's server: one thread a connection, on a free port of the loopback interface."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .. import catalogue
from . import dialects, faults, media
from .store import Store

HOST = "127.0.0.1"
MEDIA_PATH = "/media/"
DOCUMENT_PATH = "/openapi.json"

_LARGEST_BODY = 64 * 1024 * 1024
_HANG_SECONDS = 3600.0


class Sandbox:
    """A running server; use it as a context manager or call `close`.

    folder    where its jobs are kept; None for memory
    dialect   the service whose contract it speaks
    fault     a name of FAULTS that every create shall suffer
    port      0 for a free one
    url       where it is, without a slash at the end
    requests  (method, path) of the latest requests, for tests
    """

    def __init__(self, folder: str | None, dialect: str, fault: str | None = None, port: int = 0):
        media.require()
        self.store = Store(folder)
        self.fault = fault
        self.requests: deque = deque(maxlen=100_000)
        self.closing = threading.Event()
        self.service = dialect
        self.dialect = dialects.load(dialect)
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._server = _Server((HOST, port), _Handler)
        self._server.sandbox = self
        self.url = f"http://{HOST}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def first_time(self, word: str) -> bool:
        """Whether `word` is asked about for the first time since the start."""
        with self._lock:
            first = word not in self._seen
            self._seen.add(word)
            return first

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

    def log_message(self, *ignored):
        pass

    def do_GET(self):
        self._handle(None)

    def do_POST(self):
        size = int(self.headers.get("Content-Length") or 0)
        if size > _LARGEST_BODY:
            return self.answer(413, {"message": "the request is too large"})
        self._handle(self.rfile.read(size))

    def _handle(self, content: bytes | None) -> None:
        sandbox = self.server.sandbox
        sandbox.requests.append((self.command, self.path))
        try:
            if self.path.startswith(MEDIA_PATH):
                self._send_media()
            elif self.path == DOCUMENT_PATH:
                self._send_document()
            else:
                sandbox.dialect.handle(sandbox, self, content)
        except (Hangup, ConnectionError):
            self.close_connection = True

    # -- what a dialect can do ----------------------------------------------------------------

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

    def answer_bytes(self, status: int, media_type: str, content: bytes, headers: dict | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def open_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
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
        ending = media.TYPES[job.media][1]
        return f"{self.server.sandbox.url}{MEDIA_PATH}{job.id}/{number}.{ending}"

    def _send_document(self) -> None:
        """The contract that is served here, for whoever wants to inspect it over HTTP."""
        with open(catalogue.contract_path(self.server.sandbox.service), "rb") as file:
            self.answer_bytes(200, "application/json", file.read())

    def _send_media(self) -> None:
        job_id, _, name = self.path.removeprefix(MEDIA_PATH).partition("/")
        number = name.partition(".")[0]
        job = self.server.sandbox.store.find(job_id)
        if job is None or not number.isdecimal():
            return self.answer(404, {"message": "no such file"})
        if job.fault == "result-expired":
            return self.answer(403, {"message": "the link has expired"})
        content = media.render(job.media, job.input, int(number))
        self.answer_bytes(200, media.TYPES[job.media][0], content)


def fault_of(sandbox: Sandbox, prompt: str) -> str | None:
    """The fault of a create: the server's own, else the one that its prompt asks for."""
    return sandbox.fault or faults.asked_for(prompt)


def seconds_until(moment: float) -> float:
    return max(0.0, moment - time.time())
