"""Where a service's key is found, and how one is kept.

    find     the first of: standard input, the environment, the login that the service's own client has
             saved, the user's own store, ./.env
    passed_over  what looked like a key and is not used, in words
    persist  put a key into the user's own store; forget takes it out again
    can_persist  whether persist would work

A key is never taken from an argument and never shown. A `.env` in the working directory may have come
from anybody: only the services' key names are read from it, nothing in it is expanded, and one that came
with its repository, or is a link, gives a key only on the user's word.
"""

from __future__ import annotations

import os
import re
import sys

from ..base import errors, paths
from ..base.record import record
from ..base.regex import regex
from ..base.text import lines_of

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Iterator


@record
class Key:
    """source says where it was found, in words for people; value is None for a login that stays where it is."""

    value: str | None
    source: str


DOTENV = ".env"
_LARGEST_ENV_FILE = 65536
_USABLE = regex(r"[\x21-\x7e]+")


def find(
    wanted: dict,
    from_stdin: str | None = None,
    login=lambda: None,
    *,
    made_up: bool = False,
    trusts_dotenv: bool = False,
) -> Key | None:
    """The key that a descriptor's `key` asks for, or None. Raises Failure for one that no header can hold.

    login    () -> a Key that the service's own program keeps to itself, or None
    made_up  whether a placeholder will do: a server on this machine takes what a test makes up
    trusts_dotenv  the user vouches for ./.env (--trust-dotenv)
    """
    if from_stdin is not None:
        why = None if made_up else why_no_key(from_stdin)
        if why:  # not to be replaced by a key that pays from another account
            raise _invalid("--key-stdin", why, "Pipe in the key itself, and nothing else.")
        return Key(_checked(from_stdin, "--key-stdin"), "--key-stdin")
    return _first(_given(wanted), made_up) or login() or _first(_kept(wanted, trusts_dotenv), made_up)


def only_with_one(services) -> str | None:
    """Of some providers.Provider the name of the only one that has a key here; None for none and for several."""
    found = []
    for provider in services:
        try:
            if provider.key and find(provider.key):
                found.append(provider.name)
        except errors.Failure:  # a key that cannot be used was meant for it all the same
            found.append(provider.name)
    return found[0] if len(found) == 1 else None


def passed_over(wanted: dict, *, trusts_dotenv: bool = False) -> list[str]:
    """What looked like a key and is not one, or is not trusted; each as a sentence that shows nothing of it."""
    found = []
    for source, value in (*_given(wanted), *_kept(wanted, trusts_dotenv)):
        why = why_no_key((value or "").strip())
        if why:
            found.append(f"{source} holds {why}")
    store = paths.settings_file()
    for path, shown in ((store, "the user's own store"), (DOTENV, "./.env")):
        if _names_without_value(path, wanted["variable"]):
            found.append(f"{shown} names {wanted['variable']}, but not in a line {wanted['variable']}=VALUE")
    if sys.platform != "win32" and _from_env_file(store, wanted["variable"]) and (why := _why_planted(store)):
        found.append(f"{store} holds a key, but {why} or to its folder: chmod 700 the folder, and 600 the file")
    if not trusts_dotenv and _from_env_file(DOTENV, wanted["variable"]) and (why := _why_untrusted(DOTENV)):
        found.append(f"./.env holds a key, but {why}: --trust-dotenv uses it")
    return found


def _first(candidates, made_up: bool) -> Key | None:
    for source, value in candidates:
        value = (value or "").strip()
        if value and (made_up or not why_no_key(value)):
            return Key(_checked(value, source), source)
    return None


def _given(wanted: dict) -> Iterator[tuple[str, str | None]]:
    for name in (wanted["variable"], *wanted.get("other_variables", ())):
        yield f"the environment variable {name}", os.environ.get(name)
    joined = wanted.get("joined")
    if joined:  # a key that is kept in two halves
        halves = [os.environ.get(name, "").strip() for name in joined["variables"]]
        source = f"the environment variables {' and '.join(joined['variables'])}"
        yield source, joined["by"].join(halves) if all(halves) else None


def _kept(wanted: dict, trusts_dotenv: bool) -> Iterator[tuple[str, str | None]]:
    variable = wanted["variable"]
    if "saved_login" in wanted:
        yield "the login that the service's own client has saved", _saved_login(wanted["saved_login"])
    yield "the user's own store", stored(variable)
    value = _from_env_file(DOTENV, variable)
    yield "./.env", value if value and (trusts_dotenv or not _why_untrusted(DOTENV)) else None


