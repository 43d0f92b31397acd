"""Errors, and the envelope around every answer."""

from __future__ import annotations

import secrets
from collections import namedtuple

from .. import common

ACTOR = {
    "actor_type": "agent",
    "actor_id": "agt_sandbox",
    "organization_id": "org_sandbox",
    "claim_state": "unclaimed",
}
DOCS = "https://luxin.sh/cli.md"

# exit_code is for the service's own client, None where no source states one.
Code = namedtuple("Code", "status exit_code retryable message")

# Own choice: every HTTP status but that of PROVIDER_FAILURE, and the codes marked so.
CODES = {
    "INVALID_ARGUMENTS": Code(400, 2, False, "invalid arguments"),
    "AUTH_REQUIRED": Code(401, 3, False, "missing or invalid token"),
    "INPUT_POLICY_DENIED": Code(422, 6, False, "the input is not allowed"),
    "BUDGET_REQUIRES_CONFIRMATION": Code(422, None, False, "the cost is not known beforehand"),
    "PROVIDER_FAILURE": Code(502, 7, True, "the provider failed"),
    "ARTIFACT_STORAGE_WRITE_FAILED": Code(500, 9, False, "the result could not be kept"),
    "CREDIT_QUOTE_CONFLICT": Code(409, None, False, "this key quotes other terms"),
    "QUOTA_EXCEEDED": Code(402, 5, False, "insufficient credits"),  # own choice
    "BUDGET_EXCEEDED": Code(422, None, False, "an output costs more than the guard allows"),  # own choice
    "CAPABILITY_DENIED": Code(403, 4, False, "not granted"),  # own choice
    "NOT_FOUND": Code(404, 1, False, "no such path, model, job or asset"),  # own choice
    "IDEMPOTENCY_KEY_CONFLICT": Code(409, 2, False, "this key belongs to another request"),  # own choice
    "RATE_LIMITED": Code(429, 5, True, "too many requests"),  # own choice
    "INTERNAL": Code(500, 1, False, "server error"),  # own choice
    "UNAVAILABLE": Code(503, 7, True, "not available now"),  # own choice
}
_CODE_OF_STATUS = {
    400: "INVALID_ARGUMENTS",
    401: "AUTH_REQUIRED",
    402: "QUOTA_EXCEEDED",
    403: "CAPABILITY_DENIED",
    404: "NOT_FOUND",
    422: "INPUT_POLICY_DENIED",
    429: "RATE_LIMITED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


class Refusal(Exception):
    """What ends a request with `ok: false`; `recovery` is sent as it is."""

    def __init__(self, code: str, message: str | None = None, recovery: dict | None = None, retryable=None):
        self.code, self.kind = code, CODES[code]
        self.message = message or self.kind.message
        self.recovery = recovery
        self.retryable = self.kind.retryable if retryable is None else retryable
        super().__init__(self.message)


def of_status(status: int) -> Refusal:
    """The refusal that goes with an HTTP status."""
    recovery = {"retry_after_seconds": 1} if status == 429 else None
    return Refusal(_CODE_OF_STATUS.get(status, "INTERNAL"), recovery=recovery)


def succeed(call, data: dict) -> None:
    body = {"ok": True, **_around(call), "data": data, "warnings": call.warnings, "error": None}
    common.answer(call.http, call.fault, 200, body)


def fail(call, refusal: Refusal) -> None:
    error = {"code": refusal.code, "message": refusal.message, "retryable": refusal.retryable}
    if refusal.recovery:
        error["recovery"] = refusal.recovery
    exit_code = refusal.kind.exit_code
    call.http.answer(
        refusal.kind.status,
        {"ok": False, **_around(call), "data": None, "warnings": [], "error": error},
        {"x-image-skill-exit-code": str(exit_code)} if exit_code is not None else None,
    )


def _around(call) -> dict:
    actor = ACTOR if "Authorization" in call.http.headers else None
    return {"command": call.command, "trace_id": f"trace_{secrets.token_hex(6)}", "actor": actor}
