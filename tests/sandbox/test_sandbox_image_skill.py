"""The sandbox as a client of Image Skill sees it: envelopes, synchronous jobs, keys that are charged once."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import signal
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import KEY, PATIENCE, read_events
from mediakit.sandbox import Sandbox

MODEL = "xai.grok-imagine-image"
CREDITS = 4  # of MODEL: ten thirds, rounded up
ASSET_ID = re.compile(r"(asset|image|video|audio|mask|thumb|file)_[a-zA-Z0-9._-]{1,128}")


class Client:
    """Plain HTTP, with a token, to a server that speaks Image Skill's contract. Every envelope is checked."""

    def __init__(self, origin: str, key: str | None = KEY):
        import requests

        self.origin, self._key = origin, key
        self._session = requests.Session()
        self._session.trust_env = False
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def raw(self, method: str, path: str, **more):
        url = path if path.startswith("http") else f"{self.origin}/{path}"
        return self._session.request(method, url, timeout=PATIENCE, allow_redirects=False, **more)

    def __call__(self, method: str, path: str, body=None, status: int = 200) -> dict:
        """The envelope's data, or its error where the status is none of success."""
        answer = self.raw(method, path, json=body)
        envelope = answer.json()
        assert answer.status_code == status, envelope
        assert list(envelope) == ["ok", "command", "trace_id", "actor", "data", "warnings", "error"]
        assert envelope["trace_id"].startswith("trace_") and envelope["command"].startswith("image-skill")
        assert (envelope["actor"] is None) == (self._key is None)
        assert envelope["ok"] == (status == 200) == (envelope["error"] is None)
        if status != 200:
            assert envelope["data"] is None
            envelope["error"]["exit"] = answer.headers.get("x-image-skill-exit-code")
        return envelope["data"] if status == 200 else envelope["error"]

    def create(self, words: str = "a tin boat", status: int = 200, **fields) -> dict:
        return self("POST", "v1/create", {"prompt": words, "model": MODEL, **fields}, status)

    def spent(self) -> int:
        """The credits that are used up, as the activity and the quota tell it."""
        events = self("GET", "v1/activity?limit=100")["events"]
        told = sum(event["details"]["credits"] for event in events if event["type"] == "usage.credit_consumed")
        assert 100_000 - told == self("GET", "v1/quota")["limits"]["remaining_credits"]
        return told

    def upload(self, content: bytes | None = None, **changed) -> dict:
        content = picture() if content is None else content
        body = {
            "source_kind": "local_path", "filename": "/home/me/a.png", "remote_origin": None,
            "mime_type": "image/png", "content_length": len(content),
            "sha256": hashlib.sha256(content).hexdigest(), "bytes_base64": base64.b64encode(content).decode(),
        }  # fmt: skip
        return self("POST", "v1/upload", {**body, **changed})


def picture() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (400, 300), (200, 40, 40)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def server():
    with Sandbox(None, "image-skill") as running:
        yield running


@pytest.fixture
def client(server):
    return Client(server.url)


# -- creating ------------------------------------------------------------------------------------------


def test_one_request_returns_the_finished_asset(client):
    made = client.create(aspect_ratio="16:9")
    (asset,) = made["assets"]
    content = client.raw("GET", asset["url"]).content
    assert ASSET_ID.fullmatch(asset["asset_id"]) and asset["path"] == asset["url"]
    assert (asset["mime_type"], asset["content_length"]) == ("image/png", len(content))
    assert (asset["width"], asset["height"]) == (768, 432) and content.startswith(b"\x89PNG")
    assert made["cost"]["estimated_usd"] == 0.04
    assert made["cost"]["credit_pricing"]["credits_required"] == made["quota"]["consumed_credits"] == CREDITS
    assert made["capability"]["id"] == "is.image.generate.xai-grok-imagine-image.v1"
    assert made["safety"]["status"] == "allowed"


