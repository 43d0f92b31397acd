"""Flags: the parser that every script uses, and the types of its values.

one_of, whole, word, seconds, size, folder   types; none repeats what it refuses, which may be a key
"""

from __future__ import annotations

import argparse
import os
import re
import sys

from ..base import errors, paths
from ..base.regex import regex
from .events import Output

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# What reads like a name; a key has digits and capitals in between.
_FLAG = regex(r"-[a-zA-Z]|--[a-z]{1,20}([A-Z][a-z]{1,15}){0,4}\d{0,2}([_-]([a-z]{1,20}\d{0,2}|\d{1,2})){0,5}")

# argparse looks for translations of its words at each of them. Nobody has any, `Parser.error` reads them, and `locale`
# takes long to import.
argparse._ = str  # type: ignore[attr-defined]

# In the order of Output.
_OUTPUT = ("--brief", "--verbose", "--json")


class Parser(argparse.ArgumentParser):
    """argparse that fails with a Failure and never repeats a value (it may be a key).

    field_names  (arguments) -> names of models' fields, which people take for flags
    about        (arguments) -> what they say of the job that every result is to tell, as Console.about
    """

    def __init__(self, description: str, examples: str, **options):
        super().__init__(
            description=description,
            # With a width of its own the formatter does not import what it would take to ask the terminal.
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=100),
            allow_abbrev=False,
            **options,
        )
        self._examples = examples
        self.add_argument("--version", action="store_true", help="write a version event and stop")
        self.add_argument("--state-dir", type=state_folder, metavar="DIR", help="keep the ledger and other state there")
        self.field_names: Callable[[argparse.Namespace], Iterable[str]] = lambda arguments: ()
        self.add_argument("--brief", action="store_true", help="one line: the result")
        self.add_argument("--json", action="store_true", help="JSON also on a terminal, where people's lines stand")
        self.about: Callable[[argparse.Namespace], dict] = lambda arguments: {}

    def output(self, argv: list[str]) -> Output:
        """What is written; known before the flags are, so that their errors are written so too."""
        return Output(*(flag in argv and flag in self._option_string_actions for flag in _OUTPUT))

    def error(self, message: str):
        message = re.sub("ignored explicit argument .*", "takes no value", message, flags=re.S)
        message = message.replace(
            "expected one argument", "expected a value; one that begins with - is given as =VALUE"
        )
        found = re.match(r"argument ([^:]+): (.*)", message, re.S)
        if found:
            raise errors.bad_argument(found[1], found[2])
        raise errors.bad_argument("arguments", message)

    def format_help(self) -> str:
        from ..base import codes

        self.epilog = f"examples:\n{self._examples}\n\nexit codes:\n{codes.exit_code_table()}"
        return super().format_help()

    def _print_message(self, message: str, file=None) -> None:
        # argparse passes over what cannot be written; a reader that is gone ends a script with 141.
        (file or sys.stderr).write(message)

    def parse(self, argv: list[str]) -> argparse.Namespace:
        if argv[:1] == ["--version"]:  # also for a script that must have a word first
            return argparse.Namespace(version=True)
        if self._get_positional_actions():
            given, unknown = self.parse_known_intermixed_args(argv)  # words may stand between flags
        else:  # the same, without a usage made for errors that it does not tell
            given, unknown = self.parse_known_args(argv)
        if given.version:
            return given
        if given.brief and getattr(given, "verbose", False):
            raise errors.bad_argument("--brief", "expected without --verbose")
        if unknown:
            raise self._unknown(unknown, given)
        return given

    def _unknown(self, words: list[str], given: argparse.Namespace) -> errors.Failure:
        # A short flag can have its value attached, a long one after an equals sign. What does not look like the name
        # of a flag may be a secret.
        flags = [word.split("=")[0] if word.startswith("--") else word[:2] for word in words if word[:1] == "-"]
        fields = {_letters(name): name for name in self.field_names(given)}
        named = [flag for flag in flags if _FLAG.fullmatch(flag) or _letters(flag) in fields]
        more = f", nor are {', '.join(named[1:])}" if named[1:] else ""
        told = f"not a flag of this script{more}" if flags else "a value without a flag"
        return errors.bad_argument(
            named[0] if named else "arguments",
            told + (self._meant(named[0], fields) if named else ""),
            "What stands after it is not repeated here: it may be a secret.",
            "Run the script with --help for its flags and examples.",
            "A key is never taken from an argument: set the environment variable or use --key-stdin.",
        )

    def _meant(self, flag: str, fields: dict[str, str]) -> str:
        from difflib import get_close_matches

        field = fields.get(_letters(flag))
        if field:
            file = f", a file as --input {field}=PATH" if "--input" in self._option_string_actions else ""
            return f"; a field is given as --param {field}=VALUE{file}"
        near = get_close_matches(flag, self._option_string_actions, n=1, cutoff=0.75)
        return f"; did you mean {near[0]}?" if near else ""


