"""What a command says and how it ends, as a shell, a pipe and a keyboard see it."""

import json
import os
import runpy
import select
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from conftest import (
    ALL_SCRIPTS,
    KEY,
    PATIENCE,
    SCRIPTS,
    Run,
    ended,
    read_events,
)
from fake_service import (
    COMPLETED,
    PNG,
    WITH_KEY,
    FakeService,
    after,
    answer,
    create,
    create_arguments,
    event,
    hang,
    job,
    reset,
    start_create,
    stream,
    wait,
)
from mediakit.base import errors, paths
from mediakit.console import inputs
from mediakit.jobs import own_services

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals and shells of POSIX systems")
CREATE = ["--sse-endpoint", "/generation/sse/a/b"]
SECRET = "never_to_be_repeated"

# name -> script, arguments, standard input
BAD_ARGUMENTS = {
    "nothing": ("create_and_wait.py", [], ""),
    "unknown flag": ("create_and_wait.py", [*CREATE, "--payload", "{}", f"--token={SECRET}"], ""),
    "unknown flag and value": ("create_and_wait.py", [*CREATE, "--payload", "{}", "--token", SECRET], ""),
    "switch with a value": ("create_and_wait.py", [*CREATE, "--payload", "{}", f"--verbose={SECRET}"], ""),
    "a flag that comes later": ("create_and_wait.py", [*CREATE, "--payload", "{}", "--retry-unknow"], ""),
    "abbreviated flag": ("create_and_wait.py", [*CREATE, "--payl", "{}"], ""),
    "loose word": ("create_and_wait.py", [*CREATE, "--payload", "{}", SECRET], ""),
    "flag without its value": ("create_and_wait.py", [*CREATE, "--payload"], ""),
    "broken JSON": ("create_and_wait.py", [*CREATE, "--payload", '{"prompt": ' + SECRET], ""),
    "JSON that is no object": ("create_and_wait.py", [*CREATE, "--payload", "[1]"], ""),
    "JSON with NaN": ("create_and_wait.py", [*CREATE, "--payload", '{"a": NaN}'], ""),
    "JSON with an infinite number": ("create_and_wait.py", [*CREATE, "--payload", '{"a": 1e999}'], ""),
    "deep JSON": ("create_and_wait.py", [*CREATE, "--payload", '{"a":' * 5000], ""),
    "nested JSON": ("create_and_wait.py", [*CREATE, "--payload", '{"a":' * 300 + "1" + "}" * 300], ""),
    "lone surrogate": ("create_and_wait.py", [*CREATE, "--payload", '{"a": "\\ud800"}'], ""),
    "empty payload text": ("create_and_wait.py", [*CREATE, "--payload", ""], ""),
    "payload twice": ("create_and_wait.py", [*CREATE, "--payload", "{}", "--payload-file", "-"], "{}"),
    "prompt twice": ("create_and_wait.py", [*CREATE, "--prompt", "a", "--prompt-file", "-"], "a"),
    "missing file": ("create_and_wait.py", [*CREATE, "--payload-file", "nowhere.json"], ""),
    "a folder as file": ("create_and_wait.py", [*CREATE, "--payload-file", "."], ""),
    "two users of standard input": ("create_and_wait.py", [*CREATE, "--payload-file", "-", "--key-stdin"], "{}"),
    "two other users": ("create_and_wait.py", [*CREATE, "--payload-file", "-", "--prompt-file", "-"], "{}"),
    "broken JSON on standard input": ("create_and_wait.py", [*CREATE, "--payload-file", "-"], "{"),
    "nothing on standard input": ("create_and_wait.py", [*CREATE, "--payload-file", "-"], ""),
    "binary on standard input": ("create_and_wait.py", [*CREATE, "--payload-file", "-"], b"\xff\x00\x80"),
    "no key on standard input": ("create_and_wait.py", [*CREATE, "--payload", "{}", "--key-stdin"], "\n"),
    "parameter without a value": ("create_and_wait.py", [*CREATE, "--param", SECRET], ""),
    "parameter twice": ("create_and_wait.py", [*CREATE, "--param", "a=1", "--param", "a=2"], ""),
    "prompt and parameter": ("create_and_wait.py", [*CREATE, "--prompt", "a", "--param", "prompt=b"], ""),
    "prompt and a payload's": ("create_and_wait.py", [*CREATE, "--prompt", "a", "--payload", '{"prompt": "b"}'], ""),
    "endpoint and model": ("create_and_wait.py", [*CREATE, "--model", "a/b", "--prompt", "x"], ""),
    "stream never with a stream": ("create_and_wait.py", [*CREATE, "--stream", "never", "--prompt", "x"], ""),
    "unknown provider": ("create_and_wait.py", ["--provider", SECRET, "--model", "a/b", "--prompt", "x"], ""),
    "unknown task": ("create_and_wait.py", ["--task", SECRET, "--prompt", "x"], ""),
    "model that climbs": ("create_and_wait.py", ["--provider", "sandbox", "--model", "../x", "--prompt", "x"], ""),
    "model with a query": ("create_and_wait.py", ["--provider", "sandbox", "--model", "a/b?c", "--prompt", "x"], ""),
    "nan": ("create_and_wait.py", [*CREATE, "--prompt", "x", "--poll-timeout", "nan"], ""),
    "infinity": ("create_and_wait.py", [*CREATE, "--prompt", "x", "--poll-interval", "inf"], ""),
    "1e999 seconds": ("create_and_wait.py", [*CREATE, "--prompt", "x", "--deadline", "1e999"], ""),
    "negative seconds": ("create_and_wait.py", [*CREATE, "--prompt", "x", "--sse-request-timeout", "-1"], ""),
    "no number": ("wait_generation.py", ["--generation-id", "x", "--timeout", SECRET], ""),
    "folder that is no text": ("create_and_wait.py", [*CREATE, "--prompt", "x", "--output-dir", "o\udcff"], ""),
    "trace into a folder": ("create_and_wait.py", [*CREATE, "--prompt", "x", "--trace", "."], ""),
    "no id": ("wait_generation.py", [], ""),
    "empty id": ("wait_generation.py", ["--generation-id", ""], ""),
    "parent folder as id": ("wait_generation.py", ["--generation-id", ".."], ""),
    "key for nobody": ("preflight.py", ["--persist-key"], KEY),
    "key for the sandbox": ("preflight.py", ["--persist-key", "--provider", "sandbox"], KEY),
    "no key to keep": ("preflight.py", ["--persist-key", "--provider", "skills-video"], ""),
    "wish without words": ("preflight.py", ["--provider", "skills-video", "--prompt", " "], ""),
    "no status": ("handle_runtime_error.py", ["--body", "x"], ""),
    "impossible status": ("handle_runtime_error.py", ["--status", "99"], ""),
    "status in words": ("handle_runtime_error.py", ["--status", SECRET], ""),
    "body twice": ("handle_runtime_error.py", ["--status", "400", "--body", "x", "--body-file", "-"], ""),
    "missing body file": ("handle_runtime_error.py", ["--status", "400", "--body-file", "nowhere"], ""),
    "unknown fault": ("sandbox.py", ["--fault", SECRET], ""),
    "impossible port": ("sandbox.py", ["--port", "70000"], ""),
}


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_bad_arguments_end_with_one_error_that_repeats_no_value(scripts, name):
    script, arguments, stdin = BAD_ARGUMENTS[name]
    base = ["--base-url", "http://127.0.0.1:9/api/v1"] if "--sse-endpoint" in arguments else []
    run = scripts.run(script, *arguments, *base, stdin=stdin, env=WITH_KEY)
    assert (run.code, run.result["event"], run.result["error"]) == (2, "error", "invalid_arguments"), run.events
    assert run.result["guidance"] and run.result["outcome"] == "not_sent" and run.names[-1:] == ["error"]
    assert SECRET not in run.stdout.decode() + run.stderr and "Traceback" not in run.stderr


