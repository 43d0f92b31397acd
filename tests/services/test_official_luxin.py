"""Luxin's own client (0.2.9) against the sandbox: what nobody here wrote must find the contract as it knows it.

    LUXIN_CLI=.../bin/luxin.mjs python -m pytest -q tests/services/test_official_luxin.py

names the client of github.com/danielgwilson/luxin. Nothing is looked for on the PATH, and it is never fetched here.
"""

from __future__ import annotations

import json

import pytest

from conftest import KEY
from mediakit.sandbox import Sandbox
from official_client import Client

MODEL = "xai.grok-imagine-image"


@pytest.fixture(scope="module")
def server():
    with Sandbox(None, "image-skill") as running:
        yield running


@pytest.fixture(scope="module")
def client(server, tmp_path_factory):
    from PIL import Image

    folder = tmp_path_factory.mktemp("luxin")
    Image.new("RGB", (512, 512), "navy").save(folder / "boat.png")
    (folder / "items.json").write_text(json.dumps({"items": [{"prompt": "a"}, {"prompt": "b"}], "model": MODEL}))
    return Client("LUXIN_CLI", folder, server.url)


CREATE = ("create", "--prompt", "a tin boat", "--model", MODEL)
# command -> what its data must hold: path -> value, None for anything but null
COMMANDS = [
    (("doctor",), {"hosted_api/reachable": True}),
    (("whoami",), {"authenticated": True}),
    (("quota",), {"daily_jobs/remaining": None}),
    (("usage", "quota"), {"limits/remaining_credits": None}),
    (("credits", "methods"), {"methods/0/method_id": "stripe_checkout"}),
    (("credits", "packs", "list"), {"packs/0/amount_usd": "5.00"}),
    (("capabilities", "list"), {"capabilities/0/id": None}),
    (("models", "overview"), {"result_shape": "model_discovery_overview"}),
    (("models", "find", "--operation", "image.generate", "--max-credits", "2"), {"models/0/id": "fal.flux-1-schnell"}),
    (("models", "list", "--available", "--operation", "image.edit"), {"models/0/status": "available"}),
    (("models", "show", MODEL), {"model/economics/cost_known": True}),
    (("claim", "request", "--contact", "me@example.com"), {"state": "attached"}),
    (("claim", "code"), {"dashboard_url": None, "single_use": True}),
    ((*CREATE, "--dry-run"), {"mutation/credit_debit": False, "mutation/hosted_create_dry_run": True}),
    ((*CREATE, "--idempotency-key", "k1"), {"mutation/credit_debit": True, "assets/0/label": "durable_media"}),
    (("create", "--prompt", "x", "--intent", "draft"), {"model/id": "fal.flux-1-schnell"}),
    (("create", "--prompt", "x", "--intent", "hero"), {"model/id": f"{MODEL}-quality"}),
    (
        ("create", "--prompt", "x", "--model", f"{MODEL}-2.0", "--model-parameters-json", '{"resolution":"2k"}'),
        {"request/selection/model_parameters/effective_parameters/1/source": "default_policy"},
    ),
    (("video", "create", "--prompt", "rain"), {"assets/0/asset_id": None}),
    (("audio", "create", "--prompt", "rain", "--model", "fal.stable-audio-25-text-to-audio"), {"job_id": None}),
    (("upload", "boat.png"), {"asset/asset_id": None}),
    (("edit", "--input", "boat.png", "--prompt", "red", "--model", f"{MODEL}-edit"), {"assets/0/url": None}),
    (("edit", "--input", "boat.png", "--model", "fal.trellis-image-to-3d"), {"assets/0/url": None}),
    (("create", "--batch", "items.json", "--dry-run"), {"totals/items": 2, "affordability/covers_all": True}),
    (("create", "--batch", "items.json", "--batch-id", "b1"), {"totals/completed": 2}),
    (("activity", "list"), {"events/0/event_id": None}),
    (("feedback", "create", "--title", "fine", "--evidence", "a,b"), {"feedback_id": None}),
    (("signup", "--agent", "--agent-name", "n", "--runtime", "r", "--no-save"), {"storage/saved": False}),
    (("credits", "quote", "--pack", "starter-500", "--payment-method", "stripe_checkout"), {"quote_id": None}),
]


