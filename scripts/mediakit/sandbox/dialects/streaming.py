"""A create that is answered by an event stream, and what a fault makes of it.

`body_of(name)` is the service's answer: `created`, `running`, `strange` (a word that no document names), `end`.
"""

from __future__ import annotations

import json

from ..server import seconds_until
from . import spoiling

# What is answered as JSON although a stream was asked for; `create-events` is what was asked for.
INSTEAD = ("stream-json", *(fault for fault in spoiling.ANSWERS if fault != "create-events"))


def play(http, job, body_of) -> None:
    """Stream a job to its end."""
    is_lines = job.fault == "stream-json-lines"
    http.open_stream(*(("application/x-ndjson",) if is_lines else ()))
    if job.fault == "stream-no-id":
        return http.end_stream()
    tell = {"stream-json-lines": _line, "stream-single-line-ends": _event_without_blank_line}.get(job.fault, _event)
    tell(http, body_of("created"))
    if job.fault in _FAULTS and not _FAULTS[job.fault](http, job, body_of):
        return None
    http.wait(seconds_until(job.created + min(0.1, job.duration / 3)))
    tell(http, body_of("running"))
    if job.fault == "status-unknown":
        tell(http, body_of("strange"))
    http.wait(seconds_until(job.created + job.duration))
    tell(http, body_of("end"))
    return http.end_stream()


def _event(http, body) -> None:
    http.stream_event(body)


def _line(http, body) -> None:
    http.stream(json.dumps(body) + "\n")


def _event_without_blank_line(http, body) -> None:
    http.stream(f"data: {json.dumps(body)}\n")


def _drop(http, job, body_of) -> bool:
    http.end_stream()
    return False


def _reset(http, job, body_of) -> bool:
    http.stream(f"data: {json.dumps(body_of('running'))[:-1]}")
    http.wait(0.05)  # a reset discards what the client has not read yet
    http.reset()
    return False


def _stall(http, job, body_of) -> bool:
    http.hang()
    return False


def _keep_alive(http, job, body_of) -> bool:
    while True:
        http.stream(": keep-alive\n\n")
        http.wait(0.2)


def _failed_event(http, job, body_of) -> bool:
    http.stream_event({"message": "a worker was replaced"}, "failed")
    return _drop(http, job, body_of)


def _done_event(http, job, body_of) -> bool:
    http.stream_event(body_of("running"), "done")
    return _drop(http, job, body_of)


def _malformed(http, job, body_of) -> bool:
    http.stream('data: {"id": \n\n')
    return _drop(http, job, body_of)


def _flood(http, job, body_of) -> bool:
    event = f"data: {json.dumps(body_of('running'))}\n\n"
    for _ in range(200):
        http.stream(100 * event)
    return True


# fault -> what happens after the id; whether the stream then goes on as usual
_FAULTS = {
    "stream-drop": _drop,
    "stream-reset": _reset,
    "stream-stall": _stall,
    "stream-keepalives": _keep_alive,
    "stream-failed-event": _failed_event,
    "stream-done-event": _done_event,
    "stream-malformed": _malformed,
    "stream-flood": _flood,
}
