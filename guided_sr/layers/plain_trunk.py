"""A chain of convolutions over the input images, stacked as channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from guided_sr.layers.convolution import ConvUnit

Shape = tuple[int | None, ...]


def stacked(inputs: Any) -> Any:
    """One tensor out of one image or a list of them, which become channels."""
    if not isinstance(inputs, list | tuple):
        return inputs
    return keras.ops.concatenate(inputs, axis=-1) if len(inputs) > 1 else inputs[0]


def stacked_shape(input_shape: Any) -> Shape:
    """Shape of what `stacked` gives."""
    first = input_shape[0]
    if not isinstance(first, list | tuple):
        return tuple(input_shape)
    return (*first[:-1], sum(int(shape[-1] or 0) for shape in input_shape))


@keras.saving.register_keras_serializable(package="guided_sr")
class PlainTrunk(keras.layers.Layer):
    """Convolution, ReLU, convolution, ReLU, ...

    The trunk of SRCNN, ReCNN and ZSSR. One layer of its own class, so that its
    weights are stored under attribute names and never under a position in the
    graph.

    Args:
        filters: Channels of each convolution.
        kernel_sizes: Side of each kernel in pixels.

    Call arguments:
        inputs: One image of shape ``(batch, height, width, 1)``, or a list of them,
            which become channels.

    Returns:
        Features of shape ``(batch, height, width, filters[-1])``.

    Raises:
        ValueError: If the two lists differ in length.

    Example:
        >>> import numpy as np
        >>> x = np.ones((1, 16, 20, 1), "float32")
        >>> tuple(PlainTrunk(filters=[8, 4], kernel_sizes=[9, 5])([x, x]).shape)
        (1, 16, 20, 4)
    """

    def __init__(
        self, *, filters: Sequence[int], kernel_sizes: Sequence[int], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters = tuple(filters)
        self.kernel_sizes = tuple(kernel_sizes)
        self.units = [
            ConvUnit(
                filters=channels,
                kernel_size=side,
                dtype=self.dtype_policy,
                name=f"unit_{k}",
            )
            for k, (channels, side) in enumerate(
                zip(self.filters, self.kernel_sizes, strict=True), 1
            )
        ]

    def build(self, input_shape: Any) -> None:
        shape = stacked_shape(input_shape)
        for unit in self.units:
            unit.build(shape)
            shape = unit.compute_output_shape(shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = stacked(inputs)
        for unit in self.units:
            x = unit(x)
        return x

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return (*stacked_shape(input_shape)[:-1], self.filters[-1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": list(self.filters),
            "kernel_sizes": list(self.kernel_sizes),
        }
