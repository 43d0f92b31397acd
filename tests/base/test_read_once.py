"""Files of the skill's own are read once, and anew when they were replaced."""

from __future__ import annotations

import os

import pytest

from mediakit.base import documents


def test_a_file_is_read_once_and_again_when_it_was_replaced(tmp_path, monkeypatch):
    path = tmp_path / "one.json"
    path.write_text('{"a": 1}')
    first = documents.load(str(path))
    assert first == {"a": 1} and documents.load(str(path)) is first
    other = tmp_path / "other.json"
    other.write_text('{"a": 2}')
    os.replace(other, path)
    assert documents.load(str(path)) == {"a": 2}


def test_what_is_not_there_or_no_json_is_told_every_time(tmp_path):
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            documents.load(str(tmp_path / "nothing.json"))
    (tmp_path / "broken.json").write_text("{")
    for _ in range(2):
        with pytest.raises(ValueError):
            documents.load(str(tmp_path / "broken.json"))
