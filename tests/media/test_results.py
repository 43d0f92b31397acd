"""Results on disk: whole, checked, under our own names, whatever the host that serves them does.

`pytest -s tests/media/test_results.py` also writes the table of hostile cases and what became of each.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import zlib
from collections import namedtuple
from pathlib import Path

import pytest

from conftest import MP4, PATIENCE, ROOT, SCRIPTS, Run
from fake_service import (
    PICTURE,
    PNG,
    WITH_KEY,
    FakeService,
    after,
    answer,
    create,
    create_arguments,
    dripping,
    event,
    hang,
    job,
    page,
    ranged,
    redirect,
    reset,
    stream,
    wait,
)
from mediakit.base.inbox import Inbox
from mediakit.media import download, links, names, save

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals, links and limits as POSIX systems have them")


def picture(form: str, size=(300, 200), **options) -> bytes:
    """A picture that does not compress, so that its file has a size to be cut in."""
    from PIL import Image

    file = io.BytesIO()
    noise = random.Random(1).randbytes(size[0] * size[1] * 3)
    Image.frombytes("RGB", size, noise).save(file, form, **options)
    return file.getvalue()


def bomb() -> bytes:
    """A PNG of 30,000 times 30,000 black pixels in some hundred kilobytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    # A hundred rows, packed once: after a full flush a piece stands for itself, and can be repeated.
    packer, rows, times = zlib.compressobj(9, wbits=-15), bytes(30_001 * 100), 300
    piece = packer.compress(rows) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = (len(rows) * times % 65_521) << 16 | 1  # Adler-32 of so many zeros
    packed = b"\x78\xda" + piece * times + b"\x03\x00" + struct.pack(">I", checksum)
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


BOMB = bomb()
JPEG, GIF = picture("JPEG"), picture("GIF")
PHOTO = picture("PNG")
OTHER = picture("PNG", (310, 200))
DATED = {"Last-Modified": "Sat, 21 Nov 2026 06:00:00 GMT"}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\n\r\n"
BLOCK = random.Random(2).randbytes(65536)


def sent(content: bytes, **headers: str):
    return answer(200, content, {name.replace("_", "-"): value for name, value in headers.items()}, "image/png")


def mixed_up(content: bytes, **more):
    """A 206 that is not what was asked for."""

    def handler(exchange) -> None:
        begin = int(exchange.request.headers["range"].removeprefix("bytes=").rstrip("-"))
        size = len(content)
        headers = {"ETag": '"one"', "Content-Range": f"bytes {begin}-{size - 1}/{size}", **more}
        exchange.head(206, {"Content-Length": size - begin, **headers})
        exchange.send(content[begin:])

    return handler


# media    a handler, or one for each request in turn
# code     the exit code; words: part of its error message
# content  of the file that is saved
# kind     what the service says it is
# path     of its URL on the service itself; a whole URL otherwise
# ending   of the file that is saved
# warns    the code of a warning
Case = namedtuple(
    "Case",
    "name media code words content flags kind path ending warns",
    defaults=("", None, (), "image", "/media/1.png", None, None),
)
QUICK = ("--download-timeout", "1")  # the time for which a host is asked again is no longer than this

HALF = len(PHOTO) // 2
CUT = ranged(PHOTO, upto=HALF)

