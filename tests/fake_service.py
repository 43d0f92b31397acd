"""A service that does exactly what a test tells it to, on a real socket of the loopback interface.

FakeService                              one server; each kind of request has its script
answer, stream, hang, reset, cut_short   what a script is made of: functions of one Exchange
job, event                               the bodies that skills.video's contract has
create, wait                             the two commands, pointed at a service
certificate                              a throw-away TLS certificate for 127.0.0.1
"""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import zlib
from collections import namedtuple

import pytest

from conftest import KEY, PATIENCE

REASONS = {200: "OK", 307: "Temporary Redirect", 404: "Not Found"}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc0000003010100"
    "18dd8db00000000049454e44ae426082"
)

# headers: lower-case names; client: the address that sent it.
Request = namedtuple("Request", "method path headers body")


class FakeService:
    """A context manager.

    create, read, media, other   a handler, or a list of them for the first, second … request of that
                                 kind (the last one stays): POSTs, reads of a job, results, all else
    connect                      (socket, number) -> whether it has dealt with the connection itself
    tls                          (certificate file, key file)
    requests                     every Request that arrived whole
    connections                  how many connections were accepted
    """

    def __init__(self, create=None, read=None, media=None, other=None, connect=None, tls=None, host="127.0.0.1"):
        scripts = {"create": create, "read": read, "media": media, "other": other}
        self._scripts = {kind: _as_list(script) for kind, script in scripts.items()}
        self._connect = connect
        self._tls = None
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*tls)
        self.requests: list[Request] = []
        self.connections = 0
        self.closing = threading.Event()
        self._arrived = threading.Condition()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=128)
        self.port = self._listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.origin = f"{'https' if tls else 'http'}://{shown}:{self.port}"
        self.base_url = f"{self.origin}/api/v1"

    def __enter__(self) -> FakeService:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *problem) -> None:
        self.closing.set()
        self._listener.close()

    def posts(self) -> int:
        return self.count("POST")

    def count(self, method: str, path: str = "") -> int:
        return sum(request.method == method and path in request.path for request in list(self.requests))

    def wait_for(self, method: str, number: int = 1) -> None:
        """Until so many requests of a method have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: self.count(method) >= number, PATIENCE), self.requests

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            connection.settimeout(PATIENCE)
            if self._connect and self._connect(connection, number):
                return
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            request = _read_request(connection)
            if request is None:
                return
            with self._arrived:
                self.requests.append(request)
                self._arrived.notify_all()
            self._handler(request)(Exchange(self, connection, request))
        except (OSError, ValueError):
            pass  # a client that went away, or was sent away
        finally:
            try:
                connection.close()
            except OSError:
                pass

    def _handler(self, request: Request):
        kind = "create" if request.method == "POST" else "other"
        if request.method == "GET" and "/generation/" in request.path:
            kind = "read"
        elif request.path.startswith("/media/"):
            kind = "media"
        script = self._scripts[kind]
        return script.pop(0) if len(script) > 1 else script[0] if script else answer(404, {"message": "no such path"})


class Exchange:
    """One request, and what can be said to it."""

    def __init__(self, service: FakeService, connection: socket.socket, request: Request):
        self.service = service
        self.request = request
        self._connection = connection

    def send(self, content: bytes) -> None:
        self._connection.sendall(content)

    def head(self, status: int, headers: dict) -> None:
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Whatever')}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def wait(self, moment: threading.Event) -> None:
        """Until the test says so, or is over."""
        while not moment.wait(0.05):
            if self.service.closing.is_set():
                raise OSError("the test is over")

    def hold(self) -> None:
        self.service.closing.wait(PATIENCE)

    def reset(self) -> None:
        reset_connection(self._connection)


def _as_list(script) -> list:
    return list(script) if isinstance(script, (list, tuple)) else [script] if script else []


def _read_request(connection) -> Request | None:
    content = b""
    while b"\r\n\r\n" not in content:
        piece = connection.recv(65536)
        if not piece:
            return None
        content += piece
    head, _, body = content.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    method, path, _ = first.split(" ", 2)
    return Request(method, path, headers, body)


def reset_connection(connection: socket.socket) -> None:
    """End a connection so that the other side sees a reset, not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if isinstance(connection, ssl.SSLSocket):
        socket.socket(fileno=connection.detach()).close()
    else:
        connection.close()


# -- what scripts are made of ---------------------------------------------------------------------


def answer(status: int, body=b"", headers: dict | None = None, media_type: str = "application/json"):
    """A complete answer; `body` is bytes as they are, or a value to send as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def handler(exchange: Exchange) -> None:
        exchange.head(status, {"Content-Type": media_type, "Content-Length": len(content), **(headers or {})})
        exchange.send(content)

    return handler


PICTURE = answer(200, PNG, media_type="image/png")


def raw_deflate(content: bytes) -> bytes:
    """As some servers send what they call deflate: without the frame of zlib."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


def page(status: int):
    return answer(status, b"<html><body>Bad gateway</body></html>", media_type="text/html")


def stream(*pieces, end: str = "eof"):
    """An event stream of bytes, each sent by itself; a threading.Event in between is waited for.

    end   eof, reset, hold, or cut: a chunked stream that ends without its last chunk
    """

    def handler(exchange: Exchange) -> None:
        chunked = {"Transfer-Encoding": "chunked"} if end == "cut" else {}
        exchange.head(200, {"Content-Type": "text/event-stream", **chunked})
        for piece in pieces:
            if isinstance(piece, threading.Event):
                exchange.wait(piece)
            else:
                exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if end == "reset":
            exchange.reset()
        elif end == "hold":
            exchange.hold()

    return handler


