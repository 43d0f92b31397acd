"""Nothing that could not work is paid for: what create_and_wait.py refuses, and what it lets pass."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from conftest import posts
from mediakit import contracts
from mediakit.base import errors
from mediakit.services import catalogue, checking, model_contract, payloads, providers

KLING = ("--model", "kling-ai/v3/video", "--prompt", "rain")  # complete and closed
PARTIAL = ("--model", "kling-ai/o3/video", "--prompt", "rain")
UNKNOWN = ("--model", "google/nano-banana", "--prompt", "a boat")  # no contract
URL = "https://example.com/a.png"


def create(scripts, sandbox, *arguments, **options):
    base = ("--provider", "sandbox", "--base-url", sandbox.url + "/api/v1")
    return scripts.run("create_and_wait.py", *base, *arguments, **options)


# arguments -> the path of the first problem, what it must name
REFUSED = [
    ((*KLING, "--param", "durration=5"), "durration", "duration"),
    ((*KLING, "--param", "duration=99"), "duration", "15"),
    ((*KLING, "--param", "duration=five"), "duration", "integer"),
    ((*KLING, "--param", "quality=ultra"), "quality", "standard"),
    ((*KLING, "--param", "xyz=1"), "xyz", "prompt"),
    (("--model", "kling-ai/v3/video", "--param", "n=1"), "prompt", "required"),
    (("--model", "minimax/hailuo-2.3", "--prompt", "x"), "first_frame_url", "required"),
    (("--model", "wan/wan-v2.7", "--prompt", "x" * 2001), "prompt", "2000"),
    (("--model", "qwen/qwen-image-2", "--prompt", "x", "--param", "seed=-1"), "seed", "0"),
    ((*PARTIAL, "--param", "durration=5"), "durration", "duration"),
    ((*UNKNOWN, "--param", "aspect_ration=1:1"), "aspect_ration", "aspect_ratio"),
    (("--sse-endpoint", "/generation/sse/kling-ai/v3/video", "--payload", '{"promt":"x"}'), "prompt", ""),
]


@pytest.mark.parametrize("arguments, path, named", REFUSED, ids=[" ".join(row[0])[:80] for row in REFUSED])
def test_a_request_against_the_contract_is_refused_and_nothing_is_sent(scripts, sandbox, arguments, path, named):
    run = create(scripts, sandbox, *arguments)
    assert (run.code, run.result["error"], run.result["outcome"]) == (22, "payload_invalid", "not_sent")
    problems = {problem["path"]: problem for problem in run.result["problems"]}
    assert path in problems and named in json.dumps(problems[path])
    told = re.search(r"inspect_openapi\.py (.*) shows", run.result["guidance"][1])[1]
    assert scripts.run("inspect_openapi.py", *shlex.split(told)).code == 0
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("arguments", [PARTIAL, UNKNOWN])
def test_what_a_contract_does_not_know_passes_with_one_warning(scripts, sandbox, arguments):
    run = create(scripts, sandbox, *arguments, "--param", "something_new=1")
    assert run.code == 0 and posts(sandbox) == 1
    assert [event["code"][:8] for event in run.events if event["event"] == "warning"] == ["contract"]
    assert run.names[0] == "start"


# The model that was written -> the one that was meant; None where it may well be a new one.
SLIPS = {
    "kling-ai/v3/vdeo": "kling-ai/v3/video",
    "Kling-AI/v3/video": "kling-ai/v3/video",
    "bytedance/seedream_4.5": "bytedance/seedream-4.5",
    "bytedance/seedream-4.6": None,
    "bytedance/seedream-4.5-edit": None,
    "kling-ai/v9/video": None,
    "nobody/nothing": None,
}


@pytest.mark.parametrize("model, meant", SLIPS.items())
def test_a_slip_in_a_models_name_is_refused_and_a_new_name_is_warned_of(scripts, sandbox, model, meant):
    run = create(scripts, sandbox, "--model", model, "--prompt", "rain")
    if meant is None:
        assert run.code == 0 and run.first("warning")["code"] == "model_not_listed"
        return
    assert (run.code, run.result["error"], run.result["outcome"]) == (23, "model_not_found", "not_sent")
    assert meant in run.result["message"] and "--no-validate" in str(run.result["guidance"])
    assert len(sandbox.requests) == 0
    assert create(scripts, sandbox, "--model", model, "--prompt", "rain", "--no-validate").code == 0


def test_a_plan_says_whether_a_contract_was_there_to_check_against(scripts, sandbox):
    for model, checked in (("kling-ai/v3/video", True), ("google/nano-banana", False), ("nobody/nothing", False)):
        run = create(scripts, sandbox, "--model", model, "--prompt", "rain", "--dry-run")
        assert run.code == 0 and run.result["validation"]["checked"] is checked


@pytest.mark.parametrize("service, task", [("skills-video", "i2i"), ("skills-video", "i2v"), ("modellix", "i2v")])
def test_a_task_that_begins_with_a_file_is_not_bought_without_one(scripts, sandbox, service, task):
    asked = ("--provider", "sandbox", "--as", service, "--task", task, "--prompt", "make it winter")
    run = scripts.run("create_and_wait.py", *asked)
    assert (run.code, run.result["error"], run.result["outcome"]) == (22, "payload_invalid", "not_sent")
    assert task in run.result["message"] and "--input" in run.result["message"]
    field = run.result["problems"][0]["allowed"][0]
    for given in (("--input", f"{field}={URL}"), ("--param", f"{field}={URL}"), ("--no-validate",)):
        if given[0] == "--param" and field.endswith("s"):
            given = ("--param", f'{field}=["{URL}"]')
        plan = scripts.run("create_and_wait.py", *asked, *given, "--dry-run")
        assert plan.code == 0, plan.result


@pytest.mark.parametrize(
    "given, stdin", [(("--prompt", ""), None), (("--prompt", " \n"), None), (("--prompt-file", "-"), "")]
)
def test_an_empty_prompt_is_not_bought(scripts, sandbox, given, stdin):
    run = create(scripts, sandbox, "--task", "t2i", *given, stdin=stdin)
    assert (run.code, run.result["field"], len(sandbox.requests)) == (2, given[0], 0)


def test_without_validation_the_fields_are_sent_as_they_are(scripts, sandbox):
    run = create(scripts, sandbox, *KLING, "--param", "duration=99", "--no-validate")
    assert (run.code, posts(sandbox)) == (22, 1)  # the service refuses it
    assert run.result["outcome"] == "rejected"


def test_a_template_that_was_never_filled_in_is_not_sent(scripts, sandbox):
    shown = scripts.run(
        "inspect_openapi.py", "--provider", "skills-video", "--model", "minimax/hailuo-2.3", "--include-template"
    ).result
    assert {entry["path"] for entry in shown["fill_in"]} >= {"prompt", "first_frame_url"}
    run = create(
        scripts, sandbox, "--model", "minimax/hailuo-2.3", "--payload", json.dumps(shown["request_template"]),
        "--prompt", "filled in",
    )  # fmt: skip
    assert (run.code, run.result["error"]) == (22, "payload_unfilled")
    assert [problem["path"] for problem in run.result["problems"]] == ["first_frame_url"]
    assert len(sandbox.requests) == 0


# model, --input -> the field that it ends up in
INPUTS = [
    ("runwayml/gen-4.5", f"image={URL}", {"first_frame_url": URL}),
    ("bytedance/seedream-4.5", f"image={URL}", {"image_urls": [URL]}),
    ("kling-ai/v3/video", f"last_frame_url={URL}", {"last_frame_url": URL}),
    ("xai/grok-imagine-video/extend-video", f"video={URL}", {"video_url": URL}),
]


@pytest.mark.parametrize("model, given, fields", INPUTS)
def test_an_input_finds_its_field_by_the_contracts_own_names(scripts, sandbox, model, given, fields):
    run = create(scripts, sandbox, "--model", model, "--prompt", "x", "--input", given)
    assert run.code == 0
    assert run.result["response"]["input"] == {"prompt": "x", **fields}


def test_several_inputs_of_a_list_are_kept_in_order(scripts, sandbox):
    run = create(
        scripts, sandbox, "--model", "bytedance/seedream-4.5", "--prompt", "x", "--input", "image=https://a.example/1",
        "--input", "image_urls=https://a.example/2",
    )  # fmt: skip
    assert run.result["response"]["input"]["image_urls"] == ["https://a.example/1", "https://a.example/2"]


# model, kind of file -> the one of several fields that is meant by it
MEANT = [
    ("kling-ai/v3/video", "image", "first_frame_url"),
    ("bytedance/seedance-1.5", "image", "first_frame_url"),
    ("bytedance/seedance-2.0", "image", "first_frame_url"),
    ("bytedance/seedance-2.0", "audio", "audio_url"),
    ("luma/ray-2", "image", "first_frame_url"),
    ("pixverse/v6/transition", "image", "first_frame_url"),
    ("lightricks/ltx-2.3", "image", "image_url"),
    ("kling-ai/kling-v2.6", "image", "image_url"),
    ("wan/wan-v2.7-video", "image", "image_url"),
    ("wan/wan-v2.7-video", "video", "video_url"),
    ("openai/gpt-image-2", "image", "image_urls"),
]


@pytest.mark.parametrize("model, kind, field", MEANT)
def test_of_several_fields_for_a_kind_the_one_that_opens_the_work_is_meant(model, kind, field):
    provider = providers.load("skills-video")
    content = payloads.Content(prompt="x", inputs=((kind, URL),))
    contract = model_contract.of(provider, model)
    built = payloads.build(content, provider, contract, model, provider.paths.route(model))
    assert built.payload in ({"prompt": "x", field: URL}, {"prompt": "x", field: [URL]})


# service, model, a body without a field that one source requires and another leaves out
DOUBTFUL = [
    ("skills-video", "wan/wan-v2.7-video", {"prompt": "a tin boat"}, "audio_url"),
    ("modellix", "bytedance/seedance-2.0-fast-v2v", {"video_urls": [URL]}, "prompt"),
    ("modellix", "bytedance/seedance-2.0-v2v", {"video_urls": [URL]}, "prompt"),
]


@pytest.mark.parametrize("service, model, body, field", DOUBTFUL)
def test_a_field_that_one_source_requires_and_another_leaves_out_is_a_warning(service, model, body, field):
    contract = model_contract.of(providers.load(service), model)
    checked = contract.check(body)
    assert checked.ok and field in [warning["path"] for warning in checked.warnings]
    assert not next(row for row in contract.fields() if row["name"] == field)["required"]
    assert field not in [warning["path"] for warning in contract.check({**body, field: URL}).warnings]


# model with an incomplete contract, field -> the field of its siblings that is meant; None where none is
SLIPS = [
    ("google/nano-banana-2-lite", "aspect_ratio", "aspectRatio"),
    ("google/nano-banana-2-lite-edit", "image_size", "imageSize"),
    ("bytedance/seedance-2.0-mini-t2v", "resolutoin", "resolution"),
    ("bytedance/seedance-2.0-mini-t2v", "resolution", None),
    ("bytedance/seedance-2.0-mini-t2v", "brightness", None),
]


@pytest.mark.parametrize("model, field, meant", SLIPS)
def test_an_incomplete_contract_knows_the_slips_in_the_names_that_its_siblings_have(model, field, meant):
    provider = providers.load("modellix")
    contract, route = model_contract.of(provider, model), provider.paths.route(model)
    body = {"prompt": "x", "image": [URL], field: "1"} if "edit" in model else {"prompt": "x", field: "1"}
    if meant is None:
        assert checking.check(provider, model, contract, body, route)[0][0] == "contract_incomplete"
        return
    with pytest.raises(errors.Failure) as raised:
        checking.check(provider, model, contract, body, route)
    assert [problem["nearest"] for problem in raised.value.fields["problems"]] == [meant]


def test_a_model_that_is_off_sale_is_told_and_the_default_models_are_on_sale(monkeypatch):
    provider = providers.load("modellix")
    off = next(entry for entry in catalogue.models("modellix") if "off_sale" in entry)
    assert checking.check_model(provider, off["model"])[0][0] == "model_off_sale"
    for model in provider.defaults.values():
        assert checking.check_model(provider, model) == []
    # What the service's own list says today comes first.
    listed = {"model": off["model"], "tasks": [], "runs": True}
    monkeypatch.setitem(catalogue._now, ("modellix", "models"), {"seen": "", "source": "", "models": [listed]})
    assert checking.check_model(provider, off["model"]) == []


MISFITS = [
    ("kling-ai/v3/video", f"video={URL}", ("image_url",)),
    ("runwayml/gen-4.5", "image=boat.png", ("no such file",)),
    ("runwayml/gen-4.5", "image", ("NAME=VALUE",)),
]


@pytest.mark.parametrize("model, given, named", MISFITS)
def test_an_input_that_fits_no_field_or_leads_nowhere_says_what_would(scripts, sandbox, model, given, named):
    run = create(scripts, sandbox, "--model", model, "--prompt", "x", "--input", given)
    assert (run.code, run.result["field"]) == (2, "--input")
    assert all(word in run.result["message"] for word in named)
    assert len(sandbox.requests) == 0


# -- every model whose contract is complete ------------------------------------------------------------

TASKS_OF_MODELS = [
    (entry["model"], task, entry["media"])
    for entry in catalogue.models("skills-video")
    if entry["contract"] == "complete"
    for task in entry["tasks"]
]
# Every third goes the whole way, and the default models; all of them are checked.
RUNS = [
    one
    for number, one in enumerate(TASKS_OF_MODELS)
    if number % 3 == 0 or catalogue.defaults("skills-video").get(one[1]) == one[0]
]


def filled(value, path=""):
    """A template with its placeholders filled in."""
    if isinstance(value, dict):
        return {key: filled(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, path) for inner in value]
    if not contracts.is_placeholder(value):
        return value
    return f"a tin boat fault:job-fast ({path})" if "prompt" in path else URL


def body_for(model: str, task: str) -> dict:
    contract = model_contract.of(providers.load("skills-video"), model)
    body = filled(contract.template()[0])
    kind = {"i": "image", "v": "video"}.get(task[0])
    if kind and not any(URL in str(value) for value in body.values()):
        row = next(row for row in contract.fields() if row.get("takes_file") == kind)
        body[row["name"]] = [URL] if row["type"].startswith("array") else URL
    return body


@pytest.mark.parametrize("model, task, media", TASKS_OF_MODELS)
def test_a_filled_template_of_every_task_of_every_model_fits_its_contract(model, task, media):
    contract = model_contract.of(providers.load("skills-video"), model)
    assert contract.check(body_for(model, task)).problems == []


@pytest.mark.parametrize("model, task, media", RUNS, ids=[f"{task}-{model}" for model, task, _ in RUNS])
def test_every_task_of_every_model_with_a_complete_contract_runs(scripts, sandbox, model, task, media):
    body = json.dumps(body_for(model, task))
    files = ("--payload-file", "-", "--output-dir", "out", "--verbose")
    run = create(scripts, sandbox, "--model", model, *files, stdin=body)
    assert run.code == 0, run.events
    assert run.first("asset")["media_type"].startswith(media)
    assert run.result["response"]["input"] == json.loads(body)


def test_every_task_has_a_model_that_runs():
    assert {task for _, task, _ in TASKS_OF_MODELS} == set(catalogue.defaults("skills-video"))
