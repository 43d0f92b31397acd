"""Where the requests of one job go."""

from __future__ import annotations

from ..services.site import JobRef
from .connection import Connection
from .lifecycle.status import JobStatus
from .start import Start


class Places:
    """The addresses of one job: a path where a service's program is asked, else a path below the base URL or a whole URL.

    of_create  where the create goes
    first      where the first request goes, as a whole URL
    of_step    where a step about the job is asked
    outputs    the results that an answer tells of, with their addresses
    learn      take in what the answer to the create tells of later addresses; returns them
    """

    def __init__(self, connection: Connection, start: Start, job: JobStatus):
        self._connection = connection
        self._site = connection.site
        self._start = start
        self._job = job
        self._told = start.told

    def of_create(self) -> str:
        submission = self._start.submission
        assert submission is not None, "only what there is to send has a place"
        return self._site.of_create(submission.origin, submission.path)

    def first(self) -> str:
        start = self._start
        if start.generation_id:
            path = self._connection.provider.paths.read(start.generation_id, start.model)
        elif start.submission:
            path = self.of_create()
        else:  # where it is asked what became of a create; the service itself where nothing is asked
            path = "" if start.kept else self._site.of_list(start.model)
        return path if "://" in path else self._connection.base_url + path

    def of_step(self, step: str) -> str:
        generation_id, model = self._job.generation_id or "", self._start.model
        if self._connection.through:
            return self._connection.provider.paths.read(generation_id, model)
        return self._site.of_job(step, JobRef(generation_id, model, self._told))

    def outputs(self, body) -> list[dict]:
        generation_id = self._job.generation_id
        return self._site.outputs(body, JobRef(generation_id, self._start.model) if generation_id else None)

    def learn(self, body) -> dict[str, str]:
        self._told = self._site.told_by(body)
        return dict(self._told)
