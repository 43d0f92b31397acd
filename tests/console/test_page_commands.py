"""Every command that a page names runs, with a sandbox in its service's place; those of `sh` blocks and of the pages on
moving have tests of their own."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from conftest import ROOT, SCRIPTS
from mediakit.services import providers
from page_world import World
from studio import STUDIO

PAGES = [ROOT / "README.md", ROOT / "SKILL.md", *sorted((ROOT / "references").glob("*.md"))]
SHIPPED = {path.name for path in SCRIPTS.glob("*.py")}
# What stands for something that a page cannot know -> what there is. {…} are of MADE, or World's own.
WORDS = {
    "job_0123456789abcdef": "{job}",
    "gen_7f31": "{id}",
    "JOB": "{job}",
    "ID": "{id}",
    "https://example.com/boat.png": "boat.png",
    "https://example.com/clip.mp4": "job:{video}",
    "boat.mp4": "job:{video}",
    "../ai-media-out": "out",
    "openapi.yaml": "openapi.json",
    "POST /v1/videos": "POST /generation/kling-ai/kling-v2.6",
    "FILE_OR_URL": "openapi.json",
    "FILE": "studio.json",
    "SERVICE": "skills-video",
    "P": "skills-video",
    "M": "kling-ai/kling-v2.6",
    "TEXT": "no credits",
    "…": "a tin boat",
    "out/x-1.png.json": "{record}",
    "picture.png": "{embedded}",
}
# A sentence names a kind of command, or says the rest of it -> a whole one.
COMPLETED = {
    "account.py … --confirm": "account.py luxin claim --param contact=inbox@example.com --confirm",
    "account.py SERVICE ACTION": "account.py skills-video credits",
    "account.py skills-video tts": "account.py skills-video tts --param modelId=tts-1 --param text=Hello",
    "account.py luxin signup": "account.py luxin signup --param agent_name=a --param runtime=b --persist-key",
    "create_and_wait.py --provider NAME --task TASK": "create_and_wait.py --task t2i --prompt x",
    "create_batch.py --expand-only": "create_batch.py jobs.jsonl --expand-only",
    "inspect_openapi.py --descriptor": "inspect_openapi.py --openapi openapi.json --endpoint 'POST /v1/videos' --descriptor",
    "inspect_openapi.py --list-endpoints": "inspect_openapi.py --provider fal --list-endpoints",
    "inspect_openapi.py --model": "inspect_openapi.py --provider fal --model fal-ai/clarity-upscaler",
    "inspect_openapi.py --refresh --model": "inspect_openapi.py --provider modellix --refresh --model google/nano-banana-2",
    "inspect_openapi.py --validate": 'inspect_openapi.py --provider skills-video --model M --validate \'{"prompt":"x"}\'',
    "jobs.py cancel": "jobs.py cancel {running} --provider fal",
    "jobs.py download image_…": "jobs.py download {asset} --provider luxin",
    "jobs.py forget": "jobs.py forget --older-than 30",
    "jobs.py forget JOB": "jobs.py forget {settled}",
    "jobs.py reconcile JOB": "jobs.py reconcile {lost}",
    "jobs.py reconcile JOB --attach ID": "jobs.py reconcile {lost_too} --attach {found}",
    "jobs.py resume": "jobs.py resume JOB",
    "jobs.py show": "jobs.py show JOB",
    "preflight.py --online": "preflight.py --provider modellix --online",
    "services.py add": "services.py add studio.json",
    "services.py check": "services.py check studio.json",
    "wait_generation.py --job": "wait_generation.py --job JOB",
}
# Where something else than 0 is what the page promises.
CODES = {
    "handle_runtime_error.py --status 402 --body TEXT": 20,
    "jobs.py reconcile JOB": 12,
    'preflight.py --provider studio --task t2i --prompt "a tin boat"': 21,
}
# A word above -> the flags of the job that makes it, and what of the job it is.
MADE = {
    "video": (["--task", "t2v", "--prompt", "rain", "--output-dir", "out"], "job"),
    "running": (["--task", "t2i", "--prompt", "a fault:job-slow", "--no-wait"], "job"),
    "settled": (["--task", "t2i", "--prompt", "settled", "--output-dir", "out"], "job"),
    "lost": (["--task", "t2i", "--prompt", "a fault:create-500"], "job"),
    "lost_too": (["--task", "t2i", "--prompt", "b fault:create-500"], "job"),
    "record": (["--task", "t2i", "--prompt", "kept", "--output-dir", "out"], "record"),
    "embedded": (["--task", "t2i", "--prompt", "inside", "--output-dir", "out", "--embed-metadata"], "path"),
}


def commands() -> dict[str, str]:
    """Command -> the first page that names it."""
    found: dict[str, str] = {}
    for page in (page for page in PAGES if not page.name.startswith("moving-from")):
        text = page.read_text(encoding="utf-8")
        spans = re.findall(r"`(?:python3 scripts/)?([a-z_]+\.py [^`\n]*)`", text)
        blocks = re.findall(r"^```(?!sh\n)\w*\n(.*?)^```", text, re.M | re.S)
        lines = [line for block in blocks for line in re.findall(r"^python3 scripts/(.*)$", block, re.M)]
        for command in [*spans, *lines]:
            if command.partition(" ")[0] in SHIPPED:
                found.setdefault(command, page.name)
    return found


def service_of(words: list[str]) -> str:
    """The service that a command asks, by its name or an alias."""
    if "--model-slug" in words:
        return "modellix"
    named = (
        words[words.index("--provider") + 1] if "--provider" in words else words[1] if words[0] == "account.py" else ""
    )
    name = providers.canonical(named)
    return name if name in providers.known() and not providers.load(name).embedded else "skills-video"


class User(World):
    """A World whose words are made when a command needs them."""

    def __init__(self, folder, service: str):
        super().__init__(folder, service)
        (folder / "studio.json").write_text(json.dumps(STUDIO))
        (folder / "jobs.jsonl").write_text('{"task": "t2i", "prompt": "a"}\n{"task": "t2i", "prompt": "b"}\n')
        own = ("services.py", "add", "studio.json", "--confirm")
        assert self.scripts.run(*own, cwd=self.scripts.folder).code == 0

    def run_page(self, command: str):
        if "gallery" in command:
            self._made("record")
        script, *words = [self._with_made(word) for word in shlex.split(COMPLETED.get(command, command))]
        if script == "services.py" or "sandbox" in words or words[:1] == ["gallery"] or "studio" in words:
            return self.scripts.run(script, *words, cwd=self.scripts.folder)
        return self.run(script, *words)

    def _with_made(self, word: str) -> str:
        name, equals, value = word.rpartition("=")
        before, colon, last = value.rpartition(":") if value.startswith("job:") else ("", "", value)
        value = before + colon + WORDS.get(last, last)
        return name + equals + re.sub(r"{(\w+)}", lambda found: self._made(found[1]), value)

    def _made(self, word: str) -> str:
        ready = {"job": "JOB", "id": "ID", "asset": "ASSET"}
        if word == "found":  # an id that no job here has
            return self.server.store.add("z-image/z-image", "image", {"prompt": "x"}, None).id
        if word not in ready and word not in self.words:
            flags, what = MADE[word]
            run = self.run("create_and_wait.py", "--provider", self.provider.name, *flags)
            path = run.first("asset")["path"] if what != "job" else ""
            self.words[word] = {"job": run.job, "path": path, "record": f"{path}.json"}[what]
        return self.words[ready.get(word, word)]


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    there: dict[str, User] = {}

    def user(service: str) -> User:
        if service not in there:
            there[service] = User(tmp_path_factory.mktemp(service), service)
        return there[service]

    yield user
    for one in there.values():
        one.server.close()


@pytest.mark.parametrize("command", commands())
def test_a_command_that_a_page_names_runs(users, command):
    words = shlex.split(COMPLETED.get(command, command))
    code = CODES.get(command, 0)
    run = users(service_of(words)).run_page(command)
    assert run.result["exit_code"] == code, run.stdout


def test_each_completed_command_is_on_a_page():
    assert set(COMPLETED) <= set(commands())
