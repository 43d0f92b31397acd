"""skills.video's contract. What no source states is this sandbox's own choice and marked so."""

from __future__ import annotations

import functools
import time
from urllib.parse import parse_qs, unquote, urlsplit

from ... import catalogue, payloads, providers
from .. import media, store
from ..server import fault_of, seconds_until

BASE = "/api/v1"
COST = {"total": 12, "subscription": 12, "permanent": 0}
# Own choice: no source shows the balance's shape.
CREDITS = {"total": 1000, "subscription": 1000, "permanent": 0}

_STATUSES = {"queued": "IN_QUEUE", "running": "IN_PROGRESS"}
_ENDS = {"job-failed": "FAILED", "job-canceled": "CANCELED"}
_HTML = "<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>"
# create fault -> (HTTP status, error code, message)
_REFUSALS = {
    "create-400": (400, "GENERATION_INVALID_INPUT", "invalid input"),
    "create-401": (401, "UNAUTHORIZED", "missing or invalid key"),
    "create-402": (402, "GENERATION_INSUFFICIENT_CREDITS", "insufficient credits"),
    "create-403": (403, "FORBIDDEN", "forbidden"),
    "create-404": (404, "NOT_FOUND", "unknown model"),
    "create-422": (422, "GENERATION_CONTENT_REJECTED", "content rejected"),
    "create-429": (429, "GENERATION_RATE_LIMITED", "rate limited"),
    "create-500": (500, "INTERNAL", "server error"),
    "create-503": (503, "GENERATION_PROVIDER_UNAVAILABLE", "upstream unavailable"),
}


def handle(sandbox, http, content: bytes | None) -> None:
    """Answer one request."""
    path = unquote(urlsplit(http.path).path)
    if not path.startswith(BASE + "/"):
        return _error(http, 404, "NOT_FOUND", "unknown path")
    path = path.removeprefix(BASE)
    if content is not None:
        for prefix, streams in (("/generation/sse/", True), ("/generation/", False)):
            if path.startswith(prefix):
                return _create(sandbox, http, path.removeprefix(prefix), content, streams)
    elif path == "/credits":
        return http.answer(200, CREDITS)
    elif path == "/generations/running":
        return _list_running(sandbox, http)
    elif path.startswith("/generation/"):
        return _read(sandbox, http, path.removeprefix("/generation/"))
    return _error(http, 404, "NOT_FOUND", "unknown path")


def _error(http, status: int, code: str, message: str, headers: dict | None = None) -> None:
    http.answer(status, {"error": code, "code": code, "message": message}, headers)


# -- create --------------------------------------------------------------------------------------


def _create(sandbox, http, model: str, content: bytes, streams: bool) -> None:
    body = http.json_of(content)
    if body is None:
        return _error(http, 400, "GENERATION_INVALID_INPUT", "the body must be a JSON object")
    fault = fault_of(sandbox, str(body.get("prompt", "")))
    if _refuse(sandbox, http, fault, body):
        return None
    complaint = _complaint(model, body)
    if complaint:
        return _error(http, 422, "GENERATION_INVALID_INPUT", complaint)
    job = sandbox.store.add(model, media_of(model), body, fault)
    if fault == "create-lost":
        return http.reset()
    if fault == "create-hang":
        return http.hang()
    if not streams or fault in ("stream-json", "create-truncated"):
        return http.answer(200, _created(job), cut=fault == "create-truncated")
    return _stream(http, job)


def _refuse(sandbox, http, fault: str | None, body: dict) -> bool:
    """Answer as a fault that accepts nothing; whether it was one."""
    if fault == "create-429-once" and sandbox.first_time(str(body)):
        fault = "create-429"
    if fault in _REFUSALS:
        status, code, message = _REFUSALS[fault]
        _error(http, status, code, message, {"Retry-After": "1"} if status == 429 else None)
    elif fault == "create-502":
        http.answer(502, _HTML)
    elif fault == "create-redirect":
        http.answer(307, {"message": "moved"}, {"Location": "https://elsewhere.invalid/api/v1/generation"})
    else:
        return False
    return True


SERVICE = "skills-video"


@functools.cache
def _catalogue() -> dict[str, str]:
    return {entry["model"]: entry["media"] for entry in catalogue.models(SERVICE)}


@functools.cache
def _contract(model: str):
    return payloads.contract_of(providers.load(SERVICE), model)


def _complaint(model: str, body: dict) -> str | None:
    """What the model's contract says against a body, as the service would put it; None for nothing."""
    contract = _contract(model)
    problems = contract.check(body).problems if contract else []
    return f"{problems[0]['path']}: {problems[0]['message']}" if problems else None


def media_of(model: str) -> str:
    """What a model makes, as the catalogue says; a picture where it does not, or where nothing else is made here."""
    found = _catalogue().get(model, "image")
    return found if found in media.TYPES else "image"


def _created(job) -> dict:
    return {"id": job.id, "status": "IN_QUEUE", "input": job.input, "usage": COST}


# -- stream --------------------------------------------------------------------------------------


