"""The file of a ledger: written only by transactions that last.

Database   one SQLite file of ours

Every commit is whole in the main file (a rollback journal, every write synchronous): a copy of that one
file is a ledger.
"""

from __future__ import annotations

import os
import sqlite3
from _thread import RLock, allocate_lock  # threading's; that takes as long to import as eight rooms
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from .opening import FILE, Opening, Patience
from .unusable import Unusable, translated

LOCK_PATIENCE = 15.0
# Turns that are committed together at most: those who wait are to go on.
_MOST_TOGETHER = 32


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
        self._patience = Patience(may_wait)
        self._lock = RLock()
        self._counting = allocate_lock()
        self._waiting = 0  # threads that want their turn
        self._group: _Group | None = None
        opening = Opening(folder, self.owners, read_only, self._patience)
        self._connection, self._file, self._copied = opening.connection, opening.file, opening.copied

    @property
    def owners(self) -> str:
        """The folder of the locks of its jobs."""
        return os.path.join(self.folder, "owners")

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
                except BaseException as problem:
                    self._undo(group, problem)
                    raise
                group.members += 1
            group.wait()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """This thread's turn; where nobody waits for the next one, what was done in those before is committed."""
        with self._counting:
            self._waiting += 1
        try:
            self._lock.acquire()
        finally:  # a signal may have ended the wait
            with self._counting:
                self._waiting -= 1
        try:
            yield
        finally:
            if self._group is not None and (not self._waiting or self._group.members >= _MOST_TOGETHER):
                self._commit(self._group)
            self._lock.release()

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

    def _undo(self, group: _Group, problem: BaseException) -> None:
        """Nothing of this turn is written; what others have done in theirs stays, unless SQLite has undone it too."""
        if not group.members:
            self._group = None
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        elif self._connection.in_transaction:
            self._connection.execute("ROLLBACK TO turn")
        else:  # a full or failing disk: SQLite has rolled back the whole transaction by itself
            self._group, group.problem = None, problem
            group.end()

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
        return self._patience.execute(connection, statement, values, take)


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
