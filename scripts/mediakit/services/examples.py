"""The examples of a descriptor: documented answers with placeholders. Pure.

normal  every example in one form, however short it was written
new_id  an id of the form that a service's own have
filled  an answer with its placeholders replaced
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from ..base.regex import regex

# The letters that a pattern begins with and that every text of its form begins with too.
_HEAD = regex(r"\^?((?:[A-Za-z0-9_:-](?![*+?{]))*)")

# What holds one answer a name, and what is no answer.
BY_NAME = ("refused", "actions", "happened")
_ANSWER = frozenset(("http", "headers", "body", "file", "tasks", "when", "keeps", "finds"))
TASKS = frozenset("t2i i2i t2v i2v v2v tts stt sts t2a i2m upscale rmbg".split())
_PLACEHOLDER = regex(r"\{(\w+(?::[\w-]+)?)\}")
_NONE = object()


def normal(data: Mapping[str, Any]) -> dict:
    """The examples of a descriptor: name -> answers `{http?, headers?, body | file, tasks?}`.

    "refused" holds one a status or word, "actions" one an action, or several as they are written.

    Written, an answer can also be its body alone, an object of task words -> body (`*` for the rest), and have its
    status and headers beside it in NAME_http and NAME_headers. Under a create's path, the end of one, or words for
    tasks stands what answers it.
    """
    found = data.get("examples", {})
    result: dict[str, Any] = {}
    for name, example in found.items():
        if name in BY_NAME and name != "happened":
            result[name] = {word: one if isinstance(one, list) else _answer(one) for word, one in example.items()}
        elif name == "happened":
            result[name] = example
        elif name[0] in "/:" or TASKS.issuperset(name.split()):
            routes = [route for route in data.get("create", ()) if name[0] in "/:" and route["path"].endswith(name)]
            tasks = [task for route in routes for task in route.get("tasks", ())] or name.split() * (not routes)
            result.setdefault("done", []).extend({**_some(tasks=tasks), **one} for one in _answers(example))
        elif not name.endswith(("_http", "_headers")):
            beside = _some(http=found.get(name + "_http"), headers=found.get(name + "_headers"))
            result.setdefault(name, []).extend({**beside, **one} for one in _answers(example))
    return result


def _answers(example: Any) -> list[dict]:
    if isinstance(example, list) and all(isinstance(one, dict) and _is_answer(one) for one in example):
        return example
    if isinstance(example, dict) and example and all(map(is_for_tasks, example)):
        if all(isinstance(one, dict) for one in example.values()) and not _is_answer(example):
            return [
                {**_answer(one), **_some(tasks=[] if tasks == "*" else tasks.split())} for tasks, one in example.items()
            ]
    return [_answer(example)]


def is_for_tasks(name: str) -> bool:
    """Whether a name is words for tasks, or `*`: any other is a member of a body, such as `data`."""
    return name == "*" or (bool(name) and TASKS.issuperset(name.split()))


def _answer(example: Any) -> dict:
    if not isinstance(example, dict) or _is_answer(example):
        return example if isinstance(example, dict) else {"body": example}
    if isinstance(example.get("http"), int):
        return {"http": example["http"], "body": {name: item for name, item in example.items() if name != "http"}}
    return {"body": example}


def _is_answer(example: dict) -> bool:
    return example.keys() <= _ANSWER and ("body" in example or example.get("file") is True)


def _some(**members: Any) -> dict:
    return {name: value for name, value in members.items() if value}


def _uuid() -> str:
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def new_id(like: str | None) -> str | None:
    """A new id that fits the pattern of `job.id.like`; None where none is found that does."""
    if like is None:
        return os.urandom(12).hex()
    found = _HEAD.match(like)
    heads = ("", found[1] if found else "")
    tails = (
        os.urandom(12).hex(), _uuid(), os.urandom(8).hex(), os.urandom(16).hex(), os.urandom(4).hex(),
        str(int.from_bytes(os.urandom(3), "big") + 10**8), os.urandom(20).hex(), os.urandom(32).hex(),
    )  # fmt: skip
    return next((head + tail for head in heads for tail in tails if re.fullmatch(like, head + tail)), None)


def filled(value: Any, words: Mapping[str, Any]) -> Any:
    """A JSON value with its placeholders replaced: `{media}` by `words["media"]`, `{input:size}` by a member of one.

    A text that is nothing but a placeholder takes the type of what replaces it; an unknown one stays. A word that is
    a function is made when it is asked for.
    """
    if isinstance(value, dict):
        return {name: filled(item, words) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, words) for item in value]
    if not isinstance(value, str):
        return value
    alone = _PLACEHOLDER.fullmatch(value)
    if alone and (found := _word(words, alone[1])) is not _NONE:
        return found
    return _PLACEHOLDER.sub(lambda found: _text(_word(words, found[1]), found[0]), value)


def _word(words: Mapping[str, Any], name: str) -> Any:
    """What stands for a placeholder; _NONE for one that is not known."""
    whole, _, member = name.partition(":")
    holder = words.get(whole)
    holder = holder() if member and callable(holder) else holder
    if name not in words and member and isinstance(holder, Mapping):
        return holder.get(member)
    found = words.get(name, _NONE)
    return found() if callable(found) else found


def _text(found: Any, placeholder: str) -> str:
    return placeholder if found is _NONE else str(found)
