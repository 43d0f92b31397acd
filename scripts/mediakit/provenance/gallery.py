"""One page to look at the results in a folder, written beside them: gallery.html.

    write    the page; returns its path and how many files it shows and leaves out

The page is assets/gallery.html with the data put in. It needs no network and loads nothing but the
media beside it; a policy in its head lets no other script run. What services and strangers wrote is
data in it, and the only command lines in it are our own.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import json
import os
import re
import stat
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from urllib.parse import quote

from ..base import atomic, errors
from ..base.regex import regex
from ..base.times import rfc3339
from ..console.commands import command_line
from ..media import formats
from ..services import providers
from . import provenance

NAME = "gallery.html"
MOST_FILES = 10_000

_NO_SEAL = b"{{seal}}"
_SEAL = regex(rb'<meta name="generator" content="ai-media gallery ([0-9a-f]{64})">')
_HEAD, _LARGEST_PAGE = 4096, 256 * 1024 * 1024
_UNKNOWN = "application/octet-stream"
_TYPES = formats.MEDIA_TYPES
_LONGEST_TEXT = 2000
# The page's own code relies on these.
_ALWAYS = ("prompt", "name", "type", "note", "bytes")
_LARGEST_PAYLOAD = 8000
# Names that need no quoting in any shell, and so can stand in a command line; ours always do.
_PLAIN_NAME = regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,250}")
# Characters that would move or turn round the text around them, and what no UTF-8 can hold.
_UNSAFE = regex("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def write(folder: str, most: int = MOST_FILES) -> tuple[str, int, int]:
    """Write the page into a folder, whole or not at all: `(path, files shown, files left out)`; the newest are shown.

    Raises Failure 2 for a folder that cannot be read or written, or that holds another gallery.html.
    """
    path = os.path.join(os.path.abspath(folder), NAME)
    try:
        is_there = _is_ours(path)
        entries, omitted = _collect(os.path.dirname(path), most)
        page = _page(os.path.basename(os.path.dirname(path)), entries)
        with atomic.staged(os.path.dirname(path)) as (file, staging):
            file.write(page)
            file.close()
            (atomic.replace if is_there else atomic.place)(staging, path)
    except FileExistsError:
        raise _not_ours() from None
    except OSError as problem:
        words = problem.strerror or type(problem).__name__
        raise errors.bad_argument("--output-dir", f"expected a folder that can be read and written: {words}") from None
    return path, len(entries), omitted


def _is_ours(path: str) -> bool:
    """Whether a page is there, ours to the last byte; False where there is none. Raises Failure 2 for any other."""
    if not os.path.lexists(path):
        return False
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST_PAGE:
        raise _not_ours()
    with open(path, "rb") as file:
        head = file.read(_HEAD)
        seal = _SEAL.search(head)
        page = head + file.read() if seal else b""
    if seal is None or _sealed(page.replace(seal[1], _NO_SEAL, 1)) != page:
        raise _not_ours()
    return True


def _not_ours() -> errors.Failure:
    words = f"expected a folder without a {NAME} that somebody else has made or changed"
    return errors.bad_argument("--output-dir", words, "Give it another name, or remove it.")


def _sealed(page: bytes) -> bytes:
    """A page with the hash of what it says in its head: who changes a word of it makes it their own."""
    return page.replace(_NO_SEAL, hashlib.sha256(page).hexdigest().encode(), 1)


# -- what is in the folder -----------------------------------------------------------------------------


def _collect(folder: str, most: int) -> tuple[list[dict], int]:
    """The entries of the page, newest first, and how many files are left out."""
    files, omitted = _newest(folder, most)
    records, lost = _records(folder, files)
    media = [name for name in files if name in records or _is_media(name)]
    entries = []
    for name in sorted(media, key=lambda name: files[name].st_mtime, reverse=True)[:most]:
        source, record = records.get(name) or (name, _read(os.path.join(folder, name)))
        entry = _entry(name, files[name], record or {})
        if record and "payload" in record and not record.get("left_out"):
            entry.update(_again(folder, source))
        entries.append(entry)
    entries.sort(key=lambda entry: entry["at"], reverse=True)
    return entries, omitted + lost + len(media) - len(entries)


def _newest(folder: str, most: int) -> tuple[dict[str, os.stat_result], int]:
    """The newest media with their records and everything else, and how many media are left out: of thousands not all
    are read, nor held in memory."""
    newest: list[tuple[float, str]] = []
    omitted = 0
    for name, seen in _seen(folder):
        if _is_media(name):
            (heapq.heappushpop if len(newest) >= most else heapq.heappush)(newest, (seen.st_mtime, name))
            omitted += 1
    shown = {name for _, name in newest}

    def is_left_out(name: str) -> bool:
        of = _file_of(name) if name.endswith(provenance.ENDING) else name
        return _is_media(of) and of not in shown and os.path.lexists(os.path.join(folder, of))

    return {name: seen for name, seen in _seen(folder) if not is_left_out(name)}, omitted - len(newest)


def _seen(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as found:
        for entry in found:
            if seen := _stat(entry):
                yield entry.name, seen


def _again(folder: str, source: str) -> dict:
    """The command that makes what a record tells again; nothing where a name cannot stand in one."""
    if not (_PLAIN_NAME.fullmatch(source) and folder.isprintable()):
        return {}
    flags = ("--from", os.path.join(folder, source), "--output-dir", folder)
    return {"again": command_line("create_and_wait.py", *flags, with_state=False)["next_command"]}


def _records(folder: str, files: dict) -> tuple[dict, int]:
    """name of a medium -> (name of its record, the record), and how many records have lost their file."""
    found, lost = {}, 0
    for name in sorted(files):
        if not name.endswith(provenance.ENDING) or name.startswith("."):
            continue
        record = _read(os.path.join(folder, name))
        if record is None or not isinstance(record.get("file"), dict):
            continue
        its_file = _file_of(name)
        # A record speaks for the file that it lies beside, whatever it says, and makes no medium of what is none.
        if its_file not in files or not _type_by_name(its_file):
            lost += 1
        elif its_file not in found or _is_about(record, files[its_file]) > _is_about(
            found[its_file][1], files[its_file]
        ):
            found[its_file] = (name, record)
    return found, lost


def _file_of(name: str) -> str:
    """`x-1.png` of `x-1.png.json`, and of `x-1.png-2.json` where that name was taken."""
    plain = name[: -len(provenance.ENDING)]
    counted = re.fullmatch(r"(.+\.[A-Za-z0-9]+)-\d{1,3}", plain)
    return counted[1] if counted else plain


def _is_about(record: dict, file: os.stat_result) -> bool:
    return record["file"].get("bytes") == file.st_size


def _read(path: str) -> dict | None:
    try:
        return provenance.read(path)
    except OSError:
        return None


def _stat(entry: os.DirEntry) -> os.stat_result | None:
    """None for what is no file, or not there any more: others may work in the folder."""
    try:
        return entry.stat() if entry.is_file(follow_symlinks=False) else None
    except OSError:
        return None


def _is_media(name: str) -> bool:
    """Whether a file is shown although no record speaks of it; words are a result only where one does."""
    media_type = _type_by_name(name)
    return media_type is not None and (media_type == _UNKNOWN or formats.kind_of(media_type) in formats.MEDIA)


def _type_by_name(name: str) -> str | None:
    return None if name.startswith(".") else _TYPES.get(name.rpartition(".")[2].lower())


def _entry(name: str, found: os.stat_result, record: dict) -> dict:
    """What the page tells of one file. Every value is bounded, and text for people is safe to show."""
    told = _dict(record, "file")
    times, source, cost = _dict(record, "times"), _dict(record, "source"), _dict(record, "cost")
    media_type = _type_by_name(name)
    if media_type == _UNKNOWN:  # only then is a record's word as good: browsers go by the name too
        media_type = _text(told, "media_type") or _UNKNOWN
    kind = media_type.partition("/")[0]
    prompt, payload = _asked(record)
    entry = {
        # As a path of its own: a name is never read as a scheme, a query or a folder above.
        "src": "./" + quote(os.fsencode(name), safe=""),
        "name": name,
        "kind": kind if kind in formats.MEDIA else "other",
        "type": media_type,
        "prompt": prompt,
        "payload": payload,
        **{key: _text(record, key) for key in ("provider", "model", "task", "job")},
        "id": _text(record, "generation_id"),
        "cost": [cost["amount"], _shown(cost["unit"], 20)] if _is_cost(cost) else None,
        "at": _moment(times, "created_at") or _moment(times, "saved_at") or rfc3339(found.st_mtime),
        "seconds": _seconds(times),
        "bytes": found.st_size,
        **{key: told.get(key) if _is_size(told.get(key)) else None for key in ("width", "height")},
        "sha256": _text(told, "sha256"),
        "source": _text(source, "url"),
        "expires": _text(source, "expires_at"),
        "again": None,
        "note": _note(record),
    }
    return {
        key: _shown(value) if isinstance(value, str) else value
        for key, value in entry.items()
        if value is not None and (value or key in _ALWAYS)
    }


def _text(record: dict, name: str) -> str | None:
    value = record.get(name)
    return value if isinstance(value, str) else None


def _dict(record: dict, name: str) -> dict:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def _is_cost(cost: dict) -> bool:
    amount = cost.get("amount")
    return isinstance(amount, (int, float)) and 0 <= amount < 1e12 and isinstance(cost.get("unit"), str)


def _is_size(value) -> bool:
    return isinstance(value, int) and 0 < value < 1_000_000


def _moment(times: dict, name: str) -> str | None:
    value = times.get(name)
    return value if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value) else None


def _seconds(times: dict) -> float | None:
    """How long it took from the request to the end."""
    began, ended = _moment(times, "created_at"), _moment(times, "finished_at")
    try:
        took = (datetime.fromisoformat(ended[:-1]) - datetime.fromisoformat(began[:-1])).total_seconds()
        return round(took, 1) if took >= 0 else None
    except (TypeError, ValueError):  # not both are there, or there is no such day
        return None


def _asked(record: dict) -> tuple[str, dict | None]:
    """The prompt, and the rest of the payload as far as it may be seen in a page that is handed on."""
    payload = provenance.for_others(_dict(record, "payload"))
    field = next((field for field in _prompt_fields() if isinstance(payload.get(field), str)), None)
    prompt = payload.pop(field, "")
    payload = _shown_value(payload)
    if len(json.dumps(payload)) > _LARGEST_PAYLOAD:
        payload = dict.fromkeys(list(payload)[:50], "(too long for this page)")
    return prompt, payload or None


def _note(record: dict) -> str:
    if not record:
        return "Nothing is known of how this file was made."
    if "payload" not in record:
        return "What was asked for was not kept."
    if record.get("left_out"):
        return f"Too large or too private to be kept beside the file: {', '.join(record['left_out'])}."
    service = _services().get(record["provider"])
    return "It is bought anew." if service and not service.embedded else ""


@cache
def _prompt_fields() -> tuple[str, ...]:
    """What the services call a prompt; an embedded one speaks for any of them."""
    return tuple(dict.fromkeys(field for service in _services().values() for field in service.prompt_fields))


@cache
def _services() -> dict:
    """The services that are known here; a record's own word never names a file."""
    return {name: providers.load(name) for name in providers.names()}


