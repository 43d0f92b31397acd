"""From a checked request, or from an entry of the ledger, to a job that runs.

orders      what a command wants to buy
claim       what the ledger makes of it: a Decision for each
jobs        one callable (console) -> exit code for each Decision
resume      the same for a job that is in the ledger already
reconcile   the same for one whose outcome is unknown
attach      the same for one whose id a person has found
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace

from . import errors, journal, ledger, lifecycle, options, providers, runner, spending
from .console import Console
from .options import Connection
from .request import Request


def price_of(book: ledger.Ledger | None, provider: providers.Provider, asked: Request) -> spending.Price | None:
    """What one such job costs, as the catalogue states it, else as the ledger remembers; None if unknown."""
    from . import catalogue

    if provider.speaks in catalogue.services():
        entry = next((entry for entry in catalogue.models(provider.speaks) if entry["model"] == asked.model), None)
        stated = spending.catalogue_price(entry, asked.payload)
        if stated:
            return stated
    return book.estimate(provider.name, asked.model) if book else None


def orders(arguments, asked: Request, connection: Connection, book: ledger.Ledger) -> list[ledger.Order]:
    """One order for each of --copies."""
    provider = connection.provider
    origin = connection.origin
    # The stream of a model and its plain answer are one purchase.
    request = spending.digest([provider.name, origin, asked.model or asked.path, asked.payload])
    common = {
        "request": request,
        "service": provider.name,
        "origin": origin,
        "practice": int(provider.embedded),
        "account": book.account(connection.key.value if connection.key else None),
        "model": asked.model,
        "base_url": None if connection.embedded else connection.base_url,
        "output_dir": os.path.abspath(arguments.output_dir) if arguments.output_dir is not None else None,
        "intent": arguments.intent,
        "command": _flags_given(),
        "payload": None if arguments.no_store_payload else ledger.as_json(asked.payload),
        "price": price_of(book, provider, asked),
    }
    return [
        ledger.Order(fingerprint=spending.fingerprint(request, arguments.intent, copy), copy=copy, **common)
        for copy in range(1, arguments.copies + 1)
    ]


def _flags_given() -> str:
    # Their names only: a value can be a prompt, or a path that is nobody's business.
    flags = [word.partition("=")[0] for word in sys.argv[1:] if word.startswith("--")]
    return " ".join([os.path.basename(sys.argv[0]), *flags])


def claim(arguments, asked: Request, connection: Connection, book: ledger.Ledger | None) -> list[ledger.Decision]:
    """The ledger's Decision for each copy; raises Failure 27 where a cap or the ledger refuses."""
    caps = journal.standing_caps()
    if arguments.max_spend is not None:
        caps.append(spending.Cap(arguments.max_spend, 0, "--max-spend"))
    if book is None:
        if caps:
            raise errors.Failure(
                "ledger_required",
                "a cap on spending is set, and without a journal of purchases nothing can be counted",
                "guard",
                outcome="not_sent",
                retryable=False,
                guidance=["Set AI_MEDIA_HOME to a folder that can be written."],
            )
        return [ledger.Decision("buy", None)] * arguments.copies
    try:
        wanted = orders(arguments, asked, connection, book)
    except ledger.Unusable as problem:
        raise journal.unusable(problem) from None
    patience = arguments.sse_request_timeout
    if arguments.deadline is not None:
        patience = min(patience, arguments.deadline)
    return journal.claim(
        book,
        wanted,
        caps,
        patience,
        began_at=_began_at(),
        allow_duplicate=arguments.allow_duplicate,
        retry_unknown=arguments.retry_unknown,
        accept_unknown_cost=arguments.accept_unknown_cost,
    )


