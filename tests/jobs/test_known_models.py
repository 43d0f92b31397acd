"""What is known of a model when it is asked for something: its tasks, its fields, or only its name."""

from __future__ import annotations

import pytest

from mediakit.base import errors
from mediakit.jobs import request
from mediakit.jobs.connection import ConnectionFlags
from mediakit.jobs.lifecycle.policy import WaitPolicy
from mediakit.services import catalogue, file_fields, model_contract, providers
from mediakit.services.payloads import Content

PICTURE = "https://media.example/a.png"
# (service, model, what it does not do) of the first model of each service that does anything
UNKNOWN = [
    (service, entry, next(task for task in providers.TASKS if task not in entry["tasks"]))
    for service in catalogue.services()
    for entry in [next(entry for entry in catalogue.models(service) if entry["tasks"])]
]
BARE = [
    (service, entry["model"])
    for service in catalogue.services()
    for entry in catalogue.models(service)
    if entry["contract"] == "none" and entry["tasks"] and not providers.load(service).model_field
]


def check(service: str, content: Content, **what):
    return request.check(
        request.CreateRequest(content, **what), ConnectionFlags(service, trust_base_url=True), WaitPolicy()
    )


def refused(service: str, content: Content, **what) -> errors.Failure:
    with pytest.raises(errors.Failure) as caught:
        check(service, content, **what)
    return caught.value


@pytest.mark.parametrize(("service", "entry", "task"), UNKNOWN, ids=lambda value: str(value)[:20])
def test_a_task_that_a_model_is_not_known_to_do_is_refused_with_what_it_does(service, entry, task):
    provider = providers.load(service)
    ways = [{"model": entry["model"]}]
    route = provider.paths.route(entry["model"], entry["tasks"][0])
    if "{model}" in route.path:
        ways.append({"endpoint": provider.paths.of_route(route, entry["model"], provider.streams)})
    for way in ways:
        failure = refused(service, Content(prompt="a"), task=task, **way)
        assert (failure.exit_code, failure.fields["field"]) == (2, "--task")
        assert all(does in failure.message for does in entry["tasks"])
        content = Content(prompt="a", validates=False)
        assert check(service, content, task=task, **way).model == entry["model"], "as it is asked for"


def test_an_endpoint_goes_with_a_task_that_its_model_does():
    asked = check("skills-video", Content(prompt="a"), endpoint="/generation/sse/z-image/z-image", task="t2i")
    assert (asked.model, asked.task) == ("z-image/z-image", "t2i")


@pytest.mark.parametrize(("service", "model"), [BARE[0], BARE[-1]])
def test_a_model_that_is_only_listed_is_told_as_that(service, model):
    task = catalogue.entry(service, model)["tasks"][0]
    asked = check(service, Content(prompt="a"), model=model, task=task)
    assert [code for code, _ in asked.warnings] == ["contract_missing"]


@pytest.mark.parametrize("kind", file_fields.KINDS)
@pytest.mark.parametrize(("service", "model"), [*{service: (service, model) for service, model in BARE}.values()])
@pytest.mark.parametrize("listed", [True, False])
def test_a_kind_of_file_never_becomes_a_field_of_a_model_without_a_contract(service, model, kind, listed):
    model = model if listed else "nobody/made-this-9"
    failure = refused(service, Content(prompt="a", inputs=((kind, PICTURE),)), model=model)
    assert (failure.exit_code, failure.fields["field"]) == (2, "--input")


def test_what_only_answers_hold_is_no_field_of_a_request():
    """A slip of the pen is told by the names of fields; what looks like one of an answer's is none."""
    for service in catalogue.services():
        names = model_contract.names_of_fields(providers.load(service))
        assert not {"status", "message", "code"} & set(names), service
    model = next(model for service, model in BARE if service == "skills-video")
    asked = check("skills-video", Content(prompt="a", parameters={"permanent": True}), model=model)
    assert ("contract_missing", f"no contract of {model} is known; sent unchecked: permanent") in asked.warnings


def test_a_default_of_false_is_told():
    rows = model_contract.of_model("modellix", "alibaba/wan2.6-i2v-flash").fields()
    assert next(row for row in rows if row["name"] == "audio")["default"] is False


def test_a_model_that_makes_only_a_film_unless_asked_is_asked_for_its_model():
    model = catalogue.defaults("replicate")["i2m"]
    sent = providers.load("replicate").paths.route(model, "i2m").defaults
    body = {"version": model.partition(":")[2], "input": {"images": [PICTURE], **sent}}
    assert sent == {"generate_model": True}
    assert not model_contract.of_model("replicate", model, "i2m").check(body).problems