@pytest.mark.parametrize(
    "script, arguments, field, told",
    [
        ("create_and_wait.py", ["--promt", SECRET], "--promt", "did you mean --prompt?"),
        ("create_and_wait.py", ["--generation-id", "gen_1"], "--generation-id", "not a flag of this script"),
        ("create_and_wait.py", ["--prompt"], "--prompt", "expected a value"),
        ("create_and_wait.py", ["--max-spend", "-5usd"], "--max-spend", "one that begins with - is given as =VALUE"),
        ("create_and_wait.py", ["--output-name", "boat"], "--output-name", "expected with --output-dir"),
        ("jobs.py", ["liste"], "ACTION", "expected one of list, show"),
        ("account.py", ["modellix", "balance", "--as", "modellix"], "--as", "expected with the sandbox only"),
    ],
)
def test_a_slip_in_an_argument_is_told_by_its_name(scripts, script, arguments, field, told):
    run = scripts.run(script, *arguments)
    assert (run.code, run.result["field"]) == (2, field) and told in run.result["message"]


def test_an_address_that_is_trusted_is_named_with_the_key(scripts):
    arguments = ["--status", "402", "--base-url", "https://other.example/v1"]
    refused = scripts.run("handle_runtime_error.py", *arguments)
    assert refused.code == 27 and "--trust-base-url" in refused.result["guidance"][0]
    told = scripts.run("handle_runtime_error.py", *arguments, "--trust-base-url").result
    assert told["credits_check_command"].startswith("curl -X GET https://other.example/v1/credits -H ")


