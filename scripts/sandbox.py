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
"""Serve the sandbox for other programs, until Ctrl-C.

One `ready` event tells its URL. Faults are described in references/sandbox-faults.md.
"""

import os
import sys

sys.dont_write_bytecode = True  # nothing is written into this folder; start decides where bytecode goes
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # not there with -I, -P and PYTHONSAFEPATH
from mediakit.base import start

start.begin()

from mediakit.console import Parser, run

EXAMPLES = """\
  sandbox.py
  sandbox.py --port 8765 --fault create-429-once
  sandbox.py --as modellix"""


def build_parser():
    from mediakit.console.flags import one_of
    from mediakit.sandbox import dialects
    from mediakit.sandbox.faults import FAULTS
    from mediakit.services import providers

    services = dialects.names()
    parser = Parser(__doc__, EXAMPLES)
    parser.add_argument(
        "--as", dest="service", type=providers.one_named(*services), default=services[0], metavar="SERVICE",
        help="whose contract it speaks: {}".format(", ".join(services)),
    )  # fmt: skip
    parser.add_argument("--port", type=_port, default=0, metavar="PORT", help="0, the default, takes a free one")
    parser.add_argument(
        "--balance", type=_amount, metavar="N", help="what the account holds, in the service's unit: credits or USD"
    )
    parser.add_argument("--fault", type=one_of(*FAULTS), metavar="NAME", help="what every create shall suffer")
    return parser


def _port(text):
    import argparse

    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("expected a port from 0 to 65535")
    return int(text)


def _amount(text):
    import argparse
    import re

    if not re.match(r"\d{1,9}(\.\d{1,6})?$", text):
        raise argparse.ArgumentTypeError("expected a number from 0 on")
    return float(text)


def main(console, arguments):
    from mediakit import sandbox
    from mediakit.base import errors, paths
    from mediakit.base.inbox import Inbox
    from mediakit.services import providers

    folder, note = paths.state_folder()
    if note:
        console.warning("state_folder", note)
    try:
        server = sandbox.Sandbox(folder, arguments.service, arguments.fault, arguments.port, arguments.balance)
    except OSError as problem:
        raise errors.bad_argument("--port", "cannot be used: {}".format(problem.strerror))
    if server.note:
        console.warning("state_folder", server.note)
    stop = Inbox()
    console.on_signal = stop.put
    base_url = server.url + providers.load("sandbox", server.service).base_path
    with server:
        console.emit(
            "ready", provider="sandbox", service=server.service, url=base_url, origin=server.url, fault=arguments.fault
        )
        signal_number = stop.take()
    return console.result("interrupted", 128 + signal_number)


if __name__ == "__main__":
    run("sandbox.py", build_parser, main, lambda arguments: True)
