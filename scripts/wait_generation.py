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
"""Wait for a job that exists already, by its id, and save its results.

Asking is free: this never buys anything.
"""

import os
import sys

sys.dont_write_bytecode = True  # nothing is written into this folder; start decides where bytecode goes
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # not there with -I, -P and PYTHONSAFEPATH
from mediakit.base import start

start.begin()

from mediakit.console import Parser, run

EXAMPLES = """\
  wait_generation.py --generation-id gen_7f31 --output-dir out
  wait_generation.py --generation-id gen_7f31 --provider sandbox --timeout 60"""


def build_parser():
    from mediakit.jobs import flags

    parser = Parser(__doc__, EXAMPLES)
    flags.add_connection_flags(parser)
    parser.add_argument("--generation-id", metavar="ID", help="the id that the service gave the job")
    parser.add_argument("--job", metavar="KEY", help="the job's key in the ledger")
    flags.add_waiting_flags(parser)
    flags.add_reading_flags(parser)
    return parser


def main(console, given):
    from mediakit.base import errors
    from mediakit.jobs import existing, flags, listing, request
    from mediakit.ledger import fallbacks

    if (given.job is None) == (given.generation_id is None):
        raise errors.bad_argument("--generation-id", "expected it or --job, and not both")
    where, policy, saving = flags.connection(given), flags.existing_wait_policy(given), flags.saving(given)
    generation_id = request.generation_id(given.generation_id) if given.job is None else None
    entry, ledger = fallbacks.look_up(console, given.job or generation_id, where.provider, given.job is not None)
    if entry:
        return existing.go_on(console, [listing.Found(entry, ledger)], where, policy, saving)
    return existing.wait_for(console, generation_id, where, policy, saving)


if __name__ == "__main__":
    run("wait_generation.py", build_parser, main, lambda arguments: True)
