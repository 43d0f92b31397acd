"""What a create would send, without sending it: the `plan` of --dry-run.

It needs no key and no network. Where there is a key, and the service makes plans of its own, free of
charge, its plan is asked for and told too.
"""

from __future__ import annotations

import json

from ..base import amounts, errors, paths
from ..base.record import replace
from ..console import Console
from ..media import inputs
from ..services import providers
from . import price
from .connection import Connection, ConnectionFlags, address, connect_to_ask
from .lifecycle.policy import WaitPolicy
from .price import Spending
from .request import CheckedRequest

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..ledger.rows import Decision


def show(
    console: Console, asked: CheckedRequest, flags: ConnectionFlags, spending: Spending, policy: WaitPolicy
) -> int:
    """Write the plan; returns the exit code. Raises Failure where the service's own plan says that it would refuse."""
    provider = asked.provider
    known = _standing(console, asked, spending)
    spending = replace(spending, copies=spending.copies - len(known))
    # A service's own plan needs the files there; it is asked where something would be bought.
    asks = provider.plan and not asked.attachments and spending.copies
    connection = connect_to_ask(console, flags, provider, policy.deadline) if asks else None
    for code, message in asked.warnings:
        console.warning(code, message)
    guards = price.guards(spending, asked)

    def under_caps(cost: amounts.Price | None) -> amounts.Price | None:
        return _under_caps(console, asked, spending, cost, lambda: _is_told_to_buyers(console, asked, flags, policy))

    body = None
    try:
        body = _service_plan(console, asked, connection, guards, policy.deadline) if connection else None
    except errors.Failure:
        if connection and guards:  # the real run looks at its own caps first, at a price told without the guard
            under_caps(price.planned_price(connection, asked, policy.deadline))
        raise
    planned = provider.bills.planned(body)
    if provider.plan and connection is None and spending.copies:
        why = "its files are brought only to buy" if asked.attachments else "there is no key"
        console.warning("no_service_plan", f"{provider.title} was not asked for its own plan and price: {why}")
    cost = under_caps(amounts.Price(planned, "service") if planned else None)
    told_price = cost or _estimate(console, asked, flags, policy)
    base_url = address(flags, provider)
    sent = {**asked.shaped, **guards}
    is_form = asked.is_form
    return console.result(
        "plan",
        0,
        provider=provider.name,
        model=asked.model,
        request={
            "method": "POST",
            "url": _url(asked, base_url),
            "content_type": "multipart/form-data" if is_form else "application/json",
            "body": inputs.shown(sent, asked.attachments),
        },
        validation={"checked": asked.is_checked, "warnings": [told for _, told in asked.warnings]},
        copies=spending.copies + len(known),
        **_told(known, spending.copies),
        price={**told_price.amount.shown, "source": told_price.source} if told_price else None,
        service_plan=body,
        trace_id=provider.refusals.trace_id(body),
        effect="no_spend",
        curl=_curl(provider, _url(asked, base_url), asked, sent, is_form) if base_url else None,
        message=_message(known, spending.copies),
    )


def _standing(console: Console, asked: CheckedRequest, spending: Spending) -> list[Decision]:
    """As orders.standing; no ledger is made for it."""
    if spending.allow_duplicate or not paths.has_ledger():
        return []
    from ..ledger import fallbacks, store
    from . import orders

    try:
        return orders.standing(fallbacks.open_to_look(console), asked, spending)
    except store.Unusable as problem:
        raise problem.failure() from None


# What a command would make of a job that is open -> its name in the plan, as in that of a batch.
_NAMES = {"resume": "to_resume", "wait": "under_way", "unknown": "unknown"}


def _told(known: list[Decision], to_buy: int) -> dict:
    if not known:
        return {}
    words = [_NAMES[decision.word] for decision in known]
    return {"to_buy": to_buy, **{word: words.count(word) for word in words}, "job": known[0].job.key}


def _message(known: list[Decision], to_buy: int) -> str:
    if not known:
        return "Nothing was bought. To buy it, run the same without --dry-run."
    from ..ledger import refusals

    goes_on = f"Nothing was bought. Without --dry-run the same goes on with {known[0].job.key}, which is open already"
    more = f", and buys {to_buy} more" if to_buy else ""
    return " ".join([f"{goes_on}{more}.", *refusals.another()])


def _url(asked: CheckedRequest, base_url: str | None) -> str:
    """Where it would go; a path alone where the service runs in this process, at an address of its own each time."""
    from ..services.site import Site

    provider, origin = asked.provider, asked.route.origin
    if base_url is None:
        return asked.path if origin not in (None, provider.default_origin) else provider.base_path + asked.path
    place = Site(provider, base_url).of_create(origin, asked.path)
    return place if "://" in place else base_url + place


