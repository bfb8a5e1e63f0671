from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from guided_sr.errors import (
    CannotCreateError,
    DataError,
    GeometryError,
    GuidedSRWarning,
    IOFailure,
    UsageError,
)
from guided_sr.volumes import saving
from guided_sr.volumes.geometry import corners, target_affine
from guided_sr.volumes.nifti import Volume, read_volume
from guided_sr.volumes.saving import make_image, write_volume

DATA = np.random.default_rng(0).normal(100, 30, (9, 8, 7)).astype(np.float32)


def oblique(angles=(10, -20, 35), sizes=(0.5, 0.6, 3), signs=(1, 1, 1)):
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(np.multiply(sizes, signs))
    affine[:3, 3] = (-91.3, 104.7, -33.1)
    return affine


def listing(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.mark.parametrize("name", ["out.nii.gz", "new/folder/out.nii"])
def test_what_is_written_reads_back(tmp_path, name):
    path = write_volume(tmp_path / name, DATA.astype(np.float64), oblique())
    again = read_volume(path)
    np.testing.assert_array_equal(again.data, DATA)
    assert listing(path.parent) == [path.name]


@given(
    angles=st.tuples(*[st.floats(-60, 60)] * 3),
    sizes=st.tuples(*[st.floats(0.3, 5)] * 3),
    signs=st.tuples(*[st.sampled_from([-1, 1])] * 3),
)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_saved_corners_agree_for_oblique_and_left_handed(
    tmp_path, angles, sizes, signs
):
    coarse = oblique(angles, sizes, signs)
    fine = target_affine(coarse, (48, 40, 30), (96, 80, 60))
    data = np.zeros((96, 80, 60), np.float32)
    data[1] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GuidedSRWarning)
        path = write_volume(tmp_path / "a.nii", data, fine, force=True)
    saved = nib.load(path).affine
    np.testing.assert_allclose(
        corners(saved, data.shape), corners(coarse, (48, 40, 30)), rtol=0, atol=1e-4
    )


def test_the_header_is_clean(tmp_path):
    source = nib.Nifti1Image(DATA, oblique())
    header = source.header
    header["descrip"] = b"Jane Doe 1970"
    header["cal_max"], header["slice_code"], header["slice_end"] = 500, 1, 6
    header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Jane Doe"))
    nib.save(source, tmp_path / "in.nii.gz")
    volume = read_volume(tmp_path / "in.nii.gz")
    path = write_volume(tmp_path / "out.nii.gz", DATA, volume.affine, source=volume)
    image = nib.load(path)
    header = image.header
    assert image.get_data_dtype() == np.float32
    assert header.get_xyzt_units()[0] == "mm"
    assert header["descrip"].item() == b"guided-sr"
    assert header["cal_max"] == header["cal_min"] == 0
    assert header["slice_code"] == header["slice_end"] == header["slice_start"] == 0
    assert len(header.extensions) == 0
    assert header.get_intent()[0] == "none"
    np.testing.assert_allclose(header.get_zooms(), (0.5, 0.6, 3), rtol=1e-6)


def test_equal_input_gives_equal_bytes(tmp_path):
    one = write_volume(tmp_path / "one.nii.gz", DATA, oblique())
    two = write_volume(tmp_path / "two.nii.gz", DATA, oblique())
    assert one.read_bytes() == two.read_bytes()


def with_codes(q_code, s_code, *, sform=None, qform=None):
    header = nib.Nifti1Header()
    header.set_data_shape(DATA.shape)
    header.set_qform(oblique() if qform is None else qform)
    header.set_sform(oblique() if sform is None else sform)
    header["qform_code"], header["sform_code"] = q_code, s_code
    return Volume(DATA, oblique(), header)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((1, 1), (1, 1)),
        ((1, 2), (1, 2)),
        ((2, 1), (2, 1)),
        ((0, 4), (4, 4)),
        ((3, 0), (3, 3)),
        ((0, 0), (1, 1)),
        ((9, 2), (1, 2)),
        ((0, 77), (1, 1)),
    ],
)
def test_form_codes_come_from_the_source(tmp_path, codes, expected):
    source = with_codes(*codes)
    path = write_volume(tmp_path / "a.nii.gz", DATA, oblique(), source=source)
    header = nib.load(path).header
    assert (header["qform_code"], header["sform_code"]) == expected
    for form in (header.get_qform(), header.get_sform()):
        np.testing.assert_allclose(form, oblique(), atol=1e-4)


def test_codes_follow_the_form_that_was_used():
    moved = oblique()
    moved[0, 3] += 5
    apart = with_codes(1, 4, qform=moved)
    header = make_image(DATA, oblique(), source=apart).header
    assert (header["qform_code"], header["sform_code"]) == (4, 4)
    broken = with_codes(2, 4, sform=np.zeros((4, 4)))
    header = make_image(DATA, oblique(), source=broken).header
    assert (header["qform_code"], header["sform_code"]) == (2, 2)


def test_without_a_source_both_codes_are_scanner():
    header = make_image(DATA, oblique(signs=(-1, 1, 1))).header
    assert (header["qform_code"], header["sform_code"]) == (1, 1)
    np.testing.assert_allclose(header.get_qform(), oblique(signs=(-1, 1, 1)), atol=1e-4)


