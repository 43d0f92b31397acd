"""The sandbox's jobs, in a file of the state folder, so that another process can go on with them.

A job's status follows from its row and the time; nothing has to keep running for it.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import threading
import time
from collections import namedtuple
from contextlib import closing, contextmanager, nullcontext

# media is "image", "video", …; input is the request's body; created and duration are in seconds.
Job = namedtuple("Job", "id model media input fault created duration")

_KEPT_SECONDS = 7 * 24 * 3600
_DURATIONS = {"job-slow": 60.0, "job-fast": 0.2}
_DEFAULT_DURATION = 0.6
_TABLE = """
CREATE TABLE IF NOT EXISTS job (
    id TEXT PRIMARY KEY, model TEXT, media TEXT, input TEXT, fault TEXT, created REAL, duration REAL,
    polls INTEGER NOT NULL DEFAULT 0
)
"""


class Store:
    """folder: where the file goes; None keeps the jobs in memory, for this process alone."""

    def __init__(self, folder: str | None):
        # A shared in-memory database lives as long as one connection to it is open.
        name = f"file:sandbox-{secrets.token_hex(8)}?mode=memory&cache=shared"
        self._path, self._is_uri = (os.path.join(folder, "sandbox.sqlite3"), False) if folder else (name, True)
        self._lock = threading.Lock()
        self._kept_open = None if folder else self._connect()
        with self._database() as database, database:
            if folder:
                database.execute("PRAGMA journal_mode=WAL")
            database.execute(_TABLE)
            database.execute("DELETE FROM job WHERE created < ?", (time.time() - _KEPT_SECONDS,))

    @contextmanager
    def _database(self):
        # Connections that share a cache do not wait for each other's locks; they fail at once.
        with self._lock if self._is_uri else nullcontext(), closing(self._connect()) as database:
            yield database

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=10, uri=self._is_uri, check_same_thread=False)

    def add(self, model: str, media: str, body: dict, fault: str | None) -> Job:
        """Accept a job."""
        job = Job(
            f"gen_{secrets.token_hex(6)}", model, media, body, fault, time.time(),
            _DURATIONS.get(fault or "", _DEFAULT_DURATION),
        )  # fmt: skip
        with self._database() as database, database:
            database.execute(
                "INSERT INTO job VALUES (?, ?, ?, ?, ?, ?, ?, 0)", job._replace(input=json.dumps(job.input))
            )
        return job

    def find(self, job_id: str) -> Job | None:
        with self._database() as database:
            row = database.execute(
                "SELECT id, model, media, input, fault, created, duration FROM job WHERE id = ?", (job_id,)
            ).fetchone()
        return _job(row) if row else None

    def newest(self, limit: int) -> list[Job]:
        with self._database() as database:
            rows = database.execute(
                "SELECT id, model, media, input, fault, created, duration FROM job ORDER BY created DESC LIMIT ?",
                (limit,),
            ).fetchall()
        return [_job(row) for row in rows]

    def count_poll(self, job_id: str) -> int:
        """How often the job has been read, this time included."""
        with self._database() as database, database:
            database.execute("UPDATE job SET polls = polls + 1 WHERE id = ?", (job_id,))
            return database.execute("SELECT polls FROM job WHERE id = ?", (job_id,)).fetchone()[0]


def _job(row) -> Job:
    job = Job(*row)
    return job._replace(input=json.loads(job.input))


def progress(job: Job, now: float) -> str:
    """`queued`, `running` or `done`, at `now` seconds since the epoch."""
    age = now - job.created
    if age >= job.duration:
        return "done"
    return "running" if age >= min(0.1, job.duration / 3) else "queued"
