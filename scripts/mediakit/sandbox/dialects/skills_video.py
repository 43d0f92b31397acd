"""skills.video's contract. What no source states is this sandbox's own choice and marked so."""

from __future__ import annotations

import time
from urllib.parse import unquote, urlsplit

from ...services import providers
from .. import forms, media, store
from . import common, streaming

SERVICE = "skills-video"
BASE = "/api/v1"
SPEECH_PATH = "/api/ai/tts/generate"
ID_PREFIX = "gen_"
COST = {"total": 12, "subscription": 12, "permanent": 0}
# Own choice: no source shows the balance's shape.
CREDITS = {"total": 1000, "subscription": 1000, "permanent": 0}

_STATUSES = {
    "queued": "IN_QUEUE",
    "running": "IN_PROGRESS",
    "done": "COMPLETED",
    "failed": "FAILED",
    "canceled": "CANCELED",
}
# HTTP status -> (error code, message)
_WORDS = {
    400: ("GENERATION_INVALID_INPUT", "invalid input"),
    401: ("UNAUTHORIZED", "missing or invalid key"),
    402: ("GENERATION_INSUFFICIENT_CREDITS", "insufficient credits"),
    403: ("FORBIDDEN", "forbidden"),
    404: ("NOT_FOUND", "no such path, model or generation"),
    405: ("METHOD_NOT_ALLOWED", "no such method"),
    422: ("GENERATION_CONTENT_REJECTED", "content rejected"),
    429: ("GENERATION_RATE_LIMITED", "rate limited"),
    500: ("INTERNAL", "server error"),
    503: ("GENERATION_PROVIDER_UNAVAILABLE", "upstream unavailable"),
}


def handle(sandbox, http, content: bytes | None) -> None:
    """Answer one request."""
    path = unquote(urlsplit(http.path).path)
    if common.key_refused(sandbox, http):
        return _error(http, 401)
    if path == SPEECH_PATH and http.method == "POST":
        return _speak(sandbox, http, content)
    if not path.startswith(BASE + "/"):
        return _error(http, 404)
    path = path.removeprefix(BASE)
    if http.method == "POST":
        for prefix, streams in (("/generation/sse/", True), ("/generation/", False)):
            if path.startswith(prefix):
                return _create(sandbox, http, path.removeprefix(prefix), content, streams)
    elif http.method != "GET":
        return _error(http, 405)
    elif path == "/credits":
        total = CREDITS["total"] if sandbox.balance is None else sandbox.balance
        return http.answer(200, {**CREDITS, "total": total, "subscription": total})
    elif path == "/generations/running":
        return _list_running(sandbox, http)
    elif path.startswith("/generation/"):
        return _read(sandbox, http, path.removeprefix("/generation/"))
    return _error(http, 404)


def _error(http, status: int, message: str | None = None, code: str | None = None) -> None:
    usual_code, usual_message = _WORDS.get(status, _WORDS[500])
    code = code or usual_code
    headers = {"Retry-After": "1"} if status == 429 else None
    http.answer(status, {"error": code, "code": code, "message": message or usual_message}, headers)


# -- create --------------------------------------------------------------------------------------


def _create(sandbox, http, model: str, content: bytes, streams: bool) -> None:
    body = _body_of(sandbox, http, model, content)
    if body is None:
        return _error(http, 400, "the body must be a JSON object or a form")
    fault = common.fault_of(sandbox, body, COST["total"])
    if common.refuse(sandbox, http, fault, body, _error):
        return None
    complaint = common.complaint(SERVICE, model, body)
    if complaint:
        return _error(http, 422, complaint, "GENERATION_INVALID_INPUT")
    job = sandbox.store.add(model, common.media_of(SERVICE, model), body, fault)
    common.lose(http, fault)
    if not streams or fault in streaming.INSTEAD:
        return common.answer(http, fault, 200, common.without(_created(job), fault, "id"))
    return _stream(http, job)


