"""One set of verbs: the same commands with the contract of each service, and what is particular to one."""

from __future__ import annotations

import json
import os
import re
import sqlite3

import pytest

from conftest import KEY, SCRIPTS, at_sandbox, posts, validator
from fake_service import PNG, FakeService, answer, job
from mediakit.base import amounts
from mediakit.base.pointer import tokens
from mediakit.ledger import database, schema, store
from mediakit.sandbox import media
from mediakit.services import catalogue, model_contract, providers

SERVICES = providers.spoken_by("sandbox")
IMAGE_SKILL = pytest.mark.parametrize("sandbox", ["image-skill"], indirect=True)
MODELLIX = pytest.mark.parametrize("sandbox", ["modellix"], indirect=True)

# task -> the file that a command adds to it
FILES = {
    "i2i": "image", "i2v": "image", "v2v": "video", "stt": "audio", "sts": "audio", "i2m": "image", "upscale": "image",
    "rmbg": "image",
}  # fmt: skip
RUNS = [(service, task) for service in SERVICES for task in catalogue.defaults(service)]


def asked_for(folder, service: str, task: str) -> list[str]:
    """What a command adds to a task: the words and the file that the default model takes."""
    own, model = providers.load(service), catalogue.defaults(service)[task]
    route, contract = own.paths.route(model, task), model_contract.of_model(service, model, task)
    known = {row["name"]: row for row in contract.fields()} if contract else {}
    # Only what is wrong with a prompt that is there: other fields are wrong for being missing still.
    problems = contract.check({own.model_field or "": model, "prompt": "a"}).problems if contract else []
    takes_no_prompt = any(one["path"] == "prompt" for one in problems)
    prompts = [tokens(at) for at in route.prompt if not (at == "/prompt" and takes_no_prompt)]
    arguments = []
    if task != "stt" and any(len(at) > 1 or not known or at[0] in known for at in prompts):
        arguments += ["--prompt", "a tin boat"]
    if known.get("voice", {}).get("required") and "voice" not in route.defaults:
        arguments += ["--param", "voice=anna"]
    if task in FILES:
        made = catalogue.entry(service, model).get("media", "image") if task in ("upscale", "rmbg") else FILES[task]
        path = folder / f"boat.{media.TYPES[made][1]}"
        path.write_bytes(media.render(made, {}, 1))
        arguments += ["--input", f"{made}={path}"]
    return arguments


def create(scripts, sandbox, *arguments, **options):
    return scripts.run("create_and_wait.py", *at_sandbox(sandbox), *arguments, **options)


@pytest.mark.parametrize("sandbox, task", RUNS, indirect=["sandbox"])
def test_every_task_of_every_service_runs_by_the_same_command(scripts, sandbox, task):
    arguments = asked_for(scripts.folder, sandbox.service, task)
    run = create(scripts, sandbox, "--task", task, *arguments, "--output-dir", "out")
    assert run.code == 0, run.events
    assert run.result["provider"] == "sandbox" and run.result["outputs"]
    made = catalogue.entry(sandbox.service, catalogue.defaults(sandbox.service)[task])["media"]
    wanted = {"3d": "model/gltf-binary", "text": "text/plain"}.get(made, made)
    assert run.first("asset")["media_type"].startswith(wanted), run.events
    assert len(sandbox.store.newest(10)) == 1
    if "generation_id" in run.result:
        waited = scripts.run("wait_generation.py", "--generation-id", run.result["generation_id"], *at_sandbox(sandbox))
        assert waited.code == 0 and waited.result["outputs"] == run.result["outputs"]


@pytest.mark.parametrize("service", SERVICES)
def test_an_embedded_job_is_resumed_by_its_next_command_alone(scripts, service):
    flags = ["--provider", "sandbox", "--as", service, "--task", "t2i", "--prompt", "a tin boat"]
    first = scripts.run("create_and_wait.py", *flags, "--no-wait")
    assert first.code == 0, first.events
    if "generation_id" not in first.result:  # answered with the result itself, which lies there
        own = providers.load(service)
        assert first.result["event"] == "terminal" and own.paths.route(own.defaults["t2i"], "t2i").answers != "job"
        assert os.path.exists(first.result["kept"])
        saved = scripts.run("jobs.py", *first.result["next_argv"][2:])
        assert (saved.code, len(saved.result["assets"]), os.path.exists(first.result["kept"])) == (0, 1, False)
        return
    if first.result["event"] == "terminal":
        return
    again = scripts.run("jobs.py", *first.result["next_argv"][2:])
    assert (again.code, again.result["generation_id"]) == (0, first.result["generation_id"])


