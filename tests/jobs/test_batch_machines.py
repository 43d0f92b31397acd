"""The files of references/batch.md for many machines: run as they stand, each part in the environment that its scheduler makes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conftest import SCRIPTS

PAGE = (SCRIPTS.parent / "references/batch.md").read_text("utf-8")
SLURM = re.search(r"```sh\n(#!/bin/sh\n#SBATCH.*?)```", PAGE, re.S)[1]
JOB = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, re.S)[1])
PARTS = 8
IDS = [f"line-{number}" for number in range(24)]
pytestmark = pytest.mark.skipif(os.name == "nt" or not shutil.which("bash"), reason="both are for POSIX shells")


def container() -> dict:
    (found,) = JOB["spec"]["template"]["spec"]["containers"]
    return found


def slurm(home: Path, part: int) -> tuple[str, dict]:
    """The commands and the environment of one task of an array."""
    return SLURM, {"HOME": str(home), "SLURM_ARRAY_TASK_ID": str(part)}


def kubernetes(home: Path, part: int) -> tuple[str, dict]:
    """The same of one pod of an indexed Job; its volume is the folder, and its image has the skill there."""
    assert container()["command"] == ["sh", "-c"] and JOB["spec"]["completionMode"] == "Indexed"
    (words,) = container()["args"]
    return words.replace("/data", str(home)), {"JOB_COMPLETION_INDEX": str(part - 1)}


@pytest.fixture
def part_of(tmp_path):
    """Runs one part as its scheduler would: `(machine, part, more) -> its last event`; `more` is added to the flags."""
    lines = [{"id": name, "provider": "sandbox", "task": "t2i", "prompt": f"{name} fault:job-fast"} for name in IDS]
    (tmp_path / "jobs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    (tmp_path / "scripts").symlink_to(SCRIPTS)

    def run(machine, part: int, more: str = "") -> dict:
        words, env = machine(tmp_path, part)
        path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
        command = ["bash", "-c", f"{words.rstrip()} {more}"]
        env = {**os.environ, "PATH": path, "AI_MEDIA_HOME": "", **env}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_the_parts_of_an_array_are_all_lines(part_of):
    planned = [part_of(slurm, part, "--dry-run") for part in range(1, PARTS + 1)]
    assert sum(plan["jobs"] for plan in planned) == len(IDS)
    assert [plan["shard"] for plan in planned] == [f"{part}/{PARTS}" for part in range(1, PARTS + 1)]


@pytest.mark.parametrize("machine", [slurm, kubernetes])
def test_a_part_that_starts_again_buys_nothing(part_of, tmp_path, machine):
    first, again = (part_of(machine, 1) for _ in range(2))
    assert first["succeeded"] == again["succeeded"] > 0 and first["spent"] and not again["spent"]
    assert first["files"] == again["files"] and len(list(tmp_path.rglob("ledger.sqlite3"))) == 1


def test_every_part_of_an_indexed_job_is_a_part():
    assert JOB["spec"]["completions"] == JOB["spec"]["parallelism"] == PARTS
    assert f"--shard $((JOB_COMPLETION_INDEX + 1))/{PARTS}" in container()["args"][0]
    mounted = {one["name"] for one in container()["volumeMounts"]}
    assert mounted == {one["name"] for one in JOB["spec"]["template"]["spec"]["volumes"]}
