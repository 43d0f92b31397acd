"""Commands for a service that charges one idempotency key once, and what it answers."""

from __future__ import annotations

from conftest import KEY

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


def create(scripts, service, *more: str, key: str = KEY, **options):
    return scripts.run(*flags(service, *more), env={"IMAGE_SKILL_TOKEN": key}, **options)


def flags(service, *more: str) -> list[str]:
    where = ["--provider", "image-skill", "--base-url", f"{service.origin}/v1"]
    return ["create_and_wait.py", *where, "--task", "t2i", "--prompt", "a", *more]


def jobs(scripts, *arguments: str):
    return scripts.run("jobs.py", *arguments, env={"IMAGE_SKILL_TOKEN": KEY})
