"""services.py, and the user's own services: what is wrong with a descriptor, and who may say where a key goes."""

from __future__ import annotations

import copy
import json
import os
import re
import shlex

import pytest

from conftest import KEY, ROOT
from fake_service import FakeService, answer
from mediakit.base import documents
from mediakit.base.pointer import tokens
from mediakit.services import examine, examples, providers
from studio import STUDIO


def text_of(data) -> bytes:
    return json.dumps(data, indent=2).encode()


def changed(pointer: str, value) -> dict:
    """The good descriptor with one part replaced; None takes it away."""
    data = copy.deepcopy(STUDIO)
    *parents, last = [int(token) if token.isdecimal() else token for token in tokens(pointer)]
    node = data
    for token in parents:
        node = node[token]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return data


# where something is changed, to what (None: taken away), where the flaw is told, what is said
BAD = [
    ("/originz", {}, "/originz", "did you mean origins"),
    ("/create/0/promt", "/prompt", "/create/0/promt", "did you mean prompt"),
    ("/id", "Studio One", "/id", "does not have the form"),
    ("/key", None, "", "'key' is a required property"),
    ("/states/0/state", "waiting", "/states/0/state", "is not one of"),
    ("/create", [], "/create", "non-empty"),
    ("/outputs", "url", "/outputs", "is not of type 'array'"),
    ("/origins/api", "http://api.studio.example", "/origins/api", "https"),
    ("/origins/api", "https://api.studio.example/v1", "/origins/api", "does not have the form"),
    ("/origins/api", "https://me:secret@api.studio.example", "/origins/api", "does not have the form"),
    ("/headers", {"Authorization": "Bearer x"}, "/headers/Authorization", "not a descriptor's to set"),
    ("/headers", {"Host": "x"}, "/headers/Host", "not a descriptor's to set"),
    ("/optional_headers", {"Content-Length": "STUDIO_ORG"}, "/optional_headers/Content-Length", "not a descriptor's to set"),
    ("/key/header", "Host", "/key/header", "not a descriptor's to set"),
    ("/key/header", "transfer-encoding", "/key/header", "not a descriptor's to set"),
    ("/key/variable", "HTTPS_PROXY", "/key", "set for something else"),
    ("/key/other_variables", ["AI_MEDIA_HOME"], "/key", "set for something else"),
    ("/optional_headers", {"X-Org": "PATH"}, "/key", "set for something else"),
    ("/job/id/like", "^[a-z0-9]{8,40}", "/job/id/like", "without an end"),
    ("/job/id/like", "[a-z0-9]+", "/job/id/like", "expected bounds"),
    ("/job/id/like", "(a{1,90}){1,90}", "/job/id/like", "repetition"),
    ("/job/id/like", "[a-z", "/job/id/like", "expected a regular expression"),
    ("/create/0/models", "^studio/.*", "/create/0/models", "without an end"),
    ("/job/read/origin", "queue", "/job/read/origin", "one of origins: api"),
    ("/inputs", {"begin": {"path": "/files"}, "send": {"told": "/url", "hosts": ["*.co.uk"]}, "reference": "/url"}, "/inputs/send/hosts/0", "open to everybody"),
    ("/inputs", {"begin": {"path": "/files"}, "send": {"told": "/url", "hosts": ["*.github.io"]}, "reference": "/url"}, "/inputs/send/hosts/0", "open to everybody"),
    ("/inputs", {"begin": {"path": "/files"}, "send": {"told": "/url", "hosts": ["169.254.169.254"]}, "reference": "/url"}, "/inputs/send/hosts/0", "host such as"),
    ("/inputs", {"begin": {"path": "/files"}, "send": {"told": "/url", "hosts": ["*.r2.dev"]}, "reference": "/url"}, "/inputs/send/hosts/0", "open to everybody"),
    ("/inputs", {"begin": {"path": "/files"}, "send": {"told": "/url", "hosts": ["*.blob.core.windows.net"]}, "reference": "/url"}, "/inputs/send/hosts/0", "open to everybody"),
    ("/job/read/path", "/jobs/{uid}", "/job/read/path", "{uid} stands for nothing here"),
    ("/job/read/path", "/jobs", "/job/read/path", "expected {id}"),
    ("/create/0/path", "/models/{modell}/jobs", "/create/0/path", "{modell} stands for nothing here"),
    ("/states", [{"state": "running", "at": "/status", "is": ["working"]}], "/job/read", "no rule for succeeded"),
    ("/errors/code", [{"in": "/error/message", "like": "E[0-9]{3}"}], "/errors/code/0/like", "expected one group"),
    ("/defaults/t2i", "../flash", "/defaults/t2i", "the name of a model"),
    ("/aliases", ["modellix"], "/aliases/0", "comes with the skill"),
    ("/create/0/tasks", ["tts"], "/defaults/t2i", "no route"),
    ("/job", None, "/create", "needs `job`"),
    ("/id", "modellix", "/id", "comes with the skill"),
    ("/id", "sandbox", "/id", "comes with the skill"),
    ("/key/variable", "MODELLIX_API_KEY", "/key", "belongs to another service"),
    ("/key/other_variables", ["IMAGE_SKILL_TOKEN"], "/key", "belongs to another service"),
    ("/optional_headers", {"X-Org": "SKILLS_VIDEO_API_KEY"}, "/key", "belongs to another service"),
    ("/key/saved_login", {"path": "aws/credentials.json", "key": "/key"}, "/key/saved_login", "only for bundled services"),
    ("/speaks", ["modellix"], "/speaks", "only the sandbox"),
    ("/examples/created", {"name": "x"}, "/examples/created", "`job.id` finds no id"),
    ("/examples/running", {"status": "asleep"}, "/examples/running", "none of the states"),
    ("/examples/succeeded", {"status": "done", "files": []}, "/examples/succeeded", "`outputs` finds no result"),
    ("/examples/refused", {"401": {"detail": "bad key"}}, "/examples/refused/401", "no message"),
    ("/examples/finished", {"status": "done"}, "/examples/finished", "is no key"),
    ("/base_path", "FILL IN: the prefix", "/base_path", "still to be filled in: the prefix"),
]  # fmt: skip