def _why_untrusted(path: str) -> str | None:
    """Why a file of the working directory may be a stranger's, in words; None where it is this user's own."""
    from ..base import repository

    try:
        return paths.trouble(path) or ("it came with its repository" if repository.tracks(path) else None)
    except OSError:
        return "it cannot be looked at"


# -- what is no key ------------------------------------------------------------------------------------

_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
_BRACKETED = regex(r"<.*>|\[.*\]|\{.*\}|\(.*\)|%\w+%|\$\w+|.*\$[({].*", re.S)
# Stars, dots or bullets that stand for what is not shown, anywhere; letters only where nothing else is there.
_MASKED = regex(r".*(\*{2,}|\.{3,}|[\u2026\u2022\u25cf\u00b7]).*|(\w{1,8}[-_])?([xX]+[-_]?)+", re.S)
# A whole line of a .env, where the value alone was meant; a key in base64 ends with its equals signs.
_ASSIGNED = regex(r"(export\s+|set\s+)?[A-Z][A-Z0-9_]*=[^=].*", re.S)
# Where a store of secrets keeps a key.
_ELSEWHERE = regex(r"[A-Za-z][\w+.-]*://.*", re.S)
_LONGEST = 16_384
_FILLER = frozenset(
    "a access actual add an api apikey change changeme dummy empty enter example fill goes here in insert key me my "
    "none nil null of own paste placeholder put real redacted replace replaceme sample secret set sk some tbd the this to todo "
    "token undefined value with xxx your yours".split()
)
_ADDRESSED = frozenset("your my insert enter paste put replace add".split())
_NAMED = frozenset("key apikey token secret here".split())


def why_no_key(value: str) -> str | None:
    """What a text is in place of a key, in words: a placeholder, a masked or a quoted one; None for what may be one."""
    if not value:
        return None
    if value[0] in _QUOTES or value[-1] in _QUOTES:
        return "quotation marks, which are no part of a key"
    if _ASSIGNED.fullmatch(value):
        return "a name with its value, NAME=VALUE, in place of the value alone"
    if _ELSEWHERE.fullmatch(value):
        return "an address in place of a key"
    if len(value) > _LONGEST:
        return "more than any key has"
    if _BRACKETED.fullmatch(value):
        return "a placeholder in place of a key"
    if _MASKED.fullmatch(value):
        return "a masked key, which shows only part of it"
    words = [word for word in re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", value).lower()) if word]
    # No generated key spells "your" and "key" as words of their own.
    if set(words) <= _FILLER or (_ADDRESSED & set(words) and _NAMED & set(words)):
        return "a placeholder in place of a key"
    return None


# -- reading -------------------------------------------------------------------------------------------


def _saved_login(where: dict) -> str | None:
    """The key in the file of another program, which is read and never copied; None where there is none."""
    variables = (where.get("variable", ""), *where.get("other_variables", ()))
    named = next(filter(None, (paths.expand(os.environ.get(name, "")) for name in variables)), None)
    below = (where["path"], *where.get("other_paths", ()))
    places = [named] if named else [os.path.join(paths.configuration_folder(), path) for path in below]
    for text in filter(None, map(paths.small_file, places)):
        from ..base.pointer import point
        from ..http.documents import read_json

        found = point(read_json(text.encode())[0], where["key"])
        if isinstance(found, str) and found.strip():
            return found
    return None


def read_stdin(flag: str) -> str:
    """The key that somebody pipes in, up to its first line end; typed at a terminal, it is not echoed.

    Raises Failure 2 where nothing comes, and 21 for what is no key.
    """
    if sys.stdin and sys.stdin.isatty():
        value = _typed(flag)
    else:
        # Piped from PowerShell it comes as UTF-16.
        value = (
            paths.text_of(sys.stdin.buffer.read(_LARGEST_ENV_FILE) if sys.stdin else b"")
            .strip()
            .partition("\n")[0]
            .strip()
        )
    if not value:
        raise errors.bad_argument(flag, "expected a key on standard input, and nothing came")
    return value


def _typed(flag: str) -> str:
    import getpass
    import warnings

    try:
        with warnings.catch_warnings():
            # Where the terminal cannot be told to be silent, it would ask all the same.
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass("Key (it is not shown): ", sys.stderr).strip()
    except getpass.GetPassWarning:
        raise errors.bad_argument(flag, "this terminal would show the key; expected it through a pipe") from None
    except EOFError:
        return ""


def is_usable(value: str) -> bool:
    """Whether a header can hold it."""
    return bool(_USABLE.fullmatch(value))


def _checked(value: str, source: str) -> str:
    if not is_usable(value):
        found = "white space or characters that a header cannot carry"
        raise _invalid(source, found, "Copy the key again: printable ASCII without spaces.")
    return value


def _invalid(source: str, found: str, way_out: str) -> errors.Failure:
    words = f"the key from {source} holds {found}"
    return errors.Failure("invalid_api_key", words, "auth", outcome="not_sent", retryable=False, guidance=[way_out])


def _from_env_file(path: str, variable: str) -> str | None:
    text = paths.small_file(path)
    if text is None or variable not in text:
        return None
    import io
    import logging

    from dotenv import dotenv_values

    logging.getLogger("dotenv.main").disabled = True  # it tells of lines that are nobody's business here
    return dotenv_values(stream=io.StringIO(text), interpolate=False).get(variable)


def _names_without_value(path: str, variable: str) -> bool:
    text = paths.small_file(path) or ""
    is_named = variable in text and re.search(rf"(?m)^[^#\n]*\b{re.escape(variable)}\b", text)
    return bool(is_named) and _from_env_file(path, variable) is None


def stored(variable: str) -> str | None:
    """A variable of the user's own store, or None."""
    if sys.platform == "win32":
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, "Environment") as environment:
                return str(winreg.QueryValueEx(environment, variable)[0])
        except OSError:
            return None
    path = paths.settings_file()
    return None if _why_planted(path) else _from_env_file(path, variable)


