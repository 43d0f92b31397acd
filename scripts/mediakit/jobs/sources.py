"""Where inputs come from: files, addresses, and the outputs of earlier jobs.

Sources       finds what an input of one command is
entry_of      the ledger's entry of an earlier job that an input names
failure       what is wrong with an input, as the end of a command that has bought nothing
tell_retry    the event of an input that is tried once more
"""

from __future__ import annotations

import json
import threading
import time

from ..base import errors
from ..base.record import replace
from ..base.spool import open_spool
from ..base.text import plain
from ..console import Console
from ..http import addresses
from ..http.answers import Lost
from ..http.documents import read_json
from ..ledger import store
from ..media import download, inputs
from ..media.saving import Budget, Limits, Unsaved
from ..services.site import JobRef
from .connection import Connection, ConnectionFlags, connect_again
from .context import Context

ANSWER_TIMEOUT = 60.0
LONGEST_REFERENCE = 4096
# What is fetched for a service that takes no addresses. Our choice.
LARGEST_FETCHED = 256 * 1024**2
LONGEST_FETCH = 300.0


def entry_of(attachment: inputs.Earlier, ledger: store.Ledger | None) -> store.Entry:
    try:
        entry = ledger.find(attachment.job) if ledger else None
    except store.Unusable as problem:
        raise problem.failure() from None
    # A result that was the answer to its create has no id; it is there as far as it was saved.
    if entry is None or not (entry.generation_id or entry.assets):
        raise failure(
            attachment, "job_not_found", "the ledger has no such job with an id", "not_found", False,
            "See what there is with jobs.py list.",
        )  # fmt: skip
    if entry.state in ("failed", "canceled"):
        raise failure(attachment, "input_gone", f"that job ended {entry.state} and has no output", "validation", False)
    return entry


def failure(attachment, code: str, words: str, category: str, retryable: bool, *guidance: str) -> errors.Failure:
    return errors.Failure(
        code,
        f"--input: {plain(attachment.field, 60)}: {words}",
        category,
        field="--input",
        outcome="not_sent",
        retryable=retryable,
        guidance=["Nothing was bought.", *guidance],
    )


def tell_retry(console: Console, attempt: int, seconds: float, words: str) -> None:
    message = console.plain(words)
    console.retry("upload", attempt, round(seconds, 3), message)


def _unfinished(attachment: inputs.Earlier, entry: store.Entry, words: str) -> errors.Failure:
    way_on = f"Wait for it first: jobs.py resume {entry.key}"
    return failure(attachment, "input_gone", words, "validation", True, way_on)


