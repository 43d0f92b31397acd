"""Jobs as a service tells of them: reads, results, cancels, lists, and the events of a stream."""

from __future__ import annotations

import functools
import time

from ...services import examples
from .. import store
from . import queries, spoiling
from .answering import Answering


class Jobs(Answering):
    """The jobs of one service.

    reader  what its creates ask for, as asked.Reader
    """

    reader = None

    def _read(self, sandbox, http, job, name: str) -> None:
        if name == "result" and spoiling.is_held_back(sandbox, http, job, self.error):
            return None
        state = self.state_of(sandbox, job)
        if name == "read":
            example, body = self.body_of_read(http, job, state)
            if spoiling.misread(sandbox, http, job, self.error, body):
                return None
            spoiling.spoil(self.provider, sandbox, job, body)
            return self.answer(http, example.get("http", 200), body)
        if state in ("queued", "running"):
            return self.error(http, 400)
        early = functools.partial(spoiling.without_results, self.provider) if spoiling.is_early(sandbox, job) else None
        return self.tell(http, name, self.told.words_of(http, job), change=early)

    def body_of_read(self, http, job, state: str):
        """The example that answers a read of a job in a state, and its body."""
        words, name = self.told.words_of(http, job, state), state
        if job.facts.get("is_plan") and "plan" in self.provider.examples:
            name = "plan"
        elif state == "succeeded" and job.fault == "result-older" and "older" in self.provider.examples:
            name = "older"
        elif state == "succeeded" and self.reader.of_job(job).how == "done":
            name = state if self.told.is_for(state, words["task"]) else "done"
        example = self.told.example(name, words["task"])
        return example, self.told.filled(example, words)

    def state_of(self, sandbox, job) -> str:
        """How a job is now, in our words."""
        if self.provider.job.cancel and sandbox.store.record("canceled", job.id):
            return "canceled"
        state = store.progress(job, time.time())
        if state == "done":
            state = job.fault[4:] if job.fault in ("job-failed", "job-canceled") else "succeeded"
        return state if state in self.provider.examples else "failed" if state == "canceled" else "running"

    def _cancel(self, sandbox, http, job, step) -> None:
        is_over = store.progress(job, time.time()) == "done" or sandbox.store.record("canceled", job.id)
        if is_over and step.method != "DELETE":
            return self.error(http, (*step.over_http, 409)[0])
        # Where a job is deleted, one that is over goes with all that it made.
        sandbox.store.keep("deleted" if is_over else "canceled", job.id, {})
        return self.tell(http, "cancel", self.told.words_of(http, job, "canceled"))

    def _list(self, sandbox, http, step) -> None:
        asked = queries.query(http)
        of_model = [name for name, value in queries.query_of(step.path).items() if value == "{model}"]
        held = self.provider.job.listing.holds
        jobs = [job for job in sandbox.store.newest(1000) if all(job.model == asked.get(name) for name in of_model)]
        rows = ((job, self.state_of(sandbox, job)) for job in jobs)
        rows = queries.page_of((one for one in rows if not held or one[1] in held), asked)
        told, entry = self.told.listed()
        items = [examples.filled(entry, self.told.words_of(http, job, state)) for job, state in rows]
        self.tell(http, "list", {**self.told.words(http), "items": items}, told=told)

    def _event(self, sandbox, http, job, name: str):
        """What a stream tells of a job."""
        if name == "end":
            state = self.state_of(sandbox, job)
            return self.told.body(http, job, state, state)
        state = "queued" if name == "created" else "running"
        event = "event" if "event" in self.provider.examples else {"strange": "running"}.get(name, name)
        body = self.told.body(http, job, event, state)
        if name == "strange":
            spoiling.spoil(self.provider, sandbox, job, body)
        return body
