"""What the sandbox can be told to do wrong.

A fault is asked for with `--fault NAME` of scripts/sandbox.py, for every request, or with the word
`fault:NAME` in a prompt, for that job alone.
"""

from __future__ import annotations

from ..base.regex import regex

# name -> what a client sees
FAULTS = {
    "stream-drop": "the stream ends right after the id, without a terminal state",
    "stream-reset": "the connection is reset in the middle of an event",
    "stream-stall": "the stream stays open and says nothing more after the id",
    "stream-keepalives": "after the id, a comment every 0.2 s and nothing else",
    "stream-failed-event": "an event named failed that carries no status, while the job goes on",
    "stream-done-event": "an event named done while the status is still in progress",
    "stream-json": "a JSON answer in place of the stream",
    "stream-malformed": "data that is no JSON after the id",
    "stream-flood": "20,000 identical progress events",
    "stream-no-id": "the stream ends before the id; the job was accepted",
    "stream-json-lines": "lines of JSON in place of events",
    "stream-single-line-ends": "events with single line ends and no blank lines between them",
    "create-400": "HTTP 400, invalid input",
    "create-401": "HTTP 401, key refused",
    "create-402": "HTTP 402, credits missing",
    "create-403": "HTTP 403, forbidden",
    "create-404": "HTTP 404, unknown model",
    "create-422": "HTTP 422, content rejected",
    "create-429": "HTTP 429 with Retry-After 1, every time",
    "create-429-once": "HTTP 429 the first time, then accepted",
    "create-500": "HTTP 500, nothing accepted",
    "create-502": "HTTP 502 with an HTML page, nothing accepted",
    "create-503": "HTTP 503, nothing accepted",
    "create-520": "HTTP 520, an unlisted status; nothing accepted",
    "create-lost": "the job is accepted, and the connection is reset before the answer",
    "create-hang": "the job is accepted, and no answer ever comes",
    "create-truncated": "the job is accepted, and the answer is cut in the middle of its JSON",
    "create-no-id": "the job is accepted, and the answer is HTTP 200 without its id",
    "create-103": "the job is accepted, and its answer comes behind an interim HTTP 103",
    "create-endless": "the job is accepted, and the answer is chunked and has no last chunk",
    "create-gzip": "the job is accepted, and the answer is labelled gzip and is plain",
    "create-events": "the job is accepted, and JSON was asked for, and an event stream answers",
    "create-redirect": "HTTP 307 to another host",
    "create-provider-failure": "Luxin: HTTP 502, retryable; the same idempotency key then gives the one job",
    "create-storage-failed": "Luxin: the result is paid for and cannot be kept; not retryable",
    "create-budget": "Luxin: refused until an unknown cost is accepted",
    "create-hostile-recovery": "Luxin: refused, with commands of its own to run next",
    "status-unknown": "a status that no document names, before the job completes",
    "status-synonym": "success is told with a word that no document names, with its results",
    "done-early": "the first two answers that say succeeded are without their results",
    "told-hostile": "the answer to the create tells addresses at another host",
    "job-failed": "the job ends FAILED",
    "job-canceled": "the job ends CANCELED",
    "job-slow": "the job takes a minute",
    "job-fast": "the job completes 0.2 s after the create",
    "poll-404": "the first two reads answer HTTP 404, then the job is visible",
    "poll-429": "the first read answers HTTP 429 with Retry-After 1",
    "poll-502": "the first two reads answer HTTP 502 with an HTML page",
    "poll-520": "the first two reads answer HTTP 520",
    "poll-reset": "the first two reads end in a reset connection",
    "poll-truncated": "the first two reads answer half a JSON document",
    "poll-401": "every read answers HTTP 401",
    "result-older": "Modellix: the result's addresses alone, where older answers had them",
    "result-202": "the result's URL answers HTTP 202 twice, then the file",
    "result-404": "the result's URL answers HTTP 404 twice, then the file",
    "result-expired": "the result's URL answers HTTP 403",
    "key-refused": "every request with a key answers HTTP 401",
    "no-credits": "the balance is 0, and a create answers that credits are missing",
    "unreachable": "every connection is reset before an answer, and nothing is accepted",
}

_ASKED_FOR = regex(r"\bfault:([a-z0-9-]+)")


def asked_for(text: str) -> str | None:
    """The fault that a prompt asks for, or None."""
    found = _ASKED_FOR.search(text)
    return found[1] if found and found[1] in FAULTS else None
