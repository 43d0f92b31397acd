"""Local files, standard input, addresses and earlier jobs as inputs: what arrives, and what is never sent."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import (
    KEY,
    MP4,
    PATIENCE,
    SCRIPTS,
    Run,
    posts,
)
from fake_program import FakeProgram
from fake_service import FakeService, answer, dripping, reset
from mediakit.base import errors
from mediakit.http import bodies
from mediakit.sandbox import Sandbox, forms
from mediakit.services import catalogue, model_contract, payloads, providers

SERVICES = ("skills-video", "modellix", "image-skill")
KEYS = {"SKILLS_VIDEO_API_KEY": KEY, "MODELLIX_API_KEY": KEY, "IMAGE_SKILL_TOKEN": KEY}
needs_posix = pytest.mark.skipif(os.name == "nt", reason="there are no such files on Windows")


def picture(width: int = 400, height: int = 400, form: str = "PNG", color=(200, 30, 30)) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (width, height), color).save(file, form)
    return file.getvalue()


def sound() -> bytes:
    import wave

    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((1, 2, 8000, 0, "NONE", ""))
        wav.writeframes(bytes(range(256)) * 64)
    return file.getvalue()


MEDIA = {"image": picture(), "video": MP4, "audio": sound()}
ENDINGS = {"image": "png", "video": "mp4", "audio": "wav"}


@pytest.fixture
def files(tmp_path):
    """A file of each kind in the working directory."""
    for kind, content in MEDIA.items():
        (tmp_path / f"{kind}.{ENDINGS[kind]}").write_bytes(content)
    return tmp_path


@contextmanager
def speaking(service: str, folder=None):
    with Sandbox(folder, service) as server:
        server.base_url = server.url + providers.load(service).base_path
        yield server


def create(scripts, service: str, base_url: str, *arguments: str, **options) -> Run:
    """A create on the real service's own descriptor, at an address of the test's."""
    where = ("--provider", service, "--base-url", base_url)
    env = {**KEYS, **(options.pop("env", None) or {})}
    return scripts.run("create_and_wait.py", *where, *arguments, env=env, **options)


# -- what is no usable file ------------------------------------------------------------------------------

GROK = ("--model", "xai/grok-imagine-image", "--prompt", "x")  # image_url takes one picture
WAN = ("--model", "wan/wan-v2.7", "--prompt", "x")  # at most four pictures of at least 384 pixels a side


def make_nothing(path):
    pass


def make_link(path):
    path.symlink_to(path.parent / "nowhere.png")


def make_fifo(path):
    os.mkfifo(path)


def make_socket(path):
    listener = socket.socket(socket.AF_UNIX)
    os.chdir(path.parent)  # the name of a socket is short
    listener.bind(path.name)
    listener.close()


def make_unreadable(path):
    path.write_bytes(picture())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user can read everything")


def written(content: bytes):
    return lambda path: path.write_bytes(content)


# what is at ./input.png -> exit code, words of the message
BAD_FILES = {
    "nothing": (make_nothing, 2, "no such file"),
    "a folder": (lambda path: path.mkdir(), 2, "folder"),
    "a broken link": (make_link, 2, "link that leads nowhere"),
    "a pipe": (make_fifo, 2, "pipe"),
    "a socket": (make_socket, 2, "socket"),
    "an unreadable file": (make_unreadable, 2, "cannot be read"),
    "an empty file": (written(b""), 2, "empty"),
    "text": (written(b"a tin boat at dusk"), 22, "holds text"),
    "a page": (written(b"<!doctype html><p>Not found"), 22, "HTML page"),
    "a video": (written(MP4), 22, "video/mp4; expected a picture"),
    "a sound": (written(sound()), 22, "audio/wav; expected a picture"),
}
UNIX_ONLY = ("a broken link", "a pipe", "a socket", "an unreadable file")


@pytest.mark.parametrize(
    "make, code, words", [pytest.param(*BAD_FILES[name], marks=needs_posix if name in UNIX_ONLY else (), id=name) for name in BAD_FILES]
)  # fmt: skip
def test_a_file_that_cannot_be_an_input_is_told_and_nothing_is_sent(scripts, sandbox, tmp_path, monkeypatch, make, code, words):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "input.png")
    run = create(scripts, "skills-video", sandbox.url + "/api/v1", *GROK, "--input", "image=input.png")
    assert (run.code, run.result["field"], run.result["outcome"]) == (code, "--input", "not_sent"), run.result
    assert words in run.result["message"] and "image_url" in run.result["message"]
    assert len(sandbox.requests) == 0
    assert scripts.run("jobs.py", "list").result["jobs"] == 0


@needs_posix
def test_a_device_is_no_file(scripts, sandbox):
    run = create(scripts, "skills-video", sandbox.url + "/api/v1", *GROK, "--input", "image=/dev/zero")
    assert (run.code, run.result["field"]) == (2, "--input") and "device" in run.result["message"]


def cut_video() -> bytes:
    return MP4[: len(MP4) // 2]


# service, model, the field, file -> words of the refusal
BEYOND_LIMITS = {
    "broken": ("skills-video", "runwayml/gen4-aleph", "video", cut_video(), "broken"),
    "cut": ("skills-video", "xai/grok-imagine-image", "image", picture()[:-20], "it ends in the middle"),
    "small": ("skills-video", "wan/wan-v2.7", "image", picture(383, 400), "383x400 pixels; each side must have at least 384"),
    "type of a field": ("skills-video", "black-forest-labs/kontext", "image", picture(form="TIFF"), "image/tiff; taken are image/jpeg"),
    "type of a service": ("modellix", "google/nano-banana-edit", "image", picture(form="GIF"), "image/gif; taken are image/png"),
    "size of a service": ("modellix", "google/nano-banana-edit", "image", None, "at most 16777216 are taken"),
    "ratio of a role": ("image-skill", "fal.kling-image-o3-image-to-image", "element_frontal", picture(1000, 390), "from 0.4 to 2.5"),
    "side of a role": ("image-skill", "fal.kling-image-o3-image-to-image", "element_frontal", picture(299, 299), "at least 300"),
}  # fmt: skip


def large_picture(path) -> None:
    """A whole PNG whose pixels do not compress."""
    from PIL import Image

    Image.frombytes("RGB", (2500, 2500), os.urandom(2500 * 2500 * 3)).save(path, "PNG")


@pytest.mark.parametrize("service, model, field, content, words", BEYOND_LIMITS.values(), ids=BEYOND_LIMITS)
def test_a_file_beyond_a_stated_limit_is_refused_before_anything_is_sent(scripts, tmp_path, service, model, field, content, words):  # fmt: skip
    if content is None:
        large_picture(tmp_path / "input")
    else:
        (tmp_path / "input").write_bytes(content)
    (tmp_path / "first.png").write_bytes(picture())
    first = ["--input", "input_asset_id=first.png"] if service == "image-skill" else []
    with speaking(service) as server:
        run = create(
            scripts, service, server.base_url, "--model", model, "--prompt", "x", *first, "--input", f"{field}=input"
        )
        assert (run.code, run.result["error"]) == (22, "input_refused"), run.result
        assert words in run.result["message"] and run.result["problems"][0]["path"]
        assert len(server.requests) == 0


@pytest.mark.parametrize("content", [picture(30, 30), b"a tin boat", MP4, picture()[:-20]])
def test_unchecked_every_file_passes(scripts, sandbox, tmp_path, content):
    (tmp_path / "input.png").write_bytes(content)
    base = sandbox.url + "/api/v1"
    run = create(scripts, "skills-video", base, *WAN, "--no-validate", "--input", "image=input.png")
    assert run.code == 0 and len(last_input(sandbox)["image_urls"]) == 1, run.events


@pytest.mark.parametrize("model", [GROK, WAN], ids=["without limits", "with limits"])
@pytest.mark.parametrize("name", ["input.png", "input.xyz", "input"])
def test_a_file_of_a_format_that_nobody_here_knows_passes_with_a_warning(scripts, sandbox, tmp_path, model, name):
    (tmp_path / name).write_bytes(bytes(range(128, 256)))
    run = create(scripts, "skills-video", sandbox.url + "/api/v1", *model, "--input", f"image={name}")
    assert run.code == 0 and run.first("warning")["code"] == "unknown_format", run.events
    assert name in run.first("warning")["message"]


def test_a_wav_that_was_written_to_a_pipe_is_a_sound(scripts, sandbox, tmp_path):
    whole = bytearray(sound())
    whole[4:8] = whole[whole.index(b"data") + 4 : whole.index(b"data") + 8] = struct.pack("<I", 0x7FFFF000)
    (tmp_path / "piped.wav").write_bytes(whole)
    arguments = ("--model", "lightricks/ltx-2.3/audio-to-video", "--prompt", "x", "--input", "audio=piped.wav")
    run = create(scripts, "skills-video", sandbox.url + "/api/v1", *arguments, "--dry-run")
    assert run.code == 0 and '"media_type":"audio/wav"' in run.stdout.decode().replace(" ", ""), run.events


def test_more_files_than_a_field_takes_are_refused_by_the_contract(scripts, sandbox, files):
    five = [word for _ in range(5) for word in ("--input", "image=image.png")]
    run = create(scripts, "skills-video", sandbox.url + "/api/v1", *WAN, *five)
    assert (run.code, run.result["error"]) == (22, "payload_invalid")
    assert run.result["problems"][0]["path"].startswith("image_urls") and len(sandbox.requests) == 0


@pytest.mark.parametrize(
    "given, words",
    [
        ("ftp://example.com/a.png", "http"),
        ("file:///etc/passwd", "http"),
        ("job:latest", "key of a job"),
        ("", "folder"),
    ],
)
def test_what_is_neither_file_nor_address_is_told(scripts, sandbox, given, words):
    run = create(scripts, "skills-video", sandbox.url + "/api/v1", *GROK, "--input", f"image={given}")
    assert (run.code, run.result["field"]) == (2, "--input") and words in run.result["message"], run.result


def test_only_one_flag_reads_standard_input(scripts, sandbox):
    run = create(scripts, "skills-video", sandbox.url + "/api/v1", *WAN, "--input", "image=-", "--input", "image=-")
    assert run.code == 2 and "standard input" in run.result["message"]


# -- the round trip ---------------------------------------------------------------------------------------


def kind_of(task: str) -> str:
    return {"i": "image", "v": "video", "s": "audio"}[task[0]]


def field_for(service: str, model: str, kind: str) -> str | None:
    """The first field of a model's contract that takes a kind."""
    contract = model_contract.of_model(service, model)
    rows = contract.fields() if contract else []
    return next((row["name"] for row in rows if row.get("takes_file") == kind), None)


