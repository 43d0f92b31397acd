"""From a terminal answer to files on disk.

    Saving   what the flags say about it
    Saver    fetches the outputs of one job in a thread and reports to an inbox
    rename_new  a rename that replaces nothing

Reports to the inbox, as inbox.Message(saver, content), where content is one of

    AssetSaved    a file is in place
    Retrying      something is about to be tried once more
    LinkExpired   a host gives nothing any more; `renew` is waited for
    SavingEnded   all is over, and why not every output is on disk
"""

from __future__ import annotations

import hashlib
import os
import queue
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field

from ..base.inbox import Message
from ..http import transport
from . import containers, names
from .containers import DECODERS, ENDINGS
from .download import Budget, Download, Expired, Reach, Unsaved

_CHUNK = 1024**2
_STAGING_PREFIX = ".ai-media-"
_STAGING_SUFFIX = ".part"
# So old a staging file belongs to a process that was killed.
_STALE_SECONDS = 24 * 3600
_RETRY_EVERY = 15.0
# All pictures of a moving one together; each alone is bounded by Pillow's MAX_IMAGE_PIXELS.
_MOST_PIXELS = 1_000_000_000
_LONGEST_STORY = 3

# The kinds that a service can promise, and what else may be meant by them: a moving picture is a film.
_KINDS = {"image": (), "video": ("image/gif", "image/webp"), "audio": ()}
# What is written is a result only where the service says that it is: else it is an error page.
_WORDS = ("document", "text")
_WRITTEN = {"text": "text/plain", "JSON": "application/json"}


@dataclass(frozen=True)
class AssetSaved:
    """`asset` is {path, number, bytes, sha256, media_type, width, height}, without what is unknown."""

    asset: dict


@dataclass(frozen=True)
class Retrying:
    """`what` is tried for the `attempt`th time in so many seconds; `message` says why, for people."""

    what: str
    attempt: int
    seconds: float
    message: str


@dataclass(frozen=True)
class LinkExpired:
    pass


@dataclass(frozen=True)
class SavingEnded:
    """`problem` is one line for people; None where every output is on disk."""

    problem: str | None = None


@dataclass(frozen=True)
class Saving:
    """How the results of a command are saved.

    template        the names of the files, as names.check gives it
    task            the task of the command, where it was named
    budget          what all its files may take together
    allows_private  whether private addresses may be contacted
    embeds          whether provenance is written into each file too
    shows           whether pictures are shown on the terminal
    stores          whether provenance tells the payload
    flags           the flags that say the same to another command
    """

    template: str = names.DEFAULT
    task: str | None = None
    budget: Budget = field(default_factory=Budget)
    allows_private: bool = False
    embeds: bool = False
    shows: bool = False
    stores: bool = True
    flags: tuple[str, ...] = ()


