"""Write what references/ says about models, from the catalogues: whole pages, and a table in each task's page.

    python tests/generate_references.py           # write the pages
    python tests/generate_references.py --check   # exit 1 when a page is stale

The catalogues, assets/contracts/*.catalogue.json, are the only source: neither a generated page nor what stands
between the marks of a task's page is edited by hand.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from mediakit import payloads  # noqa: E402

CONTRACTS = ROOT / "assets" / "contracts"
REFERENCES = ROOT / "references"

TASKS = ("t2i", "i2i", "t2v", "i2v", "v2v", "tts", "stt", "sts", "t2a", "i2m")
TASK_PAGES = {
    "t2i": "text-to-image.md",
    "i2i": "image-to-image.md",
    "t2v": "text-to-video.md",
    "i2v": "image-to-video.md",
    "v2v": "video-to-video.md",
}
MARKS = ("<!-- models -->\n", "<!-- end of models -->\n")
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
    return {
        **pages,
        **{REFERENCES / name: render_task_page(task, name, catalogues) for task, name in TASK_PAGES.items()},
    }


def render_task_page(task: str, name: str, catalogues: list[tuple[str, dict]]) -> str:
    """Return a task's page with the table between its marks written anew."""
    before, _, rest = (REFERENCES / name).read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    lines = ["| service | model | contract | takes files in |", "| --- | --- | --- | --- |"]
    for _, catalogue in catalogues:
        for model in catalogue["models"]:
            if task in model["tasks"] and model["contract"] != "none":
                lines.append(render_task_model(catalogue["service"], model))
    return before + MARKS[0] + "\n".join(lines) + "\n" + MARKS[1] + after


def render_task_model(service: str, model: dict) -> str:
    found = payloads.contract_of_model(service, model["model"])
    fields = [f"`{row['name']}`" for row in found.fields() if row.get("takes_file")] if found else []
    return f"| {service} | `{model['model']}` | {model['contract']} | {', '.join(fields) or '–'} |"


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
