"""What an event tells where it is to be short. Pure.

lean    an event without what other lines tell; --verbose has it all
brief   a result as the one line of --brief
"""

from __future__ import annotations

from .bounds import head_of

_OF_AN_OUTPUT = ("url", "type", "duration", "expires_at")
_OF_AN_ASSET = ("path", "media_type", "bytes", "unverified")
_OF_A_RESULT = (
    "event", "time", "ok", "provider", "model", "job", "generation_id", "state", "files", "usage", "error",
    "next_command", "exit_code",
)  # fmt: skip
# What becomes of jobs; other results are what was asked for, and --brief leaves them as they are.
_OF_JOBS = frozenset(("terminal", "submitted", "timeout", "interrupted", "error", "summary"))


def lean(event: str, fields: dict) -> dict:
    """The fields of an event without what other lines tell, or what tells nothing yet."""
    return _LEANER[event](fields) if event in _LEANER else fields


def _submitted(fields: dict) -> dict:
    """Nothing is charged yet, and `start` told the job's key, where this is not the result."""
    usage = fields.get("usage")
    numbers = usage.values() if isinstance(usage, dict) else [usage]
    usage = None if all(number in (0, None) for number in numbers) else usage
    return {**fields, "usage": usage, "job": fields.get("job") if "exit_code" in fields else None}


def _asset(fields: dict) -> dict:
    """The record beside a result is named after it, and the first result is the only one mostly."""
    beside = fields.get("provenance") == f"{fields['path']}.json"
    shown = {**fields, "number": None} if fields.get("number") == 1 else fields
    return {**shown, "provenance": None} if beside else shown


def _terminal(fields: dict) -> dict:
    """Where all files are saved, each was told in full by its `asset`, the job's key by `start`, and what the service's
    last answer says about them is of no use any more."""
    if not fields["ok"] or not fields.get("assets") or fields["exit_code"]:
        return fields
    assets = [_some(asset, _OF_AN_ASSET) for asset in fields["assets"]]
    outputs = [_without_content(_some(output, _OF_AN_OUTPUT)) for output in fields["outputs"]]
    left_out = {"job", "response", "response_omitted", *_twins(fields)}
    kept = {name: value for name, value in fields.items() if name not in left_out}
    return {**kept, "assets": assets, "outputs": outputs}


def _without_content(output: dict) -> dict:
    """An output whose URL is the file itself, which is on disk now."""
    head = head_of(output.get("url") or "")
    return {**output, "url": head, "url_omitted": True} if head else output


def _some(members: dict, names) -> dict:
    return {name: members[name] for name in names if name in members}


def _twins(fields: dict) -> set[str]:
    """A service's own names for the response and for the outputs: the same value under another name."""
    ours = ("response", "outputs")
    return {
        name
        for name, value in fields.items()
        if name not in ours and any(value is fields.get(one) for one in ours) and isinstance(value, (dict, list))
    }


def brief(event: dict, about: dict) -> dict:
    """A result in the fields that --brief has.

    about  what earlier events said of the job: provider, model, job, generation_id
    """
    if event["event"] == "preflight":  # its guide says the way; a service without a key is no part of it
        return {**event, "providers": [one for one in event["providers"] if one["ready"] or one.get("key_found")]}
    if event["event"] not in _OF_JOBS:
        return event
    error = event.get("error")
    known = {
        **{name: about[name] for name in ("provider", "model", "job", "generation_id") if name in about},
        **event,
        "ok": event["exit_code"] == 0,
        "files": event.get("files") or [asset["path"] for asset in event.get("assets") or ()],
        # As in a `terminal`: the word and the reason.
        "error": {"code": error, "message": _message(event)} if isinstance(error, str) else error,
    }
    return {name: known[name] for name in _OF_A_RESULT if known.get(name) is not None}


def _message(event: dict) -> str:
    """Why, with what would fit in place of the first field that does not."""
    problems = event.get("problems") or [{}]
    fitting = problems[0].get("allowed") or ()
    return f"{event['message']}; allowed: {', '.join(map(str, fitting))}" if fitting else event["message"]


_LEANER = {"submitted": _submitted, "asset": _asset, "terminal": _terminal}
