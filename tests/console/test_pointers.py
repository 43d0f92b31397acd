"""What a person or an agent types wrong is met with the place, or with the flag that was meant."""

from __future__ import annotations

import re

import pytest

MADE = ("create_and_wait.py", "--provider", "sandbox", "--task")
IN_CREDITS = ("account.py", "sandbox", "--as", "image-skill", "quote")

# Each names a file that is not there.
WITHOUT_FILE = [
    (*MADE, "i2i", "--prompt", "x", "--input", "image=none.png"),
    (*MADE, "t2i", "--payload-file", "none.json"),
    (*MADE, "t2i", "--prompt-file", "none.txt"),
    ("create_and_wait.py", "--from", "none.json"),
    ("preflight.py", "--provider", "sandbox", "--task", "t2i", "--prompt-file", "none.txt"),
    ("inspect_openapi.py", "--provider", "sandbox", "--model", "bytedance/seedream-4.5", "--validate", "@none.json"),
    ("handle_runtime_error.py", "--status", "402", "--body-file", "none.txt"),
]


@pytest.mark.parametrize("words", WITHOUT_FILE, ids=lambda words: " ".join(words[-2:]))
def test_a_file_that_is_not_there_is_named_with_its_place(scripts, words):
    run = scripts.run(*words)
    assert run.code == 2 and str(scripts.folder) in run.result["message"], run.result
    assert words[-1].rpartition("=")[2].lstrip("@") in run.result["message"]


# a field taken for a flag -> the field that is meant
FIELDS = [
    ((*MADE, "t2i", "--prompt", "x", "--aspect_ratio", "16:9"), "--param aspect_ratio=VALUE, a file as --input"),
    ((*MADE, "t2i", "--prompt", "x", "--aspect-ratio=16:9"), "--param aspect_ratio=VALUE, a file as --input"),
    ((*MADE, "t2i", "--prompt", "x", "--aspectRatio", "16:9"), "--param aspect_ratio=VALUE, a file as --input"),
    ((*MADE, "t2i", "--as", "replicate", "--prompt", "x", "--topK", "16:9"), "--param top_k=VALUE, a file as --input"),
    ((*MADE, "i2i", "--as", "openai", "--prompt", "x", "--image[]", "16:9"), "--input image[]=PATH"),
    ((*IN_CREDITS, "--pack_id", "starter-500"), "--param pack_id=VALUE"),
]


@pytest.mark.parametrize("words, told", FIELDS, ids=lambda one: one[-1] if isinstance(one, tuple) else "")
def test_a_field_taken_for_a_flag_is_led_to_param(scripts, words, told):
    run = scripts.run(*words)
    assert run.code == 2 and told in run.result["message"], run.result
    assert "16:9" not in run.result["message"] and "starter-500" not in run.result["message"]


def test_every_field_of_every_service_is_led_to_param_in_every_spelling():
    import create_and_wait
    from mediakit.base import errors
    from mediakit.services import model_contract, providers

    parser = create_and_wait.build_parser()
    lost = []
    for service in providers.names():
        for field in model_contract.names_of_fields(providers.load(service)):
            snake = re.sub("(?<=[a-z])([A-Z])", lambda found: "_" + found[1].lower(), field)
            camel = re.sub("_([a-z])", lambda found: found[1].upper(), field)
            for flag in {f"--{word}" for word in (field, snake, snake.replace("_", "-"), camel)}:
                if flag in parser._option_string_actions:
                    continue  # a flag of this script has that name
                with pytest.raises(errors.Failure) as failure:
                    parser.parse(["--provider", service, "--prompt", "x", flag, "7"])
                if "--param " not in failure.value.message:
                    lost.append((service, flag, failure.value.message))
    assert not lost


def test_where_a_service_says_how_to_pay_its_dashboard_is_not_named_instead():
    from mediakit.services import providers

    for name in providers.names():
        told = providers.load(name).advice.on("insufficient_credits")
        assert sum("then run the same again" in line for line in told) <= 1, (name, told)
