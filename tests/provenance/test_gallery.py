"""The page of results: what is in it, what can never be, and how it behaves in a real browser."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import stat
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from browser import Browser, executable
from conftest import MP4, ROOT
from fake_service import PNG
from mediakit import __version__
from mediakit.provenance import gallery, metadata

WAV = b"RIFF" + struct.pack("<I", 8036) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
WAV += b"data" + struct.pack("<I", 8000) + bytes(8000)
CONTENTS = {"png": PNG, "mp4": MP4, "wav": WAV, "glb": b"glTF" + bytes(20)}
TYPES = {"png": "image/png", "mp4": "video/mp4", "wav": "audio/wav", "glb": "model/gltf-binary"}
POSIX = pytest.mark.skipif(os.name == "nt", reason="links, modes and odd names are a matter of POSIX systems")

HOSTILE = (
    "</script><script>window.harmed = 1</script>",
    "<img src=x onerror='window.harmed = 1'>",
    "<!--<script>",
    "\"'`${window.harmed = 1}{{data}}{{policy}}",
    "javascript:window.harmed=1",
    "\u202eturned round\u2066 and \u2028 cut\x00\x1b[2J\x07\x9b",
    "\ud800 half a letter",
    "long " * 2000,
    "__proto__",
)


def put(folder, name: str, prompt: str = "a tin boat", at: int = 0, content: bytes | None = None, **more) -> dict:
    """One file and its record in a folder; `at` in minutes."""
    ending = name.rpartition(".")[2]
    (folder / name).write_bytes(CONTENTS[ending] if content is None else content)
    record = {
        "format": "ai-media/provenance",
        "version": 1,
        "tool": {"name": "ai-media", "version": __version__},
        "provider": "skills-video",
        "model": "owner/model",
        "task": "t2i",
        "payload": {"prompt": prompt, "seed": 7},
        "job": "job_0123456789abcdef",
        "generation_id": name,
        "cost": {"amount": 12, "unit": "credits"},
        "times": {"created_at": f"2026-01-01T{at // 60:02d}:{at % 60:02d}:00.000Z"},
        "output": 1,
        "source": {"url": "https://m.example/1.png"},
        "file": {"name": name, "bytes": 1, "sha256": "0" * 64, "media_type": TYPES[ending]},
        **more,
    }
    (folder / f"{name}.json").write_text(json.dumps(record))
    return record


def data_of(folder) -> list[dict]:
    page = (folder / "gallery.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])["results"]


def entries(folder) -> list[dict]:
    gallery.write(str(folder))
    return data_of(folder)


# -- what is in the page -------------------------------------------------------------------------------


def test_the_page_shows_what_was_made(scripts):
    for task in ("t2i", "t2v"):
        scripts.run(
            "create_and_wait.py", "--provider", "sandbox", "--task", task, "--prompt", "x", "--output-dir", "out"
        )
    run = scripts.run("jobs.py", "gallery", "--output-dir", "out")
    path = scripts.folder / "out" / "gallery.html"
    assert (run.code, run.result["path"], run.result["files"]) == (0, str(path), 2) and "omitted" not in run.result
    shown = data_of(path.parent)
    assert [entry["kind"] for entry in shown] == ["video", "image"]  # the newest first
    assert shown[0]["prompt"] == "x" and shown[0]["cost"][1] == "credits" and shown[0]["seconds"] > 0
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [name for name in os.listdir(path.parent) if name.startswith(".")]


def test_it_is_about_the_working_directory_unless_told_otherwise(scripts):
    run = scripts.run("jobs.py", "gallery")
    assert (run.result["path"], run.result["files"]) == (str(scripts.folder / "gallery.html"), 0)


def test_it_needs_no_ledger(scripts):
    (scripts.folder / "file").write_text("")
    env = {"AI_MEDIA_HOME": str(scripts.folder / "file" / "no")}
    assert scripts.run("jobs.py", "gallery", env=env).code == 0


def test_a_record_does_not_make_a_drawing_something_that_is_opened(tmp_path):
    # A drawing that is opened by itself runs its code.
    drawing = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    for number, said in enumerate(("image/png", "text/plain", "model/x", "IMAGE/SVG+XML")):
        record = put(tmp_path, f"x-{number}.png", file={"name": f"{number}.SVG", "media_type": said})
        (tmp_path / f"{number}.SVG").write_bytes(drawing)
        (tmp_path / f"{number}.SVG.json").write_text(json.dumps(record))
    shown = [entry for entry in entries(tmp_path) if entry["name"].endswith(".SVG")]
    assert len(shown) == 4 and all((entry["type"], entry["kind"]) == ("image/svg+xml", "image") for entry in shown)


def test_a_folder_may_be_called_like_the_place_of_a_name(tmp_path):
    folder = tmp_path / "NAMES"
    folder.mkdir()
    put(folder, "x-1.png")
    assert shlex.split(entries(folder)[0]["again"])[-3:] == [f"{folder}/x-1.png.json", "--output-dir", str(folder)]


@POSIX
def test_a_folder_whose_name_is_no_text_has_its_page_too(tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    inside = type(tmp_path)(os.fsdecode(folder))
    put(inside, "x-1.png")
    assert "again" not in entries(inside)[0]


def test_the_command_makes_the_same_again(scripts, tmp_path):
    folder = tmp_path / "some 'odd' $folder"
    folder.mkdir()
    put(
        folder, "x-1.png", "$(touch harmed); `touch harmed`", model="bytedance/seedream-4.5", payload={"prompt": "$(x)"}
    )
    entry = entries(folder)[0]
    _, script, *flags = shlex.split(entry["again"])
    assert "$(x)" not in entry["again"] and flags == ["--from", f"{folder}/x-1.png.json", "--output-dir", str(folder)]
    run = scripts.run(os.path.basename(script), *flags, "--dry-run")
    assert run.result["request"]["body"] == {"prompt": "$(x)"}


@pytest.mark.parametrize(
    "more", [{"payload": None, "payload_omitted": True}, {"left_out": ["image"]}], ids=["no payload", "a part"]
)
def test_what_cannot_be_made_again_has_no_command(tmp_path, more):
    record = put(tmp_path, "x-1.png", **more)
    kept = {name: value for name, value in record.items() if value is not None}
    (tmp_path / "x-1.png.json").write_text(json.dumps(kept))
    assert "again" not in entries(tmp_path)[0] and entries(tmp_path)[0]["note"]


@POSIX
def test_an_odd_name_is_a_relative_path_and_never_in_a_command(tmp_path):
    names = [
        "javascript:window.harmed=1.png",
        "a b#c?d%20.png",
        "-rf.png",
        "$(x).png",
        "'\"><img>.png",
        "ü\u202e.png",
        "\udcff.png",
    ]
    for name in names:
        (tmp_path / name).write_bytes(PNG)
        with open(os.fsencode(tmp_path) + b"/" + os.fsencode(name) + b".json", "w") as file:
            json.dump({**put_nothing(), "file": {"name": name}}, file)
    shown = entries(tmp_path)
    assert len(shown) == len(names)
    for entry in shown:
        assert re.fullmatch(r"\./[A-Za-z0-9_.~%-]+", entry["src"]) and "again" not in entry


def put_nothing() -> dict:
    return {"format": "ai-media/provenance", "version": 1, "provider": "skills-video", "payload": {}}


def test_files_without_a_record_are_shown_with_what_is_known(tmp_path):
    (tmp_path / "plain.png").write_bytes(PNG)
    (tmp_path / "notes.txt").write_text("no medium")
    (tmp_path / ".hidden.png").write_bytes(PNG)
    (tmp_path / "inside.mp4").write_bytes(MP4)
    record = {**put_nothing(), "payload": {"prompt": "from inside"}}
    metadata.embed(str(tmp_path / "inside.mp4"), "video/mp4", json.dumps(record))
    shown = {entry["name"]: entry for entry in entries(tmp_path)}
    assert set(shown) == {"plain.png", "inside.mp4"}
    assert shown["inside.mp4"]["prompt"] == "from inside" and "inside.mp4" in shown["inside.mp4"]["again"]
    assert shown["plain.png"]["note"].startswith("Nothing is known") and shown["plain.png"]["bytes"] == len(PNG)


def test_a_record_without_its_file_is_counted_and_leads_nowhere_else(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "secret.png").write_bytes(PNG)
    put(tmp_path / "out", "x-1.png")
    for number, name in enumerate(
        ["gone.png", "../secret.png", str(tmp_path / "secret.png"), "..", "", 5, None, ["x"]]
    ):
        path = tmp_path / "out" / f"{number}.json"
        path.write_text(json.dumps({**put_nothing(), "file": {"name": name}}))
    path, files, omitted = gallery.write(str(tmp_path / "out"))
    assert (files, omitted) == (1, 8) and "secret" not in json.dumps(data_of(tmp_path / "out"))


def test_a_record_speaks_for_the_file_beside_it_and_for_no_other(tmp_path):
    put(tmp_path, "mine.png", "my own words")
    put(tmp_path, "bare.png")
    (tmp_path / "bare.png.json").unlink()
    stranger = {**put_nothing(), "payload": {"prompt": "a stranger's words"}}
    for number, its_file in enumerate(("mine.png", "bare.png", "x.png")):
        for name in (f"{number}.json", f"a{number}.png.json", f"mine.png.{number}.json", f"{its_file}x.json"):
            (tmp_path / name).write_text(json.dumps({**stranger, "file": {"name": its_file, "bytes": len(PNG)}}))
    shown = {entry["name"]: entry for entry in entries(tmp_path)}
    assert {name: entry["prompt"] for name, entry in shown.items()} == {"mine.png": "my own words", "bare.png": ""}
    # What lies beside a file speaks for it under whatever name both came here.
    (tmp_path / "bare.png.json").write_text(json.dumps({**stranger, "file": {"name": "before.png"}}))
    assert {entry["prompt"] for entry in entries(tmp_path)} == {"my own words", "a stranger's words"}


def test_of_two_records_beside_a_file_the_one_about_it_speaks(tmp_path):
    ours = put(tmp_path, "x-1.png", "ours", file={"name": "x-1.png", "bytes": len(PNG)})
    (tmp_path / "x-1.png-2.json").write_text(json.dumps(ours))
    put(tmp_path, "x-1.png", "planted before", file={"name": "x-1.png", "bytes": 5})
    assert [entry["prompt"] for entry in entries(tmp_path)] == ["ours"]


@POSIX
def test_links_and_devices_are_not_followed(tmp_path):
    put(tmp_path, "x-1.png")
    os.symlink("/etc/hostname", tmp_path / "link.png")
    os.symlink("/etc/hostname", tmp_path / "link.json")
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe.json")
    assert [entry["name"] for entry in entries(tmp_path)] == ["x-1.png"]


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 50_000, b'{"a":' * 50_000, b"\xff" * 99, b" " * 3_000_000])
def test_a_broken_record_is_no_record(tmp_path, content):
    put(tmp_path, "x-1.png")
    (tmp_path / "x-1.png.json").write_bytes(content)
    assert "prompt" in entries(tmp_path)[0] and not entries(tmp_path)[0]["prompt"]


def test_a_page_of_ours_is_written_anew_and_no_other(scripts, tmp_path):
    put(tmp_path, "x-1.png")
    assert len(entries(tmp_path)) == len(entries(tmp_path)) == 1
    ours = (tmp_path / "gallery.html").read_bytes()
    mark = b'<meta name="generator" content="ai-media gallery">'
    own = (
        b"",
        b"<html>my own page</html>",
        mark,
        ours.replace(b"Contact sheet", b"My holidays"),
        ours + b"<!-- mine -->",
    )
    for content in (*own, ours.replace(b"ai-media gallery ", b"ai-media gallery 0"), b"\n" + ours):
        (tmp_path / "gallery.html").write_bytes(content)
        run = scripts.run("jobs.py", "gallery")
        assert (run.code, run.result["field"]) == (2, "--output-dir")
        assert (tmp_path / "gallery.html").read_bytes() == content


@pytest.mark.parametrize("folder", ["nowhere", "file", "", "."])
def test_a_folder_that_is_none_is_a_bad_argument(scripts, folder):
    (scripts.folder / "file").write_text("")
    run = scripts.run("jobs.py", "gallery", "--output-dir", folder)
    assert (run.code, run.result.get("field")) == ((0, None) if folder == "." else (2, "--output-dir"))


def test_every_services_word_for_a_prompt_is_known(tmp_path):
    put(tmp_path, "x-1.png", provider="modellix", payload={"text": "say it", "voice": "low"})
    assert (entries(tmp_path)[0]["prompt"], entries(tmp_path)[0]["payload"]) == ("say it", {"voice": "low"})


def test_a_page_with_code_is_no_medium_whatever_a_record_says(tmp_path):
    (tmp_path / "evil.html").write_text("<script>")
    (tmp_path / "evil.html.json").write_text(json.dumps({**put_nothing(), "file": {"name": "evil.html"}}))
    assert entries(tmp_path) == []


def test_no_signature_reaches_the_page(tmp_path):
    put(tmp_path, "y-1.png", "like https://m.example/1.png?X-Amz-Signature=secret&w=5, but blue")
    private = {"image": "https://m.example/1.png?token=secret", "prompt": "x", "mask": "data:image/png;base64,secret"}
    put(tmp_path, "x-1.png", payload=private)
    assert {entry["prompt"] for entry in entries(tmp_path)} == {"x", "like https://m.example/1.png, but blue"}
    assert "secret" not in (tmp_path / "gallery.html").read_text()


def test_everything_is_bounded(tmp_path):
    many = {f"name{number}" * 20: "v" * 5000 for number in range(200)}
    put(tmp_path, "x-1.png", "p" * 100_000, model="m" * 100_000, payload={"prompt": "p" * 100_000, **many})
    entries(tmp_path)
    assert len((tmp_path / "gallery.html").read_bytes()) < len((ROOT / "assets/gallery.html").read_bytes()) + 25_000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
FIELDS = (
    "provider",
    "model",
    "task",
    "payload",
    "job",
    "generation_id",
    "cost",
    "usage",
    "times",
    "source",
    "left_out",
)


@given(changes=st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_whatever_a_record_holds_the_page_is_whole(tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("any")
    put(folder, "x-1.png", **changes)
    (entry,) = entries(folder)
    texts = [value for value in entry.values() if isinstance(value, str)]
    assert all(len(text) <= 2001 and not re.search("[\x00-\x08\x1b\u202a-\u202e]", text) for text in texts)
    assert isinstance(entry.get("payload", {}), dict) and entry["kind"] in ("image", "other")
    page = (folder / "gallery.html").read_text(encoding="utf-8")
    assert page.count("<script") == 2 and page.count("</script>") == 2 and page.count("<!--") == 0


def test_the_page_names_no_address_and_no_way_to_run_text():
    page = (ROOT / "assets/gallery.html").read_text(encoding="utf-8")
    assert not re.findall(r"https?:|//[a-z]|@import|url\(", page.replace("// ", ""))
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|\bon[a-z]+=\"", page)


# -- in a browser --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    executable()
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


def colour(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (80, 60), (number * 37 % 256, number * 91 % 256, number * 53 % 256)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Six results of every kind."""
    put(tmp_path, "one.png", "a tin boat at dusk", 5, colour(1), model="b/one", cost={"amount": 4, "unit": "credits"})
    put(tmp_path, "two.mp4", "rain on a tin roof", 4, model="a/two", provider="sandbox", task="t2v")
    put(tmp_path, "three.wav", "a far bell", 3)
    put(tmp_path, "four.glb", "a brass compass", 2)
    put(tmp_path, "five.png", "a fox asleep", 1, colour(2), cost={"amount": 80, "unit": "credits"})
    (tmp_path / "six.png").write_bytes(colour(3))
    os.utime(tmp_path / "six.png", (1e9, 1e9))
    gallery.write(str(tmp_path))
    return tmp_path


