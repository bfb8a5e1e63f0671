"""The branch that turns the guide into one feature map a block."""

from __future__ import annotations

from typing import Any

import keras

from guided_sr.layers.convolution import ConvUnit

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="guided_sr")
class GuidanceBranch(keras.layers.Layer):
    """Convolutions over the guide, with one feature map for each GRD block.

    A head convolution is followed by one convolution a block; the output of each
    of these goes to its block and to the next convolution (Iwamoto et al., Fig. 2).

    Args:
        blocks: Number of feature maps to give, one for each GRD block.
        filters: Channels of every map.
        normalization: `None` or ``"batch"`` (the paper's).

    Call arguments:
        inputs: Guide (T1) of shape ``(batch, height, width, 1)``.
        training: Whether batch statistics are updated.

    Returns:
        List of ``blocks`` tensors of shape ``(batch, height, width, filters)``.

    Example:
        >>> import numpy as np
        >>> maps = GuidanceBranch(blocks=2, filters=8)(np.ones((1, 16, 20, 1)))
        >>> [tuple(m.shape) for m in maps]
        [(1, 16, 20, 8), (1, 16, 20, 8)]
    """

    def __init__(
        self,
        *,
        blocks: int = 3,
        filters: int = 32,
        normalization: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.blocks = blocks
        self.filters = filters
        self.normalization = normalization

        def unit(name: str) -> ConvUnit:
            return ConvUnit(
                filters=filters,
                normalization=normalization,
                dtype=self.dtype_policy,
                name=name,
            )

        self.head = unit("head")
        self.taps = [unit(f"tap_{k + 1}") for k in range(blocks)]

    def build(self, input_shape: Shape) -> None:
        self.head.build(input_shape)
        for tap in self.taps:
            tap.build((*input_shape[:-1], self.filters))
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> list[Any]:
        x = self.head(inputs, training=training)
        maps = []
        for tap in self.taps:
            x = tap(x, training=training)
            maps.append(x)
        return maps

    def compute_output_shape(self, input_shape: Shape) -> list[Shape]:
        return [(*input_shape[:-1], self.filters) for _ in range(self.blocks)]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "blocks": self.blocks,
            "filters": self.filters,
            "normalization": self.normalization,
        }
