from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from guided_sr.datasets.phantom import head_phantom
from guided_sr.errors import DataError, UsageError
from guided_sr.metrics import psnr
from guided_sr.physics.degrade import degrade, upsample
from guided_sr.report.benchmark_figures import (
    draw_comparison,
    draw_profile,
    worst_line,
    worst_square,
)

Images = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def head() -> Images:
    """Rows and columns of different number, to tell them apart."""
    phantom = head_phantom((64, 80), seed=1)
    return {"truth": phantom.t2[0], "guide": phantom.t1[0]}


@pytest.fixture(scope="module")
def images(head: Images) -> Images:
    truth = head["truth"]
    cubic = upsample(degrade(truth, 2), truth.shape)
    shares = {"zssr": 0.2, "model_1": 0.3, "model_2": 0.5, "proposed": 0.8}
    return {"cubic": cubic} | {
        name: share * truth + (1 - share) * cubic for name, share in shares.items()
    }


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


def test_the_comparison_has_the_papers_names_and_psnr(
    head: Images, images: Images, drawn: list[Figure], tmp_path: Path
) -> None:
    path = tmp_path / "figure.png"
    draw_comparison(path, **head, images={**images, "own": images["zssr"]}, title="4x")
    assert imread(path).ndim == 3
    titles = [" ".join(a.get_title().split()) for a in drawn[0].axes if a.get_title()]
    assert titles[:2] == ["(a) Truth (T2)", "(b) Guide (T1)"]
    cubic = psnr(head["truth"], images["cubic"])
    assert titles[2] == f"(c) Bicubic interpolation {cubic:.2f} dB"
    assert titles[4].startswith("(e) Model 1 (external, no guide)")
    assert titles[-1].startswith("(h) own")


def test_one_grey_window_and_one_symmetric_colour_window(
    head: Images, images: Images, drawn: list[Figure], tmp_path: Path
) -> None:
    draw_comparison(tmp_path / "figure.png", **head, images=images)
    grid = drawn[0].axes[: 3 * 7]
    greys = {a.images[0].get_clim() for k, a in enumerate(grid[:14]) if k % 7 != 1}
    assert len(greys) == 1
    errors = [axis.images[0] for axis in grid[16:]]
    assert len(errors) == len(images)
    ((low, high),) = {error.get_clim() for error in errors}
    assert low == -high < 0


def test_the_second_row_is_the_square_of_the_first(
    head: Images, images: Images, drawn: list[Figure], tmp_path: Path
) -> None:
    path = tmp_path / "figure.png"
    draw_comparison(path, **head, images=images, zoom=(10, 30, 20))
    axes = drawn[0].axes
    square = axes[0].patches[0]
    assert (square.get_x(), square.get_y(), square.get_width()) == (10, 30, 20)
    shown = axes[7].images[0].get_array()
    np.testing.assert_array_equal(shown, head["truth"][10:30, 30:50].T)
    # Rows run to the right: the picture is transposed, its origin below.
    np.testing.assert_array_equal(axes[0].images[0].get_array(), head["truth"].T)
    assert axes[0].images[0].origin == "lower"


def test_the_default_square_holds_the_largest_error_inside_the_head(
    head: Images,
) -> None:
    truth = head["truth"]
    image = truth.astype(np.float64)
    image[30:34, 40:44] += 500.0
    image[:3, :3] += 5000.0
    row, column, side = worst_square(truth, image)
    assert side == 16
    assert row <= 30 <= row + side - 4
    assert column <= 40 <= column + side - 4


def test_the_default_line_lies_where_peaks_are_lost(head: Images) -> None:
    truth = np.zeros_like(head["truth"]) + 100.0
    truth[20:44:3, 50] = 300.0
    smooth = np.full_like(truth, 100.0)
    smooth[10:30, 20] = 500.0
    (r0, c0), (r1, c1) = worst_line(truth, smooth)
    assert c0 == c1 == 50
    assert r1 - r0 == 23
    assert 15 <= r0 <= 25


def test_profiles_are_grouped_by_what_guides_them(
    head: Images, images: Images, drawn: list[Figure], tmp_path: Path
) -> None:
    path = tmp_path / "figure.png"
    draw_profile(path, truth=head["truth"], images=images, title="4x")
    slice_axis, *plots = drawn[0].axes
    assert slice_axis.lines[0].get_color() == "#ffd400"
    names = [[line.get_label() for line in plot.lines] for plot in plots]
    assert names == [
        ["Truth", "Bicubic interpolation"],
        ["Truth", "ZSSR", "Model 1 (external, no guide)"],
        ["Truth", "Model 2 (internal + guide)", "Proposed (unsupervised)"],
    ]
    assert len({plot.get_ylim() for plot in plots}) == 1


def test_a_profile_reads_the_slice_along_the_line(
    head: Images, images: Images, drawn: list[Figure], tmp_path: Path
) -> None:
    draw_profile(
        tmp_path / "figure.png",
        truth=head["truth"],
        images=images,
        line=((20, 33), (40, 33)),
        groups={"Ours": ["proposed"]},
    )
    assert len(drawn[0].axes) == 2
    truth, ours = drawn[0].axes[1].lines
    np.testing.assert_allclose(truth.get_ydata(), head["truth"][20:41, 33], rtol=1e-6)
    np.testing.assert_allclose(ours.get_ydata(), images["proposed"][20:41, 33])
    np.testing.assert_allclose(truth.get_xdata(), np.arange(21))


def test_no_global_state_of_matplotlib_is_touched(
    head: Images, images: Images, tmp_path: Path
) -> None:
    before = "matplotlib.pyplot" in sys.modules
    draw_profile(tmp_path / "figure.png", truth=head["truth"], images=images)
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_what_cannot_be_drawn_is_refused(
    head: Images, images: Images, tmp_path: Path
) -> None:
    path = tmp_path / "figure.png"
    truth = head["truth"]
    with pytest.raises(DataError, match="differ in size"):
        draw_comparison(path, **head, images={"cubic": truth[1:]})
    with pytest.raises(DataError, match="the guide"):
        draw_comparison(path, truth=truth, guide=truth[1:], images=images)
    with pytest.raises(DataError, match="empty"):
        draw_profile(path, truth=0 * truth, images=images)
    with pytest.raises(UsageError, match="no images"):
        draw_profile(path, truth=truth, images={})
    with pytest.raises(UsageError, match="does not lie"):
        draw_comparison(path, **head, images=images, zoom=(50, 0, 20))
    for line in (((0, 0), (0, 0)), ((0, 0), (64, 0))):
        with pytest.raises(UsageError, match="is no line"):
            draw_profile(path, truth=truth, images=images, line=line)
    with pytest.raises(UsageError, match="no image is called theirs"):
        draw_profile(path, truth=truth, images=images, groups={"a": ["theirs"]})
    assert not path.exists()
