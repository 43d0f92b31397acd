#!/usr/bin/env python3
# /// script
# requires-python = ">=3.9"
# dependencies = [
#   "requests>=2.32,<3",
#   "urllib3>=2.6,<3",
#   "python-dotenv>=1.0,<2",
#   "PyYAML>=6.0,<7",
#   "Pillow>=10.1,<13",
#   "jsonschema>=4.18,<5",
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

from mediakit.console import Parser, run

EXAMPLES = """\
  inspect_openapi.py --provider skills-video --list-endpoints --task t2v
  inspect_openapi.py --list-endpoints --task t2v --search "sound" --field generate_audio
  inspect_openapi.py --provider skills-video --model kling-ai/v3/video --include-template
  inspect_openapi.py --openapi openapi.yaml --endpoint "POST /v1/videos" --validate @payload.json
  inspect_openapi.py --openapi openapi.yaml --endpoint "POST /v1/videos" --descriptor
  inspect_openapi.py --openapi openapi.json --docs docs.json --list-endpoints --category images"""


def build_parser():
    from mediakit.console.flags import one_of
    from mediakit.services import catalogue, providers

    names = tuple(dict.fromkeys(list(catalogue.services()) + list(providers.known())))
    tasks = providers.TASKS
    parser = Parser(__doc__, EXAMPLES)
    where = parser.add_argument_group("which document")
    where.add_argument(
        "--openapi", metavar="PATH_OR_URL", help="an OpenAPI document, JSON or YAML; comes before a bundled one"
    )
    where.add_argument("--docs", metavar="PATH", help="a docs.json whose Videos and Images groups list the endpoints")
    where.add_argument(
        "--provider",
        type=providers.one_named(*names),
        metavar="{{{}}}".format(",".join(names)),
        help="its bundled contract",
    )
    where.add_argument("--model", metavar="OWNER/NAME", help="one of its models")
    where.add_argument("--refresh", action="store_true", help="fetch what the service itself publishes, and keep it")
    where.add_argument("--base-url", metavar="URL", help="another address of the service, for --refresh")
    where.add_argument("--trust-base-url", action="store_true", help="send the key to the host of --base-url")
    lists = parser.add_argument_group("lists")
    lists.add_argument("--list-endpoints", action="store_true", help="list what creates something")
    lists.add_argument("--category", type=one_of("videos", "images"), metavar="{videos,images}", help="only these")
    lists.add_argument("--task", type=one_of(*tasks), metavar="{{{}}}".format(",".join(tasks)), help="only for this")
    lists.add_argument("--search", metavar="TEXT", help="what is needed, in words: of names, fields and descriptions")
    lists.add_argument("--field", metavar="NAME", help="only what has this field, with what it takes")
    what = parser.add_argument_group("one of them")
    what.add_argument("--endpoint", metavar="ENDPOINT", help='"POST /path", or only the path')
    what.add_argument("--variant", metavar="VALUE", help="one variant of a body that has several")
    what.add_argument("--include-template", action="store_true", help="a body that validates, and what to fill in")
    what.add_argument("--descriptor", action="store_true", help="the draft of a file for services.py, marks included")
    what.add_argument("--validate", metavar="JSON|@FILE", help="check a payload; problems end with 22")
    parser.add_argument("--json-indent", metavar="N", help="accepted and ignored: one line an object")
    parser.add_argument("--verbose", action="store_true", help="everything, however long")
    return parser


def main(console, given):
    _check(given)
    payload = _payload(given.validate)
    if given.refresh:
        _refresh(console, given)
    if _lists(given):
        listed = _list(console, given)
        if not (given.endpoint or given.model):
            return console.result("endpoints", 0, **listed)
        console.emit("endpoints", **listed)
    operation = _operation(console, given)
    if payload is not None:
        return _validate(console, operation, payload[0])
    if given.descriptor:
        return _draft(console, operation, given.openapi)
    from mediakit.contracts.summary import summary

    told = summary(operation, given.include_template, given.verbose, given.variant)
    return console.result("contract", 0, **told)


def _check(given):
    from mediakit.base.errors import bad_argument

    filters, lists = _filters(given), _lists(given)
    if not (given.openapi or given.provider or (lists and filters)):
        raise bad_argument("--openapi", "expected a document, or --provider for a bundled contract")
    if not (lists or given.endpoint or given.model or given.openapi):
        raise bad_argument("--endpoint", "expected an endpoint, --model, or --list-endpoints")
    if given.model and not given.provider:
        raise bad_argument("--model", "needs --provider; with a document of your own use --endpoint")
    if given.refresh and (given.openapi or not given.provider):
        raise bad_argument("--refresh", "needs --provider, and does not go with --openapi")
    if given.base_url is not None and not given.refresh:
        raise bad_argument("--base-url", "belongs to --refresh")
    if filters and not (lists or (given.endpoint and filters == ["category"])):
        raise bad_argument("--" + filters[0], "belongs to --list-endpoints")
    if given.descriptor and not (given.openapi and given.validate is None):
        raise bad_argument("--descriptor", "belongs to --openapi and --endpoint")
    ones = [flag for flag in ("--include-template", "--descriptor", "--validate", "--variant") if _has(given, flag)]
    if ones and lists and not (given.endpoint or given.model):
        raise bad_argument(ones[0], "expected with --endpoint or --model: a list has none of it")
    if given.docs and not (given.openapi and (lists or given.endpoint)):
        raise bad_argument("--docs", "belongs to --openapi and --list-endpoints")


