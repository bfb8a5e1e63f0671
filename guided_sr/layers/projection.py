"""The plan's operators on the device: degradation, up-sampling, back-projection.

The matrices come from `guided_sr.physics`, are made once and are applied by
batched matrix products in float32, whatever the precision of the network.
Images are tensors of shape ``(batch, height, width, 1)``.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr.physics.back_projection import BackProjection, exact_inverse
from guided_sr.physics.operators import SeparableOperator, transposed


def separable(x: Any, operator: SeparableOperator, *, adjoint: bool = False) -> Any:
    """Apply a separable operator, or its adjoint, to a batch of images.

    Args:
        x: Tensor of shape ``(batch, height, width, 1)``.
        operator: Operator from ``(height, width)`` to ``(h, w)`` (the other way
            round for the adjoint).
        adjoint: Apply the transposed matrices.

    Returns:
        float32 tensor of shape ``(batch, h, w, 1)``.
    """
    matrices = operator.applied
    return _product(x, *(transposed(matrices) if adjoint else matrices))


def _product(x: Any, a_h: NDArray | None, a_w: NDArray | None) -> Any:
    # A leading axis of one makes both products batched ones; without it TensorFlow
    # transposes the whole batch. Indexing takes it as long as a product.
    image = keras.ops.squeeze(keras.ops.cast(x, "float32"), -1)
    if a_h is not None:
        left = np.ascontiguousarray(a_h, np.float32)[None]
        image = keras.ops.matmul(keras.ops.convert_to_tensor(left), image)
    if a_w is not None:
        right = np.ascontiguousarray(a_w.T, np.float32)[None]
        image = keras.ops.matmul(image, keras.ops.convert_to_tensor(right))
    return keras.ops.expand_dims(image, -1)


def back_project_tensor(
    x: Any, y: Any, operator: SeparableOperator, how: BackProjection
) -> Any:
    """Correct an estimate by what it fails to explain (eq. 6), on the device.

    Args:
        x: Estimate of shape ``(batch, height, width, 1)``.
        y: Observation of shape ``(batch, h, w, 1)``.
        operator: From the grid of ``x`` to that of ``y``.
        how: Method and its numbers; equal to `guided_sr.back_project` in NumPy to
            float32.

    Returns:
        float32 tensor of the shape of ``x``.
    """
    if how.method is None:
        return x
    x, y = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(y)
    if how.method == "ibp":
        for _ in range(how.iterations):
            residual = y - separable(x, operator)
            x = x + operator.gain * separable(residual, operator, adjoint=True)
        return x
    inverse = exact_inverse(operator, how.number)
    inner = _product(y - separable(x, operator), *transposed(inverse.vectors))
    denominator = np.asarray(inverse.denominator, np.float32)[None, :, :, None]
    inner = inner / keras.ops.convert_to_tensor(denominator)
    return x + separable(_product(inner, *inverse.vectors), operator, adjoint=True)
