"""Threads that take turns at many pieces of work.

in_a_thread  a piece of work begins at once, in a thread of its own
Workers      so many threads at most; what comes while all are at work waits its turn
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    import queue
    from collections.abc import Callable


def in_a_thread(work: Callable[[], None]) -> None:
    import threading

    threading.Thread(target=work, daemon=True).start()


class Workers:
    """Called with a piece of work, a callable without arguments that never raises. A thread is made when it is needed,
    and stays."""

    def __init__(self, most: int):
        import queue
        import threading

        self._most = most
        self._work: queue.SimpleQueue = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._busy = 0

    def __call__(self, work: Callable[[], None]) -> None:
        with self._lock:
            self._busy += 1
            is_short = self._busy > self._threads and self._threads < self._most
            self._threads += is_short
        self._work.put(work)
        if is_short:
            in_a_thread(self._run)

    def _run(self) -> None:
        while True:
            work = self._work.get()
            try:
                work()
            finally:
                with self._lock:
                    self._busy -= 1
