"""What became of the lines: told as they end, written into results.jsonl, and counted for the summary.

Outcomes  of one batch
"""

from __future__ import annotations

import json
import time

from ...base import amounts, errors
from ...console import Console, several
from ...ledger import store
from .part import Part, Telling
from .results import Results
from .task import Task

_STATUS_PAUSE = 0.25
# Not done, unknown, refused for now, not saved.
_LEFT = frozenset((11, 12, 24, 26, 130, 143))
# Jobs that a batch ends for itself, without any result of theirs.
_OF_A_RESULT = ("state", "outcome", "generation_id", "next_command")


class Outcomes:
    """What became of the lines of one batch.

    begun, ended, delivered_before, skipped  what happens to a line
    tell     what is due: the file, and the live line
    due_at   when `tell` has something to do, on the clock of time.monotonic
    summary  the fields of the last event
    goes_on  whether the same command again has something to do for a line that has its result, or has none
    """

    def __init__(self, console: Console, results: Results, telling: Telling, tasks: list[Task]):
        self.telling = telling
        self._console = console
        self._results = results
        self._tasks = tasks
        self._skipped = 0
        self._spent: dict[str, int] = {}
        self._began_at = time.monotonic()
        self._done: dict[str, int] = {"done": 0, "failed": 0, "now": 0}
        self._running = 0
        self._status_at = 0.0
        self._has_warned = False

    # -- what happens ------------------------------------------------------------------------------------

    def begun(self, task: Task) -> None:
        self._running += 1

    def ended(self, task: Task, exit_code: int) -> None:
        """A line has its result, which was written."""
        event, fields = (task.part.result_event if task.part else None) or ("error", {"exit_code": exit_code})
        cost = self._cost_now(task)
        if task.is_bought:
            self._running -= 1
        if task.is_bought and cost is not None:
            self._spent[cost.unit] = self._spent.get(cost.unit, 0) + cost.micro
        files = [asset["path"] for asset in fields.get("assets") or ()]
        error = fields.get("error")
        if isinstance(error, str):
            error = {"code": error, "message": fields.get("message")}
        more = {name: fields[name] for name in _OF_A_RESULT if fields.get(name) is not None}
        task.part = None
        self._note(task, exit_code, task.entry, cost, files, {"event": event, **more, "error": error})
        self._done["now"] += 1

    def delivered_before(self, task: Task) -> None:
        """An earlier command has delivered it."""
        entry = task.entry
        assert entry is not None
        code = entry.exit_code or 0
        files = json.loads(entry.paths) if entry.paths else []
        more = {"event": "terminal", "state": entry.state, "generation_id": entry.generation_id, "before": True}
        cost = amounts.Amount(entry.cost, entry.cost_unit) if entry.cost is not None and entry.cost_unit else None
        self._note(task, code, entry, cost, files, more)

    def skipped(self, task: Task, parent: Task, part: Part) -> None:
        words = f"it takes the output of line {parent.id}, which has none"
        failure = errors.Failure(
            "parent_failed",
            self._console.plain(words),
            "validation",
            outcome="not_sent",
            retryable=False,
            guidance=["Nothing was bought for it. See what that line says, then run the same again."],
        )
        self._skipped += 1
        code = part.failure(failure)
        more = {"event": "error", "state": "skipped", "error": {"code": failure.code, "message": failure.message}}
        self._note(task, code, None, None, [], more)

    def _note(
        self,
        task: Task,
        exit_code: int,
        entry: store.Entry | None,
        cost: amounts.Amount | None,
        files: list[str],
        more: dict,
    ) -> None:
        task.exit_code = exit_code
        self._done["done"] += 1
        self._done["failed"] += exit_code not in (0, 11, 130, 143)
        provider = task.service.context.connection.provider
        told = {
            "id": task.id,
            "line": task.line.number,
            "ok": exit_code == 0,
            "exit_code": exit_code,
            "provider": provider.name,
            "practice": True if provider.embedded else None,
            "model": entry.model if entry else task.line.model,
            "job": entry.key if entry else None,
            **more,
            "files": files,
            "cost": cost.shown if cost else None,
        }
        self._results.note(task.place, {name: value for name, value in told.items() if value is not None})

    @staticmethod
    def _cost_now(task: Task) -> amounts.Amount | None:
        if task.entry is None or task.ledger is None:
            return None
        try:
            return task.ledger.cost_of(task.entry.key)
        except store.Unusable:
            return None  # the result line has told of it

    # -- telling -----------------------------------------------------------------------------------------

    @property
    def due_at(self) -> float:
        return self._results.due_at

    def tell(self, now: float) -> None:
        self._write(lambda: self._results.write_due(now))
        if now >= self._status_at:
            self._status_at = now + _STATUS_PAUSE
            self._console.status(self._status(now))

    def _write(self, write) -> bool:
        """Whether it could be done: the ledger knows all of it, so that nothing is stopped for it."""
        try:
            write()
            return True
        except OSError as problem:
            self._results.put_off()
            words = f"{self._results.path} could not be written: {problem.strerror or problem}"
            if not self._has_warned:
                self._has_warned = True
                self._console.warning("results_not_written", words)
            return False

    def _status(self, now: float) -> str:
        done, total = self._done["done"], len(self._tasks)
        elapsed = now - self._began_at
        words = [f"{done} of {total}", f"{self._running} under way"]
        if self._done["failed"]:
            words.append(f"{self._done['failed']} failed")
        rate = self._done["now"] / elapsed if elapsed > 1 else 0.0
        if rate:
            words += [f"{rate * 60:.0f} a minute", f"{_span((total - done) / rate)} left"]
        words += [str(amount) for amount in self.spent]
        return "  ".join([_span(elapsed), *words])

    @property
    def spent(self) -> list[amounts.Amount]:
        """What the jobs that this command bought have cost, as far as it was told."""
        return [amounts.Amount(micro, unit) for unit, micro in sorted(self._spent.items())]

    @property
    def goes_on(self) -> bool:
        return any(task.exit_code is None or task.exit_code in _LEFT for task in self._tasks)

    def summary(self) -> tuple[int, dict]:
        """`(exit code, fields)`; everything that is known is in the file before."""
        is_written = self._write(self._results.write)
        codes = [task.exit_code for task in self._tasks if task.exit_code is not None]
        left = len(self._tasks) - len(codes)
        code = several.gravest([*codes, *([11] if left else []), *([] if is_written else [26])])
        counted = several.counted(codes)
        counted["jobs"] += left
        counted["unfinished"] += left
        fields = {
            **counted,
            "skipped": self._skipped or None,
            "spent": [amount.shown for amount in self.spent],
            "results": self._results.path if is_written else None,
            "files": self._results.files(),
        }
        return code, fields


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
