"""Jobs driven step by step: many of them in one thread, each waiting without one."""

from __future__ import annotations

import json
import queue
import threading
import time
from dataclasses import dataclass

import pytest

from conftest import KEY, PATIENCE
from fake_service import PNG, FakeService, answer, job
from mediakit.base import amounts
from mediakit.base.inbox import Signal
from mediakit.console import Console
from mediakit.jobs.connection import Connection
from mediakit.jobs.context import Context
from mediakit.jobs.job import Job
from mediakit.jobs.lifecycle.policy import WaitPolicy
from mediakit.jobs.start import Start, Submission
from mediakit.ledger import entries, store
from mediakit.media.save import Saving
from mediakit.services import keys, providers

SERVICE = providers.load("skills-video")


class Told(Console):
    """A console that keeps what it is told."""

    def __init__(self):
        super().__init__("test")
        self.events: list[dict] = []

    def _write(self, event: dict) -> None:
        self.events.append(event)

    def result(self, event: str, exit_code: int, **fields) -> int:
        self.emit(event, **fields, exit_code=exit_code)
        return exit_code


@dataclass
class Port:
    """Where one job's threads put what they have to say, in a queue that all jobs share."""

    shared: queue.SimpleQueue
    number: int

    def put(self, message) -> None:
        self.shared.put((self.number, message))


class Scheduler:
    """Drives jobs from one thread, as a batch would."""

    def __init__(self):
        self.shared: queue.SimpleQueue = queue.SimpleQueue()
        self.jobs: list[Job] = []
        self.codes: dict[int, int] = {}

    def add(self, context: Context, start: Start, writer=None) -> None:
        self.jobs.append(Job(context, start, writer, Port(self.shared, len(self.jobs))))

    def begin(self) -> None:
        for number, one in enumerate(self.jobs):
            self._note(number, one.begin())

    def _note(self, number: int, code: int | None) -> None:
        if code is not None:
            self.codes[number] = code
            self.jobs[number].close()

    def turn(self, seconds: float = 0.05) -> None:
        """One message, or whatever is due."""
        try:
            number, message = self.shared.get(timeout=seconds)
            if number not in self.codes:
                self._note(number, self.jobs[number].step(message))
        except queue.Empty:
            pass
        now = time.monotonic()
        for number, one in enumerate(self.jobs):
            if number not in self.codes and one.wake_at <= now:
                self._note(number, one.step(None))

    def until(self, holds) -> None:
        give_up_at = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < give_up_at, self.codes
            self.turn()


def context(service, ledger=None, folder=None, **policy) -> Context:
    connection = Connection(SERVICE, service.base_url, keys.Key(KEY, "a test"))
    return Context(Told(), connection, ledger, WaitPolicy(stream=False, **policy), Saving(folder=folder))


def told_by_path(states: dict[str, list[dict]]):
    """A handler that tells of each job the next of its bodies, and the last one for ever."""
    lock = threading.Lock()

    def handler(exchange) -> None:
        generation_id = exchange.request.path.rpartition("/")[2]
        with lock:
            bodies = states[generation_id]
            body = bodies.pop(0) if len(bodies) > 1 else bodies[0]
        answer(200, {**body, "id": generation_id})(exchange)

    return handler


def test_many_jobs_are_driven_to_their_files_by_one_thread(tmp_path):
    with FakeService(media=answer(200, PNG, media_type="image/png")) as service:
        done = job("COMPLETED", f"{service.origin}/media/1.png")
        states = {f"gen_{n}": [job("IN_QUEUE"), job("IN_PROGRESS"), done] for n in range(30)}
        service._scripts["read"] = [told_by_path(states)]
        scheduler = Scheduler()
        consoles = []
        for generation_id in states:
            one = context(service, folder=str(tmp_path), poll_interval=0.1)
            consoles.append(one.console)
            scheduler.add(one, Start("owner/model", generation_id=generation_id))
        scheduler.begin()
        scheduler.until(lambda: len(scheduler.codes) == 30)
    assert set(scheduler.codes.values()) == {0}
    assert len(list(tmp_path.glob("*.png"))) == 30
    for console, generation_id in zip(consoles, states):
        last = console.events[-1]
        assert (last["event"], last["generation_id"], len(last["assets"])) == ("terminal", generation_id, 1)


