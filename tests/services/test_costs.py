"""Which fields of a request change what it costs, and what a price counts of them."""

from __future__ import annotations

import pytest

from mediakit.base import amounts
from mediakit.base.record import replace
from mediakit.ledger import spending
from mediakit.services import costs
from mediakit.services.descriptor import Route

FLAT = Route(path="/x", count="n")
NESTED = Route(path="/x", fields="/model_parameters", model="/model", count="output_count")
DEEP = replace(NESTED, count="n")
IMAGE = {"price": {"amount": 5, "unit": "credits", "per": "image"}}
SECOND = {"price": {"amount": 2, "unit": "credits", "per": "second"}}


def row(name: str, **more) -> dict:
    return {"name": name, "required": False, **more}


# What costs more, in a field that a price of one image does not count.
DEARER = [
    *({name: 12} for name in (
        "num_images", "numImages", "num-images", "NUM_IMAGES", "output_count", "outputCount", "number_of_images",
        "numberOfImages", "image_count", "images_count", "num_outputs", "max_images", "batch_size", "batch_count",
        "num_samples", "sample_count", "candidate_count", "numVariants", "variations", "num_results", "quantity",
        "copies", "num_videos", "images_per_prompt",
    )),
    {"num_images": "12"}, {"num_images": 1.5}, {"num_images": True},
    {"resolution": "4K"}, {"duration": 60}, {"duration_seconds": 60}, {"quality": "high"}, {"size": "2048x2048"},
    {"image_size": {"width": 4096, "height": 4096}}, {"width": 4096}, {"megapixels": "4"}, {"upscale_factor": 4},
    {"fps": 60}, {"generate_audio": True}, {"audio": False}, {"mode": "pro"}, {"service_tier": "priority"},
    {"num_inference_steps": 500}, {"style": "vector_illustration"}, {"ratio": "3840:2160"},
    {"output_format": "prores"}, {"a_word_of_tomorrow": "dear"}, {"multi_prompt": [{"prompt": "a"}, {"prompt": "b"}]},
    {"parameters": {"n": 12}}, {"input": {"parameters": {"num_images": 12}}}, {"options": [{"resolution": "4K"}]},
    {"image_urls": ["https://a.example/1.png", "https://a.example/2.png"]}, {"video_url": "https://a.example/long.mp4"},
    {"text": "a long text that is read aloud"},
]  # fmt: skip
# What makes another result, and not a dearer one.
FREE = [
    {"seed": 7}, {"negative_prompt": "rain"}, {"negativePrompt": "rain"}, {"aspect_ratio": "16:9"}, {"ratio": "1:1"},
    {"guidance_scale": 7.5}, {"cfgScale": 3}, {"output_format": "png"}, {"enable_safety_checker": False},
    {"image_url": "https://a.example/1.png"}, {"image_urls": ["https://a.example/1.png"]}, {"num_images": 1}, {"referenceImages": [{"uri": "https://a/1"}]},
    {"num_images": 1.0}, {"webhook": None}, {"resolution": None},
]  # fmt: skip


def settings(payload: dict, route: Route = FLAT, rows=(), tasks=("t2i",)):
    return costs.settings({"prompt": "a boat", **payload}, costs.Asked(route, rows, frozenset(tasks)))


def catalogue(payload: dict, entry=IMAGE, route: Route = FLAT, rows=(), **more):
    found = spending.catalogue_price(entry, settings(payload, route, rows, **more), route)
    return found and found.amount.micro / amounts.MICRO


def estimate(before: dict | None, now: dict, rows=(), **more):
    past = None if before is None else settings(before, rows=rows, **more)
    found = spending.estimate([(amounts.Amount.of(5, "credits"), past)], settings(now, rows=rows, **more))
    return found and found.amount.micro / amounts.MICRO


@pytest.mark.parametrize("payload", DEARER, ids=str)
def test_what_a_price_does_not_count_makes_it_unknown(payload):
    assert catalogue(payload) is None
    assert catalogue({"model_parameters": payload}, route=DEEP) is None
    assert estimate({}, payload) is None and estimate(payload, payload) == 5


@pytest.mark.parametrize("payload", FREE, ids=str)
def test_what_costs_nothing_leaves_a_price_as_it_is(payload):
    assert catalogue(payload) == catalogue({"model_parameters": payload}, route=NESTED) == 5


