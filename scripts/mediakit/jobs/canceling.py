"""Cancelling a job at its service, where that has a way.

cancel  ask for it once, then look what became of the job

A job that is over is never asked for: at some services the same request deletes it with its results.
"""

from __future__ import annotations

from typing import NamedTuple

from ..base import errors
from ..base.inbox import Inbox
from ..console import Console
from ..console.commands import command_line
from ..http.answers import Answer, Lost
from ..http.documents import read_json
from ..http.wire import answer_of
from ..ledger import entries
from ..services import providers
from ..services.answers import TERMINAL_STATES, Reading
from ..services.descriptor import Step
from ..services.site import JobRef
from .connection import Connection, ConnectionFlags, connect_again
from .listing import Found

_TIMEOUT = 20.0


def cancel(console: Console, found: Found, flags: ConnectionFlags) -> int:
    """Returns the exit code; raises Failure, `cannot_cancel` and `job_over` among them."""
    entry, ledger = found.entry, found.ledger
    provider = providers.load(entry.service, entry.speaks)
    step = provider.job.cancel
    if entry.state in TERMINAL_STATES:
        raise _over(found, entry.state)
    if step is None:
        raise _refused(
            found, "cannot_cancel",
            f"{provider.title} has no documented way to cancel a job; it runs on and is paid for",
            provider.advice.looking,
        )  # fmt: skip
    if not entry.generation_id:
        raise _refused(found, "job_over", "this job has no id: there is nothing that the service could cancel", [])
    connection = connect_again(console, flags, ledger, entry)
    return _Canceling(console, found, connection, step).run()


class _Canceling:
    def __init__(self, console: Console, found: Found, connection: Connection, step: Step):
        self._console = console
        self._found = found
        self._connection = connection
        self._provider = connection.provider
        self._step = step
        self._job = JobRef(found.entry.generation_id or "", found.entry.model, found.entry.addresses)
        self._writer = entries.Writer(console, found.ledger, found.entry)

    def run(self) -> int:
        before = self._read() if self._step.only_in else None
        if before and before.reading.state in TERMINAL_STATES:
            self._note(before)
            raise _over(self._found, before.reading.state)
        if before and before.reading.state not in self._step.only_in:
            raise self._failure(
                "read_failed", "the service does not say how the job is; nothing was asked", "transient"
            )
        self._ask()
        return self._tell(self._read())

    def _ask(self) -> None:
        """Send the request; raises Failure for every answer but a success, or that the job was over."""
        answer = self._send("cancel")
        if isinstance(answer, Lost):
            raise self._failure("no_answer", f"it is not known whether it arrived: {answer.message}", "transient")
        if 200 <= answer.status < 300 or answer.status in self._step.over_http:
            return
        body, words = read_json(answer.content)
        said = self._provider.refusals.verdict(answer.status, body, words, answer.headers)
        message = f"the service refuses to cancel it: HTTP {answer.status}: {self._console.plain(said.message)}"
        raise self._failure("request_rejected", message, said.category, http_status=answer.status)

    def _read(self) -> _Seen | None:
        """How the job is; None where that could not be read."""
        answer = self._send("read")
        if isinstance(answer, Lost):  # a read may be sent again
            answer = self._send("read")
        if isinstance(answer, Lost) or not 200 <= answer.status < 300:
            return None
        body, _ = read_json(answer.content)
        seen = _Seen(self._provider.answers.reading(body, False, answer.headers), answer)
        return seen if seen.reading.state else None

    def _send(self, step: str) -> Answer | Lost:
        inbox = Inbox()
        wire = self._connection.http(inbox)
        method = getattr(self._provider.job, step).method
        exchange = wire.send(method, self._connection.site.of_job(step, self._job), _TIMEOUT)
        return answer_of(exchange, inbox, _TIMEOUT)

    def _note(self, seen: _Seen) -> None:
        reading, headers = seen.reading, seen.answer.headers
        cost = self._provider.bills.cost(reading.body, headers, ("read",))
        self._writer.billed(cost, self._provider.bills.usage(reading.body))
        self._writer.note("accepted", self._job.id, reading.status, reading.state)

    def _tell(self, seen: _Seen | None) -> int:
        """The result. A job that is seen to be canceled is settled: the same command buys it anew."""
        state = seen.reading.state if seen else None
        if seen:
            self._note(seen)
        if state in ("succeeded", "failed"):
            raise _over(self._found, state)
        is_canceled = state == "canceled"
        if is_canceled:
            self._writer.ended(0, delivered=True)
        cost = self._provider.bills.cost(seen.reading.body, seen.answer.headers, ("read",)) if seen else None
        words = "canceled" if is_canceled else "asked for; the service may still finish the job"
        way_on = {} if is_canceled else command_line("jobs.py", "resume", self._found.entry.key)
        return self._console.result(
            "cancel",
            0,
            provider=self._provider.name,
            model=self._found.entry.model,
            generation_id=self._job.id,
            job=self._found.entry.key,
            status=seen.reading.status if seen else None,
            state=state,
            cost=cost.shown if cost else None,
            message=f"{words}. {self._step.costs or 'No source says what a canceled job costs.'}",
            **way_on,
        )

    def _failure(self, code: str, message: str, category: str, **more) -> errors.Failure:
        guidance = self._provider.advice.on(category)
        return _refused(self._found, code, message, guidance, category, **more)


class _Seen(NamedTuple):
    reading: Reading
    answer: Answer


def _over(found: Found, state: str | None) -> errors.Failure:
    words = f"there is nothing to cancel: the job is over, {state}, and costs what it costs"
    return _refused(found, "job_over", words, [])


def _refused(found: Found, code: str, message: str, guidance: list[str], category: str = "guard", **more):
    """The job goes on as it did."""
    entry = found.entry
    way_on = command_line("jobs.py", "resume", entry.key) if entry.generation_id else {}
    return errors.Failure(
        code,
        message,
        category,
        retryable=category == "transient",
        outcome=found.ledger.outcome_of(entry) if entry.generation_id else None,
        job=entry.key,
        generation_id=entry.generation_id or None,
        guidance=guidance,
        **{**way_on, **more},
    )
