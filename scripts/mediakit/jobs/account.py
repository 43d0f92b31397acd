"""What else can be done with an account: every service with its actions, as events.

services   every service with the names of its actions
listing    the actions of one service
"""

from __future__ import annotations

from ..console import Console
from ..services import actions, providers


def services(console: Console) -> int:
    """The result of a command that names no service."""
    known = [providers.load(name) for name in providers.names()]
    rows = [{"provider": one.name, "title": one.title, "actions": list(one.actions)} for one in known]
    return console.result("services", 0, services=rows)


def listing(console: Console, provider: providers.Provider) -> int:
    """The result of a command that names no action."""
    rows = [action.shown for action in actions.every(provider)]
    return console.result("actions", 0, provider=provider.name, actions=rows)
