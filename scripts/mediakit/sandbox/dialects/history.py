"""What happened on an account, for {history} in the answer of an action: by the examples under `happened`."""

from __future__ import annotations

from ...services import examples
from . import queries

_NEWEST = 1000
_USUAL_PAGE = 20
_OF_PAGES = ("limit", "page", "page_size")


def of(dialect, http, given: dict) -> list:
    """The newest first: of each job, planned job, result, file and kept thing what the examples say of it.

    given  the fields of the action: each text of them, besides those of pages, must stand in an event by itself
    """
    sandbox, told = http.server.sandbox, dialect.provider.examples.get("happened", [])
    found = [one for job in sandbox.store.newest(_NEWEST) for one in _of_job(dialect, http, job)]
    for kind in dict.fromkeys(one["of"] for one in told):
        for record in sandbox.store.records(kind, _NEWEST):
            found.append((record.created, kind, dialect.told.words_of_record(http, kind, record)))
    found.sort(key=lambda one: one[0], reverse=True)
    events = (examples.filled(one["body"], words) for _, kind, words in found for one in told if one["of"] == kind)
    asked = [value for name, value in given.items() if name not in _OF_PAGES and isinstance(value, str)]
    return queries.page_of((event for event in events if set(_texts(event)).issuperset(asked)), given, _USUAL_PAGE)


def _of_job(dialect, http, job) -> list[tuple]:
    """`(when, of what kind, the placeholders)` of each event of a job."""
    words = dialect.told.words_of(http, job)
    if job.facts.get("is_plan"):
        return [(job.created, "planned", words)]
    if dialect.state_of(http.server.sandbox, job) != "succeeded":
        return []
    ended = job.created + job.duration
    return [(ended, "job", words), *((ended, "result", {**words, **result}) for result in words["results"])]


def _texts(value) -> list[str]:
    if isinstance(value, (dict, list)):
        return [text for item in (value.values() if isinstance(value, dict) else value) for text in _texts(item)]
    return [value] if isinstance(value, str) else []
