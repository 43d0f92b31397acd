#!/usr/bin/env python3
# /// script
# requires-python = ">=3.9"
# dependencies = [
#   "requests>=2.32,<3",
#   "urllib3>=2.6,<3",
#   "python-dotenv>=1.0,<2",
#   "PyYAML>=6.0,<7",
#   "Pillow>=10.1,<13",
# ]
# ///
"""Say what an endpoint takes, from its OpenAPI document: fields, a template, a check of a payload.

Nothing is bought. A document comes from a file or a URL, or is one of the bundled contracts.
"""

import os
import sys

sys.dont_write_bytecode = True  # nothing is written into this folder; start decides where bytecode goes
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # not there with -I, -P and PYTHONSAFEPATH
from mediakit.base import start

start.begin()

import re

from mediakit.console import Parser, run

EXAMPLES = """\
  inspect_openapi.py --provider skills-video --list-endpoints --task t2v
  inspect_openapi.py --provider skills-video --model kling-ai/v3/video --include-template
  inspect_openapi.py --openapi openapi.yaml --endpoint "POST /v1/videos" --validate @payload.json
  inspect_openapi.py --openapi openapi.json --docs docs.json --list-endpoints --category images"""

MAX_LISTED = 200
DEFAULT_CATEGORY = "videos"


def build_parser():
    from mediakit.console.flags import one_of
    from mediakit.services import catalogue, providers

    names = tuple(dict.fromkeys(list(catalogue.services()) + list(providers.names())))
    tasks = providers.TASKS
    parser = Parser(__doc__, EXAMPLES)
    where = parser.add_argument_group("which document")
    where.add_argument(
        "--openapi", metavar="PATH_OR_URL", help="an OpenAPI document, JSON or YAML; comes before a bundled one"
    )
    where.add_argument("--docs", metavar="PATH", help="a docs.json whose Videos and Images groups list the endpoints")
    where.add_argument(
        "--provider", type=one_of(*names), metavar="{{{}}}".format(",".join(names)), help="its bundled contract"
    )
    where.add_argument("--model", metavar="OWNER/NAME", help="one of its models")
    where.add_argument("--refresh", action="store_true", help="fetch what the service itself publishes, and keep it")
    where.add_argument("--base-url", metavar="URL", help="another address of the service, for --refresh")
    where.add_argument("--trust-base-url", action="store_true", help="send the key to the host of --base-url")
    what = parser.add_argument_group("what to say")
    what.add_argument("--list-endpoints", action="store_true", help="list the endpoints that create something")
    what.add_argument("--category", type=one_of("videos", "images"), metavar="{videos,images}", help="of the list")
    what.add_argument("--task", type=one_of(*tasks), metavar="{{{}}}".format(",".join(tasks)), help="of the list")
    what.add_argument("--search", metavar="TEXT", help="words that a line of the list must hold")
    what.add_argument("--endpoint", metavar="ENDPOINT", help='"POST /generation/...", or only the path')
    what.add_argument("--variant", metavar="VALUE", help="one variant of a body that has several")
    what.add_argument("--include-template", action="store_true", help="a body that validates, and what to fill in")
    what.add_argument("--validate", metavar="JSON|@FILE", help="check a payload; problems end with 22")
    parser.add_argument("--json-indent", metavar="N", help="accepted and ignored: one line an object")
    parser.add_argument("--verbose", action="store_true", help="everything, however long")
    return parser


def main(console, arguments):
    _check(arguments)
    payload = _payload(arguments.validate)
    if arguments.refresh:
        _refresh(console, arguments)
    if arguments.list_endpoints:
        listed = _list(arguments)
        if not (arguments.endpoint or arguments.model):
            return console.result("endpoints", 0, **listed)
        console.emit("endpoints", **listed)
    operation = _operation(arguments)
    if arguments.validate is not None:
        return _validate(console, operation, payload)
    from mediakit.contracts.summary import summary

    told = summary(operation, arguments.include_template, arguments.verbose, arguments.variant)
    return console.result("contract", 0, **told)


