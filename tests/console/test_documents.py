"""The Markdown, the front matter and the requirements say what is true."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
import yaml

import mediakit
from conftest import ROOT, SCRIPTS
from mediakit.base import codes
from mediakit.services import providers

PAGES = [
    *(ROOT / name for name in ("README.md", "SKILL.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "references").glob("*.md")),
]
SHIPPED_SCRIPTS = sorted(SCRIPTS.glob("*.py"))
# Scripts of other skills, which the page on moving from them names.
REPLACED_SCRIPTS = {"ensure_api_key.py", "invoke_and_poll.py"}


def front_matter() -> dict:
    return yaml.safe_load((ROOT / "SKILL.md").read_text(encoding="utf-8").split("---\n")[1])


def commands_of(page) -> list[str]:
    """The commands of a page's `sh` blocks, which cost nothing and need no key."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S) for line in block.splitlines()]
    lines = [line.replace('"{baseDir}/scripts/', '"scripts/') for line in lines]
    return [line for line in lines if re.match('python3 "?scripts/', line)]


COMMANDS = [(page.name, command) for page in PAGES for command in commands_of(page)]


@pytest.mark.parametrize("page, command", COMMANDS, ids=[f"{page}-{n}" for n, (page, _) in enumerate(COMMANDS)])
def test_every_command_of_a_page_runs(scripts, page, command):
    _, path, *arguments = shlex.split(command)
    run = scripts.run(path.removeprefix("scripts/"), *arguments)
    assert run.result["exit_code"] == 0, run.events


def test_the_readme_has_its_two_commands_in_one_line_each():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^python3 -m venv .*create_and_wait\.py", text, re.M)) == 1
    assert len(re.findall(r"^python3 -m venv .*pytest", text, re.M)) == 1
    for command in re.findall(r"^python3 -m venv .*", text, re.M):
        words = shlex.split(command)
        assert words[3].startswith("../"), "installers copy what lies in the folder"
        assert {word for word in words if word.endswith("/bin/python")} == {f"{words[3]}/bin/python"}


def test_the_program_of_the_readme_runs(scripts):
    (program,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    (scripts.folder / "ai-media").symlink_to(ROOT)
    done = subprocess.run(
        [sys.executable, "-"], input=program, capture_output=True, text=True, env=scripts.environment(),
        cwd=scripts.folder,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.strip().endswith(".png"), done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_script_that_a_page_names_exists():
    named = {name for page in PAGES for name in re.findall(r"\b([a-z_]+\.py)\b", page.read_text(encoding="utf-8"))}
    there = [
        *SHIPPED_SCRIPTS,
        *(ROOT / "agents").glob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
        *(SCRIPTS / "mediakit").rglob("*.py"),
    ]
    assert named <= {path.name for path in there} | REPLACED_SCRIPTS


def flags_of(script) -> set[str]:
    """The flags that a script's --help lists."""
    told = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True).stdout
    return set(FLAG.findall(told.partition("examples:")[0]))


FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9_-]+")
# Of other programs: uv, a scheduler of jobs, an agent, an installer.
FOREIGN_FLAGS = {"--no-config", "--array", "--signal", "--time", "--settings", "--deny", "--copy"}
MANUAL = [*(ROOT / "references").glob("*.md"), ROOT / "README.md", ROOT / "SKILL.md"]


@pytest.fixture(scope="module")
def flags():
    return {script.name: flags_of(script) for script in SHIPPED_SCRIPTS}


def test_every_flag_is_in_a_page_and_every_flag_of_a_page_exists(flags):
    text = {page.name: page.read_text(encoding="utf-8") for page in MANUAL}
    there = set().union(*flags.values())
    assert there <= {flag for page in text.values() for flag in FLAG.findall(page)}
    for name, page in text.items():
        if not name.startswith("moving-from"):  # it names what is gone
            assert set(FLAG.findall(page)) - FOREIGN_FLAGS <= there, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_command_of_a_page_has_only_flags_of_its_script(flags, page):
    text = page.read_text(encoding="utf-8")
    fenced = [line for block in re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S) for line in block.splitlines()]
    for span in [*re.findall(r"`([^`\n]+\.py [^`\n]*)`", text), *fenced]:
        script, _, words = span.partition(".py")
        known = flags.get(re.sub(r".*\W", "", script) + ".py")
        assert known is None or set(FLAG.findall(words)) - FOREIGN_FLAGS <= known, span


def test_the_changelog_begins_with_this_version():
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert released[0] == mediakit.__version__


def test_the_page_of_exit_codes_is_the_registry():
    page = (ROOT / "references/events.md").read_text(encoding="utf-8")
    listed = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", page, re.M) for code in row.split(",")}
    assert listed == set(codes.EXIT_CODES)


def test_the_page_of_events_is_the_schema(scripts):
    import json

    pages = [(ROOT / "references" / name).read_text(encoding="utf-8") for name in ("events.md", "other-results.md")]
    listed = {event for page in pages for event in re.findall(r"^\| `([a-z_]+)` \|", page, re.M)}
    schema = json.loads((ROOT / "assets/schemas/event.schema.json").read_text(encoding="utf-8"))
    assert listed == set(schema["properties"]["event"]["enum"])


