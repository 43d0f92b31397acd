"""Write what references/ says about models, services and codes: whole pages, and tables between marks in other pages.

    python tests/generate_references.py           # write the pages
    python tests/generate_references.py --check   # exit 1 when a page is stale

The catalogues, assets/contracts/*.catalogue.json, and the descriptors, assets/providers/*.json, are the only source:
neither a generated page nor what stands between the marks of another page is edited by hand. The tables of codes, and
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

from mediakit.base import codes  # noqa: E402
from mediakit.base.pointer import point  # noqa: E402
from mediakit.services import payloads, providers  # noqa: E402

CONTRACTS = ROOT / "assets" / "contracts"
DESCRIPTOR_SCHEMA = ROOT / "assets" / "schemas" / "provider.schema.json"
REFERENCES = ROOT / "references"

TASKS = ("t2i", "i2i", "t2v", "i2v", "v2v", "tts", "stt", "sts", "t2a", "i2m")
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
}
SERVICES_PAGE = "services.md"
EVENTS_PAGE = "events.md"
CODES_PAGE = "codes.md"
WARNINGS_PAGE = "warnings.md"
EVENT_SCHEMA = ROOT / "assets" / "schemas" / "event.schema.json"
# What a descriptor says about itself or about this program, and no service could leave unknown.
NOT_OF_A_SERVICE = frozenset(
    "id name embedded speaks origins base_path sources guidance homepage create states outputs examples".split()
)
DAY = 86400
PAGES = {"image": "image-model-endpoints.md", "video": "video-model-endpoints.md"}

INTRODUCTION = """\
# {Media} models

Every {media} model that a source names, service by service. Written by `python tests/generate_references.py` from \
`assets/contracts/*.catalogue.json`: change those, not this page. Models for sound, text and 3D, and those of which no \
source says what they make, are in the catalogues only.

- **Tasks**: t2i, i2i, t2v, i2v, v2v, with the special ways of use in brackets; a dash where no source says.
- **Contract**: complete (every field is known), partial (the source is cut, or shows a part), none. \
See one with `scripts/inspect_openapi.py --provider P --model M`.
- **Price**: only where a source states one. A provider price is what the service itself pays for the job; \
what it charges is more.
- **Sources**: with the date on which each was seen; most documentation pages carry none.
"""


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
    pages = {REFERENCES / name: render_page(media, catalogues) for media, name in PAGES.items()}
    tasks = {name: {"models": render_task(task, catalogues)} for task, name in TASK_PAGES.items()}
    services = [one for one in map(providers.load, providers.names()) if not one.embedded]
    tables = {
        "capabilities": render_capabilities(services, {catalogue["service"]: catalogue for _, catalogue in catalogues}),
        "left out": render_left_out(services),
    }
    listed = {
        EVENTS_PAGE: {"exit codes": render_exit_codes()},
        CODES_PAGE: {"error codes": render_codes(codes.ERRORS)},
        WARNINGS_PAGE: {"warning codes": render_codes(codes.WARNINGS)},
    }
    marked = {**tasks, SERVICES_PAGE: tables, **listed}
    marked_pages = {REFERENCES / name: render_marked(name, parts) for name, parts in marked.items()}
    return {**pages, **marked_pages, EVENT_SCHEMA: render_event_schema()}


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
        "category": list(codes.CATEGORY_EXIT_CODES),
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


def render_task(task: str, catalogues: list[tuple[str, dict]]) -> list[str]:
    """Return the table of the models that a task's page lists."""
    lines = ["| service | model | contract | takes files in |", "| --- | --- | --- | --- |"]
    for _, catalogue in catalogues:
        for model in catalogue["models"]:
            if task in model["tasks"] and model["contract"] != "none":
                lines.append(render_task_model(catalogue["service"], model))
    return lines


def render_task_model(service: str, model: dict) -> str:
    found = payloads.contract_of_model(service, model["model"])
    fields = [f"`{row['name']}`" for row in found.fields() if row.get("takes_file")] if found else []
    return f"| {service} | `{model['model']}` | {model['contract']} | {', '.join(fields) or '–'} |"


# -- the page of services --------------------------------------------------------------------------


