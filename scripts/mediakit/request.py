"""What the flags of a create ask for: which service, which model, which payload.

    Request   one request, complete but for the service's address
    read      a Request from the parsed flags
    address   where it goes, once the service's address is known
"""

from __future__ import annotations

import json
from collections import namedtuple

from . import errors, inputs, keys, options, providers, transport

# service  the name of a provider
# model    the model, None where only an endpoint was given
# endpoint what --sse-endpoint says, or None
# payload  the fields to send
Request = namedtuple("Request", "service model endpoint payload")

# Where a request goes: the path below the base URL, its model, and whether a stream is asked for.
Address = namedtuple("Address", "path model streams")


def read(arguments) -> Request:
    """The Request that the flags of create_and_wait.py mean; raises Failure."""
    inputs.one_standard_input(
        ("--key-stdin", arguments.key_stdin),
        ("--payload-file", arguments.payload_file == "-"),
        ("--prompt-file", arguments.prompt_file == "-"),
    )
    if arguments.sse_endpoint and (arguments.model or arguments.task):
        raise errors.bad_argument("--sse-endpoint", "expected without --model and --task: it names the model itself")
    if not (arguments.sse_endpoint or arguments.model or arguments.task):
        raise errors.bad_argument("--model", "expected a model, a --task with a default model, or an endpoint")
    service = service_of(arguments)
    provider = providers.load(service)
    model = arguments.model
    if model is None and arguments.task:
        model = provider.defaults.get(arguments.task)
        if model is None:
            raise errors.bad_argument("--task", f"{provider.title} has no default model for it; expected --model")
    if model is not None:
        try:
            provider.create_path(model, False)
        except ValueError as problem:
            raise errors.bad_argument("--model", str(problem)) from None
    return Request(service, model, arguments.sse_endpoint, _payload(arguments, provider))


def service_of(arguments) -> str:
    """--provider, else what the other flags imply, else the one service whose key is found."""
    if arguments.provider:
        return arguments.provider
    if arguments.sse_endpoint:
        return "skills-video"
    real = [providers.load(name) for name in providers.names()]
    real = [provider for provider in real if provider.key]
    if arguments.key_stdin:
        raise errors.bad_argument("--provider", "expected with --key-stdin, to say whose key it is")
    found = [provider for provider in real if keys.find(provider.key["variable"])]
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


def address(arguments, request: Request, connection: options.Connection) -> Address:
    """Where the request goes; raises Failure for an endpoint that is no path of the service's."""
    provider = connection.provider
    if request.endpoint is not None:
        path = transport.resolve_endpoint("--sse-endpoint", request.endpoint, connection.base_url)
        streams = provider.is_stream_path(path)
        if streams and arguments.stream == "never":
            raise errors.bad_argument("--stream", "never does not go with an endpoint that answers with a stream")
        return Address(path, provider.model_of(path), streams)
    # Nobody reads a stream that is not waited for.
    streams = provider.streams and arguments.stream == "auto" and not arguments.no_wait
    return Address(provider.create_path(request.model, streams), request.model, streams)


def _payload(arguments, provider: providers.Provider) -> dict:
    if arguments.payload is not None and arguments.payload_file is not None:
        raise errors.bad_argument("--payload-file", "expected without --payload")
    if arguments.prompt is not None and arguments.prompt_file is not None:
        raise errors.bad_argument("--prompt-file", "expected without --prompt")
    payload = {}
    if arguments.payload is not None:
        payload = inputs.read_object("--payload", arguments.payload)
    elif arguments.payload_file is not None:
        payload = inputs.read_object("--payload-file", inputs.read_text("--payload-file", arguments.payload_file))
    elif arguments.prompt is None and arguments.prompt_file is None and not arguments.param:
        raise errors.bad_argument("--prompt", "expected a prompt, --param or a payload")
    given = _parameters(arguments.param)
    prompt = arguments.prompt
    if arguments.prompt_file is not None:
        prompt = inputs.read_text("--prompt-file", arguments.prompt_file).strip()
    if prompt is not None:
        if provider.prompt_field in given:
            raise errors.bad_argument("--param", f"{provider.prompt_field} is given by --prompt already")
        given[provider.prompt_field] = prompt
    return _sendable({**payload, **given})


def _parameters(pairs: list[str]) -> dict:
    given = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise errors.bad_argument("--param", "expected NAME=VALUE")
        if name in given:
            raise errors.bad_argument("--param", f"{name[:60]} is given twice")
        given[name] = _value(value)
    return given


def _value(text: str):
    """JSON when it is JSON, else the text itself."""
    try:
        return inputs.read_json("--param", text)
    except errors.Failure:
        return text


def _sendable(payload: dict) -> dict:
    # Bytes of an argument that are no UTF-8 reach Python as lone surrogates, which nothing can send.
    try:
        json.dumps(payload, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise errors.bad_argument("--prompt and --param", "expected text in UTF-8") from None
    return payload


def generation_id(given: str | None) -> str:
    """The id of --generation-id; raises Failure 2 for one that no service could have given."""
    found = providers.usable_id(given or "")
    if found is None:
        raise errors.bad_argument("--generation-id", "expected the id of a job, as `submitted` told it")
    return found
