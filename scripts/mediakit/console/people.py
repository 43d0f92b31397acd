"""What a person at a terminal reads of a command. Pure.

lines      the lines of one event, told beside its JSON too where that goes elsewhere
in_place   the lines that a person reads in place of the JSON; None where that is as good
"""

from __future__ import annotations

from .bounds import head_of

# Told by the live line, or by `say`.
_SILENT = frozenset(("sse_open", "sse_stream_ended", "fallback_polling_start", "uploaded", "warning"))
_MOST_URLS = 4
# What the next command does besides, by its effect.
_COSTS = {"spends": "costs money", "creates_account": "makes an account", "creates_payment": "pays"}


def lines(event: dict, status_before: str | None = None) -> list[str]:
    """The lines of an event, without line ends; none where the live line tells enough.

    status_before  the service's word that was told last
    """
    tell = _TELL.get(event["event"])
    found = tell(event, status_before) if tell else []
    return [*found, f"{_way(event)}: {event['next_command']}"] if "next_command" in event else found


def in_place(event: dict, status_before: str | None = None) -> list[str] | None:
    if event["event"] in _SILENT or event["event"] in _TELL:
        return lines(event, status_before)
    from . import listings  # which no pipe needs

    return listings.lines(event)


def _way(event: dict) -> str:
    if event["event"] == "terminal" and event["ok"] and not event.get("assets"):
        return "save it with"
    costs = _COSTS.get(event.get("effect", ""))
    return f"go on with (it {costs})" if costs else "go on with"


def _start(event: dict, _) -> list[str]:
    what = " ".join(event[name] for name in ("provider", "model") if name in event)
    return [f"{what}{' (practice)' if event.get('practice') else ''}"]


def _state(event: dict, status_before: str | None) -> list[str]:
    status = event.get("status")
    return [str(status)] if status not in (None, status_before) else []


def _trouble(event: dict, _) -> list[str]:
    return [f"{event['message']}; again in {event['retry_in_seconds']:g} s"]


def _terminal(event: dict, _) -> list[str]:
    words = f"{event['state']} in {event['elapsed_seconds']:.0f} s"
    error = event.get("error") or {}
    if error:
        words += f": {error.get('message') or error.get('code')}"
    urls = [] if event.get("assets") else [output["url"] for output in event["outputs"][:_MOST_URLS]]
    return [words, *(f"result: {head_of(url) or url}" for url in urls)]


def _error(event: dict, _) -> list[str]:
    return [f"error: {event['message']}", *(f"- {line}" for line in event["guidance"])]


def _preflight(event: dict, _) -> list[str]:
    ready = [one["provider"] for one in event["providers"] if one["ready"]]
    missing = f": {', '.join(event['missing'])}" if event.get("missing") else ""
    told = [f"ready: {', '.join(ready) or 'no service'}", f"{event['stage'].replace('_', ' ')}{missing}"]
    keys = [name for one in event["providers"] if not one.get("key_found", True) for name in one["missing"]]
    if not ready and len(keys) > 1:
        told.append(f"any one of these keys will do: {', '.join(keys)}; to try it without, add --provider sandbox")
    return told


def _summary(event: dict, _) -> list[str]:
    told = [f"{event['succeeded']} of {event['jobs']} jobs succeeded"]
    return told + [f"{name}: {event[name]}" for name in ("results", "gallery") if name in event]


_TELL = {
    "start": _start,
    "submitted": lambda event, _: [f"accepted: {event['generation_id']}"],
    "resumed": lambda event, _: [event["message"]],
    "sse_event": _state,
    "poll": _state,
    "poll_error": _trouble,
    "retry": _trouble,
    "asset": lambda event, _: [f"saved: {event['path']}"],
    "terminal": _terminal,
    "summary": _summary,
    "preflight": _preflight,
    "timeout": lambda *_: ["the time is used up, and the job runs on"],
    "interrupted": lambda *_: ["interrupted"],
    "error": _error,
}
