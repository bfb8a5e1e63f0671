"""Every format is written from its definition, not by the library that reads it."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scipy.spatial.transform import Rotation

from guided_sr.errors import DataError, GeometryError, MissingInputError, UsageError
from guided_sr.volumes import Volume
from guided_sr.volumes.transforms import read_transform, transform_sha256

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def affine_of(sizes, origin, degrees=0.0, flip=False):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler(
        "xyz", [degrees, 0, -degrees], True
    ).as_matrix()
    affine[:3, :3] *= sizes
    if flip:
        affine[:3, 0] *= -1
    affine[:3, 3] = origin
    return affine


@pytest.fixture(params=[False, True], ids=["right-handed", "left-handed"])
def pair(request):
    """A T1 and a T2 on different oblique grids."""
    t1 = affine_of((1.0, 1.1, 1.2), (-80.0, -100.0, -60.0), 7.0, request.param)
    t2 = affine_of((0.5, 0.6, 4.0), (-70.0, -90.0, -50.0), -5.0, not request.param)
    shapes = (12, 14, 10), (16, 18, 6)
    return tuple(
        Volume(np.zeros(n, np.float32), a)
        for n, a in zip(shapes, (t1, t2), strict=True)
    )


@pytest.fixture
def placement():
    """RAS mm of the T1 to RAS mm of the T2."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", [4.0, -7.0, 10.0], True).as_matrix()
    matrix[:3, 3] = (5.0, -8.0, 12.0)
    return matrix


def itk_transform(placement, kind=sitk.AffineTransform):
    points = LPS @ placement @ LPS  # from the fixed T1 to the moving T2
    transform = kind(3) if kind is sitk.AffineTransform else kind()
    transform.SetCenter((3.0, -4.0, 5.0))
    transform.SetMatrix(points[:3, :3].ravel().tolist())
    centre = np.array(transform.GetCenter())
    shift = points[:3, 3] + points[:3, :3] @ centre - centre
    transform.SetTranslation(shift.tolist())
    return transform


def text(matrix):
    return "\n".join(" ".join(f"{v:.12f}" for v in row) for row in matrix) + "\n"


@pytest.mark.parametrize("suffix", [".txt", ".tfm", ".mat"])
@pytest.mark.parametrize("kind", [sitk.AffineTransform, sitk.Euler3DTransform])
def test_itk_files_are_read(tmp_path, pair, placement, suffix, kind):
    file = tmp_path / f"x{suffix}"
    sitk.WriteTransform(itk_transform(placement, kind), str(file))
    read = read_transform(file, t1=pair[0], t2=pair[1])
    np.testing.assert_allclose(read, placement, atol=1e-9)


def test_an_itk_shift_changes_sign_from_lps_to_ras(tmp_path, pair):
    file = tmp_path / "x.tfm"
    file.write_text(
        "#Insight Transform File V1.0\n#Transform 0\n"
        "Transform: TranslationTransform_double_3_3\nParameters: 1 2 3\n"
        "FixedParameters:\n"
    )
    read = read_transform(file, t1=pair[0], t2=pair[1])
    np.testing.assert_allclose(read @ [0, 0, 0, 1], [-1, -2, 3, 1])


def test_the_direction_is_that_which_resamples_the_t2_onto_the_t1(tmp_path, pair):
    """A bright voxel of the T2, resampled by ITK, appears where the T1 shows it."""
    shift = np.array([4.0, -6.0, 8.0])  # RAS, from the T1 to the T2
    placement = np.eye(4)
    placement[:3, 3] = shift
    transform = itk_transform(placement)
    t2 = sitk.Image(20, 20, 20, sitk.sitkFloat32)
    t2[10, 10, 10] = 1.0  # LPS mm, as the grid is the unit grid
    t1_grid = sitk.Image(20, 20, 20, sitk.sitkFloat32)
    onto_t1 = sitk.GetArrayFromImage(sitk.Resample(t2, t1_grid, transform))
    seen = np.argwhere(onto_t1.T > 0.5)[0]
    sitk.WriteTransform(transform, str(tmp_path / "x.txt"))
    read = read_transform(tmp_path / "x.txt", t1=pair[0], t2=pair[1])
    np.testing.assert_allclose(LPS @ read @ LPS @ [*seen, 1], [10, 10, 10, 1])


def fsl_space(volume):
    """Voxel to FSL's mm: scaled voxels, the first axis reversed if right-handed."""
    sizes = np.linalg.norm(volume.affine[:3, :3], axis=0)
    space = np.diag([*sizes, 1.0])
    if np.linalg.det(volume.affine) > 0:
        space[0] = [-sizes[0], 0, 0, sizes[0] * (volume.data.shape[0] - 1)]
    return space


def test_fsl_matrices_are_read(tmp_path, pair, placement):
    t1, t2 = pair
    to_world = t2.affine @ np.linalg.inv(fsl_space(t2))
    from_world = fsl_space(t1) @ np.linalg.inv(t1.affine)
    file = tmp_path / "x.mat"  # flirt -in T2 -ref T1 -omat x.mat
    file.write_text(text(from_world @ np.linalg.inv(placement) @ to_world))
    read = read_transform(file, t1=t1, t2=t2)
    np.testing.assert_allclose(read, placement, atol=1e-6)