CUTS = [
    Case(f"cut at {tenth}0%", [ranged(PHOTO, upto=len(PHOTO) * tenth // 10), ranged(PHOTO)], 0, content=PHOTO)
    for tenth in range(10)
]
CASES = [
    *CUTS,
    Case(
        "cut at every 10% in turn",
        [*(ranged(PHOTO, upto=len(PHOTO) * tenth // 10) for tenth in range(1, 10)), ranged(PHOTO)],
        0,
        content=PHOTO,
    ),
    Case("reset in the middle", [ranged(PHOTO, upto=HALF, end="reset"), ranged(PHOTO)], 0, content=PHOTO),
    Case("cut, known by its date", [ranged(PHOTO, DATED, HALF), ranged(PHOTO, DATED)], 0, content=PHOTO),
    Case("cut, known by nothing", [ranged(PHOTO, {}, HALF), ranged(PHOTO, {})], 0, content=PHOTO),
    Case("cut, and the host cannot go on", [CUT, ranged(PHOTO, whole=True)], 0, content=PHOTO),
    Case("cut, and the file has changed", [CUT, ranged(OTHER, {"ETag": '"two"'})], 0, content=OTHER),
    Case("cut, and the rest is of another file", [CUT, mixed_up(OTHER, ETag='"two"'), ranged(OTHER)], 0, content=OTHER),
    Case(
        "cut, and the rest is another part",
        [CUT, mixed_up(PHOTO, **{"Content-Range": f"bytes 7-{len(PHOTO) - 1}/{len(PHOTO)}"}), ranged(PHOTO)],
        0,
        content=PHOTO,
    ),
    Case("cut, and no such range", [CUT, answer(416), ranged(PHOTO)], 0, content=PHOTO),
    Case("cut at the same place for ever", ranged(PHOTO, {}, HALF), 26, "cut short"),
    Case("HTTP 503, then the file", [page(503), PICTURE], 0, content=PNG),
    Case("HTTP 429 with Retry-After, then the file", [answer(429, b"", {"Retry-After": "1"}), PICTURE], 0, content=PNG),
    Case("HTTP 418", answer(418), 26, "HTTP 418"),
    Case("cut, and a part that nobody asked for", [ranged(PHOTO, {}, HALF), answer(206, PNG)], 26, "HTTP 206"),
    Case("a redirect to no URL", redirect("http://["), 26, "cannot be used"),
    Case(
        "a part that is all of it",
        answer(206, PNG, {"Content-Range": f"bytes 0-{len(PNG) - 1}/{len(PNG)}"}),
        0,
        content=PNG,
    ),
    Case("all of it, from somebody on the way", answer(203, PNG), 0, content=PNG),
    Case("a part that nobody asked for", answer(206, PNG, {"Content-Range": "bytes 0-9/99"}), 26, "HTTP 206"),
    Case(
        "longer than announced",
        sent(PHOTO, Content_Length=str(HALF)),
        26,
        "ends in the middle",
        PHOTO[:HALF],
        ending=".unverified.png",
    ),
    Case("nothing at all", sent(b""), 26, "empty", flags=QUICK),
    Case("nothing at first", [sent(b""), sent(b""), PICTURE], 0, content=PNG),
    Case("a video in place of a picture", sent(MP4), 0, "", MP4, ending=".mp4", warns="type_differs"),
    Case("a picture in place of a video", sent(PHOTO), 0, "", PHOTO, kind="video", warns="type_differs"),
    Case("a JPEG announced as PNG", sent(JPEG), 0, content=JPEG, ending=".jpg"),
    Case("a moving picture as a video", sent(GIF), 0, content=GIF, kind="video", ending=".gif"),
    Case("random bytes as a picture", sent(BLOCK), 0, "", BLOCK, ending=".bin", warns="unknown_format"),
    Case("random bytes as a video", sent(BLOCK), 0, "", BLOCK, kind="video", ending=".bin", warns="unknown_format"),
    Case(
        "words in place of a picture",
        sent(b"This link has expired."),
        26,
        "with text instead",
        b"This link has expired.",
        ending=".unverified.txt",
    ),
    Case("HTML in place of a picture", sent(b"<!DOCTYPE html><title>Sign in</title>"), 26, "an HTML page"),
    Case("JSON in place of a picture", sent(b'{"error": "expired"}'), 26, "JSON instead"),
    Case("XML in place of a picture", sent(b"<?xml version='1.0'?><Error/>"), 26, "XML instead"),
    Case("HTML in UTF-16", sent("<html>Grüße".encode("utf-16")), 26, "an HTML page"),
    Case("words as a document", sent("Grüße".encode()), 0, "", "Grüße".encode(), kind="document", ending=".txt"),
    Case("JSON as a document", sent(b'{"text": "hi"}'), 0, "", b'{"text": "hi"}', kind="document", ending=".json"),
    Case("HTML in place of a document", sent(b"<html>Sign in</html>"), 26, "an HTML page", kind="document"),
    Case(
        "half a picture, announced so",
        sent(PHOTO[:HALF]),
        26,
        "ends in the middle",
        PHOTO[:HALF],
        ending=".unverified.png",
    ),
    Case(
        "half a video, announced so",
        sent(MP4[: len(MP4) // 2]),
        26,
        "cannot be read",
        MP4[: len(MP4) // 2],
        kind="video",
        ending=".unverified.mp4",
    ),
    Case("a picture of 900 million pixels", sent(BOMB), 26, "30000x30000", BOMB, ending=".unverified.png"),
    Case(
        "10 GB announced",
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n", BLOCK),
        26,
        "--max-file-size",
    ),
    Case("an endless body", dripping(PLAIN, endless=BLOCK), 26, "--max-file-size", flags=("--max-file-size", "3MB")),
    Case(
        "an endless body in chunks",
        dripping(CHUNKED, endless=b"10000\r\n" + BLOCK + b"\r\n"),
        26,
        "--max-total-size",
        flags=("--max-total-size", "2MiB"),
    ),
    Case("a slow drip", dripping(PLAIN, PHOTO[:100], endless=b"x"), 26, "time", flags=("--download-timeout", "1")),
    Case(
        "a slow drip of headers",
        dripping(PLAIN[:-2], endless=b"X: y\r\n"),
        26,
        "time",
        flags=("--download-timeout", "1"),
    ),
    Case("silence", hang, 26, "time", flags=("--download-timeout", "1")),
    Case("a gzip bomb", sent(gzip.compress(bytes(100_000_000)), Content_Encoding="gzip"), 26, "grows"),
    Case("gzip that nobody asked for", sent(gzip.compress(PHOTO), Content_Encoding="gzip"), 0, content=PHOTO),
    Case("half a gzip", sent(gzip.compress(PHOTO)[:HALF], Content_Encoding="gzip"), 26, "cut short"),
    Case("gzip that is none", sent(PHOTO, Content_Encoding="gzip"), 0, content=PHOTO),
    Case("a label of another compression", sent(PHOTO, Content_Encoding="br"), 0, content=PHOTO),
    Case("another compression", sent(BLOCK, Content_Encoding="zstd"), 26, "(zstd)", BLOCK, ending=".unverified.bin"),
    Case("a redirect to itself", [redirect("{origin}/media/2.png"), PICTURE], 0, content=PNG),
    Case(
        "a redirect with an endless body",
        [dripping(b"HTTP/1.1 302 Found\r\nLocation: 2.png\r\n\r\n", endless=BLOCK), PICTURE],
        0,
        content=PNG,
    ),
    Case(
        "an expired link with an endless body",
        [dripping(b"HTTP/1.1 403 Forbidden\r\n\r\n", endless=BLOCK), PICTURE],
        0,
        content=PNG,
    ),
    Case("redirects without end", redirect("{origin}/media/2.png"), 26, "more than 10 redirects"),
    *(
        Case(f"a redirect to {url}", redirect(url), 26, words)
        for url, words in {
            "http://127.0.0.2/x.png": "private or reserved",
            "http://169.254.169.254/latest/meta-data": "private or reserved",
            "http://[::ffff:127.0.0.1]/x.png": "private or reserved",
            "http://[64:ff9b::7f00:1]/x.png": "private or reserved",
            "http://2130706433/x.png": "private or reserved",
            "http://0x7f.1/x.png": "private or reserved",
            "http://localhost./x.png": "private or reserved",
            "http://a.localhost/x.png": "private or reserved",
            "file:///etc/passwd": "expected http",
            "ftp://127.0.0.1/x.png": "expected http",
            "data:image/png;base64,AAAA": "expected http",
            "http://user:word@127.0.0.1/x.png": "user name",
        }.items()
    ),
    *(
        Case(f"a name of {name}", sent(PNG, Content_Disposition=header), 0, content=PNG, path=f"/media/{path}")
        for name, path, header in (
            ("../../x", "..%2f..%2fx", 'attachment; filename="../../x"'),
            ("4,000 characters", "a" * 4000, "attachment; filename=" + "a" * 4000),
            ("CON", "CON", "attachment; filename=CON"),
            ("control characters", "%00%0a%1b%5b", "attachment; filename*=UTF-8''%00%0a%1b"),
        )
    ),
    Case("a URL with a control character", PICTURE, 26, "cannot be used", path="/media/\x1b.png"),
    Case("a data: URL", None, 26, "an HTML page", path="data:text/html,%3Chtml%3E"),
    Case("a broken data: URL", None, 26, "data: URL is broken", path="data:image/png;base64,%%%"),
    *(
        Case(f"a link expired with {status}, then renewed", [page(status), PICTURE], 0, content=PNG)
        for status in (400, 401, 403, 404, 410)
    ),
    *(
        Case(f"{status} three times, just after the end", [*[page(status)] * 3, PICTURE], 0, content=PNG)
        for status in (202, 403, 404, 500, 520, 530)
    ),
    Case("a link expired for good", page(403), 26, "expired", flags=QUICK),
]


@pytest.fixture(scope="module")
def table():
    """What became of each case; written at the end, for whoever runs with -s."""
    rows = []
    yield rows
    sys.stdout.write("\n\n| case | exit code | what is told |\n| --- | --- | --- |\n")
    sys.stdout.writelines(f"| {name} | {code} | {words} |\n" for name, code, words in rows)


def read(exchange, case: Case) -> None:
    url = case.path if case.path.startswith("data:") else exchange.service.origin + case.path
    answer(200, job_with(case.kind, url))(exchange)


def job_with(kind: str, *urls: str) -> dict:
    """A finished job with results of one kind."""
    return job("COMPLETED", data={"type": kind, f"{kind}s": [{"url": url} for url in urls]})


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder, with its content; not those of the ledger, nor the record beside a result."""
    found = {path for path in folder.rglob("*") if path.is_file() and "state" not in path.relative_to(folder).parts}
    records = {path.with_name(f"{path.name}.json") for path in found}
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(found - records)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_host_harms_nothing(scripts, tmp_path, table, case):
    with FakeService(media=case.media) as service:
        service._scripts["read"] = [lambda exchange: read(exchange, case)]
        run = wait(scripts, service, "--output-dir", "out", *case.flags)
        table.append((case.name, run.code, run.result.get("error", {}).get("message") or "saved"))
        assert run.code == case.code, run.events
        assert all("authorization" not in r.headers for r in service.requests if r.path.startswith("/media/"))
    assert case.words in run.result.get("error", {}).get("message", ""), run.result
    there = tree(tmp_path)
    assert list(there.values()) == ([case.content] if case.content else [])
    told = [line for line in run.events if line["event"] == "asset"]
    assert [asset["path"] for asset in run.result["assets"]] == [asset["path"] for asset in told]
    for name, asset in zip(there, told):
        assert asset["path"] == str(tmp_path / name) and name.startswith("out/skills-video-")
        assert re.fullmatch(r".*Z-1" + re.escape(case.ending or ".png"), name)
        assert asset.get("unverified", False) == (case.code == 26) == ("warning" in asset)
        assert asset["sha256"] == hashlib.sha256(case.content).hexdigest() and asset["bytes"] == len(case.content)
    assert [line["code"] for line in run.events if line["event"] == "warning"] == ([case.warns] if case.warns else [])
    if case.code == 26:
        assert run.result["ok"] and run.result["outputs"] and run.result["next_command"]


@pytest.mark.parametrize("case", CUTS[1:], ids=lambda case: case.name)
def test_what_came_before_a_cut_is_not_fetched_again(scripts, case):
    with FakeService(media=list(case.media)) as service:
        service._scripts["read"] = [lambda exchange: read(exchange, case)]
        wait(scripts, service, "--output-dir", "out")
        again = service.requests[-1].headers
        assert 0 < int(again["range"].removeprefix("bytes=").rstrip("-")) < len(PHOTO) and again["if-range"] == '"one"'


def test_a_cut_is_told_as_a_retry(scripts):
    with FakeService(media=[CUT, ranged(PHOTO)]) as service:
        service._scripts["read"] = [lambda exchange: read(exchange, CUTS[0])]
        told = wait(scripts, service, "--output-dir", "out").first("retry")
        assert (told["what"], told["attempt"]) == ("download", 2)


# -- several results -----------------------------------------------------------------------------------


def several(scripts, service, count: int, *flags: str):
    urls = [f"{service.origin}/media/{number}.png" for number in range(1, count + 1)]
    service._scripts["read"] = [answer(200, job_with("image", *urls))]
    return wait(scripts, service, "--output-dir", "out", *flags)


def test_one_that_cannot_be_had_does_not_lose_the_others(scripts, tmp_path):
    with FakeService(media=[PICTURE, page(418), PICTURE]) as service:
        run = several(scripts, service, 3)
    assert run.code == 26 and "1 of 3" in run.result["error"]["message"]
    assert [Path(asset["path"]).stem[-2:] for asset in run.result["assets"]] == ["-1", "-3"]
    assert len(tree(tmp_path)) == 2


@pytest.mark.parametrize(
    "flags, saved",
    {
        ("--max-files", "2"): 2,
        ("--max-total-size", str(2 * len(PNG))): 2,
        ("--max-total-size", str(2 * len(PNG) + 1)): 2,
        ("--max-total-size", str(3 * len(PNG))): 3,
        ("--max-file-size", str(len(PNG))): 3,
        ("--max-file-size", str(len(PNG) - 1)): 0,
    }.items(),
)
def test_a_limit_stops_exactly_where_it_is(scripts, tmp_path, flags, saved):
    with FakeService(media=PICTURE) as service:
        run = several(scripts, service, 3, *flags)
    assert (run.code, len(run.result["assets"]), len(tree(tmp_path))) == (0 if saved == 3 else 26, saved, saved)
    assert saved == 3 or flags[0] in run.result["error"]["message"]


def test_the_limits_are_those_of_the_whole_command(scripts, tmp_path):
    with FakeService(media=PICTURE) as service:

        def accepted(exchange) -> None:
            done = {"id": f"gen_{service.posts()}", "url": f"{service.origin}/media/1.png"}
            stream(event("COMPLETED", data={"type": "image", "images": [done]}, id=done["id"]))(exchange)

        service._scripts["create"] = [accepted]
        run = create(scripts, service, "--copies", "3", "--output-dir", "out", "--max-files", "2")
    codes = sorted(line["exit_code"] for line in run.events if line["event"] == "terminal")
    assert (codes, len(tree(tmp_path))) == ([0, 0, 26], 2)


# -- a link that has expired ------------------------------------------------------------------------------


def test_a_fresh_link_is_asked_for_once_and_serves_all(scripts):
    with FakeService(media=[PICTURE, page(403), PICTURE, PICTURE]) as service:

        def told(number: int):
            urls = [f"{service.origin}/media/{name}.png?signature={number}" for name in "abc"]
            return answer(200, job_with("image", *urls))

        service._scripts["read"] = [told(1), told(2)]
        run = wait(scripts, service, "--output-dir", "out")
        fetched = [request.path for request in service.requests if "/media/" in request.path]
    assert run.code == 0, run.events
    wanted = (("a", 1), ("b", 1), ("b", 2), ("c", 2))
    assert fetched == [f"/media/{name}.png?signature={number}" for name, number in wanted]


@pytest.mark.parametrize("second", [page(404), answer(200, b"half"), answer(200, job("COMPLETED"))])
def test_a_job_that_names_no_fresh_link_ends_with_all_that_is_known(scripts, second):
    with FakeService(media=page(403)) as service:
        service._scripts["create"] = [stream(event("COMPLETED", data=job("", f"{service.origin}/media/1")["data"]))]
        service._scripts["read"] = [second]
        result = create(scripts, service, "--output-dir", "out", *QUICK).result
    assert (result["exit_code"], result["ok"], result["assets"]) == (26, True, [])
    assert result["outputs"] and result["next_argv"][2:4] == ["download", result["job"]]


def test_download_saves_later_what_could_not_be_saved_and_buys_nothing(scripts, tmp_path):
    with FakeService(media=page(403)) as service:
        done = job("COMPLETED", f"{service.origin}/media/1")
        service._scripts["create"] = [stream(event("COMPLETED", data=done["data"]))]
        service._scripts["read"] = [answer(200, done)]
        first = create(scripts, service, "--output-dir", "out", "--output-name", "boat", *QUICK)
        service._scripts["media"] = [PICTURE]
        again = scripts.run(
            *[Path(word).name if word.endswith(".py") else word for word in first.result["next_argv"][1:]], env=WITH_KEY
        )
        assert (first.code, again.code, service.posts()) == (26, 0, 1)
        assert list(tree(tmp_path)) == ["out/boat.png"]
        # A job that was delivered is fetched once more, into another folder, beside what is there.
        third = scripts.run(
            "jobs.py",
            "download",
            first.job,
            "--base-url",
            service.base_url,
            "--output-dir",
            "two",
            env=WITH_KEY,
        )
        shown = scripts.run("jobs.py", "show", first.job).result
        assert (third.code, service.posts(), shown["delivered"]) == (0, 1, True)
        assert len(tree(tmp_path)) == 2 and third.result["assets"][0]["path"].startswith(str(tmp_path / "two"))


def run_again(scripts, line: dict, *more: str) -> Run:
    """The `next_command` of a result."""
    words = [Path(word).name if word.endswith(".py") else word for word in line["next_argv"]]
    return scripts.run(*words[1:], *more, env=WITH_KEY)


def bought(scripts, service, *flags: str):
    done = job("COMPLETED", f"{service.origin}/media/1")
    service._scripts["create"] = [stream(event("COMPLETED", data=done["data"]))]
    service._scripts["read"] = [answer(200, done)]
    return create(scripts, service, "--output-dir", "out", *flags)


def test_what_looks_broken_is_kept_and_the_command_that_accepts_it_told(scripts, tmp_path):
    with FakeService(media=sent(PHOTO[:HALF])) as service:
        first = bought(scripts, service)
        (kept,) = tree(tmp_path)
        assert first.code == 26 and kept.endswith("-1.unverified.png") and first.result["assets"][0]["unverified"]
        assert "--accept-unverified" in first.result["next_command"], first.result
        assert Path(kept).name in first.result["error"]["message"]
        # The same once more, without the word for it, keeps one file and says the same.
        again = scripts.run("jobs.py", "resume", first.job, "--base-url", service.base_url, env=WITH_KEY)
        assert (again.code, list(tree(tmp_path))) == (26, [kept])
    accepted = run_again(scripts, first.result)  # nobody answers any more
    assert (accepted.code, accepted.result["source"], accepted.result["ok"]) == (0, "ledger", True), accepted.events
    shown = scripts.run("jobs.py", "show", first.job).result
    name = kept.replace(".unverified", "")
    assert tree(tmp_path) == {name: PHOTO[:HALF]} and shown["delivered"]
    assert accepted.result["assets"][0]["path"] == str(tmp_path / name)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {Path(name).name, f"{Path(name).name}.json"}
    assert json.loads((tmp_path / f"{name}.json").read_text())["file"]["name"] == Path(name).name


@pytest.mark.parametrize("lost", ["another result", "the file itself", "its bytes"])
def test_what_does_not_lie_there_is_asked_for_before_the_rest_is_accepted(scripts, tmp_path, lost):
    with FakeService(
        media=[sent(PHOTO[:HALF]), *([answer(418)] if lost == "another result" else []), PICTURE]
    ) as service:
        urls = [f"{service.origin}/media/{number}" for number in range(1, 3 if lost == "another result" else 2)]
        done = job("COMPLETED", data={"type": "image", "images": [{"url": url} for url in urls]})
        service._scripts["create"] = [stream(event("COMPLETED", data=done["data"]))]
        service._scripts["read"] = [answer(200, done)]
        first = create(scripts, service, "--output-dir", "out")
        (kept,) = tree(tmp_path)
        if lost == "the file itself":
            (tmp_path / kept).unlink()
        elif lost == "its bytes":
            (tmp_path / kept).write_bytes(b"other")
        again = scripts.run(
            "jobs.py", "download", first.job, "--accept-unverified", "--base-url", service.base_url,
            env=WITH_KEY,
        )  # fmt: skip
        assert (first.code, again.code, again.result["source"]) == (26, 0, "poll"), again.events
        assert len(again.result["assets"]) == len(urls)


@pytest.mark.parametrize("flags", [(), ("--embed-metadata",)])
def test_a_job_that_no_ledger_knows_is_not_saved_twice_either(scripts, tmp_path, flags):
    with FakeService(media=[PICTURE, PICTURE, sent(PHOTO)]) as service:
        service._scripts["read"] = [answer(200, job("COMPLETED", f"{service.origin}/media/1"))]
        first, again = (wait(scripts, service, "--output-dir", "out", *flags) for _ in range(2))
        files = tree(tmp_path)
        assert (first.code, again.code, len(files)) == (0, 0, 1), again.events
        assert again.result["assets"] == first.result["assets"]
        # Other bytes are another result, whatever a record says.
        assert (wait(scripts, service, "--output-dir", "out").code, len(tree(tmp_path))) == (0, 2)


def test_a_link_that_turns_out_well_takes_the_place_of_nothing(scripts, tmp_path):
    with FakeService(media=[sent(PHOTO[:HALF]), sent(PHOTO)]) as service:
        first = bought(scripts, service)
        again = scripts.run("jobs.py", "download", first.job, "--base-url", service.base_url, env=WITH_KEY)
    assert (first.code, again.code) == (26, 0)
    assert sorted(map(len, tree(tmp_path).values())) == [HALF, len(PHOTO)]


@pytest.mark.parametrize("script", [("jobs.py", "resume"), ("jobs.py", "download"), ("wait_generation.py", "--job")])
def test_a_job_that_was_delivered_is_not_saved_twice_unless_asked(scripts, tmp_path, script):
    with FakeService(media=PICTURE) as service:
        first = bought(scripts, service)
        where = (first.job, "--base-url", service.base_url)
        again = scripts.run(*script, *where, "--output-dir", "out", env=WITH_KEY)
        assert (first.code, again.code, service.count("GET", "/media/")) == (0, 0, 1), again.events
        assert again.result["assets"] == first.result["assets"] and len(tree(tmp_path)) == 1
        assert len(list((tmp_path / "out").iterdir())) == 2  # the file, and one record beside it
        named = scripts.run(*script, *where, "--output-dir", "out", "--output-name", "boat", env=WITH_KEY)
        assert named.code == 0 and "out/boat.png" in tree(tmp_path)


def test_a_job_that_is_done_a_moment_before_its_data_is_asked_again(scripts, tmp_path):
    with FakeService(media=PICTURE) as service:
        empty, full = (
            answer(200, job("COMPLETED", data=None)),
            answer(200, job("COMPLETED", f"{service.origin}/media/1")),
        )
        for folder in (["--output-dir", "out"], []):
            service._scripts["create"] = [stream(event("COMPLETED", data=None))]
            service._scripts["read"] = [empty, reset, empty, full]
            run = create(scripts, service, *folder)
            assert (run.code, len(run.result["outputs"]), service.posts()) == (0, 1, 1 if folder else 2), run.events
    assert list(tree(tmp_path).values()) == [PNG] and run.result["response"]["data"]
    assert len([event for event in run.events if event["event"] == "retry"]) == 1


def test_a_job_that_was_filtered_says_why_and_names_no_command_that_would_loop(scripts, tmp_path):
    why = {"code": "nsfw", "message": "all were filtered"}
    with FakeService(read=answer(200, job("COMPLETED", error=why, data=None))) as service:
        service._scripts["create"] = [stream(event("COMPLETED", error=why, data=None))]
        run = create(scripts, service, "--output-dir", "out", *QUICK)
        shown = scripts.run("jobs.py", "show", run.job).result
        bare = create(scripts, service, *QUICK)
        assert (bare.code, bare.result["error"], service.posts()) == (10, run.result["error"], 2), bare.events
    assert (shown["delivered"], shown["open"]) == (True, False)
    assert (run.code, run.result["ok"], run.result["error"]["code"]) == (10, False, "no_output"), run.result
    assert "no result" in run.result["error"]["message"]
    assert run.result["error"]["message"].endswith("it says: all were filtered") and "next_command" not in run.result


@pytest.mark.parametrize("what", ["a download", "the asking for results"])
def test_a_deadline_ends_it_with_the_way_on_and_closes_nothing(scripts, tmp_path, what):
    with FakeService(media=dripping(PLAIN, PHOTO[:100], endless=b"x")) as service:
        done = job("COMPLETED", f"{service.origin}/media/1") if what == "a download" else job("COMPLETED", data=None)
        service._scripts["create"] = [stream(event("COMPLETED", data=done["data"]))]
        service._scripts["read"] = [answer(200, done)]
        run = create(scripts, service, "--deadline", "4", "--output-dir", "out")
        assert (run.code, run.result["ok"], run.result["elapsed_seconds"] < 4) == (26, True, True), run.events
        assert "--deadline" in run.result["error"]["message"] and tree(tmp_path) == {}
        service._scripts.update(media=[PICTURE], read=[answer(200, job("COMPLETED", f"{service.origin}/media/1"))])
        assert run_again(scripts, run.result).code == 0 and list(tree(tmp_path).values()) == [PNG]


def test_without_a_folder_the_command_that_saves_is_told(scripts, tmp_path):
    with FakeService(media=PICTURE) as service:
        done = job("COMPLETED", f"{service.origin}/media/1", text="word " * 5000)
        service._scripts["create"] = [stream(event("COMPLETED", data=done["data"]))]
        service._scripts["read"] = [answer(200, done)]
        first = create(scripts, service)
        assert first.code == 0 and first.result["next_argv"][2:4] == ["download", first.job]
        saved_now = run_again(scripts, first.result)
    assert saved_now.code == 0 and list(tree(tmp_path).values()) == [PNG]


def test_a_flag_says_how_many_pixels_are_looked_at(scripts, tmp_path):
    with FakeService(media=sent(PHOTO)) as service:
        first = bought(scripts, service, "--max-pixels", "59999")
        assert first.code == 26 and "--max-pixels" in first.result["error"]["message"]
        again = scripts.run(
            "jobs.py", "download", first.job, "--base-url", service.base_url, "--max-pixels", "60000",
            env=WITH_KEY,
        )  # fmt: skip
    assert again.code == 0 and len(tree(tmp_path)) == 2


@pytest.mark.parametrize("below", [".", "out", "scripts/../deep/out", "assets"])
def test_nothing_is_saved_into_the_skills_own_folder(scripts, tmp_path, below):
    (tmp_path / "link").symlink_to(ROOT)
    for folder in (ROOT / below, tmp_path / "link" / below):
        with FakeService() as service:
            run = create(scripts, service, "--output-dir", str(folder))
            assert (run.code, run.result["field"], service.connections) == (2, "--output-dir", 0), run.events
            assert "outside this skill's own" in run.result["message"]
    run = scripts.run("jobs.py", "gallery", cwd=ROOT / "references")
    assert (run.code, run.result["field"]) == (2, "--output-dir")


def test_download_of_a_job_that_its_service_has_never_shown_leaves_it_open(scripts):
    with FakeService(create=stream(event("COMPLETED")), read=answer(404, {"message": "no such job"})) as service:
        bought = create(scripts, service).job
        run = scripts.run("jobs.py", "download", bought, "--base-url", service.base_url, env=WITH_KEY)
        assert (run.code, run.result["event"], service.posts()) == (11, "timeout", 1), run.events


def test_download_of_nothing_that_is_known_says_so(scripts):
    assert scripts.run("jobs.py", "download", "job_0123456789abcdef").code == 23
    assert scripts.run("jobs.py", "download").code == 2


# -- the disk -------------------------------------------------------------------------------------------------


def save_one(scripts, *flags: str):
    with FakeService(media=PICTURE) as service:
        return several(scripts, service, 1, "--output-name", "boat", *flags)


def test_a_file_that_is_there_is_never_replaced(scripts, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/boat.png").write_bytes(b"mine")
    (tmp_path / "out/boat-2.png").mkdir()
    run = save_one(scripts)
    assert run.result["assets"][0]["path"] == str(tmp_path / "out/boat-3.png")
    assert tree(tmp_path) == {"out/boat.png": b"mine", "out/boat-3.png": PNG}


@POSIX
@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to nothing"])
def test_a_link_in_the_place_of_a_file_is_not_followed(scripts, tmp_path, there):
    (tmp_path / "out").mkdir()
    if there:
        (tmp_path / "elsewhere").write_bytes(b"mine")
    (tmp_path / "out/boat.png").symlink_to(tmp_path / "elsewhere")
    run = save_one(scripts)
    assert run.result["assets"][0]["path"] == str(tmp_path / "out/boat-2.png")
    assert (tmp_path / "elsewhere").exists() == there and (tmp_path / "out/boat.png").is_symlink()
    assert not there or (tmp_path / "elsewhere").read_bytes() == b"mine"


@POSIX
def test_a_full_disk_leaves_nothing_behind(scripts, tmp_path):
    import resource

    limit = 1024 * 1024
    video = MP4 + struct.pack(">I4s", 3 * limit, b"free") + bytes(3 * limit - 8)
    with FakeService(media=sent(video)) as service:
        service._scripts["read"] = [answer(200, job_with("video", f"{service.origin}/media/1"))]
        process = subprocess.Popen(
            [sys.executable, str(SCRIPTS / "wait_generation.py"), "--generation-id", "gen_1"]
            + ["--base-url", service.base_url, "--output-dir", "out"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=scripts.environment(**WITH_KEY),
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )  # fmt: skip
        scripts.started.append(process)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    run = Run(process.returncode, stdout, stderr)
    assert run.code == 26 and "File too large" in run.result["error"]["message"], run.events
    assert tree(tmp_path) == {}


@pytest.fixture
def small_disk(tmp_path):
    """A folder `out` on a disk of 2 MiB."""
    folder = tmp_path / "out"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], stderr=subprocess.DEVNULL)
    if not made or made.returncode:
        pytest.skip("a small disk can only be made by root on Linux")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("announced, words", [(True, "the disk has room for"), (False, "No space left")])
def test_a_disk_that_is_too_small_is_left_as_it_was(scripts, tmp_path, small_disk, announced, words):
    video = MP4 + struct.pack(">I4s", 3 * 1024**2, b"free") + bytes(3 * 1024**2 - 8)
    with FakeService(media=sent(video) if announced else dripping(PLAIN, video)) as service:
        service._scripts["read"] = [answer(200, job_with("video", f"{service.origin}/media/1"))]
        run = wait(scripts, service, "--output-dir", "out")
    assert run.code == 26 and words in run.result["error"]["message"], run.events
    assert list(small_disk.iterdir()) == []


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_download_leaves_nothing_behind(scripts, tmp_path, number):
    with FakeService(media=dripping(PLAIN, PHOTO[:100], endless=b"x")) as service:
        service._scripts["read"] = [answer(200, job_with("image", f"{service.origin}/media/1"))]
        process = scripts.start(
            "wait_generation.py", "--generation-id", "gen_1", "--base-url", service.base_url, "--output-dir", "out",
            env=WITH_KEY,
        )  # fmt: skip
        service.wait_for("GET", 2)
        while not list(tmp_path.glob("out/.ai-media-*")):
            assert process.poll() is None
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    run = Run(process.returncode, stdout, stderr)
    assert (run.code, run.result["event"]) == (128 + number, "interrupted")
    assert tree(tmp_path) == {} and run.result["next_command"]


@POSIX
def test_a_download_that_nobody_waits_for_any_more_leaves_nothing_behind(scripts, tmp_path):
    with FakeService(media=[PICTURE, dripping(PLAIN, PHOTO[:100], endless=b"x")]) as service:
        urls = [f"{service.origin}/media/{number}" for number in (1, 2)]
        started = threading.Event()
        service._scripts["read"] = [after(started, answer(200, job_with("image", *urls)))]
        process = scripts.start(
            "wait_generation.py", "--generation-id", "gen_1", "--base-url", service.base_url, "--output-dir", "out",
            env=WITH_KEY,
        )  # fmt: skip
        process.stdout.readline()
        process.stdout.close()
        started.set()
        assert process.wait(PATIENCE) == 141
    assert [name for name in tree(tmp_path) if name.endswith(".part")] == []


@pytest.mark.parametrize(
    "flag, value",
    [
        ("--output-dir", "file"),
        ("--output-dir", "file/below"),
        ("--output-dir", ""),
        ("--output-name", ""),
        ("--output-name", "../x"),
        ("--output-name", "a/b"),
        ("--output-name", "a\\b"),
        ("--output-name", "c:x"),
        ("--output-name", "a\nb"),
        ("--output-name", "{url}"),
        ("--output-name", "{n"),
        ("--output-name", "{n!r}"),
        ("--output-name", "{n.__class__}"),
        ("--output-name", "x" * 201),
        ("--max-file-size", "0"),
        ("--max-file-size", "-1"),
        ("--max-file-size", "4 elephants"),
        ("--max-file-size", "4ib"),
        ("--max-file-size", "nan"),
        ("--max-file-size", "9999999999999999999"),
        ("--max-total-size", "1e9"),
        ("--max-files", "0"),
        ("--max-pixels", "0"),
        ("--max-pixels", "many"),
        ("--download-timeout", "0"),
        ("--download-timeout", "inf"),
    ],
)
def test_a_flag_that_cannot_be_used_is_refused_before_anything_is_sent(scripts, tmp_path, flag, value):
    (tmp_path / "file").write_text("mine")
    with FakeService(create=stream(event("COMPLETED"))) as service:
        run = create(scripts, service, flag, value)
        assert (run.code, run.result["field"], service.connections) == (2, flag, 0), run.events


@POSIX
@pytest.mark.parametrize("way", ["base64 in the answer", "base64 in a stream", "a link"])
def test_memory_stays_flat_for_a_result_of_60_megabytes(scripts, tmp_path, way):
    # By way of a small process: what a large one forks is said to have been as large.
    measuring = (
        "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
        "sys.stderr.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)); sys.exit(code)"
    )

    def peak(service) -> float:
        words = [str(SCRIPTS / "wait_generation.py"), "--generation-id", "gen_1", "--base-url", service.base_url]
        if way == "base64 in a stream":
            words = [str(SCRIPTS / "create_and_wait.py"), *create_arguments(service)]
        done = subprocess.run(
            [sys.executable, "-c", measuring, sys.executable, *words, "--output-dir", "out"],
            capture_output=True, cwd=tmp_path, env=scripts.environment(**WITH_KEY), check=False, timeout=PATIENCE,
        )  # fmt: skip
        run = Run(done.returncode, done.stdout, b"")
        assert run.code == 0 and run.result["assets"][0]["media_type"] == "audio/wav", run.events
        return int(done.stderr.split()[-1]) / (1024 if sys.platform == "darwin" else 1)

    def sound(size: int) -> bytes:
        from real_files import wav

        head = wav(0, 0)()[:44]
        return head + random.Random(size).randbytes(size)

    def job_of(service, content: bytes):
        if way == "a link":
            service._scripts["media"] = [answer(200, content, media_type="audio/wav")]
            return answer(200, job_with("audio", f"{service.origin}/media/1"))
        return answer(200, job_with("audio", f"data:audio/wav;base64,{base64.b64encode(content).decode()}"))

    peaks = []
    with FakeService() as service:
        for size in (1000, 60_000_000):
            content = sound(size)
            if way == "base64 in a stream":
                told = f"data:audio/wav;base64,{base64.b64encode(content).decode()}"
                whole = f"data: {json.dumps(job_with('audio', told))}\n\n".encode()
                service._scripts["create"] = [stream(event(), whole)]
            else:
                service._scripts["read"] = [job_of(service, content)]
            peaks.append(peak(service))
            assert content in tree(tmp_path).values()
    assert peaks[1] - peaks[0] < 30_000, peaks  # KiB


# -- pure rooms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template, name",
    {
        names.DEFAULT: "a-service-model-20261121T063251Z-1",
        names.OF_PRACTICE: "a-service",
        "{date}-{n}.{ext}": "2026-11-21-1",
        "{task}-{n}": "1",
        "{task}{job}": "job_0123456789abcdef",
        "CON": "_CON",
        "nul.tar": "_nul.tar",
        "COM1": "_COM1",
        "lpt¹": "_lpt¹",
        "conx": "conx",
        "..": "result",
        ".hidden": "hidden",
        "-rf": "rf",
        "ends. . .": "ends",
        'a<b>|"c?*': "a-b-c",
        "Boot im Hafen №{n}": "Boot-im-Hafen-1",
        "лодка {n}": "лодка-1",
        "e\u0301": "é",
        "\u202egnp": "gnp",
    }.items(),
)
def test_a_name_is_one_that_every_system_takes(template, name):
    words = {"service": "A service", "model": "owner/model", "task": None, "job": "job_0123456789abcdef"}
    assert (
        names.FileName(names.check(template) if template.isprintable() else template, 1795242771.0, **words).of(1)
        == name
    )


def test_a_name_is_never_longer_than_file_systems_take():
    words = dict.fromkeys(("service", "model", "task", "job"), "x" * 500)
    for template in ("ф" * 200, "{service}{model}{task}{job}" * 7, names.DEFAULT):
        name = names.FileName(template, 0.0, **words).of(10_000)
        assert len(name.encode()) <= 200 and name == names.safe(name)


def test_no_text_at_all_makes_a_name_that_leads_elsewhere():
    from hypothesis import given
    from hypothesis import strategies as some

    @given(some.text(max_size=300))
    def safe(text: str) -> None:
        name = names.safe(text)
        assert name and len(name.encode()) <= 201 and not name.startswith((".", "-")) and not name.endswith((".", " "))
        assert all(letter.isalnum() or letter in "._-" for letter in name)
        assert os.path.basename(name) == name and name.split(".")[0].upper() not in ("CON", "NUL", "COM1", "AUX", "PRN")

    safe()


def saved(service, folder, outputs, **options) -> list:
    """What a Saver reports, in order, the last one its SavingEnded."""
    inbox = Inbox()
    name = names.FileName("stem-{n}", 0.0)
    save.Saver(save.SaveRequest(str(folder), name, service.base_url, **options), inbox).start(outputs)
    seen = [inbox.take(PATIENCE).content]
    while isinstance(seen[-1], save.AssetSaved):
        seen.append(inbox.take(PATIENCE).content)
    return seen


def test_what_is_finished_before_a_file_gets_its_name_is_what_is_told(tmp_path):
    calls = []

    def finishing(staging, media_type, number, output):
        calls.append((media_type, number, output["type"]))
        assert list(tmp_path.glob("stem*")) == []
        with open(staging, "ab") as file:
            file.write(b"more")

    with FakeService(media=PICTURE) as service:
        output = {"url": f"{service.origin}/media/1.png", "type": "image"}
        asset = saved(service, tmp_path, [output], finishing=finishing)[0].asset
    content = PNG + b"more"
    assert calls == [("image/png", 1, "image")]
    assert (asset["bytes"], asset["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    with open(asset["path"], "rb") as file:
        assert file.read() == content


# -- addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host, public, private",
    [
        ("93.184.216.34", True, True),
        ("2606:4700::1", True, True),
        ("10.0.0.1", False, True),
        ("198.18.0.7", False, True),
        ("127.0.0.1", False, True),
        ("fd00::2", False, True),
        ("::ffff:10.0.0.1", False, True),
        ("64:ff9b::a00:1", False, True),
        ("2002:a00:1::", False, False),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("fe80::1%eth0", False, False),
        ("224.0.0.1", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("::1", False, True),
        ("::7f00:1", False, True),
        ("::a9fe:a9fe", False, False),
        ("::ffff:0:127.0.0.1", False, True),
        ("64:ff9b:1::7f00:1", False, False),
        ("fec0::1", False, True),
        ("5f00::1", False, True),
    ],
)
def test_which_addresses_may_be_reached(host, public, private):
    from mediakit.http import peers

    assert (peers.is_public_peer(host), peers.is_private_peer(host)) == (public, private)


@pytest.mark.parametrize("host", ["①②⑦.0.0.1", "127。0。0。1", "127｡0｡0｡1", "１２７.0.0.1", "ⓛocalhost", "０x7f.1"])
def test_a_private_host_is_known_in_letters_that_become_others_on_the_way(host):
    from mediakit.http import addresses

    assert addresses.is_private_literal(host)


@POSIX
@pytest.mark.parametrize("allowed", [False, True])
def test_a_private_address_is_reached_only_where_the_user_allows_it(scripts, allowed):
    try:
        other = FakeService(media=PICTURE, host="127.0.0.2")
    except OSError:
        pytest.skip("this machine has no 127.0.0.2")
    with other, FakeService(media=redirect(f"{other.origin}/media/1.png")) as service:
        run = several(scripts, service, 1, *(["--allow-private-network"] if allowed else []))
    warned = [line["code"] for line in run.events if line["event"] == "warning"]
    expected = (0, 1, ["private_network_allowed"]) if allowed else (26, 0, [])
    assert (run.code, other.connections, warned) == expected, run.events


def test_a_link_local_address_is_not_reached_even_then():
    reach = download.Reach(None, allows_private=True)
    _, allows_peer = reach.peer_check(links.link("http://169.254.169.254/latest"))
    assert not allows_peer("169.254.169.254") and allows_peer("198.18.0.1")


def test_a_name_that_leads_to_a_private_address_is_told_by_the_connection(scripts):
    name = socket.gethostname()
    try:
        neighbour = FakeService(media=PICTURE, host=socket.gethostbyname(name))
    except OSError:
        pytest.skip("this machine's name leads nowhere")
    with neighbour, FakeService(read=answer(200, job_with("image", f"http://{name}:{neighbour.port}/media/1"))) as own:
        run = wait(scripts, own, "--output-dir", "out")
    assert (run.code, neighbour.requests) == (26, []), run.events
    assert "may not be contacted" in run.result["error"]["message"]


def test_a_proxy_of_the_environment_is_asked_for_the_hosts_of_results(scripts):
    with FakeService(other=PICTURE) as proxy:
        with FakeService(read=answer(200, job_with("image", "http://media.example/1.png"))) as service:
            run = wait(scripts, service, "--output-dir", "out", env={"http_proxy": proxy.origin})
        assert (run.code, [request.path for request in proxy.requests]) == (0, ["http://media.example/1.png"])


def test_behind_a_proxy_the_hosts_that_are_written_as_addresses_are_refused(scripts):
    with FakeService() as proxy:
        for url in ("http://10.0.0.1/x.png", "http://2130706433/x.png", "http://169.254.169.254/x.png"):
            with FakeService(read=answer(200, job_with("image", url))) as service:
                run = wait(scripts, service, "--output-dir", "out", env={"http_proxy": proxy.origin})
            assert (run.code, proxy.connections) == (26, 0), run.events


# -- a saver by itself -------------------------------------------------------------------------------------------


def test_what_killed_processes_left_is_removed_after_a_day(tmp_path):
    old, young, other = tmp_path / ".ai-media-a.part", tmp_path / ".ai-media-b.part", tmp_path / ".ai-media-c"
    for path in (old, young, other):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    with FakeService(media=PICTURE) as service:
        saved(service, tmp_path, [{"url": f"{service.origin}/media/1.png"}])
    assert not old.exists() and young.exists() and other.exists()
