"""From a checked request, or from an entry of the ledger, to a job that runs.

orders      what a command wants to buy
claim       what the ledger makes of it: a Decision for each
jobs        one callable (console) -> exit code for each Decision
resume      the same for a job that is in the ledger already
reconcile   the same for one whose outcome is unknown
attach      the same for one whose id a person has found
service_plan, sent_with, guards   what a service is told beside the payload, and its own plan
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from dataclasses import replace

from ..base import amounts, errors
from ..base.times import time_left
from ..console import Console
from ..http import transport
from ..ledger import entries, spending, store
from ..media import inputs
from ..services import providers
from . import lifecycle, options, runner, uploads
from .options import Connection
from .request import Request

PLAN_TIMEOUT = 60.0


def price_of(ledger: store.Ledger | None, provider: providers.Provider, asked: Request) -> amounts.Price | None:
    """What one such job costs, as the catalogue states it, else as the ledger remembers; None if unknown."""
    from ..services import catalogue

    entry = catalogue.entry(provider.speaks, asked.model)
    if entry:
        charges = catalogue.document(provider.speaks).get("charges")
        stated = spending.catalogue_price(entry, asked.payload, provider.count_field, charges)
        if stated:
            return stated
    count = asked.payload.get(provider.count_field)
    return ledger.estimate(provider.name, asked.model, provider.count_field, count) if ledger else None


def service_plan(
    console: Console, arguments, asked: Request, connection: Connection, sent_with: dict
) -> transport.Answer | transport.Lost:
    """What the service itself says that it would do, free of charge; for a provider that plans."""
    left = time_left(arguments.deadline)
    patience = PLAN_TIMEOUT if left is None else min(PLAN_TIMEOUT, left / 2)  # the rest is for the job
    body = {**asked.payload, **sent_with, connection.provider.plan["field"]: True}
    if connection.provider.idempotency:  # a plan uses up no key
        body.pop(connection.provider.idempotency["field"], None)
    return transport.ask(connection.base_url, connection.authorisation, asked.path, patience, body)


def sent_with(arguments, asked: Request, provider: providers.Provider) -> dict:
    """What is sent beside the payload: its idempotency key, a new one where it has none, and the service's own guard."""
    found = {}
    if provider.idempotency:
        field = provider.idempotency["field"]
        found[field] = asked.payload.get(field) or f"ai-media-{secrets.token_hex(12)}"
    return {**found, **guards(arguments, asked, provider)}


def guards(arguments, asked: Request, provider: providers.Provider) -> dict:
    """--max-spend and --accept-unknown-cost in the service's own words, where it has them; raises Failure 2."""
    guard, found = provider.guard, {}
    if guard is None:
        return found
    if arguments.max_spend is not None:
        cap = amounts.in_unit(arguments.max_spend, provider.unit, provider.units)
        if cap.unit == guard["unit"]:
            outputs = asked.payload.get(provider.count_field, 1) if guard["per"] == "output" else 1
            if not isinstance(outputs, int) or isinstance(outputs, bool) or outputs < 1:
                raise errors.bad_argument(provider.count_field, "expected a whole number from 1 on")
            limit, own = cap.micro // outputs / amounts.MICRO, asked.payload.get(guard["field"])
            is_stricter = isinstance(own, (int, float)) and not isinstance(own, bool) and own < limit
            found[guard["field"]] = own if is_stricter else limit
    if arguments.accept_unknown_cost and "accept_unknown_field" in guard:
        found[guard["accept_unknown_field"]] = True
    return found


def orders(arguments, asked: Request, connection: Connection, ledger: store.Ledger, price) -> list[store.Order]:
    """One order for each of --copies."""
    provider = connection.provider
    origin = connection.origin
    # The stream of a model and its plain answer are one purchase. A stand-in holds its file's hash.
    request = amounts.digest([provider.name, origin, asked.model or asked.path, asked.payload])
    common = {
        "request": request,
        "service": provider.name,
        "origin": origin,
        "practice": int(provider.embedded),
        "account": ledger.account(connection.key.value if connection.key else None),
        "model": asked.model,
        "base_url": None if connection.embedded else connection.base_url,
        "output_dir": os.path.abspath(arguments.output_dir) if arguments.output_dir is not None else None,
        "intent": arguments.intent,
        "command": _flags_given(),
        "payload": None if arguments.no_store_payload else store.as_json(_noted(asked)),
        "speaks": provider.speaks if provider.embedded else None,
        "price": price,
    }
    return [
        store.Order(
            fingerprint=amounts.fingerprint(request, arguments.intent, copy),
            copy=copy,
            sent_with=store.as_json(sent_with(arguments, asked, provider)),
            **common,
        )
        for copy in range(1, arguments.copies + 1)
    ]


def _noted(asked: Request) -> dict:
    return inputs.noted(asked.payload, asked.attachments)


def _flags_given() -> str:
    # Their names only: a value can be a prompt, or a path that is nobody's business.
    flags = [word.partition("=")[0] for word in sys.argv[1:] if word.startswith("--")]
    return " ".join([os.path.basename(sys.argv[0]), *flags])


