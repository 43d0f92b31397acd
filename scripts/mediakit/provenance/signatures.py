"""What lets whoever has a link use it: signatures, tokens, credentials. Pure.

unsigned    a JSON value in whose texts every address stands without them
holds_one   whether a value is, or holds, an address that is nothing without them
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from ..base.redactor import is_named
from ..base.regex import regex

# Where words end, and what surrounds an address in prose, Markdown, HTML and JSON.
_WORD = regex(r"[^\s\"'<>`|]+")
_ADDRESS = regex(r"(?i)(?:[a-z][a-z0-9+.-]{0,20}:)?[/\\]{2}[^\s/]|[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,9}[/:?]")
# The signs of a query, a fragment and a login, also as JSON, HTML and other queries write them.
_QUERY = regex(r"[?#;]|%(?:25)*(?:3f|23|3b)|\\+u003f|\\+u0023", re.I)
_LOGIN = regex(r"(?i)([/\\]{2}|(?:%(?:25)*2f){2})[^\s/?#\\]*(?:@|%(?:25)*40)")
_PARAMETER = regex(r"(?:^|[?&;#])([^?&;#=]{1,200})=([^?&;#]*)")
_SIGNING = regex(
    r"(?i)x-(amz|goog|oss|cos|tos|obs|ms|bce|kss|nos|acs)-|(^|[^a-z])(sig|sign|signed|hmac|hash|digest|md5|jwt|ticket|key|"
    r"ak|sk|passw(or)?d|pass|pwd|auth|authorization|policy|sid|access|code|expires?|expiry|exp|hdnea|hdnts|"
    r"verify|nonce|otp)($|[^a-z])|session|signature|token|secret|accesskey|accessid|keyid|apikey|authkey|signkey|credential"
)
# What is shorter may be a number, a date or somebody's name for something, however odd.
_SHORTEST_RANDOM = 16
_CLOSING = regex(r"[)\]}.,!?]{0,9}\Z")


def unsigned(value):
    """A JSON value without logins, signatures and tokens in addresses: a query that holds one goes as a whole."""
    if isinstance(value, str):
        return _WORD.sub(lambda found: _bare(found[0]), value) if re.search(r"[?#@;%\\]", value) else value
    if isinstance(value, dict):
        return {unsigned(name): unsigned(item) for name, item in value.items()}
    return [unsigned(item) for item in value] if isinstance(value, list) else value


def holds_one(value) -> bool:
    """Whether a string of a JSON value is an address, from its beginning on, that `unsigned` would change."""
    if isinstance(value, str):
        first = _WORD.match(value.strip())
        return first is not None and bool(_ADDRESS.match(first[0])) and _bare(first[0]) != first[0]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(holds_one(item) for item in inner)


def _bare(word: str) -> str:
    if not _ADDRESS.search(unquote(word)):
        return word
    word = _LOGIN.sub(lambda found: found[1], word)
    begins = _QUERY.search(word)
    if begins is None or not _is_signed(word[begins.start() :]):
        return word
    closing = _CLOSING.search(word, begins.end())
    return word[: begins.start()] + (closing[0] if closing else "")


def _is_signed(query: str) -> bool:
    for _ in range(3):
        query = unquote(re.sub(r"\\+u00([2-3][0-9a-fA-F])", r"%\1", query.replace("&amp;", "&")))
    if any(value and _SIGNING.search(name.replace("_", "-")) for name, value in _PARAMETER.findall(query)):
        return True
    parts = re.split(r"[?&;#=+\s]", query)
    return any(len(part) >= _SHORTEST_RANDOM and not is_named(part) for part in parts)
