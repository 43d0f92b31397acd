"""Names of fields and models: their words, and which known one a slip of the pen means. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

MAX_NAME = 100
MAX_KNOWN = 2_000

# What a name may carry beside the thing it names, so that `image` is near `image_url`.
_CARRIERS = frozenset(("url", "urls", "uri", "uris", "file", "files", "path", "base64", "data"))
NEAR = 0.8


def closest(word: str, known: Iterable[str], cutoff: float) -> str | None:
    """The known word that is most like `word`, by at least `cutoff` (difflib), case and separators left out."""
    plain: dict[str, str] = {}
    for name in itertools.islice(known, MAX_KNOWN):
        plain.setdefault(plain_name(name[:MAX_NAME]), name)
    import difflib  # which takes long to import, and a good word is like none

    found = difflib.get_close_matches(plain_name(word[:MAX_NAME]), plain, n=1, cutoff=cutoff)
    return plain[found[0]] if found else None


def name_words(name: str) -> list[str]:
    """`firstFrame_url2` -> ["first", "frame", "url"]."""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return [word for word in re.split(r"[^a-z]+", parted.lower()) if word]


def plain_name(name: str) -> str:
    """A name without case and separators."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def near_miss(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is most likely a slip of the pen for, or None.

    Equal but for case and separators, equal but for a word such as `url`, or alike by at least
    `NEAR` (difflib) with no word exchanged for another one (`first_frame` is no `last_frame`).
    """
    known = list(itertools.islice(known, MAX_KNOWN))
    core = [word for word in name_words(name) if word not in _CARRIERS]
    for other in known:
        if plain_name(other) == plain_name(name) or (
            core and core == [word for word in name_words(other) if word not in _CARRIERS]
        ):
            return other
    best = closest(name, known, NEAR)
    return best if best is not None and not _exchanges_a_word(name, best) else None


def _exchanges_a_word(one: str, other: str) -> bool:
    first, second = name_words(one), name_words(other)
    if len(first) != len(second):
        return False
    import difflib

    return any(difflib.SequenceMatcher(None, a, b).ratio() < 0.6 for a, b in zip(first, second))