def test_its_job_and_its_asset_can_be_read(client):
    made = client.create()
    job = client("GET", f"v1/jobs/{made['job_id']}")
    assert (job["status"], job["state"], job["assets"]) == ("completed", "completed", made["assets"])
    assert job["job"] == {name: job[name] for name in ("job_id", "status", "assets", "cost")}
    asset = client("GET", f"v1/assets/{made['assets'][0]['asset_id']}")["asset"]
    assert (asset["job_id"], asset["source"]) == (made["job_id"], "hosted_metadata")
    for path in ("v1/jobs/job_000000000000", "v1/assets/image_000000000000_1", "v1/assets/.."):
        assert client("GET", path, status=404)["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("model", "media_type", "head"),
    [
        ("fal.ltx-video-13b-distilled", "video/mp4", b"\0\0\0"),
        ("fal.stable-audio-25-text-to-audio", "audio/wav", b"RIFF"),
    ],
)
def test_video_and_sound_are_real_files(client, model, media_type, head):
    (asset,) = client.create(model=model)["assets"]
    assert asset["mime_type"] == media_type and ASSET_ID.fullmatch(asset["asset_id"])
    assert client.raw("GET", asset["url"]).content.startswith(head)


def test_a_3d_model_is_a_valid_binary_gltf(client):
    body = {"input_asset_id": client.upload()["asset"]["asset_id"], "model": "fal.trellis-image-to-3d"}
    (asset,) = client("POST", "v1/edit", body)["assets"]
    assert asset["mime_type"] == "model/gltf-binary" and ASSET_ID.fullmatch(asset["asset_id"])
    content = client.raw("GET", asset["url"]).content
    assert struct.unpack_from("<4sII", content) == (b"glTF", 2, len(content))
    size, kind = struct.unpack_from("<I4s", content, 12)
    scene = json.loads(content[20 : 20 + size])
    binary_size, binary = struct.unpack_from("<I4s", content, 20 + size)
    assert (kind, binary, 28 + size + binary_size) == (b"JSON", b"BIN\0", len(content))
    assert scene["asset"]["version"] == "2.0" and scene["buffers"] == [{"byteLength": binary_size}]
    assert scene["accessors"][0]["count"] * 12 == binary_size


def test_several_outputs_cost_the_total(client):
    made = client.create(output_count=3)
    assert len({asset["asset_id"] for asset in made["assets"]}) == 3
    assert made["cost"]["credit_pricing"]["credits_required"] == 10  # three times ten thirds, not three times 4


def test_without_a_model_the_service_chooses_and_says_so(client):
    made = client("POST", "v1/create", {"prompt": "a tin boat"})
    assert made["request"]["selection"]["model"] == made["model"]["id"] == "fal.flux-1-dev"
    for intent, model in (("draft", "fal.flux-1-schnell"), ("hero", "xai.grok-imagine-image-quality")):
        made = client("POST", "v1/create", {"prompt": "a tin boat", "intent": intent})
        assert made["model"]["id"] == model
    assert client("POST", "v1/create", {"prompt": "a", "provider": "fal"})["capability"]["id"].find("fal-") > 0


# -- plans -----------------------------------------------------------------------------------------------


def test_a_dry_run_plans_and_buys_nothing(client):
    planned = client.create(dry_run=True, output_count=2)
    assert (planned["assets"], planned["quota"]["consumed_credits"]) == ([], 0)
    assert planned["cost"]["credit_pricing"]["credits_required"] == 7
    job = client("GET", f"v1/jobs/{planned['job_id']}")
    assert (job["status"], job["plan_receipt"]["credits_required"]) == ("planned", 7)
    assert [event["type"] for event in client("GET", "v1/activity")["events"]] == ["job.planned"]
    asset_id = planned["job_id"].replace("job_", "image_") + "_1"
    assert client("GET", f"v1/assets/{asset_id}", status=404)["code"] == "NOT_FOUND"


def test_a_plan_does_not_use_up_its_key(client):
    client.create(dry_run=True, idempotency_key="k")
    assert client.create(idempotency_key="k")["quota"]["consumed_credits"] == CREDITS


# -- idempotency -------------------------------------------------------------------------------------------


def test_the_same_key_is_the_same_job_charged_once(client, server):
    first, second = client.create(idempotency_key="k"), client.create(idempotency_key="k")
    assert first == second and len(server.store.newest(10)) == 1 and client.spent() == CREDITS
    assert client.create(idempotency_key="another")["job_id"] != first["job_id"]
    assert client.create()["job_id"] != client.create()["job_id"]


