"""Connections that tell what leaves them."""

from __future__ import annotations

import threading

from .. import __version__

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

    class Watched(connection_class):  # type: ignore[valid-type, misc]
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
