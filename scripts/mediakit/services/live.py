"""What a service itself says it offers: fetched on demand, kept for a day where the catalogue finds it.

    refresh_models     fetch the list of a service's models, or what it finds for words, and keep it
    refresh_contract   fetch the contract that a service publishes of one model, and keep it
    offer_contract     the same for a model that no bundled contract is of, where it can be had
    offer_price        the price that a service states for a model, or its estimate, where it can be had

Where a service publishes what is said under `models`, `contract` and `price` in its descriptor. What comes from
there is data: it is bounded, and a name in it never becomes a path. What comes from another host is told as such,
serves this run, and is never kept as the service's own.
"""

from __future__ import annotations

import json
import os
import re
import time
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from ..base import atomic, errors, paths
from ..base.inbox import Inbox
from ..base.pointer import point, tokens
from ..base.text import is_number, plain
from ..http import addresses
from ..http.answers import Answer, Lost
from ..http.documents import read_json
from ..http.wire import Host, Wire, answer_of
from . import catalogue, descriptor, keys, providers
from .site import Site
from .trust import is_model

_TIMEOUT = 30.0
_LONGEST_LIST = 60.0
_MOST_MODELS = 20_000
_MOST_PAGES = 50
_LONGEST_NOTE = 200
# What a purchase waits for a contract or a price that it can do without.
PATIENCE = 10.0
_MEDIA_OF_TASK = {
    **dict.fromkeys(("t2i", "i2i", "upscale", "rmbg"), "image"),
    **dict.fromkeys(("t2v", "i2v", "v2v"), "video"),
    **dict.fromkeys(("tts", "sts", "t2a"), "audio"),
    "stt": "text",
    "i2m": "3d",
}
# Model and service of which this process has found out that it has no contract, or no price, to be had.
_tried: set[tuple[str, str, str]] = set()


class _Place(NamedTuple):
    """A service, where it is asked now, and with which key."""

    provider: providers.Provider
    base_url: str
    key: keys.Key | None

    @property
    def site(self) -> Site:
        return Site(self.provider, self.base_url)

    def ask(self, url: str, seconds: float = _TIMEOUT, body: dict | None = None) -> Answer | Lost:
        """One answer; the key goes along where there is one, and only to the service's own origins."""
        wanted, authorisation = self.provider.key, None
        if self.key and wanted:
            authorisation = (wanted["header"], wanted.get("prefix", "") + self.key.value)
        inbox = Inbox()
        wire = Wire(Host(self.base_url, authorisation, self.provider.headers, self.site.origins), inbox)
        exchange = wire.get(url, seconds) if body is None else wire.post(url, body, seconds, False)
        return answer_of(exchange, inbox, seconds)


def _place(console, service: str, base_url: str | None, trusted: bool, needs_key: bool) -> _Place:
    provider = providers.load(service)
    resolved = addresses.resolve_base_url(base_url, provider.base_url, trusted or not needs_key)
    # What a service publishes lies below its prefix, whether the address that was given names it or not.
    resolved = addresses.above(resolved, provider.base_path) + provider.base_path
    key = keys.find(provider.key) if needs_key and provider.key else None
    if key:
        console.redactor.protect(key.value)
    return _Place(provider, resolved, key)


# -- models --------------------------------------------------------------------------------------------


def refresh_models(console, service: str, base_url: str | None, trusted: bool, words: str | None = None) -> dict:
    """What catalogue.kept_models gives, fetched now. Raises Failure.

    words  what to look for, where the service can be asked for that: its answer serves this run only, since it
           is not the whole list
    """
    rules = _stated(service, "models", "no catalogue that {} publishes is known")
    place = _place(console, service, base_url, trusted, rules.get("key") != "unneeded")
    searched = bool(words) and "search" in rules
    rows, source, is_whole = _pages(place, _searching(rules, words or "") if searched else rules)
    found = [entry for entry in (_entry(row, rules) for row in rows) if entry]
    kept = {**_now(), "source": source, "models": found}
    if searched:
        kept["found_by"] = words
    if searched or not is_whole:
        kept["is_part"] = True
    if searched:
        _tell_elsewhere(console, service, source)
        catalogue.use_now(service, "models", kept)
    else:
        _take(console, service, "models", kept, source)
    return kept


def _searching(rules: dict, words: str) -> dict:
    """The rules of a list that is asked for words."""
    search = rules["search"] if isinstance(rules["search"], dict) else {"query": rules["search"]}
    rules.update({name: value for name, value in search.items() if name not in ("query", "path")})
    name = "path_from_root" if "path_from_root" in rules else "path"
    path = search.get("path", rules[name])
    return {**rules, name: f"{path}{'&' if '?' in path else '?'}{urlencode({search['query']: words[:400]})}"}


