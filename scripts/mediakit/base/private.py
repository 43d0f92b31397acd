"""A file that others cannot read, and that nobody can have put another one in place of.

open_to_append   such a file, made where it is not there
"""

from __future__ import annotations

import errno
import os
import stat

from . import paths


def open_to_append(path: str) -> int:
    """The handle of a regular file of this user alone, mode 600 whatever it was before, or of a device; raises OSError.

    No link is followed, and a pipe that nobody reads is not waited for.
    """
    path = paths.expand(path)
    if not hasattr(os, "O_NOFOLLOW") and os.path.islink(path):
        raise OSError(errno.ELOOP, "it is a link")
    flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        handle = os.open(path, flags, 0o600)
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link") from None
        raise
    try:
        found = os.fstat(handle)
        if stat.S_ISCHR(found.st_mode):
            return handle  # a device, such as /dev/null: nothing stays there
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        if found.st_nlink > 1:
            raise OSError(errno.EMLINK, "the same file has other names")
        if os.name == "posix":
            if found.st_uid != os.geteuid():
                raise OSError(errno.EPERM, "it belongs to another user")
            os.fchmod(handle, 0o600)
    except BaseException:
        os.close(handle)
        raise
    return handle
