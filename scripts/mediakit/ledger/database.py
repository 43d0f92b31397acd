"""The file of a ledger: opened only after it was checked, written only by transactions that last.

Database   one SQLite file of ours
Unusable   it cannot be trusted, read or written
MIGRATIONS how it became what it is

Every commit is whole in the main file (a rollback journal, every write synchronous): a copy of that one
file is a ledger. Each row carries a seal over what it says, so that a damage is found and not believed.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import sqlite3
import time
from _thread import RLock  # threading's; that takes as long to import as eight rooms
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from ..base import atomic, errors, paths
from . import locks, rows

try:
    from _blake2 import blake2b  # hashlib's, without OpenSSL, which a list of jobs has no other use for
except ImportError:
    from hashlib import blake2b

FILE = paths.LEDGER
LOCK_PATIENCE = 15.0
_SLICE = 0.02
# After one wait that was in vain, the next ones are short.
_IMPATIENCE = 1.0
_LONGEST_CHECK = 1.0
_WHOLLY_CHECKED = 4 * 1024 * 1024
_OPERATIONS_BETWEEN_LOOKS = 20_000
_COPY_TRIES = 5
_LAST_WITH_LOG = 3
_BESIDE = ("-journal", "-wal", "-shm")

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


_MEND = {
    "corrupt": "Move the file away and keep it; before buying again, look in the service's dashboard for open jobs.",
    "network": "Set AI_MEDIA_HOME to a folder on a local disk.",
    "foreign": "Take it away, or close it to others (chmod 700), or name another folder with --state-dir.",
    "newer": "Use the newer version, or set AI_MEDIA_HOME to another folder.",
    "full": "Free some space, then run the same again. Nothing was sent.",
    "busy": "Another program holds the file locked: end it, then run the same again. Nothing was sent.",
    "replaced": "Run the same again: it looks into the file that is there now. Nothing was sent.",
}


class Unusable(errors.Ending):
    """The ledger cannot be used. `kind`: absent, read_only, foreign, corrupt, network, newer, full, busy, replaced."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind
        self.message = message

    def failure(self) -> errors.Failure:
        return errors.Failure(
            "ledger_unusable",
            f"the ledger cannot be used: {self.message}",
            "guard",
            outcome="not_sent",
            retryable=self.kind in ("busy", "full", "replaced"),
            guidance=[_MEND.get(self.kind, "Set AI_MEDIA_HOME to another folder.")],
        )


def _waits_as_usual(waited: float) -> bool:
    return waited < LOCK_PATIENCE


