"""What the jobs of one command at one service share."""

from __future__ import annotations

from dataclasses import dataclass

from ..console import Console
from ..ledger import store
from ..media import save
from .connection import Connection
from .lifecycle import WaitPolicy


@dataclass(frozen=True)
class Context:
    """ledger  None where none can be kept"""

    console: Console
    connection: Connection
    ledger: store.Ledger | None
    policy: WaitPolicy
    saving: save.Saving
