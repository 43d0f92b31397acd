"""Fields that only whoever pays may set. Pure.

is_callback  one that makes a service call an address somewhere: whoever sets it learns what was made, and where
is_consent   one that agrees to something, or says how much may be spent
without      a payload without them, for a record or a list that a stranger may have written
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..base.pointer import escaped
from .errors import ContractError
from .names import name_words

if TYPE_CHECKING:
    from .operations import Operation

_WORDS = frozenset(
    ("webhook", "webhooks", "callback", "callbacks", "notify", "notification", "notifications", "postback")
)
_RUN_TOGETHER = ("webhook", "callback", "notifyurl", "notificationurl")


def is_callback(name: str, marked: bool = False) -> bool:
    """Whether a field is one: by its contract's mark (`x-callback`), else by its name."""
    words = name_words(name)
    together = "".join(words)
    return marked or bool(_WORDS.intersection(words)) or any(word in together for word in _RUN_TOGETHER)


_AGREEING = frozenset(
    "accept accepted accepts agree agreed approve approved consent consents confirm confirmed acknowledge "
    "acknowledged".split()
)
_LIMITING = frozenset("max maximum limit cap ceiling budget min minimum".split())
_MONEY = frozenset("charge charges cost costs credit credits dollar dollars eur price spend spending usd".split())


def is_consent(name: str) -> bool:
    """Whether a field agrees to something or bounds what is spent, by its name."""
    words = set(name_words(name))
    return bool(_AGREEING & words or (_LIMITING & words and _MONEY & words))


def without(payload: Any, operation: Operation | None = None, own: Iterable[str] = ()) -> tuple[Any, list[str]]:
    """A payload without such fields, and JSON Pointers to those that were in it.

    operation  whose contract may mark more callbacks than their names tell
    own        further names of such fields, as the service's descriptor knows them
    """
    dropped: list[str] = []
    marked: set[tuple] = _marked(operation)
    return _without(payload, marked, frozenset(own), (), "", dropped), dropped


def _without(value: Any, marked: set[tuple], own: frozenset[str], names: tuple, at: str, dropped: list[str]) -> Any:
    if isinstance(value, list):
        return [_without(item, marked, own, names, f"{at}/{number}", dropped) for number, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, item in value.items():
        here = f"{at}/{escaped(name)}"
        if name in own or is_callback(name, (*names, name) in marked) or is_consent(name):
            dropped.append(here)
        else:
            kept[name] = _without(item, marked, own, (*names, name), here, dropped)
    return kept


def _marked(operation: Operation | None) -> set[tuple]:
    """The names that lead to each marked field; none for a contract that cannot be read."""
    if operation is None:
        return set()
    try:
        return set(_marked_in(operation.fields(), ()))
    except ContractError:
        return set()


def _marked_in(rows: list[dict], names: tuple):
    for row in rows:
        if row.get("callback"):
            yield (*names, row["name"])
        yield from _marked_in(row.get("fields", []), (*names, row["name"]))
