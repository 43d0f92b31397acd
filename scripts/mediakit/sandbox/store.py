"""The sandbox's jobs, in a file of the state folder, so that another process can go on with them.

A job's status follows from its row and the time; nothing has to keep running for it. Beside the
jobs there are records: uploaded files, idempotency keys and whatever else a dialect has to remember.
Each dialect sees only its own.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import string
import threading
import time
from collections import namedtuple
from contextlib import closing, contextmanager, nullcontext

# media is "image", "video", …; input is the request's body; created and duration are in seconds; facts is what its
# dialect has to remember besides.
Job = namedtuple("Job", "id model media input fault created duration facts", defaults=({},))
# kind says what it is; body is JSON; content is bytes or None; created is in seconds.
Record = namedtuple("Record", "kind id body content created")

_KEPT_SECONDS = 7 * 24 * 3600
_DURATIONS = {"job-slow": 60.0, "job-fast": 0.2}
_DEFAULT_DURATION = 0.6
_TABLES = """
CREATE TABLE IF NOT EXISTS job (
    id TEXT PRIMARY KEY, model TEXT, media TEXT, input TEXT, fault TEXT, created REAL, duration REAL,
    dialect TEXT NOT NULL, key TEXT, polls INTEGER NOT NULL DEFAULT 0, UNIQUE (dialect, key)
);
CREATE TABLE IF NOT EXISTS record (
    dialect TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT, content BLOB, created REAL,
    PRIMARY KEY (dialect, kind, id)
)
"""
_JOB = "SELECT id, model, media, input, fault, created, duration FROM job WHERE dialect = ?"
_RECORD = "SELECT kind, id, body, content, created FROM record WHERE dialect = ? AND kind = ?"


class Store:
    """What one dialect keeps.

    folder   where the file goes; None keeps everything in memory, for this process alone
    dialect  whose jobs these are
    prefix   what the id of a job starts with
    """

    def __init__(self, folder: str | None, dialect: str = "skills-video", prefix: str = "gen_"):
        # A shared in-memory database lives as long as one connection to it is open.
        name = f"file:sandbox-{secrets.token_hex(8)}?mode=memory&cache=shared"
        self._path, self._is_uri = (os.path.join(folder, "sandbox-jobs.sqlite3"), False) if folder else (name, True)
        self._dialect, self._prefix = dialect, prefix
        self._lock = threading.Lock()
        if folder:  # before SQLite makes it for everybody; its other files get the same mode
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        self._kept_open = None if folder else self._connect()
        with self._database() as database, database:
            if folder:
                database.execute("PRAGMA journal_mode=WAL")
            for table in _TABLES.split(";"):
                database.execute(table)
            for table in ("job", "record"):
                database.execute(f"DELETE FROM {table} WHERE created < ?", (time.time() - _KEPT_SECONDS,))

    @contextmanager
    def _database(self):
        # Connections that share a cache do not wait for each other's locks; they fail at once.
        with self._lock if self._is_uri else nullcontext(), closing(self._connect()) as database:
            yield database

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=10, uri=self._is_uri, check_same_thread=False)

    # -- jobs -----------------------------------------------------------------------------------

    def add(
        self, model: str, media: str, body: dict, fault: str | None, key: str | None = None, job_id: str | None = None,
        facts: dict | None = None,
    ) -> Job:  # fmt: skip
        """Accept a job. The second with the same idempotency key is the first one, whatever else it asks for.

        job_id  None for one with the prefix
        """
        job = Job(
            job_id or self._prefix + short_id(), model, media, body, fault, time.time(),
            _DURATIONS.get(fault or "", _DEFAULT_DURATION), facts or {},
        )  # fmt: skip
        with self._database() as database, database:
            inserted = database.execute(
                "INSERT OR IGNORE INTO job VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                (*job[:3], json.dumps([job.input, job.facts]), *job[4:7], self._dialect, key),
            ).rowcount
        return job if inserted else self.find_by_key(key)

    def find_by_key(self, key: str | None) -> Job | None:
        """The job of an idempotency key."""
        with self._database() as database:
            row = database.execute(f"{_JOB} AND key = ?", (self._dialect, key)).fetchone()
        return _job(row) if row else None

    def find(self, job_id: str) -> Job | None:
        with self._database() as database:
            row = database.execute(f"{_JOB} AND id = ?", (self._dialect, job_id)).fetchone()
        return _job(row) if row else None

    def newest(self, limit: int) -> list[Job]:
        with self._database() as database:
            rows = database.execute(f"{_JOB} ORDER BY created DESC LIMIT ?", (self._dialect, limit)).fetchall()
        return [_job(row) for row in rows]

    def count_poll(self, job_id: str) -> int:
        """How often the job has been read, this time included."""
        with self._database() as database, database:
            database.execute("UPDATE job SET polls = polls + 1 WHERE id = ?", (job_id,))
            return database.execute("SELECT polls FROM job WHERE id = ?", (job_id,)).fetchone()[0]

    # -- records ----------------------------------------------------------------------------------

    def keep(self, kind: str, record_id: str, body: dict, content: bytes | None = None) -> Record:
        """The record of that name: this one, unless there is one already, which then stays as it is."""
        with self._database() as database, database:
            database.execute(
                "INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?, ?)",
                (self._dialect, kind, record_id, json.dumps(body), content, time.time()),
            )
            return _record(database.execute(f"{_RECORD} AND id = ?", (self._dialect, kind, record_id)).fetchone())

    def change(self, kind: str, record_id: str, body: dict) -> None:
        with self._database() as database, database:
            database.execute(
                "UPDATE record SET body = ? WHERE dialect = ? AND kind = ? AND id = ?",
                (json.dumps(body), self._dialect, kind, record_id),
            )

    def record(self, kind: str, record_id: str) -> Record | None:
        with self._database() as database:
            row = database.execute(f"{_RECORD} AND id = ?", (self._dialect, kind, record_id)).fetchone()
        return _record(row) if row else None

    def records(self, kind: str, limit: int) -> list[Record]:
        """The newest records of a kind, the newest first."""
        with self._database() as database:
            rows = database.execute(
                f"{_RECORD} ORDER BY created DESC, rowid DESC LIMIT ?", (self._dialect, kind, limit)
            ).fetchall()
        return [_record(row) for row in rows]

    def forget(self, kind: str, record_id: str) -> bool:
        """Delete a record; whether there was one."""
        with self._database() as database, database:
            return bool(
                database.execute(
                    "DELETE FROM record WHERE dialect = ? AND kind = ? AND id = ?", (self._dialect, kind, record_id)
                ).rowcount
            )


def opened(folder: str | None, dialect: str, prefix: str) -> tuple[Store, str]:
    """A store in that folder, or in memory where its file cannot be used, with the reason in words."""
    try:
        return Store(folder, dialect, prefix), ""
    except (OSError, sqlite3.Error) as problem:
        reason = getattr(problem, "strerror", None) or problem
        return Store(None, dialect, prefix), f"the sandbox's jobs end with this process: {folder}: {reason}"


def short_id() -> str:
    """The id of a job where the service's may be anything."""
    # Short, for an id stands in each line of a run; of three trillion, for twenty thousand may be made in a minute.
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(7))


def _job(row) -> Job:
    job = Job(*row)
    kept = json.loads(job.input)
    body, facts = kept if isinstance(kept, list) else (kept, {})  # as it was written before there were facts
    return job._replace(input=body, facts=facts)


def _record(row) -> Record:
    record = Record(*row)
    return record._replace(body=json.loads(record.body))


def progress(job: Job, now: float) -> str:
    """`queued`, `running` or `done`, at `now` seconds since the epoch."""
    age = now - job.created
    if age >= job.duration:
        return "done"
    return "running" if age >= min(0.1, job.duration / 3) else "queued"
