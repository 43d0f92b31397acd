"""What the dialects share: how faults are answered, and what a model makes and says about a body.

A dialect hands in its own `error(http, status)`, which sends its words for an HTTP status.
"""

from __future__ import annotations

import functools
import time
from urllib.parse import parse_qs, unquote, urlsplit

from ...services import catalogue, payloads
from .. import faults, media, store

HTML = "<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>"
ELSEWHERE = "https://elsewhere.invalid"
LARGEST_COUNT = 4

# The create faults that are nothing but an HTTP status.
_STATUSES = {f"create-{status}": status for status in (400, 401, 402, 403, 404, 422, 429, 500, 503)}


# -- requests ------------------------------------------------------------------------------------


def segments(http, base: str) -> list[str] | None:
    """The parts of the path below `base`, decoded one by one; None where it is not below it."""
    path = urlsplit(http.path).path
    if not path.startswith(base + "/"):
        return None
    return [unquote(part) for part in path.removeprefix(base + "/").split("/")]


def query(http) -> dict[str, str]:
    """The query's parameters, the first value of each."""
    return {name: values[0] for name, values in parse_qs(urlsplit(http.path).query).items()}


def number(text: str | None, default: int, least: int, most: int) -> int:
    """A whole number of a query, or the default where it is none or out of bounds."""
    return int(text) if text and text.isdecimal() and len(text) < 9 and least <= int(text) <= most else default


def key_refused(http) -> bool:
    """No key is needed here; one that starts with `bad` plays the part of a wrong one."""
    return http.headers.get("Authorization", "").startswith("Bearer bad")


def fault_of(sandbox, body: dict) -> str | None:
    """The fault of a create: the server's own, else the one that a text of the body asks for."""
    words = " ".join(value for value in body.values() if isinstance(value, str))
    return sandbox.fault or faults.asked_for(words)


# -- faults --------------------------------------------------------------------------------------


def refuse(sandbox, http, fault: str | None, body: dict, error) -> bool:
    """Answer as a fault that accepts nothing; whether it was one."""
    if fault == "create-429-once" and sandbox.first_time(str(body)):
        fault = "create-429"
    if fault in _STATUSES:
        error(http, _STATUSES[fault])
    elif fault == "create-502":
        http.answer(502, HTML)
    elif fault == "create-redirect":
        http.answer(307, {"message": "moved"}, {"Location": ELSEWHERE + http.path})
    else:
        return False
    return True


def lose(http, fault: str | None) -> None:
    """For a fault that accepts the job and never answers: end the connection, or keep it silent."""
    if fault == "create-lost":
        http.reset()
    if fault == "create-hang":
        http.hang()


def without(answer: dict, fault: str | None, *names: str) -> dict:
    """An answer to a create, without what `create-no-id` leaves out."""
    if fault != "create-no-id":
        return answer
    return {name: value for name, value in answer.items() if name not in names}


def read(sandbox, http, job_id: str, error, answer_of) -> None:
    """Answer a read of a job, as its fault wants it; `answer_of` makes the answer of a job."""
    job = sandbox.store.find(job_id)
    if job is None:
        return error(http, 404)
    answer = answer_of(http, job)
    if not misread(sandbox, http, job, error, answer):
        http.answer(200, answer)
    return None


def status_of(job, words: dict[str, str]) -> str:
    """A job's status by now. `words` has one for queued, running, strange, failed, canceled and done."""
    state = store.progress(job, time.time())
    if state == "running" and job.fault == "status-unknown":
        state = "strange"
    if state == "done" and job.fault in ("job-failed", "job-canceled"):
        state = job.fault.removeprefix("job-")
    return words[state]


def misread(sandbox, http, job, error, whole: dict) -> bool:
    """Answer a read of a job as its fault wants it; whether it did. `whole` is the answer to cut in two."""
    polls = sandbox.store.count_poll(job.id)
    if job.fault == "poll-401":
        error(http, 401)
    elif job.fault == "poll-429" and polls == 1:
        error(http, 429)
    elif polls > 2:
        return False
    elif job.fault == "poll-404":
        error(http, 404)
    elif job.fault == "poll-502":
        http.answer(502, HTML)
    elif job.fault == "poll-reset":
        http.reset()
    elif job.fault == "poll-truncated":
        http.answer(200, whole, cut=True)
    else:
        return False
    return True


# -- models --------------------------------------------------------------------------------------


@functools.cache
def models(service: str) -> dict[str, dict]:
    """The entries of a service's bundled catalogue by model."""
    return {entry["model"]: entry for entry in catalogue.document(service)["models"]}


@functools.cache
def _contract(service: str, model: str):
    return payloads.contract_of_model(service, model)


def complaint(service: str, model: str, body: dict, strict: bool = False) -> str | None:
    """What the model's contract says against a body, as a service would put it; None for nothing.

    `strict` complains of fields, too, that the contract neither names nor excludes.
    """
    contract = _contract(service, model)
    if contract is None:
        return None
    checked = contract.check(body)
    if checked.problems:
        return f"{checked.problems[0]['path']}: {checked.problems[0]['message']}"
    return f"{checked.warnings[0]['path']}: is not known" if strict and checked.warnings else None


def types_of(service: str, model: str) -> dict[str, str]:
    """The types of a model's fields, in the words of contracts.Operation.fields, as far as they are known."""
    contract = _contract(service, model)
    return {row["name"]: row["type"] for row in contract.fields() if row.get("type")} if contract else {}


def media_of(service: str, model: str) -> str:
    """What a model makes, as the catalogue says; a picture where it does not, or where nothing else is made here."""
    found = models(service).get(model, {}).get("media", "image")
    return found if found in media.TYPES else "image"


def numbers(body: dict, field: str) -> range:
    """The numbers of a job's outputs, from 1: as many as `field` asks for."""
    count = body.get(field, 1)
    return range(1, (count if isinstance(count, int) and 1 <= count <= LARGEST_COUNT else 1) + 1)
