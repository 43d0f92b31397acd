"""Serve the sandbox for other programs, until Ctrl-C.

One `ready` event tells its URL. Faults are described in references/sandbox.md.
"""

from mediakit.console import Console, Parser

EXAMPLES = """\
  sandbox.py
  sandbox.py --port 8765 --fault create-429-once
  sandbox.py --as modellix"""


def build_parser() -> Parser:
    from mediakit.console.flags import one_of
    from mediakit.sandbox import dialects
    from mediakit.sandbox.faults import FAULTS

    services = dialects.names()
    parser = Parser(__doc__, EXAMPLES)
    parser.add_argument(
        "--as", dest="service", type=one_of(*services), default=services[0], metavar="SERVICE",
        help=f"whose contract it speaks: {', '.join(services)}",
    )  # fmt: skip
    parser.add_argument("--port", type=_port, default=0, metavar="PORT", help="0, the default, takes a free one")
    parser.add_argument("--fault", type=one_of(*FAULTS), metavar="NAME", help="what every create shall suffer")
    return parser


def _port(text: str) -> int:
    import argparse

    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("expected a port from 0 to 65535")
    return int(text)


def main(console: Console, arguments) -> int:
    from mediakit import sandbox
    from mediakit.base import errors, paths
    from mediakit.base.inbox import Inbox
    from mediakit.services import providers

    folder, note = paths.state_folder()
    if note:
        console.warning("state_folder", note)
    try:
        server = sandbox.Sandbox(folder, arguments.service, arguments.fault, arguments.port)
    except OSError as problem:
        raise errors.bad_argument("--port", f"cannot be used: {problem.strerror}") from None
    stop = Inbox()
    console.on_signal = stop.put
    base_url = server.url + providers.load("sandbox", server.service).base_path
    with server:
        console.emit(
            "ready", provider="sandbox", service=server.service, url=base_url, origin=server.url, fault=arguments.fault
        )
        signal_number = stop.take()
    return console.result("interrupted", 128 + signal_number)
