"""A line as a request that was checked.

Defaults  what the flags say for every line that does not say it itself
Requests  makes the requests of lines
"""

from __future__ import annotations

from typing import Any

from ...base import errors
from ...base.record import record, replace
from ...services import model_contract, payloads, providers
from .. import request
from ..connection import ConnectionFlags, provider_of
from ..lifecycle.policy import WaitPolicy
from ..request import CheckedRequest, CreateRequest
from .lines import READERS, Line, Problem

# Stands for the job of a line that has none yet, while the lines are checked.
ANY_JOB = "job_" + "0" * 16
_MOST_PROBLEMS = 20
_MOST_CONTRACTS = 50
# What is wrong with a flag is wrong with the field of a line that says the same.
_FIELDS = {"--prompt": "prompt", "--model": "model", "--task": "task", "--param": "params", "--input": "inputs",
           "--payload": "payload", "--provider": "provider", "--output-name": "output_name"}  # fmt: skip
# So many requests are kept between their check and their purchase; others are checked once more.
_MOST_KEPT = 1000


@record
class Defaults:
    """What the flags say for every line that does not say it itself."""

    content: payloads.Content
    model: str | None = None
    task: str | None = None
    implies: str | None = None


class Requests:
    """Makes the requests of lines.

    check     the CheckedRequest of a line; raises Failure
    forget    it is not needed any more
    takes_jobs  whether it needs the output of a job
    problems  what a Failure of it means, as Problems
    """

    def __init__(self, defaults: Defaults, flags: ConnectionFlags, policy: WaitPolicy):
        self._defaults = defaults
        self._flags = flags
        self._policy = policy
        self._names = providers.names()
        self._chosen: str | None = None
        self._contracts: dict[tuple, Any] = {}
        self._checked: dict[str, CheckedRequest] = {}

    def check(self, line: Line, jobs: dict[str, str] | None = None) -> CheckedRequest:
        """jobs  the keys of the jobs that made what it takes, by the ids of their lines; None before there are any"""
        if line.id in self._checked:
            return self._checked[line.id]
        flags = self.flags_of(line)
        asked = request.check(self._wanted(line, jobs), flags, self._policy, asks=True, contract_of=self._contract_of)
        self._refuse_orders(line, asked)
        if not line.parents and len(self._checked) < _MOST_KEPT:
            self._checked[line.id] = asked
        return asked

    def forget(self, line_id: str) -> None:
        """A line's request is not asked for again."""
        self._checked.pop(line_id, None)

    def takes_jobs(self, line: Line) -> bool:
        """Whether an input of it is the output of an earlier job."""
        return any(source.startswith("job:") for _, source in (*line.inputs, *self._defaults.content.inputs))

    def _contract_of(self, provider: providers.Provider, model: str | None, path: str | None = None, *task):
        at = provider.name, provider.speaks, model, path, *task
        if at not in self._contracts:
            if len(self._contracts) >= _MOST_CONTRACTS:
                self._contracts.clear()
            self._contracts[at] = model_contract.of(provider, model, path, *task)
        return self._contracts[at]

    def flags_of(self, line: Line) -> ConnectionFlags:
        """The connection of a line: what the flags say about an address is about the service of the flags."""
        named = providers.canonical(line.provider) if line.provider is not None else None
        if named is not None and named not in self._names:
            raise errors.bad_argument("provider", f"expected one of {', '.join(self._names)}")
        named = named or self._flags.provider or self._defaults.implies or self._found()
        if named == (self._flags.provider or self._defaults.implies or named):
            return replace(self._flags, provider=named)
        return ConnectionFlags(
            provider=named,
            trust_dotenv=self._flags.trust_dotenv,
            trace=self._flags.trace,
            transport=self._flags.transport if provider_of(ConnectionFlags(), named).cli else "auto",
        )

    def _found(self) -> str:
        """The one service whose key is found, looked for once."""
        if self._chosen is None:
            self._chosen = request.service_of(CreateRequest(self._defaults.content), self._flags)
        return self._chosen

    def _wanted(self, line: Line, jobs: dict[str, str] | None) -> CreateRequest:
        default = self._defaults.content
        own = {name for name, _ in line.inputs}
        jobs = jobs if jobs is not None else dict.fromkeys(line.parents, ANY_JOB)
        says_words = line.prompt is not None or line.payload is not None
        content = payloads.Content(
            payload=default.payload if line.payload is None else line.payload,
            prompt=line.prompt if says_words else default.prompt,
            parameters={**default.parameters, **line.params},
            inputs=(*(one for one in default.inputs if one[0] not in own), *line.inputs_with(jobs)),
            validates=default.validates,
        )
        if line.model or line.task:
            return CreateRequest(content, line.model, line.task)
        return CreateRequest(content, self._defaults.model, self._defaults.task)

    def _refuse_orders(self, line: Line, asked: CheckedRequest) -> None:
        """A line can come from anybody: it asks for results, and neither says where the service is to tell of them nor
        accepts costs in the user's name."""
        given = {**(line.payload or {}), **line.params}
        if not given:
            return
        contract = self._contract_of(asked.provider, asked.model, asked.path, asked.task)
        said = payloads.Content(payload=given, of_others=True)
        refused = payloads.without_consents(said, asked.provider, contract)[1]
        if refused:
            raise errors.bad_argument(refused[0][1:], "expected as a flag, for every line: a line cannot say this")

    @staticmethod
    def problems(line: Line, failure: errors.Failure) -> list[Problem]:
        found = failure.fields.get("problems") or []
        if not found:
            flag = failure.fields.get("field") or ""
            name = _FIELDS.get(flag) or flag
            words = failure.message.removeprefix(f"{flag}: ") if name in READERS else failure.message
            return [Problem(line.number, words, line.id, name if name in READERS else None)]
        return [
            Problem(line.number, problem["message"], line.id, problem["path"].lstrip("/") or None)
            for problem in found[:_MOST_PROBLEMS]
        ]
