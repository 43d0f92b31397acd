"""The registry of codes holds what the program can say, all of it and nothing else."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from conftest import ROOT, SCRIPTS
from mediakit.base import codes, errors

REGISTRY = SCRIPTS / "mediakit/base/codes.py"
# The sandbox speaks for a service, in the service's own codes.
SANDBOX = SCRIPTS / "mediakit/sandbox"
# Functions whose parameter `code` is a service's word, or an exit code.
OTHER_CODES = {"classify", "_leave", "leave"}
WORD = re.compile("[a-z]+(_[a-z]+)+")


@cache
def modules() -> list[ast.Module]:
    paths = [path for path in SCRIPTS.rglob("*.py") if path != REGISTRY and SANDBOX not in path.parents]
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths]


def nodes(kind):
    return [node for module in modules() for node in ast.walk(module) if isinstance(node, kind)]


def literals(node) -> set[str]:
    """The words that an argument can be: `"a"`, or `"a" if … else "b"`."""
    if isinstance(node, ast.IfExp):
        return literals(node.body) | literals(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def name_of(function) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def takers() -> dict[str, int]:
    """Every callable with a parameter `code`: its name, and where the code stands among its arguments."""
    found = {}
    for node in nodes((ast.FunctionDef, ast.ClassDef)):
        function = node
        if isinstance(node, ast.ClassDef):
            function = next((one for one in node.body if getattr(one, "name", "") == "__init__"), None)
        names = [argument.arg for argument in function.args.args] if function else []
        if "code" in names and node.name not in OTHER_CODES:
            found[node.name] = names.index("code") - (names[0] == "self")
    return found


def is_number(node) -> bool:
    return isinstance(node, ast.Constant) and not isinstance(node.value, str)


def warnings() -> list:
    """What is returned in a list of one, or appended to a list."""
    listed = [node.value.elts for node in nodes(ast.Return) if isinstance(node.value, ast.List)]
    appended = [call.args for call in nodes(ast.Call) if name_of(call.func) == "append"]
    return [pair for pairs in (*listed, *appended) for pair in pairs]


def raised() -> set[str]:
    """Every code that stands where a code is taken, or in a pair of code and message."""
    places, found = takers(), set()
    for call in nodes(ast.Call):
        name = name_of(call.func)
        if name in places and len(call.args) > places[name]:
            found |= literals(call.args[places[name]])
        found |= {word for key in call.keywords if key.arg == "code" and name in places for word in literals(key.value)}
    for pair in warnings():
        if isinstance(pair, ast.Tuple) and len(pair.elts) == 2 and not is_number(pair.elts[1]):
            found |= {word for word in literals(pair.elts[0]) if WORD.fullmatch(word)}
    for told in nodes(ast.Dict):
        keys = [key.value for key in told.keys if isinstance(key, ast.Constant)]
        if keys == ["code", "message"]:
            found |= literals(told.values[0])
    return found


def test_the_ways_to_raise_a_code_are_found():
    assert {"Failure", "ContractError", "warning"} <= set(takers())
    assert len(raised()) > 40


def test_every_code_that_is_raised_is_listed():
    assert raised() <= {*codes.ERRORS, *codes.WARNINGS}


@pytest.mark.parametrize("code", [*codes.ERRORS, *codes.WARNINGS])
def test_every_code_that_is_listed_is_raised(code):
    assert code in {word for node in nodes(ast.Constant) for word in literals(node)}


@pytest.mark.parametrize("code", codes.ERRORS)
def test_every_error_has_an_exit_code_a_meaning_and_a_way_out(code):
    category, meaning, way_out = codes.ERRORS[code]
    assert (category == codes.BY_ANSWER or errors.CATEGORY_EXIT_CODES[category] in codes.EXIT_CODES) and meaning
    assert way_out and "|" not in meaning + way_out


def test_every_failure_is_of_its_codes_category():
    for call in nodes(ast.Call):
        if name_of(call.func) == "Failure" and len(call.args) == 3 and literals(call.args[2]):
            for code in literals(call.args[0]):
                assert codes.ERRORS[code].category in (codes.BY_ANSWER, *literals(call.args[2])), code


def test_a_code_that_nobody_knows_is_a_bug():
    with pytest.raises(AssertionError):
        errors.Failure("no_such_code", "x", "guard")


def test_the_pages_name_no_code_that_is_not_listed():
    known = {*codes.ERRORS, *codes.WARNINGS}
    for page in (ROOT / "references").glob("*.md"):
        told = re.findall(r"(?:error|warning|code) `([a-z]+(?:_[a-z]+)+)`", page.read_text(encoding="utf-8"), re.I)
        assert set(told) <= known | set(errors.CATEGORY_EXIT_CODES), page.name
