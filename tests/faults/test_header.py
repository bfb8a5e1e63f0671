"""Rows 19 to 42: what a header says."""

from __future__ import annotations

import gzip
import warnings

import nibabel as nib
import numpy as np
import pytest

from guided_sr.volumes import read_volume

fault = pytest.mark.fault


@fault(19, "header cut, bad magic, sizeof_hdr", "65")
@pytest.mark.parametrize("how", ["cut", "magic", "sizeof_hdr"])
def test_a_broken_header_is_refused(scene, how):
    content = scene.raw("t2")
    if how == "cut":
        content = content[:300]
    elif how == "magic":
        content[344:348] = b"nope"
    else:
        content[:4] = (347).to_bytes(4, "little")
    scene.t2.write_bytes(gzip.compress(bytes(content)))
    scene.refused(65, "E-DATA", "header")


@fault(20, "dim[0] > 7, vox_offset, datatype", "65, the field")
@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"dim": [9, 24, 24, 3, 1, 1, 1, 1]}, "dim[0]"),
        ({"vox_offset": 3.0}, "vox_offset"),
        ({"vox_offset": np.nan}, "vox_offset"),
        ({"datatype": 77}, "datatype"),
    ],
)
def test_a_wrong_field_is_named(scene, fields, word):
    scene.header("t2", **fields)
    scene.refused(65, "E-DATA", word)


@fault(21, "negative dim", "65")
def test_a_negative_size_is_refused(scene):
    scene.header("t2", dim=[3, 24, -24, 3, 1, 1, 1, 1])
    scene.refused(65, "E-DATA", "-24 voxels")


@fault(22, "zero dim", "65")
def test_an_axis_of_nothing_is_refused(scene):
    scene.header("t2", dim=[3, 24, 0, 3, 1, 1, 1, 1])
    scene.refused(65, "E-DATA", "0 voxels")


@fault(23, "dims far larger than the file", "65, before memory")
@pytest.mark.parametrize("size", [900, 32767])
def test_sizes_far_beyond_the_file_are_refused(scene, size):
    scene.header("t2", dim=[3, size, size, size, 1, 1, 1, 1])
    scene.refused(65, "E-DATA", "GiB")


@fault(24, "pixdim zero, qform alone", "65")
def test_a_voxel_of_no_size_is_refused(scene):
    scene.header("t2", pixdim=[1, 0, 4, 4, 0, 0, 0, 0], sform_code=0)
    scene.refused(65, "E-GEOM", "no usable orientation")


@fault(24, "pixdim zero, sform good", "0, warning")
def test_a_voxel_of_no_size_warns_where_the_sform_tells_it(scene):
    scene.header("t2", pixdim=[1, 0, 4, 4, 0, 0, 0, 0])
    scene.warned("pixdim of the T2")


@fault(25, "pixdim NaN, qform alone", "65")
def test_a_voxel_size_that_is_no_number_is_refused(scene):
    scene.header("t2", pixdim=[1, np.nan, 4, 4, 0, 0, 0, 0], sform_code=0)
    scene.refused(65, "E-GEOM", "no usable orientation")


@fault(25, "pixdim NaN, sform good", "0, warning")
def test_a_voxel_size_that_is_no_number_warns_where_the_sform_tells_it(scene):
    scene.header("t2", pixdim=[1, np.nan, 4, 4, 0, 0, 0, 0])
    scene.warned("pixdim of the T2")


@fault(26, "pixdim negative", "0, warning")
@pytest.mark.parametrize("sform_code", [0, 1])
def test_a_negative_voxel_size_warns(scene, sform_code):
    scene.header("t2", pixdim=[1, -8, 8, 4, 0, 0, 0, 0], sform_code=sform_code)
    scene.warned("pixdim of the T2")


@fault(27, "sform all zero, qform good", "0, warning")
def test_a_qform_takes_the_place_of_an_empty_sform(scene):
    scene.header("t2", srow_x=[0] * 4, srow_y=[0] * 4, srow_z=[0] * 4)
    scene.warned("sform of the T2 is singular", "its qform is used")


@fault(27, "sform all zero, no qform", "65")
def test_an_empty_sform_alone_is_refused(scene):
    rows = {"srow_x": [0] * 4, "srow_y": [0] * 4, "srow_z": [0] * 4}
    scene.header("t2", **rows, qform_code=0)
    scene.refused(65, "E-GEOM", "no usable orientation")


