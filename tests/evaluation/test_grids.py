from __future__ import annotations

import numpy as np
import pytest

from guided_sr.errors import GeometryError, GuidedSRWarning, UsageError
from guided_sr.evaluation.grids import (
    crop_to_grid,
    lower_resolution,
    require_same_field_of_view,
)
from guided_sr.physics.degrade import crop_to_multiple, degrade
from guided_sr.volumes import Volume, corners

NAMES = ("HR", "SR")


def oblique(shape: tuple[int, int, int], sizes: tuple[float, float, float]) -> Volume:
    angle = 0.2
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turn[:3, 3] = (10, -20, 30)
    data = np.random.default_rng(1).random(shape, np.float32)
    return Volume(data, turn @ np.diag([*sizes, 1.0]))


@pytest.mark.parametrize("across", [0, 1, 2])
def test_the_coarse_volume_covers_the_cropped_one(across: int) -> None:
    shape, sizes = [27, 29], [1.0, 1.0]
    shape.insert(across, 5)
    sizes.insert(across, 6.0)
    volume = oblique(tuple(shape), tuple(sizes))
    made = lower_resolution(volume, 4)
    assert made.slice_axis == across
    assert made.data.shape[across] == 5
    np.testing.assert_allclose(
        corners(made.affine, made.data.shape),
        corners(made.cropped.affine, made.cropped.data.shape),
        atol=1e-9,
    )
    stack = np.moveaxis(volume.data, across, 0)
    expected = degrade(crop_to_multiple(stack, 4), 4)
    np.testing.assert_allclose(np.moveaxis(made.data, across, 0), expected, rtol=1e-6)
    part = tuple(
        slice(a, a + n)
        for a, n in zip(made.start, made.cropped.data.shape, strict=True)
    )
    np.testing.assert_array_equal(made.cropped.data, volume.data[part])


def test_the_crop_of_a_volume_lies_on_its_grid() -> None:
    volume = oblique((27, 29, 5), (1, 1, 6))
    cropped = lower_resolution(volume, 4).cropped
    found = crop_to_grid(volume, cropped, names=NAMES)
    np.testing.assert_array_equal(found.data, cropped.data)
    np.testing.assert_allclose(found.affine, cropped.affine, atol=1e-12)


@pytest.mark.parametrize(
    "move",
    [
        np.diag([1.01, 1.0, 1.0, 1.0]),
        np.array([[1, 0, 0, 0.4], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
        np.array([[1, 0, 0, 5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
        np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    ],
    ids=["scaled", "between voxels", "outside", "transposed"],
)
def test_another_grid_is_refused(move: np.ndarray) -> None:
    volume = oblique((20, 20, 5), (1, 1, 6))
    other = Volume(volume.data[:18], volume.affine @ move)
    with pytest.raises(GeometryError, match="do not lie on one grid"):
        crop_to_grid(volume, other, names=NAMES)


def test_the_slices_of_a_pair_are_those_of_the_coarse_image() -> None:
    volume = oblique((24, 28, 5), (1, 1, 6))
    made = lower_resolution(volume, 4)
    low = Volume(made.data, made.affine)
    assert require_same_field_of_view(low, made.cropped, names=("LR", "SR")) == 2
    shifted = made.affine.copy()
    shifted[0, 3] += 1
    with pytest.raises(GeometryError, match="differ by 1 mm"):
        require_same_field_of_view(
            Volume(made.data, shifted), made.cropped, names=("LR", "SR")
        )
    finer = Volume(np.zeros((48, 56, 10), np.float32), made.affine)
    with pytest.raises(GeometryError):
        require_same_field_of_view(low, finer, names=("LR", "SR"))


def test_a_coarse_image_that_hides_its_slices_is_warned_of() -> None:
    volume = oblique((5, 24, 28), (4, 1, 1))
    with pytest.warns(GuidedSRWarning, match="taken for those of another axis"):
        lower_resolution(volume, 4)


@pytest.mark.parametrize(
    "options", [{"scale": 40}, {"scale": 2, "noise": -1.0}, {"scale": 0.5}]
)
def test_what_makes_no_sense_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        lower_resolution(oblique((24, 28, 5), (1, 1, 6)), **options)
