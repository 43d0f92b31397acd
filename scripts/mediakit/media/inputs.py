"""What `--input` names: a file on disk, standard input, an address, an earlier job. Nothing is sent here.

    read         an Attachment, or the text that is sent as it is
    File         a local file, checked and hashed
    Remote       an address that this program fetches for a service that takes no addresses
    Earlier      the first output of an earlier job; is_of_job tells what names one
    noted        a payload as the ledger keeps it
    shown        a payload as a plan tells it

In a payload an Attachment is represented by its `stand_in`: a text that fits the field and holds the
attachment's identity, so that the contract can be checked and two payloads with the same stand-ins are
the same purchase.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from abc import ABC, abstractmethod

from ..base import errors, paths
from ..base.record import field, record
from ..base.regex import regex
from ..base.text import plain

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..http import bodies

# Standard input is kept on disk until it is sent.
LARGEST_SPOOL = 4 * 1024**3
_CHUNK = 1024**2
_STAND_IN = "https://input.invalid/{identity}"
_JOB = regex(r"job:(job_[0-9a-f]{16})")
_ADDRESSES = ("http://", "https://", "data:")


@record
class Rules:
    """What a service says about files.

    is_known         whether it is known how files reach it at all
    takes_addresses  whether it fetches a file from an address by itself
    reference        a pattern of the names that it gives to files, which stand for themselves; None where it gives none
    stand_in         a text that fits a field for a file; {identity} stands for a hash or key
    kinds            kind of file -> `{types, bytes, least_side, ratio}`, each where it is known
    """

    is_known: bool = True
    takes_addresses: bool = True
    reference: str | None = None
    stand_in: str = _STAND_IN
    kinds: Mapping[str, dict] = field(default_factory=dict)

    def standing_for(self, identity: str) -> str:
        return self.stand_in.replace("{identity}", identity)


@record
class Attachment(ABC):
    """One input.

    field     as messages name it
    kind      what the field takes: image, video, audio or file; None where that is not known
    limits    what the field states of its files: `{types, bytes, least_side, ratio}`, each where it is known
    stand_in  what represents it in the payload
    """

    field: str
    kind: str | None
    limits: tuple[dict, ...]
    stand_in: str

    @property
    @abstractmethod
    def note(self) -> dict:
        """What the ledger keeps in its place; `identity_of` reads it."""

    @property
    def shown(self) -> dict:
        """What a plan tells of it."""
        return self.note


@record
class File(Attachment):
    """A local file; `name` is its own, without folders. `warning` is what is to be known of it, for people."""

    name: str
    source: bodies.Source
    warning: str | None = None

    @property
    def filename(self) -> str:
        """What a service is told: nothing of the user's own naming."""
        from . import formats

        return f"{self.source.sha256[:16]}.{formats.ENDINGS.get(self.source.media_type, 'bin')}"

    @property
    def note(self) -> dict:
        return {"file": self.name, "sha256": self.source.sha256}

    @property
    def shown(self) -> dict:
        return {**self.note, "bytes": self.source.size, "media_type": self.source.media_type}


@record
class Remote(Attachment):
    """An http(s) or data URL, fetched only when it is needed."""

    url: str

    @property
    def note(self) -> dict:
        return {"url": self.url if len(self.url) <= 4096 else self.url[:64] + "…", "sha256_of_url": digest(self.url)}


@record
class Earlier(Attachment):
    """The first output of the job with this key."""

    job: str

    @property
    def note(self) -> dict:
        return {"job": self.job, "output": 1}


def digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def identity_of(note) -> str | None:
    """The identity that a note of the ledger's payload holds; None for every other value."""
    if not isinstance(note, dict):
        return None
    for keys, found in (
        ({"file", "sha256"}, note.get("sha256")),
        ({"url", "sha256_of_url"}, note.get("sha256_of_url")),
        ({"job", "output"}, note.get("job")),
    ):
        if set(note) == keys and isinstance(found, str):
            return found
    return None


def holds_note(value) -> bool:
    """Whether a value of a payload that was kept has the note of a file in it."""
    if isinstance(value, dict):
        return identity_of(value) is not None or any(map(holds_note, value.values()))
    return isinstance(value, list) and any(map(holds_note, value))


# -- reading a flag ------------------------------------------------------------------------------------


