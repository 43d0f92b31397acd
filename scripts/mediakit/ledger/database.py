"""The file of a ledger: opened only after it was checked, written only by transactions that last.

Database   one SQLite file of ours

Every commit is whole in the main file (a rollback journal, every write synchronous): a copy of that one
file is a ledger.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from _thread import RLock, allocate_lock  # threading's; that takes as long to import as eight rooms
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from ..base import atomic, paths
from . import locks, schema
from .unusable import Unusable, translated

FILE = paths.LEDGER
LOCK_PATIENCE = 15.0
_SLICE = 0.02
# After one wait that was in vain, the next ones are short.
_IMPATIENCE = 1.0
_LONGEST_CHECK = 1.0
_WHOLLY_CHECKED = 4 * 1024 * 1024
_OPERATIONS_BETWEEN_LOOKS = 20_000
_COPY_TRIES = 5
# Turns that are committed together at most: those who wait are to go on.
_MOST_TOGETHER = 32
_LAST_WITH_LOG = 3
_BESIDE = ("-journal", "-wal", "-shm")


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
        self._counting = allocate_lock()
        self._waiting = 0  # threads that want their turn
        self._group: _Group | None = None
        self._copied: str | None = None
        if not read_only and locks.is_on_network(folder):
            raise Unusable("network", f"{folder} is on a network file system, where locks cannot be relied on")
        with translated(self.path):
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
                schema.migrate(fresh, 0)
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
            if self._check(connection) < len(schema.MIGRATIONS):
                with locks.locked_file(os.path.join(self.owners, "schema.lock")):
                    schema.migrate(connection, schema.version_of(connection))
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
                if self._check(connection) == len(schema.MIGRATIONS):
                    return connection
            connection.close()
        connection = _connected(self._copy(), "mode=rw")
        self._set_up(connection)
        schema.migrate(connection, self._check(connection))
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
        if version > len(schema.MIGRATIONS):
            raise Unusable("newer", f"{self.path} was written by a newer version of this program")
        if version <= 0:
            raise Unusable("corrupt", f"{self.path} is no ledger, or what stood in it is lost")
        if self._patiently(connection, schema.SCHEMA, (), schema.schema_of) != schema.of_version(version):
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
        """What is done within is done together, and lasts once this ends.

        Of threads that want one at the same time each takes its turn, and the last commits for all: to wait for the
        disk costs more than what is written.
        """
        with translated(self.path):
            with self._turn():
                group = self._begun()
                try:
                    yield self._connection
                except BaseException:
                    self._undo(group)
                    raise
                group.members += 1
            group.wait()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """This thread's turn; where nobody waits for the next one, what was done in those before is committed."""
        with self._counting:
            self._waiting += 1
        with self._lock:
            with self._counting:
                self._waiting -= 1
            try:
                yield
            finally:
                if self._group is not None and (not self._waiting or self._group.members >= _MOST_TOGETHER):
                    self._commit(self._group)

    def _begun(self) -> _Group:
        if self.is_read_only:
            raise Unusable("read_only", f"{self.path} cannot be written")
        self.check_is_there()
        if self._group is None:
            self._patiently(self._connection, "BEGIN IMMEDIATE")
            self._group = _Group()
        elif self._group.members:
            self._connection.execute("SAVEPOINT turn")
        return self._group

    def _undo(self, group: _Group) -> None:
        """Nothing of this turn is written; what others have done in theirs stays."""
        if not group.members:
            self._group = None
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        elif self._connection.in_transaction:
            self._connection.execute("ROLLBACK TO turn")

    def _commit(self, group: _Group) -> None:
        self._group = None
        try:
            if not self._connection.in_transaction:
                raise sqlite3.OperationalError("the transaction was rolled back")
            self._patiently(self._connection, "COMMIT")
        except BaseException as problem:
            group.problem = problem
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        finally:
            group.end()

    def rows(self, query: str, values: Sequence = ()) -> list[tuple]:
        with self._lock, translated(self.path):
            return self._patiently(self._connection, query, values, lambda cursor: cursor.fetchall())

    def change(self, statement: str, values: Mapping) -> int:
        """How many rows it has changed."""
        with self._lock, translated(self.path):
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


class _Group:
    """Turns of several threads that are committed as one.

    members  whose turn came to its end
    problem  why nothing of it was written
    """

    def __init__(self) -> None:
        self.members = 0
        self.problem: BaseException | None = None
        self._open = allocate_lock()
        self._open.acquire()

    def end(self) -> None:
        self._open.release()

    def wait(self) -> None:
        """Until it has ended; raises why nothing was written."""
        with self._open:
            pass
        if self.problem is not None:
            raise self.problem


# -- SQLite --------------------------------------------------------------------------------------------


def _connected(path: str, query: str = "mode=rwc") -> sqlite3.Connection:
    place = os.fsencode(os.path.abspath(path)).replace(os.fsencode(os.sep), b"/")
    uri = f"file://{'' if place.startswith(b'/') else '/'}{_quoted(place)}?{query}"
    connection = sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False)
    connection.create_function("sealed", -1, schema.sealed, deterministic=True)
    return connection


def _quoted(place: bytes) -> str:
    if re.fullmatch(rb"[A-Za-z0-9_.~/:-]*", place):
        return place.decode()
    from urllib.parse import quote  # which takes long to import, and hardly a path needs it

    return quote(place, safe="/:")
