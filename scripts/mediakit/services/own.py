"""The services that this user has added: descriptors in the user's settings folder, and nowhere else.

names     those that can be used
gone      the Failure 27 for one that is not there any more
load      one of them; Failure 27 for one that was changed since it was added
add       keep a descriptor, with the digest of its file; remove gives it up
folder    where they are

A descriptor says where a key is sent. So only what the user has confirmed counts, byte for byte: each file's
sha256 is kept beside it, and a file that could be somebody else's, or has another digest, is not read further.
"""

from __future__ import annotations

import functools
import json
import os

from .. import __version__
from ..base import errors, paths
from ..base.regex import regex

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import Any

ID = regex(r"[a-z][a-z0-9-]{0,39}")
LARGEST = 1024 * 1024
_PINS = "added.json"


def folder() -> str:
    """Where the descriptors lie, below the user's settings folder; nothing is made."""
    return os.path.join(os.path.dirname(paths.settings_file()), "services")


def path_of(name: str) -> str:
    return os.path.join(folder(), name + ".json")


def names() -> tuple[str, ...]:
    """Every service that was added, those included that cannot be used any more."""
    return tuple(sorted(_pins()))


def load(name: str) -> dict | None:
    """The descriptor of an added service, None for one that was not added.

    Raises Failure 27 for a file that was changed or could be somebody else's, and 22 for one that the language
    of this version does not know any more.
    """
    pin = _pins().get(name)
    return None if pin is None else _checked(path_of(name), pin["sha256"], pin["version"])


def trouble(name: str) -> str | None:
    """Why an added service cannot be used, in words; None for a good one."""
    try:
        load(name)
    except errors.Failure as problem:
        return problem.message
    return None


def add(name: str, content: bytes) -> str:
    """Keep a descriptor that was found good; returns its path. Raises OSError."""
    from ..base import atomic

    paths.make_private_folder(os.path.dirname(folder()))
    paths.make_private_folder(folder())
    path = path_of(name)
    atomic.write(path, content)
    _keep_pins({**_pins(), name: {"sha256": digest(content), "version": __version__}})
    return path


def remove(name: str) -> None:
    """Give up an added service; its jobs stay in the ledger. Raises OSError."""
    _keep_pins({known: pin for known, pin in _pins().items() if known != name})
    if os.path.lexists(path_of(name)):
        os.unlink(path_of(name))


def digest(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def _keep_pins(pins: dict) -> None:
    from ..base import atomic

    atomic.write(os.path.join(folder(), _PINS), json.dumps(pins, indent=2, sort_keys=True).encode() + b"\n")
    _pins_in.cache_clear()
    _checked.cache_clear()


def _pins() -> dict[str, dict]:
    return _pins_in(folder())


@functools.cache
def _pins_in(place: str) -> dict[str, dict]:
    """id -> {sha256, version}; empty where nothing was added, or where the list could be somebody else's."""
    path = os.path.join(place, _PINS)
    if not os.path.lexists(path):
        return {}
    try:
        if paths.trouble(place, folder=True) or paths.trouble(path):
            return {}
        found = json.loads(paths.small_file(path) or "{}")
        return {
            name: {"sha256": str(pin["sha256"]), "version": str(pin["version"])}
            for name, pin in found.items()
            if ID.fullmatch(name)
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


@functools.cache
def _checked(path: str, sha256: str, version: str) -> dict:
    name = os.path.basename(path).partition(".")[0]
    try:
        why = paths.trouble(path)
        content = b"" if why else _read(path)
    except OSError as problem:
        why, content = problem.strerror or "it cannot be read", b""
    if why is None and digest(content) != sha256:
        why = "it was changed since it was added"
    if why:
        raise _unusable(name, f"{path}: {why}, and a key would go where it says")
    if version != __version__:
        from . import examine

        flaws = examine.flaws(content)
        if flaws:
            raise _unusable(name, f"{path}, line {flaws[0].line}: {flaws[0].message}")
    from . import forms

    found: dict[str, Any] = forms.normal(json.loads(content))
    return found


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(LARGEST + 1)


def gone(name: str) -> errors.Failure:
    """For a service of which jobs are known, and which is not here any more."""
    return _unusable(name, "its descriptor was removed, or is in another home's settings")


def _unusable(name: str, why: str) -> errors.Failure:
    return errors.Failure(
        "service_disabled",
        f"The service {name} is not used: {why}.",
        "guard",
        field="--provider",
        guidance=[
            "services.py check FILE says what is wrong with a descriptor.",
            "services.py add FILE --confirm takes it as it is now; services.py remove gives it up.",
        ],
    )
