from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from guided_sr.errors import DataError
from guided_sr.metrics import psnr
from guided_sr.physics.degrade import degrade, upsample
from guided_sr.report import draw_panel


@pytest.fixture
def images(small_head: Any) -> dict[str, np.ndarray]:
    truth = small_head.t2[1]
    low = degrade(truth, 2)
    cubic = upsample(low, truth.shape)
    return {"low": low, "cubic": cubic, "ours": 0.5 * (cubic + truth), "truth": truth}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were saved, to look into."""
    figures: list[Figure] = []
    save = Figure.savefig

    def keep(self: Figure, *args: Any, **options: Any) -> None:
        figures.append(self)
        save(self, *args, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def test_the_panel_is_a_png_with_both_figures_in_its_titles(
    images: dict[str, np.ndarray], drawn: list[Figure], tmp_path: Path
) -> None:
    path = tmp_path / "panel.png"
    draw_panel(path, **images, guide=images["truth"], title="A head")
    assert imread(path).shape[2] == 4
    titles = " | ".join(axis.get_title() for axis in drawn[0].axes)
    for name in ("cubic", "ours"):
        shown = "guided-sr" if name == "ours" else name
        assert f"{shown}: {psnr(images['truth'], images[name]):.2f} dB" in titles


def test_both_errors_have_one_symmetric_window_and_all_t2_one_grey_window(
    images: dict[str, np.ndarray], drawn: list[Figure], tmp_path: Path
) -> None:
    draw_panel(tmp_path / "panel.png", **images)
    pictures = {
        axis.get_title(): axis.images[0] for axis in drawn[0].axes if axis.images
    }
    errors = [p for title, p in pictures.items() if title.startswith("error")]
    greys = [p for title, p in pictures.items() if not title.startswith("error")]
    assert len(errors) == 2
    assert len(greys) == 4
    low, high = errors[0].get_clim()
    assert low == -high
    assert errors[1].get_clim() == (low, high)
    assert len({p.get_clim() for p in greys}) == 1


def test_no_global_state_of_matplotlib_is_touched(
    images: dict[str, np.ndarray], tmp_path: Path
) -> None:
    before = "matplotlib.pyplot" in sys.modules
    draw_panel(tmp_path / "panel.png", **images)
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_images_of_different_size_are_refused(
    images: dict[str, np.ndarray], tmp_path: Path
) -> None:
    path = tmp_path / "panel.png"
    with pytest.raises(DataError, match="differ in size"):
        draw_panel(path, **{**images, "ours": images["low"]})
    assert not path.exists()