def test_the_same_key_at_the_same_time_is_one_job(client, server):
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: Client(server.url).create(idempotency_key="k"), range(6)))
    assert len({one["job_id"] for one in made}) == 1 and client.spent() == CREDITS


def test_the_same_key_with_another_body_is_an_error(client, server):
    client.create(idempotency_key="k")
    assert client.create("another boat", 409, idempotency_key="k")["code"] == "IDEMPOTENCY_KEY_CONFLICT"
    assert len(server.store.newest(10)) == 1


@pytest.mark.parametrize("fault", ["create-lost", "create-truncated", "create-no-id"])
def test_an_answer_that_was_lost_can_be_asked_for_again_with_its_key(client, server, fault):
    import requests

    words = f"a tin boat fault:{fault}"
    with pytest.raises((requests.ConnectionError, ValueError, KeyError)):
        client.create(words, idempotency_key="k")["job_id"]
    made = client.create(words, idempotency_key="k")
    assert [job.id for job in server.store.newest(10)] == [made["job_id"]] and client.spent() == CREDITS


def test_a_provider_that_failed_is_charged_once_with_the_same_key(client, server):
    words = "a tin boat fault:create-provider-failure"
    error = client.create(words, 502, idempotency_key="k")
    assert (error["code"], error["retryable"], error["exit"]) == ("PROVIDER_FAILURE", True, "7")
    assert error["recovery"]["idempotency_key"] == "k" and error["recovery"]["retry_after_seconds"] == 1
    assert len(client.create(words, idempotency_key="k")["assets"]) == 1
    assert len(server.store.newest(10)) == 1 and client.spent() == CREDITS
    client.create(words, 502)
    client.create(words, 502)
    assert len(server.store.newest(10)) == 3


def test_a_result_that_could_not_be_kept_is_paid_for_and_stays_lost(client, server):
    words = "a tin boat fault:create-storage-failed"
    for _ in range(2):
        error = client.create(words, 500, idempotency_key="k")
        assert (error["code"], error["retryable"], error["exit"]) == ("ARTIFACT_STORAGE_WRITE_FAILED", False, "9")
    (job,) = server.store.newest(10)
    assert client("GET", f"v1/jobs/{job.id}")["status"] == "failed"
    assert client("GET", "v1/quota")["limits"]["remaining_credits"] == 100_000 - CREDITS


# -- faults ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "INVALID_ARGUMENTS", "2"),
        (401, "AUTH_REQUIRED", "3"),
        (402, "QUOTA_EXCEEDED", "5"),
        (403, "CAPABILITY_DENIED", "4"),
        (404, "NOT_FOUND", "1"),
        (422, "INPUT_POLICY_DENIED", "6"),
        (429, "RATE_LIMITED", "5"),
        (500, "INTERNAL", "1"),
        (503, "UNAVAILABLE", "7"),
    ],
)
def test_a_status_as_fault_is_an_envelope(client, server, status, code, exit_code):
    error = client.create(f"a fault:create-{status}", status)
    assert (error["code"], error["exit"]) == (code, exit_code)
    assert server.store.newest(10) == []


@pytest.mark.parametrize(("fault", "status"), [("job-failed", "failed"), ("job-canceled", "canceled")])
def test_a_job_that_fails_is_an_error_that_charges_nothing(client, server, fault, status):
    error = client.create(f"a fault:{fault}", 502)
    assert (error["code"], error["retryable"]) == ("PROVIDER_FAILURE", False)
    (job,) = server.store.newest(10)
    assert client("GET", f"v1/jobs/{job.id}")["status"] == status and client.spent() == 0
    assert client("GET", "v1/quota")["limits"]["remaining_credits"] == 100_000


def test_a_status_that_no_example_has_is_an_envelope_too(client):
    for method, path, body, status in (
        ("POST", "v1/create", {"prompt": "fault:create-520"}, 500), ("PUT", "v1/create", {}, 404), ("DELETE", "v1/x", None, 404),
    ):  # fmt: skip
        assert client(method, path, body, status)["code"] == ("INTERNAL" if status == 500 else "NOT_FOUND")


