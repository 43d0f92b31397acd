"""Inputs on their way to a service, before anything is bought.

    check    what a command names of earlier jobs is there
    fulfil   a Ready: what a create sends in place of the stand-ins
    recall   a payload of the ledger with the names under which the service has its files
    forget   the service has refused a request with names that were remembered

A service takes files in the create itself, as parts of a form or within its JSON, or has them brought before; the
descriptor's `inputs` says which. Bringing them costs nothing, so that it is tried again.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ..base.record import record
from ..http import bodies
from ..ledger import store
from ..media import inputs
from ..services import providers
from ..services.descriptor import Way
from .connection import Connection, missing_key
from .context import Context
from .request import CheckedRequest
from .sources import Sources, entry_of, failure
from .uploader import SLOWEST, Uploader, remembered, unchanged


@record
class Ready:
    """What a create sends.

    payload  with all values that are known by now
    body     (fields) -> bodies.Body where files travel in the create itself; None where it is plain JSON
    seconds  how long sending the files may take
    reused   names that the service gave to files of an earlier command
    """

    payload: dict
    body: Callable[[dict], bodies.Body] | None = None
    seconds: float = 0.0
    reused: tuple[str, ...] = ()


def check(asked: CheckedRequest, ledger: store.Ledger | None) -> None:
    """Raises Failure where an input is the output of a job that cannot have any."""
    for attachment in asked.attachments.values():
        if isinstance(attachment, inputs.Earlier):
            entry_of(attachment, ledger)


def fulfil(context: Context, asked: CheckedRequest) -> Ready:
    """Bring every input of a request to its service; raises Failure, and then nothing is bought."""
    provider = asked.provider
    if asked.attachments and provider.key and all(way.begin for way in provider.ways):
        if context.connection.authorisation is None:  # a login that only the service's own program can use
            raise missing_key(provider)
    gathering = _Gathering(context, asked)
    for stand_in, attachment in asked.attachments.items():
        gathering.add(stand_in, attachment)
    return gathering.ready()


class _Gathering:
    """The inputs of one request, on their way."""

    def __init__(self, context: Context, asked: CheckedRequest):
        self._asked = asked
        self._ways = asked.provider.ways
        self._sources = Sources(context)
        self._uploader = Uploader(context)
        self._values: dict = {}
        self._parts: dict[str, bodies.Part] = {}
        self._encoded: dict[str, bodies.Source] = {}

    def add(self, stand_in: str, attachment: inputs.Attachment) -> None:
        """Bring one input to the service, or have it go along with the create."""
        kind = attachment.kind or "image"
        found, origin = self._sources.content(attachment)
        if isinstance(found, str):
            self._place(stand_in, found, kind, None, None)
            return
        way = self._way_of(found)
        reference = stand_in
        if way.with_create == "form":
            self._parts[stand_in] = bodies.Part(None, source=found.source, filename=found.filename)
        elif way.with_create:
            reference = self._encode(way, found)
        else:
            reference = self._uploader.deliver(attachment, found, origin, way)
        self._place(stand_in, reference, kind, found.source.media_type, way)

    def _way_of(self, file: inputs.File) -> Way:
        """The first way that the file fits; raises Failure 22 where it is too large for all of them."""
        kind = file.source.media_type.partition("/")[0]
        limits = [way.kinds.get(kind, {}).get("bytes", way.most) or way.most for way in self._ways]
        for way, most in zip(self._ways, limits):
            if most is None or file.source.size <= most:
                return way
        most = max(filter(None, limits))
        words = f"the file has {file.source.size} bytes; at most {most} are taken"
        raise failure(file, "input_refused", words, "validation", False, "Give an address in its place, or convert it.")

    def _encode(self, way: Way, file: inputs.File) -> str:
        token = f"base64-{os.urandom(16).hex()}"
        self._encoded[token] = file.source
        return f"data:{file.source.media_type};base64,{token}" if way.with_create == "data_uri" else token

    def _place(self, stand_in: str, reference: str, kind: str, media_type: str | None, way: Way | None) -> None:
        form = way.file_as if way is not None and way.file_as is not None else self._asked.route.file_as
        is_shaped = stand_in in self._asked.shapes
        self._values[stand_in] = inputs.shape(form, reference, kind, media_type) if is_shaped else reference

    def ready(self) -> Ready:
        values = {stand_in: value for stand_in, value in self._values.items() if value != stand_in}
        payload = inputs.replaced(self._asked.payload, values)
        size = sum(part.source.size for part in self._parts.values()) + sum(one.size for one in self._encoded.values())
        return Ready(payload, self._body(), size / SLOWEST, tuple(self._uploader.reused))

    def _body(self) -> Callable[[dict], bodies.Body] | None:
        parts, encoded = self._parts, self._encoded
        if parts or self._asked.route.is_form:
            return lambda fields: unchanged(bodies.multipart(bodies.parts_of(fields, parts)))
        if encoded:
            return lambda fields: unchanged(bodies.with_base64(fields, encoded))
        return None


def recall(connection: Connection, ledger: store.Ledger | None, payload: dict | None) -> dict | None:
    """A payload of the ledger as it was sent; None where it was not kept, or a name is not remembered."""
    missing = []

    def recalled(value):
        identity = inputs.identity_of(value)
        if identity is not None:
            name = remembered(connection, ledger, identity, _uploading(connection.provider))
            missing.extend([] if name else [identity])
            return name
        if isinstance(value, dict):
            return {key: recalled(item) for key, item in value.items()}
        return [recalled(item) for item in value] if isinstance(value, list) else value

    found = recalled(payload)
    return None if missing else found


def _uploading(provider: providers.Provider) -> Way | None:
    return next((way for way in provider.ways if way.begin), None)


def forget(ledger: store.Ledger | None, names: list[str]) -> None:
    """The next command brings these anew."""
    if ledger is None:
        return
    try:
        for name in names:
            ledger.uploads.forget(name)
    except store.Unusable:
        pass  # they are forgotten anyway when their time is over
