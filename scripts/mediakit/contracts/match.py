"""A program of its own: whether texts match patterns, for patterns that could take for ever.

Python's `re` goes back and tries again, and cannot be stopped from within; a process can. Each line of
standard input is `[pattern, text]` in JSON, each line of standard output `true`, `false` or `null` for
a pattern that `re` does not know. Imports nothing of ours, so that it starts in the time of bare Python.
"""

from __future__ import annotations

import json
import re
import sys
import warnings

MEMORY = 256 * 1024 * 1024


def answer(pattern: str, text: str) -> bool | None:
    try:
        return bool(re.search(pattern, text, re.ASCII))
    except (re.error, OverflowError, RecursionError, MemoryError):
        return None


def main() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, ValueError, OSError):
        pass  # Windows has no such limit; the time is limited all the same
    warnings.simplefilter("ignore")
    for line in sys.stdin.buffer:
        sys.stdout.write(json.dumps(answer(*json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
