"""The user's own services, as events: what there is, whether a descriptor is good, adding and removing one."""

from __future__ import annotations

import json

from ..base import errors, paths
from ..console import Console
from ..console.commands import command_line
from ..services import catalogue, examine, own, providers

_LONGEST_LIST = 100


def listing(console: Console) -> int:
    """Every service: what it does, and whether it came with the skill."""
    rows = [_row(name) for name in providers.known()]
    return console.result("services", 0, services=rows[:_LONGEST_LIST])


def _row(name: str) -> dict:
    why = own.trouble(name)
    if why:
        return {"provider": name, "own": True, "usable": False, "message": why}
    provider = providers.load(name)
    is_own = name not in providers.bundled()
    return {
        "provider": name,
        "title": provider.title,
        "own": is_own,
        "usable": True,
        "tasks": list(catalogue.defaults(provider.speaks)),
        "key_variable": provider.key["variable"] if provider.key else None,
        "file": own.path_of(name) if is_own else None,
    }


def check(console: Console, path: str) -> int:
    """Whether a descriptor can be added, and what a better one would say; Failure 22 is not raised, but told."""
    content = _content(path)
    flaws = examine.flaws(content)
    problems = [{"path": one.path, "line": one.line, "message": one.message, "file": path} for one in flaws]
    if problems:
        return console.result("validation", 22, ok=False, problems=problems)
    data = json.loads(content)
    return console.result("validation", 0, ok=True, problems=[], lacks=examine.lacks(data), **_about(data))


def add(console: Console, path: str, confirmed: bool) -> int:
    """Keep a descriptor for this user; without `confirmed` only what it would be sent is told."""
    content = _content(path)
    flaws = examine.flaws(content)
    if flaws:
        raise _not_good(path, flaws)
    data = json.loads(content)
    name = data["id"]
    told = {**_about(data), "sha256": own.digest(content), "lacks": examine.lacks(data)}
    if not confirmed:
        again = command_line("services.py", "add", paths.whole(path), "--confirm", with_state=False)
        return console.result("service", 0, added=False, needs_approval=True, effect="no_spend", **told, **again)
    try:
        kept = own.add(name, content)
    except OSError as problem:
        raise errors.bad_argument("add", f"it cannot be kept in {own.folder()}: {problem.strerror}") from None
    return console.result(
        "service", 0, added=True, file=kept, effect="no_spend", **told,
        **command_line("preflight.py", "--provider", name),
    )  # fmt: skip


def remove(console: Console, name: str) -> int:
    """Give up a service of the user's own."""
    if name not in own.names():
        has = ", ".join(own.names()) or "none was added"
        raise errors.bad_argument("remove", f"expected the id of a service that you have added: {has}")
    try:
        own.remove(name)
    except OSError as problem:
        raise errors.bad_argument("remove", f"it cannot be removed from {own.folder()}: {problem.strerror}") from None
    return console.result("service", 0, provider=name, removed=True, effect="no_spend")


def _about(data: dict) -> dict:
    """Where requests would go, and what they would carry."""
    key = data["key"] if isinstance(data["key"], dict) else None
    return {
        "provider": data["id"],
        "title": data["name"],
        "origins": list(data["origins"].values()),
        "key": key and {"variables": examine.variables(data), "header": key["header"]},
    }


def _content(path: str) -> bytes:
    try:
        with paths.open_to_read(paths.expand(path)) as file:
            content = file.read(own.LARGEST + 1)
    except (OSError, ValueError) as problem:
        words = getattr(problem, "strerror", None) or "it cannot be read"
        raise errors.bad_argument("FILE", f"expected a descriptor that can be read, not {path}: {words}") from None
    if len(content) > own.LARGEST:
        raise errors.bad_argument("FILE", f"expected at most {own.LARGEST} bytes")
    return content


def _not_good(path: str, flaws: list[examine.Flaw]) -> errors.Failure:
    first = flaws[0]
    return errors.Failure(
        "invalid_descriptor",
        f"{path}, line {first.line}: {first.path or 'the file'} {first.message}",
        "validation",
        field="FILE",
        problems=[{"path": one.path, "line": one.line, "message": one.message} for one in flaws],
        guidance=["Nothing was added. services.py check FILE shows everything that is wrong."],
    )
