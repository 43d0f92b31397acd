"""A service's own list of its jobs: what it tells, and which of them can be one that we have lost sight of. Pure."""

from __future__ import annotations

from ..base.pointer import first, point
from ..base.text import same
from ..base.times import moment_of
from . import trust

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from .described import Described
    from .job_answers import JobAnswers

# A list that tells no input is searched for jobs that were made within so many seconds.
SAME_JOB_WITHIN = 240.0


class JobList:
    """The list of one service's jobs; every question may be asked of a service that has none, but for `matches`."""

    def __init__(self, described: Described, answers: JobAnswers):
        self._described = described
        self._answers = answers

    @property
    def is_searchable(self) -> bool:
        """Whether the service lists jobs with what they can be told by: what was asked for, else model and time."""
        told = self._described.job.listing.at if self._described.job.listing else {}
        return "input" in told or {"model", "created_at"} <= told.keys()

    @property
    def tells_input(self) -> bool:
        """Whether that list tells what was asked for."""
        return self._described.job.listing is not None and "input" in self._described.job.listing.at

    @property
    def method(self) -> str:
        """The method by which jobs are listed."""
        return self._described.job.listing.step.method if self._described.job.listing else "GET"

    @property
    def has_all_models(self) -> bool:
        """Whether one list has the jobs of all models."""
        return self._described.job.listing is not None and "{model" not in self._described.job.listing.step.path

    def unfinished(self, body) -> set[str]:
        """The ids of the jobs of which a list says in the words of a read that they are not finished."""
        where = self._described.job.listing
        lists = (point(body, at) for at in where.each) if where else ()
        listed = next((found for found in lists if isinstance(found, list)), [])
        readings = (self._answers.reading(entry) for entry in listed if isinstance(entry, dict))
        return {found.id for found in readings if found.id and found.state in ("queued", "running")}

    def matches(self, body, payload: dict, since: float | None = None, model: str | None = None) -> list[str] | None:
        """The ids in a list of jobs that can be the one with this payload; None for no list.

        since  seconds since the epoch: where the list tells when a job was made, older ones are others
        model  of a list that tells no input, jobs of this model that were made within `SAME_JOB_WITHIN` count
        """
        where = self._described.job.listing
        lists = (point(body, at) for at in where.each)
        listed = next((found for found in lists if isinstance(found, list)), None)
        if listed is None:
            return None
        wanted = next(
            (inner for one in self._described.routes if isinstance(inner := point(payload, one.fields), dict)), payload
        )
        fits = self._has_input if self.tells_input else self._is_of_model
        found = []
        for entry in listed:
            its_id = trust.usable_id(first(entry, where.at["id"]), self._described.job.like)
            if its_id and fits(entry, wanted if self.tells_input else model) and self._is_new(entry, since):
                found.append(its_id)
        return list(dict.fromkeys(found))  # a list may have one job on two of its pages

    def is_past(self, body, since: float) -> bool:
        """Whether a page of a list of jobs holds none but those that were made before: so do the pages after it."""
        where = self._described.job.listing
        at = where.at.get("created_at") if where else None
        lists = (point(body, one) for one in where.each) if where and at else ()
        listed = next((found for found in lists if isinstance(found, list)), [])
        made = [moment_of(first(entry, at)) for entry in listed]
        return bool(made) and all(one is not None and one < since for one in made)

    def _has_input(self, entry, wanted: dict) -> bool:
        its_input = first(entry, self._described.job.listing.at["input"])
        return isinstance(its_input, dict) and all(
            name in its_input and same(its_input[name], value) for name, value in wanted.items()
        )

    def _is_of_model(self, entry, model: str | None) -> bool:
        told = first(entry, self._described.job.listing.at["model"])
        return model is not None and told in (model, model.rpartition("/")[2])

    def _is_new(self, entry, since: float | None) -> bool:
        at = self._described.job.listing.at.get("created_at")
        if at is None or since is None:
            return True
        made = moment_of(first(entry, at))
        until = float("inf") if self.tells_input else since + SAME_JOB_WITHIN
        return made is not None and since <= made <= until
