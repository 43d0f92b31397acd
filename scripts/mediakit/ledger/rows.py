"""What stands in a ledger, as it is written and as it is read back. Pure.

Order     what somebody wants to buy
Entry     one job
Decision  what a claim came to: buy, resume, wait, or unknown
entry_of  a row as an Entry; ValueError for one that this program never wrote
is_change whether what became of a job can be ours

A ledger can be damaged, and one in a working directory can have been planted: every value is checked.
"""

from __future__ import annotations

import json

from ..base import amounts
from ..base.record import about, field, record
from ..base.regex import regex

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import Any

    from .store import Ledger

KEY = regex(r"job_[0-9a-f]{16}")
# Before there is an outcome of errors.OUTCOMES: claimed, no byte of the POST has left; the first byte is about to.
OUTCOMES = frozenset(("planned", "sending", "not_sent", "rejected", "accepted", "unknown"))
CLOSED = frozenset(("replaced", "gone", "forgotten", "same_id"))
LARGEST_TEXT = 1024 * 1024
_DIGEST = regex(r"[0-9a-f]{64}")
_ACCOUNT = regex(r"([0-9a-f]{32})?")
# The year 10000.
_END_OF_TIME = 253402300800


@record
class Order:
    """service     the provider's name            origin  where it is, or the embedded one
    practice    nothing real is bought         intent, copy  its own name, and the number of the copy
    request     digest of what is asked for, fingerprint the same with intent and copy
    formerly    the same two as earlier versions wrote them
    payload     as JSON text; None where it is not to be kept
    price       None for an unknown one
    sent_with   what is sent beside the payload, as JSON text: the idempotency key, the service's own guard
    speaks      the contract that an embedded service has
    """

    fingerprint: str
    request: str
    service: str
    origin: str
    practice: int
    model: str | None
    base_url: str | None
    output_dir: str | None
    intent: str | None
    copy: int
    command: str
    payload: str | None
    price: amounts.Price | None
    sent_with: str | None = None
    speaks: str | None = None
    formerly: tuple[str, str] | None = None

    @property
    def fingerprints(self) -> tuple[str, ...]:
        return (self.fingerprint, self.formerly[1]) if self.formerly else (self.fingerprint,)


def _column(check, *, sealed: bool = False) -> Any:
    return field(metadata={"check": check, "sealed": sealed})


def _text(longest: int = LARGEST_TEXT, pattern: str | None = None, empty: bool = True):
    expression = regex(pattern) if pattern is not None else None

    def check(value) -> bool:
        whole = isinstance(value, str) and len(value) <= longest and (empty or value != "")
        return whole and (expression is None or expression.fullmatch(value) is not None)

    return check


def _or_nothing(check):
    return lambda value: value is None or check(value)


def _whole(least: int, most: int):
    return lambda value: type(value) is int and least <= value <= most


def _time(value) -> bool:
    return type(value) in (int, float) and 0 <= value < _END_OF_TIME


def _json(kind: type | tuple):
    def check(value) -> bool:
        return value is None or (isinstance(value, str) and issubclass(_kind_of(value), kind))

    return check


def _kind_of(text: str) -> type:
    """What a JSON text holds, `object` for one that is none."""
    try:
        return type(json.loads(text))
    except (ValueError, RecursionError):
        return object