def opened(browser, folder, *size: int, **media: str):
    page = browser.page(*size, **media)
    page.open(folder / "gallery.html")
    return page


def texts(page, selector: str) -> list[str]:
    return page.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map((node) => node.textContent)")


def titles(page) -> list[str]:
    return texts(page, ".open")


ALL = ["a tin boat at dusk", "rain on a tin roof", "a far bell", "a brass compass", "a fox asleep", "six.png"]


def test_it_opens_from_a_disk_and_shows_every_kind(browser, folder):
    page = opened(browser, folder)
    assert titles(page) == ALL
    page.wait_for("[...document.images].every((image) => image.complete && image.naturalWidth === 80)")
    page.wait_for("document.querySelector('.frame video').currentTime > 0")
    assert page.evaluate("document.querySelector('.frame audio').controls")
    assert page.evaluate("document.querySelector('.frame a').getAttribute('href')") == "./four.glb"
    assert texts(page, "#count") == ["6 results  ·  120 credits"]
    assert page.complaints == []
    assert all(url.startswith("file:") for url in page.requested)


def test_its_policy_lets_nothing_else_in(browser, folder):
    page = opened(browser, folder)
    page.evaluate("""(() => {
        document.body.append(Object.assign(document.createElement("script"), { textContent: "window.harmed = 1" }));
        const image = document.createElement("img");
        image.setAttribute("onerror", "window.harmed = 1");
        image.src = "http://127.0.0.1:9/1.png";
        document.body.append(image);
        fetch("http://127.0.0.1:9/").catch(() => {});
    })()""")
    page.wait_for("document.images[document.images.length - 1].complete")
    assert page.evaluate("window.harmed") is None
    failed = [said["errorText"] for said in page.said("Network.loadingFailed")]
    blocked = page.said("Log.entryAdded") + page.said("Network.loadingFailed")
    assert any("Content Security Policy" in json.dumps(said) or "csp" in json.dumps(said) for said in blocked), failed
    assert "ERR_CONNECTION" not in json.dumps(failed)


