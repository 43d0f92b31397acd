"""What the answer to an action of an account comes to: a success that holds what it must, or a Failure.

Judge   of one action
"""

from __future__ import annotations

from ..base import errors
from ..base.pointer import point
from ..console import Console
from ..http.answers import Answer, Lost
from ..http.documents import read_json
from ..services import actions, keys
from ..services.answers import outputs_at
from .connection import Connection

_SHORTEST_KEY = 8


class Judge:
    """Judges the answers to one action.

    pays        whether it costs something, so that its outcome counts
    shows_key   whether a new key may be seen
    """

    def __init__(
        self, console: Console, connection: Connection, action: actions.Action, asked: actions.Request, shows_key: bool
    ):
        self.pays = action.effect != "no_spend"
        self._console = console
        self._connection = connection
        self._provider = connection.provider
        self._action = action
        self._asked = asked
        self._shows_key = shows_key

    def passing(self, answer: Answer | Lost) -> tuple[str | None, float | None]:
        """`(message, seconds to wait)` of a failure that may be over soon; message is None for anything else."""
        if isinstance(answer, Lost):
            return answer.message, None
        body, words = read_json(answer.content)
        if 200 <= answer.status < 300:
            return (self._console.plain(words), None) if words else (None, None)
        found = self._provider.refusals.verdict(answer.status, body, words, answer.headers)
        if found.category != "transient":
            return None, None
        wait = found.retry_after if answer.retry_after is None else answer.retry_after
        return f"HTTP {answer.status}: {self._console.plain(found.message)}", wait

    def success(self, answer: Answer | Lost) -> tuple[Answer, object]:
        """`(answer, body)` of a success; raises Failure for everything else."""
        if isinstance(answer, Lost):
            raise self._lost(answer)
        body, words = read_json(answer.content)
        self._protect_key(body)
        says_success = self._provider.refusals.says_success(body, self._action.success, answer.headers)
        if not (200 <= answer.status < 300 and says_success):
            raise self._refused(answer, body, words)
        shortcoming = self._shortcoming(body, words)
        if shortcoming:
            raise self._failed(*shortcoming, answer, body)
        return answer, body

    def _shortcoming(self, body, words: str) -> tuple[str, str, str] | None:
        """`(code, message, category)` of a success that is none; None for one that holds what it must."""
        action = self._action
        unknown = "outcome_unknown" if self.pays else "transient"
        if words:
            return "no_answer", f"the service answered with {self._console.plain(words)}", unknown
        if action.valid and point(body, action.valid) is False:
            return "api_key_refused", "the service does not take this key", "auth"
        if action.outputs and not outputs_at(body, action.outputs, action.output_type):
            return "no_answer", "the answer holds no result", "outcome_unknown"
        if action.issues_key and not self.key_in(body):
            return "no_answer", "the answer holds no key", "unknown"
        return None

    def key_in(self, body) -> str | None:
        """The new key in an answer; None where it holds none."""
        found = point(body, self._action.issues_key) if self._action.issues_key else None
        is_key = isinstance(found, str) and len(found) >= _SHORTEST_KEY and keys.is_usable(found)
        return found if is_key else None

    def _protect_key(self, body) -> None:
        """A new key is shown nowhere, not in the words of a refusal either, unless that is asked for."""
        key = self.key_in(body)
        if key and not self._shows_key:
            self._console.redactor.protect(key)

    def _lost(self, lost: Lost) -> errors.Failure:
        if not lost.sent:
            return self._failed("request_not_sent", lost.message, "transient", outcome="not_sent")
        return self._failed("no_answer", lost.message, "outcome_unknown" if self.pays else "transient")

    def _refused(self, answer: Answer, body, words: str) -> errors.Failure:
        found = self._provider.refusals.verdict(answer.status, body, words, answer.headers, self._asked.idempotency_key)
        message = f"HTTP {answer.status}: {self._console.plain(found.message)}"
        outcome = found.outcome or errors.outcome_of_status(answer.status, False)
        if self.pays and outcome == "unknown":
            return self._failed("no_answer", message, "outcome_unknown", answer, body)
        code = "api_key_refused" if found.category == "auth" and self._connection.key else "request_rejected"
        if answer.status in errors.REDIRECTED_STATUSES:
            code = "request_redirected"
        return self._failed(
            code, message, found.category, answer, body,
            outcome="rejected" if self.pays else None, guidance=found.advice,
        )  # fmt: skip

    def _failed(self, code, message, category, answer=None, body=None, outcome=None, guidance=()) -> errors.Failure:
        if category == "outcome_unknown":
            code, outcome = "outcome_unknown", "unknown"
            message = f"it was sent, and it is not known whether it was carried out: {message}"
        fields = {
            "provider": self._provider.name,
            "action": self._action.name,
            "effect": self._action.effect,
            "http_status": answer.status if answer else None,
            "trace_id": self._provider.refusals.trace_id(body),
            "outcome": outcome,
            "guidance": [*guidance, *self._guidance(category)],
            "retryable": category == "transient",
        }
        return errors.Failure(
            code, message, category, **{name: value for name, value in fields.items() if value is not None}
        )

    def _guidance(self, category: str) -> list[str]:
        usual = self._provider.advice.on(category) if category in errors.CATEGORY_EXIT_CODES else []
        if category == "outcome_unknown" and self._asked.idempotency_key:
            again = (
                f"The same with --confirm and --param idempotency_key={self._asked.idempotency_key} is no second one."
            )
            return [*usual, again]
        return usual
