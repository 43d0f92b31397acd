"""The operations of a document as a list, and the pages of a docs.json that name them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from ..base.regex import regex
from . import search
from .answers import poll_endpoint
from .document import Document, Listed, split_endpoint
from .errors import ContractError
from .operations import Operation

MAX_LISTED = 200
# Operations whose bodies are read for a list; each costs up to a tenth of a second.
MAX_READ = 300

# category -> the name of its group in a docs.json
CATEGORIES = {"videos": "videos", "images": "images"}

# An address may stand in place of the path.
_PAGE = regex(r"(?:^|\s)POST\s+(?:https?://[^\s/]+)?/?(\S+)$", re.IGNORECASE)
_WORD = regex(r"[^\W\d_]+")
_ABOUT = {word: title for title in CATEGORIES.values() for word in (title, title.removesuffix("s"))}
_GROUP_NAMES = ("group", "tab", "anchor", "dropdown", "product", "item", "version", "label", "title", "name")


def of_document(
    document: Document,
    task: str | None = None,
    need: str | None = None,
    field: str | None = None,
    is_long: bool = False,
) -> dict:
    """The POST operations as `endpoints` tells them; see services.listing.Wish for what can be asked.

    With a need or a field, `matches` says of each what spoke for it.
    """
    words = search.words_of(need or "")
    found: list[tuple[str, dict]] = []
    read = 0
    for listed in document.operations():
        if listed.method != "POST" or document.conventions.as_plain(listed.path) != listed.path:
            continue
        if task is not None and task not in (listed.raw.get("x-tasks") or ()):
            continue
        operation = None
        if (words or field) and read < MAX_READ:
            read += 1
            operation = Operation(document, document.find(listed.endpoint))
        told = _told(listed, operation, words, field)
        if told is not None:
            found.append((listed.endpoint, told))
    shown = found if is_long else found[:MAX_LISTED]
    result = modes(document, [endpoint for endpoint, _ in shown])
    if words or field:
        result["matches"] = [{"endpoint": endpoint, **told} for endpoint, told in shown if told]
    if len(shown) < len(found):
        result.update(more=len(found) - len(shown), detail="--verbose lists everything, --search narrows")
    return result


def _told(listed: Listed, operation: Operation | None, words: list, field: str | None) -> dict | None:
    """What speaks for an operation; None where it is not what is asked for."""
    told: dict[str, Any] = {}
    if field is not None:
        row = search.field_of(operation, field) if operation else None
        if row is None:
            return None
        told["field"] = row
    texts = [listed.path, listed.raw.get("summary"), listed.raw.get("operationId"), listed.raw.get("description")]
    tags = listed.raw.get("tags")
    texts += tags if isinstance(tags, list) else []
    own = " ".join(text[:2_000] for text in texts if isinstance(text, str)).lower()
    matches = search.matches(words, own, operation)
    if matches is None:
        return None
    return {**told, "fields": matches} if matches else told


def of_pages(document: Document, pages: Any, category: str | None, need: str | None) -> dict:
    """The endpoints that the groups of a docs.json name, in the document's spelling where it has them.

    category  `videos` or `images`; where the file has a group of only one of them, that one is meant
    """
    wanted = category or next(iter(CATEGORIES))
    groups: dict[str, list[str]] = {}
    for meant in (_is, _is_about):  # what a name is about counts where none is the very word
        groups = {name: list(_endpoints(_groups(pages, title, meant))) for name, title in CATEGORIES.items()}
        if any(groups.values()):
            break
    filled = [name for name, endpoints in groups.items() if endpoints]
    if wanted not in filled and len(filled) == 1:
        wanted = filled[0]
    found = dict.fromkeys(_spelled(document, path) for path in groups[wanted])
    words = search.words_of(need or "")
    kept = [endpoint for endpoint in found if search.matches(words, endpoint.lower(), None) is not None]
    told = {"category": wanted, **modes(document, kept)}
    if not found:
        told["guidance"] = [f"--docs has no group about {wanted} with pages POST /path; without --docs all is listed"]
    return told


def _groups(node: Any, name: str, meant: Callable[[Any, str], bool]) -> Iterator[Any]:
    """The pages of every group of that name, however deep and however they are written."""
    if isinstance(node, dict):
        if any(meant(node.get(key), name) for key in _GROUP_NAMES):
            yield [value for key, value in node.items() if key not in _GROUP_NAMES]
            return
        yield from (inner for key, inner in node.items() if meant(key, name))
        inner = [value for key, value in node.items() if not meant(key, name)]
    else:
        inner = node if isinstance(node, list) else []
    for one in inner:
        yield from _groups(one, name, meant)


def _is(word: Any, name: str) -> bool:
    return isinstance(word, str) and word.strip().lower() == name


def _is_about(words: Any, name: str) -> bool:
    """Whether the last word that names a category names this one: Image to Video is about videos."""
    if isinstance(words, dict):  # a name with an icon, say
        return any(_is_about(value, name) for key, value in words.items() if key in _GROUP_NAMES)
    found = [word for word in _WORD.findall(words.lower()) if word in _ABOUT] if isinstance(words, str) else []
    return bool(found) and _ABOUT[found[-1]] == name


def _endpoints(node: Any) -> Iterator[str]:
    """The paths of `POST /path` in the pages of groups: texts, `{page: …}`, `{method, path}`, subgroups."""
    if isinstance(node, str):
        found = _PAGE.search(node.strip())
        if found:
            yield "/" + found[1]
    elif isinstance(node, dict):
        if isinstance(node.get("path"), str) and _is(node.get("method"), "post"):
            yield node["path"]
        for inner in node.values():
            yield from _endpoints(inner)
    elif isinstance(node, (list, Iterator)):
        for inner in node:
            yield from _endpoints(inner)


def _spelled(document: Document, path: str) -> str:
    """The endpoint of a page: a page about a stream is about the request that streams."""
    plain = document.conventions.as_plain(path)
    for spelling in (plain, path):
        try:
            return f"POST {document.find(f'POST {spelling}').path}"
        except ContractError:
            continue
    return f"POST {plain}"


def modes(document: Document, endpoints: list[str]) -> dict:
    """The endpoints as they are polled, and as they stream where the document has that."""
    streams = {}
    for endpoint in endpoints:
        method, path = split_endpoint(endpoint)
        stream = document.conventions.as_stream(path)
        if stream != path and document.has(method, stream):
            streams[endpoint] = f"{method} {stream}"
    return {
        "default_result_mode": "sse" if streams else "polling",
        "default_endpoints": [streams.get(endpoint, endpoint) for endpoint in endpoints],
        "sse_endpoints": list(streams.values()),
        "polling_endpoints": endpoints,
        "poll_endpoint": poll_endpoint(document),
    }
