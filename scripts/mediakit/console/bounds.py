"""The one bound on events: no line is longer than its limit, and what is left out is told. Pure.

line      an event as a line that fits: texts end with `…` and `NAME_omitted: true` stands beside them; of lists and
          objects the first members are there, and `NAME_omitted: N` (inside an object: `omitted: N`) tells how many
          are not
head_of   what is shown of a `data:` URL whose content tells a reader nothing
CUT       how a text ends that was cut before it came here, until it is shown; is_cut, with_cuts: so that it is told
cleaned   a JSON value with its texts made fit to be shown, and not nested deeper than readers can follow
"""

from __future__ import annotations

import json

from ..base.text import to_line

# Bytes of a line, its end included.
LINE = 16 * 1024
VERBOSE_LINE = 256 * 1024
BRIEF_LINE = 4 * 1024
# Bytes of the service's final answer that a `terminal` repeats at most.
RESPONSE = 16 * 1024

# Half of an answer says something else than the answer: it is there or it is not. Name -> its bytes at most.
WHOLE = {
    **dict.fromkeys(("response", "raw"), RESPONSE),
    **dict.fromkeys(("payload", "answer", "service_plan", "request_template"), VERBOSE_LINE),
}
# What a reader goes on with: cut last of all.
_KEPT = frozenset(
    ("event", "time", "ok", "practice", "exit_code", "error", "category", "outcome", "state", "job", "generation_id",
     "provider", "model", "next_command", "next_argv", "path")
)  # fmt: skip
_LONGEST_KEPT = 512
_LONGEST_NAME = 200
_DEEPEST = 32
# No service can say it: the joiner is taken out of whatever is shown (base.text.visible), of this too.
CUT = "\u2060…"
# Bits of a whole number; a longer one is a float to most readers anyway.
_LONGEST_NUMBER = 256

# How long a text and how many members may be; tried in this order.
_MEASURES = (
    (65536, 4096), (16384, 2048), (4096, 1024), (2048, 512), (2048, 256), (1024, 128), (512, 64), (256, 32),
    (200, 16), (160, 8), (120, 4), (80, 2), (60, 1),
)  # fmt: skip


def line(event: dict, limit: int) -> str:
    """The event, `event` and `time` first, as a line of at most `limit` bytes with its end."""
    text = to_line(event)
    if _fits(text, limit):
        return text
    event = dict(event)
    # A service's own name for the response goes before it.
    for name in sorted(
        (name for name in WHOLE if name in event), key=lambda name: (name != "raw", -_size(event[name]))
    ):
        if _fits(text := to_line(_without(event, name)), limit):
            return text
        event = _without(event, name)
    for measure in _MEASURES:
        if _fits(text := to_line(_measured(event, measure)), limit):
            return text
    return _last_resort(_measured(event, _MEASURES[-1]), limit)


def head_of(url: str) -> str | None:
    """A `data:` URL up to its content; None for any other text."""
    return url[:_LONGEST_NAME].partition(",")[0] + ",…" if url[:5].lower() == "data:" else None


def is_cut(value) -> bool:
    return isinstance(value, str) and CUT in value


def with_cuts(value):
    """An object in which `NAME_omitted: true` stands beside texts that were cut; anything else as it is."""
    if not isinstance(value, dict) or not any(map(is_cut, value.values())):
        return value
    return {**value, **{f"{name}_omitted": True for name, inner in value.items() if is_cut(inner)}}


def cleaned(value, text, levels: int = _DEEPEST):
    """A JSON value with `text` done to its texts and names; what is nested deeper is empty."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {text(str(name)): cleaned(inner, text, levels - 1) for name, inner in value.items()} if levels else {}
    if isinstance(value, (list, tuple)):
        return [cleaned(inner, text, levels - 1) for inner in value] if levels else []
    return _number(value) if isinstance(value, (int, float)) else value


def _number(value):
    """A number that every reader of JSON can hold; None for what is none."""
    if isinstance(value, int) and value.bit_length() <= _LONGEST_NUMBER:
        return value
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if abs(found) < float("inf") else None  # not where it is no number, which is below nothing


def is_within(value, limit: int) -> bool:
    """Whether a JSON value is written in at most `limit` bytes."""
    try:
        return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")) <= limit
    except (RecursionError, ValueError):  # too deep, or a number too long to be written
        return False


def _fits(text: str, limit: int) -> bool:
    return len(text) < limit and len(text.encode()) < limit


def _size(value) -> int:
    return len(to_line({"": value}).encode())


def _without(event: dict, name: str) -> dict:
    return {**{key: value for key, value in event.items() if key != name}, f"{name}_omitted": True}


def _measured(event: dict, measure: tuple[int, int]) -> dict:
    """What is kept, as it is, and of everything else as much as the measure allows."""
    found = {}
    for name, value in event.items():
        whole = name in _KEPT and not isinstance(value, dict)
        found[name], omitted = (value, None) if whole else _cut(value, measure)
        if omitted:
            found[f"{name}_omitted"] = omitted
    return found


def _cut(value, measure: tuple[int, int]):
    """`(value, omitted)`: what is left of it; True for a text that was cut, or the number of members that are missing."""
    longest, most = measure
    if isinstance(value, str):
        if len(value) <= longest:
            return value, None
        return head_of(value) or value[: longest - 1] + "…", True
    if isinstance(value, dict):
        found = {}
        for name in list(value)[:most]:
            inner, omitted = _cut(value[name], measure)
            found[name[:_LONGEST_NAME]] = inner
            if omitted:
                found[f"{name[:_LONGEST_NAME]}_omitted"] = omitted
        if len(value) > most:
            found["omitted"] = len(value) - most
        return found, None
    if isinstance(value, (list, tuple)):
        cut = [_cut(inner, measure) for inner in value[:most]]
        missing = len(value) - len(cut)
        return [inner for inner, _ in cut], missing or any(omitted for _, omitted in cut) or None
    return value, None


def _last_resort(event: dict, limit: int) -> str:
    """Empty the largest members, those that nobody needs to go on before the others."""
    names = sorted(event, key=lambda name: (name in _KEPT, -_size(event[name])))
    for name in names:
        if _fits(text := to_line(event), limit):
            return text
        if name in ("event", "time", "exit_code"):
            continue
        if name in ("next_command", "next_argv"):
            event = {key: value for key, value in event.items() if key not in ("next_command", "next_argv")}
        elif isinstance(event[name], str):
            longest = _LONGEST_KEPT if name in _KEPT else 0
            if len(event[name]) > longest:
                event[name], event[f"{name}_omitted"] = event[name][:longest] + "…", True
        elif isinstance(event[name], (dict, list)) and event[name]:
            event[f"{name}_omitted"] = len(event[name])
            event[name] = type(event[name])()
    return to_line(event)
