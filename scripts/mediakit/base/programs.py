"""Programs by name, as the PATH has them: never one that a stranger's folder could have put there.

find      the absolute path of a program
locate    the same: from a variable that names it, else from the PATH
folders   the entries of the PATH that programs may be taken from

In the syntax of Python 2.7: `environment` needs it where this Python is too old.
"""

import os
import stat

from . import home

# How `locate` ends its words where nothing is there, in contrast to what is there and must not be run.
ABSENT = "is not installed, or not on the PATH"
_MOST_LINKS = 40


def find(name, trusts_home=False, endings=None):
    """`(absolute path, "")`, or `(None, why not)`, where `why not` is "" if no entry of the PATH has the program.

    trusts_home  whether whoever stands in the user's home takes programs from below it
    endings      what a program's file ends in on Windows; PATHEXT's otherwise
    """
    why = ""
    here = _here(trusts_home)
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for ending in (endings or _path_endings()) if os.name == "nt" else [""]:
            path = os.path.join(folder, name + ending)  # an empty entry is the working directory
            if not (os.path.isfile(path) and os.access(path, os.X_OK)):
                continue
            found = _why_not(path, here)
            if not found:
                return path, ""
            why = why or found
    return None, why


def locate(name, variable):
    """`(absolute path, where it was named)` of a program, or `(None, why not)`.

    variable  an environment variable that can hold its absolute path

    A working directory is anybody's: nothing is run from it, or from below it, because a PATH says so.
    """
    named = home.expand(os.environ.get(variable, ""))
    if named:
        if os.path.isabs(named) and os.path.isfile(named) and os.access(named, os.X_OK):
            return named, variable
        return None, "%s is set, but not to the absolute path of a program" % variable
    path, why = find(name)
    if path is None:
        return None, "%s; %s can name it" % (why, variable) if why else "%s %s" % (name, ABSENT)
    return path, "PATH"


def folders():
    """The entries of the PATH that lead to the same place from everywhere, and not through where we are."""
    here = _here(False)
    entries = os.environ.get("PATH", "").split(os.pathsep)
    return [entry for entry in entries if os.path.isabs(entry) and not _leads_through(entry, here)]


def _here(trusts_home):
    """The working directory as os.stat tells it; None where it is gone, or no project's folder."""
    try:
        here = os.stat(os.curdir)
        known = [os.stat(os.path.abspath(os.sep))]  # everything is below the root of all
        if trusts_home:
            known.append(os.stat(home.expand("~")))
    except OSError:
        return None
    return None if any(_is_same(here, one) for one in known) else here


def _why_not(path, here):
    if not os.path.isabs(path):
        return "the PATH leads to %s by an entry that depends on the working directory" % os.path.basename(path)
    if _leads_through(path, here):
        return "%s lies in the working directory, below it, or behind a link there" % path
    return "other users can write to %s" % path if _is_anybodys(path) else ""


def _leads_through(path, here):
    """Whether the way to a path, each link on it followed, touches a folder or what lies in it."""
    if here is None:
        return False
    at, rest = _split(path)
    links = 0
    while True:
        try:
            if _is_same(os.lstat(at), here):
                return True
        except OSError:
            return False  # nothing is there: nothing is run from there
        if not rest:
            return False
        name = rest.pop()
        if name == os.pardir:
            at = os.path.dirname(at)
            continue
        at = os.path.join(at, name)
        if os.path.islink(at):
            links += 1
            if links > _MOST_LINKS:
                return True
            target = os.path.join(os.path.dirname(at), os.readlink(at))
            at, more = _split(target)
            rest += more


def _split(path):
    """`(the root of an absolute path, its parts, last first)`; what has no parts is as it stands."""
    drive, tail = os.path.splitdrive(path)
    parts = [part for part in tail.replace(os.altsep or os.sep, os.sep).split(os.sep) if part not in ("", os.curdir)]
    return drive + os.sep, parts[::-1]


def _is_same(one, other):
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _is_anybodys(path):
    """Whether every user of this machine could have put it there, or can change it."""
    if os.name != "posix":
        return False  # access lists, not mode bits
    real = os.path.realpath(path)
    if os.stat(real).st_mode & stat.S_IWOTH:
        return True
    return any(_is_open_to_all(one) for one in {path, real})


def _is_open_to_all(path):
    if not os.stat(os.path.dirname(path)).st_mode & stat.S_IWOTH:
        return False
    # Of a folder like /tmp everybody can have a file, and remove none but their own.
    is_sticky = os.stat(os.path.dirname(path)).st_mode & stat.S_ISVTX
    return not (is_sticky and os.lstat(path).st_uid in (os.geteuid(), 0))


def _path_endings():
    return [ending for ending in os.environ.get("PATHEXT", ".EXE;.CMD").split(";") if ending]