def _why_planted(path: str) -> str | None:
    """Why the user's own store may hold somebody else's keys, in words; None where it does not, or is not there."""
    try:
        return paths.open_to_others(os.path.dirname(path)) or paths.open_to_others(path)
    except OSError:
        return None


# -- keeping -------------------------------------------------------------------------------------------


def persist(variable: str, value: str) -> str:
    """Keep a key for this user and nobody else; where it went, in words. Raises OSError."""
    if sys.platform == "win32":
        import winreg

        with winreg.OpenKey(winreg.HKEY_CURRENT_USER, "Environment", 0, winreg.KEY_SET_VALUE) as environment:
            winreg.SetValueEx(environment, variable, 0, winreg.REG_SZ, value)
        return "the user's environment"
    path = paths.settings_file()
    paths.make_private_folder(os.path.dirname(path))
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    _write(path, [*_without(variable, _lines_of(path)), f"{variable}='{quoted}'"])
    return path


def forget(variable: str) -> bool:
    """Take a key out of the user's own store; False where none was there. Raises OSError."""
    if stored(variable) is None:
        return False
    if sys.platform == "win32":
        import winreg

        with winreg.OpenKey(winreg.HKEY_CURRENT_USER, "Environment", 0, winreg.KEY_SET_VALUE) as environment:
            winreg.DeleteValue(environment, variable)
        return True
    path = paths.settings_file()
    _write(path, _without(variable, _lines_of(path)))
    return True


def can_persist() -> bool:
    """Whether a key could be kept: asked before one is made that is told only once."""
    if sys.platform == "win32":
        return True
    path = paths.settings_file()
    try:
        paths.make_private_folder(os.path.dirname(path))
        _lines_of(path)
        return os.access(os.path.dirname(path), os.W_OK | os.X_OK)
    except OSError:
        return False


def _without(variable: str, lines: list[str]) -> list[str]:
    return [line for line in lines if not re.match(rf"\s*(export\s+)?{re.escape(variable)}\s*=", line)]


def _lines_of(path: str) -> list[str]:
    """The lines of the store, none where there is none; raises OSError for what cannot be kept as it is."""
    import errno

    why = paths.trouble(os.path.dirname(path), folder=True, may_be_link=True)
    if why is None:
        try:
            # A link leads to a file that somebody chose: the key would lie there, or take that file's place.
            why = paths.trouble(path)
        except FileNotFoundError:
            return []
    if why:
        raise OSError(errno.EPERM, why)
    if os.stat(path).st_size > _LARGEST_ENV_FILE:
        raise OSError(errno.EINVAL, "it is no file of settings")
    try:
        with open(path, "rb") as file:
            return lines_of(file.read().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise OSError(errno.EINVAL, "it is no text in UTF-8") from None


def _write(path: str, lines: list[str]) -> None:
    from ..base import atomic

    atomic.write(path, "".join(f"{line}\n" for line in lines).encode())
