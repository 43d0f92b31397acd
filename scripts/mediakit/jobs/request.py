"""What the flags of a create ask for: which service, which model, which payload.

Request   one request, complete and checked; nothing about it needs a key or the network
read      a Request from the parsed flags
"""

from __future__ import annotations

from collections import namedtuple

from ..base import errors
from ..console import inputs
from ..http import transport
from ..provenance import provenance
from ..services import catalogue, keys, payloads, program, providers
from . import options

# service  the name of a provider
# model    the model, None where an endpoint is none of a model
# path     where it is sent, below the base URL
# streams  whether a stream is asked for
# payload  the fields to send, with a stand-in for each file
# warnings what the contract cannot vouch for, as (code, message)
# attachments  stand-in of the payload -> what it stands for
Request = namedtuple("Request", "service model path streams payload warnings attachments", defaults=((), {}))


def read(arguments) -> Request:
    """The Request that the flags of create_and_wait.py mean; raises Failure."""
    # What is wrong there is told before anything is bought.
    provenance.check(options.saving(arguments), arguments.output_dir)
    inputs.one_standard_input(
        ("--key-stdin", arguments.key_stdin),
        ("--payload-file", arguments.payload_file == "-"),
        ("--prompt-file", arguments.prompt_file == "-"),
        *(("--input", given.partition("=")[2] == "-") for given in arguments.input),
    )
    if arguments.model_slug is not None:
        if arguments.model is not None:
            raise errors.bad_argument("--model-slug", "expected without --model: it says the same")
        arguments.model = arguments.model_slug
    if arguments.sse_endpoint and (arguments.model or arguments.task):
        raise errors.bad_argument("--sse-endpoint", "expected without --model and --task: it names the model itself")
    service = service_of(arguments)
    provider = options.provider_of(arguments, service)
    base = payloads.base(arguments)
    of = _endpoint(arguments, provider) if arguments.sse_endpoint else _of_model(arguments, provider, base)
    path, model, streams = of
    contract = payloads.contract_of(provider, model, path)
    if streams and not arguments.sse_endpoint and contract and contract.sse_create_endpoint is None:
        path, streams = provider.create_path(model, False), False  # this model has no stream
    payload, found = payloads.build(arguments, provider, contract, model, base)
    warnings = [] if arguments.no_validate else _checked(arguments, provider, model, contract, payload)
    doubts = [("unknown_format", f"--input: {one.warning}") for one in found.values() if getattr(one, "warning", None)]
    return Request(service, model, path, streams, payload, [*warnings, *doubts], found)


def _checked(arguments, provider: providers.Provider, model: str | None, contract, payload: dict) -> list:
    """The warnings about a request that may be sent; raises Failure for any other."""
    not_listed = payloads.check_model(provider, model)
    payloads.check_task(provider, model, contract, payload, arguments.task)
    warnings = payloads.check(provider, model, contract, payload)
    return warnings if arguments.sse_endpoint else [*not_listed, *warnings]  # an endpoint is known by its caller


def _endpoint(arguments, provider: providers.Provider) -> tuple[str, str | None, bool]:
    """`(path, model, whether it streams)` of --sse-endpoint."""
    # An embedded service has no address yet; its prefix is known all the same.
    own = provider.base_url or f"http://localhost{provider.base_path}"
    base_url = transport.resolve_base_url(arguments.base_url, own, arguments.trust_base_url)
    path = transport.resolve_endpoint("--sse-endpoint", arguments.sse_endpoint, base_url)
    streams = provider.is_stream_path(path)
    if streams and arguments.stream == "never":
        raise errors.bad_argument("--stream", "never does not go with an endpoint that answers with a stream")
    return path, provider.model_of(path), streams


def _of_model(arguments, provider: providers.Provider, base: dict) -> tuple[str, str, bool]:
    """`(path, model, whether it streams)` of --model or --task."""
    model = _model(arguments, provider, base)
    task = arguments.task or next(iter(catalogue.entry(provider.speaks, model).get("tasks", ())), None)
    # Nobody reads a stream that is not waited for.
    streams = provider.streams and arguments.stream == "auto" and not arguments.no_wait
    try:
        return provider.create_path(model, streams, task, base), model, streams
    except ValueError as problem:
        raise errors.bad_argument("--model", str(problem)) from None


def _model(arguments, provider: providers.Provider, base: dict) -> str:
    named = base.get(provider.model_field) if provider.model_field else None
    if isinstance(named, str) and arguments.model not in (None, named):
        raise errors.bad_argument("--model", f"the payload names another in {provider.model_field}")
    if arguments.model is not None:
        return arguments.model
    if isinstance(named, str):
        return named
    if arguments.task is None:
        raise errors.bad_argument("--model", "expected a model, a --task with a default model, or an endpoint")
    model = catalogue.defaults(provider.speaks).get(arguments.task)
    if model is None:
        has = ", ".join(catalogue.defaults(provider.speaks))
        raise errors.bad_argument("--task", f"{provider.title} has no default model for it; expected --model, or {has}")
    return model


def service_of(arguments) -> str:
    """--provider, else what the other flags imply, else the one service whose key is found."""
    if arguments.provider:
        return arguments.provider
    if arguments.sse_endpoint:
        return "skills-video"
    if arguments.model_slug:
        return "modellix"
    real = [providers.load(name) for name in providers.names()]
    real = [provider for provider in real if provider.key]
    if arguments.key_stdin:
        raise errors.bad_argument("--provider", "expected with --key-stdin, to say whose key it is")
    found = [provider for provider in real if keys.find(provider.key, login=_login(arguments, provider))]
    if len(found) == 1:
        return found[0].name
    if found:
        names = ", ".join(provider.name for provider in found)
        raise errors.bad_argument("--provider", f"expected, for keys of several services were found: {names}")
    variables = ", ".join(provider.key["variable"] for provider in real)
    raise errors.Failure(
        "missing_api_key",
        f"no --provider was named and no key was found (looked for {variables})",
        "auth",
        field="--provider",
        outcome="not_sent",
        retryable=False,
        guidance=[
            "To try it without a key, add: --provider sandbox",
            *(f"For {provider.title}, a key comes from {provider.key['create_url']}" for provider in real),
        ],
    )


def _login(arguments, provider: providers.Provider):
    """A callable that asks the service's own program for its login, where it may be used."""

    def look() -> keys.Key | None:
        if provider.cli is None or arguments.transport == "rest":
            return None
        found, _ = program.look_for(provider, provider.base_url)
        return found.saved_login() if found and not found.check() else None

    return look


def generation_id(given: str | None) -> str:
    """The id of --generation-id; raises Failure 2 for one that no service could have given."""
    found = providers.usable_id(given or "")
    if found is None:
        raise errors.bad_argument("--generation-id", "expected the id of a job, as `submitted` told it")
    return found
