"""Densely connected blocks of pre-activated convolutions, as in DCSRN and mDCSRN."""

from __future__ import annotations

from typing import Any

import keras

from guided_sr.layers.convolution import NORMALIZATIONS
from guided_sr.layers.plain_trunk import stacked, stacked_shape

Shape = tuple[int | None, ...]


def _convolution(
    filters: int, kernel_size: int, normalization: str | None, policy: Any, name: str
) -> keras.layers.Conv2D:
    """A linear convolution; a bias would be lost in the normalisation after it."""
    return keras.layers.Conv2D(
        filters,
        kernel_size,
        padding="same",
        use_bias=normalization is None,
        kernel_initializer="he_normal",
        dtype=policy,
        name=name,
    )


@keras.saving.register_keras_serializable(package="guided_sr")
class DenseUnit(keras.layers.Layer):
    """Batch normalisation, ELU, 3x3 convolution (Chen et al., ISBI 2018, Fig. 1).

    Args:
        growth: Channels of the output.
        normalization: ``"batch"`` (the papers') or `None`.

    Call arguments:
        inputs: Features of shape ``(batch, height, width, channels)``.
        training: Whether batch statistics are updated.

    Raises:
        ValueError: If the normalisation is unknown.
    """

    def __init__(
        self, *, growth: int, normalization: str | None = "batch", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if normalization not in NORMALIZATIONS:
            raise ValueError(
                f"normalization must be one of {NORMALIZATIONS}, got {normalization!r}"
            )
        self.growth = growth
        self.normalization = normalization
        self.batch_normalization = None
        if normalization == "batch":
            self.batch_normalization = keras.layers.BatchNormalization(
                dtype=self.dtype_policy, name="batch_normalization"
            )
        self.convolution = _convolution(
            growth, 3, normalization, self.dtype_policy, "convolution"
        )

    def build(self, input_shape: Shape) -> None:
        if self.batch_normalization is not None:
            self.batch_normalization.build(input_shape)
        self.convolution.build(input_shape)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = inputs
        if self.batch_normalization is not None:
            x = self.batch_normalization(x, training=training)
        return self.convolution(keras.ops.elu(x))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.growth)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "growth": self.growth,
            "normalization": self.normalization,
        }


@keras.saving.register_keras_serializable(package="guided_sr")
class DenseBlock(keras.layers.Layer):
    """Units of which each sees the block's input and all earlier units.

    Args:
        units: Number of `DenseUnit`.
        growth: Channels that each adds.
        normalization: ``"batch"`` (the papers') or `None`.

    Call arguments:
        inputs: Features of shape ``(batch, height, width, channels)``.
        training: Whether batch statistics are updated.

    Returns:
        Input and outputs of all units, ``channels + units * growth`` channels.
    """

    def __init__(
        self,
        *,
        units: int = 4,
        growth: int = 16,
        normalization: str | None = "batch",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.growth = growth
        self.normalization = normalization
        self.units = [
            DenseUnit(
                growth=growth,
                normalization=normalization,
                dtype=self.dtype_policy,
                name=f"unit_{k + 1}",
            )
            for k in range(units)
        ]

    def build(self, input_shape: Shape) -> None:
        channels = int(input_shape[-1] or 0)
        for unit in self.units:
            unit.build((*input_shape[:-1], channels))
            channels += self.growth
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = inputs
        for unit in self.units:
            x = keras.ops.concatenate([x, unit(x, training=training)], axis=-1)
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        channels = int(input_shape[-1] or 0) + len(self.units) * self.growth
        return (*input_shape[:-1], channels)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": len(self.units),
            "growth": self.growth,
            "normalization": self.normalization,
        }


@keras.saving.register_keras_serializable(package="guided_sr")
class DenseTrunk(keras.layers.Layer):
    """First convolution to ``2 growth`` channels, then densely connected blocks.

    One block is DCSRN's. With several, every later block gets the first
    convolution and the outputs of all earlier blocks through a 1x1 compressor to
    ``2 growth`` channels, and all of them together are the result (mDCSRN).

    Args:
        blocks: Number of blocks.
        units: Units in each.
        growth: Channels that each unit adds (k in the papers).
        normalization: ``"batch"`` (the papers') or `None`.

    Call arguments:
        inputs: One image of shape ``(batch, height, width, 1)``, or a list of them,
            which become channels.
        training: Whether batch statistics are updated.

    Returns:
        Features of shape ``(batch, height, width, channels)``: ``(2 + units)
        growth`` channels for one block, ``(2 + blocks (2 + units)) growth`` for
        several.
    """

    def __init__(
        self,
        *,
        blocks: int = 1,
        units: int = 4,
        growth: int = 24,
        normalization: str | None = "batch",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.growth = growth
        self.normalization = normalization

        def convolution(kernel_size: int, name: str) -> keras.layers.Conv2D:
            return _convolution(
                2 * growth, kernel_size, normalization, self.dtype_policy, name
            )

        self.first = convolution(3, "first")
        self.blocks = [
            DenseBlock(
                units=units,
                growth=growth,
                normalization=normalization,
                dtype=self.dtype_policy,
                name=f"block_{k + 1}",
            )
            for k in range(blocks)
        ]
        self.compressors = [
            convolution(1, f"compressor_{k + 1}") for k in range(blocks - 1)
        ]

    def build(self, input_shape: Any) -> None:
        shape = stacked_shape(input_shape)
        self.first.build(shape)
        entrance = (*shape[:-1], 2 * self.growth)
        for k, block in enumerate(self.blocks):
            block.build(entrance)
            if k < len(self.compressors):
                channels = self._channels(k + 1)
                self.compressors[k].build((*shape[:-1], channels))
        self.built = True

    def _channels(self, blocks: int) -> int:
        """Channels of the first convolution and of so many blocks."""
        return (2 + blocks * (2 + self.units)) * self.growth

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        first = self.first(stacked(inputs))
        x = self.blocks[0](first, training=training)
        if not self.compressors:
            return x
        joined = keras.ops.concatenate([first, x], axis=-1)
        for compressor, block in zip(self.compressors, self.blocks[1:], strict=True):
            x = block(compressor(joined), training=training)
            joined = keras.ops.concatenate([joined, x], axis=-1)
        return joined

    def compute_output_shape(self, input_shape: Any) -> Shape:
        blocks = len(self.blocks)
        one = (2 + self.units) * self.growth
        channels = one if blocks == 1 else self._channels(blocks)
        return (*stacked_shape(input_shape)[:-1], channels)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "blocks": len(self.blocks),
            "units": self.units,
            "growth": self.growth,
            "normalization": self.normalization,
        }
