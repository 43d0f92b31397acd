"""Sends and receives. Knows hosts, time-outs and what left the machine; not what a job is.

    resolve_base_url   which address may get the key (pure)
    resolve_endpoint   a path below it (pure)
    above              a base URL without its prefix (pure)
    ask                one read, waited for
    answer_of          what comes of a request that is under way
    Wire               one service: `post` and `get` run in threads and report to an inbox
    Exchange           one request that is under way
    Answer             one complete answer

What arrives goes into the inbox as inbox.Message(exchange, content), where content is one of

    StreamOpened   a stream has begun
    StreamChunk    a piece of it
    StreamEnded    it is over
    Answer         anything else that came whole
    Lost           nothing came, or not all
"""

from __future__ import annotations

import ipaddress
import json
import re
import threading
import time
import unicodedata
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from urllib.parse import urlsplit, urlunsplit

from .. import __version__
from ..base import errors
from ..base.inbox import Inbox, Message
from . import bodies

LARGEST_ANSWER = 16 * 1024 * 1024
LONGEST_CONNECT = 20.0
_CHUNK = 65536
_SPARE = 5.0
# So many chunks may wait in the inbox before the reader thread waits for its reader.
_CHUNKS_AHEAD = 32


@dataclass(frozen=True)
class StreamOpened:
    status: int


@dataclass(frozen=True)
class StreamChunk:
    content: bytes


@dataclass(frozen=True)
class StreamEnded:
    """`reason` is "eof" or "reset"; `message` says in words what a reset was."""

    reason: str
    message: str = ""


@dataclass(frozen=True)
class Lost:
    """`message` is for people; `sent` tells whether a byte of the request may have left."""

    message: str
    sent: bool


class Answer:
    """A complete HTTP answer.

    status   HTTP status
    headers  case-insensitive mapping
    content  the body's bytes
    """

    def __init__(self, status: int, headers, content: bytes):
        self.status = status
        self.headers = headers
        self.content = content

    @property
    def retry_after(self) -> float | None:
        return retry_after(self.headers, time.time())


def retry_after(headers, now: float) -> float | None:
    """Seconds to wait as `Retry-After` (seconds or a date) or `X-RateLimit-Reset` says; None without either.

    `X-RateLimit-Reset` above 1e9 is an epoch, else seconds.
    """
    named = headers.get("Retry-After")
    if named is not None:
        if re.fullmatch(r"\s*\d{1,9}(\.\d{1,6})?\s*", named):
            return float(named)
        from email.utils import parsedate_to_datetime

        try:
            return max(0.0, parsedate_to_datetime(named).timestamp() - now)
        except (ValueError, TypeError, OverflowError):
            pass
    reset = headers.get("X-RateLimit-Reset", "")
    if re.fullmatch(r"\s*\d{1,12}(\.\d{1,6})?\s*", reset):
        moment = float(reset)
        return max(0.0, moment - now) if moment > 1e9 else moment
    return None


# -- addresses -----------------------------------------------------------------------------------


def is_loopback(host: str | None) -> bool:
    """Whether a host of a URL is this machine: localhost, 127.0.0.0/8 or ::1."""
    if not host:
        return False
    return host.lower() == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def is_private_literal(host: str) -> bool:
    """Whether a host of a URL is written as an address that is not public, or is this machine's name."""
    # Names are normalised before they are looked up (UTS 46): what looks like no digit or dot becomes one.
    host = unicodedata.normalize("NFKC", host).replace("\u3002", ".").rstrip(".").lower()
    if is_loopback(host) or host.endswith(".localhost"):
        return True
    if _is_address(host):
        return not is_public_peer(host)
    # 2130706433, 0x7f.1 and 127.1 are addresses to the system, and behind a proxy nobody sees which.
    return bool(re.fullmatch(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+)){0,3}", host))


