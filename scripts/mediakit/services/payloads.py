"""The fields of a request: put together from the flags as the model's contract names them, then checked.

contract_of   the bundled contract of a model, or None
task_of       what a model does with what is given
build         the body that the flags mean, and the files in it
check_model   no slip in a model's name is sent
check_task    nor a task without the file that it begins with
check         nor anything else that could not work
"""

from __future__ import annotations

import json
import re
import shlex
from copy import deepcopy
from typing import Any

from ..base import errors
from ..base.pointer import escaped, point, put, tokens
from ..base.record import field, record, replace
from ..base.regex import regex
from ..base.text import can_be_sent, plain, texts_in
from ..contracts.files import kind_named
from ..media import inputs as media_inputs
from . import catalogue, providers
from .descriptor import Route

# What --input can name in place of a field: the kind of file that a field takes.
KINDS = ("image", "video", "audio")

# The kinds of file that a task begins with; the others begin with words.
_BEGINS_WITH = {
    **dict.fromkeys(("i2i", "i2v", "i2m"), ("image",)),
    "v2v": ("video",),
    **dict.fromkeys(("stt", "sts"), ("audio", "video")),
    **dict.fromkeys(("upscale", "rmbg"), ("image", "video")),
}


def contract_of(provider: providers.Provider, model: str | None, path: str | None = None, task: str | None = None):
    """The contracts.Operation that creates with `model`, or None where no contract of it is known.

    path  of the create: a service that names its model in the request has one contract for all of them
    task  of a model that does several, each with a contract of its own
    """
    found = contract_of_model(provider.speaks, model, task) if model is not None else None
    if found is None and path is not None and provider.model_field and provider.speaks in catalogue.services():
        from .. import contracts
        from . import conventions

        document = conventions.document(provider.speaks)
        if any(document.has("POST", known) for known in (provider.base_path + path, path)):
            found = contracts.operation(document, f"POST {provider.base_path}{path}")
    return found


def contract_of_model(service: str, model: str, task: str | None = None):
    """As contract_of, for the name of a service."""
    from .. import contracts

    kept = catalogue.kept_contract(service, model)
    if kept is not None:
        return contracts.operation(kept, next(row.endpoint for row in kept.operations() if row.method == "POST"))
    entry = catalogue.entry(service, model)
    if entry.get("contract", "none") == "none":
        return None
    from . import conventions

    path = entry.get("paths", {}).get(task, entry["path"])
    found = contracts.operation(conventions.document(service), f"POST {path}")
    model_field = providers.load(service).model_field
    return found.given({model_field: model}) if model_field else found


# -- building ----------------------------------------------------------------------------------------


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


def task_of(provider: providers.Provider, model: str | None, content: Content) -> str | None:
    """The task that a listed model does with this content; None for one that is not listed."""
    tasks = catalogue.entry(provider.speaks, model).get("tasks", ())
    begun = [task for task in tasks if _begins_with_these(provider, model, task, content)]
    worded = [task for task in tasks if task not in _BEGINS_WITH]
    return next(iter([*begun, *([] if content.inputs else worded), *tasks]), None)


