"""Threads that write at the same time are committed together, and each hears of its own."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest

from conftest import PATIENCE
from mediakit.ledger import database
from mediakit.ledger.unusable import Unusable

SET = "INSERT INTO setting VALUES (?, 'x')"


class Refused(Exception):
    pass


def at_once(opened: database.Database, names: list[str]) -> dict[str, BaseException | None]:
    """What each thread's transaction ended with; one whose name begins with `bad` raises within it.

    In one whose name begins with `full` SQLite does what it does where the disk is full: it rolls back everything.
    """
    found: dict[str, BaseException | None] = {}

    def write(name: str) -> None:
        try:
            with opened.transaction():
                opened.rows(SET, (name,))
                if name.startswith("bad"):
                    raise Refused
                if name.startswith("full"):
                    opened._connection.execute("ROLLBACK")
                    raise sqlite3.OperationalError("database or disk is full")
            found[name] = None
        except (Unusable, Refused) as problem:
            found[name] = problem

    threads = [threading.Thread(target=write, args=(name,)) for name in names]
    with opened._lock:
        for number, thread in enumerate(threads, 1):
            thread.start()
            give_up_at = time.monotonic() + PATIENCE
            while opened._waiting < number and time.monotonic() < give_up_at:
                time.sleep(0.001)
    for thread in threads:
        thread.join(PATIENCE)
    return found


def written(folder) -> set[str]:
    """As another process reads it."""
    with sqlite3.connect(f"file:{folder / database.FILE}?mode=ro", uri=True) as other:
        return {name for (name,) in other.execute("SELECT name FROM setting WHERE value = 'x'")}


@pytest.fixture
def commits(monkeypatch):
    counted = []
    patiently = database.Database._patiently

    def counting(self, connection, statement, *more):
        if statement == "COMMIT":
            counted.append(statement)
        return patiently(self, connection, statement, *more)

    monkeypatch.setattr(database.Database, "_patiently", counting)
    return counted


@pytest.mark.parametrize(
    "names", [["a", "b", "c"], ["a", "bad", "c"], ["bad", "b"], ["a", "bad"], ["bad 1", "bad 2"], ["bad"]], ids=str
)
def test_each_turn_is_written_or_not_and_all_with_few_commits(tmp_path, commits, names):
    opened = database.Database(str(tmp_path))
    found = at_once(opened, names)
    good = {name for name in names if not name.startswith("bad")}
    assert {name for name, problem in found.items() if problem is None} == good == written(tmp_path)
    assert len(found) == len(names) and len(commits) == bool(good)
    with opened.transaction():  # nothing is left open
        opened.rows(SET, ("later",))
    assert written(tmp_path) == {*good, "later"}
    opened.close()


@pytest.mark.parametrize(
    "names", [["a", "full", "c"], ["a", "full"], ["full", "b"], ["a", "b", "full", "c", "d"]], ids=str
)
def test_where_sqlite_undoes_everything_nobody_believes_that_it_was_written(tmp_path, names):
    opened = database.Database(str(tmp_path))
    found = at_once(opened, names)
    assert len(found) == len(names), "one waits still"
    assert {name for name, problem in found.items() if problem is None} == written(tmp_path)
    assert {problem.kind for problem in found.values() if problem} == {"full"}
    assert at_once(opened, ["later"]) == {"later": None} and "later" in written(tmp_path)
    opened.close()


def test_where_the_commit_fails_nobody_believes_that_it_was_written(tmp_path, monkeypatch):
    opened = database.Database(str(tmp_path))
    patiently = database.Database._patiently

    def full(self, connection, statement, *more):
        if statement == "COMMIT":
            raise sqlite3.OperationalError("database or disk is full")
        return patiently(self, connection, statement, *more)

    monkeypatch.setattr(database.Database, "_patiently", full)
    found = at_once(opened, ["a", "b", "c"])
    assert {getattr(problem, "kind", None) for problem in found.values()} == {"full"} and not written(tmp_path)
    monkeypatch.undo()
    assert at_once(opened, ["a", "b"]) == {"a": None, "b": None} and written(tmp_path) == {"a", "b"}
    opened.close()
