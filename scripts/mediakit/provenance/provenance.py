"""Where a result comes from: told beside its file, inside it, and read back to make it again.

    Keeper      for the files of one job: writes the record beside each, embeds it, shows the picture
    read        the record in a file, or None
    recorded    the record in a file that is named to make its result again; payload_again what to send for that

A record is one JSON object (assets/schemas/provenance.schema.json). It holds no key, and no signature
of a URL wherever one stands. Whoever hands over a file with a record can set a payload with it, and nothing else: no
address, no path that would be opened.
"""

from __future__ import annotations

import json
import os
import re
import time
from urllib.parse import urlsplit, urlunsplit

from .. import __version__
from ..base import atomic, documents, errors, paths
from ..base.text import is_flat, plain
from ..base.times import rfc3339
from ..console import Console
from ..console.inputs import cannot_read
from ..media import formats, inputs
from ..media.saving import Saving
from ..services import providers
from ..services.trust import is_model
from . import metadata, signatures, terminal_picture

FORMAT = "ai-media/provenance"
VERSION = 1
ENDING = ".json"

LARGEST_RECORD = 1024 * 1024
_LARGEST_FIELD = 256 * 1024
_LARGEST_USAGE = 16 * 1024
_MOST_RECORDS = 10_000
_LONGEST_MODEL = 200
# What is nested deeper is not told: a value that can just be read may be too deep to be written.
_DEEPEST = 40


# -- writing -------------------------------------------------------------------------------------------


class Keeper:
    """What is done with each file of one job.

    facts    what is known of the job: provider, speaks, model, task, payload, job, generation_id, cost, usage,
             and created_at, finished_at in seconds since the epoch; None for what is not known
    outputs  as services.job_answers.JobAnswers.outputs gives them, in the order of their numbers
    """

    def __init__(self, console: Console, saving: Saving, facts: dict, outputs: list[dict]):
        self._console = console
        self._saving = saving
        self._outputs = console.redactor.value(outputs)
        told = {name: value for name, value in facts.items() if value is not None and is_flat(value, _DEEPEST)}
        self._facts = console.redactor.value(told)
        self._payload = _told_payload(self._facts.get("payload") if saving.stores else None)
        self._unembedded: dict[int, str] = {}

    @property
    def finishing(self):
        """For save.Saver; None where nothing is to be done to a file before it gets its name."""
        return self._embed if self._saving.embeds else None

    def _embed(self, staging: str, media_type: str, number: int, output: dict) -> None:
        text = json.dumps(travelling(_record(self._facts, self._payload)), separators=(",", ":"))
        try:
            metadata.embed(staging, media_type, text)
        except metadata.Unembedded as problem:
            self._unembedded[number] = str(problem)

    def keep(self, asset: dict, output: dict | None = None, received: str | None = None) -> dict:
        """Write the record of an asset beside its file; the asset with `provenance`, the record's path.

        output    what it was made of, where that is another than it was at first
        received  the sha256 of what came, where something was written into it since

        A paid file is never lost for it: what fails here is a warning.
        """
        number = asset["number"]
        if number in self._unembedded:
            name = os.path.basename(asset["path"])
            self._console.warning("metadata_not_embedded", f"{name} is as it came: {self._unembedded[number]}")
        output = self._outputs[number - 1] if output is None else self._console.redactor.value(output)
        record = _record(self._facts, self._payload, asset, output)
        if received not in (None, asset.get("sha256")):
            record["file"]["received_sha256"] = received
        try:
            return {**asset, "provenance": _write_beside(asset["path"], record)}
        except OSError as problem:
            words = problem.strerror or type(problem).__name__
            self._console.warning("provenance_not_written", f"{os.path.basename(asset['path'])}{ENDING}: {words}")
            return asset

    def show(self, asset: dict) -> None:
        """On a terminal the picture, or its path, where --show asks for it."""
        if self._saving.shows:
            self._console.clear_status()
            terminal_picture.show(asset["path"], asset["media_type"])


