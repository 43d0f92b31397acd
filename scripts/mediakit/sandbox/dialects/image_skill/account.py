"""Credits, what is owned, quotes and payments, activity. Nothing here ever takes money."""

from __future__ import annotations

import secrets
import time

from ....base.regex import regex
from ....base.times import rfc3339
from ... import store as jobs
from .. import common
from ..by_examples import Refused
from ..filling import numbers
from . import prices

# Own choice: what an account holds at first, in credits; enough for a few thousand tries.
_FREE_CREDITS = 100_000
_QUOTE_SECONDS = 3600
_ASSET = regex(r"asset_(job_[0-9a-zA-Z]+)_([1-9])")


# -- credits -----------------------------------------------------------------------------------------


def charge_of(job) -> prices.Charge:
    return prices.charge(job.model, job.input)


def consumed(job) -> int:
    """The credits that a job has cost; a failed one costs nothing, one whose result was lost does."""
    is_free = job.facts.get("is_plan") or job.fault in ("job-failed", "job-canceled")
    return 0 if is_free else charge_of(job).credits


def remaining(sandbox) -> int:
    held = _FREE_CREDITS if sandbox.balance is None else int(sandbox.balance)
    return held - sum(consumed(job) for job in sandbox.store.newest(_FREE_CREDITS))


# -- assets ------------------------------------------------------------------------------------------


def ids_of(job) -> list[str]:
    return [f"asset_{job.id}_{number}" for number in numbers(job.input.get("output_count"))]


def asset(dialect, http, asset_id) -> dict:
    """An owned asset: a result, or a file that was brought. Raises Refused for any other."""
    store, found = http.server.sandbox.store, _ASSET.fullmatch(str(asset_id))
    record = store.record("file", str(asset_id))
    if record:
        uploaded = dialect.told.example("uploaded", None)
        return dialect.told.filled(uploaded, dialect.told.words_of_file(http, record))["data"]["asset"]
    job = store.find(found[1]) if found else None
    if job is None or job.facts.get("is_plan") or asset_id not in ids_of(job):
        raise Refused(404)
    made = dialect.told.body(http, job, "done")["data"]["assets"][int(found[2]) - 1]
    return {**made, "job_id": job.id}


def show_asset(dialect, http, given: dict, data: dict) -> None:
    found = asset(dialect, http, given["asset_id"])
    data["asset"] = {**{name: value for name, value in found.items() if name != "path"}, "source": "hosted_metadata"}


# -- quotes and payments -----------------------------------------------------------------------------


def quote(dialect, http, given: dict, data: dict) -> None:
    """A quote grants nothing. The same key with the same terms is the same quote."""
    store, pack = http.server.sandbox.store, given.get("pack_id")
    packs = {
        one["pack_id"]: one for one in dialect.provider.examples["actions"]["credit-packs"]["body"]["data"]["packs"]
    }
    if pack is not None and pack not in packs:
        raise Refused(400, "pack_id: is not known")
    terms = {
        "credits": packs[pack]["credits"] if pack else given["credits"], "pack_id": pack,
        "payment_method": given.get("payment_method", "stripe_checkout"),
    }  # fmt: skip
    key = given.get("idempotency_key") or f"quote-{secrets.token_hex(8)}"
    kept = store.keep("quote-key", key, {"quote_id": f"quote_{secrets.token_hex(8)}", "terms": terms}).body
    if kept["terms"] != terms:
        raise Refused("CREDIT_QUOTE_CONFLICT", recovery={"idempotency_key": f"quote-{secrets.token_hex(8)}"})
    record = store.keep("quote", kept["quote_id"], {**terms, "idempotency_key": key, "pack": packs.get(pack)})
    data.update(_quote(record))


def _quote(record) -> dict:
    told = record.body
    terms = {name: told[name] for name in ("credits", "pack_id", "pack", "idempotency_key")}
    price = {"price_amount_cents": told["credits"], "currency": "usd", "live_money": False}
    more = {
        "accepted_payment_method": told["payment_method"],
        "next_actions": {"recommended_buy": {"quote_id": record.id}},
    }
    return {
        "quote_id": record.id, "state": "created", "expires_at": rfc3339(record.created + _QUOTE_SECONDS), **terms,
        **price, **more,
    }  # fmt: skip


def _attempt(record) -> dict:
    """Never more than `action_required`: nothing is paid, and nothing is granted."""
    told = record.body
    return {
        "state": "action_required", "payment_attempt_id": f"pay_{record.id}", "provider": "sandbox",
        "accepted_payment_method": told["payment_method"], "credits": told["credits"],
        "amount_cents": told["credits"], "currency": "usd", "live_money": False,
    }  # fmt: skip