def test_other_faults_of_a_create(client, server):
    assert client.raw("POST", "v1/create", json={"prompt": "fault:create-502"}).headers["Content-Type"] == "text/html"
    moved = client.raw("POST", "v1/create", json={"prompt": "fault:create-redirect"})
    assert (moved.status_code, moved.headers["Location"]) == (307, "https://elsewhere.invalid/v1/create")
    assert server.store.newest(10) == []
    client.create("a fault:create-429-once", 429)
    client.create("a fault:create-429-once")
    client.create("a fault:stream-drop")
    client.create("a fault:job-fast")


def test_a_recovery_can_be_hostile(client):
    error = client.create("a fault:create-hostile-recovery", 422)
    recovery = error["recovery"]
    assert error["code"] == "BUDGET_REQUIRES_CONFIRMATION" and "curl" in recovery["suggested_command"]
    assert set(recovery) == {
        "required_flag", "required_flags", "suggested_command", "suggested_commands", "docs_url",
        "retry_after_seconds", "idempotency_key", "top_up",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [("poll-404", [404, 404, 200]), ("poll-429", [429, 200]), ("poll-502", [502, 502, 200]), ("poll-401", [401, 401])],
)
def test_reads_that_fail(client, fault, statuses):
    made = client.create(f"a fault:{fault}")
    assert [client.raw("GET", f"v1/jobs/{made['job_id']}").status_code for _ in statuses] == statuses


def test_a_job_that_is_still_made_reads_so_from_outside(client, server):
    from mediakit.sandbox.store import Job

    slow: Job = server.store.add(MODEL, "image", {"prompt": "x"}, "job-slow")
    told = client("GET", f"v1/jobs/{slow.id}")
    assert (told["status"], told["assets"]) == ("running", [])


# -- what is refused before any charge ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "prompt"),
        ({"prompt": "a", "model": "fal.no-such-model"}, "model"),
        ({"prompt": "a", "model": ["x"]}, "model"),
        ({"prompt": "a", "model": "fal.flux-pro-kontext"}, "model"),
        ({"prompt": "a", "output_dir": "/tmp"}, "output_dir"),
        ({"prompt": "a", "output_count": 9}, "output_count"),
        ({"prompt": "a", "model": MODEL, "model_parameters": {"zzz": 1}}, "model_parameters.zzz"),
        ({"prompt": "a", "model": MODEL, "model_parameters": {"resolution": "9k"}}, "model_parameters.resolution"),
        ({"prompt": "a", "model": MODEL, "model_parameters": {"image_url": "https://a.invalid"}}, "model_parameters"),
        ({"prompt": "a", "references": [{"asset_id": "image_x_1", "role": "x", "index": 0}]}, "references"),
    ],
)
def test_what_the_contract_refuses_is_told_by_field(client, server, body, named):
    for planned in ({}, {"dry_run": True}):
        error = client("POST", "v1/create", {**body, **planned}, 400)
        assert error["code"] == "INVALID_ARGUMENTS" and error["message"].startswith(named)
    assert server.store.newest(10) == []


def test_what_is_no_object_is_refused(client):
    for content in (b"", b"[]", b"{"):
        assert client.raw("POST", "v1/create", data=content).json()["error"]["code"] == "INVALID_ARGUMENTS"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
_FIELDS = (
    "prompt", "model", "provider", "intent", "aspect_ratio", "references", "output_count", "model_parameters",
    "max_estimated_usd_per_image", "max_usd", "accept_unknown_cost", "idempotency_key", "input_asset_id",
    "mask_asset_id", "mime_type", "filename", "bytes_base64", "contact", "credits", "pack_id", "payment_method",
    "quote_id", "title", "discovery_source",
)  # fmt: skip
_PATHS = (
    "v1/create", "v1/edit", "v1/upload", "v1/credit-quotes", "v1/credit-purchases/stripe-checkout-sessions",
    "v1/agent-signups", "v1/agent-claims", "v1/feedback",
)  # fmt: skip


