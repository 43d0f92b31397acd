"""An answer to a paid request that does not fit is kept: it may hold what was paid for, or tell a person what became of it."""

from __future__ import annotations

import os

from ..base import atomic, paths
from ..console import Console
from ..http import held
from ..http.answers import Answer


def keep(console: Console, job: str | None, answer: Answer) -> str | None:
    """The file that holds all that came of an answer, without any secret; None where there is no place for it.

    job  the job's key in the ledger, where it has one
    """
    folder = paths.state_folder()[0]
    if folder is None or not answer.content:
        return None
    path = os.path.join(folder, "kept", f"{job or 'job'}-{os.urandom(4).hex()}.answer")
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        atomic.write(path, console.redactor.contents(held.whole(answer.content)), mode=0o600)
    except OSError:
        return None  # what the answer says of the purchase counts without it
    return path
