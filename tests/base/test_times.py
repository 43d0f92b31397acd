"""What is left of the time that a command was given."""

from __future__ import annotations

import pytest

from mediakit.base import times


@pytest.mark.parametrize(
    "deadline, kept_back", [(1.0, 0.3), (2.0, 0.3), (3.0, 0.3), (10.0, 1.0), (20.0, 2.0), (600.0, 2.0)]
)
@pytest.mark.parametrize("gone", [0.0, 0.5])
def test_a_command_ends_before_its_deadline_and_counts_from_its_start(monkeypatch, deadline, kept_back, gone):
    monkeypatch.setattr(times, "_STARTED_AT", 100.0)
    monkeypatch.setattr(times.time, "monotonic", lambda: 100.0 + gone)
    assert times.time_left(deadline) == pytest.approx(deadline - kept_back - gone)


def test_nothing_is_left_after_it_and_without_one_there_is_no_end(monkeypatch):
    monkeypatch.setattr(times.time, "monotonic", lambda: times._STARTED_AT + 5)
    assert times.time_left(2.0) == 0.0 and times.time_left(None) is None
