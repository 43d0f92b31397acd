"""How one answer is read: a stream piece by piece, all else whole, and both however they come.

receive    reads it in the exchange's own thread and reports what it is
salvaged   what can be had of an answer that could not be read as HTTP
tell       reports and traces what came of a request
"""

from __future__ import annotations

from collections.abc import Iterator

from ..base.record import replace
from ..base.regex import regex
from . import documents
from .answers import Answer, Lost, StreamEnded, StreamOpened
from .encodings import Decoding
from .exchange import LARGEST_ANSWER, Exchange
from .held import Slimming, SlimmingLines

_CHUNK = 65536
# A data: URL of a file begins as a line of an event stream does.
_DATA_URL = regex(rb"(?i)data:[a-z]+/[a-z0-9.+-]+[;,]")
_BLANK = b"\xef\xbb\xbf \t\r\n"
# Seconds of silence after which an answer that looks complete counts as complete.
_SILENCE = 2.0
# Larger answers are not checked for completeness: that would take longer than waiting.
_LARGEST_LOOKED_AT = 1024 * 1024


class _Body:
    """The decoded pieces of one answer.

    damage  why it ended before its end, or what was wrong with it; "" where nothing was
    is_mislabelled  whether that is only its label: it came whole
    """

    def __init__(self, exchange: Exchange, response):
        self.damage = ""
        self.is_mislabelled = False
        self._exchange = exchange
        self._response = response
        self._decoding = Decoding(response.headers.get("Content-Encoding", ""), sniffs=True)

    @property
    def may_go_on(self) -> bool:
        """Whether more of it is waited for; not where as much came as was announced."""
        return self._response.raw.length_remaining != 0

    def __iter__(self) -> Iterator[bytes]:
        try:
            while raw := self._response.raw.read1(_CHUNK, decode_content=False):
                yield from self._decoding.feed(raw)
        except GeneratorExit:
            raise
        except Exception as problem:
            self.damage = self._exchange.words(problem)
        yield from self._decoding.finish()
        self.is_mislabelled = not self.damage and self._decoding.is_mislabelled
        self.damage = self.damage or self._decoding.problem


def receive(exchange: Exchange, response, stream: bool, posted: bool, trace) -> bool:
    """Read an answer whose head has come; whether it came whole, so that its connection may carry another request.

    stream  whether an event stream was asked for
    posted  whether it answers a POST: one that accepts may come as events though none were asked for
    """
    status = response.status_code
    body = _Body(exchange, response)
    pieces = iter(body)
    first = b""
    if posted and 200 <= status < 300:
        declared = "text/event-stream" in response.headers.get("Content-Type", "").lower()
        if declared and stream:
            exchange.report(StreamOpened(status))
        first = _beginning(pieces)
        if _is_stream(first, declared, stream):
            if not (declared and stream):
                exchange.report(StreamOpened(status))
            _read_stream(exchange, body, first, pieces, trace)
            return False
    # What answers a paid request may be the result itself, whatever its size.
    content = _read_whole(exchange, body, first, pieces, holds_all=posted and 200 <= status < 300)
    answer = Answer(status, response.headers, content, body.damage)
    if posted and body.is_mislabelled and not documents.is_complete(content):
        answer = replace(answer, damage="")  # a file: a label on it costs nothing
    tell(exchange, _judged(exchange, answer, posted), trace)
    return not body.damage


def _beginning(pieces: Iterator[bytes]) -> bytes:
    """The pieces of an answer up to the first that is not blank; blanks that go on and on say nothing more."""
    found: list[bytes] = []
    while sum(map(len, found)) < _LARGEST_LOOKED_AT and (piece := next(pieces, b"")):
        found.append(piece)
        if piece.strip(_BLANK):
            break
    return b"".join(found)


def _is_stream(first: bytes, declared: bool, asked: bool) -> bool:
    """Whether an answer is a stream, by how it begins: headers say one thing or the other by mistake.

    No event of ours begins with a brace, a bracket, an angle or a quotation mark: JSON and HTML in place of a
    stream are told by that, and files by bytes that no text has.
    """
    begin = first.lstrip(_BLANK)[:64]
    if _DATA_URL.match(begin):
        return False
    if begin[:1] in (b"{", b"[", b"<", b'"') or any(byte < 9 or 13 < byte < 27 for byte in begin):
        return False
    return (declared and asked) or documents.looks_like_events(begin) or (declared and not begin)