def render_capabilities(services: list[providers.Provider], catalogues: dict[str, dict]) -> list[str]:
    """Return the table of what each service can do; a service that also has a program has a second column for it."""
    columns = [(one, None) for one in services] + [(one, one.cli["program"]) for one in services if one.cli]
    heads = [f"{one.name}{' through `' + program + '`' if program else ''}" for one, program in columns]
    lines = [table_row("", *heads), table_row(*["---"] * (len(heads) + 1))]
    for title, say in CAPABILITIES.items():
        lines.append(table_row(title, *(say(one, catalogues.get(one.name), program) for one, program in columns)))
    return lines


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
    return "looked for in the list of jobs" if service.lists_running else "stays unknown: exit code 12"


def tell_price(service: providers.Provider, catalogue: dict | None, program: str | None) -> str:
    if service.plan:
        return "in the service's own plan"
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
    "list of models, fetched with `--refresh`": lambda one, catalogue, _: yes("live" in (catalogue or {})),
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


# -- models ------------------------------------------------------------------------------------------


def load_catalogues() -> list[tuple[str, dict]]:
    """Return (title, catalogue) of every service; the title is the one of its contract document."""
    catalogues = []
    for path in sorted(CONTRACTS.glob("*.catalogue.json")):
        catalogue = json.loads(path.read_text(encoding="utf-8"))
        contract = json.loads((CONTRACTS / f"{catalogue['service']}.json").read_text(encoding="utf-8"))
        catalogues.append((contract["info"]["title"], catalogue))
    return catalogues


def render_page(media: str, catalogues: list[tuple[str, dict]]) -> str:
    """Return one page: the introduction, then a section a service that has models for this media."""
    sections = [INTRODUCTION.format(media=media, Media=media.capitalize())]
    for title, catalogue in catalogues:
        models = [model for model in catalogue["models"] if model.get("media") == media]
        if models:
            sections.append(render_service(title, catalogue, models) + render_listed(media, catalogue))
    return "\n".join(sections)


def render_service(title: str, catalogue: dict, models: list[dict]) -> str:
    """Return a service's section: its table, the notes on its models, and what its sources are."""
    seen = {source["id"]: source["seen"] for source in catalogue["sources"]}
    used = {identifier for model in models for identifier in model["sources"]}
    lines = [f"## {title} (`--provider {catalogue['service']}`)", ""]
    lines += ["| model | tasks | contract | price | sources |", "|---|---|---|---|---|"]
    lines += [*(render_model(model, seen) for model in models), ""]
    notes = [f"- `{model['model']}`: {model['note']}" for model in models if "note" in model]
    lines += [*notes, ""] if notes else []
    lines += ["Sources:", "", *(f"- {s['id']}: {s['what']}" for s in catalogue["sources"] if s["id"] in used)]
    return "\n".join(lines) + "\n"


def render_model(model: dict, seen: dict[str, str]) -> str:
    sources = ", ".join(f"{identifier} {seen[identifier]}" for identifier in model["sources"])
    cells = [f"`{model['model']}`", render_tasks(model), model["contract"], render_price(model), sources]
    return "| " + " | ".join(cells) + " |"


def render_tasks(model: dict) -> str:
    tasks = ", ".join(model["tasks"]) or "–"
    return f"{tasks} ({', '.join(model['modes'])})" if "modes" in model else tasks


def render_price(model: dict) -> str:
    """Return the price with its unit, basis, source and date, or nothing where no source states one."""
    if "price" not in model:
        return ""
    price = model["price"]
    unit = price["unit"].upper() if price["unit"] == "usd" else price["unit"]
    basis = " (provider)" if price.get("basis") == "provider" else ""
    return f"{price['amount']} {unit} per {price['per']}{basis}, {price['source']} {price['seen']}"


def render_listed(media: str, catalogue: dict) -> str:
    """Return one line a task for the pages that an index names; their exact model ids are not known."""
    listed = catalogue.get("listed", {"pages": []})
    pages = [page for page in listed["pages"] if page.get("media") == media]
    if not pages:
        return ""
    seen = {source["id"]: source["seen"] for source in catalogue["sources"]}[listed["source"]]
    lines = [f"Only listed ({listed['source']} {seen}), by page; the service's live catalogue has the exact ids:", ""]
    for task in (*TASKS, None):
        names = [f"`{page['page']}`" for page in pages if task in (page["tasks"] or [None])]
        lines += [f"- {task or 'task not said'}: {', '.join(names)}"] if names else []
    return "\n" + "\n".join(lines) + "\n"


def is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
