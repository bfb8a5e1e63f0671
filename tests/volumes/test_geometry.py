from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from guided_sr.errors import GeometryError, GuidedSRWarning
from guided_sr.volumes import geometry
from guided_sr.volumes.geometry import (
    bring_to_grid,
    corners,
    overlap_fraction,
    require_overlap,
    slice_axis,
    target_affine,
    voxel_sizes,
)
from guided_sr.volumes.nifti import Volume, read_volume

SIZES = st.tuples(*[st.integers(1, 400)] * 3)


@st.composite
def affines(draw):
    """Oblique, anisotropic, left- or right-handed."""
    turn = Rotation.from_euler(
        "xyz", draw(st.tuples(*[st.floats(-180, 180)] * 3)), degrees=True
    )
    sizes = draw(st.tuples(*[st.floats(0.3, 8)] * 3))
    signs = draw(st.tuples(*[st.sampled_from([-1, 1])] * 3))
    affine = np.eye(4)
    affine[:3, :3] = turn.as_matrix() @ np.diag(np.multiply(sizes, signs))
    affine[:3, 3] = draw(st.tuples(*[st.floats(-300, 300)] * 3))
    return affine


def diagonal(*sizes, origin=(0.0, 0.0, 0.0)):
    affine = np.diag([*sizes, 1.0]).astype(float)
    affine[:3, 3] = origin
    return affine


def blob(shape, affine, sigma=6.0, centre=(0.0, 0.0, 0.0)):
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    mm = grid @ affine[:3, :3].T + affine[:3, 3]
    distance = ((mm - np.array(centre)) ** 2).sum(-1)
    return np.exp(-distance / (2 * sigma**2)).astype(np.float32)


@given(affine=affines(), shape=SIZES, target=SIZES)
@settings(max_examples=200, deadline=None)
def test_outer_corners_stay_where_they_are(affine, shape, target):
    finer = target_affine(affine, shape, target)
    np.testing.assert_allclose(
        corners(finer, target), corners(affine, shape), rtol=0, atol=1e-6
    )


@given(affine=affines(), shape=SIZES, target=SIZES)
@settings(max_examples=50, deadline=None)
def test_target_affine_composes_and_reverses(affine, shape, target):
    there = target_affine(affine, shape, target)
    np.testing.assert_allclose(target_affine(there, target, shape), affine, atol=1e-9)


def test_thick_slices_are_not_shifted():
    affine = diagonal(1, 1, 4, origin=(0, 0, 2))
    finer = target_affine(affine, (4, 4, 8), (4, 4, 32))
    assert finer[2, 2] == 1.0
    assert finer[2, 3] == 0.5
    assert finer.dtype == np.float64


@pytest.mark.parametrize("shape", [(0, 4, 4), (4, 4), (4, 4, -1)])
def test_impossible_sizes_are_refused(shape):
    with pytest.raises(GeometryError, match="three sizes"):
        target_affine(np.eye(4), (4, 4, 4), shape)


def test_corners_are_voxel_edges():
    box = corners(diagonal(2, 3, 4), (10, 10, 10))
    assert box.shape == (8, 3)
    assert box.min(axis=0).tolist() == [-1.0, -1.5, -2.0]
    assert box.max(axis=0).tolist() == [19.0, 28.5, 38.0]


@given(affine=affines())
@settings(deadline=None)
def test_voxel_sizes_ignore_orientation(affine):
    sizes = voxel_sizes(affine)
    assert np.allclose(sizes**2, np.diag(affine[:3, :3].T @ affine[:3, :3]))


@pytest.mark.parametrize(
    ("sizes", "axis"),
    [
        ((1, 1, 4), 2),
        ((4, 1, 1), 0),
        ((1, 4, 1), 1),
        ((1, 1, 0.5), 2),
        ((0.7187504, 0.7187503, 3.0), 2),
        ((1, 1, 1), 2),
        ((1, 1.005, 1), 2),
    ],
)
def test_slice_axis_is_the_one_whose_voxel_size_differs(sizes, axis):
    assert slice_axis(diagonal(*sizes)) == axis


