"""A damaged, cut, half copied or replaced ledger is found out: never is what it held bought again without a word."""

from __future__ import annotations

import collections
import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys

import pytest

from conftest import SCRIPTS, Run, posts
from ledger_orders import buy, order, words
from mediakit.base import paths
from mediakit.ledger import database, opening, store
from mediakit.ledger.unusable import Unusable
from sandbox_job import flags

DAMAGES = int(os.environ.get("AI_MEDIA_DAMAGES", "80"))
SEED = 20260102


@pytest.fixture
def whole(tmp_path):
    """A folder with a ledger: one job that is accepted and undelivered, among others that are settled."""
    folder = tmp_path / "whole"
    folder.mkdir()
    ledger = store.Ledger(str(folder))
    for number in range(30):
        bought = buy(ledger, order(f"settled {number}"))[0].entry.key
        ledger.accepted(bought, f"g{number}", "answer")
        ledger.delivered(bought, 0)
        ledger.release(bought)
    wanted = buy(ledger, order("wanted"))[0].entry.key
    ledger.note_outcome(wanted, "sending")
    ledger.accepted(wanted, "wanted", "answer")
    ledger.release(wanted)
    ledger.close()
    return folder


def asked_again(folder) -> str:
    """What the same purchase comes to there: a Decision's word, or the kind of Unusable."""
    try:
        ledger = store.Ledger(str(folder))
        try:
            decision = buy(ledger, order("wanted"))[0]
            ledger.release(decision.entry.key)
            return decision.word
        finally:
            ledger.close()
    except Unusable as problem:
        return problem.kind


def flip(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def overwrite(content: bytearray, chance: random.Random) -> None:
    at, length = chance.randrange(len(content)), chance.choice((1, 16, 300, 4096))
    content[at : at + length] = bytes(min(length, len(content) - at))


def scramble(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content))
    piece = chance.randbytes(chance.choice((4, 64, 512)))[: len(content) - at]
    content[at : at + len(piece)] = piece


def cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def swap_pages(content: bytearray, chance: random.Random) -> None:
    pages = len(content) // 4096
    one, other = (4096 * chance.randrange(pages) for _ in range(2))
    first, second = content[one : one + 4096], content[other : other + 4096]
    content[one : one + 4096], content[other : other + 4096] = second, first


KINDS = (flip, overwrite, scramble, cut, swap_pages)


def test_no_damage_to_the_file_makes_the_same_be_bought_again(whole, tmp_path, capsys):
    """Found (refused), or harmless (resumed); nothing else."""
    assert asked_again(whole) == "resume"
    content = (whole / database.FILE).read_bytes()
    told: collections.Counter = collections.Counter()
    for number in range(DAMAGES):
        chance = random.Random(SEED + number)
        damaged = bytearray(content)
        kind = KINDS[number % len(KINDS)]
        kind(damaged, chance)
        folder = tmp_path / f"{number}"
        folder.mkdir()
        (folder / database.FILE).write_bytes(damaged)
        (folder / database.FILE).chmod(0o600)
        came_to = asked_again(folder)
        assert came_to in ("resume", "corrupt", "newer"), (number, kind.__name__, came_to)
        told["harmless" if came_to == "resume" else "found"] += 1
        shutil.rmtree(folder)
    with capsys.disabled():
        print(f"\n{DAMAGES} damages: {told['found']} found, {told['harmless']} harmless, 0 bought again")


@pytest.mark.parametrize("largest", [opening._WHOLLY_CHECKED, 0], ids=["a small ledger", "a large one"])
def test_no_flipped_byte_of_the_row_itself_hides_it(whole, tmp_path, monkeypatch, largest):
    """The bytes by which the purchase is known, as other characters that could stand there.

    A small file is checked wholly when it is opened; of a large one, row by row, what decides.
    """
    monkeypatch.setattr(opening, "_WHOLLY_CHECKED", largest)
    ledger = store.Ledger(str(whole))
    entry = ledger.find("wanted")
    ledger.close()
    content = (whole / database.FILE).read_bytes()
    folder = tmp_path / "copy"
    folder.mkdir()
    came_to: collections.Counter = collections.Counter()
    for value in (entry.fingerprint, entry.request, entry.key, entry.service, "accepted", "wanted"):
        at = content.find(value.encode())
        while at >= 0:
            for place in range(at, at + len(value), 7):
                damaged = bytearray(content)
                damaged[place] = ord("0") if damaged[place] != ord("0") else ord("1")
                (folder / database.FILE).write_bytes(damaged)
                came_to[asked_again(folder)] += 1
            at = content.find(value.encode(), at + 1)
    assert set(came_to) <= {"resume", "corrupt"} and came_to["corrupt"] > 30, came_to


@pytest.mark.parametrize("where", ["generation_id = 'wanted'", "generation_id = 'g0'", "generation_id = 'g29'", "1"])
def test_a_job_that_was_taken_out_is_missed(whole, where):
    connection = sqlite3.connect(whole / "ledger.sqlite3")
    connection.execute(f"DELETE FROM job WHERE {where}")
    connection.commit()
    connection.close()
    assert asked_again(whole) == "corrupt"


