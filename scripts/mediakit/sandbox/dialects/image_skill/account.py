"""Identity, credits, activity, feedback. Nothing here ever takes money."""

from __future__ import annotations

import secrets
import time

from ....base.regex import regex
from .. import common
from . import assets, making
from .words import Refusal

# pack -> credits; a credit is a US cent
_PACKS = {"starter-500": 500, "builder-2000": 2000, "studio-5000": 5000}
_DEFAULT_PACK = "starter-500"
_CUSTOM_CREDITS = (1, 5000)
# method -> where it is bought with
_METHODS = {
    "stripe_checkout": "stripe-checkout-sessions",
    "stripe_x402.exact.usdc": "stripe-x402-deposits",
}
_QUOTE_SECONDS = 3600
_DASHBOARD_SECONDS = 3600
_SLUG = regex(r"[a-z0-9][a-z0-9_-]{0,63}")
_CHECKOUT = "https://checkout.invalid"


# -- identity ----------------------------------------------------------------------------------------


def tell_health(call) -> dict:
    return {"status": "ok", "api_version": "sandbox"}


def sign_up(call) -> dict:
    source = call.body.get("discovery_source")
    if source is not None and not (isinstance(source, str) and _SLUG.fullmatch(source)):
        raise Refusal("INVALID_ARGUMENTS", "discovery_source: is not a lowercase slug of at most 64 characters")
    # Own choice: what is said about where the token is kept.
    answer = {"storage": {"server": "nowhere: the sandbox takes every token"}, "claim_state": "unclaimed"}
    return {**answer, "token": f"isk_r_{secrets.token_hex(16)}"} if call.body.get("return_token") else answer


def claim(call) -> dict:
    contact = call.body.get("contact")
    if not isinstance(contact, str) or not contact:
        raise Refusal("INVALID_ARGUMENTS", "contact: is required")
    is_new = call.store.record("claim", contact) is None
    call.store.keep("claim", contact, {})
    state = "attached" if is_new else "unchanged"
    return {"state": state, "claim_state": "unclaimed", "claim_request_state": "requested"}


def make_dashboard_code(call) -> dict:
    code = f"dc_{secrets.token_hex(16)}"
    url = f"https://luxin.invalid/dashboard#code={code}"
    return {
        "mode": "hosted_auth",
        "agent_id": "agt_sandbox",
        "code": code,
        "dashboard_url": url,
        "expires_at": common.written(time.time() + _DASHBOARD_SECONDS),
        "ttl_seconds": _DASHBOARD_SECONDS,
        "single_use": True,
        "human_handoff": {"audience": "human", "share_field": "data.dashboard_url", "never_share": ["token", "code"]},
    }


def tell_identity(call) -> dict:
    # Own choice: the word for where the session is from. Null is the service's word for a time not known.
    is_known = "Authorization" in call.http.headers
    return {
        "authenticated": is_known,
        "session_origin": "sandbox",
        "token_status": "active" if is_known else None,
        "token_created_at": None,
    }


def tell_quota(call) -> dict:
    return {
        "authenticated": "Authorization" in call.http.headers,
        "claim_state": "unclaimed",
        "token_status": "active",
        "limits": {"remaining_credits": making.remaining_credits(call), "payment_backed_remaining_credits": 0},
        # Own choice: how many jobs a day.
        "daily_jobs": {"cap": 1000, "remaining": 1000},
        "top_up": {"available": True, "recommended": False},
    }


# -- credits -----------------------------------------------------------------------------------------


def list_methods(call) -> dict:
    return {
        "contract_version": "image-skill.payment-methods.v1",
        "methods": [_method(name) for name in _METHODS],
        "next_actions": {"recommended_quote": {"pack_id": _DEFAULT_PACK, "payment_method": "stripe_checkout"}},
    }


def _method(name: str) -> dict:
    by_browser = name == "stripe_checkout"
    return {
        "method_id": name,
        "status": "available",
        "available": True,
        "quoteable": True,
        "purchasable": True,
        "live_money": False,
        "buyer_modes": ["human_only"] if by_browser else ["agent_only"],
        "requires_browser": by_browser,
        "agent_initiated": True,
        "agent_settleable": not by_browser,
        "settlement_blocker": None,
        "default_pack_id": _DEFAULT_PACK,
        "purchase_endpoint": f"/v1/credit-purchases/{_METHODS[name]}",
    }


def list_packs(call) -> dict:
    least, most = _CUSTOM_CREDITS
    return {
        "credit_unit_cents": 1,
        "credit_unit_usd": 0.01,
        "currency": "usd",
        "default_pack_id": _DEFAULT_PACK,
        "packs": [_pack(name) for name in _PACKS],
        "custom_quotes": {"supported": True, "min_credits": least, "max_credits": most},
    }


