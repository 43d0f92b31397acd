"""From one URL to the bytes in one file: bounded, gone on with after a cut, without any credentials.

Reach       which addresses may be contacted
Download    one URL
is_there    whether a URL would be given now

GivenUp     it was tried often enough; later it may work
Expired     its host does not give it any more: the job may know a fresh link
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Iterator

from ..base import errors
from ..base.record import record
from ..base.retry import Backoff
from ..http import held
from ..http.addresses import is_loopback, is_private_literal, origin_of
from ..http.answers import retry_after
from ..http.encodings import Decoding
from ..http.exchange import Exchange
from ..http.faults import is_final, reason
from ..http.peers import is_private_peer, is_public_peer
from ..http.sessions import Request, send, watching
from ..http.wire import LONGEST_CONNECT
from . import links
from .links import Link
from .saving import Budget, Unsaved

# What CDNs need that send a request from one to the next.
MOST_REDIRECTS = 10
# So many tries in a row may bring nothing worth mentioning: neither a mebibyte nor a twentieth of the file.
MOST_TRIES = 5
_WORTH_MENTIONING = 1024**2
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0
_SILENCE = 60.0
_CHUNK = 1024**2
# What was compressed may grow so much; media hardly shrink, and a bomb grows a thousandfold.
_MOST_GROWTH = 100
_SMALL = 16 * 1024**2

_NO_URL = "the result's URL, where it redirects to, or the proxy's, is no URL that can be used"
_STOPPED = "stopped"
# What a host says of a link whose time is over, or of one whose file it does not have yet; some say 400 to a
# token that is too old.
_EXPIRED = (400, 401, 403, 404, 410)
# 203 and 214: somebody on the way says that it has changed it; what came is looked at in any case.
_GIVEN = (200, 201, 203, 204, 214, 226)
_PASSING = (202, 408, 425, 429)  # and everything from 500 on: 520 to 530 are Cloudflare's


class Expired(Unsaved):
    """The host of a result does not give it yet, or not any more."""


class GivenUp(Unsaved):
    """Every try was cut."""


class _Cut(Exception):
    """It may go on at the next try, after `seconds` at the least; `is_told` where the host has said so."""

    def __init__(self, message: str, seconds: float = 0.0, is_told: bool = False):
        super().__init__(message)
        self.seconds = seconds
        self.is_told = is_told


class Reach:
    """Which addresses may be contacted.

    loopback_base   the base URL of a service on this machine: its own origin is the one private address
                    that it may name; None for every other service
    allows_private  whether the user has allowed private addresses
    """

    def __init__(self, loopback_base: str | None, allows_private: bool = False):
        self._own = origin_of(loopback_base) if loopback_base else None
        self._allows_private = allows_private

    def peer_check(self, link: Link):
        """`(whether no proxy is asked, what the connected address must satisfy)`; raises Unsaved."""
        if link.origin == self._own:
            return True, None
        host = link.origin[1]
        if self._allows_private:
            return is_loopback(host), is_private_peer
        if is_private_literal(host):
            raise Unsaved("the result's URL leads to a private or reserved address")
        return False, is_public_peer


@record
class Credential:
    """What some services want to see before they give a file.

    header, value  as the service has them
    origins        the service's own, `(scheme, host, port)`; nobody else sees it, after a redirect neither
    """

    header: str
    value: str
    origins: frozenset[tuple[str, str, int]]


def _link(text: str) -> Link:
    try:
        return links.link(text)
    except ValueError as problem:
        raise _unusable(problem) from None


def _unusable(problem: ValueError) -> Unsaved:
    return Unsaved(f"the result's URL cannot be used: {problem}")


class Download:
    """One URL, into one file.

    budget    the command's Budget
    reach     Reach
    retrying  called with (try, seconds, words) before a try is repeated
    room      () -> how many bytes the disk of the file can take
    patient_until  on the monotonic clock: until then a host that says that it cannot give the file just now is
              asked again, however often it says so
    credential  Credential; None where the file is given to everybody

    After `run`, `sha256` and `size` tell of the bytes that were written, `said_type` what a data: URL says that
    it is, `hints` words that may name its format (the host's Content-Type, the end of the link), and `doubt` what
    was odd about its compression; "" for nothing.
    """

    def __init__(
        self,
        url: str,
        budget: Budget,
        reach: Reach,
        retrying,
        room,
        patient_until: float = 0.0,
        credential: Credential | None = None,
    ):
        self._url = url
        self._file = None
        self._budget = budget
        self._reach = reach
        self._retrying = retrying
        self._room = room
        self._patient_until = patient_until
        self._credential = credential
        self._stopped = threading.Event()
        self._exchange: Exchange | None = None
        self._validator: tuple[str, str] | None = None
        self._place: str | None = None
        self._total: int | None = None
        self._digest = hashlib.sha256()
        self.size = 0
        self.said_type: str | None = None
        self.hints: tuple[str | None, ...] = ()
        self.doubt = ""

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def stop(self) -> None:
        """Stop as soon as possible; `run` raises Unsaved."""
        self._stopped.set()
        if self._exchange:
            self._exchange.leave()

    def give_back(self) -> None:
        """The bytes do not count any more: their file was thrown away."""
        self._budget.take(-self.size)
        self.size = 0

    def run(self, file) -> None:
        """Into a file that is open for writing bytes, and empty. Raises Unsaved, Expired, or OSError of the disk."""
        self._file = file
        if links.is_data(self._url):
            self._unpack()
        else:
            self._fetch(_link(self._url))
        if not self.size and not links.is_silence(self._url):
            raise Expired("the result is empty")

    def _unpack(self) -> None:
        try:
            self.said_type, content = links.data_of(held.pieces(self._url))
            for piece in content:
                self._write(piece)
        except ValueError as problem:
            raise Unsaved(f"the result's data: URL is broken: {problem}") from None

    def _fetch(self, link: Link) -> None:
        tries, pauses = 0, Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            had = self.size
            try:
                return self._follow(link)
            except _Cut as cut:
                worth = min(_WORTH_MENTIONING, (self._total or _WORTH_MENTIONING * 20) // 20)
                tries += 1
                if self.size - had >= max(worth, 1):
                    tries, pauses = 1, Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
                is_patient = cut.is_told and time.monotonic() < self._patient_until
                if (tries >= MOST_TRIES and not is_patient) or self._stopped.is_set():
                    raise GivenUp(f"{cut}, in {tries} tries") from None
                self._pause(tries, max(pauses.next(), cut.seconds), str(cut))

    def _pause(self, tries: int, seconds: float, why: str) -> None:
        seconds = round(min(seconds, 60.0), 3)
        self._retrying(tries, seconds, why)
        if self._stopped.wait(seconds):
            raise Unsaved(_STOPPED)

    def _follow(self, link: Link) -> None:
        for hop in range(MOST_REDIRECTS + 1):
            response, is_whole = self._get(link, self._key_for(link) if hop == 0 else {}), False
            try:
                location = response.headers.get("Location")
                if response.status_code not in errors.FOLLOWED_STATUSES or not location:
                    self._take(response, link)
                    is_whole = True
                    return
            finally:
                response.close(is_whole)
            link = self._next(link, location)
        raise Unsaved(f"more than {MOST_REDIRECTS} redirects")

    @staticmethod
    def _next(link: Link, location: str) -> Link:
        try:
            found = links.redirected(link, location)
        except ValueError as problem:
            raise _unusable(problem) from None
        if (link.origin[0], found.origin[0]) == ("https", "http"):
            raise Unsaved("the result's host redirects from https to http, where anybody on the way can change it")
        return found

    def _key_for(self, link: Link) -> dict[str, str]:
        found = self._credential
        return {found.header: found.value} if found and link.origin in found.origins else {}

    def _get(self, link: Link, key: dict[str, str] | None = None):
        is_own, allows_peer = self._reach.peer_check(link)
        exchange = self._exchange = Exchange(None, allows_peer, target=link.target)
        if self._stopped.is_set():
            raise Unsaved(_STOPPED)
        watching(exchange)
        try:
            # What a library sees it writes anew: the target stands in the request as the service spelled it.
            headers = {**self._range(link), **(key or {})}
            return send(Request("GET", link.site, headers, None, (LONGEST_CONNECT, _SILENCE)), is_own)
        except Exception as problem:
            raise self._cut_or_unsaved(problem) from None

    def _cut_or_unsaved(self, problem: Exception) -> Exception:
        if self._stopped.is_set():
            return Unsaved(_STOPPED)
        if isinstance(problem, ValueError):
            return Unsaved(_NO_URL)
        words = self._exchange.words(problem) if self._exchange else reason(problem)
        return Unsaved(words) if is_final(problem) else _Cut(words)

    # -- going on after a cut ------------------------------------------------------------------------

    def _range(self, link: Link) -> dict:
        if not self.size or self._validator is None or link.place != self._place:
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": self._validator[1]}

    def _take(self, response, link: Link) -> None:
        status = response.status_code
        if status in _EXPIRED:
            raise Expired(f"the result's host answered HTTP {status}: the link may have expired")
        if status in _PASSING or status >= 500:
            after = retry_after(status, response.headers, time.time())
            raise _Cut(f"the result's host answered HTTP {status}", after or 0.0, is_told=True)
        if status == 416 and self.size:
            self._start_anew(None, link)
            raise _Cut("the result's host does not go on where it stopped")
        goes_on = status == 206 and bool(self._range(link))
        if status not in _GIVEN and not goes_on and not _is_whole(response):
            raise Unsaved(f"the result's host answered HTTP {status}")
        if goes_on and not self._goes_on(response):
            self._start_anew(None, link)
            raise _Cut("the result has changed at its host")
        if not goes_on:
            self._start_anew(response, link)
        self.hints = response.headers.get("Content-Type"), os.path.splitext(link.place)[1] or None
        self._receive(response)

    def _goes_on(self, response) -> bool:
        """Whether a 206 has the bytes that follow ours, of the same representation (RFC 9110, 15.3.7)."""
        found = re.fullmatch(
            r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", response.headers.get("Content-Range", "").strip()
        )
        name, value = self._validator or ("", "")
        return (
            found is not None
            and int(found[1]) == self.size
            and self._total in (None, int(found[3]))
            and response.headers.get(name) == value
            and _decoding_of(response).is_plain
        )

    def _start_anew(self, response, link: Link) -> None:
        """Forget what there is; of `response`, where there is one, note how it can be gone on with."""
        self.give_back()
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self._validator = self._place = self._total = None
        if response is None or not _decoding_of(response).is_plain:
            return
        is_chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        declared = "" if is_chunked else response.headers.get("Content-Length", "").strip()
        self._total = int(declared) if re.fullmatch(r"\d{1,19}", declared) else None
        self._validator = _validator_of(response.headers)
        self._place = link.place
        largest = self._budget.limits.file_bytes
        if self._total is not None and self._total > largest:
            raise Unsaved(f"a result of {self._total} bytes; the limit of --max-file-size is {largest}")
        # A disk that is filled to the brim stops other programs too, and the ledger of purchases.
        room = self._room()
        if self._total is not None and self._total > room:
            raise Unsaved(f"a result of {self._total} bytes; the disk has room for {room}")

    # -- the bytes -----------------------------------------------------------------------------------

    def _receive(self, response) -> None:
        for piece in self._decoded(response):
            self._write(piece)
        if self._total is not None and self.size < self._total:
            raise _Cut(f"the result was cut short: {self.size} of {self._total} bytes")
        if self._total is not None and self.size > self._total:
            raise Unsaved(f"the result is longer than its host said: {self._total} bytes")

    def _decoded(self, response) -> Iterator[bytes]:
        """The bytes of an answer, those of one that was compressed though nobody asked for it unpacked."""
        decoding = _decoding_of(response)
        taken = given = 0
        for piece in self._pieces(response):
            taken += len(piece)
            for grown in decoding.feed(piece):
                given += len(grown)
                if given > _SMALL + _MOST_GROWTH * taken:
                    raise Unsaved(f"a result that grows more than {_MOST_GROWTH}-fold when it is decompressed")
                yield grown
        yield from decoding.finish()
        self.doubt = decoding.problem
        if decoding.is_cut:
            raise _Cut(f"the result was cut short: {decoding.problem}")

    def _pieces(self, response) -> Iterator[bytes]:
        while True:
            if self._stopped.is_set():
                raise Unsaved(_STOPPED)
            try:
                piece = response.raw.read1(_CHUNK, decode_content=False)
            except Exception as problem:
                raise self._cut_or_unsaved(problem) from None
            if not piece:
                return
            yield piece

    def _write(self, piece: bytes) -> None:
        largest = self._budget.limits.file_bytes
        if self.size + len(piece) > largest:
            raise Unsaved(f"a result of more than {largest} bytes, the limit of --max-file-size")
        self._budget.take(len(piece))
        self.size += len(piece)
        self._digest.update(piece)
        self._file.write(piece)


def is_there(url: str, reach: Reach) -> bool:
    """Whether the host of a URL would give it now; nothing of it is read."""
    try:
        response = Download(url, Budget(), reach, None, None)._get(_link(url))
    except (Unsaved, _Cut):
        return False
    response.close()
    return response.status_code == 200 or response.status_code in errors.FOLLOWED_STATUSES


def _is_whole(response) -> bool:
    """Whether a part that nobody asked for is all that there is."""
    found = re.fullmatch(r"bytes 0-(\d{1,19})/(\d{1,19})", response.headers.get("Content-Range", "").strip())
    return response.status_code == 206 and found is not None and int(found[1]) + 1 == int(found[2])


def _decoding_of(response) -> Decoding:
    return Decoding(response.headers.get("Content-Encoding", ""))


def _validator_of(headers) -> tuple[str, str] | None:
    """The header that says that bytes are still of the same file; a weak ETag does not (RFC 9110, 13.1.5)."""
    tag = headers.get("ETag", "")
    if re.fullmatch(r'"[\x21\x23-\x7e]{1,500}"', tag):
        return "ETag", tag
    moment = headers.get("Last-Modified", "")
    return ("Last-Modified", moment) if re.fullmatch(r"[A-Za-z0-9,: +-]{20,40}", moment) else None
