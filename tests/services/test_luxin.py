"""Luxin, which was called Image Skill: its names, its login, its words about money, and what it charges."""

from __future__ import annotations

import json

import pytest

from conftest import KEY
from mediakit.base import errors
from mediakit.ledger import spending
from mediakit.services import catalogue, examine, keys, providers

LUXIN = providers.load("luxin")


# -- one alias rule ----------------------------------------------------------------------------------------


def test_both_names_mean_one_service():
    assert (LUXIN.name, providers.load("image-skill").name) == ("image-skill", "image-skill")
    assert providers.one_named(*providers.known())("luxin") == "image-skill"
    assert "luxin" not in providers.known() and "luxin" in examine.others().ids
    assert providers.canonical("nobody") == "nobody"
    with pytest.raises(errors.Failure, match="nobody is not used"):
        providers.load("nobody")


NAMING = [
    ("preflight.py", ("--provider", "luxin")),
    ("account.py", ("luxin",)),
    ("account.py", ("sandbox", "--as", "luxin", "quota")),
    ("inspect_openapi.py", ("--provider", "luxin", "--model", "fal.flux-dev")),
    ("jobs.py", ("list", "--provider", "luxin")),
    ("handle_runtime_error.py", ("--provider", "luxin", "--status", "402")),
    ("create_and_wait.py", ("--provider", "luxin", "--task", "t2i", "--prompt", "x", "--dry-run")),
]


@pytest.mark.parametrize("script, arguments", NAMING, ids=[" ".join((one, *more[:2])) for one, more in NAMING])
def test_every_script_takes_the_newer_name(scripts, script, arguments):
    result = scripts.run(script, *arguments).result
    assert result["exit_code"] not in (1, 2), result
    named = [result.get("provider"), *(one["provider"] for one in result.get("providers", []))]
    assert "luxin" not in named


# -- the saved login, in the order of its own client ---------------------------------------------------------


# the files there are -> the one whose token counts; `named` are those that a variable names
LOGINS = [
    ({"luxin/config.json"}, {}, "luxin/config.json"),
    ({"luxin/config.json", "image-skill/config.json"}, {}, "luxin/config.json"),
    ({"image-skill/config.json"}, {}, "image-skill/config.json"),
    ({"luxin/config.json", "mine.json"}, {"IMAGE_SKILL_CONFIG_PATH": "mine.json"}, "mine.json"),
    (
        {"old.json", "new.json"},
        {"IMAGE_SKILL_CONFIG_PATH": "old.json", "LUXIN_CONFIG_PATH": "new.json"},
        "new.json",
    ),
    ({"luxin/config.json"}, {"LUXIN_CONFIG_PATH": "absent.json"}, None),
    (set(), {}, None),
]


@pytest.mark.parametrize("there, named, counts", LOGINS)
def test_the_login_is_looked_for_as_its_own_client_does(tmp_path, monkeypatch, there, named, counts):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for variable in ("IMAGE_SKILL_TOKEN", "IMAGE_SKILL_HOSTED_TOKEN", "LUXIN_CONFIG_PATH", "IMAGE_SKILL_CONFIG_PATH"):
        monkeypatch.delenv(variable, raising=False)
    for variable, path in named.items():
        monkeypatch.setenv(variable, str(tmp_path / path))
    for path in there:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(json.dumps({"token": f"token_of_{path.replace('/', '_')}"}))
    found = keys.find(LUXIN.key)
    assert (found and found.value) == (counts and f"token_of_{counts.replace('/', '_')}")


# -- what its codes mean for money ---------------------------------------------------------------------------

# code, HTTP status -> category, what it proves of a paid request, whether the same may be sent under the same key
CODES = [
    ("INVALID_ARGUMENTS", 400, "validation", "rejected", False),
    ("AUTH_REQUIRED", 401, "auth", "rejected", False),
    ("CAPABILITY_DENIED", 403, "auth", "rejected", False),
    ("QUOTA_EXCEEDED", 429, "insufficient_credits", "rejected", False),
    ("QUOTA_EXCEEDED", 500, "insufficient_credits", "rejected", False),
    ("BUDGET_EXCEEDED", 500, "validation", "rejected", False),
    ("BUDGET_REQUIRES_CONFIRMATION", 500, "validation", "rejected", False),
    ("INPUT_POLICY_DENIED", 422, "validation", "rejected", False),
    ("PROVIDER_FAILURE", 502, "transient", "unknown", True),
    ("PROVIDER_COMPLETED_WITHOUT_ASSET", 502, "transient", "rejected", False),
    ("ARTIFACT_STORAGE_WRITE_FAILED", 500, "unknown", "unknown", False),
    ("DASHBOARD_CODE_RATE_LIMITED", 429, "transient", None, False),
]


