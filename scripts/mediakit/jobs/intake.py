"""What the answers about one job come to by the rules of its service, and what is noted and kept of them."""

from __future__ import annotations

from ..base import errors
from ..base.record import replace
from ..console import Console
from ..http import documents
from ..http.answers import Answer, Lost
from ..http.documents import read_json
from ..ledger import entries
from ..services.answers import Reading
from ..services.refusals import Verdict
from .connection import Connection
from .kept import keep
from .lifecycle.actions import Say
from .lifecycle.answers import JobAnswer
from .lifecycle.status import JobStatus
from .places import Places
from .reading import Reader, Said
from .start import Start


class Intake:
    """Takes in the answers about one job: each method says what one comes to.

    reader    what answers say
    trace_id  what the service's support asks for, where an answer had it
    replayed  whether the create was answered with what had been bought with its key before
    kept      the file with an answer to the create that does not fit, where one came
    is_result_kept whether `kept` is the result itself: it cannot be had again
    advice    what the service's latest refusal asks for, in our own words
    told_by   what the last answer was: create, read or result; empty for an event of a stream
    """

    def __init__(self, console: Console, connection: Connection, writer: entries.Writer, start: Start, places: Places):
        self.reader = Reader(connection, start)
        self.trace_id: str | None = None
        self.replayed = False
        self.kept: str | None = None
        self.is_result_kept = False
        self.advice: list[str] = []
        self.told_by: tuple[str, ...] = ()
        self._console = console
        self._connection = connection
        self._provider = connection.provider
        self._writer = writer
        self._submission = start.submission
        self._places = places
        self._has_warned = False

    @property
    def own_key(self) -> str | None:
        """The idempotency key that the create carries, where the service takes one."""
        rules, submission = self._provider.idempotency, self._submission
        return submission.sent_with.get(rules["field"]) if rules and submission else None

    # -- answers -------------------------------------------------------------------------------------

    def created(self, answer: Answer) -> JobAnswer:
        """The answer to the create; one of which nobody can tell whether it was bought is kept."""
        said = self.reader.create(answer)
        if 200 <= answer.status < 300:
            self._take_addresses(said.body)
        if said.is_result:  # it cannot be fetched again: kept before anything else can fail
            self.is_result_kept = True
            self.keep(answer.content, answer.headers.get("Content-Type", ""))
        told, found = self._judged(answer, said, "create")
        if said.reading.id and self._provider.answers.is_replay(said.reading.body):
            self.replayed = True
            self._console.warning("replayed", "this was bought with the same key before, and is not charged again")
        outcome = found.outcome or errors.outcome_of_status(answer.status, said.reading.id is not None)
        if self.own_key and not found.repeatable and outcome == "unknown":
            self._writer.never_again()
        if outcome == "unknown" and told.is_success and not self.is_result_kept:
            self.keep(answer.content)
        location = answer.headers.get("Location", "").partition("?")[0]
        proven = {
            "stated": found.outcome if said.confirmed else None,
            "repeatable": found.repeatable,
            "confirmed": said.confirmed,
            "location": self._console.plain(location, 100),
        }
        return replace(told, **proven)

    def lost(self, lost: Lost) -> bool:
        """A create that left has no answer: whether the same may be sent again under its key."""
        begun = lost.begun
        if begun is not None and 200 <= begun.status < 300:
            self.keep(begun.content)
        return self._provider.refusals.verdict(0, None, own_key=self.own_key).repeatable

    def read(self, answer: Answer, generation_id: str | None) -> JobAnswer:
        said = self.reader.read(answer, generation_id)
        told, _ = self._judged(answer, said, "read")
        if told.is_success and said.reading.status is not None:
            self._writer.read(self._connection.base_url)
        return told

    def leads_on(self, told: JobAnswer) -> bool:
        """Whether it is time to ask for the results, which are read apart."""
        has_result = told.is_success and self._provider.job.result is not None
        return has_result and self._provider.answers.may_be_done(told.reading)

    def result(self, done: Reading, answer: Answer) -> JobAnswer | None:
        """The answer with the results of a job that is done, or with the reason why it has none; None for not yet.

        A job that is done by a word that the service does not document is one where they are.
        """
        step = self._provider.job.result
        is_sure = done.state is not None and not done.is_guessed
        body, problem = read_json(answer.content)
        self.trace_id = self._provider.refusals.trace_id(body, answer.headers) or self.trace_id
        self.bill(body, answer.headers, "result")
        if 200 <= answer.status < 300 and not problem:
            if not is_sure and not self.outputs(body):
                return JobAnswer(200, done)
            whole = replace(done, body=body, headers=answer.headers, state="succeeded", is_guessed=not is_sure)
            self._warn_guessed(whole)
            return JobAnswer(200, whole)
        if step is not None and answer.status in step.failed_http:
            return JobAnswer(200, replace(done, state="failed", body=body))
        found = self._provider.refusals.verdict(answer.status, body, problem, answer.headers)
        if answer.status in (401, 402, 403):
            return JobAnswer(answer.status, done, found.category, self._console.plain(found.message))
        # Of one that may not be done, the answer before holds them, or the job goes on.
        return None if is_sure else JobAnswer(200, done)

    def event(self, body) -> tuple[Reading, str]:
        """`(what one value of a stream's event says, the service's words where it tells of no state)`."""
        self.bill(body)
        reading = self._provider.answers.reading(body)
        return reading, "" if reading.status else self._console.plain(self._provider.refusals.error(body)[1])

    def outputs(self, body) -> list[dict]:
        """The results that an answer about this job tells of."""
        return self._places.outputs(body)

    def _judged(self, answer: Answer, said: Said, of: str) -> tuple[JobAnswer, Verdict]:
        """What an answer comes to by the rules of its service; what it tells besides is taken in."""
        reading, body, refusals = said.reading, said.reading.body, self._provider.refusals
        found = refusals.verdict(answer.status, body, said.problem, answer.headers, self.own_key)
        says_no = said.problem or answer.status >= 300 or not refusals.says_success(body, headers=answer.headers)
        message = self._console.plain(found.message) if says_no else ""
        self.trace_id = refusals.trace_id(body, answer.headers) or self.trace_id
        self.advice = found.advice
        retry_after = found.retry_after if answer.retry_after is None else answer.retry_after
        for told in documents.documents(answer.content) if said.problem else [body]:
            self.bill(told, answer.headers, of)
        self._warn_guessed(reading)
        return JobAnswer(answer.status, reading, found.category, message, retry_after), found

    # -- notes ---------------------------------------------------------------------------------------

    def bill(self, body, headers=None, *of: str) -> None:
        """Note what the job costs, as the answer `of` it tells; an event of a stream can tell what any answer does."""
        self.told_by = of
        bills = self._provider.bills
        self._writer.billed(bills.cost(body, headers, of), bills.usage(body))
        if of in ((), ("create",)):
            self._writer.bounded(bills.ceiling(body, headers))

    def note(self, job: JobStatus, final: bool) -> None:
        """Write down what is known of the job."""
        self._writer.note(job.outcome, job.generation_id, job.status, job.state, final)

    def keep(self, content: bytes, called: str | None = None) -> None:
        """Keep an answer to the create on disk; `called` is the media type of one that is the result itself."""
        self.kept = keep(self._console, self._writer.key, content, called)

    def told_of(self, said: Say) -> dict:
        """What an event tells besides what the machine knows."""
        more: dict = {"usage": self._provider.bills.usage(said.reading.body)} if said.reading else {}
        return {**more, "job": self._writer.key} if said.event == "submitted" else more

    def _take_addresses(self, body) -> None:
        """Keep the addresses that the answer to the create tells; one that would take the key elsewhere is not used."""
        self._writer.told(self._places.learn(body))
        if self._connection.site.tells_elsewhere(body):
            words = "the service told an address that is not its own, and that would get the key: it is not used"
            self._console.warning("told_elsewhere", words)

    def _warn_guessed(self, reading: Reading) -> None:
        if reading.is_guessed and not self._has_warned:
            self._has_warned = True
            words = "the service calls the job done by a word that it does not document; its results are there"
            self._console.warning("unlisted_status", words)