@pytest.mark.parametrize("service", providers.names())
def test_no_service_makes_a_field_of_a_kind_for_a_model_that_it_does_not_list(service):
    """Where the service itself, and not the model, says where files go, it is known for new models too."""
    for task in providers.TASKS:
        for kind in file_fields.KINDS:
            content = Content(prompt="a", inputs=((kind, PICTURE),))
            try:
                asked = check(service, content, model="nobody/made-this-9", task=task)
            except errors.Failure as failure:
                assert failure.exit_code in (2, 22)
                continue
            assert not {kind, f"{kind}_url", f"{kind}_urls"} & {*asked.fields, *asked.payload}, (task, asked.payload)


# task -> the kind of file that it begins with
BEGINS_WITH = {
    **dict.fromkeys(("i2i", "i2v", "i2m"), "image"),
    "v2v": "video",
    **dict.fromkeys(("stt", "sts"), "audio"),
}
ADDRESSES = {kind: f"https://media.example/a.{ending}" for kind, ending in
             (("image", "png"), ("video", "mp4"), ("audio", "wav"))}  # fmt: skip
FED = [
    (service, entry["model"], task, kind)
    for service in catalogue.services()
    for entry in catalogue.models(service)
    for task, kind in BEGINS_WITH.items()
    if task in entry["tasks"] and entry["contract"] != "none"
    and any(row.get("takes_file") == kind for row in model_contract.of_model(service, entry["model"], task).fields())
]  # fmt: skip


@pytest.mark.parametrize("service", catalogue.services())
def test_a_file_of_its_kind_finds_its_field_at_every_model_that_names_one(service):
    """Whatever else is missing; prompts are left out where a model takes none."""
    wrong = []
    for _, model, task, kind in [row for row in FED if row[0] == service]:
        for prompt in ("a tin boat", None):
            try:
                asked = check(
                    service, Content(prompt=prompt, inputs=((kind, ADDRESSES[kind]),)), model=model, task=task
                )
                is_there = ADDRESSES[kind] in str(asked.payload) or asked.attachments
                wrong += [] if is_there else [(model, task, "lost")]
            except errors.Failure as failure:
                problem = failure.fields.get("problems", [{"message": failure.message}])[0]["message"]
                if failure.fields.get("field") == "--input" or "expected" in problem:
                    wrong.append((model, task, failure.message))
    assert wrong == []


# What is made from words alone.
FROM_WORDS = ("t2i", "t2v", "tts", "t2a")


@pytest.mark.parametrize("service", catalogue.services())
def test_words_find_their_field_at_every_model_that_is_made_from_words(service):
    """Whatever it is called there; what else a model needs is told as missing."""
    wrong = []
    for entry in catalogue.models(service):
        for task in FROM_WORDS:
            if task not in entry["tasks"] or entry["contract"] == "none":
                continue
            try:
                asked = check(service, Content(prompt="a tin boat"), model=entry["model"], task=task)
                wrong += [] if "a tin boat" in str(asked.payload) else [(entry["model"], task, "lost")]
            except errors.Failure as failure:
                problems = failure.fields.get("problems", [{"message": failure.message}])
                missing = ("prompt", "text", "text_prompt", "gen_text")
                others = [
                    one
                    for one in problems
                    if one["message"] != "is required" or one["path"].rpartition(".")[2] in missing
                ]
                wrong += [(entry["model"], task, one) for one in others]
    assert wrong == []


def test_words_that_are_missing_are_what_is_told():
    """Where the place of the prompt is fixed, a file would stand in it otherwise."""
    failure = refused("gemini", Content(inputs=(("image", PICTURE),)), model="gemini-omni-1.2-flash", task="i2v")
    assert failure.fields["field"] == "--prompt"


def test_a_kind_that_several_fields_take_lists_them():
    rows = [{"name": name, "takes_file": "image", "required": False} for name in ("one_image", "other_image")]
    with pytest.raises(errors.Failure, match="several fields take image: one_image, other_image"):
        file_fields.only_field_of_kind("image", rows)


JOB = "job:job_0123456789abcdef"


@pytest.mark.parametrize(
    ("flag", "content"),
    [
        ("--param", Content(prompt="x", parameters={"image_url": JOB})),
        ("--param", Content(prompt="x", parameters={"images": ["https://media.example/a.png", {"url": JOB}]})),
        ("--payload", Content(payload={"prompt": "x", "image_url": JOB})),
    ],
)
def test_the_output_of_a_job_among_the_fields_is_refused_as_mere_words(flag, content):
    failure = refused("skills-video", content, task="i2v")
    assert failure.fields["field"] == flag and "--input image" in failure.message and f"={JOB}" in failure.message