# payload, rows of the contract -> the price of it at 5 an image
COUNTED = [
    ({}, [], 5),
    ({"n": 4}, [], 20),
    ({"n": 0}, [], None),
    ({"n": "4"}, [], None),
    ({"n": True}, [], None),
    ({"n": 1.5}, [], None),
    ({"n": float("inf")}, [], None),
    ({}, [row("n", default=4)], 20),
    ({}, [row("num_images", default=4)], None),
    ({"num_images": 1}, [row("num_images", default=4)], 5),
    ({"num_images": 1}, [row("n", default=4)], 20),
    ({"n": 3, "num_images": 2}, [], None),
    ({}, [row("parameters", type="object", fields=[row("num_images", default=4)])], None),
    ({"resolution": "1k"}, [row("resolution", default="1k")], 5),
    ({"resolution": "1k"}, [row("resolution", allowed_values=["1k"])], 5),
    ({"resolution": "2k"}, [row("resolution", default="1k")], None),
    ({"num_inference_steps": 28}, [row("num_inference_steps", default=28)], 5),
]


@pytest.mark.parametrize("payload, rows, price", COUNTED, ids=str)
def test_a_price_counts_results_by_the_contracts_default_too(payload, rows, price):
    assert catalogue(payload, rows=rows) == price


@pytest.mark.parametrize(
    "payload, price",
    [
        ({"size": "4K"}, 5),
        ({"size": "4K", "quality": "high"}, None),
        ({"images": 2}, None),
        ({"size": "4K", "n": 2}, 10),
    ],
    ids=str,
)
def test_the_largest_of_a_range_counts_what_the_contract_lets_one_ask_for(payload, price):
    ranged = {"price": {**IMAGE["price"], "least": 1}}
    rows = [row("size", default="1K"), row("num_images"), row("n"), row("enable_sequential")]
    assert catalogue(payload, ranged, rows=rows) == price
    assert catalogue({**payload, "enable_sequential": True}, ranged, rows=rows) is None
    assert catalogue({"num_images": 2}, ranged, rows=[row("num_images")]) is None


def test_what_lies_too_deep_to_be_looked_at_makes_the_cost_unknown():
    deep: dict = {"n": 5}
    for _ in range(900):
        deep = {"a": deep}
    assert catalogue(deep) is None and estimate(deep, deep) is None
    assert catalogue({}) == 5 and estimate({}, {}) == 5


def test_two_counts_of_which_one_is_below_the_other_multiply():
    assert catalogue({"output_count": 2}, route=NESTED) == 10
    assert catalogue({"output_count": 2, "model_parameters": {"output_count": 2}}, route=NESTED) is None


@pytest.mark.parametrize(
    "payload, rows, price",
    [
        ({}, [], None),
        ({"duration": 5}, [], 10),
        ({}, [row("duration", default=5)], 10),
        ({"duration": 5, "n": 3}, [], 30),
        ({"duration": "5s"}, [], 10),
        ({"durationSeconds": "8"}, [], 16),
        ({"duration": "-1"}, [], None),
        ({"duration": "auto"}, [], None),
        ({"duration": 5, "seconds": 6}, [], None),
        ({"duration": 5, "fps": 60}, [], None),
    ],
    ids=str,
)
def test_a_price_a_second_counts_seconds_and_results(payload, rows, price):
    assert catalogue(payload, SECOND, rows=rows, tasks=("t2v",)) == price


SPOKEN = "a text that is read aloud"  # 25 characters and those of the prompt
# what a price of 2 is of, payload, task -> the price; a part of what it is of counts as one
MEASURES = [
    ("megapixel", {"image_size": {"width": 1024, "height": 1024}}, "t2i", 4),
    ("megapixel", {"width": 1000, "height": 1000, "n": 3}, "t2i", 6),
    ("megapixel", {"size": "2048x2048"}, "t2i", 10),
    ("megapixel", {"size": "512*512"}, "t2i", 2),
    ("megapixel", {"image_size": "square_hd"}, "t2i", None),
    ("megapixel", {"size": "auto"}, "t2i", None),
    ("megapixel", {"width": 1024}, "t2i", None),
    ("megapixel", {"width": "1024", "height": 1024}, "t2i", None),
    ("megapixel", {"width": 1024, "height": 1024, "size": "1024x1024"}, "t2i", None),
    ("megapixel", {"width": 1024, "height": 1024, "steps": 900}, "t2i", None),
    ("megapixel", {}, "t2i", None),
    ("minute", {"duration": 90}, "t2v", 3),
    ("second", {"duration": 90}, "t2v", 180),
    ("video", {}, "t2v", 2),
    ("video", {"duration": 90}, "t2v", None),
    ("character", {"text": SPOKEN}, "tts", 62),
    ("1000 character", {"text": SPOKEN}, "tts", 2),
    ("1k character", {"text": SPOKEN * 50}, "tts", 4),
    ("1000 character", {"text": SPOKEN, "n": 2}, "tts", 4),
    ("1000 character", {}, "t2i", None),
    ("compute second", {"duration": 5}, "t2v", None),
    ("unit", {}, "t2i", None),
]


