"""From lines that may be bought to creates that are sent: claimed ahead, with their inputs, as their services bear it.

Buying    of one batch
Hooks     what it asks of the scheduler
Prepared  what is put into the inbox when the inputs of a line are at its service, or cannot be
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable

from ...base import errors
from ...base.inbox import Inbox
from ...base.record import record
from ...base.workers import Workers
from ...ledger import entries
from .. import purchase, uploads
from ..context import Context
from . import task as states
from .purchases import DELIVERED, OPEN, UNDER_WAY, UNKNOWN, Known, Purchases, Wanted
from .task import Service, Task

# So many lines are claimed together: a claim reads the whole ledger, and nothing else happens meanwhile.
_CLAIMED_TOGETHER = (12, 48)
_LARGE = 1000
_PREPARERS = 4
_CONTINUE = "Or go on all the same with --continue-on-unknown."


class Prepared:
    """The inputs of a claimed line are at its service: `sent`, or why not."""

    def __init__(self, sent: uploads.Ready | None, problem: BaseException | None = None):
        self.sent = sent
        self.problem = problem


@record
class Hooks:
    """begin    (task, () -> Job): make the job of a line, and begin it
    context  (task, key) -> Context of a line's job
    refuse   (task, Failure): a line is not bought, and why
    place    (task, Known): a line turned out to be bought already
    broken   (task, exception): a line is not bought, for a reason that nobody foresaw
    """

    begin: Callable[[Task, Callable], None]
    context: Callable[[Task, str | None], Context]
    refuse: Callable[[Task, errors.Failure], None]
    place: Callable[[Task, Known], None]
    broken: Callable[[Task, BaseException], None]


class Buying:
    """From lines that may be bought to creates that are sent.

    add         a line that may be bought
    turn        claim what can begin soon, and send a create if one may be sent; whether one was
    prepared    the inputs of a line are at its service, or not
    hold_back   nothing more is bought at a service
    give_up     what is claimed is not bought after all; its lines are as before
    waits       whether lines of a service are left
    has_lines   whether any are
    preparing   how many lines wait for their inputs
    favours_create  whether a create of a service goes before a read: under a rate they take turns
    reads_turn  whether it is a read's turn
    """

    def __init__(self, inbox: Inbox, purchases: Purchases, hooks: Hooks, lines: int):
        self.preparing = 0
        self.reads_turn = False
        self._inbox = inbox
        self._purchases = purchases
        self._hooks = hooks
        self._ahead = _CLAIMED_TOGETHER[lines > _LARGE]
        self._ready: defaultdict[Service, deque[Task]] = defaultdict(deque)
        self._claimed: defaultdict[Service, deque[Task]] = defaultdict(deque)
        self._preparers = Workers(_PREPARERS)

    def add(self, task: Task) -> None:
        task.state = states.READY
        self._ready[task.service].append(task)

    def waits(self, service: Service) -> bool:
        return bool(self._ready[service] or self._claimed[service])

    @property
    def has_lines(self) -> bool:
        return any(map(len, (*self._ready.values(), *self._claimed.values())))

    def favours_create(self, service: Service) -> bool:
        return bool(self._claimed[service]) and not self.reads_turn and service.pace.per_minute is not None

    def turn(self, service: Service, now: float) -> bool:
        self._claim(service)
        return self._send(service, now)

    def _claim(self, service: Service) -> None:
        """Claim lines ahead of time, many together, but no more than can begin."""
        ready, claimed = self._ready[service], self._claimed[service]
        held = len(claimed) + self.preparing
        ahead = self._ahead
        count = min(ahead - held, service.room - held, len(ready))
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
                self._hooks.refuse(task, failure)
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
                self._hooks.place(task, Known(word, task.entry, task.ledger))
            elif one.asked.attachments or one.asked.is_form:
                self._prepare(task)
            else:
                task.state = states.CLAIMED
                task.sent = uploads.Ready(one.asked.payload)
                claimed.append(task)

    def _not_claimed(self, task: Task, failure: errors.Failure) -> None:
        if failure.code == "purchase_under_way":
            self._hooks.place(task, Known(UNDER_WAY))
        else:
            self._hooks.refuse(task, failure)

    def _prepare(self, task: Task) -> None:
        """Bring the inputs of a claimed line to its service, in a thread: nothing is bought before."""
        assert task.claim is not None and task.asked is not None
        context, asked, claims = self._hooks.context(task, None), task.asked, [task.claim]

        def work() -> None:
            try:
                self._inbox.put((task, Prepared(purchase.ready(context, asked, claims))))
            except BaseException as problem:
                self._inbox.put((task, Prepared(None, problem)))

        self.preparing += 1
        task.state = states.CLAIMED
        self._preparers(work)

    def prepared(self, task: Task, prepared: Prepared) -> None:
        self.preparing -= 1
        if prepared.problem is not None:  # the claim was withdrawn
            task.claim = None
            problem = prepared.problem
            if isinstance(problem, errors.Failure):
                return self._hooks.refuse(task, problem)
            return self._hooks.broken(task, problem)
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
        self.reads_turn = True
        self._send_one(claimed.popleft())
        return True

    def _send_one(self, task: Task) -> None:
        assert task.claim is not None and task.asked is not None and task.sent is not None
        asked, claim, sent = task.asked, task.claim, task.sent
        context = self._hooks.context(task, task.entry.key if task.entry else None)
        task.is_bought = True
        task.service.submitting.add(task)
        self._hooks.begin(task, lambda: purchase.claimed(context, asked, claim, sent))
        task.claim = task.asked = task.sent = None

    # -- what is not bought ---------------------------------------------------------------------------------

    def hold_back(self, service: Service, halted_by: Task) -> None:
        """No new submit to a service of which one outcome is unknown."""
        held, self._claimed[service] = self._claimed[service], deque()
        for task in held:
            assert task.claim is not None
            self._withdraw(task, "held back: an outcome at its service is unknown")
        waiting = [*held, *self._ready[service]]
        self._ready[service].clear()
        for task in waiting:
            words = f"the outcome of line {halted_by.id} is unknown: nothing more is bought there before it is settled"
            failure = errors.Failure(
                "held_back",
                words,
                "guard",
                outcome="not_sent",
                retryable=False,
                guidance=["Run the same again: it asks what became of that line first.", _CONTINUE],
            )
            self._hooks.refuse(task, failure)

    def _withdraw(self, task: Task, why: str) -> None:
        if task.claim is not None:
            entries.withdraw([task.claim.decision], why)
        task.claim = task.asked = task.sent = None

    def give_up(self) -> None:
        for service, claimed in self._claimed.items():
            for task in claimed:
                self._withdraw(task, "the command was stopped")
                self._ready[service].append(task)
            claimed.clear()
