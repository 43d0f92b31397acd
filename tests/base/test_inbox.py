"""The one place where a thread waits for what others put."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from mediakit.base.inbox import Inbox, Signal


def test_messages_come_in_the_order_in_which_they_were_put():
    inbox = Inbox()
    for number in range(3):
        inbox.put(number)
    assert [inbox.take(), inbox.take(0), inbox.take(1)] == [0, 1, 2]


def test_nothing_within_the_time_is_none_and_a_time_of_nothing_asks_once():
    inbox = Inbox()
    assert inbox.take(0) is None
    assert inbox.take(-1) is None
    began_at = time.monotonic()
    assert inbox.take(0.3) is None
    assert time.monotonic() - began_at >= 0.3


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
@pytest.mark.parametrize("seconds", [60.0, float("inf")])
def test_a_signal_handler_runs_while_its_thread_waits_and_can_put_the_message_itself(seconds):
    inbox = Inbox()
    before = signal.signal(signal.SIGUSR1, lambda number, frame: inbox.put(Signal(number)))
    try:
        # To the process and not to a thread: that is how a user's Ctrl-C comes.
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert inbox.take(seconds) == Signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
