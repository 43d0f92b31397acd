"""Connections that tell what leaves them, and that read what is not quite HTTP; and requests that go over them.

Only sessions.py imports this room, and only once something is to be sent: urllib3 takes long to import.

send     one request; a plain one goes over a connection of our own, every other one through `proxied`
Reply    what came of it, its body unread
"""

from __future__ import annotations

import errno
import functools
import http.client
import io
import os
import ssl
import threading
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context

from ..base.regex import regex
from . import settings
from .sessions import Request, under_way

# Most interim answers (1xx) to skip before the final one.
_MOST_INTERIM = 100
# Seconds of silence that end an answer which cannot be read as HTTP.
_DRAIN = 1.0
_BUFFER = 65536
# A URL that stands in a request as it is written: nothing of it is to be encoded, decoded or resolved first.
_PLAIN = regex(
    r"(https?)://([a-z0-9][a-z0-9._-]*)(?::([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}))?"
    r"((?:/(?!\.{1,2}(?:[/?]|$))[A-Za-z0-9._~:@!$&'()*+,;=-]*)*)((?:\?[A-Za-z0-9/._~:@!$&'()*+,;=-]*)?)"
)
# Connections that wait for another read: so many at most, and so long. Servers close theirs after some five seconds
# to a few minutes; one that was closed is seen before it is used.
_MOST_IDLE, _LONGEST_IDLE = 32, 30.0


# Some hosts send more headers than Python reads; what is read of one is bounded all the same, by its lines.
http.client._MAXHEADERS = 1000  # type: ignore[attr-defined]


