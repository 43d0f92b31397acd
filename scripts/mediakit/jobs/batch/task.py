"""One line on its way: its state, its job, its result.

Task     the line
Service  what all lines of one service share
Port     where the threads of a line's job report
"""

from __future__ import annotations

from ...base import amounts
from ...base.inbox import Inbox
from ...base.record import record, replace
from ...ledger import store
from .. import uploads
from ..context import Context
from ..job import Job
from ..purchase import Claim
from ..request import CheckedRequest
from .lines import Line, Lines
from .pace import Pace
from .part import Part

# What a line is doing.
WAITING = "waiting"  # for the lines whose outputs it takes
READY = "ready"
CLAIMED = "claimed"  # its intent is in the ledger; nothing was sent
RUNNING = "running"
ELSEWHERE = "elsewhere"  # another process is at it
DONE = "done"

# Columns of a parent's entry that its children ask nothing of.
_UNNEEDED = dict.fromkeys(("payload", "usage", "paths", "assets", "sent_with", "told"))


class Service:
    """What all lines of one service share.

    running     the tasks that have a job under way
    submitting  those of them whose create is out
    asking      how many requests are out
    halted_by   the task whose unknown outcome stops new submits; None where none does
    """

    def __init__(self, context: Context, pace: Pace):
        self.context = context
        self.pace = pace
        self.running: set[Task] = set()
        self.submitting: set[Task] = set()
        self.unsettled: set[Task] = set()
        self.asking = 0
        self.halted_by: Task | None = None

    @property
    def room(self) -> int:
        """How many jobs more may be under way."""
        return self.pace.limits.jobs - len(self.running)


class Task:
    """One line.

    place    where it stands among all lines, from 0
    line     what it says, which is read anew while nothing is done with it
    parents  the lines whose outputs it takes; `missing` of them are not delivered yet
    price    as it was known when its fingerprints were made
    fingerprints  of its purchase; none while its parents have no jobs
    entry    its entry in the ledger, as it was when it was looked at, and the ledger
    claim    what the ledger has decided, while nothing was sent; then `asked` is what is bought, `sent` with its inputs
    part     its console
    asking   how many requests of it are out
    began_at     when its service had taken it, on the clock of time.monotonic; None where this command did not see it
    is_bought    whether this command has sent its create
    is_put_back  it bought nothing, and is to be tried again; `tried_from` is when that began
    exit_code    how it ended
    """

    # Thousands wait in memory, and stay there once they are done.
    __slots__ = (
        "_index", "_line", "_lines", "asked", "asking", "began_at", "children", "claim", "entry", "exit_code",
        "fingerprints", "id", "is_bought", "is_put_back", "is_told_to_stop", "job", "ledger", "missing",
        "parents", "part", "place", "price", "sent", "service", "state", "tried_from",
    )  # fmt: skip

    def __init__(self, lines: Lines, index: int, service: Service):
        self.id = lines.ids[index]
        self.place = lines.places[index]
        self._lines, self._index = lines, index
        self._line: Line | None = None
        self.service = service
        self.state = WAITING if lines.parents[index] else READY
        self.entry: store.Entry | None = None
        self.ledger: store.Ledger | None = None
        self.claim: Claim | None = None
        self.asked: CheckedRequest | None = None
        self.sent: uploads.Ready | None = None
        self.job: Job | None = None
        self.part: Part | None = None
        self.fingerprints: tuple[str, ...] = ()
        self.price: amounts.Price | None = None
        self.parents: tuple[Task, ...] = ()
        self.children: tuple[Task, ...] = ()
        self.missing = len(lines.parents[index])
        self.asking = 0
        self.exit_code: int | None = None
        self.began_at: float | None = None
        self.is_bought = False
        self.is_told_to_stop = False
        self.is_put_back = False
        self.tried_from: float | None = None

    @property
    def line(self) -> Line:
        if self._line is not None:
            return self._line
        line = self._lines[self._index]
        if self.state in (CLAIMED, RUNNING):
            self._line = line
        return line

    def let_go(self) -> None:
        """It has its result, which was noted: of thousands of lines only what others need of them is kept."""
        self.claim = self.asked = self.sent = self.part = self.ledger = self._line = None
        self.fingerprints = ()
        if self.entry is not None:
            self.entry = replace(self.entry, **_UNNEEDED) if self.children else None

    @property
    def kind(self) -> tuple:
        """What its job is likely to take as long as others of."""
        return self.service, self.line.model, self.line.task


@record
class Port:
    """Puts what a job's threads report, with whose it is, where all jobs' threads report."""

    shared: Inbox
    task: Task

    def put(self, message) -> None:
        self.shared.put((self.task, message))
