"""Values that stand for what the caller has still to supply, made so that they are known again.

    fill-in:prompt                    a text, cut or padded to the limits of its field
    https://fill-in.invalid/image_url an address (`.invalid` never resolves, RFC 2606)
    models/fill-in                    a text with a pattern that leaves room for the word
    00000000-0000-4000-8000-000000000000, ZmlsbC1pbjo=, fill-in@fill-in.invalid
                                      a UUID, base64, an email address

A date, a time and an IP address have no such form; `fill_in` of the template lists them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..base.regex import regex

_EMPTY_UUID = "00000000-0000-4000-8000-000000000000"
_BASE64 = "ZmlsbC1pbjo="

_PLACEHOLDER = regex(
    r"^fill-in(?::|_*$)|//fill-in\.invalid/|@fill-in\.invalid$|[/:=_]fill-in+$|^" + _EMPTY_UUID + "$|^" + _BASE64
)

# format -> the text for a field of that name
FORMATS = {
    **dict.fromkeys(("uri", "url", "uri-reference", "iri"), "https://fill-in.invalid/{name}"),
    **dict.fromkeys(("byte", "base64"), _BASE64),
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "fill-in@fill-in.invalid",
    "uuid": _EMPTY_UUID,
    "hostname": "fill-in.invalid",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}


def is_placeholder(value: Any) -> bool:
    """Whether a text is a placeholder of a template that was never filled in."""
    return isinstance(value, str) and bool(_PLACEHOLDER.search(value))


def unfilled(payload: Any, path: tuple = ()) -> list[str]:
    """The dotted paths of a payload where a placeholder still stands."""
    if isinstance(payload, (dict, list)):
        parts: Iterable = payload.items() if isinstance(payload, dict) else enumerate(payload)
        return [found for key, item in parts for found in unfilled(item, (*path, key))]
    return [dotted(path)] if is_placeholder(payload) else []


def dotted(path: Iterable[Any]) -> str:
    """`("images", 0, "url")` as `images.0.url`; names are cut to 60 characters."""
    return ".".join(str(part)[:60] for part in path)