@pytest.mark.parametrize("code, status, category, outcome, repeatable", CODES)
def test_a_code_says_what_became_of_the_money(code, status, category, outcome, repeatable):
    body = {"ok": False, "data": None, "error": {"code": code, "message": "no", "retryable": repeatable}}
    found = LUXIN.refusals.verdict(status, body, own_key="k1")
    assert (found.category, found.outcome, found.repeatable) == (category, outcome, repeatable)


def done(**more) -> dict:
    pricing = {"credit_pricing": {"credits_required": 12}}
    return {"ok": True, "data": {"job_id": "job_4", "cost": pricing, **more}}


def test_an_answer_that_took_nothing_costs_nothing():
    for mutation, cost in (({}, 120_000), ({"credit_debit": True}, 120_000), ({"credit_debit": False}, None)):
        found = LUXIN.bills.cost(done(mutation=mutation))
        assert (found and found.micro) == cost


# what /quota says -> what can be bought with
QUOTAS = [
    ({"limits": {"remaining_credits": 50, "payment_backed_remaining_credits": 7}}, 57),
    ({"limits": {"remaining_credits": 50}, "daily_jobs": {"cap": 50, "remaining": 3}}, 50),
    ({"limits": {"remaining_credits": 50}, "daily_jobs": {"cap": 50, "remaining": 0}}, 0),
    ({"limits": {}}, None),
]


@pytest.mark.parametrize("quota, left", QUOTAS, ids=range(len(QUOTAS)))
def test_a_used_up_day_is_an_empty_account(quota, left):
    found = LUXIN.bills.left({"ok": True, "data": quota})
    assert (found and found["amount"]) == left


def test_the_parameters_that_it_used_are_told():
    used = [{"name": "resolution", "value": "2k", "source": "default_policy", "more": 1}, "no entry"]
    body = done(request={"selection": {"model_parameters": {"effective_parameters": used}}})
    assert LUXIN.answers.effective(body) == [{"name": "resolution", "value": "2k", "source": "default_policy"}]
    assert LUXIN.answers.effective(done()) is None


# model -> USD of one result, as a cap counts it
CHARGES = {
    "xai.grok-imagine-image": 0.04,
    "xai.grok-imagine-image-edit": 0.05,
    "xai.grok-imagine-image-quality": 0.12,
    "xai.grok-imagine-image-2.0": 0.14,
    "xai.grok-imagine-image-2.0-edit": 0.19,
    "fal.flux-1-schnell": 0.01,
    "fal.stable-audio-25-text-to-audio": 0.34,
}


@pytest.mark.parametrize("model", CHARGES)
def test_a_price_is_the_charge_and_of_a_range_the_largest(model):
    charges = catalogue.document("image-skill")["charges"]
    found = spending.catalogue_price(catalogue.entry("image-skill", model), {}, LUXIN.routes[-1], charges)
    assert (found.amount.micro, found.amount.unit) == (round(CHARGES[model] * 1_000_000), "usd")


# -- the dashboard's link ------------------------------------------------------------------------------------


def test_a_dashboard_code_is_asked_for_without_a_body_and_told_as_a_link_only(scripts):
    from fake_service import FakeService, answer

    told = {"dashboard_url": "https://luxin.sh/dashboard#code=dc_1", "code": "dc_1", "ttl_seconds": 3600}
    with FakeService(create=answer(200, {"ok": True, "data": told})) as fake:
        arguments = ("account.py", "luxin", "claim-code", "--base-url", f"{fake.origin}/v1")
        run = scripts.run(*arguments, env={"IMAGE_SKILL_TOKEN": KEY})
        assert run.code == 0 and run.result["answer"] == {key: told[key] for key in ("dashboard_url", "ttl_seconds")}
        sent = fake.requests[0]
        assert (sent.method, sent.path, sent.body) == ("POST", "/v1/dashboard-codes", b"")


# -- what is asked without a key may be asked of any host -----------------------------------------------------


@pytest.mark.parametrize("action, key", [("health", False), ("signup", False), ("models", False), ("quota", True)])
def test_only_what_goes_without_a_key_goes_to_another_host(action, key):
    from mediakit.base import errors
    from mediakit.jobs import connection
    from mediakit.services import actions

    elsewhere = connection.ConnectionFlags(base_url="https://elsewhere.example/v1")
    with_key = actions.find(LUXIN, action).key == "needed"
    assert with_key is key
    if key:
        with pytest.raises(errors.Failure) as raised:
            connection.connect(Silent(), elsewhere, LUXIN, with_key=with_key)
        assert raised.value.exit_code == 27
    else:
        found = connection.connect(Silent(), elsewhere, LUXIN, with_key=with_key)
        assert (found.base_url, found.key) == ("https://elsewhere.example/v1", None)


class Silent:
    """As much of a console as a connection needs."""

    def __init__(self):
        self.about = {}