def cut_short(status: int, content: bytes, missing: int = 50):
    """An answer that promises more bytes than it sends."""

    def handler(exchange: Exchange) -> None:
        exchange.head(status, {"Content-Type": "application/json", "Content-Length": len(content) + missing})
        exchange.send(content)

    return handler


def ranged(content: bytes, headers: dict | None = None, upto: int | None = None, end: str = "eof", whole=False):
    """A file whose host can go on in the middle, as long as If-Range names one of its `headers`.

    upto   end the connection before this byte of the file, as `end` says: eof or reset
    whole  never go on: send all of it each time
    """
    headers = {"ETag": '"one"'} if headers is None else headers

    def handler(exchange: Exchange) -> None:
        asked = exchange.request.headers
        begin = 0
        if not whole and "range" in asked and asked.get("if-range") in headers.values():
            begin = int(asked["range"].removeprefix("bytes=").rstrip("-"))
        size = len(content)
        more = {"Content-Range": f"bytes {begin}-{size - 1}/{size}"} if begin else {}
        exchange.head(206 if begin else 200, {"Content-Length": size - begin, **more, **headers})
        exchange.send(content[begin : size if upto is None else upto])
        if upto is not None and end == "reset":
            exchange.reset()

    return handler


def redirect(location: str, status: int = 302):
    """A redirect; `{origin}` in it is the service's own."""

    def handler(exchange: Exchange) -> None:
        answer(status, b"", {"Location": location.replace("{origin}", exchange.service.origin)})(exchange)

    return handler


def dripping(*pieces: bytes, endless: bytes = b""):
    """Raw bytes, each piece by itself, then a piece for ever: every 50 ms, or as fast as it is taken if it is large."""

    def handler(exchange: Exchange) -> None:
        for piece in pieces:
            exchange.send(piece)
        while endless and not exchange.service.closing.wait(0 if len(endless) > 1000 else 0.05):
            exchange.send(endless)

    return handler


def hang(exchange: Exchange) -> None:
    exchange.hold()


def reset(exchange: Exchange) -> None:
    exchange.reset()


def after(moment: threading.Event, handler):
    """The same answer, once the test says so."""

    def waiting(exchange: Exchange) -> None:
        exchange.wait(moment)
        handler(exchange)

    return waiting


# -- bodies ----------------------------------------------------------------------------------------


def job(status: str | None = "IN_QUEUE", url: str | None = None, **more) -> dict:
    """A job as skills.video tells of it; with `url` it has one picture, as one that is completed has in any case."""
    if str(status).upper() in ("COMPLETED", "SUCCEEDED") and "data" not in more:
        url = url or "https://media.invalid/1.png"
    data = {"type": "image", "n": 1, "images": [{"url": url, "content_type": "image/png"}]} if url else None
    body = {"id": "gen_1", "status": status, "data": data, **more}
    return {name: value for name, value in body.items() if value is not None or name == "data"}


def event(status: str | None = "IN_QUEUE", name: str | None = None, **more) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(job(status, **more))}\n\n".encode()


# What a job that is done holds, as it stands in its JSON.
DATA = json.dumps(job("COMPLETED")["data"]).encode()
COMPLETED = answer(200, job("COMPLETED"))


# -- commands --------------------------------------------------------------------------------------

SSE_ENDPOINT = "/generation/sse/owner/model"
WITH_KEY = {"SKILLS_VIDEO_API_KEY": KEY}


def create_arguments(service: FakeService | str, *flags: str, streams: bool = True) -> list[str]:
    base_url = service if isinstance(service, str) else service.base_url
    where = ["--sse-endpoint", SSE_ENDPOINT] if streams else ["--provider", "skills-video", "--model", "owner/model"]
    plain = [] if streams else ["--stream", "never"]
    return [*where, *plain, "--base-url", base_url, "--payload", '{"prompt":"a tin boat"}', *flags]


def create(scripts, service, *flags: str, streams: bool = True, **options):
    """create_and_wait.py until its end."""
    return scripts.run("create_and_wait.py", *create_arguments(service, *flags, streams=streams), **_keyed(options))


def start_create(scripts, service, *flags: str, streams: bool = True, **options):
    """create_and_wait.py, running."""
    return scripts.start("create_and_wait.py", *create_arguments(service, *flags, streams=streams), **_keyed(options))


def wait(scripts, service, *flags: str, **options):
    """wait_generation.py until its end."""
    arguments = ["--generation-id", "gen_1", "--base-url", service.base_url, *flags]
    return scripts.run("wait_generation.py", *arguments, **_keyed(options))


def _keyed(options: dict) -> dict:
    return {**options, "env": {**WITH_KEY, **(options.get("env") or {})}}


def certificate(folder) -> tuple[str, str]:
    """`(certificate, key)` files for 127.0.0.1; the test is skipped where they cannot be made."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl to make a certificate with")
    paths = str(folder / "certificate.pem"), str(folder / "private.pem")
    subprocess.run(
        [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]],
        check=True,
        capture_output=True,
    )
    return paths
