"""One request that is under way: whether a byte of it left, and how to keep it back."""

from __future__ import annotations

import threading

from ..base.inbox import Message
from .answers import Lost, StreamChunk
from .faults import Canceled, Forbidden, reason

# So many chunks may wait in the inbox before the reader thread waits for its reader.
_CHUNKS_AHEAD = 32


class Exchange:
    """One request that is under way.

    on_sending  called before the first byte leaves; if it raises, none does
    sent      whether a byte of it was, or could not be proven not to be, passed to the socket
    withhold  keep it from being sent; False if it is too late
    leave     stop reading; what arrives later is not reported
    """

    def __init__(self, inbox, allows_peer=None, on_sending=None):
        self.watched = False
        self._on_sending = on_sending
        self._inbox = inbox
        self._allows_peer = allows_peer
        self._lock = threading.Lock()
        self._began_sending = False
        self._withheld = False
        self._left = False
        self._response = None
        self._room = threading.BoundedSemaphore(_CHUNKS_AHEAD)

    @property
    def sent(self) -> bool:
        return self._began_sending

    @property
    def left(self) -> bool:
        return self._left

    def withhold(self) -> bool:
        with self._lock:
            self._withheld = True
            return not self._began_sending

    def leave(self) -> None:
        self.withhold()
        self._left = True
        response = self._response
        if response is not None:
            try:
                response.raw.shutdown()  # close() would wait for the thread that reads
            except Exception:
                pass  # already closed, or never opened: either way nothing is read any more

    def taken(self) -> None:
        """The reader of the inbox is done with one chunk."""
        self._room.release()

    # Called by the connection, in the exchange's own thread.

    def reached(self, sock) -> None:
        if self._allows_peer and not self._allows_peer(sock.getpeername()[0]):
            raise Forbidden("the name leads to an address that may not be contacted")

    def before_sending(self) -> None:
        with self._lock:
            if self._withheld:
                raise Canceled
            if self._on_sending and not self._began_sending:
                self._on_sending()
            self._began_sending = True

    # Called by the wire, in the exchange's own thread.

    def report(self, content) -> None:
        if not self._left:
            self._inbox.put(Message(self, content))

    def report_chunk(self, chunk: bytes) -> None:
        while not self._room.acquire(timeout=0.5):
            if self._left:
                return
        self.report(StreamChunk(chunk))

    def lost(self, problem: Exception) -> Lost:
        # Without a watch there is no proof, and without proof it counts as sent.
        return Lost(reason(problem), self._began_sending or not self.watched)
