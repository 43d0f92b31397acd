"""Drives the jobs of all lines in one thread; requests and downloads have bounded pools of theirs.

Scheduler  from lines that may be bought, or gone on with, to a result for each
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from ...base import errors
from ...base.inbox import Inbox, Message, Signal
from ...base.workers import Workers
from ...console import Console
from ...console.events import ClosedPipe
from ...console.script import unforeseen
from ...http.answers import Answer, Lost
from .. import purchase, uploads
from ..context import Context
from ..job import Job
from . import task as states
from .outcomes import Outcomes
from .part import Part
from .purchases import DELIVERED, NEW, OPEN, UNDER_WAY, UNKNOWN, Known, Purchases, Wanted
from .reads import Reads
from .task import Port, Service, Task

# So many lines are claimed together: a claim reads the whole ledger, and nothing else happens meanwhile.
_CLAIMED_TOGETHER = (12, 48)
_LARGE = 1000
_AT_ONE_GO = 200
# How long a line is tried again while its service takes nothing at all.
PATIENCE = 300.0
# After the first Ctrl-C creates that are out have so long to be answered.
_LAST_ANSWERS = 10.0
# How often the ledger is asked about lines that another process is at.
_LOOK_ELSEWHERE = 1.0
_LONGEST_SLEEP = 0.5
_DOWNLOADS = 8
_UNFINISHED = (11, 130, 143)
_PREPARERS = 4


class _Freed:
    """A request of a task is over, answered or not."""


class _Prepared:
    """The inputs of a claimed line are at its service: `sent`, or why not."""

    def __init__(self, sent: uploads.Ready | None, problem: BaseException | None = None):
        self.sent = sent
        self.problem = problem


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
        self._ready: dict[Service, deque[Task]] = {task.service: deque() for task in tasks}
        self._claimed: dict[Service, deque[Task]] = {service: deque() for service in self._ready}
        self._resuming: deque[tuple[Task, Callable[[], Job]]] = deque()
        self._reads = Reads(self._inbox, self._look, self._lister, self._favours_create)
        self._released: list[Task] = []
        self._elsewhere: list[Task] = []
        self._look_at = float("inf")
        self._preparing = 0
        self._reads_turn = False
        self._signal: int | None = None
        self._stop_at = float("inf")
        self._downloads = Workers(_DOWNLOADS)
        self._preparers = Workers(_PREPARERS)
        self._workers: dict[Service, Workers] = {}
        for service in self._ready:
            limits = service.pace.limits
            self._workers[service] = Workers(limits.submits + limits.reads)
            connection = replace(service.context.connection, begin=self._beginner(service))
            service.context = replace(service.context, connection=connection, saves=self._downloads)

    # -- the loop --------------------------------------------------------------------------------------

    def run(self) -> int | None:
        self._console.on_signal = lambda number: self._inbox.put(Signal(number))
        try:
            self._sort(self._tasks)
            self._let_go()
            while not self._is_over():
                self._turn()
                self._let_go()
            self._give_up_claims()
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
        if self._preparing or any(service.running for service in self._ready):
            return False
        if self._is_stopping:
            return True
        return (
            not self._elsewhere
            and not self._resuming
            and not any(map(len, (*self._ready.values(), *self._claimed.values())))
        )

    @property
    def _is_stopping(self) -> bool:
        return self._signal is not None or time.monotonic() >= self._deadline

    def _sleep(self, now: float) -> float:
        """Seconds until something is to be done although nothing comes."""
        moments = [now + _LONGEST_SLEEP, self._stop_at, self._look_at, self._outcomes.due_at]
        moments.append(self._reads.next_at)
        for service, ready in self._ready.items():
            # What waits for a free place is woken by the message that frees it.
            waits = ready or self._claimed[service] or self._resuming or self._reads.waits(service)
            if waits and not service.pace.may_ask(now):
                moments.append(service.pace.ask_at)
        return max(min(moments) - now, 0.0)

    # -- messages ----------------------------------------------------------------------------------------

    def _take(self, message) -> None:
        if isinstance(message, Signal):
            return self._interrupt(message.number)
        task, content = message
        if isinstance(task, Service):
            return self._take_list(task, content)
        if isinstance(content, _Freed):
            task.asking -= 1
            task.service.asking -= 1
            return None
        if isinstance(content, _Prepared):
            self._preparing -= 1
            return self._prepared(task, content)
        if task.job is None:
            return None  # it has ended already
        if isinstance(content, Message):
            self._learn(task.service, content.content)
        return self._step(task, content)

    def _take_list(self, service: Service, content) -> None:
        if isinstance(content, _Freed):
            service.asking -= 1
            return
        self._learn(service, content.content)
        self._reads.told(service, content)

    def _learn(self, service: Service, content) -> None:
        """What an answer tells of how much the service bears."""
        now = time.monotonic()
        if isinstance(content, Answer):
            if content.status == 429:
                service.pace.refused(now, content.retry_after)
            elif content.status >= 500:
                service.pace.unreachable(now)
            else:
                service.pace.answered(now)
                if content.retry_after is not None:
                    service.pace.wait(now + content.retry_after)
        elif isinstance(content, Lost) and not content.final:
            service.pace.unreachable(now)

    def _look(self, task: Task) -> None:
        """A job's time has come."""
        self._reads_turn = False
        self._step(task, None)

    def _favours_create(self, service: Service) -> bool:
        """Under a rate creates and reads take turns."""
        return bool(self._claimed[service]) and not self._reads_turn and service.pace.per_minute is not None

    def _lister(self, service: Service):
        """What begins a look into a service's list: counted, and in its pool."""

        def begin(work) -> None:
            service.asking += 1
            service.pace.asked(time.monotonic())

            def run() -> None:
                try:
                    work()
                finally:
                    self._inbox.put((service, _Freed()))

            self._workers[service](run)

        return begin

    def _beginner(self, service: Service):
        """What begins the requests of a service's jobs: counted, and in its pool."""

        def begin(work) -> None:
            task = self._current
            assert task is not None, "requests begin where a job is begun or stepped"
            task.asking += 1
            service.asking += 1
            service.pace.asked(time.monotonic())

            def run() -> None:
                try:
                    work()
                finally:
                    self._inbox.put((task, _Freed()))

            self._workers[service](run)

        return begin

    _current: Task | None = None

    # -- steps ---------------------------------------------------------------------------------------------

    def _step(self, task: Task, message) -> None:
        self._drive(task, lambda: task.job.step(message) if task.job else None)

    def _drive(self, task: Task, call) -> None:
        """Do one thing with a job; where that ends it, its result is noted."""
        self._current = task
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
            self._current = None
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
        if known.word == NEW or known.entry is None:
            task.state = states.READY
            self._ready[task.service].append(task)
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
        context = self._context(task, entry.key)
        self._resuming.append((task, lambda: way(replace(context, ledger=known.ledger), entry)))

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
            if self._room(task.service) > 0 and self._reads.may_read(task.service, now):
                self._begin(task, make)
            else:
                self._resuming.append((task, make))
        for service, ready in self._ready.items():
            if service.halted_by is not None:
                self._hold_back(service)
            elif not service.unsettled or self._continues:
                self._claim(service, ready)
                has_sent |= self._send(service, now)
        return has_sent

    def _room(self, service: Service) -> int:
        return service.pace.limits.jobs - len(service.running)

    def _claim(self, service: Service, ready: deque[Task]) -> None:
        """Claim lines ahead of time, many together, but no more than can begin."""
        claimed = self._claimed[service]
        held = len(claimed) + self._preparing
        ahead = _CLAIMED_TOGETHER[len(self._tasks) > _LARGE]
        count = min(ahead - held, self._room(service) - held, len(ready))
        if count <= 0 or held > ahead // 4:
            return
        tasks: list[Task] = []
        wanted: list[Wanted] = []
        while ready and len(tasks) < count:
            task = ready.popleft()
            try:
                wanted.append(self._purchases.wanted(task))
                tasks.append(task)
            except errors.Failure as failure:
                self._refuse(task, failure)
        if not tasks:
            return
        for task, one, claim in zip(tasks, wanted, self._purchases.claim(tasks, wanted)):
            if isinstance(claim, errors.Failure):
                self._not_claimed(task, claim)
                continue
            task.claim, task.asked = claim, one.asked
            task.entry, task.ledger = claim.decision.entry, claim.decision.ledger
            if not claim.buys:
                task.claim = task.asked = None
                word = {"resume": OPEN, "unknown": UNKNOWN}.get(claim.decision.word, UNDER_WAY)
                if claim.decision.job.delivered_at is not None:
                    word = DELIVERED
                self._place(task, Known(word, task.entry, task.ledger))
            elif one.asked.attachments:
                self._prepare(task)
            else:
                task.state = states.CLAIMED
                task.sent = uploads.Ready(one.asked.payload)
                claimed.append(task)

    def _not_claimed(self, task: Task, failure: errors.Failure) -> None:
        if failure.code == "purchase_under_way":
            task.state = states.ELSEWHERE
            self._elsewhere.append(task)
            self._look_at = min(self._look_at, time.monotonic() + _LOOK_ELSEWHERE)
        else:
            self._refuse(task, failure)

    def _prepare(self, task: Task) -> None:
        """Bring the inputs of a claimed line to its service, in a thread: nothing is bought before."""
        assert task.claim is not None and task.asked is not None
        context, asked, claims = self._context(task, None), task.asked, [task.claim]

        def work() -> None:
            try:
                self._inbox.put((task, _Prepared(purchase.ready(context, asked, claims))))
            except BaseException as problem:
                self._inbox.put((task, _Prepared(None, problem)))

        self._preparing += 1
        task.state = states.CLAIMED
        self._preparers(work)

    def _prepared(self, task: Task, prepared: _Prepared) -> None:
        if prepared.problem is not None:  # the claim was withdrawn
            task.claim = None
            problem = prepared.problem
            if isinstance(problem, errors.Failure):
                return self._refuse(task, problem)
            return self._ended(task, unforeseen(self._console_of(task), problem))
        task.sent = prepared.sent
        return self._claimed[task.service].append(task)

    def _send(self, service: Service, now: float) -> bool:
        """Send a create, if one may be sent; whether one was."""
        claimed = self._claimed[service]
        limits = service.pace.limits
        # One at a time: an answer that has come is recorded before the next create leaves.
        if not claimed or len(service.submitting) >= limits.submits or not service.pace.may_ask(now):
            return False
        if service.pace.is_ill and len(service.running) > len(service.submitting):
            return False  # a read of another job tells first whether the service is well
        self._reads_turn = True
        self._send_one(claimed.popleft())
        return True

    def _send_one(self, task: Task) -> None:
        assert task.claim is not None and task.asked is not None and task.sent is not None
        asked, claim, sent = task.asked, task.claim, task.sent
        context = self._context(task, task.entry.key if task.entry else None)
        task.is_bought = True
        self._outcomes.begun(task)
        task.service.submitting.add(task)
        self._begin(task, lambda: purchase.claimed(context, asked, claim, sent))
        task.claim = task.asked = task.sent = None

    def _begin(self, task: Task, make) -> None:
        """Make a line's job, and begin it."""
        task.state = states.RUNNING
        task.service.running.add(task)

        def begin() -> int | None:
            task.job = make()
            return task.job.begin()

        self._drive(task, begin)

    def _console_of(self, task: Task, key: str | None = None) -> Part:
        """The console of a line, made when it is first needed."""
        if task.part is None:
            task.part = Part(
                self._console, self._outcomes.telling, task.line.id, key, lambda fields: self._retries(task, fields)
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
            task.state = states.READY
            self._ready[service].append(task)
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

    def _finish(self, task: Task) -> None:
        """A line has its result: the lines that wait for its output go on, or never will."""
        task.state = states.DONE
        self._purchases.done_with(task)
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
                    able.append(task)
                except errors.Failure as failure:
                    self._refuse(task, failure)
            self._sort(able)

    def _hold_back(self, service: Service) -> None:
        """No new submit to a service of which one outcome is unknown."""
        held, self._claimed[service] = self._claimed[service], deque()
        for task in held:
            assert task.claim is not None
            self._withdraw(task, "held back: an outcome at its service is unknown")
        waiting = [*held, *self._ready[service]]
        self._ready[service].clear()
        halted_by = service.halted_by
        assert halted_by is not None
        for task in waiting:
            words = (
                f"the outcome of line {halted_by.line.id} is unknown: nothing more is bought there before it is settled"
            )
            failure = errors.Failure(
                "held_back",
                self._console.plain(words),
                "guard",
                outcome="not_sent",
                retryable=False,
                guidance=["Run the same again: it asks what became of that line first.", _CONTINUE],
            )
            self._refuse(task, failure)

    def _withdraw(self, task: Task, why: str) -> None:
        from ...ledger import entries

        if task.claim is not None:
            entries.withdraw([task.claim.decision], why)
        task.claim = task.asked = task.sent = None

    # -- stopping --------------------------------------------------------------------------------------------

    def _interrupt(self, number: int) -> None:
        """The first signal lets creates that are out come to their answers; the second ends them as well."""
        again = self._signal is not None
        self._signal = self._signal or number
        self._stop_at = min(self._stop_at, time.monotonic() + _LAST_ANSWERS)
        for service in self._ready:
            for task in [*service.running]:
                # A job with its create out takes the first signal as a wish, and the second as an order.
                times = 2 if again else 0 if task.job and task.job.is_submitting else 1
                for _ in range(times):
                    if task.job is not None:
                        self._step(task, Signal(number))
        self._give_up_claims()

    def _give_up_claims(self) -> None:
        for service, claimed in self._claimed.items():
            for task in claimed:
                self._withdraw(task, "the command was stopped")
                self._ready[service].append(task)
            claimed.clear()

    def _end_late(self, now: float) -> None:
        """What a signal or the deadline has to end by now."""
        if self._signal is not None:
            for service in self._ready:
                for task in [*service.running]:
                    if task.job and (now >= self._stop_at or not task.job.is_submitting) and not task.is_told_to_stop:
                        task.is_told_to_stop = True
                        self._step(task, Signal(self._signal))
        elif now >= self._deadline:
            self._give_up_claims()

    def _abandon(self) -> None:
        """Nobody reads any more, or worse: record what is known, and send nothing more."""
        for service in self._ready:
            for task in service.running:
                if task.job is not None:
                    task.job.abandon()
                    task.job.close()
        self._give_up_claims()


_CONTINUE = "Or go on all the same with --continue-on-unknown."
