"""Answers with odd numbers and depths: the result is saved all the same, and nothing is a bug of ours."""

from __future__ import annotations

import json

import pytest

from fake_service import PNG, WITH_KEY, FakeService, answer, create, job, wait
from mediakit.http.documents import read_json
from mediakit.services import providers


@pytest.mark.parametrize(
    "moment",
    ["1" + "0" * 400, "1" + "0" * 250, "-1", "NaN", "Infinity", "1e999", '"soon"', "true", "null", "[1]", "0.5"],
)
def test_a_time_of_keeping_that_makes_no_sense_is_none(moment):
    body, _ = read_json(b'{"data": {"result_expires_at": ' + moment.encode() + b"}}")
    found = providers.load("modellix").answers.expires_at(body)
    assert found is None or 0 < found < 1e11


@pytest.mark.parametrize(
    "deep", [b"[" * 982 + b"]" * 982, b'{"a":' * 982 + b"1" + b"}" * 982, b"[" * 99_999 + b"]" * 99_999]
)
def test_an_answer_that_is_nested_deep_is_an_answer(scripts, tmp_path, deep):
    with FakeService(media=answer(200, PNG, media_type="image/png")) as service:
        done = job("COMPLETED", f"{service.origin}/media/1")
        body = json.dumps(done).encode()[:-1] + b', "deep": ' + deep + b"}"
        service._scripts["create"] = [answer(200, body)]
        service._scripts["read"] = [answer(200, body)]
        bought = create(scripts, service, "--output-dir", "out")
        assert bought.code == 0, bought.events
        again = scripts.run(
            "jobs.py",
            "download",
            bought.job,
            "--base-url",
            service.base_url,
            "--output-dir",
            "two",
            env=WITH_KEY,
        )
        resumed = wait(scripts, service, "--output-dir", "three")
    assert (again.code, resumed.code, service.posts()) == (0, 0, 1)
    assert sorted(path.read_bytes() for path in tmp_path.glob("*/*.png")) == [PNG] * 3
