"""Rows 55 to 63: two images that belong together, and the plan."""

from __future__ import annotations

import json
import shutil
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest

from guided_sr.datasets import head_phantom
from guided_sr.evaluation.grids import lower_resolution
from guided_sr.volumes import Volume, corners, read_volume, write_volume

fault = pytest.mark.fault


def moved(scene, which: str, by: float) -> None:
    affine = nib.load(getattr(scene, which)).affine.copy()
    affine[0, 3] += by
    scene.change(which, affine=affine)


@fault(55, "no overlap", "65, both paths, 0 %")
def test_images_that_do_not_overlap_are_refused(scene):
    moved(scene, "t1", 1000)
    both = f"{scene.t1}, {scene.t2}"
    scene.refused(65, "E-GEOM", "do not overlap (0 %)", path=both)


@fault(56, "overlap below 80 %", "0, warning")
def test_a_small_overlap_warns(scene):
    moved(scene, "t1", 96)
    scene.warned("covers 50 % of the T2")


@fault(57, "all 48 orientations", "0, identical")
def test_every_orientation_gives_the_same_result(scene):
    def canonical(image):
        return nib.as_closest_canonical(image).get_fdata(dtype=np.float32)

    t2, t1 = nib.load(scene.t2), nib.load(scene.t1)
    wanted = canonical(scene.trained.predict_cascade(t2, t1).image)
    for axes, flips in product(permutations(range(3)), product((1, -1), repeat=3)):
        turned = t2.as_reoriented(np.transpose([axes, flips]))
        got = scene.trained.predict_cascade(turned, t1)
        assert got.affine.shape == (4, 4)
        np.testing.assert_array_equal(canonical(got.image), wanted)


@fault(58, "T1 coarser than the result", "0, warning")
def test_a_coarse_t1_warns(scene):
    scene.change("t1", lambda data: data[::2, ::2])
    affine = nib.load(scene.t1).affine @ np.diag([2.0, 2.0, 1.0, 1.0])
    scene.change("t1", affine=affine)
    scene.warned("the T1 (8 mm in-plane)")


@fault(59, "grids apart by over 0.5 mm", "0, registered")
def test_a_misplaced_t1_is_registered(whole_head):
    away = np.array([6.0, -5.0, 4.0])
    whole_head(away)
    scene = whole_head.scene
    ran = scene.program(scene.command())
    assert ran.code == 0, ran.err
    note = json.loads(scene.out.with_name("sr.json").read_text("utf-8"))
    found = note["GuidedSR"]["registration"]
    assert found["applied"]
    back = np.array(found["t1_to_t2_ras_mm"])
    middle = nib.affines.apply_affine(
        nib.load(scene.t2).affine, np.divide(nib.load(scene.t2).shape, 2)
    )
    gap = nib.affines.apply_affine(back, middle + away) - middle
    assert np.linalg.norm(gap) < 1.0


@fault(60, "registration failed", "65")
def test_a_failed_registration_is_refused(whole_head):
    whole_head((45.0, 0.0, 0.0))
    whole_head.scene.refused(65, "E-GEOM", "registration", path=whole_head.scene.t1)


class WholeHead:
    """A scene of 16 slices, enough to be registered; called to move its T1."""

    def __init__(self, scene) -> None:
        self.scene = scene
        head = head_phantom((60, 72), 16, seed=3, voxel_mm=3.0)
        sharp = Volume(np.moveaxis(head.t2, 0, -1), head.affine)
        made = lower_resolution(sharp, 2)
        write_volume(scene.t2, made.data, made.affine, force=True)
        t1 = np.moveaxis(head.t1, 0, -1)
        write_volume(scene.t1, t1, head.affine, force=True)

    def __call__(self, by) -> None:
        affine = nib.load(self.scene.t1).affine.copy()
        affine[:3, 3] += by
        self.scene.change("t1", affine=affine)


@pytest.fixture
def whole_head(scene):
    return WholeHead(scene)


@fault(61, "different people by their BIDS names", "65")
def test_images_of_different_people_are_refused(scene):
    for which, name in (("t2", "sub-01_T2w"), ("t1", "sub-02_T1w")):
        path = getattr(scene, which)
        setattr(scene, which, path.rename(path.with_name(f"{name}.nii.gz")))
    both = f"{scene.t2}, {scene.t1}"
    scene.refused(65, "E-DATA", "sub-01", "sub-02", path=both)


@fault(62, "scale 2.5, odd sizes, stages", "0, exact sizes and edges")
def test_odd_sizes_and_scales_keep_the_edges(scene):
    model = scene.folder / "model"
    shutil.copytree(scene.model, model)
    config = json.loads((model / "config.json").read_text("utf-8"))
    config["scale"] = [2.5, 2.5]
    (model / "config.json").write_text(json.dumps(config), "utf-8")
    scene.change("t2", lambda data: data[:23, :21])
    ran = scene.program(scene.command("--model", model))
    assert ran.code == 0, ran.err
    assert "3 slices, scale 2.5, 2 stages: 23x21 → " in ran.err
    assert " → 58x53\n" in ran.err
    low, high = nib.load(scene.t2), nib.load(scene.out)
    gap = corners(high.affine, high.shape) - corners(low.affine, low.shape)
    assert np.abs(gap).max() < 1e-4


@fault(63, "scale 1, 0, -2", "64")
@pytest.mark.parametrize("value", ["1", "0", "-2", "nan", "four"])
def test_a_scale_that_is_none_is_refused(scene, value):
    arguments = scene.command("--scale", value)
    words = ["argument --scale"]
    scene.refused(64, "E-USAGE", *words, arguments=arguments, path=value, api=False)


@fault(63, "scale without weights", "64, the known scales")
def test_a_scale_without_weights_lists_the_known_ones(scene):
    arguments = scene.command("--scale", "3")
    arguments = [one for one in arguments if one not in ("--model", str(scene.model))]
    words = ["known are ", "2 (grdn_t2_x2, ", "; 4 (grdn_t2_x4, "]
    scene.refused(64, "E-SCALE", *words, arguments=arguments, path="3", api=False)


def test_the_scene_itself_is_free_of_faults(scene):
    assert scene.planned().warnings == []
    assert read_volume(scene.t2).filled == 0
