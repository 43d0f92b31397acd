"""The fields of a request, put together from the flags as the model's contract names them.

Content  what somebody wants in a request
build    the body that it means, and the files in it
"""

from __future__ import annotations

import json
from typing import Any

from ..base import errors
from ..base.pointer import escaped, point, put, tokens
from ..base.record import field, record, replace
from ..base.text import can_be_sent, plain, texts_in
from ..media import inputs as media_inputs
from . import catalogue, file_fields, providers
from .descriptor import Route
from .model_contract import row_at


@record
class Content:
    """What somebody wants in a request, before a contract says where it goes.

    payload     fields that everything else is added to; None where none were given
    prompt      words for the field of the prompt
    parameters  name -> value of single fields
    inputs      (field, path or address or job:KEY or -) of each file, in their order
    validates   whether files and fields must be what the contract states
    of_others   whether the payload comes from a file that a stranger may have written: it gives no consent
    """

    payload: dict | None = None
    prompt: str | None = None
    parameters: dict = field(default_factory=dict)
    inputs: tuple[tuple[str, str], ...] = ()
    validates: bool = True
    of_others: bool = False

    @property
    def is_empty(self) -> bool:
        return self.payload is None and self.prompt is None and not self.parameters and not self.inputs


@record
class Built:
    """A request's body.

    payload      with a stand-in for each file
    attachments  stand-in -> what it stands for
    shapes       stand-in -> the object that a file is sent as, in place of its name or address
    """

    payload: dict
    attachments: dict[str, media_inputs.Attachment]
    shapes: dict[str, Any]

    @property
    def shaped(self) -> dict:
        """The payload as it is sent, but for what only the files can tell."""
        return media_inputs.replaced(self.payload, self.shapes)


def build(content: Content, provider: providers.Provider, contract, model: str | None, route: Route) -> Built:
    """The body that a Content means on a route; raises Failure."""
    if content.is_empty:
        raise errors.bad_argument("--prompt", "expected a prompt, --param, --input or a payload")
    for flag, given in (("--param", content.parameters), ("--payload", content.payload or {})):
        _check_references(flag, given)
    builder = _Builder(content, provider, contract, model, route)
    builder.name_model()
    builder.add_parameters()
    builder.add_prompt()
    for name, source in content.inputs:
        builder.add_input(name, source)
    builder.add_constants()
    return Built(_sendable(builder.payload), builder.attachments, builder.shapes)


def _check_references(flag: str, given: dict) -> None:
    """Refuse job:KEY among the fields: the service would be paid for a job that is given these words."""
    for name, value in given.items():
        found = next(filter(media_inputs.is_of_job, texts_in(value)), None)
        if found:
            raise errors.bad_argument(flag, f"a job's output is an input: expected --input {plain(name, 60)}={found}")


def without_consents(content: Content, provider: providers.Provider, contract) -> tuple[Content, list[str]]:
    """A stranger's Content without what only whoever pays may set, and pointers to that; any other as it is."""
    if not content.of_others or content.payload is None:
        return content, []
    from ..contracts import callbacks

    guard = provider.guard or {}
    own = [guard[name] for name in ("field", "accept_unknown_field") if name in guard]
    payload, dropped = callbacks.without(content.payload, contract, own)
    return replace(content, payload=payload), dropped


