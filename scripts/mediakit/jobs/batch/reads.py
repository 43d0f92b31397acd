"""When the jobs of a batch want to be looked at, and how: one by one, or many with one look into their service's list.

Reads    of all jobs
Listed   where the threads that read a list report
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections import Counter
from collections.abc import Callable

from ...base.inbox import Inbox, Message
from ...base.record import record, replace
from ...http.answers import Answer
from ...http.documents import read_json
from ...http.exchange import Exchange
from ..lifecycle.reconciling import RECONCILE_TIMEOUT
from .task import Service, Task

_SHORTEST_SLEEP = 0.001
# So many jobs under way are worth a look into the list, and so many of those that are due must be found there.
_WORTH_A_LIST, _WORTH_ANOTHER = 4, 2
# Seconds between two looks; after some that told too little.
_LIST_EVERY, _LIST_PAUSE = 1.0, 15.0
# Of a model whose jobs have all taken a time, a new one is not read before this part of it; after so many of them.
_SURELY_RUNS, _KNOWN_AFTER, _LONGEST_TRUST = 0.8, 5, 60.0
# So many times to wake are kept without a look at whose they are.
_FEW_WAKES = 256
# Seconds between two looks where requests are scarce.
_LIST_SELDOM = 12.0


@record
class Listed:
    """As an inbox: what comes of a list is put where everything is put, with the service that it is of."""

    shared: Inbox
    service: Service

    def put(self, message) -> None:
        self.shared.put((self.service, message))


class Reads:
    """When the jobs want to be looked at.

    step    (task) -> None: what is to be done with a job whose time has come
    begins  (service) -> what begins a look into its list, as Connection.begin
    favours (service) -> whether a create goes before a read now

    note    a job wants to be stepped when its `wake_at` comes
    turn    step the jobs whose time has come, as their services bear it
    told    what a list has said
    next_at when `turn` has something to do, on the clock of time.monotonic
    waits   whether jobs wait only for their service to bear it
    """

    def __init__(
        self,
        inbox: Inbox,
        step: Callable[[Task], None],
        begins: Callable[[Service], Callable],
        favours: Callable[[Service], bool],
    ):
        self._inbox = inbox
        self._step = step
        self._begins = begins
        self._favours = favours
        self._wakes: list[tuple[float, int, Task]] = []
        self._swept_to = 0  # how many were left when those of jobs that have ended were last taken out
        self._order = itertools.count()
        # Whose time has come; and of those whom a list has not shown, so that each is read by itself.
        self._due: dict[Service, dict[Task, None]] = {}
        self._alone: dict[Service, dict[Task, None]] = {}
        self._lists: dict[Service, Exchange] = {}
        self._list_at: dict[Service, float] = {}
        # Until when a list is not worth a look; and whom the latest ones have sent to a read of their own, in vain.
        self._no_list_until: dict[Service, float] = {}
        self._sent_alone: dict[Service, set[Task]] = {}
        self._in_vain: Counter[Service] = Counter()
        # How many jobs of a kind have ended, and the least that one took.
        self._took: dict[tuple, tuple[int, float]] = {}

    def note(self, task: Task) -> None:
        if task.job is None:
            return
        if task.began_at is None and task.is_bought and task.job.generation_id is not None:
            task.began_at = time.monotonic()
        elif task.began_at and task.job.is_saving:
            self._note_time(task)
        if task.job.is_waiting and task in self._sent_alone.get(task.service, ()):
            self._sent_alone[task.service].discard(task)
            self._in_vain[task.service] += 1
        if task.job.wake_at < float("inf"):
            # Never twice in one turn, whatever the job says.
            self._wake(task, max(task.job.wake_at, time.monotonic() + _SHORTEST_SLEEP))

    def _note_time(self, task: Task) -> None:
        count, least = self._took.get(task.kind, (0, _LONGEST_TRUST))
        self._took[task.kind] = count + 1, min(least, time.monotonic() - (task.began_at or 0.0))
        task.began_at = None

    def _wake(self, task: Task, at: float) -> None:
        # A job that has ended leaves the times at which it would have been given up, minutes ahead.
        if len(self._wakes) > 2 * self._swept_to + _FEW_WAKES:
            self._wakes = [wake for wake in self._wakes if wake[2].job is not None]
            heapq.heapify(self._wakes)
            self._swept_to = len(self._wakes)
        heapq.heappush(self._wakes, (at, next(self._order), task))

    def _surely_runs_until(self, task: Task) -> float:
        count, least = self._took.get(task.kind, (0, 0.0))
        return task.began_at + least * _SURELY_RUNS if task.began_at and count >= _KNOWN_AFTER else 0.0

    @property
    def next_at(self) -> float:
        # A list whose time has come waits for its service, or for its answer: a message or the pace tells of both.
        now = time.monotonic()
        lists = [at for service, due in self._due.items() if due and (at := self._list_at.get(service, 0.0)) > now]
        return min([self._wakes[0][0] if self._wakes else float("inf"), *lists])

    def waits(self, service: Service) -> bool:
        return bool(self._alone.get(service) or self._due.get(service))

    def may_read(self, service: Service, now: float) -> bool:
        reads = service.asking - len(service.submitting)
        return reads < service.pace.limits.reads and service.pace.may_ask(now) and not self._favours(service)

    def turn(self, now: float) -> None:
        while self._wakes and self._wakes[0][0] <= now:
            _, _, task = heapq.heappop(self._wakes)
            if task.job is None or task.job.wake_at > now:
                continue  # it has ended, or another entry of it comes
            if task.asking or not task.job.is_waiting:
                self._step(task)
            elif (runs_until := self._surely_runs_until(task)) > now:
                self._wake(task, runs_until)
            elif self._can_be_listed(task):
                self._due.setdefault(task.service, {})[task] = None
            else:
                self._alone.setdefault(task.service, {})[task] = None
        for service, due in self._due.items():
            is_time = service not in self._lists and now >= self._list_at.get(service, 0.0)
            if due and is_time and self.may_read(service, now):
                self._list(service, now)
        for service, alone in self._alone.items():
            self._read(service, alone, now)

    def _read(self, service: Service, alone: dict[Task, None], now: float) -> None:
        while alone and self.may_read(service, now):
            task = next(iter(alone))
            del alone[task]
            if task.job is not None:
                self._step(task)

    # -- lists ---------------------------------------------------------------------------------------------

    def _can_be_listed(self, task: Task) -> bool:
        """Whether one look into the list may stand for a read of this job and of others."""
        service = task.service
        connection = service.context.connection
        if connection.through is not None or not connection.provider.job_list.has_all_models:
            return False
        if self._no_list_until.get(service, 0.0) > time.monotonic():
            return False
        return len(service.running) - len(service.submitting) >= _WORTH_A_LIST

    def _list(self, service: Service, now: float) -> None:
        connection = replace(service.context.connection, begin=self._begins(service))
        wire = connection.wire(Listed(self._inbox, service))
        self._list_at[service] = now + (_LIST_SELDOM if service.pace.is_limited(now) else _LIST_EVERY)
        self._lists[service] = wire.read(
            connection.provider.job_list.method, connection.site.of_list(None), RECONCILE_TIMEOUT
        )

    def told(self, service: Service, message: Message) -> None:
        """Jobs that the list shows as unfinished need no read of their own this time; those that are due are read."""
        if self._lists.get(service) is not message.sender:
            return
        del self._lists[service]
        running: set[str] = set()
        answer = message.content
        is_list = False
        if isinstance(answer, Answer) and 200 <= answer.status < 300:
            is_list = True
            running = service.context.connection.provider.job_list.unfinished(read_json(answer.content)[0])
        due, alone = self._due.pop(service, {}), self._alone.setdefault(service, {})
        found = 0
        for task in service.running:
            if task.job is not None and task.job.is_waiting and task.job.generation_id in running:
                found += task in due
                due.pop(task, None)
                alone.pop(task, None)
                task.job.still_runs()
                self.note(task)
        # It is no help where it shows few of those that are due, and those that it did not show ran all the same.
        in_vain, left = self._in_vain.pop(service, 0), len(self._sent_alone.get(service, ()))
        if not is_list or (found < _WORTH_ANOTHER and in_vain > left):
            self._no_list_until[service] = time.monotonic() + _LIST_PAUSE
        self._sent_alone[service] = {*due}
        alone.update(due)