def test_hostile_texts_do_nothing_but_stand_there(browser, tmp_path):
    for number, text in enumerate(HOSTILE):
        more = dict.fromkeys(("model", "task", "generation_id"), text)
        cost, source = {"amount": number, "unit": text}, {"url": text, "expires_at": text}
        put(
            tmp_path,
            f"{number}.png",
            text,
            number,
            payload={"prompt": text, text: text},
            cost=cost,
            source=source,
            **more,
        )
    gallery.write(str(tmp_path))
    page = opened(browser, tmp_path)
    assert len(titles(page)) == len(HOSTILE) and "</script><script>window.harmed = 1</script>" in titles(page)
    page.evaluate("document.querySelector('.open').focus()")
    page.press("Enter")
    for _ in HOSTILE:
        page.press("ArrowRight")
    for order in ("cost", "model", "prompt"):
        choose(page, "order", order)
    assert page.evaluate("window.harmed") is None and page.complaints == []
    assert page.evaluate("document.querySelectorAll('script').length") == 2
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert "\u202e" not in page.evaluate("document.body.textContent")


def choose(page, name: str, value: str) -> None:
    page.evaluate(f"""(() => {{
        const field = document.getElementById({json.dumps(name)});
        field.value = {json.dumps(value)};
        field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input"));
    }})()""")