def test_nothing_in_the_code_asks_which_service_it_is():
    code = {path: path.read_text(encoding="utf-8") for path in SCRIPTS.rglob("*.py") if "dialects" not in path.parts}
    names = "|".join(name for name in providers.names())
    asks = re.compile(rf"""(==|!=|\bin\b)\s*\(?\s*["']({names})["']|["']({names})["']\s*(==|!=)""")
    assert [str(path) for path, text in code.items() if asks.search(text)] == []


def test_a_contract_can_be_chosen_for_the_sandbox_alone(scripts):
    run = scripts.run(
        "create_and_wait.py", "--provider", "modellix", "--as", "modellix", "--task", "t2i", "--prompt", "a",
        env={"MODELLIX_API_KEY": KEY},
    )  # fmt: skip
    assert run.code == 2 and run.result["field"] == "--as"


def test_another_contract_is_another_purchase(scripts):
    keys = set()
    for service in SERVICES:
        flags = ["--provider", "sandbox", "--as", service, "--task", "t2i", "--prompt", "a tin boat"]
        keys.add(scripts.run("create_and_wait.py", *flags).job)
    assert len(keys) == len(SERVICES)


# -- Modellix ------------------------------------------------------------------------------------------


@MODELLIX
def test_a_result_has_the_names_that_its_own_clients_use(scripts, sandbox):
    result = create(scripts, sandbox, "--task", "t2i", "--prompt", "a tin boat").result
    assert (result["task_id"], result["model_id"]) == (result["generation_id"], result["model"])
    assert (result["resources"], result["raw"]) == (result["outputs"], result["response"])
    assert result["mode_used"] == "rest"
    assert {"mode_used", "task_id", "status", "model_id", "resources", "raw"} <= set(
        validator("result").schema["properties"]
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", result["outputs"][0]["expires_at"])


@MODELLIX
def test_its_own_spellings_of_the_flags_mean_the_same(scripts, sandbox):
    where = at_sandbox(sandbox)
    slug = ["--model-slug", "google/nano-banana-2"]
    assert scripts.run("create_and_wait.py", *where, *slug, "--body", '{"prompt":"a"}').code == 0
    run = scripts.run("create_and_wait.py", *where, *slug, "--body-file", "-", stdin='{"prompt":"b"}')
    assert run.code == 0 and json.loads(sandbox.exchanges[-2].body or b"{}") is not None
    both = scripts.run("create_and_wait.py", *where, *slug, "--model", "a/b", "--prompt", "a")
    assert both.code == 2 and both.result["field"] == "--model-slug"


def test_a_slug_alone_means_modellix(scripts):
    run = scripts.run("create_and_wait.py", "--model-slug", "google/nano-banana-2", "--prompt", "a", "--dry-run")
    assert (run.result["provider"], run.result["request"]["url"]) == (
        "modellix", "https://api.modellix.ai/api/v1/google/nano-banana-2",
    )  # fmt: skip


@pytest.mark.parametrize("form", providers.load("modellix").routes[0].other_paths)
def test_another_form_of_the_path_means_the_same_model(form):
    service = providers.load("modellix")
    path = form.replace("{any}", "text-to-image").replace("{model}", "google/nano-banana-2")
    path = path.replace("{owner}/{name}", "google/nano-banana-2")
    assert service.paths.model_of(path) == "google/nano-banana-2"
    from mediakit.sandbox import Sandbox

    with Sandbox(None, "modellix") as server:
        import requests

        created = requests.post(f"{server.url}{service.base_path}{path}", json={"prompt": "a"}, timeout=30)
        assert service.answers.reading(created.json(), True).id


# an answer's resources -> the outputs
RESOURCES = [
    ({"result": {"resources": [{"url": "https://a/1.png", "type": "image", "format": "png"}]}}, "image/png"),
    ({"result": {"resources": ["https://a/1.png"]}}, None),
    ({"resources": [{"url": "https://a/1.png"}]}, None),
    ({"results": [{"image_url": "https://a/1.png"}]}, None),
    ({"result": {"resources": [{"url": "https://a/1.png", "format": "wav", "type": "audio"}]}}, "audio/wav"),
]


@pytest.mark.parametrize("data, media_type", RESOURCES)
def test_every_documented_shape_of_a_result_is_read(data, media_type):
    found = providers.load("modellix").answers.outputs({"code": 0, "data": data})
    assert [output["url"] for output in found] == ["https://a/1.png"]
    assert found[0].get("media_type") == media_type


# -- Image Skill ---------------------------------------------------------------------------------------


def sent(sandbox, plans: bool = False, path: str = "/v1/create") -> list[dict]:
    """The bodies of the creates that reached it, or of the plans that it was asked for."""
    bodies = [json.loads(seen.body) for seen in sandbox.exchanges.copy() if (seen.method, seen.path) == ("POST", path)]
    return [body for body in bodies if body.get("dry_run", False) == plans]


@IMAGE_SKILL
def test_every_create_carries_a_key_of_its_own(scripts, sandbox):
    create(scripts, sandbox, "--task", "t2i", "--prompt", "a", "--copies", "2")
    create(scripts, sandbox, "--task", "t2i", "--prompt", "a")
    keys = [body["idempotency_key"] for body in sent(sandbox)]
    assert len(set(keys)) == 3 and all(re.fullmatch(r"ai-media-[0-9a-f]{24}", key) for key in keys)


@IMAGE_SKILL
def test_a_doubtful_create_is_sent_again_with_the_same_key_and_body(scripts, sandbox):
    run = create(scripts, sandbox, "--task", "t2i", "--prompt", "a fault:create-lost", "--max-spend", "1usd")
    assert run.code == 0 and "retry" in run.names
    first, second = sent(sandbox)
    assert first == second and len([job for job in sandbox.store.newest(10) if "dry_run" not in job.input]) == 1


@IMAGE_SKILL
def test_a_create_that_was_killed_is_settled_by_its_key(scripts, sandbox):
    arguments = ["--task", "t2i", "--prompt", "a fault:create-hang"]
    process = scripts.start("create_and_wait.py", *at_sandbox(sandbox), *arguments)
    while not posts(sandbox):
        pass
    process.kill()
    process.wait()
    again = create(scripts, sandbox, *arguments)
    assert again.code == 0, again.events
    assert len({body["idempotency_key"] for body in sent(sandbox)}) == 1 and len(sandbox.store.newest(10)) == 1


@IMAGE_SKILL
def test_a_key_is_not_used_after_its_time(scripts, sandbox):
    arguments = ["--task", "t2i", "--prompt", "a fault:create-hang", "--sse-request-timeout", "1", "--deadline", "2"]
    assert create(scripts, sandbox, *arguments).code in (0, 12)
    arguments = ["--task", "t2i", "--prompt", "b fault:create-storage-failed"]
    unknown = create(scripts, sandbox, *arguments)
    assert unknown.code == 12
    before = posts(sandbox)
    again = create(scripts, sandbox, *arguments)
    assert (again.code, posts(sandbox)) == (27, before), "the service's code forbids to repeat it"
    with sqlite3.connect(scripts.folder / "state/ledger.sqlite3") as database:
        database.execute("UPDATE job SET created_at = created_at - 601, sent_with = '{}'")
    late = create(scripts, sandbox, *arguments)
    assert (late.code, posts(sandbox)) == (27, before)
    assert any("idempotency key" in line for line in late.result["guidance"])


@IMAGE_SKILL
def test_a_refused_repetition_leaves_the_outcome_unknown(scripts, sandbox):
    """The first create was lost; that the second is refused does not prove that nothing was bought."""
    envelope = {"ok": False, "error": {"code": "AUTH_REQUIRED", "message": "no", "retryable": False}}
    from keyed_service import PASSING

    with FakeService(create=[PASSING, answer(401, envelope)]) as service:
        where = ["--provider", "image-skill", "--base-url", f"{service.origin}/v1"]
        run = scripts.run(
            "create_and_wait.py", *where, "--task", "t2i", "--prompt", "a", env={"IMAGE_SKILL_TOKEN": KEY}
        )
        assert (run.code, run.result["outcome"], service.posts()) == (12, "unknown", 2), run.events


@IMAGE_SKILL
def test_parameters_of_the_model_go_where_they_belong(scripts, sandbox):
    model = ["--model", "xai.grok-imagine-image-quality", "--prompt", "a"]
    create(scripts, sandbox, *model, "--param", "resolution=2k", "--param", "aspect_ratio=16:9")
    body = sent(sandbox)[0]
    assert body["model_parameters"] == {"resolution": "2k"} and body["aspect_ratio"] == "16:9"
    wrong = create(scripts, sandbox, *model, "--param", "resolution=9k")
    assert wrong.code == 22 and wrong.result["problems"][0]["path"] == "model_parameters.resolution"
    assert posts(sandbox) == 1


@IMAGE_SKILL
def test_a_payload_may_name_the_model_and_no_other_flag_another(scripts, sandbox):
    payload = '{"prompt": "a", "model": "fal.flux-dev"}'
    run = create(scripts, sandbox, "--payload", payload)
    assert run.code == 0 and run.result["model"] == "fal.flux-dev"
    both = create(scripts, sandbox, "--payload", payload, "--model", "xai.grok-imagine-image")
    assert both.code == 2 and both.result["field"] == "--model"


@IMAGE_SKILL
def test_a_dry_run_tells_the_plan_of_the_service_and_buys_nothing(scripts, sandbox):
    run = create(scripts, sandbox, "--task", "t2i", "--prompt", "a", "--max-spend", "10credits", "--dry-run")
    result = run.result
    assert (run.code, result["event"], result["effect"]) == (0, "plan", "no_spend")
    assert result["price"] == {"amount": 0.04, "unit": "usd", "source": "service"} and result["trace_id"]
    assert len(sent(sandbox, plans=True)) == posts(sandbox) == 1 and "dry_run" not in result["request"]["body"]
    assert result["service_plan"]["data"]["assets"] == [] or not result["service_plan"]["data"]["assets"][0].get("url")


def picture(folder) -> str:
    path = folder / "boat.png"
    path.write_bytes(PNG)
    return str(path)


# flags, environment -> what becomes of it, and the price that stands in the ledger then
CAPS_WITH_FILES = [
    (["--max-spend", "1credits"], {}, (27, "spend_cap")),
    ([], {"AI_MEDIA_MAX_SPEND": "0.01usd/day"}, (27, "spend_cap")),
    (["--max-spend", "1usd"], {"AI_MEDIA_MAX_SPEND": "0.01usd"}, (27, "spend_cap")),
    (["--max-spend", "1usd"], {"AI_MEDIA_MAX_SPEND": "10usd"}, (0, None)),
]


@pytest.mark.parametrize("flags, env, end", CAPS_WITH_FILES)
@IMAGE_SKILL
def test_a_service_that_plans_is_asked_with_the_files_it_was_brought(scripts, sandbox, flags, env, end):
    model = catalogue.defaults("image-skill")["i2i"]
    arguments = ["--task", "i2i", "--model", model, "--prompt", "a", "--input", f"image={picture(scripts.folder)}"]
    run = create(scripts, sandbox, *arguments, *flags, env=env)
    assert (run.code, run.result.get("error")) == end, run.events
    asked, bought = (sent(sandbox, plans, "/v1/edit") for plans in (True, False))
    assert len(asked) == 1 and asked[0]["input_asset_id"].startswith("image_"), asked
    assert len(bought) == (run.code == 0)
    listed = scripts.run("jobs.py", "list").first("job")
    assert listed["outcome"] == ("accepted" if bought else "not_sent"), listed
    if not bought:
        assert run.result["outcome"] == "not_sent"
        # Nothing stays reserved for it.
        assert create(scripts, sandbox, *arguments, "--max-spend", "1usd").code == 0


@pytest.mark.parametrize("accepts", [True, False])
@IMAGE_SKILL
def test_a_plan_with_files_that_tells_no_price_leaves_the_cost_unknown(scripts, sandbox, accepts):
    arguments = ["--task", "i2i", "--model", "fal.ideogram-v2-edit", "--prompt", "fault:create-503"]
    arguments += ["--input", f"image={picture(scripts.folder)}", "--max-spend", "1usd"]
    run = create(scripts, sandbox, *arguments, *(["--accept-unknown-cost"] if accepts else []))
    assert ((run.code, run.result.get("error")) == (27, "unknown_cost")) is not accepts, run.events
    assert bool(sent(sandbox, path="/v1/edit")) is accepts


def test_a_dry_run_without_a_key_asks_nobody(scripts):
    run = scripts.run("create_and_wait.py", "--provider", "image-skill", "--task", "t2i", "--prompt", "a", "--dry-run")
    assert run.code == 0 and "service_plan" not in run.result
    # 0.02 USD of the service's own, its margin taken from what it charges, in whole cents.
    assert run.result["price"] == {"amount": 0.04, "unit": "usd", "source": "catalogue"}


@pytest.mark.parametrize("flags, field", [(["--max-spend", "50credits"], 0.25), (["--max-spend", "3usd"], 1.5)])
@IMAGE_SKILL
def test_the_guard_of_the_service_is_the_cap_for_each_output(scripts, sandbox, flags, field):
    assert create(scripts, sandbox, "--task", "t2i", "--prompt", "a", "--param", "output_count=2", *flags).code == 0
    assert all(body["max_estimated_usd_per_image"] == field for body in sent(sandbox))


@IMAGE_SKILL
def test_a_price_that_only_the_service_knows_is_asked_for_before_a_cap_is_checked(scripts, sandbox):
    model = ["--model", "fal.flux-dev", "--prompt", "a"]
    refused = create(scripts, sandbox, *model, "--max-spend", "0.01usd")
    assert refused.code == 27 and refused.result["error"] == "spend_cap"
    assert sent(sandbox) == [] and sent(sandbox, plans=True)
    assert create(scripts, sandbox, *model, "--max-spend", "1usd").code == 0


@IMAGE_SKILL
def test_what_it_advises_is_not_repeated_but_for_one_flag(scripts, sandbox):
    run = create(scripts, sandbox, "--task", "t2i", "--prompt", "a fault:create-hostile-recovery")
    told = json.dumps({key: value for key, value in run.result.items() if key != "message"})
    assert run.code == 22 and "rm " not in told and "curl" not in told and "http://" not in told, told
    confirm = create(scripts, sandbox, "--task", "t2i", "--prompt", "a fault:create-budget")
    assert confirm.result["guidance"][0].startswith("Add --accept-unknown-cost")
    assert confirm.result["trace_id"].startswith("trace_")
    accepted = create(scripts, sandbox, "--task", "t2i", "--prompt", "a fault:create-budget", "--accept-unknown-cost")
    assert accepted.code == 0


# its client's exit code, HTTP status -> our exit code
EXITS = [
    ("2", 400, 22),
    ("3", 401, 21),
    ("4", 403, 21),
    ("5", 429, 20),
    ("6", 422, 22),
    (None, 402, 20),
    (None, 429, 20),
]


@pytest.mark.parametrize("theirs, status, ours", EXITS)
def test_the_exit_code_of_its_own_client_is_mapped_to_ours(scripts, theirs, status, ours):
    headers = {"x-image-skill-exit-code": theirs} if theirs else {}
    body = {"ok": False, "trace_id": "trace_1", "error": {"code": "SOMETHING", "message": "no"}}
    with FakeService(create=answer(status, body, headers)) as service:
        where = ["--provider", "image-skill", "--base-url", f"{service.origin}/v1"]
        run = scripts.run(
            "create_and_wait.py", *where, "--task", "t2i", "--prompt", "a", env={"IMAGE_SKILL_TOKEN": KEY}
        )
        assert (run.code, run.result["trace_id"], service.posts()) == (ours, "trace_1", 1), run.events


def test_a_cap_in_credits_counts_in_the_unit_of_the_service():
    cap = amounts.parse_amount("--max-spend", "34credits")
    service = providers.load("image-skill")
    assert amounts.in_unit(cap, service.unit, service.units) == amounts.Amount(340_000, "usd")
    assert amounts.in_unit(cap, None, {}) == cap


# -- the ledger of an earlier version ------------------------------------------------------------------


def test_a_ledger_of_the_first_version_is_carried_over(tmp_path):
    path = tmp_path / database.FILE
    with sqlite3.connect(path) as connection:
        connection.executescript(f"PRAGMA journal_mode=WAL; {schema.MIGRATIONS[0]} PRAGMA user_version=1;")
        connection.execute(
            "INSERT INTO job (key, purchase, fingerprint, request, service, origin, practice, account, copy, command, "
            "created_at, updated_at, outcome, generation_id) VALUES "
            f"('job_0123456789abcdef', 'job_0123456789abcdef', '{0:064}', '{0:064}', 'skills-video', 'o', 0, '', 1, 'c', 1, 1, 'accepted', 'gen_1')"
        )
    entry = store.Ledger(str(tmp_path)).find("job_0123456789abcdef")
    assert (entry.generation_id, entry.sent_with, entry.speaks) == ("gen_1", None, None)


def test_a_job_of_skills_video_reads_as_before():
    assert providers.load("skills-video").answers.reading(job("IN_PROGRESS")).state == "running"


@pytest.mark.parametrize("service", SERVICES)
def test_the_address_that_a_served_sandbox_tells_is_the_base_url_of_its_service(scripts, service):
    process = scripts.start("sandbox.py", "--as", service)
    url = json.loads(process.stdout.readline())["url"]
    key = providers.load(service).key["variable"]
    run = scripts.run(
        "create_and_wait.py", "--provider", service, "--base-url", url, "--task", "t2i", "--prompt", "a", env={key: KEY}
    )
    assert (run.code, run.result["provider"]) == (0, service), run.events
