"""A picture inline on a terminal that can show one, else its path. Only ever on stderr.

    show      a file
    protocol  how the terminal of this environment takes pictures, or None (pure)

What a terminal can do is told by its environment alone: asking the terminal would mean waiting for an
answer that may never come, and reading keys that somebody is typing.
"""

from __future__ import annotations

import base64
import io
import os
import sys

from ..media import pictures

# (variable, beginning of its value, protocol); the first that fits. An empty beginning: it is set.
# Sources: each terminal's own documentation of its environment and its image protocols.
_TERMINALS = (
    ("KITTY_WINDOW_ID", "", "kitty"),
    ("TERM", "xterm-kitty", "kitty"),
    ("TERM_PROGRAM", "ghostty", "kitty"),
    ("TERM", "xterm-ghostty", "kitty"),
    ("TERM_PROGRAM", "iTerm.app", "iterm2"),
    ("TERM_PROGRAM", "WezTerm", "iterm2"),
    ("TERM_PROGRAM", "mintty", "iterm2"),
    ("LC_TERMINAL", "iTerm2", "iterm2"),
)
# A multiplexer stands between, and passes none of it on as it is.
_BETWEEN = (("TMUX", ""), ("STY", ""), ("TERM", "screen"), ("TERM", "tmux"))

_CELL = (8, 16)
_LARGEST_SIDE = 1200
_MOST_PIXELS = 100_000_000
_KITTY_PIECE = 4096


def protocol(environment) -> str | None:
    """`kitty`, `iterm2`, or None, by a mapping of environment variables."""

    def fits(name: str, beginning: str) -> bool:
        return bool(environment.get(name)) and environment[name].startswith(beginning)

    if any(fits(*row) for row in _BETWEEN):
        return None
    return next((found for name, beginning, found in _TERMINALS if fits(name, beginning)), None)


def show(path: str, media_type: str) -> None:
    """Write the picture to stderr where that is a terminal that can, its path on any other terminal.

    Nothing into a pipe or a file. Never raises: a picture that is not shown is no reason to fail.
    """
    try:
        if not (sys.stderr and sys.stderr.isatty()):
            return
        how = protocol(os.environ) if media_type.startswith("image/") else None
        shown = _drawn(path, media_type, how) if how else None
        sys.stderr.flush()
        sys.stderr.buffer.write(shown or (_printable(path) + "\n").encode("utf-8", "replace"))
        sys.stderr.buffer.flush()
    except (OSError, ValueError, AttributeError):
        pass


def _printable(path: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in path)


def _drawn(path: str, media_type: str, how: str) -> bytes | None:
    """What to write for the picture and a line end; None for one that cannot be read."""
    try:
        with pictures.opened(path, media_type) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                return None
            picture.draft("RGB", _room())
            picture = picture.convert("RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB")
            picture.thumbnail(_room())
            return _WRITERS[how](picture) + b"\n"
    except Exception:  # a broken picture makes decoders raise almost anything
        return None


def _room() -> tuple[int, int]:
    """Pixels across and down that leave some lines of the terminal free."""
    size = os.get_terminal_size(sys.stderr.fileno())
    columns, lines = size.columns or 80, size.lines or 24
    across, down = _pixels() or (columns * _CELL[0], lines * _CELL[1])
    return min(across, _LARGEST_SIDE), min(max(down * (lines - 4) // lines, down // 2), _LARGEST_SIDE)


def _pixels() -> tuple[int, int] | None:
    """The terminal's size in pixels where the system knows it; that is no question to the terminal."""
    try:
        import fcntl
        import struct
        import termios

        answer = fcntl.ioctl(sys.stderr.fileno(), termios.TIOCGWINSZ, bytes(8))
        _, _, across, down = struct.unpack("HHHH", answer)
        return (across, down) if across and down else None
    except (ImportError, OSError):
        return None


def _png(picture) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _kitty(picture) -> bytes:
    """https://sw.kovidgoyal.net/kitty/graphics-protocol/ ; q=2: the terminal is not to answer."""
    content = base64.standard_b64encode(_png(picture))
    pieces = [content[at : at + _KITTY_PIECE] for at in range(0, len(content), _KITTY_PIECE)]
    written = []
    for number, piece in enumerate(pieces, 1):
        head = b"a=T,f=100,q=2," if number == 1 else b"q=2,"
        written.append(b"\x1b_G" + head + b"m=%d;" % (number < len(pieces)) + piece + b"\x1b\\")
    return b"".join(written)


def _iterm2(picture) -> bytes:
    """https://iterm2.com/documentation-images.html"""
    content = _png(picture)
    head = f"inline=1;size={len(content)};width={picture.width}px;height={picture.height}px;preserveAspectRatio=1"
    return b"\x1b]1337;File=" + head.encode() + b":" + base64.standard_b64encode(content) + b"\x07"


_WRITERS = {"kitty": _kitty, "iterm2": _iterm2}
