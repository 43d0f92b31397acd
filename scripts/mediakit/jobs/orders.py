"""A request as the orders of the ledger, and what the ledgers know already of the same.

of          one order for each copy
standing    what a claim of the same would go on with
request_of  the digest of what is asked for
"""

from __future__ import annotations

import os
import sys

from ..base import amounts, canonical, errors
from ..base.record import replace
from ..ledger import refusals, store
from .price import Spending
from .request import CheckedRequest

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from ..ledger import fallbacks
    from .context import Context


def of(
    context: Context,
    asked: CheckedRequest,
    spending: Spending,
    beside: list[dict],
    price_of_one: amounts.Price | None,
) -> list[store.Order]:
    """One order for each copy; `beside` is what is sent with each."""
    connection, provider, folder = context.connection, asked.provider, context.saving.folder
    origin = connection.origin
    # The stream of a model and its plain answer are one purchase. A stand-in holds its file's hash.
    request = request_of(asked, origin)
    formerly = amounts.former_digest(
        [provider.name, connection.former_origin, asked.model or asked.path, asked.payload]
    )
    redacted, payload = context.console.redactor.value, store.as_json(asked.noted)

    def without_key(flag: str, text: str | None) -> str | None:
        if redacted(text) != text:
            raise errors.bad_argument(flag, "expected without a key: it would be written down")
        return text

    one = store.Order(
        fingerprint=request,
        request=request,
        service=provider.name,
        origin=origin,
        practice=int(provider.embedded),
        model=asked.model,
        base_url=None if connection.embedded else without_key("--base-url", connection.base_url),
        output_dir=without_key("--output-dir", os.path.abspath(folder)) if folder is not None else None,
        intent=without_key("--intent", spending.intent),
        copy=1,
        command=_flags_given(),
        # What was asked for can be done without; a part of it would be another request.
        payload=None if spending.no_store_payload or redacted(payload) != payload else payload,
        price=price_of_one,
        speaks=provider.speaks if provider.embedded else None,
    )
    return [
        replace(
            one,
            fingerprint=amounts.fingerprint(request, spending.intent, copy),
            formerly=(formerly, amounts.former_digest([formerly, spending.intent, copy])),
            copy=copy,
            sent_with=without_key("--param", store.as_json(sent_with)),
        )
        for copy, sent_with in enumerate(beside, 1)
    ]


def standing(ledgers: fallbacks.Ledgers, asked: CheckedRequest, spending: Spending) -> list[store.Decision]:
    """What a claim of the same would go on with at this moment; raises the Failure 27 with which it would be refused.

    An unknown outcome that the service can be asked about is told of: the answer may lead to the job.
    """
    if spending.allow_duplicate:
        return []
    request = request_of(asked)
    orders = [
        store.Order(
            amounts.fingerprint(request, spending.intent, copy), request, asked.provider.name, asked.origin,
            practice=int(asked.provider.embedded), model=asked.model, base_url=None, output_dir=None,
            intent=spending.intent, copy=copy, command="", payload=None, price=None,
        )
        for copy in range(1, spending.copies + 1)
    ]  # fmt: skip
    found: dict[int, store.Decision] = {}
    for ledger in ledgers.every():
        for order, known in zip(orders, ledger.claims.look(orders)):
            if known and not (known.word == "unknown" and spending.retry_unknown):
                found.setdefault(order.copy, known)
    can_be_asked = asked.provider.job_list.is_searchable or asked.provider.idempotency
    for known in found.values():
        if known.word == "unknown" and not can_be_asked:
            raise refusals.duplicate_unknown(known.job, asked.provider.advice.looking)
    return list(found.values())


def request_of(asked: CheckedRequest, origin: str | None = None) -> str:
    """The digest of what is asked for, at an address as Connection.origin has it."""
    what = asked.model or canonical.path(asked.path)
    return amounts.digest([asked.provider.name, asked.origin if origin is None else origin, what, asked.payload])


def _flags_given() -> str:
    # Their names only: a value can be a prompt, or a path that is nobody's business.
    flags = [word.partition("=")[0] for word in sys.argv[1:] if word.startswith("--")]
    return " ".join([os.path.basename(sys.argv[0]), *flags])