@pytest.mark.parametrize("script", ALL_SCRIPTS)
def test_help_needs_no_package_and_tells_flags_examples_and_exit_codes(script):
    done = subprocess.run([sys.executable, "-E", "-S", str(SCRIPTS / script), "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    for word in ("usage:", "examples:", "exit codes:", "--version", script, " 12 ", " 141 "):
        assert word in done.stdout, word


@pytest.mark.parametrize("script", ALL_SCRIPTS)
def test_every_flag_is_explained_and_every_example_is_accepted(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a user works
    module = runpy.run_path(str(SCRIPTS / script))
    parser = module["build_parser"]()
    assert [action.option_strings for action in parser._actions if not action.help] == []
    for line in module["EXAMPLES"].splitlines():
        name, *words = shlex.split(line.partition(" < ")[0])
        assert name == script and parser.parse(words)


@pytest.mark.parametrize("script", ALL_SCRIPTS)
def test_version_is_one_event(scripts, script):
    run = scripts.run(script, "--version")
    assert (run.code, run.names) == (0, ["version"])


# name -> script, arguments for a Python that has no packages at all
BARE = {
    "create": ("create_and_wait.py", lambda service: create_arguments(service)),
    "plain create": ("create_and_wait.py", lambda service: create_arguments(service, streams=False)),
    "wait": ("wait_generation.py", lambda service: ["--generation-id", "gen_1", "--base-url", service.base_url]),
    "sandbox": ("create_and_wait.py", lambda service: ["--provider", "sandbox", "--task", "t2i", "--prompt", "x"]),
}


@pytest.mark.parametrize("name", BARE)
def test_a_missing_package_is_twenty_eight_with_the_command_that_installs_it(scripts, name):
    script, arguments = BARE[name]
    with FakeService(create=stream(event("COMPLETED")), read=COMPLETED) as service:
        flags = ["--poll-timeout", "2"] if name in ("create", "plain create") else []
        flags = ["--timeout", "2"] if name == "wait" else flags
        command = [sys.executable, "-E", "-S", str(SCRIPTS / script), *arguments(service), *flags]
        done = subprocess.run(command, capture_output=True, env=scripts.environment(**WITH_KEY))
        run = Run(done.returncode, done.stdout, done.stderr)
        # The guide tells it as its stage, with the same way on.
        told = run.result.get("error") or run.result["stage"]
        expected = "packages_required" if name == "online" else "missing_dependency"
        assert (run.code, told, service.connections) == (28, expected, 0), run.events
        assert "requirements.txt" in run.result["next_command"] and "-I -m pip install" in run.result["next_command"]


# -- pipes ----------------------------------------------------------------------------------------------


def next_event(process, name: str) -> dict:
    """Reads a running script's lines up to an event of that name."""
    while line := process.stdout.readline():
        found = read_events(line)[0]
        if found["event"] == name:
            return found
    raise AssertionError(f"ended without {name}: {process.stderr.read()}")


def test_each_event_is_in_the_pipe_before_the_service_goes_on(scripts):
    moments = [threading.Event() for _ in range(4)]
    create_script = stream(moments[0], event(), moments[1], event("IN_PROGRESS"), moments[2])
    reads = [after(moments[3], COMPLETED)]
    with FakeService(create=create_script, read=reads) as service:
        process = start_create(scripts, service)
        next_event(process, "sse_open")
        moments[0].set()
        assert next_event(process, "sse_event")["status"] == "IN_QUEUE"
        moments[1].set()
        assert next_event(process, "sse_event")["status"] == "IN_PROGRESS"
        moments[2].set()
        next_event(process, "fallback_polling_start")
        moments[3].set()
        assert ended(process).result["ok"] is True


@POSIX
def test_a_reader_that_leaves_ends_the_script_quietly_with_141(scripts):
    seen = threading.Event()
    with FakeService(create=stream(event(), seen, event("IN_PROGRESS"), event("COMPLETED"))) as service:
        process = start_create(scripts, service)
        next_event(process, "start")
        process.stdout.close()
        seen.set()
        assert process.wait(PATIENCE) == 141
        assert process.stderr.read() == b""


@POSIX
@pytest.mark.parametrize("script", ["preflight.py", "create_and_wait.py --help", "create_and_wait.py --nonsense"])
def test_head_gets_its_line_and_no_complaint(scripts, script):
    command = f"'{sys.executable}' '{SCRIPTS}'/{script} | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, env=scripts.environment())
    assert len(done.stdout) == 1 and done.stderr == b""


@POSIX
@pytest.mark.parametrize("closing", [">&-", ">&- 2>&-", ">/dev/full"])
def test_without_a_stdout_nothing_is_bought(scripts, closing):
    if "full" in closing and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with FakeService(create=stream(event("COMPLETED"))) as service:
        words = " ".join(f"'{word}'" for word in create_arguments(service))
        command = f"exec '{sys.executable}' '{SCRIPTS}/create_and_wait.py' {words} {closing}"
        done = subprocess.run(command, shell=True, capture_output=True, env=scripts.environment(**WITH_KEY))
        assert (done.returncode, done.stderr, service.posts()) == (141, b"", 0)


@POSIX
def test_without_a_stderr_the_job_goes_on(scripts):
    with FakeService(create=stream(event("ODD"), event("COMPLETED"))) as service:
        words = " ".join(f"'{word}'" for word in create_arguments(service))
        command = f"exec '{sys.executable}' '{SCRIPTS}/create_and_wait.py' {words} 2>&-"
        done = subprocess.run(command, shell=True, capture_output=True, env=scripts.environment(**WITH_KEY))
        assert Run(done.returncode, done.stdout, b"").result["ok"] is True


# -- signals --------------------------------------------------------------------------------------------

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])


def interrupted(process, number: int) -> dict:
    run = ended(process)
    assert (run.code, run.result["event"]) == (128 + number, "interrupted"), (run.events, run.stderr)
    assert run.stderr == ""
    return run.result


def goes_on(result: dict, scripts) -> None:
    """The interrupted run's command ends well in a shell."""
    done = subprocess.run(result["next_command"], shell=True, capture_output=True, env=scripts.environment(**WITH_KEY))
    assert Run(done.returncode, done.stdout, done.stderr).result["ok"] is True


@POSIX
@SIGNALS
def test_a_signal_while_the_post_is_out_waits_a_little_for_the_id(scripts, number):
    stopped = threading.Event()
    with FakeService(create=after(stopped, stream(event())), read=COMPLETED) as service:
        process = start_create(scripts, service)
        service.wait_for("POST")
        process.send_signal(number)
        stopped.set()
        result = interrupted(process, number)
        assert (result["generation_id"], result["outcome"], service.posts()) == ("gen_1", "accepted", 1)
        goes_on(result, scripts)


@POSIX
@SIGNALS
def test_a_signal_while_the_post_stays_unanswered_is_an_unknown_outcome(scripts, number):
    with FakeService(create=hang) as service:
        process = start_create(scripts, service)
        service.wait_for("POST")
        process.send_signal(number)
        result = interrupted(process, number)
        assert result["outcome"] == "unknown" and "generation_id" not in result


@POSIX
def test_a_second_signal_ends_at_once(scripts):
    with FakeService(create=hang) as service:
        process = start_create(scripts, service)
        service.wait_for("POST")
        while process.poll() is None:  # the second is whichever comes after the first was taken
            process.send_signal(signal.SIGINT)
            select.select([], [], [], 0.05)
        assert interrupted(process, signal.SIGINT)["outcome"] == "unknown"


# what is relative where the working directory is gone
GONE = [
    ("create_and_wait.py", "--provider", "sandbox", "--prompt", "a", "--output-dir", "out"),
    ("create_and_wait.py", "--provider", "sandbox", "--prompt", "a", "--state-dir", "state"),
    ("create_and_wait.py", "--provider", "sandbox", "--payload-file", "a.json"),
    ("create_and_wait.py", "--provider", "sandbox", "--task", "i2i", "--prompt", "a", "--input", "image=a.png"),
    ("create_batch.py", "a.jsonl"),
    ("services.py", "add", "a.json"),
]


@POSIX
@pytest.mark.parametrize("arguments", GONE, ids=lambda arguments: " ".join(arguments[-2:]))
def test_a_path_in_a_folder_that_is_gone_is_a_bad_argument(scripts, arguments):
    (scripts.folder / "gone").mkdir()
    command = ["sh", "-c", 'cd gone && rmdir ../gone && exec "$@"', "sh"]
    run = scripts.run(*arguments, prefix=command)
    assert (run.code, run.result["event"]) == (2, "error"), run.events


TOLD_TWICE = """
import os, signal, sys
sys.path.insert(0, sys.argv.pop())
from mediakit.base import errors
from mediakit.console import flags, run

def stop(number):
    os.kill(os.getpid(), number)

def main(console, given):
    def again():
        stop(signal.SIGINT)
        return {}
    console.about_job = again
    if given.json:
        raise errors.bad_argument("--json", "expected without")
    stop(signal.SIGTERM)

run("x.py", lambda: flags.Parser("", ""), main)
"""


@POSIX
@pytest.mark.parametrize("arguments, code", [((), 143), (("--json",), 130)], ids=["a signal", "an error"])
def test_a_signal_while_another_end_is_told_of_is_no_bug(scripts, arguments, code):
    command = [sys.executable, "-c", TOLD_TWICE, *arguments, str(SCRIPTS)]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, env=scripts.environment())
    run = Run(done.returncode, done.stdout, done.stderr)
    assert (run.code, run.result["event"], run.names) == (code, "interrupted", ["interrupted"]), run.stderr


