"""JSON files that come with the skill, each read once a process."""

from __future__ import annotations

import json
import os
from typing import Any

_read: dict[str, tuple[tuple[int, int, int], Any]] = {}


def load(path: str) -> Any:
    """The value in a JSON file; everybody gets the same one, and nobody changes it.

    A file that was replaced meanwhile is read again. Raises OSError, and ValueError for what is no JSON.
    """
    found = os.stat(path)
    stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
    known = _read.get(path)
    if known is None or known[0] != stamp:
        with open(path, encoding="utf-8") as file:
            known = stamp, json.load(file)
        _read[path] = known
    return known[1]