def test_a_good_descriptor_has_no_flaws():
    assert examine.flaws(text_of(STUDIO)) == []


@pytest.mark.parametrize("pointer, value, told_at, words", BAD)
def test_a_flaw_is_told_with_its_place_and_line(pointer, value, told_at, words):
    content = text_of(changed(pointer, value))
    found = examine.flaws(content)
    assert (told_at, True) in [(one.path, words in one.message) for one in found], found
    first = next(one for one in found if one.path == told_at)
    name = tokens(told_at)[-1] if told_at else "{"
    line = content.decode().splitlines()[first.line - 1]
    assert name in line if not name.isdecimal() else line.strip(), (line, first)


NO_JSON = [
    (b"", 1, "expected JSON"),
    (b'{\n "id": "a",\n "id": "b"\n}', 1, "stands twice"),
    (b'{\n "id": "a",\n}', 3, "expected JSON"),
    (b"[]", 1, "expected a JSON object"),
    (b'{"a": NaN}', 1, "NaN is no JSON"),
    (b"\xff\xfe\x00", 1, "UTF-8"),
    (b"[" * 100_000, 1, "expected JSON"),
]


@pytest.mark.parametrize("content, line, words", NO_JSON)
def test_what_is_no_json_is_told_with_its_line(content, line, words):
    (found,) = examine.flaws(content)
    assert found.line == line and words in found.message


@pytest.mark.parametrize("name", [name for name in providers.bundled() if not providers.load(name).embedded])
def test_a_bundled_descriptor_has_no_flaw_but_that_its_names_are_taken(name, monkeypatch):
    nobody = examine.Others(frozenset(), frozenset())
    monkeypatch.setattr(examine, "others", lambda: nobody)
    data = documents.load(providers.bundled_path(name))
    data = {**data, "key": {key: value for key, value in data["key"].items() if key != "saved_login"}}
    data.pop("cli", None)
    assert examine.flaws(text_of(data)) == []


LINES = '{\n "a": {"b":\n  [1,\n {"c": 2}]},\n "d~/e": "x,}]\\"",\n\n "f": null}'


@pytest.mark.parametrize(
    "path, line",
    [((), 1), (("a",), 2), (("a", "b"), 2), (("a", "b", 0), 3), (("a", "b", 1, "c"), 4), (("d~/e",), 5), (("f",), 7), (("a", "x"), 2), (("f", "x"), 7)],
)  # fmt: skip
def test_the_line_of_a_part_of_a_json_text(path, line):
    assert documents.line_of(LINES, path) == line


@pytest.mark.parametrize(
    "like",
    [None, "[a-z0-9]{24}", "gen_[a-f0-9]{6,40}", "^v1_[0-9a-f]{16}$", "[0-9]{6,12}", "[0-9a-f-]{36}", "[A-Za-z0-9_-]{1,64}", "job:[a-z0-9]{1,64}"],
)  # fmt: skip
def test_an_id_is_made_that_has_the_form_of_a_services_own(like):
    made = examples.new_id(like)
    assert made and (like is None or re.fullmatch(like, made)) and examples.new_id(like) != made


def test_no_id_is_made_for_a_form_that_is_not_understood():
    assert examples.new_id("(north|south)-[aeiou]{3}") is None


# -- in the user's settings folder ---------------------------------------------------------------------


