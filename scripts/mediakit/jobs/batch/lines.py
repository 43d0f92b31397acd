"""The lines of a batch, and the forms that they come in.

Line        one line, checked for its form
Lines       all of them, of which few are in memory
Problem     what is wrong with one; invalid: the Failure of many
from_jsonl, from_csv   (Lines, problems) of a text that can be read again from its start
matrix      every combination of prompts, models and values, as lines; size_of, nearly_range: whether it may be
as_object   a line as the JSON object that says the same
"""

from __future__ import annotations

import csv
import itertools
import json
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any, TextIO

from ...base import documents, errors
from ...base.record import field, record, replace
from ...base.regex import regex
from ...base.spool import Records
from ...base.text import can_be_sent, plain
from ...media import names

LONGEST_ID = 200
MOST_LINES = 100_000
_LARGEST_CELL = 16 * 1024 * 1024
FROM_LINE = "line:"
_RANGE = regex(r"(-?\d{1,9})\.\.(-?\d{1,9})")
# What somebody may have meant as one: it would be bought as words.
_NEARLY_RANGE = regex(r"\s*[-+]?\d[\d.]*\s*\.\.+[\s\d.+-]*")
# What --expand-only writes beside a line's own fields.
_OF_EVENTS = ("event", "time", "line")
_SHARED = ("provider", "model", "task")
# Blanks around them say nothing in a cell.
_NAMES = frozenset(("id", *_SHARED))


@record
class Line:
    """number is where it stands, from 1; `inputs` are (field, source) in their order."""

    number: int
    id: str
    provider: str | None = None
    model: str | None = None
    task: str | None = None
    prompt: str | None = None
    params: dict = field(default_factory=dict)
    inputs: tuple[tuple[str, str], ...] = ()
    payload: dict | None = None
    output_name: str | None = None

    @property
    def parents(self) -> list[str]:
        """The ids of the lines whose outputs it takes."""
        found = [source[len(FROM_LINE) :] for _, source in self.inputs if source.startswith(FROM_LINE)]
        return list(dict.fromkeys(found))

    def inputs_with(self, jobs: dict[str, str]) -> tuple[tuple[str, str], ...]:
        """Its inputs with the job of a line in place of the line; `jobs` has the keys by the lines' ids."""
        return tuple(
            (name, f"job:{jobs[source[len(FROM_LINE) :]]}" if source.startswith(FROM_LINE) else source)
            for name, source in self.inputs
        )


_FIELDS = Line._fields  # type: ignore[attr-defined]


class Lines:
    """Lines in their order. Of each its id and what it waits for is in memory; the rest is read whenever it is asked for.

    ids      of all
    parents  of each the ids of the lines whose outputs it takes
    places   where each stood among all lines, from 0
    add      one more
    only     those at some places
    """

    def __init__(self, lines: Iterable[Line] = ()):
        self.ids: list[str] = []
        self.parents: list[tuple[str, ...]] = []
        self.places = array("q")
        self._records = Records()
        for line in lines:
            self.add(line)

    def add(self, line: Line) -> None:
        self.ids.append(line.id)
        self.parents.append(tuple(line.parents))
        values = [getattr(line, name) for name in _FIELDS]
        self.places.append(self._records.add(json.dumps(values, separators=(",", ":")).encode()))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Line:
        said = dict(zip(_FIELDS, json.loads(self._records[self.places[index]])))
        for name in _SHARED:  # thousands of lines name the same few
            if said[name] is not None:
                said[name] = sys.intern(said[name])
        return Line(**{**said, "inputs": tuple(map(tuple, said["inputs"]))})

    def __iter__(self) -> Iterator[Line]:
        return map(self.__getitem__, range(len(self)))

    def only(self, places: Iterable[int]) -> Lines:
        some = Lines()
        some._records = self._records
        for place in places:
            some.ids.append(self.ids[place])
            some.parents.append(self.parents[place])
            some.places.append(self.places[place])
        return some


@record
class Problem:
    """`field` is None for the line as a whole."""

    line: int
    message: str
    id: str | None = None
    field: str | None = None

    @property
    def told(self) -> dict:
        """As an event tells it."""
        path = f"line {self.line}" + (f": {self.field}" if self.field else "")
        return {"path": path, "message": self.message, "line": self.line, **({"id": self.id} if self.id else {})}


def invalid(problems: list[Problem]) -> errors.Failure:
    """The Failure 22 that tells all of them."""
    problems = sorted(problems, key=lambda problem: problem.line)
    bad = len({problem.line for problem in problems})
    first = problems[0].told
    return errors.Failure(
        "lines_invalid",
        f"{bad} line{'s' if bad > 1 else ''} cannot be used; {first['path']}: {first['message']}",
        "validation",
        outcome="not_sent",
        retryable=False,
        problems=[problem.told for problem in problems],
        guidance=["Nothing was sent. Change what `problems[]` names, then run the same again."],
    )


class _Wrong(Exception):
    def __init__(self, name: str | None, words: str):
        super().__init__(words)
        self.name, self.words = name, words


