from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guided_sr.errors import UsageError
from guided_sr.volumes import choose_target, corners, voxel_sizes


def grid(*sizes, shape=(40, 40, 20), **options):
    return choose_target(np.diag([*sizes, 1.0]), shape, **options)


@pytest.mark.parametrize(
    ("sizes", "options", "scale"),
    [
        ((0.5, 0.5, 4), {}, (1, 1, 4)),
        ((4, 4, 1), {}, (4, 4, 1)),
        ((1.5, 1.5, 3), {}, (1, 1, 2)),
        ((1.1, 1.1, 1.2), {"target_voxel": 1.0}, (1.1, 1.1, 1.2)),
        ((2, 2, 4), {"target_voxel": 1.0}, (2, 2, 4)),
        ((2, 2, 4), {"target_voxel": 1.0, "axes": "slice"}, (1, 1, 4)),
        ((2, 2, 4), {"target_voxel": 1.0, "axes": "in-plane"}, (2, 2, 1)),
        ((4, 0.5, 0.5), {"scale": 4}, (4, 1, 1)),
        ((4, 4, 1), {"scale": 4}, (4, 4, 1)),
        ((0.5, 0.5, 4), {"scale": 2, "axes": "in-plane"}, (2, 2, 1)),
        ((1, 1, 1), {"scale": 2}, (2, 2, 1)),
        ((1, 1, 1), {"scale": 2, "axes": "slice"}, (1, 1, 2)),
        ((2, 2, 4), {"scale": (2, 2, 4)}, (2, 2, 4)),
        ((1, 1, 4), {"scale": (1, 1, 4), "axes": "slice"}, (1, 1, 4)),
    ],
)
def test_axes_and_factors(sizes, options, scale):
    chosen = grid(*sizes, **options)
    assert chosen.scale == pytest.approx(scale)
    assert chosen.enlarged == [a for a in range(3) if scale[a] > 1]


def test_the_reason_is_told():
    assert "over 1.2 mm go to 1 mm" in grid(0.5, 0.5, 4).reason
    assert grid(0.5, 0.5, 4, scale=2).reason == "the slice axis, of 4 mm, the coarser"
    assert "in-plane axes, of 4 x 4 mm, the coarser" in grid(4, 4, 1, scale=2).reason
    assert "as asked for" in grid(4, 4, 1, scale=2, axes="slice").reason
    assert "isotropic" in grid(1, 1, 1, scale=2).reason


def test_groups_are_told_apart():
    chosen = grid(2, 4, 2, target_voxel=1.0)
    assert (chosen.slice_axis, chosen.in_plane) == (1, (0, 2))
    assert chosen.slice_scale == 4.0
    assert chosen.in_plane_scale == (2.0, 2.0)
    assert grid(0.5, 0.5, 4).in_plane_scale is None
    assert grid(4, 4, 1).slice_scale is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": (0.5, 1, 4)}, "ever made coarser"),
        ({"scale": (1, 4)}, "for each axis"),
        ({"scale": (1, 1, 1)}, "enlarges nothing"),
        ({"scale": 1}, "enlarges nothing"),
        ({"scale": (2, 2, 1), "axes": "slice"}, "other axes"),
        ({"scale": (1, 1, 2), "axes": "in-plane"}, "other axes"),
        ({"scale": 2, "target_voxel": 1.0}, "both given"),
        ({"target_voxel": 0.0}, "makes no sense"),
        ({"target_voxel": 5.0}, "nothing to enlarge"),
        ({"axes": "in-plane"}, "nothing to enlarge"),
        ({"axes": "sideways"}, "unknown"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        grid(0.5, 0.5, 4, **options)


def test_where_nothing_is_to_be_enlarged_the_file_is_named():
    with pytest.raises(UsageError, match=r"1 x 1 x 1 mm: t2\.nii\.gz\. Mend: see"):
        grid(1, 1, 1, path="t2.nii.gz")


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(*[st.floats(0.3, 6.0)] * 3),
    shape=st.tuples(*[st.integers(4, 200)] * 3),
    voxel=st.one_of(st.none(), st.floats(0.4, 3.0)),
)
def test_no_axis_is_coarser_and_the_field_of_view_stays(sizes, shape, voxel):
    coarsest = max(1.2, max(1.0, min(sizes))) if voxel is None else voxel * 1.01
    if max(sizes) <= max(coarsest, voxel or 0):
        with pytest.raises(UsageError, match="nothing to enlarge"):
            grid(*sizes, shape=shape, target_voxel=voxel)
        return
    chosen = grid(*sizes, shape=shape, target_voxel=voxel)
    assert all(t >= n for n, t in zip(shape, chosen.target_shape, strict=True))
    new = chosen.target_affine
    assert (voxel_sizes(new) <= np.array(sizes) + 1e-9).all()
    gap = corners(new, chosen.target_shape) - corners(chosen.affine, shape)
    assert np.abs(gap).max() < 1e-6
