"""Between the machine of one job and the wire: what comes in is read for the machine, what it decides is done.

Driver   the two together, step by step: it never waits, and owns no thread
"""

from __future__ import annotations

import time

from ..base.inbox import Inbox, Message, Signal
from ..console import Console
from ..http.answers import Answer, Lost, StreamChunk, StreamEnded, StreamOpened
from ..http.receiving import salvaged
from ..ledger import entries
from ..services.answers import Reading
from .connection import Connection
from .intake import Intake
from .lifecycle import actions as todo
from .lifecycle import outcomes
from .lifecycle.actions import End, Say
from .lifecycle.machine import Machine
from .looking import Looking
from .outgoing import Outgoing
from .places import Places
from .start import Start
from .streamed import Streamed

# Extra seconds for an answer that is already arriving when its time is up.
_LAST_CALL = 2.0
_LOOK_AGAIN = 0.05


class Driver:
    """Drives one job to its End.

    begin    what is done first
    step     what is done about a message; None stands for the time of `wake_at`
    abandon  write down what is known, and send nothing more
    close    no request goes on behind anybody's back

    job       what is known of it: the id, the outcome, the state
    asked_at  when this began, in seconds since the epoch
    intake    what its answers came to
    outgoing  what is asked about it
    """

    def __init__(
        self,
        console: Console,
        connection: Connection,
        writer: entries.Writer,
        machine: Machine,
        start: Start,
        inbox: Inbox,
    ):
        self.machine = machine
        self.job = machine.job
        self.asked_at = time.time()
        places = Places(connection, start, machine.job)
        self.intake = Intake(console, connection, writer, start, places)
        self.outgoing = Outgoing(connection, start, machine.job, places, writer, inbox)
        self._streamed = Streamed(console, machine, self.intake)
        # A service's program has no list of jobs.
        lister = connection.http(inbox) if connection.through else self.outgoing.wire
        self._looking = Looking(lister, connection.site, writer, start, self.asked_at)
        self._console = console
        self._kept_before = start.kept
        self._done: Reading | None = None
        self._last_call = 0.0, 0.0
        self._look_again_at = 0.0

    @property
    def wake_at(self) -> float:
        """When `step` is to be called although nothing came, on the clock of time.monotonic."""
        return max(self.job.wake_at, self._look_again_at)

    def begin(self) -> End | None:
        if self._kept_before is not None:
            (self.intake.kept, reading), self.intake.is_result_kept = self._kept_before, True
            return self._carry_out(outcomes.terminal(self.job, reading, "create"))
        return self._carry_out(self.machine.begin(time.monotonic()))

    def step(self, message: Message | Signal | None) -> End | None:
        return self._carry_out(self._actions(time.monotonic(), message))

    def abandon(self) -> None:
        if self.machine.awaits_answer and self.outgoing.is_sent(withholds=True):
            self.job.outcome = "unknown"
        self.intake.note(self.job, final=True)

    def close(self) -> None:
        self.outgoing.close()
        self._looking.close()

    # -- what came in ------------------------------------------------------------------------------

    def _actions(self, now: float, message: Message | Signal | None) -> list:
        if message is None:
            if self._is_answering(now):
                return []
            cut_off = self._cut_off(now)
            return self._take_answer(now, cut_off) if cut_off else self.machine.tick(now, self._is_sent(now))
        if isinstance(message, Signal):
            return self.machine.interrupted(now, message.number, self._is_sent(now, True))
        if message.sender is self._looking.exchange and self._looking.exchange is not None:
            return self._take_listing(now, message.content)
        if message.sender is not self.outgoing.exchange or self.outgoing.exchange is None:
            return []  # from a request that was given up
        # A server that sends without end must not keep the clock from being checked.
        return self._take(now, message.content) or self.machine.tick(now)

    def _is_answering(self, now: float) -> bool:
        """Whether the answer with the id is there, though its time is up: this process may have been stopped until now."""
        limit, creating = self.job.wake_at, self.outgoing.creating
        if creating is None or self.job.generation_id or now < limit or self.job.ended:
            return False
        if self._last_call[0] != limit:
            self._last_call = limit, now + _LAST_CALL
        if now >= self._last_call[1] or not creating.is_answering:
            return False
        self._look_again_at = now + _LOOK_AGAIN
        return True

    def _cut_off(self, now: float) -> Answer | None:
        """What has come by now of an answer to the create that is given up, where an id is in it."""
        job, exchange = self.job, self.outgoing.creating
        if exchange is None or not self.machine.awaits_answer or self.outgoing.source or now < job.wake_at:
            return None
        if job.interrupted_by is None and now < min(self.machine.give_up_at, job.create_deadline):
            return None
        found = salvaged(exchange)
        return found if found and 200 <= found.status < 300 and self.intake.reader.id_in(found) else None

    def _is_sent(self, now: float, stopping: bool = False) -> bool:
        """Whether the POST under way has left; at its limits it is withheld first, so that it cannot leave after."""
        return self.outgoing.is_sent(withholds=stopping or now >= self.machine.give_up_at)

    def _take(self, now: float, content) -> list:
        if isinstance(content, StreamOpened):
            return self.machine.stream_opened(now, content.status)
        if isinstance(content, StreamChunk):
            exchange = self.outgoing.exchange
            actions = self._streamed.chunk(now, content)
            if exchange is not None:
                exchange.taken()
            return actions
        if isinstance(content, StreamEnded):
            return self._streamed.ended(now, content)
        if isinstance(content, Lost):
            return self._take_lost(now, content)
        return self._take_answer(now, content)

    def _take_lost(self, now: float, lost: Lost) -> list:
        message = self._console.plain(lost.message)
        if self.outgoing.creating is None:
            self._done = None
            return self.machine.poll_lost(now, message, lost.final)
        begun = lost.begun
        if begun is not None and 200 <= begun.status < 300 and self.intake.reader.id_in(begun):
            return self._take_answer(now, begun)
        if lost.sent:
            return self.machine.create_lost(now, message, self.intake.lost(lost))
        refusal = self.outgoing.refusal
        if refusal is None:
            return self.machine.create_not_sent(now, message, lost.final)
        if self.job.outcome != "unknown":
            raise refusal.failure()
        return self.machine.create_not_sent(now, self._console.plain(refusal.message), True)

    def _take_answer(self, now: float, answer: Answer) -> list:
        if self.outgoing.creating is not None:
            return self.machine.create_answered(now, self.intake.created(answer))
        if self._done is not None:
            done, self._done = self._done, None
            found = self.intake.result(done, answer)
            if found is None:
                return self.machine.poll_lost(now, f"the result is not there yet: HTTP {answer.status}")
            return self.machine.poll_answered(now, found)
        told = self.intake.read(answer, self.job.generation_id)
        if self.intake.leads_on(told):  # the results are read apart, within the time of this read
            self.outgoing.begin("result")
            self._done = told.reading
            return []
        return self.machine.poll_answered(now, told)

    def _take_listing(self, now: float, listed) -> list:
        self._looking.exchange = None
        if self.job.generation_id is not None or self.job.ended:
            return []
        seen = self._looking.take(now, listed)
        return self.machine.listed(now, seen.ids, seen.is_whole) if seen else []

    # -- what to do ----------------------------------------------------------------------------------

    def _carry_out(self, actions: list) -> End | None:
        self._streamed.settle()
        # While a POST is unanswered, its ledger entry stays `sending`.
        if not self.machine.awaits_answer:
            self.intake.note(self.job, final=self.job.ended)
        for action in actions:
            if isinstance(action, End):
                self.outgoing.leave()
                return action
            if isinstance(action, Say):
                self._say(action)
            elif isinstance(action, todo.Create):
                end = self._create()
                if end is not None:
                    return end
            elif isinstance(action, todo.Reconcile):
                self._looking.begin(time.monotonic())
            elif isinstance(action, todo.Poll):
                self.outgoing.begin("read")
                self._done = None
            else:
                self.outgoing.leave()
        return None

    def _create(self) -> End | None:
        if self.job.outcome == "unknown" and not self._key_lives:
            words = "the time of its idempotency key is over"
            return self._carry_out(self.machine.create_not_sent(time.monotonic(), words, True))
        self._streamed.begin()
        self.outgoing.create()
        return None

    @property
    def _key_lives(self) -> bool:
        """Whether the idempotency key may still be used by the clock on the wall: the machine's own stands still in a
        suspended machine, and a clock that was set back tells nothing."""
        return 0 <= time.time() - self.asked_at < self.job.rules.repeats_for

    def _say(self, said: Say) -> None:
        if said.event == "warning":
            return self._console.warning(**said.fields)
        return self._console.emit(said.event, **said.fields, **self.intake.told_of(said))