def claim(
    console: Console, arguments, asked: Request, connection: Connection, ledger, plans: bool = True
) -> list[store.Decision]:
    """The ledger's Decision for each copy; raises Failure 27 where a cap or the ledger refuses.

    plans  whether a service that plans creates can plan this: without it nothing but the request is ever sent
    """
    provider = connection.provider
    caps = spending.standing_caps()
    if arguments.max_spend is not None:
        wanted = amounts.in_unit(arguments.max_spend, provider.unit, provider.units)
        caps.append(amounts.Cap(wanted, 0, "--max-spend"))
    if ledger is None:
        if caps:
            raise errors.Failure(
                "ledger_required",
                "a cap on spending is set, and without a ledger nothing can be counted",
                "guard",
                outcome="not_sent",
                retryable=False,
                guidance=["Set AI_MEDIA_HOME to a folder that can be written."],
            )
        return [store.Decision("buy", None)] * arguments.copies
    try:
        # A plan needs the files at the service, and they are brought only to buy.
        asks = plans and caps and provider.plan and not asked.attachments
        price = _planned_price(console, arguments, asked, connection) if asks else None
        wanted = orders(arguments, asked, connection, ledger, price or price_of(ledger, provider, asked))
    except store.Unusable as problem:
        raise entries.unusable(problem) from None
    patience, left = arguments.sse_request_timeout + entries.PATIENCE, time_left(arguments.deadline)
    if left is not None:
        patience = min(patience, left)
    return entries.claim(
        ledger,
        wanted,
        caps,
        patience,
        began_at=_began_at(),
        allow_duplicate=arguments.allow_duplicate,
        retry_unknown=arguments.retry_unknown,
        accept_unknown_cost=arguments.accept_unknown_cost,
    )


def _planned_price(console: Console, arguments, asked: Request, connection: Connection) -> amounts.Price | None:
    """The price of the service's own plan; None where it tells none."""
    # Without the service's own guard, which would refuse in place of telling the price.
    answer = service_plan(console, arguments, asked, connection, {})
    if isinstance(answer, transport.Lost) or not 200 <= answer.status < 300:
        return None
    cost = connection.provider.planned_cost(providers.read_json(answer.content)[0])
    return amounts.Price(cost, "service") if cost else None


def spent(ledger: store.Ledger | None, decisions: list[store.Decision]) -> list[amounts.Amount]:
    """What the jobs that this command bought have cost, as far as it was told; one Amount a unit."""
    sums: dict[str, int] = {}
    for decision in decisions:
        entry = ledger and decision.word == "buy" and ledger.find(decision.entry.key)
        if entry and entry.cost is not None:
            sums[entry.cost_unit] = sums.get(entry.cost_unit, 0) + entry.cost
    return [amounts.Amount(micro, unit) for unit, micro in sorted(sums.items())]


# The two figures of the system that tell when a process was started are each cut to hundredths of a second.
_TICKS_APART = 0.1


def _began_at() -> float:
    """When this process was started, in seconds since the epoch, never too early.

    Too early would take a job that was delivered just before for one that this command was to share.
    """
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/uptime", encoding="ascii") as file:
            uptime = float(file.read().split()[0])
        return time.time() - (uptime - ticks / os.sysconf("SC_CLK_TCK")) + _TICKS_APART
    except (OSError, ValueError, IndexError):
        return time.time() - time.process_time()


def ready(
    console: Console, arguments, asked: Request, connection: Connection, ledger, decisions: list
) -> uploads.Ready:
    """The inputs at their service, where something is bought; raises Failure, and then nothing is."""
    if all(decision.word != "buy" for decision in decisions):
        return uploads.Ready(asked.payload, None, 0.0, [])
    return uploads.fulfil(console, arguments, asked, connection, ledger)


def jobs(
    arguments, asked: Request, connection: Connection, terms, ledger, decisions: list, sent: uploads.Ready
) -> list:
    """For each Decision a callable (console) -> exit code; `sent` is what is sent of a request that is bought."""
    common = {
        "model": asked.model,
        "output_dir": arguments.output_dir,
        "saving": options.saving(arguments),
        "trace": arguments.trace,
    }

    def job(decision: store.Decision):
        def run(console: Console) -> int:
            writer = entries.Writer(console, ledger, decision.entry)
            if decision.word == "resume":
                return _resume(console, connection, terms, decision.entry, writer, asked.warnings, **common)
            if decision.word == "unknown":
                failure = entries.duplicate_unknown(decision.entry, connection.provider.looking_guidance)
                return _reconcile(
                    console, connection, terms, writer, asked.path, _noted(asked), decision.entry, failure, **common
                )
            beside = _beside(decision.entry) if decision.entry else sent_with(arguments, asked, connection.provider)
            own_terms = terms
            if sent.body:
                # Nobody can tell from a list of jobs which file another one was given.
                own_terms = replace(terms, sending_time=sent.seconds, reconciles=False)
            buying = runner.Runner(
                console, connection, own_terms, path=asked.path, payload=sent.payload, body=sent.body, noted=_noted(asked),
                sent_with=beside, warnings=asked.warnings, writer=writer, **common,
            )  # fmt: skip
            return buying.run()

        return run

    return [job(decision) for decision in decisions]


