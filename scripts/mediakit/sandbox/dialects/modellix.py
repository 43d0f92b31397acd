"""Modellix's contract. What no source states is this sandbox's own choice and marked so."""

from __future__ import annotations

import secrets
import time

from ...services import providers
from .. import forms, media
from . import common

SERVICE = "modellix"
BASE = "/api/v1"
ID_PREFIX = "task-"
# Own choice: what an account holds, in USD.
BALANCE = 25.5
# Own choice: what each job costs, in USD.
COST = 0.03
RESULT_LIFETIME_SECONDS = 7 * 24 * 3600

_OPEN = {"queued": "pending", "running": "processing"}
# The service's documents name no canceled task; its own client knows the word.
_STATUSES = {**_OPEN, "done": "success", "failed": "failed", "canceled": "canceled"}
# HTTP status -> category and detail
_WORDS = {
    400: "Invalid parameters: the request is invalid",
    401: "Authentication failed: the API key is missing or wrong",
    402: "Insufficient balance: the balance is too low",
    403: "Forbidden: this key may not do that",
    404: "Resource not found: no such path, model, task or file",
    405: "Method not allowed: no such method here",
    422: "Invalid parameters: the content was rejected",
    429: "Rate limit exceeded: too many requests",
    500: "Internal server error: something broke",
    503: "Service unavailable: try again later",
}
# task or mode of the catalogue -> the service's type
_TYPES = {
    "t2i": "text-to-image",
    "i2i": "image-to-image",
    "t2v": "text-to-video",
    "i2v": "image-to-video",
    "v2v": "video-to-video",
    "tts": "text-to-speech",
    "stt": "speech-to-text",
    "sts": "speech-to-speech",
}
_ALL_TYPES = frozenset(_TYPES.values())
# Where no model can be, since the path has another meaning.
_TAKEN = frozenset(("tasks", "models", "apikey", "team", "media", "logs"))
_RATE_LIMIT = 100
# Own choice: a category of /models holds what its answers are, and speech to text is about sound.
_CATEGORIES = {"text": "audio"}


def handle(sandbox, http, content: bytes) -> None:
    """Answer one request."""
    parts = common.segments(http, BASE)
    if parts is None and (model := _model_of_schema(http)):
        return _tell_schema(sandbox, http, model)
    if parts is None or not all(parts):
        return _error(http, 404)
    route = (http.method, *parts)
    if route == ("GET", "apikey", "validate"):
        return _validate(sandbox, http)
    if common.key_refused(sandbox, http):
        return _error(http, 401)
    if route in _ROUTES:
        return _ROUTES[route](sandbox, http, content)
    if http.method == "GET" and len(parts) == 2 and parts[0] == "tasks":
        return _read(sandbox, http, parts[1])
    if http.method == "DELETE" and len(parts) == 3 and parts[:2] == ["media", "files"]:
        return _delete_file(sandbox, http, parts[2])
    if http.method == "POST":
        return _create(sandbox, http, parts, content)
    return _error(http, 404 if http.method == "GET" else 405)


def _error(http, status: int, words: str | None = None) -> None:
    http.answer(
        status,
        {"code": status, "message": words or _WORDS.get(status, _WORDS[500])},
        _limits() if status == 429 else None,
    )


def _limits() -> dict[str, str]:
    return {
        "Retry-After": "1",
        "X-RateLimit-Limit": str(_RATE_LIMIT),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(time.time()) + 1),
    }


def _success(http, data) -> None:
    http.answer(200, _envelope(data))


def _envelope(data) -> dict:
    return {"code": 0, "message": "success", "data": data}


# -- create --------------------------------------------------------------------------------------


def _create(sandbox, http, parts: list[str], content: bytes) -> None:
    model, is_oldest = _model_of(parts)
    if model is None:
        return _error(http, 404)
    body = http.json_of(content)
    if body is None:
        return _error(http, 400, "Invalid format: the body must be a JSON object")
    fault = common.fault_of(sandbox, body, common.price_of(SERVICE, model))
    if common.refuse(sandbox, http, fault, body, _error):
        return None
    complaint = common.complaint(SERVICE, model, body)
    if complaint:
        return _error(http, 400, f"Invalid parameters: {complaint}")
    job = sandbox.store.add(model, common.media_of(SERVICE, model), body, fault)
    common.lose(http, fault)
    created = common.without(_created(sandbox, job, is_oldest), fault, "task_id", "get_result")
    return common.answer(http, fault, 200, _envelope(created))


