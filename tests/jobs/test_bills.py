"""A cost that a service tells once counts, in whatever answer it stands."""

from __future__ import annotations

import json

import pytest

from fake_service import COMPLETED, FakeService, answer, create, cut_short, event, job, stream

USAGE = {"usage": {"total": 60}}
WHOLE = json.dumps(job(**USAGE)).encode()

# the create's answer -> exit code
TOLD_ONCE = {
    "with the id": (answer(202, job(**USAGE)), 0),
    "in an answer without its end": (cut_short(200, WHOLE), 0),
    "in JSON lines": (answer(200, json.dumps(job()).encode() + b"\n" + WHOLE + b"\n"), 0),
    "in events that nobody asked for": (answer(200, event(**USAGE), media_type="text/event-stream"), 0),
    "in the first event": (stream(event(**USAGE)), 0),
    "in an event that is cut behind it": (stream(event(**USAGE)[:-2], end="reset"), 0),
    "without an id": (answer(200, USAGE), 12),
    "with a job that has failed": (answer(200, job("FAILED", **USAGE)), 10),
}


@pytest.mark.parametrize("told", TOLD_ONCE)
def test_a_cost_that_only_the_creates_answer_tells_counts(scripts, told):
    answered, code = TOLD_ONCE[told]
    with FakeService(create=answered, read=COMPLETED) as service:
        run = create(scripts, service, streams="event" in told and "nobody" not in told)
        assert (run.code, service.posts()) == (code, 1), run.events
    totals = scripts.run("jobs.py", "spend").result["totals"]
    assert totals == [
        {"unit": "credits", "practice": False, "jobs": 1, "measured": 60, "estimated": 0, "jobs_of_unknown_cost": 0}
    ]


def test_an_absurd_bill_is_counted_and_the_next_command_goes_on(scripts):
    created = [answer(202, {**job(usage={"total": 10**40}), "id": f"gen_{number}"}) for number in range(2)]
    with FakeService(create=created) as service:
        for copy in "ab":
            assert create(scripts, service, "--no-wait", "--intent", copy, streams=False).code == 0
        capped = create(scripts, service, streams=False, env={"AI_MEDIA_MAX_SPEND": "999999999999credits"})
        assert (capped.code, capped.result["error"], service.posts()) == (27, "spend_cap", 2), capped.events
    total = scripts.run("jobs.py", "spend").result["totals"][0]
    assert (total["jobs"], total["measured"]) == (2, 2e12)


def test_what_another_address_has_billed_is_no_price(scripts):
    """A 5-credit job of a test server must not let a job of any price through at the service itself."""
    cap = ("--max-spend", "5credits")
    with FakeService(create=answer(202, job(usage={"total": 5}))) as cheap, FakeService() as real:
        assert create(scripts, cheap, "--no-wait", streams=False).code == 0
        here = create(scripts, cheap, "--no-wait", "--intent", "b", *cap, streams=False)
        there = create(scripts, real, "--no-wait", "--intent", "c", *cap, streams=False)
        assert (here.code, cheap.posts()) == (0, 2), here.events
        assert (there.code, there.result["error"], real.posts()) == (27, "unknown_cost", 0), there.events
