#!/usr/bin/env python3
# /// script
# requires-python = ">=3.9"
# dependencies = [
#   "requests>=2.32,<3",
#   "urllib3>=2.6,<3",
#   "jsonschema>=4.18,<5",
#   "python-dotenv>=1.0,<2",
#   "PyYAML>=6.0,<7",
#   "Pillow>=10.1,<13",
# ]
# ///
"""Look at, go on with and settle the jobs that were bought. Nothing here ever buys.

list       newest first              show JOB       everything that is known of one
resume     JOB or --all-undelivered  reconcile      JOB or --all-unknown
download   JOB, also once more       spend          by day, service and model
cancel JOB where the service can     forget         JOB or --older-than DAYS
gallery    a page of the results in --output-dir

JOB is a key such as job_0123456789abcdef, or the id that the service gave.
"""

import os
import sys

sys.dont_write_bytecode = True  # nothing is written into this folder; start decides where bytecode goes
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # not there with -I, -P and PYTHONSAFEPATH
from mediakit.base import start

start.begin()

from mediakit.base.times import rfc3339
from mediakit.console import Parser, run

EXAMPLES = """\
  jobs.py list --limit 5
  jobs.py spend
  jobs.py resume --all-undelivered --output-dir out
  jobs.py download job_0123456789abcdef --output-dir out
  jobs.py reconcile job_0123456789abcdef --attach gen_7f31
  jobs.py gallery --output-dir out
  jobs.py forget --older-than 30"""

# action -> the flag that stands for many jobs
ACTIONS = {
    "list": None,
    "show": None,
    "resume": "all_undelivered",
    "download": None,
    "reconcile": "all_unknown",
    "cancel": None,
    "spend": None,
    "forget": "older_than",
    "gallery": None,
}
WITHOUT_JOB = ("list", "spend", "gallery")
# Those that ask a service.
ASKING = ("resume", "download", "reconcile", "cancel")


def build_parser():
    from mediakit.console.flags import one_of, seconds, whole
    from mediakit.jobs import flags

    parser = Parser(__doc__, EXAMPLES)
    parser.add_argument("action", nargs="?", type=one_of(*ACTIONS), metavar="ACTION", help=", ".join(ACTIONS))
    parser.add_argument("job", nargs="?", metavar="JOB", help="its key, or the id that the service gave")
    parser.add_argument("--all-undelivered", action="store_true", help="resume every job that has an id")
    parser.add_argument("--all-unknown", action="store_true", help="reconcile every job of unknown outcome")
    parser.add_argument(
        "--accept-unverified", action="store_true", help="download: take files as they are, also where they look broken"
    )
    parser.add_argument("--attach", metavar="ID", help="reconcile: the id that you found")
    parser.add_argument("--older-than", type=seconds(), metavar="DAYS", help="forget what is settled and older")
    parser.add_argument(
        "--outcome", type=one_of(*OUTCOMES), metavar="{" + ",".join(OUTCOMES) + "}", help="list: only these"
    )
    parser.add_argument("--undelivered", action="store_true", help="list: only what is open")
    parser.add_argument("--limit", type=whole(1, 1000), default=20, metavar="N", help="list: at most, default 20")
    flags.add_connection_flags(parser)
    flags.add_waiting_flags(parser)
    flags.add_reading_flags(parser)
    return parser


OUTCOMES = ("not_sent", "rejected", "accepted", "unknown", "under_way")


def main(console, given):
    from mediakit.ledger import entries, fallbacks, store

    _check(given)
    if given.action == "gallery":  # about files; it needs no ledger
        return _gallery(console, given)
    ledger = fallbacks.open_ledger(console, required=True)
    actions = {
        "list": _list, "show": _show, "resume": _resume, "download": _download, "reconcile": _reconcile,
        "cancel": _cancel, "spend": _spend, "forget": _forget,
    }  # fmt: skip
    try:
        return actions[given.action](console, given, ledger)
    except store.Unusable as problem:
        unusable = entries.unusable(problem)
    raise unusable


def _check(given):
    from mediakit.base.errors import bad_argument

    if given.action is None:
        raise bad_argument("ACTION", "expected one of {}".format(", ".join(ACTIONS)))
    many = ACTIONS[given.action]
    for flag in filter(None, ACTIONS.values()):
        if _is_given(given, flag) and flag != many:
            raise bad_argument("--" + flag.replace("_", "-"), "does not go with {}".format(given.action))
    takes_many = many is not None and _is_given(given, many)
    if given.action in WITHOUT_JOB or takes_many:
        if given.job is not None:
            raise bad_argument("JOB", "expected without a job" if takes_many else "{} takes none".format(given.action))
    elif given.job is None:
        raise bad_argument("JOB", "expected a key such as job_0123456789abcdef, or the service's id")
    if takes_many and given.key_stdin:
        raise bad_argument("--key-stdin", "expected with one job: a key is for one service")
    if given.accept_unverified and given.action != "download":
        raise bad_argument("--accept-unverified", "expected with download")
    if given.attach is not None and (given.action != "reconcile" or takes_many):
        raise bad_argument("--attach", "expected with reconcile and one job")


def _is_given(given, flag):
    value = getattr(given, flag)
    return value is not None and value is not False  # 0 days are given


def _found(given, ledger):
    from mediakit.base import errors

    # Two services can give the same id: the one that is named counts.
    entry = ledger.find(given.job, given.provider) or ledger.find(given.job)
    if entry is None:
        raise errors.Failure(
            "job_not_found",
            "the ledger has no such job",
            "not_found",
            retryable=False,
            guidance=["See what there is with jobs.py list."],
        )
    if given.provider not in (None, entry.service):
        raise errors.bad_argument("--provider", "expected {}, where this job is, or none".format(entry.service))
    return entry


