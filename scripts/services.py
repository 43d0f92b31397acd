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
"""The services that there are, and your own: one JSON file says all that the scripts know of a service.

list        every service        check FILE  whether a descriptor is good, and what it leaves out
add FILE    keep it for you: shows which addresses would get which key; --confirm does it
remove ID   give one up; its jobs stay in the ledger

references/adding-a-service.md leads from nothing to a picture. Nothing here sends anything.
"""

import os
import sys

sys.dont_write_bytecode = True  # nothing is written into this folder; start decides where bytecode goes
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # not there with -I, -P and PYTHONSAFEPATH
from mediakit.base import start

start.begin()

from mediakit.console import Parser, run

EXAMPLES = """\
  services.py list
  services.py check my-service.json
  services.py add my-service.json --confirm
  services.py remove my-service"""

VERBS = ("list", "check", "add", "remove")


def build_parser():
    from mediakit.console.flags import one_of

    parser = Parser(__doc__, EXAMPLES)
    parser.add_argument("verb", type=one_of(*VERBS), metavar="VERB", help=", ".join(VERBS))
    parser.add_argument("what", nargs="?", metavar="FILE|ID", help="a descriptor, or the id of an added service")
    parser.add_argument("--confirm", action="store_true", help="add it")
    return parser


def main(console, given):
    from mediakit.base.errors import bad_argument
    from mediakit.jobs import own_services

    if given.verb == "list" and given.what is not None:
        raise bad_argument("list", "expected alone")
    if given.verb != "list" and given.what is None:
        raise bad_argument(given.verb, "expected an id" if given.verb == "remove" else "expected a FILE")
    if given.confirm and given.verb != "add":
        raise bad_argument("--confirm", "expected with add")
    if given.verb == "add":
        return own_services.add(console, given.what, given.confirm)
    verbs = {"check": own_services.check, "remove": own_services.remove}
    return verbs[given.verb](console, given.what) if given.what else own_services.listing(console)


if __name__ == "__main__":
    run("services.py", build_parser, main, lambda given: given.verb in ("check", "add"))
