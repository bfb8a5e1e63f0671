from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from guided_sr.evaluation.inserts import Disc, place_discs, with_discs

SCALE = (4.0, 4.0)


@pytest.fixture
def flat() -> np.ndarray:
    return np.full((4, 160, 160), 0.5, np.float32)


@pytest.mark.parametrize("diameter", [3.0, 5.0, 8.0, 10.0])
def test_a_disc_has_the_area_of_its_diameter(diameter: float) -> None:
    for centre in ((20.0, 20.0), (20.3, 19.6), (20.5, 20.5)):
        _, shares = Disc(0, *centre, diameter, 0.3).weights((40, 40))
        assert shares.sum() == pytest.approx(np.pi * diameter**2 / 4.0, rel=0.06)
        assert (shares.min(), shares.max()) == (0.0, 1.0)


def test_a_disc_is_widened_along_each_axis_by_its_own_factor() -> None:
    disc = Disc(0, 30.0, 30.0, 6.0, 0.3)
    window, shares = disc.weights((60, 60), wider=(4.0, 1.0))
    rows, columns = np.nonzero(shares > 0.5)
    assert np.ptp(rows) + 1 == pytest.approx(14, abs=1)
    assert np.ptp(columns) + 1 == pytest.approx(8, abs=1)
    assert shares.shape == tuple(part.stop - part.start for part in window)


def test_discs_stay_in_tissue_within_the_range_and_apart(
    rng: np.random.Generator,
) -> None:
    image = np.zeros((3, 160, 160), np.float32)
    image[:, 30:130, 30:130] = np.linspace(0.1, 0.9, 100, dtype=np.float32)
    discs = place_discs(image, image, scale=SCALE, rng=rng)
    assert len(discs) > 10
    changed = with_discs(image, discs)
    assert not (changed != image)[image == 0.0].any()
    assert changed.min() >= 0.0
    assert changed.max() <= 1.05 + 1e-6
    for one in discs:
        for two in discs:
            if one is not two and one.index == two.index:
                apart = np.hypot(one.row - two.row, one.column - two.column)
                assert apart > (one.diameter + two.diameter) / 2.0 + 2.0 * SCALE[0]


def test_sizes_and_contrasts_that_fit_come_equally_often(
    flat: np.ndarray, rng: np.random.Generator
) -> None:
    discs = place_discs(flat, flat, scale=SCALE, rng=rng)
    seen = Counter((d.diameter, d.contrast) for d in discs)
    assert {contrast for _, contrast in seen} == {-0.3, -0.15, 0.15, 0.3}
    assert max(seen.values()) - min(seen.values()) <= 1


def test_an_image_without_tissue_gets_no_disc(rng: np.random.Generator) -> None:
    air = np.zeros((2, 160, 160), np.float32)
    assert place_discs(air, air, scale=SCALE, rng=rng) == []
