"""How a fault changes what is answered.

A dialect hands in its own `error(http, status)`, which sends its words for an HTTP status.
"""

from __future__ import annotations

import json

from ...base.pointer import point, put

HTML = "<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>"
ELSEWHERE = "https://elsewhere.invalid"

# The create faults that are nothing but an HTTP status.
_STATUSES = {
    **{f"create-{status}": status for status in (400, 401, 402, 403, 404, 422, 429, 500, 503, 520)},
    "key-refused": 401,
    "no-credits": 402,
}
# How the answer to a create that was accepted can be spoiled.
ANSWERS = ("create-truncated", "create-no-id", "create-103", "create-endless", "create-gzip", "create-events")


def create_fault(sandbox, cost: float) -> str | None:
    """The fault that every create suffers, which can follow from what the account has; `cost` is in its unit."""
    if sandbox.balance is not None and (sandbox.balance <= 0 or sandbox.balance < cost):
        return "create-402"
    return sandbox.fault


def refuse(sandbox, http, fault: str | None, body: dict, error) -> bool:
    """Answer as a fault that accepts nothing; whether it was one."""
    if fault == "unreachable":
        http.reset()
    if fault == "create-429-once" and sandbox.nth(str(body)) == 1:
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


def answer(http, fault: str | None, status: int, body, headers: dict | None = None) -> None:
    """Answer a create that was accepted, as its fault wants it."""
    if fault == "create-103":
        http.interim()
    if fault == "create-endless":
        http.open_stream("application/json", status)
        http.stream(json.dumps(body))
        http.break_off()
    if fault == "create-events":
        http.open_stream(status=status)
        http.stream_event(body)
        return http.end_stream()
    if fault == "create-gzip":
        headers = {**(headers or {}), "Content-Encoding": "gzip"}
    return http.answer(status, body, headers, cut=fault == "create-truncated")


def without_id(value, job_id: str):
    """An answer to a create without the id of its job, wherever that stands."""
    if isinstance(value, dict):
        kept = {name: without_id(item, job_id) for name, item in value.items() if not _tells(item, job_id)}
        return {name: item for name, item in kept.items() if item != {} or value[name] == {}}
    if isinstance(value, list):
        return [without_id(item, job_id) for item in value if not _tells(item, job_id)]
    return value


def _tells(item, job_id: str) -> bool:
    return isinstance(item, str) and bool(job_id) and job_id in item


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
    elif job.fault == "poll-520":
        error(http, 520)
    elif job.fault == "poll-502":
        http.answer(502, HTML)
    elif job.fault == "poll-reset":
        http.reset()
    elif job.fault == "poll-truncated":
        http.answer(200, whole, cut=True)
    else:
        return False
    return True


def is_held_back(sandbox, http, job, error) -> bool:
    """Answer a read of the results alone, where those come apart, as a fault wants it; whether it did."""
    if job.fault not in ("result-202", "result-404") or sandbox.nth(f"result {job.id}") > 2:
        return False
    if job.fault == "result-202":
        http.answer(202, {})
    else:
        error(http, 404)
    return True


def spoil(provider, sandbox, job, body) -> None:
    """Change the answer to a read as its job's fault wants it: words that no document names, no results yet."""
    state = provider.answers.reading(body).state
    word = {("status-unknown", "running"): "WARMING_UP", ("status-synonym", "succeeded"): "SUCCESS"}
    rules = [rule.when for rule in provider.state_rules if rule.state == state and rule.when.values]
    places = [at for when in rules for at in when.at if point(body, at) in when.values]
    if (job.fault, state) in word and places:
        put(body, places[0], word[job.fault, state])
    if state == "succeeded" and is_early(sandbox, job):
        without_results(provider, body)


def is_early(sandbox, job) -> bool:
    """Whether results are not told yet, as the fault of a job wants it for its first two answers."""
    return job.fault == "done-early" and sandbox.nth(f"early {job.id}") <= 2


def without_results(provider, body) -> None:
    """Take the results out of an answer."""
    for rule in provider.output_rules:
        for at in (*(rule.each or ())[:1], rule.walk, rule.text):
            found = point(body, at) if at else None
            if found is not None:
                put(body, at, [] if isinstance(found, list) else None)
