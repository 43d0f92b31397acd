"""Inputs on their way to a service, before anything is bought.

    check    what a command names of earlier jobs is there
    fulfil   a Ready: what a create sends in place of the stand-ins
    recall   a payload of the ledger with the names under which the service has its files
    forget   the service has refused a request with names that were remembered

A service either takes files in the create itself, as parts of a form, or has them brought before; the
descriptor's `inputs` says which. Bringing them costs nothing, so that it is tried again.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..base import errors
from ..base.retry import Backoff
from ..base.text import plain
from ..http import bodies
from ..http.answers import Answer, Lost
from ..ledger import store
from ..media import download, inputs
from ..services import providers
from .connection import Connection, missing_key
from .context import Context
from .request import CheckedRequest
from .sources import ANSWER_TIMEOUT, LONGEST_REFERENCE, Sources, entry_of, failure, tell_retry

ATTEMPTS = 4
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 20.0
# The slowest line that a file is waited for on, in bytes a second. Our choice.
SLOWEST = 128 * 1024


@dataclass(frozen=True)
class Ready:
    """What a create sends.

    payload  with all values that are known by now
    body     (fields) -> bodies.Body where files travel in the create itself; None where it is plain JSON
    seconds  how long sending the files may take
    reused   names that the service gave to files of an earlier command
    """

    payload: dict
    body: Callable[[dict], bodies.Body] | None = None
    seconds: float = 0.0
    reused: tuple[str, ...] = ()


def check(asked: CheckedRequest, ledger: store.Ledger | None) -> None:
    """Raises Failure where an input is the output of a job that cannot have any."""
    for attachment in asked.attachments.values():
        if isinstance(attachment, inputs.Earlier):
            entry_of(attachment, ledger)


def fulfil(context: Context, asked: CheckedRequest) -> Ready:
    """Bring every input of a request to its service; raises Failure, and then nothing is bought."""
    provider = asked.provider
    if asked.attachments and "upload" in provider.inputs and provider.key:
        if context.connection.authorisation is None:  # a login that only the service's own program can use
            raise missing_key(provider)
    uploader = Uploader(context)
    values: dict[str, str] = {}
    files: dict[str, bodies.Part] = {}
    for stand_in, attachment in asked.attachments.items():
        found = uploader.deliver(attachment)
        if isinstance(found, str):
            values[stand_in] = found
        else:
            files[stand_in] = bodies.Part(None, source=found.source, filename=found.filename)
    payload = inputs.replaced(asked.payload, values)
    seconds = sum(part.source.size for part in files.values()) / SLOWEST
    return Ready(payload, (lambda fields: _form(fields, files)) if files else None, seconds, tuple(uploader.reused))


def _form(fields: dict, files: dict[str, bodies.Part]) -> bodies.Body:
    return _unchanged(bodies.multipart(bodies.parts_of(fields, files)))


def _unchanged(body: bodies.Body) -> bodies.Body:
    try:
        body.check()
        return body
    except bodies.Changed:
        raise errors.Failure(
            "input_changed",
            "--input: a file was changed after it was checked",
            "validation",
            field="--input",
            outcome="not_sent",
            retryable=True,
            guidance=["Nothing was bought. Run the same again when the file is complete."],
        ) from None


def recall(connection: Connection, ledger: store.Ledger | None, payload: dict | None) -> dict | None:
    """A payload of the ledger as it was sent; None where it was not kept, or a name is not remembered."""
    missing = []

    def recalled(value):
        identity = inputs.identity_of(value)
        if identity is not None:
            name = _remembered(connection, ledger, identity)
            missing.extend([] if name else [identity])
            return name
        if isinstance(value, dict):
            return {key: recalled(item) for key, item in value.items()}
        return [recalled(item) for item in value] if isinstance(value, list) else value

    found = recalled(payload)
    return None if missing else found


def forget(ledger: store.Ledger | None, names: list[str]) -> None:
    """The next command brings these anew."""
    if ledger is None:
        return
    try:
        for name in names:
            ledger.forget_upload(name)
    except store.Unusable:
        pass  # they are forgotten anyway when their time is over


def _remembered(connection: Connection, ledger: store.Ledger | None, identity: str) -> str | None:
    upload = connection.provider.inputs.get("upload")
    if ledger is None or upload is None:
        return None
    try:
        return ledger.uploaded(*_place(connection, ledger), identity, time.time() - upload["keep_seconds"])
    except store.Unusable:
        return None


def _place(connection: Connection, ledger: store.Ledger) -> tuple[str, str, str]:
    return connection.provider.name, connection.origin, ledger.account(connection.account)


class Uploader:
    """Brings the inputs of one request to its service.

    reused  names of files that the service had already
    """

    def __init__(self, context: Context):
        self.reused: list[str] = []
        self._context = context
        self._console = context.console
        self._connection = context.connection
        self._sources = Sources(context)
        self._upload: dict = context.connection.provider.inputs.get("upload") or {}
        self._reach = download.Reach(context.connection.loopback_base, context.saving.allows_private)

    def deliver(self, attachment: inputs.Attachment) -> str | inputs.File:
        """The text that stands for it in the request, or a File that goes along with it."""
        found, origin = self._sources.content(attachment)
        if isinstance(found, str) or not self._upload:
            return found
        name = self._brought(found, origin)
        # What was reused is as old as it was.
        own = found.source.sha256
        identities = {inputs.identity_of(attachment.note) or own, own}
        self._remember(identities - {own} if name in self.reused else identities, name)
        return name

    def _remember(self, identities: set[str], name: str) -> None:
        if self._context.ledger is None:
            return
        try:
            for identity in identities:
                self._context.ledger.note_upload(*_place(self._connection, self._context.ledger), identity, name)
        except store.Unusable:
            pass  # then the next command brings it once more

    # -- bringing a file -------------------------------------------------------------------------------

    def _brought(self, file: inputs.File, origin: str | None) -> str:
        """The name that the service has for a file, which is sent only where it has none."""
        source = file.source
        known = _remembered(self._connection, self._context.ledger, source.sha256)
        is_known = known is not None and self._still_lives(known)
        name = known if known is not None and is_known else self._sent(file, origin)
        if is_known:
            self.reused.append(name)
        self._console.emit(
            "uploaded", field=plain(file.field, 60), bytes=source.size, sha256=source.sha256,
            media_type=source.media_type, reused=is_known,
        )  # fmt: skip
        return name

    def _still_lives(self, name: str) -> bool:
        if "check" not in self._upload:
            return download.is_there(name, self._reach)
        path = self._upload["check"].replace("{reference}", name)
        answer = self._connection.ask(path, min(ANSWER_TIMEOUT, self._time_left()))
        return not isinstance(answer, Lost) and 200 <= answer.status < 300

    def _sent(self, file: inputs.File, origin: str | None) -> str:
        pauses = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        for attempt in range(1, ATTEMPTS + 1):
            body = _unchanged(self._body(file, origin))
            patience = ANSWER_TIMEOUT + len(body) / SLOWEST
            answer = self._post(file, body, patience)
            if isinstance(answer, Lost):
                words, wait = answer.message, None
            else:
                content, problem = providers.read_json(answer.content)
                if 200 <= answer.status < 300:
                    return self._reference(file, content)
                found = self._connection.provider.verdict(answer.status, content, problem, answer.headers)
                words = f"HTTP {answer.status}: {self._console.plain(found.message)}"
                wait = answer.retry_after or found.retry_after
                if found.category != "transient":
                    guidance = self._connection.provider.guidance(found.category)
                    raise failure(file, "upload_failed", words, found.category, False, *guidance)
            if attempt < ATTEMPTS:
                seconds = min(max(pauses.next(), wait or 0.0), LONGEST_PAUSE)
                tell_retry(self._console, attempt + 1, seconds, words)
                self._sleep(file, seconds)
        raise failure(file, "upload_failed", f"{words}, in {ATTEMPTS} tries", "transient", True)

    def _body(self, file: inputs.File, origin: str | None) -> bodies.Body:
        upload, source = self._upload, file.source
        if "part" in upload:
            return bodies.multipart([bodies.Part(upload["part"], source=source, filename=file.filename)])
        content = f"base64-{secrets.token_hex(16)}"
        facts = {
            "source_kind": upload["source_kinds"]["url" if origin else "file"],
            "filename": file.filename,
            "remote_origin": origin,
            "media_type": source.media_type,
            "bytes": source.size,
            "sha256": source.sha256,
            "base64": content,
        }
        return bodies.with_base64({name: facts[word] for name, word in upload["fields"].items()}, {content: source})

    def _reference(self, file: inputs.File, body) -> str:
        """What the service calls the file; raises Failure for what could not be one."""
        found = providers.point(body, self._upload["reference"])
        if isinstance(found, str) and len(found) <= LONGEST_REFERENCE:
            if "pattern" in self._upload:
                if re.fullmatch(self._upload["pattern"], found):
                    return found
            elif self._is_usable_link(found):
                return found
        raise failure(
            file, "upload_failed", "the service's answer to the file holds no name for it that could be used",
            "unknown", True,
        )  # fmt: skip

    def _is_usable_link(self, url: str) -> bool:
        try:
            self._reach.peer_check(url)
            return url.isprintable()
        except download.Unsaved:
            return False

    # -- the wire --------------------------------------------------------------------------------------

    def _post(self, file, body: bodies.Body, patience: float) -> Answer | Lost:
        if self._time_left() <= 0:
            raise failure(file, "upload_failed", "the time of --deadline is used up", "transient", True)
        return self._connection.ask(self._upload["path"], min(patience, self._time_left()), body)

    def _sleep(self, file, seconds: float) -> None:
        if seconds >= self._time_left():
            raise failure(file, "upload_failed", "the time of --deadline is used up", "transient", True)
        time.sleep(seconds)

    def _time_left(self) -> float:
        return max(self._context.policy.deadline - time.monotonic(), 0.0)
