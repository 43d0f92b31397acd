"""The official Modellix CLI against the sandbox, and its requests beside ours.

The program comes from MODELLIX_CLI or the PATH; without it only the recorded table is compared.
"""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from conftest import KEY, PATIENCE, posts
from mediakit.http import process
from mediakit.sandbox import Sandbox
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


class Client:
    """The official program, with a home of its own."""

    def __init__(self, path: str, folder, server: Sandbox):
        self.path = path
        self.folder = folder
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR") if name in os.environ}
        self.environment = {**kept, "HOME": str(folder), "MODELLIX_BASE_URL": server.url}

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
    path, why_not = process.locate(SERVICE.cli["program"], SERVICE.cli["variable"])
    if path is None:
        pytest.skip(f"not installed: {why_not}")
    (tmp_path / "own").mkdir()
    return Client(path, tmp_path / "own", modellix)


# -- each of its commands --------------------------------------------------------------------------


def test_init_saves_a_valid_key_and_refuses_another(client):
    code, refused = client.run("init", "--json", key=BAD_KEY)
    assert (code, refused["ok"]) == (1, False)
    code, done = client.run("init", "--json")
    assert (code, done["valid"], done["saved"]) == (0, True, True)
    assert client.run("config", "show", "--json", key=None)[1]["apiKeySource"] == "config"


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
# What version 0.0.7 of the official program was seen to send. A run of equal reads is written as one;
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
JOB = [CREATE, READ, FILE]


def seen_by(server: Sandbox, after: int = 0) -> list[tuple]:
    """The requests that a sandbox saw: method, path, headers that matter, body; ids written as ID."""
    rows = []
    for exchange in list(server.exchanges)[after:]:
        path = re.sub("^/api/v1/tasks/.+", "/api/v1/tasks/ID", exchange.path)
        path = re.sub("^/m/.+", "/m/FILE", path)
        headers = {name: exchange.headers[name] for name in JSON_BODY if name in exchange.headers}
        row = (exchange.method, path, headers, json.loads(exchange.body) if exchange.body else None)
        if [row] != rows[-1:]:
            rows.append(row)
    return rows


@pytest.mark.parametrize("words", RECORDED, ids=lambda words: " ".join(words[:2]))
def test_the_official_program_sends_what_was_recorded(client, modellix, words):
    task = ""
    if "ID" in words:
        model_run = ("model", "run", "--json", "--wait", "--model-slug", MODEL, "--body-file", "-")
        task = client.run(*model_run, stdin=json.dumps(BODY))[1]["data"]["task_id"]
    before = len(modellix.exchanges)
    given = {"modelSlug": MODEL, "body": BODY} if "batch" in words else BODY
    assert client.run(*(task if word == "ID" else word for word in words), stdin=json.dumps(given))[0] == 0
    assert seen_by(modellix, before) == RECORDED[words]


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
    assert client.run("init", "--json")[0] == 0
    run = our_create(scripts, modellix, "cli", env=environment)
    assert run.code == 0 and KEY not in run.stdout.decode()
    assert all(KEY not in text for text in _texts(scripts.folder / "state"))


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
