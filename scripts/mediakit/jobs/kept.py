"""An answer to a paid request that does not fit is kept: it may hold what was paid for, or tell a person what became of it.

keep    write it down
forget  what was kept is saved elsewhere by now
found   what was kept of a job
"""

from __future__ import annotations

import contextlib
import os

from ..base import atomic, paths
from ..console import Console
from ..http import held

_FOLDER, _ENDING = "kept", ".answer"


def keep(console: Console, job: str | None, content: bytes) -> str | None:
    """The file that holds all that came of an answer, without any secret; None where there is no place for it.

    job      the job's key in the ledger, where it has one
    content  of the answer, with stand-ins for what is held
    """
    folder = paths.state_folder()[0]
    if folder is None or not content:
        return None
    path = os.path.join(folder, _FOLDER, f"{job or 'job'}-{os.urandom(4).hex()}{_ENDING}")
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        atomic.write(path, console.redactor.contents(held.whole(content)), mode=0o600)
    except OSError:
        return None  # what the answer says of the purchase counts without it
    return path


def forget(path: str | None) -> None:
    """What was kept is saved elsewhere by now."""
    if path is not None:
        with contextlib.suppress(OSError):
            os.unlink(path)


def found(job: str) -> str | None:
    """The file with the latest answer that was kept of a job of this command's own ledger; None for none."""
    folder = paths.state_folder()[0]
    try:
        kept = os.path.join(folder or "", _FOLDER)
        files = [os.path.join(kept, name) for name in os.listdir(kept) if name.startswith(f"{job}-")]
        return max((file for file in files if file.endswith(_ENDING)), key=os.path.getmtime, default=None)
    except OSError:
        return None
