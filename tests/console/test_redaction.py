"""A key is taken out of everything that is shown or stored, however it is spelled."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import stat
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Run
from fake_service import PNG, FakeService, answer, create, event, job, stream
from mediakit.base.redactor import REDACTED, Redactor
from mediakit.console import Console

# One of each character that JSON, URLs, HTML or base64 write in another way.
KEY = "k1+/=&\"<'%\\9z~"
ENV = {"SKILLS_VIDEO_API_KEY": KEY}


def base64_of(before: bytes, after: bytes = b"") -> str:
    return base64.b64encode(before + KEY.encode() + after).decode()


def every_other(spell, one=0) -> str:
    return "".join(spell(letter) if number % 2 == one else letter for number, letter in enumerate(KEY))


def named(letter: str) -> str:
    names = {name.rstrip(";"): text for name, text in html.entities.html5.items()}
    return next((f"&{name};" for name, text in names.items() if text == letter), letter)


def percent(letter: str) -> str:
    return f"%{ord(letter):02X}"


SPELLINGS = {
    "raw": KEY,
    "JSON": json.dumps(KEY)[1:-1],
    "JSON with escaped slashes": json.dumps(KEY)[1:-1].replace("/", "\\/"),
    "JSON, all escaped": "".join(f"\\u{ord(letter):04x}" for letter in KEY),
    "JSON, all escaped, upper case": "".join(f"\\u{ord(letter):04X}" for letter in KEY),
    "JSON, one sign escaped": KEY.replace("\\", "\\\\").replace("+", "\\u002B").replace('"', '\\"'),
    "JSON, mixed case": KEY.replace("\\", "\\\\").replace("+", "\\u002b").replace("/", "\\u002F").replace('"', '\\"'),
    "JSON in JSON": json.dumps(json.dumps(KEY))[3:-3],
    "JSON in JSON, escaped slashes": json.dumps(json.dumps(KEY).replace("/", "\\/"))[3:-3],
    "URL": quote(KEY, safe=""),
    "URL, lower case": re.sub("%..", lambda found: found[0].lower(), quote(KEY, safe="")),
    "URL, slashes kept": quote(KEY),
    "URL, all encoded": "".join(map(percent, KEY)),
    "URL, half encoded": every_other(percent),
    "URL, the other half": every_other(percent, 1),
    "URL in URL": quote(quote(KEY, safe=""), safe=""),
    "HTML": html.escape(KEY),
    "HTML, decimal": "".join(f"&#{ord(letter)};" for letter in KEY),
    "HTML, decimal with zeros": "".join(f"&#{ord(letter):06d};" for letter in KEY),
    "HTML, hexadecimal": "".join(f"&#x{ord(letter):x};" for letter in KEY),
    "HTML, hexadecimal, upper case": "".join(f"&#X{ord(letter):04X};" for letter in KEY),
    "HTML, without semicolons": re.sub(r"[^\da-f](?!\d)", lambda found: f"&#{ord(found[0])}", KEY),
    "HTML, by name": "".join(map(named, KEY)),
    "HTML in HTML": html.escape(html.escape(KEY)),
    "HTML, half": every_other(lambda letter: f"&#{ord(letter)};"),
    "HTML in a URL": quote("".join(map(named, KEY)), safe=""),
    "HTML in JSON": "".join(map(named, KEY)).replace("&", "\\u0026"),
    "HTML in HTML in a URL": quote(html.escape(html.escape(KEY)), safe=""),
    "JSON in a URL": quote(json.dumps(KEY)[1:-1], safe=""),
    "URL in JSON": quote(KEY, safe="").replace("%", "\\u0025"),
    "URL in HTML": quote(KEY, safe="").replace("%", "&percnt;"),
    "base64": base64_of(b""),
    "base64, second place": base64_of(b"u"),
    "base64, third place": base64_of(b"us"),
    "base64 of user:key": base64_of(b"user:"),
    "base64 of u:key": base64_of(b"u:"),
    "base64 of key:": base64_of(b"", b":"),
    "base64 in the middle": base64_of(b"Authorization: Bearer ", b"\r\nHost: x"),
    "base64 for URLs": base64.urlsafe_b64encode(b"user:" + KEY.encode()).decode(),
    "base64 without its end": base64_of(b"ab").rstrip("="),
    "base64 in a URL": quote(base64_of(b"user:"), safe=""),
    "base64 in JSON": base64_of(b"user:").replace("/", "\\/").replace("+", "\\u002b"),
}  # fmt: skip


def readings(text: str, depth: int = 3) -> set[str]:
    """What the text says to somebody who undoes JSON, URLs and HTML, each as often as there is something to undo."""
    found = {text}
    for _ in range(depth):
        for one in list(found):
            found.add(unquote(one))
            found.add(html.unescape(one))
            found.add(re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), one))
            found.add(re.sub(r'\\([/"\\])', r"\1", one))
    return found


def tells_the_key(text: str) -> bool:
    """Whether anybody could read the key out of the text."""
    for reading in readings(text):
        if KEY in reading:
            return True
        for token in re.findall("[A-Za-z0-9+/_-]{8,}", reading):
            token = token.replace("-", "+").replace("_", "/")
            for start in range(4):
                part = token[start:]
                if KEY.encode() in base64.b64decode(part[: len(part) // 4 * 4]) + b"":
                    return True
                if KEY.encode() in base64.b64decode(part + "=" * (-len(part) % 4) if len(part) % 4 != 1 else part[:-1]):
                    return True
    return False


@pytest.mark.parametrize("name", SPELLINGS)
def test_the_judge_of_these_tests_recognises_each_spelling(name):
    assert tells_the_key(f"before {SPELLINGS[name]} after")


@pytest.mark.parametrize("name", SPELLINGS)
def test_each_spelling_is_taken_out(name):
    redactor = Redactor()
    redactor.protect(KEY)
    for text in (SPELLINGS[name], f"before {SPELLINGS[name]} after", f"{SPELLINGS[name]}{SPELLINGS[name]}"):
        assert not tells_the_key(redactor.text(text)) and REDACTED in redactor.text(text)
        assert not tells_the_key(redactor.content(text.encode()).decode())
        assert not tells_the_key(json.dumps(redactor.value({text: [text, {"a": (text,)}]})))


@pytest.mark.parametrize("way", ["emit", "say", "warning", "plain"])
@pytest.mark.parametrize("name", SPELLINGS)
def test_each_spelling_is_taken_out_on_the_way_to_both_streams(capsys, name, way):
    console = Console("test")
    console.redactor.protect(KEY)
    text = f"a {SPELLINGS[name]} b"
    if way == "emit":
        console.emit("warning", code="unknown_status", message=text, told={text: [text]})
    elif way == "say":
        console.say(text)
    elif way == "warning":
        console.warning("unknown_status", text)
    else:
        console.say(console.plain(text, 9))
    written = "".join(capsys.readouterr())
    assert written and not tells_the_key(written)


# Where a service can put something that is written down: as a text of JSON, or as the body itself.
PLACES = {
    "refusal": lambda text: dict(create=answer(400, {"message": text})),
    "page": lambda text: dict(create=answer(502, f"<html>{text}</html>".encode(), media_type="text/html")),
    "body that is broken": lambda text: dict(create=answer(200, f'{{"id": "{text}'.encode())),
    "id": lambda text: dict(create=stream(event("COMPLETED", id=text))),
    "usage": lambda text: dict(create=stream(event("COMPLETED", usage={text: text}))),
    "response": lambda text: dict(create=stream(event("COMPLETED", input={"prompt": text}))),
    "status": lambda text: dict(create=stream(event(text)), read=answer(200, job(text))),
    "output": lambda text: dict(create=stream(event("COMPLETED", url=f"https://cdn.example/{text}?k={text}"))),
    "failure": lambda text: dict(create=stream(event("FAILED", error={"code": text, "message": text}))),
    "data that is no JSON": lambda text: dict(create=stream(f"data: {text} {{\n\n".encode())),
}
# The whole table is the unit tests'; on the real ways out a spelling of each kind.
KINDS = ["raw", "JSON, one sign escaped", "JSON in JSON, escaped slashes", "URL, half encoded", "HTML, by name",
         "base64 of user:key"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_no_way_out_of_a_real_run_tells_the_key(scripts, tmp_path, place, kind):
    with FakeService(**PLACES[place](SPELLINGS[kind])) as service:
        flags = ["--verbose", "--trace", "trace.jsonl", "--poll-timeout", "1", "--deadline", "5", "--output-dir", "out"]
        run = create(scripts, service, *flags, env={**ENV, "AI_MEDIA_DEBUG": "1"})
        assert run.code != 1, run.events
        assert KEY in service.requests[0].headers["authorization"]
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"trace.jsonl", "ledger.sqlite3"} <= {path.name for path in written}
    for told in (run.stdout.decode(), run.stderr, *(path.read_bytes().decode("latin-1") for path in written)):
        assert not tells_the_key(told)


@pytest.mark.parametrize("kind", SPELLINGS)
def test_a_script_that_loads_no_key_redacts_what_the_environment_holds(scripts, kind):
    run = scripts.run("handle_runtime_error.py", "--status", "400", "--body", SPELLINGS[kind], env=ENV)
    assert run.code == 22 and not tells_the_key(run.stdout.decode() + run.stderr)


HELD = {
    "the service's own variable": {"SKILLS_VIDEO_API_KEY": KEY},
    "another service's variable": {"MODELLIX_API_KEY": KEY},
    "a token": {"IMAGE_SKILL_TOKEN": KEY},
    "a service that the user added": {"ACME_MEDIA_KEY": KEY},
}


@pytest.mark.parametrize("where", HELD)
@pytest.mark.parametrize(
    "command",
    [
        ("handle_runtime_error.py", "--status", "500", "--body"),
        ("inspect_openapi.py", "--provider", "skills-video", "--model", "z-image/z-image", "--validate"),
        ("create_and_wait.py", "--provider", "sandbox", "--task", "t2i", "--dry-run", "--prompt"),
        ("jobs.py", "show"),
    ],
    ids=lambda command: command[0],
)
def test_every_script_redacts_every_key_of_the_environment(scripts, where, command):
    run = scripts.run(*command, KEY, env=HELD[where])
    assert run.code in (0, 2, 22, 23, 24) and not tells_the_key(run.stdout.decode() + run.stderr), run.events


@pytest.mark.skipif(os.name == "nt", reason="the store is the registry there")
@pytest.mark.parametrize("line", ["SKILLS_VIDEO_API_KEY='{}'", 'export SKILLS_VIDEO_API_KEY="{}"', "A_KEY={}"])
def test_every_script_redacts_every_key_of_the_users_own_store(scripts, line):
    key = "k1+/=&zzz9"
    folder = scripts.home / ".config/ai-media"
    folder.mkdir(parents=True)
    (folder / ".env").write_text(line.format(key) + "\n")
    run = scripts.run("handle_runtime_error.py", "--status", "400", "--body", f'{{"message": "a {key}"}}')
    assert run.code == 22 and key not in run.stdout.decode() and REDACTED in run.result["message"]


ORDINARY = {
    "a flag": {"SOME_TOKEN": "true"},
    "a number": {"MAX_KEY": "1234567890"},
    "a file": {"SSH_KEY": __file__},
    "an address": {"VAULT_TOKEN": "https://vault.example/x"},
    "a variable of another kind": {"LANG_NAME": "insufficient"},
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_what_is_no_secret_is_left_alone(scripts, kind):
    (value,) = ORDINARY[kind].values()
    run = scripts.run("handle_runtime_error.py", "--status", "400", "--body", f"it says {value}", env=ORDINARY[kind])
    assert value in run.result["message"]


def test_a_command_that_would_hold_the_key_is_left_out(capsys):
    console = Console("test")
    console.redactor.protect(KEY)
    console.emit("submitted", generation_id="g", http_status=200, next_command=f"x {KEY}", next_argv=["x", KEY])
    told = json.loads(capsys.readouterr().out)
    assert "next_command" not in told and "next_argv" not in told and told["generation_id"] == "g"


def test_a_short_key_breaks_no_path_and_no_command(capsys):
    console = Console("test")
    console.redactor.protect("jobs")
    console.emit("asset", path="/tmp/jobs/x", bytes=1, sha256="0" * 64, media_type="image/png", next_command="jobs.py",
                 next_argv=["jobs.py"], message="jobs")  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert (told["path"], told["next_command"], told["message"]) == ("/tmp/jobs/x", "jobs.py", REDACTED)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=40), st.data())
def test_any_key_in_any_mixture_of_spellings_is_taken_out(key, data):
    ways = [
        lambda letter: letter,
        lambda letter: f"%{ord(letter):02x}",
        lambda letter: f"\\u{ord(letter):04X}",
        lambda letter: f"&#{ord(letter)};",
        lambda letter: f"&#x{ord(letter):X};",
    ]
    chosen = data.draw(st.lists(st.sampled_from(ways), min_size=len(key), max_size=len(key)))
    redactor = Redactor()
    redactor.protect(key)
    assert redactor.text("".join(way(letter) for way, letter in zip(chosen, key))) == REDACTED
    encoded = base64.b64encode(data.draw(st.binary(max_size=5)) + key.encode() + data.draw(st.binary(max_size=5)))
    assert REDACTED in redactor.text(encoded.decode())


# -- a key in what somebody asks for -----------------------------------------------------------------------------


def nothing_kept(folder) -> list[str]:
    """The files below a folder that tell the key."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in paths if tells_the_key(path.read_bytes().decode("latin-1"))]


