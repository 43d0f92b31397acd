"""YAML 1.2's core schema, straight from the parser's events to plain data. Knows no OpenAPI.

Three things that PyYAML's own loaders do not give: the words that JSON-like documents mean (YAML 1.1
reads `on`, `no`, `1:30` and dates as something else), text as it stands for every key (`200` is
"200"), and a count of what aliases and merge keys repeat, while it is read and not afterwards.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..base.regex import regex
from . import bounds
from .errors import ContractError

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_STARTS_NUMBER = frozenset("-+.0123456789")
_INTEGER = regex(r"[-+]?(?:0|[1-9][0-9]*)")
_HEXADECIMAL = regex(r"0x[0-9a-fA-F]+")
_FLOAT = regex(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")

_MERGE = object()  # stands for the key `<<`


class Size(NamedTuple):
    """What a value comes to when nothing in it is shared."""

    values: int
    text: int


def read(text: str, name: str, allowance: bounds.Allowance) -> Any:
    """The first document of `text`; `name` is what messages call it.

    Raises ContractError (`document_too_large`, `document_too_deep`, `document_unreadable`), yaml.YAMLError
    and ModuleNotFoundError where PyYAML is not installed.
    """
    import yaml

    reader = _Reader(name, allowance)
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.ScalarEvent):
            reader.scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            reader.open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            reader.close()
        elif isinstance(event, yaml.AliasEvent):
            reader.alias(event.anchor)
        elif isinstance(event, yaml.DocumentEndEvent):
            break  # what follows another `---` is another document
    return reader.root


class _Open:
    """A list or an object that is being read."""

    def __init__(self, container: Any, anchor: str | None, began: Size):
        self.container, self.anchor, self.began = container, anchor, began
        self.key: Any = None
        self.waits_for_key = isinstance(container, dict)
        self.merged: list[Any] = []


class _Reader:
    """Takes events; `root` is the value that they come to."""

    def __init__(self, name: str, allowance: bounds.Allowance):
        self.root: Any = None
        self._name, self._allowance = name, allowance
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, Size]] = {}
        self._values = self._text = 0

    def scalar(self, event: Any) -> None:
        self._count(Size(1, 0), Size(1, len(event.value)))
        is_plain = event.implicit[0] and not event.style
        if self._at_key:
            value = _MERGE if is_plain and event.value == "<<" else event.value
        else:
            value = _plain(event.value) if is_plain else event.value
        if event.anchor:
            self._anchors[event.anchor] = (value, Size(1, len(event.value)))
        self._add(value)

    def open(self, container: Any, anchor: str | None) -> None:
        if len(self._open) >= bounds.MAX_LEVELS:
            raise ContractError(
                "document_too_deep", f"{self._name} is nested more than {bounds.MAX_LEVELS} levels deep."
            )
        if anchor:
            self._anchors.pop(anchor, None)  # until it is whole, an alias of it would be a circle
        self._open.append(_Open(container, anchor, Size(self._values, self._text)))
        self._count(Size(1, 0), Size(1, 0))

    def close(self) -> None:
        done = self._open.pop()
        value = _with_merged(done.container, done.merged) if done.merged else done.container
        if done.anchor:
            size = Size(self._values - done.began.values, self._text - done.began.text)
            self._anchors[done.anchor] = (value, size)
        self._add(value)

    def alias(self, anchor: str) -> None:
        if anchor not in self._anchors:
            raise ContractError(
                "document_unreadable",
                f"{self._name}: the alias *{anchor[:60]} stands for nothing that is whole before it.",
            )
        value, size = self._anchors[anchor]
        self._count(size, size)
        self._add(value)

    @property
    def _at_key(self) -> bool:
        return bool(self._open) and self._open[-1].waits_for_key

    def _count(self, new: Size, whole: Size) -> None:
        """`new` is what the document's own size, counted before, does not have yet."""
        self._values += whole.values
        self._text += whole.text
        self._allowance.take(self._name, new.text, new.values)

    def _add(self, value: Any) -> None:
        if not self._open:
            self.root = value
            return
        parent = self._open[-1]
        if isinstance(parent.container, list):
            parent.container.append(value)
        elif parent.waits_for_key:
            parent.key = value if isinstance(value, str) or value is _MERGE else ""
            parent.waits_for_key = False
        else:
            if parent.key is _MERGE:
                parent.merged += value if isinstance(value, list) else [value]
            else:
                parent.container[parent.key] = value
            parent.waits_for_key = True


def _with_merged(own: dict, merged: list[Any]) -> dict:
    """An object with what its `<<` names; its own keys come before, and earlier ones before later ones."""
    found: dict = {}
    for one in reversed(merged):
        found.update(one if isinstance(one, dict) else {})
    return {**found, **own}


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _STARTS_NUMBER or len(text) > bounds.MAX_DIGITS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    return bounds.finite(text) if _FLOAT.fullmatch(text) else text