def _pages(place: _Place, rules: dict) -> tuple[list, str, bool]:
    """`(rows, where they are from, whether they are all there are)`."""
    listing = descriptor.listing({**rules, "search": None})
    assert listing is not None
    first = url = place.site.url(listing.step, listing.step.path)
    rows: list = []
    asked: set[str] = set()
    give_up_at = time.monotonic() + _LONGEST_LIST
    for _ in range(_MOST_PAGES):
        asked.add(url)
        left = give_up_at - time.monotonic()
        if left <= 0:
            return rows, first, False
        body = _body_of(place.ask(url, min(_TIMEOUT, left)), place)
        rows += _rows(listing, body, place)
        following = place.site.following(listing, body, first)
        if following is None or following in asked or len(rows) >= _MOST_MODELS:
            return rows[:_MOST_MODELS], first, following is None
        url = following
    return rows, first, False


def _rows(listing: descriptor.Listing, body, place: _Place) -> list:
    if listing.keys_of is not None:
        found = point(body, listing.keys_of)
        found = list(found) if isinstance(found, dict) else None
    else:
        found = next((rows for at in listing.each if isinstance(rows := point(body, at), list)), None)
    if not isinstance(found, list):
        raise _unreachable(place.provider.name, "its answer holds no list of models")
    return found


def _entry(row, rules: dict) -> dict | None:
    model = _model_of(row, rules)
    if not isinstance(model, str) or not is_model(model):
        return None
    words = point(row, rules["category"]) if "category" in rules else None
    words = words if isinstance(words, list) else [words]
    tasks = [rules["tasks"][word] for word in words if isinstance(word, str) and word in rules.get("tasks", {})]
    entry: dict[str, Any] = {"model": model, "tasks": list(dict.fromkeys(tasks)), "runs": _runs(row, rules)}
    if tasks:
        entry["media"] = _MEDIA_OF_TASK[tasks[0]]
    note = point(row, rules["about"]) if "about" in rules else None
    if isinstance(note, str) and note.strip():
        entry["note"] = plain(note, _LONGEST_NOTE)
    amount = point(row, rules["price"]["amount"]) if "price" in rules else None
    if _is_amount(amount):
        entry["price"] = {**rules["price"], "amount": amount}
    return entry


def _model_of(row, rules: dict):
    if "keys_of" in rules:
        return row
    if "owner" in rules:
        parts = [point(row, rules["owner"]), point(row, rules["name"])]
        return "/".join(parts) if all(isinstance(part, str) for part in parts) else None
    where = rules["model"]
    if isinstance(where, str):
        return point(row, where)
    found = point(row, where["at"])
    return found.removeprefix(where["without"]) if isinstance(found, str) else None


def _runs(row, rules: dict) -> bool:
    ends = point(row, rules["ends"]) if "ends" in rules else None
    if isinstance(ends, str) and re.match(r"\d{4}-\d\d-\d\d", ends) and ends[:10] <= _now()["seen"]:
        return False
    return all(point(row, pointer) == wanted for pointer, wanted in rules.get("runs_when", {}).items())


# -- contracts -----------------------------------------------------------------------------------------


def refresh_contract(console, service: str, model: str, base_url: str | None = None, trusted: bool = False) -> None:
    """Fetch the contract of a model. Raises Failure and ContractError."""
    rules = _contract_rules(service, model)
    if rules is None:
        _stated(service, "models", "no catalogue that {} publishes is known")
        raise errors.bad_argument("--refresh", f"{service} publishes no contract of a single model")
    if not is_model(model):
        raise errors.bad_argument("--model", "expected a model such as owner/name")
    place = _place(console, service, base_url, trusted, "url" not in rules)
    found, source = _contract(place, rules, model, _TIMEOUT)
    _take(console, service, model, {**_now(), "source": source, "document": found}, source, rules.get("url"))


