"""The plan's operators on the device: degradation, up-sampling, back-projection.

The matrices come from `guided_sr.physics`, are made once and are applied by
batched matrix products in float32, whatever the precision of the network.
Images are tensors of shape ``(batch, height, width, 1)``.

Where many calls follow each other outside a graph, ``compile`` makes one call of each
function of tensors: `guided_sr.runtime.compiled`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr.physics.back_projection import BackProjection, exact_inverse
from guided_sr.physics.operators import SeparableOperator, transposed

Function = Callable[..., Any]
Compile = Callable[[Function], Function]
Tensors = tuple[Any, ...]


def _as_it_is(function: Function) -> Function:
    return function


def separable(
    x: Any,
    operator: SeparableOperator,
    *,
    adjoint: bool = False,
    compile: Compile = _as_it_is,
) -> Any:
    """Apply a separable operator, or its adjoint, to a batch of images.

    Args:
        x: Tensor of shape ``(batch, height, width, 1)``.
        operator: Operator from ``(height, width)`` to ``(h, w)`` (the other way
            round for the adjoint).
        adjoint: Apply the transposed matrices.
        compile: What makes the function that is called.

    Returns:
        float32 tensor of shape ``(batch, h, w, 1)``.
    """
    matrices = operator.applied
    pair = _tensors(transposed(matrices) if adjoint else matrices)
    return compile(_product)(keras.ops.convert_to_tensor(x), pair)


def back_project_tensor(
    x: Any,
    y: Any,
    operator: SeparableOperator,
    how: BackProjection,
    *,
    compile: Compile = _as_it_is,
) -> Any:
    """Correct an estimate by what it fails to explain (eq. 6), on the device.

    Args:
        x: Estimate of shape ``(batch, height, width, 1)``.
        y: Observation of shape ``(batch, h, w, 1)``.
        operator: From the grid of ``x`` to that of ``y``.
        how: Method and its numbers; equal to `guided_sr.back_project` in NumPy to
            float32.
        compile: What makes the function that is called.

    Returns:
        float32 tensor of the shape of ``x``.
    """
    if how.method is None:
        return x
    x, y = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(y)
    pair = _tensors(operator.applied)
    if how.method == "ibp":
        (gain,) = _tensors((np.asarray(operator.gain),))
        for _ in range(how.iterations):
            x = compile(_iteration)(x, y, pair, gain)
        return x
    inverse = exact_inverse(operator, how.number)
    (denominator,) = _tensors((inverse.denominator[None, :, :, None],))
    return compile(_exact)(x, y, pair, _tensors(inverse.vectors), denominator)


def _tensors(arrays: tuple[NDArray[np.float64] | None, ...]) -> Tensors:
    """Arrays in float32 on the device; NumPy's do not divide tensors of PyTorch."""
    return tuple(
        None if a is None else keras.ops.convert_to_tensor(np.asarray(a, np.float32))
        for a in arrays
    )


def _product(x: Any, pair: Tensors) -> Any:
    # A leading axis of one makes both products batched ones; without it TensorFlow
    # transposes the whole batch. Indexing takes it as long as a product.
    a_h, a_w = pair
    image = keras.ops.squeeze(keras.ops.cast(x, "float32"), -1)
    if a_h is not None:
        image = keras.ops.matmul(keras.ops.expand_dims(a_h, 0), image)
    if a_w is not None:
        right = keras.ops.transpose(a_w)
        image = keras.ops.matmul(image, keras.ops.expand_dims(right, 0))
    return keras.ops.expand_dims(image, -1)


def _iteration(x: Any, y: Any, pair: Tensors, gain: Any) -> Any:
    return x + gain * _product(y - _product(x, pair), _flipped(pair))


def _exact(x: Any, y: Any, pair: Tensors, vectors: Tensors, denominator: Any) -> Any:
    inner = _product(y - _product(x, pair), _flipped(vectors)) / denominator
    return x + _product(_product(inner, vectors), _flipped(pair))


def _flipped(pair: Tensors) -> Tensors:
    return tuple(None if a is None else keras.ops.transpose(a) for a in pair)
