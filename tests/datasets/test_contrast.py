from __future__ import annotations

import numpy as np
import pytest

from guided_sr.datasets.contrast import Painting, paint


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    """A brain of nested balls within a skull, with the labels of FreeSurfer."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, 48),) * 3, indexing="ij")
    radius = np.sqrt(x**2 + y**2 + z**2)
    out = np.zeros(radius.shape, np.int16)
    for limit, label in ((0.95, 511), (0.8, 24), (0.7, 3), (0.6, 2), (0.2, 4)):
        out[radius < limit] = label
    return out


def _painted(labels: np.ndarray, seed: int) -> Painting:
    return paint(labels, np.random.default_rng(seed))


def test_a_seed_paints_the_same_pair_again(labels: np.ndarray) -> None:
    first, again = _painted(labels, 3), _painted(labels, 3)
    np.testing.assert_array_equal(first.t1, again.t1)
    np.testing.assert_array_equal(first.t2, again.t2)


def test_images_share_a_grid_and_are_finite_and_not_negative(
    labels: np.ndarray,
) -> None:
    for seed in range(4):
        painting = _painted(labels, seed)
        assert painting.t1.shape == painting.t2.shape
        for image in (painting.t1, painting.t2):
            assert image.dtype == np.float32
            assert np.isfinite(image).all()
            assert image.min() >= 0.0
            assert 0.2 < image.max() < 3.0


def test_some_paintings_have_a_skull_and_some_have_none(labels: np.ndarray) -> None:
    paintings = [_painted(labels, seed) for seed in range(12)]
    assert {p.stripped for p in paintings} == {True, False}
    whole = [p for p in paintings if not p.stripped]
    assert all(p.t1.shape == labels.shape for p in whole)


def test_contrasts_differ_from_painting_to_painting(labels: np.ndarray) -> None:
    middle = tuple(n // 2 for n in labels.shape)
    values = {
        round(float(p.t2[tuple(n // 2 for n in p.t2.shape)]), 3)
        for p in (_painted(labels, seed) for seed in range(6))
    }
    assert len(values) == 6
    assert labels[middle] == 4
