"""How much a service is asked at once, and how often. Pure: every method takes `now`, seconds on a monotonic clock.

Limits  what is known beforehand
Pace    of one service: what is known, and what its answers teach
"""

from __future__ import annotations

from collections import deque

from ...base.record import record
from ...base.retry import Backoff

WINDOW = 60.0
# Of a stated rate so much is used: a clock of ours runs a little faster than the service's.
_USED = 0.985
# After a refusal that does not say how long to wait.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
# A learnt rate grows by so much in each window without a refusal.
_GROWTH = 1.1
_LEAST_PER_WINDOW = 6.0
_LONGEST_PROBE = 5.0
_FAILURES = 5
_DOUBTS = 2


@record
class Limits:
    """per_minute  requests; None where nobody says
    jobs        at once
    submits     creates that are out at once
    reads       reads that are out at once
    """

    per_minute: float | None = None
    jobs: int = 1000
    submits: int = 16
    reads: int = 16


class Pace:
    """When the next request may be sent.

    may_ask      whether now
    ask_at       when, if nothing is heard before
    asked        one was sent
    refused      one was refused, because there were too many
    unreachable  the service could not be reached, or is ill
    answered     one was not refused
    wait         the service says that nothing is left until then
    well_at      when the service last answered; None before it ever did
    """

    def __init__(self, limits: Limits, jitter=None):
        self.limits = limits
        self.well_at: float | None = None
        self._jitter = jitter
        self._pause_until = 0.0
        self._next_at = 0.0
        # After a pause one request goes first; until it is answered, but not for ever, the others wait for it.
        self._is_probing = False
        self._probe_until = 0.0
        self._learnt: float | None = None
        self._learnt_at = 0.0
        self._sent: deque = deque()
        self._refused_at = float("-inf")
        self._failures = 0
        self._pauses = self._backoff()

    def _backoff(self) -> Backoff:
        return Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, self._jitter)

    @property
    def per_minute(self) -> float | None:
        """The rate by now: what was stated, and no more than was learnt."""
        known = [rate for rate in (self.limits.per_minute, self._learnt) if rate is not None]
        return min(known) if known else None

    @property
    def ask_at(self) -> float:
        return max(self._pause_until, self._next_at, self._probe_until)

    @property
    def is_ill(self) -> bool:
        """Whether several requests in a row came to nothing: what a create came to could not be told."""
        return self._failures >= _DOUBTS

    def is_limited(self, now: float) -> bool:
        """Whether requests are scarce: a rate is known, or one was refused not long ago."""
        return self.per_minute is not None or now - self._refused_at < 2 * WINDOW

    def may_ask(self, now: float) -> bool:
        return now >= self.ask_at

    def asked(self, now: float) -> None:
        self._sent.append(now)
        self._forget(now)
        if self._is_probing:
            self._probe_until = now + _LONGEST_PROBE
        rate = self.per_minute
        if rate is not None:
            # What was not used a moment ago is made up for, but no more than a second of it.
            self._next_at = max(self._next_at, now - 1.0) + WINDOW / (rate * _USED)

    def answered(self, now: float) -> None:
        self.well_at = now
        self._failures = 0
        self._is_probing, self._probe_until = False, 0.0
        if self._learnt is not None and now - self._learnt_at >= WINDOW:
            self._learnt, self._learnt_at = self._learnt * _GROWTH, now
        if now - self._refused_at >= WINDOW:
            self._pauses = self._backoff()

    def refused(self, now: float, retry_after: float | None) -> None:
        self.well_at = now  # it answers, if only that there were too many
        if self._sent:
            self._sent.pop()
        self._forget(now)
        if self.limits.per_minute is None and self._sent and now - self._sent[0] >= WINDOW * 0.9:
            # As many as went through in a whole window are as many as it allows.
            self._learnt, self._learnt_at = max(float(len(self._sent)), _LEAST_PER_WINDOW), now
        self._refused_at = now
        self._pause(now, retry_after)

    def unreachable(self, now: float) -> None:
        self._failures += 1
        if self._failures >= _FAILURES:  # one alone is no news of the service
            self._pause(now, None)

    def wait(self, until: float) -> None:
        self._pause_until = max(self._pause_until, until)

    def _pause(self, now: float, seconds: float | None) -> None:
        if seconds is None and now < self._pause_until:
            return  # sent before the pause began
        self._pause_until = max(self._pause_until, now + (self._pauses.next() if seconds is None else seconds))
        self._is_probing, self._probe_until = True, 0.0

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0] <= now - WINDOW:
            self._sent.popleft()
