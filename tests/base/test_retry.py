"""Pauses between tries, and how often one is told of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mediakit.base.retry import HEARTBEAT, Backoff, Throttle


def test_pauses_double_up_to_the_longest_and_jitter_takes_at_most_half_of_one():
    longest, shortest = Backoff(0.5, 10.0, lambda: 1.0), Backoff(0.5, 10.0, lambda: 0.0)
    assert [longest.next() for _ in range(7)] == [0.5, 1, 2, 4, 8, 10, 10]
    assert [shortest.next() for _ in range(7)] == [0.25, 0.5, 1, 2, 4, 5, 5]


@given(st.floats(0.01, 5), st.floats(5, 60), st.integers(1, 2000))
def test_no_pause_is_ever_longer_than_the_longest(first, longest, tries):
    pauses = Backoff(first, longest)
    assert all(first / 2 <= pauses.next() <= longest for _ in range(tries))


def test_a_repeated_message_is_told_at_first_at_a_changed_cause_and_then_as_a_heartbeat():
    throttle = Throttle()
    seen = [("a", 0.0), ("a", 1.0), ("b", 2.0), ("a", 3.0), ("a", 3.0 + HEARTBEAT - 0.1), ("a", 3.0 + HEARTBEAT)]
    assert [throttle.allows(cause, now) for cause, now in seen] == [True, False, True, True, False, True]
    assert throttle.count == 6


def test_what_is_over_is_told_again_when_it_comes_back():
    throttle = Throttle()
    assert throttle.allows("a", 0.0)
    throttle.forget()
    assert throttle.allows("a", 1.0) and throttle.count == 1