def test_a_key_in_a_request_is_written_down_nowhere(scripts, tmp_path):
    prompt = f"a boat, {KEY}"
    line = {"provider": "skills-video", "model": "owner/model", "payload": {"prompt": prompt}}
    with FakeService(media=answer(200, PNG, media_type="image/png")) as service:
        service._scripts["create"] = [answer(200, job("COMPLETED", f"{service.origin}/media/1.png"))]
        run = create(scripts, service, "--param", f"note={prompt}", "--trace", "trace.jsonl", "--verbose", env=ENV)
        given = json.dumps(line) + "\n"
        batch = scripts.run(
            "create_batch.py", "-", "--base-url", service.base_url, "--no-validate", "--output-dir", "out",
            stdin=given, env=ENV,
        )  # fmt: skip
        asked = [json.loads(request.body) for request in service.requests if request.method == "POST"]
    assert (run.code, batch.code) == (0, 0), batch.events
    assert all(prompt in body.values() for body in asked) and len(asked) == 2, "what was asked for is sent as it is"
    assert not nothing_kept(tmp_path)
    assert not tells_the_key((run.stdout + batch.stdout).decode() + run.stderr + batch.stderr)


@pytest.mark.parametrize("flag", ["--intent", "--output-dir"])
def test_a_key_that_would_be_written_down_with_a_job_is_refused(scripts, tmp_path, flag):
    key = "k1_9z-fake"  # one that can be the name of a folder
    with FakeService(create=answer(200, job("COMPLETED"))) as service:
        run = create(scripts, service, flag, f"x{key}", env={"SKILLS_VIDEO_API_KEY": key})
        assert (run.code, run.result["field"], service.posts()) == (2, flag, 0)
    assert key not in run.stdout.decode() + run.stderr and not list(tmp_path.rglob(f"*{key}*"))


