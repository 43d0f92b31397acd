"""Takes secrets out of whatever is about to be shown or stored, however they are spelled.

A key comes back from a service in an echoed URL, in JSON inside JSON, in an HTML error page, in a header that
was logged. So each of its characters is recognised as itself and as JSON, URLs and HTML write it, also where only
some of them are written so, and also written so twice; and the key is recognised in base64, alone or as a part of
something longer, such as `user:key`.

Redactor        the secrets that are known
guessed         words of another program without what looks like a login
without_logins  the same of JSON, where only what is called a login is one
is_secret       whether a name is one of a secret
is_named        whether somebody has thought of a word
"""

from __future__ import annotations

import os
import re

from .regex import regex
from .text import lines_of

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REDACTED = "[redacted]"

# Shorter than this nothing is a secret: it would be found in every other word.
_SHORTEST_SECRET = 4
# What only its name makes a secret must be longer, and is none where it is a number, a file or an address.
_SHORTEST_GUESSED = 8
_SECRET_ENDINGS = ("key", "token", "secret", "password", "passwd", "credential", "credentials")

# The names that HTML has for printable characters which are neither letters nor digits.
_ENTITIES = {
    "!": "excl", '"': "quot|QUOT", "#": "num", "$": "dollar", "%": "percnt", "&": "amp|AMP", "'": "apos",
    "(": "lpar", ")": "rpar", "*": "ast|midast", "+": "plus", ",": "comma", ".": "period", "/": "sol",
    ":": "colon", ";": "semi", "<": "lt|LT", "=": "equals", ">": "gt|GT", "?": "quest", "@": "commat",
    "[": "lsqb|lbrack", "\\": "bsol", "]": "rsqb|rbrack", "^": "Hat", "_": "lowbar|UnderBar", "`": "grave|DiacriticalGrave",
    "{": "lcub|lbrace", "|": "verbar|vert|VerticalLine", "}": "rcub|rbrace",
}  # fmt: skip
# The signs of the three notations, each as the others write it.
_PERCENT = r"(?:%|\\+u0025|&#37;|&percnt;)(?:25)*"
_BACKSLASH = r"(?:\\+|(?:%(?:25)*5[cC])+)"
_SEMICOLON = r"(?:;|%(?:25)*3[bB])"
_HASH = r"(?:#|%(?:25)*23)"
_AMPERSAND = rf"(?:&|\\+u0026|%(?:25)*26)(?:amp{_SEMICOLON})*"
# The most bytes that a key takes in any spelling.
_LONGEST_SPELLING = 16 * 1024
# A spelling of a character begins with one of these, or is the character itself.
_INTRODUCERS = regex(r"[\\%&]")


# What says that a login follows, and the login: anything but one plain word.
_BEARER = regex(r"(?i)\b(bearer\s+)([\w.~+/=-]{4,})")
_ASSIGNED = regex(
    r"(?i)((?:token|key|secret|password|passwd|credentials?|authorization|cookie)[\"']?\s*[:=]\s*[\"']?|\bbasic\s+)"
    r"(?!(?-i:[a-z]{1,15})(?:[\s\"',;&.)]|$))([^\s\"',;&]{4,})"
)
_LONG_WORD = regex(r"[A-Za-z0-9_=+-]{20,}")
# Parts of what people and programs call things: letters with a number behind them, a date, several words in one.
_PLAIN_PART = regex(
    r"(?:[a-z]{1,15}|[A-Z]{1,15}|[A-Z][a-z]{1,14})\d{0,4}|\d{1,8}[a-z]?|[A-Z]?[a-z]{2,14}(?:[A-Z][a-z]{2,14}){1,4}"
)
_LONGEST_ODD = 8


def guessed(text: str) -> str:
    """The words of another program without what may be a login: what follows `Bearer` or `token:`, and long random
    words. Meant for words that people read: an id or a signed address does not outlive it."""
    for said in (_BEARER, _ASSIGNED):
        text = said.sub(lambda found: found[1] + REDACTED, text)
    return _LONG_WORD.sub(lambda found: found[0] if is_named(found[0]) else REDACTED, text)


def without_logins(value, name: str = ""):
    """JSON that another program printed without what its names, or the word `Bearer`, call a login; else as it is."""
    if isinstance(value, str):
        if is_secret(name) and len(value) >= _SHORTEST_GUESSED:
            return REDACTED
        return _BEARER.sub(lambda found: found[1] + REDACTED, value)
    if isinstance(value, dict):
        return {key: without_logins(item, key) for key, item in value.items()}
    return [without_logins(item, name) for item in value] if isinstance(value, list) else value


def is_secret(name: str) -> bool:
    """Whether a name is one of a secret."""
    return _ends_as_secret(name) or name.lower() in ("authorization", "cookie")


def _ends_as_secret(name: str) -> bool:
    return name.removesuffix("\n").casefold().endswith(_SECRET_ENDINGS)