def test_shear_is_kept_in_the_sform_alone_with_a_warning(tmp_path):
    affine = oblique(sizes=(1, 1, 1))
    affine[:3, 1] += 0.2 * affine[:3, 0]
    with pytest.warns(GuidedSRWarning, match="shear"):
        path = write_volume(tmp_path / "a.nii.gz", DATA, affine)
    header = nib.load(path).header
    assert (header["qform_code"], header["sform_code"]) == (0, 1)
    np.testing.assert_allclose(nib.load(path).affine, affine, atol=1e-5)
    np.testing.assert_allclose(read_volume(path).affine, affine, atol=1e-5)


def test_the_sidecar_stands_beside_the_image(tmp_path):
    sidecar = {"Scale": np.float32(4), "Shape": np.array([1, 2]), "From": Path("a")}
    write_volume(tmp_path / "a.b.nii.gz", DATA, oblique(), sidecar=sidecar)
    assert listing(tmp_path) == ["a.b.json", "a.b.nii.gz"]
    stored = json.loads((tmp_path / "a.b.json").read_text())
    assert stored == {"Scale": 4.0, "Shape": [1, 2], "From": "a"}


@pytest.mark.parametrize("value", [float("nan"), object()])
def test_a_sidecar_that_is_no_json_is_refused_before_writing(tmp_path, value):
    with pytest.raises(UsageError, match="sidecar"):
        write_volume(tmp_path / "a.nii", DATA, oblique(), sidecar={"x": value})
    assert listing(tmp_path) == []


@pytest.mark.parametrize("name", ["a.nii.gz", "a.json"])
def test_existing_files_are_not_replaced_without_force(tmp_path, name):
    (tmp_path / name).write_text("precious")
    with pytest.raises(CannotCreateError, match=r"exists.*Mend") as caught:
        write_volume(tmp_path / "a.nii.gz", DATA, oblique(), sidecar={"a": 1})
    assert caught.value.exit_code == 73
    assert str(tmp_path / name) in str(caught.value)
    assert listing(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "precious"
    write_volume(tmp_path / "a.nii.gz", DATA, oblique(), sidecar={"a": 1}, force=True)
    assert listing(tmp_path) == ["a.json", "a.nii.gz"]


def test_the_sidecar_is_published_before_the_image(tmp_path, monkeypatch):
    order = []
    honest = saving.publish
    monkeypatch.setattr(
        saving,
        "publish",
        lambda temporary, out, *, force: (
            order.append(out.name),
            honest(temporary, out, force=force),
        ),
    )
    write_volume(tmp_path / "a.nii.gz", DATA, oblique(), sidecar={})
    assert order == ["a.json", "a.nii.gz"]


def test_a_failure_at_the_last_step_leaves_nothing(tmp_path, monkeypatch):
    honest = saving.publish

    def late(temporary, out, *, force):
        if out.suffix != ".json":
            raise KeyboardInterrupt
        honest(temporary, out, force=force)

    monkeypatch.setattr(saving, "publish", late)
    with pytest.raises(KeyboardInterrupt):
        write_volume(tmp_path / "a.nii.gz", DATA, oblique(), sidecar={})
    assert listing(tmp_path) == []


def test_a_file_that_reads_back_differently_is_not_published(tmp_path, monkeypatch):
    honest = nib.Nifti1Image.to_filename

    def corrupting(image, path):
        honest(image, path)
        content = bytearray(Path(path).read_bytes())
        content[-1] ^= 1
        Path(path).write_bytes(content)

    monkeypatch.setattr(nib.Nifti1Image, "to_filename", corrupting)
    for name in ("a.nii", "a.nii.gz"):
        with pytest.raises(IOFailure, match="differently"):
            write_volume(tmp_path / name, DATA, oblique())
    assert listing(tmp_path) == []


@pytest.mark.parametrize("name", ["out.mgz", "out", "out.nii.bz2", "out.img"])
def test_other_suffixes_are_a_usage_error(tmp_path, name):
    with pytest.raises(UsageError, match=r"Mend: name it out\.nii\.gz"):
        write_volume(tmp_path / name, DATA, oblique())


def test_the_source_is_never_overwritten(nifti_pair):
    volume = read_volume(nifti_pair.t2)
    before = nifti_pair.t2.read_bytes()
    link = nifti_pair.t2.with_name("link.nii.gz")
    link.symlink_to(nifti_pair.t2)
    for out in (nifti_pair.t2, link):
        with pytest.raises(UsageError, match="same file"):
            write_volume(out, DATA, volume.affine, source=volume, force=True)
    assert nifti_pair.t2.read_bytes() == before


def test_data_that_cannot_be_stored_are_refused(tmp_path):
    out = tmp_path / "a.nii.gz"
    holed = DATA.copy()
    holed[0, 0, 0] = np.nan
    for data in (holed, DATA.astype(np.float64) * 1e300, DATA[0]):
        with pytest.raises(DataError):
            write_volume(out, data, oblique())
    with pytest.raises(DataError, match="too long"):
        write_volume(out, np.zeros((32768, 1, 1), np.float32), oblique())
    with pytest.raises(GeometryError, match="affine"):
        write_volume(out, DATA, np.zeros((4, 4)))
    assert listing(tmp_path) == []
