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
"""Say which services are ready to use, what is missing, and what to run next.

Nothing is sent, except with --online or where --persist-key replaces a key, and then only reads. Nothing is bought.
"""

import os
import sys

sys.dont_write_bytecode = True  # nothing is written into this folder; start decides where bytecode goes
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # not there with -I, -P and PYTHONSAFEPATH
from mediakit.base import start

start.begin()

from mediakit.base.text import plain
from mediakit.console import Parser, run
from mediakit.console.commands import command_line

EXAMPLES = """\
  preflight.py
  preflight.py --provider skills-video --online
  preflight.py --provider skills-video --persist-key < key.txt"""


def build_parser():
    from mediakit.console.flags import one_of
    from mediakit.services import providers

    names = providers.names()
    parser = Parser(__doc__, EXAMPLES)
    parser.add_argument(
        "--provider", type=one_of(*names), metavar="{{{}}}".format(",".join(names)), help="default: all"
    )
    parser.add_argument("--base-url", metavar="URL", help="another address of the service, for --online")
    parser.add_argument("--trust-base-url", action="store_true", help="send the key to the host of --base-url")
    parser.add_argument("--online", action="store_true", help="also ask the service: is the key valid, what is left")
    parser.add_argument("--persist-key", action="store_true", help="keep the key that comes on standard input")
    parser.add_argument("--no-check", action="store_true", help="replace a kept key without asking the service first")
    parser.add_argument("--json", action="store_true", help="accepted; it is the only format")
    return parser


def main(console, arguments):
    from mediakit.services import providers

    _check(arguments)
    if arguments.persist_key:
        _persist_key(console, arguments, providers.load(arguments.provider))
    # Without --provider the sandbox does not count: its pictures are not what is asked for.
    asked_for = [arguments.provider] if arguments.provider else providers.names()
    asked_for = [providers.load(name) for name in asked_for]
    reports = [_report(console, arguments, provider) for provider in asked_for]
    counted = [report for report, provider in zip(reports, asked_for) if arguments.provider or not provider.embedded]
    ready = [report for report in counted if report["ready"]]
    next_provider = ready[0]["provider"] if ready else providers.names()[-1]
    guide = _what_next(arguments, counted, providers.load(next_provider))
    return console.result("preflight", 0 if ready else 21, ready=bool(ready), providers=reports, **guide)


def _check(arguments):
    from mediakit.base import errors

    if arguments.persist_key and not arguments.provider:
        raise errors.bad_argument("--persist-key", "expected with one --provider, to say whose key it is")
    asks = arguments.online or arguments.persist_key
    if arguments.base_url is not None and not (asks and arguments.provider):
        raise errors.bad_argument("--base-url", "expected with --online or --persist-key, and one --provider")
    if arguments.no_check and (arguments.online or not arguments.persist_key):
        raise errors.bad_argument("--no-check", "expected with --persist-key and without --online")


def _persist_key(console, arguments, provider):
    """Keep the key on standard input. One that would take the place of another is tried first."""
    from mediakit.base import errors
    from mediakit.services import keys

    if provider.key is None:
        raise errors.bad_argument("--provider", "expected a service with a key; {} needs none".format(provider.title))
    value = keys.read_stdin("--persist-key")
    console.redactor.protect(value)
    variable = provider.key["variable"]
    replaces = keys.stored(variable) not in (None, "", value)
    if arguments.online or (replaces and not arguments.no_check):
        _try_new_key(console, arguments, provider, keys.Key(value, "standard input"), replaces)
    try:
        keys.persist(variable, value)
    except OSError as problem:
        raise errors.bad_argument("--persist-key", "the user's store cannot be written: {}".format(problem.strerror))
    used = keys.find(provider.key)
    if used and used.value != value:
        console.warning("key_hidden", "{} has another key, which is used instead of the stored one".format(used.source))