def geometry(volume):
    sizes = np.linalg.norm(volume.affine[:3, :3], axis=0)
    axes = volume.affine[:3, :3] / sizes
    centre = volume.affine @ [*(np.array(volume.data.shape) / 2), 1]
    rows = "\n".join(
        f"{name} = " + " ".join(f"{v:.12f}" for v in axis)
        for name, axis in zip(
            ("xras  ", "yras  ", "zras  ", "cras  "), (*axes.T, centre[:3]), strict=True
        )
    )
    size, voxel = (" ".join(map(str, v)) for v in (volume.data.shape, sizes))
    return (
        f"valid = 1\nfilename = x.nii\nvolume = {size}\nvoxelsize = {voxel}\n{rows}\n"
    )


@pytest.mark.parametrize("kind", [0, 1], ids=["voxels", "mm"])
def test_freesurfer_transforms_are_read(tmp_path, pair, placement, kind):
    t1, t2 = pair
    matrix = np.linalg.inv(placement)  # from the source, the T2, to the T1
    if kind == 0:
        matrix = np.linalg.inv(t1.affine) @ matrix @ t2.affine
    file = tmp_path / "x.lta"
    file.write_text(
        f"type      = {kind}\nnxforms   = 1\nmean      = 0 0 0\nsigma     = 1\n1 4 4\n"
        f"{text(matrix)}src volume info\n{geometry(t2)}dst volume info\n{geometry(t1)}"
    )
    read = read_transform(file, t1=t1, t2=t2)
    np.testing.assert_allclose(read, placement, atol=1e-3)  # read as float32


def test_afni_matrices_are_read(tmp_path, placement):
    t1, t2 = (
        Volume(np.zeros((8, 8, 8), np.float32), np.diag([n, n, n, 1.0])) for n in (1, 2)
    )
    points = LPS @ placement @ LPS  # from the base, the T1, to the source
    file = tmp_path / "x.aff12.1D"
    numbers = " ".join(f"{v:.12f}" for v in points[:3].ravel())
    file.write_text(f"# 3dvolreg matrices (DICOM-to-DICOM, row-by-row):\n{numbers}\n")
    read = read_transform(file, t1=t1, t2=t2)
    np.testing.assert_allclose(read, placement, atol=1e-9)


def refused(file, pair, kind, message):
    with pytest.raises(kind, match=message) as refusal:
        read_transform(file, t1=pair[0], t2=pair[1])
    assert str(file) in str(refusal.value)
    return refusal.value


def test_a_missing_nitransforms_is_said(tmp_path, pair, monkeypatch):
    monkeypatch.setitem(sys.modules, "nitransforms.io", None)
    file = tmp_path / "x.lta"
    file.write_text("type = 1\n")
    assert "guided-sr[xfm]" in refused(file, pair, UsageError, "not installed").mend


@pytest.mark.parametrize("name", ["x.txt", "x.tfm", "x.mat", "x.lta", "x.1D"])
@pytest.mark.parametrize("content", [b"", b"no transform", b"\x00\x01\x02" * 50])
def test_files_that_hold_no_transform_are_refused(tmp_path, pair, name, content):
    file = tmp_path / name
    file.write_bytes(content)
    assert refused(file, pair, DataError, "does not hold").exit_code == 65


def test_files_that_cannot_be_meant_are_refused(tmp_path, pair):
    missing = tmp_path / "x.txt"
    assert refused(missing, pair, MissingInputError, "cannot be read").exit_code == 66
    refused(tmp_path / "warp.nii.gz", pair, UsageError, "'.gz' is unknown")
    large = tmp_path / "x.mat"
    large.write_bytes(bytes(2**20 + 1))
    refused(large, pair, DataError, "larger than 1 MiB")


def test_a_warp_is_refused(tmp_path, pair):
    file = tmp_path / "x.tfm"
    sitk.WriteTransform(sitk.BSplineTransform(3, 1), str(file))
    refused(file, pair, DataError, "not linear")


@pytest.mark.parametrize(
    ("diagonal", "message"),
    [
        ((-1, 1, 1), "mirrors"),
        ((1, 1.2, 1), "factor of 1.20"),
        ((1, 1, 0.8), "shrinks"),
    ],
)
def test_a_transform_that_no_head_makes_is_refused(tmp_path, pair, diagonal, message):
    file = tmp_path / "x.txt"
    transform = itk_transform(np.diag([*map(float, diagonal), 1.0]))
    sitk.WriteTransform(transform, str(file))
    refused(file, pair, GeometryError, message)


def test_the_hash_is_that_of_the_file(tmp_path):
    file = tmp_path / "x.txt"
    file.write_bytes(b"abc")
    assert transform_sha256(file).startswith("ba7816bf8f01cfea")