def _check(arguments):
    from mediakit.base.errors import bad_argument

    if not (arguments.openapi or arguments.provider):
        raise bad_argument("--openapi", "expected a document, or --provider for a bundled contract")
    if not (arguments.list_endpoints or arguments.endpoint or arguments.model or arguments.openapi):
        raise bad_argument("--endpoint", "expected an endpoint, --model, or --list-endpoints")
    if arguments.model and not arguments.provider:
        raise bad_argument("--model", "needs --provider; with a document of your own use --endpoint")
    if arguments.refresh and (arguments.openapi or not arguments.provider):
        raise bad_argument("--refresh", "needs --provider, and does not go with --openapi")
    if arguments.base_url is not None and not arguments.refresh:
        raise bad_argument("--base-url", "belongs to --refresh")
    filters = [flag for flag in ("category", "task", "search") if getattr(arguments, flag) is not None]
    if filters and not arguments.list_endpoints:
        raise bad_argument("--" + filters[0], "belongs to --list-endpoints")
    if arguments.docs and not (arguments.openapi and arguments.list_endpoints):
        raise bad_argument("--docs", "belongs to --openapi and --list-endpoints")


def _payload(text):
    import json
    from pathlib import Path

    from mediakit.base.errors import bad_argument

    if text is None:
        return None
    try:
        return json.loads(Path(text[1:]).read_bytes() if text.startswith("@") else text, parse_constant=_refuse)
    except OSError:
        problem = "the file cannot be read"
    except (ValueError, RecursionError):
        problem = "expected JSON, or @FILE with JSON in it"
    raise bad_argument("--validate", problem)


def _refuse(word):
    raise ValueError(word)


def _refresh(console, arguments):
    """Fetch the list of models, or with --model the contract of that one."""
    from mediakit.services import live

    if arguments.model:
        live.refresh_contract(_service(arguments), arguments.model, arguments.base_url)
    else:
        live.refresh_models(console, _service(arguments), arguments.base_url, arguments.trust_base_url)


def _document(arguments):
    """The document that was named; a model's own comes before its platform's."""
    from mediakit import contracts
    from mediakit.services import catalogue

    if not arguments.openapi:
        return contracts.load(catalogue.contract_path(_service(arguments)))
    from mediakit.http.fetching import Fetcher

    return contracts.load(arguments.openapi, Fetcher())


def _service(arguments):
    from mediakit.services import catalogue, providers

    return (
        arguments.provider if arguments.provider in catalogue.services() else providers.load(arguments.provider).speaks
    )


def _operation(arguments):
    from mediakit import contracts

    if arguments.endpoint:
        return contracts.operation(_document(arguments), arguments.endpoint)
    if arguments.openapi:
        document = _document(arguments)
        return contracts.operation(document, _only_create(document))
    return _of_model(arguments)


def _only_create(document):
    from mediakit.base.errors import bad_argument

    found = [listed.endpoint for listed in document.operations() if listed.method == "POST"]
    if len(found) != 1:
        expected = "expected, since the document has {} POST endpoints; --list-endpoints lists them"
        raise bad_argument("--endpoint", expected.format(len(found)))
    return found[0]


def _of_model(arguments):
    from mediakit.contracts import ContractError
    from mediakit.services import catalogue, payloads

    service = _service(arguments)
    catalogue.find(service, arguments.model)
    found = payloads.contract_of_model(service, arguments.model)
    if found is None:
        raise ContractError("model_not_found", "{} is listed, but no contract of it is known".format(arguments.model))
    return found


def _validate(console, operation, payload):
    checked = operation.check(payload)
    return console.result(
        "validation",
        0 if checked.ok else 22,
        ok=checked.ok,
        endpoint=operation.endpoint,
        problems=checked.problems,
        warnings=checked.warnings or None,
        verified={"source": operation.source, "complete": operation.complete},
    )


# --- the list ---------------------------------------------------------------------------------