class Saver:
    """Fetches the outputs of one job, in order, without any credentials.

    folder         where the files go; it is made if it is not there
    name           what they are called
    loopback_base  the base URL of a service on this machine: its own origin may be fetched from, and
                   no other private address; None for every other service
    saving         Saving
    finishing      (staging path, media type, number, output) -> None, or None; called on each private
                   file once its content was checked, before it gets its name: what it leaves in the
                   file is what `asset` tells the size and sha256 of
    """

    def __init__(
        self,
        folder: str,
        name: names.FileName,
        loopback_base: str | None,
        inbox,
        saving: Saving | None = None,
        finishing=None,
    ):
        self._folder = folder
        self._name = name
        self._saving = saving or Saving()
        self._reach = Reach(loopback_base, self._saving.allows_private)
        self._inbox = inbox
        self._finishing = finishing
        self._lock = threading.Lock()
        self._stopped = False
        self._outputs: list[dict] = []
        self._fresh: queue.SimpleQueue = queue.SimpleQueue()
        self._has_asked = False
        self._download: Download | None = None
        self._staging: str | None = None
        self._told_retry_at = float("-inf")

    def start(self, outputs: list[dict]) -> None:
        """`outputs` as providers.Provider.outputs gives them."""
        self._outputs = outputs
        threading.Thread(target=self._run, daemon=True).start()

    def renew(self, outputs: list[dict] | None) -> None:
        """The outputs as the job tells them now, or None; the answer to `expired`."""
        self._fresh.put(outputs)

    def stop(self) -> None:
        """Stop as soon as possible; no file gets its name and nothing is reported after this."""
        with self._lock:
            self._stopped = True
            # The process may be about to end, and its thread with it: the half file is removed here.
            _remove(self._staging)
        self._fresh.put(None)
        if self._download:
            self._download.stop()

    def _report(self, content) -> None:
        if not self._stopped:
            self._inbox.put(Message(self, content))

    def _run(self) -> None:
        try:
            if not self._outputs:
                raise Unsaved("the service reported success, but no result that could be fetched")
            os.makedirs(self._folder, exist_ok=True)
            _remove_stale(self._folder)
            problems = list(filter(None, map(self._attempt, range(1, len(self._outputs) + 1))))
            if problems:
                raise Unsaved(_story(problems, len(self._outputs)))
            self._report(SavingEnded())
        except Unsaved as problem:
            self._report(SavingEnded(str(problem)))
        except OSError as problem:
            # A disk that is full for one file is full for the next.
            self._report(SavingEnded(f"{self._folder}: {problem.strerror or transport.reason(problem)}"))
        except Exception as problem:
            self._report(SavingEnded(transport.reason(problem)))

    def _attempt(self, number: int) -> tuple[int, str] | None:
        """Save one output; what goes wrong with one is no reason to lose the next."""
        if self._stopped:
            return None
        try:
            self._saving.budget.take_file()
            try:
                self._save(self._outputs[number - 1], number)
            except Expired as problem:
                self._save(self._renewed(number, problem), number)
        except Unsaved as problem:
            return number, str(problem)
        return None

    def _renewed(self, number: int, problem: Expired) -> dict:
        """The same output under a fresh link; the job is asked once, whatever the number of outputs."""
        if self._has_asked:
            raise problem
        self._has_asked = True
        self._report(Retrying("expired_link", 2, 0, str(problem)))
        self._report(LinkExpired())
        fresh = self._fresh.get()
        if fresh is None or len(fresh) != len(self._outputs):
            raise Unsaved(f"{problem}; the job was asked for a fresh one and named none")
        self._outputs = fresh
        return fresh[number - 1]

    # -- one file ------------------------------------------------------------------------------------

    def _save(self, output: dict, number: int) -> None:
        download = self._download = Download(
            output["url"], self._saving.budget, self._reach, self._tell_retry, self._room
        )
        handle, staging = self._make_staging()
        try:
            with os.fdopen(handle, "wb") as file:
                download.run(file)
            media_type, width, height = checked(staging, output)
            digest, size = download.sha256, download.size
            if self._finishing:
                self._finishing(staging, media_type, number, output)
                digest, size = _digest_of(staging)
            _flush_to_disk(staging)
            os.chmod(staging, 0o666 & ~_umask())
            asset = {"bytes": size, "sha256": digest, "media_type": media_type, "width": width, "height": height}
            self._put_in_place(staging, number, {key: value for key, value in asset.items() if value is not None})
        except BaseException:
            download.give_back()
            raise
        finally:
            _remove(staging)
            self._staging = None

    def _make_staging(self) -> tuple[int, str]:
        with self._lock:
            if self._stopped:
                raise Unsaved("stopped")
            # Under the lock, so that `stop` knows of it, and none is made after that.
            made = tempfile.mkstemp(prefix=_STAGING_PREFIX, suffix=_STAGING_SUFFIX, dir=self._folder)
            self._staging = made[1]
            return made

    def _room(self) -> int:
        return shutil.disk_usage(self._folder).free

    def _tell_retry(self, attempt: int, seconds: float, words: str) -> None:
        if time.monotonic() - self._told_retry_at >= _RETRY_EVERY:
            self._told_retry_at = time.monotonic()
            self._report(Retrying("download", attempt + 1, seconds, words))

    def _put_in_place(self, staging: str, number: int, asset: dict) -> None:
        """Give the file its name, without ever replacing another: a counter is added where the name is taken."""
        ending = ENDINGS.get(asset["media_type"], "bin")
        for counter in range(1, 10_000):
            name = self._name.of(number) + (f"-{counter}" if counter > 1 else "")
            path = os.path.abspath(os.path.join(self._folder, f"{name}.{ending}"))
            with self._lock:
                if self._stopped:
                    raise Unsaved("stopped")
                try:
                    rename_new(staging, path)
                except FileExistsError:
                    continue
                _flush_folder(self._folder)
                # Under the lock, so that what is on disk when `stop` returns is in the inbox too.
                return self._report(AssetSaved({"path": path, "number": number, **asset}))
        raise Unsaved("no free file name")