def test_it_finds_filters_and_sorts(browser, folder):
    page = opened(browser, folder)
    choose(page, "text", "  TIN roof ")
    page.wait_for("document.querySelectorAll('.card').length === 1")
    assert titles(page) == ["rain on a tin roof"] and texts(page, "#count") == ["1 of 6 results  ·  12 credits"]
    choose(page, "text", "nothing like it")
    page.wait_for("!document.getElementById('nothing').hidden")
    page.evaluate("document.querySelector('#nothing button').click()")
    assert titles(page) == ALL
    for name, value, expected in [
        ("service", "sandbox", [1]), ("service", "", [0, 1, 2, 3, 4, 5]), ("model", "b/one", [0]), ("model", "", None),
        ("kind", "audio", [2]), ("kind", "", None), ("order", "oldest", [5, 4, 3, 2, 1, 0]),
        ("order", "cost", [4, 1, 2, 3, 0, 5]), ("order", "model", [5, 1, 0, 2, 3, 4]), ("order", "newest", None),
    ]:  # fmt: skip
        choose(page, name, value)
        assert titles(page) == [ALL[place] for place in (range(6) if expected is None else expected)], (name, value)


def test_the_keyboard_is_enough(browser, folder):
    page = opened(browser, folder, 900, 900)
    page.press("/")
    assert page.evaluate("document.activeElement.id") == "text"
    page.press("ArrowDown", "ArrowRight")
    held = "document.activeElement.textContent"
    assert page.evaluate(held) == ALL[1]
    assert page.evaluate("getComputedStyle(document.activeElement, '::after').outlineStyle") == "solid"
    page.press("End")
    assert page.evaluate(held) == ALL[5]
    page.press("ArrowRight", "Home", "ArrowLeft")
    assert page.evaluate(held) == ALL[0]
    across = page.evaluate("getComputedStyle(document.getElementById('sheet')).gridTemplateColumns.split(' ').length")
    page.press("ArrowDown")
    assert page.evaluate(held) == ALL[across]
    page.press("Home", "Enter")
    assert texts(page, "#one-prompt") == [ALL[0]] and page.evaluate("document.getElementById('one').open")
    page.press("ArrowRight", "ArrowRight")
    assert texts(page, "#one-prompt") == [ALL[2]]
    page.press("Escape")
    page.wait_for(f"!document.getElementById('one').open && {held} === {json.dumps(ALL[2])}")
    assert page.evaluate("document.querySelectorAll('.open[tabindex=\"0\"]').length") == 1
    assert page.complaints == []


