"""Many jobs in one command: from lines to results, bought once each however often it is run."""

from __future__ import annotations

from batch_runs import drawn
from conftest import at_sandbox, posts

# -- from lines to results ------------------------------------------------------------------------------


def test_each_line_is_made_and_the_results_stand_in_the_order_of_the_input(batch, sandbox):
    lines = drawn("a fault:job-fast", "a tin boat", "b fault:job-fast")
    lines[1]["id"] = "boat"
    ran = batch(lines, *at_sandbox(sandbox), "--max-jobs", "3")
    assert (ran.code, ran.result["event"], ran.result["succeeded"], ran.result["failed"]) == (0, "summary", 3, 0)
    assert posts(sandbox) == 3 and ran.ends == {"1": 0, "boat": 0, "3": 0}
    assert [line["id"] for line in ran.lines] == ["1", "boat", "3"]
    assert all(line["ok"] and line["exit_code"] == 0 and line["practice"] for line in ran.lines)
    (file,) = ran.lines[1]["files"]
    assert (ran.folder / file).is_file() and "boat-" in file and file in ran.result["files"]
    assert ran.lines[1]["cost"] == {"amount": 12, "unit": "credits"}
    assert ran.result["spent"] == [{"amount": 36, "unit": "credits"}]
    assert (ran.folder / "gallery.html").is_file() and ran.result["results"] == str(ran.folder / "results.jsonl")


def test_the_same_again_buys_nothing_and_says_the_same(batch, sandbox):
    lines = drawn("a fault:job-fast", "b fault:job-fast")
    flags = (*at_sandbox(sandbox), "--max-jobs", "2")
    first = batch(lines, *flags)
    # One line more, and the others are moved: it is alone what is bought.
    lines = [{**lines[1], "id": "2"}, {**lines[0], "id": "1"}, *drawn("c fault:job-fast")]
    again = batch(lines, *flags)
    assert (first.code, again.code, posts(sandbox)) == (0, 0, 3)
    assert [line["id"] for line in again.lines] == ["2", "1", "3"]
    assert [line["files"] for line in again.lines[:2]] == [line["files"] for line in reversed(first.lines)]
    assert again.ends == {"3": 0} and again.result["succeeded"] == 3
    other = batch(lines, *flags, "--intent", "another", "--max-jobs", "9")
    assert (other.code, posts(sandbox)) == (0, 6)
