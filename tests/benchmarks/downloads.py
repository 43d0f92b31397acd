"""How fast and in how much memory results are saved, against curl and sha256sum on the same server.

    python tests/benchmarks/downloads.py [MEBIBYTES ...]      default: 64 1024

Whole processes, taking turns; it reports and never fails. The server runs in this process and sends a
real MP4 of that size out of a file; the command is wait_generation.py, which reads a finished job,
fetches the video, checks it, makes it durable and tells its sha256.
"""

from __future__ import annotations

import http.server
import json
import os
import socketserver
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ROUNDS = 7


def write_video(path: Path, size: int) -> None:
    """The sandbox's own video, with random bytes in a box of their own that players skip."""
    video = (ROOT / "assets/sandbox.mp4").read_bytes()
    with open(path, "wb") as file:
        file.write(video + struct.pack(">I4sQ", 1, b"free", size - len(video)))
        while (left := size - file.tell()) > 0:
            file.write(os.urandom(min(left, 1024**2)))


class Handler(http.server.BaseHTTPRequestHandler):
    """One finished job, and its video."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.endswith(".mp4"):
            return self._send_video()
        url = f"http://127.0.0.1:{self.server.server_address[1]}/video.mp4"
        job = {"id": "gen_1", "status": "COMPLETED", "data": {"type": "video", "video": {"url": url}}}
        content = json.dumps(job).encode()
        self._head(len(content), "application/json")
        self.wfile.write(content)

    def _send_video(self):
        with open(self.server.video, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            self._head(size, "video/mp4")
            self.wfile.flush()
            self.connection.sendfile(file)

    def _head(self, size: int, media_type: str):
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, *ignored):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    video: Path


def timed(argv: list[str], **options) -> tuple[float, int]:
    """Seconds, and the largest resident memory of the process in bytes."""
    began = time.monotonic()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.stderr.write(f"{argv[0]} ended with {process.returncode}\n")
    return time.monotonic() - began, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(server: Server, folder: Path, mebibytes: int) -> dict:
    server.video = folder / "served.mp4"
    write_video(server.video, mebibytes * 1024**2)
    origin = f"http://127.0.0.1:{server.server_address[1]}"
    out = folder / "out"
    script = str(ROOT / "scripts/wait_generation.py")
    ours = [sys.executable, script, "--generation-id", "gen_1", "--base-url", origin + "/api/v1"]
    ours += ["--output-dir", str(out), "--output-name", "video"]
    theirs = ["sh", "-c", f"curl -sS -o {out}/curl.mp4 {origin}/video.mp4 && sha256sum {out}/curl.mp4"]
    env = {**os.environ, "AI_MEDIA_HOME": str(folder / "state"), "SKILLS_VIDEO_API_KEY": "your_api_key_here"}
    out.mkdir(exist_ok=True)
    times: dict[str, list[float]] = {"ours": [], "curl": []}
    peak = 0
    for _ in range(ROUNDS + 1):
        for name, argv in (("curl", theirs), ("ours", ours)):
            seconds, memory = timed(argv, env=env)
            times[name].append(seconds)
            peak = max(peak, memory) if name == "ours" else peak
            for path in out.iterdir():
                path.unlink()
    # The first of each warms the caches.
    middle = {name: statistics.median(found[1:]) for name, found in times.items()}
    return {
        "mebibytes": mebibytes,
        "ours_seconds": round(middle["ours"], 3),
        "curl_sha256sum_seconds": round(middle["curl"], 3),
        "speed_ratio": round(middle["curl"] / middle["ours"], 2),
        "peak_mebibytes": round(peak / 1024**2, 1),
    }


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [64, 1024]
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            sys.stdout.write(json.dumps(measure(server, Path(folder), size)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
