"""A real browser without a window, driven over a pipe with the DevTools protocol.

Browser    a context manager; Chromium as CHROMIUM names it, or from the PATH
Page       one tab: `open`, `evaluate`, `press`, `wait_for`, `picture`, and what it asked for and complained of
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys

import pytest

from conftest import PATIENCE

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new --disable-gpu --no-first-run --no-default-browser-check --disable-extensions --mute-audio "
    "--disable-background-networking --disable-component-update --hide-scrollbars --remote-debugging-pipe"
).split()


def executable() -> str:
    """The browser, or the test is skipped."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None or os.name == "nt":
        pytest.skip("Chromium is not installed (CHROMIUM names its executable)")
    return found


class Browser:
    """folder: for the browser's own profile; a temporary one."""

    def __init__(self, folder):
        self._folder = str(folder)
        self._number = 0
        self.seen: list[dict] = []

    def __enter__(self) -> Browser:
        program = executable()
        to_browser, ours = os.pipe()
        theirs, from_browser = os.pipe()[::-1]
        # Root, as in a container, has no sandbox of the browser's own.
        more = ["--no-sandbox"] if os.geteuid() == 0 else []
        # The browser reads its commands from descriptor 3 and writes to 4, whatever their numbers are here.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ON_3_AND_4, str(to_browser), str(theirs), program]
            + [*FLAGS, *more, f"--user-data-dir={self._folder}", "about:blank"],
            pass_fds=(to_browser, theirs),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._folder},
            start_new_session=True,
        )
        os.close(to_browser)
        os.close(theirs)
        self._to = os.fdopen(ours, "wb", buffering=0)
        self._from = os.fdopen(from_browser, "rb")
        return self

    def __exit__(self, *problem) -> None:
        try:
            self.call("Browser.close")
        except (OSError, AssertionError):
            pass
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._to.close()
        self._from.close()

    def call(self, method: str, session: str | None = None, **parameters) -> dict:
        """One command; everything else that the browser says meanwhile goes to `seen`."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        self._to.write(json.dumps(command).encode() + b"\0")
        while True:
            said = self._next()
            if said.get("id") == self._number:
                assert "error" not in said, (method, said["error"])
                return said["result"]
            self.seen.append(said)

    def _next(self) -> dict:
        content = bytearray()
        while (byte := self._from.read(1)) != b"\0":
            assert byte, "the browser has ended"
            content += byte
        return json.loads(content)

    def page(self, width: int = 1400, height: int = 1000, **media: str) -> Page:
        """A new tab; `media` such as prefers_color_scheme="dark"."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for name in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{name}.enable")
        page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        page.call("Emulation.setEmulatedMedia", features=features)
        return page


class Page:
    def __init__(self, browser: Browser, session: str):
        self._browser = browser
        self._session = session

    def call(self, method: str, **parameters) -> dict:
        return self._browser.call(method, self._session, **parameters)

    def open(self, path, before: str = "") -> None:
        """A file; `before` is code that runs ahead of the page's own."""
        if before:
            self.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        self.call("Page.navigate", url=path.as_uri())
        self.wait_for("document.readyState === 'complete'")

    def evaluate(self, code: str):
        """The value of an expression; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Until an expression is true."""
        code = f"""new Promise((done, failed) => {{
            const until = Date.now() + {PATIENCE * 1000};
            (function look() {{
                if ({condition}) done(true);
                else if (Date.now() > until) failed(new Error("waited for too long"));
                else setTimeout(look, 20);
            }})();
        }})"""
        assert self.evaluate(code)

    def press(self, *keys: str) -> None:
        """Keys by their names, such as ArrowRight, Enter, Escape, Tab, or a letter."""
        codes = {"Enter": 13, "Escape": 27, "Tab": 9, "End": 35, "Home": 36}
        codes.update({"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40})
        for key in keys:
            named = {"key": key, "windowsVirtualKeyCode": codes.get(key, ord(key[0]))}
            text = {"text": "\r" if key == "Enter" else key} if key == "Enter" or len(key) == 1 else {}
            self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **named, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def picture(self, path) -> None:
        """Write what is on the screen as a PNG file."""
        shot = self.call("Page.captureScreenshot", format="png")
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def said(self, *methods: str) -> list[dict]:
        """What the browser has told of this page, in order."""
        self.evaluate("0")  # what it has to say comes before the answer
        mine = [said for said in self._browser.seen if said.get("sessionId") == self._session]
        return [said["params"] for said in mine if said["method"] in methods]

    @property
    def requested(self) -> list[str]:
        """The URL of everything that the page asked for; data: URLs are the browser's own icons."""
        urls = [said["request"]["url"] for said in self.said("Network.requestWillBeSent")]
        return [url for url in urls if not url.startswith("data:image/svg+xml")]

    @property
    def complaints(self) -> list[dict]:
        """What the page's console and the browser complained of, and every window that popped up."""
        return self.said(
            "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Page.javascriptDialogOpening"
        )


_ON_3_AND_4 = """
import os, sys
reading, writing = int(sys.argv[1]), int(sys.argv[2])
reading, writing = os.dup(reading), os.dup(writing)
spare = [reading, writing]
while min(spare) < 5:
    spare = [os.dup(descriptor) for descriptor in spare]
os.dup2(spare[0], 3)
os.dup2(spare[1], 4)
for descriptor in spare:
    os.close(descriptor)
os.execv(sys.argv[3], sys.argv[3:])
"""
