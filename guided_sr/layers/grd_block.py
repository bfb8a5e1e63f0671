"""The guided residual dense block and the trunk of several of them."""

from __future__ import annotations

from typing import Any

import keras

from guided_sr.layers.convolution import ConvUnit

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="guided_sr")
class GRDBlock(keras.layers.Layer):
    """Guided residual dense block (Iwamoto et al., Fig. 2).

    The features of the target are concatenated with those of the guide, pass
    densely connected convolutions (each sees all earlier maps), are fused by a
    1x1 convolution and added to the block's input. Without a guide it is the
    residual dense block of Zhang et al. (CVPR 2018).

    Args:
        convolutions: Densely connected convolutions in the block.
        filters: Channels of the block's input and output.
        growth: Channels that each dense convolution adds.
        normalization: `None` or ``"batch"`` (the paper's).

    Call arguments:
        inputs: ``[features, guide]``, each ``(batch, height, width, channels)``;
            a list of one, or one tensor, where there is no guide.
        training: Whether batch statistics are updated.

    Returns:
        Tensor of shape ``(batch, height, width, filters)``.

    Raises:
        ValueError: If the features do not have ``filters`` channels.

    Example:
        >>> import numpy as np
        >>> x = np.ones((1, 16, 16, 8), "float32")
        >>> tuple(GRDBlock(convolutions=2, filters=8, growth=4)([x, x]).shape)
        (1, 16, 16, 8)
    """

    def __init__(
        self,
        *,
        convolutions: int = 4,
        filters: int = 32,
        growth: int = 32,
        normalization: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.convolutions = convolutions
        self.filters = filters
        self.growth = growth
        self.normalization = normalization
        self.dense = [
            ConvUnit(
                filters=growth,
                normalization=normalization,
                dtype=self.dtype_policy,
                name=f"dense_{k + 1}",
            )
            for k in range(convolutions)
        ]
        self.fusion = ConvUnit(
            filters=filters,
            kernel_size=1,
            activation=None,
            dtype=self.dtype_policy,
            name="fusion",
        )

    @staticmethod
    def _shapes(input_shape: Any) -> list[Shape]:
        first = input_shape[0]
        return list(input_shape) if isinstance(first, list | tuple) else [input_shape]

    def build(self, input_shape: Any) -> None:
        shapes = self._shapes(input_shape)
        if shapes[0][-1] != self.filters:
            raise ValueError(
                f"the block adds its input to {self.filters} channels, but the input"
                f" has {shapes[0][-1]}"
            )
        leading = tuple(shapes[0][:-1])
        channels = sum(int(shape[-1] or 0) for shape in shapes)
        for unit in self.dense:
            unit.build((*leading, channels))
            channels += self.growth
        self.fusion.build((*leading, channels))
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        maps = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        features = maps[0]
        for unit in self.dense:
            joined = keras.ops.concatenate(maps, axis=-1) if len(maps) > 1 else maps[0]
            maps = [joined, unit(joined, training=training)]
        return features + self.fusion(keras.ops.concatenate(maps, axis=-1))

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return (*self._shapes(input_shape)[0][:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "convolutions": self.convolutions,
            "filters": self.filters,
            "growth": self.growth,
            "normalization": self.normalization,
        }


@keras.saving.register_keras_serializable(package="guided_sr")
class GRDTrunk(keras.layers.Layer):
    """Shallow features, a chain of GRD blocks, global fusion and global skip.

    One layer of its own class, so that its weights are stored under attribute
    names and never under a position in the graph.

    Args:
        blocks: Number of GRD blocks.
        convolutions: Densely connected convolutions in each.
        filters: Channels of the features.
        growth: Channels that each dense convolution adds.
        normalization: `None` or ``"batch"``.

    Call arguments:
        inputs: Interpolated T2 of shape ``(batch, height, width, 1)``, followed by
            ``blocks`` guide maps, as one list, where there is a guide.
        training: Whether batch statistics are updated.

    Returns:
        Features of shape ``(batch, height, width, filters)``.
    """

    def __init__(
        self,
        *,
        blocks: int = 3,
        convolutions: int = 4,
        filters: int = 32,
        growth: int = 32,
        normalization: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.blocks = blocks
        self.convolutions = convolutions
        self.filters = filters
        self.growth = growth
        self.normalization = normalization

        def unit(name: str, **options: Any) -> ConvUnit:
            options.setdefault("normalization", normalization)
            return ConvUnit(
                filters=filters, dtype=self.dtype_policy, name=name, **options
            )

        self.shallow_1 = unit("shallow_1")
        self.shallow_2 = unit("shallow_2")
        self.grd_blocks = [
            GRDBlock(
                convolutions=convolutions,
                filters=filters,
                growth=growth,
                normalization=normalization,
                dtype=self.dtype_policy,
                name=f"grd_block_{k + 1}",
            )
            for k in range(blocks)
        ]
        plain: dict[str, Any] = {"activation": None, "normalization": None}
        self.fusion_1 = unit("fusion_1", kernel_size=1, **plain)
        self.fusion_3 = unit("fusion_3", **plain)

    @staticmethod
    def _first(input_shape: Any) -> Shape:
        first = input_shape[0]
        return tuple(first) if isinstance(first, list | tuple) else tuple(input_shape)

    def build(self, input_shape: Any) -> None:
        shape = self._first(input_shape)
        guided = isinstance(input_shape[0], list | tuple) and len(input_shape) > 1
        features = (*shape[:-1], self.filters)
        self.shallow_1.build(shape)
        self.shallow_2.build(features)
        for k, block in enumerate(self.grd_blocks):
            block.build([features, input_shape[k + 1]] if guided else [features])
        self.fusion_1.build((*shape[:-1], self.filters * self.blocks))
        self.fusion_3.build(features)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        tensors = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        shallow = self.shallow_1(tensors[0], training=training)
        x = self.shallow_2(shallow, training=training)
        outputs = []
        for k, block in enumerate(self.grd_blocks):
            pair = [x, tensors[k + 1]] if len(tensors) > 1 else [x]
            x = block(pair, training=training)
            outputs.append(x)
        joined = keras.ops.concatenate(outputs, axis=-1) if self.blocks > 1 else x
        return shallow + self.fusion_3(self.fusion_1(joined))

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return (*self._first(input_shape)[:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "blocks": self.blocks,
            "convolutions": self.convolutions,
            "filters": self.filters,
            "growth": self.growth,
            "normalization": self.normalization,
        }
