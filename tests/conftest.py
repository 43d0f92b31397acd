"""What every test shares: scripts as subprocesses, and every event checked against its schema."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"
sys.path.insert(0, str(SCRIPTS))

ALL_SCRIPTS = sorted(path.name for path in SCRIPTS.glob("*.py"))
MP4 = (ROOT / "assets/sandbox.mp4").read_bytes()

# Long enough for a busy machine; only a hang comes near it.
PATIENCE = 120
KEY = "fake_test_key"

# One profile for all: how long an example takes says nothing here, and CI tries the same ones each time.
settings.register_profile(
    "ai-media",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("ai-media")


@cache
def validator(name: str):
    """The validator of one of the project's own schemas: event, result, provider…"""
    from jsonschema import Draft202012Validator

    schema = json.loads((ROOT / f"assets/schemas/{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def read_events(stdout: bytes) -> list[dict]:
    """The events of a script's stdout. Every test gets its events here, and so every event is validated."""
    events = []
    for line in stdout.decode("utf-8").split("\n")[:-1]:
        event = json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
        assert len(line.encode()) < 256 * 1024, "a line above every bound"
        is_full = event.get("event") == "terminal" and "files" not in event  # not the one line of --brief
        schemas = ("event", "result") if is_full else ("event",)
        problems = [
            f"{'/'.join(map(str, p.absolute_path))}: {p.message}"
            for name in schemas
            for p in validator(name).iter_errors(event)
        ]
        assert not problems, (problems, event)
        assert list(event)[:2] == ["event", "time"], event
        events.append(event)
    assert stdout.endswith(b"\n") or not stdout, "the last line has no end"
    return events


class Run:
    """A script that has ended."""

    def __init__(self, code: int, stdout: bytes, stderr: bytes):
        self.code = code
        self.stdout = stdout
        self.stderr = stderr.decode("utf-8", "replace")
        self.events = read_events(stdout)

    @property
    def result(self) -> dict:
        """The last line, whose exit code must be the process's."""
        last = self.events[-1]
        assert last["exit_code"] == self.code, (self.code, last, self.stderr)
        if last["event"] != "summary":  # with several jobs each has its own exit code
            assert all("exit_code" not in event for event in self.events[:-1]), self.events
        return last

    @property
    def job(self) -> str:
        """The key of the job: whatever line told it last."""
        return next(event["job"] for event in reversed(self.events) if "job" in event)

    @property
    def names(self) -> list[str]:
        return [event["event"] for event in self.events]

    def first(self, name: str) -> dict:
        return next(event for event in self.events if event["event"] == name)


def ended(process) -> Run:
    """What is left of a running script."""
    stdout, stderr = process.communicate(timeout=PATIENCE)
    return Run(process.returncode, stdout, stderr)


class Scripts:
    """Runs the project's scripts in a world of their own: no key, no state, no settings of the machine."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.started: list[subprocess.Popen] = []

    @property
    def key_file(self) -> Path:
        """Where --persist-key keeps keys."""
        return self.home / ".config/ai-media/.env"

    def environment(self, **more: str) -> dict[str, str]:
        kept = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL")
        clean = {name: os.environ[name] for name in kept if name in os.environ}
        own = {
            "HOME": str(self.home),
            "AI_MEDIA_HOME": str(self.folder / "state"),
            "PYTHONIOENCODING": "ascii",
            # Else each test would compile everything anew into the state of its own.
            "PYTHONPYCACHEPREFIX": str(ROOT / ".pytest_cache/bytecode"),
        }
        return {**clean, **own, **more}

    def start(
        self, script: str, *arguments: str, env: dict | None = None, cwd=None, stdin=subprocess.DEVNULL, prefix=()
    ):
        """prefix  words before the command"""
        process = subprocess.Popen(
            [*prefix, sys.executable, str(SCRIPTS / script), *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(**(env or {})),
            cwd=cwd or self.folder,
        )
        self.started.append(process)
        return process

    def run(self, script: str, *arguments: str, stdin: str | bytes | None = None, **options) -> Run:
        """`env`, `cwd` and `stdin` (text) as keywords."""
        process = self.start(script, *arguments, stdin=subprocess.PIPE, **options)
        given = stdin.encode() if isinstance(stdin, str) else stdin
        stdout, stderr = process.communicate(given, timeout=PATIENCE)
        return Run(process.returncode, stdout, stderr)


@pytest.fixture
def scripts(tmp_path):
    runner = Scripts(tmp_path)
    yield runner
    for process in runner.started:
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


@pytest.fixture
def sandbox(request):
    """A sandbox in this process; it counts what it is sent.

    It speaks skills.video's contract, or with `@pytest.mark.parametrize("sandbox", [...],
    indirect=True)` that of another service.
    """
    from mediakit.sandbox import Sandbox

    with Sandbox(None, getattr(request, "param", "skills-video")) as server:
        yield server


@pytest.fixture
def batch(tmp_path, monkeypatch):
    """Runs create_batch.py in this process: `(lines, *flags) -> batch_runs.Ran`. Lines are dictionaries or raw text."""
    from batch_runs import runner

    return runner(tmp_path, monkeypatch)


def at_sandbox(server) -> list[str]:
    """The flags that lead a script to such a sandbox."""
    from mediakit.services import providers

    base_path = providers.load("sandbox", server.service).base_path
    return ["--provider", "sandbox", "--as", server.service, "--base-url", server.url + base_path]


def posts(server) -> int:
    """How many POSTs a server has received."""
    return sum(method == "POST" for method, _ in server.requests.copy())  # the server goes on adding to it


def data_folder(folder: str) -> Path:
    """A folder of the external test data, or the test is skipped."""
    root = os.environ.get("AI_MEDIA_TEST_DATA")
    if not root:
        pytest.skip("AI_MEDIA_TEST_DATA does not name the folder of test data")
    path = Path(root) / folder
    if not path.is_dir():
        pytest.skip(f"AI_MEDIA_TEST_DATA has no {folder}")
    return path
