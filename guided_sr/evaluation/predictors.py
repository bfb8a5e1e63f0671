"""What makes a fine T2 of a coarse one and a T1: models, and what costs nothing."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import GuidedSRWarning
from guided_sr.physics.degrade import upsample

if TYPE_CHECKING:
    from guided_sr.model import GuidedSRModel

Stack = NDArray[np.float32]

_KNOWN = ("the T2 holds about .* noise", "the T1 does not help")  # parts of a test

Predict = Callable[[Stack, Stack], Stack]
"""Coarse T2 ``(n, h, w)`` and T1 ``(n, H, W)`` in, T2 ``(n, H, W)`` out."""


def cubic(low: Stack, t1: Stack) -> Stack:
    """Cubic interpolation to the grid of the T1."""
    return upsample(low, (t1.shape[-2], t1.shape[-1])).astype(np.float32)


def predictor(model: GuidedSRModel) -> Predict:
    """A model, as something that takes stacks.

    A model that was trained to enlarge rows alone needs planes whose rows run across
    the slices.

    Args:
        model: A trained model; without guide it does not look at the T1.
    """

    def predict(low: Stack, t1: Stack) -> Stack:
        guide = t1 if model.guided else None
        shape = (t1.shape[-2], t1.shape[-1])
        with warnings.catch_warnings():
            for known in _KNOWN:
                warnings.filterwarnings("ignore", known, GuidedSRWarning)
            return np.asarray(model.predict_cascade(low, guide, target_shape=shape))

    return predict