def _try_new_key(console, arguments, provider, key, replaces):
    """Raise Failure where the service refuses the key, or cannot be asked and another would be lost."""
    from mediakit.base import errors
    from mediakit.jobs import standing

    if standing.check_path(provider) is None:
        return None
    found, _ = standing.standing(console, _connection(arguments, provider, key), standing.check_path(provider))
    if found.accepted:
        return None
    kept = "the key that was stored before is kept" if replaces else "nothing was stored"
    common = {"http_status": found.http_status, "trace_id": found.trace_id, "outcome": "not_sent"}
    common = {name: value for name, value in common.items() if value is not None}
    if found.accepted is False:
        words = "{} does not take the new key ({}); {}".format(provider.title, found.message, kept)
        common.update(retryable=False, guidance=provider.guidance("auth"))
        raise errors.Failure("api_key_refused", words, "auth", **common)
    words = "{} could not be asked about the new key ({})".format(provider.title, found.message)
    if not replaces:
        return console.warning("key_not_checked", "{}; it is stored all the same".format(words))
    guidance = ["Run the same again later, or with --no-check to replace the stored key unseen."]
    common.update(retryable=True, guidance=guidance)
    raise errors.Failure("key_not_checked", "{}; {}".format(words, kept), found.category or "transient", **common)


def _connection(arguments, provider, key):
    from mediakit.http import transport
    from mediakit.jobs.connection import Connection

    base_url = transport.resolve_base_url(arguments.base_url, provider.base_url, arguments.trust_base_url)
    return Connection(provider, base_url, key)


def _report(console, arguments, provider):
    """What is known about one service without asking it, and with --online what it says."""
    from mediakit.services import keys

    found, cli = _program(arguments, provider)
    login = found.saved_login if found else lambda: None
    key = keys.find(provider.key, login=login) if provider.key else None
    ready = provider.key is None or key is not None
    report = {
        "provider": provider.name,
        "ready": ready,
        "key_found": key is not None if provider.key else None,
        "key_source": key.source if key else None,
    }
    report.update(cli)
    report["recommended_mode"] = ("cli" if found else "rest") if ready else "none"
    report["missing"] = [] if ready else [provider.key["variable"]]
    report["setup"] = None if ready else provider.key_guidance
    if key and key.value is not None:
        console.redactor.protect(key.value)
        if arguments.online:
            report.update(_asked(console, arguments, provider, key))
    if found and arguments.online:
        report.update(_diagnosed(console, report, found, key))
    return {name: value for name, value in report.items() if value is not None}


def _program(arguments, provider):
    """The service's own program, where it can be used, and what is to be said about it."""
    if provider.cli is None:
        return None, {"cli_available": False}
    from mediakit.http import process

    # Most machines do not have it, and all else about it takes long to import.
    path, problem = process.locate(provider.cli["program"], provider.cli["variable"])
    found = None
    if path:
        from mediakit.http import transport
        from mediakit.services import program

        base_url = transport.resolve_base_url(arguments.base_url, provider.base_url, arguments.trust_base_url)
        found, problem = program.look_for(provider, base_url)
        problem = found.check() if found else problem
    if problem:
        return None, {
            "cli_available": False,
            "cli_problem": plain(problem),
            "cli_install": provider.cli["install"],
        }
    version = plain(found.version() or "unknown")
    told = {"cli_available": True, "cli_source": found.source, "cli_version": version}
    if found.misses_proxy:
        problem = "{} does not go through the proxy that the environment names".format(found.name)
        return None, dict(told, cli_problem=problem)
    return found, dict(told, cli_doctor="not_run")


def _diagnosed(console, report, found, key):
    """What the program's own check says; where it fails and the service takes the key all the same, REST is left."""
    told = found.doctor(key)
    told["cli_checks"] = [
        {name: console.plain(value) if isinstance(value, str) else value for name, value in check.items()}
        for check in told["cli_checks"]
    ]
    if told["cli_doctor"] == "passed" or not report["ready"]:
        return told
    if key.value is not None and report["online"]["ok"]:
        return dict(told, recommended_mode="rest")
    missing = ["a check that {} passes".format(found.name)]
    return dict(told, ready=False, recommended_mode="none", missing=missing)


