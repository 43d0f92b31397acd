"""How the file of a ledger is opened: nobody else's, whole, of our schema, made or led to this version where needed.

Opening   one file on its way to a connection
Patience  waits for other processes that hold it locked
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress

from ..base import atomic, paths
from . import locks, schema
from .unusable import Unusable, translated

FILE = paths.LEDGER
_SLICE = 0.02
# After one wait that was in vain, the next ones are short.
_IMPATIENCE = 1.0
_LONGEST_CHECK = 1.0
_WHOLLY_CHECKED = 4 * 1024 * 1024
_OPERATIONS_BETWEEN_LOOKS = 20_000
_COPY_TRIES = 5
_LAST_WITH_LOG = 3
_BESIDE = ("-journal", "-wal", "-shm")


class Patience:
    """Executes statements; while another process holds the file locked, `may_wait` says for how many seconds."""

    def __init__(self, may_wait: Callable[[float], bool]):
        self._may_wait = may_wait
        self._is_impatient = False

    def execute(self, connection: sqlite3.Connection, statement: str, values=(), take=lambda cursor: cursor):
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

    def ask(self, connection: sqlite3.Connection, statement: str):
        """The one value that a statement comes to."""
        return self.execute(connection, statement, (), lambda cursor: cursor.fetchone()[0])

    def _waits(self, waited: float) -> bool:
        if self._may_wait(waited) and not (self._is_impatient and waited > _IMPATIENCE):
            return True
        self._is_impatient = True
        return False


class Opening:
    """Opens the file in a folder; raises Unusable.

    connection  to it, or to a copy
    file        what the system says of it
    copied      the folder of the copy; None without one
    """

    def __init__(self, folder: str, owners: str, read_only: bool, patience: Patience):
        self._folder = folder
        self._path = os.path.join(folder, FILE)
        self._owners = owners
        self._patience = patience
        self.copied: str | None = None
        if not read_only and locks.is_on_network(folder):
            raise Unusable("network", f"{folder} is on a network file system, where locks cannot be relied on")
        with translated(self._path):
            self._check_files()
            if not read_only:
                os.makedirs(owners, mode=0o700, exist_ok=True)
                if not os.path.lexists(self._path):
                    self._create()
            self.file = os.stat(self._path)
            if not self.file.st_size:
                raise Unusable("corrupt", f"{self._path} is empty: what stood in it is lost")
            self.connection = self._to_read() if read_only else self._to_write()

    def _check_files(self) -> None:
        """Nothing of it is a link, or somebody else's."""
        wanted = [(self._path + ending, False) for ending in ("", *_BESIDE)]
        for path, is_folder in [*wanted, (self._owners, True)]:
            with suppress(FileNotFoundError):
                why = paths.trouble(path, folder=is_folder)
                if why:
                    raise Unusable("foreign", f"{path} is not used: {why}")

    def _create(self) -> None:
        """Make an empty ledger, whole before it has its name."""
        with locks.locked_file(os.path.join(self._owners, "schema.lock")):
            if os.path.lexists(self._path):
                return
            staging = self._path + atomic.SUFFIX
            with suppress(FileNotFoundError):
                os.unlink(staging)
            os.close(os.open(staging, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            fresh = _connected(staging)
            try:
                self._set_up(fresh)
                schema.migrate(fresh, 0)
            finally:
                fresh.close()
            atomic.replace(staging, self._path)

    def _to_write(self) -> sqlite3.Connection:
        if not (os.access(self._path, os.W_OK) and os.access(self._folder, os.W_OK | os.X_OK)):
            raise Unusable("read_only", f"{self._path} cannot be written")  # SQLite would open it all the same
        has_log = os.path.lexists(self._path + "-wal")
        connection = _connected(self._path, "mode=rw")
        try:
            self._set_up(connection)
            self._leave_log(connection, has_log)
            if self._check(connection) < len(schema.MIGRATIONS):
                with locks.locked_file(os.path.join(self._owners, "schema.lock")):
                    schema.migrate(connection, schema.version_of(connection))
            return connection
        except BaseException:
            connection.close()
            raise

    def _leave_log(self, connection: sqlite3.Connection, has_log: bool) -> None:
        """Keep everything in the one file; the first versions kept what was new in another beside it."""
        if self._patience.ask(connection, "PRAGMA journal_mode") == "wal":
            version = self._patience.ask(connection, "PRAGMA user_version")
            if version == 0 or (version > _LAST_WITH_LOG and not has_log):
                raise Unusable(
                    "corrupt", f"{self._path}: what was written last stood in a file beside it, which is lost"
                )
        with suppress(sqlite3.OperationalError):  # an older process is at it still: next time, then
            connection.execute("PRAGMA journal_mode=TRUNCATE")

    def _to_read(self) -> sqlite3.Connection:
        """As it is, else a copy: SQLite reads no file whose folder it would have to write to."""
        if not any(os.path.lexists(self._path + ending) for ending in _BESIDE[1:]):
            connection = _connected(self._path, "mode=ro")
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

        self.copied = tempfile.mkdtemp(prefix=atomic.PREFIX)
        target = os.path.join(self.copied, FILE)
        for _ in range(_COPY_TRIES):
            before = self._stamps()
            for ending in ("", *_BESIDE[:2]):
                with suppress(FileNotFoundError):
                    shutil.copyfile(self._path + ending, target + ending, follow_symlinks=False)
            if self._stamps() == before:
                return target
            time.sleep(_SLICE)
        raise Unusable("busy", f"{self._path} is being written to all the time")

    def _stamps(self) -> list:
        found = []
        for ending in ("", *_BESIDE[:2]):
            with suppress(FileNotFoundError):
                stat = os.stat(self._path + ending)
                found.append((ending, stat.st_ino, stat.st_size, stat.st_mtime_ns))
        return found

    def _set_up(self, connection: sqlite3.Connection) -> None:
        for setting in ("trusted_schema=OFF", "cell_size_check=ON", "cache_spill=OFF", "synchronous=FULL"):
            self._patience.execute(connection, f"PRAGMA {setting}")

    def _check(self, connection: sqlite3.Connection) -> int:
        """The version, once it, the schema and the pages are as this program writes them."""
        version = self._patience.ask(connection, "PRAGMA user_version")
        if version > len(schema.MIGRATIONS):
            raise Unusable("newer", f"{self._path} was written by a newer version of this program")
        if version <= 0:
            raise Unusable("corrupt", f"{self._path} is no ledger, or what stood in it is lost")
        if self._patience.execute(connection, schema.SCHEMA, (), schema.schema_of) != schema.of_version(version):
            raise Unusable("corrupt", f"{self._path} does not have the tables of a ledger, or has more than those")
        began = time.monotonic()
        connection.set_progress_handler(lambda: time.monotonic() - began > _LONGEST_CHECK, _OPERATIONS_BETWEEN_LOOKS)
        check = "integrity_check" if self.file.st_size <= _WHOLLY_CHECKED else "quick_check"
        try:
            found = self._patience.ask(connection, f"PRAGMA {check}(1)")
        except sqlite3.OperationalError as problem:
            if "interrupted" not in str(problem):
                raise
            found = "ok"  # as far as the time went
        finally:
            connection.set_progress_handler(None, 0)
        if found != "ok":
            raise Unusable("corrupt", f"{self._path} is damaged")
        return version


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
