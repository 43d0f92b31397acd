"""Write what references/ says about models, services and codes: the tables between marks.

    python tests/generate_references.py           # write the pages
    python tests/generate_references.py --check   # exit 1 when a page is stale

The catalogues, assets/contracts/*.catalogue.json, and the descriptors, assets/providers/*.json, are the only source:
what stands between marks is not edited by hand. The tables of codes, and
the enumerations of codes in the schema of events, come from the registry, scripts/mediakit/base/codes.py.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import generate_types  # noqa: E402
from mediakit.base import codes, errors  # noqa: E402
from mediakit.base.pointer import point  # noqa: E402
from mediakit.services import model_contract, providers  # noqa: E402

CONTRACTS = ROOT / "assets" / "contracts"
DESCRIPTOR_SCHEMA = ROOT / "assets" / "schemas" / "provider.schema.json"
REFERENCES = ROOT / "references"

TASK_PAGES = {
    "t2i": "text-to-image.md",
    "i2i": "image-to-image.md",
    "t2v": "text-to-video.md",
    "i2v": "image-to-video.md",
    "v2v": "video-to-video.md",
    "tts": "text-to-speech.md",
    "stt": "speech-to-text.md",
    "sts": "speech-to-speech.md",
    "t2a": "text-to-audio.md",
    "i2m": "image-to-3d.md",
    "upscale": "upscaling.md",
    "rmbg": "background-removal.md",
}
SERVICES_PAGE = "services.md"
UNKNOWN_PAGE = "services-unknown.md"
INPUTS_PAGE = "inputs.md"
EVENTS_PAGE = "events.md"
CODES_PAGE = "codes.md"
WARNINGS_PAGE = "warnings.md"
EVENT_SCHEMA = ROOT / "assets" / "schemas" / "event.schema.json"
# What a descriptor says about itself or about this program, and no service could leave unknown.
NOT_OF_A_SERVICE = frozenset(
    "id name embedded speaks origins base_path sources guidance homepage create states outputs examples catalogue".split()
)
DAY = 86400


def main() -> int:
    """Write the pages, or compare them with what would be written."""
    arguments = parse_arguments()
    stale = {path: text for path, text in render_pages().items() if not is_current(path, text)}
    for path, text in stale.items():
        sys.stderr.write(f"{'stale' if arguments.check else 'written'}: {path.relative_to(ROOT)}\n")
        if not arguments.check:
            path.write_text(text, encoding="utf-8", newline="\n")
    return 1 if stale and arguments.check else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is stale")
    return parser.parse_args()


def render_pages() -> dict[Path, str]:
    """Return the text of every generated page, by its path."""
    catalogues = load_catalogues()
    tasks = {name: {"models": render_task(task, catalogues)} for task, name in TASK_PAGES.items()}
    services = [one for one in map(providers.load, providers.names()) if not one.embedded]
    by_name = {catalogue["service"]: catalogue for catalogue in catalogues}
    listed = {
        EVENTS_PAGE: {"exit codes": render_exit_codes()},
        CODES_PAGE: {"error codes": render_codes(codes.ERRORS)},
        WARNINGS_PAGE: {"warning codes": render_codes(codes.WARNINGS)},
    }
    services_pages = {
        INPUTS_PAGE: {"ways": render_ways(services)},
        SERVICES_PAGE: {"capabilities": render_capabilities(services, by_name)},
        UNKNOWN_PAGE: {"left out": render_left_out(services), "models a task": render_counts(services, by_name)},
    }
    readme = {"../README.md": {"services": render_services(services)}}
    own_pages = {f"{one.name}.md": {"service": render_service(one)} for one in services if has_mark(one.name)}
    marked = {**tasks, **services_pages, **listed, **readme, **own_pages}
    marked_pages = {REFERENCES / name: render_marked(name, parts) for name, parts in marked.items()}
    schema = render_event_schema()
    types = generate_types.render(json.loads(schema))
    return {**marked_pages, EVENT_SCHEMA: schema, generate_types.TYPES: types}


def render_services(services: list[providers.Provider]) -> list[str]:
    """Return the table of README.md: what a person needs to choose a service."""
    lines = [table_row("service", "`--provider`", "makes", "key", "hosts"), table_row(*["---"] * 5)]
    for one in services:
        hosts = dict.fromkeys(address.partition("://")[2] for address in one.says("origins").values())
        home = one.says("homepage")
        cells = [f"[{one.title}]({home})", f"`{one.name}`", " ".join(f"`{task}`" for task in one.defaults)]
        lines.append(table_row(*cells, f"`{one.key['variable']}`", ", ".join(f"`{host}`" for host in hosts)))
    return lines


def render_exit_codes() -> list[str]:
    rows = [("code", "meaning", "what to do"), ("---",) * 3]
    rows += [(str(code), found.meaning, found.way_out) for code, found in codes.EXIT_CODES.items()]
    return [table_row(*row) for row in rows]


def render_codes(registered: dict) -> list[str]:
    """Return the table of the error codes or of the warning codes; the second column is a category or a concern."""
    rows = [("code", next(iter(registered.values()))._fields[0], "meaning", "what to do"), ("---",) * 4]
    rows += [(f"`{code}`", *found) for code, found in registered.items()]
    return [table_row(*row) for row in rows]


def render_event_schema() -> str:
    """Return the schema of events with its enumerations of codes written anew."""
    text = EVENT_SCHEMA.read_text(encoding="utf-8")
    listed = {
        "exit_code": list(codes.EXIT_CODES),
        "error_code": list(codes.ERRORS),
        "warning_code": list(codes.WARNINGS),
        "category": list(errors.CATEGORY_EXIT_CODES),
        "outcome": [*codes.OUTCOMES, "under_way"],
    }
    for name, values in listed.items():
        words = ", ".join(map(json.dumps, values))
        lines = textwrap.fill(words, 110, initial_indent=" " * 6, subsequent_indent=" " * 6)
        found = re.search(rf'^    "{name}": {{"enum": \[([^]]*)\]', text, re.M)
        text = text[: found.start(1)] + f"\n{lines}\n    " + text[found.end(1) :]
    return text


def render_marked(name: str, parts: dict[str, list[str]]) -> str:
    """Return a page with the lines between each pair of its marks written anew."""
    text = (REFERENCES / name).read_text(encoding="utf-8")
    for mark, lines in parts.items():
        start, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->\n"
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        text = before + start + "\n".join(lines) + "\n" + end + after
    return text


def render_task(task: str, catalogues: list[dict]) -> list[str]:
    """Return the table of a task's page: each service's default model, and how many there are. All of them are asked
    for by command: they are too many to be read."""
    lines = [table_row("service", "default model", "contract", "takes files in", "models"), table_row(*["---"] * 5)]
    for catalogue in catalogues:
        known = {model["model"]: model for model in catalogue["models"] if task in model["tasks"]}
        default = providers.load(catalogue["service"]).defaults.get(task)
        if known:
            cells = render_default(catalogue["service"], known[default], task) if default in known else ["–"] * 3
            lines.append(table_row(catalogue["service"], *cells, str(len(known))))
    return lines


def render_default(service: str, model: dict, task: str) -> list[str]:
    found = model_contract.of_model(service, model["model"], task)
    route = providers.load(service).paths.route(model["model"], task)
    rows = model_contract.rows_at(found.fields(), route.fields) if found else []
    fields = [f"`{row['name']}`" for row in rows if row.get("takes_file")]
    if not fields and route.file is not None:
        fields = ["as `image`, `video` or `audio`"]
    return [f"`{model['model']}`", model["contract"], ", ".join(fields) or "–"]


# -- the page of services --------------------------------------------------------------------------


def render_capabilities(services: list[providers.Provider], catalogues: dict[str, dict]) -> list[str]:
    """Return the table of what each service can do; a service that also has a program has a second column for it."""
    columns = [(one, None) for one in services] + [(one, one.cli["program"]) for one in services if one.cli]
    heads = [f"{one.name}{' through `' + program + '`' if program else ''}" for one, program in columns]
    lines = [table_row("", *heads), table_row(*["---"] * (len(heads) + 1))]
    for title, say in CAPABILITIES.items():
        lines.append(table_row(title, *(say(one, catalogues.get(one.name), program) for one, program in columns)))
    return lines


def has_mark(name: str) -> bool:
    """Whether a service's page is written from its descriptor; the older ones are written by hand."""
    page = REFERENCES / f"{name}.md"
    return page.is_file() and "<!-- service -->" in page.read_text(encoding="utf-8")


