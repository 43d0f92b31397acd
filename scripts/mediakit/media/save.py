"""From a terminal answer to files on disk.

    Saver    fetches the outputs of one job in a thread and reports to an inbox

Reports to the inbox, as inbox.Message(saver, content), where content is one of

    AssetSaved    a file is in place
    Noticed       something about a file that is to be known
    Retrying      something is about to be tried once more
    LinkExpired   a host gives nothing, or not any more; `renew` is waited for
    SavingEnded   all is over, and why not every output is on disk
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable

from ..base.inbox import Message
from ..base.record import field, record
from ..base.retry import HEARTBEAT, Backoff
from ..base.workers import in_a_thread
from ..http import faults
from . import check, names, staging
from .download import Credential, Download, Expired, Reach
from .saving import Saving, Unsaved

# How long a link, or the job, is asked again for what is not there yet. interface.md, Waiting.
PATIENCE = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0
# Kept back of the time that there is, so that the true reason is told and not that the time is over.
_SPARE = 0.5
_LONGEST_STORY = 3
_MOST_NAMES = 10_000
UNVERIFIED = ".unverified"
# What provenance alone tells of an asset.
_OF_RECORDS = ("recorded", "name", "received_sha256")
NO_RESULT = "the service reported success, but no result that could be fetched"


@record
class AssetSaved:
    """A file has its name.

    asset   {path, number, bytes, sha256, media_type, width, height}, without what is unknown; with
            {unverified: true, warning} where its content could not be relied on
    output  what it was made of, as services.job_answers.JobAnswers.outputs gives it
    kept    whether it was there already
    received  the sha256 of what came, before anything was written into it
    """

    asset: dict
    output: dict
    kept: bool = False
    received: str | None = None


@record
class Noticed:
    """`code` is one of base.codes.WARNINGS."""

    code: str
    message: str


@record
class Retrying:
    """`what` is tried for the `attempt`th time in so many seconds; `message` says why, for people."""

    what: str
    attempt: int
    seconds: float
    message: str


@record
class LinkExpired:
    pass


@record
class SavingEnded:
    """The end.

    problem        one line for people; None where every output is on disk
    acceptable     whether nothing is missing: what is left to do is to accept what is unverified
    nothing_there  whether the service told of no result at all, for as long as it was asked
    """

    problem: str | None = None
    acceptable: bool = False
    nothing_there: bool = False


@record
class _Trouble:
    """What is wrong with an output; `is_kept` where it is on disk all the same."""

    number: int
    words: str
    is_kept: bool = False


@record
class SaveRequest:
    """What is known of a job's results before the first one is fetched.

    folder         where the files go; it is made if it is not there
    name           what they are called
    loopback_base  the base URL of a service on this machine: its own origin may be fetched from, and
                   no other private address; None for every other service
    saving         Saving
    finishing      (private path, media type, number, output) -> None, or None; called on each private
                   file once its content was checked, before it gets its name: what it leaves in the
                   file is what `asset` tells the size and sha256 of
    credential     what an output that says `with_key` is fetched with; every other one is fetched without
    earlier        assets that an earlier command has saved of the same job: what is still there is not
                   fetched again; of one that is only `recorded`, no second copy is kept
    """

    folder: str
    name: names.FileName
    loopback_base: str | None
    saving: Saving = field(default_factory=Saving)
    finishing: Callable[[str, str, int, dict], None] | None = None
    credential: Credential | None = None
    earlier: list[dict] = field(default_factory=list)


class Saver:
    """Fetches the outputs of one job, in order, and without any credentials but where the descriptor asks for one.

    inbox  where what becomes of them is put
    begin  (work) -> begin a piece of work in another thread
    """

    def __init__(self, request: SaveRequest, inbox, begin=in_a_thread):
        self._request = request
        self._saving = request.saving
        self._reach = Reach(request.loopback_base, request.saving.allows_private)
        self._inbox = inbox
        self._begin = begin
        self._earlier = {asset["number"]: asset for asset in request.earlier if "number" in asset}
        self._staging = staging.Staging(request.folder)
        self._outputs: list[dict] = []
        self._saved: list[AssetSaved] = []
        self._differing: list[tuple[str, str]] = []
        self._has_meant_kind = False
        self._download: Download | None = None
        self._stopping = threading.Event()
        self._links = _Links(self._report, self._stopping)
        self._told_retry_at = float("-inf")

    def start(self, outputs: list[dict]) -> None:
        """`outputs` as services.job_answers.JobAnswers.outputs gives them."""
        self._outputs = outputs
        self._links.begin(self._saving.budget.limits.seconds)
        self._begin(self._run)

    def renew(self, outputs: list[dict] | None) -> None:
        """The outputs as the job tells them now, or None; the answer to LinkExpired."""
        self._links.fresh.put(outputs)

    def stop(self) -> list[AssetSaved]:
        """Stop as soon as possible; no file gets its name and nothing is reported after this.

        Returns what there is to say of every file that has its name, in the order in which it was reported.
        """
        self._stopping.set()
        self._staging.stop()
        self._links.fresh.put(None)
        if self._download:
            self._download.stop()
        return list(self._saved)

    def _report(self, content) -> None:
        if isinstance(content, AssetSaved):
            self._saved.append(content)
        if not self._stopping.is_set():
            self._inbox.put(Message(self, content))

    def _run(self) -> None:
        try:
            self._report(self._all())
        except OSError as problem:
            # A folder that cannot be written for one file cannot for the next.
            words = problem.strerror or faults.reason(problem)
            self._report(SavingEnded(f"{self._staging.folder}: {words}"))
        except Exception as problem:
            self._report(SavingEnded(str(problem) if isinstance(problem, Unsaved) else faults.reason(problem)))

    def _all(self) -> SavingEnded:
        os.makedirs(self._staging.folder, exist_ok=True)
        staging.remove_stale_once(self._staging.folder)
        if not self._outputs:
            return SavingEnded(NO_RESULT, nothing_there=True)
        troubles, number = [], 0
        while number < len(self._outputs):  # a fresh answer may tell of more
            number += 1
            troubles.append(self._attempt(number))
        if not self._has_meant_kind:  # else they are a cover, a sound track, subtitles beside the main result
            for code, words in self._differing:
                self._report(Noticed(code, words))
        found = [trouble for trouble in troubles if trouble]
        if not found:
            return SavingEnded()
        return SavingEnded(_story(found, len(self._outputs)), all(trouble.is_kept for trouble in found))

    def _attempt(self, number: int) -> _Trouble | None:
        """Save one output; what goes wrong with one is no reason to lose the next."""
        try:
            if self._is_there(number):
                return None
            self._saving.budget.take_file()
            while True:
                try:
                    return self._save(self._outputs[number - 1], number)
                except Expired as problem:
                    self._outputs = self._links.renewed(problem, self._outputs, number)
        except staging.Stopped:
            return None
        except Unsaved as problem:
            return _Trouble(number, str(problem))
        except OSError as problem:
            return _Trouble(number, f"{self._staging.folder}: {problem.strerror or faults.reason(problem)}")
        except Exception as problem:  # a fault of ours in one file
            return _Trouble(number, faults.reason(problem))

    # -- one file ------------------------------------------------------------------------------------

    def _save(self, output: dict, number: int) -> _Trouble | None:
        download = self._download = Download(
            output["url"], self._saving.budget, self._reach, self._tell_retry, self._room, self._links.patient_until,
            self._request.credential if output.get("with_key") else None,
        )  # fmt: skip
        handle, private = self._staging.make()
        try:
            with os.fdopen(handle, "wb") as file:
                download.run(file)
            verdict = self._verdict(private, output, download)
            asset: dict = {"bytes": download.size, "sha256": download.sha256, "media_type": verdict.media_type}
            asset.update(width=verdict.width, height=verdict.height)
            if self._is_same_as_before(number, asset, output, is_doubted=bool(verdict.problem)):
                return _Trouble(number, verdict.problem, is_kept=True) if verdict.problem else None
            if verdict.problem:
                asset.update(unverified=True, warning=verdict.problem)
            elif self._request.finishing:
                self._request.finishing(private, verdict.media_type, number, output)
                asset["sha256"], asset["bytes"] = staging.digest_of(private)
            staging.publish(private)
            asset = {name: value for name, value in asset.items() if value is not None}
            return self._place(private, number, verdict, asset, output, download.sha256)
        except BaseException:
            download.give_back()
            raise
        finally:
            self._staging.drop()

    def _verdict(self, private: str, output: dict, download: Download) -> check.Verdict:
        told = check.Told(str(output.get("type") or ""), output.get("media_type") or download.said_type, download.hints)
        try:
            verdict = check.checked(private, told, self._saving.most_pixels)
        except check.Refused as problem:
            raise Unsaved(str(problem)) from None
        if download.doubt and verdict.warning and verdict.warning[0] == "unknown_format":
            verdict = verdict._replace(
                warning=None, problem=f"what came is of no format that is known: {download.doubt}"
            )
        if verdict.warning and verdict.warning[0] == "type_differs":
            self._differing.append(verdict.warning)
        elif verdict.warning:
            self._report(Noticed(*verdict.warning))
        elif not verdict.problem:
            self._has_meant_kind = True
        return verdict

    def _place(
        self, private: str, number: int, verdict: check.Verdict, asset: dict, output: dict, received: str
    ) -> _Trouble | None:
        """Give the file its name, without ever replacing another: a counter is added where the name is taken."""
        is_doubted = verdict.problem is not None and not self._saving.accepts_unverified
        mark = UNVERIFIED if is_doubted else ""
        path = ""

        def tell(found: str) -> None:
            nonlocal path
            path = found
            self._report(AssetSaved({"path": path, "number": number, **asset}, output, received=received))

        self._staging.place(private, _candidates(self._request.name.of(number), verdict.ending, mark), tell)
        if not is_doubted:
            return None
        return _Trouble(number, f"{verdict.problem}; it is kept as {os.path.basename(path)}", is_kept=True)

    def _room(self) -> int:
        import shutil

        return shutil.disk_usage(self._staging.folder).free

    def _tell_retry(self, attempt: int, seconds: float, words: str) -> None:
        if time.monotonic() - self._told_retry_at >= HEARTBEAT:
            self._told_retry_at = time.monotonic()
            self._report(Retrying("download", attempt + 1, seconds, words))

    # -- what an earlier command has saved -------------------------------------------------------------

    def _is_there(self, number: int) -> bool:
        """Whether an earlier command has saved this output where it is wanted; it is told once more then."""
        asset, kept = self._earlier.get(number), True
        if asset is None or "recorded" in asset or not self._fits(asset, number) or not is_unchanged(asset):
            return False
        if is_unverified(asset):
            if not self._saving.accepts_unverified:
                return False  # it may come better this time
            asset, kept = self._accepted(asset, number), False
        self._has_meant_kind = True
        self._report(AssetSaved(asset, self._outputs[number - 1], kept))
        return True

    def _fits(self, asset: dict, number: int) -> bool:
        folder, name = os.path.split(asset.get("path", ""))
        return folder == os.path.abspath(self._staging.folder) and self._request.name.fits(name, number)

    def _accepted(self, asset: dict, number: int) -> dict:
        """The same file under a name of its own; raises OSError."""
        placed = accepted(self._staging, asset)
        staging.remove(asset["path"] + ".json")  # its record names the file as it was called
        return placed

    def _is_same_as_before(self, number: int, asset: dict, output: dict, is_doubted: bool) -> bool:
        """Whether a file came once more as it is on disk already; a second copy would help nobody.

        Of what is known by a record alone nothing is believed but that the same bytes are the same result.
        """
        before = self._earlier.get(number, {})
        is_same = (
            (is_doubted or "recorded" in before)
            and not (is_doubted and self._saving.accepts_unverified)
            and before.get("received_sha256", before.get("sha256")) == asset["sha256"]
            and self._fits(before, number)
            and is_unchanged(before)
        )
        if is_same:
            known = {name: value for name, value in before.items() if name not in _OF_RECORDS}
            self._report(AssetSaved(known, output, kept=True))
        return is_same


class _Links:
    """Asks the job again, through the saver's owner, for what is not there yet or not any more.

    report    where Retrying and LinkExpired are told
    stopping  set when nobody waits any more
    fresh     where the answers come: outputs, or None
    """

    def __init__(self, report, stopping: threading.Event):
        self.fresh: queue.SimpleQueue = queue.SimpleQueue()
        self.patient_until = 0.0
        self._report = report
        self._stopping = stopping
        self._asked = 0
        self._asked_at = float("-inf")
        self._backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)

    def begin(self, seconds: float) -> None:
        """The time begins; it is over in so many seconds."""
        self.patient_until = time.monotonic() + min(PATIENCE, seconds - _SPARE)

    def renewed(self, problem: Unsaved, outputs: list[dict], number: int = 1) -> list[dict]:
        """The outputs as the job tells them now; raises `problem` where it was asked for long enough.

        The first time it is asked at once: a link that has expired is renewed by that, whatever the number of
        outputs. Then it is asked after growing pauses, since a link can be told before its host has the file.
        """
        now = time.monotonic()
        is_first = now - self._asked_at > PATIENCE
        pause = 0.0 if is_first else round(self._backoff.next(), 3)
        if not is_first and now + pause > self.patient_until:
            raise problem
        self._asked += 1
        self._report(Retrying("expired_link", self._asked + 1, pause, str(problem)))
        if self._stopping.wait(pause):
            raise staging.Stopped
        self._asked_at = time.monotonic()
        self._report(LinkExpired())
        found = self.fresh.get()
        return outputs if found is None or len(found) < max(len(outputs), number) else found


def _candidates(stem: str, ending: str, mark: str = ""):
    """Names of a file, the best first: a counter is added where one is taken."""
    for counter in range(1, _MOST_NAMES):
        yield f"{stem}-{counter}{mark}.{ending}" if counter > 1 else f"{stem}{mark}.{ending}"


def is_unverified(asset: dict) -> bool:
    """Whether a file is there only under a name that says that it cannot be relied on."""
    return bool(asset.get("unverified")) and UNVERIFIED in os.path.basename(asset["path"])


def accepted(folder: staging.Staging, asset: dict) -> dict:
    """The asset of an unverified file, once the file has a name of its own; raises OSError, Stopped."""
    stem, _, ending = os.path.basename(asset["path"]).rpartition(UNVERIFIED + ".")
    placed: list[str] = []
    folder.place(asset["path"], _candidates(stem, ending), placed.append)
    return {**asset, "path": placed[0]}


def is_unchanged(asset: dict) -> bool:
    """Whether a file is on disk as it was saved."""
    try:
        return (
            os.path.getsize(asset["path"]) == asset["bytes"] and staging.digest_of(asset["path"])[0] == asset["sha256"]
        )
    except (OSError, KeyError, TypeError, ValueError):
        return False


def _story(troubles: list[_Trouble], outputs: int) -> str:
    if outputs == 1:
        return troubles[0].words
    told = "; ".join(f"result {trouble.number}: {trouble.words}" for trouble in troubles[:_LONGEST_STORY])
    more = f"; and {len(troubles) - _LONGEST_STORY} more" if len(troubles) > _LONGEST_STORY else ""
    what = "cannot be relied on" if all(trouble.is_kept for trouble in troubles) else "could not be saved"
    return f"{len(troubles)} of {outputs} results {what}: {told}{more}"
