"""What is wrong with the descriptor of a service, and what it leaves out.

flaws   what must be mended: the schema, the rules of trust, the examples against states and outputs
lacks   what the service could do besides, if the descriptor said it
others  what the services that come with the skill have: ids and variables that no other may take

assets/schemas/provider.schema.json is the language; jsonschema says where a file departs from it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..base import documents
from ..base.pointer import escaped
from . import examples, forms, trust
from .provider import Provider
from .refusals import words as words_of

# What a draft holds where its document said nothing, with a word on what is wanted.
TO_FILL_IN = "FILL IN"

_MOST_FLAWS = 20
_LONGEST_MESSAGE = 300
_STATES = ("queued", "running", "succeeded", "failed", "canceled")
_USUAL = {401: "auth", 402: "insufficient_credits", 404: "not_found"}
# What stands for the placeholders of an example while it is read, besides {id}.
_WORDS = {
    "media": "https://media.example/1.png", "media64": "aGVsbG8=", "media_type": "image/png", "text": "a tin boat",
    "base": "https://media.example", "model": "owner/name", "hex": "0123456789abcdef",
    "uuid": "7c1e0000-0000-4000-8000-000000000000",
}  # fmt: skip
# key of the descriptor -> what it costs a user that it is not there
_LACKS = {
    "/examples": "the sandbox cannot play it, and nothing here tests that its answers are read rightly",
    "/cost": "what a job has cost is not told",
    "/sources": "nobody can see what its statements rest on",
    "/errors": "of a refusal only what `failure` finds is told, else the whole answer",
    "/job/list": "a create whose answer is lost is not found again: it stays unknown until you look yourself",
    "/job/cancel": "jobs.py cancel cannot end its jobs",
    "/inputs": "no file can be sent; --input takes addresses only",
    "/defaults": "--task alone picks no model",
    "/balance": "preflight.py --online cannot compare credits with a price",
    "/key/create_url": "nobody is told where a key comes from",
    "/failure": "of a job that failed only the words of `errors` are looked for",
    "/links/dashboard_url": "nobody is told where to look for a job",
}


# key of the descriptor -> what it is worth although it is there
_UNUSED = {
    "/job/stream": "known, and not used: a job is read, and its events are not listened to",
    "/job/list/told": "known, and not used: the list is asked for where the answer that would tell it was lost",
}


class Flaw(NamedTuple):
    """path  a JSON Pointer into the descriptor; line  of the file, from 1; message  what is wrong, what is expected"""

    path: str
    line: int
    message: str


class Others(NamedTuple):
    """What other services have: their ids, and the environment variables of their keys."""

    ids: frozenset[str]
    variables: frozenset[str]


def flaws(content: bytes) -> list[Flaw]:
    """What must be mended before a user's own descriptor can be used; empty for a good one."""
    try:
        text = content.decode("utf-8-sig")
        data = documents.written(text)
    except json.JSONDecodeError as problem:
        return [Flaw("", problem.lineno, f"expected JSON: {problem.msg}")]
    except (ValueError, RecursionError) as problem:
        return [Flaw("", 1, f"expected JSON in UTF-8: {str(problem)[:_LONGEST_MESSAGE]}")]
    if not isinstance(data, dict):
        return [Flaw("", 1, "expected a JSON object")]
    found = list(_unfilled(data, ())) or list(_against_schema(data))
    if not found:
        data = forms.normal(data)
        found = list(_against_others(data)) or list(_against_trust(data))
    if not found:
        found = list(_against_examples(Provider(data)))
    return [
        Flaw("".join("/" + escaped(str(step)) for step in path), documents.line_of(text, path), message)
        for path, message in found[:_MOST_FLAWS]
    ]


def lacks(data: dict) -> list[dict]:
    """`{key, costs}` of each part that a good descriptor leaves out, and that somebody will miss."""
    from ..base.pointer import point

    unused = [{"key": key, "costs": words} for key, words in _UNUSED.items() if point(data, key) is not None]
    return [
        {"key": key, "costs": words}
        for key, words in _LACKS.items()
        if point(data, key) is None and not (key.startswith("/key/") and data.get("key") == "none")
    ] + unused


def others() -> Others:
    """Of the services that come with the skill."""
    from . import providers

    every = [documents.load(providers.bundled_path(name)) for name in providers.bundled()]
    ids = frozenset(word for one in every for word in (one["id"], *one.get("aliases", ())))
    return Others(ids, frozenset(word for one in every for word in variables(one)))


def variables(data: dict) -> list[str]:
    """The environment variables that requests to a service take something from, the key's first."""
    key = data.get("key") if isinstance(data.get("key"), dict) else {}
    named = [key.get("variable"), *key.get("other_variables", ()), *key.get("joined", {}).get("variables", ())]
    return [word for word in [*named, *data.get("optional_headers", {}).values()] if word]


# -- as JSON -------------------------------------------------------------------------------------------