@record
class Entry:
    """One job; the fields are the columns of its row.

    What decides whether the same is bought again, and what it counts, is sealed. `is_as_sent` tells whether
    what was sent, with its idempotency key, is what was written then: that has a seal of its own.
    """

    seq: int = _column(_whole(1, 2**62), sealed=True)
    key: str = _column(_text(pattern=KEY.pattern), sealed=True)
    purchase: str = _column(_text(pattern=KEY.pattern), sealed=True)
    fingerprint: str = _column(_text(pattern=_DIGEST.pattern), sealed=True)
    request: str = _column(_text(pattern=_DIGEST.pattern), sealed=True)
    service: str = _column(_text(200, empty=False), sealed=True)
    origin: str = _column(_text(4096, empty=False), sealed=True)
    practice: int = _column(_whole(0, 1), sealed=True)
    account: str = _column(_text(pattern=_ACCOUNT.pattern), sealed=True)
    model: str | None = _column(_or_nothing(_text(1000)))
    base_url: str | None = _column(_or_nothing(_text(4096, pattern=r"(?i)https?://\S+")))
    output_dir: str | None = _column(_or_nothing(_text(65536)))
    intent: str | None = _column(_or_nothing(_text(1000)), sealed=True)
    copy: int = _column(_whole(1, 10**6), sealed=True)
    command: str = _column(_text())
    payload: str | None = _column(_json(dict))
    created_at: float = _column(_time)
    updated_at: float = _column(_time)
    outcome: str = _column(lambda value: value in OUTCOMES, sealed=True)
    generation_id: str | None = _column(_or_nothing(_text(65536, empty=False)), sealed=True)
    accepted_at: float | None = _column(_or_nothing(_time))
    status: str | None = _column(_or_nothing(_text()))
    state: str | None = _column(_or_nothing(_text(100)))
    reserved: int | None = _column(_or_nothing(_whole(0, amounts.MOST_MICRO)), sealed=True)
    reserved_unit: str | None = _column(_or_nothing(_text(100)), sealed=True)
    reserved_by: str | None = _column(_or_nothing(_text(100)))
    cost: int | None = _column(_or_nothing(_whole(0, amounts.MOST_MICRO)), sealed=True)
    cost_unit: str | None = _column(_or_nothing(_text(100)), sealed=True)
    usage: str | None = _column(_json((dict, list, str, int, float, bool, type(None))))
    paths: str | None = _column(_json(list))
    exit_code: int | None = _column(_or_nothing(_whole(-255, 255)))
    delivered_at: float | None = _column(_or_nothing(_time))
    closed: str | None = _column(_or_nothing(lambda value: value in CLOSED), sealed=True)
    sent_with: str | None = _column(_json(dict))
    speaks: str | None = _column(_or_nothing(_text(200)))
    assets: str | None = _column(_json(list))
    # The key of an earlier job to which the service gave the same id.
    twin: str | None = _column(_or_nothing(_text(pattern=KEY.pattern)))
    # When the service first told about the job to somebody who asked by its id.
    read_at: float | None = _column(_or_nothing(_time))
    delivered_tick: float | None = _column(_or_nothing(_time))
    delivered_boot: str | None = _column(_or_nothing(_text(100)))
    # Step -> the address that the service told for it. Not believed: it is checked again whenever it is used.
    told: str | None = _column(_json(dict))
    is_as_sent: bool = True

    @property
    def addresses(self) -> dict[str, str]:
        """Step -> the address that its service told for it, to be checked whenever one is used."""
        return json.loads(self.told) if self.told else {}


COLUMNS = tuple(about(Entry))
SEALED = tuple(name for name, column in about(Entry).items() if column["sealed"])
_CHECKS = tuple((name, column["check"]) for name, column in about(Entry).items())


def entry_of(row: tuple, is_as_sent: bool) -> Entry:
    """A row of COLUMNS as an Entry. Raises ValueError, which names the column."""
    for (name, check), value in zip(_CHECKS, row):
        if not check(value):
            raise ValueError(name)
    return Entry(*(*row, is_as_sent))


def is_change(row: tuple) -> bool:
    """Whether a moment and what became of a job then can be ours."""
    at, what = row
    return _time(at) and isinstance(what, str) and len(what) <= LARGEST_TEXT


@record
class Decision:
    """word    "buy", "resume", "wait" (its owner is alive and has no id yet) or "unknown"
    entry   the job; None where nothing can be remembered
    ledger  the one that it is in
    """

    word: str
    entry: Entry | None
    ledger: Ledger | None = None

    @property
    def job(self) -> Entry:
        """The entry, of a decision that has one: every one but to buy where nothing can be remembered."""
        assert self.entry is not None
        return self.entry


def as_json(value) -> str | None:
    """A value as a ledger keeps it; None for one that is too large to be kept."""
    text = None if value is None else json.dumps(value, ensure_ascii=True)
    return text if text is None or len(text) <= LARGEST_TEXT else None
