"""An environment of our own, with the packages that the scripts need, outside this folder.

python   the interpreter in it, where it is there and ours alone
go_on    run a script in it instead of here
recipe   the command that makes it, or why there is none

In the syntax of Python 2.7: `start` needs it where this Python is too old.
"""

import os
import sys

from . import home, programs

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
REQUIREMENTS = os.path.join(ROOT, "requirements.txt")
_ON_WINDOWS = os.name == "nt"


def _folder():
    return os.path.join(home.home_for_code(), "venv")


def _in_working_directory():
    """Where the environment can be where home cannot be written, as in an agent's sandbox; None for nowhere.

    Nothing goes on in it by itself: what lies in a working directory may be a stranger's.
    """
    try:
        here = os.path.realpath(os.getcwd())
    except OSError:  # it is gone
        return None
    if here == ROOT or here.startswith(ROOT + os.sep):  # which installers wipe
        return None
    return os.path.join(here, "." + home.NAME, "venv")


def _interpreter(folder):
    return os.path.join(folder, "Scripts", "python.exe") if _ON_WINDOWS else os.path.join(folder, "bin", "python")


def python():
    """The environment's interpreter; None where there is none, or where somebody else could have put it there."""
    folder = _folder()
    interpreter = _interpreter(folder)
    try:
        if home.trouble(home.home_for_code(), folder=True, may_be_link=True):
            return None
        for path in [folder, os.path.dirname(interpreter)] + packages_folders():
            if home.trouble(path, folder=True):
                return None
        if home.trouble(os.path.join(folder, "pyvenv.cfg")):
            return None
    except (OSError, ValueError):
        return None
    return interpreter if os.path.isfile(interpreter) else None


def packages_folders():
    """Where the environment has its packages; empty where it does not exist."""
    if _ON_WINDOWS:
        found = [os.path.join(_folder(), "Lib", "site-packages")]
        return [path for path in found if os.path.isdir(path)]
    above = os.path.join(_folder(), "lib")
    versions = os.listdir(above) if os.path.isdir(above) else []
    found = [os.path.join(above, version, "site-packages") for version in versions if version.startswith("python3.")]
    return [path for path in found if os.path.isdir(path)]


def is_this():
    """Whether this process runs in it."""
    return os.path.realpath(sys.prefix) == os.path.realpath(_folder())


def go_on(interpreter, script):
    """Run one of our scripts there with the arguments of this command; does not return."""
    argv = [interpreter, "-I", script] + sys.argv[1:]
    if _ON_WINDOWS:  # where exec would leave the shell before the script has ended
        import subprocess

        os._exit(subprocess.call(argv))
    os.execv(interpreter, argv)


def recipe(interpreter):
    """`(argv, guidance)`: the one command that makes the environment with that Python, and what to know about it.

    interpreter  an absolute path; None where no Python that is new enough was found
    argv is None where a person has to do something first; guidance says what.
    """
    folder = _folder()
    near = None if _takes_files(folder) else _in_working_directory()
    folder = near or folder
    for path in [folder, os.path.dirname(folder)] if near else [folder]:
        why = home.trouble(path, folder=True) if os.path.lexists(path) else None
        if why:
            return None, ["%s is not used: %s. Look at it, and remove it." % (path, why)]
    again = ["--clear"] if os.path.lexists(folder) else []
    inside = _interpreter(folder)
    install = ["install", "-q", "--disable-pip-version-check", "-r", REQUIREMENTS]
    uv = _program("uv")
    if interpreter and _has(interpreter, "ensurepip"):
        steps = [[interpreter, "-I", "-m", "venv"] + again + [folder], [inside, "-I", "-m", "pip"] + install]
    elif interpreter and _has(interpreter, "pip"):
        made = [interpreter, "-I", "-m", "venv", "--without-pip"] + again + [folder]
        steps = [made, [interpreter, "-I", "-m", "pip", "--python", inside] + install]
    elif uv:
        quiet = ["-q", "--no-config"] + (["--no-cache"] if near else [])  # its cache is at home
        made = [uv, "venv"] + quiet + ["--python", interpreter or ">=3.9"] + again + [folder]
        steps = [made, [uv, "pip", "install"] + quiet + ["--python", inside, "-r", REQUIREMENTS]]
    elif interpreter:
        return None, ["This Python can make no environment: install its venv module (Debian: python3-venv)."]
    else:
        return None, ["Install Python 3.9 or newer (https://www.python.org/downloads/) or uv, then run the same again."]
    if near:
        return _in_one(steps), [
            "Your own folder cannot be written here, so it makes an environment in %s." % folder,
            "From then on run the scripts with %s in place of python3." % inside,
            "The packages come from the network: whoever runs this must allow it.",
        ]
    return _in_one(steps), ["It makes an environment in %s; afterwards run the same again." % folder]


def _takes_files(path):
    """Whether something can be made at a path. It is tried: a sandbox refuses what the mode bits allow."""
    import tempfile

    while not os.path.lexists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    try:
        os.rmdir(tempfile.mkdtemp(dir=path))
    except (OSError, ValueError):
        return False
    return True


def _has(interpreter, module):
    """Whether a Python has a module; asked of it itself, since Debian leaves parts of the library out."""
    import subprocess

    code = "import importlib.util as u, sys; sys.exit(not u.find_spec(sys.argv[1]))"
    try:
        return subprocess.call([interpreter, "-I", "-c", code, module]) == 0
    except OSError:
        return False


def quote(word):
    """A word as a POSIX shell reads it."""
    try:
        from shlex import quote
    except ImportError:  # Python 2
        from pipes import quote
    return quote(word)


def _in_one(steps):
    """Several commands as the argument list of one, which stops where one of them fails."""
    if _ON_WINDOWS:
        first, then = ["& " + " ".join("'%s'" % word.replace("'", "''") for word in step) for step in steps]
        return ["powershell", "-NoProfile", "-Command", "%s; if ($?) { %s }" % (first, then)]
    joined = " && ".join(" ".join(quote(word) for word in step) for step in steps)
    return ["sh", "-c", "umask 077 && " + joined]  # a mask of 002 would let the group change what is run


def newer_python(oldest):
    """A Python on the PATH that is at least `oldest`, a pair of numbers; None where there is none.

    Its own path, and not that of a shim, which may be another Python in another folder.
    """
    import subprocess

    code = "import sys; print(sys.executable if sys.version_info[:2] >= (%d, %d) else '')" % oldest
    for name in ["python3"] + ["python3.%d" % minor for minor in range(20, oldest[1] - 1, -1)]:
        path = _program(name)
        try:
            told = subprocess.check_output([path, "-I", "-c", code], stderr=subprocess.PIPE) if path else b""
        except (OSError, subprocess.CalledProcessError):
            continue
        found = told.decode("utf-8", "replace").strip()
        if os.path.isabs(found):
            return found
    return None


def _program(name):
    # Whoever stands in their home has made these folders themselves: no project's lie in between.
    return programs.find(name, trusts_home=True, endings=[".exe"])[0]