def is_public_peer(address: str) -> bool:
    """Whether an IP address is one of the open internet: not private, reserved, link-local, multicast."""
    found = _true_address(address)
    return found.is_global and not found.is_multicast and (found.version == 4 or found in _GLOBAL_UNICAST)


def is_private_peer(address: str) -> bool:
    """Whether an IP address may be reached where private ones are allowed: public ones too, but no link-local.

    Link-local addresses are where clouds keep the credentials of a machine (169.254.169.254).
    """
    found = _true_address(address)
    return not (found.is_link_local or found.is_multicast or found.is_unspecified)


def _true_address(address: str):
    """The address that packets would go to: what an IPv6 address carries of IPv4 counts."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if found.version == 4:
        return found
    if any(found in network for network in _CARRIERS) and int(found) > 1:  # :: and ::1 are addresses of their own
        return ipaddress.ip_address(int(found) & 0xFFFFFFFF)
    return found.sixtofour or found


# Whose last 32 bits are an IPv4 address: RFC 4291 (compatible, mapped), 2765 (translated), 6052 (NAT64).
_CARRIERS = [ipaddress.ip_network(text) for text in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")]
# All that is assigned of the open internet (RFC 4291, 2.5.4); what Python calls global is more.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
        return True
    except ValueError:
        return False


def origin_of(url: str) -> tuple[str, str, int]:
    """`(scheme, host, port)`; raises ValueError for what is no http(s) URL with a host."""
    if re.search(r"[\s\\\x00-\x1f\x7f]", url):
        raise ValueError("it holds white space, a backslash or a control character")
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise ValueError("expected http:// or https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it must not hold a user name or password")
    return parts.scheme.lower(), parts.hostname.lower(), parts.port or (443 if parts.scheme.lower() == "https" else 80)


def resolve_base_url(given: str | None, own: str | None, trusted: bool) -> str:
    """The base URL to use, without a slash at its end.

    given    from --base-url; None for the service's own
    own      the service's own base URL; None where it has none
    trusted  whether the user passed --trust-base-url

    The key goes to the service's own origin over TLS; elsewhere only to loopback, or over TLS to
    a host that the user trusts. Raises Failure: 2 for what is no URL, 27 for an untrusted one.
    """
    if given is None:
        return own
    try:
        origin = origin_of(given)
        parts = urlsplit(given)
        if parts.query or parts.fragment:
            raise ValueError("it must not hold a query or a fragment")
    except ValueError as problem:
        raise errors.bad_argument("--base-url", f"not a usable base URL: {problem}") from None
    base = urlunsplit((origin[0], parts.netloc, parts.path.rstrip("/"), "", ""))
    if is_loopback(origin[1]) or (own and origin == origin_of(own)):
        return base
    if origin[0] == "http":
        raise _untrusted("--base-url", f"{origin[1]} would get the key over http, readable by anybody on the way")
    if not trusted:
        raise _untrusted(
            "--base-url",
            f"{origin[1]} is not the service's own host, and would get its key",
            "If you trust that host with the key, add --trust-base-url.",
        )
    return base


def resolve_endpoint(flag: str, given: str, base_url: str) -> str:
    """The path below `base_url` that a user's endpoint means; a full URL must lie below it.

    Raises Failure: 2 for what is no path, 27 for another origin.
    """
    path = given
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//", given):
        if given.startswith("//"):
            given = urlsplit(base_url).scheme + ":" + given
        try:
            same = origin_of(given) == origin_of(base_url)
        except ValueError as problem:
            raise errors.bad_argument(flag, f"not a usable URL: {problem}") from None
        if not same:
            raise _untrusted(flag, "it names another host than the service's, which would get the key")
        parts, base_path = urlsplit(given), urlsplit(base_url).path
        if parts.query or parts.fragment or not parts.path.startswith(base_path + "/"):
            raise errors.bad_argument(flag, "expected a path below the base URL, without a query or a fragment")
        path = parts.path.removeprefix(base_path)
    path = "/" + path.removeprefix("/")
    if not re.fullmatch(r"(/[A-Za-z0-9._~%@:+-]+)+", path) or re.search(r"/\.{1,2}(/|$)|%2e|%2f|%5c", path, re.I):
        raise errors.bad_argument(flag, "expected a path below the base URL, such as /generation/sse/owner/name")
    # Documents whose server is /api write the version into the path.
    version = "/" + urlsplit(base_url).path.rpartition("/")[2]
    if re.fullmatch(r"/v\d+", version) and path.startswith(version + "/"):
        path = path.removeprefix(version)
    return path


def above(base_url: str, prefix: str) -> str:
    """The base URL for paths that are not below a service's prefix: without it, or else the bare origin."""
    if base_url.endswith(prefix):
        return base_url[: len(base_url) - len(prefix)]
    parts = urlsplit(base_url)
    return urlunsplit((parts.scheme, parts.netloc, "", "", ""))