def at(data, path: str):
    for name in path.split("/"):
        data = data[int(name)] if isinstance(data, list) else data[name]
    return data


@pytest.mark.parametrize("command, holds", COMMANDS, ids=[" ".join(words[:3]) for words, _ in COMMANDS])
def test_a_command_finds_what_it_looks_for(client, command, holds):
    code, envelope = client.run(*command)
    assert (code, envelope["ok"]) == (0, True), envelope
    for path, value in holds.items():
        found = at(envelope["data"], path)
        assert (found == value) if value is not None else found is not None, (path, found)


def test_a_key_that_was_used_is_answered_by_a_replay(client):
    first, again = (client.run(*CREATE, "--idempotency-key", "k2")[1] for _ in range(2))
    assert again["data"]["job_id"] == first["data"]["job_id"] and first["warnings"] == []
    assert again["warnings"][0].startswith("idempotent replay:")
    job = first["data"]["job_id"]
    assert client.run("jobs", "wait", job)[1]["data"]["status"] == "completed"
    assert client.run("activity", "show", job)[1]["data"]["events"]
    asset = first["data"]["assets"][0]["asset_id"]
    assert client.run("assets", "show", asset)[0] == client.run("assets", "get", asset, "--output", "out.png")[0] == 0


GUIDE = ("create", "--guide", "--prompt", "a tin boat")
# the guide's command, the account -> its stage and the model that it takes
STAGES = [
    (GUIDE, {}, "ready_to_create", "fal.flux-1-dev"),
    ((*GUIDE, "--intent", "draft"), {}, "ready_to_create", "fal.flux-1-schnell"),
    ((*GUIDE, "--model", MODEL), {}, "ready_to_create", MODEL),
    (("video", "create", "--guide", "--prompt", "a boat"), {}, "ready_to_create", "fal.ltx-video-13b-distilled"),
    (("audio", "create", "--guide", "--prompt", "rain"), {}, "ready_to_create", "fal.stable-audio-25-text-to-audio"),
    (("edit", "--guide", "--prompt", "red"), {}, "ready_to_create", None),
    (("create", "--guide"), {}, "prompt_required", None),
    (GUIDE, {"token": None}, "auth_required", None),
    (GUIDE, {"token": "bad_fake_key"}, "auth_required", None),
    (GUIDE, {"balance": 0}, "quota_required", None),
    (GUIDE, {"balance": 3}, "quota_required", None),
    (GUIDE, {"balance": 4}, "ready_to_create", None),
    (GUIDE, {"closed": True}, "service_unreachable", None),
]


@pytest.mark.parametrize("command, account, stage, model", STAGES, ids=range(len(STAGES)))
def test_its_guide_reaches_every_stage(tmp_path, command, account, stage, model):
    with Sandbox(None, "image-skill", balance=account.get("balance")) as server:
        client = Client("LUXIN_CLI", tmp_path, server.url, account.get("token", KEY))
        if account.get("closed"):
            server.close()
        _, envelope = client.run(*command)
    assert envelope["data"]["stage"] == stage, envelope["data"]["blocker"]
    assert model is None or envelope["data"]["selection"]["model_id"] == model


# fault -> code and exit code, as the client tells them
FAULTS = [
    ("create-400", "INVALID_ARGUMENTS", 2),
    ("create-401", "AUTH_REQUIRED", 3),
    ("create-402", "QUOTA_EXCEEDED", 5),
    ("create-422", "INPUT_POLICY_DENIED", 6),
    ("create-502", "HOSTED_API_NON_JSON_RESPONSE", 7),
    ("create-lost", "HOSTED_API_REQUEST_FAILED", 7),
    ("create-provider-failure", "PROVIDER_FAILURE", 7),
    ("create-storage-failed", "ARTIFACT_STORAGE_WRITE_FAILED", 9),
]


@pytest.mark.parametrize("fault, code, exit_code", FAULTS)
def test_it_understands_the_faults(client, fault, code, exit_code):
    ended, envelope = client.run("create", "--prompt", f"a fault:{fault}", "--model", MODEL)
    assert (ended, envelope["error"]["code"]) == (exit_code, code)
    assert envelope["error"]["recovery"]["idempotency_key"]