def offer_contract(provider: providers.Provider, model: str | None, base_url: str | None, seconds: float) -> str | None:
    """Fetch and keep the contract of a model that none is known of; in words, why it could not be had.

    base_url  where the service is asked; None where it runs in this process
    """
    rules = _contract_rules(provider.name, model) if model else None
    if rules is None or not model or not base_url or ("contract", provider.name, model) in _tried:
        return None
    if not is_model(model):
        return None
    _tried.add(("contract", provider.name, model))
    if catalogue.kept_contract(provider.name, model) is not None:
        return None
    place = _Place(provider, base_url, None)
    if "url" not in rules:
        place = place._replace(key=keys.find(provider.key) if provider.key else None)
    elif not place.site.is_own:
        return None  # it is published elsewhere, by the service itself alone
    if "url" not in rules and provider.key and (place.key is None or place.key.value is None):
        return None
    try:
        found, source = _contract(place, rules, model, seconds)
    except errors.Failure as problem:
        return problem.message
    kept = {**_now(), "source": source, "document": found}
    if not place.site.is_own or not _try_to_keep(provider.name, model, kept):
        catalogue.use_now(provider.name, model, kept)
    return None


def _contract_rules(service: str, model: str | None) -> dict | None:
    stated = descriptor.listed(providers.load(service).says("contract"))
    fitting = (one for one in stated if "models" not in one or (model and re.fullmatch(one["models"], model)))
    return next(fitting, None)


def _contract(place: _Place, rules: dict, model: str, seconds: float) -> tuple[dict, str]:
    """`(the document, where it is from)`."""
    from .. import contracts
    from ..contracts import ContractError

    if "url" in rules:
        found, source = _published(place, rules["url"], model)
    else:
        step = descriptor.step(rules)
        assert step is not None
        source = place.site.url(step, place.provider.paths.filled(step.path, model))
        answer = place.ask(source, seconds)
        if isinstance(answer, Answer) and answer.status == 404:
            raise ContractError("document_not_found", f"{place.provider.title} knows no model {model[:80]}")
        found = _body_of(answer, place)
    version = point(found, rules["version"]) if "version" in rules else None
    found = point(found, rules["at"]) if "at" in rules else found
    if "input" in rules:
        found = _around_input(place.provider, rules, found, model, version)
    document = contracts.from_data(found)  # raises for what is no contract
    if not any(listed.method == "POST" for listed in document.operations()):
        raise _unreachable(place.provider.name, "what it publishes of that model has no POST")
    return found, source


def _published(place: _Place, template: str, model: str) -> tuple[Any, str]:
    """A document that everybody can read; another base URL stands for the place where it is published too."""
    from ..contracts import reading
    from ..http.fetching import Fetcher

    url = template.replace("{model}", quote(model, safe="/:"))
    if place.base_url != place.provider.base_url:
        parts = urlsplit(url)
        above = addresses.above(place.base_url, place.provider.base_path)
        url = above + parts.path + (f"?{parts.query}" if parts.query else "")
    came_from, content = Fetcher()(url)
    return reading.parse(content, "The contract"), came_from


def _around_input(provider: providers.Provider, rules: dict, found, model: str, version) -> dict:
    """A document with one create, whose body holds the model's own input where the service's creates have it."""
    from ..contracts import ContractError

    at, of_output = rules["input"], rules.get("output")
    if not isinstance(point(found, at), dict):
        raise ContractError(
            "document_not_openapi", "what the service publishes of that model has no schema of its input"
        )
    route = next(one for one in provider.routes if one.models is None or re.fullmatch(one.models, model))
    schema: dict = {"$ref": f"#{at}"}
    for name in reversed(tokens(route.fields)):
        schema = {"type": "object", "required": [name], "properties": {name: schema}}
    if route.model and "properties" in schema:
        name = tokens(route.model)[0]
        schema["properties"][name] = {"type": "string"}
        schema["required"].append(name)
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    told = {"content": {"application/json": {"schema": {"$ref": f"#{of_output}"}}}}
    answers = {"200": {"description": "the output", **told}} if isinstance(point(found, of_output or ""), dict) else {}
    return {
        "openapi": "3.1.0",
        "info": {"title": model, "version": version if isinstance(version, str) else "live"},
        "components": found.get("components", {}),
        "paths": {"/create": {"post": {"operationId": "create", "requestBody": body, "responses": answers}}},
    }


# -- prices --------------------------------------------------------------------------------------------


def offer_price(place_of: Any, model: str | None, name: str = "price") -> None:
    """Fetch and keep the price that a service states for a model, where it states one; nothing where it cannot be had.

    place_of  a Connection: provider, base_url, key
    name      price, or estimate
    """
    provider, kind = place_of.provider, f"{name}s"
    rules = provider.says(name)
    if rules is None or not model or not is_model(model) or (name, provider.name, model) in _tried:
        return
    if provider.embedded or catalogue.kept_price(provider.name, model, kind) is not None:
        return
    _tried.add((name, provider.name, model))
    place = _Place(provider, place_of.base_url, place_of.key)
    step = descriptor.step(rules)
    assert step is not None
    path = provider.paths.filled(step.path.replace("{model}", quote(model, safe="")), model)
    url = place.site.url(step, path)
    answer = place.ask(url, PATIENCE, _with_model(rules["body"], model) if "body" in rules else None)
    price = None if isinstance(answer, Lost) or answer.status >= 300 else _price(rules, answer, model)
    if price is None:
        return
    kept = {**(catalogue.kept(provider.name, kind) or {"prices": {}}), **_now(), "source": url}
    kept["prices"] = {**kept["prices"], model: {**price, **_now(), "source": url}}
    if not place.site.is_own or not _try_to_keep(provider.name, kind, kept):
        catalogue.use_now(provider.name, kind, kept)


