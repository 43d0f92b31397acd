"""The jobs of one ledger as rows: read with their seals, changed with a note of what happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from . import database, rows, schema
from .rows import Entry
from .unusable import Unusable

_COLUMNS = ", ".join(rows.COLUMNS)


class Table:
    """The rows of the ledger in a folder; raises Unusable. Arguments as for database.Database."""

    def __init__(self, folder: str, read_only: bool, may_wait: Callable[[float], bool] | None):
        more = {"may_wait": may_wait} if may_wait else {}
        self._database = database.Database(folder, read_only=read_only, **more)
        self.is_read_only = read_only
        # Of jobs: what is to be written with whatever is written of them next.
        self._deferred: dict[str, list[tuple[str, dict]]] = {}
        self._merged: set[str] = set()

    @property
    def path(self) -> str:
        return self._database.path

    @property
    def owners(self) -> str:
        """The folder of the locks of its jobs."""
        return self._database.owners

    @property
    def version(self) -> int:
        """Another one whenever somebody else has written."""
        return self._database.version

    def close(self) -> None:
        self._database.close()

    def check_is_there(self) -> None:
        """Raises Unusable where the file was removed or replaced since it was opened."""
        self._database.check_is_there()

    def insert(self, row: dict) -> None:
        """Add a row, sealed."""
        self._database.change(schema.insertion(tuple(row)), row)

    @contextmanager
    def transaction(self) -> Iterator:
        with self._database.transaction() as connection:
            merged: set[str] = set()
            self._merged = merged
            yield connection
        for key in merged:
            self._deferred.pop(key, None)

    def rows(self, query: str, *values) -> list[tuple]:
        return self._database.rows(query, values)

    def entries(self, condition: str, *values, indexed: bool = True) -> list[Entry]:
        how = "" if indexed else "NOT INDEXED"
        query = f"SELECT {_COLUMNS}, {schema.IS_AS_SENT}, {schema.IS_BROKEN} FROM job {how} WHERE {condition}"
        return [self._entry(row) for row in self.rows(query, *values)]

    def _entry(self, row: tuple) -> Entry:
        try:
            if row[-1]:
                raise ValueError("seal")
            return rows.entry_of(row[:-2], bool(row[-2]))
        except ValueError as problem:
            words = f"row {row[0]} holds what this program never writes ({problem})"
            raise Unusable("corrupt", f"{self.path}: {words}") from None

    def note(self, key: str, *what: str) -> None:
        at = time.time()
        marks = ", ".join(["(?, ?, ?)"] * len(what))
        self.rows(f"INSERT INTO change VALUES {marks}", *(value for words in what for value in (key, at, words)))

    def set(self, key: str, what: str, **columns) -> None:
        deferred = self._deferred.get(key, ())
        if deferred:
            self._merged.add(key)
            columns = {**{name: value for _, earlier in deferred for name, value in earlier.items()}, **columns}
        columns["updated_at"] = time.time()
        if not self._database.change(schema.update(tuple(columns)), {**columns, "key_": key}):
            self.entries("key = ?", key)  # says what is wrong with it
            raise Unusable("corrupt", f"{self.path} has lost a job")
        self.note(key, *(words for words, _ in deferred), what)

    def defer(self, key: str, what: str, **columns) -> None:
        """As `record`, but written with whatever is written of the job next: for what may be lost with this process."""
        self._deferred.setdefault(key, []).append((what, columns))
