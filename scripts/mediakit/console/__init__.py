"""What a command says, and how it ends.

stdout carries line-delimited JSON and nothing else; its last line is the result, on every
path. stderr carries what people read. A script hands its `main` to `run` and never writes
to either stream itself.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import time

from .. import __version__
from ..base import errors

# Characters that JSON leaves as they are but that move a terminal's cursor, reorder its
# text, or end a line for a reader that splits at Unicode line ends.
_UNSAFE = "[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
_CONTROL = "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
# Built by our own code, so a short key that happens to be a word in a path must not break them.
_OWN_FIELDS = frozenset(("event", "time", "next_command", "next_argv", "path", "provenance", "script"))
_SHORTEST_SECRET = 4

REDACTED = "[redacted]"

_STARTED_AT = time.monotonic()
_SCRIPTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class ClosedPipe(Exception):
    """Nobody reads stdout any more."""


class Redactor:
    """Takes secrets out of whatever is about to be shown or stored."""

    def __init__(self):
        self._secrets: list[str] = []

    def protect(self, secret: str) -> None:
        """From now on `secret` is never shown, neither as it is nor as a URL or JSON would spell it."""
        from urllib.parse import quote

        spellings = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
        known = {*self._secrets, *(text for text in spellings if len(text) >= _SHORTEST_SECRET)}
        self._secrets = sorted(known, key=len, reverse=True)

    def text(self, value: str) -> str:
        for secret in self._secrets:
            value = value.replace(secret, REDACTED)
        return value

    def value(self, value):
        """The same JSON value with the secrets taken out of its strings and keys."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC with milliseconds."""
    whole = int(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1000):03d}Z"


def to_line(value: dict) -> str:
    """One JSON object as one line that is valid JSON and valid UTF-8 whatever a service put into it."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        text = json.dumps(value, separators=(",", ":"))
    if text.isascii() and "\x7f" not in text:
        return text
    return re.sub(_UNSAFE, lambda found: f"\\u{ord(found.group()):04x}", text)


def is_flat(value, levels: int = 20) -> bool:
    """Whether a JSON value is nested at most so deep."""
    if not isinstance(value, (dict, list)):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(is_flat(item, levels - 1) for item in inner)


def plain(text: str, limit: int = 300) -> str:
    """Text from a service as one short line that is safe on a terminal."""
    text = (text if text.isprintable() else re.sub(_CONTROL, " ", text)).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


class Console:
    """The events of one command.

    emit      one event, at once
    result    the last event; it carries the exit code, which is returned
    warning   something to know, work goes on
    say       a line on stderr alone
    status    the live line on a terminal's stderr
    on_signal called with the signal's number; raises Interrupted unless a runner replaced it
    about_job what a result must tell about the job that was under way when something went wrong
    """

    def __init__(self, script: str):
        self.script = script
        self.redactor = Redactor()
        self.ended = False
        self.on_signal = self._raise_interrupted
        self.about_job = dict
        self._live = bool(sys.stderr and sys.stderr.isatty())
        self._line_shown = False

    @staticmethod
    def _raise_interrupted(signal_number: int) -> None:
        raise errors.Interrupted(signal_number)

    def emit(self, event: str, **fields) -> None:
        head = {"event": event, "time": rfc3339(time.time())}
        kept = {name: value for name, value in fields.items() if value is not None}
        try:
            self._write({**head, **self._redacted(kept)})
        except RecursionError:
            flat = {
                name: value for name, value in kept.items() if not isinstance(value, (dict, list)) or is_flat(value)
            }
            self._write({**head, **self._redacted(flat), "response_omitted": True})

    def _redacted(self, fields: dict) -> dict:
        return {name: value if name in _OWN_FIELDS else self.redactor.value(value) for name, value in fields.items()}

    def _write(self, event: dict) -> None:
        line = (to_line(event) + "\n").encode()
        self.clear_status()
        try:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        except (OSError, ValueError, AttributeError) as problem:  # closed by the reader, or never open
            raise ClosedPipe from problem

    def result(self, event: str, exit_code: int, **fields) -> int:
        # From here the exit status is decided: a late signal must not contradict the last line.
        _ignore_signals()
        self.emit(event, **fields, exit_code=exit_code)
        self.ended = True
        if self._live and fields.get("message"):
            self.say(f"{event}: {fields['message']}")
        return exit_code

    def failure(self, failure: errors.Failure, **more) -> int:
        """The `error` event of a Failure."""
        fields = {
            **self.about_job(),
            "error": failure.code,
            "category": failure.category,
            "message": failure.message,
            **failure.fields,
            **more,
        }
        return self.result("error", failure.exit_code, **fields)

    def plain(self, text: str, limit: int = 300) -> str:
        """Text from a service as one short line without secrets; cut only after they are out of it."""
        return plain(self.redactor.text(text), limit)

    def warning(self, code: str, message: str) -> None:
        self.emit("warning", code=code, message=message)
        self.say(f"warning: {message}")

    def say(self, text: str) -> None:
        """A line for people and for nobody else; never raises, and any thread may call it."""
        self.clear_status()
        self._show(plain(self.redactor.text(text), 2000) + "\n")

    @staticmethod
    def _show(text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            pass  # a diagnostic that is lost, with its terminal perhaps, is no reason to lose the job

    @staticmethod
    def wait_for(inbox, patience: float = float("inf")):
        """What comes into a SimpleQueue that a signal handler feeds; a plain `get` would sleep through it.

        patience  seconds after which None comes
        """
        import queue

        give_up_at = time.monotonic() + patience
        while (left := give_up_at - time.monotonic()) > 0:
            try:
                return inbox.get(timeout=min(left, 0.25))
            except queue.Empty:
                continue
        return None

    def status(self, text: str) -> None:
        if self._live:
            self._show("\r\x1b[K" + plain(self.redactor.text(text), 110))
            self._line_shown = True

    def clear_status(self) -> None:
        if self._line_shown:
            self._show("\r\x1b[K")
            self._line_shown = False


class Parser(argparse.ArgumentParser):
    """argparse that fails with a Failure and never repeats a value (it may be a key)."""

    def __init__(self, description: str, examples: str, **options):
        super().__init__(
            description=description,
            epilog=f"examples:\n{examples}\n\nexit codes:\n{errors.exit_code_table()}",
            # With a width of its own the formatter does not import what it would take to ask the terminal.
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=100),
            allow_abbrev=False,
            **options,
        )
        self.add_argument("--version", action="store_true", help="write a version event and stop")

    def error(self, message: str):
        message = re.sub("ignored explicit argument .*", "takes no value", message, flags=re.S)
        message = message.replace(
            "expected one argument", "expected a value; one that begins with - is given as =VALUE"
        )
        found = re.match(r"argument ([^:]+): (.*)", message, re.S)
        if found:
            raise errors.bad_argument(found[1], found[2])
        raise errors.bad_argument("arguments", message)

    def parse(self, argv: list[str]) -> argparse.Namespace:
        if argv[:1] == ["--version"]:  # also for a script that must have a word first
            return argparse.Namespace(version=True)
        arguments, unknown = self.parse_known_intermixed_args(argv)  # words may stand between flags
        if arguments.version:
            return arguments
        if unknown:
            # A short flag can have its value attached, a long one after an equals sign.
            flags = [word.split("=")[0] if word.startswith("--") else word[:2] for word in unknown if word[:1] == "-"]
            more = f", nor are {', '.join(flag[:60] for flag in flags[1:])}" if flags[1:] else ""
            raise errors.bad_argument(
                flags[0][:60] if flags else "arguments",
                f"not a flag of this script{more}{self._meant(flags[0])}" if flags else "a value without a flag",
                "What stands after it is not repeated here: it may be a secret.",
                "Run the script with --help for its flags and examples.",
                "A key is never taken from an argument: set the environment variable or use --key-stdin.",
            )
        return arguments

    def _meant(self, flag: str) -> str:
        from difflib import get_close_matches

        near = get_close_matches(flag[:60], self._option_string_actions, n=1, cutoff=0.75)
        return f"; did you mean {near[0]}?" if near else ""


def one_of(*choices: str):
    """An argparse type: one word of `choices`, refused without repeating what was given."""

    def read(text: str) -> str:
        if text not in choices:
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(choices)}")
        return text

    return read


def whole(least: int, most: int):
    """An argparse type: a whole number from `least` to `most`."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}")
        return int(text)

    return read


