from __future__ import annotations

import ast
import inspect

import numpy as np
import pytest

from guided_sr.datasets import painted_heads
from guided_sr.datasets.painted_heads import PaintedHead, signal_labels
from guided_sr.datasets.protocols import PROTOCOLS
from guided_sr.datasets.signal import Label
from guided_sr.errors import UsageError


@pytest.fixture(scope="module")
def head(nested_labels: np.ndarray) -> PaintedHead:
    return PaintedHead(nested_labels, seed=1, planes=2)


def test_the_generator_shares_no_drawing_with_that_of_training() -> None:
    tree = ast.parse(inspect.getsource(painted_heads))
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert "guided_sr.datasets.contrast" not in imported


@pytest.mark.parametrize("name", PROTOCOLS)
def test_images_are_finite_not_negative_and_of_one_grid(
    head: PaintedHead, name: str
) -> None:
    for weighting in ("t1", "t2"):
        image = head.scan(weighting, PROTOCOLS[name])
        assert image.shape == (2, *head.shape)
        assert image.dtype == np.float32
        assert np.isfinite(image).all()
        assert image.min() >= 0.0


def test_a_seed_gives_the_same_head_again(
    nested_labels: np.ndarray, head: PaintedHead
) -> None:
    again = PaintedHead(nested_labels, seed=1, planes=2)
    other = PaintedHead(nested_labels, seed=2, planes=2)
    protocol = PROTOCOLS["3 T"]
    np.testing.assert_array_equal(head.scan("t1", protocol), again.scan("t1", protocol))
    assert not np.array_equal(head.scan("t1", protocol), other.scan("t1", protocol))


def test_stripping_takes_away_the_skull_and_nothing_else(head: PaintedHead) -> None:
    bare, whole = (head.scan("t1", PROTOCOLS[name]) for name in ("3 T", "3 T, skull"))
    middle = (0, head.shape[0] // 2, head.shape[1] // 2)
    assert bare[middle] == whole[middle]
    assert np.count_nonzero(whole > 0.1) > 1.2 * np.count_nonzero(bare > 0.1)


def test_white_matter_is_one_and_borders_are_mixed(head: PaintedHead) -> None:
    image = head.scan("t1", PROTOCOLS["3 T"])
    values = image[image > 0.05]
    assert np.median(image[image > 0.9]) == pytest.approx(1.0, abs=0.15)
    between = (values > 0.25) & (values < 0.45)  # fluid is darker, cortex brighter
    assert between.any()


def test_a_shift_moves_the_anatomy(head: PaintedHead) -> None:
    protocol = PROTOCOLS["3 T"]
    still = head.scan("t1", protocol)
    moved = head.scan("t1", protocol, shift_mm=(0.0, 3.0, 0.0))
    rolled = np.roll(still, -3, axis=1)[:, 8:-8]
    error = np.abs(moved[:, 8:-8] - rolled).mean()
    assert error < 0.3 * np.abs(moved - still)[:, 8:-8].mean()


@pytest.mark.parametrize(("plane", "axes"), [("axial", "xy"), ("coronal", "zx")])
def test_rows_of_coronal_planes_run_from_foot_to_head(
    nested_labels: np.ndarray, plane: str, axes: str
) -> None:
    long = np.repeat(nested_labels, 2, axis="xyz".index(axes[0]))
    rows, columns = PaintedHead(long, seed=1, plane=plane, planes=1).shape
    assert rows > 1.4 * columns


def test_fat_lies_under_the_skin_and_dura_around_the_brain(
    nested_labels: np.ndarray,
) -> None:
    labels = signal_labels(nested_labels)
    assert (labels[nested_labels == 507] == Label.FAT).all()
    dura = labels == Label.DURA
    assert dura.any()
    assert (nested_labels[dura] == 24).all()


def test_what_is_no_orientation_or_holds_no_brain_is_refused(
    nested_labels: np.ndarray,
) -> None:
    with pytest.raises(UsageError, match="oblique"):
        PaintedHead(nested_labels, seed=0, plane="oblique")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no brain"):
        PaintedHead(np.where(nested_labels > 500, nested_labels, 0), seed=0)
