"""What the answers about one job say, however odd their envelopes are. Pure.

Said    what one answer says
Reader  reads the answers to the create and to the reads after it
"""

from __future__ import annotations

from urllib.parse import urlsplit

from ..base.record import record, replace
from ..http import documents
from ..http.answers import Answer
from ..http.documents import read_json
from ..services import trust
from ..services.answers import Reading, can_be_file
from .connection import Connection
from .start import Start

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import Any


@record
class Said:
    """What an answer says.

    reading    about the job
    problem    what the answer is where it is no JSON that can be used, else ""
    body       the answer as JSON
    confirmed  whether the id came as it should; else a read of the job has to confirm it
    is_result  whether the answer to the create is the result itself, which cannot be had again
    """

    reading: Reading
    problem: str
    body: Any
    confirmed: bool = True
    is_result: bool = False


class Reader:
    """Reads the answers about one job.

    create  the answer to the create
    read    the answer to a read
    id_in   the id in an answer to a create whose envelope is not what it should be
    id_of   the first id in some JSON values
    """

    def __init__(self, connection: Connection, start: Start):
        self._provider = connection.provider
        self._base_url = connection.base_url
        self._submission = start.submission

    def create(self, answer: Answer) -> Said:
        body, problem = read_json(answer.content)
        reading = self._provider.answers.reading(body, True, answer.headers)
        if not 200 <= answer.status < 300:
            return Said(reading, problem, body)
        if problem and self._is_file(answer):
            reading, problem = self._provider.answers.reading_of_file(answer.content, answer.headers), ""
        elif reading.id and reading.state == "succeeded" and self._provider.job.result:
            reading = replace(reading, state="running")  # the read that follows leads on to its results
        if not answer.damage and (reading.id is not None or reading.state == "succeeded"):
            return Said(reading, problem, body, is_result=reading.id is None)
        candidate = reading.id or self.id_in(answer)
        if candidate:
            return Said(Reading(candidate, None, None, body), problem, body, confirmed=False)
        of_text = self._submission is not None and self._submission.of_text
        result = None
        if reading.status is None and not answer.damage:
            result = self._provider.answers.reading_of_result(answer.content, body, answer.headers, of_text)
        return Said(result, "", body, is_result=True) if result else Said(reading, problem, body)

    def read(self, answer: Answer, generation_id: str | None) -> Said:
        body, problem = read_json(answer.content)
        reading = self._provider.answers.reading(body, False, answer.headers)
        if reading.status is None:
            reading = self._told_of(generation_id, answer) or reading
        return Said(reading, "" if reading.status else problem, body)

    def id_in(self, answer: Answer) -> str | None:
        found = self.id_of(documents.documents(answer.content))
        if found:
            return found
        # Where the new job can be read is what this header is for (RFC 9110, 10.2.2).
        place, base = urlsplit(answer.headers.get("Location", "")), urlsplit(self._base_url)
        if place.netloc not in ("", base.netloc) or not place.path.startswith(base.path):
            return None
        named = self._provider.paths.id_of(place.path[len(base.path) :])
        return named if named and trust.PLAIN_WORD.fullmatch(named) else None

    def id_of(self, values: list) -> str | None:
        return next((found for value in values if (found := self._provider.answers.reading(value).id)), None)

    def _is_file(self, answer: Answer) -> bool:
        """Whether the body of the answer to the create is the file itself."""
        is_asked = self._submission is not None and self._submission.answers == "media"
        return is_asked and can_be_file(answer.headers.get("Content-Type", ""))

    def _told_of(self, generation_id: str | None, answer: Answer) -> Reading | None:
        """What a read says that holds several values in place of one: the last that tells of this job."""
        readings = map(self._provider.answers.reading, reversed(documents.documents(answer.content)))
        return next((one for one in readings if one.status and one.id in (None, generation_id)), None)
