"""Other forms in which a descriptor may say the same, brought to the one that all else reads. Pure.

normal  a descriptor in that form; what it is made from stays as it was
"""

from __future__ import annotations

import re

from ..base.regex import regex
from .examples import is_for_tasks

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Further words for tasks.
_TASKS = {"background": "rmbg"}
_TASK_WORD = regex(r"\b(background)\b")
_IN_CATALOGUE = ("models", "contract", "price", "estimate")


def normal(data: dict) -> dict:
    """The same descriptor, which has passed the schema, with one word for each thing."""
    found = {**data.get("catalogue", {}), **{name: item for name, item in data.items() if name != "catalogue"}}
    changes: dict[str, Callable[[Any], Any]] = {
        "defaults": lambda defaults: {_TASKS.get(task, task): model for task, model in defaults.items()},
        "create": lambda routes: [_with_tasks(route) for route in routes],
        "job": _job,
        "models": _models,
        "outputs": lambda rules: [_renamed(rule, "item", "where") for rule in rules],
        "inputs": lambda ways: _way(ways, data) if isinstance(ways, dict) else [_way(way, data) for way in ways],
        "idempotency": _idempotency,
        "examples": lambda every: {_task_words(name): _example(one) for name, one in every.items()},
    }
    return {name: changes[name](item) if name in changes else item for name, item in found.items()}


def _idempotency(rules: dict) -> dict:
    """A key that a header carries is kept under the header's name, as that of a field is."""
    kept = {"field": rules["header"]} if "header" in rules else {}
    return {"codes": [], "without_answer": False, "seconds": 0.0, **kept, **rules}


def _renamed(value: dict, name: str, usual: str) -> dict:
    """An object whose member `name` is the one that is called `usual` elsewhere."""
    return {usual if key == name and usual not in value else key: item for key, item in value.items()}


def _with_tasks(value: dict) -> dict:
    return {**value, "tasks": [_TASKS.get(task, task) for task in value["tasks"]]} if "tasks" in value else value


def _job(job: dict) -> dict:
    its_id = dict(job["id"])
    namespaces = {**its_id.pop("namespaces", {}), **job.get("namespaces", {})}
    return {**job, "id": its_id, **({"namespaces": namespaces} if namespaces else {})}


def _models(rules: dict) -> dict:
    if "tasks" not in rules:
        return rules
    return {**rules, "tasks": {word: _TASKS.get(task, task) for word, task in rules["tasks"].items()}}


def _way(way: dict, data: dict) -> dict:
    found = dict(way)
    if "like" in found:
        like, reference = found.pop("like"), found["reference"]
        found["reference"] = {"at": reference, "like": like} if isinstance(reference, str) else reference
    if "send" in found and "hosts" not in found["send"]:
        # Files go where the key goes, where nothing else is said.
        hosts = [re.sub(r"^https?://|:\d+$", "", origin) for origin in data["origins"].values()]
        found["send"] = {**found["send"], "hosts": list(dict.fromkeys(hosts))}
    return found


# -- examples ------------------------------------------------------------------------------------------


def _task_words(name: str) -> str:
    return _TASK_WORD.sub(lambda word: _TASKS[word[1]], name)


def _example(example: Any) -> Any:
    if isinstance(example, list):
        return [_with_tasks(one) if isinstance(one, dict) else one for one in example]
    renamed = {_task_words(name): one for name, one in example.items()} if isinstance(example, dict) else {}
    return renamed if renamed and all(map(is_for_tasks, renamed)) else example