def round_trips() -> list[tuple[str, str, str, str]]:
    """For each task of each service that takes a file: the first model whose contract has a field for it."""
    found = []
    for service in SERVICES:
        for task in catalogue.defaults(service):
            if task[0] == "t":
                continue
            models = [entry["model"] for entry in catalogue.models(service) if task in entry.get("tasks", ())]
            fields = {model: field_for(service, model, kind_of(task)) for model in models}
            model = next(model for model in models if fields[model])
            found.append((service, task, model, fields[model]))
    return found


ROUND_TRIPS = round_trips()


def test_every_task_that_takes_a_file_makes_the_round_trip():
    assert {(service, task) for service, task, _, _ in ROUND_TRIPS} == {
        (service, task) for service in SERVICES for task in catalogue.defaults(service) if task[0] in "ivs"
    }


def arrived(server, value) -> bytes:
    """The bytes that a value of a request leads to at the sandbox."""
    last = value.rpartition("/m/")[2].partition("/")[0]
    return server.store.record("file", last).content


def last_input(server) -> dict:
    return server.store.newest(1)[0].input


def rest_of(service: str, model: str, field: str) -> list[str]:
    """What else a model's contract needs."""
    contract = model_contract.of_model(service, model)
    template = contract.template()[0] if contract else {}
    rows = {row["name"]: row for row in contract.fields()}
    needed = [name for name in template if rows.get(name, {}).get("required") and name not in (field, "model")]
    media = [name for name in needed if rows[name].get("takes_file")]
    values = {name: f"https://example.com/{name}" for name in media}
    values |= {
        name: "a tin boat" if rows[name]["type"] == "string" else template[name] for name in needed if name not in media
    }
    if "prompt" in rows and service == "image-skill" and "image-to-3d" not in model:
        values["prompt"] = "a tin boat"
    return [word for name, value in values.items() for word in ("--param", f"{name}={json.dumps(value)}")]