class Database:
    """The file in one folder; raises Unusable.

    folder     an existing folder
    read_only  nothing is written there, not even a lock; the file must be there
    may_wait   (seconds that were waited) -> whether to wait on for another process that holds it locked
    """

    def __init__(self, folder: str, *, read_only: bool = False, may_wait: Callable[[float], bool] = _waits_as_usual):
        self.folder = folder
        self.path = os.path.join(folder, FILE)
        self.is_read_only = read_only
        self._may_wait = may_wait
        self._is_impatient = False
        self._lock = RLock()
        self._copied: str | None = None
        if not read_only and locks.is_on_network(folder):
            raise Unusable("network", f"{folder} is on a network file system, where locks cannot be relied on")
        with _translated(self.path):
            self._check_files()
            if not read_only:
                os.makedirs(self.owners, mode=0o700, exist_ok=True)
                if not os.path.lexists(self.path):
                    self._create()
            self._file = os.stat(self.path)
            if not self._file.st_size:
                raise Unusable("corrupt", f"{self.path} is empty: what stood in it is lost")
            self._connection = self._opened()

    @property
    def owners(self) -> str:
        """The folder of the locks of its jobs."""
        return os.path.join(self.folder, "owners")

    # -- opening -----------------------------------------------------------------------------------

    def _check_files(self) -> None:
        """Nothing of it is a link, or somebody else's."""
        wanted = [(self.path + ending, False) for ending in ("", *_BESIDE)]
        for path, is_folder in [*wanted, (self.owners, True)]:
            with suppress(FileNotFoundError):
                why = paths.trouble(path, folder=is_folder)
                if why:
                    raise Unusable("foreign", f"{path} is not used: {why}")

    def _create(self) -> None:
        """Make an empty ledger, whole before it has its name."""
        with locks.locked_file(os.path.join(self.owners, "schema.lock")):
            if os.path.lexists(self.path):
                return
            staging = self.path + atomic.SUFFIX
            with suppress(FileNotFoundError):
                os.unlink(staging)
            os.close(os.open(staging, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            fresh = _connected(staging)
            try:
                self._set_up(fresh)
                _migrate(fresh, 0)
            finally:
                fresh.close()
            atomic.replace(staging, self.path)

    def _opened(self) -> sqlite3.Connection:
        if self.is_read_only:
            return self._opened_to_read()
        if not (os.access(self.path, os.W_OK) and os.access(self.folder, os.W_OK | os.X_OK)):
            raise Unusable("read_only", f"{self.path} cannot be written")  # SQLite would open it all the same
        has_log = os.path.lexists(self.path + "-wal")
        connection = _connected(self.path, "mode=rw")
        try:
            self._set_up(connection)
            self._leave_log(connection, has_log)
            if self._check(connection) < len(MIGRATIONS):
                with locks.locked_file(os.path.join(self.owners, "schema.lock")):
                    _migrate(connection, _version_of(connection))
            return connection
        except BaseException:
            connection.close()
            raise

    def _leave_log(self, connection: sqlite3.Connection, has_log: bool) -> None:
        """Keep everything in the one file; the first versions kept what was new in another beside it."""
        if self._ask(connection, "PRAGMA journal_mode") == "wal":
            version = self._ask(connection, "PRAGMA user_version")
            if version == 0 or (version > _LAST_WITH_LOG and not has_log):
                raise Unusable(
                    "corrupt", f"{self.path}: what was written last stood in a file beside it, which is lost"
                )
        with suppress(sqlite3.OperationalError):  # an older process is at it still: next time, then
            connection.execute("PRAGMA journal_mode=TRUNCATE")

    def _opened_to_read(self) -> sqlite3.Connection:
        """As it is, else a copy: SQLite reads no file whose folder it would have to write to."""
        if not any(os.path.lexists(self.path + ending) for ending in _BESIDE[1:]):
            connection = _connected(self.path, "mode=ro")
            with suppress(sqlite3.OperationalError):
                self._set_up(connection)
                if self._check(connection) == len(MIGRATIONS):
                    return connection
            connection.close()
        connection = _connected(self._copy(), "mode=rw")
        self._set_up(connection)
        _migrate(connection, self._check(connection))
        return connection

    def _copy(self) -> str:
        """The path of a copy that nobody wrote to meanwhile."""
        import shutil
        import tempfile

        self._copied = tempfile.mkdtemp(prefix=atomic.PREFIX)
        target = os.path.join(self._copied, FILE)
        for _ in range(_COPY_TRIES):
            before = self._stamps()
            for ending in ("", *_BESIDE[:2]):
                with suppress(FileNotFoundError):
                    shutil.copyfile(self.path + ending, target + ending, follow_symlinks=False)
            if self._stamps() == before:
                return target
            time.sleep(_SLICE)
        raise Unusable("busy", f"{self.path} is being written to all the time")

    def _stamps(self) -> list:
        found = []
        for ending in ("", *_BESIDE[:2]):
            with suppress(FileNotFoundError):
                stat = os.stat(self.path + ending)
                found.append((ending, stat.st_ino, stat.st_size, stat.st_mtime_ns))
        return found

    def _set_up(self, connection: sqlite3.Connection) -> None:
        for setting in ("trusted_schema=OFF", "cell_size_check=ON", "cache_spill=OFF", "synchronous=FULL"):
            self._patiently(connection, f"PRAGMA {setting}")

    def _check(self, connection: sqlite3.Connection) -> int:
        """The version, once it, the schema and the pages are as this program writes them."""
        version = self._ask(connection, "PRAGMA user_version")
        if version > len(MIGRATIONS):
            raise Unusable("newer", f"{self.path} was written by a newer version of this program")
        if version <= 0:
            raise Unusable("corrupt", f"{self.path} is no ledger, or what stood in it is lost")
        if self._patiently(connection, _SCHEMA, (), _schema_of) != _schema(version):
            raise Unusable("corrupt", f"{self.path} does not have the tables of a ledger, or has more than those")
        began = time.monotonic()
        connection.set_progress_handler(lambda: time.monotonic() - began > _LONGEST_CHECK, _OPERATIONS_BETWEEN_LOOKS)
        check = "integrity_check" if self._file.st_size <= _WHOLLY_CHECKED else "quick_check"
        try:
            found = self._ask(connection, f"PRAGMA {check}(1)")
        except sqlite3.OperationalError as problem:
            if "interrupted" not in str(problem):
                raise
            found = "ok"  # as far as the time went
        finally:
            connection.set_progress_handler(None, 0)
        if found != "ok":
            raise Unusable("corrupt", f"{self.path} is damaged")
        return version

    # -- using -------------------------------------------------------------------------------------

    def check_is_there(self) -> None:
        """The file under our name is still the one that was opened."""
        try:
            if self._copied or os.path.samestat(os.stat(self.path), self._file):
                return
        except OSError:
            pass
        raise Unusable("replaced", f"{self.path} was removed or replaced while this command ran")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """What is done within is done together, and lasts once this ends."""
        with self._lock, _translated(self.path):
            if self.is_read_only:
                raise Unusable("read_only", f"{self.path} cannot be written")
            self.check_is_there()
            self._patiently(self._connection, "BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._patiently(self._connection, "COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, query: str, values: Sequence = ()) -> list[tuple]:
        with self._lock, _translated(self.path):
            return self._patiently(self._connection, query, values, lambda cursor: cursor.fetchall())

    def change(self, statement: str, values: Mapping) -> int:
        """How many rows it has changed."""
        with self._lock, _translated(self.path):
            return self._patiently(self._connection, statement, values, lambda cursor: cursor.rowcount)

    @property
    def version(self) -> int:
        """Another one whenever somebody else has written."""
        return self.rows("PRAGMA data_version")[0][0]

    def close(self) -> None:
        with self._lock:
            self._connection.close()
        if self._copied:
            import shutil

            shutil.rmtree(self._copied, ignore_errors=True)

    def _patiently(self, connection: sqlite3.Connection, statement: str, values=(), take=lambda cursor: cursor):
        """Execute; while another process holds the file locked, in slices, so that signals and the clock are heard."""
        began = time.monotonic()
        while True:
            try:
                result = take(connection.execute(statement, values))
                self._is_impatient = False
                return result
            except sqlite3.OperationalError as problem:
                waited = time.monotonic() - began
                if "locked" not in str(problem) or not self._waits(waited):
                    raise
            time.sleep(_SLICE)

    def _ask(self, connection: sqlite3.Connection, statement: str):
        """The one value that a statement comes to."""
        return self._patiently(connection, statement, (), lambda cursor: cursor.fetchone()[0])

    def _waits(self, waited: float) -> bool:
        if self._may_wait(waited) and not (self._is_impatient and waited > _IMPATIENCE):
            return True
        self._is_impatient = True
        return False


# -- SQLite --------------------------------------------------------------------------------------------


def _connected(path: str, query: str = "mode=rwc") -> sqlite3.Connection:
    place = os.fsencode(os.path.abspath(path)).replace(os.fsencode(os.sep), b"/")
    uri = f"file://{'' if place.startswith(b'/') else '/'}{_quoted(place)}?{query}"
    connection = sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False)
    connection.create_function("sealed", -1, _sealed, deterministic=True)
    return connection


def _quoted(place: bytes) -> str:
    if re.fullmatch(rb"[A-Za-z0-9_.~/:-]*", place):
        return place.decode()
    from urllib.parse import quote  # which takes long to import, and hardly a path needs it

    return quote(place, safe="/:")


def _sealed(*values) -> str:
    return blake2b(repr(values).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _version_of(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        seal = f"{RESEAL_ALL};" if number == len(MIGRATIONS) else ""
        connection.executescript(f"BEGIN IMMEDIATE; {script} {seal} PRAGMA user_version={number}; COMMIT;")


_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master"


def _schema_of(cursor: sqlite3.Cursor) -> list[tuple]:
    return sorted((*row[:3], " ".join((row[3] or "").split())) for row in cursor.fetchall())


@functools.cache
def _schema(version: int) -> list[tuple]:
    """What a ledger of a version consists of, no table, index, view or trigger more."""
    with sqlite3.connect(":memory:", isolation_level=None) as connection:
        connection.create_function("sealed", -1, _sealed, deterministic=True)
        for script in MIGRATIONS[:version]:
            connection.executescript(script)
        return _schema_of(connection.execute(_SCHEMA))


# A part of SQLite's own message -> kind of Unusable; the first that fits.
_PROBLEMS = (
    ("locked", "busy"),
    ("full", "full"),
    ("disk i/o", "full"),
    ("readonly", "read_only"),
    ("unable to open", "absent"),
)


@contextmanager
def _translated(path: str) -> Iterator[None]:
    """SQLite's and the system's errors as Unusable."""
    try:
        yield
    except (sqlite3.Error, OverflowError, UnicodeError) as problem:
        words = str(problem).lower()
        kind = next((kind for part, kind in _PROBLEMS if part in words), "corrupt")
        raise Unusable(kind, f"{path}: {problem}") from problem
    except OSError as problem:
        kinds = {
            **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "full"),
            errno.EAGAIN: "busy",
            errno.ELOOP: "foreign",
        }
        raise Unusable(kinds.get(problem.errno or 0, "absent"), f"{path}: {problem.strerror}") from problem
