"""Requests to stop: Ctrl-C, SIGTERM and their kin.

catch   hand each to the console
ignore  from now on
"""

from __future__ import annotations

import os

from ..base.start import signals as signal


def _signals() -> list[int]:
    names = ("SIGINT", "SIGTERM", "SIGBREAK") if os.name == "nt" else ("SIGINT", "SIGTERM", "SIGHUP")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


def catch(console) -> None:
    def arrived(number, frame):
        console.is_stopping = True
        # A hang-up is a request to stop like any other; Ctrl-Break is Ctrl-C on Windows.
        console.on_signal(signal.SIGTERM if number == getattr(signal, "SIGHUP", None) else _as_interrupt(number))

    for number in _signals():
        # `nohup` asks that a hang-up be survived. An ignored SIGINT is only what shells do to
        # background jobs, and a SIGINT that is sent on purpose is meant.
        if number != getattr(signal, "SIGHUP", None) or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, arrived)


def _as_interrupt(number: int) -> int:
    return signal.SIGINT if number == getattr(signal, "SIGBREAK", None) else number


def ignore() -> None:
    for number in _signals():
        signal.signal(number, signal.SIG_IGN)
