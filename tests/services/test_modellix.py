"""Modellix: a lost create is looked for in its log of requests, which tells model and time and no input."""

from __future__ import annotations

import pytest

from mediakit.base.times import moment_of
from mediakit.ledger import store
from mediakit.services import providers
from mediakit.services.job_list import SAME_JOB_WITHIN

MODELLIX = providers.load("modellix")
MODEL = "google/nano-banana"
BEGAN = 1_790_000_000.0


def row(name: str = "nano-banana", after: float = 1.0, task: str = "task-1", **more) -> dict:
    made = {"created_at": BEGAN + after}
    return {"task_id": task, "model": {"provider": "google", "model_name": name}, **made, **more}


# rows of the log -> the ids that can be a job of MODEL that was asked for at BEGAN
LOGS = [
    ([], []),
    ([row()], ["task-1"]),
    ([row(name=MODEL)], ["task-1"]),
    ([row(), row()], ["task-1"]),
    ([row(), row(task="task-2")], ["task-1", "task-2"]),
    ([row(name="nano-banana-2")], []),
    ([row(after=-1)], []),
    ([row(after=SAME_JOB_WITHIN + 1)], []),
    ([row(created_at="2026-09-21T14:13:21Z")], ["task-1"]),
    ([row(created_at=(BEGAN + 1) * 1000)], ["task-1"]),
    ([row(created_at="yesterday")], []),
    ([row(created_at=None)], []),
    ([row(task="../x")], []),
    (["no row", None, {}], []),
]


@pytest.mark.parametrize("rows, ids", LOGS, ids=range(len(LOGS)))
def test_a_row_of_the_log_is_ours_by_its_model_and_its_time(rows, ids):
    for body in ({"requests": rows}, {"code": 0, "data": {"requests": rows}}):
        assert MODELLIX.job_list.matches(body, {"prompt": "x"}, BEGAN, MODEL) == ids


def test_what_is_no_log_says_nothing():
    for body in (None, {}, {"requests": None}, {"data": []}, "text"):
        assert MODELLIX.job_list.matches(body, {}, BEGAN, MODEL) is None


def order(model: str, prompt: str) -> store.Order:
    return store.Order(
        fingerprint=prompt * 64, request=prompt * 64, service="modellix", origin="https://api.modellix.ai", practice=0, model=model,
        base_url=None, output_dir=None, intent=None, copy=1, command="c", payload=None, price=None,
    )  # fmt: skip


@pytest.mark.parametrize("other, rivals", [(MODEL, True), ("google/nano-banana-2", False)])
def test_with_two_lost_jobs_of_one_model_nobody_can_tell_whose_a_row_is(tmp_path, other, rivals):
    ledger = store.Ledger(str(tmp_path / "state"))
    first, _ = (
        ledger.claims.claim([order(model, prompt)], [])[0].entry for model, prompt in ((MODEL, "a"), (other, "b"))
    )
    assert ledger.has_rival(first, SAME_JOB_WITHIN) is rivals
    assert ledger.has_rival(first) is False  # by its input it could be told


MOMENTS = [
    ("2026-09-21T14:13:20Z", BEGAN),
    ("2026-09-21T14:13:20.5Z", BEGAN + 0.5),
    ("2026-09-21T14:13:20.123456789+00:00", BEGAN + 0.123456789),
    ("2026-09-21T16:13:20+02:00", BEGAN),
    ("2026-09-21 14:13:20", BEGAN),
    (BEGAN, BEGAN),
    (int(BEGAN * 1000), BEGAN),
    *[(wrong, None) for wrong in ("", "soon", True, None, -1, 1e300, [], "2026-13-40T99:99:99Z", "x" * 30)],
]


@pytest.mark.parametrize("told, moment", MOMENTS, ids=range(len(MOMENTS)))
def test_a_moment_is_read_as_services_write_it(told, moment):
    found = moment_of(told)
    assert found == (moment if moment is None else pytest.approx(moment, abs=1e-3))