def render_service(one: providers.Provider) -> list[str]:
    """Return what the descriptor of one service says of it, for people."""
    facts = {
        "key": tell_key(one),
        "with the key go to": ", ".join(f"`{origin.partition('://')[2]}`" for origin in one.origins.values()),
        "without it": tell_hosts(one),
        "default models": "; ".join(f"{task} `{shortened(model)}`" for task, model in one.defaults.items()),
        "sent unless given": tell_defaults(one),
        "a create is answered with": tell_answers(one),
        "a lost answer": " ".join([tell_unknown_outcome(one, {}, None) + ".", *one.advice.looking]),
        "what it has cost": tell_costs(one),
        "cancelling": one.job.cancel.costs if one.job.cancel else "no way",
        "results are kept": tell_lifetime(one, {}, None),
        "a new model": "its contract is fetched from the service"
        if one.says("contract")
        else "its fields are not checked",
    }
    lines = [table_row("", ""), table_row("---", "---"), *(table_row(*fact) for fact in facts.items() if fact[1])]
    return [*lines, "", "Sources: " + "; ".join(one.says("sources") or ()) + "."]


def shortened(model: str) -> str:
    """Return a model's name; of a long version only its beginning."""
    name, colon, version = model.partition(":")
    return f"{name}{colon}{version[:8]}…" if len(version) > 12 else model


