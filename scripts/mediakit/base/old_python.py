"""How a script ends, or goes on, where the Python that reads it is too old.

leave   does not return

In the syntax of Python 2.7, as `start` is. base.codes, base.times and the console are for Pythons that can read them.
"""

import json
import os
import sys

from . import environment
from .start import OLDEST, now


def leave():
    """Go on in our own environment where there is one; else say in one line what to do, and end."""
    elsewhere = None if environment.is_this() else environment.python()
    if elsewhere:
        environment.go_on(elsewhere, os.path.realpath(sys.argv[0]))
    argv, guidance = environment.recipe(environment.newer_python(OLDEST))
    _say(argv, guidance)
    sys.exit(28)


def _say(argv, guidance):
    found = ".".join(str(part) for part in sys.version_info[:3])
    required = ".".join(str(part) for part in OLDEST)
    fields = [
        ("event", "error"),
        ("time", now()),
        ("error", "python_too_old"),
        ("category", "dependency"),
        ("message", "this is Python %s, and %s or newer is required; nothing was sent" % (found, required)),
        ("guidance", guidance + ["Or run the script with a newer Python, or with `uv run --no-config`."]),
        ("found", found),
        ("required", required),
        ("retryable", False),
        ("outcome", "not_sent"),
    ]
    if argv:
        fields += [("next_command", " ".join(environment.quote(word) for word in argv)), ("next_argv", argv)]
    fields.append(("exit_code", 28))
    line = ",".join("%s:%s" % (json.dumps(name), json.dumps(value, separators=(",", ":"))) for name, value in fields)
    try:
        sys.stdout.write("{%s}\n" % line)
        sys.stdout.flush()
    except (AttributeError, EnvironmentError, ValueError):  # closed, or nobody reads it
        os._exit(141)
