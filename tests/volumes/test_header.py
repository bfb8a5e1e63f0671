"""Faults of the header: refused before a voxel is read."""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guided_sr.errors import (
    DataError,
    GeometryError,
    GuidedSRError,
    GuidedSRWarning,
    UsageError,
)
from guided_sr.volumes import nifti
from guided_sr.volumes.forms import is_affine, output_codes
from guided_sr.volumes.nifti import read_volume

AFFINE = np.array(
    [[-1.0, 0, 0, 10], [0, 0.9, -0.3, -20], [0, 0.3, 2.8, 5], [0, 0, 0, 1]]
)
# Orthogonal columns, so that the qform can hold it.
AFFINE[:3, 2] = np.cross(AFFINE[:3, 0], AFFINE[:3, 1]) * -3


def raw(shape=(6, 5, 4), dtype="<i2", *, sform=1, qform=0, **fields) -> bytes:
    """A NIfTI-1 file as bytes, with fields overwritten and nothing checked."""
    order = dtype[0] if dtype[0] in "<>" else "<"
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_sform(AFFINE, sform)
    header.set_qform(AFFINE, qform)
    header["vox_offset"] = 352
    header["magic"] = b"n+1\0"
    header["scl_slope"] = 1.0
    header["scl_inter"] = 0.0
    for field, value in fields.items():
        header[field] = value
    voxels = np.arange(np.prod(shape)).reshape(shape, order="F") % 100
    data = voxels.astype(dtype).tobytes(order="F")
    return header.binaryblock + b"\0" * 4 + data


def saved(tmp_path: Path, content: bytes, name: str = "t2.nii") -> Path:
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    return path


def refusal(path: Path, kind=DataError, **options) -> str:
    with pytest.raises(kind) as caught:
        read_volume(path, **options)
    text = str(caught.value)
    assert str(path) in text
    assert ". Mend: " in text
    assert "\n" not in text
    assert caught.value.exit_code == 65
    return text


def dims(*sizes):
    return {"dim": [len(sizes), *sizes, *[1] * (7 - len(sizes))]}


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        (dims(6, 0, 4), "axis of 0 voxels"),
        (dims(6, -5, 4), "axis of -5 voxels"),
        (dims(-1, 1, 1), "axis of -1 voxels"),
        ({"dim": [9, 6, 5, 4, 1, 1, 1, 1]}, r"dim[0]"),
        ({"dim": [0, 6, 5, 4, 1, 1, 1, 1]}, r"dim[0]"),
        ({"dim": [-3, 6, 5, 4, 1, 1, 1, 1]}, r"dim[0]"),
        ({"datatype": 77}, "datatype (77)"),
        ({"datatype": 1}, "type"),
        ({"magic": b"xyz\0"}, "magic"),
        ({"magic": b"ni1\0"}, "pair"),
        ({"vox_offset": 100}, "vox_offset"),
        ({"vox_offset": np.nan}, "vox_offset"),
        ({"vox_offset": 1e30}, "vox_offset"),
        ({"xyzt_units": 3}, "micrometres"),
        ({"xyzt_units": 1}, "metres"),
        (dims(6, 5, 4, 3), "3 frames"),
        (dims(6, 5, 4, 1, 3), "3 frames"),
    ],
)
@pytest.mark.parametrize("name", ["t2.nii", "t2.nii.gz"])
def test_a_damaged_header_is_refused_and_the_field_named(tmp_path, fields, word, name):
    assert word in refusal(saved(tmp_path, raw(**fields), name))


@pytest.mark.parametrize("name", ["t2.nii", "t2.nii.gz"])
@pytest.mark.parametrize("size", [900, 4000, 32767])
def test_sizes_far_beyond_the_file_are_refused_before_allocation(
    tmp_path, monkeypatch, name, size
):
    def touched(*args, **kwargs):
        raise AssertionError("voxels were read")

    monkeypatch.setattr(nifti, "as_float32", touched)
    path = saved(tmp_path, raw(**dims(size, size, size)), name)
    text = refusal(path)
    assert "GiB" in text or "cut short" in text


def test_the_limit_on_voxels_can_be_lowered(tmp_path):
    path = saved(tmp_path, raw())
    assert "limit" in refusal(path, max_voxels=100)
    assert read_volume(path, max_voxels=120).data.size == 120


def test_one_frame_is_squeezed(tmp_path):
    for shape in ((6, 5, 4, 1), (6, 5, 4, 1, 1)):
        assert read_volume(saved(tmp_path, raw(shape))).data.shape == (6, 5, 4)