@pytest.mark.parametrize("service, task, model, field", ROUND_TRIPS, ids=[f"{row[0]}-{row[1]}" for row in ROUND_TRIPS])
def test_the_bytes_of_a_file_arrive_as_they_are(scripts, files, service, task, model, field):
    kind = kind_of(task)
    with speaking(service) as server:
        run = create(
            scripts, service, server.base_url, "--model", model, "--task", task, *rest_of(service, model, field),
            "--input", f"{field}={kind}.{ENDINGS[kind]}", "--accept-unknown-cost",
        )  # fmt: skip
        assert run.code == 0, run.events
        value = last_input(server)[field]
        assert arrived(server, value[0] if isinstance(value, list) else value) == MEDIA[kind]
        sent = [exchange for exchange in server.exchanges if exchange.method == "POST"]
        assert all(exchange.headers["authorization"] == "Bearer [redacted]" for exchange in sent)
        assert all(b"image.png" not in exchange.body for exchange in sent), "the user's own name for it"


def test_files_and_addresses_of_a_list_keep_their_order_and_other_fields_their_types(scripts, sandbox, files):
    (files / "b").write_bytes(picture(form="JPEG", color=(1, 2, 3)))
    run = create(
        scripts, "skills-video", sandbox.url + "/api/v1", "--model", "wan/wan-v2.7", "--prompt", 'say "é\r\nñ"',
        "--param", "seed=7", "--param", "num_images=2", "--input", "image=image.png",
        "--input", "image_urls=https://example.com/x.png", "--input", "image=b",
    )  # fmt: skip
    assert run.code == 0, run.events
    body = last_input(sandbox)
    first, second, third = body.pop("image_urls")
    assert arrived(sandbox, first) == MEDIA["image"] and second == "https://example.com/x.png"
    assert arrived(sandbox, third) == (files / "b").read_bytes() and third.endswith(".jpg")
    assert body == {"prompt": 'say "é\r\nñ"', "seed": 7, "num_images": 2}


def test_a_file_may_come_over_standard_input(scripts, sandbox):
    run = create(scripts, "skills-video", sandbox.url + "/api/v1", *GROK, "--input", "image=-", stdin=MEDIA["image"])
    assert run.code == 0, run.events
    assert arrived(sandbox, last_input(sandbox)["image_url"]) == MEDIA["image"]
    assert json.loads(_payload(scripts, run))["image_url"]["file"] == "standard input"


@pytest.mark.parametrize("service", SERVICES)
def test_the_embedded_sandbox_takes_files_on_every_contract(scripts, files, service):
    task = ("--task", "i2i") if service != "modellix" else ("--model", "google/nano-banana-edit")
    run = scripts.run(
        "create_and_wait.py", "--provider", "sandbox", "--as", service, *task, "--prompt", "x",
        "--input", "image=image.png", "--output-dir", "out",
    )  # fmt: skip
    assert run.code == 0, run.events


def test_references_are_numbered_by_their_roles(scripts, files):
    with speaking("image-skill") as server:
        run = create(
            scripts, "image-skill", server.base_url, "--model", "fal.kling-image-o3-image-to-image", "--prompt", "x",
            "--input", "image=image.png", *(word for role in ("element_frontal", "element_reference", "element_reference", "element_frontal") for word in ("--input", f"{role}=image.png")),
            "--accept-unknown-cost",
        )  # fmt: skip
        assert run.code == 0, run.events
        numbers = [(one["role"], one["index"], one.get("reference_index")) for one in last_input(server)["references"]]
        assert numbers == [
            ("element_frontal", 0, None), ("element_reference", 0, 0), ("element_reference", 0, 1), ("element_frontal", 1, None),
        ]  # fmt: skip
        assert sum(path.endswith("/upload") for _, path in server.requests.copy()) == 1, (
            "the same bytes are brought once"
        )