@given(st.sampled_from(_PATHS), st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=6), st.booleans())
def test_every_body_gets_an_envelope(client, path, body, is_likely):
    likely = {"prompt": "a", "model": MODEL} if is_likely else {}
    envelope = client.raw("POST", path, json={**likely, **body, "dry_run": True}).json()
    assert isinstance(envelope["ok"], bool) and (envelope["data"] is None) != envelope["ok"]


def test_the_guard_is_for_each_output_in_the_services_own_price(client):
    assert client.create(status=422, max_estimated_usd_per_image=0.03)["code"] == "BUDGET_EXCEEDED"
    assert client.create(max_estimated_usd_per_image=0.04, output_count=2, dry_run=True)["assets"] == []


def test_an_unknown_cost_has_to_be_accepted(client):
    body = {
        "prompt": "red", "model": "openai.gpt-image-2-edit", "input_asset_id": client.upload()["asset"]["asset_id"],
    }  # fmt: skip
    error = client("POST", "v1/edit", body, 422)
    assert error["code"] == "BUDGET_REQUIRES_CONFIRMATION" and error["exit"] is None
    assert error["recovery"]["required_flag"] == "--accept-unknown-cost"
    made = client("POST", "v1/edit", {**body, "accept_unknown_cost": True})
    assert "estimated_usd" not in made["cost"] and made["cost"]["credit_pricing"]["pricing_confidence"] == "unknown"
    words = "a fault:create-budget"
    assert client.create(words, 422)["recovery"]["required_flag"] == "--accept-unknown-cost"
    client.create(words, accept_unknown_cost=True)


# -- uploads and edits ---------------------------------------------------------------------------------------


def test_an_upload_is_kept_and_can_be_edited(client):
    content = picture()
    kept = client.upload(content)
    assert kept["upload"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert (kept["asset"]["kind"], kept["asset"]["width"], kept["asset"]["height"]) == ("uploaded", 400, 300)
    assert kept["request"] == {"source_kind": "local_path", "filename": "a.png", "remote_origin": None}
    assert client.raw("GET", kept["asset"]["url"]).content == content
    asset_id = kept["asset"]["asset_id"]
    edited = client("POST", "v1/edit", {"input_asset_id": asset_id, "prompt": "red", "mask_asset_id": asset_id})
    assert edited["capability"]["id"] == "is.image.edit.fal-flux-pro-kontext.v1"
    assert edited["input_asset"]["asset_id"] == asset_id
    again = {"input_asset_id": edited["assets"][0]["asset_id"], "prompt": "blue"}
    assert client("POST", "v1/edit", again)["assets"][0]["asset_id"] != again["input_asset_id"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"mime_type": "application/pdf"}, "INPUT_POLICY_DENIED"),
        ({"sha256": "0" * 64}, "INVALID_ARGUMENTS"),
        ({"content_length": 1}, "INVALID_ARGUMENTS"),
        ({"bytes_base64": "not base64!"}, "INVALID_ARGUMENTS"),
        ({"bytes_base64": None}, "INVALID_ARGUMENTS"),
        ({"source_kind": "telepathy"}, "INVALID_ARGUMENTS"),
    ],
)
def test_a_bad_upload_is_refused(client, server, changed, code):
    content = picture()
    body = {
        "source_kind": "local_path", "filename": "a.png", "mime_type": "image/png", "content_length": len(content),
        "sha256": hashlib.sha256(content).hexdigest(), "bytes_base64": base64.b64encode(content).decode(), **changed,
    }  # fmt: skip
    assert client("POST", "v1/upload", body, 422 if code == "INPUT_POLICY_DENIED" else 400)["code"] == code
    assert server.store.records("file", 10) == []


def test_only_owned_assets_go_in(client):
    edit = {"input_asset_id": "image_0123456789ab_1", "prompt": "red"}
    assert client("POST", "v1/edit", edit, 404)["code"] == "NOT_FOUND"
    owned = client.upload()["asset"]["asset_id"]
    with_url = {"input_asset_id": "https://a.invalid/a.png", "prompt": "red"}
    assert client("POST", "v1/edit", with_url, 400)["code"] == "INVALID_ARGUMENTS"
    prompt = {"input_asset_id": owned, "model": "fal.trellis-image-to-3d", "prompt": "x"}
    assert client("POST", "v1/edit", prompt, 400)["code"] == "INVALID_ARGUMENTS"


