"""The official Modellix CLI against the sandbox, and its requests beside ours.

The program comes from MODELLIX_CLI or the PATH; without it only the recorded table is compared.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess

import pytest

from conftest import KEY, PATIENCE, posts
from mediakit.base import programs
from mediakit.sandbox import Sandbox, forms, media
from mediakit.services import providers

SERVICE = providers.load("modellix")
MODEL = "google/nano-banana-2-lite"
BODY = {"prompt": "a tin boat at dusk", "aspectRatio": "16:9"}
BAD_KEY = "bad_fake_key"


@pytest.fixture
def modellix():
    """A sandbox in this process that speaks Modellix's contract."""
    with Sandbox(None, "modellix") as server:
        yield server


# The keychain of Linux is reached through these, where there is one.
KEYCHAIN = ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")


class Client:
    """The official program, with a home of its own.

    is_newer  whether it is 0.0.10, which keeps logins in the keychain, or in a file where that is asked for
    """

    def __init__(self, path: str, folder, server: Sandbox):
        self.path = path
        self.folder = folder
        names = ("PATH", "SYSTEMROOT", "TMPDIR", *KEYCHAIN)
        kept = {name: os.environ[name] for name in names if name in os.environ}
        self.environment = {**kept, "HOME": str(folder), "MODELLIX_BASE_URL": server.url}

    @functools.cached_property
    def is_newer(self) -> bool:
        told = subprocess.run([self.path, "--version"], capture_output=True, text=True, timeout=PATIENCE)
        return tuple(map(int, told.stdout.split()[0].rpartition("/")[2].split("."))) >= (0, 0, 10)

    @property
    def into_a_file(self) -> tuple[str, ...]:
        return ("--store", "file") if self.is_newer else ()

    def run(self, *words: str, key: str | None = KEY, stdin: str = ""):
        """`(exit code, what it printed as JSON)`."""
        own = {"MODELLIX_API_KEY": key} if key else {}
        ended = subprocess.run(
            [self.path, *words], input=stdin, capture_output=True, text=True, timeout=PATIENCE,
            env={**self.environment, **own}, cwd=self.folder,
        )  # fmt: skip
        assert KEY not in ended.stdout + ended.stderr
        return ended.returncode, json.loads(ended.stdout)


@pytest.fixture
def client(tmp_path, modellix):
    path, why_not = programs.locate(SERVICE.cli["program"], SERVICE.cli["variable"])
    if path is None:
        pytest.skip(f"not installed: {why_not}")
    (tmp_path / "own").mkdir()
    return Client(path, tmp_path / "own", modellix)


# -- each of its commands --------------------------------------------------------------------------


def test_init_saves_a_valid_key_and_refuses_another(client):
    code, refused = client.run("init", "--json", key=BAD_KEY)
    assert (code, refused["ok"]) == (1, False)
    code, done = client.run("init", "--json", *client.into_a_file)
    assert (code, done["valid"], done["saved"]) == (0, True, True)
    source = "file" if client.is_newer else "config"
    assert client.run("config", "show", "--json", key=None)[1]["apiKeySource"] == source


def test_doctor_passes(client):
    code, report = client.run("doctor", "--json")
    assert (code, report["ok"]) == (0, True)
    assert [check["name"] for check in report["checks"] if check["ok"]] == [
        "node", "apiKey", "connectivity", "validation", "balance",
    ]  # fmt: skip
    assert client.run("doctor", "--json", key=BAD_KEY)[0] == 1


def test_models_are_listed_and_described(client):
    listed = client.run("model", "list", "--json", "--type", "text-to-image")[1]["models"]
    assert MODEL in [model["slug"] for model in listed]
    code, found = client.run("model", "describe", MODEL, "--json")
    assert (code, found["slug"], found["type"]) == (0, MODEL, "text-to-image")


