"""On the way from a command to the socket and back nothing is loaded or parsed twice, and little is serialised twice."""

from __future__ import annotations

from collections import Counter

import pytest

from conftest import ROOT
from sandbox_job import watched

# The rooms that write a text in which the prompt is, how often, and why each is a text of its own.
WRITTEN = {
    "amounts": 2,  # who it is, in one order and spelling; and as ledgers of earlier versions have it
    "rows": 1,  # what the ledger keeps, to be sent again in this order: files by their names and hashes, no key
    "wire": 1,  # what is sent: files by their addresses, with the idempotency key beside them
    "provenance": 2,  # how much of it the record can hold, field by field; the record beside the file, without signatures
}
# Rows of the ledger are checked, since other processes write there too.
READ = {"rows": 1}


@pytest.fixture
def happened(scripts, sandbox) -> list[list]:
    """What a create loads, parses and serialises, from its arguments to its last line."""
    return watched("counted.py", scripts, sandbox)


def test_nothing_is_loaded_or_parsed_twice_on_the_way_of_a_create(happened):
    counts = Counter((what, whose) for what, whose in happened)
    ours = {path: count for (what, path), count in counts.items() if what == "opened" and str(ROOT / "assets") in path}
    assert ours and set(ours.values()) == {1}, ours
    parsed = {name: count for (what, name), count in counts.items() if what == "parsed"}
    assert parsed and set(parsed.values()) == {1}, parsed
    assert {name: count for (what, name), count in counts.items() if what == "read"} == READ
    assert {name: count for (what, name), count in counts.items() if what == "written"} == WRITTEN
