"""Which exchange the connections of a thread report to, and where sessions of such connections come from."""

from __future__ import annotations

import threading

from .. import __version__

_under_way = threading.local()
_importing = threading.Lock()


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
    # Threads that import the same packages at once can be handed modules that are not complete yet.
    with _importing:
        try:
            from . import connections  # noqa: F401
        except ImportError:
            raise
        except (Exception, SystemExit) as problem:
            raise ImportError(f"{type(problem).__name__}: {problem}", name="requests") from problem


def watched_session(loopback: bool):
    """A fresh requests session whose connections are watched; never reused for a paid POST.

    loopback  whether it is for this machine, where a proxy of the environment is not asked
    """
    load()
    from .connections import Session

    session = Session(loopback)
    session.headers["User-Agent"] = f"ai-media/{__version__}"
    return session
