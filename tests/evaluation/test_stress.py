from __future__ import annotations

import numpy as np
import pytest

from guided_sr.datasets.painted_heads import PaintedHead
from guided_sr.evaluation.predictors import Stack, cubic
from guided_sr.evaluation.stress import (
    CONDITIONS,
    Condition,
    StressSet,
    stress_lines,
    stress_rows,
)
from guided_sr.physics.degrade import degrade
from guided_sr.physics.slice_profile import plane_observation


@pytest.fixture(scope="module")
def maps(nested_labels: np.ndarray) -> dict[str, np.ndarray]:
    """Two heads of different size."""
    smaller = np.roll(nested_labels, 2, axis=1)[4:-4]
    return {"one": nested_labels, "two": smaller}


@pytest.fixture(scope="module")
def stress(maps: dict[str, np.ndarray]) -> StressSet:
    return StressSet(maps, scale=(2.0, 2.0), planes=1)


def test_pairs_lie_on_one_grid_under_every_condition(stress: StressSet) -> None:
    for condition in CONDITIONS.values():
        pair = stress.pair(0, condition)
        assert pair.t1.shape == pair.truth.shape
        assert pair.low.shape[1:] == tuple(n // 2 for n in pair.truth.shape[1:])
        for image in (pair.low, pair.t1, pair.truth):
            assert np.isfinite(image).all()
            assert image.min() >= 0.0


def test_without_noise_the_coarse_image_is_the_degraded_truth(
    stress: StressSet,
) -> None:
    pair = stress.pair(1, Condition("3 T, skull", noise=0.0))
    expected = np.maximum(degrade(pair.truth, 2), 0.0)
    np.testing.assert_allclose(pair.low, expected, atol=1e-5)


def test_a_box_blurs_less_than_the_gaussian_of_its_width() -> None:
    edge = np.zeros((48, 48))
    edge[:, 24:] = 1.0
    box, bell = (
        plane_observation((48, 48), (4.0, 4.0), profile=profile)(edge)
        for profile in ("box", "gaussian")
    )
    np.testing.assert_allclose(bell, degrade(edge, 4))
    assert np.abs(np.diff(box[6])).max() > np.abs(np.diff(bell[6])).max()


def test_conditions_change_the_guide_and_leave_the_truth(stress: StressSet) -> None:
    plain = stress.pair(0, CONDITIONS["3 T"])
    for name in ("T1 shifted by 1 mm", "T1 shifted by 3 mm", "T1 of another person"):
        pair = stress.pair(0, CONDITIONS[name])
        np.testing.assert_array_equal(pair.truth, plain.truth)
        np.testing.assert_array_equal(pair.low, plain.low)
        assert np.abs(pair.t1 - plain.t1).mean() > 0.01


def test_thick_slices_are_made_along_the_rows_of_coronal_planes(
    maps: dict[str, np.ndarray],
) -> None:
    thick = StressSet(maps, scale=(4.0, 1.0), plane="coronal", planes=1)
    pair = thick.pair(0, CONDITIONS["3 T"])
    rows, columns = pair.truth.shape[1:]
    assert pair.low.shape[1:] == (rows // 4, columns)
    head = PaintedHead(maps["one"], seed=0, plane="coronal", planes=1)
    assert pair.truth.shape[1:] == head.shape


def test_gains_are_paired_and_their_mean_is_over_conditions(stress: StressSet) -> None:
    truths = {
        pair.low.tobytes(): pair.truth
        for pair in (
            stress.pair(k, CONDITIONS[name]) for k in (0, 1) for name in CONDITIONS
        )
    }

    def better(low: Stack, t1: Stack) -> Stack:
        """Half way from cubic interpolation to the truth: 6 dB."""
        return (cubic(low, t1) + truths[low.tobytes()]) / 2.0

    some = {name: CONDITIONS[name] for name in ("3 T", "noise 5 %")}
    steps: list[tuple[int, int]] = []
    lines = list(
        stress_lines(
            {"better": better, "cubic": cubic},
            stress,
            conditions=some,
            progress=lambda done, total: steps.append((done, total)),
        )
    )
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    rows = stress_rows(lines)
    assert [row["condition"] for row in rows] == ["3 T", "noise 5 %", "mean of all"]
    assert [row["slices"] for row in rows] == [2, 2, 4]
    for row in rows:
        assert row["better gain"] == pytest.approx(6.02, abs=0.1)
    assert rows[-1]["cubic"] == pytest.approx(np.mean([r["cubic"] for r in rows[:2]]))