def word(longest: int):
    """An argparse type: a text that is not empty, not longer, and printable."""

    def read(text: str) -> str:
        if not (text.strip() and len(text) <= longest and text.isprintable()):
            raise argparse.ArgumentTypeError(f"expected a name of 1 to {longest} printable characters")
        return text

    return read


def seconds(at_least: float = 0.0, above: bool = False):
    """An argparse type: a finite number of seconds."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        # Written so that NaN, which is neither below nor above anything, is refused too.
        if not (at_least < value < 1e9 if above else at_least <= value < 1e9):
            raise argparse.ArgumentTypeError(
                f"expected a finite number of seconds {'above' if above else 'from'} {at_least:g}"
            )
        return value

    return read


def size(text: str) -> int:
    """An argparse type: a number of bytes, such as 4GiB, 500MB or 1048576."""
    found = re.fullmatch(r"(\d{1,15})(\.\d{1,3})?\s?([kmgt]?)(i?)b?", text.strip().lower()) if text.isascii() else None
    if not found or (found[4] and not found[3]):
        raise argparse.ArgumentTypeError("expected a size such as 4GiB, 500MB or 1048576")
    whole_part, fraction, prefix, binary = found.groups(default="")
    value = int(float(whole_part + fraction) * (1024 if binary else 1000) ** " kmgt".index(prefix or " "))
    if not 0 < value <= 2**60:
        raise argparse.ArgumentTypeError("expected a size from 1 byte to 1024 PiB")
    return value


def folder(text: str) -> str:
    """An argparse type: a folder that can be written, or that can be made."""
    there = os.path.abspath(text)
    while not os.path.lexists(there) and os.path.dirname(there) != there:
        there = os.path.dirname(there)
    # The journal keeps the path, and a name of bytes that are no text cannot be kept.
    is_text = not re.search("[\ud800-\udfff]", os.path.abspath(text))
    if not (text and is_text and os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK)):
        raise argparse.ArgumentTypeError("expected a folder that can be written, or a name for one that can be made")
    return text


def time_left(deadline: float | None) -> float | None:
    """Seconds that are left for work when the whole command must have ended `deadline` seconds after its start.

    A tenth, at least 0.3 s and at most 2 s, is kept back for the start of the interpreter and for the end.
    """
    if deadline is None:
        return None
    return max(0.0, deadline - min(2.0, max(0.3, deadline / 10)) - (time.monotonic() - _STARTED_AT))


def command_line(script: str, *flags: str) -> dict:
    """`next_command` and `next_argv` of an event: this interpreter, one of our scripts, our flags.

    Callers pass only flags of our own and values that they have checked.
    """
    argv = [sys.executable, os.path.join(_SCRIPTS, script), *flags]
    if os.name == "nt":
        # PowerShell and cmd both take a quoted word; only PowerShell needs the call operator, and cmd
        # has none, so the quoting is left to the interpreter's own rule.
        from subprocess import list2cmdline

        return {"next_command": list2cmdline(argv), "next_argv": argv}
    import shlex

    return {"next_command": shlex.join(argv), "next_argv": argv}


def run(script: str, parser, main) -> None:
    """Run one script and leave the process with the exit code of its result.

    script   its file name, for `start` and for error texts
    parser   () -> Parser
    main     (console, arguments) -> exit code, having called `console.result`
    """
    console = Console(script)
    _catch_signals(console)
    try:
        code = _guarded(console, parser, main)
    except ClosedPipe:
        _discard_stdout()
        code = 141
    _leave(code)


def _guarded(console: Console, parser, main) -> int:
    try:
        arguments = parser().parse(sys.argv[1:])
        if arguments.version:
            return console.result("version", 0, version=__version__)
        return main(console, arguments)
    except SystemExit:  # argparse after --help
        _ignore_signals()
        return _flush_help()
    except errors.Failure as failure:
        return console.failure(failure)
    except errors.Interrupted as interruption:
        return console.result(
            "interrupted", 128 + interruption.signal_number, **{"outcome": "not_sent", **console.about_job()}
        )
    except ClosedPipe:
        raise
    except BaseException as problem:
        return unforeseen(console, problem)


def unforeseen(console: Console, problem: BaseException) -> int:
    """The result of a command, or of one of its jobs, that an exception has ended: a missing package, or a bug."""
    if isinstance(problem, ModuleNotFoundError) and (problem.name or "").split(".")[0] != __package__:
        return console.failure(_missing_dependency(problem))
    return _internal_error(console, problem)


def _flush_help() -> int:
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError) as problem:
        raise ClosedPipe from problem
    return 0


def _missing_dependency(missing: ModuleNotFoundError) -> errors.Failure:
    root = os.path.dirname(_SCRIPTS)
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
        f"the Python package {(missing.name or 'of an import').split('.')[0]} is not installed",
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

    from ..base import folders

    marker = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    if os.name == "nt" or sys.prefix != sys.base_prefix or not os.path.exists(marker):
        return None
    state, _ = folders.state_folder()
    return state and os.path.join(state, "venv")


def _internal_error(console: Console, bug: BaseException) -> int:
    if os.environ.get("AI_MEDIA_DEBUG") == "1":
        import traceback

        sys.stderr.write(console.redactor.text("".join(traceback.format_exception(bug))))
    if console.ended:
        return 1
    return console.failure(
        errors.Failure(
            "internal_error",
            f"internal error: {plain(console.redactor.text(f'{type(bug).__name__}: {bug}'))}",
            "internal",
            guidance=["Set AI_MEDIA_DEBUG=1 to see where, and report it."],
            retryable=False,
        )
    )


def _signals() -> list[int]:
    names = ("SIGINT", "SIGTERM", "SIGBREAK") if os.name == "nt" else ("SIGINT", "SIGTERM", "SIGHUP")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


def _catch_signals(console: Console) -> None:
    def arrived(number, frame):
        # A hang-up is a request to stop like any other; Ctrl-Break is Ctrl-C on Windows.
        console.on_signal(signal.SIGTERM if number == getattr(signal, "SIGHUP", None) else _as_interrupt(number))

    for number in _signals():
        # `nohup` asks that a hang-up be survived. An ignored SIGINT is only what shells do to
        # background jobs, and a SIGINT that is sent on purpose is meant.
        if number != getattr(signal, "SIGHUP", None) or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, arrived)


def _as_interrupt(number: int) -> int:
    return signal.SIGINT if number == getattr(signal, "SIGBREAK", None) else number


def _ignore_signals() -> None:
    for number in _signals():
        signal.signal(number, signal.SIG_IGN)


def _discard_stdout() -> None:
    # The interpreter flushes stdout on its way out; nothing may be left that could fail.
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, 1)
    except OSError:
        pass


def _leave(code: int) -> None:
    """End the process at once: a reader thread still waiting for a server must not hold it up."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass
    os._exit(code)
