"""One spelling for what means the same, so that one purchase is not bought twice. Pure.

value    a JSON value, whatever the numbers, texts and keys in it look like
origin   where a service is
path     a path of a URL
"""

from __future__ import annotations

import functools
import re

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    import ipaddress

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = "localhost"
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# What may stand in a segment of a path as it is (RFC 3986), besides the unreserved.
_IN_SEGMENT = frozenset(b"!$&'()*+,;=:@")


def value(given):
    """A JSON value of which two equal ones are written alike: 1 and 1.0, -0.0 and 0, NFC and NFD.

    An object becomes its sorted pairs, so that two names which are one in NFC are both kept.
    """
    if isinstance(given, dict):
        pairs = [[_composed(name), value(item)] for name, item in given.items()]
        return {"object": sorted(pairs, key=lambda pair: (pair[0], repr(pair[1])))}
    if isinstance(given, (list, tuple)):
        return [value(item) for item in given]
    if isinstance(given, str):
        return _composed(given)
    if isinstance(given, float) and given.is_integer():
        return int(given)
    return given


def _composed(text: str) -> str:
    """A text in NFC."""
    if text.isascii():
        return text
    import unicodedata

    return unicodedata.normalize("NFC", text)


@functools.lru_cache(maxsize=256)
def origin(url: str, own_path: str = "") -> str:
    """`scheme://host:port/path` of a base URL in one spelling, with what is left of its path.

    own_path  the path that the service's own base URL has: with all of it, a part of it or none,
              as users type it, a base URL is the same place
    """
    from urllib.parse import urlsplit

    parts = urlsplit(url.strip())
    scheme = parts.scheme.lower()
    port = parts.port or _DEFAULT_PORTS.get(scheme, 0)
    return f"{scheme}://{host(parts.hostname or '')}:{port}{_without(path(parts.path), path(own_path))}"


def host(name: str) -> str:
    """A host in one spelling: case, IDN, the final dot, every form of a number, loopback by any name."""
    name = _composed(name).rstrip(".").lower().strip("[]")
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            pass  # longer or odder than a name may be: it stays as it is
    address = _address(name.partition("%")[0])
    if address is None:
        return name
    if str(address) in ("127.0.0.1", "::1"):
        return _LOOPBACK
    return f"[{address}]" if address.version == 6 else str(address)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if not re.fullmatch("[0-9a-fx:.]+", name):
        return None  # a name, as nearly every host is
    import ipaddress
    import socket

    try:
        address = ipaddress.ip_address(name)
        return getattr(address, "ipv4_mapped", None) or address
    except ValueError:
        pass
    if not re.fullmatch(r"(0x[0-9a-f]+|\d+)(\.(0x[0-9a-f]+|\d+)){0,3}", name):
        return None
    try:
        # 127.1, 0x7f000001 and 2130706433 are 127.0.0.1 to every resolver.
        return ipaddress.ip_address(socket.inet_aton(name))
    except (OSError, ValueError):
        return None


def path(text: str) -> str:
    """A path in one spelling: no doubled, single-dot or final slash, `%2d` as `-`, `%2f` as `%2F`."""
    kept: list[str] = []
    for segment in text.split("/"):
        segment = _segment(segment)
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    return "".join("/" + segment for segment in kept)


def _segment(text: str) -> str:
    """One segment, with exactly those bytes escaped that have to be."""
    from urllib.parse import unquote_to_bytes

    plain = _composed(text).encode("utf-8", "surrogatepass")
    written = []
    for piece in re.split(rb"(%[0-9A-Fa-f]{2})", plain):
        if re.fullmatch(rb"%[0-9A-Fa-f]{2}", piece):
            byte = unquote_to_bytes(piece)[0]
            written.append(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}")
        else:
            written += [chr(byte) if byte in _UNRESERVED or byte in _IN_SEGMENT else f"%{byte:02X}" for byte in piece]
    return "".join(written)


def _without(found: str, own: str) -> str:
    """A path without the longest beginning of `own` that it ends in."""
    own_segments = [segment for segment in own.split("/") if segment]
    segments = [segment for segment in found.split("/") if segment]
    for length in range(len(own_segments), 0, -1):
        if segments[-length:] == own_segments[:length]:
            segments = segments[:-length]
            break
    return "".join("/" + segment for segment in segments)
