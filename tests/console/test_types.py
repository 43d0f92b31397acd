"""The types of events for TypeScript are those of the schema."""

from __future__ import annotations

import json
import re

import pytest

import generate_types
from conftest import validator

SCHEMA = json.loads(generate_types.SCHEMA.read_text(encoding="utf-8"))
TEXT = generate_types.TYPES.read_text(encoding="utf-8")
ANY_OF = {name: json.dumps(rule["then"]) for name, rule in SCHEMA["$defs"]["fields"].items()}
EVENTS = SCHEMA["properties"]["event"]["enum"]


def test_the_types_are_those_of_the_schema():
    assert generate_types.render(SCHEMA) == TEXT, "run python tests/generate_types.py"


def members_of(event: str) -> set[str]:
    """The members of an event's own type, a `?` as a part of the name; none where it has several forms."""
    name = generate_types.type_name(event)
    own = re.search(rf"^export type {name}Event = Line<\"{event}\", (.*)>;$", TEXT, re.M)[1]
    while re.search(r"(?<=: )\{[^{}]*\}|(?<=<)\{[^{}]*\}", own):  # what is in a member is its own affair
        own = re.sub(r"(?<=: )\{[^{}]*\}|(?<=<)\{[^{}]*\}", "object", own)
    return set(re.findall(r"(\w+\??): ", own)) if own.count("{") == 1 else set()


@pytest.mark.parametrize("event", EVENTS)
def test_what_an_event_must_have_its_type_requires(event):
    """By the validator itself: an event that lacks a member is refused, and then the member has no question mark."""
    assert f"| {generate_types.type_name(event)}Event" in TEXT
    bare = {"event": event, "time": "2026-01-31T00:00:00.000Z"}
    for name in members_of(event):
        missing = {problem.message for problem in validator("event").iter_errors(bare)}
        assert name.endswith("?") or any(repr(name) in one for one in missing) or "anyOf" in ANY_OF.get(event, "")


def test_a_run_has_the_members_that_its_types_promise(scripts):
    run = scripts.run(
        "create_and_wait.py", "--provider", "sandbox", "--task", "t2i", "--prompt", "a boat", "--output-dir", "out"
    )
    for told in run.events:
        wanted = {name for name in members_of(told["event"]) if not name.endswith("?")}
        assert wanted <= set(told), (told["event"], wanted - set(told))
    assert {"outputs", "state", "exit_code", "error?"} <= set(members_of("terminal"))