def test_the_front_matter_is_what_all_installers_accept():
    found = front_matter()
    assert set(found) <= {"name", "description", "license", "allowed-tools", "metadata"}
    assert found["name"] == "ai-media"
    assert len(found["description"]) <= 1024 and not re.search("[<>]", found["description"])
    head = (ROOT / "SKILL.md").read_text(encoding="utf-8").split("---\n")[1]
    assert not re.search(r"[{}\[\]]", head), "block YAML only"


def test_every_variable_is_declared_by_its_first_name():
    """A service's other spellings are in its page: an agent pays for this list in each of its conversations."""
    found = front_matter()["metadata"]["openclaw"]
    assert all(entry["required"] is False for entry in found["envVars"]), "a required one would hide the skill"
    declared = {entry["name"] for entry in found["envVars"]}
    assert found["primaryEnv"] in declared
    services = [providers.load(name) for name in providers.names()]
    wanted = [found.key for found in services if found.key]
    keys = {key["variable"] for key in wanted}
    keys |= {key["saved_login"]["variable"] for key in wanted if "saved_login" in key}
    programs = {found.cli["variable"] for found in services if found.cli}
    code = "".join(path.read_text(encoding="utf-8") for path in SCRIPTS.rglob("*.py"))
    assert declared == keys | programs | set(re.findall(r'"(AI_MEDIA_[A-Z_]+)"', code))


def test_what_codex_shows_is_within_its_limits():
    found = yaml.safe_load((ROOT / "agents/openai.yaml").read_text(encoding="utf-8"))
    interface = found["interface"]
    assert len(interface["display_name"]) <= 64
    assert 25 <= len(interface["short_description"]) <= 64
    assert re.fullmatch("#[0-9A-F]{6}", interface["brand_color"])
    for icon in (interface["icon_small"], interface["icon_large"]):
        assert icon.startswith("./assets/") and (ROOT / icon).is_file()
    assert "$ai-media" in interface["default_prompt"] and len(interface["default_prompt"]) <= 1024
    assert found["policy"]["allow_implicit_invocation"] is True


def requirements() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("script", SHIPPED_SCRIPTS, ids=lambda path: path.name)
def test_each_script_declares_the_same_requirements(script):
    block = re.search(r"^# /// script\n(.*?)^# ///$", script.read_text(encoding="utf-8"), re.M | re.S)[1]
    assert re.findall(r'"([^"]+)",$', block, re.M) == requirements()
    assert 'requires-python = ">=3.9"' in block


@pytest.mark.parametrize("script", SHIPPED_SCRIPTS, ids=lambda path: path.name)
def test_each_script_explains_itself_without_any_package(scripts, script):
    ended = subprocess.run(
        [sys.executable, "-E", "-S", str(script), "--help"],
        capture_output=True, text=True, env=scripts.environment(), cwd=scripts.folder,
    )  # fmt: skip
    assert ended.returncode == 0 and ended.stderr == ""
    assert "examples:" in ended.stdout and "exit codes:" in ended.stdout


def test_no_script_has_a_special_case_for_one_service():
    pattern = r"(provider|service)(\.\w+)?\s*==\s*[\"'](skills-video|modellix|image-skill|sandbox)"
    for path in SCRIPTS.rglob("*.py"):
        assert not re.search(pattern, path.read_text(encoding="utf-8")), path


def rooms() -> list[str]:
    """The packages of the shared helper, from top to bottom, as its docstring lists them."""
    return re.findall(r"^    ([a-z_]+)  ", (SCRIPTS / "mediakit/__init__.py").read_text(encoding="utf-8"), re.M)


def imported_by(package: str) -> set[str]:
    """The packages that a package imports, at the head of a module or inside a function."""
    import ast

    found = set()
    for file in (SCRIPTS / "mediakit" / package).rglob("*.py"):
        depth = len(file.relative_to(SCRIPTS / "mediakit").parts)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == depth:
                found |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
    return found & set(rooms())


def test_the_docstring_lists_every_room():
    there = {path.stem for path in (SCRIPTS / "mediakit").iterdir() if not path.name.startswith("_")}
    assert sorted(rooms()) == sorted(there)


def test_the_docstring_of_a_package_lists_its_modules():
    for page in (SCRIPTS / "mediakit").rglob("__init__.py"):
        told = page.read_text(encoding="utf-8").split('"""')[1]
        there = {path.stem for path in page.parent.iterdir() if not path.name.startswith("_")}
        assert not {name for name in there if not re.search(rf"\b{name}\b", told)}, page


@pytest.mark.parametrize("room", rooms())
def test_a_room_imports_only_rooms_below_it(room):
    listed = rooms()
    assert imported_by(room) <= set(listed[listed.index(room) + 1 :])


def test_no_two_files_of_tests_have_one_name():
    """pytest imports each by its name alone."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