# -- a plan, and what is written down ---------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
def test_a_dry_run_shows_the_file_and_sends_nothing(scripts, files, service):
    model = {"skills-video": "z-image/z-image", "modellix": "google/nano-banana-edit", "image-skill": "fal.flux-pro-kontext"}[service]  # fmt: skip
    with speaking(service) as server:
        run = create(
            scripts,
            service,
            server.base_url,
            "--model",
            model,
            "--prompt",
            "x",
            "--input",
            "image=image.png",
            "--dry-run",
        )
        assert run.code == 0 and len(server.requests) == 0, run.events
    request = run.result["request"]
    assert request["content_type"] == ("multipart/form-data" if service == "skills-video" else "application/json")
    field = field_for(service, model, "image")
    shown = request["body"][field]
    assert (shown[0] if isinstance(shown, list) else shown) == {
        "file": "image.png",
        "sha256": hashlib.sha256(MEDIA["image"]).hexdigest(),
        "bytes": len(MEDIA["image"]),
        "media_type": "image/png",
    }
    if service == "skills-video":
        assert f'{field}=@"' in run.result["curl"] and "image.png" in run.result["curl"]
    else:
        assert "curl" not in run.result


def _payload(scripts, run: Run) -> str:
    return json.dumps(scripts.run("jobs.py", "show", run.job).result["payload"])


@pytest.mark.parametrize("service, model", [("skills-video", "z-image/z-image"), ("modellix", "google/nano-banana-edit"), ("image-skill", "fal.flux-pro-kontext")])  # fmt: skip
def test_the_ledger_keeps_a_note_and_the_same_bytes_are_the_same_purchase(scripts, files, service, model):
    with speaking(service) as server:

        def again(path: str) -> Run:
            return create(
                scripts, service, server.base_url, "--model", model, "--prompt", "x fault:job-slow" if service != "image-skill" else "x",
                "--input", f"image={path}", "--no-wait", "--accept-unknown-cost",
            )  # fmt: skip

        first = again("image.png")
        assert first.code == 0, first.events
        note = json.loads(_payload(scripts, first))[field_for(service, model, "image")]
        note = note[0] if isinstance(note, list) else note
        assert note == {"file": "image.png", "sha256": hashlib.sha256(MEDIA["image"]).hexdigest()}
        before = posts(server)
        if service != "image-skill":  # which answers when it is done, and so is delivered at once
            (files / "another-name").write_bytes(MEDIA["image"])
            same = again("another-name")
            assert same.first("resumed")["generation_id"] == first.result["generation_id"]
            assert posts(server) == before, "nothing was uploaded or bought"
        (files / "image.png").write_bytes(picture(color=(9, 9, 9)))
        other = again("image.png")
        assert other.code == 0 and "resumed" not in other.names
        assert other.result["generation_id"] != first.result["generation_id"]


def test_a_result_is_made_again_with_the_file_given_again(scripts, sandbox, files):
    base = sandbox.url + "/api/v1"
    first = create(scripts, "skills-video", base, *WAN, "--input", "image=image.png", "--output-dir", "out")
    record = first.first("asset")["path"] + ".json"
    told = json.loads((files / record).read_text(encoding="utf-8"))["payload"]["image_urls"]
    assert told == [{"file": "image.png", "sha256": hashlib.sha256(MEDIA["image"]).hexdigest()}]
    refused = create(scripts, "skills-video", base, "--from", str(record))
    assert refused.code == 2 and "image_urls" in refused.result["message"], refused.result
    again = create(scripts, "skills-video", base, "--from", str(record), "--input", "image_urls=image.png")
    assert again.code == 0 and arrived(sandbox, last_input(sandbox)["image_urls"][0]) == MEDIA["image"]


# -- uploads ----------------------------------------------------------------------------------------------

UPLOADS = {
    "modellix": ("google/nano-banana-edit", "/media/files"),
    "image-skill": ("fal.flux-pro-kontext", "/upload"),
}


def bought(scripts, service: str, base_url: str, *arguments: str, **options) -> Run:
    model = UPLOADS[service][0]
    return create(
        scripts, service, base_url, "--model", model, "--prompt", "x", "--accept-unknown-cost", *arguments, **options
    )


@pytest.mark.parametrize("service", UPLOADS)
def test_an_upload_is_not_repeated_while_it_lives(scripts, files, service):
    with speaking(service) as server:

        def uploads() -> int:
            return sum(
                method == "POST" and path.endswith(UPLOADS[service][1]) for method, path in server.requests.copy()
            )

        for number in (1, 2):
            run = bought(scripts, service, server.base_url, "--input", "image=image.png", "--intent", f"i{number}")
            assert run.code == 0 and run.first("uploaded")["reused"] is (number == 2), run.events
        assert uploads() == 1
        for record in server.store.records("file", 10):
            server.store.forget("file", record.id)
        run = bought(scripts, service, server.base_url, "--input", "image=image.png", "--intent", "i3")
        assert run.code == 0 and run.first("uploaded")["reused"] is False
        assert uploads() == 2
        other = dict.fromkeys(KEYS, "your_other_key_here")
        run = bought(scripts, service, server.base_url, "--input", "image=image.png", "--intent", "i4", env=other)
        assert run.first("uploaded")["reused"] is False, "another account has its own files"


@pytest.mark.parametrize("service", UPLOADS)
def test_copies_share_one_upload(scripts, files, service):
    with speaking(service) as server:
        run = bought(scripts, service, server.base_url, "--input", "image=image.png", "--copies", "3")
        assert run.code == 0 and run.names.count("uploaded") == 1, run.events
        assert len(server.store.records("file", 10)) == 1