def test_slice_axis_of_an_isotropic_grid_is_the_one_nearest_to_superior():
    sagittal = np.array([[0, 0, -1, 0], [1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
    assert slice_axis(sagittal) == 1


def test_the_same_grid_returns_the_data_themselves():
    data = np.random.default_rng(0).random((4, 5, 6), np.float32)
    moving = Volume(data, np.eye(4))
    assert bring_to_grid(moving, np.eye(4) + 5e-5, (4, 5, 6)) is data


def test_a_shift_of_whole_voxels_is_exact():
    data = np.random.default_rng(0).random((8, 8, 8), np.float32)
    moved = bring_to_grid(
        Volume(data, np.eye(4)), diagonal(1, 1, 1, origin=(2, 0, 0)), (8, 8, 8)
    )
    np.testing.assert_allclose(moved[:6], data[2:], atol=1e-5)
    assert (moved[6:] == 0).all()


@pytest.mark.parametrize("flip", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
def test_content_lands_at_the_same_millimetres(flip):
    turn = Rotation.from_euler("xyz", [12, -7, 20], degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array(flip)
    affine[:3, 3] = -affine[:3, :3] @ np.array([19.5, 19.5, 19.5])
    t1 = Volume(blob((40, 40, 40), affine, centre=(2, -1, 3)), affine)
    grid = diagonal(1, 1, 1, origin=(-12, -12, -12))
    got = bring_to_grid(t1, grid, (24, 24, 24))
    np.testing.assert_allclose(
        got, blob((24, 24, 24), grid, centre=(2, -1, 3)), atol=1e-3
    )


def test_a_finer_guide_is_blurred_before_sampling():
    noise = np.random.default_rng(0).normal(size=(64, 64, 8)).astype(np.float32)
    grid = target_affine(np.eye(4), noise.shape, (16, 16, 8))
    got = bring_to_grid(Volume(noise, np.eye(4)), grid, (16, 16, 8))
    assert got.std() < 0.35
    flat = Volume(np.full((64, 64, 8), 7, np.float32), np.eye(4))
    np.testing.assert_allclose(bring_to_grid(flat, grid, (16, 16, 8)), 7, atol=1e-4)


def test_a_rotated_axis_is_blurred_along_the_moving_axes():
    """The finer axis of the moving image is the one that loses contrast."""
    fine = diagonal(1, 1, 0.25)
    swapped = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    stripes = np.zeros((8, 8, 64), np.float32)
    stripes[:, :, ::2] = 1
    got = bring_to_grid(Volume(stripes, fine), swapped, (16, 8, 8))
    np.testing.assert_allclose(got[2:-2, 1:-1, 1:-1], 0.5, atol=0.02)


def test_values_hold_to_the_edge_of_the_field_of_view_and_not_beyond():
    moving = Volume(np.full((4, 4, 4), 5, np.float32), np.eye(4))
    grid = target_affine(np.eye(4), (4, 4, 4), (8, 8, 8))
    np.testing.assert_allclose(bring_to_grid(moving, grid, (8, 8, 8)), 5, atol=1e-4)
    wide = diagonal(1, 1, 1, origin=(-2, -2, -2))
    got = bring_to_grid(moving, wide, (8, 8, 8))
    assert (got != 0).sum() == 64


def test_a_single_slice_can_be_brought_to_a_grid():
    moving = Volume(np.full((8, 8, 1), 3, np.float32), diagonal(1, 1, 2))
    got = bring_to_grid(moving, diagonal(2, 2, 2, origin=(0.5, 0.5, 0)), (4, 4, 1))
    np.testing.assert_allclose(got, 3, atol=1e-4)


@pytest.mark.parametrize("sigma", [0.2, 0.5, 0.59, 0.61, 1.3])
def test_the_blur_keeps_its_variance(sigma):
    spike = np.zeros(41)
    spike[20] = 1.0
    out = geometry._blur(spike, 0, sigma)
    variance = (out * (np.arange(41) - 20.0) ** 2).sum() / out.sum()
    assert variance == pytest.approx(sigma**2, rel=0.06)


def test_overlap_of_a_grid_with_itself_is_one():
    assert overlap_fraction(np.eye(4), (5, 6, 7), np.eye(4), (5, 6, 7)) == 1.0


def test_overlap_of_half_the_field_of_view_is_half():
    shifted = diagonal(1, 1, 1, origin=(5, 0, 0))
    share = overlap_fraction(shifted, (10, 10, 10), np.eye(4), (10, 10, 10))
    assert share == pytest.approx(0.5, abs=0.01)


def test_a_pair_without_overlap_is_refused_and_both_paths_are_named(tmp_path):
    data = np.zeros((4, 4, 4), np.float32)
    t1 = Volume(data, diagonal(1, 1, 1, origin=(100, 0, 0)), path=tmp_path / "T1.nii")
    t2 = Volume(data, np.eye(4), path=tmp_path / "T2.nii")
    with pytest.raises(GeometryError, match=r"T1\.nii, .*T2\.nii.*Mend") as caught:
        require_overlap(t1, t2)
    assert caught.value.code == "E-GEOM"


def test_little_overlap_warns_and_full_overlap_does_not():
    data = np.zeros((10, 10, 10), np.float32)
    t2 = Volume(data, np.eye(4))
    near = Volume(data, diagonal(1, 1, 1, origin=(3, 0, 0)))
    with pytest.warns(GuidedSRWarning, match="covers 70 %"):
        assert require_overlap(near, t2) == pytest.approx(0.7, abs=0.02)
    assert require_overlap(t2, t2) == 1.0


@pytest.mark.real_data
def test_real_t1_lands_on_the_grid_of_the_real_t2(open_ms):
    folder = open_ms / "long_patient01_study1"
    t2 = read_volume(folder / "t2.nii.gz")
    t1 = read_volume(folder / "t1.nii.gz", name="T1")
    assert slice_axis(t2.affine) == 2
    assert require_overlap(t1, t2) > 0.8
    got = bring_to_grid(t1, t2.affine, t2.data.shape)
    assert got.shape == t2.data.shape
    head = t2.data > 100
    inside = got[head].mean()
    assert inside > 3 * got[~head].mean()
