"""One purchase and the ledger: what is claimed before it, and what is written down while it runs.

claim         decide about the orders of a command; waits for another process that is at it
Writer        one job's entry, as the runner writes it
"""

from __future__ import annotations

import time

from ..base import amounts, errors
from ..console import Console
from . import store

# How long a command waits for another process to be told an id, beyond the time for its POST.
PATIENCE = 30.0
_LOOK_EVERY = 0.1

_MEND = {
    "corrupt": "Move the file away and keep it; before buying again, look in the service's dashboard for open jobs.",
    "network": "Set AI_MEDIA_HOME to a folder on a local disk.",
    "foreign": "Take it away, or close it to others (chmod 700), or name another folder with --state-dir.",
    "newer": "Use the newer version, or set AI_MEDIA_HOME to another folder.",
    "full": "Free some space, then run the same again. Nothing was sent.",
    "busy": "Another program holds the file locked: end it, then run the same again. Nothing was sent.",
}


def unusable(problem: store.Unusable) -> errors.Failure:
    """A ledger that refuses to work, as the end of a command that has sent nothing."""
    return errors.Failure(
        "ledger_unusable",
        f"the ledger cannot be used: {problem.message}",
        "guard",
        outcome="not_sent",
        retryable=problem.kind in ("busy", "full"),
        guidance=[_MEND[problem.kind]] if problem.kind in _MEND else ["Set AI_MEDIA_HOME to another folder."],
    )


def claim(ledger: store.Ledger, orders: list, caps: list, patience: float, **choices) -> list[store.Decision]:
    """store.Ledger.claim, after waiting for another process that is buying the same and has no id yet.

    patience  seconds to wait for it at most. Raises Failure 27.
    """
    give_up_at = time.monotonic() + patience
    while True:
        try:
            decisions = ledger.claim(orders, caps, **choices)
        except store.Unusable as problem:
            raise unusable(problem) from None
        waited_for = [decision.entry for decision in decisions if decision.word == "wait"]
        if not waited_for:
            return decisions
        if time.monotonic() >= give_up_at:
            raise under_way(waited_for[0])
        time.sleep(_LOOK_EVERY)


def under_way(entry: store.Entry) -> errors.Failure:
    """The refusal while another process has no answer yet."""
    return errors.Failure(
        "purchase_under_way",
        "another process is buying the same at this moment, and has no answer yet",
        "guard",
        outcome="not_sent",
        retryable=True,
        job=entry.key,
        guidance=["Run the same again: it goes on with that job.", *another()],
    )


def another() -> list[str]:
    """How to buy the same again on purpose."""
    return ["To buy another one on purpose, add --intent with a name of your own, or --allow-duplicate."]


def duplicate_unknown(entry: store.Entry, guidance: list[str]) -> errors.Failure:
    """The refusal while an earlier purchase of the same is unknown."""
    from ..base.times import rfc3339

    return errors.Failure(
        "duplicate_unknown",
        f"the same was asked for at {rfc3339(entry.created_at)}, and it is not known whether that was accepted",
        "guard",
        outcome="not_sent",
        retryable=False,
        job=entry.key,
        intent=entry.intent,
        intended_at=rfc3339(entry.created_at),
        guidance=[*by_hand(entry, guidance), *another()],
    )


def by_hand(entry: store.Entry, guidance: list[str]) -> list[str]:
    """How a person settles what no program can: `guidance` says where to look."""
    return [
        *guidance,
        f"If the job is there: jobs.py reconcile {entry.key} --attach ID.",
        f"If it is not: jobs.py forget {entry.key}, or the same again with --retry-unknown, at the risk of paying twice.",
    ]


# Enough to tell of a file once more without fetching it.
_KEPT_OF_ASSET = (
    "number", "path", "bytes", "sha256", "media_type", "width", "height", "provenance", "unverified", "warning",
)  # fmt: skip