def _body_of(sandbox, http, model: str, content: bytes) -> dict | None:
    """The fields of a create, sent as JSON or as a form; a file of a form is kept, and its field becomes its URL."""
    parts = forms.parts_of(http.headers.get("Content-Type", ""), content)
    if parts is None:
        return http.json_of(content)
    return common.body_of_form(sandbox, http, parts, common.types_of(SERVICE, model))


def _created(job) -> dict:
    return {"id": job.id, "status": "IN_QUEUE", "input": job.input, "usage": COST}


def _speak(sandbox, http, content: bytes) -> None:
    """Speech, answered at once and under no id. Own choice: what is spoken is checked, the model is not."""
    body = http.json_of(content) or {}
    asked = body.get("input")
    if not isinstance(asked, dict) or not isinstance(asked.get("text"), str):
        return _error(http, 400, "input.text: is required", "TTS_GENERATION_INVALID_INPUT")
    fault = common.fault_of(sandbox, asked, COST["total"])
    if common.refuse(sandbox, http, fault, body, _error):
        return None
    job = sandbox.store.add(str(body.get("modelId") or body.get("model")), "audio", asked, fault)
    common.lose(http, fault)
    url = http.media_url(job, 1)
    told = {name: body.get(name) for name in ("provider", "model", "modelId", "endpoint")}
    audio = {"url": url, "content_type": media.TYPES["audio"][0], "duration": media.AUDIO_SECONDS}
    data = {**told, "audio_url": url, "audio": audio, "output": {"audio_url": url}, "logs": None, "metrics": None}
    return http.answer(200, {"success": True, "data": data}, cut=fault == "create-truncated")


# -- stream --------------------------------------------------------------------------------------


def _stream(http, job) -> None:
    events = {"created": "IN_QUEUE", "running": "IN_PROGRESS", "strange": "WARMING_UP"}
    streaming.play(http, job, lambda name: _event(job, events[name]) if name in events else _answer(http, job))


def _event(job, status: str) -> dict:
    return {"id": job.id, "status": status, "data": None, "usage": {"total": 0, "subscription": 0, "permanent": 0}}


# -- read ----------------------------------------------------------------------------------------


def _read(sandbox, http, job_id: str) -> None:
    common.read(providers.load(SERVICE), sandbox, http, job_id, _error, _answer)


def _answer(http, job) -> dict:
    status = common.status_of(job, _STATUSES)
    answer = {"id": job.id, "status": status, "input": job.input, "data": None, "usage": COST}
    if status == "COMPLETED":
        return {**answer, "data": _data(http, job)}
    if status == "FAILED":
        return {**answer, "code": "GENERATION_FAILED", "message": "the model could not make this"}
    return answer


def _data(http, job) -> dict:
    files = [_file(http, job, number) for number in common.numbers(job.input, "n")]
    if job.media == "image":
        prompt = job.input.get("prompt", "")
        return {"type": "image", "n": len(files), "actual_prompt": prompt, "images": files, "image": files[0]}
    # Own choice: no source shows the result of anything but a picture.
    return {"type": job.media, "n": len(files), f"{job.media}s": files, job.media: files[0]}


def _file(http, job, number: int) -> dict:
    media_type, ending = media.TYPES[job.media]
    return {
        "url": http.media_url(job, number),
        "file_name": f"{number}.{ending}",
        "content_type": media_type,
        **media.facts(job.media, job.input),
    }


def _list_running(sandbox, http) -> None:
    limit = common.number(common.query(http).get("limit"), 50, 1, 100)
    jobs = [job for job in sandbox.store.newest(1000) if store.progress(job, time.time()) != "done"]
    http.answer(
        200,
        [
            {"id": job.id, "status": _STATUSES[store.progress(job, time.time())], "usage": COST, "input": job.input}
            for job in jobs[:limit]
        ],
    )