class _Incoming(io.RawIOBase):
    """The bytes of one answer as they come off the socket, by way of the exchange."""

    def __init__(self, file, connected, exchange):
        super().__init__()
        self._file = file  # holds the socket open
        self._connected = connected
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self._exchange.receive(self._connected, buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that is understood though its head is odd: it may hold what was paid for."""

    def __init__(self, sock, *args, **options):
        super().__init__(sock, *args, **options)
        self._watcher = under_way()
        if self._watcher:
            self.fp = io.BufferedReader(_Incoming(self.fp.detach(), sock, self._watcher), _BUFFER)

    def begin(self) -> None:
        if getattr(self, "headers", None) is not None:
            return
        try:
            super().begin()
            for _ in range(_MOST_INTERIM):
                if not 100 <= self.status < 200:
                    break
                # http.client passes over 100 alone; 102 and 103 are no more the answer than that.
                self.headers = self.msg = None  # type: ignore[assignment]
                super().begin()
        except (http.client.HTTPException, ValueError) as problem:
            if self._watcher and not isinstance(problem, ConnectionError):  # of a closed one nothing more comes
                self._watcher.drain(_DRAIN)
            raise
        self._settle_length()

    def _settle_length(self) -> None:
        """Where an answer ends: headers that say two things, or none that can be understood, do not count."""
        if self.length == 0 and self.status in (204, 304):
            return
        encodings = [word.strip().lower() for word in self.headers.get("Transfer-Encoding", "").split(",")]
        if "chunked" in encodings and not self.chunked:
            self.chunked, self.chunk_left, self.length = True, None, None
        lengths = {word.strip() for value in self.headers.get_all("Content-Length", []) for word in value.split(",")}
        if self.chunked or not lengths or (len(lengths) == 1 and lengths.pop().isdecimal()):
            return
        del self.headers["Content-Length"]
        self.length, self.will_close = None, True


def _watched(connection_class):
    """A urllib3 connection class that reports to the exchange of its thread.

    The class of an exception does not tell whether a request was sent: a reset in the TLS handshake
    and one after the server has read everything raise the same. What was passed to the socket does.
    """

    class Watched(connection_class):  # type: ignore[valid-type, misc]
        response_class = _Response
        is_watched = True
        _connecting = False

        def connect(self):
            self._connecting = True
            try:
                super().connect()
            finally:
                self._connecting = False
            self.told_reached()

        def told_reached(self):
            exchange = under_way()
            if exchange:
                exchange.reached(self.sock, is_proxy=exchange.proxy is not None)

        def putrequest(self, method, url, *args, **options):
            exchange = under_way()
            if exchange and exchange.target is not None:
                parts = urlsplit(url)
                # A proxy of plain http is told the whole URL.
                url = (f"{parts.scheme}://{parts.netloc}" if parts.netloc else "") + exchange.target
            return super().putrequest(method, url, *args, **options)

        def send(self, data):
            if not self._connecting:  # what a proxy is told to open the tunnel is not the request
                if self.sock is None:
                    self.connect()
                exchange = under_way()
                if exchange:
                    exchange.before_sending()
            return super().send(data)

    return Watched


_CLASSES = {"http": _watched(HTTPConnection), "https": _watched(HTTPSConnection)}


class _Idle:
    """Connections that may carry another read, by where they lead: the youngest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: list[tuple[tuple, float, HTTPConnection]] = []

    def take(self, where: tuple) -> HTTPConnection | None:
        while True:
            with self._lock:
                at = next((at for at in reversed(range(len(self._found))) if self._found[at][0] == where), None)
                if at is None:
                    return None
                _, since, connection = self._found.pop(at)
            if time.monotonic() - since < _LONGEST_IDLE and connection.is_connected:
                return connection
            connection.close()

    def put(self, where: tuple, connection: HTTPConnection) -> None:
        with self._lock:
            self._found.append((where, time.monotonic(), connection))
            late = self._found.pop(0)[2] if len(self._found) > _MOST_IDLE else None
        if late is not None:
            late.close()


_idle = _Idle()


class Reply:
    """An answer whose head has come. A context manager, which closes it.

    status_code, headers (case-insensitive), url
    raw    its body, as urllib3 has it

    close  it is not read any more; `whole`: it was read to its end, and nothing was wrong with it
    """

    def __init__(self, raw, url: str, connection: HTTPConnection | None = None, where: tuple = ()):
        self.raw = raw
        self.status_code: int = raw.status
        self.headers: Mapping[str, str] = raw.headers
        self.url = url
        self._connection = connection
        self._where = where

    def close(self, whole: bool = False) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return self.raw.close()
        exchange = under_way()
        is_over = whole and self.raw.closed and connection.sock is not None
        self.raw.close()
        if is_over and (exchange is None or exchange.lets_go()):
            return _idle.put(self._where, connection)
        return connection.close()

    def __enter__(self) -> Reply:
        return self

    def __exit__(self, *problem) -> None:
        self.close()


def send(asked: Request, loopback: bool) -> Reply:
    """Send a request and wait for the head of its answer. Raises what urllib3, requests, ssl or a socket raises.

    loopback  whether it is for this machine, where a proxy of the environment is not asked
    """
    plain = _PLAIN.fullmatch(asked.url)
    if plain is None or (not loopback and settings.may_have_proxy() and _proxied().proxy_of(asked.url)):
        return _sent_otherwise(asked, loopback)
    scheme, host, port, path, query = plain.groups()
    certificates = settings.Certificates.of_environment() if scheme == "https" else None
    exchange = under_way()
    if exchange:
        exchange.proxy, exchange.certificates = None, certificates and certificates.setting
    where = (scheme, host, port, certificates)
    # What was paid for goes over a connection of its own: on one that was used the hook in it proves nothing.
    kept = _idle.take(where) if asked.method == "GET" and asked.body is None else None
    if kept is not None:
        try:
            kept.told_reached()
            return Reply(_answered(kept, asked, (path or "/") + query), asked.url, kept, where)
        except BaseException as problem:
            kept.close()
            # Its server has closed it while the request was on its way: a read may be sent again (RFC 9110, 9.2.2).
            if not isinstance(problem, ConnectionError) or (exchange and (exchange.left or exchange.record)):
                raise
    more = {"ssl_context": _context(certificates, _stamps(certificates))} if certificates else {}
    fresh = _CLASSES[scheme](host, port=int(port) if port else None, timeout=asked.timeout[0], **more)
    try:
        fresh.connect()
        return Reply(_answered(fresh, asked, (path or "/") + query), asked.url, fresh, where)
    except BaseException:
        fresh.close()
        raise


def _answered(connection: HTTPConnection, asked: Request, target: str):
    """urllib3's response, its body unread."""
    connection.timeout = asked.timeout[0]
    body = asked.body
    length = {} if body is None and asked.method in ("GET", "HEAD") else {"Content-Length": str(len(body or b""))}
    try:
        connection.request(
            asked.method, target, body, {**asked.headers, **length}, preload_content=False, decode_content=False
        )
    except OSError as problem:
        # A server may answer, and close, before it has read everything: what it says counts.
        if problem.errno not in (errno.EPIPE, errno.ECONNRESET, errno.EPROTOTYPE):
            raise
    connection.timeout = asked.timeout[1]
    return connection.getresponse()


def _proxied():
    from . import proxied

    return proxied


def _sent_otherwise(asked: Request, loopback: bool) -> Reply:
    session = _proxied().Session(_watched, loopback)
    response = session.request(
        asked.method,
        asked.url,
        # Proxies and certificates of the environment count; ~/.netrc does not: with `auth` given it is not read, and
        # so cannot replace the key.
        auth=lambda request: request,
        headers=dict(asked.headers),
        data=asked.body,
        timeout=asked.timeout,
        allow_redirects=False,
        stream=True,
    )
    return Reply(response.raw, response.url)


def _stamps(certificates: settings.Certificates) -> tuple:
    """What differs once the certificates were changed on disk."""
    places = [certificates.verify, *(certificates.folders or "").split(os.pathsep)]
    return tuple(os.stat(place).st_mtime_ns for place in places if isinstance(place, str) and os.path.exists(place))


@functools.lru_cache(maxsize=8)
def _context(certificates: settings.Certificates, stamps: tuple) -> ssl.SSLContext:
    """What checks a server's certificate: made once, since to read all that are trusted takes longer than a request."""
    if certificates.verify is True:
        import certifi  # what requests trusts, and comes with it

        place = certifi.where()
    else:
        place = str(certificates.verify)
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    is_folder = os.path.isdir(place)
    folders = certificates.folders or (place if is_folder else None)
    context.load_verify_locations(None if is_folder else place, folders)
    return context
