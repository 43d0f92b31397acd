"""What can be wrong with a contract: a Failure with a registered word for each case."""

from __future__ import annotations

from ..base import codes, errors


class ContractError(errors.Failure):
    """A document, or what was asked of it, cannot be used.

    code      a word of codes.ERRORS, which has its category and so the exit code
    message   one line: what was wrong, what was expected, what to do
    guidance  further lines of help
    """

    def __init__(self, code: str, message: str, *guidance: str):
        fields = {"guidance": list(guidance)} if guidance else {}
        super().__init__(code, message, codes.ERRORS[code].category, retryable=False, outcome="not_sent", **fields)
