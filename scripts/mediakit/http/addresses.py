"""Who may be reached, and who gets the key. Pure.

origin_of            scheme, host and port of a URL
resolve_base_url     which address may get the key
resolve_endpoint     a path below it
untrusted            the Failure that refuses an address
above                a base URL without its prefix
is_loopback          whether a host is this machine
is_private_literal   whether a host is written as an address that is not public
"""

from __future__ import annotations

import functools
import re

from ..base import errors

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import overload
    from urllib.parse import SplitResult


def urlsplit(url: str) -> SplitResult:
    from urllib.parse import urlsplit  # which takes long to import, and most starts look into no address

    return urlsplit(url)


@functools.lru_cache(maxsize=256)
def is_loopback(host: str | None) -> bool:
    """Whether a host of a URL is this machine: localhost, 127.0.0.0/8 or ::1."""
    if not host:
        return False
    if host.lower() == "localhost":
        return True
    if not _is_address(host):
        return False
    from . import peers

    return peers.is_loopback(host)


def is_private_literal(host: str) -> bool:
    """Whether a host of a URL is written as an address that is not public, or is this machine's name."""
    # Names are normalised before they are looked up (UTS 46): what looks like no digit or dot becomes one.
    # What is percent-encoded is decoded by some of those who look it up, such as a proxy.
    import unicodedata
    from urllib.parse import unquote

    for _ in range(3):
        host = unicodedata.normalize("NFKC", unquote(host)).replace("\u3002", ".").rstrip(".").lower()
    host = "".join(character for character in host if not _is_invisible(character)).strip("[]")
    if is_loopback(host) or host.endswith(".localhost") or host in _NAMES:
        return True
    if _is_address(host):
        from . import peers

        return not peers.is_public_peer(host)
    # 2130706433, 0x7f.1 and 127.1 are addresses to the system, and behind a proxy nobody sees which.
    return bool(re.fullmatch(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+)){0,3}", host)) or not host


def _is_invisible(character: str) -> bool:
    """Whether a character is left out of a name before it is looked up (UTS 46)."""
    import unicodedata

    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"


_NAMES = (
    "metadata",
    "metadata.google.internal",
    "instance-data",
    "localhost.localdomain",
    "ip6-localhost",
    "ip6-loopback",
)


def _is_address(host: str) -> bool:
    # What has another letter is a name, as nearly every host is.
    if not re.fullmatch(r"[0-9A-Fa-f:.]*(%.*)?", host):
        return False
    from . import peers

    return peers.is_address(host)


@functools.lru_cache(maxsize=256)
def origin_of(url: str) -> tuple[str, str, int]:
    """`(scheme, host, port)`; raises ValueError for what is no http(s) URL with a host."""
    if re.search(r"[\s\\\x00-\x1f\x7f]", url):
        raise ValueError("it holds white space, a backslash or a control character")
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise ValueError("expected http:// or https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it must not hold a user name or password")
    if parts.port == 0:  # some clients would take it for the usual one
        raise ValueError("no server has the port 0")
    return parts.scheme.lower(), parts.hostname.lower(), parts.port or (443 if parts.scheme.lower() == "https" else 80)


if TYPE_CHECKING:

    @overload
    def resolve_base_url(given: str | None, own: str, trusted: bool) -> str: ...

    @overload
    def resolve_base_url(given: str, own: str | None, trusted: bool) -> str: ...

    @overload
    def resolve_base_url(given: str | None, own: str | None, trusted: bool) -> str | None: ...


def resolve_base_url(given: str | None, own: str | None, trusted: bool) -> str | None:
    """The base URL to use, without a slash at its end.

    given    from --base-url; None for the service's own. One that ends within the service's own path means all of it
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
    from urllib.parse import urlunsplit

    base = urlunsplit((origin[0], parts.netloc, _whole_path(parts.path.rstrip("/"), origin, own), "", ""))
    if is_loopback(origin[1]) or (own and origin == origin_of(own)):
        return base
    if origin[0] == "http":
        raise untrusted("--base-url", f"{origin[1]} would get the key over http, readable by anybody on the way")
    if not trusted:
        raise untrusted(
            "--base-url",
            f"{origin[1]} is not the service's own host, and would get its key",
            "If you trust that host with the key, add --trust-base-url.",
        )
    return base


def _whole_path(path: str, origin: tuple[str, str, int], own: str | None) -> str:
    """The path of a base URL that names only the beginning of the service's own: /api means /api/v1."""
    whole = urlsplit(own).path if own else ""
    if whole.startswith(path + "/") and (path or origin == origin_of(own or "")):
        return whole
    return path


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
            raise untrusted(flag, "it names another host than the service's, which would get the key")
        parts, base_path = urlsplit(given), urlsplit(base_url).path
        if parts.query or parts.fragment or not parts.path.startswith(base_path + "/"):
            raise errors.bad_argument(flag, "expected a path below the base URL, without a query or a fragment")
        path = parts.path.removeprefix(base_path)
    path = "/" + re.sub("/+", "/", path).strip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9._~%@:+-]+)+", path) or re.search(r"/\.{1,2}(/|$)|%2e|%2f|%5c", path, re.I):
        raise errors.bad_argument(flag, "expected a path below the base URL, such as /generation/sse/owner/name")
    # Documents whose server is /api, or the bare origin, write the rest of the base URL into the path.
    folders = urlsplit(base_url).path.split("/")[1:]
    if re.fullmatch(r"v\d+", folders[-1] if folders else ""):
        for at in range(len(folders)):
            tail = "/" + "/".join(folders[at:])
            if path.startswith(tail + "/"):
                return path.removeprefix(tail)
    return path


def with_prefix(path: str, base_url: str, prefix: str) -> tuple[str, str]:
    """`(base URL, path below it)` of an endpoint that holds the service's own prefix, or its end, in its path.

    Below the bare origin of another host all of them mean the whole prefix, as they do at the service's own: /v1/x and
    /api/v1/x are one endpoint of a service whose prefix is /api/v1.
    """
    folders = prefix.split("/")[1:]
    for at in range(len(folders)):
        tail = "/" + "/".join(folders[at:])
        if path.startswith(tail + "/"):
            return base_url + (tail if urlsplit(base_url).path else prefix), path.removeprefix(tail)
    return base_url, path


def above(base_url: str, prefix: str) -> str:
    """The base URL for paths that are not below a service's prefix: without it, or else the bare origin."""
    if base_url.endswith(prefix):
        return base_url[: len(base_url) - len(prefix)]
    from urllib.parse import urlunsplit

    parts = urlsplit(base_url)
    return urlunsplit((parts.scheme, parts.netloc, "", "", ""))


def untrusted(field: str, message: str, *guidance: str) -> errors.Failure:
    """The end of a command whose key would have gone to somebody else."""
    return errors.Failure(
        "untrusted_destination",
        f"{field}: {message}",
        "guard",
        field=field,
        outcome="not_sent",
        retryable=False,
        guidance=list(guidance) or ["Nothing was sent. Use the service's own address."],
    )
