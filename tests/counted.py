"""Run a script and write down what it loads, parses and serialises: counted.py LOG SCRIPT ARGUMENTS…

One JSON array a line: ["opened", path], ["parsed", service] for a descriptor, and for each JSON text that has the
prompt in it ["written" or "read", the room that asked for it].
"""

from __future__ import annotations

import builtins
import json
import os
import runpy
import sys

LOG = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
MARK = "a tin boat"
dumps, loads, whole_open = json.dumps, json.loads, builtins.open


def note(*words) -> None:
    os.write(LOG, dumps(words).encode() + b"\n")


def asker() -> str:
    return os.path.basename(sys._getframe(2).f_code.co_filename)[:-3]


def written(value, **options):
    text = dumps(value, **options)
    if MARK in text:
        note("written", asker())
    return text


def read(text, **options):
    if MARK in (text if isinstance(text, str) else text.decode("utf-8", "replace")):
        note("read", asker())
    return loads(text, **options)


def opened(file, *rest, **options):
    note("opened", os.path.realpath(file) if isinstance(file, (str, os.PathLike)) else str(file))
    return whole_open(file, *rest, **options)


if __name__ == "__main__":
    sys.argv[:] = sys.argv[2:]
    sys.path.insert(0, os.path.dirname(os.path.realpath(sys.argv[0])))
    from mediakit.services.provider import Provider

    made = Provider.__init__

    def parsed(self, data, speaks=None):
        note("parsed", data["id"])
        made(self, data, speaks)

    Provider.__init__ = parsed
    json.dumps, json.loads, builtins.open = written, read, opened
    runpy.run_path(sys.argv[0], run_name="__main__")
