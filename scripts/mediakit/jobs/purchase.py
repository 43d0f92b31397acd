"""From a checked request, or from an entry of the ledger, to a job that can be driven.

claim       what the ledger makes of a request: a Claim for each copy
ready       its files at the service, where something is bought
claimed     the Job of a Claim
resume      the Job of an entry that has an id
reconcile   the Job of an entry whose outcome is unknown
attach      the Job of an entry whose id a person has found
spent       what a command has spent
"""

from __future__ import annotations

import json
import time

from ..base import amounts, errors, times
from ..base.record import record, replace
from ..http.documents import read_json
from ..ledger import entries, fallbacks, refusals, store
from ..services import catalogue, providers
from ..services.answers import Reading
from . import kept, orders, price, uploads
from .connection import Connection, read_at
from .context import Context
from .job import Job
from .price import Spending
from .request import CheckedRequest
from .start import Start, Submission

_KEPT = "This job is paid for already, and what its service answered is kept here: nothing is sent."

# -- claiming --------------------------------------------------------------------------------------------


@record
class Unpriced:
    """What is to be looked at once a price is known: `caps`, and whether a cost that stays unknown is accepted."""

    caps: list[amounts.Cap]
    accepts_unknown: bool


@record
class Claim:
    """What the ledger has decided about one copy.

    decision   store.Decision; its entry is None where there is no ledger
    sent_with  what is sent beside the payload, if it is bought
    unpriced   whose caps are to be checked once the service has the files, and can tell the price; None where they were
    """

    decision: store.Decision
    sent_with: dict
    unpriced: Unpriced | None = None

    @property
    def buys(self) -> bool:
        return self.decision.word == "buy"


def claim(
    context: Context, asked: CheckedRequest, spending: Spending, patience: float, plans: bool = True
) -> list[Claim]:
    """The ledger's decision about each copy; raises Failure 27 where a cap or the ledger refuses.

    patience  seconds in which another process that buys the same must have an answer
    plans     whether a service that plans creates can plan this: without it nothing but the request is ever sent
    """
    ledgers, provider = context.ledgers, asked.provider
    assert ledgers is not None, "what buys opens them"
    beside = [price.sent_with(spending, asked) for _ in range(spending.copies)]
    caps = price.caps_of(asked, spending)
    try:
        if plans and caps:
            price.ask_price(context.connection, asked)
        asks = bool(plans and caps and provider.plan)
        # A plan needs the files at the service, and they are brought only to buy.
        later = asks and bool(asked.attachments)
        found = None if later else _price_of(context, asked, asks)
        wanted = orders.of(context, asked, spending, beside, found)
    except store.Unusable as problem:
        raise problem.failure() from None
    patience = min(patience + fallbacks.PATIENCE, max(context.policy.deadline - time.monotonic(), 0.0))
    decisions = ledgers.claim(
        wanted,
        caps,
        patience,
        key=context.connection.account,
        began=times.process_start(),
        allow_duplicate=spending.allow_duplicate,
        retry_unknown=spending.retry_unknown,
        accept_unknown_cost=spending.accept_unknown_cost or later,
    )
    unpriced = Unpriced(caps, spending.accept_unknown_cost) if later else None
    return [Claim(decision, sent_with, unpriced) for decision, sent_with in zip(decisions, beside)]


def _price_of(context: Context, asked: CheckedRequest, asks: bool) -> amounts.Price | None:
    """What one costs, as the service itself says where it `asks` it; raises store.Unusable."""
    planned = price.planned_price(context.connection, asked, context.policy.deadline) if asks else None
    return planned or price.price_of(context.ledgers, asked)


def spent(claims: list[Claim]) -> list[amounts.Amount]:
    """What the jobs that this command bought have cost, as far as it was told; one Amount a unit."""
    sums: dict[str, int] = {}
    for claim in claims:
        decision = claim.decision
        entry = decision.ledger.find(decision.job.key) if claim.buys and decision.ledger else None
        if entry and entry.cost is not None and entry.cost_unit is not None:
            sums[entry.cost_unit] = sums.get(entry.cost_unit, 0) + entry.cost
    return [amounts.Amount(micro, unit) for unit, micro in sorted(sums.items())]


# -- buying ----------------------------------------------------------------------------------------------


