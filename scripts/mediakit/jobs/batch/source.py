"""Where the lines of a batch come from.

Source     the lines, and the name of the batch
read       the Source that the flags name
completed  lines of a matrix that say everything themselves
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import TextIO

from ...base import errors, paths
from ...base.record import record, replace
from ...base.text import can_be_sent, plain
from ...console import inputs
from ...services.payloads import Content
from . import lines
from .lines import Line, Lines, Problem

_FORMS = {"jsonl": "JOBS", "csv": "--csv", "prompts": "--prompts"}
# Where their lines end, as for open(): prompts at every end that any system writes, cells where csv says.
_ENDS = {"jsonl": "\n", "csv": "", "prompts": None}


@record
class Source:
    """Where the lines come from.

    name    of the batch, by which the ledger knows its lines again
    folder  where the results go that no flag names a folder for
    path    None for standard input
    again   the words that run the same again; None where they would tell what was asked for
    """

    lines: Lines
    problems: list[Problem]
    name: str
    folder: str
    path: str | None
    again: tuple[str, ...] | None = None


def read(given: dict[str, str | None], models: str | None, content: Content, intent: str | None):
    """`(Source, Content)`: what the flags say for each line, without the ranges of a matrix, which are in its lines.

    given   form ("jsonl", "csv", "prompts") -> path, `-` for standard input; None for those that were not given
    intent  the name that the user has given to the batch
    """
    named = [(form, path) for form, path in given.items() if path is not None]
    if len(named) != 1:
        raise errors.bad_argument("JOBS", "expected one of a file of lines, --csv and --prompts")
    ((form, path),) = named
    if models is not None and form != "prompts":
        raise errors.bad_argument("--models", "expected with --prompts: they make a matrix")
    text = inputs.open_text(_FORMS[form], path, _ENDS[form])
    place = None if path == "-" else paths.whole(path)
    stem = os.path.splitext(os.path.basename(place))[0] if place else "batch"
    with text:
        if form == "prompts":
            found, content = _matrix(text, models, content)
            problems: list[Problem] = []
        else:
            found, problems = (lines.from_csv if form == "csv" else lines.from_jsonl)(text)
    source = Source(found, problems, intent or _name_of(form, place), f"{stem}-results", place)
    return source, content


def _name_of(form: str, place: str | None) -> str:
    where = os.path.realpath(place) if place else "-"
    return hashlib.sha256(f"{form} {where}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _matrix(text: TextIO, models: str | None, content: Content) -> tuple[Lines, Content]:
    numbered = [(number, line.strip()) for number, line in enumerate(text, 1) if line.strip()]
    for number, prompt in numbered:
        if not can_be_sent(prompt):
            raise errors.bad_argument("--prompts", f"expected text in UTF-8; line {number} is not")
    prompts = [prompt for _, prompt in numbered]
    named = [model.strip() for model in models.split(",")] if models is not None else []
    if not all(named) or len(set(named)) < len(named):
        raise errors.bad_argument("--models", "expected models with a comma between them, each once")
    for name, value in content.parameters.items():
        if lines.nearly_range(value):
            raise errors.bad_argument("--param", f"expected a range of whole numbers, such as {plain(name, 60)}=1..8")
    if lines.size_of(prompts, named, content.parameters) > lines.MOST_LINES:
        raise errors.bad_argument("--param", f"expected a matrix of at most {lines.MOST_LINES} lines")
    found = Lines(lines.matrix(prompts, named, content.parameters))
    spread = {*found[0].params} if len(found) else set()
    rest = {name: value for name, value in content.parameters.items() if name not in spread}
    return found, replace(content, parameters=rest)


def completed(source: Source, content: Content, provider: str | None, model: str | None, task: str | None) -> Source:
    """The Source of a matrix whose lines say what the flags say, so that they can be run without them."""
    return replace(source, lines=Lines(_completed(source.lines, content, provider, model, task)))


def _completed(found: Lines, content: Content, provider, model, task) -> Iterator[Line]:
    for line in found:
        yield replace(
            line,
            provider=provider,
            model=line.model or model,
            task=task,
            params={**content.parameters, **line.params},
            inputs=content.inputs,
            payload=content.payload,
        )