def test_a_job_is_run_waited_for_and_downloaded(client):
    run = ("model", "run", "--json", "--wait", "--interval", "1s", "--model-slug", MODEL, "--body-file", "-")
    code, ended = client.run(*run, stdin=json.dumps(BODY))
    assert (code, ended["data"]["status"]) == (0, "success")
    task = ended["data"]["task_id"]
    assert client.run("task", "get", task, "--json")[1] == ended
    assert client.run("task", "wait", task, "--json")[1] == ended
    code, saved = client.run("task", "download", task, "--json", "--output-dir", str(client.folder / "out"), *LOCAL)
    assert code == 0
    with open(saved["files"][0]["path"], "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"
    assert [entry["taskId"] for entry in client.run("task", "history", "--json")[1]["entries"]] == [task]


def test_a_batch_is_run(client):
    lines = [{"modelSlug": MODEL, "body": {"prompt": f"boat {number}"}} for number in (1, 2)]
    given = "\n".join(map(json.dumps, lines))
    code, done = client.run("model", "batch", "-", "--json", "--yes", "--wait", "--interval", "1s", stdin=given)
    assert (code, done["succeeded"], done["failed"]) == (0, 2, 0)


# -- its requests and ours ---------------------------------------------------------------------------

BEARER = {"authorization": "Bearer [redacted]"}
JSON_BODY = {**BEARER, "content-type": "application/json"}
CREATE = ("POST", f"/api/v1/{MODEL}", JSON_BODY, BODY)
READ = ("GET", "/api/v1/tasks/ID", BEARER, None)
VALIDATE = ("GET", "/api/v1/apikey/validate", BEARER, None)
BALANCE = ("GET", "/api/v1/team/balance", BEARER, None)
MODELS = ("GET", "/api/v1/models", BEARER, None)
FILE = ("GET", "/m/FILE", {}, None)
LOCAL = ("--allow-insecure-http", "--allow-private-network")
# What versions 0.0.7 and 0.0.10 of the official program were seen to send. A run of equal reads is written as one;
# a result is fetched without the key.
RECORDED = {
    ("init", "--json"): [VALIDATE],
    ("doctor", "--json"): [VALIDATE, BALANCE],
    ("config", "show", "--json"): [],
    ("model", "list", "--json"): [MODELS],
    ("model", "describe", MODEL, "--json"): [MODELS],
    ("model", "run", "--json", "--wait", "--model-slug", MODEL, "--body-file", "-"): [CREATE, READ],
    ("model", "batch", "-", "--json", "--yes", "--wait"): [CREATE, READ],
    ("task", "get", "--json", "ID"): [READ],
    ("task", "wait", "--json", "ID"): [READ],
    ("task", "download", "--json", "ID", "--output-dir", "out", *LOCAL): [READ, FILE],
}
UPLOAD = ("POST", "/api/v1/media/files", {**BEARER, "content-type": "multipart/form-data"}, "image/png")
DELETE = ("DELETE", "/api/v1/media/files/FILE", BEARER, None)
SCHEMA = ("GET", f"/models/{MODEL}/api_schema", {}, None)
# What came after 0.0.7.
NEWER = {
    ("file", "upload", "--json", "boat.png"): [UPLOAD],
    ("file", "delete", "--json", "FILE"): [DELETE],
    ("model", "get-schema", "--json", MODEL, "--base-url", "HERE"): [SCHEMA],
    ("auth", "import-env", "--json", "--store", "file"): [VALIDATE],
    ("auth", "status", "--json"): [VALIDATE, BALANCE],
    ("auth", "login", "--json", "--api-key-stdin", "--store", "file"): [VALIDATE],
}
JOB = [CREATE, READ, FILE]


def seen_by(server: Sandbox, after: int = 0) -> list[tuple]:
    """The requests that a sandbox saw: method, path, headers that matter, body; ids written as ID."""
    rows = []
    for exchange in list(server.exchanges)[after:]:
        path = re.sub("^/api/v1/tasks/.+", "/api/v1/tasks/ID", exchange.path)
        path = re.sub("(^/m|/media/files)/.+", r"\1/FILE", path)
        headers = {name: exchange.headers[name].partition(";")[0] for name in JSON_BODY if name in exchange.headers}
        row = (exchange.method, path, headers, _body(exchange))
        if [row] != rows[-1:]:
            rows.append(row)
    return rows


def _body(exchange):
    """JSON as it is; of a form what its file is said to be. Ours has a name that tells nothing."""
    file = forms.file_of(exchange.headers.get("content-type", ""), exchange.body, "file")
    if file:
        return file.media_type
    return json.loads(exchange.body) if exchange.body else None


@pytest.mark.parametrize("words", RECORDED, ids=lambda words: " ".join(words[:2]))
def test_the_official_program_sends_what_was_recorded(client, modellix, words):
    task = ""
    if "ID" in words:
        model_run = ("model", "run", "--json", "--wait", "--model-slug", MODEL, "--body-file", "-")
        task = client.run(*model_run, stdin=json.dumps(BODY))[1]["data"]["task_id"]
    before = len(modellix.exchanges)
    given = {"modelSlug": MODEL, "body": BODY} if "batch" in words else BODY
    words_now = [task if word == "ID" else word for word in words]
    words_now += client.into_a_file if "init" in words else ()
    assert client.run(*words_now, stdin=json.dumps(given))[0] == 0
    assert seen_by(modellix, before) == RECORDED[words]


@pytest.fixture
def newer(client):
    if not client.is_newer:
        pytest.skip("this version of the program has no such command")
    picture(client.folder / "boat.png")
    return client


def picture(path) -> None:
    path.write_bytes(media.render("image", {"prompt": "a boat"}, 1))


@pytest.mark.parametrize("words", NEWER, ids=lambda words: " ".join(words[:2]))
def test_what_came_after_0_0_7_sends_what_was_recorded(newer, modellix, words):
    stands_for = {"HERE": modellix.url}
    if "FILE" in words:
        stands_for["FILE"] = newer.run("file", "upload", "--json", "boat.png")[1]["file"]["fileId"]
    before = len(modellix.exchanges)
    key = None if "--api-key-stdin" in words else KEY
    code, told = newer.run(*(stands_for.get(word, word) for word in words), key=key, stdin=KEY)
    assert code == 0 and (told.get("ok") is not False), told
    assert seen_by(modellix, before) == NEWER[words]


def test_our_own_uploads_are_the_recorded_ones(scripts, modellix):
    picture(scripts.folder / "boat.png")
    where = ("--base-url", f"{modellix.url}/api/v1")
    env = {"MODELLIX_API_KEY": KEY}
    kept = scripts.run("account.py", "modellix", "upload", "--param", "file=boat.png", *where, env=env)
    assert (kept.code, seen_by(modellix)) == (0, [UPLOAD])
    (file,) = scripts.run("account.py", "modellix", "files", *where, env=env).result["answer"]["data"]["files"]
    assert file["url"] == kept.result["answer"]["file"]
    before = len(modellix.exchanges)
    words = ("file-delete", "--param", f"file_id={file['file_id']}", "--confirm")
    assert scripts.run("account.py", "modellix", *words, *where, env=env).code == 0
    assert seen_by(modellix, before) == [DELETE]


def test_the_program_reads_the_schema_of_every_model_that_has_one(newer, modellix):
    """As it is served here: what the program asks of it is all there."""
    for model in ("google/nano-banana", "bytedance/seedance-2.0-fast-v2v", "openai/whisper-1"):
        code, told = newer.run("model", "get-schema", model, "--base-url", modellix.url, key=None)
        assert (code, told["servers"][0]["url"]) == (0, f"{modellix.url}/api/v1/{model}")
        assert "properties" in told["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert newer.run("model", "get-schema", "no/such", "--json", "--base-url", modellix.url, key=None)[0] == 1


def our_create(scripts, server: Sandbox, transport: str, *flags: str, body: dict = BODY, env: dict | None = None):
    where = ["--provider", "modellix", "--base-url", f"{server.url}/api/v1", "--transport", transport]
    what = ["--model", MODEL, "--payload", json.dumps(body)]
    env = {"MODELLIX_API_KEY": KEY, **(env or {})}
    return scripts.run("create_and_wait.py", *where, *what, *flags, env=env)


def test_our_own_requests_for_the_same_job_are_the_recorded_ones(scripts, modellix):
    assert our_create(scripts, modellix, "rest", "--output-dir", "out").code == 0
    assert seen_by(modellix) == JOB


def test_through_the_official_program_we_send_the_recorded_ones_too(scripts, client, modellix):
    run = our_create(scripts, modellix, "cli", "--output-dir", "out", env={"MODELLIX_CLI": client.path})
    assert (run.code, run.result["source"]) == (0, "cli")
    assert seen_by(modellix) == JOB


# -- the same through both -----------------------------------------------------------------------------

FAULTS = (
    "create-400 create-401 create-402 create-403 create-404 create-422 create-429 create-429-once create-500 "
    "create-502 create-503 status-unknown job-failed job-canceled "
    "poll-404 poll-429 poll-502 poll-reset poll-truncated poll-401"
).split()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_the_same_through_both(scripts, client, modellix, fault):
    told = []
    for transport in ("rest", "cli"):
        body = {**BODY, "prompt": f"a tin boat over {transport}, fault:{fault}"}
        before = posts(modellix)
        run = our_create(scripts, modellix, transport, body=body, env={"MODELLIX_CLI": client.path})
        fields = [run.result.get(name) for name in ("event", "outcome", "state", "http_status", "category")]
        told.append((run.code, posts(modellix) - before, fields))
    assert told[0] == told[1]


LOST = ["create-lost", "create-truncated", "create-hang"]


@pytest.mark.parametrize("fault", LOST)
def test_what_was_lost_is_found_in_the_log_at_once_or_by_a_command(scripts, client, modellix, fault):
    """The program reads no log: what is lost through it is unknown, and found by a command that asks for it."""
    env, impatient = {"MODELLIX_CLI": client.path}, ("--sse-request-timeout", "5")
    body = {**BODY, "prompt": f"rest fault:{fault}"}
    assert our_create(scripts, modellix, "rest", *impatient, body=body, env=env).code == 0
    body = {**BODY, "prompt": f"cli fault:{fault}"}
    run = our_create(scripts, modellix, "cli", *impatient, body=body, env=env)
    assert (run.code, run.result["outcome"], posts(modellix)) == (12, "unknown", 2)
    address = ("--base-url", f"{modellix.url}/api/v1", "--transport", "rest")
    found = scripts.run("jobs.py", "reconcile", run.job, *address, env={"MODELLIX_API_KEY": KEY})
    assert (found.code, found.result["event"], posts(modellix)) == (0, "terminal", 2), found.events


def test_a_redirect_is_refused_by_us_and_unknown_through_the_program(scripts, client, modellix):
    # The program counts every status that it does not know as unknown, and so it is never sent again.
    for transport, code in (("rest", 25), ("cli", 12)):
        body = {**BODY, "prompt": f"{transport} fault:create-redirect"}
        assert our_create(scripts, modellix, transport, body=body, env={"MODELLIX_CLI": client.path}).code == code


def test_a_login_that_the_program_has_saved_is_used_and_stays_there(scripts, client, modellix):
    environment = {"MODELLIX_CLI": client.path, "MODELLIX_API_KEY": ""}
    assert our_create(scripts, modellix, "cli", env=environment).code == 21
    client.environment["HOME"] = str(scripts.home)
    assert client.run("init", "--json", *client.into_a_file)[0] == 0
    run = our_create(scripts, modellix, "cli", env=environment)
    assert run.code == 0 and KEY not in run.stdout.decode()
    assert all(KEY not in text for text in _texts(scripts.folder / "state"))


def test_a_login_in_the_keychain_is_used_through_the_program_alone(scripts, newer, modellix):
    newer.environment["HOME"] = str(scripts.home)
    code, told = newer.run("auth", "login", "--json", "--api-key-stdin", "--yes", key=None, stdin=KEY)
    if code:
        pytest.skip(f"no keychain here: {told['error']['message']}")
    own = {name: os.environ[name] for name in KEYCHAIN if name in os.environ}
    env = {"MODELLIX_CLI": newer.path, **own}
    where = ("--provider", "modellix", "--base-url", f"{modellix.url}/api/v1")
    wish = ("--task", "t2i", "--prompt", "a tin boat")
    told = scripts.run("preflight.py", *where, *wish, "--online", env=env).result
    assert (told["stage"], told["providers"][0]["key_source"]) == ("ready", "the login of modellix-cli")
    assert told["providers"][0]["balance"]["unit"] == "usd"
    run = scripts.run("create_and_wait.py", *told["next_argv"][2:], env=env)
    assert (run.code, run.result["source"], posts(modellix)) == (0, "cli", 1)
    assert scripts.run("account.py", "modellix", "balance", *where[2:], env=env).code == 21
    assert all(KEY not in text for folder in (scripts.home, scripts.folder / "state") for text in _texts(folder))
    assert newer.run("auth", "logout", "--json", "--yes", key=None)[0] == 0
    assert scripts.run("preflight.py", *where, *wish, "--online", env=env).result["stage"] == "key_required"


def test_preflight_recommends_the_program(scripts, client, modellix):
    where = ("--online", "--base-url", f"{modellix.url}/api/v1")
    for key, ready, mode, doctor in ((KEY, True, "cli", "passed"), (BAD_KEY, False, "none", "failed")):
        env = {"MODELLIX_CLI": client.path, "MODELLIX_API_KEY": key}
        (found,) = scripts.run("preflight.py", "--provider", "modellix", *where, env=env).result["providers"]
        assert (found["ready"], found["recommended_mode"], found["cli_doctor"]) == (ready, mode, doctor)
        assert found["cli_version"].count(".") == 2
    assert posts(modellix) == 0


def _texts(folder) -> list[str]:
    return [path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()]
