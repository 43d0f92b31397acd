"""What many jobs cost here, one by one in processes of their own, and with the official Modellix program where it is.

    python tests/benchmarks/batch.py [--quick] [--out FOLDER]

Whole processes against a sandbox in a process of its own, taking turns; it reports and never fails. Written are a table
in Markdown (batch.md) and a plot (batch.svg): how time, processor and memory grow with the number of jobs.

    batch       create_batch.py with 10, 100, 1000 (and with AI_MEDIA_LARGE=1 10,000) jobs of 5 to 15 s, all at once
    processes   the same work by a create_and_wait.py a job, 8 at a time
    modellix    the same by `modellix-cli model batch`, where it is installed
    rate        a sandbox that answers 100 requests a minute and 429 above
    bare        one `requests` call, the measure of what a call must cost
    start-up    --version of each script, beside an interpreter that does nothing
    latency     from the moment a job is done at the service to its result line, by stream and by polling
    contract    one inspection of a contract
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = ROOT / "scripts"
BARE = """
import json, sys, time, requests
url, count = sys.argv[1], 300
requests.get(url)
began = time.process_time()
for _ in range(count):
    requests.get(url)
print((time.process_time() - began) / count)
"""


class Service:
    """A stormy sandbox in a process of its own."""

    def __init__(self, *words: str):
        command = [sys.executable, str(ROOT / "tests/stormy.py"), *words]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = json.loads(self._process.stdout.readline())["url"]

    def account(self) -> dict:
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *problem) -> None:
        self._process.stdin.close()
        self._process.wait()


def measured(argv: list[str], folder: Path, more: dict[str, str] | None = None) -> dict:
    """Seconds, seconds of processor, largest memory in MiB, and what it wrote to stdout; `more` is environment."""
    env = {**os.environ, "AI_MEDIA_HOME": str(folder / "state"), **(more or {})}
    began = time.monotonic()
    process = subprocess.Popen(argv, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    written = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    scale = 1 if sys.platform == "darwin" else 1024
    return {
        "seconds": time.monotonic() - began,
        "cpu": usage.ru_utime + usage.ru_stime,
        "mebibytes": usage.ru_maxrss * scale / 1024**2,
        "stdout": written,
        "code": process.returncode,
    }


def script(name: str, *words: str) -> list[str]:
    return [sys.executable, str(SCRIPTS / name), *words]


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def write_jobs(folder: Path, count: int) -> None:
    lines = (json.dumps({"task": "t2i", "prompt": f"a tin boat, number {n}"}) for n in range(count))
    (folder / "jobs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


# -- what is measured ------------------------------------------------------------------------------------


def bare_call(service: Service, folder: Path) -> float:
    """Seconds of processor of one `requests` call."""
    found = measured([sys.executable, "-c", BARE, f"{service.url}/credits"], folder)
    return float(found["stdout"])


def batch(folder: Path, count: int, lasts: tuple[str, str], *more: str) -> dict:
    with Service(*lasts) as plain:  # one without a limit, which these calls would use up
        bare = bare_call(plain, fresh(folder))
    with Service(*lasts, *more) as service:
        write_jobs(folder, count)
        words = ("jobs.jsonl", "--provider", "sandbox", "--base-url", service.url, "--max-jobs", str(count))
        found = measured(script("create_batch.py", *words, "--output-dir", "out", "--summary-only"), folder)
        account = service.account()
    summary = json.loads(found["stdout"].splitlines()[-1])
    calls = account["requests"] + summary.get("succeeded", 0)  # a download each
    refused = account.get("429", 0)
    return {
        "what": f"batch of {count}" + (f", {more[0]} requests a minute" if more else ""),
        "jobs": count,
        "succeeded": summary.get("succeeded"),
        "seconds": found["seconds"],
        "service_seconds": account["done"] - account["began"],
        "cpu": found["cpu"],
        "mebibytes": found["mebibytes"],
        "calls": calls,
        "refused": refused,
        "bytes": len(found["stdout"]),
        "cpu_to_bare": found["cpu"] / (calls * bare),
        "used": (account["requests"] - refused) / (float(more[0]) * found["seconds"] / 60) if more else None,
    }


def by_processes(folder: Path, count: int, lasts: tuple[str, str], at_once: int = 8) -> dict:
    """A process a job, so many at a time."""
    with Service(*lasts) as service:
        fresh(folder)
        where = ("--provider", "sandbox", "--base-url", service.url, "--task", "t2i", "--output-dir", "out")
        env = {**os.environ, "AI_MEDIA_HOME": str(folder / "state")}
        waiting = [script("create_and_wait.py", *where, "--prompt", f"boat {n}") for n in range(count)]
        began, running, cpu, peak, written, ok = time.monotonic(), {}, 0.0, 0.0, 0, 0
        while waiting or running:
            while waiting and len(running) < at_once:
                with open(folder / f"{len(waiting)}.out", "wb") as out:
                    one = subprocess.Popen(waiting.pop(), cwd=folder, env=env, stdout=out, stderr=subprocess.DEVNULL)
                running[one.pid] = one
            pid, status, usage = os.wait3(0)
            running.pop(pid).returncode = os.waitstatus_to_exitcode(status)
            ok += status == 0
            cpu += usage.ru_utime + usage.ru_stime
            peak = max(peak, usage.ru_maxrss / 1024)
        written = sum(path.stat().st_size for path in folder.glob("*.out"))
        account = service.account()
    return {
        "what": f"{count} processes, {at_once} at a time",
        "jobs": count,
        "succeeded": ok,
        "seconds": time.monotonic() - began,
        "service_seconds": account["done"] - account["began"],
        "cpu": cpu,
        "mebibytes": peak * at_once,
        "calls": account["requests"] + ok,
        "bytes": written,
    }


def by_modellix(folder: Path, count: int, lasts: tuple[str, str]) -> dict | None:
    """The official program's own batch, where it is installed."""
    program = os.environ.get("MODELLIX_CLI") or shutil.which("modellix-cli")
    if program is None:
        return None
    with Service(*lasts, "0", "modellix") as service:
        fresh(folder)
        body = {"modelSlug": "google/nano-banana-2-lite"}
        lines = (json.dumps({**body, "body": {"prompt": f"boat {n}"}}) for n in range(count))
        (folder / "jobs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        argv = [program, "model", "batch", "jobs.jsonl", "--yes", "--max-tasks", str(count), "--concurrency", "10"]
        origin = "/".join(service.url.split("/")[:3])  # it knows the path itself
        own = {"HOME": str(folder), "MODELLIX_API_KEY": "your_api_key_here", "MODELLIX_BASE_URL": origin}
        found = measured([*argv, "--wait", "--json"], folder, own)
        account = service.account()
    return {
        "what": f"modellix-cli batch of {count}, files not fetched",
        "jobs": count,
        "succeeded": found["stdout"].count(b'"success"'),
        "seconds": found["seconds"],
        "service_seconds": account["done"] - account["began"],
        "cpu": found["cpu"],
        "mebibytes": found["mebibytes"],
        "calls": account["requests"],
        "bytes": len(found["stdout"]),
    }


def start_up(folder: Path) -> list[dict]:
    """Seconds of each script's --version, the middle of nine, beside bare Python."""
    commands = {"python -c pass": [sys.executable, "-c", "pass"]}
    commands.update({path.name: script(path.name, "--version") for path in sorted(SCRIPTS.glob("*.py"))})
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(9):
        for name, argv in commands.items():
            times[name].append(measured(argv, folder)["seconds"])
    return [{"what": name, "seconds": statistics.median(found)} for name, found in times.items()]


def latency(folder: Path) -> list[dict]:
    """Seconds from the moment that the service has finished a job to the result line."""
    rows = []
    for way in ("auto", "never"):
        late = []
        with Service("3", "3") as service:
            for number in range(5):
                words = ("--provider", "sandbox", "--base-url", service.url, "--task", "t2i", "--stream", way)
                found = measured(script("create_and_wait.py", *words, "--prompt", f"{way} {number}"), folder)
                ended = json.loads(found["stdout"].splitlines()[-1])["time"]
                moment = time.mktime(time.strptime(ended[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
                late.append(moment + float(f"0{ended[19:23]}") - service.account()["done"])
        rows.append({"what": "stream" if way == "auto" else "polling", "seconds": statistics.median(late)})
    return rows


def inspection(folder: Path) -> dict:
    words = ("--provider", "skills-video", "--model", "kling-ai/v3/video", "--include-template")
    found = [measured(script("inspect_openapi.py", *words), folder) for _ in range(5)]
    return {"what": "contract inspected", "seconds": statistics.median(one["seconds"] for one in found)}


# -- what is written ---------------------------------------------------------------------------------------

_COLUMNS = (
    ("what", "what", "{}"), ("jobs", "jobs", "{}"), ("succeeded", "succeeded", "{}"), ("seconds", "s", "{:.1f}"),
    ("service_seconds", "service's own s", "{:.1f}"), ("cpu", "CPU s", "{:.1f}"), ("per_job", "CPU ms a job", "{:.1f}"),
    ("mebibytes", "MiB", "{:.0f}"), ("calls", "calls", "{}"), ("refused", "429", "{}"), ("bytes", "bytes of stdout", "{}"),
    ("cpu_to_bare", "CPU / (calls x bare)", "{:.2f}"), ("used", "part of the rate", "{:.3f}"),
)  # fmt: skip


def table(rows: list[dict]) -> str:
    rows = [{**row, "per_job": row["cpu"] / row["jobs"] * 1000 if row.get("cpu") else None} for row in rows]
    lines = ["| " + " | ".join(title for _, title, _ in _COLUMNS) + " |", "|" + " --- |" * len(_COLUMNS)]
    for row in rows:
        cells = ("" if row.get(name) is None else form.format(row[name]) for name, _, form in _COLUMNS)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def small_table(rows: list[dict]) -> str:
    lines = ["| what | ms |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {row['what']} | {row['seconds'] * 1000:.0f} |" for row in rows)])


def plot(rows: list[dict]) -> str:
    """Three curves over the number of jobs, both axes logarithmic, as SVG."""
    from math import log10

    wide, high, left, top = 640, 400, 60, 20
    series = {"seconds": "#1f6feb", "cpu": "#d1242f", "mebibytes": "#1a7f37"}
    titles = {"seconds": "seconds", "cpu": "CPU seconds", "mebibytes": "MiB"}
    most = max(row[name] for row in rows for name in series)
    jobs = [row["jobs"] for row in rows]

    def at(count: float, value: float) -> tuple[float, float]:
        across = (log10(count) - log10(jobs[0])) / max(log10(jobs[-1]) - log10(jobs[0]), 0.1)
        up = log10(max(value, 0.1) * 10) / log10(most * 10)
        return left + across * (wide - left - 20), top + (1 - up) * (high - top - 40)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="12">'
    ]
    for count in jobs:
        across, _ = at(count, 1)
        parts.append(f'<text x="{across:.0f}" y="{high - 15}" text-anchor="middle">{count}</text>')
    value = 0.1
    while value <= most:
        _, down = at(jobs[0], value)
        parts.append(f'<path d="M{left} {down:.0f}H{wide - 20}" stroke="#d0d7de"/>')
        parts.append(f'<text x="{left - 6}" y="{down + 4:.0f}" text-anchor="end">{value:g}</text>')
        value *= 10
    for number, (name, color) in enumerate(series.items()):
        points = " ".join(f"{x:.0f},{y:.0f}" for x, y in (at(row["jobs"], row[name]) for row in rows))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(f'<text x="{left + 10 + number * 120}" y="{top}" fill="{color}">{titles[name]}</text>')
    return "\n".join([*parts, f'<text x="{wide / 2}" y="{high - 2}" text-anchor="middle">jobs</text>', "</svg>"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small numbers and short jobs, to see that it works")
    parser.add_argument("--out", default=".", help="where batch.md and batch.svg go")
    given = parser.parse_args()
    os.makedirs(given.out, exist_ok=True)  # now, and not when all was measured
    lasts = ("0.5", "1.5") if given.quick else ("5", "15")
    counts = [3, 10] if given.quick else [10, 100, 1000] + ([10_000] if os.environ.get("AI_MEDIA_LARGE") == "1" else [])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "work"
        grown = [batch(folder, count, lasts) for count in counts]
        limited = [] if given.quick else [batch(folder, 120, ("1", "3"), "100")]
        others = [by_processes(folder, counts[0] if given.quick else 100, lasts)]
        official = None if given.quick else by_modellix(folder, 100, lasts)
        rows = [*grown, *limited, *others, *([official] if official else [])]
        fresh(folder)
        small = [*start_up(folder), *latency(folder), inspection(folder)]
    missing = "" if official or given.quick else "\nmodellix-cli is not installed here.\n"
    text = f"# Many jobs\n\n{table(rows)}\n{missing}\n# One job\n\n{small_table(small)}\n"
    Path(given.out, "batch.md").write_text(text, encoding="utf-8")
    Path(given.out, "batch.svg").write_text(plot(grown), encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
