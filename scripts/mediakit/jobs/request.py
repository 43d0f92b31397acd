"""What a create asks for: which service, which model, which payload.

CreateRequest    as it was given
made_again       with what the file of --from says filled in
addressed        with the whole address of the service in --base-url
check            the CheckedRequest that it comes to
service_of       the service that is meant where none is named
CheckedRequest   complete and checked; nothing about it needs a key or the network
generation_id    an id as it was given, checked
"""

from __future__ import annotations

import time

from ..base import canonical, errors
from ..base.pointer import point
from ..base.record import record, replace
from ..base.text import plain
from ..http import addresses
from ..media import inputs
from ..services import catalogue, checking, keys, model_contract, payloads, providers, tasks
from ..services.descriptor import ANY_ROUTE, Route
from ..services.trust import is_model, usable_id
from .connection import ConnectionFlags, address, origin_at, provider_of
from .lifecycle.policy import WaitPolicy


@record
class CreateRequest:
    """What somebody asks for.

    content   fields, prompt and files
    model     None where a task, an endpoint or the content names it
    task      a key of providers.TASKS
    endpoint  the path or URL of a create, in place of a model
    implies   the provider that the other flags mean where none is named
    source    a file with the record of a result that is to be made again
    """

    content: payloads.Content
    model: str | None = None
    task: str | None = None
    endpoint: str | None = None
    implies: str | None = None
    source: str | None = None


@record
class CheckedRequest(payloads.Built):
    """One request that can be sent as it is: what it holds, where it goes, and what is known of it.

    model        None where an endpoint is none of a model
    path         where it is sent, below the base URL
    streams      whether a stream is asked for
    warnings     what the contract cannot vouch for, as (code, message)
    is_checked   whether there was a contract to check against, however much of it is known
    route        the way to create that is taken
    task         what is made, where that is known
    rows         the fields of the contract, as contracts.Operation.fields gives them
    origin       connection.origin_at of where it is sent; what was billed elsewhere is no price of it
    """

    provider: providers.Provider
    model: str | None
    path: str
    streams: bool
    warnings: tuple[tuple[str, str], ...] = ()
    is_checked: bool = False
    route: Route = ANY_ROUTE
    task: str | None = None
    rows: tuple[dict, ...] = ()
    origin: str = ""

    @property
    def noted(self) -> dict:
        """The payload as the ledger keeps it: a note in place of each file."""
        return inputs.noted(self.shaped, self.attachments)

    @property
    def is_form(self) -> bool:
        """Whether it is sent as a form: always on its route, or because files travel in it as parts."""
        with_files = any(isinstance(attachment, inputs.File) for attachment in self.attachments.values())
        return self.route.is_form or (with_files and any(way.with_create == "form" for way in self.provider.ways))

    @property
    def fields(self) -> dict:
        """What --param fills: the fields of the model."""
        found = point(self.payload, self.route.fields)
        return found if isinstance(found, dict) else {}


def made_again(create: CreateRequest, flags: ConnectionFlags) -> tuple[CreateRequest, ConnectionFlags]:
    """Both with provider, model and payload as the record in `source` says them; what is given beside it comes first.

    Raises Failure 2. The payload is checked like any other afterwards.
    """
    if create.source is None:
        return create, flags
    from ..provenance import provenance

    content = create.content
    record = provenance.recorded(create.source)
    if flags.provider is None:
        flags = replace(flags, provider=record["provider"], speaks=flags.speaks or record.get("speaks"))
    payload = provenance.payload_again(record, set(content.parameters), {name for name, _ in content.inputs})
    rules = provider_of(flags, flags.provider or record["provider"]).idempotency
    if rules is not None:  # the same key would be answered with the same job
        payload.pop(rules["field"], None)
    is_named = create.model or create.task or create.endpoint
    model = create.model if is_named else record.get("model")
    return replace(create, content=replace(content, payload=payload, of_others=True), model=model, source=None), flags


def addressed(create: CreateRequest, flags: ConnectionFlags) -> tuple[CreateRequest, ConnectionFlags]:
    """Both with the whole address of the service in --base-url, also where its end was written into the endpoint.

    What is asked about the job later goes below that address. Raises Failure 2 or 27.
    """
    if not create.endpoint or flags.base_url is None:
        return create, flags
    provider = provider_of(flags, flags.provider or create.implies or "")
    base_url, path = _endpoint(create.endpoint, flags, provider)
    base_url, path = addresses.with_prefix(path, base_url, provider.base_path)
    return replace(create, endpoint=path), replace(flags, base_url=base_url)