def test_a_click_shows_where_it_comes_from_and_the_command(browser, folder):
    page = opened(browser, folder)
    page.evaluate("document.querySelector('.open').click()")
    shown = page.evaluate("document.getElementById('facts').innerText")
    for expected in ("b/one", "skills-video", "4 credits", '"seed": 7', "one.png", "0" * 64, "https://m.example/1.png"):
        assert expected in shown, expected
    (command,) = texts(page, "#command")
    assert shlex.split(command)[1:3] == [str(ROOT / "scripts/create_and_wait.py"), "--from"] and "dusk" not in command
    page.evaluate("document.getElementById('next').click()")
    page.wait_for("document.querySelector('#stage video').readyState > 1")
    page.evaluate("document.getElementById('close').click()")
    page.wait_for("document.querySelector('#stage video') === null")


def test_every_control_has_a_name_for_a_screen_reader(browser, folder):
    page = opened(browser, folder)
    page.evaluate("document.querySelector('.open').click()")
    page.evaluate("document.getElementById('one').close()")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    named = {}
    for node in nodes:
        if not node["ignored"]:
            named.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    assert named["searchbox"] == ["Find in prompts, models and names"]
    assert named["combobox"] == ["Service", "Model", "Kind", "Order"]
    assert all(named["button"]) and all(named["link"]) and named["list"][0] == "Results"
    first = next(name for name in named["button"] if name.startswith("a tin boat"))
    assert first.startswith("a tin boat at dusk, image, b/one, skills-video, 4 credits, Jan 1, 2026")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1400, 1000), (700, 900), (360, 740)])
