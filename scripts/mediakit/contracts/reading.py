"""Bytes in, plain data out: JSON first, YAML when it is not JSON. Knows no OpenAPI."""

from __future__ import annotations

import gc
import json
from typing import Any

from . import bounds
from .errors import ContractError


def parse(data: bytes, name: str, allowance: bounds.Allowance | None = None) -> Any:
    """Read one JSON or YAML document.

    ``name`` is what messages call it; ``allowance`` is what is left for it, where it is one of several.
    Raises ContractError (``document_too_large``, ``document_too_deep``, ``document_not_openapi`` for HTML,
    ``document_unreadable``) and ModuleNotFoundError when YAML has to be read and PyYAML is not installed.
    """
    allowance = allowance or bounds.Allowance()
    # Each value but the first comes after a comma or inside a bracket: more values than those cannot be.
    allowance.take(name, len(data), data.count(b",") + data.count(b"[") + data.count(b"{"))
    try:
        found = _parse_json(data)
    except ValueError as error:
        return _parse_other(data, name, allowance, error)
    except RecursionError:
        raise _too_deep(name) from None
    if bounds.is_deeper(found, bounds.MAX_LEVELS):
        raise _too_deep(name)
    return found


def _parse_json(data: bytes) -> Any:
    # The collector finds nothing to free in a growing tree, and costs a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return json.loads(data, parse_constant=_refuse, parse_int=_integer, parse_float=bounds.finite)
    finally:
        if collecting:
            gc.enable()


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not a JSON value")


def _integer(digits: str) -> int:
    if len(digits) > bounds.MAX_DIGITS:
        raise ValueError(f"it holds a number of {len(digits)} digits")
    return int(digits)


def _parse_other(data: bytes, name: str, allowance: bounds.Allowance, json_error: ValueError) -> Any:
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
    return _parse_yaml(text, name, allowance, json_error if start[0] in "{[" else None)


def _parse_yaml(text: str, name: str, allowance: bounds.Allowance, json_error: ValueError | None) -> Any:
    import yaml

    from . import yaml_text

    try:
        return yaml_text.read(text, name, allowance)
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