def test_a_prompt_with_a_key_is_not_kept_for_the_next_command(scripts, tmp_path):
    run = scripts.run("preflight.py", "--provider", "skills-video", "--task", "t2i", "--prompt", KEY * 9, env=ENV)
    assert run.code in (0, 2) and not nothing_kept(tmp_path)


# -- the file of --trace ---------------------------------------------------------------------------------------


POSIX = pytest.mark.skipif(os.name == "nt", reason="links and modes are a matter of POSIX systems")


def traced(scripts, name: str) -> Run:
    with FakeService(create=stream(event("COMPLETED"))) as service:
        return create(scripts, service, "--trace", name, env=ENV)


@POSIX
@pytest.mark.parametrize("mode", [0o644, 0o666, 0o640, 0o777, 0o600])
def test_a_trace_is_for_this_user_alone_whatever_the_file_was(scripts, tmp_path, mode):
    path = tmp_path / "trace.jsonl"
    path.write_text("before\n")
    path.chmod(mode)
    assert traced(scripts, "trace.jsonl").code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and path.read_text().startswith("before\n{")


@POSIX
@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "folder"])
def test_a_trace_follows_no_link(scripts, tmp_path, kind):
    other = tmp_path / "other"
    if kind != "dangling link":
        other.write_text("mine")
    {
        "link": lambda: os.symlink(other, tmp_path / "trace"),
        "dangling link": lambda: os.symlink(other, tmp_path / "trace"),
        "hard link": lambda: os.link(other, tmp_path / "trace"),
        "folder": lambda: os.mkdir(tmp_path / "trace"),
    }[kind]()
    run = traced(scripts, "trace")
    assert (run.code, run.result["field"]) == (2, "--trace"), run.events
    assert not other.exists() if kind == "dangling link" else other.read_text() == "mine"