@pytest.mark.parametrize("per, payload, task, price", MEASURES, ids=str)
def test_a_price_counts_what_it_is_of_where_the_request_says_how_much(per, payload, task, price):
    assert catalogue(payload, {"price": {"amount": 2, "unit": "usd", "per": per}}, tasks=(task,)) == price


# the job that cost 5 credits, what is asked for now -> the estimate; n is 4 where nobody says
ESTIMATES = [
    ({}, {}, 5),
    ({"n": 4}, {}, 5),
    ({}, {"n": 4.0}, 5),
    ({}, {"n": 1}, None),
    ({"n": 1}, {}, None),
    ({"n": 1}, {"n": 2}, None),
    ({"prompt": "short"}, {"prompt": "another, of some more words"}, 5),
    ({"seed": 1}, {"aspect_ratio": "1:1"}, 5),
    ({"resolution": "1k"}, {"resolution": "1k"}, 5),
    ({"resolution": "1k"}, {"resolution": "4k"}, None),
    ({"resolution": "1k"}, {}, None),
    ({"image": {"file": "a.png", "sha256": "1"}}, {"image": {"file": "b.png", "sha256": "2"}}, 5),
    ({"images": ["https://a/1", "https://a/2"]}, {"images": ["https://a/3"]}, 5),
    ({"images": ["https://a/1"]}, {"images": ["https://a/3", "https://a/4"]}, None),
    ({"referenceImages": [{"uri": "https://a/1"}]}, {"referenceImages": [{"uri": "https://a/2"}]}, 5),
    ({"referenceImages": [{"uri": "https://a/1"}]}, {"referenceImages": [{"uri": "https://a/2", "n": 9}]}, None),
    ({"audio_url": {"file": "a.mp3", "sha256": "1"}}, {"audio_url": {"file": "b.mp3", "sha256": "2"}}, None),
    (None, {}, None),
]


@pytest.mark.parametrize("before, now, price", ESTIMATES, ids=str)
def test_an_estimate_rests_on_jobs_that_asked_for_as_much(before, now, price):
    assert estimate(before, now, rows=[row("n", default=4)]) == price


@pytest.mark.parametrize(
    "tasks, before, now, price",
    [
        (("tts",), "a long text", "a text", 5),
        (("tts",), "a text", "a long text", None),
        ((), "a text", "a long text", None),
        (("t2i",), "a text", "a long text", 5),
    ],
)
def test_words_are_charged_where_they_are_spoken_or_nobody_knows(tasks, before, now, price):
    assert estimate({"prompt": before}, {"prompt": now}, tasks=tasks) == price


def test_a_file_that_a_task_measures_counts_by_itself():
    one, other = ({"image": {"file": name, "sha256": name}} for name in "ab")
    assert estimate(one, other, tasks=("i2v",)) == 5
    assert estimate(one, other, tasks=("upscale",)) is None and estimate(one, one, tasks=("upscale",)) == 5


def test_what_a_descriptor_always_sends_or_sends_by_itself_is_usual():
    route = Route(path="/x", defaults={"quality": "low"}, constants={"/tier": "flex"}, model="/model")
    payload = {"quality": "low", "tier": "flex", "model": "m", "key": "k"}
    found = costs.settings(payload, costs.Asked(route, (), frozenset(("t2i",)), frozenset(("key",))))
    assert spending.catalogue_price(IMAGE, found, route).amount.micro == 5 * amounts.MICRO
    dear = costs.settings(
        {**payload, "quality": "high"}, costs.Asked(route, (), frozenset(("t2i",)), frozenset(("key",)))
    )
    assert spending.catalogue_price(IMAGE, dear, route) is None