def test_a_single_slice_has_a_third_axis_of_one(tmp_path):
    assert read_volume(saved(tmp_path, raw((6, 5)))).data.shape == (6, 5, 1)


@pytest.mark.parametrize("dtype", ["<c8", "<c16"])
def test_complex_images_are_refused(tmp_path, dtype):
    assert "magnitude" in refusal(saved(tmp_path, raw(dtype=dtype)))


@pytest.mark.parametrize(("code", "bits"), [(128, 24), (2304, 32)])
def test_colour_images_are_refused(tmp_path, code, bits):
    content = raw(dtype="<i4", datatype=code, bitpix=bits)
    assert "RGB" in refusal(saved(tmp_path, content))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "kind", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]
)
def test_every_real_type_and_byte_order_gives_the_same_numbers(tmp_path, kind, order):
    volume = read_volume(saved(tmp_path, raw(dtype=f"{order}{kind}")))
    expected = np.arange(120).reshape((6, 5, 4), order="F") % 100
    np.testing.assert_array_equal(volume.data, expected)
    assert volume.data.dtype == np.float32
    assert volume.data.dtype.isnative
    assert volume.data.flags.c_contiguous
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-6)


def test_slope_and_intercept_are_applied(tmp_path):
    volume = read_volume(saved(tmp_path, raw(scl_slope=0.5, scl_inter=3.0)))
    np.testing.assert_allclose(volume.data[1, 0, 0], 3.5)


def test_no_slope_means_no_scaling(tmp_path):
    volume = read_volume(saved(tmp_path, raw(scl_slope=0.0, scl_inter=3.0)))
    assert volume.data[1, 0, 0] == 1.0


@pytest.mark.parametrize("slope", [np.inf, np.nan])
def test_a_slope_that_is_not_finite_is_ignored_with_a_warning(tmp_path, slope):
    path = saved(tmp_path, raw(scl_slope=slope))
    with pytest.warns(GuidedSRWarning, match="scl_slope"):
        assert read_volume(path).data[1, 0, 0] == 1.0


def test_nifti_2_is_read(tmp_path):
    path = tmp_path / "t2.nii"
    data = np.arange(120, dtype=np.float64).reshape(6, 5, 4)
    nib.save(nib.Nifti2Image(data, AFFINE), path)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data, data)
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-12)


@pytest.mark.parametrize("name", ["t2.mgz", "t2.mgh"])
def test_mgh_is_read(tmp_path, name):
    path = tmp_path / name
    data = np.arange(120, dtype=np.float32).reshape(6, 5, 4)
    nib.save(nib.MGHImage(data, AFFINE), path)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data, data)
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)


def test_damaged_mgh_files_are_refused(tmp_path):
    path = tmp_path / "t2.mgh"
    data = np.arange(120, dtype=np.float32).reshape(6, 5, 4)
    nib.save(nib.MGHImage(data, AFFINE), path)
    good = path.read_bytes()
    path.write_bytes(good[:500])
    assert "cut short" in refusal(path)
    path.write_bytes(good[:100])
    assert "MGH header" in refusal(path)
    path.write_bytes(good[:20] + b"\0\0\0\x63" + good[24:])
    assert "unknown type (99)" in refusal(path)
    path.write_bytes(good[:4] + b"\0\0\0\0" + good[8:])
    assert "axis of 0" in refusal(path)
    path.write_bytes(good[:42] + b"\xff" * 12 + good[54:])
    assert "orientation" in refusal(path, GeometryError)


def singular():
    return {"srow_x": [0] * 4, "srow_y": [0] * 4, "srow_z": [0] * 4}


def not_finite():
    return {"srow_x": [np.nan, 0, 0, 0]}


@pytest.mark.parametrize("broken", [singular, not_finite])
def test_a_broken_sform_gives_way_to_a_valid_qform_with_a_warning(tmp_path, broken):
    path = saved(tmp_path, raw(qform=1, **broken()))
    with pytest.warns(GuidedSRWarning, match="qform is used"):
        volume = read_volume(path)
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)


@pytest.mark.parametrize("broken", [singular, not_finite])
def test_a_broken_sform_without_a_qform_is_refused(tmp_path, broken):
    assert "orientation" in refusal(saved(tmp_path, raw(**broken())), GeometryError)


