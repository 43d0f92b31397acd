"""What one job asks its service, one request at a time."""

from __future__ import annotations

from ..base.inbox import Inbox
from ..http.exchange import Exchange
from ..ledger import entries
from ..ledger.unusable import Unusable
from .connection import Connection
from .lifecycle.status import JobStatus
from .places import Places
from .start import Start


class Outgoing:
    """The requests of one job.

    exchange   the one that is under way; None without one
    creating   the same while it is the create
    source     what a result is said to come from; None where that is the job's own affair
    mode       how the result is waited for
    first_url  where the first one goes
    refusal    why the ledger did not let the create leave; None while it does
    """

    def __init__(
        self,
        connection: Connection,
        start: Start,
        job: JobStatus,
        places: Places,
        writer: entries.Writer,
        inbox: Inbox,
    ):
        self.exchange: Exchange | None = None
        self.creating: Exchange | None = None
        self.wire = connection.wire(inbox)
        self._provider = connection.provider
        self._start = start
        self._job = job
        self._places = places
        self._writer = writer

    @property
    def source(self) -> str | None:
        return self.wire.source

    @property
    def mode(self) -> str:
        if self.source:
            return self.source
        if self._start.submission and self._job.policy.stream:
            return "sse_then_poll_fallback"
        return "synchronous" if self._start.submission and self._provider.answers_when_done else "poll"

    @property
    def first_url(self) -> str:
        return self._places.first()

    @property
    def refusal(self) -> Unusable | None:
        return self._writer.refusal

    def create(self) -> None:
        """Send the create, whose first byte leaves once the ledger says so."""
        submission, policy = self._start.submission, self._job.policy
        assert submission is not None, "the machine sends only what there is to send"
        self.exchange = self.creating = None  # nothing is out while the body is made
        fields = {**submission.payload, **submission.sent_with}
        header = (self._provider.idempotency or {}).get("header")
        headers = {header: fields.pop(header)} if header else None
        body = submission.body(fields) if submission.body else fields
        seconds = policy.create_timeout + submission.seconds
        self.exchange = self.creating = self.wire.post(
            self._places.of_create(), body, seconds, policy.stream, self._writer.before_sending, headers
        )

    def begin(self, step: str) -> None:
        """Ask a step about this job in place of what is under way."""
        self.leave()
        self.exchange = self.ask(step)

    def ask(self, step: str) -> Exchange:
        """Ask a step about this job beside what is under way."""
        rules, seconds = getattr(self._provider.job, step), self._job.policy.poll_request_timeout
        return self.wire.read(rules.method, self._places.of_step(step), seconds, rules.max_bytes)

    def is_sent(self, withholds: bool) -> bool:
        """Whether the create under way has left; where it `withholds`, it cannot leave after."""
        if self.creating is None:
            return False
        return not self.creating.withhold() if withholds else self.creating.sent

    def leave(self) -> None:
        """Give up what is being read."""
        if self.exchange is not None:
            self.exchange.leave()
        self.exchange = self.creating = None

    def close(self) -> None:
        self.leave()
        self.wire.close()