def _endpoint(endpoint: str, flags: ConnectionFlags, provider: providers.Provider) -> tuple[str, str]:
    """`(base URL, path below it)`, the path in its one spelling."""
    # An embedded service has no address yet; its prefix is known all the same.
    own = provider.base_url or f"http://localhost{provider.base_path}"
    base_url = addresses.resolve_base_url(flags.base_url, own, flags.trust_base_url)
    return base_url, canonical.path(addresses.resolve_endpoint("--sse-endpoint", endpoint, base_url))


@record
class _Target:
    """Where a create goes: the route, its path filled in, and what is known of model and task."""

    route: Route
    path: str
    model: str | None
    streams: bool
    task: str | None = None


def check(
    create: CreateRequest,
    flags: ConnectionFlags,
    policy: WaitPolicy,
    copies: int = 1,
    asks: bool = False,
    contract_of=model_contract.of,
) -> CheckedRequest:
    """The CheckedRequest that a CreateRequest comes to; raises Failure, and then nothing was bought.

    asks         whether the service may be asked for the contract of a model that none is known of
    contract_of  as model_contract.of; of somebody who checks many requests, one that remembers
    """
    if create.endpoint and create.model:
        raise errors.bad_argument("--sse-endpoint", "expected without --model: it names the model itself")
    provider = provider_of(flags, service_of(create, flags))
    content = create.content
    if create.endpoint:
        target = _of_endpoint(create, create.endpoint, flags, provider, policy)
    else:
        target = _of_model(create, provider, policy)
    why_none = _contract_from_service(provider, target, flags, policy) if asks and content.validates else None
    contract = contract_of(provider, target.model, target.path, target.task)
    if target.streams and not create.endpoint and contract and contract.answers.sse_create_endpoint is None:
        # This model has no stream.
        target = replace(target, path=provider.paths.of_route(target.route, target.model, False), streams=False)
    content, dropped = payloads.without_consents(content, provider, contract)
    built = payloads.build(content, provider, contract, target.model, target.route)
    rules = provider.idempotency
    if rules is not None and built.payload.get(rules["field"]) and copies > 1:
        raise errors.bad_argument(rules["field"], "expected without --copies: one key is one job")
    warnings = _checked(create, provider, target, contract, built.shaped) if content.validates else []
    warnings += _beside(provider, why_none, dropped, built)
    return CheckedRequest(
        built.payload, built.attachments, built.shapes,
        provider, target.model, target.path, target.streams, tuple(warnings),
        content.validates and contract is not None, target.route, target.task,
        tuple(contract.fields()) if contract else (), _origin(flags, provider),
    )  # fmt: skip


def _beside(
    provider: providers.Provider, why_no_contract: str | None, dropped: list[str], built: payloads.Built
) -> list[tuple[str, str]]:
    """The warnings about what no contract speaks of."""
    warnings = []
    if why_no_contract:
        words = f"the contract that {provider.title} publishes of it could not be had: {plain(why_no_contract)}"
        warnings.append(("contract_missing", words))
    if dropped:
        named = plain(", ".join(at[1:] for at in dropped), 300)
        words = f"not taken over from a file that somebody else may have written: {named}"
        warnings.append(("consent_left_out", words))
    for attachment in built.attachments.values():
        if isinstance(attachment, inputs.File) and attachment.warning:
            warnings.append(("unknown_format", f"--input: {attachment.warning}"))
    return warnings


def _contract_from_service(
    provider: providers.Provider, target: _Target, flags: ConnectionFlags, policy: WaitPolicy
) -> str | None:
    """Fetch the contract of a model that none is known of, from where its service publishes it; why not, in words."""
    if provider.embedded or provider.says("contract") is None or target.model is None:
        return None
    if catalogue.entry(provider.speaks, target.model).get("contract", "none") != "none":
        return None
    from ..services import live

    # A quarter of the time at most: the rest is for the job.
    seconds = min(live.PATIENCE, (policy.deadline - time.monotonic()) / 4)
    return live.offer_contract(provider, target.model, address(flags, provider), seconds) if seconds > 0 else None


def _origin(flags: ConnectionFlags, provider: providers.Provider) -> str:
    """Empty for an address that cannot be used; who connects says so."""
    try:
        return origin_at(provider, address(replace(flags, trust_base_url=True), provider))
    except errors.Failure:
        return ""


def _checked(create: CreateRequest, provider: providers.Provider, target: _Target, contract, payload: dict) -> list:
    """The warnings about a request that may be sent; raises Failure for any other."""
    not_listed = checking.check_model(provider, target.model)
    checking.check_task(provider, target.model, contract, payload, create.task, target.route)
    warnings = checking.check(provider, target.model, contract, payload, target.route)
    return warnings if create.endpoint else [*not_listed, *warnings]  # an endpoint is known by its caller