LIMIT = "x" * 5000
# the answer to an upload, for a service whose files have URLs, and one whose files have ids
HOSTILE_ANSWERS = {
    "no url": ({"data": {"file_id": "f"}}, {"data": {"asset": {}}}),
    "no text": ({"data": {"url": 5}}, {"data": {"asset": {"asset_id": ["image_1"]}}}),
    "a list": ([], []),
    "a private url": ({"data": {"url": "http://10.0.0.1/a.png"}}, {"data": {"asset": {"asset_id": "../jobs/1"}}}),
    "the cloud's": ({"data": {"url": "http://169.254.169.254/a"}}, {"data": {"asset": {"asset_id": "image_1\n"}}}),
    "a file": ({"data": {"url": "file:///etc/passwd"}}, {"data": {"asset": {"asset_id": "file:///etc/passwd"}}}),
    "a password": ({"data": {"url": "https://u:p@example.com/a"}}, {"data": {"asset": {"asset_id": "image_"}}}),
    "control characters": ({"data": {"url": "https://example.com/\x1b[2J"}}, {"data": {"asset": {"asset_id": "image_\x1b"}}}),
    "half a letter": ({"data": {"url": "https://example.com/\ud800"}}, {"data": {"asset": {"asset_id": "image_\ud800"}}}),
    "endless": ({"data": {"url": f"https://example.com/{LIMIT}"}}, {"data": {"asset": {"asset_id": f"image_{LIMIT}"}}}),
}  # fmt: skip


@pytest.mark.parametrize("service", UPLOADS)
@pytest.mark.parametrize("case", HOSTILE_ANSWERS)
def test_a_hostile_answer_to_an_upload_buys_nothing(scripts, files, service, case):
    body = HOSTILE_ANSWERS[case][list(UPLOADS).index(service)]
    with FakeService(create=answer(200, body)) as server:
        base_url = server.origin + providers.load(service).base_path
        run = bought(scripts, service, base_url, "--input", "image=image.png")
        assert (run.code, run.result["error"], run.result["outcome"]) == (25, "upload_failed", "not_sent"), run.result
        assert [request.path.endswith(UPLOADS[service][1]) for request in server.requests] == [True]
    assert scripts.run("jobs.py", "list", "--undelivered").result["jobs"] == 0


# the answers to an upload -> exit code, how often it is sent
FAILING_UPLOADS = {
    "refused": ([answer(422, {"message": "not allowed"})], 22, 1),
    "key": ([answer(401, {"message": "wrong key"})], 21, 1),
    "down": ([answer(503, {"message": "down"})], 24, 4),
    "cut": ([reset], 24, 4),
    "redirect": ([answer(307, {}, {"Location": "http://127.0.0.1:1/x"})], 25, 1),
}


@pytest.mark.parametrize("answers, code, times", FAILING_UPLOADS.values(), ids=FAILING_UPLOADS)
def test_an_upload_that_fails_is_tried_again_only_where_that_helps(scripts, files, answers, code, times):
    with FakeService(create=answers) as server:
        run = bought(scripts, "modellix", server.base_url, "--input", "image=image.png")
        assert (run.code, run.result["error"], run.result["outcome"]) == (code, "upload_failed", "not_sent"), run.result
        assert server.posts() == times and all("/media/files" in request.path for request in server.requests.copy())
        # The same cause again is told once, then every 15 s.
        assert run.names.count("retry") == min(times - 1, 1)
    assert KEY not in run.stdout.decode()


TASK_DONE = answer(
    200,
    {
        "code": 0,
        "data": {
            "status": "success",
            "task_id": "task-1",
            "result": {"resources": [{"url": "https://media.invalid/1.png"}]},
        },
    },
)


def test_an_upload_goes_on_after_a_passing_fault(scripts, files):
    file = answer(200, {"data": {"url": "https://example.com/a.png"}})
    with FakeService(create=[answer(503, {"message": "down"}), file, TASK_DONE], other=TASK_DONE) as server:
        run = bought(scripts, "modellix", server.base_url, "--input", "image=image.png")
        assert run.code == 0 and run.first("retry")["what"] == "upload", run.events
        assert json.loads(server.requests[2].body)["image"] == ["https://example.com/a.png"]
        form = server.requests[1]
        assert forms.file_of(form.headers["content-type"], form.body, "file").content == MEDIA["image"]
        assert int(form.headers["content-length"]) == len(form.body)


def test_an_upload_that_a_refused_request_named_is_made_anew(scripts, files):
    refusal = answer(422, {"code": 422, "message": "the file has expired"})
    with FakeService(media=answer(200, b"x"), other=TASK_DONE) as server:
        file = answer(200, {"data": {"url": f"{server.origin}/media/a.png"}})
        server._scripts["create"] = [file, TASK_DONE, refusal, file, TASK_DONE]
        codes, reused = [], []
        for number in (1, 2, 3):
            run = bought(scripts, "modellix", server.base_url, "--input", "image=image.png", "--intent", f"i{number}")
            codes.append(run.code)
            reused.append(run.first("uploaded")["reused"])
        assert (codes, reused) == ([0, 22, 0], [False, True, False])


def test_a_file_goes_up_over_http_where_the_job_goes_through_the_services_own_program(scripts, files):
    fake = FakeProgram(files / "bin", create="(FOLDER / 'given').write_bytes(sys.stdin.buffer.read())\nsay(ANSWER)")
    with FakeService(create=answer(200, {"data": {"url": "https://example.com/a.png"}})) as server:
        flags = ("--transport", "cli", "--input", "image=image.png")
        run = bought(scripts, "modellix", server.base_url, *flags, env=fake.environment)
        assert run.code == 0 and server.posts() == 1, run.events
    assert json.loads((fake.folder / "given").read_bytes())["image"] == ["https://example.com/a.png"]


def test_a_deadline_ends_an_upload_before_anything_is_bought(scripts, files):
    with FakeService(create=lambda exchange: exchange.hold()) as server:
        run = bought(scripts, "modellix", server.base_url, "--input", "image=image.png", "--deadline", "3")
        assert (run.code, run.result["outcome"]) == (24, "not_sent") and server.posts() >= 1
        assert all("/media/files" in request.path for request in server.requests.copy())