class Writer:
    """What a runner writes down about one job.

    ledger     the ledger, or None: then nothing is written
    entry    the job's entry
    attached_by_hand  the id is a person's word, and counts once the service has confirmed it
    refusal  why `before_sending` could not be written, if it could not
    After the POST nothing here ends a command: a ledger that cannot be written any more is a warning.
    """

    def __init__(self, console: Console, ledger: store.Ledger | None = None, entry: store.Entry | None = None):
        self._console = console
        self._ledger = ledger if entry else None
        self._entry = entry
        self._known = (entry.outcome, entry.generation_id) if entry else None
        self.attached_by_hand = False
        self._state = (entry.status, entry.state) if entry else None
        self._warned = False
        self.refusal: store.Unusable | None = None

    @property
    def ledger(self) -> store.Ledger | None:
        """The ledger that it is written into, where there is one."""
        return self._ledger

    @property
    def entry(self) -> store.Entry | None:
        """What the ledger knew of the job when this began."""
        return self._entry

    @property
    def key(self) -> str | None:
        """The job's key in the ledger, where there is one."""
        return self._entry.key if self._entry else None

    def before_sending(self) -> None:
        """The first byte of the POST is about to leave; raises store.Unusable if that cannot be written down."""
        if not self._ledger:
            return
        try:
            if not self._ledger.note_outcome(self.key, "sending"):
                raise store.Unusable("busy", "another process has found this job meanwhile")
        except store.Unusable as problem:
            self.refusal = problem
            raise
        self._known = ("sending", None)

    def never_again(self) -> None:
        """The service's own error forbids to send this request once more, also under its idempotency key."""
        if self._ledger:
            self._write(self._ledger.record, self.key, "not to be repeated", sent_with=None)

    def note(self, outcome: str, generation_id: str | None, status: str | None, state: str | None) -> None:
        """What is known of the job by now; written only where it has changed."""
        if not self._ledger or (self.attached_by_hand and not status):
            return
        if generation_id and self._known != ("accepted", generation_id):
            self._known = ("accepted", generation_id)
            self._write(
                self._ledger.accepted, self.key, generation_id, "a person" if self.attached_by_hand else "answer"
            )
        elif not generation_id and outcome != self._known[0]:
            if not (outcome == "not_sent" and self._known[0] == "planned"):
                self._write(self._ledger.note_outcome, self.key, outcome)
            self._known = (outcome, None)
        if status and (status, state) != self._state:
            self._state = (status, state)
            self._write(self._ledger.record, self.key, f"{state or 'running'} ({status})", status=status, state=state)

    def billed(self, cost: amounts.Amount | None, usage) -> None:
        """What the service says the job has cost."""
        if self._ledger and cost is not None:
            self._write(
                self._ledger.record,
                self.key,
                f"billed {cost}",
                cost=cost.micro,
                cost_unit=cost.unit,
                usage=store.as_json(self._console.redactor.value(usage)),
            )

    def saved(self, assets: list[dict]) -> None:
        """Files of the job are on disk; each as its `asset` event told it."""
        if self._ledger and assets:
            saved = store.as_json([asset["path"] for asset in assets])
            known = [{name: asset[name] for name in _KEPT_OF_ASSET if name in asset} for asset in assets]
            what = f"{len(assets)} files saved"
            self._write(self._ledger.record, self.key, what, paths=saved, assets=store.as_json(known))

    def ended(self, exit_code: int, delivered: bool) -> None:
        """The result line was written with this exit code; `delivered` if it was a `terminal` that ends the purchase."""
        if self._ledger:
            # Fetched once more, it is still a job that was delivered then.
            columns = {"delivered_at": time.time()} if delivered and self._entry.delivered_at is None else {}
            self._write(self._ledger.record, self.key, f"ended {exit_code}", exit_code=exit_code, **columns)

    def gone(self) -> None:
        """The service does not know the job any more: it is closed, and the same command may buy again."""
        if self._ledger and not self.attached_by_hand:
            self._write(self._ledger.record, self.key, "gone", closed="gone")

    def release(self) -> None:
        """This process is done with the job."""
        if self._ledger:
            self._ledger.release(self.key)

    # -- reconciling -------------------------------------------------------------------------------

    def attach(self, matches: list[str]) -> list[str]:
        """Of ids whose jobs look like this one, those that nobody has; one alone becomes this job's."""
        if not self._ledger:
            return matches
        free = self._try(self._ledger.unclaimed, self._entry.service, matches) or []
        if len(free) != 1 or self._try(self._ledger.has_rival, self._entry) is not False:
            return free if len(free) != 1 else []
        if not self._try(self._ledger.accepted, self.key, free[0], "the list of running jobs"):
            return []
        self._known = ("accepted", free[0])
        return free

    def _try(self, call, *values):
        try:
            return call(*values)
        except store.Unusable as problem:
            self._warn(problem)
            return None

    def _write(self, call, *values, **columns) -> None:
        redacted = self._console.redactor.value
        try:
            call(*redacted(values), **redacted(columns))
        except store.Unusable as problem:
            self._warn(problem)

    def _warn(self, problem: store.Unusable) -> None:
        if not self._warned:
            self._warned = True
            self._console.warning(
                "ledger_write_failed",
                f"the ledger could not be written ({problem.message}): keep the id of this job",
            )