def _record(facts: dict, payload: dict, asset: dict | None = None, output: dict | None = None) -> dict:
    """One record; without an asset, what can be told before the file has its name.

    payload  what of the payload is told, as _told_payload gives it
    """
    moments = {name: rfc3339(facts[name]) for name in ("created_at", "finished_at") if name in facts}
    record = {
        "format": FORMAT,
        "version": VERSION,
        "tool": {"name": "ai-media", "version": __version__},
        **{name: facts.get(name) for name in ("provider", "speaks", "model", "task")},
        **payload,
        **{name: facts.get(name) for name in ("job", "generation_id", "cost")},
        "usage": facts.get("usage") if _size(facts.get("usage")) <= _LARGEST_USAGE else None,
        "times": moments,
    }
    record = signatures.unsigned(record)
    if asset is not None:
        moments = record["times"]
        moments["saved_at"] = rfc3339(time.time())
        record["output"] = asset["number"]
        record["source"] = _source(output)
        told = ("bytes", "sha256", "media_type", "width", "height")
        record["file"] = {"name": os.path.basename(asset["path"]), **{key: asset[key] for key in told if key in asset}}
    return {name: value for name, value in record.items() if value is not None}


def _told_payload(payload: dict | None) -> dict:
    """The payload without its largest fields and those whose address only a signature opens; their names are told."""
    if payload is None:
        return {"payload_omitted": True}
    sizes = {name: _size(value) for name, value in payload.items() if not signatures.holds_one(value)}
    kept = {name: payload[name] for name, size in sizes.items() if size <= _LARGEST_FIELD}
    # The whole is as large as its names and values, with a colon and a comma, or a brace, and their blanks for each.
    while kept and sum(_size(name) + sizes[name] + 4 for name in kept) > LARGEST_RECORD // 2:
        kept.pop(max(kept, key=sizes.__getitem__))
    return _with_left_out(kept, [name for name in payload if name not in kept])


def _with_left_out(payload: dict, left_out: list[str]) -> dict:
    return {"payload": payload, **({"left_out": left_out} if left_out else {})}


def _size(value) -> int:
    return len(json.dumps(value))


def _source(output: dict) -> dict | None:
    url = without_secrets(output["url"])
    found = {"url": url, "expires_at": output.get("expires_at")}
    return {name: value for name, value in found.items() if value} or None


def without_secrets(url: str) -> str | None:
    """An http(s) URL without credentials, query and fragment, where signatures are; None for any other."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return plain(urlunsplit((parts.scheme, host, parts.path, "", "")), 2048) if _is_web(url) and host else None
    except ValueError:
        return None


def _is_web(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def travelling(record: dict) -> dict:
    """What of a record leaves this machine with its file: not the job's key, and not what names the source."""
    kept = {name: value for name, value in record.items() if name not in ("job", "source", "usage", "output", "file")}
    if "payload" not in kept:
        return kept
    payload = for_others(kept.pop("payload"))
    while payload and _size({**kept, "payload": payload}) > metadata.LONGEST_TEXT - 1000:
        payload.pop(max(payload, key=lambda name: _size(payload[name])))
    left_out = [name for name in record["payload"] if name not in payload]
    return {**kept, **_with_left_out(payload, record.get("left_out", []) + left_out)}


def for_others(payload: dict) -> dict:
    """A payload without the fields that hold a signed URL or the bytes of a file.

    Such a field is left out as a whole: a part of it would be paid for and could not work. Of words in which a
    signed URL stands, a prompt for one, the signature alone goes.
    """
    return signatures.unsigned({name: value for name, value in payload.items() if not _is_private(value)})


def _is_private(value) -> bool:
    """Whether a value holds a URL with a query or credentials, a data: URL, or names a file."""
    if isinstance(value, str):
        return bool(re.match(r"(?i)\s*(data:|file:|https?://[^/\s]*@|https?://\S*[?#])", value))
    if isinstance(value, dict):
        return any(_is_private(item) for item in value.values())
    return isinstance(value, list) and any(_is_private(item) for item in value)


def _write_beside(path: str, record: dict) -> str:
    """Write a record for this user alone, whole or not at all, and never over another file; returns its path."""
    with atomic.staged(os.path.dirname(path)) as (file, staging):
        file.write(_written(record))
        file.close()
        for counter in range(1, 1000):
            target = path + (f"-{counter}" if counter > 1 else "") + ENDING
            try:
                atomic.place(staging, target)
                return target
            except FileExistsError:
                continue
        raise OSError(17, "no free file name")


def _written(record: dict) -> bytes:
    """A record for a person to read, a field a line."""
    fields = ",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in record.items())
    return f"{{\n{fields}\n}}\n".encode()