@POSIX
@SIGNALS
def test_a_signal_before_the_first_id_of_an_open_stream(scripts, number):
    stopped = threading.Event()
    with FakeService(create=stream(b": hello\n\n", stopped, event(), end="hold"), read=COMPLETED) as service:
        process = start_create(scripts, service)
        next_event(process, "sse_open")
        process.send_signal(number)
        stopped.set()
        result = interrupted(process, number)
        assert (result["generation_id"], result["outcome"]) == ("gen_1", "accepted")


@POSIX
@SIGNALS
def test_a_signal_in_the_stream_names_the_job_and_the_way_on(scripts, number):
    with FakeService(create=stream(event(), end="hold"), read=COMPLETED) as service:
        process = start_create(scripts, service)
        next_event(process, "sse_event")
        process.send_signal(number)
        result = interrupted(process, number)
        assert (result["generation_id"], result["outcome"]) == ("gen_1", "accepted")
        goes_on(result, scripts)


@POSIX
@SIGNALS
def test_a_signal_while_polling_names_the_job_and_the_way_on(scripts, number):
    with FakeService(create=stream(event()), read=[answer(200, job("IN_PROGRESS")), hang, COMPLETED]) as service:
        process = start_create(scripts, service)
        service.wait_for("GET", 2)
        process.send_signal(number)
        result = interrupted(process, number)
        assert (result["generation_id"], result["outcome"]) == ("gen_1", "accepted")
        goes_on(result, scripts)


