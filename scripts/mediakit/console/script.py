"""Runs one script: its last line is the result, on every path, and its exit code is the process's."""

from __future__ import annotations

import os
import sys
import warnings

from .. import __version__
from ..base import errors, paths
from . import signals
from .events import ClosedPipe, Console


def run(script: str, parser, main, needs_packages=None) -> None:
    """Run one script and leave the process with the exit code of its result.

    script          its file name, for `start` and for error texts
    parser          () -> Parser
    main            (console, given) -> exit code, having called `console.result`
    needs_packages  (given) -> whether this run needs the packages of requirements.txt; None for never
    """
    # Libraries warn in their own words, where only ours belong.
    warnings.simplefilter("default" if os.environ.get("AI_MEDIA_DEBUG") == "1" else "ignore")
    console = Console(script)
    try:
        code = _guarded(console, parser, main, needs_packages)
    except ClosedPipe:
        _discard_stdout()
        code = 141
    except errors.Interrupted as interruption:  # while another end was being told of
        code = _told_at_last(console, interruption)
    except BaseException as problem:  # telling of it has failed too: once more, with nothing that could be at fault
        code = 1 if console.ended else _told_plainly(script, problem)
    _leave(code)


def _told_plainly(script: str, problem: BaseException) -> int:
    try:
        return Console(script).failure(_bug(type(problem).__name__))
    except ClosedPipe:
        _discard_stdout()
        return 141


def _told_at_last(console: Console, interruption: errors.Interrupted) -> int:
    try:
        return _interrupted(console, interruption.signal_number)
    except ClosedPipe:
        _discard_stdout()
        return 141


def _interrupted(console: Console, signal_number: int) -> int:
    signals.ignore()  # once more would only cut this short
    return console.result("interrupted", 128 + signal_number, **{"outcome": "not_sent", **console.under_way()})


def _guarded(console: Console, parser, main, needs_packages) -> int:
    try:
        signals.catch(console)  # inside, so that one that comes at once is told of too
        console.redactor.protect_environment()
        reads = parser()
        console.output = reads.output(sys.argv[1:])
        try:
            given = reads.parse(sys.argv[1:])
        except SystemExit:  # argparse after --help
            signals.ignore()
            return _flush_help()
        if given.version:
            return console.result("version", 0, version=__version__)
        if needs_packages and needs_packages(given):
            from .dependencies import require

            require(console.script)
        console.about.update(reads.about(given))
        paths.choose_state(given.state_dir)
        return main(console, given)
    except errors.Failure as failure:
        return console.failure(failure)
    except errors.Interrupted as interruption:
        return _interrupted(console, interruption.signal_number)
    except KeyboardInterrupt:  # before the signals were caught
        return _interrupted(console, signals.signal.SIGINT)
    except ClosedPipe:
        raise
    except BaseException as problem:
        return unforeseen(console, problem)


def unforeseen(console: Console, problem: BaseException) -> int:
    """The result of a command, or of one of its jobs, that an exception has ended: a missing package, or a bug."""
    if isinstance(problem, errors.Ending) and not console.ended:
        failure = problem.failure()
        failure.fields.update(console.under_way())
        return console.failure(failure)
    if isinstance(problem, ImportError) and (problem.name or "").split(".")[0] != __package__.split(".")[0]:
        from .dependencies import broken

        return console.failure(broken(problem))
    return _internal_error(console, problem)


def _flush_help() -> int:
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError) as problem:
        raise ClosedPipe from problem
    return 0


def _words(bug: BaseException) -> str:
    try:
        return f"{type(bug).__name__}: {bug}"
    except Exception:  # its text is what fails
        return type(bug).__name__


def _internal_error(console: Console, bug: BaseException) -> int:
    if os.environ.get("AI_MEDIA_DEBUG") == "1":
        import traceback

        console.show("".join(traceback.format_exception(type(bug), bug, bug.__traceback__)))
    return 1 if console.ended else console.failure(_bug(console.plain(_words(bug))))


def _bug(words: str) -> errors.Failure:
    return errors.Failure(
        "internal_error",
        f"internal error: {words}",
        "internal",
        guidance=["Set AI_MEDIA_DEBUG=1 to see where, and report it."],
        retryable=False,
    )


def _discard_stdout() -> None:
    # The interpreter flushes stdout on its way out; nothing may be left that could fail.
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, 1)
    except OSError:
        return


def _leave(code: int) -> None:
    """End the process at once: a reader thread still waiting for a server must not hold it up."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass
    os._exit(code)
