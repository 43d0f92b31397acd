"""A command that creates: from a request that was checked to the jobs that are bought, or gone on with.

Command   one request at one service; `claimed` gives a callable for each copy
"""

from __future__ import annotations

from collections.abc import Callable

from ..base import amounts
from ..base.record import replace
from ..console import Console, several
from ..ledger import fallbacks
from ..media.saving import Saving
from . import purchase, uploads
from .connection import ConnectionFlags, connect
from .context import Context
from .lifecycle.policy import WaitPolicy
from .price import Spending
from .request import CheckedRequest

# A request that is refused with one of these may name an input that the service has no more.
_MAY_BE_THE_INPUTS = (22, 23)


class Command:
    """One request, bought as often as the flags say.

    run  once the ledger has decided about all copies and the inputs are at the service, each is driven to its
         result; returns the exit code. Raises Failure, and then nothing was bought.
    """

    def __init__(
        self,
        console: Console,
        asked: CheckedRequest,
        flags: ConnectionFlags,
        spending: Spending,
        policy: WaitPolicy,
        saving: Saving,
    ):
        self._console = console
        connection = connect(console, flags, asked.provider, policy.deadline)
        ledgers = fallbacks.open_ledgers(console, spending.require_ledger, connection.embedded, policy.deadline)
        self._context = Context(console, connection, ledgers.own, policy, saving, ledgers)
        self._asked = asked
        self._spending = spending
        self._claims: list[purchase.Claim] = []
        self._sent = uploads.Ready(asked.payload)

    def run(self) -> int:
        code = several.run(self._console, self._claimed(), self._spent, self._keys)
        if code in _MAY_BE_THE_INPUTS:
            uploads.forget(self._context.ledger, list(self._sent.reused))
        return code

    def _claimed(self) -> list[Callable[[Console], int]]:
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

    def _spent(self) -> list[amounts.Amount]:
        return purchase.spent(self._claims)

    def _keys(self) -> list[str | None]:
        return [claim.decision.entry.key if claim.decision.entry else None for claim in self._claims]