@pytest.mark.parametrize("left", ["the main file alone", "everything but the locks", "an empty file", "only its head"])
def test_a_copy_of_a_part_holds_the_purchase_or_is_refused(whole, tmp_path, left):
    folder = tmp_path / "copy"
    folder.mkdir()
    content = (whole / database.FILE).read_bytes()
    if left == "everything but the locks":
        for file in whole.glob(f"{database.FILE}*"):
            shutil.copy2(file, folder)
    else:
        kept = {"an empty file": b"", "only its head": content[:4096]}.get(left, content)
        (folder / database.FILE).write_bytes(kept)
        (folder / database.FILE).chmod(0o600)
    assert asked_again(folder) == ("corrupt" if left in ("an empty file", "only its head") else "resume")


def test_nothing_stands_in_a_file_beside_it_when_a_transaction_is_over(whole):
    beside = {file.name: file.stat().st_size for file in whole.glob(f"{database.FILE}?*")}
    assert not any(beside.values()) and not any(name.endswith(("-wal", "-shm")) for name in beside)


def test_of_the_first_versions_a_file_without_its_log_is_refused(tmp_path):
    """They kept what was new in a log beside it; a process that was killed left everything there."""
    program = (
        "import os, sqlite3, sys\n"
        "from mediakit.ledger import schema\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA journal_mode=WAL')\n"
        "connection.executescript(f'BEGIN; {schema.MIGRATIONS[0]} PRAGMA user_version=1; COMMIT;')\n"
        "os._exit(0)\n"
    )
    path = tmp_path / database.FILE
    subprocess.run(
        [sys.executable, "-c", program, str(path)], check=True, env={**os.environ, "PYTHONPATH": str(SCRIPTS)}
    )
    path.with_name(path.name + "-wal").unlink()
    assert asked_again(tmp_path) == "corrupt"


@pytest.mark.parametrize(
    "fate", ["removed", "replaced by an empty one", "replaced by an older one", "moved with its folder"]
)
def test_a_ledger_that_goes_while_a_job_runs_is_told_of(scripts, sandbox, fate):
    state = scripts.folder / "state"
    scripts.run(*flags(sandbox, prompt="before"))
    older = (state / database.FILE).read_bytes()
    process = scripts.start(*flags(sandbox, "--stream", "never", "--poll-timeout", "4", prompt="fault:job-slow"))
    while posts(sandbox) < 2:
        sandbox.closing.wait(0.01)
    sandbox.closing.wait(0.5)  # so that its id has been written down
    if fate == "moved with its folder":
        state.rename(scripts.folder / "elsewhere")
    else:
        (state / database.FILE).unlink()
        if fate == "replaced by an empty one":
            store.Ledger(str(state)).close()
        elif fate == "replaced by an older one":
            (state / database.FILE).write_bytes(older)
    stdout, stderr = process.communicate()
    run = Run(process.returncode, stdout, stderr)
    assert run.code == 11 and run.result["generation_id"]
    assert any(event.get("code") == "ledger_write_failed" for event in run.events), run.events
    assert run.events[-1]["event"] == "timeout"


def test_a_ledger_that_goes_before_the_request_is_sent_keeps_it_from_being_sent(whole):
    from mediakit.console import Console
    from mediakit.ledger import entries

    ledger = store.Ledger(str(whole))
    bought = buy(ledger, order("another"))[0]
    writer = entries.Writer(Console("test"), ledger, bought.entry)
    os.unlink(ledger.path)
    store.Ledger(str(whole)).close()
    with pytest.raises(Unusable) as problem:
        writer.before_sending()
    assert problem.value.kind == "replaced" and words(buy(store.Ledger(str(whole)), order("another"))) == ["buy"]


# What reads the ledger, each in its own way.
READERS = [
    ("jobs.py", "list"), ("jobs.py", "spend"),
    ("jobs.py", "resume", "--all-undelivered"), ("create_batch.py", "lines.jsonl", "--dry-run"),
    ("create_and_wait.py", "--provider", "sandbox", "--task", "t2i", "--prompt", "a"),
]  # fmt: skip


@pytest.mark.parametrize("change", ["account = 'odd'", "reserved = -1", "created_at = 'now'"])
def test_an_odd_row_is_a_refusal_and_no_bug_for_whoever_reads_it(scripts, change):
    (scripts.folder / "lines.jsonl").write_text('{"provider": "sandbox", "task": "t2i", "prompt": "a"}\n')
    assert scripts.run("create_and_wait.py", *READERS[-1][1:], "--no-wait").code == 0
    with contextlib.closing(sqlite3.connect(scripts.folder / "state/ledger.sqlite3")) as opened, opened:
        opened.execute(f"UPDATE job SET {change}")
    for script, *given in READERS if change.startswith("account") else READERS[:1]:
        run = scripts.run(script, *given)
        assert (run.code, run.result["error"]) == (27, "ledger_unusable"), run.events
    # What only looks goes on without it.
    assert scripts.run("preflight.py", "--provider", "sandbox", "--task", "t2i").code == 0


@pytest.mark.parametrize("odd", ["at = 'now'", "at = -1", "at = 1e300", "what = x'ff'"])
def test_odd_words_about_a_job_are_no_bug(whole, odd):
    with contextlib.closing(sqlite3.connect(whole / paths.LEDGER)) as opened, opened:
        ((key,),) = opened.execute("SELECT key FROM job WHERE generation_id = 'wanted'").fetchall()
        opened.execute(f"UPDATE change SET {odd}")
    ledger = store.Ledger(str(whole))
    try:
        with pytest.raises(Unusable):
            ledger.changes(key)
    finally:
        ledger.close()
