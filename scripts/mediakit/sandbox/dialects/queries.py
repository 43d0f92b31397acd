"""What the query of a request asks for: its parameters, a page of a list."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit


def query(http) -> dict[str, str]:
    """The query's parameters, the first value of each."""
    return query_of(http.path)


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def page_of(rows: Iterable, asked: dict, usual: int = 100) -> list:
    """The page of a list that a query asks for, by `limit`, or by `page` and `page_size`."""
    size = number(asked.get("limit", asked.get("page_size")), usual, 1, 100)
    start = (number(asked.get("page"), 1, 1, 10_000) - 1) * size
    return list(itertools.islice(rows, start, start + size))


def number(text: str | None, default: int, least: int, most: int) -> int:
    """A whole number of a query, or the default where it is none or out of bounds."""
    return int(text) if text and text.isdecimal() and len(text) < 9 and least <= int(text) <= most else default
