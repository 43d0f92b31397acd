"""Where the lines of a batch come from.

Source     the lines, and the name of the batch
read       the Source that the flags name
completed  lines of a matrix that say everything themselves
"""

from __future__ import annotations

import hashlib
import os

from ...base import errors, paths
from ...base.record import record, replace
from ...base.text import lines_of
from ...console import inputs
from ...services.payloads import Content
from . import lines
from .lines import Line, Problem

_FORMS = {"jsonl": "JOBS", "csv": "--csv", "prompts": "--prompts"}


@record
class Source:
    """Where the lines come from.

    name    of the batch, by which the ledger knows its lines again
    folder  where the results go that no flag names a folder for
    path    None for standard input
    again   the words that run the same again; None where they would tell what was asked for
    """

    lines: list[Line]
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
    text = inputs.read_text(_FORMS[form], path)
    place = None if path == "-" else os.path.abspath(paths.expand(path))
    stem = os.path.splitext(os.path.basename(place))[0] if place else "batch"
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


def _matrix(text: str, models: str | None, content: Content) -> tuple[list[Line], Content]:
    prompts = [line.strip() for line in lines_of(text) if line.strip()]
    named = [model.strip() for model in models.split(",")] if models is not None else []
    if not all(named) or len(set(named)) < len(named):
        raise errors.bad_argument("--models", "expected models with a comma between them, each once")
    if lines.size_of(prompts, named, content.parameters) > lines.MOST_LINES:
        raise errors.bad_argument("--param", f"expected a matrix of at most {lines.MOST_LINES} lines")
    found = lines.matrix(prompts, named, content.parameters)
    spread = {name for line in found[:1] for name in line.params}
    rest = {name: value for name, value in content.parameters.items() if name not in spread}
    return found, replace(content, parameters=rest)


def completed(source: Source, content: Content, provider: str | None, model: str | None, task: str | None) -> Source:
    """The Source of a matrix whose lines say what the flags say, so that they can be run without them."""
    found = [
        replace(
            line,
            provider=provider,
            model=line.model or model,
            task=task,
            params={**content.parameters, **line.params},
            inputs=content.inputs,
            payload=content.payload,
        )
        for line in source.lines
    ]
    return replace(source, lines=found)
