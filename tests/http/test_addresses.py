"""Who may be reached, in every spelling, and which base URL and endpoint mean the same."""

import pytest

from mediakit.base.errors import Failure
from mediakit.http import addresses, peers

PRIVATE_HOSTS = """
localhost LOCALHOST localhost. a.localhost 127.0.0.1 127.1 2130706433 0x7f000001 0x7f.1 0177.0.0.1 017700000001
127%2e0%2e0%2e1 127%252e0%252e0%252e1 %31%32%37.0.0.1 loc%61lhost １２７.０.０.１ 127。0。0。1 ①②⑦.0.0.1 ｌｏｃａｌｈｏｓｔ
ⓛocalhost lo\u00adcalhost local\u200bhost 127.0.0.1. 10.0.0.1 192.168.1.1 172.16.0.1 169.254.169.254 0xa9fea9fe 2852039166
169.254.43518 [::1] ::1 ::ffff:127.0.0.1 ::ffff:7f00:1 64:ff9b::7f00:1 64:ff9b:1::7f00:1 2002:7f00:1:: 2001:0:7f00:1::
fd00:ec2::254 fe80::1 100.64.0.1 100.100.100.200 192.0.0.192 0.0.0.0 0 :: metadata.google.internal
ip6-localhost localhost.localdomain 198.18.0.1 240.0.0.1 255.255.255.255 224.0.0.1
""".split()
PUBLIC_HOSTS = "example.com 93.184.215.14 2606:2800:21f:cb07:6820:80da:af6b:8b2c xn--nxasmq6b.example media.localhost.example 1.1.1.1".split()


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_a_private_host_is_known_in_every_spelling(host):
    assert addresses.is_private_literal(host)


@pytest.mark.parametrize("host", PUBLIC_HOSTS)
def test_a_public_host_is_none_of_them(host):
    assert not addresses.is_private_literal(host)


# address -> whether it may be reached where private addresses are allowed
PEERS = {
    "10.0.0.1": True, "127.0.0.1": True, "::1": True, "fd12::1": True, "93.184.215.14": True, "192.168.0.9": True,
    "::ffff:10.0.0.1": True, "64:ff9b::5db8:d70e": True, "100.64.0.1": True,
    "169.254.169.254": False, "fe80::1": False, "::ffff:169.254.169.254": False, "64:ff9b::a9fe:a9fe": False,
    "192.0.0.192": False, "168.63.129.16": False, "100.100.100.200": False, "fd00:ec2::254": False,
    "::ffff:168.63.129.16": False, "64:ff9b::a83f:8110": False, "64:ff9b:1::1": False, "2001:0:1:2::3": False,
    "2002:a9fe:a9fe::": False, "2002:5db8:d70e::": False, "224.0.0.1": False, "ff02::1": False, "0.0.0.0": False,
    "::": False,
}  # fmt: skip


@pytest.mark.parametrize("address", PEERS)
def test_where_credentials_lie_stays_refused_though_private_addresses_are_allowed(address):
    assert peers.is_private_peer(address) is PEERS[address]
    if not PEERS[address]:
        assert not peers.is_public_peer(address)


OWN = "https://api.service.invalid/api/v1"
STREAM = "/generation/sse/owner/model"
LOCAL = "http://127.0.0.1:8000"


@pytest.mark.parametrize("origin", ["https://api.service.invalid", LOCAL])
@pytest.mark.parametrize(
    ("base", "endpoint"),
    [
        ("/api/v1", STREAM), ("/api/v1/", STREAM), ("/api/v1", STREAM[1:]), ("/api/v1", "/v1" + STREAM),
        ("/api/v1", "/api/v1" + STREAM), ("/api", STREAM), ("/api/", "/v1" + STREAM), ("/api", "v1" + STREAM),
        ("/api", "/api/v1" + STREAM), ("/api", "{origin}/api/v1" + STREAM), ("/api/v1", "{origin}/api/v1" + STREAM),
    ],
)  # fmt: skip
def test_spellings_of_base_url_and_endpoint_mean_the_same(origin, base, endpoint):
    base_url = addresses.resolve_base_url(origin + base, OWN, True)
    assert base_url == origin + "/api/v1"
    assert addresses.resolve_endpoint("--sse-endpoint", endpoint.replace("{origin}", origin), base_url) == STREAM


def test_the_bare_origin_of_the_service_means_the_service():
    assert addresses.resolve_base_url("https://api.service.invalid", OWN, False) == OWN
    assert addresses.resolve_base_url(LOCAL, OWN, False) == LOCAL
    assert addresses.resolve_base_url(LOCAL + "/ap", OWN, False) == LOCAL + "/ap"


@pytest.mark.parametrize(
    "endpoint", ["//elsewhere.invalid/a", "https://elsewhere.invalid/api/v1/a", "/a/../b", "/a%2e%2e/b"]
)
def test_an_endpoint_never_leads_elsewhere(endpoint):
    with pytest.raises(Failure):
        addresses.resolve_endpoint("--sse-endpoint", endpoint, OWN)