def _pack(name: str) -> dict:
    amount = _PACKS[name]
    return {
        "pack_id": name,
        "name": name.partition("-")[0],
        "display_name": f"{name.partition('-')[0].title()} {amount}",
        "credits": amount,
        "amount_cents": amount,
        "amount_usd": f"{amount / 100:.2f}",
        "price_usd": f"{amount / 100:.2f}",
        "currency": "usd",
    }


def quote(call) -> dict:
    """A quote grants nothing. The same key with the same terms is the same quote."""
    terms = _terms(call.body)
    key = call.body.get("idempotency_key")
    key = key if isinstance(key, str) and key else f"quote-{secrets.token_hex(8)}"
    kept = call.store.keep("quote-key", key, {"quote_id": f"quote_{secrets.token_hex(8)}", "terms": terms})
    if kept.body["terms"] != terms:
        raise Refusal("CREDIT_QUOTE_CONFLICT", recovery={"idempotency_key": f"quote-{secrets.token_hex(8)}"})
    quote_id = kept.body["quote_id"]
    return _quote(call.store.keep("quote", quote_id, {**terms, "idempotency_key": key}))


def _terms(body: dict) -> dict:
    pack, amount = body.get("pack_id"), body.get("credits")
    method = body.get("payment_method", "stripe_checkout")
    if (pack is None) == (amount is None):
        raise Refusal("INVALID_ARGUMENTS", "expected either credits or pack_id")
    if pack is not None and pack not in list(_PACKS):
        raise Refusal("INVALID_ARGUMENTS", "pack_id: is not known")
    if pack is None and (
        not isinstance(amount, int) or amount not in range(_CUSTOM_CREDITS[0], _CUSTOM_CREDITS[1] + 1)
    ):
        raise Refusal("INVALID_ARGUMENTS", "credits: is not a whole number from 1 to 5000")
    if method not in list(_METHODS):
        raise Refusal("INVALID_ARGUMENTS", "payment_method: is not known")
    return {"credits": _PACKS[pack] if pack else amount, "pack_id": pack, "payment_method": method}


def _quote(record) -> dict:
    told = record.body
    return {
        "quote_id": record.id,
        "state": "created",
        "credits": told["credits"],
        "price_amount_cents": told["credits"],
        "currency": "usd",
        "expires_at": common.written(record.created + _QUOTE_SECONDS),
        "accepted_payment_method": told["payment_method"],
        "idempotency_key": told["idempotency_key"],
        "pack_id": told["pack_id"],
        "pack": _pack(told["pack_id"]) if told["pack_id"] else None,
        "live_money": False,
        "next_actions": {"recommended_buy": {"quote_id": record.id}},
    }


def buy(call) -> dict:
    """Never more than `action_required`: nothing is paid, and nothing is granted."""
    quoted = call.store.record("quote", str(call.body.get("quote_id")))
    if call.id not in _METHODS.values() or quoted is None:
        raise Refusal("NOT_FOUND", "no such quote or way to pay")
    method = quoted.body["payment_method"]
    if _METHODS[method] != call.id:
        raise Refusal("INVALID_ARGUMENTS", f"the quote is for {method}")
    attempt = call.store.keep("attempt", f"pay_{quoted.id}", {"quote_id": quoted.id})
    return {**_attempt(call, attempt, quoted), **_handoff(attempt, quoted)}


def _attempt(call, attempt, quoted) -> dict:
    return {
        "state": "action_required",
        "payment_attempt_id": attempt.id,
        "provider": "sandbox",
        "accepted_payment_method": quoted.body["payment_method"],
        "credits": quoted.body["credits"],
        "amount_cents": quoted.body["credits"],
        "currency": "usd",
        "live_money": False,
    }


def _handoff(attempt, quoted) -> dict:
    if quoted.body["payment_method"] == "stripe_checkout":
        url = f"{_CHECKOUT}/{attempt.id}"
        return {
            "checkout_session_id": f"cs_{attempt.id}",
            "checkout_handoff_url": url,
            "checkout_compact_url": url,
            "checkout_url": url,
            "next": {"retry_after_seconds": 5},
        }
    amount = quoted.body["credits"] / 100
    return {
        "stripe_x402": {
            "method_id": quoted.body["payment_method"],
            "scheme": "exact",
            "network": "sandbox",
            "token_currency": "usdc",
            "payable_instructions": {
                "token_amount": f"{amount:.2f}",
                "token_amount_atomic": str(round(amount * 1_000_000)),
                "deposit_address": "none: the sandbox takes no money",
                "expires_at": common.written(quoted.created + _QUOTE_SECONDS),
            },
        }
    }


