"""An answer to a paid request that does not fit is kept: it may hold what was paid for, or tell a person what became of it.

keep    write it down
forget  what was kept is saved elsewhere by now
found   what was kept of a job
result  the answer in it that was the job's result itself
"""

from __future__ import annotations

import contextlib
import os
import re

from ..base import atomic, paths
from ..console import Console
from ..http import held
from ..http.answers import Answer

_FOLDER, _ENDING = "kept", ".answer"
# The file's name keeps the declared media type: a text or raw sound cannot be recognised by its bytes.
_RESULT = re.compile(r"[^.]+\.([a-z0-9-]+~[a-z0-9.+-]{1,80})\.answer")
_PIECE = 1024 * 1024
_MEDIA_TYPE = re.compile(r"[a-z0-9-]+/[a-z0-9.+-]{1,80}")


def keep(console: Console, job: str | None, content: bytes, called: str | None = None) -> str | None:
    """The file that holds all that came of an answer, without any secret; None where there is no place for it.

    job      the job's key in the ledger, where it has one
    content  of the answer, with stand-ins for what is held
    called   the media type of an answer that is the result itself, which `result` finds again; None for any other
    """
    folder = paths.state_folder()[0]
    if folder is None or not content:
        return None
    told = (called or "").partition(";")[0].strip().lower()
    media_type = told if _MEDIA_TYPE.fullmatch(told) else "application/octet-stream"
    ending = _ENDING if called is None else f".{media_type.replace('/', '~')}{_ENDING}"
    path = os.path.join(folder, _FOLDER, f"{job or 'job'}-{os.urandom(4).hex()}{ending}")
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


def result(path: str | None) -> Answer | None:
    """The answer in a file of `found`, where it was the result itself; None for any other, and where it is gone."""
    named = _RESULT.fullmatch(os.path.basename(path or ""))
    slimming = held.Slimming(holds_all=True)
    try:
        with open(path or "", "rb") as file:
            while named and (piece := file.read(_PIECE)):
                slimming.feed(piece)
    except (OSError, ValueError):
        return None
    return Answer(200, {"Content-Type": named[1].replace("~", "/")}, slimming.finish()) if named else None
