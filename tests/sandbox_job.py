"""The main job against a sandbox of the test's own."""

from __future__ import annotations

PROMPT = "a tin boat"


def flags(server, *more: str, prompt: str = PROMPT) -> tuple[str, ...]:
    where = ("--provider", "sandbox", "--base-url", server.url + "/api/v1", "--task", "t2i")
    return ("create_and_wait.py", *where, "--prompt", prompt, *more)
