"""Text and JSON on their way out: one line, valid, and safe on a terminal.

to_line  a JSON object as one line
is_flat  whether a JSON value is nested too deep to be written
plain    text from a service as one short line
"""

from __future__ import annotations

import json
import re

# Characters that JSON leaves as they are but that move a terminal's cursor, reorder its
# text, or end a line for a reader that splits at Unicode line ends.
_UNSAFE = "[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
_CONTROL = "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"


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


def is_flat(value, levels: int = 20) -> bool:
    """Whether a JSON value is nested at most so deep."""
    if not isinstance(value, (dict, list)):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(is_flat(item, levels - 1) for item in inner)


def plain(text: str, limit: int = 300) -> str:
    """Text from a service as one short line that is safe on a terminal."""
    text = (text if text.isprintable() else re.sub(_CONTROL, " ", text)).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"
