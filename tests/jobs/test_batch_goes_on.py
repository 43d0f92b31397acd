"""A batch can be stopped, killed and shared at any moment: every line ends once, and nothing is bought twice.

AI_MEDIA_STORM=500 makes the storm as large as that, with 30 s of darkness in place of 2.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from batch_runs import drawn
from conftest import KEY, PATIENCE, Run, at_sandbox
from fake_service import FakeService
from stormy import Stormy

JOBS = int(os.environ.get("AI_MEDIA_STORM", "40"))
DARKNESS = 30.0 if JOBS > 100 else 2.0
LASTS = (5.0, 15.0) if JOBS > 100 else (2.0, 4.0)
KILLS = 3
POSIX = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX systems")


def write(folder, lines: list[dict]) -> str:
    (folder / "jobs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return "jobs.jsonl"


def ended(process: subprocess.Popen, patience: float = PATIENCE) -> Run:
    stdout, stderr = process.communicate(timeout=patience)
    return Run(process.returncode, stdout, stderr)


def results(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "out/results.jsonl").read_text("utf-8").splitlines()]


def wait_until(holds) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


@POSIX
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_with_the_command_that_goes_on(scripts, number, code):
    with Stormy((30.0, 30.0)) as server:
        file = write(scripts.folder, drawn("a", "b", "c"))
        flags = (file, *at_sandbox(server), "--max-jobs", "3", "--output-dir", "out")
        process = scripts.start("create_batch.py", *flags)
        wait_until(lambda: server.account["accepted"] == 3)
        process.send_signal(number)
        run = ended(process)
        assert (run.code, run.events[-1]["event"], run.events[-1]["unfinished"]) == (code, "interrupted", 3)
        with server.store._database() as database, database:
            database.execute("UPDATE job SET duration = 0")
        again = subprocess.run(
            run.events[-1]["next_argv"], cwd="/", env=scripts.environment(), capture_output=True, timeout=PATIENCE
        )
        assert again.returncode == 0, again.stdout
        assert server.account["creates"] == 3 and all(line["ok"] for line in results(scripts.folder))


def test_at_its_deadline_a_batch_begins_nothing_new_and_says_how_to_go_on(scripts):
    with Stormy((60.0, 60.0)) as server:
        file = write(scripts.folder, drawn("a", "b", "c"))
        flags = (file, *at_sandbox(server), "--max-jobs", "3", "--in-flight", "2", "--deadline", "5")
        run = scripts.run("create_batch.py", *flags)
        assert (run.code, run.events[-1]["event"], run.events[-1]["unfinished"]) == (11, "summary", 3), run.events
        assert server.account["creates"] <= 2 and "--in-flight" in run.events[-1]["next_argv"]


@POSIX
def test_a_second_signal_waits_for_no_create(scripts):
    def silent(exchange) -> None:
        exchange.wait(threading.Event())

    with FakeService(create=silent) as service:
        file = write(scripts.folder, [{"model": "z-image/z-image", "prompt": "a"}])
        flags = (file, "--provider", "skills-video", "--base-url", service.base_url, "--output-dir", "out")
        process = scripts.start("create_batch.py", *flags, env={"SKILLS_VIDEO_API_KEY": KEY})
        service.wait_for("POST")
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)  # two signals at once are one
        process.send_signal(signal.SIGINT)
        run = ended(process)
        assert (run.code, run.events[-1]["event"], service.posts()) == (130, "interrupted", 1)
        again = scripts.run("create_batch.py", *flags, env={"SKILLS_VIDEO_API_KEY": KEY})
        assert (again.code, again.events[-1]["unknown"], service.posts()) == (12, 1, 1), again.events


def test_two_processes_share_the_work_of_one_file(scripts):
    with Stormy((0.3, 1.0)) as server:
        file = write(scripts.folder, drawn(*(f"job {n}" for n in range(16))))
        flags = (file, *at_sandbox(server), "--max-jobs", "16", "--in-flight", "4", "--output-dir", "out")
        runs = [ended(process) for process in [scripts.start("create_batch.py", *flags) for _ in range(2)]]
        assert [run.code for run in runs] == [0, 0], [run.events[-1] for run in runs]
        assert [run.events[-1]["succeeded"] for run in runs] == [16, 16]
        assert server.account["creates"] == 16 == len(server.accepted)
        shares = [sum(event["event"] == "submitted" for event in run.events) for run in runs]
        assert sum(shares) == 16 and all(shares), shares
        assert [line["ok"] for line in results(scripts.folder)] == [True] * 16


def test_two_processes_share_what_an_earlier_one_has_left(scripts):
    with Stormy((3.0, 3.0)) as server:
        file = write(scripts.folder, drawn(*(f"job {n}" for n in range(8))))
        flags = (file, *at_sandbox(server), "--max-jobs", "8", "--output-dir", "out")
        assert scripts.run("create_batch.py", *flags, "--no-wait").code == 0
        runs = [ended(process) for process in [scripts.start("create_batch.py", *flags) for _ in range(2)]]
        assert [run.code for run in runs] == [0, 0], [run.events[-1] for run in runs]
        saved = [event["line"] for run in runs for event in run.events if event["event"] == "asset"]
        assert sorted(saved) == sorted(str(n) for n in range(1, 9)) and server.account["creates"] == 8


def storm_lines(count: int) -> list[dict]:
    """Every fifth line takes the output of the one before it."""
    lines = []
    for n in range(count):
        if n % 5 == 4:
            lines.append({"id": f"n{n}", "task": "i2v", "prompt": f"film {n}", "inputs": {"image": f"line:n{n - 1}"}})
        else:
            lines.append({"id": f"n{n}", "task": "t2i", "prompt": f"still {n}"})
    return lines


def test_a_storm_loses_no_job_and_buys_none_twice(scripts):
    """429s, resets, lost answers and darkness, all at once, and kills in between."""
    with Stormy(LASTS, storms=0.1, resets=0.05, lost=0.05, dark=(3.0, 3.0 + DARKNESS), seed=7) as server:
        file = write(scripts.folder, storm_lines(JOBS))
        flags = (file, *at_sandbox(server), "--max-jobs", str(JOBS), "--continue-on-unknown", "--output-dir", "out")
        for kill in range(KILLS):
            process = scripts.start("create_batch.py", *flags, "--summary-only")
            enough = JOBS * (kill + 1) // (KILLS + 2)
            stop = threading.Event()
            watch = threading.Timer(PATIENCE, stop.set)
            watch.start()
            while server.account["accepted"] < enough and process.poll() is None and not stop.is_set():
                time.sleep(0.005)
            watch.cancel()
            process.kill()
            process.wait()
        run = ended(scripts.start("create_batch.py", *flags, "--summary-only"), PATIENCE * 4)
        last = ended(scripts.start("create_batch.py", *flags, "--summary-only"), PATIENCE * 4)
        ends = {line["id"]: line for line in results(scripts.folder)}
        account = {
            "lines": JOBS,
            "asked": server.account["creates"],
            "accepted": server.account["accepted"],
            "delivered": sum(line["ok"] for line in ends.values()),
            "unknown": sum(line["exit_code"] == 12 for line in ends.values()),
            "skipped": sum(line.get("state") == "skipped" for line in ends.values()),
            "double": sum(count - 1 for count in server.accepted.values()),
            "lost": sum(
                count for prompt, count in server.accepted.items() if not _is_accounted(prompt, ends)
            ),
            "refused": server.account["429"],
            "resets": server.account["resets"],
            "answers lost": server.account["lost"],
        }  # fmt: skip
        sys.stderr.write(json.dumps(account) + "\n")
        assert account["double"] == 0 and account["lost"] == 0, account
        assert account["accepted"] <= account["asked"] and len(ends) == JOBS, account
        # Every line is delivered, or reported as unknown, or waits for one that is.
        assert account["delivered"] + account["unknown"] + account["skipped"] == JOBS, (account, run.events[-1])
        assert last.events[-1]["unfinished"] == 0 and account["delivered"] > JOBS // 4


def _is_accounted(prompt: str, ends: dict[str, dict]) -> bool:
    """Whether a job that the service accepted is delivered, or told as unknown."""
    line = ends.get("n" + prompt.split()[1], {})
    return bool(line.get("ok")) or line.get("exit_code") == 12
