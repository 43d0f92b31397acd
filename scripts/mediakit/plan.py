"""What a create would send, without sending it: the `plan` of --dry-run.

It needs no key and no network. Where there is a key, and the service makes plans of its own, free of
charge, its plan is asked for and told too.
"""

from __future__ import annotations

import json
import shlex

from . import errors, options, providers, purchase, spending, transport
from .console import Console
from .request import Request


def show(console: Console, arguments, asked: Request, connection: options.Connection | None) -> int:
    """Write the plan; returns the exit code. `connection` is to a service that plans, or None.

    Raises Failure where the service's own plan says that it would refuse.
    """
    provider = options.provider_of(arguments, asked.service)
    for code, message in asked.warnings:
        console.warning(code, message)
    guards = purchase.guards(arguments, asked, provider)
    body = _service_plan(console, connection, asked, guards) if connection else None
    planned = provider.planned_cost(body)
    price = spending.Price(planned, "service") if planned else purchase.price_of(None, provider, asked)
    base_url = address(arguments, provider)
    sent = {**asked.payload, **guards}
    return console.result(
        "plan",
        0,
        provider=provider.name,
        model=asked.model,
        request={
            "method": "POST",
            "url": (base_url or provider.base_path) + asked.path,
            "content_type": "application/json",
            "body": sent,
        },
        validation={"checked": not arguments.no_validate, "warnings": [message for _, message in asked.warnings]},
        copies=arguments.copies,
        price={**price.amount.shown, "source": price.source} if price else None,
        service_plan=body,
        trace_id=provider.trace_id(body),
        effect="no_spend",
        curl=_curl(provider, base_url + asked.path, asked.streams, sent) if base_url else None,
        message="Nothing was bought. To buy it, run the same without --dry-run.",
    )


def _service_plan(console: Console, connection: options.Connection, asked: Request, guards: dict):
    """The service's answer; None, after a warning, where it gives none."""
    answer = purchase.service_plan(connection, asked, guards, console.wait_for)
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


def _curl(provider: providers.Provider, url: str, streams: bool, body: dict) -> str:
    """The same request for a POSIX shell, with the key as a variable."""
    words = ["curl", "--no-buffer", shlex.quote(url), "-H", shlex.quote("Content-Type: application/json")]
    if streams:
        words += ["-H", shlex.quote("Accept: text/event-stream")]
    if provider.key:
        words += ["-H", f'"{provider.key["header"]}: {provider.key["prefix"]}${provider.key["variable"]}"']
    return " ".join([*words, "--data-raw", shlex.quote(json.dumps(body, ensure_ascii=False))])
