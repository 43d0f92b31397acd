"""Write a file whole or not at all, so that it survives the machine's sudden end.

write          put content in place of whatever is there
staged         a private file that is removed unless it got its name
replace        put a finished file in place of whatever is there
place          give a finished file a name that nothing has
sync_file      the bytes of a file are on disk
sync_folder    the names in a folder are on disk
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import IO

PREFIX = ".ai-media-"
SUFFIX = ".part"


def write(path: str, content: bytes | Iterable[bytes], *, mode: int = 0o600) -> None:
    """Write a file for this user alone (or with `mode`), in place of the one that is there; raises OSError.

    content  all of it, or pieces of it

    A link of that name is replaced, not followed.
    """
    with staged(os.path.dirname(path)) as (file, staging):
        if mode != 0o600 and hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), mode)
        file.writelines([content] if isinstance(content, bytes) else content)
        file.close()
        replace(staging, path)


@contextlib.contextmanager
def staged(folder: str) -> Iterator[tuple[IO[bytes], str]]:
    """A new file of a folder for this user alone, open for writing, and its path; raises OSError.

    Close it before it is given its name: Windows renames no file that is open.
    """
    import tempfile  # only for who writes

    handle, staging = tempfile.mkstemp(prefix=PREFIX, suffix=SUFFIX, dir=folder or ".")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, staging
    finally:
        if os.path.lexists(staging):
            os.unlink(staging)


def replace(source: str, target: str) -> None:
    """Give a finished file of the same folder its name, durably; raises OSError."""
    sync_file(source)
    os.replace(source, target)
    sync_folder(os.path.dirname(target) or ".")


def place(source: str, target: str) -> None:
    """Give a finished file of the same folder a name that nothing has, durably.

    Raises FileExistsError where the name is taken, also by a link that leads nowhere, and OSError.
    """
    sync_file(source)
    if os.name == "nt":
        os.rename(source, target)
        return
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: claim the name, then replace our own claim
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            os.replace(source, target)
        except BaseException:
            os.unlink(target)
            raise
    else:
        os.unlink(source)
    sync_folder(os.path.dirname(target) or ".")


def sync_file(path: str) -> None:
    """Raises OSError where the disk is full after all."""
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def sync_folder(folder: str) -> None:
    """Windows has no such call and needs none; some file systems cannot do it to a folder."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        return
    finally:
        os.close(handle)