def _begins_with_these(provider: providers.Provider, model: str | None, task: str, content: Content) -> bool:
    """Whether the files that are given are what a task begins with."""
    given = {name for name, _ in content.inputs}
    if given & set(_BEGINS_WITH.get(task, ())):
        return True
    file = provider.paths.route(model, task).file if task in _BEGINS_WITH else None
    return file is not None and bool({*given, *(content.payload or ())} & set(tokens(file)))


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
        self.payload: dict = deepcopy(content.payload or {})
        self.attachments: dict[str, media_inputs.Attachment] = {}
        self.shapes: dict[str, Any] = {}
        self._content = content
        self._provider = provider
        self._model = model
        self._route = route
        self._rows = contract.fields() if contract else []
        self._fields = rows_at(self._rows, route.fields)
        self._entry = catalogue.entry(provider.speaks, model)

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
        # The words of a stranger's record are there to be replaced; those of a payload the user wrote as well.
        before = None if self._content.of_others else point(self.payload, at)
        if before not in (None, self._content.prompt):
            raise errors.bad_argument("--prompt", f"expected without: {at[1:]} of the payload says other words")
        self._put("--prompt", at, self._content.prompt)

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
        role, at, more = _parts_of_role(name)
        named = roles.get("names", {}).get(role)
        if named is not None:
            stated = {"takes_file": named["kind"], "file_limits": roles.get("limits", {})}
            return _add_reference(self.payload, (role, at, more), self._read(role, stated, given), roles)
        at, row = self._field_for(name)
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

    def _field_for(self, name: str) -> tuple[str, dict]:
        """`(where it goes, the contract's row of it)` of the field that `--input NAME=` means."""
        name = self._entry.get("inputs", {}).get(name, name)
        for at, rows in ((self._route.fields, self._fields), ("", self._rows)):
            row = next((row for row in rows if row["name"] == name), None)
            if row is not None:
                return f"{at}/{escaped(name)}{'/-' if _is_list(row) else ''}", row
        if name not in KINDS:
            return f"{self._route.fields}/{escaped(name)}", {"name": name}
        if self._route.file is not None and self._takes(self._route.file.removesuffix("/-"), name):
            row = row_at(self._rows, self._route.file.removesuffix("/-"))
            return self._route.file, {"takes_file": name, **(row or {})}
        if not self._rows:
            raise errors.bad_argument(
                "--input", f"which field of this model takes {name} is not known; expected its name in place of {name}"
            )
        row = _only_field_of_kind(name, self._fields)
        return f"{self._route.fields}/{escaped(row['name'])}{'/-' if _is_list(row) else ''}", row

    def _takes(self, at: str, kind: str) -> bool:
        """Whether a route's field for files is the one in which this model takes a file of this kind."""
        row = row_at(self._rows, at)
        if row or any(row.get("takes_file") == kind for row in self._fields):
            return bool(row) and row.get("takes_file", kind) == kind
        named = kind_named(tokens(at)[-1])
        is_heard = named == "audio" and kind == "video" and {"stt", "sts"} & set(self._route.tasks)
        if named not in (None, "file", kind) and not is_heard:
            return False
        # Among a model's own fields it is a guess where neither the model nor a contract of it is known.
        own = f"{self._route.fields}/"
        is_own = at.startswith(own) and (own != "/" or "{model}" in self._route.path)
        return not is_own or bool(self._rows or self._entry)


def rows_at(rows: list[dict], pointer: str) -> list[dict]:
    """The fields of the object at a pointer, out of the fields of a body; empty where they are not known."""
    for name in tokens(pointer):
        row = next((row for row in rows if row["name"] == name), {})
        rows = row.get("fields", [])
    return rows


def row_at(rows: list[dict], pointer: str) -> dict | None:
    """The row of the field at a pointer; None where it is not known."""
    *parents, last = tokens(pointer)
    above = rows_at(rows, "".join(f"/{escaped(name)}" for name in parents))
    return next((row for row in above if row["name"] == last), None)


def _is_list(row: dict) -> bool:
    return str(row.get("type", "")).startswith("array")


def _same_place(one: str, other: str) -> bool:
    return one.removesuffix("/-") == other.removesuffix("/-")


def _parts_of_role(name: str) -> tuple[str, int | None, str | None]:
    """ROLE[@NUMBER][:MORE] as `(role, number, what else it says)`."""
    found = re.fullmatch(r"([^@:]+)(?:@(\d{1,3}))?(?::(\w{1,40}))?", name)
    return (found[1], found[2] and int(found[2]), found[3]) if found else (name, None, None)


def _add_reference(payload: dict, named: tuple[str, int | None, str | None], value: str, roles: dict) -> None:
    """One more reference in its role: one that opens a group has the next number, another one joins the last group.

    named  the role, with the number and the task or inner number where they are given
    """
    role, at, more = named
    before = payload.get(roles["field"], [])
    if not isinstance(before, list) or not all(_is_reference(one, roles) for one in before):
        raise errors.bad_argument("--input", f"{roles['field']} is given already, and is no list of references")
    rules = roles["names"][role]
    counted, task = rules.get("counted"), rules.get("task")
    last = max((one[roles["number"]] for one in before), default=-1)
    if counted is None:
        numbers: dict = {roles["number"]: last + 1 if at is None else at}
    elif last < 0 and at is None:
        raise errors.bad_argument("--input", f"{role} belongs to a reference that must be given before it")
    else:
        group = last if at is None else at
        number = sum(one.get(roles["role"]) == role and one.get(roles["number"]) == group for one in before)
        numbers = {roles["number"]: group, counted: number}
    if more is not None:
        key = counted or task
        if key is None or (key == counted and not more.isdecimal()):
            told = f"{role}: expected " + (f"a number after the colon, not {plain(more, 40)}" if key else "no colon")
            raise errors.bad_argument("--input", told)
        numbers[key] = int(more) if key == counted else more
    payload[roles["field"]] = [*before, {roles["value"]: value, roles["role"]: role, **numbers}]


def _is_reference(one, roles: dict) -> bool:
    return isinstance(one, dict) and type(one.get(roles["number"])) is int


# What a file's field says in its name: what opens a video, and what is no source by itself.
_OPENS = regex(r"(first|start|opening)_?(frame|image|picture)", re.I)
_IS_BESIDE = regex(r"mask|end_?(frame|image)|last_?(frame|image)|image_tail|reference|(^|_)refs?(_|$)", re.I)


