"""A descriptor, read: what assets/schemas/provider.schema.json says of a service, as frozen values. Pure.

    routes, job, state_rules, output_rules, cost_rules, inputs, error_rules, ...   one part each, from the JSON object

What a service leaves unknown is absent here too: an empty tuple, None, or the rule that stands for not knowing.
A pointer is a JSON Pointer; a pattern must fit the whole text.
"""

from __future__ import annotations

from ..base.record import record

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import Any


_NOTHING: dict = {}  # of everybody, and changed by nobody


@record
class Route:
    """One way to create. The first that fits a task and a model is taken.

    path         POST, below the base path; {model} stands for the model
    stream_path  the same, answered by an event stream
    other_paths  further spellings of the same path, for recognising a model; {any} is one segment
    is_form      whether the body is a form
    prompt       pointers into the body: the first whose field the model's contract has, else the first
    fields       where --param goes: a pointer to an object of the body
    model        where the body names the model; None where the path does
    file         where a file goes; None where the route takes none
    file_as      the shape of a file there, with placeholders; None for the reference itself
    answers      job: with an id; done: with the result itself; media: the answer's body is the file
    defaults     fields (below `fields`) that are sent unless the user gives them
    constants    pointer into the body -> what is always sent there
    count        the field that says how many results are asked for
    """

    path: str
    tasks: tuple[str, ...] = ()
    models: str | None = None
    origin: str | None = None
    stream_path: str | None = None
    other_paths: tuple[str, ...] = ()
    is_form: bool = False
    prompt: tuple[str, ...] = ()
    fields: str = ""
    model: str | None = None
    file: str | None = None
    file_as: Any = None
    answers: str = "job"
    defaults: dict = _NOTHING
    constants: dict = _NOTHING
    count: str = "n"


# What is sent by no route of a descriptor: an action.
ANY_ROUTE = Route(path="")


@record
class Step:
    """One request about a job, or about the account.

    path         below the base path, or below the origin where `from_root`; {id}, {model}, {model:2} are filled in
    told         pointers into the create's answer to an address that is used in place of the path
    every        not more often than so many seconds
    failed_http  statuses that say that the job itself failed
    only_in      states in which it may be asked for; empty for any
    over_http    statuses that say that the job was over already
    costs        in words: what a job costs that was ended by it
    max_bytes    how large the answer may be; None for as large as any
    """

    path: str
    from_root: bool = False
    told: tuple[str, ...] = ()
    origin: str | None = None
    method: str = "GET"
    every: float = 0.0
    failed_http: tuple[int, ...] = ()
    only_in: tuple[str, ...] = ()
    over_http: tuple[int, ...] = ()
    costs: str | None = None
    max_bytes: int | None = None


@record
class Listing:
    """A list of things, in pages: jobs or models.

    each        pointers to the array, the first that leads to one; keys_of in its place: the names in an object
    next_told   pointer to the address of the next page
    next_at     pointer to a cursor, which goes into the query as `next_query`
    search      the query's name for words to look for
    holds       the states of the jobs that are in it; empty for any
    """

    step: Step
    each: tuple[str, ...]
    keys_of: str | None = None
    next_told: str | None = None
    next_at: str | None = None
    next_query: str | None = None
    search: str | None = None
    holds: tuple[str, ...] = ()
    at: dict = _NOTHING


@record
class JobRules:
    """A job: where its id stands, and what can be asked about it."""

    ids: tuple[str, ...] = ()
    like: str | None = None
    namespaces: dict = _NOTHING
    read: Step | None = None
    result: Step | None = None
    cancel: Step | None = None
    listing: Listing | None = None


@record
class Condition:
    """Whether something stands at the first of `at` that leads somewhere; `values` says what, None for anything."""

    at: tuple[str, ...]
    values: tuple | None = None


@record
class StateRule:
    """An answer that meets `when` is in `state`; unless it holds outputs, where `unless_outputs`."""

    state: str
    when: Condition
    unless_outputs: bool = False


@record
class Fact:
    """Where a fact about an output stands: in its entry, or in the body."""

    at: str
    of_body: bool = False
    otherwise: Any = None


@record
class OutputRule:
    """Where results are. The first rule that finds something counts.

    each      pointers, one a level: to an array, or to a single value
    walk      a pointer: every media address below counts, for answers whose shape no source states
    url, base64, text   pointers within an entry; all None: the entry is the address itself
    path      an address made from the job's id, in place of one that is told
    where     conditions on the entries, one a level of `each`; None for none
    relative_to  base, origin or answer: where an address begins that is told without its beginning; None: it is none
    with_key  whether the file is only had with the key
    facts     type, media_type, format, width, height, duration -> where it stands
    """

    each: tuple[str, ...] | None = None
    walk: str | None = None
    url: str | None = None
    base64: str | None = None
    text: str | None = None
    path: str | None = None
    where: tuple[Condition | None, ...] = ()
    relative_to: str | None = None
    with_key: bool = False
    facts: dict = _NOTHING


