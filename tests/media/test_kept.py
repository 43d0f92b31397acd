"""What was paid for is kept: real file x what the service said x what the network did -> name, warning, exit code.

`pytest -s tests/media/test_kept.py` also writes the table of what was kept as what.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import sys
from pathlib import Path

import pytest

from conftest import PATIENCE
from fake_service import FakeService, answer, job, page, ranged, redirect, wait
from mediakit.base.inbox import Inbox
from mediakit.http.addresses import origin_of
from mediakit.media import check, download, names, save
from real_files import BROKEN, FILES, FILMS, MODELS, PICTURES, SOUNDS, content, pillow

KINDS = {"image": PICTURES, "video": FILMS, "audio": SOUNDS, "model": MODELS}
# What the service says of a result: kind, media type.
TOLD = {
    "image": ("image", None),
    "video": ("video", None),
    "audio": ("audio", None),
    "3d": ("3d", None),
    "document": ("document", None),
    "nothing": (None, None),
    "image/png": ("image", "image/png"),
    "video/mp4": ("video", "video/mp4"),
}


@pytest.fixture(scope="module")
def host():
    with FakeService() as service:
        yield service


@pytest.fixture(scope="module")
def table():
    """What became of each pair; written at the end, for whoever runs with -s."""
    rows = {}
    yield rows
    counts: dict = {}
    for (name, told, fault), what in rows.items():
        counts.setdefault(what, []).append((name, told, fault))
    sys.stdout.write("\n\n| kept as | pairs |\n| --- | --- |\n")
    sys.stdout.writelines(f"| {what} | {len(pairs)} |\n" for what, pairs in sorted(counts.items()))


def saved(service, folder, outputs, saving: save.Saving | None = None, **options):
    """`([AssetSaved], [Noticed], SavingEnded)` of one Saver."""
    inbox = Inbox()
    saving = saving or save.Saving()
    name = names.FileName("stem-{n}", 0.0)
    saver = save.Saver(save.SaveRequest(str(folder), name, service.base_url, saving, **options), inbox)
    saver.start(outputs)
    seen = []
    while not (seen and isinstance(seen[-1], save.SavingEnded)):
        message = inbox.take(PATIENCE)
        assert message is not None, seen
        seen.append(message.content)
        if isinstance(seen[-1], save.LinkExpired):
            saver.renew(outputs)
    files = [one for one in seen if isinstance(one, save.AssetSaved)]
    return files, [one for one in seen if isinstance(one, save.Noticed)], seen[-1]


def output_of(service, told: str, path: str = "/media/1") -> dict:
    kind, media_type = TOLD[told]
    said = {"url": service.origin + path, "type": kind, "media_type": media_type}
    return {name: value for name, value in said.items() if value}


def kept(service, folder, name: str, told: str, media, saving=None, path="/media/1"):
    service._scripts["media"] = media if isinstance(media, list) else [media]
    return saved(service, folder, [output_of(service, told, path)], saving)


def differs(media_type: str, told: str) -> bool:
    """By hand, not by the code that is tested: what a person would call another kind."""
    kind = {"3d": "model"}.get(TOLD[told][0], TOLD[told][0])
    if kind not in KINDS or media_type.startswith(f"{kind}/"):
        return False
    return (kind, media_type) not in (
        ("video", "image/gif"),
        ("video", "image/webp"),
        ("model", "application/zip"),
    )


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("name", FILES)
def test_a_whole_file_is_kept_as_what_it_is(host, tmp_path, table, name, told):
    _, media_type, ending = FILES[name]
    whole = content(name)
    files, noticed, ended = kept(host, tmp_path, name, told, answer(200, whole, media_type="application/octet-stream"))
    assert ended == save.SavingEnded(None), ended
    (file,) = files
    assert os.path.basename(file.asset["path"]) == f"stem-1.{ending}"
    assert file.asset["media_type"] == media_type and "unverified" not in file.asset
    assert file.asset["sha256"] == hashlib.sha256(whole).hexdigest()
    assert Path(file.asset["path"]).read_bytes() == whole
    assert [one.code for one in noticed] == (["type_differs"] if differs(media_type, told) else [])
    table[name, told, ""] = f".{ending}{', type_differs' if noticed else ''}"


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_kept_as_unverified_until_it_is_accepted(host, tmp_path, table, name):
    _, ending = BROKEN[name]
    half = content(name)
    files, noticed, ended = kept(host, tmp_path, name, "nothing", answer(200, half))
    asset = files[0].asset
    assert os.path.basename(asset["path"]) == f"stem-1.unverified.{ending}" and Path(asset["path"]).read_bytes() == half
    assert asset["unverified"] and asset["warning"] in ended.problem and "stem-1.unverified" in ended.problem
    assert ended.acceptable and not noticed
    # The same bytes once more are no second file.
    again, _, ended = saved(host, tmp_path, [output_of(host, "nothing")], earlier=[asset])
    assert [one.asset["path"] for one in again] == [asset["path"]] and again[0].kept and ended.acceptable
    # Accepted, the file that is there gets its name, and nothing is fetched.
    before = len(host.requests)
    accepting = save.Saving(accepts_unverified=True)
    again, _, ended = saved(host, tmp_path, [output_of(host, "nothing")], accepting, earlier=[asset])
    assert ended == save.SavingEnded(None) and len(host.requests) == before
    assert os.listdir(tmp_path) == [f"stem-1.{ending}"] and again[0].asset["path"].endswith(f"stem-1.{ending}")
    assert again[0].asset["unverified"]
    table[name, "nothing", ""] = f".unverified.{ending}, exit code 26"


def test_what_is_accepted_from_the_start_gets_its_name_at_once(host, tmp_path):
    half = content("half a png")
    files, _, ended = kept(
        host, tmp_path, "half a png", "image", answer(200, half), save.Saving(accepts_unverified=True)
    )
    assert ended == save.SavingEnded(None) and os.listdir(tmp_path) == ["stem-1.png"]
    assert files[0].asset["unverified"]


# -- formats that nobody here knows ----------------------------------------------------------------------

RAW = bytes(itertools.chain.from_iterable((n * 7 % 256, 255 - n % 9) for n in range(5000)))


@pytest.mark.parametrize(
    "output, header, path, ending",
    [
        ({"media_type": "audio/pcm"}, "application/octet-stream", "/media/1", "pcm"),
        ({"media_type": "audio/L16;rate=24000"}, "application/octet-stream", "/media/1", "pcm"),
        ({"type": "audio"}, "audio/pcm", "/media/1", "pcm"),
        ({"type": "audio"}, "application/octet-stream", "/media/1.pcm?signature=.exe", "pcm"),
        ({"type": "audio"}, "application/octet-stream", "/media/1", "bin"),
        ({}, "application/x-msdownload", "/media/setup.exe", "bin"),
        # What has a mark of its own would have shown it.
        ({"media_type": "image/png"}, "image/png", "/media/1.png", "bin"),
        ({"media_type": "audio/mpeg"}, "audio/mpeg", "/media/1.mp3", "bin"),
    ],
)
def test_a_format_without_a_mark_is_kept_as_told_or_plainly(host, tmp_path, output, header, path, ending):
    host._scripts["media"] = [answer(200, RAW, media_type=header)]
    files, noticed, ended = saved(host, tmp_path, [{"url": host.origin + path, **output}])
    assert ended == save.SavingEnded(None) and os.path.basename(files[0].asset["path"]) == f"stem-1.{ending}"
    assert [one.code for one in noticed] == ["unknown_format"]


@pytest.mark.parametrize(
    "output, text, ending",
    [
        ({"type": "text"}, "A tin boat.", "txt"),
        ({"media_type": "text/plain"}, "A tin boat.", "txt"),
        ({"media_type": "text/csv"}, "a,b\n1,2\n", "csv"),
        ({"media_type": "text/markdown; charset=utf-8"}, "# A tin boat", "md"),
        ({"media_type": "application/json"}, '{"text": "a tin boat"}', "json"),
        ({"type": "document"}, '["a tin boat"]', "json"),
        ({"type": "subtitles"}, "A tin boat, at 00:01.", "txt"),
        ({"media_type": "application/xml"}, "<words>A tin boat</words>", "xml"),
    ],
)
def test_words_are_a_result_where_the_service_says_so(host, tmp_path, output, text, ending):
    host._scripts["media"] = [answer(200, text.encode(), media_type="application/octet-stream")]
    files, noticed, ended = saved(host, tmp_path, [{"url": f"{host.origin}/media/1", **output}])
    assert ended == save.SavingEnded(None) and os.path.basename(files[0].asset["path"]) == f"stem-1.{ending}"
    assert not noticed


PAGES = [
    b"<!DOCTYPE html><title>Sign in</title>",
    b"\xef\xbb\xbf\n <HTML><svg/></HTML>",
    b"<html><body><svg></svg></body></html>",
    b"<!-- cached --><!doctype html><svg>",
    b"<div><svg></svg></div>",
    b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a '<svg>'>]><Error/>",
    b'{"error": "expired", "asset": "a.png"}',
    b'  [{"message": "v 1 2 3"}]',
    "<html>Grüße".encode("utf-16"),
    b"<script>location='/'</script>",
]


@pytest.mark.parametrize("told", ["image", "video", "audio", "3d", "nothing", "image/png"])
@pytest.mark.parametrize("body", PAGES)
def test_an_error_page_is_never_kept(host, tmp_path, body, told):
    for header in ("text/html", "image/png"):
        files, _, ended = kept(host, tmp_path, "", told, answer(200, body, media_type=header))
        assert not files and "instead of a file" in ended.problem and not ended.acceptable
    assert os.listdir(tmp_path) == []


# -- what the network does to it -------------------------------------------------------------------------


def labelled(encoding: str):
    return lambda whole: answer(200, whole, {"Content-Encoding": encoding})


def one_more_byte(whole: bytes):
    """A whole answer that says how much more there is: nothing but the size of the file tells that it is not all."""
    half, size = len(whole) // 2, len(whole)
    where = f"bytes {half}-{half}/{size}"
    return answer(206, whole[half : half + 1], {"ETag": '"one"', "Content-Range": where})


FAULTS = {
    "cut, and gone on with": lambda whole: [ranged(whole, upto=len(whole) // 2), ranged(whole)],
    "gone on with in parts": lambda whole: [
        ranged(whole, upto=len(whole) // 2),
        one_more_byte(whole),
        ranged(whole),
    ],
    "cut, and no ranges": lambda whole: [ranged(whole, {}, len(whole) // 2), ranged(whole, {})],
    "not there yet": lambda whole: [page(404), page(404), answer(200, whole)],
    "busy": lambda whole: [page(503), page(524), answer(200, whole)],
    "accepted only": lambda whole: [answer(202, b""), answer(200, whole)],
    "a token too old": lambda whole: [page(400), answer(200, whole)],
    "told as a page": lambda whole: answer(200, whole, media_type="text/html"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["png", "jpeg", "wav of sox", "glb", "mp4", "mp3", "obj", "srt", "usdz"])
def test_a_file_is_kept_whole_through_faults(host, tmp_path, table, name, fault):
    whole, ending = content(name), FILES[name][2]
    files, _, ended = kept(host, tmp_path, name, "nothing", FAULTS[fault](whole))
    assert ended == save.SavingEnded(None), ended
    assert Path(files[0].asset["path"]).read_bytes() == whole and os.listdir(tmp_path) == [f"stem-1.{ending}"]
    table[name, "nothing", fault] = f".{ending}"


@pytest.mark.parametrize("name", ["png", "wav", "glb", "mp3", "obj"])
def test_a_body_that_is_shorter_than_its_length_is_never_kept(host, tmp_path, name):
    whole = content(name)
    files, _, ended = kept(host, tmp_path, name, "nothing", ranged(whole, {}, len(whole) // 2))
    assert not files and "cut short" in ended.problem and os.listdir(tmp_path) == []


# -- several results -------------------------------------------------------------------------------------


def test_a_cover_a_sound_track_and_subtitles_are_results_of_their_own(host, tmp_path):
    from real_files import SRT

    bodies = [content("mp4"), content("jpeg"), content("wav"), SRT.encode()]
    host._scripts["media"] = [answer(200, body) for body in bodies]
    files, noticed, ended = saved(host, tmp_path, [output_of(host, "video", f"/media/{n}") for n in range(4)])
    assert ended == save.SavingEnded(None) and not noticed
    assert sorted(os.listdir(tmp_path)) == ["stem-1.mp4", "stem-2.jpg", "stem-3.wav", "stem-4.srt"]
    assert [file.output["url"][-1] for file in files] == ["0", "1", "2", "3"]


def test_one_files_failure_costs_no_other(host, tmp_path):
    media = [answer(200, content("png")), page(418), answer(200, content("half a png")), answer(200, b"<html>")]
    host._scripts["media"] = [*media, answer(200, content("gif"))]
    files, _, ended = saved(host, tmp_path, [output_of(host, "image", f"/media/{n}") for n in range(5)])
    assert sorted(os.listdir(tmp_path)) == ["stem-1.png", "stem-3.unverified.png", "stem-5.gif"]
    assert "3 of 5" in ended.problem and not ended.acceptable and len(files) == 3


def test_a_fault_of_ours_in_one_file_costs_no_other(host, tmp_path, monkeypatch):
    looked = check.checked

    def failing(path, told, *rest):
        if "1" in told.kind:
            raise RuntimeError("a bug")
        return looked(path, told, *rest)

    monkeypatch.setattr(check, "checked", failing)
    host._scripts["media"] = [answer(200, content("png"))]
    url = f"{host.origin}/media/1"
    files, _, ended = saved(host, tmp_path, [{"url": url, "type": kind} for kind in ("1", "image")])
    assert [file.asset["number"] for file in files] == [2] and "RuntimeError" in ended.problem


# -- a job whose results an earlier command has saved ----------------------------------------------------


def test_what_is_there_already_is_told_again_and_not_fetched(host, tmp_path):
    files, _, _ = kept(host, tmp_path, "png", "image", answer(200, content("png")))
    before = len(host.requests)
    again, _, ended = saved(host, tmp_path, [output_of(host, "image")], earlier=[files[0].asset])
    assert ended == save.SavingEnded(None) and len(host.requests) == before
    assert [one.asset for one in again] == [files[0].asset] and again[0].kept and len(os.listdir(tmp_path)) == 1


@pytest.mark.parametrize("change", ["gone", "changed", "elsewhere", "another name"])
def test_what_is_not_there_as_it_was_is_fetched(host, tmp_path, change):
    out = tmp_path / "out"
    files, _, _ = kept(host, out, "png", "image", answer(200, content("png")))
    asset = dict(files[0].asset)
    if change == "gone":
        os.unlink(asset["path"])
    elif change == "changed":
        Path(asset["path"]).write_bytes(b"other")
    elif change == "elsewhere":
        out = tmp_path / "two"
    else:
        os.rename(asset["path"], out / "mine.png")
        asset["path"] = str(out / "mine.png")
    again, _, ended = saved(host, out, [output_of(host, "image")], earlier=[asset])
    assert ended == save.SavingEnded(None) and not again[0].kept
    assert Path(again[0].asset["path"]).read_bytes() == content("png")


def test_savers_that_work_in_one_folder_do_not_fail_each_other(host, tmp_path, monkeypatch):
    from mediakit.media import staging

    # What another saver has listed as its own is gone when this one looks at it.
    monkeypatch.setattr(staging, "_STALE_SECONDS", -1)
    listed = os.scandir

    class Gone:
        """A folder whose private files get their names between the listing and the look."""

        def __init__(self, folder):
            self._entries = listed(folder)

        def __enter__(self):
            return self

        def __exit__(self, *problem):
            self._entries.close()

        def __iter__(self):
            for entry in list(self._entries):
                if entry.name.endswith(".part"):
                    os.unlink(entry.path)
                yield entry

    (tmp_path / ".ai-media-x.part").write_bytes(b"half")
    monkeypatch.setattr(os, "scandir", Gone)
    _, _, ended = kept(host, tmp_path, "png", "image", answer(200, content("png")))
    assert ended == save.SavingEnded(None)


# -- files that are only given with the key ---------------------------------------------------------------


def test_a_key_goes_to_the_services_own_files_and_nowhere_else(host, tmp_path):
    with FakeService(media=answer(200, content("png"))) as cdn, FakeService() as other:
        credential = download.Credential("Authorization", "Bearer x", frozenset([origin_of(host.origin)]))
        host._scripts["media"] = [redirect(f"{host.origin}/media/moved"), answer(200, content("png"))]
        outputs = [
            {"url": f"{host.origin}/media/1", "with_key": True},
            {"url": f"{host.origin}/media/2"},
            {"url": f"{cdn.origin}/media/3", "with_key": True},
        ]
        saving, before = save.Saving(allows_private=True), len(host.requests)
        _, _, ended = saved(host, tmp_path, outputs, saving, credential=credential)
        assert ended == save.SavingEnded(None) and not other.requests
        carried = ["authorization" in request.headers for request in [*host.requests[before:], *cdn.requests]]
    assert carried == [True, False, False, False]


# -- pictures --------------------------------------------------------------------------------------------


def test_a_flag_bounds_the_pixels_that_are_looked_at(host, tmp_path):
    picture = answer(200, content("png"))
    _, _, ended = kept(host, tmp_path, "png", "image", picture, save.Saving(most_pixels=96 * 64 - 1))
    assert "--max-pixels" in ended.problem and ended.acceptable
    _, _, ended = kept(host, tmp_path, "png", "image", picture, save.Saving(most_pixels=96 * 64))
    assert ended == save.SavingEnded(None)


def test_what_pillow_warns_of_does_not_reach_stderr(scripts):
    tag = b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\0\3\0\0\0\1\0\1"
    whole = pillow("JPEG", exif=tag)()
    with FakeService(media=answer(200, whole, media_type="image/jpeg")) as service:
        service._scripts["read"] = [answer(200, job("COMPLETED", f"{service.origin}/media/1"))]
        run = wait(scripts, service, "--output-dir", "out", env={"PYTHONWARNINGS": "error"})
    assert (run.code, run.stderr) == (0, ""), run.stderr


# -- test data from the field ----------------------------------------------------------------------------

FIELD = Path(os.environ.get("AI_MEDIA_TEST_DATA", "")) / "cases/media"
# name of the file -> its ending as a result, where that is not its own
FIELD_ENDINGS = {"a.pcm": "bin"}


@pytest.mark.parametrize("told", ["image", "video", "audio", "nothing"])
@pytest.mark.parametrize("path", sorted(FIELD.glob("*.*")) if "AI_MEDIA_TEST_DATA" in os.environ else [])
def test_files_from_the_field_are_kept(host, tmp_path, path, told):
    whole = path.read_bytes()
    files, noticed, ended = kept(host, tmp_path, path.name, told, answer(200, whole))
    assert ended == save.SavingEnded(None), ended
    assert os.listdir(tmp_path) == [f"stem-1.{FIELD_ENDINGS.get(path.name, path.suffix[1:])}"]
    assert Path(files[0].asset["path"]).read_bytes() == whole
    told_codes = {one.code for one in noticed}
    assert told_codes <= {"type_differs", "unknown_format"} and ("unknown_format" in told_codes) == (
        path.name == "a.pcm"
    )