def _unfilled(value: Any, path: tuple) -> Iterator[tuple[tuple, str]]:
    """What a draft left for somebody who knows."""
    if isinstance(value, str) and TO_FILL_IN in value:
        yield (
            path,
            f"still to be filled in: {value.partition(TO_FILL_IN)[2].strip(': ') or 'its document does not say'}",
        )
    for step, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(step, str) and TO_FILL_IN in step:
            yield (*path, step), "still to be filled in"
        yield from _unfilled(item, (*path, step))


# -- as the language says ------------------------------------------------------------------------------


def _against_schema(data: dict) -> Iterator[tuple[tuple, str]]:
    from jsonschema import Draft202012Validator

    from . import providers

    schema = documents.load(os.path.join(providers.ASSETS, "schemas", "provider.schema.json"))
    for problem in Draft202012Validator(schema).iter_errors(data):
        for inner in _meant(problem):
            yield from _told(inner)


def _meant(problem) -> list:
    """What is wrong by the alternative that was meant: one of the right type, with the least wrong."""
    if not problem.context:
        return [problem]
    branches: dict[Any, list] = {}
    for inner in problem.context:
        branches.setdefault(inner.relative_schema_path[0], []).append(inner)
    fitting = [one for one in branches.values() if not any(_is_of_another_kind(inner) for inner in one)]
    least = min(fitting or branches.values(), key=len)
    return [found for inner in least for found in _meant(inner)]


def _is_of_another_kind(problem) -> bool:
    return problem.validator in ("type", "const") and not problem.relative_path


def _told(problem) -> Iterator[tuple[tuple, str]]:
    """One fault of the schema in words, a line for each key that it does not know."""
    path = tuple(problem.absolute_path)
    about = problem.schema.get("description") if isinstance(problem.schema, dict) else None
    if problem.validator == "additionalProperties" and problem.validator_value is False:
        known = problem.schema.get("properties", {})
        for name in problem.instance:
            if name not in known:
                yield (*path, name), _unknown(name, known)
    elif problem.validator == "pattern":
        yield path, f"does not have the form {problem.validator_value}" + (f" ({about})" if about else "")
    else:
        yield path, problem.message[:_LONGEST_MESSAGE] + (f" ({about})" if about else "")


def _unknown(name: str, known: dict) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    return "is no key of the language here" + (f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}")


# -- as trust asks -------------------------------------------------------------------------------------


def _against_trust(data: dict) -> Iterator[tuple[tuple, str]]:
    for name, origin in data.get("origins", {}).items():
        yield from _flaw(("origins", name), trust.flaws_of_origin(origin))
    for path, key, value in _members(data, ()):
        yield from _of_member(data, path, key, value)
    yield from _of_key(data)
    yield from _against_itself(data)


def _of_member(data: dict, path: tuple, key: str, value: Any) -> Iterator[tuple[tuple, str]]:
    """What is wrong with one member of an object, wherever that stands."""
    if key in ("headers", "optional_headers") and "examples" not in path:
        for name in value:
            yield from _flaw((*path, key, name), trust.flaws_of_header(name))
    elif key == "hosts":
        for number, host in enumerate(value):
            yield from _flaw((*path, key, number), trust.flaws_of_host(host))
    elif key == "origin" and path != ("cli", "environment") and value not in data["origins"]:
        yield (*path, key), f"expected the name of one of origins: {', '.join(data['origins'])}"
    elif key == "like" and "in" in _at(data, path):
        yield from _flaw((*path, key), trust.flaws_of_group(value))
    elif key in ("path", "path_from_root", "stream_path") and isinstance(value, str) and "examples" not in path:
        yield from _flaw((*path, key), _flaws_of_path(path, value))
    elif key in ("like", "models") and isinstance(value, str):
        yield from _flaw((*path, key), trust.flaws_of_pattern(value, bounded=path == ("job", "id")))


def _against_itself(data: dict) -> Iterator[tuple[tuple, str]]:
    """What one part says and another does not bear out."""
    tasks = {task for route in data["create"] for task in route.get("tasks", ())}
    takes_any = any("tasks" not in route for route in data["create"])
    for task in data.get("defaults", {}):
        if not takes_any and task not in tasks:
            yield ("defaults", task), "no route of create does this task"
        if not trust.is_model(data["defaults"][task]):
            yield ("defaults", task), "expected the name of a model, such as owner/name"
    if "job" not in data and any(route.get("answers", "job") == "job" for route in data["create"]):
        yield ("create",), "a create that is answered with a job's id needs `job`, which says how it is asked about"
    if "read" in data.get("job", {}) and not any(rule["state"] == "succeeded" for rule in data.get("states", ())):
        yield ("job", "read"), "`states` has no rule for succeeded: no job would ever be seen to be done"


def _of_key(data: dict) -> Iterator[tuple[tuple, str]]:
    if isinstance(data["key"], dict):
        yield from _flaw(("key", "header"), trust.flaws_of_header(data["key"]["header"], of_key=True))
    if "header" in data.get("idempotency", {}):
        yield from _flaw(("idempotency", "header"), trust.flaws_of_header(data["idempotency"]["header"]))
    for word in variables(data):
        yield from _flaw(("key",), trust.flaws_of_variable(word))


