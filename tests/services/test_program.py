"""A service through its own command-line program: the same outcomes, events and exit codes as over HTTP."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import KEY, PATIENCE
from fake_program import ANSWER, FakeProgram, is_running
from fake_service import FakeService, answer
from mediakit import console
from mediakit.base import errors, programs, redactor
from mediakit.base.inbox import Inbox
from mediakit.base.pointer import point
from mediakit.http import process
from mediakit.http.answers import Lost
from mediakit.http.documents import read_json
from mediakit.jobs import connection, flags
from mediakit.services import keys, program, providers

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the programs of these tests start with #!")

SERVICE = providers.load("modellix")
PROMPT = "a tin boat at dusk"
OTHER_SECRETS = {
    "SKILLS_VIDEO_API_KEY": "another_fake_key", "IMAGE_SKILL_TOKEN": "another_fake_key", "NODE_OPTIONS": "--title=x",
    "PYTHONPATH": "/nowhere", "SOME_TOKEN": "another_fake_key", "MODELLIX_BASE_URL": "https://elsewhere.invalid",
}  # fmt: skip


@pytest.fixture
def service():
    """The service itself, which must not be asked while its program is."""
    with FakeService(create=answer(200, ANSWER)) as running:
        yield running


def create_arguments(service, *flags: str) -> list[str]:
    where = ["--provider", "modellix", "--transport", "cli", "--base-url", service.base_url]
    return [*where, "--model", "owner/model", "--payload", json.dumps({"prompt": PROMPT}), "--no-validate", *flags]


def create(scripts, service, fake: FakeProgram, *flags: str, env: dict | None = None, **options):
    env = {**fake.environment, **(env or {})}
    return scripts.run("create_and_wait.py", *create_arguments(service, *flags), env=env, **options)


# -- the happy path --------------------------------------------------------------------------------


def test_a_job_goes_through_the_program_from_its_create_to_its_end(scripts, service):
    read = "say(JOB if not first('asked') else {'data': {'task_id': 'task-1', 'status': 'processing'}})"
    run = create(scripts, service, FakeProgram(scripts.folder / "bin", read=read))
    assert run.names == ["start", "submitted", "poll", "terminal"]
    assert (run.first("start")["mode"], run.result["source"], run.code) == ("cli", "cli", 0)
    assert run.result["generation_id"] == "task-1"
    assert service.requests == []


def test_the_payload_goes_in_over_standard_input_and_nothing_secret_is_in_its_words(scripts, service):
    fake = FakeProgram(
        scripts.folder / "bin", create="(FOLDER / 'given').write_bytes(sys.stdin.buffer.read())\nsay(ANSWER)"
    )
    assert create(scripts, service, fake).code == 0
    assert json.loads((fake.folder / "given").read_bytes()) == {"prompt": PROMPT}
    words = " ".join(word for kind in ("login", "create", "read") for run in fake.runs(kind) for word in run["argv"])
    assert KEY not in words and PROMPT not in words and "owner/model" in words


def test_it_gets_what_every_process_needs_and_its_own_service_only(scripts, service):
    fake = FakeProgram(scripts.folder / "bin")
    env = {**OTHER_SECRETS, "HTTPS_PROXY": "http://proxy.invalid:8080", "LC_ALL": "C", "MODELLIX_PROFILE": "work"}
    env |= {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere", "XDG_RUNTIME_DIR": "/nowhere"}
    create(scripts, service, fake, env=env)
    (run,) = fake.runs("create")
    own = {name: run["environment"].pop(name) for name in ("MODELLIX_API_KEY", "MODELLIX_BASE_URL")}
    assert own == {"MODELLIX_API_KEY": KEY, "MODELLIX_BASE_URL": service.origin}
    needed = {"PATH", "HOME", "LC_ALL", "HTTPS_PROXY", "MODELLIX_PROFILE"}
    given_by_the_system = {"LC_CTYPE", "TMPDIR", "LANG", "__CF_USER_TEXT_ENCODING"}
    keychain = {"DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"}
    assert needed | keychain <= set(run["environment"]) <= needed | keychain | given_by_the_system
    assert run["folder"] == os.path.abspath(os.sep)


def test_a_question_about_its_login_does_not_show_it_the_key(scripts, service):
    fake = FakeProgram(scripts.folder / "bin")
    create(scripts, service, fake)
    assert all("MODELLIX_API_KEY" not in run["environment"] for run in fake.runs("login"))


def test_the_way_on_leads_through_the_program_again(scripts, service):
    fake = FakeProgram(scripts.folder / "bin", read="say({'data': {'task_id': 'task-1', 'status': 'processing'}})")
    run = create(scripts, service, fake, "--poll-timeout", "1")
    assert (run.code, run.result["event"]) == (11, "timeout")
    argv = run.result["next_argv"]
    assert argv[argv.index("--transport") + 1] == "cli"
    FakeProgram(fake.folder)
    resumed = scripts.run(os.path.basename(argv[1]), *argv[2:], env=fake.environment)
    assert (resumed.code, resumed.result["source"], len(fake.runs("create"))) == (0, "cli", 1)
    waited = scripts.run(
        "wait_generation.py", "--generation-id", "task-1", *create_arguments(service)[:6], env=fake.environment
    )
    assert (waited.code, waited.first("start")["mode"]) == (0, "cli")


# -- what a create comes to --------------------------------------------------------------------------

REJECTED = "fail('Modellix API error ({} {}).{}')"
UNKNOWN_WORDS = "The connection failed after the model submission started. The paid submission outcome is unknown."
# what the program does when it is to buy -> exit code, outcome
CREATES = {
    "accepted": ("say(ANSWER)", 0, None),
    "accepted, then killed": ("print(json.dumps(ANSWER), flush=True)\nos.kill(os.getpid(), signal.SIGKILL)", 0, None),
    "accepted, then a failure": ("say(ANSWER, 1)", 0, None),
    "still running": ("fail('Task task-1 was submitted but did not finish before the timeout.', 124)", 0, None),
    "answer not shown": ("fail('Task task-1 was submitted, but its response could not be displayed')", 0, None),
    "400": (REJECTED.format(400, "Bad Request", " Check required parameters."), 22, "rejected"),
    "401": (REJECTED.format(401, "Unauthorized", ""), 21, "rejected"),
    "402": (REJECTED.format(402, "Payment Required", ""), 20, "rejected"),
    "404": (REJECTED.format(404, "Not Found", ""), 23, "rejected"),
    "422": ("fail('Modellix API error (422). Inspect the request parameters.')", 22, "rejected"),
    "429": (REJECTED.format(429, "Too Many Requests", " Retry after X-RateLimit-Reset=4102444800."), 24, "rejected"),
    "503": (REJECTED.format(503, "Service Unavailable", ""), 12, "unknown"),
    "its own unknown": (f"fail('{UNKNOWN_WORDS}')", 12, "unknown"),
    "124 without an id": ("sys.exit(124)", 12, "unknown"),
    "arguments refused": ("fail('Nonexistent flag: --json', 2)", 12, "unknown"),
    "unknown command": ("sys.exit(127)", 12, "unknown"),
    "garbage": ("say('\\x1b[2Jnot JSON \\x00')", 12, "unknown"),
    "HTML": ("say('<html>')", 12, "unknown"),
    "nothing": ("pass", 12, "unknown"),
    "an answer without an id": ("say({'code': 0, 'data': {}})", 12, "unknown"),
    "half an answer": ("print(json.dumps(ANSWER)[:60], flush=True)", 12, "unknown"),
    "a rejection that ended well": ("fail('Modellix API error (400 Bad Request).', 0)", 12, "unknown"),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", 12, "unknown"),
    "flood": ("while True: sys.stdout.write('x' * 65536)", 12, "unknown"),
    "flood of errors": ("for _ in range(500): sys.stderr.write('x' * 65536)\nsys.exit(1)", 12, "unknown"),
}


@pytest.mark.parametrize("does", CREATES)
def test_only_an_answer_proves_what_became_of_a_create(scripts, service, does):
    lines, code, outcome = CREATES[does]
    fake = FakeProgram(scripts.folder / "bin", create=lines)
    run = create(scripts, service, fake)
    assert (run.code, run.result.get("outcome")) == (code, outcome), run.events
    assert len(fake.runs("create")) == 1
    assert service.requests == [], "no failure of the program is followed by a request of ours"


def test_a_rejection_keeps_the_words_and_the_status(scripts, service):
    run = create(scripts, service, FakeProgram(scripts.folder / "bin", create=CREATES["400"][0]))
    assert run.result["http_status"] == 400 and "Check required parameters" in run.result["message"]


def test_a_rate_limit_is_not_tried_again_through_the_program_either(scripts, service):
    lines = "say(ANSWER) if not first('refused') else " + REJECTED.format(429, "Too Many Requests", "")
    fake = FakeProgram(scripts.folder / "bin", create=lines)
    run = create(scripts, service, fake)
    assert (run.code, run.result["retryable"], len(fake.runs("create"))) == (24, True, 1)
    assert service.requests == []


def test_a_program_that_cannot_be_started_has_bought_nothing(scripts, service):
    fake = FakeProgram(scripts.folder / "bin", login="os.unlink(sys.argv[0])\nsay({'configured': True})")
    run = create(scripts, service, fake, "--deadline", "4")
    assert (run.code, run.result["outcome"], fake.runs("create")) == (24, "not_sent", [])
    assert service.requests == []


@pytest.mark.parametrize("lines", ["hang()", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nhang()"])
def test_a_program_that_hangs_is_unknown_and_does_not_outlive_the_command(scripts, service, lines):
    fake = FakeProgram(scripts.folder / "bin", create=lines)
    run = create(scripts, service, fake, "--sse-request-timeout", "1")
    assert (run.code, run.result["outcome"]) == (12, "unknown")
    _wait_until(lambda: not is_running(fake.runs("create")[0]["pid"]))
    assert service.requests == []


def test_an_unknown_outcome_is_refused_the_second_time(scripts, service):
    fake = FakeProgram(scripts.folder / "bin", create="sys.exit(1)")
    assert create(scripts, service, fake).code == 12
    assert (create(scripts, service, fake).code, len(fake.runs("create"))) == (27, 1)


def test_a_payload_that_is_never_read_does_not_hold_the_command_up(scripts, service):
    large = scripts.folder / "large.json"
    large.write_text(json.dumps({"prompt": "x" * 3_000_000}), encoding="utf-8")
    fake = FakeProgram(scripts.folder / "bin")
    flags = [flag for flag in create_arguments(service) if flag not in ("--payload", json.dumps({"prompt": PROMPT}))]
    run = scripts.run("create_and_wait.py", *flags, "--payload-file", str(large), env=fake.environment)
    assert run.code == 0


def test_the_intent_is_written_before_the_program_starts(scripts, service):
    fake = FakeProgram(
        scripts.folder / "bin",
        create="import shutil\nshutil.copytree(FOLDER.parent / 'state', FOLDER / 'state')\nsay(ANSWER)",
    )
    assert create(scripts, service, fake).code == 0
    looked = scripts.run("jobs.py", "list", env={"AI_MEDIA_HOME": str(fake.folder / "state")})
    assert looked.first("job")["outcome"] in ("under_way", "unknown")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no way to end a process at once")
def test_a_command_that_is_killed_while_it_buys_leaves_an_unknown_outcome(scripts, service):
    fake = FakeProgram(scripts.folder / "bin", create="while not (FOLDER / 'now').exists(): time.sleep(0.02)")
    started = scripts.start("create_and_wait.py", *create_arguments(service), env=fake.environment)
    fake.wait_for("create")
    started.kill()
    started.communicate(timeout=PATIENCE)
    (fake.folder / "now").touch()
    run = create(scripts, service, fake)
    assert (run.code, run.result["error"], len(fake.runs("create"))) == (27, "duplicate_unknown", 1)


def test_a_model_that_the_program_cannot_name_is_refused_before_it_starts(scripts, service):
    fake = FakeProgram(scripts.folder / "bin")
    run = scripts.run("create_and_wait.py", *create_arguments(service, "--model", "model"), env=fake.environment)
    assert (run.code, run.result["field"], fake.runs("create")) == (2, "--transport", [])


# -- stopping --------------------------------------------------------------------------------------


def test_ctrl_c_waits_for_the_id_of_what_is_being_bought(scripts, service):
    lines = "while not (FOLDER / 'now').exists(): time.sleep(0.02)\nsay(ANSWER)"
    fake = FakeProgram(scripts.folder / "bin", create=lines)
    started = scripts.start("create_and_wait.py", *create_arguments(service), env=fake.environment)
    fake.wait_for("create")
    started.send_signal(signal.SIGINT)
    (fake.folder / "now").touch()
    stdout, _ = started.communicate(timeout=PATIENCE)
    result = json.loads(stdout.splitlines()[-1])
    assert (started.returncode, result["event"], result["generation_id"]) == (130, "interrupted", "task-1")


def test_a_create_that_is_left_alone_does_not_outlive_ctrl_c(scripts, service):
    fake = FakeProgram(scripts.folder / "bin", create="hang()")
    started = scripts.start("create_and_wait.py", *create_arguments(service), env=fake.environment)
    pid = fake.wait_for("create")["pid"]
    started.send_signal(signal.SIGINT)
    stdout, _ = started.communicate(timeout=PATIENCE)
    assert (started.returncode, json.loads(stdout.splitlines()[-1])["outcome"]) == (130, "unknown")
    _wait_until(lambda: not is_running(pid))


# -- reading ---------------------------------------------------------------------------------------

# what the program does at the first read; after that it answers
READS = {
    "hangs": "hang()",
    "124": "sys.exit(124)",
    "garbage": "say('no')",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "503": "fail('Modellix API error (503 Service Unavailable). Automatic read retries were exhausted.')",
    "429": "fail('Modellix API error (429 Too Many Requests).')",
    "network": "fail('Network request failed. Please retry.')",
    "flood": "while True: sys.stdout.write('x' * 65536)",
}


@pytest.mark.parametrize("does", READS)
def test_a_read_that_fails_is_repeated(scripts, service, does):
    lines = "if first('asked'):\n" + "\n".join("    " + line for line in READS[does].splitlines()) + "\nsay(JOB)"
    fake = FakeProgram(scripts.folder / "bin", read=lines)
    run = create(scripts, service, fake, "--poll-request-timeout", "2")
    assert (run.code, run.names.count("poll_error")) == (0, 1), run.events
    _wait_until(lambda: not is_running(fake.runs("read")[0]["pid"]))


def test_what_is_written_down_for_a_trace_holds_no_key(scripts, service):
    fake = FakeProgram(scripts.folder / "bin", create="say({**ANSWER, 'seen': os.environ['MODELLIX_API_KEY']})")
    run = create(scripts, service, fake, "--trace", "trace.jsonl")
    records = [json.loads(line) for line in (scripts.folder / "trace.jsonl").read_text(encoding="utf-8").splitlines()]
    assert run.code == 0 and KEY not in json.dumps(records) + run.stdout.decode()
    assert [name for record in records for name in record] == ["run", "answer", "run", "answer"]
    assert json.loads(records[0]["run"]["input"]) == {"prompt": PROMPT}


def test_several_copies_are_bought_side_by_side(scripts, service):
    lines = "task = str(os.getpid())\nsay({**ANSWER, 'data': {**ANSWER['data'], 'task_id': task}})"
    read = "say({**JOB, 'data': {**JOB['data'], 'task_id': WORDS[-1]}})"
    fake = FakeProgram(scripts.folder / "bin", create=lines, read=read)
    run = create(scripts, service, fake, "--copies", "3")
    assert (run.code, run.result["succeeded"], len(fake.runs("create"))) == (0, 3, 3)


def test_a_job_that_is_not_waited_for_is_bought_and_left(scripts, service):
    fake = FakeProgram(scripts.folder / "bin")
    run = create(scripts, service, fake, "--no-wait")
    assert (run.code, run.result["event"], fake.runs("read")) == (0, "submitted", [])


def test_a_program_that_hangs_when_it_is_looked_at_does_not_use_up_the_deadline(scripts, service):
    fake = FakeProgram(scripts.folder / "bin", login="hang()")
    run = create(scripts, service, fake, "--deadline", "4")
    assert (run.code, run.result["field"], fake.runs("create")) == (2, "--transport", [])
    assert not is_running(fake.runs("login")[0]["pid"])


def test_a_read_that_is_always_out_of_time_ends_as_still_running(scripts, service):
    fake = FakeProgram(scripts.folder / "bin", read="sys.exit(124)")
    run = create(scripts, service, fake, "--poll-timeout", "1")
    assert (run.code, run.result["generation_id"]) == (11, "task-1")


def test_a_job_that_is_gone_is_not_found(scripts, service):
    fake = FakeProgram(scripts.folder / "bin", read="fail('Modellix API error (404 Not Found). Verify task ID.')")
    flags = create_arguments(service)[:6]
    run = scripts.run("wait_generation.py", "--generation-id", "task-9", *flags, env=fake.environment)
    assert (run.code, run.result["http_status"]) == (23, 404)


def test_a_failed_job_is_a_result(scripts, service):
    fake = FakeProgram(scripts.folder / "bin", read="say({'data': {'task_id': 'task-1', 'status': 'failed'}}, 1)")
    run = create(scripts, service, fake)
    assert (run.code, run.result["event"], run.result["source"]) == (10, "terminal", "cli")


# What the program prints besides an answer, with `{}` for what is not to be seen.
LONG = "q7Zk3Vn9Xw2Lp5Rt8Yb1Md4Gh6Jc0Fs"
UNSEEN = {
    "a bearer token": ("Authorization: Bearer {}", "an_easy_word"), "a key": ("using api_key={}", "an_easy_wOrd"),
    "a long random word": ("sent {} and failed", LONG), "its own login": ("signed in as {}", "some.body@mail.example"),
    "its own key": ("the key {} was refused", "plain_saved_word"), "hexadecimal": ("digest {}", "9f86d081884c7d659a2f"),
}  # fmt: skip


SAID = "; ".join(sentence.format(secret) for sentence, secret in UNSEEN.values())
# In JSON only `Bearer`, a name, and its own login show what is one: an id looks like any long word.
SEEN_IN_JSON = ("a key", "a long random word", "hexadecimal")
WAYS = {
    "refused": f"fail({'Modellix API error (400 Bad Request). ' + SAID!r})",
    "unknown": f"fail({SAID!r})",
    "complaint": f"sys.stderr.write({SAID!r})\nsys.exit(3)",
    "answer": f"say({{**ANSWER, 'note': {SAID!r}, 'apiKey': 'easy_word_1'}})",
}


@pytest.mark.parametrize("way", WAYS)
def test_what_the_program_says_is_masked(scripts, service, way):
    login = "say({'configured': True, 'apiKey': 'plain_saved_word', 'email': 'some.body@mail.example'})"
    fake = FakeProgram(scripts.folder / "bin", create=WAYS[way], login=login, read=WAYS["unknown"])
    run = create(scripts, service, fake, "--verbose", "--trace", "trace", "--poll-timeout", "1")
    written = b"".join(path.read_bytes() for path in (*scripts.folder.rglob("ledger*"), scripts.folder / "trace"))
    seen = run.stdout.decode() + run.stderr + written.decode("utf-8", "replace")
    for kind, (_, secret) in UNSEEN.items():
        assert (way == "answer" and kind in SEEN_IN_JSON) or secret not in seen, (kind, seen)
    assert "easy_word_1" not in seen


def test_words_that_somebody_has_thought_of_are_left():
    said = (
        "Modellix API error (503 Service Unavailable): qwen-image-edit-plus-2025-10-30, MODELLIX_API_KEY is not set, "
        "ModelInferenceTimeoutException, see /home/user/.config/modellix-cli/config.json; token: missing"
    )
    assert redactor.guessed(said) == said


# -- where it is found -----------------------------------------------------------------------------


@pytest.fixture
def project(monkeypatch, tmp_path):
    """A working directory with programs in it, and folders beside it."""
    monkeypatch.delenv("MODELLIX_CLI", raising=False)
    here, outside = tmp_path / "project", tmp_path / "outside"
    for folder in (here, here / "node_modules" / ".bin", outside / "bin", outside / "linked", outside / "chain"):
        folder.mkdir(parents=True)
        FakeProgram(folder)
    (here / "hop").symlink_to(outside / "bin")
    (outside / "to_project").symlink_to(here)
    (outside / "through").symlink_to(here / "hop")
    for name, target in {"linked": here / "modellix-cli", "chain": here / "hop" / "modellix-cli"}.items():
        (outside / name / "modellix-cli").unlink()
        (outside / name / "modellix-cli").symlink_to(target)
    monkeypatch.chdir(here)
    return tmp_path


# What a PATH may hold: `{here}` is the working directory. Whether the folder stays on the PATH of what is run.
STRANGERS_ENTRIES = {
    ".": False, "": False, "node_modules/.bin": False, "./node_modules/.bin": False, "{here}": False,
    "{here}/node_modules/.bin": False, "{here}/node_modules/.bin/": False, "{here}/./node_modules//.bin": False,
    "{here}/node_modules/..": False, "{here}/../project/node_modules/.bin": False,
    "{here}/../outside/bin": True, "{here}/node_modules/../../outside/bin": False, "{outside}/to_project": False,
    "{outside}/to_project/node_modules/.bin": False, "{outside}/through": False, "{outside}/linked": True,
    "{outside}/chain": True,
}  # fmt: skip
FINE = ("{here}/../outside/bin",)


@pytest.mark.parametrize("entry", STRANGERS_ENTRIES)
def test_nothing_is_run_from_the_working_directory_or_through_it(monkeypatch, project, entry):
    # `..` behind the working directory's own name leads through it, whatever it comes to.
    stays = STRANGERS_ENTRIES[entry] and entry not in FINE
    path = entry.format(here=project / "project", outside=project / "outside")
    monkeypatch.setenv("PATH", os.pathsep.join([path, "/nowhere"]))
    found, why = programs.locate("modellix-cli", "MODELLIX_CLI")
    assert found is None and "MODELLIX_CLI" in why, "the way on is told"
    assert process.environment()["PATH"] == os.pathsep.join([path] * stays + ["/nowhere"])
    good = str(project / "outside" / "bin")
    monkeypatch.setenv("PATH", os.pathsep.join([path, good]))
    assert programs.locate("modellix-cli", "MODELLIX_CLI") == (os.path.join(good, "modellix-cli"), "PATH")


def test_a_variable_names_any_program_by_its_absolute_path(monkeypatch, project):
    monkeypatch.setenv("PATH", "/nowhere")
    here = project / "project"
    for named in ("modellix-cli", "./modellix-cli", str(here), str(here / "missing")):
        monkeypatch.setenv("MODELLIX_CLI", named)
        found, why = programs.locate("modellix-cli", "MODELLIX_CLI")
        assert found is None and "MODELLIX_CLI" in why
    monkeypatch.setenv("MODELLIX_CLI", str(here / "modellix-cli"))
    assert programs.locate("modellix-cli", "MODELLIX_CLI") == (str(here / "modellix-cli"), "MODELLIX_CLI")


def test_a_program_that_every_user_could_have_put_there_is_not_run(monkeypatch, project):
    folder = project / "outside" / "bin"
    monkeypatch.setenv("PATH", str(folder))
    fine = programs.locate("modellix-cli", "MODELLIX_CLI")
    assert fine[1] == "PATH"
    for path, mode, found in ((folder, 0o777, None), (folder, 0o1777, fine[0]), (folder / "modellix-cli", 0o777, None)):
        before = path.stat().st_mode
        path.chmod(mode)
        assert programs.locate("modellix-cli", "MODELLIX_CLI")[0] == found
        path.chmod(before)


def test_a_program_that_is_passed_over_is_told(scripts):
    (scripts.folder / "node_modules").mkdir()
    fake = FakeProgram(scripts.folder / "node_modules" / ".bin")
    path = os.pathsep.join([str(fake.folder), os.environ["PATH"]])
    run = scripts.run("preflight.py", "--provider", "modellix", env={"PATH": path, "MODELLIX_API_KEY": KEY})
    (told,) = run.result["providers"]
    assert told["cli_available"] is False and "MODELLIX_CLI" in told["cli_problem"]
    assert not (fake.folder / "runs").exists()


def test_a_file_that_may_not_be_run_is_no_program(monkeypatch, tmp_path):
    FakeProgram(tmp_path).path.chmod(0o644)
    monkeypatch.delenv("MODELLIX_CLI", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.locate("modellix-cli", "MODELLIX_CLI")[0] is None


# -- the choice ------------------------------------------------------------------------------------


def choose(
    monkeypatch, capsys, folder, given=(), login=True, works=True, key=None, **environment
) -> connection.Connection:
    """The Connection that flags and a world come to; nothing is sent."""
    fake = FakeProgram(folder / "bin", login=f"say({{'configured': {login}}})" if works else "sys.exit(127)")
    for name in ("MODELLIX_CLI", "MODELLIX_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", os.pathsep.join([str(fake.folder), os.path.dirname(sys.executable)]))
    for name, value in {"MODELLIX_API_KEY": key, **environment}.items():
        if value:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "settings"))
    parser = argparse.ArgumentParser()
    flags.add_connection_flags(parser)
    where = flags.connection(parser.parse_args(list(given)))
    return connection.connect(console.Console("test"), where, connection.provider_of(where, "modellix"))


LOCAL = ("--base-url", "http://127.0.0.1:9/api/v1")
# flags, login of the program, whether it works, key in the environment -> through the program, whose key
CHOICES = [
    ((), True, True, KEY, True, KEY),
    ((), True, True, None, True, None),
    ((), False, True, KEY, True, KEY),
    ((), True, False, KEY, False, KEY),
    (LOCAL, True, True, KEY, False, KEY),
    (("--transport", "rest"), True, True, KEY, False, KEY),
    (("--transport", "cli"), False, True, KEY, True, KEY),
    (("--transport", "cli"), True, True, None, True, None),
    (("--transport", "cli", *LOCAL), False, True, KEY, True, KEY),
]
PROXIES = [
    ({"HTTPS_PROXY": "http://proxy.invalid:8080"}, (), False),
    ({"all_proxy": "http://proxy.invalid:8080"}, (), False),
    ({"HTTPS_PROXY": "http://proxy.invalid:8080"}, ("--transport", "cli"), True),
    ({"HTTPS_PROXY": "http://proxy.invalid:8080", "NO_PROXY": ".modellix.ai"}, (), True),
    ({"HTTP_PROXY": "http://proxy.invalid:8080"}, (), True),
]


@pytest.mark.parametrize("environment, flags, through", PROXIES)
def test_a_program_that_goes_past_the_proxy_is_taken_only_by_name(
    monkeypatch, capsys, tmp_path, environment, flags, through
):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    found = choose(monkeypatch, capsys, tmp_path, flags, key=KEY, **environment)
    assert (found.through is not None) == through
    assert ("cli_unusable" in capsys.readouterr().out) == (not through)


@pytest.mark.parametrize("flags, login, works, key, through, whose", CHOICES)
def test_the_program_is_taken_when_it_is_there_and_has_a_key(
    monkeypatch, capsys, tmp_path, flags, login, works, key, through, whose
):
    found = choose(monkeypatch, capsys, tmp_path, flags, login, works, key)
    assert (found.through is not None, found.key.value) == (through, whose)
    assert isinstance(found.wire(Inbox()), program.ProgramWire) == through
    assert ("cli_unusable" in capsys.readouterr().out) == (not works)


# flags, login, whether it works, key, further environment -> what the refusal says
REFUSED_CHOICES = [
    ((), False, True, None, {}, "missing_api_key"),
    (("--transport", "rest"), True, True, None, {}, "missing_api_key"),
    (LOCAL, True, True, None, {}, "missing_api_key"),
    (("--transport", "cli"), True, False, KEY, {}, "it does not work"),
    (("--transport", "cli"), True, True, KEY, {"PATH": "/nowhere"}, "npm install"),
    (("--transport", "cli"), True, True, KEY, {"MODELLIX_CLI": "modellix-cli"}, "absolute path"),
    (("--transport", "cli", "--base-url", "http://127.0.0.1:9/other"), True, True, KEY, {}, "an origin and /api/v1"),
    (("--transport", "cli", "--base-url", "https://elsewhere.invalid/api/v1"), True, True, KEY, {}, "trust"),
]


@pytest.mark.parametrize("flags, login, works, key, environment, words", REFUSED_CHOICES)
def test_a_choice_that_cannot_be_is_refused_and_says_why(
    monkeypatch, capsys, tmp_path, flags, login, works, key, environment, words
):
    from mediakit.base.errors import Failure

    with pytest.raises(Failure) as refused:
        choose(monkeypatch, capsys, tmp_path, flags, login, works, key, **environment)
    assert words in " ".join([refused.value.code, refused.value.message, *refused.value.fields["guidance"]])


def test_a_login_of_the_program_comes_before_what_is_kept_in_files(monkeypatch, capsys, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    (here / ".env").write_text(f"MODELLIX_API_KEY={KEY}\n", encoding="utf-8")
    found = choose(monkeypatch, capsys, tmp_path)
    assert found.key == keys.Key(None, "the login of modellix-cli")
    assert choose(monkeypatch, capsys, tmp_path, login=False).key.value == KEY


def test_a_login_stays_where_it_is(scripts, service):
    fake = FakeProgram(scripts.folder / "bin", login="say({'configured': True})")
    env = {"MODELLIX_CLI": str(fake.path)}
    run = scripts.run("create_and_wait.py", *create_arguments(service), env=env)
    assert run.code == 0
    assert all("MODELLIX_API_KEY" not in run["environment"] for run in fake.runs("create") + fake.runs("read"))


def test_with_no_provider_named_a_login_of_its_program_counts_as_a_key(scripts):
    fake = FakeProgram(scripts.folder / "bin", login="say({'configured': True})")
    flags = ("--task", "t2i", "--prompt", PROMPT)
    run = scripts.run("create_and_wait.py", *flags, "--model", "owner/model", "--no-validate",
        env={"MODELLIX_CLI": str(fake.path)}
    )  # fmt: skip
    assert (run.code, run.result["provider"], run.result["source"]) == (0, "modellix", "cli")


@pytest.mark.parametrize("provider", [name for name in providers.names() if providers.load(name).cli is None])
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_service_without_a_program_cannot_be_asked_through_one(scripts, provider, more):
    flags = ["--provider", provider, "--transport", "cli", "--task", "t2i", "--prompt", PROMPT, *more]
    run = scripts.run("create_and_wait.py", *flags)
    assert (run.code, run.result["field"]) == (2, "--transport")


# -- preflight -------------------------------------------------------------------------------------

# what the program does, the environment, flags -> ready, recommended_mode, cli_doctor
FAILED_DOCTOR = "say({'ok': False, 'checks': [{'name': 'validation', 'ok': False, 'detail': '\\x1b[2Jno'}]}, 1)"
CONFIGURED = "say({'configured': True})"
PREFLIGHTS = [
    ({}, True, {}, True, "cli", "not_run"),
    ({"login": CONFIGURED}, False, {}, True, "cli", "not_run"),
    ({}, False, {}, False, "none", "not_run"),
    ({"login": "sys.exit(127)"}, True, {}, True, "rest", None),
    ({}, True, {"online": True}, True, "cli", "passed"),
    ({"login": CONFIGURED}, False, {"online": True}, True, "cli", "passed"),
    ({"doctor": FAILED_DOCTOR}, True, {"online": True}, True, "rest", "failed"),
    ({"doctor": FAILED_DOCTOR, "login": CONFIGURED}, False, {"online": True}, False, "none", "failed"),
    ({"doctor": "sys.exit(1)"}, True, {"online": True}, True, "rest", "no_answer"),
]


@pytest.mark.parametrize("program_does, has_key, how, ready, mode, doctor", PREFLIGHTS)
def test_preflight_says_what_can_be_used(scripts, program_does, has_key, how, ready, mode, doctor):
    fake = FakeProgram(scripts.folder / "bin", **program_does)
    env = {"MODELLIX_CLI": str(fake.path), **({"MODELLIX_API_KEY": KEY} if has_key else {})}
    with FakeService(other=answer(200, {"code": 0, "data": {"is_valid": True, "balance": 12.5}})) as service:
        online = ["--online", "--base-url", service.base_url] if how.get("online") else []
        run = scripts.run("preflight.py", "--provider", "modellix", *online, env=env)
        assert service.posts() == 0
    (found,) = run.result["providers"]
    assert (found["ready"], found["recommended_mode"], found.get("cli_doctor")) == (ready, mode, doctor), found
    assert found["cli_available"] == ("login" not in program_does or program_does["login"] == CONFIGURED)
    assert not has_key or KEY not in run.stdout.decode()
    assert "\\u001b" not in run.stdout.decode()
    if doctor == "not_run":
        assert found["cli_version"] == "9.9.9"


LOCKED = "say({'configured': False, 'warning': 'The operating-system credential store is unavailable.'})"


def test_the_guide_goes_on_with_a_login_that_only_the_program_has(scripts):
    fake = FakeProgram(scripts.folder / "bin", login=CONFIGURED)
    env = {"MODELLIX_CLI": str(fake.path)}
    with FakeService() as service:
        at = ("--provider", "modellix", "--base-url", service.base_url)
        wish = ("--task", "t2i", "--prompt", "a tin boat")
        told = scripts.run("preflight.py", *at, *wish, "--online", env=env).result
        assert (told["stage"], told["providers"][0]["balance"]) == ("ready", {"amount": 12.5, "unit": "usd"})
        run = scripts.run("create_and_wait.py", *told["next_argv"][2:], "--no-wait", env=env)
        assert (run.code, run.result["event"], len(fake.runs("create"))) == (0, "submitted", 1)
        told = scripts.run("preflight.py", *at, *wish, "--online", env=env).result
        assert told["stage"] == "settle_first"
        assert scripts.run("jobs.py", *told["next_argv"][2:], env=env).code == 26  # its link leads nowhere here
        assert fake.runs("read") and service.posts() == 0
        alone = scripts.run("create_and_wait.py", *at, *wish, env=env)
        assert alone.code == 21 and "--transport cli" in alone.result["guidance"][0]


@pytest.mark.parametrize("left", [0, -1, 0.001])
def test_an_account_of_the_programs_login_can_be_too_empty(scripts, left):
    fake = FakeProgram(scripts.folder / "bin", login=CONFIGURED, balance=f"say({{'ok': True, 'balance': {left}}})")
    run = scripts.run("preflight.py", "--provider", "modellix", "--online", env={"MODELLIX_CLI": str(fake.path)})
    assert (run.code, run.result["stage"], run.result["ready"]) == (20, "credits_required", False)


def test_why_the_program_cannot_read_its_own_logins_is_told(scripts):
    env = {"MODELLIX_CLI": str(FakeProgram(scripts.folder / "bin", login=LOCKED).path)}
    (found,) = scripts.run("preflight.py", "--provider", "modellix", env=env).result["providers"]
    assert (found["ready"], "credential store" in found["cli_problem"]) == (False, True)
    run = scripts.run("create_and_wait.py", "--provider", "modellix", "--task", "t2i", "--prompt", "x", env=env)
    assert run.code == 21 and "credential store" in run.result["guidance"][0]


def test_preflight_gives_the_command_that_installs_the_program_and_does_not_run_it(scripts):
    run = scripts.run("preflight.py", "--provider", "modellix", env={"PATH": "/nowhere", "MODELLIX_API_KEY": KEY})
    (found,) = run.result["providers"]
    assert (found["cli_available"], found["recommended_mode"]) == (False, "rest")
    assert found["cli_install"] == SERVICE.cli["install"]


# -- the descriptor --------------------------------------------------------------------------------


def test_the_path_of_a_read_leads_back_to_its_job():
    for found in ("task-1", "a/b", "a:b", "a=="):
        assert SERVICE.paths.id_of(SERVICE.paths.read(found)) == found
    assert SERVICE.paths.id_of("/models") is None and SERVICE.paths.id_of("/tasks/") is None


def test_the_least_answer_with_an_id_is_read_as_one():
    found = SERVICE.answers.reading(SERVICE.answers.answer_of("task-1"))
    assert (found.id, found.status, found.state) == ("task-1", None, None)


@given(
    st.integers(-15, 255),
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["data", "task_id", "status", "error", "message", "code", "ok"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode()),
    st.none() | st.text(),
)
def test_no_output_is_too_strange_and_none_without_proof_says_what_became_of_a_create(code, output, stopped):
    found = program.Program(SERVICE, "/nowhere", "PATH", "http://127.0.0.1:9")
    seen = found.understand(process.Ended(code, output, b"", stopped), spends=True)
    if isinstance(seen, Lost):
        assert seen.sent is True
        return
    reading = SERVICE.answers.reading(read_json(seen.content)[0])
    outcome = errors.outcome_of_status(seen.status, reading.id is not None)
    said = point(read_json(output)[0], "/error/message") or ""
    assert outcome != "accepted" or SERVICE.answers.reading(read_json(output)[0]).id or "was submitted" in said
    assert outcome != "rejected" or (code != 0 and said.startswith("Modellix API error ("))


def test_an_id_that_the_program_does_not_take_is_never_made_one_of_its_words(tmp_path):
    from mediakit.base.errors import Failure

    found = program.Program(SERVICE, str(tmp_path / "missing"), "PATH", "http://127.0.0.1:9")
    wire = program.ProgramWire(found, None, Inbox())
    for odd in ("a b", "$(x)", "%PATH%", "a&b", "x" * 600, '"'):
        with pytest.raises(Failure):
            wire.get(SERVICE.paths.read(odd), 1.0)


def _wait_until(holds) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)
