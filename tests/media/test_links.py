"""Links are followed as they are spelled, to hosts of every kind; data: URLs are read as browsers read them."""

from __future__ import annotations

import base64
import gzip
import io
import random
import socket
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fake_service import (
    PICTURE,
    PNG,
    FakeService,
    answer,
    certificate,
    job,
    ranged,
    raw_deflate,
    redirect,
    wait,
)
from mediakit.http.addresses import is_private_literal
from mediakit.media import download, links
from mediakit.media.saving import Budget, Unsaved
from real_files import content

PHOTO = content("png")


def fetched(url: str, origin: str | None = None, private: bool = True) -> bytes:
    """What a Download writes; `origin` is that of a service on this machine."""
    file = io.BytesIO()
    reach = download.Reach(origin, allows_private=private)
    download.Download(url, Budget(), reach, lambda *told: None, lambda: 2**40).run(file)
    return file.getvalue()


# -- spelling --------------------------------------------------------------------------------------------

# as the service spells it, below the host -> as the request line has it
SPELLED = {
    "/media/a~b": "/media/a~b",
    "/media/a%7Eb": "/media/a%7Eb",
    "/media/a%7eb": "/media/a%7eb",
    "/media/%2d%2D%2e%2E%5f": "/media/%2d%2D%2e%2E%5f",
    "/media/a%2Fb%2fc": "/media/a%2Fb%2fc",
    "//media/x.png": "//media/x.png",
    "///x": "///x",
    "/a//b///c": "/a//b///c",
    "/a/./b/../c": "/a/./b/../c",
    "/a/..": "/a/..",
    "/%2e%2e/x": "/%2e%2e/x",
    "/media/a b.png": "/media/a%20b.png",
    "/media/a%20b c.png": "/media/a%20b%20c.png",
    "/media/x?prompt=a tin boat": "/media/x?prompt=a%20tin%20boat",
    "/media/boot.png?X-Amz-Signature=ab%2Fcd%3D&X-Amz-Credential=AK%2F20261126%2fus": (
        "/media/boot.png?X-Amz-Signature=ab%2Fcd%3D&X-Amz-Credential=AK%2F20261126%2fus"
    ),
    "/media/x?sig=a+b/c==&se=2026-11-26T00%3A00%3A00Z": "/media/x?sig=a+b/c==&se=2026-11-26T00%3A00%3A00Z",
    "/media/x?a=1&a=2&&b": "/media/x?a=1&a=2&&b",
    "/media/x?": "/media/x?",
    "/media/x??y?": "/media/x??y?",
    "/media/100%.png": "/media/100%.png",
    "/media/%zz%": "/media/%zz%",
    "/media/a;b=c,d:e@f!$&'()*+": "/media/a;b=c,d:e@f!$&'()*+",
    '/media/{a}|[b]^`"<c>': '/media/{a}|[b]^`"<c>',
    "/media/a\\b": "/media/a\\b",
    "/media/лодка.png": "/media/%D0%BB%D0%BE%D0%B4%D0%BA%D0%B0.png",
    "/media/e\u0301.png?ü=ö": "/media/e%CC%81.png?%C3%BC=%C3%B6",
    "/media/\U0001f6a2": "/media/%F0%9F%9A%A2",
    "/media/x#t=5": "/media/x",
    "?x=1": "/?x=1",
    "": "/",
    "/media/x  ": "/media/x",
    "/media/x\r\n": "/media/x",
}


@pytest.mark.parametrize("spelled", SPELLED, ids=ascii)
def test_a_link_keeps_its_spelling(spelled):
    with FakeService(media=PICTURE, other=PICTURE) as host:
        assert fetched(host.origin + spelled, host.base_url) == PNG
        assert [request.path for request in host.requests] == [SPELLED[spelled]]


def test_a_link_keeps_its_spelling_through_a_script(scripts):
    path = "/media/a b%7E%2d//c.png?sig=%2f+~"
    with FakeService(media=PICTURE) as service:
        service._scripts["read"] = [answer(200, job("COMPLETED", f"  {service.origin}{path}\n"))]
        run = wait(scripts, service, "--output-dir", "out")
        assert (run.code, service.requests[-1].path) == (0, "/media/a%20b%7E%2d//c.png?sig=%2f+~"), run.events


@pytest.mark.parametrize("spelled", ["/media/a%7Eb//c", "//x?%2d", "/media/a b"])
def test_a_link_keeps_its_spelling_behind_a_proxy(monkeypatch, spelled):
    with FakeService(other=PICTURE) as proxy:
        monkeypatch.setenv("http_proxy", proxy.origin)
        assert fetched(f"http://media.example:8080{spelled}", private=False) == PNG
        assert proxy.requests[0].path == f"http://media.example:8080{SPELLED.get(spelled, spelled).replace(' ', '%20')}"


