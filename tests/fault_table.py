"""What becomes of the main job under each fault of the sandbox, for each service, as its descriptor makes one expect."""

from __future__ import annotations

import json
from typing import NamedTuple

from mediakit.sandbox import FAULTS
from mediakit.services import examples, providers

TASK = "t2i"
STREAM = ()
PLAIN = ("--stream", "never")
IMPATIENT = ("--sse-request-timeout", "1")
BRIEF = ("--deadline", "3")
SHORT = ("--deadline", "5")


class Row(NamedTuple):
    """How the main job ends.

    posts   requests that could buy (2 where the same is sent again under its key: or more)
    last    the last event
    source  where a terminal answer came from
    """

    flags: tuple[str, ...]
    code: int
    posts: int
    last: str
    source: str | None


class Kind(NamedTuple):
    """What of a service decides how the main job ends.

    streams     the create can be answered by a stream
    answers     job, or done: the result itself
    finds_lost  a job whose answer was lost can be found in a list of jobs
    has_key     the same can be sent again under its idempotency key
    tells       the answer to the create tells addresses
    is_apart    results are read apart from the state
    by_url      results are files at an address
    repeats_429 a create that was answered with 429 is sent again
    id_first    half of the answer to a create holds its id
    fails       a create that is answered with the result can be answered with a failure
    """

    streams: bool
    answers: str
    finds_lost: bool
    has_key: bool
    tells: bool
    is_apart: bool
    by_url: bool
    repeats_429: bool
    id_first: bool
    fails: bool


def kind_of(service: str) -> Kind:
    own = providers.load(service)
    route = own.paths.route(own.defaults[TASK], TASK)
    is_done = route.answers != "job"
    told = [getattr(own.job, step) for step in ("read", "result", "cancel")]
    rules = [rule for rule in own.output_rules if rule.base64]
    listing = own.job.listing
    return Kind(
        bool(route.stream_path), "done" if is_done else "job", listing is not None,
        own.idempotency is not None, any(step.told for step in told if step), own.job.result is not None,
        not (is_done and rules), 429 not in own.final_statuses and own.idempotency is None,
        _half_holds_id(own), is_done and (not own.examples or "failed" in own.examples),
    )  # fmt: skip