def test_it_fits_light_and_dark_wide_and_narrow(browser, folder, scheme, size):
    page = opened(browser, folder, *size, prefers_color_scheme=scheme)
    lightness = page.evaluate("Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")
    assert (lightness > 200) == (scheme == "light")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate("document.querySelector('.open').click()")
    assert page.evaluate("document.getElementById('facts').scrollWidth <= document.getElementById('facts').clientWidth")
    assert page.evaluate("document.getElementById('close').getBoundingClientRect().right <= innerWidth")


def test_videos_stand_still_for_those_who_ask_for_it(browser, folder):
    page = opened(browser, folder, prefers_reduced_motion="reduce")
    page.wait_for("document.querySelector('.frame video').readyState > 1")
    assert page.evaluate("document.querySelector('.frame video').paused")
    page.evaluate("document.getElementById('motion').click()")
    page.wait_for("!document.querySelector('.frame video').paused")
    page.evaluate("document.getElementById('motion').click()")
    assert page.evaluate("document.querySelector('.frame video').paused")


def test_a_file_that_is_gone_is_told(browser, folder):
    (folder / "one.png").unlink()
    page = opened(browser, folder)
    page.wait_for("document.querySelector('.frame').textContent.includes('not beside this page')")


def test_an_empty_folder_says_so(browser, tmp_path):
    gallery.write(str(tmp_path))
    page = opened(browser, tmp_path)
    assert "no results" in page.evaluate("document.getElementById('nothing').innerText") and page.complaints == []


