"""How each service's contract is spoken: one module a service, named as it is with `_` for `-`."""

from __future__ import annotations

import importlib


def load(service: str):
    """The dialect of a service: a module with `handle(sandbox, http, content)`."""
    return importlib.import_module(f".{service.replace('-', '_')}", __name__)