def _read_stream(exchange: Exchange, body: _Body, first: bytes, pieces: Iterator[bytes], trace) -> None:
    chunk, slimming = first, SlimmingLines()
    while chunk and not exchange.left:
        _pass_on(exchange, slimming.through(chunk), trace)
        chunk = next(pieces, b"")
    _pass_on(exchange, slimming.finish(), trace)
    if body.damage:
        late = None if first else salvaged(exchange)  # nothing could be read as it was said to be sent
        _pass_on(exchange, late.content if late else b"", trace)
        trace({"lost": {"message": body.damage, "sent": True}})
        return exchange.report(StreamEnded("reset", body.damage))
    exchange.report(StreamEnded("eof"))


def _pass_on(exchange: Exchange, chunk: bytes, trace) -> None:
    if chunk:
        trace({"chunk": chunk})
        exchange.report_chunk(chunk)


def _read_whole(
    exchange: Exchange, body: _Body, first: bytes, pieces: Iterator[bytes], holds_all: bool = False
) -> bytes:
    slimming = Slimming(holds_all=holds_all)
    slimming.feed(first)
    content = slimming.content
    while True:
        if len(content) > exchange.largest:
            body.damage = f"an answer of more than {exchange.largest} bytes"
            return bytes(content[: exchange.largest])
        if content and body.may_go_on and len(content) <= _LARGEST_LOOKED_AT and _could_be_over(exchange, content):
            exchange.hurry(_SILENCE)
        piece = next(pieces, b"")
        if not piece:
            return slimming.finish()
        slimming.feed(piece)


def _could_be_over(exchange: Exchange, content: bytearray) -> bool:
    return (
        bytes(content[-64:]).rstrip(b"\0 \t\r\n")[-1:] in (b"}", b"]", b'"')
        and not exchange.has_more
        and documents.is_complete(bytes(content))
    )


def _judged(exchange: Exchange, answer: Answer, posted: bool) -> Answer | Lost:
    """An answer as it came, or mended, or lost where the end of it is missing and nothing shows that it was all."""
    if not 200 <= answer.status < 300:
        # The status has told what became of the request; the rest was only words.
        return replace(answer, damage="")
    if answer.damage or posted:
        if documents.is_complete(answer.content):
            return answer
        found = salvaged(exchange)
        if found is not None and documents.is_complete(found.content):
            return replace(answer, content=found.content, damage=answer.damage or "the answer's envelope is broken")
        if found is not None and not answer.content:
            answer = replace(answer, content=found.content)  # what came is kept, though nothing says what it is
    return Lost(answer.damage, exchange.sent, begun=answer) if answer.damage else answer


def salvaged(exchange: Exchange) -> Answer | None:
    """The answer in what came off the socket, where it could not be read as HTTP; None for nothing."""
    from requests.structures import CaseInsensitiveDict

    found = documents.unwrapped(bytes(exchange.record))
    if found is None:
        return None
    status, headers, body = found
    named = CaseInsensitiveDict(headers)
    variants = [_decoded(named.get("Content-Encoding", ""), raw) for raw in (documents.dechunked(body), body) if raw]
    content = next(filter(documents.is_complete, variants), variants[0] if variants else b"")
    # Without a status line there is no status: what matters is whether an id is in it.
    return Answer(200 if status is None else status, named, content, "the answer is not HTTP") if content else None


def _decoded(label: str, raw: bytes) -> bytes:
    decoding = Decoding(label, sniffs=True)
    content = bytearray()
    for pieces in (decoding.feed(raw), decoding.finish()):
        for piece in pieces:
            content += piece
            if len(content) > LARGEST_ANSWER:
                return bytes(content)
    return bytes(content)


def tell(exchange: Exchange, found: Answer | Lost, trace) -> None:
    """Report what came of a request, and trace it."""
    answer = found if isinstance(found, Answer) else found.begun
    if answer is not None:
        told = {"status": answer.status, "headers": dict(answer.headers), "body": answer.content}
        trace({"answer": {**told, **({"damage": answer.damage} if answer.damage else {})}})
    if isinstance(found, Lost):
        trace({"lost": {"message": found.message, "sent": found.sent}})
    exchange.report(found)


def refuse_layers(headers) -> None:
    """Raise ValueError for an answer that is compressed more than once: a few bytes of it can become gigabytes."""
    if "," in headers.get("Content-Encoding", ""):
        raise ValueError("an answer that is compressed more than once")
