"""Which IP addresses may be reached. Pure.

is_address       whether a text is an IP address
is_loopback      whether one is this machine
is_public_peer   whether one is of the open internet
is_private_peer  whether one may be reached where private ones are allowed
"""

from __future__ import annotations

import ipaddress


def is_address(text: str) -> bool:
    """Whether a text is an IP address, without brackets."""
    try:
        ipaddress.ip_address(text)
        return True
    except ValueError:
        return False


def is_loopback(address: str) -> bool:
    """Whether an IP address is 127.0.0.0/8 or ::1."""
    return ipaddress.ip_address(address).is_loopback


def is_public_peer(address: str) -> bool:
    """Whether an IP address is one of the open internet: not private, reserved, link-local, multicast."""
    found = _true_address(address)
    if not is_private_peer(address):
        return False
    return found.is_global and not found.is_multicast and (found.version == 4 or found in _GLOBAL_UNICAST)


def is_private_peer(address: str) -> bool:
    """Whether an IP address may be reached where private ones are allowed: public ones too, but no link-local.

    Link-local addresses are where clouds keep the credentials of a machine (169.254.169.254).
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    true = _true_address(address)
    if any(one.version == network.version and one in network for one in (found, true) for network in _CREDENTIALS):
        return False
    return not (true.is_link_local or true.is_multicast or true.is_unspecified)


def _true_address(address: str):
    """The address that packets would go to: what an IPv6 address carries of IPv4 counts."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if found.version == 4:
        return found
    if any(found in network for network in _CARRIERS) and int(found) > 1:  # :: and ::1 are addresses of their own
        return ipaddress.ip_address(int(found) & 0xFFFFFFFF)
    return found.sixtofour or (found.teredo[1] if found.teredo else found)


# Whose last 32 bits are an IPv4 address: RFC 4291 (compatible, mapped), 2765 (translated), 6052 (NAT64).
_CARRIERS = [ipaddress.ip_network(text) for text in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")]
# Where clouds hand a machine its credentials, and what a tunnel could lead there by; link-local ones are refused anyway.
_CREDENTIALS = [
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.192/32",
        "168.63.129.16/32",
        "100.100.100.200/32",
        "fd00:ec2::254/128",
        "fd20:ce::254/128",
        "2001::/32",
        "2002::/16",
        "64:ff9b:1::/48",
    )
]
# All that is assigned of the open internet (RFC 4291, 2.5.4); what Python calls global is more.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