class _Builder:
    """Puts one body together; each method raises Failure 2 for what does not go together."""

    def __init__(self, content: Content, provider: providers.Provider, contract, model: str | None, route: Route):
        self.payload: dict = {}
        if content.payload:
            from copy import deepcopy

            self.payload = deepcopy(content.payload)
        self.attachments: dict[str, media_inputs.Attachment] = {}
        self.shapes: dict[str, Any] = {}
        self._content = content
        self._provider = provider
        self._model = model
        self._route = route
        self._rows = contract.fields() if contract else []
        entry, is_all = catalogue.entry(provider.speaks, model), not catalogue.has_contracts(provider.speaks)
        self._file_fields = file_fields.FileFields(route, self._rows, entry, is_all)

    def name_model(self) -> None:
        at = self._route.model
        if at is None or self._model is None:
            return
        named = point(self.payload, at)
        if named not in (None, self._model):
            raise errors.bad_argument("--model", f"expected there: {at[1:]} of the request names another")
        if named is None:
            before = self.payload
            self.payload = {}
            put(self.payload, at, self._model)
            self.payload.update(before)

    def add_parameters(self) -> None:
        for name, value in self._content.parameters.items():
            self._put("--param", self._place(name), value)

    def _place(self, name: str) -> str:
        """Where a single field goes: the body's own where the body has it, else among the model's parameters."""
        own = {row["name"] for row in self._rows} - set(tokens(self._route.fields)[:1])
        return f"{'' if name in own else self._route.fields}/{escaped(name)}"

    def add_prompt(self) -> None:
        if self._content.prompt is None:
            return
        places = self._route.prompt
        if not places:
            raise errors.bad_argument("--prompt", "expected without: what is asked for takes no words")
        known = [at for at in places if row_at(self._rows, at)]
        at = next(iter(known or places))
        if point(self.payload, at) is not None and at[1:] in self._content.parameters:
            raise errors.bad_argument("--param", f"{at[1:]} is given by --prompt already")
        before = point(self.payload, at)
        if before not in (None, self._content.prompt) and not self._gives_way(before):
            raise errors.bad_argument("--prompt", f"expected without: {at[1:]} of the payload says other words")
        self._put("--prompt", at, self._content.prompt)

    def _gives_way(self, words) -> bool:
        """Whether words of the payload are there to be replaced: those of a stranger's record, and of a template."""
        from ..contracts import is_placeholder

        return self._content.of_others or is_placeholder(words)

    def add_constants(self) -> None:
        for name, value in self._route.defaults.items():
            if point(self.payload, self._place(name)) is None:
                self._put("--param", self._place(name), value)
        for at, value in self._route.constants.items():
            found = point(self.payload, at)
            if found is not None and found != value:
                told = json.dumps(value)
                raise errors.bad_argument("--payload", f"{at[1:]}: expected {told}, which this program needs to go on")
            place = at.rpartition("/")[0]
            if self._content.prompt is None and any(one.rpartition("/")[0] == place for one in self._route.prompt):
                if place and not isinstance(point(self.payload, place), (dict, type(None))):
                    raise errors.bad_argument("--prompt", "expected words, whose place a file has taken")
            self._put("--payload", at, value)
        plan = self._provider.plan
        if plan and self.payload.get(plan["field"]):
            raise errors.bad_argument(plan["field"], "expected --dry-run: a plan is nothing that can be bought")

    def _put(self, flag: str, at: str, value) -> None:
        try:
            put(self.payload, at, value)
        except ValueError:
            raise errors.bad_argument(flag, f"{at[1:]}: something else is given already on the way there") from None

    # -- files -----------------------------------------------------------------------------------------

    def add_input(self, name: str, given: str) -> None:
        """One file or address for the field that `name` means."""
        roles = self._provider.roles
        role, at, more = file_fields.parts_of_role(name)
        named = roles.get("names", {}).get(role)
        if named is not None:
            stated = {"takes_file": named["kind"], "file_limits": roles.get("limits", {})}
            return file_fields.add_reference(self.payload, (role, at, more), self._read(role, stated, given), roles)
        at, row = self._file_fields.of(name)
        value = self._read(tokens(at.removesuffix("/-"))[-1], row, given)
        if self._route.file is not None and _same_place(at, self._route.file) and self._route.file_as is not None:
            value = self._shape(value, row.get("takes_file") or name)
        if at.endswith("/-"):
            before = point(self.payload, at[:-2])
            if before is not None and not isinstance(before, list):
                self._put("--input", at[:-2], [before])
        elif point(self.payload, at) is not None:
            raise errors.bad_argument("--input", f"{plain(at[1:], 60)} takes one file and is given twice")
        return self._put("--input", at, value)

    def _shape(self, value: str, kind: str):
        """The object that a file is sent as; a file that is brought first keeps its stand-in until then."""
        if value in self.attachments:
            media_type = getattr(getattr(self.attachments[value], "source", None), "media_type", f"{kind}/*")
            self.shapes[value] = media_inputs.shape(self._route.file_as, value, kind, media_type)
            return value
        return media_inputs.shape(self._route.file_as, value, kind)

    def _read(self, name: str, stated: dict, given: str) -> str:
        """The text for the payload; an Attachment is noted under its stand-in."""
        checks = self._content.validates
        kind = stated.get("takes_file") if checks else None
        limits = (stated["file_limits"],) if checks and "file_limits" in stated else ()
        rules = self._provider.file_rules
        if not checks:
            rules = replace(rules, kinds={})
        value = media_inputs.read(name, kind, given, limits, rules, checks)
        if isinstance(value, str):
            return value
        self.attachments[value.stand_in] = value
        return value.stand_in


def _same_place(one: str, other: str) -> bool:
    return one.removesuffix("/-") == other.removesuffix("/-")


def _sendable(payload: dict) -> dict:
    # Bytes of an argument that are no UTF-8 reach Python as lone surrogates.
    if not can_be_sent(payload):
        raise errors.bad_argument("--prompt and --param", "expected text in UTF-8")
    return payload
