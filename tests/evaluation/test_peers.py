from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guided_sr.datasets.phantom import head_phantom
from guided_sr.datasets.simulated import simulate_pair
from guided_sr.errors import DataError
from guided_sr.evaluation.benchmark import METHODS
from guided_sr.evaluation.guided_filter import guided_filter
from guided_sr.evaluation.nonlocal_means import (
    PATCH_SHARE,
    nonlocal_means,
    nonlocal_super_resolution,
)
from guided_sr.evaluation.peers import PEERS
from guided_sr.metrics import consistency, mean_over_slices, psnr, ssim
from guided_sr.physics.back_projection import back_project
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.degrade import degrade, upsample

GUIDED = [name for name in PEERS if name != "cubic"]
SHAPE = (60, 72)


def planned(low: np.ndarray, shape: tuple[int, int] = SHAPE) -> CascadePlan:
    return CascadePlan.create(low.shape[1:], target_shape=shape, stages=1)


@pytest.fixture(scope="module")
def brain() -> Any:
    return head_phantom(SHAPE, 2, seed=3, skull=False)


@pytest.fixture
def low(brain: Any) -> np.ndarray:
    return degrade(brain.t2, 2)


def measured(truth: np.ndarray, image: np.ndarray, low: np.ndarray) -> float:
    """PSNR after one back-projection, as in the benchmark."""
    plan = planned(low, truth.shape[1:])
    image = back_project(image, low, plan.observation())
    return mean_over_slices(psnr, truth, image)


def test_the_benchmark_knows_them_by_name() -> None:
    assert list(PEERS) == [
        name for name, how in METHODS.items() if how.kind == "classical"
    ]


