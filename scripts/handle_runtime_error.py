#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "requests>=2.32,<3",
#   "urllib3>=2.3,<3",
#   "jsonschema>=4.18,<5",
#   "python-dotenv>=1.0,<2",
#   "PyYAML>=6.0,<7",
#   "Pillow>=10.1,<13",
# ]
# ///
"""Say what a service's HTTP error means and what to do about it.

The exit code is the category's: 20 to 25. Nothing is sent.
"""

from mediakit import console

EXAMPLES = """\
  handle_runtime_error.py --status 402 --body '{"message":"insufficient credits"}'
  handle_runtime_error.py --status 502 --body-file answer.html"""


def build_parser() -> console.Parser:
    from mediakit import providers
    from mediakit.console import one_of

    names = providers.names()
    parser = console.Parser(__doc__, EXAMPLES)
    parser.add_argument("--status", type=_status, metavar="N", help="the HTTP status, 100 to 599")
    parser.add_argument("--body", metavar="TEXT", help="the answer's body, JSON or not")
    parser.add_argument("--body-file", metavar="PATH", help="a file with it; - for standard input")
    parser.add_argument("--provider", type=one_of(*names), default="skills-video", metavar=f"{{{','.join(names)}}}")
    parser.add_argument("--base-url", metavar="URL", help="the service's address, for credits_check_command")
    parser.add_argument("--credits-endpoint", metavar="PATH", help="the path of the balance below it")
    return parser


def _status(text: str) -> int:
    import argparse

    if not (text.isdecimal() and 100 <= int(text) <= 599):
        raise argparse.ArgumentTypeError("expected an HTTP status from 100 to 599")
    return int(text)


def main(screen: console.Console, arguments) -> int:
    from mediakit import classification, errors

    if arguments.status is None:
        raise errors.bad_argument("--status", "expected the HTTP status of the answer")
    if arguments.body is not None and arguments.body_file is not None:
        raise errors.bad_argument("--body-file", "expected without --body")
    found = classification.classify(arguments)
    return screen.result("classification", errors.CATEGORY_EXIT_CODES[found["category"]], **found)


if __name__ == "__main__":
    console.run("handle_runtime_error.py", build_parser, main)
