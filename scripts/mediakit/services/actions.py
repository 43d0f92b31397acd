"""What can be done with an account besides jobs, and the request of it. Pure.

find     one Action of a service
Action   what a descriptor says about it
Request  what one of them sends
"""

from __future__ import annotations

import json
import os
from collections import namedtuple

from ..base import errors
from ..base.pointer import point
from ..base.text import plain
from . import providers

# path             below the base URL, or below the origin, with its query
# body             what is sent as JSON; None for nothing
# idempotency_key  what tells a repetition from another request; None where the service takes none
Request = namedtuple("Request", "path body idempotency_key")

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a JSON list",
    "object": "a JSON object",
}
_GIVE = "Fields are given as --param NAME=VALUE; without an action, the script lists them."


# What every service can do that has files brought to it before a create.
UPLOAD = "upload"
_UPLOAD = {
    "title": "Bring a file; the answer says what the service calls it",
    "method": "POST",
    "effect": "no_spend",
    "key": "needed",
    "fields": {"file": {"in": "body", "type": "string", "required": True, "help": "its path; - or job:KEY, too"}},
}


def of(provider: providers.Provider) -> dict:
    """The actions of a service as its descriptor says them, and the upload that its `inputs` make possible."""
    begin = next((way.begin for way in provider.ways if way.begin), None)
    if begin is None or UPLOAD in provider.actions:
        return provider.actions
    return {**provider.actions, UPLOAD: {**_UPLOAD, "path": begin.step.path}}


def find(provider: providers.Provider, name: str) -> Action:
    """The Action of that name; raises Failure 2 with the nearest one."""
    known = of(provider)
    if name not in known:
        nearest = _nearest(name, known)
        raise errors.bad_argument(
            "ACTION",
            f"{provider.title} has no such action{nearest}",
            f"It has: {', '.join(known)}",
        )
    return Action(name, known[name])


def every(provider: providers.Provider) -> list[Action]:
    """The actions of a service, in the descriptor's order."""
    return [Action(name, description) for name, description in of(provider).items()]


def _nearest(name: str, known) -> str:
    from ..contracts.names import near_miss

    nearest = near_miss(name, list(known))
    return f"; did you mean {nearest}?" if nearest else ""


