"""Draw the pictures of README.md anew: a run at a terminal as assets/pictures/run.svg, and the page of results, as a
browser shows it, as assets/pictures/gallery.png. Needs a POSIX system, and Chromium for the second.

    python tests/generate_pictures.py
"""

from __future__ import annotations

import html
import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "assets" / "pictures"
COLUMNS, LINE = 110, 20
MADE = ["--provider", "sandbox", "--task", "t2i", "--prompt", "a tin boat at dusk", "--output-dir", "out"]
# What lies on the page of results.
OTHERS = [
    ["--task", "t2i", "--prompt", "a fox made of paper"],
    ["--task", "t2v", "--prompt", "rain on a tin roof"],
    ["--as", "modellix", "--task", "tts", "--prompt", "Good morning", "--param", "voice=longanhuan_v3.6"],
]


def main() -> int:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        lines = at_terminal(Path(folder))
        (PICTURES / "run.svg").write_text(drawn(lines), encoding="utf-8", newline="\n")
        for words in OTHERS:
            run(Path(folder), "create_and_wait.py", "--provider", "sandbox", *words, "--output-dir", "out")
        run(Path(folder), "jobs.py", "gallery", "--output-dir", "out")
        photograph(Path(folder))
    return 0


def environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "AI_MEDIA_HOME": str(folder / "state")}


def run(folder: Path, script: str, *words: str, **streams) -> None:
    command = [sys.executable, str(ROOT / "scripts" / script), *words]
    streams = streams or {"stdout": subprocess.DEVNULL}
    subprocess.run(command, check=True, cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL, **streams)


def at_terminal(folder: Path) -> list[str]:
    """The lines that stay on the screen after the main job."""
    ours, theirs = pty.openpty()
    run(folder, "create_and_wait.py", *MADE, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = os.read(ours, 1 << 16).decode().replace("\r\n", "\n").replace(str(folder), "/home/you")
    command = "python3 create_and_wait.py " + " ".join(f'"{word}"' if " " in word else word for word in MADE)
    shown = [line.rpartition("\x1b[K")[2] for line in text.split("\n")]
    return [f"$ {command}", *filter(None, shown)]


def drawn(lines: list[str]) -> str:
    """The lines as a picture in SVG, long ones broken."""
    rows = [line[at : at + COLUMNS] for line in lines for at in range(0, len(line), COLUMNS)]
    texts = [
        f'<text x="16" y="{32 + LINE * row}" fill="{"#9ad1ff" if text.startswith("$") else "#e8e8e8"}">{html.escape(text)}</text>'
        for row, text in enumerate(rows)
    ]
    height = LINE * len(rows) + 32
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * 8 + 32} {height}" font-family="monospace" '
        f'font-size="13.2" xml:space="preserve">\n<rect width="100%" height="100%" rx="8" fill="#1d2b53"/>\n'
        + "\n".join(texts)
        + "\n</svg>\n"
    )


def photograph(folder: Path) -> None:
    from PIL import Image

    import browser

    taken = folder / "page.png"
    command = [browser.executable(), "--headless=new", "--no-sandbox", "--hide-scrollbars", "--window-size=1000,640"]
    command += [f"--user-data-dir={folder}/profile", f"--screenshot={taken}", f"file://{folder}/out/gallery.html"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
    # A palette makes it a quarter as large.
    Image.open(taken).convert("RGB").quantize(128).save(PICTURES / "gallery.png", optimize=True)


if __name__ == "__main__":
    sys.exit(main())
