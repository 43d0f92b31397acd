"""One public document from the web: no key, bounded, redirects only where they may lead."""

from __future__ import annotations

import time
from urllib.parse import urljoin, urlsplit

from ..base import errors
from ..contracts import ContractError
from ..contracts.bounds import MAX_BYTES
from . import addresses, faults, peers, receiving, sessions
from .exchange import Exchange

TIMEOUT = 20.0
# Seconds for the bytes of one document: a host that sends a byte now and then is never silent.
LONGEST = 300.0
MAX_REDIRECTS = 5
_CHUNK = 65536
# The category of a status that is an error -> what it means for a document; any other is not there.
_REFUSED = {"auth": "document_refused", "transient": "document_unreachable"}


class Fetcher:
    """Reads documents for contracts.load: (url) -> (final URL, bytes).

    The first document may be redirected to another origin, since the user named it; later ones
    are named by that document and stay on their origin.
    """

    def __init__(self):
        self._first = True
        self._reach = _Reach()

    def __call__(self, url: str) -> tuple[str, bytes]:
        """Raises ContractError: a code of `_REFUSED`, `document_not_found`, `document_too_large`, `reference_forbidden`."""
        roams, self._first = self._first, False
        try:
            return self._follow(url, roams)
        except (ContractError, ModuleNotFoundError):
            raise
        except Exception as problem:
            words = faults.reason(problem)
            raise ContractError(
                "document_unreachable", f"{_host(url)} does not answer: {words}. Check the address."
            ) from None
        finally:
            sessions.watching(None)

    def _follow(self, url: str, roams: bool) -> tuple[str, bytes]:
        for _ in range(MAX_REDIRECTS):
            with self._get(url) as answer:
                location = answer.headers.get("Location")
                if answer.status_code not in errors.FOLLOWED_STATUSES or not location:
                    return url, _read(answer)
            target = urljoin(url, location)
            if urlsplit(target).scheme not in ("http", "https"):
                raise ContractError(
                    "reference_forbidden", "A document is redirected to what is no http or https address."
                )
            if not roams and urlsplit(target)[:2] != urlsplit(url)[:2]:
                raise ContractError("reference_forbidden", "A $ref was redirected to another origin than its own.")
            url = target
        raise ContractError("document_unreachable", f"{_host(url)} redirects without end.")

    def _get(self, url: str):
        sessions.watching(Exchange(None, self._reach.check(url), seconds=LONGEST))
        asked = sessions.Request("GET", url, {"Accept-Encoding": "gzip"}, None, (TIMEOUT, TIMEOUT))
        return sessions.send(asked, addresses.is_loopback(urlsplit(url).hostname))


def elsewhere(named: str, final: str) -> str | None:
    """The host that a document came from, where that is another origin than the one that was named."""
    try:
        return None if addresses.origin_of(named) == addresses.origin_of(final) else _host(final)
    except ValueError:
        return None  # a file, or no address


class _Reach:
    """Which addresses may be contacted for one contract.

    The user may name any. A redirect, and whatever a name means later, leads from a public address only
    to public ones, and from a private one not to where clouds keep a machine's credentials.
    """

    def __init__(self):
        self._allows = None

    def check(self, url: str):
        """What the connected address must satisfy; raises ContractError for one that is written as a private one."""
        host = urlsplit(url).hostname or ""
        if self._allows is None:
            self._allows = peers.is_private_peer if addresses.is_private_literal(host) else peers.is_public_peer
            return self._named
        if self._allows is peers.is_public_peer and addresses.is_private_literal(host):
            raise ContractError(
                "reference_forbidden",
                "A public document is redirected to a private address.",
                "If that address is meant, name it itself.",
            )
        return self._allows

    def _named(self, address: str) -> bool:
        if not peers.is_public_peer(address):
            self._allows = peers.is_private_peer
        return True


def _read(answer) -> bytes:
    if answer.status_code >= 400:
        code = _REFUSED.get(errors.classify(answer.status_code), "document_not_found")
        raise ContractError(code, f"{_host(answer.url)} answers HTTP {answer.status_code}. Check the address.")
    receiving.refuse_layers(answer.headers)
    content, stop_at = bytearray(), time.monotonic() + LONGEST
    while chunk := answer.raw.read1(_CHUNK, decode_content=True):
        content += chunk
        if len(content) > MAX_BYTES:
            raise ContractError("document_too_large", f"The document is larger than {MAX_BYTES // 2**20} MiB.")
        if time.monotonic() > stop_at:
            raise ContractError("document_unreachable", f"{_host(answer.url)} took longer than {LONGEST:.0f} s.")
    return bytes(content)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "The address"
    except ValueError:
        return "The address"
