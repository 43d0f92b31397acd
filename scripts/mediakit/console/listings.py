"""What a person at a terminal reads of an answer that is no job: lists, plans, actions. Pure.

lines  the lines of one event; None for one that is as good in its JSON
"""

from __future__ import annotations

import json
from collections.abc import Callable


def lines(event: dict) -> list[str] | None:
    tell = _TELL.get(event["event"])
    return tell(event) if tell else None


# -- words of one thing --------------------------------------------------------------------------------------


def _amount(told) -> str:
    """An amount as events have it: `0.05 usd a second`."""
    if not isinstance(told, dict) or "amount" not in told:
        return ""
    per = f" a {told['per']}" if "per" in told else ""
    return f"{told['amount']} {told.get('unit', '')}{per}"


def _columns(*widths_and_words) -> str:
    """Words side by side, each as wide as the number before it says, at least."""
    pairs = zip(widths_and_words[::2], widths_and_words[1::2])
    return "  ".join(str(word).ljust(width) for width, word in pairs).rstrip()


def _practice(event: dict) -> str:
    return " (practice)" if event.get("practice") else ""


def _value(value) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _members(value, before: str = "") -> list[str]:
    """A line a member of an object, those of the objects in it under their own names."""
    if not isinstance(value, dict):
        return [f"{before.rstrip('.')}: {_value(value)}"]
    return [line for name, inner in value.items() for line in _members(inner, f"{before}{name}.")]


# -- jobs ----------------------------------------------------------------------------------------------------


def _job(event: dict) -> list[str]:
    state = event.get("state") if event["outcome"] == "accepted" else event["outcome"]
    if event.get("open"):
        state = f"{state or event['outcome']}, open"
    when = event["created_at"][:16].replace("T", " ")
    what = " ".join(event[name] for name in ("provider", "model") if name in event)
    row = _columns(20, event["job"], 16, when, 18, state or event["outcome"], 12, _amount(event.get("cost")), 0, what)
    if "exit_code" not in event:
        return [row]
    told = [f"id: {event['generation_id']}"] if "generation_id" in event else []
    told += _members(event["payload"], "asked for ") if event.get("payload") else []
    told += [f"{change['time'][:19].replace('T', ' ')} {change['what']}" for change in event.get("changes", ())]
    return [row, *told, *(f"saved: {path}" for path in event.get("assets_saved", ()))]


def _jobs(event: dict) -> list[str]:
    more = event["known"] - event["jobs"]
    return [f"{event['jobs']} jobs" + (f"; {more} more are known, --limit and the filters choose" if more else "")]


def _spent(event: dict) -> list[str]:
    what = " ".join(event[name] for name in ("provider", "model") if name in event)
    sums = [
        _amount(event.get("measured")),
        f"estimated {_amount(event['estimated'])}" if event.get("estimated") else "",
    ]
    unknown = f"{event['jobs_of_unknown_cost']} of unknown cost" if event.get("jobs_of_unknown_cost") else ""
    told = ", ".join(filter(None, [*sums, unknown])) or "nothing"
    return [_columns(10, event.get("day", ""), 4, event.get("jobs", ""), 24, told, 0, what + _practice(event))]


def _spend(event: dict) -> list[str]:
    told = []
    for total in event.get("totals", ()):
        estimated = f" and an estimated {total['estimated']}" if total.get("estimated") else ""
        unknown = f"; {total['jobs_of_unknown_cost']} of unknown cost" if total.get("jobs_of_unknown_cost") else ""
        amount = f"{total.get('measured', 0)}{estimated} {total.get('unit', '')}"
        told.append(f"in all: {amount} for {total['jobs']} jobs{_practice(total)}{unknown}")
    return told or ["nothing was spent"]


