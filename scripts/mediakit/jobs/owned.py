"""A file that the account owns, by the name that the service gives to files: `jobs.py download NAME`.

found   what leads to it; None for what is no such name, or where no service says how one is asked for
fetch   ask for it, and save it
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..base.regex import regex
from ..console import Console
from ..services import providers
from . import action
from .acting import ActionFlags
from .connection import ConnectionFlags
from .price import Spending

_BRACED = regex(r"\{(\w+)\}")


class Owned(NamedTuple):
    """A name of a file at a service, and the action that tells where the file is."""

    service: str
    action: str
    field: str
    name: str


def found(word: str, service: str | None, speaks: str | None = None) -> Owned | None:
    """What a word leads to: at the service that was named, else at the only one whose names look so."""
    names = [service] if service else [name for name in providers.names() if not providers.load(name).embedded]
    fitting = [one for name in names if (one := _at(providers.load(name, speaks), word))]
    return fitting[0] if len(fitting) == 1 else None


def _at(provider: providers.Provider, word: str) -> Owned | None:
    for way in provider.ways:
        if way.like is None or way.check is None or not re.fullmatch(way.like, word):
            continue
        for name, description in provider.actions.items():
            path = description.get("path", "")
            if description.get("outputs") and _BRACED.sub("{}", path) == _BRACED.sub("{}", way.check):
                return Owned(provider.name, name, _BRACED.findall(path)[0], word)
    return None


def fetch(console: Console, owned: Owned, where: ConnectionFlags, folder: str) -> int:
    """Returns the exit code; raises Failure."""
    flags = ActionFlags(output_dir=folder, param=(f"{owned.field}={owned.name}",))
    return action.run(console, owned.service, owned.action, where, flags, Spending())