def _untrusted(field: str, message: str, *guidance: str) -> errors.Failure:
    return errors.Failure(
        "untrusted_destination",
        f"{field}: {message}",
        "guard",
        field=field,
        outcome="not_sent",
        retryable=False,
        guidance=list(guidance) or ["Nothing was sent. Use the service's own address."],
    )


# -- connections that tell what left ----------------------------------------------------------------


class _Canceled(Exception):
    """The exchange was given up before its first byte left."""


class _Forbidden(Exception):
    """The address that was reached is not one that may be."""


_under_way = threading.local()
_importing = threading.Lock()


def watching(exchange) -> None:
    """From now on the connections of this thread report to `exchange` (None: to nobody)."""
    _under_way.exchange = exchange


def _watched(connection_class):
    """A urllib3 connection class that reports to the exchange of its thread.

    The class of an exception does not tell whether a request was sent: a reset in the TLS handshake
    and one after the server has read everything raise the same. What was passed to the socket does.
    """

    class Watched(connection_class):
        _connecting = False

        def connect(self):
            exchange = getattr(_under_way, "exchange", None)
            if exchange:
                exchange.watched = True
            self._connecting = True
            try:
                super().connect()
            finally:
                self._connecting = False
            if exchange and not getattr(self, "proxy", None):
                exchange.reached(self.sock)

        def send(self, data):
            if not self._connecting:  # what a proxy is told to open the tunnel is not the request
                if self.sock is None:
                    self.connect()
                exchange = getattr(_under_way, "exchange", None)
                if exchange:
                    exchange.before_sending()
            return super().send(data)

    return Watched


def watched_session(loopback: bool):
    """A fresh requests session whose connections are watched; never reused for a paid POST."""
    # Threads that import the same packages at once can be handed modules that are not complete yet.
    with _importing:
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.connection import HTTPConnection, HTTPSConnection
        from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class Http(HTTPConnectionPool):
        ConnectionCls = _watched(HTTPConnection)

    class Https(HTTPSConnectionPool):
        ConnectionCls = _watched(HTTPSConnection)

    pools = {"http": Http, "https": Https}

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args, **options):
            super().init_poolmanager(*args, **options)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, proxy, **options):
            manager = super().proxy_manager_for(proxy, **options)
            if not proxy.lower().startswith("socks"):
                manager.pool_classes_by_scheme = pools
            return manager

    class Plain(requests.Session):
        def get_redirect_target(self, response):
            # Asked for one, requests reads the whole body of the redirect, even if it never ends.
            return None

    class Local(Plain):
        def merge_environment_settings(self, url, proxies, stream, verify, cert):
            # A proxy of the environment would be asked for this machine too.
            return {**super().merge_environment_settings(url, proxies, stream, verify, cert), "proxies": {}}

    session = Local() if loopback else Plain()
    for scheme in ("http://", "https://"):
        session.mount(scheme, Adapter())
    session.headers["User-Agent"] = f"ai-media/{__version__}"
    return session


