"""What the jobs of one command at one service share."""

from __future__ import annotations

from collections.abc import Callable

from ..base.record import record
from ..base.workers import in_a_thread
from ..console import Console
from ..ledger import fallbacks, store
from ..media.saving import Saving
from .connection import Connection
from .lifecycle.policy import WaitPolicy

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import Any


@record
class Context:
    """ledger   that has, or is to have, these jobs; None where none can be kept
    ledgers  all that count; None where nothing is bought
    saves    (work) -> begin to save results in another thread
    inbox    where a job's threads report to whoever drives many; None for an inbox of its own
    """

    console: Console
    connection: Connection
    ledger: store.Ledger | None
    policy: WaitPolicy
    saving: Saving
    ledgers: fallbacks.Ledgers | None = None
    saves: Callable[[Callable[[], None]], None] = in_a_thread
    inbox: Any = None