@needs_posix
def test_a_signal_ends_an_upload_and_nothing_is_bought(scripts, files):
    with FakeService(create=lambda exchange: exchange.hold()) as server:
        process = scripts.start(
            "create_and_wait.py", "--provider", "modellix", "--base-url", server.base_url, "--model",
            UPLOADS["modellix"][0], "--prompt", "x", "--input", "image=image.png", env=KEYS,
        )  # fmt: skip
        server.wait_for("POST")
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=PATIENCE)
        run = Run(process.returncode, stdout, stderr)
        assert (run.code, run.result["event"]) == (130, "interrupted") and server.posts() == 1
        assert run.result.get("outcome") == "not_sent", run.result
    assert scripts.run("jobs.py", "list", "--undelivered").result["jobs"] == 0


def test_a_trace_holds_neither_the_key_nor_the_bytes(scripts, files):
    with speaking("modellix") as server:
        run = bought(scripts, "modellix", server.base_url, "--input", "image=image.png", "--trace", "trace")
        assert run.code == 0
    told = (files / "trace").read_bytes()
    assert b"/media/files" in told and hashlib.sha256(MEDIA["image"]).hexdigest().encode() in told
    assert KEY.encode() not in told and MEDIA["image"][:8] not in told


# -- addresses for a service that takes none ---------------------------------------------------------------


def test_an_address_is_fetched_and_uploaded_where_only_assets_are_taken(scripts, files):
    with speaking("image-skill") as server:
        kept = server.store.keep(
            "file", "image_at_home", {"media_type": "image/png", "filename": "a.png"}, picture(500)
        )
        url = f"{server.url}/m/{kept.id}/a.png?signature=secret"
        run = bought(scripts, "image-skill", server.base_url, "--input", f"image={url}")
        assert run.code == 0, run.events
        assert arrived(server, last_input(server)["input_asset_id"]) == kept.content
        sent = next(json.loads(one.body) for one in server.exchanges if one.path.endswith("/upload"))
        assert (sent["source_kind"], sent["remote_origin"]) == ("remote_url", server.url)
        assert "secret" not in json.dumps(sent)


def test_an_asset_id_stays_as_it_is(scripts):
    with speaking("image-skill") as server:
        server.store.keep("file", "image_own", {"media_type": "image/png", "filename": "a", "job_id": "j"}, picture())
        run = bought(scripts, "image-skill", server.base_url, "--input", "image=image_own")
        assert run.code == 0 and last_input(server)["input_asset_id"] == "image_own", run.events
        assert not any(path.endswith("/upload") for _, path in server.requests.copy())


@pytest.mark.parametrize(
    "url", ["http://127.0.0.2/a.png", "http://169.254.169.254/a.png", "http://[::1]/a.png", "http://2130706433/a.png"]
)
def test_a_private_address_is_never_fetched(scripts, url):
    with speaking("image-skill") as server:
        run = bought(scripts, "image-skill", server.base_url, "--input", f"image={url}")
        assert (run.code, run.result["error"]) == (22, "input_refused") and "private" in run.result["message"]
        assert posts(server) == 0


def test_an_address_that_never_ends_is_given_up_in_time(scripts):
    with (
        speaking("image-skill") as server,
        FakeService(media=dripping(b"HTTP/1.1 200 OK\r\n\r\n", endless=b"x")) as slow,
    ):
        # Where private addresses are allowed, a host that drips is the next thing that can go wrong.
        run = bought(
            scripts, "image-skill", server.base_url, "--input", f"image={slow.origin}/media/a.png",
            "--allow-private-network", "--deadline", "4",
        )  # fmt: skip
        assert (run.code, run.result["error"], run.result["retryable"]) == (24, "upload_failed", True), run.result
        assert posts(server) == 0


def test_what_an_address_leads_to_is_checked_like_a_file(scripts):
    with speaking("image-skill") as server:
        kept = server.store.keep("file", "image_no", {"media_type": "image/png", "filename": "a"}, b"<html>Not found")
        run = bought(scripts, "image-skill", server.base_url, "--input", f"image={server.url}/m/{kept.id}/a.png")
        assert (run.code, run.result["error"]) == (22, "input_refused") and posts(server) == 0


# -- the output of an earlier job --------------------------------------------------------------------------


def made(scripts, server, *flags: str) -> Run:
    run = create(
        scripts, "skills-video", server.url + "/api/v1", "--model", "z-image/z-image", "--prompt", "first", *flags
    )
    assert run.code == 0, run.events
    return run


def used(scripts, base_url: str, job: str, *flags: str) -> Run:
    return create(scripts, "skills-video", base_url, *GROK, "--input", f"image=job:{job}", *flags)


def test_an_earlier_job_is_taken_by_its_link_while_that_lives(scripts, sandbox):
    first = made(scripts, sandbox)
    run = used(scripts, sandbox.url + "/api/v1", first.job)
    assert run.code == 0 and last_input(sandbox)["image_url"] == first.result["outputs"][0]["url"], run.events
    assert json.loads(_payload(scripts, run))["image_url"] == {"job": first.job, "output": 1}


def test_an_earlier_job_is_taken_from_disk_when_its_link_is_gone(scripts, sandbox):
    first = made(scripts, sandbox, "--output-dir", "out")
    path = first.first("asset")["path"]
    with speaking("skills-video") as other:  # which does not know the job
        run = used(scripts, other.base_url, first.job, "--no-wait")
        assert run.code == 0, run.events
        with open(path, "rb") as file:
            assert arrived(other, last_input(other)["image_url"]) == file.read()


