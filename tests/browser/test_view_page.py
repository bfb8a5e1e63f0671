from __future__ import annotations

from typing import Any

import numpy as np

from guided_sr.view.server import ViewServer

READY = "document.body.dataset.ready"
WHERE = "Array.from(document.querySelectorAll('output')).map((o) => o.textContent)"


def test_a_click_in_one_image_moves_the_crosshair_in_all(
    tab: Any, view_server: ViewServer
) -> None:
    tab.open(view_server.url)
    tab.wait(f"{READY} !== undefined")
    assert tab.evaluate(READY) == "yes", tab.complaints
    titles = "Array.from(document.querySelectorAll('h2')).map((h) => h.textContent)"
    assert tab.evaluate(titles) == ["T2 as acquired", "result", "T1"]
    before = {key: tab.picture(f"#canvas-{key}") for key in ("t2", "result", "t1")}
    for key, seen in before.items():  # a head on black, in every canvas
        grey = seen.mean(axis=2)
        assert (grey < 0.05).mean() > 0.2, key
        assert (grey > 0.2).mean() > 0.05, key
    places = tab.evaluate(WHERE)

    left, top, width, height = tab.box("#canvas-result")
    tab.click(left + 0.42 * width, top + 0.13 * height)
    tab.wait(f"JSON.stringify({WHERE}) !== {str(places)!r}.replaceAll(\"'\", '\"')")
    millimetres = [text.split(" mm: ")[0] for text in tab.evaluate(WHERE)]
    at = np.array([[float(n) for n in one.split(", ")] for one in millimetres])
    start = np.array([float(n) for n in places[1].split(" mm: ")[0].split(", ")])
    assert np.abs(at[1] - start).max() > 1.0
    assert np.ptp(at, axis=0).max() < 2.1  # the T2's voxels are 4 mm thick
    for key, seen in before.items():
        assert np.abs(tab.picture(f"#canvas-{key}") - seen).max() > 0.3, key

    assert tab.requests
    assert all(
        one.startswith((view_server.url, "data:", "blob:")) for one in tab.requests
    )
    assert tab.complaints == []


def test_the_page_may_not_fetch_from_elsewhere(
    tab: Any, view_server: ViewServer
) -> None:
    tab.open(view_server.url)
    tab.wait(f"{READY} !== undefined")
    tab.evaluate(
        "fetch('https://example.org/x').then(() => { window.went = 'out'; },"
        " () => { window.went = 'refused'; })"
    )
    tab.wait("window.went !== undefined")
    assert tab.evaluate("window.went") == "refused"
    assert any("Content Security Policy" in one for one in tab.complaints)
