"""The sandbox as other programs see it, and its files."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import subprocess
import urllib.request

import pytest

from conftest import PATIENCE, ROOT, read_events
from mediakit.sandbox import Sandbox


def get(url: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=PATIENCE) as answer:
        return answer.read()


def test_its_picture_shows_the_prompt_and_says_what_it_is(scripts):
    from PIL import Image

    run = scripts.run(
        "create_and_wait.py", "--provider", "sandbox", "--task", "t2i", "--prompt", "a tin boat", "--param",
        "aspect_ratio=16:9", "--output-dir", "out",
    )  # fmt: skip
    asset = run.first("asset")
    with Image.open(asset["path"]) as picture:
        picture.load()
        assert picture.size == (asset["width"], asset["height"]) == (768, 432)
        assert "a tin boat" in picture.text["Description"] and "SANDBOX" in picture.text["Description"]
        plain = Image.new("RGB", picture.size)
        assert picture.convert("RGB").getcolors(1 << 24) != plain.getcolors()


def test_its_video_is_a_playable_container(scripts):
    run = scripts.run(
        "create_and_wait.py", "--provider", "sandbox", "--task", "t2v", "--prompt", "rain", "--output-dir", "out"
    )
    asset = run.first("asset")
    content = open(asset["path"], "rb").read()
    assert (asset["media_type"], content) == ("video/mp4", (ROOT / "assets/sandbox.mp4").read_bytes())
    boxes, at = [], 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        boxes.append(content[at + 4 : at + 8])
        at += size
    assert at == len(content) and {b"ftyp", b"moov", b"mdat"} <= set(boxes)


def test_another_process_goes_on_with_its_jobs(scripts):
    created = scripts.run(
        "create_and_wait.py", "--provider", "sandbox", "--task", "t2i", "--prompt", "a tin boat", "--no-wait"
    ).result
    assert (created["event"], created["exit_code"]) == ("submitted", 0)
    ended = subprocess.run(
        created["next_command"] + " --output-dir out", shell=True, capture_output=True,
        env=scripts.environment(), cwd=scripts.folder,
    )  # fmt: skip
    assert read_events(ended.stdout)[-1]["ok"] is True
    assert len(list((scripts.folder / "out").glob("*.png"))) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_other_programs_until_it_is_stopped(scripts, number):
    process = scripts.start("sandbox.py", "--fault", "create-402")
    ready = json.loads(process.stdout.readline())
    assert ready["event"] == "ready" and ready["fault"] == "create-402"
    assert json.loads(get(ready["url"] + "/credits"))["total"] > 0
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert read_events(stdout)[-1]["exit_code"] == process.returncode == 128 + number
    assert stderr == b""


def test_a_port_that_is_taken_is_a_bad_argument(scripts, sandbox):
    run = scripts.run("sandbox.py", "--port", sandbox.url.rpartition(":")[2])
    assert (run.code, run.result["field"]) == (2, "--port")


def test_it_lists_the_jobs_that_run_with_what_was_asked_for(scripts, sandbox):
    from mediakit.sandbox.store import Store

    job = sandbox.store.add("owner/name", "image", {"prompt": "a tin boat"}, "job-slow")
    listed = json.loads(get(sandbox.url + "/api/v1/generations/running?limit=5"))
    assert [(entry["id"], entry["input"]) for entry in listed] == [(job.id, {"prompt": "a tin boat"})]
    assert isinstance(sandbox.store, Store)


@pytest.mark.skipif(os.name == "nt", reason="modes are a matter of POSIX systems")
def test_what_was_asked_for_is_for_its_user_alone(tmp_path):
    from mediakit.sandbox.store import Store

    tmp_path.chmod(0o755)
    store = Store(str(tmp_path))
    store.add("owner/name", "image", {"prompt": "a secret"}, None)
    assert not [path for path in tmp_path.iterdir() if path.stat().st_mode & 0o077]


def test_a_table_is_read_by_the_same_rules_in_every_process(tmp_path):
    from mediakit.sandbox.store import Store, progress

    first, second = Store(str(tmp_path)), Store(str(tmp_path))
    job = first.add("owner/name", "image", {}, None)
    assert second.find(job.id) == job
    assert [progress(job, job.created + age) for age in (0, 0.3, 0.7)] == ["queued", "running", "done"]
    assert [first.count_poll(job.id), second.count_poll(job.id)] == [1, 2]


def test_long_and_strange_prompts_are_drawn():
    from PIL import Image

    from mediakit.sandbox import media

    for prompt in ("", "x" * 5000, "wort " * 3000, "a\nb\x00\u202e\ud800", "日本語 😀"):
        for ratio in ("1:1", "9:16", "1000:1", "0:0", "auto", 5):
            content = media.render("image", {"prompt": prompt, "aspect_ratio": ratio}, 1)
            Image.open(io.BytesIO(content)).verify()


def test_without_a_writable_state_folder_it_still_works_and_says_so(scripts):
    (scripts.folder / "file").write_text("not a folder", encoding="utf-8")
    run = scripts.run(
        "create_and_wait.py", "--provider", "sandbox", "--task", "t2i", "--prompt", "a tin boat",
        env={"AI_MEDIA_HOME": str(scripts.folder / "file")},
    )  # fmt: skip
    assert run.code == 0 and run.first("warning")["code"] == "state_folder"


@pytest.mark.parametrize("there", ["a folder", "garbage", "no folder around it"])
def test_a_file_that_cannot_be_used_is_done_without(tmp_path, there):
    file = tmp_path / "sandbox-jobs.sqlite3"
    if there == "a folder":
        file.mkdir()
    elif there == "garbage":
        file.write_bytes(b"garbage" * 1000)
    folder = tmp_path / "none" if there.startswith("no") else tmp_path
    with Sandbox(str(folder), "skills-video") as sandbox:
        assert str(folder) in sandbox.note
        job = sandbox.store.add("owner/model", "image", {}, None)
        assert sandbox.store.find(job.id) == job
    assert there != "garbage" or file.read_bytes() == b"garbage" * 1000


@pytest.mark.skipif(os.name == "nt", reason="resource limits")
def test_a_full_disk_is_told_as_that(scripts):
    limited = ("sh", "-c", 'ulimit -f 0; exec "$@"', "sh")
    run = scripts.run("create_and_wait.py", "--provider", "sandbox", "--task", "t2i", "--prompt", "x", prefix=limited)
    assert (run.code, run.result["error"], run.first("warning")["code"]) == (27, "ledger_unusable", "state_folder")


def test_it_serves_the_contract_that_it_checks_requests_against(scripts, sandbox):
    run = scripts.run(
        "inspect_openapi.py", "--openapi", sandbox.url + "/openapi.json", "--endpoint",
        "/generation/kling-ai/v3/video", "--validate", '{"promt": "x"}',
    )  # fmt: skip
    assert (run.code, run.result["ok"]) == (22, False)


@pytest.mark.parametrize("kept", [True, False])
def test_many_jobs_at_once_are_all_accepted(tmp_path, kept):
    from concurrent.futures import ThreadPoolExecutor

    from mediakit.sandbox.store import Store

    store = Store(str(tmp_path) if kept else None)
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda number: store.add("owner/name", "image", {"n": number}, None), range(200)))
        assert sorted(pool.map(lambda job: store.count_poll(job.id), jobs)) == [1] * 200
    assert {job.id for job in store.newest(1000)} == {job.id for job in jobs}


# Host, and what else a request carries -> whether it is answered; {host} is the server's own
ASKERS = [
    ("{host}", {}, True), ("localhost:{port}", {}, True), ("LOCALHOST:{port}", {}, True), ("{name}", {}, True),
    ("localhost:1234", {}, True), ("{host}", {"Origin": "http://{host}"}, True),
    ("{host}", {"Sec-Fetch-Site": "same-origin"}, True), ("{host}", {"Sec-Fetch-Site": "none"}, True),
    ("elsewhere.example", {}, False), ("elsewhere.example:{port}", {}, False), ("localhost.elsewhere.example", {}, False),
    ("{host}.elsewhere.example", {}, False), ("", {}, False), (None, {}, False), ("{host},elsewhere.example", {}, False),
    ("user@{host}", {}, False), ("localhost:x", {}, False), ("0.0.0.0:{port}", {}, False),
    ("elsewhere.example", {"Origin": "http://elsewhere.example"}, False),
    ("{host}", {"Origin": "https://elsewhere.example"}, False), ("{host}", {"Origin": "null"}, False),
    ("{host}", {"Origin": "http://{name}:1"}, False), ("{host}", {"Origin": "https://{host}"}, False),
    ("{host}", {"Origin": ""}, False), ("{host}", {"Sec-Fetch-Site": "cross-site"}, False),
]  # fmt: skip


@pytest.mark.parametrize("method, path", [("POST", "/api/v1/generation/owner/model"), ("GET", "/openapi.json")])
def test_a_page_in_a_browser_gets_no_answer(sandbox, method, path):
    here = sandbox.url.removeprefix("http://")
    words = {"host": here, "name": here.partition(":")[0], "port": here.partition(":")[2]}
    for host, more, is_answered in ASKERS:
        connection = http.client.HTTPConnection(here, timeout=PATIENCE)
        connection.putrequest(method, path, skip_host=True)
        for name, value in {"Host": host, "Content-Length": "2", **more}.items():
            if value is not None:
                connection.putheader(name, value.format(**words))
        jobs = len(sandbox.store.newest(1000))
        connection.endheaders(b"{}")
        answer = connection.getresponse()
        assert (answer.status != 403) == is_answered, (host, more, answer.status)
        assert "Access-Control-Allow-Origin" not in answer.headers
        connection.close()
        assert is_answered or len(sandbox.store.newest(1000)) == jobs
