"""Which field of a request a file goes to: by the field's name, by the file's kind, or by its role."""

from __future__ import annotations

import re

from ..base import errors
from ..base.pointer import escaped, tokens
from ..base.regex import regex
from ..base.text import plain
from ..contracts.files import kind_named
from .descriptor import Route
from .model_contract import row_at, rows_at

# What --input can name in place of a field: the kind of file that a field takes.
KINDS = ("image", "video", "audio")

# What a file's field says in its name: what opens a video, and what is no source by itself.
_OPENS = regex(r"(first|start|opening)_?(frame|image|picture)", re.I)
_IS_BESIDE = regex(r"mask|end_?(frame|image)|last_?(frame|image)|image_tail|reference|(^|_)refs?(_|$)", re.I)


class FileFields:
    """The fields for files of one model on one route.

    rows   the fields of its contract; empty where none is known
    entry  what the catalogue has of the model
    is_all whether the descriptor is all that anybody says of the service
    """

    def __init__(self, route: Route, rows: list[dict], entry: dict, is_all: bool):
        self._route = route
        self._rows = rows
        self._fields = rows_at(rows, route.fields)
        self._entry = entry
        self._is_all = is_all

    def of(self, name: str) -> tuple[str, dict]:
        """`(where it goes, the contract's row of it)` of the field that `--input NAME=` means."""
        name = self._entry.get("inputs", {}).get(name, name)
        for at, rows in ((self._route.fields, self._fields), ("", self._rows)):
            row = next((row for row in rows if row["name"] == name), None)
            if row is not None:
                return f"{at}/{escaped(name)}{'/-' if _is_list(row) else ''}", row
        if name not in KINDS:
            return f"{self._route.fields}/{escaped(name)}", {"name": name}
        if self._route.file is not None and self._takes(self._route.file.removesuffix("/-"), name):
            row = row_at(self._rows, self._route.file.removesuffix("/-"))
            return self._route.file, {"takes_file": name, **(row or {})}
        if not self._rows:
            raise errors.bad_argument(
                "--input", f"which field of this model takes {name} is not known; expected its name in place of {name}"
            )
        row = only_field_of_kind(name, self._fields)
        return f"{self._route.fields}/{escaped(row['name'])}{'/-' if _is_list(row) else ''}", row

    def _takes(self, at: str, kind: str) -> bool:
        """Whether a route's field for files is the one in which this model takes a file of this kind."""
        row = row_at(self._rows, at)
        if row or any(row.get("takes_file") == kind for row in self._fields):
            return bool(row) and row.get("takes_file", kind) == kind
        named = kind_named(tokens(at)[-1])
        is_heard = named == "audio" and kind == "video" and {"stt", "sts"} & set(self._route.tasks)
        if named not in (None, "file", kind) and not is_heard:
            return False
        # Among a model's own fields it is a guess where the service's models are known, and this one is not.
        own = f"{self._route.fields}/"
        is_own = at.startswith(own) and (own != "/" or "{model}" in self._route.path)
        return not is_own or bool(self._rows or self._entry or self._is_all)


def _is_list(row: dict) -> bool:
    return str(row.get("type", "")).startswith("array")


def only_field_of_kind(kind: str, rows: list[dict]) -> dict:
    """The field that a file of a kind goes to, where nothing but its kind is said; raises Failure 2 for none or several.

    Of several: the one that must be there; else the one that opens a video; else the one that is neither an end, a
    mask nor a reference, and for a single file rather than a list.
    """
    fitting = [row for row in rows if row.get("takes_file") == kind]
    main = [row for row in fitting if not _IS_BESIDE.search(row["name"])]
    choices = (
        fitting,
        [row for row in fitting if row["required"]],
        [row for row in main if _OPENS.match(row["name"])],
        main,
        [row for row in main if not _is_list(row)],
    )
    chosen = next((rows[0] for rows in choices if len(rows) == 1), None)
    if chosen is not None:
        return chosen
    if not fitting:
        takes = ", ".join(f"{row['name']} ({row['takes_file']})" for row in rows if row.get("takes_file"))
        raise errors.bad_argument(
            "--input", f"no field of this model is known to take {kind}; " + (f"known: {takes}" if takes else "name it")
        )
    names = ", ".join(row["name"] for row in fitting)
    raise errors.bad_argument("--input", f"several fields take {kind}: {names}; expected one of them as NAME")


def parts_of_role(name: str) -> tuple[str, int | None, str | None]:
    """ROLE[@NUMBER][:MORE] as `(role, number, what else it says)`."""
    found = re.fullmatch(r"([^@:]+)(?:@(\d{1,3}))?(?::(\w{1,40}))?", name)
    return (found[1], found[2] and int(found[2]), found[3]) if found else (name, None, None)


def add_reference(payload: dict, named: tuple[str, int | None, str | None], value: str, roles: dict) -> None:
    """One more reference in its role: one that opens a group has the next number, another one joins the last group.

    named  the role, with the number and the task or inner number where they are given
    """
    role, at, more = named
    before = payload.get(roles["field"], [])
    if not isinstance(before, list) or not all(_is_reference(one, roles) for one in before):
        raise errors.bad_argument("--input", f"{roles['field']} is given already, and is no list of references")
    rules = roles["names"][role]
    counted, task = rules.get("counted"), rules.get("task")
    last = max((one[roles["number"]] for one in before), default=-1)
    if counted is None:
        numbers: dict = {roles["number"]: last + 1 if at is None else at}
    elif last < 0 and at is None:
        raise errors.bad_argument("--input", f"{role} belongs to a reference that must be given before it")
    else:
        group = last if at is None else at
        number = sum(one.get(roles["role"]) == role and one.get(roles["number"]) == group for one in before)
        numbers = {roles["number"]: group, counted: number}
    if more is not None:
        key = counted or task
        if key is None or (key == counted and not more.isdecimal()):
            told = f"{role}: expected " + (f"a number after the colon, not {plain(more, 40)}" if key else "no colon")
            raise errors.bad_argument("--input", told)
        numbers[key] = int(more) if key == counted else more
    payload[roles["field"]] = [*before, {roles["value"]: value, roles["role"]: role, **numbers}]


def _is_reference(one, roles: dict) -> bool:
    return isinstance(one, dict) and type(one.get(roles["number"])) is int
