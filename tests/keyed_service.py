"""Commands for a service that charges one idempotency key once, and what it answers."""

from __future__ import annotations

from conftest import KEY
from fake_service import answer

MADE = {
    "ok": True,
    "error": None,
    "data": {
        "job_id": "job_4",
        "assets": [{"url": "https://media.invalid/a.png", "mime_type": "image/png"}],
        "cost": {"credit_pricing": {"credits_required": 4}},
    },
}


def refusal(code: str, **more) -> dict:
    return {"ok": False, "data": None, "error": {"code": code, "message": "no", **more}}


def failing(retry_after: int):
    """A failure that may be sent again under the same key, after so many seconds."""
    return answer(502, refusal("PROVIDER_FAILURE", retryable=True), {"Retry-After": str(retry_after)})


# Sent again at once; and one that nobody can wait for: it is left to the next command.
PASSING, LASTING = failing(0), failing(700)


def create(scripts, service, *more: str, key: str = KEY, **options):
    return scripts.run(*flags(service, *more), env={"IMAGE_SKILL_TOKEN": key}, **options)


def flags(service, *more: str) -> list[str]:
    where = ["--provider", "image-skill", "--base-url", f"{service.origin}/v1"]
    return ["create_and_wait.py", *where, "--task", "t2i", "--prompt", "a", *more]


def jobs(scripts, *arguments: str, at=None, script="jobs.py"):
    """at: the service, which must be named again before it gets the key"""
    named = ["--base-url", f"{at.origin}/v1"] if at else []
    return scripts.run(script, *arguments, *named, env={"IMAGE_SKILL_TOKEN": KEY})
