"""The fields of a request: put together from the flags as the model's contract names them, then checked.

contract_of   the bundled contract of a model, or None
build         the payload that the flags mean, and the files in it
check_model   no slip in a model's name is sent
check_task    nor a task without the file that it begins with
check         nor anything else that could not work
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field

from ..base import errors
from ..base.text import plain
from ..media import inputs as media_inputs
from . import catalogue, providers

# What --input can name in place of a field: the kind of file that a field takes.
KINDS = ("image", "video", "audio")

# The kind of file that a task begins with; the others begin with words.
_BEGINS_WITH = {"i2i": "image", "i2v": "image", "v2v": "video", "stt": "audio", "sts": "audio", "i2m": "image"}


def contract_of(provider: providers.Provider, model: str | None, path: str | None = None):
    """The contracts.Operation that creates with `model`, or None where no contract of it is known.

    path  of the create: a service that names its model in the request has one contract for all of them
    """
    found = contract_of_model(provider.speaks, model) if model is not None else None
    if found is None and path is not None and provider.model_field:
        from .. import contracts

        document = contracts.load(catalogue.contract_path(provider.speaks))
        found = contracts.operation(document, f"POST {provider.base_path}{path}")
    return found


def contract_of_model(service: str, model: str):
    """As contract_of, for the name of a service."""
    from .. import contracts

    kept = catalogue.kept_contract(service, model)
    if kept is not None:
        document = contracts.load(kept)
        return contracts.operation(
            document, next(row.endpoint for row in document.operations() if row.method == "POST")
        )
    entry = catalogue.entry(service, model)
    if entry.get("contract", "none") == "none":
        return None
    return contracts.operation(contracts.load(catalogue.contract_path(service)), f"POST {entry['path']}")


# -- building ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Content:
    """What somebody wants in a request, before a contract says where it goes.

    payload     fields that everything else is added to; None where none were given
    prompt      words for the field of the prompt
    parameters  name -> value of single fields
    inputs      (field, path or address or job:KEY or -) of each file, in their order
    validates   whether files and fields must be what the contract states
    """

    payload: dict | None = None
    prompt: str | None = None
    parameters: dict = field(default_factory=dict)
    inputs: tuple[tuple[str, str], ...] = ()
    validates: bool = True

    @property
    def is_empty(self) -> bool:
        return self.payload is None and self.prompt is None and not self.parameters and not self.inputs


def build(
    content: Content, provider: providers.Provider, contract, model: str | None
) -> tuple[dict, dict[str, media_inputs.Attachment]]:
    """`(payload, {stand-in: Attachment})` of a Content; raises Failure."""
    if content.is_empty:
        raise errors.bad_argument("--prompt", "expected a prompt, --param, --input or a payload")
    given = dict(content.parameters)
    if content.prompt is not None:
        field = _prompt_field(provider, contract)
        if field in given:
            raise errors.bad_argument("--param", f"{field} is given by --prompt already")
        given[field] = content.prompt
    payload = _with_parameters(content.payload or {}, given, provider, contract)
    if provider.model_field and model is not None:
        payload = {provider.model_field: model, **payload}
    found: dict[str, media_inputs.Attachment] = {}
    rules = provider.inputs
    if not content.validates:
        rules = {name: rule for name, rule in rules.items() if name != "kinds"}
    plain_fields = catalogue.entry(provider.speaks, model).get("inputs", {})
    for name, source in content.inputs:
        _add_input(payload, name, source, contract, plain_fields, rules, found, content.validates)
    _check_meaning(provider, model, payload)
    return _sendable(payload), found


def _check_meaning(provider: providers.Provider, model: str | None, payload: dict) -> None:
    """Raise Failure 2 for a field that would make something else of the purchase than the flags and the ledger say."""
    if provider.model_field and model is not None and payload[provider.model_field] != model:
        raise errors.bad_argument("--model", f"expected there: {provider.model_field} of the request names another")
    if provider.plan and payload.get(provider.plan["field"]):
        raise errors.bad_argument(provider.plan["field"], "expected --dry-run: a plan is nothing that can be bought")


def _prompt_field(provider: providers.Provider, contract) -> str:
    known = {row["name"] for row in contract.fields()} if contract else ()
    return next((field for field in provider.prompt_fields if field in known), provider.prompt_fields[0])


def _with_parameters(base: dict, given: dict, provider: providers.Provider, contract) -> dict:
    """`given` at its place: what the request itself does not have is a parameter of the model."""
    inner = provider.parameters_field
    if inner is None or contract is None:
        return {**base, **given}
    own = {row["name"] for row in contract.fields()}
    parameters = {name: value for name, value in given.items() if name not in own}
    payload = {**base, **{name: value for name, value in given.items() if name in own}}
    if parameters:
        before = payload.get(inner, {})
        if not isinstance(before, dict):
            raise errors.bad_argument("--param", f"{inner} is given already, and is no object")
        payload[inner] = {**before, **parameters}
    return payload


def _add_input(
    payload: dict, name: str, given: str, contract, plain_fields: dict, rules: dict, found: dict, checks: bool
) -> None:
    """One file or address for the field that `name` means.

    plain_fields  kind of file -> the field that it means, where the model has several that take it
    checks        whether the file must be what the contract states
    """
    role = rules.get("roles", {}).get("names", {}).get(name)
    if role is not None:
        stated = {"takes_file": role["kind"], "file_limits": rules["roles"].get("limits", {})}
        return _add_reference(payload, name, _read_input(name, stated, given, rules, found, checks), rules["roles"])
    row = _field_for(plain_fields.get(name, name), contract)
    field = row["name"]
    value = _read_input(field, row, given, rules, found, checks)
    if str(row.get("type", "")).startswith("array"):
        before = payload.get(field, [])
        payload[field] = [*(before if isinstance(before, list) else [before]), value]
    elif field in payload:
        raise errors.bad_argument("--input", f"{plain(field, 60)} takes one file and is given twice")
    else:
        payload[field] = value
    return None


def _read_input(field: str, stated: dict, given: str, rules: dict, found: dict, checks: bool) -> str:
    """The text for the payload; an Attachment is noted under its stand-in."""
    kind = stated.get("takes_file") if checks else None
    limits = (stated["file_limits"],) if checks and "file_limits" in stated else ()
    value = media_inputs.read(field, kind, given, limits, rules, checks)
    if isinstance(value, str):
        return value
    found[value.stand_in] = value
    return value.stand_in


def _add_reference(payload: dict, role: str, value: str, roles: dict) -> None:
    """One more reference in its role: one that opens a group has the next number, another one joins the last group."""
    before = payload.get(roles["field"], [])
    if not isinstance(before, list) or not all(_is_reference(one, roles) for one in before):
        raise errors.bad_argument("--input", f"{roles['field']} is given already, and is no list of references")
    counted = roles["names"][role].get("counted")
    last = max((one[roles["number"]] for one in before), default=-1)
    if counted is None:
        numbers = {roles["number"]: last + 1}
    elif last < 0:
        raise errors.bad_argument("--input", f"{role} belongs to a reference that must be given before it")
    else:
        number = sum(one.get(roles["role"]) == role and one.get(roles["number"]) == last for one in before)
        numbers = {roles["number"]: last, counted: number}
    payload[roles["field"]] = [*before, {roles["value"]: value, roles["role"]: role, **numbers}]


def _is_reference(one, roles: dict) -> bool:
    return isinstance(one, dict) and type(one.get(roles["number"])) is int


def _field_for(name: str, contract) -> dict:
    """The contract's row of the field that `--input NAME=` means; just its name where it is not known."""
    rows = contract.fields() if contract else []
    row = next((row for row in rows if row["name"] == name), None)
    if row is None and name in KINDS and contract is not None:
        row = _only_field_of_kind(name, rows)
    return row or {"name": name}


