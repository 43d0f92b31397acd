"""Fields that make a service call an address somewhere: webhooks and the like. Pure.

Whoever can set one learns what was made, and where. So they are taken from a flag, and never from a record
or a list that a stranger may have written.
"""

from __future__ import annotations

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


def without(payload: Any, operation: Operation | None = None) -> tuple[Any, list[str]]:
    """A payload without such fields, and JSON Pointers to those that were in it.

    operation  whose contract may mark more of them than their names tell
    """
    dropped: list[str] = []
    return _without(payload, _marked(operation), (), "", dropped), dropped


def _without(value: Any, marked: set[tuple], names: tuple, at: str, dropped: list[str]) -> Any:
    if isinstance(value, list):
        return [_without(item, marked, names, f"{at}/{number}", dropped) for number, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, item in value.items():
        here = f"{at}/{escaped(name)}"
        if is_callback(name, (*names, name) in marked):
            dropped.append(here)
        else:
            kept[name] = _without(item, marked, (*names, name), here, dropped)
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
