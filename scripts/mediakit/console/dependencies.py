"""The packages that a script needs: here, in an environment of our own, or what makes one.

require  go on only where they are, in our own environment if they are there
prefer   go on in our own environment if they are there and not here
problem  the Failure that `require` would raise, for whoever only wants to know
broken   the Failure for a package that cannot be imported although it seemed to be there
"""

from __future__ import annotations

import functools
import os
import sys

from ..base import environment, errors, packages
from ..base.record import asdict
from . import commands


def require(script: str) -> None:
    """Go on only with every package of requirements.txt, new enough; raises Failure.

    script  the file name of the script that is running, to run it again where the packages are
    """
    missing = prefer(script)
    if missing:
        raise _failure(missing)


def prefer(script: str) -> list[packages.Problem]:
    """Go on in our own environment where that has what is missing here; else what is missing, nothing at best."""
    missing = _missing()
    elsewhere = _elsewhere() if missing else None
    if elsewhere:
        environment.go_on(elsewhere, os.path.join(commands.SCRIPTS, script))
    return missing


def problem() -> errors.Failure | None:
    """What keeps a script from running with its packages, here or in our own environment; None where nothing does."""
    missing = _missing()
    return _failure(missing) if missing and not _elsewhere() else None


@functools.lru_cache(maxsize=None)
def _missing() -> list[packages.Problem]:
    """What this Python lacks; it does not change while a script runs."""
    return packages.missing()


def broken(problem: ImportError) -> errors.Failure:
    """For an import that failed: a package that another one needs, or one that was built for another Python."""
    name = (problem.name or "of an import").split(".")[0]
    return _told("missing_dependency", f"the Python package {name} cannot be imported", [])


def _elsewhere() -> str | None:
    """The interpreter of our own environment, where that has all that is missing here."""
    interpreter = None if environment.is_this() else environment.python()
    return interpreter if interpreter and not packages.problems(environment.packages_folders()) else None


def _failure(missing: list[packages.Problem]) -> errors.Failure:
    old = [one for one in missing if one.found is not None]
    if not old:
        names = ", ".join(one.package for one in missing)
        return _told("missing_dependency", f"these Python packages are not installed: {names}", missing)
    words = "; ".join(f"{one.package} {one.found} is older than {one.required}, which is required" for one in old)
    return _told("package_too_old", f"{words}; nothing was sent", old)


def _told(code: str, message: str, problems: list[packages.Problem]) -> errors.Failure:
    argv, guidance = environment.recipe(sys.executable)
    first = {name: value for name, value in asdict(problems[0]).items() if value is not None} if problems else {}
    return errors.Failure(
        code,
        message,
        "dependency",
        guidance=[*guidance, "Or run the script with `uv run --no-config`, which reads what it needs from its head."],
        retryable=False,
        outcome="not_sent",
        **first,
        **(commands.of(argv) if argv else {}),
    )