class Exchange:
    """One request that is under way.

    on_sending  called before the first byte leaves; if it raises, none does
    sent      whether a byte of it was, or could not be proven not to be, passed to the socket
    withhold  keep it from being sent; False if it is too late
    leave     stop reading; what arrives later is not reported
    """

    def __init__(self, inbox, allows_peer=None, on_sending=None):
        self.watched = False
        self._on_sending = on_sending
        self._inbox = inbox
        self._allows_peer = allows_peer
        self._lock = threading.Lock()
        self._began_sending = False
        self._withheld = False
        self._left = False
        self._response = None
        self._room = threading.BoundedSemaphore(_CHUNKS_AHEAD)

    @property
    def sent(self) -> bool:
        return self._began_sending

    @property
    def left(self) -> bool:
        return self._left

    def withhold(self) -> bool:
        with self._lock:
            self._withheld = True
            return not self._began_sending

    def leave(self) -> None:
        self.withhold()
        self._left = True
        response = self._response
        if response is not None:
            try:
                response.raw.shutdown()  # close() would wait for the thread that reads
            except Exception:
                pass  # already closed, or never opened: either way nothing is read any more

    def taken(self) -> None:
        """The reader of the inbox is done with one chunk."""
        self._room.release()

    # Called by the connection, in the exchange's own thread.

    def reached(self, sock) -> None:
        if self._allows_peer and not self._allows_peer(sock.getpeername()[0]):
            raise _Forbidden("the name leads to an address that may not be contacted")

    def before_sending(self) -> None:
        with self._lock:
            if self._withheld:
                raise _Canceled
            if self._on_sending and not self._began_sending:
                self._on_sending()
            self._began_sending = True

    # Called by the wire, in the exchange's own thread.

    def report(self, content) -> None:
        if not self._left:
            self._inbox.put(Message(self, content))

    def report_chunk(self, chunk: bytes) -> None:
        while not self._room.acquire(timeout=0.5):
            if self._left:
                return
        self.report(StreamChunk(chunk))

    def lost(self, problem: Exception) -> Lost:
        # Without a watch there is no proof, and without proof it counts as sent.
        return Lost(reason(problem), self._began_sending or not self.watched)


def is_final(problem: BaseException) -> bool:
    """Whether a transport's exception would come again at another try: a wrong address or certificate."""
    import ssl

    final = (_Forbidden, ssl.SSLCertVerificationError)
    return any(isinstance(link, final) for link in _chain(problem))


def _chain(problem: BaseException) -> list[BaseException]:
    """An exception and those that it came from, as far as they can be found."""
    chain, seen = [problem], 0
    while seen < len(chain) and len(chain) < 20:
        link = chain[seen]
        more = [link.__cause__, link.__context__, getattr(link, "reason", None), *getattr(link, "args", ())]
        chain += [item for item in more if isinstance(item, BaseException) and item not in chain]
        seen += 1
    return chain


def reason(problem: BaseException) -> str:
    """A transport's exception as a few words, without addresses of objects or of proxies' passwords."""
    import socket
    import ssl

    chain = _chain(problem)
    named = {type(link).__name__ for link in chain}
    for kind, words in (
        (_Forbidden, "the name leads to an address that may not be contacted"),
        (bodies.Changed, "a file was changed while it was sent"),
        (ssl.SSLCertVerificationError, "the server's TLS certificate is not valid"),
        (ssl.SSLError, "the TLS handshake failed"),
        (socket.gaierror, "the host's name cannot be resolved"),
        (ConnectionRefusedError, "the connection was refused"),
        ((ConnectionResetError, BrokenPipeError), "the connection was reset"),
    ):
        if any(isinstance(link, kind) for link in chain):
            return words
    for name, words in (
        ("NameResolutionError", "the host's name cannot be resolved"),
        ("ConnectTimeoutError", "the connection could not be made in time"),
        ("ReadTimeoutError", "no answer in time"),
        ("TimeoutError", "no answer in time"),
        ("IncompleteRead", "the answer was cut short"),
        ("RemoteDisconnected", "the server closed the connection without an answer"),
        ("DecodeError", "the answer's compression is broken"),
    ):
        if name in named:
            return words
    return type(problem).__name__


