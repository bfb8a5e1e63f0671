from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from guided_sr.errors import DataError, GeometryError, GuidedSRWarning
from guided_sr.volumes import Volume, to_slices
from guided_sr.volumes.plausible import (
    examine,
    examine_pair,
    refuse_other_person,
    refuse_short_axes,
)


@pytest.fixture
def head(small_head):
    """T1 and T2 of a phantom as volumes."""
    return [
        Volume(np.moveaxis(data, 0, -1), small_head.affine)
        for data in (small_head.t1, small_head.t2)
    ]


def looked_at(t2, t1, overlap=1.0):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", GuidedSRWarning)
        stacks = [to_slices(one.data, 2) for one in (t2, t1)]
        examine_pair(*stacks, overlap=overlap, paths=[])
    return [str(one.message) for one in caught]


def test_a_head_is_free_of_doubt(head):
    t1, t2 = head
    examine(t1, name="T1")
    examine(t2, name="T2")
    assert looked_at(t2, t1) == []


def test_swapped_contrasts_are_noticed(head):
    t1, t2 = head
    assert "look swapped" in looked_at(t1, t2)[0]


def test_a_t1_that_is_cut_off_is_not_called_stripped(head):
    t1, t2 = head
    half = t1.data.copy()
    half[:24] = 0
    half = Volume(half, t1.affine)
    assert "skull-stripped" in looked_at(t2, half)[0]
    assert looked_at(t2, half, overlap=0.5) == []


def test_sizes_no_head_has_are_refused(head):
    for factor in (1e-3, 1e3):
        affine = np.diag([factor, factor, factor, 1]) @ head[0].affine
        with pytest.raises(GeometryError, match="metres or micrometres"):
            examine(Volume(head[0].data, affine), name="T1")


@pytest.mark.parametrize(("tilt", "outcome"), [(0.001, 0), (0.01, 1), (0.03, 2)])
def test_shear_warns_and_then_refuses(head, tilt, outcome):
    affine = head[0].affine @ np.array(
        [[1, tilt, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    )
    volume = Volume(head[0].data, affine)
    if outcome == 0:
        examine(volume, name="T1")
    elif outcome == 1:
        with pytest.warns(GuidedSRWarning, match=r"0\.57 degrees off right angles"):
            examine(volume, name="T1")
    else:
        with pytest.raises(GeometryError, match=r"1\.7 degrees"):
            examine(volume, name="T1")


def test_short_axes_are_refused_where_they_are_enlarged():
    refuse_short_axes((8, 9, 1), [0, 1], name="T2", path=None)
    with pytest.raises(DataError, match="an axis of 7 voxels"):
        refuse_short_axes((8, 7, 1), [0, 1], name="T2", path=None)


def test_only_names_of_two_people_are_refused():
    one = Path("sub-01_T2w.nii.gz")
    for other in (Path("sub-01_ses-2_T1w.nii.gz"), Path("t1.nii.gz"), None):
        refuse_other_person(one, other)
    with pytest.raises(DataError, match="sub-01 and sub-02"):
        refuse_other_person(one, Path("sub-02_T1w.nii.gz"))


@pytest.mark.real_data
def test_real_pairs_are_free_of_doubt(open_ms):
    from guided_sr.volumes import bring_to_grid, read_volume

    for folder in sorted(open_ms.glob("*")):
        if not (folder / "t2.nii.gz").exists():
            continue
        t1, t2 = (read_volume(folder / f"{n}.nii.gz", name=n) for n in ("t1", "t2"))
        guide = Volume(bring_to_grid(t1, t2.affine, t2.data.shape), t2.affine)
        assert looked_at(t2, guide) == []
        assert "swapped" in looked_at(guide, t2)[0]