WATCH = """window.tasks = [];
new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((task) => Math.round(task.duration))))
    .observe({ entryTypes: ["longtask"] });"""


def test_of_two_thousand_only_what_is_near_is_loaded(browser, tmp_path):
    for number in range(2000):
        if number % 10 == 3:
            put(tmp_path, f"{number}.mp4", f"rain, number {number}", number % 1440)
        else:
            put(tmp_path, f"{number}.png", f"a tin boat, number {number}", number % 1440, colour(number))
    began = time.monotonic()
    gallery.write(str(tmp_path))
    took = time.monotonic() - began
    page = browser.page()
    page.open(tmp_path / "gallery.html", before=WATCH)
    page.wait_for("document.querySelectorAll('.card').length === 2000")
    page.wait_for("document.querySelector('.frame video').currentTime > 0")
    loaded = len({url for url in page.requested if url.endswith((".png", ".mp4"))})
    assert 4 <= loaded < 200, loaded
    page.evaluate("document.querySelector('.open').focus()")
    page.press("End")
    page.wait_for("[...document.images].at(-1).complete && [...document.images].at(-1).naturalWidth === 80")
    assert (
        page.evaluate("document.querySelector('.frame video').getAttribute('src')") is None
    )  # far from the screen now
    loading = page.evaluate("Math.max(0, ...window.tasks)")
    choose(page, "text", "rain")
    page.wait_for("document.querySelectorAll('.card').length === 200")
    paint = page.evaluate("Math.round(performance.getEntriesByName('first-contentful-paint')[0].startTime)")
    print(
        f"\n2,000 results: page {(tmp_path / 'gallery.html').stat().st_size} bytes, written in {took:.2f} s, "
        f"first contentful paint {paint} ms, longest task {loading} ms (0: none of 50 ms), "
        f"with a search {page.evaluate('Math.max(0, ...window.tasks)')} ms, {loaded} files loaded of 2,000"
    )
    assert page.complaints == []


def test_of_too_many_files_only_the_newest_are_read(tmp_path, monkeypatch):
    for number in range(5):
        for name in (f"x-{number}.png", f"x-{number}.png.json"):
            (tmp_path / name).write_bytes(b"{}")
            os.utime(tmp_path / name, (number, number))
    read = []
    monkeypatch.setattr(gallery, "_read", lambda path: read.append(os.path.basename(path)))
    path, shown, omitted = gallery.write(str(tmp_path), 2)
    assert (shown, omitted) == (2, 3) and {name[:3] for name in read} == {"x-3", "x-4"}
    page = (tmp_path / "gallery.html").read_text("utf-8")
    assert path == str(tmp_path / "gallery.html") and "x-4.png" in page and "x-0.png" not in page
