"""Every fault of the sandbox, met by the main job: how it ends, and how many POSTs it took.

    python -m pytest tests/sandbox/test_sandbox_faults.py -q -s -k table

prints the table.
"""

from __future__ import annotations

import re

import pytest

from conftest import ROOT, at_sandbox, posts
from fault_table import EXPECTED, SERVICES
from mediakit.sandbox import FAULTS

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
    assert (run.code, run.result["event"]) == (code, last), run.events
    assert posts(sandbox) == count or (run.code == 12 and posts(sandbox) > count == 2), run.events
    assert run.result.get("source") == source
    saved = [event for event in run.events if event["event"] == "asset"]
    assert len(saved) == (1 if code == 0 else 0)
    assert sorted(map(str, (scripts.folder / "out").glob("*"))) == sorted(
        event["path"] + ending for event in saved for ending in ("", ".json")
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