def _list(arguments):
    if arguments.docs:
        return _list_docs(arguments)
    return _list_document(arguments) if arguments.openapi else _list_catalogue(arguments)


def _list_catalogue(arguments):
    from mediakit.services import catalogue

    document = _document(arguments)
    menu = catalogue.menu(_service(arguments), arguments.task, arguments.category, arguments.search)
    paths = list(dict.fromkeys(line["path"] for line in menu["runs"]))
    modes = _modes(document, ["POST " + path for path in paths])
    return dict({"provider": arguments.provider, "task": arguments.task}, **dict(menu, **modes))


def _list_document(arguments):
    from mediakit.base.errors import bad_argument

    if arguments.category:
        raise bad_argument("--category", "needs --docs or --provider; a document alone has no categories")
    document = _document(arguments)
    words = (arguments.search or "").lower().split()
    found = [
        listed.endpoint
        for listed in document.operations()
        if listed.method == "POST"
        and "/generation/sse/" not in listed.path
        and (arguments.task is None or arguments.task in (listed.raw.get("x-tasks") or ()))
        and all(word in "{} {}".format(listed.path, listed.raw.get("summary", "")).lower() for word in words)
    ]
    shown = found if arguments.verbose else found[:MAX_LISTED]
    more = (
        {"more": len(found) - len(shown), "detail": "--verbose lists everything, --search narrows"}
        if len(shown) < len(found)
        else {}
    )
    return dict({"source": arguments.openapi}, **dict(_modes(document, shown), **more))


def _list_docs(arguments):
    from mediakit.base.errors import bad_argument
    from mediakit.contracts.library import Library

    if arguments.task:
        raise bad_argument("--task", "is not known to a docs.json; use --category or --search")
    category = arguments.category or DEFAULT_CATEGORY
    library = Library(arguments.docs)
    found = [
        endpoint
        for group in _groups(library.read(library.root), category.title())
        for endpoint in _endpoints(group["pages"])
    ]
    words = (arguments.search or "").lower().split()
    found = [endpoint for endpoint in dict.fromkeys(found) if all(word in endpoint.lower() for word in words)]
    return dict({"category": category, "source": library.root}, **_modes(_document(arguments), found))


def _groups(node, name):
    """Every group of a docs.json with that name, however deep."""
    if isinstance(node, dict) and node.get("group") == name and isinstance(node.get("pages"), list):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        for found in _groups(inner, name):
            yield found


def _endpoints(node):
    """`POST /generation/...` in the pages of a group, its subgroups included."""
    if isinstance(node, str):
        found = re.match(r"^POST\s+(/generation/\S.*)$", node.strip(), re.IGNORECASE)
        if found:
            yield "POST " + found.group(1)
    elif isinstance(node, dict):
        node = [node.get("pages")]
    for inner in node if isinstance(node, list) else ():
        for found in _endpoints(inner):
            yield found


def _modes(document, endpoints):
    """The endpoints as they are polled, and as they stream where the document has that."""
    from mediakit.contracts import poll_endpoint, split_endpoint

    streams = {}
    for endpoint in endpoints:
        method, path = split_endpoint(endpoint)
        stream = path.replace("/generation/", "/generation/sse/", 1)
        if stream != path and document.has(method, stream):
            streams[endpoint] = "{} {}".format(method, stream)
    return {
        "default_result_mode": "sse" if streams else "polling",
        "default_endpoints": [streams.get(endpoint, endpoint) for endpoint in endpoints],
        "sse_endpoints": list(streams.values()),
        "polling_endpoints": endpoints,
        "poll_endpoint": poll_endpoint(document),
    }


def _needs_packages(arguments):
    """For the network and for YAML; JSON in a file, the bundled contracts among it, needs nothing."""
    source = arguments.openapi or ""
    return arguments.refresh or "://" in source or source.lower().endswith((".yaml", ".yml"))


if __name__ == "__main__":
    run("inspect_openapi.py", build_parser, main, _needs_packages)