def _asked(console, arguments, provider, key):
    """Whether the service takes the key, and what is left on the account, as far as it tells."""
    from mediakit.jobs import standing

    path = standing.check_path(provider)
    if path is None:
        return {}
    connection = _connection(arguments, provider, key)
    found, body = standing.standing(console, connection, path)
    if found.accepted is False:
        return {
            "ready": False,
            "recommended_mode": "none",
            "missing": ["a key that {} accepts".format(provider.title)],
            "online": _told(found),
        }
    if found.accepted and provider.balance_path not in (None, path):
        found, body = standing.standing(console, connection, provider.balance_path)
    told = {"online": _told(found)}
    if told["online"]["ok"]:
        told["balance"] = provider.left(body) or standing.bounded(body).get("answer")
    return told


def _told(found):
    """A Standing as the report tells it."""
    from dataclasses import asdict

    told = dict({"ok": bool(found.accepted and found.category is None)}, **asdict(found))
    return {name: value for name, value in told.items() if value is not None and name != "accepted"}


def _what_next(arguments, counted, provider):
    """The state, the command to run next with its effect, and how to go on without spending.

    key_required      no service can be used yet: the command tries the sandbox
    credits_required  the service says that credits are missing, or that none are left
    ready             jobs that are paid for wait to be delivered: the command runs as it is
    prompt_required   the command reads the prompt from standard input: a command holds none
    """
    from mediakit.services import providers

    ready = [report for report in counted if report["ready"]]
    open_jobs = _undelivered([report["provider"] for report in ready])
    if open_jobs:
        # Jobs of a service that has no key now would only fail.
        only = ["--provider", ready[0]["provider"]] if len(ready) == 1 else []
        going_on = command_line("jobs.py", "resume", "--all-undelivered", *only)
        return dict({"state": "ready", "undelivered_jobs": open_jobs}, **dict(going_on, effect="no_spend"))
    state = "prompt_required" if ready else "key_required"
    if ready and all(map(_lacks_credits, ready)):
        state = "credits_required"
    found = dict({"state": state}, **_create_with(provider, *_address(arguments, provider)))
    if found["effect"] == "spends":
        found["alternative"] = _create_with(providers.load(providers.names()[-1]))
    return found


def _lacks_credits(report):
    """Whether the service has said so, in words or by a balance of nothing in a documented shape."""
    balance = report.get("balance")
    is_empty = isinstance(balance, dict) and "unit" in balance and balance.get("amount") == 0
    return is_empty or report.get("online", {}).get("category") == "insufficient_credits"


def _undelivered(services):
    import os

    from mediakit.base import paths

    folder, _ = paths.state_folder()
    if not services or folder is None or not os.path.exists(os.path.join(folder, paths.LEDGER)):
        return 0  # and nothing is imported that could tell more
    from mediakit.ledger import fallbacks

    return fallbacks.undelivered(services)


def _address(arguments, provider):
    """The flags that lead to the address that was asked about, and not to another one that charges."""
    if arguments.base_url is None or provider.name != arguments.provider:
        return []
    from mediakit.http import transport

    there = transport.resolve_base_url(arguments.base_url, provider.base_url, arguments.trust_base_url)
    return ["--base-url", there] + (["--trust-base-url"] if arguments.trust_base_url else [])


def _create_with(provider, *address):
    argv = ["--provider", provider.name] + list(address)
    argv += ["--task", "t2i", "--prompt-file", "-", "--output-dir", "out"]
    return dict(command_line("create_and_wait.py", *argv), effect="no_spend" if provider.embedded else "spends")


if __name__ == "__main__":
    run("preflight.py", build_parser, main, lambda arguments: arguments.online or arguments.persist_key)