# the Location header, below the host where it begins with a slash -> what is asked for next
MOVED = {
    "/media/a%7Eb//c": "/media/a%7Eb//c",
    "next.png": "/media/deep/next.png",
    "./next.png?a=../b": "/media/deep/next.png?a=../b",
    "../next.png": "/media/next.png",
    "../../../next.png": "/next.png",
    "..": "/media/",
    "?page=2": "/media/deep/first.png?page=2",
    "/media/two words": "/media/two%20words",
    "{origin}/media/%2d~%7e": "/media/%2d~%7e",
    "{origin}//media/x": "//media/x",
    "{same}/media/x": "/media/x",
    "  /media/x\t": "/media/x",
    "/media/x#y": "/media/x",
    "/media/лодка.png".encode().decode("latin-1"): "/media/%D0%BB%D0%BE%D0%B4%D0%BA%D0%B0.png",
    "/media/\xfc.png": "/media/%FC.png",
}


@pytest.mark.parametrize("location", MOVED, ids=ascii)
def test_a_redirect_keeps_the_spelling_of_its_target(location):
    with FakeService(media=PICTURE, other=PICTURE) as host:
        there = location.replace("{same}", f"//127.0.0.1:{host.port}")
        host._scripts["media"] = [redirect(there), PICTURE]
        assert fetched(f"{host.origin}/media/deep/first.png?sig=1", host.base_url) == PNG
        assert host.requests[-1].path == MOVED[location]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1\\@evil.example/x",
        "http://user@127.0.0.1/x",
        "http://user:word@127.0.0.1/x",
        "http:///x",
        "http://[/x",
        "http://127.0.0.1:99999/x",
        "http://127.0.0.1:1x/x",
        "http://a b/x",
        "ftp://127.0.0.1/x",
        "javascript:alert(1)",
        "/media/1.png",
        "http:/127.0.0.1/x",
        "http://127.0.0.1/a\r\nHost: evil/x",
        "http://127.0.0.1/a\0b",
    ],
)
def test_what_is_no_link_is_told_and_not_followed(url):
    with pytest.raises(Unsaved, match="cannot be used"):
        fetched(url)


@given(some.text(max_size=80))
def test_whatever_a_link_holds_its_target_fits_a_request_line(text):
    for url in (f"https://media.example/{text}", text, f"//media.example?{text}"):
        try:
            found = links.link(url)
        except ValueError:
            continue
        assert found.target[:1] == "/" and all("!" <= letter <= "~" for letter in found.target)
        assert links.link(found.site[:-1] + found.target).target == found.target
        try:
            assert links.redirected(found, text.encode().decode("latin-1")).target.isascii()
        except ValueError:
            pass


# -- hosts -------------------------------------------------------------------------------------------------

HOSTS = {
    "cdn.example": "cdn.example",
    "CDN.Example": "CDN.Example",
    "cdn.example.": "cdn.example",  # looked up with its dot, told without
    "my_bucket.s3.example": "my_bucket.s3.example",
    "4chan-1.example": "4chan-1.example",
    f"{'a' * 63}.example": f"{'a' * 63}.example",
    "xn--bcher-kva.example": "xn--bcher-kva.example",
    "bücher.example": "xn--bcher-kva.example",
    "例え.テスト": "xn--r8jz45g.xn--zckzah",
    "93.184.216.34": "93.184.216.34",
    "[2606:4700::1]": "[2606:4700::1]",
}


@pytest.fixture
def everywhere(monkeypatch):
    """Every name leads to this machine; what was looked up is noted."""
    asked = []
    looked_up = socket.getaddrinfo

    def look_up(host, port, *rest, **options):
        asked.append(host)
        return looked_up("127.0.0.1", port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize("host", HOSTS)
def test_hosts_of_every_kind_are_reached(everywhere, host):
    with FakeService(media=PICTURE) as service:
        assert fetched(f"http://{host}:{service.port}/media/1.png") == PNG
        (request,) = service.requests
    assert request.headers["host"].lower() == f"{HOSTS[host].lower()}:{service.port}"
    assert everywhere[-1].lower().strip("[].") == HOSTS[host].lower().strip("[]")
    assert not is_private_literal(host.strip("[]"))


def test_a_host_of_ip_version_6_is_reached():
    try:
        service = FakeService(media=PICTURE, host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    with service:
        assert fetched(f"http://[::1]:{service.port}/media/1.png") == PNG


def test_a_chain_of_hosts_leads_to_the_file(everywhere):
    with FakeService() as service:
        hops = [
            f"http://hop-{number}.example:{service.port}/media/{number}" for number in range(download.MOST_REDIRECTS)
        ]
        service._scripts["media"] = [
            *(redirect(hop, status) for hop, status in zip(hops, [301, 302, 303, 307, 308] * 2)),
            PICTURE,
        ]
        assert fetched(f"http://first.example:{service.port}/media/x") == PNG
        service._scripts["media"] = [redirect(hops[0])]
        with pytest.raises(Unsaved, match="redirects"):
            fetched(f"http://first.example:{service.port}/media/x")


@pytest.mark.parametrize("first, then", [("http", "https"), ("https", "http")])
def test_a_link_becomes_safer_on_its_way_and_never_less_safe(tmp_path, monkeypatch, first, then):
    pair = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pair[0]))
    with FakeService(media=PICTURE, tls=pair) as safe, FakeService(media=PICTURE) as plain:
        hosts = {"https": safe, "http": plain}
        hosts[first]._scripts["media"] = [redirect(f"{hosts[then].origin}/media/1")]
        if first == "http":
            assert fetched(f"{plain.origin}/media/1") == PNG
        else:
            with pytest.raises(Unsaved, match="https to http"):
                fetched(f"{safe.origin}/media/1")
            assert plain.connections == 0


