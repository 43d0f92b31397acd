"""The tables of a ledger: how they became what they are, and the seal that each row carries. Pure, but for a migration.

MIGRATIONS          how the tables became what they are
migrate             lead a file from its version to this one
insertion, update   the statements that write a row with its seal
IS_BROKEN           a condition: what a row says is not what this program wrote

A damage to a row is found by its seal and not believed.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable

from . import rows

try:
    from _blake2 import blake2b  # hashlib's, without OpenSSL, which a list of jobs has no other use for
except ImportError:
    from hashlib import blake2b

_SENT_SEAL = "sealed(payload, sent_with)"
_SEAL = f"sealed({', '.join([*rows.SEALED, 'delivered_at IS NOT NULL'])})"

# Each script leads from the version of its index to the next; they are only ever appended.
MIGRATIONS = (
    """
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE job (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        purchase TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        request TEXT NOT NULL,
        service TEXT NOT NULL,
        origin TEXT NOT NULL,
        practice INTEGER NOT NULL,
        account TEXT NOT NULL,
        model TEXT,
        base_url TEXT,
        output_dir TEXT,
        intent TEXT,
        copy INTEGER NOT NULL,
        command TEXT NOT NULL,
        payload TEXT,
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        outcome TEXT NOT NULL,
        generation_id TEXT,
        accepted_at REAL,
        status TEXT,
        state TEXT,
        reserved INTEGER,
        reserved_unit TEXT,
        reserved_by TEXT,
        cost INTEGER,
        cost_unit TEXT,
        usage TEXT,
        paths TEXT,
        exit_code INTEGER,
        delivered_at REAL,
        closed TEXT
    );
    CREATE INDEX job_fingerprint ON job (fingerprint);
    CREATE INDEX job_request ON job (request);
    CREATE INDEX job_model ON job (service, model);
    CREATE UNIQUE INDEX job_id ON job (service, account, generation_id) WHERE generation_id IS NOT NULL;
    CREATE TABLE change (key TEXT NOT NULL, at REAL NOT NULL, what TEXT NOT NULL);
    CREATE INDEX change_key ON change (key);
    """,
    # What is sent beside the payload, and whose contract an embedded service spoke.
    """
    ALTER TABLE job ADD COLUMN sent_with TEXT;
    ALTER TABLE job ADD COLUMN speaks TEXT;
    """,
    # What was saved, to know it again; and the inputs that a service has, and under which name.
    """
    ALTER TABLE job ADD COLUMN assets TEXT;
    CREATE TABLE upload (
        service TEXT NOT NULL, origin TEXT NOT NULL, account TEXT NOT NULL, identity TEXT NOT NULL,
        reference TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (service, origin, account, identity)
    );
    """,
    # An id is one job's at one address only, and even there a service can give it twice.
    """
    DROP INDEX job_id;
    CREATE INDEX job_id ON job (service, origin, generation_id) WHERE generation_id IS NOT NULL;
    ALTER TABLE job ADD COLUMN twin TEXT;
    ALTER TABLE job ADD COLUMN read_at REAL;
    ALTER TABLE job ADD COLUMN delivered_tick REAL;
    ALTER TABLE job ADD COLUMN delivered_boot TEXT;
    ALTER TABLE job ADD COLUMN seal TEXT;
    ALTER TABLE job ADD COLUMN sent_seal TEXT;
    """,
    # The addresses that the service told for a job; each is checked again whenever it is used.
    """
    ALTER TABLE job ADD COLUMN told TEXT;
    """,
)
RESEAL_ALL = f"UPDATE job SET seal = {_SEAL}, sent_seal = {_SENT_SEAL}"
_ODD = (
    *(f"({name} IS NOT NULL AND (typeof({name}) <> 'integer' OR {name} < 0))" for name in ("cost", "reserved")),
    f"outcome NOT IN ({', '.join(repr(outcome) for outcome in sorted(rows.OUTCOMES))})",
    "typeof(created_at) NOT IN ('real', 'integer')",
)
# A row that this program did not write, or not so; what is read of a row is checked further as rows.entry_of does.
IS_BROKEN = f"(seal IS NOT {_SEAL} OR {' OR '.join(_ODD)})"
IS_AS_SENT = f"sent_seal IS {_SENT_SEAL}"


def _seals(given: dict[str, str], absent: Callable[[str], str]) -> list[str]:
    """What the two seals of a row come to: `given` has an expression for each column that is written."""
    names = [given.get(name) or absent(name) for name in rows.SEALED]
    delivered = given.get("delivered_at") or absent("delivered_at")
    sent = [given.get(name) or absent(name) for name in ("payload", "sent_with")]
    return [f"sealed({', '.join([*names, f'{delivered} IS NOT NULL'])})", f"sealed({', '.join(sent)})"]


@functools.cache
def insertion(columns: tuple[str, ...]) -> str:
    """The statement that adds a row with these columns, sealed; each value is named as its column."""
    given = {name: f":{name}" for name in columns}
    values = [*given.values(), *_seals(given, lambda name: "NULL")]
    return f"INSERT INTO job ({', '.join([*given, 'seal', 'sent_seal'])}) VALUES ({', '.join(values)})"


@functools.cache
def update(columns: tuple[str, ...]) -> str:
    """The statement that changes these columns of the row `:key_`, and its seal; a row that is broken stays so."""
    given = {name: f":{name}" for name in columns}
    seal, sent_seal = _seals(given, str)
    changes = {**given, "seal": seal}
    if not given.keys().isdisjoint(("payload", "sent_with")):
        changes["sent_seal"] = sent_seal
    told = ", ".join(f"{name} = {value}" for name, value in changes.items())
    return f"UPDATE job SET {told} WHERE key = :key_ AND NOT {IS_BROKEN}"


def sealed(*values) -> str:
    return blake2b(repr(values).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def version_of(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def migrate(connection: sqlite3.Connection, version: int) -> None:
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        seal = f"{RESEAL_ALL};" if number == len(MIGRATIONS) else ""
        connection.executescript(f"BEGIN IMMEDIATE; {script} {seal} PRAGMA user_version={number}; COMMIT;")


SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master"


def schema_of(cursor: sqlite3.Cursor) -> list[tuple]:
    return sorted((*row[:3], " ".join((row[3] or "").split())) for row in cursor.fetchall())


@functools.cache
def of_version(version: int) -> list[tuple]:
    """What a ledger of a version consists of, no table, index, view or trigger more."""
    with sqlite3.connect(":memory:", isolation_level=None) as connection:
        connection.create_function("sealed", -1, sealed, deterministic=True)
        for script in MIGRATIONS[:version]:
            connection.executescript(script)
        return schema_of(connection.execute(SCHEMA))
