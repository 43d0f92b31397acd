"""Each line of references/moving-from*.md that tells a difference is true: by a check here, or by the test it names."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys

import pytest

from conftest import ROOT, SCRIPTS
from mediakit.base import codes, errors
from mediakit.services import catalogue, payloads, providers

PAGES = sorted((ROOT / "references").glob("moving-from*.md"))
SCHEMA = json.loads((ROOT / "assets/schemas/event.schema.json").read_text(encoding="utf-8"))
CREATE, PREFLIGHT, JOBS = "create_and_wait.py", "preflight.py", "jobs.py"


def differences() -> list[tuple[str, str]]:
    """`(page, before)` of every line of a second table: what has changed its meaning."""
    found = []
    for page in PAGES:
        tables = re.split(r"^\| before \| now \|\n\| --- \| --- \|\n", page.read_text(encoding="utf-8"), flags=re.M)
        found += [(page.name, row) for row in re.findall(r"^\| (.+?) \| .+ \|$", tables[2], re.M)]
    return found


# -- checks -----------------------------------------------------------------------------------------------


@functools.cache
def flags_of(script: str) -> frozenset[str]:
    told = subprocess.run([sys.executable, str(SCRIPTS / script), "--help"], capture_output=True, text=True).stdout
    return frozenset(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", told.partition("examples:")[0]))


def flags(script: str, there: str = "", gone: str = ""):
    return lambda: set(there.split()) <= flags_of(script) and not set(gone.split()) & flags_of(script)


def named(schema) -> set[str]:
    """Every name of a field that a schema of events knows."""
    if isinstance(schema, list):
        return set().union(*map(named, schema), set())
    if not isinstance(schema, dict):
        return set()
    inner = set().union(*map(named, schema.values()), set())
    return (
        inner | set(schema.get("properties", {})) | {one for one in schema.get("required", ()) if isinstance(one, str)}
    )


@functools.cache
def source() -> str:
    return "".join(path.read_text(encoding="utf-8") for path in SCRIPTS.rglob("*.py"))


def is_written(name: str) -> bool:
    """Whether an event can have a field: the schema knows it, or the source gives it one of that name."""
    return name in named(SCHEMA) or re.search(rf"\b{name}\b", source()) is not None


def fields(there: str = "", gone: str = ""):
    return lambda: all(map(is_written, there.split())) and not set(gone.split()) & named(SCHEMA)


def category(name: str, code: int):
    return lambda: errors.CATEGORY_EXIT_CODES[name] == code


def status(*statuses: int, code: int, service: str = "skills-video"):
    def check() -> bool:
        found = (providers.load(service).refusals.category(one, {})[0] for one in statuses)
        return all(errors.CATEGORY_EXIT_CODES[name] == code for name in found)

    return check


def told(exit_code: str, code: int):
    """What Luxin's own exit code, which its answers carry, comes to."""
    header = {"x-image-skill-exit-code": exit_code}
    return lambda: errors.CATEGORY_EXIT_CODES[providers.load("luxin").refusals.category(400, {}, "", header)[0]] == code


def outcome(code: str, meant: str):
    return lambda: (
        providers.load("luxin").refusals.verdict(502, {"error": {"code": code}}, own_key="k").outcome == meant
    )


def exit_of_program(code: str):
    return lambda: code in providers.load("modellix").cli["exit_codes"]


def defaults_are_whole() -> bool:
    tasks = providers.load("modellix").defaults
    whole = [task for task, model in tasks.items() if catalogue.entry("modellix", model)["contract"] == "complete"]
    return set(whole) >= {"t2i", "i2i", "t2v", "i2v"}


def nothing_is_added() -> bool:
    provider = providers.load("luxin")
    content = payloads.Content(prompt="x")
    built = payloads.build(content, provider, None, "fal.flux-dev", provider.paths.route("fal.flux-dev", "t2i"))
    return "aspect_ratio" not in built.payload


def no_variable_is_an_address() -> bool:
    return "API_BASE_URL" not in source()


def only_its_own_host() -> bool:
    from mediakit.http import addresses

    own = providers.load("skills-video").base_url
    addresses.resolve_base_url("http://127.0.0.1:9/api/v1", own, False)
    addresses.resolve_base_url("https://elsewhere.example/api/v1", own, True)
    with pytest.raises(errors.Failure) as raised:
        addresses.resolve_base_url("https://elsewhere.example/api/v1", own, False)
    return raised.value.exit_code == 27


def luxin_is_where_it_is() -> bool:
    return providers.load("luxin").origin == "https://api.luxin.sh"


def openclaw_is_told() -> bool:
    lines = [line for line in providers.load("skills-video").advice.setting_key if "openclaw.json" in line]
    return list(json.loads(lines[0].partition(": ")[2])["skills"]["entries"]) == ["ai-media"]


def the_order_of_logins() -> bool:
    login = providers.load("luxin").key["saved_login"]
    return [login["variable"], *login["other_variables"], login["path"], *login["other_paths"]] == [
        "LUXIN_CONFIG_PATH", "IMAGE_SKILL_CONFIG_PATH", "luxin/config.json", "image-skill/config.json",
    ]  # fmt: skip


