"""The examples of a descriptor as answers: which one it is, and what stands for its placeholders."""

from __future__ import annotations

import base64
import copy
import hashlib
import io
import json
import secrets
import time

from ...base.pointer import point, put
from ...base.regex import regex
from ...base.times import rfc3339
from ...services import examples
from .. import media
from .asked import MADE

UPLOAD_PATH = "/upload-here/"
# A job makes at most so many files.
LARGEST_COUNT = 4
# Own choice: what an account holds where nobody has said it, and nothing else is told.
_BALANCE = 1000
_RESULT = regex(r"\{media(64)?\}")
_STATES = ("queued", "running", "succeeded", "failed", "canceled")


class Filling:
    """The examples of one service.

    more_of  a job -> what stands for further placeholders that only this service's examples have
    """

    def __init__(self, provider, reader, more_of=lambda job: {}):
        self._provider, self._reader, self._more_of = provider, reader, more_of
        self._states = {state: self._word_of(state) for state in _STATES}

    def example(self, name: str, task: str | None) -> dict:
        """The answer of that name, the first that is for the task."""
        found = self._provider.examples.get(name) or [{"body": {}}]
        return next((one for one in found if not one.get("tasks") or task in one["tasks"]), found[-1])

    def listed(self) -> tuple[dict, object]:
        """`(the example of the list of jobs with {items} in it, the body of one entry)`.

        Where no example is of an entry, the first one in that of the list is.
        """
        told, where = self.example("list", None), self._provider.job.listing.each
        entries = next(((at, found) for at in where if isinstance(found := point(told.get("body"), at), list)), None)
        if "listed" in self._provider.examples or not entries or not entries[1]:
            return told, self.example("listed", None).get("body")
        whole = {"body": copy.deepcopy(told["body"])}
        put(whole, "/body" + entries[0], "{items}")
        return {**told, **whole}, entries[1][0]

    def is_for(self, name: str, task: str | None) -> bool:
        """Whether an answer of that name is for this very task."""
        return any(task in one.get("tasks", ()) for one in self._provider.examples.get(name, ()))

    def body(self, http, job, name: str, state: str | None = None):
        """The body of an example, for a job in a state."""
        words = self.words_of(http, job, state)
        return self.filled(self.example(name, words["task"]), words)

    def filled(self, told: dict, words: dict):
        """The body of an example, with as many results as were asked for."""
        return _filled(told.get("body"), words, words.get("results", ()))

    def _word_of(self, state: str) -> str | None:
        """The service's word for a state, as its examples have it."""
        bodies = [one.get("body") for one in self._provider.examples.get(state, ())]
        rules = [rule.when for rule in self._provider.state_rules if rule.state == state and rule.when.values]
        told = (point(body, at) for body in bodies for when in rules for at in when.at)
        return next((word for word in told if isinstance(word, str)), None)

    # -- what stands for the placeholders --------------------------------------------------------------

    def words(self, http) -> dict:
        """What stands for the placeholders where it is about no job and no file."""
        held = http.server.sandbox.balance
        return {
            "base": http.url, "time": rfc3339(int(time.time())), "soon": int(time.time()) + 1, "hex": secrets.token_hex(8),
            "in_an_hour": rfc3339(int(time.time()) + 3600), "balance": _BALANCE if held is None else held, "id": "", "model": "", "task": None,
        }  # fmt: skip

    def words_of(self, http, job, state: str | None = None) -> dict:
        """The same for a job. `results` are the words of each of its results, `file of` what media.render makes."""
        asked = self._reader.of_job(job)
        kind = job.media if job.media in media.TYPES else "image"
        results = [_of_result(http, job, kind, asked.drawn, number) for number in numbers(asked.count)]
        owner, _, name = job.model.partition("/")
        return {
            **self.words(http),
            "id": job.id, "uuid": job.id, "model": job.model, "owner": owner, "name": name, "input": asked.fields,
            "task": asked.task or next((task for task, made in MADE.items() if made == kind), None),
            "time": rfc3339(int(job.created)), "ended": rfc3339(int(job.created + job.duration)),
            "worked": round(job.duration * 1000), "expires": self._expires(job), "state": self._states.get(state or "") or self._states["running"],
            "model:2": "/".join(job.model.split("/")[: self._provider.job.namespaces.get(owner, 2)]),
            "prompt": asked.prompt, "transcript": media.transcript(1), "count": len(results), **results[0],
            "results": results, "file of": (kind, asked.drawn, 1), **self._more_of(job),
        }  # fmt: skip

    def _expires(self, job) -> int:
        """Until when the results are kept, in the unit of `expires_at`."""
        unit = (self._provider.says("expires_at") or {}).get("unit")
        moment = job.created + (self._provider.result_lifetime or 0)
        return round(moment * (1000 if unit == "milliseconds" else 1))

    def words_of_upload(self, http, file_id: str, name: str | None) -> dict:
        """The same for a file that is to come; for one that is here: words_of_file."""
        url = http.file_url(file_id, str(name or "file"))
        return {**self.words(http), "file_id": file_id, "file": url, "upload": f"{http.url}{UPLOAD_PATH}{file_id}"}

    def words_of_record(self, http, kind: str, record) -> dict:
        """The same for something that was kept: a file, or what an action keeps."""
        if kind == "file":
            return self.words_of_file(http, record)
        return {**self.words(http), "kept": record.body, "id": record.id, "time": rfc3339(int(record.created))}

    def words_of_file(self, http, record) -> dict:
        words = self.words_of_upload(http, record.id, record.body["filename"])
        kind = record.body["media_type"].partition("/")[0]
        return {
            **words, "media_type": record.body["media_type"], "name": record.body["filename"],
            "kind": kind if kind in ("image", "video", "audio") else "document", "bytes": len(record.content),
            "width": lambda: _sides(record.content)[0], "height": lambda: _sides(record.content)[1],
            "time": rfc3339(int(record.created)), "sha256": lambda: hashlib.sha256(record.content).hexdigest(),
        }  # fmt: skip


def numbers(count) -> range:
    """The numbers of a job's outputs, from 1: as many as were asked for."""
    is_one = isinstance(count, int) and 1 <= count <= LARGEST_COUNT
    return range(1, (count if is_one else 1) + 1)


def _sides(content: bytes) -> tuple[int | None, int | None]:
    """Width and height, where the bytes are a picture."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as picture:
            return picture.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None, None


def _of_result(http, job, kind: str, drawn: dict, number: int) -> dict:
    media_type, ending = media.TYPES[kind]
    sides = {"width": None, "height": None, "duration": None, **media.facts(kind, drawn)}
    return {
        "media": http.media_url(job, number), "media_type": media_type, "ending": ending, "number": number, **sides,
        "bytes": lambda: len(media.render(kind, drawn, number)),
        "media64": lambda: base64.b64encode(media.render(kind, drawn, number)).decode(),
    }  # fmt: skip


def _filled(value, words: dict, results):
    """An example whose lists of results hold as many as there are; the last one stands for those behind it, too."""
    if isinstance(value, dict):
        return {name: _filled(item, words, results) for name, item in value.items()}
    if not isinstance(value, list):
        return examples.filled(value, words)
    if results and value and all(_RESULT.search(json.dumps(item)) for item in value):
        return [examples.filled(value[min(at, len(value) - 1)], {**words, **one}) for at, one in enumerate(results)]
    return [_filled(item, words, results) for item in value]
