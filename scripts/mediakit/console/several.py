"""Several jobs in one command: each has its own result line, and a `summary` ends the command.

run    one job as it is, several side by side
Part   the console of one of several jobs
Begun  what their `start` lines have told
gravest, counted  the exit code of the command from those of its jobs, and how many ended how
"""

from __future__ import annotations

import signal
import threading
import time

from ..base import errors
from ..base.inbox import Inbox, Message, Signal
from ..base.retry import HEARTBEAT
from .events import ClosedPipe, Console
from .script import unforeseen

AT_ONCE = 4

# The gravest first; every other code comes after these.
_GRAVITY = (12, 27, 11, 26, 10)
_UNFINISHED = frozenset((11, 130, 143))
_PROGRESS = frozenset(("sse_open", "sse_event", "fallback_polling_start", "poll"))


class Begun:
    """What the jobs of one command share: who may write, and what their `start` lines have told."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._told: set[tuple] = set()
        self._of_person: set[str] = set()

    def add(self, start: dict) -> bool:
        """Whether this `start` tells something that none before it did, other than its own key."""
        told = tuple(start.get(name) for name in ("provider", "model", "mode", "key_source"))
        with self.lock:
            is_new = told not in self._told
            self._told.add(told)
        return is_new

    def is_first(self, line: str) -> bool:
        """Whether a person has not read this yet."""
        with self.lock:
            is_first = line not in self._of_person
            self._of_person.add(line)
        return is_first


class Part(Console):
    """Writes through the console of the whole command; its results are not the last line."""

    def __init__(self, whole: Console, begun: Begun, key: str | None = None):
        super().__init__(whole.script)
        self.redactor = whole.redactor
        self.output = whole.output
        self.about = {name: value for name, value in {**whole.about, "job": key}.items() if value is not None}
        self.files: list[str] = []
        self._begun = begun
        self._told_at = time.monotonic()

    def _write(self, event: dict) -> None:
        with self._begun.lock:
            super()._write(event)

    def emit(self, event: str, **fields) -> None:
        if event == "asset":
            self.files.append(fields["path"])
        super().emit(event, **fields)

    def _is_silent(self, event: dict) -> bool:
        """Of several jobs what each is doing is told every 15 s, and only once what all have in common."""
        if self.output.brief or self.output.verbose:
            return self.output.brief
        if event["event"] == "start":
            return not self._begun.add(event)
        if event["event"] in _PROGRESS and time.monotonic() - self._told_at < HEARTBEAT:
            return True
        self._told_at = time.monotonic()
        return False

    def _is_of_many(self, event: dict) -> bool:
        """A person reads what all jobs have in common once, then how each of them begins and ends."""
        if event["event"] == "start":
            return not self._begun.is_first(f"{event.get('provider')} {event.get('model')}")
        return event["event"] in _PROGRESS

    def result(self, event: str, exit_code: int, **fields) -> int:
        self._tell(self._result(event, {**fields, "exit_code": exit_code}))
        return exit_code

    def status(self, text: str) -> None:
        """One live line cannot tell of several jobs."""

    def _event(self, event: str, fields: dict) -> dict:
        told = super()._event(event, fields)
        # Of several jobs, each line says whose it is.
        return told if "job" not in self.about else {**told, "job": self.about["job"]}


def run(console: Console, jobs: list, spent=list, keys=list) -> int:
    """Run callables (console) -> exit code, and return the exit code of the command.

    spent  () -> what the command has spent, as Amounts; for the summary; nothing where nothing is bought
    keys   () -> the jobs' keys in the ledger, where there are any
    """
    if len(jobs) == 1:
        return jobs[0](console)
    begun = Begun()
    parts = [Part(console, begun, key) for key in (keys() or [None] * len(jobs))]
    codes = _Side(console, jobs, parts, begun.lock).run() if jobs else []
    files = [path for part in parts for path in part.files]
    told = {**counted(codes), "spent": [amount.shown for amount in spent()], "files": files}
    return console.result("summary", gravest(codes), **told)


def gravest(codes: list[int]) -> int:
    """The exit code of a command from those of its jobs."""
    failed = [code for code in codes if code]
    return next((code for code in (*_GRAVITY, *failed) if code in failed), 0)


def counted(codes: list[int]) -> dict:
    """How many jobs ended how."""
    return {
        "jobs": len(codes),
        "succeeded": codes.count(0),
        "unfinished": sum(code in _UNFINISHED for code in codes),
        "unknown": codes.count(12),
        "failed": sum(code not in _UNFINISHED and code not in (0, 12) for code in codes),
    }


class _Side:
    """Jobs side by side, AT_ONCE at a time, in threads; signals go to each of them."""

    def __init__(self, console: Console, jobs: list, parts: list[Part], lock: threading.Lock):
        self._console = console
        self._lock = lock
        self._inbox = Inbox()
        self._parts = parts
        self._codes: list[int | None] = [None] * len(jobs)
        self._waiting = list(enumerate(jobs))
        self._stopping: int | None = None
        self._closed = False

    def run(self) -> list:
        self._console.on_signal = lambda number: self._inbox.put(Signal(number))
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(min(AT_ONCE, len(self._parts)))]
        for thread in threads:
            thread.start()
        running = len(threads)
        while running:
            message = self._inbox.take()
            if isinstance(message, Signal):
                self._stop(message.number)
            else:
                running -= 1
        if self._closed:
            raise ClosedPipe
        return self._codes

    def _stop(self, number: int) -> None:
        with self._lock:
            self._stopping = number
            started = [part for part, code in zip(self._parts, self._codes) if code is None]
        for part in started:
            if part.on_signal is not part._raise_interrupted:
                part.on_signal(number)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._closed:
                    break
                index, job = self._waiting.pop(0)
            self._codes[index] = self._guarded(self._parts[index], job)
        self._inbox.put(Message(self, None))  # this thread has nothing left to do

    def _guarded(self, part: Part, job) -> int | None:
        try:
            if self._stopping is not None:
                return part.result("interrupted", 128 + self._stopping, outcome="not_sent")
            return job(part)
        except errors.Failure as failure:
            return part.failure(failure)
        except ClosedPipe:
            self._closed = True
            self._inbox.put(Signal(int(signal.SIGTERM)))
            return None
        except BaseException as problem:  # a thread that ended without a word would be waited for for ever
            return unforeseen(part, problem)
