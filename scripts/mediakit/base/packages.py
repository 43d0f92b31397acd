"""Which packages are missing or too old, found out without importing one.

problems   what stands between this Python, or another's packages, and requirements.txt
missing    the same of this Python's own path, remembered while nothing is wrong and nothing changes
remember, is_known   something about these packages, for as long as nothing changes

What is installed is read from the names of the folders that installers leave beside the packages
(NAME-VERSION.dist-info, .egg-info), and what a package needs itself from its metadata: importing
importlib.metadata alone would take longer than the whole check.
"""

from __future__ import annotations

import os
import re
import sys

from . import home
from .environment import REQUIREMENTS, ROOT
from .record import record

# Packages whose module has another name.
_MODULES = {"python-dotenv": "dotenv", "pyyaml": "yaml", "pillow": "PIL", "rpds-py": "rpds"}
# What of a package is compiled, and cannot be done without: built for another Python it is there, and cannot be imported.
_COMPILED = {"PIL": "_imaging", "rpds": "rpds"}
_METADATA_LIMIT = 65536

Version = tuple[int, ...]


@record
class Problem:
    """One package. `found` is its version as text, None where it is not there; `required` is the least, or None."""

    package: str
    found: str | None
    required: str | None


def missing() -> list[Problem]:
    """`problems` of this Python's own path; that there are none is remembered, since every script asks."""
    if is_known("complete"):
        return []
    found = problems()
    if not found:
        remember("complete")
    return found


def is_known(what: str) -> bool:
    """Whether `remember` was told the same, and since then neither a folder on the path nor one of these packages has
    got, lost or renamed anything."""
    kept = _kept(what)
    try:
        with open(kept or "", encoding="utf-8", errors="surrogateescape") as file:
            of_path, _, of_packages = file.read().partition("\n\n")
    except OSError:
        return False
    packages = [line.rsplit(" ", 4)[0] for line in of_packages.split("\n")]
    return of_path == _state_of_path() and of_packages == _state_of(packages)


def remember(what: str) -> None:
    """Remember something about the packages of this Python's path, if that is possible."""
    from . import atomic

    kept = _kept(what)
    try:
        if kept:
            os.makedirs(os.path.dirname(kept), mode=0o700, exist_ok=True)
            told = f"{_state_of_path()}\n\n{_state_of(_look(sys.path)[1])}"
            atomic.write(kept, told.encode("utf-8", "surrogateescape"))
    except OSError:
        pass  # it is looked for again the next time


def _kept(what: str) -> str | None:
    folder = home.private_folder("bytecode")
    if folder is None:
        return None
    beside_ours = os.path.splitdrive(ROOT)[1].lstrip(os.sep)  # where the bytecode of this copy of the skill is, too
    return os.path.join(folder, beside_ours, f"packages-{what}.{sys.implementation.cache_tag}")


def _state_of_path() -> str:
    return f"{sys.version}\n{_state_of([REQUIREMENTS, *sys.path])}"


def _state_of(paths: list[str]) -> str:
    """What a look at files and folders tells of whether something in them is another, a line for each."""
    lines = []
    for path in paths:
        try:
            found = os.stat(path)
            lines.append(f"{path} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}")
        except (OSError, ValueError):
            lines.append(path)
    return "\n".join(lines)


def problems(folders: list[str] | None = None) -> list[Problem]:
    """What is missing or too old, in the order of requirements.txt, each with what it needs itself.

    folders  where to look, in the order in which Python imports; None for this Python's own path
    """
    return _look(sys.path if folders is None else folders)[0]


def _look(folders: list[str]) -> tuple[list[Problem], list[str]]:
    """`(problems, where the packages are that were looked at)`."""
    installed = _Installed(folders)
    wanted = _required()
    seen: dict[str, str | None] = {}
    found = []
    for name, least in wanted:  # grows
        if name in seen and (least is None or _version(least) <= _version(seen[name] or "")):
            continue
        seen[name] = least
        version = installed.version(name)
        if version is None or (version and least and _version(version) < _version(least)):
            found.append(Problem(name, version, least))
        else:
            wanted += installed.needs(name)
    return found, [place for place in map(installed.place, seen) if place]


def _required() -> list[tuple[str, str | None]]:
    with open(REQUIREMENTS, encoding="utf-8") as file:
        lines = [line.strip() for line in file]
    return [_read(line) for line in lines if line and not line.startswith(("#", "-"))]


