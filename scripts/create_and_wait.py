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
"""Make a picture, a video, speech, sound or a 3D model: send one request, wait for the result, save it.

Events go to stdout, one JSON object a line; the last line is the result.
"""

import os
import sys

sys.dont_write_bytecode = True  # nothing is written into this folder; start decides where bytecode goes
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # not there with -I, -P and PYTHONSAFEPATH
from mediakit.base import start

start.begin()

from mediakit.base.times import time_left
from mediakit.console import Parser, run

EXAMPLES = """\
  create_and_wait.py --provider sandbox --task t2i --prompt "a tin boat at dusk" --output-dir out
  create_and_wait.py --provider skills-video --model z-image/z-image --prompt-file prompt.txt
  create_and_wait.py --sse-endpoint /generation/sse/kling-ai/kling-v2.6 --payload '{"prompt":"rain"}'"""


# A request that is refused with one of these may name an input that the service has no more.
_MAY_BE_THE_INPUTS = (22, 23)


def build_parser():
    from mediakit.console.flags import one_of, seconds
    from mediakit.jobs import options
    from mediakit.services import providers

    parser = Parser(__doc__, EXAMPLES)
    options.add_connection_flags(parser)
    what = parser.add_argument_group("what to make")
    tasks = ",".join(providers.TASKS)
    what.add_argument("--from", dest="source", metavar="FILE", help="the same again: the JSON file beside a result")
    what.add_argument("--model", metavar="OWNER/NAME", help="the model")
    what.add_argument("--model-slug", metavar="OWNER/NAME", help="the same, and means Modellix")
    what.add_argument(
        "--task",
        type=one_of(*providers.TASKS),
        metavar="{{{}}}".format(tasks),
        help="what is made from what, as text to image; without --model its default model",
    )
    what.add_argument("--sse-endpoint", metavar="PATH", help="the create endpoint, in place of a model")
    what.add_argument("--prompt", metavar="TEXT", help="what to make, to change or to say")
    what.add_argument("--prompt-file", metavar="PATH", help="a file with the prompt; - for standard input")
    what.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a field of the request; the value may be JSON",
    )
    what.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="FIELD=PATH_OR_URL",
        help="a picture, video or sound: a file, - for standard input, an address, job:KEY",
    )
    what.add_argument("--payload", "--body", metavar="JSON", help="the request's fields as a JSON object")
    what.add_argument("--payload-file", "--body-file", metavar="PATH", help="a file with them; - for standard input")
    what.add_argument("--no-validate", action="store_true", help="send the fields as they are, unchecked")
    options.add_spending_flags(parser)
    how = parser.add_argument_group("how to wait")
    how.add_argument("--stream", type=one_of("auto", "never"), default="auto", metavar="{auto,never}",
        help="never: poll from the start")  # fmt: skip
    how.add_argument("--no-wait", action="store_true", help="stop once the service has accepted the job")
    how.add_argument("--deadline", type=seconds(above=True), metavar="SECONDS",
        help="end before so much time has gone by since the start, with the job's id")  # fmt: skip
    how.add_argument("--sse-request-timeout", type=seconds(above=True), default=120.0, metavar="SECONDS",
        help="for the answer to the create, and how long its stream may be silent, default 120")  # fmt: skip
    how.add_argument("--poll-timeout", type=seconds(), default=900.0, metavar="SECONDS",
        help="for stream and polling together, default 900")  # fmt: skip
    how.add_argument("--poll-interval", type=seconds(above=True), default=3.0, metavar="SECONDS",
        help="between two polls at most, default 3")  # fmt: skip
    how.add_argument("--poll-request-timeout", type=seconds(above=True), default=20.0, metavar="SECONDS",
        help="for one poll, default 20")  # fmt: skip
    options.add_reading_flags(parser)
    return parser


def main(console, arguments):
    from mediakit.console import several
    from mediakit.jobs import options, plan, purchase, request, uploads
    from mediakit.ledger import fallbacks
    from mediakit.provenance import provenance

    arguments = provenance.made_again(arguments)
    asked = request.read(arguments)
    if arguments.dry_run:
        plans = not asked.attachments  # a service's own plan needs the files there
        return plan.show(
            console, arguments, asked, options.connect_to_plan(console, arguments, asked.service) if plans else None
        )
    connection = options.connect(console, arguments, asked.service)
    ledger = fallbacks.open_ledger(console, arguments.require_ledger, connection.embedded)
    uploads.check(asked, ledger)
    decisions = purchase.claim(console, arguments, asked, connection, ledger)
    sent = purchase.ready(console, arguments, asked, connection, ledger, decisions)
    terms = _terms(arguments, asked, connection)
    jobs = purchase.jobs(arguments, asked, connection, terms, ledger, decisions, sent)
    code = several.run(console, jobs, lambda: purchase.spent(ledger, decisions))
    if code in _MAY_BE_THE_INPUTS:
        uploads.forget(ledger, sent.reused)
    return code


def _terms(arguments, asked, connection):
    from mediakit.jobs import lifecycle

    return lifecycle.Terms(
        stream=asked.streams,
        wait=not arguments.no_wait,
        create_timeout=arguments.sse_request_timeout,
        poll_timeout=arguments.poll_timeout,
        poll_interval=arguments.poll_interval,
        poll_request_timeout=arguments.poll_request_timeout,
        deadline=time_left(arguments.deadline),
        verbose=arguments.verbose,
        ending_events=connection.provider.ending_events,
        reconciles=connection.provider.lists_running,
        repeats_for=(connection.provider.idempotency or {}).get("seconds", 0.0),
    )


if __name__ == "__main__":
    run("create_and_wait.py", build_parser, main, lambda arguments: True)