@record
class CostRule:
    """What a job costs: a number at a pointer or in a header.

    of          create, read or result: the answer that tells it; None for any
    unit        what is counted; each: how many of `unit` one of it is
    is_ceiling  the most that it can cost, replaced by what it has cost
    unless      an answer of which this holds charges nothing
    """

    unit: str
    at: str | None = None
    header: str | None = None
    of: str | None = None
    each: float = 1
    is_ceiling: bool = False
    unless: Condition | None = None


@record
class Word:
    """Where a word of an answer stands: at a pointer, in a header, or within the text at a pointer, as `like`'s group."""

    at: str | None = None
    header: str | None = None
    like: str | None = None


@record
class ErrorRules:
    """What an answer that is no success says.

    issues   a list of single errors: {each, path, message}
    link     pointer to an address with more about it
    """

    code: tuple[Word, ...] = ()
    message: tuple[Word, ...] = ()
    issues: dict = _NOTHING
    code_categories: dict = _NOTHING
    status_categories: dict = _NOTHING
    outcomes: dict = _NOTHING
    recovery: dict = _NOTHING
    link: str | None = None


@record
class Upload:
    """A request of a file's way to the service.

    body             with placeholders; None where the file is the body, or a form's part
    of_address       what of the body is otherwise for a file that was fetched from an address
    part             the form's part that holds the file
    form             pointer to the further parts of the form, in the answer before
    told             pointer to the address, in the answer before; told_header: the header with it
    hosts            where a told address may lead
    """

    step: Step
    headers: dict = _NOTHING
    body: dict | None = None
    of_address: dict = _NOTHING
    part: str | None = None
    form: str | None = None
    told: str | None = None
    told_header: str | None = None
    hosts: tuple[str, ...] = ()


@record
class Way:
    """One way for files to a service.

    with_create  form, base64 or data_uri: with the create itself
    begin, send  an upload before it: one request, or one that tells where the file goes and one that brings it
    reference, like   where the answer names the file, and what such a name looks like; None: it is an address
    ready        what is read until the file can be used: {step, file, like, when, failed}
    check        reads whether a name that was kept is still good
    most         the largest file, in bytes
    kinds        kind of file -> limits
    """

    with_create: str | None = None
    begin: Upload | None = None
    send: Upload | None = None
    reference: str | None = None
    like: str | None = None
    ready: dict | None = None
    check: str | None = None
    keep_seconds: float = 0.0
    most: int | None = None
    file_as: Any = None
    stand_in: str | None = None
    kinds: dict = _NOTHING


# -- reading -------------------------------------------------------------------------------------------


def routes(data: dict) -> tuple[Route, ...]:
    """The routes of `create`, in order."""
    return tuple(map(_route, data.get("create", ())))


def _route(data: dict) -> Route:
    return Route(
        path=data["path"],
        tasks=tuple(data.get("tasks", ())),
        models=data.get("models"),
        origin=data.get("origin"),
        stream_path=data.get("stream_path"),
        other_paths=tuple(data.get("other_paths", ())),
        is_form=data.get("as") == "form",
        prompt=_several(data.get("prompt")),
        fields=data.get("fields", ""),
        model=data.get("model"),
        file=data.get("file"),
        file_as=data.get("file_as"),
        answers=data.get("answers", "job"),
        defaults=data.get("defaults", {}),
        constants=data.get("constants", {}),
        count=data.get("count", "n"),
    )


def step(data: dict | None) -> Step | None:
    """A step; None for one that the descriptor does not have."""
    if data is None:
        return None
    return Step(
        path=data.get("path_from_root", data.get("path", "")),
        from_root="path_from_root" in data,
        told=_several(data.get("told")),
        origin=data.get("origin"),
        method=data.get("method", "GET"),
        every=data.get("every", 0.0),
        failed_http=tuple(data.get("failed_http", ())),
        only_in=tuple(data.get("only_in", ())),
        over_http=tuple(data.get("over_http", ())),
        costs=data.get("costs"),
        max_bytes=data.get("max_bytes"),
    )


def listing(data: dict | None) -> Listing | None:
    """A list of jobs or models; None for none."""
    if data is None:
        return None
    following = data.get("next", {})
    own = ("origin", "path", "path_from_root", "method", "every", "told", "each", "keys_of", "next", "search", "holds")
    return Listing(
        step=step(data),  # type: ignore[arg-type]
        each=_several(data.get("each", "")),
        keys_of=data.get("keys_of"),
        next_told=following.get("told"),
        next_at=following.get("at"),
        next_query=following.get("query"),
        search=data.get("search"),
        holds=tuple(data.get("holds", ())),
        at={name: where for name, where in data.items() if name not in own},
    )


