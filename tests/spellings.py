"""What is one purchase in several spellings: values, addresses, paths; for the rule itself and for the scripts.

SAME_VALUES         kind -> texts of one JSON value
SAME_ORIGINS        base URL -> others that mean the same at a service whose own path is /api/v1
SAME_PATHS          paths that are one
together            one JSON object of each kind's value, each kind in its spelling number n
"""

from __future__ import annotations

SAME_VALUES = {
    "whole numbers": ['{"n": 1}', '{"n": 1.0}', '{"n": 1e0}', '{"n": 10e-1}', '{"n": 1.000}'],
    "zero": ['{"n": 0}', '{"n": -0}', '{"n": 0.0}', '{"n": -0.0}', '{"n": 0e7}'],
    "fractions": ['{"n": 0.5}', '{"n": 5e-1}', '{"n": 0.50}'],
    "composed and decomposed": ['{"p": "caf\\u00e9"}', '{"p": "cafe\\u0301"}'],
    "names too": ['{"caf\\u00e9": 1}', '{"cafe\\u0301": 1}'],
    "order of names": ['{"a": 1, "b": {"c": 2, "d": 3}}', '{"b": {"d": 3.0, "c": 2}, "a": 1}'],
    "blanks and escapes": ['{"a":"/"}', '{ "a" : "\\/" }', '{"a": "\\u002f"}'],
}


def together(number: int) -> str:
    """All kinds in one object, as text; the names are those of the kinds, so that none is lost."""
    members = (f'"{kind}": {texts[number % len(texts)]}' for kind, texts in SAME_VALUES.items())
    return "{" + ", ".join(members) + "}"


SAME_ORIGINS = {
    "https://api.example.com:443/": [
        "https://api.example.com", "HTTPS://API.Example.COM/", "https://api.example.com:443", "https://api.example.com.",
        "https://user@api.example.com/", "https://api.example.com/api/v1", "https://api.example.com/api/v1/",
        "https://api.example.com/api", "https://api.example.com//api//v1//", "https://api.example.com/./api/x/../v1",
        "https://api.example.com/%61pi/v1", " https://api.example.com/api/v1",
    ],
    "https://api.example.com:443/a": ["https://api.example.com/a", "https://api.example.com/a/api/v1", "https://api.example.com/%61/"],
    "http://localhost:8000/": [
        "http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000", "http://LOCALHOST:8000/api/v1",
        "http://127.1:8000", "http://0x7f.0.0.1:8000", "http://2130706433:8000", "http://[::ffff:127.0.0.1]:8000",
        "http://[0:0:0:0:0:0:0:1]:8000", "http://localhost.:8000/",
    ],
    "http://localhost:80/": ["http://localhost", "http://127.0.0.1:80/", "http://[::1]"],
    "https://münchen.example/": ["https://xn--mnchen-3ya.example", "https://mu\u0308nchen.example"],
}  # fmt: skip


SAME_PATHS = [
    ["/v1/a-b", "/v1//a-b", "/v1/a%2Db", "/v1/a%2db/", "//v1/./a-b", "/v1/x/../a-b"],
    ["/v1/a%2Fb", "/v1/a%2fb"],
    ["/caf%C3%A9", "/café", "/caf%c3%a9"],
    ["/a%20b", "/a b"],
]