def spent(book: ledger.Ledger | None, decisions: list[ledger.Decision]) -> list[spending.Amount]:
    """What the jobs that this command bought have cost, as far as it was told; one Amount a unit."""
    sums: dict[str, int] = {}
    for decision in decisions:
        entry = book and decision.word == "buy" and book.find(decision.entry.key)
        if entry and entry.cost is not None:
            sums[entry.cost_unit] = sums.get(entry.cost_unit, 0) + entry.cost
    return [spending.Amount(micro, unit) for unit, micro in sorted(sums.items())]


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


def jobs(arguments, asked: Request, connection: Connection, terms, book, decisions: list) -> list:
    """For each Decision a callable (console) -> exit code."""
    common = {
        "model": asked.model,
        "output_dir": arguments.output_dir,
        "saving": options.saving(arguments),
        "trace": arguments.trace,
    }

    def job(decision: ledger.Decision):
        def run(console: Console) -> int:
            notes = journal.Journal(console, book, decision.entry)
            if decision.word == "resume":
                return _resume(console, connection, terms, decision.entry, notes, asked.warnings, **common)
            if decision.word == "unknown":
                failure = journal.duplicate_unknown(decision.entry, connection.provider.looking_guidance)
                return _reconcile(console, connection, terms, notes, asked.payload, failure, **common)
            buying = runner.Runner(
                console, connection, terms, path=asked.path, payload=asked.payload, warnings=asked.warnings,
                notes=notes, **common,
            )  # fmt: skip
            return buying.run()

        return run

    return [job(decision) for decision in decisions]


def _resume(console, connection, terms, entry, notes, warnings=(), **common) -> int:
    lifetime = connection.provider.result_lifetime
    warnings = list(warnings)
    if lifetime and entry.accepted_at and time.time() - entry.accepted_at > lifetime:
        warnings.append(("result_expired", "the service keeps results for a time that is over for this job"))
    reason = "delivered_meanwhile" if entry.delivered_at else "undelivered"
    resumed = runner.Runner(
        console, connection, replace(terms, stream=False), generation_id=entry.generation_id, warnings=warnings,
        notes=notes, resumes=(reason, " ".join(["This job is paid for already.", *journal.another()])), **common,
    )  # fmt: skip
    return resumed.run()


def _reconcile(console, connection, terms, notes, payload: dict | None, failure: errors.Failure, **common) -> int:
    if not connection.provider.lists_running or payload is None:
        raise failure
    looking = runner.Runner(
        console, connection, replace(terms, stream=False), payload=payload, notes=notes, unresolved=failure, **common
    )
    return looking.run()


# -- from the ledger ---------------------------------------------------------------------------------


def resume(
    console: Console, connection: Connection, terms: lifecycle.Terms, book, entry: ledger.Entry, **common
) -> int:
    """Go on with a job that has an id; returns the exit code."""
    notes = journal.Journal(console, book, entry)
    return _resume(console, connection, terms, entry, notes, model=entry.model, **common)


def attach(console, connection, terms, book, entry: ledger.Entry, generation_id: str, **common) -> int:
    """Go on with a job under the id that a person has found; a wrong id changes nothing."""
    notes = journal.Journal(console, book, entry)
    notes.attached_by_hand = True
    found = runner.Runner(
        console, connection, terms, generation_id=generation_id, notes=notes, model=entry.model,
        resumes=("reconciled", "A person has found this job."), **common,
    )  # fmt: skip
    return found.run()


def reconcile(console: Console, connection: Connection, terms: lifecycle.Terms, book, entry, **common) -> int:
    """Find out what became of a job whose outcome is unknown, and go on with it; raises Failure 12 if nobody knows."""
    import json

    failure = errors.Failure(
        "outcome_unknown",
        "it is still not known whether this request was accepted",
        "outcome_unknown",
        outcome="unknown",
        retryable=False,
        job=entry.key,
        guidance=journal.by_hand(entry, connection.provider.looking_guidance),
    )
    payload = json.loads(entry.payload) if entry.payload else None
    notes = journal.Journal(console, book, entry)
    return _reconcile(console, connection, terms, notes, payload, failure, model=entry.model, **common)
