"""Which exchange the connections of a thread report to, and how a request goes over such a connection.

Request   what is sent
send      send it; the head of its answer
merged    headers together
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from .. import __version__
from ..base import packages
from ..base.record import record, replace
from . import bodies

_under_way = threading.local()
_importing = threading.Lock()
_is_loaded = False
# What every request says unless it says otherwise.
_HEADERS = {
    "User-Agent": f"ai-media/{__version__}",
    "Accept-Encoding": "identity",
    "Accept": "*/*",
    "Connection": "keep-alive",
}


@record
class Request:
    """url      whole, http or https
    body     None for none
    timeout  seconds (to connect, between pieces of the answer)
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | bodies.Body | None
    timeout: tuple[float, float]


def watching(exchange) -> None:
    """From now on the connections of this thread report to `exchange` (None: to nobody)."""
    _under_way.exchange = exchange


def under_way():
    """What this thread's connections report to; None for nobody."""
    return getattr(_under_way, "exchange", None)


def load() -> None:
    """Import what sends. Raises ImportError for a package that cannot be used, whatever it raises itself.

    To be called before anything is under way: no thread that dies of it leaves anybody waiting.
    """
    global _is_loaded
    if _is_loaded:
        return
    # Threads that import the same packages at once can be handed modules that are not complete yet.
    with _importing:
        try:
            from . import connections  # noqa: F401

            # What only some requests need must be found to be unusable now, and not once something was bought. It takes
            # as long to import as all the rest of a create, so that it could be is remembered.
            if not packages.is_known("loadable"):
                from . import proxied  # noqa: F401

                packages.remember("loadable")
        except ImportError:
            raise
        except (Exception, SystemExit) as problem:
            raise ImportError(f"{type(problem).__name__}: {problem}", name="requests") from problem
        _is_loaded = True


def send(asked: Request, loopback: bool):
    """Send a request over a connection that is watched; returns a connections.Reply.

    loopback  whether it is for this machine, where a proxy of the environment is not asked

    A GET may go over a connection that was used before, everything else has one of its own.
    """
    load()
    from . import connections

    return connections.send(replace(asked, headers=merged(_HEADERS, asked.headers)), loopback)


def merged(*headers: Mapping[str, str]) -> dict[str, str]:
    """Headers together, whose names are the same in any case; of one that is there twice the last."""
    found = {name.lower(): (name, value) for some in headers for name, value in some.items()}
    return dict(found.values())
