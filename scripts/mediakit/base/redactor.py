"""Takes secrets out of whatever is about to be shown or stored."""

from __future__ import annotations

import json

_SHORTEST_SECRET = 4

REDACTED = "[redacted]"


class Redactor:
    """Takes secrets out of whatever is about to be shown or stored."""

    def __init__(self):
        self._secrets: list[str] = []

    def protect(self, secret: str) -> None:
        """From now on `secret` is never shown, neither as it is nor as a URL or JSON would spell it."""
        from urllib.parse import quote

        spellings = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
        known = {*self._secrets, *(text for text in spellings if len(text) >= _SHORTEST_SECRET)}
        self._secrets = sorted(known, key=len, reverse=True)

    def text(self, value: str) -> str:
        for secret in self._secrets:
            value = value.replace(secret, REDACTED)
        return value

    def value(self, value):
        """The same JSON value with the secrets taken out of its strings and keys."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value
