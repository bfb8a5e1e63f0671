from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guided_sr import Result, write_report
from guided_sr.report.panel import grey_window
from guided_sr.report.planes import PLANES, Upright, head_centre, shade
from guided_sr.volumes import Volume

OPACITY = "getComputedStyle(document.querySelector('#swap .foreground-svg')).opacity"


@pytest.fixture
def opened(tab: Any, result: Result, thick: Any, tmp_path: Path) -> Result:
    """A result better than cubic interpolation, whose report is open in the tab."""
    better = dataclasses.replace(result, data=thick["truth"].data)
    tab.open(write_report(better, tmp_path / "report.html").as_uri())
    return better


def shown(tab: Any, selector: str, expected: np.ndarray) -> float:
    """How far what is seen of a picture lies from what should be (mean of greys)."""
    seen = tab.picture(selector)
    rows, columns = (
        ((np.arange(n) + 0.5) * size / n).astype(int)
        for n, size in zip(expected.shape[:2], seen.shape[:2], strict=True)
    )
    wanted = expected[..., :3] / 255.0
    return float(np.mean(np.abs(seen[np.ix_(rows, columns)] - wanted)))


def test_cubic_interpolation_stands_in_for_the_result_under_the_mouse_alone(
    tab: Any, opened: Result, result: Result
) -> None:
    picture = "#swap figure .foreground-svg image"
    at = head_centre(Upright.of(opened.source))
    cubic, ours = (
        Upright.of(Volume(one.data, one.affine)).cut(PLANES[0], at)
        for one in (result, opened)
    )
    window = grey_window(result.data)
    cubic, ours = shade(cubic, window), shade(ours, window)
    left, top, width, height = tab.box(picture)
    tab.mouse("mouseMoved", 1, 1)
    tab.wait(f"{OPACITY} === '1'")
    assert shown(tab, picture, ours) < 0.02 < shown(tab, picture, cubic)

    left, top, width, height = tab.box(picture)
    tab.mouse("mouseMoved", left + width / 2, top + height / 2)
    tab.wait(f"{OPACITY} === '0'")
    assert shown(tab, picture, cubic) < 0.02 < shown(tab, picture, ours)


def test_edges_maps_and_histogram_are_seen_and_nothing_is_asked_for(
    tab: Any, opened: Result
) -> None:
    seen = tab.picture("#edges figure .background-svg image")
    red, green, blue = np.moveaxis(seen, -1, 0)
    assert ((red > 0.8) & (green > 0.3) & (green < 0.8) & (blue < 0.3)).mean() > 0.01
    seen = tab.picture("#map-consistency figure image")
    assert np.ptp(seen, axis=2).max() > 0.2  # coloured
    seen = tab.picture(".histogram")
    assert np.ptp(seen, axis=2).max() > 0.3
    tab.evaluate("document.querySelector('details summary').click()")
    assert "IntendedUse" in tab.evaluate("document.querySelector('pre').innerText")
    text = tab.evaluate("document.body.innerText")
    assert "not a medical device" in text
    assert "a warning with <b>brackets</b>" in text
    fits = "document.documentElement.scrollWidth <= window.innerWidth"
    assert tab.evaluate(fits)
    assert all(one.startswith(("file:", "data:")) for one in tab.requests)
    assert tab.complaints == []
