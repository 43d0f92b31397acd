"""--dry-run: under a cap it ends as the real run would, and it says what it could not ask."""

from __future__ import annotations

import base64

import pytest

from conftest import KEY, at_sandbox, posts
from example_service import ExampleService
from fake_service import COMPLETED, PNG, FakeService, answer, job
from mediakit.services import providers

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


PICTURE = {"data": [{"b64_json": base64.b64encode(PNG).decode()}]}
# what the ledger knows of the same, flags -> exit code, error, what the plan tells of it, POSTs of the real run
STANDING = [
    ("open", (), 0, None, {"to_buy": 0, "to_resume": 1}, 0),
    ("open", ("--max-spend", "0.1usd"), 0, None, {"to_buy": 0, "to_resume": 1}, 0),
    ("open", ("--copies", "2"), 0, None, {"to_buy": 1, "to_resume": 1}, 1),
    ("open", ("--copies", "2", "--max-spend", "0.1usd"), 27, "spend_cap", {}, 0),
    ("open", ("--intent", "another", "--max-spend", "0.1usd"), 27, "spend_cap", {}, 0),
    ("open", ("--allow-duplicate", "--max-spend", "0.1usd"), 27, "spend_cap", {}, 0),
    ("open", ("--allow-duplicate",), 0, None, {}, 1),
    ("delivered", (), 0, None, {}, 1),
    ("unknown", (), 27, "duplicate_unknown", {}, 0),
    ("unknown", ("--retry-unknown",), 0, None, {}, 1),
    ("unknown", ("--allow-duplicate",), 0, None, {}, 1),
]


@pytest.mark.parametrize("before, flags, code, error, told, posts", STANDING, ids=range(len(STANDING)))
def test_a_dry_run_says_what_the_run_would_go_on_with(scripts, before, flags, code, error, told, posts):
    answers = [job() if before == "open" else job("COMPLETED"), job("COMPLETED", id="gen_2")]
    what = ("--provider", "skills-video", *GEN, "--param", "duration=5", "--stream", "never")
    if before == "unknown":
        answers, what = [{}, PICTURE], ("--provider", "openai", "--task", "t2i", "--prompt", "a tin boat")
    env = {"SKILLS_VIDEO_API_KEY": KEY, "OPENAI_API_KEY": KEY}
    status = 503 if before == "unknown" else 200
    with FakeService(create=[answer(status, answers[0]), answer(200, answers[1])], read=[COMPLETED] * 9) as service:
        where = ("create_and_wait.py", "--base-url", service.base_url, *what)
        first = scripts.run(*where, *(("--no-wait",) if before == "open" else ()), env=env)
        assert (first.code, service.posts()) == (12 if before == "unknown" else 0, 1), first.events
        planned = scripts.run(*where, *flags, "--dry-run", env=env)
        assert (planned.code, planned.result.get("error"), service.posts()) == (code, error, 1), planned.events
        assert {name: planned.result[name] for name in ("to_buy", "to_resume") if name in planned.result} == told
        real = scripts.run(*where, *flags, env=env)
        assert (real.result.get("error") if code else None) == error and service.posts() == 1 + posts, real.events


# For a service that plans, and has a guard of its own: model, flags -> exit code, error
PLANNED = [
    ("xai.grok-imagine-image", ("--max-spend", "0.04usd"), 0, None),
    ("xai.grok-imagine-image", ("--max-spend", "0.03usd"), 27, "spend_cap"),
    ("xai.grok-imagine-image", ("--max-spend", "3credits", "--accept-unknown-cost"), 27, "spend_cap"),
    ("xai.grok-imagine-image", ("--max-spend", "0.07usd", "--param", "output_count=2"), None, None),
    ("xai.grok-imagine-image", ("--max-spend", "0.07usd", "--copies", "2"), 0, None),
    ("fal.flux-dev", ("--max-spend", "5eur"), 27, "unknown_cost"),
    ("fal.flux-dev", ("--max-spend", "0.001usd"), None, None),
    ("fal.flux-dev", ("--max-spend", "5usd"), None, None),
    ("fal.flux-dev", ("--max-spend", "0.001usd", "--accept-unknown-cost"), None, None),
]


@pytest.mark.parametrize("sandbox", ["image-skill"], indirect=True)
@pytest.mark.parametrize("model, flags, code, error", PLANNED, ids=range(len(PLANNED)))
def test_where_the_service_would_refuse_too_the_cap_of_ours_is_still_told(scripts, sandbox, model, flags, code, error):
    words = ("create_and_wait.py", *at_sandbox(sandbox), "--model", model, "--prompt", "a boat", *flags)
    planned, real = scripts.run(*words, "--dry-run"), scripts.run(*words)
    told = [(run.code, run.result.get("error") if run.code else None) for run in (planned, real)]
    assert told[0] == told[1] and (code is None or told[0] == (code, error)), (planned.events, real.events)


@pytest.mark.parametrize("sandbox", ["image-skill"], indirect=True)
def test_a_plan_with_files_says_what_it_did_not_ask(scripts, sandbox):
    from PIL import Image

    Image.new("RGB", (512, 512)).save(scripts.folder / "boat.png")
    asked = ("--task", "i2i", "--prompt", "winter", "--input", "image=boat.png", "--dry-run")
    run = scripts.run("create_and_wait.py", *at_sandbox(sandbox), *asked)
    warning = run.first("warning")
    assert (run.code, warning["code"], posts(sandbox)) == (0, "no_service_plan", 0), run.events
    assert "files" in warning["message"]


STATING = [name for name in providers.names() if providers.load(name).says("price")]
# unit of the price that the service states, limit -> exit code, error
STATED = [
    ("images", "0.01usd", 0, None),
    ("images", "0.001usd", 27, "spend_cap"),
    ("megapixels", "0.01usd", 27, "unknown_cost"),
]


@pytest.mark.parametrize("name", STATING)
@pytest.mark.parametrize("unit, limit, code, error", STATED)
def test_a_price_that_the_service_states_counts_under_a_cap(scripts, monkeypatch, name, unit, limit, code, error):
    with ExampleService(name) as service:
        monkeypatch.setitem(service.example("price")["body"]["prices"][0], "unit", unit)
        env = {service.provider.key["variable"]: KEY}
        where = ("--provider", name, "--base-url", service.base_url, "--task", "t2i", "--prompt", "a tin boat")
        asked = ("create_and_wait.py", *where, "--max-spend", limit)
        planned = scripts.run(*asked, "--dry-run", env=env)
        assert (planned.code, planned.result.get("error"), service.posts) == (code, error, 0), planned.events
        real = scripts.run(*asked, env=env)
        assert (real.code, real.result.get("error") if code else None) == (code, error), real.events
        # Without a cap nobody asks, and a plan needs no key.
        before = len(service.requests)
        assert scripts.run("create_and_wait.py", *where, "--dry-run").code == 0 and len(service.requests) == before


@pytest.mark.parametrize("name", [name for name in providers.names() if providers.load(name).headers])
def test_the_line_for_curl_has_every_header_that_the_service_wants(scripts, name):
    own = providers.load(name)
    run = scripts.run("create_and_wait.py", "--provider", name, "--task", "t2i", "--prompt", "a", "--dry-run")
    assert run.code == 0 and all(
        f"-H '{header}: {value}'" in run.result["curl"] for header, value in own.headers.items()
    )
