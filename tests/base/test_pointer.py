"""JSON Pointers."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediakit.base.pointer import first, point, put, tokens

VALUE = {"a": 1, "list": ["x", "y"], "x/y": 2, "m~n": 3, "none": None, "": {"": 4}}
FOUND = [
    ("", VALUE), ("/a", 1), ("/list/1", "y"), ("/list/2", None), ("/list/-1", None), ("/list/x", None), ("/a/b", None),
    ("/x~1y", 2), ("/m~0n", 3), ("/none", None), ("//", 4), ("/missing/0", None),
]  # fmt: skip


@pytest.mark.parametrize("pointer, expected", FOUND)
def test_a_pointer_finds_what_is_there_and_nothing_else(pointer, expected):
    assert point(VALUE, pointer) == expected


def test_the_first_of_several_that_leads_somewhere_counts():
    assert first(VALUE, ("/missing", "/none", "/a", "/list/0")) == 1
    assert first(VALUE, ()) is None and first(VALUE, "/a") == 1


# what there is, pointer -> what there is then with a 7 there
WRITTEN = [
    ({}, "/a", {"a": 7}),
    ({"a": 1}, "/a", {"a": 7}),
    ({}, "/input/prompt", {"input": {"prompt": 7}}),
    ({"input": {"seed": 1}}, "/input/prompt", {"input": {"seed": 1, "prompt": 7}}),
    ({}, "/contents/0/parts/0/text", {"contents": [{"parts": [{"text": 7}]}]}),
    ({"contents": [{"parts": [{"text": "a"}]}]}, "/contents/0/parts/-", {"contents": [{"parts": [{"text": "a"}, 7]}]}),
    ({}, "/image_urls/-", {"image_urls": [7]}),
    ({"list": [1]}, "/list/0", {"list": [7]}),
    ({"list": [1]}, "/list/1", {"list": [1, 7]}),
    ({"a": None}, "/a/b", {"a": {"b": 7}}),
    ({}, "/a~1b", {"a/b": 7}),
]


@pytest.mark.parametrize("value, pointer, expected", WRITTEN)
def test_a_value_is_written_with_what_is_missing_on_the_way(value, pointer, expected):
    value = copy.deepcopy(value)
    put(value, pointer, 7)
    assert value == expected


@pytest.mark.parametrize(
    "value, pointer", [({"a": 1}, "/a/b"), ({"a": [1]}, "/a/2"), ({"a": [1]}, "/a/x"), ({"a": "t"}, "/a/-")]
)
def test_what_stands_in_the_way_is_not_overwritten(value, pointer):
    before = copy.deepcopy(value)
    with pytest.raises(ValueError):
        put(value, pointer, 7)
    assert value == before


@given(st.lists(st.text(min_size=1).filter(lambda text: text != "-" and not text.isdecimal()), min_size=1, max_size=4))
def test_what_was_written_is_found_again(names):
    pointer = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)
    value: dict = {}
    put(value, pointer, 7)
    assert point(value, pointer) == 7 and [*tokens(pointer)] == names