def _shown(text: str, limit: int = _LONGEST_TEXT) -> str:
    """Text that can do nothing but stand there."""
    text = _UNSAFE.sub("\ufffd", text[: limit + 1])
    return text if len(text) <= limit else text[:limit] + "…"


def _shown_value(value):
    if isinstance(value, str):
        return _shown(value)
    if isinstance(value, dict):
        return {_shown(name, 100): _shown_value(item) for name, item in value.items()}
    return [_shown_value(item) for item in value] if isinstance(value, list) else value


# -- the page ------------------------------------------------------------------------------------------


def _page(title: str, entries: list[dict]) -> bytes:
    with open(os.path.join(providers.ASSETS, NAME), encoding="utf-8") as file:
        template = file.read()
    data = json.dumps({"title": _shown(title), "results": entries}, ensure_ascii=False, separators=(",", ":"))
    # Inside a script element nothing but `<` can end the element or begin a comment.
    page = template.replace("{{policy}}", _policy(template)).replace("{{data}}", data.replace("<", "\\u003c"))
    return _sealed(page.encode())


def _policy(template: str) -> str:
    """A Content-Security-Policy that lets the page's own style and script run, by their hashes, and load media."""
    style = re.search(r"<style>(.*?)</style>", template, re.S)[1]
    script = re.search(r"<script>(.*?)</script>", template, re.S)[1]
    media = "'self' file:"  # a page that was opened from a disk has no self everywhere
    rules = {
        "default-src": "'none'",
        "img-src": media,
        "media-src": media,
        "style-src": _hash(style),
        "script-src": _hash(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash(code: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() + "'"
