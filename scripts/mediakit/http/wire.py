"""Sends and receives. Knows hosts, time-outs and what left the machine; not what a job is.

ask        one read, waited for
answer_of  what comes of a request that is under way
Host       one service, as it is asked
Wire       one host: `post` and `get` run in threads and report to an inbox
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec

from ..base.inbox import Inbox
from ..base.record import field, record, replace
from ..base.workers import in_a_thread
from . import bodies, documents
from .addresses import is_loopback, origin_of, untrusted
from .answers import Answer, Lost
from .exchange import Exchange
from .receiving import receive, salvaged, tell
from .sessions import Request, load, merged, send, watching

LONGEST_CONNECT = 20.0
_SPARE = 5.0
# Extra seconds for an answer that is already arriving when its time is up.
_LAST_CALL = 2.0


@record
class Host:
    """One service at one address, or at several that get the same key.

    base_url     from resolve_base_url
    key          `(header, value)` that authorises, or None
    headers      what every request carries besides
    origins      further origins that may be asked, by a whole URL in place of a path
    allows_peer  (address) -> whether a connected address may be talked to; None for any
    """

    base_url: str
    key: tuple[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    origins: Iterable[str] = ()
    allows_peer: Callable[[str], bool] | None = None


class Wire:
    """Sends to one host.

    inbox   where what arrives is put
    trace   a callable (dict) for every request and answer, or None
    begin   (work) -> begin a piece of work in another thread
    source  what a result is said to come from; None where that is the job's own affair
    """

    source: str | None = None

    def __init__(self, host: Host, inbox, trace=None, begin: Callable[[Callable[[], None]], None] = in_a_thread):
        # A package that is missing must be told before anything is sent, and not by a thread.
        for package in ("requests", "urllib3"):
            if find_spec(package) is None:
                raise ModuleNotFoundError(name=package)
        self.base_url = host.base_url
        self._key = host.key
        self._inbox = inbox
        self._trace = trace or (lambda record: None)
        self._headers = dict(host.headers)
        self._origins = {origin_of(one) for one in (host.base_url, *host.origins)}
        self._allows_peer = host.allows_peer
        self._begin = begin

    def post(
        self, path: str, payload: dict | bodies.Body, timeout: float, stream: bool, on_sending=None, headers=None
    ) -> Exchange:
        """Send a body once, over a connection of its own; never repeated here.

        payload     sent as JSON, or a body that is read from disk meanwhile
        timeout     seconds for the answer to begin, and between pieces of an answer that is no stream
        stream      whether an event stream is asked for
        on_sending  called before the first byte leaves; if it raises, none does
        headers     what it carries besides, as a mapping
        """
        content: bytes | bodies.Body
        if isinstance(payload, bodies.Body):
            content, kind = payload, payload.content_type
        else:
            content, kind = json.dumps(payload, ensure_ascii=False, allow_nan=False).encode(), "application/json"
        wanted = "text/event-stream" if stream else "application/json"
        headers = {"Accept": wanted, "Content-Type": kind, **(headers or {})}
        return self._start("POST", path, headers, content, timeout, stream, on_sending)

    def get(self, path: str, timeout: float) -> Exchange:
        """Read once."""
        return self._start("GET", path, {"Accept": "application/json"}, None, timeout, False)

    def read(self, method: str, path: str, timeout: float, largest: int | None = None) -> Exchange:
        """The same by the method with which the service is read, a POST without a body at some.

        largest  bytes of the answer besides what is held apart; None for the usual bound
        """
        return self._start(method, path, {"Accept": "application/json"}, None, timeout, False, largest=largest)

    def delete(self, path: str, timeout: float) -> Exchange:
        """Ask once for something to be deleted."""
        return self.send("DELETE", path, timeout)

    def send(self, method: str, path: str, timeout: float, body: bodies.Body | None = None, headers=None) -> Exchange:
        """Ask once for something that costs nothing: cancel a job, bring a file."""
        kind = {"Content-Type": body.content_type} if body else {}
        headers = {"Accept": "application/json", **kind, **(headers or {})}
        return self._start(method, path, headers, body, timeout, False)

    def close(self) -> None:
        """Nothing has to be ended: what is not read any more stops with this process."""

    def _url(self, path: str) -> str:
        """The address that a path below the base URL means; a whole URL must be at one of the origins."""
        if path.startswith("/") and not path.startswith("//"):
            return self.base_url + path
        try:
            is_own = origin_of(path) in self._origins
        except ValueError:
            is_own = False
        if not is_own:
            raise untrusted("the service", "it names an address that is not its own, and that would get the key")
        return path

    def _start(self, method, path, headers, content, timeout, stream, on_sending=None, largest=None) -> Exchange:
        url = self._url(path)
        load()
        seconds = timeout + _SPARE if method == "GET" else None
        is_local = is_loopback(origin_of(url)[1])
        allows_peer = _is_loopback_peer if is_local else self._allows_peer
        exchange = Exchange(self._inbox, allows_peer, on_sending, seconds=seconds)
        exchange.largest = largest or exchange.largest
        headers = {**self._headers, **headers}
        self._begin(lambda: self._run(exchange, method, url, headers, content, timeout, stream, is_local))
        return exchange

    def _run(self, exchange, method, url, headers, content, timeout, stream, is_local) -> None:
        watching(exchange)
        response, is_whole = None, False
        try:
            shown = content.shown if isinstance(content, bodies.Body) else content
            self._trace({"request": {"method": method, "url": url, "headers": headers, "body": shown}})
            headers = merged(headers, dict([self._key] if self._key else []))
            # The machine's clock decides what is too long; the socket's is there for a machine that is gone.
            seconds = min(timeout, LONGEST_CONNECT), timeout + _SPARE
            response = send(Request(method, url, headers, content, seconds), is_local)
            is_whole = receive(exchange, response, stream, method == "POST", self._trace)
        except Exception as problem:
            self._report_lost(exchange, exchange.lost(problem))
        finally:
            exchange.ended()
            if response is not None:
                response.close(is_whole)
            watching(None)

    def _report_lost(self, exchange: Exchange, lost: Lost) -> None:
        """No answer could be read: what came all the same may hold it."""
        found = salvaged(exchange) if exchange.sent else None
        if isinstance(found, Answer) and documents.is_complete(found.content):
            return tell(exchange, replace(found, damage=lost.message), self._trace)
        tell(exchange, replace(lost, begun=found and replace(found, damage=lost.message)), self._trace)


def _is_loopback_peer(address: str) -> bool:
    # "localhost" is a name, and a name can lead anywhere.
    return is_loopback(address.partition("%")[0])


def ask(base_url: str, key: tuple[str, str] | None, path: str, seconds: float, body=None, trace=None) -> Answer | Lost:
    """Read once and wait for it, `seconds` at most.

    key, trace  as in Host and Wire
    body        of a question that a service takes as a POST; never of anything that costs
    """
    inbox = Inbox()
    wire = Wire(Host(base_url, key), inbox, trace)
    exchange = wire.get(path, seconds) if body is None else wire.post(path, body, seconds, False)
    return answer_of(exchange, inbox, seconds)


def answer_of(exchange: Exchange, inbox: Inbox, seconds: float) -> Answer | Lost:
    """What comes of a request that is no stream, within so many seconds of this machine's clock; then it is given up."""
    give_up_at = time.monotonic() + seconds
    while True:
        left = give_up_at - time.monotonic()
        if left <= 0:
            # Not while an answer is there: this process may have been stopped all that time.
            left = _LAST_CALL if exchange.is_answering else 0.0
            give_up_at = float("-inf")
        message = inbox.take(left)
        if message is None and give_up_at == float("-inf"):
            break
        if message is not None and getattr(message, "sender", None) is exchange:
            if isinstance(message.content, (Answer, Lost)):
                return message.content
    is_withheld = exchange.withhold()
    exchange.leave()
    return Lost(f"no answer within {seconds:.3g} s", not is_withheld)
