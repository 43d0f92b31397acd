"""Whether a request that was put together could work, before it is paid for.

check_model   no slip in a model's name is sent
check_task    nor a task without the file that it begins with
check         nor anything else that the contract refuses
"""

from __future__ import annotations

import re
import shlex

from ..base import errors
from ..base.pointer import point, tokens
from ..base.text import plain
from ..media import inputs as media_inputs
from . import catalogue, model_contract, providers, tasks
from .descriptor import Route


def check_model(provider: providers.Provider, model: str | None) -> list[tuple[str, str]]:
    """Raise Failure 23 for a slip in the name of a known model; `(code, message)` of one that is not listed."""
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
    kinds = tasks.BEGINS_WITH.get(task or "", ())
    if not kinds or (contract is None and route.file is None) or media_inputs.names_a_file(payload):
        return
    rows = model_contract.rows_at(contract.fields(), route.fields) if contract else []
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
    from . import conventions

    maker = re.split(r"[/.]", model)[0]
    siblings = [
        one["model"] for one in catalogue.models(provider.speaks) if re.split(r"[/.]", one["model"])[0] == maker
    ]
    conventions.read_all(provider.speaks)
    contracts = filter(None, (model_contract.of_model(provider.speaks, one) for one in siblings))
    return sorted({row["name"] for one in contracts for row in model_contract.rows_at(one.fields(), route.fields)})


def _check_without_contract(
    provider: providers.Provider, model: str | None, payload: dict, route: Route
) -> list[tuple[str, str]]:
    """Without a contract a slip of the pen is still told by the names that the service's other models have."""
    from ..contracts.names import near_miss

    known = model_contract.names_of_fields(provider)
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


def _refused(
    code: str, message: str, problems: list[dict], provider: providers.Provider, model: str | None
) -> errors.Failure:
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
