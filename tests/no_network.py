"""Run a script in a process that may not open sockets, as an agent's sandbox does it: no_network.py SCRIPT ARGUMENTS…"""

from __future__ import annotations

import errno
import os
import runpy
import sys


def refuse(event: str, _) -> None:
    if event == "socket.__new__":
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


if __name__ == "__main__":
    sys.argv[:] = sys.argv[1:]
    sys.addaudithook(refuse)
    runpy.run_path(sys.argv[0], run_name="__main__")
