"""Write assets/events.d.ts, the types of events for TypeScript, from assets/schemas/event.schema.json.

    python tests/generate_types.py           # write the file
    python tests/generate_types.py --check   # exit 1 when it is stale

A union by `event`: a `switch` over it knows each event's members. What the schema requires is required there, and what
it says nothing of is `unknown`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "assets" / "schemas" / "event.schema.json"
TYPES = ROOT / "assets" / "events.d.ts"

HEAD = """\
// The lines of a script's standard output. Written by tests/generate_types.py from schemas/event.schema.json:
// change that, not this file.

type Omitted = { [member: `${string}_omitted`]: true | number };
type Line<Name extends string, Members> = Members extends unknown
  ? { event: Name; time: string } & Omit<Common, keyof Members> & Members & Omitted
  : never;
"""
COMMON = json.loads(SCHEMA.read_text(encoding="utf-8"))["properties"]
BRIEF = "#/$defs/brief"
_SIMPLE = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
# Members that every event has are in Line.
_OF_LINE = ("event", "time")


def main() -> int:
    """Write the file, or compare it with what would be written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is stale")
    is_check = parser.parse_args().check
    text = render(json.loads(SCHEMA.read_text(encoding="utf-8")))
    is_current = TYPES.is_file() and TYPES.read_text(encoding="utf-8") == text
    if not is_current:
        sys.stderr.write(f"{'stale' if is_check else 'written'}: {TYPES.relative_to(ROOT)}\n")
        if not is_check:
            TYPES.write_text(text, encoding="utf-8", newline="\n")
    return 1 if is_check and not is_current else 0


def render(schema: dict) -> str:
    names = schema["properties"]["event"]["enum"]
    common = {name: one for name, one in schema["properties"].items() if name not in _OF_LINE}
    defined = {name: one for name, one in schema["$defs"].items() if name not in ("fields", "omitted")}
    parts = [HEAD]
    parts += [f"export type {type_name(name)} = {type_of(one)};" for name, one in defined.items()]
    parts.append(f"export type Common = {members(common, ())};\n")
    for name in names:
        parts.append(f'export type {type_name(name)}Event = Line<"{name}", {of_event(name, schema)}>;')
    union = "".join(f"\n  | {type_name(name)}Event" for name in names)
    parts.append(f"\nexport type AiMediaEvent ={union};")
    parts.append("\n/** The last line of any command. */")
    parts.append("export type AiMediaResult = AiMediaEvent & { exit_code: ExitCode };")
    parts.append("\n/** The one line of a job with --brief. */")
    parts.append("export type BriefResult = { event: string; time: string } & Brief & Omitted;")
    return "\n".join(parts) + "\n"


def type_name(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def of_event(name: str, schema: dict) -> str:
    """The members of one event beyond the common ones: the rules that name it, each way of a rule as one of a union."""
    ways = [{"required": [], "properties": {}}]
    for rule in schema["$defs"]["fields"].values():
        if rule["if"]["properties"]["event"].get("const") == name:
            ways = [merged(way, one) for way in ways for one in alternatives(rule["then"])]
    # --brief is a union of its own: whoever reads one form does not read the other.
    typed = [type_of_way(way, schema) for way in ways if way.get("$ref") != BRIEF]
    return " | ".join(dict.fromkeys(typed))


def alternatives(rule: dict) -> list[dict]:
    plain = {name: rule[name] for name in ("required", "properties", "$ref") if name in rule}
    return [merged(plain, one) for one in rule.get("anyOf", rule.get("oneOf", [{}]))]


def merged(one: dict, other: dict) -> dict:
    refs = [part["$ref"] for part in (one, other) if "$ref" in part]
    return {
        "required": [*one.get("required", []), *other.get("required", [])],
        "properties": {**one.get("properties", {}), **other.get("properties", {})},
        **({"$ref": refs[-1]} if refs else {}),
    }


def type_of_way(way: dict, schema: dict) -> str:
    known = {**schema["properties"], **way["properties"]}
    wanted = {name: known.get(name, True) for name in dict.fromkeys([*way["required"], *way["properties"]])}
    text = members({name: one for name, one in wanted.items() if name not in _OF_LINE}, way["required"])
    return f"{type_of({'$ref': way['$ref']})} & {text}" if "$ref" in way else text


def members(properties: dict, required) -> str:
    rows = [f"{name}{'' if name in required else '?'}: {type_of(one)}" for name, one in properties.items()]
    return "{ " + "; ".join(rows) + " }" if rows else "{}"


def type_of(schema) -> str:
    """The TypeScript type of a schema."""
    if schema is True or not schema:
        return "unknown"
    if "$ref" in schema:
        return type_name(re.sub(r".*/", "", schema["$ref"]))
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(map(json.dumps, schema["enum"]))
    kinds = schema.get("type", "object" if "properties" in schema else [])
    typed = [_of_kind(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    ways = [type_of(one) for one in schema.get("anyOf", schema.get("oneOf", [])) if set(one) - {"required"}]
    return " | ".join(dict.fromkeys(typed or ways)) or "unknown"


def _of_kind(kind: str, schema: dict) -> str:
    if kind == "array":
        return f"Array<{type_of(schema.get('items'))}>"
    if kind == "object":
        if "properties" not in schema:
            return "{ [member: string]: unknown }"
        named = {name: one for name, one in schema["properties"].items() if name not in _OF_LINE}
        known = {name: COMMON.get(name, True) if one is True else one for name, one in named.items()}
        return members(known, schema.get("required", ()))
    return _SIMPLE[kind]


if __name__ == "__main__":
    sys.exit(main())
