"""Brings files to a service, in one request or in two, and remembers what the service calls them.

Uploader     for the inputs of one request
remembered   the name that a service gave to a file before, while it is used
unchanged    a body whose files are still what they were
"""

from __future__ import annotations

import json
import os
import re
import time

from ..base import errors
from ..base.inbox import Inbox
from ..base.pointer import point
from ..base.record import record
from ..base.retry import Backoff
from ..base.text import plain
from ..http import bodies
from ..http.answers import Answer, Lost
from ..http.documents import read_json
from ..http.wire import answer_of
from ..ledger import store
from ..media import download, inputs, links
from ..media.saving import Unsaved
from ..services import descriptor, trust
from ..services.descriptor import Condition, Upload, Way, values
from .connection import Connection
from .context import Context
from .sources import ANSWER_TIMEOUT, LONGEST_REFERENCE, failure, tell_retry

ATTEMPTS = 4
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 20.0
# The slowest upload that is waited for, in bytes a second. Our choice.
SLOWEST = 128 * 1024
# How long a service may take to make a file usable, in seconds. Our choice.
LONGEST_READYING = 300.0
_USUAL_READYING_PAUSE = 2.0


def unchanged(body: bodies.Body) -> bodies.Body:
    """The same; raises Failure where a file of it was changed after it was checked."""
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


def remembered(connection: Connection, ledger: store.Ledger | None, identity: str, way: Way | None) -> str | None:
    """The name that the service has for a file; None where it has none, or its time is over."""
    if ledger is None or way is None:
        return None
    try:
        return ledger.uploads.name_of(*_place(connection, ledger), identity, time.time() - way.keep_seconds)
    except store.Unusable:
        return None


def _place(connection: Connection, ledger: store.Ledger) -> tuple[str, str, str]:
    return connection.provider.name, connection.origin, ledger.account(connection.account)


@record
class _Said:
    """The answer to one request of an upload."""

    body: object
    headers: object


