"""How much a batch asks of a service, on a clock of its own: stated rates are kept, limits that nobody states are learnt."""

from __future__ import annotations

from collections import deque

import pytest

from mediakit.jobs.batch.pace import WINDOW, Limits, Pace

PER_MINUTE = 100


class Limited:
    """A service that answers so many requests in any minute, or in each minute of the clock, and 429 above."""

    def __init__(self, sliding: bool, tells: str):
        self._sliding, self._tells = sliding, tells
        self._answered: deque = deque()
        self.answered = self.refused = 0

    def ask(self, now: float) -> tuple[bool, float | None]:
        begins = now - WINDOW if self._sliding else now // WINDOW * WINDOW
        while self._answered and (self._answered[0] <= begins if self._sliding else self._answered[0] < begins):
            self._answered.popleft()
        if len(self._answered) < PER_MINUTE:
            self._answered.append(now)
            self.answered += 1
            return True, None
        self.refused += 1
        frees_at = self._answered[0] + WINDOW if self._sliding else begins + WINDOW
        return False, {"exactly": frees_at - now, "a second": 1.0, "nothing": None}[self._tells]


def run(pace: Pace, service: Limited, minutes: int, at_once: int = 16, latency: float = 0.2) -> None:
    """As many requests as the pace lets through, `at_once` at a time; each is answered after `latency`."""
    now, out = 0.0, []
    while now < minutes * WINDOW:
        for moment, (is_answered, retry_after) in [one for one in out if one[0] <= now]:
            if is_answered:
                pace.answered(moment)
            else:
                pace.refused(moment, retry_after)
        out = [one for one in out if one[0] > now]
        while len(out) < at_once and pace.may_ask(now):
            pace.asked(now)
            out.append((now + latency, service.ask(now + latency / 2)))
        moments = [one[0] for one in out] + ([] if len(out) == at_once else [pace.ask_at])
        now = max(min(moments), now + 0.001)


@pytest.mark.parametrize("sliding", [True, False], ids=["sliding", "by the clock"])
@pytest.mark.parametrize("tells", ["exactly", "a second", "nothing"])
def test_a_limit_that_nobody_states_is_used_up_to_95_percent(sliding, tells):
    service, pace = Limited(sliding, tells), Pace(Limits(), lambda: 0.5)
    run(pace, service, 12)
    used = service.answered / (12 * PER_MINUTE)
    assert used >= 0.95 and service.refused <= service.answered / 2, (used, service.refused)


@pytest.mark.parametrize("sliding", [True, False], ids=["sliding", "by the clock"])
def test_a_rate_that_is_stated_is_kept_and_used(sliding):
    service, pace = Limited(sliding, "nothing"), Pace(Limits(PER_MINUTE), lambda: 0.5)
    run(pace, service, 12)
    assert service.answered / (12 * PER_MINUTE) >= 0.95 and service.refused == 0


def test_one_failure_is_no_news_and_several_in_a_row_are():
    pace = Pace(Limits(), lambda: 1.0)
    for number in range(4):
        pace.unreachable(float(number))
        assert pace.may_ask(float(number)) and pace.is_ill == (number >= 1)
    pace.unreachable(4.0)
    assert not pace.may_ask(4.0) and pace.may_ask(pace.ask_at)
    pace.asked(pace.ask_at)  # one goes first
    assert not pace.may_ask(pace.ask_at - 0.001)
    pace.answered(6.0)
    assert pace.may_ask(6.0) and not pace.is_ill


def test_what_the_service_asks_for_is_waited_for():
    pace = Pace(Limits())
    pace.refused(0.0, 30.0)
    assert (pace.ask_at, pace.may_ask(29.9), pace.may_ask(30.0)) == (30.0, False, True)
    pace.answered(1.0)
    pace.wait(90.0)  # an answer that says that nothing is left
    assert pace.ask_at == 90.0
