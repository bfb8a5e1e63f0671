"""What the package is for: learn without any sharp T2, and beat the baselines."""

from __future__ import annotations

import numpy as np
import pytest

from guided_sr import (
    CascadePlan,
    GuidedSRModel,
    back_project,
    degrade,
    head_phantom,
    psnr,
    ssim,
    upsample,
)
from guided_sr.metrics import mean_over_slices

SHAPE = (96, 96)


def head(seed, n_slices):
    return head_phantom(SHAPE, n_slices, seed=seed, voxel_mm=2.25)


@pytest.mark.slow
def test_a_short_training_beats_cubic_with_exact_back_projection_on_another_head():
    pairs = []
    for seed in (1, 2, 3):
        subject = head(seed, 8)
        pairs.append((degrade(subject.t2, 2), subject.t1))
    unseen = head(11, 2)
    low = degrade(unseen.t2, 2)

    model = GuidedSRModel(
        back_projection="exact",
        precision="float32",
        blocks=2,
        convolutions=3,
        filters=16,
        growth=16,
    )
    model.fit_external(
        pairs,
        scale=2,
        stages=1,
        max_steps=300,
        steps_per_epoch=50,
        schedule="cosine",
        learning_rate=2e-3,
        batch_size=8,
        patch_size=32,
        verbose=0,
    )
    operator = CascadePlan.create((48, 48), scale=2, stages=1).observation()
    cubic = upsample(low, SHAPE)
    images = {
        "cubic": cubic,
        "cubic + exact": back_project(cubic, low, operator, method="exact"),
        "guided-sr": model.predict_cascade(low, unseen.t1, scale=2),
        "guide of another head": model.predict_cascade(low, head(12, 2).t1, scale=2),
    }
    decibels = {}
    for name, image in images.items():
        decibels[name] = mean_over_slices(psnr, unseen.t2, image)
        similar = mean_over_slices(ssim, unseen.t2, image)
        print(f"{name}: {decibels[name]:.2f} dB, SSIM {similar:.3f}")
    assert decibels["guided-sr"] >= decibels["cubic + exact"] + 1.0
    assert decibels["guided-sr"] >= decibels["guide of another head"] + 1.0
    residual = low - operator(images["guided-sr"])
    assert np.sqrt(np.mean(residual**2)) < 0.01 * low.max()
