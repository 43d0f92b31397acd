"""What the environment says about the way out: proxies and CA certificates. Faults are named before anything is sent.

may_have_proxy   whether a proxy may be set at all
proxy_setting    which variable names the proxy of a URL; raises SetUp where it cannot be used
Certificates     which CA certificates count, and which variable says so; raises SetUp where they cannot be read
"""

from __future__ import annotations

import os
import re
import sys
from importlib.util import find_spec
from urllib.parse import urlsplit

from ..base.record import record
from .faults import SetUp

_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
# The usual CA bundle takes a quarter of a mebibyte.
_LARGEST_BUNDLE = 16 * 1024 * 1024


def may_have_proxy() -> bool:
    """Whether a proxy may be set at all, for some URL: to ask for which takes longer, and loads much."""
    if sys.platform in ("darwin", "win32"):  # whose systems have settings of their own
        return True
    return any(name[-6:].lower() == "_proxy" and value for name, value in os.environ.items())


def proxy_setting(proxy: str, scheme: str) -> str:
    """The setting that names this proxy for requests of this scheme, for people."""
    names = [name for one in (scheme, "all") for name in (f"{one}_proxy", f"{one.upper()}_PROXY")]
    setting = next((name for name in names if os.environ.get(name) == proxy), "the system's settings")
    return _checked(proxy, setting)


def _checked(proxy: str, setting: str) -> str:
    if re.search(r"[\s\x00-\x1f\x7f]", proxy):
        raise SetUp(f"{setting} holds white space or the end of a line; expected http://host:port")
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise SetUp(f"{setting} is no URL of a proxy; expected http://host:port") from None
    scheme = parts.scheme.lower()
    if scheme not in _SCHEMES:
        raise SetUp(f"{setting} names a kind of proxy that is not known; expected {', '.join(_SCHEMES)}")
    if not host:
        raise SetUp(f"{setting} names no host; expected http://host:port")
    if scheme.startswith("socks") and find_spec("socks") is None:
        raise SetUp(f"{setting} names a SOCKS proxy, and the package PySocks that talks to one is not installed")
    return setting


@record
class Certificates:
    """Which CA certificates a connection is checked by.

    setting  the variable that names them; None for those that come with Python's packages
    verify   what requests takes for `verify`
    folders  what OpenSSL takes for a list of folders; None for none
    """

    setting: str | None = None
    verify: str | bool = True
    folders: str | None = None

    @staticmethod
    def of_environment() -> Certificates:
        """Those that the environment names: first as requests does it, then as OpenSSL does."""
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            path = os.environ.get(name)
            if path:
                if os.path.isdir(path):
                    return Certificates(name, path, path)
                return Certificates(name, _bundle(name, path))
        file, folders = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
        there = None
        if folders:
            found = [folder for folder in folders.split(os.pathsep) if os.path.isdir(folder)]
            if not found and not file:
                raise SetUp("SSL_CERT_DIR names no folder that exists")
            there = os.pathsep.join(found) or None
        if file:
            return Certificates("SSL_CERT_FILE", _bundle("SSL_CERT_FILE", file), there)
        return Certificates("SSL_CERT_DIR", there.split(os.pathsep)[0], there) if there else Certificates()


def _bundle(setting: str, path: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST_BUNDLE)
    except OSError as problem:
        words = problem.strerror or type(problem).__name__
        raise SetUp(f"{setting} names a file of CA certificates that cannot be read: {words}") from None
    if b"-----BEGIN" not in content:
        raise SetUp(f"{setting} names a file without a certificate in it")
    return path