class Sources:
    """Finds the inputs of one command.

    takes_links  whether the service fetches a file from an address by itself
    """

    def __init__(self, context: Context):
        self._context = context
        self._rules = context.connection.provider.file_rules
        self._reach = download.Reach(context.connection.loopback_base, context.saving.allows_private)

    @property
    def takes_links(self) -> bool:
        return self._rules.takes_addresses

    def content(self, attachment: inputs.Attachment) -> tuple[str | inputs.File, str | None]:
        """`(a File, or the text that stands for it in the request; the origin of an address that was fetched)`."""
        found: str | inputs.Attachment = attachment
        if isinstance(found, inputs.Earlier):
            found = self._output_of(found)
        if isinstance(found, inputs.Remote):
            return self._fetched(found)
        assert isinstance(found, (str, inputs.File)), "every other kind of input is one of these by now"
        return found, None

    # -- an earlier job ------------------------------------------------------------------------------

    def _output_of(self, attachment: inputs.Earlier) -> str | inputs.Attachment:
        """Its link while that lives, else the file that was saved."""
        entry = entry_of(attachment, self._context.ledger)
        url = self._living_link(attachment, entry)
        if url is None:
            return self._saved(attachment, entry)
        if not self.takes_links or url.lower().startswith("data:"):
            return inputs.Remote(attachment.field, attachment.kind, attachment.limits, attachment.stand_in, url)
        return url

    def _living_link(self, attachment: inputs.Earlier, entry: store.Entry) -> str | None:
        outputs = self._outputs(attachment, entry)
        if not outputs:
            return None
        kinds, kind = ("image", "video", "audio"), outputs[0].get("type")
        if attachment.kind in kinds and kind in kinds and kind != attachment.kind:
            raise failure(
                attachment, "input_refused", f"that job made {kind}; the field takes {attachment.kind}", "validation", False
            )  # fmt: skip
        url = outputs[0]["url"]
        if url.lower().startswith("data:"):
            return url
        return url if len(url) <= LONGEST_REFERENCE and download.is_there(url, self._reach) else None

    def _outputs(self, attachment: inputs.Earlier, entry: store.Entry) -> list[dict]:
        """What the job's service tells of it now; nothing where it cannot be asked. Raises Failure while it runs."""
        if not entry.generation_id:
            return []
        try:
            connection = self._connection_of(entry)
        except errors.Failure:
            return []
        job = JobRef(entry.generation_id or "", entry.model, entry.addresses)
        step = "result" if connection.provider.job.result else "read"
        patience, method = min(ANSWER_TIMEOUT, self._time_left()), getattr(connection.provider.job, step).method
        answer = connection.ask(connection.site.of_job(step, job), patience, method=method)
        if isinstance(answer, Lost) or not 200 <= answer.status < 300:
            return []
        body = read_json(answer.content)[0]
        if connection.provider.answers.reading(body).state in ("queued", "running"):
            raise _unfinished(attachment, entry, "that job is not finished yet")
        return connection.site.outputs(body, job)

    def _connection_of(self, entry: store.Entry) -> Connection:
        own = self._context.connection
        if (entry.service, entry.origin) == (own.provider.name, own.origin):
            return own
        # What the flags say is about the service that gets the file, and --trust-base-url about its host alone.
        flags = ConnectionFlags(transport="rest")
        ledger = self._context.ledger
        assert ledger is not None, "the entry came out of it"
        return replace(connect_again(self._context.console, flags, ledger, entry), trace=own.trace)

    def _saved(self, attachment: inputs.Earlier, entry: store.Entry) -> inputs.File:
        assets = json.loads(entry.assets) if entry.assets else []
        asset = next((asset for asset in assets if asset["number"] == 1), None)
        found = self._still_the_same(attachment, asset) if asset else None
        if found:
            return found
        if not assets and entry.delivered_at is None:  # its service could not be asked
            raise _unfinished(attachment, entry, "that job is not finished, as far as is known")
        raise failure(
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
        spool = open_spool()
        try:
            self._fetch(attachment.url, spool)
            spool.flush()
        except Unsaved as problem:
            words = plain(str(problem).replace("a result", "an input").replace("the result", "the input"))
            gave_up = isinstance(problem, download.GivenUp)
            raise failure(
                attachment, "upload_failed" if gave_up else "input_refused", f"it cannot be fetched: {words}",
                "transient" if gave_up else "validation", gave_up,
            ) from None  # fmt: skip
        except OSError as problem:
            words = f"no temporary file can be written: {problem.strerror}"
            raise failure(attachment, "upload_failed", words, "transient", True) from None
        found = inputs.spooled(attachment.field, attachment.kind, spool, "an address", attachment.limits, self._rules)
        return found, _origin_of(attachment.url)

    def _fetch(self, url: str, spool) -> None:
        """Into an open file; raises Unsaved, or OSError of the disk."""

        def retrying(attempt: int, seconds: float, words: str) -> None:
            tell_retry(self._context.console, attempt + 1, seconds, words.replace("the result", "the input"))

        budget = Budget(Limits(LARGEST_FETCHED, LARGEST_FETCHED, 1, LONGEST_FETCH))
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
        except Unsaved:
            if not late.is_set():
                raise
        finally:
            timer.cancel()
        if late.is_set():  # what was stopped can look like an end
            raise download.GivenUp(f"it took longer than {patience:.0f} s")

    def _time_left(self) -> float:
        return max(self._context.policy.deadline - time.monotonic(), 0.0)


def _origin_of(url: str) -> str | None:
    """Scheme, host and port of an address; None for a data URL."""
    if url.lower().startswith("data:"):
        return None
    scheme, host, port = addresses.origin_of(url)
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + ("" if port == {"http": 80, "https": 443}[scheme] else f":{port}")


def _temporary_room() -> int:
    import shutil
    import tempfile

    return shutil.disk_usage(tempfile.gettempdir()).free
