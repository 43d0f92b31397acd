"""An OpenAPI document: its operations, and how one is found by what people call it.

OpenAPI 3.0, 3.1, Swagger 2.0, or a bare path item. Nothing is read before it is asked for: a
document of thousands of operations costs what its JSON costs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..base.regex import regex
from .conventions import NONE, Conventions
from .errors import ContractError
from .library import Fetch, Library

METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "trace")

_ENDPOINT = regex(r"^\s*([A-Za-z]+)\s+(\S.*)$")
_PARAMETER = regex(r"\{[^{}/]+\}")


class Listed(NamedTuple):
    """One line of a document's list of operations; `summary` and the rest are in `raw`."""

    method: str
    path: str
    raw: dict

    @property
    def endpoint(self) -> str:
        return f"{self.method} {self.path}"


class Found(NamedTuple):
    """An operation as the document has it, with the path item around it and the file it lies in."""

    method: str
    path: str
    raw: dict
    item: dict
    location: str

    @property
    def endpoint(self) -> str:
        """`POST /path`, as the document spells the path."""
        return f"{self.method} {self.path}"


def split_endpoint(text: str) -> tuple[str, str]:
    """`"GET /x"` -> ("GET", "/x"); without a method it is a POST, as these endpoints are."""
    found = _ENDPOINT.match(text)
    if found and found[1].lower() in METHODS:
        return found[1].upper(), found[2].strip()
    return "POST", text.strip()


class Document:
    """An OpenAPI document that has been read; raises ContractError when it is none."""

    def __init__(self, library: Library, conventions: Conventions = NONE):
        self.library, self.conventions = library, conventions
        self.root: dict = _as_openapi(library.read(library.root))
        self.is_swagger = str(self.root.get("swagger", "")).startswith("2")

    @property
    def paths(self) -> dict:
        return self.root["paths"]

    def operations(self) -> Iterator[Listed]:
        """Every operation, in the document's order; references are followed for path items only."""
        for path, item in self.paths.items():
            if isinstance(item, dict) and "$ref" in item:
                item = self._item(path)[0]
            if isinstance(item, dict):
                for method in METHODS:
                    if isinstance(item.get(method), dict):
                        yield Listed(method.upper(), path, item[method])

    def has(self, method: str, path: str) -> bool:
        """Whether exactly this path has this method; a path item that cannot be read has none."""
        item = self.paths.get(path)
        if not (isinstance(item, dict) and "$ref" in item):
            return isinstance(item, dict) and isinstance(item.get(method.lower()), dict)
        try:
            return isinstance(self._item(path)[0].get(method.lower()), dict)
        except ContractError:
            return False

    def find(self, endpoint: str) -> Found:
        """The operation that `endpoint` names: `POST /path`, a path, or a full URL of it.

        Accepted: with and without `/v1`, with the base path of a server in front, a path filled in
        for a template (`/models/a/b` for `/models/{owner}/{name}`), and a service's path of a stream
        where only the plain one exists. ContractError `endpoint_not_found` names what is near.
        """
        method, wanted = split_endpoint(endpoint)
        candidates = self._spellings(wanted)
        for path in candidates:
            if self.has(method, path):
                return self._found(method, path)
        for candidate in candidates:
            template = self._templated(method, candidate)
            if template is not None:
                return self._found(method, template)
        for path in candidates:  # a broken reference in what was asked for is an error of its own
            if path in self.paths:
                self._item(path)
        raise self._not_found(method, wanted, candidates)

    def _found(self, method: str, path: str) -> Found:
        item, location = self._item(path)
        return Found(method, path, item[method.lower()], item, location)

    def _item(self, path: str) -> tuple[dict, str]:
        """A path item with its `$ref` followed; what stands beside the `$ref` is kept."""
        item = self.paths[path]
        place = self.library.settle(item, self.library.root)
        value = place.value if isinstance(place.value, dict) else {}
        beside = (
            {key: part for key, part in item.items() if key != "$ref"}
            if place.value is not item and isinstance(item, dict)
            else {}
        )
        return {**value, **beside}, place.location

    def _spellings(self, wanted: str) -> list[str]:
        path = wanted.partition("?")[0].partition("#")[0]
        # As it stands first: some documents tell operations apart by what follows ? or #.
        starts = list(dict.fromkeys([wanted, path]))
        if re.match(r"https?://", path, re.IGNORECASE):
            starts = [_after_origin(wanted), _after_origin(path), wanted, path]
        found: list[str] = []
        for start in starts:
            start = start if start.startswith(("/", "http")) else f"/{start}"
            found += [start, *(start[len(base) :] for base in self._base_paths() if start.startswith(base + "/"))]
        found += [path[3:] if path.startswith("/v1/") else f"/v1{path}" for path in found]
        found += [self.conventions.as_plain(path) for path in found]
        found += [path.rstrip("/") if path.endswith("/") else f"{path}/" for path in found]
        return list(dict.fromkeys(path for path in found if path))

    def _base_paths(self) -> list[str]:
        from urllib.parse import urlsplit

        urls = [server.get("url") for server in _servers(self.root)] + [self.root.get("basePath")]
        paths = [urlsplit(url).path.rstrip("/") for url in urls if isinstance(url, str)]
        return [path for path in paths if path]

    def _templated(self, method: str, wanted: str) -> str | None:
        """The path template that `wanted` fills in, the most literal one first."""
        count = wanted.count("/")
        fitting = [
            path for path in self.paths
            if "{" in path and path.count("/") == count and _fills(path, wanted) and self.has(method, path)
        ]  # fmt: skip
        return min(fitting, key=lambda path: path.count("{"), default=None)

    def _not_found(self, method: str, wanted: str, candidates: list[str]) -> ContractError:
        for path in candidates:
            if path in self.paths:
                methods = [name.upper() for name in METHODS if self.has(name, path)]
                break
        else:
            methods, path = [], ""
        if methods:
            hint = f"That path has {', '.join(methods)}: {methods[0]} {path}"
        else:
            near = difflib.get_close_matches(candidates[0][:200], list(self.paths), n=3, cutoff=0.5)
            hint = f"Nearest: {', '.join(near)[:300]}" if near else "No path of the document is near it"
        return ContractError(
            "endpoint_not_found",
            f"{method} {wanted[:120]} is not in the document. {hint}.",
            "List what there is with --list-endpoints.",
        )

    def server_url(self, found: Found | None = None) -> str | None:
        """The first server of an operation, its path item or the document, variables filled in.

        A relative one is resolved against the URL that the document was read from; read from a
        file it stays as it is. None where the document names no server and came from a file.
        """
        levels = [found.raw, found.item] if found else []
        for level in [*levels, self.root]:
            for server in _servers(level):
                return self._absolute(_filled_in(server))
        if self.is_swagger and (self.root.get("host") or self.root.get("basePath")):
            return self._absolute(_swagger_server(self.root))
        return self._absolute("/") if self.library.is_web else None

    def _absolute(self, url: str) -> str:
        from urllib.parse import urljoin

        return urljoin(self.library.root, url).rstrip("/") if self.library.is_web else url


