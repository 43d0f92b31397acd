"""Answers that no example of a descriptor has, by its rules: they say what the rules look for, and nothing else."""

from __future__ import annotations

from ...base.pointer import put
from ...services import descriptor, examples


def usual(name: str, way) -> dict:
    """The answer `begun`, `sent`, `uploaded` or `ready` of a way for files, as an example with placeholders."""
    body: dict = {}
    headers: dict = {}
    if name == "begun":
        if way.send.told_header:
            headers[way.send.told_header] = "{upload}"
        else:
            put(body, way.send.told, "{upload}")
        if way.send.form:
            put(body, way.send.form, {})
    # Which of the two answers of an upload names the file is said nowhere: both do.
    if way.reference and name != "ready":
        put(body, way.reference, "{file}" if way.like is None else examples.new_id(way.like) or "{file}")
    if way.ready:
        rules = way.ready
        state = descriptor.values(rules["is"])[0]
        if name == "ready":
            put(body, rules["at"], state)
        else:
            put(body, rules["file"], examples.new_id(rules["like"]) or "{file_id}")
    return {"headers": headers, "body": body}