# What may stand in braces in a path: of every request about a model or a job, and beside it in these parts.
_IN_PATHS = frozenset("id model owner name version".split())
_IN_PATHS_OF = {"ready": {"file"}, "check": {"reference"}}


def _flaws_of_path(where: tuple, path: str) -> str | None:
    """What is wrong with the placeholders of a path, in words; None for nothing."""
    words = [word.partition(":")[0] for word in re.findall(r"\{([^{}]*)\}", path)]
    last = where[-1] if where else ""
    known = _IN_PATHS | _IN_PATHS_OF.get(last, set())
    if "actions" in where:  # whose fields have names of their own
        return None
    unknown = next((word for word in words if word not in known), None)
    if unknown is not None:
        return f"{{{unknown}}} stands for nothing here; known: {', '.join(f'{{{word}}}' for word in sorted(known))}"
    if where[:1] == ("job",) and last in ("read", "result", "cancel") and "id" not in words:
        return "expected {id}: which job it is about"
    return None


def _at(data: Any, path: tuple) -> Any:
    for step in path:
        data = data[step]
    return data


def _against_others(data: dict) -> Iterator[tuple[tuple, str]]:
    taken = others()
    if data["id"] in taken.ids:
        yield ("id",), f"{data['id']} is a service that comes with the skill; expected another id"
    for number, word in enumerate(data.get("aliases", ())):
        if word in taken.ids:
            yield ("aliases", number), f"{word} is a service that comes with the skill; expected another word"
    for word in variables(data):
        if word in taken.variables:
            yield ("key",), f"{word} belongs to another service, and must not go to this one's origins"
    if "cli" in data:
        yield ("cli",), "a program is run only for services that come with the skill"
    if "saved_login" in data.get("key", ()):
        yield ("key", "saved_login"), "the login that another program has saved is read only for bundled services"
    if data.get("embedded") or "speaks" in data:
        yield ("speaks" if "speaks" in data else "embedded",), "only the sandbox runs inside this process"


def _flaw(path: tuple, words: str | None) -> Iterator[tuple[tuple, str]]:
    if words:
        yield path, words


def _members(value: Any, path: tuple) -> Iterator[tuple[tuple, str, Any]]:
    """Every member of every object: (where the object is, the name, what it holds)."""
    for step, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(step, str):
            yield path, step, item
        yield from _members(item, (*path, step))


# -- by its own examples -------------------------------------------------------------------------------


def _against_examples(provider: Provider) -> Iterator[tuple[tuple, str]]:
    """Every example must be read as what it is an example of."""
    an_id = examples.new_id(provider.job.like)
    if an_id is None and provider.examples:
        yield ("job", "id", "like"), "no id of this form can be made for the examples; expected letters or digits"
        return
    words = {**_WORDS, "id": an_id}
    for name, answers in provider.examples.items():
        for answer in answers if name not in examples.BY_NAME else ():
            flaw = _misread(provider, name, examples.filled(answer.get("body"), words), bool(answer.get("file")))
            if flaw:
                yield ("examples", name), flaw
    for name in provider.examples.get("actions", ()):
        if name not in provider.actions:
            yield ("examples", "actions", name), "is none of `actions`"
    for status, answer in provider.examples.get("refused", {}).items():
        code, body = (
            answer.get("http", int(status) if status.isdecimal() else 400),
            examples.filled(answer.get("body"), words),
        )
        category = provider.refusals.verdict(code, body).category
        if not words_of(provider.error_rules, body)[1]:
            yield ("examples", "refused", status), "`errors` finds no message in it"
        elif category != _USUAL.get(code, category):
            yield ("examples", "refused", status), f"`errors` reads it as {category}"


def _misread(provider: Provider, name: str, body: Any, is_file: bool) -> str | None:
    """What is wrong with how an example is read, in words; None for nothing."""
    if name == "created" and not provider.answers.reading(body, True).id:
        return "`job.id` finds no id in it"
    if name in _STATES:
        # A state without a word of its own, such as a queue that is part of the work, may be read as the one before.
        state = provider.answers.reading(body).state
        # One that the service has no words for is read as none, which is taken for running.
        is_unsaid = state is None and name in ("queued", "running") and not _says_any(provider, "queued", "running")
        if state != name and (name, state) != ("queued", "running") and not is_unsaid:
            return f"`states` reads it as {state or 'none of the states'}"
    has_results = name in ("done", "older") or name == ("result" if provider.job.result else "succeeded")
    if (
        has_results
        and not is_file
        and not provider.answers.outputs(body, lambda path, _: f"https://media.example/{path}")
    ):
        return "`outputs` finds no result in it"
    return None


def _says_any(provider: Provider, *states: str) -> bool:
    return any(rule.state in states for rule in provider.state_rules)
