"""A command that creates: from a request that was checked to the jobs that are bought, or gone on with.

Command   one request at one service; `claimed` gives a callable for each copy
plan      the same without sending it
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..base import amounts
from ..console import Console
from ..ledger import fallbacks
from ..media import save
from . import plan as plans
from . import purchase, uploads
from .connection import ConnectionFlags, connect, connect_to_plan
from .context import Context
from .lifecycle import WaitPolicy
from .price import Spending
from .request import CheckedRequest

# A request that is refused with one of these may name an input that the service has no more.
_MAY_BE_THE_INPUTS = (22, 23)


def plan(
    console: Console, asked: CheckedRequest, flags: ConnectionFlags, spending: Spending, policy: WaitPolicy
) -> int:
    """Write what would be sent; returns the exit code."""
    # A service's own plan needs the files there.
    connection = None if asked.attachments else connect_to_plan(console, flags, asked.provider, policy.deadline)
    return plans.show(console, asked, spending, flags, connection, policy.deadline)


class Command:
    """One request, bought as often as the flags say.

    claimed  a callable (console) -> exit code for each copy, once the ledger has decided about all of them and the
             inputs are at the service; raises Failure, and then nothing was bought
    spent    what the jobs have cost
    close    what is to be remembered of how it ended
    """

    def __init__(
        self,
        console: Console,
        asked: CheckedRequest,
        flags: ConnectionFlags,
        spending: Spending,
        policy: WaitPolicy,
        saving: save.Saving,
    ):
        connection = connect(console, flags, asked.provider, policy.deadline)
        ledger = fallbacks.open_ledger(console, spending.require_ledger, connection.embedded)
        self._context = Context(console, connection, ledger, policy, saving)
        self._asked = asked
        self._spending = spending
        self._claims: list[purchase.Claim] = []
        self._sent = uploads.Ready(asked.payload)

    def claimed(self) -> list[Callable[[Console], int]]:
        uploads.check(self._asked, self._context.ledger)
        patience = self._context.policy.create_timeout
        self._claims = purchase.claim(self._context, self._asked, self._spending, patience)
        self._sent = purchase.ready(self._context, self._asked, self._claims)
        return [self._job(claim) for claim in self._claims]

    def _job(self, claim: purchase.Claim) -> Callable[[Console], int]:
        def run(console: Console) -> int:
            context = replace(self._context, console=console)
            return purchase.claimed(context, self._asked, claim, self._sent).run()

        return run

    def spent(self) -> list[amounts.Amount]:
        return purchase.spent(self._context.ledger, self._claims)

    def close(self, code: int) -> None:
        if code in _MAY_BE_THE_INPUTS:
            uploads.forget(self._context.ledger, list(self._sent.reused))
