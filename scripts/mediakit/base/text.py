"""Text and JSON on their way out: one line, valid, safe on a terminal, and nothing in it that cannot be seen.

to_line  a JSON object as one line
lines_of  a text's lines
plain    text from a service as one short line
visible  text without characters that cannot be seen or that change its direction
texts_in  the texts in a JSON value
is_number  whether a JSON value is a number
same  whether two JSON values are equal
is_flat  whether a JSON value is nested at most so deep
can_be_sent  whether it can be written as valid UTF-8
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Iterator

# Characters that JSON leaves as they are but that move a terminal's cursor or end a line for a
# reader that splits at Unicode line ends.
_UNSAFE = "[\x7f-\x9f\u2028\u2029]"
_CONTROL = "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"

# Soft hyphen, fillers, zero-width, direction marks and controls, invisible operators, annotation and tag
# characters, byte order marks: what cannot be seen and what reorders what can.
_INVISIBLE = (
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff"
    "\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
# Scripts whose letters join: Arabic, Syriac, N'Ko and their neighbours, those of India and its neighbours, Mongolian.
_JOINING = (
    "\u0620-\u08ff\u0900-\u0dff\u0f00-\u109f\u1700-\u171f\u1780-\u18af\u1900-\u194f\u1a20-\u1cff\ua800-\ua8ff"
    "\ua930-\ua9df\uaa00-\uaa7f\uabc0-\uabff\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00010aff\U00010d00-\U00010d3f"
    "\U00011000-\U00011fff\U0001e900-\U0001e95f"
)
# A sign that takes the vowel from its consonant: what comes after it joins or, by a non-joiner, does not.
_VIRAMA = (
    "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca\u1039\u103a\u17d2\u1b44\u1baa\ua8c4\ua953\ua9c0\uaaf6"
)
_PICTURE = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2934\u2935\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_IDEOGRAPH = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Joiners and variation selectors stay where they do their work, which is the group; everywhere else they hide.
_JOINERS = (
    f"((?<=[{_PICTURE}\ufe0f])\u200d(?=[{_PICTURE}])"
    f"|(?<=[{_JOINING}])(?:\u200d|\u200c(?=[{_JOINING}]))"
    f"|(?<=[{_VIRAMA}])\u200c"
    "|(?<=[^\\sA-Za-z\u200c\u200d\ufe00-\ufe0f])[\ufe00-\ufe0f]"
    "|(?<=[\u1820-\u18aa])[\u180b-\u180d\u180f]"
    f"|(?<=[{_IDEOGRAPH}])[\U000e0100-\U000e01ef])"
    "|[\u200c\u200d\ufe00-\ufe0f\u180b-\u180d\u180f\U000e0100-\U000e01ef]"
)

# What stood between two others and is gone may have been what they were kept for.
_PASSES = 3


def lines_of(text: str) -> list[str]:
    """Its lines, without their ends.

    str.splitlines() also ends one at form feeds, U+2028 and the like, which stand within prompts and values.
    """
    found = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return found if found[-1] else found[:-1]


def to_line(value: dict) -> str:
    """One JSON object as one line that is valid JSON and valid UTF-8 whatever a service put into it."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        text = json.dumps(value, separators=(",", ":"))
    if text.isascii() and "\x7f" not in text:
        return text
    return re.sub(_UNSAFE, lambda found: f"\\u{ord(found.group()):04x}", text)


def visible(text: str) -> str:
    """A text without what cannot be seen or changes its direction; joiners stay where they join."""
    if text.isascii():
        return text
    # The patterns are long: they are compiled when the first text needs them.
    text = re.sub(_INVISIBLE, "", text)
    for _ in range(_PASSES):
        before, text = text, re.sub(_JOINERS, lambda found: found[1] or "", text)
        if text == before:
            break
    return text


def texts_in(value) -> Iterator[str]:
    """Every text in a JSON value, names of fields left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts_in(inner)


def is_number(value) -> bool:
    """Whether a JSON value is a number, which true and false are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(one, other) -> bool:
    """Whether two JSON values are equal: in JSON true is not 1, though Python says so."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def is_flat(value, levels: int = 20) -> bool:
    """Whether a JSON value is nested at most so deep."""
    if not isinstance(value, (dict, list)):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(is_flat(item, levels - 1) for item in inner if isinstance(item, (dict, list)))


def can_be_sent(value) -> bool:
    """Whether a JSON value can be written as valid UTF-8: no text in it has a lone surrogate."""
    if isinstance(value, dict):
        return all(can_be_sent(name) and can_be_sent(item) for name, item in value.items())
    if isinstance(value, list):
        return all(map(can_be_sent, value))
    return not isinstance(value, str) or value.isascii() or re.search("[\ud800-\udfff]", value) is None


def plain(text: str, limit: int = 300, cut: str = "…") -> str:
    """Text from a service as one short line that is safe on a terminal; `cut` ends one that was longer."""
    text = visible(text)
    text = (text if text.isprintable() else re.sub(_CONTROL, " ", text)).strip()
    return text if len(text) <= limit else text[: limit - 1] + cut
