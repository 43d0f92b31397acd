"""A 2xx to a paid request that holds the result in place of a job's id is the result; every other one is kept whole."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys

import pytest

from conftest import MP4, PATIENCE, ROOT, SCRIPTS
from fake_service import COMPLETED, PNG, WITH_KEY, FakeService, answer, create, create_arguments, stream
from real_files import wav

PICTURE = base64.b64encode(PNG).decode()
DATA_URL = f"data:image/png;base64,{PICTURE}"
OUTPUT = {"data": {"type": "image", "images": [{"url": DATA_URL}]}}


def text(words: str, media_type: str = "text/plain"):
    return answer(200, words.encode(), media_type=media_type)


# the answer -> the bytes of the file that it is
RESULTS = {
    "a picture": (answer(200, PNG, media_type="image/png"), PNG),
    "a picture under no type": (answer(201, PNG, media_type=""), PNG),
    "a picture that is called JSON": (answer(200, PNG), PNG),
    "a film": (answer(200, MP4, media_type="video/mp4"), MP4),
    "media of a format that nobody knows": (
        answer(200, b"\x00\x99odd" * 40, media_type="audio/x-odd"),
        b"\x00\x99odd" * 40,
    ),
    "a data: URL": (text(DATA_URL), PNG),
    "a data: URL in JSON": (answer(200, DATA_URL), PNG),
    "base64": (text(PICTURE), PNG),
    "base64 in lines": (text(base64.encodebytes(PNG).decode()), PNG),
    "base64 in JSON": (answer(200, {"data": [{"b64_json": PICTURE}]}), PNG),
    "base64 under a name of its own": (answer(200, {"ok": True, "result": {"bytes": PICTURE}}), PNG),
    "an output without an id": (answer(200, OUTPUT), PNG),
    "an output, twice": (answer(200, (json.dumps(OUTPUT) + "\n").encode() * 2), PNG),
    "an output with the end of chunks behind it": (answer(200, json.dumps(OUTPUT).encode() + b"\r\n0\r\n\r\n"), PNG),
    "an output behind a guard": (answer(200, b")]}',\n" + json.dumps(OUTPUT).encode()), PNG),
    "a picture that is said to be compressed": (
        answer(200, PNG, {"Content-Encoding": "gzip"}, media_type="image/png"),
        PNG,
    ),
    "a picture with many headers": (
        answer(200, PNG, {f"X-{number}": "a" for number in range(300)}, media_type="image/png"),
        PNG,
    ),
}


@pytest.mark.parametrize("name", RESULTS)
def test_an_answer_that_is_the_result_is_saved_and_delivered(scripts, name):
    answered, content = RESULTS[name]
    streams = len(name) % 2 == 0  # both ways of asking meet answers of each kind
    with FakeService(create=answered, read=COMPLETED) as service:
        run = create(scripts, service, "--output-dir", "out", streams=streams)
        assert (run.code, run.result["ok"], service.posts(), service.count("GET")) == (0, True, 1, 0), run.events
    (file,) = [path for path in (scripts.folder / "out").iterdir() if path.suffix != ".json"]
    assert file.read_bytes() == content and not list((scripts.folder / "state").glob("kept/*"))
    shown = scripts.run("jobs.py", "list").first("job")
    assert (shown["outcome"], shown["delivered"]) == ("accepted", True)


# what is none, whatever it looks like: the outcome stays unknown
NO_RESULTS = {
    "words": text("We are working on it."),
    "an HTML page": answer(200, b"<html><body>502</body></html>", media_type="image/png"),
    "JSON under the type of a picture": answer(200, {"error": "no"}, media_type="image/png"),
    "an XML error": answer(
        200, b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", media_type="video/mp4"
    ),
    "our own picture, repeated": answer(200, {"input": {"image": DATA_URL}}),
    "a long word": answer(200, {"token": "A" * 400}),
    "a page as a data: URL": text("data:text/html;base64,PGh0bWw+"),
    "nothing": answer(204, b""),
    "nothing of a picture": answer(200, b"", media_type="image/png"),
}


@pytest.mark.parametrize("name", NO_RESULTS)
def test_an_answer_that_is_no_result_stays_unknown_and_is_kept(scripts, name):
    with FakeService(create=NO_RESULTS[name], read=COMPLETED) as service:
        run = create(scripts, service, "--output-dir", "out", streams=False)
        assert (run.code, run.result["outcome"], service.posts()) == (12, "unknown", 1), run.events
        assert ("kept" in run.result) is not name.startswith("nothing")


# streams that never tell an id, each with its end -> what is kept of it
SAID = b'data: {"status":"IN_QUEUE","ticket":"t-77"}\n\n'
WITHOUT_ID = {
    "to its end": (stream(SAID), SAID),
    "reset": (stream(SAID, end="reset"), SAID),
    "silent": (stream(SAID, end="hold"), SAID),
    "a comment": (stream(b": ticket t-77\n\n"), b": ticket t-77\n\n"),
    "an event in the middle": (stream(SAID[:20]), SAID[:20]),
    "nothing": (stream(), b""),
}


@pytest.mark.parametrize("name", WITHOUT_ID)
def test_a_stream_that_never_tells_an_id_is_kept_whole(scripts, name):
    answered, said = WITHOUT_ID[name]
    with FakeService(create=answered) as service:
        run = create(scripts, service, "--sse-request-timeout", "5")
        assert (run.code, run.result["outcome"], service.posts()) == (12, "unknown", 1), run.events
    assert ("kept" in run.result) is bool(said), run.result
    if said:
        with open(run.result["kept"], "rb") as file:
            assert file.read().startswith(said)


SRT, VTT = "1\n00:00:00,000 --> 00:00:02,000\nA tin boat.\n", "WEBVTT\n\n00:00.000 --> 00:02.000\nA tin boat.\n"
# what a model that makes words answers -> the end of the file's name
TEXTS = [
    (text("a tin boat"), "txt"), (answer(200, "a tin boat"), "txt"), (text("a tin boat", ""), "txt"),
    (text(SRT), "srt"), (text(SRT, "application/x-subrip"), "srt"), (text(VTT, "text/vtt"), "vtt"),
]  # fmt: skip


def test_a_text_is_the_result_where_one_was_asked_for(scripts):
    where = ["--provider", "skills-video", "--task", "stt", "--model", "owner/model", "--stream", "never"]
    for answered, ending in TEXTS:
        with FakeService(create=answered) as service:
            run = scripts.run(
                "create_and_wait.py", *where, "--base-url", service.base_url, "--no-validate",
                "--payload", '{"audio_url": "https://a.example/a.mp3"}', "--output-dir", "out", env=WITH_KEY,
            )  # fmt: skip
            assert run.code == 0, run.events
        (asset,) = run.result["assets"]
        with open(asset["path"], encoding="utf-8") as file:
            assert asset["path"].endswith(f".{ending}") and "tin boat" in file.read()


@pytest.mark.parametrize("flags", [(), ("--output-dir", "out")], ids=["told", "saved"])
def test_the_transcript_of_silence_is_a_result(scripts, flags):
    (scripts.folder / "still.wav").write_bytes(wav()())
    where = ("--provider", "openai", "--task", "stt", "--input", "audio=still.wav")
    for answered in (answer(200, {"text": ""}), text("\n"), answer(200, {"text": "a tin boat"})):
        with FakeService(create=answered) as service:
            arguments = (*where, "--base-url", service.base_url, *flags)
            run = scripts.run("create_and_wait.py", *arguments, env={"OPENAI_API_KEY": "your_api_key_here1"})
            assert (run.code, run.result["ok"], service.posts()) == (0, True, 1), run.events
        for asset in run.result.get("assets", ()):
            assert asset["path"].endswith(".txt") and asset["media_type"] == "text/plain"


def test_what_could_not_be_saved_of_it_is_kept(scripts):
    with FakeService(create=answer(200, PNG, media_type="image/png")) as service:
        run = create(scripts, service, streams=False)
        assert (run.code, run.result["ok"]) == (0, True), run.events
        with open(run.result["kept"], "rb") as file:
            assert file.read() == PNG
        # It is saved from there, by the command that the event offers, and then it is kept no longer.
        _, script, *words = run.result["next_argv"]
        saved = scripts.run(os.path.basename(script), *words, "--output-dir", "out", env=WITH_KEY)
        assert (saved.code, saved.result["ok"], service.count("GET")) == (0, True, 0), saved.events
        with open(saved.result["assets"][0]["path"], "rb") as file:
            assert file.read() == PNG
        assert not os.path.exists(run.result["kept"]) and "kept" not in saved.result
        again = scripts.run("jobs.py", "download", run.result["job"], "--base-url", service.base_url, env=WITH_KEY)
        assert (again.code, again.result["error"]) == (23, "job_not_found")


def test_a_result_whose_command_is_killed_before_it_is_saved_is_kept_and_found(scripts):
    """It goes beside the ledger first: nobody can ask for it again."""

    def killed_at(point: int, intent: str):
        arguments = create_arguments(service, "--output-dir", "out", "--intent", intent, streams=False)
        command = [sys.executable, str(ROOT / "tests/killer.py"), str(point), str(SCRIPTS / "create_and_wait.py")]
        options = {"env": scripts.environment(**WITH_KEY), "cwd": scripts.folder, "timeout": PATIENCE}
        return arguments, subprocess.run([*command, *arguments], capture_output=True, check=False, **options)

    with FakeService(create=answer(200, PNG, media_type="image/png")) as service:
        points = int(re.search(rb"points=(\d+)", killed_at(0, "undisturbed")[1].stderr)[1])
        for back in range(3, points):
            arguments, ended = killed_at(points - back, f"killed {back}")
            left = list((scripts.folder / "state/kept").iterdir())
            if ended.returncode == -9 and left:
                break
        bought = service.posts()
        again = scripts.run("create_and_wait.py", *arguments, env=WITH_KEY)
        assert (again.code, again.names[1:3], service.posts()) == (0, ["resumed", "asset"], bought), again.events
        assert not left[0].exists()


LARGE = 24 * 1024 * 1024
# media type, the beginning, what repeats behind it -> exit code, saved
LARGE_ANSWERS = {
    "a picture": ("image/png", PNG, b"\0" * 1024, 0, True),
    "a text": ("text/plain", b"words ", b"words " * 200, 12, False),
}


def large(media_type: str, begin: bytes, again: bytes):
    def handler(exchange) -> None:
        exchange.head(200, {"Content-Type": media_type, "Content-Length": LARGE})
        exchange.send(begin)
        left = LARGE - len(begin)
        while left > 0:
            piece = (again * (256 * 1024 // len(again) + 1))[: min(left, 256 * 1024)]
            exchange.send(piece)
            left -= len(piece)

    return handler


# Runs the command behind it, and says how much memory that took at the most.
MEASURE = (
    "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]);"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(code)"
)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux tells it")
@pytest.mark.parametrize("name", LARGE_ANSWERS)
def test_an_answer_of_any_size_is_kept_with_flat_memory(scripts, name):
    media_type, begin, again, code, is_saved = LARGE_ANSWERS[name]
    with FakeService(create=large(media_type, begin, again)) as service:
        prefix = (sys.executable, "-c", MEASURE)
        run = create(scripts, service, "--output-dir", "out", streams=False, prefix=prefix)
        assert run.code == code, run.events
    peak = int(run.stderr.split()[-1]) / 1024
    assert peak < 60, "more than the program itself and a little"
    where = scripts.folder / ("out" if is_saved else "state/kept")
    (file,) = [path for path in where.iterdir() if path.suffix != ".json"]
    with open(file, "rb") as content:
        assert content.read(len(begin)) == begin and file.stat().st_size == LARGE
