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
"""Make many results: one job a line of a file, side by side, each bought once however often this is run.

Events go to stdout, one JSON object a line; the last line is the result. results.jsonl has a line for each job.
"""

import os
import sys

sys.dont_write_bytecode = True  # nothing is written into this folder; start decides where bytecode goes
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # not there with -I, -P and PYTHONSAFEPATH
from mediakit.base import start

start.begin()

from mediakit.console import Parser, run

EXAMPLES = """\
  create_batch.py jobs.jsonl --provider sandbox --task t2i --max-jobs 100 --output-dir out
  create_batch.py jobs.jsonl --dry-run
  create_batch.py --prompts prompts.txt --models a/b,c/d --param seed=1..8 --expand-only"""

# What a command that goes on is told again, when it was given; never what is asked for.
AGAIN = (
    "provider", "speaks", "base_url", "transport", "max_jobs", "max_spend", "max_spend_job", "in_flight", "rate",
    "shard", "intent", "task", "model", "model_slug", "deadline", "poll_timeout", "poll_interval",
    "poll_request_timeout", "sse_request_timeout", "trace",
)  # fmt: skip
SWITCHES = (
    "trust_base_url", "trust_dotenv", "continue_on_unknown", "summary_only", "allow_duplicate", "retry_unknown",
    "accept_unknown_cost", "require_ledger", "no_store_payload", "no_wait", "no_validate", "brief", "verbose", "json",
)  # fmt: skip


def build_parser():
    from mediakit.console.flags import whole
    from mediakit.jobs import flags

    parser = Parser(__doc__, EXAMPLES)
    lines = parser.add_argument_group("lines")
    lines.add_argument("jobs", nargs="?", metavar="JOBS.jsonl", help="a JSON object a line; - for standard input")
    lines.add_argument("--csv", metavar="FILE", help="the same as CSV, with the names in the first line")
    lines.add_argument("--prompts", metavar="FILE", help="a matrix: a prompt a line, with each model and value")
    lines.add_argument("--models", metavar="A,B", help="the models of a matrix; --param seed=1..8 is a range there")
    lines.add_argument("--expand-only", action="store_true", help="write the lines, and do nothing")
    lines.add_argument("--shard", type=_shard, metavar="I/N", help="only the Ith of N parts, the first being 1")
    flags.add_connection_flags(parser)
    what = parser.add_argument_group("what each line asks for that does not say it itself")
    flags.add_content_flags(parser, what)
    group = parser.add_argument_group("spending")
    group.add_argument("--dry-run", action="store_true", help="check and count all, and send nothing")
    group.add_argument("--max-jobs", type=whole(1, 10**6), metavar="N", help="needed to buy more than one job")
    group.add_argument(
        "--max-spend", type=flags.amount, metavar="AMOUNT", help="the limit of all, such as 200credits or 5usd"
    )
    group.add_argument("--max-spend-job", type=flags.amount, metavar="AMOUNT", help="the limit of each")
    group.add_argument("--continue-on-unknown", action="store_true",
        help="buy on at a service although the outcome of a job there is unknown")  # fmt: skip
    flags.add_purchase_flags(group, cap=False)
    flags.add_privacy_flag(group)
    pace = parser.add_argument_group("pace, at each service")
    pace.add_argument("--in-flight", type=whole(1, 10000), metavar="N", help="jobs under way at once, default 1000")
    pace.add_argument("--rate", type=_rate, metavar="N/min", help="requests a minute at most")
    flags.add_creating_flags(parser)
    flags.add_reading_flags(parser)
    parser.add_argument("--summary-only", action="store_true", help="of the jobs tell nothing but results.jsonl")
    return parser


def _shard(text):
    import argparse
    import re

    found = re.match(r"(\d{1,6})/(\d{1,6})\Z", text)
    if not found or not 1 <= int(found.group(1)) <= int(found.group(2)):
        raise argparse.ArgumentTypeError("expected I/N, with I from 1 to N, such as 2/8")
    return int(found.group(1)), int(found.group(2))


def _rate(text):
    import argparse
    import re

    found = re.match(r"(\d{1,7}(?:\.\d{1,3})?)(?:/(s|sec|min|h))?\Z", text)
    if not found or not float(found.group(1)):
        raise argparse.ArgumentTypeError("expected a number of requests a minute, such as 100/min")
    return float(found.group(1)) * {"s": 60, "sec": 60, "h": 1 / 60.0}.get(found.group(2), 1)


def main(console, given):
    from mediakit.base.record import replace
    from mediakit.jobs import flags
    from mediakit.jobs.batch import command, source
    from mediakit.jobs.batch.requests import Defaults
    from mediakit.media import names

    content = flags.content(given, also_reads=("JOBS", "-" in (given.jobs, given.csv, given.prompts)))
    forms = {"jsonl": given.jobs, "csv": given.csv, "prompts": given.prompts}
    found, content = source.read(forms, given.models, content, given.intent)
    model = flags.model(given)
    if given.expand_only:
        if given.prompts is not None:
            found = source.completed(found, content, given.provider or flags.implied(given), model, given.task)
        return command.expanded(console, found)
    saving = flags.saving(given, max(len(found.lines), 1), names.OF_LINES)
    saving = replace(saving, folder=saving.folder or found.folder)
    batch = command.BatchFlags(
        given.max_jobs, given.max_spend, given.max_spend_job, given.in_flight, given.rate, given.shard or (1, 1),
        given.continue_on_unknown, given.summary_only, given.dry_run,
    )  # fmt: skip
    found = replace(found, again=_again(given, found.path, saving))
    defaults = Defaults(content, model, given.task, flags.implied(given))
    wanted = command.Wanted(
        found, batch, defaults, flags.connection(given), flags.spending(given), flags.wait_policy(given), saving
    )
    return command.run(console, wanted)


def _again(given, path, saving):
    """The words that run the same again; None where they cannot, or would tell what was asked for."""
    said = (
        given.prompt,
        given.prompt_file,
        given.payload,
        given.payload_file,
        given.param or None,
        given.input or None,
    )
    if any(one is not None for one in said) or path is None or given.key_stdin:
        return None
    words = [path]
    if given.jobs is None:
        words.insert(0, "--csv" if given.csv else "--prompts")
    if given.models is not None:
        words += ["--models", given.models]
    for name in AGAIN:
        value = getattr(given, name)
        if value is not None:
            words += [_flag(name), _shown(name, value)]
    words += [_flag(name) for name in SWITCHES if getattr(given, name)]
    return tuple(words + ["--output-dir", os.path.abspath(saving.folder)] + list(saving.flags))


def _flag(name):
    return "--as" if name == "speaks" else "--" + name.replace("_", "-")


def _shown(name, value):
    if name == "shard":
        return "{}/{}".format(*value)
    if name == "rate":
        return "{:g}/min".format(value)
    if name in ("max_spend", "max_spend_job"):
        return "{:g}{}".format(value.shown["amount"], value.unit)
    return "{:g}".format(value) if isinstance(value, float) else str(value)


if __name__ == "__main__":
    run("create_batch.py", build_parser, main, lambda arguments: True)
