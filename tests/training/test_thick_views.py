from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from guided_sr.datasets.phantom import head_phantom
from guided_sr.errors import UsageError
from guided_sr.physics.degrade import degrade
from guided_sr.training.subjects import subjects_of
from guided_sr.training.thick_views import thick_factor, thick_views
from guided_sr.volumes import Volume


def scan(thick: float) -> tuple[Volume, Volume]:
    head = head_phantom((40, 48), 5, seed=3, voxel_mm=4.0)
    affine = head.affine @ np.diag([1.0, 1.0, thick, 1.0])
    t2, t1 = (np.moveaxis(x, 0, -1).astype(np.float32) for x in (head.t2, head.t1))
    return Volume(t2, affine), Volume(t1, affine)


@pytest.mark.parametrize(
    ("thick", "factor"), [(1.0, 4.0), (1.4, 4.0), (3.0, 3.0), (3.3, 3.3), (9.0, 6.0)]
)
def test_views_are_as_coarse_as_slices_are_thick(thick: float, factor: float) -> None:
    affine = np.diag([0.5, 0.5, 0.5 * thick, 1.0])
    assert thick_factor(affine, 4.0, (1.5, 6.0)) == pytest.approx(factor)


def test_a_thick_scan_teaches_by_its_own_planes_seen_from_both_sides() -> None:
    t2, t1 = scan(2.0)
    rows, columns = thick_views(t2, t1, guided=True, nominal=4.0, served=(1.5, 6.0))
    assert rows.t2.shape == (5, 20, 48)
    assert columns.t2.shape == (5, 24, 40)
    assert rows.t1 is not None
    assert columns.t1 is not None
    assert rows.t1.shape == (5, 40, 48)
    assert columns.t1.shape == (5, 48, 40)
    assert rows.spacing_mm == pytest.approx((8.0, 4.0, 4.0))
    upright = np.swapaxes(columns.t1, 1, 2)
    np.testing.assert_allclose(upright, rows.t1, atol=1e-5)
    again = thick_views(
        dataclasses.replace(t2, data=np.asarray(t2.data)),
        None,
        guided=False,
        nominal=4.0,
        served=(1.5, 6.0),
    )
    np.testing.assert_array_equal(again[0].t2, rows.t2)
    assert again[0].t1 is None


@pytest.mark.parametrize("guided", [True, False])
@pytest.mark.parametrize("thick", [1.5, 2.0])
def test_subjects_of_a_slice_model_are_both_views_of_a_volume(
    guided: bool, thick: float
) -> None:
    """1.5 is the least factor; the sizes, rounded, tell a little less."""
    t2, t1 = scan(thick)
    subjects = subjects_of(
        [(t2, t1), (t2, t1)],
        scale=(4.0, 1.0),
        scale_range=(1.5, 6.0),
        stages=2,
        guided=guided,
        stage_blur="consistent",
        weights=[0.5, 1.0],
        views=True,
    )
    assert [s.owner for s in subjects] == [1, 1, 2, 2]
    assert [s.weight for s in subjects] == [0.5, 0.5, 1.0, 1.0]
    assert [s.plan.target_shape for s in subjects[:2]] == [(40, 48), (48, 40)]
    for subject in subjects:
        assert subject.plan.scale[0] == pytest.approx(thick, rel=0.03)
        assert subject.plan.scale[1] == 1.0
        assert (subject.t1 is None) == (not guided)
    assert subjects[0].spacing_mm == pytest.approx((4.0 * thick, 4.0, 4.0))
    low = degrade(np.ones((40, 48), np.float32), (thick, 1.0))
    assert low.shape == subjects[0].t2.shape[1:]


def test_whole_volumes_teach_rows_only_where_views_are_asked_for() -> None:
    with pytest.raises(UsageError, match="whole volumes"):
        subjects_of(
            [scan(2.0)],
            scale=(4.0, 1.0),
            stages=2,
            guided=True,
            stage_blur="consistent",
        )
