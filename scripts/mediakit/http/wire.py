"""Sends and receives. Knows hosts, time-outs and what left the machine; not what a job is.

ask        one read, waited for
answer_of  what comes of a request that is under way
Wire       one service: `post` and `get` run in threads and report to an inbox
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict
from importlib.util import find_spec

from ..base.inbox import Inbox
from . import bodies
from .addresses import is_loopback, origin_of
from .answers import Answer, Lost, StreamEnded, StreamOpened
from .exchange import Exchange
from .faults import reason
from .sessions import watched_session, watching

LARGEST_ANSWER = 16 * 1024 * 1024
LONGEST_CONNECT = 20.0
_CHUNK = 65536
_SPARE = 5.0


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
        content: bytes | bodies.Body
        if isinstance(payload, bodies.Body):
            content, kind = payload, payload.content_type
        else:
            content, kind = json.dumps(payload, ensure_ascii=False, allow_nan=False).encode(), "application/json"
        headers = {"Accept": "text/event-stream" if stream else "application/json", "Content-Type": kind}
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
