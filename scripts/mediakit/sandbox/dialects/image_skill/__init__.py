"""Image Skill's contract. What no source states is this sandbox's own choice and marked so.

words    errors, and the envelope around every answer
prices   models and what they cost
making   create, edit, jobs
assets   what is owned: uploads and results
account  identity, credits, activity, feedback
"""

from __future__ import annotations

from collections import namedtuple

from .. import common
from . import account, assets, making, prices, words

BASE = ""
ID_PREFIX = "job_"

# command is what the envelope says; is_public needs no key; answer(call) is the envelope's data.
Route = namedtuple("Route", "command answer is_public", defaults=(False,))


class Call:
    """One request: the server, its HTTP side, and what was asked for.

    id   the part of the path that the route leaves open
    fault     how the answer to a create that was accepted is spoiled
    warnings  what the envelope says besides
    """

    def __init__(self, sandbox, http, command: str, last: str):
        self.sandbox, self.http, self.store = sandbox, http, sandbox.store
        self.command, self.id = command, last
        self.body: dict = {}
        self.query = common.query(http)
        self.fault: str | None = None
        self.warnings: list[str] = []


def handle(sandbox, http, content: bytes) -> None:
    """Answer one request."""
    parts = common.segments(http, BASE) or [""]
    route = _ROUTES.get((http.method, *parts)) or _ROUTES.get((http.method, *parts[:-1], "*")) or _NOWHERE
    call = Call(sandbox, http, route.command, parts[-1])
    try:
        if common.key_refused(sandbox, http) and not route.is_public:
            raise words.Refusal("AUTH_REQUIRED")
        if http.method == "POST" and content:
            call.body = http.json_of(content)
            if call.body is None:
                raise words.Refusal("INVALID_ARGUMENTS", "the body must be a JSON object")
        data = route.answer(call)
    except words.Refusal as refusal:
        return words.fail(call, refusal)
    return words.succeed(call, data) if data is not None else None


def _find_nothing(call) -> None:
    raise words.Refusal("NOT_FOUND", "no such path")


_NOWHERE = Route("image-skill", _find_nothing, True)
_ROUTES = {
    ("GET", "healthz"): Route("image-skill doctor", account.tell_health, True),
    ("POST", "v1", "agent-signups"): Route("image-skill signup", account.sign_up, True),
    ("POST", "v1", "agent-claims"): Route("image-skill claim", account.claim),
    ("POST", "v1", "dashboard-codes"): Route("image-skill claim code", account.make_dashboard_code),
    ("GET", "v1", "whoami"): Route("image-skill whoami", account.tell_identity),
    ("GET", "v1", "quota"): Route("image-skill usage quota", account.tell_quota),
    ("GET", "v1", "payment-methods"): Route("image-skill credits methods", account.list_methods, True),
    ("GET", "v1", "credit-packs"): Route("image-skill credits packs", account.list_packs, True),
    ("POST", "v1", "credit-quotes"): Route("image-skill credits quote", account.quote),
    ("POST", "v1", "credit-purchases", "*"): Route("image-skill credits buy", account.buy),
    ("GET", "v1", "credit-purchases", "status"): Route("image-skill credits status", account.tell_purchase),
    ("GET", "v1", "models"): Route("image-skill models list", prices.list_models, True),
    ("GET", "v1", "models", "*"): Route("image-skill models show", prices.show_model, True),
    ("GET", "v1", "capabilities"): Route("image-skill capabilities list", prices.list_capabilities, True),
    ("GET", "v1", "capabilities", "*"): Route("image-skill capabilities show", prices.show_capability, True),
    ("POST", "v1", "create"): Route("image-skill create", making.create),
    ("POST", "v1", "edit"): Route("image-skill edit", making.edit),
    ("POST", "v1", "upload"): Route("image-skill upload", assets.upload),
    ("GET", "v1", "assets", "*"): Route("image-skill assets show", assets.show),
    ("GET", "v1", "jobs", "*"): Route("image-skill jobs show", making.show_job),
    ("GET", "v1", "activity"): Route("image-skill activity list", account.list_activity),
    ("GET", "v1", "activity", "*"): Route("image-skill activity show", account.show_activity),
    ("POST", "v1", "feedback"): Route("image-skill feedback create", account.take_feedback),
}