# -- the wire ------------------------------------------------------------------------------------------


class Wire:
    """One service at one address.

    base_url  from resolve_base_url
    key       `(header, value)` that authorises, or None
    inbox     where what arrives is put
    trace     a callable (dict) for every request and answer, or None
    source    what a result is said to come from; None where that is the job's own affair
    """

    source: str | None = None

    def __init__(self, base_url: str, key: tuple[str, str] | None, inbox, trace=None):
        # A package that is missing must be told before anything is sent, and not by a thread.
        for package in ("requests", "urllib3"):
            if find_spec(package) is None:
                raise ModuleNotFoundError(name=package)
        self.base_url = base_url
        self._key = key
        self._inbox = inbox
        self._trace = trace or (lambda record: None)
        self._loopback = is_loopback(origin_of(base_url)[1])

    def post(self, path: str, payload: dict | bodies.Body, timeout: float, stream: bool, on_sending=None) -> Exchange:
        """Send a body once, over a connection of its own; never repeated here.

        payload     sent as JSON, or a body that is read from disk meanwhile
        timeout     seconds for the answer to begin, and between pieces of an answer that is no stream
        stream      whether an event stream is asked for
        on_sending  called before the first byte leaves; if it raises, none does
        """
        is_prepared = isinstance(payload, bodies.Body)
        content = payload if is_prepared else json.dumps(payload, ensure_ascii=False, allow_nan=False).encode()
        headers = {
            "Accept": "text/event-stream" if stream else "application/json",
            "Content-Type": payload.content_type if is_prepared else "application/json",
        }
        return self._start("POST", path, headers, content, timeout, stream, on_sending)

    def get(self, path: str, timeout: float) -> Exchange:
        """Read once."""
        return self._start("GET", path, {"Accept": "application/json"}, None, timeout, False)

    def delete(self, path: str, timeout: float) -> Exchange:
        """Ask once for something to be deleted."""
        return self._start("DELETE", path, {"Accept": "application/json"}, None, timeout, False)

    def close(self) -> None:
        """Nothing has to be ended: what is not read any more stops with this process."""

    def _start(self, method, path, headers, content, timeout, stream, on_sending=None) -> Exchange:
        exchange = Exchange(self._inbox, _is_loopback_peer if self._loopback else None, on_sending)
        job = threading.Thread(
            target=self._run, args=(exchange, method, path, headers, content, timeout, stream), daemon=True
        )
        job.start()
        return exchange

    def _run(self, exchange, method, path, headers, content, timeout, stream) -> None:
        url = self.base_url + path
        watching(exchange)
        try:
            session = watched_session(self._loopback)
            shown = content.shown if isinstance(content, bodies.Body) else content
            self._trace({"request": {"method": method, "url": url, "headers": headers, "body": shown}})
            response = session.request(
                method,
                url,
                # Proxies and certificates of the environment count; ~/.netrc does not: with `auth`
                # given it is not read, and so cannot replace the key.
                auth=self._authorise,
                headers={**headers, "Accept-Encoding": "identity"},
                data=content,
                # The machine's clock decides what is too long; the socket's is there for a machine that is gone.
                timeout=(min(timeout, LONGEST_CONNECT), timeout + _SPARE),
                allow_redirects=False,
                stream=True,
            )
            exchange._response = response
            self._receive(exchange, response, stream)
        except Exception as problem:
            lost = exchange.lost(problem)
            self._trace({"lost": asdict(lost)})
            exchange.report(lost)
        finally:
            watching(None)
            if exchange._response is not None:
                exchange._response.close()

    def _authorise(self, request):
        if self._key:
            request.headers[self._key[0]] = self._key[1]
        return request

    def _receive(self, exchange: Exchange, response, stream: bool) -> None:
        first = b""
        if stream and 200 <= response.status_code < 300:
            declared = "text/event-stream" in response.headers.get("Content-Type", "").lower()
            if declared:
                exchange.report(StreamOpened(response.status_code))
            first, is_stream = self._first_chunk(response, declared)
            if is_stream:
                if not declared:
                    exchange.report(StreamOpened(response.status_code))
                return self._read_stream(exchange, response, first)
        content = self._read_whole(response, first)
        self._trace({"answer": {"status": response.status_code, "headers": dict(response.headers), "body": content}})
        exchange.report(Answer(response.status_code, response.headers, content))

    @staticmethod
    def _first_chunk(response, declared: bool) -> tuple[bytes, bool]:
        """The beginning of an answer, and whether it is a stream, whatever its headers say.

        No event of ours begins with a brace, a bracket or an angle: JSON and HTML in place of a
        stream are told by that.
        """
        refuse_layers(response.headers)
        first = b""
        while not first.lstrip(b"\xef\xbb\xbf \t\r\n"):
            chunk = response.raw.read1(_CHUNK, decode_content=True)
            if not chunk:
                return first, declared
            first += chunk
        return first, first.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"[", b"<")

    def _read_stream(self, exchange: Exchange, response, first: bytes) -> None:
        chunk = first
        try:
            while chunk and not exchange.left:
                self._trace({"chunk": chunk})
                exchange.report_chunk(chunk)
                chunk = response.raw.read1(_CHUNK, decode_content=True)
        except Exception as problem:
            self._trace({"lost": {"message": reason(problem), "sent": True}})
            return exchange.report(StreamEnded("reset", reason(problem)))
        exchange.report(StreamEnded("eof"))

    @staticmethod
    def _read_whole(response, first: bytes) -> bytes:
        pieces, size = [first], len(first)
        try:
            refuse_layers(response.headers)
            while chunk := response.raw.read1(_CHUNK, decode_content=True):
                size += len(chunk)
                if size > LARGEST_ANSWER:
                    raise ValueError(f"an answer of more than {LARGEST_ANSWER} bytes")
                pieces.append(chunk)
        except Exception:
            if response.status_code < 300:
                raise
            # The status has told what became of the request; the rest was only words.
        return b"".join(pieces)


