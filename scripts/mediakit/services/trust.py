"""What of a service's answer, or of a stranger's descriptor, may become an address, a path or a header. Pure.

    is_id, is_model, in_path   ids and names that stand in a path
    told_address               an address that an answer names, if it is one of the service's own
    is_told_host               whether a file may be sent to a host that an answer names
    flaws_of_*                 what is wrong with a part of a descriptor, in words

A key follows an address, so that every rule here errs on the side of no: what is refused costs an error in
words, what is let through wrongly costs the key.
"""

from __future__ import annotations

import functools
import re

from ..base.regex import regex

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_ID = 512
LONGEST_MODEL = 200
LONGEST_ADDRESS = 2048
LONGEST_PATTERN = 300
# A repetition of more than so many may not stand within another such: their product is what a match can take.
_MOST_NESTED = 16

# An id or a name that needs no escape in a path and no quoting in a shell.
PLAIN_WORD = regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
_MODEL = regex(r"[A-Za-z0-9][A-Za-z0-9._:-]*(/[A-Za-z0-9][A-Za-z0-9._:-]*)*")
# What no id of a service has been seen with: white space, quotes and signs of shells make prose or a command of it,
# other scripts write prose without white space, and ? # % would change the path that it stands in.
_IN_ID = regex(r"[A-Za-z0-9._~:/+@=,;-]+")
# So many words and no digit, between two slashes or colons, are a sentence.
_SENTENCE = 5
_DOTS = regex(r"(^|/)\.{1,2}(/|$)")
_ENCODED_SEPARATORS = regex(r"%(2e|2f|5c|0[0-9a-f]|1[0-9a-f]|7f)", re.I)
_HOST = regex(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_HEADER = regex(r"[A-Za-z][A-Za-z0-9-]{0,63}")
# Headers that carry a login, name the receiver, or frame the body.
_RESERVED_HEADERS = frozenset(
    "authorization cookie host proxy-authorization content-length transfer-encoding connection content-type "
    "content-encoding upgrade te trailer expect".split()
)
_LOGIN_HEADERS = frozenset(("authorization", "cookie"))
# What a computer, a proxy's owner or this program set for themselves; a proxy's address can hold a password.
_SET_FOR_OTHERS = regex(
    r"AI_MEDIA_\w*|\w*_PROXY|(PYTHON|LD_|DYLD_|XDG_|LC_|SSL_CERT_|SSH_)\w*|LANG|HOME|USER|LOGNAME|HOSTNAME|PWD|OLDPWD|PATH"
    r"|SHELL|TERM|TMPDIR|TEMP|TMP|USERNAME|USERPROFILE|APPDATA|LOCALAPPDATA|COMPUTERNAME"
)
# Second levels under which a country's registry sells names: everybody's, as `com` is.
_REGISTRY_LABELS = frozenset("ac co com edu gob gov go gv id info ltd me mil ne net nom or org plc sch web".split())
# Domains below which anybody gets a name: the private part of the Public Suffix List, as far as it is in common use.
_SHARED_DOMAINS = frozenset(
    "appspot.com azurewebsites.net blogspot.com cloudfront.net cloudfunctions.net deno.dev firebaseapp.com fly.dev "
    "github.dev github.io gitlab.io glitch.me herokuapp.com hf.space loca.lt lovable.app myshopify.com netlify.app "
    "ngrok.app ngrok.dev ngrok.io ngrok-free.app nip.io onrender.com pages.dev railway.app repl.co replit.app "
    "replit.dev run.app serveo.net sslip.io surge.sh translate.goog trycloudflare.com ts.net up.railway.app "
    "vercel.app web.app windows.net wixsite.com workers.dev xip.io".split()
)
# Where anybody has a store of files, whatever stands before: the names right below may be other people's. Amazon's is
# left out: services that tell no host of theirs are known to have their files there.
_SHARED_STORES = frozenset(
    "googleapis.com core.windows.net r2.dev cloudflarestorage.com backblazeb2.com "
    "digitaloceanspaces.com wasabisys.com linodeobjects.com aliyuncs.com myqcloud.com supabase.co b-cdn.net fastly.net "
    "akamaized.net azureedge.net".split()
)


# -- what stands in a path -----------------------------------------------------------------------------


def is_id(text: str, like: str | None = None) -> bool:
    """Whether a text can be the id of a job or file: of the form `like`, no prose, and nothing that changes a path."""
    return len(text) <= LONGEST_ID and _is_id(text, like)


@functools.lru_cache(maxsize=4096)  # every answer about a job has its id
def _is_id(text: str, like: str | None) -> bool:
    if not _IN_ID.fullmatch(text) or _DOTS.search(text) or _is_prose(text):
        return False
    return like is None or bool(re.fullmatch(like, text))


def _is_prose(text: str) -> bool:
    return any(
        len(re.findall(r"[A-Za-z]{2,}", part)) >= _SENTENCE and not re.search(r"\d", part)
        for part in re.split("[/:]", text)
    )


def is_model(text: str) -> bool:
    """Whether a text can name a model: it may stand in a path."""
    return len(text) <= LONGEST_MODEL and bool(_MODEL.fullmatch(text)) and ".." not in text


def in_path(text: str, keeps_slashes: bool = False) -> str:
    """An id or name as it is written into a path; raises ValueError for one that would change the path."""
    if not is_id(text):
        raise ValueError("expected an id or a name")
    from urllib.parse import quote

    return quote(text, safe="/:" if keeps_slashes else "")


def usable_id(value, like: str | None = None) -> str | None:
    """An id out of an answer or a flag as text, or None for what can be none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    value = value.strip() if isinstance(value, str) else ""
    return value if is_id(value, like) else None


# -- addresses -----------------------------------------------------------------------------------------


def told_address(value, origins: Iterable[str]) -> str | None:
    """An address out of an answer, if scheme, host and port are those of one of `origins`; None otherwise.

    Such an address gets the key. It is checked again each time that it is used.
    """
    from ..http.addresses import origin_of

    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{1,%d}" % LONGEST_ADDRESS, value) or "#" in value:
        return None
    try:
        if origin_of(value) not in {origin_of(origin) for origin in origins}:
            return None
    except ValueError:
        return None
    from urllib.parse import urlsplit

    path = urlsplit(value).path
    return None if _DOTS.search(path) or _ENCODED_SEPARATORS.search(path) or "//" in path else value


def is_told_host(url: str, hosts: Iterable[str]) -> bool:
    """Whether a file may be sent to an address that an answer names: https, at one of a descriptor's `hosts`."""
    from ..http.addresses import is_private_literal, origin_of

    try:
        scheme, host, port = origin_of(url)
    except ValueError:
        return False
    if (scheme, port) != ("https", 443) or "#" in url or is_private_literal(host):
        return False
    return any(host == known or (known.startswith("*.") and host.endswith(known[1:])) for known in hosts)


# -- parts of a descriptor -----------------------------------------------------------------------------


def flaws_of_origin(origin: str) -> str | None:
    """What is wrong with an origin of a descriptor, in words; None for a good one."""
    from ..http.addresses import is_loopback, origin_of

    try:
        scheme, host, _ = origin_of(origin)
    except ValueError as problem:
        return str(problem)
    from urllib.parse import urlsplit

    parts = urlsplit(origin)
    if parts.path or parts.query or parts.fragment:
        return "expected scheme, host and port only; what follows belongs into base_path"
    if scheme == "http" and not is_loopback(host):
        return "expected https: over http anybody on the way could read the key"
    return None


def flaws_of_host(host: str) -> str | None:
    """What is wrong with a host, or `*.domain`, that files may be sent to; None for a good one."""
    from ..http.addresses import is_private_literal

    domain = host.removeprefix("*.")
    labels = domain.split(".")
    is_shared = domain in _SHARED_DOMAINS or any(domain == one or domain.endswith("." + one) for one in _SHARED_STORES)
    if host != domain and (len(labels) < 2 or is_shared or (len(labels) == 2 and _is_registry(*labels))):
        return f"{host} is open to everybody; expected the service's own domain after the star"
    if not _HOST.fullmatch(domain) or is_private_literal(domain):
        return "expected a host such as files.example.com, or *.example.com"
    return None


def _is_registry(second: str, top: str) -> bool:
    return len(top) == 2 and second in _REGISTRY_LABELS


def flaws_of_header(name: str, of_key: bool = False) -> str | None:
    """What is wrong with the name of a header that a descriptor sends; None for a good one.

    of_key  whether the key stands in it, which may then be a login
    """
    if not _HEADER.fullmatch(name):
        return "expected the name of a header"
    if name.lower() not in _RESERVED_HEADERS or (of_key and name.lower() in _LOGIN_HEADERS):
        return None
    return f"{name} is not a descriptor's to set"


def flaws_of_variable(name: str) -> str | None:
    """What is wrong with an environment variable whose value is sent to a service; None for a good one."""
    return (
        f"{name} is set for something else, and holds no key of a service" if _SET_FOR_OTHERS.fullmatch(name) else None
    )


def flaws_of_pattern(pattern: str, bounded: bool) -> str | None:
    """What is wrong with a pattern of a descriptor, in words; None for a good one.

    A pattern must fit the whole text, whether it says ^ and $ or not.

    bounded  whether it must itself say how long a text can be
    """
    if len(pattern) > LONGEST_PATTERN:
        return f"expected a pattern of at most {LONGEST_PATTERN} characters"
    try:
        re.compile(pattern)
        width, nests = _measure(pattern)
    except (re.error, RecursionError, OverflowError) as problem:
        return f"expected a regular expression: {problem}"
    if pattern.startswith("^") != (pattern.endswith("$") and not pattern.endswith("\\$")):
        return "a pattern without an end: expected ^ and $, or neither (it must fit the whole text either way)"
    if nests:
        return "a repetition within a repetition can take for ever; expected one of them to be bounded"
    if bounded and width > LONGEST_ADDRESS:
        return "a pattern without an end: expected bounds such as {1,64} in place of + and *"
    return None


def flaws_of_group(pattern: str) -> str | None:
    """What is wrong with a pattern that takes a word out of a text: its one group is the word."""
    flaw = flaws_of_pattern(pattern, bounded=False)
    if flaw is None and re.compile(pattern).groups != 1:
        return "expected one group in brackets: the word that is taken out of the text"
    return flaw


def _measure(pattern: str) -> tuple[int, bool]:
    """`(the longest text that it fits, whether a long repetition stands within another)`."""
    try:
        from re import _parser as parser  # type: ignore[attr-defined]
    except ImportError:  # before Python 3.11
        import sre_parse as parser  # type: ignore[no-redef]
    parsed = parser.parse(pattern)
    return parsed.getwidth()[1], _nests(parsed, False)


def _nests(node, inside: bool) -> bool:
    """Whether a long repetition stands within another one."""
    if not isinstance(node, (list, tuple)) and not hasattr(node, "data"):
        return False
    for item in node:
        if isinstance(item, tuple) and len(item) == 2 and str(item[0]) in ("MAX_REPEAT", "MIN_REPEAT"):
            _, most, inner = item[1]
            is_long = most > _MOST_NESTED
            if (is_long and inside) or _nests(inner, inside or is_long):
                return True
        elif _nests(item, inside):
            return True
    return False
