"""What an exception of a transport means: in words, and whether another try could help. Pure."""

from __future__ import annotations

from . import bodies


class Canceled(Exception):
    """The exchange was given up before its first byte left."""


class Forbidden(Exception):
    """The address that was reached is not one that may be."""


def is_final(problem: BaseException) -> bool:
    """Whether a transport's exception would come again at another try: a wrong address or certificate."""
    import ssl

    final = (Forbidden, ssl.SSLCertVerificationError)
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
        (Forbidden, "the name leads to an address that may not be contacted"),
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