# -- JSON lines ----------------------------------------------------------------------------------------


def from_jsonl(text: TextIO) -> tuple[Lines, list[Problem]]:
    """One JSON object a line; empty lines do not count as lines of the batch, but in their numbers."""
    if _is_one_list(text):
        words = "expected an object a line, not one list of all; `jq -c '.[]'` makes lines of a list"
        return Lines(), [Problem(1, words)]
    return _collected((number, raw, _object) for number, raw in enumerate(text, 1) if raw.strip())


def _is_one_list(text: TextIO) -> bool:
    """Whether a file is a list of objects, as whoever has not read of lines would write it."""
    if not _first_line(text).startswith("["):
        return False
    try:
        found = documents.written(text.read())
    except (ValueError, RecursionError):
        return False
    finally:
        text.seek(0)
    return isinstance(found, list) and bool(found) and all(isinstance(one, dict) for one in found)


def _first_line(text: TextIO) -> str:
    """What the first line that is not empty begins with; the text is at its start again."""
    first = next((line for line in text if line.strip()), "")
    text.seek(0)
    return first.lstrip()


def _object(raw: str) -> dict | None:
    try:
        value = documents.written(raw)
    except (ValueError, RecursionError) as problem:
        where = f"column {problem.colno}" if isinstance(problem, json.JSONDecodeError) else plain(str(problem), 80)
        words = str(problem) if isinstance(problem, documents.NameTwice) else f"expected a JSON object ({where})"
        raise _Wrong(None, words) from None
    if not isinstance(value, dict):
        raise _Wrong(None, 'expected a JSON object, such as {"prompt": "…"}')
    if value.get("event") == "expanded":
        return None  # the result of --expand-only
    if value.get("event") == "line":
        value = {name: inner for name, inner in value.items() if name not in _OF_EVENTS}
    return value


# -- CSV -----------------------------------------------------------------------------------------------


def from_csv(text: TextIO) -> tuple[Lines, list[Problem]]:
    """A head of names, then a line each. A name that is no field of a line is one of the request; `params.NAME` and
    `inputs.NAME` say which for any name. An empty cell says nothing."""
    csv.field_size_limit(_LARGEST_CELL)  # of this process, which reads no other
    rows = csv.reader(text, strict=True, delimiter=_delimiter(text))
    try:
        head = next((row for row in rows if any(cell.strip() for cell in row)), [])
    except csv.Error as problem:
        return Lines(), [Problem(1, f"expected CSV: {problem}")]
    places = [_place(name.strip()) for name in head]
    twice = next((name for name, place in zip(head, places) if place and places.count(place) > 1), None)
    if twice is not None or not any(places):
        words = (
            "expected a head with the names of the columns" if twice is None else f"{plain(twice, 60)} is given twice"
        )
        return Lines(), [Problem(1, words)]
    return _collected(_rows(rows, lambda cells: _of_cells(places, cells)))


def _delimiter(text: TextIO) -> str:
    """What stands between the cells: where commas are for decimals, programs write semicolons. Excel's own word for it,
    a first line such as `sep=;`, is read away."""
    first = _first_line(text)
    if first.lower().startswith("sep=") and len(first.rstrip("\r\n")) == len("sep=,"):
        text.readline()
        return first[len("sep=")]
    plain_part = "".join(first.split('"')[::2])  # what is not in quotes
    return max(",;\t", key=plain_part.count)


def _rows(rows, read: Callable) -> Iterator[tuple[int, list[str], Callable]]:
    for number in itertools.count(1):
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as problem:
            yield number, [str(problem)], _broken
            return
        if any(cell.strip() for cell in row):
            yield number, row, read


def _broken(words: list[str]) -> dict:
    raise _Wrong(None, f"expected CSV: {words[0]}")


def _place(name: str) -> tuple[str, ...]:
    """Where the cells of a column belong, by its name: a field of a line, or a group of one and what of it. A line's own
    fields are known however a spreadsheet spells them (`Prompt`, `ID`); every other name is one of the request."""
    group, _, inner = name.partition(".")
    if group.lower() in ("params", "inputs") and inner:
        return group.lower(), inner
    if name.lower() in READERS:
        return (name.lower(),)
    return ("params", name) if name else ()


def _inputs_of(cell: str):
    """A file, or several as a JSON list."""
    if cell.lstrip().startswith("["):
        found = _json_or_text(cell)
        if isinstance(found, list):
            return found
    return cell


def _of_cells(places: list[tuple[str, ...]], cells: list[str]) -> dict:
    if len(cells) > len(places):
        raise _Wrong(None, f"expected at most {len(places)} cells")
    found: dict = {}
    for place, cell in zip(places, cells):
        if not cell.strip():
            continue
        if not place:
            raise _Wrong(None, "a cell stands in a column without a name")
        name, *inner = place
        if inner:
            _add(found, name, {inner[0]: _inputs_of(cell) if name == "inputs" else _json_or_text(cell)})
        elif name in ("params", "inputs", "payload"):
            _add(found, name, _object(cell) or {})
        else:
            found[name] = cell.strip() if name in _NAMES else cell
    return found


