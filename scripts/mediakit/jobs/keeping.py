"""A key's life in the user's own store: kept once the service takes it, and forgotten.

persist  keep the key that comes on standard input
forget   take the kept one out
"""

from __future__ import annotations

from ..base import errors
from ..console import Console
from ..services import keys, providers
from . import standing
from .connection import Connection, ConnectionFlags, address


def persist(
    console: Console, where: ConnectionFlags, provider: providers.Provider, *, tries: bool, unseen: bool
) -> None:
    """Keep the key on standard input. One that would take the place of another is tried first. Raises Failure.

    tries   whether the service is asked in any case (--online)
    unseen  whether another key is replaced without asking (--no-check)
    """
    wanted = _wanted(provider, "--persist-key")
    variable = wanted["variable"]
    value = keys.read_stdin("--persist-key")
    console.redactor.protect(value)
    why_not = keys.why_no_key(value)
    if why_not or not keys.is_usable(value):
        words = why_not or "white space or characters that a header cannot carry"
        raise errors.bad_argument("--persist-key", f"expected a key on standard input, and found {words}")
    replaces = keys.stored(variable) not in (None, "", value)
    if tries or (replaces and not unseen):
        _try(console, where, provider, keys.Key(value, "standard input"), replaces)
    try:
        keys.persist(variable, value)
    except OSError as problem:
        raise _unwritable("--persist-key", problem) from None
    used = keys.find(wanted, trusts_dotenv=where.trust_dotenv)
    if used and used.value != value:
        console.warning("key_hidden", f"{used.source} has another key, which is used instead of the stored one")


def forget(provider: providers.Provider) -> bool:
    """Take the kept key out; False where none was kept. Raises Failure 2."""
    try:
        return keys.forget(_wanted(provider, "--forget-key")["variable"])
    except OSError as problem:
        raise _unwritable("--forget-key", problem) from None


def _wanted(provider: providers.Provider, flag: str) -> dict:
    if provider.key is None:
        raise errors.bad_argument(
            "--provider", f"expected a service with a key for {flag}; {provider.title} needs none"
        )
    return provider.key


def _unwritable(flag: str, problem: OSError) -> errors.Failure:
    return errors.bad_argument(flag, f"the user's store cannot be written: {problem.strerror}")


def _try(console: Console, where: ConnectionFlags, provider: providers.Provider, key: keys.Key, replaces: bool) -> None:
    """Raise Failure where the service refuses the key, or cannot be asked and another would be lost."""
    base_url = address(where, provider)
    connection = Connection(provider, base_url, key) if base_url is not None else None
    place = standing.check_place(connection) if connection else None
    if connection is None or place is None:
        return
    found, *_ = standing.standing(console, connection, place)
    if found.accepted:
        return
    kept = "the key that was stored before is kept" if replaces else "nothing was stored"
    common: dict = {"http_status": found.http_status, "trace_id": found.trace_id, "outcome": "not_sent"}
    common = {name: value for name, value in common.items() if value is not None}
    if found.accepted is False:
        words = f"{provider.title} does not take the new key ({found.message}); {kept}"
        common.update(retryable=False, guidance=provider.advice.on("auth"))
        raise errors.Failure("api_key_refused", words, "auth", **common)
    words = f"{provider.title} could not be asked about the new key ({found.message})"
    if not replaces:
        console.warning("key_not_checked", f"{words}; it is stored all the same")
        return
    guidance = ["Run the same again later, or with --no-check to replace the stored key unseen."]
    common.update(retryable=True, guidance=guidance)
    raise errors.Failure("key_not_checked", f"{words}; {kept}", found.category or "transient", **common)
