"""What a create asks for, as the routes of a descriptor tell it."""

from __future__ import annotations

import re
from collections import namedtuple
from typing import NamedTuple

from ...base.pointer import first, point
from ...services import catalogue

# The tasks that begin with words alone.
_FROM_NOTHING = frozenset(("t2i", "t2v", "tts", "t2a"))
# task -> what it makes; the others make what they are given
MADE = {
    "t2i": "image", "i2i": "image", "t2v": "video", "i2v": "video", "v2v": "video", "tts": "audio", "stt": "text",
    "sts": "audio", "t2a": "audio", "i2m": "3d",
}  # fmt: skip


# name is the example that answers, or the action; pattern fits the path; step is the descriptor's.
Path = namedtuple("Path", "name method pattern step action", defaults=(None,))


class Asked(NamedTuple):
    """What a job was made from.

    task    None where nothing says it
    how     what the answer to its create was: job, done or media
    fields  the model's own, by name
    drawn   what media.render makes a file from
    """

    task: str | None
    how: str
    fields: dict
    prompt: str
    count: int | None
    drawn: dict


class Reader:
    """Reads the creates of one service."""

    def __init__(self, provider):
        self._provider = provider

    def of_job(self, job) -> Asked:
        """What a job of the store was made from, see `facts`; one without facts as the first route has it."""
        told = job.facts
        if "given" in told:
            given = told["given"]
            words = next((given[name] for name in ("prompt", "text") if name in given), "")
            return Asked(told["task"], "done", given, str(words), None, {**given, "prompt": str(words)})
        route = self._provider.routes[told.get("route", 0)]
        fields = point(job.input, route.fields)
        fields = fields if isinstance(fields, dict) else {}
        prompt = first(job.input, route.prompt)
        words = "" if prompt is None else str(prompt)
        beside = {name: value for name, value in job.input.items() if isinstance(value, str)}
        count, drawn = {**job.input, **fields}.get(route.count), {**beside, **fields, "prompt": words}
        return Asked(told.get("task"), route.answers, fields, words, count, drawn)

    def facts(self, route, task: str | None) -> dict:
        """What the store keeps of a job beside what was sent."""
        return {"route": self._provider.routes.index(route), "task": task}

    def route(self, path: str, sent: dict):
        """`(route, model)` of a create: the path fits, and so does what stands in the body."""
        candidates = []
        for route in self._provider.routes:
            for form in filter(None, (route.path, route.stream_path, *route.other_paths)):
                fits = re.fullmatch(self.base_of(route) + path_pattern(form), path)
                if fits:
                    model = point(sent, route.model) if route.model else _model_of(fits.groupdict())
                    # The most particular path first: /make/{model} fits what /make/stream/{model} is for.
                    candidates.append((self._misfits(route, model, sent), -len(form), len(candidates), route, model))
        if not candidates:
            return None, None
        *_, route, model = min(candidates, key=lambda one: one[:3])
        return route, model if isinstance(model, str) else None

    def base_of(self, asked) -> str:
        """What a path of a route or a step begins with."""
        return self._provider.base_path if asked.origin in (None, self._provider.default_origin) else ""

    def _misfits(self, route, model, sent: dict) -> int:
        """How much speaks against a route whose path fits."""
        tasks = self._entry(model).get("tasks", ())
        is_other = bool(tasks and route.tasks) and not set(tasks) & set(route.tasks)
        is_other_model = route.models is not None and not re.fullmatch(route.models, str(model))
        wrong = sum(point(sent, at) != value for at, value in route.constants.items())
        is_of_files = bool(route.tasks) and not set(route.tasks) & _FROM_NOTHING
        return 16 * is_other_model + 8 * is_other + 2 * wrong + (is_of_files and not _has_file(route, sent))

    def task(self, route, model: str | None, sent: dict) -> str | None:
        """What a create is for; None where neither the model nor the route says it."""
        known = self._entry(model).get("tasks", ()) or route.tasks
        fitting = [task for task in known if not route.tasks or task in route.tasks] or [*route.tasks]
        has_file = _has_file(route, sent)
        found = next((task for task in fitting if (task not in _FROM_NOTHING) == has_file), (*fitting, None)[0])
        made = self._entry(model).get("media")
        return found or next((task for task, kind in MADE.items() if kind == made), None)

    def kind(self, model: str | None, task: str | None) -> str:
        """What a job makes: a picture where nothing says it."""
        return MADE.get(task or "") or self._entry(model).get("media") or "image"

    def cost(self, model: str | None = None) -> float:
        """What a job costs in the unit of the balance: by the catalogue, else by the examples; 0 where they do not say."""
        price, unit = self._entry(model).get("price", {}), (self._provider.says("balance") or {}).get("unit")
        if price.get("unit") == unit and "amount" in price:
            return price["amount"]
        names = ("created", "succeeded", "done")
        bodies = [one.get("body") for name in names for one in self._provider.examples.get(name, ())[-1:]]
        told = [point(body, rule.at) for rule in self._provider.cost_rules if rule.at for body in bodies]
        return max((amount for amount in told if isinstance(amount, (int, float))), default=0)

    def _entry(self, model) -> dict:
        """What is known of a model; where no catalogue has it, for which tasks it is the default."""
        if not isinstance(model, str):
            return {}
        tasks = [task for task, default in self._provider.defaults.items() if default == model]
        return catalogue.entry(self._provider.name, model) or ({"tasks": tasks} if tasks else {})


def path_pattern(template: str, like: str | None = None) -> str:
    """What fits the path of a template; its placeholders are groups."""
    fitting = {
        "id": "(?P<id>[^/]+)" if "/" not in (like or "") else "(?P<id>.+)",
        "model": "(?P<model>.+)", "model:2": ".+?", "file": "(?P<file>.+)",
    }  # fmt: skip
    parts = re.split(r"\{([\w:]+)\}", template.partition("?")[0])
    return "".join(
        fitting.get(part, f"(?P<{part}>[^/]+)") if odd % 2 else re.escape(part) for odd, part in enumerate(parts)
    )


def _model_of(found: dict) -> str | None:
    if "owner" in found and "model" not in found:
        return f"{found['owner']}/{found['name']}"
    return found.get("model")


def _has_file(route, sent: dict) -> bool:
    return route.file is not None and point(sent, route.file.removesuffix("/-")) is not None
