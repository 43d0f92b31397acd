"""Whether a key is good: what its service says of it, by reads only.

standing     a Standing
check_place  where that is asked
bounded      an answer as an event may hold it
"""

from __future__ import annotations

from ..base.record import record
from ..base.text import is_flat, to_line
from ..console import Console
from ..http.documents import read_json
from .connection import Connection

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

READ_TIMEOUT = 20.0
LARGEST_ANSWER = 64 * 1024


@record
class Standing:
    """`accepted` is None where the service could not be asked, or did not say."""

    accepted: bool | None
    http_status: int | None
    category: str | None
    message: str | None
    trace_id: str | None


def standing(console: Console, connection: Connection, place: str) -> tuple[Standing, Any, Mapping[str, str]]:
    """What the service says to a read that needs the key: a Standing, and its answer's body and headers."""
    provider = connection.provider
    from ..http.answers import Lost

    answer = connection.ask(place, READ_TIMEOUT)
    if isinstance(answer, Lost):
        return Standing(None, None, None, answer.message, None), None, {}
    (body, words), headers = read_json(answer.content), answer.headers
    trace_id = provider.refusals.trace_id(body, headers)
    if 200 <= answer.status < 300 and not words and provider.refusals.says_success(body, headers=headers):
        if provider.refusals.accepts_key(body):
            return Standing(True, answer.status, None, None, trace_id), body, headers
        message = "the service says that the key is not valid"
        return Standing(False, answer.status, "auth", message, trace_id), body, headers
    category, message = provider.refusals.category(answer.status, body, words, headers)
    # An account without credits has been recognised by its key.
    accepted = {"auth": False, "insufficient_credits": True}.get(category)
    return Standing(accepted, answer.status, category, console.plain(message), trace_id), body, headers


def check_place(connection: Connection) -> str | None:
    """The address of a read that tells whether a key is taken; None where the service documents none."""
    return connection.site.of_account("key_check") or balance_place(connection)


def balance_place(connection: Connection) -> str | None:
    """The address of a read that tells what is left; None where the service documents none."""
    return connection.site.of_account("balance")


def bounded(answer) -> dict:
    """`{answer}`, or that it is left out where it is more than an event should hold."""
    if not is_flat(answer):
        return {"answer_omitted": True}
    size = len(to_line({"answer": answer}).encode())
    return {"answer": answer} if size <= LARGEST_ANSWER else {"answer_omitted": True, "answer_bytes": size}
