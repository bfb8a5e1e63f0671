"""Pictures of the report and of the viewer, of a drawn head, taken in a real browser.

`python docs/figures/screenshots.py` writes `docs/images/report.png` and
`docs/images/view.png`. It needs Chromium and the package `websockets`.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image
from shapes import IMAGES
from websockets.sync.client import connect

from guided_sr import head_phantom
from guided_sr.cli.main import main as guided_sr
from guided_sr.view.scene import Scene
from guided_sr.view.server import ViewServer
from guided_sr.volumes import write_volume

SHAPE, SLICES = (180, 216), 96
COLOURS = 128
WIDTH = 1200  # of the window


def browser_module() -> ModuleType:
    """The browser of the tests."""
    path = Path(__file__).parents[2] / "tests/browser/conftest.py"
    spec = importlib.util.spec_from_file_location("browser", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make(folder: Path) -> Path:
    """A head, its T2 made coarse, and a result with its report."""
    head = head_phantom(SHAPE, SLICES, seed=1, skull=False)
    t2, t1, low = (folder / name for name in ("sharp.nii", "T1.nii", "T2.nii"))
    for path, data in ((t2, head.t2), (t1, head.t1)):
        write_volume(path, np.moveaxis(data, 0, -1), head.affine)
    result = folder / "T2_sr.nii"
    for line in (
        f"degrade -q -i {t2} -o {low} --scale 4",
        f"run -q -i {low} -g {t1} -o {result} --report",
    ):
        if guided_sr(line.split()):
            sys.exit(f"failed: guided-sr {line}")
    return result


def take(tab: Any, name: str, first: str, last: str) -> None:
    """Save the page from the top of one element to the foot of another."""
    top, foot = tab.evaluate(
        f"[document.querySelector('{first}').getBoundingClientRect().top + scrollY,"
        f" document.querySelector('{last}').getBoundingClientRect().bottom + scrollY]"
    )
    clip = {"x": 0, "y": top, "width": WIDTH, "height": foot - top, "scale": 1}
    shot = tab.call(
        "Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True
    )
    image = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
    image.quantize(COLOURS).save(IMAGES / f"{name}.png", optimize=True)


def main() -> None:
    """Make the result, open both pages, take both pictures."""
    browser = browser_module()
    program = next((p for p in map(shutil.which, browser.NAMES) if p), None)
    if program is None:
        sys.exit(f"no browser is installed (looked for {', '.join(browser.NAMES)})")
    with tempfile.TemporaryDirectory() as folder:
        result = make(Path(folder))
        with (
            browser.started(program, Path(folder) / "profile") as address,
            connect(address, max_size=None, compression=None) as socket,
            ViewServer(Scene.of(result)) as server,
        ):
            tab = browser.Browser(socket)
            tab.open(result.with_suffix(".html").as_uri())
            take(tab, "report", "#verdict", "#edges")
            threading.Thread(target=server.serve_forever, daemon=True).start()
            tab.open(server.url)
            tab.wait("document.body.dataset.ready === 'yes'")
            take(tab, "view", "body", "output")
            server.shutdown()


if __name__ == "__main__":
    main()
