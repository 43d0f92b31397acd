"""One request that is under way: whether a byte of it left, what has come, and how to keep it back."""

from __future__ import annotations

import socket
import threading
import time

from ..base.inbox import Message
from .answers import Lost, StreamChunk
from .faults import Canceled, Forbidden, is_final, reason

# Most chunks in the inbox; then the reading thread waits until they are taken.
_CHUNKS_AHEAD = 32
# Bytes of an answer kept raw, in case they cannot be read as HTTP.
LARGEST_RECORD = 256 * 1024
# Of an answer, besides the files as base64 in it, which are held apart.
LARGEST_ANSWER = 16 * 1024 * 1024


class Exchange:
    """One request that is under way.

    allows_peer  (address) -> whether a connected address may be talked to; None for any
    on_sending   called before the first byte leaves; if it raises, none does
    target       the request target as it is to stand in the request, byte for byte; None for what the URL makes of it
    seconds      for all of it; None for no limit here

    largest      how many bytes an answer can have, besides what is held apart
    sent         whether a byte of it was passed to the socket
    withhold     keep it from being sent; False if it is too late
    leave        stop reading; what arrives later is not reported
    is_answering whether an answer is being read, or lies in the socket: after a process was stopped for a while,
                 its own clock says that the time is up though the answer is there
    """

    def __init__(self, inbox, allows_peer=None, on_sending=None, target: str | None = None, seconds=None):
        self.target = target
        # The settings of the environment that it went by: which variable names the proxy, and the CA certificates.
        self.proxy: str | None = None
        self.certificates: str | None = None
        self.record = bytearray()
        self.largest = LARGEST_ANSWER
        self._on_sending = on_sending
        self._inbox = inbox
        self._allows_peer = allows_peer
        self._over_at = float("inf") if seconds is None else time.monotonic() + seconds
        self._lock = threading.Lock()
        self._began_sending = False
        self._withheld = False
        self._left = False
        self._socket: socket.socket | None = None
        self._is_waiting = False
        self._is_over = False
        self._room = threading.BoundedSemaphore(_CHUNKS_AHEAD)

    @property
    def sent(self) -> bool:
        return self._began_sending

    @property
    def left(self) -> bool:
        return self._left

    @property
    def is_answering(self) -> bool:
        if not self._began_sending or self._is_over or self._left:
            return False
        return not self._is_waiting or self.has_more

    def withhold(self) -> bool:
        with self._lock:
            self._withheld = True
            return not self._began_sending

    def leave(self) -> None:
        self.withhold()
        with self._lock:
            self._left = True
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RD)  # close() would wait for the thread that reads
                except (OSError, ValueError, AttributeError):
                    pass  # it is closed already: either way nothing is read any more

    def lets_go(self) -> bool:
        """Its connection may carry another request: whether it was not left, and so never touches it again."""
        with self._lock:
            self._socket = None
            return not self._left

    def taken(self) -> None:
        """The reader of the inbox is done with one chunk."""
        self._room.release()

    # Called by the connection, in the exchange's own thread.

    def reached(self, connected, is_proxy: bool) -> None:
        self._socket = connected
        if self._allows_peer and not is_proxy and not self._allows_peer(connected.getpeername()[0]):
            raise Forbidden("the name leads to an address that may not be contacted")

    def before_sending(self) -> None:
        with self._lock:
            if self._withheld:
                raise Canceled
            if not self._began_sending:
                self.record.clear()  # what a proxy said before is no part of the answer
                if self._on_sending:
                    self._on_sending()
            self._began_sending = True

    def receive(self, connected, buffer) -> int:
        """Read from a socket into a buffer, as `recv_into`; raises TimeoutError also when the time for all is up."""
        while True:
            left = self._over_at - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer took too long in all")
            limit = connected.gettimeout()
            if left < (float("inf") if limit is None else limit):
                connected.settimeout(left)
            self._is_waiting = True
            try:
                count = connected.recv_into(buffer)
            except socket.timeout:
                # The clock ran on while this process was stopped; what came meanwhile lies in the socket.
                if self.has_more:
                    continue
                raise
            finally:
                self._is_waiting = False
            if len(self.record) < LARGEST_RECORD:
                self.record += bytes(buffer[:count])
            return count

    def hurry(self, seconds: float) -> None:
        """Wait no longer than that for all the rest of the answer."""
        self._over_at = min(self._over_at, time.monotonic() + seconds)

    def drain(self, seconds: float) -> None:
        """Read on into the record where the answer cannot be understood, to its end or for so long."""
        connected, buffer = self._socket, memoryview(bytearray(65536))
        self.hurry(seconds)
        try:
            while connected is not None and len(self.record) < LARGEST_RECORD and self.receive(connected, buffer):
                pass
        except (OSError, ValueError):
            pass  # what came until then counts

    @property
    def has_more(self) -> bool:
        """Whether bytes lie in the socket."""
        from urllib3.util.wait import wait_for_read

        try:
            return self._socket is not None and wait_for_read(self._socket, 0)
        except (OSError, ValueError):
            return False  # it is closed

    # Called by the wire, in the exchange's own thread.

    def report(self, content) -> None:
        if not self._left:
            self._inbox.put(Message(self, content))

    def report_chunk(self, chunk: bytes) -> None:
        while not self._room.acquire(timeout=0.5):
            if self._left:
                return
        self.report(StreamChunk(chunk))

    def ended(self) -> None:
        """Nothing more is reported."""
        self._is_over = True

    def words(self, problem: BaseException) -> str:
        """A transport's exception in words, with the settings that it has to do with."""
        return reason(problem, self.proxy, self.certificates)

    def lost(self, problem: BaseException) -> Lost:
        return Lost(self.words(problem), self._began_sending, is_final(problem))
