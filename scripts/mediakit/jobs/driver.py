"""Between the machine of one job and the wire: what comes in is read for the machine, what it decides is done.

Submission   what a create sends
Start        how a job begins: with a create, with an id, or with the question whether it exists
Driver       the two together, step by step: it never waits, and owns no thread
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from ..base import errors
from ..base.inbox import Inbox, Message, Signal
from ..base.record import field, record, replace
from ..console import Console
from ..http import bodies, documents, sse
from ..http.answers import Answer, Lost, StreamChunk, StreamEnded, StreamOpened
from ..http.exchange import Exchange
from ..http.receiving import LARGEST_ANSWER
from ..ledger import entries
from ..services import providers, trust
from ..services.answers import Reading, can_be_file
from ..services.provider import SAME_JOB_WITHIN
from ..services.site import JobRef
from .connection import Connection
from .kept import keep
from .lifecycle import actions as todo
from .lifecycle import outcomes
from .lifecycle.actions import End, Say
from .lifecycle.answers import JobAnswer
from .lifecycle.machine import Machine
from .lifecycle.reconciling import RECONCILE_TIMEOUT

_LARGEST_PENDING = 256 * 1024
# So much longer is an answer waited for that is coming in when the time for it is up.
_LAST_CALL = 2.0
_LOOK_AGAIN = 0.05
# The clock of a service and ours may differ by so many seconds.
_CLOCKS_APART = 60.0
# So many pages of a list of jobs are looked through: a job that is sought is among the newest.
_MOST_PAGES = 10


@record
class Submission:
    """What a create sends.

    path       below the base URL
    payload    the fields
    sent_with  what is sent beside them: the idempotency key, the service's own guard
    body       (fields) -> bodies.Body where files go along; None where the fields are sent as JSON
    seconds    how much longer the answer may take: the files have to be sent, or it is the result itself
    answers    job: with an id; done: with the result itself; media: the answer's body is the file
    of_text    whether its result is a text
    origin     the name of the origin that the path is at; None for the default one, below the base URL
    """

    path: str
    payload: dict
    sent_with: dict = field(default_factory=dict)
    body: Callable[[dict], bodies.Body] | None = None
    seconds: float = 0.0
    answers: str = "job"
    of_text: bool = False
    origin: str | None = None


@record
class Start:
    """How a job begins.

    model          where it is known
    submission     of a job that is to be bought; or sent again, where it may exist
    generation_id  of a job that exists
    age            of a job that the ledger knows: seconds since it was accepted
    unresolved     of a job that may exist: the Failure if it is not found
    repeats_for    seconds for which the submission may be sent again under its idempotency key; 0 for never
    sought         the payload that a job in the service's list must have to be this one; None where no list tells
    noted          the payload as it may be kept
    resumed        of a job that was paid for before: reason and message of its `resumed` event
    told           step -> the address that the answer to its create told, as the ledger has kept it
    warnings       (code, message) of what is to be known before it is sent
    kept           the file with an answer that was the result itself, and what it says: nothing is asked
    """

    model: str | None = None
    submission: Submission | None = None
    generation_id: str | None = None
    age: float | None = None
    unresolved: errors.Failure | None = None
    repeats_for: float = 0.0
    sought: dict | None = None
    noted: dict | None = None
    resumed: tuple[str, str] | None = None
    told: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()
    kept: tuple[str, Reading] | None = None


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
        # A service's program has no list of jobs.
        self._lister = connection.http(inbox) if connection.through else self.wire
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
        self._exchange: Exchange | None = None
        self._creating: Exchange | None = None
        self._listing: Exchange | None = None
        self._pages: list[str] = []
        self._listing_until = 0.0
        self._listed: list[str] = []
        self._decoder = sse.Decoder()
        self._without_id = bytearray()  # what the stream has said before it told an id
        self._last_call = 0.0, 0.0
        self._look_again_at = 0.0
        self._has_warned = False

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
            path = self._provider.read_path(self._start.generation_id, self._start.model)
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
            return self._provider.read_path(generation_id, self._start.model)
        return self._site.of_job(step, JobRef(generation_id, self._start.model, self._told))

    def ask(self, step: str) -> Exchange:
        """Begin the question of a step about this job."""
        method, seconds = getattr(self._provider.job, step).method, self.job.policy.poll_request_timeout
        return self.wire.read(method, self.place_of(step), seconds)

    def outputs(self, body) -> list[dict]:
        """The results that an answer about this job tells of."""
        generation_id = self.job.generation_id
        return self._site.outputs(body, JobRef(generation_id, self._start.model) if generation_id else None)

    def _ask_list(self, place: str) -> None:
        self._pages.append(place)
        self._listing = self._lister.get(place, RECONCILE_TIMEOUT)

    def close(self) -> None:
        self.leave()
        self.wire.close()
        self._lister.close()

    # -- what came in ------------------------------------------------------------------------------

    def _actions(self, now: float, message: Message | Signal | None) -> list:
        if message is None:
            return [] if self._is_answering(now) else self.machine.tick(now, self._is_sent(now))
        if isinstance(message, Signal):
            return self.machine.interrupted(now, message.number, self._is_sent(now, True))
        if message.sender is self._listing and self._listing is not None:
            return self._take_listing(now, message.content)
        if message.sender is not self._exchange or self._exchange is None:
            return []  # from a request that was given up
        # A server that never falls silent must not keep the clock from being looked at.
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
        if begun is not None and 200 <= begun.status < 300 and self._candidate(begun):
            return self._take_answer(now, begun)
        if self._writer.refusal and not lost.sent:
            if self.job.outcome != "unknown":
                raise self._writer.refusal.failure()
            return self.machine.create_not_sent(now, self._console.plain(self._writer.refusal.message), True)
        if lost.sent and begun is not None and 200 <= begun.status < 300:
            self.kept = keep(self._console, self._writer.key, begun.content)
        if lost.sent:
            repeatable = self._provider.verdict(0, None, own_key=self._own_key).repeatable
            return self.machine.create_lost(now, message, repeatable)
        return self.machine.create_not_sent(now, message, lost.final)

    def _take_answer(self, now: float, answer: Answer) -> list:
        is_create = self._creating is not None
        if self._done is not None and not is_create:
            return self._take_result(now, self._done, answer)
        reading, problem, candidate = self._read_create(answer) if is_create else (*self._read(answer), None)
        body = reading.body
        found = self._provider.verdict(answer.status, body, problem, answer.headers, self._own_key)
        says_no = problem or answer.status >= 300 or not self._provider.says_success(body)
        message = self._console.plain(found.message) if says_no else ""
        self.trace_id = self._provider.trace_id(body, answer.headers) or self.trace_id
        self.advice = found.advice
        retry_after = found.retry_after if answer.retry_after is None else answer.retry_after
        for told in documents.documents(answer.content) if problem else [body]:
            self._bill(told, answer.headers)
        self._warn_guessed(reading)
        if is_create and reading.id and self._provider.is_replay(body):
            self.replayed = True
            self._console.warning("replayed", "this was bought with the same key before, and is not charged again")
        if not is_create:
            is_read = 200 <= answer.status < 300
            if is_read and reading.status is not None:
                self._writer.read(self._base_url)
            if is_read and self._provider.job.result and self._provider.may_be_done(reading):
                return self._ask_result(reading)
            return self.machine.poll_answered(
                now, JobAnswer(answer.status, reading, found.category, message, retry_after)
            )
        outcome = found.outcome or errors.outcome_of_status(answer.status, reading.id is not None)
        if self._own_key and not found.repeatable and outcome == "unknown":
            self._writer.never_again()
        if outcome == "unknown" and 200 <= answer.status < 300 and not self.is_result_kept:
            self.kept = keep(self._console, self._writer.key, answer.content)
        location = answer.headers.get("Location", "").partition("?")[0]
        return self.machine.create_answered(
            now,
            JobAnswer(
                answer.status,
                reading,
                found.category,
                message,
                retry_after,
                stated=None if candidate else found.outcome,
                repeatable=found.repeatable,
                confirmed=candidate is None,
                location=self._console.plain(location, 100),
            ),
        )

    def _read(self, answer: Answer) -> tuple[Reading, str]:
        """What a read of the job says, and what it is where it is no JSON."""
        body, problem = providers.read_json(answer.content)
        reading = self._provider.reading(body, False, answer.headers)
        if reading.status is None:
            reading = self._told_of_us(answer) or reading
        return reading, "" if reading.status else problem

    def _read_create(self, answer: Answer) -> tuple[Reading, str, str | None]:
        """What the answer to the create says, what it is where it is no JSON, and an id that a read has to confirm."""
        body, problem = providers.read_json(answer.content)
        reading = self._provider.reading(body, True, answer.headers)
        if not 200 <= answer.status < 300:
            return reading, problem, None
        self._take_addresses(body)
        if problem and self._answers_itself and can_be_file(answer.headers.get("Content-Type", "")):
            reading, problem = self._provider.reading_of_file(answer.content, answer.headers), ""
        elif reading.id and reading.state == "succeeded" and self._provider.job.result:
            reading = replace(reading, state="running")  # the read that follows leads on to its results
        if reading.id is None and reading.state == "succeeded" and not answer.damage:
            self._keep_result(answer)
            return reading, problem, None
        if reading.id is not None and not answer.damage:
            return reading, problem, None
        candidate = reading.id or self._candidate(answer)
        if candidate:
            return Reading(candidate, None, None, body), problem, candidate
        of_text = self._start.submission is not None and self._start.submission.of_text
        result = None
        if reading.status is None and not answer.damage:
            result = self._provider.reading_of_result(answer.content, body, answer.headers, of_text)
        if result:
            self._keep_result(answer)
        return result or reading, "" if result else problem, None

    def _keep_result(self, answer: Answer) -> None:
        """The answer is the result, and cannot be had again: whatever happens before it is saved, it is there."""
        self.is_result_kept = True
        self.kept = keep(self._console, self._writer.key, answer.content, answer.headers.get("Content-Type", ""))

    def _take_addresses(self, body) -> None:
        """Keep the addresses that the answer to the create tells; one that would take the key elsewhere is not used."""
        self._told = self._site.told_by(body)
        self._writer.told(dict(self._told))
        if self._site.tells_elsewhere(body):
            words = "the service told an address that is not its own, and that would get the key: it is not used"
            self._console.warning("told_elsewhere", words)

    @property
    def _answers_itself(self) -> bool:
        """Whether the body of the answer to the create is the file itself."""
        return self._start.submission is not None and self._start.submission.answers == "media"

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
        body, problem = providers.read_json(answer.content)
        self.trace_id = self._provider.trace_id(body, answer.headers) or self.trace_id
        self._bill(body, answer.headers)
        if 200 <= answer.status < 300 and not problem:
            if not is_sure and not self.outputs(body):
                return self.machine.poll_answered(now, JobAnswer(200, done))
            whole = replace(done, body=body, headers=answer.headers, state="succeeded", is_guessed=not is_sure)
            self._warn_guessed(whole)
            return self.machine.poll_answered(now, JobAnswer(200, whole))
        if step is not None and answer.status in step.failed_http:
            return self.machine.poll_answered(now, JobAnswer(200, replace(done, state="failed", body=body)))
        found = self._provider.verdict(answer.status, body, problem, answer.headers)
        if answer.status in (401, 402, 403):
            message = self._console.plain(found.message)
            return self.machine.poll_answered(now, JobAnswer(answer.status, done, found.category, message))
        if not is_sure:  # the answer before holds them, or the job goes on
            return self.machine.poll_answered(now, JobAnswer(200, done))
        return self.machine.poll_lost(now, f"the result is not there yet: HTTP {answer.status}")

    def _bill(self, body, headers=None) -> None:
        """What the job costs may be told once only, in whatever answer."""
        self._writer.billed(self._provider.cost(body, headers), self._provider.usage(body))
        if self._creating is not None:
            self._writer.bounded(self._provider.ceiling(body, headers))

    def _candidate(self, answer: Answer) -> str | None:
        """The id in an answer to a create whose envelope is not what it should be; a read of the job confirms it."""
        found = self._id_in(documents.documents(answer.content))
        if found:
            return found
        # Where the new job can be read is what this header is for (RFC 9110, 10.2.2).
        place, base = urlsplit(answer.headers.get("Location", "")), urlsplit(self._base_url)
        if place.netloc not in ("", base.netloc) or not place.path.startswith(base.path):
            return None
        named = self._provider.id_of(place.path[len(base.path) :])
        return named if named and trust.PLAIN_WORD.fullmatch(named) else None

    def _id_in(self, values: list) -> str | None:
        return next((found for value in values if (found := self._provider.reading(value).id)), None)

    def _told_of_us(self, answer: Answer) -> Reading | None:
        """What a read says that holds several values in place of one: the last that tells of this job."""
        readings = map(self._provider.reading, reversed(documents.documents(answer.content)))
        ours = (None, self.job.generation_id)
        return next((reading for reading in readings if reading.status and reading.id in ours), None)

    @property
    def _own_key(self) -> str | None:
        """The idempotency key that the create carries, where the service takes one."""
        rules, submission = self._provider.idempotency, self._start.submission
        return submission.sent_with.get(rules["field"]) if rules and submission else None

    def _take_listing(self, now: float, listed) -> list:
        """Look in the list of jobs, page after page, for ids of jobs with our input that no ledger entry owns."""
        self._listing = None
        if self.job.generation_id is not None or self.job.ended:
            return []
        is_read = isinstance(listed, Answer) and 200 <= listed.status < 300
        body = providers.read_json(listed.content)[0] if is_read else None
        since = (self._writer.entry.created_at if self._writer.entry else self.asked_at) - _CLOCKS_APART
        found = self._provider.running_matches(body, self._start.sought or {}, since, self._start.model)
        if found is None:
            return self.machine.listed(now, self._listed or None, is_whole=False)
        self._listed += [one for one in found if one not in self._listed]
        rules = self._provider.job.listing
        following = self._site.following(rules, body, self._pages[0]) if rules else None
        has_time = len(self._pages) < _MOST_PAGES and now < self._listing_until
        is_next = following not in self._pages and has_time and not self._provider.is_past(body, since)
        if following is not None and is_next:
            self._ask_list(following)
            return []
        matches = self._listed
        if matches:
            matches = self._writer.attach(matches, None if self._provider.lists_input else SAME_JOB_WITHIN)
        return self.machine.listed(now, matches)

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
        """Look for the id in what no blank line has ended; `begun`: also in JSON that has no end itself."""
        pending = "" if self.job.generation_id or self.job.ended else self._decoder.pending
        if not pending or len(pending) > _LARGEST_PENDING:
            return []
        hinted = documents.documents(pending.encode("utf-8", "replace"), begun)
        found = self._id_in(hinted)
        for told in hinted if found else ():
            self._bill(told)
        return self.machine.stream_hinted(now, found) if found else []

    def _take_event(self, now: float, event: sse.Event) -> list:
        if event.data.strip() == "[DONE]":
            return self.machine.stream_ended(now, "eof")
        content = event.data.encode("utf-8", "replace")
        body, problem = providers.read_json(content)
        bodies_of_it = [body] if not problem else documents.documents(content, False)
        if not bodies_of_it and event.data:
            return self.machine.stream_said(now, event.name, None, self._console.plain(event.data, 100))
        actions: list = []
        for body in bodies_of_it or [None]:
            self._bill(body)
            reading = self._provider.reading(body)
            message = "" if reading.status else self._console.plain(self._provider.error(body)[1])
            actions += self.machine.stream_said(now, event.name, reading, message)
        return actions

    def _take_end(self, now: float, ended: StreamEnded) -> list:
        # An id in an event that the cut left unfinished is still the id of a job that was bought.
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
        # While a POST is out, what the ledger says of it stands.
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
                self._pages, self._listed = [], []
                self._listing_until = time.monotonic() + RECONCILE_TIMEOUT / 2
                self._ask_list(self._site.of_list(self._start.model))
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
        more = {"usage": self._provider.usage(said.reading.body)} if said.reading else {}
        if said.event == "submitted":
            more["job"] = self._writer.key
        return self._console.emit(said.event, **said.fields, **more)
