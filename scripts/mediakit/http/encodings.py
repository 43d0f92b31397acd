"""A Content-Encoding undone as far as it can be. Pure.

Hosts label bodies as compressed that are not, send labels that mean nothing, and lose the end of what they
compress. What was paid for is in there all the same: nothing here raises, and `problem` says what was odd.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

_PIECE = 65536
_GZIP = b"\x1f\x8b"
# A raw deflate stream has no mark: so many bytes must come out of it before it is believed to be one.
_BELIEVED = 1024
_NOT_PACKED = "it is said to be compressed, and is not"

_COMPRESSED = ("gzip", "x-gzip", "deflate")
_GUESSED = "gzip?"
# Never asked for, and read where the package for it happens to be there.
_BROTLI = "br"
_UNREAD = ("br", "zstd", "compress", "x-compress", "zlib", "lzma", "xz", "bzip2", "snappy", "dcb", "dcz")


# Proxies label anew what is labelled already, and compress what is compressed; nobody does it three times.
_MOST_LAYERS = 2


class Decoding:
    """One body. Feed it the pieces as they come; what it yields are pieces of at most 64 KiB.

    label    the Content-Encoding header, "" for none
    sniffs   whether what begins as gzip does is unpacked though no label says so: for text, never for files
    problem  what was wrong with it, in words; "" where nothing was
    is_plain whether nothing is to be undone
    is_cut   whether the end of a compressed stream is missing
    """

    def __init__(self, label: str, sniffs: bool = False):
        words = [word.strip().lower() for word in label.split(",")]
        real = [word for word in words if word in _COMPRESSED or word in _UNREAD]
        self._problem = _unreadable(real)
        real = [] if self._problem else real
        if sniffs and len(real) < _MOST_LAYERS and not self._problem:
            real.insert(0, _GUESSED)
        self._layers = [_Layer(word) for word in reversed(real)]  # the last that was laid on is undone first

    @property
    def problem(self) -> str:
        return next((layer.problem for layer in self._layers if layer.problem), self._problem)

    @property
    def is_mislabelled(self) -> bool:
        """Whether all that is wrong is the label: what came is what was sent, and whole."""
        return self.problem == _NOT_PACKED and not self.is_cut

    @property
    def is_cut(self) -> bool:
        return any(layer.is_cut for layer in self._layers)

    @property
    def is_plain(self) -> bool:
        """Whether nothing is to be undone: what comes out is what goes in."""
        return not self._layers

    def feed(self, content: bytes) -> Iterator[bytes]:
        """The bytes that become readable by more bytes of the body."""
        return self._through(iter((content,)), self._layers)

    def finish(self) -> Iterator[bytes]:
        """What is left when nothing more comes."""
        for at, layer in enumerate(self._layers):
            yield from self._through(layer.finish(), self._layers[at + 1 :])

    def _through(self, pieces: Iterator[bytes], layers: list[_Layer]) -> Iterator[bytes]:
        for layer in layers:
            pieces = _undone(layer, pieces)
        return (piece for piece in pieces if piece)


def _undone(layer: _Layer, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from layer.feed(piece)


def _unreadable(real: list[str]) -> str:
    """Why a body with these labels is left as it came, in words; "" for one that is not."""
    if len(real) > _MOST_LAYERS:
        # A few bytes that were compressed so often can become gigabytes; nobody asked for even one layer.
        return "it is compressed more than twice"
    way = next((word for word in real if word in _UNREAD and not (word == _BROTLI and _brotli())), None)
    if way is None:
        return ""
    more = "; the package brotli 1.2 reads it" if way == _BROTLI else ""
    return f"it is said to be compressed in a way that is not read ({way}{more})"


class _Layer:
    """One compression of a body, undone; `word` is its label, or _GUESSED where what begins as gzip does is unpacked."""

    def __init__(self, word: str):
        self.problem = ""
        self.is_cut = False
        self._expected = word
        self._decoder: Any = None
        self._decided = False
        self._begin = b""  # what came before it was clear what it is
        self._after = b""  # what came behind the end of a compressed stream
        # The first bytes out of a stream without a mark, which may be none.
        self._is_doubted = False
        self._held: list[bytes] = []
        self._given = 0

    def feed(self, content: bytes) -> Iterator[bytes]:
        """The bytes that become readable by more bytes of the body."""
        if not self._decided:
            self._begin += content
            if len(self._begin) < 2:
                return
            content, self._begin = self._begin, b""
            self._decide(content)
        if self._decoder is None:
            if content:
                yield content
            return
        yield from self._unpack(content)

    def finish(self) -> Iterator[bytes]:
        """What is left when nothing more comes."""
        if not self._decided:
            self._decided = True
            if self._begin:
                yield self._begin
        elif self._decoder is not None and not self._decoder.eof:
            if self._is_doubted and _is_text(self._begin):
                self._held, self.problem = [self._begin], _NOT_PACKED
            else:
                self.is_cut, self.problem = True, "its compression has no end"
            yield from self._held
        self._held = []

    def _decide(self, begin: bytes) -> None:
        self._decided = True
        if begin.startswith(_GZIP) and self._expected != _BROTLI:
            self._decoder = zlib.decompressobj(wbits=31)
        elif self._expected == "deflate" and begin[0] & 15 == 8 and (begin[0] << 8 | begin[1]) % 31 == 0:
            self._decoder = zlib.decompressobj(wbits=15)
        elif self._expected in ("deflate", _BROTLI):
            self._decoder = zlib.decompressobj(wbits=-15) if self._expected == "deflate" else _Brotli()
            self._is_doubted = True
        elif self._expected != _GUESSED:
            self.problem = _NOT_PACKED

    def _unpack(self, content: bytes) -> Iterator[bytes]:
        if self._is_doubted:
            self._begin += content
        while content := self._next_member(content):
            before = self._decoder.copy()
            try:
                piece = self._decoder.decompress(content, _PIECE)
            except zlib.error:
                yield from self._broken(before, content)
                return
            content = self._decoder.unused_data if self._decoder.eof else self._decoder.unconsumed_tail
            yield from self._release(piece)

    def _next_member(self, content: bytes) -> bytes:
        """What is to be unpacked next: several members one after another are one file (RFC 1952, 2.2)."""
        if not self._decoder.eof:
            return content
        self._after += content
        if not self._after.startswith(_GZIP):
            self._after = self._after[:2]  # something else behind it means nothing
            return b""
        content, self._after = self._after, b""
        self._decoder = zlib.decompressobj(wbits=31)
        return content

    def _release(self, piece: bytes) -> Iterator[bytes]:
        """Hold back the first bytes of a stream without a mark, until they are believed."""
        if self._is_doubted:
            if piece:
                self._held.append(piece)
            self._given += len(piece)
            if self._given < _BELIEVED and not self._decoder.eof:
                return
            self._is_doubted = False
            yield from self._held
            self._held = []
        elif piece:
            yield piece

    def _broken(self, decoder, content: bytes) -> Iterator[bytes]:
        """The compressed stream is none, or not any more: as it came, or all that can be had of it."""
        if self._is_doubted:
            self.problem = _NOT_PACKED
            self._decoder, self._held, self._is_doubted = None, [], False
            yield self._begin
            return
        self.problem, self.is_cut = "its compression is broken", True
        rest = bytearray()
        for at in range(len(content)):
            try:
                rest += decoder.decompress(content[at : at + 1])
            except zlib.error:
                break
        self._decoder = _Over()
        if rest:
            yield bytes(rest)


def _is_text(content: bytes) -> bool:
    try:
        return all(character.isprintable() or character.isspace() for character in content.decode())
    except UnicodeDecodeError:
        return False


def _brotli() -> Any:
    """The module that reads brotli, or None; older ones cannot say how much comes out of them."""
    try:
        brotli = import_module("brotli")
        return brotli if hasattr(brotli.Decompressor, "can_accept_more_data") else None
    except Exception:  # not there, or not one that works here
        return None


class _Brotli:
    """A decoder of brotli with what zlib's have; what it cannot give out yet it keeps itself."""

    unused_data = b""

    def __init__(self) -> None:
        self.eof = False
        self.unconsumed_tail = b""
        self._module = _brotli()
        self._decompressor = self._module.Decompressor()

    def copy(self) -> _Brotli:
        return self  # nothing can be had of it behind a break

    def decompress(self, content: bytes, most: int = 1) -> bytes:
        given = b"" if self.unconsumed_tail else content
        most = max(most // 2, 1)  # it gives some more
        try:
            piece = self._decompressor.process(given, output_buffer_limit=most)
        except self._module.error as problem:
            raise zlib.error(str(problem)) from None
        self.eof = self._decompressor.is_finished()
        is_full = not self.eof and (len(piece) >= most or not self._decompressor.can_accept_more_data())
        self.unconsumed_tail = b"\0" if is_full else b""  # to be called again
        return piece


class _Over:
    """In place of a decoder whose stream broke: nothing after the break can be read."""

    eof = True