def _half_holds_id(own) -> bool:
    created = own.examples.get("created", [{}])[0].get("body")
    text = json.dumps(examples.filled(created, {"id": examples.new_id(own.job.like) or ""}))
    return created is None or own.answers.reading(json.loads(text), True).id in text[: len(text) // 2]


def expected(kind: Kind, fault: str) -> Row:
    """How the main job of a service of that kind meets a fault."""
    flags = STREAM if kind.streams else PLAIN
    good = Row(flags, 0, 1, "terminal", "create" if kind.answers == "done" else "sse" if kind.streams else "poll")
    polled = good._replace(source="poll")
    unknown = Row(flags, 12, 1, "error", None)
    if fault in _REFUSED:
        return Row(flags, _REFUSED[fault], 1, "error", None)
    for rule in (_of_create, _of_key, _of_stream, _of_job):
        found = rule(kind, fault, good, polled, unknown)
        if found:
            return found
    return good


# fault -> the exit code, whatever the service
_REFUSED = {
    "create-400": 22, "create-401": 21, "create-402": 20, "create-403": 21, "create-404": 23, "create-422": 22,
    "create-redirect": 25, "key-refused": 21, "no-credits": 20,
}  # fmt: skip
_NOT_ACCEPTED = ("create-500", "create-502", "create-503", "create-520", "unreachable")
# Faults of Luxin's contract alone.
_OF_KEYS = ("create-provider-failure", "create-storage-failed", "create-budget", "create-hostile-recovery")


def _of_create(kind: Kind, fault: str, good: Row, polled: Row, unknown: Row) -> Row | None:
    if fault in ("create-429", "create-429-once"):
        if kind.has_key:  # its 429 is a limit of the account
            return Row(PLAIN, 20, 1, "error", None)
        if not kind.repeats_429:
            return Row(good.flags, 24, 1, "error", None)
        return good._replace(posts=2) if fault.endswith("once") else Row(good.flags, 24, 5, "error", None)
    if kind.has_key:
        return None
    if fault in _NOT_ACCEPTED:
        return unknown
    if fault in ("create-lost", "create-hang", "create-no-id", "create-truncated"):
        return _of_lost(kind, fault, good, polled, unknown)
    return None


def _of_lost(kind: Kind, fault: str, good: Row, polled: Row, unknown: Row) -> Row:
    """An accepted job whose answer is lost, or holds no id that can be read as it is."""
    if fault == "create-truncated":
        is_found = kind.answers == "job" and (kind.id_first or kind.finds_lost)
        return polled._replace(flags=PLAIN) if is_found else unknown
    if fault == "create-no-id" and kind.answers == "done":
        return good
    if fault == "create-hang":
        # A list of running jobs alone no longer has it when the wait is over. For an answer that is the result itself
        # the service may take its time, whatever is said of streams.
        flags = SHORT if kind.answers == "done" else IMPATIENT
        return (polled if kind.finds_lost and not kind.streams else unknown)._replace(flags=flags)
    return polled._replace(flags=PLAIN if fault == "create-no-id" else good.flags) if kind.finds_lost else unknown


def _of_key(kind: Kind, fault: str, good: Row, polled: Row, unknown: Row) -> Row | None:
    """What is sent again under the same key, for as long as there is time."""
    if not kind.has_key:
        return None
    if fault in ("create-500", "create-503", "create-storage-failed", "create-520"):
        return unknown
    if fault in ("create-502", "unreachable"):
        return unknown._replace(flags=BRIEF, posts=2)
    if fault in ("create-lost", "create-no-id", "create-provider-failure", "create-hang"):
        return good._replace(flags=IMPATIENT if fault == "create-hang" else PLAIN, posts=2)
    if fault in ("create-truncated", "create-events", "create-endless", "create-gzip"):
        return polled  # there is an id, which a read confirms
    return Row(PLAIN, 22, 1, "error", None) if fault in ("create-budget", "create-hostile-recovery") else None


def _of_stream(kind: Kind, fault: str, good: Row, polled: Row, unknown: Row) -> Row | None:
    if not kind.streams:
        return good if fault.startswith("stream-") else None
    if fault in ("stream-stall", "stream-keepalives"):
        return polled._replace(flags=IMPATIENT)
    if fault in ("create-103", "create-endless", "create-gzip"):
        return polled._replace(flags=PLAIN)
    if fault.startswith("poll-") or fault in ("job-fast", "status-synonym", "done-early"):
        good = polled._replace(flags=PLAIN)
        return good._replace(code=21, last="error", source=None) if fault == "poll-401" else good
    return polled if fault.startswith("stream-") and fault != "stream-flood" else None


def _of_job(kind: Kind, fault: str, good: Row, polled: Row, unknown: Row) -> Row | None:
    is_done = kind.answers == "done"
    if fault in ("job-failed", "job-canceled"):
        if kind.has_key:
            return unknown
        return good._replace(code=10) if not is_done or kind.fails else good
    if fault == "job-slow":
        if is_done:
            flags = (*IMPATIENT, "--deadline", "4") if kind.has_key else SHORT
            return unknown._replace(flags=flags, posts=2 if kind.has_key else 1)
        return Row(("--stream-timeout", "1", "--poll-timeout", "1"), 11, 1, "timeout", None)
    if fault == "create-events" and is_done:
        return None if kind.has_key else unknown
    if fault == "result-expired":
        return good._replace(code=26) if kind.by_url else good
    if is_done:
        return None
    if fault == "poll-401":
        return Row(good.flags, 21, 1, "error", None)
    return None


KINDS = {service: kind_of(service) for service in providers.spoken_by("sandbox")}
SERVICES = {service: {fault: expected(kind, fault) for fault in FAULTS} for service, kind in KINDS.items()}
# The first service of each kind, as far as purchases are concerned.
ONE_OF_EACH_KIND = [
    next(service for service, other in KINDS.items() if other[:4] == kind)
    for kind in dict.fromkeys(kind[:4] for kind in KINDS.values())
]
# The rows of the reference: those of the service that the sandbox speaks unless it is told otherwise.
EXPECTED = next(iter(SERVICES.values()))


def sample() -> list[tuple[str, str]]:
    """`(service, fault)` so that each fault is met once by a service that can have it, and each service meets six."""
    runs: list[tuple[str, str]] = []
    for fault in FAULTS:
        able = [service for service, kind in KINDS.items() if _can_have(kind, fault)]
        counted = {service: sum(one == service for one, _ in runs) for service in able}
        runs.append((min(able, key=counted.__getitem__), fault))
    for service in KINDS:
        others = (fault for fault in FAULTS if fault.startswith("create-") and (service, fault) not in runs)
        missing = 6 - sum(one == service for one, _ in runs)
        runs.extend((service, fault) for fault, _ in zip(others, range(missing)))
    return runs


def _can_have(kind: Kind, fault: str) -> bool:
    if fault.startswith("stream-"):
        return kind.streams
    if fault in _OF_KEYS:
        return kind.has_key
    if fault == "told-hostile":
        return kind.tells
    return kind.answers == "job" or not fault.startswith(("poll-", "status-", "done-", "result-"))