def job(data: dict) -> JobRules:
    """What can be asked about a job."""
    found = data.get("job", {})
    its_id = found.get("id", {})
    return JobRules(
        ids=_several(its_id.get("at")),
        like=its_id.get("like"),
        namespaces=found.get("namespaces", {}),
        read=step(found.get("read")),
        result=step(found.get("result")),
        cancel=step(found.get("cancel")),
        listing=listing(found.get("list")),
    )


def condition(data: dict) -> Condition:
    """A condition on a value."""
    return Condition(_several(data["at"]), values(data["is"]) if "is" in data else None)


def values(found: Any) -> tuple:
    """One value or several, as they are written in `is`."""
    return tuple(found) if isinstance(found, list) else (found,)


def state_rules(data: dict) -> tuple[StateRule, ...]:
    """The rules of `states`, in order."""
    return tuple(
        StateRule(rule["state"], condition(rule), rule.get("unless_outputs", False)) for rule in data.get("states", ())
    )


_FACTS = ("type", "media_type", "format", "width", "height", "duration")


def output_rules(data: dict) -> tuple[OutputRule, ...]:
    """The rules of `outputs`, in order."""
    return tuple(map(_output_rule, data.get("outputs", ())))


def _output_rule(data: dict) -> OutputRule:
    each = data.get("each", data.get("one"))
    each = None if each is None else _several(each)
    conditions = data.get("where", ())
    if isinstance(conditions, dict):  # one alone is on the innermost entries
        conditions = [*[None] * (len(each or ()) - 1), conditions]
    return OutputRule(
        each=each,
        walk=data.get("walk"),
        url=data.get("url"),
        base64=data.get("base64"),
        text=data.get("text"),
        path=data.get("path"),
        where=tuple(one and condition(one) for one in conditions),
        relative_to=data.get("relative_to"),
        with_key=data.get("with_key", False),
        facts={name: _fact(data[name]) for name in _FACTS if name in data},
    )


def _fact(data: str | dict) -> Fact:
    if isinstance(data, str):
        return Fact(data)
    return Fact(data["at"], data.get("of") == "body", data.get("else"))


def cost_rules(data: list) -> tuple[CostRule, ...]:
    """The rules of `cost`, in order."""
    return tuple(
        CostRule(
            rule["unit"], rule.get("at"), rule.get("header"), rule.get("of"), rule.get("each", 1),
            rule.get("is") == "most", condition(rule["unless"]) if "unless" in rule else None,
        )
        for rule in data
    )  # fmt: skip


def word(data: str | dict) -> Word:
    """Where one word of an answer stands."""
    if isinstance(data, str):
        return Word(at=data)
    return Word(at=data.get("in"), header=data.get("header"), like=data.get("like"))


def error_rules(data: dict) -> ErrorRules:
    """`errors`, or the words of `failure`."""
    return ErrorRules(
        code=tuple(map(word, data.get("code", ()))),
        message=tuple(map(word, data.get("message", ()))),
        issues=data.get("issues", {}),
        code_categories=data.get("code_categories", {}),
        status_categories=data.get("status_categories", {}),
        outcomes=data.get("outcomes", {}),
        recovery=data.get("recovery", {}),
        link=data.get("link"),
    )


def ways(data: dict) -> tuple[Way, ...]:
    """The ways of `inputs`, in order; the first that a file fits is taken."""
    return tuple(map(_way, listed(data.get("inputs"))))


def listed(found: dict | list | None) -> list:
    """One thing, or several, or none, as a list."""
    return [found] if isinstance(found, dict) else found or []


def _way(data: dict) -> Way:
    reference = data.get("reference")
    reference = {"at": reference} if isinstance(reference, str) else reference or {}
    return Way(
        with_create=data.get("with_create"),
        begin=_upload(data.get("begin") or data.get("form")),
        send=_upload(data.get("send")),
        reference=reference.get("at"),
        like=reference.get("like"),
        ready=data.get("ready"),
        check=data.get("check"),
        keep_seconds=data.get("keep_seconds", 0.0),
        most=data.get("max_bytes"),
        file_as=data.get("file_as"),
        stand_in=data.get("stand_in"),
        kinds=data.get("kinds", {}),
    )


def _upload(data: dict | None) -> Upload | None:
    if data is None:
        return None
    return Upload(
        step=step({"method": "POST", **{name: value for name, value in data.items() if name != "told"}}),  # type: ignore[arg-type]
        headers=data.get("headers", {}),
        body=data.get("body"),
        of_address=data.get("body_of_address", {}),
        part=data.get("part"),
        form=data.get("form"),
        told=data.get("told"),
        told_header=data.get("told_header"),
        hosts=tuple(data.get("hosts", ())),
    )


def _several(data: str | list | None) -> tuple[str, ...]:
    if data is None:
        return ()
    return (data,) if isinstance(data, str) else tuple(data)
