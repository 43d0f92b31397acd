"""Run every command of every good answer in the sandbox, and see whether what is claimed of it is so.

    python tests/evals/check_answers.py             # all requests, with a table
    python tests/evals/check_answers.py plain-picture batch

A request passes when each of its commands ends as claimed, what a hasty agent would run is met as claimed, and the ledger
then holds just the jobs that were meant to be bought. What an answer must say is for a reader.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import wave
from collections import namedtuple
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SECONDS = 120
# The result of a command, and the media types of the files that it saved.
Ended = namedtuple("Ended", "result media")


def requests() -> list[dict]:
    return yaml.safe_load((HERE / "requests.yaml").read_text(encoding="utf-8"))


class World:
    """A user's folder with some files, and a state of its own; what a command told is there for the next one."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.told: dict = {}
        _put_files(folder)

    def run(self, words: str) -> Ended:
        script, *arguments = shlex.split(self._filled(words))
        if script.startswith(sys.executable):  # {next}
            script, *arguments = arguments
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMP") if name in os.environ}
        done = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / os.path.basename(script)), *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, cwd=self.folder, timeout=SECONDS,
            env={**kept, "HOME": str(self.folder), "AI_MEDIA_HOME": str(self.folder / "state")},
        )  # fmt: skip
        events = [json.loads(line) for line in done.stdout.splitlines()]
        result = events[-1]
        assert result["exit_code"] == done.returncode
        names = {"job": "job", "next": "next_command", "id": "generation_id"}
        for event in events:  # of a job whose files are saved, its key stands in `start`
            self.told.update((short, event[name]) for short, name in names.items() if name in event)
        saved = [event["media_type"] for event in events if event["event"] == "asset"]
        files = result.get("files")
        return Ended(result, saved or ["?"] * len(files if isinstance(files, list) else []))

    def bought(self) -> int:
        """How many jobs the ledger holds that were accepted."""
        listed = subprocess.run(
            [sys.executable, str(ROOT / "scripts/jobs.py"), "list", "--outcome", "accepted", "--limit", "1000"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder), "AI_MEDIA_HOME": str(self.folder / "state")},
        ).stdout  # fmt: skip
        return sum(json.loads(line)["event"] == "job" for line in listed.splitlines())

    def _filled(self, words: str) -> str:
        for name, value in {**self.told, "skill": str(ROOT)}.items():
            words = words.replace(f"{{{name}}}", value)
        return words


def _put_files(folder: Path) -> None:
    from PIL import Image

    Image.new("RGB", (640, 480), "#335577").save(folder / "boat.png")
    (folder / "clip.mp4").write_bytes((ROOT / "assets/sandbox.mp4").read_bytes())
    with wave.open(str(folder / "talk.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(b"\0\0" * 16000)
    texts = {
        "notes.txt": "Good morning.\n",
        "prompts.txt": "a red boat\na blue boat\n",
        "jobs.jsonl": '{"prompt":"a red boat"}\n{"prompt":"a blue boat"}\n',
        "openapi.json": json.dumps(_own_api()),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _own_api() -> dict:
    schema = {"type": "object", "required": ["prompt"], "properties": {"prompt": {"type": "string"}}}
    body = {"content": {"application/json": {"schema": schema}}}
    answer = {"200": {"description": "the picture"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pictures", "version": "1"},
        "servers": [{"url": "https://pictures.example"}],
        "paths": {"/pictures": {"post": {"requestBody": body, "responses": answer}}},
    }


def check(request: dict, folder: Path) -> list[str]:
    """What is not as it is claimed of a request; empty where all is."""
    world = World(folder)
    wrong = []
    for words in request.get("before", []):
        world.run(words)
    for step in [*request.get("good", []), *request.get("bad", [])]:
        wrong += [f"{step['run']}: {problem}" for problem in _differs(world.run(step["run"]), step.get("claim", {}))]
    bought = world.bought() if "bought" in request else None
    if bought != request.get("bought"):
        wrong.append(f"{bought} jobs were bought, not {request['bought']}")
    return wrong


def _differs(ended: Ended, claim: dict) -> list[str]:
    result, media = ended
    codes = claim.get("exit", 0)
    found = []
    if result["exit_code"] not in (codes if isinstance(codes, list) else [codes]):
        found.append(f"exit {result['exit_code']}: {result.get('message', result.get('error'))}")
    if claim.get("event", result["event"]) != result["event"]:
        found.append(f"ends with {result['event']}")
    if claim.get("files", len(media)) != len(media):
        found.append(f"{len(media)} files")
    if not all(one.startswith(claim.get("media", "")) or one == "?" for one in media):
        found.append(f"files of {media}")
    for name, value in claim.get("has", {}).items():
        there = _at(result, name)
        if there is None or (value is not True and there != value):
            found.append(f"{name} is {there}")
    return found


def _at(value, name: str):
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def main() -> int:
    wanted = set(sys.argv[1:])
    failed = 0
    print("| request | commands | result |\n| --- | ---: | --- |")
    for request in requests():
        if wanted and request["id"] not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            wrong = check(request, Path(folder))
        failed += bool(wrong)
        count = sum(len(request.get(part, [])) for part in ("before", "good", "bad"))
        print(f"| {request['id']} | {count} | {'; '.join(wrong) or 'as claimed'} |", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
