#!/usr/bin/env python3
# /// script
# requires-python = ">=3.9"
# dependencies = [
#   "requests>=2.32,<3",
#   "urllib3>=2.6,<3",
#   "python-dotenv>=1.0,<2",
#   "PyYAML>=6.0,<7",
#   "Pillow>=10.1,<13",
#   "jsonschema>=4.18,<5",
# ]
# ///
"""Look at, go on with and settle the jobs that were bought. Nothing here ever buys.

list       newest first              show JOB       everything that is known of one
resume     JOB or --all-undelivered  reconcile      JOB or --all-unknown
download   JOB, also once more       spend          by day, service and model, all or --since
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

from mediakit.console import Parser, run

EXAMPLES = """\
  jobs.py list --limit 5
  jobs.py spend
  jobs.py resume --all-undelivered --output-dir out
  jobs.py download job_0123456789abcdef --output-dir out
  jobs.py reconcile job_0123456789abcdef --attach gen_7f31
  jobs.py cancel job_0123456789abcdef
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
    parser.add_argument(
        "job", nargs="?", metavar="JOB", help="its key, or the id that the service gave; of a file it owns, too"
    )
    parser.add_argument("--all-undelivered", action="store_true", help="resume every job that has an id")
    parser.add_argument("--all-unknown", action="store_true", help="reconcile every job of unknown outcome")
    parser.add_argument(
        "--accept-unverified", action="store_true", help="download: take files as they are, also where they look broken"
    )
    parser.add_argument("--attach", metavar="ID", help="reconcile: the id that you found")
    parser.add_argument("--accept-loss", action="store_true", help="forget: also what is paid for and not delivered")
    parser.add_argument("--since", metavar="TIME", help="spend: from then on, such as 7d, 12h or 2026-01-31")
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
    from mediakit.ledger import fallbacks, store

    _check(given)
    if given.action == "gallery":  # about files; it needs no ledger
        return _gallery(console, given)
    ledgers = fallbacks.open_to_look(console)
    actions = {
        "list": _list, "show": _show, "resume": _resume, "download": _download, "reconcile": _reconcile,
        "cancel": _cancel, "spend": _spend, "forget": _forget,
    }  # fmt: skip
    try:
        return actions[given.action](console, given, ledgers)
    except store.Unusable as problem:
        unusable = problem.failure()
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
    if given.since is not None and given.action != "spend":
        raise bad_argument("--since", "expected with spend")
    if given.accept_loss and (given.action != "forget" or takes_many):
        raise bad_argument("--accept-loss", "expected with forget and one job")
    if given.attach is not None and (given.action != "reconcile" or takes_many):
        raise bad_argument("--attach", "expected with reconcile and one job")


def _is_given(given, flag):
    value = getattr(given, flag)
    return value is not None and value is not False  # 0 days are given


def _found(given, ledgers):
    from mediakit.jobs import listing

    return listing.found(ledgers, given.job, given.provider)


# -- looking -------------------------------------------------------------------------------------------


def _list(console, given, ledgers):
    from mediakit.jobs import listing

    return listing.list_jobs(console, ledgers, given.provider, given.outcome, given.undelivered, given.limit)


def _show(console, given, ledgers):
    from mediakit.jobs import listing

    return listing.show_job(console, ledgers, _found(given, ledgers))


def _spend(console, given, ledgers):
    import time

    from mediakit.jobs import listing

    begin = None if given.since is None else listing.since("--since", given.since, time.time())
    return listing.show_spending(console, ledgers, given.provider, begin)


def _gallery(console, given):
    from mediakit.jobs import existing, flags
    from mediakit.provenance import gallery

    path, files, omitted = gallery.write(existing.into(".", flags.saving(given)).folder)
    return console.result("gallery", 0, path=path, files=files, omitted=omitted or None)


# -- going on ------------------------------------------------------------------------------------------


def _resume(console, given, ledgers):
    return _go_on(console, given, ledgers, "accepted")


def _download(console, given, ledgers):
    """Like resume, but for delivered jobs as well, and always into a folder; a file that the account owns, too."""
    from mediakit.jobs import flags, owned

    file = (
        owned.found(given.job, given.provider, given.speaks)
        if ledgers.find(given.job, given.provider) is None
        else None
    )
    if file:
        return owned.fetch(console, file, flags.connection(given), given.output_dir or ".")
    from mediakit.base import paths

    return _go_on(console, given, ledgers, None, paths.for_results("."))


def _reconcile(console, given, ledgers):
    from mediakit.jobs import existing, flags

    if given.attach is None:
        return _go_on(console, given, ledgers, "unknown")
    found = _found(given, ledgers)
    return existing.attach(
        console, found.ledger, found.entry, given.attach,
        flags.connection(given), flags.existing_wait_policy(given), flags.saving(given),
    )  # fmt: skip


def _go_on(console, given, ledgers, outcome, folder=None):
    """Go on with the job that was named, else with every open one of this outcome."""
    from mediakit.jobs import existing, flags, listing

    if given.job:
        found = [_found(given, ledgers)]
        folder = folder and (found[0].entry.output_dir or folder)
    else:
        found = listing.unfinished(ledgers, outcome, given.provider)
    saving = existing.into(folder, flags.saving(given))
    return existing.go_on(console, found, flags.connection(given), flags.existing_wait_policy(given), saving)


# -- settling ------------------------------------------------------------------------------------------


def _cancel(console, given, ledgers):
    from mediakit.jobs import canceling, flags

    return canceling.cancel(console, _found(given, ledgers), flags.connection(given))


def _forget(console, given, ledgers):
    from mediakit.jobs import listing

    found = _found(given, ledgers) if given.job else None
    return listing.forget(console, ledgers, found, given.older_than, given.accept_loss)


if __name__ == "__main__":
    run("jobs.py", build_parser, main, lambda given: given.action in ASKING)
