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
"""Say which services are ready to use, what is missing, and what to run next.

Nothing is sent, except with --online or where --persist-key replaces a key, and then only reads. Nothing is bought.
"""

import os
import sys

sys.dont_write_bytecode = True  # nothing is written into this folder; start decides where bytecode goes
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # not there with -I, -P and PYTHONSAFEPATH
from mediakit.base import start

start.begin()

from mediakit.console import Parser, run

EXAMPLES = """\
  preflight.py
  preflight.py --provider skills-video --task t2i --prompt "a tin boat at dusk" --online
  preflight.py --provider skills-video --persist-key < key.txt
  preflight.py --provider skills-video --forget-key"""


def build_parser():
    from mediakit.console.flags import one_of
    from mediakit.jobs import flags
    from mediakit.services import providers

    names = providers.known()
    parser = Parser(__doc__, EXAMPLES)
    parser.add_argument(
        "--provider", type=providers.one_named(*names), metavar="{{{}}}".format(",".join(names)), help="default: all"
    )
    wish = parser.add_argument_group("what you want, as far as you know it")
    wish.add_argument("--task", type=one_of(*providers.TASKS), metavar="TASK", help="as create_and_wait.py takes it")
    wish.add_argument("--model", metavar="OWNER/NAME", help="the model")
    wish.add_argument("--prompt", metavar="TEXT", help="what to make; kept in a file of yours for the next command")
    wish.add_argument("--prompt-file", metavar="PATH", help="a file with the prompt")
    wish.add_argument("--input", action="append", default=[], metavar="FIELD=PATH_OR_URL", help="a file or address")
    flags.add_cap_flag(wish)
    asked = parser.add_argument_group("asking the service")
    asked.add_argument("--online", action="store_true", help="does it answer, is the key valid, what is left")
    asked.add_argument("--base-url", metavar="URL", help="another address of the service")
    asked.add_argument("--trust-base-url", action="store_true", help="send the key to the host of --base-url")
    key = parser.add_argument_group("the key")
    key.add_argument("--persist-key", action="store_true", help="keep the key that comes on standard input")
    key.add_argument("--no-check", action="store_true", help="replace a kept key without asking the service first")
    key.add_argument("--forget-key", action="store_true", help="take the kept key out of the user's own store")
    key.add_argument(
        "--trust-dotenv", action="store_true", help="take keys also from a ./.env that came with its repository"
    )
    return parser


def main(console, given):
    from mediakit.console import dependencies
    from mediakit.jobs import guide, readiness
    from mediakit.jobs.connection import ConnectionFlags
    from mediakit.services import own, providers

    _check(given)
    wish = _wish(given)
    where = ConnectionFlags(given.provider, None, given.base_url, given.trust_base_url, trust_dotenv=given.trust_dotenv)
    named = [providers.load(given.provider)] if given.provider else []
    for why in filter(None, map(own.trouble, own.names())):  # one that cannot be used keeps no other from working
        console.warning("service_disabled", why)
    missing = dependencies.prefer("preflight.py")  # its guide checks the request as the main job would
    forgotten = None
    if given.persist_key or given.forget_key:
        from mediakit.jobs import keeping

        if given.persist_key:
            keeping.persist(console, where, named[0], tries=given.online, unseen=given.no_check)
        forgotten = keeping.forget(named[0]) if given.forget_key else None
    online = given.online and not missing  # without its packages nothing can be asked
    services = [
        readiness.examine(console, where, provider, online=online, in_full=bool(named))
        # Without --provider the sandbox does not count: its pictures are not what is asked for.
        for provider in named or [one for one in map(providers.load, providers.names()) if not one.embedded]
    ]
    code, told = guide.guide(wish, where, services, named=bool(named))
    reports = [one.report for one in services]
    if told["stage"] == guide.PACKAGES:  # whatever else is there, no service can be used
        reports = [dict(report, ready=False, missing=report["missing"] + ["packages"]) for report in reports]
    return console.result("preflight", code, ready=not code, key_forgotten=forgotten, providers=reports, **told)


def _check(given):
    from mediakit.base import errors

    for flag, value in (("--persist-key", given.persist_key), ("--forget-key", given.forget_key)):
        if value and not given.provider:
            raise errors.bad_argument(flag, "expected with one --provider, to say whose key it is")
    if given.persist_key and given.forget_key:
        raise errors.bad_argument("--forget-key", "expected without --persist-key")
    if given.base_url is not None and not given.provider:
        raise errors.bad_argument("--base-url", "expected with one --provider, to say whose address it is")
    if given.no_check and (given.online or not given.persist_key):
        raise errors.bad_argument("--no-check", "expected with --persist-key and without --online")
    if given.prompt_file == "-":
        raise errors.bad_argument(
            "--prompt-file", "expected a file: the next command could not read standard input again"
        )


def _wish(given):
    import os

    from mediakit.base import paths
    from mediakit.jobs.guide import Wish

    prompt = file = None
    if given.prompt is not None or given.prompt_file is not None:
        from mediakit.jobs import flags

        prompt = flags.prompt(given)
    if given.prompt_file is not None:
        file = os.path.abspath(paths.expand(given.prompt_file))
    return Wish(given.task, given.model, prompt, file, tuple(given.input), given.max_spend)


if __name__ == "__main__":
    run("preflight.py", build_parser, main)
