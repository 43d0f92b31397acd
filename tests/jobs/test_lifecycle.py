"""The machine of one job, driven without a network and without a clock.

Each row of the contract ("What a paid POST may do", "Waiting") is a line of a table here: what is
seen, at which second, and what the machine does about it.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediakit.base import errors
from mediakit.jobs.lifecycle.actions import Create, End, Leave, Poll, Reconcile, Say
from mediakit.jobs.lifecycle.answers import JobAnswer
from mediakit.jobs.lifecycle.creating import CREATE_ATTEMPTS
from mediakit.jobs.lifecycle.machine import Machine
from mediakit.jobs.lifecycle.policy import ServiceRules, WaitPolicy
from mediakit.services import providers
from mediakit.services.answers import Reading

SERVICE = providers.load("skills-video")
ENDING = SERVICE.ending_events


def answer(status=None, job_id=None, **more):
    body = {key: value for key, value in {"id": job_id, "status": status, **more}.items() if value is not None}
    return SERVICE.answers.reading(body)


SERVICE_SETTINGS = ("reconciles", "repeats_for", "repeat_pauses", "sending_time", "final_statuses", "list_every")


def new_job(generation_id=None, unresolved=None, age=None, **settings) -> Machine:
    """A machine with these fields of its WaitPolicy and ServiceRules."""
    own = {name: settings.pop(name) for name in SERVICE_SETTINGS if name in settings}
    rules = ServiceRules(ending_events=ENDING, **own)
    return Machine(WaitPolicy(**settings), rules, generation_id, unresolved=unresolved, age=age, jitter=lambda: 1.0)


def words(actions) -> list[str]:
    """Actions as words: what is said by its event, everything else by its kind."""
    return [
        action.event if isinstance(action, Say) else type(action).__name__ + (f":{action.exit_code}" if isinstance(action, End) else "")
        for action in actions
    ]  # fmt: skip


def end_of(actions) -> End:
    return next(action for action in actions if isinstance(action, End))


def told(status: int, reading=None, **more) -> JobAnswer:
    return JobAnswer(status, reading or answer(), errors.classify(status, more.get("message", "")), **more)


def answered(machine: Machine, status: int, reading=None, now=1.0, **more):
    return machine.create_answered(now, told(status, reading, **more))


# -- what a paid POST may do -------------------------------------------------------------------------

REJECTED = {400: 22, 401: 21, 402: 20, 403: 21, 404: 23, 405: 22, 413: 22, 415: 22, 422: 22}
UNKNOWN = (300, 303, 304, 406, 408, 409, 410, 418, 425, 451, 500, 502, 503, 504, 599)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status, code", REJECTED.items())
def test_a_refused_create_ends_at_once_with_its_category(status, code, stream):
    machine = new_job(stream=stream)
    assert words(machine.begin(0)) == ["Create"]
    actions = answered(machine, status)
    assert words(actions) == [f"End:{code}"]
    assert end_of(actions).failure.fields["outcome"] == machine.job.outcome == "rejected"


@pytest.mark.parametrize("status", UNKNOWN)
def test_any_other_answer_to_a_create_leaves_the_outcome_unknown(status):
    machine = new_job()
    machine.begin(0)
    actions = answered(machine, status)
    assert words(actions) == ["End:12"]
    assert end_of(actions).failure.fields["outcome"] == machine.job.outcome == "unknown"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirected_create_was_refused(status):
    machine = new_job()
    machine.begin(0)
    actions = answered(machine, status, location="https://elsewhere.invalid/")
    assert words(actions) == ["End:25"]
    assert machine.job.outcome == "rejected"


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_create_without_an_id_leaves_the_outcome_unknown(status):
    machine = new_job()
    machine.begin(0)
    actions = answered(machine, status, answer("IN_QUEUE"))
    assert words(actions) == ["End:12"]
    assert end_of(actions).failure.code == "missing_generation_id"


def test_missing_credits_in_words_are_what_they_are_whatever_the_status():
    machine = new_job()
    machine.begin(0)
    assert words(answered(machine, 403, message="Not enough credits left")) == ["End:20"]


def test_what_was_not_sent_is_sent_again_until_the_attempts_are_used_up():
    machine, now, sent = new_job(), 0.0, 1
    machine.begin(now)
    while not machine.job.ended:
        actions = machine.create_not_sent(now, "the connection was refused")
        if not machine.job.ended:
            assert set(words(actions)) <= {"retry"}
            assert machine.tick(now) == []
            now = machine.job.wake_at
            assert words(machine.tick(now)) == ["Create"]
            sent += 1
    assert sent == CREATE_ATTEMPTS == 5
    assert now < 60
    assert end_of(actions).failure.exit_code == 24
    assert machine.job.outcome == "not_sent"


def test_a_rate_limit_is_waited_out_as_the_service_asks():
    machine = new_job()
    machine.begin(0)
    assert words(answered(machine, 429, retry_after=7.0)) == ["retry"]
    assert machine.job.wake_at == 8.0
    assert words(machine.tick(8.0)) == ["Create"]


@pytest.mark.parametrize("wait", [59.5, 3600.0])
def test_a_longer_rate_limit_ends_at_once(wait):
    machine = new_job()
    machine.begin(0)
    actions = answered(machine, 429, retry_after=wait)
    assert words(actions) == ["End:24"]
    assert end_of(actions).failure.fields["retry_after_seconds"] == wait
    assert machine.job.outcome == "rejected"


def test_a_status_that_the_service_means_for_good_is_not_asked_again():
    machine = new_job(final_statuses=frozenset({429}))
    machine.begin(0)
    assert words(answered(machine, 429)) == ["End:24"]


def test_what_left_and_was_not_answered_is_never_sent_again():
    machine = new_job()
    machine.begin(0)
    assert words(machine.create_lost(1, "the connection was reset")) == ["End:12"]


def test_a_silent_create_that_never_left_is_told_apart_from_one_that_did():
    for sent, expected in ((True, ["Leave", "End:12"]), (False, ["Leave", "retry"])):
        machine = new_job(create_timeout=5.0)
        machine.begin(0)
        assert machine.job.wake_at == 5.0
        assert words(machine.tick(5.0, sent=sent)) == expected


# -- streams -----------------------------------------------------------------------------------------


def streaming(machine: Machine, *events, now=1.0) -> list[str]:
    """Begin, open, and say events `(name, reading)`; what was done, as words."""
    done = words(machine.begin(0)) + words(machine.stream_opened(now, 200))
    for name, reading in events:
        done += words(machine.stream_said(now, name, reading))
    return done


QUEUED = ("message", answer("IN_QUEUE", "g1"))
RUNNING = ("message", answer("IN_PROGRESS", "g1"))


def test_a_stream_tells_each_state_once_and_ends_with_the_terminal_one():
    machine = new_job()
    done = streaming(machine, QUEUED, RUNNING, RUNNING, ("message", answer("COMPLETED", "g1")))
    assert done == ["Create", "sse_open", "submitted", "sse_event", "sse_event", "Leave", "End:0"]


@pytest.mark.parametrize("status, code", [("FAILED", 10), ("canceled", 10), ("Succeeded", 0), ("CANCELLED", 10)])
def test_a_status_of_either_generation_in_any_case_ends_the_job(status, code):
    assert streaming(new_job(), QUEUED, ("message", answer(status, "g1")))[-1] == f"End:{code}"


@pytest.mark.parametrize("name", sorted(ENDING))
def test_the_name_of_an_event_is_never_a_state(name):
    machine = new_job()
    done = streaming(machine, RUNNING, (name, answer("IN_PROGRESS", "g1")))
    assert done[-4:] == ["Leave", "sse_stream_ended", "fallback_polling_start", "Poll"]
    assert not machine.job.ended


def test_a_failed_event_without_a_status_is_a_failure_only_after_the_poll_agrees():
    for status, code in (("FAILED", 10), ("COMPLETED", 0)):
        machine = new_job()
        assert streaming(machine, RUNNING, ("failed", answer()))[-1] == "Poll"
        assert words(read(machine, 200, answer(status, "g1"), now=2.0)) == [f"End:{code}"]


def test_a_failed_event_without_a_status_and_without_an_id_is_an_unknown_outcome():
    assert streaming(new_job(), ("failed", answer()))[-1] == "End:12"


@pytest.mark.parametrize("status, code", [("FAILED", 10), ("COMPLETED", 0)])
def test_a_terminal_status_counts_even_without_an_id(status, code):
    assert streaming(new_job(), ("message", answer(status)))[-1] == f"End:{code}"


@pytest.mark.parametrize("reason", ["eof", "reset", "malformed"])
def test_a_broken_stream_goes_on_as_polling_once_there_is_an_id(reason):
    machine = new_job()
    streaming(machine, QUEUED)
    actions = machine.stream_ended(2, reason)
    assert words(actions) == ["Leave", "sse_stream_ended", "fallback_polling_start", "Poll"]
    assert actions[1].fields["reason"] == reason


@pytest.mark.parametrize("reason", ["eof", "reset"])
def test_a_stream_that_breaks_before_the_id_is_an_unknown_outcome(reason):
    machine = new_job()
    streaming(machine)
    assert words(machine.stream_ended(2, reason)) == ["Leave", "sse_stream_ended", "End:12"]


def test_data_that_is_no_json_is_skipped_before_the_id_and_ends_the_stream_after_it():
    machine = new_job()
    assert streaming(machine, ("message", None)) == ["Create", "sse_open"]
    assert words(machine.stream_said(2, *QUEUED)) == ["submitted", "sse_event"]
    assert words(machine.stream_said(3, "message", None))[1:] == ["sse_stream_ended", "fallback_polling_start", "Poll"]


def test_only_data_keeps_a_stream_open():
    machine = new_job(create_timeout=10.0)
    streaming(machine, QUEUED, now=1.0)
    assert machine.job.wake_at == 11.0
    machine.stream_said(8.0, *RUNNING)
    assert machine.job.wake_at == 18.0
    actions = machine.tick(18.0)
    assert words(actions)[-1] == "Poll"
    assert actions[1].fields["reason"] == "idle"


def test_an_event_about_another_job_is_ignored():
    machine = new_job()
    done = streaming(machine, QUEUED, ("message", answer("COMPLETED", "other")), ("message", answer("FAILED", "other")))
    assert done[-1:] == ["warning"]
    assert not machine.job.ended


def test_json_in_place_of_a_stream_keeps_its_id():
    machine = new_job()
    machine.begin(0)
    actions = answered(machine, 200, answer("IN_QUEUE", "g1"))
    assert words(actions) == ["submitted", "sse_stream_ended", "fallback_polling_start", "Poll"]
    assert actions[1].fields["reason"] == "not_a_stream"


def test_an_answer_that_is_terminal_already_ends_the_job():
    for status, code in (("COMPLETED", 0), ("FAILED", 10)):
        machine = new_job(stream=False)
        machine.begin(0)
        actions = answered(machine, 200, answer(status, "g1"))
        assert words(actions) == ["submitted", f"End:{code}"]
        assert end_of(actions).fields["source"] == "create"


def test_without_waiting_the_id_is_the_result():
    machine = new_job(stream=False, wait=False)
    machine.begin(0)
    actions = answered(machine, 202, answer("IN_QUEUE", "g1"))
    assert words(actions) == ["Leave", "End:0"]
    assert end_of(actions).event == "submitted"


def test_without_waiting_an_id_that_came_oddly_is_read_first():
    machine = new_job(stream=False, wait=False)
    machine.begin(0)
    assert words(answered(machine, 202, answer("IN_QUEUE", "g1"), confirmed=False)) == ["Poll"]
    assert end_of(read(machine, 200, answer("IN_QUEUE", "g1"))).event == "submitted"


@pytest.mark.parametrize("status", [404, 429, 503, None])
def test_without_waiting_a_job_that_cannot_be_read_for_now_is_submitted_all_the_same(status):
    machine = new_job("g1", age=1.0, stream=False, wait=False)
    machine.begin(0)
    ended = end_of(machine.poll_lost(1.0, "no answer") if status is None else read(machine, status))
    assert (ended.event, ended.exit_code, ended.fields["http_status"]) == ("submitted", 0, status)


def test_twenty_thousand_equal_events_become_a_heartbeat():
    machine = new_job(poll_timeout=1e6, create_timeout=1e6)
    streaming(machine, RUNNING)
    said = [action for at in range(20_000) for action in machine.stream_said(1 + at / 100, *RUNNING)]
    assert len(said) == 200 // 15


# -- polling -----------------------------------------------------------------------------------------


def waiting(**settings) -> Machine:
    machine = new_job("g1", stream=False, **settings)
    assert words(machine.begin(0)) == ["Poll"]
    return machine


def read(machine: Machine, status=200, reading=None, now=1.0, **more):
    return machine.poll_answered(now, told(status, reading, **more))


READ_ENDS = {301: 25, 307: 25, 400: 22, 401: 21, 402: 20, 403: 21, 404: 23, 405: 22, 409: 22, 410: 23, 422: 22}


@pytest.mark.parametrize("status, code", READ_ENDS.items())
def test_a_read_that_is_refused_ends_the_wait_with_its_category(status, code):
    actions = read(waiting(), status)
    assert words(actions) == [f"End:{code}"]
    assert end_of(actions).failure.fields["outcome"] == "accepted"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_a_read_that_fails_for_now_is_asked_again(status):
    machine = waiting()
    assert words(read(machine, status)) == ["poll_error"]
    assert words(machine.tick(machine.job.wake_at)) == ["Poll"]


@pytest.mark.parametrize(
    "reading", [answer(), answer(None, "g1"), answer("COMPLETED", "other"), SERVICE.answers.reading(None)]
)
def test_an_answer_that_tells_nothing_about_this_job_is_a_failed_read(reading):
    machine = waiting()
    assert words(read(machine, 200, reading)) == ["poll_error"]
    assert not machine.job.ended


def test_a_job_that_is_not_visible_yet_is_forgiven_and_one_that_never_was_is_not_closed():
    machine = new_job(stream=False)
    machine.begin(0)
    answered(machine, 200, answer("IN_QUEUE", "g1"), now=1.0)
    assert words(read(machine, 404, now=2.0)) == ["poll_error"]
    machine.tick(machine.job.wake_at)
    assert words(read(machine, 404, now=30.9)) == ["poll_error"]  # the heartbeat
    assert not machine.job.ended
    machine.tick(machine.job.wake_at)
    end = end_of(read(machine, 404, now=31.1))
    assert (end.event, end.exit_code, end.failure) == ("timeout", 11, None)
    assert end.fields["generation_id"] == "g1" and end.fields["guidance"]


def test_a_job_that_was_read_once_and_is_gone_is_not_found():
    machine = new_job(stream=False)
    machine.begin(0)
    answered(machine, 200, answer("IN_QUEUE", "g1"), now=1.0)
    assert words(read(machine, 200, answer("IN_PROGRESS", "g1"), now=2.0)) == ["poll"]
    machine.tick(machine.job.wake_at)
    assert words(read(machine, 404, now=3.0)) == ["End:23"]


@pytest.mark.parametrize(
    ("age", "words_of_it"), [(0.0, ["poll_error"]), (29.0, ["poll_error"]), (31.0, ["Leave", "End:11"])]
)
def test_a_job_of_the_ledger_is_as_old_as_the_ledger_says(age, words_of_it):
    machine = Machine(WaitPolicy(stream=False), ServiceRules(), "g1", age=age, jitter=lambda: 1.0)
    machine.begin(100.0)
    assert words(read(machine, 404, now=100.5)) == words_of_it


def test_a_job_that_is_only_waited_for_is_not_forgiven():
    assert words(read(waiting(), 404, now=0.5)) == ["End:23"]


def test_an_unknown_status_is_waited_out_and_warned_of_once():
    machine = waiting()
    assert words(read(machine, 200, answer("WARMING_UP", "g1"))) == ["warning", "poll"]
    machine.tick(machine.job.wake_at)
    assert words(read(machine, 200, answer("COOLING_DOWN", "g1"), now=2.0)) == []
    machine.tick(machine.job.wake_at)
    assert words(read(machine, 200, answer("COMPLETED", "g1"), now=3.0)) == ["End:0"]


def test_polling_starts_fast_and_slows_down_to_the_interval():
    machine, now, pauses = waiting(poll_interval=3.0), 0.0, []
    for _ in range(12):
        read(machine, 200, answer("IN_PROGRESS", "g1"), now=now)
        pauses.append(machine.job.wake_at - now)
        now = machine.job.wake_at
        assert words(machine.tick(now)) == ["Poll"]
    assert pauses[0] <= 0.1 and pauses == sorted(pauses) and pauses[-1] == pytest.approx(3.0)


@pytest.mark.parametrize("status", [200, 503])
def test_no_pause_between_reads_is_longer_than_a_minute(status):
    machine, now, pauses = waiting(poll_interval=3600.0, poll_timeout=1e6), 0.0, []
    for _ in range(40):
        read(machine, status, answer("IN_PROGRESS", "g1"), now=now, retry_after=now or None)
        pauses.append(machine.job.wake_at - now)
        now = machine.job.wake_at
        machine.tick(now)
    assert max(pauses) == 60.0


def test_only_a_404_is_forgiven_after_the_create():
    for status, expected in ((404, "poll_error"), (410, "End:23")):
        machine = new_job(stream=False)
        machine.begin(0)
        answered(machine, 200, answer("IN_QUEUE", "g1"), now=1.0)
        assert words(read(machine, status, now=2.0)) == [expected]


def test_a_repeated_error_is_told_at_first_and_then_every_fifteen_seconds_with_a_count():
    machine, now, said = waiting(poll_timeout=1e6), 0.0, []
    while now < 100:
        said += [action.fields for action in read(machine, 503, now=now)]
        now = machine.job.wake_at
        machine.tick(now)
    assert len(said) <= 1 + 100 // 15
    assert "count" not in said[0] and said[-1]["count"] > len(said)


@pytest.mark.parametrize("status", [429, 503, 200, 202])
def test_a_read_waits_as_long_as_the_service_asks(status):
    machine = waiting()
    read(machine, status, answer("IN_PROGRESS", "g1"), now=1.0, retry_after=20.0)
    assert machine.job.wake_at == 21.0


def test_a_pause_is_told_as_long_as_it_is():
    (said,) = read(waiting(), 503, retry_after=3600.0)
    assert said.fields["retry_in_seconds"] == 60.0


def test_a_hanging_read_is_given_up_and_asked_again():
    machine = waiting(poll_request_timeout=20.0)
    assert words(machine.tick(20.0)) == ["Leave", "poll_error"]
    assert words(machine.tick(machine.job.wake_at)) == ["Poll"]


# -- time ----------------------------------------------------------------------------------------------


def test_polling_ends_its_own_time_after_it_began():
    machine = new_job(poll_timeout=30.0, create_timeout=100.0)
    streaming(machine, QUEUED, now=5.0)
    machine.stream_ended(90.0, "eof")
    machine.poll_lost(91.0, "reset")
    machine.tick(machine.job.wake_at)
    assert machine.job.wake_at <= 120.0
    assert words(machine.tick(119.9))[-1:] != ["End:11"] and not machine.job.ended
    actions = machine.tick(120.0)
    assert words(actions) == ["Leave", "End:11"]
    assert end_of(actions).fields["last_status"] == "IN_QUEUE"


def test_a_stream_that_goes_on_and_on_is_left_for_polling_when_its_time_is_up():
    machine = new_job(stream_timeout=50.0, create_timeout=20.0)
    streaming(machine, QUEUED, now=5.0)
    for now in range(10, 55, 5):
        machine.stream_said(float(now), *QUEUED)
        assert machine.tick(float(now)) == [] and machine.job.wake_at <= 55.0
    assert words(machine.tick(55.0)) == ["Leave", "sse_stream_ended", "fallback_polling_start", "Poll"]


def test_a_deadline_is_above_both():
    machine = new_job(stream_timeout=50.0, create_timeout=200.0, deadline=30.0)
    streaming(machine, QUEUED, now=5.0)
    assert words(machine.tick(30.0)) == ["Leave", "End:11"]


def test_failing_reads_end_in_time_used_up_once_there_is_an_id():
    machine, now = waiting(poll_timeout=60.0), 0.0
    while not machine.job.ended:
        actions = read(machine, 503, now=now) if machine.job.phase == "reading" else []
        now = max(machine.job.wake_at, now + 0.01)
        actions += machine.tick(now)
    assert words(actions)[-1] == "End:11" and now == pytest.approx(60.0, abs=1)


@pytest.mark.parametrize("sent, code", [(True, 12), (False, 24)])
def test_a_deadline_that_falls_into_the_create_tells_whether_it_left(sent, code):
    machine = new_job(deadline=5.0)
    machine.begin(0)
    assert words(machine.tick(5.0, sent=sent)) == ["Leave", f"End:{code}"]


def test_a_deadline_that_falls_between_two_attempts_bought_nothing():
    machine = new_job(deadline=5.0)
    machine.begin(0)
    machine.create_not_sent(1.0, "the connection was refused")
    actions = machine.create_not_sent(4.9, "the connection was refused")
    assert words(actions) == ["End:24"]


# -- interruption ----------------------------------------------------------------------------------------


def test_an_interruption_while_the_create_is_out_waits_two_seconds_for_the_id():
    machine = new_job()
    machine.begin(0)
    assert machine.interrupted(1.0, 2, sent=True) == []
    assert machine.job.wake_at == 3.0
    assert words(answered(machine, 200, answer("IN_QUEUE", "g1"), now=2.0)) == ["Leave", "End:130"]
    assert machine.job.generation_id == "g1" and machine.job.outcome == "accepted"


def test_an_interruption_of_an_open_stream_waits_for_the_id_too():
    machine = new_job()
    streaming(machine)
    assert machine.interrupted(1.0, 15, sent=True) == []
    assert words(machine.stream_said(1.5, *QUEUED)) == ["Leave", "End:143"]
    assert machine.job.outcome == "accepted"


@pytest.mark.parametrize("second", ["signal", "time"])
def test_a_second_interruption_or_two_seconds_end_at_once(second):
    machine = new_job()
    machine.begin(0)
    machine.interrupted(1.0, 2, sent=True)
    actions = machine.interrupted(1.2, 2, sent=True) if second == "signal" else machine.tick(3.0)
    assert words(actions) == ["Leave", "End:130"]
    assert end_of(actions).fields["outcome"] == "unknown"


def test_an_interruption_before_a_byte_left_bought_nothing():
    machine = new_job()
    machine.begin(0)
    actions = machine.interrupted(1.0, 2, sent=False)
    assert words(actions) == ["Leave", "End:130"]
    assert end_of(actions).fields["outcome"] == "not_sent"


def test_an_interruption_while_waiting_ends_at_once():
    machine = waiting()
    assert words(machine.interrupted(1.0, 2, sent=False)) == ["Leave", "End:130"]


# -- whatever happens ---------------------------------------------------------------------------------

READINGS = st.sampled_from([answer(), answer("IN_QUEUE", "g1"), answer("COMPLETED", "g1"), answer("FAILED"),
                            answer("X", "g1"), answer("IN_PROGRESS"), answer("COMPLETED", "g2")])  # fmt: skip
STATUSES = st.sampled_from([200, 202, 303, 307, 400, 402, 404, 408, 429, 500, 502])
SEEN = st.one_of(
    st.tuples(st.just("create_answered"), st.builds(JobAnswer, STATUSES, READINGS, st.just("unknown"))),
    st.tuples(st.just("create_lost"), st.just("reset")),
    st.tuples(st.just("create_not_sent"), st.just("refused")),
    st.tuples(st.just("stream_opened"), st.just(200)),
    st.tuples(st.just("stream_said"), st.sampled_from(["message", "done", "failed"]), st.one_of(st.none(), READINGS)),
    st.tuples(st.just("stream_ended"), st.sampled_from(["eof", "reset"])),
    st.tuples(st.just("poll_answered"), st.builds(JobAnswer, STATUSES, READINGS, st.just("unknown"))),
    st.tuples(st.just("poll_lost"), st.just("reset")),
    st.tuples(st.just("tick")),
    st.tuples(st.just("interrupted"), st.just(2), st.booleans()),
)


@given(st.lists(st.tuples(st.floats(0, 40), SEEN), max_size=30), st.booleans(), st.booleans())
def test_whatever_is_seen_there_is_one_end_and_no_second_post_after_one_that_may_have_been_accepted(seen, stream, wait):
    machine, now, ends, may_be_bought = new_job(stream=stream, wait=wait), 0.0, 0, False
    actions = machine.begin(now)
    creates = words(actions).count("Create")
    for pause, (method, *values) in seen:
        if machine.job.ended:
            break
        if method.startswith("create") and machine.job.phase not in ("creating", "streaming"):
            continue  # a POST that is not out cannot be answered
        if method == "stream_opened" and (machine.job.phase != "creating" or not stream):
            continue
        if method in ("create_answered", "create_not_sent") and machine.job.phase == "streaming":
            continue
        now += pause
        actions = getattr(machine, method)(now, *values)
        assert not (may_be_bought and Create() in actions)
        creates += words(actions).count("Create")
        may_be_bought |= machine.job.outcome in ("accepted", "unknown")
        ends += sum(isinstance(action, End) for action in actions)
        assert ends == int(machine.job.ended) and (not ends or isinstance(actions[-1], End))
        assert Poll() not in actions or machine.job.generation_id
    assert creates <= CREATE_ATTEMPTS
    assert Leave() not in actions or actions


# -- a world of faults ---------------------------------------------------------------------------------


class World:
    """A service with a clock, which answers each request by the next fault of a schedule.

    bought   how often it has accepted the job; told whether its id has come through
    """

    def __init__(self, machine: Machine, posts, reads, lists):
        self.machine, self.now, self.bought, self.told, self.sent = machine, 0.0, 0, False, 0
        self._faults = {"post": iter(posts), "read": iter(reads), "list": iter(lists)}
        self._coming: list = []  # (moment, whether it answers the list, what is told to the machine)

    def run(self) -> End:
        actions = self.machine.begin(self.now)
        for _ in range(5000):
            ends = [action for action in actions if isinstance(action, End)]
            if ends:
                assert actions[-1] is ends[0] and len(ends) == 1 and self.machine.job.ended
                return ends[0]
            for action in actions:
                self._do(action)
            coming = min(self._coming, key=lambda one: one[0], default=None)
            if coming and coming[0] <= max(self.machine.job.wake_at, self.now):
                self._coming.remove(coming)
                self.now = max(self.now, coming[0])
                actions = coming[2]()
            else:
                assert self.machine.job.wake_at < float("inf"), "nothing would ever happen any more"
                self.now = max(self.now, self.machine.job.wake_at)
                actions = self.machine.tick(self.now, sent=self.sent > 0)
        raise AssertionError("it never ends")

    def _do(self, action) -> None:
        if isinstance(action, (Leave, Create, Poll)):
            self._coming = [one for one in self._coming if one[1]]
        if isinstance(action, Create):
            self._post(*next(self._faults["post"], ("answered", 0.1)))
        elif isinstance(action, Poll):
            kind, delay = next(self._faults["read"], ("COMPLETED", 0.1))
            self._later(delay, lambda: self._read(kind))
        elif isinstance(action, Reconcile):
            kind, delay = next(self._faults["list"], ("nothing", 0.1))
            self._later(delay, lambda: self._list(kind), is_list=True)

    def _later(self, delay: float, what, is_list: bool = False) -> None:
        if delay < 100:  # else it never comes
            self._coming.append((self.now + delay, is_list, what))

    def _post(self, kind: str, delay: float) -> None:
        machine = self.machine
        assert not self.told, "a POST after the id was known"
        self.sent = 0
        if kind == "refused":
            return self._later(delay, lambda: machine.create_not_sent(self.now, "refused"))
        self.sent = 1
        if kind in ("400", "429"):
            return self._later(delay, lambda: answered(machine, int(kind), now=self.now))
        assert not self.bought or machine.job.rules.repeats_for, "bought twice"
        self.bought += 1
        if kind == "lost":
            return self._later(delay, lambda: machine.create_lost(self.now, "reset", True))
        if kind == "502":
            return self._later(delay, lambda: answered(machine, 502, now=self.now, repeatable=True))
        if kind == "answered":
            return self._later(delay, lambda: self._tell(answered, machine, 200, answer("IN_QUEUE", "g1"), self.now))
        self._later(delay / 3, lambda: machine.stream_opened(self.now, 200))
        if kind == "streamed":
            self._later(delay / 2, lambda: self._tell(machine.stream_said, self.now, *QUEUED))
        return self._later(delay, lambda: machine.stream_ended(self.now, "reset"))

    def _tell(self, method, *values):
        self.told = True
        return method(*values)

    def _read(self, kind: str):
        if kind.isdigit():
            return read(self.machine, int(kind), now=self.now, retry_after=7.0)
        if kind == "lost":
            return self.machine.poll_lost(self.now, "reset")
        return read(self.machine, 200, answer(None if kind == "empty" else kind, "g1"), now=self.now)

    def _list(self, kind: str):
        found = {"nothing": [], "it": ["g1"], "two": ["g1", "g2"], "lost": None}[kind] if self.bought else []
        self.told = self.told or found == ["g1"]
        return self.machine.listed(self.now, found)


DELAYS = st.sampled_from([0.01, 0.5, 5.0, 15.0, 40.0, 1000.0])
POSTS = st.tuples(st.sampled_from(["answered", "streamed", "opened", "lost", "refused", "400", "429", "502"]), DELAYS)
READS = st.tuples(
    st.sampled_from(["IN_PROGRESS", "COMPLETED", "FAILED", "ODD", "empty", "lost", "404", "500", "429", "401"]), DELAYS
)
LISTED = st.tuples(st.sampled_from(["nothing", "it", "two", "lost"]), DELAYS)


@given(
    st.lists(POSTS, max_size=6),
    st.lists(READS, max_size=12),
    st.lists(LISTED, max_size=4),
    st.sampled_from([1.0, 9.0, 60.0, float("inf")]),
    st.sampled_from([{}, {"reconciles": True}, {"repeats_for": 600.0}]),
)
def test_no_schedule_of_faults_loses_an_id_or_buys_twice_or_takes_longer_than_it_may(
    posts, reads, lists, deadline, service
):
    machine = new_job(deadline=deadline, create_timeout=20.0, stream_timeout=90.0, poll_timeout=120.0, **service)
    world = World(machine, posts, reads, lists)
    end = world.run()
    assert world.now <= min(deadline, 2000.0)
    assert not world.told or (machine.job.generation_id, machine.job.outcome) == ("g1", "accepted")
    if world.bought:
        assert machine.job.outcome in ("accepted", "unknown") and (end.exit_code == 12) == (
            machine.job.outcome == "unknown"
        )
    else:
        assert machine.job.outcome in ("not_sent", "rejected", "unknown") and end.exit_code not in (0, 10, 11)


# -- reconciling ---------------------------------------------------------------------------------------


def unknown_job(**settings) -> Machine:
    machine = new_job(reconciles=True, **settings)
    machine.begin(0)
    assert words(machine.create_lost(1.0, "a reset")) == ["Leave", "Reconcile"]
    return machine


@pytest.mark.parametrize("every, wanted", [(0.0, [1.0, 2.0, 4.0]), (5.0, [1.0, 6.0, 11.0])])
def test_the_list_is_read_at_once_after_one_and_after_three_seconds(every, wanted):
    """Or as often as the service wants it."""
    machine, read_at = unknown_job(list_every=every), [1.0]
    for _ in range(2):
        assert words(machine.listed(read_at[-1], [])) == []
        read_at.append(machine.job.wake_at)
        assert words(machine.tick(machine.job.wake_at)) == ["Reconcile"]
    assert read_at == wanted
    assert words(machine.listed(wanted[-1], [])) == ["Leave", "End:12"]


# what the readings of the list show, one after the other -> how it goes on
LISTS = [
    ([["g"]], ["Leave", "resumed", "Poll"]),
    ([[], ["g"]], ["Leave", "resumed", "Poll"]),
    ([None, None, None], ["Leave", "End:12"]),
    ([["g", "h"], ["g", "h"], ["g", "h"]], ["Leave", "End:12"]),
    ([["g", "h"], ["h"]], ["Leave", "resumed", "Poll"]),
]


@pytest.mark.parametrize("lists, expected", LISTS)
def test_exactly_one_job_that_nobody_has_is_taken(lists, expected):
    machine, now, actions = unknown_job(), 1.0, []
    for matches in lists:
        actions = machine.listed(now, matches)
        if not actions:
            now = machine.job.wake_at
            machine.tick(now)
    assert words(actions) == expected


def test_one_that_was_seen_in_a_part_of_the_list_is_not_taken():
    """Another that looks like it may be in the rest."""
    machine = unknown_job()
    assert machine.listed(1.0, ["g"], is_whole=False) == [] and machine.job.generation_id is None


def test_several_that_look_alike_are_told():
    machine, now = unknown_job(), 1.0
    for _ in range(3):
        actions = machine.listed(now, ["g", "h"])
        now = machine.job.wake_at
        machine.tick(now)
    assert end_of(actions).failure.fields["candidates"] == ["g", "h"]


def test_a_silent_post_stays_open_while_the_list_is_read():
    machine = new_job(reconciles=True)
    machine.begin(0)
    assert machine.job.wake_at == 10.0 and machine.give_up_at == 120.0
    assert words(machine.tick(10.0)) == ["Reconcile"]
    assert machine.listed(10.1, []) == []
    assert words(machine.tick(15.0)) == ["Reconcile"]
    assert words(machine.listed(15.1, ["g"])) == ["Leave", "resumed", "Poll"]


def test_the_list_is_not_read_for_a_post_that_has_not_left():
    machine = new_job(reconciles=True)
    machine.begin(0)
    assert words(machine.tick(10.0, sent=False)) == [] and machine.job.wake_at == 15.0


def test_an_open_stream_without_an_id_is_as_silent_as_a_post():
    machine = new_job(reconciles=True, create_timeout=20.0)
    machine.begin(0)
    machine.stream_opened(8.0, 200)
    looked = []
    while machine.job.wake_at < 28:
        now = machine.job.wake_at
        if "Reconcile" in words(machine.tick(now)):
            looked.append(now)
        assert machine.job.wake_at > now, "it would look at the clock without end"
    assert looked == [10.0, 15.0, 20.0, 25.0]


def test_a_deadline_in_the_post_keeps_time_back_to_reconcile():
    machine = new_job(reconciles=True, deadline=8.0)
    machine.begin(0)
    assert machine.job.wake_at == 6.0
    assert words(machine.tick(6.0)) == ["Leave", "Leave", "Reconcile"]
    assert words(machine.tick(8.0)) in ([], ["Leave", "End:12"])
    assert machine.job.wake_at <= 8.0


def test_a_signal_while_reconciling_ends_with_an_unknown_outcome():
    machine = unknown_job()
    end = end_of(machine.interrupted(1.5, 2, True))
    assert (end.exit_code, end.fields["outcome"]) == (130, "unknown")


# -- a create whose time is over before it begins ------------------------------------------------------


@pytest.mark.parametrize("reconciles", [True, False])
def test_a_create_is_not_begun_when_the_time_is_over(reconciles):
    """Uploads, plans and other processes were waited for before; the POST could only end as unknown."""
    machine = new_job(deadline=0.0, reconciles=reconciles)
    actions = machine.begin(7)
    assert words(actions) == ["Leave", "End:24"] and machine.job.outcome == "not_sent"
    assert end_of(actions).failure.fields["outcome"] == "not_sent"


def test_a_doubtful_create_is_not_repeated_when_the_time_is_over():
    unresolved = errors.Failure("outcome_unknown", "?", "outcome_unknown", outcome="unknown")
    machine = new_job(unresolved=unresolved, deadline=5.0, repeats_for=60.0)
    assert words(machine.begin(0)) == ["Create"]
    machine = new_job(unresolved=unresolved, deadline=0.0, repeats_for=60.0)
    assert words(machine.begin(0))[-1] == "End:12" and machine.job.outcome == "unknown"


# -- the same again under an idempotency key ---------------------------------------------------------------


def failing_for_ever(machine: Machine, fail) -> tuple[list[float], End]:
    """When each POST was sent whose answer `fail` makes of (job, now), and how it ended."""
    now, sent, actions = 0.0, [], machine.begin(0)
    while not machine.job.ended:
        if Create() in actions:
            sent.append(now)
            actions = fail(machine, now)
            continue
        now = machine.job.wake_at
        actions = machine.tick(now)
    return sent, end_of(actions)


# what each POST comes to -> the seconds before the second one
FAILURES = {
    "no answer": (lambda machine, now: machine.create_lost(now, "reset", True), 30.0),
    "an answer": (lambda machine, now: answered(machine, 502, now=now, repeatable=True), 5.0),
    "an answer that says when": (
        lambda machine, now: answered(machine, 502, now=now, repeatable=True, retry_after=12.0),
        12.0,
    ),
    "a success without an id": (lambda machine, now: answered(machine, 200, now=now, repeatable=True), 5.0),
    "not sent, once it was": (
        lambda machine, now: (
            machine.create_not_sent(now, "refused") if now else machine.create_lost(now, "reset", True)
        ),
        30.0,
    ),
}


def keyed(**settings) -> Machine:
    return new_job(stream=False, repeats_for=600.0, repeat_pauses=(5.0, 30.0), **settings)


@pytest.mark.parametrize("name", FAILURES)
def test_the_same_is_sent_again_for_ten_minutes_after_growing_pauses(name):
    fail, first = FAILURES[name]
    sent, end = failing_for_ever(keyed(), fail)
    pauses = [later - earlier for earlier, later in zip(sent, sent[1:])]
    assert pauses[0] == first and pauses[:-1] == sorted(pauses[:-1]) and max(pauses) == 60.0
    assert 8 <= len(sent) <= 20 and 570.0 < sent[-1] < 600.0
    assert end.exit_code == 12 and end.failure.fields["outcome"] == "unknown"


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("deadline", [8.0, 40.0])
def test_it_ends_before_the_deadline_and_is_tried_once_more_before_that(name, deadline):
    fail, first = FAILURES[name]
    sent, end = failing_for_ever(keyed(deadline=deadline), fail)
    assert sent[-1] < deadline and end.exit_code == 12
    assert len(sent) > 1 or first == 12.0, "only a pause that the service asked for is not cut short"


def test_whoever_only_asks_says_for_how_long():
    unresolved = errors.Failure("outcome_unknown", "?", "outcome_unknown", outcome="unknown")
    machine = new_job(unresolved=unresolved, repeats_for=500.0, poll_timeout=20.0)
    sent, end = failing_for_ever(machine, FAILURES["no answer"][0])
    assert len(sent) > 2 and sent[-1] < 20.0 and end.exit_code == 12


def test_the_pause_before_it_is_told_and_can_be_interrupted():
    machine = keyed()
    machine.begin(0)
    _, said = machine.create_lost(1.0, "reset", True)
    assert (said.event, said.fields["retry_in_seconds"], said.fields["attempt"]) == ("retry", 30.0, 2)
    assert machine.job.outcome == "unknown"
    assert end_of(machine.interrupted(2.0, 2, False)).fields["outcome"] == "unknown"


def test_a_refusal_of_the_repeated_post_proves_nothing_about_the_first():
    machine = keyed()
    machine.begin(0)
    machine.create_lost(1.0, "reset", True)
    machine.tick(31.0)
    assert words(answered(machine, 400, now=32.0)) == ["End:12"] and machine.job.outcome == "unknown"


def test_a_deadline_in_the_pause_before_the_repeated_post_leaves_it_unknown():
    machine = keyed(deadline=20.0)
    machine.begin(0)
    machine.create_lost(1.0, "reset", True)
    assert words(machine.tick(25.0)) == ["Leave", "End:12"]


def test_an_error_that_is_not_to_be_repeated_ends_it():
    machine = keyed()
    machine.begin(0)
    machine.create_lost(1.0, "reset", True)
    assert words(machine.tick(31.0)) == ["Create"]
    assert words(answered(machine, 500, now=32.0)) == ["End:12"]


def test_a_create_without_an_answer_is_sent_again_only_where_the_service_says_so():
    machine = keyed()
    machine.begin(0)
    assert words(machine.create_lost(1.0, "reset", False)) == ["End:12"] and machine.job.outcome == "unknown"


def test_progress_and_the_place_in_a_queue_are_remembered_as_told_last():
    machine = Machine(WaitPolicy(), ServiceRules(), "g1")
    machine.begin(0.0)
    for now, (state, progress, position) in enumerate(
        [("queued", None, 3), ("running", 0.42, None), ("running", None, None)]
    ):
        reading = Reading("g1", state, state, {}, progress=progress, position=position)
        machine.poll_answered(float(now), JobAnswer(200, reading))
        assert (machine.job.progress, machine.job.position) == (progress, position)
        machine.tick(machine.job.wake_at)
