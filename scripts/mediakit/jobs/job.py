"""One job, from its start to its result line.

    Job   driven until it ends, then delivered; step by step, or as a whole with `run`

A scheduler of many jobs calls `begin`, then `step` with each message that came into the job's inbox, or with
None when `wake_at` has come, until an exit code comes back; at last `close`. `run` does that for one job.
"""

from __future__ import annotations

import time

from ..base.inbox import Inbox, Message, Signal
from ..ledger import entries
from .connection import Connection
from .context import Context
from .delivery import Delivery
from .driver import Driver
from .lifecycle.actions import End
from .lifecycle.machine import Machine
from .lifecycle.policy import ServiceRules
from .report import Report
from .start import Start

# Seconds between two updates of the live line.
_LONGEST_WAIT = 0.25


class Job:
    """One job.

    writer  the job's entry in the ledger; without one nothing is written down
    inbox   where what its threads report is put; anything with `put` does
    """

    def __init__(
        self, context: Context, start: Start, writer: entries.Writer | None = None, inbox: Inbox | None = None
    ):
        context.saving.check()
        self._context = context
        self._start = start
        self._inbox = inbox or context.inbox or Inbox()
        self._writer = writer or entries.Writer(context.console)
        machine = Machine(
            context.policy,
            _rules_of(context.connection, start),
            start.generation_id,
            unresolved=start.unresolved,
            age=start.age,
            was_read=self._writer.was_readable,
        )
        self._driver = Driver(context.console, context.connection, self._writer, machine, start, self._inbox)
        self._report = Report(
            context.console, context.connection, context.saving, self._writer, self._driver, start.model
        )
        self._delivery: Delivery | None = None

    @property
    def is_submitting(self) -> bool:
        """Whether its create has been sent and not been answered yet."""
        return self._driver.machine.awaits_answer

    @property
    def generation_id(self) -> str | None:
        return self._driver.job.generation_id

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for the time of its next read."""
        return self._delivery is None and self._driver.machine.is_waiting

    def still_runs(self) -> None:
        """Its service's list shows it as unfinished, which counts as a read."""
        self._driver.machine.still_runs(time.monotonic())

    @property
    def is_saving(self) -> bool:
        """Whether it has reached its end at the service, and its files are on their way."""
        return self._delivery is not None

    @property
    def wake_at(self) -> float:
        """When `step` is to be called although nothing came, on the clock of time.monotonic."""
        return self._delivery.wake_at if self._delivery else self._driver.wake_at

    def begin(self) -> int | None:
        """The exit code, once the result is written; else None."""
        console, start = self._context.console, self._start
        console.emit(
            "start",
            script=console.script,
            provider=self._context.connection.provider.name,
            model=start.model,
            url=self._driver.outgoing.first_url,
            mode=self._driver.outgoing.mode,
            job=self._writer.key,
        )
        console.about_job = self._report.about
        for code, message in start.warnings:
            console.warning(code, message)
        if start.resumed:
            reason, message = start.resumed
            console.emit("resumed", generation_id=start.generation_id, reason=reason, message=message)
        return self._ended(self._driver.begin())

    def step(self, message: Message | Signal | None) -> int | None:
        """As `begin`, after one message; None stands for the time of `wake_at`."""
        if self._delivery:
            return self._delivery.step(message)
        if message is None:
            self._report.status()
        return self._ended(self._driver.step(message))

    def _ended(self, end: End | None) -> int | None:
        if end is None:
            return None
        if end.event == "terminal":
            self._delivery = Delivery(self._context, self._writer, self._start, self._driver, self._report, self._inbox)
            return self._delivery.begin(end)
        if end.failure and end.failure.category == "not_found" and self._driver.job.generation_id:
            self._writer.gone()
        self._writer.about_to_end()
        code = self._report.early(end)
        self._writer.ended(code, delivered=False)
        return code

    def abandon(self) -> None:
        """The command ends early: record what is known, and send nothing more."""
        if self._delivery:
            self._delivery.abandon()
        self._driver.abandon()

    def close(self) -> None:
        """The job has its result, or was abandoned."""
        self._driver.close()
        self._writer.release()

    def run(self) -> int:
        """Drive it in this thread until its result is written; returns the exit code."""
        self._context.console.on_signal = lambda number: self._inbox.put(Signal(number))
        try:
            code = self.begin()
            while code is None:
                code = self.step(self._inbox.take(min(self.wake_at - time.monotonic(), _LONGEST_WAIT)))
            return code
        except BaseException:
            self.abandon()
            raise
        finally:
            self.close()


def _rules_of(connection: Connection, start: Start) -> ServiceRules:
    provider = connection.provider
    return ServiceRules(
        ending_events=provider.ending_events,
        reconciles=provider.job_list.is_searchable and start.sought is not None and _may_list(connection, start),
        repeats_for=start.repeats_for,
        repeat_pauses=provider.repeat_pauses,
        sending_time=start.submission.seconds if start.submission else 0.0,
        final_statuses=provider.final_statuses,
        # A server on this machine may be polled as often as we like.
        read_every=provider.job.read.every if provider.job.read and not connection.loopback_base else 0.0,
        list_every=provider.job.listing.step.every if provider.job.listing and not connection.loopback_base else 0.0,
    )


def _may_list(connection: Connection, start: Start) -> bool:
    """Whether the list of jobs may be read: after a create of a service's program only by a command of its own."""
    return connection.through is None or (connection.authorisation is not None and start.submission is None)