def _only_field_of_kind(kind: str, rows: list[dict]) -> dict:
    """The field that a file of a kind goes to, where nothing but its kind is said; raises Failure 2 for none or several.

    Of several: the one that must be there; else the one that opens a video; else the one that is neither an end, a
    mask nor a reference, and for a single file rather than a list.
    """
    fitting = [row for row in rows if row.get("takes_file") == kind]
    main = [row for row in fitting if not _IS_BESIDE.search(row["name"])]
    choices = (
        fitting,
        [row for row in fitting if row["required"]],
        [row for row in main if _OPENS.match(row["name"])],
        main,
        [row for row in main if not _is_list(row)],
    )
    chosen = next((rows[0] for rows in choices if len(rows) == 1), None)
    if chosen is not None:
        return chosen
    if not fitting:
        takes = ", ".join(f"{row['name']} ({row['takes_file']})" for row in rows if row.get("takes_file"))
        raise errors.bad_argument(
            "--input", f"no field of this model is known to take {kind}; " + (f"known: {takes}" if takes else "name it")
        )
    names = ", ".join(row["name"] for row in fitting)
    raise errors.bad_argument("--input", f"several fields take {kind}: {names}; expected one of them as NAME")


def _sendable(payload: dict) -> dict:
    # Bytes of an argument that are no UTF-8 reach Python as lone surrogates.
    if not can_be_sent(payload):
        raise errors.bad_argument("--prompt and --param", "expected text in UTF-8")
    return payload


# -- checking ----------------------------------------------------------------------------------------


def check_model(provider: providers.Provider, model: str | None) -> list[tuple[str, str]]:
    """Raise Failure 23 for a slip in the name of a known model; `(code, message)` of one that is not listed."""
    from . import catalogue

    if model is None or provider.speaks not in catalogue.services():
        return []
    entry = catalogue.entry(provider.speaks, model)
    if entry:
        since = f" on {entry['off_sale']}" if "off_sale" in entry else " when its list was fetched"
        words = f"{model} was not on sale at {provider.title}{since}; whether it still answers is not known"
        return [] if catalogue.is_on_sale(entry) else [("model_off_sale", words)]
    if catalogue.kept_contract(provider.speaks, model) is not None:
        return []  # the service itself knows it
    told, meant = plain(model, 80), catalogue.slip_of(provider.speaks, model)
    if meant is None:
        return [
            ("model_not_listed", f"the model {told} is in no list of {provider.title}'s models here; it may be new")
        ]
    raise errors.Failure(
        "model_not_found",
        f"{provider.title} lists no model {told}; did you mean {meant}?",
        "not_found",
        outcome="not_sent",
        retryable=False,
        guidance=[
            "Nothing was sent. Name the model that you mean; inspect_openapi.py --list-endpoints lists them.",
            "If it is right as it stands, --no-validate sends it unchecked.",
        ],
    )


def check_task(
    provider: providers.Provider, model: str | None, contract, payload: dict, task: str | None, route: Route
) -> None:
    """Raise Failure 22 where `task` begins with a file and the payload has none: something else would be bought."""
    kinds = _BEGINS_WITH.get(task or "", ())
    if not kinds or (contract is None and route.file is None) or media_inputs.names_a_file(payload):
        return
    rows = rows_at(contract.fields(), route.fields) if contract else []
    fields = [row["name"] for row in rows if row.get("takes_file") in kinds]
    given = point(payload, route.fields)
    if isinstance(given, dict) and any(given.get(field) for field in fields):
        return
    if not fields:
        if route.file is None or point(payload, route.file.removesuffix("/-")) is not None:
            return
        fields = [kinds[0]]
    problem = {"path": fields[0], "message": f"is what {task} begins with", "allowed": fields}
    told = f"{task} begins with a file, and none was given; expected --input {fields[0]}=PATH_OR_URL"
    raise _refused("payload_invalid", told, [problem], provider, model)


def check(
    provider: providers.Provider, model: str | None, contract, payload: dict, route: Route
) -> list[tuple[str, str]]:
    """Raise Failure 22 for what the contract refuses; `(code, message)` of what it does not know."""
    from .. import contracts

    unfilled = contracts.unfilled(payload)
    if unfilled:
        raise _refused(
            "payload_unfilled",
            f"never filled in: {', '.join(unfilled)}",
            [{"path": path, "message": "still holds the template's placeholder"} for path in unfilled],
            provider,
            model,
        )
    if contract is None:
        return _check_without_contract(provider, model, payload, route)
    checked = contract.check(payload)
    _find_slips(provider, model, checked, route)
    if checked.problems:
        first = checked.problems[0]
        raise _refused(
            "payload_invalid",
            f"{first['path'] or 'payload'}: {first['message']}"
            + (f" (and {len(checked.problems) - 1} more)" if len(checked.problems) > 1 else ""),
            checked.problems,
            provider,
            model,
        )
    if not checked.warnings:
        return []
    told = "; ".join(f"{warning['path']}: {warning['message']}" for warning in checked.warnings)
    source = contract.source
    seen = str(source.get("seen")) if isinstance(source, dict) else ""
    dated = f", as of {seen}," if re.fullmatch(r"\d{4}(-\d\d){1,2}", seen) else ""
    return [("contract_incomplete", f"the contract of {model}{dated} cannot vouch for everything: {plain(told, 600)}")]


