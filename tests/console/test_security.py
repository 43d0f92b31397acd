"""The page on security names tests that are there."""

from __future__ import annotations

import re

import pytest

from conftest import ROOT

PAGE = (ROOT / "references/security.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \| `(test_\w+)::(test_\w+)` \|$", PAGE, re.M)
FILES = {path.stem: path for path in (ROOT / "tests").rglob("test_*.py")}


@pytest.mark.parametrize("threat, file, name", ROWS, ids=[row[2] for row in ROWS])
def test_a_threat_has_a_test_that_is_there(threat, file, name):
    assert re.search(rf"^def {name}\(", FILES[file].read_text(encoding="utf-8"), re.M), threat


def test_no_threat_is_without_one():
    table = PAGE.partition("| threat | test |")[2].partition("\n\n")[0]
    assert len(ROWS) == len(table.strip().splitlines()) - 1 >= 30
