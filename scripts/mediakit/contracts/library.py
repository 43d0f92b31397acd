"""Documents by where they lie, and `$ref` from one place to another inside a fence.

The fence: from a file only into files of the first document's own folder tree (symbolic links
resolved), from a URL only to the first document's own origin. HTTP itself is the caller's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from ..base import paths
from ..base.pointer import unescaped
from ..base.regex import regex
from . import bounds, reading
from .errors import ContractError

if TYPE_CHECKING:
    from pathlib import Path

Fetch = Callable[[str], "tuple[str, bytes]"]

MAX_HOPS = 64

_WEB = regex(r"^https?://", re.IGNORECASE)
_SCHEME = regex(r"^[A-Za-z][A-Za-z0-9+.-]+:")


class Place(NamedTuple):
    """A value, the document it lies in, and the JSON Pointer to it there."""

    value: Any
    location: str
    pointer: str


class Library:
    """The documents that one contract is spread over; each is read once, when it is first needed."""

    def __init__(self, source: str, fetch: Fetch | None = None):
        self._fetch = fetch
        self._documents: dict[str, Any] = {}
        self._anchors: dict[str, dict[str, Any]] = {}
        self._allowance = bounds.Allowance()
        self.is_web = bool(_WEB.match(source))
        self.root = self._open_web(source, None) if self.is_web else self._open_first_file(source)

    @classmethod
    def of(cls, data: Any) -> Library:
        """A library of one document that is already in memory and may refer to nothing else."""
        library = cls.__new__(cls)
        library._fetch, library._anchors, library.is_web = None, {}, False
        library.root, library._documents = "", {"": data}
        return library

    def read(self, location: str) -> Any:
        """The document at a location that ``follow`` or ``root`` gave."""
        return self._documents[location]

    def follow(self, reference: Any, location: str) -> Place:
        """Where a ``$ref`` found in the document at ``location`` leads, one hop.

        Raises ContractError ``reference_broken`` or ``reference_forbidden``.
        """
        if not isinstance(reference, str):
            raise ContractError("reference_broken", "A $ref is not a string; expected a URI reference.")
        target, _, fragment = reference.partition("#")
        known = self._by_identifier(target, location) if target else None
        if known is not None:
            return Place(known, location, reference)
        where = self._locate(target, location, reference) if target else location
        if fragment and not fragment.startswith("/"):
            return Place(self._by_anchor(fragment, where, reference), where, fragment)
        try:
            return self._descend(where, fragment, reference)
        except RecursionError:
            raise ContractError("reference_circular", f"$ref leads in a circle: {_short(reference)}.") from None

    def settle(self, value: Any, location: str) -> Place:
        """Follow ``$ref`` hop by hop from a value until something else than a reference is reached.

        For the parts of OpenAPI that are no schemas: path items, bodies, parameters, responses.
        """
        place = Place(value, location, "")
        for _ in range(MAX_HOPS):
            if not (isinstance(place.value, dict) and "$ref" in place.value):
                return place
            place = self.follow(place.value["$ref"], place.location)
        raise ContractError("reference_circular", f"$ref leads in a circle: {_short(value.get('$ref'))}.")

    def _descend(self, location: str, fragment: str, reference: str) -> Place:
        value = self.read(location)
        for raw in fragment.split("/")[1:]:
            if isinstance(value, dict) and "$ref" in value and not any(token in value for token in _tokens(raw)):
                value, location, _ = self.settle(value, location)
            token = next((token for token in _tokens(raw) if isinstance(value, dict) and token in value), raw)
            if isinstance(value, dict) and token in value:
                value = value[token]
            elif isinstance(value, list) and token.isdigit() and len(token) < 9 and int(token) < len(value):
                value = value[int(token)]
            else:
                raise _broken(reference, f"there is no {_short(_tokens(raw)[0])} there")
        return Place(value, location, fragment)

    def _locate(self, target: str, location: str, reference: str) -> str:
        if self.is_web:
            return self._open_web(_joined(location, target, reference), reference)
        if _SCHEME.match(target) or target.startswith("//") or not location:
            raise _forbidden(reference, "a file may refer only to files in its own folder")
        return self._open_other_file(location, _unquoted(target), reference)

    def _open_first_file(self, source: str) -> str:
        if _SCHEME.match(source) and "://" in source:
            raise ContractError("source_invalid", "A document is a path or an http(s) URL; no other scheme is read.")
        from pathlib import Path

        try:
            path = Path(paths.expand(source)).resolve()
        except (OSError, RuntimeError, ValueError):
            raise ContractError("document_not_found", f"File not found: {_short(source)}.") from None
        self._fence = path.parent
        return self._store(str(path), _read_file(path, source))

    def _open_other_file(self, location: str, target: str, reference: str) -> str:
        from pathlib import Path

        try:
            path = (Path(location).parent / target).resolve()
        except (OSError, RuntimeError, ValueError):
            raise _broken(reference, "that is no path") from None
        if not path.is_relative_to(self._fence):
            raise _forbidden(reference, "it leads out of the document's own folder")
        if str(path) in self._documents:
            return str(path)
        try:
            data = _read_file(path, target)
        except ContractError as error:
            raise _broken(reference, error.message.rstrip(".")) from None
        return self._store(str(path), data)

    def _open_web(self, url: str, reference: str | None) -> str:
        url = url.partition("#")[0]
        if reference is not None and _origin(url) != _origin(self.root):
            raise _forbidden(reference, "it leads to another origin than the document's own")
        if url in self._documents:
            return url
        if self._fetch is None:
            raise ContractError("source_invalid", "A URL cannot be read here; save the document and give its path.")
        final, data = self._fetch(url)
        if reference is not None and _origin(final) != _origin(self.root):
            raise _forbidden(reference, "it was redirected to another origin than the document's own")
        where = url if reference is not None else final.partition("#")[0]
        return self._store(where, data)

    def _store(self, location: str, data: bytes) -> str:
        if len(self._documents) >= bounds.MAX_DOCUMENTS:
            words = f"The contract is spread over more than {bounds.MAX_DOCUMENTS} documents."
            raise ContractError("document_too_large", words)
        from pathlib import Path
        from urllib.parse import urlsplit

        name = Path(urlsplit(location).path).name or location
        self._documents[location] = reading.parse(data, name, self._allowance)
        return location

    def _named(self, location: str) -> dict[str, Any]:
        """Schemas of a document's components by their ``$id`` and ``#$anchor``."""
        if location not in self._anchors:
            found: dict[str, Any] = {}
            for schema in _component_schemas(self.read(location)):
                for keyword, sign in (("$id", ""), ("$anchor", "#"), ("$dynamicAnchor", "#")):
                    if isinstance(schema.get(keyword), str):
                        found.setdefault(sign + schema[keyword], schema)
            self._anchors[location] = found
        return self._anchors[location]

    def _by_identifier(self, target: str, location: str) -> Any:
        return self._named(location).get(target)

    def _by_anchor(self, fragment: str, location: str, reference: str) -> Any:
        schema = self._named(location).get("#" + _unquoted(fragment))
        if schema is None:
            raise _broken(reference, "no schema has that anchor")
        return schema


