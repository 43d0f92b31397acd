"""Bytes in, plain data out: JSON first, YAML when it is not JSON. Knows no OpenAPI."""

from __future__ import annotations

import functools
import gc
import json
import re
from typing import Any, ClassVar

from .errors import ContractError

MAX_BYTES = 64 * 1024 * 1024
MAX_MERGED_KEYS = 100_000

# YAML 1.2's core schema. YAML 1.1, which PyYAML follows, would turn `on`, `no`, `1:30` and dates
# into something that the author of a JSON-like document did not write.
_YAML_SCALARS = (
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:int", r"^(?:[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+)$", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$",
        "-+.0123456789",
    ),
    ("tag:yaml.org,2002:merge", r"^<<$", "<"),
)


def parse(data: bytes, name: str) -> Any:
    """Read one JSON or YAML document of at most 64 MiB.

    ``name`` is what messages call it. Raises ContractError (``document_too_large``,
    ``document_too_deep``, ``document_not_openapi`` for HTML, ``document_unreadable``) and
    ModuleNotFoundError when YAML has to be read and PyYAML is not installed.
    """
    if len(data) > MAX_BYTES:
        raise ContractError("document_too_large", f"{name} is larger than {MAX_BYTES // 2**20} MiB.")
    try:
        return _parse_json(data)
    except ValueError as error:
        json_error = error
    except RecursionError:
        raise _too_deep(name) from None
    return _parse_other(data, name, json_error)


def _parse_json(data: bytes) -> Any:
    # The collector finds nothing to free in a growing tree, and costs a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    finally:
        if collecting:
            gc.enable()


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not a JSON value")


def _parse_other(data: bytes, name: str, json_error: ValueError) -> Any:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ContractError(
            "document_unreadable", f"{name} is not UTF-8 text; expected OpenAPI in JSON or YAML."
        ) from None
    start = text.lstrip()[:64].lower()
    if start.startswith("<"):
        raise ContractError(
            "document_not_openapi",
            f"{name} is HTML or XML, not an OpenAPI document; use the address of the JSON or YAML file itself.",
        )
    if not start:
        raise ContractError("document_unreadable", f"{name} is empty; expected OpenAPI in JSON or YAML.")
    return _parse_yaml(text, name, json_error if start[0] in "{[" else None)


def _parse_yaml(text: str, name: str, json_error: ValueError | None) -> Any:
    import yaml

    try:
        return yaml.load(text, Loader=_yaml_loader())
    except (RecursionError, _MergeTooLarge) as error:
        raise _too_deep(name) from error
    except (yaml.YAMLError, ValueError) as error:
        kind, detail = ("JSON", str(json_error)) if json_error else ("YAML", _yaml_detail(error))
        raise ContractError(
            "document_unreadable", f"{name} is not complete, valid {kind}: {detail}. Was it cut or changed?"
        ) from None


def _yaml_detail(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    what = str(getattr(error, "problem", None) or type(error).__name__)[:160]
    return f"{what} (line {mark.line + 1}, column {mark.column + 1})" if mark else what


def _too_deep(name: str) -> ContractError:
    return ContractError("document_too_deep", f"{name} is nested too deeply to be an OpenAPI document.")


class _MergeTooLarge(Exception):
    """Merge keys (`<<`) multiply their content without end."""


@functools.lru_cache(maxsize=1)
def _yaml_loader() -> type:
    """PyYAML's safe loader (libyaml's where it is there) with JSON's types and string keys."""
    import yaml

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):
        yaml_implicit_resolvers: ClassVar[dict] = {}

        def flatten_mapping(self, node: Any) -> None:
            super().flatten_mapping(node)
            if len(node.value) > MAX_MERGED_KEYS:
                raise _MergeTooLarge

        def construct_mapping(self, node: Any, deep: bool = False) -> dict:
            self.flatten_mapping(node)
            # A key is its own text: 200 stays "200" and `on` stays "on".
            return {
                key.value if isinstance(key.value, str) else "": self.construct_object(value, deep=deep)
                for key, value in node.value
            }

    for tag, pattern, first in _YAML_SCALARS:
        Loader.add_implicit_resolver(tag, re.compile(pattern), ["" if sign == "\0" else sign for sign in first])
    for tag in ("timestamp", "binary"):
        Loader.add_constructor(f"tag:yaml.org,2002:{tag}", base.construct_yaml_str)
    return Loader
