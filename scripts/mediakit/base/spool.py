"""A file for what is too large to hold in memory: it has no name, and is gone when it is closed.

open_spool  one, for bytes
"""

from __future__ import annotations

from .atomic import PREFIX

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import IO


def open_spool() -> IO[bytes]:
    """Raises OSError where no folder for such files can be written."""
    import tempfile  # with its compressors, for the few runs that need it

    return tempfile.TemporaryFile(prefix=PREFIX)
