"""Where this user's own folder is, and whether what lies there is this user's alone.

expand          `~` in a path that a flag or a variable holds
named_state     the folder that AI_MEDIA_HOME names
platform_state  the platform's folder for our state; nothing is made
absolute        the path in a variable, as the XDG base directories have it
open_to_others  whether others could have written to a file or folder
trouble         why a file or folder is not this user's alone
home_for_code   where what will be executed is kept
private_folder  a folder in there, made where it is missing

In the syntax of Python 2.7: `start` needs it whatever Python runs it.
"""

import os
import stat
import sys

NAME = "ai-media"


def expand(path):
    """The path with a leading `~` or `~name` replaced, as a shell does it only where it sees one.

    A HOME that is empty or relative is none: the user's own folder is then the one of the password file.
    """
    if os.name == "posix" and path.partition("/")[0] == "~" and not os.path.isabs(os.environ.get("HOME", "/")):
        import pwd

        try:
            return (pwd.getpwuid(os.getuid()).pw_dir.rstrip("/") + path[1:]) or "/"
        except KeyError:  # a user without a name, as in containers
            return path
    return os.path.expanduser(path)


def named_state():
    """The path that AI_MEDIA_HOME holds; None without one, and for a relative one: it would be another one everywhere."""
    return absolute("AI_MEDIA_HOME")


def platform_state():
    """The folder where the platform wants a program to keep its state; an absolute path."""
    if sys.platform == "win32":
        return os.path.join(os.environ.get("LOCALAPPDATA") or os.path.join(expand("~"), "AppData", "Local"), NAME)
    if sys.platform == "darwin":
        return os.path.join(expand("~"), "Library", "Application Support", NAME)
    return os.path.join(absolute("XDG_STATE_HOME") or os.path.join(expand("~"), ".local", "state"), NAME)


def absolute(variable):
    """The path that a variable holds; None for a relative one, which is to be ignored (XDG base directories)."""
    value = expand(os.environ.get(variable, ""))
    return value if os.path.isabs(value) else None


def trouble(path, folder=False, may_be_link=False):
    """Why a file (or folder) could have been made or written by somebody else, in words; None if it is ours alone.

    may_be_link  whether a link of this user's own is as good as what it leads to. Raises OSError.
    """
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        if not may_be_link or (os.name == "posix" and found.st_uid not in (os.geteuid(), 0)):
            return "it is a link"
        found = os.stat(path)
    if not (stat.S_ISDIR if folder else stat.S_ISREG)(found.st_mode):
        return "it is no %s" % ("folder" if folder else "regular file")
    if os.name != "posix":
        return None  # access lists, not mode bits: what lies below the user's own folder is the user's
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    return _open_to_others(found)


def open_to_others(path):
    """Why others could have written to what a path leads to, in words; None if they could not. Raises OSError."""
    return _open_to_others(os.stat(path)) if os.name == "posix" else None


def _open_to_others(found):
    if found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and not _is_own_group(found.st_gid)):
        return "other users can write to it"
    return None


def home_for_code():
    """AI_MEDIA_HOME, else the platform's folder; but none that lies in whatever folder one stands in."""
    return named_state() or platform_state()


def private_folder(name):
    """A folder below home_for_code, made on demand; None where it cannot be made, or is not ours alone."""
    home = home_for_code()
    path = os.path.join(home, name)
    try:
        for one in (home, path):
            if not os.path.isdir(one):
                os.makedirs(one, 0o700)
            if trouble(one, folder=True, may_be_link=one == home):
                return None
    except (OSError, ValueError):
        return None
    return path


def _is_own_group(group):
    """Whether a group has this user as its only member, as many systems make one for each user."""
    try:
        import grp
        import pwd

        user, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except (ImportError, KeyError):
        return False
    return user.pw_gid == group and found.gr_name == user.pw_name and set(found.gr_mem) <= {user.pw_name}
