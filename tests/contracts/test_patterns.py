"""mediakit.contracts.patterns: JavaScript's dialect, and an end to every match."""

from __future__ import annotations

import subprocess

import pytest

from mediakit import contracts
from mediakit.contracts import patterns

WORDS = r"^[a-z0-9]+(-[a-z0-9]+)*$"


@pytest.fixture
def program(monkeypatch):
    """A program of this test's own; what it started is kept, to see its end."""
    started = []
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *words, **more: started.append(real(*words, **more)) or started[-1])
    monkeypatch.setattr(patterns, "_program", patterns._Program())
    yield started
    patterns._program._end()


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        # where Python's dialect says something else
        (r"^a$", "a\n", False),
        (r"^\d+$", "١٢", False),
        (r"^\w+$", "é", False),
        (r"^\s$", "\u00a0", True),
        (r"^\S$", "\ufeff", False),
        (r"^[\S]$", "é", True),
        (r"^[^\s]+$", "a\u2003b", False),
        (r"^.$", "\u2028", False),
        (r"^x{,3}$", "xx", False),
        (r"^x{,3}$", "x{,3}", True),
        (r"[^]", "a", True),
        (r"[]", "a", False),
        (r"^[[a]+$", "[a", True),
        (r"^[a&&b]+$", "&", True),
        (r"^\/x$", "/x", True),
        (r"^\cJ$", "\n", True),
        (r"^[\b]$", "\b", True),
        # where it says the same in other words
        (r"^\p{L}+$", "éß", True),
        (r"^[\p{Lu}\d]+$", "É1", True),
        (r"^\P{L}$", "1", True),
        (r"^\p{Letter}$", "1", False),
        (r"^(?<y>\d{4})-\k<y>$", "2020-2020", True),
        (r"(?<=a)b", "ab", True),
        (r"^(?!.*--)[a-z-]+$", "a--b", False),
        (r"^\u{1F600}$", "\U0001f600", True),
        (r"^\uD83D\uDE00$", "\U0001f600", True),
        (r"^\x41\u0042$", "AB", True),
        # what people of other languages write, and mean
        (r"\Aab\Z", "ab\n", False),
        (r"\Aab\z", "ab", True),
        (r"/^ab$/", "ab", True),
        (r"^(?P<a>x)(?P=a)$", "xx", True),
        # repeated groups, which the program matches
        (WORDS, "a-b-c", True),
        (WORDS, "a--c", False),
        # what cannot be told
        (r"(?<=a+)b", "ab", None),
        (r"/^ab$/i", "AB", None),
        (r"^\h$", "h", None),
        (r"\p{Script=Han}", "x", None),
        (r"(", "x", None),
        (r"[a", "x", None),
        (r"(((a)+", "x", None),
        (r"\u{110000}", "x", None),
        ("a" * 3000, "a", None),
    ],
)
def test_a_pattern_means_what_it_means_in_javascript(program, pattern, text, found):
    assert patterns.matches(pattern, text) is found


EVIL = [
    (r"^(a+)+$", "a" * 40 + "!"),
    (r"^(a|a)*$", "a" * 40 + "!"),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 60),
    (r"(x+x+)+y", "x" * 50_000),
    (r"^(a?){60}a{60}$", "a" * 59),
    (r"(.*)*(.*)*(.*)*[^a]$", "a" * 3_000),
    (r".*.*.*.*.*x", "y" * 20_000),
    (r"\d+\d+\d+!", "1" * 20_000),
    (r"^(?=(a+)+b)a", "a" * 40),
    (r"(a*)\1*!", "a" * 40_000),
    ("|".join("a" * length for length in range(1, 60)), "b" * 90_000),
    (r"[a-z]{0,60}" * 12 + "!", "a" * 5_000),
    (r"((a{1,1000}){1,1000}){1,1000}b", "a" * 5_000),
]


@pytest.fixture
def impatient(program):
    patterns._program._left = 0.2
    return program


@pytest.mark.parametrize(("pattern", "text"), EVIL, ids=lambda word: word[:24])
def test_an_evil_pattern_is_given_up_and_its_program_ended(impatient, pattern, text):
    found = patterns.matches(pattern, text)
    assert found is None or not found
    if found is None:
        assert all(process.returncode is not None for process in impatient)


def test_all_patterns_of_a_command_share_one_time(impatient):
    found = [patterns.matches(pattern, text + "." * number) for number in range(9) for pattern, text in EVIL[:1]]
    assert found == [None] * 9 and len(impatient) == 1, "each of them had a time of its own"


def test_what_is_asked_twice_is_matched_once(program):
    answers = [patterns.matches(WORDS, "a-b") for _ in range(3)]
    assert answers == [True] * 3 and len(program) == 1 and program[0].poll() is None


def test_the_program_is_told_nothing_of_the_environment(program, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "your_api_key_here")
    seen = {}
    spied = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *words, **more: seen.update(more) or spied(*words, **more))
    assert patterns.matches(WORDS, "a-b") is True
    assert not seen["env"].keys() & {"SOME_API_KEY", "PATH", "HOME", "PYTHONPATH"}


def test_where_no_program_may_be_started_a_pattern_is_unsure(monkeypatch):
    def refuse(*words, **more):
        raise PermissionError

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(patterns, "_program", patterns._Program())
    assert patterns.matches(WORDS, "a-b") is None


def test_a_pattern_that_cannot_be_told_is_a_warning_and_no_problem():
    body = {"type": "object", "properties": {"tag": {"type": "string", "pattern": r"\p{Script=Han}"}}}
    post = {"requestBody": {"content": {"application/json": {"schema": body}}}, "responses": {}}
    found = contracts.operation(
        contracts.from_data({"openapi": "3.1.0", "info": {}, "paths": {"/x": {"post": post}}}), "/x"
    )
    checked = found.check({"tag": "x"})
    assert checked.ok and [warning["path"] for warning in checked.warnings] == ["tag"]
    assert found.fields()[0]["pattern"] == r"\p{Script=Han}", "it is shown all the same"
