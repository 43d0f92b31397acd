"""Every fault of the sandbox, met by the main job: how it ends, how many POSTs it took, and that no job is lost.

Each fault is met once, by a service that can have it, and each service meets several. All of them by all:

    AI_MEDIA_ALL_FAULTS=1 python -m pytest tests/sandbox/test_sandbox_faults.py -q -n 4 [-k SERVICE]
    AI_MEDIA_ALL_FAULTS=1 python -m pytest tests/sandbox/test_sandbox_faults.py -q -s -k "table and SERVICE"

where the second prints the table.
"""

from __future__ import annotations

import os
import re

import pytest

from conftest import ROOT, at_sandbox, posts
from fault_table import EXPECTED, KINDS, SERVICES, TASK, sample
from mediakit.sandbox import FAULTS

ALL = bool(os.environ.get("AI_MEDIA_ALL_FAULTS"))
MATRIX = [(service, fault) for service in SERVICES for fault in FAULTS] if ALL else sample()


def meet(scripts, sandbox, fault: str):
    return scripts.run(
        "create_and_wait.py", *at_sandbox(sandbox), "--task", TASK, "--prompt", f"a tin boat fault:{fault}",
        "--output-dir", "out", *SERVICES[sandbox.service][fault].flags,
    )  # fmt: skip


@pytest.mark.parametrize("sandbox, fault", MATRIX, indirect=["sandbox"])
def test_the_main_job_survives_or_tells(scripts, sandbox, fault):
    wanted = SERVICES[sandbox.service][fault]
    run = meet(scripts, sandbox, fault)
    assert (run.code, run.result["event"]) == (wanted.code, wanted.last), run.events
    assert posts(sandbox) == wanted.posts or (run.code == 12 and posts(sandbox) > wanted.posts == 2), run.events
    assert run.result.get("source") == wanted.source
    saved = [event for event in run.events if event["event"] == "asset"]
    assert len(saved) == (1 if run.code == 0 else 0)
    assert sorted(map(str, (scripts.folder / "out").glob("*"))) == sorted(
        event["path"] + ending for event in saved for ending in ("", ".json")
    )
    if sandbox.store.newest(10) and run.code != 0:  # accepted: it is known under its id, or told as in doubt
        assert run.result.get("generation_id") or run.result.get("outcome") == "unknown" or run.code == 10, run.events


def test_the_sample_has_every_fault_and_several_a_service():
    runs = sample()
    assert {fault for _, fault in runs} == set(FAULTS)
    counted = {service: sum(one == service for one, _ in runs) for service in SERVICES}
    assert all(count >= 6 for count in counted.values()) and len(runs) <= 80, counted


def test_what_can_be_told_of_a_service_says_how_it_ends():
    assert len(set(KINDS.values())) >= 5
    for service, rows in SERVICES.items():
        codes = {row.code for row in rows.values()}
        assert {0, 12, 20, 21, 22, 23, 25} <= codes, service


def test_the_reference_lists_every_fault_with_the_exit_code_that_it_has():
    page = (ROOT / "references/sandbox-faults.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `([a-z0-9-]+)` \|.*\| (\d+) \|$", page, re.M))
    assert {fault: int(code) for fault, code in listed.items()} == {name: row.code for name, row in EXPECTED.items()}
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
