"""Drives the jobs of all lines in one thread; requests and downloads have bounded pools of theirs.

Scheduler  from lines that may be bought, or gone on with, to a result for each
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from ...base import errors
from ...base.inbox import Inbox, Message, Signal
from ...base.record import replace
from ...console import Console
from ...console.events import ClosedPipe
from ...console.script import unforeseen
from .. import purchase
from ..context import Context
from ..job import Job
from . import task as states
from .asking import Asking, Freed
from .buying import Buying, Hooks, Prepared
from .outcomes import Outcomes
from .part import Part
from .purchases import DELIVERED, NEW, OPEN, UNDER_WAY, UNKNOWN, Known, Purchases
from .reads import Reads
from .task import Port, Service, Task

_AT_ONE_GO = 200
# How long a line is tried again while its service takes nothing at all.
PATIENCE = 300.0
# After the first Ctrl-C creates that are out have so long to be answered.
_LAST_ANSWERS = 10.0
# How often the ledger is asked about lines that another process is at.
_LOOK_ELSEWHERE = 1.0
_LONGEST_SLEEP = 0.5
_UNFINISHED = (11, 130, 143)


class Scheduler:
    """Runs the tasks; `run` returns the number of the signal that ended it, or None.

    continues_on_unknown  an unknown outcome does not stop new submits to its service
    deadline              nothing new is begun after it, on the clock of time.monotonic
    """

    def __init__(
        self,
        console: Console,
        tasks: list[Task],
        purchases: Purchases,
        outcomes: Outcomes,
        *,
        continues_on_unknown: bool,
        deadline: float = float("inf"),
    ):
        self._console = console
        self._purchases = purchases
        self._outcomes = outcomes
        self._continues = continues_on_unknown
        self._deadline = deadline
        self._tasks = tasks
        self._inbox = Inbox()
        self._services = list(dict.fromkeys(task.service for task in tasks))
        self._asking = Asking(self._inbox, self._services)
        hooks = Hooks(self._begin, self._context, self._refuse, self._place, self._broken)
        self._buying = Buying(self._inbox, purchases, hooks, len(tasks))
        self._resuming: deque[tuple[Task, Callable[[], Job]]] = deque()
        self._reads = Reads(self._inbox, self._look, self._asking.lister, self._buying.favours_create)
        self._released: list[Task] = []
        self._elsewhere: list[Task] = []
        self._look_at = float("inf")
        self._signal: int | None = None
        self._stop_at = float("inf")

    # -- the loop --------------------------------------------------------------------------------------

    def run(self) -> int | None:
        self._console.on_signal = lambda number: self._inbox.put(Signal(number))
        try:
            self._sort(self._tasks)
            self._let_go()
            while not self._is_over():
                self._turn()
                self._let_go()
            self._buying.give_up()
            return self._signal
        except BaseException:
            self._abandon()
            raise

    def _turn(self) -> None:
        now = time.monotonic()
        self._end_late(now)
        self._reads.turn(now)
        has_sent = self._submit(now)
        self._look_elsewhere(now)
        self._outcomes.tell(now)
        message = self._inbox.take(0.0 if has_sent else self._sleep(now))
        for _ in range(_AT_ONE_GO):
            if message is None:
                break
            self._take(message)
            message = self._inbox.take(0)

    def _is_over(self) -> bool:
        if self._buying.preparing or any(service.running for service in self._services):
            return False
        return self._is_stopping or not (self._elsewhere or self._resuming or self._buying.has_lines)

    @property
    def _is_stopping(self) -> bool:
        return self._signal is not None or time.monotonic() >= self._deadline

    def _sleep(self, now: float) -> float:
        """Seconds until something is to be done although nothing comes."""
        moments = [now + _LONGEST_SLEEP, self._stop_at, self._look_at, self._outcomes.due_at]
        moments.append(self._reads.next_at)
        for service in self._services:
            # What waits for a free place is woken by the message that frees it.
            waits = self._buying.waits(service) or self._resuming or self._reads.waits(service)
            if waits and not service.pace.may_ask(now):
                moments.append(service.pace.ask_at)
        return max(min(moments) - now, 0.0)

    # -- messages ----------------------------------------------------------------------------------------

    def _take(self, message) -> None:
        if isinstance(message, Signal):
            return self._interrupt(message.number)
        owner, content = message
        if isinstance(content, Freed):
            return self._asking.freed(owner)
        if isinstance(owner, Service):
            self._asking.learn(owner, content.content)
            return self._reads.told(owner, content)
        if isinstance(content, Prepared):
            return self._buying.prepared(owner, content)
        if owner.job is None:
            return None  # it has ended already
        if isinstance(content, Message):
            self._asking.learn(owner.service, content.content)
        return self._step(owner, content)

    # -- steps ---------------------------------------------------------------------------------------------

    def _look(self, task: Task) -> None:
        """A job's time has come."""
        self._buying.reads_turn = False
        self._step(task, None)

    def _step(self, task: Task, message) -> None:
        self._drive(task, lambda: task.job.step(message) if task.job else None)

    def _drive(self, task: Task, call) -> None:
        """Do one thing with a job; where that ends it, its result is noted."""
        self._asking.current = task
        try:
            code = call()
        except ClosedPipe:
            raise
        except errors.Failure as failure:
            code = self._console_of(task).failure(failure)
            self._drop(task)
        except Exception as problem:
            code = unforeseen(self._console_of(task), problem)
            self._drop(task)
        finally:
            self._asking.current = None
        service = task.service
        if task.job is None:
            return None if code is None else self._ended(task, code)
        if not task.job.is_submitting:
            service.submitting.discard(task)
        if code is None:
            return self._reads.note(task)
        task.job.close()
        task.job = None
        return self._ended(task, code)

    def _drop(self, task: Task) -> None:
        if task.job is not None:
            task.job.abandon()
            task.job.close()
            task.job = None

    # -- what was known before --------------------------------------------------------------------------------

    def _sort(self, tasks: list[Task]) -> None:
        """Each line to where it belongs by what the ledger knows of it. Lines that wait for others stay."""
        able = [task for task in tasks if not task.missing]
        for task, known in zip(able, self._purchases.look(able)):
            self._place(task, known)

    def _place(self, task: Task, known: Known) -> None:
        task.entry, task.ledger = known.entry, known.ledger
        if known.word == NEW:
            self._buying.add(task)
        elif known.word == DELIVERED:
            self._outcomes.delivered_before(task)
            self._finish(task)
        elif known.word == UNDER_WAY or not self._take_over(task, known):
            task.state = states.ELSEWHERE
            self._elsewhere.append(task)
            self._look_at = min(self._look_at, time.monotonic() + _LOOK_ELSEWHERE)
        else:
            self._go_on(task, known)

    @staticmethod
    def _take_over(task: Task, known: Known) -> bool:
        assert known.ledger is not None and known.entry is not None
        return known.ledger.is_read_only or known.ledger.take(known.entry)

    def _go_on(self, task: Task, known: Known) -> None:
        """Resume a job that has an id, or ask what became of one of which nobody knows."""
        way = {OPEN: purchase.resume, UNKNOWN: purchase.reconcile}[known.word]
        entry = known.entry
        assert entry is not None, "something is known"
        if known.word == UNKNOWN:
            task.service.unsettled.add(task)

        def make() -> Job:  # with a context of its own only now: thousands may wait for a free place
            return way(replace(self._context(task, entry.key), ledger=known.ledger), entry)

        self._resuming.append((task, make))

    def _look_elsewhere(self, now: float) -> None:
        """The lines that another process is at: delivered by now, or left by it."""
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_ELSEWHERE if self._elsewhere else float("inf")
        waiting, self._elsewhere = self._elsewhere, []
        for task, known in zip(waiting, self._purchases.look(waiting)):
            self._place(task, known)

    # -- submitting ---------------------------------------------------------------------------------------------

    def _submit(self, now: float) -> bool:
        """Whether a create was sent: there may be another one that can be."""
        if self._is_stopping:
            return False
        has_sent = False
        for _ in range(len(self._resuming)):
            task, make = self._resuming.popleft()
            if task.service.room > 0 and self._reads.may_read(task.service, now):
                self._begin(task, make)
            else:
                self._resuming.append((task, make))
        for service in self._services:
            if service.halted_by is not None:
                self._buying.hold_back(service, service.halted_by)
            elif not service.unsettled or self._continues:
                has_sent |= self._buying.turn(service, now)
        return has_sent

    def _begin(self, task: Task, make: Callable[[], Job]) -> None:
        """Make a line's job, and begin it."""
        task.state = states.RUNNING
        if task.is_bought:
            self._outcomes.begun(task)
        task.service.running.add(task)

        def begin() -> int | None:
            task.job = make()
            return task.job.begin()

        self._drive(task, begin)

    def _console_of(self, task: Task, key: str | None = None) -> Part:
        """The console of a line, made when it is first needed."""
        if task.part is None:
            task.part = Part(
                self._console, self._outcomes.telling, task.id, key, lambda fields: self._retries(task, fields)
            )
        return task.part

    def _context(self, task: Task, key: str | None) -> Context:
        task.part = None
        context, line = task.service.context, task.line
        saving = replace(context.saving, task=line.task or context.saving.task, line=line.id)
        if line.output_name is not None:
            saving = replace(saving, template=line.output_name)
        return replace(context, console=self._console_of(task, key), inbox=Port(self._inbox, task), saving=saving)

    # -- ends ------------------------------------------------------------------------------------------------

    def _retries(self, task: Task, fields: dict) -> bool:
        """Whether a line that bought nothing is put back: its service refused it for now, or could not be reached."""
        is_free = fields.get("outcome") in ("rejected", "not_sent")
        if not (is_free and fields.get("retryable") and fields.get("category") == "transient") or self._is_stopping:
            return False
        now = time.monotonic()
        task.tried_from = task.tried_from or now
        last = max(task.tried_from, task.service.pace.well_at or 0.0)
        task.is_put_back = now - last < PATIENCE
        if task.is_put_back and fields.get("retry_after_seconds"):
            task.service.pace.wait(now + fields["retry_after_seconds"])
        return task.is_put_back

    def _ended(self, task: Task, exit_code: int) -> None:
        service = task.service
        service.running.discard(task)
        service.submitting.discard(task)
        service.unsettled.discard(task)
        if task.is_put_back:
            task.is_put_back = False
            self._buying.add(task)
            return
        if task.entry is not None and task.ledger is not None:
            task.ledger.release(task.entry.key)
        self._outcomes.ended(task, exit_code)
        if exit_code == 0 or exit_code == 10:
            self._purchases.billed()
        if exit_code == 12 and not self._continues:
            service.halted_by = service.halted_by or task
        self._finish(task)

    def _refuse(self, task: Task, failure: errors.Failure) -> None:
        """A line that is not bought, and why."""
        task.part = None
        self._ended(task, self._console_of(task).failure(failure))

    def _broken(self, task: Task, problem: BaseException) -> None:
        """A line that is not bought, for a reason that nobody foresaw."""
        self._ended(task, unforeseen(self._console_of(task), problem))

    def _finish(self, task: Task) -> None:
        """A line has its result: the lines that wait for its output go on, or never will."""
        task.state = states.DONE
        self._purchases.done_with(task)
        task.let_go()
        waiting = [(task, child) for child in task.children]
        while waiting:
            parent, child = waiting.pop()
            if child.state != states.WAITING:
                continue
            if parent.exit_code in _UNFINISHED:
                continue  # it goes on when the same is run again
            if parent.exit_code == 0:
                child.missing -= 1
                if not child.missing:
                    self._released.append(child)
                continue
            self._outcomes.skipped(child, parent, self._console_of(child))
            child.state = states.DONE
            waiting += [(child, grandchild) for grandchild in child.children]

    def _let_go(self) -> None:
        """Lines that have all that they need by now."""
        while self._released:
            released, self._released = self._released, []
            able = []
            for task in released:
                try:
                    self._purchases.identify(task)
                    self._purchases.ask_price(task)
                    able.append(task)
                except errors.Failure as failure:
                    self._refuse(task, failure)
            self._sort(able)

    # -- stopping --------------------------------------------------------------------------------------------

    def _interrupt(self, number: int) -> None:
        """The first signal lets creates that are out come to their answers; the second ends them as well."""
        again = self._signal is not None
        self._signal = self._signal or number
        self._stop_at = min(self._stop_at, time.monotonic() + _LAST_ANSWERS)
        for service in self._services:
            for task in [*service.running]:
                # A job with its create out takes the first signal as a wish, and the second as an order.
                times = 2 if again else 0 if task.job and task.job.is_submitting else 1
                for _ in range(times):
                    if task.job is not None:
                        self._step(task, Signal(number))
        self._buying.give_up()

    def _end_late(self, now: float) -> None:
        """What a signal or the deadline has to end by now."""
        if self._signal is not None:
            for service in self._services:
                for task in [*service.running]:
                    if task.job and (now >= self._stop_at or not task.job.is_submitting) and not task.is_told_to_stop:
                        task.is_told_to_stop = True
                        self._step(task, Signal(self._signal))
        elif now >= self._deadline:
            self._buying.give_up()

    def _abandon(self) -> None:
        """Nobody reads any more, or worse: record what is known, and send nothing more."""
        for service in self._services:
            for task in service.running:
                if task.job is not None:
                    task.job.abandon()
                    task.job.close()
        self._buying.give_up()