def ready(context: Context, asked: CheckedRequest, claims: list[Claim]) -> uploads.Ready:
    """The inputs at their service, where something is bought; raises Failure, and then nothing is."""
    if not any(claim.buys for claim in claims):
        return uploads.Ready(asked.payload)
    try:
        sent = uploads.fulfil(context, asked)
        if claims[0].unpriced:
            # The fields that price it are those asked for; what the service is asked about has its own names of the files.
            _reprice(context, asked, claims, claims[0].unpriced, sent)
        return sent
    except BaseException:
        entries.withdraw([claim.decision for claim in claims], "withdrawn before it was sent")
        raise


def _reprice(
    context: Context, asked: CheckedRequest, claims: list[Claim], unpriced: Unpriced, sent: uploads.Ready
) -> None:
    """Check the caps against what the service plans with its files; raises Failure 27."""
    assert context.ledgers is not None
    try:
        planned = None
        if sent.body is None:
            with_files = replace(asked, payload=sent.payload)
            planned = price.planned_price(context.connection, with_files, context.policy.deadline)
        found = planned or price.price_of(context.ledgers, asked)
        decisions = [claim.decision for claim in claims if claim.buys]
        context.ledgers.reprice(decisions, found, unpriced.caps, unpriced.accepts_unknown)
    except store.Unusable as problem:
        raise problem.failure() from None


def claimed(context: Context, asked: CheckedRequest, claim: Claim, sent: uploads.Ready) -> Job:
    """The Job of a Claim; `sent` is what is sent of a request that is bought. Raises Failure 27."""
    decision, entry = claim.decision, claim.decision.entry
    context = replace(context, ledger=decision.ledger)
    writer = _writer(context, entry)
    if decision.word != "buy":
        context = replace(context, connection=read_at(context.console, context.connection, decision))
    if decision.word == "resume":
        return _resumed(context, decision.job, writer, asked.model, asked.warnings)
    if decision.word == "unknown":
        failure = refusals.duplicate_unknown(decision.job, asked.provider.advice.looking)
        return _looked_for(context, decision.job, writer, failure, asked.model, asked.path, asked.noted)
    is_job = asked.route.answers == "job"
    # Giving up too early would lose what is paid for: no id leads back to it.
    longer = 0.0 if is_job else max(asked.provider.longest_work - context.policy.create_timeout, 0.0)
    seconds, is_text = sent.seconds + longer, asked.task == "stt"
    start = Start(
        asked.model,
        Submission(
            asked.path,
            sent.payload,
            claim.sent_with,
            sent.body,
            seconds,
            asked.route.answers,
            is_text,
            asked.route.origin,
        ),
        repeats_for=(asked.provider.idempotency or {}).get("seconds", 0.0),
        # Nobody can tell from a list of jobs which file another one was given.
        sought=None if sent.body else sent.payload,
        noted=asked.noted,
        warnings=asked.warnings,
    )
    return Job(replace(context, policy=replace(context.policy, stream=asked.streams)), start, writer)


def _beside(entry: store.Entry) -> dict:
    return json.loads(entry.sent_with) if entry.sent_with else {}


def _writer(context: Context, entry: store.Entry | None) -> entries.Writer:
    if context.ledgers is None:
        return entries.Writer(context.console, context.ledger, entry)
    is_one_of_many = context.inbox is not None
    return entries.Writer(context.console, context.ledger, entry, context.ledgers.unclaimed, is_one_of_many)


# -- going on --------------------------------------------------------------------------------------------


def _without_stream(context: Context) -> Context:
    return replace(context, policy=replace(context.policy, stream=False))


def resume(context: Context, entry: store.Entry) -> Job:
    """Go on with a job that has an id."""
    return _resumed(context, entry, _writer(context, entry), entry.model)


def _resumed(
    context: Context,
    entry: store.Entry,
    writer: entries.Writer,
    model: str | None,
    warnings: tuple[tuple[str, str], ...] = (),
) -> Job:
    lifetime = context.connection.provider.result_lifetime
    if lifetime and entry.accepted_at and time.time() - entry.accepted_at > lifetime:
        words = "the service keeps results for a time that is over for this job"
        warnings = (*warnings, ("result_expired", words))
    reason = "delivered_meanwhile" if entry.delivered_at else "undelivered"
    message = " ".join(["This job is paid for already.", *refusals.another()])
    # A clock that was set back makes no job younger than it can be.
    age = max(time.time() - entry.accepted_at, 0.0) if entry.accepted_at else 0.0
    start = Start(
        model,
        generation_id=entry.generation_id,
        age=age,
        resumed=(reason, message),
        told=entry.addresses,
        warnings=warnings,
    )
    return Job(_without_stream(context), start, writer)