@pytest.mark.parametrize("harm", ["changed", "removed"])
def test_an_earlier_job_that_is_gone_everywhere_is_told(scripts, sandbox, harm):
    first = made(scripts, sandbox, "--output-dir", "out")
    path = first.first("asset")["path"]
    os.remove(path)
    if harm == "changed":
        with open(path, "wb") as file:
            file.write(picture(color=(0, 0, 0)))
    with speaking("skills-video") as other:
        run = used(scripts, other.base_url, first.job)
        assert (run.code, run.result["error"], run.result["outcome"]) == (22, "input_gone", "not_sent"), run.result
        assert posts(other) == 0
    assert scripts.run("jobs.py", "list", "--undelivered").result["jobs"] == 0


def test_an_earlier_job_of_another_kind_is_refused(scripts, sandbox):
    video = create(scripts, "skills-video", sandbox.url + "/api/v1", "--task", "t2v", "--prompt", "x")
    before = posts(sandbox)
    run = used(scripts, sandbox.url + "/api/v1", video.job)
    assert (run.code, run.result["error"]) == (22, "input_refused") and posts(sandbox) == before, run.result


def test_an_earlier_job_that_still_runs_is_told(scripts, sandbox):
    first = create(
        scripts, "skills-video", sandbox.url + "/api/v1", *GROK[:2], "--prompt", "x fault:job-slow", "--no-wait"
    )
    run = used(scripts, sandbox.url + "/api/v1", first.job)
    with speaking("skills-video") as other:  # where the first's service cannot be asked
        elsewhere = used(scripts, other.base_url, first.job)
        assert posts(other) == 0
    for ended in (run, elsewhere):
        assert (ended.code, ended.result["error"]) == (22, "input_gone") and "not finished" in ended.result["message"]
        assert any(first.job in line for line in ended.result["guidance"])
    assert posts(sandbox) == 1


def test_an_earlier_job_that_nobody_knows_is_told_before_anything_is_sent(scripts, sandbox):
    run = used(scripts, sandbox.url + "/api/v1", "job_" + "0" * 16)
    assert (run.code, run.result["error"]) == (23, "job_not_found") and len(sandbox.requests) == 0


def test_an_earlier_job_goes_from_one_service_to_another(scripts, sandbox):
    first = made(scripts, sandbox, "--output-dir", "out")
    with open(first.first("asset")["path"], "rb") as file:
        content = file.read()
    for service in UPLOADS:
        with speaking(service) as server:
            run = bought(scripts, service, server.base_url, "--input", f"image=job:{first.job}")
            assert run.code == 0, run.events
            value = last_input(server)[field_for(service, UPLOADS[service][0], "image")]
            assert arrived(server, value[0] if isinstance(value, list) else value) == content


# -- files that change -------------------------------------------------------------------------------------


def test_a_file_that_changes_before_the_post_is_repeated_ends_the_command(scripts, files):
    path = files / "image.png"

    def change(exchange) -> None:
        path.write_bytes(picture(color=(1, 1, 1)))
        answer(429, {"message": "slowly"}, {"Retry-After": "0"})(exchange)

    with FakeService(create=change) as server:
        run = create(scripts, "skills-video", server.base_url, *GROK, "--input", "image=image.png", "--stream", "never")
        assert (run.code, run.result["error"]) == (22, "input_changed") and server.posts() == 1, run.result
    assert scripts.run("jobs.py", "list", "--undelivered").result["jobs"] == 0


def source_of(path) -> bodies.Source:
    content = path.read_bytes()
    return bodies.Source(str(path), len(content), hashlib.sha256(content).hexdigest(), "image/png", bodies.stamp_of(os.stat(path)))  # fmt: skip


@pytest.mark.parametrize("change", [lambda old: old + b"x", lambda old: old[:-1], lambda old: old[:-1] + b"\0"])
def test_what_was_changed_is_never_sent_whole(tmp_path, change):
    path = tmp_path / "a"
    path.write_bytes(b"abcde" * (2 * bodies.PIECE // 5 + 1))
    before, source = os.stat(path), source_of(path)
    path.write_bytes(change(path.read_bytes()))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # also where the clock tells nothing
    body = bodies.multipart([bodies.Part("file", source=source, filename="a")])
    sent = 0
    with pytest.raises(bodies.Changed):
        for piece in body:
            sent += len(piece)
    assert sent < len(body)


def test_a_lost_create_with_a_file_is_never_attached_to_another_job(scripts, sandbox, files):
    """A list of running jobs does not tell which file was given: what looks the same may be another's."""
    sandbox.fault = "create-lost"
    run = create(scripts, "skills-video", sandbox.url + "/api/v1", *GROK, "--input", "image=image.png")
    assert (run.code, run.result["outcome"]) == (12, "unknown"), run.result
    sandbox.fault = None
    before = posts(sandbox)
    again = create(scripts, "skills-video", sandbox.url + "/api/v1", *GROK, "--input", "image=image.png")
    assert (again.code, again.result["error"]) == (27, "duplicate_unknown") and posts(sandbox) == before


def test_a_lost_create_is_repeated_under_its_key_with_the_same_asset(scripts, files):
    with speaking("image-skill") as server:
        server.fault = "create-provider-failure"
        run = bought(scripts, "image-skill", server.base_url, "--input", "image=image.png")
        assert run.code == 0, run.events
        edits = [json.loads(one.body) for one in server.exchanges if one.path.endswith("/edit")]
        assert len(edits) > 1 and all(edit == edits[0] for edit in edits)
        assert sum(path.endswith("/upload") for _, path in server.requests.copy()) == 1


# -- bodies ------------------------------------------------------------------------------------------------

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20).filter(lambda name: '"' not in name and "\\" not in name and name.strip() == name)  # fmt: skip


@given(st.lists(st.tuples(NAMES, st.one_of(st.text(st.characters(exclude_categories=("Cs",)), max_size=50), st.binary(min_size=1, max_size=200))), max_size=6))  # fmt: skip
def test_a_form_is_read_as_it_was_written(parts):
    made = []
    for name, value in parts:
        if isinstance(value, str):
            made.append(bodies.Part(name, value))
        else:
            spool = io.BytesIO(value)
            source = bodies.Source(None, len(value), hashlib.sha256(value).hexdigest(), "image/png", spool=spool)
            made.append(bodies.Part(name, source=source, filename="a.png"))
    body = bodies.multipart(made)
    content = b"".join(body)
    assert len(content) == len(body)
    found = forms.parts_of(body.content_type, content) or []
    values = [value if isinstance(value, str) else value.content for _, value in found]
    assert values == [value for _, value in parts]
    assert [name.encode("latin-1", "replace") for name, _ in found] == [
        name.encode().decode("latin-1").encode("latin-1") for name, _ in parts
    ]


@given(st.binary(min_size=1, max_size=3000))
def test_base64_in_json_is_what_json_would_hold(content):
    import base64

    source = bodies.Source(None, len(content), hashlib.sha256(content).hexdigest(), "image/png", spool=io.BytesIO(content))  # fmt: skip
    body = bodies.with_base64({"a": "é", "content": "stand-in", "n": 1}, {"stand-in": source})
    sent = b"".join(body)
    assert len(sent) == len(body)
    assert json.loads(sent) == {"a": "é", "content": base64.b64encode(content).decode(), "n": 1}


# -- memory --------------------------------------------------------------------------------------------------


class Sink:
    """Accepts one create, and keeps nothing of it but its length and hash."""

    def __enter__(self) -> Sink:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/api/v1"
        self.length, self.declared = 0, -1
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *problem) -> None:
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE)
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        head, _, rest = head.partition(b"\r\n\r\n")
        self.declared = int(head.lower().partition(b"content-length:")[2].split()[0])
        self.length = len(rest)
        piece = memoryview(bytearray(1024 * 1024))
        while self.length < self.declared and (count := connection.recv_into(piece)):
            self.length += count
        body = json.dumps({"id": "gen_1", "status": "IN_QUEUE"}).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
        connection.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        connection.close()


