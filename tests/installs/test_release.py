"""A release holds what a user needs, is the same however it is made, and works where it is unpacked."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import subprocess
import sys
import zipfile

import pytest

import release
from conftest import PATIENCE, ROOT, read_events

FILES = release.in_folder(ROOT)
VERSION = release.version_of(FILES)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The skill as a user has it, read-only."""
    folder = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(io.BytesIO(release.packed(release.under(release.NAME, FILES)))).extractall(folder)
    skill = folder / release.NAME
    for path in [*skill.rglob("*"), skill]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield skill
    for path in [skill, *skill.rglob("*")]:
        path.chmod(0o755)


def test_a_release_is_the_same_bit_for_bit_and_small():
    again = dict(reversed(list(FILES.items())))
    one, other = (release.packed(release.under(release.NAME, files)) for files in (FILES, again))
    assert one == other and len(one) < release.LARGEST, len(one)
    entries = zipfile.ZipFile(io.BytesIO(one)).infolist()
    assert {(entry.date_time, entry.create_system) for entry in entries} == {(release.TIME, 3)}
    assert {entry.external_attr >> 16 for entry in entries} <= {0o100644, 0o100755}
    whole = release.packed(release.plugin(FILES, VERSION))
    assert whole == release.packed(release.plugin(again, VERSION)) and len(whole) < release.LARGEST


def test_it_holds_what_a_user_needs_and_nothing_else():
    wanted = {"SKILL.md", "README.md", "LICENSE", "CHANGELOG.md", "requirements.txt"}
    assert {name for name in FILES if "/" not in name} == wanted
    assert {name.split("/")[0] for name in FILES if "/" in name} == {"agents", "assets", "references", "scripts"}
    ignored = (ROOT / ".clawhubignore").read_text(encoding="utf-8").split()
    assert all(release.LEFT_OUT.fullmatch(f"{name}x" if name.endswith("/") else name) for name in ignored)


def test_every_link_of_its_pages_leads_to_a_file_in_it(unpacked):
    for page in unpacked.rglob("*.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def test_a_read_only_copy_does_the_main_job_from_any_folder(unpacked, scripts):
    script = unpacked / "scripts/create_and_wait.py"
    words = ["--provider", "sandbox", "--task", "t2i", "--prompt", "a tin boat", "--output-dir", "./out"]
    done = subprocess.run(
        [sys.executable, str(script), *words], capture_output=True, cwd=scripts.folder,
        env={**scripts.environment(), "PYTHONPYCACHEPREFIX": ""}, timeout=PATIENCE,
    )  # fmt: skip
    (asset,) = read_events(done.stdout)[-1]["assets"]
    assert asset["path"].startswith(str(scripts.folder / "out"))
    assert sorted(path.name for path in unpacked.iterdir()) == sorted({name.split("/")[0] for name in FILES})


@pytest.mark.skipif(not importlib.util.find_spec("skills_ref"), reason="the validator needs Python 3.11")
def test_the_agent_skills_validator_takes_it(unpacked):
    from skills_ref.validator import validate

    assert validate(unpacked) == []


def test_the_plugin_has_a_manifest_for_each_kind_of_host():
    files = {name.partition("/")[2]: content for name, (content, _) in release.plugin(FILES, VERSION).items()}
    manifests = {name: json.loads(files[name]) for name in files if name.endswith("plugin.json")}
    assert set(manifests) == {"plugin.json", ".claude-plugin/plugin.json", ".codex-plugin/plugin.json"}
    for manifest in manifests.values():
        assert (manifest["name"], manifest["version"]) == ("ai-media", VERSION) and manifest["description"]
    assert manifests[".codex-plugin/plugin.json"]["skills"] == "./skills/" and "skills/ai-media/SKILL.md" in files
    assert files[release.ICON] == files[f"skills/ai-media/{release.ICON}"]
    assert not any(name.startswith("hooks/") for name in files), "a host would switch them on by itself"