def _model_of(parts: list[str]) -> tuple[str | None, bool]:
    """The model that a path creates with, and whether the path is of the oldest form.

    {provider}/{model}               from July 2026
    {provider}/{model}/async         from April 2026
    {type}/{provider}/{model}/async  before
    """
    is_oldest = len(parts) == 4 and parts[0] in _ALL_TYPES and parts[3] == "async"
    if is_oldest:
        parts = parts[1:]
    if len(parts) == 3 and parts[2] == "async":
        parts = parts[:2]
    if len(parts) != 2 or parts[0] in _TAKEN or any("/" in part for part in parts):
        return None, False
    return "/".join(parts), is_oldest


def _created(sandbox, job, is_oldest: bool) -> dict:
    told = {"status": "pending", "task_id": job.id, "model_id": job.model}
    if is_oldest:
        return {**told, "duration": 0}
    return {**told, "get_result": {"method": "GET", "url": f"{sandbox.url}{BASE}/tasks/{job.id}"}}


# -- read ----------------------------------------------------------------------------------------


def _read(sandbox, http, job_id: str) -> None:
    common.read(providers.load(SERVICE), sandbox, http, job_id, _error, lambda http, job: _envelope(_task(http, job)))


def _task(http, job) -> dict:
    status = common.status_of(job, _STATUSES)
    task = {"status": status, "task_id": job.id, "model_id": job.model}
    if status in _OPEN.values():
        return task
    task["duration"] = round(job.duration * 1000)
    if job.fault == "result-older" and status == "success":
        return {**task, "resources": [http.media_url(job, number) for number in common.numbers(job.input, "n")]}
    if status == "success":
        expires = round((job.created + RESULT_LIFETIME_SECONDS) * 1000)
        return {
            **task, "result": _result(http, job), "billing": {"amount": COST}, "result_expires_at": expires,
        }  # fmt: skip
    # Own choice: no source shows what a failed task says.
    return {**task, "error": {"code": "TASK_FAILED", "message": "the model could not make this"}}


def _result(http, job) -> dict:
    numbers = common.numbers(job.input, "n")
    result = {
        "resources": [_resource(http, job, number) for number in numbers],
        "metadata": {"request_id": f"req-{job.id}"},
        "extensions": {
            "submit_time": common.written(job.created),
            "end_time": common.written(job.created + job.duration),
        },
    }
    if job.media == "image":
        result["metadata"]["image_count"] = len(numbers)
    if job.media == "text":
        # Own choice: no source shows the result of speech to text.
        result["text"] = media.transcript(numbers[0])
    return result


def _resource(http, job, number: int) -> dict:
    return {
        "url": http.media_url(job, number),
        "type": "document" if job.media == "text" else job.media,
        **media.facts(job.media, job.input),
        "size": len(media.render(job.media, job.input, number)),
        "format": media.TYPES[job.media][1],
        "role": "primary" if number == 1 else "alternative",
    }


# -- account and models ----------------------------------------------------------------------------


def _validate(sandbox, http) -> None:
    """HTTP 200 in any case; a key that is missing is not valid."""
    is_valid = http.headers.get("Authorization", "").startswith("Bearer ") and not common.key_refused(sandbox, http)
    _success(http, {"is_valid": is_valid})


def _tell_balance(sandbox, http, content: bytes) -> None:
    _success(http, {"balance": BALANCE if sandbox.balance is None else sandbox.balance})


def _list_requests(sandbox, http, content: bytes) -> None:
    """The newest first, and without an envelope: own choices. What one has cost, too."""
    asked = common.query(http)
    size = common.number(asked.get("page_size"), 10, 1, 100)
    start = (common.number(asked.get("page"), 1, 1, 10_000) - 1) * size
    jobs = sandbox.store.newest(start + size)[start:]
    http.answer(200, {"requests": [_request_row(job) for job in jobs]})


