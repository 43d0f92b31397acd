"""What the jobs of one command at one service share."""

from __future__ import annotations

from dataclasses import dataclass

from ..console import Console
from ..ledger import fallbacks, store
from ..media import save
from .connection import Connection
from .lifecycle import WaitPolicy


@dataclass(frozen=True)
class Context:
    """ledger   that has, or is to have, these jobs; None where none can be kept
    ledgers  all that count; None where nothing is bought
    """

    console: Console
    connection: Connection
    ledger: store.Ledger | None
    policy: WaitPolicy
    saving: save.Saving
    ledgers: fallbacks.Ledgers | None = None
