"""The services, as data: one descriptor each in assets/providers, and those that the user has added.

names()          every service that can be used
known()          those of the user's own besides that cannot, which load() says why
bundled()        those that come with the skill
load(name)       one Provider; load(name, speaks) an embedded one with the contract of another service
amount, caps     limits in units that a service counts in
TASKS            what can be asked for
"""

from __future__ import annotations

import functools
import os

from ..base import documents, errors
from .provider import Provider

ASSETS = os.path.join(os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..")), "assets")

# task -> what it makes of what, in the words of the services' lists
TASKS = {
    "t2i": "text to image",
    "i2i": "image to image",
    "t2v": "text to video",
    "i2v": "image to video",
    "v2v": "video to video",
    "tts": "text to speech",
    "stt": "speech to text",
    "sts": "speech to speech",
    "t2a": "text to audio",
    "i2m": "image to 3D model",
    "upscale": "upscaling",
    "rmbg": "background removal",
}
# Letters of a currency's code (ISO 4217).
_CURRENCY = 3
# What runs inside this process; no descriptor is read to know it.
_EMBEDDED = ("sandbox",)
_is_embedded = _EMBEDDED.__contains__
# (service, the one whose contract it has) -> their descriptors, and what was read of them.
_loaded: dict[tuple[str, str | None], tuple[dict, dict | None, Provider]] = {}
# What a service sends under an embedded server or another address is the same; where it is, is not.
_NOT_SPOKEN = ("origins", "key", "optional_headers", "links", "homepage", "sources", "cli", "guidance")


def names() -> tuple[str, ...]:
    """Every service that can be used: the real ones that come with the skill, the user's own, the embedded ones."""
    from . import own

    return tuple(sorted((*bundled(), *(name for name in own.names() if not own.trouble(name))), key=_is_embedded))


def known() -> tuple[str, ...]:
    """Every service that --provider may name, also one that was changed since the user added it."""
    from . import own

    return tuple(sorted((*bundled(), *own.names()), key=_is_embedded))


@functools.lru_cache(maxsize=1)  # what comes with the skill stays as it is while a command runs
def bundled() -> tuple[str, ...]:
    """Every service that comes with the skill, the real ones first."""
    found = sorted(name[:-5] for name in os.listdir(os.path.join(ASSETS, "providers")) if name.endswith(".json"))
    return tuple(sorted(found, key=_is_embedded))


@functools.lru_cache(maxsize=256)
def bundled_path(name: str) -> str:
    """The descriptor of a service that comes with the skill."""
    return os.path.join(ASSETS, "providers", f"{name}.json")


def canonical(word: str) -> str:
    """The id of the service that a word names: its id, or another name of it; the word itself where it names none."""
    if word in known():
        return word
    return next((name for name in bundled() if word in _descriptor(name).get("aliases", ())), word)


def one_named(*names: str):
    """An argparse type: one of these services, by its id or by another name of it."""
    from ..console.flags import one_of

    read = one_of(*names)
    return lambda word: read(canonical(word))


def load(name: str, speaks: str | None = None) -> Provider:
    """The Provider of one service; an embedded one has the contract of `speaks`, else of the first it lists.

    Everybody gets the same one, and nobody changes it, until its descriptor is replaced.

    Raises Failure for one of the user's own that cannot be used, see own.load.
    """
    descriptor = _descriptor(name)
    spoken = speaks or descriptor.get("speaks", [None])[0]
    own = _descriptor(spoken) if spoken else None
    known = _loaded.get((name, spoken))
    if known is None or known[0] is not descriptor or known[1] is not own:
        known = _loaded[name, spoken] = descriptor, own, _read(descriptor, spoken, own)
    return known[2]


def _read(descriptor: dict, spoken: str | None, own: dict | None) -> Provider:
    if own:
        contract = {key: value for key, value in own.items() if key not in _NOT_SPOKEN}
        descriptor = {**contract, "default_origin": next(iter(own["origins"])), **descriptor}
    return Provider(descriptor, spoken)


def amount(flag: str, text: str):
    """An amounts.Amount that a limit states; raises Failure 2, also for a unit that no service here counts in."""
    from ..base import amounts

    return _counted(flag, amounts.parse_amount(flag, text))


def caps(name: str, text: str) -> list:
    """amounts.parse_caps, with the units of `amount`."""
    from ..base import amounts

    found = amounts.parse_caps(name, text)
    for cap in found:
        _counted(name, cap.amount)
    return found


def _counted(flag: str, limit):
    # A currency that no service bills in is one all the same: what it costs in that is not known.
    if len(limit.unit) == _CURRENCY:
        return limit
    units = set().union(*(load(name).bills.units for name in names()))
    if limit.unit not in units:
        told = ", ".join(sorted(units))
        raise errors.bad_argument(flag, f"expected a currency, or a unit that a service counts in: {told}")
    return limit


def spoken_by(name: str) -> tuple[str, ...]:
    """The services whose contracts an embedded service can have, its default first; empty for a real one.

    It has those that it was written for, and every other one by the examples of its descriptor.
    """
    if not _is_embedded(name):
        return ()
    listed = _descriptor(name).get("speaks", ())
    return (*listed, *(other for other in names() if other not in listed and not _is_embedded(other)))


def _descriptor(name: str) -> dict:
    try:
        return documents.load(bundled_path(name))
    except FileNotFoundError:
        from . import own

        found = own.load(name)
        if found is not None:
            return found
        if canonical(name) == name:
            raise own.gone(name) from None
        return _descriptor(canonical(name))
