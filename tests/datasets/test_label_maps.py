from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from guided_sr.datasets.label_maps import Kind, kind_of, read_label_map
from guided_sr.errors import DataError, MissingInputError


def _save(path: Path, labels: np.ndarray, affine: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(labels.astype(np.int16), affine), path)
    return path


def test_sides_are_folded_and_the_head_is_cropped(tmp_path: Path) -> None:
    labels = np.zeros((40, 40, 40), np.int16)
    labels[10:15, 20:25, 20:25] = 2
    labels[15:20, 20:25, 20:25] = 41
    read = read_label_map(_save(tmp_path / "seg.nii.gz", labels, np.eye(4)))
    assert read.shape == (18, 13, 13)
    assert set(np.unique(read)) == {0, 2}


def test_any_orientation_gives_the_same_map(tmp_path: Path) -> None:
    labels = np.zeros((30, 32, 34), np.int16)
    labels[8:12, 9:20, 10:25] = 3
    labels[8:10, 9:12, 10:12] = 24
    straight = read_label_map(_save(tmp_path / "a.nii.gz", labels, np.eye(4)))
    turned = np.transpose(labels, (2, 0, 1))[::-1]
    affine = np.zeros((4, 4))
    affine[2, 0], affine[0, 1], affine[1, 2], affine[3, 3] = -1, 1, 1, 1
    other = read_label_map(_save(tmp_path / "b.nii.gz", turned, affine))
    np.testing.assert_array_equal(straight, other)


def test_kinds_follow_the_table_of_labels() -> None:
    assert kind_of(0) is Kind.BACKGROUND
    assert kind_of(2) is Kind.WHITE_MATTER
    assert kind_of(3) is Kind.GREY_MATTER
    assert kind_of(24) is Kind.FLUID
    assert kind_of(11) is Kind.DEEP_NUCLEUS
    assert kind_of(511) is Kind.OUTSIDE


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="missing"):
        read_label_map(tmp_path / "none.nii.gz")
    empty = _save(tmp_path / "empty.nii.gz", np.zeros((8, 8, 8)), np.eye(4))
    with pytest.raises(DataError, match="no labels"):
        read_label_map(empty)
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"<html>")
    with pytest.raises(DataError, match="cannot be read"):
        read_label_map(broken)