def _request_row(job) -> dict:
    provider, _, name = job.model.partition("/")
    return {
        "task_id": job.id,
        "status": common.status_of(job, _STATUSES),
        "model": {"provider": provider, "model_name": name},
        "created_at": common.written(job.created),
        "cost": COST,
    }


def _list_models(sandbox, http, content: bytes) -> None:
    """Without an envelope. Own choice: without `page` and `page_size` all models are listed."""
    asked = common.query(http)
    entries = list(common.models(SERVICE).values())
    if asked.get("featured") == "true":
        entries = [entry for entry in entries if entry.get("featured")]
    if "category" in asked:
        entries = [entry for entry in entries if _category(entry) == asked["category"]]
    if "page" in asked or "page_size" in asked:
        size = common.number(asked.get("page_size"), 24, 1, 100)
        start = (common.number(asked.get("page"), 1, 1, 10_000) - 1) * size
        entries = entries[start : start + size]
    http.answer(200, {"models": [_model_row(sandbox, entry) for entry in entries]})


def _category(entry: dict) -> str | None:
    found = entry.get("media")
    return _CATEGORIES.get(found, found)


def _model_row(sandbox, entry: dict) -> dict:
    row = {"slug": entry["model"], "docs_url": f"{sandbox.url}/openapi.json"}
    words = [_TYPES.get(word, word) for word in (*entry.get("tasks", ()), *entry.get("modes", ()))]
    kinds = [word for word in words if word in _ALL_TYPES]
    if kinds:
        row["type"] = kinds[0]
    row["description"] = f"{', '.join(kinds) or 'no task known'}; the sandbox's stand-in"
    return row


def _model_of_schema(http) -> str | None:
    """The model whose schema is asked for: at the service's site, so that it lies above BASE and needs no key."""
    parts = common.segments(http, "/models") if http.method == "GET" else None
    return "/".join(parts[:2]) if parts and len(parts) == 3 and all(parts) and parts[2] == "api_schema" else None


def _tell_schema(sandbox, http, model: str) -> None:
    """A path item with the address of the model; what its fields are is what the bundled contract says."""
    contract = common.contract(SERVICE, model)
    if contract is None:
        return _error(http, 404)
    body = {"required": True, "content": {contract.content_type: {"schema": contract.schema}}}
    post = {"summary": contract.summary, "requestBody": body, "responses": {"200": {"description": "Accepted"}}}
    post.update({} if contract.complete else {"x-complete": False})
    return http.answer(200, {"servers": [{"url": f"{sandbox.url}{BASE}/{model}"}], "post": post})


# -- files -----------------------------------------------------------------------------------------


def _upload(sandbox, http, content: bytes) -> None:
    file = forms.file_of(http.headers.get("Content-Type", ""), content, "file")
    if file is None:
        return _error(http, 400, "Missing required parameter: a multipart part named file")
    body = {"filename": file.name, "media_type": file.media_type}
    kept = sandbox.store.keep("file", f"file-{secrets.token_hex(8)}", body, file.content)
    return _success(http, _file(http, kept))


def _file(http, record) -> dict:
    kind = record.body["media_type"].partition("/")[0]
    return {
        "file_id": record.id,
        "type": kind if kind in ("image", "video", "audio") else "document",
        "url": http.file_url(record.id, record.body["filename"]),
        "filename": record.body["filename"],
        "size": len(record.content),
        "created_at": common.written(record.created),
    }


def _list_files(sandbox, http, content: bytes) -> None:
    limit = common.number(common.query(http).get("limit"), 100, 1, 100)
    # Own choice: no source shows what the list is wrapped in.
    _success(http, {"files": [_file(http, record) for record in sandbox.store.records("file", limit)]})


def _delete_file(sandbox, http, file_id: str) -> None:
    if not sandbox.store.forget("file", file_id):
        return _error(http, 404)
    # Own choice: no source shows the answer.
    return _success(http, {"file_id": file_id})


_ROUTES = {
    ("GET", "models"): _list_models,
    ("GET", "logs"): _list_requests,
    ("GET", "team", "balance"): _tell_balance,
    ("GET", "media", "files"): _list_files,
    ("POST", "media", "files"): _upload,
}
