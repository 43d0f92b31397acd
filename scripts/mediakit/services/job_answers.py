"""What the answers of one service say about its jobs: state, results, and until when they are kept. Pure."""

from __future__ import annotations

from ..base.pointer import point, tokens
from ..base.record import replace
from ..base.text import is_number
from ..base.times import rfc3339
from ..http import documents
from . import answers
from .answers import Reading
from .descriptor import condition

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .described import Described
    from .refusals import Refusals


class JobAnswers:
    """Reads answers by the rules of one descriptor, see answers."""

    def __init__(self, described: Described, refusals: Refusals):
        self._described = described
        self._refusals = refusals

    def answer_of(self, generation_id: str) -> dict:
        """The least answer to a create that has this id where the service puts it."""
        body: Any = generation_id
        for token in reversed(tokens(self._described.job.ids[0])):
            body = {token: body}
        return body

    def reading(self, body, of_create: bool = False, headers=None) -> Reading:
        """What an answer says about a job; every part may be missing.

        of_create  whether it answers a create: some services answer when the job is done, and with
                   the results in place of a status
        """
        is_result = of_create and any(one.answers != "job" for one in self._described.routes)
        found = answers.reading(
            self._described.job, self._described.state_rules, body, lambda: bool(self.outputs(body)), is_result
        )
        progress, position = (self._number(name, body, headers) for name in ("progress", "position"))
        return replace(
            found,
            headers=headers,
            progress=float(progress) if is_number(progress) and 0 <= progress <= 1 else None,
            position=position if is_number(position) and isinstance(position, int) and position >= 0 else None,
        )

    def _number(self, name: str, body, headers):
        """What stands where the descriptor has `name`; in a header it is written as a text."""
        where = self._described.says(name, "/\0")
        found = answers.number_at(where, body, headers)
        return int(found) if found is not None and isinstance(where, dict) and name == "position" else found

    def reading_of_file(self, content: bytes, headers) -> Reading:
        """What an answer to a create says that is the result itself, and no JSON."""
        found = [answers.file_in(content, headers.get("Content-Type", ""))] if content else []
        state = "succeeded" if found else None
        return Reading(None, state, state, None, headers=headers, outputs=found)

    def reading_of_result(self, content: bytes, body, headers, of_text: bool) -> Reading | None:
        """What an answer to a create says in which no id of a job is, but the result; None for any other.

        body     as read_json gives it
        of_text  whether a text was asked for
        """
        if body is not None and not self._refusals.says_success(body, headers=headers):
            return None
        if body is None:  # no single value: the result can be the first of several, or have something behind it
            values = [value for value in documents.documents(content, begun=False) if isinstance(value, dict)]
            results = (self.reading_of_result(content, value, headers, of_text) for value in values)
            if result := next(filter(None, results), None):
                return result
        if isinstance(body, dict) and self.outputs(body):
            return Reading(None, "succeeded", "succeeded", body, headers=headers)
        found = answers.results_in(content, body, headers.get("Content-Type", ""), of_text)
        return Reading(None, "succeeded", "succeeded", body, headers=headers, outputs=found) if found else None

    def reading_again(self, content: bytes, body, media_type: str, of_text: bool) -> Reading | None:
        """What an answer to a create says that was the result itself; None where that cannot be seen any more.

        body  as read_json gives it, None for what is no JSON
        """
        headers = {"Content-Type": media_type}
        reading = self.reading(body, True)
        if (
            body is None
            and any(one.answers == "media" for one in self._described.routes)
            and answers.can_be_file(media_type)
        ):
            reading = self.reading_of_file(content, headers)
        if reading.state == "succeeded":
            return reading
        return self.reading_of_result(content, body, headers, of_text)

    def may_be_done(self, reading: Reading) -> bool:
        """Whether it is time to ask for the results, which are not in the answers about the job's state."""
        is_guess = reading.state is None and (reading.status or "").lower() in answers.FINISHED_WORDS
        return reading.state == "succeeded" or is_guess

    def is_gone(self, body) -> bool:
        """Whether the service says that it has removed what the job made."""
        gone = self._described.says("gone")
        return gone is not None and answers.holds(condition(gone), body)

    def outputs(self, body, made: Callable[[str, str | None], str | None] | None = None) -> list[dict]:
        """`{url, type, media_type, width, height, duration, expires_at}` for each result, without what is unknown.

        made  as in answers.outputs; who knows the job has Site.outputs
        """
        found, expires_at = answers.outputs(self._described.output_rules, body, made), self.expires_at(body)
        return [{**output, "expires_at": rfc3339(expires_at)} for output in found] if expires_at else found

    def result(self, body):
        """The result itself, for jobs whose result is no file; None where the descriptor does not say where."""
        return point(body, self._described.result_at) if self._described.result_at is not None else None

    def expires_at(self, body) -> float | None:
        """Until when the results are kept, in seconds since the epoch; None where the answer does not say."""
        where = self._described.says("expires_at")
        found = point(body, where["at"]) if where else None
        unit = 1000 if where and where["unit"] == "milliseconds" else 1
        # Compared before it is divided: a whole number of 400 digits is no float.
        return found / unit if is_number(found) and 0 < found < 1e11 * unit else None

    def effective(self, body) -> list[dict] | None:
        """`[{name, value, source}]`: the parameters that the service used; None where it does not say."""
        listed = point(body, self._described.says("effective", "/\0"))
        if not isinstance(listed, list):
            return None
        words = ("name", "value", "source")
        return [{word: one[word] for word in words if word in one} for one in listed if isinstance(one, dict)]

    def is_replay(self, body) -> bool:
        """Whether an answer to a create is what an earlier one with the same key was answered; nothing was charged."""
        rule = (self._described.idempotency or {}).get("replayed")
        found = point(body, rule["at"]) if rule else None
        texts = found if isinstance(found, list) else [found]
        return any(isinstance(text, str) and text.startswith(rule["begins"]) for text in texts) if rule else False