def _find_slips(provider: providers.Provider, model: str | None, checked, route: Route) -> None:
    """Make a problem of a field that an incomplete contract lacks and that is a slip for one of its siblings' fields.

    Siblings are the service's models of the same maker, who call one thing by one name.
    """
    from ..contracts.names import near_miss

    names: list[str] | None = None
    for warning in [one for one in checked.warnings if one["message"].endswith("it is sent as it is")]:
        *above, name = warning["path"].split(".")
        if model is None or above != list(tokens(route.fields)):
            continue
        names = _names_of_siblings(provider, model, route) if names is None else names
        nearest = None if name in names else near_miss(name, names)
        if nearest:
            told = f"is not a field of its siblings; did you mean {nearest}?"
            checked.problems.append({**warning, "message": told, "nearest": nearest})
            checked.warnings.remove(warning)


def _names_of_siblings(provider: providers.Provider, model: str, route: Route) -> list[str]:
    maker = re.split(r"[/.]", model)[0]
    siblings = [
        one["model"] for one in catalogue.models(provider.speaks) if re.split(r"[/.]", one["model"])[0] == maker
    ]
    contracts = filter(None, (contract_of_model(provider.speaks, one) for one in siblings))
    return sorted({row["name"] for one in contracts for row in rows_at(one.fields(), route.fields)})


def _check_without_contract(
    provider: providers.Provider, model: str | None, payload: dict, route: Route
) -> list[tuple[str, str]]:
    """Without a contract a slip of the pen is still told by the names that the service's other models have."""
    from ..contracts.names import near_miss

    known = names_of_service(provider)
    given = point(payload, route.fields)
    unknown = [name for name in (given if isinstance(given, dict) else ()) if name not in known]
    for name in unknown:
        nearest = near_miss(name, known)
        if nearest:
            problem = {"path": name, "message": f"is not known; did you mean {nearest}?", "nearest": nearest}
            raise _refused("payload_invalid", f"{plain(name, 60)}: {problem['message']}", [problem], provider, None)
    if not unknown and not catalogue.entry(provider.speaks, model):
        return []  # a model that is not listed is told as that
    sent = f"sent unchecked: {', '.join(unknown)}" if unknown else "its fields are sent unchecked"
    told = f"no contract of {model or 'this endpoint'} is known; {sent}"
    return [("contract_missing", plain(told, 600))]


def names_of_service(provider: providers.Provider) -> list[str]:
    """Every field name of the requests that the service's contracts know; what answers hold is no field of them."""
    try:
        with open(catalogue.contract_path(provider.speaks), encoding="utf-8") as file:
            document = json.load(file)
    except FileNotFoundError:
        document = {}
    names = {*provider.prompt_fields, *(name for route in provider.routes for name in route.defaults)}
    names |= {token for route in provider.routes for at in (route.model, route.file) if at for token in tokens(at)}
    pending = [
        way["requestBody"] for at in document.get("paths", {}).values() for way in at.values() if "requestBody" in way
    ]
    followed = set()
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            properties, reference = node.get("properties"), node.get("$ref")
            names.update(properties if isinstance(properties, dict) else ())
            pending.extend(node.values())
            if isinstance(reference, str) and reference not in followed:
                followed.add(reference)
                pending.append(point(document, reference.removeprefix("#")))
        elif isinstance(node, list):
            pending.extend(node)
    return sorted(names)


def _refused(
    code: str, message: str, problems: list[dict], provider: providers.Provider, model: str | None
) -> errors.Failure:
    from . import catalogue

    listed = model if catalogue.entry(provider.speaks, model).get("contract", "none") != "none" else None
    look = f"--provider {provider.speaks} " + (f"--model {shlex.quote(listed)}" if listed else "--list-endpoints")
    return errors.Failure(
        code,
        message,
        "validation",
        problems=problems,
        outcome="not_sent",
        retryable=False,
        guidance=[
            "Nothing was sent and nothing was bought. Change the fields that `problems` names.",
            f"inspect_openapi.py {look} shows what can be given; --no-validate sends as it is.",
        ],
    )
