"""What an agent pays to read this skill stays within its aims."""

from __future__ import annotations

import tempfile

import pytest

import context
from conftest import ROOT, read_events

PAGES = context.pages()


def test_what_every_agent_reads_is_short():
    assert PAGES["SKILL.md, front matter"] <= context.FRONT_MATTER
    assert PAGES["SKILL.md, body"] <= context.BODY
    assert len((ROOT / "SKILL.md").read_text(encoding="utf-8")) <= 6200


@pytest.mark.parametrize("page", [name for name in PAGES if name.startswith("references/")])
def test_a_page_is_read_at_one_go(page):
    assert PAGES[page] <= context.REFERENCE


@pytest.mark.parametrize("name", context.COMMANDS)
def test_what_a_command_writes_is_short(name):
    with tempfile.TemporaryDirectory() as folder:  # a short name, as a user's: it stands in several lines
        text = context.written(context.COMMANDS[name].command, folder)
    assert read_events(text)[-1]["exit_code"] in (0, 21)
    assert len(text) <= context.COMMANDS[name].most, (len(text), text)
