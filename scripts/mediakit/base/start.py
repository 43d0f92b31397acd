"""How every script begins: on a Python that is new enough, and with nothing from the working directory.

Read by whatever Python a shell happens to find, so it is written in the syntax of Python 2.7.
"""

import os
import sys

SCRIPTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
OLDEST = (3, 9)


def begin():
    """What comes before anything else of a script; does not return on a Python that is too old."""
    _close_path()
    if sys.version_info < OLDEST:
        _refuse_python()
    sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)


def _close_path():
    """Import from our folder first, and from the working directory or a path relative to it never."""
    try:
        here = os.path.realpath(os.getcwd())
    except OSError:  # it is gone
        here = None
    kept = [entry for entry in sys.path if entry and not _is_strangers(os.path.realpath(entry), here)]
    sys.path[:] = [SCRIPTS] + [entry for entry in kept if os.path.realpath(entry) != SCRIPTS]


def _is_strangers(entry, here):
    # Whoever stands in the folder of the interpreter's own packages needs them all the same.
    if entry == here:
        return not any(entry.startswith(os.path.join(prefix, "")) for prefix in (sys.prefix, sys.exec_prefix))
    # `site` has made every entry absolute, so a relative one is known only from where it came.
    given = "" if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "")
    relative = [os.path.realpath(path) for path in given.split(os.pathsep) if path and not os.path.isabs(path)]
    return entry in relative


def _refuse_python():
    import json
    import time

    found = ".".join(str(part) for part in sys.version_info[:3])
    required = ".".join(str(part) for part in OLDEST)
    now = time.time()
    fields = [
        ("event", "error"),
        ("time", time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + ".%03dZ" % (now % 1 * 1000)),
        ("error", "python_too_old"),
        ("category", "dependency"),
        ("message", "this is Python %s, and %s or newer is required; nothing was sent" % (found, required)),
        ("guidance", ["Run the script with Python %s or newer, or with `uv run --no-config`." % required]),
        ("found", found),
        ("required", required),
        ("retryable", False),
        ("outcome", "not_sent"),
        ("exit_code", 28),
    ]
    line = ", ".join("%s: %s" % (json.dumps(name), json.dumps(value)) for name, value in fields)
    sys.stdout.write("{%s}\n" % line)
    sys.stdout.flush()
    sys.exit(28)
