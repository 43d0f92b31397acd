"""Requests through a proxy of the environment, and whatever else only `requests` knows how to send.

Only sessions.py and connections.py import this room, once something is to be sent: requests takes long to import.

proxy_of  the proxy of a URL, as the environment names it
Session   a requests session of watched connections
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from . import settings
from .faults import SetUp
from .sessions import under_way


def proxy_of(url: str) -> str | None:
    """The proxy of a URL, as the environment names it."""
    return select_proxy(url, get_environ_proxies(url))


def _pools(http_pool, https_pool, watched: Callable) -> dict:
    """Pools of watched connections, by scheme, in place of two of urllib3's."""
    return {
        scheme: type("Pool", (pool,), {"ConnectionCls": watched(pool.ConnectionCls)})
        for scheme, pool in (("http", http_pool), ("https", https_pool))
    }


class _Adapter(HTTPAdapter):
    certificates = settings.Certificates()

    def __init__(self, watched: Callable):
        self._watched = watched
        super().__init__()

    def init_poolmanager(self, *args, **options):
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(HTTPConnectionPool, HTTPSConnectionPool, self._watched)

    def proxy_manager_for(self, proxy, **options):
        manager = super().proxy_manager_for(proxy, **options)
        if proxy.lower().startswith("socks"):
            from urllib3.contrib.socks import SOCKSHTTPConnectionPool, SOCKSHTTPSConnectionPool

            pools = _pools(SOCKSHTTPConnectionPool, SOCKSHTTPSConnectionPool, self._watched)
        else:
            pools = _pools(HTTPConnectionPool, HTTPSConnectionPool, self._watched)
        manager.pool_classes_by_scheme = pools
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
    """A session of watched connections, for one request.

    watched   makes a watched class of a urllib3 connection class
    loopback  whether it is for this machine, where a proxy of the environment is not asked
    """

    def __init__(self, watched: Callable, loopback: bool):
        super().__init__()
        self._loopback = loopback
        self.trust_env = not loopback  # no proxy is looked for either, which takes long
        self._adapter = _Adapter(watched)
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
