from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from guided_sr.errors import DataError, UsageError
from guided_sr.evaluation import SLICES, baselines, choose_slices, compare
from guided_sr.evaluation.measures import central_slices
from guided_sr.metrics import psnr, ssim
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.degrade import degrade, upsample


@pytest.fixture
def stacks(small_head: Any) -> tuple[np.ndarray, np.ndarray]:
    return small_head.t2, degrade(small_head.t2, 2)


def test_baselines_stand_beside_every_candidate(stacks: Any) -> None:
    truth, low = stacks
    comparison = compare(truth, {"ours": 0.9 * truth}, low=low)
    assert [score.name for score in comparison.scores] == [
        "cubic",
        "cubic + IBP",
        "cubic + exact",
        "ours",
    ]
    cubic = upsample(low, (48, 48))
    expected = [psnr(x, z) for x, z in zip(truth, cubic, strict=True)]
    assert comparison["cubic"].psnr == pytest.approx(expected)
    expected = [ssim(x, 0.9 * x) for x in truth]
    assert comparison["ours"].ssim == pytest.approx(expected)
    with pytest.raises(KeyError):
        comparison["theirs"]


def test_back_projection_improves_cubic_and_explains_the_data(stacks: Any) -> None:
    truth, low = stacks
    made = baselines(low, (48, 48))
    operator = CascadePlan.create((24, 24), target_shape=(48, 48)).observation()
    residuals = [float(np.abs(low - operator(x)).mean()) for x in made.values()]
    assert residuals == sorted(residuals, reverse=True)
    means = [np.mean(score.psnr) for score in compare(truth, {}, low=low).scores]
    assert means == sorted(means)


def test_mean_deviation_and_gain_are_in_the_table(stacks: Any) -> None:
    truth, low = stacks
    comparison = compare(truth, {"ours": 0.9 * truth}, low=low)
    headers, rows = comparison.table()
    assert all(len(row) == len(headers) for row in rows)
    figures = comparison["ours"].psnr
    gain = np.mean(figures) - np.mean(comparison["cubic"].psnr)
    assert rows[-1][1] == f"{np.mean(figures):.2f} ± {np.std(figures, ddof=1):.2f}"
    assert rows[-1][2] == f"{gain:+.2f}"
    assert rows[0][2] == ""


def test_a_single_slice_has_no_deviation(stacks: Any) -> None:
    truth, low = stacks
    comparison = compare(truth, {}, low=low, slices="centre")
    assert comparison.slices == (1,)
    assert comparison["cubic"].summary()["psnr_sd"] is None
    assert "±" not in comparison.table()[1][0][1]


def test_a_perfect_result_is_infinite_and_still_json(stacks: Any) -> None:
    truth, low = stacks
    comparison = compare(truth, {"ours": truth}, low=low)
    assert all(math.isinf(value) for value in comparison["ours"].psnr)
    plain = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert plain["methods"]["ours"]["psnr_mean"] is None
    assert plain["methods"]["ours"]["ssim_mean"] == pytest.approx(1.0)
    assert comparison.table()[1][-1][1] == "inf"


def test_empty_slices_are_left_out_and_named(stacks: Any) -> None:
    truth, low = (np.array(stack) for stack in stacks)
    truth[0], low[0] = 0.0, 0.0
    comparison = compare(truth, {}, low=low)
    assert comparison.empty == (0,)
    assert comparison.slices == (1, 2)
    with pytest.raises(DataError, match="no slice"):
        compare(np.zeros_like(truth), {}, low=low)


@pytest.mark.parametrize(
    ("count", "which", "expected"),
    [
        (182, "centre", [91]),
        (182, "central60", list(range(61, 121))),
        (61, "central60", list(range(60))),
        (5, "central60", list(range(5))),
        (5, "all", list(range(5))),
    ],
)
def test_slices_are_chosen_around_the_centre(
    count: int, which: str, expected: list[int]
) -> None:
    assert choose_slices(count, which) == expected


def test_an_unknown_choice_names_the_known() -> None:
    with pytest.raises(UsageError, match=", ".join(SLICES)):
        choose_slices(5, "some")


def test_images_that_do_not_fit_are_refused(stacks: Any) -> None:
    truth, low = stacks
    with pytest.raises(DataError, match="differ in size"):
        compare(truth, {"ours": truth[:, 1:]}, low=low)
    with pytest.raises(DataError, match="same slices"):
        compare(truth, {}, low=low[:2])
    with pytest.raises(DataError, match="too small for SSIM"):
        compare(truth[:, :10], {}, low=low[:, :5])


def test_the_central_slices_are_around_the_centre():
    assert central_slices(182, 60) == list(range(61, 121))
    assert central_slices(9, 60) == list(range(9))
    assert central_slices(10, 1) == [5]