def read(
    field: str, kind: str | None, given: str, limits: tuple[dict, ...], rules: Rules, checks: bool = True
) -> Attachment | str:
    """What `--input FIELD=GIVEN` means.

    kind, limits  as in Attachment
    rules         what the service says about files
    checks        whether a file must be what the field takes; --no-validate

    Raises Failure: 2 for what is no file, 22 for a file that the field does not take.
    """
    if given.lower().startswith(_ADDRESSES):
        if rules.takes_addresses:
            return given
        return Remote(field, kind, limits, rules.standing_for(digest(given)), given)
    if rules.reference is not None and re.fullmatch(rules.reference, given):
        return given
    if not rules.is_known:
        raise _unusable(field, "how this service takes files is not known; expected an address")
    found = _JOB.fullmatch(given)
    if found:
        return Earlier(field, kind, limits, rules.standing_for(found[1]), found[1])
    if given.startswith("job:"):
        raise _unusable(field, "expected the key of a job after job:, as jobs.py list tells it")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", given):
        raise _unusable(field, "expected an http or https URL, or the path of a file")
    return file_at(field, kind, given, limits, rules, checks)


def is_of_job(text: str) -> bool:
    """Whether a text is job:KEY, which means a job's output where an input stands, and only words anywhere else."""
    return _JOB.fullmatch(text) is not None


def file_at(
    field: str, kind: str | None, path: str, limits: tuple[dict, ...], rules: Rules, checks: bool = True
) -> File:
    """The file at a path, `-` for standard input, checked and hashed; raises Failure as `read` does."""
    if path == "-":
        return spooled(field, kind, _standard_input(field), "standard input", limits, rules, checks)
    path = paths.whole(path)
    with _opened(field, path) as handle:
        return _file(field, kind, handle, path, os.path.basename(path), limits, rules, checks)


def spooled(
    field: str, kind: str | None, handle, name: str, limits: tuple[dict, ...], rules: Rules, checks: bool = True
) -> File:
    """The same for an open file that only this process has; it stays open."""
    return _file(field, kind, handle, None, name, limits, rules, checks)


def _file(
    field, kind, handle, path: str | None, name: str, limits: tuple[dict, ...], rules: Rules, checks: bool
) -> File:
    before = os.fstat(handle.fileno())
    if not before.st_size:
        raise _unusable(field, "the file is empty")
    media_type, warning = _media_type(field, handle, before.st_size, kind, name, checks)
    for limit in (*limits, rules.kinds.get(media_type.partition("/")[0], {})):
        _check_limit(field, before.st_size, media_type, limit)
        if warning is None and ("least_side" in limit or "ratio" in limit):
            _check_sides(field, handle, media_type, limit)
    source = _hashed(field, handle, path, before, media_type)
    return File(field, kind, limits, rules.standing_for(source.sha256), name, source, warning)


