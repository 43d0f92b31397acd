"""The list of models as the examples of a descriptor have it: `models` with {items}, and `model`, one of them."""

from __future__ import annotations

from ...services import catalogue, examples
from .. import media
from . import queries
from .asked import MADE

# The query's names for words to look for, besides the one that the descriptor says.
_SEARCH = ("query", "q", "search")
# Own choice: the length of a page where nobody says it.
_USUAL_PAGE = 24


class Menu:
    """The models of one by_examples.Dialect: those of its catalogue."""

    def __init__(self, dialect):
        self._dialect, self._rules = dialect, dialect.provider.says("models") or {}
        told = self._rules.get("tasks", {})
        self._types = {task: word for word, task in reversed(list(told.items()))}

    @property
    def total(self) -> int:
        """How many models there are."""
        return len(catalogue.document(self._dialect.provider.name)["models"])

    def words_of(self, entry: dict) -> dict:
        """What stands for the placeholders of a model, and what a query can ask for."""
        owner, _, name = entry["model"].partition("/")
        kind = entry.get("media") or MADE.get(next(iter(entry.get("tasks", ())), ""))
        kind = kind if kind in media.TYPES else "image"
        types = [self._types[task] for task in entry.get("tasks", ()) if task in self._types]
        return {
            **entry, "owner": owner, "name": name, "kind": kind, "media_type": media.TYPES[kind][0],
            "task": next(iter(entry.get("tasks", ())), None), "type": next(iter(types), None),
            **self._dialect.words_of_model(entry),
        }  # fmt: skip

    def row(self, http, entry: dict):
        """One model, by its example."""
        example = self._dialect.provider.examples["model"][0].get("body")
        return examples.filled(example, {**self._dialect.told.words(http), **self.words_of(entry)})

    def rows(self, http, asked: dict) -> list:
        """The models that a query asks for: by words, by what a model is, by the page."""
        if "model" not in self._dialect.provider.examples:
            return []
        entries = catalogue.document(self._dialect.provider.name)["models"]
        known = {name for entry in entries for name in self.words_of(entry)}
        for name, value in asked.items():
            if name in (*_SEARCH, self._rules.get("search")):
                entries = [one for one in entries if value.lower() in one["model"].lower()]
            elif name in known:
                entries = [one for one in entries if _fits(self.words_of(one).get(name), value)]
        if not {"page", "page_size", "limit"}.isdisjoint(asked):
            entries = queries.page_of(entries, asked, _USUAL_PAGE)
        return [self.row(http, entry) for entry in entries]


def _fits(found, value: str) -> bool:
    if value in ("true", "false"):
        return bool(found) == (value == "true")
    return value in found if isinstance(found, (list, tuple)) else str(found) == value
