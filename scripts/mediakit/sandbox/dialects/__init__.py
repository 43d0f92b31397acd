"""How each service's contract is spoken: one module a service, named as it is with `_` for `-`."""

from __future__ import annotations

import importlib
import json
import os

from ...services.providers import ASSETS


def names() -> tuple[str, ...]:
    """The services whose contracts are spoken, as the sandbox's descriptor lists them; the first is the default."""
    with open(os.path.join(ASSETS, "providers", "sandbox.json"), encoding="utf-8") as file:
        return tuple(json.load(file)["speaks"])


def load(service: str):
    """The dialect of a service, a module.

    handle(sandbox, http, content)  answers one request
    BASE                            the prefix of its paths
    ID_PREFIX                       what the id of a job starts with
    """
    return importlib.import_module(f".{service.replace('-', '_')}", __name__)
