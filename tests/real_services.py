"""The services that are not embedded, as their descriptors tell of them; none is known here by its name."""

from __future__ import annotations

from mediakit.services import providers

REAL = [name for name in providers.names() if not providers.load(name).embedded]
KEYED = [name for name in providers.names() if providers.load(name).key]
# Of the real ones, those whose contract the sandbox has.
SPOKEN = [name for name in REAL if name in providers.spoken_by("sandbox")]


def variable(service: str) -> str:
    """The environment variable that holds its key."""
    return providers.load(service).key["variable"]