def is_named(word: str) -> bool:
    """Whether somebody has thought of a word: its parts are words and numbers, but for very little."""
    odd = [part for part in re.split(r"[-_=+]+", word) if part and not _PLAIN_PART.fullmatch(part)]
    return sum(map(len, odd)) <= _LONGEST_ODD and all(len(part) < _LONGEST_ODD for part in odd)


class Redactor:
    """The secrets of one command.

    protect     from now on this is never shown
    text        a text without them
    holds       whether our own words hold one after all
    content     bytes without them
    contents    the same of bytes that come in pieces
    value       a JSON value without them, in its strings and in its keys
    """

    def __init__(self):
        self._needles: list[str] = []
        self._spellings: re.Pattern | None = None

    def protect(self, secret: str) -> None:
        """From now on `secret` is never shown, in no spelling."""
        if len(secret) < _SHORTEST_SECRET:
            return
        known = {*self._needles, secret, *_in_base64(secret.encode("utf-8", "surrogatepass"))}
        if len(known) > len(self._needles):
            self._needles = sorted(known, key=len, reverse=True)  # a longer one may hold a shorter one
            self._spellings = None

    def protect_environment(self) -> None:
        """Protect whatever the environment and the user's own store hold that is named like a secret."""
        for name, value in [*os.environ.items(), *_kept_by_the_user()]:
            value = value.strip()
            if _ends_as_secret(name) and _may_be_secret(value):
                self.protect(value)

    def holds(self, value: str) -> bool:
        """Whether a text holds a secret that is too long to be there by chance."""
        return any(secret in value for secret in self._needles if len(secret) >= _SHORTEST_GUESSED)

    def text(self, value: str) -> str:
        if self._needles and _INTRODUCERS.search(value):
            if self._spellings is None:
                self._spellings = re.compile("|".join("".join(map(_spellings, needle)) for needle in self._needles))
            return self._spellings.sub(REDACTED, value)
        for needle in self._needles:
            value = value.replace(needle, REDACTED)
        return value

    def content(self, value: bytes) -> bytes:
        """Bytes of any encoding in which a key is written as in ASCII."""
        return self.text(value.decode("latin-1")).encode("latin-1") if self._needles else value

    def contents(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes of all pieces without the secrets in them, also those that two pieces share."""
        left = b""
        for piece in pieces:
            left = self.content(left + piece)
            yield left[:-_LONGEST_SPELLING]
            left = left[-_LONGEST_SPELLING:]
        yield left

    def value(self, value):
        """The same JSON value with the secrets taken out of its strings and keys."""
        if not self._needles:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value


def _in_base64(secret: bytes) -> set[str]:
    """What a base64 text holds wherever it encodes the secret: one for each of the three places in a group of
    three bytes at which it can begin. The characters that a neighbour shares are left out."""
    import binascii

    found = set()
    for before in range(3):
        bits = binascii.b2a_base64(b"\0" * before + secret, newline=False).decode().rstrip("=")
        first = (before * 8 + 5) // 6
        last = (before + len(secret)) * 8 // 6
        found.add(bits[first:last])
        found.add(bits[first:last].replace("+", "-").replace("/", "_"))
    return {text for text in found if len(text) >= _SHORTEST_SECRET}


def _spellings(character: str) -> str:
    """A pattern of one character: itself, and as JSON, URLs and HTML write it, once or over one another."""
    number = ord(character)
    if number > 0xFFFF:
        return re.escape(character)
    escaped = [rf"{_BACKSLASH}u(?i:{number:04x})", rf"{_AMPERSAND}{_HASH}0*{number}{_SEMICOLON}?"]
    escaped.append(rf"{_AMPERSAND}{_HASH}[xX]0*(?i:{number:x}){_SEMICOLON}?")
    encoded = "".join(f"{_PERCENT}(?i:{byte:02x})" for byte in character.encode("utf-8", "surrogatepass"))
    if character in '/"\\':
        escaped.append(f"{_BACKSLASH}(?:{encoded}|{re.escape(character)})")
    escaped.append(encoded)
    if character in _ENTITIES:
        escaped.append(f"{_AMPERSAND}(?:{_ENTITIES[character]}){_SEMICOLON}")
    # Itself last: it may be how one of the others begins.
    return f"(?:{'|'.join(escaped)}|{re.escape(character)})"


def _may_be_secret(value: str) -> bool:
    if len(value) < _SHORTEST_GUESSED or value.isdigit() or "://" in value:
        return False
    try:
        return not os.path.exists(value)
    except ValueError:
        return True


def _kept_by_the_user() -> list[tuple[str, str]]:
    """`(name, value)` of each line of the user's own store, however its values are quoted."""
    from . import paths

    pairs = []
    for line in lines_of(paths.small_file(paths.settings_file()) or ""):
        name, _, value = line.strip().partition("=")
        value = value.strip()
        if value[:1] in ("'", '"') and value[-1:] == value[:1]:
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        pairs.append((name.removeprefix("export ").strip(), value))
    return pairs
