"""A real browser, spoken to by the DevTools protocol; without one, tests skip."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60.0  # seconds; a fault, not a measurement
FLAGS = (
    "--headless=new",
    "--hide-scrollbars",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
    "--window-size=1200,900",
)


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "the browser does not answer"
        time.sleep(0.05)


@contextmanager
def started(program: str, profile: Path) -> Iterator[str]:
    """Run a browser; yields the address of its tab's socket."""
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [program, *FLAGS, *root, f"--user-data-dir={profile}", "about:blank"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as process:
        try:
            told = profile / "DevToolsActivePort"
            until(lambda: told.exists() and told.read_text().count("\n") > 0)
            port = told.read_text().splitlines()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
                tabs = json.load(answer)
            yield next(t for t in tabs if t["type"] == "page")["webSocketDebuggerUrl"]
        finally:
            process.terminate()


class Browser:
    """One tab of a headless Chromium."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.numbers = itertools.count(1)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command, and note what happens until its answer."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv(timeout=PATIENCE))
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])
            self._note(answer.get("method"), answer.get("params", {}))

    def _note(self, event: str | None, about: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif event == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.complaints.append(about["entry"]["text"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(str(about["exceptionDetails"]))

    def open(self, url: str) -> None:
        self.requests.clear()
        self.complaints.clear()
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def evaluate(self, script: str) -> Any:
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        until(lambda: self.evaluate(condition))

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of an element, brought into view."""
        found = self.evaluate(
            "(() => { const e = document.querySelector(" + json.dumps(selector) + ");"
            " e.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const b = e.getBoundingClientRect();"
            " return [b.left, b.top, b.width, b.height]; })()"
        )
        left, top, width, height = found
        return left, top, width, height

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        self.mouse("mouseMoved", x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def picture(self, selector: str) -> np.ndarray:
        """What is seen of an element, grey, 0 to 1."""
        left, top, width, height = (round(n) for n in self.box(selector))
        shown = self.call("Page.captureScreenshot", format="png")
        image = imread(io.BytesIO(base64.b64decode(shown["data"])), format="png")
        if folder := os.environ.get("GUIDED_SR_SCREENSHOTS"):
            name = "".join(c if c.isalnum() else "_" for c in selector)
            path = Path(folder) / f"{next(self.numbers):04}{name}.png"
            path.write_bytes(base64.b64decode(shown["data"]))
        part: np.ndarray = image[top : top + height, left : left + width, :3]
        return part


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = next((p for p in map(shutil.which, NAMES) if p), None)
    if program is None:
        pytest.skip(f"no browser is installed (looked for {', '.join(NAMES)})")
    client = pytest.importorskip(
        "websockets.sync.client", reason="websockets speaks to the browser"
    )
    with (
        started(program, tmp_path_factory.mktemp("profile")) as address,
        client.connect(address, max_size=None, compression=None) as socket,
    ):
        yield Browser(socket)