def sparse_video(path, size: int) -> None:
    """A video with a hole: a box of free space that takes no room on disk."""
    with open(path, "wb") as file:
        file.write(MP4)
        file.write((1).to_bytes(4, "big") + b"free" + (size - len(MP4)).to_bytes(8, "big"))
        file.truncate(size)


# A process begins with the peak of the one that started it: a small one stands between this test and the script.
MEASURE = """
import resource, subprocess, sys
code = subprocess.run([sys.executable, *sys.argv[1:]]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def peak_of(scripts, size: int) -> int:
    """The most memory that a create with a video of `size` bytes takes, as the system counts it."""
    sparse_video(scripts.folder / "large.mp4", size)
    with Sink() as sink:
        command = [
            str(SCRIPTS / "create_and_wait.py"), "--provider", "skills-video", "--base-url", sink.base_url,
            "--model", "runwayml/gen4-aleph", "--prompt", "x", "--input", "video=large.mp4", "--stream", "never",
            "--no-wait", "--intent", str(size),
        ]  # fmt: skip
        ended = subprocess.run(
            [sys.executable, "-c", MEASURE, *command],
            capture_output=True,
            env=scripts.environment(**KEYS),
            cwd=scripts.folder,
            timeout=PATIENCE,
        )
        assert ended.returncode == 0, ended.stdout
        assert size < sink.length == sink.declared
    return int(ended.stderr.split()[-1])


@needs_posix
def test_memory_does_not_grow_with_the_file(scripts, capsys):
    small, large = peak_of(scripts, 1024**2), peak_of(scripts, 1024**3)
    with capsys.disabled():
        unit = 1024 if sys.platform == "linux" else 1
        print(f"\npeak memory: {small * unit / 2**20:.1f} MiB for 1 MiB, {large * unit / 2**20:.1f} MiB for 1 GiB")
    assert large < 1.3 * small


# -- references with their numbers and tasks ------------------------------------------------------------

OWNED = "image_a1"
# --input names, in their order -> (role, index, what else) of each reference; a text: what the refusal names
REFERENCES = [
    (["reference_image", "reference_image"], [("reference_image", 0, {}), ("reference_image", 1, {})]),
    (["reference_image:style"], [("reference_image", 0, {"reference_task": "style"})]),
    (["reference_image@1:id"], [("reference_image", 1, {"reference_task": "id"})]),
    (
        ["element_frontal@0", "element_frontal@1", "element_reference@0:2", "element_reference"],
        [
            ("element_frontal", 0, {}),
            ("element_frontal", 1, {}),
            ("element_reference", 0, {"reference_index": 2}),
            ("element_reference", 1, {"reference_index": 0}),
        ],
    ),
    (["element_reference"], "must be given before it"),
    (["element_frontal:style"], "expected no colon"),
    (["element_reference@0:first"], "expected a number"),
]


@pytest.mark.parametrize("names, meant", REFERENCES, ids=[" ".join(names) for names, _ in REFERENCES])
def test_a_reference_takes_its_number_and_its_task(names, meant):
    provider = providers.load("image-skill")
    content = payloads.Content(prompt="x", inputs=tuple((name, OWNED) for name in names))
    route = provider.paths.route("fal.dreamo", "t2i")
    if isinstance(meant, str):
        with pytest.raises(errors.Failure) as raised:
            payloads.build(content, provider, None, "fal.dreamo", route)
        assert meant in raised.value.message
        return
    found = payloads.build(content, provider, None, "fal.dreamo", route).payload["references"]
    wanted = [{"asset_id": OWNED, "role": role, "index": index, **more} for role, index, more in meant]
    assert found == wanted
