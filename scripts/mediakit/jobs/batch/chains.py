"""Lines that need the outputs of others, and shards of all lines. Pure.

problems   references that lead nowhere, and circles
misplaced  references that stand where they are only words
shard      the lines that one of several machines takes; a chain is never cut
"""

from __future__ import annotations

import hashlib

from ...base.text import texts_in
from .lines import Line, Problem


def problems(lines: list[Line]) -> list[Problem]:
    known = {line.id: line for line in lines}
    found = [
        Problem(line.number, f"there is no line with the id {parent}", line.id, "inputs")
        for line in lines
        for parent in line.parents
        if parent not in known
    ]
    return found + [
        Problem(line.number, "it needs its own output: line:ID leads in a circle", line.id, "inputs")
        for line in _in_circles(lines, known)
    ]


def misplaced(lines: list[Line]) -> list[Problem]:
    """`line:ID` as a field of the request, where it is mere words; of `job:KEY` every create says so."""
    known = {f"line:{line.id}" for line in lines}
    return [
        Problem(line.number, f'a reference is read in inputs alone: "inputs": {{"{name}": "{text}"}}', line.id, name)
        for line in lines
        for name, value in {**(line.payload or {}), **line.params}.items()
        for text in texts_in(value)
        if text in known
    ]


def _in_circles(lines: list[Line], known: dict[str, Line]) -> list[Line]:
    """What is left when every line whose parents are done is taken away, but for the children of circles."""
    left = {line.id: {parent for parent in line.parents if parent in known} for line in lines}
    _take_away(left)
    # The other way round: what nothing in the rest needs is only a child of a circle.
    needed_by: dict[str, set[str]] = {name: set() for name in left}
    for name, parents in left.items():
        for parent in parents:
            needed_by[parent].add(name)
    _take_away(needed_by)
    return [line for line in lines if line.id in needed_by]


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


def shard(lines: list[Line], index: int, count: int) -> list[Line]:
    """The lines of shard `index`, from 1, of `count`: by a hash of the line's id, or of the first of its chain."""
    root = _roots(lines)
    return [line for line in lines if _hash(root[line.id]) % count == index - 1]


def _roots(lines: list[Line]) -> dict[str, str]:
    """The id of the first line that each is connected with."""
    root = {line.id: line.id for line in lines}

    def top(name: str) -> str:
        while root[name] != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    order = {line.id: number for number, line in enumerate(lines)}
    for line in lines:
        for parent in line.parents:
            first, second = sorted((top(line.id), top(parent)), key=order.__getitem__)
            root[second] = first
    return {name: top(name) for name in root}


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
