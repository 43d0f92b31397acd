"""What means the same is written the same, and nothing else is."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediakit.base import amounts, canonical
from spellings import SAME_ORIGINS, SAME_PATHS, SAME_VALUES

# -- values --------------------------------------------------------------------------------------------

DIFFERENT_VALUES = [
    "{}", '{"a": null}', '{"a": false}', '{"a": 0}', '{"a": ""}', '{"a": "0"}', '{"a": []}', '{"a": {}}', '{"a": [0]}',
    '{"a": true}', '{"a": 1}', '{"a": "1"}', '{"a": [1, 2]}', '{"a": [2, 1]}', '{"a": [[1], 2]}', '{"a": {"1": 2}}',
    '{"a": {"object": []}}', '{"a": [["object", []]]}', '{"b": 0}', '{"a": 1.5}', '{"a": "caf\\u00e9"}', '{"a": "cafe"}',
    '{"a": 1e300}', '{"a": 1e301}',
]  # fmt: skip


def written(text: str) -> str:
    return amounts.digest(json.loads(text))


@pytest.mark.parametrize("kind", SAME_VALUES)
def test_one_value_in_several_spellings_is_one(kind):
    assert len({written(text) for text in SAME_VALUES[kind]}) == 1


def test_different_values_stay_different():
    assert len({written(text) for text in DIFFERENT_VALUES}) == len(DIFFERENT_VALUES)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def respelled(value, choose):
    """The same value as another program would write it."""
    if isinstance(value, dict):
        items = [(respelled(name, choose), respelled(item, choose)) for name, item in value.items()]
        return dict(reversed(items) if choose() else items)
    if isinstance(value, list):
        return [respelled(item, choose) for item in value]
    if isinstance(value, str):
        return unicodedata.normalize("NFD" if choose() else "NFC", value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 and choose():
        return float(value)
    if value == 0 and isinstance(value, float):
        return -value
    return value


@given(VALUES, st.randoms())
def test_no_spelling_of_a_value_makes_another_one(value, random):
    other = respelled(value, lambda: random.random() < 0.5)
    if isinstance(value, dict) and isinstance(other, dict) and len(value) != len(other):
        return  # two names that are one in NFC
    assert amounts.digest(value) == amounts.digest(other)


@given(VALUES)
def test_what_is_canonical_stays_so_through_json(value):
    once = canonical.value(value)
    assert amounts.digest(json.loads(json.dumps(value))) == amounts.digest(value)
    assert json.dumps(once, sort_keys=True) == json.dumps(canonical.value(value), sort_keys=True)


# -- origins and paths ---------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", SAME_ORIGINS)
def test_one_address_in_several_spellings_is_one(origin):
    found = {canonical.origin(url, "/api/v1") for url in [origin, *SAME_ORIGINS[origin]]}
    assert len(found) == 1, found


def test_different_addresses_stay_different():
    urls = [
        *SAME_ORIGINS, "http://api.example.com", "https://api.example.com:8443", "https://example.com", "http://127.0.0.2:8000",
        "http://localhost:8001", "https://api.example.com/b", "https://api.example.com/a/b", "https://api.example.com/A",
        "http://[::2]:8000", "https://a.localhost",
    ]  # fmt: skip
    assert len({canonical.origin(url, "/api/v1") for url in urls}) == len(urls)


def test_one_path_in_several_spellings_is_one_and_others_are_others():
    written_as = [{canonical.path(text) for text in same} for same in SAME_PATHS]
    assert [len(found) for found in written_as] == [1] * len(SAME_PATHS)
    assert len(set().union(*written_as)) == len(SAME_PATHS)


@given(st.text(alphabet="/.%aAbB2DdéÉ0 -~:@!", max_size=20))
def test_a_canonical_path_is_its_own_canonical_path(text):
    once = canonical.path(text)
    assert canonical.path(once) == once and "//" not in once and not once.endswith("/")
