"""The ledger and its rules, without a network: what a claim comes to, caps, amounts."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT, SCRIPTS
from ledger_orders import buy, order, words
from mediakit.base import amounts, errors, times
from mediakit.ledger import database, locks, store
from mediakit.services import answers
from mediakit.services.descriptor import CostRule

CREDITS = amounts.Amount.of(12, "credits")


@pytest.fixture
def ledger(tmp_path):
    return store.Ledger(str(tmp_path))


def the_owner_dies(ledger, *decisions) -> None:
    for decision in decisions:
        ledger.release(decision.entry.key)


# what became of the first -> (columns, its owner lives, what the same command then is)
FATES = {
    "nothing yet": ({}, True, "wait"),
    "killed before the first byte": ({}, False, "buy"),
    "the POST is out": ({"outcome": "sending"}, True, "wait"),
    "killed with the POST out": ({"outcome": "sending"}, False, "unknown"),
    "unknown, and being reconciled": ({"outcome": "unknown"}, True, "wait"),
    "unknown": ({"outcome": "unknown"}, False, "unknown"),
    "rejected": ({"outcome": "rejected"}, False, "buy"),
    "not sent": ({"outcome": "not_sent"}, False, "buy"),
    "accepted": ({"outcome": "accepted", "generation_id": "g"}, False, "resume"),
    "accepted, still watched": ({"outcome": "accepted", "generation_id": "g"}, True, "resume"),
    "accepted without an id": ({"outcome": "accepted"}, False, "unknown"),
    "delivered": ({"outcome": "accepted", "generation_id": "g", "delivered_at": 5.0}, False, "buy"),
    "gone": ({"outcome": "accepted", "generation_id": "g", "closed": "gone"}, False, "buy"),
}


@pytest.mark.parametrize("fate", FATES)
def test_what_the_same_command_comes_to(ledger, fate):
    columns, owner_lives, expected = FATES[fate]
    first = buy(ledger)[0]
    if columns:
        ledger.record(first.entry.key, fate, **columns)
    if not owner_lives:
        the_owner_dies(ledger, first)
    second = buy(ledger)[0]
    assert second.word == expected
    assert (second.entry.key != first.entry.key) == (expected == "buy")


def test_a_purchase_delivered_after_the_command_began_is_its_own(ledger):
    first = buy(ledger)[0]
    ledger.accepted(first.entry.key, "g", "answer")
    before = times.now()
    ledger.delivered(first.entry.key, 0)
    assert words(buy(ledger, began=before)) == ["resume"]
    assert words(buy(ledger, began=times.now())) == ["buy"]


# what was done to the clock after the job was delivered, in seconds; the ticks go on
@pytest.mark.parametrize("jump", [-86400.0, -60.0, 0.0, 60.0, 86400.0])
def test_a_clock_that_is_set_makes_nothing_of_a_purchase_that_was_delivered_before(ledger, jump, monkeypatch):
    first = buy(ledger)[0]
    ledger.accepted(first.entry.key, "g", "answer")
    before = times.now()
    ledger.delivered(first.entry.key, 0)
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + jump)
    assert words(ledger.claims.look([order()], before)) == ["resume"]
    assert words(buy(ledger, began=times.now())) == ["buy"]


def test_another_intent_another_copy_and_another_prompt_are_other_purchases(ledger):
    assert words(buy(ledger)) == ["buy"]
    assert words(buy(ledger, order(intent="x"))) == ["buy"]
    assert words(buy(ledger, order(copy=2))) == ["buy"]
    assert words(buy(ledger, order("b"))) == ["buy"]


def test_copies_that_were_bought_together_are_delivered_together(ledger):
    copies = [order(copy=1), order(copy=2), order(copy=3)]
    decisions = buy(ledger, *copies)
    the_owner_dies(ledger, *decisions)
    ledger.record(decisions[0].entry.key, "d", outcome="accepted", generation_id="g1", delivered_at=5.0)
    ledger.record(decisions[1].entry.key, "a", outcome="accepted", generation_id="g2")
    again = buy(ledger, *copies)
    assert words(again) == ["resume", "resume", "buy"]  # the third was never sent
    assert again[2].entry.purchase == decisions[0].entry.purchase


def test_an_unknown_one_stays_and_refuses_after_a_duplicate_was_allowed(ledger):
    first = buy(ledger)[0]
    ledger.record(first.entry.key, "?", outcome="unknown")
    the_owner_dies(ledger, first)
    second = buy(ledger, allow_duplicate=True)[0]
    ledger.record(second.entry.key, "d", outcome="accepted", generation_id="g", delivered_at=5.0)
    assert [(found.word, found.entry.key) for found in buy(ledger)] == [("unknown", first.entry.key)]


def test_retry_unknown_replaces_the_intent_and_its_cost_stays_counted(ledger):
    first = buy(ledger, order(price=amounts.Price(CREDITS, "estimate")))[0]
    ledger.record(first.entry.key, "?", outcome="unknown")
    the_owner_dies(ledger, first)
    second = buy(ledger, order(price=amounts.Price(CREDITS, "estimate")), retry_unknown=True)[0]
    assert second.word == "buy"
    assert ledger.caps.spent("credits", False) == 2 * CREDITS.micro
    ledger.record(second.entry.key, "d", outcome="accepted", generation_id="g", delivered_at=5.0)
    assert words(buy(ledger)) == ["buy"]


def test_one_id_is_one_job(ledger):
    first, second = buy(ledger, order("a"), order("b"))
    assert ledger.accepted(first.entry.key, "g", "answer") is None
    assert ledger.accepted(second.entry.key, "g", "the list of running jobs") == first.entry.key
    assert ledger.find(second.entry.key).generation_id is None
    assert ledger.unclaimed("service", "o", ["g", "h"]) == ["h"]
    assert ledger.unclaimed("service", "elsewhere", ["g", "h"]) == ["g", "h"]


def test_an_id_that_the_service_gives_twice_leaves_both_entries_with_a_way_on(ledger):
    first, second, there = buy(ledger, order("a"), order("b"), order("c", origin="elsewhere"))
    assert ledger.accepted(first.entry.key, "1", "answer") is None
    assert ledger.accepted(second.entry.key, "1", "answer") == first.entry.key
    assert ledger.accepted(there.entry.key, "1", "answer") is None
    for bought, prompt, origin, twin in (
        (first, "a", "o", None), (second, "b", "o", first.entry.key), (there, "c", "elsewhere", None),
    ):  # fmt: skip
        found = ledger.find(bought.entry.key)
        assert (found.generation_id, found.twin, found.closed) == ("1", twin, None)
        assert words(buy(ledger, order(prompt, origin=origin))) == ["resume"]


def test_a_key_is_kept_as_a_salted_hash(ledger, tmp_path):
    assert ledger.account(None) == ""
    assert ledger.account("your_api_key_here") == ledger.account("your_api_key_here") != ledger.account("another_key")
    bought = buy(ledger, key="your_api_key_here")[0]
    assert bought.entry.account == ledger.account("your_api_key_here")
    ledger.release(bought.entry.key)
    assert all(b"your_api_key_here" not in path.read_bytes() for path in tmp_path.glob("ledger*"))


@pytest.mark.skipif(os.name == "nt", reason="mode bits")
def test_nobody_else_can_read_it(ledger, tmp_path):
    buy(ledger)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("ledger*")} == {0o600}


def test_what_is_forgotten_is_gone_but_for_its_cost(ledger):
    first = buy(ledger)[0]
    ledger.record(first.entry.key, "d", outcome="accepted", generation_id="g", cost=CREDITS.micro, cost_unit="credits")
    ledger.forget(first.entry.key)
    found = ledger.find(first.entry.key)
    assert (found.payload, found.command, found.closed) == (None, "", "forgotten")
    assert ledger.newest(10) == [] and ledger.caps.spent("credits", False) == CREDITS.micro
    assert words(buy(ledger)) == ["buy"]


def test_a_newer_ledger_is_left_alone(tmp_path):
    store.Ledger(str(tmp_path)).close()
    with sqlite3.connect(tmp_path / database.FILE) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(store.Unusable) as problem:
        store.Ledger(str(tmp_path))
    assert problem.value.kind == "newer"


def test_fifty_processes_that_claim_at_once_buy_once(tmp_path):
    program = (
        "import sys; sys.path[:0] = sys.argv[1:4]\n"
        "import ledger_orders; from mediakit.ledger import store\n"
        "ledger = store.Ledger(sys.argv[4])\n"
        "decision = ledger.claims.claim([ledger_orders.order()], [])[0]\n"
        "print(decision.word, flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [
        sys.executable,
        "-c",
        program,
        str(SCRIPTS),
        str(ROOT / "tests"),
        os.path.dirname(__file__),
        str(tmp_path),
    ]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(50)]
    try:
        said = sorted(process.stdout.readline().strip() for process in running)
    finally:
        for process in running:
            process.communicate()
    assert said == ["buy"] + ["wait"] * 49


# -- caps and amounts ----------------------------------------------------------------------------------

# (caps, what is spent before, price, accepts an unknown cost) -> None, or the code of the refusal
CAPS = [
    ("20credits", 0, 12, False, None),
    ("12credits", 0, 12, False, None),
    ("11.5credits", 0, 12, False, "spend_cap"),
    ("20credits", 12, 12, False, "spend_cap"),
    ("24credits/day", 12, 12, False, None),
    ("23credits/day", 12, 12, False, "spend_cap"),
    ("100credits, 23credits/day", 12, 12, False, "spend_cap"),
    ("20credits", 0, None, False, "unknown_cost"),
    ("20credits", 0, None, True, None),
    ("5usd", 0, 12, False, "unknown_cost"),
]


@pytest.mark.parametrize("text, before, price, accepts, code", CAPS)
def test_a_cap_counts_what_is_spent_and_reserved(ledger, text, before, price, accepts, code):
    if before:
        first = buy(ledger, order("before", price=amounts.Price(amounts.Amount.of(before, "credits"), "estimate")))[0]
        ledger.record(first.entry.key, "?", outcome="unknown")
    wanted = order(price=amounts.Price(amounts.Amount.of(price, "credits"), "estimate") if price else None)
    caps = amounts.parse_caps("AI_MEDIA_MAX_SPEND", text)
    if code is None:
        assert words(buy(ledger, wanted, caps=caps, accept_unknown_cost=accepts)) == ["buy"]
        return
    with pytest.raises(errors.Failure) as refusal:
        buy(ledger, wanted, caps=caps, accept_unknown_cost=accepts)
    assert (refusal.value.code, refusal.value.exit_code) == (code, 27)
    assert ledger.newest(10, outcome="planned") == []


def test_what_was_refused_or_not_sent_counts_nothing_and_practice_counts_apart(ledger):
    price = amounts.Price(CREDITS, "estimate")
    for prompt, outcome in (("a", "rejected"), ("b", "not_sent")):
        ledger.record(buy(ledger, order(prompt, price=price))[0].entry.key, outcome, outcome=outcome)
    buy(ledger, order("c", price=price, practice=1))
    assert ledger.caps.spent("credits", False) == 0 and ledger.caps.spent("credits", True) == CREDITS.micro


def test_a_resume_needs_no_room_under_a_cap(ledger):
    first = buy(ledger, order(price=amounts.Price(CREDITS, "estimate")))[0]
    ledger.accepted(first.entry.key, "g", "answer")
    caps = amounts.parse_caps("x", "12credits")
    assert words(buy(ledger, order(price=amounts.Price(CREDITS, "estimate")), caps=caps)) == ["resume"]


@given(st.integers(0, 10**12), st.sampled_from(["credits", "usd"]))
def test_an_amount_is_read_as_it_is_written(micro, unit):
    amount = amounts.Amount(micro, unit)
    text = f"{micro // amounts.MICRO}.{micro % amounts.MICRO:06d}{unit}"
    assert amounts.parse_amount("x", text) == amount


@pytest.mark.parametrize("text", ["5", "", "credits", "-5usd", "1e3usd", "nanusd", "infusd", "5 usd usd", "٣usd"])
def test_what_is_no_amount_is_a_bad_argument(text):
    with pytest.raises(errors.Failure) as refusal:
        amounts.parse_amount("--max-spend", text)
    assert refusal.value.exit_code == 2


@given(
    st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=5), max_size=4)
)
def test_a_fingerprint_does_not_depend_on_the_order_of_fields(payload):
    assert amounts.digest(payload) == amounts.digest(dict(reversed(payload.items())))


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["buy", "kill", "send", "accept", "deliver", "unknown"]), max_size=25))
def test_no_sequence_of_events_leaves_two_open_jobs_for_one_intent(tmp_path_factory, events):
    ledger = store.Ledger(str(tmp_path_factory.mktemp("ledger")))
    number = 0
    for event in events:
        opened = ledger.open_jobs()
        assert len(opened) <= 1
        if event == "buy":
            buy(ledger)
        elif opened and event == "kill":
            ledger.release(opened[0].key)
        elif opened and event == "send" and opened[0].outcome == "planned":
            ledger.record(opened[0].key, event, outcome="sending")
        elif opened and event == "unknown" and opened[0].outcome == "sending":
            ledger.record(opened[0].key, event, outcome="unknown")
        elif opened and event == "accept" and opened[0].outcome == "sending":
            number += 1
            ledger.accepted(opened[0].key, f"g{number}", "answer")
        elif opened and event == "deliver" and opened[0].generation_id:
            ledger.record(opened[0].key, event, delivered_at=5.0)
            ledger.release(opened[0].key)
    for entry in ledger.open_jobs():
        ledger.release(entry.key)


def test_the_file_system_of_a_folder_is_that_of_its_last_mount():
    mounts = (
        "22 1 0:20 / / rw - ext4 /dev/sda rw\n"
        "30 22 0:30 / /home rw shared:1 - nfs4 server:/home rw\n"
        "31 30 0:31 / /home/me/my\\040disk rw - tmpfs tmpfs rw\n"
    )
    assert locks.file_system_of("/home/me", mounts) == "nfs4"
    assert locks.file_system_of("/homestead", mounts) == "ext4"
    assert locks.file_system_of("/home/me/my disk/x", mounts) == "tmpfs"


def test_a_command_that_ended_before_its_create_does_not_use_up_a_cap(ledger):
    """Its inputs were refused, say: nothing was sent, and nobody will ask for the same again."""
    price = amounts.Price(CREDITS, "estimate")
    caps = amounts.parse_caps("AI_MEDIA_MAX_SPEND", "20credits")
    first = buy(ledger, order("first", price=price), caps=caps)
    with pytest.raises(errors.Failure):
        buy(ledger, order("second", price=price), caps=caps)
    the_owner_dies(ledger, *first)
    assert words(buy(ledger, order("second", price=price), caps=caps)) == ["buy"]
    assert ledger.find(first[0].entry.key).outcome == "not_sent"
    assert [row[5] for row in ledger.totals()] == [1]


def test_an_id_that_one_process_has_found_is_not_unwritten_by_another(ledger):
    first = buy(ledger)[0]
    ledger.record(first.entry.key, "?", outcome="unknown")
    the_owner_dies(ledger, first)
    from mediakit import console
    from mediakit.ledger import entries

    late = entries.Writer(console.Console("test"), ledger, ledger.find(first.entry.key))
    assert ledger.accepted(first.entry.key, "g", "answer") is None
    with pytest.raises(store.Unusable):
        late.before_sending()
    late.note("unknown", None, None, None)
    assert ledger.find(first.entry.key).outcome == "accepted"


def test_an_id_is_looked_for_at_the_service_that_is_named(ledger):
    jobs = buy(ledger, order("a", service="one"), order("b", service="other"))
    for job in jobs:
        ledger.accepted(job.entry.key, "7", "answer")
    assert [ledger.find("7", service).service for service in ("one", "other", None)] == ["one", "other", "other"]
    assert ledger.find("7", "third") is None
    assert ledger.find(jobs[0].entry.key, "other") is None


def test_the_bills_of_a_model_tell_what_was_asked_for_where_it_was_kept(ledger):
    for asked, payload in (("first", None), ("second", '{"n": 4}')):
        bought = buy(ledger, order(asked, payload=payload))[0]
        ledger.record(bought.entry.key, "billed", outcome="accepted", cost=CREDITS.micro, cost_unit="credits")
    assert ledger.bills("service", "o", "m") == [(CREDITS, {"n": 4}), (CREDITS, None)]
    assert ledger.bills("service", "o", "another") == ledger.bills("another", "o", "m") == []
    assert ledger.bills("service", "elsewhere", "m") == []


def test_the_practice_of_every_address_is_one_price(ledger):
    bought = buy(ledger, order("practice", practice=1))[0]
    ledger.record(bought.entry.key, "billed", outcome="accepted", cost=CREDITS.micro, cost_unit="credits")
    assert ledger.bills("service", "elsewhere", "m") == [(CREDITS, {"prompt": "a"})]


def usd(amount) -> amounts.Price:
    return amounts.Price(amounts.Amount.of(amount, "usd"), "service")


# in all so far, cap, price found since -> the code of the refusal
REPRICED = [
    (0, 10, 4, None), (0, 10, 5.1, "spend_cap"), (1, 10, 5, "spend_cap"), (0, 10, None, "unknown_cost"),
    (10, 10, 0, "spend_cap"), (0, 10, 1e30, "spend_cap"),
]  # fmt: skip


@pytest.mark.parametrize("spent, cap, price, code", REPRICED)
def test_what_was_claimed_without_a_price_is_held_to_the_caps_once_it_has_one(ledger, spent, cap, price, code):
    before = buy(ledger, order("before", price=usd(spent)))[0]
    ledger.note_outcome(before.entry.key, "unknown")
    decisions = buy(ledger, order(), order(copy=2))
    caps = [amounts.Cap(amounts.Amount.of(cap, "usd"), None, "AI_MEDIA_MAX_SPEND")]
    found = None if price is None else usd(price)
    arguments = (decisions, found, caps, False, lambda *_: 0)
    if code is None:
        ledger.claims.reprice(*arguments)
        assert [ledger.find(one.entry.key).reserved for one in decisions] == [found.amount.micro] * 2
        ledger.claims.reprice(*arguments)  # what it has reserved itself is no reason against it
        assert ledger.caps.spent("usd", False) == (spent + 2 * price) * amounts.MICRO
        return
    with pytest.raises(errors.Failure) as raised:
        ledger.claims.reprice(*arguments)
    assert (raised.value.code, raised.value.exit_code) == (code, 27)
    ledger.claims.withdraw(decisions, "no")
    assert ledger.caps.spent("usd", False) == spent * amounts.MICRO
    assert words(buy(ledger, order())) == ["buy"]


@pytest.mark.parametrize("bill", [9.9e11, 1e12, 1e18, 2**63, 10**40, 1e300])
def test_absurd_bills_are_counted_and_no_damage(ledger, bill):
    for number in range(10):
        bought = buy(ledger, order(str(number), price=usd(bill)))[0]
        amount = answers.amount((CostRule("usd", at="/cost"),), {"cost": bill}).times(100)
        ledger.record(bought.entry.key, "billed", outcome="accepted", cost=amount.micro, cost_unit=amount.unit)
    assert ledger.caps.spent("usd", False) >= 10 * 9.9e11 * amounts.MICRO
    assert sum(row[6] for row in ledger.totals()) >= 10 * 9.9e11 * amounts.MICRO
    again = store.Ledger(ledger.folder)
    assert len(again.bills("service", "o", "m")) == len(again.open_jobs()) == 10
    caps = [amounts.Cap(amounts.parse_amount("--max-spend", "999999999999usd"), None, "--max-spend")]
    with pytest.raises(errors.Failure, match="spent"):
        buy(again, order("more", price=usd(bill)), caps=caps)
    assert words(buy(again, order("more", price=usd(bill)))) == ["buy"]