def _under_caps(
    console: Console,
    asked: CheckedRequest,
    spending: Spending,
    cost: amounts.Price | None,
    is_told_to_buyers: Callable[[], bool],
) -> amounts.Price | None:
    """The price; raises the Failure 27 with which a cap would refuse the purchase.

    is_told_to_buyers  () -> whether the service itself could tell a price when it is bought, which it did not now
    """
    caps = price.caps_of(asked, spending)
    if not caps or not spending.copies:
        return cost or price.price_of(None, asked)
    from ..ledger import fallbacks, store

    may_be_told = cost is None and is_told_to_buyers()
    ledgers = fallbacks.open_to_look(console)
    try:
        found = cost or price.price_of(ledgers, asked)
        if found or not may_be_told:
            accepts, practice = spending.accept_unknown_cost, asked.provider.embedded
            ledgers.check_caps([found] * spending.copies, practice, caps, accepts)
    except store.Unusable as problem:
        raise problem.failure() from None
    return found


def _is_told_to_buyers(console: Console, asked: CheckedRequest, flags: ConnectionFlags, policy: WaitPolicy) -> bool:
    """Let the service state the model's price, where it does so by itself; whether it could do so to a buyer alone."""
    if asked.provider.plan or asked.provider.says("price") is None:
        return bool(asked.provider.plan)
    connection = connect_to_ask(console, flags, asked.provider, policy.deadline)
    if connection:
        price.ask_price(connection, asked)
    return connection is None


def _estimate(
    console: Console, asked: CheckedRequest, flags: ConnectionFlags, policy: WaitPolicy
) -> amounts.Price | None:
    """What creates of this model have cost so far, as the service reckons: told, and never enough for a cap."""
    provider, model = asked.provider, asked.model
    connection = (
        connect_to_ask(console, flags, provider, policy.deadline) if model and provider.says("estimate") else None
    )
    if connection is None or not model:
        return None
    from ..services import catalogue, live

    live.offer_price(connection, model, "estimate")
    found = catalogue.kept_price(provider.speaks, model, "estimates")
    return amounts.Price(amounts.Amount.of(found["amount"], found["unit"]), "estimate") if found else None


def _service_plan(console: Console, asked: CheckedRequest, connection: Connection, guards: dict, deadline: float):
    """The service's answer; None, after a warning, where it gives none."""
    from ..http.answers import Lost
    from ..http.documents import read_json

    answer = price.service_plan(connection, asked, guards, deadline)
    provider = connection.provider
    if isinstance(answer, Lost):
        console.warning("no_service_plan", f"{provider.title} could not be asked for its own plan: {answer.message}")
        return None
    body, words = read_json(answer.content)
    if 200 <= answer.status < 300:
        return body
    found = provider.refusals.verdict(answer.status, body, words, answer.headers)
    message = console.plain(found.message)
    if found.category == "transient" or answer.status in errors.REDIRECTED_STATUSES:
        console.warning("no_service_plan", f"{provider.title} makes no plan now: HTTP {answer.status}: {message}")
        return None
    raise errors.Failure(
        "request_rejected",
        f"the service would refuse the request: HTTP {answer.status}: {message}",
        found.category,
        outcome="not_sent",
        retryable=False,
        http_status=answer.status,
        trace_id=provider.refusals.trace_id(body),
        guidance=["Nothing was bought; only a plan was asked for.", *found.advice, *provider.advice.on(found.category)],
    )


def _curl(provider: providers.Provider, url: str, asked: CheckedRequest, body: dict, is_form: bool) -> str | None:
    """The same request for a POSIX shell, with the key as a variable; None where a file must be brought before."""
    if asked.attachments and not is_form:
        return None
    import shlex

    words = ["curl", "--no-buffer", shlex.quote(url)]
    if not is_form:
        words += ["-H", shlex.quote("Content-Type: application/json")]
    if asked.streams:
        words += ["-H", shlex.quote("Accept: text/event-stream")]
    for name, value in provider.headers.items():
        words += ["-H", shlex.quote(f"{name}: {value}")]
    if provider.key:
        words += ["-H", f'"{provider.key["header"]}: {provider.key["prefix"]}${provider.key["variable"]}"']
    if is_form:
        return " ".join([*words, *_form_words(asked, body)])
    return " ".join([*words, "--data-raw", shlex.quote(json.dumps(body, ensure_ascii=False))])


def _form_words(asked: CheckedRequest, body: dict) -> list[str]:
    import shlex

    from ..http import bodies

    files = {
        stand_in: bodies.Part(None, source=attachment.source, filename=attachment.filename)
        for stand_in, attachment in asked.attachments.items()
        if isinstance(attachment, inputs.File)
    }
    words = []
    for part in bodies.parts_of(body, files):
        if part.source is None:
            words += ["--form-string", shlex.quote(f"{part.name}={part.text}")]
        else:
            path = part.source.path or "-"
            quoted = path.replace("\\", "\\\\").replace('"', '\\"')
            words += ["-F", shlex.quote(f'{part.name}=@"{quoted}";type={part.source.media_type}')]
    return words
