"""Connections that tell what leaves them, and that read what is not quite HTTP.

Only sessions.py imports this room, and only once something is to be sent: requests takes long to import.
"""

from __future__ import annotations

import http.client
import io
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from . import settings
from .faults import SetUp
from .sessions import under_way

# Most interim answers (1xx) to skip before the final one.
_MOST_INTERIM = 100
# Seconds of silence that end an answer which cannot be read as HTTP.
_DRAIN = 1.0
_BUFFER = 65536


# Some hosts send more headers than Python reads; what is read of one is bounded all the same, by its lines.
http.client._MAXHEADERS = 1000  # type: ignore[attr-defined]


class _Incoming(io.RawIOBase):
    """The bytes of one answer as they come off the socket, by way of the exchange."""

    def __init__(self, file, connected, exchange):
        super().__init__()
        self._file = file  # holds the socket open
        self._connected = connected
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self._exchange.receive(self._connected, buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that is understood though its head is odd: it may hold what was paid for."""

    def __init__(self, sock, *args, **options):
        super().__init__(sock, *args, **options)
        self._watcher = under_way()
        if self._watcher:
            self.fp = io.BufferedReader(_Incoming(self.fp.detach(), sock, self._watcher), _BUFFER)

    def begin(self) -> None:
        if getattr(self, "headers", None) is not None:
            return
        try:
            super().begin()
            for _ in range(_MOST_INTERIM):
                if not 100 <= self.status < 200:
                    break
                # http.client passes over 100 alone; 102 and 103 are no more the answer than that.
                self.headers = self.msg = None  # type: ignore[assignment]
                super().begin()
        except (http.client.HTTPException, ValueError):
            if self._watcher:
                self._watcher.drain(_DRAIN)
            raise
        self._settle_length()

    def _settle_length(self) -> None:
        """Where an answer ends: headers that say two things, or none that can be understood, do not count."""
        if self.length == 0 and self.status in (204, 304):
            return
        encodings = [word.strip().lower() for word in self.headers.get("Transfer-Encoding", "").split(",")]
        if "chunked" in encodings and not self.chunked:
            self.chunked, self.chunk_left, self.length = True, None, None
        lengths = {word.strip() for value in self.headers.get_all("Content-Length", []) for word in value.split(",")}
        if self.chunked or not lengths or (len(lengths) == 1 and lengths.pop().isdecimal()):
            return
        del self.headers["Content-Length"]
        self.length, self.will_close = None, True


def _watched(connection_class):
    """A urllib3 connection class that reports to the exchange of its thread.

    The class of an exception does not tell whether a request was sent: a reset in the TLS handshake
    and one after the server has read everything raise the same. What was passed to the socket does.
    """

    class Watched(connection_class):  # type: ignore[valid-type, misc]
        response_class = _Response
        is_watched = True
        _connecting = False

        def connect(self):
            self._connecting = True
            try:
                super().connect()
            finally:
                self._connecting = False
            exchange = under_way()
            if exchange:
                exchange.reached(self.sock, is_proxy=exchange.proxy is not None)

        def putrequest(self, method, url, *args, **options):
            exchange = under_way()
            if exchange and exchange.target is not None:
                parts = urlsplit(url)
                # A proxy of plain http is told the whole URL.
                url = (f"{parts.scheme}://{parts.netloc}" if parts.netloc else "") + exchange.target
            return super().putrequest(method, url, *args, **options)

        def send(self, data):
            if not self._connecting:  # what a proxy is told to open the tunnel is not the request
                if self.sock is None:
                    self.connect()
                exchange = under_way()
                if exchange:
                    exchange.before_sending()
            return super().send(data)

    return Watched


def _pools(http_pool, https_pool) -> dict:
    """Pools of watched connections, by scheme, in place of two of urllib3's."""
    return {
        scheme: type("Pool", (pool,), {"ConnectionCls": _watched(pool.ConnectionCls)})
        for scheme, pool in (("http", http_pool), ("https", https_pool))
    }


class _Adapter(HTTPAdapter):
    certificates = settings.Certificates()

    def init_poolmanager(self, *args, **options):
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(HTTPConnectionPool, HTTPSConnectionPool)

    def proxy_manager_for(self, proxy, **options):
        manager = super().proxy_manager_for(proxy, **options)
        if proxy.lower().startswith("socks"):
            from urllib3.contrib.socks import SOCKSHTTPConnectionPool, SOCKSHTTPSConnectionPool

            manager.pool_classes_by_scheme = _pools(SOCKSHTTPConnectionPool, SOCKSHTTPSConnectionPool)
        else:
            manager.pool_classes_by_scheme = _pools(HTTPConnectionPool, HTTPSConnectionPool)
        return manager

    def get_connection_with_tls_context(self, *args, **options):
        pool = super().get_connection_with_tls_context(*args, **options)
        # What is sent over any other connection could not be told from what never left.
        if not getattr(pool.ConnectionCls, "is_watched", False):
            raise SetUp("requests are sent in a way that cannot be watched")
        return pool

    def cert_verify(self, pool, url, verify, cert):
        super().cert_verify(pool, url, verify, cert)
        if self.certificates.folders and url.lower().startswith("https:"):
            pool.ca_cert_dir = self.certificates.folders


class Session(requests.Session):
    """A session of watched connections.

    loopback  whether it is for this machine, where a proxy of the environment is not asked
    """

    def __init__(self, loopback: bool):
        super().__init__()
        self._loopback = loopback
        self.trust_env = not loopback  # no proxy is looked for either, which takes long
        self._adapter = _Adapter()
        for scheme in ("http://", "https://"):
            self.mount(scheme, self._adapter)

    def merge_environment_settings(self, url, proxies, stream, verify, cert):
        merged = super().merge_environment_settings(url, proxies, stream, verify, cert)
        if self._loopback:
            merged["proxies"] = {}
        exchange = under_way()
        proxy = select_proxy(url, merged["proxies"])
        setting = settings.proxy_setting(proxy, urlsplit(url).scheme) if proxy else None
        certificates = settings.Certificates()
        if url.lower().startswith("https:"):
            self._adapter.certificates = certificates = settings.Certificates.of_environment()
            merged["verify"] = certificates.verify
        if exchange:
            exchange.proxy, exchange.certificates = setting, certificates.setting
        return merged

    def get_redirect_target(self, response):
        # Asked for one, requests reads the whole body of the redirect, even if it never ends.
        return None
