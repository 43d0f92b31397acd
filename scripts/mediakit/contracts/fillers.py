"""Values for one field that the contract leaves open, and what is said of each. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..base.text import is_number
from . import bounds
from .facts import Facts
from .files import takes_file
from .placeholders import FORMATS, is_placeholder
from .rows import one_line
from .values import same

MAX_VALUES_TRIED = 12
# Beyond this a float skips whole numbers.
MOST_EXACT = 2**53


class Filled(NamedTuple):
    """A value, and for each path in it (a tuple) that the caller has to look at, why."""

    value: Any
    notes: dict[tuple, dict]


def note(path: tuple, why: str, facts: Facts) -> dict[tuple, dict]:
    """What `fill_in` says of the value at `path`."""
    told: dict[str, Any] = {"why": why}
    example = next((item for item in facts.get("examples", ()) if isinstance(item, (str, int, float))), None)
    if example is not None:
        told["example"] = one_line(example, 120) if isinstance(example, str) else example
    return {path: told}


def fixed(facts: Facts, values: list, path: tuple) -> Iterator[Filled]:
    """The allowed values, the default first; or the known ones, where there are others."""
    default = facts.get("default")
    if default is not None and any(same(default, value) for value in values):
        yield Filled(default, {})
    real = [value for value in values if value is not None]
    kind = "allowed" if facts.get("allowed_values") else "known"
    is_only = len(real) == 1 and kind == "allowed"
    notes = {} if is_only else note(path, f"choose one of the {len(real)} {kind} values", facts)
    for value in real[:MAX_VALUES_TRIED]:
        yield Filled(value, notes)
    if None in values:
        yield Filled(None, {})


# --- numbers ----------------------------------------------------------------------------------


def numbers(facts: Facts, kind: str, path: tuple) -> Iterator[Filled]:
    """An example of the contract, else a number at the edge of what is allowed."""
    notes = note(path, "required number" + _range(facts), facts)
    examples = [one for one in facts.get("examples", ()) if is_number(one)]
    for number in (*examples, *_number_candidates(facts, kind)):
        yield Filled(number, notes)


def _range(facts: Facts) -> str:
    words = [
        f"{word} {facts[key]}"
        for key, word in (("min", "from"), ("exclusive_min", "above"), ("max", "to"), ("exclusive_max", "below"))
        if key in facts
    ]
    return ", " + " ".join(words) if words else ""


def _number_candidates(facts: Facts, kind: str) -> Iterator[float]:
    low = max((facts[key] for key in ("min", "exclusive_min") if key in facts), default=None)
    high = min((facts[key] for key in ("max", "exclusive_max") if key in facts), default=None)
    if "multiple_of" in facts:
        yield from _multiples(facts["multiple_of"], low, high, kind)
    for bound, direction in ((low, 1), (high, -1)):
        if bound is not None:
            yield from (_whole(bound + direction, kind) for direction in (0, direction))
            yield from () if abs(bound) > MOST_EXACT else (_whole(bound + direction * 0.5, kind),)
    if low is not None and high is not None and abs(low) + abs(high) <= MOST_EXACT:
        yield (low + high) / 2
    yield 1
    yield 0


def _multiples(step: float, low: float | None, high: float | None, kind: str) -> Iterator[float]:
    """The first multiples inside the limits, as they are written: three times 0.1 is 0.3."""
    from fractions import Fraction

    exact = Fraction(str(step))
    if low is not None:
        start = -(-Fraction(str(low)) // exact)
    else:
        start = Fraction(str(high)) // exact if high is not None else 1
    for count in (start, start + 1, start - 1):
        number = count * exact
        if abs(number) <= MOST_EXACT:
            yield _whole(float(number), kind)


def _whole(number: float, kind: str) -> float:
    if isinstance(number, int):
        return number
    return int(number) if kind == "integer" or number.is_integer() else number


# --- texts ------------------------------------------------------------------------------------


def texts(facts: Facts, path: tuple) -> Iterator[Filled]:
    """A placeholder that fits, if one does; else a text of the right form, or an example."""
    name = next((part for part in reversed(path) if isinstance(part, str)), "value")
    kind = takes_file(name, [facts])
    for text in _text_candidates(facts, re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:40]):
        yield Filled(text, _told_of_text(text, kind, facts, path))


def _told_of_text(text: str, kind: str | None, facts: Facts, path: tuple) -> dict[tuple, dict]:
    pattern = facts.get("pattern")
    form = f" of the form {pattern[:100]}" if pattern else ""
    if not is_placeholder(text):
        return note(path, f"required {kind or 'text'}{form}; the value here is only of the right form", facts)
    what = kind or (facts["format"] if facts.get("format") in FORMATS else "text")
    told = note(path, f"required {what}{form}", facts)
    told[path]["placeholder"] = True
    return told


def _text_candidates(facts: Facts, name: str) -> Iterator[str]:
    least, most = facts.get("min_length", 0), facts.get("max_length")
    if least > bounds.MAX_FILLER:
        least = 0  # nobody fills that in from a template; the note says what is wrong with the value
    address = FORMATS.get(facts.get("format", ""))
    if address is not None:
        text = address.format(name=name)
        yield text + "x" * (least - len(text))
    for text in (f"fill-in:{name}", "fill-in:", "fill-in"):
        if most is None or len(text) <= most:
            yield text + "_" * (least - len(text))
    if "pattern" in facts:
        yield from (FORMATS["uuid"], "#000000", _of_parts(facts["pattern"]))
    yield from (example for example in facts.get("examples", ()) if isinstance(example, str))
    yield "x" * (least if most is None or least else min(most, 1))


def _of_parts(pattern: str) -> str:
    """`^models/[^/]+$` as `models/fill-in`: for patterns that are words with room between them."""
    plain = re.sub(r"\(([^()|]*)\|[^()]*\)", r"\1", pattern[:200].strip("^$"))
    return re.sub(r"(?:\[[^\]]*\]|\\[Sw]|\.)(?:[+*]|\{\d,\d*\})", "fill-in", plain)