_DOUBTFUL = "test_a_field_that_one_source_requires_and_another_leaves_out_is_a_warning"

# page -> before -> checks, and tests that run it as a user would
PROOFS: dict[str, dict[str, list]] = {
    "moving-from.md": {
        "Python of any age, no packages": ["tests/base/test_start.py", "tests/base/test_packages.py"],
        "a key for whatever `--base-url` or full URL names": [only_its_own_host, "tests/jobs/test_trust.py"],
        "redirects followed with the key": [
            "tests/jobs/test_trust.py::test_a_redirected_create_is_not_followed",
            "tests/jobs/test_lifecycle.py::test_a_redirected_create_was_refused",
        ],
        "a keep-alive held a dead stream open": [
            "tests/jobs/test_lifecycle.py::test_only_data_keeps_a_stream_open",
            flags(CREATE, "--sse-request-timeout --stream-timeout --deadline"),
        ],
        "the same create again bought again": [
            "tests/ledger/test_money.py::test_a_job_that_was_not_delivered_is_resumed_and_a_delivered_one_is_bought_anew",
            flags(CREATE, "--copies --intent"),
        ],
        "OpenClaw's `skills.entries.ai-video-skills.env`": [openclaw_is_told],
        "`--category` left out lists videos": [
            "tests/contracts/test_inspect_openapi.py::test_the_category_follows_a_file_that_has_only_one"
        ],
        "exit 1: no key; bad arguments": [category("auth", 21), category("bad_arguments", 2)],
        "exit 2: a script is missing": [category("bad_arguments", 2)],
        "exit 3: no id came (`missing_generation_id`)": [status(402, code=20), category("outcome_unknown", 12)],
        "exit 10, 11": [lambda: {10, 11} <= set(codes.EXIT_CODES)],
        "**exit 12: a poll was refused**": [status(401, code=21), status(400, code=22), status(404, code=23)],
        "exit 25 for status 400, 405, 409, 413, 415; for 403": [
            status(400, 405, 409, 413, 415, code=22), status(403, code=21),
        ],
        "exit 0 after an event named `done` or `failed`": ["tests/jobs/test_lifecycle.py"],
        "`start` after the events of polling, output at the end": [
            "tests/console/test_replaced_commands.py::test_create_and_wait_falls_back_to_polling"
        ],
        "indented JSON of `inspect_openapi`, `handle_runtime_error`, `ensure_api_key`": [
            fields("event time exit_code")
        ],
        "`status_key`, `fallback_polling_end`, `command` of `fallback_polling_start`, `sse_exit_code`, `url` of `sse_open`": [
            fields(gone="status_key sse_exit_code"), lambda: "fallback_polling_end" not in json.dumps(SCHEMA),
        ],
        "`payload` of `sse_event`, each `poll`": [flags(CREATE, "--verbose"), "tests/console/test_bounds.py"],
        "`sse_http_error`": [fields("http_status"), lambda: "sse_http_error" not in json.dumps(SCHEMA)],
        "`sse_timeout`, `sse_connect_error`": [lambda: "sse_timeout" not in json.dumps(SCHEMA), fields("reason")],
        "`message` of `sse_stream_ended`": [lambda: all(word in json.dumps(SCHEMA) for word in ("eof", "not_a_stream"))],
        "`invalid_interval`, `invalid_timeout`": [
            lambda: "invalid_arguments" in codes.ERRORS and "invalid_interval" not in codes.ERRORS, fields("field"),
        ],
        "`response` of `terminal`": [fields("response"), "tests/console/test_bounds.py"],
        "`ok`, `env_var`, `how_to_get_key` of `ensure_api_key`": [
            fields("ready key_found missing setup", gone="env_var how_to_get_key")
        ],
    },
    "moving-from-modellix.md": {
        "exit 1": [lambda: {10, 12, 20, 21, 22, 23, 24, 25} <= set(codes.EXIT_CODES)],
        "exit 2": [category("bad_arguments", 2), category("guard", 27), category("validation", 22)],
        "exit 124": [exit_of_program("124"), "tests/services/test_program.py"],
        "exit 127": [exit_of_program("127"), category("bad_arguments", 2)],
        '"outcome unknown" in words, exit 1': [
            "tests/services/test_program.py::test_only_an_answer_proves_what_became_of_a_create"
        ],
        "`--api-key K`": [flags(CREATE, "--key-stdin", gone="--api-key"), flags(PREFLIGHT, gone="--api-key")],
        "429 on a create, tried again by REST examples": [
            lambda: 429 in providers.load("modellix").final_statuses,
            "tests/services/test_program.py::test_a_rate_limit_is_not_tried_again_through_the_program_either",
        ],
        "default models of the plugin": [defaults_are_whole],
        "a V2V body without a prompt": [
            f"tests/contracts/test_validation.py::{_DOUBTFUL}"
        ],
        "`--profile P`": [
            flags(CREATE, gone="--profile"),
            lambda: "MODELLIX_PROFILE" in providers.load("modellix").cli["environment"]["keep"],
        ],
        "`--timeout 5m`, `--interval 5s`": [flags(CREATE, "--poll-timeout --poll-interval", gone="--timeout")],
        "`--quiet`, `--output human`, `--json`": [flags(CREATE, "--brief --json", gone="--quiet --output")],
        "`--overwrite`": [flags(CREATE, gone="--overwrite"), "tests/media/test_results.py"],
        "`--allow-private-network`": [flags(CREATE, "--allow-private-network", gone="--allow-insecure-http")],
        "`--continue-on-unknown`": [
            flags("create_batch.py", "--continue-on-unknown"), flags(CREATE, "--retry-unknown"),
        ],
        "`mode_used`, `task_id`, `status`, `model_id`, `resources`, `raw`": [
            "tests/services/test_services.py::test_a_result_has_the_names_that_its_own_clients_use"
        ],
        "`cli_available`, `cli_version`, `cli_source`, `recommended_mode` of `preflight.py`": [
            fields("cli_available cli_version cli_source recommended_mode")
        ],
        "`api_key_available`; `doctor_ok`, `doctor`; `notes`": [
            fields("key_found cli_doctor cli_checks missing setup cli_problem", gone="api_key_available doctor_ok notes")
        ],
        "`cli_missing`, `cli_path`, `cli_latest_version`, `cli_updated`, `cli_update_warning`": [
            fields(gone="cli_missing cli_path cli_latest_version cli_updated cli_update_warning")
        ],
        '`{"ok":false,"error":{"exitCode","message"}}`': [fields("exit_code error message guidance", gone="exitCode")],
        "results named `modellix-SLUG-TIME`": [flags(CREATE, "--output-name"), "tests/media/test_results.py"],
    },
    "moving-from-luxin.md": {
        "`LUXIN_CONFIG_PATH`, `IMAGE_SKILL_CONFIG_PATH`, `luxin/config.json`": [
            the_order_of_logins,
            "tests/services/test_luxin.py::test_the_login_is_looked_for_as_its_own_client_does",
        ],
        "api.image-skill.com": [luxin_is_where_it_is],
        "exit 1": [told("1", 22), category("unknown", 25)],
        "exit 2": [told("2", 22), category("bad_arguments", 2)],
        "exit 3, 4": [told("3", 21), told("4", 21)],
        "exit 5": [told("5", 20)],
        "exit 6": [told("6", 22)],
        "exit 7": [told("7", 24), outcome("PROVIDER_FAILURE", "unknown"), "tests/jobs/test_doubtful_creates.py"],
        "exit 8": [told("8", 24), lambda: 11 in codes.EXIT_CODES],
        "exit 9": [outcome("ARTIFACT_STORAGE_WRITE_FAILED", "unknown"), lambda: 26 in codes.EXIT_CODES],
        "`--json`": [flags(CREATE, "--json")],
        "**`--intent WORD`**": [flags(CREATE, "--intent --param"), "tests/sandbox/test_sandbox_image_skill.py"],
        "**`--provider fal`**": [flags(CREATE, "--provider --param")],
        "`--idempotency-key K`": [flags(CREATE, "--intent", gone="--idempotency-key")],
        "`--token-stdin`; `signup --show-token --no-save`": [
            flags("account.py", "--key-stdin --show-token --persist-key", gone="--token-stdin --no-save")
        ],
        "`--api-base-url U`, `IMAGE_SKILL_API_BASE_URL`": [
            flags(CREATE, "--base-url", gone="--api-base-url"), no_variable_is_an_address,
        ],
        "no `--aspect-ratio` sends `1:1` (create) or `auto` (edit)": [nothing_is_added],
        "`ok`, `trace_id`": [fields("ok trace_id")],
        "`data.assets[]`": [fields("outputs response")],
        "`data.cost`": [fields("usage")],
        "`effective_parameters`, deep in `data.request`": [
            fields("effective_parameters"),
            "tests/services/test_luxin.py::test_the_parameters_that_it_used_are_told",
        ],
        "`error.code`, `error.retryable`": [fields("message category retryable")],
        "`error.recovery.suggested_command`, `data.next_command`": ["tests/sandbox/test_sandbox_faults.py"],
        "`in_flight` on stderr, breadcrumbs in the config folder": [fields("job"), flags(JOBS, "--undelivered")],
    },
}  # fmt: skip


@pytest.mark.parametrize("page, before", differences(), ids=lambda value: value[:60])
def test_every_difference_that_a_page_tells_is_true(page, before):
    for proof in PROOFS[page][before]:
        if callable(proof):
            assert proof(), proof
            continue
        file, _, name = proof.partition("::")
        assert not name or f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), proof
        assert (ROOT / file).exists(), proof


def test_no_proof_is_of_a_line_that_is_gone():
    told_now = {(page, before) for page, before in differences()}
    assert {(page, before) for page, lines in PROOFS.items() for before in lines} == told_now
