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
"""Say what a service's HTTP error means and what to do about it.

The exit code is the category's: 20 to 25. Nothing is sent.
"""

import os
import sys

sys.dont_write_bytecode = True  # nothing is written into this folder; start decides where bytecode goes
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # not there with -I, -P and PYTHONSAFEPATH
from mediakit.base import start

start.begin()

from mediakit.console import Parser, run

EXAMPLES = """\
  handle_runtime_error.py --status 402 --body '{"message":"insufficient credits"}'
  handle_runtime_error.py --status 502 --body-file answer.html"""


def build_parser():
    from mediakit.services import providers

    names = providers.known()
    parser = Parser(__doc__, EXAMPLES)
    parser.add_argument("--status", type=_status, metavar="N", help="the HTTP status, 100 to 599")
    parser.add_argument("--body", metavar="TEXT", help="the answer's body, JSON or not")
    parser.add_argument("--body-file", metavar="PATH", help="a file with it; - for standard input")
    parser.add_argument(
        "--provider", type=providers.one_named(*names), metavar="{{{}}}".format(",".join(names)),
        help="whose answer it is; default: the only service with a key, else skills-video",
    )  # fmt: skip
    parser.add_argument("--base-url", metavar="URL", help="the service's address, for credits_check_command")
    parser.add_argument("--trust-base-url", action="store_true", help="name the key for the host of --base-url")
    parser.add_argument("--credits-endpoint", metavar="PATH", help="the path of the balance below it")
    return parser


def _status(text):
    import argparse

    if not (text.isdecimal() and 100 <= int(text) <= 599):
        raise argparse.ArgumentTypeError("expected an HTTP status from 100 to 599")
    return int(text)


def main(console, arguments):
    from mediakit.base import errors
    from mediakit.http.documents import read_json
    from mediakit.services import providers

    provider = providers.load(arguments.provider or _only_service() or "skills-video")
    body, words = read_json(_body(arguments).encode("utf-8", "replace"))
    found = provider.refusals.verdict(arguments.status, body, words)
    # Of a success no words tell that it failed.
    is_success = 200 <= arguments.status < 300 and provider.refusals.says_success(body)
    category = "unknown" if is_success else found.category
    return console.result(
        "classification",
        errors.CATEGORY_EXIT_CODES[category],
        provider=provider.name,
        category=category,
        status=arguments.status,
        message=console.plain(found.message, 1000),
        should_retry=category == "transient",
        should_retry_create=_bought_nothing(provider, arguments.status, found) and category == "transient",
        guidance=provider.advice.on(category),
        credits_check_command=_credits_check_command(provider, arguments),
        recharge=provider.links or None,
    )


def _bought_nothing(provider, status, found):
    """Whether a create that was answered so can be sent again without paying twice, and to some use."""
    from mediakit.base import errors

    outcome = found.outcome or errors.outcome_of_status(status, False)
    return outcome == "rejected" and status not in provider.final_statuses


def _only_service():
    from mediakit.services import keys, providers

    return keys.only_with_one(providers.load(name) for name in providers.names())


def _body(arguments):
    from mediakit.base import errors

    if arguments.status is None:
        raise errors.bad_argument("--status", "expected the HTTP status of the answer")
    if arguments.body is not None and arguments.body_file is not None:
        raise errors.bad_argument("--body-file", "expected without --body")
    if arguments.body_file is not None:
        from mediakit.console import inputs

        return inputs.read_text("--body-file", arguments.body_file)
    return arguments.body or " "


def _credits_check_command(provider, arguments):
    """A curl line that reads the balance, with the key as a variable; only ever to the service's own address."""
    from shlex import quote

    from mediakit.http import addresses
    from mediakit.services.site import Site

    base_url = addresses.resolve_base_url(arguments.base_url, provider.base_url, arguments.trust_base_url)
    if not (base_url and provider.key):
        return None
    if arguments.credits_endpoint is not None:
        url = base_url + addresses.resolve_endpoint("--credits-endpoint", arguments.credits_endpoint, base_url)
    else:
        url = Site(provider, base_url).of_account("balance")
    if url is None:
        return None
    constant = " ".join("-H " + quote("{}: {}".format(*one)) for one in provider.headers.items())
    header = '"{}: {}${}"'.format(provider.key["header"], provider.key["prefix"], provider.key["variable"])
    return " ".join(filter(None, ["curl -X GET", quote(url), constant, "-H", header]))


if __name__ == "__main__":
    run("handle_runtime_error.py", build_parser, main)