def _stream(http, job) -> None:
    http.open_stream()
    if job.fault == "stream-no-id":
        return http.end_stream()
    http.stream_event(_event(job, "IN_QUEUE"))
    if job.fault in _STREAM_FAULTS and not _STREAM_FAULTS[job.fault](http, job):
        return None
    http.wait(seconds_until(job.created + min(0.1, job.duration / 3)))
    http.stream_event(_event(job, "IN_PROGRESS"))
    if job.fault == "status-unknown":
        http.stream_event(_event(job, "WARMING_UP"))
    http.wait(seconds_until(job.created + job.duration))
    http.stream_event(_answer(http, job))
    return http.end_stream()


def _drop(http, job) -> bool:
    http.end_stream()
    return False


def _reset(http, job) -> bool:
    http.stream('data: {"id": "' + job.id)
    http.wait(0.05)  # a reset discards what the client has not read yet
    http.reset()
    return False


def _stall(http, job) -> bool:
    http.hang()
    return False


def _keep_alive(http, job) -> bool:
    while True:
        http.stream(": keep-alive\n\n")
        http.wait(0.2)


def _failed_event(http, job) -> bool:
    http.stream_event({"message": "a worker was replaced"}, "failed")
    return _drop(http, job)


def _done_event(http, job) -> bool:
    http.stream_event(_event(job, "IN_PROGRESS"), "done")
    return _drop(http, job)


def _malformed(http, job) -> bool:
    http.stream('data: {"id": \n\n')
    return _drop(http, job)


def _flood(http, job) -> bool:
    for _ in range(200):
        http.stream(100 * f'data: {{"id":"{job.id}","status":"IN_PROGRESS","data":null}}\n\n')
    return True


# fault -> what happens after the id; whether the stream then goes on as usual
_STREAM_FAULTS = {
    "stream-drop": _drop,
    "stream-reset": _reset,
    "stream-stall": _stall,
    "stream-keepalives": _keep_alive,
    "stream-failed-event": _failed_event,
    "stream-done-event": _done_event,
    "stream-malformed": _malformed,
    "stream-flood": _flood,
}


def _event(job, status: str) -> dict:
    return {"id": job.id, "status": status, "data": None, "usage": {"total": 0, "subscription": 0, "permanent": 0}}


# -- read ----------------------------------------------------------------------------------------


def _read(sandbox, http, job_id: str) -> None:
    job = sandbox.store.find(job_id)
    if job is None:
        return _error(http, 404, "NOT_FOUND", "no such generation")
    polls = sandbox.store.count_poll(job.id)
    if job.fault == "poll-401":
        return _error(http, 401, "UNAUTHORIZED", "missing or invalid key")
    if job.fault == "poll-429" and polls == 1:
        return _error(http, 429, "GENERATION_RATE_LIMITED", "rate limited", {"Retry-After": "1"})
    if job.fault in _READ_FAULTS and polls <= 2:
        return _READ_FAULTS[job.fault](http, job)
    return http.answer(200, _answer(http, job))


_READ_FAULTS = {
    "poll-404": lambda http, job: _error(http, 404, "NOT_FOUND", "no such generation"),
    "poll-502": lambda http, job: http.answer(502, _HTML),
    "poll-reset": lambda http, job: http.reset(),
    "poll-truncated": lambda http, job: http.answer(200, _created(job), cut=True),
}


def _answer(http, job) -> dict:
    state = store.progress(job, time.time())
    status = _STATUSES.get(state) or _ENDS.get(job.fault or "", "COMPLETED")
    if state == "running" and job.fault == "status-unknown":
        status = "WARMING_UP"
    answer = {"id": job.id, "status": status, "input": job.input, "data": None, "usage": COST}
    if status == "COMPLETED":
        return {**answer, "data": _data(http, job)}
    if status == "FAILED":
        return {**answer, "code": "GENERATION_FAILED", "message": "the model could not make this"}
    return answer


def _data(http, job) -> dict:
    count = job.input.get("n", 1)
    count = count if isinstance(count, int) and 1 <= count <= 4 else 1
    files = [_file(http, job, number) for number in range(1, count + 1)]
    if job.media == "image":
        prompt = job.input.get("prompt", "")
        return {"type": "image", "n": count, "actual_prompt": prompt, "images": files, "image": files[0]}
    # Own choice: no source shows the result of a video.
    return {"type": job.media, "n": count, "videos": files, "video": files[0]}


def _file(http, job, number: int) -> dict:
    media_type, ending = media.TYPES[job.media]
    file = {
        "url": http.media_url(job, number),
        "file_name": f"{number}.{ending}",
        "content_type": media_type,
    }
    if job.media == "image":
        width, height = media.picture_size(job.input)
        return {**file, "width": width, "height": height}
    return {**file, "width": media.VIDEO_SIZE[0], "height": media.VIDEO_SIZE[1], "duration": media.VIDEO_SECONDS}


def _list_running(sandbox, http) -> None:
    asked = parse_qs(urlsplit(http.path).query).get("limit", ["50"])[0]
    limit = int(asked) if asked.isdecimal() and 1 <= int(asked) <= 100 else 50
    jobs = [job for job in sandbox.store.newest(1000) if store.progress(job, time.time()) != "done"]
    http.answer(
        200,
        [
            {"id": job.id, "status": _STATUSES[store.progress(job, time.time())], "usage": COST, "input": job.input}
            for job in jobs[:limit]
        ],
    )
