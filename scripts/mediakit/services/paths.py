"""The paths of a service's requests: of creates by model and task, of reads by id; and back. Pure."""

from __future__ import annotations

import re

from ..base import errors
from ..base.pointer import tokens
from ..base.regex import regex
from . import trust

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from . import descriptor as rules
    from .described import Described

_PLACEHOLDER = regex(r"\{(id|model|owner|name|version)(?::(\d))?\}")


class Paths:
    """The paths of one service, below its base URL; site.Site makes addresses of them."""

    def __init__(self, described: Described):
        self._described = described

    def route(self, model: str | None = None, task: str | None = None, fields=()) -> rules.Route:
        """The first route that fits.

        fields  the names in the request's body: where the task is not known, a route whose file is there comes
                before those that are for any task

        Raises ValueError where none fits.
        """
        fitting = [
            one
            for one in self._described.routes
            if model is None or one.models is None or re.fullmatch(one.models, model)
        ]
        if task is not None:
            fitting = [one for one in fitting if not one.tasks or task in one.tasks]
            if not fitting:
                raise ValueError(
                    f"{self._described.title} has no way to do {task}" + (f" with {model}" if model else "")
                )
            return fitting[0]
        given = [one for one in fitting if one.file and tokens(one.file)[0] in fields]
        usual = [*given, *(one for one in fitting if not one.tasks)]
        if not usual and len({one.path for one in fitting}) > 1:
            told = ", ".join(dict.fromkeys(word for one in fitting for word in one.tasks))
            raise ValueError(f"expected --task too, to say what {model or 'this model'} is to do: {told}")
        if not fitting:
            raise ValueError(f"{self._described.title} has no way to create with {model}")
        return (usual or fitting)[0]

    def route_of(self, path: str) -> rules.Route:
        """The route that a path below the base path is of; the first one where it is of none."""
        for one in self._described.routes:
            forms = (form for form in (one.path, one.stream_path, *one.other_paths) if form)
            if any(self._fitting(form).fullmatch(path) for form in forms):
                return one
        return self._described.routes[0]

    def _fitting(self, template: str) -> re.Pattern:
        """What fits a path's template; the model is its first group."""
        pattern = re.escape(template.replace("{owner}/{name}", "{two}"))
        for word, fitting in (("any", "[^/]+"), ("two", "([^/]+/[^/]+)"), ("model", "(.+)")):
            pattern = pattern.replace(rf"\{{{word}\}}", fitting)
        return re.compile(pattern)

    def create(self, model: str | None, stream: bool, task: str | None = None, fields=()) -> str:
        """The path of a create below the base URL.

        Raises ValueError for what is no model name, or for a task that the service has no route for.
        """
        if model is not None and not trust.is_model(model):
            raise ValueError("expected a model such as owner/name")
        return self.of_route(self.route(model, task, fields), model, stream)

    def of_route(self, route: rules.Route, model: str | None, stream: bool) -> str:
        """The path of a create on a route, below the base URL."""
        template = route.stream_path if stream and route.stream_path else route.path
        return self.filled(template, model=model or "")

    def filled(self, template: str, model: str | None = None, generation_id: str | None = None) -> str:
        """A path with its placeholders filled in; raises ValueError for what may not stand in one."""

        def fill(found: re.Match) -> str:
            word, count = found[1], found[2]
            if word == "id":
                return trust.in_path(generation_id or "", self._described.job.like is not None)
            segments = (model or "").split("/")
            if word == "version":
                return segments[-1].partition(":")[2]
            if word in ("owner", "name"):
                return segments[0] if word == "owner" else segments[-1].partition(":")[0]
            if count:
                segments = segments[: self._described.job.namespaces.get(segments[0], int(count))]
            return "/".join(segments)

        if model is None and re.search(r"\{(model|owner|name|version)", template):
            raise ValueError("expected the model")
        return _PLACEHOLDER.sub(fill, template)

    def model_of(self, path: str) -> str | None:
        """The model whose create has this path, streaming or not; None for another kind of path."""
        templates = [
            form for one in self._described.routes for form in (one.stream_path, *one.other_paths, one.path) if form
        ]
        # The most particular form first: the plain one fits all of them.
        for template in sorted(templates, key=len, reverse=True):
            found = self._fitting(template).fullmatch(path)
            if found and found.groups():
                return found[1]
        return None

    def is_stream(self, path: str) -> bool:
        """Whether a create path is one that answers with a stream."""
        forms = (one.stream_path for one in self._described.routes if one.stream_path)
        return any(self._fitting(form).fullmatch(path) for form in forms)

    def read(self, generation_id: str, model: str | None = None) -> str:
        """The path of a job below the base URL; raises Failure 2 for an id that may not stand in one."""
        if self._described.job.read is None:
            words = (
                f"{self._described.title} has no jobs that can be asked about: its answers are the results themselves"
            )
            raise errors.bad_argument("--generation-id", words)
        if model is None and "{model" in self._described.job.read.path:
            words = (
                f"{self._described.title} finds a job by its model too: name it by its key in the ledger, with --job"
            )
            raise errors.bad_argument("--generation-id", words)
        try:
            return self.filled(self._described.job.read.path, model, generation_id)
        except ValueError as problem:
            raise errors.bad_argument("--generation-id", str(problem)) from None

    def id_of(self, path: str) -> str | None:
        """The job whose read has this path; None for another kind of path."""
        from urllib.parse import unquote

        if self._described.job.read is None:
            return None
        head, _, tail = self._described.job.read.path.partition("{id}")
        is_read = path.startswith(head) and path.endswith(tail) and len(path) > len(head) + len(tail)
        return unquote(path[len(head) : len(path) - len(tail)]) if is_read else None
