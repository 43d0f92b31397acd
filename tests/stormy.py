"""A sandbox with a will of its own: jobs of a chosen length, a limit of requests, resets, lost answers and darkness.

    python tests/stormy.py SECONDS_FROM SECONDS_TO [PER_MINUTE [SERVICE]]

serves until it is ended; a line of JSON says where. No limit is 0; the contract is that of skills-video, or of SERVICE.

Stormy  the server, and its own account of what it was asked and what it accepted
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter, deque
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from mediakit.sandbox import Sandbox
from mediakit.services import providers

WINDOW = 60.0


class Stormy(Sandbox):
    """A context manager, as Sandbox.

    lasts       (least, most) seconds of a job
    per_minute  requests that are answered in any minute; more are 429. None for no limit
    storms      part of all requests that are 429 for no reason
    resets      part of all requests that end in a reset before they are read
    lost        part of all creates that are accepted, and whose answer is a reset
    dark        (from, to) seconds since the start: every connection is reset

    account     how often what happened
    most_at_once  jobs that ran at the same time
    accepted    prompts of the jobs that were accepted, each as often as it was
    began, done  when the first create was accepted, and when the last job will have been done; seconds since the epoch
    """

    def __init__(
        self,
        lasts=(0.2, 0.2),
        per_minute: int | None = None,
        storms: float = 0.0,
        resets: float = 0.0,
        lost: float = 0.0,
        dark: tuple[float, float] = (0.0, 0.0),
        seed: int = 1,
        window: float = WINDOW,
        service: str = "skills-video",
    ):
        super().__init__(None, service)
        self.account: Counter = Counter()
        self.accepted: Counter = Counter()
        self.began = self.done = 0.0
        self.most_at_once = 0
        self._ends: list[float] = []
        self._plain, self._plain_add = self.dialect, self.store.add
        self.store.add = self._add
        self.dialect = self
        self._lasts, self._per_minute, self._window = lasts, per_minute, window
        self._storms, self._resets, self._lost, self._dark = storms, resets, lost, dark
        self._random = random.Random(seed)
        self._answered: deque = deque()
        self._up_at = time.monotonic()
        self._guard = threading.Lock()

    def handle(self, sandbox, http, content) -> None:
        """As a dialect."""
        is_create = http.method == "POST"
        with self._guard:
            self.account["requests"] += 1
            self.account["creates"] += is_create
            luck, now = self._random.random(), time.monotonic()
            fate = self._fate(luck, now)
        if fate == "reset":
            self.account["resets"] += 1
            http.reset()
        if fate == "limit":
            self.account["429"] += 1
            wait = max(self._answered[0] + self._window - now, 0.1) if self._per_minute else 0.2
            return http.answer(429, {"message": "too many"}, {"Retry-After": f"{wait:.3f}"})
        if is_create:
            return self._create(http, content)
        return self._plain.handle(sandbox, http, content)

    def drawn(self, job) -> str:
        """As a dialect."""
        return self._plain.drawn(job)

    def _fate(self, luck: float, now: float) -> str:
        if self._dark[0] <= now - self._up_at < self._dark[1] or luck < self._resets:
            return "reset"
        if luck < self._resets + self._storms:
            return "limit"
        while self._answered and self._answered[0] <= now - self._window:
            self._answered.popleft()
        if self._per_minute is not None and len(self._answered) >= self._per_minute:
            return "limit"
        self._answered.append(now)
        return ""

    def _create(self, http, content) -> None:
        """As the plain dialect does it, but for answers that are lost: the job is accepted all the same."""
        told = http.answer, http.open_stream

        def answer(status, *more, **options) -> None:
            if status == 200:
                self._may_lose(http)
            told[0](status, *more, **options)

        def open_stream() -> None:
            self._may_lose(http)
            told[1]()

        http.answer, http.open_stream = answer, open_stream
        try:
            self._plain.handle(self, http, content)
        finally:
            del http.answer, http.open_stream

    def _may_lose(self, http) -> None:
        if self._random.random() < self._lost:
            self.account["lost"] += 1
            http.reset()

    def _add(self, *words, **more):
        job = self._plain_add(*words, **more)
        return self._note(job.id)

    def _note(self, job_id: str):
        job, lasts = self.store.find(job_id), self._random.uniform(*self._lasts)
        with self.store._database() as database, database:
            database.execute("UPDATE job SET duration = ? WHERE id = ?", (lasts, job_id))
        with self._guard:
            self.account["accepted"] += 1
            self.accepted[job.input.get("prompt")] += 1
            self.began = self.began or job.created
            self.done = max(self.done, job.created + lasts)
            self._ends = [end for end in self._ends if end > job.created] + [job.created + lasts]
            self.most_at_once = max(self.most_at_once, len(self._ends))
        return job._replace(duration=lasts)


def main() -> None:
    least, most, limit, service = [*sys.argv[1:], *("0", "skills-video")[len(sys.argv) - 3 :]]
    with Stormy((float(least), float(most)), int(limit) or None, service=service) as server:
        base_path = providers.load("sandbox", service).base_path
        sys.stdout.write(json.dumps({"url": server.url + base_path}) + "\n")
        sys.stdout.flush()
        for _ in sys.stdin:  # a line asks for the account
            told = {**server.account, "began": server.began, "done": server.done, "twice": _twice(server)}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


def _twice(server: Stormy) -> int:
    return sum(count - 1 for count in server.accepted.values())


if __name__ == "__main__":
    main()
