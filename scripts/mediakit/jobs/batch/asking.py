"""The requests of a batch: counted, in bounded pools, and what their answers tell of how much a service bears.

Asking  of all services
Freed   what is put into the inbox when a request is over, with the task or service that it was of
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from ...base.inbox import Inbox
from ...base.record import replace
from ...base.workers import Workers
from ...http.answers import Answer, Lost
from .task import Service, Task

_DOWNLOADS = 8


class Freed:
    """A request is over, answered or not."""


class Asking:
    """The requests of all services; their connections begin them here from now on.

    current  whose job is being begun or stepped: the requests that begin meanwhile are its own
    freed    a request is over
    lister   what begins a look into a service's list, as Connection.begin
    learn    take in what an answer tells of its service
    """

    def __init__(self, inbox: Inbox, services: Iterable[Service]):
        self.current: Task | None = None
        self._inbox = inbox
        self._workers: dict[Service, Workers] = {}
        downloads = Workers(_DOWNLOADS)
        for service in services:
            limits = service.pace.limits
            self._workers[service] = Workers(limits.submits + limits.reads)
            connection = replace(service.context.connection, begin=self._beginner(service))
            service.context = replace(service.context, connection=connection, saves=downloads)

    def _beginner(self, service: Service) -> Callable:
        def begin(work: Callable[[], None]) -> None:
            task = self.current
            assert task is not None, "requests begin where a job is begun or stepped"
            task.asking += 1
            self._run(service, task, work)

        return begin

    def lister(self, service: Service) -> Callable:
        return lambda work: self._run(service, service, work)

    def _run(self, service: Service, owner: Task | Service, work: Callable[[], None]) -> None:
        service.asking += 1
        service.pace.asked(time.monotonic())

        def run() -> None:
            try:
                work()
            finally:
                self._inbox.put((owner, Freed()))

        self._workers[service](run)

    @staticmethod
    def freed(owner: Task | Service) -> None:
        if isinstance(owner, Task):
            owner.asking -= 1
            owner = owner.service
        owner.asking -= 1

    @staticmethod
    def learn(service: Service, content) -> None:
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