def _with_model(value: Any, model: str) -> Any:
    """A body with {model} filled in, in names too."""
    if isinstance(value, dict):
        return {name.replace("{model}", model): _with_model(item, model) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_model(item, model) for item in value]
    return value.replace("{model}", model) if isinstance(value, str) else value


def _price(rules: dict, answer: Answer, model: str) -> dict | None:
    body, _ = read_json(answer.content)
    rows = point(body, rules["each"]) if "each" in rules else [body]
    for row in rows if isinstance(rows, list) else ():
        amount, per = point(row, rules["amount"]), point(row, rules.get("per", "/\0"))
        currency = point(row, rules["currency"]) if "currency" in rules else "usd"
        if "model" in rules and point(row, rules["model"]) != model:
            continue
        if _is_amount(amount) and isinstance(currency, str) and re.fullmatch("[A-Za-z]{3}", currency):
            words = {"per": plain(per, 40).lower().removesuffix("s")} if isinstance(per, str) and per else {}
            return {"amount": amount, "unit": currency.lower(), **words}
    return None


def _is_amount(value) -> bool:
    return is_number(value) and 0 <= value < 1e9


# -- keeping -------------------------------------------------------------------------------------------


def _now() -> dict:
    at = time.time()
    return {"seen": time.strftime("%Y-%m-%d", time.gmtime(at)), "fetched_at": at}


def _stated(service: str, name: str, words: str) -> dict:
    rules = providers.load(service).says(name)
    if rules is None:
        raise errors.bad_argument(
            "--refresh",
            words.format(service),
            "Where you have its OpenAPI document, use --openapi PATH_OR_URL.",
        )
    return dict(rules)


def _take(console, service: str, name: str, value: dict, came_from: str, own: str | None = None) -> None:
    """Keep what was fetched from the service itself; use for this run what came from elsewhere, and say so."""
    if _tell_elsewhere(console, service, came_from, own):
        catalogue.use_now(service, name, value)
    else:
        _keep(service, name, value)


def _tell_elsewhere(console, service: str, came_from: str, own: str | None = None) -> bool:
    """Whether it comes from another host than the service's own; then that is told."""
    origins = [own] if own else list(providers.load(service).origins.values())
    if addresses.origin_of(came_from) in map(addresses.origin_of, origins):
        return False
    host, own_host = urlsplit(came_from).hostname, urlsplit(origins[0]).hostname
    console.warning("document_elsewhere", f"it comes from {host} and not from {own_host}; it serves this run only")
    return True


def _body_of(answer: Answer | Lost, place: _Place):
    service = place.provider.name
    if isinstance(answer, Lost):
        raise _unreachable(service, answer.message)
    body, words = read_json(answer.content)
    if 200 <= answer.status < 300 and body is not None:
        return body
    if answer.status in (401, 403):
        raise errors.Failure(
            "api_key_refused" if place.key else "missing_api_key",
            f"{service} answers HTTP {answer.status}: it lists its models only for a key that it accepts",
            "auth",
            retryable=False,
        )
    raise _unreachable(service, words or f"HTTP {answer.status}")


def _unreachable(service: str, what: str) -> errors.Failure:
    return errors.Failure("document_unreachable", f"{service} cannot be asked: {what}", "transient", retryable=True)


def _keep(service: str, name: str, value: dict) -> None:
    path = catalogue.kept_path(service, name)
    if path is None:
        raise errors.bad_argument("--refresh", "there is no folder to keep it in; set AI_MEDIA_HOME to one")
    try:
        paths.make_private_folder(os.path.dirname(path))
        atomic.write(path, json.dumps(value).encode())
    except OSError as problem:
        raise errors.bad_argument("--refresh", f"what was fetched cannot be kept: {problem.strerror}") from None


def _try_to_keep(service: str, name: str, value: dict) -> bool:
    try:
        _keep(service, name, value)
    except errors.Failure:
        return False
    return True
