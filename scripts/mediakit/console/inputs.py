"""What a flag names or holds: files, standard input, JSON. Every failure is a bad argument.

read_text, read_json, read_object   the value
open_text                           a text that is read bit by bit
read_pair, read_json_or_text        NAME=VALUE, and what such a VALUE is
one_standard_input                  only one flag can read it
cannot_read                         the Failure for a file
"""

from __future__ import annotations

import io
import json
import sys

from ..base import documents, errors, paths
from ..base.text import plain

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import TextIO

_LARGEST_INPUT = 64 * 1024 * 1024
# PowerShell writes UTF-16 with a byte order mark, and so do some editors on Windows.
_WIDE = (b"\xff\xfe", b"\xfe\xff")


def read_text(flag: str, path: str) -> str:
    """The text of the file that a flag names, `-` for standard input; raises Failure 2."""
    try:
        if path == "-":
            content = sys.stdin.buffer.read(_LARGEST_INPUT + 1)
        else:
            path = paths.expand(path)
            with paths.open_to_read(path) as file:
                content = file.read(_LARGEST_INPUT + 1)
    except (OSError, ValueError, AttributeError) as problem:
        raise cannot_read(flag, path, problem) from None
    if len(content) > _LARGEST_INPUT:
        raise errors.bad_argument(flag, f"expected at most {_LARGEST_INPUT} bytes")
    try:
        return content.decode("utf-16" if content[:2] in _WIDE else "utf-8-sig")
    except UnicodeDecodeError:
        raise errors.bad_argument(flag, "expected text in UTF-8") from None


def open_text(flag: str, path: str, newline: str | None) -> TextIO:
    """The text of the file that a flag names, `-` for standard input, to be read again from its start as well; raises
    Failure 2. A byte that is no UTF-8 is a lone surrogate in it.

    newline  as for open()
    """
    from ..base import spool

    try:
        if path == "-":
            copy = spool.copied(sys.stdin.buffer, _LARGEST_INPUT)
        else:
            path = paths.expand(path)
            with paths.open_to_read(path) as file:
                copy = spool.copied(file, _LARGEST_INPUT)
    except (OSError, ValueError, AttributeError) as problem:
        raise cannot_read(flag, path, problem) from None
    except OverflowError:
        raise errors.bad_argument(flag, f"expected at most {_LARGEST_INPUT} bytes") from None
    encoding, errors_as = ("utf-16", "replace") if copy.read(2) in _WIDE else ("utf-8-sig", "surrogateescape")
    copy.seek(0)
    return io.TextIOWrapper(copy, encoding, errors_as, newline)


def cannot_read(flag: str, path: str, problem: Exception) -> errors.Failure:
    """The Failure for a file that a flag names, with where it was looked for."""
    words = getattr(problem, "strerror", None) or "it cannot be read"
    return errors.bad_argument(flag, f"expected a file that can be read: {plain(paths.whole(path))}: {words}")


def read_object(flag: str, text: str) -> dict:
    """The JSON object that a flag holds; raises Failure 2."""
    value = read_json(flag, text)
    if not isinstance(value, dict):
        raise errors.bad_argument(flag, 'expected a JSON object, such as \'{"prompt": "…"}\'')
    return value


def read_json(flag: str, text: str):
    """The JSON value that a flag holds; raises Failure 2, also for NaN, infinities, and a name twice in one object."""
    try:
        return _value(text)
    except documents.NameTwice as problem:
        raise _twice(flag, problem) from None
    except (ValueError, RecursionError) as problem:
        where = f" (line {problem.lineno}, column {problem.colno})" if isinstance(problem, json.JSONDecodeError) else ""
        raise errors.bad_argument(flag, f"expected JSON{where}") from None


def _value(text: str):
    value = documents.written(text)
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # it can be sent, too
    return value


def _twice(flag: str, problem: documents.NameTwice) -> errors.Failure:
    return errors.bad_argument(flag, f"expected each name once: {plain(str(problem))}")


def read_pair(flag: str, pair: str) -> tuple[str, str]:
    """`(NAME, VALUE)` of NAME=VALUE; raises Failure 2."""
    name, equals, value = pair.partition("=")
    if not equals or not name.strip():
        raise errors.bad_argument(flag, "expected NAME=VALUE")
    return name.strip(), value


def read_json_or_text(flag: str, text: str):
    """JSON when it is JSON, else the text itself; raises Failure 2 for JSON that is too deep or has a name twice."""
    try:
        return _value(text)
    except documents.NameTwice as problem:
        raise _twice(flag, problem) from None
    except RecursionError:
        raise errors.bad_argument(flag, "expected JSON of fewer levels") from None
    except ValueError:
        return text


def one_standard_input(*wanted: tuple[str, bool]) -> None:
    """Raise Failure 2 when more than one flag wants standard input."""
    flags = [flag for flag, wants in wanted if wants]
    if len(flags) > 1:
        raise errors.bad_argument(" and ".join(flags), "only one of them can read standard input")
