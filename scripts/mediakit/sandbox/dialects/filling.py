"""The examples of a descriptor as answers: which one it is, and what stands for its placeholders."""

from __future__ import annotations

import base64
import json
import re
import secrets
import time

from ...base.times import rfc3339
from ...services import examples
from .. import media
from . import common

UPLOAD_PATH = "/upload-here/"


class Filling:
    """The examples of one service."""

    def __init__(self, provider):
        self._provider = provider

    def example(self, name: str, task: str | None) -> dict:
        """The answer of that name, the first that is for the task."""
        found = self._provider.examples.get(name) or [{"body": {}}]
        return next((one for one in found if not one.get("tasks") or task in one["tasks"]), found[-1])

    def body(self, http, job, name: str):
        """The body of an example, for a job."""
        words = self.words_of(http, job)
        return self.filled(self.example(name, words["task"]), words)

    def filled(self, told: dict, words: dict):
        """The body of an example, with as many results as were asked for."""
        text = json.dumps(told.get("body"))
        if "{media64}" in text:
            rendered = [
                base64.b64encode(media.render(*words["file of"][:2], number)).decode() for number in words["of"]
            ]
            words = {**words, "media64": rendered[0], **{f"media64_{n}": one for n, one in zip(words["of"], rendered)}}
        return examples.filled(_repeated(told.get("body"), words.get("of", ())), words)

    # -- what stands for the placeholders --------------------------------------------------------------

    def words(self, http) -> dict:
        """What stands for the placeholders where it is about no job and no file."""
        now = rfc3339(int(time.time()))
        return {"base": http.url, "time": now, "hex": secrets.token_hex(8), "id": "", "model": "", "task": None}

    def words_of(self, http, job) -> dict:
        """The same for a job. `of` are the numbers of its results, `file of` what media.render makes the first from."""
        kind = job.media if job.media in media.TYPES else "image"
        asked = {**job.input["asked"], "prompt": str(job.input["prompt"] or "")}
        numbers = common.numbers(job.input, "count")
        return {
            **self.words(http),
            "id": job.id, "uuid": job.id, "model": job.model, "task": job.input["task"], "input": job.input["asked"],
            "time": rfc3339(int(job.created)),
            "model:2": "/".join(job.model.split("/")[: self._provider.job.namespaces.get(job.model.split("/")[0], 2)]),
            "media_type": media.TYPES[kind][0], "media": http.media_url(job, 1), "of": numbers,
            **{f"media_{number}": http.media_url(job, number) for number in numbers},
            "file of": (kind, asked, 1),
        }  # fmt: skip

    def words_of_upload(self, http, file_id: str, name: str | None) -> dict:
        """The same for a file that is to come; for one that is here: words_of_file."""
        url = http.file_url(file_id, name or "file")
        return {**self.words(http), "file_id": file_id, "file": url, "upload": f"{http.url}{UPLOAD_PATH}{file_id}"}

    def words_of_file(self, http, record) -> dict:
        words = self.words_of_upload(http, record.id, record.body["filename"])
        return {**words, "media_type": record.body["media_type"], "name": record.body["filename"]}


def _repeated(value, numbers):
    """An example whose lists of one result hold as many as there are numbers."""
    if isinstance(value, dict):
        return {name: _repeated(item, numbers) for name, item in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) == 1 and len(numbers) > 1 and "{media" in json.dumps(value):
        text = json.dumps(value[0])
        return [json.loads(re.sub(r"\{(media|media64)\}", rf"{{\1_{number}}}", text)) for number in numbers]
    return [_repeated(item, numbers) for item in value]
