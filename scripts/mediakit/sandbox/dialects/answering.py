"""Answers as a service words them: its examples, its errors, and what spoils them."""

from __future__ import annotations

from ...base.pointer import point, put
from ...services import examples
from .. import media
from . import spoiling

_WORDS = {
    400: "the request is invalid", 401: "the key is missing or wrong", 402: "there are not enough credits",
    403: "this key may not do that", 404: "there is nothing here", 405: "there is no such method here",
    409: "the job is over already", 422: "the request was rejected", 429: "too many requests",
    500: "something broke", 503: "not available", 520: "something unknown went wrong",
}  # fmt: skip


class Refused(Exception):
    """What ends a request with an error: what Dialect.error takes."""

    def __init__(self, status: int | str, message: str | None = None, **more):
        super().__init__(message)
        self.status, self.message, self.more = status, message, more


class Answering:
    """Sends the answers of one service.

    provider  the service
    told      its examples, as filling.Filling
    """

    provider = told = None

    def error(self, http, status: int | str, message: str | None = None, change=None) -> None:
        """An error as the service words it; where no example does, with words of our own where its words are.

        status  of HTTP; or `invalid`, for what its contract does not take; or another word of `refused`
        change  what is changed of the example's body
        """
        refused = self.provider.examples.get("refused", {})
        if status == "invalid" and "invalid" not in refused:
            status = 422 if "422" in refused else 400
        code = 400 if isinstance(status, str) else status
        told = refused.get(str(status))
        headers = {"Retry-After": "1"} if status == 429 else {}
        if told is not None:
            words = self.told.words(http)
            filled = examples.filled(told.get("body"), words)
            if message:
                self._say(filled, message)
            if change:
                change(filled)
            headers = {**examples.filled(told.get("headers", {}), words), **headers}
            return self.answer(http, told.get("http", code), filled, headers)
        body: dict = {}
        self._say(body, message or _WORDS.get(code, "it failed"))
        return self.answer(http, code, body, headers)

    def _say(self, body: dict, message: str) -> None:
        """Put a message where the service has its own."""
        places = [at for at in (self.provider.says("errors") or {}).get("message", ()) if isinstance(at, str)]
        told = (at for at in places if isinstance(point(body, at), str))
        put(body, next(told, places[0] if places else "/message"), message)

    def tell(
        self, http, name: str, words: dict, fault: str | None = None, change=None, told: dict | None = None
    ) -> None:
        """Answer with an example, that of the name or `told`; `change` may change its body first."""
        told = told or self.told.example(name, words.get("task"))
        headers = examples.filled(told.get("headers", {}), words)
        status = told.get("http", 200)
        if told.get("file"):
            content, kind = media.render(*words["file of"]), words["media_type"]
            return http.answer_bytes(status, kind, content, headers, breaks_off=fault == "create-truncated")
        body = self.told.filled(told, words)
        if change is not None and isinstance(body, dict):
            change(body)
        if fault == "create-no-id":
            body = spoiling.without_id(body, words["id"])
        if "body" not in told:
            return http.answer_bytes(status, "application/json", b"", headers)
        return self.answer(http, status, body, headers, fault)

    def answer(self, http, status: int, body, headers: dict | None = None, fault: str | None = None) -> None:
        """Send an answer, spoiled where a fault of a create wants it."""
        spoiling.answer(http, fault, status, body, headers)
