"""Make a release of what is committed: the skill, and the same skill as a plugin.

    python tests/release.py                 # dist/ai-media-VERSION.zip, dist/ai-media-plugin-VERSION.zip
    python tests/release.py --into FOLDER   # there

Each holds exactly what a user needs, and is the same bit for bit whenever it is made: the content comes from the commit,
names are in order, times and modes are fixed (another zlib may pack the same content otherwise). The plugin is one folder in three forms: Claude Code's, Codex's and the portable one, each a manifest beside the skill.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
NAME = "ai-media"
# What is there to work on it. What a user needs is all the rest.
LEFT_OUT = re.compile(r"\..*|tests/.*|dist/.*|pyproject\.toml|requirements-dev\.txt|CONTRIBUTING\.md|.*\.pyc")
# The earliest that a ZIP can tell: a release has no time of its own.
TIME = (1980, 1, 1, 0, 0, 0)
LARGEST = 1_000_000
# A plugin's hosts look for it at its top.
ICON = "assets/icon.svg"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=ROOT / "dist", metavar="FOLDER", help="default dist/")
    folder = parser.parse_args().into
    folder.mkdir(parents=True, exist_ok=True)
    skill = committed()
    version = version_of(skill)
    for name, files in ((NAME, under(NAME, skill)), (f"{NAME}-plugin", plugin(skill, version))):
        path = folder / f"{name}-{version}.zip"
        path.write_bytes(packed(files))
        size, digest = path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{path}  {len(files)} files  {size} bytes  sha256 {digest}")
    return 0


def committed() -> dict[str, tuple[bytes, bool]]:
    """`{path: (content, is executable)}` of what a user needs, as it is committed."""
    command = ["git", "-C", str(ROOT), "-c", "core.autocrlf=false", "archive", "HEAD"]
    archive = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {
            member.name: (tar.extractfile(member).read(), bool(member.mode & 0o100))
            for member in tar
            if member.isfile() and not LEFT_OUT.fullmatch(member.name)
        }


def in_folder(root: Path) -> dict[str, tuple[bytes, bool]]:
    """The same of a folder as it stands, for a copy without its history."""
    paths = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    kept = {name: path for name, path in paths.items() if not LEFT_OUT.fullmatch(name)}
    return {name: (path.read_bytes(), bool(path.stat().st_mode & 0o100)) for name, path in kept.items()}


def version_of(files: dict) -> str:
    text = files["scripts/mediakit/__init__.py"][0].decode()
    return re.search(r'^__version__ = "([^"]+)"', text, re.M)[1]


def under(folder: str, files: dict) -> dict:
    return {f"{folder}/{name}": content for name, content in files.items()}


def plugin(skill: dict, version: str) -> dict:
    """The files of the plugin: the skill, and a manifest for each kind of host."""
    front = yaml.safe_load(skill["SKILL.md"][0].decode().split("---\n")[1])
    interface = yaml.safe_load(skill["agents/openai.yaml"][0].decode())["interface"]
    about = {
        "name": NAME,
        "version": version,
        "description": front["description"],
        "author": {"name": "ai-media contributors"},
        "license": front["license"],
        "keywords": ["image", "video", "speech", "sound", "3d", "generation"],
    }
    shown = {
        "displayName": interface["display_name"],
        "shortDescription": interface["short_description"],
        "brandColor": interface["brand_color"],
    }
    manifests = {
        "plugin.json": {"$schema": "https://agent-plugins.org/schemas/1.0.0/plugin.schema.json", **about},
        ".claude-plugin/plugin.json": about,
        ".codex-plugin/plugin.json": {**about, "skills": "./skills/", "interface": shown},
    }
    files = under(f"{NAME}/skills/{NAME}", skill)
    files[f"{NAME}/{ICON}"] = skill[ICON]
    for name, content in manifests.items():
        text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
        files[f"{NAME}/{name}"] = (text.encode(), False)
    return files


def packed(files: dict[str, tuple[bytes, bool]]) -> bytes:
    """A ZIP of the files, the same for the same files everywhere."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, (content, is_executable) in sorted(files.items()):
            entry = zipfile.ZipInfo(name, TIME)
            entry.create_system = 3  # as on POSIX, wherever it is made: then the modes count
            entry.external_attr = (0o100755 if is_executable else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compresslevel=9)
    return written.getvalue()


if __name__ == "__main__":
    sys.exit(main())