def _only_field_of_kind(kind: str, rows: list[dict]) -> dict:
    fitting = [row for row in rows if row.get("takes_file") == kind]
    needed = [row for row in fitting if row["required"]]
    if len(fitting) == 1 or len(needed) == 1:
        return (needed or fitting)[0]
    if not fitting:
        takes = ", ".join(f"{row['name']} ({row['takes_file']})" for row in rows if row.get("takes_file"))
        raise errors.bad_argument(
            "--input", f"no field of this model is known to take {kind}; " + (f"known: {takes}" if takes else "name it")
        )
    names = ", ".join(row["name"] for row in fitting)
    raise errors.bad_argument("--input", f"several fields take {kind}: {names}; expected one of them as NAME")


def _sendable(payload: dict) -> dict:
    # Bytes of an argument that are no UTF-8 reach Python as lone surrogates, which nothing can send.
    try:
        json.dumps(payload, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise errors.bad_argument("--prompt and --param", "expected text in UTF-8") from None
    return payload


# -- checking ----------------------------------------------------------------------------------------


def check_model(provider: providers.Provider, model: str | None) -> list[tuple[str, str]]:
    """Raise Failure 23 for a slip in the name of a known model; `(code, message)` of one that is not listed."""
    from . import catalogue

    if model is None or provider.speaks not in catalogue.services() or catalogue.entry(provider.speaks, model):
        return []
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


def check_task(provider: providers.Provider, model: str | None, contract, payload: dict, task: str | None) -> None:
    """Raise Failure 22 where `task` begins with a file and the payload has none: something else would be bought."""
    kind = _BEGINS_WITH.get(task)
    if kind is None or contract is None:
        return
    fields = [row["name"] for row in contract.fields() if row.get("takes_file") == kind]
    if not fields or any(payload.get(field) for field in fields) or media_inputs.names_a_file(payload):
        return
    problem = {"path": fields[0], "message": f"is what {task} begins with", "allowed": fields}
    told = f"{task} begins with a file, and none was given; expected --input {fields[0]}=PATH_OR_URL"
    raise _refused("payload_invalid", told, [problem], provider, model)


def check(provider: providers.Provider, model: str | None, contract, payload: dict) -> list[tuple[str, str]]:
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
        return _check_without_contract(provider, model, payload)
    checked = contract.check(payload)
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
    return [("contract_incomplete", f"the contract of {model} cannot vouch for everything: {plain(told, 600)}")]


def _check_without_contract(provider: providers.Provider, model: str | None, payload: dict) -> list[tuple[str, str]]:
    """Without a contract a slip of the pen is still told by the names that the service's other models have."""
    from ..contracts import validation

    known = _names_of_service(provider)
    unknown = [name for name in payload if name not in known]
    for name in unknown:
        nearest = validation.near_miss(name, known)
        if nearest:
            problem = {"path": name, "message": f"is not known; did you mean {nearest}?", "nearest": nearest}
            raise _refused("payload_invalid", f"{plain(name, 60)}: {problem['message']}", [problem], provider, None)
    if not unknown:
        return []
    told = f"no contract of {model or 'this endpoint'} is known; sent unchecked: {', '.join(unknown)}"
    return [("contract_missing", plain(told, 600))]


def _names_of_service(provider: providers.Provider) -> list[str]:
    """Every field name of the service's known creates."""
    try:
        with open(catalogue.contract_path(provider.speaks), encoding="utf-8") as file:
            document = json.load(file)
    except FileNotFoundError:
        return list(provider.prompt_fields)
    names = set(provider.prompt_fields)
    pending = [document]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            properties = node.get("properties")
            names.update(properties if isinstance(properties, dict) else ())
            pending.extend(node.values())
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
