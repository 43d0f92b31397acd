"""Credits that are used up, what is owned, and payments. Nothing here ever takes money."""

from __future__ import annotations

from ....base.regex import regex
from ..answering import Refused
from ..filling import numbers
from . import charges

# Own choice: what an account holds at first, in credits; enough for a few thousand tries.
_FREE_CREDITS = 100_000
_ASSET = regex(r"asset_(job_[0-9a-zA-Z]+)_([1-9])")


def consumed(job) -> int:
    """The credits that a job has cost; a failed one costs nothing, one whose result was lost does."""
    is_free = job.facts.get("is_plan") or job.fault in ("job-failed", "job-canceled")
    return 0 if is_free else charges.of(job.model, job.input).credits


def remaining(sandbox) -> int:
    held = _FREE_CREDITS if sandbox.balance is None else int(sandbox.balance)
    return held - sum(consumed(job) for job in sandbox.store.newest(_FREE_CREDITS))


def asset(dialect, http, asset_id) -> dict:
    """An owned asset: a result, or a file that was brought. Raises Refused for any other."""
    store, found = http.server.sandbox.store, _ASSET.fullmatch(str(asset_id))
    record = store.record("file", str(asset_id))
    if record:
        uploaded = dialect.told.example("uploaded", None)
        return dialect.told.filled(uploaded, dialect.told.words_of_file(http, record))["data"]["asset"]
    job = store.find(found[1]) if found else None
    if job is None or job.facts.get("is_plan") or int(found[2]) not in numbers(job.input.get("output_count")):
        raise Refused(404)
    made = dialect.told.body(http, job, "succeeded")["data"]["assets"][int(found[2]) - 1]
    return {**made, "job_id": job.id}


def show_asset(dialect, http, given: dict, data: dict) -> None:
    found = asset(dialect, http, given["asset_id"])
    data["asset"] = {**{name: value for name, value in found.items() if name != "path"}, "source": "hosted_metadata"}


def buy(dialect, http, given: dict, data: dict) -> None:
    if "stripe_x402" in data:
        cents = data["amount_cents"]
        amounts = {"token_amount": f"{cents / 100:.2f}", "token_amount_atomic": str(cents * 10_000)}
        data["stripe_x402"]["payable_instructions"].update(amounts)


def tell_purchase(dialect, http, given: dict, data: dict) -> None:
    """By a quote, an attempt or a checkout session; there is never a receipt."""
    store = http.server.sandbox.store
    attempt_id = given.get("payment_attempt_id") or given.get("checkout_session_id", "").removeprefix("cs_")
    quote_id = given.get("quote_id") or attempt_id.removeprefix("pay_")
    quote, attempt = store.record("quote", quote_id), store.record("attempt", f"pay_{quote_id}")
    if quote is None or (attempt is None and not given.get("quote_id")):
        raise Refused(404, "no such purchase")
    state = "action_required" if attempt else "created"
    data.update(state=state, quote={**quote.body, "quote_id": quote_id, "state": "created"})
    data["payment_attempt"] = {"payment_attempt_id": f"pay_{quote_id}", "state": state} if attempt else None


# action -> what makes its answer from the example
ANSWERS = {"buy": buy, "status": tell_purchase, "assets": show_asset}
