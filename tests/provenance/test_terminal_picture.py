"""--show: a picture on a terminal that can show one, its path on any other, and nothing into a pipe."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
import threading

import pytest
from PIL import Image

from conftest import PATIENCE, SCRIPTS, read_events
from mediakit.provenance import terminal_picture

pty = pytest.importorskip("pty", reason="pseudo-terminals are a matter of POSIX systems")

KITTY = {"TERM": "xterm-kitty"}
ITERM2 = {"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}


@pytest.mark.parametrize(
    "environment, expected",
    [
        ({}, None),
        ({"TERM": "dumb"}, None),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": ""}, None),
        (KITTY, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        (ITERM2, "iterm2"),
        ({"TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "foot"}, None),
        ({**KITTY, "TMUX": "/tmp/tmux-0/default,1,0"}, None),
        ({"TERM": "screen-256color", "LC_TERMINAL": "iTerm2"}, None),
        ({**KITTY, "STY": "1.pts"}, None),
    ],
)
def test_the_environment_tells_what_a_terminal_can(environment, expected):
    assert terminal_picture.protocol(environment) == expected


class Terminal:
    """A pseudo-terminal as stderr of a script; everything that is written to it is kept."""

    def __init__(self, columns: int = 80, lines: int = 24, across: int = 0, down: int = 0):
        import fcntl
        import struct
        import termios

        self._ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, across, down))
        self._written = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while piece := os.read(self._ours, 65536):
                self._written += piece
        except OSError:
            pass  # the other side is closed

    def close(self) -> bytes:
        os.close(self.theirs)
        self._reader.join(PATIENCE)
        os.close(self._ours)
        return bytes(self._written)


def shown(scripts, script: str, *flags: str, env: dict, terminal: Terminal | None = None) -> tuple[list[dict], bytes]:
    """The events of a script that has a terminal as its stderr, and what it wrote to the terminal."""
    terminal = terminal or Terminal()
    ended = subprocess.run(
        [sys.executable, str(SCRIPTS / script), *flags],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal.theirs, timeout=PATIENCE, check=False,
        env=scripts.environment(**env), cwd=scripts.folder,
    )  # fmt: skip
    events = read_events(ended.stdout)
    written = terminal.close()
    assert ended.returncode == events[-1]["exit_code"] == 0, (events, written)
    assert b"\x1b_G" not in ended.stdout and b"\x1bP" not in ended.stdout
    return events, written


def make(scripts, *flags: str, task: str = "t2i", **options):
    arguments = ["--provider", "sandbox", "--task", task, "--prompt", "x", "--output-dir", "out", *flags]
    return shown(scripts, "create_and_wait.py", *arguments, **options)


def kitty_picture(written: bytes) -> Image.Image:
    pieces = re.findall(rb"\x1b_G([^;]*);([^\x1b]*)\x1b\\", written)
    assert pieces[0][0].startswith(b"a=T,f=100,") and all(b"q=2" in keys for keys, _ in pieces)
    assert [keys[-1:] for keys, _ in pieces] == [b"1"] * (len(pieces) - 1) + [b"0"]
    assert all(len(content) <= 4096 for _, content in pieces)
    return Image.open(io.BytesIO(base64.b64decode(b"".join(content for _, content in pieces))))


def likeness(one: Image.Image, path: str) -> float:
    """The mean difference of two pictures, from 0 to 255."""
    from PIL import ImageChops, ImageStat

    with Image.open(path) as other:
        difference = ImageChops.difference(one.convert("RGB"), other.convert("RGB").resize(one.size))
    return sum(ImageStat.Stat(difference).mean) / 3


def test_kitty_gets_the_picture_in_pieces(scripts):
    events, written = make(scripts, "--show", env=KITTY)
    picture = kitty_picture(written)
    path = next(event["path"] for event in events if event["event"] == "asset")
    assert picture.size == (320, 320)  # 20 of 24 lines, of 16 pixels each
    assert likeness(picture, path) < 5


def test_iterm2_gets_the_picture_as_a_file(scripts):
    _, written = make(scripts, "--show", env=ITERM2)
    head, content = re.search(rb"\x1b\]1337;File=([^:]*):([^\x07]*)\x07", written).groups()
    picture = Image.open(io.BytesIO(base64.b64decode(content)))
    assert b"inline=1" in head and f"width={picture.width}px".encode() in head and picture.size == (320, 320)


def test_the_terminals_own_pixels_are_used_and_never_exceeded(scripts):
    _, written = make(scripts, "--show", env=KITTY, terminal=Terminal(40, 20, 400, 800))
    assert kitty_picture(written).size == (400, 400)
    _, written = make(scripts, "--show", env=KITTY, terminal=Terminal(400, 200, 8000, 4000))
    assert kitty_picture(written).size == (768, 768)  # never larger than it is


@pytest.mark.parametrize("env", [{"TERM": "xterm-256color"}, {**KITTY, "TMUX": "x"}], ids=["plain", "tmux"])
def test_another_terminal_gets_the_path(scripts, env):
    events, written = make(scripts, "--show", env=env)
    path = next(event["path"] for event in events if event["event"] == "asset")
    assert path.encode() in written and b"\x1b_G" not in written


def test_a_video_is_a_path_everywhere(scripts):
    events, written = make(scripts, "--show", task="t2v", env=KITTY)
    path = next(event["path"] for event in events if event["event"] == "asset")
    assert path.encode() in written and b"\x1b_G" not in written


def test_nothing_is_shown_without_the_flag_or_into_a_pipe(scripts):
    _, written = make(scripts, env=KITTY)
    assert b"\x1b_G" not in written
    arguments = ["--provider", "sandbox", "--task", "t2i", "--prompt", "x", "--output-dir", "out", "--show"]
    assert scripts.run("create_and_wait.py", *arguments, env=KITTY).stderr == ""


def test_resuming_and_waiting_show_too(scripts):
    arguments = ["--provider", "sandbox", "--task", "t2i", "--prompt", "x", "--no-wait"]
    for script, flag in (("jobs.py", "job"), ("wait_generation.py", "generation_id")):
        bought = scripts.run("create_and_wait.py", *arguments, "--intent", flag).result
        what = ["resume", bought["job"]] if flag == "job" else ["--generation-id", bought["generation_id"]]
        _, written = shown(scripts, script, *what, "--output-dir", "out", "--show", env=KITTY)
        assert kitty_picture(written).size == (320, 320)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"no picture"])
def test_what_cannot_be_drawn_is_a_path(tmp_path, content):
    (tmp_path / "x\x1b[2J.png").write_bytes(content)
    terminal = Terminal()
    code = (
        "import sys; from mediakit.provenance import terminal_picture; terminal_picture.show(sys.argv[1], 'image/png')"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x\x1b[2J.png")],
        cwd=SCRIPTS, env={**os.environ, **KITTY}, stderr=terminal.theirs, timeout=PATIENCE, check=True,
    )  # fmt: skip
    written = terminal.close()
    assert b"x?[2J.png" in written and b"\x1b" not in written


@pytest.mark.parametrize("media_type", ["image/heic", "image/svg+xml", "image/png", "image/x-eps"])
def test_only_the_decoder_of_its_own_type_is_asked(tmp_path, media_type):
    # Pillow would also start other programs, for a file that is none of the types that were checked.
    path = tmp_path / "x"
    Image.new("RGB", (2, 2)).save(path, "PPM")
    assert terminal_picture._drawn(str(path), media_type, "kitty") is None


def test_a_picture_with_alpha_keeps_it_where_the_terminal_can():
    picture = Image.new("RGBA", (3, 7), (255, 0, 0, 128))
    assert kitty_picture(terminal_picture._kitty(picture)).mode == "RGBA"
