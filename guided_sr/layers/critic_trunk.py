"""The layers of the critic: strided convolutions, pooling, one number an image."""

from __future__ import annotations

from typing import Any

import keras

Shape = tuple[int | None, ...]

NEGATIVE_SLOPE = 0.2


@keras.saving.register_keras_serializable(package="guided_sr")
class CriticUnit(keras.layers.Layer):
    """3x3 convolution, layer normalisation, leaky ReLU.

    The normalisation is over height, width and channels of each image, with one
    gain and one offset a channel, as in the code of WGAN-GP: a group normalisation
    of one group, which takes any image size.

    Args:
        filters: Channels of the output.
        strides: 2 halves the image.
        normalized: Whether there is a normalisation.

    Call arguments:
        inputs: Features of shape ``(batch, height, width, channels)``.
    """

    def __init__(
        self, *, filters: int, strides: int = 1, normalized: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides
        self.normalized = normalized
        self.convolution = keras.layers.Conv2D(
            filters,
            3,
            strides=(strides, strides),
            padding="same",
            kernel_initializer="he_normal",
            dtype=self.dtype_policy,
            name="convolution",
        )
        self.layer_normalization = None
        if normalized:
            self.layer_normalization = keras.layers.GroupNormalization(
                groups=1, dtype=self.dtype_policy, name="layer_normalization"
            )

    def build(self, input_shape: Shape) -> None:
        self.convolution.build(input_shape)
        if self.layer_normalization is not None:
            shape = self.convolution.compute_output_shape(input_shape)
            self.layer_normalization.build(shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = self.convolution(inputs)
        if self.layer_normalization is not None:
            x = self.layer_normalization(x)
        return keras.ops.leaky_relu(x, NEGATIVE_SLOPE)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.convolution.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "strides": self.strides,
            "normalized": self.normalized,
        }


@keras.saving.register_keras_serializable(package="guided_sr")
class CriticTrunk(keras.layers.Layer):
    """Eight convolutions of which every second halves the image, then two dense layers.

    The discriminator of Ledig et al. (SRGAN, Fig. 4) with layer normalisation and
    global average pooling.

    Args:
        filters: Channels of the first two convolutions; doubled three times.
        hidden: Width of the dense layer.

    Call arguments:
        inputs: Images of shape ``(batch, height, width, 1)``, of any size.

    Returns:
        Scores of shape ``(batch, 1)``, without a bound.
    """

    def __init__(self, *, filters: int = 64, hidden: int = 1024, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.hidden = hidden
        self.units = [
            CriticUnit(
                filters=filters * 2**level,
                strides=strides,
                normalized=(level, strides) != (0, 1),
                dtype=self.dtype_policy,
                name=f"unit_{level + 1}_{strides}",
            )
            for level in range(4)
            for strides in (1, 2)
        ]
        self.dense = keras.layers.Dense(hidden, dtype=self.dtype_policy, name="dense")
        self.score = keras.layers.Dense(1, dtype=self.dtype_policy, name="score")

    def build(self, input_shape: Shape) -> None:
        shape = tuple(input_shape)
        for unit in self.units:
            unit.build(shape)
            shape = unit.compute_output_shape(shape)
        self.dense.build((shape[0], shape[-1]))
        self.score.build((shape[0], self.hidden))
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = inputs
        for unit in self.units:
            x = unit(x)
        x = self.dense(keras.ops.mean(x, axis=(1, 2)))
        return self.score(keras.ops.leaky_relu(x, NEGATIVE_SLOPE))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], 1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "hidden": self.hidden,
        }
