"""How long an answer may make anybody wait."""

import pytest

from fake_service import COMPLETED, FakeService, answer, create, wait
from mediakit.http.answers import Answer, retry_after

NOW = 1_800_000_000.0
DATE = "Fri, 15 Jan 2027 08:00:30 GMT"  # NOW + 30 s

# status, headers, seconds
TABLE = [
    (429, {"Retry-After": "7"}, 7.0),
    (503, {"Retry-After": " 2.5 "}, 2.5),
    (503, {"Retry-After": DATE}, 30.0),
    (503, {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
    (503, {"Retry-After": "soon"}, None),
    (503, {"Retry-After": "-5"}, None),
    (429, {"X-RateLimit-Reset": "12"}, 12.0),
    (429, {"X-RateLimit-Reset": str(int(NOW) + 40)}, 40.0),
    (429, {"X-RateLimit-Reset": "12", "Retry-After": "3"}, 3.0),
    (502, {"X-RateLimit-Reset": "3600", "X-RateLimit-Remaining": "998"}, None),
    (502, {"X-RateLimit-Reset": "3600"}, None),
    (200, {"X-RateLimit-Reset": "9", "X-RateLimit-Remaining": "0"}, 9.0),
    (503, {"X-RateLimit-Reset": "9", "X-RateLimit-Remaining": " 0 "}, 9.0),
    (429, {"X-RateLimit-Reset": "never"}, None),
    (429, {"X-RateLimit-Reset": str(int(NOW) * 1000 + 40_500)}, 40.5),
    (429, {"X-RateLimit-Reset": "9" * 400}, 1e9),
    (429, {"Retry-After": "9" * 400}, 1e9),
    (429, {"Retry-After": "0.123456789"}, 0.123456789),
    (429, {"Retry-After": "٣"}, None),
    (429, {}, None),
]


@pytest.mark.parametrize(("status", "headers", "seconds"), TABLE)
def test_how_long_an_answer_asks_to_wait(status, headers, seconds):
    assert retry_after(status, headers, NOW) == seconds
    assert (Answer(status, headers, b"").retry_after is None) is (seconds is None)


def test_a_rate_limit_that_is_not_used_up_makes_no_read_wait(scripts):
    busy = answer(502, b"", {"X-RateLimit-Reset": "3600", "X-RateLimit-Remaining": "998", "X-RateLimit-Limit": "1000"})
    with FakeService(read=[busy, COMPLETED]) as service:
        run = wait(scripts, service)
        assert run.code == 0 and run.first("poll_error")["retry_in_seconds"] <= 1


@pytest.mark.parametrize("headers", [{"Retry-After": "3600"}, {"X-RateLimit-Reset": "3600"}])
def test_no_pause_between_reads_is_longer_than_a_minute(scripts, headers):
    with FakeService(read=answer(429, b"", headers)) as service:
        run = wait(scripts, service, "--timeout", "1")
        assert (run.code, run.first("poll_error")["retry_in_seconds"]) == (11, 60), run.events


@pytest.mark.parametrize("headers", [{"Retry-After": "61"}, {"X-RateLimit-Reset": "3600"}])
def test_a_create_that_is_asked_to_wait_longer_than_its_minute_ends_at_once(scripts, headers):
    with FakeService(create=answer(429, {"message": "slow down"}, headers)) as service:
        run = create(scripts, service, streams=False)
        assert (run.code, run.result["outcome"], service.posts()) == (24, "rejected", 1), run.events


@pytest.mark.parametrize("status", [*range(520, 531), 598, 599])
def test_what_a_gateway_makes_up_is_asked_again(scripts, status):
    with FakeService(read=[answer(status), COMPLETED]) as service:
        assert wait(scripts, service).code == 0
