"""What cannot be seen is removed from every text, and joiners stay where they join."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediakit.base.text import plain, visible
from mediakit.console import Console

TAGS = "".join(chr(0xE0000 + ord(letter)) for letter in "buy")
# kind -> text, what is left of it
REMOVED = {
    "Unicode tags": (f"a{TAGS}b", "ab"),
    "the first tag": ("a\U000e0001b", "ab"),
    "zero-width space": ("a\u200bb", "ab"),
    "word joiner": ("a\u2060b", "ab"),
    "byte order mark": ("\ufeffab", "ab"),
    "soft hyphen": ("a\u00adb", "ab"),
    "left-to-right mark": ("a\u200eb", "ab"),
    "right-to-left mark": ("a\u200fb", "ab"),
    "Arabic letter mark": ("a\u061cb", "ab"),
    "embedding": ("a\u202ab\u202bc\u202c", "abc"),
    "override": ("a\u202db\u202ec", "abc"),
    "isolate": ("a\u2066b\u2067c\u2068d\u2069", "abcd"),
    "invisible operators": ("a\u2061\u2062\u2063\u2064b", "ab"),
    "deprecated format characters": ("a\u206a\u206fb", "ab"),
    "Mongolian vowel separator": ("a\u180eb", "ab"),
    "combining grapheme joiner": ("a\u034fb", "ab"),
    "Hangul fillers": ("a\u115f\u1160\u3164\uffa0b", "ab"),
    "Khmer inherent vowels": ("a\u17b4\u17b5b", "ab"),
    "annotation": ("a\ufff9b\ufffac\ufffbd", "abcd"),
    "shorthand controls": ("a\U0001bca0\U0001bca3b", "ab"),
    "musical controls": ("a\U0001d173\U0001d17ab", "ab"),
    "joiner between Latin letters": ("a\u200db", "ab"),
    "non-joiner between Latin letters": ("a\u200cb", "ab"),
    "joiner at the start": ("\u200dab", "ab"),
    "bits in joiners": ("a" + "\u200c\u200d" * 40 + "b", "ab"),
    "bits in joiners after an Arabic letter": ("\u0645" + "\u200c\u200d" * 40 + "\u062e", "\u0645\u062e"),
    "bits in variation selectors": ("a" + "\ufe00\ufe01\ufe0f" * 9 + "b", "ab"),
    "bits in variation selectors after a picture": ("\u2764\ufe0f\ufe00\ufe01\ufe02b", "\u2764\ufe0fb"),
    "bytes in supplementary selectors": ("a\U000e0100\U000e01efb", "ab"),
    "selector and joiner after a letter": ("a\ufe0f\u200d\U0001f525", "a\U0001f525"),
}  # fmt: skip
KEPT = {
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "heart on fire": "\u2764\ufe0f\u200d\U0001f525",
    "runner with a skin tone": "\U0001f3c3\U0001f3fd\u200d\u2640\ufe0f",
    "rainbow flag": "\U0001f3f3\ufe0f\u200d\U0001f308",
    "health worker": "\U0001f9d1\U0001f3fb\u200d\u2695\ufe0f",
    "keycap": "1\ufe0f\u20e3",
    "Persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "Persian, a letter that would join": "\u0647\u200d",
    "Hindi, half form": "\u0915\u094d\u200d\u0937",
    "Hindi, virama that is seen": "\u0915\u094d\u200c\u0937",
    "Malayalam, at the end of a word": "\u0d28\u0d4d\u200d \u0d05",
    "Sinhala": "\u0dc1\u0dca\u200d\u0dbb\u0dd3",
    "Kannada": "\u0cb0\u200d\u0ccd\u0c95",
    "Bengali": "\u09b0\u200d\u09cd\u09af",
    "Mongolian variation": "\u182d\u180b",
    "ideograph variation": "\u845b\U000e0100",
    "combining marks": "e\u0301 \u0ba8\u0bbf \u05e9\u05b8",
    "right-to-left scripts": "\u05e9\u05dc\u05d5\u05dd \u0633\u0644\u0627\u0645",
    "Chinese, Japanese, Korean": "\u6f22\u5b57 \u304b\u306a \ud55c\uad6d\uc5b4",
    "plain": "a tin boat, 50 % \u2014 \u201cquoted\u201d \u00a0 caf\u00e9",
}


@pytest.mark.parametrize("kind", REMOVED)
def test_what_cannot_be_seen_is_removed(kind):
    text, left = REMOVED[kind]
    assert visible(text) == left == visible(left)


@pytest.mark.parametrize("kind", KEPT)
def test_what_is_read_is_kept(kind):
    assert visible(KEPT[kind]) == KEPT[kind]


@pytest.mark.parametrize("kind", REMOVED)
@pytest.mark.parametrize(
    "place", ["message", "name", "deep"],
)  # fmt: skip
def test_no_event_carries_it_anywhere(capsys, kind, place):
    text, left = REMOVED[kind]
    told = {"message": text, "name": {text: 1}, "deep": {"a": [{"b": [text]}]}}[place]
    Console("test").emit("warning", code="unknown_status", message="", told=told)
    line = capsys.readouterr().out
    assert json.loads(line)["told"] == {"message": left, "name": {left: 1}, "deep": {"a": [{"b": [left]}]}}[place]


def test_a_key_that_is_broken_by_what_cannot_be_seen_is_a_key(capsys):
    console = Console("test")
    console.redactor.protect("k1y+/22")
    console.emit("warning", code="unknown_status", message="k1y\u200b+/\u202e22 k1y&#\u00ad43;/22")
    assert json.loads(capsys.readouterr().out)["message"] == "[redacted] [redacted]"


@given(st.text())
def test_nothing_of_these_categories_is_left_but_joiners(text):
    left = visible(text)
    assert visible(left) == left
    formats = {letter for letter in left if unicodedata.category(letter) == "Cf"}
    # Signs that are seen, and what holds hieroglyphs together.
    seen = {chr(code) for code in (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)}
    assert formats <= seen | {"\u200c", "\u200d"} | {chr(code) for code in range(0x13430, 0x13440)}
    assert set(plain(text)) <= set(text) | {" ", "\u2026"}
