"""preflight.py and the ways a key is found and kept."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest

from conftest import KEY, SCRIPTS, posts
from mediakit.services import providers

VARIABLE = "SKILLS_VIDEO_API_KEY"
OTHER_KEY = "another_fake_key"


def report(run, provider: str) -> dict:
    return next(entry for entry in run.result["providers"] if entry["provider"] == provider)


def test_without_a_key_it_says_where_to_get_one_and_how_to_set_it(scripts):
    run = scripts.run("preflight.py", "--provider", "skills-video")
    assert run.code == 21 and run.result["ready"] is False
    found = report(run, "skills-video")
    assert (found["ready"], found["key_found"], found["missing"]) == (False, False, [VARIABLE])
    setup = " ".join(found["setup"])
    for part in ("https://skills.video/dashboard/developer", f"export {VARIABLE}=", f"$env:{VARIABLE}"):
        assert part in setup
    settings = json.loads(next(line for line in found["setup"] if "openclaw.json" in line).partition(": ")[2])
    assert settings == {"skills": {"entries": {"ai-media": {"env": {VARIABLE: "your_api_key_here"}}}}}


def test_the_sandbox_counts_only_when_it_is_named(scripts):
    assert scripts.run("preflight.py").result["exit_code"] == 21
    assert scripts.run("preflight.py", "--provider", "sandbox", "--json").result["exit_code"] == 0


def test_with_a_key_the_next_command_spends_nothing_until_it_is_known_what_is_wanted(scripts):
    result = scripts.run("preflight.py", env={VARIABLE: KEY}).result
    assert (result["exit_code"], result["stage"], result["effect"]) == (0, "prompt_required", "no_spend")
    result = scripts.run("preflight.py", "--prompt", "a boat", env={VARIABLE: KEY}).result
    assert (result["stage"], result["effect"], result["needs_approval"]) == ("ready", "spends", True)
    assert result["no_spend_command"] == result["next_command"] + " --dry-run"
    assert KEY not in str(result) and "a boat" not in str(result)


# where the key is -> what is said about it; the first that has one counts
SOURCES = [
    ({"environment": KEY, "store": OTHER_KEY, "folder": OTHER_KEY}, "environment"),
    ({"environment": " ", "store": KEY, "folder": OTHER_KEY}, "store"),
    ({"folder": KEY}, "./.env"),
]


@pytest.mark.parametrize("places, source", SOURCES)
def test_the_key_is_looked_for_in_order(scripts, places, source):
    if "store" in places:
        scripts.key_file.parent.mkdir(parents=True)
        scripts.key_file.write_text(f"{VARIABLE}={places['store']}\n", encoding="utf-8")
    if "folder" in places:
        (scripts.folder / ".env").write_text(f"{VARIABLE}={places['folder']}\n", encoding="utf-8")
    env = {VARIABLE: places["environment"]} if "environment" in places else {}
    run = scripts.run("preflight.py", "--provider", "skills-video", env=env)
    assert source in report(run, "skills-video")["key_source"]
    assert not any(key in run.stdout.decode() for key in (KEY, OTHER_KEY))


def test_a_dot_env_in_the_working_directory_cannot_pull_in_other_secrets(scripts):
    (scripts.folder / ".env").write_text(f"{VARIABLE}=${{OTHER_SECRET}}x\n", encoding="utf-8")
    run = scripts.run("preflight.py", "--provider", "skills-video", env={"OTHER_SECRET": "hidden_value"})
    assert "hidden_value" not in run.stdout.decode()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_in_place_of_a_dot_env_does_not_hang(scripts):
    os.mkfifo(scripts.folder / ".env")
    assert scripts.run("preflight.py", "--provider", "skills-video").code == 21


@pytest.mark.parametrize("key", ["two words", "a\tb", "ключ"])
def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(scripts, key):
    run = scripts.run("preflight.py", "--provider", "skills-video", env={VARIABLE: key})
    assert (run.code, run.result["error"]) == (21, "invalid_api_key")
    assert key not in run.stdout.decode()


def test_a_key_is_kept_only_on_demand_for_this_user_alone(scripts):
    run = scripts.run("preflight.py", "--provider", "skills-video", "--persist-key", stdin=KEY + "\n")
    assert run.code == 0 and KEY not in run.stdout.decode()
    assert report(run, "skills-video")["key_source"] == "the user's own store"
    if os.name != "nt":
        assert stat.S_IMODE(scripts.key_file.stat().st_mode) == 0o600


def test_a_new_key_replaces_the_old_one_and_nothing_else(scripts):
    scripts.key_file.parent.mkdir(parents=True)
    scripts.key_file.write_text("# mine\nOTHER=1\nexport SKILLS_VIDEO_API_KEY=old\n", encoding="utf-8")
    scripts.run("preflight.py", "--provider", "skills-video", "--persist-key", "--no-check", stdin="quote'd\\key")
    lines = scripts.key_file.read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["# mine", "OTHER=1"] and len(lines) == 3
    from dotenv import dotenv_values

    assert dotenv_values(scripts.key_file, interpolate=False)[VARIABLE] == "quote'd\\key"


def test_a_kept_key_that_the_environment_hides_is_warned_of(scripts):
    run = scripts.run(
        "preflight.py", "--provider", "skills-video", "--persist-key", stdin=KEY, env={VARIABLE: OTHER_KEY}
    )
    assert run.first("warning")["code"] == "key_hidden"


REFUSED = [
    ("--persist-key",),
    ("--provider", "sandbox", "--persist-key"),
    ("--provider", "skills-video", "--persist-key"),  # nothing on standard input
    ("--provider", "nobody"),
    ("--base-url", "https://elsewhere.invalid"),
    ("--provider", "skills-video", "--no-check"),
    ("--provider", "skills-video", "--persist-key", "--online", "--no-check"),
]


@pytest.mark.parametrize("arguments", REFUSED)
def test_arguments_that_do_not_go_together_are_refused(scripts, arguments):
    assert scripts.run("preflight.py", *arguments).result["exit_code"] == 2


def test_online_asks_for_the_balance_and_buys_nothing(scripts, sandbox):
    run = scripts.run(
        "preflight.py", "--provider", "skills-video", "--online", "--base-url", sandbox.url + "/api/v1", env={VARIABLE: KEY}
    )  # fmt: skip
    assert report(run, "skills-video")["balance"]["total"] == 1000
    assert posts(sandbox) == 0


def test_the_next_command_goes_to_the_address_that_was_asked_about(scripts, sandbox):
    address, key = sandbox.url + "/api/v1", {VARIABLE: KEY}
    words = ("--provider", "skills-video", "--online", "--base-url", address, "--prompt", "a tin boat")
    asked = scripts.run("preflight.py", *words, env=key)
    script, *arguments = asked.result["next_argv"][1:]
    run = scripts.run(os.path.basename(script), *arguments, env=key)
    assert run.code == 0 and run.first("start")["url"].startswith(address) and posts(sandbox) == 1


# a command -> how many of our rooms it may load (None: any, and anything but PACKAGES), and what of HEAVY
STARTS = {
    "preflight.py": (44, ()),
    "preflight.py --version": (32, ()),
    "handle_runtime_error.py --status 402 --body {}": (40, ()),
    "create_and_wait.py --help": (32, ()),
    "wait_generation.py --help": (32, ()),
    "jobs.py list": (54, ("sqlite3", "math")),
    "create_and_wait.py --provider sandbox --task t2i --prompt boat --dry-run": (
        100, ("decimal", "math", "ipaddress", "typing", "urllib.parse"),
    ),
    "create_and_wait.py --provider sandbox --task t2i --prompt boat": (None, ()),  # a whole job
}  # fmt: skip
# What takes long to load: packages, of Python's own what is dear, and of ours what sends, saves and buys.
PACKAGES = {"requests", "jsonschema", "yaml", "charset_normalizer"}
HEAVY = {
    "urllib3", "PIL", "dataclasses", "inspect", "typing", "tempfile", "decimal", "sqlite3", "hashlib", "random",
    "subprocess", "threading", "queue", "signal", "locale", "ipaddress", "urllib.parse", "socket", "ssl", "logging", "math",
    "mediakit.http.wire", "mediakit.jobs.driver", "mediakit.jobs.purchase", "mediakit.media.save", "mediakit.provenance",
}  # fmt: skip


@pytest.mark.parametrize("command", STARTS)
def test_a_start_loads_nothing_heavy(scripts, command):
    script, *arguments = command.split()
    rooms, may_load = STARTS[command]
    # The first one of a user keeps bytecode, and that the packages are there.
    for _ in range(2):
        ended = subprocess.run(
            [sys.executable, "-X", "importtime", str(SCRIPTS / script), *arguments],
            capture_output=True, text=True, env=scripts.environment(), cwd=scripts.folder,
        )  # fmt: skip
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "mediakit.base.errors" in loaded and not loaded & PACKAGES
    if rooms is not None:
        assert not loaded & HEAVY - set(may_load)
        assert sum(name.startswith("mediakit") for name in loaded) <= rooms


def test_every_service_with_a_key_is_found_and_which_one_is_meant_is_asked(scripts):
    wanted = {name: key["variable"] for name in providers.names() if (key := providers.load(name).key)}
    env = dict.fromkeys(wanted.values(), KEY)
    ready = {row["provider"] for row in scripts.run("preflight.py", env=env).result["providers"] if row["ready"]}
    assert ready == set(wanted)
    run = scripts.run("create_and_wait.py", "--task", "t2i", "--prompt", "a", env=env)
    assert (run.code, run.result["field"]) == (2, "--provider") and all(
        name in run.result["message"] for name in wanted
    )
