"""Inputs on their way to a service, before anything is bought.

    check    what a command names of earlier jobs is there
    fulfil   a Ready: what a create sends in place of the stand-ins
    recall   a payload of the ledger with the names under which the service has its files
    forget   the service has refused a request with names that were remembered

A service either takes files in the create itself, as parts of a form, or has them brought before; the
descriptor's `inputs` says which. Bringing them costs nothing, so that it is tried again.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections import namedtuple
from copy import copy

from ..base import errors
from ..base.text import plain
from ..base.times import time_left
from ..console import Console
from ..http import bodies, transport
from ..ledger import entries, store
from ..media import download, inputs
from ..services import providers
from . import options, runner

ATTEMPTS = 4
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 20.0
ANSWER_TIMEOUT = 60.0
# The slowest line that a file is waited for on, in bytes a second. Our choice.
SLOWEST = 128 * 1024
# What is fetched for a service that takes no addresses. Our choice.
LARGEST_FETCHED = 256 * 1024**2
LONGEST_FETCH = 300.0
_LONGEST_REFERENCE = 4096

# payload  with all values that are known by now
# body     (fields) -> bodies.Body where files travel in the create itself; None where it is plain JSON
# seconds  how long sending the files may take
# reused   names that the service gave to files of an earlier command
Ready = namedtuple("Ready", "payload body seconds reused")


def check(asked, ledger: store.Ledger | None) -> None:
    """Raises Failure where an input is the output of a job that cannot have any."""
    for attachment in asked.attachments.values():
        if isinstance(attachment, inputs.Earlier):
            _entry_of(attachment, ledger)


def fulfil(console: Console, arguments, asked, connection: options.Connection, ledger) -> Ready:
    """Bring every input of a request to its service; raises Failure, and then nothing is bought."""
    if asked.attachments and "upload" in connection.provider.inputs and connection.provider.key:
        if connection.authorisation is None:  # a login that only the service's own program can use
            raise options.missing_key(connection.provider)
    courier = _Courier(console, arguments, connection, ledger)
    values, files = {}, {}
    for stand_in, attachment in asked.attachments.items():
        found = courier.deliver(attachment)
        if isinstance(found, str):
            values[stand_in] = found
        else:
            files[stand_in] = bodies.Part(None, source=found.source, filename=found.filename)
    payload = inputs.replaced(asked.payload, values)
    seconds = sum(part.source.size for part in files.values()) / SLOWEST
    return Ready(payload, (lambda fields: _form(fields, files)) if files else None, seconds, courier.reused)


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


def recall(connection: options.Connection, ledger: store.Ledger | None, payload: dict | None) -> dict | None:
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
    try:
        for name in names:
            ledger.forget_upload(name)
    except store.Unusable:
        pass  # they are forgotten anyway when their time is over


def _remembered(connection: options.Connection, ledger: store.Ledger | None, identity: str) -> str | None:
    upload = connection.provider.inputs.get("upload")
    if ledger is None or upload is None:
        return None
    try:
        return ledger.uploaded(*_place(connection, ledger), identity, time.time() - upload["keep_seconds"])
    except store.Unusable:
        return None


def _place(connection: options.Connection, ledger: store.Ledger) -> tuple[str, str, str]:
    key = connection.key.value if connection.key else None
    return connection.provider.name, connection.origin, ledger.account(key)


def _entry_of(attachment: inputs.Earlier, ledger: store.Ledger | None) -> store.Entry:
    try:
        entry = ledger.find(attachment.job) if ledger else None
    except store.Unusable as problem:
        raise entries.unusable(problem) from None
    if entry is None or not entry.generation_id:
        raise _failure(
            attachment, "job_not_found", "the ledger has no such job with an id", "not_found", False,
            "See what there is with jobs.py list.",
        )  # fmt: skip
    if entry.state in ("failed", "canceled"):
        raise _failure(attachment, "input_gone", f"that job ended {entry.state} and has no output", "validation", False)
    return entry


def _failure(attachment, code: str, words: str, category: str, retryable: bool, *guidance: str) -> errors.Failure:
    return errors.Failure(
        code,
        f"--input: {plain(attachment.field, 60)}: {words}",
        category,
        field="--input",
        outcome="not_sent",
        retryable=retryable,
        guidance=["Nothing was bought.", *guidance],
    )


class _Courier:
    """Brings the inputs of one command.

    reused  names of files that the service had already
    """

    def __init__(self, console: Console, arguments, connection: options.Connection, ledger: store.Ledger | None):
        self._console = console
        self._arguments = arguments
        self._connection = connection
        self._ledger = ledger
        self._rules = connection.provider.inputs
        self._upload = self._rules.get("upload")
        self._reach = download.Reach(connection.loopback_base, arguments.allow_private_network)
        self._trace = runner.tracer(console, arguments.trace) if arguments.trace else None
        self.reused: list[str] = []

    def deliver(self, attachment: inputs.Attachment) -> str | inputs.File:
        """The text that stands for it in the request, or a File that goes along with it."""
        found, origin = attachment, None
        if isinstance(found, inputs.Earlier):
            found = self._output_of(found)
        if isinstance(found, inputs.Remote):
            found, origin = self._fetched(found)
        if isinstance(found, str) or self._upload is None:
            return found
        name = self._brought(found, origin)
        # What was reused is as old as it was.
        new = {inputs.identity_of(attachment.note), found.source.sha256}
        self._remember(new - {found.source.sha256} if name in self.reused else new, name)
        return name

    def _remember(self, identities: set[str], name: str) -> None:
        if self._ledger is None:
            return
        try:
            for identity in identities:
                self._ledger.note_upload(*_place(self._connection, self._ledger), identity, name)
        except store.Unusable:
            pass  # then the next command brings it once more

    # -- an earlier job ------------------------------------------------------------------------------

    def _output_of(self, attachment: inputs.Earlier) -> str | inputs.Attachment:
        """Its link while that lives, else the file that was saved."""
        entry = _entry_of(attachment, self._ledger)
        url = self._living_link(attachment, entry)
        if url is None:
            return self._saved(attachment, entry)
        if (self._upload and "pattern" in self._upload) or url.lower().startswith("data:"):
            return inputs.Remote(attachment.field, attachment.kind, attachment.limits, attachment.stand_in, url)
        return url

    def _living_link(self, attachment: inputs.Earlier, entry: store.Entry) -> str | None:
        outputs = self._outputs(attachment, entry)
        if not outputs:
            return None
        kinds, kind = ("image", "video", "audio"), outputs[0].get("type")
        if attachment.kind in kinds and kind in kinds and kind != attachment.kind:
            raise _failure(
                attachment, "input_refused", f"that job made {kind}; the field takes {attachment.kind}", "validation", False
            )  # fmt: skip
        url = outputs[0]["url"]
        if url.lower().startswith("data:"):
            return url
        return url if len(url) <= _LONGEST_REFERENCE and download.is_there(url, self._reach) else None

    def _outputs(self, attachment: inputs.Earlier, entry: store.Entry) -> list[dict]:
        """What the job's service tells of it now; nothing where it cannot be asked. Raises Failure while it runs."""
        try:
            connection = self._connection_of(entry)
        except errors.Failure:
            return []
        answer = self._asked(connection, connection.provider.read_path(entry.generation_id))
        if isinstance(answer, transport.Lost) or not 200 <= answer.status < 300:
            return []
        body = providers.read_json(answer.content)[0]
        if connection.provider.reading(body).state in ("queued", "running"):
            raise _failure(
                attachment, "input_gone", "that job is not finished yet", "validation", True,
                f"Wait for it first: jobs.py resume {entry.key}",
            )  # fmt: skip
        return connection.provider.outputs(body)

    def _connection_of(self, entry: store.Entry) -> options.Connection:
        own = self._connection
        if (entry.service, entry.origin) == (own.provider.name, own.origin):
            return own
        arguments = copy(self._arguments)
        arguments.base_url, arguments.key_stdin, arguments.speaks = None, False, None
        return options.connect_again(self._console, arguments, self._ledger, entry)

    def _saved(self, attachment: inputs.Earlier, entry: store.Entry) -> inputs.File:
        assets = json.loads(entry.assets) if entry.assets else []
        asset = next((asset for asset in assets if asset["number"] == 1), None)
        found = self._still_the_same(attachment, asset) if asset else None
        if found:
            return found
        raise _failure(
            attachment,
            "input_gone",
            "the link of that job's output is not given any more, and the file that was saved of it is missing or was "
            "changed",
            "validation",
            False,
            "Name the file itself, or make the output again.",
        )

    def _still_the_same(self, attachment: inputs.Earlier, asset: dict) -> inputs.File | None:
        """The file of an asset of the ledger; None where it is not there, or is another one by now."""
        try:
            found = inputs.file_at(attachment.field, attachment.kind, asset["path"], attachment.limits, self._rules)
        except errors.Failure as problem:
            if problem.code == "input_refused":
                raise
            return None
        return found if found.source.sha256 == asset["sha256"] else None

    # -- an address ------------------------------------------------------------------------------------

    def _fetched(self, attachment: inputs.Remote) -> tuple[inputs.File, str | None]:
        """The file at an address, and the address's origin."""
        spool = tempfile.TemporaryFile(prefix=".ai-media-")
        try:
            self._fetch(attachment.url, spool)
            spool.flush()
        except download.Unsaved as problem:
            words = plain(str(problem).replace("a result", "an input").replace("the result", "the input"))
            gave_up = isinstance(problem, download.GivenUp)
            raise _failure(
                attachment, "upload_failed" if gave_up else "input_refused", f"it cannot be fetched: {words}",
                "transient" if gave_up else "validation", gave_up,
            ) from None  # fmt: skip
        except OSError as problem:
            words = f"no temporary file can be written: {problem.strerror}"
            raise _failure(attachment, "upload_failed", words, "transient", True) from None
        found = inputs.spooled(attachment.field, attachment.kind, spool, "an address", attachment.limits, self._rules)
        return found, _origin_of(attachment.url)

    def _fetch(self, url: str, spool) -> None:
        """Into an open file; raises download.Unsaved, or OSError of the disk."""

        def retrying(attempt: int, seconds: float, words: str) -> None:
            self._tell_retry(attempt + 1, seconds, words.replace("the result", "the input"))

        budget = download.Budget(download.Limits(LARGEST_FETCHED, LARGEST_FETCHED, 1, LONGEST_FETCH))
        fetching = download.Download(url, budget, self._reach, retrying, _temporary_room)
        patience = min(LONGEST_FETCH, self._time_left())
        late = threading.Event()

        def give_up() -> None:
            late.set()  # first: what is stopped asks at once why
            fetching.stop()

        timer = threading.Timer(patience, give_up)
        timer.daemon = True
        timer.start()
        try:
            fetching.run(spool)
        except download.Unsaved:
            if not late.is_set():
                raise
        finally:
            timer.cancel()
        if late.is_set():  # what was stopped can look like an end
            raise download.GivenUp(f"it took longer than {patience:.0f} s")

    # -- bringing a file -------------------------------------------------------------------------------

    def _brought(self, file: inputs.File, origin: str | None) -> str:
        """The name that the service has for a file, which is sent only where it has none."""
        source = file.source
        name = _remembered(self._connection, self._ledger, source.sha256)
        is_known = name is not None and self._still_lives(name)
        if is_known:
            self.reused.append(name)
        else:
            name = self._sent(file, origin)
        self._console.emit(
            "uploaded", field=plain(file.field, 60), bytes=source.size, sha256=source.sha256,
            media_type=source.media_type, reused=is_known,
        )  # fmt: skip
        return name

    def _still_lives(self, name: str) -> bool:
        if "check" not in self._upload:
            return download.is_there(name, self._reach)
        answer = self._asked(self._connection, self._upload["check"].replace("{reference}", name))
        return not isinstance(answer, transport.Lost) and 200 <= answer.status < 300

    def _sent(self, file: inputs.File, origin: str | None) -> str:
        pause = FIRST_PAUSE
        for attempt in range(1, ATTEMPTS + 1):
            body = _unchanged(self._body(file, origin))
            patience = ANSWER_TIMEOUT + len(body) / SLOWEST
            answer = self._post(file, body, patience)
            if isinstance(answer, transport.Lost):
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
                    raise _failure(file, "upload_failed", words, found.category, False, *guidance)
            if attempt < ATTEMPTS:
                seconds = min(max(pause, wait or 0.0), LONGEST_PAUSE)
                self._tell_retry(attempt + 1, seconds, words)
                self._sleep(file, seconds)
                pause *= 2
        raise _failure(file, "upload_failed", f"{words}, in {ATTEMPTS} tries", "transient", True)

    def _tell_retry(self, attempt: int, seconds: float, words: str) -> None:
        message = self._console.plain(words)
        self._console.emit("retry", what="upload", attempt=attempt, retry_in_seconds=round(seconds, 3), message=message)

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
        if isinstance(found, str) and len(found) <= _LONGEST_REFERENCE:
            if "pattern" in self._upload:
                if re.fullmatch(self._upload["pattern"], found):
                    return found
            elif self._is_usable_link(found):
                return found
        raise _failure(
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

    def _asked(self, connection: options.Connection, path: str) -> transport.Answer | transport.Lost:
        """One read."""
        seconds = min(ANSWER_TIMEOUT, self._time_left())
        return transport.ask(connection.base_url, connection.authorisation, path, seconds, trace=self._trace)

    def _post(self, file, body: bodies.Body, patience: float) -> transport.Answer | transport.Lost:
        if self._time_left() <= 0:
            raise _failure(file, "upload_failed", "the time of --deadline is used up", "transient", True)
        seconds = min(patience, self._time_left())
        own = self._connection
        return transport.ask(own.base_url, own.authorisation, self._upload["path"], seconds, body, self._trace)

    def _sleep(self, file, seconds: float) -> None:
        if seconds >= self._time_left():
            raise _failure(file, "upload_failed", "the time of --deadline is used up", "transient", True)
        time.sleep(seconds)

    def _time_left(self) -> float:
        left = time_left(self._arguments.deadline)
        return float("inf") if left is None else left


def _origin_of(url: str) -> str | None:
    """Scheme, host and port of an address; None for a data URL."""
    if url.lower().startswith("data:"):
        return None
    scheme, host, port = transport.origin_of(url)
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + ("" if port == {"http": 80, "https": 443}[scheme] else f":{port}")


def _temporary_room() -> int:
    return shutil.disk_usage(tempfile.gettempdir()).free
