"""Whether an answer of one service says no, and why: its errors, their categories, and what they prove. Pure."""

from __future__ import annotations

import re

from ..base.pointer import point
from . import answers
from .answers import Verdict, same

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from .described import Described


class Refusals:
    """Judges answers by the rules of one descriptor, see answers."""

    def __init__(self, described: Described):
        self._described = described

    def says_success(self, body, rule: dict | None = None) -> bool:
        """Whether an answer says no otherwise; `rule` of an action counts before the service's."""
        rule = rule or self._described.says("success")
        found = point(body, rule["at"]) if rule else None
        return found is None or same(found, rule["is"])

    def accepts_key(self, body) -> bool:
        """Whether the answer to the key's check says that the key is good; True where only the status tells."""
        return point(body, (self._described.key_check or {}).get("valid", "/\0")) is not False

    def trace_id(self, body, headers=None) -> str | None:
        """What the service's support asks for, where the answer has it."""
        where = self._described.says("trace_id")
        if where is None:
            return None
        found = (headers or {}).get(where["header"]) if isinstance(where, dict) else point(body, where)
        return found if isinstance(found, str) and re.fullmatch(r"[\w.:-]{1,200}", found) else None

    def error(self, body) -> tuple[str, str]:
        """`(code, message)` of an error answer; empty where it has none."""
        return answers.words(self._described.error_rules, body)

    def failure(self, body) -> tuple[str, str]:
        """`(code, message)` of a failed job; empty where it has none."""
        return answers.words(self._described.failure_rules, body)

    def category(self, status: int, body, words: str = "", headers=None) -> tuple[str, str]:
        """`(category, message)` of an HTTP error answer; `words` stand in for a body that is no JSON."""
        found = self.verdict(status, body, words, headers)
        return found.category, found.message

    def verdict(self, status: int, body, words: str = "", headers=None, own_key: str | None = None) -> Verdict:
        """What an answer that is no success says.

        headers  case-insensitive mapping
        own_key  the idempotency key that the request carried
        """

        def repeatable(body, code: str) -> bool:
            """`code` is of the body: a header alone is no answer that could be read."""
            return self._repeatable(body, code, own_key)

        outcomes = self._described.says("status_outcomes", {})
        return answers.verdict(self._described.error_rules, outcomes, status, body, words, headers, repeatable)

    def _repeatable(self, body, code: str, own_key: str | None) -> bool:
        rules = self._described.idempotency
        if rules is None or own_key is None:
            return False
        recovery = self._described.error_rules.recovery
        named = point(body, recovery.get("idempotency_key", "/\0"))
        if (named is not None and named != own_key) or point(body, recovery.get("retryable", "/\0")) is False:
            return False
        return code in rules["codes"] if code else rules["without_answer"]
