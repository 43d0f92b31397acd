"""The names of the files that results are saved in. Pure.

    check      whether a template of --output-name can be used
    FileName   the name of each file of one job

A name is made of our own words and of what the user typed. Nothing in it comes from a URL, a header
or an answer. It is one that Linux, macOS and Windows all take.
"""

from __future__ import annotations

import re
import time

from ..base.regex import regex

DEFAULT = "{service}-{model}-{time}-{n}"
# What the sandbox draws is practice: no model's work, and nothing that one keeps for its day.
OF_PRACTICE = "{service}-{n}"
# Where many jobs of one model end in the same second.
OF_LINES = "{line}-{service}-{model}-{n}"
PLACEHOLDERS = ("service", "model", "task", "job", "line", "time", "date", "n")
LONGEST_TEMPLATE = 200

# In bytes of UTF-8; file systems take 255, and a counter, an ending and that of a file beside it follow.
_LONGEST_STEM = 200
_LONGEST_WORD = 80
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_RESERVED = regex(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³])(\.|$)", re.I)


def check(template: str) -> str:
    """The template, without an `.{ext}` at its end; raises ValueError with what was expected."""
    template = template.removesuffix(".{ext}")
    if not template.strip() or len(template) > LONGEST_TEMPLATE or not template.isprintable():
        raise ValueError(f"expected a name of 1 to {LONGEST_TEMPLATE} printable characters")
    if re.search(r"[/\\:]", template):
        raise ValueError("expected a name and not a path; --output-dir takes the folder")
    rest = re.sub(f"{{({'|'.join(PLACEHOLDERS)})}}", "", template)
    if "{" in rest or "}" in rest:
        shown = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise ValueError(f"expected no braces but those of {shown}; the ending is added")
    return template


class FileName:
    """The names of the files of one job.

    template  as `check` gives it
    seconds   the time for {time} and {date}, since the epoch
    words     what the other placeholders stand for; None for what is not known; of OWNER/NAME only the name is told
    """

    def __init__(self, template: str, seconds: float, **words: str | None):
        self._template = template
        moment = time.gmtime(seconds)
        words["model"] = (words.get("model") or "").split("/", 1)[-1]
        self._words = {
            "time": time.strftime("%Y%m%dT%H%M%SZ", moment),
            "date": time.strftime("%Y-%m-%d", moment),
            **{name: _plain(word or "")[:_LONGEST_WORD].strip("-._") for name, word in words.items()},
        }

    def of(self, number: int) -> str:
        """The name of the file of the output of this number, from 1, without an ending."""
        is_plain = number == 1 and self._template == OF_PRACTICE
        words = {**self._words, "n": "" if is_plain else str(number)}
        name = re.sub("{([a-z]+)}", lambda found: words.get(found[1], ""), self._template)
        return safe(name)

    def fits(self, file: str, number: int) -> bool:
        """Whether a file may be that of the output of this number, whenever it was saved."""
        open_words = {"time": r"\d{8}T\d{6}Z", "date": r"\d{4}-\d\d-\d\d"}
        stand_ins = {word: f"0{word}0" for word in open_words}
        name = FileName.__new__(FileName)
        name._template, name._words = self._template, {**self._words, **stand_ins}
        pattern = re.escape(name.of(number))
        for word, stand_in in stand_ins.items():
            pattern = pattern.replace(stand_in, open_words[word])
        return bool(re.fullmatch(rf"{pattern}(-\d+)?(\.unverified)?\.[a-z0-9]+", file))


def safe(text: str) -> str:
    """A file name that every system takes: no separator, no control character, not hidden, not a device."""
    import unicodedata

    name = unicodedata.normalize("NFC", text)
    name = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in name)
    name = re.sub(r"-*([-._])[-._]*", r"\1", name).strip("-._")
    name = name.encode("utf-8", "ignore")[:_LONGEST_STEM].decode("utf-8", "ignore").rstrip("-._")
    return f"_{name}" if _RESERVED.match(name) else name or "result"


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9._]+", "-", word.lower())
