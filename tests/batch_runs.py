"""Runs create_batch.py in this process, where a subprocess would tell nothing more."""

from __future__ import annotations

import importlib
import json
import sys

from conftest import validator
from mediakit.base import errors, paths, start
from mediakit.console import Console, events, several


class Told(Console):
    """A console that keeps what it is told, and leaves this process's signals alone."""

    def __init__(self, script: str = "create_batch.py"):
        super().__init__(script)
        self.events: list[dict] = []

    def _write(self, event: dict) -> None:
        self.events.append(event)


class Ran:
    """A batch that has ended, in this process."""

    def __init__(self, code: int, events: list[dict], folder):
        self.code = code
        self.events = events
        self.result = events[-1]
        self.folder = folder
        results = folder / "results.jsonl"
        # What results.jsonl says.
        self.lines = [json.loads(line) for line in results.read_text("utf-8").splitlines()] if results.exists() else []

    @property
    def ends(self) -> dict[str, int]:
        """The exit code of each line that ended, as its own event tells it."""
        return {event["line"]: event["exit_code"] for event in self.events[:-1] if "exit_code" in event}


def runner(tmp_path, monkeypatch):
    """Runs create_batch.py in this process: `(lines, *flags) -> Ran`. Lines are dictionaries or raw text."""
    monkeypatch.setattr(start, "begin", lambda: None)
    monkeypatch.setattr(events.signals, "ignore", lambda: None)
    monkeypatch.setenv("AI_MEDIA_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SKILLS_VIDEO_API_KEY", "MODELLIX_API_KEY", "IMAGE_SKILL_TOKEN", "AI_MEDIA_MAX_SPEND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(several.Part, "_write", lambda self, event: self.whole.events.append(event), raising=True)
    made = several.Part.__init__

    def init(self, whole, begun, key=None):
        self.whole = whole
        made(self, whole, begun, key)

    monkeypatch.setattr(several.Part, "__init__", init)
    before = list(sys.path), sys.dont_write_bytecode
    script = importlib.import_module("create_batch")  # its folder is on the path, as conftest puts it there
    sys.path[:], sys.dont_write_bytecode = before

    def run(lines, *flags: str, file: str | None = "jobs.jsonl") -> Ran:
        if lines is not None:
            text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
            (tmp_path / "jobs.jsonl").write_text(text, "utf-8", errors="surrogateescape")
        console = Told()
        parser = script.build_parser()
        words = [*([file] if file else []), "--output-dir", str(tmp_path / "out"), *flags]
        console.output = parser.output(words)
        try:
            given = parser.parse(words)
            console.about.update(parser.about(given))
            paths.choose_state(given.state_dir)
            code = script.main(console, given)
        except errors.Failure as failure:
            code = console.failure(failure)
        for event in console.events:
            told = json.loads(json.dumps(event))
            problems = [*validator("event").iter_errors(told)]
            assert not problems, (problems[0].message, event)
        assert console.events[-1]["exit_code"] == code, console.events[-1]
        return Ran(code, console.events, tmp_path / "out")

    return run


def drawn(*prompts: str, **more) -> list[dict]:
    return [{"task": "t2i", "prompt": prompt, **more} for prompt in prompts]
