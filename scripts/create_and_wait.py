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
"""Make a picture, a video, speech, sound or a 3D model: send one request, wait for the result, save it.

Events go to stdout, one JSON object a line; the last line is the result.
"""

import os
import sys

sys.dont_write_bytecode = True  # nothing is written into this folder; start decides where bytecode goes
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # not there with -I, -P and PYTHONSAFEPATH
from mediakit.base import start

start.begin()

from mediakit.console import Parser, run

EXAMPLES = """\
  create_and_wait.py --provider sandbox --task t2i --prompt "a tin boat at dusk" --output-dir out
  create_and_wait.py --provider skills-video --model z-image/z-image --prompt-file prompt.txt
  create_and_wait.py --sse-endpoint /generation/sse/kling-ai/kling-v2.6 --payload '{"prompt":"rain"}'"""


def build_parser():
    from mediakit.jobs import flags

    parser = Parser(__doc__, EXAMPLES)
    flags.add_connection_flags(parser)
    flags.add_request_flags(parser)
    flags.add_spending_flags(parser)
    flags.add_creating_flags(parser)
    flags.add_reading_flags(parser)
    return parser


def main(console, given):
    from mediakit.jobs import flags, request

    spending, policy, saving = flags.spending(given), flags.wait_policy(given), flags.saving(given)
    saving.check()
    wanted, where = request.made_again(flags.create_request(given), flags.connection(given))
    wanted, where = request.addressed(wanted, where)
    asked = request.check(wanted, where, policy, spending.copies, asks=True)
    if given.dry_run:
        from mediakit.jobs import plan

        return plan.show(console, asked, where, spending, policy)
    from mediakit.jobs import create

    command = create.Command(console, asked, where, spending, policy, saving)
    return command.run()


if __name__ == "__main__":
    run("create_and_wait.py", build_parser, main, lambda arguments: True)
