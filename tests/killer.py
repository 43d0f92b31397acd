"""Run a script and kill it with SIGKILL at the n-th point that matters: killer.py N SCRIPT ARGUMENTS…

Points are counted as the process comes by them: before and after each transaction of the ledger,
each piece of a request that goes to the socket, each thing that the transport reports, each line of
output and each file put in place. With N = 0 nothing is killed, and the number of points goes to stderr.
"""

from __future__ import annotations

import atexit
import functools
import http.client
import itertools
import os
import signal
import sys
import threading
from contextlib import contextmanager

LIMIT = int(sys.argv[1])
SCRIPT = sys.argv[2]
_numbers = itertools.count(1)
_lock = threading.Lock()
_passed = 0


def point() -> None:
    global _passed
    with _lock:
        _passed = next(_numbers)
        if _passed == LIMIT:
            os.kill(os.getpid(), signal.SIGKILL)


def around(owner, name: str) -> None:
    whole = getattr(owner, name)

    @functools.wraps(whole)
    def watched(*args, **options):
        point()
        result = whole(*args, **options)
        point()
        return result

    setattr(owner, name, watched)


def watch_transactions(table) -> None:
    whole = table.Table.transaction

    @contextmanager
    def watched(self):
        point()
        with whole(self) as database:
            yield database
            point()  # written, not committed
        point()

    table.Table.transaction = watched


def main() -> None:
    sys.argv[:] = sys.argv[2:]
    sys.path.insert(0, os.path.dirname(os.path.abspath(SCRIPT)))
    import runpy

    from mediakit.base import atomic
    from mediakit.console import Console, script
    from mediakit.http.exchange import Exchange
    from mediakit.ledger import table

    watch_transactions(table)
    around(http.client.HTTPConnection, "send")
    around(Exchange, "before_sending")
    around(Exchange, "report")
    around(Console, "_write")
    around(atomic, "place")
    leave = script._leave

    def leaving(code):
        point()
        if LIMIT == 0:
            sys.stderr.write(f"points={_passed}\n")
        leave(code)

    script._leave = leaving
    atexit.register(point)
    runpy.run_path(SCRIPT, run_name="__main__")


if __name__ == "__main__":
    main()
