"""A document from the web: bounded, and redirected only to where the user could have meant."""

import gzip
import json

import pytest

from fake_service import FakeService, answer, dripping
from mediakit.contracts import ContractError
from mediakit.http import fetching

OPENAPI = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/a": {"post": {"responses": {}}}}}


def inspected(scripts, url: str, **env: str):
    return scripts.run("inspect_openapi.py", "--openapi", url, "--list-endpoints", env=env)


def test_a_redirect_without_end_is_followed_and_its_body_is_not_read(scripts):
    with FakeService(other=answer(200, OPENAPI)) as there:
        head = f"HTTP/1.1 302 Found\r\nLocation: {there.origin}/api.json\r\n\r\n".encode()
        with FakeService(other=dripping(head, endless=b"x")) as service:
            run = inspected(scripts, f"{service.origin}/api.json")
            assert (run.code, there.connections) == (0, 1), run.events


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/api.json",
        "http://localhost:1/api.json",
        "http://[::ffff:127.0.0.1]:1/api.json",
        "http://2130706433/api.json",
        "file:///etc/passwd",
    ],
)
def test_a_public_document_is_not_redirected_to_a_private_address(scripts, target):
    with FakeService(other=[answer(302, b"", {"Location": target}), answer(200, OPENAPI)]) as proxy:
        run = inspected(scripts, "http://documents.example/api.json", http_proxy=proxy.origin, no_proxy="")
        assert run.code != 0 and proxy.connections == 1, (run.events, proxy.requests)


def test_a_document_of_the_users_own_network_may_be_redirected_within_it(scripts):
    with FakeService(other=answer(200, OPENAPI)) as there:
        with FakeService(other=answer(301, b"", {"Location": f"{there.origin}/b.json"})) as service:
            assert inspected(scripts, f"{service.origin}/api.json").code == 0


@pytest.mark.parametrize("status, code", [(401, 21), (403, 21), (404, 23), (410, 23), (408, 24), (429, 24), (503, 24)])
def test_a_document_that_is_refused_ends_with_the_category_of_its_status(scripts, status, code):
    with FakeService(other=answer(status, {"message": "no"})) as service:
        run = inspected(scripts, f"{service.origin}/api.json")
        assert (run.code, service.connections) == (code, 1) and str(status) in run.result["message"], run.events


def test_a_document_is_not_redirected_to_a_file(scripts):
    with FakeService(other=answer(302, b"", {"Location": "file:///etc/passwd"})) as service:
        assert inspected(scripts, f"{service.origin}/api.json").result["error"] == "reference_forbidden"


def test_a_document_that_was_compressed_is_read(scripts):
    packed = gzip.compress(json.dumps(OPENAPI).encode())
    with FakeService(other=answer(200, packed, {"Content-Encoding": "gzip"})) as service:
        assert inspected(scripts, f"{service.origin}/api.json").code == 0


@pytest.mark.parametrize("levels, word", [(1, "gzip"), (2, "gzip, gzip")])
def test_a_document_that_grows_without_measure_is_refused(scripts, levels, word):
    packed = b" " * (fetching.MAX_BYTES + 1)
    for _ in range(levels):
        packed = gzip.compress(packed, 1)
    with FakeService(other=answer(200, packed, {"Content-Encoding": word})) as service:
        run = inspected(scripts, f"{service.origin}/api.json")
        assert run.result["error"] in ("document_too_large", "document_unreachable"), run.events


def test_a_document_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr(fetching, "LONGEST", 0.5)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    with FakeService(other=dripping(head, b"{", endless=b" ")) as service:
        with pytest.raises(ContractError) as problem:
            fetching.Fetcher()(f"{service.origin}/api.json")
        assert problem.value.code == "document_unreachable"


@pytest.mark.parametrize(
    "named, url, address, allowed",
    [
        ("93.184.215.14", "http://a.example/", "93.184.215.14", True),
        ("93.184.215.14", "http://a.example/", "10.0.0.1", False),
        ("93.184.215.14", "http://a.example/", "169.254.169.254", False),
        ("10.0.0.1", "http://a.example/", "10.0.0.2", True),
        ("10.0.0.1", "http://a.example/", "93.184.215.14", True),
        ("10.0.0.1", "http://a.example/", "169.254.169.254", False),
    ],
)
def test_later_addresses_are_of_the_kind_that_the_user_named(named, url, address, allowed):
    reach = fetching._Reach()
    assert reach.check(url)(named)
    assert reach.check(url)(address) is allowed