def buy(dialect, http, given: dict, data: dict) -> None:
    store = http.server.sandbox.store
    quoted = store.record("quote", given["quote_id"])
    words = dialect.provider.actions["buy"]["fields"]["payment_method"]["words"]
    if quoted is None or given["payment_method"] not in words.values():
        raise Refused(404, "no such quote or way to pay")
    method = quoted.body["payment_method"]
    if words[method] != given["payment_method"]:
        raise Refused(400, f"the quote is for {method}")
    store.keep("attempt", f"pay_{quoted.id}", {})
    data.update(_attempt(quoted))
    if method == "stripe_checkout":
        del data["stripe_x402"]
        urls = dict.fromkeys(("checkout_url", "checkout_handoff_url", "checkout_compact_url"))
        data.update(dict.fromkeys(urls, f"https://checkout.invalid/pay_{quoted.id}"))
        data["checkout_session_id"] = f"cs_pay_{quoted.id}"
    else:
        told, amount = data["stripe_x402"]["payable_instructions"], quoted.body["credits"] / 100
        told.update(token_amount=f"{amount:.2f}", token_amount_atomic=str(round(amount * 1_000_000)))


def tell_purchase(dialect, http, given: dict, data: dict) -> None:
    """By a quote, an attempt or a checkout session; there is never a receipt."""
    store = http.server.sandbox.store
    attempt_id = given.get("payment_attempt_id") or given.get("checkout_session_id", "").removeprefix("cs_")
    quoted = store.record("quote", given.get("quote_id") or attempt_id.removeprefix("pay_"))
    attempt = quoted and store.record("attempt", f"pay_{quoted.id}")
    if quoted is None or (attempt is None and not given.get("quote_id")):
        raise Refused(404, "no such purchase")
    data.update(state="action_required" if attempt else "created", quote=_quote(quoted))
    data["payment_attempt"] = _attempt(quoted) if attempt else None


def claim(dialect, http, given: dict, data: dict) -> None:
    store = http.server.sandbox.store
    data["state"] = "unchanged" if store.record("claim", given["contact"]) else "attached"
    store.keep("claim", given["contact"], {})


def sign_up(dialect, http, given: dict, data: dict) -> None:
    if not given.get("return_token"):
        del data["token"]


# -- activity and feedback ---------------------------------------------------------------------------


def take_feedback(dialect, http, given: dict, data: dict) -> None:
    data["feedback_id"] = http.server.sandbox.store.keep("feedback", f"fb_{secrets.token_hex(8)}", given).id


def list_activity(dialect, http, given: dict, data: dict) -> None:
    events = _events(http.server.sandbox.store)
    found = [event for event in events if given.get("subject") in (None, event["subject"]["id"])]
    data["events"] = common.page_of(found, given, 20)


def show_activity(dialect, http, given: dict, data: dict) -> None:
    """By the id of an event or of its subject."""
    events = _events(http.server.sandbox.store)
    data["events"] = [one for one in events if given["ref"] in (one["event_id"], one["subject"]["id"])]
    if not data["events"]:
        raise Refused(404, "no such event or subject")


# kind of a record -> type of the event, operation, type of the subject
_RECORDED = {
    "file": ("asset.uploaded", "upload", "asset"),
    "feedback": ("feedback.created", "feedback", "feedback"),
    "attempt": ("payment.checkout_session.created", "buy", "payment_attempt"),
}


def _events(store) -> list[dict]:
    """What happened, the newest first."""
    events = [event for job in store.newest(1000) for event in _events_of(job)]
    for kind, (name, operation, subject) in _RECORDED.items():
        for record in store.records(kind, 1000):
            events.append(_event(name, operation, subject, record.id, record.created))
    return sorted(events, key=lambda event: event["occurred_at"], reverse=True)


def _events_of(job) -> list[dict]:
    operation, ended = "edit" if "input_asset_id" in job.input else "create", job.created + job.duration
    if job.facts.get("is_plan"):
        receipt = {"job_id": job.id, "credits_required": charge_of(job).credits}
        planned = _event("job.planned", operation, "job", job.id, job.created)
        return [{**planned, "status": "planned", "details": {"plan_receipt": receipt}}]
    if jobs.progress(job, time.time()) != "done" or job.fault in (
        "job-failed",
        "job-canceled",
        "create-storage-failed",
    ):
        return []
    completed = _event("job.completed", operation, "job", job.id, ended)
    completed["links"].update(asset_ids=ids_of(job), usage_event_id=f"usage_{job.id}")
    completed.update(status="completed", cost=charge_of(job).told)
    created = [_event("asset.created", operation, "asset", asset_id, ended) for asset_id in ids_of(job)]
    used = _event("usage.credit_consumed", operation, "job", job.id, ended)
    return [completed, *created, {**used, "details": {"credits": consumed(job)}}]


def _event(name: str, operation: str, kind: str, subject: str, moment: float) -> dict:
    links = {"job_id": "job", "feedback_id": "feedback"}
    return {
        "event_id": f"evt_{name.replace('.', '-')}_{subject}", "type": name, "occurred_at": rfc3339(moment),
        "summary": f"{name} {subject}", "operation": operation, "subject": {"type": kind, "id": subject},
        "links": {
            **{link: subject if kind == owner else None for link, owner in links.items()},
            "asset_ids": [subject] if kind == "asset" else [],
            "usage_event_id": f"usage_{subject}" if name == "usage.credit_consumed" else None,
        },
    }  # fmt: skip


# action -> what makes its answer from the example
ANSWERS = {
    "signup": sign_up, "claim": claim, "quote": quote, "buy": buy, "status": tell_purchase, "assets": show_asset,
    "activity": list_activity, "activity-show": show_activity, "feedback": take_feedback,
}  # fmt: skip
