"""What a service itself says it offers: fetched on demand, kept where the catalogue finds it.

    refresh_models     fetch the list of a service's models and keep it
    refresh_contract   fetch the contract that a service publishes of one model, and keep it

Where a service publishes what is said under `live` in its catalogue. What comes from there is data:
it is bounded, and a name in it never becomes a path. What comes from another host is told as such, serves
this run, and is never kept as the service's own.
"""

from __future__ import annotations

import json
import os
import time
from urllib.parse import urlsplit

from ..base import atomic, errors, paths
from ..http import addresses
from ..http.answers import Lost
from ..http.wire import ask
from . import catalogue, keys, providers
from .providers import point

_TIMEOUT = 30.0
_MOST_MODELS = 20_000
_MEDIA_OF_TASK = {
    **dict.fromkeys(("t2i", "i2i", "upscale", "rmbg"), "image"),
    **dict.fromkeys(("t2v", "i2v", "v2v"), "video"),
    **dict.fromkeys(("tts", "sts", "t2a"), "audio"),
    "stt": "text",
    "i2m": "3d",
}


def refresh_models(console, service: str, base_url: str | None, trusted: bool) -> dict:
    """What catalogue.kept_models gives, fetched now. Raises Failure."""
    live = _live(service)
    origin = _origin(service, live["origin"], base_url, trusted or "key" not in live)
    key = keys.find(providers.load(service).key) if "key" in live else None
    if key:
        console.redactor.protect(key.value)
    authorisation = ("Authorization", f"Bearer {key.value}") if key else None
    answer = ask(origin, authorisation, live["path"], _TIMEOUT)
    listed = point(_body_of(answer, service, key), live["models"])
    if not isinstance(listed, list):
        raise _unreachable(service, "its answer holds no list of models")
    found = [entry for entry in (_entry(row, live) for row in listed[:_MOST_MODELS]) if entry]
    kept = {"seen": time.strftime("%Y-%m-%d", time.gmtime()), "source": origin + live["path"], "models": found}
    _take(console, service, "models", kept, origin, live["origin"])
    return kept


def refresh_contract(console, service: str, model: str, base_url: str | None = None) -> None:
    """Fetch the contract of a model, without a key. Raises Failure."""
    from .. import contracts
    from ..contracts import reading
    from ..http.fetching import Fetcher

    live = _live(service)
    if "contract_url" not in live:
        raise errors.bad_argument("--refresh", f"{service} publishes no contract of a single model")
    catalogue.find(service, model)  # a name that is known is one that may stand in a URL
    url = live["contract_url"].replace("{model}", model)
    if base_url is not None:
        url = _origin(service, live["origin"], base_url, True) + urlsplit(url).path
    came_from, content = Fetcher()(url)
    found = reading.parse(content, "The contract")
    document = contracts.from_data(found)  # raises for what is no contract
    if not any(listed.method == "POST" for listed in document.operations()):
        raise _unreachable(service, "what it publishes of that model has no POST")
    _take(console, service, model, found, came_from, live["contract_url"])


def _origin(service: str, own: str, base_url: str | None, trusted: bool) -> str:
    """What the whole paths of what a service publishes are below; a --base-url means what it means everywhere."""
    prefix = providers.load(service).base_path
    resolved = addresses.resolve_base_url(base_url, own + prefix, trusted)
    return addresses.above(resolved, prefix)


def _take(console, service: str, name: str, value: dict, came_from: str, own: str) -> None:
    """Keep what was fetched from the service itself; use for this run what came from elsewhere, and say so."""
    if addresses.origin_of(came_from) == addresses.origin_of(own):
        _keep(service, name, value)
        return
    host, own_host = urlsplit(came_from).hostname, urlsplit(own).hostname
    console.warning("document_elsewhere", f"it comes from {host} and not from {own_host}; it serves this run only")
    catalogue.use_now(service, name, value)


def _live(service: str) -> dict:
    live = catalogue.document(service).get("live")
    if live is None:
        raise errors.bad_argument(
            "--refresh",
            f"no catalogue that {service} publishes is known",
            "Where you have its OpenAPI document, use --openapi PATH_OR_URL.",
        )
    return live


def _body_of(answer, service: str, key):
    if isinstance(answer, Lost):
        raise _unreachable(service, answer.message)
    body, words = providers.read_json(answer.content)
    if 200 <= answer.status < 300 and body is not None:
        return body
    if answer.status in (401, 403):
        raise errors.Failure(
            "api_key_refused" if key else "missing_api_key",
            f"{service} answers HTTP {answer.status}: it lists its models only for a key that it accepts",
            "auth",
            retryable=False,
        )
    raise _unreachable(service, words or f"HTTP {answer.status}")


def _unreachable(service: str, what: str) -> errors.Failure:
    return errors.Failure("document_unreachable", f"{service} cannot be asked: {what}", "transient", retryable=True)


def _entry(row, live: dict) -> dict | None:
    model = point(row, live["model"])
    if not isinstance(model, str) or not providers.is_model(model):
        return None
    words = point(row, live["task"])
    words = words if isinstance(words, list) else [words]
    tasks = [live["tasks"][word] for word in words if isinstance(word, str) and word in live["tasks"]]
    entry = {"model": model, "tasks": tasks, "runs": _runs(row, live)}
    if tasks:
        entry["media"] = _MEDIA_OF_TASK[tasks[0]]
    amount = point(row, live["price"]["amount"]) if "price" in live else None
    if isinstance(amount, (int, float)) and not isinstance(amount, bool) and amount >= 0:
        entry["price"] = {**live["price"], "amount": amount}
    return entry


def _runs(row, live: dict) -> bool:
    return all(point(row, pointer) == wanted for pointer, wanted in live.get("runs_when", {}).items())


def _keep(service: str, name: str, value: dict) -> None:
    path = catalogue.kept_path(service, name)
    if path is None:
        raise errors.bad_argument("--refresh", "there is no folder to keep it in; set AI_MEDIA_HOME to one")
    try:
        paths.make_private_folder(os.path.dirname(path))
        atomic.write(path, json.dumps(value).encode())
    except OSError as problem:
        raise errors.bad_argument("--refresh", f"what was fetched cannot be kept: {problem.strerror}") from None
