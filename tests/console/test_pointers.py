"""What a person or an agent types wrong is met with the place, or with the flag that was meant."""

from __future__ import annotations

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
    ((*IN_CREDITS, "--pack_id", "starter-500"), "--param pack_id=VALUE"),
]


@pytest.mark.parametrize("words, told", FIELDS, ids=lambda one: one[-1] if isinstance(one, tuple) else "")
def test_a_field_taken_for_a_flag_is_led_to_param(scripts, words, told):
    run = scripts.run(*words)
    assert run.code == 2 and told in run.result["message"], run.result
    assert "16:9" not in run.result["message"] and "starter-500" not in run.result["message"]
