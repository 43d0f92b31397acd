"""A Python package that is not there, and the command that installs it."""

from __future__ import annotations

import os
import sys

from ..base import errors
from .commands import SCRIPTS


def missing(problem: ModuleNotFoundError) -> errors.Failure:
    root = os.path.dirname(SCRIPTS)
    requirements = os.path.normpath(os.path.join(root, "requirements.txt"))
    argv, guidance = [sys.executable, "-m", "pip", "install", "-r", requirements], []
    own = _own_environment()
    if own:
        import shlex

        python = os.path.join(own, "bin", "python")
        steps = ([sys.executable, "-m", "venv", own], [python, *argv[1:]])
        argv = ["sh", "-c", " && ".join(map(shlex.join, steps))]
        guidance = [f"This Python takes no packages (PEP 668). Afterwards run the script with {shlex.quote(python)}"]
    if os.name == "nt":
        from subprocess import list2cmdline as join
    else:
        from shlex import join
    return errors.Failure(
        "missing_dependency",
        f"the Python package {(problem.name or 'of an import').split('.')[0]} is not installed",
        "dependency",
        guidance=[join(argv), *guidance, "Or run it with `uv run`, which reads its dependencies from its head."],
        retryable=False,
        outcome="not_sent",
        next_command=join(argv),
        next_argv=argv,
    )


def _own_environment() -> str | None:
    """Where to make an environment, if this Python belongs to the system and pip refuses to touch it; else None."""
    import sysconfig

    from ..base import paths

    marker = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    if os.name == "nt" or sys.prefix != sys.base_prefix or not os.path.exists(marker):
        return None
    state, _ = paths.state_folder()
    return state and os.path.join(state, "venv")