def _read(requirement: str) -> tuple[str, str | None]:
    """The package, and the least version, of `name>=1.2,<3` or `name (<3,>=1.2)`."""
    least = re.search(r"(?:>=|~=|==|>)\s*([0-9.]+)", requirement)
    name = re.match(r"[\w.-]+", requirement)
    return _normal(name[0] if name else requirement), least[1] if least else None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _version(text: str) -> Version:
    """The numbers at its head; a pre-release counts as its release."""
    numbers = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()


class _Installed:
    """What the folders of an import path hold."""

    def __init__(self, folders: list[str]):
        self._listed = {folder: _names(folder) for folder in dict.fromkeys(folders)}
        # package -> [(folder, name of its metadata, version)], in the order of the path
        self._metadata: dict[str, list[tuple[str, str, str]]] = {}
        for folder, names in self._listed.items():
            for name in names:
                if name.endswith((".dist-info", ".egg-info")):
                    package, _, version = name.rpartition(".")[0].partition("-")
                    self._metadata.setdefault(_normal(package), []).append((folder, name, version.split("-")[0]))

    def version(self, package: str) -> str | None:
        """The version that an import would get; empty where it is there and tells none, None where it is not there."""
        folder, module = self._folder(package), _module(package)
        if not (_is_whole(folder, module) if folder is not None else _is_found_otherwise(module)):
            return None
        beside = [kept for kept in self._metadata.get(package, ()) if folder in (None, kept[0])]
        if beside:
            return max((version for _, _, version in beside), key=_version)
        return self._told(os.path.join(folder, module)) if folder is not None else ""

    def needs(self, package: str) -> list[tuple[str, str | None]]:
        """What the package needs whatever the surroundings are; what depends on them its import will tell."""
        folder = self._folder(package)
        for place, name, _ in self._metadata.get(package, ()):
            if folder in (None, place):
                return _needs(os.path.join(place, name))
        return []

    def place(self, package: str) -> str | None:
        """The package's own folder; None for a single file, and where it is not on the path."""
        folder, module = self._folder(package), _module(package)
        return os.path.join(folder, module) if folder is not None and module in self._listed[folder] else None

    def _folder(self, package: str) -> str | None:
        module = _module(package)
        for folder, names in self._listed.items():
            if module in names or module + ".py" in names:
                return folder
        return None

    @staticmethod
    def _told(module: str) -> str:
        """The version that a package states in itself, where it came without metadata."""
        for name in ("_version.py", "__version__.py", "version.py", "__init__.py"):
            try:
                with open(os.path.join(module, name), encoding="utf-8") as file:
                    stated = re.search(
                        r"^(?:__)?version(?:__)?\s*=.*?[\"'](\d[\w.]*)", file.read(_METADATA_LIMIT), re.M
                    )
            except (OSError, ValueError):
                continue
            if stated:
                return stated[1]
        return ""


def _module(package: str) -> str:
    return _MODULES.get(package, package.replace("-", "_"))


def _names(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except (OSError, ValueError):  # an archive, or not there
        return frozenset()


def _is_whole(folder: str, module: str) -> bool:
    """Whether an import can begin with what is there: an installer that was stopped leaves a folder without its module."""
    names = _names(os.path.join(folder, module))
    if not names:
        return os.path.isfile(os.path.join(folder, module + ".py"))
    compiled = _COMPILED.get(module)
    if compiled is not None:
        import _imp

        if not any(compiled + suffix in names for suffix in _imp.extension_suffixes()):
            return False
    return not names.isdisjoint(("__init__.py", "__init__.pyc")) or any(name.startswith("__init__.") for name in names)


def _is_found_otherwise(module: str) -> bool:
    """In an archive, or by an import hook of an installer."""
    from importlib.util import find_spec

    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _needs(metadata: str) -> list[tuple[str, str | None]]:
    for name, pattern in (("METADATA", r"^Requires-Dist: ([^;\n]+)$"), ("requires.txt", r"\A|^([^;\n\[]+)$")):
        try:
            with open(os.path.join(metadata, name), encoding="utf-8", errors="replace") as file:
                text = file.read(_METADATA_LIMIT)
        except OSError:
            continue
        head = text.partition("\n\n")[0] if name == "METADATA" else text.partition("[")[0]
        return [_read(line) for line in re.findall(pattern, head, re.M) if line.strip()]
    return []
