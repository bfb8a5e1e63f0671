from __future__ import annotations

import keras
import numpy as np
import pytest

from guided_sr import GRDN, DegradationCallback, IBPCallback, degrade, upsample
from guided_sr.errors import DataError
from guided_sr.metrics import consistency
from guided_sr.physics.back_projection import BackProjection
from guided_sr.training.callbacks import ResidualCallback, StopOnDivergence
from guided_sr.training.subjects import subjects_of


def test_the_blur_varies_within_its_spread_and_by_its_seed():
    callback = DegradationCallback(spread=0.2, seed=4)
    factors = np.array([callback.factor(epoch) for epoch in range(300)])
    assert factors.min() > 0.8
    assert factors.max() < 1.2
    assert factors.std() == pytest.approx(0.4 / 12**0.5, rel=0.1)
    assert DegradationCallback(spread=0.2, seed=4).factor(17) == factors[17]
    assert DegradationCallback(spread=0.2, seed=5).factor(17) != factors[17]
    assert DegradationCallback(spread=0.0).factor(3) == 1.0


def test_the_blur_of_the_epoch_is_logged():
    callback, logs = DegradationCallback(), {"loss": 1.0}
    callback.on_epoch_end(5, logs)
    assert logs["blur"] == callback.factor(5)
    callback.on_epoch_end(5, None)


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_loss_that_is_no_number_stops_the_training(loss):
    with pytest.raises(DataError, match=r"stage 1 became (nan|inf) in epoch 4"):
        StopOnDivergence().on_epoch_end(3, {"loss": loss})


def test_a_loss_that_is_a_number_does_not():
    StopOnDivergence().on_epoch_end(3, {"loss": 1e9})
    StopOnDivergence().on_epoch_end(3, None)


KEYS = {
    f"val_{what}{how}"
    for what in ("psnr", "ssim", "consistency")
    for how in ("", "_ibp")
}


@pytest.mark.backend
@pytest.mark.parametrize("guided", [True, False])
def test_figures_with_and_without_back_projection_are_logged(small_head, tiny, guided):
    pair = degrade(small_head.t2, 2), small_head.t1
    (subject,) = subjects_of(
        [pair], scale=(2.0, 2.0), stages=1, guided=guided, stage_blur="consistent"
    )
    callback = IBPCallback([pair], slices=2, back_projection=BackProjection("exact"))
    callback.set_levels([subject.level_stack(subject.t2, 1)])
    network = GRDN(**tiny, guided=guided)
    callback.set_model(network)
    logs = {}
    callback.on_epoch_end(0, logs)
    assert set(logs) == KEYS
    assert all(np.isfinite(value) for value in logs.values())
    assert logs["val_consistency_ibp"] < 0.2 * logs["val_consistency"]
    assert logs["val_psnr_ibp"] > logs["val_psnr"]


def test_without_levels_nothing_is_logged(tiny):
    callback, logs = IBPCallback([]), {}
    callback.set_model(keras.Sequential())
    callback.on_epoch_end(0, logs)
    assert logs == {}


@pytest.mark.backend
@pytest.mark.parametrize("guided", [True, False])
def test_the_residual_is_that_of_the_image_under_way(small_head, tiny, guided):
    """A network that adds nothing has the residual of cubic interpolation."""
    low = degrade(small_head.t2, 2)
    (subject,) = subjects_of(
        [(low, small_head.t1)],
        scale=(2.0, 2.0),
        stages=1,
        guided=guided,
        stage_blur="consistent",
    )
    network = GRDN(**tiny, guided=guided)
    network.get_layer("reconstruction").residual.set_weights(
        [np.zeros((3, 3, 8, 1)), np.zeros(1)]
    )
    callback, logs = ResidualCallback(slices=9), {}
    callback.set_stage(subject, subject.t2, 1)
    callback.set_model(network)
    callback.on_epoch_end(0, logs)
    cubic = upsample(subject.t2, (48, 48))
    operator = subject.plan.observation(1)
    wanted = np.mean(
        [consistency(x, y, operator) for x, y in zip(cubic, subject.t2, strict=True)]
    )
    assert logs["residual"] == pytest.approx(wanted, rel=1e-3)
