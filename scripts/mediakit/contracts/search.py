"""Operations by what is needed of them: words in names, fields and descriptions, or a field that they have. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..base.regex import regex
from .errors import ContractError
from .names import plain_name
from .rows import one_line
from .schemas import parts

if TYPE_CHECKING:
    from .operations import Operation

MAX_MATCHES = 4
MAX_VALUES = 12

_DENIED = regex(r"\b(?:not (?:for|with|of)|without|no)\s+[\w-]+", re.I)
_SAYS_NOTHING = frozenset(
    "a an and any are as at by can do for from has have i in is it its make model models need of on one or some"
    " that the to use want which with without".split()
)
# What people say -> what contracts say.
_ALSO = {
    "sound": ("audio",), "music": ("audio",), "voice": ("speech", "audio"), "speech": ("voice", "tts"),
    "picture": ("image",), "photo": ("image",), "movie": ("video",), "clip": ("video",), "film": ("video",),
    "lip": ("lipsync", "lip-sync"), "lips": ("lipsync", "lip-sync"), "long": ("duration",), "length": ("duration",),
    "seconds": ("duration",), "size": ("resolution", "aspect_ratio"), "landscape": ("aspect_ratio",),
    "portrait": ("aspect_ratio",), "transparent": ("background",),
}  # fmt: skip


def words_of(text: str) -> list[tuple[str, ...]]:
    """The words of a need that say something, each with others that mean it."""
    found = [word for word in re.findall(r"[^\s,;]+", text.lower()) if word not in _SAYS_NOTHING]
    return [(word, *_ALSO.get(word, _ALSO.get(word.rstrip("s"), ()))) for word in found]


def matches(words: list[tuple[str, ...]], own: str, operation: Operation | None) -> list[str] | None:
    """The fields that speak of what is needed; None where a word is spoken of nowhere.

    own  what is known of the operation beside its contract, in lower case
    """
    fields = _described(operation) if operation is not None and words else {}
    # What this one is called among all that share a contract says nothing of it.
    fields = {name: text for name, text in fields.items() if operation is None or name not in operation.fixed}
    found: dict[str, None] = {}
    for meanings in words:
        here = [name for name, text in fields.items() if any(_holds(text, word) for word in meanings)]
        if not here and not any(_holds(own, word) for word in meanings):
            return None
        found.update(dict.fromkeys(here) if not _holds(own, meanings[0]) else {})
    return list(found)[:MAX_MATCHES]


def _holds(text: str, word: str) -> bool:
    """Whether a word stands in a text: a short one as a whole, a longer one also inside another."""
    if len(word) > 3:
        return word in text or (word.endswith("s") and word[:-1] in text)
    return re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", text) is not None


def _described(operation: Operation) -> dict[str, str]:
    """Field -> all that the contract says of it, in lower case; empty for a contract that cannot be read."""
    try:
        schema = operation.schema
    except ContractError:
        return {}
    found: dict[str, str] = {}
    for name, item in parts(schema):
        if name is not None:
            found[name] = f"{found.get(name, '')} {_words(name, item)}"
    return found


def _words(name: str, schema: Any) -> str:
    texts = [name, name.replace("_", " ")]
    if isinstance(schema, dict):
        texts += [_DENIED.sub(" ", schema[key][:2_000]) for key in ("title", "description") if key in schema]
        values = [*schema.get("enum", ()), *schema.get("x-known-values", ())]
        texts += [value[:60] for value in values[:60] if isinstance(value, str)]
    return " ".join(texts).lower()


def field_of(operation: Operation, name: str) -> dict | None:
    """What a contract says of the field of that name, wherever in the body it is; None where it has none.

    The row of rows.py without what is common to all: {path (where it is not at the root), type, required?,
    default?, allowed_values?, min?, max?, …, description}.
    """
    try:
        wanted = [plain_name(part) for part in re.split(r"[./]", name) if part]
        found = _row(operation.fields(), wanted[-1] if wanted else "", tuple(wanted[:-1]), ())
    except ContractError:
        return None
    if found is None:
        return None
    path, row = found
    shown = {key: value for key, value in row.items() if key not in ("name", "fields", "description", "required")}
    for key in ("allowed_values", "known_values"):
        if len(shown.get(key, ())) > MAX_VALUES:
            shown.update({"more_values": len(shown[key]) - MAX_VALUES, key: shown[key][:MAX_VALUES]})
    more: dict[str, Any] = {"required": True} if row["required"] else {}
    if len(path) > 1 or path[0] != name:
        more["path"] = ".".join(path)
    says_all = shown.keys() & {"allowed_values", "known_values", "min", "max"} or shown.get("type") == "boolean"
    if not says_all and row.get("description"):
        more["description"] = one_line(row["description"], 80)
    return {**more, **shown}


def _row(
    rows: list[dict], wanted: str, within: tuple[str, ...], path: tuple[str, ...]
) -> tuple[tuple[str, ...], dict] | None:
    """The nearest field of a name, somewhere below the fields of `within`."""
    here = tuple(map(plain_name, path))
    for row in rows:
        if plain_name(row["name"]) == wanted and here[len(here) - len(within) :] == within:
            return (*path, row["name"]), row
    inner = (_row(row["fields"], wanted, within, (*path, row["name"])) for row in rows if row.get("fields"))
    return next((found for found in inner if found), None)


def nearest(name: str, known: Iterable[str], count: int) -> list[str]:
    """The known names that are most like one."""
    return difflib.get_close_matches(name[:100].lower(), list(known), n=count, cutoff=0.5)