def attach(context: Context, entry: store.Entry, generation_id: str) -> Job:
    """Go on with a job under the id that a person has found; a wrong id changes nothing."""
    writer = _writer(context, entry)
    writer.attached_by_hand = True
    resumed = ("reconciled", "A person has found this job.")
    return Job(context, Start(entry.model, generation_id=generation_id, resumed=resumed), writer)


def reconcile(context: Context, entry: store.Entry) -> Job:
    """Find out what became of a job whose outcome is unknown, and go on with it; raises Failure 12 if nobody knows."""
    provider = context.connection.provider
    failure = errors.Failure(
        "outcome_unknown",
        "it is still not known whether this request was accepted",
        "outcome_unknown",
        outcome="unknown",
        retryable=False,
        job=entry.key,
        guidance=refusals.by_hand(entry, provider.advice.looking),
    )
    payload = json.loads(entry.payload) if entry.payload else None
    # Only what can be sent again has to know where.
    path = provider.paths.create(entry.model, False, fields=payload or ()) if provider.idempotency else ""
    writer = _writer(context, entry)
    return _looked_for(context, entry, writer, failure, entry.model, path, payload)


def _looked_for(
    context: Context,
    entry: store.Entry,
    writer: entries.Writer,
    failure: errors.Failure,
    model: str | None,
    path: str,
    noted: dict | None,
) -> Job:
    """Ask the service what became of it: by its list, or by sending the same under the same idempotency key.

    noted  the payload as the ledger keeps it; None where it was not kept
    """
    provider, file = context.connection.provider, kept.found(entry.key)
    left, why_not = _time_for_key(context.connection, writer.ledger, entry)
    # Under a living key the service tells its result anew, with links that are not too old.
    if file and not left and (reading := _kept_result(provider, file, model)):
        start = Start(model, noted=noted, resumed=("undelivered", _KEPT), kept=(file, reading))
        return Job(_without_stream(context), start, writer)
    if file:
        failure.fields["kept"] = file
    if left and noted is None:
        why_not = f"What was asked for was not kept: the same command again finds out, for {left:.0f} s more."
    payload = uploads.recall(context.connection, writer.ledger, noted)
    if payload is None and provider.job_list.is_searchable and not provider.job_list.tells_input:
        payload = {}  # a list that tells no input is looked through by model and time
    if payload is None or not (provider.job_list.is_searchable or left):
        failure.fields["guidance"][:0] = [why_not] if why_not else []
        raise failure
    start = Start(
        model,
        Submission(path, payload, _beside(entry)) if left else None,
        unresolved=failure,
        repeats_for=left,
        sought=payload,
        noted=noted,
    )
    return Job(_without_stream(context), start, writer)


def _kept_result(provider: providers.Provider, file: str, model: str | None) -> Reading | None:
    """What a file says that was kept of a job, where that is its result."""
    answer = kept.result(file)
    if answer is None:
        return None
    body, _ = read_json(answer.content)
    of_text = "stt" in catalogue.entry(provider.speaks, model).get("tasks", ["stt"])
    return provider.answers.reading_again(answer.content, body, answer.headers["Content-Type"], of_text)


def _time_for_key(connection: Connection, ledger: store.Ledger | None, entry: store.Entry) -> tuple[float, str]:
    """`(seconds, "")` for which a create may be sent again under its idempotency key, or `(0.0, why it may not)`."""
    rules = connection.provider.idempotency
    if rules is None or ledger is None:
        return 0.0, ""
    try:
        account = ledger.account(connection.account)
    except store.Unusable as problem:
        raise problem.failure() from None
    left = entry.created_at + rules["seconds"] - time.time()
    reasons = (
        (
            rules["field"] not in _beside(entry) or not entry.is_as_sent,
            "Its idempotency key is not used again: the service's error forbids it.",
        ),
        (entry.closed, "It was given up for another purchase: sent again, it could be bought after all."),
        # One account's idempotency key is nothing to another account, nor to another address.
        (entry.account != account, "It was sent with another key of the service: only that one can find out."),
        (
            entry.origin not in (connection.origin, connection.former_origin),
            "It was sent to another address: only that one can find out.",
        ),
        # A key that would live longer than it ever could means that the clock was set back.
        (
            not 0 < left <= rules["seconds"],
            f"Its idempotency key is used for {rules['seconds']:g} s only; that time is over.",
        ),
    )
    why_not = next((words for stands, words in reasons if stands), "")
    return (0.0 if why_not else left), why_not