@POSIX
def test_a_signal_while_it_is_asked_what_became_of_a_create(scripts):
    listed = [job("IN_PROGRESS", input={"prompt": "a tin boat"})]
    with FakeService(create=reset, other=[hang, answer(200, listed)], read=COMPLETED) as service:
        process = start_create(scripts, service)
        service.wait_for("GET")
        process.send_signal(signal.SIGINT)
        result = interrupted(process, signal.SIGINT)
        assert (result["outcome"], result["next_argv"][2], service.posts()) == ("unknown", "reconcile", 1), result
        goes_on(result, scripts)


@POSIX
def test_a_signal_while_a_done_job_is_asked_for_its_results(scripts):
    empty = answer(200, job("COMPLETED", data=None))
    with FakeService(create=stream(event("COMPLETED", data=None)), read=[empty, hang, COMPLETED]) as service:
        process = start_create(scripts, service)
        service.wait_for("GET", 2)
        process.send_signal(signal.SIGINT)
        result = interrupted(process, signal.SIGINT)
        assert (result["generation_id"], result["outcome"]) == ("gen_1", "accepted")
        goes_on(result, scripts)


@POSIX
@SIGNALS
def test_a_signal_during_the_download_leaves_no_half_file(scripts, tmp_path, number):
    def half(exchange):
        exchange.head(200, {"Content-Type": "image/png", "Content-Length": len(PNG)})
        exchange.send(PNG[:20])
        exchange.hold()

    with FakeService(media=half) as service:
        done = job("COMPLETED", f"{service.origin}/media/1.png")
        service._scripts["create"] = [stream(f"data: {json.dumps(done)}\n\n".encode())]
        process = start_create(scripts, service, "--output-dir", "out")
        service.wait_for("GET")
        process.send_signal(number)
        result = interrupted(process, number)
        assert (result["generation_id"], result["outcome"]) == ("gen_1", "accepted")
        assert list((tmp_path / "out").iterdir()) == []
        service._scripts.update(media=[answer(200, PNG)], read=[answer(200, done)])
        goes_on(result, scripts)


