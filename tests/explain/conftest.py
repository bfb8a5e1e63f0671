from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from guided_sr.explain.subject import ExplainedSlice

BOX = (slice(16, 32), slice(16, 32))


@pytest.fixture(scope="session")
def subject(trained: Any, small_head: Any) -> ExplainedSlice:
    """The middle slice of a phantom and a model after a handful of steps."""
    from guided_sr import degrade

    return ExplainedSlice.of(trained, degrade(small_head.t2, 2), small_head.t1, index=1)


@pytest.fixture(scope="session")
def boxed() -> ExplainedSlice:
    """A T1 that has detail in `BOX` alone, and one stage that adds the T1's detail:
    what came from the T1 is known."""
    from guided_sr import GuidedSRModel

    t2, t1 = (keras.Input((None, None, 1), name=name) for name in ("t2", "t1"))
    convolution = keras.layers.Conv2D(
        1, 3, padding="same", use_bias=False, name="guidance_branch"
    )
    detail = convolution(t1)
    network = keras.Model({"t2": t2, "t1": t1}, keras.layers.Add()([t2, detail]))
    kernel = np.full((3, 3, 1, 1), -1 / 9, np.float32)
    kernel[1, 1] += 1.0
    convolution.set_weights([kernel])
    model = GuidedSRModel(network, precision="float32", back_projection=None)
    model.networks, model.scale = [network], (2.0, 2.0)

    generator = np.random.default_rng(3)
    rows, columns = np.mgrid[-1:1:48j, -1:1:48j]
    smooth = np.exp(-(rows**2) - columns**2)
    guide = smooth.copy()
    guide[BOX] += 0.3 * generator.standard_normal((16, 16))
    coarse = 100.0 * smooth.reshape(24, 2, 24, 2).mean(axis=(1, 3))
    return ExplainedSlice.of(model, coarse.astype(np.float32), guide.astype(np.float32))
