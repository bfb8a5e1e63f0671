from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from guided_sr.errors import DataError, GuidedSRWarning
from guided_sr.inference.usage import check_usage, warn_of_needless_voxels
from guided_sr.volumes import Volume, choose_target


def _volume(shape: tuple[int, int, int], voxel: tuple[float, ...]) -> Volume:
    return Volume(np.ones(shape, np.float32), np.diag([*voxel, 1.0]), path=Path("x"))


def _check(range_: dict[str, list[float]], *, strict: bool, through: bool) -> None:
    t2 = _volume((20, 24, 6), (1.0, 1.0, 4.0))
    t1 = _volume((20, 24, 24), (1.0, 1.0, 1.0))
    grid = choose_target(t2.affine, t2.data.shape, scale=4.0, axes="slice")
    check_usage({"range": range_}, grid, t2, t1, through_plane=through, strict=strict)


def test_a_slice_model_is_asked_about_the_slice_axis(
    recwarn: pytest.WarningsRecorder,
) -> None:
    inside = {"t2_mm": [3.0, 5.0], "t1_mm": [0.7, 1.3], "factors": [2.0, 6.0]}
    _check(inside, strict=True, through=True)
    assert not recwarn


def test_an_in_plane_model_is_asked_about_the_planes() -> None:
    with pytest.warns(GuidedSRWarning, match="voxels of 1 mm along the enlarged"):
        _check({"t2_mm": [3.0, 5.0]}, strict=False, through=False)


@pytest.mark.parametrize(
    ("voxel", "t1_mm", "says"),
    [
        ((0.5, 0.5, 4.0), 1.0, "0.125 mm in-plane.*T1 1 mm there.*slices, of 4 mm"),
        ((0.5, 0.5, 4.0), None, r"finer than anything useful.*T2 has 0\.5 mm there"),
        ((0.9, 0.9, 0.9), 0.9, "0.225 mm.*larger voxels"),
    ],
)
def test_voxels_finer_than_anything_useful_are_told_with_a_way_out(
    voxel: tuple[float, ...], t1_mm: float | None, says: str
) -> None:
    grid = choose_target(np.diag([*voxel, 1.0]), (20, 24, 6), scale=4, axes="in-plane")
    t1 = None if t1_mm is None else np.diag([t1_mm] * 3 + [1.0])
    with pytest.warns(GuidedSRWarning, match=says):
        warn_of_needless_voxels(grid, t1)


def test_fine_voxels_that_the_t1_has_are_not_needless(
    recwarn: pytest.WarningsRecorder,
) -> None:
    low = np.diag([0.5, 0.5, 2.0, 1.0])
    fine = choose_target(low, (20, 24, 6), scale=2, axes="in-plane")
    warn_of_needless_voxels(fine, np.diag([0.25, 0.25, 2.0, 1.0]))
    slices = choose_target(np.diag([0.2, 0.2, 4.0, 1.0]), (20, 24, 6), scale=4)
    warn_of_needless_voxels(slices, None)
    assert not recwarn


def test_strict_refuses_what_is_outside() -> None:
    with pytest.raises(DataError, match="the factor is 4"):
        _check({"factors": [2.0, 3.0]}, strict=True, through=True)
