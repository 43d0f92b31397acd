"""How every script begins: on a Python that is new enough, and with nothing from the working directory.

begin   the first statement of a script
now     this moment as every event has it

In the syntax of Python 2.7: whatever Python a shell happens to find reads this. And short: it is what says where
bytecode is, so that it has none itself and is compiled at every start, as `home` is.
"""

import gc
import os
import sys
import time

try:
    import _signal as signals  # type: ignore[import-not-found]  # `signal` wraps it in enumerations, which take time
except ImportError:
    import signal as signals

SCRIPTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
OLDEST = (3, 9)


def begin():
    """What comes before anything else of a script; does not return on a Python that is too old."""
    # A start makes thousands of objects that all stay: looking through them for garbage took a twentieth of it.
    gc.set_threshold(50000)
    _catch_early()
    _close_path()
    if sys.version_info < OLDEST:
        from . import old_python

        old_python.leave()
    _keep_bytecode()


def _catch_early():
    """A request to stop that comes before there is a console (console.signals) ends in a result all the same."""

    def arrived(number, frame):
        # Nothing can be imported here: whatever is half imported at this moment stays so.
        line = '{"event":"interrupted","time":"%s","outcome":"not_sent","exit_code":%d}\n' % (now(), 128 + number)
        try:
            os.write(1, line.encode("ascii"))
        except EnvironmentError:  # closed, or nobody reads it
            os._exit(141)
        os._exit(128 + number)

    for number in (signals.SIGINT, signals.SIGTERM):
        signals.signal(number, arrived)


def now():
    """This moment as every event has it."""
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + ".%03dZ" % (now % 1 * 1000)


def _close_path():
    """Import from our folder first, and from the working directory or a path relative to it never."""
    try:
        here = os.path.realpath(os.getcwd())
    except OSError:  # it is gone
        here = None
    found = [(entry, os.path.realpath(entry)) for entry in sys.path if entry]
    sys.path[:] = [SCRIPTS] + [entry for entry, real in found if real != SCRIPTS and not _is_strangers(real, here)]


def _is_strangers(entry, here):
    # Whoever stands in the folder of the interpreter's own packages needs them all the same.
    if entry == here:
        return not any(entry.startswith(os.path.join(prefix, "")) for prefix in (sys.prefix, sys.exec_prefix))
    # `site` has made every entry absolute, so a relative one is known only from where it came.
    given = "" if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "")
    relative = [os.path.realpath(path) for path in given.split(os.pathsep) if path and not os.path.isabs(path)]
    return entry in relative


def _keep_bytecode():
    """Keep the bytecode of our own modules in the user's folder, and write none beside their source.

    Installers copy and wipe this folder, and agents run from read-only ones: without bytecode of its own
    a run would compile some thousand lines each time. Other packages keep theirs where they always do.
    """
    if sys.pycache_prefix is None:
        from . import home

        sys.path_hooks.insert(0, _finder_of_ours(home.private_folder("bytecode")))
        for path in [path for path in sys.path_importer_cache if _is_ours(path)]:
            del sys.path_importer_cache[path]
    sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)


def _is_ours(path):
    return path == SCRIPTS or path.startswith(SCRIPTS + os.sep)


def _finder_of_ours(folder):
    """A path hook for our folder; `folder` is where bytecode goes, None for nowhere."""
    import _frozen_importlib_external as machinery  # what importlib.machinery passes on, without its imports

    class Loader(machinery.SourceFileLoader):
        is_damaged = False  # what was kept cannot be read; it is written anew

        def get_code(self, fullname):
            before = sys.dont_write_bytecode, sys.pycache_prefix
            sys.dont_write_bytecode, sys.pycache_prefix = folder is None, folder
            try:
                return machinery.SourceFileLoader.get_code(self, fullname)
            except (EOFError, TypeError, ValueError):
                self.is_damaged = True
                return machinery.SourceFileLoader.get_code(self, fullname)
            finally:
                sys.dont_write_bytecode, sys.pycache_prefix = before

        def get_data(self, path):
            if self.is_damaged and path.endswith(".pyc"):
                raise EnvironmentError(path)
            return machinery.SourceFileLoader.get_data(self, path)

        def set_data(self, path, data, **more):
            machinery.SourceFileLoader.set_data(self, path, data, **more)
            try:
                # A full disk takes a part without a word, and every later run would stumble over it.
                if os.stat(path).st_size != len(data):
                    os.remove(path)
            except EnvironmentError:  # not written at all, or by another run at the same time
                pass

        def path_stats(self, path):
            # Archives give all files one time: the time of the copy tells an update from what was there.
            found = os.stat(path)
            return {"mtime": hash((found.st_mtime_ns, found.st_ctime_ns)) & 0xFFFFFFFF, "size": found.st_size}

    def finder(path):
        if not (_is_ours(path) and os.path.isdir(path)):
            raise ImportError
        return machinery.FileFinder(path, (Loader, machinery.SOURCE_SUFFIXES))

    return finder
