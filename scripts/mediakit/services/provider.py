"""One service: its descriptor, and what follows from it."""

from __future__ import annotations

import json
import re
from functools import cached_property

from ..base import errors
from ..base.pointer import first, point, tokens
from ..base.record import replace
from ..base.regex import regex
from ..base.text import is_number
from ..base.times import moment_of, rfc3339
from . import trust
from .answers import Reading, Verdict, is_media_url, same

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from . import descriptor as rules

_GUIDANCE = {
    "insufficient_credits": "Nothing was bought: the account has too few credits for this request.",
    "auth": "The service refused the key.",
    "validation": "The service refused the request: compare it with the model's contract and change it.",
    "not_found": "Check the model, the endpoint and the id.",
    "transient": "A rate limit or a passing fault: a read can simply be repeated. A create that was answered "
    "with 429 bought nothing; one that was answered with 5xx may have been accepted: do not send it again.",
    "unknown": "No rule fits this answer: look at its message.",
    "outcome_unknown": "Do not send it again before you know: it may have been accepted and billed.",
}
# A list that tells no input is searched for jobs that were made within so many seconds.
SAME_JOB_WITHIN = 240.0
_PLACEHOLDER = regex(r"\{(id|model|owner|name|version)(?::(\d))?\}")


class Provider:
    """One service.

    name       the word for --provider
    title      what people call it
    embedded   whether it runs inside this process and needs neither key nor network
    speaks     the service whose contract it has
    origins    name -> origin, the first one the default; empty for an embedded service
    base_path  the prefix of the paths at the default origin
    headers    what every request to it carries besides
    key        how it is authorised; None for a service without a key
    cli        how its own command-line program is run; None for a service without one
    longest_work  seconds that a create may take which is answered with the result itself; 0 where none is said
    """

    def __init__(self, data: dict, speaks: str | None = None):
        self._data = data
        self.name: str = data["id"]
        self.title: str = data["name"]
        self.embedded: bool = data.get("embedded", False)
        self.speaks: str = speaks or self.name
        self.origins: dict[str, str] = data.get("origins", {})
        self.base_path: str = data.get("base_path", "")
        self.headers: dict[str, str] = data.get("headers", {})
        self.optional_headers: dict[str, str] = data.get("optional_headers", {})
        key = data.get("key")
        self.key: dict | None = {"prefix": "", **key} if isinstance(key, dict) else None
        self.cli: dict | None = data.get("cli")
        self.links: dict = data.get("links", {})
        self.defaults: dict[str, str] = data.get("defaults", {})
        self.key_check: dict | None = data.get("key_check")
        self.actions: dict = data.get("actions", {})
        self.idempotency: dict | None = data.get("idempotency")
        self.plan: dict | None = data.get("plan")
        self.guard: dict | None = data.get("guard")
        self.units: dict = data.get("money", {}).get("units", {})
        self.unit: str | None = data.get("money", {}).get("unit")
        self.names: dict = data.get("names", {})
        self.longest_work: float = data.get("synchronous", {}).get("seconds", 0.0)
        self.ending_events = frozenset(data.get("stream", {}).get("ending_events", ()))
        self.limits: dict = data.get("limits", {})
        self.result_lifetime: float | None = data.get("result_lifetime")
        self.final_statuses = frozenset(data.get("final_statuses", ()))
        self.result_at: str | None = data.get("result")

    @property
    def repeat_pauses(self) -> tuple[float, float]:
        """Seconds before the same is sent again under its key at the least: after an answer, and after none."""
        if self.embedded or self.idempotency is None:  # nobody waits for a network that is not there
            return 0.0, 0.0
        pauses = self.idempotency.get("pauses", {})
        return pauses.get("answer", 0.0), pauses.get("no_answer", 0.0)

    def says(self, name: str) -> Any:
        """What the descriptor itself says under a key, as JSON; all of it under the empty name. None for nothing."""
        return self._data.get(name) if name else self._data

    # -- the descriptor's parts, read when they are first asked for ------------------------------------

    @cached_property
    def _rules(self):
        from . import descriptor

        return descriptor

    @cached_property
    def examples(self) -> dict:
        """Documented answers, see examples.normal."""
        from . import examples

        return examples.normal(self._data)

    @cached_property
    def routes(self) -> tuple[rules.Route, ...]:
        return self._rules.routes(self._data)

    @cached_property
    def job(self) -> rules.JobRules:
        return self._rules.job(self._data)

    @cached_property
    def ways(self) -> tuple[rules.Way, ...]:
        """How files reach the service, in order; empty where that is not known."""
        return self._rules.ways(self._data)

    @cached_property
    def state_rules(self) -> tuple[rules.StateRule, ...]:
        return self._rules.state_rules(self._data)

    @cached_property
    def output_rules(self) -> tuple[rules.OutputRule, ...]:
        return self._rules.output_rules(self._data)

    @cached_property
    def cost_rules(self) -> tuple[rules.CostRule, ...]:
        return self._rules.cost_rules(self._data.get("cost", []))

    @cached_property
    def _error_rules(self) -> rules.ErrorRules:
        return self._rules.error_rules(self._data.get("errors", {}))

    @cached_property
    def _failure_rules(self) -> rules.ErrorRules:
        return self._rules.error_rules(self._data.get("failure", self._data.get("errors", {})))

    # -- where it is -----------------------------------------------------------------------------------

    @property
    def default_origin(self) -> str | None:
        """The name of the origin that paths without another one belong to."""
        return self._data.get("default_origin") or next(iter(self.origins), None)

    @property
    def origin(self) -> str | None:
        """The default origin; None for an embedded service."""
        return next(iter(self.origins.values()), None)

    @property
    def base_url(self) -> str | None:
        """Where requests go unless the user says otherwise; None for an embedded service."""
        return self.origin and self.origin + self.base_path

    # -- creating --------------------------------------------------------------------------------------

    def route(self, model: str | None = None, task: str | None = None, fields=()) -> rules.Route:
        """The first route that fits.

        fields  the names in the request's body: where the task is not known, a route whose file is there comes
                before those that are for any task

        Raises ValueError where none fits.
        """
        fitting = [one for one in self.routes if model is None or one.models is None or re.fullmatch(one.models, model)]
        if task is not None:
            fitting = [one for one in fitting if not one.tasks or task in one.tasks]
            if not fitting:
                raise ValueError(f"{self.title} has no way to do {task}" + (f" with {model}" if model else ""))
            return fitting[0]
        given = [one for one in fitting if one.file and tokens(one.file)[0] in fields]
        usual = [*given, *(one for one in fitting if not one.tasks)]
        if not usual and len({one.path for one in fitting}) > 1:
            told = ", ".join(dict.fromkeys(word for one in fitting for word in one.tasks))
            raise ValueError(f"expected --task too, to say what {model or 'this model'} is to do: {told}")
        if not fitting:
            raise ValueError(f"{self.title} has no way to create with {model}")
        return (usual or fitting)[0]

    def route_of(self, path: str) -> rules.Route:
        """The route that a path below the base path is of; the first one where it is of none."""
        for one in self.routes:
            forms = (form for form in (one.path, one.stream_path, *one.other_paths) if form)
            if any(self._fitting(form).fullmatch(path) for form in forms):
                return one
        return self.routes[0]

    def _fitting(self, template: str) -> re.Pattern:
        """What fits a path's template; the model is its first group."""
        pattern = re.escape(template.replace("{owner}/{name}", "{two}"))
        for word, fitting in (("any", "[^/]+"), ("two", "([^/]+/[^/]+)"), ("model", "(.+)")):
            pattern = pattern.replace(rf"\{{{word}\}}", fitting)
        return re.compile(pattern)

    def create_path(self, model: str | None, stream: bool, task: str | None = None, fields=()) -> str:
        """The path of a create below the base URL.

        Raises ValueError for what is no model name, or for a task that the service has no route for.
        """
        if model is not None and not trust.is_model(model):
            raise ValueError("expected a model such as owner/name")
        return self.path_of(self.route(model, task, fields), model, stream)

    def path_of(self, route: rules.Route, model: str | None, stream: bool) -> str:
        """The path of a create on a route, below the base URL."""
        template = route.stream_path if stream and route.stream_path else route.path
        return self.filled(template, model=model or "")

    def filled(self, template: str, model: str | None = None, generation_id: str | None = None) -> str:
        """A path with its placeholders filled in; raises ValueError for what may not stand in one."""

        def fill(found: re.Match) -> str:
            word, count = found[1], found[2]
            if word == "id":
                return trust.in_path(generation_id or "", self.job.like is not None)
            segments = (model or "").split("/")
            if word == "version":
                return segments[-1].partition(":")[2]
            if word in ("owner", "name"):
                return segments[0] if word == "owner" else segments[-1].partition(":")[0]
            if count:
                segments = segments[: self.job.namespaces.get(segments[0], int(count))]
            return "/".join(segments)

        if model is None and re.search(r"\{(model|owner|name|version)", template):
            raise ValueError("expected the model")
        return _PLACEHOLDER.sub(fill, template)

    def model_of(self, path: str) -> str | None:
        """The model whose create has this path, streaming or not; None for another kind of path."""
        templates = [form for one in self.routes for form in (one.stream_path, *one.other_paths, one.path) if form]
        # The most particular form first: the plain one fits all of them.
        for template in sorted(templates, key=len, reverse=True):
            found = self._fitting(template).fullmatch(path)
            if found and found.groups():
                return found[1]
        return None

    def is_stream_path(self, path: str) -> bool:
        """Whether a create path is one that answers with a stream."""
        forms = (one.stream_path for one in self.routes if one.stream_path)
        return any(self._fitting(form).fullmatch(path) for form in forms)

    @property
    def prompt_fields(self) -> list[str]:
        """The fields that --prompt can mean: the first that the model's contract has."""
        named = [tokens(at)[-1] for one in self.routes for at in one.prompt]
        return list(dict.fromkeys(named)) or ["prompt"]

    @property
    def model_field(self) -> str | None:
        """The field that names the model; None where the path does."""
        at = next((one.model for one in self.routes if one.model), None)
        return at and tokens(at)[-1]

    @property
    def streams(self) -> bool:
        return any(one.stream_path for one in self.routes)

    @property
    def answers_when_done(self) -> bool:
        """Whether a create is answered with the result itself."""
        return bool(self.routes) and all(one.answers != "job" for one in self.routes)

    @cached_property
    def roles(self) -> dict:
        """References that --input names by their role; empty for a service that has none."""
        return next((data["roles"] for data in self._rules.listed(self._data.get("inputs")) if "roles" in data), {})

    @cached_property
    def file_rules(self):
        """What the service says about files, as media.inputs.Rules."""
        from ..media import inputs

        first_way = next(iter(self.ways), None)
        if first_way is None:
            return inputs.Rules(is_known=False)
        takes = [data.get("addresses", True) for data in self._rules.listed(self._data["inputs"])]
        usual = inputs.Rules()
        kinds = first_way.kinds if len(self.ways) == 1 else {}
        return inputs.Rules(
            takes_addresses=all(takes),
            reference=None if all(takes) else next((way.like for way in self.ways if way.like), None),
            stand_in=first_way.stand_in or usual.stand_in,
            kinds=kinds,
        )

    # -- jobs ------------------------------------------------------------------------------------------

    def read_path(self, generation_id: str, model: str | None = None) -> str:
        """The path of a job below the base URL; raises Failure 2 for an id that may not stand in one."""
        if self.job.read is None:
            words = f"{self.title} has no jobs that can be asked about: its answers are the results themselves"
            raise errors.bad_argument("--generation-id", words)
        if model is None and "{model" in self.job.read.path:
            words = f"{self.title} finds a job by its model too: name it by its key in the ledger, with --job"
            raise errors.bad_argument("--generation-id", words)
        try:
            return self.filled(self.job.read.path, model, generation_id)
        except ValueError as problem:
            raise errors.bad_argument("--generation-id", str(problem)) from None

    def id_of(self, path: str) -> str | None:
        """The job whose read has this path; None for another kind of path."""
        from urllib.parse import unquote

        if self.job.read is None:
            return None
        head, _, tail = self.job.read.path.partition("{id}")
        is_read = path.startswith(head) and path.endswith(tail) and len(path) > len(head) + len(tail)
        return unquote(path[len(head) : len(path) - len(tail)]) if is_read else None

    def answer_of(self, generation_id: str) -> dict:
        """The least answer to a create that has this id where the service puts it."""
        body: Any = generation_id
        for token in reversed(tokens(self.job.ids[0])):
            body = {token: body}
        return body

    def reading_of_file(self, content: bytes, headers) -> Reading:
        """What an answer to a create says that is the result itself, and no JSON."""
        from . import answers

        found = [answers.file_in(content, headers.get("Content-Type", ""))] if content else []
        state = "succeeded" if found else None
        return Reading(None, state, state, None, headers=headers, outputs=found)

    def reading_of_result(self, content: bytes, body, headers, of_text: bool) -> Reading | None:
        """What an answer to a create says in which no id of a job is, but the result; None for any other.

        body     as read_json gives it
        of_text  whether a text was asked for
        """
        from . import answers

        if body is not None and not self.says_success(body):
            return None
        found = self.outputs(body) if isinstance(body, dict) else []
        found = found or answers.results_in(content, body, headers.get("Content-Type", ""), of_text)
        return Reading(None, "succeeded", "succeeded", body, headers=headers, outputs=found) if found else None

    def reading_again(self, content: bytes, body, media_type: str, of_text: bool) -> Reading | None:
        """What an answer to a create says that was the result itself; None where that cannot be seen any more.

        body  as read_json gives it, None for what is no JSON
        """
        from . import answers

        headers = {"Content-Type": media_type}
        reading = self.reading(body, True)
        if body is None and any(one.answers == "media" for one in self.routes) and answers.can_be_file(media_type):
            reading = self.reading_of_file(content, headers)
        if reading.state == "succeeded":
            return reading
        return self.reading_of_result(content, body, headers, of_text)

    def reading(self, body, of_create: bool = False, headers=None) -> Reading:
        """What an answer says about a job; every part may be missing.

        of_create  whether it answers a create: some services answer when the job is done, and with
                   the results in place of a status
        """
        from . import answers

        is_result = of_create and any(one.answers != "job" for one in self.routes)
        found = answers.reading(self.job, self.state_rules, body, lambda: bool(self.outputs(body)), is_result)
        progress, position = (point(body, self._data.get(name, "/\0")) for name in ("progress", "position"))
        return replace(
            found,
            headers=headers,
            progress=float(progress) if is_number(progress) and 0 <= progress <= 1 else None,
            position=position if is_number(position) and isinstance(position, int) and position >= 0 else None,
        )

    def may_be_done(self, reading: Reading) -> bool:
        """Whether it is time to ask for the results, which are not in the answers about the job's state."""
        from . import answers

        is_guess = reading.state is None and (reading.status or "").lower() in answers.FINISHED_WORDS
        return reading.state == "succeeded" or is_guess

    def is_gone(self, body) -> bool:
        """Whether the service says that it has removed what the job made."""
        from . import answers

        gone = self._data.get("gone")
        return gone is not None and answers.holds(self._rules.condition(gone), body)

    def outputs(self, body, made: Callable[[str], str | None] | None = None) -> list[dict]:
        """`{url, type, media_type, width, height, duration, expires_at}` for each result, without what is unknown.

        made  as in answers.outputs; who knows the job has Site.outputs
        """
        from . import answers

        found, expires_at = answers.outputs(self.output_rules, body, made), self.expires_at(body)
        return [{**output, "expires_at": rfc3339(expires_at)} for output in found] if expires_at else found

    def result(self, body):
        """The result itself, for jobs whose result is no file; None where the descriptor does not say where."""
        return point(body, self.result_at) if self.result_at is not None else None

    def expires_at(self, body) -> float | None:
        """Until when the results are kept, in seconds since the epoch; None where the answer does not say."""
        where = self._data.get("expires_at")
        found = point(body, where["at"]) if where else None
        unit = 1000 if where and where["unit"] == "milliseconds" else 1
        # Compared before it is divided: a whole number of 400 digits is no float.
        return found / unit if is_number(found) and 0 < found < 1e11 * unit else None

    @property
    def lists_running(self) -> bool:
        """Whether the service lists jobs with what they can be told by: what was asked for, else model and time."""
        told = self.job.listing.at if self.job.listing else {}
        return "input" in told or {"model", "created_at"} <= told.keys()

    @property
    def lists_input(self) -> bool:
        """Whether that list tells what was asked for."""
        return self.job.listing is not None and "input" in self.job.listing.at

    @property
    def list_method(self) -> str:
        """The method by which jobs are listed."""
        return self.job.listing.step.method if self.job.listing else "GET"

    @property
    def lists_jobs(self) -> bool:
        """Whether one list has the jobs of all models."""
        return self.job.listing is not None and "{model" not in self.job.listing.step.path

    def unfinished_in(self, body) -> set[str]:
        """The ids of the jobs of which a list says in the words of a read that they are not finished."""
        where = self.job.listing
        lists = (point(body, at) for at in where.each) if where else ()
        listed = next((found for found in lists if isinstance(found, list)), [])
        readings = (self.reading(entry) for entry in listed if isinstance(entry, dict))
        return {found.id for found in readings if found.id and found.state in ("queued", "running")}

    def running_matches(
        self, body, payload: dict, since: float | None = None, model: str | None = None
    ) -> list[str] | None:
        """The ids in a list of jobs that can be the one with this payload; None for no list.

        since  seconds since the epoch: where the list tells when a job was made, older ones are others
        model  of a list that tells no input, jobs of this model that were made within `SAME_JOB_WITHIN` count
        """
        where = self.job.listing
        lists = (point(body, at) for at in where.each)
        listed = next((found for found in lists if isinstance(found, list)), None)
        if listed is None:
            return None
        wanted = next((inner for one in self.routes if isinstance(inner := point(payload, one.fields), dict)), payload)
        fits = self._has_input if self.lists_input else self._is_of_model
        found = []
        for entry in listed:
            its_id = trust.usable_id(first(entry, where.at["id"]), self.job.like)
            if its_id and fits(entry, wanted if self.lists_input else model) and self._is_new(entry, since):
                found.append(its_id)
        return list(dict.fromkeys(found))  # a list may have one job on two of its pages

    def is_past(self, body, since: float) -> bool:
        """Whether a page of a list of jobs holds none but those that were made before: so do the pages after it."""
        where = self.job.listing
        at = where.at.get("created_at") if where else None
        lists = (point(body, one) for one in where.each) if where and at else ()
        listed = next((found for found in lists if isinstance(found, list)), [])
        made = [moment_of(first(entry, at)) for entry in listed]
        return bool(made) and all(one is not None and one < since for one in made)

    def _has_input(self, entry, wanted: dict) -> bool:
        its_input = first(entry, self.job.listing.at["input"])
        return isinstance(its_input, dict) and all(
            name in its_input and same(its_input[name], value) for name, value in wanted.items()
        )

    def _is_of_model(self, entry, model: str | None) -> bool:
        told = first(entry, self.job.listing.at["model"])
        return model is not None and told in (model, model.rpartition("/")[2])

    def _is_new(self, entry, since: float | None) -> bool:
        at = self.job.listing.at.get("created_at")
        if at is None or since is None:
            return True
        made = moment_of(first(entry, at))
        until = float("inf") if self.lists_input else since + SAME_JOB_WITHIN
        return made is not None and since <= made <= until

    # -- money -----------------------------------------------------------------------------------------

    def effective(self, body) -> list[dict] | None:
        """`[{name, value, source}]`: the parameters that the service used; None where it does not say."""
        listed = point(body, self._data.get("effective", "/\0"))
        if not isinstance(listed, list):
            return None
        words = ("name", "value", "source")
        return [{word: one[word] for word in words if word in one} for one in listed if isinstance(one, dict)]

    def usage(self, body):
        """What the service says the job has cost, in its own shape."""
        return first(body, self._data.get("usage", ()))

    def cost(self, body, headers=None):
        """What the service says the job has cost, as an amounts.Amount; None where it does not say."""
        from . import answers

        return answers.amount(tuple(one for one in self.cost_rules if not one.is_ceiling), body, headers)

    def ceiling(self, body, headers=None):
        """The most that the job can cost, as the answer to its create says; None where it does not say."""
        from . import answers

        return answers.amount(tuple(one for one in self.cost_rules if one.is_ceiling), body, headers)

    def planned_cost(self, body):
        """What the service's own plan says it would cost, as an amounts.Amount; None where it does not say."""
        from . import answers

        stated = (self.plan or {}).get("cost")
        return answers.amount(self._rules.cost_rules([stated]), body) if stated else None

    def left(self, body) -> dict | None:
        """`{amount, unit}` of what the account can buy with now; None where the answer's shape is not known or another."""
        balance = self._data.get("balance", {})
        numbers = [value for at in balance.get("amounts", ()) if is_number(value := point(body, at))]
        if numbers and "nothing_if" in balance:
            from . import answers

            if answers.holds(self._rules.condition(balance["nothing_if"]), body):
                numbers = [0]
        return {"amount": sum(numbers), "unit": balance["unit"]} if numbers else None

    def accepts_key(self, body) -> bool:
        """Whether the answer to the key's check says that the key is good; True where only the status tells."""
        return point(body, (self.key_check or {}).get("valid", "/\0")) is not False

    # -- successes and errors ----------------------------------------------------------------------------

    def says_success(self, body, rule: dict | None = None) -> bool:
        """Whether an answer says no otherwise; `rule` of an action counts before the service's."""
        rule = rule or self._data.get("success")
        found = point(body, rule["at"]) if rule else None
        return found is None or same(found, rule["is"])

    def trace_id(self, body, headers=None) -> str | None:
        """What the service's support asks for, where the answer has it."""
        where = self._data.get("trace_id")
        if where is None:
            return None
        found = (headers or {}).get(where["header"]) if isinstance(where, dict) else point(body, where)
        return found if isinstance(found, str) and re.fullmatch(r"[\w.:-]{1,200}", found) else None

    def is_replay(self, body) -> bool:
        """Whether an answer to a create is what an earlier one with the same key was answered; nothing was charged."""
        rule = (self.idempotency or {}).get("replayed")
        found = point(body, rule["at"]) if rule else None
        texts = found if isinstance(found, list) else [found]
        return any(isinstance(text, str) and text.startswith(rule["begins"]) for text in texts) if rule else False

    def error(self, body) -> tuple[str, str]:
        """`(code, message)` of an error answer; empty where it has none."""
        from . import answers

        return answers.words(self._error_rules, body)

    def failure(self, body) -> tuple[str, str]:
        """`(code, message)` of a failed job; empty where it has none."""
        from . import answers

        return answers.words(self._failure_rules, body)

    def category(self, status: int, body, words: str = "", headers=None) -> tuple[str, str]:
        """`(category, message)` of an HTTP error answer; `words` stand in for a body that is no JSON."""
        found = self.verdict(status, body, words, headers)
        return found.category, found.message

    def verdict(self, status: int, body, words: str = "", headers=None, own_key: str | None = None) -> Verdict:
        """What an answer that is no success says.

        headers  case-insensitive mapping
        own_key  the idempotency key that the request carried
        """
        from . import answers

        def repeatable(body, code: str) -> bool:
            """`code` is of the body: a header alone is no answer that could be read."""
            return self._repeatable(body, code, own_key)

        outcomes = self._data.get("status_outcomes", {})
        return answers.verdict(self._error_rules, outcomes, status, body, words, headers, repeatable)

    def _repeatable(self, body, code: str, own_key: str | None) -> bool:
        rules = self.idempotency
        if rules is None or own_key is None:
            return False
        recovery = self._error_rules.recovery
        named = point(body, recovery.get("idempotency_key", "/\0"))
        if (named is not None and named != own_key) or point(body, recovery.get("retryable", "/\0")) is False:
            return False
        return code in rules["codes"] if code else rules["without_answer"]

    # -- told to people ----------------------------------------------------------------------------------

    def guidance(self, category: str) -> list[str]:
        """What to do about an error of a category, in words."""
        lines = [_GUIDANCE[category], *self._data.get("guidance", {}).get(category, ())]
        if category == "insufficient_credits" and "dashboard_url" in self.links:
            lines.append(f"Recharge at {self.links['dashboard_url']}, then run the same again.")
        if category == "auth" and self.key:
            where = f"; a new key comes from {self.key['create_url']}" if "create_url" in self.key else ""
            lines.append(f"Check {self.key['variable']}{where}")
        return lines

    @property
    def looking_guidance(self) -> list[str]:
        """Where a person can look for a job that has no id here."""
        own = self._data.get("guidance", {}).get("looking")
        if own:
            return own
        if "dashboard_url" not in self.links:
            return ["Look at the service itself for a job made at this time."]
        return [f"Look at {self.links['dashboard_url']} for a job made at this time."]

    @property
    def key_guidance(self) -> list[str]:
        """Where to get a key and how to set it, for each kind of shell and host."""
        variable = self.key["variable"]
        settings = {"skills": {"entries": {"ai-media": {"env": {variable: "your_api_key_here"}}}}}
        return [
            *self.key.get("steps", ()),
            f"In a shell: export {variable}='your_api_key_here'",
            f"In PowerShell: $env:{variable} = 'your_api_key_here'",
            f"In OpenClaw, in ~/.openclaw/openclaw.json: {json.dumps(settings)}",
            f"To keep it: preflight.py --provider {self.name} --persist-key, with the key on standard input",
        ]


def outputs_at(body, places: list[dict], kind: str | None) -> list[dict]:
    """As Provider.outputs, for places that hold one result each: the first where there is one."""
    from . import answers, descriptor

    for place in places:
        facts = {name: descriptor.Fact(at) for name, at in place.items() if name not in ("at", "url")}
        rule = descriptor.OutputRule(each=(place["at"],), url=place["url"], facts=facts)
        found = answers.outputs((rule,), body)
        if found:
            return [{**({"type": kind} if kind else {}), **output} for output in found[:1]]
    return []


__all__ = ["Provider", "is_media_url", "outputs_at"]