def follow(path: str, placed: str) -> str | None:
    """The record of a file that has another name from now on goes with it; its new path, None where there is none.

    Raises OSError.
    """
    beside = path + ENDING
    record = read(beside) if os.path.exists(beside) else None
    if record is None or not isinstance(record.get("file"), dict):
        return None
    record["file"]["name"] = os.path.basename(placed)
    found = _write_beside(placed, record)
    os.unlink(beside)
    return found


# -- reading -------------------------------------------------------------------------------------------


def saved_of(folder: str, provider: str, generation_id: str) -> list[dict]:
    """The files in a folder that a record beside them says to be of this job, as assets that are only `recorded`."""
    found = []
    try:
        with os.scandir(folder) as listed:
            names = [one.name for one in listed if one.name.endswith(ENDING) and not one.name.startswith(".")]
    except OSError:
        return []
    for name in sorted(names)[:_MOST_RECORDS]:
        try:
            record = read(os.path.join(folder, name)) or {}
        except (OSError, ValueError):
            continue
        file, number = record.get("file"), record.get("output")
        is_its = (record.get("provider"), record.get("generation_id")) == (provider, generation_id)
        if is_its and isinstance(file, dict) and isinstance(number, int):
            path = os.path.join(os.path.abspath(folder), name[: -len(ENDING)])
            found.append({**file, "path": path, "number": number, "provenance": path + ENDING, "recorded": True})
    return found


def read(path: str) -> dict | None:
    """The record in a file: a record itself, or a medium that one is embedded in. None where there is none.

    Raises OSError. Only a regular file is opened, and what it says is checked no further than is_record.
    """
    path = paths.expand(path)
    with paths.open_regular(path) as file:
        head = file.read(formats.HEAD)
        media_type = formats.sniff(head)
        if media_type is None:
            file.seek(0)
            content = file.read(2 * LARGEST_RECORD + 1)
    if media_type is not None:
        content = (metadata.extract(path, media_type) or "").encode()
    try:
        record = documents.written(content.decode("utf-8-sig")) if len(content) <= 2 * LARGEST_RECORD else None
    except (ValueError, RecursionError):
        return None
    return record if is_record(record) else None


def is_record(value) -> bool:
    """Whether a JSON value is a record that this version understands, as far as it will be relied on."""
    return (
        isinstance(value, dict)
        and is_flat(value, _DEEPEST + 2)
        and value.get("format") == FORMAT
        and value.get("version") == VERSION
        and isinstance(value.get("provider"), str)
        and isinstance(value.get("model", ""), str)
        and isinstance(value.get("payload", {}), dict)
        and isinstance(value.get("left_out", []), list)
        and all(isinstance(name, str) for name in value.get("left_out", []))
    )


def recorded(source: str) -> dict:
    """The record in the file of --from; raises Failure 2 for one that names what we do not have.

    Whatever the values of its payload look like, nothing here or later opens them.
    """
    try:
        record = read(source)
    except (OSError, ValueError) as problem:
        raise cannot_read("--from", source, problem) from None
    if record is None:
        raise errors.bad_argument(
            "--from",
            "expected the JSON file beside a result, or a result that was saved with --embed-metadata",
        )
    if record["provider"] not in providers.names():
        raise errors.bad_argument("--from", f"expected a service of {', '.join(providers.names())} in it")
    if record.get("speaks") not in (None, *providers.spoken_by(record["provider"])):
        raise errors.bad_argument("--from", "expected a contract that the service has in it")
    model = record.get("model")
    if model is not None and not (len(model) <= _LONGEST_MODEL and is_model(model)):
        raise errors.bad_argument("--from", "expected a model such as owner/name in it")
    return record


def payload_again(record: dict, parameters: set[str], files: set[str]) -> dict:
    """The payload to make the result of a record again; raises Failure 2 where it leaves out what is not given anew.

    parameters, files  names of fields that are given beside it
    """
    if "payload" not in record:
        raise errors.bad_argument("--from", "expected a file that tells what was asked for; this one leaves it out")
    # A file is told by its name and hash, which nothing can be made of.
    notes = [name for name, value in record["payload"].items() if inputs.holds_note(value)]
    missing = [name for name in [*record.get("left_out", []), *notes] if name not in parameters | files]
    if missing:
        named = plain(", ".join(missing), 200)
        raise errors.bad_argument("--from", f"the file leaves out {named}: expected them with --input or --param")
    return {name: value for name, value in record["payload"].items() if name not in files}
