"""Between the machine of one job and the wire: what comes in is read for the machine, what it decides is done.

Driver   the two together, step by step: it never waits, and owns no thread
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from ..base import errors
from ..base.inbox import Inbox, Message, Signal
from ..base.record import replace
from ..console import Console
from ..http import documents, sse
from ..http.answers import Answer, Lost, StreamChunk, StreamEnded, StreamOpened
from ..http.documents import read_json
from ..http.exchange import LARGEST_ANSWER, Exchange
from ..http.receiving import salvaged
from ..ledger import entries
from ..services.answers import Reading
from ..services.refusals import Verdict
from ..services.site import JobRef
from .connection import Connection
from .kept import keep
from .lifecycle import actions as todo
from .lifecycle import outcomes
from .lifecycle.actions import End, Say
from .lifecycle.answers import JobAnswer
from .lifecycle.machine import Machine
from .looking import Looking
from .reading import Reader, Said
from .start import Start, Submission

_LARGEST_PENDING = 256 * 1024
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
    trace_id  what the service's support asks for, where an answer had it
    replayed  whether the create was answered with what had been bought with its key before
    kept      the file with an answer to the create that does not fit, where one came
    is_result_kept whether `kept` is the result itself: it cannot be had again
    advice    what the service's latest refusal asks for, in our own words
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
        self.trace_id: str | None = None
        self.replayed = False
        self.advice: list[str] = []
        self.kept: str | None = None
        self.wire = connection.wire(inbox)
        self.is_result_kept = False
        self._site = connection.site
        self._told: Mapping[str, str] = start.told
        self._done: Reading | None = None
        self._base_url = connection.base_url
        self._console = console
        self._provider = connection.provider
        self._writer = writer
        self._start = start
        self.asked_at = time.time()
        self._reader = Reader(connection, start)
        # A service's program has no list of jobs.
        lister = connection.http(inbox) if connection.through else self.wire
        self._looking = Looking(lister, connection.site, writer, start, self.asked_at)
        self._exchange: Exchange | None = None
        self._creating: Exchange | None = None
        self._decoder = sse.Decoder()
        self._without_id = bytearray()  # what the stream has said before it told an id
        self._last_call = 0.0, 0.0
        self._look_again_at = 0.0
        self._has_warned = False
        self.told_by: tuple[str, ...] = ()  # what the last answer was: create, read or result

    @property
    def wake_at(self) -> float:
        """When `step` is to be called although nothing came, on the clock of time.monotonic."""
        return max(self.job.wake_at, self._look_again_at)

    @property
    def mode(self) -> str:
        """How the result is waited for."""
        if self.wire.source:
            return self.wire.source
        if self._start.submission and self.job.policy.stream:
            return "sse_then_poll_fallback"
        return "synchronous" if self._start.submission and self._provider.answers_when_done else "poll"

    @property
    def first_url(self) -> str:
        """Where the first request goes."""
        submission = self._start.submission
        if self._start.generation_id:
            path = self._provider.paths.read(self._start.generation_id, self._start.model)
        else:
            path = self._create_place(submission) if submission else self._asked_place
        return path if "://" in path else self._base_url + path

    @property
    def _asked_place(self) -> str:
        """Where it is asked what became of a create; the service itself where nothing is asked."""
        return "" if self._start.kept else self._site.of_list(self._start.model)

    def _create_place(self, submission: Submission) -> str:
        return self._site.of_create(submission.origin, submission.path)

    def begin(self) -> End | None:
        if self._start.kept is not None:
            (self.kept, reading), self.is_result_kept = self._start.kept, True
            return self._carry_out(outcomes.terminal(self.job, reading, "create"))
        return self._carry_out(self.machine.begin(time.monotonic()))

    def step(self, message: Message | Signal | None) -> End | None:
        return self._carry_out(self._actions(time.monotonic(), message))

    def abandon(self) -> None:
        if self._creating is not None and self.machine.awaits_answer and not self._creating.withhold():
            self.job.outcome = "unknown"
        self._note(final=True)

    def leave(self) -> None:
        """Give up what is being read."""
        if self._exchange is not None:
            self._exchange.leave()
        self._exchange = self._creating = None

    def place_of(self, step: str) -> str:
        """Where a step about this job is asked: a path for a service's program, else the whole address."""
        generation_id = self.job.generation_id or ""
        if self.wire.source:
            return self._provider.paths.read(generation_id, self._start.model)
        return self._site.of_job(step, JobRef(generation_id, self._start.model, self._told))

    def ask(self, step: str) -> Exchange:
        """Begin the question of a step about this job."""
        rules, seconds = getattr(self._provider.job, step), self.job.policy.poll_request_timeout
        return self.wire.read(rules.method, self.place_of(step), seconds, rules.max_bytes)

    def outputs(self, body) -> list[dict]:
        """The results that an answer about this job tells of."""
        generation_id = self.job.generation_id
        return self._site.outputs(body, JobRef(generation_id, self._start.model) if generation_id else None)

    def close(self) -> None:
        self.leave()
        self.wire.close()
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
        if message.sender is not self._exchange or self._exchange is None:
            return []  # from a request that was given up
        # A server that sends without end must not keep the clock from being checked.
        return self._take(now, message.content) or self.machine.tick(now)

    def _is_answering(self, now: float) -> bool:
        """Whether the answer with the id is there, though its time is up: this process may have been stopped until now."""
        limit = self.job.wake_at
        if self._creating is None or self.job.generation_id or now < limit or self.job.ended:
            return False
        if self._last_call[0] != limit:
            self._last_call = limit, now + _LAST_CALL
        if now >= self._last_call[1] or not self._creating.is_answering:
            return False
        self._look_again_at = now + _LOOK_AGAIN
        return True

    def _cut_off(self, now: float) -> Answer | None:
        """What has come by now of an answer to the create that is given up, where an id is in it."""
        job, exchange = self.job, self._creating
        if exchange is None or not self.machine.awaits_answer or self.wire.source or now < job.wake_at:
            return None
        if job.interrupted_by is None and now < min(self.machine.give_up_at, job.create_deadline):
            return None
        found = salvaged(exchange)
        return found if found and 200 <= found.status < 300 and self._reader.id_in(found) else None

    def _is_sent(self, now: float, stopping: bool = False) -> bool:
        """Whether the POST under way has left; at its limits it is withheld first, so that it cannot leave after."""
        if self._creating is None:
            return False
        if stopping or now >= self.machine.give_up_at:
            return not self._creating.withhold()
        return self._creating.sent

    def _take(self, now: float, content) -> list:
        if isinstance(content, StreamOpened):
            return self.machine.stream_opened(now, content.status)
        if isinstance(content, StreamChunk):
            return self._take_chunk(now, content)
        if isinstance(content, StreamEnded):
            return self._take_end(now, content)
        if isinstance(content, Lost):
            return self._take_lost(now, content)
        return self._take_answer(now, content)

    def _take_lost(self, now: float, lost: Lost) -> list:
        message = self._console.plain(lost.message)
        if self._creating is None:
            self._done = None
            return self.machine.poll_lost(now, message, lost.final)
        begun = lost.begun
        if begun is not None and 200 <= begun.status < 300 and self._reader.id_in(begun):
            return self._take_answer(now, begun)
        if self._writer.refusal and not lost.sent:
            if self.job.outcome != "unknown":
                raise self._writer.refusal.failure()
            return self.machine.create_not_sent(now, self._console.plain(self._writer.refusal.message), True)
        if lost.sent and begun is not None and 200 <= begun.status < 300:
            self.kept = keep(self._console, self._writer.key, begun.content)
        if lost.sent:
            repeatable = self._provider.refusals.verdict(0, None, own_key=self._own_key).repeatable
            return self.machine.create_lost(now, message, repeatable)
        return self.machine.create_not_sent(now, message, lost.final)

    def _take_answer(self, now: float, answer: Answer) -> list:
        if self._creating is not None:
            said = self._reader.create(answer)
            if 200 <= answer.status < 300:
                self._take_addresses(said.body)
            if said.is_result:
                self._keep_result(answer)
            return self._take_created(now, answer, said)
        if self._done is not None:
            return self._take_result(now, self._done, answer)
        said = self._reader.read(answer, self.job.generation_id)
        told, _ = self._judged(answer, said)
        if told.is_success and said.reading.status is not None:
            self._writer.read(self._base_url)
        if told.is_success and self._provider.job.result and self._provider.answers.may_be_done(said.reading):
            return self._ask_result(said.reading)
        return self.machine.poll_answered(now, told)

    def _judged(self, answer: Answer, said: Said) -> tuple[JobAnswer, Verdict]:
        """What an answer comes to by the rules of its service; what it tells besides is taken in."""
        reading, body = said.reading, said.reading.body
        found = self._provider.refusals.verdict(answer.status, body, said.problem, answer.headers, self._own_key)
        says_no = said.problem or answer.status >= 300 or not self._provider.refusals.says_success(body)
        message = self._console.plain(found.message) if says_no else ""
        self.trace_id = self._provider.refusals.trace_id(body, answer.headers) or self.trace_id
        self.advice = found.advice
        retry_after = found.retry_after if answer.retry_after is None else answer.retry_after
        for told in documents.documents(answer.content) if said.problem else [body]:
            self._bill(told, answer.headers, "create" if self._creating is not None else "read")
        self._warn_guessed(reading)
        return JobAnswer(answer.status, reading, found.category, message, retry_after), found

    def _take_created(self, now: float, answer: Answer, said: Said) -> list:
        """The answer to the create; one of which nobody can tell whether it was bought is kept."""
        told, found = self._judged(answer, said)
        if said.reading.id and self._provider.answers.is_replay(said.reading.body):
            self.replayed = True
            self._console.warning("replayed", "this was bought with the same key before, and is not charged again")
        outcome = found.outcome or errors.outcome_of_status(answer.status, said.reading.id is not None)
        if self._own_key and not found.repeatable and outcome == "unknown":
            self._writer.never_again()
        if outcome == "unknown" and told.is_success and not self.is_result_kept:
            self.kept = keep(self._console, self._writer.key, answer.content)
        location = answer.headers.get("Location", "").partition("?")[0]
        proven = {
            "stated": found.outcome if said.confirmed else None,
            "repeatable": found.repeatable,
            "confirmed": said.confirmed,
            "location": self._console.plain(location, 100),
        }
        return self.machine.create_answered(now, replace(told, **proven))

    def _keep_result(self, answer: Answer) -> None:
        """The answer is the result and cannot be fetched again: keep it on disk before anything else can fail."""
        self.is_result_kept = True
        self.kept = keep(self._console, self._writer.key, answer.content, answer.headers.get("Content-Type", ""))

    def _take_addresses(self, body) -> None:
        """Keep the addresses that the answer to the create tells; one that would take the key elsewhere is not used."""
        self._told = self._site.told_by(body)
        self._writer.told(dict(self._told))
        if self._site.tells_elsewhere(body):
            words = "the service told an address that is not its own, and that would get the key: it is not used"
            self._console.warning("told_elsewhere", words)

    def _warn_guessed(self, reading: Reading) -> None:
        if reading.is_guessed and not self._has_warned:
            self._has_warned = True
            words = "the service calls the job done by a word that it does not document; its results are there"
            self._console.warning("unlisted_status", words)

    def _ask_result(self, reading: Reading) -> list:
        """The job is done; its results are read apart, within the time of this read."""
        self.leave()
        self._done = reading
        self._exchange = self.ask("result")
        return []

    def _take_result(self, now: float, done: Reading, answer: Answer) -> list:
        """The answer with the results of a job that is done, or with the reason why it has none.

        A job that is done by a word that the service does not document is one where they are.
        """
        self._done = None
        step = self._provider.job.result
        is_sure = done.state is not None and not done.is_guessed
        body, problem = read_json(answer.content)
        self.trace_id = self._provider.refusals.trace_id(body, answer.headers) or self.trace_id
        self._bill(body, answer.headers, "result")
        if 200 <= answer.status < 300 and not problem:
            if not is_sure and not self.outputs(body):
                return self.machine.poll_answered(now, JobAnswer(200, done))
            whole = replace(done, body=body, headers=answer.headers, state="succeeded", is_guessed=not is_sure)
            self._warn_guessed(whole)
            return self.machine.poll_answered(now, JobAnswer(200, whole))
        if step is not None and answer.status in step.failed_http:
            return self.machine.poll_answered(now, JobAnswer(200, replace(done, state="failed", body=body)))
        found = self._provider.refusals.verdict(answer.status, body, problem, answer.headers)
        if answer.status in (401, 402, 403):
            message = self._console.plain(found.message)
            return self.machine.poll_answered(now, JobAnswer(answer.status, done, found.category, message))
        if not is_sure:  # the answer before holds them, or the job goes on
            return self.machine.poll_answered(now, JobAnswer(200, done))
        return self.machine.poll_lost(now, f"the result is not there yet: HTTP {answer.status}")

    def _bill(self, body, headers=None, *of: str) -> None:
        """Note what the job costs, as the answer `of` it tells; an event of a stream can tell what any answer does."""
        self.told_by = of
        self._writer.billed(self._provider.bills.cost(body, headers, of), self._provider.bills.usage(body))
        if self._creating is not None:
            self._writer.bounded(self._provider.bills.ceiling(body, headers))

    @property
    def _own_key(self) -> str | None:
        """The idempotency key that the create carries, where the service takes one."""
        rules, submission = self._provider.idempotency, self._start.submission
        return submission.sent_with.get(rules["field"]) if rules and submission else None

    def _take_listing(self, now: float, listed) -> list:
        self._looking.exchange = None
        if self.job.generation_id is not None or self.job.ended:
            return []
        seen = self._looking.take(now, listed)
        return self.machine.listed(now, seen.ids, seen.is_whole) if seen else []

    def _take_chunk(self, now: float, chunk: StreamChunk) -> list:
        actions, exchange = [], self._exchange
        if not self.job.generation_id and len(self._without_id) < LARGEST_ANSWER:
            self._without_id += chunk.content
        try:
            for event in self._decoder.feed(chunk.content):
                actions += self._take_event(now, event)
                if self.job.ended:
                    break
            actions += self._hint(now, begun=False)
        except sse.EventTooLarge as problem:
            actions += self.machine.stream_ended(now, "malformed", str(problem))
        if exchange is not None:
            exchange.taken()
        return actions

    def _hint(self, now: float, begun: bool) -> list:
        """Look for the id in an event that has not ended yet; `begun`: also in JSON that is cut off."""
        pending = "" if self.job.generation_id or self.job.ended else self._decoder.pending
        if not pending or len(pending) > _LARGEST_PENDING:
            return []
        hinted = documents.documents(pending.encode("utf-8", "replace"), begun)
        found = self._reader.id_of(hinted)
        for told in hinted if found else ():
            self._bill(told)
        return self.machine.stream_hinted(now, found) if found else []

    def _take_event(self, now: float, event: sse.Event) -> list:
        if event.data.strip() == "[DONE]":
            return self.machine.stream_ended(now, "eof")
        content = event.data.encode("utf-8", "replace")
        body, problem = read_json(content)
        bodies_of_it = [body] if not problem else documents.documents(content, False)
        if not bodies_of_it and event.data:
            return self.machine.stream_said(now, event.name, None, self._console.plain(event.data, 100))
        actions: list = []
        for body in bodies_of_it or [None]:
            self._bill(body)
            reading = self._provider.answers.reading(body)
            message = "" if reading.status else self._console.plain(self._provider.refusals.error(body)[1])
            actions += self.machine.stream_said(now, event.name, reading, message)
        return actions

    def _take_end(self, now: float, ended: StreamEnded) -> list:
        # An id in an event that was cut off is still the id of a job that was bought.
        return self._hint(now, begun=True) + self.machine.stream_ended(now, ended.reason, ended.message)

    # -- what to do ----------------------------------------------------------------------------------

    def _note(self, final: bool) -> None:
        job = self.job
        self._writer.note(job.outcome, job.generation_id, job.status, job.state, final)

    def _keep_without_id(self) -> None:
        """A stream that is over and has told no id is kept, as any other answer to a create that does not fit."""
        said, self._without_id = self._without_id, bytearray()
        if self.job.outcome == "unknown":
            self.kept = keep(self._console, self._writer.key, bytes(said))

    def _carry_out(self, actions: list) -> End | None:
        if self._without_id and (self.job.generation_id or self.job.phase != "streaming"):
            self._keep_without_id()
        # While a POST is unanswered, its ledger entry stays `sending`.
        if not self.machine.awaits_answer:
            self._note(final=self.job.ended)
        for action in actions:
            if isinstance(action, End):
                self.leave()
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
                self.leave()
                self._done = None
                self._exchange = self.ask("read")
            else:
                self.leave()
        return None

    def _create(self) -> End | None:
        if self.job.outcome == "unknown" and not self._key_lives:
            words = "the time of its idempotency key is over"
            return self._carry_out(self.machine.create_not_sent(time.monotonic(), words, True))
        submission, policy = self._start.submission, self.job.policy
        assert submission is not None, "the machine sends only what there is to send"
        self._decoder = sse.Decoder()
        self._exchange = self._creating = None  # nothing is out while the body is made
        fields = {**submission.payload, **submission.sent_with}
        body = submission.body(fields) if submission.body else fields
        self._exchange = self._creating = self.wire.post(
            self._create_place(submission),
            body,
            policy.create_timeout + submission.seconds,
            policy.stream,
            self._writer.before_sending,
        )
        return None

    @property
    def _key_lives(self) -> bool:
        """Whether the idempotency key may still be used by the clock on the wall: the machine's own stands still in a
        suspended machine, and a clock that was set back tells nothing."""
        return 0 <= time.time() - self.asked_at < self.job.rules.repeats_for

    def _say(self, said: Say) -> None:
        if said.event == "warning":
            return self._console.warning(**said.fields)
        more = {"usage": self._provider.bills.usage(said.reading.body)} if said.reading else {}
        if said.event == "submitted":
            more["job"] = self._writer.key
        return self._console.emit(said.event, **said.fields, **more)
