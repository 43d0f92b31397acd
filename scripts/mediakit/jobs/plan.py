"""What a create would send, without sending it: the `plan` of --dry-run.

It needs no key and no network. Where there is a key, and the service makes plans of its own, free of
charge, its plan is asked for and told too.
"""

from __future__ import annotations

import json
import shlex

from ..base import amounts, errors
from ..console import Console
from ..http import bodies, transport
from ..media import inputs
from ..services import payloads, providers
from . import options, purchase
from .request import Request


def show(console: Console, arguments, asked: Request, connection: options.Connection | None) -> int:
    """Write the plan; returns the exit code. `connection` is to a service that plans, or None.

    Raises Failure where the service's own plan says that it would refuse.
    """
    provider = options.provider_of(arguments, asked.service)
    for code, message in asked.warnings:
        console.warning(code, message)
    guards = purchase.guards(arguments, asked, provider)
    body = _service_plan(console, arguments, asked, connection, guards) if connection else None
    planned = provider.planned_cost(body)
    price = amounts.Price(planned, "service") if planned else purchase.price_of(None, provider, asked)
    base_url = address(arguments, provider)
    sent = {**asked.payload, **guards}
    is_form = _is_form(provider, asked)
    return console.result(
        "plan",
        0,
        provider=provider.name,
        model=asked.model,
        request={
            "method": "POST",
            "url": (base_url or provider.base_path) + asked.path,
            "content_type": "multipart/form-data" if is_form else "application/json",
            "body": inputs.shown(sent, asked.attachments),
        },
        validation={
            "checked": _is_checked(arguments, asked, provider),
            "warnings": [told for _, told in asked.warnings],
        },
        copies=arguments.copies,
        price={**price.amount.shown, "source": price.source} if price else None,
        service_plan=body,
        trace_id=provider.trace_id(body),
        effect="no_spend",
        curl=_curl(provider, base_url + asked.path, asked, sent, is_form) if base_url else None,
        message="Nothing was bought. To buy it, run the same without --dry-run.",
    )


def _is_checked(arguments, asked: Request, provider: providers.Provider) -> bool:
    """Whether there was a contract to check against, however much of it is known."""
    return not arguments.no_validate and payloads.contract_of(provider, asked.model, asked.path) is not None


def _service_plan(console: Console, arguments, asked: Request, connection: options.Connection, guards: dict):
    """The service's answer; None, after a warning, where it gives none."""
    answer = purchase.service_plan(console, arguments, asked, connection, guards)
    provider = connection.provider
    if isinstance(answer, transport.Lost):
        console.warning("no_service_plan", f"{provider.title} could not be asked for its own plan: {answer.message}")
        return None
    body, words = providers.read_json(answer.content)
    if 200 <= answer.status < 300:
        return body
    found = provider.verdict(answer.status, body, words, answer.headers)
    message = console.plain(found.message)
    if found.category == "transient" or answer.status in errors.REDIRECTED_STATUSES:
        console.warning("no_service_plan", f"{provider.title} makes no plan now: HTTP {answer.status}: {message}")
        return None
    raise errors.Failure(
        "request_rejected",
        f"the service would refuse the request: HTTP {answer.status}: {message}",
        found.category,
        outcome="not_sent",
        retryable=False,
        http_status=answer.status,
        trace_id=provider.trace_id(body),
        guidance=["Nothing was bought; only a plan was asked for.", *found.advice, *provider.guidance(found.category)],
    )


def address(arguments, provider: providers.Provider) -> str | None:
    """The base URL that the flags mean; None for an embedded service, whose address is chosen when it starts."""
    if arguments.base_url is None and provider.base_url is None:
        return None
    return transport.resolve_base_url(arguments.base_url, provider.base_url, arguments.trust_base_url)


def _is_form(provider: providers.Provider, asked: Request) -> bool:
    """Whether files travel in the create itself."""
    return "with_create" in provider.inputs and any(
        isinstance(attachment, inputs.File) for attachment in asked.attachments.values()
    )


def _curl(provider: providers.Provider, url: str, asked: Request, body: dict, is_form: bool) -> str | None:
    """The same request for a POSIX shell, with the key as a variable; None where a file must be brought before."""
    if asked.attachments and not is_form:
        return None
    words = ["curl", "--no-buffer", shlex.quote(url)]
    if not is_form:
        words += ["-H", shlex.quote("Content-Type: application/json")]
    if asked.streams:
        words += ["-H", shlex.quote("Accept: text/event-stream")]
    if provider.key:
        words += ["-H", f'"{provider.key["header"]}: {provider.key["prefix"]}${provider.key["variable"]}"']
    if is_form:
        return " ".join([*words, *_form_words(asked, body)])
    return " ".join([*words, "--data-raw", shlex.quote(json.dumps(body, ensure_ascii=False))])


def _form_words(asked: Request, body: dict) -> list[str]:
    files = {
        stand_in: bodies.Part(None, source=attachment.source, filename=attachment.filename)
        for stand_in, attachment in asked.attachments.items()
        if isinstance(attachment, inputs.File)
    }
    words = []
    for part in bodies.parts_of(body, files):
        if part.source is None:
            words += ["--form-string", shlex.quote(f"{part.name}={part.text}")]
        else:
            path = part.source.path or "-"
            quoted = path.replace("\\", "\\\\").replace('"', '\\"')
            words += ["-F", shlex.quote(f'{part.name}=@"{quoted}";type={part.source.media_type}')]
    return words
