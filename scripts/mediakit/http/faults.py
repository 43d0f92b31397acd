"""What an exception of a transport means: in words, and whether another try could help."""

from __future__ import annotations

import errno
import re

from ..base import errors
from . import bodies


class Canceled(Exception):
    """The exchange was given up before its first byte left."""


class Forbidden(Exception):
    """The address that was reached is not one that may be."""


class SetUp(Exception):
    """This machine is set up so that no connection can be opened; the message names the setting."""


NOT_PERMITTED = (
    "this process may not open network connections; whoever runs it, such as an agent's sandbox, must allow it"
)
NO_NETWORK = "there is no network here; if it is an agent's sandbox that has none, whoever runs it must allow it"

_REFUSED = (errno.EPERM, errno.EACCES)
_NOWHERE = (errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL)
# How urllib3, and PySocks under it, call what a proxy does not do.
_PROXY = frozenset(("ProxyError", "ProxyConnectionError", "GeneralProxyError", "SOCKS5Error", "SOCKS4Error"))
_PROXY_LOGINS = frozenset(("SOCKS5AuthError",))


def is_final(problem: BaseException) -> bool:
    """Whether it would come again at another try: a wrong address, certificate or setting, or no permission."""
    import ssl

    chain = _chain(problem)
    final = (Forbidden, SetUp, ssl.SSLCertVerificationError)
    return any(isinstance(link, final) for link in chain) or _is_refused(chain) or _tunnel_status(chain) == 407


def _chain(problem: BaseException) -> list[BaseException]:
    """An exception and those that it came from, as far as they can be found."""
    chain, seen = [problem], 0
    while seen < len(chain) and len(chain) < 20:
        link = chain[seen]
        more = [link.__cause__, link.__context__, getattr(link, "reason", None), *getattr(link, "args", ())]
        chain += [item for item in more if isinstance(item, BaseException) and item not in chain]
        seen += 1
    return chain


def _is_refused(chain: list[BaseException]) -> bool:
    """Whether the system itself forbids this process to connect."""
    import socket

    if any(isinstance(link, OSError) and link.errno in _REFUSED for link in chain):
        return True
    return any(isinstance(link, socket.gaierror) for link in chain) and _why_no_names() == NOT_PERMITTED


def _tunnel_status(chain: list[BaseException]) -> int | None:
    """The HTTP status with which a proxy refused to open a way to a host."""
    for link in chain:
        found = re.match(r"Tunnel connection failed: (\d{3})", str(link)) if type(link) is OSError else None
        if found:
            return int(found[1])
    return None


def reason(problem: BaseException, proxy: str | None = None, certificates: str | None = None) -> str:
    """A transport's exception as a few words, without addresses of objects or of proxies' passwords.

    proxy, certificates  the settings that name the proxy and the CA certificates that were used, where there are some
    """
    chain = _chain(problem)
    words = _words(chain, certificates)
    if proxy is None or isinstance(problem, SetUp) or not _is_the_proxys(chain):
        return words
    status = _tunnel_status(chain)
    if status is not None:
        words = f"it answered HTTP {status} when it was asked for the connection"
    if status == 407 or _PROXY_LOGINS & {type(link).__name__ for link in chain}:
        words = "it wants a user name and a password"
    return f"the proxy that {proxy} names gives no connection: {words}"


def _is_the_proxys(chain: list[BaseException]) -> bool:
    return bool((_PROXY | _PROXY_LOGINS) & {type(link).__name__ for link in chain})


def _words(chain: list[BaseException], certificates: str | None) -> str:
    import socket
    import ssl

    for link in chain:
        if isinstance(link, SetUp):
            return str(link)
        if isinstance(link, ssl.SSLCertVerificationError):
            return _certificate(link, certificates)
    if any(isinstance(link, socket.gaierror) for link in chain):
        return _why_no_names()
    for kind, words in (
        (Forbidden, "the name leads to an address that may not be contacted"),
        (bodies.Changed, "a file was changed while it was sent"),
        (ssl.SSLError, "the TLS handshake failed"),
        (ConnectionRefusedError, "the connection was refused"),
        ((ConnectionResetError, BrokenPipeError), "the connection was reset"),
    ):
        if any(isinstance(link, kind) for link in chain):
            return words
    for numbers, words in ((_REFUSED, NOT_PERMITTED), (_NOWHERE, NO_NETWORK)):
        if any(isinstance(link, OSError) and link.errno in numbers for link in chain):
            return words
    named = {type(link).__name__ for link in chain}
    for name, words in (
        ("NameResolutionError", "the host's name cannot be resolved"),
        ("ConnectTimeoutError", "the connection could not be made in time"),
        ("ReadTimeoutError", "no answer in time"),
        ("TimeoutError", "no answer in time"),
        ("timeout", "no answer in time"),  # as Python 3.9 calls it
        ("IncompleteRead", "the answer was cut short"),
        ("RemoteDisconnected", "the server closed the connection without an answer"),
        ("HTTPException", "the answer is not HTTP"),
        ("BadStatusLine", "the answer is not HTTP"),
        ("LineTooLong", "the answer is not HTTP"),
    ):
        if name in named:
            return words
    return type(chain[0]).__name__


def _certificate(problem, certificates: str | None) -> str:
    details = getattr(problem, "verify_message", "")
    words = "the server's TLS certificate is not valid" + (f" ({details})" if details else "")
    return words if certificates is None else f"{words}; the CA certificates are those that {certificates} names"


def _why_no_names() -> str:
    """Why a host's name was not resolved: a process that may not open sockets sees no other sign of it."""
    import socket

    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # for documentation only (RFC 5737); nothing is sent by this
    except OSError as problem:
        if problem.errno in _REFUSED:
            return NOT_PERMITTED
        if problem.errno in _NOWHERE:
            return NO_NETWORK
    return "the host's name cannot be resolved"


def no_server(problem: OSError, port: int) -> errors.Failure | None:
    """The Failure for a server of our own that this process may not open; None where only this port cannot be had."""
    # A low port is for the administrator; what is forbidden with any port is forbidden to this process.
    forbidden = problem.errno == errno.EPERM or (problem.errno == errno.EACCES and port == 0)
    if not (forbidden or problem.errno in _NOWHERE):
        return None
    return errors.Failure(
        "network_forbidden",
        f"the sandbox cannot serve: {NOT_PERMITTED if forbidden else NO_NETWORK}",
        "transient",
        guidance=[
            "Nothing was sent. It needs no internet, but a server on this machine's own loopback address.",
            "In Codex: let the command run outside its sandbox, or set sandbox_workspace_write.network_access.",
        ],
        retryable=False,
        outcome="not_sent",
    )
