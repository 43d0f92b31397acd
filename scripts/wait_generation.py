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
    from mediakit.jobs import options

    parser = Parser(__doc__, EXAMPLES)
    options.add_connection_flags(parser)
    parser.add_argument("--generation-id", metavar="ID", help="the id that the service gave the job")
    parser.add_argument("--job", metavar="KEY", help="the job's key in the ledger")
    options.add_waiting_flags(parser)
    options.add_reading_flags(parser)
    return parser


def main(console, arguments):
    from mediakit.base import errors
    from mediakit.jobs import options, purchase, request, runner
    from mediakit.ledger import fallbacks

    if (arguments.job is None) == (arguments.generation_id is None):
        raise errors.bad_argument("--generation-id", "expected it or --job, and not both")
    generation_id = request.generation_id(arguments.generation_id) if arguments.job is None else None
    entry, ledger = fallbacks.look_up(
        console, arguments.job or generation_id, arguments.provider, arguments.job is not None
    )
    if entry:
        connection = options.connect_again(console, arguments, ledger, entry)
        output_dir = arguments.output_dir or entry.output_dir
        terms = options.waiting_terms(arguments, connection)
        return purchase.resume(
            console, connection, terms, ledger, entry,
            output_dir=output_dir, saving=options.saving(arguments), trace=arguments.trace,
        )  # fmt: skip
    connection = options.connect(console, arguments, arguments.provider or "skills-video")
    job = runner.Runner(
        console,
        connection,
        options.waiting_terms(arguments, connection),
        generation_id=generation_id,
        output_dir=arguments.output_dir,
        saving=options.saving(arguments),
        trace=arguments.trace,
    )
    return job.run()


if __name__ == "__main__":
    run("wait_generation.py", build_parser, main, lambda arguments: True)
