"""The files that a service is sent: by a form with the create, by one upload, or by one that tells where it goes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import secrets

from .. import forms
from . import unsaid


class Files:
    """The uploads of one by_examples.Dialect."""

    def __init__(self, dialect):
        self._dialect, self._ways = dialect, dialect.provider.ways

    def begin(self, sandbox, http, content: bytes, step) -> None:
        """Answer the request that begins an upload, or that is all of it."""
        way = next(way for way in self._ways if way.begin and way.begin.step.path == step.path)
        words, file_id = self._dialect.told, self._dialect.new_file_id()
        if way.send:
            told = {**_asked_by(way.begin.body, http.json_of(content) or {}), **_of_headers(way.begin.headers, http)}
            sandbox.store.keep("begun", file_id, told)
            return self._tell(http, "begun", words.words_of_upload(http, file_id, told.get("name")), way)
        part = way.begin.part
        file = forms.file_of(http.headers.get("Content-Type", ""), content, part) if part else None
        if file is None and not part:
            body = http.json_of(content) or {}
            told = _asked_by(way.begin.body, body)
            self._dialect.check_file(told, body)
            file = _told_in_body(told)
        if file is None:
            return self._dialect.error(http, 400)
        return self._tell(http, "uploaded", words.words_of_file(http, _kept(sandbox, file_id, file)), way)

    def take(self, sandbox, http, content: bytes, file_id: str) -> None:
        """Answer the request that brings a file to where a begun upload was told."""
        begun = sandbox.store.record("begun", file_id)
        if begun is None:
            return self._dialect.error(http, 404)
        way = next(way for way in self._ways if way.send)
        kind = http.headers.get("Content-Type", "")
        file = forms.file_of(kind, content, way.send.part) if way.send.part else forms.File("file", kind, content)
        if file is None:
            return self._dialect.error(http, 400)
        name, media_type = (begun.body.get(word) for word in ("name", "media_type"))
        file = file._replace(name=name or file.name, media_type=media_type or file.media_type)
        record = _kept(sandbox, file_id, file)
        return self._tell(http, "sent", self._dialect.told.words_of_file(http, record), way)

    def ready(self, sandbox, http, found: str) -> bool:
        """Answer a question whether a file can be used; whether it is about one that was brought."""
        way = next(way for way in self._ways if way.ready)
        is_said = "ready" in self._dialect.provider.examples
        newest = sandbox.store.records("file", 1)
        record = sandbox.store.record("file", found.rpartition("/")[2]) if is_said else next(iter(newest), None)
        if record:
            self._tell(http, "ready", self._dialect.told.words_of_file(http, record), way)
        return record is not None

    def _tell(self, http, name: str, words: dict, way) -> None:
        """Answer as the example says; by the rules of the way where there is none."""
        told = None if name in self._dialect.provider.examples else unsaid.usual(name, way)
        self._dialect.tell(http, name, words, told=told)

    def of_form(self, sandbox, http, parts: list, types: dict[str, str]) -> dict:
        """The fields of a form. A file is kept, and its field becomes its URL.

        types  of the fields, as far as a contract tells them
        """
        body: dict = {}
        for name, value in parts:
            kind = types.get(name, "")
            if isinstance(value, forms.File):
                kept = _kept(sandbox, f"file_{secrets.token_hex(8)}", value)
                value = http.file_url(kept.id, value.name)
            else:
                value = _typed(value, kind)
            # Own choice: a field that the contract does not know is an array when its part repeats.
            if kind.startswith("array") or name in body:
                before = body.get(name, [])
                body[name] = [*(before if isinstance(before, list) else [before]), value]
            else:
                body[name] = value
        return body


def _kept(sandbox, file_id: str, file: forms.File):
    return sandbox.store.keep("file", file_id, {"filename": file.name, "media_type": file.media_type}, file.content)


def _told_in_body(told: dict) -> forms.File | None:
    """A file that a body holds as base64; None for what is none, or not the one that it tells."""
    try:
        content = base64.b64decode(told.get("base64", ""), validate=True)
    except (binascii.Error, TypeError, ValueError):
        return None
    facts = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    if not content or any(told.get(name, fact) != fact for name, fact in facts.items()):
        return None
    name, media_type = (told.get(word) for word in ("name", "media_type"))
    return forms.File(forms.own_name(name) if isinstance(name, str) else "file", str(media_type or ""), content)


def _typed(text: str, kind: str):
    """A part's text as the value that the contract's type says; text where it can be one."""
    if "string" in kind or not kind:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _asked_by(template, body, found: dict | None = None) -> dict:
    """The values that a body has where its template has placeholders, by their names."""
    found = {} if found is None else found
    for name, item in (template or {}).items():
        value = body.get(name) if isinstance(body, dict) else None
        if isinstance(item, dict):
            _asked_by(item, value, found)
        elif value is not None and re.fullmatch(r"\{\w+\}", str(item)):
            found[item[1:-1]] = value
    return found


def _of_headers(template: dict, http) -> dict:
    told = {item[1:-1]: http.headers.get(name) for name, item in template.items() if re.fullmatch(r"\{\w+\}", item)}
    return {name: value for name, value in told.items() if value}
