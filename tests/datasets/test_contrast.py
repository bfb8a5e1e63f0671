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


def test_a_mask_cuts_both_images_from_one_voxel_to_the_next(labels: np.ndarray) -> None:
    """As a skull is stripped off scans: what is left of the edge is not blurred."""

    def steepest(painting: Painting) -> float:
        steps = np.abs(np.diff(painting.t1, axis=2))
        return float(steps[painting.t1[..., 1:] == 0.0].max() / painting.t1.max())

    paintings = [
        paint(labels, np.random.default_rng(seed), masked=1.0) for seed in range(10)
    ]
    masked = [p for p in paintings if p.masked]
    assert {p.stripped for p in paintings if not p.masked} == {False}
    assert len(masked) > 3
    agreed = 0
    for painting in masked:
        assert painting.t1.shape == painting.t2.shape
        kept = [image > 0.0 for image in (painting.t1, painting.t2)]
        assert 0.1 < kept[0].mean() < 0.9
        agreed += np.mean(kept[0] != kept[1]) < 0.005
    assert agreed >= len(masked) // 2
    painted = [_painted(labels, seed) for seed in range(10)]
    soft = [steepest(p) for p in painted if p.stripped]
    assert not any(p.masked for p in painted)
    assert np.mean([steepest(p) for p in masked]) > 1.2 * np.mean(soft)


def test_a_mask_keeps_some_of_what_lies_around_a_brain(labels: np.ndarray) -> None:
    """It is as large as the brain and up to some voxels more, or less."""
    brain = ((labels > 0) & (labels < 500)).sum()
    sizes = []
    for seed in range(12):
        painting = paint(labels, np.random.default_rng(seed), masked=1.0)
        if painting.masked:
            sizes.append((painting.t2 > 0.0).sum() / brain)
    assert 0.5 < min(sizes) < 1.1
    assert 1.1 < max(sizes) < 2.5
