"""Run a script and write down what makes its work durable, in the order in which it happens: durable.py LOG SCRIPT ARGUMENTS…

One JSON array a line: ["fsync", path], ["named", old path, new path], ["commit", path of the database, value of
PRAGMA synchronous, journal mode], ["sent", first line of a request], ["line", event].

A kill cannot see a missing fsync, because the kernel outlives the process; this can.
"""

from __future__ import annotations

import http.client
import json
import os
import runpy
import sqlite3
import sys
import threading

LOG = open(sys.argv[1], "w", encoding="utf-8")
_lock = threading.Lock()


def note(*words) -> None:
    with _lock:
        LOG.write(json.dumps(words) + "\n")
        LOG.flush()


def watch_files() -> None:
    fsync = os.fsync

    def synced(handle):
        number = handle if isinstance(handle, int) else handle.fileno()
        fsync(handle)
        note("fsync", os.path.realpath(f"/proc/self/fd/{number}"))

    os.fsync = synced
    for name in ("link", "rename", "replace"):
        setattr(os, name, naming(getattr(os, name)))


def naming(whole):
    def named(source, target, *rest, **options):
        whole(source, target, *rest, **options)
        note("named", os.path.realpath(source), os.path.realpath(target))

    return named


class Connection(sqlite3.Connection):
    """Says how durable each commit is; a rollback, and what only reads, says nothing."""

    def execute(self, statement, *rest):
        if statement.strip().upper().startswith(("COMMIT", "END")):
            self._tell()
        return super().execute(statement, *rest)

    def commit(self):
        self._tell()
        super().commit()

    def _tell(self):
        path = super().execute("PRAGMA database_list").fetchone()[2]
        level = super().execute("PRAGMA synchronous").fetchone()[0]
        note("commit", path, level, super().execute("PRAGMA journal_mode").fetchone()[0])


def watch_ledger() -> None:
    connect = sqlite3.connect
    sqlite3.connect = lambda *words, **options: connect(*words, **{"factory": Connection, **options})


def watch_requests() -> None:
    send = http.client.HTTPConnection.send

    def sent(self, data):
        if isinstance(data, bytes):
            note("sent", data.split(b"\r\n", 1)[0].decode("latin-1"))
        return send(self, data)

    http.client.HTTPConnection.send = sent


class Lines:
    """Standard output, each line written down before it leaves."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, content: bytes) -> int:
        note("line", json.loads(content)["event"])
        return self._stream.write(content)

    def __getattr__(self, name):
        return getattr(self._stream, name)


class Output:
    def __init__(self, stream):
        self._stream = stream
        self.buffer = Lines(stream.buffer)

    def __getattr__(self, name):
        return getattr(self._stream, name)


if __name__ == "__main__":
    sys.argv[:] = sys.argv[2:]
    watch_files()
    watch_ledger()
    watch_requests()
    sys.stdout = Output(sys.stdout)
    runpy.run_path(sys.argv[0], run_name="__main__")
