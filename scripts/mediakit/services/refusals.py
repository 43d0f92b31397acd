"""Whether an answer of one service says no, and why: its errors, their categories, and what they prove. Pure."""

from __future__ import annotations

import json
import re

from ..base import errors
from ..base.pointer import placed, point
from ..base.record import record
from ..base.text import is_number, same

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .described import Described
    from .descriptor import ErrorRules, Word

_LONGEST_WORDS = 100_000
_MOST_ISSUES = 20
_ADVICE = {"--accept-unknown-cost": "Add --accept-unknown-cost to buy it although its price is not known beforehand."}


@record
class Verdict:
    """What an answer that is no success says.

    category   a category of errors.CATEGORY_EXIT_CODES
    message    the service's own words
    code       its error code, "" where it has none
    outcome    what code or status prove of a paid request, where the descriptor says so
    repeatable whether the same may be sent again under the same idempotency key
    retry_after  seconds, None where the body names none
    advice     what the service asks for, in our own words
    """

    category: str
    message: str
    code: str
    outcome: str | None
    repeatable: bool
    retry_after: float | None
    advice: list[str]


class Refusals:
    """Judges answers by the rules of one descriptor, see `verdict`."""

    def __init__(self, described: Described):
        self._described = described

    def says_success(self, body, rule: dict | None = None, headers=None) -> bool:
        """Whether an answer says no otherwise; `rule` of an action counts before the service's."""
        rule = rule or self._described.says("success")
        if rule is None:
            return True
        found, wanted = placed(rule["at"], body, headers), rule["is"]
        if isinstance(rule["at"], dict) and not isinstance(wanted, str):
            wanted = json.dumps(wanted)  # a header holds text
        return found is None or same(found, wanted)

    def accepts_key(self, body) -> bool:
        """Whether the answer to the key's check says that the key is good; True where only the status tells."""
        return point(body, (self._described.key_check or {}).get("valid", "/\0")) is not False

    def trace_id(self, body, headers=None) -> str | None:
        """What the service's support asks for, where the answer has it."""
        where = self._described.says("trace_id")
        found = None if where is None else placed(where, body, headers)
        return found if isinstance(found, str) and re.fullmatch(r"[\w.:-]{1,200}", found) else None

    def error(self, body) -> tuple[str, str]:
        """`(code, message)` of an error answer; empty where it has none."""
        return words(self._described.error_rules, body)

    def failure(self, body) -> tuple[str, str]:
        """`(code, message)` of a failed job; empty where it has none."""
        return words(self._described.failure_rules, body)

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
        return verdict(self._described.error_rules, outcomes, status, body, words, headers, repeatable)

    def _repeatable(self, body, code: str, own_key: str | None) -> bool:
        rules = self._described.idempotency
        if rules is None or own_key is None:
            return False
        recovery = self._described.error_rules.recovery
        named = point(body, recovery.get("idempotency_key", "/\0"))
        if (named is not None and named != own_key) or point(body, recovery.get("retryable", "/\0")) is False:
            return False
        return code in rules["codes"] if code else rules["without_answer"]


# -- words ---------------------------------------------------------------------------------------------


def texts(places: tuple[Word, ...], body: Any, headers=None, is_code: bool = False) -> Iterator[str]:
    """The words that stand at several places, in their order; a number can be a code."""
    for place in places:
        found = (headers or {}).get(place.header) if place.header is not None else point(body, place.at or "")
        if is_code and is_number(found):
            found = json.dumps(found)
        if not isinstance(found, str) or not found.strip():
            continue
        if place.like is None:
            yield found
        else:
            within = re.search(place.like, found[:_LONGEST_WORDS])
            if within:
                yield within[1]


def words(rules: ErrorRules, body: Any, headers=None) -> tuple[str, str]:
    """`(code, message)` of an error or a failed job; empty where it has none."""
    code = next(texts(rules.code, body, headers, is_code=True), "")
    message = next(texts(rules.message, body, headers), "")
    issues = _issues(rules.issues, body)
    if issues and not any(issue in message for issue in issues):
        message = ": ".join(part for part in (message, "; ".join(issues)) if part)
    link = point(body, rules.link) if rules.link else None
    is_link = isinstance(link, str) and re.fullmatch(r"https://[\w.-]+(/[\w./#?=&%+-]{0,200})?", link, re.ASCII)
    return code, f"{message} ({link})" if is_link and message and link not in message else message


def _issues(where: dict, body: Any) -> list[str]:
    listed = point(body, where["each"]) if where else None
    found = []
    for entry in listed[:_MOST_ISSUES] if isinstance(listed, list) else ():
        message, path = point(entry, where["message"]), point(entry, where.get("path", "/\0"))
        path = ".".join(map(str, path)) if isinstance(path, list) else path
        if isinstance(message, str):
            found.append(f"{path}: {message}" if isinstance(path, str) and path else message)
    return found


def verdict(
    rules: ErrorRules, status_outcomes: dict, status: int, body: Any, said: str, headers=None, repeatable=None
) -> Verdict:
    """What an answer that is no success says.

    said        words that stand in for a body that is no JSON
    headers     a case-insensitive mapping
    repeatable  (body, code) -> whether the same may be sent again
    """
    code, message = words(rules, body, headers)
    message = message or said or _dumped(body)
    codes = list(texts(rules.code, body, headers, is_code=True))
    own_code = words(rules, body)[0]
    stated = next((found for one in codes if (found := _category_of(one, rules.code_categories))), None)
    category = stated or errors.classify(status, message, code, {}, rules.status_categories.get(str(status)))
    recovery = rules.recovery
    wait = point(body, recovery.get("retry_after", "/\0"))
    flag = point(body, recovery.get("flag", "/\0"))
    proven = next((rules.outcomes[one] for one in codes if one in rules.outcomes), None)
    return Verdict(
        category,
        message,
        code,
        proven or (None if 200 <= status < 300 else status_outcomes.get(str(status))),
        bool(repeatable and repeatable(body, own_code)),
        float(wait) if is_number(wait) and 0 <= wait < 1e6 else None,
        [_ADVICE[flag]] if flag in recovery.get("flags", ()) and flag in _ADVICE else [],
    )


def _category_of(code: str, categories: dict) -> str | None:
    """A code's category: by its whole name, or by the ending that begins with an underscore."""
    for name, category in categories.items():
        if code.upper() == name.upper() or (name.startswith("_") and code.upper().endswith(name.upper())):
            return category
    return None


def _dumped(body: Any) -> str:
    try:
        return json.dumps(body, ensure_ascii=False)[:_LONGEST_WORDS] if body else ""
    except RecursionError:
        return "an answer that is nested too deep"