@POSIX
@SIGNALS
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux which signals are caught")
def test_a_signal_while_standard_input_is_awaited(scripts, number):
    process = scripts.start("create_and_wait.py", *CREATE, "--payload-file", "-", stdin=subprocess.PIPE, env=WITH_KEY)
    while not caught(process.pid) >> (signal.SIGTERM - 1) & 1:
        assert process.poll() is None
    process.send_signal(number)
    process.wait(PATIENCE)
    assert interrupted(process, number)["outcome"] == "not_sent"


def caught(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("SigCgt:")), 16)


@POSIX
@SIGNALS
def test_the_sandbox_server_stops_cleanly(scripts, number):
    process = scripts.start("sandbox.py")
    assert next_event(process, "ready")["url"].startswith("http://127.0.0.1:")
    process.send_signal(number)
    assert interrupted(process, number)


# -- what services send -------------------------------------------------------------------------------------

NOUGHT = b'{"id":"gen_1","status":"COMPLETED","data":{"images":[{"url":"https://media.invalid/1.png"}]},"usage":%s}'
ODD_VALUES = {
    "lone surrogate": rb'"\ud800"',
    "line separator": '"a\u2028b\u2029c\u0085d"'.encode(),
    "escape sequences": rb'"\u001b[2J\u009b\u202e\u0000"',
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "1e999": b"1e999",
    "-1e999 inside": b'[{"a":-1e999}]',
    "integer of 4,000 digits": b"9" * 4000,
    "integer of 5,000 digits": b"9" * 5000,
    "deep": b"[" * 900 + b"]" * 900,
    "keys twice": b'{"a":1,"a":2}',
    "odd keys": rb'{"\ud800":1,"":2,"exit_code":3}',
}


@pytest.mark.parametrize("name", ODD_VALUES)
@pytest.mark.parametrize("where", ["sse", "poll"])
def test_odd_values_of_a_service_stay_inside_one_line_of_valid_json(scripts, name, where):
    body = NOUGHT % ODD_VALUES[name]
    first = b"data: " + body + b"\n\n" if where == "sse" else event()
    with FakeService(create=stream(first), read=answer(200, body)) as service:
        run = create(scripts, service, "--poll-timeout", "3", "--verbose")
        assert (run.code, run.result["ok"], run.result["source"]) == (0, True, where), run.events
        assert len(run.stdout.decode().splitlines()) == len(run.events)


ODD_IDS = [r"\ud800x", r"a\nb", r"a\u2028b", r"$(touch x)", r"a b", r"../x", r"-rf", r"\u001b[2J", "ü" * 20, "x" * 512]


