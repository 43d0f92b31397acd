"""Lines that need the outputs of others, and shards of all lines. Pure.

problems   references that lead nowhere, and circles
misplaced  references that stand where they are only words
shard      the lines that one of several machines takes; a chain is never cut
"""

from __future__ import annotations

import hashlib

from ...base.text import texts_in
from .lines import FROM_LINE, Lines, Problem


def problems(lines: Lines) -> list[Problem]:
    known = {*lines.ids}
    found = [
        Problem(lines[index].number, f"there is no line with the id {parent}", lines.ids[index], "inputs")
        for index, parents in enumerate(lines.parents)
        for parent in parents
        if parent not in known
    ]
    circles = _in_circles(lines, known)
    return found + [
        Problem(lines[index].number, "it needs its own output: line:ID leads in a circle", name, "inputs")
        for index, name in enumerate(lines.ids if circles else ())
        if name in circles
    ]


def misplaced(lines: Lines) -> list[Problem]:
    """`line:ID` as a field of the request, where it is mere words; of `job:KEY` every create says so."""
    known = {*lines.ids}
    return [
        Problem(line.number, f'a reference is read in inputs alone: "inputs": {{"{name}": "{text}"}}', line.id, name)
        for line in lines
        for name, value in {**(line.payload or {}), **line.params}.items()
        for text in texts_in(value)
        if text.startswith(FROM_LINE) and text[len(FROM_LINE) :] in known
    ]


def _in_circles(lines: Lines, known: set[str]) -> set[str]:
    """What is left when every line whose parents are done is taken away, but for the children of circles."""
    left = {
        name: {parent for parent in parents if parent in known}
        for name, parents in zip(lines.ids, lines.parents)
        if parents
    }
    # Lines without parents are done at once.
    for parents in left.values():
        parents.intersection_update(left)
    _take_away(left)
    # The other way round: what nothing in the rest needs is only a child of a circle.
    needed_by: dict[str, set[str]] = {name: set() for name in left}
    for name, parents in left.items():
        for parent in parents:
            needed_by[parent].add(name)
    _take_away(needed_by)
    return {*needed_by}


def _take_away(waits_for: dict[str, set[str]]) -> None:
    """Take away what waits for nothing, until everything that is left waits for something that is left."""
    waiting: dict[str, list[str]] = {}
    for name, others in waits_for.items():
        for other in others:
            waiting.setdefault(other, []).append(name)
    free = [name for name, others in waits_for.items() if not others]
    while free:
        name = free.pop()
        del waits_for[name]
        for other in waiting.get(name, ()):
            waits_for[other].discard(name)
            if not waits_for[other]:
                free.append(other)


def shard(lines: Lines, index: int, count: int) -> Lines:
    """The lines of shard `index`, from 1, of `count`: by a hash of the line's id, or of the first of its chain."""
    if count == 1:
        return lines
    root = _roots(lines)
    return lines.only(at for at, name in enumerate(lines.ids) if _hash(root.get(name, name)) % count == index - 1)


def _roots(lines: Lines) -> dict[str, str]:
    """The id of the first line that each is connected with, of those that are with any."""
    order = {name: number for number, name in enumerate(lines.ids)}
    root: dict[str, str] = {}

    def top(name: str) -> str:
        while root.setdefault(name, name) != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    for name, parents in zip(lines.ids, lines.parents):
        for parent in parents:
            first, second = sorted((top(name), top(parent)), key=order.__getitem__)
            root[second] = first
    return {name: top(name) for name in [*root]}


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