def _tokens(raw: str) -> tuple[str, str]:
    """What one part of a fragment can mean: percent-decoded as it should be, or a name that has the % itself."""
    return unescaped(_unquoted(raw)), unescaped(raw)


def _unquoted(text: str) -> str:
    if "%" not in text:
        return text
    from urllib.parse import unquote  # which takes long to import, and hardly a reference needs it

    return unquote(text)


def last_name(reference: str) -> str:
    """The name at the end of a `$ref`, as people write it."""
    return _tokens(reference.rsplit("/", 1)[-1])[0]


def _component_schemas(document: Any) -> list[dict]:
    if not isinstance(document, dict):
        return []
    components = document.get("components")
    groups = [components.get("schemas") if isinstance(components, dict) else None]
    groups += [document.get("definitions"), document.get("$defs")]
    return [
        schema for group in groups if isinstance(group, dict) for schema in group.values() if isinstance(schema, dict)
    ]


def _read_file(path: Path, name: str) -> bytes:
    try:
        if not path.is_file():
            raise ContractError("document_not_found", f"File not found: {_short(name)}.")
        with path.open("rb") as stream:
            return stream.read(bounds.MAX_BYTES + 1)
    except OSError as error:
        raise ContractError("document_not_found", f"Cannot read {_short(name)}: {error.strerror}.") from None


def _joined(location: str, target: str, reference: str) -> str:
    from urllib.parse import urljoin

    try:
        return urljoin(location, target)
    except ValueError:
        raise _broken(reference, "that is no URL") from None


def _origin(url: str) -> tuple:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme.lower())
    except ValueError:
        return (url,)  # no URL at all: an origin that is nobody's
    return parts.scheme.lower(), (parts.hostname or "").lower(), port


def _broken(reference: str, why: str) -> ContractError:
    return ContractError("reference_broken", f"$ref leads nowhere: {_short(reference)}: {why}.")


def _forbidden(reference: str, why: str) -> ContractError:
    return ContractError("reference_forbidden", f"$ref is not followed: {_short(reference)}: {why}.")


def _short(text: Any) -> str:
    text = str(text)
    return text if len(text) <= 120 else text[:117] + "..."