@pytest.mark.parametrize("text", ODD_IDS)
def test_an_odd_id_is_kept_and_never_gets_into_a_command(scripts, text):
    content = f'{{"id":"{text}","status":"IN_PROGRESS"}}'.encode()
    with FakeService(create=stream(b"data: " + content + b"\n\n"), read=answer(200, content)) as service:
        run = create(scripts, service, "--poll-timeout", "1")
        assert run.code in (11, 12), run.events
        if run.code == 11:
            assert run.result["generation_id"] == json.loads(f'"{text}"')
            # The way on is told by the job's key in the ledger.
            assert run.job in run.result["next_argv"]
            assert run.result["generation_id"] not in run.result["next_command"]


@pytest.mark.parametrize("told, path", [("a/b", "a%2Fb"), ("../credits?x#y", None), ("a%2F..", None), ("an id", None)])
def test_a_sent_path_never_leaves_the_place_of_an_id(scripts, told, path):
    with FakeService(create=stream(event(id=told))) as service:
        run = create(scripts, service, "--poll-timeout", "1")
        paths = {request.path for request in service.requests if request.method == "GET"}
        read = {found for found in paths if found.startswith("/api/v1/generation/")}
        assert read == ({f"/api/v1/generation/{path}"} if path else set())
        assert path or (run.code, run.result["outcome"]) == (12, "unknown")


ODD_OUTPUT = {"content_type": 7, "width": "1024", "height": True, "duration": "3s"}


@pytest.mark.parametrize("field", ODD_OUTPUT)
def test_an_output_field_of_another_type_is_left_out(scripts, field):
    image = {"url": "https://cdn.example/x.png", field: ODD_OUTPUT[field]}
    body = job("COMPLETED", data={"type": "image", "images": [image]})
    with FakeService(create=stream(f"data: {json.dumps(body)}\n\n".encode())) as service:
        assert create(scripts, service).result["outputs"] == [{"url": image["url"], "type": "image"}]


@pytest.mark.parametrize("status", [600, 999])
def test_a_status_code_beyond_the_known_ones_is_a_passing_fault_of_a_read(scripts, status):
    with FakeService(read=[answer(status, {}), COMPLETED]) as service:
        assert wait(scripts, service).code == 0


FLOODS = {
    "identical": [event("IN_PROGRESS")],
    "numbered": None,
    "two unknown statuses": [event("TUNING"), event("REHEARSING")],
    "another job's": [event("IN_PROGRESS", id="gen_other")],
    "without status": [event(None)],
    "comments": [b": x\n\n"],
    "two states in turn": [event("IN_QUEUE"), event("IN_PROGRESS")],
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_progress_stays_bounded(scripts, name):
    pieces = FLOODS[name] or [event("IN_PROGRESS", progress=number) for number in range(100)]
    flood = event() + b"".join(pieces) * (20_000 // len(pieces)) + event("COMPLETED")
    with FakeService(create=stream(flood)) as service:
        run = create(scripts, service)
        assert run.code == 0 and len(run.stdout) <= 4000, (len(run.stdout), len(run.events))


def test_a_good_run_is_short(scripts):
    with FakeService(
        create=stream(event(), event("IN_PROGRESS"), event("COMPLETED", url="https://cdn.example/x.png"))
    ) as s:
        run = create(scripts, s)
        way_on = sum(map(len, (run.result["next_command"], *run.result["next_argv"])))  # as long as its paths
        assert len(run.stdout) - way_on <= 1450


# -- what flags name -----------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="named pipes")
def test_a_pipe_that_nobody_writes_into_is_a_bad_argument(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(paths, "PIPE_PATIENCE", 0.05)
    for read in (lambda path: inputs.read_text("--payload-file", path), own_services._content):
        with pytest.raises(errors.Failure, match="nobody writes"):
            read(str(tmp_path / "pipe"))


@pytest.mark.skipif(os.name == "nt", reason="named pipes")
def test_a_pipe_of_a_shell_is_read_to_its_end(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_text("a" * 200_000))
    writer.start()
    assert len(inputs.read_text("--prompt-file", str(tmp_path / "pipe"))) == 200_000
    writer.join()