def test_a_job_that_waits_between_two_polls_holds_no_thread():
    before = set(threading.enumerate())
    with FakeService() as service:
        states = {f"gen_{n}": [job("IN_PROGRESS")] for n in range(20)}
        service._scripts["read"] = [told_by_path(states)]
        scheduler = Scheduler()
        for generation_id in states:
            one = context(service, poll_interval=3600.0, poll_request_timeout=800.0)
            scheduler.add(one, Start(generation_id=generation_id))
        scheduler.begin()
        # A job that waits wakes in seconds; one that is being read gives up after minutes.
        scheduler.until(lambda: all(0.5 < one.wake_at - time.monotonic() < 60 for one in scheduler.jobs))
        for thread in set(threading.enumerate()) - before:
            if "_accept" not in thread.name:  # the server's own
                thread.join(PATIENCE)
        assert {thread.name for thread in set(threading.enumerate()) - before if "_accept" not in thread.name} == set()
        for one in scheduler.jobs:
            one.close()


@pytest.mark.parametrize("phase", ["waiting", "saving"])
def test_a_signal_ends_each_job_with_the_way_on(tmp_path, phase):
    release = threading.Event()

    def slow(exchange) -> None:
        exchange.wait(release)

    with FakeService(media=slow) as service:
        body = job("IN_PROGRESS") if phase == "waiting" else job("COMPLETED", f"{service.origin}/media/1.png")
        service._scripts["read"] = [answer(200, body)]
        scheduler, one = Scheduler(), context(service, folder=str(tmp_path / "out"))
        scheduler.add(one, Start(generation_id="gen_1"))
        scheduler.begin()
        if phase == "saving":
            scheduler.until(lambda: service.count("GET", "/media/"))
        else:
            scheduler.until(lambda: any(event["event"] == "poll" for event in one.console.events))
        assert scheduler.jobs[0].step(Signal(2)) == 130
        last = one.console.events[-1]
        assert (last["event"], last["generation_id"]) == ("interrupted", "gen_1") and "gen_1" in last["next_argv"]
        scheduler.jobs[0].close()
        release.set()


def test_a_bought_job_is_delivered_in_the_ledger_once_its_files_are_there(tmp_path):
    ledger = store.Ledger(str(tmp_path))
    order = store.Order(
        amounts.digest("f"),
        amounts.digest("request"),
        "a",
        "b",
        0,
        "m",
        None,
        None,
        None,
        1,
        "",
        '{"prompt": "x"}',
        None,
    )
    entry = ledger.claims.claim([order], [])[0].entry
    with FakeService(media=[answer(418), answer(200, PNG, media_type="image/png")]) as service:
        done = job("COMPLETED", f"{service.origin}/media/1.png")
        service._scripts["create"] = [answer(200, done)]
        service._scripts["read"] = [answer(200, done)]
        delivered = []
        for start in (
            Start("m", Submission("/generation/m", {"prompt": "x"}), noted={"prompt": "x"}),
            Start("m", generation_id="gen_1", resumed=("undelivered", "…")),
        ):
            scheduler, one = Scheduler(), context(service, ledger, str(tmp_path / "out"))
            scheduler.add(one, start, entries.Writer(one.console, ledger, ledger.find(entry.key)))
            scheduler.begin()
            scheduler.until(lambda scheduler=scheduler: scheduler.codes)
            delivered.append((scheduler.codes[0], ledger.find(entry.key).delivered_at is not None))
        assert delivered == [(26, False), (0, True)] and service.posts() == 1
        record = json.loads((next((tmp_path / "out").glob("*.json"))).read_text())
        assert record["payload"] == {"prompt": "x"} and record["job"] == entry.key
