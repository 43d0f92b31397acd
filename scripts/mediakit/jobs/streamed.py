"""The stream of one job, read for the machine."""

from __future__ import annotations

from ..console import Console
from ..http import documents, sse
from ..http.answers import StreamChunk, StreamEnded
from ..http.documents import read_json
from ..http.exchange import LARGEST_ANSWER
from .intake import Intake
from .lifecycle.machine import Machine

_LARGEST_PENDING = 256 * 1024


class Streamed:
    """Each method returns the machine's actions.

    chunk  what a piece of the stream comes to
    ended  what its end comes to
    """

    def __init__(self, console: Console, machine: Machine, intake: Intake):
        self._console = console
        self._machine = machine
        self._job = machine.job
        self._intake = intake
        self._decoder = sse.Decoder()
        self._without_id = bytearray()  # what the stream has said before it told an id

    def begin(self) -> None:
        """Another stream begins."""
        self._decoder = sse.Decoder()

    def chunk(self, now: float, chunk: StreamChunk) -> list:
        actions: list = []
        if not self._job.generation_id and len(self._without_id) < LARGEST_ANSWER:
            self._without_id += chunk.content
        try:
            for event in self._decoder.feed(chunk.content):
                actions += self._event(now, event)
                if self._job.ended:
                    break
            actions += self._hint(now, begun=False)
        except sse.EventTooLarge as problem:
            actions += self._machine.stream_ended(now, "malformed", str(problem))
        return actions

    def ended(self, now: float, ended: StreamEnded) -> list:
        # An id in an event that was cut off is still the id of a job that was bought.
        return self._hint(now, begun=True) + self._machine.stream_ended(now, ended.reason, ended.message)

    def settle(self) -> None:
        """Keep a stream that is over and has told no id, as any other answer to a create that does not fit."""
        if self._without_id and (self._job.generation_id or self._job.phase != "streaming"):
            said, self._without_id = self._without_id, bytearray()
            if self._job.outcome == "unknown":
                self._intake.keep(bytes(said))

    def _hint(self, now: float, begun: bool) -> list:
        """Look for the id in an event that has not ended yet; `begun`: also in JSON that is cut off."""
        pending = "" if self._job.generation_id or self._job.ended else self._decoder.pending
        if not pending or len(pending) > _LARGEST_PENDING:
            return []
        hinted = documents.documents(pending.encode("utf-8", "replace"), begun)
        found = self._intake.reader.id_of(hinted)
        for told in hinted if found else ():
            self._intake.bill(told)
        return self._machine.stream_hinted(now, found) if found else []

    def _event(self, now: float, event: sse.Event) -> list:
        if event.data.strip() == "[DONE]":
            return self._machine.stream_ended(now, "eof")
        content = event.data.encode("utf-8", "replace")
        body, problem = read_json(content)
        values = [body] if not problem else documents.documents(content, False)
        if not values and event.data:
            return self._machine.stream_said(now, event.name, None, self._console.plain(event.data, 100))
        actions: list = []
        for value in values or [None]:
            actions += self._machine.stream_said(now, event.name, *self._intake.event(value))
        return actions
