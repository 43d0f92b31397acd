"""--dry-run: under a cap it ends as the real run would, and it says what it could not ask."""

from __future__ import annotations

import pytest

from conftest import KEY, at_sandbox, posts
from fake_service import COMPLETED, FakeService, answer, job

GEN = ("--model", "runwayml/gen-4.5", "--prompt", "a tin boat")  # 0.05 USD a second
UNPRICED = ("--model", "z-image/z-image", "--prompt", "a tin boat")

# what is asked for, AI_MEDIA_MAX_SPEND -> exit code, error
CAPPED = [
    ((*GEN, "--param", "duration=5", "--max-spend", "0.25usd"), None, 0, None),
    ((*GEN, "--param", "duration=5", "--max-spend", "0.2usd"), None, 27, "spend_cap"),
    ((*GEN, "--param", "duration=5", "--copies", "2"), "0.4usd/day", 27, "spend_cap"),
    ((*UNPRICED, "--max-spend", "5credits"), None, 27, "unknown_cost"),
    ((*UNPRICED, "--max-spend", "5credits", "--accept-unknown-cost"), None, 0, None),
]


@pytest.mark.parametrize("asked, standing, code, error", CAPPED, ids=range(len(CAPPED)))
def test_a_dry_run_under_a_cap_ends_as_the_real_run_would(scripts, asked, standing, code, error):
    env = {"SKILLS_VIDEO_API_KEY": KEY, **({"AI_MEDIA_MAX_SPEND": standing} if standing else {})}
    with FakeService(create=answer(200, job("COMPLETED")), read=[COMPLETED] * 9) as service:
        where = (
            "create_and_wait.py",
            "--provider",
            "skills-video",
            "--base-url",
            service.base_url,
            "--stream",
            "never",
        )
        planned = scripts.run(*where, *asked, "--dry-run", env=env)
        assert (planned.code, planned.result.get("error"), service.connections) == (code, error, 0), planned.events
        real = scripts.run(*where, *asked, env=env)
        assert (real.code, real.result.get("error") if code else None) == (code, error), real.events


@pytest.mark.parametrize("sandbox", ["image-skill"], indirect=True)
def test_a_plan_with_files_says_what_it_did_not_ask(scripts, sandbox):
    from PIL import Image

    Image.new("RGB", (512, 512)).save(scripts.folder / "boat.png")
    asked = ("--task", "i2i", "--prompt", "winter", "--input", "image=boat.png", "--dry-run")
    run = scripts.run("create_and_wait.py", *at_sandbox(sandbox), *asked)
    warning = run.first("warning")
    assert (run.code, warning["code"], posts(sandbox)) == (0, "no_service_plan", 0), run.events
    assert "files" in warning["message"]