def _beside(entry: store.Entry) -> dict:
    return json.loads(entry.sent_with) if entry.sent_with else {}


def _resume(console, connection, terms, entry, writer, warnings=(), **common) -> int:
    lifetime = connection.provider.result_lifetime
    warnings = list(warnings)
    if lifetime and entry.accepted_at and time.time() - entry.accepted_at > lifetime:
        warnings.append(("result_expired", "the service keeps results for a time that is over for this job"))
    reason = "delivered_meanwhile" if entry.delivered_at else "undelivered"
    resumed = runner.Runner(
        console, connection, replace(terms, stream=False), generation_id=entry.generation_id, warnings=warnings,
        writer=writer, resumes=(reason, " ".join(["This job is paid for already.", *entries.another()])), **common,
    )  # fmt: skip
    return resumed.run()


def _reconcile(console, connection, terms, writer, path, payload: dict | None, entry, failure, **common) -> int:
    """Ask the service what became of it: by its list, or by sending the same under the same idempotency key."""
    provider = connection.provider
    left, why_not = _time_for_key(connection, writer.ledger, entry)
    if left and payload is None:
        why_not = f"What was asked for was not kept: the same command again finds out, for {left:.0f} s more."
    payload = uploads.recall(connection, writer.ledger, payload)
    if payload is None or not (provider.lists_running or left):
        failure.fields["guidance"][:0] = [why_not] if why_not else []
        raise failure
    looking = runner.Runner(
        console, connection, replace(terms, stream=False, repeats_for=left), path=path if left else None,
        payload=payload, sent_with=_beside(entry), writer=writer, unresolved=failure, **common,
    )  # fmt: skip
    return looking.run()


def _time_for_key(connection: Connection, ledger: store.Ledger, entry: store.Entry) -> tuple[float, str]:
    """`(seconds, "")` for which a create may be sent again under its idempotency key, or `(0.0, why it may not)`."""
    rules = connection.provider.idempotency
    if rules is None:
        return 0.0, ""
    try:
        account = ledger.account(connection.key.value if connection.key else None)
    except store.Unusable as problem:
        raise entries.unusable(problem) from None
    left = entry.created_at + rules["seconds"] - time.time()
    reasons = (
        (
            rules["field"] not in _beside(entry),
            "Its idempotency key is not used again: the service's error forbids it.",
        ),
        (entry.closed, "It was given up for another purchase: sent again, it could be bought after all."),
        # One account's idempotency key is nothing to another account, nor to another address.
        (entry.account != account, "It was sent with another key of the service: only that one can find out."),
        (entry.origin != connection.origin, "It was sent to another address: only that one can find out."),
        # More time than there ever was is a clock that was set back.
        (
            not 0 < left <= rules["seconds"],
            f"Its idempotency key is used for {rules['seconds']:g} s only; that time is over.",
        ),
    )
    why_not = next((words for stands, words in reasons if stands), "")
    return (0.0 if why_not else left), why_not


# -- from the ledger ---------------------------------------------------------------------------------


def resume(
    console: Console, connection: Connection, terms: lifecycle.Terms, ledger, entry: store.Entry, **common
) -> int:
    """Go on with a job that has an id; returns the exit code."""
    writer = entries.Writer(console, ledger, entry)
    return _resume(console, connection, terms, entry, writer, model=entry.model, **common)


def attach(console, connection, terms, ledger, entry: store.Entry, generation_id: str, **common) -> int:
    """Go on with a job under the id that a person has found; a wrong id changes nothing."""
    writer = entries.Writer(console, ledger, entry)
    writer.attached_by_hand = True
    found = runner.Runner(
        console, connection, terms, generation_id=generation_id, writer=writer, model=entry.model,
        resumes=("reconciled", "A person has found this job."), **common,
    )  # fmt: skip
    return found.run()


def reconcile(console: Console, connection: Connection, terms: lifecycle.Terms, ledger, entry, **common) -> int:
    """Find out what became of a job whose outcome is unknown, and go on with it; raises Failure 12 if nobody knows."""
    failure = errors.Failure(
        "outcome_unknown",
        "it is still not known whether this request was accepted",
        "outcome_unknown",
        outcome="unknown",
        retryable=False,
        job=entry.key,
        guidance=entries.by_hand(entry, connection.provider.looking_guidance),
    )
    payload = json.loads(entry.payload) if entry.payload else None
    writer = entries.Writer(console, ledger, entry)
    path = connection.provider.create_path(entry.model, False, fields=payload or ())
    return _reconcile(console, connection, terms, writer, path, payload, entry, failure, model=entry.model, **common)
