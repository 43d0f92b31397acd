"""What was spent, and whether a cap allows more."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..base import amounts, errors
from . import schema
from .table import Table
from .unusable import Unusable

# A job that may have cost something: everything that is not proven to be free.
MAY_COST = "outcome IN ('sending', 'accepted', 'unknown', 'planned')"
# A job that an earlier purchase has the id of is one job, and was paid for once.
COUNTS = f"{MAY_COST} AND twin IS NULL"


class Caps:
    """The spending that one ledger knows of."""

    def __init__(self, table: Table):
        self._table = table

    def check(
        self,
        prices: Sequence[amounts.Price | None],
        practice: bool,
        caps: list[amounts.Cap],
        accept_unknown_cost: bool,
        spent_elsewhere: Callable[[str, bool, float | None], int],
    ) -> None:
        """Raise the Failure 27 with which a cap refuses so many purchases now; nothing is written.

        spent_elsewhere  (unit, practice, window) -> millionths that other ledgers know of
        """
        for cap in caps:
            unit = cap.amount.unit
            stated = [price.amount.micro if price and price.amount.unit == unit else None for price in prices]
            if None in stated and not accept_unknown_cost:
                raise _cap_refused(
                    "unknown_cost",
                    f"{cap.name} is {cap.amount}, and what this costs in {unit} is not known beforehand",
                    "Add --accept-unknown-cost to buy it all the same.",
                )
            known = [micro for micro in stated if micro is not None]
            wanted, spent = sum(known), 0
            if cap.window == 0:
                wanted = max(known, default=0)
            else:
                spent = self.spent(unit, practice, cap.window, cap.of)
                # What a batch has bought is in the ledger that it goes on with.
                spent += spent_elsewhere(unit, practice, cap.window) if cap.of is None else 0
            if spent + wanted > cap.amount.micro or (not wanted and spent >= cap.amount.micro):
                raise _cap_refused(
                    "spend_cap",
                    f"{cap.name} allows {cap.amount}; {amounts.Amount(spent, unit)} are spent or reserved, and this "
                    f"would take {amounts.Amount(wanted, unit)}",
                    "See what was spent with jobs.py spend.",
                )

    def spent(self, unit: str, practice: bool, window: float | None = None, of: str | None = None) -> int:
        """Millionths of `unit` that were spent or are reserved, in the last `window` seconds or in all.

        What was measured counts as measured; what is not known to be free counts as reserved. With `of`, only
        purchases whose intent begins so are counted.
        """
        if self._table.rows(f"SELECT 1 FROM job WHERE {schema.IS_BROKEN} LIMIT 1"):
            raise Unusable("corrupt", f"{self._table.path} holds amounts that this program never writes")
        since = time.time() - window if window is not None else -1e18
        counted = "CASE WHEN cost_unit = ?1 THEN cost WHEN reserved_unit = ?1 THEN reserved END"
        whole, rest = self._table.rows(
            f"""SELECT {_sum(counted)} FROM job WHERE practice = ?2 AND created_at > ?3 AND {COUNTS}
            AND (?4 IS NULL OR substr(intent, 1, length(?4)) = ?4)""",
            unit,
            int(practice),
            since,
            of,
        )[0]
        return whole * amounts.MICRO + rest


def _sum(expression: str) -> str:
    """Two sums, whole units and the rest: the sum of the millionths of absurd bills would be no whole number any more."""
    return ", ".join(f"COALESCE(SUM(({expression}) {operation} {amounts.MICRO}), 0)" for operation in ("/", "%"))


def _cap_refused(code: str, message: str, guidance: str) -> errors.Failure:
    return errors.Failure(code, message, "guard", outcome="not_sent", retryable=False, guidance=[guidance])