@pytest.mark.parametrize("size", [0.0, np.nan])
def test_a_qform_with_impossible_voxel_sizes_is_refused(tmp_path, size):
    content = raw(sform=0, qform=1, pixdim=[1, size, 1, 3, 0, 0, 0, 0])
    assert "orientation" in refusal(saved(tmp_path, content), GeometryError)


def test_impossible_voxel_sizes_warn_where_the_sform_tells_them(tmp_path):
    content = raw(pixdim=[1, 0, 1, 3, 0, 0, 0, 0])
    with pytest.warns(GuidedSRWarning, match="pixdim"):
        volume = read_volume(saved(tmp_path, content))
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-6)


def test_no_form_at_all_is_refused_rather_than_guessed(tmp_path):
    content = raw(sform=0, qform=0)
    assert "codes are both 0" in refusal(saved(tmp_path, content), GeometryError)


def test_a_qform_alone_is_used(tmp_path):
    volume = read_volume(saved(tmp_path, raw(sform=0, qform=1)))
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)


def test_a_qfac_of_zero_is_read_as_one(tmp_path):
    content = raw(sform=0, qform=1)
    header = nib.Nifti1Header(content[:348])
    pixdim = header["pixdim"].copy()
    pixdim[0] = 1
    expected = read_volume(saved(tmp_path, raw(sform=0, qform=1, pixdim=pixdim)))
    pixdim[0] = 0
    got = read_volume(saved(tmp_path, raw(sform=0, qform=1, pixdim=pixdim)))
    np.testing.assert_array_equal(got.affine, expected.affine)


def test_forms_that_lie_apart_are_refused_until_one_is_asked_for(tmp_path):
    path = saved(tmp_path, raw(qform=1, qoffset_x=12.0))
    with pytest.raises(GeometryError, match=r"2 mm apart.*--prefer sform"):
        read_volume(path)
    with pytest.warns(GuidedSRWarning, match="the sform is used"):
        volume = read_volume(path, prefer="sform")
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-6)
    with pytest.warns(GuidedSRWarning, match="the qform is used"):
        other = read_volume(path, prefer="qform")
    assert other.affine[0, 3] == 12.0
    with pytest.raises(UsageError, match="is no form"):
        read_volume(path, prefer="both")


def test_codes_follow_the_form_that_was_preferred(tmp_path):
    path = saved(tmp_path, raw(qform=3, sform=2, qoffset_x=12.0))
    for form, code in (("sform", 2), ("qform", 3)):
        with pytest.warns(GuidedSRWarning):
            volume = read_volume(path, prefer=form)
        assert output_codes(volume.header, volume.affine) == (code, code)


def test_an_orientation_may_be_assumed_on_request(tmp_path):
    path = saved(tmp_path, raw(sform=0))
    with pytest.warns(GuidedSRWarning, match="left and right are not known"):
        assert is_affine(read_volume(path, assume_affine=True).affine)


def test_a_frame_is_read_where_there_are_several(tmp_path):
    data = np.arange(240, dtype=np.int16).reshape(6, 5, 4, 2)
    path = tmp_path / "t2.nii.gz"
    nib.save(nib.Nifti1Image(data, AFFINE), path)
    for frame in (0, 1):
        read = read_volume(path, frame=frame).data
        np.testing.assert_array_equal(read, data[..., frame])
    for frame in (-1, 2):
        with pytest.raises(UsageError, match="count from 0 to 1"):
            read_volume(path, frame=frame)


def test_extensions_are_counted(tmp_path):
    image = nib.Nifti1Image(np.arange(120.0).reshape(6, 5, 4), AFFINE)
    for text in (b"one", b"two" * 20):
        image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", text))
    nib.save(image, tmp_path / "t2.nii.gz")
    assert read_volume(tmp_path / "t2.nii.gz").extensions == 2


@given(
    at=st.integers(0, 351),
    junk=st.binary(min_size=1, max_size=8),
    name=st.sampled_from(["t2.nii", "t2.nii.gz"]),
)
@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_header_byte_can_do_worse_than_a_refusal(tmp_path, at, junk, name):
    content = bytearray(raw(qform=1))
    content[at : at + len(junk)] = junk
    path = saved(tmp_path, bytes(content[: len(raw())]), name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", GuidedSRWarning)
        try:
            volume = read_volume(path)
        except GuidedSRError as error:
            assert str(path) in str(error)  # noqa: PT017
        else:
            assert np.isfinite(volume.data).all()
            assert np.isfinite(volume.affine).all()