def tell_key(one: providers.Provider) -> str:
    others = [f"`{name}`" for name in one.key.get("other_variables", ())]
    halves = [f"`{name}`" for name in one.key.get("joined", {}).get("variables", ())]
    others += [f"{' and '.join(halves)} joined"] if halves else []
    also = f", else {', '.join(others)}" if others else ""
    more = [f"`{variable}` is sent too where it is set" for variable in one.optional_headers.values()]
    return "; ".join([f"`{one.key['variable']}`{also}, from {one.key['create_url']}", *more])


def tell_hosts(one: providers.Provider) -> str:
    hosts = [f"`{host}` (files to it)" for way in one.ways if way.send for host in way.send.hosts]
    rules = one.says("contract")
    if isinstance(rules, dict) and "url" in rules:
        hosts.append(f"`{rules['url'].split('/')[2]}` (contracts)")
    return ", ".join([*dict.fromkeys(hosts), "the hosts that results name"])


def tell_defaults(one: providers.Provider) -> str:
    found = {(name, json.dumps(value)): None for route in one.routes for name, value in route.defaults.items()}
    return ", ".join(f"`{name}` {value}" for name, value in found)


def tell_answers(one: providers.Provider) -> str:
    at_once = [task for task, model in one.defaults.items() if one.paths.route(model, task).answers != "job"]
    if not at_once:
        return "an id, then polling"
    lost = "its result at once; where that has no id, it cannot be asked for again"
    return lost if len(at_once) == len(one.defaults) else f"an id, then polling; {', '.join(at_once)}: {lost}"


def tell_costs(one: providers.Provider) -> str:
    final = [rule for rule in one.cost_rules if not rule.is_ceiling]
    ceiling = "; the answer to the create tells the most" if any(rule.is_ceiling for rule in one.cost_rules) else ""
    told = f"told, in {final[0].unit}{ceiling}" if final else "not told"
    return told + ("; prices are asked for under a cap" if one.says("price") else "")


