"""When a batch looks at its jobs, on a clock of its own: soon after each has ended, and seldom before."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace

import pytest

from mediakit.base.inbox import Message
from mediakit.http.answers import Answer
from mediakit.jobs.batch import reads
from mediakit.jobs.batch.pace import Limits, Pace
from mediakit.services import providers


class Job:
    """A job at a service that takes `seconds`, read at growing pauses as the real one."""

    def __init__(self, clock, number: int, seconds: float):
        self._clock, self._pause = clock, 0.5
        self.generation_id = f"gen_{number}"
        self.ends_at = clock.now + seconds
        self.is_waiting, self.is_saving = True, False
        self.wake_at = clock.now + 1.0
        self.read = 0

    def still_runs(self) -> None:
        self._pause = min(self._pause * 1.5, 3.0)
        self.wake_at = self._clock.now + self._pause


class Task(SimpleNamespace):
    __hash__ = object.__hash__


class World:
    """A service, its list, and the jobs of a batch there.

    shows  how many unfinished jobs its list shows
    """

    def __init__(self, monkeypatch, shows: int, works: bool = True):
        self.now, self.lists, self.late = 100.0, 0, []
        self._shows, self._works = shows, works
        monkeypatch.setattr(reads.time, "monotonic", lambda: self.now)
        connection = SimpleNamespace(through=None, provider=providers.load("skills-video"), wire=lambda inbox: self)
        connection.site = SimpleNamespace(of_list=lambda model: "/generations/running?limit=100")
        self.service = Task(
            pace=Pace(Limits(), lambda: 0.5), running=set(), submitting=set(), asking=0,
            context=SimpleNamespace(connection=connection),
        )  # fmt: skip
        monkeypatch.setattr(reads, "replace", lambda of, **changes: of)
        self.reads = reads.Reads(None, self.step, lambda service: None, lambda service: False)
        self._asked: list = []

    def begin(self, number: int, seconds: float) -> None:
        service = self.service
        task = Task(job=Job(self, number, seconds), service=service, asking=0, is_bought=True, began_at=None, kind="")
        service.running.add(task)
        self.reads.note(task)

    def step(self, task) -> None:
        """A read, answered at once."""
        job = task.job
        job.read += 1
        if self.now < job.ends_at:
            job.still_runs()
        else:
            job.is_waiting, job.is_saving, job.wake_at = False, True, float("inf")
            self.late.append((self.now - job.ends_at, job.read))
            self.service.running.discard(task)
        self.reads.note(task)

    def read(self, method: str, path: str, timeout: float) -> object:
        """As a wire: the list is asked for."""
        self.lists += 1
        self._asked.append(object())
        return self._asked[-1]

    def answer(self) -> None:
        running = [task.job for task in self.service.running if self.now < task.job.ends_at]
        body = [{"id": job.generation_id, "status": "IN_PROGRESS"} for job in running[: self._shows]]
        status = 200 if self._works else 500
        while self._asked:
            told = Answer(status, {}, json.dumps(body).encode())
            self.reads.told(self.service, Message(self._asked.pop(), told))

    def run(self) -> None:
        while self.service.running:
            self.reads.turn(self.now)
            self.answer()
            self.reads.turn(self.now)
            self.now += 0.05


@pytest.mark.parametrize("shows, works", [(10**6, True), (100, True), (3, True), (0, True), (0, False)])
@pytest.mark.parametrize("jobs, least, most", [(3, 5, 15), (60, 1, 2), (300, 5, 15)])
def test_every_job_is_read_soon_after_its_end_and_seldom_before(monkeypatch, shows, works, jobs, least, most):
    world, luck = World(monkeypatch, shows, works), random.Random(1)
    for number in range(jobs):
        world.begin(number, luck.uniform(least, most))
    world.run()
    latest = max(late for late, _ in world.late)
    assert latest <= 4.5, latest  # a pause of 3 s, and a look into the list that it waited for
    asked = world.lists + sum(count for _, count in world.late)
    assert asked <= (2 if shows > jobs else 7) * jobs + 20, (asked, world.lists)


def test_a_job_is_not_read_before_others_of_its_kind_have_ever_ended(monkeypatch):
    world = World(monkeypatch, 0)
    for number in range(6):
        world.begin(number, 20.0)
    world.run()
    world.begin(7, 20.0)
    world.run()
    first, last = world.late[0][1], world.late[-1]
    assert last[1] <= 3 < first and last[0] <= 4.5, world.late


def test_a_list_of_one_model_stands_for_no_reads_of_all():
    listing = {name: providers.load(name) for name in providers.bundled()}
    assert not any("{" in one.job.listing.step.path for one in listing.values() if one.job_list.has_all_models)


def test_jobs_that_have_ended_leave_nothing_behind(monkeypatch):
    world = World(monkeypatch, 0)
    for number in range(3000):
        world.begin(number, 1.0)
        [task] = world.service.running
        task.job.wake_at = world.now + 900.0  # when a create without an answer would be given up
        world.reads.note(task)
        world.service.running.clear()
        task.job = None
    assert len(world.reads._wakes) < 600
