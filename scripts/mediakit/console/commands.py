"""The command that goes on: `next_command` and `next_argv` of an event."""

from __future__ import annotations

import os
import sys

from ..base import paths

SCRIPTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def command_line(script: str, *flags: str, with_state: bool = True) -> dict:
    """`next_command` and `next_argv` of an event: this interpreter, one of our scripts, our flags.

    with_state  whether it leads to the state of this command, where that is not where the next one would look
    Callers pass only flags of our own and values that they have checked.
    """
    words = next((at for at, flag in enumerate(flags) if flag.startswith("--")), len(flags))
    state = paths.state_flags() if with_state else []
    isolated = ["-I"] if sys.flags.isolated else []
    return of([sys.executable, *isolated, os.path.join(SCRIPTS, script), *flags[:words], *state, *flags[words:]])


def of(argv: list[str]) -> dict:
    """`next_command` and `next_argv` for words of our own, quoted for this platform's shell."""
    if os.name == "nt":
        # PowerShell and cmd both take a quoted word; only PowerShell needs the call operator, and cmd
        # has none, so the quoting is left to the interpreter's own rule.
        from subprocess import list2cmdline

        return {"next_command": list2cmdline(argv), "next_argv": argv}
    import shlex

    return {"next_command": shlex.join(argv), "next_argv": argv}
