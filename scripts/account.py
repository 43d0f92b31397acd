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
"""Everything else that can be done with an account: balance, credits, models, files, activity, a new key.

Without a service it lists them; without an action it lists the service's actions, each with its fields and
its effect: no_spend, creates_payment or spends. What is not free, or cannot be undone, is done only with
--confirm; without it the request is shown and nothing is sent.
"""

import os
import sys

sys.dont_write_bytecode = True  # nothing is written into this folder; start decides where bytecode goes
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # not there with -I, -P and PYTHONSAFEPATH
from mediakit.base import start

start.begin()

from mediakit.console import Parser, run

EXAMPLES = """\
  account.py
  account.py sandbox --as image-skill
  account.py sandbox --as image-skill quota
  account.py image-skill quote --param pack_id=starter-500
  account.py image-skill signup --param agent_name=painter --param runtime=codex --persist-key"""


def build_parser():
    from mediakit.console.flags import folder, seconds
    from mediakit.jobs import flags
    from mediakit.services import providers

    names = providers.known()
    parser = Parser(__doc__, EXAMPLES)
    parser.field_names = _field_names
    parser.add_argument(
        "service", nargs="?", type=providers.one_named(*names), metavar="SERVICE", help=", ".join(names)
    )
    parser.add_argument("action", nargs="?", metavar="ACTION", help="what to do; left out: list what there is")
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="a field of the action")
    parser.add_argument("--confirm", action="store_true", help="do it, although it is not free or cannot be undone")
    parser.add_argument(
        "--request-timeout", type=seconds(above=True), metavar="SECONDS", help="default 20, for what is not free 120"
    )
    parser.add_argument("--output-dir", type=folder, metavar="DIR", help="save the result there")
    flags.add_address_flags(parser.add_argument_group("service"))
    flags.add_purchase_flags(parser.add_argument_group("spending"))
    # A service's own program does jobs only.
    parser.set_defaults(transport="rest")
    group = parser.add_argument_group("a new key")
    group.add_argument("--persist-key", action="store_true", help="keep it for this user, unseen")
    group.add_argument("--show-token", action="store_true", help="write it into the result, once")
    group.add_argument("--replace-key", action="store_true", help="give up the key that is kept already")
    return parser


def _field_names(given):
    from mediakit.services import actions, providers

    service = given.service and providers.load(given.service, given.speaks)
    if not service or given.action not in actions.of(service):
        return ()
    return actions.find(service, given.action).field_names


def main(console, given):
    from mediakit.jobs import account, flags

    if given.service is None:
        _check_alone(given)
        return account.services(console)
    where = flags.connection(given)
    if given.action is None:
        from mediakit.jobs.connection import provider_of

        _check_alone(given)
        return account.listing(console, provider_of(where, given.service))
    from mediakit.jobs import action

    return action.run(console, given.service, given.action, where, flags.action(given), flags.spending(given))


def _check_alone(given):
    from mediakit.base.errors import bad_argument

    for flag in ("param", "confirm", "output_dir", "persist_key", "show_token"):
        if getattr(given, flag):
            raise bad_argument("--" + flag.replace("_", "-"), "expected with a service and an action")
    if given.service is None and given.speaks is not None:
        raise bad_argument("--as", "expected with a service")


if __name__ == "__main__":
    run("account.py", build_parser, main, lambda arguments: arguments.action is not None)