def _story(problems: list[tuple[int, str]], outputs: int) -> str:
    if outputs == 1:
        return problems[0][1]
    told = "; ".join(f"result {number}: {words}" for number, words in problems[:_LONGEST_STORY])
    more = f"; and {len(problems) - _LONGEST_STORY} more" if len(problems) > _LONGEST_STORY else ""
    return f"{len(problems)} of {outputs} results could not be saved: {told}{more}"


# -- what a file is ------------------------------------------------------------------------------------


def checked(path: str, output: dict) -> tuple[str, int | None, int | None]:
    """`(media type, width, height)` of a file that is whole and what its service said; raises Unsaved.

    output  as providers.Provider.outputs gives it: what was said
    """
    said = str(output.get("type", "")).lower()
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        media_type = _media_type_of(file.read(containers.HEAD), said, output.get("media_type"))
        try:
            media_type = containers.inspect(file, size, media_type)
        except containers.Broken as problem:
            raise Unsaved(f"the result is {media_type}, but cannot be read: {problem}") from None
    if said in _KINDS and media_type.partition("/")[0] != said and media_type not in _KINDS[said]:
        raise Unsaved(f"the result is {media_type}, and the service said {said}")
    return media_type, *(_decoded_size(path, media_type) if media_type in DECODERS else (None, None))


def _media_type_of(head: bytes, said: str, declared: str | None) -> str:
    if not head:
        raise Unsaved("the result is empty")
    media_type = containers.sniff(head)
    if media_type:
        return media_type
    words = containers.is_text(head)
    if (said in _WORDS or declared in _WRITTEN.values()) and containers.is_plain(head):
        return _WRITTEN["JSON" if words == "JSON" else "text"]
    if words:
        raise Unsaved(f"the result's host answered with {words} instead of a file")
    if said in _KINDS:
        raise Unsaved(f"the service said {said}, and the result is of no such type that is known here")
    return "application/octet-stream"


def _decoded_size(path: str, media_type: str) -> tuple[int | None, int | None]:
    """Width and height of a picture of which every pixel was decoded; None where Pillow cannot decode the type."""
    import warnings

    from PIL import Image, ImageSequence, features

    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    decoder = DECODERS[media_type]
    if decoder == "AVIF" and "avif" not in features.get_supported_modules():
        return None, None
    try:
        with Image.open(path, formats=[decoder]) as picture:
            width, height = picture.size
            decoded = 0
            for frame in ImageSequence.Iterator(picture):
                frame.load()
                decoded += frame.width * frame.height
                if decoded > _MOST_PIXELS:
                    break
            return width, height
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unsaved(f"the result has more than {Image.MAX_IMAGE_PIXELS} pixels, more than are decoded") from None
    except Exception as problem:  # a broken picture makes decoders raise almost anything
        words = type(problem).__name__
        raise Unsaved(f"the result is {media_type}, but cannot be decoded as a picture ({words})") from None


# -- the disk ------------------------------------------------------------------------------------------


def _digest_of(path: str) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def _flush_to_disk(path: str) -> None:
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: str) -> None:
    """Make the file's name as durable as its bytes; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        pass  # some file systems cannot do it to a folder
    finally:
        os.close(handle)


def _remove_stale(folder: str) -> None:
    """What killed processes have left in a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_STAGING_PREFIX) and entry.name.endswith(_STAGING_SUFFIX):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime > _STALE_SECONDS:
                    _remove(entry.path)


def _remove(path: str | None) -> None:
    try:
        if path:
            os.unlink(path)
    except OSError:
        pass  # it has its name by now, or was removed before


def _umask() -> int:
    with _reading_umask:
        mask = os.umask(0o077)  # reading it means setting it
        os.umask(mask)
    return mask


_reading_umask = threading.Lock()


def rename_new(source: str, target: str) -> None:
    """Rename; FileExistsError where the target exists, also as a dangling link."""
    if os.name == "nt":
        return os.rename(source, target)
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: claim the name, then replace our own claim
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            os.replace(source, target)
        except BaseException:
            _remove(target)
            raise
    else:
        os.unlink(source)