@pytest.fixture
def added(scripts, tmp_path):
    """Adds a descriptor, and says how to run scripts beside it."""
    (tmp_path / "studio.json").write_bytes(text_of(STUDIO))
    settings = {"XDG_CONFIG_HOME": str(tmp_path / "settings")}
    run = scripts.run("services.py", "add", str(tmp_path / "studio.json"), "--confirm", env=settings)
    assert run.code == 0 and run.result["added"], run.events
    return run.result["file"], settings


def test_adding_is_shown_first_and_done_only_with_confirm(scripts, tmp_path):
    (tmp_path / "studio.json").write_bytes(text_of(STUDIO))
    settings = {"XDG_CONFIG_HOME": str(tmp_path / "settings")}
    run = scripts.run("services.py", "add", "studio.json", env=settings)
    assert run.code == 0 and run.result["added"] is False and run.result["needs_approval"]
    assert run.result["origins"] == ["https://api.studio.example"]
    assert run.result["key"] == {"variables": ["STUDIO_KEY"], "header": "Authorization"}
    assert not (tmp_path / "settings").exists()
    assert run.result["next_argv"][-1] == "--confirm"


def test_an_added_service_works_in_every_script(scripts, added):
    file, settings = added
    env = {**settings, "STUDIO_KEY": KEY}
    assert os.stat(file).st_mode & 0o777 == 0o600
    plan = scripts.run(
        "create_and_wait.py", "--provider", "studio", "--task", "t2i", "--prompt", "x", "--dry-run", env=env
    )
    assert plan.code == 0 and plan.result["request"]["url"] == "https://api.studio.example/v1/models/studio/flash/jobs"
    assert scripts.run("preflight.py", "--provider", "studio", "--prompt", "x", env=env).result["ready"]
    assert "studio" in json.dumps(scripts.run("preflight.py", env=env).result["providers"])
    listed = scripts.run("inspect_openapi.py", "--provider", "studio", "--list-endpoints", env=env)
    assert listed.code == 0 and "studio/flash" in json.dumps(listed.result)
    assert scripts.run("account.py", "studio", env=env).result["actions"] == []
    told = scripts.run("handle_runtime_error.py", "--provider", "studio", "--status", "401", env=env)
    assert (told.code, told.result["category"]) == (21, "auth")
    row = next(
        row for row in scripts.run("services.py", "list", env=env).result["services"] if row["provider"] == "studio"
    )
    assert row["own"] and row["usable"] and row["tasks"] == ["t2i"]
    assert scripts.run("services.py", "remove", "studio", env=env).result["removed"]
    assert scripts.run("create_and_wait.py", "--provider", "studio", "--dry-run", env=env).code == 2
    assert not os.path.exists(file)


def test_an_added_service_runs_in_the_sandbox(scripts, added):
    _, settings = added
    where = ("--provider", "sandbox", "--as", "studio", "--task", "t2i", "--output-dir", "out")
    run = scripts.run("create_and_wait.py", *where, "--prompt", "a tin boat", env=settings)
    assert run.code == 0 and run.first("asset")["media_type"] == "image/png", run.events
    lost = scripts.run("create_and_wait.py", *where, "--prompt", "a tin boat fault:create-lost", env=settings)
    assert (lost.code, lost.result["outcome"]) == (12, "unknown"), lost.events
    assert scripts.run("create_and_wait.py", *where, "--prompt", "a").code == 2  # nobody has added it there


def spoil_content(file):
    with open(file, "a", encoding="utf-8") as text:
        text.write("\n")


def spoil_mode(file):
    os.chmod(file, 0o666)


def spoil_link(file):
    os.rename(file, file + ".elsewhere")
    os.symlink(file + ".elsewhere", file)


def spoil_list(file):
    os.chmod(os.path.join(os.path.dirname(file), "added.json"), 0o666)


def spoil_folder(file):
    os.chmod(os.path.dirname(file), 0o777)


@pytest.mark.parametrize("spoil", [spoil_content, spoil_mode, spoil_link])
def test_a_service_that_was_changed_since_is_not_used_and_keeps_no_other_from_working(scripts, added, spoil):
    file, settings = added
    spoil(file)
    env = {**settings, "STUDIO_KEY": KEY}
    run = scripts.run("create_and_wait.py", "--provider", "studio", "--task", "t2i", "--prompt", "x", env=env)
    assert (run.code, run.result["error"]) == (27, "service_disabled") and file in run.result["message"]
    others = scripts.run("preflight.py", env=env)
    assert [event["code"] for event in others.events if event["event"] == "warning"] == ["service_disabled"]
    assert "studio" not in json.dumps(others.result["providers"])
    again = scripts.run("services.py", "add", file, "--confirm", env=env)
    assert again.code == 0 and scripts.run("preflight.py", "--provider", "studio", "--prompt", "x", env=env).code == 0


