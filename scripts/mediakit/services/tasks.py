"""Which task a request is of, by the model and the files that are given."""

from __future__ import annotations

from ..base.pointer import tokens
from . import catalogue, providers

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from .payloads import Content

# The kinds of file that a task begins with; the others begin with words.
BEGINS_WITH = {
    **dict.fromkeys(("i2i", "i2v", "i2m"), ("image",)),
    "v2v": ("video",),
    **dict.fromkeys(("stt", "sts"), ("audio", "video")),
    **dict.fromkeys(("upscale", "rmbg"), ("image", "video")),
}


def of(provider: providers.Provider, model: str | None, content: Content) -> str | None:
    """The task that a listed model does with this content; None for one that is not listed."""
    tasks = catalogue.entry(provider.speaks, model).get("tasks", ())
    begun = [task for task in tasks if _begins_with_these(provider, model, task, content)]
    worded = [task for task in tasks if task not in BEGINS_WITH]
    return next(iter([*begun, *([] if content.inputs else worded), *tasks]), None)


def _begins_with_these(provider: providers.Provider, model: str | None, task: str, content: Content) -> bool:
    """Whether the files that are given are what a task begins with."""
    given = {name for name, _ in content.inputs}
    if given & set(BEGINS_WITH.get(task, ())):
        return True
    file = provider.paths.route(model, task).file if task in BEGINS_WITH else None
    return file is not None and bool({*given, *(content.payload or ())} & set(tokens(file)))
