"""What a good answer to a request is claimed to do, it does; the whole is `python tests/evals/check_answers.py`."""

from __future__ import annotations

import check_answers as evals
import pytest

REQUESTS = evals.requests()
PARTS = {"id", "quick", "says", "triggers", "before", "good", "bad", "bought", "must", "must_not"}


def test_each_request_says_what_is_good_and_what_is_not():
    assert len(REQUESTS) >= 48 and len({one["id"] for one in REQUESTS}) == len(REQUESTS)
    for one in REQUESTS:
        assert set(one) <= PARTS and one["says"] and one["must"] and one["must_not"], one["id"]
        assert bool(one.get("good")) is one["triggers"] is ("bought" in one), one["id"]
        assert all(step["claim"] for step in [*one.get("good", []), *one.get("bad", [])]), one["id"]


@pytest.mark.parametrize("request_", [one for one in REQUESTS if one.get("quick")], ids=lambda one: one["id"])
def test_a_good_answer_does_what_it_claims(request_, tmp_path):
    assert evals.check(request_, tmp_path) == []


def test_a_claim_that_is_not_so_is_seen(tmp_path):
    claim = {"event": "plan", "has": {"effect": "spends", "no.such": True}, "files": 1, "exit": 3}
    words = "create_and_wait.py --provider sandbox --task t2i --prompt x --dry-run"
    wrong = evals.check({"good": [{"run": words, "claim": claim}], "bought": 1}, tmp_path)
    assert len(wrong) == 5, wrong