def tell_purchase(call) -> dict:
    """By a quote, an attempt, a checkout session or a receipt; there is never a receipt."""
    asked = call.query
    attempt_id = asked.get("payment_attempt_id") or asked.get("checkout_session_id", "").removeprefix("cs_")
    quote_id = asked.get("quote_id") or attempt_id.removeprefix("pay_")
    quoted = call.store.record("quote", quote_id)
    attempt = call.store.record("attempt", f"pay_{quote_id}")
    if quoted is None or (attempt is None and not asked.get("quote_id")):
        raise Refusal("NOT_FOUND", "no such purchase")
    return {
        "state": "action_required" if attempt else "created",
        "quote": _quote(quoted),
        "payment_attempt": _attempt(call, attempt, quoted) if attempt else None,
        "receipt": None,
        "credit_event": None,
        "provider_event": None,
        "limits": {"remaining_credits": making.remaining_credits(call), "payment_backed_remaining_credits": 0},
        "next": {"retry_after_seconds": 5},
    }


# -- activity and feedback ---------------------------------------------------------------------------


def list_activity(call) -> dict:
    limit = common.number(call.query.get("limit"), 20, 1, 100)
    subject = call.query.get("subject")
    found = [event for event in _events(call) if subject in (None, event["subject"]["id"])]
    return {"events": found[:limit], "source": "hosted_activity_ledger"}


def show_activity(call) -> dict:
    """By the id of an event or of its subject."""
    found = [event for event in _events(call) if call.id in (event["event_id"], event["subject"]["id"])]
    if not found:
        raise Refusal("NOT_FOUND", "no such event or subject")
    # Own choice: no source shows the shape for one reference.
    return {"reference": call.id, "events": found, "source": "hosted_activity_ledger"}


def _events(call) -> list[dict]:
    """What happened, the newest first."""
    events = [event for job in call.store.newest(1000) for event in _events_of_job(call, job)]
    for kind, (name, operation, subject) in _RECORDED.items():
        for record in call.store.records(kind, 1000):
            events.append(_event(name, operation, subject, record.id, record.created))
    return sorted(events, key=lambda event: event["occurred_at"], reverse=True)


# kind of a record -> type of the event, operation, type of the subject
_RECORDED = {
    "file": ("asset.uploaded", "upload", "asset"),
    "feedback": ("feedback.created", "feedback", "feedback"),
    "attempt": ("payment.checkout_session.created", "buy", "payment_attempt"),
}


def _events_of_job(call, job) -> list[dict]:
    operation = "edit" if "input_asset_id" in job.input else "create"
    if job.input.get("dry_run"):
        planned = _event("job.planned", operation, "job", job.id, job.created)
        return [{**planned, "status": "planned", "details": {"plan_receipt": making.plan_receipt(job)}}]
    ended = job.created + job.duration
    if making.status_of(job) != "completed":
        return []
    completed = _event("job.completed", operation, "job", job.id, ended)
    completed["links"].update(asset_ids=assets.ids_of_job(job), usage_event_id=f"usage_{job.id}")
    completed.update(status="completed", cost=making.cost_of(job))
    created = [_event("asset.created", operation, "asset", asset_id, ended) for asset_id in assets.ids_of_job(job)]
    used = _event("usage.credit_consumed", operation, "job", job.id, ended)
    return [completed, *created, {**used, "details": {"credits": making.consumed(job)}}]


def _event(name: str, operation: str, kind: str, subject: str, moment: float) -> dict:
    return {
        "event_id": f"evt_{name.replace('.', '-')}_{subject}",
        "type": name,
        "occurred_at": common.written(moment),
        "summary": f"{name} {subject}",
        "operation": operation,
        "subject": {"type": kind, "id": subject},
        "links": {
            "job_id": subject if kind == "job" else None,
            "asset_ids": [subject] if kind == "asset" else [],
            "feedback_id": subject if kind == "feedback" else None,
            "usage_event_id": f"usage_{subject}" if name == "usage.credit_consumed" else None,
        },
    }


def take_feedback(call) -> dict:
    if not (call.body.get("title") or call.body.get("body")):
        raise Refusal("INVALID_ARGUMENTS", "expected title or body")
    kept = call.store.keep("feedback", f"fb_{secrets.token_hex(8)}", call.body)
    # Own choice: no source shows more than the id.
    return {"feedback_id": kept.id, "state": "kept in this sandbox"}