WAYS = {
    "form": "with the create itself, which then is a form (`multipart/form-data`)",
    "base64": "with the create itself, in base64",
    "data_uri": "with the create itself, as a data: URI",
    None: "uploaded first; what the service names it is sent",
}


def render_ways(services: list[providers.Provider]) -> list[str]:
    """Return the table of how a file travels to each service; the first way that it fits is taken."""
    lines = [table_row("service", "how", "up to", "addresses"), table_row(*["---"] * 4)]
    for one in services:
        takes = "sent as they are" if one.file_rules.takes_addresses else "fetched, then sent as a file"
        for number, way in enumerate(one.ways):
            most = f"{way.most / 1024**2:g} MiB" if way.most else ""
            kinds = [tell_kind(kind, limits) for kind, limits in way.kinds.items()]
            limits = "; ".join(filter(None, [most, *kinds])) or "not documented"
            name = one.name if not number else ""
            lines.append(table_row(name, WAYS[way.with_create], limits, takes if not number else ""))
    return lines


def tell_kind(kind: str, limits: dict) -> str:
    types = ", ".join(one.partition("/")[2] for one in limits.get("types", ()))
    most = f" up to {limits['bytes'] / 1024**2:g} MiB" if "bytes" in limits else ""
    return f"{kind}: {types}{most}"


def tell_answer(service: providers.Provider, _: dict, program: str | None) -> str:
    answers = list(dict.fromkeys(route.answers for route in service.routes))
    if service.streams and not program:
        return "a stream, then polling"
    return " or ".join("an id, then polling" if one == "job" else "its result at once" for one in answers[:2])


def tell_inputs(service: providers.Provider, _: dict, program: str | None) -> str:
    words = ["with the request" if way.with_create else "uploaded first" for way in service.ways]
    return ", larger ones ".join(words) + (", over HTTP" if program else "") if words else "not known"


def tell_unknown_outcome(service: providers.Provider, _: dict, program: str | None) -> str:
    if service.idempotency:
        return f"sent again under the same key, for {service.idempotency['seconds'] / 60:g} minutes"
    return "looked for in the list of jobs" if service.job_list.is_searchable else "stays unknown: exit code 12"


def tell_price(service: providers.Provider, catalogue: dict | None, program: str | None) -> str:
    if service.plan:
        return "in the service's own plan"
    if service.says("price"):
        return "asked for, under a cap"
    priced = sum("price" in model for model in catalogue["models"]) if catalogue else 0
    return f"{priced} of {len(catalogue['models'])} models" if priced else "not known"


def tell_lifetime(service: providers.Provider, _: dict, program: str | None) -> str:
    found = [tell_seconds(service.result_lifetime)] if service.result_lifetime else []
    found += ["told in the answer"] if service.says("expires_at") else []
    return ", or as ".join(found) or "not known"


def tell_seconds(seconds: float) -> str:
    for unit, size in (("days", DAY), ("hours", 3600), ("minutes", 60)):
        if seconds >= size:
            return f"{seconds / size:g} {unit if seconds > size else unit[:-1]}"
    return f"{seconds:g} seconds"


def tell_key_check(service: providers.Provider, _: dict, program: str | None) -> str:
    if program:
        return "its `doctor`"
    step = service.says("key_check") or service.says("balance")
    return f"`GET {'' if 'origin' in step else service.base_path}{step['path']}`" if step else "not known"


def tell_login(service: providers.Provider, _: dict, program: str | None) -> str:
    if program:
        return "used by the program alone"
    return "read where it is" if "saved_login" in service.key else "not used"


def tell_models(service: providers.Provider, catalogue: dict | None, program: str | None) -> str:
    known = sum(model["contract"] != "none" for model in catalogue["models"]) if catalogue else 0
    return f"{len(catalogue['models'])}, {known} with a contract" if catalogue else "none"


