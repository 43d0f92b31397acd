"""What a create would send, without sending it: the `plan` of --dry-run. Needs no key and no network."""

from __future__ import annotations

import json
import shlex

from . import providers, purchase, transport
from .console import Console
from .request import Request


def show(console: Console, arguments, asked: Request) -> int:
    """Write the plan; returns the exit code."""
    provider = providers.load(asked.service)
    price = purchase.price_of(None, provider, asked)
    for code, message in asked.warnings:
        console.warning(code, message)
    base_url = _base_url(arguments, provider)
    return console.result(
        "plan",
        0,
        provider=provider.name,
        model=asked.model,
        request={
            "method": "POST",
            "url": (base_url or provider.base_path) + asked.path,
            "content_type": "application/json",
            "body": asked.payload,
        },
        validation={"checked": not arguments.no_validate, "warnings": [message for _, message in asked.warnings]},
        copies=arguments.copies,
        price={**price.amount.shown, "source": price.source} if price else None,
        effect="no_spend",
        curl=_curl(provider, base_url + asked.path, asked) if base_url else None,
        message="Nothing was sent. To buy it, run the same without --dry-run.",
    )


def _base_url(arguments, provider: providers.Provider) -> str | None:
    """None for an embedded service, whose address is chosen when it starts."""
    if arguments.base_url is None and provider.base_url is None:
        return None
    return transport.resolve_base_url(arguments.base_url, provider.base_url, arguments.trust_base_url)


def _curl(provider: providers.Provider, url: str, asked: Request) -> str:
    """The same request for a POSIX shell, with the key as a variable."""
    words = ["curl", "--no-buffer", shlex.quote(url), "-H", shlex.quote("Content-Type: application/json")]
    if asked.streams:
        words += ["-H", shlex.quote("Accept: text/event-stream")]
    if provider.key:
        words += ["-H", f'"{provider.key["header"]}: {provider.key["prefix"]}${provider.key["variable"]}"']
    return " ".join([*words, "--data-raw", shlex.quote(json.dumps(asked.payload, ensure_ascii=False))])
