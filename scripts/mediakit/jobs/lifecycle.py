"""The state machine of one job: what was seen in, what to do next out.

Pure: no I/O, and no clock of its own; every method takes `now`, seconds on any monotonic clock,
and returns the actions to carry out, in order. `wake_at` says when `tick` wants to be called if
nothing is seen before. The rules are those of the command-line contract ("What a paid POST may
do", "Waiting").

    creating ──id──> streaming ──stream left──> polling ──> ended
        │                └──────terminal status───────────────^
        ├──rejected, terminal answer──────────────────────────^
        └──unknown──> reconciling ──found──> polling          │
                           └──not found───────────────────────^

Actions:
    Create    send the paid POST (only now, never otherwise)
    Leave     give the POST or its stream up
    Poll      read the job once
    Reconcile read the service's list of unfinished jobs, and tell `listed` which could be this one
    Say       one event
    End       the result: an event of its own, or a Failure
"""

from __future__ import annotations

import random

from ..base import errors
from ..base.record import field, record
from ..base.retry import HEARTBEAT, Backoff, Throttle
from ..services.providers import TERMINAL_STATES, Reading

CREATE_ATTEMPTS = 5
CREATE_WINDOW = 60.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
# However long a service asks for: it may have meant something else, and its job may be done.
LONGEST_READ_PAUSE = 60.0
# What is sent again under its idempotency key needs so much time for an answer.
LEAST_REPEAT = 1.0
FIRST_POLL_PAUSE = 0.1
POLL_PAUSE_GROWTH = 1.6
NOT_FOUND_GRACE = 30.0
INTERRUPT_GRACE = 2.0
# The list of unfinished jobs is read so many seconds after an outcome became unknown, and while a
# POST is silent, since a short job leaves the list soon.
RECONCILE_AT = (0.0, 1.0, 3.0)
RECONCILE_TIMEOUT = 5.0
SILENT_AFTER = 10.0
SILENT_PAUSE = 5.0
# A deadline leaves so much time to reconcile in, but never more than a quarter of itself.
RECONCILE_RESERVE = 5.0

_NOT_THERE = 404
# A read answered with one of these will not be answered otherwise by asking again.
_RETRIED_READ_STATUSES = frozenset((408, 425, 429))


@record
class WaitPolicy:
    """How a user wants to wait, in seconds.

    stream          whether the create is read as a stream
    wait            whether to wait at all once the job is accepted
    create_timeout  for the answer to a POST, and for data on an open stream
    stream_timeout  for a stream in all, from when it opened
    poll_timeout    for polling, from when it began
    first_poll      before the first poll of a job that was just accepted
    deadline        for everything: a moment on the clock of `now`
    verbose         whether every answer is told, and not only each new state
    """

    stream: bool = True
    wait: bool = True
    create_timeout: float = 120.0
    stream_timeout: float = 3600.0
    poll_timeout: float = 900.0
    poll_interval: float = 3.0
    poll_request_timeout: float = 20.0
    first_poll: float = 0.0
    deadline: float = float("inf")
    verbose: bool = False


@record
class ServiceRules:
    """What the machine has to know of a service.

    ending_events  names of stream events that end the stream
    reconciles     whether the service can be asked what became of a POST without an answer
    repeats_for    for how many seconds after `begin` the same may be sent again under its idempotency key; 0 without
    repeat_pauses  seconds before that at the least where the answer names none: after an answer, and after none
    sending_time   seconds that the answer to the POST may take longer, where it carries files
    final_statuses HTTP statuses after which a POST is not sent again by itself, although nothing was bought
    read_every     the service wants to be asked no more often than so many seconds
    """

    ending_events: frozenset = frozenset()
    reconciles: bool = False
    repeats_for: float = 0.0
    repeat_pauses: tuple[float, float] = (0.0, 0.0)
    sending_time: float = 0.0
    final_statuses: frozenset = frozenset()
    read_every: float = 0.0


@record
class Create:
    pass


@record
class Leave:
    pass


@record
class Poll:
    pass


@record
class Reconcile:
    pass


@record
class Say:
    """An event. `reading` is the answer that it tells of, for whoever adds what the service billed."""

    event: str
    fields: dict = field(default_factory=dict)
    reading: Reading | None = None


