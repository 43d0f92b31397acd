"""OpenAPI contracts: find an operation, summarise, template and check its body. Pure but for reading.

    load, from_data   a Document, from a path or URL or from memory
    operation         the Operation that `POST /path` names
    Operation         fields, variants, template, check, and the endpoints and statuses around it
    is_placeholder    whether a value of a template was never filled in; unfilled lists where
    ContractError     a document, or what was asked of it, cannot be used

Inside, each module imports only those below it:

    outline      what a descriptor of the service has to say of an operation, as far as its document tells
    summary      an operation as the `contract` result, small enough to be read
    listing      operations as a list
    search       operations by what is needed of them (pure)
    operations   one operation
    answers      its answers, and how the job that it begins is read
    document     the operations of a document, and how one is found
    template     a body that validates
    fillers      values for what a contract leaves open (pure)
    validation   whether a payload fits, and what is done about unknown names
    explain      what is wrong with a payload, in words (pure)
    placeholders the values of a template that stand for what is still missing (pure)
    variants     the shapes that a body can have (pure)
    callbacks    fields that only whoever pays may set: calls to somewhere, consents, limits (pure)
    rows         the fields of a body as plain dictionaries (pure)
    files        which fields take a file (pure)
    facts        what a schema says about one value, merged (pure)
    judge        whether a value fits a schema
    values       when JSON values are equal (pure)
    names        slips of the pen (pure)
    patterns     regular expressions, bounded in time
    dialect      what they mean to Python (pure)
    match        the program that matches those which may take for ever
    schemas      a self-contained JSON Schema 2020-12 out of any dialect
    conventions  what a service's paths mean where its document does not say so
    definitions  references inside one, and circles among them (pure)
    library      documents by where they lie, and `$ref` inside a fence
    reading      JSON and YAML, bounded
    yaml_text    YAML as JSON-like documents mean it
    bounds       how much is read (pure)
    errors       what can be wrong
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import ContractError

if TYPE_CHECKING:
    from .answers import poll_endpoint
    from .document import Document, from_data, load, split_endpoint
    from .operations import Operation, operation
    from .placeholders import is_placeholder, unfilled

__all__ = [
    "ContractError", "Document", "Operation", "from_data", "is_placeholder", "load", "operation", "poll_endpoint",
    "split_endpoint", "unfilled",
]  # fmt: skip

_HOMES = {
    **dict.fromkeys(("Document", "from_data", "load", "split_endpoint"), "document"),
    **dict.fromkeys(("Operation", "operation"), "operations"),
    "poll_endpoint": "answers",
    **dict.fromkeys(("is_placeholder", "unfilled"), "placeholders"),
}


def __getattr__(name: str) -> Any:
    """Import a room when something of it is first asked for: most commands need the error alone."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    return value