def _of_endpoint(
    create: CreateRequest, endpoint: str, flags: ConnectionFlags, provider: providers.Provider, policy: WaitPolicy
) -> _Target:
    """What --sse-endpoint means."""
    _, path = _endpoint(endpoint, flags, provider)
    streams = provider.paths.is_stream(path)
    if streams and not policy.stream:
        raise errors.bad_argument("--stream", "never does not go with an endpoint that answers with a stream")
    model = provider.paths.model_of(path)
    _check_task(create, provider, model)
    return _Target(provider.paths.route_of(path), path, model, streams, create.task)


def _of_model(create: CreateRequest, provider: providers.Provider, policy: WaitPolicy) -> _Target:
    """What a model or a task means."""
    content = create.content
    fields = content.payload or {}
    model = _model(create, provider, fields)
    if not is_model(model):
        raise errors.bad_argument("--model", "expected a model such as owner/name")
    _check_task(create, provider, model)
    # Nobody reads a stream that is not waited for.
    streams = provider.streams and policy.stream and policy.wait
    try:
        task = create.task or tasks.of(provider, model, content)
        route = provider.paths.route(model, task, fields)
        return _Target(route, provider.paths.of_route(route, model, streams), model, streams, task)
    except ValueError as problem:
        raise errors.bad_argument("--model", str(problem)) from None


def _check_task(create: CreateRequest, provider: providers.Provider, model: str | None) -> None:
    """Raise Failure 2 for a task that a model is not known to do: something else would be bought."""
    does = catalogue.entry(provider.speaks, model).get("tasks") if create.content.validates else None
    if create.task and does and create.task not in does:
        raise errors.bad_argument("--task", f"{model} is not known to do {create.task}; expected {' or '.join(does)}")


def _model(create: CreateRequest, provider: providers.Provider, fields: dict) -> str:
    places = dict.fromkeys(route.model for route in provider.routes if route.model)
    named = next((found for at in places if isinstance(found := point(fields, at), str)), None)
    if named is not None and create.model not in (None, named):
        raise errors.bad_argument("--model", "expected without: the payload names another")
    exchanged = [at for at in places if create.content.parameters.get(at.lstrip("/"), create.model) != create.model]
    if exchanged:
        # Contract, price and ledger go by the model: a field must not exchange it behind them.
        raise errors.bad_argument("--model", f"expected in place of --param {exchanged[0].lstrip('/')}")
    if create.model is not None:
        return create.model
    if named is not None:
        return named
    if create.task is None:
        raise errors.bad_argument("--model", "expected a model, a --task with a default model, or an endpoint")
    model = catalogue.defaults(provider.speaks).get(create.task)
    if model is None:
        has = ", ".join(catalogue.defaults(provider.speaks))
        words = f"{provider.title} has no default model for it; expected --model, or {has}"
        others = [name for name in providers.spoken_by(provider.name) if create.task in catalogue.defaults(name)]
        raise errors.bad_argument("--task", f"{words}; or --as {' or '.join(others)}" if others else words)
    return model


def service_of(create: CreateRequest, flags: ConnectionFlags) -> str:
    """--provider, else what the other flags imply, else the one service whose key is found."""
    named = flags.provider or create.implies
    if named:
        return named
    real = [(provider, provider.key) for name in providers.names() if (provider := providers.load(name)).key]
    if flags.key_stdin:
        raise errors.bad_argument("--provider", "expected with --key-stdin, to say whose key it is")
    found = [provider for provider, key in real if _has_key(flags, provider, key)]
    if len(found) == 1:
        return found[0].name
    if found:
        names = ", ".join(provider.name for provider in found)
        raise errors.bad_argument("--provider", f"expected, for keys of several services were found: {names}")
    variables = ", ".join(key["variable"] for _, key in real)
    raise errors.Failure(
        "missing_api_key",
        f"no --provider was named and no key was found (looked for {variables})",
        "auth",
        field="--provider",
        outcome="not_sent",
        retryable=False,
        guidance=[
            "To try it without a key, add: --provider sandbox",
            *(f"For {provider.title}, a key comes from {key['create_url']}" for provider, key in real),
        ],
    )


def _has_key(flags: ConnectionFlags, provider: providers.Provider, key: dict) -> bool:
    return keys.find(key, login=_login(flags, provider), trusts_dotenv=flags.trust_dotenv) is not None


def _login(flags: ConnectionFlags, provider: providers.Provider):
    """A callable that asks the service's own program for its login, where it may be used."""

    def look() -> keys.Key | None:
        if provider.cli is None or provider.base_url is None or flags.transport == "rest":
            return None
        from ..services import program

        found, _ = program.look_for(provider, provider.base_url)
        return found.saved_login() if found and not found.check() else None

    return look


def generation_id(given: str | None) -> str:
    """The id of --generation-id; raises Failure 2 for one that no service could have given."""
    found = usable_id(given or "")
    if found is None:
        raise errors.bad_argument("--generation-id", "expected the id of a job, as `submitted` told it")
    return found