@pytest.mark.parametrize("name", GUIDED)
@pytest.mark.parametrize("scale", [2, 4])
def test_every_guided_peer_beats_cubic(brain: Any, name: str, scale: int) -> None:
    low = degrade(brain.t2, scale)
    cubic = measured(brain.t2, upsample(low, SHAPE), low)
    image = PEERS[name](low, brain.t1, planned(low))
    least = {
        "guided_filter": 0.3,
        "guided_filter_20": 0.3,
        "guided_back_projection": 2.0,
        "nlm_t1": 4.0,
    }
    assert measured(brain.t2, image, low) > cubic + least[name]


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("scale", [2, 2.5, (4, 1)])
def test_results_are_float32_on_the_target_grid(
    brain: Any, name: str, scale: Any
) -> None:
    low = degrade(brain.t2[:1].astype(np.float64), scale)
    image = PEERS[name](low, brain.t1[:1], planned(low))
    assert image.dtype == np.float32
    assert image.shape == (1, *SHAPE)
    assert np.isfinite(image).all()


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("value", [0.0, 37.0, -5.0])
def test_a_constant_image_stays_constant(brain: Any, name: str, value: float) -> None:
    low = np.full((2, 30, 36), value, np.float32)
    image = PEERS[name](low, brain.t1, planned(low))
    np.testing.assert_allclose(image, value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", PEERS)
def test_a_constant_guide_is_no_hindrance(low: np.ndarray, name: str) -> None:
    image = PEERS[name](low, np.zeros((2, *SHAPE), np.float32), planned(low))
    assert np.isfinite(image).all()


@pytest.mark.parametrize("name", PEERS)
def test_a_guide_of_noise_does_no_great_harm(
    brain: Any, low: np.ndarray, rng: np.random.Generator, name: str
) -> None:
    noise = rng.normal(100.0, 30.0, brain.t1.shape).astype(np.float32)
    cubic = measured(brain.t2, upsample(low, SHAPE), low)
    image = PEERS[name](low, noise, planned(low))
    assert measured(brain.t2, image, low) > cubic - 2.0


@pytest.mark.parametrize("name", PEERS)
def test_scaled_intensities_scale_the_result(
    brain: Any, low: np.ndarray, name: str
) -> None:
    plan = planned(low)
    image = PEERS[name](low, brain.t1, plan)
    close = {"rtol": 1e-3, "atol": 1e-3 * float(image.max())}
    np.testing.assert_allclose(
        PEERS[name](10 * low, brain.t1, plan), 10 * image, **close
    )
    np.testing.assert_allclose(PEERS[name](low, 0.1 * brain.t1, plan), image, **close)


@pytest.mark.parametrize("name", PEERS)
def test_a_slice_does_not_depend_on_the_others(
    brain: Any, low: np.ndarray, name: str
) -> None:
    plan = planned(low)
    alone = PEERS[name](low[1:], brain.t1[1:], plan)
    np.testing.assert_array_equal(PEERS[name](low, brain.t1, plan)[1:], alone)


@pytest.mark.parametrize("name", ["guided_back_projection", "nlm_t1"])
def test_iterative_peers_explain_the_data(
    brain: Any, low: np.ndarray, name: str
) -> None:
    plan = planned(low)
    left = consistency(PEERS[name](low, brain.t1, plan), low, plan.observation())
    cubic = consistency(upsample(low, SHAPE), low, plan.observation())
    assert left < 0.02 * cubic


@pytest.mark.parametrize("name", PEERS)
def test_stacks_that_do_not_fit_are_refused(
    brain: Any, low: np.ndarray, name: str
) -> None:
    peer, plan = PEERS[name], planned(low)
    with pytest.raises(DataError, match="has 2 slices, the T1 1"):
        peer(low, brain.t1[:1], plan)
    with pytest.raises(DataError, match=r"the T1 .* does not fit slices of 60 x 72"):
        peer(low, brain.t1[:, 1:], plan)
    with pytest.raises(DataError, match=r"the low-resolution T2 .* does not fit"):
        peer(low[:, :, :-1], brain.t1, plan)
    with pytest.raises(DataError, match="does not fit"):
        peer(low[0], brain.t1[0], plan)
    with pytest.raises(DataError, match="does not fit"):
        peer(low[:0], brain.t1[:0], plan)
    with pytest.raises(DataError, match="the T1 holds NaN or Inf"):
        peer(low, np.where(brain.t1 > 500, np.nan, brain.t1), plan)


def test_the_guided_filter_keeps_what_is_linear_in_the_guide(
    rng: np.random.Generator,
) -> None:
    guide = rng.random((2, 20, 24))
    q = guided_filter(3.0 - 2.0 * guide, guide, radius=(2, 1), epsilon=1e-9)
    np.testing.assert_allclose(q, 3.0 - 2.0 * guide, atol=1e-6)


def test_the_guided_filter_fits_every_window(rng: np.random.Generator) -> None:
    image, guide = rng.random((2, 7, 7))
    q = guided_filter(image, guide, radius=(1, 1), epsilon=0.1)
    fits = []
    for row in (2, 3, 4):
        for column in (2, 3, 4):
            window = slice(row - 1, row + 2), slice(column - 1, column + 2)
            i, p = guide[window], image[window]
            a = np.mean((i - i.mean()) * (p - p.mean())) / (i.var() + 0.1)
            fits.append((a, p.mean() - a * i.mean()))
    a, b = np.mean(fits, axis=0)
    assert q[3, 3] == pytest.approx(a * guide[3, 3] + b)


def test_nonlocal_means_is_the_published_mean(rng: np.random.Generator) -> None:
    image, guide = 40.0 * rng.random((2, 9, 9), dtype=np.float32)
    strength, row, column = 8.0, 4, 4

    def patch(y: int, x: int) -> np.ndarray:
        return image[y - 1 : y + 2, x - 1 : x + 2]

    total = weights = 0.0
    for y in range(row - 2, row + 3):
        for x in range(column - 2, column + 3):
            apart = (guide[row, column] - guide[y, x]) ** 2
            apart += PATCH_SHARE * np.mean((patch(row, column) - patch(y, x)) ** 2)
            weight = np.exp(-apart / strength**2)
            total, weights = total + weight * image[y, x], weights + weight
    mean = nonlocal_means(image, guide, strength=strength, search_radius=2)
    assert mean[row, column] == pytest.approx(total / weights, rel=1e-5)


def test_nonlocal_means_takes_images_smaller_than_its_window(
    rng: np.random.Generator,
) -> None:
    image, guide = 200.0 * rng.random((2, 8, 10), dtype=np.float32)
    mean = nonlocal_means(image, guide, strength=1e6)
    whole = nonlocal_means(image, guide, strength=1e6, search_radius=20)
    assert mean.shape == (8, 10)
    np.testing.assert_allclose(whole, image.mean(), rtol=1e-4)


def test_a_wider_search_and_all_strengths_pay(brain: Any) -> None:
    scaled = [256.0 * x / np.percentile(x, 99.5) for x in (brain.t2[0], brain.t1[0])]
    truth, guide = scaled
    low = degrade(truth, 2)
    operator = planned(low[None]).observation()
    figures = [
        psnr(truth, nonlocal_super_resolution(low, guide, operator, **options))
        for options in ({}, {"search_radius": 3}, {"strengths": (32.0,)})
    ]
    assert figures[0] == max(figures)


@pytest.mark.real_data
@pytest.mark.slow
def test_real_gains_over_cubic(open_ms: Path) -> None:
    folder = open_ms / "mni_patient07"
    pair = simulate_pair(folder / "t2.nii.gz", folder / "t1.nii.gz", scale=4)
    middle = slice(len(pair.high) // 2, len(pair.high) // 2 + 1)
    low, guide, truth = pair.low[middle], pair.guide[middle], pair.high[middle]
    plan = planned(low, truth.shape[1:])
    cubic = PEERS["cubic"](low, guide, plan)
    for name, gain in (("guided_back_projection", 2.2), ("nlm_t1", 3.5)):
        image = PEERS[name](low, guide, plan)
        assert psnr(truth[0], image[0]) > psnr(truth[0], cubic[0]) + gain
        assert ssim(truth[0], image[0]) > ssim(truth[0], cubic[0]) + 0.08
