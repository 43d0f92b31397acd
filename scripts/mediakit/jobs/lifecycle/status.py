"""What is known of one job, and until when something has to be done about it."""

from __future__ import annotations

from ...base.retry import HEARTBEAT, Throttle
from ...services.answers import Reading
from .actions import Say
from .policy import ServiceRules, WaitPolicy

# A deadline leaves so much time to reconcile in, but never more than a quarter of itself.
RECONCILE_RESERVE = 5.0


class JobStatus:
    """One job as its machine knows it. Moments are seconds on the clock of `now`.

    phase           new, creating, pausing (before another POST), streaming, reconciling, waiting (for the next poll),
                    reading, ended
    outcome         of the POST: not_sent, accepted, rejected, unknown
    status, state   the service's word, and ours
    progress        from 0 to 1, as told last; position: how many jobs are before it
    wake_at         when `tick` wants to be called if nothing is seen before
    deadline        of the phase; last_deadline: of everything
    accepted_at     None where nobody knows
    interrupted_by  the number of the signal after which only the answer to a POST is waited for
    throttle        of messages about the same trouble
    """

    def __init__(self, policy: WaitPolicy, rules: ServiceRules, generation_id: str | None, outcome: str):
        self.policy = policy
        self.rules = rules
        self.generation_id = generation_id
        self.outcome = outcome
        self.phase = "new"
        self.status: str | None = None
        self.state: str | None = None
        self.progress: float | None = None
        self.position: int | None = None
        self.wake_at = 0.0
        self.began_at = 0.0
        self.accepted_at: float | None = None
        self.deadline = self.last_deadline = float("inf")
        self.interrupted_by: int | None = None
        self.throttle = Throttle()
        self._told_at = 0.0
        self._told: set[str] = set()
        self._seen_states: set[str] = set()

    @property
    def ended(self) -> bool:
        return self.phase == "ended"

    @property
    def create_deadline(self) -> float:
        """When a POST without an answer is given up, so that there is time left to ask what became of it."""
        if not self.rules.reconciles:
            return self.deadline
        reserve = min(RECONCILE_RESERVE, (self.last_deadline - self.began_at) / 4)
        return min(self.deadline, self.last_deadline - reserve)

    def remember(self, reading: Reading) -> bool:
        """Take a status in; whether the state is one that the job has not been in."""
        if reading.status is None:
            return False
        # Two statuses that we do not know are the same state to us: still running.
        state = reading.state or "running"
        # A service that goes to and fro between two states is told of once; then the heartbeat tells.
        is_new = state not in self._seen_states
        self._seen_states.add(state)
        self.status, self.state = reading.status, state
        self.progress, self.position = reading.progress, reading.position
        return is_new

    def has_news(self, reading: Reading, now: float) -> bool:
        """Take a status in; whether to tell of it: a new state, a heartbeat, or everything on request."""
        is_new = self.remember(reading)
        is_due = reading.status is not None and now - self._told_at >= HEARTBEAT
        if not (is_new or is_due or self.policy.verbose):
            return False
        self._told_at = now
        return True

    def warn_unknown(self, reading: Reading) -> list:
        if reading.status is None or reading.state is not None:
            return []
        return self.warn("unknown_status", "the service reports a status that is not known here; waiting goes on")

    def warn(self, code: str, message: str) -> list:
        """A warning, once for each code."""
        if code in self._told:
            return []
        self._told.add(code)
        return [Say("warning", {"code": code, "message": message})]
