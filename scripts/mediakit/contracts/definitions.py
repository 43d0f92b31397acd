"""The `$defs` of a self-contained schema: what a `$ref` names, and circles among them. Pure."""

from __future__ import annotations

from typing import Any

from ..base.pointer import escaped, unescaped
from .errors import ContractError

# Definitions that refer to each other about one and the same value.
MAX_CHAIN = 100

# Applied to the value itself: a circle through these alone would never reach a part of the value.
IN_PLACE_LISTS = ("allOf", "anyOf", "oneOf")
IN_PLACE_ONE = ("not", "if", "then", "else")

PREFIX = "#/$defs/"


def reference_to(name: str) -> str:
    """The `$ref` of a definition."""
    return PREFIX + escaped(name)


def name_of(reference: str) -> str:
    """The name of the definition that a `$ref` of `reference_to` means."""
    return unescaped(reference[len(PREFIX) :])


def definition(root: dict, reference: str) -> tuple[str, Any]:
    """The name and schema of a `$ref`."""
    name = name_of(reference)
    return name, root["$defs"][name]


def cut_circles(root: dict) -> None:
    """Take out circles that never reach a part of the value.

    A base class whose `oneOf` lists subclasses that each include the base by `allOf` is such a
    circle; its choice is dropped there and its discriminator stays. Where only `$ref` and `allOf`
    take part nothing can be dropped: ContractError `reference_circular`.
    """
    definitions = root.get("$defs", {})
    done: set[str] = set()
    for name in list(definitions):
        _walk_in_place(root, name, [], done)


def _walk_in_place(root: dict, name: str, path: list[str], done: set[str]) -> None:
    if name in path:
        circle = path[path.index(name) :]
        # A list, because each member must lose its choice, and not only the first that has one.
        if not any([_drop_choice(root["$defs"][member], circle) for member in circle]):  # noqa: C419
            raise ContractError("reference_circular", f"$ref leads in a circle: {' -> '.join([*circle, name])[:200]}.")
        return
    if name in done:
        return
    if len(path) > MAX_CHAIN:
        raise ContractError("document_too_deep", f"$ref leads on more than {MAX_CHAIN} times: {path[0][:80]} and on.")
    for target in _in_place_targets(root["$defs"][name]):
        _walk_in_place(root, target, [*path, name], done)
    done.add(name)


def _in_place_targets(schema: Any) -> list[str]:
    if not isinstance(schema, dict):
        return []
    found = [name_of(schema["$ref"])] if "$ref" in schema else []
    inner = [schema[key] for key in IN_PLACE_ONE if key in schema]
    for key in IN_PLACE_LISTS:
        inner += schema.get(key, ())
    inner += schema.get("dependentSchemas", {}).values()
    return found + [target for item in inner for target in _in_place_targets(item)]


def _drop_choice(schema: Any, circle: list[str]) -> bool:
    dropped = False
    for key in ("oneOf", "anyOf"):
        branches = schema.get(key, ()) if isinstance(schema, dict) else ()
        if any(target in circle for branch in branches for target in _in_place_targets(branch)):
            del schema[key]
            dropped = True
    return dropped
