"""What can be said of a Git repository without running anything of it.

top      the folder at the top of the enclosing repository
tracks   whether something in it came with the repository

Git itself is not asked: a repository's own settings can name programs, and it may be a stranger's.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

from . import paths

_LARGEST_INDEX = 128 * 1024 * 1024
_LONGEST_POINTER = 4096


class Unreadable(Exception):
    """The list of what a repository tracks is not of a form that is known here."""


def top(folder: str) -> str | None:
    """The nearest folder upward that holds `.git`; None outside a repository."""
    here = os.path.realpath(folder)
    while True:
        if os.path.lexists(os.path.join(here, ".git")):
            return here
        above = os.path.dirname(here)
        if above == here:
            return None
        here = above


def tracks(path: str) -> bool:
    """Whether the enclosing repository has a file, or a file below a folder, in its index.

    An index that cannot be read counts as one that has it: what may have come from a stranger has.
    """
    whole = os.path.join(os.path.realpath(os.path.dirname(path) or "."), os.path.basename(path))
    home = top(os.path.dirname(whole))
    if home is None:
        return False
    wanted = os.fsencode(os.path.relpath(whole, home).replace(os.sep, "/"))
    try:
        return any(name == wanted or name.startswith(wanted + b"/") for name in _names(_git_folder(home)))
    except (OSError, ValueError, struct.error, IndexError, Unreadable):
        return True


def _git_folder(home: str) -> str:
    found = os.path.join(home, ".git")
    if os.path.isdir(found):
        return found
    # A worktree, or a submodule: the file names the folder.
    text = os.fsdecode(_content(found, _LONGEST_POINTER)).strip()
    if not text.startswith("gitdir:"):
        raise Unreadable(found)
    return os.path.join(home, text[len("gitdir:") :].strip())


def _names(git_folder: str) -> Iterator[bytes]:
    index = os.path.join(git_folder, "index")
    if not os.path.lexists(index):
        return  # nothing has been added yet
    content = _read(index)
    hash_size = _hash_size(content)
    names, rest = _entries(content, hash_size)
    yield from names
    shared = _shared_index(content[rest:], hash_size)
    if shared:
        content = _read(os.path.join(git_folder, f"sharedindex.{shared}"))
        yield from _entries(content, hash_size)[0]


def _read(path: str) -> bytes:
    content = _content(path, _LARGEST_INDEX, b"DIRC")
    if content[:4] != b"DIRC":
        raise Unreadable(path)
    return content


def _content(path: str, largest: int, begins: bytes = b"") -> bytes:
    """A regular file, whole; nothing of it is read beyond how it must begin where it begins otherwise."""
    with paths.open_regular(path) as file:
        head = file.read(len(begins))
        if head != begins or os.fstat(file.fileno()).st_size > largest:
            raise Unreadable(path)
        return head + file.read(largest)


def _hash_size(content: bytes) -> int:
    """20 bytes for SHA-1, 32 for SHA-256, as the hash of the whole at its end shows."""
    import hashlib  # only where there is an index

    if content[-20:] in (b"\0" * 20, hashlib.sha1(content[:-20], usedforsecurity=False).digest()):
        return 20
    if content[-32:] in (b"\0" * 32, hashlib.sha256(content[:-32]).digest()):
        return 32
    raise Unreadable("the index is damaged")


def _entries(content: bytes, hash_size: int) -> tuple[list[bytes], int]:
    """The names of an index of version 2, 3 or 4, and where its extensions begin (gitformat-index)."""
    version, count = struct.unpack(">LL", content[4:12])
    if version not in (2, 3, 4):
        raise Unreadable(f"version {version}")
    names, at, name = [], 12, b""
    for _ in range(count):
        begin = at
        at += 40 + hash_size
        flags = struct.unpack(">H", content[at : at + 2])[0]
        at += 4 if version >= 3 and flags & 0x4000 else 2
        if version == 4:
            drop, at = _variable_number(content, at)
            end = content.index(b"\0", at)
            name, at = name[: len(name) - drop] + content[at:end], end + 1
        else:
            end = content.index(b"\0", at)
            name = content[at:end]
            at = begin + (end - begin + 8) // 8 * 8
        names.append(name)
    return names, at


def _variable_number(content: bytes, at: int) -> tuple[int, int]:
    byte = content[at]
    value, at = byte & 127, at + 1
    while byte & 128:
        byte = content[at]
        value, at = ((value + 1) << 7) | (byte & 127), at + 1
    return value, at


def _shared_index(extensions: bytes, hash_size: int) -> str | None:
    """The name of the index that a split one leans on."""
    at = 0
    while at + 8 <= len(extensions) - hash_size:
        size = struct.unpack(">L", extensions[at + 4 : at + 8])[0]
        if extensions[at : at + 4] == b"link":
            named = extensions[at + 8 : at + 8 + hash_size]
            return named.hex() if any(named) else None
        at += 8 + size
    return None