def _add(found: dict, group: str, more: dict) -> None:
    """Several columns can say something of one group, but not of the same name in it."""
    known = found.setdefault(group, {})
    twice = next((name for name in more if name in known), None)
    if twice is not None:
        raise _Wrong(group, f"{plain(twice, 60)} is given twice")
    known.update(more)


def _json_or_text(text: str):
    try:
        return documents.written(text)
    except documents.NameTwice as problem:
        raise _Wrong(None, str(problem)) from None
    except (ValueError, RecursionError):
        return text


# -- matrix --------------------------------------------------------------------------------------------


def matrix(prompts: list[str], models: list[str], parameters: dict) -> Iterator[Line]:
    """A line for each prompt with each model with each value of the parameters that are ranges (`1..8`)."""
    spread = {name: values for name, value in parameters.items() if (values := _range(value))}
    choices: list[Any] = [*models] or [None]
    combined = itertools.product(prompts, choices, *spread.values())
    for number, (prompt, model, *values) in enumerate(combined, 1):
        yield Line(number, str(number), prompt=prompt, model=model, params=dict(zip(spread, values)))


def size_of(prompts: list[str], models: list[str], parameters: dict) -> int:
    """How many lines that makes."""
    size = len(prompts) * max(len(models), 1)
    for value in parameters.values():
        size *= len(_range(value)) or 1
    return size


def nearly_range(value) -> bool:
    """Whether a value looks like a range, and is none."""
    return isinstance(value, str) and not _RANGE.fullmatch(value) and bool(_NEARLY_RANGE.fullmatch(value))


def _range(value) -> range:
    found = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if not found:
        return range(0)
    first, last = int(found[1]), int(found[2])
    return range(first, last + 1) if first <= last else range(first, last - 1, -1)


def as_object(line: Line) -> dict:
    """Without what it does not say."""
    inputs: dict = {}
    for name, source in line.inputs:
        inputs.setdefault(name, []).append(source)
    told = {
        "id": line.id, "provider": line.provider, "model": line.model, "task": line.task, "prompt": line.prompt,
        "params": line.params or None, "payload": line.payload, "output_name": line.output_name,
        "inputs": {name: found[0] if len(found) == 1 else found for name, found in inputs.items()} or None,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


# -- one line ------------------------------------------------------------------------------------------


def _collected(found: Iterable[tuple[int, Any, Callable]]) -> tuple[Lines, list[Problem]]:
    """The lines of `(number, raw, (raw) -> object or None)`, and what is wrong with the others."""
    lines = Lines()
    problems: list[Problem] = []
    numbers: dict[str, int] = {}
    for number, raw, read in found:
        try:
            if not all(map(can_be_sent, [raw] if isinstance(raw, str) else raw)):
                raise _Wrong(None, "expected text in UTF-8")
            value = read(raw)
            if value is None:
                continue
            line = _line(number, value)
            if line.id in numbers:
                raise _Wrong("id", f"the same as in line {numbers[line.id]}; expected one of its own")
            numbers[line.id] = number
            lines.add(line)
        except _Wrong as wrong:
            problems.append(Problem(number, wrong.words, field=wrong.name))
    return lines, problems


def _line(number: int, value: dict) -> Line:
    unknown = [name for name in value if name not in READERS]
    if unknown:
        near = get_close_matches(unknown[0], READERS, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; a line has {', '.join(READERS)}"
        raise _Wrong(plain(unknown[0], 60), f"no field of a line{hint}")
    given: dict[str, Any] = {
        name: read(name, value[name]) for name, read in READERS.items() if value.get(name) is not None
    }
    return replace(Line(number, str(number)), **given)


def _text(name: str, value) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong(name, "expected a text that is not empty")
    return value


def _id(name: str, value) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not (isinstance(text, str) and text.strip() and len(text) <= LONGEST_ID and text.isprintable()):
        raise _Wrong(name, f"expected a name of 1 to {LONGEST_ID} printable characters, or a number")
    return text


def _mapping(name: str, value) -> dict:
    if not isinstance(value, dict):
        raise _Wrong(name, "expected an object")
    return value


def _inputs(name: str, value) -> tuple[tuple[str, str], ...]:
    found = []
    for field_name, sources in _mapping(name, value).items():
        for source in sources if isinstance(sources, list) else [sources]:
            if not isinstance(source, str) or not source.strip():
                raise _Wrong(f"{name}.{plain(field_name, 60)}", "expected a path, an address, job:KEY or line:ID")
            if source == "-":
                raise _Wrong(f"{name}.{plain(field_name, 60)}", "expected a file: a line cannot read standard input")
            found.append((field_name, source))
    return tuple(found)


def _output_name(name: str, value) -> str:
    try:
        return names.check(_text(name, value))
    except ValueError as problem:
        raise _Wrong(name, str(problem)) from None


READERS = {
    "id": _id, "provider": _text, "model": _text, "task": _text, "prompt": _text, "params": _mapping,
    "inputs": _inputs, "payload": _mapping, "output_name": _output_name,
}  # fmt: skip