def tell_cost(service: providers.Provider, _: dict, program: str | None) -> str:
    final = [rule.unit for rule in service.cost_rules if not rule.is_ceiling]
    return final[0] if final else "not told"


def tell_cancel(service: providers.Provider, _: dict, program: str | None) -> str:
    step = service.job.cancel
    return f"`{step.method} {service.base_path}{step.path}`" if step else "no source names a way"


CAPABILITIES = {
    "`--transport`": lambda one, catalogue, program: "`cli`" if program else "`rest`",
    "tasks with a default model": lambda one, *_: ", ".join(one.defaults),
    "models known here": tell_models,
    "list of models, fetched with `--refresh`": lambda one, catalogue, _: yes(bool(one.says("models"))),
    "contract of a model that no list here has": lambda one, *_: yes(bool(one.says("contract"))),
    "a create is answered with": tell_answer,
    "local files as input": tell_inputs,
    "plan of its own, free (`--dry-run` with a key)": lambda one, *_: yes(bool(one.plan)),
    "price before the fact": tell_price,
    "cost after the fact": tell_cost,
    "`--max-spend` is passed on as": lambda one, *_: f"`{one.guard['field']}`" if one.guard else "no",
    "idempotency key": lambda one, *_: f"field `{one.idempotency['field']}`" if one.idempotency else "no",
    "an unknown outcome": tell_unknown_outcome,
    "key": lambda one, *_: f"`{one.key['variable']}`",
    "login of its own client": tell_login,
    "the key is checked with": tell_key_check,
    "balance": lambda one, *_: (one.says("balance") or {"unit": "no way known"}).get("unit", "shown as it comes"),
    "results are kept": tell_lifetime,
    "id for its support": lambda one, *_: "`trace_id`" if one.says("trace_id") else "none",
    "cancelling a job": tell_cancel,
}


def render_counts(services: list[providers.Provider], catalogues: dict[str, dict]) -> list[str]:
    """Return the table of how many models of each service are known here for each task."""
    lines = [table_row("task", *(one.name for one in services)), table_row(*["---"] * (len(services) + 1))]
    for task in providers.TASKS:
        listed = [[task in model["tasks"] for model in catalogues[one.name]["models"]] for one in services]
        lines.append(table_row(task, *(str(sum(found)) if any(found) else "–" for found in listed)))
    seen = [sorted({source["seen"] for source in catalogues[one.name]["sources"]} - {"undated"}) for one in services]
    return [*lines, table_row("facts of", *(dates[-1] if dates else "undated" for dates in seen))]


def render_left_out(services: list[providers.Provider]) -> list[str]:
    """Return the table of the keys that the descriptor of at least one service leaves out."""
    schema = json.loads(DESCRIPTOR_SCHEMA.read_text(encoding="utf-8"))
    names = [name for name in schema["properties"] if name not in NOT_OF_A_SERVICE]
    lines = [table_row("key", *(one.name for one in services)), table_row(*["---"] * (len(services) + 1))]
    for name in names:
        lines += render_key(f"/{name}", schema["properties"][name], services)
    return lines


def render_key(key: str, schema: dict, services: list[providers.Provider]) -> list[str]:
    """Return the row of a key, or the rows of the keys in it where every service has it."""
    found = [says_something(point(one.says(""), key)) for one in services]
    if not all(found):
        return [table_row(f"`{key[1:]}`", *map(yes, found))]
    inner = schema.get("properties", {}) if key.count("/") == 1 else {}
    return [row for name, one in inner.items() for row in render_key(f"{key}/{name}", one, services)]


def says_something(value) -> bool:
    """Whether a value of a descriptor is more than empty lists."""
    if isinstance(value, dict):
        return any(map(says_something, value.values()))
    return value not in (None, [])


def table_row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def yes(found: bool) -> str:
    return "yes" if found else "–"


def load_catalogues() -> list[dict]:
    """Return the catalogue of every service."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(CONTRACTS.glob("*.catalogue.json"))]


def is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
