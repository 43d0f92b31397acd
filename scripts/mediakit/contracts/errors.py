"""What can be wrong with a contract: a Failure with a registered word for each case."""

from __future__ import annotations

from ..base import errors

# word -> category; each word is also registered in mediakit.base.errors.ERROR_CODES
CATEGORIES = {
    "source_invalid": "bad_arguments",
    "variant_not_found": "bad_arguments",
    "document_not_found": "not_found",
    "endpoint_not_found": "not_found",
    "model_not_found": "not_found",
    "document_unreachable": "transient",
    "document_unreadable": "validation",
    "document_not_openapi": "validation",
    "document_too_large": "validation",
    "document_too_deep": "validation",
    "reference_broken": "validation",
    "reference_circular": "validation",
    "reference_forbidden": "guard",
}


class ContractError(errors.Failure):
    """A document, or what was asked of it, cannot be used.

    code      a word of CATEGORIES; it decides the category and so the exit code
    message   one line: what was wrong, what was expected, what to do
    guidance  further lines of help
    """

    def __init__(self, code: str, message: str, *guidance: str):
        fields = {"guidance": list(guidance)} if guidance else {}
        super().__init__(code, message, CATEGORIES[code], retryable=False, outcome="not_sent", **fields)