def load(source: str, fetch: Fetch | None = None, conventions: Conventions = NONE) -> Document:
    """Read an OpenAPI document from a path or an http(s) URL.

    fetch        (url) -> (final URL, bytes), for URLs; what it raises is the caller's
    conventions  of the service that it is about
    Raises ContractError, and ModuleNotFoundError when YAML has to be read without PyYAML.
    """
    return Document(Library(source, fetch), conventions)


def from_data(data: Any, conventions: Conventions = NONE) -> Document:
    """A Document of what is already in memory; it may refer to no other document."""
    return Document(Library.of(data), conventions)


def _as_openapi(data: Any) -> dict:
    if (
        isinstance(data, dict)
        and isinstance(data.get("paths"), dict)
        and (data.get("openapi") or data.get("swagger") or "info" in data)
    ):
        return data
    if (
        isinstance(data, dict)
        and not data.get("paths")
        and any(isinstance(data.get(method), dict) for method in METHODS)
    ):
        return {**data, "paths": {"/": data}}  # a bare path item; its servers say the whole address
    what = (
        f"an object with the keys {', '.join(map(str, list(data)[:5]))}"[:120]
        if isinstance(data, dict)
        else f"a {type(data).__name__}"
    )
    raise ContractError(
        "document_not_openapi",
        f"This is not an OpenAPI document but {what}; expected `openapi` or `swagger` and `paths`.",
    )


def _after_origin(url: str) -> str:
    return re.sub(r"^[A-Za-z]+://[^/?#]*", "", url)


def _fills(template: str, path: str) -> bool:
    pattern = "".join(
        "[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^{}/]+\})", template)
    )
    return re.fullmatch(pattern, path) is not None


def _servers(level: dict) -> list[dict]:
    servers = level.get("servers")
    return (
        [server for server in servers if isinstance(server, dict) and isinstance(server.get("url"), str)]
        if isinstance(servers, list)
        else []
    )


def _filled_in(server: dict) -> str:
    variables = server.get("variables")
    variables = variables if isinstance(variables, dict) else {}
    defaults = {
        name: str(item["default"]) for name, item in variables.items() if isinstance(item, dict) and "default" in item
    }
    return _PARAMETER.sub(lambda found: defaults.get(found[0][1:-1], found[0]), server["url"])


def _swagger_server(root: dict) -> str:
    base, schemes = root.get("basePath"), root.get("schemes")
    base = base if isinstance(base, str) else ""
    if not isinstance(root.get("host"), str):
        return base
    schemes = schemes if isinstance(schemes, list) else []
    scheme = "https" if "https" in schemes or not schemes else str(schemes[0])
    return f"{scheme}://{root['host']}{base}".rstrip("/")