def test_references_count_from_zero_and_are_owned(client):
    asset_id = client.upload()["asset"]["asset_id"]

    def create(status: int, *indexes: int, **more) -> dict:
        rows = [{"asset_id": asset_id, "role": "reference_image", "index": index, **more} for index in indexes]
        return client.create(status=status, model="fal.dreamo", references=rows)

    assert len(create(200, 0, 1)["assets"]) == 1
    assert len(create(200, 0, reference_task="style")["assets"]) == 1
    for bad in (create(400, 1), create(400, 0, 2), create(400, 0, reference_index=0)):
        assert bad["message"].startswith("references")
    missing = [{"asset_id": "image_0123456789ab_1", "role": "reference_image", "index": 0}]
    assert client.create(status=404, model="fal.dreamo", references=missing)["code"] == "NOT_FOUND"


# -- the menu and the account ----------------------------------------------------------------------------------


def test_the_menu_can_be_narrowed(client):
    everything = client("GET", "v1/models")
    assert everything["summary"]["returned"] == len(everything["models"]) == everything["summary"]["total"]
    row = next(row for row in everything["models"] if row["id"] == MODEL)
    assert (row["status"], row["model_execution_status"], row["credits_required"]) == (
        "available",
        "executable",
        CREDITS,
    )
    for query, number in (
        ("modality=3d", 1),
        ("modality=audio", 1),
        ("operation=video.generate", 1),
        ("query=kling", 2),
    ):
        assert len(client("GET", f"v1/models?{query}")["models"]) == number, query
    assert {row["provider_id"] for row in client("GET", "v1/models?provider=openai")["models"]} == {"openai"}
    assert client("GET", "v1/models?catalog_only=true")["models"] == []
    assert "economics" in client("GET", "v1/models?details=true&available=true")["models"][0]
    assert client("GET", "v1/models/nano-banana")["model"]["id"] == "fal.nano-banana-2"
    assert client("GET", "v1/models/no-such", status=404)["code"] == "NOT_FOUND"


def test_capabilities_are_those_that_jobs_name(client):
    named = client.create()["capability"]["id"]
    assert named in {row["id"] for row in client("GET", "v1/capabilities")["capabilities"]}
    assert client("GET", f"v1/capabilities/{named}")["capability"]["model_id"] == MODEL


def test_a_wrong_token_is_refused_where_one_counts(server):
    bad = Client(server.url, "bad-token")
    for method, path in (("GET", "v1/whoami"), ("GET", "v1/quota"), ("POST", "v1/create"), ("GET", "v1/jobs/x")):
        error = bad(method, path, {} if method == "POST" else None, 401)
        assert (error["code"], error["exit"]) == ("AUTH_REQUIRED", "3")
    for path in ("healthz", "v1/models", "v1/payment-methods", "v1/credit-packs", "v1/capabilities"):
        bad("GET", path)


def test_no_token_is_needed(server):
    nobody = Client(server.url, None)
    assert nobody("GET", "v1/whoami")["authenticated"] is False
    assert len(nobody.create()["assets"]) == 1


def test_identity_signup_and_claim(client):
    assert client("GET", "v1/whoami")["token_status"] == "active"
    assert client("GET", "healthz")["status"] == "ok"
    body = {"agent_name": "a", "runtime": "b", "discovery_source": "docs"}
    assert "token" not in client("POST", "v1/agent-signups", body)
    token = client("POST", "v1/agent-signups", {**body, "return_token": True})["token"]
    assert token.startswith("isk_r_")
    assert (
        client("POST", "v1/agent-signups", {**body, "discovery_source": "No Slug"}, 400)["code"] == "INVALID_ARGUMENTS"
    )
    states = [client("POST", "v1/agent-claims", {"contact": "me@example.com"})["state"] for _ in range(2)]
    assert states == ["attached", "unchanged"]