@fault(28, "sform NaN or Inf, qform good", "0, warning")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_qform_takes_the_place_of_an_sform_that_is_no_number(scene, value):
    scene.header("t2", srow_x=[8, 0, 0, value])
    scene.warned("its qform is used")


@fault(28, "sform NaN, no qform", "65")
def test_an_sform_that_is_no_number_alone_is_refused(scene):
    scene.header("t2", srow_x=[8, 0, 0, np.nan], qform_code=0)
    scene.refused(65, "E-GEOM", "no usable orientation")


@fault(29, "qform and sform codes 0", "65, --assume-affine")
def test_an_image_without_orientation_is_refused(scene):
    scene.header("t2", qform_code=0, sform_code=0)
    scene.refused(65, "E-GEOM", "codes are both 0", "--assume-affine")


@fault(29, "the same with --assume-affine", "0, warning")
def test_an_assumed_orientation_warns_of_left_and_right(scene):
    for which in ("t2", "t1"):
        scene.header(which, qform_code=0, sform_code=0)
    ran = scene.planned("--assume-affine")
    assert len([one for one in ran.warnings if "left and right" in one]) == 2


@fault(30, "qform and sform disagree", "65, --prefer")
def test_forms_that_disagree_are_refused(scene):
    scene.header("t2", qoffset_x=0.0)
    scene.refused(65, "E-GEOM", "qform and sform", "mm apart", "--prefer sform")


@fault(30, "the same with --prefer", "0, the form asked for")
@pytest.mark.parametrize("form", ["sform", "qform"])
def test_the_form_asked_for_is_used(scene, form):
    offset = float(nib.load(scene.t2).affine[0, 3]) + 2.0
    scene.header("t2", qoffset_x=offset)
    scene.warned(f"the {form} is used", more=["--prefer", form])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        volume = read_volume(scene.t2, prefer=form)
    assert volume.affine[0, 3] == pytest.approx(offset - 2.0 * (form == "sform"))


@fault(31, "sheared sform, over 1 degree", "65, the angle")
def test_a_sheared_image_is_refused_with_its_angle(scene):
    row = nib.load(scene.t2).affine[0]
    scene.header("t2", srow_x=[row[0], 0.4, 0, row[3]], qform_code=0)
    scene.refused(65, "E-GEOM", "2.9 degrees")


@fault(31, "sheared sform, below 1 degree", "0, warning")
def test_a_little_shear_warns_with_its_angle(scene):
    row = nib.load(scene.t2).affine[0]
    scene.header("t2", srow_x=[row[0], 0.1, 0, row[3]], qform_code=0)
    scene.warned("0.72 degrees")


@fault(32, "units other than mm", "65")
def test_units_other_than_millimetres_are_refused(scene):
    scene.header("t2", xyzt_units=1)
    scene.refused(65, "E-DATA", "metres")


@fault(32, "absurd voxels", "65, metres or microns?")
@pytest.mark.parametrize("factor", [0.001, 1000.0])
def test_a_field_of_view_beyond_any_head_is_refused(scene, factor):
    for which in ("t2", "t1"):
        affine = nib.load(getattr(scene, which)).affine
        scene.change(which, affine=np.diag([factor] * 3 + [1.0]) @ affine)
    scene.refused(65, "E-GEOM", "metres or micrometres?")


@fault(33, "scl_slope NaN or Inf", "0, warning")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_slope_that_is_no_number_is_ignored_with_a_warning(scene, value):
    scene.header("t2", scl_slope=value)
    scene.warned("scl_slope")


@fault(34, "scl_slope 0", "0")
def test_a_slope_of_zero_means_none(scene):
    expected = read_volume(scene.t2).data
    scene.header("t2", scl_slope=0, scl_inter=17)
    assert not scene.planned().warnings
    np.testing.assert_array_equal(read_volume(scene.t2).data, expected)


@fault(35, "complex values", "65, magnitude")
def test_complex_values_are_refused(scene):
    scene.save("t2", read_volume(scene.t2).data.astype(np.complex64))
    scene.refused(65, "E-DATA", "save the magnitude")


