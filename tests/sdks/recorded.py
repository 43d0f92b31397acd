"""What an official client sends for a job, beside what we send: recorded in README.md beside this.

python tests/sdks/recorded.py     writes the table anew; needs tests/requirements-sdks.txt
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from clients import CLIENTS, KEY, PROMPT

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TABLE = HERE / "README.md"

# Of the client itself, and not of what it asks for.
_MATTERS = re.compile(
    r"authorization|.*api-key|content-type|prefer|idempotency-key|x-fal-.*|api-revision|x-(?!stainless).*-version"
)
_ID = re.compile(r"(?<=/)(?=[^/]*\d)[A-Za-z0-9_-]{16,}")
_HEAD = """# What the official clients send for a job, and what we send

Recorded by `python tests/sdks/recorded.py` against the sandbox, with the versions of `tests/requirements-sdks.txt`;
a test compares it with what they send now. `…` stands for an id or a key. Reads that repeat are told once.
"""


def requests_of(service: str, run) -> list[tuple[str, str, str, str]]:
    """`(method, path, headers, body)` of each request that `run(url, base_path)` makes; files are left out."""
    from mediakit.sandbox import Sandbox
    from mediakit.services import providers

    with Sandbox(None, service) as server:
        run(server.url, providers.load(service).base_path)
        seen = [_row(one, server.url) for one in server.exchanges.copy() if not one.path.startswith("/m/")]
    return list(dict.fromkeys(seen))


def _row(exchange, url: str) -> tuple[str, str, str, str]:
    headers = [f"{name}: {value}" for name, value in sorted(exchange.headers.items()) if _MATTERS.fullmatch(name)]
    headers = [line for line in headers if exchange.body or not line.startswith("content-type")]
    told = "; ".join(headers).replace("[redacted]", "…")
    body = exchange.body.decode("utf-8", "replace")
    try:
        body = json.dumps(json.loads(body), sort_keys=True) if body else ""
    except ValueError:
        body = "(a form)"
    return exchange.method, _ID.sub("…", exchange.path), told, body


def by_client(service: str):
    return lambda url, base_path: CLIENTS[service][1](url, base_path).create()


def by_us(service: str):
    """The same job as the client's: the default task of the same model."""

    def run(url: str, base_path: str) -> None:
        from mediakit.services import providers

        task = getattr(CLIENTS[service][1], "task", "t2i")
        with tempfile.TemporaryDirectory() as folder:
            environment = {"PATH": os.environ.get("PATH", ""), "HOME": folder, "AI_MEDIA_HOME": folder}
            ended = subprocess.run(
                [
                    sys.executable, str(ROOT / "scripts/create_and_wait.py"), "--provider", service, "--base-url",
                    url + base_path, "--task", task, "--prompt", PROMPT,
                ],
                env={**environment, providers.load(service).key["variable"]: KEY}, capture_output=True, cwd=folder,
            )  # fmt: skip
        assert ended.returncode == 0, ended.stdout

    return run


def section(service: str) -> str:
    """The table of one service."""
    package = CLIENTS[service][0]
    distribution = {"fal_client": "fal-client", "google.genai": "google-genai"}.get(package, package)
    lines = [f"\n## {service}: {distribution} {metadata.version(distribution)}\n", "| who | request | headers | body |"]
    lines.append("| --- | --- | --- | --- |")
    for who, run in (("client", by_client(service)), ("we", by_us(service))):
        for method, path, headers, body in requests_of(service, run):
            cells = (who, f"`{method} {path}`", f"`{headers}`", f"`{body}`" if body else "")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "scripts"))
    TABLE.write_text(_HEAD + "".join(map(section, CLIENTS)), encoding="utf-8")