def _filters(given):
    return [flag for flag in ("category", "task", "search", "field") if getattr(given, flag) is not None]


def _has(given, flag):
    return getattr(given, flag[2:].replace("-", "_")) not in (None, False)


def _lists(given):
    """Whether a list is asked for; what only a list has asks for one too."""
    return given.list_endpoints or bool(_filters(given) and not (given.endpoint or given.model))


def _payload(text):
    """The payload in a tuple, since it can be null; None without one."""
    from mediakit.console import inputs

    if text is None:
        return None
    if text.startswith("@"):
        text = inputs.read_text("--validate", text[1:])
    return (inputs.read_json("--validate", text),)


def _refresh(console, given):
    """Fetch the list of models, or with --model the contract of that one."""
    from mediakit.services import live

    if given.model:
        live.refresh_contract(console, _service(given), given.model, given.base_url, given.trust_base_url)
    else:
        live.refresh_models(console, _service(given), given.base_url, given.trust_base_url, given.search)


def _service(given):
    from mediakit.services import catalogue, providers

    return given.provider if given.provider in catalogue.services() else providers.load(given.provider).speaks


def _document(console, given):
    """The document that was named; one that comes from another host than was named is told as such."""
    from mediakit import contracts
    from mediakit.services import conventions

    if not given.openapi:
        return conventions.document(_service(given))
    from mediakit.http.fetching import Fetcher, elsewhere

    document = contracts.load(given.openapi, Fetcher(), conventions.of(*([_service(given)] if given.provider else [])))
    host = elsewhere(given.openapi, document.library.root)
    if host:
        console.warning("document_elsewhere", "it was redirected: the document comes from {}".format(host))
    return document


def _list(console, given):
    from mediakit.contracts import listing

    if given.docs:
        return _list_pages(console, given)
    if not given.openapi:
        return _list_models(given)
    if given.category:
        from mediakit.base.errors import bad_argument

        raise bad_argument("--category", "needs --docs or --provider; a document alone has no categories")
    told = listing.of_document(_document(console, given), given.task, given.search, given.field, given.verbose)
    return dict(told, source=given.openapi)


def _list_pages(console, given):
    from mediakit.base.errors import bad_argument
    from mediakit.contracts import library, listing

    for flag in ("task", "field"):
        if getattr(given, flag):
            raise bad_argument("--" + flag, "is not known to a docs.json; use --category or --search")
    pages = library.Library(given.docs)
    told = listing.of_pages(_document(console, given), pages.read(pages.root), given.category, given.search)
    return dict(told, source=pages.root)


def _list_models(given):
    from mediakit.services import catalogue, listing

    wish = listing.Wish(given.task, given.category, given.search, given.field)
    services = [_service(given)] if given.provider else list(catalogue.services())
    told = dict(listing.models(services, wish, given.verbose), task=given.task)
    if given.provider:
        told.update(listing.modes(services[0], told, given.verbose), provider=given.provider)
    return told


def _operation(console, given):
    from mediakit import contracts

    if given.endpoint:
        return contracts.operation(_document(console, given), given.endpoint)
    if given.openapi:
        document = _document(console, given)
        return contracts.operation(document, _only_create(document))
    return _of_model(given)


def _only_create(document):
    from mediakit.base.errors import bad_argument

    found = [listed.endpoint for listed in document.operations() if listed.method == "POST"]
    if len(found) != 1:
        expected = "expected, since the document has {} POST endpoints; --list-endpoints lists them"
        raise bad_argument("--endpoint", expected.format(len(found)))
    return found[0]


def _of_model(given):
    from mediakit.contracts import ContractError
    from mediakit.services import catalogue, model_contract

    service = _service(given)
    catalogue.find(service, given.model)
    found = model_contract.of_model(service, given.model)
    if found is None:
        raise ContractError("model_not_found", "{} is listed, but no contract of it is known".format(given.model))
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


def _draft(console, operation, source):
    import json

    from mediakit.services import draft, examine

    descriptor = draft.draft(operation, source)
    flaws = examine.flaws(json.dumps(descriptor, indent=2).encode())
    open_points = [{"path": flaw.path, "message": flaw.message} for flaw in flaws]
    return console.result("descriptor", 0, endpoint=operation.endpoint, descriptor=descriptor, to_do=open_points)


def _needs_packages(given):
    """For the network and for YAML; JSON in a file, the bundled contracts among it, needs nothing."""
    source = given.openapi or ""
    return given.descriptor or given.refresh or "://" in source or source.lower().endswith((".yaml", ".yml"))


if __name__ == "__main__":
    run("inspect_openapi.py", build_parser, main, _needs_packages)
