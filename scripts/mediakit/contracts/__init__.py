"""OpenAPI contracts: find an operation, summarise, template and check its body. Pure but for reading.

    load, from_data   a Document, from a path or URL or from memory
    operation         the Operation that `POST /path` names
    Operation         fields, variants, template, check, and the endpoints and statuses around it
    is_placeholder    whether a value of a template was never filled in; unfilled lists where
    ContractError     a document, or what was asked of it, cannot be used

Inside, each module imports only those below it:

    operation    one operation
    document     the operations of a document, and how one is found
    template     a body that validates
    placeholders the values in it that stand for what is still missing (pure)
    validation   what is wrong with a body
    patterns     a text for a regular expression (pure)
    fields       what a schema says about its fields (pure)
    schemas      a self-contained JSON Schema 2020-12 out of any dialect
    library      documents by where they lie, and `$ref` inside a fence
    reading      JSON and YAML, bounded
    errors       what can be wrong
"""

from __future__ import annotations

from .document import Document, from_data, load, split_endpoint
from .errors import ContractError
from .operation import Operation, operation, poll_endpoint
from .placeholders import is_placeholder, unfilled

__all__ = [
    "ContractError", "Document", "Operation", "from_data", "is_placeholder", "load", "operation", "poll_endpoint",
    "split_endpoint", "unfilled",
]  # fmt: skip
