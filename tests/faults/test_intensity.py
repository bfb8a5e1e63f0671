"""Rows 43 to 54: what the voxels hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from guided_sr.volumes import read_volume

fault = pytest.mark.fault


def spoilt(share: float, value: float):
    """Set a share of the voxels, spread evenly."""

    def alter(data):
        step = int(1 / share)
        data.reshape(-1)[::step] = value
        return data

    return alter


@fault(43, "NaN or Inf in over 0.1 %", "65")
@pytest.mark.parametrize(("which", "value"), [("t2", np.nan), ("t1", np.inf)])
def test_many_voxels_that_are_no_numbers_are_refused(scene, which, value):
    data = spoilt(0.01, value)(read_volume(getattr(scene, which)).data.copy())
    scene.save(which, data)
    name = which.upper()
    scene.refused(65, "E-DATA", f"of the {name} is NaN", path=getattr(scene, which))


@fault(43, "one NaN", "0, filled, warned, counted")
def test_a_voxel_that_is_no_number_is_filled_with_a_warning(scene):
    data = read_volume(scene.t2).data.copy()
    data[12, 12, 1] = np.nan
    scene.save("t2", data)
    scene.warned("1 voxels of the T2 are NaN or Inf")
    assert np.isfinite(read_volume_quietly(scene.t2).data).all()


def read_volume_quietly(path: Path):
    with pytest.warns(UserWarning, match="NaN"):
        return read_volume(path)


@fault(44, "constant image", "65, the value")
@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_image_is_refused_with_its_value(scene, value):
    scene.save("t1", np.full((48, 48, 3), value, np.float32))
    scene.refused(65, "E-DATA", f"T1 is constant (value {value})", path=scene.t1)


@fault(45, "99 % zero", "0, warning")
def test_a_nearly_empty_image_warns(scene):
    def nearly_empty(data):
        kept = data[10:12, 10:12].copy()
        data[:] = 0
        data[10:12, 10:12] = kept
        return data

    scene.change("t2", nearly_empty)
    scene.warned("of the T2 is 0")


@fault(45, "one outlier of 1e7", "0, warning")
def test_an_outlier_warns_and_does_not_set_the_scale(scene):
    def outlier(data):
        data[12, 12, 1] = 1e7
        return data

    scene.change("t2", outlier)
    scene.warned("outlier", "1e+07")


@fault(46, "negative values", "0, warning")
def test_negative_values_are_kept_with_a_warning(scene):
    scene.change("t2", lambda data: data - 200)
    scene.warned("the T2 has negative values", "not a magnitude image?")


@fault(47, "saved through an int16 header", "0, float32")
@fault(48, "overflow of int16", "0, values kept")
def test_the_result_of_an_integer_image_is_float32_and_keeps_its_range(scene):
    data = read_volume(scene.t2).data
    stored = np.rint(data / data.max() * 60000).astype(np.uint16)
    scene.save("t2", stored)
    ran = scene.program(scene.command())
    assert ran.code == 0, ran.err
    result = nib.load(scene.out)
    assert result.get_data_dtype() == np.float32
    values = result.get_fdata()
    assert values.max() > 45000
    assert values.min() >= 0
    note = json.loads(scene.out.with_name("sr.json").read_text("utf-8"))
    assert note["GuidedSR"]["inputs"]["t2"]["filled"] == 0


@fault(49, "label map as T2", "0, warning")
def test_a_label_map_warns(scene):
    scene.change("t2", lambda data: np.rint(data / data.max() * 12))
    scene.warned("the T2 has only", "a label map?")


@fault(50, "T1 and T2 the same file", "64")
@pytest.mark.parametrize("copy", [False, True])
def test_one_file_for_both_is_refused(scene, copy):
    if copy:
        scene.t1.write_bytes(scene.t2.read_bytes())
    else:
        scene.t1 = scene.t2
    scene.refused(64, "E-USAGE", "the same file", path=scene.t1)


@pytest.fixture
def swapped(scene):
    """A coarse T1 as T2, and the sharp T2 as its T1."""
    coarse = read_volume(scene.t1).data.reshape(24, 2, 24, 2, 3).mean(axis=(1, 3))
    scene.change("t2", lambda _: coarse)
    scene.t1 = scene.folder / "hr.nii.gz"
    return scene


@fault(51, "T1 and T2 swapped", "0, warning")
def test_swapped_contrasts_warn(swapped):
    swapped.warned("T1 and T2 look swapped")


@fault(51, "the same with --strict", "65")
def test_swapped_contrasts_are_refused_if_strict(swapped):
    arguments = swapped.command("--strict")
    swapped.refused(65, "E-DATA", "look swapped", arguments=arguments, api=False)


@fault(52, "skull-stripped T1, whole-head T2", "0, warning")
def test_a_skull_stripped_t1_warns(scene, small_head):
    keep = np.moveaxis(np.isin(small_head.labels, BRAIN), 0, -1)
    scene.change("t1", lambda data: data * keep)
    scene.warned("the T1 is 0 where the T2 is not", "skull-stripped?")


BRAIN = range(1, 10)  # labels of the phantom within the skull


@fault(53, "T2 already at high resolution", "0, warning")
def test_a_fine_t2_warns(scene):
    for which, size in (("t2", 1.0), ("t1", 0.5)):
        image = nib.load(getattr(scene, which))
        shrink = size / np.linalg.norm(image.affine[:3, 0])
        affine = np.diag([shrink, shrink, 0.25, 1.0]) @ image.affine
        scene.change(which, affine=affine)
    scene.warned("the T2 is already 1 mm isotropic")


@fault(54, "spacing outside the training range", "0, warning")
def test_a_spacing_far_from_the_training_warns(ranged):
    ranged.warned("voxels of 8 mm", "the model is for 1.6 to 2.5")


@fault(54, "the same with --strict", "65")
def test_a_spacing_far_from_the_training_is_refused_if_strict(ranged):
    arguments = ranged.command("--strict")
    ranged.refused(65, "E-DATA", "voxels of 8 mm", arguments=arguments, api=False)


@pytest.fixture
def ranged(scene):
    """The scene with a model whose card is for T2s of 1.6 to 2.5 mm."""
    model = scene.folder / "model"
    shutil.copytree(scene.model, model)
    usage = {"range": {"t2_mm": [1.6, 2.5]}}
    (model / "metadata.json").write_text(json.dumps(usage), "utf-8")
    scene.model = model
    return scene
