"""The official clients of other services against the sandbox: clients that nobody here wrote must find it right."""

from __future__ import annotations

import pytest
from clients import CLIENTS, is_installed
from recorded import TABLE, section

from mediakit.sandbox import Sandbox, media
from mediakit.services import providers

SIGNATURES = {b"\x89PNG": "image/png", b"\x00\x00\x00 ": "video/mp4", b"RIFF": "audio/wav"}


@pytest.fixture(params=CLIENTS)
def service(request):
    if not is_installed(request.param):
        pytest.skip(f"{CLIENTS[request.param][0]} is not installed: tests/requirements-sdks.txt")
    return request.param


@pytest.fixture
def server(service):
    with Sandbox(None, service) as found:
        yield found


@pytest.fixture
def client(service, server):
    return CLIENTS[service][1](server.url, providers.load(service).base_path)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "boat.png"
    path.write_bytes(media.render("image", {"prompt": "a boat"}, 1))
    return str(path)


def test_a_job_is_made_waited_for_and_downloaded(client, server):
    content = client.download(client.create())
    assert content[:4] in SIGNATURES
    assert len(server.store.newest(10)) == 1


def test_a_job_is_canceled(client, service, server):
    if providers.load(service).job.cancel is None:
        assert client.cancel() is None
        return
    assert "cancel" in client.cancel().lower()


def test_a_file_is_uploaded_whole(client, server, picture):
    assert client.upload(picture)
    with open(picture, "rb") as file:
        content = file.read()
    assert content in [record.content for record in server.store.records("file", 10)]


def test_what_there_is_is_listed(client):
    client.create()
    listed = client.listed()
    assert listed is None or listed


def test_what_else_a_client_makes_is_what_it_says(client, picture, tmp_path):
    if hasattr(client, "speak"):
        assert client.speak()[:4] == b"RIFF"
    if hasattr(client, "hear"):
        path = tmp_path / "boat.wav"
        path.write_bytes(media.render("audio", {}, 1))
        assert "boat" in client.hear(str(path))
    if hasattr(client, "picture"):
        assert client.picture()[:4] == b"\x89PNG"


@pytest.mark.parametrize("fault", ["create-401", "create-402", "create-404"])
def test_a_refusal_is_an_error_of_the_client(client, server, fault):
    with pytest.raises(Exception) as caught:
        client.create(f"a tin boat fault:{fault}")
    refused = providers.load(server.service).examples["refused"][fault[-3:]]
    status = refused.get("http", int(fault[-3:]))
    told = vars(caught.value)
    assert str(status) in str([*map(str, told.values()), caught.value, getattr(caught.value, "response", "")])
    assert server.store.newest(1) == []


def test_a_wrong_key_is_refused(service, server, monkeypatch):
    import clients

    monkeypatch.setattr(clients, "KEY", "bad_key")
    with pytest.raises(Exception):  # noqa: B017 (each client has its own)
        CLIENTS[service][1](server.url, providers.load(service).base_path).create()
    assert server.store.newest(1) == []


def test_the_recorded_table_is_what_is_sent(service):
    assert section(service) in TABLE.read_text(encoding="utf-8")