class Action:
    """One action.

    method, effect, key, valid, success, issues_key, handoff, outputs, output_type   as the schema of descriptors says
    at_origin   whether its path is below the origin
    asks        why it is done only with --confirm; None for what is done at once
    """

    def __init__(self, name: str, description: dict):
        self.name = name
        self.title: str = description["title"]
        self.method: str = description["method"]
        self.effect: str = description["effect"]
        self.key: str = description["key"]
        self.at_origin: bool = "path_from_root" in description
        self.asks: str | None = description.get("confirm", _ASKS[self.effect])
        self.answer: str = description.get("answer", "")
        self.leave_out: list[str] = description.get("leave_out", [])
        self.success: dict | None = description.get("success")
        self.valid: str | None = description.get("valid")
        self.issues_key: str | None = description.get("issues_key")
        self.handoff: list[str] = description.get("handoff", [])
        self.outputs: list[dict] = description.get("outputs", [])
        self.output_type: str | None = description.get("output_type")
        self._path: str = description["path_from_root" if self.at_origin else "path"]
        self._fields: dict = description.get("fields", {})
        self._fixed: dict = description.get("fixed", {})
        self._one_of: list = description.get("one_of", [])
        self._any_of: list = description.get("any_of", [])
        self._idempotency_field: str | None = description.get("idempotency_key")

    @property
    def field_names(self) -> list[str]:
        return list(self._fields)

    @property
    def shown(self) -> dict:
        """The action as a list of them tells it."""
        return {
            "action": self.name,
            "title": self.title,
            "effect": self.effect,
            "needs_confirm": self.asks is not None,
            "key": self.key,
            "method": self.method,
            "path": self._path,
            "fields": [_shown_field(name, field) for name, field in self._fields.items()],
            **({"one_of": self._one_of} if self._one_of else {}),
            **({"any_of": self._any_of} if self._any_of else {}),
        }

    def request(self, pairs: list[str]) -> Request:
        """The Request that `NAME=VALUE` pairs mean; raises Failure 2."""
        given = self._read(pairs)
        self._check_choices(given)
        key = None
        if self._idempotency_field:
            key = given.setdefault(self._idempotency_field, f"ai-media-{os.urandom(12).hex()}")
        for name, field in self._fields.items():
            if "default" in field:
                given.setdefault(name, field["default"])
        return Request(self._path_of(given), self._body_of(given), key)

    # -- reading what is given -----------------------------------------------------------------------

    def _read(self, pairs: list[str]) -> dict:
        from ..console import inputs

        given = {}
        for pair in pairs:
            name, text = inputs.read_pair("--param", pair)
            if name not in self._fields:
                known = f"It takes: {', '.join(self._fields)}" if self._fields else "It takes none."
                raise errors.bad_argument(
                    "--param", f"{plain(name, 60)} is no field of {self.name}{_nearest(name, self._fields)}", known
                )
            if name in given:
                raise errors.bad_argument("--param", f"{name} is given twice")
            given[name] = _value(name, text, self._fields[name])
        missing = [name for name, field in self._fields.items() if field.get("required") and name not in given]
        if missing:
            raise errors.bad_argument("--param", f"{self.name} needs {', '.join(missing)}", _GIVE)
        return given

    def _check_choices(self, given: dict) -> None:
        flaw = self._flaw_of_choices(given)
        if flaw:
            raise errors.bad_argument("--param", f"{self.name} needs {flaw}", _GIVE)

    def _flaw_of_choices(self, given: dict) -> str | None:
        for groups, most, words in ((self._one_of, 1, "exactly"), (self._any_of, len(self._any_of), "at least")):
            complete = [group for group in groups if all(name in given for name in group)]
            touched = [group for group in groups if any(name in given for name in group)]
            if groups and not (complete and len(touched) <= most):
                choices = "; ".join(" with ".join(group) for group in groups)
                return f"{words} one of: {choices}"
        return None

    # -- as the service sees it ------------------------------------------------------------------------

    def given(self, path: dict, query: dict, body: dict) -> dict:
        """What a request that came says, by name: its fields, and what is always sent."""
        found = {name: body[name] for name in self._fixed if name in body}
        for name, field in self._fields.items():
            if field["in"] == "body":
                value = point(body, field.get("at", f"/{name}"))
            else:
                value = {"path": path, "query": query}[field["in"]].get(name)
            if value is not None:
                found[name] = value
        return found

    def flaw_of(self, given: dict) -> str | None:
        """What is wrong with such fields, in words; None for nothing."""
        for name, field in self._fields.items():
            at = field.get("at", name).strip("/").replace("/", ".")
            if name not in given and field.get("required"):
                return f"{at}: is required"
            if name in given and field["in"] == "body" and not _takes(field, given[name]):
                return f"{at}: is not {_expected(field)}"
        flaw = self._flaw_of_choices(given)
        return f"expected {flaw}" if flaw else None

    # -- what is sent --------------------------------------------------------------------------------

    def _placed(self, where: str, given: dict):
        """`(name, field, value)` of what goes to the path, the query or the body, in the descriptor's order."""
        for name, field in self._fields.items():
            if field["in"] == where and name in given:
                value = given[name]
                words = field.get("words", {})
                yield name, field, words.get(value, value) if isinstance(value, str) else value

    def _path_of(self, given: dict) -> str:
        from urllib.parse import quote, urlencode

        from .trust import usable_id

        path = self._path
        for name, _, value in self._placed("path", given):
            if usable_id(value) is None:
                raise errors.bad_argument("--param", f"{name}: expected an id or a name")
            path = path.replace(f"{{{name}}}", quote(value.strip(), safe=""))
        query = {name: _in_query(value) for name, _, value in self._placed("query", given)}
        return f"{path}?{urlencode(query)}" if query else path

    def _body_of(self, given: dict) -> dict | None:
        places = {field["in"] for field in self._fields.values()}
        if self.method != "POST" or not (self._fixed or "body" in places):
            return None
        from copy import deepcopy

        body = deepcopy(self._fixed)
        for name, field, value in self._placed("body", given):
            _put(body, field.get("at", f"/{name}"), value)
        return body


_ASKS = {
    "no_spend": None,
    "creates_payment": "It opens a payment, which somebody can settle outside this program.",
    "spends": "It is charged to the account.",
}


def _shown_field(name: str, field: dict) -> dict:
    kept = {word: field[word] for word in ("type", "help", "default", "minimum", "maximum") if word in field}
    allowed = {"allowed": field["enum"]} if "enum" in field else {}
    return {"name": name, "required": field.get("required", False), **kept, **allowed}


def _value(name: str, text: str, field: dict):
    """The value of one field; raises Failure 2 without repeating it."""
    from ..console import inputs

    try:
        text.encode()
    except UnicodeEncodeError:  # bytes of an argument that are no UTF-8
        raise errors.bad_argument("--param", f"{name}: expected text in UTF-8") from None
    value = inputs.read_json_or_text("--param", text)
    if field["type"] == "string" and not isinstance(value, str):
        value = text  # a name can look like a number
    if not _takes(field, value):
        raise errors.bad_argument("--param", f"{name}: expected {_expected(field)}")
    return value


def _takes(field: dict, value) -> bool:
    from ..contracts.judge import Judge

    return Judge({"minLength": 1, **{word: field[word] for word in _TAKES if word in field}}).fits(value)


# The words of a field that are words of JSON Schema.
_TAKES = ("type", "enum", "pattern", "minimum", "maximum", "maxLength", "items")


def _expected(field: dict) -> str:
    if "enum" in field:
        return f"one of {', '.join(field['enum'])}"
    words = _TYPES[field["type"]]
    if "minimum" in field:
        words += f" from {field['minimum']}" + (f" to {field['maximum']}" if "maximum" in field else " on")
    if "maxLength" in field:
        words += f" of at most {field['maxLength']} characters"
    return words + (f" of the form {field['pattern']}" if "pattern" in field else "")


def _in_query(value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _put(body: dict, pointer: str, value) -> None:
    *parents, last = pointer.split("/")[1:]
    for name in parents:
        body = body.setdefault(name, {})
    body[last] = value