def _plan(event: dict) -> list[str]:
    request = event.get("request") or {}
    told = [f"would send: {request['method']} {request['url']}"] if request else []
    told += _members(request["body"]) if isinstance(request.get("body"), dict) else []
    if "jobs" in event:
        done = f"; {event['delivered']} are done already" if event.get("delivered") else ""
        told.append(f"{event['jobs']} jobs would be sent{done}")
    if not (event.get("validation") or {}).get("checked", True):
        told.append("not checked: no contract of it is known here")
    told += [f"price: {_amount(one)}" for one in _as_list(event.get("price") or event.get("cost")) if _amount(one)]
    return [*told, event.get("message") or "nothing was sent"]


def _as_list(value) -> list:
    return value if isinstance(value, list) else [value]


# -- services and models -------------------------------------------------------------------------------------


def _services(event: dict) -> list[str]:
    return [_service(one) for one in event["services"]]


def _service(one: dict) -> str:
    if "actions" in one:
        return _columns(13, one["provider"], 0, ", ".join(one["actions"]) or "no actions")
    more = one.get("problem") or " ".join([*one.get("tasks", ()), one.get("key_variable") or ""])
    return _columns(13, one["provider"], 18, one["title"], 0, f"{'' if one['usable'] else 'not usable: '}{more}")


def _actions(event: dict) -> list[str]:
    told = [_action(one) for one in event["actions"]]
    return told or [f"{event['provider']} has no actions here"]


def _action(one: dict) -> str:
    costs = {"spends": " (costs money)", "creates_payment": " (pays)", "creates_account": " (makes an account)"}
    fields = " ".join(field["name"] + ("" if field["required"] else "?") for field in one["fields"])
    what = one["title"] + costs.get(one["effect"], "") + (" --confirm" if one["needs_confirm"] else "")
    return _columns(18, one["action"], 0, what + (f"; {fields}" if fields else ""))


def _account(event: dict) -> list[str]:
    answer = event.get("answer")
    told = _members(answer) if isinstance(answer, dict) else [] if answer is None else [_value(answer)]
    told += [
        f"{name.replace('_', ' ')}: {event[name]}" for name in ("payment_url", "key_stored", "job") if name in event
    ]
    return [*told, *(f"saved: {asset['path']}" for asset in event.get("assets") or ())] or [f"{event['action']}: done"]


def _endpoints(event: dict) -> list[str]:
    if "runs" not in event:  # of a document
        return [*event.get("default_endpoints", ()), *_more(event)]
    told = [_model(line) for line in (*event["runs"], *event["listed_only"])]
    default = event.get("default_models") or {}
    told += [f"default of {name}: {model}" for name, model in default.items()]
    return [*told, *_more(event)] if told else ["no model", *_more(event)]


def _model(line: dict) -> str:
    tasks = " ".join(line.get("tasks", ()))
    return _columns(13 if "provider" in line else 0, line.get("provider", ""), 44, line["model"], 22, _amount(line.get("price")), 0, tasks).lstrip()  # fmt: skip


def _more(event: dict) -> list[str]:
    return (
        ["; ".join(([f"{event['more']} more"] if event.get("more") else []) + [event["detail"]])]
        if "detail" in event
        else []
    )


# -- the rest ------------------------------------------------------------------------------------------------


def _validation(event: dict) -> list[str]:
    problems = [f"{one['path']}: {one['message']}" for one in event["problems"]]
    return problems or ["it is valid"]


def _classification(event: dict) -> list[str]:
    return [f"{event['category'].replace('_', ' ')}: {event['message']}", *(f"- {one}" for one in event["guidance"])]


def _cancel(event: dict) -> list[str]:
    return [event.get("message") or event.get("state") or "canceled"]


_TELL: dict[str, Callable[[dict], list[str]]] = {
    "job": _job,
    "jobs": _jobs,
    "spent": _spent,
    "spend": _spend,
    "plan": _plan,
    "services": _services,
    "actions": _actions,
    "account": _account,
    "endpoints": _endpoints,
    "validation": _validation,
    "classification": _classification,
    "cancel": _cancel,
    "forgotten": lambda event: [f"{event['jobs']} jobs forgotten"],
    "gallery": lambda event: [f"page: {event['path']}"],
    "version": lambda event: [event["version"]],
}