class Uploader:
    """Brings the inputs of one request to its service.

    reused  names of files that the service had already
    """

    def __init__(self, context: Context):
        self.reused: list[str] = []
        self._context = context
        self._console = context.console
        self._connection = context.connection
        self._reach = download.Reach(context.connection.loopback_base, context.saving.allows_private)

    def deliver(self, attachment: inputs.Attachment, file: inputs.File, origin: str | None, way: Way) -> str:
        """The name under which the service has a file.

        attachment  what the request names
        origin      of the address that the file was fetched from; None for none
        """
        own = file.source.sha256
        known = remembered(self._connection, self._context.ledger, own, way)
        is_known = known is not None and self._still_lives(known, way)
        name = known if known is not None and is_known else self._brought(file, origin, way)
        if is_known:
            self.reused.append(name)
        self._console.emit(
            "uploaded", field=plain(file.field, 60), bytes=file.source.size, sha256=own,
            media_type=file.source.media_type, reused=is_known,
        )  # fmt: skip
        # What was reused is as old as it was.
        identities = {inputs.identity_of(attachment.note) or own, own}
        self._remember(identities - {own} if is_known else identities, name)
        return name

    def _remember(self, identities: set[str], name: str) -> None:
        if self._context.ledger is None or self._console.redactor.text(name) != name:
            return
        try:
            for identity in identities:
                self._context.ledger.uploads.note(*_place(self._connection, self._context.ledger), identity, name)
        except store.Unusable:
            pass  # then the next command brings it once more

    def _still_lives(self, name: str, way: Way) -> bool:
        asked = way.check.replace("{reference}", name) if way.check is not None else name
        if way.check is None and trust.told_address(name, self._connection.site.origins) is None:
            # Where nobody but the service itself could tell, the time that is kept decides.
            return way.like is not None or download.is_there(name, self._reach)
        answer = self._connection.ask(asked, self._patience(ANSWER_TIMEOUT))
        return not isinstance(answer, Lost) and 200 <= answer.status < 300

    # -- bringing a file -------------------------------------------------------------------------------

    def _brought(self, file: inputs.File, origin: str | None, way: Way) -> str:
        """The name that the service gives to a file that is sent now."""
        begin, send = way.begin, way.send
        assert begin is not None, "a way without it sends the file with the create"
        begun = self._tried(file, lambda: self._ask(begin, file, origin))
        if send is None:
            return self._reference(file, way, begun)
        sent = self._tried(file, lambda: self._send(send, file, begun))
        return self._readied(file, way, sent, self._reference(file, way, sent, begun))

    def _tried(self, file: inputs.File, ask) -> _Said:
        """What a request is answered that costs nothing: it is tried again. Raises Failure."""
        pauses = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        words = ""
        for attempt in range(1, ATTEMPTS + 1):
            answer: Answer | Lost = ask()
            if isinstance(answer, Lost):
                words, wait = answer.message, None
            else:
                content, problem = read_json(answer.content)
                if 200 <= answer.status < 300:
                    return _Said(content, answer.headers)
                found = self._connection.provider.refusals.verdict(answer.status, content, problem, answer.headers)
                words = f"HTTP {answer.status}: {self._console.plain(found.message)}"
                wait = answer.retry_after or found.retry_after
                if found.category != "transient":
                    guidance = self._connection.provider.advice.on(found.category)
                    raise failure(file, "upload_failed", words, found.category, False, *guidance)
            if attempt < ATTEMPTS:
                seconds = min(max(pauses.next(), wait or 0.0), LONGEST_PAUSE)
                tell_retry(self._console, attempt + 1, seconds, words)
                self._sleep(file, seconds)
        raise failure(file, "upload_failed", f"{words}, in {ATTEMPTS} tries", "transient", True)

    def _ask(self, upload: Upload, file: inputs.File, origin: str | None) -> Answer | Lost:
        body = unchanged(_body(upload, file, origin))
        headers = {name: _in_header(value, file, origin) for name, value in upload.headers.items()}
        url = self._connection.site.url(upload.step, upload.step.path)
        return self._exchanged(file, self._connection.http, url, upload.step.method, body, headers)

    def _send(self, upload: Upload, file: inputs.File, begun: _Said) -> Answer | Lost:
        """Bring the file to the address that the answer before told; it never gets the key."""
        url = self._told_address(file, upload, begun)
        form = point(begun.body, upload.form) if upload.form is not None else None
        fields = [bodies.Part(name, text) for name, text in form.items()] if isinstance(form, dict) else []
        if not all(isinstance(part.text, str) for part in fields):
            raise failure(file, "upload_failed", "the service tells parts of a form that are no texts", "unknown", True)
        body = bodies.plain(file.source)
        if upload.part is not None:
            body = bodies.multipart([*fields, bodies.Part(upload.part, source=file.source, filename=file.filename)])
        headers = {name: _in_header(value, file, None) for name, value in upload.headers.items()}
        return self._exchanged(
            file,
            lambda inbox: self._connection.elsewhere(url, inbox),
            url,
            upload.step.method,
            unchanged(body),
            headers,
        )

    def _told_address(self, file: inputs.File, upload: Upload, begun: _Said) -> str:
        told = point(begun.body, upload.told) if upload.told is not None else None
        if upload.told_header is not None:
            told = begun.headers.get(upload.told_header)  # type: ignore[attr-defined]
        if not isinstance(told, str):
            raise failure(file, "upload_failed", "the service tells no address for the file", "unknown", True)
        is_local = self._connection.loopback_base and trust.told_address(told, self._connection.site.origins)
        if not (is_local or trust.is_told_host(told, upload.hosts)):
            words = f"the service names an address for the file that is none of {', '.join(upload.hosts)}"
            raise failure(file, "untrusted_destination", words, "guard", False, "Give the file's own address instead.")
        return told

    def _exchanged(self, file, wire, url: str, method: str, body: bodies.Body, headers) -> Answer | Lost:
        if self._patience(1.0) <= 0:
            raise failure(file, "upload_failed", "the time of --deadline is used up", "transient", True)
        inbox, seconds = Inbox(), self._patience(ANSWER_TIMEOUT + len(body) / SLOWEST)
        return answer_of(wire(inbox).send(method, url, ANSWER_TIMEOUT, body, headers), inbox, seconds)

    def _reference(self, file: inputs.File, way: Way, *said: _Said) -> str:
        """What the service calls the file; raises Failure for what could not be one."""
        assert way.reference is not None
        found = next((found for one in said if (found := point(one.body, way.reference)) is not None), None)
        if isinstance(found, str) and len(found) <= LONGEST_REFERENCE:
            if way.like is not None:
                if re.fullmatch(way.like, found):
                    return found
            elif self._is_usable_link(found):
                return found
        raise failure(
            file, "upload_failed", "the service's answer to the file holds no name for it that could be used",
            "unknown", True,
        )  # fmt: skip

    def _is_usable_link(self, url: str) -> bool:
        try:
            self._reach.peer_check(links.link(url))
            return url.isprintable()
        except (ValueError, Unsaved):
            return False

    def _readied(self, file: inputs.File, way: Way, sent: _Said, name: str) -> str:
        """The name, once the service says that the file can be used."""
        ready = way.ready
        if ready is None:
            return name
        own = point(sent.body, ready["file"])
        if not isinstance(own, str) or not trust.is_id(own, ready["like"]):
            raise failure(file, "upload_failed", "the service does not say how to ask for the file", "unknown", True)
        is_ready, has_failed = (Condition((ready["at"],), values(ready.get(name, []))) for name in ("is", "failed"))
        give_up_at = time.monotonic() + LONGEST_READYING
        step = descriptor.step(ready)
        assert step is not None, "one is made of what is there"
        path = step.path.replace("{file}", trust.in_path(own, keeps_slashes=True))
        url = self._connection.site.url(step, path)
        while time.monotonic() < give_up_at:
            said = self._tried(file, lambda: self._read(url))
            if _holds(is_ready, said.body):
                return name
            if _holds(has_failed, said.body):
                raise failure(file, "upload_failed", "the service cannot use the file", "validation", False)
            self._sleep(file, ready.get("every", _USUAL_READYING_PAUSE))
        raise failure(file, "upload_failed", "the service has not made the file usable in time", "transient", True)

    def _read(self, url: str) -> Answer | Lost:
        return self._connection.ask(url, self._patience(ANSWER_TIMEOUT))

    # -- time ------------------------------------------------------------------------------------------

    def _sleep(self, file, seconds: float) -> None:
        if seconds >= self._patience(float("inf")):
            raise failure(file, "upload_failed", "the time of --deadline is used up", "transient", True)
        time.sleep(seconds)

    def _patience(self, seconds: float) -> float:
        """So long, or as long as the command has."""
        return min(seconds, max(self._context.policy.deadline - time.monotonic(), 0.0))


def _holds(when: Condition, body) -> bool:
    from ..services.answers import holds

    return bool(when.values) and holds(when, body)


def _body(upload: Upload, file: inputs.File, origin: str | None) -> bodies.Body:
    """What a request of an upload sends: a form with the file, or JSON in which the file's facts stand."""
    source = file.source
    if upload.part is not None:
        return bodies.multipart([bodies.Part(upload.part, source=source, filename=file.filename)])
    token = f"base64-{os.urandom(16).hex()}"
    wanted = {**(upload.body or {}), **(upload.of_address if origin else {})}
    return bodies.with_base64(inputs.replaced(wanted, {**_facts(file, origin), "{base64}": token}), {token: source})


def _facts(file: inputs.File, origin: str | None) -> dict:
    source = file.source
    return {
        "{name}": file.filename,
        "{origin}": origin,
        "{media_type}": source.media_type,
        "{kind}": source.media_type.partition("/")[0],
        "{size}": source.size,
        "{sha256}": source.sha256,
    }


def _in_header(text: str, file: inputs.File, origin: str | None) -> str:
    """The value of a header with its placeholders filled in."""
    for mark, fact in _facts(file, origin).items():
        text = text.replace(mark, fact if isinstance(fact, str) else json.dumps(fact))
    return text