def refuse_layers(headers) -> None:
    """Raise ValueError for an answer that is compressed more than once: a few bytes of it can become gigabytes."""
    if "," in headers.get("Content-Encoding", ""):
        raise ValueError("an answer that is compressed more than once")


def _is_loopback_peer(address: str) -> bool:
    # "localhost" is a name, and a name can lead anywhere.
    return is_loopback(address.partition("%")[0])


def ask(base_url: str, key: tuple[str, str] | None, path: str, seconds: float, body=None, trace=None) -> Answer | Lost:
    """Read once and wait for it, `seconds` at most.

    key, trace  as in Wire
    body        of a question that a service takes as a POST; never of anything that costs
    """
    inbox = Inbox()
    wire = Wire(base_url, key, inbox, trace)
    exchange = wire.get(path, seconds) if body is None else wire.post(path, body, seconds, False)
    return answer_of(exchange, inbox, seconds)


def answer_of(exchange: Exchange, inbox: Inbox, seconds: float) -> Answer | Lost:
    """What comes of a request that is no stream, within so many seconds of this machine's clock; then it is given up."""
    give_up_at = time.monotonic() + seconds
    while message := inbox.take(give_up_at - time.monotonic()):
        if message.sender is exchange:
            return message.content
    is_withheld = exchange.withhold()
    exchange.leave()
    return Lost(f"no answer within {seconds:.3g} s", not is_withheld)