# what goes on with a job
GOES_ON = [
    ("jobs.py", "resume", "{job}"), ("jobs.py", "download", "{job}"), ("jobs.py", "reconcile", "{job}"),
    ("jobs.py", "cancel", "{job}"), ("jobs.py", "resume", "--all-undelivered"), ("wait_generation.py", "--job", "{job}"),
    ("wait_generation.py", "--generation-id", "abcd1234"), ("create_and_wait.py", "--provider", "studio", "--prompt", "x"),
]  # fmt: skip


def test_the_jobs_of_a_service_that_was_removed_wait_until_it_is_back(scripts, added):
    _, settings = added
    env = {**settings, "STUDIO_KEY": KEY}
    bought = ("create_and_wait.py", "--provider", "studio", "--task", "t2i", "--prompt", "x")
    made, done = {"id": "abcd1234", "status": "waiting"}, {"id": "abcd1234", "status": "error"}
    with FakeService(create=answer(200, made), read=answer(200, done), other=answer(200, done)) as service:
        where = ("--base-url", f"{service.origin}/v1")
        job = scripts.run(*bought, *where, "--no-wait", env=env).result["job"]
        assert scripts.run("services.py", "remove", "studio", env=env).code == 0
        for script, *words in GOES_ON:
            run = scripts.run(script, *(word.format(job=job) for word in words), *where, env=env)
            told = (2, "invalid_arguments") if script == "create_and_wait.py" else (27, "service_disabled")
            assert (run.code, run.result["error"]) == told, (script, words, run.events)
        assert scripts.run("jobs.py", "show", job, env=env).first("job")["outcome"] == "accepted"
        assert scripts.run("services.py", "add", "studio.json", "--confirm", env=env).code == 0
        assert scripts.run("jobs.py", "resume", job, *where, env=env).code == 10 and service.posts() == 1


@pytest.mark.parametrize("spoil", [spoil_list, spoil_folder])
def test_a_folder_that_others_can_write_to_adds_nothing(scripts, added, spoil):
    file, settings = added
    spoil(file)
    run = scripts.run("services.py", "list", env=settings)
    assert "studio" not in [row["provider"] for row in run.result["services"]]


def test_a_service_in_the_working_directory_or_the_skill_is_none(scripts, tmp_path):
    (tmp_path / "services").mkdir()
    for place in (tmp_path / "services" / "studio.json", tmp_path / "studio.json"):
        place.write_bytes(text_of(STUDIO))
    assert scripts.run("create_and_wait.py", "--provider", "studio", "--dry-run").code == 2


def test_the_page_leads_from_nothing_to_a_picture(scripts, tmp_path):
    """Every command of the page, in its order, with the file that the page shows."""
    page = (ROOT / "references/adding-a-service.md").read_text(encoding="utf-8")
    (tmp_path / "studio.json").write_text(re.search(r"```json\n(.*?)```", page, re.S)[1], encoding="utf-8")
    env = {"XDG_CONFIG_HOME": str(tmp_path / "settings"), "STUDIO_KEY": KEY}
    commands = re.findall(r"`(python3 scripts/[^`]+)`", page)
    runs = {}
    for command in commands:
        _, script, *words = shlex.split(command)
        if "--descriptor" not in words:  # test_draft runs that one
            runs[command] = run = scripts.run(os.path.basename(script), *words, env=env)
            assert run.code == 0, (command, run.events)
    made = next(run for command, run in runs.items() if "create_and_wait" in command)
    assert made.result["assets"] and list((tmp_path / "out").glob("*.png"))
    ready = next(run for command, run in runs.items() if "preflight" in command)
    assert ready.result["stage"] == "ready" and "--provider studio" in ready.result["next_command"]
    assert len(runs) == len(commands) - 1 == 5


WRONG = [
    (["check", "bad.json"], 22, "validation"),
    (["add", "bad.json", "--confirm"], 22, "error"),
    (["check", "missing.json"], 2, "error"),
    (["check"], 2, "error"),
    (["remove", "modellix"], 2, "error"),
    (["remove"], 2, "error"),
    (["list", "x"], 2, "error"),
    (["list", "--confirm"], 2, "error"),
    (["install", "x"], 2, "error"),
]


@pytest.mark.parametrize("words, code, event", WRONG)
def test_what_cannot_be_done_is_told_and_changes_nothing(scripts, tmp_path, words, code, event):
    (tmp_path / "bad.json").write_bytes(text_of(changed("/originz", {})))
    run = scripts.run("services.py", *words, env={"XDG_CONFIG_HOME": str(tmp_path / "settings")})
    assert (run.code, run.result["event"]) == (code, event)
    if code == 22:
        (problem,) = run.result["problems"]
        assert problem["path"] == "/originz" and problem["line"] > 1 and "did you mean origins" in problem["message"]
    assert not (tmp_path / "settings").exists()
