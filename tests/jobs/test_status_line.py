"""The live line: how long it has taken, where the job is, which model, which id."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mediakit.jobs.report import Report

# status, progress, jobs before it -> what the line says of them
LINES = [
    (None, None, None, "waiting"),
    ("IN_QUEUE", None, 3, "IN_QUEUE 3 before it"),
    ("IN_QUEUE", None, 0, "IN_QUEUE 0 before it"),
    ("RUNNING", 0.42, None, "RUNNING 42%"),
    ("RUNNING", 0.0, None, "RUNNING 0%"),
    ("RUNNING", None, None, "RUNNING"),
]


@pytest.mark.parametrize("status, progress, position, words", LINES)
def test_the_line_tells_progress_and_the_place_in_the_queue(status, progress, position, words):
    job = SimpleNamespace(status=status, progress=progress, position=position, generation_id="g1")
    said: list[str] = []
    console = SimpleNamespace(status=said.append)
    report = Report(console, SimpleNamespace(provider=None), None, None, SimpleNamespace(job=job), "a/b")
    report.status()
    assert said == [f"0 s  {words}  a/b  g1"]