@record
class End:
    """The result. `reading` is the terminal answer, where there is one; `failure` replaces the event."""

    event: str
    exit_code: int
    fields: dict = field(default_factory=dict)
    reading: Reading | None = None
    failure: errors.Failure | None = None


class Machine:
    """One job from its create, or from its id, to its result.

    generation_id  of a job that exists already: it is only waited for
    unresolved     of a job that may exist: how it ends when it is not found; it is only looked for
    age            seconds since the job was accepted, as the ledger knows it; None for one that it does not know
    was_read       whether the service has told about the job before to somebody who asked by its id
    jitter         () -> number from 0 to 1
    """

    def __init__(
        self,
        policy: WaitPolicy,
        rules: ServiceRules,
        generation_id: str | None = None,
        *,
        jitter=random.random,
        unresolved: errors.Failure | None = None,
        age: float | None = None,
        was_read: bool = False,
    ):
        self.policy = policy
        self.rules = rules
        self.generation_id = generation_id
        self.status: str | None = None
        self.state: str | None = None
        # As the service told last: from 0 to 1, and how many jobs are before it.
        self.progress: float | None = None
        self.position: int | None = None
        self.outcome = "accepted" if generation_id else "unknown" if unresolved else "not_sent"
        self.ended = False
        self.wake_at = 0.0
        # When a POST without an answer is given up.
        self.give_up_at = float("inf")
        self._unresolved = unresolved
        self._age = age
        self._was_read = was_read
        self._hard_deadline = float("inf")
        self._list_at = float("inf")
        self._listings = 0
        self._is_listing = False
        self._reconciling_from = 0.0
        self._candidates: list[str] = []
        self._jitter = jitter
        self._phase = "new"
        self._attempt = 0
        self._began_at = 0.0
        self._accepted_at: float | None = None
        self._deadline = float("inf")
        self._data_at = 0.0
        self._stream_over_at = float("inf")
        self._said_state_at = 0.0
        self._polls = 0
        self._poll_pause = FIRST_POLL_PAUSE
        self._read_pauses: Backoff | None = None
        self._create_pauses = Backoff(FIRST_PAUSE, LONGEST_PAUSE, jitter)
        self._repeat_pauses = Backoff(FIRST_PAUSE, LONGEST_READ_PAUSE, jitter)
        self._throttle = Throttle()
        self._warned: set[str] = set()
        self._seen_states: set[str] = set()
        self._last_words = ""
        self._interrupted_by: int | None = None
        # A POST has been sent of which nobody knows what became; the one that repeats it proves nothing against it.
        self._is_doubtful = self._is_only_asked = unresolved is not None
        self._is_last_repeat = False

    @property
    def awaits_answer(self) -> bool:
        """Whether a POST is under way, of which `outcome` cannot tell yet."""
        return self._phase == "creating"

    # -- what a driver tells -------------------------------------------------------------------

    def begin(self, now: float) -> list:
        self._began_at = now
        self._deadline = self._hard_deadline = self.policy.deadline
        if self.generation_id:
            self._accepted_at = now - self._age if self._age is not None else None
            return self._start_polling(now)
        if self._unresolved and self.rules.reconciles:
            return self._start_reconciling(now)
        if self._unresolved and now >= self._repeat_until:
            return self._end_unresolved()
        return self._send(now)

    def create_not_sent(self, now: float, message: str, final: bool = False) -> list:
        """The transport recorded that no byte of the POST left. `final`: another try would end the same."""
        if self._is_doubtful:
            words = f"it could not be sent again: {message}"
            return self._unknown_or_repeat("outcome_unknown", words, now, not final, self.rules.repeat_pauses[1])
        self.outcome = "not_sent"
        failure = errors.Failure(
            "request_not_sent",
            f"the request could not be sent: {message}",
            "transient",
            outcome="not_sent",
            retryable=not final,
            guidance=[
                "Nothing was bought. Mend what the message names, then run the same again."
                if final
                else "Nothing was bought. Check the network and the service's status, then run the same again."
            ],
        )
        return self._end(failure) if final else self._send_again(now, message, None, failure)

    def create_lost(self, now: float, message: str, repeatable: bool = False) -> list:
        """The POST, or a part of it, left, and no complete answer came."""
        if self._phase == "streaming":
            return self.stream_ended(now, "reset", message)
        self.outcome = "unknown"
        return self._unknown_or_repeat("outcome_unknown", message, now, repeatable, self.rules.repeat_pauses[1])

    def create_answered(
        self,
        now: float,
        status: int,
        reading: Reading,
        category: str,
        message: str,
        retry_after: float | None = None,
        location: str | None = None,
        stated: str | None = None,
        repeatable: bool = False,
        confirmed: bool = True,
    ) -> list:
        """A complete answer that is no stream. `category` and `message` count for error statuses.

        stated      the outcome that the service's own error code proves, before its status does
        repeatable  whether the same may be sent again under the same idempotency key
        confirmed   whether the id came as it should; else the job is read before it is told as submitted
        """
        self.outcome = stated or errors.outcome_of_status(status, reading.id is not None)
        if self.outcome == "rejected" and self._is_doubtful:
            # The service refuses to be asked again; what it did the first time is as unknown as before.
            return self._end_unknown("outcome_unknown", f"sent again, HTTP {status}{_detail(message)}", now)
        if self.outcome == "accepted" or (200 <= status < 300 and reading.state in TERMINAL_STATES):
            return self._accepted_by_answer(now, status, reading, confirmed)
        if self.outcome == "unknown":
            code, words, found = "outcome_unknown", f"HTTP {status}{_detail(message)}", {}
            if 200 <= status < 300:
                code, words = "missing_generation_id", f"HTTP {status} without the id of a job{_detail(message)}"
            elif reading.id:  # it proves nothing, but a person can ask about it
                found = {"candidates": [reading.id]}
            least = self.rules.repeat_pauses[0]
            return self._unknown_or_repeat(code, words, now, repeatable, least, retry_after, **found)
        if status in errors.REDIRECTED_STATUSES:
            return self._end(redirected(status, location))
        failure = errors.Failure(
            "request_rejected",
            f"the service refused the request: HTTP {status}{_detail(message)}",
            category,
            outcome="rejected",
            retryable=category == "transient",
            http_status=status,
        )
        if category == "transient" and status not in self.rules.final_statuses:
            return self._send_again(now, f"HTTP {status}", retry_after, failure)
        return self._end(failure)

    def stream_opened(self, now: float, status: int) -> list:
        self._phase = "streaming"
        self.outcome = "unknown"
        self._data_at = now
        self._stream_over_at = now + self.policy.stream_timeout
        return [Say("sse_open", {"http_status": status}), *self._rest(now)]

    def stream_said(self, now: float, name: str, reading: Reading | None, message: str = "") -> list:
        """One event of the stream. `reading` is None for data that is no JSON; `message` is an error in it."""
        if self._phase != "streaming":
            return []
        self._data_at = now
        self._last_words = message or self._last_words
        ending = name.lower() in self.rules.ending_events
        if reading is None:
            if ending:
                return self._leave_stream(now, "eof")
            return self._leave_stream(now, "malformed") if self.generation_id else self._rest(now)
        if self.generation_id and reading.id and reading.id != self.generation_id:
            return [*self._warn("foreign_event", "the stream told of another job; that was ignored"), *self._rest(now)]
        actions = self._accept(now, 200, reading) if reading.id and not self.generation_id else []
        if not self.ended:
            actions += self._note_state(now, reading, name)
        if self.ended:
            return actions
        return actions + (self._leave_stream(now, "eof") if ending else self._rest(now))

    def stream_hinted(self, now: float, generation_id: str) -> list:
        """An id in what the stream has not said to its end: it is never lost, but no more of that is believed."""
        if self._phase != "streaming" or self.generation_id:
            return []
        actions = self._accept(now, 200, Reading(generation_id, None, None, None), confirmed=False)
        if self.ended:
            return actions
        return actions + (self._rest(now) if self.policy.wait else self._leave_stream(now, "malformed"))

    def stream_ended(self, now: float, reason: str, message: str = "") -> list:
        """The stream is over: `eof`, `reset`, `malformed` or `not_a_stream`."""
        if self._phase != "streaming":
            return []
        self._last_words = message or self._last_words
        return self._leave_stream(now, reason)

    def poll_answered(
        self,
        now: float,
        status: int,
        reading: Reading,
        category: str,
        message: str,
        retry_after: float | None = None,
    ) -> list:
        if self._phase != "reading":
            return []
        if not 200 <= status < 300:
            if status in _RETRIED_READ_STATUSES or status >= 500:
                return self._read_failed(now, status, message or f"HTTP {status}", retry_after)
            if status == _NOT_THERE and self._accepted_at is not None and not self._was_read:
                if now - self._accepted_at < NOT_FOUND_GRACE:
                    return self._read_failed(now, status, "the job is not visible yet", retry_after)
                return self._end_never_read(now)
            return self._end_unreadable(status, category, message)
        if reading.id and reading.id != self.generation_id:
            return self._read_failed(now, status, "the answer is about another job", None)
        if reading.status is None:
            return self._read_failed(now, status, message or "the answer has no status", None)
        self._throttle.forget()
        self._read_pauses = None
        self._was_read = True
        return self._polled(now, status, reading)

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for the time of its next poll."""
        return self._phase == "waiting" and self.generation_id is not None

    def still_runs(self, now: float) -> None:
        """Somebody has seen in a list that the job is not finished: that stands for a poll."""
        if self.is_waiting:
            self._was_read = True
            self._pause_reading(now, self._poll_pause)
            self._poll_pause = min(self._poll_pause * POLL_PAUSE_GROWTH, self.policy.poll_interval)

    def poll_lost(self, now: float, message: str, final: bool = False) -> list:
        """A read came to nothing. `final`: another one would end the same."""
        if self._phase != "reading":
            return []
        if final:
            fields = {"generation_id": self.generation_id, "attempt": self._polls, "message": message}
            return [Say("poll_error", {**fields, "transient": False}), *self._end_out_of_time(now, True)]
        return self._read_failed(now, None, message, None)

    def interrupted(self, now: float, signal_number: int, sent: bool) -> list:
        """Stop. `sent` tells whether a byte of a POST that is still unanswered has left."""
        if self._phase == "creating" and sent and self._interrupted_by is None:
            self._interrupted_by = signal_number
            self.outcome = "unknown"
            self.wake_at = min(now + INTERRUPT_GRACE, self._deadline)
            return []
        if self._phase == "streaming" and not self.generation_id and self._interrupted_by is None:
            self._interrupted_by = signal_number
            self.wake_at = min(now + INTERRUPT_GRACE, self._deadline)
            return []
        return self._end_interrupted(signal_number)

    def tick(self, now: float, sent: bool = True) -> list:
        """`wake_at` has come. `sent` as in `interrupted`."""
        if self.ended or now < self.wake_at:
            return []
        if self._interrupted_by is not None:
            return self._end_interrupted(self._interrupted_by)
        if self._phase == "reconciling":
            return self._listing_over(now) if self._is_listing else self._list(now)
        if now >= self._deadline or (not self.generation_id and now >= self._create_deadline):
            return self._end_out_of_time(now, sent)
        if self._phase == "pausing":
            return self._send(now)
        is_open = self._phase == "streaming" or now < self.give_up_at
        if now >= self._list_at and is_open and not self.generation_id:
            return self._list_while_silent(now, sent)
        if self._phase == "creating":
            return [Leave(), *self._silent_create(now, sent)]
        if self._phase == "streaming":
            if now - self._data_at >= self.policy.create_timeout or now >= self._stream_over_at:
                return self._leave_stream(now, "idle")
            return self._rest(now)
        if self._phase == "reading":
            return [Leave(), *self._read_failed(now, None, "no answer in time", None)]
        if self._phase == "waiting":
            return self._poll(now)
        return []

    # -- creating ------------------------------------------------------------------------------

    def _send(self, now: float) -> list:
        self._phase = "creating"
        if now >= self._create_deadline:
            return self._end_out_of_time(now, False)
        self._attempt += 1
        patience = self.policy.create_timeout + self.rules.sending_time
        self.give_up_at = min(now + patience, self._create_deadline)
        self._list_at = now + SILENT_AFTER if self.rules.reconciles else float("inf")
        self.wake_at = min(self.give_up_at, self._list_at)
        return [Create()]

    @property
    def _create_deadline(self) -> float:
        """When a POST without an answer is given up, so that there is time left to ask what became of it."""
        if not self.rules.reconciles:
            return self._deadline
        reserve = min(RECONCILE_RESERVE, (self._hard_deadline - self._began_at) / 4)
        return min(self._deadline, self._hard_deadline - reserve)

    def _send_again(self, now: float, cause: str, retry_after: float | None, failure: errors.Failure) -> list:
        if self._interrupted_by is not None:
            return self._end_interrupted(self._interrupted_by)
        pause = max(self._create_pauses.next(), retry_after or 0.0)
        over = now + pause - self._began_at > CREATE_WINDOW or now + pause >= self._create_deadline
        if self._attempt >= CREATE_ATTEMPTS or over:
            if retry_after:
                failure.fields["retry_after_seconds"] = round(retry_after, 3)
            return self._end(failure)
        self._phase = "pausing"
        self.wake_at = now + pause
        if not self._throttle.allows(("create", cause), now):
            return []
        return [
            Say(
                "retry",
                {
                    "what": "create",
                    "attempt": self._attempt + 1,
                    "retry_in_seconds": round(pause, 3),
                    "message": failure.message,
                },
            )
        ]

    def _silent_create(self, now: float, sent: bool) -> list:
        message = f"no answer within {self.policy.create_timeout + self.rules.sending_time:g} s"
        return self.create_lost(now, message, True) if sent else self.create_not_sent(now, message)

    @property
    def _repeat_until(self) -> float:
        """Until when the same may be sent again; somebody who only asks what became of it says for how long."""
        asked_for = self._began_at + self.policy.poll_timeout if self._is_only_asked else float("inf")
        return min(self._began_at + self.rules.repeats_for, self._deadline, asked_for)

    def _repeat_pause(self, now: float, least: float, retry_after: float | None) -> float | None:
        """Seconds until the same is sent again, a growing number; None where its time is over.

        A pause that nobody asked for is cut in half where the time would not suffice for it, once.
        """
        told, left = retry_after or 0.0, self._repeat_until - now
        pause = max(self._repeat_pauses.next(), least if retry_after is None else told)
        if pause < left:
            return pause
        if self._is_last_repeat or left < LEAST_REPEAT or told > left / 2:
            return None
        self._is_last_repeat = True
        return left / 2

    def _unknown_or_repeat(
        self,
        code: str,
        what: str,
        now: float,
        repeatable: bool,
        least: float,
        retry_after: float | None = None,
        **more,
    ) -> list:
        """The outcome is unknown: send the same again under its idempotency key while that may be, else end."""
        pause = self._repeat_pause(now, least, retry_after) if repeatable and self._interrupted_by is None else None
        if pause is None:
            return self._end_unknown(code, what, now, **more)
        self.outcome = "unknown"
        self._is_doubtful = True
        self._phase = "pausing"
        self.wake_at = now + pause
        if not self._throttle.allows(("repeat", what), now):
            return [Leave()]
        fields = {
            "what": "create",
            "attempt": self._attempt + 1,
            "retry_in_seconds": round(pause, 3),
            "message": f"{what}; it is sent again under the same idempotency key, and so charged once",
        }
        if self._throttle.count > 1:
            fields["count"] = self._throttle.count
        return [Leave(), Say("retry", fields)]

    def _accepted_by_answer(self, now: float, status: int, reading: Reading, confirmed: bool) -> list:
        actions = self._accept(now, status, reading, confirmed)
        if self.ended:
            return actions
        if reading.state in TERMINAL_STATES:
            return actions + self._end_terminal(reading, "create")
        actions += self._note_state(now, reading, None)
        if self.policy.stream:
            actions.append(Say("sse_stream_ended", {"generation_id": self.generation_id, "reason": "not_a_stream"}))
            actions.append(Say("fallback_polling_start", {"generation_id": self.generation_id}))
        return actions + self._start_polling(now)

    def _accept(self, now: float, status: int, reading: Reading, confirmed: bool = True) -> list:
        """The id was seen: from here the job is never lost."""
        self.generation_id = reading.id
        self.outcome = "accepted"
        self._accepted_at = now
        self._throttle.forget()
        if self._interrupted_by is not None:
            self.status = reading.status
            return self._end_interrupted(self._interrupted_by)
        submitted = {"generation_id": reading.id, "http_status": status}
        if not self.policy.wait and confirmed and reading.state not in TERMINAL_STATES:
            self._phase, self.ended = "ended", True
            return [Leave(), End("submitted", 0, submitted, reading)]
        return [Say("submitted", submitted, reading)] if reading.id and self.policy.wait else []

    # -- streaming -----------------------------------------------------------------------------

    def _note_state(self, now: float, reading: Reading, event_name: str | None) -> list:
        """What a stream's event says of the state; `event_name` is None for a create's own answer."""
        if reading.state in TERMINAL_STATES:
            return [Leave(), *self._end_terminal(reading, "sse")]
        actions = self._warn_unknown(reading)
        changed = self._remember(reading)
        if event_name is None:
            return actions
        if changed or self.policy.verbose or (reading.status and now - self._said_state_at >= HEARTBEAT):
            self._said_state_at = now
            fields = {"generation_id": self.generation_id, "status": self.status, "terminal": False}
            if event_name != "message":
                fields["sse_event_name"] = event_name
            if self.policy.verbose:
                fields["payload"] = reading.body
            actions.append(Say("sse_event", fields))
        return actions

    def _leave_stream(self, now: float, reason: str) -> list:
        ended = Say("sse_stream_ended", {"generation_id": self.generation_id, "reason": reason})
        if not self.generation_id:
            words = f"the stream ended ({reason}) before an id came{_detail(self._last_words)}"
            return [Leave(), ended, *self._end_unknown("outcome_unknown", words, now)]
        start = Say("fallback_polling_start", {"generation_id": self.generation_id})
        return [Leave(), ended, start, *self._start_polling(now)]

    # -- polling -------------------------------------------------------------------------------

    def _start_polling(self, now: float) -> list:
        # The stream has just been left, or the id has just come: ask at once.
        self._phase = "waiting"
        self._deadline = min(self._hard_deadline, now + self.policy.poll_timeout)
        if now >= self._deadline:
            return self._end_out_of_time(now, True)
        if self.policy.first_poll and not self._age:
            self._poll_pause = max(self._poll_pause, self.policy.first_poll / 2)
            self._pause_reading(now, self.policy.first_poll)
            return []
        return self._poll(now)

    def _poll(self, now: float) -> list:
        self._phase = "reading"
        self._polls += 1
        self.wake_at = min(now + self.policy.poll_request_timeout, self._deadline)
        return [Poll()]

    def _polled(self, now: float, status: int, reading: Reading) -> list:
        if reading.state in TERMINAL_STATES:
            return self._end_terminal(reading, "poll")
        if not self.policy.wait:
            self._remember(reading)
            self._phase, self.ended = "ended", True
            return [End("submitted", 0, {"generation_id": self.generation_id, "http_status": status}, reading)]
        actions = self._warn_unknown(reading)
        if self._remember(reading) or self.policy.verbose or now - self._said_state_at >= HEARTBEAT:
            self._said_state_at = now
            fields = {
                "generation_id": self.generation_id,
                "attempt": self._polls,
                "http_status": status,
                "status": reading.status,
                "terminal": False,
            }
            if self.policy.verbose:
                fields["payload"] = reading.body
            actions.append(Say("poll", fields))
        self._pause_reading(now, max(self._poll_pause, self.rules.read_every))
        self._poll_pause = min(self._poll_pause * POLL_PAUSE_GROWTH, self.policy.poll_interval)
        return actions

    def _read_failed(self, now: float, status: int | None, message: str, retry_after: float | None) -> list:
        if self._read_pauses is None:
            self._read_pauses = Backoff(FIRST_PAUSE, max(LONGEST_PAUSE, self.policy.poll_interval), self._jitter)
        pause = min(max(self._read_pauses.next(), retry_after or 0.0), LONGEST_READ_PAUSE)
        self._pause_reading(now, pause)
        if not self._throttle.allows((status, message), now):
            return []
        fields = {
            "generation_id": self.generation_id,
            "attempt": self._polls,
            "transient": True,
            "message": message,
            "retry_in_seconds": round(pause, 3),
        }
        if status is not None:
            fields["http_status"] = status
        if self._throttle.count > 1:
            fields["count"] = self._throttle.count
        return [Say("poll_error", fields)]

    def _pause_reading(self, now: float, pause: float) -> None:
        self._phase = "waiting"
        self.wake_at = min(now + min(max(pause, 0.0), LONGEST_READ_PAUSE), self._deadline)

    # -- reconciling ---------------------------------------------------------------------------

    def listed(self, now: float, matches: list[str] | None) -> list:
        """The list was read: the ids that could be this job and are no other's; None if it could not be read.

        Absence proves nothing, and of several none is taken.
        """
        if self.generation_id or self.ended:
            return []
        if matches and len(matches) == 1:
            return self._attach(now, matches[0])
        self._candidates = matches or self._candidates
        return self._listing_over(now) if self._phase == "reconciling" and self._is_listing else []

    def _start_reconciling(self, now: float) -> list:
        self._phase = "reconciling"
        self._reconciling_from = now
        return [Leave(), *self._list(now)]

    def _list(self, now: float) -> list:
        if now >= self._hard_deadline:
            return self._end_unresolved()
        self._is_listing = True
        self.wake_at = min(now + RECONCILE_TIMEOUT, self._hard_deadline)
        return [Reconcile()]

    def _listing_over(self, now: float) -> list:
        self._is_listing = False
        self._listings += 1
        if self._listings == len(RECONCILE_AT):
            return self._end_unresolved()
        self.wake_at = min(self._reconciling_from + RECONCILE_AT[self._listings], self._hard_deadline)
        return []

    def _list_while_silent(self, now: float, sent: bool) -> list:
        self._list_at = now + SILENT_PAUSE
        if self._phase == "creating":
            self.wake_at = min(self.give_up_at, self._list_at)
        else:
            self._rest(now)
        return [Reconcile()] if sent else []

    def _attach(self, now: float, generation_id: str) -> list:
        self.generation_id = generation_id
        self.outcome = "accepted"
        self._accepted_at = now
        found = {"generation_id": generation_id, "reason": "reconciled"}
        if not self.policy.wait:
            self._phase, self.ended = "ended", True
            return [Leave(), End("submitted", 0, {"generation_id": generation_id, "http_status": 200})]
        message = "the job was found in the service's list of running jobs; it is not sent again"
        return [Leave(), Say("resumed", {**found, "message": message}), *self._start_polling(now)]

    def _end_unresolved(self) -> list:
        failure = self._unresolved or unknown_outcome("nobody knows of it")
        if self._candidates:
            failure.fields["candidates"] = self._candidates[:20]
        return [Leave(), *self._end(failure)]

    # -- shared --------------------------------------------------------------------------------

    def _rest(self, now: float) -> list:
        """Nothing to do before the next data, the idle limit or the deadline."""
        if self._interrupted_by is None:
            idle_at = self._data_at + self.policy.create_timeout
            self.wake_at = min(idle_at, self._stream_over_at, self._deadline)
            if not self.generation_id:
                self.wake_at = min(self.wake_at, self._create_deadline, self._list_at)
        return []

    def _remember(self, reading: Reading) -> bool:
        """Take a status in; whether the state is one that the job has not been in."""
        if reading.status is None:
            return False
        # Two statuses that we do not know are the same state to us: still running.
        state = reading.state or "running"
        # A service that goes to and fro between two states is told of once; then the heartbeat tells.
        is_new = state not in self._seen_states
        self._seen_states.add(state)
        self.status, self.state = reading.status, state
        self.progress, self.position = reading.progress, reading.position
        return is_new

    def _warn_unknown(self, reading: Reading) -> list:
        if reading.status is None or reading.state is not None:
            return []
        return self._warn("unknown_status", "the service reports a status that is not known here; waiting goes on")

    def _warn(self, code: str, message: str) -> list:
        if code in self._warned:
            return []
        self._warned.add(code)
        return [Say("warning", {"code": code, "message": message})]

    # -- ends ----------------------------------------------------------------------------------

    def _end_terminal(self, reading: Reading, source: str) -> list:
        if self._interrupted_by is not None:
            return self._end_interrupted(self._interrupted_by)
        self.status, self.state = reading.status, reading.state
        self.outcome = "accepted"
        ok = reading.state == "succeeded"
        self._phase, self.ended = "ended", True
        fields = {"ok": ok, "source": source, "status": reading.status, "state": reading.state}
        return [End("terminal", 0 if ok else 10, fields, reading)]

    def _end_unknown(self, code: str, what: str, now: float, **more) -> list:
        if self._interrupted_by is not None:
            return self._end_interrupted(self._interrupted_by)
        self.outcome = "unknown"
        self._unresolved = unknown_outcome(what, code, **more)
        return self._start_reconciling(now) if self.rules.reconciles else self._end(self._unresolved)

    def _end_unreadable(self, status: int, category: str, message: str) -> list:
        return self._end(
            errors.Failure(
                "read_failed",
                f"the service refuses to tell about the job: HTTP {status}{_detail(message)}",
                category,
                outcome="accepted",
                retryable=False,
                http_status=status,
            )
        )

    def _end_out_of_time(self, now: float, sent: bool) -> list:
        if not self._is_doubtful and ((self._phase == "creating" and not sent) or self._phase == "pausing"):
            return [Leave(), *self._end(_out_of_time_unsent())]
        if not self.generation_id:
            return [Leave(), *self._end_unknown("outcome_unknown", "the time was used up before an id came", now)]
        self._phase, self.ended = "ended", True
        fields = {
            "generation_id": self.generation_id,
            "elapsed_seconds": round(now - self._began_at, 3),
            "last_status": self.status,
        }
        return [Leave(), End("timeout", 11, fields)]

    def _end_never_read(self, now: float) -> list:
        """The service accepted the job, and says that there is none: that proves nothing, and closes nothing."""
        self._phase, self.ended = "ended", True
        fields = {
            "generation_id": self.generation_id,
            "elapsed_seconds": round(now - self._began_at, 3),
            "last_status": self.status,
            "message": "the service accepted this job, and has not shown it once since",
            "guidance": [
                "Ask for it again later. To give it up: jobs.py forget JOB --accept-loss; then the same command buys anew."
            ],
        }
        return [Leave(), End("timeout", 11, fields)]

    def _end_interrupted(self, signal_number: int) -> list:
        self._phase, self.ended = "ended", True
        return [Leave(), End("interrupted", 128 + signal_number, {"outcome": self.outcome})]

    def _end(self, failure: errors.Failure) -> list:
        if self._interrupted_by is not None:
            return self._end_interrupted(self._interrupted_by)
        self._phase, self.ended = "ended", True
        return [End("error", failure.exit_code, failure=failure)]


def unknown_outcome(what: str, code: str = "outcome_unknown", **more) -> errors.Failure:
    """A paid request that was sent, and of which nobody knows whether it was accepted."""
    return errors.Failure(
        code,
        f"the request was sent, but it is not known whether it was accepted: {what}",
        "outcome_unknown",
        outcome="unknown",
        retryable=False,
        **more,
    )


def redirected(status: int, location: str | None) -> errors.Failure:
    """A service that redirects a request which carries the key."""
    return errors.Failure(
        "request_redirected",
        f"the service answered HTTP {status}, a redirect{_detail(location or '')}; the key is never sent elsewhere",
        "unknown",
        outcome="rejected",
        retryable=False,
        http_status=status,
        guidance=["Check --base-url: it must be the address that answers, not one that forwards."],
    )


def _out_of_time_unsent() -> errors.Failure:
    return errors.Failure(
        "request_not_sent",
        "the time was used up before the request could be sent",
        "transient",
        outcome="not_sent",
        retryable=True,
        guidance=["Nothing was bought. Run the same again, with more time."],
    )


def _detail(message: str) -> str:
    return f": {message}" if message else ""
