"""Runs another program within bounds. Knows paths, environments and pipes; not what the program is for.

environment   what a program gets of this process's environment
Process       one program that runs: started once, read within bounds, stopped on demand
Ended         what became of it
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import namedtuple
from collections.abc import Collection

from ..base import programs

LARGEST_OUTPUT = 16 * 1024 * 1024
LARGEST_ERRORS = 4096
_CHUNK = 65536
# Seconds between asking a program to end and killing it.
_GRACE = 2.0
# Seconds to wait for a pipe after its program has ended: a child process may hold it open.
_PIPE_GRACE = 1.0

# What a process needs to find its files, its words, its way out, whom to trust and this user's keychain. Nothing
# else of the environment is handed on: it can hold the keys of other services, or options of an interpreter.
_NEEDED = frozenset(
    "PATH HOME USERPROFILE HOMEDRIVE HOMEPATH APPDATA LOCALAPPDATA SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT "
    "XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME XDG_STATE_HOME TMPDIR TEMP TMP LANG LANGUAGE TZ "
    "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS "
    # The keychain's daemon, and the window in which it asks for its password.
    "USER LOGNAME USERNAME USERDOMAIN PROGRAMDATA DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR XDG_CURRENT_DESKTOP "
    "XDG_SESSION_TYPE DESKTOP_SESSION KDE_FULL_SESSION KDE_SESSION_VERSION GNOME_KEYRING_CONTROL DISPLAY "
    "WAYLAND_DISPLAY XAUTHORITY".split()
)

# exit_code  negative for a signal
# output     what it wrote to its standard output, at most LARGEST_OUTPUT bytes
# errors     the beginning of what it wrote to its standard error
# stopped    why it was stopped, in words; None where it ended by itself
Ended = namedtuple("Ended", "exit_code output errors stopped")


def environment(names: Collection[str] = (), **more: str) -> dict[str, str]:
    """What a program gets: what every process needs, the variables of `names`, and `more`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _NEEDED or name.startswith("LC_") or name in names
    }
    # A program that starts another by name must not find it in the working directory either.
    return {**kept, "PATH": os.pathsep.join(programs.folders()), **more}


class Process:
    """One program.

    start   begin; raises OSError where that is not possible, or not wanted any more
    finish  wait for its end
    stop    make it end, from any thread, at any time; a program that has not begun never does
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._process = None
        self._stopped: str | None = None
        self._over = threading.Event()

    def start(self, argv: list[str], environment: dict[str, str]) -> None:
        import subprocess

        with self._lock:
            if self._stopped is not None:
                raise OSError(self._stopped)
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=os.path.abspath(os.sep),
                env=environment,
                **_apart(),
            )

    def finish(self, content: bytes, limit: float) -> Ended:
        """Feed it its standard input, and wait until it has ended, at most `limit` seconds."""
        process = self._process
        assert process is not None, "finish comes after start"
        alarm = _later(limit, self.stop, f"it did not end within {limit:g} s")
        too_much = f"it wrote more than {LARGEST_OUTPUT} bytes"
        output = _Reader(process.stdout, LARGEST_OUTPUT, lambda: self.stop(too_much))
        errors = _Reader(process.stderr, LARGEST_ERRORS, lambda: None)
        _in_background(_write, process.stdin, content)
        try:
            code = process.wait()
        except BaseException:  # a signal's handler raises in the main thread
            self.stop("this command was interrupted")
            raise
        finally:
            alarm.cancel()
        self._over.set()
        return Ended(code, output.content(), errors.content(), self._stopped)

    def stop(self, reason: str) -> None:
        """Ask it to end, and make it a little later."""
        with self._lock:
            self._stopped = self._stopped or reason
        if self._signal(signal.SIGTERM):
            _later(_GRACE, self.kill)

    def kill(self) -> None:
        """Make it end."""
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    def has_ended(self, within: float) -> bool:
        """Whether it has ended, or never began, at the latest so many seconds from now."""
        return self._process is None or self._over.wait(within)

    def _signal(self, number: int) -> bool:
        """Send a signal to it and to what it has started; whether there was something to send it to."""
        process = self._process
        if process is None or process.poll() is not None:
            return False
        try:
            if os.name == "nt":
                process.kill()
            else:
                os.killpg(process.pid, number)
        except OSError:
            return False  # it has just ended
        return True


def _apart() -> dict:
    """Options of Popen that keep a Ctrl-C at our terminal from the program: what it does may cost money."""
    if sys.platform == "win32":
        import subprocess

        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


class _Reader:
    """Reads a pipe to its end in a thread of its own, and keeps the beginning.

    overflowing  called when there is more than that; what is more is read and dropped
    """

    def __init__(self, pipe, most: int, overflowing):
        self._pipe, self._most, self._overflowing = pipe, most, overflowing
        self._kept = bytearray()
        self._thread = _in_background(self._read)

    def _read(self) -> None:
        try:
            while chunk := self._pipe.read1(_CHUNK):
                space = self._most - len(self._kept)
                self._kept += chunk[:space]
                if len(chunk) > space:
                    self._overflowing()
        except (OSError, ValueError):
            pass  # what was read until then counts

    def content(self) -> bytes:
        self._thread.join(_PIPE_GRACE)
        return bytes(self._kept)


def _write(pipe, content: bytes) -> None:
    try:
        pipe.write(content)
        pipe.close()
    except (OSError, ValueError):
        pass  # a program that does not read its input shows in what it answers


def _in_background(call, *values) -> threading.Thread:
    thread = threading.Thread(target=call, args=values, daemon=True)
    thread.start()
    return thread


def _later(seconds: float, call, *values) -> threading.Timer:
    timer = threading.Timer(seconds, call, values)
    timer.daemon = True
    timer.start()
    return timer