# -- looking -------------------------------------------------------------------------------------------


def _list(console, given, ledger):
    equal = {"service": given.provider} if given.provider else {}
    shown = 0
    for entry in ledger.newest(10 * given.limit if given.outcome or given.undelivered else given.limit, **equal):
        row = _row(ledger, entry)
        wanted = given.outcome in (None, row["outcome"]) and not (given.undelivered and not row["open"])
        if wanted and shown < given.limit:
            shown += 1
            console.emit("job", **row)
    return console.result("jobs", 0, jobs=shown, known=ledger.count(**equal))


def _show(console, given, ledger):
    import json

    entry = _found(given, ledger)
    changes = [{"time": rfc3339(at), "what": what} for at, what in ledger.changes(entry.key)]
    payload = json.loads(entry.payload) if entry.payload else None
    row = dict(_row(ledger, entry), origin=entry.origin, payload=payload, command=entry.command or None)
    row["changes"] = changes
    row["assets_saved"] = json.loads(entry.paths) if entry.paths else None
    row["usage"] = json.loads(entry.usage) if entry.usage else None
    return console.result("job", 0, **row)


def _row(ledger, entry):
    """What one line tells of a job."""
    from mediakit.base import amounts

    def amount(micro, unit):
        return amounts.Amount(micro, unit).shown if micro is not None else None

    outcome = ledger.outcome_of(entry)
    return {
        "job": entry.key,
        "created_at": rfc3339(entry.created_at),
        "provider": entry.service,
        "model": entry.model,
        "intent": entry.intent,
        "copy": entry.copy if entry.copy > 1 else None,
        "outcome": outcome,
        "generation_id": entry.generation_id,
        "status": entry.status,
        "state": entry.state,
        "delivered": entry.delivered_at is not None,
        "open": entry.delivered_at is None and entry.closed is None and outcome in ("accepted", "unknown", "under_way"),
        "closed": entry.closed,
        "last_exit_code": entry.exit_code,
        "cost": amount(entry.cost, entry.cost_unit),
        "reserved": amount(entry.reserved, entry.reserved_unit) if entry.cost is None else None,
    }


def _spend(console, given, ledger):
    from mediakit.base import amounts

    rows = ledger.totals()
    for day, service, model, practice, unit, jobs, measured, estimated, unknown in rows[:1000]:
        if given.provider in (None, service):
            console.emit(
                "spent",
                day=day,
                provider=service,
                model=model,
                practice=bool(practice),
                jobs=jobs,
                measured=amounts.Amount(measured, unit).shown if measured else None,
                estimated=amounts.Amount(estimated, unit).shown if estimated else None,
                jobs_of_unknown_cost=unknown,
            )
    return console.result("spend", 0, rows=min(len(rows), 1000), rows_omitted=max(len(rows) - 1000, 0) or None)


def _gallery(console, given):
    from mediakit.jobs import existing, flags
    from mediakit.provenance import gallery

    path, files, omitted = gallery.write(existing.into(".", flags.saving(given)).folder)
    return console.result("gallery", 0, path=path, files=files, omitted=omitted or None)


# -- going on ------------------------------------------------------------------------------------------


def _resume(console, given, ledger):
    found = [_found(given, ledger)] if given.job else _open(given, ledger, "accepted")
    return _go_on(console, given, ledger, found)


def _download(console, given, ledger):
    """Like resume, but for delivered jobs as well, and always into a folder."""
    entry = _found(given, ledger)
    return _go_on(console, given, ledger, [entry], entry.output_dir or ".")


def _reconcile(console, given, ledger):
    from mediakit.jobs import existing, flags

    if given.attach is None:
        found = [_found(given, ledger)] if given.job else _open(given, ledger, "unknown")
        return _go_on(console, given, ledger, found)
    return existing.attach(
        console, ledger, _found(given, ledger), given.attach,
        flags.connection(given), flags.existing_wait_policy(given), flags.saving(given),
    )  # fmt: skip


def _open(given, ledger, outcome):
    of_service = [entry for entry in ledger.open_jobs() if given.provider in (None, entry.service)]
    return [entry for entry in of_service if ledger.outcome_of(entry) == outcome]


def _go_on(console, given, ledger, found, folder=None):
    from mediakit.jobs import existing, flags

    saving = existing.into(folder, flags.saving(given))
    return existing.go_on(console, ledger, found, flags.connection(given), flags.existing_wait_policy(given), saving)


# -- settling ------------------------------------------------------------------------------------------


def _cancel(console, given, ledger):
    from mediakit.base import errors
    from mediakit.services import providers

    entry = _found(given, ledger)
    provider = providers.load(entry.service)
    raise errors.Failure(
        "cannot_cancel",
        "{} has no documented way to cancel a job; it runs on and is paid for".format(provider.title),
        "validation",
        retryable=False,
        job=entry.key,
        generation_id=entry.generation_id or None,
        guidance=provider.looking_guidance,
    )


def _forget(console, given, ledger):
    import time

    from mediakit.base import amounts
    from mediakit.ledger import entries

    if given.job:
        jobs = [_found(given, ledger)]
        if ledger.outcome_of(jobs[0]) == "under_way":
            raise entries.under_way(jobs[0])
    else:
        jobs = ledger.settled_before(time.time() - given.older_than * amounts.DAY)
    for entry in jobs:
        ledger.forget(entry.key)
    return console.result("forgotten", 0, jobs=len(jobs), message="What they cost stays counted.")


if __name__ == "__main__":
    run("jobs.py", build_parser, main, lambda given: given.action in ASKING)