def _opened(field: str, path: str):
    """The file, open; a pipe or device is told before it could block."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise _unusable(field, _SPECIAL.get(stat.S_IFMT(os.stat(path).st_mode), "it is no regular file"))
        handle = open(path, "rb", opener=_without_waiting)
    except FileNotFoundError:
        gone = "it is a link that leads nowhere" if os.path.islink(path) else "there is no such file"
        raise _unusable(field, f"{plain(os.path.abspath(path))}: {gone}") from None
    except (OSError, ValueError) as problem:
        words = getattr(problem, "strerror", None) or "its name cannot be used"
        raise _unusable(field, f"{plain(os.path.abspath(path))}: the file cannot be read: {words}") from None
    if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):  # replaced meanwhile
        handle.close()
        raise _unusable(field, "it is no regular file")
    return handle


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


_SPECIAL = {
    stat.S_IFDIR: "it is a folder; expected a file",
    stat.S_IFIFO: "it is a pipe; expected a file, or - for standard input",
    stat.S_IFCHR: "it is a device; expected a file, or - for standard input",
    stat.S_IFBLK: "it is a device; expected a file",
    stat.S_IFSOCK: "it is a socket; expected a file",
}


def _standard_input(field: str):
    """Standard input in a private file that has no name, or none that outlives this process."""
    from ..base.spool import open_spool

    try:
        spool, size = open_spool(), 0
        while piece := sys.stdin.buffer.read(_CHUNK):
            size += len(piece)
            if size > LARGEST_SPOOL:
                raise _unusable(field, f"expected at most {LARGEST_SPOOL} bytes on standard input")
            spool.write(piece)
        spool.flush()
        return spool
    except (OSError, ValueError, AttributeError) as problem:
        words = getattr(problem, "strerror", None) or "it is closed"
        raise _unusable(field, f"standard input cannot be read: {words}") from None


# -- what it is ----------------------------------------------------------------------------------------


def _hashed(field: str, handle, path: str | None, before: os.stat_result, media_type: str) -> bodies.Source:
    import hashlib

    from ..http import bodies

    handle.seek(0)
    found, count = hashlib.sha256(), 0
    while piece := handle.read(_CHUNK):
        found.update(piece)
        count += len(piece)
    stamp = bodies.stamp_of(before)
    if count != before.st_size or stamp != bodies.stamp_of(os.fstat(handle.fileno())):
        raise _unusable(field, "the file is being written at this moment; try again when it is complete")
    return bodies.Source(path, count, found.hexdigest(), media_type, stamp, None if path is not None else handle)


def _media_type(field: str, handle, size: int, kind: str | None, name: str, checks: bool) -> tuple[str, str | None]:
    """What the file is, and what is to be known of it; raises Failure 22 where it is not what the field takes.

    What is known here is known by its own structure. What is not is taken as its name says it: a model may well
    take a format that nobody here knows.
    """
    from . import containers, formats, walking

    expected = f"expected {_KINDS.get(kind, 'a picture, a video or a sound')}"
    handle.seek(0)
    head = handle.read(formats.HEAD)
    found = formats.sniff(head, size)
    words = None if found else formats.words(head)
    media_type = found or formats.known(os.path.splitext(name)[1]) or ("text/plain" if words else _UNKNOWN)
    if not checks:
        return media_type, None
    if words and kind != "file":
        raise _refused(field, f"the file holds {words}; {expected}")
    if found is None:
        return media_type, None if words else f"{name}: its format is not known here; it is sent as it is"
    try:
        media_type = containers.inspect(handle, size, found)
    except walking.Broken as problem:
        raise _refused(field, f"the file begins as {found} and is broken: {problem}; {expected}") from None
    if kind in _KINDS and media_type.partition("/")[0] != kind:
        raise _refused(field, f"the file is {media_type}; {expected}")
    return media_type, None


_UNKNOWN = "application/octet-stream"
_KINDS = {"image": "a picture", "video": "a video", "audio": "a sound"}


def _check_limit(field: str, size: int, media_type: str, limit: dict) -> None:
    if media_type not in limit.get("types", (media_type,)):
        raise _refused(field, f"the file is {media_type}; taken are {', '.join(limit['types'])}")
    if size > limit.get("bytes", size):
        raise _refused(field, f"the file has {size} bytes; at most {limit['bytes']} are taken")


def _check_sides(field: str, handle, media_type: str, limit: dict) -> None:
    from . import pictures, walking

    try:
        size = pictures.size_of(handle, media_type)
    except (pictures.Undecodable, walking.Broken):
        size = None
    if size is None:
        raise _refused(field, "the file is no picture whose size can be read")
    width, height = size
    told = f"the picture has {width}x{height} pixels"
    if min(width, height) < limit.get("least_side", 1):
        raise _refused(field, f"{told}; each side must have at least {limit['least_side']}")
    narrow, wide = limit.get("ratio", (0, float("inf")))
    if not narrow <= width / height <= wide:
        raise _refused(field, f"{told}; width to height must be from {narrow} to {wide}")


def _unusable(field: str, words: str) -> errors.Failure:
    return errors.bad_argument(
        "--input",
        f"{plain(field, 60)}: {words}",
        "Nothing was sent. Name a file that exists and can be read, an address, job:KEY, or - for standard input.",
    )


def _refused(field: str, words: str) -> errors.Failure:
    return errors.Failure(
        "input_refused",
        f"--input: {plain(field, 60)}: {words}",
        "validation",
        field="--input",
        problems=[{"path": plain(field, 60), "message": words}],
        outcome="not_sent",
        retryable=False,
        guidance=[
            "Nothing was sent and nothing was bought. Convert the file, or choose another one or another model.",
            "If the model takes it all the same, --no-validate sends it as it is.",
        ],
    )


def names_a_file(value) -> bool:
    """Whether a JSON value holds an address, or what stands for a file."""
    if isinstance(value, str):
        return value.startswith(_ADDRESSES)
    if isinstance(value, (dict, list)):
        return any(map(names_a_file, value.values() if isinstance(value, dict) else value))
    return False


# -- payloads with stand-ins -----------------------------------------------------------------------------


def replaced(value, values: Mapping):
    """The same JSON value with those of its texts replaced that are keys of `values`."""
    if isinstance(value, str):
        return values.get(value, value)
    if isinstance(value, dict):
        return {name: replaced(item, values) for name, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, values) for item in value]
    return value


def shape(form, reference: str, kind: str, media_type: str | None = None):
    """The object that a file is sent as: `form` with {reference} or {base64}, {kind} and {media_type} filled in.

    kind  image, video or audio, where the file's own type does not tell
    """
    own = (media_type or "").partition("/")[0]
    facts = {
        "{reference}": reference,
        "{base64}": reference,
        "{kind}": own if own in _KINDS else kind,
        "{media_type}": media_type or f"{kind}/*",
    }
    return replaced(form, facts)


def noted(payload: dict, found: dict[str, Attachment]) -> dict:
    """As the ledger keeps it: a note in place of each file."""
    return replaced(payload, {stand_in: attachment.note for stand_in, attachment in found.items()})


def shown(payload: dict, found: dict[str, Attachment]) -> dict:
    """As a plan tells it."""
    return replaced(payload, {stand_in: attachment.shown for stand_in, attachment in found.items()})
