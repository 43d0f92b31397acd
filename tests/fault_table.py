"""What becomes of the main job under each fault of the sandbox, for each contract that the sandbox speaks."""

from __future__ import annotations

STREAM = ()
PLAIN = ("--stream", "never")
IMPATIENT = ("--sse-request-timeout", "1")
BRIEF = ("--deadline", "3")

# fault -> (flags, exit code, POSTs (2 where it is sent again: or more), last event, where a terminal answer came from)
EXPECTED = {
    "stream-drop": (STREAM, 0, 1, "terminal", "poll"),
    "stream-reset": (STREAM, 0, 1, "terminal", "poll"),
    "stream-stall": (IMPATIENT, 0, 1, "terminal", "poll"),
    "stream-keepalives": (IMPATIENT, 0, 1, "terminal", "poll"),
    "stream-failed-event": (STREAM, 0, 1, "terminal", "poll"),
    "stream-done-event": (STREAM, 0, 1, "terminal", "poll"),
    "stream-json": (STREAM, 0, 1, "terminal", "poll"),
    "stream-malformed": (STREAM, 0, 1, "terminal", "poll"),
    "stream-flood": (STREAM, 0, 1, "terminal", "sse"),
    "stream-no-id": (STREAM, 0, 1, "terminal", "poll"),
    "create-400": (STREAM, 22, 1, "error", None),
    "create-401": (STREAM, 21, 1, "error", None),
    "create-402": (STREAM, 20, 1, "error", None),
    "create-403": (STREAM, 21, 1, "error", None),
    "create-404": (STREAM, 23, 1, "error", None),
    "create-422": (STREAM, 22, 1, "error", None),
    "create-429": (STREAM, 24, 5, "error", None),
    "create-429-once": (STREAM, 0, 2, "terminal", "sse"),
    "create-500": (STREAM, 12, 1, "error", None),
    "create-502": (STREAM, 12, 1, "error", None),
    "create-503": (STREAM, 12, 1, "error", None),
    "create-lost": (STREAM, 0, 1, "terminal", "poll"),
    "create-hang": (IMPATIENT, 12, 1, "error", None),
    "create-truncated": (PLAIN, 0, 1, "terminal", "poll"),
    "create-no-id": (PLAIN, 0, 1, "terminal", "poll"),
    "create-redirect": (STREAM, 25, 1, "error", None),
    # These belong to the other contracts: in this one the create goes on normally.
    "result-older": (STREAM, 0, 1, "terminal", "sse"),
    "create-provider-failure": (STREAM, 0, 1, "terminal", "sse"),
    "create-storage-failed": (STREAM, 0, 1, "terminal", "sse"),
    "create-budget": (STREAM, 0, 1, "terminal", "sse"),
    "create-hostile-recovery": (STREAM, 0, 1, "terminal", "sse"),
    "status-unknown": (STREAM, 0, 1, "terminal", "sse"),
    "job-failed": (STREAM, 10, 1, "terminal", "sse"),
    "job-canceled": (STREAM, 10, 1, "terminal", "sse"),
    "job-slow": (("--stream-timeout", "1", "--poll-timeout", "1"), 11, 1, "timeout", None),
    "job-fast": (PLAIN, 0, 1, "terminal", "poll"),
    "poll-404": (PLAIN, 0, 1, "terminal", "poll"),
    "poll-429": (PLAIN, 0, 1, "terminal", "poll"),
    "poll-502": (PLAIN, 0, 1, "terminal", "poll"),
    "poll-reset": (PLAIN, 0, 1, "terminal", "poll"),
    "poll-truncated": (PLAIN, 0, 1, "terminal", "poll"),
    "poll-401": (PLAIN, 21, 1, "error", None),
    "result-expired": (STREAM, 26, 1, "terminal", "sse"),
}


# A service that answers when the job is done, and takes the same idempotency key again: there is
# nothing to stream and nothing to poll. What differs from the above:
SYNCHRONOUS = {
    **dict.fromkeys(EXPECTED, (PLAIN, 0, 1, "terminal", "create")),
    **{f"create-{status}": EXPECTED[f"create-{status}"] for status in (400, 401, 402, 403, 404, 422)},
    **dict.fromkeys(("create-429", "create-429-once"), (PLAIN, 20, 1, "error", None)),
    **dict.fromkeys(("create-500", "create-503", "create-storage-failed"), (PLAIN, 12, 1, "error", None)),
    # No answer that can be read, and a failure that may be repeated: the same key, for as long as there is time.
    "create-502": (BRIEF, 12, 2, "error", None),
    "create-truncated": EXPECTED["create-truncated"],
    **dict.fromkeys(("create-lost", "create-no-id"), (PLAIN, 0, 2, "terminal", "create")),
    "create-hang": (IMPATIENT, 0, 2, "terminal", "create"),
    "create-provider-failure": (PLAIN, 0, 2, "terminal", "create"),
    "create-redirect": EXPECTED["create-redirect"],
    **dict.fromkeys(("create-budget", "create-hostile-recovery"), (PLAIN, 22, 1, "error", None)),
    **dict.fromkeys(("job-failed", "job-canceled"), (PLAIN, 12, 1, "error", None)),
    "job-slow": ((*IMPATIENT, "--deadline", "4"), 12, 2, "error", None),
    "result-expired": (PLAIN, 26, 1, "terminal", "create"),
}
# Without a stream; a lost job is looked for in the log of requests, by model and time.
POLLED = {
    **{fault: (PLAIN, *row[1:4], row[4] and "poll") for fault, row in EXPECTED.items()},
    # Its own clients send nothing again after this, although nothing was bought.
    **dict.fromkeys(("create-429", "create-429-once"), (PLAIN, 24, 1, "error", None)),
    "create-hang": (IMPATIENT, 0, 1, "terminal", "poll"),
    "job-slow": EXPECTED["job-slow"],
}
SERVICES = {"skills-video": EXPECTED, "modellix": POLLED, "image-skill": SYNCHRONOUS}
