"""Every fault of the sandbox, met by the main job: how it ends, and how many POSTs it took.

    python -m pytest tests/sandbox/test_sandbox_faults.py -q -s -k table

prints the table.
"""

from __future__ import annotations

import re

import pytest

from conftest import ROOT, at_sandbox, posts
from mediakit.sandbox import FAULTS

STREAM = ()
PLAIN = ("--stream", "never")
IMPATIENT = ("--sse-request-timeout", "1")

# fault -> (flags, exit code, POSTs, last event, where a terminal answer came from)
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
    "job-slow": (("--poll-timeout", "1"), 11, 1, "timeout", None),
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
    **{fault: (PLAIN, 0, 1, "terminal", "create") for fault in EXPECTED},
    **{f"create-{status}": EXPECTED[f"create-{status}"] for status in (400, 401, 402, 403, 404, 422)},
    **{fault: (PLAIN, 20, 1, "error", None) for fault in ("create-429", "create-429-once")},
    **{fault: (PLAIN, 12, 1, "error", None) for fault in ("create-500", "create-503", "create-storage-failed")},
    # No answer that can be read, and a failure that may be repeated: the same key, once more.
    "create-502": (PLAIN, 12, 2, "error", None),
    **{fault: (PLAIN, 0, 2, "terminal", "create") for fault in ("create-lost", "create-truncated", "create-no-id")},
    "create-hang": (IMPATIENT, 0, 2, "terminal", "create"),
    "create-provider-failure": (PLAIN, 0, 2, "terminal", "create"),
    "create-redirect": EXPECTED["create-redirect"],
    **{fault: (PLAIN, 22, 1, "error", None) for fault in ("create-budget", "create-hostile-recovery")},
    **{fault: (PLAIN, 12, 1, "error", None) for fault in ("job-failed", "job-canceled")},
    "job-slow": (IMPATIENT, 12, 2, "error", None),
    "result-expired": (PLAIN, 26, 1, "terminal", "create"),
}
# Without a stream, and with nothing to ask what became of a request.
POLLED = {
    **{fault: (PLAIN, *row[1:4], row[4] and "poll") for fault, row in EXPECTED.items()},
    **{fault: (PLAIN, 12, 1, "error", None) for fault in ("create-lost", "create-truncated", "create-no-id")},
    "create-hang": (IMPATIENT, 12, 1, "error", None),
    "job-slow": EXPECTED["job-slow"],
}
SERVICES = {"skills-video": EXPECTED, "modellix": POLLED, "image-skill": SYNCHRONOUS}
MATRIX = [(service, fault) for service in SERVICES for fault in FAULTS]


def meet(scripts, sandbox, fault: str):
    return scripts.run(
        "create_and_wait.py", *at_sandbox(sandbox), "--task", "t2i", "--prompt", f"a tin boat fault:{fault}",
        "--output-dir", "out", *SERVICES[sandbox.service][fault][0],
    )  # fmt: skip


@pytest.mark.parametrize("sandbox, fault", MATRIX, indirect=["sandbox"])
def test_the_main_job_survives_or_tells(scripts, sandbox, fault):
    _, code, count, last, source = SERVICES[sandbox.service][fault]
    run = meet(scripts, sandbox, fault)
    assert (run.code, posts(sandbox), run.result["event"]) == (code, count, last), run.events
    assert run.result.get("source") == source
    saved = [event for event in run.events if event["event"] == "asset"]
    assert len(saved) == (1 if code == 0 else 0)
    assert sorted(map(str, (scripts.folder / "out").glob("*"))) == sorted(
        event[name] for event in saved for name in ("path", "provenance")
    )


def test_the_reference_lists_every_fault_with_the_exit_code_that_it_has():
    page = (ROOT / "references/sandbox.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `([a-z0-9-]+)` \|.*\| (\d+) \|$", page, re.M))
    assert {fault: int(code) for fault, code in listed.items()} == {name: row[1] for name, row in EXPECTED.items()}
    assert set(EXPECTED) == set(FAULTS)


@pytest.mark.parametrize("sandbox", SERVICES, indirect=True)
def test_a_table_of_every_fault(scripts, sandbox, capsys, request):
    """Only for reading: run with `-k table -s`."""
    if "table" not in request.config.getoption("-k"):
        pytest.skip("prints the table; run with -k table -s")
    with capsys.disabled():
        print(f"\n{sandbox.service}\n\n| fault | exit code | POSTs | last event |\n| --- | --- | --- | --- |")
        for fault in FAULTS:
            sandbox.requests.clear()
            run = meet(scripts, sandbox, fault)
            print(f"| {fault} | {run.code} | {posts(sandbox)} | {run.result['event']} |")