@fault(36, "RGB", "65")
def test_colours_are_refused(scene):
    colours = np.zeros((24, 24, 3), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    scene.save("t2", colours)
    scene.refused(65, "E-DATA", "colour (RGB)")


@fault(37, "int64, uint8, float64, big-endian", "0, equal to float32")
@pytest.mark.parametrize("kind", ["i8", "u1", "f8", ">i2", ">f4"])
def test_every_real_type_of_either_byte_order_is_read(scene, kind):
    values = np.rint(read_volume(scene.t2).data / 20)
    header = nib.Nifti1Header(endianness=">" if kind[0] == ">" else "<")
    header.set_data_dtype(np.dtype(kind))
    affine = nib.load(scene.t2).affine
    image = nib.Nifti1Image(values.astype(kind), affine, header)
    image.set_sform(affine, code=1)
    nib.save(image, scene.t2)
    scene.planned()
    np.testing.assert_array_equal(read_volume(scene.t2).data, values)


@fault(38, "4-D with one frame", "0")
def test_one_frame_is_squeezed(scene):
    scene.save("t2", read_volume(scene.t2).data[..., None])
    scene.planned()


@fault(38, "4-D with several frames", "65, --frame")
def test_several_frames_are_refused(scene):
    data = read_volume(scene.t2).data
    scene.save("t2", np.stack([data, 2 * data], axis=3))
    scene.refused(65, "E-DATA", "2 frames", "--frame 0")


@fault(38, "the same with --frame", "0, that frame")
@pytest.mark.parametrize("frame", [0, 1])
def test_the_frame_asked_for_is_read(scene, frame):
    data = read_volume(scene.t2).data
    scene.save("t2", np.stack([data, 2 * data], axis=3))
    scene.planned("--frame", str(frame))
    read = read_volume(scene.t2, frame=frame).data
    np.testing.assert_array_equal(read, data * (1 + frame))


@fault(38, "--frame that is not there", "64")
def test_a_frame_that_is_not_there_is_refused(scene):
    data = read_volume(scene.t2).data
    scene.save("t2", np.stack([data, 2 * data], axis=3))
    more = scene.command("--frame", "2")
    scene.refused(64, "E-USAGE", "2 frames", arguments=more, api=False)


@fault(39, "one slice", "0")
def test_one_slice_is_enough(scene):
    scene.save("t2", read_volume(scene.t2).data[:, :, 1])
    scene.save("t1", read_volume(scene.t1).data[:, :, 1])
    scene.planned()


@fault(39, "axis below 8 voxels", "65, the minimum")
def test_an_axis_too_short_to_enlarge_is_refused_with_the_minimum(scene):
    scene.change("t2", lambda data: data[:, 10:17])
    scene.refused(65, "E-DATA", "7 voxels", "at least 8")


@fault(40, "output axis over 32767 voxels", "65, in the plan")
def test_a_result_too_long_for_nifti_is_refused_in_the_plan(scene):
    long = np.tile(read_volume(scene.t2).data[:8, :, :1], (1, 700, 1))
    scene.save("t2", long)
    scene.change("t2", affine=np.diag([0.05, 0.05, 4.0, 1.0]))
    scene.refused(65, "E-DATA", "33600 voxels")


@fault(41, "NIfTI-2", "0")
def test_nifti_2_is_read(scene):
    image = nib.load(scene.t2)
    nib.save(nib.Nifti2Image(image.get_fdata(dtype="f4"), image.affine), scene.t2)
    scene.planned()


@fault(41, "MGZ", "0")
def test_mgz_is_read(scene):
    image = nib.load(scene.t2)
    scene.t2 = scene.folder / "t2.mgz"
    nib.save(nib.MGHImage(image.get_fdata(dtype="f4"), image.affine), scene.t2)
    scene.planned()


@fault(41, ".hdr/.img", "65, convert command")
def test_a_pair_of_header_and_image_gets_the_command_that_converts_it(scene):
    image = nib.load(scene.t2)
    scene.t2 = scene.folder / "pair.img"
    nib.save(nib.Nifti1Pair(image.get_fdata(dtype="f4"), image.affine), scene.t2)
    scene.refused(65, "E-DATA", "nib-convert")


@fault(42, "header extensions with patient text", "0, dropped and counted")
def test_header_extensions_are_dropped_and_counted(scene):
    image = nib.load(scene.t2)
    text = nib.nifti1.Nifti1Extension("comment", b"PATIENT NAME")
    image.header.extensions.append(text)
    image.header["descrip"] = b"PATIENT NAME"
    data = nib.Nifti1Image(image.get_fdata(dtype="f4"), image.affine, image.header)
    nib.save(data, scene.t2)
    ran = scene.planned()
    assert "1 header extension of the T2 is not copied" in ran.err
    result = scene.program(scene.command(name="degrade"))
    assert result.code == 0
    assert b"PATIENT" not in gzip.decompress(scene.out.read_bytes())