# -- what a Content-Encoding means -------------------------------------------------------------------------


ENCODED = {
    "none": PHOTO,
    "identity": PHOTO,
    "aws-chunked": PHOTO,
    "UTF-8": PHOTO,
    "utf8": PHOTO,
    "binary": PHOTO,
    "image/png": PHOTO,
    "": PHOTO,
    "gzip": gzip.compress(PHOTO),
    "GZIP": gzip.compress(PHOTO),
    "x-gzip": gzip.compress(PHOTO),
    "aws-chunked, gzip": gzip.compress(PHOTO),
    "gzip,aws-chunked": gzip.compress(PHOTO),
    "deflate": zlib.compress(PHOTO),
    "Deflate": raw_deflate(PHOTO),
    # Said of what is not packed at all.
    "gzip ": PHOTO,
    "deflate ": PHOTO,
    "br": PHOTO,
    "zstd": PHOTO,
}


@pytest.mark.parametrize("label", ENCODED)
def test_a_label_is_only_a_label_and_a_compression_is_undone(label):
    with FakeService(media=answer(200, ENCODED[label], {"Content-Encoding": label})) as host:
        assert fetched(f"{host.origin}/media/1") == PHOTO


@pytest.mark.parametrize("label", ["aws-chunked", "UTF-8", "none", "identity"])
def test_behind_a_label_a_cut_is_gone_on_with(label):
    headers = {"ETag": '"one"', "Content-Encoding": label}
    with FakeService(media=[ranged(PHOTO, headers, len(PHOTO) // 2), ranged(PHOTO, headers)]) as host:
        assert fetched(f"{host.origin}/media/1") == PHOTO
        assert host.requests[-1].headers["range"] == f"bytes={len(PHOTO) // 2}-"


# -- data: URLs ----------------------------------------------------------------------------------------------

NOISE = random.Random(3).randbytes(1000)
TEXT = base64.b64encode(NOISE).decode()
FOLDED = "\r\n ".join(TEXT[at : at + 76] for at in range(0, len(TEXT), 76))
DATA = {
    f"data:image/png;base64,{TEXT}": NOISE,
    f"DATA:image/png;BASE64,{TEXT}": NOISE,
    f"data:;base64,{TEXT}": NOISE,
    f"data:image/png;charset=utf-8;name=a.png;base64,{TEXT}": NOISE,
    f"data:image/png; base64 ,{TEXT}": NOISE,
    f"data:image/png;base64,{FOLDED}": NOISE,
    f"data:image/png;base64, {TEXT} ": NOISE,
    f"data:image/png;base64,{TEXT.rstrip('=')}": NOISE,
    f"data:image/png;base64,{TEXT.replace('+', '-').replace('/', '_').rstrip('=')}": NOISE,
    f"data:image/png;base64,{TEXT.replace('+', '%2B').replace('/', '%2f').replace('=', '%3D')}": NOISE,
    f"data:image/png;base64,{TEXT}#fragment": NOISE,
    f" \ndata:image/png;base64,{TEXT}": NOISE,
    "data:,a%20tin%20boat": b"a tin boat",
    "data:text/plain;charset=utf-8,%D0%BB%D0%BE": "ло".encode(),
    "data:text/plain,лодка": "лодка".encode(),
    "data:text/plain,a%zz%": b"a%zz%",
    "data:text/plain,boat#fragment": b"boat",
    "data:image/svg+xml;utf8,<svg fill='#fff'></svg>": b"<svg fill='#fff'></svg>",
    "data:image/svg+xml,%3Csvg%3E%3C/svg%3E": b"<svg></svg>",
}


@pytest.mark.parametrize("url", DATA, ids=lambda url: ascii(url[:50]))
def test_a_data_url_is_read_as_browsers_read_it(url):
    assert fetched(url) == DATA[url]
    for length in (1, 2, 3, 5, 64):  # whatever pieces it comes in
        _, pieces = links.data_of(url[at : at + length] for at in range(0, len(url), length))
        assert b"".join(pieces) == DATA[url]


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64",
        "data:image/png;base64,AAAAA",
        "data:image/png;base64,AA!A",
        "data:image/png;base64,AA==AAAA",
        "data:image/png;base64,%%%",
        "data:" + "x" * 10_000,
    ],
)
def test_a_broken_data_url_is_told(url):
    with pytest.raises(Unsaved, match="data: URL is broken"):
        fetched(url)


@given(some.binary(max_size=200), some.integers(1, 9))
def test_what_is_written_as_base64_comes_back(data, length):
    url = f"data:;base64,{base64.b64encode(data).decode()}"
    _, pieces = links.data_of(url[at : at + length] for at in range(0, len(url), length))
    assert b"".join(pieces) == data