def _letters(name: str) -> str:
    """What the spellings of a field have in common."""
    return name.replace("-", "").replace("_", "").lower()


def one_of(*choices: str):
    """An argparse type: one word of `choices`, refused without repeating what was given."""

    def read(text: str) -> str:
        if text not in choices:
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(choices)}")
        return text

    return read


def whole(least: int, most: int):
    """An argparse type: a whole number from `least` to `most`."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}")
        return int(text)

    return read


def word(longest: int):
    """An argparse type: a text that is not empty, not longer, and printable."""

    def read(text: str) -> str:
        if not (text.strip() and len(text) <= longest and text.isprintable()):
            raise argparse.ArgumentTypeError(f"expected a name of 1 to {longest} printable characters")
        return text

    return read


def seconds(at_least: float = 0.0, above: bool = False):
    """An argparse type: a finite number of seconds."""

    def read(text: str) -> float:
        try:
            # Underlines and digits of other scripts, which float() takes, are slips.
            value = float(text) if text.isascii() and "_" not in text else float("nan")
        except ValueError:
            value = float("nan")
        # Written so that NaN, which is neither below nor above anything, is refused too.
        if not (at_least < value < 1e9 if above else at_least <= value < 1e9):
            raise argparse.ArgumentTypeError(
                f"expected a finite number of seconds {'above' if above else 'from'} {at_least:g}"
            )
        return value

    return read


def size(text: str) -> int:
    """An argparse type: a number of bytes, such as 4GiB, 500MB or 1048576."""
    found = re.fullmatch(r"(\d{1,15})(\.\d{1,3})?\s?([kmgt]?)(i?)b?", text.strip().lower()) if text.isascii() else None
    if not found or (found[4] and not found[3]):
        raise argparse.ArgumentTypeError("expected a size such as 4GiB, 500MB or 1048576")
    whole_part, fraction, prefix, binary = found.groups(default="")
    value = int(float(whole_part + fraction) * (1024 if binary else 1000) ** " kmgt".index(prefix or " "))
    if not 0 < value <= 2**60:
        raise argparse.ArgumentTypeError("expected a size from 1 byte to 1024 PiB")
    return value


def state_folder(text: str) -> str:
    """An argparse type: a folder, there or not, writable or not."""
    whole_path = paths.whole(text)
    if not text or not text.isprintable() or (os.path.lexists(whole_path) and not os.path.isdir(whole_path)):
        raise argparse.ArgumentTypeError("expected a folder, or a name for one that can be made")
    return whole_path


IN_SKILL = (
    "expected a folder outside this skill's own, which installers wipe; name one of yours, such as ~/ai-media-out"
)


def folder(text: str) -> str:
    """An argparse type: a folder that can be written, or that can be made; its `~` is expanded."""
    text = paths.expand(text)
    there = whole_path = paths.whole(text)
    while not os.path.lexists(there) and os.path.dirname(there) != there:
        there = os.path.dirname(there)
    # The ledger keeps the path, and a name of bytes that are no text cannot be kept.
    is_text = not re.search("[\ud800-\udfff]", whole_path)
    if not (text and is_text and os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK)):
        raise argparse.ArgumentTypeError("expected a folder that can be written, or a name for one that can be made")
    if paths.is_skills_own(text):
        raise argparse.ArgumentTypeError(IN_SKILL)
    return text
