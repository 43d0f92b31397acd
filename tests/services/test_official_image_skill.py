"""Image Skill's own client against the sandbox: what nobody here wrote must find the contract as it knows it.

    IMAGE_SKILL_CLI=.../bin/image-skill.mjs python -m pytest -q tests/services/test_official_image_skill.py

names the client of github.com/danielgwilson/image-skill-cli (0.1.70). Its npm package has since become
something else, so that nothing is looked for on the PATH.
"""

from __future__ import annotations

import pytest

from mediakit.sandbox import Sandbox
from official_client import Client

MODEL = "xai.grok-imagine-image"


@pytest.fixture
def server():
    with Sandbox(None, "image-skill") as running:
        yield running


@pytest.fixture
def client(server, tmp_path):
    return Client("IMAGE_SKILL_CLI", tmp_path, server.url)


def test_it_reads_the_menu_and_the_account(client):
    assert client("doctor")["hosted_api"]["reachable"] is True
    rows = {row["id"]: row for row in client("models", "list")["models"]}
    assert (rows[MODEL]["status"], rows[MODEL]["model_execution_status"]) == ("available", "executable")
    assert client("models", "show", MODEL)["model"]["economics"]["cost_known"] is True
    assert client("capabilities", "list")["capabilities"]
    assert client("whoami")["authenticated"] is True
    assert client("usage", "quota")["limits"]["remaining_credits"] > 0
    signup = ("signup", "--agent", "--agent-name", "a", "--runtime", "b")
    assert client(*signup, "--no-save")["token"] is None
    assert client(*signup)["storage"]["saved"] is True
    assert client("claim", "request", "--contact", "me@example.com")["state"] == "attached"
    assert client("feedback", "create", "--title", "fine")["feedback_id"]


def test_it_creates_waits_and_downloads(client, server):
    create = ("create", "--prompt", "a tin boat", "--model", MODEL)
    assert client(*create, "--dry-run")["quota"]["consumed_credits"] == 0
    made = client(*create, "--idempotency-key", "k")
    assert client(*create, "--idempotency-key", "k") == made
    assert client("jobs", "wait", made["job_id"])["status"] == "completed"
    assert client("activity", "show", made["job_id"])["events"]
    (asset,) = made["assets"]
    client("assets", "get", asset["asset_id"], "--output", "out.png")
    assert (client.folder / "out.png").stat().st_size == asset["content_length"]
    # The picture is uploaded on the way.
    edited = client("edit", "--input", "out.png", "--prompt", "red", "--model", "fal.flux-pro-kontext")
    assert len(edited["assets"]) == 1
    assert len(client("edit", "--input", "out.png", "--model", "fal.trellis-image-to-3d")["assets"]) == 1
    assert [path for method, path in server.requests if path == "/v1/upload"] == ["/v1/upload"] * 2


def test_it_takes_a_purchase_as_far_as_an_action(client):
    for method, provider in (("stripe_checkout", "stripe"), ("stripe_x402.exact.usdc", "stripe_x402")):
        quote = client(
            "credits", "quote", "--pack", "starter-500", "--payment-method", method, "--idempotency-key", method
        )
        buy = ("credits", "buy", "--quote-id", quote["quote_id"], "--provider", provider, "--idempotency-key", "b")
        assert client(*buy)["state"] == "action_required"
        assert client("credits", "status", "--quote-id", quote["quote_id"])["state"] == "action_required"


@pytest.mark.parametrize(
    ("fault", "code", "exit_code"),
    [
        ("create-400", "INVALID_ARGUMENTS", 2),
        ("create-401", "AUTH_REQUIRED", 3),
        ("create-402", "QUOTA_EXCEEDED", 5),
        ("create-422", "INPUT_POLICY_DENIED", 6),
        ("create-429", "RATE_LIMITED", 5),
        ("create-502", "HOSTED_API_NON_JSON_RESPONSE", 7),
        ("create-lost", "HOSTED_API_REQUEST_FAILED", 7),
        ("create-provider-failure", "PROVIDER_FAILURE", 7),
        ("create-storage-failed", "ARTIFACT_STORAGE_WRITE_FAILED", 9),
        ("job-failed", "PROVIDER_FAILURE", 7),
    ],
)
def test_it_understands_the_faults(client, fault, code, exit_code):
    error = client("create", "--prompt", f"a fault:{fault}", "--model", MODEL, expects=exit_code)
    assert error["code"] == code
