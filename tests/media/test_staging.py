"""Files on their way to their names, where several processes save into one folder at once."""

from __future__ import annotations

import contextlib
import os

import pytest

from conftest import PATIENCE, Run
from mediakit.base import atomic
from mediakit.media import staging


@pytest.mark.parametrize("gone", [True, False], ids=["renamed meanwhile", "left by a kill"])
def test_a_private_file_of_another_job_fails_nobody(tmp_path, monkeypatch, gone):
    """Between the listing of a folder and a look at a file its own job may give it another name."""
    other = tmp_path / f"{atomic.PREFIX}other{atomic.SUFFIX}"
    other.write_bytes(b"x")
    os.utime(other, (0, 0))
    scandir = os.scandir

    @contextlib.contextmanager
    def listed(folder):
        with scandir(folder) as entries:
            found = list(entries)
        if gone:
            other.rename(tmp_path / "picture.png")
        yield found

    monkeypatch.setattr(staging.os, "scandir", listed)
    staging.remove_stale(str(tmp_path))
    monkeypatch.undo()
    assert os.listdir(tmp_path) == (["picture.png"] if gone else [])


def test_jobs_that_save_into_one_folder_at_once_all_save(scripts, sandbox, tmp_path):
    made = [
        scripts.start(
            "create_and_wait.py", "--provider", "skills-video", "--base-url", f"{sandbox.url}/api/v1", "--task", "t2i",
            "--prompt", f"boat {number}", "--output-dir", "out", env={"SKILLS_VIDEO_API_KEY": "fake_test_key"},
        )
        for number in range(6)
    ]  # fmt: skip
    runs = [Run(one.wait(PATIENCE), *one.communicate(timeout=PATIENCE)) for one in made]
    assert [run.code for run in runs] == [0] * 6, [run.result for run in runs]
    assert len({run.result["assets"][0]["path"] for run in runs}) == len(list((tmp_path / "out").glob("*.png"))) == 6