@pytest.mark.parametrize(
    ("method", "endpoint", "told"),
    [
        ("stripe_checkout", "stripe-checkout-sessions", "checkout_url"),
        ("stripe_x402.exact.usdc", "stripe-x402-deposits", "stripe_x402"),
    ],
)
def test_a_purchase_never_gets_further_than_an_action(client, method, endpoint, told):
    before = client("GET", "v1/quota")["limits"]
    packs = client("GET", "v1/credit-packs")
    assert packs["default_pack_id"] in {pack["pack_id"] for pack in packs["packs"]}
    methods = {row["method_id"]: row for row in client("GET", "v1/payment-methods")["methods"]}
    assert methods[method]["purchase_endpoint"].endswith(endpoint) and methods[method]["live_money"] is False
    terms = {"pack_id": "starter-500", "payment_method": method, "idempotency_key": "k"}
    quote = client("POST", "v1/credit-quotes", terms)
    assert (quote["state"], quote["credits"], quote["price_amount_cents"]) == ("created", 500, 500)
    assert client("POST", "v1/credit-quotes", terms) == quote
    conflict = client("POST", "v1/credit-quotes", {**terms, "pack_id": "builder-2000"}, 409)
    assert conflict["code"] == "CREDIT_QUOTE_CONFLICT" and conflict["recovery"]["idempotency_key"] != "k"
    status = f"v1/credit-purchases/status?quote_id={quote['quote_id']}"
    assert client("GET", status)["state"] == "created"
    bought = client("POST", f"v1/credit-purchases/{endpoint}", {"quote_id": quote["quote_id"], "idempotency_key": "b"})
    assert bought["state"] == "action_required" and told in bought and bought["live_money"] is False
    by_attempt = f"v1/credit-purchases/status?payment_attempt_id={bought['payment_attempt_id']}"
    for path in (status, by_attempt):
        known = client("GET", path)
        assert (known["state"], known["receipt"]) == ("action_required", None)
    assert client("GET", "v1/quota")["limits"] == before
    assert client("GET", "v1/credit-purchases/status?receipt_id=x", status=404)["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    "terms", [{}, {"credits": 0}, {"credits": 5001}, {"pack_id": "x"}, {"credits": 5, "pack_id": "x"}]
)
def test_terms_that_no_quote_can_have(client, terms):
    assert client("POST", "v1/credit-quotes", terms, 400)["code"] == "INVALID_ARGUMENTS"


def test_activity_tells_what_happened_the_newest_first(client):
    client.upload()
    made = client.create()
    asset_ids = [asset["asset_id"] for asset in made["assets"]]
    completed = client("GET", f"v1/activity/evt_job-completed_{made['job_id']}")["events"][0]
    assert (completed["links"]["asset_ids"], completed["cost"]["estimated_usd"]) == (asset_ids, 0.04)
    feedback = client("POST", "v1/feedback", {"title": "fine"})["feedback_id"]
    events = client("GET", "v1/activity")["events"]
    assert {event["type"] for event in events} == {
        "asset.uploaded", "asset.created", "job.completed", "usage.credit_consumed", "feedback.created",
    }  # fmt: skip
    assert [event["occurred_at"] for event in events] == sorted(
        (event["occurred_at"] for event in events), reverse=True
    )
    of_job = client("GET", f"v1/activity?subject={made['job_id']}&limit=1")["events"]
    assert [event["links"]["job_id"] for event in of_job] == [made["job_id"]]
    assert client("GET", f"v1/activity/{feedback}")["events"][0]["links"]["feedback_id"] == feedback
    assert client("POST", "v1/feedback", {"severity": "high"}, 400)["code"] == "INVALID_ARGUMENTS"
    assert client("GET", "v1/activity/nothing", status=404)["code"] == "NOT_FOUND"


# -- other processes -------------------------------------------------------------------------------------------


def test_the_script_serves_it_and_keeps_the_key_for_the_next_process(scripts):
    made = []
    for _ in range(2):
        process = scripts.start("sandbox.py", "--as", "image-skill")
        ready = json.loads(process.stdout.readline())
        assert (ready["service"], ready["url"]) == ("image-skill", ready["origin"] + "/v1")
        made.append(Client(ready["origin"]).create(idempotency_key="k")["job_id"])
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=PATIENCE)
        assert read_events(stdout)[-1]["exit_code"] == process.returncode
        assert stderr == b""
    assert made[0] == made[1]
